// SPDX-License-Identifier: GPL-2.0-only
/* Read channels and ways out over io_uring. */
#include "probe.h"

#include <errno.h>
#include <fcntl.h>
#include <liburing.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "clock.h"

#define DEPTH	       8
#define WAIT_S	       10
#define SQPOLL_IDLE_MS 50
#define ALIGN	       4096ul

static bool uring_disabled(void)
{
	char v = '0';
	int fd = open("/proc/sys/kernel/io_uring_disabled",
		      O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		return false;
	if (read(fd, &v, 1) != 1)
		v = '0';
	(void)close(fd);
	return v != '0';
}

static int ring_init(struct probe *p, struct io_uring *ring, unsigned int flags)
{
	struct io_uring_params params = {
		.flags = flags,
		.sq_thread_idle = SQPOLL_IDLE_MS,
	};
	int r = io_uring_queue_init_params(DEPTH, ring, &params);

	if (r == -ENOSYS || (r == -EPERM && uring_disabled()))
		return probe_missing(p, "io_uring");
	return r;
}

/* Submits what is queued and waits for one completion: its result. */
static int ring_run(struct io_uring *ring, unsigned int *ret_flags)
{
	struct __kernel_timespec limit = {.tv_sec = WAIT_S};
	int64_t end = clock_ms() + WAIT_S * 1000;
	struct io_uring_cqe *cqe;
	int r;

	r = io_uring_submit(ring);
	if (r < 0)
		return r;
	/* An alarm that comes again and again is not to be waited out. */
	do
		r = io_uring_wait_cqe_timeout(ring, &cqe, &limit);
	while (r == -EINTR && clock_ms() < end);
	if (r < 0)
		return r == -ETIME ? -ETIMEDOUT : r;
	r = cqe->res;
	if (ret_flags)
		*ret_flags = cqe->flags;
	io_uring_cqe_seen(ring, cqe);
	return r;
}

/* ---- reads ---- */

struct read_job {
	struct io_uring *ring;
	void *buf;
	size_t n;
	off_t off;
	int fd;
};

/* Queues one read of the job and returns its result. */
typedef int (*queue_read)(const struct read_job *job);

static int queue_plain(const struct read_job *job)
{
	struct io_uring_sqe *sqe = io_uring_get_sqe(job->ring);

	io_uring_prep_read(sqe, job->fd, job->buf, (unsigned int)job->n,
			   (uint64_t)job->off);
	return ring_run(job->ring, NULL);
}

static int queue_readv(const struct read_job *job)
{
	struct io_uring_sqe *sqe = io_uring_get_sqe(job->ring);
	struct iovec iov[2] = {
		{job->buf, job->n / 2},
		{(char *)job->buf + job->n / 2, job->n - job->n / 2},
	};

	io_uring_prep_readv(sqe, job->fd, iov, 2, (uint64_t)job->off);
	return ring_run(job->ring, NULL);
}

static int queue_fixed(const struct read_job *job)
{
	struct io_uring_sqe *sqe = io_uring_get_sqe(job->ring);

	io_uring_prep_read_fixed(sqe, 0, job->buf, (unsigned int)job->n,
				 (uint64_t)job->off, 0);
	sqe->flags |= IOSQE_FIXED_FILE;
	return ring_run(job->ring, NULL);
}

static int queue_async(const struct read_job *job)
{
	struct io_uring_sqe *sqe = io_uring_get_sqe(job->ring);

	io_uring_prep_read(sqe, job->fd, job->buf, (unsigned int)job->n,
			   (uint64_t)job->off);
	sqe->flags |= IOSQE_ASYNC;
	return ring_run(job->ring, NULL);
}

static int queue_linked(const struct read_job *job)
{
	struct io_uring_sqe *sqe = io_uring_get_sqe(job->ring);
	int r;

	io_uring_prep_nop(sqe);
	sqe->flags |= IOSQE_IO_LINK;
	sqe = io_uring_get_sqe(job->ring);
	io_uring_prep_read(sqe, job->fd, job->buf, (unsigned int)job->n,
			   (uint64_t)job->off);
	r = ring_run(job->ring, NULL); /* the NOP */
	return r < 0 ? r : ring_run(job->ring, NULL);
}

static int read_by_ring(struct probe *p, struct io_uring *ring, int fd,
			struct span span, queue_read queue)
{
	struct read_job job = {.ring = ring, .fd = fd, .off = span.off};
	int r = 0;

	job.buf = malloc(p->read_chunk);
	if (!job.buf)
		return -ENOMEM;
	while (span.len) {
		job.n = span.len < p->read_chunk ? span.len : p->read_chunk;
		r = queue(&job);
		if (r <= 0)
			break;
		job.off += r;
		span.len -= (size_t)r;
		r = probe_take(p, job.buf, (size_t)r);
		if (r < 0)
			break;
	}
	free(job.buf);
	return r;
}

static int read_with(struct probe *p, int fd, struct span span,
		     unsigned int flags, queue_read queue)
{
	struct io_uring ring;
	int r;

	r = ring_init(p, &ring, flags);
	if (r < 0)
		return r;
	r = read_by_ring(p, &ring, fd, span, queue);
	io_uring_queue_exit(&ring);
	return r;
}

int read_uring(struct probe *p, int fd, struct span span)
{
	return read_with(p, fd, span, 0, queue_plain);
}

int read_uring_readv(struct probe *p, int fd, struct span span)
{
	return read_with(p, fd, span, 0, queue_readv);
}

int read_uring_sqpoll(struct probe *p, int fd, struct span span)
{
	return read_with(p, fd, span, IORING_SETUP_SQPOLL, queue_plain);
}

int read_uring_linked(struct probe *p, int fd, struct span span)
{
	return read_with(p, fd, span, 0, queue_linked);
}

int read_uring_async(struct probe *p, int fd, struct span span)
{
	return read_with(p, fd, span, 0, queue_async);
}

int read_uring_fixed(struct probe *p, int fd, struct span span)
{
	struct read_job job = {.fd = fd, .off = span.off};
	struct io_uring ring;
	struct iovec iov;
	int r;

	r = ring_init(p, &ring, 0);
	if (r < 0)
		return r;
	job.ring = &ring;
	job.buf = malloc(p->read_chunk);
	iov = (struct iovec){job.buf, p->read_chunk};
	r = job.buf ? io_uring_register_buffers(&ring, &iov, 1) : -ENOMEM;
	if (r == 0)
		r = io_uring_register_files(&ring, &fd, 1);
	while (r >= 0 && span.len) {
		job.n = span.len < p->read_chunk ? span.len : p->read_chunk;
		r = queue_fixed(&job);
		if (r <= 0)
			break;
		job.off += r;
		span.len -= (size_t)r;
		r = probe_take(p, job.buf, (size_t)r);
	}
	io_uring_queue_exit(&ring);
	free(job.buf);
	return r;
}

/* One read into a buffer that reaches over the end of the file. */
static int read_past_end(struct probe *p, int fd, struct span span)
{
	size_t skip = (size_t)span.off % ALIGN, want = span.len + skip;
	size_t size = (want + ALIGN) & ~(ALIGN - 1);
	struct io_uring ring;
	struct read_job job = {.ring = &ring, .fd = fd, .n = size};
	int r;

	job.off = span.off - (off_t)skip;
	job.buf = aligned_alloc(ALIGN, size);
	if (!job.buf)
		return -ENOMEM;
	r = ring_init(p, &ring, 0);
	if (r < 0)
		goto out;
	r = queue_plain(&job);
	if (r >= 0)
		r = (size_t)r < want
			    ? -EIO
			    : probe_take(p, (char *)job.buf + skip, span.len);
	io_uring_queue_exit(&ring);
out:
	free(job.buf);
	return r;
}

int read_uring_large(struct probe *p, int fd, struct span span)
{
	return span.len ? read_past_end(p, fd, span) : 0;
}

int read_uring_direct(struct probe *p, int fd, struct span span)
{
	int flags;

	if (!span.len)
		return 0;
	flags = fcntl(fd, F_GETFL);
	if (flags < 0 || fcntl(fd, F_SETFL, flags | O_DIRECT) < 0)
		return probe_missing(p, "O_DIRECT on this file system");
	return read_past_end(p, fd, span);
}

int open_by_uring(struct probe *p, const char *path)
{
	struct io_uring ring;
	int r;

	r = ring_init(p, &ring, 0);
	if (r < 0)
		return r;
	io_uring_prep_openat(io_uring_get_sqe(&ring), AT_FDCWD, path,
			     O_RDONLY | O_CLOEXEC, 0);
	r = ring_run(&ring, NULL);
	io_uring_queue_exit(&ring);
	return r;
}

/* ---- ways out: one ring for the whole run ---- */

static struct io_uring out_ring;
static pid_t out_owner; /* 0: there is none yet; a child needs its own */

static int out_ring_init(struct probe *p, unsigned int flags)
{
	int r;

	if (out_owner == getpid())
		return 0;
	r = ring_init(p, &out_ring, flags);
	if (r == 0)
		out_owner = getpid();
	return r;
}

ssize_t step_uring_send(struct probe *p, int fd, const uint8_t *d, size_t n)
{
	int r = out_ring_init(p, 0);

	if (r < 0)
		return r;
	io_uring_prep_send(io_uring_get_sqe(&out_ring), fd, d, n, 0);
	return ring_run(&out_ring, NULL);
}

ssize_t step_uring_sqpoll(struct probe *p, int fd, const uint8_t *d, size_t n)
{
	int r = out_ring_init(p, IORING_SETUP_SQPOLL);

	if (r < 0)
		return r;
	io_uring_prep_send(io_uring_get_sqe(&out_ring), fd, d, n, 0);
	return ring_run(&out_ring, NULL);
}

ssize_t step_uring_write(struct probe *p, int fd, const uint8_t *d, size_t n)
{
	int r = out_ring_init(p, 0);

	if (r < 0)
		return r;
	io_uring_prep_write(io_uring_get_sqe(&out_ring), fd, d, (unsigned int)n,
			    0);
	return ring_run(&out_ring, NULL);
}

ssize_t step_uring_sendmsg(struct probe *p, int fd, const uint8_t *d, size_t n)
{
	struct iovec iov[2] = {
		{(void *)d, n / 2},
		{(void *)(d + n / 2), n - n / 2},
	};
	struct msghdr msg = {.msg_iov = iov, .msg_iovlen = 2};
	int r = out_ring_init(p, 0);

	if (r < 0)
		return r;
	io_uring_prep_sendmsg(io_uring_get_sqe(&out_ring), fd, &msg, 0);
	return ring_run(&out_ring, NULL);
}

ssize_t step_uring_sendzc(struct probe *p, int fd, const uint8_t *d, size_t n)
{
	unsigned int flags = 0;
	int r = out_ring_init(p, 0), sent;

	if (r < 0)
		return r;
	io_uring_prep_send_zc(io_uring_get_sqe(&out_ring), fd, d, n, 0, 0);
	sent = ring_run(&out_ring, &flags);
	if (sent == -EINVAL)
		return probe_missing(p, "io_uring SEND_ZC");
	/* A second completion says that the kernel is done with the pages. */
	if (flags & IORING_CQE_F_MORE)
		(void)ring_run(&out_ring, NULL);
	return sent;
}

/* The same for a message, in two buffers. */
ssize_t step_uring_sendmsg_zc(struct probe *p, int fd, const uint8_t *d,
			      size_t n)
{
	struct iovec iov[2] = {
		{(void *)d, n / 2},
		{(void *)(d + n / 2), n - n / 2},
	};
	struct msghdr msg = {.msg_iov = iov, .msg_iovlen = 2};
	unsigned int flags = 0;
	int r = out_ring_init(p, 0), sent;

	if (r < 0)
		return r;
	io_uring_prep_sendmsg_zc(io_uring_get_sqe(&out_ring), fd, &msg, 0);
	sent = ring_run(&out_ring, &flags);
	if (sent == -EINVAL)
		return probe_missing(p, "io_uring SENDMSG_ZC");
	if (flags & IORING_CQE_F_MORE)
		(void)ring_run(&out_ring, NULL);
	return sent;
}

ssize_t step_uring_splice(struct probe *p, int fd, const uint8_t *d, size_t n)
{
	int r = out_ring_init(p, 0), ends[2];
	ssize_t queued;

	if (r < 0)
		return r;
	if (n > ALIGN * 15)
		n = ALIGN * 15; /* an empty pipe takes that for sure */
	if (pipe2(ends, O_CLOEXEC) < 0)
		return -errno;
	queued = write(ends[1], d, n);
	if (queued < 0) {
		r = -errno;
	} else {
		io_uring_prep_splice(io_uring_get_sqe(&out_ring), ends[0], -1,
				     fd, -1, (unsigned int)queued, 0);
		r = ring_run(&out_ring, NULL);
	}
	(void)close(ends[0]);
	(void)close(ends[1]);
	return r;
}

/* ---- messages from ring to ring ---- */

#define MESSAGES 4096 /* that wait to be taken */

/* enum io_uring_register_op, since 6.13 */
#define REGISTER_SEND_MSG_RING 31

static struct io_uring taken_by;

int make_messages(struct probe *p, int ends[2])
{
	struct io_uring_params params = {
		.flags = IORING_SETUP_CQSIZE,
		.cq_entries = MESSAGES,
	};
	int r = io_uring_queue_init_params(DEPTH, &taken_by, &params);

	if (r == -ENOSYS || (r == -EPERM && uring_disabled()))
		return probe_missing(p, "io_uring");
	if (r < 0)
		return r;
	ends[0] = taken_by.ring_fd;
	ends[1] = dup(ends[0]);
	return ends[1] < 0 ? -errno : 0;
}

/* Eight bytes and how many of them count. */
ssize_t give_message(struct probe *p, int fd, const uint8_t *d, size_t n)
{
	static struct io_uring own;
	static bool made;
	uint64_t message = 0;
	int r;

	if (!made) {
		r = ring_init(p, &own, 0);
		if (r < 0)
			return r;
		made = true;
	}
	if (n > sizeof(message))
		n = sizeof(message);
	memcpy(&message, d, n);
	do {
		io_uring_prep_msg_ring(io_uring_get_sqe(&own), fd,
				       (unsigned int)n, message, 0);
		r = ring_run(&own, NULL);
		if (r == -EOVERFLOW)
			(void)usleep(1000);
	} while (r == -EOVERFLOW);
	if (r == -EINVAL)
		return probe_missing(p, "IORING_OP_MSG_RING");
	return r < 0 ? r : (ssize_t)n;
}

static int send_message(int fd, size_t n, uint64_t message)
{
	struct io_uring_sqe sqe = {.opcode = IORING_OP_MSG_RING,
				   .fd = fd,
				   .len = (uint32_t)n,
				   .off = message};

	return syscall(SYS_io_uring_register, -1, REGISTER_SEND_MSG_RING, &sqe,
		       1) < 0
		       ? -errno
		       : 0;
}

int make_sync_messages(struct probe *p, int ends[2])
{
	if (send_message(-1, 0, 0) != -EBADF)
		return probe_missing(p, "messages without a ring");
	return make_messages(p, ends);
}

/* As give_message(), without a ring of one's own. */
ssize_t give_sync_message(struct probe *p, int fd, const uint8_t *d, size_t n)
{
	uint64_t message = 0;
	int r;

	(void)p;
	if (n > sizeof(message))
		n = sizeof(message);
	memcpy(&message, d, n);
	do {
		r = send_message(fd, n, message);
		if (r == -EOVERFLOW)
			(void)usleep(1000);
	} while (r == -EOVERFLOW);
	return r < 0 ? r : (ssize_t)n;
}

ssize_t take_message(struct probe *p, int fd, uint8_t *d, size_t n)
{
	struct io_uring_cqe *cqe;
	size_t got = 0;

	(void)p;
	(void)fd;
	while (got + sizeof(uint64_t) <= n &&
	       io_uring_peek_cqe(&taken_by, &cqe) == 0) {
		memcpy(d + got, &cqe->user_data, (size_t)cqe->res);
		got += (size_t)cqe->res;
		io_uring_cqe_seen(&taken_by, cqe);
	}
	return (ssize_t)got;
}
