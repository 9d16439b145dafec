// SPDX-License-Identifier: GPL-2.0-only
#include "cmd.h"
#include "event.h"
#include "evidence.h"
#include "log.h"
#include "reply.h"
#include "term.h"
#include "text.h"

#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>

#define BAR_WIDTH     10
#define DROPPED_SHOWN 8 /* files */

static const struct term_column dataset_columns[] = {
	{.title = "DATASET"}, {.title = "FILES", .right = true},
	{.title = "RECORD"},  {.title = "CLASSIFICATION", .drop = 1},
	{.title = "PATHS"},
};

/* The bar says nothing that the number beside it does not. */
static const struct term_column budget_columns[] = {
	{.title = "SUBJECT"},
	{.title = "TO"},
	{.title = "USER", .if_any = true},
	{.title = "USED", .right = true},
	{.title = "OF"},
	{.title = "", .drop = 3},
	{.title = "FULL", .right = true},
	{.title = "REFUSED", .right = true},
	{.title = "MORE AT", .drop = 2},
};

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

struct showing {
	struct term_table *datasets;
	struct term_table *budgets;
	char dataset[CORDON_NAME]; /* of the last budget */
	size_t width;
	bool colour;
};

/* Words stand in a column of their own. */
#define INDENT 10

static void say(const struct showing *showing, enum term_colour colour,
		const char *what, const char *text)
{
	(void)printf("%-*s%s", INDENT, what,
		     term_begin(colour, showing->colour));
	term_fold(stdout, text, INDENT, showing->width);
	(void)printf("%s\n", term_end(colour, showing->colour));
}

/* Has it expired so long ago that it is an error? */
static bool is_loud(const json_t *policy)
{
	const char *level = cmd_text(policy, "expired_level");

	return strcmp(level, "error") == 0 || strcmp(level, "critical") == 0;
}

/* `, 12 days ago'; "" if it has not. */
static void expired_ago(const json_t *policy, char *buf, size_t size)
{
	char age[32];

	buf[0] = '\0';
	if (!json_object_get(policy, "expired_s"))
		return;
	term_age(cmd_number(policy, "expired_s"), age, sizeof(age));
	(void)snprintf(buf, size, ", %s ago", age);
}

/* Only if it is wrong; an agent of before does not say. */
static void show_clock(const json_t *line, const struct showing *showing)
{
	const json_t *clock = json_object_get(line, "clock");
	const char *state = cmd_text(clock, "state");
	char text[512];

	if (strcmp(state, "behind") == 0) {
		(void)snprintf(text, sizeof(text),
			       "SET BACK: %.19sZ is over; policies are judged "
			       "by that time, not by this host's clock",
			       cmd_text(clock, "latest"));
		say(showing, TERM_BAD, "clock", text);
	} else if (strcmp(state, "ahead") == 0) {
		(void)snprintf(text, sizeof(text),
			       "more than 31 days ahead of %.19sZ, the latest "
			       "time known here: is it right?",
			       cmd_text(clock, "latest"));
		say(showing, TERM_POOR, "clock", text);
	}
}

/* What is in force, in words; cut at size. */
static void policy_words(const json_t *line, char *buf, size_t size)
{
	const json_t *policy = json_object_get(line, "policy");
	const char *expires = cmd_text(policy, "expires");
	bool expired = json_is_true(json_object_get(policy, "expired"));
	char ago[48];

	expired_ago(policy, ago, sizeof(ago));
	if (json_is_true(json_object_get(line, "strict")))
		(void)snprintf(buf, size,
			       "STRICT: this host has forgotten what it had: "
			       "by the built-in policy nothing of the datasets "
			       "is read or leaves (cordond(8))");
	else if (json_is_object(policy))
		(void)snprintf(buf, size,
			       "%.128s, serial %" PRIu64 ", %s%.19s%s%s",
			       cmd_text(policy, "issuer"),
			       cmd_number(line, "policy_serial"),
			       !expires[0] ? "does not expire"
			       : expired   ? "EXPIRED at "
					   : "expires at ",
			       expires, expires[0] ? "Z" : "", ago);
	else
		(void)snprintf(buf, size,
			       "serial %" PRIu64 ", which the guard has from "
			       "before",
			       cmd_number(line, "policy_serial"));
}

