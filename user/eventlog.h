/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The events that the agent keeps: the last EVENTLOG_KEPT in memory, for
 * `cordon events`, and all of them as JSON lines in a file of bounded size.
 *
 * Events are numbered from 1 without a gap for as long as the file lives: a
 * new agent goes on where the file ends. The file is FILE, and when that is
 * full FILE.1, which the full one replaces; where it cannot, FILE grows. A disk
 * that is full loses lines of the file, never of memory; they are counted.
 *
 * This is no evidence yet: nothing in it is signed.
 */
#ifndef CORDON_EVENTLOG_H
#define CORDON_EVENTLOG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <jansson.h>

#define EVENTLOG_KEPT	    4096
#define EVENTLOG_KEPT_BYTES (2U << 20)
#define EVENTLOG_LINE_MAX   8192
#define EVENTLOG_FILE_BYTES (16U << 20)
/* A line of the file with a higher number is none of ours: the numbers behind
 * it would not fit in JSON. */
#define EVENTLOG_SEQ_MAX (1LL << 62)

struct eventlog;

/*
 * Opens path, made if it is missing (mode 0600), and takes in its last lines.
 * file_bytes: the file's bound; 0: EVENTLOG_FILE_BYTES. 0, -ENOMEM, or what
 * open(2) and read(2) say.
 */
int eventlog_new(const char *path, uint64_t file_bytes,
		 struct eventlog **ret_log);

/* Takes NULL. */
void eventlog_free(struct eventlog *log);

/* The number that the next line gets. */
uint64_t eventlog_next(const struct eventlog *log);

/*
 * Keeps line, an object that has "seq" eventlog_next(), and steals it. NULL
 * counts as lost and is -ENOMEM. 0; -EMSGSIZE: too long, not kept; else what
 * write(2) said, -ENOSPC for one: kept in memory only.
 */
int eventlog_add(struct eventlog *log, json_t *line, int64_t time_s);

/* Brings the file to the disk, if anything was added. 0 or -errno. */
int eventlog_sync(struct eventlog *log);

/* Lines that are not in the file although they should be. */
uint64_t eventlog_lost(const struct eventlog *log);

/* The first line kept with a time of since_s or later; eventlog_next() if
 * there is none. */
uint64_t eventlog_find(const struct eventlog *log, int64_t since_s);

/*
 * Copies line number seq with its newline to buf of EVENTLOG_LINE_MAX bytes.
 * 0; -ENODATA: it is not there yet; -ESTALE: it is no longer kept.
 */
int eventlog_line(const struct eventlog *log, uint64_t seq, char *buf,
		  size_t *ret_len);

/* The oldest line still kept; eventlog_next() if there is none. */
uint64_t eventlog_first(const struct eventlog *log);

#endif
