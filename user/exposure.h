/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Which records an origin has read that nobody was told of yet: a set of what
 * the guard remembers, compared with the set of the time before.
 *
 * 24 bytes for 64 files that are records, or 64 rows, of one origin.
 */
#ifndef CORDON_EXPOSURE_H
#define CORDON_EXPOSURE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Some of 64 records: files with these numbers, or rows of one file. */
struct exposure_block {
	uint32_t origin; /* serial; never 0 */
	uint32_t record; /* the file of the rows; 0: files */
	uint32_t first;	 /* number of the first of the 64, by 64 */
	uint64_t mask;
};

/* Zeroed memory is an empty set. */
struct exposure {
	struct exposure_block *blocks;
	size_t room; /* 0 or a power of 2 */
	size_t n;
};

void exposure_release(struct exposure *set);

/* Adds those of block to the set. 0 or -ENOMEM. */
int exposure_add(struct exposure *set, const struct exposure_block *block);

/* Those of the same place that are in the set. */
uint64_t exposure_mask(const struct exposure *set,
		       const struct exposure_block *block);

/*
 * What is in set and not in before, in the order of origin, record, first, for
 * free(3). 0 or -ENOMEM.
 */
int exposure_fresh(const struct exposure *set, const struct exposure *before,
		   struct exposure_block **ret_blocks, size_t *ret_n);

/*
 * Calls fn for each run of records that follow each other in blocks of one
 * origin and record; last is in it. fn returns 0 to go on; anything else ends
 * it and is returned.
 */
typedef int (*exposure_run_fn)(uint64_t first, uint64_t last, void *arg);
int exposure_runs(const struct exposure_block *blocks, size_t n,
		  exposure_run_fn fn, void *arg);

#endif
