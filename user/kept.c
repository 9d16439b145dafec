// SPDX-License-Identifier: GPL-2.0-only
#include "kept.h"

#include "state.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#define MAGIC 0x327470656b434443ULL /* the format is a part of it */

/* A file's ctime is a tick behind the clock, and on some of them whole. */
#define SLACK_NS 2000000000ULL

/*
 * Who has a page of a file mapped writes to it without a new ctime until the
 * page was written back, half a minute later or, on a host that is busy, a few.
 */
#define MAPPED_NS 300000000000ULL

struct header {
	uint64_t magic;
	uint64_t saved_ns;
	char boot[KEPT_BOOT];
	uint32_t open;
	uint32_t n[5];
};

/* One of the arrays. */
struct part {
	void **at;
	uint32_t *n;
	size_t size;
};

#define PARTS 5

static void parts_of(struct kept *kept, struct part parts[PARTS])
{
	const struct part all[PARTS] = {
		{(void **)&kept->fs, &kept->n_fs, sizeof(*kept->fs)},
		{(void **)&kept->datasets, &kept->n_datasets,
		 sizeof(*kept->datasets)},
		{(void **)&kept->origins, &kept->n_origins,
		 sizeof(*kept->origins)},
		{(void **)&kept->holdings, &kept->n_holdings,
		 sizeof(*kept->holdings)},
		{(void **)&kept->files, &kept->n_files, sizeof(*kept->files)},
	};

	memcpy(parts, all, sizeof(all));
}

void kept_release(struct kept *kept)
{
	struct part parts[PARTS];
	size_t i;

	parts_of(kept, parts);
	for (i = 0; i < PARTS; i++)
		free(*parts[i].at);
	memset(kept, 0, sizeof(*kept));
}

void kept_since(const struct kept *kept, uint64_t now_ns,
		uint64_t *ret_since_ns, uint64_t *ret_mapped_ns)
{
	uint64_t since_ns = kept->saved_ns;

	if (since_ns < MAPPED_NS || now_ns < since_ns - SLACK_NS) {
		*ret_since_ns = 0;
		*ret_mapped_ns = 0;
		return;
	}
	*ret_since_ns = since_ns - SLACK_NS;
	*ret_mapped_ns = since_ns - MAPPED_NS;
}

/* ---- writing ----------------------------------------------------------- */

int kept_write(const struct kept *kept, const char *path)
{
	struct kept copy = *kept; /* of the addresses */
	struct header header = {
		.magic = MAGIC, .saved_ns = kept->saved_ns, .open = kept->open};
	struct part parts[PARTS];
	size_t len = sizeof(header) + sizeof(uint32_t), at, i;
	unsigned char *bytes;
	uint32_t crc;
	int r;

	memcpy(header.boot, kept->boot, sizeof(header.boot));
	parts_of(&copy, parts);
	for (i = 0; i < PARTS; i++) {
		header.n[i] = *parts[i].n;
		len += *parts[i].n * parts[i].size;
	}
	bytes = malloc(len);
	if (!bytes)
		return -ENOMEM;
	memcpy(bytes, &header, sizeof(header));
	at = sizeof(header);
	for (i = 0; i < PARTS; i++) {
		if (!*parts[i].n)
			continue;
		memcpy(bytes + at, *parts[i].at, *parts[i].n * parts[i].size);
		at += *parts[i].n * parts[i].size;
	}
	crc = (uint32_t)crc32_z(0, bytes, at);
	memcpy(bytes + at, &crc, sizeof(crc));
	r = state_put(path, bytes, len);
	free(bytes);
	return r;
}

/* ---- reading ----------------------------------------------------------- */

static int copy_out(const struct part *part, uint32_t n,
		    const unsigned char **at, size_t *left)
{
	size_t bytes = (size_t)n * part->size;

	if (*left < bytes)
		return -EUCLEAN;
	if (n) {
		*part->at = malloc(bytes);
		if (!*part->at)
			return -ENOMEM;
		memcpy(*part->at, *at, bytes);
	}
	*part->n = n;
	*at += bytes;
	*left -= bytes;
	return 0;
}

