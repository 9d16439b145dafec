// SPDX-License-Identifier: GPL-2.0-only
/*
 * Read channels: how the bytes of an open file get into this process, or past
 * it. Those over io_uring are in probe_uring.c, the table is here.
 */
#include "probe.h"

#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/aio_abi.h>
#include <linux/fs.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#define PAGE	      4096ul
#define ALIGN	      4096ul
#define AIO_TIMEOUT_S 10

static size_t piece(const struct probe *p, size_t left)
{
	return left < p->read_chunk ? left : p->read_chunk;
}

static int read_none(struct probe *p, int fd, struct span span)
{
	(void)p;
	(void)fd;
	(void)span;
	return 0;
}

/* ---- plain calls: one function a system call, one loop for all ---- */

typedef ssize_t (*read_call)(int fd, void *buf, size_t n, off_t off);

static int read_loop(struct probe *p, int fd, struct span span, read_call call)
{
	while (span.len) {
		size_t n = piece(p, span.len);
		void *room = probe_room(p, n);
		ssize_t r;

		if (!room)
			return -ENOMEM;
		r = call(fd, room, n, span.off);
		if (r < 0)
			return -errno;
		if (r == 0)
			break;
		probe_took(p, (size_t)r);
		span.off += r;
		span.len -= (size_t)r;
	}
	return 0;
}

static ssize_t call_read(int fd, void *buf, size_t n, off_t off)
{
	(void)off;
	return read(fd, buf, n);
}

static ssize_t call_pread(int fd, void *buf, size_t n, off_t off)
{
	return pread(fd, buf, n, off);
}

static void halves(struct iovec iov[2], void *buf, size_t n)
{
	iov[0] = (struct iovec){buf, n / 2};
	iov[1] = (struct iovec){(char *)buf + n / 2, n - n / 2};
}

static ssize_t call_readv(int fd, void *buf, size_t n, off_t off)
{
	struct iovec iov[2];

	(void)off;
	halves(iov, buf, n);
	return readv(fd, iov, 2);
}

static ssize_t call_preadv(int fd, void *buf, size_t n, off_t off)
{
	struct iovec iov[2];

	halves(iov, buf, n);
	return preadv(fd, iov, 2, off);
}

static ssize_t call_preadv2(int fd, void *buf, size_t n, off_t off)
{
	struct iovec iov[2];

	halves(iov, buf, n);
	return preadv2(fd, iov, 2, off, 0);
}

static int read_read(struct probe *p, int fd, struct span span)
{
	if (lseek(fd, span.off, SEEK_SET) < 0)
		return -errno;
	return read_loop(p, fd, span, call_read);
}

static int read_pread(struct probe *p, int fd, struct span span)
{
	return read_loop(p, fd, span, call_pread);
}

static int read_readv(struct probe *p, int fd, struct span span)
{
	if (lseek(fd, span.off, SEEK_SET) < 0)
		return -errno;
	return read_loop(p, fd, span, call_readv);
}

static int read_preadv(struct probe *p, int fd, struct span span)
{
	return read_loop(p, fd, span, call_preadv);
}

static int read_preadv2(struct probe *p, int fd, struct span span)
{
	return read_loop(p, fd, span, call_preadv2);
}

struct thread_job {
	struct probe *p;
	struct span span;
	int fd;
	int result;
};

static void *thread_job_run(void *arg)
{
	struct thread_job *job = arg;

	job->result = read_pread(job->p, job->fd, job->span);
	return NULL;
}

static int read_thread(struct probe *p, int fd, struct span span)
{
	struct thread_job job = {p, span, fd, 0};
	pthread_t thread;
	int r;

	r = pthread_create(&thread, NULL, thread_job_run, &job);
	if (r)
		return -r;
	(void)pthread_join(thread, NULL);
	return job.result;
}

/* ---- 32-bit entry: the same calls under other numbers ---- */

static sigjmp_buf no_int80;

static void on_no_int80(int sig)
{
	siglongjmp(no_int80, sig);
}

