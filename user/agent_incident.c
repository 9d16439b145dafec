// SPDX-License-Identifier: GPL-2.0-only
/*
 * Incidents, out of the guard's verdicts: what /proc and the guard tell of who
 * acts is looked at while it may be there, the rest a moment later. All of it
 * is written to the evidence log, where the next agent takes it up again.
 */
#include "agent_incident.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <syslog.h>

#define TICK_NS	     (CLOCK_NS_PER_S / 50) /* a tick of /proc, and more */
#define SOON_NS	     CLOCK_NS_PER_S	   /* behind a new actor */
#define AGAIN_NS     (5 * CLOCK_NS_PER_S)
#define AGAIN_MAX_NS (60 * CLOCK_NS_PER_S)
#define AGAIN_SHARE  12 /* of its age; an hour's attack is not hurried */

/* ---- its timer ----------------------------------------------------------- */

static void arm(struct agent *agent, uint64_t due_ns)
{
	struct agent_incidents *incidents = agent->incidents;
	uint64_t now = now_ns(), wait;

	if (incidents->armed_ns && incidents->armed_ns <= due_ns)
		return;
	incidents->armed_ns = due_ns;
	wait = due_ns > now ? due_ns - now : 0;
	agent_set_timer(agent, AGENT_TIMER_INCIDENT,
			(time_t)(wait / CLOCK_NS_PER_S) + 1);
}

static void due(struct agent *agent, struct incident *incident, uint64_t in_ns)
{
	uint64_t at = now_ns() + in_ns;

	if (!incident->due_ns || at < incident->due_ns)
		incident->due_ns = at;
	arm(agent, incident->due_ns);
}

static uint64_t interval(const struct incident *incident)
{
	uint64_t now = now_ns(), age;

	age = now > incident->opened_ns ? now - incident->opened_ns : 0;
	age /= AGAIN_SHARE;
	return age < AGAIN_NS	    ? AGAIN_NS
	       : age > AGAIN_MAX_NS ? AGAIN_MAX_NS
				    : age;
}

/* ---- lines --------------------------------------------------------------- */

static json_t *said(const struct incident *incident, const char *state,
		    const char *why)
{
	json_t *fields = incident_fields(incident, state);

	if (why)
		put(fields, "why", json_string(why));
	return evidence_object("incident", fields);
}

static void tell(struct agent *agent, struct incident *incident,
		 const char *state, const char *why)
{
	if (!agent_record(agent, said(incident, state, why), 0, false))
		incident->changed = false;
}

static void finish(struct agent *agent, struct incident *incident,
		   const char *why)
{
	agent_incident_tell_actors_of(agent, incident);
	agent_incident_update(agent, incident);
	incident->open = false;
	incident->due_ns = 0;
	tell(agent, incident, "closed", why);
	(void)snprintf(agent_say_soon(agent, LOG_NOTICE,
				      said(incident, "closed", why)),
		       EVENT_WORDS_MAX,
		       "incident %" PRIu64 " closed: %s; cordon incident show "
		       "%" PRIu64,
		       incident->number,
		       strcmp(why, "quiet") == 0
			       ? "an hour without a verdict"
			       : "more are open than are followed at a time",
		       incident->number);
}

/* ---- an event ------------------------------------------------------------ */

static void put_policy(const struct agent *agent, struct incident *incident)
{
	put(incident->line, "load", number(agent->load));
	put(incident->line, "policy", number(agent_serial(agent)));
	if (!agent->policy)
		return;
	put(incident->line, "issuer", json_string(agent->policy->issuer));
	if (agent->trust && agent->signers)
		put(incident->line, "signers", json_copy(agent->signers));
	put(incident->line, "policy_sha256",
	    json_string(agent->policy->sha256));
}

