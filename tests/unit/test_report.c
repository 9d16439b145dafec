// SPDX-License-Identifier: GPL-2.0-only
/*
 * The report about an incident: what is in the page, for the example that is in
 * golden/report.jsonl, for nothing at all, and for the worst that a host can
 * put into its lines. test_report_page reads these pages as a browser does.
 *
 * usage: test_report [--write PAGE], in the top directory; one of pages[] goes
 * to standard output. CONTRIBUTING.md says how golden/report.html is made.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <errno.h>

#include "evidence.h"
#include "html.h"
#include "report.h"
#include "report_flow.h"

#define GOLDEN "tests/unit/golden/report"

/* Lines of an incident, to write and to let go. */
struct lines {
	json_t *incident, *policy;
	json_t *actors, *steps, *ledger, *events, *exposed, *starts;
};

static void lines_begin(struct lines *lines)
{
	*lines = (struct lines){.actors = json_array(),
				.steps = json_array(),
				.ledger = json_array(),
				.events = json_array(),
				.exposed = json_array(),
				.starts = json_array()};
}

static void lines_end(struct lines *lines)
{
	json_decref(lines->incident);
	json_decref(lines->policy);
	json_decref(lines->actors);
	json_decref(lines->steps);
	json_decref(lines->ledger);
	json_decref(lines->events);
	json_decref(lines->exposed);
	json_decref(lines->starts);
}

static struct report report_of(const struct lines *lines)
{
	return (struct report){
		.number = 7,
		.host = "cardprint-01",
		.made = "2026-11-14T02:45:00Z",
		.version = "0.1.0",
		.incident = lines->incident,
		.actors = lines->actors,
		.steps = lines->steps,
		.ledger = lines->ledger,
		.events = lines->events,
		.exposed = lines->exposed,
		.policy = lines->policy,
		.starts = lines->starts,
		.proof = {.verified = true,
			  .key_id = "4f1d0c6ab2937e58",
			  .own_key = true,
			  .first = 1,
			  .last = 48210,
			  .signed_to = 48210,
			  .last_hash =
				  "9b0c31f2aa5d6f0e7c1b8d34e2f6a7905c44bb10"
				  "d8e3f1720a9c6b5e4d3f2a10",
			  .incident_first = 48102,
			  .incident_last = 48210},
	};
}

/* What report_write() makes of it; for free(3). */
static char *written(const struct report *report, size_t *ret_len)
{
	char *text = NULL;
	FILE *out = open_memstream(&text, ret_len);

	assert_non_null(out);
	assert_int_equal(report_write(out, report), 0);
	assert_int_equal(fclose(out), 0);
	return text;
}

/* ---- pages --------------------------------------------------------------- */

static void add_photos(struct lines *lines, int first, int last)
{
	json_t *files;
	char name[32];

	for (int i = first; i <= last;) {
		files = json_array();
		for (int n = 0; n < 300 && i <= last; n++, i++) {
			(void)snprintf(name, sizeof(name), "%06d.jpg", i);
			json_array_append_new(files,
					      json_pack("[i, s]", i, name));
		}
		json_array_append_new(lines->exposed,
				      json_pack("{s:s, s:i, s:s, s:s, s:o}",
						"type", "exposed", "origin", 3,
						"dataset", "warrant-cards",
						"dir", "/srv/personnel/photos",
						"files", files));
	}
}

/* A web shell reads photos, sends 20, and is refused; then rows of the roster,
 * by way of a file. */
static void example(struct lines *lines)
{
	FILE *in = fopen(GOLDEN ".jsonl", "re");
	json_t *line;

	assert_non_null(in);
	while ((line = json_loadf(in, JSON_DISABLE_EOF_CHECK, NULL)) != NULL) {
		const char *type = evidence_text(line, "type");

		if (strcmp(type, "incident") == 0)
			lines->incident = json_incref(line);
		else if (strcmp(type, "policy") == 0)
			lines->policy = json_incref(line);
		else
			json_array_append(
				!strcmp(type, "actor")	   ? lines->actors
				: !strcmp(type, "step")	   ? lines->steps
				: !strcmp(type, "ledger")  ? lines->ledger
				: !strcmp(type, "exposed") ? lines->exposed
				: strncmp(type, "st", 2)   ? lines->events
							   : lines->starts,
				line);
		json_decref(line);
	}
	(void)fclose(in);
	add_photos(lines, 1, 812);
}

