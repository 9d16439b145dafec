// SPDX-License-Identifier: GPL-2.0-only
/*
 * A page about one incident, out of the evidence alone: on any machine, and
 * with what is proven and what is not.
 */
#include "clock.h"
#include "cmd.h"
#include "event.h"
#include "evidence.h"
#include "evidence_verify.h"
#include "report.h"
#include "text.h"
#include "version.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define EVENTS_MAX 400 /* half of them the first, half the last */

struct reporting {
	struct cmd_common common;
	struct cmd_index index;
	const char *output; /* `-': standard output */
	char own_output[64];
	struct cmd_keys keys;
	struct evidence_index_incident incident;
	json_t *actors;
	json_t *steps;
	json_t *ledger;
	json_t *events;
	json_t *exposed;
	json_t *policy;
	json_t *starts;
	json_t *faults; /* their kinds so far */
	size_t n_faults;
	struct evidence_result proof;
	char key_id[SIGN_ID_CHARS_MAX];
	char made[EVENT_TIME_CHARS_MAX];
	char problem[256];
	struct report report;
};

/* ---- what is in it ------------------------------------------------------- */

static int append(const json_t *line, void *arg)
{
	return json_array_append(arg, (json_t *)line) ? -ENOMEM : 0;
}

static int lines(struct reporting *reporting, const char *type, json_t *to)
{
	const struct evidence_index_query query = {
		.type = type, .incident = reporting->report.number};

	return evidence_index_lines(reporting->index.index, &query, append, to);
}

static const char *const event_types[] = {
	"first-read", "budget", "verdict", "first-release", "fault",
};

#define N_EVENT_TYPES (sizeof(event_types) / sizeof(event_types[0]))

/* At most so many: the first of them, and the last. */
static int events_of(struct reporting *reporting,
		     struct evidence_index_query query, uint64_t max)
{
	struct evidence_index *index = reporting->index.index;
	uint64_t n = 0;
	int r;

	r = evidence_index_count(index, &query, &n);
	if (!r && n > max) {
		reporting->report.events_left_out += n - max;
		query.max = max / 2;
	}
	if (!r)
		r = evidence_index_lines(index, &query, append,
					 reporting->events);
	if (r || !query.max)
		return r;
	query.newest = true;
	return evidence_index_lines(index, &query, append, reporting->events);
}

static int incident_events(struct reporting *reporting)
{
	struct evidence_index_query query = {.incident =
						     reporting->report.number};
	int r = 0;

	for (size_t i = 0; !r && i < N_EVENT_TYPES; i++) {
		query.type = event_types[i];
		r = events_of(reporting, query, EVENTS_MAX / 2);
	}
	return r;
}

/* Of an origin: also what came before it was the incident's, which it can have
 * become long after that began. A verdict always has the incident's number. */
static int origin_lines(struct reporting *reporting, uint64_t origin)
{
	struct evidence_index *index = reporting->index.index;
	struct evidence_index_query query = {
		.type = "exposed",
		.load = reporting->incident.load,
		.origin = origin,
	};
	int r;

	r = evidence_index_lines(index, &query, append, reporting->exposed);
	if (!r)
		r = evidence_index_ledger(index, query.load, origin, append,
					  reporting->ledger);
	query.but = reporting->report.number;
	for (size_t i = 0; !r && i < N_EVENT_TYPES; i++) {
		query.type = event_types[i];
		query.to = strcmp(query.type, "verdict") == 0
				   ? reporting->incident.first
				   : 0;
		r = events_of(reporting, query, EVENTS_MAX / 8);
	}
	return r;
}

/* The first ones; and of each kind the first, or what was lost late would be
 * taken for nothing. */
