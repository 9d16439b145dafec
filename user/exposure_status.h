/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What became of the records that an incident's origins have read, out of its
 * lines of the evidence log. Pure: lines in, bounds out.
 *
 * All numbers are upper bounds; the lower one is 0. A record is marked as read
 * before its bytes move, and what is in the bytes that leave nobody knows, so
 * the guard counts what can be in them at most. Hence which of the records that
 * an origin has read left is not known either: all of them share one fate.
 */
#ifndef CORDON_EXPOSURE_STATUS_H
#define CORDON_EXPOSURE_STATUS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <jansson.h>

enum exposure_fate {
	/* The ledger has this share, and nothing of it that went out. */
	EXPOSURE_CONTAINED,
	EXPOSURE_RELEASED, /* possibly: .released of .read at most */
	/* Nothing is written down that went out, but not all is written. */
	EXPOSURE_UNKNOWN,
};

/* Of one share to one destination. */
struct exposure_way {
	const char *destination;
	uint64_t acts; /* that went through */
	uint64_t bytes;
	uint64_t records;      /* at most so many of those read; 0: none */
	uint64_t alerted_acts; /* over the budget, and went through */
	uint64_t blocked_acts;
	uint64_t over_bytes; /* of both, asked for */
	bool told;	     /* an event tells that something went out */
	bool through;	     /* something went out, or may have */
};

/* What one origin has read of one dataset. */
struct exposure_share {
	uint64_t origin;
	const char *dataset;
	uint64_t read;	     /* records */
	uint64_t read_bytes; /* 0: not told */
	uint64_t listed;     /* of the records, those in lines of exposure */
	uint64_t released;   /* to all destinations together */
	enum exposure_fate fate;
	struct exposure_way *ways;
	size_t n_ways;
	const char *first; /* when it began; NULL: not known */
	int64_t first_ms;  /* the same since the host booted; -1: not known */
	bool began;	   /* that is on record: nothing of it is missing */
	bool told;	   /* the incident's line has it */
	bool counted;	   /* the ledger has it */
};

struct exposure_status {
	struct exposure_share *shares;
	size_t n;
	bool uncounted; /* the incident says that totals are missing */
};

/*
 * incident: its last line; ledger: the last line of each key, with those of
 * several origins; exposed: the lines of that type; events: its first-read,
 * first-release, verdict and faults lines, others are
 * passed over. Any may be NULL. Texts in the result live as long as these.
 *
 * To one destination the bound is the sum of the ledger's `records', which
 * count what went on in spite of an alert too; never more than was read. Where
 * something went out, and the ledger has no number for it, or not yet, it is
 * all. What was sent of several origins together can be of each of them. If
 * the incident counts more bytes that went out than the ledger here does, or
 * events or rows were lost, or the beginning of an origin is not on record,
 * nothing is taken for contained. What was
 * read is at most what the incident says, or what the lines of exposure list,
 * whichever is more.
 *
 * 0 or -ENOMEM.
 */
int exposure_status_make(const json_t *incident, const json_t *ledger,
			 const json_t *exposed, const json_t *events,
			 struct exposure_status *ret_status);

void exposure_status_release(struct exposure_status *status);

/* NULL: it has no such share. */
const struct exposure_share *
exposure_status_find(const struct exposure_status *status, uint64_t origin,
		     const char *dataset);

/* Is it a destination outside, neither a reading nor a declassifier's? */
bool exposure_is_out(const char *destination);

/* `contained', `possibly released', `not known'. */
const char *exposure_fate_name(enum exposure_fate fate);

/* a + b, or UINT64_MAX: the lines may say anything. */
uint64_t exposure_add_up(uint64_t a, uint64_t b);

#endif
