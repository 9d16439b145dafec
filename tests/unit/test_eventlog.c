// SPDX-License-Identifier: GPL-2.0-only
/* Events: told in words and JSON, kept in memory. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <errno.h>

#include "event.h"
#include "names_seen.h"
#include "eventlog.h"
#include "log.h"

#define TIME_S 1795470301

/* ---- keeping ------------------------------------------------------------ */

static void add(struct eventlog *log, uint64_t n, size_t pad)
{
	char text[EVENTLOG_LINE_MAX];
	int len;

	for (uint64_t i = 0; i < n; i++) {
		len = snprintf(text, sizeof(text), "%llu %0*d\n",
			       (unsigned long long)eventlog_next(log), (int)pad,
			       0);
		eventlog_keep(log, text, (size_t)len, TIME_S + (int64_t)i);
	}
}

/* The line at place is there, whole, and is that line. */
static void check(const struct eventlog *log, uint64_t place)
{
	char text[EVENTLOG_LINE_MAX];
	size_t len;

	assert_int_equal(eventlog_line(log, place, text, &len), 0);
	assert_int_equal(text[len - 1], '\n');
	assert_int_equal(strtoull(text, NULL, 10), place);
}

static void log_keeps_the_last_ones(void **state)
{
	char text[EVENTLOG_LINE_MAX];
	struct eventlog *log;
	size_t len;

	(void)state;
	assert_int_equal(eventlog_new(&log), 0);
	assert_int_equal(eventlog_next(log), 1);
	assert_int_equal(eventlog_line(log, 1, text, &len), -ENODATA);
	add(log, EVENTLOG_KEPT + 100, 10);
	assert_int_equal(eventlog_first(log), 101);
	assert_int_equal(eventlog_next(log), EVENTLOG_KEPT + 101);
	assert_int_equal(eventlog_line(log, 100, text, &len), -ESTALE);
	for (uint64_t place = eventlog_first(log); place < eventlog_next(log);
	     place++)
		check(log, place);
	eventlog_free(log);
}

static void log_keeps_fewer_when_lines_are_long(void **state)
{
	struct eventlog *log;

	(void)state;
	assert_int_equal(eventlog_new(&log), 0);
	add(log, 1000, 5000);
	assert_in_range(eventlog_next(log) - eventlog_first(log), 400, 420);
	for (uint64_t place = eventlog_first(log); place < eventlog_next(log);
	     place++)
		check(log, place);
	eventlog_free(log);
}

static void log_finds_by_time(void **state)
{
	struct eventlog *log;

	(void)state;
	assert_int_equal(eventlog_new(&log), 0);
	add(log, 10, 1);
	assert_int_equal(eventlog_find(log, 0), 1);
	assert_int_equal(eventlog_find(log, TIME_S + 4), 5);
	assert_int_equal(eventlog_find(log, TIME_S + 10), 11);
	eventlog_free(log);
}

/* ---- telling ------------------------------------------------------------ */

static const char *name(uint32_t kind, uint32_t id, void *arg)
{
	static const char *const names[] = {[NAME_RULE] = "*/cards/user",
					    [NAME_SUBJECT] = "*",
					    [NAME_DATASET] = "cards",
					    [NAME_DEST] = "*"};

	(void)arg;
	if (kind == NAME_DEST && id == CORDON_DEST_READ)
		return "read";
	return id == 99 ? "?" : names[kind];
}

static const char *fault(uint32_t fault)
{
	(void)fault;
	return "label table full";
}

/* Of two; one's is as long as can be. */
static const char *seen(const uint8_t addr[16], void *arg)
{
	static char longest[NAMES_SEEN_CHARS_MAX];

	(void)arg;
	memset(longest, 'x', sizeof(longest) - 1);
	return addr[15] == 0xfe ? longest
	       : addr[15] == 10 ? "upload.example"
				: NULL;
}

static const struct event_names names = {
	.name = name,
	.fault = fault,
	.seen = seen,
};
static const struct event_who who = {
	.user = "root",
	.login = "alice",
	.unit = "session-3.scope",
	.exe = "/usr/bin/scp",
};

static struct event blocked(void)
{
	struct event event = {
		.type = EVENT_VERDICT,
		.verdict = VERDICT_BLOCK,
		.tgid = 42,
		.pid = 42,
		.login = 1001,
		.session = 3,
		.origin = 7,
		.error = EPERM,
		.bytes = 1572864,
		.records = 30,
		.used = 19,
		.max = 20,
		.window_ns = 86400000000000ULL,
		.repeats = 8,
		.port = __builtin_bswap16(22),
		.dataset = 1,
		.channel = CHANNEL_TCP,
		.unit = UNIT_RECORDS,
		.addr = {[10] = 0xff, 0xff, 203, 0, 113, 9},
		.comm = "scp",
	};

	return event;
}

