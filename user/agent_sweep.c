// SPDX-License-Identifier: GPL-2.0-only
/*
 * What grows in the guard's tables: it is written down now and then, and what
 * nobody needs any more is swept out of them.
 */
#include "agent.h"

#include <inttypes.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "clock.h"
#include "log.h"

#define SWEEP_AGAIN_S  60   /* while hardly any room is left */
#define LEDGER_S       300  /* while something grows */
#define LEDGER_IDLE_S  3600 /* as long as there are origins */
#define EXPOSE_AFTER_S 5  /* of an event, and again as long as there is more */
#define EXPOSE_AGAIN_S 60 /* of a disk that is full */
#define CROSSINGS_S    5  /* while something goes between networks */

/* ---- exposure ------------------------------------------------------------ */

static void expose_in(struct agent *agent, int64_t seconds)
{
	int64_t due_ms = clock_ms() + seconds * 1000;

	if (agent->expose_due_ms && agent->expose_due_ms <= due_ms)
		return;
	agent->expose_due_ms = due_ms;
	agent_set_timer(agent, AGENT_TIMER_EXPOSE, seconds);
}

void agent_expose_later(struct agent *agent)
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
		agent_expose_later(agent);
	else if (guard_state(agent->guard)->next_origin)
		expose_in(agent, told ? LEDGER_S : LEDGER_IDLE_S);
}

void agent_expose_tick(struct agent *agent)
{
	agent->expose_due_ms = 0;
	expose(agent, false);
}

/* ---- sweeping ------------------------------------------------------------ */

/* Is hardly any room left for touches? */
static bool touches_crowd(const struct agent *agent)
{
	uint32_t room = guard_touches_max(agent->guard);

	return guard_state(agent->guard)->touches >= room - room / 8;
}

void agent_sweep_all(struct agent *agent)
{
	const struct guard_state *state = guard_state(agent->guard);
	uint64_t gone = 0;
	int r;

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
		agent_set_timer(agent, AGENT_TIMER_SWEEP, SWEEP_AGAIN_S);
}

void agent_sweep(struct agent *agent)
{
	uint32_t touches = guard_state(agent->guard)->touches;
	uint32_t room = guard_touches_max(agent->guard);

	if (touches >= agent->swept && touches - agent->swept >= room / 8)
		agent_sweep_all(agent);
}

void agent_sweep_crossings_later(struct agent *agent)
{
	if (agent->crossings_soon || (!guard_state(agent->guard)->crossings &&
				      agent->crossings_pid <= 0))
		return;
	agent->crossings_soon = true;
	agent_set_timer(agent, AGENT_TIMER_CROSSINGS, CROSSINGS_S);
}

/*
 * By a process of its own: it looks at every open file of the host, and users
 * say how many there are.
 */
void agent_sweep_crossings_tick(struct agent *agent)
{
	int status = 0;
	pid_t pid = agent->crossings_pid;

	agent->crossings_soon = false;
	if (pid > 0 && !waitpid(pid, &status, WNOHANG)) {
		agent_sweep_crossings_later(agent);
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
	agent_sweep_crossings_later(agent);
}
