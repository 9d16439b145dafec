// SPDX-License-Identifier: GPL-2.0-only
/*
 * Whose records: what is known of them all at once, and at the end of the page
 * every single one.
 */
#include "report_internal.h"

#include "array.h"
#include "exposed.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* So many get a line each; more stand in columns, or nobody prints them. */
#define ROWS_MAX 60

/* Browsers take minutes to break one list of 47,000 into columns and pages. */
#define LIST_MAX 300

static void put_fate(struct page *page, const struct exposure_share *share)
{
	struct report_places places;
	const struct exposure_way *way;
	const char *lead = " to ";

	if (share->fate != EXPOSURE_RELEASED) {
		put(page, "<b class=\"%s\">%s</b>",
		    share->fate == EXPOSURE_CONTAINED ? "good" : "poor",
		    exposure_fate_name(share->fate));
		return;
	}
	put(page, "<b class=\"bad\">%s</b>", exposure_fate_name(share->fate));
	for (size_t i = 0; i < share->n_ways; i++) {
		way = &share->ways[i];
		if (!way->through)
			continue;
		put(page, "%s<bdi>%s</bdi>", lead,
		    report_destination(way->destination));
		report_places_find(page->report, way->destination,
				   REPORT_THROUGH, &places);
		if (places.n)
			put(page, " (%s%s)", places.at[0],
			    places.n + places.more > 1 ? " and others" : "");
		put(page, ", at most %'" PRIu64 " of these %'" PRIu64,
		    way->records, share->read);
		lead = "; to ";
	}
}

/* From the lower bound to the upper one. */
static void put_bounds(struct page *page, uint64_t most)
{
	put(page, "<td class=\"n\">%s%'" PRIu64 "</td>", most ? "0 to " : "",
	    most);
}

static void put_share(struct page *page, const struct exposure_share *share)
{
	put(page,
	    "<tr><th scope=\"row\">%s</th><td class=\"n\">%" PRIu64 "</td>",
	    share->dataset, share->origin);
	put_bounds(page, share->read);
	put(page, "<td class=\"n\">%'" PRIu64 "</td>", share->listed);
	put_bounds(page, share->released);
	put(page, "<td>");
	put_fate(page, share);
	put(page, "</td></tr>\n");
}

static void put_method(struct page *page)
{
	put(page,
	    "<h3 id=\"bounds\">How to read these numbers</h3>\n"
	    "<ul class=\"plain\">\n<li><b>Read</b> is an upper bound. A record "
	    "is marked before its bytes move, so one whose reading failed, or "
	    "was cut short, is counted too. The lower bound is 0.</li>\n"
	    "<li><b>May have left</b> is an upper bound. Cordon counts what a "
	    "sender can have at most, and the bytes that leave; it does not "
	    "look into them, and they may be compressed or encrypted. They may "
	    "hold no record at all, so the lower bound is 0.</li>\n"
	    "<li><b>Contained</b>: the guard's ledger has no byte of what this "
	    "chain read that was let through to any destination.</li>\n"
	    "<li><b>Possibly released</b>, at most <i>k</i> of these <i>m</i>: "
	    "<i>k</i> is what the ledger charged for that destination, never "
	    "more than the <i>m</i> read. What exceeded a budget and went on, "
	    "because the policy only alerts, is in it. Which <i>k</i> they are "
	    "nobody can tell: each of the <i>m</i> can be one of them.</li>\n"
	    "</ul>\n");
}

static void put_missing(struct page *page)
{
	const struct exposure_share *share;
	uint64_t missing;

	for (size_t i = 0; i < page->status.n; i++) {
		share = &page->status.shares[i];
		missing = share->read - share->listed;
		if (missing)
			put(page,
			    "<p class=\"note\">Of %s (origin %" PRIu64
			    "), %'" PRIu64 " record%s counted as read %s not "
			    "in the list: the evidence at hand does not "
			    "name %s.</p>\n",
			    share->dataset, share->origin, missing,
			    plural(missing), missing == 1 ? "is" : "are",
			    missing == 1 ? "it" : "them");
	}
}

void report_exposed(struct page *page)
{
	put(page, "<section aria-labelledby=\"exposed\">\n"
		  "<h2 id=\"exposed\">Exposed records</h2>\n");
	if (!page->status.n) {
		put(page, "<p>The evidence does not say that any record was "
			  "read.</p>\n</section>\n");
		return;
	}
	put(page, "<table><caption>Records by dataset, and by the chain of "
		  "processes (origin) that read them</caption><thead><tr>"
		  "<th scope=\"col\">Dataset</th>"
		  "<th scope=\"col\" class=\"n\">Origin</th>"
		  "<th scope=\"col\" class=\"n\">Read</th>"
		  "<th scope=\"col\" class=\"n\">Listed by name</th>"
		  "<th scope=\"col\" class=\"n\">May have left</th>"
		  "<th scope=\"col\">Status of each of them</th></tr></thead>"
		  "<tbody>\n");
	for (size_t i = 0; i < page->status.n; i++)
		put_share(page, &page->status.shares[i]);
	put(page, "</tbody></table>\n");
	put_missing(page);
	put(page, "<p>Every record is in <a href=\"#list\">the list at the "
		  "end</a>.</p>\n");
	put_method(page);
	put(page, "</section>\n");
}

