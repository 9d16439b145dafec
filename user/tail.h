/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The evidence log, read on as it grows: across the end of a segment, and after
 * that was compressed. For whoever may read the folder; nothing in it is
 * changed.
 *
 * A line is told when it is on the disk, and not when it can be read: the agent
 * adds lines first and brings them there next, and if the host broke down
 * between the two, another line would have that number later. So what there is
 * is synced here too, which anybody may who can read it, and costs next to
 * nothing when the agent just did.
 */
#ifndef CORDON_TAIL_H
#define CORDON_TAIL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <jansson.h>

#include "sign.h"

#define TAIL_NEWEST UINT64_MAX

/* The last line that was taken. */
struct tail_place {
	uint64_t seq;			/* 0: none; TAIL_NEWEST: the last one */
	char hash[SIGN_HASH_CHARS_MAX]; /* of its text; "": not known */
};

/*
 * Called for each line. fresh: it is behind the place, which is behind it from
 * here on; else it is one of those before, of the segment that the place is in
 * and the one before that. Anything but 0 ends the reading.
 */
typedef int (*tail_fn)(const json_t *line, const char *text, size_t len,
		       bool fresh, void *arg);

/* Told what is amiss, a sentence each: lines that are missing, or are none. */
typedef void (*tail_warn_fn)(const char *text, void *arg);

struct tail;

/* folder has to live on. 0 or -ENOMEM. */
int tail_new(const char *folder, const struct tail_place *place,
	     struct tail **ret_tail);

/* Takes NULL. */
void tail_free(struct tail *tail);

/*
 * Calls fn for all lines that are there by now and were not yet. 0; -ENOENT:
 * there is no evidence; -ESTALE: the line at the place is another one, or there
 * is none: this is not the log that the place is of; what fn returned; -ENOMEM;
 * as opendir(3), open(2), fdatasync(2) and read(2) say.
 */
int tail_read(struct tail *tail, tail_fn fn, tail_warn_fn warn, void *arg);

/* The segment that is read, while fn is called; 0: none. */
uint64_t tail_segment(const struct tail *tail);

/* Where it is. */
const struct tail_place *tail_place(const struct tail *tail);

#endif
