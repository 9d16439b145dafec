#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only
"""Takes every place of a server: all but one client are silent, the other says
a byte a second. Then asks as people do.

usage: clients.py PORT PLACES

Prints how long, in whole seconds, the silent ones, the other, and who asked
had to wait until the server closed.
"""
import select
import socket
import sys
import time


def main():
    port, places = (int(arg) for arg in sys.argv[1:])
    begun = time.monotonic()
    clients = [socket.create_connection(("127.0.0.1", port))
               for _ in range(places)]
    slow = clients[0]
    time.sleep(0.3)
    late = socket.create_connection(("127.0.0.1", port))
    late.sendall(b"GET /metrics HTTP/1.0\r\n\r\n")
    said = b""
    request = iter(b"GET /metrics HTTP/1.1\r\nX-Slow: " + 100 * b"x")
    gone = {}
    clients.append(late)
    while len(gone) < len(clients) and time.monotonic() < begun + 20:
        there = [client for client in clients if client not in gone]
        for client in select.select(there, [], [], 1)[0]:
            try:
                got = client.recv(65536)
            except ConnectionError:
                got = b""
            if client is late:
                said += got
            if not got:
                gone[client] = time.monotonic() - begun
        if slow not in gone:
            try:
                slow.send(bytes([next(request)]))
            except ConnectionError:
                gone[slow] = time.monotonic() - begun
    print(int(max(gone.get(client, 99) for client in clients[1:-1])),
          int(gone.get(slow, 99)), int(gone.get(late, 99)),
          said.split(b"\r\n")[0].decode())


main()
