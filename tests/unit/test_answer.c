// SPDX-License-Identifier: GPL-2.0-only
/*
 * What the agent answers on its socket, about a guard of our own that has one
 * dataset and a ledger of three lines.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "agent.h"
#include "args.h"
#include "clock.h"

/* ---- the guard ---------------------------------------------------------- */

static const char *const names[] = {"roster", "printer", "backup"};

const struct guard_state *guard_state(const struct guard *guard)
{
	static struct guard_state state;

	(void)guard;
	return &state;
}

enum guard_attach guard_attached(const struct guard *guard)
{
	(void)guard;
	return GUARD_ATTACH_LSM;
}

int guard_stats(const struct guard *guard, struct guard_stats *ret_stats)
{
	(void)guard;
	memset(ret_stats, 0, sizeof(*ret_stats));
	return 0;
}

void agent_clock(struct remember_clock *ret_clock)
{
	*ret_clock = (struct remember_clock){.wall_s = time(NULL)};
}

int64_t agent_policy_age(const struct agent *agent)
{
	(void)agent;
	return INT64_MIN;
}

json_t *agent_fleet_status(const struct agent *agent)
{
	(void)agent;
	return json_null();
}

json_t *agent_act_status(const struct agent *agent)
{
	(void)agent;
	return json_null();
}

int answer_act(struct agent *agent, struct control_client *client)
{
	(void)agent;
	(void)client;
	return -EINVAL;
}

int guard_is_holder(struct guard *guard, uint32_t tgid)
{
	(void)guard;
	(void)tgid;
	return 0;
}

const char *guard_name(const struct guard *guard, uint32_t kind, uint32_t id)
{
	(void)guard;
	if (kind == NAME_DEST && id == CORDON_DEST_READ)
		return "read";
	if (kind == NAME_DEST && !id)
		return "*";
	return names[kind == NAME_DATASET ? 0 : kind == NAME_SUBJECT ? 1 : 2];
}

int guard_name_find(const struct guard *guard, uint32_t kind, const char *name,
		    uint32_t *ret_id)
{
	*ret_id = kind == NAME_DEST && !strcmp(name, "read") ? CORDON_DEST_READ
							     : 1;
	return strcmp(name, guard_name(guard, kind, *ret_id)) ? -ENOENT : 0;
}

const char *guard_name_nearest(const struct guard *guard, uint32_t kind,
			       const char *name)
{
	(void)guard;
	(void)kind;
	return args_nearest(name, names, 3, sizeof(names[0]));
}

/* One that reads on its own, one that took all sorts of things in, and one of
 * which nothing is known. */
int guard_each_holder(const struct guard *guard, guard_holder_fn fn, void *arg)
{
	static const struct holding own = {
		.shares = {
			{.origin = 1, .dataset = 1, .bytes = 10, .records = 2},
			{.origin = 2, .dataset = 1, .bytes = 5, .records = 1}}};
	static const struct holding folded = {
		.shares = {
			{.origin = CORDON_ORIGIN_FOLDED,
			 .bytes = 100,
			 .records = 7},
			{.origin = 1, .dataset = 1, .bytes = 3, .records = 1}}};
	const struct guard_holder holders[] = {
		{.tgid = 1, .holding = &own},
		{.tgid = 2, .holding = &folded},
		{.tgid = 3},
	};
	int r = 0;

	(void)guard;
	for (size_t i = 0; i < 3 && !r; i++)
		r = fn(&holders[i], arg);
	return r;
}

int guard_each_budget(const struct guard *guard, guard_budget_fn fn, void *arg)
{
	(void)guard;
	(void)fn;
	(void)arg;
	return 0;
}

int guard_budget(const struct guard *guard, const struct budget_key *key,
		 struct guard_budget *ret_budget)
{
	(void)guard;
	(void)key;
	(void)ret_budget;
	return -ENOENT;
}

int guard_each_origin(const struct guard *guard, guard_origin_fn fn, void *arg)
{
	(void)guard;
	(void)fn;
	(void)arg;
	return 0;
}

int guard_each_ledger(const struct guard *guard, guard_ledger_fn fn, void *arg)
{
	static const uint16_t dests[] = {0, 1, CORDON_DEST_READ};
	struct ledger_key key = {.subject = 1, .dataset = 1};
	struct ledger ledger = {.acts = 1};
	int r = 0;

	(void)guard;
	for (size_t i = 0; i < 3 && !r; i++) {
		key.dest = dests[i];
		r = fn(&key, &ledger, arg);
	}
	return r;
}

