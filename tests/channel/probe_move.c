// SPDX-License-Identifier: GPL-2.0-only
/*
 * Contents that change their place or their file: what was read at one place,
 * and counted there, makes room for what was not. All of them write to the
 * dataset's file.
 */
#include "probe.h"

#include <errno.h>
#include <fcntl.h>
#include <liburing.h>
#include <linux/fs.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define BLOCK 4096u /* of the file systems of the tests */

/* fs/xfs/libxfs/xfs_fs.h */
struct xfs_time {
	long tv_sec;
	int32_t tv_nsec;
};

struct xfs_swap {
	int64_t version;
	int64_t target;
	int64_t own;
	int64_t offset;
	int64_t length;
	char pad[16];
	/* What the target has to be like still: the start of a bulkstat. */
	uint64_t ino;
	char unused[48];
	struct xfs_time mtime, ctime;
	char rest[48];
};

#define XFS_SWAP _IOWR('X', 109, struct xfs_swap)

_Static_assert(sizeof(struct xfs_swap) == 192, "as the kernel has it");

/* The dataset's file once more, to be written to. */
static int reopen(int fd, int flags)
{
	char name[64];
	int again;

	(void)snprintf(name, sizeof(name), "/proc/self/fd/%d", fd);
	again = open(name, flags | O_CLOEXEC);
	return again < 0 ? -errno : again;
}

/* One block from off on, wherever it comes from: not from the page cache. */
static int take_block(struct probe *p, int fd, off_t off, size_t limit)
{
	void *block;
	ssize_t n;
	int r;

	block = aligned_alloc(BLOCK, BLOCK);
	if (!block)
		return -ENOMEM;
	n = pread(fd, block, BLOCK, off);
	if (n < 0)
		r = -errno;
	else
		r = probe_take(p, block, (size_t)n < limit ? (size_t)n : limit);
	free(block);
	return r;
}

/* Makes another block the one at off. 0 or -errno. */
typedef int (*move_call)(int fd, off_t off);

static int move_out(int fd, off_t off)
{
	return fallocate(fd, FALLOC_FL_COLLAPSE_RANGE, off, BLOCK) < 0 ? -errno
								       : 0;
}

static int move_out_by_ring(int fd, off_t off)
{
	struct io_uring_cqe *cqe;
	struct io_uring_sqe *sqe;
	struct io_uring ring;
	int r;

	r = io_uring_queue_init(2, &ring, 0);
	if (r < 0)
		return r;
	sqe = io_uring_get_sqe(&ring);
	io_uring_prep_fallocate(sqe, fd, FALLOC_FL_COLLAPSE_RANGE, off, BLOCK);
	r = io_uring_submit(&ring);
	if (r >= 0)
		r = io_uring_wait_cqe(&ring, &cqe);
	if (r >= 0)
		r = cqe->res;
	io_uring_queue_exit(&ring);
	return r;
}

/* In front of what was read: the blocks before it take its place. */
static int move_in(int fd, off_t off)
{
	(void)off;
	return fallocate(fd, FALLOC_FL_INSERT_RANGE, 0, BLOCK) < 0 ? -errno : 0;
}

/* Reads span at one place of the file, block by block. */
static int read_moving(struct probe *p, int fd, struct span span, off_t at,
		       move_call move)
{
	size_t left = span.len;
	int own, r = 0;

	own = reopen(fd, O_RDWR);
	if (own < 0)
		return own;
	while (left && r == 0) {
		r = take_block(p, own, at, left);
		left -= left < BLOCK ? left : BLOCK;
		if (r == 0 && left)
			r = move(own, at);
	}
	(void)close(own);
	return r == -EOPNOTSUPP || r == -EINVAL
		       ? probe_missing(p, "moving blocks on this file system")
		       : r;
}

int read_collapse(struct probe *p, int fd, struct span span)
{
	return read_moving(p, fd, span, span.off, move_out);
}

