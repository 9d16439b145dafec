// SPDX-License-Identifier: GPL-2.0-only
/*
 * A message of RFC 5424. What it says is in the structured data, for programs;
 * the sentence behind it is for people.
 */
#include "export_internal.h"
#include "log.h"
#include "text.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <syslog.h>

#define BOM	  "\xef\xbb\xbf" /* says that the sentence is UTF-8 */
#define HOST_MAX  255
#define MSGID_MAX 32
#define VALUE_MAX 1024
/* Structured data that is cut is none, so it ends before the sentence has no
 * room. */
#define WORDS_ROOM (EXPORT_WORDS_MAX + sizeof("] " BOM))

struct message {
	char *buf;
	size_t len;
};

/* As severe as the agent's own log has it; incidents somewhat more. */
static int severity_of(const json_t *line)
{
	const char *type = evidence_text(line, "type");
	const char *state = evidence_text(line, "state");
	bool block = strcmp(evidence_text(line, "verdict"), "block") == 0;

	if (strcmp(state, "opened") == 0 || strcmp(state, "reopened") == 0)
		return block ? LOG_ERR : LOG_CRIT;
	if (strcmp(type, "incident") == 0 || strcmp(type, "budget") == 0)
		return LOG_NOTICE;
	if (strcmp(type, "verdict") == 0 || strcmp(type, "fault") == 0)
		return LOG_WARNING;
	return LOG_INFO;
}

/* ---- the head ------------------------------------------------------------ */

static void add(struct message *message, const char *text, size_t len)
{
	memcpy(message->buf + message->len, text, len);
	message->len += len;
}

/* A field of the head: printable ASCII, or "-" for nothing. */
static void add_field(struct message *message, const char *text, size_t max)
{
	size_t len = strlen(text);

	add(message, " ", 1);
	if (!len)
		add(message, "-", 1);
	for (size_t i = 0; i < len && i < max; i++)
		add(message, text[i] > ' ' && text[i] <= '~' ? &text[i] : "_",
		    1);
}

static const char *time_of(const json_t *line)
{
	const char *time = evidence_text(line, "time");
	int64_t ms;

	return text_parse_time_ms(time, &ms) ? "" : time;
}

static void add_head(struct message *message, const struct export *export,
		     const json_t *line)
{
	unsigned int priority =
		export->opts.facility * 8 + (unsigned int)severity_of(line);
	char text[16];
	int n;

	n = snprintf(text, sizeof(text), "<%u>1", priority);
	add(message, text, (size_t)n);
	add_field(message, time_of(line), HOST_MAX);
	add_field(message, export->host, HOST_MAX);
	add_field(message, "cordon", HOST_MAX);
	/* Who tells it is not who saw it. */
	add_field(message, "", HOST_MAX);
	add_field(message, evidence_text(line, "type"), MSGID_MAX);
}

/* ---- structured data ----------------------------------------------------- */

/* How much of a text there is room for without half a letter. */
static size_t cut(const char *text, size_t max)
{
	size_t len = strlen(text);

	if (len <= max)
		return len;
	while (max > 0 && ((unsigned char)text[max] & 0xc0) == 0x80)
		max--;
	return max;
}

static size_t escape(const char *value, char *buf)
{
	size_t len = cut(value, VALUE_MAX), n = 0;

	for (size_t i = 0; i < len; i++) {
		if (strchr("\"\\]", value[i]))
			buf[n++] = '\\';
		buf[n++] = value[i];
	}
	return n;
}

/* All of it or nothing. */
static void add_param(struct message *message, const char *name,
		      const char *value)
{
	char escaped[2 * VALUE_MAX];
	size_t len = escape(value, escaped);
	size_t whole = strlen(name) + len + sizeof(" =\"\"") - 1;

	if (!value[0] || EXPORT_SYSLOG_MAX - message->len < whole + WORDS_ROOM)
		return;
	add(message, " ", 1);
	add(message, name, strlen(name));
	add(message, "=\"", 2);
	add(message, escaped, len);
	add(message, "\"", 1);
}

static void add_member(struct message *message, const char *name,
		       const json_t *line)
{
	const char *text = evidence_text(line, name);
	char value[EVIDENCE_LINE_MAX];
	int64_t n;

	if (export_number(line, name, &n))
		(void)snprintf(value, sizeof(value), "%" PRId64, n);
	else
		(void)snprintf(value, sizeof(value), "%s", text);
	log_clean(value);
	add_param(message, name, value);
}

static void add_members(struct message *message, const json_t *line,
			const char *const *names, size_t n)
{
	for (size_t i = 0; i < n; i++)
		add_member(message, names[i], line);
}

#define N(array) (sizeof(array) / sizeof((array)[0]))

static void add_data(struct message *message, const struct export *export,
		     const json_t *line)
{
	/* What matters first: the rest is left out where it does not fit. */
	static const char *const own[] = {"seq",
					  "incident",
					  "state",
					  "verdict",
					  "why",
					  "error",
					  "fault",
					  "policy",
					  "repeats",
					  "comm",
					  "tgid",
					  "pid",
					  "uid",
					  "user",
					  "login_uid",
					  "login",
					  "session",
					  "remote",
					  "unit",
					  "exe",
					  "blocked",
					  "alerted",
					  "verdicts",
					  "blocked_bytes",
					  "released_bytes",
					  "released_records",
					  "actors",
					  "first",
					  "last"};
	static const char *const acts[] = {
		"origin",      "subject", "rule",     "dataset",   "channel",
		"destination", "address", "port",     "name_seen", "file",
		"files",       "record",  "bytes",    "records",   "budget",
		"used",	       "max",	  "window_ns"};
	char id[32];
	int n;

	n = snprintf(id, sizeof(id), " [cordon@%" PRIu32,
		     export->opts.enterprise);
	add(message, id, (size_t)n);
	add_param(message, "host_key", export->key);
	add_members(message, line, own, N(own));
	add_members(message, export_act(line), acts, N(acts));
	add(message, "]", 1);
}

int export_syslog(const struct export *export, const json_t *line,
		  char **ret_text, size_t *ret_len)
{
	struct message message = {.buf = malloc(EXPORT_SYSLOG_MAX)};
	char words[EXPORT_WORDS_MAX];

	if (!message.buf)
		return -ENOMEM;
	add_head(&message, export, line);
	add_data(&message, export, line);
	export_words(line, words);
	add(&message, " " BOM, sizeof(" " BOM) - 1);
	add(&message, words, strlen(words));
	*ret_text = message.buf;
	*ret_len = message.len;
	return 1;
}
