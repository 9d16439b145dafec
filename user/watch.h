/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Tells when something appears, goes or is replaced under a path, existing or
 * not: every directory on the way that exists is watched for the one name that
 * leads on. A change of the mounts is a change too: a file system can come
 * over any path. One descriptor for all of it, for the life of the watch.
 *
 * Only a hint: between the change and its handling time passes, and who is
 * told has to look again at everything.
 */
#ifndef CORDON_WATCH_H
#define CORDON_WATCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct watch;

/* -ENOMEM; -EMFILE as inotify_init1(2) says; -errno if there is no /proc. */
int watch_new(struct watch **ret_watch);

/* Takes NULL. */
void watch_free(struct watch *watch);

/* For poll(2); readable when watch_handle() has something to look at. */
int watch_fd(const struct watch *watch);

/*
 * Begins a new set of paths. Those of the set before stay watched until
 * watch_commit(), so that nothing is missed between.
 */
void watch_begin(struct watch *watch);

/*
 * Adds an absolute path to the new set. content: a file that was written to
 * counts as a change too. 0, -ENOMEM, -ENOSPC (fs.inotify.max_user_watches).
 */
int watch_add(struct watch *watch, const char *path, bool content);

/* Stops watching what is not in the new set. */
void watch_commit(struct watch *watch);

/* Reads what is waiting, without blocking: 1 if a path or the
 * mounts changed, 0, -errno. */
int watch_handle(struct watch *watch);

#endif