int read_uring_collapse(struct probe *p, int fd, struct span span)
{
	return read_moving(p, fd, span, span.off, move_out_by_ring);
}

int read_insert(struct probe *p, int fd, struct span span)
{
	return read_moving(p, fd, span, span.off + (off_t)span.len - BLOCK,
			   move_in);
}

/* ---- files that exchange what they have ---- */

/* Exchanges all of fd with own, which is as long. 0 or -errno. */
static int exchange_xfs(int fd, int own, const struct stat *st)
{
	struct xfs_swap swap = {
		.target = fd,
		.own = own,
		.length = st->st_size,
		.ino = st->st_ino,
		.mtime = {st->st_mtim.tv_sec, (int32_t)st->st_mtim.tv_nsec},
		.ctime = {st->st_ctim.tv_sec, (int32_t)st->st_ctim.tv_nsec},
	};

	return ioctl(own, XFS_SWAP, &swap) < 0 ? -errno : 0;
}

static int fill(int fd, off_t size)
{
	char block[BLOCK] = {0};

	for (off_t at = 0; at < size; at += BLOCK) {
		size_t n = size - at < BLOCK ? (size_t)(size - at) : BLOCK;

		if (pwrite(fd, block, n, at) != (ssize_t)n)
			return -EIO;
	}
	return fsync(fd) < 0 ? -errno : 0;
}

/* What the file has goes into one of our own, is read there, and goes back. */
int read_swapext(struct probe *p, int fd, struct span span)
{
	int both, own, direct = -1, r;
	struct stat st;

	both = reopen(fd, O_RDWR);
	if (both < 0)
		return both;
	own = work_file(p);
	r = own < 0 ? own : 0;
	if (r == 0)
		r = fsync(both) < 0 || fstat(both, &st) < 0 ? -errno : 0;
	if (r == 0)
		r = fill(own, st.st_size);
	if (r == 0)
		r = exchange_xfs(both, own, &st);
	if (r < 0)
		goto out;
	direct = reopen(own, O_RDONLY | O_DIRECT);
	if (direct < 0)
		r = direct;
	for (off_t at = 0; r == 0 && (size_t)at < span.len; at += BLOCK)
		r = take_block(p, direct, at, span.len - (size_t)at);
	if (fstat(both, &st) < 0 || exchange_xfs(both, own, &st) < 0)
		r = r < 0 ? r : -EIO;
out:
	if (direct >= 0)
		(void)close(direct);
	if (own >= 0)
		(void)close(own);
	(void)close(both);
	return r == -ENOTTY || r == -EOPNOTSUPP
		       ? probe_missing(p, "XFS_IOC_SWAPEXT")
		       : r;
}

/*
 * FIDEDUPERANGE the other way round: the guess is where it reads, the dataset's
 * file what it compares that with. The count is of the bytes compared.
 */
int read_dedupe_into(struct probe *p, int fd, struct span span)
{
	struct {
		struct file_dedupe_range head;
		struct file_dedupe_range_info info;
	} ask = {.head = {.src_length = BLOCK, .dest_count = 1}};
	int both, own = -1, r = 0;

	both = reopen(fd, O_RDWR);
	if (both < 0)
		return both;
	own = work_file(p);
	if (own < 0)
		r = own;
	else
		r = fill(own, BLOCK);
	while (r == 0 && span.len >= BLOCK) {
		ask.info = (struct file_dedupe_range_info){
			.dest_fd = both,
			.dest_offset = (uint64_t)span.off,
		};
		if (ioctl(own, FIDEDUPERANGE, &ask) < 0)
			r = -errno;
		else if (ask.info.status < 0)
			r = ask.info.status;
		else
			probe_count(p, BLOCK);
		span.off += BLOCK;
		span.len -= BLOCK;
	}
	if (own >= 0)
		(void)close(own);
	(void)close(both);
	return r == -EOPNOTSUPP || r == -ENOTTY || r == -EINVAL
		       ? probe_missing(p, "FIDEDUPERANGE on this file system")
		       : r;
}