static long int80_read(int fd, void *buf, size_t n)
{
	long r;

	/* read is 3 there; pointers must lie below 4 GiB. */
	__asm__ volatile("int $0x80"
			 : "=a"(r)
			 : "a"(3L), "b"((long)fd), "c"(buf), "d"(n)
			 : "memory", "r8", "r9", "r10", "r11");
	return (int)r;
}

static int int80_loop(struct probe *p, int fd, void *low, size_t left)
{
	while (left) {
		long n = int80_read(fd, low, piece(p, left));
		int r;

		if (n <= 0)
			return (int)n;
		r = probe_take(p, low, (size_t)n);
		if (r < 0)
			return r;
		left -= (size_t)n;
	}
	return 0;
}

static int read_ia32(struct probe *p, int fd, struct span span)
{
	struct sigaction act = {.sa_handler = on_no_int80}, old;
	void *volatile low;
	volatile int r = -ENOSYS;

	low = mmap(NULL, p->read_chunk, PROT_READ | PROT_WRITE,
		   MAP_PRIVATE | MAP_ANONYMOUS | MAP_32BIT, -1, 0);
	if (low == MAP_FAILED)
		return -errno;
	if (lseek(fd, span.off, SEEK_SET) < 0)
		return -errno;
	(void)sigaction(SIGSEGV, &act, &old);
	if (sigsetjmp(no_int80, 1) == 0)
		r = int80_loop(p, fd, low, span.len);
	(void)sigaction(SIGSEGV, &old, NULL);
	(void)munmap(low, p->read_chunk);
	return r == -ENOSYS ? probe_missing(p, "32-bit system calls") : r;
}

/* ---- maps ---- */

struct window {
	off_t off; /* page aligned */
	size_t len;
	size_t skip; /* from the window's start to the span's */
};

static struct window window_of(struct span span)
{
	struct window w;

	w.skip = (size_t)span.off % PAGE;
	w.off = span.off - (off_t)w.skip;
	w.len = span.len + w.skip;
	return w;
}

static int take_map(struct probe *p, char *map, struct window w,
		    struct span span)
{
	int r = probe_take(p, map + w.skip, span.len);

	(void)munmap(map, w.len);
	return r;
}

static int read_map(struct probe *p, int fd, struct span span, int flags)
{
	struct window w = window_of(span);
	char *map;

	if (!span.len)
		return 0;
	map = mmap(NULL, w.len, PROT_READ, flags, fd, w.off);
	if (map == MAP_FAILED)
		return -errno;
	return take_map(p, map, w, span);
}

static int read_mmap_private(struct probe *p, int fd, struct span span)
{
	return read_map(p, fd, span, MAP_PRIVATE);
}

static int read_mmap_shared(struct probe *p, int fd, struct span span)
{
	return read_map(p, fd, span, MAP_SHARED);
}

static int read_mmap_populate(struct probe *p, int fd, struct span span)
{
	return read_map(p, fd, span, MAP_PRIVATE | MAP_POPULATE);
}

/* The gate sees one page; mremap(2) then widens the map past it. */
static int read_mmap_mremap(struct probe *p, int fd, struct span span)
{
	struct window w = window_of(span);
	char *map, *wide;

	if (!span.len)
		return 0;
	map = mmap(NULL, PAGE, PROT_READ, MAP_SHARED, fd, w.off);
	if (map == MAP_FAILED)
		return -errno;
	wide = mremap(map, PAGE, w.len, MREMAP_MAYMOVE);
	if (wide == MAP_FAILED) {
		int r = -errno;

		(void)munmap(map, PAGE);
		return r;
	}
	return take_map(p, wide, w, span);
}

/* Only a map of a descriptor that can write counts as shared. */
static int reopen_to_write(struct probe *p, int fd)
{
	char name[64];
	int r;

	(void)snprintf(name, sizeof(name), "/proc/self/fd/%d", fd);
	if (access(name, W_OK) < 0)
		return probe_missing(p, "write access to the file");
	r = open(name, O_RDWR | O_CLOEXEC);
	return r < 0 ? -errno : r;
}

