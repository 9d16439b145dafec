// SPDX-License-Identifier: GPL-2.0-only
#include "array.h"
#include "evidence.h"
#include "text.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

#define HEAD "{\"cordon\":1,\"type\":\"checkpoint\","
#define MARK ",\"sig\":\""
#define TAIL "\"}"

/* ---- which files -------------------------------------------------------- */

uint64_t evidence_segment_of(const char *name)
{
	char digits[TEXT_NUMBER_CHARS_MAX], canonical[64];
	size_t len = strspn(name, "0123456789"), zeros;
	uint64_t seq;

	if (len == 0 || len >= sizeof(digits))
		return 0;
	zeros = strspn(name, "0");
	memcpy(digits, name + zeros, len - zeros);
	digits[len - zeros] = '\0';
	if (text_parse_u64(digits, 1, EVIDENCE_SEQ_MAX, &seq))
		return 0;
	/* One name a segment, or they sort in another order for others. */
	(void)snprintf(canonical, sizeof(canonical), EVIDENCE_NAME, seq);
	if (strncmp(name, canonical, strlen(canonical)) != 0)
		return 0;
	name += strlen(canonical);
	return name[0] == '\0' || strcmp(name, ".gz") == 0 ? seq : 0;
}

const char *evidence_base(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash ? slash + 1 : path;
}

bool evidence_compressed(const char *path)
{
	size_t len = strlen(path);

	return len > 3 && strcmp(path + len - 3, ".gz") == 0;
}

/* By their numbers; of both kinds the one that is not compressed first. */
static int compare(const void *a, const void *b)
{
	const char *x = evidence_base(*(char *const *)a);
	const char *y = evidence_base(*(char *const *)b);
	uint64_t i = evidence_segment_of(x), j = evidence_segment_of(y);

	if (i != j)
		return i < j ? -1 : 1;
	return strcmp(x, y);
}

struct files {
	char **paths;
	size_t n;
	evidence_stranger_fn stranger;
	void *arg;
};

static int append(struct files *files, char *path)
{
	char **paths;

	paths = path ? array_grow(files->paths, files->n, sizeof(*paths))
		     : NULL;
	if (!paths) {
		free(path);
		return -ENOMEM;
	}
	files->paths = paths;
	files->paths[files->n++] = path;
	return 0;
}

static void tell_stranger(const struct files *files, const char *path,
			  const char *why)
{
	if (files->stranger)
		files->stranger(path, why, files->arg);
}

/* What the agent keeps there beside the segments: its public keys, and one that
 * is being compressed. */
static bool is_known(const char *name)
{
	static const char *const names[] = {".", "..", EVIDENCE_PUBLIC,
					    EVIDENCE_PUBLIC ".new",
					    EVIDENCE_PUBLIC ".old"};
	size_t len = strlen(name);

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (strcmp(name, names[i]) == 0)
			return true;
	return len > 7 && strcmp(name + len - 7, ".gz.new") == 0;
}

static int append_entry(struct files *files, const char *dir, const char *name)
{
	bool is_segment = evidence_segment_of(name) != 0;
	struct stat st;
	char *path;

	if (is_known(name))
		return 0;
	if (asprintf(&path, "%s/%s", dir, name) < 0)
		return -ENOMEM;
	if (is_segment && lstat(path, &st) == 0 && S_ISREG(st.st_mode))
		return append(files, path);
	tell_stranger(files, path,
		      is_segment ? "this is no file" : "this is no segment");
	free(path);
	return 0;
}

static int append_dir(struct files *files, const char *path)
{
	const struct dirent *entry;
	size_t first = files->n;
	DIR *dir;
	int r = 0;

	dir = opendir(path);
	if (!dir)
		return -errno;
	while (!r && (entry = readdir(dir)))
		r = append_entry(files, path, entry->d_name);
	(void)closedir(dir);
	if (files->n > first)
		qsort(files->paths + first, files->n - first,
		      sizeof(*files->paths), compare);
	return r;
}

/* ---- pairs -------------------------------------------------------------- */

struct digest {
	char hash[SIGN_HASH_CHARS_MAX];
	uint64_t lines;
};

static int digest_line(const struct evidence_line *line, void *arg)
{
	char text[SIGN_HASH_CHARS_MAX - 1 + EVIDENCE_LINE_MAX];
	struct digest *digest = arg;

	memcpy(text, digest->hash, SIGN_HASH_CHARS_MAX - 1);
	memcpy(text + SIGN_HASH_CHARS_MAX - 1, line->text, line->len);
	sign_hash(text, SIGN_HASH_CHARS_MAX - 1 + line->len, digest->hash);
	digest->lines += line->whole;
	return 0;
}

