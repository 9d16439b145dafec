// SPDX-License-Identifier: GPL-2.0-only
/*
 * `cordon fleet': what a force does with the hosts that it guards from afar.
 * Here is what its verbs share, and those that need no broker.
 */
#include "cmd_fleet.h"

#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "clock.h"
#include "fleet_view.h"
#include "link_subject.h"
#include "log.h"
#include "policy_take.h"
#include "state.h"
#include "term.h"

/* ---- what they share ---------------------------------------------------- */

int cmd_fleet_take(struct cmd_fleet *cmd, int code)
{
	switch (code) {
	case FLEET_OPT_DIR:
		cmd->dir = optarg;
		return 0;
	case FLEET_OPT_LINK:
		cmd->link = optarg;
		return 0;
	case FLEET_OPT_USER:
		cmd->user = optarg;
		return 0;
	default:
		return cmd_take_shared(&cmd->common, code, FLEET_VERB);
	}
}

int cmd_fleet_take_wait(const char *text, uint64_t *ret_s)
{
	if (!text_parse_u64(text, 1, 3600, ret_s))
		return CMD_OK;
	return cmd_usage(FLEET_VERB, "%s: expected seconds, 1 to 3600", text);
}

int cmd_fleet_failed(const char *what, int r)
{
	(void)fprintf(stderr, "cordon fleet: %s: %s%s\n", what, strerror(-r),
		      r == -EACCES ? "; use sudo, or be who the fleet belongs "
				     "to"
				   : "");
	return r == -EACCES ? CMD_DENIED : CMD_WRONG;
}

int cmd_fleet_open(struct cmd_fleet *cmd, enum fleet_open how)
{
	const char *dir = cmd->dir ? cmd->dir : CORDON_FLEET_DIR;
	int r;

	if (minisign_init())
		return cmd_fleet_failed("libsodium", -ENOTSUP);
	/* The sealing key is one. */
	if (how == FLEET_OPENING)
		cmd_keep_secrets();
	r = fleet_open(dir, how, &cmd->fleet, &cmd->errs);
	for (size_t i = 0; i < cmd->errs.n; i++)
		(void)fprintf(stderr, "cordon fleet: %s\n",
			      cmd->errs.v[i].text);
	if (r == -ENOENT && !cmd->errs.n) {
		(void)fprintf(stderr,
			      "cordon fleet: %s: there is no fleet: name its "
			      "directory by --dir, or begin one: cordon fleet "
			      "init\n",
			      dir);
		return CMD_WRONG;
	}
	if (r && cmd->errs.n)
		return r == -EACCES ? CMD_DENIED : CMD_WRONG;
	return r ? cmd_fleet_failed(dir, r) : CMD_OK;
}

struct fleet_host *cmd_fleet_host(struct cmd_fleet *cmd, const char *name)
{
	struct fleet_host *host = fleet_find(cmd->fleet, name);
	char quoted[TEXT_QUOTE_CHARS_MAX];

	if (host)
		return host;
	text_quote(name, strlen(name), quoted, sizeof(quoted));
	(void)fprintf(
		stderr,
		"cordon fleet: no host %s is approved in %s: cordon fleet "
		"status lists them\n",
		quoted, cmd->fleet->dir);
	return NULL;
}

/* ---- the broker --------------------------------------------------------- */

int cmd_fleet_link(const struct cmd_fleet *cmd, struct link **ret_link)
{
	const struct fleet *fleet = cmd->fleet;
	bool root = cmd->user && strcmp(cmd->user, "root") == 0;
	const char *servers[LINK_SERVERS_MAX];
	const struct link_options options = {
		.role = LINK_OF_FORCE,
		.program = cmd->link,
		.servers = servers,
		.n_servers = fleet->n_servers,
		.ca = fleet->ca,
		.cert = fleet->cert,
		.key = fleet->key,
		.user = root ? NULL : cmd->user,
		.root = root,
		.replicas = fleet->replicas,
	};
	int r;

	for (size_t i = 0; i < fleet->n_servers; i++)
		servers[i] = fleet->servers[i];
	r = link_new(&options, ret_link);
	return r ? cmd_fleet_failed("the link", r) : CMD_OK;
}

int cmd_fleet_next(struct link *link, int64_t until_ms,
		   struct link_frame *ret_frame)
{
	struct pollfd ready = {.fd = link_fd(link), .events = POLLIN};
	int64_t left;
	int r;

	for (;;) {
		r = link_next(link, ret_frame);
		if (r)
			return r;
		left = until_ms - clock_ms();
		r = poll(&ready, 1, left > 0 ? (int)left : 0);
		if (r < 0)
			return -errno;
		if (!r && left <= 0)
			return 0;
		r = link_work(link);
		if (r)
			return r;
	}
}