/* One page of address space shows every page of the file in turn. */
static int read_mmap_remap(struct probe *p, int fd, struct span span)
{
	struct window w = window_of(span);
	char *map;
	int r = 0;

	if (!span.len)
		return 0;
	fd = reopen_to_write(p, fd);
	if (fd < 0)
		return fd;
	map = mmap(NULL, PAGE, PROT_READ, MAP_SHARED, fd, w.off);
	if (map == MAP_FAILED)
		r = -errno;
	(void)close(fd);
	if (r < 0)
		return r;
	for (size_t at = 0; r == 0 && at < w.len; at += PAGE) {
		size_t n = w.len - at < PAGE ? w.len - at : PAGE;
		size_t skip = at ? 0 : w.skip;

		if (syscall(SYS_remap_file_pages, map, PAGE, 0,
			    ((size_t)w.off + at) / PAGE, 0) < 0)
			r = -errno;
		else
			r = probe_take(p, map + skip, n - skip);
	}
	(void)munmap(map, PAGE);
	return r;
}

static int read_mmap_mprotect(struct probe *p, int fd, struct span span)
{
	struct window w = window_of(span);
	char *map;

	if (!span.len)
		return 0;
	map = mmap(NULL, w.len, PROT_NONE, MAP_PRIVATE, fd, w.off);
	if (map == MAP_FAILED)
		return -errno;
	if (mprotect(map, w.len, PROT_READ) < 0) {
		int r = -errno;

		(void)munmap(map, w.len);
		return r;
	}
	return take_map(p, map, w, span);
}

/* ---- file to file, to pipe ---- */

/*
 * The copy is read back only where it has to be released: the bytes have left
 * the dataset's file when they are in the other one.
 */
static int take_copy(struct probe *p, int copy, size_t n)
{
	struct span all = {0, n};

	if (!p->way) {
		probe_count(p, n);
		return 0;
	}
	return read_pread(p, copy, all);
}

static int send_to_file(struct probe *p, int fd, struct span span, int copy)
{
	size_t done = 0;
	off_t off = span.off;
	int r = 0;

	while (done < span.len) {
		ssize_t n = sendfile(copy, fd, &off, piece(p, span.len - done));

		if (n < 0)
			r = -errno;
		if (n <= 0)
			break;
		done += (size_t)n;
	}
	if (done) {
		int took = take_copy(p, copy, done);

		r = r < 0 ? r : took;
	}
	(void)close(copy);
	return r;
}

static int read_sendfile_memfd(struct probe *p, int fd, struct span span)
{
	int copy = memfd_create("probe", MFD_CLOEXEC);

	return copy < 0 ? -errno : send_to_file(p, fd, span, copy);
}

static int read_sendfile_file(struct probe *p, int fd, struct span span)
{
	int copy = work_file(p);

	return copy < 0 ? copy : send_to_file(p, fd, span, copy);
}

static int read_copy_range(struct probe *p, int fd, struct span span)
{
	size_t done = 0;
	off_t off = span.off;
	int copy, r = 0;

	copy = work_file(p);
	if (copy < 0)
		return copy;
	while (done < span.len) {
		ssize_t n = copy_file_range(fd, &off, copy, NULL,
					    span.len - done, 0);

		if (n < 0)
			r = -errno;
		if (n <= 0)
			break;
		done += (size_t)n;
	}
	if (done) {
		int took = take_copy(p, copy, done);

		r = r < 0 ? r : took;
	}
	(void)close(copy);
	if (r == -EXDEV)
		return probe_missing(p, "copy_file_range between these");
	return r;
}

static int read_clone(struct probe *p, int fd, struct span span)
{
	int copy, r = 0;

	copy = work_file(p);
	if (copy < 0)
		return copy;
	if (ioctl(copy, FICLONE, fd) < 0)
		r = errno == EOPNOTSUPP || errno == EXDEV || errno == ENOTTY
			    ? probe_missing(p, "FICLONE on this file system")
			    : -errno;
	else
		r = take_copy(p, copy, span.len);
	(void)close(copy);
	return r;
}