bool evidence_same(const char *a, const char *b)
{
	struct digest x = {0}, y = {0};

	return evidence_read(a, digest_line, &x) == 0 &&
	       evidence_read(b, digest_line, &y) == 0 && x.lines == y.lines &&
	       memcmp(x.hash, y.hash, sizeof(x.hash)) == 0;
}

/* A crash may leave a segment and what it was compressed to: the same lines, so
 * one of them is enough. */
static void drop_doubles(struct files *files)
{
	size_t kept = 0;

	for (size_t i = 0; i < files->n; i++) {
		const char *path = files->paths[i];
		const char *next = i + 1 < files->n ? files->paths[i + 1] : "";
		size_t len = strlen(path);

		if (strncmp(path, next, len) == 0 &&
		    strcmp(next + len, ".gz") == 0) {
			if (files->stranger && !evidence_same(path, next))
				tell_stranger(files, path,
					      "its lines are not those of the "
					      "compressed segment");
			free(files->paths[i]);
			continue;
		}
		files->paths[kept++] = files->paths[i];
	}
	files->n = kept;
}

int evidence_files(const char *const *paths, size_t n,
		   evidence_stranger_fn stranger, void *arg, char ***ret_files,
		   size_t *ret_n)
{
	struct files files = {.stranger = stranger, .arg = arg};
	struct stat st;
	int r = 0;

	for (size_t i = 0; !r && i < n; i++) {
		if (stat(paths[i], &st) < 0)
			r = -errno;
		else if (S_ISDIR(st.st_mode))
			r = append_dir(&files, paths[i]);
		else
			r = append(&files, strdup(paths[i]));
	}
	if (!r && files.n == 0)
		r = -ENOENT;
	if (!r) {
		drop_doubles(&files);
		*ret_files = files.paths;
		*ret_n = files.n;
		return 0;
	}
	evidence_files_free(files.paths, files.n);
	return r;
}

void evidence_files_free(char **files, size_t n)
{
	for (size_t i = 0; i < n; i++)
		free(files[i]);
	free(files);
}

/* ---- lines -------------------------------------------------------------- */

/*
 * What is compressed is read as strictly as it is written: one member, no name
 * and no comment in its head, and nothing behind it. What zlib passes over,
 * gzip(1) may show.
 */
static const unsigned char gzip_head[] = {0x1f, 0x8b, 0x08, 0, 0, 0, 0, 0};

struct input {
	int fd;
	bool compressed;
	bool ended; /* of the member */
	bool begun;
	z_stream z;
	unsigned char raw[16384];
};

static ssize_t read_some(int fd, void *buf, size_t size)
{
	ssize_t n;

	do
		n = read(fd, buf, size);
	while (n < 0 && errno == EINTR);
	return n < 0 ? -errno : n;
}

/* More into z; 0 at the end of the file. */
static ssize_t refill(struct input *in)
{
	ssize_t n = read_some(in->fd, in->raw, sizeof(in->raw));

	if (n <= 0)
		return n;
	if (!in->begun && ((size_t)n < sizeof(gzip_head) ||
			   memcmp(in->raw, gzip_head, sizeof(gzip_head)) != 0))
		return -EUCLEAN;
	in->begun = true;
	in->z.next_in = in->raw;
	in->z.avail_in = (unsigned int)n;
	return n;
}

static ssize_t inflate_some(struct input *in, void *buf, size_t size)
{
	ssize_t n;
	int z;

	in->z.next_out = buf;
	in->z.avail_out = (unsigned int)size;
	while (in->z.avail_out == size && !in->ended) {
		n = in->z.avail_in ? 1 : refill(in);
		if (n <= 0)
			return n < 0 ? n : -EUCLEAN;
		z = inflate(&in->z, Z_NO_FLUSH);
		if (z == Z_MEM_ERROR)
			return -ENOMEM;
		if (z != Z_OK && z != Z_STREAM_END)
			return -EUCLEAN;
		in->ended = z == Z_STREAM_END;
	}
	if (in->z.avail_out < size)
		return (ssize_t)(size - in->z.avail_out);
	/* Nothing may be behind it. */
	n = in->z.avail_in ? 1 : read_some(in->fd, in->raw, 1);
	return n > 0 ? -EUCLEAN : n;
}

static ssize_t input_read(struct input *in, void *buf, size_t size)
{
	return in->compressed ? inflate_some(in, buf, size)
			      : read_some(in->fd, buf, size);
}