static void words_say_who_what_where_and_why(void **state)
{
	static const char *const parts[] = {
		"blocked: scp (pid 42, user root, login alice, unit "
		"session-3.scope)",
		"tried to send 1.5 MiB, up to 30 records of cards",
		"to elsewhere (203.0.113.9:22, tcp)",
		"rule */cards/user allows 20 records/day and 19 records are "
		"used",
		"8 times so far",
		"origin 7",
	};
	struct event event = blocked();
	char words[EVENT_WORDS_MAX];

	(void)state;
	event_words(&event, &who, &names, words, sizeof(words));
	for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++)
		if (!strstr(words, parts[i]))
			fail_msg("\"%s\" is not in \"%s\"", parts[i], words);
}

static const char *words_of(const struct event *event,
			    const struct event_who *by)
{
	static char words[EVENT_WORDS_MAX];

	event_words(event, by, &names, words, sizeof(words));
	return words;
}

static void words_and_json_name_the_way_when_it_is_no_socket(void **state)
{
	static const struct way ways[] = {
		{"nfs4", 45},
		{"char", 4 << 20 | 64},
		{{'v', 'i', 'r', 't', 'i', 'o', 'f', 's', '4', '5', '6', '7'},
		 7 << 20},
	};
	static const char *const texts[] = {"nfs4 0:45", "char 4:64",
					    "virtiofs4567 7:0"};
	struct event event = blocked();
	char expected[64];
	json_t *object;

	(void)state;
	for (size_t i = 0; i < 3; i++) {
		event.channel = i == 1 ? CHANNEL_DEVICE : CHANNEL_FILE_SYSTEM;
		memcpy(event.addr, &ways[i], sizeof(event.addr));
		(void)snprintf(expected, sizeof(expected),
			       "to elsewhere (%s, %s)", texts[i],
			       i == 1 ? "device" : "file-system");
		assert_non_null(strstr(words_of(&event, &who), expected));
		object = event_json(&event, &who, &names, 0);
		assert_string_equal(
			json_string_value(json_object_get(object, "address")),
			texts[i]);
		assert_null(json_object_get(object, "port"));
		json_decref(object);
	}
}

static void words_name_the_login_when_no_origin_is_known(void **state)
{
	struct event event = blocked();
	struct event_who nobody = {.user = "daemon"};
	const char *words;

	(void)state;
	event.origin = 0;
	event.dest = CORDON_DEST_READ;
	event.channel = CHANNEL_OPEN;
	words = words_of(&event, &who);
	assert_null(strstr(words, "origin"));
	assert_non_null(
		strstr(words, "find out what login alice did: cordon ledger"));
	/* What is read is known, and so are its records. */
	assert_non_null(strstr(words, "1.5 MiB and 30 records of cards"));
	words = words_of(&event, &nobody);
	assert_non_null(
		strstr(words, "find out what user daemon did: cordon ledger"));
}

/* More was taken in than a cap allows; quiet files have a name. */
static struct event over_a_cap(const char *name)
{
	struct event event = blocked();

	strcpy(event.name, name);
	event.verdict = VERDICT_ALERT;
	event.dest = CORDON_DEST_INTAKE;
	event.unit = UNIT_BYTES;
	event.max = 65536;
	event.used = 65000;
	event.window_ns = 3600000000000ULL;
	return event;
}

/* The number of the subject stands where others have that of their rule. */
static void words_and_json_name_no_rule_when_a_cap_is_meant(void **state)
{
	struct event event = over_a_cap("");
	json_t *object;

	(void)state;
	assert_string_equal(
		words_of(&event, &who),
		"alert: scp (pid 42, user root, login alice, unit "
		"session-3.scope) took in more from holders than subject * "
		"may, 64.0 KiB/hour of cards, so it is a holder now; 8 times "
		"so far; if this is work that has to be done, ask the issuer "
		"for a larger cap, else find out who sends so much to it: "
		"cordon ledger, origin 7");
	object = event_json(&event, &who, &names, 0);
	assert_non_null(object);
	assert_null(json_object_get(object, "rule"));
	assert_non_null(json_object_get(object, "subject"));
	json_decref(object);
	event.type = EVENT_BUDGET;
	assert_string_equal(words_of(&event, &who),
			    "budget: 99% used of the cap of subject *: 63.5 "
			    "KiB of 64.0 KiB/hour of cards; above 100% it "
			    "becomes a holder, so look at cordon ledger");
}

/* The same of a cap of quiet files, which have a name to tell. */
static void words_and_json_name_the_files_when_they_are_quiet(void **state)
{
	struct event event = over_a_cap("wtmp");
	json_t *object;

	(void)state;
	assert_string_equal(
		words_of(&event, &who),
		"alert: scp (pid 42, user root, login alice, unit "
		"session-3.scope) wrote to wtmp more than quiet files * may "
		"take in, 64.0 KiB/hour of cards, or in a way that has no "
		"bound, so it carries now what was held; 8 times so far; if "
		"this is work that has to be done, ask the issuer for a larger "
		"cap, else find out who sends so much to it: cordon ledger, "
		"origin 7");
	object = event_json(&event, &who, &names, 0);
	assert_non_null(object);
	assert_null(json_object_get(object, "rule"));
	assert_null(json_object_get(object, "subject"));
	assert_non_null(json_object_get(object, "files"));
	json_decref(object);
	event.type = EVENT_BUDGET;
	assert_string_equal(
		words_of(&event, &who),
		"budget: 99% used of the cap of quiet files *: 63.5 "
		"KiB of 64.0 KiB/hour of cards; above 100% the "
		"file that is written carries on, so look at "
		"cordon ledger");
}

