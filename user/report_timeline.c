// SPDX-License-Identifier: GPL-2.0-only
/* What happened when: the moments that matter, then all that was told. */
#include "report_internal.h"

#include "array.h"
#include "text.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct moment {
	const char *what;
	const char *time;
	int64_t ms;
};

#define MOMENTS_MAX 8

static void add_moment(struct moment *moments, size_t *n, const char *what,
		       const char *time)
{
	struct moment moment = {.what = what, .time = time};
	size_t at = *n;

	if (!report_parse_time(time, &moment.ms) || *n == MOMENTS_MAX)
		return;
	for (; at > 0 && moments[at - 1].ms > moment.ms; at--)
		moments[at] = moments[at - 1];
	moments[at] = moment;
	(*n)++;
}

/* `+1 min 3.500 s' after the first one. */
static void put_since(struct page *page, int64_t ms)
{
	uint64_t s = (uint64_t)ms / 1000;

	put(page, "+");
	if (s >= 3600)
		put(page, "%'" PRIu64 " h ", s / 3600);
	if (s >= 60)
		put(page, "%" PRIu64 " min ", s / 60 % 60);
	put(page, "%" PRIu64 ".%" PRIu64 " s", s % 60,
	    (uint64_t)ms % 1000 / 100);
}

static void put_moments(struct page *page)
{
	const json_t *incident = page->report->incident;
	struct moment moments[MOMENTS_MAX];
	size_t n = 0;

#define ADD(what, key) \
	add_moment(moments, &n, what, evidence_text(incident, key))
	ADD("First reading", "first");
	ADD("First act over a budget", "first_verdict");
	ADD("First act refused", "first_block");
	ADD("Reported: the incident's line was on the disk", "reported");
	ADD("Last act over a budget", "last");
#undef ADD
	if (!n) {
		put(page, "<p>The evidence does not tell when.</p>\n");
		return;
	}
	put(page,
	    "<table class=\"narrow\"><caption>The moments that matter"
	    "</caption><thead><tr><th scope=\"col\">Time, UTC</th>"
	    "<th scope=\"col\">Since the first</th>"
	    "<th scope=\"col\" class=\"w\">What</th></tr></thead><tbody>\n");
	for (size_t i = 0; i < n; i++) {
		put(page, "<tr><td class=\"t\">");
		report_time(page, moments[i].time);
		put(page, "</td><td class=\"n\">");
		put_since(page, moments[i].ms - moments[0].ms);
		put(page, "</td><td>%s</td></tr>\n", moments[i].what);
	}
	put(page, "</tbody></table>\n");
}

/* ---- events -------------------------------------------------------------- */

static void put_used(struct page *page, const json_t *event)
{
	uint64_t used = evidence_number(event, "used");
	uint64_t max = evidence_number(event, "max");
	char window[TEXT_NUMBER_CHARS_MAX];

	if (!max)
		return;
	text_format_duration(evidence_number(event, "window_ns"), window,
			     sizeof(window));
	put(page, "; %'" PRIu64 " of %'" PRIu64 " %.16s in any %s used", used,
	    max, evidence_text(event, "budget"), window);
}

static void put_to(struct page *page, const json_t *event)
{
	const char *to = evidence_text(event, "destination");
	char place[REPORT_PLACE_MAX];

	if (strcmp(to, "read") == 0)
		return;
	report_place(event, place);
	put(page, " to <bdi>%s</bdi>", report_destination(to));
	if (place[0])
		put(page, ", %s,", place);
	if (evidence_text(event, "channel")[0])
		put(page, " by %s", evidence_text(event, "channel"));
}

static void put_verdict(struct page *page, const json_t *event)
{
	bool read = !strcmp(evidence_text(event, "destination"), "read");
	bool block = report_event_what(event) == REPORT_BLOCKED;
	const char *error = evidence_text(event, "error");

	put(page, block ? "<b class=\"bad\">Refused</b>: "
			: "<b class=\"poor\">Alert</b>, and it went on: ");
	put(page, "%s of %s", read ? "a reading" : "a release",
	    evidence_text(event, "dataset"));
	put_to(page, event);
	put_used(page, event);
	if (evidence_text(event, "rule")[0])
		put(page, "; rule <code>%s</code>",
		    evidence_text(event, "rule"));
	if (evidence_number(event, "repeats") > 1)
		put(page, "; %'" PRIu64 " such acts so far",
		    evidence_number(event, "repeats"));
	if (block && error[0])
		put(page, "; the program got %s", error);
}

static void put_start(struct page *page, const json_t *line)
{
	const json_t *adopted = json_object_get(line, "adopted");

	if (strcmp(evidence_text(line, "type"), "stop") == 0)
		put(page, "The agent stopped; the guard goes on enforcing and "
			  "counting");
	else if (json_is_false(adopted))
		put(page, "The agent started with a new guard");
	else
		put(page, "The agent started and took over the running guard");
}