/* A process whose number no process of the host has: the second of a chain. */
#define GONE 4194301

int guard_process(const struct guard *guard, uint32_t tgid, uint64_t *ret_id)
{
	(void)guard;
	(void)tgid;
	(void)ret_id;
	return -ENOENT;
}

int guard_pool(const struct guard *guard, uint32_t tgid, uint32_t *ret_subject)
{
	(void)guard;
	(void)tgid;
	(void)ret_subject;
	return -ENOENT;
}

int guard_holding(const struct guard *guard, uint64_t id,
		  struct holding *ret_holding)
{
	(void)guard;
	(void)id;
	(void)ret_holding;
	return -ENOENT;
}

int guard_charges(const struct guard *guard, uint64_t id,
		  struct charges *ret_charges)
{
	(void)guard;
	(void)id;
	(void)ret_charges;
	return -ENOENT;
}

/* Of the first the step before is lost. */
int guard_each_step(const struct guard *guard, guard_step_fn fn, void *arg)
{
	static const struct step steps[] = {
		{.serial = 9,
		 .to = 2,
		 .from = 1,
		 .first = 9,
		 .time_ns = 9,
		 .last_ns = 9,
		 .kind = STEP_PIPE,
		 .dataset = 1,
		 .records = 3,
		 .who = {.tgid = GONE, .comm = "a\nb"}},
		{.serial = 8,
		 .to = 1,
		 .from = STEP_ORIGIN | 1,
		 .first = 7,
		 .time_ns = 8,
		 .last_ns = 8,
		 .kind = STEP_READ,
		 .dataset = 1,
		 .who = {.tgid = GONE - 1, .comm = "cat"}},
	};
	int r = 0;

	(void)guard;
	for (size_t i = 0; i < 2 && !r; i++)
		r = fn(&steps[i], arg);
	return r;
}

int guard_origin(const struct guard *guard, uint32_t slot,
		 struct origin *ret_origin)
{
	(void)guard;
	(void)slot;
	(void)ret_origin;
	return -ENOENT;
}

int guard_file(struct guard *guard, const char *path,
	       struct guard_file *ret_file)
{
	(void)guard;
	(void)path;
	(void)ret_file;
	return -ENOENT;
}

int doctor_run(const struct doctor_options *opts, doctor_fn fn, void *arg,
	       struct doctor_result *ret_result)
{
	(void)opts;
	(void)fn;
	(void)arg;
	memset(ret_result, 0, sizeof(*ret_result));
	return 0;
}

/* ---- the agent ---------------------------------------------------------- */

static char dir[32], path[64], error[CONTROL_ERROR_CHARS_MAX];

/* What the next one has, which takes it. */
static struct eventlog *log_of_before;

/* Answers, with that policy, until it is killed. */
static pid_t serve(struct policy *policy)
{
	static struct agent_options opts;
	static struct agent agents[8]; /* what they had is the child's */
	static size_t n;
	struct agent *agent = &agents[n++];
	struct pollfd p = {.events = POLLIN};
	pid_t pid;

	opts.state_dir = opts.policy_file = dir;
	agent->opts = &opts;
	agent->policy = policy;
	agent->log = log_of_before;
	log_of_before = NULL;
	if (!agent->log)
		assert_int_equal(eventlog_new(&agent->log), 0);
	assert_int_equal(control_new(path, answer, agent, &agent->control), 0);
	pid = fork();
	assert_true(pid >= 0);
	if (pid) {
		/* Not control_free(): the child's socket would go. */
		eventlog_free(agent->log);
		return pid;
	}
	p.fd = control_fd(agent->control);
	while (poll(&p, 1, -1) >= 0)
		if (control_dispatch(agent->control))
			break;
	_exit(1);
}

static void end(pid_t pid)
{
	assert_int_equal(kill(pid, SIGKILL), 0);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
}

struct heard {
	size_t lines;
	char last[1024];
};

static int hear(const json_t *line, const char *text, void *arg)
{
	struct heard *heard = arg;

	if (strcmp(json_string_value(json_object_get(line, "type")), "status"))
		(void)snprintf(heard->last, sizeof(heard->last), "%s", text);
	heard->lines++;
	return 0;
}