static void nothing(struct lines *lines)
{
	lines_end(lines);
	*lines = (struct lines){0};
}

/* All that a host may put where a name is expected. */
#define SCRIPT "</script><img src=x onerror=alert(1)>"
#define QUOTES "\"' onload='x' style=\"x\""
#define BIDI            \
	"a\xe2\x80\xae" \
	"gpj.exe"
#define ESCAPE	"\x1b[31mred\x07"
#define CUT	"\xc3(\xff\xfe"
#define PILE	"o\xcc\x80\xcc\x80\xcc\x80\xcc\x80\xcc\x80"
#define COMMENT "--><!--]]>&lt;&#x41;{{x}}</style></title>"

static json_t *raw(const char *text)
{
	return json_stringn_nocheck(text, strlen(text));
}

static const char *const bad[] = {SCRIPT, QUOTES, BIDI,	  ESCAPE,
				  CUT,	  PILE,	  COMMENT};

/* Every text in value, below the keys that steer what is written, becomes one
 * of the bad ones. */
static void spoil(json_t *value, size_t *n)
{
	static const char *const kept[] = {"type",  "kind", "verdict", "why",
					   "state", "time", NULL};
	const char *key;
	json_t *item;
	size_t i;

	json_array_foreach (value, i, item) {
		if (json_is_string(item))
			json_array_set_new(value, i, raw(bad[(*n)++ % 7]));
		else
			spoil(item, n);
	}
	json_object_foreach (value, key, item) {
		bool keep = false;

		for (i = 0; kept[i]; i++)
			keep = keep || !strcmp(key, kept[i]);
		if (keep)
			continue;
		if (json_is_string(item))
			json_object_set_new(value, key, raw(bad[(*n)++ % 7]));
		else
			spoil(item, n);
	}
}

static void hostile(struct lines *lines)
{
	char *longest = malloc(8001);
	size_t n = 0;

	assert_non_null(longest);
	example(lines);
	spoil(lines->incident, &n);
	spoil(lines->policy, &n);
	spoil(lines->actors, &n);
	spoil(lines->steps, &n);
	spoil(lines->ledger, &n);
	spoil(lines->events, &n);
	spoil(lines->exposed, &n);
	spoil(lines->starts, &n);
	memset(longest, 'W', 8000);
	longest[8000] = '\0';
	json_object_set_new(lines->incident, "comm", json_string(longest));
	json_object_set_new(json_array_get(lines->actors, 1), "comm",
			    json_string(longest));
	json_object_set_new(json_array_get(lines->steps, 1), "comm",
			    json_string(longest));
	json_object_set_new(json_array_get(lines->exposed, 1), "dir",
			    json_string(longest));
	free(longest);
}

/* Nothing has the type that it should have. */
static void twisted(struct lines *lines)
{
	example(lines);
	json_array_append_new(lines->steps, json_string("step"));
	json_array_append_new(lines->steps, json_null());
	json_array_append_new(lines->actors, json_pack("{s:i}", "ancestry", 4));
	json_array_append_new(lines->actors, json_pack("{s:[[], i, {s:[]}]}",
						       "ancestry", 4, "tgid"));
	json_array_append_new(lines->events, json_pack("{s:{}}", "type"));
	json_array_append_new(lines->ledger, json_pack("{s:[]}", "bytes"));
	json_array_append_new(lines->exposed,
			      json_pack("{s:i, s:s, s:[i, [], [i, i]], s:[s]}",
					"origin", 3, "dataset", "warrant-cards",
					"files", 1, 5, 6, "rows", "x"));
	json_object_set_new(lines->incident, "gaps",
			    json_pack("[i, {}, {s:i}]", 1, "why", 2));
	json_object_set_new(lines->incident, "act", json_integer(1));
	json_object_set_new(lines->incident, "techniques",
			    json_pack("[i, {}]", 1));
	json_object_set_new(lines->incident, "reported",
			    json_string("2026-13-41T99:99:99Z"));
}