/* Moves n bytes at off into the pipe; how many, or -errno. */
typedef ssize_t (*fill_call)(int fd, off_t *off, int pipe_in, size_t n);

static ssize_t fill_by_sendfile(int fd, off_t *off, int pipe_in, size_t n)
{
	ssize_t r = sendfile(pipe_in, fd, off, n);

	return r < 0 ? -errno : r;
}

static ssize_t fill_by_splice(int fd, off_t *off, int pipe_in, size_t n)
{
	ssize_t r = splice(fd, off, pipe_in, NULL, n, 0);

	return r < 0 ? -errno : r;
}

static int drain_pipe(struct probe *p, int pipe_out, size_t n)
{
	while (n) {
		void *room = probe_room(p, n);
		ssize_t r;

		if (!room)
			return -ENOMEM;
		r = read(pipe_out, room, n);
		if (r <= 0)
			return r < 0 ? -errno : -EIO;
		probe_took(p, (size_t)r);
		n -= (size_t)r;
	}
	return 0;
}

static int read_by_pipe(struct probe *p, int fd, struct span span,
			fill_call fill)
{
	off_t off = span.off;
	int ends[2], r = 0;

	if (pipe2(ends, O_CLOEXEC) < 0)
		return -errno;
	while (span.len) {
		/* An empty pipe takes 64 KiB, so this never blocks. */
		size_t n = span.len < PAGE * 15 ? span.len : PAGE * 15;
		ssize_t moved = fill(fd, &off, ends[1], n);

		if (moved <= 0) {
			r = (int)moved;
			break;
		}
		r = drain_pipe(p, ends[0], (size_t)moved);
		if (r < 0)
			break;
		span.len -= (size_t)moved;
	}
	(void)close(ends[0]);
	(void)close(ends[1]);
	return r;
}

static int read_sendfile_pipe(struct probe *p, int fd, struct span span)
{
	return read_by_pipe(p, fd, span, fill_by_sendfile);
}

static int read_splice(struct probe *p, int fd, struct span span)
{
	return read_by_pipe(p, fd, span, fill_by_splice);
}

/* What reaches the reading pipe was only ever teed into it. */
static ssize_t fill_by_tee(int fd, off_t *off, int pipe_in, size_t n)
{
	int ends[2], sink_fd;
	ssize_t r;

	if (pipe2(ends, O_CLOEXEC) < 0)
		return -errno;
	sink_fd = open("/dev/null", O_WRONLY | O_CLOEXEC);
	r = sink_fd < 0 ? -errno : fill_by_splice(fd, off, ends[1], n);
	if (r > 0) {
		ssize_t t = tee(ends[0], pipe_in, (size_t)r, 0);

		r = t < 0 ? -errno : t == r ? r : -EIO;
	}
	if (r > 0 && splice(ends[0], NULL, sink_fd, NULL, (size_t)r, 0) < 0)
		r = -errno;
	(void)close(sink_fd);
	(void)close(ends[0]);
	(void)close(ends[1]);
	return r;
}

static int read_splice_tee(struct probe *p, int fd, struct span span)
{
	return read_by_pipe(p, fd, span, fill_by_tee);
}

/* ---- past the page cache; asynchronous ---- */

static int set_direct(struct probe *p, int fd)
{
	int flags = fcntl(fd, F_GETFL);

	if (flags < 0)
		return -errno;
	if (fcntl(fd, F_SETFL, flags | O_DIRECT) < 0)
		return errno == EINVAL
			       ? probe_missing(p,
					       "O_DIRECT on this file system")
			       : -errno;
	return 0;
}

/* An aligned window round the span is read; the span is taken from it. */
typedef ssize_t (*window_call)(struct probe *p, int fd, void *buf, size_t n,
			       off_t off);

