// SPDX-License-Identifier: GPL-2.0-only
/*
 * The command's side: one request, and its reply to the end.
 */
#include "control_internal.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "clock.h"
#include "log.h"

static int connect_to(const char *path, int flags, int *ret_fd, char *error)
{
	struct sockaddr_un address;
	int fd, r;

	r = control_address(&address, path);
	if (r) {
		(void)control_refuse(
			error, "%s: longer than a socket's path can be", path);
		return r;
	}
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | flags, 0);
	if (fd < 0) {
		r = -errno;
		(void)control_refuse(error, "socket: %s", strerror(-r));
		return r;
	}
	if (connect(fd, (struct sockaddr *)&address, sizeof(address)) < 0) {
		r = -errno;
		(void)control_refuse(error, "%s: %s", path, strerror(-r));
		(void)close(fd);
		return r == -EPERM ? -EACCES : r;
	}

	*ret_fd = fd;
	return 0;
}

static int send_all(int fd, const char *text, size_t len)
{
	ssize_t n;

	while (len > 0) {
		n = send(fd, text, len, MSG_NOSIGNAL);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		text += n;
		len -= (size_t)n;
	}
	return 0;
}

static int reply_error(const json_t *line, char *error)
{
	const char *code = json_string_value(json_object_get(line, "code"));
	const char *message =
		json_string_value(json_object_get(line, "message"));

	(void)control_refuse(
		error, "%s",
		message && message[0] ? message : "the agent gave no reason");
	log_clean(error);
	return code ? control_error_number(code) : -EPROTO;
}

/* 0: go on, 1: that was the last line. */
static int take_line(const char *text, size_t len, control_line_fn fn,
		     void *arg, char *error)
{
	json_t *line = NULL;
	const char *type;
	int r = -EPROTO;

	line = json_loadb(text, len, JSON_REJECT_DUPLICATES, NULL);
	if (!json_is_object(line)) {
		(void)control_refuse(error,
				     "the agent's answer is no JSON object");
		goto out;
	}
	if (control_check_version(line, error))
		goto out;
	type = json_string_value(json_object_get(line, "type"));
	if (!type) {
		(void)control_refuse(error,
				     "the agent's answer has no \"type\"");
		goto out;
	}
	if (strcmp(type, "end") == 0)
		r = 1;
	else if (strcmp(type, "error") == 0)
		r = reply_error(line, error);
	else
		r = fn(line, text, arg);
out:
	json_decref(line);
	return r;
}

/* Takes what is there to read. 0: there is more to come, 1: that was all. */
static int take_some(struct control_lines *lines, int fd, const char *path,
		     control_line_fn fn, void *arg, char *error)
{
	size_t len;
	int r;

	r = control_lines_fill(lines, fd);
	if (r == -EAGAIN)
		return 0;
	if (r == 0 || r == -ECONNRESET) {
		(void)control_refuse(error, "the agent closed the connection");
		return -EPIPE;
	}
	if (r < 0) {
		(void)control_refuse(error, "%s: %s", path, strerror(-r));
		return r;
	}
	for (r = 0; !r;) {
		char *text = control_lines_next(lines, &len);

		if (!text)
			break;
		r = take_line(text, len, fn, arg, error);
	}
	return r;
}

int control_call_waiting(const char *path,
			 const struct control_request *request,
			 control_line_fn fn, control_wait_fn wait, void *arg,
			 char *error)
{
	struct control_lines lines = {0};
	char *line = NULL;
	int fd = -1, r;

	error[0] = '\0';
	r = control_request_format(request, &line);
	if (r) {
		(void)control_refuse(error, "the request: %s", strerror(-r));
		goto out;
	}
	r = connect_to(path, wait ? SOCK_NONBLOCK : 0, &fd, error);
	if (r)
		goto out;
	/* An agent that turns us away may have closed already; what it said
	 * is still there to read. A request is less than any socket takes. */
	(void)send_all(fd, line, strlen(line));

	do {
		r = wait ? wait(fd, arg) : 0;
		if (!r)
			r = take_some(&lines, fd, path, fn, arg, error);
	} while (!r);
	if (r == 1)
		r = 0;
out:
	free(line);
	if (fd >= 0)
		(void)close(fd);
	control_lines_release(&lines);
	return r;
}

int control_call(const char *path, const struct control_request *request,
		 control_line_fn fn, void *arg, char *error)
{
	return control_call_waiting(path, request, fn, NULL, arg, error);
}

struct within {
	int64_t until_ms; /* of clock_ms() */
	control_line_fn fn;
	void *arg;
};

static int within_line(const json_t *line, const char *text, void *arg)
{
	const struct within *within = arg;

	return within->fn(line, text, within->arg);
}

static int within_wait(int fd, void *arg)
{
	const struct within *within = arg;
	struct pollfd p = {.fd = fd, .events = POLLIN};
	int64_t left;
	int n;

	do {
		left = within->until_ms - clock_ms();
		if (left <= 0)
			return -ETIMEDOUT;
		n = poll(&p, 1, left < INT_MAX ? (int)left : INT_MAX);
	} while (!n || (n < 0 && errno == EINTR));
	return n < 0 ? -errno : 0;
}

int control_call_within(const char *path, const struct control_request *request,
			int64_t timeout_ms, control_line_fn fn, void *arg,
			char *error)
{
	struct within within = {clock_ms() + timeout_ms, fn, arg};
	int r;

	r = control_call_waiting(path, request, within_line, within_wait,
				 &within, error);
	/* More queue there than it lets in: it is too busy. */
	if (r == -EAGAIN)
		r = -ETIMEDOUT;
	if (r == -ETIMEDOUT)
		(void)control_refuse(error, "the agent did not answer in time");
	return r;
}
