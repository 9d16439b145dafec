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
#include "log.h"
#include "text.h"
#include "version.h"

#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <inttypes.h>
#include <malloc.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <sys/timerfd.h>
#include <systemd/sd-daemon.h>
#include <unistd.h>

#define NS_PER_S	  1000000000LL
#define SAVE_AFTER_S	  5	 /* of the first budget used since */
#define SAVE_AGAIN_S	  60	 /* after a save that failed */
#define SWEEP_TOUCHES	  65536U /* an eighth of what the guard remembers */
#define START_EXTEND_USEC "60000000"
#define STATE_FILE	  "state"
#define EVENTS_FILE	  "events.jsonl"
#define LOCK_FILE	  CORDON_RUN_DIR "/cordond.lock"

enum exit_code { EXIT_OK, EXIT_WRONG, EXIT_USAGE };

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

static const struct guard_say to_log = {say_to_log, NULL};

static const char *name_of(uint32_t kind, uint32_t id, void *arg)
{
	const struct agent *agent = arg;

	return guard_name(agent->guard, kind, id);
}

/* What a fault means and what to do; the default serves tables that filled. */
static const char *const fault_remedies[FAULT_MAX] = {
	[FAULT_LABEL_FULL] = "there are more files in the datasets than the "
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
};

/*
 * The guard remembers which records were touched; what no window needs any
 * more has to go before that table is full, and may when it is.
 */
static void sweep(struct agent *agent, bool full)
{
	const struct guard_state *state = guard_state(agent->guard);
	uint64_t gone = 0;
	int r;

	if (!full && (state->touches < agent->swept ||
		      state->touches - agent->swept < SWEEP_TOUCHES))
		return;
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
}

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
		log_warning("fault: %s; %s", guard_fault_name(i),
			    remedy ? remedy
				   : "the guard refuses what it cannot account "
				     "for: see the tables in cordon status "
				     "and end what fills them");
	}
}

/* ---- telling systemd ---------------------------------------------------- */

static void notify(const char *format, ...)
	__attribute__((format(printf, 1, 2)));

static void notify(const char *format, ...)
{
	char text[512];
	va_list ap;

	va_start(ap, format);
	(void)vsnprintf(text, sizeof(text), format, ap);
	va_end(ap);
	(void)sd_notify(0, text);
}

static uint64_t serial_in_force(const struct agent *agent)
{
	const struct guard_state *state = guard_state(agent->guard);

	return state->policy_serial[state->generation & 1];
}

static const char *mode_in_force(const struct agent *agent)
{
	const struct guard_state *state = guard_state(agent->guard);

	return state->mode[state->generation & 1] == MODE_OBSERVE ? "observing"
								  : "enforcing";
}

static void describe(const struct agent *agent, char *buf, size_t size)
{
	if (agent->problem[0])
		(void)snprintf(buf, size,
			       "%s policy serial %" PRIu64 ", NOT the one in "
			       "%.100s, which is refused",
			       mode_in_force(agent), serial_in_force(agent),
			       agent->opts->policy_file);
	else
		(void)snprintf(buf, size,
			       "%s policy serial %" PRIu64 " of %.64s, %zu "
			       "dataset%s%s",
			       mode_in_force(agent), serial_in_force(agent),
			       agent->policy->issuer, agent->policy->n_datasets,
			       agent->policy->n_datasets == 1 ? "" : "s",
			       agent->policy->expires_s <= time(NULL)
				       ? ", EXPIRED"
				       : "");
}

static void notify_ready(const struct agent *agent)
{
	char text[256];

	describe(agent, text, sizeof(text));
	notify("READY=1\nSTATUS=%s", text);
}

/* ---- the policy --------------------------------------------------------- */

