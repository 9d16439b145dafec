/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the files of datasets are called, by the numbers that the guard has for
 * them. First all labels are added, then each path of a dataset is walked; what
 * was renamed or deleted since is not known.
 */
#ifndef CORDON_RECORD_NAMES_H
#define CORDON_RECORD_NAMES_H

#include <stddef.h>
#include <stdint.h>

struct record_label {
	uint64_t ino;
	uint32_t dev; /* as in abi.h */
	uint32_t record;
};

struct record_name {
	uint32_t record;
	uint32_t len;
	size_t at; /* in .text */
};

/* Zeroed memory is an empty one. */
struct record_names {
	struct record_label *labels;
	size_t n_labels;
	struct record_name *names;
	size_t n;
	char *text;
	size_t size;
	size_t room;
};

void record_names_release(struct record_names *names);

/* 0 or -ENOMEM. */
int record_names_label(struct record_names *names,
		       const struct record_label *label);

/* That was the last label. */
void record_names_labelled(struct record_names *names);

/* The names below the path, which is resolved; what cannot be read has none.
 * 0 or -ENOMEM. */
int record_names_walk(struct record_names *names, const char *path);

/* All were walked: what only that needs is let go. */
void record_names_done(struct record_names *names);

/* The path, not ended with NUL, or NULL; lives until the next release. */
const char *record_names_find(const struct record_names *names, uint32_t record,
			      size_t *ret_len);

#endif
