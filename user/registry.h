/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Numbers for names: a rule, subject, dataset or destination keeps its number,
 * and with it its budgets and its lines in the ledger, from policy to policy.
 *
 * Plain memory: the guard's `names` map and the saved state hold copies. A new
 * policy is numbered in a copy, which becomes the registry once it is in force.
 */
#ifndef CORDON_REGISTRY_H
#define CORDON_REGISTRY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <linux/bpf.h>

#include "../bpf/abi.h"

/* Highest numbers; the lowest is 1. */
#define REGISTRY_RULES_MAX    8192U
#define REGISTRY_SUBJECTS_MAX 4096U
#define REGISTRY_DATASETS_MAX (CORDON_DATASETS - 1U)
#define REGISTRY_DESTS_MAX    4096U
#define REGISTRY_NAMES_MAX                                                    \
	(REGISTRY_RULES_MAX + REGISTRY_SUBJECTS_MAX + REGISTRY_DATASETS_MAX + \
	 REGISTRY_DESTS_MAX)

enum registry_use {
	REGISTRY_IN_FORCE = 1, /* by the policy in force */
	REGISTRY_IN_NEXT = 2,  /* by the one that is being numbered */
	REGISTRY_COUNTED = 4,  /* by what the guard counted, or holds */
};

struct registry_name {
	uint32_t kind; /* enum name_kind */
	uint32_t id;
	uint32_t use;
	uint32_t next; /* place of the next with this hash; 0: none is */
	char *text;
};

#define REGISTRY_KINDS (NAME_DEST + 1)

/*
 * All zero is an empty registry. A policy of 1,000 rules looks up thousands of
 * names, so each is found by its text and by its number; places count from 1.
 */
struct registry {
	struct registry_name *names;
	size_t n;
	uint32_t *by_text; /* by hash */
	size_t n_by_text;  /* a power of 2, or 0 */
	uint32_t *by_id[REGISTRY_KINDS];
	size_t n_by_id[REGISTRY_KINDS];
};

void registry_release(struct registry *reg);

/* Makes *ret_copy, which must be empty, a copy. -ENOMEM. */
int registry_copy(const struct registry *reg, struct registry *ret_copy);

/*
 * Enters a name whose number is known: it was read from the guard or from the
 * saved state. -EINVAL: the kind, number or text cannot be; -EEXIST: the number
 * or the name is taken; -ENOMEM.
 */
int registry_add(struct registry *reg, uint32_t kind, uint32_t id,
		 const char *text);

/*
 * The number of a name, given out if it has none yet, and marked as used by the
 * next policy. Numbers never used come first; when there are none left, one
 * that nothing uses (enum registry_use) changes its name.
 * -ENOSPC: all are in use; -EINVAL: the text is empty or too long; -ENOMEM.
 */
int registry_number(struct registry *reg, uint32_t kind, const char *text,
		    uint32_t *ret_id);

/* How many numbers were never given out. */
uint32_t registry_left(const struct registry *reg, uint32_t kind);

/* Until registry_commit() the number keeps its name, if it has one. */
void registry_count(struct registry *reg, uint32_t kind, uint32_t id);

/*
 * Names the numbers that only what was counted keeps from being given out
 * again: `"a", "b" and 12 more', cut at size. Returns how many there are.
 */
size_t registry_counted(const struct registry *reg, uint32_t kind, char *buf,
			size_t size);

/* Looks without giving out: 0 or -ENOENT. */
int registry_find(const struct registry *reg, uint32_t kind, const char *text,
		  uint32_t *ret_id);

/* NULL: nobody has this number. Lives until the registry changes. */
const char *registry_text(const struct registry *reg, uint32_t kind,
			  uint32_t id);

/* The next policy is in force: what it does not use may be given out again. */
void registry_commit(struct registry *reg);

#endif
