/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A copy of another host's evidence log, made of its lines as they come in. It
 * is a log as evidence.h says, for all that read one, whose lines are the
 * host's own bytes; nothing is signed here, and nothing is ever retired. One
 * process writes a copy at a time.
 *
 * Segments are cut here and not where the host cuts its own, so that no host
 * says how large or how many they are.
 */
#ifndef CORDON_EVIDENCE_COPY_H
#define CORDON_EVIDENCE_COPY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "evidence.h"

/* No more than so many bytes are added at a time. */
#define EVIDENCE_COPY_BYTES_MAX (1U << 20)

/* Where a copy ends. */
struct evidence_copy {
	uint64_t seq;			/* of the last line; 0: there is none */
	char hash[SIGN_HASH_CHARS_MAX]; /* of it, as the next one's "prev" */
	uint64_t segment;		/* that it is in; 0: begin another */
	uint64_t bytes;			/* of that one */
	bool ends_signed;		/* it is a checkpoint */
	uint64_t cut; /* bytes behind it that were no lines, and are gone */
};

/*
 * Reads the last segment of the copy in dir. What a crash left at its end, up
 * to EVIDENCE_COPY_BYTES_MAX bytes from the first that is no line, nobody was
 * told of: it is taken away. A segment that is damaged before that stays as it
 * is, and another one will begin.
 *
 * 0, also where there is no dir yet; -ENOMEM; as open(2), read(2) and
 * ftruncate(2) say.
 */
int evidence_copy_find(const char *dir, struct evidence_copy *ret_copy);

/* Lines, each with its newline, and what the last of them is. */
struct evidence_copy_lines {
	const char *text;
	size_t len;
	uint64_t first;
	uint64_t last;
	char hash[SIGN_HASH_CHARS_MAX];
	bool ends_signed;
};

/*
 * Adds lines behind those that are there, all of them or none: when this
 * returns 0 they are on the disk. Whether they fit is the caller's to know.
 *
 * -EMSGSIZE: more than EVIDENCE_COPY_BYTES_MAX; -ESTALE: somebody else has
 * written to it: find its end again; -ENOMEM; else what open(2), write(2) and
 * fdatasync(2) say, and all is as it was.
 */
int evidence_copy_add(const char *dir, struct evidence_copy *copy,
		      const struct evidence_copy_lines *lines);

/* How many bytes the segments in dir take. 0, also where there is no dir;
 * -ENOMEM; as stat(2) says. */
int evidence_copy_bytes(const char *dir, uint64_t *ret_bytes);

/*
 * The hash of line seq, which may be any. -ENOENT: there is no such line;
 * -ENOMEM; as evidence_read() says.
 */
int evidence_copy_hash(const char *dir, uint64_t seq,
		       char ret_hash[SIGN_HASH_CHARS_MAX]);

#endif
