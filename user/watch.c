// SPDX-License-Identifier: GPL-2.0-only
#include "watch.h"

#include "array.h"
#include "clock.h"
#include "fd.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/inotify.h>
#include <sys/timerfd.h>
#include <unistd.h>

#define SOON_NS 2000000LL  /* what was told is made by then, as a rule */
#define REST_NS 50000000LL /* between two looks, however much happens */
#define LATER_S 1
#define LOOKS	2

struct watch_file {
	int wd;
	unsigned int set;
};

struct watch {
	int epoll;
	int fd;
	int timer_fd;
	unsigned int looks; /* that the timer still has to ask for */
	int64_t looked_ns;  /* when it asked last */
	int mounts_fd;
	char *mounts;	  /* what it said last */
	unsigned int set; /* counts watch_begin() */
	struct watch_file *files;
	size_t n;
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
	watch->timer_fd = watch->mounts_fd = watch->epoll = -1;
	watch->fd = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
	if (watch->fd < 0)
		r = -errno;
	watch->timer_fd =
		timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
	if (watch->timer_fd < 0 && !r)
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
		r = add_fd(watch->epoll, watch->timer_fd, EPOLLIN);
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
	if (!watch)
		return;
	free(watch->files);
	free(watch->mounts);
	close_fd(watch->epoll);
	close_fd(watch->mounts_fd);
	close_fd(watch->timer_fd);
	close_fd(watch->fd);
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

int watch_add(struct watch *watch, const char *path)
{
	struct watch_file *files;
	int wd;

	wd = inotify_add_watch(watch->fd, path, IN_CLOSE_WRITE | IN_MOVED_TO);
	if (wd < 0)
		return errno == ENOSPC || errno == ENOMEM ? -errno : 0;
	files = array_grow(watch->files, watch->n, sizeof(*files));
	if (!files)
		return -ENOMEM;
	watch->files = files;
	watch->files[watch->n++] =
		(struct watch_file){.wd = wd, .set = watch->set};
	return 0;
}

static bool is_used(const struct watch *watch, int wd)
{
	size_t i;

	for (i = 0; i < watch->n; i++)
		if (watch->files[i].wd == wd &&
		    watch->files[i].set == watch->set)
			return true;
	return false;
}

void watch_commit(struct watch *watch)
{
	struct watch_file *f;
	size_t i, k;

	for (i = 0; i < watch->n; i++) {
		f = &watch->files[i];
		if (f->set != watch->set && !is_used(watch, f->wd))
			(void)inotify_rm_watch(watch->fd, f->wd);
	}
	for (i = k = 0; i < watch->n; i++)
		if (watch->files[i].set == watch->set)
			watch->files[k++] = watch->files[i];
	watch->n = k;
}

void watch_soon(struct watch *watch)
{
	struct itimerspec when = {.it_interval.tv_sec = LATER_S};
	int64_t wait_ns =
		watch->looked_ns + REST_NS - clock_ns(CLOCK_MONOTONIC);

	if (watch->looks == LOOKS)
		return; /* the first of them is still to come */
	watch->looks = LOOKS;
	when.it_value.tv_nsec = wait_ns > SOON_NS ? wait_ns : SOON_NS;
	(void)timerfd_settime(watch->timer_fd, 0, &when, NULL);
}

/* Is it time for a look that was asked for? */
static bool timer_handle(struct watch *watch)
{
	static const struct itimerspec never;
	uint64_t n;

	if (read(watch->timer_fd, &n, sizeof(n)) != sizeof(n))
		return false;
	watch->looked_ns = clock_ns(CLOCK_MONOTONIC);
	if (watch->looks)
		watch->looks--;
	if (!watch->looks)
		(void)timerfd_settime(watch->timer_fd, 0, &never, NULL);
	return true;
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

/* What n bytes of inotify events come to. */
static int files_changed(const char *buf, size_t n)
{
	const struct inotify_event *event;
	int told = 0;
	size_t at;

	for (at = 0; at < n; at += sizeof(*event) + event->len) {
		event = (const struct inotify_event *)(buf + at);
		/* Also that a file went, or too much happened to tell. */
		told |= WATCH_LOOK;
		if (event->mask &
		    (IN_CLOSE_WRITE | IN_MOVED_TO | IN_Q_OVERFLOW))
			told |= WATCH_WRITTEN;
	}
	return told;
}

int watch_handle(struct watch *watch)
{
	char buf[4096] __attribute__((aligned(8)));
	struct epoll_event none[3];
	int told, r;
	ssize_t n;

	/* Takes what the mounts say, or the descriptor would stay ready. */
	(void)epoll_wait(watch->epoll, none, 3, 0);
	r = mounts_changed(watch);
	if (r < 0)
		return r;
	told = r ? WATCH_LOOK : 0;
	if (timer_handle(watch))
		told |= WATCH_LOOK;
	for (;;) {
		n = read(watch->fd, buf, sizeof(buf));
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return errno == EAGAIN ? told : -errno;
		told |= files_changed(buf, (size_t)n);
	}
}
