// SPDX-License-Identifier: GPL-2.0-only
#include "expiry.h"

#include <syslog.h>

#define HOUR_S 3600LL
#define DAY_S  86400LL

static const struct {
	int64_t from_s; /* the age at which it begins */
	int64_t every_s;
	int level;
	const char *name;
} steps[] = {
	[EXPIRY_NONE] = {INT64_MIN, 0, LOG_INFO, "none"},
	[EXPIRY_WARNING] = {0, DAY_S, LOG_WARNING, "warning"},
	[EXPIRY_ERROR] = {7 * DAY_S, 6 * HOUR_S, LOG_ERR, "error"},
	[EXPIRY_CRITICAL] = {30 * DAY_S, HOUR_S, LOG_CRIT, "critical"},
};

enum expiry expiry_of(int64_t age_s)
{
	enum expiry expiry = EXPIRY_CRITICAL;

	while (age_s < steps[expiry].from_s)
		expiry--;
	return expiry;
}

const char *expiry_name(enum expiry expiry)
{
	return steps[expiry].name;
}

int expiry_level(enum expiry expiry)
{
	return steps[expiry].level;
}

int64_t expiry_again_s(int64_t age_s)
{
	enum expiry expiry = expiry_of(age_s);
	int64_t again_s = steps[expiry].every_s, next_s;

	if (expiry == EXPIRY_CRITICAL)
		return again_s;
	/* The next step does not wait. */
	next_s = steps[expiry + 1].from_s - age_s;
	return expiry == EXPIRY_NONE || next_s < again_s ? next_s : again_s;
}