/* ---- every single one ---------------------------------------------------- */

/* A record: a file, or rows of one. */
struct record {
	const char *place;    /* directory of a file, or the file of rows */
	const char *name;     /* of a file; NULL: gone before it was known */
	const char *key;      /* of a row, if the policy names its column */
	uint64_t number;      /* of a file */
	uint64_t first, last; /* rows */
	bool rows;
};

struct records {
	struct record *records;
	size_t n;
};

static int add(struct records *records, const struct record *record)
{
	struct record *more;

	more = array_grow(records->records, records->n, sizeof(*more));
	if (!more)
		return -ENOMEM;
	records->records = more;
	more[records->n++] = *record;
	return 0;
}

static uint64_t number_at(const json_t *array, size_t i)
{
	json_int_t n = json_integer_value(json_array_get(array, i));

	return n > 0 ? (uint64_t)n : 0;
}

static int add_files(struct records *records, const json_t *line)
{
	struct record record = {.place = evidence_text(line, "dir")};
	const json_t *item;
	size_t i;
	int r = 0;

	json_array_foreach (json_object_get(line, "files"), i, item) {
		record.number = number_at(item, 0);
		record.name = json_string_value(json_array_get(item, 1));
		if (!r)
			r = add(records, &record);
	}
	record.name = NULL;
	record.place = "";
	json_array_foreach (json_object_get(line, "unnamed"), i, item) {
		record.number = number_at(json_object_get(line, "unnamed"), i);
		if (!r)
			r = add(records, &record);
	}
	return r;
}

/* With keys, each row is one; without, each run. */
static int add_rows(struct records *records, const json_t *line)
{
	const json_t *keys = json_object_get(line, "keys"), *range;
	struct record record = {.place = evidence_text(line, "file"),
				.rows = true};
	size_t i, key = 0;
	int r = 0;

	json_array_foreach (json_object_get(line, "rows"), i, range) {
		uint64_t last = number_at(range, 1);

		record.key = NULL;
		record.first = number_at(range, 0);
		record.last = last;
		for (;
		     !r && record.first <= last && key < json_array_size(keys);
		     record.first++) {
			record.last = record.first;
			record.key =
				json_string_value(json_array_get(keys, key++));
			r = add(records, &record);
		}
		record.key = NULL;
		record.last = last;
		if (!r && record.first <= last)
			r = add(records, &record);
	}
	return r;
}

static int compare_numbers(uint64_t a, uint64_t b)
{
	return a < b ? -1 : a > b;
}

/* By place; files by name, those without one last; rows by number. */
static int compare_records(const void *a, const void *b)
{
	const struct record *x = a, *y = b;
	int r = strcmp(x->place, y->place);

	if (!x->rows && !y->rows && !x->name != !y->name)
		return x->name ? -1 : 1;
	if (!r && x->name && y->name)
		r = strcmp(x->name, y->name);
	if (!r)
		r = compare_numbers(x->number, y->number);
	if (!r)
		r = compare_numbers(x->first, y->first);
	/* One with a key before the same one without. */
	if (!r && x->key && y->key)
		return strcmp(x->key, y->key);
	return r ? r : !x->key - !y->key;
}

/* Was it told before? The next agent may tell of it again. What was written
 * to a row meanwhile may make it somebody else's: both are told. */
static bool is_told(const struct record *record)
{
	const struct record *before = record - 1;

	return strcmp(record->place, before->place) == 0 &&
	       record->rows == before->rows &&
	       record->number == before->number &&
	       record->first == before->first && record->last == before->last &&
	       (!record->key ||
		(before->key && strcmp(record->key, before->key) == 0)) &&
	       !record->name == !before->name &&
	       (!record->name || strcmp(record->name, before->name) == 0);
}

static void put_rows(struct page *page, const struct record *record)
{
	put(page, "%'" PRIu64, record->first);
	if (record->last > record->first)
		put(page, " to %'" PRIu64, record->last);
}

static void put_name(struct page *page, const struct record *record)
{
	if (record->rows) {
		put_rows(page, record);
		if (record->key)
			put(page, " <b>%s</b>", record->key);
	} else if (record->name) {
		put(page, "%s", record->name);
	} else {
		put(page, "no. %" PRIu64, record->number);
	}
}

