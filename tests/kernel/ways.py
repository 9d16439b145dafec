# SPDX-License-Identifier: GPL-2.0-only
#
# Reads files, and then has what is in them written to another one, or a device,
# in one way.
#
# usage: ways.py HOW TO [FROM...]
#
# With `early' before HOW, TO is opened before anything is read. Exit status: 0
# all was written, 1 EPERM, 13 EACCES, 3 another error, which it prints.
import ctypes
import errno
import fcntl
import mmap
import os
import struct
import sys

libc = ctypes.CDLL(None, use_errno=True)
PAGE = 4096


def call(number, *args):
    r = libc.syscall(ctypes.c_long(number), *args)
    if r < 0:
        raise OSError(ctypes.get_errno(), "system call %d" % number)
    return r


# A buffer that starts at a page, as O_DIRECT wants it.
def aligned(data):
    m = mmap.mmap(-1, (len(data) + PAGE - 1) // PAGE * PAGE)
    m.write(data)
    return m


def address(buffer):
    return ctypes.addressof(ctypes.c_char.from_buffer(buffer))


def by_sendfile(fd, data):
    memory = os.memfd_create("ways")
    os.write(memory, data)
    os.sendfile(fd, memory, 0, len(data))


def by_splice(fd, data):
    end, begin = os.pipe()
    os.write(begin, data)
    os.splice(end, fd, len(data))


# Of the same file system, as that is all that it can do.
def by_copy(fd, data):
    source = os.open(to + ".from", os.O_RDONLY)
    os.copy_file_range(source, fd, len(data))


def by_map(fd, data):
    os.ftruncate(fd, len(data))
    with mmap.mmap(fd, len(data)) as m:
        m.write(data)
        m.flush()


def by_aio(fd, data):
    context = ctypes.c_ulong()
    call(206, 1, ctypes.byref(context))
    buffer = ctypes.create_string_buffer(data, len(data))
    iocb = ctypes.create_string_buffer(64)
    struct.pack_into("=QIIHhIQQq", iocb, 0, 0, 0, 0, 1, 0, fd,
                     ctypes.addressof(buffer), len(data), 0)
    iocbs = ctypes.pointer(ctypes.pointer(iocb))
    call(209, context, ctypes.c_long(1), iocbs)
    event = ctypes.create_string_buffer(32)
    call(208, context, ctypes.c_long(1), ctypes.c_long(1),
         ctypes.byref(event), None)
    check(struct.unpack_from("=q", event, 16)[0])


def by_uring(fd, data):
    params = ctypes.create_string_buffer(120)
    ring = call(425, 1, params)
    sq = struct.unpack_from("=10I", params, 40)
    cq = struct.unpack_from("=10I", params, 80)
    rings = mmap.mmap(ring, max(sq[6] + 4, cq[5] + 16) + 4096, offset=0)
    sqes = mmap.mmap(ring, 64, offset=0x10000000)
    buffer = ctypes.create_string_buffer(data, len(data))
    # IORING_OP_WRITE at 0
    struct.pack_into("=BBHiQQI", sqes, 0, 23, 0, 0, fd, 0,
                     ctypes.addressof(buffer), len(data))
    struct.pack_into("=I", rings, sq[6], 0)
    struct.pack_into("=I", rings, sq[1], 1)
    call(426, ring, 1, 1, 1, None, ctypes.c_size_t(0))
    check(struct.unpack_from("=i", rings, cq[5] + 8)[0])


def check(result):
    if result < 0:
        raise OSError(-result, "asynchronous write")


def by_opening(fd, data):
    pass


# LOOP_SET_FD
def by_loop(fd, data):
    fcntl.ioctl(fd, 0x4c00, os.memfd_create("ways"))


hows = {
    "write": os.write,
    "pwrite": lambda fd, data: os.pwrite(fd, data, 0),
    "writev": lambda fd, data: os.writev(fd, [data[:100], data[100:]]),
    "pwritev": lambda fd, data: os.pwritev(fd, [data[:100], data[100:]], 0),
    "direct": lambda fd, data: os.write(fd, aligned(data)),
    "sendfile": by_sendfile,
    "splice": by_splice,
    "copy": by_copy,
    "map": by_map,
    "aio": by_aio,
    "uring": by_uring,
    "open": by_opening,
    "loop": by_loop,
}

args = sys.argv[1:]
early = args[0] == "early"
if early:
    args.pop(0)
how, to = args[:2]
flags = os.O_RDWR | os.O_NOCTTY | os.O_CREAT | os.O_CLOEXEC
if to.startswith("/dev/"):
    flags &= ~os.O_CREAT
if how == "loop":
    flags = os.O_RDONLY
if how == "direct":
    flags |= os.O_DIRECT
try:
    fd = os.open(to, flags, 0o644) if early else None
    data = b"".join(open(name, "rb").read() for name in args[2:])
    if fd is None:
        fd = os.open(to, flags, 0o644)
    hows[how](fd, data)
    os.close(fd)
except OSError as e:
    print(e)
    if e.errno == errno.EPERM:
        sys.exit(1)
    sys.exit(13 if e.errno == errno.EACCES else 3)