static void many(struct lines *lines)
{
	example(lines);
	add_photos(lines, 813, 47000);
	json_object_set_new(
		json_array_get(json_object_get(lines->incident, "origins"), 0),
		"records", json_integer(47000));
}

static void add_step(struct lines *lines, int at, const char *kind, int from,
		     int to, const char *comm)
{
	json_t *step = json_pack(
		"{s:s, s:s, s:s, s:s, s:i, s:i, s:i, s:i, s:s}", "type", "step",
		"at", "2026-11-14T02:13:07.412Z", "kind", kind, "dataset",
		"warrant-cards", "records", 812, "bytes", 52738048 >> at % 20,
		"holding", to, "tgid", 5000 + to, "comm", comm);

	if (from)
		json_object_set_new(step, "from_holding", json_integer(from));
	json_array_append_new(lines->steps, step);
}

/* A chain of 64 steps that leads back to its middle. */
static void deep(struct lines *lines)
{
	char comm[16];

	example(lines);
	json_array_clear(lines->steps);
	add_step(lines, 0, "read", 0, 1, "tar");
	for (int i = 1; i < 63; i++) {
		(void)snprintf(comm, sizeof(comm), "relay-%d", i);
		add_step(lines, i, i % 3 ? "pipe" : "fork", i, i + 1, comm);
	}
	add_step(lines, 63, "unix", 63, 20, "relay-19");
	json_object_set_new(json_array_get(lines->events, 1), "tgid",
			    json_integer(5063));
}

/* One hands it to many, who all do the same. */
static void wide(struct lines *lines)
{
	example(lines);
	json_array_clear(lines->steps);
	add_step(lines, 0, "read", 0, 1, "find");
	for (int i = 0; i < 30; i++) {
		add_step(lines, i, "fork", 1, 10 + i, "sh");
		add_step(lines, i, "pipe", 10 + i, 50 + i, "openssl");
	}
	add_step(lines, 0, "pipe", 50, 90, "base64");
	add_step(lines, 0, "memory", 51, 90, "base64");
	add_step(lines, 0, "pipe", 90, 91, "curl");
	add_step(lines, 0, "pipe", 1, 91, "curl");
	json_object_set_new(json_array_get(lines->events, 1), "tgid",
			    json_integer(5091));
}

static const struct {
	const char *name;
	void (*fn)(struct lines *lines);
} pages[] = {{"example", example}, {"nothing", nothing}, {"hostile", hostile},
	     {"twisted", twisted}, {"many", many},	 {"deep", deep},
	     {"wide", wide}};

static void spoil_report(struct report *report, const char *page)
{
	if (strcmp(page, "hostile") == 0) {
		report->host = SCRIPT QUOTES CUT;
		report->made = SCRIPT;
		report->version = QUOTES;
		report->proof.verified = false;
		report->proof.problem = SCRIPT ESCAPE;
		report->proof.key_id = BIDI;
		report->proof.last_hash = SCRIPT;
	} else if (strcmp(page, "nothing") == 0) {
		*report = (struct report){0};
	}
}

/* For free(3). */
static char *page(const char *name, size_t *ret_len)
{
	struct report report;
	struct lines lines;
	char *text;

	lines_begin(&lines);
	for (size_t i = 0; i < sizeof(pages) / sizeof(pages[0]); i++)
		if (strcmp(pages[i].name, name) == 0)
			pages[i].fn(&lines);
	report = report_of(&lines);
	spoil_report(&report, name);
	text = written(&report, ret_len);
	lines_end(&lines);
	return text;
}