static int ledger(const char *dataset, const char *destination,
		  struct heard *heard)
{
	struct control_request request = {.verb = CONTROL_LEDGER};

	(void)snprintf(request.dataset, sizeof(request.dataset), "%s", dataset);
	(void)snprintf(request.destination, sizeof(request.destination), "%s",
		       destination);
	memset(heard, 0, sizeof(*heard));
	error[0] = '\0';
	return control_call(path, &request, hear, heard, error);
}

static void ledger_refuses_a_name_when_unknown(void **state)
{
	struct heard heard;
	pid_t pid = serve(NULL);

	(void)state;
	assert_int_equal(ledger("", "", &heard), 0);
	assert_int_equal(heard.lines, 3);
	assert_int_equal(ledger("rooster", "", &heard), -ESRCH);
	assert_string_equal(error, "no dataset is called rooster: did you mean "
				   "roster?");
	assert_int_equal(ledger("roster", "zebra", &heard), -ESRCH);
	assert_string_equal(error, "no destination is called zebra");
	assert_int_equal(ledger("roster", "read", &heard), 0);
	assert_int_equal(heard.lines, 1);
	end(pid);
}

static void ledger_takes_elsewhere_for_what_no_name_covers(void **state)
{
	struct policy_destination called = {.name = (char *)"elsewhere"};
	struct policy policy = {.destinations = &called, .n_destinations = 1};
	struct heard heard;
	pid_t pid = serve(NULL);

	(void)state;
	assert_int_equal(ledger("", "elsewhere", &heard), 0);
	assert_int_equal(heard.lines, 1);
	assert_non_null(strstr(heard.last, "\"destination\":\"*\""));
	assert_int_equal(ledger("", "*", &heard), 0);
	assert_int_equal(heard.lines, 1);
	end(pid);

	/* But not where something is called so. */
	pid = serve(&policy);
	assert_int_equal(ledger("", "elsewhere", &heard), 0);
	assert_int_equal(heard.lines, 0);
	end(pid);
}

static void status_names_paths_when_they_are_not_there(void **state)
{
	struct policy_path paths[] = {{.path = dir},
				      {.path = (char *)"/dev/shm/photso"}};
	struct policy_dataset dataset = {
		.name = (char *)"roster", .paths = paths, .n_paths = 2};
	struct policy policy = {.issuer = (char *)"x",
				.datasets = &dataset,
				.n_datasets = 1,
				.expires_s = INT64_MAX};
	const struct control_request request = {.verb = CONTROL_STATUS};
	struct heard heard = {0};
	pid_t pid = serve(&policy);

	(void)state;
	assert_int_equal(control_call(path, &request, hear, &heard, error), 0);
	assert_int_equal(heard.lines, 2);
	assert_non_null(
		strstr(heard.last, "\"missing\":[\"/dev/shm/photso\"]"));
	end(pid);
}

/* What was said, one line after the other. */
static int gather(const json_t *line, const char *text, void *arg)
{
	char *all = arg;

	(void)line;
	(void)strncat(all, text, 4095 - strlen(all));
	return 0;
}

static void status_tells_what_is_held_and_since_when(void **state)
{
	struct policy_path paths[] = {{.path = dir}};
	struct policy_dataset dataset = {
		.name = (char *)"roster", .paths = paths, .n_paths = 1};
	struct policy policy = {.issuer = (char *)"x",
				.datasets = &dataset,
				.n_datasets = 1,
				.not_before_s = 1764000000,
				.expires_s = 1795000000};
	const struct control_request request = {.verb = CONTROL_STATUS};
	pid_t pid = serve(&policy);
	char all[4096] = "";

	(void)state;
	assert_int_equal(control_call(path, &request, gather, all, error), 0);
	assert_non_null(strstr(all, "\"holders\":3,\"scanning\""));
	assert_non_null(strstr(all, "\"holders\":3,\"held_bytes\":103,"
				    "\"held_records\":8"));
	assert_non_null(strstr(all, "\"expires\":\"2026-11-18T11:06:40.000Z\","
				    "\"not_before\":"
				    "\"2025-11-24T16:00:00.000Z\","
				    "\"applied\":\"1970-01-01T00:00:00"));
	/* This agent has no log. */
	assert_non_null(strstr(all, "\"evidence\":{\"writing\":false}"));
	end(pid);
}