static void words_and_json_survive_hostile_names(void **state)
{
	struct event event = blocked();
	char words[EVENT_WORDS_MAX], *text;
	json_t *object;

	(void)state;
	memset(event.comm, 0xff, sizeof(event.comm));
	memset(event.name, 'n', sizeof(event.name));
	event.name[3] = '\n';
	event.name[4] = '\033';
	event.rule = 99;
	event.max = 0;
	event.channel = 255;
	memset(event.addr, 0xfe, sizeof(event.addr));
	event_words(&event, &who, &names, words, sizeof(words));
	assert_null(strpbrk(words, "\n\033\377"));
	for (size_t size = 1; size < 64; size++) {
		event_words(&event, &who, &names, words, size);
		assert_true(strlen(words) < size);
	}
	object = event_json(&event, &who, &names, 0);
	assert_non_null(object);
	text = json_dumps(object, 0);
	assert_non_null(text);
	assert_true(strlen(text) < EVENTLOG_LINE_MAX);
	free(text);
	json_decref(object);
}

static void json_has_what_a_program_needs(void **state)
{
	struct event event = blocked();
	json_t *object;

	(void)state;
	object = event_json(&event, &who, &names,
			    TIME_S * 1000000000LL + 123000000);
	assert_non_null(object);
#define TEXT(key)   json_string_value(json_object_get(object, key))
#define NUMBER(key) json_integer_value(json_object_get(object, key))
	assert_string_equal(TEXT("time"), "2026-11-23T21:45:01.123Z");
	assert_string_equal(TEXT("verdict"), "block");
	assert_string_equal(TEXT("error"), "EPERM");
	assert_string_equal(TEXT("login"), "alice");
	assert_string_equal(TEXT("address"), "203.0.113.9");
	assert_int_equal(NUMBER("port"), 22);
	assert_int_equal(NUMBER("max"), 20);
	assert_int_equal(NUMBER("origin"), 7);
	assert_null(json_object_get(object, "name_seen"));
	json_decref(object);
	event.addr[15] = 10;
	object = event_json(&event, &who, &names, 0);
	assert_non_null(object);
	assert_string_equal(TEXT("name_seen"), "upload.example");
	json_decref(object);
	assert_non_null(strstr(words_of(&event, &who),
			       "(203.0.113.10:22, seen as upload.example, "
			       "tcp)"));
}

static void unit_is_the_first_that_is_no_slice(void **state)
{
	static const struct {
		const char *path, *unit;
	} cases[] = {
		{"/system.slice/backup.service", "backup.service"},
		{"/user.slice/user-0.slice/session-3.scope", "session-3.scope"},
		{"/user.slice/user-0.slice/user@0.service/app.slice/x.service",
		 "user@0.service"},
		{"/init.scope\n", "init.scope"},
		{"/", NULL},
		{"/system.slice", NULL},
		{"", NULL},
	};
	const char *unit;
	size_t len;

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		unit = event_unit_of(cases[i].path, &len);
		if (!cases[i].unit) {
			assert_null(unit);
			continue;
		}
		assert_non_null(unit);
		assert_int_equal(len, strlen(cases[i].unit));
		assert_memory_equal(unit, cases[i].unit, len);
	}
}

static void log_line_is_one_line_whatever_is_in_it(void **state)
{
	char text[] = "a\nb\033[2Jc\xff\xe2\x80\xae"
		      "d\303\244";

	(void)state;
	log_clean(text);
	assert_string_equal(text, "a?b?[2Jc????d\303\244");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(log_keeps_the_last_ones),
		cmocka_unit_test(log_keeps_fewer_when_lines_are_long),
		cmocka_unit_test(log_finds_by_time),
		cmocka_unit_test(words_say_who_what_where_and_why),
		cmocka_unit_test(
			words_and_json_name_the_way_when_it_is_no_socket),
		cmocka_unit_test(words_name_the_login_when_no_origin_is_known),
		cmocka_unit_test(
			words_and_json_name_no_rule_when_a_cap_is_meant),
		cmocka_unit_test(
			words_and_json_name_the_files_when_they_are_quiet),
		cmocka_unit_test(words_and_json_survive_hostile_names),
		cmocka_unit_test(json_has_what_a_program_needs),
		cmocka_unit_test(unit_is_the_first_that_is_no_slice),
		cmocka_unit_test(log_line_is_one_line_whatever_is_in_it),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