static int append_faults(const json_t *line, void *arg)
{
	struct reporting *reporting = arg;
	json_t *counts = json_object_get(line, "counts");
	size_t kinds = json_object_size(reporting->faults);

	(void)json_object_update(reporting->faults, counts);
	if (reporting->n_faults == EVENTS_MAX / 8 &&
	    json_object_size(reporting->faults) == kinds) {
		reporting->report.events_left_out++;
		return 0;
	}
	reporting->n_faults += reporting->n_faults < EVENTS_MAX / 8;
	return append(line, reporting->events);
}

/* It has no origin, nor an incident: it can be of each of its dataset. */
static int append_several(const json_t *line, void *arg)
{
	struct reporting *reporting = arg;
	const char *dataset = cmd_text(line, "dataset");
	const json_t *origin;
	size_t i;

	if (!json_is_true(json_object_get(line, "several")))
		return 0;
	json_array_foreach (
		json_object_get(reporting->incident.line, "origins"), i, origin)
		if (strcmp(dataset, "*") == 0 ||
		    strcmp(dataset, cmd_text(origin, "dataset")) == 0)
			return append(line, reporting->events);
	return 0;
}

static int common_events(struct reporting *reporting)
{
	struct evidence_index_query query = {
		.type = "faults",
		.load = reporting->incident.load,
	};
	int r;

	r = evidence_index_lines(reporting->index.index, &query, append_faults,
				 reporting);
	query.type = "first-release";
	return r ? r
		 : evidence_index_lines(reporting->index.index, &query,
					append_several, reporting);
}

static int compare_lines(const void *a, const void *b)
{
	const json_t *const *x = a, *const *y = b;
	uint64_t i = cmd_number(*x, "seq"), j = cmd_number(*y, "seq");

	return i < j ? -1 : i > j;
}

/* By number, each once. */
static int sort(json_t **lines)
{
	size_t n = json_array_size(*lines);
	json_t **items = calloc(n ? n : 1, sizeof(json_t *));
	json_t *sorted = json_array();
	int r = items && sorted ? 0 : -ENOMEM;

	for (size_t i = 0; !r && i < n; i++)
		items[i] = json_array_get(*lines, i);
	if (!r)
		qsort(items, n, sizeof(json_t *), compare_lines);
	for (size_t i = 0; !r && i < n; i++)
		if (!i || compare_lines(&items[i - 1], &items[i]))
			r = append(items[i], sorted);
	free(items);
	if (r) {
		json_decref(sorted);
		return r;
	}
	json_decref(*lines);
	*lines = sorted;
	return 0;
}

static int take_policy(const json_t *line, void *arg)
{
	struct reporting *reporting = arg;

	if (cmd_number(line, "policy") !=
	    cmd_number(reporting->incident.line, "policy"))
		return 0;
	json_decref(reporting->policy);
	reporting->policy = json_incref((json_t *)line);
	return 0;
}

/* What was said of the host itself, at that time. */
static int host_lines(struct reporting *reporting)
{
	struct evidence_index *index = reporting->index.index;
	struct evidence_index_query query = {.type = "policy",
					     .to = reporting->incident.last};
	int r;

	r = evidence_index_lines(index, &query, take_policy, reporting);
	query.from = reporting->incident.first;
	query.type = "start";
	if (!r)
		r = evidence_index_lines(index, &query, append,
					 reporting->starts);
	query.type = "stop";
	if (!r)
		r = evidence_index_lines(index, &query, append,
					 reporting->starts);
	return r ? r : sort(&reporting->starts);
}

