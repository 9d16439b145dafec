#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""An agent gone wrong: starts a link, and gives it bytes that are no frames.

usage: frames.py LINK HEX ARGUMENT...

Waits until the link is connected, or has ended; writes HEX; says what the link
says then, until it ends, and how it has ended.
"""

import os
import socket
import struct
import subprocess
import sys

WAIT_S = 60
NAMES = {3: "connected", 8: "disconnected"}  # of the others nothing is said


def receive(ours, size):
    data = b""
    while len(data) < size:
        more = ours.recv(size - len(data))
        if not more:
            return None
        data += more
    return data


def frame(ours):
    """Type and bytes of the next one; None: there comes none any more."""
    head = receive(ours, 8)
    if not head:
        return None
    kind, size = struct.unpack("<II", head)
    rest = receive(ours, size)
    return kind, rest[14 + rest[13]:]


def tell(got):
    if got[0] in NAMES:
        print(NAMES[got[0]], got[1].decode(errors="replace"))


def main():
    ours, theirs = socket.socketpair()
    ours.settimeout(WAIT_S)
    child = subprocess.Popen([sys.argv[1]] + sys.argv[3:], close_fds=False,
                             preexec_fn=lambda: os.dup2(theirs.fileno(), 3))
    theirs.close()
    got = frame(ours)
    while got and got[0] != 3:
        tell(got)
        got = frame(ours)
    if got:
        print("connected")
        ours.sendall(bytes.fromhex(sys.argv[2]))
        # What is right has no answer: this is then what ends it.
        ours.shutdown(socket.SHUT_WR)
        while True:
            got = frame(ours)
            if not got:
                break
            tell(got)
    print("exit", child.wait(WAIT_S))


main()
