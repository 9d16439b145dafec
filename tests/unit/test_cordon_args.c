// SPDX-License-Identifier: GPL-2.0-only
/* Arguments of agent and command, and the numbers and tables that it prints. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <errno.h>
#include <getopt.h>
#include <locale.h>
#include <pty.h>
#include <unistd.h>

#include "agent.h"
#include "args.h"
#include "policy.h"
#include "term.h"

#define NOW 1800000000

static const char text[] =
	"cordon: 1\n"
	"issuer: Force\n"
	"serial: 1\n"
	"datasets:\n"
	"  roster: {paths: [/srv/roster.csv], record: file}\n"
	"subjects:\n"
	"  backup: {unit: backup.service}\n"
	"  clerk: {user: 1004, group: print, login: any}\n"
	"  printer: {exe: /opt/printd, login: none}\n"
	"rules: []\n";

static int setup(void **state)
{
	struct policy *policy;
	int r;

	r = policy_parse("test", text, sizeof(text) - 1, &policy, NULL);
	if (r)
		return r;
	*state = policy;
	return 0;
}

static int teardown(void **state)
{
	policy_free(*state);
	return 0;
}

static void since_takes_moments_and_ages(void **state)
{
	char error[ARGS_ERROR_CHARS_MAX];
	int64_t s;

	(void)state;
	assert_int_equal(
		args_parse_since("2026-11-01T00:00:00Z", NOW, &s, error), 0);
	assert_int_equal(s, 1793491200);
	assert_int_equal(args_parse_since("15 minutes", NOW, &s, error), 0);
	assert_int_equal(s, NOW - 900);
	assert_int_equal(args_parse_since("day", NOW, &s, error), 0);
	assert_int_equal(s, NOW - 86400);
}

static void since_never_becomes_all_when_very_long_ago(void **state)
{
	char error[ARGS_ERROR_CHARS_MAX];
	int64_t s;

	(void)state;
	assert_int_equal(args_parse_since("30000 weeks", NOW, &s, error), 0);
	assert_int_equal(s, 1);
	assert_int_equal(
		args_parse_since("1970-01-01T00:00:00Z", NOW, &s, error), 0);
	assert_int_equal(s, 1);
}

static void since_refuses_other_text(void **state)
{
	static const char *const bad[] = {
		"",
		"yesterday",
		"-5",
		"15",
		"2026-11-01",
		"1 fortnight",
		"2026-02-30T00:00:00Z",
		"15 minutes ago",
		"\033[31m",
		"99999999999999999999 days",
	};
	char error[ARGS_ERROR_CHARS_MAX];
	int64_t s;

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		s = 7;
		error[0] = '\0';
		assert_int_equal(args_parse_since(bad[i], NOW, &s, error),
				 -EINVAL);
		assert_int_equal(s, 7);
		assert_true(strlen(error) > 0);
		assert_null(strchr(error, '\033'));
	}
}

static void actor_takes_every_part_once(void **state)
{
	char error[ARGS_ERROR_CHARS_MAX];
	struct args_actor actor;

	assert_int_equal(args_parse_actor("unit=a.service,exe=/bin/x,user=bob,"
					  "group=print,lp,7,login=none",
					  *state, &actor, error),
			 0);
	assert_string_equal(actor.actor.unit, "a.service");
	assert_string_equal(actor.actor.exe, "/bin/x");
	assert_string_equal(actor.actor.user, "bob");
	assert_string_equal(actor.actor.group, "print,lp,7");
	assert_string_equal(actor.actor.login, "none");
	assert_null(actor.actor.cgroup);
	args_actor_release(&actor);
}

static void actor_keeps_equals_signs_of_a_value(void **state)
{
	char error[ARGS_ERROR_CHARS_MAX];
	struct args_actor actor;

	assert_int_equal(
		args_parse_actor("exe=/bin/a=b", *state, &actor, error), 0);
	assert_string_equal(actor.actor.exe, "/bin/a=b");
	args_actor_release(&actor);
}

static void actor_is_a_subject_by_name(void **state)
{
	char error[ARGS_ERROR_CHARS_MAX];
	struct args_actor actor;

	assert_int_equal(args_parse_actor("clerk", *state, &actor, error), 0);
	assert_string_equal(actor.actor.user, "1004");
	assert_string_equal(actor.actor.group, "print");
	assert_non_null(actor.actor.login);
	assert_null(actor.actor.unit);
	args_actor_release(&actor);

	assert_int_equal(args_parse_actor("*", *state, &actor, error), 0);
	assert_null(actor.actor.user);
	assert_null(actor.actor.login);
	args_actor_release(&actor);
}

/* A subject's own actor has to match that subject. */
static void actor_by_name_meets_its_subject(void **state)
{
	static const char *const names[] = {"backup", "clerk", "printer", "*"};
	const struct policy *policy = *state;
	char error[ARGS_ERROR_CHARS_MAX];
	struct args_actor actor;
	uint32_t subject;

	for (size_t i = 0; i < 4; i++) {
		assert_int_equal(
			args_parse_actor(names[i], policy, &actor, error), 0);
		assert_int_equal(
			policy_find_subject(policy, names[i], &subject), 0);
		assert_int_equal(
			policy_subject_misses(&policy->subjects[subject],
					      &actor.actor),
			0);
		args_actor_release(&actor);
	}
}

