// SPDX-License-Identifier: GPL-2.0-only
/*
 * The file of an act: what is one, where it is none, and what it says in words.
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

#include "act.h"

#define KEY   "f1b3791d086ed6f46fe8bf99772b830a2199707f488c7f39bab24a22f1d1fc13"
#define NONCE "9a0c5c1e27f14bd0a4b8d3f60e75c2aa"

#define ABOUT                                                        \
	"issuer: \"Police\"\nhost: \"cardprint-03\"\nhost-key: " KEY \
	"\nnonce: \"" NONCE "\"\nasked: 2026-03-02T08:15:00Z\n"
#define REASON "reason: \"printers\"\n"

static const char *const good[ACT_KIND_MAX] = {
	[ACT_BREAK_GLASS] = "cordon-act: 1\nact: break-glass\n" ABOUT
			    "lasts: 90 minutes\n" REASON,
	[ACT_UNINSTALL] = "cordon-act: 1\nact: uninstall\n" ABOUT REASON,
	[ACT_RECOVER] = "cordon-act: 1\nact: recover\n" ABOUT
			"serial: 42\n" REASON,
};

static struct policy_errors errs;

static int parse(const char *text, struct act *ret_act)
{
	return act_parse("a", text, strlen(text), ret_act, &errs);
}

static void act_comes_back_from_its_own_file(void **state)
{
	struct act act, again;
	char *text = NULL;

	(void)state;
	for (unsigned int kind = 0; kind < ACT_KIND_MAX; kind++) {
		assert_int_equal(parse(good[kind], &act), 0);
		assert_int_equal(act.kind, kind);
		assert_string_equal(act.issuer, "Police");
		assert_string_equal(act.host, "cardprint-03");
		assert_string_equal(act.host_key, KEY);
		assert_string_equal(act.nonce, NONCE);
		assert_int_equal(act.asked_s, 1772439300);
		assert_string_equal(act.reason, "printers");
		assert_int_equal(act.serial, kind == ACT_RECOVER ? 42 : 0);
		assert_true(act.lasts_ns ==
			    (kind == ACT_BREAK_GLASS ? 5400000000000ULL : 0));
		assert_int_equal(act_format(&act, &text, &errs), 0);
		assert_string_equal(text, good[kind]);
		assert_int_equal(parse(text, &again), 0);
		assert_string_equal(again.sha256, act.sha256);
		free(text);
	}
}

/* from, in the break-glass above, made to. */
static void bad_act_is_refused_where_it_is_bad(void **state)
{
	static const struct {
		const char *from, *to, *error;
	} cases[] = {
		{"cordon-act: 1", "cordon-act: 2", "a:1:13: "},
		{"cordon-act: 1", "cordon: 1",
		 "found a policy, expected an act"},
		{"cordon-act: 1", "cordon-trust: 1", "found trust anchors"},
		{"cordon-act: 1", "cordon-enrolment: 1", "found an enrolment"},
		{"cordon-act: 1\n", "", "key \"cordon-act\" is missing"},
		{"cordon-act: 1", "cordon-act: 1\ncordon: 1",
		 "unknown key \"cordon\""},
		{"break-glass", "break-glas", "did you mean break-glass?"},
		{"break-glass", "uninstall", "only \"break-glass\" has it"},
		{"break-glass", "recover", "serial is missing"},
		{"lasts: 90 minutes\n", "", "lasts is missing"},
		{"90 minutes", "59 seconds", "a:8:8: lasts is \"59 seconds\""},
		{"90 minutes", "25 hours", "lasts is \"25 hours\""},
		{"90 minutes", "86401 seconds", "1 minute to 24 hours"},
		{"90 minutes", "5400", "1 minute to 24 hours"},
		{"90 minutes", "-1 hour", "1 minute to 24 hours"},
		{"90 minutes", "90 minutes\nserial: 5", "only \"recover\""},
		{"2026-03-02T08:15:00Z", "yesterday", "a:7:8: asked is"},
		{"asked: 2026-03-02T08:15:00Z\n", "", "asked"},
		{"\"cardprint-03\"", "\"*\"", "a:4:7: host is \"*\""},
		{"\"cardprint-03\"", "\"cardprint-?3\"", "one host"},
		{"\"cardprint-03\"", "[a, b]", "host is a list"},
		{"\"cardprint-03\"", "\"\"", "host is empty"},
		{"host-key: f1", "host-key: F1", "host-key is \"F1"},
		{"host-key: f1", "host-key: f", "64 digits"},
		{"nonce: \"9a", "nonce: \"9a0", "32 digits"},
		{"nonce: \"9a", "nonce: \"9A", "32 digits"},
		{"\"printers\"", "\"\"", "reason is empty"},
		{"\"printers\"", "\"a\"\nreason: \"b\"", "twice"},
		{"\"printers\"", "|\n  a", "expected text of one line"},
		{"\"Police\"", "&a \"Police\"", "a:3:"},
		{"reason: \"printers\"\n", "", "key \"reason\" is missing"},
		{"reason", "because: x\nreason", "unknown key \"because\""},
		{"reason", "---\nreason", "a:"},
	};
	char text[2048], *at;
	struct act act;

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		at = strstr(good[ACT_BREAK_GLASS], cases[i].from);
		assert_non_null(at);
		(void)snprintf(text, sizeof(text), "%.*s%s%s",
			       (int)(at - good[ACT_BREAK_GLASS]),
			       good[ACT_BREAK_GLASS], cases[i].to,
			       at + strlen(cases[i].from));
		assert_int_equal(parse(text, &act), -EINVAL);
		for (size_t j = 0; j <= errs.n; j++) {
			if (j == errs.n)
				fail_msg("%s: got %s", cases[i].to,
					 errs.n ? errs.v[0].text : "nothing");
			if (strstr(errs.v[j].text, cases[i].error))
				break;
		}
	}
}