static int read_window(struct probe *p, int fd, struct span span,
		       window_call call)
{
	struct window w = window_of(span);
	size_t size = (w.len + ALIGN - 1) & ~(ALIGN - 1);
	char *buf;
	ssize_t n;
	int r;

	if (!span.len)
		return 0;
	buf = aligned_alloc(ALIGN, size);
	if (!buf)
		return -ENOMEM;
	n = call(p, fd, buf, size, w.off);
	if (n < 0)
		r = (int)n;
	else if ((size_t)n < w.len)
		r = -EIO;
	else
		r = probe_take(p, buf + w.skip, span.len);
	free(buf);
	return r;
}

static ssize_t call_direct(struct probe *p, int fd, void *buf, size_t n,
			   off_t off)
{
	ssize_t r = pread(fd, buf, n, off);

	(void)p;
	return r < 0 ? -errno : r;
}

static int read_direct(struct probe *p, int fd, struct span span)
{
	int r = set_direct(p, fd);

	return r < 0 ? r : read_window(p, fd, span, call_direct);
}

static ssize_t call_aio(struct probe *p, int fd, void *buf, size_t n, off_t off)
{
	struct timespec limit = {.tv_sec = AIO_TIMEOUT_S};
	struct iocb cb = {
		.aio_lio_opcode = IOCB_CMD_PREAD,
		.aio_fildes = (uint32_t)fd,
		.aio_buf = (uintptr_t)buf,
		.aio_nbytes = n,
		.aio_offset = off,
	};
	struct iocb *list[] = {&cb};
	struct io_event done;
	aio_context_t ctx = 0;
	ssize_t r;

	if (syscall(SYS_io_setup, 4, &ctx) < 0)
		return errno == ENOSYS ? probe_missing(p, "aio") : -errno;
	if (syscall(SYS_io_submit, ctx, 1, list) != 1)
		r = -errno;
	else if (syscall(SYS_io_getevents, ctx, 1, 1, &done, &limit) != 1)
		r = -ETIMEDOUT;
	else
		r = (ssize_t)done.res;
	(void)syscall(SYS_io_destroy, ctx);
	return r;
}

static int read_aio(struct probe *p, int fd, struct span span)
{
	return read_window(p, fd, span, call_aio);
}

static int read_aio_direct(struct probe *p, int fd, struct span span)
{
	int r = set_direct(p, fd);

	return r < 0 ? r : read_window(p, fd, span, call_aio);
}

/* ---- exec: the file is a copy of the probe ---- */

/* What execve(2) has mapped of our own file is what we have of it. */
static int read_image(struct probe *p, int fd, struct span span)
{
	const Elf64_Phdr *head = (const void *)getauxval(AT_PHDR);
	unsigned long count = getauxval(AT_PHNUM), i;
	uintptr_t base = 0;
	int r = 0;

	(void)fd;
	(void)span;
	for (i = 0; i < count; i++)
		if (head[i].p_type == PT_PHDR)
			base = (uintptr_t)head - head[i].p_vaddr;
	for (i = 0; r == 0 && i < count; i++)
		if (head[i].p_type == PT_LOAD)
			r = probe_take(p, (char *)base + head[i].p_vaddr,
				       head[i].p_filesz);
	return r;
}

/*
 * The process becomes the dataset's executable, which has its own image in
 * memory without a read(2), and goes on with --release from there.
 */
static int read_exec(struct probe *p, int fd, struct span span)
{
	size_t n = 0;
	char **argv;

	(void)span;
	while (p->argv[n])
		n++;
	argv = calloc(n + 5, sizeof(*argv));
	if (!argv)
		return -ENOMEM;
	memcpy(argv, p->argv, n * sizeof(*argv));
	argv[n] = "--read";
	argv[n + 1] = "image";
	argv[n + 2] = "--as";
	argv[n + 3] = "exec";
	(void)syscall(SYS_execveat, fd, "", argv, environ, AT_EMPTY_PATH);
	n = (size_t)errno;
	free(argv);
	return -(int)n;
}