static bool same_place(const struct record *a, const struct record *b)
{
	return a->rows == b->rows && !a->name == !b->name &&
	       strcmp(a->place, b->place) == 0;
}

static void put_heading(struct page *page, const struct record *record)
{
	if (record->rows)
		put(page, "<h4>Rows of <code>%s</code></h4>\n", record->place);
	else if (record->name)
		put(page, "<h4>Files in <code>%s</code></h4>\n", record->place);
	else
		put(page, "<h4>Gone before their names were looked up: the "
			  "guard's numbers</h4>\n");
}

/* In columns, below the name of their directory. */
static void put_columns(struct page *page, const struct records *records)
{
	const struct record *record;
	size_t in_list = 0;
	bool same;

	for (size_t i = 0; i < records->n; i++) {
		record = &records->records[i];
		same = i && same_place(record, record - 1);
		if (same && is_told(record))
			continue;
		if (in_list && (!same || in_list == LIST_MAX)) {
			put(page, "</ul>\n");
			in_list = 0;
		}
		if (!same)
			put_heading(page, record);
		put(page, in_list++ ? "<li>" : "<ul class=\"names\">\n<li>");
		put_name(page, record);
		put(page, "</li>\n");
	}
	put(page, in_list ? "</ul>\n" : "");
}

static void put_record(struct page *page, const struct record *record,
		       const struct exposure_share *share)
{
	put(page, "<tr><th scope=\"row\">");
	if (record->rows)
		put(page, "<code>%s</code>", record->place);
	else if (record->name)
		put(page, "<code>%s/%s</code>", record->place, record->name);
	else
		put(page,
		    "(gone before its name was known: number %" PRIu64 ")",
		    record->number);
	put(page, "</th><td>");
	if (record->rows)
		put_rows(page, record);
	put(page, "</td><td>%s</td><td>", record->key ? record->key : "");
	put_fate(page, share);
	put(page, "</td></tr>\n");
}

static void put_table(struct page *page, const struct records *records,
		      const struct exposure_share *share)
{
	put(page, "<table><thead><tr><th scope=\"col\">File</th>"
		  "<th scope=\"col\">Rows</th><th scope=\"col\">Key</th>"
		  "<th scope=\"col\">Status</th></tr></thead><tbody>\n");
	for (size_t i = 0; i < records->n; i++)
		if (!i || !is_told(&records->records[i]))
			put_record(page, &records->records[i], share);
	put(page, "</tbody></table>\n");
}

static bool is_of(const json_t *line, const struct exposure_share *share)
{
	return evidence_number(line, "origin") == share->origin &&
	       strcmp(evidence_text(line, "dataset"), share->dataset) == 0;
}

/* The policy names keys, but the agent could not read some. */
static void put_keyless(struct page *page, const struct exposure_share *share)
{
	const json_t *line;
	const char *why;
	size_t i;

	json_array_foreach (page->report->exposed, i, line) {
		why = evidence_text(line, "keys_why");
		if (!why[0] || !is_of(line, share))
			continue;
		put(page,
		    "<p class=\"note\">Some rows of <code>%s</code> have no "
		    "keys here: %s when they were to be written down. Their "
		    "numbers tell which rows of the file they were.</p>\n",
		    evidence_text(line, "file"), exposed_keys_words(why));
		return; /* one is enough to look for others */
	}
}

static int put_list(struct page *page, const struct exposure_share *share)
{
	struct records records = {0};
	const json_t *line;
	size_t i;
	int r = 0;

	json_array_foreach (page->report->exposed, i, line) {
		if (r || !is_of(line, share))
			continue;
		r = add_files(&records, line);
		if (!r)
			r = add_rows(&records, line);
	}
	if (records.n)
		qsort(records.records, records.n, sizeof(*records.records),
		      compare_records);
	put(page, "<h3>%s, origin %" PRIu64 ": %'" PRIu64 " record%s</h3>\n",
	    share->dataset, share->origin, share->listed,
	    plural(share->listed));
	put_keyless(page, share);
	if (!records.n) {
		put(page, "<p>The evidence at hand names none of them.</p>\n");
	} else if (records.n <= ROWS_MAX) {
		put_table(page, &records, share);
	} else {
		put(page, "<p>Read by this chain, each of them at most. Status "
			  "of each: ");
		put_fate(page, share);
		put(page, ".</p>\n");
		put_columns(page, &records);
	}
	free(records.records);
	return r;
}

void report_list(struct page *page)
{
	int r;

	put(page, "<section class=\"annex\" aria-labelledby=\"list\">\n"
		  "<h2 id=\"list\">List of the records read</h2>\n");
	if (!page->status.n)
		put(page, "<p>None.</p>\n");
	for (size_t i = 0; i < page->status.n; i++) {
		r = put_list(page, &page->status.shares[i]);
		if (r && !page->html.r)
			page->html.r = r;
	}
	put(page, "</section>\n");
}