/* ---- tests --------------------------------------------------------------- */

static size_t count(const char *text, const char *what)
{
	size_t n = 0;

	while ((text = strstr(text, what)) != NULL) {
		text += strlen(what);
		n++;
	}
	return n;
}

static void says(const char *text, const char *what)
{
	if (!strstr(text, what))
		fail_msg("the page does not say: %s", what);
}

static void page_is_what_was_agreed_when_it_is_the_example(void **state)
{
	FILE *in = fopen(GOLDEN ".html", "re");
	char *wanted = NULL, *text;
	size_t room = 0, len, at = 0, line = 1;
	ssize_t n;

	(void)state;
	assert_non_null(in);
	n = getdelim(&wanted, &room, '\0', in);
	(void)fclose(in);
	assert_true(n > 0);
	text = page("example", &len);
	while (at < len && at < (size_t)n && text[at] == wanted[at])
		line += text[at++] == '\n';
	if (at != len || at != (size_t)n)
		fail_msg(GOLDEN ".html differs from line %zu on; look, and if "
				"it is meant, write it again: CONTRIBUTING.md",
			 line);
	free(wanted);
	free(text);
}

static void example_tells_what_counts_when_read(void **state)
{
	size_t len;
	char *text = page("example", &len);

	(void)state;
	says(text, "On <b>14 November 2026 at 02:13 UTC</b>, on the host <b>"
		   "<bdi>cardprint-01</bdi></b>, a chain of processes begun "
		   "by <bdi><code>tar</code></bdi>, running as <b><bdi>"
		   "www-data</bdi></b> in <bdi>apache2.service</bdi> without a "
		   "login, read up to <b>812 records</b> of <bdi>warrant-cards"
		   "</bdi>");
	says(text, "<b>At most 20 of them</b>, in 1.2 MiB, were let through to "
		   "<b><bdi>203.0.113.9 port 443</bdi></b>.");
	says(text, "Cordon refused <b>41 attempts</b> to send more.");
	says(text, "at most 20 of these 812");
	says(text, ">contained</b>");
	says(text, "<time datetime=\"2026-11-17T02:13:08Z\">"
		   "17 November 2026 at 02:13 UTC</time>");
	assert_int_equal(count(text, "<li>000"), 812);
	says(text, "W20417");
	free(text);
}

/* Nothing of theirs may come out as it went in. */
static void texts_are_escaped_when_the_host_is_hostile(void **state)
{
	static const char *const never[] = {"<script",
					    "</script",
					    "<img",
					    "onerror=alert(1)>",
					    "\xe2\x80\xae",
					    "\x1b",
					    "\x07",
					    "\xff",
					    "' onload",
					    "--><!--",
					    "\xcc\x80\xcc\x80\xcc\x80",
					    "{{x}}</style>",
					    "&lt;&#x41;"};
	size_t len;
	char *text = page("hostile", &len);

	(void)state;
	assert_int_equal(strlen(text), len);
	for (size_t i = 0; i < sizeof(never) / sizeof(never[0]); i++)
		if (strstr(text, never[i]))
			fail_msg("it is there as it came: %s", never[i]);
	says(text, "&lt;/script&gt;&lt;img src=x onerror=alert(1)&gt;");
	says(text, "&quot;&#39; onload=&#39;x&#39;");
	says(text, "a\\xe2\\x80\\xaegpj.exe");
	says(text, "\\x1b[31mred\\x07");
	says(text, "\\xc3(\\xff\\xfe");
	says(text, "This report is not proven.");
	assert_int_equal(count(text, "</style>"), 1);
	assert_int_equal(count(text, "</title>"), 2);
	free(text);
}

static void page_admits_it_when_nothing_is_known(void **state)
{
	size_t len;
	char *text = page("nothing", &len);

	(void)state;
	says(text, "The evidence has no line about this incident.");
	says(text, "Not known whether data left");
	says(text, "This report is not proven.");
	assert_null(strstr(text, "Contained</p>"));
	assert_null(strstr(text, "(null)"));
	free(text);
}

