// SPDX-License-Identifier: GPL-2.0-only
#include "chain.h"

#include <stdlib.h>
#include <string.h>

/* The guard writes a step a moment after what it tells of. */
#define CHAIN_SLACK_NS 1000000000ULL

static struct chain_link *find(struct chain *chain, uint64_t holding)
{
	for (size_t i = 0; i < chain->n_links; i++)
		if (chain->links[i].holding == holding)
			return &chain->links[i];
	return NULL;
}

/* The holding gave something until then. */
static void want(struct chain *chain, uint64_t holding, uint64_t until_ns)
{
	struct chain_link *link = find(chain, holding);

	if (!link && chain->n_links == CHAIN_HOLDINGS_MAX) {
		chain->cut = true;
		return;
	}
	if (!link) {
		link = &chain->links[chain->n_links++];
		*link = (struct chain_link){.holding = holding};
	}
	if (until_ns <= link->until_ns)
		return;
	link->until_ns = until_ns;
	chain->grew = true;
}

void chain_begin(struct chain *chain, uint64_t holding)
{
	*chain = (struct chain){0};
	want(chain, holding, UINT64_MAX);
}

void chain_pass_begin(struct chain *chain)
{
	chain->grew = false;
}

/* A step that is not written has no number, and is its holding's only one. */
static struct step *known(struct chain *chain, const struct step *step)
{
	for (size_t i = 0; i < chain->n_steps; i++)
		if (chain->steps[i].serial == step->serial &&
		    chain->steps[i].to == step->to)
			return &chain->steps[i];
	return NULL;
}

void chain_offer(struct chain *chain, const struct step *step)
{
	struct chain_link *link = find(chain, step->to);
	uint64_t until_ns;
	struct step *have;

	if (!link || (link->until_ns < UINT64_MAX - CHAIN_SLACK_NS &&
		      step->time_ns > link->until_ns + CHAIN_SLACK_NS))
		return;
	if (step->serial == step->first || !step->serial)
		link->whole = true;
	have = known(chain, step);
	if (have) {
		*have = *step;
	} else if (chain->n_steps == CHAIN_STEPS_MAX) {
		chain->cut = true;
		return;
	} else {
		chain->steps[chain->n_steps++] = *step;
		chain->grew = true;
	}
	if (step->from & STEP_ORIGIN)
		return;
	/* Nothing came later than to whom it went. */
	until_ns = step->last_ns < link->until_ns ? step->last_ns
						  : link->until_ns;
	want(chain, step->from, until_ns);
}

bool chain_birth(const struct holding *holding, struct step *ret_step)
{
	const struct born *born = &holding->born;
	struct step step = {0};

	if (holding->first || !born->from)
		return false;
	step.time_ns = born->time_ns;
	step.last_ns = born->time_ns;
	step.to = holding->id;
	step.from = born->from;
	step.kind = STEP_FORK;
	step.who = born->who;
	for (size_t i = 0; i < CORDON_SHARES; i++) {
		const struct share *share = &holding->shares[i];

		if (!share->origin)
			continue;
		step.dataset = i && step.dataset != share->dataset
				       ? 0
				       : (uint8_t)share->dataset;
		step.bytes += share->bytes;
		step.records += share->records;
	}
	*ret_step = step;
	return true;
}

static int by_time(const void *a, const void *b)
{
	const struct step *x = a, *y = b;

	if (x->time_ns != y->time_ns)
		return x->time_ns < y->time_ns ? -1 : 1;
	return x->serial < y->serial ? -1 : x->serial > y->serial;
}

void chain_end(struct chain *chain)
{
	qsort(chain->steps, chain->n_steps, sizeof(chain->steps[0]), by_time);
}

const struct step_who *chain_who(const struct chain *chain, uint64_t holding,
				 uint64_t at_ns, bool *ret_several)
{
	const struct step_who *who = NULL;
	const struct step *step;

	*ret_several = false;
	for (size_t i = 0; i < chain->n_steps; i++) {
		step = &chain->steps[i];
		if (step->to != holding || !step->who.tgid)
			continue;
		if (who && who->tgid != step->who.tgid)
			*ret_several = true;
		/* In the order of time. */
		if (!who || step->time_ns <= at_ns)
			who = &step->who;
	}
	return who;
}

const char *chain_kind_name(uint32_t kind)
{
	static const char *const names[STEP_KINDS] = {
		[STEP_READ] = "read",	      [STEP_FORK] = "fork",
		[STEP_MIX] = "mix",	      [STEP_NARROW] = "narrow",
		[STEP_PIPE] = "pipe",	      [STEP_UNIX] = "unix socket",
		[STEP_LOOPBACK] = "loopback", [STEP_CROSSING] = "network",
		[STEP_TTY] = "terminal",      [STEP_QUEUE] = "message queue",
		[STEP_FILE] = "file",	      [STEP_MEMORY] = "memory",
		[STEP_KEY] = "key",	      [STEP_SEMAPHORE] = "semaphore",
		[STEP_SIGNAL] = "signal",     [STEP_CALL] = "system call",
	};

	return kind < STEP_KINDS && names[kind] ? names[kind] : "?";
}
