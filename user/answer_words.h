/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Values as the lines of a reply have them.
 */
#ifndef CORDON_ANSWER_WORDS_H
#define CORDON_ANSWER_WORDS_H

#include <string.h>

#include "event.h"
#include "log.h"

/* JSON's numbers here are signed; "unlimited" is null. */
static inline json_t *number(uint64_t n)
{
	if (n == CORDON_UNLIMITED)
		return json_null();
	return json_integer(n > INT64_MAX ? INT64_MAX : (int64_t)n);
}

static inline json_t *when(uint64_t boottime_ns)
{
	char text[EVENT_TIME_CHARS_MAX];

	event_time(event_realtime_ns(boottime_ns), text);
	return json_string(text);
}

/* A process's name, from the kernel: maybe not ended, maybe not text. */
#define COMM_CHARS_MAX 17
static inline void comm_text(const char *comm, char ret_text[COMM_CHARS_MAX])
{
	memcpy(ret_text, comm, COMM_CHARS_MAX - 1);
	ret_text[COMM_CHARS_MAX - 1] = '\0';
	log_clean(ret_text);
}

/* What there is no memory for is missing in the line, which is one still. */
static inline void put(json_t *line, const char *key, json_t *value)
{
	(void)json_object_set_new(line, key, value);
}

/* The account's name; null: nobody. */
static inline json_t *account(uint32_t uid)
{
	char name[EVENT_ACCOUNT_CHARS_MAX];

	if (uid == UINT32_MAX)
		return json_null();
	event_account(uid, name);
	return json_string(name);
}

#endif
