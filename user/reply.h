/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the lines of the agent's replies say, in the words that several verbs
 * of `cordon` have for it. Whatever comes out may go to a terminal: names of
 * files and processes are chosen by those whom the guard watches.
 */
#ifndef CORDON_REPLY_H
#define CORDON_REPLY_H

#include <stddef.h>
#include <stdint.h>
#include <jansson.h>

#include "term.h"

/* The member of that name, cleaned as log_clean() does, cut at size, which is
 * at least 1; "" if it is not there. */
void reply_text(const json_t *line, const char *key, char *buf, size_t size);

/* 0 if it is not there. */
uint64_t reply_number(const json_t *line, const char *key);

/* Does a line of type `budget` count bytes? Else records. */
bool reply_counts_bytes(const json_t *line);

/* Of a `budget`, what it allows: `240 records/hour`, `64 MiB/hour`,
 * `unlimited`. */
void reply_limit(const json_t *line, char *buf, size_t size);

/* Of a `budget`, whose it is: a subject, or quiet files. */
void reply_whose(const json_t *line, char *buf, size_t size);

/* A destination, as people read it: `*` is elsewhere, and two are acts. */
const char *reply_to(const char *destination);

/*
 * Of a `status': until when enforcement is lifted, by whom, and why; "" if it
 * is not.
 */
void reply_lifted(const json_t *line, char *buf, size_t size);

/* what is one word, text a sentence, and neither lives on. */
typedef void (*reply_warning_fn)(enum term_colour colour, const char *what,
				 const char *text, void *arg);

/* Tells fn each thing that a line of type `status` has to say about the guard
 * that is not as it should be. */
void reply_warnings(const json_t *line, reply_warning_fn fn, void *arg);

#endif
