/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The report about one incident: one page that opens offline and prints. Pure:
 * lines of the evidence log go in, markup comes out. The page is HTML and
 * well-formed XML, has no script, and asks for nothing from anywhere.
 *
 * Nothing in the lines is trusted to be there, of the right type or harmless.
 */
#ifndef CORDON_REPORT_H
#define CORDON_REPORT_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <jansson.h>

/* What `cordon evidence verify` said. */
struct report_proof {
	bool verified;	     /* false: nothing is proven, see problem */
	const char *problem; /* "" */
	const char *key_id;  /* 16 hex digits */
	bool own_key;	     /* it is the one that lay beside the evidence */
	uint64_t first, last, signed_to; /* numbers of lines; 0: not known */
	const char *last_hash; /* SHA-256 in hex of the last proven line */
	/* Of the lines of this incident. */
	uint64_t incident_first, incident_last;
};

/* Any pointer may be NULL: not known, or none. All live as long as the call. */
struct report {
	uint64_t number;
	const char *host;	/* name in the evidence */
	const char *made;	/* RFC 3339, when the report was made */
	const char *version;	/* of Cordon */
	const json_t *incident; /* its latest line */
	const json_t *actors;	/* arrays of lines, oldest first */
	const json_t *steps;
	const json_t *ledger; /* the latest line of each key */
	/* first-read, budget, verdict, first-release, fault. */
	const json_t *events;
	uint64_t events_left_out;
	const json_t *exposed; /* of its origins */
	const json_t *policy;  /* the line of the policy in force */
	const json_t *starts;  /* start and stop that fall within it */
	struct report_proof proof;
};

/* 0; -ENOMEM; what the stream said. The caller closes out. */
int report_write(FILE *out, const struct report *report);

#endif
