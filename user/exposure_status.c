// SPDX-License-Identifier: GPL-2.0-only
#include "exposure_status.h"

#include "array.h"
#include "event.h"
#include "evidence.h"
#include "text.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define CLOCK_SLACK_MS 10 /* its two clocks are read one after the other */

uint64_t exposure_add_up(uint64_t a, uint64_t b)
{
	return a > UINT64_MAX - b ? UINT64_MAX : a + b;
}

bool exposure_is_out(const char *destination)
{
	return destination[0] && strcmp(destination, "read") != 0 &&
	       strcmp(destination, "intake") != 0;
}

const char *exposure_fate_name(enum exposure_fate fate)
{
	return fate == EXPOSURE_CONTAINED  ? "contained"
	       : fate == EXPOSURE_RELEASED ? "possibly released"
					   : "not known";
}

static struct exposure_share *find(const struct exposure_status *status,
				   uint64_t origin, const char *dataset)
{
	for (size_t i = 0; i < status->n; i++)
		if (status->shares[i].origin == origin &&
		    strcmp(status->shares[i].dataset, dataset) == 0)
			return &status->shares[i];
	return NULL;
}

const struct exposure_share *
exposure_status_find(const struct exposure_status *status, uint64_t origin,
		     const char *dataset)
{
	return find(status, origin, dataset);
}

/* The one that the line is of, new if need be. NULL: no memory. */
static struct exposure_share *share_of(struct exposure_status *status,
				       const json_t *line)
{
	uint64_t origin = evidence_number(line, "origin");
	const char *dataset = evidence_text(line, "dataset");
	struct exposure_share *share = find(status, origin, dataset);

	if (share)
		return share;
	share = array_grow(status->shares, status->n, sizeof(*share));
	if (!share)
		return NULL;
	status->shares = share;
	share = &share[status->n++];
	*share = (struct exposure_share){.origin = origin, .dataset = dataset};
	return share;
}

static struct exposure_way *way_of(struct exposure_share *share,
				   const char *destination)
{
	struct exposure_way *way;

	for (size_t i = 0; i < share->n_ways; i++)
		if (strcmp(share->ways[i].destination, destination) == 0)
			return &share->ways[i];
	way = array_grow(share->ways, share->n_ways, sizeof(*way));
	if (!way)
		return NULL;
	share->ways = way;
	way = &way[share->n_ways++];
	*way = (struct exposure_way){.destination = destination};
	return way;
}

/* ---- what was read ------------------------------------------------------- */

/* Records that follow each other: rows of a file, or (file 0) files. */
struct run {
	uint64_t file;
	uint64_t first;
	uint64_t last;
};

struct runs {
	struct run *runs;
	size_t n;
};

static int add_run(struct runs *runs, uint64_t file, const json_t *first,
		   const json_t *last)
{
	json_int_t from = json_integer_value(first);
	json_int_t to = json_integer_value(last);
	struct run *run;

	if (from < 0 || to < from)
		return 0;
	run = array_grow(runs->runs, runs->n, sizeof(*run));
	if (!run)
		return -ENOMEM;
	runs->runs = run;
	run[runs->n++] = (struct run){
		.file = file, .first = (uint64_t)from, .last = (uint64_t)to};
	return 0;
}

static int add_exposed(struct runs *runs, const json_t *line)
{
	const json_t *item;
	size_t i;
	int r = 0;

	json_array_foreach (json_object_get(line, "files"), i, item) {
		if (!r)
			r = add_run(runs, 0, json_array_get(item, 0),
				    json_array_get(item, 0));
	}
	json_array_foreach (json_object_get(line, "unnamed"), i, item) {
		if (!r)
			r = add_run(runs, 0, item, item);
	}
	json_array_foreach (json_object_get(line, "rows"), i, item) {
		if (!r)
			r = add_run(runs, evidence_number(line, "record"),
				    json_array_get(item, 0),
				    json_array_get(item, 1));
	}
	return r;
}

static int compare_runs(const void *a, const void *b)
{
	const struct run *x = a, *y = b;

	if (x->file != y->file)
		return x->file < y->file ? -1 : 1;
	if (x->first != y->first)
		return x->first < y->first ? -1 : 1;
	return 0;
}

/* The next agent can tell of a record that the one before it told of. */
static uint64_t count_distinct(struct runs *runs)
{
	uint64_t n = 0, next = 0, first;
	const struct run *run;

	if (runs->n)
		qsort(runs->runs, runs->n, sizeof(*run), compare_runs);
	for (size_t i = 0; i < runs->n; i++) {
		run = &runs->runs[i];
		if (!i || run->file != run[-1].file)
			next = 0;
		first = run->first > next ? run->first : next;
		if (run->last < first)
			continue;
		n = exposure_add_up(n, run->last - first + 1);
		next = run->last + 1;
	}
	return n;
}