static void show_policy(const json_t *line, const struct showing *showing)
{
	const json_t *policy = json_object_get(line, "policy");
	const char *problem = cmd_text(line, "problem");
	const char *mode = cmd_text(line, "mode");
	char text[1024], lifted[768];
	enum term_colour colour = TERM_PLAIN;

	policy_words(line, text, sizeof(text));
	if (json_is_true(json_object_get(policy, "expired")))
		colour = TERM_POOR;
	if (json_is_true(json_object_get(line, "strict")) || is_loud(policy))
		colour = TERM_BAD;
	say(showing, colour, "policy", text);
	if (problem[0]) {
		(void)snprintf(text, sizeof(text), "not in force: %s", problem);
		say(showing, TERM_BAD, "", text);
	}
	reply_lifted(line, lifted, sizeof(lifted));
	(void)snprintf(text, sizeof(text), "enforcement lifted %s", lifted);
	if (lifted[0])
		say(showing, TERM_BAD, "mode", text);
	else if (strcmp(mode, "enforce") == 0)
		say(showing, TERM_GOOD, "mode", "enforce");
	else
		say(showing, TERM_POOR, "mode", "observe: nothing is blocked");
}

/* An agent of before does not say. */
static void show_trust(const json_t *line, const struct showing *showing)
{
	const json_t *trust = json_object_get(line, "trust");
	const char *problem = cmd_text(trust, "problem");
	char text[512], names[256];

	if (!trust)
		return;
	if (!json_is_object(trust)) {
		say(showing, TERM_PLAIN, "signed",
		    "no: this host has no trust anchors, and takes any policy "
		    "that root gives it");
		return;
	}
	if (!json_object_get(trust, "version")) {
		say(showing, TERM_BAD, "signed", problem);
		return;
	}
	evidence_list(json_object_get(line, "policy"), "signers", names,
		      sizeof(names));
	(void)snprintf(text, sizeof(text),
		       "by %s; %" PRIu64 " of %" PRIu64
		       " keys of %.128s have to, trust anchors version "
		       "%" PRIu64,
		       names[0] ? names : "whom the agent before knew",
		       cmd_number(trust, "threshold"),
		       cmd_number(trust, "keys"), cmd_text(trust, "issuer"),
		       cmd_number(trust, "version"));
	say(showing, TERM_PLAIN, "signed", text);
	if (problem[0])
		say(showing, TERM_BAD, "refused", problem);
}

/* What was dropped and is not in force, or may be yet. */
static void show_dropped(const json_t *line, const struct showing *showing)
{
	const json_t *dropped = json_object_get(line, "drop_directory"), *file;
	const char *problem = cmd_text(dropped, "problem"), *state;
	const char *what = "dropped";
	size_t i, more = 0, shown = 0;
	char text[512];

	if (problem[0]) {
		(void)snprintf(text, sizeof(text), "%.200s: %.256s",
			       cmd_text(dropped, "directory"), problem);
		say(showing, TERM_POOR, what, text);
		what = "";
	}
	json_array_foreach (json_object_get(dropped, "files"), i, file) {
		state = cmd_text(file, "state");
		if (strcmp(state, "waiting") != 0 &&
		    strcmp(state, "refused") != 0)
			continue;
		if (shown++ == DROPPED_SHOWN) {
			more++;
			shown--;
			continue;
		}
		(void)snprintf(text, sizeof(text), "%s: %.256s", state,
			       cmd_text(file, "problem"));
		say(showing,
		    strcmp(state, "waiting") == 0 ? TERM_POOR : TERM_BAD, what,
		    text);
		what = "";
	}
	if (!more)
		return;
	(void)snprintf(text, sizeof(text), "and %zu more: cordon status --json",
		       more);
	say(showing, TERM_PLAIN, what, text);
}

static void show_link(const json_t *fleet, const struct showing *showing)
{
	bool connected = json_is_true(json_object_get(fleet, "connected"));
	const char *since = cmd_text(fleet, "since");
	char text[1024];

	(void)snprintf(
		text, sizeof(text), "of %.128s as %.128s, %s%s%s%s%.255s",
		cmd_text(fleet, "issuer"), cmd_text(fleet, "host"),
		connected ? "connected" : "NO LINK", since[0] ? " since " : "",
		since, connected ? " to " : ": ", cmd_text(fleet, "link"));
	say(showing, connected ? TERM_GOOD : TERM_POOR, "fleet", text);
}

