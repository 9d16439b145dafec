// SPDX-License-Identifier: GPL-2.0-only
/*
 * Names, budgets and what must not be forgotten between the guard and the file
 * of state.h.
 */
#include "guard_internal.h"

#include <errno.h>
#include <stdio.h>
#include <limits.h>
#include <string.h>
#include <time.h>

#include "clock.h"
#include "state.h"

struct saving {
	struct state state;
	uint64_t boot_ns;
	uint64_t wall_ns;
};

static int save_budget(const void *key, const void *value, void *arg)
{
	struct saving *saving = arg;
	struct budget_key k;
	struct budget budget;

	memcpy(&k, key, sizeof(k));
	memcpy(&budget, value, sizeof(budget));
	return state_add_budget(&saving->state, &k, &budget, saving->boot_ns,
				saving->wall_ns);
}

uint64_t guard_serial_seen(const struct guard *guard)
{
	return guard->state->remembered.serial;
}

void guard_remember(struct guard *guard, const struct remembered *what)
{
	guard->state->remembered = *what;
}

void guard_lift(struct guard *guard, uint64_t until_ns)
{
	__atomic_store_n(&guard->state->lifted_until_ns, until_ns,
			 __ATOMIC_SEQ_CST);
}

int guard_save_state(struct guard *guard, const char *path,
		     const struct guard_say *say)
{
	struct saving saving = {0};
	int r;

	/* What is used from here on asks to be saved again. */
	__atomic_store_n(&guard->state->dirty, 0, __ATOMIC_SEQ_CST);
	saving.boot_ns = guard_boot_ns();
	saving.wall_ns = (uint64_t)clock_ns(CLOCK_REALTIME);
	saving.state.saved_ns = saving.wall_ns;
	saving.state.policy_serial = guard_serial_seen(guard);
	saving.state.latest_s = guard->state->remembered.time_s;
	r = registry_copy(&guard->names, &saving.state.names);
	if (!r)
		r = guard_map_each(guard, MAP_BUDGETS, save_budget, &saving);
	if (r)
		goto out;
	r = state_write(&saving.state, path);
out:
	state_release(&saving.state);
	if (r)
		guard_say(say, GUARD_ERROR,
			  "what was used of the budgets cannot be saved to %s "
			  "(%s), so a reboot would forget it; make room or "
			  "correct the directory",
			  path, strerror(-r));
	return r;
}

static int restore(struct guard *guard, const struct state *state)
{
	uint64_t boot_ns, wall_ns;
	struct budget budget;
	size_t i;
	int r;

	r = guard_names_store(guard, &state->names);
	if (r)
		return r;
	registry_release(&guard->names);
	r = registry_copy(&state->names, &guard->names);
	if (r)
		return r;
	if (state->policy_serial > guard->state->remembered.serial)
		guard->state->remembered.serial = state->policy_serial;
	if (state->latest_s > guard->state->remembered.time_s)
		guard->state->remembered.time_s = state->latest_s;
	boot_ns = guard_boot_ns();
	wall_ns = (uint64_t)clock_ns(CLOCK_REALTIME);
	for (i = 0; i < state->n_budgets; i++) {
		memset(&budget, 0, sizeof(budget));
		state_window(state, &state->budgets[i], boot_ns, wall_ns,
			     &budget.window);
		budget.refused = state->budgets[i].refused;
		budget.serial = __atomic_add_fetch(&guard->state->next_serial,
						   1, __ATOMIC_RELAXED);
		r = guard_map_update(guard, MAP_BUDGETS, &state->budgets[i].key,
				     &budget);
		if (r)
			return r;
	}
	return 0;
}

/* The state in path or, when that is bad, in path.old. */
static int read_either(const char *path, struct state *ret_state,
		       const struct guard_say *say)
{
	char old[PATH_MAX], corrupt[PATH_MAX], why[256];
	int r, again;

	(void)snprintf(old, sizeof(old), "%s.old", path);
	(void)snprintf(corrupt, sizeof(corrupt), "%s.corrupt", path);
	r = state_read(path, ret_state, why, sizeof(why));
	if (!r || r == -ENOMEM)
		return r;
	if (r != -ENOENT) {
		guard_say(say, GUARD_ERROR,
			  "%s is damaged (%s); it is kept as %s, and the copy "
			  "before it is taken",
			  path, why, corrupt);
		(void)rename(path, corrupt);
	}
	again = state_read(old, ret_state, why, sizeof(why));
	if (!again && r == -ENOENT)
		guard_say(say, GUARD_WARNING,
			  "%s is missing; the copy before it, %s, is taken",
			  path, old);
	if (!again || again == -ENOMEM)
		return again;
	if (r == -ENOENT && again == -ENOENT)
		return -ENOENT;
	guard_say(say, GUARD_ERROR,
		  "%s is of no use either (%s); what was used of the budgets "
		  "before the reboot is not known and starts at 0, and an "
		  "older policy than before is not noticed",
		  old, again == -ENOENT ? "it is missing" : why);
	return -EUCLEAN;
}

int guard_load_state(struct guard *guard, const char *path,
		     const struct guard_say *say)
{
	struct state state = {0};
	int r;

	r = read_either(path, &state, say);
	if (r == -ENOENT)
		return 0;
	if (r)
		return r;
	r = restore(guard, &state);
	state_release(&state);
	if (r)
		guard_say(say, GUARD_ERROR,
			  "what was used of the budgets cannot be given to the "
			  "guard (%s)",
			  strerror(-r));
	return r;
}
