/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the files about incidents share: agent_incident.c has their life,
 * agent_incident_who.c looks at who acts, agent_incident_actor.c writes that
 * down, agent_incident_step.c how the data came, agent_incident_count.c how
 * much it was.
 */
#ifndef CORDON_AGENT_INCIDENT_H
#define CORDON_AGENT_INCIDENT_H

#include "agent.h"

#include "answer_words.h"
#include "clock.h"
#include "incident.h"
#include "peek.h"
#include "process.h"

#define INCIDENT_WAITING_MAX PEEK_JOBS_MAX
#define INCIDENT_SHARED_KEPT 256

/* An actor whose line waits for what takes time. */
struct incident_waiting {
	struct incident *incident;
	json_t *line;
	uint64_t holding;		 /* 0: not known */
	struct incident_process process; /* tgid 0: it has ended */
	int exe_fd; /* O_PATH; -1: it could not be opened */
	bool asked; /* about what peek.h is for */
	bool ready; /* and answered */
};

struct incident_shared {
	uint64_t policy;
	uint32_t serial; /* of an origin */
	bool is;
};

/* The process that was looked at last, and those above it if `above'. */
struct incident_looked {
	uint32_t tgid;
	uint64_t at_ns;
	struct process_facts process;
	bool above;
	struct incident_process ancestors[INCIDENT_ANCESTORS_MAX];
	size_t n;
};

struct agent_incidents {
	struct incidents all;
	struct incidents old; /* as the log has them, while it is opened */
	uint64_t old_load;    /* likewise: struct agent's load */
	struct incident_waiting waiting[INCIDENT_WAITING_MAX];
	size_t n_waiting;
	struct incident_shared shared[INCIDENT_SHARED_KEPT];
	struct incident_looked looked;
	struct peek peek;
	unsigned int busy; /* how often it was, one after the other */
	uint64_t armed_ns; /* when the timer runs out; 0: it does not run */
	uint64_t segment;  /* that has been told what is open */
	bool unreported;   /* one of them is not on the disk yet */
	char away_since[EVENT_TIME_CHARS_MAX]; /* last word of an agent */
};

static inline uint64_t now_ns(void)
{
	return (uint64_t)clock_ns(CLOCK_BOOTTIME);
}

static inline void put_text(json_t *line, const char *key, const char *text)
{
	if (text[0])
		put(line, key, json_string(text));
}

static inline void put_comm(json_t *line, const char *key, const char *comm)
{
	char text[COMM_CHARS_MAX];

	comm_text(comm, text);
	put_text(line, key, text);
}

/* ---- agent_incident_who.c ------------------------------------------------ */

/* The process, as of now or a moment ago, until the next call. */
const struct process_facts *agent_incident_look(struct agent *agent,
						uint32_t tgid);

/* What tells which incident it is; process is what was looked at last, tgid 0
 * if the event's has ended. */
void agent_incident_find_facts(const struct agent *agent,
			       const struct event *event,
			       const struct process_facts *process,
			       struct incident_facts *facts);

/* Adds that origin to the facts, and whose it is if it is not everybody's. */
void agent_incident_fact_origin(const struct agent *agent,
				struct incident_facts *facts,
				const struct origin *origin);

/* ---- agent_incident_actor.c ---------------------------------------------- */

/* From where the process's session is, if it is from elsewhere. */
void agent_incident_put_remote(json_t *line, uint32_t tgid);

/*
 * Writes down who acts, at once or when what takes time is known. process: tgid
 * 0 if it has ended.
 */
void agent_incident_actor(struct agent *agent, struct incident *incident,
			  const struct event *event,
			  const struct event_who *who,
			  const struct process_facts *process);

/* Of whom all is known that will be; the others are asked about. */
void agent_incident_tell_actors(struct agent *agent);

/* Of an incident that will not be looked at again. */
void agent_incident_tell_actors_of(struct agent *agent,
				   const struct incident *incident);

/* Forgets who waits. */
void agent_incident_drop_actors(struct agent_incidents *incidents);

/* ---- agent_incident_step.c ----------------------------------------------- */

/* Writes down how the holding came to what it has, but for what was told. */
void agent_incident_tell_chain(struct agent *agent, struct incident *incident,
			       uint64_t holding);

/* ---- agent_incident_count.c ---------------------------------------------- */

/* All that is known by now: rows of the ledger, origins and gaps. */
void agent_incident_update(struct agent *agent, struct incident *incident);
void agent_incident_tell_origins(const struct agent *agent,
				 struct incident *incident);

#endif