static void show_spool(const json_t *fleet, const struct showing *showing)
{
	uint64_t dropped = cmd_number(fleet, "dropped");
	char waiting[32], lost[32], text[512];

	term_number(cmd_number(fleet, "waiting"), waiting, sizeof(waiting));
	term_number(dropped, lost, sizeof(lost));
	(void)snprintf(text, sizeof(text),
		       "%s lines of evidence wait for the force%s%s%s", waiting,
		       dropped ? ", " : "", dropped ? lost : "",
		       dropped ? " more found no room, and it never gets them"
			       : "");
	say(showing, dropped ? TERM_BAD : TERM_PLAIN, "", text);
}

/* An agent of before does not say, and most hosts are of none. */
static void show_fleet(const json_t *line, const struct showing *showing)
{
	const json_t *fleet = json_object_get(line, "fleet");
	char text[1024];

	if (!json_is_object(fleet))
		return;
	if (json_object_get(fleet, "problem")) {
		(void)snprintf(text, sizeof(text), "of none: %.900s",
			       cmd_text(fleet, "problem"));
		say(showing, TERM_BAD, "fleet", text);
	}
	if (!json_object_get(fleet, "host"))
		return;
	show_link(fleet, showing);
	show_spool(fleet, showing);
	if (json_object_get(fleet, "not_taken")) {
		(void)snprintf(text, sizeof(text),
			       "the broker does not take it: %.900s",
			       cmd_text(fleet, "not_taken"));
		say(showing, TERM_POOR, "", text);
	}
	if (json_object_get(fleet, "refusal"))
		say(showing, TERM_POOR, "refused", cmd_text(fleet, "refusal"));
}

static void warn(enum term_colour colour, const char *what, const char *text,
		 void *arg)
{
	say(arg, colour, what, text);
}

static void show_head(const json_t *line, struct showing *showing)
{
	char text[512], age[32], labels[32], holders[32], dropped[32];

	term_age(cmd_number(line, "uptime_s"), age, sizeof(age));
	(void)snprintf(text, sizeof(text),
		       "cordond %.32s, pid %" PRIu64 ", up %s",
		       cmd_text(line, "version"), cmd_number(line, "pid"), age);
	say(showing, TERM_PLAIN, "agent", text);
	show_policy(line, showing);
	show_trust(line, showing);
	show_clock(line, showing);
	show_dropped(line, showing);
	show_fleet(line, showing);
	(void)snprintf(text, sizeof(text), "%.128s, guard attached by %.16s",
		       cmd_text(line, "kernel"), cmd_text(line, "attach"));
	say(showing, TERM_PLAIN, "kernel", text);
	term_number(cmd_number(line, "labels"), labels, sizeof(labels));
	term_number(cmd_number(line, "holders"), holders, sizeof(holders));
	term_number(cmd_number(line, "dropped"), dropped, sizeof(dropped));
	(void)snprintf(text, sizeof(text),
		       "%s files labelled, %s processes "
		       "hold data, %s packets dropped",
		       labels, holders, dropped);
	say(showing, TERM_PLAIN, "guard", text);
	if (json_is_true(json_object_get(line, "scanning")))
		say(showing, TERM_POOR, "",
		    "the scan of the datasets is not "
		    "complete yet");
	reply_warnings(line, warn, showing);
}

static bool is_missing(const json_t *line, const json_t *path)
{
	const json_t *missing;
	size_t i;

	json_array_foreach (json_object_get(line, "missing"), i, missing)
		if (json_equal(missing, path))
			return true;
	return false;
}

/* One path a line: the lines after the first have nothing else. */
static int take_dataset(const json_t *line, const struct showing *showing)
{
	char files[32], record[48];
	json_t *paths = json_object_get(line, "paths"), *path;
	const char *class = cmd_text(line, "classification");
	const char *texts[COUNT(dataset_columns)] = {
		cmd_text(line, "dataset"),
		json_object_get(line, "files") ? files : NULL,
		record,
		class[0] ? class : NULL,
		NULL,
	};
	char text[PATH_MAX + 32];
	bool missing;
	size_t i;
	int r;

	term_number(cmd_number(line, "files"), files, sizeof(files));
	if (cmd_number(line, "record_bytes"))
		(void)snprintf(record, sizeof(record), "%" PRIu64 " bytes",
			       cmd_number(line, "record_bytes"));
	else
		(void)snprintf(record, sizeof(record), "%.32s",
			       cmd_text(line, "record"));
	json_array_foreach (paths, i, path) {
		missing = is_missing(line, path);
		(void)snprintf(text, sizeof(text), "%.4095s%s",
			       json_string_value(path) ? json_string_value(path)
						       : "?",
			       missing ? " (not there yet)" : "");
		log_clean(text);
		texts[COUNT(texts) - 1] = text;
		r = term_table_add(showing->datasets,
				   missing ? TERM_POOR : TERM_PLAIN, texts);
		if (r)
			return r;
		for (size_t k = 0; k < COUNT(texts); k++)
			texts[k] = "";
	}
	return 0;
}

