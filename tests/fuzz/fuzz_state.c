// SPDX-License-Identifier: GPL-2.0-only
/*
 * Fuzz target of the state file, which a disk or an administrator may have
 * changed. What it asserts beyond "no crash": every number is within its
 * limits, no window gets more than the file has, a refusal says where, and a
 * state that was taken is the same once it is written and read again.
 *
 * Known-bad modes: see fuzz_policy.c; here "saved_ns" is 7 in the seed called
 * selftest*, and something else in a mutant.
 */
#include "fuzz.h"

#include "state.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static char dir[] = "cordon-fuzz-XXXXXX";
static char path[64], copy[64], old[64];

static void clean_up(void)
{
	(void)unlink(path);
	(void)unlink(copy);
	(void)unlink(old);
	(void)rmdir(dir);
}

static void make_room(void)
{
	if (path[0])
		return;
	CHECK(mkdtemp(dir));
	(void)snprintf(path, sizeof(path), "%s/state", dir);
	(void)snprintf(copy, sizeof(copy), "%s/copy", dir);
	(void)snprintf(old, sizeof(old), "%s/copy.old", dir);
	CHECK(atexit(clean_up) == 0);
}

static void check_budget(const struct state *state,
			 const struct state_budget *budget)
{
	struct window window;
	uint64_t total = 0, in_ring = 0;

	CHECK(budget->part_ns && budget->n_parts <= WINDOW_RING);
	CHECK(budget->key.dataset < CORDON_DATASETS);
	CHECK(budget->key.unit <= UNIT_BYTES);
	for (size_t i = 0; i < budget->n_parts; i++)
		total += budget->parts[i].used;
	state_window(state, budget, 1000000000, state->saved_ns, &window);
	for (int i = 0; i < WINDOW_RING; i++)
		in_ring += window.used[i];
	CHECK(window.total == in_ring && in_ring <= total);
	CHECK(window.part_ns == budget->part_ns);
}

static void check_again(const struct state *state)
{
	struct state again = {0};
	char why[256] = "";

	CHECK(state_write(state, copy) == 0);
	CHECK(state_read(copy, &again, why, sizeof(why)) == 0);
	CHECK(again.saved_ns == state->saved_ns);
	CHECK(again.policy_serial == state->policy_serial);
	CHECK(again.names.n == state->names.n);
	for (size_t i = 0; i < state->names.n; i++)
		CHECK(strcmp(again.names.names[i].text,
			     state->names.names[i].text) == 0);
	CHECK(again.n_budgets == state->n_budgets);
	/* Memory that was zeroed first: padding is equal too. */
	for (size_t i = 0; i < state->n_budgets; i++)
		CHECK(memcmp(&again.budgets[i], &state->budgets[i],
			     sizeof(again.budgets[i])) == 0);
	state_release(&again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct state state = {0};
	char why[256] = "";
	int r;

	make_room();
	fuzz_put(path, data, size);
	r = state_read(path, &state, why, sizeof(why));
	if (r) {
		CHECK(r == -EUCLEAN || r == -ENOMEM);
		CHECK(why[0] != '\0' && memchr(why, '\0', sizeof(why)));
		CHECK(!state.budgets && !state.names.n);
		return 0;
	}
	fuzz_selftest(state.saved_ns == 7, state.saved_ns != 7);
	CHECK(state.n_budgets <= STATE_BUDGETS_MAX);
	for (size_t i = 0; i < state.n_budgets; i++)
		check_budget(&state, &state.budgets[i]);
	check_again(&state);
	state_release(&state);
	return 0;
}
