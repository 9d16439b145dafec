/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What a force makes of the reports that a broker brings it: nothing of the
 * network is here, only bytes and the fleet directory. Whoever calls this has
 * fleet_lock_receiving().
 *
 * A report is taken if the host that its subject names has signed it, by the
 * key that was approved, and if its lines go on where those before end. Taken
 * are the lines themselves, in their order and each once, into the host's copy
 * of its log; they are on the disk before the broker is told.
 *
 * No host gets more room than fleet->host_bytes: what does not fit is kept by
 * the broker, and then by the host, and nobody else has to wait for it.
 *
 * Whatever else comes is settled too, so that nobody can hold up the queue: it
 * is counted, shown in `cordon fleet status', and what no host has signed is
 * set aside for people to look at.
 */
#ifndef CORDON_FLEET_RECEIVE_H
#define CORDON_FLEET_RECEIVE_H

#include "fleet.h"

/* Messages that are set aside; what comes then is counted only. */
#define FLEET_ASIDE_MAX 256U

enum fleet_outcome {
	FLEET_TAKEN,
	FLEET_AGAIN,   /* all of it is there already */
	FLEET_GAP,     /* lines before it are missing: ask for these */
	FLEET_LATER,   /* there is no room for it now: it has to come again */
	FLEET_OTHER,   /* other lines than those that came under its numbers */
	FLEET_UNKNOWN, /* no host with that name is approved */
	FLEET_FORGED,  /* not signed by the host of its subject */
	FLEET_FOREIGN, /* signed by that, but with another host's name */
	FLEET_CLOSED,  /* not sealed to this force, or no report at all */
	FLEET_OUTCOMES,
};

/* What was made of one. */
struct fleet_receipt {
	enum fleet_outcome outcome;
	struct fleet_host *host; /* NULL: none that is approved */
	uint64_t first;		 /* lines of the report; 0: not known */
	uint64_t last;
	const char *lines; /* that were added, for fleet_receipt_release() */
	size_t len;
	uint32_t later_s; /* FLEET_LATER: after so many seconds */
	bool broke;	  /* they do not follow each other, or those before */
	struct fleet_report report;
};

/* `taken', `again', ...; never NULL. */
const char *fleet_outcome_name(enum fleet_outcome outcome);

/*
 * Takes a message that came on the subject of that host's reports. 0: it is
 * settled, and is to be acknowledged, unless it is FLEET_LATER: then it has to
 * come again, when there may be some. *ret_receipt, also for
 * fleet_receipt_release(), says how. What is known of the host is changed, for
 * fleet_received_put().
 *
 * Else nothing was changed, and it has to come again: -ENOSPC and whatever
 * evidence_copy_add() says; -ENOMEM.
 */
int fleet_receive(struct fleet *fleet, const char *token, const void *bytes,
		  size_t len, struct fleet_receipt *ret_receipt);

void fleet_receipt_release(struct fleet_receipt *receipt);

/*
 * Before anything is received: a host whose evidence was moved away, or was
 * never there, begins anew, and what was counted of it no longer holds; one
 * that had no room may have some.
 */
void fleet_recheck(struct fleet *fleet);

/*
 * Opens what came on the subject of that host's attestations. 0; -ENOENT: no
 * such host; as fleet_attest_open() says. Whether it is fresh is for the
 * caller.
 */
int fleet_hear(struct fleet *fleet, const char *token, const void *bytes,
	       size_t len, struct fleet_host **ret_host,
	       struct fleet_attest *ret_attest);

/*
 * What is there of a host, for an ask that makes it begin again behind that.
 * 0; as evidence_copy_find() says.
 */
int fleet_have(struct fleet *fleet, struct fleet_host *host,
	       struct fleet_have *ret_have);

#endif
