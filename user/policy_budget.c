// SPDX-License-Identifier: GPL-2.0-only
/* Budgets of rules, and caps, out of their text. */
#include "policy_take.h"

#include <errno.h>
#include <string.h>

#define BUDGET_EXAMPLE                                         \
	"e.g. \"120 records/hour\", \"64 MiB/day\", \"none\" " \
	"or \"unlimited\""
#define CAP_EXAMPLE "bytes in a window, e.g. \"64 KiB/hour\""

/* A budget is an amount, a slash and a window, each shorter than this. */
#define AMOUNT_CHARS_MAX 48

enum fault {
	GOOD,
	NO_WINDOW,
	TOO_LONG,
	NUMBER_TOO_LARGE,
	NO_NUMBER,
	ZERO,
	NO_UNIT,
	UNKNOWN_UNIT,
	TOO_MANY_RECORDS,
	TOO_MANY_BYTES,
	WINDOW_OUT_OF_RANGE,
	UNKNOWN_WINDOW,
	SECOND_LIMIT,
	IS_RECORDS,
};

/* What is wrong, what a budget expects and, where that differs, a cap. */
static const struct {
	const char *what;
	const char *budget;
	const char *cap;
} faults[] = {
	[NO_WINDOW] = {"it has no window", BUDGET_EXAMPLE, CAP_EXAMPLE},
	[TOO_LONG] = {"it is too long", BUDGET_EXAMPLE, CAP_EXAMPLE},
	[NUMBER_TOO_LARGE] = {"the number is too large",
			      "at most 2147483647 records or 2^60 bytes",
			      "at most 2^60 bytes"},
	[NO_NUMBER] = {"it does not start with a number (without sign or "
		       "leading zero)",
		       BUDGET_EXAMPLE, CAP_EXAMPLE},
	[ZERO] = {"0 of something is nothing", "\"none\"", CAP_EXAMPLE},
	[NO_UNIT] = {"a number of what",
		     "\"records\", B, KiB, MiB or GiB behind the number",
		     "B, KiB, MiB or GiB behind the number"},
	[UNKNOWN_UNIT] = {"its unit is not known",
			  "\"records\", B, KiB, MiB or GiB (of 1024)",
			  "B, KiB, MiB or GiB (of 1024)"},
	[TOO_MANY_RECORDS] = {"too many records", "at most 2147483647",
			      CAP_EXAMPLE},
	[TOO_MANY_BYTES] = {"too many bytes", "at most 2^60", NULL},
	[WINDOW_OUT_OF_RANGE] = {"the window is too short or too long",
				 "1 second to 4 weeks", NULL},
	[UNKNOWN_WINDOW] = {"the window is not known",
			    "second, minute, hour, day or week, or a number "
			    "of them such as \"15 minutes\"",
			    NULL},
	[SECOND_LIMIT] = {"a second limit of that kind",
			  "at most one of records and one of bytes", NULL},
	[IS_RECORDS] = {"it counts records, which nobody can count in what is "
			"handed over",
			NULL, CAP_EXAMPLE},
};

/* Copies s[0..len) without the blanks around it; false if it is too long. */
static bool copy_part(const char *s, size_t len, char buf[AMOUNT_CHARS_MAX])
{
	while (len > 0 && *s == ' ') {
		s++;
		len--;
	}
	while (len > 0 && s[len - 1] == ' ')
		len--;
	if (len >= AMOUNT_CHARS_MAX)
		return false;
	memcpy(buf, s, len);
	buf[len] = '\0';
	return true;
}

/* The limit in *ret_records or *ret_bytes, the other being 0. */
static enum fault parse_amount(const char *text, uint64_t *ret_records,
			       uint64_t *ret_bytes)
{
	uint64_t number, bytes;
	const char *unit;
	int r;

	r = text_parse_leading_u64(text, &number, &unit);
	if (r == -ERANGE)
		return NUMBER_TOO_LARGE;
	if (r)
		return NO_NUMBER;
	unit += strspn(unit, " ");
	if (number == 0)
		return ZERO;
	if (strcmp(unit, "record") == 0 || strcmp(unit, "records") == 0) {
		if (number > POLICY_BUDGET_RECORDS_MAX)
			return TOO_MANY_RECORDS;
		*ret_records = number;
		*ret_bytes = 0;
		return GOOD;
	}
	if (*unit == '\0')
		return NO_UNIT;
	r = text_parse_bytes(text, true, 1, POLICY_BUDGET_BYTES_MAX, &bytes);
	if (r == -ERANGE)
		return TOO_MANY_BYTES;
	if (r)
		return UNKNOWN_UNIT;
	*ret_bytes = bytes;
	*ret_records = 0;
	return GOOD;
}

