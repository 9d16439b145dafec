// SPDX-License-Identifier: GPL-2.0-only
/* Budgets of two policies: alone, and where several come from one. */
#include "policy_diff_internal.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- which lets more pass ----------------------------------------------- */

/*
 * How many of a budget of max in window_ns go into one of another window: as
 * many as can come in less than that window, which are the bursts that a
 * shorter one allows in it. For longer times that holds all the more: what goes
 * into one window so goes into each that follows.
 */
static bool add_bursts(unsigned __int128 *sum, uint64_t max, uint64_t window_ns,
		       uint64_t in_ns)
{
	uint64_t bursts;

	if (!window_ns)
		return false; /* no limit of this kind */
	bursts = (in_ns + window_ns - 1) / window_ns;
	*sum += (unsigned __int128)max * bursts;
	return true;
}

/* Those of records, or those of bytes. */
static bool limits_fit(const struct policy_grant *grants, size_t n,
		       const struct policy_budget *in, bool records)
{
	uint64_t in_ns = records ? in->records_window_ns : in->bytes_window_ns;
	const struct policy_budget *budget;
	unsigned __int128 sum = 0;

	if (!in_ns)
		return true;
	for (size_t i = 0; i < n; i++) {
		budget = grants[i].budget;
		if (budget->kind == POLICY_BUDGET_NONE)
			continue;
		if (!add_bursts(&sum, records ? budget->records : budget->bytes,
				records ? budget->records_window_ns
					: budget->bytes_window_ns,
				in_ns))
			return false;
	}
	return sum <= (records ? in->records : in->bytes);
}

bool policy_grants_fit(const struct policy_grant *grants, size_t n,
		       struct policy_grant in)
{
	bool nothing = true;

	for (size_t i = 0; i < n; i++)
		if (grants[i].budget->kind != POLICY_BUDGET_NONE)
			nothing = false;
	if (nothing || in.budget->kind == POLICY_BUDGET_UNLIMITED)
		return true;
	if (in.budget->kind == POLICY_BUDGET_NONE)
		return false;
	for (size_t i = 0; i < n; i++) {
		if (grants[i].budget->kind == POLICY_BUDGET_UNLIMITED)
			return false;
		/* as many times as there are users */
		if (grants[i].budget->kind == POLICY_BUDGET_LIMITED &&
		    grants[i].per_user && !in.per_user)
			return false;
	}
	return limits_fit(grants, n, in.budget, true) &&
	       limits_fit(grants, n, in.budget, false);
}

enum policy_order policy_grant_order(struct policy_grant before,
				     struct policy_grant after)
{
	enum policy_order order = POLICY_SAME;

	if (!policy_grants_fit(&after, 1, before))
		order |= POLICY_MORE;
	if (!policy_grants_fit(&before, 1, after))
		order |= POLICY_LESS;
	return order;
}

/* ---- in words ----------------------------------------------------------- */

static void say_grant(struct policy_grant grant, char *buf, size_t size)
{
	char text[POLICY_BUDGET_CHARS_MAX];

	policy_budget_format(grant.budget, text, sizeof(text));
	(void)snprintf(buf, size, "%s%s", text,
		       grant.per_user && grant.budget->kind ==
						 POLICY_BUDGET_LIMITED
			       ? " for each user"
			       : "");
}

static void tell(struct diff *diff, const struct diff_words *words,
		 struct diff_at at, const char *head, const char *tail)
{
	if (words->dataset)
		diff_tell_of(diff, at, words->dataset, head, tail);
	else
		diff_tell(diff, at, "%s%s", head, tail);
}

static enum policy_change kind_of(enum policy_order order)
{
	switch (order) {
	case POLICY_SAME:
		break;
	case POLICY_MORE:
		return POLICY_LOOSER;
	case POLICY_LESS:
		return POLICY_TIGHTER;
	case POLICY_MORE_AND_LESS:
		return POLICY_MAY_BE_LOOSER;
	}
	return POLICY_CHANGED;
}

static void tell_flow(struct diff *diff, const struct diff_words *words,
		      const struct diff_flow *flow, enum policy_order order)
{
	char before[2 * POLICY_BUDGET_CHARS_MAX];
	char after[2 * POLICY_BUDGET_CHARS_MAX];
	char who[DIFF_WORDS_MAX], to[DIFF_WORDS_MAX];
	char head[2 * DIFF_WORDS_MAX], tail[2 * DIFF_WORDS_MAX];

	say_grant(flow->old, before, sizeof(before));
	say_grant(flow->new, after, sizeof(after));
	words->who(words, flow, who, sizeof(who));
	words->tail(words, flow, to, sizeof(to));
	(void)snprintf(head, sizeof(head), "%s %s %s%s", who, words->verb,
		       after, words->of);
	(void)snprintf(tail, sizeof(tail), "%s; before: %s%s", to, before,
		       order == POLICY_MORE_AND_LESS
			       ? ": more in one respect, less in another"
			       : "");
	tell(diff, words,
	     (struct diff_at){kind_of(order), words->what, flow->old_line,
			      flow->new_line},
	     head, tail);
}

