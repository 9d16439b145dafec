/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The keys of rows of a file: the few bytes of each that say whose it is, as
 * the policy names them. Rows are read in blocks where that is cheaper; what
 * was read around a key is given to nobody, and wiped.
 */
#ifndef CORDON_ROW_KEYS_H
#define CORDON_ROW_KEYS_H

#include <stddef.h>
#include <stdint.h>

#include "policy.h"
#include "text.h"

/* Room for any key, escaped. */
#define ROW_KEYS_CHARS_MAX TEXT_ESCAPE_CHARS(POLICY_KEY_BYTES_MAX)

struct row_keys_form {
	uint32_t row_bytes; /* 1..POLICY_RECORD_BYTES_MAX */
	uint32_t from;	    /* in the row, counted from 0 */
	uint32_t bytes;	    /* 1..POLICY_KEY_BYTES_MAX, within the row */
};

/* What all files together may take; lives as long as what is opened by it. */
struct row_keys_limit {
	int64_t until_ms; /* clock_ms(): nothing is read after that */
	uint64_t left;	  /* keys */
};

struct row_keys;

/*
 * Opens the file at path, if it still is the one whose rows were read: is_file
 * says so of the open one, by 0, and what else it returns is returned. It is
 * neither followed, where it is a symlink, nor waited for. A single read takes
 * as long as the disk does, whatever the limit is.
 *
 * 0: *ret_keys is for row_keys_free(). -ESTALE: it is no regular file; -ETIME,
 * -E2BIG: the limit is reached; -ENOMEM; as open(2) says.
 */
typedef int (*row_keys_file_fn)(int fd, void *arg);
int row_keys_open(const char *path, const struct row_keys_form *form,
		  struct row_keys_limit *limit, row_keys_file_fn is_file,
		  void *arg, struct row_keys **ret_keys);

/*
 * The key of a row, counted from 0, without blanks, tabs, ends of lines and
 * NULs at both ends, and as text_escape() has it. Those up to last are going to
 * be asked for next.
 *
 * 0; -ENODATA: the file ends before the key does, and others can be asked for;
 * -ETIME, -E2BIG; as pread(2) says. Then text is as it was.
 */
int row_keys_get(struct row_keys *keys, uint64_t row, uint64_t last,
		 char ret_text[ROW_KEYS_CHARS_MAX]);

/* Takes NULL. */
void row_keys_free(struct row_keys *keys);

#endif
