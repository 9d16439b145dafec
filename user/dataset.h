/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Where datasets lie on this host: their paths, the file systems below them,
 * the files in them. Reads and never writes; knows nothing of the guard.
 */
#ifndef CORDON_DATASET_H
#define CORDON_DATASET_H

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Can files on a file system (statfs(2)'s f_type) be guarded? What is not
 * here may change behind the kernel's back, or gives no lasting inodes. */
bool dataset_fs_is_allowed(uint64_t magic);

/* `nfs`, or its number; never NULL, until the next call. */
const char *dataset_fs_name(uint64_t magic);

/* For messages: which ones may be used. */
#define DATASET_FS_ALLOWED "ext2, ext3, ext4, xfs, tmpfs or overlayfs"

struct dataset_place {
	char real[PATH_MAX]; /* without symlinks; what is missing as written */
	bool exists;
	bool is_dir;	 /* else a regular file; only if it exists */
	bool has_parent; /* the directory that holds it exists */
};

/*
 * Resolves the absolute path of a dataset. On failure why says what is wrong
 * and what to do, cut at size.
 *
 * 0; -EINVAL: it is neither a directory nor a regular file; -EOPNOTSUPP: it,
 * or what it will be created on, is on a file system that cannot be guarded;
 * -ELOOP, -ENAMETOOLONG, -EACCES and the like as realpath(3) says.
 */
int dataset_resolve(const char *path, struct dataset_place *ret_place,
		    char *why, size_t size);

/* Calls for what a walk finds; each may be NULL. A path lives for the call. */
struct dataset_visitor {
	/* A regular file; name is in the directory dir. */
	void (*file)(int dir, const char *name, const char *path, void *arg);
	/* A directory below path, before it is entered. */
	void (*dir)(int dir, const char *name, const char *path, void *arg);
	/* Not entered or not readable, and why. */
	void (*skip)(const char *path, const char *why, void *arg);
	void *arg;
};

/* Opens a directory to be listed, its times untouched where that is allowed. No
 * symlink. Returns a descriptor, or a negative errno. */
int dataset_open_dir(int at, const char *name);

/* Levels of directories a walk goes down, each with a descriptor open. */
#define DATASET_DEPTH_MAX 60

/*
 * Visits every regular file below the directory path, or path itself if it is
 * one. Symlinks are not followed: what they lead to is outside, or visited
 * under its own name. 0, -errno if path cannot be opened, -ENOMEM.
 */
int dataset_walk(const char *path, const struct dataset_visitor *visitor);

/*
 * Calls fn for everything that is mounted below the directory dir and not on
 * it; id is the mount's, used by no other one while it is there, and by any
 * after that. fn returns 0
 * to go on; anything else ends it and is returned. -errno as open(2) and
 * read(2) of /proc/self/mountinfo say, -ENOMEM.
 */
typedef int (*dataset_mount_fn)(uint32_t id, const char *path, void *arg);
int dataset_mounts(const char *dir, dataset_mount_fn fn, void *arg);

/*
 * The same for everything that is mounted; dev is as the kernel has it (abi.h),
 * root is which of its directories is. No text lives longer than the call.
 */
struct dataset_mount {
	uint32_t id;
	uint32_t dev;
	const char *path;
	const char *root;
	const char *type; /* as mount(8) has it */
};
typedef int (*dataset_any_mount_fn)(const struct dataset_mount *mount,
				    void *arg);
int dataset_each_mount(dataset_any_mount_fn fn, void *arg);

/*
 * How many bytes to count as one line, so that whole lines are never more than
 * the runs of so many bytes that they touch: the length of the shortest line
 * with its newline, of all files below path. Not looked at are empty lines and
 * the first line of a file, which tend to be no record. tick (may be NULL) is
 * called now and then while much is read.
 *
 * 0: *ret_bytes is 1..UINT32_MAX and *ret_where (PATH_MAX) names the file; it
 * is 1 and "" when there is no line. -errno as dataset_walk() and read(2) say.
 */
int dataset_line_bytes(const char *path, void (*tick)(void *arg), void *arg,
		       uint32_t *ret_bytes, char *ret_where);

#endif
