// SPDX-License-Identifier: GPL-2.0-only
/*
 * `cordon fleet': what a force does with the hosts that it guards from afar.
 * Here is what its verbs share, and how one begins.
 */
#include "cmd_fleet.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>

#include "clock.h"
#include "policy_take.h"

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

/* ---- all ---------------------------------------------------------------- */

int cmd_fleet(int argc, char **argv)
{
	static const struct cmd_verb verbs[] = {
		{"init", fleet_init_verb},
		{"approve", cmd_fleet_approve},
		{"push", cmd_fleet_push},
		{"status", cmd_fleet_status},
		{"watch", cmd_fleet_watch},
		{"users", cmd_fleet_users},
		{"incidents", cmd_fleet_incidents},
		{"report", cmd_fleet_report},
	};
	struct cmd_fleet cmd = {0};
	int code;

	if (argc >= 2 && strcmp(argv[1], "--help") == 0)
		return cmd_fleet_take(&cmd, CMD_OPT_HELP) == CMD_DONE
			       ? CMD_OK
			       : CMD_USAGE;
	if (cmd_run_verb(verbs, N_ELEMENTS(verbs), argc, argv, &code))
		return code;
	return cmd_usage(FLEET_VERB, "expected init, approve, users, push, "
				     "status, watch, incidents or report");
}