static struct incident *begin(struct agent *agent,
			      const struct incident_facts *facts)
{
	struct incidents *all = &agent->incidents->all;
	struct incident *incident = incidents_place(all);

	if (incident->number && incident->open)
		finish(agent, incident, "room");
	if (incident_begin(all, incident, facts))
		return NULL;
	memcpy(incident->faults, guard_state(agent->guard)->faults,
	       sizeof(incident->faults));
	put_policy(agent, incident);
	return incident;
}

static void say_opened(struct agent *agent, const struct incident *incident,
		       const struct event *event, const struct event_who *who,
		       const char *state)
{
	char comm[COMM_CHARS_MAX];

	comm_text(event->comm, comm);
	(void)snprintf(
		agent_say_soon(agent, LOG_WARNING, said(incident, state, NULL)),
		EVENT_WORDS_MAX,
		"incident %" PRIu64 " %s: %s (pid %" PRIu32
		", user %s, %s%s%s%s) and %s; cordon incident show "
		"%" PRIu64,
		incident->number, state, comm, event->tgid, who->user,
		who->login[0] ? "login " : "no login", who->login,
		who->unit[0] ? ", unit " : "", who->unit,
		guard_name(agent->guard, NAME_DATASET, event->dataset),
		incident->number);
}

/* In a storm of processes the first ones are enough. */
static void add_actor(struct agent *agent, struct incident *incident,
		      const struct event *event, const struct event_who *who,
		      const struct process_facts *process,
		      const struct incident_facts *facts)
{
	if (incident_add(incident, facts) != INCIDENT_ACTOR_NEW)
		return;
	agent_incident_actor(agent, incident, event, who, process);
	due(agent, incident, SOON_NS);
}

static struct incident *find_or_begin(struct agent *agent,
				      const struct incident_facts *facts,
				      const char **ret_state)
{
	struct incident *incident =
		incidents_find(&agent->incidents->all, facts);

	if (!incident) {
		incident = begin(agent, facts);
		*ret_state = "opened";
	} else if (!incident->open) {
		*ret_state = "reopened";
	}
	return incident;
}

static struct incident *take_verdict(struct agent *agent,
				     const struct event *event,
				     const struct event_who *who, json_t *line)
{
	struct incident_facts facts = {.time_ns = event->time_ns,
				       .process.tgid = event->tgid};
	struct process_facts process = {0};
	struct incident *incident =
		incidents_of_origin(&agent->incidents->all, event->origin);
	const char *state = NULL;

	if (!incident || incident->n_actors < INCIDENT_ACTORS_MAX)
		process = *agent_incident_look(agent, event->tgid);
	/* The number is another's by now. */
	if (process.start_ns > event->time_ns + TICK_NS)
		process = (struct process_facts){0};
	facts.process.start_ns = process.start_ns;
	if (!incident || !incident_has_actor(incident, &facts.process))
		agent_incident_find_facts(agent, event, &process, &facts);
	if (!incident)
		incident = find_or_begin(agent, &facts, &state);
	if (!incident)
		return NULL;
	incident->open = true;
	add_actor(agent, incident, event, who, &process, &facts);
	incident_take(incident, line, !incident_owns(incident, event->origin));
	due(agent, incident, interval(incident));
	if (!state)
		return incident;
	if (process.tgid && !json_object_get(incident->line, "remote"))
		agent_incident_put_remote(incident->line, process.tgid);
	incident->opening = state;
	say_opened(agent, incident, event, who, state);
	/* Behind that: what is told on the way does not have its line yet. */
	agent->incidents->unreported = true;
	return incident;
}

void agent_incident_event(struct agent *agent, const struct event *event,
			  const struct event_who *who, json_t *line)
{
	struct incident *incident;

	if (event->type == EVENT_VERDICT) {
		incident = take_verdict(agent, event, who, line);
	} else {
		incident = incidents_of_origin(&agent->incidents->all,
					       event->origin);
		if (incident)
			due(agent, incident, interval(incident));
	}
	if (incident)
		put(line, "incident", number(incident->number));
}

