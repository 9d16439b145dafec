// SPDX-License-Identifier: GPL-2.0-only
/*
 * Incidents, out of the evidence log: no agent is needed.
 */
#include "cmd.h"
#include "event.h"
#include "evidence.h"
#include "log.h"
#include "term.h"
#include "text.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define EVENTS_SHOWN 20 /* the rest is in --json */

struct incidents {
	struct cmd_common common;
	struct cmd_index index;
	struct term_table *table;
	uint64_t number;
	uint64_t told;
	struct evidence_index_incident incident;
};

/* ---- list ---------------------------------------------------------------- */

static const struct term_column list_columns[] = {
	{.title = "HOST", .if_any = true}, /* of a fleet */
	{.title = "N", .right = true},
	{.title = "STATE"},
	{.title = "FIRST"},
	{.title = "LAST", .drop = 3},
	{.title = "WHO"},
	{.title = "DATASET"},
	{.title = "BLOCKED", .right = true},
	{.title = "ALERTED", .right = true, .drop = 2},
	{.title = "SENT", .right = true, .drop = 1},
};

#define LIST_COLUMNS (sizeof(list_columns) / sizeof(list_columns[0]))

static bool is_open(const json_t *line)
{
	return strcmp(evidence_text(line, "state"), "closed") != 0;
}

static void who_of(const json_t *line, char *buf, size_t size)
{
	const char *login = cmd_text(line, "login");

	(void)snprintf(buf, size, "%.16s %.32s", cmd_text(line, "comm"),
		       login[0] ? login : cmd_text(line, "user"));
}

static void short_time(const json_t *line, const char *key, char buf[20])
{
	char *at;

	(void)snprintf(buf, 20, "%.16s", cmd_text(line, key));
	at = strchr(buf, 'T');
	if (at)
		*at = ' ';
}

struct term_table *cmd_incident_table(void)
{
	return term_table_new(list_columns, LIST_COLUMNS);
}

int cmd_incident_row(struct term_table *table, const char *host,
		     const json_t *line)
{
	char n[32], first[20], last[20], who[64], blocked[32], alerted[32];
	char sent[TEXT_NUMBER_CHARS_MAX];
	const char *texts[LIST_COLUMNS] = {
		host,
		n,
		is_open(line) ? "open" : "closed",
		first,
		last,
		who,
		cmd_text(json_object_get(line, "act"), "dataset"),
		blocked,
		alerted,
		sent,
	};

	term_number(cmd_number(line, "incident"), n, sizeof(n));
	short_time(line, "first_verdict", first);
	short_time(line, "last", last);
	who_of(line, who, sizeof(who));
	term_number(cmd_number(line, "blocked"), blocked, sizeof(blocked));
	term_number(cmd_number(line, "alerted"), alerted, sizeof(alerted));
	event_size(cmd_number(line, "released_bytes"), sent, sizeof(sent));
	return term_table_add(
		table,
		!is_open(line) ? TERM_DIM
		: strcmp(evidence_text(line, "verdict"), "block") == 0
			? TERM_BAD
			: TERM_POOR,
		texts);
}

static int list_one(const json_t *line, void *arg)
{
	struct incidents *incidents = arg;

	incidents->told++;
	if (!incidents->common.json)
		return cmd_incident_row(incidents->table, NULL, line);
	cmd_print_json(json_incref((json_t *)line));
	return 0;
}

static int list(struct incidents *incidents)
{
	int r;

	incidents->table = cmd_incident_table();
	if (!incidents->table)
		return cmd_index_error(&incidents->index, -ENOMEM);
	r = evidence_index_incidents(incidents->index.index, list_one,
				     incidents);
	if (!r)
		term_table_print(incidents->table, stdout,
				 term_wants_colour(stdout), term_width(stdout));
	term_table_free(incidents->table);
	if (r)
		return cmd_index_error(&incidents->index, r);
	if (!incidents->told && !incidents->common.json)
		(void)printf("no incident, as far as this evidence tells\n");
	return CMD_OK;
}

/* ---- show, for programs -------------------------------------------------- */

static int print_line(const json_t *line, void *arg)
{
	(void)arg;
	cmd_print_json(json_incref((json_t *)line));
	return 0;
}

/* The lines of one type that have its number. */
static int each(struct incidents *incidents, const char *type,
		evidence_index_fn fn)
{
	const struct evidence_index_query query = {
		.type = type, .incident = incidents->number};

	return evidence_index_lines(incidents->index.index, &query, fn,
				    incidents);
}