static int gather(struct reporting *reporting)
{
	const json_t *origin;
	size_t i;
	int r;

	reporting->actors = json_array();
	reporting->steps = json_array();
	reporting->ledger = json_array();
	reporting->events = json_array();
	reporting->exposed = json_array();
	reporting->starts = json_array();
	reporting->faults = json_object();
	r = evidence_index_incident(reporting->index.index,
				    reporting->report.number,
				    &reporting->incident);
	if (!r)
		r = lines(reporting, "actor", reporting->actors);
	if (!r)
		r = lines(reporting, "step", reporting->steps);
	if (!r)
		r = incident_events(reporting);
	json_array_foreach (
		json_object_get(reporting->incident.line, "origins"), i, origin)
		if (!r)
			r = origin_lines(reporting,
					 cmd_number(origin, "origin"));
	/* Of several origins together, and what was lost. */
	if (!r)
		r = evidence_index_ledger(reporting->index.index,
					  reporting->incident.load, 0, append,
					  reporting->ledger);
	if (!r)
		r = common_events(reporting);
	if (!r)
		r = sort(&reporting->events);
	return r ? r : host_lines(reporting);
}

/* ---- what is proven ------------------------------------------------------ */

static void take_finding(const struct evidence_finding *finding, void *arg)
{
	struct reporting *reporting = arg;

	if (!reporting->problem[0])
		(void)snprintf(reporting->problem, sizeof(reporting->problem),
			       "%s: %s",
			       evidence_problem_name(finding->problem),
			       finding->words);
}

/* The one in the folder, unless one was given. */
static int find_key(struct reporting *reporting, int argc, char **argv)
{
	const char *const *paths;
	size_t n;

	if (reporting->keys.n)
		return CMD_OK;
	paths = cmd_evidence_paths(argc, argv, &n);
	reporting->report.proof.own_key = true;
	return cmd_keys_folder("report", &reporting->keys, paths[0]);
}

static int verify(struct reporting *reporting, int argc, char **argv)
{
	struct report_proof *proof = &reporting->report.proof;
	struct evidence_query query = {0};
	int r;

	query.paths = cmd_evidence_paths(argc, argv, &query.n_paths);
	query.keys = reporting->keys.at;
	query.n_keys = reporting->keys.n;
	query.all = true;
	r = evidence_verify(&query, take_finding, reporting, &reporting->proof);
	if (r)
		return cmd_index_error(&reporting->index, r);
	sign_id(&query.keys[0], reporting->key_id);
	proof->key_id = reporting->key_id;
	proof->first = reporting->proof.first;
	proof->last = reporting->proof.last + reporting->proof.unproven;
	proof->signed_to = reporting->proof.last;
	proof->last_hash = reporting->proof.head;
	proof->incident_first = reporting->incident.first;
	proof->incident_last = reporting->incident.last;
	proof->verified = !reporting->proof.problems && reporting->proof.last;
	if (!proof->verified && !reporting->problem[0])
		(void)strcpy(reporting->problem,
			     "no checkpoint is there, or none is signed by "
			     "the key");
	proof->problem = reporting->problem;
	reporting->report.host = reporting->proof.host;
	return CMD_OK;
}

/* ---- the page ------------------------------------------------------------ */

