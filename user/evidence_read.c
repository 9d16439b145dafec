// SPDX-License-Identifier: GPL-2.0-only
#include "array.h"
#include "evidence.h"
#include "text.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
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
	char digits[TEXT_NUMBER_CHARS_MAX];
	size_t len = strspn(name, "0123456789"), zeros;
	uint64_t seq = 0;

	if (len == 0 || len >= sizeof(digits) ||
	    (strcmp(name + len, ".jsonl") != 0 &&
	     strcmp(name + len, ".jsonl.gz") != 0))
		return 0;
	zeros = strspn(name, "0");
	memcpy(digits, name + zeros, len - zeros);
	digits[len - zeros] = '\0';
	if (text_parse_u64(digits, 1, EVIDENCE_SEQ_MAX, &seq))
		return 0;
	return seq;
}

static const char *base_of(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash ? slash + 1 : path;
}

/* By their numbers; of both kinds the one that is not compressed first. */
static int compare(const void *a, const void *b)
{
	const char *x = base_of(*(char *const *)a);
	const char *y = base_of(*(char *const *)b);
	uint64_t i = evidence_segment_of(x), j = evidence_segment_of(y);

	if (i != j)
		return i < j ? -1 : 1;
	return strcmp(x, y);
}

struct files {
	char **paths;
	size_t n;
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

static int append_dir(struct files *files, const char *path)
{
	const struct dirent *entry;
	size_t first = files->n;
	char *name = NULL;
	DIR *dir;
	int r = 0;

	dir = opendir(path);
	if (!dir)
		return -errno;
	while (!r && (entry = readdir(dir))) {
		if (!evidence_segment_of(entry->d_name))
			continue;
		if (asprintf(&name, "%s/%s", path, entry->d_name) < 0)
			name = NULL;
		r = append(files, name);
	}
	(void)closedir(dir);
	if (files->n > first)
		qsort(files->paths + first, files->n - first,
		      sizeof(*files->paths), compare);
	return r;
}

/* A crash may leave a segment and what it was compressed to: both are whole, so
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
			free(files->paths[i]);
			continue;
		}
		files->paths[kept++] = files->paths[i];
	}
	files->n = kept;
}

int evidence_files(const char *const *paths, size_t n, char ***ret_files,
		   size_t *ret_n)
{
	struct files files = {0};
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

static int read_lines(gzFile in, const char *file, evidence_read_fn fn,
		      void *arg)
{
	char text[EVIDENCE_LINE_MAX + 1];
	struct evidence_line line = {.file = file, .text = text};
	int at = 0, n, r;
	char *end;

	for (;;) {
		n = gzread(in, text + at,
			   (unsigned int)(EVIDENCE_LINE_MAX - at));
		if (n < 0)
			return -EUCLEAN;
		at += n;
		if (at == 0)
			return 0;
		end = memchr(text, '\n', (size_t)at);
		if (!end && n > 0 && at < EVIDENCE_LINE_MAX)
			continue;
		if (!end && at == EVIDENCE_LINE_MAX)
			return -EUCLEAN;
		line.number++;
		line.whole = end != NULL;
		line.len = end ? (size_t)(end - text) : (size_t)at;
		r = fn(&line, arg);
		if (r)
			return r;
		if (!end)
			return 0;
		at -= (int)line.len + 1;
		memmove(text, end + 1, (size_t)at);
	}
}

int evidence_read(const char *file, evidence_read_fn fn, void *arg)
{
	int fd, r, end;
	gzFile in;

	fd = open(file, O_RDONLY | O_NOCTTY | O_NONBLOCK | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	/* What is not compressed goes through as it is. */
	in = gzdopen(fd, "rb");
	if (!in) {
		(void)close(fd);
		return -ENOMEM;
	}
	r = read_lines(in, file, fn, arg);
	if (r == -EUCLEAN && (gzerror(in, &end), end == Z_ERRNO))
		r = -errno;
	/* It tells of a compressed file that ends too early only now. */
	end = gzclose_r(in);
	if (!r && end == Z_BUF_ERROR)
		r = -EUCLEAN;
	return r;
}

int evidence_parse(const char *text, size_t len, json_t **ret_object,
		   uint64_t *ret_seq, const char **ret_prev)
{
	json_t *object, *number, *prev;

	object = json_loadb(text, len, JSON_REJECT_DUPLICATES, NULL);
	number = json_object_get(object, "seq");
	prev = json_object_get(object, "prev");
	if (!json_is_integer(number) || json_integer_value(number) < 1 ||
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
