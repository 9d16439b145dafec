// SPDX-License-Identifier: GPL-2.0-only
/* How numbers, times and places of the lines are put in a report. */
#include "report_internal.h"

#include "event.h"
#include "text.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#define SEEN_CHARS 60 /* of a name that an address was seen as */

bool report_parse_time(const char *text, int64_t *ret_ms)
{
	return text_parse_time_ms(text, ret_ms) == 0;
}

void report_time(struct page *page, const char *text)
{
	char day[16], clock[32];
	int64_t ms;

	if (!report_parse_time(text, &ms)) {
		put(page, "%s", text);
		return;
	}
	(void)snprintf(day, sizeof(day), "%.10s", text);
	(void)snprintf(clock, sizeof(clock), "%.*s", (int)strlen(text) - 12,
		       text + 11);
	put(page, "<time datetime=\"%s\">%s %s</time>", text, day, clock);
}

void report_date(const char *text, char buf[REPORT_DATE_MAX])
{
	time_t s;
	struct tm tm;
	int64_t ms;

	buf[0] = '\0';
	if (!report_parse_time(text, &ms))
		return;
	s = (time_t)(ms / 1000);
	if (gmtime_r(&s, &tm))
		(void)strftime(buf, REPORT_DATE_MAX, "%e %B %Y at %H:%M UTC",
			       &tm);
	/* %e pads with a blank. */
	if (buf[0] == ' ')
		memmove(buf, buf + 1, strlen(buf));
}

void report_bytes(struct page *page, uint64_t bytes)
{
	char size[TEXT_NUMBER_CHARS_MAX];

	event_size(bytes, size, sizeof(size));
	if (bytes < 1024)
		put(page, "%'" PRIu64 " byte%s", bytes, plural(bytes));
	else
		put(page, "%s (%'" PRIu64 " bytes)", size, bytes);
}

void report_bytes_cell(struct page *page, uint64_t bytes)
{
	char size[TEXT_NUMBER_CHARS_MAX];

	event_size(bytes, size, sizeof(size));
	put(page, "<td class=\"n\">%s", size);
	if (bytes >= 1024)
		put(page, "<small>%'" PRIu64 " B</small>", bytes);
	put(page, "</td>");
}

void report_number_cell(struct page *page, const json_t *line, const char *key)
{
	put(page, "<td class=\"n\">");
	if (json_is_integer(json_object_get(line, key)))
		put(page, "%'" PRIu64, evidence_number(line, key));
	put(page, "</td>");
}

void report_text_cell(struct page *page, const char *text)
{
	put(page, "<td>%s</td>", text);
}

void report_item(struct page *page, const char *term, const char *text)
{
	if (text && text[0])
		put(page, "<dt>%s</dt><dd>%s</dd>\n", term, text);
}

const char *report_destination(const char *name)
{
	return strcmp(name, "*") == 0 ? "elsewhere" : name;
}

void report_process(struct page *page, const json_t *line)
{
	const char *comm = evidence_text(line, "comm");
	uint64_t tgid = evidence_number(line, "tgid");

	if (!comm[0] && !tgid)
		return;
	put(page, "<code>%.64s</code>", comm[0] ? comm : "?");
	if (tgid)
		put(page, " <span class=\"id\">%" PRIu64 "</span>", tgid);
}

void report_address(const json_t *line, char buf[REPORT_PLACE_MAX])
{
	const char *address = evidence_text(line, "address");
	uint64_t port = evidence_number(line, "port");

	buf[0] = '\0';
	if (address[0] && port)
		(void)snprintf(buf, REPORT_PLACE_MAX, "%.60s port %" PRIu64,
			       address, port);
	else
		(void)snprintf(buf, REPORT_PLACE_MAX, "%.60s", address);
}

/* The end of a name tells whose it is. */
void report_place(const json_t *line, char buf[REPORT_PLACE_MAX])
{
	const char *seen = evidence_text(line, "name_seen");
	size_t len = strlen(seen), at;
	bool cut = len > SEEN_CHARS;

	report_address(line, buf);
	if (!buf[0] || !len)
		return;
	at = strlen(buf);
	(void)snprintf(buf + at, REPORT_PLACE_MAX - at, ", seen as %s%s",
		       cut ? "..." : "", cut ? seen + len - SEEN_CHARS : seen);
}

unsigned int report_event_what(const json_t *event)
{
	const char *type = evidence_text(event, "type");
	const char *verdict = evidence_text(event, "verdict");

	if (strcmp(type, "first-release") == 0)
		return REPORT_THROUGH;
	if (strcmp(type, "verdict") != 0)
		return 0;
	return strcmp(verdict, "block") == 0   ? REPORT_BLOCKED
	       : strcmp(verdict, "alert") == 0 ? REPORT_THROUGH
					       : 0;
}

static void add_place(struct report_places *places, const char *place)
{
	if (!place[0])
		return;
	for (size_t i = 0; i < places->n; i++)
		if (strcmp(places->at[i], place) == 0)
			return;
	if (places->n == REPORT_PLACES_MAX)
		places->more++;
	else
		(void)strcpy(places->at[places->n++], place);
}

void report_places_find(const struct report *report, const char *destination,
			unsigned int what, struct report_places *ret_places)
{
	const json_t *act = json_object_get(report->incident, "act"), *event;
	char place[REPORT_PLACE_MAX];
	size_t i;

	*ret_places = (struct report_places){0};
	json_array_foreach (report->events, i, event) {
		if (!(report_event_what(event) & what) ||
		    strcmp(evidence_text(event, "destination"), destination))
			continue;
		report_address(event, place);
		add_place(ret_places, place);
	}
	if (strcmp(evidence_text(act, "destination"), destination) != 0 ||
	    !(what & REPORT_BLOCKED))
		return;
	report_address(act, place);
	add_place(ret_places, place);
}

const char *report_kind_words(const char *kind)
{
	static const struct {
		const char *kind;
		const char *words;
	} kinds[] = {
		{"unix", "Unix socket"},  {"unix socket", "Unix socket"},
		{"tty", "terminal"},	  {"queue", "message queue"},
		{"file", "derived file"}, {"memory", "shared memory"},
		{"key", "key ring"},	  {"mix", "mixed carrier"},
	};

	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
		if (strcmp(kind, kinds[i].kind) == 0)
			return kinds[i].words;
	return kind[0] ? kind : "unknown";
}
