/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What is wrong with a host, as far as its force can tell: pure, out of what it
 * attested, what was pushed to it and what came of it. cordon-fleet(7) says
 * what to do about each.
 */
#ifndef CORDON_FLEET_VIEW_H
#define CORDON_FLEET_VIEW_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "fleet.h"

/* Reports that are on their way for longer are held back. */
#define FLEET_BEHIND_S 60
/* A host's clock may be so far from this one. */
#define FLEET_CLOCK_S 300

/* The worst first. */
enum fleet_finding {
	FLEET_SILENT,	 /* it did not answer */
	FLEET_SWAPPED,	 /* another policy under the serial that was pushed */
	FLEET_NO_POLICY, /* none is in force */
	FLEET_LAGS,	 /* an older policy than was pushed */
	FLEET_AHEAD,	 /* a newer one */
	FLEET_TRUST,	 /* other trust anchors than were pushed */
	FLEET_UNWELL,	 /* it says so itself */
	FLEET_LIFTED,	 /* nothing is blocked there, by an act */
	FLEET_OBSERVES,	 /* or by the policy */
	FLEET_BROKEN,	 /* its evidence was tampered with */
	FLEET_REPLACED,	 /* other evidence than before */
	FLEET_SHORTER,	 /* less evidence than it has sent */
	FLEET_MISSING,	 /* a gap in what came */
	FLEET_LOST,	 /* that nothing closes any more */
	FLEET_FULL,	 /* its evidence has all the room of one host */
	FLEET_DROPPED,	 /* lines that it could not keep */
	FLEET_WAITING,	 /* it gets its reports not to the broker */
	FLEET_BEHIND,	 /* or the broker does not hand them on */
	FLEET_IMPOSTOR,	 /* somebody speaks in its name */
	FLEET_CLOCK,
	FLEET_FINDINGS,
};

struct fleet_look {
	const struct fleet_host *host;
	const struct fleet_received *received;
	const struct fleet_word *word;	   /* heard_s 0: it never said any */
	const struct fleet_pushed *pushed; /* all 0: nothing */
	bool fresh;			   /* the word answers what was asked */
	bool asked;	/* it should have by now; else silence is no finding */
	bool receiving; /* somebody does, here and now */
	int64_t looked_s; /* fleet_looked_get() */
	int64_t now_s;
};

/* Bits of enum fleet_finding. */
uint32_t fleet_findings(const struct fleet_look *look);

/* May the host be called good all the same? It may where the force has decided
 * so itself: by the policy, or by an act that was pushed from here. */
bool fleet_is_note(const struct fleet_look *look, enum fleet_finding finding);

/* `silent', `lags', ...: for programs, and the manual. */
const char *fleet_finding_name(enum fleet_finding finding);

/* A sentence without its end. Cut at size; FLEET_WORDS_MAX suffices. */
#define FLEET_WORDS_MAX 640
void fleet_finding_words(const struct fleet_look *look,
			 enum fleet_finding finding, char *buf, size_t size);

/* Lines that the host has and that are not here; what it attested counts. */
uint64_t fleet_lines_behind(const struct fleet_look *look);

#endif
