/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * How loudly it is said that a policy has expired, which goes on being
 * enforced: the longer ago that is, the louder, and the more often.
 */
#ifndef CORDON_EXPIRY_H
#define CORDON_EXPIRY_H

#include <stdint.h>

enum expiry {
	EXPIRY_NONE,	 /* it has not */
	EXPIRY_WARNING,	 /* once a day */
	EXPIRY_ERROR,	 /* after a week: every six hours */
	EXPIRY_CRITICAL, /* after thirty days: every hour */
};

/* Of one that ended so many seconds ago; below 0: it will. */
enum expiry expiry_of(int64_t age_s);

/* `none', `warning', `error', `critical'. */
const char *expiry_name(enum expiry expiry);

/* A level of syslog(3). */
int expiry_level(enum expiry expiry);

/* In how many seconds it is to be said again, 1 at least. */
int64_t expiry_again_s(int64_t age_s);

#endif
