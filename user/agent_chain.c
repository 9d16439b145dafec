// SPDX-License-Identifier: GPL-2.0-only
/*
 * How a holding came to what it holds, out of the guard's steps.
 */
#include "agent.h"
#include "chain.h"

#include <errno.h>
#include <stdlib.h>

#define PASSES_MAX 40 /* over all steps, for one question */

struct steps {
	struct step *at;
	size_t n;
};

static int take_step(const struct step *step, void *arg)
{
	struct steps *steps = arg;

	if (steps->n < CORDON_STEPS)
		steps->at[steps->n++] = *step;
	return 0;
}

/* Copies that did nothing have their step in the holding. */
static void offer_births(const struct agent *agent, struct chain *chain)
{
	struct holding holding;
	struct step step;

	for (size_t i = 0; i < chain->n_links; i++)
		if (!guard_holding(agent->guard, chain->links[i].holding,
				   &holding) &&
		    chain_birth(&holding, &step))
			chain_offer(chain, &step);
}

static void make_passes(const struct agent *agent, const struct steps *steps,
			struct chain *chain)
{
	int passes = 0;

	while (chain->grew) {
		/* The agent has other things to do, too. */
		if (passes++ == PASSES_MAX) {
			chain->cut = true;
			break;
		}
		chain_pass_begin(chain);
		for (size_t i = 0; i < steps->n; i++)
			chain_offer(chain, &steps->at[i]);
		offer_births(agent, chain);
	}
}

int agent_find_chain(const struct agent *agent, uint64_t holding,
		     struct chain *ret_chain)
{
	struct steps steps = {malloc(CORDON_STEPS * sizeof(*steps.at)), 0};
	int r;

	if (!steps.at)
		return -ENOMEM;
	chain_begin(ret_chain, holding);
	r = guard_each_step(agent->guard, take_step, &steps);
	if (!r)
		make_passes(agent, &steps, ret_chain);
	chain_end(ret_chain);
	free(steps.at);
	return r;
}

/*
 * What was read until now is in the step only when the holding is gone, and so
 * is how much somebody has who was refused before he did anything else.
 */
void agent_complete_step(const struct agent *agent, struct step *step)
{
	bool read = step->from & STEP_ORIGIN;
	const struct share *share;
	struct holding holding;

	if ((!read && (step->kind != STEP_FORK || step->records)) ||
	    guard_holding(agent->guard, step->to, &holding))
		return;
	step->bytes = 0;
	step->records = 0;
	for (size_t i = 0; i < CORDON_SHARES; i++) {
		share = &holding.shares[i];
		if (!share->origin ||
		    (read && share->origin != (uint32_t)step->from))
			continue;
		step->bytes += share->bytes;
		step->records += share->records;
	}
}