uint64_t agent_incidents_open(const struct agent *agent)
{
	uint64_t n = 0;

	for (size_t i = 0; agent->incidents && i < INCIDENTS_MAX; i++)
		n += agent->incidents->all.at[i].open;
	return n;
}

uint64_t agent_incident_of(const struct agent *agent, uint32_t origin)
{
	const struct incident *incident =
		incidents_of_origin(&agent->incidents->all, origin);

	return incident ? incident->number : 0;
}

void agent_incident_recorded(struct agent *agent)
{
	struct agent_incidents *incidents = agent->incidents;
	struct incident *incident;

	for (size_t i = 0; incidents->unreported && i < INCIDENTS_MAX; i++) {
		incident = &incidents->all.at[i];
		if (!incident->opening)
			continue;
		/* An agent that dies now leaves whose it is. */
		if (incident->n_origins)
			agent_incident_tell_origins(agent, incident);
		tell(agent, incident, incident->opening, NULL);
		incident->opening = NULL;
		incident->changed = true;
		incident->unreported =
			!json_object_get(incident->line, "reported");
	}
}

void agent_incident_synced(struct agent *agent)
{
	struct agent_incidents *incidents = agent->incidents;
	struct incident *incident;

	if (!incidents->unreported)
		return;
	incidents->unreported = false;
	for (size_t i = 0; i < INCIDENTS_MAX; i++) {
		incident = &incidents->all.at[i];
		if (incident->unreported)
			put(incident->line, "reported", when(now_ns()));
		incident->unreported = false;
	}
}

/* ---- now and then -------------------------------------------------------- */

static void look_at(struct agent *agent, struct incident *incident,
		    uint64_t now)
{
	bool quiet = now > incident->last_ns &&
		     now - incident->last_ns > INCIDENT_QUIET_NS;

	incident->due_ns = 0;
	if (quiet) {
		finish(agent, incident, "quiet");
		return;
	}
	agent_incident_update(agent, incident);
	if (incident->changed)
		tell(agent, incident, "updated", NULL);
	due(agent, incident, interval(incident));
}

void agent_incident_tick(struct agent *agent)
{
	struct agent_incidents *incidents = agent->incidents;
	uint64_t now = now_ns();
	struct incident *incident;

	incidents->armed_ns = 0;
	agent_incident_tell_actors(agent);
	if (incidents->n_waiting)
		arm(agent, now + SOON_NS);
	for (size_t i = 0; i < INCIDENTS_MAX; i++) {
		incident = &incidents->all.at[i];
		if (!incident->open)
			continue;
		if (incident->due_ns <= now)
			look_at(agent, incident, now);
		else
			arm(agent, incident->due_ns);
	}
	agent_evidence_told(agent, agent_say_all(agent));
}

void agent_incident_segment(struct agent *agent)
{
	struct agent_incidents *incidents = agent->incidents;
	uint64_t segment = agent->evidence ? evidence_segment(agent->evidence)
					   : 0;
	struct incident *incident;
	json_t *fields;

	if (!segment || segment == incidents->segment)
		return;
	fields = json_pack("{s:o, s:o}", "load", number(agent->load), "last",
			   number(incidents->all.last));
	if (agent_record(agent, evidence_object("incidents", fields), 0, false))
		return;
	for (size_t i = 0; i < INCIDENTS_MAX; i++) {
		incident = &incidents->all.at[i];
		if (incident->open && !incident->opening)
			tell(agent, incident, "updated", NULL);
	}
	agent_trust_segment(agent, segment);
	agent_act_segment(agent, segment);
	agent_remember_segment(agent);
	incidents->segment = segment;
}

/* ---- start and end ------------------------------------------------------- */

int agent_incident_start(struct agent *agent)
{
	agent->incidents = calloc(1, sizeof(*agent->incidents));
	return agent->incidents ? 0 : -ENOMEM;
}

