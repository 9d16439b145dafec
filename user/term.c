// SPDX-License-Identifier: GPL-2.0-only
#include "term.h"

#include "array.h"
#include "text.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>
#include <wchar.h>

/* Texts are not cut to fewer characters than this, the mark included. */
#define CUT_CHARS_MIN 10
#define CUT_MARK      "..."

bool term_wants_colour(FILE *out)
{
	const char *no = getenv("NO_COLOR"), *term = getenv("TERM");

	if (no && no[0])
		return false;
	if (!term || strcmp(term, "dumb") == 0)
		return false;
	return isatty(fileno(out)) == 1;
}

size_t term_width(FILE *out)
{
	const char *columns = getenv("COLUMNS");
	struct winsize size;
	uint64_t n;

	if (ioctl(fileno(out), TIOCGWINSZ, &size) == 0 && size.ws_col)
		return size.ws_col;
	if (columns && text_parse_u64(columns, 1, 10000, &n) == 0)
		return (size_t)n;
	return TERM_WIDTH_DEFAULT;
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

/*
 * Bytes of the first character, and its columns: names may be UTF-8. A command
 * that has not asked for a locale knows no letter's width, but can count.
 */
static size_t step(const char *text, size_t *ret_columns)
{
	mbstate_t state = {0};
	wchar_t letter;
	size_t n = 1;
	int columns;

	*ret_columns = 1;
	if (MB_CUR_MAX > 1) {
		n = mbrtowc(&letter, text, strnlen(text, MB_CUR_MAX), &state);
		if (n == 0 || n > MB_CUR_MAX)
			return 1;
		columns = wcwidth(letter);
		if (columns >= 0)
			*ret_columns = (size_t)columns;
		return n;
	}
	while (((unsigned char)text[n] & 0xc0) == 0x80)
		n++;
	return n;
}

size_t term_columns(const char *text)
{
	size_t n = 0, columns;

	while (*text) {
		text += step(text, &columns);
		n += columns;
	}
	return n;
}

/* Bytes of what fits into n columns. */
static size_t bytes_of(const char *text, size_t n)
{
	size_t i = 0, len, columns;

	while (text[i]) {
		len = step(text + i, &columns);
		if (columns > n)
			break;
		n -= columns;
		i += len;
	}
	return i;
}

void term_cut(char *text, size_t columns)
{
	text[bytes_of(text, columns)] = '\0';
}

void term_fold(FILE *out, const char *text, size_t indent, size_t width)
{
	size_t room = width > indent + CUT_CHARS_MIN ? width - indent
						     : CUT_CHARS_MIN;

	while (term_columns(text) > room) {
		size_t len = bytes_of(text, room + 1), i;

		for (i = len; i && text[i - 1] != ' '; i--)
			;
		/* A word of more than a line stands as it is. */
		if (!i)
			i = strcspn(text, " ") + 1;
		if (i > strlen(text))
			break;
		(void)fprintf(out, "%.*s\n%*s", (int)i - 1, text, (int)indent,
			      "");
		text += i;
	}
	(void)fputs(text, out);
}

/* ---- tables ------------------------------------------------------------- */

struct row {
	enum term_colour colour;
	bool heading; /* texts[0] is all of it */
	char *texts[TERM_COLUMNS_MAX];
};

struct term_table {
	const struct term_column *columns;
	size_t n_columns;
	size_t width[TERM_COLUMNS_MAX];
	struct row *rows;
	size_t n;
};

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

static int append(struct term_table *table, const struct row *row)
{
	struct row *rows;

	rows = array_grow(table->rows, table->n, sizeof(*rows));
	if (!rows)
		return -ENOMEM;
	table->rows = rows;
	table->rows[table->n++] = *row;
	return 0;
}

int term_table_add(struct term_table *table, enum term_colour colour,
		   const char *const *texts)
{
	struct row row = {.colour = colour};
	size_t i;

	for (i = 0; i < table->n_columns; i++) {
		row.texts[i] = strdup(texts[i] ? texts[i] : "-");
		if (!row.texts[i])
			break;
	}
	if (i == table->n_columns && append(table, &row) == 0)
		return 0;
	row_release(&row, i);
	return -ENOMEM;
}

int term_table_head(struct term_table *table, const char *text)
{
	struct row row = {.heading = true};

	row.texts[0] = strdup(text);
	if (row.texts[0] && append(table, &row) == 0)
		return 0;
	free(row.texts[0]);
	return -ENOMEM;
}

/* Widths that the texts ask for; 0 where a column is not to be seen. */
static void measure(struct term_table *table)
{
	for (size_t i = 0; i < table->n_columns; i++) {
		bool any = !table->columns[i].if_any;
		size_t most = term_columns(table->columns[i].title);

		for (size_t k = 0; k < table->n; k++) {
			const struct row *row = &table->rows[k];

			if (row->heading)
				continue;
			if (term_columns(row->texts[i]) > most)
				most = term_columns(row->texts[i]);
			any = any || strcmp(row->texts[i], "-") != 0;
		}
		table->width[i] = any ? most : 0;
	}
}

static size_t total(const struct term_table *table)
{
	size_t n = 0;

	for (size_t i = 0; i < table->n_columns; i++)
		if (table->width[i])
			n += table->width[i] + (n ? 2 : 0);
	return n;
}

/* Leaves out columns, whose titles go to dropped, then cuts the widest. */
static void fit(struct term_table *table, size_t width, char *dropped,
		size_t size)
{
	size_t at, len = 0, over, widest;

	while (total(table) > width) {
		at = 0;
		for (size_t i = 1; i < table->n_columns; i++)
			if (table->width[i] &&
			    table->columns[i].drop > table->columns[at].drop)
				at = i;
		if (!table->columns[at].drop || !table->width[at])
			break;
		table->width[at] = 0;
		if (!table->columns[at].title[0])
			continue;
		len += (size_t)snprintf(dropped + len, size - len, "%s%s",
					len ? ", " : "",
					table->columns[at].title);
		if (len >= size)
			len = size - 1;
	}
	while (total(table) > width) {
		widest = 0;
		for (size_t i = 0; i < table->n_columns; i++)
			if (!table->columns[i].right &&
			    table->width[i] > widest)
				widest = table->width[at = i];
		if (widest <= CUT_CHARS_MIN)
			break;
		over = total(table) - width;
		table->width[at] = widest > over + CUT_CHARS_MIN
					   ? widest - over
					   : CUT_CHARS_MIN;
	}
}

/* Where a wide letter would be cut in two there is a blank. */
static void print_text(FILE *out, const char *text, size_t width)
{
	size_t room = width - (sizeof(CUT_MARK) - 1), columns, len, n = 0;

	if (term_columns(text) <= width) {
		(void)fputs(text, out);
		return;
	}
	for (len = bytes_of(text, room); n < len;) {
		n += step(text + n, &columns);
		room -= columns;
	}
	(void)fprintf(out, "%.*s%*s" CUT_MARK, (int)len, text, (int)room, "");
}

/* Blanks are printed before a text only: none stand at the end of a line. */
static void print_row(const struct term_table *table, FILE *out,
		      const char *const *texts)
{
	size_t width, len, pad = 0;
	bool first = true;

	for (size_t i = 0; i < table->n_columns; i++) {
		width = table->width[i];
		if (!width)
			continue;
		pad += first ? 0 : 2;
		first = false;
		len = term_columns(texts[i]);
		if (len > width)
			len = width;
		if (!len || table->columns[i].right)
			pad += width - len;
		if (!len)
			continue;
		(void)fprintf(out, "%*s", (int)pad, "");
		print_text(out, texts[i], width);
		pad = table->columns[i].right ? 0 : width - len;
	}
}

void term_table_print(struct term_table *table, FILE *out, bool colour,
		      size_t width)
{
	const char *titles[TERM_COLUMNS_MAX];
	char dropped[128] = "";

	if (!table->n)
		return;
	measure(table);
	if (width)
		fit(table, width, dropped, sizeof(dropped));
	for (size_t i = 0; i < table->n_columns; i++)
		titles[i] = table->columns[i].title;
	(void)fputs(term_begin(TERM_DIM, colour), out);
	print_row(table, out, titles);
	(void)fprintf(out, "%s\n", term_end(TERM_DIM, colour));
	for (size_t i = 0; i < table->n; i++) {
		const struct row *row = &table->rows[i];

		(void)fputs(term_begin(row->colour, colour), out);
		if (row->heading)
			(void)fputs(row->texts[0], out);
		else
			print_row(table, out, (const char *const *)row->texts);
		(void)fprintf(out, "%s\n", term_end(row->colour, colour));
	}
	if (dropped[0])
		(void)fprintf(out,
			      "%snot shown for want of room: %s; --json has "
			      "it all%s\n",
			      term_begin(TERM_DIM, colour), dropped,
			      term_end(TERM_DIM, colour));
}

static int tell_row(const struct term_table *table, const char *const *texts,
		    enum term_colour colour, term_line_fn fn, void *arg)
{
	char *text = NULL;
	size_t len;
	FILE *out;

	out = open_memstream(&text, &len);
	if (!out)
		return -ENOMEM;
	print_row(table, out, texts);
	if (fclose(out) == 0)
		fn(text, colour, arg);
	else
		len = SIZE_MAX;
	free(text);
	return len == SIZE_MAX ? -ENOMEM : 0;
}

int term_table_lines(struct term_table *table, size_t width, size_t first,
		     size_t n, term_line_fn fn, void *arg)
{
	const char *titles[TERM_COLUMNS_MAX];
	char dropped[128] = "";
	const struct row *row;
	int r;

	measure(table);
	fit(table, width, dropped, sizeof(dropped));
	for (size_t i = 0; i < table->n_columns; i++)
		titles[i] = table->columns[i].title;
	r = tell_row(table, titles, TERM_DIM, fn, arg);
	for (size_t i = first; !r && i < table->n && i - first < n; i++) {
		row = &table->rows[i];
		if (row->heading)
			fn(row->texts[0], row->colour, arg);
		else
			r = tell_row(table, (const char *const *)row->texts,
				     row->colour, fn, arg);
	}
	return r;
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