/* Of each of its origins. */
static int each_origin(struct incidents *incidents,
		       int (*fn)(struct incidents *incidents, uint64_t origin))
{
	const json_t *origin;
	size_t i;
	int r = 0;

	json_array_foreach (
		json_object_get(incidents->incident.line, "origins"), i, origin)
		if (!r)
			r = fn(incidents, cmd_number(origin, "origin"));
	return r;
}

static int print_exposed(struct incidents *incidents, uint64_t origin)
{
	const struct evidence_index_query query = {
		.type = "exposed",
		.load = incidents->incident.load,
		.origin = origin,
	};

	return evidence_index_lines(incidents->index.index, &query, print_line,
				    NULL);
}

static int show_json(struct incidents *incidents)
{
	int r;

	r = each(incidents, NULL, print_line);
	return r ? r : each_origin(incidents, print_exposed);
}

/* ---- show, for people ---------------------------------------------------- */

static void print_amount(const json_t *line, const char *key)
{
	char n[32];

	term_number(cmd_number(line, key), n, sizeof(n));
	(void)printf("%s", n);
}

/* `1 act', `3 acts'. */
static void print_count(const json_t *line, const char *key, const char *one)
{
	print_amount(line, key);
	(void)printf(" %s%s", one, cmd_number(line, key) == 1 ? "" : "s");
}

static void print_bytes(const json_t *line, const char *key)
{
	char size[TEXT_NUMBER_CHARS_MAX];

	event_size(cmd_number(line, key), size, sizeof(size));
	(void)printf("%s", size);
}

static void print_time(const char *title, const json_t *line, const char *key)
{
	const char *time = cmd_text(line, key);

	if (time[0])
		(void)printf("  %-15s%.19sZ\n", title, time);
}

static void print_who(const json_t *line)
{
	const char *login = cmd_text(line, "login");
	const char *unit = cmd_text(line, "unit");
	const char *remote = cmd_text(line, "remote");

	(void)printf("%s[%" PRIu64 "] user %s, %s%s", cmd_text(line, "comm"),
		     cmd_number(line, "tgid"), cmd_text(line, "user"),
		     login[0] ? "login " : "no login", login);
	if (remote[0])
		(void)printf(" from %s", remote);
	if (unit[0])
		(void)printf(", %s", unit);
}

static const char *place_of(const json_t *line)
{
	const char *to = cmd_text(line, "destination");

	return strcmp(to, "*") == 0 ? "elsewhere" : to;
}

static void print_act(const json_t *act)
{
	const char *address = cmd_text(act, "address");
	const char *seen = cmd_text(act, "name_seen");
	const char *to = place_of(act);

	(void)printf("  %-15s%s of %s", "act",
		     strcmp(to, "read") == 0 ? "a read" : "a send",
		     cmd_text(act, "dataset"));
	if (strcmp(to, "read") != 0)
		(void)printf(" to %s", to);
	if (address[0] && json_object_get(act, "port"))
		(void)printf(" (%s port %" PRIu64 "%s%s, %s)", address,
			     cmd_number(act, "port"),
			     seen[0] ? ", seen as " : "", seen,
			     cmd_text(act, "channel"));
	else if (address[0])
		(void)printf(" (%s)", address);
	(void)printf("; rule %s, %" PRIu64 " of %" PRIu64 " %s used\n",
		     cmd_text(act, "rule"), cmd_number(act, "used"),
		     cmd_number(act, "max"), cmd_text(act, "budget"));
}

static void print_head(const json_t *line)
{
	char signers[512];

	(void)printf("incident %" PRIu64 ", %s: ", cmd_number(line, "incident"),
		     is_open(line) ? "open" : "closed");
	print_amount(line, "blocked");
	(void)printf(" blocked, ");
	print_amount(line, "alerted");
	(void)printf(" alerted, ");
	print_bytes(line, "released_bytes");
	(void)printf(" sent\n  %-15s", "who");
	print_who(line);
	(void)printf("\n");
	print_act(json_object_get(line, "act"));
	print_time("began", line, "first");
	print_time("first verdict", line, "first_verdict");
	print_time("first block", line, "first_block");
	print_time("on record", line, "reported");
	print_time("last verdict", line, "last");
	evidence_list(line, "signers", signers, sizeof(signers));
	log_clean(signers);
	(void)printf("  %-15s%" PRIu64 " of %s%s%s\n", "policy",
		     cmd_number(line, "policy"), cmd_text(line, "issuer"),
		     signers[0] ? ", signed by " : "", signers);
}

