// SPDX-License-Identifier: GPL-2.0-only
/*
 * What a scraper gets for the lines in golden/metrics.jsonl, which have names
 * that no policy could have. @VERSION@ stands for that of this build.
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

#include "metrics.h"
#include "version.h"

#define GOLDEN "tests/unit/golden/metrics"

static struct metrics *take_lines(bool backwards)
{
	struct metrics *metrics = metrics_new();
	char buf[4096];
	json_t *lines[64];
	size_t n = 0;
	FILE *in;

	assert_non_null(metrics);
	in = fopen(GOLDEN ".jsonl", "re");
	assert_non_null(in);
	while (fgets(buf, sizeof(buf), in)) {
		assert_true(n < 64);
		lines[n] = json_loads(buf, 0, NULL);
		assert_non_null(lines[n]);
		n++;
	}
	(void)fclose(in);
	for (size_t i = 0; i < n; i++)
		assert_int_equal(
			metrics_take(metrics, lines[backwards ? n - 1 - i : i]),
			0);
	for (size_t i = 0; i < n; i++)
		json_decref(lines[i]);
	return metrics;
}

/* The file, with the version put in. */
static char *expected(const char *path)
{
	static const char mark[] = "@VERSION@";
	char *text = calloc(1, 65536), *at;
	FILE *in;

	assert_non_null(text);
	in = fopen(path, "re");
	assert_non_null(in);
	assert_true(fread(text, 1, 60000, in) > 0);
	(void)fclose(in);
	at = strstr(text, mark);
	assert_non_null(at);
	memmove(at + strlen(CORDON_VERSION), at + strlen(mark),
		strlen(at + strlen(mark)) + 1);
	memcpy(at, CORDON_VERSION, strlen(CORDON_VERSION));
	return text;
}

static char *render(struct metrics *metrics, enum metrics_format format,
		    bool up)
{
	char *text = NULL;
	size_t len = 0;

	assert_int_equal(metrics_render(metrics, format, up, &text, &len), 0);
	assert_int_equal(strlen(text), len);
	return text;
}

/* Line by line, so that a difference can be read. */
static void same(const char *is, const char *should)
{
	while (*is || *should) {
		size_t n = strcspn(is, "\n"), m = strcspn(should, "\n");

		if (n != m || memcmp(is, should, n))
			fail_msg("is     %.*s\nshould %.*s", (int)n, is, (int)m,
				 should);
		is += n + (is[n] == '\n');
		should += m + (should[m] == '\n');
	}
}

static void check_golden(enum metrics_format format, const char *path,
			 bool backwards)
{
	struct metrics *metrics = take_lines(backwards);
	char *is = render(metrics, format, true), *should = expected(path);

	same(is, should);
	free(is);
	free(should);
	metrics_free(metrics);
}

static void openmetrics_is_as_in_the_file(void **state)
{
	(void)state;
	check_golden(METRICS_OPENMETRICS, GOLDEN ".openmetrics", false);
}

static void classic_is_as_in_the_file(void **state)
{
	(void)state;
	check_golden(METRICS_CLASSIC, GOLDEN ".prom", false);
}

static void text_is_the_same_when_lines_come_in_another_order(void **state)
{
	(void)state;
	check_golden(METRICS_CLASSIC, GOLDEN ".prom", true);
}

static void text_is_the_same_when_made_again(void **state)
{
	struct metrics *metrics = take_lines(false);
	char *first = render(metrics, METRICS_OPENMETRICS, true);
	char *classic = render(metrics, METRICS_CLASSIC, true);
	char *again = render(metrics, METRICS_OPENMETRICS, true);

	(void)state;
	assert_string_equal(first, again);
	assert_string_not_equal(first, classic);
	free(first);
	free(classic);
	free(again);
	metrics_free(metrics);
}

static void up_is_all_that_is_told_when_there_is_no_agent(void **state)
{
	/* Half a reply is none. */
	struct metrics *metrics = take_lines(false);
	char *text = render(metrics, METRICS_OPENMETRICS, false);

	(void)state;
	assert_string_equal(
		text, "# HELP cordon_up 1 if the agent answered, 0 if "
		      "not.\n"
		      "# TYPE cordon_up gauge\n"
		      "cordon_up 0\n"
		      "# HELP cordon_build The cordon that tells this.\n"
		      "# TYPE cordon_build info\n"
		      "cordon_build_info{version=\"" CORDON_VERSION "\"} 1\n"
		      "# EOF\n");
	free(text);
	metrics_free(metrics);
}

static void up_is_0_when_nothing_was_told(void **state)
{
	struct metrics *metrics = metrics_new();
	char *text = render(metrics, METRICS_CLASSIC, true);

	(void)state;
	assert_non_null(strstr(text, "\ncordon_up 0\n"));
	free(text);
	metrics_free(metrics);
}

static char *take_text(const char *line)
{
	struct metrics *metrics = metrics_new();
	json_t *status, *object;
	char *text;

	status = json_pack("{s:s}", "type", "status");
	object = json_loads(line, 0, NULL);
	assert_non_null(object);
	assert_int_equal(metrics_take(metrics, status), 0);
	assert_int_equal(metrics_take(metrics, object), 0);
	text = render(metrics, METRICS_CLASSIC, true);
	json_decref(status);
	json_decref(object);
	metrics_free(metrics);
	return text;
}