static int count_listed(struct exposure_share *share, const json_t *exposed)
{
	struct runs runs = {0};
	const json_t *line;
	size_t i;
	int r = 0;

	json_array_foreach (exposed, i, line) {
		if (evidence_number(line, "origin") != share->origin ||
		    strcmp(evidence_text(line, "dataset"), share->dataset) != 0)
			continue;
		r = add_exposed(&runs, line);
		if (r)
			goto out;
	}
	share->listed = count_distinct(&runs);
	if (share->listed > share->read)
		share->read = share->listed;
out:
	free(runs.runs);
	return r;
}

/* ---- what went out ------------------------------------------------------- */

static bool is_of_several(const json_t *line)
{
	return json_is_true(json_object_get(line, "several"));
}

static int add_way(struct exposure_share *share, const json_t *line)
{
	uint64_t over = evidence_number(line, "over_acts");
	uint64_t blocked = evidence_number(line, "blocked_acts");
	struct exposure_way *way =
		way_of(share, evidence_text(line, "destination"));

	if (!way)
		return -ENOMEM;
#define ADD(member, n) (way->member = exposure_add_up(way->member, n))
	ADD(acts, evidence_number(line, "acts"));
	ADD(bytes, evidence_number(line, "bytes"));
	ADD(records, evidence_number(line, "records"));
	ADD(over_bytes, evidence_number(line, "over_bytes"));
	ADD(blocked_acts, blocked);
	ADD(alerted_acts, over > blocked ? over - blocked : 0);
#undef ADD
	return 0;
}

static int take_ledger(struct exposure_status *status, const json_t *line)
{
	const char *destination = evidence_text(line, "destination");
	struct exposure_share *share;

	if (is_of_several(line))
		return 0;
	share = share_of(status, line);
	if (!share)
		return -ENOMEM;
	share->counted = true;
	/* Of an origin that the incident's line leaves out. */
	if (strcmp(destination, "read") == 0 && !share->told)
		share->read = exposure_add_up(share->read,
					      evidence_number(line, "records"));
	return exposure_is_out(destination) ? add_way(share, line) : 0;
}

/*
 * When, in milliseconds since the host booted; -1: the line does not tell. Its
 * times of day are of the clock as it was when the line was written.
 */
static int64_t boot_ms(const json_t *line, const char *key)
{
	uint64_t written_ns = evidence_number(line, "boottime_ns");
	int64_t written_ms, ms;

	if (!written_ns ||
	    text_parse_time_ms(evidence_text(line, "time"), &written_ms) ||
	    text_parse_time_ms(evidence_text(line, key), &ms))
		return -1;
	return (int64_t)(written_ns / 1000000) - (written_ms - ms);
}

/* Was it over when the share began? Clocks are set: by the time of day only if
 * there is no other. */
static bool is_before(const struct exposure_share *share, const json_t *line,
		      const char *key)
{
	const char *time = evidence_text(line, key);
	int64_t ms = boot_ms(line, key);

	if (!share->first || !time[0])
		return false;
	if (ms >= 0 && share->first_ms >= 0)
		return ms + CLOCK_SLACK_MS < share->first_ms;
	return strcmp(time, share->first) < 0;
}

/*
 * What somebody sent who held shares of several origins is told under none of
 * them: so it can have been of each that had begun by then. Of no dataset: of
 * any.
 */
static bool can_be_of(const struct exposure_share *share, const json_t *line,
		      const char *when)
{
	const char *dataset = evidence_text(line, "dataset");

	return (strcmp(dataset, share->dataset) == 0 ||
		strcmp(dataset, "*") == 0) &&
	       !is_before(share, line, when);
}

static int take_several(struct exposure_status *status, const json_t *line)
{
	int r = 0;

	if (!is_of_several(line) ||
	    !exposure_is_out(evidence_text(line, "destination")))
		return 0;
	for (size_t i = 0; !r && i < status->n; i++)
		if (can_be_of(&status->shares[i], line, "last"))
			r = add_way(&status->shares[i], line);
	return r;
}

/*
 * Some ways out do not count their bytes when an act is judged: one that was
 * charged records can have sent them. And some that only raise an alert are
 * charged no records: then it can have been all.
 */
static void bound(struct exposure_share *share)
{
	struct exposure_way *way;

	for (size_t i = 0; i < share->n_ways; i++) {
		way = &share->ways[i];
		way->through = way->bytes || way->records ||
			       way->alerted_acts || way->told;
		if (!way->through)
			continue;
		if (!way->records || way->records > share->read)
			way->records = share->read;
		share->released =
			exposure_add_up(share->released, way->records);
		share->fate = EXPOSURE_RELEASED;
	}
	if (share->released > share->read)
		share->released = share->read;
}

