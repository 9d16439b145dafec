// SPDX-License-Identifier: GPL-2.0-only
/*
 * The fields that a message of the agent has in the journal.
 *
 * usage: test_journal [--write LOG]; then those of each line of a log go to
 * standard output, for tests/golden/check.
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
#include <syslog.h>

#include "evidence.h"
#include "journal.h"
#include "text.h"

static size_t count(const struct journal_fields *fields, const char *text)
{
	size_t n = 0;

	for (size_t i = 0; i < fields->n; i++)
		n += strncmp(fields->text[i], text, strlen(text)) == 0;
	return n;
}

static json_t *verdict(const char *comm)
{
	return json_pack(
		"{s:i, s:s, s:s, s:s, s:s, s:I, s:i, s:s, s:s, s:s, "
		"s:s, s:i, s:s, s:s, s:s, s:i, s:s, s:i, s:i, s:s}",
		"cordon", 1, "type", "verdict", "verdict", "block", "error",
		"EPERM", "comm", comm, "tgid", (json_int_t)4711, "uid", 1001,
		"user", "bob", "login", "bob", "unit", "session-12.scope",
		"exe", "/usr/bin/curl", "origin", 3, "rule", "*/*/user",
		"dataset", "roster", "channel", "tcp", "port", 443,
		"destination", "*", "policy", 42, "seq", 812, "prev", "00");
}

static void fields_are_one_line_each_when_names_are_hostile(void **state)
{
	json_t *line = verdict("x\nPRIORITY=0\n\xe2\x80\xae\x07");
	struct journal_fields fields;

	(void)state;
	assert_int_equal(
		journal_fields(line, LOG_WARNING, "a\nMESSAGE_ID=1", &fields),
		0);
	assert_int_equal(count(&fields, "PRIORITY="), 1);
	assert_int_equal(count(&fields, "MESSAGE_ID="), 1);
	assert_int_equal(count(&fields, "CORDON_COMM=x?PRIORITY=0?"), 1);
	assert_int_equal(count(&fields, "MESSAGE=a?MESSAGE_ID=1"), 1);
	/* The journal shall not look at that process. */
	assert_int_equal(count(&fields, "OBJECT_PID="), 0);
	for (size_t i = 0; i < fields.n; i++)
		assert_true(text_is_clean(fields.text[i],
					  strlen(fields.text[i]), ""));
	journal_release(&fields);
	json_decref(line);
}

static void fields_are_left_out_when_hardly_anything_is_known(void **state)
{
	static const char *const types[] = {"verdict",	     "budget",
					    "first-read",    "fault",
					    "first-release", "incident"};
	struct journal_fields fields;
	json_t *line;

	(void)state;
	for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
		line = json_pack("{s:s, s:n, s:[], s:s, s:{}}", "type",
				 types[i], "uid", "comm", "dataset", "", "act");
		assert_int_equal(journal_fields(line, LOG_INFO, "", &fields),
				 0);
		assert_int_equal(fields.n, 5);
		journal_release(&fields);
		json_decref(line);
	}
}

static void line_is_refused_when_it_is_of_another_kind(void **state)
{
	struct journal_fields fields;
	json_t *line = json_pack("{s:s}", "type", "checkpoint");

	(void)state;
	assert_int_equal(journal_fields(line, LOG_INFO, "", &fields), -EINVAL);
	assert_int_equal(journal_fields(NULL, LOG_INFO, "", &fields), -EINVAL);
	json_decref(line);
}

static int write_fields(const char *path)
{
	FILE *in = fopen(path, "re");
	struct journal_fields fields;
	char *text = NULL;
	size_t room = 0;
	json_t *line;

	while (in && getline(&text, &room, in) > 0) {
		line = json_loads(text, 0, NULL);
		if (!journal_fields(line, LOG_NOTICE, "what is said",
				    &fields)) {
			for (size_t i = 0; i < fields.n; i++)
				(void)puts(fields.text[i]);
			(void)puts("");
			journal_release(&fields);
		}
		json_decref(line);
	}
	free(text);
	return !in || fclose(in);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
			fields_are_one_line_each_when_names_are_hostile),
		cmocka_unit_test(
			fields_are_left_out_when_hardly_anything_is_known),
		cmocka_unit_test(line_is_refused_when_it_is_of_another_kind),
	};

	if (argc == 3 && strcmp(argv[1], "--write") == 0)
		return write_fields(argv[2]);
	return cmocka_run_group_tests_name("journal", tests, NULL, NULL);
}
