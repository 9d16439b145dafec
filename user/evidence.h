/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The evidence log: what happened on this host, in lines that can only be added
 * to, and proven to be all of them and unchanged.
 *
 * A line is a JSON object and a newline. "seq" numbers the lines from 1 for as
 * long as the host lives; "prev" is the SHA-256, in hexadecimal, of the line
 * before without its newline (of the first line: 64 zeros). So each line stands
 * for all lines before it. A line of "type" checkpoint ends in
 *
 *	,"sig":"BASE64"}
 *
 * the host's Ed25519 signature of the line's own bytes before that: it signs
 * its "prev", hence everything up to there. What comes behind the last one is
 * not signed yet.
 *
 * Numbers leave one out only where the line behind says how many, in "skipped":
 * lines that a full disk, or a host that broke down, did not keep.
 *
 * Lines are in segments, DIR/SEQ.jsonl, named after their first line. A full
 * segment ends in a checkpoint, is compressed to SEQ.jsonl.gz, and its lines
 * are the same bytes in it. The next one's first line has the "prev" of the
 * last line before.
 */
#ifndef CORDON_EVIDENCE_H
#define CORDON_EVIDENCE_H

#include <inttypes.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <jansson.h>

#include "sign.h"

#define EVIDENCE_LINE_MAX	  8192 /* bytes, with the newline */
#define EVIDENCE_SEGMENT_BYTES	  (4U << 20)
#define EVIDENCE_CHECKPOINT_LINES 256
#define EVIDENCE_CHECKPOINT_S	  5
#define EVIDENCE_KEEP_BYTES	  (1ULL << 30) /* of all segments */
/* A line with a higher number is none: those behind would not fit in JSON. */
#define EVIDENCE_SEQ_MAX  (1LL << 62)
#define EVIDENCE_HOST_MAX 65 /* of its name, with the NUL */

/* Below the state directory. The secret key is not in the folder that people
 * copy. */
#define EVIDENCE_DIR	"evidence"
#define EVIDENCE_KEY	"host.key"
#define EVIDENCE_PUBLIC "host.pub" /* in EVIDENCE_DIR */

/* ---- writing: the agent ------------------------------------------------- */

struct evidence;

struct evidence_options {
	const char *dir;
	const struct sign_key *key; /* copied */
	uint64_t segment_bytes;	    /* 0: EVIDENCE_SEGMENT_BYTES */
	uint64_t keep_bytes;	    /* 0: EVIDENCE_KEEP_BYTES */
	bool held;		    /* as evidence_hold(acked) */
	uint64_t acked;
	const char *host; /* cut to EVIDENCE_HOST_MAX */
};

/* What was found, for the caller to tell. */
struct evidence_found {
	uint64_t last; /* number of the last line; 0: there was none */
	uint64_t cut;  /* bytes of half a line that were taken away */
	uint64_t lost; /* numbers that may have been used: left out */
	bool clean;    /* it ended in a checkpoint, and nothing was amiss */
	/* The last segment, changed or damaged; "" if it is not. */
	char damaged[64];
};

/*
 * Called for each whole line that there is in the last segments, oldest first,
 * text with its newline; object lives for the call.
 */
typedef void (*evidence_line_fn)(const json_t *object, const char *text,
				 size_t len, void *arg);

/*
 * Opens the log in opts->dir, made if it is missing (mode 0700), and goes on
 * where it ends. Half a line at its end is taken away. A last segment that was
 * changed or is damaged stays as it is; the log goes on in another one. line
 * (may be NULL) gets what the last two segments have already.
 *
 * 0; -ENOMEM; as open(2), read(2), write(2) and rename(2) say.
 */
int evidence_open(const struct evidence_options *opts, evidence_line_fn line,
		  void *arg, struct evidence_found *ret_found,
		  struct evidence **ret_evidence);

/* Signs what is not signed, syncs, and closes. Takes NULL. */
void evidence_close(struct evidence *evidence);

/* The number that the next line gets. */
uint64_t evidence_next(const struct evidence *evidence);

/*
 * Adds line, an object without "seq" and "prev", which it steals; NULL counts
 * as lost and is -ENOMEM. The whole text of it is copied to ret_text
 * (EVIDENCE_LINE_MAX bytes, not ended with NUL), whether or not it could be
 * written.
 *
 * 0; -EMSGSIZE: too long, not kept; else what write(2) said, -ENOSPC for one:
 * the line is lost, and as soon as one can be written, it says so.
 */
