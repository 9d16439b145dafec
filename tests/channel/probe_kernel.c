// SPDX-License-Identifier: GPL-2.0-only
/*
 * Read channels past the file: its blocks on the device, a loop device on it,
 * an oracle of the file system, the kernel's memory. All but the oracle need
 * root, which the contractor's administrators have.
 */
#include "probe.h"
#include "record.h"

#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/fiemap.h>
#include <linux/fs.h>
#include <linux/loop.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#define EXTENTS	      64
#define ORACLE_BYTES  4096u
#define KCORE_BLOCK   (1u << 20)
#define KCORE_HEADERS 64
#define KCORE_MOST    (4ull << 30)
#define PAGE	      4096u
#define KERNEL_TEXT   0xffffffff80000000ull
#define NO_ADDRESS    0xffffffffffffffffull

static int missing_device(struct probe *p, int error)
{
	if (error == ENOENT || error == ENXIO || error == ENODEV)
		return probe_missing(p, "device node");
	return -error;
}

/* ---- blocks ---- */

/* The node of the device that the file lies on. */
static int open_device_of(struct probe *p, int fd)
{
	char link[64], target[256], node[300];
	struct stat st;
	ssize_t n;
	int dev;

	if (fstat(fd, &st) < 0)
		return -errno;
	(void)snprintf(link, sizeof(link), "/sys/dev/block/%u:%u",
		       major(st.st_dev), minor(st.st_dev));
	n = readlink(link, target, sizeof(target) - 1);
	if (n < 0)
		return probe_missing(p, "a block device under the file");
	target[n] = 0;
	(void)snprintf(node, sizeof(node), "/dev/%s", strrchr(target, '/') + 1);
	dev = open(node, O_RDONLY | O_CLOEXEC);
	return dev < 0 ? missing_device(p, errno) : dev;
}

static int take_extent(struct probe *p, int dev, const struct fiemap_extent *e,
		       struct span span)
{
	uint64_t from = e->fe_logical, to = from + e->fe_length;
	uint8_t *room;
	ssize_t n;

	if (from < (uint64_t)span.off)
		from = (uint64_t)span.off;
	if (to > (uint64_t)span.off + span.len)
		to = (uint64_t)span.off + span.len;
	if (from >= to)
		return 0;
	room = probe_room(p, to - from);
	if (!room)
		return -ENOMEM;
	n = pread(dev, room, to - from,
		  (off_t)(e->fe_physical + from - e->fe_logical));
	if (n < 0)
		return -errno;
	probe_took(p, (size_t)n);
	return 0;
}

int read_blockdev(struct probe *p, int fd, struct span span)
{
	struct fiemap *map;
	int dev, r = 0;

	map = calloc(1, sizeof(*map) + EXTENTS * sizeof(map->fm_extents[0]));
	if (!map)
		return -ENOMEM;
	map->fm_length = ~0ull;
	map->fm_flags = FIEMAP_FLAG_SYNC;
	map->fm_extent_count = EXTENTS;
	dev = open_device_of(p, fd);
	if (dev < 0) {
		r = dev;
	} else if (ioctl(fd, FS_IOC_FIEMAP, map) < 0) {
		r = errno == EOPNOTSUPP ? probe_missing(p, "FIEMAP") : -errno;
	} else {
		/* The device has a cache of its own, maybe from before. */
		(void)fsync(fd);
		(void)posix_fadvise(dev, 0, 0, POSIX_FADV_DONTNEED);
		for (uint32_t i = 0; r == 0 && i < map->fm_mapped_extents; i++)
			r = take_extent(p, dev, &map->fm_extents[i], span);
	}
	if (dev >= 0)
		(void)close(dev);
	free(map);
	return r;
}

/* ---- loop ---- */

static int open_loop(struct probe *p, int fd)
{
	struct loop_config config = {
		.fd = (uint32_t)fd,
		.info.lo_flags = LO_FLAGS_READ_ONLY | LO_FLAGS_AUTOCLEAR,
	};
	char name[32];
	int control, number, dev, r;

	control = open("/dev/loop-control", O_RDWR | O_CLOEXEC);
	if (control < 0)
		return missing_device(p, errno);
	number = ioctl(control, LOOP_CTL_GET_FREE);
	r = number < 0 ? -errno : 0;
	(void)close(control);
	if (r < 0)
		return r;
	(void)snprintf(name, sizeof(name), "/dev/loop%d", number);
	dev = open(name, O_RDONLY | O_CLOEXEC);
	if (dev < 0)
		return missing_device(p, errno);
	if (ioctl(dev, LOOP_CONFIGURE, &config) == 0)
		return dev;
	r = -errno;
	(void)close(dev);
	return r;
}

