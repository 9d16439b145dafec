// SPDX-License-Identifier: GPL-2.0-only
/*
 * `cordon fleet incidents' and `report': out of what was received, without a
 * broker.
 */
#include "cmd_fleet.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "clock.h"
#include "fleet_view.h"
#include "policy_take.h"
#include "term.h"

/* ---- incidents ---------------------------------------------------------- */

struct listing {
	struct cmd_fleet cmd;
	struct term_table *table;
	const struct fleet_host *host;
	uint64_t told;
};

static int list_one(const json_t *line, void *arg)
{
	struct listing *listing = arg;
	json_t *copy;

	listing->told++;
	if (!listing->cmd.common.json)
		return cmd_incident_row(listing->table, listing->host->name,
					line);
	copy = json_copy((json_t *)line);
	if (copy)
		(void)json_object_set_new(copy, "host",
					  json_string(listing->host->name));
	cmd_print_json(copy);
	return 0;
}

/* Evidence that is not all there tells not of all incidents. */
static void tell_holes(const struct fleet *fleet, const struct fleet_host *host)
{
	const enum fleet_finding holes[] = {FLEET_MISSING, FLEET_LOST,
					    FLEET_BROKEN, FLEET_REPLACED};
	const struct fleet_word word = {0};
	const struct fleet_pushed pushed = {0};
	const struct fleet_look look = {
		.host = host,
		.received = &host->received,
		.word = &word,
		.pushed = &pushed,
		.looked_s = fleet_looked_get(fleet, host->name),
		.now_s = clock_s(CLOCK_REALTIME),
	};
	uint32_t found = fleet_findings(&look);
	char words[FLEET_WORDS_MAX];

	for (size_t i = 0; i < N_ELEMENTS(holes); i++) {
		if (!(found & 1U << holes[i]))
			continue;
		fleet_finding_words(&look, holes[i], words, sizeof(words));
		(void)fprintf(stderr, "cordon fleet: %s: %s\n", host->name,
			      words);
	}
}

static int list_host(struct listing *listing)
{
	char path[FLEET_PATH_MAX], *args[] = {path, NULL};
	const char *const paths[] = {path};
	struct cmd_index index;
	char **files = NULL;
	size_t n = 0;
	int r;

	fleet_host_path(listing->cmd.fleet, listing->host->name, EVIDENCE_DIR,
			path);
	r = evidence_files(paths, 1, NULL, NULL, &files, &n);
	evidence_files_free(files, n);
	if (r == -ENOENT)
		return CMD_OK;
	if (r)
		return cmd_fleet_failed(path, r);
	tell_holes(listing->cmd.fleet, listing->host);
	optind = 0;
	r = cmd_index_open(FLEET_VERB, 1, args, CMD_INDEX_KEPT, &index);
	if (r)
		return r;
	r = evidence_index_incidents(index.index, list_one, listing);
	return cmd_index_close(&index, r ? cmd_index_error(&index, r) : CMD_OK);
}

static int list(struct listing *listing, int argc, char **argv)
{
	struct fleet *fleet = listing->cmd.fleet;
	int first = optind, worst = CMD_OK, r;

	listing->table = cmd_incident_table();
	if (!listing->table)
		return cmd_fleet_failed("incidents", -ENOMEM);
	for (int i = first; i < argc; i++) {
		listing->host = cmd_fleet_host(&listing->cmd, argv[i]);
		r = listing->host ? list_host(listing) : CMD_WRONG;
		worst = r ? r : worst;
	}
	for (size_t i = 0; first == argc && i < fleet->n_hosts; i++) {
		listing->host = &fleet->hosts[i];
		r = list_host(listing);
		worst = r ? r : worst;
	}
	term_table_print(listing->table, stdout, term_wants_colour(stdout),
			 term_width(stdout));
	term_table_free(listing->table);
	if (!listing->told && !listing->cmd.common.json && !worst)
		(void)printf("no incident, as far as what was received "
			     "tells\n");
	return worst;
}

int cmd_fleet_incidents(int argc, char **argv)
{
	static const struct option options[] = {FLEET_OPTIONS, {0}};
	struct listing listing = {0};
	int code, r;

	while ((code = getopt_long(argc, argv, "", options, NULL)) != -1) {
		r = cmd_fleet_take(&listing.cmd, code);
		if (r)
			return r == CMD_DONE ? CMD_OK : r;
	}
	r = cmd_fleet_open(&listing.cmd, FLEET_READ);
	if (!r)
		r = list(&listing, argc, argv);
	/* A host that is left out may have one. */
	if (!r && listing.cmd.errs.n)
		r = CMD_WRONG;
	fleet_close(listing.cmd.fleet);
	return r;
}

/* ---- report ------------------------------------------------------------- */

static int report(struct cmd_fleet *cmd, const char *name, const char *number,
		  const char *output)
{
	char path[FLEET_PATH_MAX], own[FLEET_PATH_MAX];
	char verb[] = "cordon report", option[] = "--output";
	char *args[] = {verb, option, own, (char *)number, path, NULL};
	struct fleet_host *host;
	int r;

	r = cmd_fleet_open(cmd, FLEET_READ);
	if (r)
		return r;
	host = cmd_fleet_host(cmd, name);
	if (!host)
		return CMD_WRONG;
	if (output && strlen(output) >= sizeof(own))
		return cmd_fleet_failed("the output", -ENAMETOOLONG);
	(void)snprintf(own, sizeof(own), "%s-incident-%.20s.html", host->name,
		       number);
	if (output)
		(void)strcpy(own, output);
	fleet_host_path(cmd->fleet, host->name, EVIDENCE_DIR, path);
	tell_holes(cmd->fleet, host);
	optind = 0;
	return cmd_report((int)N_ELEMENTS(args) - 1, args);
}

int cmd_fleet_report(int argc, char **argv)
{
	static const struct option options[] = {
		FLEET_OPTIONS, {"output", required_argument, NULL, 'o'}, {0}};
	const char *output = NULL;
	struct cmd_fleet cmd = {0};
	uint64_t number;
	int code, r;

	while ((code = getopt_long(argc, argv, "o:", options, NULL)) != -1) {
		if (code == 'o') {
			output = optarg;
			continue;
		}
		r = cmd_fleet_take(&cmd, code);
		if (r)
			return r == CMD_DONE ? CMD_OK : r;
	}
	if (argc - optind != 2 ||
	    text_parse_u64(argv[optind + 1], 1, INT64_MAX, &number))
		return cmd_usage(FLEET_VERB,
				 "report: expected HOST and the number of an "
				 "incident: cordon fleet incidents");
	r = report(&cmd, argv[optind], argv[optind + 1], output);
	fleet_close(cmd.fleet);
	return r;
}
