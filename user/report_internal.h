/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The sections of a report, and what they share. What fails in one is kept in
 * page->html, which then writes nothing more.
 */
#ifndef CORDON_REPORT_INTERNAL_H
#define CORDON_REPORT_INTERNAL_H

#include "evidence.h"
#include "exposure_status.h"
#include "html.h"
#include "report.h"

/* What the incident comes to, over all of its origins and destinations. */
struct report_totals {
	uint64_t read;
	uint64_t released;
	uint64_t suspect; /* read, of which some may have left */
	uint64_t bytes;	  /* that went through */
	uint64_t acts;
	uint64_t alerted;
	uint64_t blocked;
	uint64_t over_bytes;
	bool through;
	bool unknown; /* the fate of some is not known */
};

struct page {
	struct html html;
	const struct report *report;
	struct exposure_status status;
	struct report_totals totals;
};

#define put(page, ...) html_put(&(page)->html, __VA_ARGS__)

extern const char report_style[];

void report_summary(struct page *page);
void report_timeline(struct page *page);
void report_chain(struct page *page);
void report_flow(struct page *page);
void report_exposed(struct page *page);
void report_policy(struct page *page);
void report_proven(struct page *page);
void report_verify(struct page *page);
void report_notice(struct page *page);
void report_list(struct page *page);

/* Does a checkpoint stand for all lines of the incident? */
static inline bool report_is_signed(const struct report *report)
{
	return report->proof.verified &&
	       report->proof.signed_to >= report->proof.incident_last;
}

/* ---- words --------------------------------------------------------------- */

/* "s", or "" for one. */
static inline const char *plural(uint64_t n)
{
	return n == 1 ? "" : "s";
}

/* Milliseconds since 1970 of an RFC 3339 time in UTC. */
bool report_parse_time(const char *text, int64_t *ret_ms);

/* `2026-11-01 14:03:11.001', for tables; what is no time as it stands. */
void report_time(struct page *page, const char *text);

/* `1 November 2026 at 14:03 UTC', for sentences; "" if it is no time. */
#define REPORT_DATE_MAX 64
void report_date(const char *text, char buf[REPORT_DATE_MAX]);

/* `1.5 MiB (1,572,864 bytes)'; in a table's cell on two lines. */
void report_bytes(struct page *page, uint64_t bytes);
void report_bytes_cell(struct page *page, uint64_t bytes);

/* A cell with a number, empty if the line has none; with a text. */
void report_number_cell(struct page *page, const json_t *line, const char *key);
void report_text_cell(struct page *page, const char *text);

/* A term and its text in a <dl>; nothing if the text is "". */
void report_item(struct page *page, const char *term, const char *text);

/* `*' is everywhere that the policy has no name for. */
const char *report_destination(const char *name);

/* `tar [4711]'. */
void report_process(struct page *page, const json_t *line);

/*
 * Where an event went: `203.0.113.9 port 443'; "" if it does not say. A place
 * has the name too that this was seen as: anybody can have made that up, so it
 * stands behind, and never for the address.
 */
#define REPORT_PLACE_MAX 160
void report_address(const json_t *line, char buf[REPORT_PLACE_MAX]);
void report_place(const json_t *line, char buf[REPORT_PLACE_MAX]);

/* The different addresses of a destination that events tell of: by names, of
 * which an address can have any number, one could hide the others. */
#define REPORT_PLACES_MAX 8
struct report_places {
	char at[REPORT_PLACES_MAX][REPORT_PLACE_MAX];
	size_t n;
	size_t more; /* that found no room */
};
enum report_what { REPORT_THROUGH = 1, REPORT_BLOCKED = 2 };
/* what: a set of them. */
void report_places_find(const struct report *report, const char *destination,
			unsigned int what, struct report_places *ret_places);

/* Did this event's bytes leave (REPORT_THROUGH), were they blocked; else 0. */
unsigned int report_event_what(const json_t *event);

/* Of the flow and its table: `memory', in words. */
const char *report_kind_words(const char *kind);

#endif
