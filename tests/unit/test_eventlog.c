// SPDX-License-Identifier: GPL-2.0-only
/* Events: told in words and JSON, kept in memory and in a file. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "event.h"
#include "eventlog.h"
#include "log.h"

#define TIME   "2026-11-23T21:45:01.123Z"
#define TIME_S 1795470301

/* ---- keeping ------------------------------------------------------------ */

struct files {
	char dir[32];
	char path[64];
	char old[64];
};

static int setup(void **state)
{
	struct files *files = calloc(1, sizeof(*files));

	if (!files)
		return -1;
	(void)strcpy(files->dir, "/tmp/test_eventlog.XXXXXX");
	if (!mkdtemp(files->dir))
		return -1;
	(void)snprintf(files->path, sizeof(files->path), "%s/e", files->dir);
	(void)snprintf(files->old, sizeof(files->old), "%s/e.1", files->dir);
	*state = files;
	return 0;
}

static int teardown(void **state)
{
	struct files *files = *state;

	(void)unlink(files->path);
	(void)unlink(files->old);
	(void)rmdir(files->dir);
	free(files);
	return 0;
}

static json_t *line(uint64_t seq, size_t pad)
{
	char text[EVENTLOG_LINE_MAX];

	memset(text, 'p', pad);
	text[pad] = '\0';
	return json_pack("{s:i, s:I, s:s, s:s}", "cordon", 1, "seq",
			 (json_int_t)seq, "time", TIME, "pad", text);
}

static void add(struct eventlog *log, uint64_t n, size_t pad)
{
	for (uint64_t i = 0; i < n; i++)
		assert_int_equal(eventlog_add(log,
					      line(eventlog_next(log), pad),
					      TIME_S + (int64_t)i),
				 0);
}

/* Line seq is there, whole, and is that line. */
static void check(const struct eventlog *log, uint64_t seq)
{
	char text[EVENTLOG_LINE_MAX];
	json_t *object;
	size_t len;

	assert_int_equal(eventlog_line(log, seq, text, &len), 0);
	assert_int_equal(text[len - 1], '\n');
	object = json_loadb(text, len, 0, NULL);
	assert_non_null(object);
	assert_int_equal(json_integer_value(json_object_get(object, "seq")),
			 seq);
	json_decref(object);
}

static void log_keeps_the_last_ones(void **state)
{
	struct files *files = *state;
	char text[EVENTLOG_LINE_MAX];
	struct eventlog *log;
	size_t len;

	assert_int_equal(eventlog_new(files->path, 0, &log), 0);
	assert_int_equal(eventlog_next(log), 1);
	assert_int_equal(eventlog_line(log, 1, text, &len), -ENODATA);
	add(log, EVENTLOG_KEPT + 100, 10);
	assert_int_equal(eventlog_first(log), 101);
	assert_int_equal(eventlog_next(log), EVENTLOG_KEPT + 101);
	assert_int_equal(eventlog_line(log, 100, text, &len), -ESTALE);
	for (uint64_t seq = eventlog_first(log); seq < eventlog_next(log);
	     seq++)
		check(log, seq);
	eventlog_free(log);
}

static void log_keeps_fewer_when_lines_are_long(void **state)
{
	struct files *files = *state;
	struct eventlog *log;

	assert_int_equal(eventlog_new(files->path, 0, &log), 0);
	add(log, 1000, 5000);
	assert_in_range(eventlog_next(log) - eventlog_first(log), 400, 420);
	for (uint64_t seq = eventlog_first(log); seq < eventlog_next(log);
	     seq++)
		check(log, seq);
	eventlog_free(log);
}

static void log_refuses_a_line_beyond_the_limit(void **state)
{
	struct files *files = *state;
	struct eventlog *log;
	json_t *long_line;

	assert_int_equal(eventlog_new(files->path, 0, &log), 0);
	long_line = line(1, EVENTLOG_LINE_MAX - 1);
	assert_int_equal(eventlog_add(log, long_line, TIME_S), -EMSGSIZE);
	assert_int_equal(eventlog_add(log, NULL, TIME_S), -ENOMEM);
	assert_int_equal(eventlog_lost(log), 2);
	assert_int_equal(eventlog_next(log), 1);
	eventlog_free(log);
}

