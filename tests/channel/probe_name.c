// SPDX-License-Identifier: GPL-2.0-only
/*
 * Hops by names: what a process leaves beside the contents of files, or shows
 * of itself. The bytes are written in hexadecimal.
 */
#include "probe.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define PER_NAME   100	  /* bytes; a name has room for 255 */
#define NUMBER	   6	  /* digits, so that they can be sorted */
#define SHOWN_MAX  131072 /* of one argument, on any kernel */
#define SHOWN_MARK "data="

static void to_hex(char *text, const uint8_t *d, size_t n)
{
	for (size_t i = 0; i < n; i++)
		(void)snprintf(text + 2 * i, 3, "%02x", d[i]);
}

static size_t from_hex(uint8_t *d, size_t room, const char *text)
{
	unsigned int byte;
	size_t n = 0;

	while (n < room && sscanf(text + 2 * n, "%2x", &byte) == 1)
		d[n++] = (uint8_t)byte;
	return n;
}

/* ---- names of files ---------------------------------------------------- */

static char dir_of_names[200];
static char plain[256]; /* a file that gets other names */

/* Each time another one: it carries until it is deleted. */
static int make_names(struct probe *p, int ends[2])
{
	int fd;

	(void)snprintf(dir_of_names, sizeof(dir_of_names), "%s/names.XXXXXX",
		       p->work);
	if (!mkdtemp(dir_of_names))
		return -errno;
	(void)snprintf(plain, sizeof(plain), "%s/.plain", dir_of_names);
	fd = open(plain, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	ends[0] = open(dir_of_names, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	ends[1] = dup(ends[0]);
	if (fd < 0 || ends[1] < 0)
		return -errno;
	(void)close(fd);
	return 0;
}

static int name_created(int dir, const char *name)
{
	int fd = openat(dir, name, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);

	if (fd >= 0)
		(void)close(fd);
	return fd;
}

static int name_mkdir(int dir, const char *name)
{
	return mkdirat(dir, name, 0700);
}

static int name_mknod(int dir, const char *name)
{
	return mknodat(dir, name, S_IFIFO | 0600, 0);
}

static int name_mknod_file(int dir, const char *name)
{
	return mknodat(dir, name, S_IFREG | 0600, 0);
}

static int name_symlink(int dir, const char *name)
{
	return symlinkat("x", dir, name);
}

static int name_link(int dir, const char *name)
{
	return linkat(AT_FDCWD, plain, dir, name, 0);
}

static int name_rename(int dir, const char *name)
{
	int fd = open(plain, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);

	if (fd < 0)
		return -1;
	(void)close(fd);
	return renameat(AT_FDCWD, plain, dir, name);
}

static ssize_t give_names(int dir, const uint8_t *d, size_t n,
			  int (*name)(int dir, const char *name))
{
	char text[NUMBER + 2 * PER_NAME + 1];
	size_t done = 0, some;
	static size_t number;

	while (done < n) {
		some = n - done < PER_NAME ? n - done : PER_NAME;
		(void)snprintf(text, sizeof(text), "%0*zu", NUMBER, number++);
		to_hex(text + NUMBER, d + done, some);
		if (name(dir, text) < 0)
			return -errno;
		done += some;
	}
	return (ssize_t)n;
}

#define GIVE(how)                                                            \
	static ssize_t give_##how(struct probe *p, int fd, const uint8_t *d, \
				  size_t n)                                  \
	{                                                                    \
		(void)p;                                                     \
		return give_names(fd, d, n, name_##how);                     \
	}

GIVE(created)
GIVE(mkdir)
GIVE(mknod)
GIVE(mknod_file)
GIVE(symlink)
GIVE(link)
GIVE(rename)

/* It is listed once, and goes with the last name. */
static ssize_t take_names(struct probe *p, int fd, uint8_t *d, size_t n)
{
	static struct dirent **names;
	static int count = -1, next;
	size_t got = 0;

	(void)p;
	if (count < 0) {
		count = scandir(dir_of_names, &names, NULL, alphasort);
		if (count < 0)
			return -errno;
	}
	while (next < count && got + PER_NAME <= n) {
		const char *name = names[next++]->d_name;

		if (name[0] != '.')
			got += from_hex(d + got, n - got, name + NUMBER);
		if (unlinkat(fd, name, 0) < 0)
			(void)unlinkat(fd, name, AT_REMOVEDIR);
	}
	if (next == count)
		(void)rmdir(dir_of_names);
	return (ssize_t)got;
}

/* ---- what a process shows of itself ------------------------------------ */

static int make_shown(struct probe *p, int ends[2])
{
	(void)p;
	ends[0] = open("/dev/null", O_RDONLY | O_CLOEXEC);
	ends[1] = dup(ends[0]);
	return ends[1] < 0 ? -errno : 0;
}

/* All of it at once, in a program that waits a moment. */
static ssize_t give_shown(const struct probe *p, bool environment)
{
	static char text[SHOWN_MAX] = SHOWN_MARK;
	char *const arguments[] = {"sh", "-c", "sleep 2; :", text, NULL};
	char *const plain_words[] = {"sh", "-c", "sleep 2; :", NULL};
	char *const shown[] = {text, NULL}, *const nothing[] = {NULL};

	if (sizeof(SHOWN_MARK) + 2 * p->data.len > sizeof(text))
		return -E2BIG;
	to_hex(text + strlen(SHOWN_MARK), p->data.p, p->data.len);
	if (environment)
		(void)execve("/bin/sh", plain_words, shown);
	else
		(void)execve("/bin/sh", arguments, nothing);
	return -errno;
}

static ssize_t give_arguments(struct probe *p, int fd, const uint8_t *d,
			      size_t n)
{
	(void)fd;
	(void)d;
	(void)n;
	return give_shown(p, false);
}

static ssize_t give_environment(struct probe *p, int fd, const uint8_t *d,
				size_t n)
{
	(void)fd;
	(void)d;
	(void)n;
	return give_shown(p, true);
}

/* Where the bytes begin in what the giver shows; NULL: it does not yet. */
static const char *look_at(pid_t pid, const char *file)
{
	static char text[SHOWN_MAX];
	char path[64];
	size_t end = 0;
	ssize_t r = 1;
	int fd;

	(void)snprintf(path, sizeof(path), "/proc/%d/%s", (int)pid, file);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return NULL;
	while (r > 0 && end < sizeof(text) - 1) {
		r = read(fd, text + end, sizeof(text) - 1 - end);
		end += r > 0 ? (size_t)r : 0;
	}
	(void)close(fd);
	text[end] = '\0';
	for (size_t at = 0; at < end; at += strlen(text + at) + 1)
		if (!strncmp(text + at, SHOWN_MARK, strlen(SHOWN_MARK)))
			return text + at + strlen(SHOWN_MARK);
	return NULL;
}

static ssize_t take_shown(const struct probe *p, uint8_t *d, size_t n,
			  const char *file)
{
	static const char *rest;
	size_t got;

	if (!rest)
		rest = look_at(p->giver, file);
	if (!rest)
		return 0;
	got = from_hex(d, n, rest);
	rest += 2 * got;
	return (ssize_t)got;
}

static ssize_t take_arguments(struct probe *p, int fd, uint8_t *d, size_t n)
{
	(void)fd;
	return take_shown(p, d, n, "cmdline");
}

static ssize_t take_environment(struct probe *p, int fd, uint8_t *d, size_t n)
{
	(void)fd;
	return take_shown(p, d, n, "environ");
}

const struct hop named[] = {
	{"name-open", "O_CREAT", make_names, give_created, take_names, HOP_LATE,
	 0},
	{"name-mkdir", "of a directory", make_names, give_mkdir, take_names,
	 HOP_LATE, 0},
	{"name-mknod", "of a FIFO", make_names, give_mknod, take_names,
	 HOP_LATE, 0},
	{"name-mknod-file", "of a file that nobody opens", make_names,
	 give_mknod_file, take_names, HOP_LATE, 0},
	{"name-symlink", "of a symbolic link", make_names, give_symlink,
	 take_names, HOP_LATE, 0},
	{"name-link", "another one of a file", make_names, give_link,
	 take_names, HOP_LATE, 0},
	{"name-rename", "a new one of a file", make_names, give_rename,
	 take_names, HOP_LATE, 0},
	{"cmdline", "/proc/PID/cmdline", make_shown, give_arguments,
	 take_arguments, HOP_MEMORY, 0},
	{"environ", "/proc/PID/environ", make_shown, give_environment,
	 take_environment, HOP_MEMORY, 0},
	{0},
};
