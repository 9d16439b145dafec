// SPDX-License-Identifier: GPL-2.0-only
/*
 * How much it was: the ledger, the origins and what is not known, as of now.
 */
#include "agent_incident.h"

#include <errno.h>
#include <string.h>

/* ---- the ledger ---------------------------------------------------------- */

struct counting {
	const struct incident *incident;
	struct incident_counts counts;
};

static void count_row(struct incident_counts *counts,
		      const struct ledger_key *key, const struct ledger *row)
{
	bool inside = key->dest == CORDON_DEST_READ ||
		      key->dest == CORDON_DEST_INTAKE;

	counts->blocked += row->blocked_acts;
	counts->alerted += row->over_acts - row->blocked_acts;
	if (inside)
		return;
	if (row->blocked_acts)
		counts->blocked_bytes += row->over_bytes;
	counts->released_bytes += row->bytes;
	counts->released_records += row->records;
}

static int take_row(const struct ledger_key *key, const struct ledger *ledger,
		    void *arg)
{
	struct counting *counting = arg;

	if (incident_owns(counting->incident, key->origin))
		count_row(&counting->counts, key, ledger);
	return 0;
}

static bool is_wanted(uint32_t origin, const void *arg)
{
	return origin == CORDON_ORIGIN_SEVERAL ||
	       incident_has_origin(arg, origin);
}

static void tell_ledger(struct agent *agent, struct incident *incident)
{
	struct counting counting = {.incident = incident};

	(void)agent_ledger_tell(agent, is_wanted, incident);
	if (guard_each_ledger(agent->guard, take_row, &counting))
		return;
	if (memcmp(&counting.counts, &incident->counts,
		   sizeof(counting.counts)) != 0)
		incident->changed = true;
	incident->counts = counting.counts;
}

/* ---- origins ------------------------------------------------------------- */

struct listing {
	const struct agent *agent;
	const struct incident *incident;
	json_t *list;
	uint64_t first_ns;
};

static int list_origin(uint32_t slot, const struct origin *origin, void *arg)
{
	struct listing *listing = arg;
	json_t *item;

	(void)slot;
	if (!incident_has_origin(listing->incident, origin->serial))
		return 0;
	if (incident_owns(listing->incident, origin->serial) &&
	    (!listing->first_ns || origin->first_ns < listing->first_ns))
		listing->first_ns = origin->first_ns;
	item = json_pack("{s:o, s:s, s:o, s:o, s:o, s:o}", "origin",
			 number(origin->serial), "dataset",
			 guard_name(listing->agent->guard, NAME_DATASET,
				    origin->key.dataset),
			 "first", when(origin->first_ns), "tgid",
			 number(origin->tgid), "records",
			 number(origin->read_records), "bytes",
			 number(origin->read_bytes));
	put_comm(item, "comm", origin->comm);
	if (!incident_owns(listing->incident, origin->serial))
		put(item, "shared", json_true());
	return json_array_append_new(listing->list, item) ? -ENOMEM : 0;
}

void agent_incident_tell_origins(const struct agent *agent,
				 struct incident *incident)
{
	struct listing listing = {.agent = agent, .incident = incident};
	json_t *before = json_object_get(incident->line, "origins");

	listing.list = json_array();
	if (!listing.list ||
	    guard_each_origin(agent->guard, list_origin, &listing) ||
	    json_equal(before, listing.list)) {
		json_decref(listing.list);
		return;
	}
	incident->changed = true;
	put(incident->line, "origins", listing.list);
	if (listing.first_ns)
		put(incident->line, "first", when(listing.first_ns));
}

static void tell_gaps(struct agent *agent, struct incident *incident)
{
	const struct guard_state *state = guard_state(agent->guard);
	json_t *faults = json_object();

	for (uint32_t i = 0; i < FAULT_MAX; i++)
		if (state->faults[i] != incident->faults[i])
			put(faults, event_fault_name(i),
			    number(state->faults[i] - incident->faults[i]));
	if (json_object_size(faults))
		incident_add_gap(incident,
				 json_pack("{s:s, s:O}", "why", "faults",
					   "faults", faults));
	json_decref(faults);
	if (state->faults[FAULT_LEDGER_FULL] !=
	    incident->faults[FAULT_LEDGER_FULL])
		incident_add_gap(incident, json_pack("{s:s}", "why", "rows"));
	if (incident->more_actors)
		incident_add_gap(incident, json_pack("{s:s}", "why", "actors"));
}

void agent_incident_update(struct agent *agent, struct incident *incident)
{
	tell_ledger(agent, incident);
	agent_incident_tell_origins(agent, incident);
	tell_gaps(agent, incident);
}
