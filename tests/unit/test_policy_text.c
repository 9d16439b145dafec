// SPDX-License-Identifier: GPL-2.0-only
/* Text to numbers and back, and what may be shown on a terminal. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>
#include <errno.h>

#include "text.h"

#define N_ELEMENTS(a) (sizeof(a) / sizeof((a)[0]))
#define S	      1000000000ULL

static void number_is_read_when_whole_and_in_range(void **state)
{
	uint64_t v = 77;

	(void)state;
	assert_int_equal(text_parse_u64("0", 0, 9, &v), 0);
	assert_int_equal(v, 0);
	assert_int_equal(
		text_parse_u64("18446744073709551615", 0, UINT64_MAX, &v), 0);
	assert_true(v == UINT64_MAX);
	assert_int_equal(text_parse_u64("5", 5, 5, &v), 0);
	assert_int_equal(v, 5);
}

static void number_is_refused_when_not_whole_or_in_range(void **state)
{
	static const struct {
		const char *s;
		int r;
	} bad[] = {
		{"", -EINVAL},
		{"-1", -EINVAL},
		{"+1", -EINVAL},
		{" 1", -EINVAL},
		{"1 ", -EINVAL},
		{"01", -EINVAL},
		{"00", -EINVAL},
		{"0x1", -EINVAL},
		{"1.0", -EINVAL},
		{"1e3", -EINVAL},
		{"x", -EINVAL},
		{"4", -ERANGE},
		{"10", -ERANGE},
		{"18446744073709551616", -ERANGE},
		{"99999999999999999999 apples", -EINVAL},
		{"99999999999999999999999999999999", -ERANGE},
	};
	uint64_t v = 77;

	(void)state;
	for (size_t i = 0; i < N_ELEMENTS(bad); i++)
		assert_int_equal(text_parse_u64(bad[i].s, 5, 9, &v), bad[i].r);
	assert_int_equal(v, 77);
}

static void bytes_are_read_when_the_unit_is_known(void **state)
{
	static const struct {
		const char *s;
		bool need_unit;
		int r;
		uint64_t bytes;
	} cases[] = {
		{"160", false, 0, 160},
		{"160", true, -EINVAL, 0},
		{"160B", true, 0, 160},
		{"64KiB", false, 0, 65536},
		{"64  KiB", false, 0, 65536},
		{"1MiB", true, 0, 1 << 20},
		{"1 GiB", true, 0, 1 << 30},
		{"1TiB", true, -EINVAL, 0},
		{"1kB", true, -EINVAL, 0},
		{"1MB", true, -EINVAL, 0},
		{"1M", true, -EINVAL, 0},
		{"1 kib", true, -EINVAL, 0},
		{"KiB", true, -EINVAL, 0},
		{"", false, -EINVAL, 0},
		{"1KiB ", false, -EINVAL, 0},
		{"1 ", false, -EINVAL, 0},
		{" 1B", false, -EINVAL, 0},
		{"0B", false, -ERANGE, 0},
		{"2097153KiB", false, -ERANGE, 0},
		{"2GiB", false, 0, 2ULL << 30},
		{"17179869184GiB", false, -ERANGE, 0},
		{"18446744073709551616B", false, -ERANGE, 0},
	};
	uint64_t v;

	(void)state;
	for (size_t i = 0; i < N_ELEMENTS(cases); i++) {
		v = 0;
		assert_int_equal(text_parse_bytes(cases[i].s,
						  cases[i].need_unit, 1,
						  2ULL << 30, &v),
				 cases[i].r);
		assert_true(v == cases[i].bytes);
	}
}

static void duration_is_read_when_the_unit_is_known(void **state)
{
	static const struct {
		const char *s;
		int r;
		uint64_t ns;
	} cases[] = {
		{"second", 0, S},	   {"minute", 0, 60 * S},
		{"hour", 0, 3600 * S},	   {"day", 0, 86400 * S},
		{"week", 0, 604800 * S},   {"1 week", 0, 604800 * S},
		{"2 days", 0, 172800 * S}, {"2 day", 0, 172800 * S},
		{"15minutes", 0, 900 * S}, {"hours", -EINVAL, 0},
		{" hour", -EINVAL, 0},	   {"hour ", -EINVAL, 0},
		{"hourss", -EINVAL, 0},	   {"1 h", -EINVAL, 0},
		{"Hour", -EINVAL, 0},	   {"", -EINVAL, 0},
		{"15", -EINVAL, 0},	   {"-1 hour", -EINVAL, 0},
		{"1.5 hours", -EINVAL, 0}, {"0 hours", -ERANGE, 0},
		{"3 weeks", -ERANGE, 0},   {"30500568904943 weeks", -ERANGE, 0},
	};
	uint64_t v;

	(void)state;
	for (size_t i = 0; i < N_ELEMENTS(cases); i++) {
		v = 0;
		assert_int_equal(
			text_parse_duration(cases[i].s, 1, 1209600 * S, &v),
			cases[i].r);
		assert_true(v == cases[i].ns);
	}
}

static void time_goes_there_and_back_when_valid(void **state)
{
	static const struct {
		const char *s;
		int64_t t;
	} good[] = {
		{"1970-01-01T00:00:00Z", 0},
		{"2000-02-29T23:59:59Z", 951868799},
		{"2038-01-19T03:14:08Z", 2147483648},
		{"2026-11-01T00:00:00Z", 1793491200},
		{"9999-12-31T23:59:59Z", 253402300799},
	};
	static const char *const bad[] = {
		"1969-12-31T23:59:59Z", "2026-02-29T00:00:00Z",
		"2100-02-29T00:00:00Z", "2026-06-31T00:00:00Z",
		"2026-01-01T00:00:60Z", "2026-01-01T24:00:00Z",
	};
	char buf[TEXT_NUMBER_CHARS_MAX];
	int64_t t = 77;

	(void)state;
	for (size_t i = 0; i < N_ELEMENTS(good); i++) {
		assert_int_equal(text_parse_time(good[i].s, &t), 0);
		assert_true(t == good[i].t);
		text_format_time(t, buf, sizeof(buf));
		assert_string_equal(buf, good[i].s);
	}
	t = 77;
	for (size_t i = 0; i < N_ELEMENTS(bad); i++)
		assert_int_equal(text_parse_time(bad[i], &t), -ERANGE);
	assert_int_equal(text_parse_time("2026-11-01", &t), -EINVAL);
	assert_int_equal(text_parse_time("2026-11-01T00:00:00z", &t), -EINVAL);
	assert_int_equal(text_parse_time("2026-11-01T00:00:00Z ", &t), -EINVAL);
	assert_int_equal(text_parse_time("+026-11-01T00:00:00Z", &t), -EINVAL);
	assert_int_equal(t, 77);
	text_format_time(253402300800, buf, sizeof(buf));
	assert_string_equal(buf, "@253402300800");
	text_format_time(INT64_MAX, buf, sizeof(buf));
	assert_string_equal(buf, "@9223372036854775807");
	text_format_time(0, buf, 5);
	assert_true(strlen(buf) < 5);
}

static void moment_has_milliseconds_when_they_are_given(void **state)
{
	static const struct {
		const char *s;
		int64_t ms;
	} good[] = {
		{"1970-01-01T00:00:00Z", 0},
		{"1970-01-01T00:00:01.5Z", 1500},
		{"1970-01-01T00:00:01.05Z", 1050},
		{"2026-11-14T02:13:08.021Z", 1794622388021},
	};
	static const char *const bad[] = {
		"",
		"Z",
		"yesterday",
		"1970-01-01T00:00:00",
		"1970-01-01T00:00:00.Z",
		"1970-01-01T00:00:00.1234Z",
		"1970-01-01T00:00:00.-1Z",
		"1970-01-01T00:00:00,123Z",
		"1970-01-01T00:00:00+0:0Z",
		"1970-01-01T00:00:00.123z",
	};
	int64_t ms = 77;

	(void)state;
	for (size_t i = 0; i < N_ELEMENTS(bad); i++)
		assert_int_equal(text_parse_time_ms(bad[i], &ms), -EINVAL);
	assert_int_equal(text_parse_time_ms("2026-02-30T00:00:00.1Z", &ms),
			 -ERANGE);
	assert_int_equal(ms, 77);
	for (size_t i = 0; i < N_ELEMENTS(good); i++) {
		assert_int_equal(text_parse_time_ms(good[i].s, &ms), 0);
		assert_true(ms == good[i].ms);
	}
}

static void numbers_format_in_the_largest_exact_unit(void **state)
{
	static const struct {
		uint64_t v;
		const char *bytes, *duration;
	} cases[] = {
		{0, "0 B", "0 ns"},
		{1, "1 B", "1 ns"},
		{1024, "1 KiB", "1024 ns"},
		{1025, "1025 B", "1025 ns"},
		{1536 << 10, "1536 KiB", "1572864 ns"},
		{1ULL << 60, "1073741824 GiB", "1152921504606846976 ns"},
		{S, NULL, "second"},
		{60 * S, NULL, "minute"},
		{90 * S, NULL, "90 seconds"},
		{7200 * S, NULL, "2 hours"},
		{1209600 * S, NULL, "2 weeks"},
		{UINT64_MAX, "18446744073709551615 B",
		 "18446744073709551615 ns"},
	};
	char buf[TEXT_NUMBER_CHARS_MAX];

	(void)state;
	for (size_t i = 0; i < N_ELEMENTS(cases); i++) {
		text_format_duration(cases[i].v, buf, sizeof(buf));
		assert_string_equal(buf, cases[i].duration);
		if (!cases[i].bytes)
			continue;
		text_format_bytes(cases[i].v, buf, sizeof(buf));
		assert_string_equal(buf, cases[i].bytes);
	}
}

static void text_is_clean_when_it_is_what_it_looks_like(void **state)
{
	static const char *const clean[] = {
		"",
		"a b",
		"\xc3\xa9",
		"\xe5\x86\x99",
		"\xf0\x9f\x94\x92",
		"\xf4\x8f\xbf\xbd",
	};
	static const struct {
		const char *s;
		size_t len, prefix;
	} unclean[] = {
		{"a\0b", 3, 1},
		{"a\n", 2, 1},
		{"a\tb", 3, 1},
		{"\x1b[m", 3, 0},
		{"\x7f", 1, 0},
		{"\xc2\x9b", 2, 0},
		{"ab\xe2\x80\xae", 5, 2},
		{"\xe2\x81\xa6", 3, 0},
		{"\xe2\x80\x8b", 3, 0},
		{"\xe2\x80\xa9", 3, 0},
		{"\xd8\x9c", 2, 0},
		{"\xef\xbb\xbf", 3, 0},
		{"\xef\xbf\xbf", 3, 0},
		/* no UTF-8: overlong, surrogate, too large, cut, stray */
		{"\xc1\xbf", 2, 0},
		{"\xe0\x9f\xbf", 3, 0},
		{"\xf0\x8f\xbf\xbf", 4, 0},
		{"\xed\xa0\x80", 3, 0},
		{"\xf4\x90\x80\x80", 4, 0},
		{"\xf8\x88\x80\x80", 4, 0},
		{"a\xe5\x86", 3, 1},
		{"\xc3(", 2, 0},
		{"\xbf", 1, 0},
	};

	(void)state;
	for (size_t i = 0; i < N_ELEMENTS(clean); i++)
		assert_true(text_is_clean(clean[i], strlen(clean[i]), ""));
	for (size_t i = 0; i < N_ELEMENTS(unclean); i++) {
		assert_false(text_is_clean(unclean[i].s, unclean[i].len, ""));
		assert_int_equal(
			text_clean_prefix(unclean[i].s, unclean[i].len, ""),
			unclean[i].prefix);
	}
	assert_true(text_is_clean("a\tb\n", 4, "\t\n"));
	assert_false(text_is_clean("a\tb\r", 4, "\t\n"));
	/* the NUL that ends allow allows no NUL */
	assert_false(text_is_clean("\0", 1, "\t"));
}

