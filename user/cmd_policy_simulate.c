// SPDX-License-Identifier: GPL-2.0-only
/*
 * cordon policy simulate - what a policy would have made of what a host has on
 * record, for who has to sign it.
 */
#include "cmd.h"
#include "cmd_policy.h"
#include "event.h"
#include "evidence.h"
#include "log.h"
#include "policy_simulate.h"
#include "term.h"
#include "text.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define NAMES_CHARS_MAX 512

struct simulating {
	const char *file;
	const char *ledger; /* NULL: the evidence is asked */
	bool json;
	bool colour;
	const struct policy *policy;
	struct policy_simulation *simulation;
	struct cmd_index index;
	uint64_t load; /* whose rows come; UINT64_MAX: none came yet */
	size_t sent[POLICY_SENTS];
	size_t blocked[POLICY_BLOCKEDS];
	size_t rows;
	size_t same; /* rows of which nothing changes */
	size_t by_name;
};

/* ---- what is on record --------------------------------------------------- */

static int take_event(const json_t *line, void *arg)
{
	struct simulating *simulating = arg;

	return policy_simulation_event(simulating->simulation, simulating->load,
				       line);
}

/* Of the guard whose rows were taken last. */
static int take_events(struct simulating *simulating)
{
	static const char *const types[] = {"first-read", "first-release",
					    "verdict", "budget"};
	struct evidence_index_query query = {.load = simulating->load};
	int r = 0;

	if (simulating->load == UINT64_MAX)
		return 0;
	/* 0 would be every guard's. */
	if (!simulating->load && simulating->index.found.load)
		return 0;
	for (size_t i = 0; !r && i < sizeof(types) / sizeof(types[0]); i++) {
		query.type = types[i];
		r = evidence_index_lines(simulating->index.index, &query,
					 take_event, simulating);
	}
	return r;
}

static int take_row(uint64_t load, const json_t *line, void *arg)
{
	struct simulating *simulating = arg;
	int r = 0;

	if (load != simulating->load)
		r = take_events(simulating);
	if (r)
		return r;
	simulating->load = load;
	return policy_simulation_row(simulating->simulation, load, line);
}

static int take_evidence(struct simulating *simulating)
{
	int r;

	simulating->load = UINT64_MAX;
	r = evidence_index_rows(simulating->index.index, take_row, simulating);
	if (!r)
		r = take_events(simulating);
	if (r == -EINVAL) {
		(void)fprintf(stderr, "cordon policy: a line of the ledger in "
				      "this evidence is not whole: cordon "
				      "evidence verify\n");
		return CMD_WRONG;
	}
	return r ? cmd_index_error(&simulating->index, r) : CMD_OK;
}

static int take_line(struct simulating *simulating, const char *text,
		     size_t len)
{
	json_t *line = json_loadb(text, len, 0, NULL);
	int r = line ? 0 : -EINVAL;

	if (line && strcmp(evidence_text(line, "type"), "ledger") == 0)
		r = policy_simulation_row(simulating->simulation, 0, line);
	json_decref(line);
	return r;
}

static int take_file(struct simulating *simulating)
{
	FILE *f = fopen(simulating->ledger, "re");
	size_t size = 0, number = 0;
	char *text = NULL;
	ssize_t len;
	int r = 0;

	if (!f) {
		(void)fprintf(stderr, "cordon policy: %s: %s\n",
			      simulating->ledger, strerror(errno));
		return CMD_WRONG;
	}
	errno = 0;
	while (!r && (len = getline(&text, &size, f)) > 0) {
		number++;
		r = take_line(simulating, text, (size_t)len);
		errno = 0;
	}
	if (r == -EINVAL)
		(void)fprintf(
			stderr,
			"cordon policy: %s:%zu: this is no line of cordon "
			"ledger --json\n",
			simulating->ledger, number);
	else if (r || ferror(f))
		(void)fprintf(stderr, "cordon policy: %s: %s\n",
			      simulating->ledger, strerror(r ? -r : errno));
	r = r || ferror(f) ? CMD_WRONG : CMD_OK;
	free(text);
	(void)fclose(f);
	return r;
}

/* ---- what came out ------------------------------------------------------- */

static void say_names(const json_t *names, char *buf, size_t size)
{
	const json_t *name;
	size_t i, len = 0;

	buf[0] = '\0';
	json_array_foreach (names, i, name)
		if (len < size)
			len += (size_t)snprintf(buf + len, size - len, "%s%s",
						i ? ", " : "",
						json_string_value(name));
	log_clean(buf);
}