static bool tells_of_release(const json_t *event)
{
	return exposure_is_out(evidence_text(event, "destination")) &&
	       (strcmp(evidence_text(event, "type"), "first-release") == 0 ||
		strcmp(evidence_text(event, "verdict"), "alert") == 0);
}

static int tell_way(struct exposure_share *share, const json_t *event)
{
	struct exposure_way *way =
		way_of(share, evidence_text(event, "destination"));

	if (!way)
		return -ENOMEM;
	way->told = true;
	return 0;
}

/* What the guard had no room for can have been a release. */
static bool tells_of_loss(const json_t *event)
{
	const json_t *counts = json_object_get(event, "counts");

	return strcmp(evidence_text(event, "type"), "faults") == 0 &&
	       (json_object_get(counts, event_fault_name(FAULT_LEDGER_FULL)) ||
		json_object_get(counts, event_fault_name(FAULT_EVENT_LOST)));
}

/* An event can be in the log some seconds before its row of the ledger. */
static int take_event(struct exposure_status *status, const json_t *event)
{
	struct exposure_share *share;

	if (tells_of_loss(event))
		status->uncounted = true;
	if (is_of_several(event) ||
	    (!tells_of_release(event) &&
	     strcmp(evidence_text(event, "type"), "first-read") != 0))
		return 0;
	share = share_of(status, event);
	if (!share)
		return -ENOMEM;
	if (!tells_of_release(event)) {
		share->began = true;
		share->first = evidence_text(event, "time");
		share->first_ms = boot_ms(event, "time");
		return 0;
	}
	return tell_way(share, event);
}

static int take_event_of_several(struct exposure_status *status,
				 const json_t *event)
{
	int r = 0;

	if (!is_of_several(event) || !tells_of_release(event))
		return 0;
	for (size_t i = 0; !r && i < status->n; i++)
		if (can_be_of(&status->shares[i], event, "time"))
			r = tell_way(&status->shares[i], event);
	return r;
}

/* Does the incident count more than the rows of the ledger here? */
static bool has_more(const struct exposure_status *status,
		     const json_t *incident)
{
	const struct exposure_share *share;
	uint64_t bytes = 0;

	for (size_t i = 0; i < status->n; i++) {
		share = &status->shares[i];
		for (size_t k = 0; k < share->n_ways; k++)
			bytes = exposure_add_up(bytes, share->ways[k].bytes);
	}
	return evidence_number(incident, "released_bytes") > bytes;
}

static bool is_uncounted(const json_t *incident)
{
	const json_t *gap;
	const char *why;
	size_t i;

	json_array_foreach (json_object_get(incident, "gaps"), i, gap) {
		why = evidence_text(gap, "why");
		if (strcmp(why, "rows") == 0 || strcmp(why, "unknown") == 0)
			return true;
	}
	return false;
}

static int take_origins(struct exposure_status *status, const json_t *incident)
{
	struct exposure_share *share;
	const json_t *origin;
	size_t i;

	json_array_foreach (json_object_get(incident, "origins"), i, origin) {
		share = share_of(status, origin);
		if (!share)
			return -ENOMEM;
		share->told = true;
		share->read = evidence_number(origin, "records");
		share->read_bytes = evidence_number(origin, "bytes");
	}
	return 0;
}

int exposure_status_make(const json_t *incident, const json_t *ledger,
			 const json_t *exposed, const json_t *events,
			 struct exposure_status *ret_status)
{
	struct exposure_status status = {.uncounted = is_uncounted(incident)};
	struct exposure_share *share;
	const json_t *line;
	size_t i;
	int r;

	r = take_origins(&status, incident);
	json_array_foreach (ledger, i, line) {
		if (!r)
			r = take_ledger(&status, line);
	}
	json_array_foreach (exposed, i, line) {
		if (!r && !share_of(&status, line))
			r = -ENOMEM;
	}
	json_array_foreach (events, i, line) {
		if (!r)
			r = take_event(&status, line);
	}
	json_array_foreach (ledger, i, line) {
		if (!r)
			r = take_several(&status, line);
	}
	json_array_foreach (events, i, line) {
		if (!r)
			r = take_event_of_several(&status, line);
	}
	if (has_more(&status, incident))
		status.uncounted = true;
	for (i = 0; i < status.n && !r; i++) {
		share = &status.shares[i];
		r = count_listed(share, exposed);
		bound(share);
		if (share->fate == EXPOSURE_CONTAINED &&
		    (status.uncounted || !share->counted || !share->began))
			share->fate = EXPOSURE_UNKNOWN;
	}
	if (r)
		exposure_status_release(&status);
	else
		*ret_status = status;
	return r;
}

void exposure_status_release(struct exposure_status *status)
{
	for (size_t i = 0; i < status->n; i++)
		free(status->shares[i].ways);
	free(status->shares);
	*status = (struct exposure_status){0};
}
