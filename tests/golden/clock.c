// SPDX-License-Identifier: GPL-2.0-only
#include "clock.h"

#include <sys/syscall.h>
#include <sys/timex.h>
#include <time.h>
#include <unistd.h>

#define BOOTED_MS 1794196780000 /* 2026-11-09T03:59:40Z */

static int64_t now_ms = 1794648600000; /* 2026-11-14T09:30:00Z */

void clock_stand_at(int64_t ms)
{
	now_ms = ms;
}

int clock_gettime(clockid_t clock, struct timespec *ts)
{
	int64_t ms = clock == CLOCK_BOOTTIME ? now_ms - BOOTED_MS : now_ms;

	if (clock != CLOCK_REALTIME && clock != CLOCK_BOOTTIME)
		return (int)syscall(SYS_clock_gettime, clock, ts);
	ts->tv_sec = ms / 1000;
	ts->tv_nsec = ms % 1000 * 1000000;
	return 0;
}

/* It says that it is synchronised. */
int adjtimex(struct timex *timex)
{
	timex->status = 0;
	return TIME_OK;
}
