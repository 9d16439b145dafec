/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Writes markup with texts in it that nobody vouches for. The format is markup
 * and goes out as it stands, so it has to be a literal; each text goes through
 * %s, which is the only way for one to get in, and is escaped there: for
 * elements and quoted attributes alike, for HTML and for XML.
 *
 * What cannot be seen, or steers how others are seen, is shown as \xNN for each
 * of its bytes, as the evidence log has it: controls, bytes that are no UTF-8,
 * characters that turn the direction of writing or are invisible, and marks
 * that are piled up on one letter to cover what stands around it.
 */
#ifndef CORDON_HTML_H
#define CORDON_HTML_H

#include <stdio.h>

struct html {
	FILE *out;
	int r; /* -errno of what failed first; then nothing more is written */
};

/*
 * %s: a text; NULL is "". With a precision, at most so many characters of it,
 * the last three of which are `...` if it had more.
 * %d, %u, %lu, %zu, %" PRIu64 ", with ' for separators of thousands: %'u.
 */
void html_put(struct html *html, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

/* Markup of our own, with nobody's text in it, that is no format. */
void html_markup(struct html *html, const char *markup);

/* 0, or -errno of the stream. */
int html_end(struct html *html);

#endif