static const char *destination_name(const struct simulating *simulating,
				    const struct policy_use *use)
{
	if (use->destination == POLICY_READING)
		return "read";
	return simulating->policy->destinations[use->destination].name;
}

/* `website sending photos to printers' */
static void say_what(const struct policy_use *use, char *buf, size_t size)
{
	char subjects[NAMES_CHARS_MAX], places[NAMES_CHARS_MAX];
	const json_t *place = json_array_get(use->destinations, 0);

	say_names(use->subjects, subjects, sizeof(subjects));
	say_names(use->destinations, places, sizeof(places));
	if (place && strcmp(json_string_value(place), "read") == 0)
		(void)snprintf(buf, size, "%s reading %s", subjects,
			       use->dataset);
	else
		(void)snprintf(buf, size, "%s sending %s to %s", subjects,
			       use->dataset, places);
	log_clean(buf);
}

/* What decides, and what it lets pass. */
static void say_rule(const struct simulating *simulating,
		     const struct policy_use *use, char *buf, size_t size)
{
	const struct policy *policy = simulating->policy;
	char budget[POLICY_BUDGET_CHARS_MAX];
	const struct policy_rule *rule;

	if (use->unknown) {
		(void)snprintf(buf, size, "%s", use->unknown);
	} else if (!use->guarded) {
		(void)snprintf(buf, size, "the policy has no such dataset");
	} else if (use->rule == POLICY_NO_RULE) {
		(void)snprintf(buf, size, "no rule covers it%s",
			       use->enforced ? "" : ", which is only reported");
	} else {
		rule = &policy->rules[use->rule];
		policy_budget_format(use->budget, budget, sizeof(budget));
		(void)snprintf(
			buf, size,
			"rule of %s (line %" PRIu32 "), %s%s: %s%s%s",
			policy->subjects[rule->subject].name, rule->pos.line,
			use->destination == POLICY_READING ? "" : "to ",
			destination_name(simulating, use), budget,
			use->per_user && use->budget->kind ==
						 POLICY_BUDGET_LIMITED
				? " for each user"
				: "",
			use->enforced ? "" : ", beyond that only reported");
	}
}

static void print_outcome(const struct simulating *simulating,
			  const struct policy_use *use, enum term_colour colour,
			  const char *label, const char *amount)
{
	char what[2 * NAMES_CHARS_MAX + 128], rule[512];
	char first[32], last[32];

	say_what(use, what, sizeof(what));
	say_rule(simulating, use, rule, sizeof(rule));
	text_format_time(use->first_ms / 1000, first, sizeof(first));
	text_format_time(use->last_ms / 1000, last, sizeof(last));
	(void)printf("%s%s%s: %s: %s, %s to %s; %s\n",
		     term_begin(colour, simulating->colour), label,
		     term_end(colour, simulating->colour), what, amount, first,
		     last, rule);
}

static const char *plural(uint64_t n)
{
	return n == 1 ? "" : "s";
}

static void print_sent(const struct simulating *simulating,
		       const struct policy_use *use)
{
	static const struct {
		const char *label; /* NULL: nothing to tell */
		enum term_colour colour;
	} kinds[POLICY_SENTS] = {
		[POLICY_SENT_REFUSED] = {"would be refused", TERM_BAD},
		[POLICY_SENT_MAY_BE_REFUSED] = {"may be refused", TERM_POOR},
		[POLICY_SENT_UNKNOWN] = {"not known", TERM_POOR},
	};
	char amount[256], bytes[TEXT_NUMBER_CHARS_MAX];

	if (!kinds[use->sent].label)
		return;
	event_size(use->bytes, bytes, sizeof(bytes));
	(void)snprintf(amount, sizeof(amount),
		       "%" PRIu64 " act%s, %s, up to %" PRIu64 " record%s",
		       use->acts, plural(use->acts), bytes, use->records,
		       plural(use->records));
	print_outcome(simulating, use, kinds[use->sent].colour,
		      kinds[use->sent].label, amount);
}

