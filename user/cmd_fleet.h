/* SPDX-License-Identifier: GPL-2.0-only */
/* The parts of `cordon fleet'. */
#ifndef CORDON_CMD_FLEET_H
#define CORDON_CMD_FLEET_H

#include <getopt.h>
#include <stdbool.h>
#include <stdint.h>

#include "cmd.h"
#include "fleet.h"
#include "link.h"

#define FLEET_VERB "fleet"

/* Options that its verbs share. */
enum {
	FLEET_OPT_DIR = CMD_OPT_OWN,
	FLEET_OPT_LINK,
	FLEET_OPT_USER,
	FLEET_OPT_OWN,
};

#define FLEET_OPTIONS                                         \
	{"help", no_argument, NULL, CMD_OPT_HELP},            \
		{"json", no_argument, NULL, CMD_OPT_JSON},    \
	{                                                     \
		"dir", required_argument, NULL, FLEET_OPT_DIR \
	}
#define FLEET_LINK_OPTIONS                                           \
	{"link", required_argument, NULL, FLEET_OPT_LINK},           \
	{                                                            \
		"link-user", required_argument, NULL, FLEET_OPT_USER \
	}

struct cmd_fleet {
	struct cmd_common common;
	const char *dir;
	const char *link; /* NULL: where it belongs */
	const char *user; /* who the link runs as; NULL: whom it chooses */
	struct fleet *fleet;
	struct policy_errors errs;
};

/* As cmd_take_shared(), with the options above. */
int cmd_fleet_take(struct cmd_fleet *cmd, int code);

/* How many seconds, 1 to 3600. CMD_OK or CMD_USAGE, and said. */
int cmd_fleet_take_wait(const char *text, uint64_t *ret_s);

/* Says what a function of the fleet returned, about what. An exit code. */
int cmd_fleet_failed(const char *what, int r);

/* Opens cmd->fleet, for fleet_close(). An exit code; what is wrong, also with
 * single hosts that are left out, has been said. */
int cmd_fleet_open(struct cmd_fleet *cmd, enum fleet_open how);

/* The host of that name; NULL: there is none, which has been said. */
struct fleet_host *cmd_fleet_host(struct cmd_fleet *cmd, const char *name);

/* ---- the broker --------------------------------------------------------- */

/* A link for link_free(). An exit code; what is wrong has been said. */
int cmd_fleet_link(const struct cmd_fleet *cmd, struct link **ret_link);

/*
 * The next frame, which lives until the next call. 1; 0: none came until
 * until_ms (clock_ms()); -EINTR: a signal came; -ENOMEM.
 */
int cmd_fleet_next(struct link *link, int64_t until_ms,
		   struct link_frame *ret_frame);

/* Waits until it is connected. An exit code; what is wrong has been said. */
int cmd_fleet_connect(struct link *link, int64_t until_ms);

/* The verbs that have files of their own, each as cmd_fleet(). */
int cmd_fleet_approve(int argc, char **argv);
int cmd_fleet_users(int argc, char **argv);
int cmd_fleet_incidents(int argc, char **argv);
int cmd_fleet_report(int argc, char **argv);
int cmd_fleet_push(int argc, char **argv);
int cmd_fleet_status(int argc, char **argv);
int cmd_fleet_watch(int argc, char **argv);

/* The host's id, so that it can be read out on the telephone. */
void cmd_fleet_spell_id(const struct sign_public *key, char *buf, size_t size);

#endif
