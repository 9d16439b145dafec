// SPDX-License-Identifier: GPL-2.0-only
/*
 * The agent as a host of a fleet, without a kernel: all that it has of
 * policies, trust anchors, evidence and the link is the agent's own; the guard
 * takes what it is given. What it is to do comes on standard input:
 *
 *	add N		N more lines of evidence
 *	status		the status of its fleet, as a line
 *	reload		as SIGHUP
 *
 * What becomes of it is on standard output, a line each: `connected', `lost',
 * `serial N', `acknowledged N', and what it did.
 *
 * usage: agent DIR LINK CA CERT KEY; in DIR are etc/ and state/
 */
#include "../unit/agent_host.h"

#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <unistd.h>

#include "agent_fleet.h"
#include "log.h"
#include "text.h"

enum guard_attach guard_attached(const struct guard *guard)
{
	(void)guard;
	return GUARD_ATTACH_LSM;
}

uint64_t agent_incidents_open(const struct agent *agent)
{
	(void)agent;
	return 0;
}

static void load_fleet(struct agent *agent)
{
	if (agent_fleet_load(agent))
		exit(1);
}

static void hold_log(struct evidence_options *opts)
{
	opts->segment_bytes = 20000;
	opts->held = agent_fleet_holds(&host.agent, &opts->acked);
}

static void say(const char *format, ...) __attribute__((format(printf, 1, 2)));

static void say(const char *format, ...)
{
	va_list ap;

	va_start(ap, format);
	(void)vprintf(format, ap);
	va_end(ap);
	(void)putchar('\n');
	(void)fflush(stdout);
}

static void add(uint64_t n)
{
	for (uint64_t i = 0; i < n; i++)
		(void)agent_record(
			&host.agent,
			evidence_object("note",
					json_pack("{s:I}", "n", (json_int_t)i)),
			0, false);
	(void)agent_evidence_sync(&host.agent);
	agent_fleet_lines(&host.agent);
	say("added %" PRIu64, evidence_next(host.agent.evidence) - 1);
}

static void obey(char *line)
{
	char *rest = strchr(line, ' ');
	json_t *status;
	char *text;
	uint64_t n;

	line[strcspn(line, "\n")] = '\0';
	if (rest)
		*rest++ = '\0';
	if (strcmp(line, "add") == 0 && rest &&
	    !text_parse_u64(rest, 1, 100000, &n)) {
		add(n);
	} else if (strcmp(line, "reload") == 0) {
		agent_policy_reload(&host.agent);
		agent_fleet_start(&host.agent);
		say("reloaded");
	} else if (strcmp(line, "status") == 0) {
		status = agent_fleet_status(&host.agent);
		text = json_dumps(status, JSON_COMPACT | JSON_ENCODE_ANY);
		say("%s", text ? text : "null");
		free(text);
		json_decref(status);
	}
}

/* What is another than it was. */
static void tell(void)
{
	static bool was_connected;
	static uint64_t serial, acked;
	const struct agent_fleet *fleet = host.agent.fleet;
	bool connected = fleet->link && link_state(fleet->link)->connected;

	if (connected != was_connected)
		say(connected ? "connected" : "lost");
	if (agent_serial(&host.agent) != serial)
		say("serial %" PRIu64, agent_serial(&host.agent));
	if (fleet->kept.acked.seq != acked)
		say("acknowledged %" PRIu64, fleet->kept.acked.seq);
	was_connected = connected;
	serial = agent_serial(&host.agent);
	acked = fleet->kept.acked.seq;
}

static void run(void)
{
	struct pollfd fds[2] = {
		{.fd = STDIN_FILENO, .events = POLLIN},
		{.fd = agent_fleet_fd(&host.agent), .events = POLLIN},
	};
	char line[256];

	for (;;) {
		tell();
		if (poll(fds, 2, -1) < 0 && errno != EINTR)
			return;
		if (fds[1].revents)
			agent_fleet_work(&host.agent);
		if (fds[0].revents && !fgets(line, sizeof(line), stdin))
			return;
		if (fds[0].revents)
			obey(line);
	}
}

static void set_paths(char **argv)
{
	static char enrolment[128];

	(void)snprintf(host.dir, sizeof(host.dir), "%s", argv[1]);
	(void)snprintf(host.etc, sizeof(host.etc), "%s/etc", host.dir);
	(void)snprintf(host.state, sizeof(host.state), "%s/state", host.dir);
	(void)snprintf(host.log, sizeof(host.log), "%s/evidence", host.state);
	(void)snprintf(host.trust, sizeof(host.trust), "%s/trust.yaml",
		       host.etc);
	(void)snprintf(host.policy, sizeof(host.policy), "%s/policy.yaml",
		       host.etc);
	(void)snprintf(enrolment, sizeof(enrolment), "%s/enrolment.yaml",
		       host.etc);
	host.opts = (struct agent_options){.policy_file = host.policy,
					   .trust_file = host.trust,
					   .enrolment_file = enrolment,
					   .state_dir = host.state,
					   .link.program = argv[2],
					   .link.ca = argv[3],
					   .link.cert = argv[4],
					   .link.key = argv[5],
					   .link.root = true};
}

int main(int argc, char **argv)
{
	if (argc != 6 || minisign_init()) {
		(void)fprintf(stderr, "agent: see what it is called with\n");
		return 2;
	}
	log_open("agent", false);
	(void)signal(SIGPIPE, SIG_IGN);
	(void)setvbuf(stdin, NULL, _IONBF, 0);
	set_paths(argv);
	recorded = json_array();
	agent_begins = load_fleet;
	log_opens = hold_log;
	if (!start(true)) {
		say("did not start: %s", host.agent.problem);
		return 1;
	}
	agent_fleet_start(&host.agent);
	run();
	agent_fleet_stop(&host.agent);
	end_agent(true);
	json_decref(recorded);
	return 0;
}
