// SPDX-License-Identifier: GPL-2.0-only
/*
 * What the agent waits for: each timer and descriptor calls its own function,
 * once, and nothing stays open.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <dirent.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "agent.h"
#include "log.h"

/* ---- what the loop calls ------------------------------------------------- */

static char called[256];
static uint64_t watchdog_usec;

static void note(const char *what)
{
	size_t len = strlen(called);

	(void)snprintf(called + len, sizeof(called) - len, "%s ", what);
}

/* The last thing that a test waits for. */
static void note_last(struct agent *agent, const char *what)
{
	note(what);
	agent->ends = true;
}

#define TICK(name)                       \
	void name(struct agent *agent)   \
	{                                \
		note_last(agent, #name); \
	}

TICK(agent_save_tick)
TICK(agent_save_files_tick)
TICK(agent_sweep_all)
TICK(agent_sweep_crossings_tick)
TICK(agent_expose_tick)
TICK(agent_evidence_tick)
TICK(agent_incident_tick)
TICK(agent_act_tick)
TICK(agent_remember_look)

void agent_policy_reload(struct agent *agent)
{
	(void)agent;
	note("reload");
}

/* The next thing that a reload does. */
void agent_fleet_start(struct agent *agent)
{
	(void)agent;
	note("fleet");
	assert_int_equal(raise(SIGTERM), 0);
}

static struct agent *waiting;

void agent_notify(const char *format, ...)
{
	note_last(waiting, format);
}

void agent_notify_ready(const struct agent *agent)
{
	(void)agent;
	note("ready");
}

void agent_save_files(struct agent *agent, bool open)
{
	(void)agent;
	note(open ? "open" : "closed");
}

void agent_policy_tell_end(struct agent *agent)
{
	(void)agent;
	note("tell");
}

void agent_policy_watch_end(struct agent *agent)
{
	(void)agent;
	note("watch");
}

int sd_watchdog_enabled(int unset_environment, uint64_t *usec);

int sd_watchdog_enabled(int unset_environment, uint64_t *usec)
{
	(void)unset_environment;
	*usec = watchdog_usec;
	return watchdog_usec > 0;
}

/* ---- the tests ----------------------------------------------------------- */

static size_t count_open(void)
{
	DIR *dir = opendir("/proc/self/fd");
	size_t n = 0;

	assert_non_null(dir);
	while (readdir(dir))
		n++;
	(void)closedir(dir);
	return n;
}

static size_t open_before;

static int begin(void **state)
{
	static struct agent agent;

	agent = (struct agent){0};
	called[0] = '\0';
	watchdog_usec = 0;
	open_before = count_open();
	agent_loop_init(&agent);
	waiting = *state = &agent;
	return agent_loop_open(&agent);
}

static int end(void **state)
{
	agent_loop_close(*state);
	return count_open() == open_before ? 0 : -1;
}

static void make_due(struct agent *agent, enum agent_timer timer)
{
	struct itimerspec now = {.it_value.tv_nsec = 1};

	assert_int_equal(timerfd_settime(agent->timers[timer], 0, &now, NULL),
			 0);
}

/* Runs until something is called that ends it. */
static const char *run(struct agent *agent)
{
	called[0] = '\0';
	agent->ends = false;
	assert_int_equal(agent_loop_run(agent), 0);
	return called;
}

static void loop_calls_what_a_timer_is_for_when_it_is_due(void **state)
{
	static const char *const names[AGENT_TIMERS] = {
		[AGENT_TIMER_SAVE] = "agent_save_tick ",
		[AGENT_TIMER_FILES] = "agent_save_files_tick ",
		[AGENT_TIMER_SWEEP] = "agent_sweep_all ",
		[AGENT_TIMER_CROSSINGS] = "agent_sweep_crossings_tick ",
		[AGENT_TIMER_EXPOSE] = "agent_expose_tick ",
		[AGENT_TIMER_EVIDENCE] = "agent_evidence_tick ",
		[AGENT_TIMER_INCIDENT] = "agent_incident_tick ",
		[AGENT_TIMER_ACT] = "agent_act_tick ",
		[AGENT_TIMER_EXPIRY] = "agent_remember_look ",
		[AGENT_TIMER_WATCHDOG] = "WATCHDOG=1 ",
	};

	/* Each time the one before would come again, were it not read. */
	for (int i = 0; i < AGENT_TIMERS; i++) {
		make_due(*state, (enum agent_timer)i);
		assert_string_equal(run(*state), names[i]);
	}
}

static void loop_looks_at_the_policy_when_its_end_comes(void **state)
{
	struct agent *agent = *state;
	struct policy policy = {0};

	agent->policy = &policy;
	agent->files_open = true;
	make_due(agent, AGENT_TIMER_EXPIRY);
	assert_string_equal(run(agent),
			    "agent_remember_look open tell watch ready ");
}

static void loop_tells_systemd_when_it_watches(void **state)
{
	watchdog_usec = 20000;
	agent_watchdog_start(*state);
	/* Again and again. */
	assert_string_equal(run(*state), "WATCHDOG=1 ");
	assert_string_equal(run(*state), "WATCHDOG=1 ");
}

static void loop_leaves_systemd_alone_when_it_does_not_watch(void **state)
{
	agent_watchdog_start(*state);
	agent_set_timer(*state, AGENT_TIMER_SAVE, 1);
	assert_string_equal(run(*state), "agent_save_tick ");
}

static void loop_reloads_and_ends_when_signals_say_so(void **state)
{
	assert_int_equal(raise(SIGHUP), 0);
	assert_string_equal(run(*state), "reload fleet ");
}

static void loop_ends_when_an_act_uninstalls(void **state)
{
	struct agent *agent = *state;

	agent->uninstalled = true;
	assert_string_equal(run(agent), "");
}

static int pipe_fds[2];

static void take_byte(struct agent *agent)
{
	char byte;

	assert_int_equal(read(pipe_fds[0], &byte, 1), 1);
	note_last(agent, "byte");
}

static void loop_calls_whoever_watches_when_something_comes(void **state)
{
	assert_int_equal(pipe(pipe_fds), 0);
	assert_int_equal(agent_watch(*state, pipe_fds[0], take_byte), 0);
	assert_int_equal(write(pipe_fds[1], "12", 2), 2);
	assert_string_equal(run(*state), "byte ");
	assert_string_equal(run(*state), "byte ");
	(void)close(pipe_fds[0]);
	(void)close(pipe_fds[1]);
}

static void loop_refuses_a_descriptor_when_it_has_no_place(void **state)
{
	struct agent *agent = *state;

	assert_int_equal(agent_watch(agent, -1, take_byte), -EBADF);
	agent->n_watched = AGENT_WATCHED_MAX;
	assert_int_equal(agent_watch(agent, STDIN_FILENO, take_byte), -ENOSPC);
}

static void loop_closes_nothing_when_it_was_not_opened(void **state)
{
	struct agent agent = {0};

	(void)state;
	open_before = count_open();
	agent_loop_init(&agent);
	agent_loop_close(&agent);
	assert_int_equal(count_open(), open_before);
}

#define loop_test(f) cmocka_unit_test_setup_teardown(f, begin, end)

int main(void)
{
	const struct CMUnitTest tests[] = {
		loop_test(loop_calls_what_a_timer_is_for_when_it_is_due),
		loop_test(loop_looks_at_the_policy_when_its_end_comes),
		loop_test(loop_tells_systemd_when_it_watches),
		loop_test(loop_leaves_systemd_alone_when_it_does_not_watch),
		loop_test(loop_reloads_and_ends_when_signals_say_so),
		loop_test(loop_ends_when_an_act_uninstalls),
		loop_test(loop_calls_whoever_watches_when_something_comes),
		loop_test(loop_refuses_a_descriptor_when_it_has_no_place),
		cmocka_unit_test(loop_closes_nothing_when_it_was_not_opened),
	};

	log_open("test", false);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
