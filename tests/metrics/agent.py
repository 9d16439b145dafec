#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only
"""Answers on a control socket with lines of a file, as an agent would.

usage: agent.py SOCKET LINES ASKED MODE

Each verb that is asked for goes to the file ASKED, a line each. MODE:
answer; deny: whoever asks may not; half: hangs up within the ledger; hang:
takes everybody in and says nothing.
"""
import json
import os
import socket
import sys

OF = {
    "status": ("status", "dataset", "budget"),
    "ledger": ("origin", "ledger"),
    "events": ("first-read", "budget", "verdict", "first-release", "fault"),
    "explain": ("process", "file", "holding", "step", "gap", "limit",
                "verdict"),
}
END = b'{"cordon":1,"type":"end"}\n'
DENIED = (b'{"cordon":1,"type":"error","code":"denied","message":'
          b'"not for you"}\n')


def is_of(line, verb):
    # There is the state of a budget, and the event that much of it is used.
    if line["type"] == "budget" and ("time" in line) != (verb == "events"):
        return False
    return line["type"] in OF[verb]


def reply(lines, verb, mode):
    if mode == "deny":
        return DENIED
    said = b"".join(line for line in lines
                    if is_of(json.loads(line), verb))
    if mode == "half" and verb == "ledger":
        return said[:len(said) // 2]
    return said + END


def main():
    path, lines, asked, mode = sys.argv[1:]
    with open(lines, "rb") as file:
        lines = file.readlines()
    server = socket.socket(socket.AF_UNIX)
    server.bind(path + ".new")
    server.listen(64)
    os.rename(path + ".new", path)
    kept = []
    while True:
        client = server.accept()[0]
        if mode == "hang":
            kept.append(client)
            continue
        request = client.makefile("rb").readline()
        if request:
            verb = json.loads(request)["verb"]
            with open(asked, "a", encoding="ascii") as file:
                file.write(verb + "\n")
            try:
                client.sendall(reply(lines, verb, mode))
            except OSError:
                pass
        client.close()


main()
