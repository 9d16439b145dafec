// SPDX-License-Identifier: GPL-2.0-only
#include "exposure.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define ROOM_MIN 64

void exposure_release(struct exposure *set)
{
	free(set->blocks);
	memset(set, 0, sizeof(*set));
}

static uint64_t hash_of(const struct exposure_block *block)
{
	uint64_t hash = block->origin;

	/* Fibonacci hashing: 2^64 divided by the golden ratio. */
	hash = hash * 0x9e3779b97f4a7c15ULL + block->record;
	hash = hash * 0x9e3779b97f4a7c15ULL + block->first;
	hash *= 0x9e3779b97f4a7c15ULL;
	return hash ^ hash >> 32;
}

static bool is_same(const struct exposure_block *a,
		    const struct exposure_block *b)
{
	return a->origin == b->origin && a->record == b->record &&
	       a->first == b->first;
}

/* Where it is, or would be: at least one place is always free. */
static struct exposure_block *find(const struct exposure *set,
				   const struct exposure_block *block)
{
	size_t at = hash_of(block) & (set->room - 1);

	while (set->blocks[at].origin && !is_same(&set->blocks[at], block))
		at = (at + 1) & (set->room - 1);
	return &set->blocks[at];
}

static int grow(struct exposure *set)
{
	struct exposure larger = {.room = set->room ? set->room * 2 : ROOM_MIN};

	larger.blocks = calloc(larger.room, sizeof(*larger.blocks));
	if (!larger.blocks)
		return -ENOMEM;
	for (size_t i = 0; i < set->room; i++)
		if (set->blocks[i].origin)
			*find(&larger, &set->blocks[i]) = set->blocks[i];
	larger.n = set->n;
	free(set->blocks);
	*set = larger;
	return 0;
}

int exposure_add(struct exposure *set, const struct exposure_block *block)
{
	struct exposure_block *at;
	int r;

	if (set->n >= set->room / 4 * 3) {
		r = grow(set);
		if (r)
			return r;
	}
	at = find(set, block);
	if (at->origin) {
		at->mask |= block->mask;
		return 0;
	}
	*at = *block;
	set->n++;
	return 0;
}

uint64_t exposure_mask(const struct exposure *set,
		       const struct exposure_block *block)
{
	const struct exposure_block *at;

	if (!set->room)
		return 0;
	at = find(set, block);
	return at->origin ? at->mask : 0;
}

static int compare(const void *a, const void *b)
{
	const struct exposure_block *x = a, *y = b;

	if (x->origin != y->origin)
		return x->origin < y->origin ? -1 : 1;
	if (x->record != y->record)
		return x->record < y->record ? -1 : 1;
	return x->first < y->first ? -1 : x->first > y->first;
}

int exposure_fresh(const struct exposure *set, const struct exposure *before,
		   struct exposure_block **ret_blocks, size_t *ret_n)
{
	struct exposure_block *fresh;
	size_t n = 0;

	fresh = calloc(set->n + 1, sizeof(*fresh));
	if (!fresh)
		return -ENOMEM;
	for (size_t i = 0; i < set->room; i++) {
		fresh[n] = set->blocks[i];
		if (!fresh[n].origin)
			continue;
		fresh[n].mask &= ~exposure_mask(before, &fresh[n]);
		if (fresh[n].mask)
			n++;
	}
	qsort(fresh, n, sizeof(*fresh), compare);
	*ret_blocks = fresh;
	*ret_n = n;
	return 0;
}

int exposure_runs(const struct exposure_block *blocks, size_t n,
		  exposure_run_fn fn, void *arg)
{
	uint64_t first = 0, end = 0, at; /* first == end: no run */
	int r;

	for (size_t i = 0; i < n * 64; i++) {
		if (!(blocks[i / 64].mask >> (i & 63) & 1))
			continue;
		at = (uint64_t)blocks[i / 64].first * 64 + (i & 63);
		if (first < end && at != end) {
			r = fn(first, end - 1, arg);
			if (r)
				return r;
			first = at;
		} else if (first == end) {
			first = at;
		}
		end = at + 1;
	}
	return first < end ? fn(first, end - 1, arg) : 0;
}
