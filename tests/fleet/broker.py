#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only
#
# What a broker can do that means ill: with what it has stored, and with
# everybody's subjects. Speaks to the real one, as a user that may do all.
#
# usage: broker.py PORT CA CERT KEY get STREAM N FILE
#                                   delete STREAM N
#                                   purge STREAM
#                                   count STREAM
#                                   first STREAM
#                                   publish SUBJECT FILE...
import base64
import json
import socket
import ssl
import sys


class Broker:
    def __init__(self, port, ca, cert, key):
        plain = socket.create_connection(("127.0.0.1", int(port)), 30)
        # What is behind the line belongs to TLS.
        info = b""
        while not info.endswith(b"\n"):
            info += plain.recv(1)
        context = ssl.create_default_context(cafile=ca)
        context.load_cert_chain(cert, key)
        self.s = context.wrap_socket(plain, server_hostname="localhost")
        self.left = b""
        self.send(b'CONNECT {"verbose":false,"pedantic":false,'
                  b'"tls_required":true,"lang":"py","version":"1"}\r\n')
        self.send(b"SUB _INBOX.ill 1\r\n")
        self.flush()

    def send(self, data):
        self.s.sendall(data)

    def line(self):
        while b"\r\n" not in self.left:
            more = self.s.recv(65536)
            if not more:
                sys.exit("broker.py: the broker has hung up")
            self.left += more
        line, self.left = self.left.split(b"\r\n", 1)
        return line

    def exact(self, n):
        while len(self.left) < n + 2:
            self.left += self.s.recv(65536)
        data, self.left = self.left[:n], self.left[n + 2:]
        return data

    def flush(self):
        self.send(b"PING\r\n")
        while True:
            line = self.line()
            if line == b"PONG":
                return
            if line.startswith(b"-ERR"):
                sys.exit("broker.py: " + line.decode())
            if line == b"PING":
                self.send(b"PONG\r\n")

    def publish(self, subject, data, reply=""):
        head = f"PUB {subject} {reply} {len(data)}\r\n".replace("  ", " ")
        self.send(head.encode() + data + b"\r\n")

    def ask(self, subject, data=b""):
        self.publish(subject, data, "_INBOX.ill")
        while True:
            line = self.line().split()
            if line[0] == b"MSG":
                answer = json.loads(self.exact(int(line[-1])))
                if "error" in answer:
                    sys.exit(f"broker.py: {subject}: {answer['error']}")
                return answer
            if line[0] == b"PING":
                self.send(b"PONG\r\n")
            if line[0] == b"-ERR":
                sys.exit("broker.py: " + b" ".join(line).decode())


def main():
    broker = Broker(*sys.argv[1:5])
    what, args = sys.argv[5], sys.argv[6:]
    if what == "publish":
        for file in args[1:]:
            with open(file, "rb") as f:
                broker.publish(args[0], f.read())
        broker.flush()
    elif what == "get":
        answer = broker.ask(f"$JS.API.STREAM.MSG.GET.{args[0]}",
                            json.dumps({"seq": int(args[1])}).encode())
        with open(args[2], "wb") as f:
            f.write(base64.b64decode(answer["message"].get("data", "")))
    elif what == "delete":
        broker.ask(f"$JS.API.STREAM.MSG.DELETE.{args[0]}",
                   json.dumps({"seq": int(args[1])}).encode())
    elif what == "purge":
        broker.ask(f"$JS.API.STREAM.PURGE.{args[0]}")
    elif what == "count":
        answer = broker.ask(f"$JS.API.STREAM.INFO.{args[0]}")
        print(answer["state"]["messages"])
    elif what == "first":
        answer = broker.ask(f"$JS.API.STREAM.INFO.{args[0]}")
        print(answer["state"]["first_seq"])
    else:
        sys.exit("broker.py: see what it is called with")


main()
