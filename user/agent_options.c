// SPDX-License-Identifier: GPL-2.0-only
/*
 * The arguments of cordond.
 */
#include "agent.h"

#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <string.h>

#include "enrolment.h"
#include "text.h"
#include "version.h"

static const char usage[] =
	"usage: cordond [OPTION...]\n"
	"\n"
	"The agent: loads or adopts the guard in the kernel, gives it the "
	"policy and\n"
	"reports what it does. Without --detach the guard outlives it.\n"
	"\n"
	"  --policy FILE      default " CORDON_POLICY_FILE "\n"
	"  --trust FILE       who has to sign it; default " CORDON_TRUST_FILE
	"\n"
	"  --enrolment FILE   whose fleet this host is of; default\n"
	"                     " CORDON_ENROLMENT_FILE "\n"
	"  --drop-dir DIR     where what is signed may be put too; default\n"
	"                     " CORDON_DROP_DIR "\n"
	"  --state-dir DIR    default " CORDON_STATE_DIR "\n"
	"  --run-dir DIR      default " CORDON_RUN_DIR "\n"
	"  --pin-dir DIR      default " CORDON_PIN_DIR "\n"
	"  --attach HOW       auto (default), lsm or fmod\n"
	"  --cgroup PATH      root of cgroup2, default: found\n"
	"  --max-records N    labelled files the guard has room for; default: "
	"those\n"
	"                     there are and a quarter more, rounded up to a\n"
	"                     power of 2, at least 131072\n"
	"  --foreground       stay in the foreground: the default\n"
	"  --detach           take the guard away, without an agent; with\n"
	"                     --foreground: run, and take it away at the end\n"
	"  --doctor           check this host, then exit\n"
	"  --json             with --doctor: one JSON object a line\n"
	"  --debug            say more\n"
	"  --version, --help\n"
	"\n"
	"exit: 0 ok, 1 failed, 2 usage. See cordond(8).\n";

enum option_code {
	OPT_POLICY = 256,
	OPT_TRUST,
	OPT_ENROLMENT,
	OPT_DROP_DIR,
	OPT_STATE_DIR,
	OPT_RUN_DIR,
	OPT_PIN_DIR,
	OPT_ATTACH,
	OPT_CGROUP,
	OPT_MAX_RECORDS,
	OPT_DETACH,
	OPT_FOREGROUND,
	OPT_DOCTOR,
	OPT_JSON,
	OPT_DEBUG,
	OPT_VERSION,
	OPT_HELP,
};

static const struct option options[] = {
	{"policy", required_argument, NULL, OPT_POLICY},
	{"trust", required_argument, NULL, OPT_TRUST},
	{"enrolment", required_argument, NULL, OPT_ENROLMENT},
	{"drop-dir", required_argument, NULL, OPT_DROP_DIR},
	{"state-dir", required_argument, NULL, OPT_STATE_DIR},
	{"run-dir", required_argument, NULL, OPT_RUN_DIR},
	{"pin-dir", required_argument, NULL, OPT_PIN_DIR},
	{"attach", required_argument, NULL, OPT_ATTACH},
	{"cgroup", required_argument, NULL, OPT_CGROUP},
	{"max-records", required_argument, NULL, OPT_MAX_RECORDS},
	{"detach", no_argument, NULL, OPT_DETACH},
	{"foreground", no_argument, NULL, OPT_FOREGROUND},
	{"doctor", no_argument, NULL, OPT_DOCTOR},
	{"json", no_argument, NULL, OPT_JSON},
	{"debug", no_argument, NULL, OPT_DEBUG},
	{"version", no_argument, NULL, OPT_VERSION},
	{"help", no_argument, NULL, OPT_HELP},
	{NULL, 0, NULL, 0},
};

static int parse_attach(const char *word, enum guard_attach *ret_attach)
{
	if (strcmp(word, "auto") == 0)
		*ret_attach = GUARD_ATTACH_AUTO;
	else if (strcmp(word, "lsm") == 0)
		*ret_attach = GUARD_ATTACH_LSM;
	else if (strcmp(word, "fmod") == 0)
		*ret_attach = GUARD_ATTACH_FMOD;
	else
		return -EINVAL;
	return 0;
}

/* An option's value, or NULL and a message if it is no absolute path. */
static const char *absolute(const char *name, const char *path)
{
	if (path[0] == '/')
		return path;
	(void)fprintf(stderr, "cordond: --%s %s: expected an absolute path\n",
		      name, path);
	return NULL;
}

