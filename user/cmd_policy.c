// SPDX-License-Identifier: GPL-2.0-only
#include "args.h"
#include "cmd.h"
#include "cmd_fleet.h"
#include "cmd_policy.h"
#include "policy.h"
#include "policy_take.h"
#include "term.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

/* ---- what the parts share ----------------------------------------------- */

int cmd_policy_failed(const char *path, int r)
{
	(void)fprintf(stderr, "cordon policy: %s: %s\n", path, strerror(-r));
	return CMD_WRONG;
}

int cmd_policy_errors(const char *path, int r, const struct policy_errors *errs)
{
	for (size_t i = 0; i < errs->n; i++)
		(void)fprintf(stderr, "cordon policy: %s\n", errs->v[i].text);
	return errs->n ? CMD_WRONG : cmd_policy_failed(path, r);
}

/* ---- check -------------------------------------------------------------- */

struct checking {
	const char *file;
	bool json;
	bool colour;
	unsigned int warnings;
};

struct reporting {
	const char *file;
	const struct policy *policy;
};

static void finding(const struct checking *checking, enum term_colour colour,
		    const char *kind, struct policy_pos pos, const char *text)
{
	if (checking->json)
		cmd_print_json(json_pack("{s:i, s:s, s:s, s:s, s:I, s:I, s:s}",
					 "cordon", 1, "type", "finding", "kind",
					 kind, "file", checking->file, "line",
					 (json_int_t)pos.line, "col",
					 (json_int_t)pos.col, "text", text));
	else if (strcmp(kind, "error") == 0)
		/* Its text has the place already. */
		(void)printf("%serror%s: %s\n",
			     term_begin(colour, checking->colour),
			     term_end(colour, checking->colour), text);
	else if (pos.line)
		(void)printf("%s%s%s: %s:%" PRIu32 ":%" PRIu32 ": %s\n",
			     term_begin(colour, checking->colour), kind,
			     term_end(colour, checking->colour), checking->file,
			     pos.line, pos.col, text);
	else
		(void)printf("%s%s%s: %s: %s\n",
			     term_begin(colour, checking->colour), kind,
			     term_end(colour, checking->colour), checking->file,
			     text);
}

static void warn(enum policy_finding kind, struct policy_pos pos,
		 const char *text, void *arg)
{
	struct checking *checking = arg;

	if (kind == POLICY_WARNING)
		finding(checking, TERM_POOR, "warning", pos, text);
	else
		finding(checking, TERM_DIM, "note", pos, text);
}

static void report_errors(const struct checking *checking, int r,
			  const struct policy_errors *errs)
{
	char text[128];

	for (size_t i = 0; i < errs->n; i++)
		finding(checking, TERM_BAD, "error", errs->v[i].pos,
			errs->v[i].text);
	if (errs->n_dropped) {
		(void)snprintf(text, sizeof(text), "and %zu more errors",
			       errs->n_dropped);
		finding(checking, TERM_BAD, "error", (struct policy_pos){0, 0},
			text);
	}
	if (!errs->n)
		finding(checking, TERM_BAD, "error", (struct policy_pos){0, 0},
			strerror(-r));
}

int cmd_policy_load(const char *file, bool json, struct policy **ret_policy)
{
	struct checking checking = {
		.file = file,
		.json = json,
		.colour = term_wants_colour(stdout),
	};
	struct policy_errors *errs = malloc(sizeof(*errs));
	int r;

	if (!errs)
		return CMD_WRONG;
	policy_errors_init(errs);
	r = policy_load(file, ret_policy, errs);
	if (r)
		report_errors(&checking, r, errs);
	free(errs);
	return r ? CMD_WRONG : CMD_OK;
}