/* An agent of before, or a later one. */
static void lines_are_taken_when_members_are_missing_or_odd(void **state)
{
	static const char *const lines[] = {
		"{}",
		"[]",
		"{\"type\":7}",
		"{\"type\":\"dataset\"}",
		"{\"type\":\"dataset\",\"dataset\":7,\"files\":-1}",
		"{\"type\":\"budget\",\"budget\":[],\"max\":{}}",
		"{\"type\":\"ledger\",\"acts\":\"x\",\"bytes\":1.5}",
	};

	(void)state;
	for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
		char *text = take_text(lines[i]);

		assert_non_null(strstr(text, "\ncordon_up 1\n"));
		assert_non_null(strstr(text, "\ncordon_blocked_acts_total 0"));
		assert_null(strstr(text, "acts{"));
		free(text);
	}
}

static void sums_stay_at_their_limit(void **state)
{
	struct metrics *metrics = metrics_new();
	json_t *status = json_pack("{s:s}", "type", "status");
	json_t *line = json_pack("{s:s, s:I}", "type", "ledger", "blocked_acts",
				 (json_int_t)INT64_MAX);
	char *text;

	(void)state;
	assert_int_equal(metrics_take(metrics, status), 0);
	for (int i = 0; i < 3; i++)
		assert_int_equal(metrics_take(metrics, line), 0);
	text = render(metrics, METRICS_CLASSIC, true);
	assert_non_null(strstr(text, "cordon_blocked_acts_total "
				     "9223372036854775807\n"));
	free(text);
	json_decref(status);
	json_decref(line);
	metrics_free(metrics);
}

static void name_is_cut_when_it_is_long(void **state)
{
	char line[2048], *text, *at;
	size_t n = 0;

	(void)state;
	n = (size_t)snprintf(line, sizeof(line),
			     "{\"type\":\"dataset\",\"files\":1,\"dataset\":"
			     "\"");
	memset(line + n, '"', 1000);
	for (size_t i = 0; i < 1000; i += 2)
		line[n + i] = '\\';
	(void)strcpy(line + n + 1000, "\"}");
	text = take_text(line);
	at = strstr(text, "cordon_dataset_files{dataset=\"");
	assert_non_null(at);
	at += strlen("cordon_dataset_files{dataset=\"");
	assert_int_equal(strcspn(at, "}"), 2 * METRICS_LABEL_BYTES_MAX + 1);
	free(text);
}

static void lines_are_refused_beyond_their_limit(void **state)
{
	struct metrics *metrics = metrics_new();
	json_t *line = json_pack("{s:s}", "type", "dataset");
	int r = 0, n = 0;

	(void)state;
	for (; !r && n < 2 * METRICS_ROWS_MAX; n++)
		r = metrics_take(metrics, line);
	assert_int_equal(r, -E2BIG);
	assert_int_equal(n, METRICS_ROWS_MAX + 1);
	json_decref(line);
	metrics_free(metrics);
}

static void format_is_the_one_that_is_liked_best(void **state)
{
	static const struct {
		const char *accept;
		enum metrics_format format;
	} cases[] = {
		{NULL, METRICS_CLASSIC},
		{"", METRICS_CLASSIC},
		{",,;;q=,", METRICS_CLASSIC},
		{"*/*", METRICS_CLASSIC},
		{"text/html", METRICS_CLASSIC},
		{"application/openmetrics-text", METRICS_OPENMETRICS},
		{"Application/OpenMetrics-Text ; charset=utf-8",
		 METRICS_OPENMETRICS},
		{"application/openmetrics-text;version=1.0.0,"
		 "application/openmetrics-text;version=0.0.1;q=0.75,"
		 "text/plain;version=0.0.4;q=0.5,*/*;q=0.1",
		 METRICS_OPENMETRICS},
		{"text/plain;q=0.5, application/openmetrics-text;q=0.25",
		 METRICS_CLASSIC},
		{"text/plain, application/openmetrics-text; q=0",
		 METRICS_CLASSIC},
		{"application/openmetrics-text; q=0.000", METRICS_CLASSIC},
		{"application/openmetrics-text; version=2.0.0",
		 METRICS_CLASSIC},
		{"application/openmetrics-textual", METRICS_CLASSIC},
		{"text/*;q=0.1,application/openmetrics-text;q=0.12",
		 METRICS_OPENMETRICS},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		if (metrics_negotiate(cases[i].accept) != cases[i].format)
			fail_msg("%s", cases[i].accept);
	assert_string_equal(metrics_content_type(METRICS_OPENMETRICS),
			    "application/openmetrics-text; version=1.0.0; "
			    "charset=utf-8");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(openmetrics_is_as_in_the_file),
		cmocka_unit_test(classic_is_as_in_the_file),
		cmocka_unit_test(
			text_is_the_same_when_lines_come_in_another_order),
		cmocka_unit_test(text_is_the_same_when_made_again),
		cmocka_unit_test(up_is_all_that_is_told_when_there_is_no_agent),
		cmocka_unit_test(up_is_0_when_nothing_was_told),
		cmocka_unit_test(
			lines_are_taken_when_members_are_missing_or_odd),
		cmocka_unit_test(sums_stay_at_their_limit),
		cmocka_unit_test(name_is_cut_when_it_is_long),
		cmocka_unit_test(lines_are_refused_beyond_their_limit),
		cmocka_unit_test(format_is_the_one_that_is_liked_best),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
