#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only
"""What a script of a page can do with a personnel set and a socket.

usage: grab.py HOW ADDRESS PORT DIRECTORY [COUNT]

  rows      sends the roster row after row
  sendfile  sends the roster by sendfile(2), past its own memory
  photos    walks over all photos, or the first COUNT, and sends each

All over one TCP connection. What is refused is skipped and tried no more.
"""

import itertools
import os
import socket
import sys

ROW_BYTES = 160


def rows(sock, directory, _count):
    fd = os.open(directory + "/roster.csv", os.O_RDONLY)
    while row := os.read(fd, ROW_BYTES):
        sock.sendall(row)


def sendfile(sock, directory, _count):
    fd = os.open(directory + "/roster.csv", os.O_RDONLY)
    at = 0
    while n := os.sendfile(sock.fileno(), fd, at, 1 << 20):
        at += n


def photos(sock, directory, count):
    refused = 0
    first = None
    names = sorted(os.listdir(directory + "/photos"))
    for name in itertools.islice(names, count):
        try:
            with open(directory + "/photos/" + name, "rb") as photo:
                sock.sendall(photo.read())
        except PermissionError as error:
            refused += 1
            first = first or error
    if first:
        sys.exit(f"{refused} of {len(names)} refused, the first: {first}")


def main():
    how, address, port, directory = sys.argv[1:5]
    count = int(sys.argv[5]) if len(sys.argv) > 5 else None
    act = {"rows": rows, "sendfile": sendfile, "photos": photos}[how]
    with socket.create_connection((address, int(port))) as sock:
        try:
            act(sock, directory, count)
        except OSError as error:
            sys.exit(f"{how}: {error}")


main()
