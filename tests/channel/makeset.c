// SPDX-License-Identifier: GPL-2.0-only
/*
 * makeset: makes a synthetic personnel set. Nobody in it exists.
 *
 *	makeset DIR --records N [--photo-bytes B] [--row-bytes R]
 *
 * DIR/photos/000001.jpg ... : a JPEG comment with the record's marker, then
 * pseudo-random filler with the marker again every MARK_EVERY bytes, so that
 * a piece of a photo is recognised too.
 * DIR/roster.csv: N rows of exactly R bytes, the last byte a newline.
 * The same arguments always make the same bytes.
 */
#include "record.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define MARK_EVERY	1024
#define MIN_PHOTO_BYTES 64
#define MAX_PHOTO_BYTES (64u << 20)
#define MIN_ROW_BYTES	96
#define MAX_ROW_BYTES	4096
#define MAX_RECORDS	1000000u

struct plan {
	const char *dir;
	unsigned long records;
	unsigned long photo_bytes;
	unsigned long row_bytes;
};

static uint64_t next_random(uint64_t *state)
{
	uint64_t z = *state += 0x9e3779b97f4a7c15u;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
	z = (z ^ z >> 27) * 0x94d049bb133111ebu;
	return z ^ z >> 31;
}

static void fill_photo(char *buf, size_t n, uint32_t id)
{
	static const unsigned char head[] = {
		0xff, 0xd8,			    /* start of image */
		0xff, 0xfe, 0, RECORD_MARK_LEN + 2, /* comment */
	};
	uint64_t state = id;
	size_t at;

	for (at = 0; at + sizeof(state) <= n; at += sizeof(state)) {
		uint64_t v = next_random(&state);

		memcpy(buf + at, &v, sizeof(v));
	}
	for (; at < n; at++)
		buf[at] = (char)next_random(&state);
	memcpy(buf, head, sizeof(head));
	for (at = sizeof(head); at + RECORD_MARK_LEN <= n; at += MARK_EVERY)
		record_write(buf + at, id);
}

static int write_whole(int fd, const char *p, size_t n)
{
	while (n) {
		ssize_t w = write(fd, p, n);

		if (w < 0)
			return -errno;
		p += w;
		n -= (size_t)w;
	}
	return 0;
}