static void text_is_safe_and_short_when_quoted(void **state)
{
	char buf[TEXT_QUOTE_CHARS_MAX], small[4], exact[65];

	(void)state;
	text_quote("abc", 3, buf, sizeof(buf));
	assert_string_equal(buf, "\"abc\"");
	text_quote("", 0, buf, sizeof(buf));
	assert_string_equal(buf, "\"\"");
	text_quote("a\x1b[2J\0\xff\xe2\x80\xae\xc3\xa9", 12, buf, sizeof(buf));
	assert_string_equal(buf, "\"a?[2J???\xc3\xa9\"");
	memset(exact, 'x', sizeof(exact));
	text_quote(exact, 64, buf, sizeof(buf));
	assert_int_equal(strlen(buf), 66);
	text_quote(exact, 65, buf, sizeof(buf));
	assert_int_equal(strlen(buf), 69);
	assert_string_equal(buf + 64, "x...\"");
	/* a character is not cut in two */
	memcpy(exact + 62, "\xe5\x86\x99", 3);
	text_quote(exact, 65, buf, sizeof(buf));
	assert_string_equal(buf + 62, "x...\"");
	text_quote("abc", 3, small, sizeof(small));
	assert_string_equal(small, "\"ab");
}

static void bytes_come_back_when_a_text_is_escaped(void **state)
{
	static const struct {
		const char *s;
		size_t len;
		const char *text;
	} cases[] = {
		{"", 0, ""},
		{"W0001", 5, "W0001"},
		{"a\\b", 3, "a\\x5cb"},
		{"a\0b", 3, "a\\x00b"},
		{"\x1b[2J\n", 5, "\\x1b[2J\\x0a"},
		{"\xc3\xa9\xc3", 3, "\xc3\xa9\\xc3"},
		{"\xa9\xc3\xa9", 3, "\\xa9\xc3\xa9"},
		{"x\xe2\x80\xae", 4, "x\\xe2\\x80\\xae"},
		{"\xed\xa0\x80", 3, "\\xed\\xa0\\x80"},
		{"\xff\xff\xff\xff", 4, "\\xff\\xff\\xff\\xff"},
	};
	char text[64];

	(void)state;
	for (size_t i = 0; i < N_ELEMENTS(cases); i++) {
		text_escape(cases[i].s, cases[i].len, text,
			    TEXT_ESCAPE_CHARS(cases[i].len));
		assert_string_equal(text, cases[i].text);
	}
}