static void actor_refuses_other_text(void **state)
{
	static const char *const bad[] = {
		"",
		"backp",
		"unit=",
		"unit=a,unit=b",
		"unit=a,",
		",unit=a",
		"shell=x",
		"=x",
		"user=a,,b=c",
		"unit=a,plain",
		"group=,user=a",
	};
	char error[ARGS_ERROR_CHARS_MAX];
	struct args_actor actor;

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		error[0] = '\0';
		assert_int_equal(
			args_parse_actor(bad[i], *state, &actor, error),
			-EINVAL);
		assert_true(strlen(error) > 0);
	}
}

/* What cordond makes of its arguments, all in one text. */
static int options_of(const char *line, struct agent_options *ret_opts)
{
	static char copy[256];
	char *argv[32] = {(char *)"cordond"}, *word;
	int argc = 1;

	(void)snprintf(copy, sizeof(copy), "%s", line);
	for (word = strtok(copy, " "); word; word = strtok(NULL, " "))
		argv[argc++] = word;
	optind = 0;
	memset(ret_opts, 0, sizeof(*ret_opts));
	return agent_options_parse(argc, argv, ret_opts);
}

static void agent_takes_its_options(void **state)
{
	struct agent_options opts;

	(void)state;
	assert_int_equal(options_of("", &opts), 0);
	assert_false(opts.doctor || opts.detach || opts.json);
	assert_int_equal(options_of("--policy p.yaml --state-dir /s --run-dir "
				    "/r --pin-dir /p --attach fmod --cgroup /c "
				    "--max-records 16777216 --foreground "
				    "--detach --debug",
				    &opts),
			 0);
	assert_string_equal(opts.policy_file, "p.yaml");
	assert_string_equal(opts.state_dir, "/s");
	assert_string_equal(opts.run_dir, "/r");
	assert_string_equal(opts.guard.pin_dir, "/p");
	assert_string_equal(opts.guard.cgroup2, "/c");
	assert_int_equal(opts.guard.attach, GUARD_ATTACH_FMOD);
	assert_int_equal(opts.guard.max_records, GUARD_RECORDS_MAX);
	assert_true(opts.foreground && opts.detach && opts.debug);
	assert_int_equal(options_of("--detach --run-dir /r --pin-dir /p "
				    "--state-dir /s",
				    &opts),
			 0);
	assert_true(opts.detach && !opts.foreground);
	assert_int_equal(options_of("--doctor --json", &opts), 0);
	assert_true(opts.doctor && opts.json);
}

static void agent_refuses_other_options(void **state)
{
	static const char *const bad[] = {
		"--run-dir here",
		"--state-dir s",
		"--pin-dir p",
		"--cgroup c",
		"--attach both",
		"--max-records 0",
		"--max-records 1k",
		"--max-records 16777217",
		"--json",
		"policy.yaml",
		"--nonsense",
		"--policy",
		/* To detach is not to run, nor to look. */
		"--detach --policy p.yaml",
		"--detach --attach lsm",
		"--detach --cgroup /c",
		"--max-records 9 --detach",
		"--detach --doctor",
	};
	struct agent_options opts;

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		if (options_of(bad[i], &opts) != -EINVAL)
			fail_msg("accepted: %s", bad[i]);
}

static void nearest_names_the_slip(void **state)
{
	static const struct {
		const char *name;
		int other;
	} names[] = {{"status", 1}, {"events", 2}, {"ledger", 3}};

	(void)state;
	assert_string_equal(args_nearest("statsu", names, 3, sizeof(names[0])),
			    "status");
	assert_null(args_nearest("doctor", names, 3, sizeof(names[0])));
}

static void numbers_are_readable(void **state)
{
	char buf[32];

	(void)state;
	term_number(0, buf, sizeof(buf));
	assert_string_equal(buf, "0");
	term_number(999, buf, sizeof(buf));
	assert_string_equal(buf, "999");
	term_number(47000, buf, sizeof(buf));
	assert_string_equal(buf, "47,000");
	term_number(UINT64_MAX, buf, sizeof(buf));
	assert_string_equal(buf, "18,446,744,073,709,551,615");
	term_age(59, buf, sizeof(buf));
	assert_string_equal(buf, "59 s");
	term_age(7320, buf, sizeof(buf));
	assert_string_equal(buf, "2 h 2 min");
	term_age(90000, buf, sizeof(buf));
	assert_string_equal(buf, "1 d 1 h");
	term_bar(5, 10, 10, buf, sizeof(buf));
	assert_string_equal(buf, "[#####-----]");
	term_bar(11, 10, 10, buf, sizeof(buf));
	assert_string_equal(buf, "[##########]");
	term_bar(0, 0, 10, buf, sizeof(buf));
	assert_string_equal(buf, "[##########]");
}

