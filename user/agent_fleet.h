/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the agent's files about its fleet have in common: agent_enrolment.c
 * judges the enrolment, agent_fleet.c has the link, agent_fleet_take.c judges
 * what comes, agent_spool.c sends the evidence.
 */
#ifndef CORDON_AGENT_FLEET_H
#define CORDON_AGENT_FLEET_H

#include "agent.h"
#include "enrolment.h"
#include "link.h"
#include "tail.h"

#define FLEET_KNOWN_MAX 16 /* messages that were refused */
/* Of what is refused so much is told, and one more each minute. */
#define FLEET_TELL_MAX 16

/* What is kept of it, in the state directory. */
struct fleet_kept {
	uint64_t serial; /* of the enrolment that was taken last; 0: none */
	char sha256[SIGN_HASH_CHARS_MAX];
	struct tail_place acked; /* the last line that the broker has */
	uint64_t dropped; /* lines that there was no room for, before now */
	char act[SIGN_HASH_CHARS_MAX]; /* of the last one that took effect */
};

/* The report that is on its way, or to be sent again. */
struct fleet_out {
	void *box; /* NULL: there is none */
	size_t len;
	bool sent; /* and not answered */
	uint64_t id;
	char msgid[FLEET_MSGID_CHARS_MAX];
	struct tail_place last; /* of its lines */
};

struct agent_fleet {
	struct fleet_kept kept;
	bool has_kept; /* it was enrolled, now or before */
	struct enrolment *enrolment;
	char problem[POLICY_ERROR_CHARS_MAX]; /* why what is there is none */
	char name[FLEET_NAME_CHARS_MAX + 1];  /* the host's, in subjects */
	struct sign_key key;
	struct link *link;
	bool watched; /* its descriptor, by epoll_fd */
	int epoll_fd; /* of that and of the next */
	int timer_fd;
	int64_t armed_ms;     /* clock_ms() for which it is set; 0: not */
	int64_t resume_ms;    /* nothing is taken from the link until then */
	int64_t busy_ms;      /* what was refused takes the time until then */
	int64_t ask_ms;	      /* no ask is answered until then */
	bool said_lost;	      /* that there is no link */
	int64_t connected_ms; /* since then, and not said; 0: neither */
	/* Refused, and not to be judged again: hashes of messages. */
	char known[FLEET_KNOWN_MAX][SIGN_HASH_CHARS_MAX];
	size_t next_known;
	uint64_t known_as;     /* agent->amended for which that is */
	unsigned int may_tell; /* so often, of what is refused */
	int64_t tell_ms;       /* clock_ms() for which that is */
	char *later; /* the policy message whose moment comes, or NULL */
	size_t later_len;
	int64_t later_s; /* time of day when it does */

	/* Reports. */
	char folder[4096];
	struct tail *tail;	  /* NULL: not begun */
	struct tail_place passed; /* what was acknowledged last */
	int64_t rewound_ms;	  /* clock_ms() */
	uint64_t rewound_to;
	uint64_t again;	 /* how often it was */
	int64_t send_ms; /* no line is sent until then */
	char *lines;	 /* FLEET_LINES_BYTES_MAX of them */
	struct fleet_report report;
	struct fleet_out out;
	int64_t kept_ms; /* clock_ms() when that was written */
	bool kept_later; /* it has to be written */
	uint64_t next_id;
	bool read_failed;  /* and that was told */
	char refusal[256]; /* why the broker did not take the last one; "" */

	/* Counts, since the agent began. */
	uint64_t reports;
	uint64_t policies; /* that came into force */
	uint64_t refusals;
	uint64_t older; /* than what is in force, and passed over */
	uint64_t asked;
	uint64_t unanswered;
};

/* ---- agent_fleet.c ------------------------------------------------------- */

/* Has the timer run at that clock_ms(), or earlier. */
void fleet_wake(struct agent_fleet *fleet, int64_t at_ms);

/* Whether what the link says is to be taken. */
void fleet_watch_link(struct agent_fleet *fleet, bool on);

/* ---- agent_enrolment.c --------------------------------------------------- */

/*
 * Is it signed, this host's, and newer than the one that was taken, or that
 * one? *ret_enrolment is for enrolment_free(). Else why tells, of which a
 * parser's words begin with the file's name.
 */
bool fleet_judge(const struct agent *agent, const struct trust_bundle *bundle,
		 struct enrolment **ret_enrolment, char *why, size_t size);

/* Does one lie there, or what cannot be looked at? */
bool fleet_is_enrolled(const struct agent *agent);

/* The host's, which is made where there is none. As sign_key_load(). */
int fleet_key_load(const struct agent *agent, struct sign_key *ret_key);

/* ---- agent_fleet_take.c -------------------------------------------------- */

/* A policy message, from whomever. */
void fleet_take_policy(struct agent *agent, const void *bytes, size_t len);

/* One whose moment has come by now. */
void fleet_take_later(struct agent *agent);

/* Answers it, if it is time for another answer. */
void fleet_take_ask(struct agent *agent, const struct link_frame *frame);

/* ---- agent_spool.c ------------------------------------------------ */

/* What was kept, or none; what is wrong with it is said. */
void fleet_kept_read(struct agent *agent);
void fleet_kept_write(struct agent *agent);

/* The link has a new connection: what was not answered goes out again. */
void spool_connected(struct agent_fleet *fleet);

/* The broker has the report of that id, or does not take it. */
void spool_acked(struct agent *agent, uint64_t id);
void spool_refused(struct agent *agent, const struct link_frame *frame);

/* The force has no more than that. */
void spool_have(struct agent *agent, const struct fleet_have *have);

/* Sends what can be sent. */
void spool_send(struct agent *agent);

/* Lines that were not acknowledged, and those that nobody will get. */
uint64_t spool_waiting(const struct agent *agent);
uint64_t spool_dropped(const struct agent *agent);

void spool_release(struct agent_fleet *fleet);

#endif
