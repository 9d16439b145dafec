/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Text that a person wrote, to numbers and back. Every parser takes the whole
 * string, a C string, and leaves its ret_ argument alone when it fails.
 * -EINVAL: not of that form; -ERANGE: of that form, but outside min..max or
 * beyond what the type holds. Formatters cut at size, which is at least 1,
 * and always end with NUL.
 */
#ifndef CORDON_TEXT_H
#define CORDON_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Always enough for the numeric formatters below. */
#define TEXT_NUMBER_CHARS_MAX 48

/*
 * Decimal digits only: no sign, blank, base prefix, and no leading zero, which
 * some readers take for octal.
 */
int text_parse_u64(const char *s, uint64_t min, uint64_t max,
		   uint64_t *ret_value);

/* A number as above at the start of s; *ret_rest is what follows it. */
int text_parse_leading_u64(const char *s, uint64_t *ret_value,
			   const char **ret_rest);

/*
 * A number of bytes: `160`, `160B`, `64KiB`, `64 MiB`, `1GiB`. With need_unit
 * a bare number is -EINVAL. Units of 1000 (kB, MB) are refused rather than
 * guessed at.
 */
int text_parse_bytes(const char *s, bool need_unit, uint64_t min, uint64_t max,
		     uint64_t *ret_bytes);

/*
 * A length of time: `hour`, `1 hour`, `15 minutes`; second, minute, hour, day
 * or week.
 */
int text_parse_duration(const char *s, uint64_t min_ns, uint64_t max_ns,
			uint64_t *ret_ns);

/*
 * A moment in UTC as RFC 3339 writes it, to the second: 2026-11-01T00:00:00Z.
 * Years 1970 to 9999. Seconds since the epoch.
 */
int text_parse_time(const char *s, int64_t *ret_s);

/* The same with up to three digits behind the second, as the lines of the
 * evidence log have it: 2026-11-01T00:00:00.123Z. Milliseconds. */
int text_parse_time_ms(const char *s, int64_t *ret_ms);

/* `64 MiB`: the largest unit that is exact, so `1536 KiB`. */
void text_format_bytes(uint64_t bytes, char *buf, size_t size);

/* `hour`, `15 minutes`: what text_parse_duration() takes; for lengths that are
 * no full seconds `N ns`. */
void text_format_duration(uint64_t ns, char *buf, size_t size);

/* As text_parse_time() takes it; a year beyond 9999 gives `@SECONDS`. */
void text_format_time(int64_t s, char *buf, size_t size);

/*
 * Puts the len bytes at s between double quotes, for a message: at most
 * TEXT_QUOTE_BYTES_MAX of them, then `...`; controls, bytes that are no UTF-8
 * and characters that turn the direction of writing become `?`, so that no
 * text from a file can steer a terminal.
 */
#define TEXT_QUOTE_BYTES_MAX 64
#define TEXT_QUOTE_CHARS_MAX (TEXT_QUOTE_BYTES_MAX + 6)
void text_quote(const char *s, size_t len, char *buf, size_t size);

/* Length in bytes of the code point that the len bytes at s begin with; 0 if
 * they are no UTF-8. */
size_t text_decode(const char *s, size_t len, uint32_t *ret_code);

/*
 * True if the len bytes at s are UTF-8 without NUL, controls (C0, DEL, C1),
 * line separators or characters that turn the direction of writing. Bytes that
 * stand in allow (ASCII) are let through.
 */
bool text_is_clean(const char *s, size_t len, const char *allow);

/*
 * Length of the clean prefix of s, as text_is_clean() judges; len if all of it
 * is.
 */
size_t text_clean_prefix(const char *s, size_t len, const char *allow);

/*
 * The len bytes at s as JSON and people take them: what text_is_clean() would
 * not let through, and the backslash, as \xNN, from which the bytes can be had
 * again. What does not fit in size, at least 5, ends in `\...`; all of it does
 * if that is TEXT_ESCAPE_CHARS(len).
 */
#define TEXT_ESCAPE_CHARS(len) (4 * (len) + 5)
void text_escape(const char *s, size_t len, char *buf, size_t size);

/* DIR/NAME, cut at size. 0, or -ENAMETOOLONG: it was cut. */
int text_path(const char *dir, const char *name, char *buf, size_t size);

/*
 * True if word looks like a slip of the pen for candidate: a letter or two
 * wrong, missing, doubled or swapped. *ret_distance (may be NULL) tells how
 * far, to choose the nearest of several.
 */
bool text_is_near(const char *word, const char *candidate,
		  unsigned int *ret_distance);

#endif
