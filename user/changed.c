// SPDX-License-Identifier: GPL-2.0-only
#include "changed.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/limits.h>
#include <linux/mount.h>
#include <stdbool.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "clock.h"
#include "dataset.h"

struct walk {
	const struct changed_visitor *visitor;
	uint64_t seen; /* since the last tick */
	char path[PATH_MAX];
	size_t len;
};

static void walk_skip(const struct walk *w, int error)
{
	/* It went while we looked. */
	if (error != ENOENT)
		w->visitor->skip(w->path, strerror(error), w->visitor->arg);
}

/* Before the epoch is long ago. */
static uint64_t ctime_of(const struct stat *st)
{
	if (st->st_ctim.tv_sec < 0)
		return 0;
	return (uint64_t)st->st_ctim.tv_sec * CLOCK_NS_PER_S +
	       (uint64_t)st->st_ctim.tv_nsec;
}

static void walk_found(const struct walk *w, const struct stat *st)
{
	const struct changed_file file = {
		.ino = st->st_ino, .ctime_ns = ctime_of(st), .path = w->path};

	if (file.ctime_ns >= w->visitor->since_ns)
		w->visitor->file(&file, w->visitor->arg);
}

/* Has the directory attributes that a process can write? */
static bool has_attributes(int fd)
{
	char names[XATTR_LIST_MAX];
	const char *name;
	ssize_t n;

	n = flistxattr(fd, names, sizeof(names));
	if (n < 0)
		return errno != ENOTSUP;
	for (name = names; name < names + n; name += strlen(name) + 1)
		if (!strncmp(name, "user.", 5) || !strncmp(name, "trusted.", 8))
			return true;
	return false;
}

static void walk_dir(struct walk *w, int at, const char *name, int depth);

static void walk_entry(struct walk *w, int dir, const struct dirent *entry,
		       int depth)
{
	struct stat st;

	if (!(++w->seen % CHANGED_TICK) && w->visitor->tick)
		w->visitor->tick(CHANGED_TICK, w->visitor->arg);
	if (entry->d_type == DT_DIR) {
		walk_dir(w, dir, entry->d_name, depth);
		return;
	}
	/* The others have no bytes of their own. */
	if (entry->d_type != DT_REG && entry->d_type != DT_LNK &&
	    entry->d_type != DT_UNKNOWN)
		return;
	if (fstatat(dir, entry->d_name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		walk_skip(w, errno);
	else if (S_ISDIR(st.st_mode))
		walk_dir(w, dir, entry->d_name, depth);
	else if (S_ISREG(st.st_mode) || S_ISLNK(st.st_mode))
		walk_found(w, &st);
}

/* The path is for people: what does not fit is left out of it. */
static void path_push(struct walk *w, const char *name)
{
	size_t n = strlen(name);
	bool root = w->len == 1 && w->path[0] == '/';

	if (n >= sizeof(w->path) - 1 - w->len)
		return;
	if (!root)
		w->path[w->len++] = '/';
	memcpy(w->path + w->len, name, n + 1);
	w->len += n;
}

static void walk_entries(struct walk *w, DIR *dir, int depth)
{
	const struct dirent *entry;
	size_t len = w->len;

	for (;;) {
		errno = 0;
		entry = readdir(dir);
		if (!entry)
			break;
		if (!strcmp(entry->d_name, ".") || !strcmp(entry->d_name, ".."))
			continue;
		path_push(w, entry->d_name);
		if (strcmp(w->path, w->visitor->except) != 0)
			walk_entry(w, dirfd(dir), entry, depth);
		w->len = len;
		w->path[len] = '\0';
	}
	if (errno)
		walk_skip(w, errno);
}

static void walk_dir(struct walk *w, int at, const char *name, int depth)
{
	struct stat st;
	DIR *dir;
	int fd;

	if (depth == CHANGED_DEPTH_MAX) {
		w->visitor->skip(w->path, "it is nested too deeply",
				 w->visitor->arg);
		return;
	}
	fd = dataset_open_dir(at, name);
	if (fd < 0) {
		walk_skip(w, -fd);
		return;
	}
	dir = fdopendir(fd);
	if (!dir || fstat(fd, &st) < 0) {
		walk_skip(w, errno);
		if (dir)
			(void)closedir(dir);
		else
			(void)close(fd);
		return;
	}
	if (ctime_of(&st) >= w->visitor->since_ns && has_attributes(fd))
		walk_found(w, &st);
	walk_entries(w, dir, depth + 1);
	(void)closedir(dir);
}

int changed_open(const char *path)
{
	/* glibc has no call for it before 2.36. */
	long fd = syscall(SYS_open_tree, AT_FDCWD, path,
			  OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC);

	return fd < 0 ? -errno : (int)fd;
}

void changed_walk(int fd, const char *path,
		  const struct changed_visitor *visitor)
{
	struct walk w = {.visitor = visitor};
	struct stat st;

	w.len = strlen(path);
	if (w.len >= sizeof(w.path))
		w.len = sizeof(w.path) - 1;
	memcpy(w.path, path, w.len);
	if (fstat(fd, &st) < 0)
		walk_skip(&w, errno);
	else if (S_ISDIR(st.st_mode))
		walk_dir(&w, fd, ".", 0);
	else if (S_ISREG(st.st_mode) || S_ISLNK(st.st_mode))
		walk_found(&w, &st);
}
