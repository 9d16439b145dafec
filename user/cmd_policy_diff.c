// SPDX-License-Identifier: GPL-2.0-only
/* cordon policy diff - what a new policy lets pass, for who has to sign it. */
#include "cmd.h"
#include "cmd_policy.h"
#include "policy_diff.h"
#include "term.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

struct comparing {
	const char *files[2];
	bool json;
	bool colour;
};

static const struct {
	const char *label;
	enum term_colour colour;
} kinds[POLICY_CHANGES] = {
	[POLICY_LOOSER] = {"looser", TERM_BAD},
	[POLICY_MAY_BE_LOOSER] = {"changed: may be looser", TERM_POOR},
	[POLICY_TIGHTER] = {"tighter", TERM_GOOD},
	[POLICY_CHANGED] = {"changed", TERM_DIM},
};

static void set_line(json_t *line, const char *key, uint32_t number)
{
	(void)json_object_set_new(line, key,
				  number ? json_integer(number) : json_null());
}

static void print_json(const struct policy_difference *difference)
{
	json_t *line = json_pack(
		"{s:i, s:s, s:s, s:b, s:s, s:s}", "cordon", 1, "type",
		"difference", "kind", policy_change_name(difference->kind),
		"looser", difference->kind <= POLICY_MAY_BE_LOOSER, "what",
		difference->what, "words", difference->words);

	if (line) {
		set_line(line, "old_line", difference->old_line);
		set_line(line, "new_line", difference->new_line);
	}
	cmd_print_json(line);
}

/* ` (line 12; before: 14)`, or as much of it as is known. */
static void say_lines(const struct policy_difference *difference, char *buf,
		      size_t size)
{
	buf[0] = '\0';
	if (difference->new_line && difference->old_line)
		(void)snprintf(buf, size,
			       " (line %" PRIu32 "; before: line %" PRIu32 ")",
			       difference->new_line, difference->old_line);
	else if (difference->new_line)
		(void)snprintf(buf, size, " (line %" PRIu32 ")",
			       difference->new_line);
	else if (difference->old_line)
		(void)snprintf(buf, size, " (before: line %" PRIu32 ")",
			       difference->old_line);
}

static void print_text(const struct comparing *comparing,
		       const struct policy_difference *difference)
{
	enum term_colour colour = kinds[difference->kind].colour;
	char lines[64];

	say_lines(difference, lines, sizeof(lines));
	(void)printf("%s%s%s: %s%s\n", term_begin(colour, comparing->colour),
		     kinds[difference->kind].label,
		     term_end(colour, comparing->colour), difference->words,
		     lines);
}

static void print_end(const struct comparing *comparing,
		      const struct policy_diff *diff, bool looser)
{
	if (comparing->json)
		cmd_print_json(json_pack(
			"{s:i, s:s, s:s, s:s, s:b, s:b, s:I, s:I, s:I, s:I}",
			"cordon", 1, "type", "diff", "old", comparing->files[0],
			"new", comparing->files[1], "looser", looser,
			"serial_rises", !diff->falls, "n_looser",
			(json_int_t)diff->counts[POLICY_LOOSER],
			"n_may_be_looser",
			(json_int_t)diff->counts[POLICY_MAY_BE_LOOSER],
			"n_tighter", (json_int_t)diff->counts[POLICY_TIGHTER],
			"n_changed", (json_int_t)diff->counts[POLICY_CHANGED]));
	else
		(void)printf("%s: %zu looser, %zu may be looser, %zu tighter, "
			     "%zu otherwise changed%s\n",
			     looser ? "something gets looser"
				    : "nothing gets looser",
			     diff->counts[POLICY_LOOSER],
			     diff->counts[POLICY_MAY_BE_LOOSER],
			     diff->counts[POLICY_TIGHTER],
			     diff->counts[POLICY_CHANGED],
			     diff->falls ? "; the serial does not rise" : "");
}

int cmd_policy_print_diff(const char *before, const char *after, bool json,
			  const struct policy_diff *diff)
{
	const struct comparing comparing = {
		.files = {before, after},
		.json = json,
		.colour = term_wants_colour(stdout),
	};
	bool looser = diff->counts[POLICY_LOOSER] ||
		      diff->counts[POLICY_MAY_BE_LOOSER];

	for (size_t i = 0; i < diff->n; i++)
		if (json)
			print_json(&diff->v[i]);
		else
			print_text(&comparing, &diff->v[i]);
	print_end(&comparing, diff, looser);
	if (looser)
		return CMD_LOOSER;
	return diff->falls ? CMD_WRONG : CMD_OK;
}

int cmd_policy_diff(int argc, char **argv)
{
	static const struct option options[] = {CMD_OPTIONS, {0}};
	struct policy *policies[2] = {NULL, NULL};
	struct policy_diff *diff = NULL;
	struct cmd_common common = {0};
	int code, r, worst = CMD_OK;

	while ((code = getopt_long(argc, argv, "", options, NULL)) != -1) {
		r = cmd_take_shared(&common, code, "policy");
		if (r)
			return r == CMD_DONE ? CMD_OK : r;
	}
	if (argc - optind != 2)
		return cmd_usage("policy", "diff: expected OLD and NEW");
	for (int i = 0; i < 2; i++) {
		r = cmd_policy_load(argv[optind + i], common.json,
				    &policies[i]);
		worst = r ? r : worst;
	}
	r = worst;
	if (r)
		goto out;
	r = policy_diff(policies[0], policies[1], &diff);
	if (r) {
		(void)fprintf(stderr, "cordon policy: %s\n", strerror(-r));
		r = CMD_WRONG;
		goto out;
	}
	r = cmd_policy_print_diff(argv[optind], argv[optind + 1], common.json,
				  diff);
out:
	policy_diff_free(diff);
	policy_free(policies[0]);
	policy_free(policies[1]);
	return r;
}
