/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the command shows to people: aligned tables, sizes and times they can
 * read, colour only where it is welcome.
 */
#ifndef CORDON_TERM_H
#define CORDON_TERM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#define TERM_COLUMNS_MAX 16

enum term_colour { TERM_PLAIN, TERM_GOOD, TERM_POOR, TERM_BAD, TERM_DIM };

/* Colour is for a terminal, and never where NO_COLOR is set or TERM is dumb. */
bool term_wants_colour(FILE *out);

/* The sequence that begins or ends a colour; "" without colour. */
const char *term_begin(enum term_colour colour, bool on);
const char *term_end(enum term_colour colour, bool on);

struct term_column {
	const char *title;
	bool right; /* numbers */
};

struct term_table;

/* columns lives as long as the table. NULL: no memory. */
struct term_table *term_table_new(const struct term_column *columns, size_t n);
void term_table_free(struct term_table *table);

/*
 * One row, of as many texts as there are columns; a NULL is shown as `-`. The
 * texts are copied. 0 or -ENOMEM.
 */
int term_table_add(struct term_table *table, enum term_colour colour,
		   const char *const *texts);

/* Prints the table; nothing, not even the titles, if it has no row. */
void term_table_print(const struct term_table *table, FILE *out, bool colour);

/* `47,000`; size 32 suffices. */
void term_number(uint64_t n, char *buf, size_t size);

/* `3 d 4 h`, `12 min`, `5 s`; size 32 suffices. */
void term_age(uint64_t seconds, char *buf, size_t size);

/* `[####------]` of width characters; size width + 3 suffices. */
void term_bar(uint64_t used, uint64_t max, size_t width, char *buf,
	      size_t size);

#endif
