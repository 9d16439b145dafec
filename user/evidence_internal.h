/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the files that write the evidence log have in common: evidence.c adds
 * lines, evidence_segment.c has the files, evidence_open.c finds where it ends.
 */
#ifndef CORDON_EVIDENCE_INTERNAL_H
#define CORDON_EVIDENCE_INTERNAL_H

#include "evidence.h"

#define EVIDENCE_NAME_CHARS_MAX 40 /* of a segment */
#define EVIDENCE_BOOT_CHARS_MAX 37

/* More than a segment can have: the shortest line takes 100 bytes. */
#define DAMAGED_LINES (2 * EVIDENCE_SEGMENT_BYTES / 100)

struct evidence {
	char *dir;
	int dir_fd;
	int fd; /* of the open segment; -1: the next line begins one */
	struct sign_key key;
	char host[EVIDENCE_HOST_MAX];
	char boot[EVIDENCE_BOOT_CHARS_MAX];
	uint64_t segment_max;
	uint64_t keep_max;
	uint64_t next;			    /* number */
	char prev[SIGN_HASH_CHARS_MAX];	    /* hash of the last line */
	char name[EVIDENCE_NAME_CHARS_MAX]; /* of the open segment */
	uint64_t bytes;			    /* of it that are whole lines */
	uint64_t lines;			    /* behind the last checkpoint */
	uint64_t skipped;		    /* numbers that have no line */
	int why;			    /* errno of the first of them */
	bool unsynced;
	bool retires_not; /* it failed once */
	uint64_t acked;	  /* as evidence_hold(); UINT64_MAX: not held */
	uint64_t closed;  /* bytes of the other segments */
	bool stuck;	  /* and none of them can go until more is acked */
	bool retiring;	  /* which writes a line where there is no room */
	bool full;	  /* the last line found none */
	bool told;	  /* and that was */
	uint64_t dropped;
};

/* Writes all of text at that offset, or cuts the file there. 0 or -errno. */
int evidence_write_at(int fd, const char *text, size_t len, uint64_t at);

/* The folder that has the name now, made if none has. 0 or -errno. */
int evidence_dir_open(struct evidence *evidence);

/* The next line is the first of a new segment, which this makes. */
int evidence_segment_begin(struct evidence *evidence);

/* The next line is not in this one any more. */
void evidence_segment_leave(struct evidence *evidence);

/* Is what is written to still what others find by its name? */
bool evidence_segment_is_there(const struct evidence *evidence);

/*
 * The segment, which is synced and ends in a checkpoint, is left and
 * compressed, and the oldest ones are retired if there is too much. What of it
 * fails does no harm: more room is used.
 */
void evidence_segment_close(struct evidence *evidence);

/*
 * Is there no room for another line, and none to be made? Makes some if it can,
 * which writes lines.
 */
bool evidence_is_full(struct evidence *evidence);

/* Counts what the other segments have. */
void evidence_measure(struct evidence *evidence);

/*
 * name becomes name.gz. At every moment one of the two is there, whole, on the
 * disk. If that fails it stays as it is, which is as good, only larger.
 */
int evidence_segment_compress(struct evidence *evidence, const char *name);

#endif
