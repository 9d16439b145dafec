// SPDX-License-Identifier: GPL-2.0-only
/*
 * What the next boot gets: the budgets that were used, and what files carry.
 */
#include "agent.h"

#include <string.h>

#include "clock.h"
#include "log.h"
#include "text.h"

#define SAVE_AFTER_S  5	 /* of the first budget used since */
#define AGAIN_S	      60 /* after a save that failed */
#define FILES_AGAIN_S 10 /* between saves of what files carry */
#define FILES_TRIES   3	 /* when the agent stops */
#define FILES_SHARE   50 /* of the time at most: one part in so many */

static void save_later(struct agent *agent, time_t seconds)
{
	if (agent->saving)
		return;
	agent->saving = true;
	agent_set_timer(agent, AGENT_TIMER_SAVE, seconds);
}

void agent_save_if_dirty(struct agent *agent)
{
	if (guard_state(agent->guard)->dirty)
		save_later(agent, SAVE_AFTER_S);
}

void agent_save(struct agent *agent)
{
	char path[4096];
	int r;

	r = text_path(agent->opts->state_dir, AGENT_STATE_FILE, path,
		      sizeof(path));
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
		save_later(agent, AGAIN_S);
}

void agent_save_files(struct agent *agent, bool open)
{
	int64_t begun_ms = clock_ms(), seconds;
	char path[4096];
	int r;

	r = text_path(agent->opts->state_dir, AGENT_FILES_FILE, path,
		      sizeof(path));
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
	agent_set_timer(agent, AGENT_TIMER_FILES, r ? AGAIN_S : seconds);
}

void agent_save_files_if_new(struct agent *agent)
{
	if (guard_state(agent->guard)->unsaved && !agent->files_open)
		agent_save_files(agent, true);
}

/* Nobody writes any more, as a rule: what comes later nobody would save. */
void agent_save_files_last(struct agent *agent)
{
	for (int i = 0; i < FILES_TRIES; i++) {
		agent_save_files(agent, false);
		if (agent->files_failed || !guard_state(agent->guard)->unsaved)
			return;
	}
	agent_save_files(agent, true);
	log_warning("holders are at work while the agent stops: files that "
		    "change from here on are held at the upper bound after a "
		    "reboot, unless an agent is started before; let what reads "
		    "the datasets stop first");
}

void agent_save_files_tick(struct agent *agent)
{
	agent_save_files(agent, guard_state(agent->guard)->unsaved);
}

void agent_save_tick(struct agent *agent)
{
	agent->saving = false;
	agent_save(agent);
	agent_event_faults(agent);
	agent_sweep(agent);
}