static void nothing_is_certain_when_lines_are_not_signed(void **state)
{
	struct report report;
	struct lines lines;
	size_t len;
	char *text;

	(void)state;
	lines_begin(&lines);
	example(&lines);
	report = report_of(&lines);
	report.proof.signed_to = 48200;
	text = written(&report, &len);
	says(text, "The newest lines of evidence are not signed yet");
	says(text, "Lines 1 to 48,200 of the evidence log are whole");
	says(text, "Lines 48,201 to 48,210 of this incident");
	assert_null(strstr(text, "Certain, by signed evidence"));
	assert_null(strstr(text, "<li>No more than"));
	free(text);
	lines_end(&lines);
}

static void page_is_whole_when_lines_are_twisted(void **state)
{
	size_t len;
	char *text = page("twisted", &len);

	(void)state;
	says(text, "not told by the evidence");
	says(text, "</html>");
	free(text);
}

static void records_are_all_listed_when_there_are_47000(void **state)
{
	size_t len;
	char *text = page("many", &len);

	(void)state;
	assert_int_equal(count(text, "<li>0"), 47000);
	says(text, "<li>047000.jpg</li>");
	says(text, "at most 20 of these 47,000");
	says(text, "Treat all 47,000 as exposed.");
	assert_true(len < 3 << 20);
	free(text);
}

/* A row that was told again: by the next agent, when it was somebody else's. */
static void rows_have_all_their_keys_when_told_again(void **state)
{
	static const struct {
		const char *key, *why;
	} more[] = {{"W20417", NULL}, {"<W1>", NULL}, {NULL, "time"}};
	struct lines lines;
	struct report report;
	json_t *line;
	size_t len;
	char *text;

	(void)state;
	lines_begin(&lines);
	example(&lines);
	for (size_t i = 0; i < 3; i++) {
		line = json_pack("{s:s, s:i, s:s, s:s, s:i, s:[[i,i]]}", "type",
				 "exposed", "origin", 4, "dataset", "roster",
				 "file", "/srv/personnel/roster.csv", "record",
				 9, "rows", 100, 100);
		if (more[i].key)
			json_object_set_new(line, "keys",
					    json_pack("[s]", more[i].key));
		else
			json_object_set_new(line, "keys_why",
					    json_string(more[i].why));
		json_array_append_new(lines.exposed, line);
	}
	report = report_of(&lines);
	text = written(&report, &len);
	assert_int_equal(count(text, "<li>100 <b>W20417</b></li>"), 1);
	assert_int_equal(count(text, "<li>100 <b>&lt;W1&gt;</b></li>"), 1);
	assert_int_equal(count(text, "<li>100</li>"), 0);
	says(text, "roster, origin 4: 71 records");
	says(text,
	     "Some rows of <code>/srv/personnel/roster.csv</code> have no "
	     "keys here: there was no time to read them when");
	free(text);
	lines_end(&lines);
}

/* ---- the flow ------------------------------------------------------------ */

static struct flow *flow_of(void (*fn)(struct lines *lines),
			    struct lines *lines)
{
	struct exposure_status status;
	struct report report;
	struct flow *flow;

	lines_begin(lines);
	fn(lines);
	report = report_of(lines);
	assert_int_equal(exposure_status_make(lines->incident, lines->ledger,
					      lines->exposed, lines->events,
					      &status),
			 0);
	flow = flow_new(&report, &status);
	assert_non_null(flow);
	assert_int_equal(flow_layout(flow), 0);
	exposure_status_release(&status);
	return flow;
}

static bool overlap(const struct flow_node *a, const struct flow_node *b)
{
	return a->x < b->x + FLOW_NODE_WIDTH && b->x < a->x + FLOW_NODE_WIDTH &&
	       a->y - a->height / 2 < b->y + b->height / 2 &&
	       b->y - b->height / 2 < a->y + a->height / 2;
}

