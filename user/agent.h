/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the agent knows while it runs, and its parts: cordond.c starts, waits
 * and ends, agent_policy.c has the policy, answer.c answers the control socket.
 */
#ifndef CORDON_AGENT_H
#define CORDON_AGENT_H

#include <stdbool.h>
#include <stdint.h>
#include <time.h>

#include "control.h"
#include "doctor.h"
#include "event.h"
#include "eventlog.h"
#include "evidence.h"
#include "exposure.h"
#include "guard.h"
#include "policy.h"
#include "record_names.h"

/* Options that were given, of those for which it matters. */
enum agent_given {
	AGENT_POLICY = 1,
	AGENT_ATTACH = 2,
	AGENT_CGROUP = 4,
	AGENT_MAX_RECORDS = 8,
};

struct agent_options {
	unsigned int given; /* bits of enum agent_given */
	const char *policy_file;
	const char *state_dir;
	const char *run_dir;
	struct guard_options guard;
	bool detach;
	bool foreground;
	bool doctor;
	bool json;
	bool debug;
};

struct agent {
	const struct agent_options *opts;
	struct guard *guard;
	bool adopted;
	struct policy *policy; /* NULL: the guard's is one we could not read */
	int64_t applied_s;     /* time of day when that came into force */
	char problem[POLICY_ERROR_CHARS_MAX]; /* why the file is not in force */
	struct eventlog *log;
	struct evidence *evidence; /* NULL: it cannot be opened */
	uint64_t unwritten;   /* lines that it lacks, since the agent began */
	int evidence_fd;      /* its timer */
	bool evidence_soon;   /* that runs */
	bool evidence_failed; /* and that was told */
	struct exposure exposed; /* what was written down of it */
	uint64_t exposed_read;	 /* how many records that was */
	struct record_names record_names;
	int64_t names_ms; /* clock_ms() when these were looked up */
	int64_t names_took_ms;
	int expose_fd; /* a timer */
	bool expose_soon;
	bool expose_failed;
	struct agent_saying *saying; /* not on the disk yet */
	size_t n_saying;
	struct control *control;
	struct event_names names;
	int64_t started_s; /* CLOCK_BOOTTIME */
	int epoll_fd;
	int lock_fd;
	int signal_fd;
	int save_fd; /* timers */
	int files_fd;
	int sweep_fd;
	int crossings_fd;
	bool crossings_soon;   /* its timer runs */
	bool crossings_failed; /* the last sweep did, and that was told */
	pid_t crossings_pid;   /* who sweeps now; 0: nobody */
	bool refused;	       /* a verdict was among the events just taken */
	bool progressed;       /* the status tells of a scan */
	int64_t scan_told_ms;  /* clock_ms(); 0: not yet */
	int watchdog_fd;
	int expiry_fd;
	bool saving; /* save_fd runs */
	bool save_failed;
	bool files_open; /* files_fd runs: more may come */
	bool files_failed;
	struct guard_kept *kept; /* while it starts */
	uint64_t faults_told;	 /* bit per enum fault */
	uint64_t faults_recorded[FAULT_MAX];
	uint32_t swept; /* state->touches after the last sweep */
};

/* ---- cordond.c ----------------------------------------------------------- */

/* What the guard says goes to the log. */
extern const struct guard_say agent_say;

/* One of the agent's timers, in so many seconds; 0: not at all. */
void agent_set_timer(int fd, time_t seconds);

/* Saves the guard's state; if that fails, it is said and tried again later. */
void agent_save(struct agent *agent);

/* ---- agent_evidence.c ---------------------------------------------------- */

/*
 * The events of before, and the evidence log with a first line. If that cannot
 * be opened it is said and tried again, and the agent goes on without. 0 or
 * -ENOMEM.
 */
int agent_evidence_start(struct agent *agent);

/*
 * Adds line, which it steals, to the evidence log and, if it is an event, to
 * those in memory. What it says may be told only after agent_evidence_sync().
 * As evidence_add(); -ENODEV: there is no log.
 */
int agent_record(struct agent *agent, json_t *line, int64_t time_s, bool event);
int agent_evidence_sync(struct agent *agent);

/* Says when these began to fail, by what they returned, and when that is
 * over. */
void agent_evidence_told(struct agent *agent, int r);

/* A line, on the disk, about the policy that came into force. */
void agent_record_policy(struct agent *agent);

/* Signs all that is there, now and not by its timer. */
void agent_evidence_sign(struct agent *agent);

/* What its timer is for. */
void agent_evidence_tick(struct agent *agent);

void agent_evidence_stop(struct agent *agent);

/* ---- agent_exposure.c ---------------------------------------------------- */

/*
 * Writes down which records origins have read since the last time, by their
 * names; if that takes long, not each time, unless it has to be now. Returns
 * whether it should be called again: there were any, or it failed, which it
 * says.
 */
bool agent_expose(struct agent *agent, bool now);

/* ---- agent_policy.c ------------------------------------------------------ */

/* The serial in force; 0: none is. */
uint64_t agent_serial(const struct agent *agent);

/* `enforcing policy serial 3 of ...`, cut at size. */
void agent_describe(const struct agent *agent, char *buf, size_t size);

/* sd_notify(3); agent_notify_ready() has the policy in its status. */
void agent_notify(const char *format, ...)
	__attribute__((format(printf, 1, 2)));
void agent_notify_ready(const struct agent *agent);

/*
 * Reads the policy's file; is what is in it one for this host and this moment?
 * What is not is said, and kept in agent->problem. -errno of policy_load();
 * -EPERM.
 */
int agent_policy_read(struct agent *agent, struct policy **ret_policy);
int agent_policy_check(struct agent *agent, const struct policy *policy);

/* Puts policy, which it steals, into force, or says why not. */
int agent_policy_apply(struct agent *agent, struct policy *policy);

/* All of these; what was in force stays if one fails. */
void agent_policy_reload(struct agent *agent);

/* Wakes the agent when the policy ends, or the clock is set; says that it has
 * ended. */
void agent_policy_watch_end(struct agent *agent);
void agent_policy_tell_end(const struct agent *agent);

/* ---- agent_options.c ----------------------------------------------------- */

/*
 * Takes the arguments into opts, which has the defaults. 0; 1: --help or
 * --version, which are done; -EINVAL: wrong, and said.
 */
int agent_options_parse(int argc, char **argv, struct agent_options *opts);

/* ---- answer.c ------------------------------------------------------------ */

/* control_answer_fn with a struct agent. */
int answer(struct control *control, struct control_client *client, void *arg);

/* ---- answer_explain.c ---------------------------------------------------- */

/* The whole reply to CONTROL_EXPLAIN, which is bounded. As answer(). */
int answer_explain(struct agent *agent, struct control_client *client);

#endif
