// SPDX-License-Identifier: GPL-2.0-only
#include "place.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

bool place_is_ours(const struct stat *st)
{
	return (!st->st_uid || st->st_uid == geteuid()) &&
	       !(st->st_mode & (S_IWGRP | S_IWOTH));
}

/* Who may write there cannot rename what is root's. */
static bool is_sticky(const struct stat *st)
{
	return (!st->st_uid || st->st_uid == geteuid()) &&
	       (st->st_mode & S_ISVTX);
}

static int refuse(char *why, const char *path, const char *what)
{
	(void)snprintf(why, PLACE_WHY_CHARS_MAX, "%.200s %s", path, what);
	return -EPERM;
}

static int refuse_others(char *why, const char *path)
{
	(void)snprintf(why, PLACE_WHY_CHARS_MAX,
		       "others than root can change %.200s: chown root:root, "
		       "chmod go-w",
		       path);
	return -EPERM;
}

static int refuse_link(char *why, const char *path)
{
	return refuse(why, path,
		      "is a symbolic link: put what it stands for there "
		      "itself, or name that");
}

/* From the root, whatever the working directory. */
static int whole_path(const char *path, char buf[PATH_MAX])
{
	size_t len = 0;

	if (path[0] != '/') {
		if (!getcwd(buf, PATH_MAX))
			return -errno;
		len = strlen(buf);
	}
	return snprintf(buf + len, PATH_MAX - len, "/%s", path) <
			       (int)(PATH_MAX - len)
		       ? 0
		       : -ENAMETOOLONG;
}

/* *fd becomes the directory of that name in it; path has its whole name. */
static int step(int *fd, const char *name, const char *path, bool last,
		char *why)
{
	struct stat st;
	int next, r = 0;

	next = openat(*fd, name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
	if (next < 0)
		return -errno;
	if (fstat(next, &st) < 0)
		r = -errno;
	else if (S_ISLNK(st.st_mode))
		r = refuse_link(why, path);
	else if (!S_ISDIR(st.st_mode))
		r = -ENOTDIR;
	else if (!place_is_ours(&st) && (last || !is_sticky(&st)))
		r = refuse_others(why, path);
	if (r) {
		(void)close(next);
		return r;
	}
	(void)close(*fd);
	*fd = next;
	return 0;
}

/* All directories of dirs, which is as before when this returns. */
static int descend(char *dirs, int *fd, char *why)
{
	char *at = dirs + strspn(dirs, "/"), *end, *next, cut;
	int r;

	*fd = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (*fd < 0)
		return -errno;
	r = step(fd, ".", "/", !*at, why);
	for (; !r && *at; at = next) {
		end = at + strcspn(at, "/");
		next = end + strspn(end, "/");
		cut = *end;
		*end = '\0';
		r = step(fd, at, dirs, !*next, why);
		*end = cut;
	}
	return r;
}

static int open_file(int dir, const char *base, const char *path, int *ret_fd,
		     char *why)
{
	struct stat st;
	int fd, r = 0;

	/* What opens a device does something already. */
	if (fstatat(dir, base, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return -errno;
	if (S_ISLNK(st.st_mode))
		return refuse_link(why, path);
	if (!S_ISREG(st.st_mode))
		return refuse(why, path, "is not a regular file");
	fd = openat(dir, base,
		    O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	if (fstat(fd, &st) < 0)
		r = -errno;
	else if (!S_ISREG(st.st_mode))
		r = refuse(why, path, "is not a regular file");
	else if (!place_is_ours(&st))
		r = refuse_others(why, path);
	if (r)
		(void)close(fd);
	else
		*ret_fd = fd;
	return r;
}

int place_open(const char *path, int *ret_dir, int *ret_fd,
	       char why[PLACE_WHY_CHARS_MAX])
{
	char dirs[PATH_MAX], *base;
	int at = -1, dir = -1, r;

	why[0] = '\0';
	r = whole_path(path, dirs);
	if (r)
		return r;
	base = strrchr(dirs, '/');
	*base++ = '\0';
	r = descend(dirs, &at, why);
	if (!r) {
		dir = openat(at, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		if (dir < 0)
			r = -errno;
	}
	if (!r)
		r = open_file(dir, base, path, ret_fd, why);
	if (at >= 0)
		(void)close(at);
	if (!r)
		*ret_dir = dir;
	else if (dir >= 0)
		(void)close(dir);
	return r;
}

int place_open_dir(const char *path, int *ret_dir,
		   char why[PLACE_WHY_CHARS_MAX])
{
	char dirs[PATH_MAX];
	int at = -1, dir, r;

	why[0] = '\0';
	r = whole_path(path, dirs);
	if (!r)
		r = descend(dirs, &at, why);
	if (!r) {
		dir = openat(at, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		if (dir < 0)
			r = -errno;
		else
			*ret_dir = dir;
	}
	if (at >= 0)
		(void)close(at);
	return r;
}
