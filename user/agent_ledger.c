// SPDX-License-Identifier: GPL-2.0-only
/*
 * The guard's ledger, written down: of each row a line when it is new, and
 * again when it has grown. So the log tells where something of an origin went
 * long after the guard has forgotten it.
 */
#include "agent.h"
#include "answer_words.h"
#include "ledger_fields.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* What was written down last. */
struct told {
	struct ledger_key key;
	uint64_t acts;
	uint64_t bytes;
};

struct agent_ledger {
	struct told *rows; /* in the order of the guard's rows */
	size_t n;
};

struct telling {
	struct agent *agent;
	agent_ledger_fn wanted;
	const void *arg;
	size_t place;
	bool told;
	int r;
};

static int tell_row(struct agent *agent, const struct ledger_key *key,
		    const struct ledger *row)
{
	json_t *fields = ledger_fields(agent->guard, key, row);
	uint64_t incident = agent_incident_of(agent, key->origin);

	if (incident)
		(void)json_object_set_new(fields, "incident", number(incident));
	return agent_record(agent, evidence_object("ledger", fields), 0, false);
}

/* The guard's rows keep their order; a new one is the last. NULL: no memory. */
static struct told *find(struct agent_ledger *ledger, size_t place,
			 const struct ledger_key *key)
{
	struct told *rows;

	if (place >= ledger->n) {
		rows = realloc(ledger->rows, (place + 64) * sizeof(*rows));
		if (!rows)
			return NULL;
		memset(rows + ledger->n, 0,
		       (place + 64 - ledger->n) * sizeof(*rows));
		ledger->rows = rows;
		ledger->n = place + 64;
	}
	/* Another one there: then it was never told. */
	if (memcmp(&ledger->rows[place].key, key, sizeof(*key)) != 0)
		ledger->rows[place] = (struct told){.key = *key};
	return &ledger->rows[place];
}

static int take_row(const struct ledger_key *key, const struct ledger *row,
		    void *arg)
{
	struct telling *telling = arg;
	uint64_t acts = row->acts + row->over_acts;
	uint64_t bytes = row->bytes + row->over_bytes;
	struct told *told;
	int r;

	told = find(telling->agent->ledger, telling->place++, key);
	if (!told)
		return -ENOMEM;
	if ((told->acts == acts && told->bytes == bytes) ||
	    (telling->wanted && !telling->wanted(key->origin, telling->arg)))
		return 0;
	r = tell_row(telling->agent, key, row);
	telling->told = true;
	if (r) {
		telling->r = telling->r ? telling->r : r;
		return 0;
	}
	told->acts = acts;
	told->bytes = bytes;
	return 0;
}

int agent_ledger_tell(struct agent *agent, agent_ledger_fn wanted,
		      const void *arg)
{
	struct telling telling = {.agent = agent, .wanted = wanted, .arg = arg};
	int r;

	/* It stays in the guard's map until there is a log. */
	if (!agent->evidence)
		return 0;
	if (!agent->ledger)
		agent->ledger = calloc(1, sizeof(*agent->ledger));
	if (!agent->ledger)
		return -ENOMEM;
	r = guard_each_ledger(agent->guard, take_row, &telling);
	r = r ? r : telling.r;
	return r ? r : telling.told;
}

void agent_ledger_release(struct agent *agent)
{
	if (agent->ledger)
		free(agent->ledger->rows);
	free(agent->ledger);
	agent->ledger = NULL;
}
