// SPDX-License-Identifier: GPL-2.0-only
/*
 * Who acts, and for whom: what /proc and the guard tell while it may be there.
 */
#include "agent_incident.h"

#include <string.h>
#include <sys/stat.h>

#define CGROUP_MOUNT "/sys/fs/cgroup"
#define LOOKED_NS    (CLOCK_NS_PER_S / 50) /* what a look is good for */

static struct incident_kin kin_of(const struct origin *origin)
{
	return (struct incident_kin){origin->key.kin, origin->key.id};
}

struct wanted_origin {
	uint32_t serial;
	struct origin origin;
};

static int is_origin(uint32_t slot, const struct origin *origin, void *arg)
{
	struct wanted_origin *wanted = arg;

	(void)slot;
	if (origin->serial != wanted->serial)
		return 0;
	wanted->origin = *origin;
	return 1;
}

/* Who read for that origin, if that is known. */
struct reader {
	uint32_t origin;
	uint32_t subject;
	bool found;
};

static int take_reader(const struct ledger_key *key, const struct ledger *row,
		       void *arg)
{
	struct reader *reader = arg;

	(void)row;
	if (key->origin != reader->origin || key->dest != CORDON_DEST_READ)
		return 0;
	reader->subject = key->subject;
	reader->found = true;
	return 1;
}

/* Is it an origin that many go through? A database's is everybody's who asks
 * it something. */
static bool look_shared(const struct agent *agent, uint32_t serial)
{
	struct reader reader = {.origin = serial};
	const struct policy *policy = agent->policy;
	const char *name;

	(void)guard_each_ledger(agent->guard, take_reader, &reader);
	if (!reader.found || !policy)
		return false;
	name = guard_name(agent->guard, NAME_SUBJECT, reader.subject);
	for (size_t i = 0; i < policy->n_subjects; i++)
		if (strcmp(policy->subjects[i].name, name) == 0)
			return policy->subjects[i].narrow ||
			       policy->subjects[i].pool;
	return false;
}

/* To look takes a walk over the ledger, so what was found is remembered. */
static bool is_shared(const struct agent *agent, uint32_t serial)
{
	struct incident_shared *known =
		&agent->incidents->shared[serial % INCIDENT_SHARED_KEPT];
	uint64_t policy = agent_serial(agent);

	if (known->serial != serial || known->policy != policy)
		*known = (struct incident_shared){policy, serial,
						  look_shared(agent, serial)};
	return known->is;
}

/* A cgroup's number is that of its directory. */
static void find_cgroup(uint32_t tgid, struct incident_kin *kin)
{
	char path[4096] = CGROUP_MOUNT;
	size_t len = sizeof(CGROUP_MOUNT) - 1;
	struct stat st;

	if (process_cgroup(tgid, path + len, sizeof(path) - len) ||
	    stat(path, &st) < 0)
		return;
	kin->kin = KIN_CGROUP;
	kin->id = st.st_ino;
}

static void find_actor_kin(const struct event *event,
			   const struct process_facts *process,
			   struct incident_facts *facts)
{
	struct incident_kin *kin = &facts->actor_kin;

	if (event->login != UINT32_MAX)
		*kin = (struct incident_kin){KIN_SESSION, event->session};
	else if (process->tgid)
		find_cgroup(event->tgid, kin);
	/* Else many of these would each begin one. */
	if (!kin->kin)
		*kin = (struct incident_kin){INCIDENT_KIN_USER, event->uid};
}

/* Many verdicts come of one process: it is not looked at for each. */
const struct process_facts *agent_incident_look(struct agent *agent,
						uint32_t tgid)
{
	struct incident_looked *looked = &agent->incidents->looked;
	uint64_t now = now_ns();

	if (looked->tgid != tgid || now - looked->at_ns > LOOKED_NS) {
		*looked = (struct incident_looked){.tgid = tgid, .at_ns = now};
		(void)process_look(tgid, &looked->process);
	}
	return &looked->process;
}

/* Of the one that was looked at last. */
static void find_ancestors(struct incident_looked *looked,
			   struct incident_facts *facts)
{
	uint32_t parent = looked->process.parent;
	struct process_facts above;

	while (!looked->above && looked->n < INCIDENT_ANCESTORS_MAX &&
	       parent > 1 && !process_look(parent, &above)) {
		looked->ancestors[looked->n++] =
			(struct incident_process){above.tgid, above.start_ns};
		parent = above.parent;
	}
	looked->above = true;
	memcpy(facts->ancestors, looked->ancestors, sizeof(facts->ancestors));
	facts->n_ancestors = looked->n;
}

void agent_incident_fact_origin(const struct agent *agent,
				struct incident_facts *facts,
				const struct origin *origin)
{
	bool shared = is_shared(agent, origin->serial);

	if (facts->n_origins == CORDON_SHARES)
		return;
	facts->shared |= (uint32_t)shared << facts->n_origins;
	facts->origins[facts->n_origins++] = origin->serial;
	if (!shared)
		facts->kin[facts->n_kin++] = kin_of(origin);
}

/* Of what it holds, which the event cannot name. */
static void find_origins_held(const struct agent *agent, uint32_t tgid,
			      struct incident_facts *facts)
{
	struct holding holding;
	struct origin origin;
	uint64_t id;

	if (guard_process(agent->guard, tgid, &id) ||
	    guard_holding(agent->guard, id, &holding))
		return;
	for (size_t i = 0; i < CORDON_SHARES; i++)
		if (!guard_origin(agent->guard, holding.shares[i].origin,
				  &origin))
			agent_incident_fact_origin(agent, facts, &origin);
}

void agent_incident_find_facts(const struct agent *agent,
			       const struct event *event,
			       const struct process_facts *process,
			       struct incident_facts *facts)
{
	struct wanted_origin wanted = {.serial = event->origin};

	find_actor_kin(event, process, facts);
	if (process->tgid)
		find_ancestors(&agent->incidents->looked, facts);
	if (event->origin == CORDON_ORIGIN_SEVERAL)
		find_origins_held(agent, process->tgid, facts);
	else if (event->origin &&
		 guard_each_origin(agent->guard, is_origin, &wanted) == 1)
		agent_incident_fact_origin(agent, facts, &wanted.origin);
	/* Nobody's own, so it is who acts. */
	if (!facts->n_kin)
		facts->kin[facts->n_kin++] = facts->actor_kin;
}
