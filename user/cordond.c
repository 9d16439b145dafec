// SPDX-License-Identifier: GPL-2.0-only
/*
 * cordond - the agent. It starts as the list in agent_start() reads, then waits
 * in one loop for signals, events of the guard, changes below datasets,
 * questions on the control socket and, only while there is a reason, timers.
 *
 * The guard does not need it: when the agent ends, in whatever way, the kernel
 * goes on enforcing, and the next agent adopts what it finds.
 */
#include "agent.h"
#include "enrolment.h"
#include "fd.h"
#include "log.h"
#include "term.h"
#include "version.h"

#include <errno.h>
#include <inttypes.h>
#include <malloc.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

enum exit_code { EXIT_OK, EXIT_WRONG, EXIT_USAGE, EXIT_UNINSTALLED };

/* ---- the agent ----------------------------------------------------------- */

static void stop_guard(struct agent *agent)
{
	if (!agent->guard)
		return;
	if (agent->log) {
		agent_event_take_last(agent);
		(void)agent_expose(agent, true);
		(void)agent_ledger_tell(agent, NULL, NULL);
		agent_incident_stop(agent);
	}
	if (!guard_state(agent->guard)->generation) {
		/* Of no use to anybody, and easily taken for protection. */
		(void)guard_detach(agent->guard, &agent_say);
		log_error("no policy came into force: the guard is taken away "
			  "again, NOTHING IS PROTECTED on this host");
		return;
	}
	/* Whether or not it is known that there is anything to save. */
	(void)agent_remember_save(agent);
	agent_save(agent);
	agent_save_files_last(agent);
	if (agent->opts->detach || agent->uninstalled) {
		if (guard_detach(agent->guard, &agent_say) == 0)
			log_notice("stopped; the guard is detached: nothing "
				   "is protected now");
		else
			agent->uninstalled = false;
	} else if (agent_guard_is_pinned(agent->opts)) {
		log_notice("stopped; the guard stays and goes on enforcing "
			   "policy serial %" PRIu64 " (%s ends it)",
			   agent_serial(agent),
			   agent->trust ? "cordon act request uninstall"
					: "cordond --detach");
	}
}

static void stop(struct agent *agent)
{
	agent_notify("STOPPING=1");
	control_free(agent->control);
	stop_guard(agent);
	agent_fleet_stop(agent);
	agent_evidence_stop(agent);
	agent_incident_end(agent);
	agent_ledger_release(agent);
	exposure_release(&agent->exposed);
	record_names_release(&agent->record_names);
	agent_say_stop(agent);
	names_seen_free(agent->seen);
	agent_dropped_release(agent);
	agent_trust_release(agent);
	agent_act_release(agent);
	guard_kept_free(agent->kept);
	guard_close(agent->guard);
	policy_free(agent->policy);
	agent_loop_close(agent);
	/* Last: whoever waits for the lock finds everything closed. */
	close_fd(agent->lock_fd);
}

static int serve(const struct agent_options *opts)
{
	struct agent agent = {.opts = opts, .lock_fd = -1};
	int r;

	agent_loop_init(&agent);
	r = agent_start(&agent);
	if (!r)
		r = agent_loop_run(&agent);
	else
		agent_notify("STATUS=could not start: see the log");
	stop(&agent);
	if (r)
		return EXIT_WRONG;
	return agent.uninstalled ? EXIT_UNINSTALLED : EXIT_OK;
}

/* ---- the other ways to be called ---------------------------------------- */

static int detach(const struct agent_options *opts)
{
	struct agent agent = {.opts = opts, .lock_fd = -1};
	bool pinned = agent_guard_is_pinned(opts);
	int r;

	r = agent_lock(&agent);
	if (r) {
		if (r == -EWOULDBLOCK)
			log_error("stop the agent first: systemctl stop "
				  "cordond");
		return EXIT_WRONG;
	}
	r = pinned ? agent_may_detach(opts) : 0;
	if (!r)
		r = guard_detach_pins(opts->guard.pin_dir, &agent_say);
	if (!r && pinned)
		log_notice("the guard is detached: nothing is protected now");
	else if (!r)
		log_notice("there was no guard in %s", opts->guard.pin_dir);
	close_fd(agent.lock_fd);
	return r ? EXIT_WRONG : EXIT_OK;
}