static int explain(uint32_t pid, const char *file, char *all)
{
	struct control_request request = {.verb = CONTROL_EXPLAIN, .pid = pid};

	(void)snprintf(request.file, sizeof(request.file), "%s", file);
	all[0] = '\0';
	return control_call(path, &request, gather, all, error);
}

static void explain_tells_the_chain_and_its_gap_when_gone(void **state)
{
	pid_t pid = serve(NULL);
	char all[4096], *read, *hop, *gap;

	(void)state;
	assert_int_equal(explain(GONE, "", all), 0);
	assert_non_null(strstr(all, "\"alive\":false,\"holds\":true"));
	read = strstr(all, "\"kind\":\"read\"");
	hop = strstr(all, "\"kind\":\"pipe\"");
	gap = strstr(all, "\"type\":\"gap\",\"why\":\"lost\",\"holding\":1");
	assert_true(read && hop && gap && read < hop && hop < gap);
	assert_non_null(strstr(hop, "\"from_pid\":4194300,\"from_comm\":"
				    "\"cat\""));
	assert_null(strchr(all, '\n'));
	assert_non_null(strstr(all, "\"comm\":\"a?b\""));
	end(pid);
}

static void explain_tells_what_it_does_not_know(void **state)
{
	pid_t pid = serve(NULL);
	char all[4096];

	(void)state;
	assert_int_equal(explain(GONE + 1, "", all), 0);
	assert_non_null(strstr(all, "\"alive\":false,\"holds\":false"));
	assert_null(strstr(all, "step"));
	assert_int_equal(explain((uint32_t)getpid(), "", all), 0);
	assert_non_null(strstr(all, "\"alive\":true,\"holds\":false"));
	assert_non_null(strstr(all, "\"comm\":\"test_answer\""));
	assert_int_equal(explain(0, "/none", all), -ESRCH);
	assert_string_equal(error, "/none: No such file or directory");
	end(pid);
}

/* An event of this process's number, of that moment since boot. */
static void keep_event(struct eventlog *log, const char *comm, int64_t boot_ns)
{
	char line[512];
	int len;

	len = snprintf(line, sizeof(line),
		       "{\"cordon\":1,\"type\":\"verdict\",\"boottime_ns\":"
		       "%lld,\"tgid\":%d,\"comm\":\"%s\"}\n",
		       (long long)boot_ns, (int)getpid(), comm);
	eventlog_keep(log, line, (size_t)len, 1);
}

static void explain_leaves_out_events_of_who_had_the_number(void **state)
{
	int64_t now = clock_ns(CLOCK_BOOTTIME);
	struct eventlog *log;
	char all[4096];
	pid_t pid;

	(void)state;
	assert_int_equal(eventlog_new(&log), 0);
	keep_event(log, "boot-before", now + 3600 * CLOCK_NS_PER_S);
	keep_event(log, "one-before", 1);
	keep_event(log, "own", now);
	log_of_before = log;
	pid = serve(NULL);
	assert_int_equal(explain((uint32_t)getpid(), "", all), 0);
	assert_non_null(strstr(all, "\"own\""));
	assert_null(strstr(all, "one-before"));
	assert_null(strstr(all, "boot-before"));
	end(pid);
}

static int make_dir(void **state)
{
	(void)state;
	(void)strcpy(dir, "/dev/shm/cordon-answer.XXXXXX");
	if (!mkdtemp(dir))
		return -1;
	(void)snprintf(path, sizeof(path), "%s/s", dir);
	return 0;
}

static int remove_dir(void **state)
{
	char command[64];

	(void)state;
	(void)snprintf(command, sizeof(command), "rm -rf %s", dir);
	return system(command);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(ledger_refuses_a_name_when_unknown),
		cmocka_unit_test(
			ledger_takes_elsewhere_for_what_no_name_covers),
		cmocka_unit_test(status_names_paths_when_they_are_not_there),
		cmocka_unit_test(status_tells_what_is_held_and_since_when),
		cmocka_unit_test(explain_tells_the_chain_and_its_gap_when_gone),
		cmocka_unit_test(explain_tells_what_it_does_not_know),
		cmocka_unit_test(
			explain_leaves_out_events_of_who_had_the_number),
	};

	return cmocka_run_group_tests(tests, make_dir, remove_dir);
}
