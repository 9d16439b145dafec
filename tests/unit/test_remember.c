// SPDX-License-Identifier: GPL-2.0-only
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include <errno.h>

#include "remember.h"

#define DAY  86400LL
#define THEN 1795510800LL /* 2026-11-24 */

/* So long after THEN by the wall, and so long after a boot. */
static struct remember_clock at(int64_t wall_s, int64_t boot_s)
{
	return (struct remember_clock){.wall_s = THEN + wall_s,
				       .boot_s = boot_s};
}

static void time_goes_on_when_the_clock_is_right(void **state)
{
	struct remember_clock clock = at(0, 100);
	struct remember remember = {0};

	(void)state;
	assert_int_equal(remember_latest(&remember, &clock), 0);
	assert_int_equal(remember_now(&remember, &clock), THEN);
	assert_int_equal(remember_look(&remember, &clock), REMEMBER_RIGHT);
	assert_int_equal(remember.time_s, THEN);
	clock = at(3600, 3700);
	assert_int_equal(remember_look(&remember, &clock), REMEMBER_RIGHT);
	assert_int_equal(remember.time_s, THEN + 3600);
	/* A host that was off for three weeks. */
	clock = at(21 * DAY, 5);
	assert_int_equal(remember_look(&remember, &clock), REMEMBER_RIGHT);
	assert_int_equal(remember.time_s, THEN + 21 * DAY);
}

static void time_does_not_go_back_when_the_clock_is_set_back(void **state)
{
	struct remember_clock clock = at(0, 100);
	struct remember remember = {0};

	(void)state;
	(void)remember_look(&remember, &clock);
	/* What ntpd(8) corrects is no matter. */
	clock = at(-REMEMBER_BEHIND_S, 100);
	assert_int_equal(remember_look(&remember, &clock), REMEMBER_RIGHT);
	assert_int_equal(remember_now(&remember, &clock), THEN);
	clock = at(-365 * DAY, 100);
	assert_int_equal(remember_look(&remember, &clock), REMEMBER_BEHIND);
	assert_int_equal(remember_now(&remember, &clock), THEN);
	/* And it goes on all the same. */
	clock = at(-365 * DAY + 7200, 7300);
	assert_int_equal(remember_look(&remember, &clock), REMEMBER_BEHIND);
	assert_int_equal(remember_now(&remember, &clock), THEN + 7200);
	/* After a boot it stands at what was saved. */
	remember = (struct remember){0};
	clock = at(-365 * DAY, 3);
	remember_time(&remember, THEN + 7200, &clock);
	clock = at(-365 * DAY + 10, 13);
	assert_int_equal(remember_look(&remember, &clock), REMEMBER_BEHIND);
	assert_int_equal(remember_now(&remember, &clock), THEN + 7210);
	clock = at(7230, 43);
	assert_int_equal(remember_look(&remember, &clock), REMEMBER_RIGHT);
}

static void highest_time_wins_when_several_are_known(void **state)
{
	struct remember_clock clock = at(0, 50);
	struct remember remember = {0};

	(void)state;
	remember_time(&remember, THEN - 10, &clock);
	remember_time(&remember, THEN - 99, &clock);
	assert_int_equal(remember_latest(&remember, &clock), THEN - 10);
	remember_time(&remember, THEN + 40, &clock);
	assert_int_equal(remember_latest(&remember, &clock), THEN + 40);
	remember_time(&remember, INT64_MAX, &clock);
	assert_int_equal(remember_latest(&remember, &clock), REMEMBER_TIME_MAX);
}

static void clock_that_is_far_ahead_leaves_no_trace_when_corrected(void **state)
{
	const int64_t years = 73 * 365 * DAY;
	struct remember_clock clock = at(0, 10);
	struct remember remember = {0};

	(void)state;
	(void)remember_look(&remember, &clock);
	clock = at(years, 20);
	assert_int_equal(remember_look(&remember, &clock), REMEMBER_AHEAD);
	/* What has ended by then is too old, as long as it is then. */
	assert_int_equal(remember_now(&remember, &clock), THEN + years);
	clock = at(years + DAY - 60, DAY - 40);
	assert_int_equal(remember_look(&remember, &clock), REMEMBER_AHEAD);
	assert_int_equal(remember_latest(&remember, &clock), THEN + DAY - 50);
	/* Corrected after nearly a day, and once more wrong. */
	clock = at(DAY, DAY + 10);
	assert_int_equal(remember_look(&remember, &clock), REMEMBER_RIGHT);
	assert_int_equal(remember_now(&remember, &clock), THEN + DAY);
	clock = at(years, DAY + 100);
	assert_int_equal(remember_look(&remember, &clock), REMEMBER_AHEAD);
}

