/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A clock that stands still, in place of the C library's, in whatever is linked
 * with clock.c: what tells the time then tells the same in every run. To
 * measure how long something takes, CLOCK_MONOTONIC goes on.
 */
#ifndef CORDON_GOLDEN_CLOCK_H
#define CORDON_GOLDEN_CLOCK_H

#include <stdint.h>

/* From here on it is that many milliseconds past the epoch. */
void clock_stand_at(int64_t ms);

#endif