int read_loop_device(struct probe *p, int fd, struct span span)
{
	uint8_t *room;
	ssize_t n;
	int dev, r = 0;

	room = probe_room(p, span.len);
	if (!room)
		return -ENOMEM;
	dev = open_loop(p, fd);
	if (dev < 0)
		return dev;
	n = pread(dev, room, span.len, span.off);
	if (n < 0)
		r = -errno;
	else
		probe_took(p, (size_t)n);
	(void)close(dev); /* and the loop is gone with it */
	return r;
}

/* ---- oracle ---- */

/*
 * FIDEDUPERANGE compares: no byte is given out, but who may ask often enough
 * learns them all. The count is of the bytes that were compared.
 */
int read_dedupe(struct probe *p, int fd, struct span span)
{
	struct {
		struct file_dedupe_range head;
		struct file_dedupe_range_info info;
	} ask = {.head = {.dest_count = 1}};
	char guess[ORACLE_BYTES] = {0};
	int copy, r = 0;

	copy = work_file(p);
	if (copy < 0)
		return copy;
	if (write(copy, guess, sizeof(guess)) != (ssize_t)sizeof(guess))
		r = -errno;
	while (r == 0 && span.len) {
		size_t n = span.len < ORACLE_BYTES ? span.len : ORACLE_BYTES;

		ask.head.src_offset = (uint64_t)span.off;
		ask.head.src_length = n;
		ask.info = (struct file_dedupe_range_info){.dest_fd = copy};
		if (ioctl(fd, FIDEDUPERANGE, &ask) < 0)
			r = -errno;
		else if (ask.info.status < 0)
			r = ask.info.status;
		else
			probe_count(p, n);
		span.off += (off_t)n;
		span.len -= n;
	}
	(void)close(copy);
	if (r == -EOPNOTSUPP || r == -ENOTTY || r == -EXDEV || r == -EINVAL)
		return probe_missing(p, "FIDEDUPERANGE of this range");
	return r;
}

/* ---- kernel memory ---- */

static bool is_direct_map(const Elf64_Phdr *h)
{
	/* Only it and the text have a physical address. */
	return h->p_type == PT_LOAD && h->p_paddr != NO_ADDRESS &&
	       h->p_vaddr < KERNEL_TEXT;
}

static bool page_has_record(const uint8_t *page)
{
	const char *at = memmem(page, PAGE, RECORD_MARK, strlen(RECORD_MARK));
	uint32_t id;

	return at &&
	       (size_t)((const char *)page + PAGE - at) >= RECORD_MARK_LEN &&
	       record_parse(at, &id) && RECORD_KIND(id) != RECORD_IMAGE;
}

static int take_segment(struct probe *p, int fd, const Elf64_Phdr *h,
			uint8_t *block)
{
	for (uint64_t at = 0; at < h->p_memsz; at += KCORE_BLOCK) {
		uint64_t left = h->p_memsz - at;
		ssize_t n = pread(fd, block,
				  left < KCORE_BLOCK ? left : KCORE_BLOCK,
				  (off_t)(h->p_offset + at));

		if (n < 0 && errno == EFAULT)
			continue;
		if (n < 0)
			return -errno;
		for (ssize_t i = 0; i + PAGE <= n; i += PAGE) {
			int r;

			if (!page_has_record(block + i))
				continue;
			r = probe_take(p, block + i, PAGE);
			if (r < 0)
				return r;
		}
	}
	return 0;
}

/*
 * Looks for records in the page cache, through the kernel's direct map: no
 * file of the dataset is read. Our own copies are found too, so what counts
 * is the records, not the bytes.
 */
int read_kcore(struct probe *p, int fd, struct span span)
{
	struct {
		Elf64_Ehdr head;
		Elf64_Phdr parts[KCORE_HEADERS];
	} core;
	uint64_t sum = 0;
	uint8_t *block = NULL;
	int mem, r = 0;

	(void)fd;
	(void)span;
	mem = open("/proc/kcore", O_RDONLY | O_CLOEXEC);
	if (mem < 0)
		return errno == ENOENT ? probe_missing(p, "/proc/kcore")
				       : -errno;
	if (pread(mem, &core, sizeof(core), 0) < (ssize_t)sizeof(core.head) ||
	    core.head.e_phnum > KCORE_HEADERS) {
		r = probe_missing(p, "a kcore with few segments");
		goto out;
	}
	for (int i = 0; i < core.head.e_phnum; i++)
		if (is_direct_map(&core.parts[i]))
			sum += core.parts[i].p_memsz;
	block = malloc(KCORE_BLOCK);
	if (!block)
		r = -ENOMEM;
	else if (sum > KCORE_MOST)
		r = probe_missing(p, "a machine of at most 4 GiB");
	for (int i = 0; r == 0 && i < core.head.e_phnum; i++)
		if (is_direct_map(&core.parts[i]))
			r = take_segment(p, mem, &core.parts[i], block);
out:
	free(block);
	(void)close(mem);
	return r;
}
