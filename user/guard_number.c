// SPDX-License-Identifier: GPL-2.0-only
/*
 * Which numbers may be given to other names.
 *
 * A number whose name no policy has any more may not change its name as long as
 * anything in the guard carries it: who holds a dataset would come to hold
 * another one, what was charged to a rule would be charged to the next, and the
 * ledger would tell of records that were never read. What a socket or a read
 * under way carries has a row in the ledger or a budget as well.
 */
#include "guard_internal.h"

#include <string.h>

#include "decide.h"

struct counting {
	struct guard *guard;
	struct registry *names;
	uint64_t now_ns;
};

static bool is_scarce(const struct registry *names, const struct policy *policy)
{
	return registry_left(names, NAME_DATASET) <
		       policy->n_datasets + policy->n_quiet ||
	       registry_left(names, NAME_SUBJECT) <
		       policy->n_subjects + policy->n_quiet ||
	       registry_left(names, NAME_DEST) < policy->n_destinations ||
	       registry_left(names, NAME_RULE) < policy->n_rules;
}

/* ---- the policy in force ------------------------------------------------ */

/* An agent that adopted the guard knows its names, but not which are in use. */
static int count_rules(struct counting *c)
{
	const struct guard *guard = c->guard;
	uint32_t slot = guard->state->generation & 1, i, k, at;
	struct release release;
	struct rule rule;
	int r;

	for (i = 0; i < CORDON_RULES; i++) {
		at = slot * CORDON_RULES + i;
		r = guard_map_lookup(guard, MAP_RULES, &at, &rule);
		if (r || !rule.id)
			return r;
		registry_count(c->names, NAME_RULE, rule.id);
		registry_count(c->names, NAME_SUBJECT, rule.subject);
		for (k = 0; k < rule.releases; k++) {
			at = slot * CORDON_RELEASES + rule.first_release + k;
			r = guard_map_lookup(guard, MAP_RELEASES, &at,
					     &release);
			if (r)
				return r;
			registry_count(c->names, NAME_DEST, release.dest);
		}
	}
	return 0;
}

static int count_intakes(struct counting *c)
{
	uint32_t slot = c->guard->state->generation & 1, i, at;
	struct intake intake;
	int r;

	for (i = 0; i < CORDON_SUBJECTS; i++) {
		at = slot * CORDON_SUBJECTS + i;
		r = guard_map_lookup(c->guard, MAP_INTAKES, &at, &intake);
		if (r)
			return r;
		registry_count(c->names, NAME_SUBJECT, intake.subject);
	}
	return 0;
}

static int count_datasets(struct counting *c)
{
	static const struct dataset_rules none;
	uint32_t slot = c->guard->state->generation & 1, i, at;
	struct dataset_rules rules;
	struct intake quiet;
	int r;

	for (i = 1; i < CORDON_DATASETS; i++) {
		at = slot * CORDON_DATASETS + i;
		r = guard_map_lookup(c->guard, MAP_DATASETS, &at, &rules);
		if (!r)
			r = guard_map_lookup(c->guard, MAP_QUIET_FILES, &at,
					     &quiet);
		if (r)
			return r;
		registry_count(c->names, NAME_SUBJECT, quiet.subject);
		if (quiet.subject ||
		    memcmp(&rules.has, &none.has, sizeof(rules.has)) != 0)
			registry_count(c->names, NAME_DATASET, i);
	}
	return 0;
}

/* ---- what was labelled, read and charged -------------------------------- */

static int count_label(const void *key, const void *value, void *arg)
{
	const struct label *label = value;
	struct counting *c = arg;

	(void)key;
	registry_count(c->names, NAME_DATASET, label->dataset);
	return 0;
}

static int count_holding(const void *key, const void *value, void *arg)
{
	struct counting *c = arg;
	struct holding holding;
	size_t i;

	(void)key;
	memcpy(&holding, value, sizeof(holding));
	for (i = 0; i < CORDON_SHARES; i++)
		registry_count(c->names, NAME_DATASET,
			       holding.shares[i].dataset);
	return 0;
}

