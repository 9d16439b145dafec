/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef CORDON_CLOCK_H
#define CORDON_CLOCK_H

#include <stdint.h>
#include <time.h>

#define CLOCK_NS_PER_S 1000000000LL

/* clock_gettime(2) in nanoseconds; of a clock that Linux has. */
static inline int64_t clock_ns(clockid_t clock)
{
	struct timespec ts = {0};

	(void)clock_gettime(clock, &ts);
	return ts.tv_sec * CLOCK_NS_PER_S + ts.tv_nsec;
}

static inline int64_t clock_s(clockid_t clock)
{
	return clock_ns(clock) / CLOCK_NS_PER_S;
}

/* Since some moment: to measure how long something takes. */
static inline int64_t clock_ms(void)
{
	return clock_ns(CLOCK_MONOTONIC) / 1000000;
}

#endif