static int write_file(int dir, const char *name, const char *p, size_t n)
{
	int fd, r;

	fd = openat(dir, name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
	if (fd < 0)
		return -errno;
	r = write_whole(fd, p, n);
	if (close(fd) < 0 && r == 0)
		r = -errno;
	return r;
}

static int make_photos(const struct plan *plan)
{
	char name[64];
	char *buf = NULL;
	int dir = -1, r;

	if (mkdirat(AT_FDCWD, "photos", 0755) < 0 && errno != EEXIST)
		return -errno;
	dir = open("photos", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (dir < 0)
		return -errno;
	buf = malloc(plan->photo_bytes);
	if (!buf) {
		r = -ENOMEM;
		goto out;
	}
	r = 0;
	for (unsigned long i = 1; r == 0 && i <= plan->records; i++) {
		fill_photo(buf, plan->photo_bytes, RECORD_PHOTO + (uint32_t)i);
		(void)snprintf(name, sizeof(name), "%06lu.jpg", i);
		r = write_file(dir, name, buf, plan->photo_bytes);
	}
out:
	free(buf);
	(void)close(dir);
	return r;
}

static void fill_row(char *row, size_t n, uint32_t number)
{
	static const char *const given[] = {
		"Avery",   "Blake",  "Casey",  "Devon",	 "Ellis",
		"Frankie", "Harper", "Indigo", "Jules",	 "Kendall",
		"Lane",	   "Morgan", "Noel",   "Oakley", "Parker",
		"Quinn",   "Reese",  "Sage",   "Tatum",
	};
	static const char *const family[] = {
		"Alderfen",  "Brackwater",  "Coldharbour", "Dunmarsh",
		"Eastmoor",  "Farthinglow", "Greyledge",   "Hollowbeck",
		"Ironfield", "Juniperhill", "Kestrelby",   "Lowmeadow",
		"Millrace",
	};
	static const char *const rank[] = {
		"Constable",	   "Sergeant",	     "Inspector",
		"Chief Inspector", "Superintendent", "Staff",
	};
	static const char *const vetting[] = {"RV", "CTC", "SC", "MV", "DV"};
	uint64_t state = number;
	char text[256];
	int len;

	len = snprintf(text, sizeof(text), ",%s,%s,%s,W%07u,%s,card-%08x",
		       family[next_random(&state) % 13],
		       given[next_random(&state) % 19],
		       rank[next_random(&state) % 6], number,
		       vetting[next_random(&state) % 5],
		       (unsigned int)next_random(&state));
	memset(row, ' ', n);
	record_write(row, RECORD_ROW + number);
	if ((size_t)len > n - RECORD_MARK_LEN - 1)
		len = (int)(n - RECORD_MARK_LEN - 1);
	memcpy(row + RECORD_MARK_LEN, text, (size_t)len);
	row[n - 1] = '\n';
}

static int make_roster(const struct plan *plan)
{
	size_t size = plan->records * plan->row_bytes;
	char *all;
	int r;

	all = malloc(size ? size : 1);
	if (!all)
		return -ENOMEM;
	for (unsigned long i = 0; i < plan->records; i++)
		fill_row(all + i * plan->row_bytes, plan->row_bytes,
			 (uint32_t)i + 1);
	r = write_file(AT_FDCWD, "roster.csv", all, size);
	free(all);
	return r;
}

static bool parse_number(const char *text, unsigned long lo, unsigned long hi,
			 unsigned long *ret)
{
	unsigned long v;
	char *end;

	if (!text || *text < '0' || *text > '9')
		return false;
	errno = 0;
	v = strtoul(text, &end, 10);
	if (errno || *end || v < lo || v > hi)
		return false;
	*ret = v;
	return true;
}

static bool parse_plan(int argc, char **argv, struct plan *plan)
{
	for (int i = 1; i < argc; i++) {
		const char *next = i + 1 < argc ? argv[i + 1] : NULL;
		bool ok = true;

		if (strcmp(argv[i], "--records") == 0)
			ok = parse_number(next, 1, MAX_RECORDS, &plan->records);
		else if (strcmp(argv[i], "--photo-bytes") == 0)
			ok = parse_number(next, MIN_PHOTO_BYTES,
					  MAX_PHOTO_BYTES, &plan->photo_bytes);
		else if (strcmp(argv[i], "--row-bytes") == 0)
			ok = parse_number(next, MIN_ROW_BYTES, MAX_ROW_BYTES,
					  &plan->row_bytes);
		else if (argv[i][0] != '-' && !plan->dir) {
			plan->dir = argv[i];
			continue;
		} else
			return false;
		if (!ok)
			return false;
		i++;
	}
	return plan->dir && plan->records;
}

int main(int argc, char **argv)
{
	struct plan plan = {.photo_bytes = 4096, .row_bytes = 160};
	int r;

	if (!parse_plan(argc, argv, &plan)) {
		(void)fprintf(stderr,
			      "usage: makeset DIR --records N (1..%u)"
			      " [--photo-bytes B (%u..%u)]"
			      " [--row-bytes R (%u..%u)]\n",
			      MAX_RECORDS, MIN_PHOTO_BYTES, MAX_PHOTO_BYTES,
			      MIN_ROW_BYTES, MAX_ROW_BYTES);
		return 2;
	}
	if ((mkdir(plan.dir, 0755) < 0 && errno != EEXIST) ||
	    chdir(plan.dir) < 0) {
		(void)fprintf(stderr, "makeset: %s: %s\n", plan.dir,
			      strerror(errno));
		return 1;
	}
	r = make_photos(&plan);
	if (r == 0)
		r = make_roster(&plan);
	if (r < 0) {
		(void)fprintf(stderr, "makeset: writing in %s: %s\n", plan.dir,
			      strerror(-r));
		return 1;
	}
	return 0;
}
