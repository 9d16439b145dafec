/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What a host must not forget, or older policies could come again: the highest
 * serial of a policy that was in force, and the latest time that there was.
 *
 * The time that counts is the latest that is known or the clock's, whichever is
 * later, so a clock that is set back makes no policy young again. A clock that
 * is far ahead of what is known may be wrong, and to remember that would make
 * each policy with an end too old for this host: it counts as it is, but is
 * remembered only when the kernel says that it is synchronised, or when it has
 * stayed so for a day.
 */
#ifndef CORDON_REMEMBER_H
#define CORDON_REMEMBER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A policy's serial is at most so far above the highest: then there is room for
 * 2^31 such steps, and nobody takes a host to the end of them at once. */
#define REMEMBER_STEP_MAX ((uint64_t)1 << 32)

#define REMEMBER_BEHIND_S  300		  /* less than that is no matter */
#define REMEMBER_AHEAD_S   (31LL * 86400) /* less is nothing unusual */
#define REMEMBER_BELIEVE_S 86400	  /* after that it is believed */
#define REMEMBER_TIME_MAX  253402300799LL /* the end of the year 9999 */
#define REMEMBER_BYTES_MAX 1024		  /* of the file */

/* The host's clocks at one moment, in seconds. */
struct remember_clock {
	int64_t wall_s; /* since the epoch */
	int64_t boot_s; /* CLOCK_BOOTTIME */
	bool synchronised;
};

struct remember {
	bool known; /* else nothing is, not even that there was nothing */
	uint64_t serial;
	int64_t time_s;	 /* since the epoch; 0: none is known */
	int64_t boot_s;	 /* CLOCK_BOOTTIME when it was that */
	int64_t ahead_s; /* likewise, since when the clock is; 0: it is not */
};

enum remember_found {
	REMEMBER_RIGHT,
	REMEMBER_BEHIND, /* the clock was set back */
	REMEMBER_AHEAD,	 /* it is not believed yet */
};

/* It was known elsewhere that it was that late at least. */
void remember_time(struct remember *remember, int64_t time_s,
		   const struct remember_clock *clock);

/* Looks at the clock, and remembers what it says if it can be believed. */
enum remember_found remember_look(struct remember *remember,
				  const struct remember_clock *clock);

/* The latest that is known, as time has gone on since. 0: none. */
int64_t remember_latest(const struct remember *remember,
			const struct remember_clock *clock);

/* The time that counts. */
int64_t remember_now(const struct remember *remember,
		     const struct remember_clock *clock);

/*
 * The file's text: {"cordon":1,"serial":N,"time_s":N}. For free(); NULL: no
 * memory.
 */
char *remember_format(uint64_t serial, int64_t time_s);

/* And back. -EUCLEAN: it is no such text. */
int remember_parse(const char *text, size_t len, uint64_t *ret_serial,
		   int64_t *ret_time_s);

#endif
