// SPDX-License-Identifier: GPL-2.0-only
#include "tail.h"
#include "evidence.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* Why reading ended before the file did: what is behind is not on the disk yet;
 * somebody wants no more. */
enum { STOPPED = 1, ENDED };

struct tail {
	const char *folder;
	struct tail_place place;
	bool joined;		/* the place is of this log */
	bool begun;		/* all was read once */
	struct tail_place last; /* line that was seen */
	uint64_t segment;	/* that was read last */
	uint64_t taken;		/* lines of it */
	uint64_t bytes;		/* of it when it was read; 0: read it again */
	bool closed;		/* no more will be in it */
};

int tail_new(const char *folder, const struct tail_place *place,
	     struct tail **ret_tail)
{
	struct tail *tail = calloc(1, sizeof(*tail));

	if (!tail)
		return -ENOMEM;
	tail->folder = folder;
	tail->place = *place;
	tail->joined = !place->hash[0];
	*ret_tail = tail;
	return 0;
}

void tail_free(struct tail *tail)
{
	free(tail);
}

const struct tail_place *tail_place(const struct tail *tail)
{
	return &tail->place;
}

uint64_t tail_segment(const struct tail *tail)
{
	return tail->segment;
}

/* ---- a line -------------------------------------------------------------- */

struct reading {
	struct tail *tail;
	const char *file;
	uint64_t at;	/* bytes of it so far */
	uint64_t limit; /* that are on the disk */
	tail_fn fn;
	tail_warn_fn warn;
	void *arg;
	int result; /* if it ENDED */
};

