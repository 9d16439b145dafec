// SPDX-License-Identifier: GPL-2.0-only
/*
 * How what is held in an incident came to who acts: the steps, a line each.
 */
#include "agent_incident.h"

#include <stdlib.h>

#include "array.h"
#include "chain.h"

#define STEPS_MAX 256 /* of an incident */

static bool is_told(const struct incident *incident, uint64_t serial)
{
	for (size_t i = 0; i < incident->told.n_steps; i++)
		if (incident->told.steps[i] == serial)
			return true;
	return false;
}

static void remember_step(struct incident *incident, uint64_t serial)
{
	uint64_t *steps = array_grow(incident->told.steps,
				     incident->told.n_steps, sizeof(*steps));

	if (!steps)
		return;
	incident->told.steps = steps;
	steps[incident->told.n_steps++] = serial;
}

static void put_giver(const struct agent *agent, json_t *line,
		      const struct chain *chain, const struct step *step)
{
	const struct step_who *from;
	struct origin origin;
	bool several;

	if (step->from & STEP_ORIGIN) {
		if (!guard_origin(agent->guard, (uint32_t)step->from, &origin))
			put(line, "origin", number(origin.serial));
		return;
	}
	put(line, "from_holding", number(step->from));
	from = chain_who(chain, step->from, step->last_ns, &several);
	if (several)
		put(line, "from_several", json_true());
	if (!from)
		return;
	put(line, "from_tgid", number(from->tgid));
	put_comm(line, "from_comm", from->comm);
}

static void tell_step(struct agent *agent, struct incident *incident,
		      const struct chain *chain, struct step *step)
{
	json_t *line;

	agent_complete_step(agent, step);
	line = evidence_object(
		"step",
		json_pack("{s:o, s:o, s:o, s:o, s:s, s:s, s:o, s:o, s:o}",
			  "incident", number(incident->number), "step",
			  number(step->serial), "at", when(step->time_ns),
			  "last", when(step->last_ns), "kind",
			  chain_kind_name(step->kind), "dataset",
			  guard_name(agent->guard, NAME_DATASET, step->dataset),
			  "records", number(step->records), "bytes",
			  number(step->bytes), "holding", number(step->to)));
	if (step->who.tgid) {
		put(line, "tgid", number(step->who.tgid));
		put_comm(line, "comm", step->who.comm);
		put(line, "uid", number(step->who.uid));
		put(line, "user", account(step->who.uid));
	}
	put_giver(agent, line, chain, step);
	if (!agent_record(agent, line, 0, false))
		remember_step(incident, step->serial);
	incident->changed = true;
}

/* Whose data it is that an actor holds: their origins belong to it too. */
static void take_origin_of(struct agent *agent, struct incident *incident,
			   const struct step *step)
{
	struct incident_facts facts = {0};
	struct origin origin;

	if (step->from & STEP_ORIGIN &&
	    !guard_origin(agent->guard, (uint32_t)step->from, &origin)) {
		agent_incident_fact_origin(agent, &facts, &origin);
		(void)incident_add_origin(incident, origin.serial,
					  facts.shared & 1);
		if (facts.n_kin)
			incident_add_kin(incident, &facts.kin[0]);
	}
	if (step->kind == STEP_FILE)
		incident_add_technique(incident, "T1074.001");
}

/* One that the guard has not written yet has no number. */
static bool is_to_be_told(const struct incident *incident,
			  const struct step *step)
{
	return step->serial && !is_told(incident, step->serial);
}

void agent_incident_tell_chain(struct agent *agent, struct incident *incident,
			       uint64_t holding)
{
	struct chain *chain = malloc(sizeof(*chain));
	bool whole = true;

	if (!chain || agent_find_chain(agent, holding, chain))
		goto out;
	for (size_t i = 0; i < chain->n_steps; i++) {
		take_origin_of(agent, incident, &chain->steps[i]);
		if (!is_to_be_told(incident, &chain->steps[i]))
			continue;
		if (incident->told.n_steps == STEPS_MAX)
			whole = false;
		else
			tell_step(agent, incident, chain, &chain->steps[i]);
	}
	for (size_t i = 0; i < chain->n_links; i++)
		whole = whole && chain->links[i].whole;
	if (!whole || chain->cut)
		incident_add_gap(incident, json_pack("{s:s}", "why", "steps"));
out:
	free(chain);
}
