/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * An index over the evidence log, so that a question is answered without
 * reading all of it. The log is the truth: the index knows where a line stands,
 * and may be deleted at any time; it is brought up to date when it is opened,
 * and made anew when the log is not the one it was made of.
 */
#ifndef CORDON_EVIDENCE_INDEX_H
#define CORDON_EVIDENCE_INDEX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <jansson.h>

struct evidence_index;

struct evidence_index_options {
	const char *const *paths; /* as for evidence_files() */
	size_t n_paths;
	const char *file; /* where the index is kept; NULL: in memory */
	bool anew;	  /* whatever is in it */
	/* Called now and then while lines are taken; may be NULL. */
	void (*progress)(uint64_t lines, void *arg);
	void *arg;
};

/* What was met on the way. */
struct evidence_index_found {
	uint64_t lines; /* that were taken now */
	uint64_t total;
	uint64_t first, last; /* numbers; 0: there is none */
	uint64_t load;	      /* line that began the last guard; 0: not in it */
	uint64_t bad;	      /* lines that are none */
	char damaged[256];    /* a segment, read as far as possible; "" */
	char problem[256];    /* why it is in memory and not in the file; "" */
};

/*
 * 0; -ENOENT: there is no evidence; -EACCES, -ENOMEM and as open(2) and read(2)
 * say of the log. A file that cannot be used is told, and does no harm.
 */
int evidence_index_open(const struct evidence_index_options *opts,
			struct evidence_index_found *ret_found,
			struct evidence_index **ret_index);

/* Takes NULL. */
void evidence_index_close(struct evidence_index *index);

/*
 * Each gets lines as objects that live for the call, in their order; anything
 * but 0 ends it and is returned. -EIO: the index cannot be read; -ESTALE: a
 * line is not where it was; -ENOMEM.
 */
typedef int (*evidence_index_fn)(const json_t *line, void *arg);

/* Of each incident its last line. */
int evidence_index_incidents(struct evidence_index *index, evidence_index_fn fn,
			     void *arg);

/*
 * The last line of one; the number of the line that began its guard, by which
 * its origins are meant; and of its first line and its last. -ENOENT.
 */
struct evidence_index_incident {
	json_t *line; /* for json_decref() */
	uint64_t load;
	uint64_t first;
	uint64_t last;
};
int evidence_index_incident(struct evidence_index *index, uint64_t number,
			    struct evidence_index_incident *ret_incident);

/* Lines; what is 0 or NULL does not matter. */
struct evidence_index_query {
	const char *type;
	uint64_t incident;
	uint64_t but; /* not of this incident */
	uint64_t load;
	uint64_t origin;
	uint64_t from, to; /* numbers, both included; to 0: no end */
	uint64_t max;	   /* the first so many; 0: all */
	bool newest;	   /* not the first so many, but the last */
};
int evidence_index_lines(struct evidence_index *index,
			 const struct evidence_index_query *query,
			 evidence_index_fn fn, void *arg);
int evidence_index_count(struct evidence_index *index,
			 const struct evidence_index_query *query,
			 uint64_t *ret_n);

/* The origins of which something is known to be read, in their order. */
typedef int (*evidence_index_origin_fn)(uint64_t load, uint64_t origin,
					void *arg);
int evidence_index_origins(struct evidence_index *index,
			   evidence_index_origin_fn fn, void *arg);

/* The last line of each row of the ledger that is of this origin, or (origin 0)
 * of none or of several. */
int evidence_index_ledger(struct evidence_index *index, uint64_t load,
			  uint64_t origin, evidence_index_fn fn, void *arg);

/* The last line of every row, guard by guard; what fn returns counts as that of
 * an evidence_index_fn. */
typedef int (*evidence_index_row_fn)(uint64_t load, const json_t *line,
				     void *arg);
int evidence_index_rows(struct evidence_index *index, evidence_index_row_fn fn,
			void *arg);

/*
 * Where a record was read: name is that of its file, with or without the
 * directories, NAME:ROW for a row, or the key of a row. "": one that has no
 * name, or a row whose key could not be read.
 */
struct evidence_index_record {
	uint64_t seq; /* of the line that has it */
	uint64_t load;
	uint64_t origin;
};
typedef int (*evidence_index_record_fn)(
	const struct evidence_index_record *record, void *arg);
int evidence_index_records(struct evidence_index *index, const char *name,
			   evidence_index_record_fn fn, void *arg);

#endif