int cmd_fleet_connect(struct link *link, int64_t until_ms)
{
	struct link_frame frame;
	int r;

	r = link_work(link);
	while (!r && !link_state(link)->connected) {
		r = cmd_fleet_next(link, until_ms, &frame);
		if (!r)
			r = -ETIMEDOUT;
		else if (r > 0)
			r = 0;
	}
	if (!r)
		return CMD_OK;
	if (r != -ETIMEDOUT)
		return cmd_fleet_failed("the link", r);
	(void)fprintf(stderr,
		      "cordon fleet: the broker cannot be reached: %s; "
		      "cordon-fleet(7) has what to look at\n",
		      link_state(link)->words);
	return CMD_REACH;
}

/* ---- init --------------------------------------------------------------- */

static void tell_init(const char *dir)
{
	(void)printf(
		"%s is a fleet now. What it needs:\n"
		"  %s/" FLEET_SEAL_FILE
		"     a copy of it, offline: without it "
		"no report can be opened\n"
		"  %s/" FLEET_TRUST_FILE "   the trust anchors of your hosts: "
		"cordon-trust(5)\n"
		"  %s/link/        ca.pem, cert.pem and key.pem, by which the "
		"broker knows you\n"
		"then: cordon fleet approve HOST.request --group GROUP "
		">HOST.enrolment\n",
		dir, dir, dir, dir);
}

static int init(struct cmd_fleet *cmd, const char *issuer,
		const char *const *servers, size_t n)
{
	const char *dir = cmd->dir ? cmd->dir : CORDON_FLEET_DIR;
	int r;

	if (minisign_init())
		return cmd_fleet_failed("libsodium", -ENOTSUP);
	for (size_t i = 0; i < n; i++)
		if (!link_is_server(servers[i]))
			return cmd_usage(FLEET_VERB,
					 "init: %s: expected tls://HOST or "
					 "tls://HOST:PORT",
					 servers[i]);
	r = fleet_init(dir, issuer, servers, n);
	if (r == -EEXIST) {
		(void)fprintf(stderr,
			      "cordon fleet: %s: there is a fleet already, and "
			      "it stays as it is\n",
			      dir);
		return CMD_WRONG;
	}
	if (r == -EINVAL)
		return cmd_usage(FLEET_VERB,
				 "init: the issuer is empty, longer than %d "
				 "bytes or has a control in it",
				 POLICY_ISSUER_CHARS_MAX);
	if (r)
		return cmd_fleet_failed(dir, r);
	tell_init(dir);
	return CMD_OK;
}

static int fleet_init_verb(int argc, char **argv)
{
	enum { OPT_ISSUER = FLEET_OPT_OWN, OPT_SERVER };
	static const struct option options[] = {
		FLEET_OPTIONS,
		{"issuer", required_argument, NULL, OPT_ISSUER},
		{"server", required_argument, NULL, OPT_SERVER},
		{0},
	};
	const char *servers[LINK_SERVERS_MAX], *issuer = NULL;
	struct cmd_fleet cmd = {0};
	size_t n = 0;
	int code, r;

	while ((code = getopt_long(argc, argv, "", options, NULL)) != -1) {
		if (code == OPT_ISSUER) {
			issuer = optarg;
			continue;
		}
		if (code == OPT_SERVER) {
			if (n >= LINK_SERVERS_MAX)
				return cmd_usage(FLEET_VERB,
						 "init: more than %d servers",
						 LINK_SERVERS_MAX);
			servers[n++] = optarg;
			continue;
		}
		r = cmd_fleet_take(&cmd, code);
		if (r)
			return r == CMD_DONE ? CMD_OK : r;
	}
	if (!issuer || !n)
		return cmd_usage(FLEET_VERB, "init: expected --issuer NAME and "
					     "--server tls://BROKER");
	r = cmd_no_more(FLEET_VERB, argc, argv);
	return r ? r : init(&cmd, issuer, servers, n);
}

/* ---- approve ------------------------------------------------------------ */

struct approving {
	struct cmd_fleet cmd;
	const char *file;
	const char *groups[LINK_GROUPS_MAX];
	size_t n_groups;
	bool rekey;
	struct enrolment_request request;
};

