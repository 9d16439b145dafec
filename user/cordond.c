// SPDX-License-Identifier: GPL-2.0-only
/*
 * cordond - the agent. It starts as the list in start() reads, then waits in
 * one loop for signals, events of the guard, changes below datasets, questions
 * on the control socket and, only while there is a reason, timers.
 *
 * The guard does not need it: when the agent ends, in whatever way, the kernel
 * goes on enforcing, and the next agent adopts what it finds.
 */
#include "agent.h"
#include "clock.h"
#include "dataset.h"
#include "enrolment.h"
#include "log.h"
#include "term.h"
#include "text.h"
#include "version.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <malloc.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <sys/timerfd.h>
#include <sys/wait.h>
#include <syslog.h>
#include <systemd/sd-daemon.h>
#include <unistd.h>

#define NS_PER_S       1000000000LL
#define LOOK_AGAIN_MS  500
#define SAVE_AFTER_S   5    /* of the first budget used since */
#define SAVE_AGAIN_S   60   /* after a save that failed */
#define SWEEP_AGAIN_S  60   /* while hardly any room is left */
#define LEDGER_S       300  /* while something grows */
#define LEDGER_IDLE_S  3600 /* as long as there are origins */
#define EXPOSE_AFTER_S 5  /* of an event, and again as long as there is more */
#define EXPOSE_AGAIN_S 60 /* of a disk that is full */
#define CROSSINGS_S    5  /* while something goes between networks */
#define COUNT_FILES    65536U
#define FILES_AGAIN_S  10 /* between saves of what files carry */
#define FILES_TRIES    3  /* when it stops */
#define FILES_SHARE    50 /* of the time at most: one part in so many */
#define STATE_FILE     "state"
#define FILES_FILE     "files"
#define SAYING_MAX     64
#define DRAINS_MAX     64 /* when it stops */
#define LOCK_FILE      CORDON_RUN_DIR "/cordond.lock"

enum exit_code { EXIT_OK, EXIT_WRONG, EXIT_USAGE, EXIT_UNINSTALLED };

/* ---- what the guard says ------------------------------------------------ */

static void say_to_log(enum guard_level level, const char *text, void *arg)
{
	(void)arg;
	if (level == GUARD_ERROR)
		log_error("%s", text);
	else if (level == GUARD_WARNING)
		log_warning("%s", text);
	else
		log_info("%s", text);
}

const struct guard_say agent_say = {say_to_log, NULL};

static const char *name_of(uint32_t kind, uint32_t id, void *arg)
{
	const struct agent *agent = arg;

	return guard_name(agent->guard, kind, id);
}

static const char *seen_as(const uint8_t addr[16], void *arg)
{
	const struct agent *agent = arg;

	return names_seen_find(agent->seen, addr);
}

/* What a fault means and what to do; the default serves tables that filled. */
static const char *const fault_remedies[FAULT_MAX] = {
	[FAULT_UNLABELLED] = "there are more files in the datasets than the "
			     "guard has room for, and opening those without "
			     "a label is refused: detach and start cordond "
			     "with a larger --max-records",
	[FAULT_EVENT_LOST] = "the agent was slower than the events: details "
			     "are missing, but every count is in cordon ledger",
	[FAULT_UNREADABLE] = "the guard took the safe side: what could not be "
			     "read counts as protected",
	[FAULT_UNKNOWN_HOLDING] = "what a process holds could not be kept, so "
				  "it is taken to hold everything until it "
				  "ends",
	[FAULT_CARRIER_FULL] = "what carries a holding on could not be kept, "
			       "so writing to it is refused, and what would "
			       "go to another network of this host is dropped",
	[FAULT_COMMONS_FULL] = "who shares memory could not be kept: holders "
			       "are refused to map it, and what others read "
			       "into it is not followed",
	[FAULT_CHARGES_FULL] = "what some holders were charged where could not "
			       "be kept, so each send is charged anew",
	[FAULT_DERIVED_FULL] =
		"which files holders wrote to could not be kept, "
		"so writing to more of them is refused: delete "
		"copies of the datasets, or detach and start "
		"cordond with a larger --max-records",
};

/* Each kind is said when it first happens; the counts are in the status. */
static void check_faults(struct agent *agent)
{
	const struct guard_state *state = guard_state(agent->guard);
	const char *remedy;

	for (uint32_t i = 0; i < FAULT_MAX; i++) {
		if (!state->faults[i] || agent->faults_told & 1ULL << i)
			continue;
		agent->faults_told |= 1ULL << i;
		remedy = fault_remedies[i];
		log_warning("fault: %s; %s", event_fault_name(i),
			    remedy ? remedy
				   : "the guard refuses what it cannot account "
				     "for: see the tables in cordon status "
				     "and end what fills them");
	}
}

