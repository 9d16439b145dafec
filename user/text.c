// SPDX-License-Identifier: GPL-2.0-only
#include "text.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "array.h"

#define NS_PER_S 1000000000ULL

/* Longer words are never a slip of the pen for one of ours. */
#define NEAR_CHARS_MAX 63

struct unit {
	const char *name;
	uint64_t factor;
};

static const struct unit byte_units[] = {
	{"B", 1},
	{"KiB", 1ULL << 10},
	{"MiB", 1ULL << 20},
	{"GiB", 1ULL << 30},
};

static const struct unit time_units[] = {
	{"second", NS_PER_S},		{"minute", 60 * NS_PER_S},
	{"hour", 3600 * NS_PER_S},	{"day", 86400 * NS_PER_S},
	{"week", 7 * 86400 * NS_PER_S},
};

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

int text_parse_leading_u64(const char *s, uint64_t *ret_value,
			   const char **ret_rest)
{
	uint64_t value = 0;
	unsigned int digit;
	const char *p;

	if (!is_digit(*s))
		return -EINVAL;
	if (s[0] == '0' && is_digit(s[1]))
		return -EINVAL;

	for (p = s; is_digit(*p); p++) {
		digit = (unsigned int)(*p - '0');
		if (value > (UINT64_MAX - digit) / 10)
			return -ERANGE;
		value = value * 10 + digit;
	}

	*ret_value = value;
	*ret_rest = p;
	return 0;
}

int text_parse_u64(const char *s, uint64_t min, uint64_t max,
		   uint64_t *ret_value)
{
	uint64_t value;
	const char *rest;
	int r;

	/* "99999999999999999999 apples" is no number, not one too large */
	if (s[strspn(s, "0123456789")] != '\0')
		return -EINVAL;
	r = text_parse_leading_u64(s, &value, &rest);
	if (r)
		return r;
	if (value < min || value > max)
		return -ERANGE;

	*ret_value = value;
	return 0;
}

static int multiply(uint64_t number, uint64_t factor, uint64_t min,
		    uint64_t max, uint64_t *ret_value)
{
	if (number > UINT64_MAX / factor)
		return -ERANGE;
	number *= factor;
	if (number < min || number > max)
		return -ERANGE;

	*ret_value = number;
	return 0;
}

int text_parse_bytes(const char *s, bool need_unit, uint64_t min, uint64_t max,
		     uint64_t *ret_bytes)
{
	size_t n_digits = strspn(s, "0123456789");
	const char *unit = s + n_digits;
	uint64_t number, factor = 0;
	const char *rest;
	int r;

	unit += strspn(unit, " ");
	for (size_t i = 0; i < N_ELEMENTS(byte_units); i++)
		if (strcmp(unit, byte_units[i].name) == 0)
			factor = byte_units[i].factor;
	if (s[n_digits] == '\0' && !need_unit)
		factor = 1;
	if (factor == 0)
		return -EINVAL;

	r = text_parse_leading_u64(s, &number, &rest);
	if (r)
		return r;
	return multiply(number, factor, min, max, ret_bytes);
}

static uint64_t time_unit(const char *s, bool plural)
{
	size_t len;

	for (size_t i = 0; i < N_ELEMENTS(time_units); i++) {
		len = strlen(time_units[i].name);
		if (strncmp(s, time_units[i].name, len) != 0)
			continue;
		if (s[len] == '\0' ||
		    (plural && s[len] == 's' && s[len + 1] == '\0'))
			return time_units[i].factor;
	}
	return 0;
}

int text_parse_duration(const char *s, uint64_t min_ns, uint64_t max_ns,
			uint64_t *ret_ns)
{
	size_t n_digits = strspn(s, "0123456789");
	const char *unit = s + n_digits;
	uint64_t number = 1, factor;
	const char *rest;
	int r;

	unit += n_digits > 0 ? strspn(unit, " ") : 0;
	factor = time_unit(unit, n_digits > 0);
	if (factor == 0)
		return -EINVAL;
	if (n_digits > 0) {
		r = text_parse_leading_u64(s, &number, &rest);
		if (r)
			return r;
	}
	return multiply(number, factor, min_ns, max_ns, ret_ns);
}