static void log_finds_by_time(void **state)
{
	struct files *files = *state;
	struct eventlog *log;

	assert_int_equal(eventlog_new(files->path, 0, &log), 0);
	add(log, 10, 1);
	assert_int_equal(eventlog_find(log, 0), 1);
	assert_int_equal(eventlog_find(log, TIME_S + 4), 5);
	assert_int_equal(eventlog_find(log, TIME_S + 10), 11);
	eventlog_free(log);
}

static void log_goes_on_where_the_file_ends(void **state)
{
	struct files *files = *state;
	struct eventlog *log;

	for (uint64_t i = 0; i < 3; i++) {
		assert_int_equal(eventlog_new(files->path, 0, &log), 0);
		assert_int_equal(eventlog_next(log), 1 + 10 * i);
		assert_int_equal(eventlog_first(log), 1);
		add(log, 10, 100);
		check(log, 1);
		eventlog_free(log);
	}
}

static void log_goes_on_after_rotation(void **state)
{
	struct files *files = *state;
	struct eventlog *log;
	struct stat st;

	assert_int_equal(eventlog_new(files->path, 2000, &log), 0);
	add(log, 100, 100);
	assert_int_equal(eventlog_lost(log), 0);
	eventlog_free(log);
	assert_int_equal(stat(files->path, &st), 0);
	assert_in_range(st.st_size, 1, 2000);
	assert_int_equal(stat(files->old, &st), 0);
	assert_in_range(st.st_size, 1, 2000);

	/* Even if the new one has no line yet. */
	assert_int_equal(truncate(files->path, 0), 0);
	assert_int_equal(eventlog_new(files->path, 2000, &log), 0);
	assert_in_range(eventlog_next(log), 80, 100);
	check(log, eventlog_next(log) - 1);
	eventlog_free(log);
}

/* FILE.1 is a directory with something in it: nothing replaces that. */
static void log_grows_on_when_it_cannot_rotate(void **state)
{
	struct files *files = *state;
	struct eventlog *log;
	char in[80];
	struct stat st;

	(void)snprintf(in, sizeof(in), "%s/in", files->old);
	assert_int_equal(mkdir(files->old, 0700), 0);
	assert_int_equal(mkdir(in, 0700), 0);
	assert_int_equal(eventlog_new(files->path, 1000, &log), 0);
	add(log, 30, 100);
	assert_int_equal(eventlog_lost(log), 0);
	assert_int_equal(stat(files->path, &st), 0);
	assert_true(st.st_size > 3000);

	/* Once it can, it does. */
	assert_int_equal(rmdir(in), 0);
	assert_int_equal(rmdir(files->old), 0);
	add(log, 1, 100);
	assert_int_equal(stat(files->path, &st), 0);
	assert_true(st.st_size < 1000);
	eventlog_free(log);
}

static void log_begins_anew_when_its_file_was_moved_away(void **state)
{
	struct files *files = *state;
	struct eventlog *log;
	struct stat st;

	assert_int_equal(eventlog_new(files->path, 1000, &log), 0);
	add(log, 5, 100);
	assert_int_equal(unlink(files->path), 0);
	add(log, 5, 100);
	assert_int_equal(eventlog_lost(log), 0);
	assert_int_equal(stat(files->path, &st), 0);
	assert_true(st.st_size > 100);
	eventlog_free(log);
}

static void log_ends_a_torn_line_and_skips_what_is_none(void **state)
{
	struct files *files = *state;
	struct eventlog *log;
	FILE *file;

	assert_int_equal(eventlog_new(files->path, 0, &log), 0);
	add(log, 2, 1);
	eventlog_free(log);
	file = fopen(files->path, "a");
	assert_non_null(file);
	(void)fputs("not json\n{\"seq\":-1}\n{\"seq\":7}\n[]\n"
		    "{\"seq\":9223372036854775807,"
		    "\"time\":\"2026-11-23T21:45:01Z\"}\n{\"seq\":3,",
		    file);
	(void)fclose(file);

	assert_int_equal(eventlog_new(files->path, 0, &log), 0);
	assert_int_equal(eventlog_next(log), 3);
	add(log, 1, 1);
	eventlog_free(log);
	assert_int_equal(eventlog_new(files->path, 0, &log), 0);
	assert_int_equal(eventlog_next(log), 4);
	check(log, 3);
	eventlog_free(log);
}

