/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Tells when it is time to look again at the paths of a policy: the mounts
 * changed, a file whose content matters was written, or somebody asked for a
 * look. One descriptor for all of it, for the life of the watch.
 *
 * What appears under a path is told by the guard (struct guard_state, noticed):
 * an inotify watch on a directory makes every read and write on its file
 * system dearer, by some 80 instructions.
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
 * Begins a new set of files. Those of the set before stay watched until
 * watch_commit(), so that nothing is missed between.
 */
void watch_begin(struct watch *watch);

/*
 * Adds the file or directory at an absolute path, if there is one, to the new
 * set: it counts as a change when it, or a file in it, was written to, or one
 * was moved there. 0, -ENOMEM, -ENOSPC
 * (fs.inotify.max_user_watches).
 */
int watch_add(struct watch *watch, const char *path);

/* Stops watching what is not in the new set. */
void watch_commit(struct watch *watch);

/*
 * Asks for a look in a moment, and another a second later: who was told of a
 * change was told before it was made.
 */
void watch_soon(struct watch *watch);

enum watch_told {
	WATCH_LOOK = 1,	   /* it is time to look */
	WATCH_WRITTEN = 2, /* and at what is in the files */
};

/* Reads what is waiting, without blocking: bits of enum watch_told; -errno. */
int watch_handle(struct watch *watch);

#endif
