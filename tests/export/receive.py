# SPDX-License-Identifier: GPL-2.0-only
"""
What a receiver of syslog gets: each datagram a line in a file.

usage: receive.py unix:PATH|udp:ADDRESS:PORT FILE; says "ready", and where, when
it listens.
"""
import os
import socket
import sys

kind, where = sys.argv[1].split(":", 1)
if kind == "unix":
    receiver = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    receiver.bind(where)
else:
    host, port = where.rsplit(":", 1)
    receiver = socket.socket(socket.AF_INET6 if ":" in host else
                             socket.AF_INET, socket.SOCK_DGRAM)
    receiver.bind((host.strip("[]"), int(port)))
    where = receiver.getsockname()[1]
print("ready", where, flush=True)
out = os.open(sys.argv[2], os.O_WRONLY | os.O_CREAT | os.O_APPEND)
while True:
    os.write(out, receiver.recv(65536) + b"\n")
