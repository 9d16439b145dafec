// SPDX-License-Identifier: GPL-2.0-only
#include "remember.h"

#include <errno.h>
#include <jansson.h>

int64_t remember_latest(const struct remember *remember,
			const struct remember_clock *clock)
{
	if (!remember->time_s)
		return 0;
	/* In another boot, that clock says nothing. */
	if (clock->boot_s < remember->boot_s)
		return remember->time_s;
	return remember->time_s + (clock->boot_s - remember->boot_s);
}

static void set_time(struct remember *remember, int64_t time_s,
		     const struct remember_clock *clock)
{
	remember->time_s = time_s;
	remember->boot_s = clock->boot_s;
}

void remember_time(struct remember *remember, int64_t time_s,
		   const struct remember_clock *clock)
{
	if (time_s > REMEMBER_TIME_MAX)
		time_s = REMEMBER_TIME_MAX;
	if (time_s > remember_latest(remember, clock))
		set_time(remember, time_s, clock);
}

enum remember_found remember_look(struct remember *remember,
				  const struct remember_clock *clock)
{
	int64_t latest = remember_latest(remember, clock);
	bool ahead = latest && clock->wall_s - latest > REMEMBER_AHEAD_S;

	if (!ahead)
		remember->ahead_s = 0;
	else if (!remember->ahead_s || clock->boot_s < remember->ahead_s)
		remember->ahead_s = clock->boot_s ? clock->boot_s : 1;
	if (latest - clock->wall_s > REMEMBER_BEHIND_S)
		return REMEMBER_BEHIND;
	if (ahead && !clock->synchronised &&
	    clock->boot_s - remember->ahead_s < REMEMBER_BELIEVE_S)
		return REMEMBER_AHEAD;
	if (clock->wall_s >= latest)
		set_time(remember, clock->wall_s, clock);
	remember->ahead_s = 0;
	return REMEMBER_RIGHT;
}

int64_t remember_now(const struct remember *remember,
		     const struct remember_clock *clock)
{
	int64_t latest = remember_latest(remember, clock);

	return latest > clock->wall_s ? latest : clock->wall_s;
}

/* ---- the file ------------------------------------------------------------ */

char *remember_format(uint64_t serial, int64_t time_s)
{
	json_t *json;
	char *text;

	json = json_pack("{s:i, s:I, s:I}", "cordon", 1, "serial",
			 (json_int_t)serial, "time_s", (json_int_t)time_s);
	text = json ? json_dumps(json, JSON_COMPACT) : NULL;
	json_decref(json);
	return text;
}

int remember_parse(const char *text, size_t len, uint64_t *ret_serial,
		   int64_t *ret_time_s)
{
	json_int_t format, serial, time_s;
	int r = -EUCLEAN;
	json_t *json;

	if (len > REMEMBER_BYTES_MAX)
		return r;
	json = json_loadb(text, len, JSON_REJECT_DUPLICATES, NULL);
	if (!json_unpack(json, "{s:I, s:I, s:I !}", "cordon", &format, "serial",
			 &serial, "time_s", &time_s) &&
	    format == 1 && serial >= 0 && time_s >= 0 &&
	    time_s <= REMEMBER_TIME_MAX) {
		*ret_serial = (uint64_t)serial;
		*ret_time_s = time_s;
		r = 0;
	}
	json_decref(json);
	return r;
}
