// SPDX-License-Identifier: GPL-2.0-only
#include "eventlog.h"
#include "text.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

struct mark {
	uint64_t start; /* of the line, counted from the first one ever */
	int64_t time_s;
};

struct eventlog {
	char *path;
	int fd;
	uint64_t file_bytes;
	uint64_t file_max;
	uint64_t lost;
	bool unsynced;
	bool torn;	      /* the file's last line has no newline */
	uint64_t first, next; /* numbers */
	uint64_t head;	      /* where the next line starts */
	struct mark marks[EVENTLOG_KEPT];
	char *text; /* a ring of EVENTLOG_KEPT_BYTES */
};

static struct mark *mark_of(struct eventlog *log, uint64_t seq)
{
	return &log->marks[seq % EVENTLOG_KEPT];
}

/* Puts a line behind the others; the oldest make room. */
static void keep(struct eventlog *log, const char *line, size_t len,
		 int64_t time_s)
{
	size_t at = log->head % EVENTLOG_KEPT_BYTES;
	size_t part = EVENTLOG_KEPT_BYTES - at;

	while (log->first < log->next &&
	       (log->next - log->first == EVENTLOG_KEPT ||
		log->head + len - mark_of(log, log->first)->start >
			EVENTLOG_KEPT_BYTES))
		log->first++;
	if (part > len)
		part = len;
	memcpy(log->text + at, line, part);
	memcpy(log->text, line + part, len - part);
	*mark_of(log, log->next) = (struct mark){log->head, time_s};
	log->head += len;
	log->next++;
}

/* ---- the file ----------------------------------------------------------- */

/* `2026-11-23T21:45:01.123Z` to seconds. */
static int line_time(const json_t *line, int64_t *ret_s)
{
	const char *text = json_string_value(json_object_get(line, "time"));
	char whole[21];

	if (!text || strlen(text) < 20)
		return -EINVAL;
	memcpy(whole, text, 19);
	memcpy(whole + 19, "Z", 2);
	return text_parse_time(whole, ret_s);
}

/*
 * Takes in a line of the file. Lines that are no events, or out of order, are
 * somebody else's: passed over.
 */
static void take_in(struct eventlog *log, const char *text, size_t len)
{
	json_t *line;
	json_int_t seq;
	int64_t time_s;

	if (len > EVENTLOG_LINE_MAX)
		return;
	line = json_loadb(text, len, JSON_REJECT_DUPLICATES, NULL);
	seq = json_integer_value(json_object_get(line, "seq"));
	if (line && seq > 0 && seq <= EVENTLOG_SEQ_MAX &&
	    !line_time(line, &time_s)) {
		/* Lines that a full disk lost leave a gap: what is kept
		 * begins behind it. */
		if ((uint64_t)seq > log->next)
			log->first = log->next = (uint64_t)seq;
		if (log->next == (uint64_t)seq)
			keep(log, text, len, time_s);
	}
	json_decref(line);
}

/* Reads the end of a file, as much as memory keeps, from a line's start. */
static int read_back(struct eventlog *log, int fd)
{
	char *text = NULL, *line, *end;
	size_t len = 0;
	off_t from;
	ssize_t n;
	int r;

	from = lseek(fd, 0, SEEK_END);
	if (from < 0)
		return -errno;
	from = from > EVENTLOG_KEPT_BYTES ? from - EVENTLOG_KEPT_BYTES : 0;
	text = malloc(EVENTLOG_KEPT_BYTES + 1); /* a newline may be missing */
	if (!text)
		return -ENOMEM;
	while (len < EVENTLOG_KEPT_BYTES) {
		n = pread(fd, text + len, EVENTLOG_KEPT_BYTES - len,
			  from + (off_t)len);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0) {
			r = -errno;
			goto out;
		}
		if (n == 0)
			break;
		len += (size_t)n;
	}

	/* The next line is written behind a newline. That makes a last line
	 * that lacks nothing else a whole one, so it counts as one now. */
	log->torn = len > 0 && text[len - 1] != '\n';
	if (log->torn)
		text[len++] = '\n';
	line = text;
	if (from > 0) {
		line = memchr(text, '\n', len);
		line = line ? line + 1 : text + len;
	}
	while ((end = memchr(line, '\n', (size_t)(text + len - line)))) {
		take_in(log, line, (size_t)(end + 1 - line));
		line = end + 1;
	}
	r = 0;
out:
	free(text);
	return r;
}