static void clock_that_is_far_ahead_is_believed_when_it_stays(void **state)
{
	const int64_t far = 100 * DAY;
	struct remember_clock clock = at(0, 10);
	struct remember remember = {0};

	(void)state;
	(void)remember_look(&remember, &clock);
	clock = at(far, 20);
	assert_int_equal(remember_look(&remember, &clock), REMEMBER_AHEAD);
	clock = at(far + DAY, 20 + DAY);
	assert_int_equal(remember_look(&remember, &clock), REMEMBER_RIGHT);
	assert_int_equal(remember.time_s, THEN + far + DAY);
	/* Or at once, when somebody vouches for it. */
	clock = at(2 * far + DAY, 30 + DAY);
	clock.synchronised = true;
	assert_int_equal(remember_look(&remember, &clock), REMEMBER_RIGHT);
	assert_int_equal(remember.time_s, THEN + 2 * far + DAY);
	/* A boot ends the day. */
	clock = at(4 * far, 40 + DAY);
	assert_int_equal(remember_look(&remember, &clock), REMEMBER_AHEAD);
	clock = at(4 * far + 10, 5);
	assert_int_equal(remember_look(&remember, &clock), REMEMBER_AHEAD);
	clock = at(4 * far + DAY, DAY - 20);
	assert_int_equal(remember_look(&remember, &clock), REMEMBER_AHEAD);
}

static void file_is_read_as_it_was_written(void **state)
{
	uint64_t serial = 0;
	int64_t time_s = 0;
	char *text;

	(void)state;
	text = remember_format(INT64_MAX, REMEMBER_TIME_MAX);
	assert_non_null(text);
	assert_int_equal(remember_parse(text, strlen(text), &serial, &time_s),
			 0);
	assert_int_equal(serial, INT64_MAX);
	assert_int_equal(time_s, REMEMBER_TIME_MAX);
	free(text);
}

static void file_is_refused_when_it_is_none(void **state)
{
	static const char *const texts[] = {
		"",
		"{}",
		"[1]",
		"{\"cordon\":1,\"serial\":1}",
		"{\"cordon\":2,\"serial\":1,\"time_s\":1}",
		"{\"cordon\":1,\"serial\":-1,\"time_s\":1}",
		"{\"cordon\":1,\"serial\":1,\"time_s\":-1}",
		"{\"cordon\":1,\"serial\":1,\"time_s\":253402300800}",
		"{\"cordon\":1,\"serial\":1,\"time_s\":1,\"more\":1}",
		"{\"cordon\":1,\"serial\":1,\"serial\":2,\"time_s\":1}",
		"{\"cordon\":1,\"serial\":1,\"time_s\":1}x",
		"{\"cordon\":1,\"serial\":\"1\",\"time_s\":1}",
		"{\"cordon\":1,\"serial\":9223372036854775808,\"time_s\":1}",
	};
	uint64_t serial = 7;
	int64_t time_s = 7;

	(void)state;
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
		if (remember_parse(texts[i], strlen(texts[i]), &serial,
				   &time_s) != -EUCLEAN)
			fail_msg("taken: %s", texts[i]);
	assert_int_equal(serial, 7);
	assert_int_equal(time_s, 7);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(time_goes_on_when_the_clock_is_right),
		cmocka_unit_test(
			time_does_not_go_back_when_the_clock_is_set_back),
		cmocka_unit_test(highest_time_wins_when_several_are_known),
		cmocka_unit_test(
			clock_that_is_far_ahead_leaves_no_trace_when_corrected),
		cmocka_unit_test(
			clock_that_is_far_ahead_is_believed_when_it_stays),
		cmocka_unit_test(file_is_read_as_it_was_written),
		cmocka_unit_test(file_is_refused_when_it_is_none),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
