// SPDX-License-Identifier: GPL-2.0-only
/*
 * Fuzz target of what is made of lines of the evidence log for others: the
 * input is such lines, whoever wrote them. What it asserts beyond "no crash":
 * a message of syslog is within its bound, one line, and its structured data
 * end where they should; a finding is an object of its class with a time; a
 * field of the journal is one line and has a name.
 *
 * Known-bad modes: see fuzz_policy.c; here the "incident" of a line is 7 in the
 * seed called selftest*, and another number in a mutant.
 */
#include "fuzz.h"

#include "export.h"
#include "journal.h"
#include "text.h"

#include <stdio.h>

#define SENTENCE "] \xef\xbb\xbf"

/* Behind the data that are quoted as they have to be. */
static const char *skip_data(const char *at)
{
	while (*at && *at != ']') {
		if (*at++ != '"')
			continue;
		for (; *at && *at != '"'; at++)
			if (*at == '\\')
				CHECK(*++at);
		CHECK(*at++ == '"');
	}
	return at;
}

static void check_message(const char *text, size_t len)
{
	char *copy = strndup(text, len);
	const char *at;

	CHECK(copy && len <= EXPORT_SYSLOG_MAX && strlen(copy) == len);
	CHECK(copy[0] == '<' && !strpbrk(copy, "\n\r\t\x1b"));
	at = strchr(copy, '[');
	CHECK(at);
	at = skip_data(at);
	CHECK(strncmp(at, SENTENCE, strlen(SENTENCE)) == 0);
	at += strlen(SENTENCE);
	CHECK(text_is_clean(at, strlen(at), ""));
	free(copy);
}

static void check_finding(const char *text, size_t len)
{
	json_t *finding = json_loadb(text, len, JSON_REJECT_DUPLICATES, NULL);

	CHECK(json_integer_value(json_object_get(finding, "class_uid")) ==
	      2006);
	CHECK(json_is_integer(json_object_get(finding, "time")));
	json_decref(finding);
}

static void check_fields(const json_t *line)
{
	struct journal_fields fields;

	if (journal_fields(line, 4, "said", &fields))
		return;
	for (size_t i = 0; i < fields.n; i++) {
		CHECK(fields.text[i][0] >= 'A' && fields.text[i][0] <= 'Z');
		CHECK(strchr(fields.text[i], '='));
		CHECK(!strchr(fields.text[i], '\n'));
	}
	journal_release(&fields);
}

static void tell(struct export *export, enum export_format format,
		 const json_t *line, const char *text, size_t size)
{
	char *told = NULL;
	size_t len;
	int r;

	r = export_line(export, line, text, size, &told, &len);
	CHECK(r == 0 || r == 1);
	if (r && format == EXPORT_SYSLOG)
		check_message(told, len);
	if (r && format == EXPORT_OCSF)
		check_finding(told, len);
	free(told);
}

static void each_line(struct export *const *exports, const char *text,
		      size_t size)
{
	json_t *line = json_loadb(text, size, 0, NULL);
	const json_t *n = json_object_get(line, "incident");

	if (json_is_integer(n))
		fuzz_selftest(json_integer_value(n) == 7,
			      json_integer_value(n) != 7);
	for (int i = EXPORT_JSON; line && i <= EXPORT_SYSLOG; i++)
		tell(exports[i], (enum export_format)i, line, text, size);
	check_fields(line);
	json_decref(line);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct export *exports[EXPORT_SYSLOG + 1];
	const char *text = (const char *)data, *end;

	for (int i = EXPORT_JSON; i <= EXPORT_SYSLOG; i++) {
		const struct export_options opts = {
			.format = (enum export_format)i,
			.facility = EXPORT_AUTHPRIV,
			.enterprise = EXPORT_ENTERPRISE,
		};

		CHECK(export_new(&opts, &exports[i]) == 0);
	}
	while (size) {
		end = memchr(text, '\n', size);
		each_line(exports, text, end ? (size_t)(end - text) : size);
		size -= end ? (size_t)(end + 1 - text) : size;
		text = end ? end + 1 : text;
	}
	for (int i = EXPORT_JSON; i <= EXPORT_SYSLOG; i++)
		export_free(exports[i]);
	return 0;
}
