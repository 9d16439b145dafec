/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The marker that every synthetic record carries, and how to find it again.
 *
 * A marker is RECORD_MARK_LEN printable bytes: "CORDON-REC-", the record's
 * number as 8 hex digits, "-", and a check of the number as 4 hex digits:
 *
 *	CORDON-REC-1000002a-9f31
 *
 * The top four bits of a number say what kind of record it is, so that the
 * photo and the roster row of one person stay two records.
 */
#ifndef CORDON_TESTS_RECORD_H
#define CORDON_TESTS_RECORD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define RECORD_MARK	"CORDON-REC-"
#define RECORD_MARK_LEN 24

#define RECORD_PHOTO	0x10000000u /* one file is one record */
#define RECORD_ROW	0x20000000u /* one row of the roster */
#define RECORD_IMAGE	0x30000000u /* inside the probe's own executable */
#define RECORD_KIND(id) ((id)&0xf0000000u)

/* The marker of RECORD_IMAGE + 1, as a literal that the linker keeps. */
#define RECORD_IMAGE_LITERAL "CORDON-REC-30000001-b786"

/* Writes the RECORD_MARK_LEN bytes of id's marker, without a final NUL. */
void record_write(char *dst, uint32_t id);

/* Reads RECORD_MARK_LEN bytes; false when they are no valid marker. */
bool record_parse(const char *src, uint32_t *ret_id);

/* A growing set of record numbers. Starts zeroed. */
struct record_set {
	uint32_t *slots;
	size_t cap;
	size_t count;
	size_t photos;
	size_t rows;
};

/* 0, or -ENOMEM and the set as it was. Number 0 is no record. */
int record_set_add(struct record_set *set, uint32_t id);
void record_set_release(struct record_set *set);

/* The end of what one stream has shown so far. Starts zeroed. */
struct record_scan {
	char tail[RECORD_MARK_LEN - 1];
	size_t len;
};

/*
 * Adds to set every marker in the next n bytes of a stream, also those that
 * began in earlier bytes. 0 or -ENOMEM.
 */
int record_scan_feed(struct record_scan *scan, struct record_set *set,
		     const void *data, size_t n);

#endif