/* Of the whole guard, not of this incident alone. */
static void put_faults(struct page *page, const json_t *line)
{
	json_t *counts = json_object_get(line, "counts"), *count;
	const char *name, *mark = ": ";

	put(page, "Faults of the guard so far");
	json_object_foreach (counts, name, count) {
		put(page, "%s%s (%'" PRIu64 ")", mark, name,
		    evidence_number(counts, name));
		mark = ", ";
	}
}

static void put_what(struct page *page, const json_t *event)
{
	const char *type = evidence_text(event, "type");
	const char *dataset = evidence_text(event, "dataset");
	const char *file = evidence_text(event, "file");

	if (strcmp(type, "first-read") == 0) {
		put(page, "First reading of %s", dataset);
	} else if (strcmp(type, "first-release") == 0) {
		put(page, "<b class=\"poor\">First bytes</b> of %s let through",
		    dataset);
		put_to(page, event);
		if (json_is_true(json_object_get(event, "several")))
			put(page, ", of several origins, perhaps not of these");
	} else if (strcmp(type, "budget") == 0) {
		put(page, "Budget of %s", dataset);
		put_to(page, event);
		put_used(page, event);
	} else if (strcmp(type, "verdict") == 0) {
		put_verdict(page, event);
	} else if (strcmp(type, "fault") == 0) {
		put(page, "Fault: %s", evidence_text(event, "fault"));
	} else if (strcmp(type, "faults") == 0) {
		put_faults(page, event);
	} else if (!strcmp(type, "start") || !strcmp(type, "stop")) {
		put_start(page, event);
	} else {
		put(page, "%s", type);
	}
	if (file[0])
		put(page, "; file <code>%s</code>", file);
}

static void put_event(struct page *page, const json_t *event)
{
	put(page, "<tr><td class=\"t\">");
	report_time(page, evidence_text(event, "time"));
	put(page, "</td><td>");
	put_what(page, event);
	put(page, "</td><td>");
	report_process(page, event);
	if (evidence_text(event, "user")[0])
		put(page, "<small>%s</small>", evidence_text(event, "user"));
	put(page, "</td>");
	if (evidence_number(event, "bytes"))
		report_bytes_cell(page, evidence_number(event, "bytes"));
	else
		put(page, "<td></td>");
	report_number_cell(page, event, "records");
	report_number_cell(page, event, "seq");
	put(page, "</tr>\n");
}

struct line {
	const json_t *line;
	int64_t ms;
	size_t at;
};

static int compare_lines(const void *a, const void *b)
{
	const struct line *x = a, *y = b;

	if (x->ms != y->ms)
		return x->ms < y->ms ? -1 : 1;
	return x->at < y->at ? -1 : x->at > y->at;
}

static int add_lines(struct line **lines, size_t *n, const json_t *from)
{
	struct line *more;
	const json_t *line;
	size_t i;

	json_array_foreach (from, i, line) {
		more = array_grow(*lines, *n, sizeof(*more));
		if (!more)
			return -ENOMEM;
		*lines = more;
		more[*n] = (struct line){.line = line, .at = *n};
		(void)report_parse_time(evidence_text(line, "time"),
					&more[*n].ms);
		(*n)++;
	}
	return 0;
}

static void put_events(struct page *page)
{
	const struct report *report = page->report;
	struct line *lines = NULL;
	size_t n = 0;
	int r;

	r = add_lines(&lines, &n, report->events);
	if (!r)
		r = add_lines(&lines, &n, report->starts);
	if (r && !page->html.r)
		page->html.r = r;
	if (!n)
		goto out;
	qsort(lines, n, sizeof(*lines), compare_lines);
	put(page, "<table><caption>What was told, as it happened</caption>"
		  "<thead><tr><th scope=\"col\">Time, UTC</th>"
		  "<th scope=\"col\" class=\"w\">What</th><th scope=\"col\" "
		  "class=\"p\">Process</th>"
		  "<th scope=\"col\" class=\"n\">Bytes</th>"
		  "<th scope=\"col\" class=\"n\">Records</th>"
		  "<th scope=\"col\" class=\"n\">Line</th></tr></thead>"
		  "<tbody>\n");
	for (size_t i = 0; i < n; i++)
		put_event(page, lines[i].line);
	put(page, "</tbody></table>\n");
out:
	free(lines);
	if (report->events_left_out)
		put(page,
		    "<p class=\"note\">%'" PRIu64 " more event%s of this "
		    "incident %s in the evidence, but not here.</p>\n",
		    report->events_left_out, plural(report->events_left_out),
		    report->events_left_out == 1 ? "is" : "are");
	put(page, "<p class=\"note\">Times are those of the host's clock. Acts "
		  "like one that was told before are counted, and told only "
		  "now and then.</p>\n");
}

void report_timeline(struct page *page)
{
	put(page, "<section aria-labelledby=\"timeline\">\n"
		  "<h2 id=\"timeline\">Timeline</h2>\n");
	put_moments(page);
	put_events(page);
	put(page, "</section>\n");
}