int evidence_add(struct evidence *evidence, json_t *line, char *ret_text,
		 size_t *ret_len);

/*
 * Brings all lines to the disk; only then may what they say be told. 0 or
 * -errno; a full segment is closed here.
 */
int evidence_sync(struct evidence *evidence);

/* Adds a checkpoint if there is anything that is not signed, and syncs. */
int evidence_checkpoint(struct evidence *evidence);

/* The number in the name of the segment that is written to; 0: the next line
 * begins one. */
uint64_t evidence_segment(const struct evidence *evidence);

/*
 * Somebody else has to get all lines, and has those up to acked. A segment with
 * any behind that is not retired; where there is no room left then, the oldest
 * lines are kept, and each new one is lost as on a full disk, with -EDQUOT.
 * UINT64_MAX: nobody has to.
 */
void evidence_hold(struct evidence *evidence, uint64_t acked);

/* How many lines were lost in that way, since it was opened. */
uint64_t evidence_dropped(const struct evidence *evidence);

/* The hash of the last line, 64 zeros if there is none; lives as the log. */
const char *evidence_last_hash(const struct evidence *evidence);

/* Are there lines that no checkpoint signs? */
bool evidence_unsigned(const struct evidence *evidence);

/*
 * An object of that type with the time, and the members of fields, which it
 * steals. NULL: no memory, or fields is NULL.
 */
json_t *evidence_object(const char *type, json_t *fields);

/* `synchronised', `free running', `unknown': what the kernel says of the
 * clock. */
const char *evidence_clock(void);

/* ---- reading: anybody --------------------------------------------------- */

/* Segments are named so, after a number that their first line has or, if what
 * was to be their first could not be written, is below it. */
#define EVIDENCE_NAME "%012" PRIu64 ".jsonl"

/* The number in the name of a segment, compressed or not; 0: it is none. */
uint64_t evidence_segment_of(const char *name);

/* The part of a path behind its last slash; is what has it compressed? */
const char *evidence_base(const char *path);
bool evidence_compressed(const char *path);

/*
 * The segments of a directory in their order, compressed or not, as an array of
 * paths for evidence_files_free(). A path that is a file stands for itself.
 * stranger (may be NULL) is told what else is in a directory, but for the
 * public key: nobody may take that for evidence. 0, -ENOENT (there is none),
 * -ENOMEM, as opendir(3) says.
 */
typedef void (*evidence_stranger_fn)(const char *path, const char *why,
				     void *arg);
int evidence_files(const char *const *paths, size_t n,
		   evidence_stranger_fn stranger, void *arg, char ***ret_files,
		   size_t *ret_n);
void evidence_files_free(char **files, size_t n);

/* Have two segments the same lines? No, if one cannot be read. */
bool evidence_same(const char *a, const char *b);

/* A line as it stands in a file. */
struct evidence_line {
	const char *file;
	uint64_t number;  /* in the file, from 1 */
	const char *text; /* without newline; not ended with NUL */
	size_t len;
	bool whole; /* it had a newline */
};

/*
 * Calls fn for each line of a file; one whose name ends in .gz is compressed.
 * fn returns 0 to go on; anything else ends it and is returned. 0; -EUCLEAN:
 * the file is damaged, or has a line longer than EVIDENCE_LINE_MAX, behind the
 * last one that fn got; -ENOMEM; as open(2) and read(2) say.
 */
typedef int (*evidence_read_fn)(const struct evidence_line *line, void *arg);
int evidence_read(const char *file, evidence_read_fn fn, void *arg);

/*
 * What holds a line in its place: its object, which the caller json_decref()s,
 * and its number and "prev", which live as long. -EINVAL: it is no line of
 * evidence; -ENOMEM.
 */
int evidence_parse(const char *text, size_t len, json_t **ret_object,
		   uint64_t *ret_seq, const char **ret_prev);

/* A member of it; "" if it has none that is a text. */
const char *evidence_text(const json_t *object, const char *key);

/* Its texts with a comma between two, cut at size; "" if it is no list. */
void evidence_list(const json_t *object, const char *key, char *buf,
		   size_t size);

/* Likewise a number; 0 if it has none, or one below 0. */
uint64_t evidence_number(const json_t *object, const char *key);

/* The signed part of a checkpoint: its length, and its signature in
 * ret_signature. -EINVAL: it is no checkpoint. */
int evidence_signed(const char *text, size_t len, size_t *ret_len,
		    char ret_signature[SIGN_SIGNATURE_CHARS_MAX]);

#endif