int text_parse_time(const char *s, int64_t *ret_s)
{
	static const char form[] = "dddd-dd-ddTdd:dd:ddZ";
	struct tm tm = {0}, back;
	time_t t;

	if (strlen(s) != sizeof(form) - 1)
		return -EINVAL;
	for (size_t i = 0; i < sizeof(form) - 1; i++)
		if (form[i] == 'd' ? !is_digit(s[i]) : s[i] != form[i])
			return -EINVAL;

#define TWO(i) ((s[i] - '0') * 10 + (s[(i) + 1] - '0'))
	tm.tm_year = TWO(0) * 100 + TWO(2) - 1900;
	tm.tm_mon = TWO(5) - 1;
	tm.tm_mday = TWO(8);
	tm.tm_hour = TWO(11);
	tm.tm_min = TWO(14);
	tm.tm_sec = TWO(17);
#undef TWO
	if (tm.tm_year < 70)
		return -ERANGE;

	/* timegm() turns the 31st of June into the 1st of July: refuse what
	 * does not come back as it went in. */
	back = tm;
	t = timegm(&back);
	if (t < 0 || back.tm_mon != tm.tm_mon || back.tm_mday != tm.tm_mday ||
	    back.tm_hour != tm.tm_hour || back.tm_min != tm.tm_min ||
	    back.tm_sec != tm.tm_sec)
		return -ERANGE;

	*ret_s = t;
	return 0;
}

int text_parse_time_ms(const char *s, int64_t *ret_ms)
{
	const size_t whole = sizeof("2026-11-01T00:00:00") - 1;
	int64_t seconds, ms = 0, unit = 100;
	size_t len = strlen(s);
	char text[sizeof("2026-11-01T00:00:00Z")];
	int r;

	if (len <= whole || len > whole + sizeof(".123") || s[len - 1] != 'Z')
		return -EINVAL;
	(void)snprintf(text, sizeof(text), "%.*sZ", (int)whole, s);
	r = text_parse_time(text, &seconds);
	if (r)
		return r;
	if (len > whole + 1 && (s[whole] != '.' || len == whole + 2))
		return -EINVAL;
	for (size_t i = whole + 1; i + 1 < len; i++, unit /= 10) {
		if (!is_digit(s[i]))
			return -EINVAL;
		ms += (s[i] - '0') * unit;
	}
	*ret_ms = seconds * 1000 + ms;
	return 0;
}

void text_format_bytes(uint64_t bytes, char *buf, size_t size)
{
	size_t i = N_ELEMENTS(byte_units) - 1;

	while (i > 0 && (bytes == 0 || bytes % byte_units[i].factor != 0))
		i--;
	(void)snprintf(buf, size, "%" PRIu64 " %s",
		       bytes / byte_units[i].factor, byte_units[i].name);
}

void text_format_duration(uint64_t ns, char *buf, size_t size)
{
	size_t i = N_ELEMENTS(time_units) - 1;

	if (ns == 0 || ns % NS_PER_S != 0) {
		(void)snprintf(buf, size, "%" PRIu64 " ns", ns);
		return;
	}
	while (i > 0 && ns % time_units[i].factor != 0)
		i--;
	if (ns == time_units[i].factor)
		(void)snprintf(buf, size, "%s", time_units[i].name);
	else
		(void)snprintf(buf, size, "%" PRIu64 " %ss",
			       ns / time_units[i].factor, time_units[i].name);
}

void text_format_time(int64_t s, char *buf, size_t size)
{
	time_t t = s;
	struct tm tm;

	if (!gmtime_r(&t, &tm) || tm.tm_year < -1900 ||
	    tm.tm_year > 9999 - 1900)
		(void)snprintf(buf, size, "@%" PRId64, s);
	else if (strftime(buf, size, "%Y-%m-%dT%H:%M:%SZ", &tm) == 0)
		buf[0] = '\0';
}

size_t text_decode(const char *s, size_t len, uint32_t *ret_code)
{
	static const uint32_t min_code[] = {0, 0, 0x80, 0x800, 0x10000};
	const unsigned char *u = (const unsigned char *)s;
	uint32_t code;
	size_t n;

	if (len == 0)
		return 0;
	if (u[0] < 0x80) {
		n = 1;
		code = u[0];
	} else if ((u[0] & 0xe0) == 0xc0) {
		n = 2;
		code = u[0] & 0x1f;
	} else if ((u[0] & 0xf0) == 0xe0) {
		n = 3;
		code = u[0] & 0x0f;
	} else if ((u[0] & 0xf8) == 0xf0) {
		n = 4;
		code = u[0] & 0x07;
	} else {
		return 0;
	}
	if (len < n)
		return 0;
	for (size_t i = 1; i < n; i++) {
		if ((u[i] & 0xc0) != 0x80)
			return 0;
		code = code << 6 | (u[i] & 0x3f);
	}
	if (code < min_code[n] || code > 0x10ffff ||
	    (code >= 0xd800 && code <= 0xdfff))
		return 0;

	*ret_code = code;
	return n;
}