static void table_aligns_and_shows_nothing_when_empty(void **state)
{
	static const struct term_column columns[] = {
		{.title = "NAME"}, {.title = "N", .right = true}};
	static const char *const rows[][2] = {{"a", "10"},
					      {"\303\244\303\266", NULL}};
	struct term_table *table;
	char *out = NULL;
	size_t len = 0;
	FILE *file;

	(void)state;
	table = term_table_new(columns, 2);
	assert_non_null(table);
	file = open_memstream(&out, &len);
	term_table_print(table, file, false, 0);
	assert_int_equal(ftell(file), 0);
	assert_int_equal(term_table_add(table, TERM_BAD, rows[0]), 0);
	assert_int_equal(term_table_add(table, TERM_PLAIN, rows[1]), 0);
	term_table_print(table, file, false, 0);
	(void)fclose(file);
	assert_string_equal(out, "NAME   N\n"
				 "a     10\n"
				 "\303\244\303\266     -\n");
	free(out);
	term_table_free(table);
}

/* What a table of two rows with a heading looks like at a width. */
static void check_table(size_t width, const char *expected)
{
	static const struct term_column columns[] = {
		{.title = "SUBJECT"},
		{.title = "USER", .if_any = true},
		{.title = "", .drop = 2},
		{.title = "FULL", .right = true},
		{.title = "MORE AT", .drop = 1},
	};
	static const char *const rows[][5] = {
		{"card-printer", NULL, "[####]", "100%", "2026-11-01"},
		{"*", NULL, "[#---]", "25%", NULL},
	};
	struct term_table *table;
	char *out = NULL;
	size_t len = 0;
	FILE *file;

	table = term_table_new(columns, 5);
	assert_non_null(table);
	assert_int_equal(term_table_head(table, "roster:"), 0);
	assert_int_equal(term_table_add(table, TERM_BAD, rows[0]), 0);
	assert_int_equal(term_table_add(table, TERM_PLAIN, rows[1]), 0);
	file = open_memstream(&out, &len);
	assert_non_null(file);
	term_table_print(table, file, false, width);
	(void)fclose(file);
	assert_string_equal(out, expected);
	free(out);
	term_table_free(table);
}

static void table_leaves_out_columns_when_too_wide(void **state)
{
	static const char all[] = "SUBJECT               FULL  MORE AT\n"
				  "roster:\n"
				  "card-printer  [####]  100%  2026-11-01\n"
				  "*             [#---]   25%  -\n";

	(void)state;
	check_table(0, all);
	check_table(38, all);
	/* What has no title is not missed. */
	check_table(37, "SUBJECT       FULL  MORE AT\n"
			"roster:\n"
			"card-printer  100%  2026-11-01\n"
			"*              25%  -\n");
	check_table(29, "SUBJECT       FULL\n"
			"roster:\n"
			"card-printer  100%\n"
			"*              25%\n"
			"not shown for want of room: MORE AT; --json has it "
			"all\n");
}

static void table_marks_what_it_cuts_when_too_wide(void **state)
{
	static const char *const cut =
		"SUBJECT     FULL\n"
		"roster:\n"
		"card-pr...  100%\n"
		"*            25%\n"
		"not shown for want of room: MORE AT; --json has it all\n";

	(void)state;
	check_table(16, cut);
	/* Numbers, and so many characters, stay. */
	check_table(1, cut);
}

static void keep_line(const char *text, enum term_colour colour, void *arg)
{
	char *out = arg;

	(void)sprintf(out + strlen(out), "%d %s\n", (int)colour, text);
}

static void table_tells_the_rows_that_are_asked_for(void **state)
{
	static const struct term_column columns[] = {
		{.title = "NAME"}, {.title = "N", .right = true, .drop = 1}};
	static const char *const rows[][2] = {
		{"a", "10"}, {"bb", "7"}, {"c", NULL}};
	struct term_table *table = term_table_new(columns, 2);
	char out[256] = "";

	(void)state;
	assert_non_null(table);
	assert_int_equal(term_table_lines(table, 80, 0, 9, keep_line, out), 0);
	assert_string_equal(out, "4 NAME  N\n");
	for (int i = 0; i < 3; i++)
		assert_int_equal(term_table_add(table, TERM_BAD, rows[i]), 0);
	out[0] = '\0';
	assert_int_equal(term_table_lines(table, 80, 1, 1, keep_line, out), 0);
	assert_string_equal(out, "4 NAME   N\n3 bb     7\n");
	out[0] = '\0';
	assert_int_equal(term_table_lines(table, 5, 2, 9, keep_line, out), 0);
	assert_string_equal(out, "4 NAME\n3 c\n");
	term_table_free(table);
}