/* A policy without an error; hosts take a good one, but no expired one. */
static void report_policy(const struct checking *checking,
			  const struct policy *policy, int warnings,
			  bool expired)
{
	enum term_colour colour = expired ? TERM_BAD : TERM_GOOD;

	if (checking->json) {
		cmd_print_json(json_pack(
			"{s:i, s:s, s:s, s:b, s:b, s:s, s:I, s:s, s:i, s:i, "
			"s:i, s:b, s:b}",
			"cordon", 1, "type", "policy", "file", checking->file,
			"good", !expired, "expired", expired, "issuer",
			policy->issuer, "serial", (json_int_t)policy->serial,
			"mode", policy_mode_name(policy->mode), "datasets",
			(int)policy->n_datasets, "rules", (int)policy->n_rules,
			"warnings", warnings, "follow_files",
			policy->follow_files, "follow_names",
			policy->follow_names));
		return;
	}
	(void)printf("%s%s%s: %s: %s, serial %" PRIu64 ", mode %s%s, %zu "
		     "dataset%s, %zu rule%s, %d warning%s\n",
		     term_begin(colour, checking->colour),
		     expired ? "expired" : "good",
		     term_end(colour, checking->colour), checking->file,
		     policy->issuer, policy->serial,
		     policy_mode_name(policy->mode),
		     policy->follow_names   ? ", files and names followed"
		     : policy->follow_files ? ", files followed"
					    : "",
		     policy->n_datasets, policy->n_datasets == 1 ? "" : "s",
		     policy->n_rules, policy->n_rules == 1 ? "" : "s", warnings,
		     warnings == 1 ? "" : "s");
}

static json_t *records_json(uint64_t records)
{
	return records == POLICY_CAPACITY_UNKNOWN
		       ? json_null()
		       : json_integer((json_int_t)records);
}

/* A note says the same in words. */
static int print_capacity(const struct policy_capacity *capacity, void *arg)
{
	const struct policy_budget *budget = capacity->budget;
	const struct reporting *reporting = arg;
	const struct policy *policy = reporting->policy;
	bool quiet = capacity->act == POLICY_QUIET;
	json_t *line;

	line = json_pack(
		"{s:i, s:s, s:s, s:I, s:I, s:s, s:s, s:s, s:I, s:I, s:o, s:o, "
		"s:o}",
		"cordon", 1, "type", "capacity", "file", reporting->file,
		"line", (json_int_t)budget->pos.line, "col",
		(json_int_t)budget->pos.col, quiet ? "files" : "subject",
		quiet ? policy->quiet[capacity->subject].name
		      : policy->subjects[capacity->subject].name,
		"act", policy_act_name(capacity->act), "dataset",
		policy->datasets[capacity->dataset].name, "bytes",
		(json_int_t)budget->bytes, "window_ns",
		(json_int_t)budget->bytes_window_ns, "records",
		records_json(capacity->plain), "records_squeezed",
		records_json(capacity->squeezed), "records_at_floor",
		records_json(capacity->at_floor));
	if (line && capacity->act == POLICY_RELEASE)
		(void)json_object_set_new(
			line, "destination",
			json_string(policy->destinations[capacity->destination]
					    .name));
	cmd_print_json(line);
	return 0;
}

static void print_declassifiers(const struct reporting *reporting)
{
	const struct policy *policy = reporting->policy;
	const struct policy_subject *subject;

	for (size_t i = 1; i < policy->n_subjects; i++) {
		subject = &policy->subjects[i];
		if (!subject->declassifier)
			continue;
		cmd_print_json(json_pack(
			"{s:i, s:s, s:s, s:I, s:I, s:s, s:b, s:I, s:I}",
			"cordon", 1, "type", "declassifier", "file",
			reporting->file, "line", (json_int_t)subject->pos.line,
			"col", (json_int_t)subject->pos.col, "subject",
			subject->name, "preset", subject->preset, "bytes",
			(json_int_t)subject->cap.bytes, "window_ns",
			(json_int_t)subject->cap.bytes_window_ns));
	}
}

static json_t *paths_json(const struct policy_quiet *quiet)
{
	json_t *paths = json_array();

	for (size_t i = 0; i < quiet->n_paths; i++)
		(void)json_array_append_new(paths,
					    json_string(quiet->paths[i].path));
	return paths;
}

