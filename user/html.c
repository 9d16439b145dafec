// SPDX-License-Identifier: GPL-2.0-only
#include "html.h"

#include "term.h"
#include "text.h"

#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

/* More than two no writing of names needs. */
#define MARKS_MAX 2

struct range {
	uint32_t first;
	uint32_t last;
};

/* Besides what text.h takes for unclean. */
static const struct range hidden[] = {
	{0xad, 0xad},	    {0x34f, 0x34f},	{0x115f, 0x1160},
	{0x17b4, 0x17b5},   {0x180b, 0x180f},	{0x2800, 0x2800},
	{0x3164, 0x3164},   {0xfe00, 0xfe0f},	{0xffa0, 0xffa0},
	{0xfff0, 0xfffb},   {0x1d173, 0x1d17a}, {0xe0000, 0xe0fff},
	{0xf0000, 0x10ffff}};
static const struct range marks[] = {
	{0x300, 0x36f},	  {0x483, 0x489},   {0x591, 0x5bd},   {0x610, 0x61a},
	{0x64b, 0x65f},	  {0xe34, 0xe3a},   {0xe47, 0xe4e},   {0x1ab0, 0x1aff},
	{0x1dc0, 0x1dff}, {0x20d0, 0x20ff}, {0xfe20, 0xfe2f},
};

static bool is_in(const struct range *ranges, size_t n, uint32_t code)
{
	for (size_t i = 0; i < n; i++)
		if (code >= ranges[i].first && code <= ranges[i].last)
			return true;
	return false;
}

static void put_raw(struct html *html, const char *s, size_t len)
{
	if (html->r || !len)
		return;
	errno = 0;
	if (fwrite(s, 1, len, html->out) != len)
		html->r = errno ? -errno : -EIO;
}

static void put_bytes(struct html *html, const char *s, size_t len)
{
	char hex[8];

	for (size_t i = 0; i < len; i++) {
		(void)snprintf(hex, sizeof(hex), "\\x%02x",
			       (unsigned char)s[i]);
		put_raw(html, hex, 4);
	}
}

static const char *entity(char c)
{
	switch (c) {
	case '&':
		return "&amp;";
	case '<':
		return "&lt;";
	case '>':
		return "&gt;";
	case '"':
		return "&quot;";
	case '\'':
		return "&#39;";
	default:
		return NULL;
	}
}

/* Where the first max characters of s end. */
static size_t bytes_of(const char *s, size_t len, size_t max)
{
	size_t at = 0, n;
	uint32_t code;

	while (at < len && max--) {
		n = text_decode(s + at, len - at, &code);
		at += n ? n : 1;
	}
	return at;
}

static void put_text(struct html *html, const char *s, size_t len)
{
	size_t n, piled = 0;
	const char *name;
	uint32_t code;

	for (; len; s += n, len -= n) {
		n = text_decode(s, len, &code);
		if (n && is_in(marks, sizeof(marks) / sizeof(*marks), code))
			piled++;
		else
			piled = 0;
		name = entity(*s);
		if (!n) {
			n = 1;
			put_bytes(html, s, n);
		} else if (piled > MARKS_MAX || !text_is_clean(s, n, "") ||
			   is_in(hidden, sizeof(hidden) / sizeof(*hidden),
				 code)) {
			put_bytes(html, s, n);
		} else if (name) {
			put_raw(html, name, strlen(name));
		} else {
			put_raw(html, s, n);
		}
	}
}

/* One conversion of a format. */
struct conversion {
	bool thousands;
	bool cut;
	int precision;
	char length; /* 0, l, L (ll) or z */
	char type;
};

static const char *parse(const char *s, struct conversion *ret)
{
	*ret = (struct conversion){0};
	if (*s == '\'') {
		ret->thousands = true;
		s++;
	}
	if (*s == '.') {
		ret->cut = true;
		for (s++; *s >= '0' && *s <= '9'; s++)
			ret->precision = ret->precision * 10 + (*s - '0');
	}
	if (*s == 'z' || *s == 'l')
		ret->length = *s++;
	if (ret->length == 'l' && *s == 'l') {
		ret->length = 'L';
		s++;
	}
	ret->type = *s ? *s++ : '\0';
	return s;
}

static void put_number(struct html *html, uint64_t n, bool thousands)
{
	char text[32];

	if (thousands)
		term_number(n, text, sizeof(text));
	else
		(void)snprintf(text, sizeof(text), "%" PRIu64, n);
	put_raw(html, text, strlen(text));
}

/* At most max characters; at least those that say that it is cut. */
static void put_cut(struct html *html, const char *s, size_t max)
{
	size_t len = strlen(s);

	if (bytes_of(s, len, max) == len) {
		put_text(html, s, len);
		return;
	}
	put_text(html, s, bytes_of(s, len, max > 3 ? max - 3 : 0));
	put_raw(html, "...", 3);
}

void html_put(struct html *html, const char *format, ...)
{
	struct conversion how;
	const char *text;
	uint64_t n;
	va_list ap;
	size_t len;
	int i;

	va_start(ap, format);
	while (*format) {
		len = strcspn(format, "%");
		put_raw(html, format, len);
		format += len;
		if (!*format)
			break;
		format = parse(format + 1, &how);
		if (how.type == 's') {
			text = va_arg(ap, const char *);
			text = text ? text : "";
			if (how.cut)
				put_cut(html, text, (size_t)how.precision);
			else
				put_text(html, text, strlen(text));
		} else if (how.type == 'd') {
			i = va_arg(ap, int);
			put_raw(html, "-", i < 0);
			n = i < 0 ? 0 - (uint64_t)i : (uint64_t)i;
			put_number(html, n, how.thousands);
		} else if (how.type == 'u') {
			n = how.length == 'L'	? va_arg(ap, unsigned long long)
			    : how.length == 'l' ? va_arg(ap, unsigned long)
			    : how.length == 'z' ? va_arg(ap, size_t)
						: va_arg(ap, unsigned int);
			put_number(html, n, how.thousands);
		} else {
			put_raw(html, "%", 1);
		}
	}
	va_end(ap);
}

void html_markup(struct html *html, const char *markup)
{
	put_raw(html, markup, strlen(markup));
}

int html_end(struct html *html)
{
	errno = 0;
	if (fflush(html->out) && !html->r)
		html->r = errno ? -errno : -EIO;
	return html->r;
}