static void letters_are_as_wide_as_the_locale_says(void **state)
{
	char text[] = "a\346\235\261e\314\201z";

	(void)state;
	/* Of no locale nothing is known, so each counts. */
	assert_int_equal(term_columns(text), 5);
	assert_non_null(setlocale(LC_CTYPE, "C.UTF-8"));
	assert_int_equal(term_columns(text), 5);
	assert_int_equal(term_columns("\346\235\261\346\235\261"), 4);
	term_cut(text, 4);
	assert_string_equal(text, "a\346\235\261e\314\201");
	term_cut(text, 2);
	assert_string_equal(text, "a");
	assert_non_null(setlocale(LC_CTYPE, "C"));
}

static void text_folds_between_words_when_too_wide(void **state)
{
	static const struct {
		size_t width;
		const char *expected;
	} cases[] = {
		{40, "one two \303\244\303\266\303\274 fourteenletters x"},
		{30, "one two \303\244\303\266\303\274 fourteenletters\n  x"},
		{14,
		 "one two \303\244\303\266\303\274\n  fourteenletters\n  x"},
		{1,
		 "one two\n  \303\244\303\266\303\274\n  fourteenletters\n  x"},
	};
	char *out;
	size_t len;
	FILE *file;

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		out = NULL;
		file = open_memstream(&out, &len);
		assert_non_null(file);
		term_fold(file,
			  "one two \303\244\303\266\303\274 "
			  "fourteenletters x",
			  2, cases[i].width);
		(void)fclose(file);
		assert_string_equal(out, cases[i].expected);
		free(out);
	}
}

static void width_is_that_of_columns_when_no_terminal(void **state)
{
	FILE *file = tmpfile();

	(void)state;
	assert_non_null(file);
	(void)unsetenv("COLUMNS");
	assert_int_equal(term_width(file), 80);
	(void)setenv("COLUMNS", "132", 1);
	assert_int_equal(term_width(file), 132);
	(void)setenv("COLUMNS", "wide", 1);
	assert_int_equal(term_width(file), 80);
	(void)fclose(file);
}

static void width_is_that_of_the_terminal_when_there_is_one(void **state)
{
	struct winsize size = {.ws_row = 24, .ws_col = 100};
	int master, slave;
	FILE *file;

	(void)state;
	assert_int_equal(openpty(&master, &slave, NULL, NULL, &size), 0);
	file = fdopen(slave, "w");
	assert_non_null(file);
	(void)setenv("COLUMNS", "132", 1);
	assert_int_equal(term_width(file), 100);
	(void)unsetenv("COLUMNS");
	(void)fclose(file);
	(void)close(master);
}

static void colour_is_off_with_no_color(void **state)
{
	(void)state;
	(void)setenv("TERM", "xterm", 1);
	(void)setenv("NO_COLOR", "1", 1);
	assert_false(term_wants_colour(stdout));
	assert_string_equal(term_begin(TERM_BAD, false), "");
	assert_string_equal(term_end(TERM_BAD, false), "");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(since_takes_moments_and_ages),
		cmocka_unit_test(since_never_becomes_all_when_very_long_ago),
		cmocka_unit_test(since_refuses_other_text),
		cmocka_unit_test(actor_takes_every_part_once),
		cmocka_unit_test(actor_keeps_equals_signs_of_a_value),
		cmocka_unit_test(actor_is_a_subject_by_name),
		cmocka_unit_test(actor_by_name_meets_its_subject),
		cmocka_unit_test(actor_refuses_other_text),
		cmocka_unit_test(agent_takes_its_options),
		cmocka_unit_test(agent_refuses_other_options),
		cmocka_unit_test(nearest_names_the_slip),
		cmocka_unit_test(numbers_are_readable),
		cmocka_unit_test(table_aligns_and_shows_nothing_when_empty),
		cmocka_unit_test(table_leaves_out_columns_when_too_wide),
		cmocka_unit_test(table_marks_what_it_cuts_when_too_wide),
		cmocka_unit_test(table_tells_the_rows_that_are_asked_for),
		cmocka_unit_test(letters_are_as_wide_as_the_locale_says),
		cmocka_unit_test(text_folds_between_words_when_too_wide),
		cmocka_unit_test(width_is_that_of_columns_when_no_terminal),
		cmocka_unit_test(
			width_is_that_of_the_terminal_when_there_is_one),
		cmocka_unit_test(colour_is_off_with_no_color),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
