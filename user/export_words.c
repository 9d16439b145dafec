// SPDX-License-Identifier: GPL-2.0-only
/* Sentences about lines, as the agent's log has them about what it sees. */
#include "event.h"
#include "export_internal.h"
#include "log.h"
#include "text.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

struct words {
	char *buf;
	size_t len;
};

static void say(struct words *words, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

static void say(struct words *words, const char *format, ...)
{
	size_t room = EXPORT_WORDS_MAX - words->len;
	va_list ap;
	int n;

	va_start(ap, format);
	n = vsnprintf(words->buf + words->len, room, format, ap);
	va_end(ap);
	if (n > 0)
		words->len += (size_t)n < room ? (size_t)n : room - 1;
}

static int64_t number_of(const json_t *line, const char *key)
{
	int64_t n = 0;

	(void)export_number(line, key, &n);
	return n;
}

static const char *dataset_of(const json_t *act)
{
	const char *dataset = evidence_text(act, "dataset");

	return dataset[0] ? dataset : "protected data";
}

static void say_who(struct words *words, const json_t *line)
{
	const char *comm = evidence_text(line, "comm");
	const char *login = evidence_text(line, "login");
	const char *unit = evidence_text(line, "unit");
	const char *remote = evidence_text(line, "remote");
	const char *user = evidence_text(line, "user");

	say(words, "%s[%" PRId64 "]", comm[0] ? comm : "somebody",
	    number_of(line, "tgid"));
	if (user[0])
		say(words, " user %s", user);
	if (login[0])
		say(words, " login %s", login);
	if (remote[0])
		say(words, " from %s", remote);
	if (unit[0])
		say(words, " unit %s", unit);
}

/* ` to elsewhere (203.0.113.9 port 443, tcp)'. */
static void say_where(struct words *words, const json_t *act)
{
	const char *to = evidence_text(act, "destination");
	const char *address = evidence_text(act, "address");
	const char *seen = evidence_text(act, "name_seen");
	int64_t port;

	if (!to[0] || strcmp(to, "read") == 0)
		return;
	say(words, " to %s", strcmp(to, "*") == 0 ? "elsewhere" : to);
	if (!address[0])
		return;
	say(words, " (%s", address);
	if (export_number(act, "port", &port))
		say(words, " port %" PRId64, port);
	if (seen[0])
		say(words, ", seen as %s", seen);
	say(words, ", %s)", evidence_text(act, "channel"));
}

static void say_amount(struct words *words, int64_t n, const char *budget)
{
	char size[TEXT_NUMBER_CHARS_MAX];

	if (strcmp(budget, "bytes") == 0) {
		event_size((uint64_t)n, size, sizeof(size));
		say(words, "%s", size);
		return;
	}
	say(words, "%" PRId64 " record%s", n, n == 1 ? "" : "s");
}

static void say_budget(struct words *words, const json_t *act)
{
	const char *rule = evidence_text(act, "rule");
	const char *budget = evidence_text(act, "budget");
	char window[TEXT_NUMBER_CHARS_MAX];
	int64_t max = 0, window_ns = 0;

	if (rule[0])
		say(words, "; rule %s", rule);
	if (!budget[0])
		return;
	say(words, "; used: ");
	say_amount(words, number_of(act, "used"), budget);
	if (!export_number(act, "max", &max))
		return;
	say(words, " of ");
	say_amount(words, max, budget);
	if (!export_number(act, "window_ns", &window_ns) || window_ns <= 0)
		return;
	text_format_duration((uint64_t)window_ns, window, sizeof(window));
	say(words, " in any %s", window);
}

static void say_verdict(struct words *words, const json_t *line)
{
	const char *verdict = evidence_text(line, "verdict");
	const char *to = evidence_text(line, "destination");
	bool read = strcmp(to, "read") == 0;

	say(words, "%s: ", strcmp(verdict, "block") == 0 ? "blocked" : "alert");
	say_who(words, line);
	if (strcmp(to, "intake") == 0)
		say(words, ": took in more than its cap of %s",
		    dataset_of(line));
	else
		say(words, ": %s of %s", read ? "read" : "send",
		    dataset_of(line));
	if (strcmp(to, "intake") != 0)
		say_where(words, line);
	say_budget(words, line);
	if (number_of(line, "repeats") > 1)
		say(words, "; %" PRId64 " times so far",
		    number_of(line, "repeats"));
}

static void say_event(struct words *words, const json_t *line, const char *type)
{
	if (strcmp(type, "verdict") == 0) {
		say_verdict(words, line);
		return;
	}
	if (strcmp(type, "fault") == 0) {
		say(words, "fault: %s, met by ", evidence_text(line, "fault"));
		say_who(words, line);
		return;
	}
	say(words, "%s: ", type);
	say_who(words, line);
	say(words, ": %s", dataset_of(line));
	say_where(words, line);
	if (strcmp(type, "budget") == 0)
		say_budget(words, line);
}

/* When it begins nothing is counted yet. */
static void say_counts(struct words *words, const json_t *line)
{
	int64_t blocked = number_of(line, "blocked");
	int64_t alerted = number_of(line, "alerted");
	const char *verdict = evidence_text(line, "verdict");
	char size[TEXT_NUMBER_CHARS_MAX];

	if (!blocked && !alerted) {
		if (strcmp(verdict, "block") == 0)
			say(words, "; blocked");
		else if (strcmp(verdict, "alert") == 0)
			say(words, "; beyond a budget, and not blocked");
		return;
	}
	event_size((uint64_t)number_of(line, "released_bytes"), size,
		   sizeof(size));
	say(words,
	    "; acts blocked %" PRId64 ", beyond a budget and not blocked "
	    "%" PRId64 "; sent %s",
	    blocked, alerted, size);
}

static void say_incident(struct words *words, const json_t *line)
{
	const json_t *act = export_act(line);
	bool read = strcmp(evidence_text(act, "destination"), "read") == 0;

	say(words, "incident %" PRId64 " %s: ", number_of(line, "incident"),
	    evidence_text(line, "state"));
	say_who(words, line);
	say(words, ": %s of %s", read ? "read" : "send", dataset_of(act));
	say_where(words, act);
	say_counts(words, line);
}

void export_words(const json_t *line, char buf[EXPORT_WORDS_MAX])
{
	const char *type = evidence_text(line, "type");
	struct words words = {.buf = buf};

	buf[0] = '\0';
	if (strcmp(type, "incident") == 0)
		say_incident(&words, line);
	else if (export_is_event(type))
		say_event(&words, line, type);
	/* Also what was cut in the middle of a letter. */
	log_clean(buf);
}
