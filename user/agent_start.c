// SPDX-License-Identifier: GPL-2.0-only
/*
 * How the agent starts: the steps, in their order.
 */
#include "agent.h"

#include <errno.h>
#include <malloc.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "clock.h"
#include "log.h"
#include "text.h"
#include "version.h"

#define LOCK_FILE CORDON_RUN_DIR "/cordond.lock"

/* ---- alone on this host -------------------------------------------------- */

/* Makes dir, and insists that only root can change what is in it. */
static int make_directory(const char *dir, mode_t mode)
{
	struct stat st;
	int r;

	if (mkdir(dir, mode) < 0 && errno != EEXIST) {
		r = -errno;
		log_error("%s: cannot be made: %s", dir, strerror(-r));
		return r;
	}
	if (lstat(dir, &st) < 0 || !S_ISDIR(st.st_mode)) {
		log_error("%s: not a directory: move it away", dir);
		return -ENOTDIR;
	}
	if (st.st_uid != geteuid() || (st.st_mode & 022)) {
		log_error("%s: others than root can change it: chown root:root "
			  "%s; chmod go-w %s",
			  dir, dir, dir);
		return -EPERM;
	}
	return 0;
}

static int make_directories(struct agent *agent)
{
	const struct agent_options *opts = agent->opts;
	mode_t mask = umask(022);
	int r;

	r = make_directory(CORDON_RUN_DIR, 0755);
	if (!r)
		r = make_directory(opts->run_dir, 0755);
	if (!r)
		r = make_directory(opts->state_dir, 0700);
	(void)umask(mask);
	return r;
}

/*
 * One agent a host, whatever directories it is given: two that share the pins,
 * but not the run directory, would both be the guard's agent, and two guards
 * would charge everything twice.
 */
int agent_lock(struct agent *agent)
{
	int r;

	r = make_directories(agent);
	return r ? r : guard_lock(LOCK_FILE, &agent_say, &agent->lock_fd);
}

int agent_may_detach(const struct agent_options *opts)
{
	if (!agent_trust_is_kept(opts) &&
	    !guard_pinned_trust(opts->guard.pin_dir))
		return 0;
	log_error("--detach is refused: on this host only an act of the issuer "
		  "takes the guard away, for trust anchors are in force: have "
		  "what cordon act request uninstall writes signed, then "
		  "cordon act apply; cordon-act(5)");
	return -EPERM;
}

/* ---- what it enforces ---------------------------------------------------- */

static int start_log(struct agent *agent)
{
	int r;

	r = agent_say_start(agent);
	if (!r)
		r = agent_incident_start(agent);
	if (!r)
		r = agent_act_start(agent);
	return r ? r : agent_evidence_start(agent);
}

/* The policy, the guard that it is for, and the log that tells of both. */
static int start_enforcing(struct agent *agent)
{
	bool pinned = agent_guard_is_pinned(agent->opts);
	struct arrival first;
	int r;

	r = agent_policy_start(agent, pinned, &first);
	if (!r && agent->opts->detach)
		r = agent_may_detach(agent->opts);
	if (!r)
		r = agent_guard_start(agent, first.policy);
	if (!r)
		r = start_log(agent);
	if (r)
		goto out;
	agent_trust_started(agent);
	agent_act_started(agent);
	r = agent_policy_begin(agent, &first);
	if (!r)
		agent_guard_hold_changed(agent);
out:
	arrival_release(&first);
	return r;
}

/* ---- what it listens to -------------------------------------------------- */

static void take_requests(struct agent *agent)
{
	int r;

	r = control_dispatch(agent->control);
	if (r)
		log_error("control socket: %s", strerror(-r));
}

static int start_control(struct agent *agent)
{
	char path[4096];
	int r;

	r = text_path(agent->opts->run_dir, CONTROL_SOCKET, path, sizeof(path));
	if (!r)
		r = control_new(path, answer, agent, &agent->control);
	if (!r)
		r = agent_watch(agent, control_fd(agent->control),
				take_requests);
	if (r)
		log_error("%s: no control socket: %s; the path must be shorter "
			  "than 108 bytes, on a writable file system",
			  path, strerror(-r));
	return r;
}

static void take_names(struct agent *agent)
{
	names_seen_read(agent->seen);
}

/* Without them an address has no name in what is told: no more than that. */
static int start_seeing(struct agent *agent)
{
	int r;

	r = names_seen_new(&agent->seen);
	if (r)
		return r;
	r = names_seen_listen(agent->seen);
	if (!r)
		return agent_watch(agent, names_seen_fd(agent->seen),
				   take_names);
	log_warning("what DNS calls an address is not seen: %s", strerror(-r));
	names_seen_free(agent->seen);
	agent->seen = NULL;
	return 0;
}

static void take_changes(struct agent *agent)
{
	int r;

	r = guard_watch_handle(agent->guard, &agent_say);
	if (r)
		log_error("what changed on this host could not be taken in: "
			  "%s; reload to try again",
			  strerror(-r));
	if (agent->progressed)
		agent_notify_ready(agent);
	agent->progressed = false;
}

static int watch_guard(struct agent *agent)
{
	int r;

	r = agent_watch(agent, guard_events_fd(agent->guard), agent_event_take);
	return r ? r
		 : agent_watch(agent, guard_watch_fd(agent->guard),
			       take_changes);
}

static int start_fleet(struct agent *agent)
{
	int r;

	r = agent_watch(agent, agent_fleet_fd(agent), agent_fleet_work);
	if (!r)
		agent_fleet_start(agent);
	return r;
}

static void take_dropped(struct agent *agent)
{
	agent_dropped_handle(agent, clock_s(CLOCK_BOOTTIME));
}

/* If there is no inotify, a reload looks. */
static int start_dropped(struct agent *agent)
{
	int fd = agent_dropped_start(agent);

	if (fd < 0)
		return fd == -ENOMEM ? fd : 0;
	return agent_watch(agent, fd, take_dropped);
}

/* ---- the steps ----------------------------------------------------------- */

/* What the agent before did not live to do. */
static int catch_up(struct agent *agent)
{
	agent_save_if_dirty(agent);
	agent_sweep_crossings_later(agent);
	if (agent->adopted)
		agent_expose_later(agent);
	agent_evidence_sign(agent);
	return 0;
}

static int say_ready(struct agent *agent)
{
	char text[256];

	agent_watchdog_start(agent);
	/* Loading and testing the guard takes much memory for a short time. */
	(void)malloc_trim(0);
	agent_notify_ready(agent);
	agent_describe(agent, text, sizeof(text));
	log_info("ready: %s", text);
	return 0;
}

int agent_start(struct agent *agent)
{
	static int (*const steps[])(struct agent * agent) = {
		agent_lock,	 agent_loop_open,  agent_fleet_load,
		start_enforcing, agent_guard_test, start_control,
		start_seeing,	 watch_guard,	   start_fleet,
		start_dropped,	 catch_up,	   say_ready,
	};
	int r = 0;

	agent->started_s = clock_s(CLOCK_BOOTTIME);
	for (size_t i = 0; !r && i < sizeof(steps) / sizeof(steps[0]); i++)
		r = steps[i](agent);
	return r;
}