static bool is_unclean(uint32_t code)
{
	if (code < 0x20 || (code >= 0x7f && code <= 0x9f))
		return true;
	/* Marks, embeddings, overrides and isolates of direction; line and
	 * paragraph separators; the byte order mark: a reviewer must see what
	 * the parser sees (CVE-2021-42574). */
	return (code >= 0x200b && code <= 0x200f) ||
	       (code >= 0x2028 && code <= 0x202e) ||
	       (code >= 0x2060 && code <= 0x206f) || code == 0x061c ||
	       code == 0xfeff || code == 0xfffe || code == 0xffff;
}

size_t text_clean_prefix(const char *s, size_t len, const char *allow)
{
	size_t done = 0, n;
	uint32_t code;

	while (done < len) {
		n = text_decode(s + done, len - done, &code);
		if (n == 0)
			break;
		if (is_unclean(code) &&
		    (code == 0 || code >= 0x80 || !strchr(allow, (int)code)))
			break;
		done += n;
	}
	return done;
}

bool text_is_clean(const char *s, size_t len, const char *allow)
{
	return text_clean_prefix(s, len, allow) == len;
}

void text_escape(const char *s, size_t len, char *buf, size_t size)
{
	size_t clean = text_clean_prefix(s, len, ""), at = 0, n;
	uint32_t code;

	for (size_t i = 0; i < len; i += n) {
		if (size - at < TEXT_ESCAPE_CHARS(1)) {
			at += (size_t)snprintf(buf + at, 5, "\\...");
			break;
		}
		n = i < clean ? text_decode(s + i, clean - i, &code) : 0;
		if (n && s[i] != '\\') {
			memcpy(buf + at, s + i, n);
			at += n;
			continue;
		}
		at += (size_t)snprintf(buf + at, 5, "\\x%02x",
				       (unsigned char)s[i]);
		n = 1;
		if (i >= clean)
			clean = i + 1 +
				text_clean_prefix(s + i + 1, len - i - 1, "");
	}
	buf[at] = '\0';
}

void text_quote(const char *s, size_t len, char *buf, size_t size)
{
	char out[TEXT_QUOTE_CHARS_MAX];
	size_t n_out = 0, done = 0, n;
	uint32_t code;

	out[n_out++] = '"';
	while (done < len) {
		n = text_decode(s + done, len - done, &code);
		if (done + (n ? n : 1) > TEXT_QUOTE_BYTES_MAX)
			break;
		if (n == 0 || is_unclean(code)) {
			out[n_out++] = '?';
			n = n ? n : 1;
		} else {
			memcpy(out + n_out, s + done, n);
			n_out += n;
		}
		done += n;
	}
	out[n_out] = '\0';
	(void)snprintf(buf, size, "%s%s\"", out, done < len ? "..." : "");
}

/*
 * Distance of optimal string alignment: letters changed, added, left out, or
 * two neighbours swapped.
 */
static unsigned int edit_distance(const char *a, size_t a_len, const char *b,
				  size_t b_len)
{
	unsigned int rows[3][NEAR_CHARS_MAX + 1];
	unsigned int *old = rows[0], *last = rows[1], *now = rows[2], *spare;
	unsigned int d;

	for (size_t j = 0; j <= b_len; j++)
		last[j] = (unsigned int)j;
	for (size_t i = 1; i <= a_len; i++) {
		now[0] = (unsigned int)i;
		for (size_t j = 1; j <= b_len; j++) {
			d = last[j - 1] + (a[i - 1] != b[j - 1]);
			if (last[j] + 1 < d)
				d = last[j] + 1;
			if (now[j - 1] + 1 < d)
				d = now[j - 1] + 1;
			if (i > 1 && j > 1 && a[i - 1] == b[j - 2] &&
			    a[i - 2] == b[j - 1] && old[j - 2] + 1 < d)
				d = old[j - 2] + 1;
			now[j] = d;
		}
		spare = old;
		old = last;
		last = now;
		now = spare;
	}
	return last[b_len];
}

int text_path(const char *dir, const char *name, char *buf, size_t size)
{
	int n = snprintf(buf, size, "%s/%s", dir, name);

	return n < 0 || (size_t)n >= size ? -ENAMETOOLONG : 0;
}

bool text_is_near(const char *word, const char *candidate,
		  unsigned int *ret_distance)
{
	size_t w_len = strnlen(word, NEAR_CHARS_MAX + 1);
	size_t c_len = strnlen(candidate, NEAR_CHARS_MAX + 1);
	unsigned int distance, allowed;

	if (w_len > NEAR_CHARS_MAX || c_len > NEAR_CHARS_MAX)
		return false;
	/* of a short word, two other letters make another word */
	allowed = c_len < 5 ? 1 : 2;
	if (w_len + allowed < c_len || c_len + allowed < w_len)
		return false;
	distance = edit_distance(word, w_len, candidate, c_len);
	if (distance > allowed || distance >= c_len)
		return false;

	if (ret_distance)
		*ret_distance = distance;
	return true;
}