static void print_quiet(const struct reporting *reporting)
{
	const struct policy *policy = reporting->policy;
	const struct policy_quiet *quiet;

	for (size_t i = 0; i < policy->n_quiet; i++) {
		quiet = &policy->quiet[i];
		cmd_print_json(json_pack(
			"{s:i, s:s, s:s, s:I, s:I, s:s, s:b, s:o, s:I, s:I}",
			"cordon", 1, "type", "quiet-files", "file",
			reporting->file, "line", (json_int_t)quiet->pos.line,
			"col", (json_int_t)quiet->pos.col, "files", quiet->name,
			"preset", quiet->preset, "paths", paths_json(quiet),
			"bytes", (json_int_t)quiet->cap.bytes, "window_ns",
			(json_int_t)quiet->cap.bytes_window_ns));
	}
}

/* 0, or CMD_WRONG if the file is no good policy. */
static int check_file(struct checking *checking, struct policy_errors *errs)
{
	struct reporting reporting = {.file = checking->file};
	struct policy *policy = NULL;
	int64_t now = time(NULL);
	bool expired;
	int r;

	errs->n = 0;
	errs->n_dropped = 0;
	r = policy_load(checking->file, &policy, errs);
	if (r) {
		report_errors(checking, r, errs);
		if (checking->json)
			cmd_print_json(json_pack(
				"{s:i, s:s, s:s, s:b}", "cordon", 1, "type",
				"policy", "file", checking->file, "good", 0));
		return CMD_WRONG;
	}
	r = policy_check_warnings(policy, now, warn, checking);
	if (r >= 0 && checking->json) {
		reporting.policy = policy;
		print_declassifiers(&reporting);
		print_quiet(&reporting);
		(void)policy_each_capacity(policy, print_capacity, &reporting);
	}
	expired = policy->expires_s <= now;
	if (r >= 0)
		report_policy(checking, policy, r, expired);
	policy_free(policy);
	return r < 0 || expired ? CMD_WRONG : CMD_OK;
}

static int check(int argc, char **argv)
{
	static const struct option options[] = {CMD_OPTIONS, {0}};
	struct checking checking = {.colour = term_wants_colour(stdout)};
	struct policy_errors *errs = NULL;
	struct cmd_common common = {0};
	int code, r, worst = CMD_OK;

	while ((code = getopt_long(argc, argv, "", options, NULL)) != -1) {
		r = cmd_take_shared(&common, code, "policy");
		if (r)
			return r == CMD_DONE ? CMD_OK : r;
	}
	if (optind == argc)
		return cmd_usage("policy", "check: which FILE?");
	errs = malloc(sizeof(*errs));
	if (!errs)
		return CMD_WRONG;
	checking.json = common.json;
	for (int i = optind; i < argc; i++) {
		checking.file = argv[i];
		r = check_file(&checking, errs);
		if (r)
			worst = r;
	}
	free(errs);
	return worst;
}

/* ---- explain ------------------------------------------------------------ */

struct question {
	const char *file;
	const char *subject;
	const char *dataset;
	const char *destination; /* NULL: only reading */
};

static const char *action_in_words(const struct policy_explanation *why)
{
	if (why->mode == POLICY_OBSERVE)
		return "what goes beyond it is reported: the mode is observe";
	if (why->rule == POLICY_NO_RULE)
		return "refused: no rule covers this";
	return why->action == POLICY_BLOCK
		       ? "what goes beyond it is blocked"
		       : "what goes beyond it is let through with an alert";
}

static void explain_declassifier(const struct policy *policy,
				 const struct policy_explanation *why)
{
	const struct policy_subject *subject;
	char cap[POLICY_BUDGET_CHARS_MAX];

	if (why->declassifier == POLICY_NO_DECLASSIFIER)
		return;
	subject = &policy->subjects[why->declassifier];
	policy_budget_format(&subject->cap, cap, sizeof(cap));
	(void)printf("\nas %s it is a declassifier: takes in up to %s from "
		     "holders without becoming one; above that it becomes one, "
		     "with an alert\n",
		     subject->name, cap);
}