void agent_clock(struct remember_clock *ret_clock)
{
	*ret_clock = (struct remember_clock){
		.wall_s = clock_s(CLOCK_REALTIME),
		.boot_s = clock_s(CLOCK_BOOTTIME),
		.synchronised = strcmp(evidence_clock(), "synchronised") == 0,
	};
}

/* ---- saving ------------------------------------------------------------- */

void agent_set_timer(int fd, time_t seconds)
{
	struct itimerspec when = {.it_value.tv_sec = seconds};

	(void)timerfd_settime(fd, 0, &when, NULL);
}

static void drain(int fd)
{
	uint64_t n;

	(void)!read(fd, &n, sizeof(n));
}

static void save_later(struct agent *agent, time_t seconds)
{
	if (agent->saving)
		return;
	agent->saving = true;
	agent_set_timer(agent->save_fd, seconds);
}

/*
 * The guard tells once that budgets were used since they were saved, and the
 * word can be lost, or have gone to an agent that did not live to save.
 */
static void save_if_dirty(struct agent *agent)
{
	if (guard_state(agent->guard)->dirty)
		save_later(agent, SAVE_AFTER_S);
}

void agent_save(struct agent *agent)
{
	char path[4096];
	int r;

	r = text_path(agent->opts->state_dir, STATE_FILE, path, sizeof(path));
	if (!r)
		r = guard_save_state(agent->guard, path,
				     agent->save_failed ? NULL : &agent_say);
	if (r && !agent->save_failed)
		log_error("%s: budgets used and the policy's serial cannot "
			  "be saved: %s; a reboot would forget them: make "
			  "room on that disk",
			  path, strerror(-r));
	if (!r && agent->save_failed)
		log_notice("%s: budgets are saved again", path);
	agent->save_failed = r != 0;
	if (r)
		save_later(agent, SAVE_AGAIN_S);
}

/*
 * What files carry, apart from the budgets: there can be as many as files in a
 * dataset. As long as there was something new at each save, the last one is
 * left open, and another follows; the last of all says that nothing came after
 * it, and then the agent sleeps.
 */
static void save_files(struct agent *agent, bool open)
{
	int64_t begun_ms = clock_ms(), seconds;
	char path[4096];
	int r;

	r = text_path(agent->opts->state_dir, FILES_FILE, path, sizeof(path));
	if (!r)
		r = guard_save_files(agent->guard, path, open,
				     agent->files_failed ? NULL : &agent_say);
	if (!r && agent->files_failed)
		log_notice("%s: what files carry is saved again", path);
	agent->files_failed = r != 0;
	agent->files_open = open || r;
	if (!agent->files_open)
		return;
	seconds = (clock_ms() - begun_ms) * FILES_SHARE / 1000;
	if (seconds < FILES_AGAIN_S)
		seconds = FILES_AGAIN_S;
	agent_set_timer(agent->files_fd, r ? SAVE_AGAIN_S : seconds);
}

/*
 * The first that is new is put down at once: a host that breaks down from here
 * on leaves files that nobody knows of.
 */
static void save_files_if_new(struct agent *agent)
{
	if (guard_state(agent->guard)->unsaved && !agent->files_open)
		save_files(agent, true);
}

/* Nobody writes any more, as a rule: what comes later nobody would save. */
static void save_files_last(struct agent *agent)
{
	for (int i = 0; i < FILES_TRIES; i++) {
		save_files(agent, false);
		if (agent->files_failed || !guard_state(agent->guard)->unsaved)
			return;
	}
	save_files(agent, true);
	log_warning("holders are at work while the agent stops: files that "
		    "change from here on are held at the upper bound after a "
		    "reboot, unless an agent is started before; let what reads "
		    "the datasets stop first");
}

static void take_files(struct agent *agent)
{
	drain(agent->files_fd);
	save_files(agent, guard_state(agent->guard)->unsaved);
}

/* ---- exposure ------------------------------------------------------------ */

static void expose_in(struct agent *agent, int64_t seconds)
{
	int64_t due_ms = clock_ms() + seconds * 1000;

	if (agent->expose_due_ms && agent->expose_due_ms <= due_ms)
		return;
	agent->expose_due_ms = due_ms;
	agent_set_timer(agent->expose_fd, seconds);
}

static void expose_later(struct agent *agent)
{
	expose_in(agent,
		  agent->expose_failed ? EXPOSE_AGAIN_S : EXPOSE_AFTER_S);
}