static int read_lines(struct input *in, const char *file, evidence_read_fn fn,
		      void *arg)
{
	char text[4 * EVIDENCE_LINE_MAX] = "";
	struct evidence_line line = {.file = file};
	size_t at = 0, len = 0; /* of what is not told yet */
	char *end;
	ssize_t n;
	int r;

	for (;;) {
		end = memchr(text + at, '\n', len);
		if (!end && len >= EVIDENCE_LINE_MAX)
			return -EUCLEAN;
		if (!end) {
			memmove(text, text + at, len);
			at = 0;
			n = input_read(in, text + len, sizeof(text) - len);
			if (n < 0)
				return (int)n;
			len += (size_t)n;
			if (n > 0)
				continue;
			if (len == 0)
				return 0;
		}
		line.number++;
		line.whole = end != NULL;
		line.text = text + at;
		line.len = end ? (size_t)(end - line.text) : len;
		if (line.len >= EVIDENCE_LINE_MAX)
			return -EUCLEAN;
		r = fn(&line, arg);
		if (r)
			return r;
		if (!end)
			return 0;
		at += line.len + 1;
		len -= line.len + 1;
	}
}

/* A segment may be compressed after somebody saw its name. */
static int open_segment(const char *file, bool *compressed)
{
	const int flags = O_RDONLY | O_NOCTTY | O_NONBLOCK | O_CLOEXEC;
	char gz[PATH_MAX];
	int fd = open(file, flags);

	*compressed = evidence_compressed(file);
	if (fd < 0 && errno == ENOENT && !*compressed &&
	    strlen(file) < sizeof(gz) - 3) {
		(void)snprintf(gz, sizeof(gz), "%s.gz", file);
		fd = open(gz, flags);
		*compressed = true;
	}
	return fd < 0 ? -errno : fd;
}

int evidence_read(const char *file, evidence_read_fn fn, void *arg)
{
	struct input *in;
	int r;

	in = calloc(1, sizeof(*in));
	if (!in)
		return -ENOMEM;
	in->fd = open_segment(file, &in->compressed);
	r = in->fd < 0 ? in->fd : 0;
	/* 15 is the largest window, and 16 says gzip. */
	if (!r && in->compressed && inflateInit2(&in->z, 15 + 16) != Z_OK)
		r = -ENOMEM;
	if (!r) {
		r = read_lines(in, file, fn, arg);
		if (in->compressed)
			(void)inflateEnd(&in->z);
	}
	if (in->fd >= 0)
		(void)close(in->fd);
	free(in);
	return r;
}

int evidence_parse(const char *text, size_t len, json_t **ret_object,
		   uint64_t *ret_seq, const char **ret_prev)
{
	json_t *object, *number, *prev;
	json_error_t error;

	object = json_loadb(text, len, JSON_REJECT_DUPLICATES, &error);
	if (!object && json_error_code(&error) == json_error_out_of_memory)
		return -ENOMEM;
	number = json_object_get(object, "seq");
	prev = json_object_get(object, "prev");
	if (json_integer_value(json_object_get(object, "cordon")) != 1 ||
	    !json_is_integer(number) || json_integer_value(number) < 1 ||
	    json_integer_value(number) > EVIDENCE_SEQ_MAX ||
	    json_string_length(prev) != SIGN_HASH_CHARS_MAX - 1) {
		json_decref(object);
		return -EINVAL;
	}
	*ret_object = object;
	*ret_seq = (uint64_t)json_integer_value(number);
	*ret_prev = json_string_value(prev);
	return 0;
}

const char *evidence_text(const json_t *object, const char *key)
{
	const char *text = json_string_value(json_object_get(object, key));

	return text ? text : "";
}

void evidence_list(const json_t *object, const char *key, char *buf,
		   size_t size)
{
	const json_t *item;
	size_t i, len = 0;

	buf[0] = '\0';
	json_array_foreach (json_object_get(object, key), i, item)
		if (json_is_string(item) && len < size)
			len += (size_t)snprintf(buf + len, size - len, "%s%s",
						len ? ", " : "",
						json_string_value(item));
}

uint64_t evidence_number(const json_t *object, const char *key)
{
	json_int_t n = json_integer_value(json_object_get(object, key));

	return n > 0 ? (uint64_t)n : 0;
}

int evidence_signed(const char *text, size_t len, size_t *ret_len,
		    char ret_signature[SIGN_SIGNATURE_CHARS_MAX])
{
	const size_t tail = sizeof(MARK) - 1 + SIGN_SIGNATURE_CHARS_MAX - 1 +
			    sizeof(TAIL) - 1;
	size_t signed_len;

	if (len < sizeof(HEAD) - 1 + tail ||
	    memcmp(text, HEAD, sizeof(HEAD) - 1) != 0)
		return -EINVAL;
	signed_len = len - tail;
	if (memcmp(text + signed_len, MARK, sizeof(MARK) - 1) != 0 ||
	    memcmp(text + len - (sizeof(TAIL) - 1), TAIL, sizeof(TAIL) - 1) !=
		    0)
		return -EINVAL;
	memcpy(ret_signature, text + signed_len + sizeof(MARK) - 1,
	       SIGN_SIGNATURE_CHARS_MAX - 1);
	ret_signature[SIGN_SIGNATURE_CHARS_MAX - 1] = '\0';
	*ret_len = signed_len;
	return 0;
}
