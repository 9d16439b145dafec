/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Incidents: the verdicts of one chain of processes, grouped under a number.
 * Which verdict belongs to which, what is known of each, and the lines that say
 * so. Pure: nothing is asked of a guard or of /proc here.
 *
 * A verdict belongs to an incident if an origin of what is held does; if that
 * is of the same login session or cgroup as one that does; or if a process that
 * acted in it is among the ancestors of who acts now. Where nothing was read
 * yet there is no origin, and it is who acts whose session or cgroup counts. So
 * it does where the origin is one that many go through: a database's, for one.
 *
 * After an hour without a verdict an incident is closed. If the same chain goes
 * on within a day it is opened again, under its number.
 */
#ifndef CORDON_INCIDENT_H
#define CORDON_INCIDENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <linux/bpf.h>
#include <jansson.h>

#include "abi.h"

#define INCIDENTS_MAX	       64 /* remembered at a time */
#define INCIDENT_ORIGINS_MAX   32
#define INCIDENT_KIN_MAX       16
#define INCIDENT_ACTORS_MAX    64 /* that are told by a line of their own */
#define INCIDENT_ANCESTORS_MAX 16
#define INCIDENT_QUIET_NS      (3600 * 1000000000ULL)
#define INCIDENT_AGAIN_NS      (24 * INCIDENT_QUIET_NS)

/*
 * A login session or a cgroup (enum kin), or, of who had ended before anybody
 * could look, no more than a user. kin 0: not known.
 */
#define INCIDENT_KIN_USER 3

struct incident_kin {
	uint32_t kin;
	uint64_t id;
};

/* start_ns 0: not known, and like no other. */
struct incident_process {
	uint32_t tgid;
	uint64_t start_ns;
};

/* What is known of a verdict when it comes. */
struct incident_facts {
	uint64_t time_ns;		 /* CLOCK_BOOTTIME, as all here */
	uint32_t origins[CORDON_SHARES]; /* serials, of what is held */
	size_t n_origins;
	uint32_t shared; /* bit of each that many go through */
	/* Of these and, if that counts, of who acts. */
	struct incident_kin kin[CORDON_SHARES + 1];
	size_t n_kin;
	struct incident_kin actor_kin;
	struct incident_process process;
	struct incident_process ancestors[INCIDENT_ANCESTORS_MAX];
	size_t n_ancestors;
};

/* What the ledger says of all its origins. */
struct incident_counts {
	uint64_t blocked;
	uint64_t alerted;
	uint64_t blocked_bytes;
	uint64_t released_bytes;
	uint64_t released_records; /* at most */
};

/* The steps that were written down, by their serials. */
struct incident_told {
	uint64_t *steps;
	size_t n_steps;
};

/* What came of a process that acts. */
enum incident_actor {
	INCIDENT_ACTOR_KNOWN,
	INCIDENT_ACTOR_NEW,  /* the last of actors */
	INCIDENT_ACTOR_MORE, /* for which there is no room */
};

struct incident {
	uint64_t number; /* 0: the place is free */
	bool open;
	bool changed;	     /* since its last line */
	const char *opening; /* the state that its next line tells; NULL */
	bool unreported;     /* its first line is not on the disk yet */
	uint64_t opened_ns;
	uint64_t last_ns; /* of its last verdict */
	uint64_t due_ns;  /* when it is to be looked at next */
	uint32_t origins[INCIDENT_ORIGINS_MAX];
	size_t n_origins;
	uint32_t shared; /* bit of each: it is not only this incident's */
	struct incident_kin kin[INCIDENT_KIN_MAX];
	size_t n_kin;
	struct incident_process actors[INCIDENT_ACTORS_MAX];
	size_t n_actors;
	bool more_actors; /* than these */
	uint64_t verdicts;
	/* Refused or alerted where the ledger has it together with others': at
	 * least. */
	uint64_t apart_blocked;
	uint64_t apart_alerted;
	struct incident_counts counts;
	uint64_t faults[FAULT_MAX]; /* of the guard, when it began */
	struct incident_told told;
	json_t *line; /* members of its line that change seldom */
};

struct incidents {
	struct incident at[INCIDENTS_MAX];
	uint64_t last; /* the highest number that was given */
};

void incidents_release(struct incidents *incidents);

/* The one that it belongs to, open or closed less than a day ago, or NULL. */
struct incident *incidents_find(struct incidents *incidents,
				const struct incident_facts *facts);

/* The one whose own this origin is, and that is open; NULL: none. */
struct incident *incidents_of_origin(struct incidents *incidents,
				     uint32_t origin);

/*
 * A place for a new one: a free one, else what was closed longest ago, else
 * what was quiet longest: number and open of it tell. The caller closes that.
 */
struct incident *incidents_place(struct incidents *incidents);

/* Begins a new one there, with the next number. -ENOMEM. */
int incident_begin(struct incidents *incidents, struct incident *incident,
		   const struct incident_facts *facts);

/* Forgets it: the place is free. */
void incident_forget(struct incident *incident);

/* What the facts add to it. */
enum incident_actor incident_add(struct incident *incident,
				 const struct incident_facts *facts);

/* False if there is no room, which becomes a gap, or it has it. */
bool incident_add_origin(struct incident *incident, uint32_t origin,
			 bool shared);
void incident_add_kin(struct incident *incident,
		      const struct incident_kin *kin);

/* Takes what a verdict's event says, as event_json() has it. apart: the ledger
 * has it under no origin that is this incident's own. */
void incident_take(struct incident *incident, const json_t *event, bool apart);

/* Did that process act in it, one whose start is known? */
bool incident_has_actor(const struct incident *incident,
			const struct incident_process *process);

/* Does the origin belong to it; and is it its own? */
bool incident_has_origin(const struct incident *incident, uint32_t origin);
bool incident_owns(const struct incident *incident, uint32_t origin);

/* Adds an ATT&CK technique. */
void incident_add_technique(struct incident *incident, const char *technique);

/*
 * Adds a gap, which it steals; NULL adds nothing. There is one of a kind, its
 * "why", and the last one holds; of `agent', the first few.
 */
void incident_add_gap(struct incident *incident, json_t *gap);

/* How many of a fault its gap has. */
uint64_t incident_gap_faults(const struct incident *incident, const char *name);

/*
 * The members of a line for evidence_object("incident", ...). state: `opened',
 * `updated', `closed', `reopened'. What would make it too long for a line is
 * left out, and "left_out" says so. NULL: no memory.
 */
json_t *incident_fields(const struct incident *incident, const char *state);

/*
 * Takes a line of the log that an earlier agent wrote: of an incident, an actor
 * or one with numbers. The incidents are as that agent knew them, from the
 * lines in their order. 0, -ENOMEM.
 */
int incidents_restore(struct incidents *incidents, const json_t *line);

/* ATT&CK's number for what went that way; NULL: none. */
const char *incident_technique(const char *channel);

#endif