static void print_list(const char *title, const json_t *list)
{
	const json_t *item;
	char text[64];
	size_t i;

	if (!json_array_size(list))
		return;
	(void)printf("  %-15s", title);
	json_array_foreach (list, i, item) {
		(void)snprintf(text, sizeof(text), "%s",
			       json_string_value(item) ? json_string_value(item)
						       : "?");
		log_clean(text);
		(void)printf("%s%s", i ? ", " : "", text);
	}
	(void)printf("\n");
}

static void print_gaps(const json_t *gaps)
{
	static const char *const words[][2] = {
		{"agent", "no agent ran for a while; the guard did"},
		{"faults", "the guard had no room for something: cordon "
			   "evidence show, lines of type faults"},
		{"actors", "more processes acted than have a line"},
		{"origins", "more origins belong to it than have a place"},
		{"rows", "the ledger was full: not all that left is in it"},
		{"steps", "how it came is not known back to its beginning"},
	};
	const json_t *gap;
	size_t i;

	json_array_foreach (gaps, i, gap) {
		const char *why = cmd_text(gap, "why"), *said = why;

		for (size_t j = 0; j < sizeof(words) / sizeof(words[0]); j++)
			if (strcmp(words[j][0], why) == 0)
				said = words[j][1];
		(void)printf("  %-15s%s", "not known", said);
		if (json_object_get(gap, "from"))
			(void)printf(" (%.19sZ to %.19sZ)",
				     cmd_text(gap, "from"),
				     cmd_text(gap, "to"));
		(void)printf("\n");
	}
}

static void print_origins(const json_t *origins)
{
	const json_t *origin;
	size_t i;

	(void)printf("\nread\n");
	json_array_foreach (origins, i, origin) {
		(void)printf("  origin %" PRIu64 ": at most ",
			     cmd_number(origin, "origin"));
		print_count(origin, "records", "record");
		(void)printf(", ");
		print_bytes(origin, "bytes");
		(void)printf(
			" of %s, by %s[%" PRIu64 "], from %.19sZ on\n",
			cmd_text(origin, "dataset"), cmd_text(origin, "comm"),
			cmd_number(origin, "tgid"), cmd_text(origin, "first"));
	}
	if (!json_array_size(origins))
		(void)printf("  nothing\n");
}

static int print_actor(const json_t *line, void *arg)
{
	struct incidents *incidents = arg;
	const char *exe = cmd_text(line, "exe");
	const char *hash = cmd_text(line, "exe_sha256");
	const char *why = cmd_text(line, "exe_why");
	const json_t *above;
	size_t i;

	(void)printf(incidents->told++ ? "  " : "\nactors\n  ");
	print_who(line);
	(void)printf("\n");
	if (exe[0] && hash[0])
		(void)printf("    %s sha256 %s\n", exe, hash);
	else if (exe[0])
		(void)printf("    %s, whose sha256 is not known%s%s\n", exe,
			     why[0] ? ": " : "", why);
	if (json_object_get(line, "gone"))
		(void)printf("    it had ended before anybody could look\n");
	json_array_foreach (json_object_get(line, "ancestry"), i, above)
		(void)printf("%s%s[%" PRIu64 "] %s", i ? " < " : "    < ",
			     cmd_text(above, "comm"), cmd_number(above, "tgid"),
			     cmd_text(above, "user"));
	if (i)
		(void)printf("\n");
	return 0;
}

static int print_step(const json_t *line, void *arg)
{
	struct incidents *incidents = arg;
	const char *from = cmd_text(line, "from_comm");
	const char *comm = cmd_text(line, "comm");

	(void)printf("%s  %.19sZ ", incidents->told++ ? "" : "\nhow it came\n",
		     cmd_text(line, "at"));
	if (json_object_get(line, "origin"))
		(void)printf("%s", cmd_text(line, "dataset"));
	else if (from[0])
		(void)printf("%s[%" PRIu64 "]", from,
			     cmd_number(line, "from_tgid"));
	else
		(void)printf("carrier %" PRIu64,
			     cmd_number(line, "from_holding"));
	(void)printf(" -%s-> ", cmd_text(line, "kind"));
	if (comm[0])
		(void)printf("%s[%" PRIu64 "]", comm, cmd_number(line, "tgid"));
	else
		(void)printf("carrier %" PRIu64, cmd_number(line, "holding"));
	(void)printf(": at most ");
	print_count(line, "records", "record");
	(void)printf("\n");
	return 0;
}

