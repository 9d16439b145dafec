/* SPDX-License-Identifier: GPL-2.0-only */
/* Between the files of policy_diff.h. */
#ifndef CORDON_POLICY_DIFF_INTERNAL_H
#define CORDON_POLICY_DIFF_INTERNAL_H

#include "policy_diff.h"

/* A difference that is being told; those of several datasets become one. */
struct diff_told {
	struct policy_difference is; /* .words is set at the end */
	char *head;
	char *datasets; /* between the two; NULL: it is not about any */
	size_t n_datasets;
	char *tail;
	size_t next; /* 1 + that of the same bucket before it; 0: none */
};

#define DIFF_BUCKETS 4096

struct diff {
	const struct policy *before;
	const struct policy *after;
	struct diff_told *told;
	size_t n_told;
	size_t buckets[DIFF_BUCKETS]; /* 1 + the last of each; 0: none */
	size_t n_common;	      /* datasets that both have */
	int r; /* the first error; nothing more is told then */
};

struct diff_at {
	enum policy_change kind;
	const char *what;
	uint32_t old_line;
	uint32_t new_line;
};

void diff_tell(struct diff *diff, struct diff_at at, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

/* The same about a dataset, whose name stands between head and tail. */
void diff_tell_of(struct diff *diff, struct diff_at at, const char *dataset,
		  const char *head, const char *tail);

/* ---- who ---------------------------------------------------------------- */

/* Subjects of either policy: the old one's in the order of decision, then the
 * new one's. */
#define DIFF_SUBJECTS	(POLICY_SUBJECTS_MAX + 1U)
#define DIFF_SIDE_WORDS (DIFF_SUBJECTS / 64U)
struct diff_set {
	uint64_t words[2 * DIFF_SIDE_WORDS];
};

void diff_set_add(struct diff_set *set, const struct policy *policy, bool after,
		  uint32_t subject);

/*
 * Somebody for whom the subject `before` decides in the old policy and `after`
 * in the new one; POLICY_EVERYONE also where none does.
 */
struct diff_pair {
	uint32_t before;
	uint32_t after;
};

struct diff_pairs {
	struct diff_pair *v;
	size_t n;
};

/*
 * For each of n sets of subjects that decide about something, who there can be.
 * ret_pairs has n elements, all 0; their .v are for free(3). -ENOMEM.
 */
int diff_find_pairs(const struct policy *before, const struct policy *after,
		    const struct diff_set *sets, size_t n,
		    struct diff_pairs *ret_pairs);

/* ---- where to ----------------------------------------------------------- */

/* Not destinations: a file system of the host itself, where nothing leaves; a
 * device that no destination has, which is refused. */
#define DIFF_STAYS   UINT32_MAX
#define DIFF_REFUSED (UINT32_MAX - 1)

/* A place that is of a destination in the old policy and of one in the new. */
struct diff_place {
	uint32_t before;
	uint32_t after;
	uint32_t old_line; /* where it is named; 0: nowhere */
	uint32_t new_line;
	char text[128]; /* one such place */
	size_t more;	/* how many others were found */
};

struct diff_places {
	struct diff_place *v;
	size_t n;
};

/* All pairs that there are, each once. .v is for free(3). -ENOMEM. */
int diff_find_places(const struct policy *before, const struct policy *after,
		     struct diff_places *ret_places);

/* ---- the parts ---------------------------------------------------------- */

/* /a holds /a and /a/b, and / holds all. */
bool diff_path_holds(const char *above, const char *path);

void diff_head(struct diff *diff);
void diff_datasets(struct diff *diff);
void diff_rules(struct diff *diff);

/*
 * One flow of what is counted: of the pool (before, from) in the old policy, of
 * (after, to) in the new one.
 */
struct diff_flow {
	uint32_t before, from;
	uint32_t after, to;
	struct policy_grant old, new;
	uint32_t old_line, new_line;
	bool same;	   /* the pool has the same name in both */
	const char *where; /* of what, if that is to be told */
};

/* How a kind of flows is told: fills texts of DIFF_WORDS_MAX. */
#define DIFF_WORDS_MAX 1024
struct diff_words {
	const char *what;
	const char *dataset; /* NULL: it is about none */
	/* who or what, e.g. `backup (until now *)` */
	void (*who)(const struct diff_words *words,
		    const struct diff_flow *flow, char *buf, size_t size);
	const char *verb; /* `may read` */
	const char *of;	  /* behind the amount, before the dataset */
	/* behind the dataset, e.g. ` to printers` */
	void (*tail)(const struct diff_words *words,
		     const struct diff_flow *flow, char *buf, size_t size);
	const struct diff *diff;
};

/* Tells what n flows of one kind mean, which it sorts. */
void diff_flows(struct diff *diff, const struct diff_words *words,
		struct diff_flow *flows, size_t n);

#endif