void agent_incident_forget_old(struct agent *agent)
{
	incidents_release(&agent->incidents->old);
	agent->incidents->old.last = 0;
	agent->incidents->old_load = 0;
}

void agent_incident_old(struct agent *agent, const json_t *line)
{
	struct agent_incidents *incidents = agent->incidents;
	uint64_t load = evidence_number(line, "load");

	(void)incidents_restore(&incidents->old, line);
	(void)snprintf(incidents->away_since, sizeof(incidents->away_since),
		       "%s", evidence_text(line, "time"));
	if (load)
		incidents->old_load = load;
}

uint64_t agent_incident_old_load(const struct agent *agent)
{
	return agent->incidents->old_load;
}

static void resume(struct agent *agent, struct incident *incident)
{
	char now[EVENT_TIME_CHARS_MAX];

	event_time(clock_ns(CLOCK_REALTIME), now);
	incident_add_gap(incident,
			 json_pack("{s:s, s:s, s:s}", "why", "agent", "from",
				   agent->incidents->away_since, "to", now));
	memcpy(incident->faults, guard_state(agent->guard)->faults,
	       sizeof(incident->faults));
	for (uint32_t i = 0; i < FAULT_MAX; i++)
		incident->faults[i] -=
			incident_gap_faults(incident, event_fault_name(i));
	due(agent, incident, AGAIN_NS);
}

/* Those of before are an earlier guard's, whose origins were others: they are
 * over. */
static void close_old(struct agent *agent)
{
	struct incidents *old = &agent->incidents->old;

	for (size_t i = 0; i < INCIDENTS_MAX; i++)
		if (old->at[i].open)
			tell(agent, &old->at[i], "closed", "guard");
}

/* Some began while there was no log: their numbers may be in it already. */
static void renumber(struct agent *agent)
{
	struct agent_incidents *incidents = agent->incidents;
	uint64_t last = incidents->old.last;
	struct incident *incident;

	for (size_t i = 0; i < INCIDENTS_MAX; i++) {
		incident = &incidents->all.at[i];
		if (!incident->number)
			continue;
		incident->number += last;
		put(incident->line, "load", number(agent->load));
		if (incident->open)
			tell(agent, incident, "opened", NULL);
	}
	incidents->all.last += last;
	for (size_t i = 0; i < incidents->n_waiting; i++)
		if (incidents->waiting[i].line)
			put(incidents->waiting[i].line, "incident",
			    number(incidents->waiting[i].incident->number));
}

void agent_incident_resume(struct agent *agent)
{
	struct agent_incidents *incidents = agent->incidents;

	incidents->segment = 0;
	if (!agent->adopted || incidents->all.last)
		close_old(agent);
	if (incidents->all.last) {
		renumber(agent);
	} else if (agent->adopted) {
		incidents->all = incidents->old;
		incidents->old = (struct incidents){0};
		for (size_t i = 0; i < INCIDENTS_MAX; i++)
			if (incidents->all.at[i].open)
				resume(agent, &incidents->all.at[i]);
	} else {
		incidents->all.last = incidents->old.last;
	}
	agent_incident_forget_old(agent);
}

void agent_incident_stop(struct agent *agent)
{
	struct agent_incidents *incidents = agent->incidents;
	struct incident *incident;

	for (size_t i = 0; incidents && i < INCIDENTS_MAX; i++) {
		incident = &incidents->all.at[i];
		if (!incident->open)
			continue;
		agent_incident_tell_actors_of(agent, incident);
		agent_incident_update(agent, incident);
		if (incident->changed)
			tell(agent, incident, "updated", NULL);
	}
}

void agent_incident_end(struct agent *agent)
{
	struct agent_incidents *incidents = agent->incidents;

	if (!incidents)
		return;
	agent_incident_drop_actors(incidents);
	incidents_release(&incidents->all);
	incidents_release(&incidents->old);
	free(incidents);
	agent->incidents = NULL;
}