/* What rotation put aside: the numbers go on from there if FILE is new. */
static void read_back_old(struct eventlog *log)
{
	char *old = NULL;
	int fd;

	if (asprintf(&old, "%s.1", log->path) < 0)
		return;
	fd = open(old, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	free(old);
	if (fd < 0)
		return;
	(void)read_back(log, fd);
	(void)close(fd);
}

static int open_file(struct eventlog *log)
{
	struct stat st;
	int fd, r = 0;

	fd = open(log->path,
		  O_RDWR | O_APPEND | O_CREAT | O_NOFOLLOW | O_NONBLOCK |
			  O_NOCTTY | O_CLOEXEC,
		  0600);
	if (fd < 0)
		return -errno;
	if (fstat(fd, &st) < 0)
		r = -errno;
	else if (!S_ISREG(st.st_mode))
		r = -EINVAL;
	if (r) {
		(void)close(fd);
		return r;
	}
	if (log->fd >= 0)
		(void)close(log->fd);
	log->fd = fd;
	log->file_bytes = (uint64_t)st.st_size;
	return 0;
}

/*
 * The full file becomes FILE.1. If that fails, the full one grows on, under
 * whatever name it has by now: a file too large is better than a line lost.
 */
static void rotate(struct eventlog *log)
{
	char *old = NULL;
	int r;

	if (asprintf(&old, "%s.1", log->path) < 0)
		return;
	(void)fdatasync(log->fd);
	r = rename(log->path, old) < 0 ? -errno : 0;
	free(old);
	/* If it is not there, it was moved away and none came in its place. */
	if (r && r != -ENOENT)
		return;
	if (!open_file(log))
		log->torn = false;
}

static int write_line(struct eventlog *log, const char *line, size_t len)
{
	ssize_t n;

	if (log->file_bytes + len > log->file_max && log->file_bytes > 0)
		rotate(log);
	if (log->torn) {
		if (write(log->fd, "\n", 1) != 1)
			return errno ? -errno : -EIO;
		log->torn = false;
		log->file_bytes++;
	}
	do
		n = write(log->fd, line, len);
	while (n < 0 && errno == EINTR);
	if (n < 0)
		return -errno;
	log->file_bytes += (uint64_t)n;
	log->unsynced = true;
	if ((size_t)n == len)
		return 0;
	/* Half a line is no line: away with it, or it is ended next time. */
	log->torn = n > 0;
	if (n > 0 &&
	    ftruncate(log->fd, (off_t)(log->file_bytes - (uint64_t)n)) == 0) {
		log->file_bytes -= (uint64_t)n;
		log->torn = false;
	}
	return -ENOSPC;
}

/* ---- calls -------------------------------------------------------------- */

int eventlog_new(const char *path, uint64_t file_bytes,
		 struct eventlog **ret_log)
{
	struct eventlog *log = NULL;
	int r = -ENOMEM;

	log = calloc(1, sizeof(*log));
	if (!log)
		goto out;
	log->fd = -1;
	log->first = 1;
	log->next = 1;
	log->file_max = file_bytes ? file_bytes : EVENTLOG_FILE_BYTES;
	log->path = strdup(path);
	log->text = malloc(EVENTLOG_KEPT_BYTES);
	if (!log->path || !log->text)
		goto out;
	r = open_file(log);
	if (r)
		goto out;
	if (log->file_bytes < EVENTLOG_KEPT_BYTES)
		read_back_old(log);
	r = read_back(log, log->fd);
	if (r)
		goto out;

	*ret_log = log;
	log = NULL;
out:
	eventlog_free(log);
	return r;
}

void eventlog_free(struct eventlog *log)
{
	if (!log)
		return;
	(void)eventlog_sync(log);
	if (log->fd >= 0)
		(void)close(log->fd);
	free(log->text);
	free(log->path);
	free(log);
}

uint64_t eventlog_next(const struct eventlog *log)
{
	return log->next;
}

uint64_t eventlog_first(const struct eventlog *log)
{
	return log->first;
}

uint64_t eventlog_lost(const struct eventlog *log)
{
	return log->lost;
}

int eventlog_add(struct eventlog *log, json_t *line, int64_t time_s)
{
	char text[EVENTLOG_LINE_MAX];
	size_t len;
	int r;

	if (!line) {
		log->lost++;
		return -ENOMEM;
	}
	len = json_dumpb(line, text, sizeof(text), JSON_COMPACT);
	json_decref(line);
	if (len == 0 || len >= sizeof(text)) {
		log->lost++;
		return -EMSGSIZE;
	}
	text[len++] = '\n';
	keep(log, text, len, time_s);
	r = write_line(log, text, len);
	if (r)
		log->lost++;
	return r;
}

int eventlog_sync(struct eventlog *log)
{
	if (!log->unsynced)
		return 0;
	log->unsynced = false;
	return fdatasync(log->fd) < 0 ? -errno : 0;
}

uint64_t eventlog_find(const struct eventlog *log, int64_t since_s)
{
	uint64_t seq;

	for (seq = log->first; seq < log->next; seq++)
		if (log->marks[seq % EVENTLOG_KEPT].time_s >= since_s)
			break;
	return seq;
}

int eventlog_line(const struct eventlog *log, uint64_t seq, char *buf,
		  size_t *ret_len)
{
	uint64_t start, end;
	size_t at, len, part;

	if (seq >= log->next)
		return -ENODATA;
	if (seq < log->first)
		return -ESTALE;
	start = log->marks[seq % EVENTLOG_KEPT].start;
	end = seq + 1 < log->next ? log->marks[(seq + 1) % EVENTLOG_KEPT].start
				  : log->head;
	len = (size_t)(end - start);
	at = start % EVENTLOG_KEPT_BYTES;
	part = EVENTLOG_KEPT_BYTES - at;
	if (part > len)
		part = len;
	memcpy(buf, log->text + at, part);
	memcpy(buf + part, log->text, len - part);
	*ret_len = len;
	return 0;
}