/* What grows without an event is seen now and then. */
static void expose(struct agent *agent, bool now)
{
	bool again = agent_expose(agent, now);
	int told = 0;

	if (now || clock_ms() >= agent->ledger_due_ms) {
		told = agent_ledger_tell(agent, NULL, NULL);
		agent->ledger_due_ms = clock_ms() + LEDGER_S * 1000;
	}
	if (again || told)
		agent_evidence_told(agent, agent_evidence_sync(agent));
	if (again)
		expose_later(agent);
	else if (guard_state(agent->guard)->next_origin)
		expose_in(agent, told ? LEDGER_S : LEDGER_IDLE_S);
}

/* ---- sweeping ----------------------------------------------------------- */

/* Is hardly any room left for touches? */
static bool touches_crowd(const struct agent *agent)
{
	uint32_t room = guard_touches_max(agent->guard);

	return guard_state(agent->guard)->touches >= room - room / 8;
}

/*
 * The guard remembers which records were touched; what no window needs any
 * more has to go before that table is full, and may when it is.
 */
static void sweep(struct agent *agent, bool full)
{
	const struct guard_state *state = guard_state(agent->guard);
	uint32_t room = guard_touches_max(agent->guard);
	uint64_t gone = 0;
	int r;

	if (!full && (state->touches < agent->swept ||
		      state->touches - agent->swept < room / 8))
		return;
	/* What the guard forgets has to be on the disk. */
	expose(agent, true);
	r = guard_sweep(agent->guard, &gone);
	agent->swept = state->touches;
	if (r)
		log_error("records touched long ago cannot be forgotten: %s; "
			  "reads will be refused when the table of touched "
			  "records is full",
			  strerror(-r));
	else
		log_debug("%" PRIu64 " touches forgotten, %" PRIu32 " left",
			  gone, agent->swept);
	/* No event tells that a window, or who fills the table, has ended. */
	if (touches_crowd(agent))
		agent_set_timer(agent->sweep_fd, SWEEP_AGAIN_S);
}

static void sweep_crossings_later(struct agent *agent)
{
	if (agent->crossings_soon || (!guard_state(agent->guard)->crossings &&
				      agent->crossings_pid <= 0))
		return;
	agent->crossings_soon = true;
	agent_set_timer(agent->crossings_fd, CROSSINGS_S);
}

/*
 * By a process of its own: it looks at every open file of the host, and users
 * say how many there are.
 */
static void sweep_crossings(struct agent *agent)
{
	int status = 0;
	pid_t pid = agent->crossings_pid;

	agent->crossings_soon = false;
	if (pid > 0 && !waitpid(pid, &status, WNOHANG)) {
		sweep_crossings_later(agent);
		return;
	}
	if (status && !agent->crossings_failed)
		log_error("what went between networks of this host cannot be "
			  "forgotten: %s; what holders send there will be "
			  "dropped when the table crossings is full",
			  WIFEXITED(status) ? strerror(WEXITSTATUS(status))
					    : "who does that was ended");
	agent->crossings_failed = status != 0;
	agent->crossings_pid = 0;
	if (!guard_state(agent->guard)->crossings)
		return;
	pid = fork();
	if (!pid) {
		/* The lock is the agent's, who may end before. */
		(void)close(agent->lock_fd);
		_exit(-guard_sweep_crossings(agent->guard));
	}
	agent->crossings_pid = pid;
	sweep_crossings_later(agent);
}

/* ---- events ------------------------------------------------------------- */

/* A sentence that waits until what it says is on the disk. */
struct agent_saying {
	int level;
	json_t *line; /* NULL: there is none */
	char words[EVENT_WORDS_MAX];
};

char *agent_say_soon(struct agent *agent, int level, json_t *line)
{
	struct agent_saying *saying;
	int r;

	if (agent->n_saying == SAYING_MAX) {
		r = agent_say_all(agent);
		if (r)
			agent_evidence_told(agent, r);
	}
	saying = &agent->saying[agent->n_saying++];
	saying->level = level;
	saying->line = line;
	return saying->words;
}

static void say_it(struct agent_saying *saying)
{
	log_clean(saying->words);
	if (agent_journal_send(saying->level, saying->words, saying->line))
		log_level(saying->level, "%s", saying->words);
	json_decref(saying->line);
	saying->line = NULL;
}

/* On the disk first. */
int agent_say_all(struct agent *agent)
{
	int r;

	agent_incident_segment(agent);
	r = agent_evidence_sync(agent);
	agent_incident_synced(agent);
	for (size_t i = 0; i < agent->n_saying; i++)
		say_it(&agent->saying[i]);
	agent->n_saying = 0;
	return r;
}

