// SPDX-License-Identifier: GPL-2.0-only
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <syslog.h>

#include "expiry.h"

#define HOUR 3600LL
#define DAY  86400LL

static void expired_policy_is_said_more_loudly_with_age(void **state)
{
	static const struct {
		int64_t age_s;
		enum expiry expiry;
		int level;
		int64_t again_s;
	} cases[] = {
		{-10, EXPIRY_NONE, LOG_INFO, 10},
		{-1, EXPIRY_NONE, LOG_INFO, 1},
		{0, EXPIRY_WARNING, LOG_WARNING, DAY},
		{DAY, EXPIRY_WARNING, LOG_WARNING, DAY},
		{7 * DAY - 60, EXPIRY_WARNING, LOG_WARNING, 60},
		{7 * DAY - 1, EXPIRY_WARNING, LOG_WARNING, 1},
		{7 * DAY, EXPIRY_ERROR, LOG_ERR, 6 * HOUR},
		{30 * DAY - HOUR, EXPIRY_ERROR, LOG_ERR, HOUR},
		{30 * DAY, EXPIRY_CRITICAL, LOG_CRIT, HOUR},
		{4000 * DAY, EXPIRY_CRITICAL, LOG_CRIT, HOUR},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		assert_int_equal(expiry_of(cases[i].age_s), cases[i].expiry);
		assert_int_equal(expiry_level(cases[i].expiry), cases[i].level);
		assert_int_equal(expiry_again_s(cases[i].age_s),
				 cases[i].again_s);
	}
	assert_string_equal(expiry_name(EXPIRY_ERROR), "error");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(expired_policy_is_said_more_loudly_with_age),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