static void warn(const struct reading *reading, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

static void warn(const struct reading *reading, const char *format, ...)
{
	char text[512];
	va_list ap;

	va_start(ap, format);
	(void)vsnprintf(text, sizeof(text), format, ap);
	va_end(ap);
	reading->warn(text, reading->arg);
}

static uint64_t skipped_before(const json_t *line)
{
	json_int_t n = json_integer_value(json_object_get(line, "skipped"));

	return n > 0 ? (uint64_t)n : 0;
}

/* Does it follow the last one? Then the last one was of this log. */
static int follow(const struct reading *reading, const json_t *line,
		  uint64_t seq, const char *prev)
{
	struct tail *tail = reading->tail;
	uint64_t next = tail->place.seq + 1;
	bool knows = tail->place.hash[0] != '\0';

	if (knows && seq == next && strcmp(prev, tail->place.hash) != 0) {
		if (!tail->joined)
			return -ESTALE;
		warn(reading,
		     "line %" PRIu64 " does not follow the one before: cordon "
		     "evidence verify",
		     seq);
	} else if (knows && seq - next > skipped_before(line)) {
		warn(reading,
		     "lines %" PRIu64 " to %" PRIu64 " are missing: cordon "
		     "evidence verify",
		     next, seq - 1);
	}
	tail->joined = true;
	return 0;
}

static int take_old(const struct reading *reading, const json_t *line,
		    const struct evidence_line *from)
{
	struct tail *tail = reading->tail;

	if (tail->last.seq == tail->place.seq && !tail->joined) {
		if (strcmp(tail->last.hash, tail->place.hash) != 0)
			return -ESTALE;
		tail->joined = true;
	}
	return tail->begun ? 0
			   : reading->fn(line, from->text, from->len, false,
					 reading->arg);
}

static int take_fresh(const struct reading *reading, const json_t *line,
		      const struct evidence_line *from, const char *prev)
{
	struct tail *tail = reading->tail;
	int r;

	r = follow(reading, line, tail->last.seq, prev);
	if (!r)
		r = reading->fn(line, from->text, from->len, true,
				reading->arg);
	if (!r)
		tail->place = tail->last;
	return r;
}

static int take_line(const struct reading *reading,
		     const struct evidence_line *from)
{
	struct tail *tail = reading->tail;
	const char *prev;
	uint64_t seq;
	json_t *line;
	int r;

	r = evidence_parse(from->text, from->len, &line, &seq, &prev);
	if (r == -EINVAL) {
		warn(reading,
		     "%s:%" PRIu64 ": this is no line: cordon evidence verify",
		     reading->file, from->number);
		return 0;
	}
	if (r)
		return r;
	tail->last.seq = seq;
	sign_hash(from->text, from->len, tail->last.hash);
	r = seq > tail->place.seq ? take_fresh(reading, line, from, prev)
				  : take_old(reading, line, from);
	json_decref(line);
	return r;
}

static int take(const struct evidence_line *from, void *arg)
{
	struct reading *reading = arg;

	reading->at += from->len + 1;
	if (!from->whole || reading->at > reading->limit)
		return STOPPED;
	if (from->number <= reading->tail->taken)
		return 0;
	reading->result = take_line(reading, from);
	if (reading->result)
		return ENDED;
	reading->tail->taken = from->number;
	return 0;
}

/* ---- a segment ----------------------------------------------------------- */

/* Brings what is in it to the disk, and says how much that is. One that is
 * compressed was brought there before it got its name. */
static int sync_segment(const char *file, uint64_t *ret_bytes)
{
	struct stat st;
	int fd, r = 0;

	*ret_bytes = UINT64_MAX;
	if (evidence_compressed(file))
		return 0;
	fd = open(file, O_RDONLY | O_NOCTTY | O_NONBLOCK | O_CLOEXEC);
	if (fd < 0)
		return errno == ENOENT ? 0 : -errno;
	if (fstat(fd, &st) < 0)
		r = -errno;
	/* A file system that is read-only has all of it. */
	else if (fdatasync(fd) < 0 && errno != EINVAL && errno != EROFS)
		r = -errno;
	if (!r)
		*ret_bytes = (uint64_t)st.st_size;
	(void)close(fd);
	return r;
}

static void enter(struct tail *tail, uint64_t segment)
{
	if (tail->segment == segment)
		return;
	tail->segment = segment;
	tail->taken = 0;
	tail->bytes = 0;
	tail->closed = false;
}

/* There is nothing new in it. */
static bool is_known(const struct tail *tail, const char *file,
		     uint64_t segment)
{
	struct stat st;

	if (segment != tail->segment)
		return segment < tail->segment;
	if (evidence_compressed(file))
		return tail->closed;
	return tail->bytes && stat(file, &st) == 0 &&
	       (uint64_t)st.st_size == tail->bytes;
}

static int read_segment(struct tail *tail, const char *file, tail_fn fn,
			tail_warn_fn warn_fn, void *arg)
{
	struct reading reading = {.tail = tail,
				  .file = file,
				  .fn = fn,
				  .warn = warn_fn,
				  .arg = arg};
	int r;

	r = sync_segment(file, &reading.limit);
	if (!r)
		r = evidence_read(file, take, &reading);
	/* The oldest one may be retired meanwhile: its lines will be missed. */
	if (r == -ENOENT)
		r = 0;
	if (r == -EUCLEAN) {
		warn(&reading,
		     "%s: it is damaged, and what is behind that is missing: "
		     "cordon evidence verify",
		     file);
		r = 0;
	}
	if (r == ENDED)
		return reading.result;
	if (r < 0)
		return r;
	tail->closed = reading.limit == UINT64_MAX;
	tail->bytes = tail->closed ? 0 : reading.limit;
	return 0;
}

/* ---- the folder ---------------------------------------------------------- */

/* The first time: the segment that the place is in, and the one before, for
 * what lines there tell of lines that come. */
static void skip_old(struct tail *tail, char **files, size_t n)
{
	uint64_t segment;
	size_t first = 0;

	for (size_t i = 0; i < n; i++) {
		segment = evidence_segment_of(evidence_base(files[i]));
		if (segment <= tail->place.seq)
			first = i;
	}
	if (first > 0)
		first--;
	if (tail->place.seq && n)
		enter(tail, evidence_segment_of(evidence_base(files[first])));
}

static int read_files(struct tail *tail, char **files, size_t n, tail_fn fn,
		      tail_warn_fn warn_fn, void *arg)
{
	uint64_t segment;
	int r = 0;

	for (size_t i = 0; !r && i < n; i++) {
		segment = evidence_segment_of(evidence_base(files[i]));
		if (!segment || is_known(tail, files[i], segment))
			continue;
		enter(tail, segment);
		r = read_segment(tail, files[i], fn, warn_fn, arg);
	}
	return r;
}

int tail_read(struct tail *tail, tail_fn fn, tail_warn_fn warn_fn, void *arg)
{
	char **files = NULL;
	size_t n = 0;
	int r;

	r = evidence_files(&tail->folder, 1, NULL, NULL, &files, &n);
	/* Whatever comes then is new. */
	if (r == -ENOENT && tail->place.seq == TAIL_NEWEST)
		tail->place.seq = 0;
	if (r)
		return r;
	if (!tail->begun)
		skip_old(tail, files, n);
	r = read_files(tail, files, n, fn, warn_fn, arg);
	evidence_files_free(files, n);
	if (r)
		return r;
	if (!tail->joined)
		return -ESTALE;
	if (tail->place.seq == TAIL_NEWEST)
		tail->place = tail->last;
	tail->begun = true;
	return 0;
}