/* The pool that its processes share a holding in; NULL: each has its own. */
static const struct policy_subject *
pool_of(const struct policy *policy, const struct policy_explanation *why)
{
	const struct policy_subject *subject;

	for (size_t i = 0; i < why->n_subjects; i++) {
		subject = &policy->subjects[why->subjects[i]];
		if (subject->pool)
			return subject;
	}
	return NULL;
}

static void explain_pool(const struct policy *policy,
			 const struct policy_explanation *why)
{
	const struct policy_subject *subject = pool_of(policy, why);

	if (subject)
		(void)printf(
			"\nas %s it is of a pool: once it holds something, "
			"it holds what all of them hold, and what they "
			"send to one place is charged once\n",
			subject->name);
}

/* The narrow subject whose rule decides; NULL: whose rule does is not. */
static const struct policy_subject *
narrow_of(const struct policy *policy, const struct policy_explanation *why)
{
	const struct policy_subject *subject;

	if (why->rule == POLICY_NO_RULE)
		return NULL;
	subject = &policy->subjects[policy->rules[why->rule].subject];
	return subject->narrow ? subject : NULL;
}

static void explain_narrow(const struct policy *policy,
			   const struct policy_explanation *why)
{
	const struct policy_subject *subject = narrow_of(policy, why);
	const struct policy_dataset *dataset = &policy->datasets[why->dataset];
	uint32_t squeeze, floor;

	if (!subject)
		return;
	squeeze = policy_squeeze(dataset, subject);
	floor = policy_floor(dataset, subject);
	if (!floor) {
		(void)printf("as %s it is narrow, but there is no floor: what "
			     "leaves it counts for all that it holds\n",
			     subject->name);
		return;
	}
	(void)printf("as %s it is narrow: what leaves it counts for a record "
		     "in %" PRIu32 " bytes",
		     subject->name, floor);
	if (squeeze)
		(void)printf(", a byte for up to %" PRIu32, squeeze);
	(void)putchar('\n');
}

/* What files take in and carry nothing of, whoever writes it. */
static void explain_quiet(const struct policy *policy)
{
	const struct policy_quiet *quiet;
	char cap[POLICY_BUDGET_CHARS_MAX], paths[256];

	if (!policy->follow_files)
		return;
	for (size_t i = 0; i < policy->n_quiet; i++) {
		quiet = &policy->quiet[i];
		policy_budget_format(&quiet->cap, cap, sizeof(cap));
		policy_quiet_format(quiet, paths, sizeof(paths));
		(void)printf("%squiet files %s (%s) take in up to %s from "
			     "holders without becoming carriers; above that "
			     "the file that is written becomes one, with an "
			     "alert\n",
			     i ? "" : "\n", quiet->name, paths, cap);
	}
}

/* What evidence will have of the rows that are read, whoever reads them. */
static void explain_key(const struct policy *policy,
			const struct policy_explanation *why)
{
	const struct policy_dataset *dataset = &policy->datasets[why->dataset];

	if (dataset->key_from)
		(void)printf("each row of %s that is read is named in evidence "
			     "by its bytes %" PRIu32 " to %" PRIu32 "\n",
			     dataset->name, dataset->key_from, dataset->key_to);
}

static void explain_text(const struct question *question,
			 const struct policy *policy,
			 const struct policy_explanation *why)
{
	char text[256];
	bool colour = term_wants_colour(stdout);
	enum term_colour shade;

	(void)printf("subjects that match:");
	for (size_t i = 0; i < why->n_subjects; i++)
		(void)printf(" %s", policy->subjects[why->subjects[i]].name);
	(void)putchar('\n');
	explain_declassifier(policy, why);
	explain_pool(policy, why);
	explain_quiet(policy);
	(void)printf("\nrules, in the order of decision:\n");
	for (size_t i = 0; i < why->n_candidates; i++) {
		policy_candidate_format(policy, why, &why->candidates[i], text,
					sizeof(text));
		shade = why->candidates[i].why == POLICY_WHY_WINS ? TERM_GOOD
								  : TERM_DIM;
		(void)printf("  %s%s%s\n", term_begin(shade, colour), text,
			     term_end(shade, colour));
	}
	policy_budget_format(&why->read, text, sizeof(text));
	(void)printf("\nread %s: %s\n", question->dataset, text);
	if (why->has_destination && question->destination) {
		policy_budget_format(&why->release, text, sizeof(text));
		(void)printf("release to %s", question->destination);
		if (strcmp(question->destination,
			   policy->destinations[why->destination].name) != 0)
			(void)printf(
				" (which is %s)",
				policy->destinations[why->destination].name);
		(void)printf(": %s\n", text);
	}
	(void)printf("%s%s\n", action_in_words(why),
		     why->per == POLICY_PER_USER && why->rule != POLICY_NO_RULE
			     ? "; one budget for each login user"
			     : "");
	explain_narrow(policy, why);
	explain_key(policy, why);
}

