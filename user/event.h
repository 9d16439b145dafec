/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * One event of the guard, told to programs (a JSON object) and to people (a
 * sentence: who, what, where, by which rule, how much of it is used, what to
 * do). Numbers become names here; nothing is sent or kept.
 */
#ifndef CORDON_EVENT_H
#define CORDON_EVENT_H

#include <stddef.h>
#include <stdint.h>
#include <linux/bpf.h>
#include <jansson.h>

#include "abi.h"

#define EVENT_WORDS_MAX		1536
#define EVENT_ACCOUNT_CHARS_MAX 33
#define EVENT_UNIT_CHARS_MAX	256
#define EVENT_EXE_CHARS_MAX	256

/* What the numbers of the guard are called; never returns NULL. */
struct event_names {
	const char *(*name)(uint32_t kind, uint32_t id, void *arg);
	const char *(*fault)(uint32_t fault);
	/* What an address was called when it was asked for; NULL: not known.
	 * The pointer itself may be NULL. */
	const char *(*seen)(const uint8_t addr[16], void *arg);
	void *arg;
};

/* What the event does not carry: looked up while the process may be there.
 * Empty: not known any more. */
struct event_who {
	char user[EVENT_ACCOUNT_CHARS_MAX];  /* name, else the number */
	char login[EVENT_ACCOUNT_CHARS_MAX]; /* likewise; "" nobody */
	char unit[EVENT_UNIT_CHARS_MAX];
	char exe[EVENT_EXE_CHARS_MAX];
};

void event_look_up(const struct event *event, struct event_who *ret_who);

/* The same of any process; login UINT32_MAX: nobody's. */
void event_look_up_process(uint32_t tgid, uint32_t uid, uint32_t login,
			   struct event_who *ret_who);

/* The account's name into buf, or its number; remembers the last few. */
void event_account(uint32_t uid, char buf[EVENT_ACCOUNT_CHARS_MAX]);

/*
 * The unit in a cgroup path as /proc/PID/cgroup has it: the first component
 * that is not a slice. Returns its length in *ret_len and where it begins, or
 * NULL if there is none.
 */
const char *event_unit_of(const char *path, size_t *ret_len);

/* The origin's serial; 0: it is of none, or of several. */
uint32_t event_origin(uint32_t serial);

/* Nanoseconds since 1970 of a moment of CLOCK_BOOTTIME, as clocks are now. */
int64_t event_realtime_ns(uint64_t boottime_ns);

/* `verdict`, `budget`, ...; `tcp`, `mmap`, ...; `allow`, ...; never NULL. */
const char *event_type_name(uint32_t type);
const char *event_channel_name(uint32_t channel);
const char *event_verdict_name(uint32_t verdict);
const char *event_fault_name(uint32_t fault); /* `event lost`, ... */

/* The address in text, v4 as v4; "" if the event has none. */
#define EVENT_ADDRESS_CHARS_MAX 46
void event_address(const struct event *event,
		   char buf[EVENT_ADDRESS_CHARS_MAX]);

/* The object, for json_decref(), or NULL: no memory. */
json_t *event_json(const struct event *event, const struct event_who *who,
		   const struct event_names *names, int64_t realtime_ns);

/* One sentence; cut at size, which is at least 1; EVENT_WORDS_MAX suffices. */
void event_words(const struct event *event, const struct event_who *who,
		 const struct event_names *names, char *buf, size_t size);

/* `1.5 MiB`, `812 B`: rounded, for people. */
void event_size(uint64_t bytes, char *buf, size_t size);

/* RFC 3339 in UTC with milliseconds. */
#define EVENT_TIME_CHARS_MAX 40
void event_time(int64_t realtime_ns, char buf[EVENT_TIME_CHARS_MAX]);

#endif
