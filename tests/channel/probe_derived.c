// SPDX-License-Identifier: GPL-2.0-only
/*
 * Files as hops: one process reads and writes what it read to a file outside
 * the dataset, and ends; another one, which is older, reads that and releases.
 */
#include "probe.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define PIECE	  4096
#define FILE_ROOM (1U << 20) /* of a mapping; no hop is longer */

/* Descriptors of their own, each with a position. */
static int make_ends(struct probe *p, int ends[2], int flags)
{
	ends[0] = work_file(p);
	if (ends[0] < 0)
		return ends[0];
	ends[1] = hop_reopen(ends[0], O_RDWR | flags);
	if (ends[1] == -EINVAL && flags & O_DIRECT)
		return probe_missing(p, "O_DIRECT");
	return ends[1] < 0 ? ends[1] : 0;
}

static int make_plain(struct probe *p, int ends[2])
{
	return make_ends(p, ends, 0);
}

static int make_append(struct probe *p, int ends[2])
{
	return make_ends(p, ends, O_APPEND);
}

static int make_memory(struct probe *p, int ends[2])
{
	(void)p;
	ends[0] = memfd_create("derived", MFD_CLOEXEC);
	if (ends[0] < 0)
		return -errno;
	ends[1] = hop_reopen(ends[0], O_RDWR);
	return ends[1] < 0 ? ends[1] : 0;
}

static off_t size_of(int fd)
{
	struct stat st;

	return fstat(fd, &st) < 0 ? -1 : st.st_size;
}

static ssize_t give_pwrite(struct probe *p, int fd, const uint8_t *d, size_t n)
{
	ssize_t r = pwrite(fd, d, n, size_of(fd));

	(void)p;
	return r < 0 ? -errno : r;
}

static ssize_t take_pread(struct probe *p, int fd, uint8_t *d, size_t n)
{
	ssize_t r = pread(fd, d, n, (off_t)p->data.len);

	return r < 0 ? -errno : r;
}

/* ---- past the page cache ----------------------------------------------- */

static int make_direct(struct probe *p, int ends[2])
{
	int r = make_ends(p, ends, O_DIRECT), own;

	if (r < 0)
		return r;
	own = hop_reopen(ends[0], O_RDONLY | O_DIRECT);
	(void)close(ends[0]);
	ends[0] = own;
	return own < 0 ? own : 0;
}

/* Whole blocks; what is too much at the end is cut off. */
static ssize_t give_direct(struct probe *p, int fd, const uint8_t *d, size_t n)
{
	static uint8_t block[PIECE] __attribute__((aligned(PIECE)));
	off_t end = size_of(fd);

	(void)p;
	memset(block, 0, sizeof(block));
	memcpy(block, d, n);
	if (pwrite(fd, block, sizeof(block), end) != (ssize_t)sizeof(block) ||
	    (n < sizeof(block) && ftruncate(fd, end + (off_t)n) < 0))
		return -errno;
	return (ssize_t)n;
}

static ssize_t take_direct(struct probe *p, int fd, uint8_t *d, size_t n)
{
	static uint8_t block[PIECE] __attribute__((aligned(PIECE)));
	ssize_t r = pread(fd, block, sizeof(block), (off_t)p->data.len);

	if (r < 0)
		return -errno;
	memcpy(d, block, (size_t)r < n ? (size_t)r : n);
	return r;
}

/* ---- without a buffer of the process ----------------------------------- */

static int give_copy_range(struct probe *p, int fd, struct span span, void *arg)
{
	off_t at = span.off, end = span.off + (off_t)span.len;
	ssize_t n = 1;

	while (n > 0 && at < end) {
		n = copy_file_range(fd, &at, *(int *)arg, NULL,
				    (size_t)(end - at), 0);
		if (n < 0)
			return errno == EXDEV
				       ? probe_missing(p, "copies between them")
				       : -errno;
	}
	return 0;
}