/* Adds the limit that a scalar states to budget. */
static enum fault parse_limit(const char *text, struct policy_budget *budget)
{
	char amount[AMOUNT_CHARS_MAX], window[AMOUNT_CHARS_MAX];
	const char *slash = strchr(text, '/');
	uint64_t records, bytes, window_ns;
	enum fault fault;
	int r;

	if (!slash)
		return NO_WINDOW;
	if (!copy_part(text, (size_t)(slash - text), amount) ||
	    !copy_part(slash + 1, strlen(slash + 1), window))
		return TOO_LONG;
	fault = parse_amount(amount, &records, &bytes);
	if (fault)
		return fault;
	r = text_parse_duration(window, POLICY_WINDOW_NS_MIN,
				POLICY_WINDOW_NS_MAX, &window_ns);
	if (r == -ERANGE)
		return WINDOW_OUT_OF_RANGE;
	if (r)
		return UNKNOWN_WINDOW;

	if (records ? budget->records_window_ns : budget->bytes_window_ns)
		return SECOND_LIMIT;
	if (records) {
		budget->records = records;
		budget->records_window_ns = window_ns;
	} else {
		budget->bytes = bytes;
		budget->bytes_window_ns = window_ns;
	}
	budget->kind = POLICY_BUDGET_LIMITED;
	return GOOD;
}

static void take_limit(struct parser *ps, const struct policy_yaml *node,
		       struct policy_budget *budget)
{
	const char *text = take_scalar(ps, node, "a budget", BUDGET_EXAMPLE);
	enum fault fault;

	if (!text)
		return;
	fault = parse_limit(text, budget);
	if (fault)
		take_fail(ps, node->pos, "budget %s: %s; expected %s",
			  take_quote(node).s, faults[fault].what,
			  faults[fault].budget);
}

void take_budget(struct parser *ps, const struct policy_yaml *node,
		 struct policy_budget *budget)
{
	struct guess guess = {.word = node->text};
	const struct policy_yaml *member;

	budget->pos = node->pos;
	if (node->type == POLICY_YAML_LIST) {
		member = take_list(ps, node, "a budget", 2,
				   "[20 records/day, 64 MiB/day]");
		for (; member; member = member->next)
			take_limit(ps, member, budget);
		return;
	}
	if (node->type == POLICY_YAML_SCALAR) {
		if (strcmp(node->text, "none") == 0) {
			budget->kind = POLICY_BUDGET_NONE;
			return;
		}
		if (strcmp(node->text, "unlimited") == 0) {
			budget->kind = POLICY_BUDGET_UNLIMITED;
			return;
		}
		guess_try(&guess, "none");
		guess_try(&guess, "unlimited");
		if (guess.best && !node->is_null) {
			take_fail(ps, node->pos, "budget %s%s; expected %s",
				  take_quote(node).s, guess_hint(&guess).s,
				  BUDGET_EXAMPLE);
			return;
		}
	}
	take_limit(ps, node, budget);
}

void take_cap(struct parser *ps, const struct policy_yaml *node,
	      struct policy_budget *budget)
{
	const char *text = take_scalar(ps, node, "cap", CAP_EXAMPLE);
	struct policy_budget cap = {.pos = node->pos};
	const char *expected;
	enum fault fault;

	if (!text)
		return;
	fault = parse_limit(text, &cap);
	if (!fault && cap.records_window_ns)
		fault = IS_RECORDS;
	if (!fault) {
		*budget = cap;
		return;
	}
	expected = faults[fault].cap ? faults[fault].cap : faults[fault].budget;
	take_fail(ps, node->pos, "cap %s: %s; expected %s", take_quote(node).s,
		  faults[fault].what, expected);
}
