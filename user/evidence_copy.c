// SPDX-License-Identifier: GPL-2.0-only
#include "evidence_copy.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "evidence_internal.h"

/* A segment goes on beyond its size up to a checkpoint, but not for ever. */
#define SEGMENT_BYTES_MAX (2ULL * EVIDENCE_SEGMENT_BYTES)

/* ---- where it ends ------------------------------------------------------ */

struct finding {
	struct evidence_copy copy;
	uint64_t bytes; /* of all lines, whatever they are */
	uint64_t bad;	/* where the first is that is none */
	bool is_bad;
};

static int take_line(const struct evidence_line *line, void *arg)
{
	char signature[SIGN_SIGNATURE_CHARS_MAX];
	struct finding *finding = arg;
	json_t *object = NULL;
	const char *prev;
	uint64_t seq, at = finding->bytes;
	size_t len;
	int r = -EINVAL;

	finding->bytes += line->len + line->whole;
	if (line->whole)
		r = evidence_parse(line->text, line->len, &object, &seq, &prev);
	if (r == -ENOMEM)
		return r;
	if (r) {
		if (!finding->is_bad)
			finding->bad = at;
		finding->is_bad = true;
		return 0;
	}
	json_decref(object);
	finding->copy.seq = seq;
	sign_hash(line->text, line->len, finding->copy.hash);
	finding->copy.ends_signed =
		!evidence_signed(line->text, line->len, &len, signature);
	return 0;
}