static void print_blocked(const struct simulating *simulating,
			  const struct policy_use *use)
{
	static const struct {
		const char *label;
		enum term_colour colour;
	} kinds[POLICY_BLOCKEDS] = {
		[POLICY_BLOCKED_PASSES] = {"would go through", TERM_BAD},
		[POLICY_BLOCKED_MAY_PASS] = {"may go through", TERM_POOR},
		[POLICY_BLOCKED_UNKNOWN] = {"not known", TERM_POOR},
	};
	char amount[256], bytes[TEXT_NUMBER_CHARS_MAX];

	if (!kinds[use->blocked].label)
		return;
	event_size(use->over_bytes, bytes, sizeof(bytes));
	(void)snprintf(amount, sizeof(amount),
		       "%" PRIu64 " blocked act%s, at most %s",
		       use->blocked_acts, plural(use->blocked_acts), bytes);
	print_outcome(simulating, use, kinds[use->blocked].colour,
		      kinds[use->blocked].label, amount);
}

static void print_json(const struct simulating *simulating,
		       const struct policy_use *use)
{
	bool known = !use->unknown && use->guarded;
	const struct policy *policy = simulating->policy;
	char budget[POLICY_BUDGET_CHARS_MAX], first[32], last[32];
	json_t *line;

	text_format_time(use->first_ms / 1000, first, sizeof(first));
	text_format_time(use->last_ms / 1000, last, sizeof(last));
	line = json_pack(
		"{s:i, s:s, s:s, s:s, s:O, s:s, s:O, s:I, s:I, s:I, s:I, s:I, "
		"s:I, s:I, s:s, s:s}",
		"cordon", 1, "type", "simulated", "sent",
		policy_sent_name(use->sent), "blocked",
		policy_blocked_name(use->blocked), "subjects", use->subjects,
		"dataset", use->dataset, "destinations", use->destinations,
		"rows", (json_int_t)use->rows, "rows_by_name",
		(json_int_t)use->by_name, "acts", (json_int_t)use->acts,
		"bytes", (json_int_t)use->bytes, "records",
		(json_int_t)use->records, "blocked_acts",
		(json_int_t)use->blocked_acts, "blocked_bytes_max",
		(json_int_t)use->over_bytes, "first", first, "last", last);
	if (line && use->unknown)
		(void)json_object_set_new(line, "unknown",
					  json_string(use->unknown));
	if (line && !use->unknown)
		(void)json_object_set_new(line, "guarded",
					  json_boolean(use->guarded));
	if (line && known) {
		policy_budget_format(use->budget, budget, sizeof(budget));
		(void)json_object_set_new(line, "budget", json_string(budget));
		(void)json_object_set_new(
			line, "per",
			json_string(policy_per_name(
				use->per_user ? POLICY_PER_USER
					      : POLICY_PER_HOST)));
		(void)json_object_set_new(line, "enforced",
					  json_boolean(use->enforced));
	}
	if (line && known && use->rule != POLICY_NO_RULE) {
		(void)json_object_set_new(
			line, "line",
			json_integer(policy->rules[use->rule].pos.line));
		(void)json_object_set_new(
			line, "subject",
			json_string(policy->subjects[policy->rules[use->rule]
							     .subject]
					    .name));
		(void)json_object_set_new(
			line, "destination",
			json_string(destination_name(simulating, use)));
	}
	cmd_print_json(line);
}

static void count(struct simulating *simulating, const struct policy_use *use)
{
	simulating->sent[use->sent]++;
	simulating->blocked[use->blocked]++;
	simulating->rows += use->rows;
	simulating->by_name += use->by_name;
	if (use->sent >= POLICY_SENT_FITS &&
	    use->blocked >= POLICY_BLOCKED_STAYS)
		simulating->same += use->rows;
}

