// SPDX-License-Identifier: GPL-2.0-only
/*
 * Fuzz target of what the command reads from the control socket: the input is
 * what an agent answers, whoever that may be. What it asserts beyond "no
 * crash": every line handed on is an object with a type, a call ends with one
 * of the codes of control.h, and one that failed says why.
 *
 * Known-bad modes: see fuzz_policy.c; here the "n" of a line is 7 in the seed
 * called selftest*, and another number in a mutant.
 */
#include "fuzz.h"

#include "control.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

struct agent {
	int fd;
	const uint8_t *data;
	size_t size;
};

/* Takes one caller, says all of it and waits until the caller hangs up. */
static void *answer(void *arg)
{
	const struct agent *agent = arg;
	size_t done = 0;
	char buf[4096];
	ssize_t n = 0;
	int fd;

	fd = accept(agent->fd, NULL, NULL);
	CHECK(fd >= 0);
	for (; done < agent->size && n >= 0; done += (size_t)n) {
		n = send(fd, agent->data + done, agent->size - done,
			 MSG_NOSIGNAL);
		if (n < 0)
			break;
	}
	(void)shutdown(fd, SHUT_WR);
	while (read(fd, buf, sizeof(buf)) > 0)
		;
	(void)close(fd);
	return NULL;
}

static int on_line(const json_t *line, const char *text, void *arg)
{
	const json_t *n = json_object_get(line, "n");

	(void)arg;
	CHECK(text && json_is_object(line));
	CHECK(json_is_string(json_object_get(line, "type")));
	if (json_is_integer(n))
		fuzz_selftest(json_integer_value(n) == 7,
			      json_integer_value(n) != 7);
	return 0;
}

static bool is_known(int r)
{
	return r == 0 || r == -EACCES || r == -EBUSY || r == -ESRCH ||
	       r == -EPROTO || r == -EPIPE || r == -EIO || r == -ENOMEM;
}

/* A name of its own, which is gone when the process is. */
static void listen_at(struct sockaddr_un *address, int *ret_fd)
{
	char dir[] = "cordon-fuzz-XXXXXX";

	CHECK(mkdtemp(dir));
	address->sun_family = AF_UNIX;
	(void)snprintf(address->sun_path, sizeof(address->sun_path), "%s/s",
		       dir);
	*ret_fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	CHECK(*ret_fd >= 0);
	CHECK(bind(*ret_fd, (const struct sockaddr *)address,
		   sizeof(*address)) == 0);
	CHECK(listen(*ret_fd, 1) == 0);
}

static struct sockaddr_un address;

static void clean_up(void)
{
	(void)unlink(address.sun_path);
	*strrchr(address.sun_path, '/') = '\0';
	(void)rmdir(address.sun_path);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static int listener = -1;
	const struct control_request request = {.verb = CONTROL_STATUS};
	char error[CONTROL_ERROR_CHARS_MAX] = "";
	struct agent agent = {.data = data, .size = size};
	pthread_t thread;
	int r;

	if (listener < 0) {
		listen_at(&address, &listener);
		CHECK(atexit(clean_up) == 0);
	}
	agent.fd = listener;
	CHECK(pthread_create(&thread, NULL, answer, &agent) == 0);
	r = control_call(address.sun_path, &request, on_line, NULL, error);
	CHECK(pthread_join(thread, NULL) == 0);
	CHECK(is_known(r));
	CHECK(memchr(error, '\0', sizeof(error)));
	CHECK(r == 0 || error[0] != '\0');
	return 0;
}
