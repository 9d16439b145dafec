// SPDX-License-Identifier: GPL-2.0-only
/*
 * fanotify: the peer that asks user space. Takes open and access permission
 * events of the mounts that hold PATH... and allows each: the least that a
 * guard built on fanotify can do.
 *
 *	fanotify PATH...
 *
 * Says `ready` once the marks are set; runs until it is killed, which frees
 * whoever waits for an answer.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/fanotify.h>
#include <unistd.h>

static int answer(int fan, const struct fanotify_event_metadata *event)
{
	struct fanotify_response response = {
		.fd = event->fd,
		.response = FAN_ALLOW,
	};
	int r = 0;

	if (event->fd < 0)
		return 0;
	if (event->mask & (FAN_OPEN_PERM | FAN_ACCESS_PERM) &&
	    write(fan, &response, sizeof(response)) !=
		    (ssize_t)sizeof(response))
		r = -errno;
	(void)close(event->fd);
	return r;
}

static int serve(int fan)
{
	_Alignas(struct fanotify_event_metadata) char buf[8192];

	for (;;) {
		const struct fanotify_event_metadata *event = (void *)buf;
		ssize_t len = read(fan, buf, sizeof(buf));
		int r;

		if (len < 0)
			return -errno;
		for (; FAN_EVENT_OK(event, len);
		     event = FAN_EVENT_NEXT(event, len)) {
			r = answer(fan, event);
			if (r < 0)
				return r;
		}
	}
}

int main(int argc, char **argv)
{
	int fan, r;

	if (argc < 2) {
		(void)fprintf(stderr, "usage: fanotify PATH...\n");
		return 2;
	}
	fan = fanotify_init(FAN_CLASS_CONTENT | FAN_CLOEXEC,
			    O_RDONLY | O_LARGEFILE | O_CLOEXEC);
	if (fan < 0) {
		(void)fprintf(stderr, "fanotify: cannot start: %s\n",
			      strerror(errno));
		return 1;
	}
	for (int i = 1; i < argc; i++) {
		if (fanotify_mark(fan, FAN_MARK_ADD | FAN_MARK_MOUNT,
				  FAN_OPEN_PERM | FAN_ACCESS_PERM, AT_FDCWD,
				  argv[i]) < 0) {
			(void)fprintf(stderr, "fanotify: cannot mark %s: %s\n",
				      argv[i], strerror(errno));
			return 1;
		}
	}
	(void)puts("ready");
	(void)fflush(stdout);
	r = serve(fan);
	(void)fprintf(stderr, "fanotify: %s\n", strerror(-r));
	return 1;
}