static void print_item(const struct doctor_item *item, void *arg)
{
	const struct agent_options *opts = arg;
	json_t *line;

	if (!opts->json) {
		doctor_print(stdout, item, term_wants_colour(stdout));
		return;
	}
	line = doctor_json(item);
	if (line && json_dumpf(line, stdout, JSON_COMPACT) == 0)
		(void)putchar('\n');
	json_decref(line);
}

struct asked {
	const struct agent_options *opts;
	struct doctor_result result;
};

static int print_asked(const json_t *line, const char *text, void *arg)
{
	struct asked *asked = arg;
	struct doctor_item item;

	(void)text;
	if (!doctor_from_json(line, &item))
		return -EPROTO;
	asked->result.n[item.status]++;
	print_item(&item, (void *)asked->opts);
	return 0;
}

static void print_ignored(const struct agent_options *opts,
			  struct doctor_result *result)
{
	struct doctor_item item;

	doctor_policy_ignored(opts->policy_file, &item);
	result->n[item.status]++;
	print_item(&item, (void *)opts);
}

static int doctor(const struct agent_options *opts)
{
	struct control_request request = {.verb = CONTROL_DOCTOR};
	struct asked asked = {.opts = opts};
	char path[4096], error[CONTROL_ERROR_CHARS_MAX];
	struct doctor_options ask = {
		.policy_file = opts->policy_file,
		.enrolment_file = opts->enrolment_file,
		.state_dir = opts->state_dir,
		.run_dir = opts->run_dir,
		.guard = &opts->guard,
	};
	int r;

	(void)snprintf(path, sizeof(path), "%s/" CONTROL_SOCKET, opts->run_dir);
	r = control_call(path, &request, print_asked, &asked, error);
	/* No agent, or none that we may ask: look for ourselves. */
	if (r == -ENOENT || r == -ECONNREFUSED || r == -EACCES)
		r = doctor_run(&ask, print_item, (void *)opts, &asked.result);
	else if (r)
		log_error("the agent did not answer: %s", error);
	else if (opts->given & AGENT_POLICY)
		print_ignored(opts, &asked.result);
	if (r)
		return EXIT_WRONG;
	if (!opts->json)
		doctor_print_result(stdout, &asked.result,
				    term_wants_colour(stdout));
	return asked.result.n[DOCTOR_FAIL] ? EXIT_WRONG : EXIT_OK;
}

int main(int argc, char **argv)
{
	struct agent_options opts = {
		.policy_file = CORDON_POLICY_FILE,
		.trust_file = CORDON_TRUST_FILE,
		.enrolment_file = CORDON_ENROLMENT_FILE,
		.drop_dir = CORDON_DROP_DIR,
		.state_dir = CORDON_STATE_DIR,
		.run_dir = CORDON_RUN_DIR,
		.guard.pin_dir = CORDON_PIN_DIR,
	};
	int r;

	r = agent_options_parse(argc, argv, &opts);
	if (r < 0)
		(void)fprintf(stderr, "try: cordond --help\n");
	if (r)
		return r < 0 ? EXIT_USAGE : EXIT_OK;
	log_open("cordond", opts.debug);
	(void)umask(077);
	/* What is large is given back at once, not kept for the next time. */
	(void)mallopt(M_MMAP_THRESHOLD, 64 * 1024);
	if (opts.doctor)
		return doctor(&opts);
	if (geteuid() != 0) {
		log_error("only root can run the agent: use sudo, or let "
			  "systemd start it");
		return EXIT_WRONG;
	}
	if (opts.detach && !opts.foreground)
		return detach(&opts);
	return serve(&opts);
}
