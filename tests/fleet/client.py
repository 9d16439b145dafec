#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""What somebody can do at the broker who has a certificate, and no link.

usage: client.py PORT CA CERT KEY [pub|sub SUBJECT]...

Says for each of them `allowed' or `refused'; `no connection' if it does not get
in. With - for CERT it has none. SUBJECT=REPLY asks for the answer to go there.
"""

import socket
import ssl
import sys

WAIT_S = 30


def lines(stream):
    """Lines of the protocol, without messages that come between."""
    for line in stream:
        yield line.decode(errors="replace").strip()


class Client:
    def __init__(self, port, authority, cert, key):
        raw = socket.create_connection(("127.0.0.1", port), timeout=WAIT_S)
        info = b""
        while not info.endswith(b"\r\n"):
            more = raw.recv(1)
            if not more:
                raise OSError("closed")
            info += more
        context = ssl.create_default_context(cafile=authority)
        if cert != "-":
            context.load_cert_chain(cert, key)
        self.socket = context.wrap_socket(raw, server_hostname="localhost")
        self.stream = self.socket.makefile("rb")
        self.send('CONNECT {"verbose":false,"pedantic":false,"headers":true,'
                  '"no_responders":true,"echo":false}')
        if self.settled():
            raise OSError("refused")

    def send(self, text):
        self.socket.sendall(text.encode() + b"\r\n")

    def settled(self):
        """Waits for the broker to have taken all; what it objects to."""
        self.send("PING")
        refused = None
        for line in lines(self.stream):
            if line.startswith("-ERR"):
                refused = line
            if line == "PONG":
                return refused
        return refused or "closed"

    def attempt(self, verb, subject):
        if verb == "pub":
            self.send("PUB %s 2\r\n{}" % subject.replace("=", " "))
        else:
            self.send("SUB %s 1" % subject)
        refused = self.settled()
        if verb == "sub" and not refused:
            self.send("UNSUB 1")
        return "refused" if refused else "allowed"


def main():
    port, authority, cert, key = sys.argv[1:5]
    for verb, subject in zip(sys.argv[5::2], sys.argv[6::2]):
        try:
            client = Client(int(port), authority, cert, key)
            print(client.attempt(verb, subject), verb, subject)
        except (OSError, ssl.SSLError) as error:
            print("no connection", verb, subject, error)


main()