/* All inside, none upon another, and all but loops leads to the right. */
static void is_sane(const struct flow *flow)
{
	const struct flow_node *a;
	const struct flow_edge *edge;

	for (size_t i = 0; i < flow->n_nodes; i++) {
		a = &flow->nodes[i];
		if (a->into != i)
			continue;
		assert_in_range(a->x, 0, flow->width - FLOW_NODE_WIDTH);
		assert_in_range(a->y, a->height / 2,
				flow->height - a->height / 2);
		for (size_t k = 0; k < i; k++)
			assert_false(flow->nodes[k].into == k &&
				     overlap(a, &flow->nodes[k]));
	}
	for (size_t i = 0; i < flow->n_edges; i++) {
		edge = &flow->edges[i];
		if (edge->drawn && !edge->jump)
			assert_true(flow->nodes[edge->from].x <
				    flow->nodes[edge->to].x);
	}
}

static void flow_is_sane_when_it_is_the_example(void **state)
{
	struct lines lines;
	struct flow *flow = flow_of(example, &lines);

	(void)state;
	is_sane(flow);
	assert_int_equal(flow->bands, 1);
	assert_int_equal(flow->columns, 5);
	assert_int_equal(flow->jumps, 0);
	assert_int_equal(flow->left_out, 0);
	flow_free(flow);
	lines_end(&lines);
}

static void flow_is_sane_when_it_is_deep_and_has_a_loop(void **state)
{
	struct lines lines;
	struct flow *flow = flow_of(deep, &lines);
	size_t back = 0;

	(void)state;
	is_sane(flow);
	for (size_t i = 0; i < flow->n_edges; i++)
		back += flow->edges[i].back;
	assert_int_equal(back, 1);
	assert_int_equal(flow->bands, 13);
	assert_in_range(flow->width, 1, 1100);
	flow_free(flow);
	lines_end(&lines);
}

static void flow_draws_one_for_many_when_they_are_alike(void **state)
{
	struct lines lines;
	struct flow *flow = flow_of(wide, &lines);
	size_t drawn = 0;

	(void)state;
	is_sane(flow);
	for (size_t i = 0; i < flow->n_nodes; i++) {
		drawn += flow->nodes[i].into == i;
		if (flow->nodes[i].into == i &&
		    strcmp(flow->nodes[i].name, "sh") == 0)
			assert_int_equal(flow->nodes[i].members, 30);
	}
	assert_true(drawn < 12);
	flow_free(flow);
	lines_end(&lines);
}

static void flow_counts_what_finds_no_room_when_it_is_huge(void **state)
{
	struct exposure_status status = {0};
	struct report report;
	struct lines lines;
	struct flow *flow;

	(void)state;
	lines_begin(&lines);
	for (int i = 0; i < 1000; i++)
		add_step(&lines, i, "pipe", 1 + i * 7 % 331, 1 + i * 13 % 997,
			 i & 1 ? "a" : "b");
	report = report_of(&lines);
	flow = flow_new(&report, &status);
	assert_non_null(flow);
	assert_int_equal(flow_layout(flow), 0);
	is_sane(flow);
	assert_true(flow->left_out > 0);
	flow_free(flow);
	lines_end(&lines);
}

static void stroke_grows_when_bytes_do(void **state)
{
	(void)state;
	assert_int_equal(flow_stroke(0), 15);
	assert_int_equal(flow_stroke(1 << 10), 15);
	assert_int_equal(flow_stroke(1 << 20), 60);
	assert_int_equal(flow_stroke(1 << 30), 105);
	assert_int_equal(flow_stroke(UINT64_MAX), 120);
	for (uint64_t n = 1; n < 1ULL << 62; n += n / 3 + 1)
		assert_true(flow_stroke(n) <= flow_stroke(n + n / 3 + 1));
}

