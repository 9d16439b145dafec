/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The verbs of `cordon`. Each gets its own arguments, argv[0] being the verb,
 * reads its options with getopt_long() and returns an exit code. Data goes to
 * standard output, what is wrong to standard error.
 */
#ifndef CORDON_CMD_H
#define CORDON_CMD_H

#include <getopt.h>
#include <stdbool.h>
#include <stddef.h>

#include "control.h"
#include "evidence_index.h"
#include "sign.h"
#include "term.h"

/* Exit codes, as cordon(1) promises them. */
enum cmd_exit {
	CMD_OK,
	CMD_WRONG,   /* a check failed, something is wrong */
	CMD_USAGE,   /* the command was not understood */
	CMD_REACH,   /* the agent cannot be reached */
	CMD_DENIED,  /* the agent does not answer this user */
	CMD_LOOSER,  /* a policy lets something pass that another does not */
	CMD_REFUSED, /* a policy would, or may, refuse what went through */
	CMD_LAGS,    /* a host is silent, lags behind, or is not well */
};

struct verb {
	const char *name;
	int (*fn)(int argc, char **argv);
	const char *help;  /* one line for the list */
	const char *usage; /* all of its --help */
};

int cmd_doctor(int argc, char **argv);
int cmd_status(int argc, char **argv);
int cmd_events(int argc, char **argv);
int cmd_ledger(int argc, char **argv);
int cmd_explain(int argc, char **argv);
int cmd_policy(int argc, char **argv);
int cmd_evidence(int argc, char **argv);
int cmd_exposed(int argc, char **argv);
int cmd_act(int argc, char **argv);
int cmd_top(int argc, char **argv);
int cmd_metrics(int argc, char **argv);
int cmd_incident(int argc, char **argv);
int cmd_report(int argc, char **argv);
int cmd_export(int argc, char **argv);
int cmd_fleet(int argc, char **argv);
int cmd_enroll(int argc, char **argv);

/* Options that verbs share; own ones start at CMD_OPT_OWN. */
enum cmd_option {
	CMD_OPT_HELP = 256,
	CMD_OPT_JSON,
	CMD_OPT_RUN_DIR,
	CMD_OPT_OWN,
};

#define CMD_OPTIONS                                                 \
	{"help", no_argument, NULL, CMD_OPT_HELP},                  \
		{"json", no_argument, NULL, CMD_OPT_JSON},          \
	{                                                           \
		"run-dir", required_argument, NULL, CMD_OPT_RUN_DIR \
	}

struct cmd_common {
	bool json;
	const char *run_dir; /* NULL: the default */
};

/*
 * Takes a shared option. 0: taken; CMD_NOT_SHARED: the caller's turn;
 * CMD_DONE: the help was shown, exit with CMD_OK; CMD_USAGE: unknown, and said.
 */
enum { CMD_NOT_SHARED = -2, CMD_DONE = -1 };
int cmd_take_shared(struct cmd_common *common, int code, const char *verb);

/* Says what is wrong with the arguments; returns CMD_USAGE. */
int cmd_usage(const char *verb, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

/* One of the verbs of a verb: `push' of `cordon fleet push'. */
struct cmd_verb {
	const char *name;
	int (*fn)(int argc, char **argv);
};

/*
 * Runs the one of n that argv[1] names, with the arguments from there on;
 * false: there is none of that name.
 */
bool cmd_run_verb(const struct cmd_verb *verbs, size_t n, int argc, char **argv,
		  int *ret_code);

/* CMD_USAGE if arguments are left behind the options, else 0. */
int cmd_no_more(const char *verb, int argc, char **argv);

/*
 * Asks the agent; with --json the lines are printed as they come, else fn gets
 * them. Returns an exit code; what went wrong has been said.
 */
int cmd_ask(const struct cmd_common *common,
	    const struct control_request *request, control_line_fn fn,
	    void *arg);

/* What to do about an error of control_call(), NULL: nothing that is known; and
 * the exit code for it. */
const char *cmd_remedy(int error);
int cmd_exit_code(int error);
/* Says what control_call() failed with, and what to do. An exit code. */
int cmd_failed(const char *verb, int r, const char *error);

/* What is in memory from here on is for no core file, and no debugger. */
void cmd_keep_secrets(void);

/* Prints an object, which it steals, as a line; NULL prints nothing. */
void cmd_print_json(json_t *line);

/* A control_line_fn that prints the line as it is; @arg is not used. */
int cmd_print_line(const json_t *line, const char *text, void *arg);

/*
 * Where evidence is: the arguments behind the options or, if there are none,
 * where the agent of this host writes. For evidence_files().
 */
const char *const *cmd_evidence_paths(int argc, char **argv, size_t *ret_n);

/* Public keys that were named, or found. */
struct cmd_keys {
	struct sign_public *at;
	size_t n;
};

/* Adds that of a file. An exit code; what went wrong has been said. */
int cmd_keys_add(const char *verb, struct cmd_keys *keys, const char *path);

/* That which lies beside the evidence at path. Likewise. */
int cmd_keys_folder(const char *verb, struct cmd_keys *keys, const char *path);

/*
 * The index over that evidence, up to date. Returns an exit code; what went
 * wrong, and that a segment is damaged, has been said.
 */
struct cmd_index {
	const char *verb;
	struct evidence_index *index;
	struct evidence_index_found found;
	char file[4096]; /* where it is kept; "": in memory */
};
enum cmd_index_use {
	CMD_INDEX_KEPT,
	CMD_INDEX_ANEW, /* what was kept is not believed */
	CMD_INDEX_OWN, /* nothing is kept: who proves something makes its own */
};
int cmd_index_open(const char *verb, int argc, char **argv,
		   enum cmd_index_use use, struct cmd_index *ret_index);

/* Says what an evidence_index function returned; returns an exit code. */
int cmd_index_error(const struct cmd_index *index, int r);

/* The exit code that status becomes, for a segment may be damaged. */
int cmd_index_close(struct cmd_index *index, int status);

/* A table of incidents, for term_table_free(), and a row of it: the line of
 * one. host is whose it is, NULL where that is plain. 0 or -ENOMEM. */
struct term_table *cmd_incident_table(void);
int cmd_incident_row(struct term_table *table, const char *host,
		     const json_t *line);

/* The socket's path; false if it would be too long. */
bool cmd_socket(const struct cmd_common *common, char *buf, size_t size);

/* ---- reading lines ------------------------------------------------------ */

/* The member of that name, cleaned for a terminal into one of a few static
 * buffers that are used in turn; "" if it is not there. */
const char *cmd_text(const json_t *line, const char *key);

/* 0 if it is not there. */
uint64_t cmd_number(const json_t *line, const char *key);

#endif