static int print_row(const json_t *line, void *arg)
{
	struct incidents *incidents = arg;
	const char *channel = cmd_text(line, "channel");
	const char *to = place_of(line);
	bool read = strcmp(to, "read") == 0;

	/* What was refused before anything was read is of no origin either. */
	if (!cmd_number(line, "origin") &&
	    !json_is_true(json_object_get(line, "several")))
		return 0;
	(void)printf("%s  %s%s%s", incidents->told++ ? "" : "\nledger\n",
		     cmd_text(line, "dataset"), read ? " " : " to ", to);
	if (!read || strcmp(channel, to) != 0)
		(void)printf(" by %s", channel);
	(void)printf("%s: ",
		     cmd_number(line, "origin")
			     ? ""
			     : ", of several origins, perhaps not of these");
	print_count(line, "acts", "act");
	(void)printf(", ");
	print_bytes(line, "bytes");
	(void)printf(", ");
	print_count(line, "records", "record");
	(void)printf("; beyond the budget ");
	print_amount(line, "over_acts");
	(void)printf(", blocked ");
	print_amount(line, "blocked_acts");
	(void)printf("\n");
	return 0;
}

static int print_ledger(struct incidents *incidents, uint64_t origin)
{
	return evidence_index_ledger(incidents->index.index,
				     incidents->incident.load, origin,
				     print_row, incidents);
}

static int show_words(struct incidents *incidents)
{
	const json_t *line = incidents->incident.line;
	int r;

	print_head(line);
	print_list("ATT&CK", json_object_get(line, "techniques"));
	print_gaps(json_object_get(line, "gaps"));
	print_origins(json_object_get(line, "origins"));
	r = each(incidents, "actor", print_actor);
	incidents->told = 0;
	if (!r)
		r = each(incidents, "step", print_step);
	incidents->told = 0;
	if (!r)
		r = each_origin(incidents, print_ledger);
	if (!r)
		r = print_ledger(incidents, 0);
	if (!r)
		(void)printf("\nwhose records: cordon exposed %" PRIu64
			     "; for others: cordon report %" PRIu64 "\n",
			     incidents->number, incidents->number);
	return r;
}

static int show(struct incidents *incidents)
{
	int r;

	r = evidence_index_incident(incidents->index.index, incidents->number,
				    &incidents->incident);
	if (r == -ENOENT) {
		(void)fprintf(stderr,
			      "cordon incident: there is no incident %" PRIu64
			      " in this evidence: cordon incident list\n",
			      incidents->number);
		return CMD_WRONG;
	}
	if (!r)
		r = incidents->common.json ? show_json(incidents)
					   : show_words(incidents);
	json_decref(incidents->incident.line);
	return r ? cmd_index_error(&incidents->index, r) : CMD_OK;
}

/* ---- both ---------------------------------------------------------------- */

int cmd_incident(int argc, char **argv)
{
	static const struct option options[] = {CMD_OPTIONS, {0}};
	const char *what = argc >= 2 ? argv[1] : "";
	struct incidents incidents = {0};
	bool one = strcmp(what, "show") == 0;
	int code, r;

	if (!one && strcmp(what, "list") != 0 && strcmp(what, "--help") != 0)
		return cmd_usage("incident", "expected list or show N");
	argc -= strcmp(what, "--help") != 0;
	argv += strcmp(what, "--help") != 0;
	while ((code = getopt_long(argc, argv, "", options, NULL)) != -1) {
		r = cmd_take_shared(&incidents.common, code, "incident");
		if (r)
			return r == CMD_DONE ? CMD_OK : r;
	}
	if (one) {
		if (optind >= argc || text_parse_u64(argv[optind], 1, INT64_MAX,
						     &incidents.number))
			return cmd_usage("incident",
					 "show: expected the number of an "
					 "incident: cordon incident list");
		optind++;
	}
	r = cmd_index_open("incident", argc, argv, CMD_INDEX_KEPT,
			   &incidents.index);
	if (r)
		return r;
	r = one ? show(&incidents) : list(&incidents);
	return cmd_index_close(&incidents.index, r);
}