static int count_charges(const void *key, const void *value, void *arg)
{
	struct counting *c = arg;
	struct charges charges;
	size_t i;

	(void)key;
	memcpy(&charges, value, sizeof(charges));
	for (i = 0; i < CORDON_CHARGES; i++) {
		registry_count(c->names, NAME_DATASET, charges.at[i].dataset);
		registry_count(c->names, NAME_DEST, charges.at[i].dest);
		registry_count(c->names, NAME_RULE, charges.at[i].rule);
	}
	return 0;
}

/* A budget whose window is over, and that refused nothing, tells nothing. */
static int count_budget(const void *key, const void *value, void *arg)
{
	struct counting *c = arg;
	struct budget_key k;
	struct budget budget;

	memcpy(&k, key, sizeof(k));
	memcpy(&budget, value, sizeof(budget));
	if (budget.window.part_ns)
		window_roll(&budget.window, c->now_ns,
			    budget.window.part_ns * WINDOW_PARTS);
	if (!budget.window.total && !budget.refused)
		return 0;
	registry_count(c->names, NAME_DATASET, k.dataset);
	registry_count(c->names, NAME_DEST, k.dest);
	registry_count(c->names,
		       k.dest == CORDON_DEST_INTAKE ? NAME_SUBJECT : NAME_RULE,
		       k.rule);
	return 0;
}

static int count_origin(uint32_t slot, const struct origin *origin, void *arg)
{
	struct counting *c = arg;

	(void)slot;
	registry_count(c->names, NAME_DATASET, origin->key.dataset);
	return 0;
}

static int count_origin_key(const void *key, const void *value, void *arg)
{
	const struct origin_key *k = key;
	struct counting *c = arg;

	(void)value;
	registry_count(c->names, NAME_DATASET, k->dataset);
	return 0;
}

static int count_row(const struct ledger_key *key, const struct ledger *ledger,
		     void *arg)
{
	struct counting *c = arg;

	(void)ledger;
	registry_count(c->names, NAME_DATASET, key->dataset);
	registry_count(c->names, NAME_SUBJECT, key->subject);
	registry_count(c->names, NAME_DEST, key->dest);
	return 0;
}

/*
 * A directory can have labelled a file behind the walk that took the labels of
 * its dataset. Taken once more: what is left after that, and after the last
 * program that began before, is found.
 */
static int count_labels(struct counting *c)
{
	uint64_t dropped = 0;
	int r = 0;

	/* Before the first policy of this agent no label is too many. */
	if (c->guard->applied)
		r = guard_labels_drop(c->guard, &dropped);
	if (!r)
		r = guard_barrier(c->guard);
	if (!r)
		r = guard_map_each(c->guard, MAP_LABELS, count_label, c);
	if (!r)
		r = guard_map_each(c->guard, MAP_AWAITED, count_label, c);
	return r;
}

int guard_numbers_count(struct guard *guard, const struct policy *policy,
			struct registry *names)
{
	struct counting c = {
		.guard = guard, .names = names, .now_ns = guard_boot_ns()};
	int r;

	if (!is_scarce(names, policy))
		return 0;
	r = count_rules(&c);
	if (!r)
		r = count_intakes(&c);
	if (!r)
		r = count_datasets(&c);
	if (!r)
		r = count_labels(&c);
	if (!r)
		r = guard_map_each(guard, MAP_HOLDINGS, count_holding, &c);
	if (!r)
		r = guard_map_each(guard, MAP_CHARGES, count_charges, &c);
	if (!r)
		r = guard_map_each(guard, MAP_BUDGETS, count_budget, &c);
	if (!r)
		r = guard_map_each(guard, MAP_ORIGIN_OF, count_origin_key, &c);
	if (!r)
		r = guard_each_origin(guard, count_origin, &c);
	return r ? r : guard_each_ledger(guard, count_row, &c);
}