#define READ(n, w, f)                            \
	{                                        \
		.name = n, .what = w, .read = f, \
	}

/* Of files that get other contents: lists of their own. */
#define MOVED(n, w, f, k)                                   \
	{                                                   \
		.name = n, .what = w, .read = f, .kind = k, \
	}

const struct channel channels[] = {
	READ("none", "reads nothing (a bystander; ways that take a file)",
	     read_none),
	READ("read", "read(2)", read_read),
	READ("pread", "pread(2)", read_pread),
	READ("readv", "readv(2), two buffers", read_readv),
	READ("preadv", "preadv(2), two buffers", read_preadv),
	READ("preadv2", "preadv2(2), two buffers", read_preadv2),
	READ("mmap-private", "private map", read_mmap_private),
	READ("mmap-shared", "shared map", read_mmap_shared),
	READ("mmap-populate", "private map with MAP_POPULATE",
	     read_mmap_populate),
	READ("mmap-mremap", "one page mapped, then widened by mremap(2)",
	     read_mmap_mremap),
	READ("mmap-remap-pages",
	     "one page mapped, moved by remap_file_pages(2)", read_mmap_remap),
	READ("mmap-none-mprotect", "mapped without rights, then mprotect(2)",
	     read_mmap_mprotect),
	READ("sendfile-memfd", "sendfile(2) to a memfd", read_sendfile_memfd),
	READ("sendfile-pipe", "sendfile(2) to a pipe", read_sendfile_pipe),
	READ("sendfile-file", "sendfile(2) to a file outside",
	     read_sendfile_file),
	READ("splice", "splice(2) to a pipe", read_splice),
	READ("splice-tee", "splice(2) to a pipe, tee(2) to the one read",
	     read_splice_tee),
	READ("copy_file_range", "copy_file_range(2) to a file outside",
	     read_copy_range),
	READ("clone", "FICLONE to a file outside", read_clone),
	READ("direct", "O_DIRECT pread(2)", read_direct),
	READ("aio", "io_submit(2)", read_aio),
	READ("aio-direct", "io_submit(2) with O_DIRECT", read_aio_direct),
	READ("uring-read", "io_uring READ", read_uring),
	READ("uring-readv", "io_uring READV", read_uring_readv),
	READ("uring-fixed", "io_uring READ_FIXED, registered buffer and file",
	     read_uring_fixed),
	READ("uring-sqpoll", "io_uring READ by the polling thread",
	     read_uring_sqpoll),
	READ("uring-linked", "io_uring NOP linked to READ", read_uring_linked),
	READ("uring-async", "io_uring READ forced to a worker",
	     read_uring_async),
	READ("uring-large", "io_uring READ with room for more than the file",
	     read_uring_large),
	READ("uring-direct", "io_uring READ with O_DIRECT", read_uring_direct),
	READ("read-ia32", "read by int 0x80 from 64-bit code", read_ia32),
	READ("thread", "pread(2) in a second thread", read_thread),
	READ("exec", "executes the file, a copy of the probe", read_exec),
	READ("blockdev", "the file's blocks on the block device",
	     read_blockdev),
	READ("loop", "a loop device on the file", read_loop_device),
	READ("dedupe", "FIDEDUPERANGE, which tells whether a guess is right",
	     read_dedupe),
	READ("kcore", "records in the page cache, through /proc/kcore",
	     read_kcore),
	READ("image", "what exec mapped of the probe's own file", read_image),
	MOVED("collapse",
	      "at one place, from which fallocate(2) takes rows out",
	      read_collapse, "rows"),
	MOVED("uring-collapse", "the same by io_uring FALLOCATE",
	      read_uring_collapse, "rows"),
	MOVED("insert", "at one place, to which fallocate(2) moves rows",
	      read_insert, "rows"),
	MOVED("swapext", "XFS_IOC_SWAPEXT with a file outside", read_swapext,
	      "exchange"),
	MOVED("dedupe-into", "FIDEDUPERANGE of a guess into the file",
	      read_dedupe_into, "exchange"),
	{0},
};
