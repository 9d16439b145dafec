/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Lines of evidence about records that were read, as cordon-evidence(5) has
 * them: what is known is put into as few lines as it fits in.
 */
#ifndef CORDON_EXPOSED_H
#define CORDON_EXPOSED_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "exposure.h"
#include "row_keys.h"

/* Takes a line, which it steals and which is at most EVIDENCE_LINE_MAX bytes
 * when evidence_add() has completed it. 0 or -errno, which ends it. */
typedef int (*exposed_line_fn)(json_t *line, void *arg);

/* Whose records. */
struct exposed_of {
	uint32_t origin;
	const char *dataset;
};

/* Zeroed but for fn and arg, it has no line yet. */
struct exposed {
	exposed_line_fn fn;
	void *arg;
	/* The line that is being made. */
	json_t *line;
	json_t *list; /* the line's */
	size_t used;  /* bytes of it, at most, but for its head */
	uint32_t origin;
	const char *dir;
	size_t dir_len;
};

/*
 * A record that is a file; path has len bytes and lives until exposed_end(), or
 * is NULL: it was gone before its name was known. 0, -ENOMEM or what fn
 * returned.
 */
int exposed_file(struct exposed *to, const struct exposed_of *of,
		 uint32_t record, const char *path, size_t len);

struct exposed_rows {
	uint32_t record;  /* the file */
	const char *path; /* of len bytes; NULL: it is not known */
	size_t len;
	uint32_t row_bytes;
	struct row_keys *keys; /* NULL: there are none */
	const char *keys_why;  /* and why not; NULL: none were asked for */
};

/*
 * Rows of one file: the n blocks are of the origin and in order. From where
 * keys cannot be read on there are none, and the lines say why. As
 * exposed_file().
 */
int exposed_rows(struct exposed *to, const struct exposed_of *of,
		 const struct exposed_rows *rows,
		 const struct exposure_block *blocks, size_t n);

/* Why keys cannot be read, in a word that lines have: by a negative errno. And
 * what that word, from a log, is to people; one that is not known as well. */
const char *exposed_keys_why(int r);
const char *exposed_keys_words(const char *why);

/* There is no more: brings the last line to fn. */
int exposed_end(struct exposed *to);

/* Drops the line that is being made, if there is one. */
void exposed_release(struct exposed *to);

#endif
