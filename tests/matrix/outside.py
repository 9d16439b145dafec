#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only
"""What real tools send, as it comes, in files of a directory.

usage: outside.py DIR RAW WEB TLS CERTIFICATE

Takes what is sent to the ports RAW (TCP and UDP), WEB (HTTP), TLS (whatever, in
TLS) and to 53 (names that are asked for, in hexadecimal) and writes it to files
of DIR that are named in the order of arrival. Of a request without a body it
keeps the path and the heads. Each piece is written when it comes: that the rest
was stopped says nothing about it.
"""

import http.server
import itertools
import os
import socketserver
import ssl
import sys
import threading
from urllib.parse import unquote

# An end that never comes: the packet that says so may have been dropped.
PATIENCE_S = 30
directory = sys.argv[1]
numbers = itertools.count()


def new_file():
    name = f"{next(numbers):06d}"
    return open(os.path.join(directory, name), "wb", buffering=0)


class Raw(socketserver.BaseRequestHandler):
    def handle(self):
        self.request.settimeout(PATIENCE_S)
        try:
            data = self.request.recv(65536)
            if not data:
                return
            with new_file() as file:
                while data:
                    file.write(data)
                    data = self.request.recv(65536)
        except OSError:
            pass


class Datagram(socketserver.BaseRequestHandler):
    def handle(self):
        with open(os.path.join(directory, "datagrams"), "ab") as file:
            file.write(self.request[0])


class Name(socketserver.BaseRequestHandler):
    """Answers that there is no such name."""

    def handle(self):
        query, sock = self.request
        labels, at = [], 12
        while query[at]:
            labels.append(query[at + 1 : at + 1 + query[at]])
            at += 1 + query[at]
        try:
            data = bytes.fromhex(b"".join(labels[:-2]).decode())
        except ValueError:
            data = b""
        with open(os.path.join(directory, "names"), "ab") as file:
            file.write(data)
        head = query[:2] + b"\x81\x83\0\x01" + bytes(6)
        sock.sendto(head + query[12 : at + 5], self.client_address)


class Web(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    timeout = PATIENCE_S

    def pieces(self):
        if self.headers.get("Transfer-Encoding") == "chunked":
            while left := int(self.rfile.readline().split(b";")[0] or b"0", 16):
                while left > 0 and (data := self.rfile.read1(left)):
                    left -= len(data)
                    yield data
                self.rfile.readline()
            self.rfile.readline()
            return
        left = int(self.headers.get("Content-Length", 0))
        if not left:
            yield unquote(self.path).encode()
            yield str(self.headers).encode()
        while left > 0 and (data := self.rfile.read1(left)):
            left -= len(data)
            yield data

    def answer(self):
        try:
            with new_file() as file:
                for data in self.pieces():
                    file.write(data)
            self.send_response(200)
            self.send_header("Content-Length", "0")
            self.end_headers()
        except OSError:
            self.close_connection = True

    do_GET = do_HEAD = do_POST = do_PUT = answer

    def log_message(self, *_):
        pass


class Server(socketserver.ThreadingTCPServer):
    allow_reuse_address = True
    daemon_threads = True
    request_queue_size = 128


class Tls(Server):
    def __init__(self, *args):
        super().__init__(*args)
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.context.load_cert_chain(sys.argv[5])

    def finish_request(self, request, client_address):
        try:
            request.settimeout(PATIENCE_S)
            with self.context.wrap_socket(request, server_side=True) as tls:
                self.RequestHandlerClass(tls, client_address, self)
        except OSError:
            pass


def main():
    raw, web, tls = map(int, sys.argv[2:5])
    servers = [
        Server(("", raw), Raw),
        Server(("", web), Web),
        Tls(("", tls), Raw),
        socketserver.UDPServer(("", raw), Datagram),
        socketserver.UDPServer(("", 53), Name),
    ]
    for server in servers:
        threading.Thread(target=server.serve_forever, daemon=True).start()
    print("ready", flush=True)
    threading.Event().wait()


main()