static bool text_ends(const char *text, size_t size)
{
	return memchr(text, '\0', size) != NULL;
}

static bool share_is_good(const struct kept *kept, const struct share *share)
{
	if (share->dataset >= CORDON_DATASETS)
		return false;
	return share->origin == CORDON_ORIGIN_FOLDED ||
	       share->origin <= kept->n_origins;
}

/* What is bad; NULL: nothing. */
static const char *bad_entry(const struct kept *kept)
{
	uint32_t i, j;

	for (i = 0; i < kept->n_fs; i++)
		if (!text_ends(kept->fs[i].place, sizeof(kept->fs[i].place)))
			return "the place of a file system has no end";
	for (i = 0; i < kept->n_datasets; i++)
		if (!kept->datasets[i].id ||
		    kept->datasets[i].id >= CORDON_DATASETS ||
		    !text_ends(kept->datasets[i].name, CORDON_NAME))
			return "a dataset is none";
	for (i = 0; i < kept->n_origins; i++)
		if (kept->origins[i].dataset >= CORDON_DATASETS)
			return "an origin is of no dataset";
	for (i = 0; i < kept->n_holdings; i++) {
		if (kept->holdings[i].unclean > 1)
			return "a holding is neither of one boot nor another";
		for (j = 0; j < CORDON_SHARES; j++)
			if (!share_is_good(kept, &kept->holdings[i].shares[j]))
				return "a share is of no origin or dataset";
	}
	for (i = 0; i < kept->n_files; i++)
		if (kept->files[i].mapped > 1 ||
		    kept->files[i].fs >= kept->n_fs ||
		    kept->files[i].holding >= kept->n_holdings)
			return "a file is nowhere, or holds nothing";
	return NULL;
}

static int parse(struct kept *kept, const unsigned char *bytes, size_t len,
		 char *why, size_t size)
{
	struct part parts[PARTS];
	struct header header;
	const char *bad;
	uint32_t crc;
	size_t left, i;
	int r;

	(void)snprintf(why, size, "it is no such file, or only a part of one");
	if (len < sizeof(header) + sizeof(crc))
		return -EUCLEAN;
	memcpy(&header, bytes, sizeof(header));
	left = len - sizeof(crc);
	memcpy(&crc, bytes + left, sizeof(crc));
	if (header.magic != MAGIC || header.open > 1 ||
	    !text_ends(header.boot, sizeof(header.boot)))
		return -EUCLEAN;
	if (crc != crc32_z(0, bytes, left)) {
		(void)snprintf(why, size, "it was changed");
		return -EUCLEAN;
	}
	bytes += sizeof(header);
	left -= sizeof(header);
	kept->saved_ns = header.saved_ns;
	kept->open = header.open;
	memcpy(kept->boot, header.boot, sizeof(kept->boot));
	parts_of(kept, parts);
	for (i = 0; i < PARTS; i++) {
		r = copy_out(&parts[i], header.n[i], &bytes, &left);
		if (r)
			return r;
	}
	if (left)
		return -EUCLEAN;
	bad = bad_entry(kept);
	if (!bad)
		return 0;
	(void)snprintf(why, size, "%s", bad);
	return -EUCLEAN;
}

int kept_read(const char *path, struct kept *ret_kept, char *why, size_t size)
{
	struct kept kept = {0};
	char *bytes = NULL;
	size_t len;
	int r;

	(void)snprintf(why, size, "it cannot be read");
	r = state_get(path, KEPT_FILE_BYTES_MAX, &bytes, &len);
	if (r)
		return r;
	r = parse(&kept, (const unsigned char *)bytes, len, why, size);
	free(bytes);
	if (r) {
		kept_release(&kept);
		return r;
	}
	*ret_kept = kept;
	return 0;
}