/* Whoever reads it at any moment finds the old page or the new one. */
static int write_page(const struct reporting *reporting)
{
	const char *path = reporting->output;
	bool to_stdout = strcmp(path, "-") == 0;
	char *part = NULL;
	FILE *out = stdout;
	struct stat st;
	int fd, r = 0;

	/* A device or a pipe is not to be replaced by a page. */
	if (!to_stdout && lstat(path, &st) == 0 && !S_ISREG(st.st_mode))
		return -EEXIST;
	if (!to_stdout) {
		if (asprintf(&part, "%s.part", path) < 0)
			return -ENOMEM;
		(void)unlink(part);
		fd = open(part, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
		out = fd < 0 ? NULL : fdopen(fd, "w");
		if (!out) {
			r = -errno;
			goto out;
		}
	}
	r = report_write(out, &reporting->report);
	if (!r && fflush(out))
		r = -errno;
	if (!r && !to_stdout && fsync(fileno(out)) < 0)
		r = -errno;
	if (!to_stdout && fclose(out) && !r)
		r = -errno;
	if (!to_stdout && !r && rename(part, path) < 0)
		r = -errno;
	if (!to_stdout && r)
		(void)unlink(part);
out:
	free(part);
	return r;
}

static void fill(struct reporting *reporting)
{
	struct report *report = &reporting->report;

	event_time(clock_ns(CLOCK_REALTIME), reporting->made);
	report->made = reporting->made;
	report->version = CORDON_VERSION;
	report->incident = reporting->incident.line;
	report->actors = reporting->actors;
	report->steps = reporting->steps;
	report->ledger = reporting->ledger;
	report->events = reporting->events;
	report->exposed = reporting->exposed;
	report->policy = reporting->policy;
	report->starts = reporting->starts;
}

static int make(struct reporting *reporting, int argc, char **argv)
{
	int r;

	r = gather(reporting);
	if (r == -ENOENT) {
		(void)fprintf(stderr,
			      "cordon report: there is no incident %" PRIu64
			      " in this evidence: cordon incident list\n",
			      reporting->report.number);
		return CMD_WRONG;
	}
	if (r)
		return cmd_index_error(&reporting->index, r);
	r = verify(reporting, argc, argv);
	if (r)
		return r;
	fill(reporting);
	r = write_page(reporting);
	if (r) {
		(void)fprintf(stderr, "cordon report: %s: %s\n",
			      reporting->output, strerror(-r));
		return CMD_WRONG;
	}
	if (strcmp(reporting->output, "-") != 0)
		(void)printf("%s\n", reporting->output);
	if (reporting->report.proof.verified)
		return CMD_OK;
	(void)fprintf(stderr,
		      "cordon report: NOT PROVEN, as the page says: "
		      "%s; cordon evidence verify\n",
		      reporting->problem);
	return CMD_WRONG;
}

/* ---- arguments ----------------------------------------------------------- */

static int take_option(struct reporting *reporting, int code)
{
	switch (code) {
	case 'o':
		reporting->output = optarg;
		return 0;
	case CMD_OPT_OWN:
		return cmd_keys_add("report", &reporting->keys, optarg);
	default:
		return cmd_take_shared(&reporting->common, code, "report");
	}
}

static void release(struct reporting *reporting)
{
	json_decref(reporting->incident.line);
	json_decref(reporting->actors);
	json_decref(reporting->steps);
	json_decref(reporting->ledger);
	json_decref(reporting->events);
	json_decref(reporting->exposed);
	json_decref(reporting->policy);
	json_decref(reporting->starts);
	json_decref(reporting->faults);
	evidence_result_release(&reporting->proof);
	free(reporting->keys.at);
}

int cmd_report(int argc, char **argv)
{
	static const struct option options[] = {
		{"help", no_argument, NULL, CMD_OPT_HELP},
		{"output", required_argument, NULL, 'o'},
		{"key", required_argument, NULL, CMD_OPT_OWN},
		{0},
	};
	struct reporting reporting = {0};
	int code, r = 0;

	while (!r &&
	       (code = getopt_long(argc, argv, "o:", options, NULL)) != -1)
		r = take_option(&reporting, code);
	if (r) {
		release(&reporting);
		return r == CMD_DONE ? CMD_OK : r;
	}
	if (optind >= argc || text_parse_u64(argv[optind], 1, INT64_MAX,
					     &reporting.report.number)) {
		release(&reporting);
		return cmd_usage("report", "expected the number of an "
					   "incident: cordon incident list");
	}
	optind++;
	(void)snprintf(reporting.own_output, sizeof(reporting.own_output),
		       "incident-%" PRIu64 ".html", reporting.report.number);
	if (!reporting.output)
		reporting.output = reporting.own_output;
	/* First: the index takes its time. */
	r = find_key(&reporting, argc, argv);
	if (!r)
		r = cmd_index_open("report", argc, argv, CMD_INDEX_OWN,
				   &reporting.index);
	if (!r)
		r = cmd_index_close(&reporting.index,
				    make(&reporting, argc, argv));
	release(&reporting);
	return r;
}
