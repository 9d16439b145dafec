/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The last events, in memory, for `cordon events` and `cordon explain`. All of
 * them are in the evidence log; these are the same bytes.
 *
 * Places are counted from 1 for as long as the agent runs. They are not the
 * numbers of the lines in the evidence log, which has more than events.
 */
#ifndef CORDON_EVENTLOG_H
#define CORDON_EVENTLOG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "evidence.h"

#define EVENTLOG_KEPT	    4096
#define EVENTLOG_KEPT_BYTES (2U << 20)
#define EVENTLOG_LINE_MAX   EVIDENCE_LINE_MAX

struct eventlog;

/* 0 or -ENOMEM. */
int eventlog_new(struct eventlog **ret_log);

/* Takes NULL. */
void eventlog_free(struct eventlog *log);

/* The place that the next line gets. */
uint64_t eventlog_next(const struct eventlog *log);

/* Keeps a copy of the line, newline included, of at most EVENTLOG_LINE_MAX
 * bytes; the oldest make room. */
void eventlog_keep(struct eventlog *log, const char *line, size_t len,
		   int64_t time_s);

/* The first line kept with a time of since_s or later; eventlog_next() if
 * there is none. */
uint64_t eventlog_find(const struct eventlog *log, int64_t since_s);

/*
 * Copies the line at place with its newline to buf of EVENTLOG_LINE_MAX bytes.
 * 0; -ENODATA: it is not there yet; -ESTALE: it is no longer kept.
 */
int eventlog_line(const struct eventlog *log, uint64_t place, char *buf,
		  size_t *ret_len);

/* The oldest line still kept; eventlog_next() if there is none. */
uint64_t eventlog_first(const struct eventlog *log);

#endif
