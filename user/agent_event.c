// SPDX-License-Identifier: GPL-2.0-only
/*
 * What the guard tells: its events are written down, said once that is on the
 * disk, and followed by what they ask for.
 */
#include "agent.h"

#include <errno.h>
#include <stdlib.h>
#include <syslog.h>

#include "clock.h"
#include "log.h"

#define LOOK_AGAIN_MS 500
#define SAYING_MAX    64
#define DRAINS_MAX    64 /* when the agent stops */

/* ---- what the guard says ------------------------------------------------- */

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

/* ---- names and faults ---------------------------------------------------- */

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

void agent_event_names(struct agent *agent)
{
	agent->names = (struct event_names){
		.name = name_of,
		.fault = event_fault_name,
		.seen = seen_as,
		.arg = agent,
	};
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

void agent_event_faults(struct agent *agent)
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

/* ---- what is said -------------------------------------------------------- */

/* A sentence that waits until what it says is on the disk. */
struct agent_saying {
	int level;
	json_t *line; /* NULL: there is none */
	char words[EVENT_WORDS_MAX];
};

int agent_say_start(struct agent *agent)
{
	agent->saying = calloc(SAYING_MAX, sizeof(*agent->saying));
	return agent->saying ? 0 : -ENOMEM;
}

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

void agent_say_stop(struct agent *agent)
{
	free(agent->saying);
}

/* ---- events -------------------------------------------------------------- */

/* Steals line, the event's. */
static void tell_event(struct agent *agent, const struct event *event,
		       const struct event_who *who, json_t *line)
{
	int level = LOG_INFO;

	/* agent_event_faults() tells each kind once, with what to do. */
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

	/* See agent_event_take(). */
	if (event->type == EVENT_DIRTY || event->type == EVENT_NOTICE)
		return 0;
	/* Refused, perhaps, because somebody is not known under a new file. */
	if (event->type == EVENT_VERDICT)
		agent->refused = true;
	if (event->type == EVENT_FAULT && event->fault == FAULT_TOUCH_FULL)
		agent_sweep_all(agent);
	event_look_up(event, &who);
	now_ns = event_realtime_ns(event->time_ns);
	line = event_json(event, &who, &agent->names, now_ns);
	if (line && agent_act_covers(agent, event->time_ns))
		(void)json_object_set_new(line, "lifted", json_true());
	if (line)
		agent_incident_event(agent, event, &who, line);
	/* It gets its number there. */
	json_incref(line);
	r = agent_record(agent, line, now_ns / CLOCK_NS_PER_S, true);
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

void agent_event_take(struct agent *agent)
{
	int r, synced;

	r = guard_events(agent->guard, take_event, agent);
	/* Before all that can wait. */
	agent_save_files_if_new(agent);
	synced = agent_say_all(agent);
	agent_evidence_told(agent, r < 0 ? r : synced);
	control_wake(agent->control);
	guard_notice(agent->guard, wants_look(agent));
	agent_save_if_dirty(agent);
	agent_event_faults(agent);
	agent_sweep(agent);
	agent_sweep_crossings_later(agent);
	agent_expose_later(agent);
}

void agent_event_take_last(struct agent *agent)
{
	int r = GUARD_EVENTS_AT_ONCE;

	/* As many as there were: holders may go on making some. */
	for (int i = 0; i < DRAINS_MAX && r == GUARD_EVENTS_AT_ONCE; i++) {
		r = guard_events(agent->guard, take_event, agent);
		(void)agent_say_all(agent);
	}
}
