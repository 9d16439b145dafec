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

#define TERM_COLUMNS_MAX   16
#define TERM_WIDTH_DEFAULT 80

enum term_colour { TERM_PLAIN, TERM_GOOD, TERM_POOR, TERM_BAD, TERM_DIM };

/* Colour is for a terminal, and never where NO_COLOR is set or TERM is dumb. */
bool term_wants_colour(FILE *out);

/* How many characters a line of out has room for: its terminal's, or what
 * COLUMNS says, or TERM_WIDTH_DEFAULT. */
size_t term_width(FILE *out);

/*
 * Prints text, without a line feed, broken between words where a line of width
 * ends; the first line begins at indent, the others get there with blanks.
 */
void term_fold(FILE *out, const char *text, size_t indent, size_t width);

/* How many columns a terminal needs for the text. Letters count as wide as the
 * locale says, if setlocale(3) was asked for one, else as one column each. */
size_t term_columns(const char *text);

/* Cuts off what does not fit into so many columns. */
void term_cut(char *text, size_t columns);

/* The sequence that begins or ends a colour; "" without colour. */
const char *term_begin(enum term_colour colour, bool on);
const char *term_end(enum term_colour colour, bool on);

struct term_column {
	const char *title;
	bool right;   /* numbers, which are never cut */
	bool if_any;  /* left out when all that is in it is `-` */
	uint8_t drop; /* where room is short the highest goes first; 0: stays */
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

/* A line of its own between the rows, of any width. 0 or -ENOMEM. */
int term_table_head(struct term_table *table, const char *text);

/*
 * Prints the table; nothing, not even the titles, if it has no row. width: what
 * a line has room for, 0: any. Where that is too little, columns are left out,
 * which a last line tells, and then texts are cut, which ends them in `...`.
 */
void term_table_print(struct term_table *table, FILE *out, bool colour,
		      size_t width);

/* Without a line feed; text lives for the call. */
typedef void (*term_line_fn)(const char *text, enum term_colour colour,
			     void *arg);

/*
 * For who has room for some lines only: tells fn the titles, even if there is
 * no row, and then up to n rows from the first on, in the form that
 * term_table_print() would give them; what is left out is not told. 0 or
 * -ENOMEM.
 */
int term_table_lines(struct term_table *table, size_t width, size_t first,
		     size_t n, term_line_fn fn, void *arg);

/* `47,000`; size 32 suffices. */
void term_number(uint64_t n, char *buf, size_t size);

/* `3 d 4 h`, `12 min`, `5 s`; size 32 suffices. */
void term_age(uint64_t seconds, char *buf, size_t size);

/* `[####------]` of width characters; size width + 3 suffices. */
void term_bar(uint64_t used, uint64_t max, size_t width, char *buf,
	      size_t size);

#endif