static int refuse_policy(struct agent *agent, int r, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

static int refuse_policy(struct agent *agent, int r, const char *format, ...)
{
	va_list ap;

	va_start(ap, format);
	(void)vsnprintf(agent->problem, sizeof(agent->problem), format, ap);
	va_end(ap);
	log_clean(agent->problem);
	log_error("policy refused: %s", agent->problem);
	return r;
}

static int read_policy(struct agent *agent, struct policy **ret_policy)
{
	struct policy_errors *errs = NULL;
	int r;

	errs = malloc(sizeof(*errs));
	if (!errs)
		return -ENOMEM;
	r = policy_load(agent->opts->policy_file, ret_policy, errs);
	if (!r)
		goto out;
	if (r == -ENOMEM || !errs->n) {
		(void)refuse_policy(agent, r, "%s: %s",
				    agent->opts->policy_file, strerror(-r));
		goto out;
	}
	for (size_t i = 0; i < errs->n; i++)
		(void)refuse_policy(agent, r, "%s", errs->v[i].text);
	/* The first is the one that the status shows. */
	(void)snprintf(agent->problem, sizeof(agent->problem), "%s",
		       errs->v[0].text);
	if (errs->n_dropped)
		log_error("policy refused: and %zu more errors in %s",
			  errs->n_dropped, agent->opts->policy_file);
out:
	free(errs);
	return r;
}

/* Is a good policy one for this host and this moment? */
static int check_policy(struct agent *agent, const struct policy *policy)
{
	const char *file = agent->opts->policy_file;
	char host[POLICY_HOST_CHARS_MAX + 1] = "", at[TEXT_NUMBER_CHARS_MAX];
	int64_t now = time(NULL);

	(void)gethostname(host, sizeof(host) - 1);
	if (!policy_covers_host(policy, host))
		return refuse_policy(agent, -EPERM,
				     "%s: not for this host: none of its "
				     "`hosts` matches %s; ask the issuer to "
				     "add it",
				     file, host);
	if (policy->not_before_s > now) {
		text_format_time(policy->not_before_s, at, sizeof(at));
		return refuse_policy(agent, -EPERM,
				     "%s: not valid before %s; reload it then, "
				     "or correct this host's clock",
				     file, at);
	}
	return 0;
}

/* May a good policy take the place of the one that the guard has, or had
 * before it was loaded anew? */
static int check_successor(struct agent *agent, const struct policy *policy)
{
	uint64_t serial = serial_in_force(agent);
	uint64_t seen = guard_serial_seen(agent->guard);
	char at[TEXT_NUMBER_CHARS_MAX];

	if (policy->serial < seen)
		return refuse_policy(agent, -EPERM,
				     "%s: its serial %" PRIu64 " is older than "
				     "%" PRIu64 ", which %s in force on this "
				     "host; ask the issuer for a newer one",
				     agent->opts->policy_file, policy->serial,
				     seen, serial == seen ? "is" : "was");
	/* What is in force goes on after its end; nothing new begins then. */
	if (serial && policy->serial != serial &&
	    policy->expires_s <= time(NULL)) {
		text_format_time(policy->expires_s, at, sizeof(at));
		return refuse_policy(agent, -EPERM,
				     "%s: it expired at %s; ask the issuer for "
				     "a newer one",
				     agent->opts->policy_file, at);
	}
	return 0;
}

static void progress(uint64_t files, void *arg)
{
	(void)arg;
	log_info("scanning datasets: %" PRIu64 " files seen", files);
	notify("EXTEND_TIMEOUT_USEC=" START_EXTEND_USEC "\nWATCHDOG=1\n"
	       "STATUS=scanning datasets: %" PRIu64 " files seen",
	       files);
}

static void tell_applied(const struct policy *policy,
			 const struct guard_applied *applied)
{
	log_info("policy in force: %s, serial %" PRIu64 ", mode %s, generation "
		 "%" PRIu64 ": %" PRIu64 " files in %" PRIu32 " paths, %" PRIu32
		 " paths awaited",
		 policy->issuer, policy->serial, policy_mode_name(policy->mode),
		 applied->generation, applied->files, applied->roots,
		 applied->awaited);
	if (applied->unreadable)
		log_error("%" PRIu64 " files or directories of the datasets "
			  "could not be labelled and may not be protected: see "
			  "above, correct it, then reload",
			  applied->unreadable);
	if (applied->unresolved)
		log_warning("%" PRIu32 " users, groups or executables that "
			    "the policy names are not on this host (yet): "
			    "their rules match nobody until they are",
			    applied->unresolved);
}

/* Wakes the agent once, when the policy ends: the clock may be set too. */
static void arm_expiry(struct agent *agent)
{
	struct itimerspec when = {0};

	if (agent->policy->expires_s != INT64_MAX &&
	    agent->policy->expires_s > time(NULL))
		when.it_value.tv_sec = agent->policy->expires_s;
	(void)timerfd_settime(agent->expiry_fd,
			      TFD_TIMER_ABSTIME | TFD_TIMER_CANCEL_ON_SET,
			      &when, NULL);
}

static void tell_expired(const struct agent *agent)
{
	if (agent->policy && agent->policy->expires_s <= time(NULL))
		log_warning("policy serial %" PRIu64 " has expired; it goes on "
			    "being enforced: ask %s for a newer one",
			    agent->policy->serial, agent->policy->issuer);
}

static int watch_watch(struct agent *agent);
static void save(struct agent *agent);

/* Steals policy, whether or not it comes into force. */
static int apply_policy(struct agent *agent, struct policy *policy)
{
	uint64_t seen = guard_serial_seen(agent->guard);
	struct guard_applied applied = {0};
	int r;

	r = check_successor(agent, policy);
	if (r)
		goto out;
	r = guard_apply_policy(agent->guard, policy, true, progress, NULL,
			       &to_log, &applied);
	if (r) {
		(void)refuse_policy(agent, r,
				    "%s: the guard cannot take it: %s; the "
				    "lines above have the cause",
				    agent->opts->policy_file, strerror(-r));
		goto out;
	}
	policy_free(agent->policy);
	agent->policy = policy;
	policy = NULL;
	agent->problem[0] = '\0';
	tell_applied(agent->policy, &applied);
	/* No power cut shall make room for the one before. */
	if (guard_serial_seen(agent->guard) > seen)
		save(agent);
	tell_expired(agent);
	arm_expiry(agent);
	r = watch_watch(agent);
out:
	policy_free(policy);
	/* The parser takes much memory for a short time. */
	(void)malloc_trim(0);
	return r;
}

static void reload(struct agent *agent)
{
	struct policy *policy = NULL;
	struct timespec now;
	int r;

	(void)clock_gettime(CLOCK_MONOTONIC, &now);
	notify("RELOADING=1\nMONOTONIC_USEC=%lld\nSTATUS=reloading the policy",
	       (long long)now.tv_sec * 1000000 + now.tv_nsec / 1000);
	log_info("reloading %s", agent->opts->policy_file);
	r = read_policy(agent, &policy);
	if (!r)
		r = check_policy(agent, policy);
	if (!r) {
		r = apply_policy(agent, policy);
		policy = NULL;
	}
	policy_free(policy);
	if (r)
		log_error("policy serial %" PRIu64 " stays in force",
			  serial_in_force(agent));
	notify_ready(agent);
}

/* ---- events ------------------------------------------------------------- */

static void set_timer(int fd, time_t seconds)
{
	struct itimerspec when = {.it_value.tv_sec = seconds};

	(void)timerfd_settime(fd, 0, &when, NULL);
}

static void save_later(struct agent *agent, time_t seconds)
{
	if (agent->saving)
		return;
	agent->saving = true;
	set_timer(agent->save_fd, seconds);
}

static int path_in(const char *dir, const char *file, char *buf, size_t size)
{
	int n = snprintf(buf, size, "%s/%s", dir, file);

	return n < 0 || (size_t)n >= size ? -ENAMETOOLONG : 0;
}

static void save(struct agent *agent)
{
	char path[4096];
	int r;

	r = path_in(agent->opts->state_dir, STATE_FILE, path, sizeof(path));
	if (!r)
		r = guard_save_state(agent->guard, path,
				     agent->save_failed ? NULL : &to_log);
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

static void tell_event(const struct event *event, const struct event_who *who,
		       const struct event_names *names)
{
	char words[EVENT_WORDS_MAX];

	/* check_faults() tells each kind once, with what to do. */
	if (event->type == EVENT_FAULT && !event->error)
		return;
	event_words(event, who, names, words, sizeof(words));
	if (event->type == EVENT_VERDICT || event->type == EVENT_FAULT)
		log_warning("%s", words);
	else if (event->type == EVENT_BUDGET)
		log_notice("%s", words);
	else
		log_info("%s", words);
}

static int take_event(const struct event *event, void *arg)
{
	struct agent *agent = arg;
	struct event_who who;
	int64_t now_ns;
	int r;

	if (event->type == EVENT_DIRTY) {
		save_later(agent, SAVE_AFTER_S);
		return 0;
	}
	if (event->type == EVENT_FAULT && event->fault == FAULT_TOUCH_FULL)
		sweep(agent, true);
	event_look_up(event, &who);
	now_ns = event_realtime_ns(event->time_ns);
	r = eventlog_add(agent->log,
			 event_json(event, &who, &agent->names,
				    eventlog_next(agent->log), now_ns),
			 now_ns / NS_PER_S);
	tell_event(event, &who, &agent->names);
	return r;
}

static void take_events(struct agent *agent)
{
	int r;

	r = guard_events(agent->guard, take_event, agent);
	if (r >= 0)
		r = eventlog_sync(agent->log);
	if (r < 0 && !agent->log_failed)
		log_error("%s/" EVENTS_FILE ": events are not written: %s; "
			  "they go on being counted and shown: make room on "
			  "that disk",
			  agent->opts->state_dir, strerror(-r));
	else if (r >= 0 && agent->log_failed)
		log_notice("%s/" EVENTS_FILE ": events are written again; "
			   "%" PRIu64 " are missing",
			   agent->opts->state_dir, eventlog_lost(agent->log));
	agent->log_failed = r < 0;
	check_faults(agent);
	sweep(agent, false);
	control_wake(agent->control);
}

/* ---- the loop ----------------------------------------------------------- */

static int watch_fd(struct agent *agent, int fd)
{
	struct epoll_event event = {.events = EPOLLIN, .data.fd = fd};

	if (epoll_ctl(agent->epoll_fd, EPOLL_CTL_ADD, fd, &event) < 0)
		return -errno;
	return 0;
}

/* The guard's watch may come, and change, with a policy. */
static int watch_watch(struct agent *agent)
{
	int fd = guard_watch_fd(agent->guard), r = 0;

	if (fd >= 0) {
		r = watch_fd(agent, fd);
		if (r == -EEXIST)
			r = 0;
	}
	agent->watch_fd = fd;
	return r;
}

static void drain(int fd)
{
	uint64_t n;

	(void)!read(fd, &n, sizeof(n));
}

/* Returns false when the agent is to end. */
static bool take_signal(struct agent *agent)
{
	struct signalfd_siginfo info;

	while (read(agent->signal_fd, &info, sizeof(info)) == sizeof(info)) {
		if (info.ssi_signo == SIGHUP) {
			reload(agent);
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
	if (!agent->policy)
		return;
	tell_expired(agent);
	arm_expiry(agent);
	notify_ready(agent);
}

static void take_save(struct agent *agent)
{
	drain(agent->save_fd);
	agent->saving = false;
	save(agent);
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
	} else if (fd == agent->watchdog_fd) {
		drain(fd);
		notify("WATCHDOG=1");
	} else if (fd == agent->expiry_fd) {
		take_expiry(agent);
	} else if (fd == agent->watch_fd) {
		r = guard_watch_handle(agent->guard, &to_log);
		if (r)
			log_error("what changed on this host could not be "
				  "taken in: %s; reload to try again",
				  strerror(-r));
	}
	return true;
}

static int run(struct agent *agent)
{
	struct epoll_event events[8];
	int n;

	for (;;) {
		n = epoll_wait(agent->epoll_fd, events, 8, -1);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0) {
			log_error("epoll_wait: %s", strerror(errno));
			return -errno;
		}
		for (int i = 0; i < n; i++)
			if (!dispatch(agent, events[i].data.fd))
				return 0;
	}
}

/* ---- start and end ------------------------------------------------------ */

/* Makes dir, and insists that only root can change what is in it. */
static int make_directory(const char *dir, mode_t mode)
{
	struct stat st;

	if (mkdir(dir, mode) < 0 && errno != EEXIST) {
		log_error("%s: cannot be made: %s", dir, strerror(errno));
		return -errno;
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
	return guard_lock(LOCK_FILE, &to_log, &agent->lock_fd);
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
		r = open_timer(CLOCK_MONOTONIC, &agent->watchdog_fd);
	if (!r)
		r = open_timer(CLOCK_REALTIME, &agent->expiry_fd);
	if (!r)
		r = watch_fd(agent, agent->signal_fd);
	if (!r)
		r = watch_fd(agent, agent->save_fd);
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

static int start_guard(struct agent *agent)
{
	char path[4096];
	int r;

	r = guard_open(&agent->opts->guard, &to_log, &agent->guard,
		       &agent->adopted);
	if (r) {
		log_error("the guard cannot run here: %s; cordon doctor says "
			  "what this host lacks",
			  strerror(-r));
		return r;
	}
	agent->names = (struct event_names){name_of, guard_fault_name, agent};
	log_info("guard %s, attached by %s",
		 agent->adopted ? "adopted: it was enforcing already"
				: "loaded",
		 guard_attached(agent->guard) == GUARD_ATTACH_LSM ? "lsm"
								  : "fmod_ret");
	/* Without a policy it is fresh, or its agent came no further. */
	if (guard_state(agent->guard)->generation)
		return 0;
	r = path_in(agent->opts->state_dir, STATE_FILE, path, sizeof(path));
	if (!r)
		r = guard_load_state(agent->guard, path, &to_log);
	/* Empty budgets are said, loudly; unprotected data would be worse. */
	if (r == -EUCLEAN)
		r = 0;
	if (r)
		log_error("%s: %s", path, strerror(-r));
	return r;
}

static int start_log(struct agent *agent)
{
	char path[4096];
	int r;

	r = path_in(agent->opts->state_dir, EVENTS_FILE, path, sizeof(path));
	if (!r)
		r = eventlog_new(path, 0, &agent->log);
	if (r)
		log_error("%s: cannot be opened: %s; move it away if it is not "
			  "a file of the agent's",
			  path, strerror(-r));
	return r;
}

static int start_control(struct agent *agent)
{
	char path[4096];
	int r;

	r = path_in(agent->opts->run_dir, CONTROL_SOCKET, path, sizeof(path));
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

/* Is what was loaded really what the kernel runs? */
static int test_hooks(struct agent *agent)
{
	struct guard_hooks hooks = {0};
	int r;

	r = guard_probe_hooks(agent->guard, NULL, &to_log, &hooks);
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
		(void)guard_detach(agent->guard, &to_log);
	}
	return -EOPNOTSUPP;
}

static bool guard_is_pinned(const struct agent_options *opts)
{
	char path[4096];

	(void)snprintf(path, sizeof(path), "%s/state", opts->guard.pin_dir);
	return access(path, F_OK) == 0;
}

/*
 * A bad policy is no reason to leave a running guard alone: it is adopted with
 * the policy that it has.
 */
static int start_policy(struct agent *agent, struct policy **ret_policy)
{
	int r;

	r = read_policy(agent, ret_policy);
	if (!r) {
		r = check_policy(agent, *ret_policy);
		if (!r)
			return 0;
		policy_free(*ret_policy);
		*ret_policy = NULL;
	}
	if (!guard_is_pinned(agent->opts)) {
		log_error("no policy, hence no protection: correct %s and "
			  "start again",
			  agent->opts->policy_file);
		return r;
	}
	log_error("the guard goes on with the policy that it has");
	return 0;
}

static int start(struct agent *agent)
{
	struct policy *policy = NULL;
	struct timespec now;
	char text[256];
	int r;

	(void)clock_gettime(CLOCK_BOOTTIME, &now);
	agent->started_s = now.tv_sec;
	r = make_directories(agent->opts);
	if (r)
		goto out;
	r = take_lock(agent);
	if (r)
		goto out;
	r = open_loop(agent);
	if (r)
		goto out;
	r = start_policy(agent, &policy);
	if (r)
		goto out;
	r = start_guard(agent);
	if (r)
		goto out;
	r = start_log(agent);
	if (r)
		goto out;
	if (policy) {
		r = apply_policy(agent, policy);
		policy = NULL;
		/* As above: what it has is better than nothing. */
		if (r && agent->adopted && serial_in_force(agent))
			r = 0;
	}
	if (r)
		goto out;
	r = test_hooks(agent);
	if (r)
		goto out;
	r = start_control(agent);
	if (r)
		goto out;
	r = watch_fd(agent, guard_events_fd(agent->guard));
	if (r)
		goto out;
	start_watchdog(agent);
	notify_ready(agent);
	describe(agent, text, sizeof(text));
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
	if (!agent->guard)
		return;
	if (agent->log)
		(void)guard_events(agent->guard, take_event, agent);
	if (guard_state(agent->guard)->dirty || agent->saving)
		save(agent);
	if (!guard_state(agent->guard)->generation) {
		/* Of no use to anybody, and easily taken for protection. */
		(void)guard_detach(agent->guard, &to_log);
		log_error("no policy came into force: the guard is taken away "
			  "again, NOTHING IS PROTECTED on this host");
	} else if (agent->opts->detach) {
		if (guard_detach(agent->guard, &to_log) == 0)
			log_notice("stopped; the guard is detached: nothing "
				   "is protected now");
	} else if (guard_is_pinned(agent->opts)) {
		log_notice("stopped; the guard stays and goes on enforcing "
			   "policy serial %" PRIu64 " (cordond --detach ends "
			   "it)",
			   serial_in_force(agent));
	}
}

static void stop(struct agent *agent)
{
	notify("STOPPING=1");
	control_free(agent->control);
	stop_guard(agent);
	eventlog_free(agent->log);
	guard_close(agent->guard);
	policy_free(agent->policy);
	close_fd(agent->save_fd);
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
		.watchdog_fd = -1,
		.expiry_fd = -1,
		.watch_fd = -1,
	};
	int r;

	r = start(&agent);
	if (!r)
		r = run(&agent);
	else
		notify("STATUS=could not start: see the log");
	stop(&agent);
	return r ? EXIT_WRONG : EXIT_OK;
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
	r = guard_detach_pins(opts->guard.pin_dir, &to_log);
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
		doctor_print(stdout, item,
			     isatty(STDOUT_FILENO) && !getenv("NO_COLOR"));
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
	if (r)
		return EXIT_WRONG;
	if (!opts->json)
		doctor_print_result(stdout, &asked.result,
				    isatty(STDOUT_FILENO) &&
					    !getenv("NO_COLOR"));
	return asked.result.n[DOCTOR_FAIL] ? EXIT_WRONG : EXIT_OK;
}

/* ---- arguments ---------------------------------------------------------- */

static const char usage[] =
	"usage: cordond [OPTION...]\n"
	"\n"
	"The agent: loads or adopts the guard in the kernel, gives it the "
	"policy and\n"
	"reports what it does. Without --detach the guard outlives it.\n"
	"\n"
	"  --policy FILE      default " CORDON_POLICY_FILE "\n"
	"  --state-dir DIR    default " CORDON_STATE_DIR "\n"
	"  --run-dir DIR      default " CORDON_RUN_DIR "\n"
	"  --pin-dir DIR      default " CORDON_PIN_DIR "\n"
	"  --attach HOW       auto (default), lsm or fmod\n"
	"  --cgroup PATH      root of cgroup2, default: found\n"
	"  --max-records N    labelled files the guard has room for, default "
	"262144\n"
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
		return 0;
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
		opts->guard.cgroup2 = absolute("cgroup", optarg);
		return opts->guard.cgroup2 ? 0 : -EINVAL;
	case OPT_ATTACH:
		if (parse_attach(optarg, &opts->guard.attach) == 0)
			return 0;
		(void)fprintf(stderr,
			      "cordond: --attach %s: expected auto, "
			      "lsm or fmod\n",
			      optarg);
		return -EINVAL;
	case OPT_MAX_RECORDS:
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

static int parse_options(int argc, char **argv, struct agent_options *opts)
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
	return 0;
}

int main(int argc, char **argv)
{
	struct agent_options opts = {
		.policy_file = CORDON_POLICY_FILE,
		.state_dir = CORDON_STATE_DIR,
		.run_dir = CORDON_RUN_DIR,
		.guard.pin_dir = CORDON_PIN_DIR,
	};
	int r;

	r = parse_options(argc, argv, &opts);
	if (r < 0)
		(void)fprintf(stderr, "try: cordond --help\n");
	if (r)
		return r < 0 ? EXIT_USAGE : EXIT_OK;
	log_open("cordond", opts.debug);
	(void)umask(077);
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
