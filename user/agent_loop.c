// SPDX-License-Identifier: GPL-2.0-only
/*
 * What the agent waits for: the table of its timers, and a list of descriptors
 * that others have opened, each with what is done when it is readable.
 */
#include "agent.h"

#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/signalfd.h>
#include <sys/timerfd.h>
#include <systemd/sd-daemon.h>
#include <unistd.h>

#include "clock.h"
#include "fd.h"
#include "log.h"

#define AT_ONCE_MAX 8

/* ---- timers -------------------------------------------------------------- */

static void tell_watchdog(struct agent *agent)
{
	(void)agent;
	agent_notify("WATCHDOG=1");
}

/* It ends, or the clock was set. */
static void take_expiry(struct agent *agent)
{
	agent_remember_look(agent);
	/* What is compared with the clock has to be of it. */
	if (agent->files_open)
		agent_save_files(agent, true);
	if (!agent->policy)
		return;
	agent_policy_tell_end(agent);
	agent_policy_watch_end(agent);
	agent_notify_ready(agent);
}

static const struct timer {
	int clock;
	void (*due)(struct agent *agent);
} timers[AGENT_TIMERS] = {
	[AGENT_TIMER_SAVE] = {CLOCK_MONOTONIC, agent_save_tick},
	[AGENT_TIMER_FILES] = {CLOCK_MONOTONIC, agent_save_files_tick},
	[AGENT_TIMER_SWEEP] = {CLOCK_MONOTONIC, agent_sweep_all},
	[AGENT_TIMER_CROSSINGS] = {CLOCK_MONOTONIC, agent_sweep_crossings_tick},
	[AGENT_TIMER_EXPOSE] = {CLOCK_MONOTONIC, agent_expose_tick},
	[AGENT_TIMER_EVIDENCE] = {CLOCK_MONOTONIC, agent_evidence_tick},
	[AGENT_TIMER_INCIDENT] = {CLOCK_BOOTTIME, agent_incident_tick},
	[AGENT_TIMER_ACT] = {CLOCK_BOOTTIME, agent_act_tick},
	[AGENT_TIMER_EXPIRY] = {CLOCK_REALTIME, take_expiry},
	[AGENT_TIMER_WATCHDOG] = {CLOCK_MONOTONIC, tell_watchdog},
};

void agent_set_timer(struct agent *agent, enum agent_timer timer,
		     time_t seconds)
{
	struct itimerspec when = {.it_value.tv_sec = seconds};

	(void)timerfd_settime(agent->timers[timer], 0, &when, NULL);
}

/* Twice in each interval that systemd allows, if it watches at all. */
void agent_watchdog_start(struct agent *agent)
{
	struct itimerspec when = {0};
	uint64_t usec = 0;

	if (sd_watchdog_enabled(0, &usec) <= 0 || usec < 2)
		return;
	when.it_interval.tv_sec = (time_t)(usec / 2 / 1000000);
	when.it_interval.tv_nsec = (long)(usec / 2 % 1000000 * 1000);
	when.it_value = when.it_interval;
	(void)timerfd_settime(agent->timers[AGENT_TIMER_WATCHDOG], 0, &when,
			      NULL);
}

void agent_clock(struct remember_clock *ret_clock)
{
	*ret_clock = (struct remember_clock){
		.wall_s = clock_s(CLOCK_REALTIME),
		.boot_s = clock_s(CLOCK_BOOTTIME),
		.synchronised = strcmp(evidence_clock(), "synchronised") == 0,
	};
}

/* ---- descriptors --------------------------------------------------------- */

int agent_watch(struct agent *agent, int fd,
		void (*handle)(struct agent *agent))
{
	struct agent_watched *watched = &agent->watched[agent->n_watched];
	struct epoll_event event = {.events = EPOLLIN, .data.ptr = watched};

	if (agent->n_watched == AGENT_WATCHED_MAX)
		return -ENOSPC;
	*watched = (struct agent_watched){.fd = fd, .handle = handle};
	if (epoll_ctl(agent->epoll_fd, EPOLL_CTL_ADD, fd, &event) < 0)
		return -errno;
	agent->n_watched++;
	return 0;
}

static void take_signals(struct agent *agent)
{
	struct signalfd_siginfo info;

	while (read(agent->signal_fd, &info, sizeof(info)) == sizeof(info)) {
		if (info.ssi_signo == SIGHUP) {
			agent_policy_reload(agent);
			agent_fleet_start(agent);
			continue;
		}
		log_info("%s from pid %" PRIu32 ": stopping",
			 info.ssi_signo == SIGTERM ? "SIGTERM" : "SIGINT",
			 info.ssi_pid);
		agent->ends = true;
		return;
	}
}

static int open_signals(struct agent *agent)
{
	sigset_t set;

	(void)sigemptyset(&set);
	(void)sigaddset(&set, SIGTERM);
	(void)sigaddset(&set, SIGINT);
	(void)sigaddset(&set, SIGHUP);
	if (sigprocmask(SIG_BLOCK, &set, NULL) < 0)
		return -errno;
	(void)signal(SIGPIPE, SIG_IGN);
	agent->signal_fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	if (agent->signal_fd < 0)
		return -errno;
	return agent_watch(agent, agent->signal_fd, take_signals);
}

static int open_timer(struct agent *agent, enum agent_timer timer)
{
	int *fd = &agent->timers[timer];

	*fd = timerfd_create(timers[timer].clock, TFD_CLOEXEC | TFD_NONBLOCK);
	return *fd < 0 ? -errno : agent_watch(agent, *fd, timers[timer].due);
}

/* ---- the loop ------------------------------------------------------------ */

void agent_loop_init(struct agent *agent)
{
	agent->epoll_fd = agent->signal_fd = -1;
	for (int i = 0; i < AGENT_TIMERS; i++)
		agent->timers[i] = -1;
}

int agent_loop_open(struct agent *agent)
{
	int r = 0;

	agent->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	if (agent->epoll_fd < 0)
		r = -errno;
	if (!r)
		r = open_signals(agent);
	for (int i = 0; !r && i < AGENT_TIMERS; i++)
		r = open_timer(agent, (enum agent_timer)i);
	if (r)
		log_error("the event loop cannot be set up: %s", strerror(-r));
	return r;
}

static bool goes_on(const struct agent *agent)
{
	return !agent->ends && !agent->uninstalled;
}

static bool is_timer(const struct agent *agent, int fd)
{
	for (int i = 0; i < AGENT_TIMERS; i++)
		if (agent->timers[i] == fd)
			return true;
	return false;
}

static void handle(struct agent *agent, const struct agent_watched *watched)
{
	uint64_t n;

	if (is_timer(agent, watched->fd))
		(void)!read(watched->fd, &n, sizeof(n));
	watched->handle(agent);
}

int agent_loop_run(struct agent *agent)
{
	struct epoll_event events[AT_ONCE_MAX];
	int n, r;

	while (goes_on(agent)) {
		n = epoll_wait(agent->epoll_fd, events, AT_ONCE_MAX, -1);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0) {
			r = -errno;
			log_error("epoll_wait: %s", strerror(-r));
			return r;
		}
		for (int i = 0; i < n && goes_on(agent); i++)
			handle(agent, events[i].data.ptr);
	}
	return 0;
}

void agent_loop_close(struct agent *agent)
{
	for (int i = 0; i < AGENT_TIMERS; i++)
		close_fd(agent->timers[i]);
	close_fd(agent->signal_fd);
	close_fd(agent->epoll_fd);
}