/* The newline that ends it before the next line makes it a whole one. */
static void log_takes_a_last_line_that_lacks_only_its_newline(void **state)
{
	struct files *files = *state;
	struct eventlog *log;
	FILE *file = fopen(files->path, "w");

	assert_non_null(file);
	(void)fputs("{\"seq\":7,\"time\":\"2026-11-23T21:45:01.123Z\"}", file);
	(void)fclose(file);

	assert_int_equal(eventlog_new(files->path, 0, &log), 0);
	assert_int_equal(eventlog_next(log), 8);
	add(log, 1, 1);
	eventlog_free(log);
	assert_int_equal(eventlog_new(files->path, 0, &log), 0);
	assert_int_equal(eventlog_first(log), 7);
	assert_int_equal(eventlog_next(log), 9);
	check(log, 8);
	eventlog_free(log);
}

static void log_counts_what_a_full_disk_loses_and_goes_on(void **state)
{
	struct rlimit limit = {1000, RLIM_INFINITY};
	struct files *files = *state;
	struct eventlog *log;
	struct stat st;
	int r;

	(void)signal(SIGXFSZ, SIG_IGN);
	assert_int_equal(eventlog_new(files->path, 0, &log), 0);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
	for (int i = 0; i < 20; i++) {
		r = eventlog_add(log, line(eventlog_next(log), 100), TIME_S);
		if (i >= 10)
			assert_true(r < 0);
	}
	limit.rlim_cur = RLIM_INFINITY;
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
	assert_in_range(eventlog_lost(log), 10, 19);
	for (uint64_t seq = 1; seq <= 20; seq++)
		check(log, seq);
	add(log, 1, 100);
	eventlog_free(log);

	/* No half line is left, and the numbers go on behind the gap. */
	assert_int_equal(stat(files->path, &st), 0);
	assert_int_equal(eventlog_new(files->path, 0, &log), 0);
	assert_int_equal(eventlog_next(log), 22);
	check(log, 21);
	eventlog_free(log);
}

static void log_refuses_what_is_no_file(void **state)
{
	struct files *files = *state;
	struct eventlog *log = NULL;

	assert_int_equal(symlink("/tmp/elsewhere", files->path), 0);
	assert_int_equal(eventlog_new(files->path, 0, &log), -ELOOP);
	assert_null(log);
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

static const struct event_names names = {name, fault, NULL};
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
		object = event_json(&event, &who, &names, 1, 0);
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
	object = event_json(&event, &who, &names, 1, 0);
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
	object = event_json(&event, &who, &names, 1, 0);
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
	object = event_json(&event, &who, &names, 1, 0);
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
	object = event_json(&event, &who, &names, 5,
			    TIME_S * 1000000000LL + 123000000);
	assert_non_null(object);
#define TEXT(key)   json_string_value(json_object_get(object, key))
#define NUMBER(key) json_integer_value(json_object_get(object, key))
	assert_string_equal(TEXT("time"), TIME);
	assert_string_equal(TEXT("verdict"), "block");
	assert_string_equal(TEXT("error"), "EPERM");
	assert_string_equal(TEXT("login"), "alice");
	assert_string_equal(TEXT("address"), "203.0.113.9");
	assert_int_equal(NUMBER("seq"), 5);
	assert_int_equal(NUMBER("port"), 22);
	assert_int_equal(NUMBER("max"), 20);
	assert_int_equal(NUMBER("origin"), 7);
	json_decref(object);
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

#define WITH_FILES(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		WITH_FILES(log_keeps_the_last_ones),
		WITH_FILES(log_keeps_fewer_when_lines_are_long),
		WITH_FILES(log_refuses_a_line_beyond_the_limit),
		WITH_FILES(log_finds_by_time),
		WITH_FILES(log_goes_on_where_the_file_ends),
		WITH_FILES(log_goes_on_after_rotation),
		WITH_FILES(log_grows_on_when_it_cannot_rotate),
		WITH_FILES(log_begins_anew_when_its_file_was_moved_away),
		WITH_FILES(log_ends_a_torn_line_and_skips_what_is_none),
		WITH_FILES(log_takes_a_last_line_that_lacks_only_its_newline),
		WITH_FILES(log_counts_what_a_full_disk_loses_and_goes_on),
		WITH_FILES(log_refuses_what_is_no_file),
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