/* Steals line, the event's. */
static void tell_event(struct agent *agent, const struct event *event,
		       const struct event_who *who, json_t *line)
{
	int level = LOG_INFO;

	/* check_faults() tells each kind once, with what to do. */
	if (event->type == EVENT_FAULT && !event->error) {
		json_decref(line);
		return;
	}
	if (event->type == EVENT_VERDICT || event->type == EVENT_FAULT)
		level = LOG_WARNING;
	else if (event->type == EVENT_BUDGET)
		level = LOG_NOTICE;
	event_words(event, who, &agent->names,
		    agent_say_soon(agent, level, line), EVENT_WORDS_MAX);
}

static int take_event(const struct event *event, void *arg)
{
	struct agent *agent = arg;
	struct event_who who;
	int64_t now_ns;
	json_t *line;
	int r;

	/* See save_if_dirty(), save_files_if_new() and guard_notice(). */
	if (event->type == EVENT_DIRTY || event->type == EVENT_NOTICE)
		return 0;
	/* Refused, perhaps, because somebody is not known under a new file. */
	if (event->type == EVENT_VERDICT)
		agent->refused = true;
	if (event->type == EVENT_FAULT && event->fault == FAULT_TOUCH_FULL)
		sweep(agent, true);
	event_look_up(event, &who);
	now_ns = event_realtime_ns(event->time_ns);
	line = event_json(event, &who, &agent->names, now_ns);
	if (line && agent_act_covers(agent, event->time_ns))
		(void)json_object_set_new(line, "lifted", json_true());
	if (line)
		agent_incident_event(agent, event, &who, line);
	/* It gets its number there. */
	json_incref(line);
	r = agent_record(agent, line, now_ns / NS_PER_S, true);
	if (r)
		(void)json_object_del(line, "seq");
	agent_incident_recorded(agent);
	tell_event(agent, event, &who, line);
	return r;
}

/* A look takes a while, and there is a second one a second later: a storm of
 * refusals needs no more. */
static bool wants_look(struct agent *agent)
{
	int64_t now_ms = clock_ms();
	bool wants = agent->refused &&
		     (!agent->looked_ms ||
		      now_ms - agent->looked_ms >= LOOK_AGAIN_MS);

	agent->refused = false;
	if (wants)
		agent->looked_ms = now_ms;
	return wants;
}

static void take_events(struct agent *agent)
{
	int r, synced;

	r = guard_events(agent->guard, take_event, agent);
	/* Before all that can wait. */
	save_files_if_new(agent);
	synced = agent_say_all(agent);
	agent_evidence_told(agent, r < 0 ? r : synced);
	control_wake(agent->control);
	guard_notice(agent->guard, wants_look(agent));
	save_if_dirty(agent);
	check_faults(agent);
	sweep(agent, false);
	sweep_crossings_later(agent);
	expose_later(agent);
}

/* ---- the loop ----------------------------------------------------------- */

static int watch_fd(struct agent *agent, int fd)
{
	struct epoll_event event = {.events = EPOLLIN, .data.fd = fd};

	if (epoll_ctl(agent->epoll_fd, EPOLL_CTL_ADD, fd, &event) < 0)
		return -errno;
	return 0;
}

/* Returns false when the agent is to end. */
static bool take_signal(struct agent *agent)
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
		return false;
	}
	return true;
}

static void take_expiry(struct agent *agent)
{
	drain(agent->expiry_fd);
	agent_remember_look(agent);
	/* The clock was set: what is compared with it has to be of it. */
	if (agent->files_open)
		save_files(agent, true);
	if (!agent->policy)
		return;
	agent_policy_tell_end(agent);
	agent_policy_watch_end(agent);
	agent_notify_ready(agent);
}

static void take_save(struct agent *agent)
{
	drain(agent->save_fd);
	agent->saving = false;
	agent_save(agent);
	check_faults(agent);
	sweep(agent, false);
}

static bool dispatch(struct agent *agent, int fd)
{
	int r;

	if (fd == agent->signal_fd)
		return take_signal(agent);
	if (fd == guard_events_fd(agent->guard)) {
		take_events(agent);
	} else if (fd == control_fd(agent->control)) {
		r = control_dispatch(agent->control);
		if (r)
			log_error("control socket: %s", strerror(-r));
	} else if (fd == agent->save_fd) {
		take_save(agent);
	} else if (fd == agent->files_fd) {
		take_files(agent);
	} else if (fd == agent->sweep_fd) {
		drain(fd);
		sweep(agent, true);
	} else if (fd == agent->crossings_fd) {
		drain(fd);
		sweep_crossings(agent);
	} else if (fd == agent->incident_fd) {
		drain(fd);
		agent_incident_tick(agent);
	} else if (fd == agent->act_fd) {
		drain(fd);
		agent_act_tick(agent);
	} else if (fd == agent->expose_fd) {
		drain(fd);
		agent->expose_due_ms = 0;
		expose(agent, false);
	} else if (fd == agent->evidence_fd) {
		drain(fd);
		agent_evidence_tick(agent);
	} else if (agent->seen && fd == names_seen_fd(agent->seen)) {
		names_seen_read(agent->seen);
	} else if (fd == agent->watchdog_fd) {
		drain(fd);
		agent_notify("WATCHDOG=1");
	} else if (fd == agent->expiry_fd) {
		take_expiry(agent);
	} else if (fd == agent_fleet_fd(agent)) {
		agent_fleet_work(agent);
		return !agent->uninstalled;
	} else if (fd == agent->dropped_fd) {
		agent_dropped_handle(agent, clock_s(CLOCK_BOOTTIME));
	} else if (fd == guard_watch_fd(agent->guard)) {
		r = guard_watch_handle(agent->guard, &agent_say);
		if (r)
			log_error("what changed on this host could not be "
				  "taken in: %s; reload to try again",
				  strerror(-r));
		if (agent->progressed)
			agent_notify_ready(agent);
		agent->progressed = false;
	}
	return !agent->uninstalled;
}

