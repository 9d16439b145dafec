/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Is evidence whole, in its order, unchanged, and of one host? For anybody who
 * has the segments and the host's public key; nothing else is trusted, and
 * nothing of the host is needed.
 *
 * A checkpoint proves itself and the lines before it that follow each other.
 * Where the chain breaks, something was changed, taken out or put in: lines
 * before that are proven by the last checkpoint before it, lines behind by the
 * next one. What no checkpoint proves is a finding, but for the end of a log
 * that goes on: whatever is behind the last checkpoint, anybody can have put
 * there.
 */
#ifndef CORDON_EVIDENCE_VERIFY_H
#define CORDON_EVIDENCE_VERIFY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "evidence.h"

enum evidence_problem {
	EVIDENCE_CHANGED,  /* its hash is not what the next line has */
	EVIDENCE_MISSING,  /* numbers are left out, and no line says why */
	EVIDENCE_ORDER,	   /* its number is not higher than the one before */
	EVIDENCE_FOREIGN,  /* signed by another key: another host's */
	EVIDENCE_FORGED,   /* its signature is not that of the key it names */
	EVIDENCE_UNPROVEN, /* no checkpoint stands for it */
	EVIDENCE_NO_LINE,  /* no line of evidence at all */
	EVIDENCE_DAMAGED,  /* the file cannot be read any further */
	EVIDENCE_CUT,	   /* the end is missing: there were more lines */
	EVIDENCE_OTHER, /* not the line that a checkpoint kept elsewhere is */
	EVIDENCE_STRANGER, /* something in the folder that is no evidence */
	EVIDENCE_PROBLEMS,
};

/* `changed', `missing', ...; never NULL. */
const char *evidence_problem_name(enum evidence_problem problem);

struct evidence_finding {
	enum evidence_problem problem;
	const char *file; /* where it was seen */
	uint64_t number;  /* line of the file, from 1; 0: of no line */
	uint64_t first;	  /* which lines of the log; 0: none is known */
	uint64_t last;
	const char *words; /* a sentence */
};

struct evidence_range {
	uint64_t first;
	uint64_t last;
};

struct evidence_query {
	const char *const *paths; /* for evidence_files() */
	size_t n_paths;
	const struct sign_public *keys;
	size_t n_keys;
	uint64_t from; /* only what concerns these lines is told; 0: all */
	uint64_t to;
	uint64_t last; /* there were at least so many; 0: not known */
	bool all;      /* the files are all there are of this log */
	/* A checkpoint of this log that was kept elsewhere, without newline. */
	const char *checkpoint;
	size_t checkpoint_len;
};

/* What is not signed by the keys counts for nothing but .unproven. */
struct evidence_result {
	uint64_t first;	   /* number of the first line; 0: there is none */
	uint64_t last;	   /* of the last good checkpoint; 0: there is none */
	uint64_t unproven; /* lines behind it, which anybody can have added */
	bool unfinished;   /* half a line behind these */
	uint64_t skipped; /* numbers without a line that the log accounts for */
	uint64_t retired; /* lines up to this one were taken away because of
			    * their size, says the log; 0: none */
	uint64_t problems;		/* findings that were told */
	char head[SIGN_HASH_CHARS_MAX]; /* hash of that checkpoint */
	char signed_time[40];		/* what it says */
	char host[EVIDENCE_HOST_MAX];
	struct evidence_range *proven; /* in order, apart from each other */
	size_t n_proven;
};

typedef void (*evidence_finding_fn)(const struct evidence_finding *finding,
				    void *arg);

/*
 * 0: it was looked at, and *ret_result, for evidence_result_release(), tells
 * what came of it. -EINVAL: query->checkpoint is no checkpoint signed by one of
 * the keys; -ENOMEM; as evidence_files() says.
 */
int evidence_verify(const struct evidence_query *query, evidence_finding_fn fn,
		    void *arg, struct evidence_result *ret_result);

void evidence_result_release(struct evidence_result *result);

/* Are all lines from..to proven? */
bool evidence_result_covers(const struct evidence_result *result, uint64_t from,
			    uint64_t to);

#endif
