#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only
"""Starts a command as systemd starts a service that has a socket.

usage: passed.py SOCKET NOTIFY COMMAND...

SOCKET, a file or ADDRESS:PORT, is passed. Says `ready` when the command has
told that, at NOTIFY, and then becomes what waits for it.
"""
import os
import socket
import sys


def listen(where):
    if where.startswith("/"):
        server = socket.socket(socket.AF_UNIX)
        server.bind(where)
    else:
        host, port = where.rsplit(":", 1)
        server = socket.socket()
        server.bind((host, int(port)))
    server.listen()
    return server


def main():
    where, notify, *command = sys.argv[1:]
    ear = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    ear.bind(notify)
    ear.settimeout(10)
    server = listen(where)
    child = os.fork()
    if not child:
        os.dup2(server.fileno(), 3, inheritable=True)
        os.execve(command[0], command,
                  dict(os.environ, LISTEN_PID=str(os.getpid()),
                       LISTEN_FDS="1", NOTIFY_SOCKET=notify))
    server.close()
    print("pid", child, flush=True)
    try:
        if ear.recv(4096) == b"READY=1":
            print("ready", flush=True)
    except TimeoutError:
        pass
    sys.exit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))


main()
