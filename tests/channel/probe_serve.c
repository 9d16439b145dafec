// SPDX-License-Identifier: GPL-2.0-only
/*
 * What cases have in common that need many processes.
 *
 * probe serve: runs one after another, each in a process of its own, without
 * what a shell and an exec cost. A line of input is a login user's number and
 * the arguments of a run, with tabs between them; its answer is a line with
 * the exit code and what the run printed.
 *
 * probe crowd: many logins, each with a session of its own, one after another
 * read the same files to their end.
 */
#include "probe.h"
#include "probe_forget.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define WORDS_MAX    256
#define ANSWER_BYTES 4096
#define NO_LOGIN     99 /* as a shell that could not become that user */
#define ALIVE	     90 /* a descriptor that the runs do not use */

/* A session of its own, as pam_loginuid makes it. */
static int login_as(const char *user)
{
	int fd = open("/proc/self/loginuid", O_WRONLY | O_CLOEXEC);
	ssize_t n;

	if (fd < 0)
		return -errno;
	n = write(fd, user, strlen(user));
	(void)close(fd);
	return n == (ssize_t)strlen(user) ? 0 : -EIO;
}

/*
 * What is said goes to a file that the guard then forgets: a pipe would carry
 * on to us, and to all that we start then, what the run holds. The pipe only
 * tells when all have ended.
 */
static _Noreturn void run_child(char **words, int count, int out, int alive)
{
	int null = open("/dev/null", O_RDONLY | O_CLOEXEC);

	if (null < 0 || dup2(null, STDIN_FILENO) < 0 ||
	    dup2(out, STDOUT_FILENO) < 0 || dup2(alive, ALIVE) < 0 ||
	    login_as(words[0]) < 0)
		_exit(NO_LOGIN);
	words[0] = (char *)"probe";
	_exit(probe_main(count, words));
}

/* All that the run and what it left behind say, in one line. */
static size_t listen_to(int fd, int alive, char *text, size_t size)
{
	char rest[16];
	ssize_t n;

	do
		n = read(alive, rest, sizeof(rest));
	while (n > 0 || (n < 0 && errno == EINTR));
	n = forget_file(fd) < 0 ? -1 : pread(fd, text, size, 0);
	for (ssize_t i = 0; i < n; i++)
		if (text[i] == '\n')
			text[i] = ' ';
	return n < 0 ? 0 : (size_t)n;
}

static int serve_one(char **words, int count)
{
	char text[ANSWER_BYTES];
	int ends[2], status, out;
	size_t len;
	pid_t child;

	out = open("/tmp", O_TMPFILE | O_RDWR | O_APPEND | O_CLOEXEC, 0600);
	if (out < 0)
		return -errno;
	if (pipe2(ends, O_CLOEXEC) < 0) {
		(void)close(out);
		return -errno;
	}
	child = fork();
	if (child == 0)
		run_child(words, count, out, ends[1]);
	(void)close(ends[1]);
	if (child < 0) {
		(void)close(ends[0]);
		(void)close(out);
		return -EAGAIN;
	}
	len = listen_to(out, ends[0], text, sizeof(text));
	(void)close(ends[0]);
	(void)close(out);
	while (waitpid(child, &status, 0) < 0)
		if (errno != EINTR)
			return -errno;
	if (WIFEXITED(status))
		status = WEXITSTATUS(status);
	else
		status = 128 + WTERMSIG(status);
	(void)printf("%d %.*s\n", status, (int)len, text);
	return fflush(stdout) == 0 ? 0 : -EIO;
}

int probe_serve(void)
{
	char *line = NULL, *words[WORDS_MAX + 1];
	size_t cap = 0;
	ssize_t n;
	int r = 0;

	while (r == 0 && (n = getline(&line, &cap, stdin)) > 0) {
		char *rest = line;
		int count = 0;

		if (line[n - 1] == '\n')
			line[n - 1] = 0;
		while (rest && count < WORDS_MAX)
			words[count++] = strsep(&rest, "\t");
		words[count] = NULL;
		r = rest ? -E2BIG : serve_one(words, count);
	}
	free(line);
	return r == 0 ? 0 : PROBE_OTHER_ERROR;
}

static int read_whole(const char *name)
{
	static char buf[READ_CHUNK];
	int fd = open(name, O_RDONLY | O_CLOEXEC);
	ssize_t n;

	if (fd < 0)
		return PROBE_REFUSED;
	do
		n = read(fd, buf, sizeof(buf));
	while (n > 0);
	(void)close(fd);
	return n < 0 ? PROBE_REFUSED : 0;
}

static _Noreturn void run_one_of_many(unsigned long login, char **files)
{
	char user[24];
	int r = 0;

	(void)snprintf(user, sizeof(user), "%lu", login);
	if (login_as(user) < 0)
		_exit(NO_LOGIN);
	while (*files && r == 0)
		r = read_whole(*files++);
	_exit(r);
}

int probe_crowd(char **words)
{
	unsigned long first = strtoul(words[0], NULL, 10);
	unsigned long count = strtoul(words[1], NULL, 10);
	int status;

	for (unsigned long i = 0; i < count; i++) {
		pid_t child = fork();

		if (child == 0)
			run_one_of_many(first + i, words + 2);
		if (child < 0 || waitpid(child, &status, 0) != child ||
		    !WIFEXITED(status))
			return PROBE_OTHER_ERROR;
		if (WEXITSTATUS(status))
			return WEXITSTATUS(status);
	}
	return 0;
}