/* ---- the writer ---------------------------------------------------------- */

static void put_is(const char *text, const char *wanted)
{
	struct html html = {0};
	char *buf = NULL;
	size_t len;

	html.out = open_memstream(&buf, &len);
	assert_non_null(html.out);
	html_put(&html, "%s", text);
	assert_int_equal(html_end(&html), 0);
	(void)fclose(html.out);
	assert_string_equal(buf, wanted);
	free(buf);
}

static void text_is_shown_as_it_is_when_it_can_be(void **state)
{
	(void)state;
	put_is("Zo\xc3\xab \xe6\x97\xa5\xe6\x9c\xac",
	       "Zo\xc3\xab "
	       "\xe6\x97\xa5\xe6\x9c\xac");
	put_is("e\xcc\x81", "e\xcc\x81");
	put_is(NULL, "");
	put_is("a\tb\n", "a\\x09b\\x0a");
	put_is("\xc2\xad", "\\xc2\\xad");
	put_is("\xed\xa0\x80", "\\xed\\xa0\\x80");
	put_is("\xf3\xa0\x81\x81", "\\xf3\\xa0\\x81\\x81");
	put_is("\xc0\xbc"
	       "b\xe2\x80",
	       "\\xc0\\xbcb\\xe2\\x80");
}

static void format_is_followed_when_it_has_numbers(void **state)
{
	struct html html = {0};
	char *buf = NULL;
	size_t len;

	(void)state;
	html.out = open_memstream(&buf, &len);
	assert_non_null(html.out);
	html_put(&html, "<b>%d %'u %lu %'zu %'llu 100%% %.3s %.4s %.4s</b>", -5,
		 47000U, 47000UL, (size_t)1234567, 18446744073709551615ULL,
		 "ab<", "a<bc", "a<bcd");
	assert_int_equal(html_end(&html), 0);
	(void)fclose(html.out);
	assert_string_equal(buf, "<b>-5 47,000 47000 1,234,567 "
				 "18,446,744,073,709,551,615 100% ab&lt; "
				 "a&lt;bc a...</b>");
	free(buf);
}

static void writing_fails_when_the_disk_is_full(void **state)
{
	FILE *out = fopen("/dev/full", "we");
	struct report report = {0};

	(void)state;
	assert_non_null(out);
	assert_int_equal(report_write(out, &report), -ENOSPC);
	(void)fclose(out);
}

static int write_page(const char *name)
{
	size_t len;
	char *text = page(name, &len);
	int r = fwrite(text, 1, len, stdout) == len && !fflush(stdout) ? 0 : 1;

	free(text);
	return r;
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
			page_is_what_was_agreed_when_it_is_the_example),
		cmocka_unit_test(example_tells_what_counts_when_read),
		cmocka_unit_test(texts_are_escaped_when_the_host_is_hostile),
		cmocka_unit_test(page_admits_it_when_nothing_is_known),
		cmocka_unit_test(nothing_is_certain_when_lines_are_not_signed),
		cmocka_unit_test(page_is_whole_when_lines_are_twisted),
		cmocka_unit_test(records_are_all_listed_when_there_are_47000),
		cmocka_unit_test(rows_have_all_their_keys_when_told_again),
		cmocka_unit_test(flow_is_sane_when_it_is_the_example),
		cmocka_unit_test(flow_is_sane_when_it_is_deep_and_has_a_loop),
		cmocka_unit_test(flow_draws_one_for_many_when_they_are_alike),
		cmocka_unit_test(
			flow_counts_what_finds_no_room_when_it_is_huge),
		cmocka_unit_test(stroke_grows_when_bytes_do),
		cmocka_unit_test(text_is_shown_as_it_is_when_it_can_be),
		cmocka_unit_test(format_is_followed_when_it_has_numbers),
		cmocka_unit_test(writing_fails_when_the_disk_is_full),
	};

	if (argc == 3 && strcmp(argv[1], "--write") == 0)
		return write_page(argv[2]);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