static json_t *budget_json(const struct policy_budget *budget)
{
	char text[POLICY_BUDGET_CHARS_MAX];

	policy_budget_format(budget, text, sizeof(text));
	return json_string(text);
}

static json_t *quiet_json(const struct policy *policy)
{
	json_t *list = json_array();

	for (size_t i = 0; i < policy->n_quiet; i++)
		(void)json_array_append_new(
			list, json_pack("{s:s, s:o, s:o}", "files",
					policy->quiet[i].name, "paths",
					paths_json(&policy->quiet[i]), "cap",
					budget_json(&policy->quiet[i].cap)));
	return list;
}

static void explain_json(const struct question *question,
			 const struct policy *policy,
			 const struct policy_explanation *why)
{
	const struct policy_dataset *dataset = &policy->datasets[why->dataset];
	const struct policy_subject *narrow = narrow_of(policy, why);
	const struct policy_subject *pool = pool_of(policy, why);
	json_t *subjects = json_array(), *candidates = json_array(), *line;
	char text[256];

	for (size_t i = 0; i < why->n_subjects; i++)
		(void)json_array_append_new(
			subjects,
			json_string(policy->subjects[why->subjects[i]].name));
	for (size_t i = 0; i < why->n_candidates; i++) {
		policy_candidate_format(policy, why, &why->candidates[i], text,
					sizeof(text));
		(void)json_array_append_new(
			candidates,
			json_pack("{s:i, s:b, s:s}", "line",
				  (int)policy->rules[why->candidates[i].rule]
					  .pos.line,
				  "wins",
				  why->candidates[i].why == POLICY_WHY_WINS,
				  "text", text));
	}
	line = json_pack(
		"{s:i, s:s, s:s, s:s, s:o, s:o, s:s, s:s, s:s, s:o}", "cordon",
		1, "type", "explanation", "file", question->file, "dataset",
		question->dataset, "subjects", subjects, "rules", candidates,
		"action", policy_action_name(why->action), "mode",
		policy_mode_name(why->mode), "per", policy_per_name(why->per),
		"read", budget_json(&why->read));
	if (line && why->rule != POLICY_NO_RULE)
		(void)json_object_set_new(
			line, "line",
			json_integer(policy->rules[why->rule].pos.line));
	if (line && pool)
		(void)json_object_set_new(line, "pool",
					  json_string(pool->name));
	if (line && narrow) {
		(void)json_object_set_new(line, "narrow",
					  json_string(narrow->name));
		(void)json_object_set_new(
			line, "squeeze",
			json_integer(policy_squeeze(dataset, narrow)));
		(void)json_object_set_new(
			line, "floor",
			json_integer(policy_floor(dataset, narrow)));
	}
	if (line && why->declassifier != POLICY_NO_DECLASSIFIER) {
		(void)json_object_set_new(
			line, "declassifier",
			json_string(policy->subjects[why->declassifier].name));
		(void)json_object_set_new(
			line, "cap",
			budget_json(&policy->subjects[why->declassifier].cap));
	}
	if (line && policy->follow_files && policy->n_quiet)
		(void)json_object_set_new(line, "quiet_files",
					  quiet_json(policy));
	if (line && dataset->key_from)
		(void)json_object_set_new(
			line, "key",
			json_pack("{s:I, s:I}", "from",
				  (json_int_t)dataset->key_from, "to",
				  (json_int_t)dataset->key_to));
	if (line && why->has_destination) {
		(void)json_object_set_new(
			line, "destination",
			json_string(
				policy->destinations[why->destination].name));
		(void)json_object_set_new(line, "release",
					  budget_json(&why->release));
	}
	cmd_print_json(line);
}

