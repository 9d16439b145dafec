// SPDX-License-Identifier: GPL-2.0-only
/*
 * `cordon policy apply': a policy and its signatures to where the agent has
 * its own, and back if it does not take them.
 */
#include "cmd.h"
#include "cmd_policy.h"
#include "evidence.h"
#include "log.h"
#include "trust.h"

#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define VERB	"policy"
#define POLL_NS 100000000L

/* What the agent said last. */
struct agent_word {
	char path[4096]; /* of its socket */
	bool told;
	pid_t pid;
	uint64_t reloads;
	uint64_t serial;
	char file[4096]; /* of its policy */
	char sha256[SIGN_HASH_CHARS_MAX];
	char problem[POLICY_ERROR_CHARS_MAX];
};

struct applying {
	const char *file;
	struct agent_word agent;
	struct trust_bundle next;
	struct trust_bundle before; /* no bytes: there was none */
	struct policy *policy;
	struct policy_errors errs;
};

/* ---- the agent ----------------------------------------------------------- */

static int take_status(const json_t *line, const char *text, void *arg)
{
	const json_t *policy = json_object_get(line, "policy");
	struct agent_word *agent = arg;

	(void)text;
	if (strcmp(evidence_text(line, "type"), "status") != 0)
		return 0;
	agent->told = true;
	agent->pid = (pid_t)evidence_number(line, "pid");
	agent->reloads = evidence_number(line, "reloads");
	agent->serial = evidence_number(line, "policy_serial");
	(void)snprintf(agent->file, sizeof(agent->file), "%s",
		       evidence_text(policy, "file"));
	(void)snprintf(agent->sha256, sizeof(agent->sha256), "%s",
		       evidence_text(policy, "sha256"));
	(void)snprintf(agent->problem, sizeof(agent->problem), "%s",
		       evidence_text(line, "problem"));
	log_clean(agent->problem);
	return 0;
}

static int ask(struct agent_word *agent)
{
	const struct control_request request = {.verb = CONTROL_STATUS};
	char error[CONTROL_ERROR_CHARS_MAX];
	int r;

	agent->told = false;
	r = control_call(agent->path, &request, take_status, agent, error);
	if (r)
		return cmd_failed(VERB, r, error);
	if (agent->told && agent->pid > 1)
		return CMD_OK;
	(void)fprintf(stderr, "cordon policy: the agent does not say where its "
			      "policy is: it is another version\n");
	return CMD_WRONG;
}

/* Has it look, and waits until it has: a scan takes as long as it takes. */
static int reload(struct agent_word *agent)
{
	const struct timespec nap = {.tv_nsec = POLL_NS};
	const uint64_t before = agent->reloads;
	const pid_t pid = agent->pid;
	int r;

	if (kill(pid, SIGHUP) < 0)
		return cmd_policy_failed("the agent cannot be told: use sudo",
					 -errno);
	do {
		(void)nanosleep(&nap, NULL);
		r = ask(agent);
	} while (!r && agent->pid == pid && agent->reloads == before);
	return r;
}

/* ---- apply --------------------------------------------------------------- */

static int put_back(struct applying *applying, const char *why)
{
	const char *file = applying->agent.file;
	int r;

	r = applying->before.bytes ? trust_bundle_put(file, evidence_base(file),
						      &applying->before)
				   : trust_bundle_remove(file);
	if (r)
		return cmd_policy_failed(applying->agent.file, r);
	(void)fprintf(stderr, "cordon policy: refused: %s\n", why);
	/* It is as it was, and the status shall say so. */
	r = reload(&applying->agent);
	if (!r)
		(void)fprintf(stderr,
			      "cordon policy: serial %" PRIu64 " stays in "
			      "force, and %s is as it was\n",
			      applying->agent.serial, applying->agent.file);
	return CMD_WRONG;
}

static int put_and_see(struct applying *applying)
{
	char why[POLICY_ERROR_CHARS_MAX];
	int r;

	r = trust_bundle_put(applying->agent.file,
			     evidence_base(applying->file), &applying->next);
	if (r)
		return put_back(applying, strerror(-r));
	r = reload(&applying->agent);
	if (r)
		return r;
	if (!applying->agent.problem[0] &&
	    strcmp(applying->agent.sha256, applying->policy->sha256) == 0) {
		(void)printf("serial %" PRIu64 " of %s is in force\n",
			     applying->agent.serial, applying->policy->issuer);
		return CMD_OK;
	}
	if (!applying->agent.problem[0] &&
	    applying->agent.serial > applying->policy->serial)
		(void)snprintf(why, sizeof(why),
			       "its serial %" PRIu64 " is older than %" PRIu64
			       ", which the force has sent",
			       applying->policy->serial,
			       applying->agent.serial);
	else
		(void)snprintf(why, sizeof(why), "%s",
			       applying->agent.problem[0]
				       ? applying->agent.problem
				       : "the agent says no more: journalctl "
					 "-u cordond");
	return put_back(applying, why);
}

static bool is_same_file(const char *a, const char *b)
{
	struct stat x, y;

	return stat(a, &x) == 0 && stat(b, &y) == 0 && x.st_dev == y.st_dev &&
	       x.st_ino == y.st_ino;
}

static int apply(struct applying *applying)
{
	int r;

	r = trust_bundle_read(applying->file, &applying->next, &applying->errs);
	if (!r)
		r = policy_parse(applying->file, applying->next.bytes,
				 applying->next.len, &applying->policy,
				 &applying->errs);
	if (r)
		return cmd_policy_errors(applying->file, r, &applying->errs);
	r = ask(&applying->agent);
	if (r)
		return r;
	if (!applying->agent.file[0]) {
		(void)fprintf(stderr, "cordon policy: the agent has the policy "
				      "of the one before, and says no file: "
				      "systemctl restart cordond\n");
		return CMD_WRONG;
	}
	if (is_same_file(applying->file, applying->agent.file))
		return cmd_usage(VERB,
				 "apply: %s is where the agent has its "
				 "policy: put the next one elsewhere",
				 applying->file);
	r = trust_bundle_read(applying->agent.file, &applying->before,
			      &applying->errs);
	if (r && r != -ENOENT)
		return cmd_policy_errors(applying->file, r, &applying->errs);
	return put_and_see(applying);
}

int cmd_policy_apply(int argc, char **argv)
{
	static const struct option options[] = {
		{"help", no_argument, NULL, CMD_OPT_HELP},
		{"run-dir", required_argument, NULL, CMD_OPT_RUN_DIR},
		{0},
	};
	struct cmd_common common = {0};
	struct applying applying = {0};
	int code, r;

	/* Everybody may read a policy. */
	(void)umask(022);
	while ((code = getopt_long(argc, argv, "", options, NULL)) != -1) {
		r = cmd_take_shared(&common, code, VERB);
		if (r)
			return r == CMD_DONE ? CMD_OK : r;
	}
	if (argc - optind != 1)
		return cmd_usage(VERB, "apply: expected one FILE");
	applying.file = argv[optind];
	if (!cmd_socket(&common, applying.agent.path,
			sizeof(applying.agent.path)))
		return cmd_usage(VERB, "the run directory's name is too long");
	r = apply(&applying);
	policy_free(applying.policy);
	trust_bundle_release(&applying.next);
	trust_bundle_release(&applying.before);
	return r;
}
