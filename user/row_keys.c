// SPDX-License-Identifier: GPL-2.0-only
#include "row_keys.h"
#include "clock.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define BLOCK_BYTES (64U << 10)

/* The kernel reads whole pages: where rows are longer, a block of them would
 * bring in what nobody asked for. */
#define MERGE_ROW_BYTES 4096

struct row_keys {
	struct row_keys_form form;
	int fd;
	struct row_keys_limit *limit;
	uint64_t at; /* of .block in the file */
	size_t len;
	char block[BLOCK_BYTES];
};

/*
 * An investigator may look at when a file was read last, so that is left as it
 * is where that is allowed. A lease that somebody holds is not waited for.
 */
static int open_file(const char *path)
{
	int flags = O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC;
	int fd;

	fd = open(path, flags | O_NOATIME);
	if (fd < 0 && errno == EPERM)
		fd = open(path, flags);
	return fd < 0 ? -errno : fd;
}

static int within(const struct row_keys_limit *limit)
{
	if (!limit->left)
		return -E2BIG;
	return clock_ms() > limit->until_ms ? -ETIME : 0;
}

int row_keys_open(const char *path, const struct row_keys_form *form,
		  struct row_keys_limit *limit, row_keys_file_fn is_file,
		  void *arg, struct row_keys **ret_keys)
{
	struct row_keys *keys = NULL;
	struct stat st;
	int fd, r;

	r = within(limit);
	if (r)
		return r;
	fd = open_file(path);
	if (fd < 0)
		return fd;
	r = fstat(fd, &st) < 0 ? -errno : S_ISREG(st.st_mode) ? 0 : -ESTALE;
	if (!r)
		r = is_file(fd, arg);
	if (r)
		goto out;
	keys = malloc(sizeof(*keys));
	if (!keys) {
		r = -ENOMEM;
		goto out;
	}
	keys->form = *form;
	keys->limit = limit;
	keys->at = 0;
	keys->len = 0;
	keys->fd = fd;
	fd = -1;
	*ret_keys = keys;
out:
	if (fd >= 0)
		(void)close(fd);
	return r;
}

void row_keys_free(struct row_keys *keys)
{
	if (!keys)
		return;
	(void)close(keys->fd);
	explicit_bzero(keys->block, sizeof(keys->block));
	free(keys);
}

static uint64_t place_of(const struct row_keys *keys, uint64_t row)
{
	return row * keys->form.row_bytes + keys->form.from;
}

/* How many bytes to read for this one, and those that come next. */
static size_t bytes_wanted(const struct row_keys *keys, uint64_t row,
			   uint64_t last)
{
	uint32_t row_bytes = keys->form.row_bytes, bytes = keys->form.bytes;
	uint64_t more = (BLOCK_BYTES - bytes) / row_bytes;

	if (row_bytes > MERGE_ROW_BYTES || last < row)
		return bytes;
	if (more > last - row)
		more = last - row;
	return (size_t)more * row_bytes + bytes;
}

/* 0, though it may be less than is wanted: the file has ended. */
static int fill(struct row_keys *keys, uint64_t at, size_t wanted)
{
	ssize_t n;
	int r;

	r = within(keys->limit);
	if (r)
		return r;
	keys->at = at;
	keys->len = 0;
	while (keys->len < wanted) {
		n = pread(keys->fd, keys->block + keys->len, wanted - keys->len,
			  (off_t)(at + keys->len));
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		if (n == 0)
			break;
		keys->len += (size_t)n;
	}
	return 0;
}

static const char *find(const struct row_keys *keys, uint64_t at)
{
	uint32_t bytes = keys->form.bytes;

	if (keys->len < bytes || at < keys->at ||
	    at - keys->at > keys->len - bytes)
		return NULL;
	return keys->block + (at - keys->at);
}

static bool is_blank(char c)
{
	return c == '\0' || c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

int row_keys_get(struct row_keys *keys, uint64_t row, uint64_t last,
		 char ret_text[ROW_KEYS_CHARS_MAX])
{
	const char *key = find(keys, place_of(keys, row));
	size_t len = keys->form.bytes;
	int r;

	/* The clock is looked at where something is read. */
	if (!keys->limit->left)
		return -E2BIG;
	if (!key) {
		r = fill(keys, place_of(keys, row),
			 bytes_wanted(keys, row, last));
		if (r)
			return r;
		key = find(keys, place_of(keys, row));
	}
	if (!key)
		return -ENODATA;
	keys->limit->left--;
	while (len && is_blank(key[len - 1]))
		len--;
	while (len && is_blank(*key)) {
		key++;
		len--;
	}
	text_escape(key, len, ret_text, ROW_KEYS_CHARS_MAX);
	return 0;
}