/* A segment without a line is none, and its name is in the way. */
static int cut_at(const char *file, uint64_t at)
{
	int fd, r = 0;

	if (!at)
		return unlink(file) < 0 ? -errno : 0;
	fd = open(file, O_WRONLY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	if (ftruncate(fd, (off_t)at) < 0 || fsync(fd) < 0)
		r = -errno;
	(void)close(fd);
	return r;
}

/* -EAGAIN: it was cut, and has to be read again. */
static int read_segment(const char *file, struct finding *finding)
{
	struct stat st;
	int r;

	if (stat(file, &st) < 0)
		return -errno;
	r = evidence_read(file, take_line, finding);
	if (r == -EUCLEAN && !finding->is_bad) {
		finding->is_bad = true;
		finding->bad = finding->bytes;
	}
	if (r && r != -EUCLEAN)
		return r;
	if (evidence_compressed(file))
		return 0;
	if (!finding->is_bad && st.st_size == 0)
		finding->is_bad = true;
	if (finding->is_bad &&
	    (uint64_t)st.st_size - finding->bad <= EVIDENCE_COPY_BYTES_MAX) {
		r = cut_at(file, finding->bad);
		finding->copy.cut += (uint64_t)st.st_size - finding->bad;
		return r ? r : -EAGAIN;
	}
	if (finding->is_bad)
		return 0;
	finding->copy.segment = evidence_segment_of(evidence_base(file));
	finding->copy.bytes = finding->bytes;
	return 0;
}

/* One look; -EAGAIN: once more, for the last one was cut. */
static int find_once(const char *dir, struct finding *finding)
{
	char **files = NULL;
	size_t n = 0;
	int r;

	r = evidence_files(&(const char *const){dir}, 1, NULL, NULL, &files,
			   &n);
	if (r)
		return r == -ENOENT ? 0 : r;
	/* The last one that has a line; any behind it has none, for it is
	 * damaged, and is not written to, so that the one before is not. */
	for (size_t i = n; !r && i > 0 && !finding->copy.seq; i--) {
		*finding = (struct finding){.copy.cut = finding->copy.cut};
		r = read_segment(files[i - 1], finding);
		if (i < n)
			finding->copy.segment = 0;
	}
	evidence_files_free(files, n);
	return r;
}

int evidence_copy_find(const char *dir, struct evidence_copy *ret_copy)
{
	struct finding finding;
	uint64_t cut = 0;
	int r;

	do {
		finding = (struct finding){.copy.cut = cut};
		r = find_once(dir, &finding);
		cut = finding.copy.cut;
	} while (r == -EAGAIN);
	if (!r)
		*ret_copy = finding.copy;
	return r;
}

int evidence_copy_bytes(const char *dir, uint64_t *ret_bytes)
{
	char **files = NULL;
	uint64_t bytes = 0;
	struct stat st;
	size_t n = 0;
	int r;

	r = evidence_files(&dir, 1, NULL, NULL, &files, &n);
	for (size_t i = 0; !r && i < n; i++) {
		if (stat(files[i], &st) < 0)
			r = -errno;
		else
			bytes += (uint64_t)st.st_size;
	}
	evidence_files_free(files, n);
	if (!r || r == -ENOENT)
		*ret_bytes = bytes;
	return r == -ENOENT ? 0 : r;
}

/* ---- adding ------------------------------------------------------------- */

/* What the writer of a log has of it, for its functions. */
static int writer_open(const char *dir, const struct evidence_copy *copy,
		       struct evidence *writer)
{
	*writer = (struct evidence){.dir = (char *)dir, .dir_fd = -1, .fd = -1};
	if (copy->segment)
		(void)snprintf(writer->name, sizeof(writer->name),
			       EVIDENCE_NAME, copy->segment);
	return evidence_dir_open(writer);
}

static void writer_close(struct evidence *writer)
{
	evidence_segment_leave(writer);
	if (writer->dir_fd >= 0)
		(void)close(writer->dir_fd);
}

static bool is_full(const struct evidence_copy *copy)
{
	return copy->bytes >= SEGMENT_BYTES_MAX ||
	       (copy->bytes >= EVIDENCE_SEGMENT_BYTES && copy->ends_signed);
}

/* The segment that the lines go to, which may be one that begins. */
static int writer_segment(struct evidence *writer, struct evidence_copy *copy,
			  uint64_t first)
{
	struct stat st;

	if (copy->segment && is_full(copy)) {
		/* One that stays as it is only takes more room. */
		(void)evidence_segment_compress(writer, writer->name);
		copy->segment = 0;
	}
	if (!copy->segment) {
		writer->next = first;
		return evidence_segment_begin(writer);
	}
	writer->fd = openat(writer->dir_fd, writer->name,
			    O_RDWR | O_NOFOLLOW | O_CLOEXEC);
	if (writer->fd < 0)
		return errno == ENOENT ? -ESTALE : -errno;
	if (fstat(writer->fd, &st) < 0)
		return -errno;
	return (uint64_t)st.st_size == copy->bytes ? 0 : -ESTALE;
}

/* Nothing is left of what may not be on the disk: it will come again. */
static void take_back(struct evidence *writer, const struct evidence_copy *copy)
{
	if (!copy->segment)
		(void)unlinkat(writer->dir_fd, writer->name, 0);
	else
		(void)!ftruncate(writer->fd, (off_t)copy->bytes);
}

int evidence_copy_add(const char *dir, struct evidence_copy *copy,
		      const struct evidence_copy_lines *lines)
{
	struct evidence_copy next = *copy;
	struct evidence writer;
	int r;

	if (lines->len > EVIDENCE_COPY_BYTES_MAX)
		return -EMSGSIZE;
	r = writer_open(dir, copy, &writer);
	if (r)
		goto out;
	r = writer_segment(&writer, &next, lines->first);
	if (r)
		goto out;
	if (!next.segment)
		next.bytes = 0;
	r = evidence_write_at(writer.fd, lines->text, lines->len, next.bytes);
	if (!r && fdatasync(writer.fd) < 0)
		r = -errno;
	if (r) {
		take_back(&writer, &next);
		/* What was full was compressed all the same. */
		copy->segment = next.segment;
		goto out;
	}
	if (!next.segment)
		next.segment = lines->first;
	next.bytes += lines->len;
	next.seq = lines->last;
	memcpy(next.hash, lines->hash, sizeof(next.hash));
	next.ends_signed = lines->ends_signed;
	*copy = next;
out:
	writer_close(&writer);
	return r;
}

/* ---- any line ----------------------------------------------------------- */

struct looking {
	uint64_t seq;
	char *hash;
};

/* 1: it was this one. */
static int look_at(const struct evidence_line *line, void *arg)
{
	const struct looking *looking = arg;
	json_t *object = NULL;
	const char *prev;
	uint64_t seq;
	int r;

	if (!line->whole)
		return 0;
	r = evidence_parse(line->text, line->len, &object, &seq, &prev);
	if (r)
		return r == -ENOMEM ? r : 0;
	json_decref(object);
	if (seq != looking->seq)
		return 0;
	sign_hash(line->text, line->len, looking->hash);
	return 1;
}

int evidence_copy_hash(const char *dir, uint64_t seq,
		       char ret_hash[SIGN_HASH_CHARS_MAX])
{
	const struct looking looking = {.seq = seq, .hash = ret_hash};
	char **files = NULL;
	size_t n = 0, i;
	int r;

	r = evidence_files(&(const char *const){dir}, 1, NULL, NULL, &files,
			   &n);
	if (r)
		return r;
	for (i = n; i > 0; i--)
		if (evidence_segment_of(evidence_base(files[i - 1])) <= seq)
			break;
	r = i ? evidence_read(files[i - 1], look_at, (void *)&looking) : 0;
	evidence_files_free(files, n);
	return r > 0 ? 0 : r ? r : -ENOENT;
}