static int read_request(struct approving *approving)
{
	struct policy_errors *errs = &approving->cmd.errs;
	char *text = NULL;
	size_t len;
	int r;

	r = state_get(approving->file, ENROLMENT_FILE_BYTES_MAX, &text, &len);
	if (r)
		return cmd_fleet_failed(approving->file, r);
	r = enrolment_request_parse(approving->file, text, len,
				    &approving->request, errs);
	free(text);
	if (!r)
		return CMD_OK;
	for (size_t i = 0; i < errs->n; i++)
		(void)fprintf(stderr, "cordon fleet: %s\n", errs->v[i].text);
	return errs->n ? CMD_WRONG : cmd_fleet_failed(approving->file, r);
}

void cmd_fleet_spell_id(const struct sign_public *key, char *buf, size_t size)
{
	char id[FLEET_ID_CHARS_MAX];
	size_t len = 0;

	fleet_id(key, id);
	for (size_t i = 0; id[i] && len + 2 < size; i++) {
		if (i && i % 4 == 0)
			buf[len++] = ' ';
		buf[len++] = id[i];
	}
	buf[len] = '\0';
}

/* Standard output has the file, so people are told on the other. */
static void tell_approved(const struct approving *approving,
			  enum fleet_approval approval)
{
	const struct fleet *fleet = approving->cmd.fleet;
	static const char *const words[] = {
		[FLEET_APPROVED] = "a new host",
		[FLEET_RENEWED] = "known already, and has the same key",
		[FLEET_REKEYED] = "known already, and has ANOTHER KEY now",
	};
	char id[64];

	cmd_fleet_spell_id(&approving->request.key, id, sizeof(id));
	(void)fprintf(stderr,
		      "to be signed: the enrolment of %s, %s\n"
		      "  issuer   %s\n"
		      "  host id  %s\n"
		      "  groups   ",
		      approving->request.host, words[approval], fleet->issuer,
		      id);
	for (size_t i = 0; i < approving->n_groups; i++)
		(void)fprintf(stderr, "%s%s", i ? ", " : "",
			      approving->groups[i]);
	(void)fprintf(stderr, "%s\n  servers  ",
		      approving->n_groups ? "" : "none");
	for (size_t i = 0; i < fleet->n_servers; i++)
		(void)fprintf(stderr, "%s%s", i ? ", " : "", fleet->servers[i]);
	(void)fprintf(
		stderr,
		"\nHave the host's administrator read the host id to you: "
		"cordon enroll request\nprints it there. Only if it is "
		"the same: cordon policy sign --key KEY FILE, by as\n"
		"many as the host's trust anchors ask for\n");
}

static int refused(const struct approving *approving, int r, const char *why)
{
	if (r == -EEXIST)
		(void)fprintf(stderr,
			      "cordon fleet: %s and %s are one name to the "
			      "broker, where a dot is as good as `_': the host "
			      "needs another name: cordon enroll request "
			      "--name\n",
			      approving->request.host, why);
	else if (r == -EKEYREJECTED)
		(void)fprintf(
			stderr,
			"cordon fleet: %s is approved with another key. If it "
			"was installed anew, and its administrator says so: "
			"--new-key, and what came so far is moved aside\n",
			approving->request.host);
	else if (r == -EINVAL)
		(void)fprintf(stderr,
			      "cordon fleet: %s: expected letters, digits, `_' "
			      "and `-', in a host's name also dots; at most "
			      "%d of them, and %d groups\n",
			      why, FLEET_NAME_CHARS_MAX, LINK_GROUPS_MAX);
	else
		return cmd_fleet_failed(approving->request.host, r);
	return CMD_WRONG;
}

static int approve(struct approving *approving)
{
	struct fleet *fleet = approving->cmd.fleet;
	enum fleet_approval approval;
	const char *why = "";
	char *text = NULL;
	int r;

	r = fleet_lock(fleet);
	/* Somebody else may have approved one meanwhile. */
	if (!r)
		r = fleet_reload(fleet, &approving->cmd.errs);
	if (!r)
		r = fleet_approve(fleet, &approving->request, approving->groups,
				  approving->n_groups, approving->rekey,
				  &approval, &text, &why);
	fleet_unlock(fleet);
	if (r)
		return refused(approving, r, why);
	(void)fputs(text, stdout);
	tell_approved(approving, approval);
	free(text);
	return CMD_OK;
}

