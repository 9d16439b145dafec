/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the agent tells, as a scraper reads it: OpenMetrics 1.0, or the text
 * format 0.0.4 of Prometheus, which is its ancestor.
 *
 * A series is never about a process, an origin or a user: there would be new
 * ones for ever. What differs only in these is added up, or the fullest counts.
 */
#ifndef CORDON_METRICS_H
#define CORDON_METRICS_H

#include <stdbool.h>
#include <stddef.h>
#include <jansson.h>

/* Of all lines together; a ledger has 16,384 and a status some thousands. */
#define METRICS_ROWS_MAX 65536

/* A name is cut behind so many bytes. */
#define METRICS_LABEL_BYTES_MAX 256

enum metrics_format {
	METRICS_CLASSIC,
	METRICS_OPENMETRICS,
	METRICS_FORMAT_MAX,
};

struct metrics;

/* NULL: no memory. */
struct metrics *metrics_new(void);
void metrics_free(struct metrics *metrics);

/*
 * Takes one line of the replies to CONTROL_STATUS and CONTROL_LEDGER; others
 * are ignored. 0, -ENOMEM; -E2BIG: beyond METRICS_ROWS_MAX.
 */
int metrics_take(struct metrics *metrics, const json_t *line);

/*
 * All of it, in memory that the caller free()s, in an order that depends on
 * nothing else. up: the agent answered; if not, that is all that is told. 0 or
 * -ENOMEM.
 */
int metrics_render(struct metrics *metrics, enum metrics_format format, bool up,
		   char **ret_text, size_t *ret_len);

/*
 * The format that an Accept header (NULL: there is none) likes best; only who
 * asks for OpenMetrics gets it.
 */
enum metrics_format metrics_negotiate(const char *accept);

/* Its Content-Type; static. */
const char *metrics_content_type(enum metrics_format format);

#endif
