/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Files that only root can have put where they lie: what decides who may do
 * what on this host is read from nowhere else.
 *
 * Each part of the path is opened from the one before, so that nobody can put
 * another in its place between the look and the reading. Directories that
 * everybody may write to, but where nobody can rename what is another's
 * (/tmp), may stand further up, and not right above the file.
 */
#ifndef CORDON_PLACE_H
#define CORDON_PLACE_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/stat.h>

#define PLACE_WHY_CHARS_MAX 512

/*
 * The regular file at path, open for reading, and the directory that it lies
 * in, both for close(2). -EPERM: somebody else may have put it there, or a part
 * of path is a symbolic link, or it is no regular file: why says so, and what
 * to do; -ENAMETOOLONG; as open(2) says, why is "" then.
 */
int place_open(const char *path, int *ret_dir, int *ret_fd,
	       char why[PLACE_WHY_CHARS_MAX]);

/*
 * The directory at path, for close(2). As place_open(); -ENOTDIR.
 */
int place_open_dir(const char *path, int *ret_dir,
		   char why[PLACE_WHY_CHARS_MAX]);

/* Can nobody but root, or who runs this, write to it? */
bool place_is_ours(const struct stat *st);

#endif
