/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What a new policy lets pass that an old one did not, and the other way round,
 * in words: for who has to sign the new one. Pure; no host is asked.
 *
 * Not texts are compared but what is decided: for everybody who can be met by a
 * subject of either policy, or by several, each dataset and each place that
 * data can go to, the rule that decides in either.
 *
 * More may leave than before if there is a length of time in which more can:
 * for somebody alone, or for several together, because what was counted
 * together is counted apart now, or because it is counted anew from the switch
 * on. Where that cannot be ruled out, it may be looser.
 *
 * What only a host knows: two executables, two names of users or a name and a
 * number may be the same there, and are taken for that where it makes anything
 * looser. Units, control groups and numbers are what they are. Paths of
 * datasets, quiet files and destinations are compared as they are written: that
 * two of them are links to each other is not known.
 */
#ifndef CORDON_POLICY_DIFF_H
#define CORDON_POLICY_DIFF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "policy.h"

/* In the order in which differences are told. */
enum policy_change {
	POLICY_LOOSER,
	POLICY_MAY_BE_LOOSER, /* looser for some, or it cannot be decided */
	POLICY_TIGHTER,
	POLICY_CHANGED, /* and lets neither more pass nor less */
	POLICY_CHANGES,
};

struct policy_difference {
	enum policy_change kind;
	const char *what;  /* a word of the format, `read`, `hosts` ... */
	uint32_t old_line; /* 0: it is not there */
	uint32_t new_line;
	char *words; /* one line */
};

struct policy_diff {
	struct policy_difference *v; /* those that matter most first */
	size_t n;
	size_t counts[POLICY_CHANGES];
	bool falls; /* the policies differ, but the serial does not rise */
};

/*
 * 0: *ret_diff is the caller's, for policy_diff_free(), and does not refer to
 * the policies. -ENOMEM.
 */
int policy_diff(const struct policy *before, const struct policy *after,
		struct policy_diff **ret_diff);

/* Takes NULL. */
void policy_diff_free(struct policy_diff *diff);

/*
 * Whether one budget lets more pass than another in a window of some length,
 * and whether less: both, as 100 an hour and 1000 a day do of each other.
 */
enum policy_order {
	POLICY_SAME = 0,
	POLICY_MORE = 1,
	POLICY_LESS = 2,
	POLICY_MORE_AND_LESS = 3,
};

struct policy_grant {
	const struct policy_budget *budget;
	bool per_user;
};

enum policy_order policy_grant_order(struct policy_grant before,
				     struct policy_grant after);

/* Do n budgets together let no more pass than one, whatever the window? */
bool policy_grants_fit(const struct policy_grant *grants, size_t n,
		       struct policy_grant in);

/* `looser`, `tighter` or `changed`: of what may be looser, `changed`. */
const char *policy_change_name(enum policy_change kind);

#endif
