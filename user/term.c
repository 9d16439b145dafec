// SPDX-License-Identifier: GPL-2.0-only
#include "term.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

bool term_wants_colour(FILE *out)
{
	const char *no = getenv("NO_COLOR"), *term = getenv("TERM");

	if (no && no[0])
		return false;
	if (!term || strcmp(term, "dumb") == 0)
		return false;
	return isatty(fileno(out)) == 1;
}

const char *term_begin(enum term_colour colour, bool on)
{
	static const char *const codes[] = {
		[TERM_PLAIN] = "",	  [TERM_GOOD] = "\033[32m",
		[TERM_POOR] = "\033[33m", [TERM_BAD] = "\033[1;31m",
		[TERM_DIM] = "\033[2m",
	};

	return on ? codes[colour] : "";
}

const char *term_end(enum term_colour colour, bool on)
{
	return on && colour != TERM_PLAIN ? "\033[0m" : "";
}

/* ---- tables ------------------------------------------------------------- */

struct row {
	enum term_colour colour;
	char *texts[TERM_COLUMNS_MAX];
};

struct term_table {
	const struct term_column *columns;
	size_t n_columns;
	size_t width[TERM_COLUMNS_MAX];
	struct row *rows;
	size_t n, size;
};

/* Characters, not bytes: names may be UTF-8. */
static size_t width_of(const char *text)
{
	size_t n = 0;

	for (; *text; text++)
		n += ((unsigned char)*text & 0xc0) != 0x80;
	return n;
}

struct term_table *term_table_new(const struct term_column *columns, size_t n)
{
	struct term_table *table;

	if (n > TERM_COLUMNS_MAX)
		return NULL;
	table = calloc(1, sizeof(*table));
	if (!table)
		return NULL;
	table->columns = columns;
	table->n_columns = n;
	for (size_t i = 0; i < n; i++)
		table->width[i] = width_of(columns[i].title);
	return table;
}

static void row_release(struct row *row, size_t n)
{
	for (size_t i = 0; i < n; i++)
		free(row->texts[i]);
}

void term_table_free(struct term_table *table)
{
	if (!table)
		return;
	for (size_t i = 0; i < table->n; i++)
		row_release(&table->rows[i], table->n_columns);
	free(table->rows);
	free(table);
}

int term_table_add(struct term_table *table, enum term_colour colour,
		   const char *const *texts)
{
	struct row row = {.colour = colour}, *rows;
	size_t size, width;

	if (table->n == table->size) {
		size = table->size ? table->size * 2 : 16;
		rows = reallocarray(table->rows, size, sizeof(*rows));
		if (!rows)
			return -ENOMEM;
		table->rows = rows;
		table->size = size;
	}
	for (size_t i = 0; i < table->n_columns; i++) {
		row.texts[i] = strdup(texts[i] ? texts[i] : "-");
		if (!row.texts[i]) {
			row_release(&row, i);
			return -ENOMEM;
		}
		width = width_of(row.texts[i]);
		if (width > table->width[i])
			table->width[i] = width;
	}
	table->rows[table->n++] = row;
	return 0;
}

static void print_row(const struct term_table *table, FILE *out,
		      const char *const *texts)
{
	const char *gap = "";
	int pad;

	for (size_t i = 0; i < table->n_columns; i++) {
		pad = (int)(table->width[i] - width_of(texts[i]));
		(void)fputs(gap, out);
		if (table->columns[i].right)
			(void)fprintf(out, "%*s%s", pad, "", texts[i]);
		else if (i + 1 < table->n_columns)
			(void)fprintf(out, "%s%*s", texts[i], pad, "");
		else
			(void)fputs(texts[i], out);
		gap = "  ";
	}
}

void term_table_print(const struct term_table *table, FILE *out, bool colour)
{
	const char *titles[TERM_COLUMNS_MAX];

	if (!table->n)
		return;
	for (size_t i = 0; i < table->n_columns; i++)
		titles[i] = table->columns[i].title;
	(void)fputs(term_begin(TERM_DIM, colour), out);
	print_row(table, out, titles);
	(void)fprintf(out, "%s\n", term_end(TERM_DIM, colour));
	for (size_t i = 0; i < table->n; i++) {
		const struct row *row = &table->rows[i];

		(void)fputs(term_begin(row->colour, colour), out);
		print_row(table, out, (const char *const *)row->texts);
		(void)fprintf(out, "%s\n", term_end(row->colour, colour));
	}
}

/* ---- numbers ------------------------------------------------------------ */

void term_number(uint64_t n, char *buf, size_t size)
{
	char digits[24];
	size_t len, out = 0;

	len = (size_t)snprintf(digits, sizeof(digits), "%" PRIu64, n);
	for (size_t i = 0; i < len && out + 2 < size; i++) {
		if (i > 0 && (len - i) % 3 == 0)
			buf[out++] = ',';
		buf[out++] = digits[i];
	}
	buf[out] = '\0';
}

void term_age(uint64_t seconds, char *buf, size_t size)
{
	uint64_t minutes = seconds / 60, hours = minutes / 60;

	if (hours >= 24)
		(void)snprintf(buf, size, "%" PRIu64 " d %" PRIu64 " h",
			       hours / 24, hours % 24);
	else if (hours)
		(void)snprintf(buf, size, "%" PRIu64 " h %" PRIu64 " min",
			       hours, minutes % 60);
	else if (minutes)
		(void)snprintf(buf, size, "%" PRIu64 " min", minutes);
	else
		(void)snprintf(buf, size, "%" PRIu64 " s", seconds);
}

void term_bar(uint64_t used, uint64_t max, size_t width, char *buf, size_t size)
{
	size_t full = width;

	if (width + 3 > size) {
		buf[0] = '\0';
		return;
	}
	if (used < max)
		full = (size_t)((double)used / (double)max * (double)width);
	buf[0] = '[';
	memset(buf + 1, '#', full);
	memset(buf + 1 + full, '-', width - full);
	buf[width + 1] = ']';
	buf[width + 2] = '\0';
}
