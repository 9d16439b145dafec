/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What of a file system changed since a moment, by its ctime, which nobody can
 * set but with the clock: regular files, symbolic links, and directories that
 * have attributes, which is all that a process can leave something in. Reads
 * and never writes; knows nothing of the guard.
 */
#ifndef CORDON_CHANGED_H
#define CORDON_CHANGED_H

#include <stdint.h>

struct changed_file {
	uint64_t ino;
	uint64_t ctime_ns; /* since the epoch */
	const char *path;  /* lives for the call; cut if it is very long */
};

struct changed_visitor {
	uint64_t since_ns;  /* what has this ctime, or a later one */
	const char *except; /* is not looked at, nor is what is below; "" */
	void (*file)(const struct changed_file *file, void *arg);
	/* Not entered or not readable, and why. */
	void (*skip)(const char *path, const char *why, void *arg);
	/* Now and then: so many more were looked at. */
	void (*tick)(uint64_t seen, void *arg);
	void *arg;
};

/* Levels of directories a walk goes down, each with a descriptor open. */
#define CHANGED_DEPTH_MAX 400

#define CHANGED_TICK 4096

/*
 * A descriptor of the file system that is mounted at path, for the walk alone:
 * what is mounted below hides nothing of it and is not entered. Root's. Or
 * -errno as open_tree(2) says.
 */
int changed_open(const char *path);

/*
 * Visits what is below fd, or fd itself if it is no directory; path is its
 * name. Symbolic links are not followed.
 */
void changed_walk(int fd, const char *path,
		  const struct changed_visitor *visitor);

#endif
