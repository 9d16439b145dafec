#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""
The long run: processes that read and send record files as fast as they may,
and a judge who knows nothing of the guard.

    load.py receive PORT LOG        TCP and UDP; ends at SIGTERM
    load.py send ME OF SECONDS DIR FILES HOW PORT
    load.py read ME OF SECONDS DIR FILES LOG
    load.py judge LOG MAX SECONDS
    load.py entries PINS TABLE...   how many each table of the guard has

A line of a log is an act that went through: when it began, when it was seen
to be over (nanoseconds of CLOCK_BOOTTIME, which is one for all of the host)
and the record. Its charge lies somewhere between the two. The judge counts a
record for a window only if both lie in it, and so never says too much.

Every sender is a process of its own that reads one to three records which
have not left yet, sends them once and ends: so what arrives in a window was
charged in it.
"""
import bisect
import ctypes
import errno
import os
import random
import re
import selectors
import signal
import socket
import struct
import sys
import time

THERE = "10.99.0.2"
MARK = re.compile(rb"CORDON-REC-1([0-9a-f]{7})-")
HEAD = re.compile(rb"BEGAN ([0-9a-f]{16}) ")
DENIED = (errno.EPERM, errno.EACCES)


def now():
    return time.clock_gettime_ns(time.CLOCK_BOOTTIME)


def photo(directory, number):
    return "%s/%06d.jpg" % (directory, number)


# ---- outside ----------------------------------------------------------------

def note(log, data, seen):
    began = HEAD.search(data)
    if not began:
        return
    for number in MARK.findall(data):
        log.write("%d %d %d\n" % (int(began[1], 16), seen, int(number, 16)))


def receive(port, path):
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    streams = {}
    poll = selectors.DefaultSelector()
    tcp = socket.create_server(("", port), backlog=1024)
    udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    udp.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 22)
    udp.bind(("", port))
    poll.register(tcp, selectors.EVENT_READ)
    poll.register(udp, selectors.EVENT_READ)
    with open(path, "w", buffering=1) as log:
        while True:
            for key, _ in poll.select():
                s = key.fileobj
                if s is tcp:
                    s = tcp.accept()[0]
                    streams[s] = [b"", 0]
                    poll.register(s, selectors.EVENT_READ)
                elif s is udp:
                    data = udp.recv(65536)
                    note(log, data, now())
                else:
                    try:
                        data = s.recv(65536)
                    except ConnectionError:
                        data = b""
                    if data:
                        streams[s][0] += data
                        streams[s][1] = now()
                        continue
                    note(log, *streams.pop(s))
                    poll.unregister(s)
                    s.close()


# ---- the load ---------------------------------------------------------------

def send_once(how, port, directory, numbers):
    """Runs in a child: 0 sent, 3 refused, 4 something else."""
    kind = socket.SOCK_DGRAM if how == "udp" else socket.SOCK_STREAM
    try:
        s = socket.socket(socket.AF_INET, kind)
        s.settimeout(20)
        s.connect((THERE, port))
        head = b"BEGAN %016x " % now()
        if how == "sendfile":
            s.sendall(head)
            fd = os.open(photo(directory, numbers[0]), os.O_RDONLY)
            size = os.fstat(fd).st_size
            return 0 if os.sendfile(s.fileno(), fd, 0, size) == size else 4
        data = b""
        for number in numbers:
            with open(photo(directory, number), "rb", 0) as f:
                data += f.read()
        s.sendall(head + data)
        return 0
    except OSError as e:
        return 3 if e.errno in DENIED else 4


def send(me, of, seconds, directory, files, how, port):
    end = time.monotonic() + seconds
    number, counts = me, {0: 0, 3: 0, 4: 0}
    while time.monotonic() < end:
        n = 1 if how == "sendfile" else random.randint(1, 3)
        numbers = [number + of * i for i in range(n)]
        if numbers[-1] > files:
            break
        pid = os.fork()
        if pid == 0:
            os._exit(send_once(how, port, directory, numbers))
        status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
        counts[status if status in counts else 4] += 1
        # What was refused has not left, and may be tried again.
        if status == 0:
            number = numbers[-1] + of
        else:
            time.sleep(0.02)
    print("sent %d refused %d errors %d" % (counts[0], counts[3], counts[4]))


def read(me, of, seconds, directory, files, path):
    random.seed(me)
    end = time.monotonic() + seconds
    counts = {"fresh": 0, "again": 0, "refused": 0, "errors": 0}
    number, what = me, "fresh"
    with open(path, "w") as log:
        while time.monotonic() < end:
            began = now()
            try:
                fd = os.open(photo(directory, number), os.O_RDONLY)
                try:
                    os.read(fd, 4096)
                finally:
                    os.close(fd)
            except OSError as e:
                # Tried until it may be read.
                counts["refused" if e.errno in DENIED else "errors"] += 1
                time.sleep(0.01)
                continue
            log.write("%d %d %d\n" % (began, now(), number))
            counts[what] += 1
            # One in five again: free, but it moves the charge.
            what = "again" if random.random() < 0.2 else "fresh"
            if what == "fresh":
                number = number + of if number + of <= files else me
    print(" ".join("%s %d" % count for count in counts.items()))


# ---- the judge --------------------------------------------------------------

def judge(path, most, seconds):
    with open(path) as log:
        acts = sorted(tuple(map(int, line.split())) for line in log)
    begins = [act[0] for act in acts]
    window = seconds * 1000000000
    worst = 0
    for i, begin in enumerate(begins):
        after = bisect.bisect_right(begins, begin + window)
        if after - i > worst:
            seen = {act[2] for act in acts[i:after]
                    if act[1] <= begin + window}
            worst = max(worst, len(seen))
            if worst > most:
                break
    span = (begins[-1] - begins[0]) / 1e9 if acts else 0
    print("acts %d records %d seconds %d worst %d of %d"
          % (len(acts), len({act[2] for act in acts}), span, worst, most))
    return 0 if acts and worst <= most else 1


# ---- what is left -----------------------------------------------------------

BPF, MAP_GET_NEXT_KEY, OBJ_GET = 321, 4, 7  # the number of x86-64


def bpf(command, *words):
    attr = struct.pack("=%dQ" % len(words), *words)
    libc = ctypes.CDLL(None, use_errno=True)
    r = libc.syscall(BPF, command, attr, len(attr))
    if r < 0:
        raise OSError(ctypes.get_errno(), "bpf")
    return r


def count(path):
    name = ctypes.create_string_buffer(path.encode())
    fd = bpf(OBJ_GET, ctypes.addressof(name), 0)
    with open("/proc/self/fdinfo/%d" % fd) as f:
        size = int(dict(line.split()[:2] for line in f)["key_size:"])
    key = ctypes.create_string_buffer(size)
    at = ctypes.addressof(key)
    n, last = 0, 0
    try:
        while True:
            bpf(MAP_GET_NEXT_KEY, fd, last, at)
            n, last = n + 1, at
    except FileNotFoundError:
        return n
    finally:
        os.close(fd)


def entries(pins, *tables):
    for table in tables:
        print(table, count("%s/%s" % (pins, table)))


VERBS = {"receive": receive, "send": send, "read": read, "judge": judge,
         "entries": entries}


def main(verb, *args):
    return VERBS[verb](*(int(a) if a.isdigit() else a for a in args))


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