static int fleet_approve_verb(int argc, char **argv)
{
	enum { OPT_GROUP = FLEET_OPT_OWN, OPT_REKEY };
	static const struct option options[] = {
		FLEET_OPTIONS,
		{"group", required_argument, NULL, OPT_GROUP},
		{"new-key", no_argument, NULL, OPT_REKEY},
		{0},
	};
	struct approving approving = {0};
	int code, r;

	while ((code = getopt_long(argc, argv, "", options, NULL)) != -1) {
		if (code == OPT_REKEY) {
			approving.rekey = true;
			continue;
		}
		if (code == OPT_GROUP) {
			if (approving.n_groups >= LINK_GROUPS_MAX)
				return cmd_usage(FLEET_VERB,
						 "approve: more than %d groups",
						 LINK_GROUPS_MAX);
			approving.groups[approving.n_groups++] = optarg;
			continue;
		}
		r = cmd_fleet_take(&approving.cmd, code);
		if (r)
			return r == CMD_DONE ? CMD_OK : r;
	}
	if (argc - optind != 1)
		return cmd_usage(FLEET_VERB,
				 "approve: expected one HOST.request");
	approving.file = argv[optind];
	r = cmd_fleet_open(&approving.cmd, FLEET_READ);
	if (!r)
		r = read_request(&approving);
	if (!r)
		r = approve(&approving);
	fleet_close(approving.cmd.fleet);
	return r;
}

/* ---- users -------------------------------------------------------------- */

/* A line of a list of the configuration. */
static void print_subject(const char *before, const char *name,
			  const char *behind)
{
	(void)printf("              \"%s%s%s\"\n", before, name, behind);
}

static void print_user(const struct fleet_host *host)
{
	(void)printf("      {\n        user: \"CN=%s\"\n"
		     "        permissions {\n          publish {\n"
		     "            allow: [\n",
		     host->token);
	print_subject(LINK_REPORT_OF, host->token, "");
	print_subject(LINK_ATTEST_OF, host->token, "");
	print_subject(LINK_GET LINK_POLICY_OF_HOST, host->token, "");
	for (size_t i = 0; i < host->n_groups; i++)
		print_subject(LINK_GET LINK_POLICY_OF_GROUP, host->groups[i],
			      "");
	(void)printf("            ]\n          }\n          subscribe {\n"
		     "            allow: [\n");
	print_subject(LINK_POLICY_OF_HOST, host->token, "");
	for (size_t i = 0; i < host->n_groups; i++)
		print_subject(LINK_POLICY_OF_GROUP, host->groups[i], "");
	print_subject(LINK_ASK_ALL, "", "");
	print_subject(LINK_ASK_OF, host->token, "");
	print_subject(LINK_INBOX_OF_HOST, host->token, ".>");
	(void)printf("            ]\n          }\n        }\n      }\n");
}

/* What the broker lets each host do, which nobody has to write by hand. */
static int fleet_users_verb(int argc, char **argv)
{
	static const struct option options[] = {FLEET_OPTIONS, {0}};
	struct cmd_fleet cmd = {0};
	int code, r;

	while ((code = getopt_long(argc, argv, "", options, NULL)) != -1) {
		r = cmd_fleet_take(&cmd, code);
		if (r)
			return r == CMD_DONE ? CMD_OK : r;
	}
	r = cmd_no_more(FLEET_VERB, argc, argv);
	if (!r)
		r = cmd_fleet_open(&cmd, FLEET_READ);
	for (size_t i = 0; !r && i < cmd.fleet->n_hosts; i++)
		print_user(&cmd.fleet->hosts[i]);
	/* One that is left out would be locked out. */
	if (!r && cmd.errs.n)
		r = CMD_WRONG;
	fleet_close(cmd.fleet);
	return r;
}

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
		.seen_s = fleet_seen_get(fleet, host->name),
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

static int fleet_incidents_verb(int argc, char **argv)
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

static int fleet_report_verb(int argc, char **argv)
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

/* ---- all ---------------------------------------------------------------- */

int cmd_fleet(int argc, char **argv)
{
	static const struct {
		const char *name;
		int (*fn)(int argc, char **argv);
	} verbs[] = {
		{"init", fleet_init_verb},
		{"approve", fleet_approve_verb},
		{"push", cmd_fleet_push},
		{"status", cmd_fleet_status},
		{"watch", cmd_fleet_watch},
		{"users", fleet_users_verb},
		{"incidents", fleet_incidents_verb},
		{"report", fleet_report_verb},
	};
	const char *what = argc >= 2 ? argv[1] : "";

	if (strcmp(what, "--help") == 0)
		return fleet_incidents_verb(argc, argv);
	/* getopt_long() begins its messages with it. */
	if (argc >= 2)
		argv[1] = argv[0];
	for (size_t i = 0; i < N_ELEMENTS(verbs); i++)
		if (strcmp(what, verbs[i].name) == 0)
			return verbs[i].fn(argc - 1, argv + 1);
	return cmd_usage(FLEET_VERB, "expected init, approve, users, push, "
				     "status, watch, incidents or report");
}
