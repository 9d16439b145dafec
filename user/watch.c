// SPDX-License-Identifier: GPL-2.0-only
#include "watch.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
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
	int epoll;
	int fd;
	int mounts_fd;
	char *mounts;	  /* what it said last */
	unsigned int set; /* counts watch_begin() */
	struct watch_name *names;
	size_t n;
	size_t size;
};

/* The mounts of this process, as text that the caller free()s. */
static int read_mounts(int fd, char **ret_text)
{
	size_t size = 16384, len = 0;
	char *text = NULL, *p;
	ssize_t n;

	for (;;) {
		p = realloc(text, size);
		if (!p) {
			free(text);
			return -ENOMEM;
		}
		text = p;
		n = pread(fd, text + len, size - 1 - len, (off_t)len);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0) {
			free(text);
			return -errno;
		}
		if (!n)
			break;
		len += (size_t)n;
		if (len == size - 1)
			size *= 2;
	}
	text[len] = '\0';
	*ret_text = text;
	return 0;
}

static int add_fd(int epoll, int fd, uint32_t events)
{
	struct epoll_event event = {.events = events, .data.fd = fd};

	return epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event) < 0 ? -errno : 0;
}

int watch_new(struct watch **ret_watch)
{
	struct watch *watch;
	int r = 0;

	watch = calloc(1, sizeof(*watch));
	if (!watch)
		return -ENOMEM;
	watch->fd = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
	if (watch->fd < 0)
		r = -errno;
	watch->mounts_fd = open("/proc/self/mountinfo", O_RDONLY | O_CLOEXEC);
	if (watch->mounts_fd < 0 && !r)
		r = -errno;
	watch->epoll = epoll_create1(EPOLL_CLOEXEC);
	if (watch->epoll < 0 && !r)
		r = -errno;
	if (!r)
		r = add_fd(watch->epoll, watch->fd, EPOLLIN);
	if (!r)
		r = add_fd(watch->epoll, watch->mounts_fd, EPOLLPRI);
	if (!r)
		r = read_mounts(watch->mounts_fd, &watch->mounts);
	if (r) {
		watch_free(watch);
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
	free(watch->mounts);
	if (watch->epoll >= 0)
		(void)close(watch->epoll);
	if (watch->mounts_fd >= 0)
		(void)close(watch->mounts_fd);
	if (watch->fd >= 0)
		(void)close(watch->fd);
	free(watch);
}

int watch_fd(const struct watch *watch)
{
	return watch->epoll;
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

/*
 * The kernel says once that they changed, and who polls first takes it: that
 * may have been the caller. So the text is what is asked.
 */
static int mounts_changed(struct watch *watch)
{
	char *text;
	int r;

	r = read_mounts(watch->mounts_fd, &text);
	if (r)
		return r;
	r = strcmp(text, watch->mounts) != 0;
	free(watch->mounts);
	watch->mounts = text;
	return r;
}

int watch_handle(struct watch *watch)
{
	char buf[4096] __attribute__((aligned(8)));
	const struct inotify_event *event;
	struct epoll_event none[2];
	ssize_t n, at;
	int changed;

	/* Takes what the mounts say, or the descriptor would stay ready. */
	(void)epoll_wait(watch->epoll, none, 2, 0);
	changed = mounts_changed(watch);
	if (changed < 0)
		return changed;
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