static void print_end(const struct simulating *simulating, bool fits)
{
	const size_t *sent = simulating->sent, *blocked = simulating->blocked;
	size_t unknown = sent[POLICY_SENT_UNKNOWN];

	/* Of one use both may be. */
	if (simulating->json) {
		cmd_print_json(json_pack(
			"{s:i, s:s, s:s, s:b, s:I, s:I, s:I, s:I, s:I, s:I, "
			"s:I, s:I, s:I}",
			"cordon", 1, "type", "simulation", "file",
			simulating->file, "fits", fits, "n_would_be_refused",
			(json_int_t)sent[POLICY_SENT_REFUSED],
			"n_may_be_refused",
			(json_int_t)sent[POLICY_SENT_MAY_BE_REFUSED],
			"n_sent_not_known", (json_int_t)unknown,
			"n_would_go_through",
			(json_int_t)blocked[POLICY_BLOCKED_PASSES],
			"n_may_go_through",
			(json_int_t)blocked[POLICY_BLOCKED_MAY_PASS],
			"n_blocked_not_known",
			(json_int_t)blocked[POLICY_BLOCKED_UNKNOWN], "rows",
			(json_int_t)simulating->rows, "rows_same",
			(json_int_t)simulating->same, "rows_by_name",
			(json_int_t)simulating->by_name));
		return;
	}
	if (simulating->by_name)
		(void)printf("note: of %zu row%s no event tells who acted: "
			     "subject and destination are taken by name\n",
			     simulating->by_name, plural(simulating->by_name));
	(void)printf("%s: %zu would be refused, %zu may be, %zu not known; "
		     "of what was blocked %zu would go through, %zu may, "
		     "%zu not known; %zu of %zu row%s stay%s as before\n",
		     fits			 ? "all that went through fits"
		     : sent[POLICY_SENT_REFUSED] ? "something would be refused"
						 : "something may be refused",
		     sent[POLICY_SENT_REFUSED],
		     sent[POLICY_SENT_MAY_BE_REFUSED], unknown,
		     blocked[POLICY_BLOCKED_PASSES],
		     blocked[POLICY_BLOCKED_MAY_PASS],
		     blocked[POLICY_BLOCKED_UNKNOWN], simulating->same,
		     simulating->rows, plural(simulating->rows),
		     simulating->same == 1 ? "s" : "");
}

static int print(struct simulating *simulating)
{
	const struct policy_use *uses = NULL;
	bool fits = true;
	size_t n = 0;
	int r;

	r = policy_simulation_judge(simulating->simulation, &uses, &n);
	if (r) {
		(void)fprintf(stderr, "cordon policy: %s\n", strerror(-r));
		return CMD_WRONG;
	}
	for (size_t i = 0; i < n; i++) {
		count(simulating, &uses[i]);
		fits = fits && uses[i].sent >= POLICY_SENT_FITS;
		if (simulating->json)
			print_json(simulating, &uses[i]);
		else
			print_sent(simulating, &uses[i]);
	}
	for (int kind = 0; kind < POLICY_BLOCKED_STAYS; kind++)
		for (size_t i = 0; i < n && !simulating->json; i++)
			if ((int)uses[i].blocked == kind)
				print_blocked(simulating, &uses[i]);
	print_end(simulating, fits);
	return fits ? CMD_OK : CMD_REFUSED;
}

/* ---- arguments ----------------------------------------------------------- */

static int simulate(struct simulating *simulating, int argc, char **argv)
{
	struct policy *policy = NULL;
	int r;

	r = cmd_policy_load(simulating->file, simulating->json, &policy);
	if (r)
		return r;
	simulating->policy = policy;
	if (policy_simulation_new(policy, &simulating->simulation)) {
		(void)fprintf(stderr, "cordon policy: %s\n", strerror(ENOMEM));
		r = CMD_WRONG;
		goto out;
	}
	if (simulating->ledger) {
		r = take_file(simulating);
		r = r ? r : print(simulating);
		goto out;
	}
	r = cmd_index_open("policy", argc, argv, CMD_INDEX_KEPT,
			   &simulating->index);
	if (r)
		goto out;
	r = take_evidence(simulating);
	r = r ? r : print(simulating);
	r = cmd_index_close(&simulating->index, r);
out:
	policy_simulation_free(simulating->simulation);
	policy_free(policy);
	return r;
}

int cmd_policy_simulate(int argc, char **argv)
{
	static const struct option options[] = {
		CMD_OPTIONS,
		{"ledger", required_argument, NULL, CMD_OPT_OWN},
		{0},
	};
	struct simulating simulating = {.colour = term_wants_colour(stdout)};
	struct cmd_common common = {0};
	int code, r;

	while ((code = getopt_long(argc, argv, "", options, NULL)) != -1) {
		if (code == CMD_OPT_OWN) {
			simulating.ledger = optarg;
			continue;
		}
		r = cmd_take_shared(&common, code, "policy");
		if (r)
			return r == CMD_DONE ? CMD_OK : r;
	}
	if (optind == argc)
		return cmd_usage("policy", "simulate: which FILE?");
	simulating.file = argv[optind++];
	if (simulating.ledger && optind < argc)
		return cmd_usage("policy", "simulate: either --ledger or the "
					   "evidence");
	simulating.json = common.json;
	return simulate(&simulating, argc, argv);
}
