// SPDX-License-Identifier: GPL-2.0-only
#include "journal.h"
#include "evidence.h"
#include "log.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct {
	const char *type;
	const char *id;
} messages[] = {
	{"verdict", JOURNAL_VERDICT}, {"budget", JOURNAL_BUDGET},
	{"first-read", JOURNAL_READ}, {"first-release", JOURNAL_RELEASE},
	{"fault", JOURNAL_FAULT},     {"incident", JOURNAL_INCIDENT},
};

/*
 * Which field has which member, of the line or of its `act'. By
 * OBJECT_SYSTEMD_UNIT journalctl(1) shows the message with those of that unit.
 * There is no OBJECT_PID: the journal would look at that process, and write
 * down its arguments, which can hold data; and where names are followed, who
 * reads the arguments of a holder is one.
 */
static const struct {
	const char *field;
	const char *member;
} known[] = {
	{"CORDON_TYPE", "type"},
	{"CORDON_SEQ", "seq"},
	{"CORDON_INCIDENT", "incident"},
	{"CORDON_STATE", "state"},
	{"CORDON_WHY", "why"},
	{"CORDON_VERDICT", "verdict"},
	{"CORDON_ERROR", "error"},
	{"CORDON_FAULT", "fault"},
	{"CORDON_REPEATS", "repeats"},
	{"CORDON_ORIGIN", "origin"},
	{"CORDON_SUBJECT", "subject"},
	{"CORDON_DATASET", "dataset"},
	{"CORDON_CHANNEL", "channel"},
	{"CORDON_DESTINATION", "destination"},
	{"CORDON_ADDRESS", "address"},
	{"CORDON_PORT", "port"},
	{"CORDON_NAME_SEEN", "name_seen"},
	{"CORDON_FILE", "file"},
	{"CORDON_RULE", "rule"},
	{"CORDON_POLICY", "policy"},
	{"CORDON_COMM", "comm"},
	{"CORDON_EXE", "exe"},
	{"CORDON_UNIT", "unit"},
	{"CORDON_UID", "uid"},
	{"CORDON_USER", "user"},
	{"CORDON_LOGIN", "login"},
	{"CORDON_SESSION", "session"},
	{"CORDON_REMOTE", "remote"},
	{"CORDON_PID", "tgid"},
	{"OBJECT_SYSTEMD_UNIT", "unit"},
};

static int add(struct journal_fields *fields, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

static int add(struct journal_fields *fields, const char *format, ...)
{
	char *text = NULL;
	va_list ap;
	int n;

	va_start(ap, format);
	n = vasprintf(&text, format, ap);
	va_end(ap);
	if (n < 0)
		return -ENOMEM;
	/* A value of several lines would be taken as it is. */
	log_clean(text);
	fields->text[fields->n++] = text;
	return 0;
}

static int add_member(struct journal_fields *fields, const char *field,
		      const json_t *value)
{
	if (json_is_integer(value))
		return add(fields, "%s=%" JSON_INTEGER_FORMAT, field,
			   json_integer_value(value));
	if (json_string_length(value) > 0)
		return add(fields, "%s=%s", field, json_string_value(value));
	return 0;
}

static int add_members(struct journal_fields *fields, const json_t *line)
{
	const json_t *act = json_object_get(line, "act"), *value;
	int r = 0;

	for (size_t i = 0; !r && i < sizeof(known) / sizeof(known[0]); i++) {
		value = json_object_get(line, known[i].member);
		if (!value)
			value = json_object_get(act, known[i].member);
		r = add_member(fields, known[i].field, value);
	}
	return r;
}

int journal_fields(const json_t *line, int level, const char *words,
		   struct journal_fields *ret_fields)
{
	struct journal_fields fields = {0};
	const char *type = evidence_text(line, "type"), *id = NULL;
	int r;

	_Static_assert(sizeof(known) / sizeof(known[0]) + 4 <=
			       JOURNAL_FIELDS_MAX,
		       "room for all fields");
	for (size_t i = 0; i < sizeof(messages) / sizeof(messages[0]); i++)
		if (strcmp(messages[i].type, type) == 0)
			id = messages[i].id;
	if (!id)
		return -EINVAL;
	r = add(&fields, "MESSAGE=%s", words);
	if (!r)
		r = add(&fields, "PRIORITY=%d", level);
	/* The stream that all else goes to has it of itself. */
	if (!r)
		r = add(&fields, "SYSLOG_IDENTIFIER=cordond");
	if (!r)
		r = add(&fields, "MESSAGE_ID=%s", id);
	if (!r)
		r = add_members(&fields, line);
	if (r) {
		journal_release(&fields);
		return r;
	}
	*ret_fields = fields;
	return 0;
}

void journal_release(struct journal_fields *fields)
{
	for (size_t i = 0; i < fields->n; i++)
		free(fields->text[i]);
	*fields = (struct journal_fields){0};
}