static void act_is_bounded(void **state)
{
	char text[ACT_FILE_BYTES_MAX + 1];
	size_t len = strlen(good[ACT_UNINSTALL]);
	struct act act;

	(void)state;
	memset(text, '#', sizeof(text));
	memcpy(text, good[ACT_UNINSTALL], len);
	text[sizeof(text) - 2] = '\n';
	assert_int_equal(act_parse("a", text, ACT_FILE_BYTES_MAX, &act, &errs),
			 0);
	assert_int_equal(
		act_parse("a", text, ACT_FILE_BYTES_MAX + 1, &act, &errs),
		-E2BIG);
	/* Half of it, and nothing at all. */
	assert_int_equal(act_parse("a", text, len / 2, &act, &errs), -EINVAL);
	assert_int_equal(act_parse("a", text, 0, &act, &errs), -EINVAL);
	/* A NUL, behind which another text could stand. */
	text[len] = '\0';
	assert_int_equal(act_parse("a", text, len + 1, &act, &errs), -EINVAL);
}

static void reason_is_one_line_of_so_many_bytes(void **state)
{
	struct act act;
	char *text = NULL;

	(void)state;
	assert_int_equal(parse(good[ACT_UNINSTALL], &act), 0);
	memset(act.reason, 'r', ACT_REASON_CHARS_MAX);
	act.reason[ACT_REASON_CHARS_MAX] = '\0';
	assert_int_equal(act_format(&act, &text, &errs), 0);
	assert_int_equal(parse(text, &act), 0);
	assert_int_equal(strlen(act.reason), ACT_REASON_CHARS_MAX);
	free(text);
	(void)strcpy(act.reason, "# no: comment [");
	assert_int_equal(act_format(&act, &text, &errs), 0);
	assert_non_null(strstr(text, "reason: \"# no: comment [\"\n"));
	free(text);
	(void)strcpy(act.reason, "quotes \" and ' # both");
	assert_int_equal(act_format(&act, &text, &errs), -EINVAL);
	assert_true(errs.n > 0);
}

static void act_is_for_the_host_of_that_name(void **state)
{
	struct act act = {.host = "cardprint-03"};

	(void)state;
	assert_true(act_is_for_host(&act, "cardprint-03"));
	assert_true(act_is_for_host(&act, "CardPrint-03."));
	assert_false(act_is_for_host(&act, "cardprint-0"));
	assert_false(act_is_for_host(&act, "cardprint-033"));
	assert_false(act_is_for_host(&act, "cardprint-03.example"));
	assert_false(act_is_for_host(&act, ""));
	(void)strcpy(act.host, "");
	assert_false(act_is_for_host(&act, ""));
	assert_false(act_is_for_host(&act, "."));
}

static void words_say_what_it_does_to_whom_and_why(void **state)
{
	static const char *const said[ACT_KIND_MAX] = {
		[ACT_BREAK_GLASS] = "nothing is denied for 90 minutes",
		[ACT_UNINSTALL] = "nothing is protected there any more",
		[ACT_RECOVER] = "the highest serial seen becomes 42",
	};
	char words[ACT_WORDS_MAX];
	struct act act;

	(void)state;
	for (unsigned int kind = 0; kind < ACT_KIND_MAX; kind++) {
		assert_int_equal(parse(good[kind], &act), 0);
		act_words(&act, words, sizeof(words));
		assert_non_null(strstr(words, said[kind]));
		assert_non_null(strstr(words, "cardprint-03 alone"));
		assert_non_null(strstr(words, "f1b3791d086ed6f4"));
		assert_non_null(strstr(words, "reason: printers"));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(act_comes_back_from_its_own_file),
		cmocka_unit_test(bad_act_is_refused_where_it_is_bad),
		cmocka_unit_test(act_is_bounded),
		cmocka_unit_test(reason_is_one_line_of_so_many_bytes),
		cmocka_unit_test(act_is_for_the_host_of_that_name),
		cmocka_unit_test(words_say_what_it_does_to_whom_and_why),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