/* By way of a pipe of the giver's own. */
static int give_splice(struct probe *p, int fd, struct span span, void *arg)
{
	off_t at = span.off, end = span.off + (off_t)span.len;
	int own[2], r = 0;
	ssize_t n;

	(void)p;
	if (pipe2(own, O_CLOEXEC) < 0)
		return -errno;
	while (r == 0 && at < end) {
		n = splice(fd, &at, own[1], NULL, (size_t)(end - at), 0);
		if (n <= 0 ||
		    splice(own[0], NULL, *(int *)arg, NULL, (size_t)n, 0) != n)
			r = n < 0 ? -errno : -EIO;
	}
	(void)close(own[0]);
	(void)close(own[1]);
	return r;
}

/* ---- memory ------------------------------------------------------------ */

static uint8_t *mapped;
static size_t filled;

static int map_file(int fd)
{
	void *map;

	if (mapped)
		return 0;
	map = mmap(NULL, FILE_ROOM, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (map == MAP_FAILED)
		return -errno;
	mapped = map;
	return 0;
}

static ssize_t give_mapped(struct probe *p, int fd, const uint8_t *d, size_t n)
{
	int r = map_file(fd);

	(void)p;
	if (r == 0 && ftruncate(fd, (off_t)(filled + n)) < 0)
		r = -errno;
	if (r < 0)
		return r;
	memcpy(mapped + filled, d, n);
	filled += n;
	return (ssize_t)n;
}

/* It has the file mapped before it holds anything. */
static int give_mapped_before(struct probe *p, int fd, struct span span,
			      void *arg)
{
	int to = *(int *)arg, r = map_file(to);
	ssize_t n;

	(void)p;
	if (r == 0 && ftruncate(to, (off_t)(filled + span.len)) < 0)
		r = -errno;
	if (r < 0)
		return r;
	n = pread(fd, mapped + filled, span.len, span.off);
	if (n < 0)
		return -errno;
	filled += (size_t)n;
	return 0;
}

static ssize_t take_private(struct probe *p, int fd, uint8_t *d, size_t n)
{
	size_t left = (size_t)size_of(fd) - p->data.len;
	uint8_t *map;

	if (left < n)
		n = left;
	if (!n)
		return 0;
	map = mmap(NULL, FILE_ROOM, PROT_READ, MAP_PRIVATE, fd, 0);
	if (map == MAP_FAILED)
		return -errno;
	memcpy(d, map + p->data.len, n);
	(void)munmap(map, FILE_ROOM);
	return (ssize_t)n;
}

const struct hop files[] = {
	{"file", "write(2), read(2)", make_plain, give_write, take_read,
	 HOP_LATE, 0},
	{"file-append", "O_APPEND", make_append, give_write, take_read,
	 HOP_LATE, 0},
	{"file-v", "writev(2), readv(2)", make_plain, give_writev, take_readv,
	 HOP_LATE, 0},
	{"file-at", "pwrite(2), pread(2)", make_plain, give_pwrite, take_pread,
	 HOP_LATE, 0},
	{"file-direct", "O_DIRECT", make_direct, give_direct, take_direct,
	 HOP_LATE, 0},
	{"file-uring", "io_uring WRITE", make_append, step_uring_write,
	 take_read, HOP_LATE, 0},
	{"file-sendfile", "the giver sends the file to it", make_plain, NULL,
	 take_read, HOP_LATE, give_sendfile},
	{"file-copy", "copy_file_range(2)", make_plain, NULL, take_read,
	 HOP_LATE, give_copy_range},
	{"file-splice", "spliced to it", make_plain, NULL, take_read, HOP_LATE,
	 give_splice},
	{"file-spliced", "the taker splices it to a pipe", make_plain,
	 give_write, take_splice, HOP_LATE, 0},
	{"file-relay", "a third process splices a pipe to it", make_pipe,
	 give_write, take_read, HOP_LATE | HOP_RELAY | HOP_KEPT, 0},
	{"file-map", "written by a shared map", make_plain, give_mapped,
	 take_read, HOP_LATE, 0},
	{"file-map-before", "mapped before anything was read", make_plain, NULL,
	 take_read, HOP_LATE, give_mapped_before},
	{"file-mapped", "read by a private map", make_plain, give_write,
	 take_private, HOP_LATE, 0},
	{"memfd", "in memory, without a name", make_memory, give_write,
	 take_read, HOP_LATE, 0},
	{0},
};