/* 0: go on; 1: done, exit with 0; -EINVAL: wrong, and said. */
static int take_option(struct agent_options *opts, int code)
{
	uint64_t number;

	switch ((enum option_code)code) {
	case OPT_POLICY:
		opts->policy_file = optarg;
		opts->given |= AGENT_POLICY;
		return 0;
	case OPT_TRUST:
		opts->trust_file = optarg;
		return 0;
	case OPT_ENROLMENT:
		opts->enrolment_file = optarg;
		return 0;
	case OPT_DROP_DIR:
		opts->drop_dir = absolute("drop-dir", optarg);
		return opts->drop_dir ? 0 : -EINVAL;
	case OPT_STATE_DIR:
		opts->state_dir = absolute("state-dir", optarg);
		return opts->state_dir ? 0 : -EINVAL;
	case OPT_RUN_DIR:
		opts->run_dir = absolute("run-dir", optarg);
		return opts->run_dir ? 0 : -EINVAL;
	case OPT_PIN_DIR:
		opts->guard.pin_dir = absolute("pin-dir", optarg);
		return opts->guard.pin_dir ? 0 : -EINVAL;
	case OPT_CGROUP:
		opts->given |= AGENT_CGROUP;
		opts->guard.cgroup2 = absolute("cgroup", optarg);
		return opts->guard.cgroup2 ? 0 : -EINVAL;
	case OPT_ATTACH:
		opts->given |= AGENT_ATTACH;
		if (parse_attach(optarg, &opts->guard.attach) == 0)
			return 0;
		(void)fprintf(stderr,
			      "cordond: --attach %s: expected auto, "
			      "lsm or fmod\n",
			      optarg);
		return -EINVAL;
	case OPT_MAX_RECORDS:
		opts->given |= AGENT_MAX_RECORDS;
		if (text_parse_u64(optarg, 1, GUARD_RECORDS_MAX, &number) ==
		    0) {
			opts->guard.max_records = (uint32_t)number;
			return 0;
		}
		(void)fprintf(stderr,
			      "cordond: --max-records %s: expected a "
			      "number from 1 to %u\n",
			      optarg, GUARD_RECORDS_MAX);
		return -EINVAL;
	case OPT_DETACH:
		opts->detach = true;
		return 0;
	case OPT_FOREGROUND:
		opts->foreground = true;
		return 0;
	case OPT_DOCTOR:
		opts->doctor = true;
		return 0;
	case OPT_JSON:
		opts->json = true;
		return 0;
	case OPT_DEBUG:
		opts->debug = true;
		return 0;
	case OPT_VERSION:
		(void)printf("cordond " CORDON_VERSION "\n");
		return 1;
	case OPT_HELP:
		(void)fputs(usage, stdout);
		return 1;
	}
	/* getopt_long() has said what is wrong. */
	return -EINVAL;
}

/* Whoever takes the guard away and says how to load one means another thing. */
static int check_detach(const struct agent_options *opts)
{
	static const char *const names[] = {"--policy", "--attach", "--cgroup",
					    "--max-records"};

	if (!opts->detach)
		return 0;
	if (opts->doctor) {
		(void)fprintf(stderr, "cordond: --detach and --doctor: one or "
				      "the other\n");
		return -EINVAL;
	}
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		if (opts->foreground || !(opts->given & 1U << i))
			continue;
		(void)fprintf(stderr,
			      "cordond: --detach takes the guard away and "
			      "needs no %s; to run until it is stopped and "
			      "then take the guard away: --foreground "
			      "--detach\n",
			      names[i]);
		return -EINVAL;
	}
	return 0;
}

int agent_options_parse(int argc, char **argv, struct agent_options *opts)
{
	int code, r;

	while ((code = getopt_long(argc, argv, "+", options, NULL)) != -1) {
		r = take_option(opts, code);
		if (r)
			return r;
	}
	if (optind < argc) {
		(void)fprintf(stderr,
			      "cordond: %s: there is nothing but "
			      "options\n",
			      argv[optind]);
		return -EINVAL;
	}
	if (opts->json && !opts->doctor) {
		(void)fprintf(stderr, "cordond: --json needs --doctor\n");
		return -EINVAL;
	}
	return check_detach(opts);
}
