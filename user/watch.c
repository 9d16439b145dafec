// SPDX-License-Identifier: GPL-2.0-only
#include "watch.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <unistd.h>

#define MASK_NAMES                                             \
	(IN_CREATE | IN_DELETE | IN_MOVED_FROM | IN_MOVED_TO | \
	 IN_DELETE_SELF | IN_MOVE_SELF | IN_ONLYDIR)

struct watch_name {
	int wd;
	uint32_t mask;
	unsigned int set;
	char *name;
};

struct watch {
	int fd;
	unsigned int set; /* counts watch_begin() */
	struct watch_name *names;
	size_t n;
	size_t size;
};

int watch_new(struct watch **ret_watch)
{
	struct watch *watch;
	int r;

	watch = calloc(1, sizeof(*watch));
	if (!watch)
		return -ENOMEM;
	watch->fd = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
	if (watch->fd < 0) {
		r = -errno;
		free(watch);
		return r;
	}
	*ret_watch = watch;
	return 0;
}

void watch_free(struct watch *watch)
{
	size_t i;

	if (!watch)
		return;
	for (i = 0; i < watch->n; i++)
		free(watch->names[i].name);
	free(watch->names);
	(void)close(watch->fd);
	free(watch);
}

int watch_fd(const struct watch *watch)
{
	return watch->fd;
}

void watch_begin(struct watch *watch)
{
	watch->set++;
}

static int add_name(struct watch *watch, int wd, uint32_t mask,
		    const char *name, size_t len)
{
	struct watch_name *names, *w;
	size_t size, i;
	char *copy;

	for (i = 0; i < watch->n; i++) {
		w = &watch->names[i];
		if (w->wd == wd && !strncmp(w->name, name, len) &&
		    !w->name[len]) {
			w->mask = w->set == watch->set ? w->mask | mask : mask;
			w->set = watch->set;
			return 0;
		}
	}
	if (watch->n == watch->size) {
		size = watch->size ? 2 * watch->size : 16;
		names = reallocarray(watch->names, size, sizeof(*names));
		if (!names)
			return -ENOMEM;
		watch->names = names;
		watch->size = size;
	}
	copy = strndup(name, len);
	if (!copy)
		return -ENOMEM;
	watch->names[watch->n++] = (struct watch_name){
		.wd = wd, .mask = mask, .set = watch->set, .name = copy};
	return 0;
}

int watch_add(struct watch *watch, const char *path, bool content)
{
	uint32_t mask = MASK_NAMES;
	const char *name = path, *end;
	char dir[PATH_MAX] = "/";
	int wd, r;

	if (*path != '/' || strlen(path) >= sizeof(dir))
		return -EINVAL;
	for (;;) {
		name += strspn(name, "/");
		if (!*name)
			return 0;
		end = name + strcspn(name, "/");
		if (content && !end[strspn(end, "/")])
			mask |= IN_CLOSE_WRITE;

		wd = inotify_add_watch(watch->fd, dir, mask | IN_MASK_ADD);
		if (wd < 0) {
			/* As far as the path exists. */
			if (errno == ENOENT || errno == ENOTDIR ||
			    errno == EACCES || errno == ELOOP)
				return 0;
			return -errno;
		}
		r = add_name(watch, wd, mask, name, (size_t)(end - name));
		if (r)
			return r;
		memcpy(dir, path, (size_t)(end - path));
		dir[end - path] = '\0';
		name = end;
	}
}

static bool is_used(const struct watch *watch, int wd)
{
	size_t i;

	for (i = 0; i < watch->n; i++)
		if (watch->names[i].wd == wd &&
		    watch->names[i].set == watch->set)
			return true;
	return false;
}

void watch_commit(struct watch *watch)
{
	struct watch_name *w;
	size_t i, k;

	for (i = 0; i < watch->n; i++) {
		w = &watch->names[i];
		if (w->set != watch->set && !is_used(watch, w->wd))
			(void)inotify_rm_watch(watch->fd, w->wd);
	}
	for (i = k = 0; i < watch->n; i++) {
		w = &watch->names[i];
		if (w->set == watch->set)
			watch->names[k++] = *w;
		else
			free(w->name);
	}
	watch->n = k;
}

static bool is_change(const struct watch *watch,
		      const struct inotify_event *event)
{
	const struct watch_name *w;
	size_t i;

	if (event->mask & IN_Q_OVERFLOW)
		return true;
	for (i = 0; i < watch->n; i++) {
		w = &watch->names[i];
		if (w->wd != event->wd)
			continue;
		/* The directory itself went, or its file system did. */
		if (event->mask &
		    (IN_DELETE_SELF | IN_MOVE_SELF | IN_UNMOUNT | IN_IGNORED))
			return true;
		if (event->mask & w->mask && event->len &&
		    !strcmp(event->name, w->name))
			return true;
	}
	return false;
}

int watch_handle(struct watch *watch)
{
	char buf[4096] __attribute__((aligned(8)));
	const struct inotify_event *event;
	ssize_t n, at;
	int changed = 0;

	for (;;) {
		n = read(watch->fd, buf, sizeof(buf));
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return errno == EAGAIN ? changed : -errno;
		for (at = 0; at < n;
		     at += (ssize_t)(sizeof(*event) + event->len)) {
			event = (const struct inotify_event *)(buf + at);
			if (is_change(watch, event))
				changed = 1;
		}
	}
}
