// SPDX-License-Identifier: GPL-2.0-only
/* When the drop directory is looked at. */
#include "agent.h"
#include "agent_dropped.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "clock.h"
#include "fd.h"
#include "log.h"
#include "text.h"

#define SETTLE_MS 100

/* Its name in the directory above it. */
static const char *base_of(const struct agent *agent)
{
	return evidence_base(agent->opts->drop_dir);
}

static void watch_parent(const struct agent *agent)
{
	struct agent_dropped *dropped = agent->dropped;
	const char *base = base_of(agent);
	char path[PATH_MAX];

	(void)snprintf(path, sizeof(path), "%.*s/",
		       (int)(base - agent->opts->drop_dir),
		       agent->opts->drop_dir);
	dropped->parent_wd =
		inotify_add_watch(dropped->inotify_fd, path,
				  IN_CREATE | IN_MOVED_TO | IN_MOVED_FROM |
					  IN_DELETE | IN_ATTRIB | IN_ONLYDIR);
}

static void watch_dir(const struct agent *agent)
{
	struct agent_dropped *dropped = agent->dropped;
	int before = dropped->dir_wd;

	dropped->dir_wd = inotify_add_watch(
		dropped->inotify_fd, agent->opts->drop_dir,
		IN_CLOSE_WRITE | IN_MOVED_TO | IN_CREATE | IN_ATTRIB |
			IN_MOVED_FROM | IN_DELETE | IN_ONLYDIR |
			IN_DONT_FOLLOW);
	if (dropped->dir_wd < 0 && errno != ENOENT && errno != ENOTDIR)
		log_error("%s cannot be watched: %s; what is dropped there is "
			  "seen on a reload",
			  agent->opts->drop_dir, strerror(errno));
	if (before >= 0 && before != dropped->dir_wd)
		(void)inotify_rm_watch(dropped->inotify_fd, before);
	dropped->all = true;
}

/* One that nobody opens to write: a link, or what is no file. */
static bool is_whole(const struct agent *agent, const char *name)
{
	char path[PATH_MAX];
	struct stat st;

	return !text_path(agent->opts->drop_dir, name, path, sizeof(path)) &&
	       !lstat(path, &st) && (!S_ISREG(st.st_mode) || st.st_nlink > 1);
}

static void take_event(struct agent *agent, const struct inotify_event *event)
{
	struct agent_dropped *dropped = agent->dropped;
	const char *name = event->len ? event->name : "";

	if (event->wd == dropped->parent_wd) {
		if (strcmp(name, base_of(agent)) == 0)
			watch_dir(agent);
	} else if (event->wd != dropped->dir_wd || !name[0]) {
		/* Too much happened to tell, or to the directory itself. */
		dropped->all = dropped->all || event->wd == dropped->dir_wd ||
			       (event->mask & IN_Q_OVERFLOW);
	} else if (!(event->mask & IN_CREATE) || is_whole(agent, name)) {
		dropped_pend_named(dropped, name,
				   event->mask & (IN_CLOSE_WRITE | IN_MOVED_TO |
						  IN_CREATE));
	}
}

static void take_events(struct agent *agent)
{
	char buf[8192] __attribute__((aligned(8)));
	const struct inotify_event *event;
	ssize_t n, at;

	while ((n = read(agent->dropped->inotify_fd, buf, sizeof(buf))) > 0)
		for (at = 0; at < n;
		     at += (ssize_t)sizeof(*event) + (ssize_t)event->len) {
			event = (const struct inotify_event *)(buf + at);
			take_event(agent, event);
		}
}

/* For the look that is due, or for what has waited long enough. */
static void set_timer(struct agent_dropped *dropped)
{
	struct itimerspec when = {0};
	int64_t wait_ms = INT64_MAX, due_ms;

	if (dropped->look_ms)
		wait_ms = dropped->look_ms - clock_ms();
	for (size_t i = 0; i < DROPPED_MAX; i++) {
		if (dropped->files[i].state != DROPPED_WAITING)
			continue;
		due_ms = (dropped->files[i].due_s - dropped->now_s) * 1000;
		if (due_ms < wait_ms)
			wait_ms = due_ms;
	}
	if (wait_ms < 1)
		wait_ms = 1;
	if (wait_ms < INT64_MAX) {
		when.it_value.tv_sec = wait_ms / 1000;
		when.it_value.tv_nsec = wait_ms % 1000 * 1000000;
	}
	(void)timerfd_settime(dropped->timer_fd, 0, &when, NULL);
}

void agent_dropped_handle(struct agent *agent, int64_t now_s)
{
	struct agent_dropped *dropped = agent->dropped;
	uint64_t n;

	dropped->now_s = now_s;
	take_events(agent);
	(void)!read(dropped->timer_fd, &n, sizeof(n));
	for (size_t i = 0; i < DROPPED_MAX; i++)
		if (dropped->files[i].state == DROPPED_WAITING &&
		    dropped->files[i].due_s <= now_s)
			dropped_pend(dropped, dropped->files[i].name, false);
	if (!dropped->look_ms && (dropped->all || dropped->n_pending)) {
		dropped->look_ms = clock_ms() + SETTLE_MS;
		if (dropped->look_ms < dropped->rest_ms)
			dropped->look_ms = dropped->rest_ms;
	} else if (dropped->look_ms && clock_ms() >= dropped->look_ms) {
		dropped_look_now(agent);
	}
	set_timer(dropped);
}

void agent_dropped_look(struct agent *agent)
{
	if (!agent->dropped || agent->dropped->epoll_fd < 0)
		return;
	watch_parent(agent);
	watch_dir(agent);
	take_events(agent);
	dropped_look_now(agent);
	set_timer(agent->dropped);
}

static int open_fds(struct agent_dropped *dropped)
{
	struct epoll_event event = {.events = EPOLLIN};

	dropped->inotify_fd = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
	dropped->timer_fd =
		timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
	dropped->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	if (dropped->inotify_fd < 0 || dropped->timer_fd < 0 ||
	    dropped->epoll_fd < 0 ||
	    epoll_ctl(dropped->epoll_fd, EPOLL_CTL_ADD, dropped->inotify_fd,
		      &event) < 0 ||
	    epoll_ctl(dropped->epoll_fd, EPOLL_CTL_ADD, dropped->timer_fd,
		      &event) < 0)
		return -errno;
	return 0;
}

int agent_dropped_start(struct agent *agent)
{
	struct agent_dropped *dropped = dropped_get(agent);
	int r;

	r = dropped ? open_fds(dropped) : -ENOMEM;
	if (r) {
		log_error("%s cannot be watched: %s", agent->opts->drop_dir,
			  strerror(-r));
		return r;
	}
	dropped->now_s = clock_s(CLOCK_BOOTTIME);
	dropped->starting = true;
	agent_dropped_look(agent);
	return dropped->epoll_fd;
}

void agent_dropped_release(struct agent *agent)
{
	struct agent_dropped *dropped = agent->dropped;

	agent->dropped = NULL;
	if (!dropped)
		return;
	close_fd(dropped->epoll_fd);
	close_fd(dropped->timer_fd);
	close_fd(dropped->inotify_fd);
	free(dropped);
}