static void text_is_cut_between_letters_when_there_is_no_room(void **state)
{
	const char *long_text =
		"\xc3\xa9\xc3\xa9\xff\xe2\x82\xac\\\xe2\x82\xac";
	size_t len = strlen(long_text), n;
	char text[64];

	(void)state;
	for (size_t size = 5; size < TEXT_ESCAPE_CHARS(len); size++) {
		memset(text, 'x', sizeof(text));
		text_escape(long_text, len, text, size);
		n = strlen(text);
		assert_true(n < size);
		assert_true(text_is_clean(text, n, ""));
		for (size_t i = size; i < sizeof(text); i++)
			assert_int_equal(text[i], 'x');
	}
	text_escape(long_text, len, text, 5);
	assert_string_equal(text, "\\...");
}

static void word_is_near_when_it_is_a_slip(void **state)
{
	static const char *const near[][2] = {
		{"recrod", "record"},	   {"flie", "file"},
		{"host", "hosts"},	   {"hosst", "hosts"},
		{"subejct", "subject"},	   {"grp", "group"},
		{"unlimted", "unlimited"}, {"releases", "release"},
	};
	static const char *const far[][2] = {
		{"", "file"},	  {"line", "unit"}, {"deny", "block"},
		{"xyz", "exe"},	  {"b", "a"},	    {"", ""},
		{"rd", "record"},
	};
	char longer[80];
	unsigned int distance = 0;

	(void)state;
	for (size_t i = 0; i < N_ELEMENTS(near); i++)
		assert_true(text_is_near(near[i][0], near[i][1], NULL));
	for (size_t i = 0; i < N_ELEMENTS(far); i++)
		assert_false(text_is_near(far[i][0], far[i][1], NULL));
	assert_true(text_is_near("flie", "file", &distance));
	assert_int_equal(distance, 1);
	assert_true(text_is_near("file", "file", &distance));
	assert_int_equal(distance, 0);
	memset(longer, 'a', sizeof(longer) - 1);
	longer[sizeof(longer) - 1] = '\0';
	assert_false(text_is_near(longer, longer, NULL));
	longer[63] = '\0';
	assert_true(text_is_near(longer, longer, NULL));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(number_is_read_when_whole_and_in_range),
		cmocka_unit_test(number_is_refused_when_not_whole_or_in_range),
		cmocka_unit_test(bytes_are_read_when_the_unit_is_known),
		cmocka_unit_test(duration_is_read_when_the_unit_is_known),
		cmocka_unit_test(time_goes_there_and_back_when_valid),
		cmocka_unit_test(numbers_format_in_the_largest_exact_unit),
		cmocka_unit_test(moment_has_milliseconds_when_they_are_given),
		cmocka_unit_test(text_is_clean_when_it_is_what_it_looks_like),
		cmocka_unit_test(text_is_safe_and_short_when_quoted),
		cmocka_unit_test(bytes_come_back_when_a_text_is_escaped),
		cmocka_unit_test(
			text_is_cut_between_letters_when_there_is_no_room),
		cmocka_unit_test(word_is_near_when_it_is_a_slip),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