static int run(struct agent *agent)
{
	struct epoll_event events[8];
	int n, r;

	while (!agent->uninstalled) {
		n = epoll_wait(agent->epoll_fd, events, 8, -1);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0) {
			r = -errno;
			log_error("epoll_wait: %s", strerror(-r));
			return r;
		}
		for (int i = 0; i < n; i++)
			if (!dispatch(agent, events[i].data.fd))
				return 0;
	}
	return 0;
}

/* ---- start and end ------------------------------------------------------ */

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

static int make_directories(const struct agent_options *opts)
{
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
static int take_lock(struct agent *agent)
{
	return guard_lock(LOCK_FILE, &agent_say, &agent->lock_fd);
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
	return agent->signal_fd < 0 ? -errno : 0;
}

static int open_timer(int clock, int *ret_fd)
{
	*ret_fd = timerfd_create(clock, TFD_CLOEXEC | TFD_NONBLOCK);
	return *ret_fd < 0 ? -errno : 0;
}

static int open_loop(struct agent *agent)
{
	int r;

	agent->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	if (agent->epoll_fd < 0)
		return -errno;
	r = open_signals(agent);
	if (!r)
		r = open_timer(CLOCK_MONOTONIC, &agent->save_fd);
	if (!r)
		r = open_timer(CLOCK_MONOTONIC, &agent->files_fd);
	if (!r)
		r = open_timer(CLOCK_MONOTONIC, &agent->sweep_fd);
	if (!r)
		r = open_timer(CLOCK_MONOTONIC, &agent->crossings_fd);
	if (!r)
		r = open_timer(CLOCK_MONOTONIC, &agent->evidence_fd);
	if (!r)
		r = open_timer(CLOCK_MONOTONIC, &agent->expose_fd);
	if (!r)
		r = open_timer(CLOCK_BOOTTIME, &agent->incident_fd);
	if (!r)
		r = open_timer(CLOCK_BOOTTIME, &agent->act_fd);
	if (!r)
		r = open_timer(CLOCK_MONOTONIC, &agent->watchdog_fd);
	if (!r)
		r = open_timer(CLOCK_REALTIME, &agent->expiry_fd);
	if (!r)
		r = watch_fd(agent, agent->signal_fd);
	if (!r)
		r = watch_fd(agent, agent->save_fd);
	if (!r)
		r = watch_fd(agent, agent->files_fd);
	if (!r)
		r = watch_fd(agent, agent->sweep_fd);
	if (!r)
		r = watch_fd(agent, agent->crossings_fd);
	if (!r)
		r = watch_fd(agent, agent->evidence_fd);
	if (!r)
		r = watch_fd(agent, agent->expose_fd);
	if (!r)
		r = watch_fd(agent, agent->incident_fd);
	if (!r)
		r = watch_fd(agent, agent->act_fd);
	if (!r)
		r = watch_fd(agent, agent->watchdog_fd);
	if (!r)
		r = watch_fd(agent, agent->expiry_fd);
	if (r)
		log_error("the event loop cannot be set up: %s", strerror(-r));
	return r;
}

/* Twice in each interval that systemd allows, if it watches at all. */
static void start_watchdog(struct agent *agent)
{
	struct itimerspec when = {0};
	uint64_t usec = 0;

	if (sd_watchdog_enabled(0, &usec) <= 0 || usec < 2)
		return;
	when.it_interval.tv_sec = (time_t)(usec / 2 / 1000000);
	when.it_interval.tv_nsec = (long)(usec / 2 % 1000000 * 1000);
	when.it_value = when.it_interval;
	(void)timerfd_settime(agent->watchdog_fd, 0, &when, NULL);
}

static bool guard_is_pinned(const struct agent_options *opts)
{
	char path[4096];

	(void)snprintf(path, sizeof(path), "%s/state", opts->guard.pin_dir);
	return access(path, F_OK) == 0;
}

static void count_file(int dir, const char *name, const char *path, void *arg)
{
	uint64_t *n = arg;

	(void)dir;
	(void)name;
	(void)path;
	if (!(++*n % COUNT_FILES))
		agent_notify("EXTEND_TIMEOUT_USEC=60000000\n"
			     "STATUS=counting the files of datasets: %" PRIu64,
			     *n);
}

static void count_paths(const struct policy_path *paths, size_t n_paths,
			uint64_t *n)
{
	const struct dataset_visitor counter = {.file = count_file, .arg = n};
	struct dataset_place place;
	char why[1024];

	for (size_t i = 0; i < n_paths; i++)
		/* What cannot be walked is told by the scan. */
		if (!dataset_resolve(paths[i].path, &place, why, sizeof(why)) &&
		    place.exists)
			(void)dataset_walk(place.real, &counter);
}

/*
 * Room for the files that the datasets have now and a quarter more: the tables
 * of a guard that runs cannot grow, and a file without a label is refused.
 */
static uint32_t records_of(const struct policy *policy)
{
	uint64_t n = 0;

	for (size_t i = 0; i < policy->n_datasets; i++)
		count_paths(policy->datasets[i].paths,
			    policy->datasets[i].n_paths, &n);
	/* They have labels too. */
	for (size_t i = 0; i < policy->n_quiet; i++)
		count_paths(policy->quiet[i].paths, policy->quiet[i].n_paths,
			    &n);
	n += n / 4;
	return n < GUARD_RECORDS_MAX ? (uint32_t)n : GUARD_RECORDS_MAX;
}

/* ---- what files carry over from the boot before -------------------------- */

static void search_progress(uint64_t files, void *arg)
{
	(void)arg;
	agent_notify("EXTEND_TIMEOUT_USEC=60000000\n"
		     "STATUS=the host ended uncleanly: looking for files that "
		     "changed since, %" PRIu64 " seen",
		     files);
}

/* What was saved and, if the boot before broke down, what changed since. */
static int find_kept(struct agent *agent, const struct policy *policy)
{
	char path[4096], except[PATH_MAX];
	int r;

	r = text_path(agent->opts->state_dir, FILES_FILE, path, sizeof(path));
	if (!r)
		r = guard_kept_read(path, &agent_say, &agent->kept);
	if (r || !guard_kept_unclean(agent->kept))
		return r;
	if (!policy || !policy->follow_files) {
		log_notice("the host ended uncleanly while holders were at "
			   "work; the policy follows no files, so none that "
			   "changed since is held");
		return 0;
	}
	log_notice("the host ended uncleanly while holders were at work: "
		   "looking for the files that changed since");
	/* The agent's own, which holders are not written down in. */
	if (!realpath(agent->opts->state_dir, except))
		return -errno;
	return guard_kept_search(agent->kept, except, search_progress, agent,
				 &agent_say);
}

/* As many records as it takes for there to be room for as many files, and a
 * quarter more. */
static uint32_t records_for_files(const struct agent *agent)
{
	uint64_t n = guard_kept_files(agent->kept) * 5 / 2;

	return n < GUARD_RECORDS_MAX ? (uint32_t)n : GUARD_RECORDS_MAX;
}

static uint32_t records_for(const struct agent *agent,
			    const struct policy *policy)
{
	uint32_t records = records_of(policy);
	uint32_t files = records_for_files(agent);
	uint32_t n = GUARD_RECORDS_DEFAULT;

	if (files > records)
		records = files;
	/* A table takes as much for any number up to the next power of 2. */
	while (n < records)
		n *= 2;
	return n;
}

/*
 * Once the policy is in force, and before anybody is told that it is. What
 * could not be held is said, and no reason to protect nothing.
 */
static void hold_changed(struct agent *agent)
{
	(void)guard_hold_changed(agent->guard, agent->kept, &agent_say);
	guard_kept_free(agent->kept);
	agent->kept = NULL;
	save_files(agent, guard_state(agent->guard)->unsaved);
}

/* policy is NULL if it is bad; then there is a guard that has one. */
static int start_guard(struct agent *agent, const struct policy *policy)
{
	struct guard_options options = agent->opts->guard;
	char path[4096];
	int r;

	if (!guard_is_pinned(agent->opts)) {
		r = find_kept(agent, policy);
		if (r) {
			log_error("what files carry cannot be taken from the "
				  "boot before: %s",
				  strerror(-r));
			return r;
		}
	}
	if (policy && !options.max_records && !guard_is_pinned(agent->opts)) {
		options.max_records = records_for(agent, policy);
		if (options.max_records > GUARD_RECORDS_DEFAULT)
			log_info("the guard is loaded with room for %" PRIu32
				 " files",
				 options.max_records);
	}
	r = guard_open(&options, &agent_say, &agent->guard, &agent->adopted);
	if (r) {
		log_error("the guard cannot run here: %s; cordon doctor says "
			  "what this host lacks",
			  strerror(-r));
		return r;
	}
	agent->names = (struct event_names){
		.name = name_of,
		.fault = event_fault_name,
		.seen = seen_as,
		.arg = agent,
	};
	log_info("guard %s, attached by %s",
		 agent->adopted ? "adopted: it was enforcing already"
				: "loaded",
		 guard_attached(agent->guard) == GUARD_ATTACH_LSM ? "lsm"
								  : "fmod_ret");
	/* Without a policy it is fresh, or its agent came no further. */
	if (guard_state(agent->guard)->generation)
		return 0;
	r = text_path(agent->opts->state_dir, STATE_FILE, path, sizeof(path));
	if (!r)
		r = guard_load_state(agent->guard, path, &agent_say);
	/* Empty budgets are said, loudly; unprotected data would be worse. */
	if (r == -EUCLEAN)
		r = 0;
	if (!r && !agent->kept)
		r = find_kept(agent, policy);
	if (!r)
		r = guard_load_files(agent->guard, agent->kept, &agent_say);
	if (r)
		log_error("%s: what the boot before left cannot be given to "
			  "the guard: %s",
			  agent->opts->state_dir, strerror(-r));
	return r;
}

static int start_log(struct agent *agent)
{
	int r;

	agent->saying = calloc(SAYING_MAX, sizeof(*agent->saying));
	if (!agent->saying)
		return -ENOMEM;
	r = agent_incident_start(agent);
	if (!r)
		r = agent_act_start(agent);
	return r ? r : agent_evidence_start(agent);
}

static int start_control(struct agent *agent)
{
	char path[4096];
	int r;

	r = text_path(agent->opts->run_dir, CONTROL_SOCKET, path, sizeof(path));
	if (!r)
		r = control_new(path, answer, agent, &agent->control);
	if (!r)
		r = watch_fd(agent, control_fd(agent->control));
	if (r)
		log_error("%s: no control socket: %s; the path must be shorter "
			  "than 108 bytes, on a writable file system",
			  path, strerror(-r));
	return r;
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
		return watch_fd(agent, names_seen_fd(agent->seen));
	log_warning("what DNS calls an address is not seen: %s", strerror(-r));
	names_seen_free(agent->seen);
	agent->seen = NULL;
	return 0;
}

/* Is what was loaded really what the kernel runs? */
static int test_hooks(struct agent *agent)
{
	struct guard_hooks hooks = {0};
	int r;

	r = guard_probe_hooks(agent->guard, NULL, &agent_say, &hooks);
	if (r) {
		log_error("the hooks could not be tested: %s", strerror(-r));
		return r;
	}
	if (!(hooks.expected & ~hooks.seen)) {
		log_info("self-test: %d of %d hooks answered",
			 __builtin_popcountll(hooks.seen & hooks.expected),
			 __builtin_popcountll(hooks.expected));
		return 0;
	}
	log_error("self-test failed: this kernel does not do what the guard "
		  "relies on; boot a supported one (cordond(8), KERNELS)");
	/* Nobody shall take half a guard for a whole one. One that was there
	 * before is not ours to take away. */
	if (!agent->adopted) {
		log_error("the guard is taken away again: NOTHING IS "
			  "PROTECTED on this host");
		(void)guard_detach(agent->guard, &agent_say);
	}
	return -EOPNOTSUPP;
}

/* Where people have to sign, nobody else takes the guard away. */
static int refuse_detach(void)
{
	log_error("--detach is refused: on this host only an act of the issuer "
		  "takes the guard away, for trust anchors are in force: have "
		  "what cordon act request uninstall writes signed, then "
		  "cordon act apply; cordon-act(5)");
	return -EPERM;
}

/* If there is no inotify, a reload looks. */
static int start_dropped(struct agent *agent)
{
	agent->dropped_fd = agent_dropped_start(agent);
	if (agent->dropped_fd == -ENOMEM)
		return -ENOMEM;
	return agent->dropped_fd < 0 ? 0 : watch_fd(agent, agent->dropped_fd);
}

static int start(struct agent *agent)
{
	struct policy *policy = NULL;
	char text[256];
	int r;

	agent->started_s = clock_s(CLOCK_BOOTTIME);
	r = make_directories(agent->opts);
	if (r)
		goto out;
	r = take_lock(agent);
	if (r)
		goto out;
	r = open_loop(agent);
	if (r)
		goto out;
	r = agent_fleet_load(agent);
	if (r)
		goto out;
	r = agent_policy_start(agent, guard_is_pinned(agent->opts), &policy);
	if (!r && agent->opts->detach && agent_trust_is_kept(agent->opts))
		r = refuse_detach();
	if (r)
		goto out;
	r = start_guard(agent, policy);
	if (r)
		goto out;
	r = start_log(agent);
	if (r)
		goto out;
	agent_trust_started(agent);
	agent_act_started(agent);
	r = agent_policy_begin(agent, policy);
	policy = NULL;
	if (r)
		goto out;
	hold_changed(agent);
	r = test_hooks(agent);
	if (r)
		goto out;
	r = start_control(agent);
	if (r)
		goto out;
	r = start_seeing(agent);
	if (r)
		goto out;
	r = watch_fd(agent, guard_events_fd(agent->guard));
	if (r)
		goto out;
	r = watch_fd(agent, guard_watch_fd(agent->guard));
	if (r)
		goto out;
	r = watch_fd(agent, agent_fleet_fd(agent));
	if (r)
		goto out;
	agent_fleet_start(agent);
	r = start_dropped(agent);
	if (r)
		goto out;
	save_if_dirty(agent);
	sweep_crossings_later(agent);
	/* What the agent before did not live to write down. */
	if (agent->adopted)
		expose_later(agent);
	agent_evidence_sign(agent);
	start_watchdog(agent);
	/* Loading and testing the guard takes much memory for a short time. */
	(void)malloc_trim(0);
	agent_notify_ready(agent);
	agent_describe(agent, text, sizeof(text));
	log_info("ready: %s", text);
out:
	policy_free(policy);
	return r;
}

static void close_fd(int fd)
{
	if (fd >= 0)
		(void)close(fd);
}

static void stop_guard(struct agent *agent)
{
	int r = GUARD_EVENTS_AT_ONCE;

	if (!agent->guard)
		return;
	if (agent->log) {
		/* As many as there were: holders may go on making some. */
		for (int i = 0; i < DRAINS_MAX && r == GUARD_EVENTS_AT_ONCE;
		     i++) {
			r = guard_events(agent->guard, take_event, agent);
			(void)agent_say_all(agent);
		}
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
	save_files_last(agent);
	if (agent->opts->detach || agent->uninstalled) {
		if (guard_detach(agent->guard, &agent_say) == 0)
			log_notice("stopped; the guard is detached: nothing "
				   "is protected now");
		else
			agent->uninstalled = false;
	} else if (guard_is_pinned(agent->opts)) {
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
	free(agent->saying);
	names_seen_free(agent->seen);
	agent_dropped_release(agent);
	agent_trust_release(agent);
	agent_act_release(agent);
	guard_kept_free(agent->kept);
	guard_close(agent->guard);
	policy_free(agent->policy);
	close_fd(agent->save_fd);
	close_fd(agent->files_fd);
	close_fd(agent->sweep_fd);
	close_fd(agent->crossings_fd);
	close_fd(agent->evidence_fd);
	close_fd(agent->expose_fd);
	close_fd(agent->incident_fd);
	close_fd(agent->act_fd);
	close_fd(agent->watchdog_fd);
	close_fd(agent->expiry_fd);
	close_fd(agent->signal_fd);
	close_fd(agent->epoll_fd);
	/* Last: whoever waits for the lock finds everything closed. */
	close_fd(agent->lock_fd);
}

static int serve(const struct agent_options *opts)
{
	struct agent agent = {
		.opts = opts,
		.epoll_fd = -1,
		.lock_fd = -1,
		.signal_fd = -1,
		.save_fd = -1,
		.files_fd = -1,
		.sweep_fd = -1,
		.crossings_fd = -1,
		.evidence_fd = -1,
		.expose_fd = -1,
		.incident_fd = -1,
		.act_fd = -1,
		.watchdog_fd = -1,
		.expiry_fd = -1,
		.dropped_fd = -1,
	};
	int r;

	r = start(&agent);
	if (!r)
		r = run(&agent);
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
	bool pinned = guard_is_pinned(opts);
	int r;

	r = make_directories(opts);
	if (r)
		return EXIT_WRONG;
	r = take_lock(&agent);
	if (r) {
		if (r == -EWOULDBLOCK)
			log_error("stop the agent first: systemctl stop "
				  "cordond");
		return EXIT_WRONG;
	}
	r = pinned && (agent_trust_is_kept(opts) ||
		       guard_pinned_trust(opts->guard.pin_dir))
		    ? refuse_detach()
		    : guard_detach_pins(opts->guard.pin_dir, &agent_say);
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