static int answer_question(const struct question *question, bool json,
			   struct policy_errors *errs)
{
	struct checking checking = {
		.file = question->file,
		.json = json,
		.colour = term_wants_colour(stdout),
	};
	struct policy_explanation *why = NULL;
	char error[ARGS_ERROR_CHARS_MAX] = "";
	struct args_actor actor = {0};
	struct policy *policy = NULL;
	int r;

	r = policy_load(question->file, &policy, errs);
	if (r) {
		report_errors(&checking, r, errs);
		return CMD_WRONG;
	}
	r = args_parse_actor(question->subject, policy, &actor, error);
	if (r == -EINVAL) {
		r = cmd_usage("policy", "--subject: %s", error);
		goto out;
	}
	if (!r)
		r = policy_explain(policy, &actor.actor, question->dataset,
				   question->destination, &why, errs);
	if (r == -ENOENT || r == -EINVAL) {
		r = cmd_usage("policy", "%s", policy_errors_why(errs, r));
		goto out;
	}
	if (r) {
		(void)fprintf(stderr, "cordon policy: %s\n", strerror(-r));
		r = CMD_WRONG;
		goto out;
	}
	if (json)
		explain_json(question, policy, why);
	else
		explain_text(question, policy, why);
	r = CMD_OK;
out:
	policy_explanation_free(why);
	args_actor_release(&actor);
	policy_free(policy);
	return r;
}

static int explain(int argc, char **argv)
{
	enum { OPT_SUBJECT = CMD_OPT_OWN, OPT_DATASET, OPT_DESTINATION };
	static const struct option options[] = {
		CMD_OPTIONS,
		{"subject", required_argument, NULL, OPT_SUBJECT},
		{"dataset", required_argument, NULL, OPT_DATASET},
		{"destination", required_argument, NULL, OPT_DESTINATION},
		{0},
	};
	struct policy_errors *errs = NULL;
	struct question question = {0};
	struct cmd_common common = {0};
	int code, r;

	while ((code = getopt_long(argc, argv, "", options, NULL)) != -1) {
		r = cmd_take_shared(&common, code, "policy");
		if (code == OPT_SUBJECT)
			question.subject = optarg;
		else if (code == OPT_DATASET)
			question.dataset = optarg;
		else if (code == OPT_DESTINATION)
			question.destination = optarg;
		else if (r)
			return r == CMD_DONE ? CMD_OK : r;
	}
	if (argc - optind != 1)
		return cmd_usage("policy", "explain: expected one FILE");
	if (!question.subject || !question.dataset)
		return cmd_usage("policy", "explain: --subject and --dataset "
					   "have to be given");
	question.file = argv[optind];
	errs = calloc(1, sizeof(*errs));
	if (!errs)
		return CMD_WRONG;
	r = answer_question(&question, common.json, errs);
	free(errs);
	return r;
}

int cmd_policy(int argc, char **argv)
{
	static const struct cmd_verb verbs[] = {
		{"apply", cmd_policy_apply},
		{"check", check},
		{"diff", cmd_policy_diff},
		{"explain", explain},
		{"keygen", cmd_policy_keygen},
		{"push", cmd_fleet_push},
		{"sign", cmd_policy_sign},
		{"simulate", cmd_policy_simulate},
		{"verify", cmd_policy_verify},
	};
	const char *what = argc >= 2 ? argv[1] : "";
	int code;

	/* The help is the same for all but push. */
	if (strcmp(what, "--help") == 0)
		return check(argc, argv);
	if (cmd_run_verb(verbs, N_ELEMENTS(verbs), argc, argv, &code))
		return code;
	return cmd_usage("policy",
			 "%s%sexpected apply, check, diff, explain, keygen, "
			 "push, sign, simulate or verify",
			 what, *what ? ": " : "");
}
