/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * How a holding came to what it holds: of the guard's steps, those that lead to
 * it, back to who read the dataset. Pure; nothing is asked of a guard here.
 */
#ifndef CORDON_CHAIN_H
#define CORDON_CHAIN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <linux/bpf.h>

#include "abi.h"

/* What one screen, and a person, can follow. */
#define CHAIN_HOLDINGS_MAX 32
#define CHAIN_STEPS_MAX	   64

/* A holding of the chain. */
struct chain_link {
	uint64_t holding;
	uint64_t until_ns; /* what it came by later does not matter */
	bool whole;	   /* all of its steps are here */
};

struct chain {
	struct chain_link links[CHAIN_HOLDINGS_MAX];
	size_t n_links;
	struct step steps[CHAIN_STEPS_MAX]; /* in the order of time */
	size_t n_steps;
	bool cut;  /* there is more than fits */
	bool grew; /* the pass found something new */
};

/* Begins with the holding that is asked about. */
void chain_begin(struct chain *chain, uint64_t holding);

/*
 * One pass over the steps: chain_pass_begin(), chain_offer() with each of them,
 * in any order; the newest first needs the fewest passes. As long as
 * chain->grew afterwards, another one is needed.
 */
void chain_pass_begin(struct chain *chain);
void chain_offer(struct chain *chain, const struct step *step);

/*
 * The step of a copy that the guard has not written yet, from the holding
 * itself. False: it has none, or wrote it. *ret_step then is as it was.
 */
bool chain_birth(const struct holding *holding, struct step *ret_step);

/* Sorts the steps; to be called once, behind the last pass. */
void chain_end(struct chain *chain);

/*
 * Who the holding was at that moment, as far as the steps tell; NULL: they do
 * not. *ret_several: it is one of several who share it, and who of them gave
 * what is not known.
 */
const struct step_who *chain_who(const struct chain *chain, uint64_t holding,
				 uint64_t at_ns, bool *ret_several);

/* `pipe`, `read` ...; never NULL. */
const char *chain_kind_name(uint32_t kind);

#endif
