/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What a policy would have made of what a ledger has on record, for who has to
 * sign it. Pure; no host is asked.
 *
 * A ledger has totals of rows, not windows, and budgets are shared by rows: so
 * rows are put together by the budget of the policy that they come under. Who
 * acted, and to which address, is known from an event of the row, where there
 * is one; else its subject and destination are taken by their names, which then
 * are thought to mean what they meant.
 *
 * Something would be refused if it is more than the budget lets pass however it
 * was spread over the time from the first act to the last; it fits if it is
 * within the budget however it came; else it may be refused. Records are those
 * that were counted then, and who holds what is taken to be as it was: both
 * change if what a record is, who is narrow, or what is followed does. Of what
 * was blocked the bytes are on record, but not the records.
 */
#ifndef CORDON_POLICY_SIMULATE_H
#define CORDON_POLICY_SIMULATE_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "policy.h"

/* Of what went through, the worst first. */
enum policy_sent {
	POLICY_SENT_REFUSED, /* some of it would be, for certain */
	POLICY_SENT_MAY_BE_REFUSED,
	POLICY_SENT_UNKNOWN,
	POLICY_SENT_FITS,
	POLICY_SENT_NONE, /* nothing went through */
	POLICY_SENTS,
};

/* Of what was blocked. */
enum policy_blocked {
	POLICY_BLOCKED_PASSES, /* all of it would go through */
	POLICY_BLOCKED_MAY_PASS,
	POLICY_BLOCKED_UNKNOWN,
	POLICY_BLOCKED_STAYS,
	POLICY_BLOCKED_NONE, /* nothing was */
	POLICY_BLOCKEDS,
};

/* The destination of a use that is reading. */
#define POLICY_READING UINT32_MAX

/* What rows make of one budget; or one that it is not known of which. */
struct policy_use {
	enum policy_sent sent;
	enum policy_blocked blocked;
	const char *unknown; /* why, in words; NULL: the rest is known */
	bool guarded;	     /* the policy has the dataset */
	uint32_t rule;	     /* or POLICY_NO_RULE */
	uint32_t destination;
	const struct policy_budget *budget;
	bool per_user;
	bool enforced; /* what is beyond the budget is refused */
	/* Of the ledger. */
	const char *dataset;
	json_t *subjects; /* names, each once */
	json_t *destinations;
	size_t rows;
	size_t by_name; /* of them, without an event that tells more */
	uint64_t acts;
	uint64_t bytes;
	uint64_t records;
	uint64_t blocked_acts;
	uint64_t over_bytes; /* if anything was blocked: at most of that */
	int64_t first_ms;    /* since 1970 */
	int64_t last_ms;
};

struct policy_simulation;

/* The policy has to outlive it. 0: for policy_simulation_free(); -ENOMEM. */
int policy_simulation_new(const struct policy *policy,
			  struct policy_simulation **ret_simulation);

/* Takes NULL. */
void policy_simulation_free(struct policy_simulation *simulation);

/*
 * A line of the type `ledger' of the guard that load stands for; a later one of
 * the same row takes its place. -EINVAL: it is none; -ENOMEM.
 */
int policy_simulation_row(struct policy_simulation *simulation, uint64_t load,
			  const json_t *line);

/*
 * An event of the same guard, behind its rows: what it tells of one of these is
 * taken; another says nothing. -ENOMEM.
 */
int policy_simulation_event(struct policy_simulation *simulation, uint64_t load,
			    const json_t *line);

/*
 * The uses, those that matter most first, once all is there; they live as long
 * as the simulation. -ENOMEM.
 */
int policy_simulation_judge(struct policy_simulation *simulation,
			    const struct policy_use **ret_uses, size_t *ret_n);

/* `would-be-refused', `stays-blocked' ... */
const char *policy_sent_name(enum policy_sent sent);
const char *policy_blocked_name(enum policy_blocked blocked);

#endif
