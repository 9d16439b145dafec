// SPDX-License-Identifier: GPL-2.0-only
#include "reply.h"

#include "evidence.h"
#include "log.h"
#include "text.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

void reply_text(const json_t *line, const char *key, char *buf, size_t size)
{
	const char *text = json_string_value(json_object_get(line, key));

	(void)snprintf(buf, size, "%s", text ? text : "");
	log_clean(buf);
}

uint64_t reply_number(const json_t *line, const char *key)
{
	json_int_t n = json_integer_value(json_object_get(line, key));

	return n < 0 ? 0 : (uint64_t)n;
}

static bool is_text(const json_t *line, const char *key, const char *text)
{
	const char *value = json_string_value(json_object_get(line, key));

	return value && strcmp(value, text) == 0;
}

bool reply_counts_bytes(const json_t *line)
{
	return is_text(line, "budget", "bytes");
}

void reply_limit(const json_t *line, char *buf, size_t size)
{
	char amount[TEXT_NUMBER_CHARS_MAX], window[TEXT_NUMBER_CHARS_MAX];
	uint64_t max = reply_number(line, "max");

	if (json_is_null(json_object_get(line, "max"))) {
		(void)snprintf(buf, size, "unlimited");
		return;
	}
	if (reply_counts_bytes(line))
		text_format_bytes(max, amount, sizeof(amount));
	else
		term_number(max, amount, sizeof(amount));
	text_format_duration(reply_number(line, "window_ns"), window,
			     sizeof(window));
	(void)snprintf(buf, size, "%s%s/%s", amount,
		       reply_counts_bytes(line) ? ""
		       : max == 1		? " record"
						: " records",
		       window);
}

/* A rule's name begins with its subject's, which has no slash; a cap has the
 * subject only, or the name of quiet files. */
void reply_whose(const json_t *line, char *buf, size_t size)
{
	reply_text(line, "rule", buf, size);
	if (!buf[0])
		reply_text(line, "subject", buf, size);
	if (!buf[0])
		reply_text(line, "files", buf, size);
	buf[strcspn(buf, "/")] = '\0';
}

const char *reply_to(const char *destination)
{
	if (strcmp(destination, "*") == 0)
		return "elsewhere";
	if (strcmp(destination, "read") == 0)
		return "(read)";
	if (strcmp(destination, "intake") == 0)
		return "(taken in)";
	return destination;
}

void reply_lifted(const json_t *line, char *buf, size_t size)
{
	const json_t *lifted = json_object_get(line, "lifted");
	char names[256], until[32], reason[257];

	buf[0] = '\0';
	if (!json_is_object(lifted))
		return;
	reply_text(lifted, "until", until, sizeof(until));
	reply_text(lifted, "reason", reason, sizeof(reason));
	evidence_list(lifted, "signers", names, sizeof(names));
	(void)snprintf(buf, size, "until %s by %s: %s", until,
		       names[0] ? names : "whom nothing here tells of",
		       reason[0] ? reason : "not known");
	log_clean(buf);
}

/* A table that fills up is refused data tomorrow: say it today. */
static void warn_tables(const json_t *line, reply_warning_fn fn, void *arg)
{
	const json_t *table;
	char text[256], name[65];
	size_t i;

	json_array_foreach (json_object_get(line, "tables"), i, table) {
		uint64_t n = reply_number(table, "entries");
		uint64_t max = reply_number(table, "max");

		if (!max || n < max / 5 * 4)
			continue;
		reply_text(table, "name", name, sizeof(name));
		(void)snprintf(text, sizeof(text),
			       "table %s: %" PRIu64 " of %" PRIu64
			       " entries in use",
			       name, n, max);
		fn(TERM_POOR, "warning", text, arg);
	}
}

void reply_warnings(const json_t *line, reply_warning_fn fn, void *arg)
{
	json_t *faults = json_object_get(line, "faults"), *value;
	uint64_t lost = reply_number(line, "events_unwritten");
	uint64_t skipped = reply_number(line, "skipped");
	char text[256];
	const char *key;

	json_object_foreach (faults, key, value) {
		(void)snprintf(text, sizeof(text),
			       "%.128s: %" JSON_INTEGER_FORMAT, key,
			       json_integer_value(value));
		log_clean(text);
		fn(TERM_BAD, "fault", text, arg);
	}
	if (lost) {
		(void)snprintf(text, sizeof(text),
			       "%" PRIu64 " lines are missing in the "
			       "evidence: is the disk full?",
			       lost);
		fn(TERM_BAD, "fault", text, arg);
	}
	/* Nothing that decides is skipped in the other mode. */
	if (skipped && !is_text(line, "attach", "lsm")) {
		(void)snprintf(text, sizeof(text),
			       "%" PRIu64 " runs of a program, by the kernel, "
			       "which preempts itself: boot with bpf in lsm=",
			       skipped);
		fn(TERM_POOR, "skipped", text, arg);
	}
	warn_tables(line, fn, arg);
}
