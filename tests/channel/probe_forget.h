/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Cases are told by files what a holder found, which is no data. Whoever reads
 * them would be a holder, and all that it starts then; so the guard, if there
 * is one, is made to forget that they carry anything. Who may change its tables
 * may do anything.
 */
#ifndef CORDON_TESTS_PROBE_FORGET_H
#define CORDON_TESTS_PROBE_FORGET_H

/* 0 or -errno; 0 also if no guard is pinned, or knows nothing of the file. */
int forget_file(int fd);
/* The same for files by their names, up to a NULL. */
int forget_files(char **names);

#endif