/* Budgets come dataset by dataset: each begins with a line of its own. */
static int head_dataset(const json_t *line, struct showing *showing)
{
	const char *dataset = cmd_text(line, "dataset");
	char text[CORDON_NAME + 8];

	if (strcmp(dataset, showing->dataset) == 0)
		return 0;
	(void)snprintf(showing->dataset, sizeof(showing->dataset), "%s",
		       dataset);
	(void)snprintf(text, sizeof(text), "%.63s:", dataset);
	return term_table_head(showing->budgets, text);
}

static int take_budget(const json_t *line, struct showing *showing)
{
	uint64_t used_n = cmd_number(line, "used");
	uint64_t max_n = cmd_number(line, "max");
	bool limited = !json_is_null(json_object_get(line, "max"));
	char used[TEXT_NUMBER_CHARS_MAX], max[3 * TEXT_NUMBER_CHARS_MAX];
	char subject[CORDON_NAME], full[16], refused[32], more[24];
	char bar[BAR_WIDTH + 3] = "";
	const char *user = cmd_text(line, "user");
	const char *to = cmd_text(line, "destination");
	const char *frees = cmd_text(line, "frees");
	const char *texts[COUNT(budget_columns)] = {
		subject,
		reply_to(to),
		user[0] ? user : NULL,
		used,
		max,
		bar,
		limited ? full : NULL,
		refused,
		frees[0] ? more : NULL,
	};
	enum term_colour colour = TERM_PLAIN;
	int r;

	r = head_dataset(line, showing);
	if (r)
		return r;
	reply_whose(line, subject, sizeof(subject));
	if (reply_counts_bytes(line))
		event_size(used_n, used, sizeof(used));
	else
		term_number(used_n, used, sizeof(used));
	reply_limit(line, max, sizeof(max));
	if (limited) {
		term_bar(used_n, max_n, BAR_WIDTH, bar, sizeof(bar));
		(void)snprintf(full, sizeof(full), "%.0f%%",
			       max_n ? (double)used_n * 100 / (double)max_n
				     : 100.0);
		if (used_n >= max_n)
			colour = TERM_BAD;
		else if (used_n >= max_n - max_n / 5)
			colour = TERM_POOR;
	}
	term_number(cmd_number(line, "refused"), refused, sizeof(refused));
	(void)snprintf(more, sizeof(more), "%.19sZ", frees);
	return term_table_add(showing->budgets, colour, texts);
}

static int show(const json_t *line, const char *text, void *arg)
{
	struct showing *showing = arg;
	const char *type = cmd_text(line, "type");

	(void)text;
	if (strcmp(type, "status") == 0)
		show_head(line, showing);
	else if (strcmp(type, "dataset") == 0)
		return take_dataset(line, showing);
	else if (strcmp(type, "budget") == 0)
		return take_budget(line, showing);
	return 0;
}

int cmd_status(int argc, char **argv)
{
	static const struct option options[] = {CMD_OPTIONS, {0}};
	struct control_request request = {.verb = CONTROL_STATUS};
	struct cmd_common common = {0};
	struct showing showing = {.colour = term_wants_colour(stdout),
				  .width = term_width(stdout)};
	int code, r;

	while ((code = getopt_long(argc, argv, "", options, NULL)) != -1) {
		r = cmd_take_shared(&common, code, "status");
		if (r)
			return r == CMD_DONE ? CMD_OK : r;
	}
	r = cmd_no_more("status", argc, argv);
	if (r)
		return r;
	showing.datasets =
		term_table_new(dataset_columns, COUNT(dataset_columns));
	showing.budgets = term_table_new(budget_columns, COUNT(budget_columns));
	r = CMD_WRONG;
	if (!showing.datasets || !showing.budgets)
		goto out;
	r = cmd_ask(&common, &request, show, &showing);
	if (r == CMD_OK && !common.json) {
		(void)putchar('\n');
		term_table_print(showing.datasets, stdout, showing.colour,
				 showing.width);
		(void)putchar('\n');
		term_table_print(showing.budgets, stdout, showing.colour,
				 showing.width);
	}
out:
	term_table_free(showing.datasets);
	term_table_free(showing.budgets);
	return r;
}
