/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the agent knows while it runs: made and changed by cordond.c, read by
 * answer.c, which answers the control socket.
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
#include "guard.h"
#include "policy.h"

struct agent_options {
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
	char problem[POLICY_ERROR_CHARS_MAX]; /* why the file is not in force */
	struct eventlog *log;
	struct control *control;
	struct event_names names;
	int64_t started_s; /* CLOCK_BOOTTIME */
	int epoll_fd;
	int lock_fd;
	int signal_fd;
	int save_fd; /* timers */
	int watchdog_fd;
	int expiry_fd;
	int watch_fd; /* the guard's own, as it was last asked for */
	bool saving;  /* save_fd runs */
	bool save_failed;
	bool log_failed;
	uint64_t faults_told; /* bit per enum fault */
	uint32_t swept;	      /* state->touches after the last sweep */
};

/* control_answer_fn with a struct agent. */
int answer(struct control *control, struct control_client *client, void *arg);

#endif
