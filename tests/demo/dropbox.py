#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only
"""A web server outside that takes whatever is uploaded, by PUT or POST.

usage: dropbox.py PORT SINK-PORT

Everything that arrives, heads of requests too, goes on to the sink, which
counts; so what curl and wget send is counted like all the rest.
"""

import re
import socket
import sys
import threading

BLOCK = 1 << 18
# curl takes a read that fails for the end of the file, and waits for an answer
# to a request that it did not finish.
PATIENCE_S = 3
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"
CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"


def serve(conn, sink):
    buf = b""

    def more():
        data = conn.recv(BLOCK)
        sink.sendall(data)
        return data

    while True:
        while b"\r\n\r\n" not in buf:
            data = more()
            if not data:
                return
            buf += data
        head, buf = buf.split(b"\r\n\r\n", 1)
        length = re.search(rb"(?i)\ncontent-length: *(\d+)", head)
        left = (int(length[1]) if length else 0) - len(buf)
        buf = buf[left:] if left < 0 else b""
        if re.search(rb"(?i)\nexpect: *100", head):
            conn.sendall(CONTINUE)
        while left > 0:
            data = more()
            if not data:
                return
            left -= len(data)
        conn.sendall(OK)


def client(conn, sink_port):
    with conn, socket.create_connection(("127.0.0.1", sink_port)) as sink:
        conn.settimeout(PATIENCE_S)
        conn.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        try:
            serve(conn, sink)
        except (ConnectionError, TimeoutError):
            pass


def main():
    port, sink_port = map(int, sys.argv[1:3])
    listener = socket.create_server(("", port))
    print("ready", flush=True)
    while True:
        conn, _ = listener.accept()
        threading.Thread(
            target=client, args=(conn, sink_port), daemon=True
        ).start()


main()
