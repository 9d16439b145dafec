// SPDX-License-Identifier: GPL-2.0-only
#include "array.h"
#include "cmd.h"
#include "event.h"
#include "reply.h"
#include "term.h"
#include "text.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Who an origin is: the lines with origins come before those that name them. */
struct origin_text {
	uint64_t serial;
	char who[96];
};

struct showing {
	struct term_table *table;
	struct origin_text *origins;
	size_t n;
	bool begun;
	uint64_t origin; /* of the last line */
	char dataset[CORDON_NAME];
};

static const struct term_column columns[] = {
	{.title = "SUBJECT"},
	{.title = "CHANNEL"},
	{.title = "TO"},
	{.title = "ACTS", .right = true},
	{.title = "BYTES", .right = true},
	{.title = "RECORDS", .right = true},
	{.title = "OVER", .right = true},
	{.title = "BLOCKED", .right = true},
	{.title = "LAST", .drop = 1},
};

#define N_COLUMNS (sizeof(columns) / sizeof(columns[0]))

static int take_origin(const json_t *line, struct showing *showing)
{
	const char *login = cmd_text(line, "login");
	struct origin_text *origin;

	origin = array_grow(showing->origins, showing->n, sizeof(*origin));
	if (!origin)
		return -ENOMEM;
	showing->origins = origin;
	origin = &showing->origins[showing->n++];
	origin->serial = cmd_number(line, "origin");
	(void)snprintf(origin->who, sizeof(origin->who),
		       "%.32s[%" PRIu64 "] %.40s%s", cmd_text(line, "comm"),
		       cmd_number(line, "tgid"),
		       login[0] ? login : cmd_text(line, "user"),
		       login[0] ? "" : ", no login");
	return 0;
}

static const char *find_origin(const struct showing *showing, uint64_t serial)
{
	for (size_t i = 0; i < showing->n; i++)
		if (showing->origins[i].serial == serial)
			return showing->origins[i].who;
	return NULL;
}

static void number(const json_t *line, const char *key, char *buf, size_t size)
{
	term_number(cmd_number(line, key), buf, size);
}

/* Lines come origin by origin: each begins with a line of its own. */
static int head_origin(const json_t *line, struct showing *showing)
{
	/* None, or several: they have a head each. */
	bool several = json_is_true(json_object_get(line, "several"));
	uint64_t origin = several ? UINT64_MAX : cmd_number(line, "origin");
	const char *dataset = cmd_text(line, "dataset"), *who;
	char text[sizeof(showing->origins->who) + CORDON_NAME + 64];

	if (showing->begun && origin == showing->origin &&
	    strcmp(dataset, showing->dataset) == 0)
		return 0;
	showing->begun = true;
	showing->origin = origin;
	(void)snprintf(showing->dataset, sizeof(showing->dataset), "%s",
		       dataset);
	who = find_origin(showing, origin);
	/* What was refused before anything was read belongs to none. */
	if (several)
		(void)snprintf(text, sizeof(text),
			       "%s, of several origins together:", dataset);
	else if (origin)
		(void)snprintf(text, sizeof(text),
			       "%s, origin %" PRIu64 ", begun by %s:", dataset,
			       origin, who ? who : "?");
	else
		(void)snprintf(text, sizeof(text), "%s, no origin:", dataset);
	return term_table_head(showing->table, text);
}

static int take_ledger(const json_t *line, struct showing *showing)
{
	char acts[32], bytes[TEXT_NUMBER_CHARS_MAX], records[32];
	char over[32], blocked[32], last[24];
	const char *texts[N_COLUMNS] = {
		cmd_text(line, "subject"),
		cmd_text(line, "channel"),
		reply_to(cmd_text(line, "destination")),
		acts,
		bytes,
		records,
		over,
		blocked,
		last,
	};
	enum term_colour colour = TERM_PLAIN;
	int r;

	r = head_origin(line, showing);
	if (r)
		return r;
	number(line, "acts", acts, sizeof(acts));
	event_size(cmd_number(line, "bytes"), bytes, sizeof(bytes));
	number(line, "records", records, sizeof(records));
	number(line, "over_acts", over, sizeof(over));
	number(line, "blocked_acts", blocked, sizeof(blocked));
	(void)snprintf(last, sizeof(last), "%.19sZ", cmd_text(line, "last"));
	if (cmd_number(line, "over_acts"))
		colour = cmd_number(line, "blocked_acts") ? TERM_BAD
							  : TERM_POOR;
	return term_table_add(showing->table, colour, texts);
}

static int show(const json_t *line, const char *text, void *arg)
{
	const char *type = cmd_text(line, "type");

	(void)text;
	if (strcmp(type, "origin") == 0)
		return take_origin(line, arg);
	if (strcmp(type, "ledger") == 0)
		return take_ledger(line, arg);
	return 0;
}

static int take_name(const char *option, const char *value, char *ret_name)
{
	if (strlen(value) >= CORDON_NAME)
		return cmd_usage("ledger", "--%s: a name has at most %d bytes",
				 option, CORDON_NAME - 1);
	(void)strcpy(ret_name, value);
	return 0;
}

static int run(const struct cmd_common *common,
	       const struct control_request *request)
{
	struct showing showing = {0};
	int r;

	showing.table = term_table_new(columns, N_COLUMNS);
	if (!showing.table)
		return CMD_WRONG;
	r = cmd_ask(common, request, show, &showing);
	if (r == CMD_OK && !common->json && !showing.begun)
		(void)printf("nothing was read, sent or refused%s\n",
			     request->dataset[0] || request->subject[0] ||
					     request->destination[0]
				     ? " of this kind"
				     : "");
	else if (r == CMD_OK)
		term_table_print(showing.table, stdout,
				 term_wants_colour(stdout), term_width(stdout));
	term_table_free(showing.table);
	free(showing.origins);
	return r;
}

int cmd_ledger(int argc, char **argv)
{
	enum { OPT_DATASET = CMD_OPT_OWN, OPT_SUBJECT, OPT_DESTINATION };
	static const struct option options[] = {
		CMD_OPTIONS,
		{"dataset", required_argument, NULL, OPT_DATASET},
		{"subject", required_argument, NULL, OPT_SUBJECT},
		{"destination", required_argument, NULL, OPT_DESTINATION},
		{0},
	};
	struct control_request request = {.verb = CONTROL_LEDGER};
	struct cmd_common common = {0};
	int code, r;

	while ((code = getopt_long(argc, argv, "", options, NULL)) != -1) {
		r = cmd_take_shared(&common, code, "ledger");
		if (code == OPT_DATASET)
			r = take_name("dataset", optarg, request.dataset);
		else if (code == OPT_SUBJECT)
			r = take_name("subject", optarg, request.subject);
		else if (code == OPT_DESTINATION)
			r = take_name("destination", optarg,
				      request.destination);
		if (r)
			return r == CMD_DONE ? CMD_OK : r;
	}
	r = cmd_no_more("ledger", argc, argv);
	if (r)
		return r;
	return run(&common, &request);
}
