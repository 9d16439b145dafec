// SPDX-License-Identifier: GPL-2.0-only
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "kind.h"

static const char *const keys[KIND_MAX] = {
	[KIND_POLICY] = "cordon",
	[KIND_TRUST] = "cordon-trust",
	[KIND_ACT] = "cordon-act",
	[KIND_ENROLMENT] = "cordon-enrolment",
};

static void kind_is_told_by_the_first_key(void **state)
{
	char text[128];

	(void)state;
	for (int i = KIND_NONE + 1; i < KIND_MAX; i++) {
		(void)snprintf(text, sizeof(text), "%s: 1\nissuer: P\n",
			       keys[i]);
		assert_int_equal(kind_of(text), i);
		(void)snprintf(text, sizeof(text),
			       "# cordon-x: 1\n\n  # y\r\n---\n%s: 1", keys[i]);
		assert_int_equal(kind_of(text), i);
		assert_int_equal(kind_of_key(keys[i]), i);
		(void)snprintf(text, sizeof(text), "%s:", keys[i]);
		assert_non_null(strstr(KIND_KEYS, text));
	}
}

static void kind_is_the_first_ones_when_a_file_has_two(void **state)
{
	(void)state;
	assert_int_equal(kind_of("cordon-act: 1\ncordon: 1\n"), KIND_ACT);
	assert_int_equal(kind_of("cordon: 1\ncordon-act: 1\n"), KIND_POLICY);
}

static void kind_is_none_when_the_first_key_is_another(void **state)
{
	static const char *const texts[] = {
		"",
		"\n\n",
		"# cordon: 1",
		"# cordon: 1\n---",
		"---",
		"issuer: P\ncordon: 1\n",
		"cordon-acts: 1\n",
		"cordon-ac: 1\n",
		"Cordon: 1\n",
		"cordon\n: 1\n",
		"cordon",
		" cordon: 1\n",
		": 1\n",
		"{cordon: 1}\n",
	};

	(void)state;
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
		assert_int_equal(kind_of(texts[i]), KIND_NONE);
	assert_int_equal(kind_of_key(NULL), KIND_NONE);
	assert_int_equal(kind_of_key("issuer"), KIND_NONE);
	assert_int_equal(kind_of_key(""), KIND_NONE);
}

static void kind_has_words_for_people_and_programs(void **state)
{
	(void)state;
	assert_null(kind_name(KIND_NONE));
	assert_string_equal(kind_words(KIND_NONE), "something else");
	assert_string_equal(kind_name(KIND_TRUST), "trust");
	assert_string_equal(kind_words(KIND_TRUST), "trust anchors");
	assert_string_equal(kind_name(KIND_ACT), "act");
	assert_string_equal(kind_words(KIND_ACT), "an act");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(kind_is_told_by_the_first_key),
		cmocka_unit_test(kind_is_the_first_ones_when_a_file_has_two),
		cmocka_unit_test(kind_is_none_when_the_first_key_is_another),
		cmocka_unit_test(kind_has_words_for_people_and_programs),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
