// SPDX-License-Identifier: GPL-2.0-only
#include "cmd.h"
#include "doctor.h"
#include "term.h"
#include "version.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct showing {
	struct doctor_result result;
	bool colour;
	bool json;
};

static void show_ignored(struct showing *showing, const char *policy)
{
	struct doctor_item item;
	json_t *line;

	doctor_policy_ignored(policy, &item);
	showing->result.n[item.status]++;
	if (!showing->json) {
		doctor_print(stdout, &item, showing->colour);
		return;
	}
	line = doctor_json(&item);
	if (line && json_dumpf(line, stdout, JSON_COMPACT) == 0)
		(void)putchar('\n');
	json_decref(line);
}

static int show(const json_t *line, const char *text, void *arg)
{
	struct showing *showing = arg;
	struct doctor_item item;

	if (!doctor_from_json(line, &item))
		return -EPROTO;
	showing->result.n[item.status]++;
	if (showing->json)
		(void)puts(text);
	else
		doctor_print(stdout, &item, showing->colour);
	return 0;
}

/* cordond beside this program, or in the sbin beside its bin. */
static void find_agent(char *buf, size_t size)
{
	static const char *const places[] = {"cordond", "../sbin/cordond"};
	char self[4096];
	ssize_t n;
	char *slash;

	n = readlink("/proc/self/exe", self, sizeof(self) - 1);
	self[n > 0 ? n : 0] = '\0';
	slash = strrchr(self, '/');
	for (size_t i = 0; slash && i < 2; i++) {
		slash[1] = '\0';
		n = snprintf(buf, size, "%s%s", self, places[i]);
		if (n > 0 && (size_t)n < size && access(buf, X_OK) == 0)
			return;
	}
	(void)snprintf(buf, size, "/usr/sbin/cordond");
}

/* No agent that answers: the agent's program looks for itself. */
static int exec_agent(const struct cmd_common *common, const char *policy)
{
	char path[4096];
	char *argv[8];
	int n = 0;

	find_agent(path, sizeof(path));
	argv[n++] = path;
	argv[n++] = (char *)"--doctor";
	if (common->json)
		argv[n++] = (char *)"--json";
	if (common->run_dir) {
		argv[n++] = (char *)"--run-dir";
		argv[n++] = (char *)common->run_dir;
	}
	if (policy) {
		argv[n++] = (char *)"--policy";
		argv[n++] = (char *)policy;
	}
	argv[n] = NULL;
	(void)fflush(stdout);
	(void)execv(path, argv);
	(void)fprintf(stderr, "cordon doctor: %s: %s: install the agent\n",
		      path, strerror(errno));
	return CMD_WRONG;
}

int cmd_doctor(int argc, char **argv)
{
	enum { OPT_POLICY = CMD_OPT_OWN };
	static const struct option options[] = {
		CMD_OPTIONS,
		{"policy", required_argument, NULL, OPT_POLICY},
		{0},
	};
	struct control_request request = {.verb = CONTROL_DOCTOR};
	char path[4096], error[CONTROL_ERROR_CHARS_MAX];
	struct cmd_common common = {0};
	struct showing showing = {0};
	const char *policy = NULL;
	int code, r;

	while ((code = getopt_long(argc, argv, "", options, NULL)) != -1) {
		r = cmd_take_shared(&common, code, "doctor");
		if (r == CMD_NOT_SHARED)
			policy = optarg;
		else if (r)
			return r == CMD_DONE ? CMD_OK : r;
	}
	r = cmd_no_more("doctor", argc, argv);
	if (r)
		return r;
	if (!cmd_socket(&common, path, sizeof(path)))
		return cmd_usage("doctor", "the run directory's name is too "
					   "long");
	showing.json = common.json;
	showing.colour = term_wants_colour(stdout);
	r = control_call(path, &request, show, &showing, error);
	if (r == -ENOENT || r == -ECONNREFUSED || r == -EACCES)
		return exec_agent(&common, policy);
	if (r) {
		(void)fprintf(stderr, "cordon doctor: %s\n", error);
		return r == -EPIPE || r == -EBUSY ? CMD_REACH : CMD_WRONG;
	}
	if (policy)
		show_ignored(&showing, policy);
	if (!common.json)
		doctor_print_result(stdout, &showing.result, showing.colour);
	return showing.result.n[DOCTOR_FAIL] ? CMD_WRONG : CMD_OK;
}