/* ---- pools -------------------------------------------------------------- */

static int compare_flows(const void *a, const void *b)
{
	const struct diff_flow *fa = a, *fb = b;
	const uint32_t ka[] = {fa->before, fa->from, fa->after, fa->to};
	const uint32_t kb[] = {fb->before, fb->from, fb->after, fb->to};

	for (size_t i = 0; i < sizeof(ka) / sizeof(ka[0]); i++)
		if (ka[i] != kb[i])
			return ka[i] < kb[i] ? -1 : 1;
	return 0;
}

/* What was one budget is several now, which together let more pass. */
static void tell_apart(struct diff *diff, const struct diff_words *words,
		       const struct diff_flow *flow, size_t n)
{
	char before[2 * POLICY_BUDGET_CHARS_MAX];
	char who[DIFF_WORDS_MAX], to[DIFF_WORDS_MAX];
	char head[2 * DIFF_WORDS_MAX], tail[2 * DIFF_WORDS_MAX];

	say_grant(flow->old, before, sizeof(before));
	words->who(words, flow, who, sizeof(who));
	words->tail(words, flow, to, sizeof(to));
	(void)snprintf(head, sizeof(head),
		       "%s %s, of what was one budget (%s)%s", who, words->verb,
		       before, words->of);
	(void)snprintf(tail, sizeof(tail),
		       "%s, by one of %zu budgets that count apart: together "
		       "they can be more",
		       to, n);
	tell(diff, words,
	     (struct diff_at){POLICY_MAY_BE_LOOSER, words->what, flow->old_line,
			      flow->new_line},
	     head, tail);
}

/* What was used of the old budget is not counted in the new one. */
static void tell_anew(struct diff *diff, const struct diff_words *words,
		      const struct diff_flow *flow)
{
	char after[2 * POLICY_BUDGET_CHARS_MAX];
	char who[DIFF_WORDS_MAX], to[DIFF_WORDS_MAX];
	char head[2 * DIFF_WORDS_MAX], tail[2 * DIFF_WORDS_MAX];

	say_grant(flow->new, after, sizeof(after));
	words->who(words, flow, who, sizeof(who));
	words->tail(words, flow, to, sizeof(to));
	(void)snprintf(head, sizeof(head), "%s %s %s%s", who, words->verb,
		       after, words->of);
	(void)snprintf(tail, sizeof(tail),
		       "%s beside what was used before the switch: it is "
		       "another budget, which begins anew",
		       to);
	tell(diff, words,
	     (struct diff_at){POLICY_MAY_BE_LOOSER, words->what, flow->old_line,
			      flow->new_line},
	     head, tail);
}

/* n flows out of one pool of the old policy, to a pool each. */
static void tell_pool(struct diff *diff, const struct diff_words *words,
		      const struct diff_flow *flows, size_t n,
		      struct policy_grant *grants)
{
	enum policy_order order;
	bool more = false;
	size_t pools = 0, other = n;

	for (size_t i = 0; i < n; i++) {
		order = policy_grant_order(flows[i].old, flows[i].new);
		if (order)
			tell_flow(diff, words, &flows[i], order);
		more = more || (order & POLICY_MORE);
		if (flows[i].new.budget->kind == POLICY_BUDGET_NONE)
			continue;
		grants[pools++] = flows[i].new;
		if (!flows[i].same && other == n)
			other = i;
	}
	if (more || !pools ||
	    flows[0].old.budget->kind == POLICY_BUDGET_UNLIMITED)
		return;
	if (other < n && !policy_grants_fit(grants, pools, flows[0].old)) {
		tell_apart(diff, words, &flows[other], pools);
		return;
	}
	for (size_t i = 0; i < n; i++)
		if (!flows[i].same &&
		    flows[i].new.budget->kind != POLICY_BUDGET_NONE)
			tell_anew(diff, words, &flows[i]);
}

void diff_flows(struct diff *diff, const struct diff_words *words,
		struct diff_flow *flows, size_t n)
{
	struct policy_grant *grants;
	size_t k = 0, same;

	if (!n || diff->r)
		return;
	grants = calloc(n, sizeof(*grants));
	if (!grants) {
		diff->r = -ENOMEM;
		return;
	}
	qsort(flows, n, sizeof(*flows), compare_flows);
	for (size_t i = 0; i < n; i++)
		if (!k || compare_flows(&flows[k - 1], &flows[i]))
			flows[k++] = flows[i];
	for (size_t i = 0; i < k; i += same) {
		for (same = 1; i + same < k; same++)
			if (flows[i].before != flows[i + same].before ||
			    flows[i].from != flows[i + same].from)
				break;
		tell_pool(diff, words, &flows[i], same, grants);
	}
	free(grants);
}
