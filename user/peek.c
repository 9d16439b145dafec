// SPDX-License-Identifier: GPL-2.0-only
#include "peek.h"
#include "clock.h"
#include "process.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <unistd.h>

/* One is written whole, or not at all. */
_Static_assert(sizeof(struct peek_result) <= PIPE_BUF, "a result's size");

/* ---- who looks ----------------------------------------------------------- */

static void look_at_arguments(const struct peek_job *job,
			      const struct sign_mac_key *key,
			      struct peek_result *result)
{
	static char text[PEEK_ARGUMENTS_BYTES];
	struct process_facts process;
	size_t len = process_arguments(job->tgid, text, sizeof(text));

	/* The number may be another's by now. */
	if (process_look(job->tgid, &process) ||
	    process.start_ns != job->start_ns)
		return;

	for (size_t i = 0; i < len; i++)
		result->arguments += text[i] == '\0';
	if (len)
		sign_mac(key, text, len, result->arguments_mac);
}

static int look_at_file(int fd, struct peek_result *result)
{
	struct stat st;

	if (fstat(fd, &st) < 0)
		return -errno;
	result->major = major(st.st_dev);
	result->minor = minor(st.st_dev);
	result->ino = st.st_ino;
	return S_ISREG(st.st_mode) ? sign_hash_file(fd, PEEK_EXE_BYTES_MAX,
						    result->exe_hash)
				   : -EINVAL;
}

static void look_at_exe(int exe, struct peek_result *result)
{
	char path[64];
	int fd;

	(void)snprintf(path, sizeof(path), "/proc/self/fd/%d", exe);
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	result->error = fd < 0 ? -errno : look_at_file(fd, result);
	if (fd >= 0)
		(void)close(fd);
}

/* It is no agent: what that has open, its lock for one, is not its. */
static void close_others(const struct peek_job *jobs, size_t n, int to)
{
	for (int fd = STDERR_FILENO + 1; fd < 1024; fd++) {
		bool keep = fd == to;

		for (size_t i = 0; i < n; i++)
			keep = keep || fd == jobs[i].exe;
		if (!keep)
			(void)close(fd);
	}
}

static _Noreturn void look(const struct peek_job *jobs, size_t n,
			   const struct sign_mac_key *key, int to)
{
	struct peek_result results[PEEK_JOBS_MAX] = {0};

	(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
	close_others(jobs, n, to);
	/* What is gone first comes first. */
	for (size_t i = 0; key && i < n; i++)
		look_at_arguments(&jobs[i], key, &results[i]);
	for (size_t i = 0; i < n; i++) {
		results[i].job = (uint32_t)i;
		results[i].error = -ENOENT;
		if (jobs[i].exe >= 0)
			look_at_exe(jobs[i].exe, &results[i]);
		if (write(to, &results[i], sizeof(results[i])) < 0)
			break;
	}
	_exit(0);
}

/* ---- who asks ------------------------------------------------------------ */

static bool is_stuck(struct peek *peek)
{
	if (peek->given && waitpid(peek->given, NULL, WNOHANG) != 0)
		peek->given = 0;
	return peek->given != 0;
}

int peek_begin(struct peek *peek, const struct peek_job *jobs, size_t n,
	       const struct sign_mac_key *key)
{
	int ends[2], r;

	if (peek->pid || is_stuck(peek))
		return -EBUSY;
	if (pipe2(ends, O_CLOEXEC | O_NONBLOCK) < 0)
		return -errno;
	peek->pid = fork();
	if (!peek->pid)
		look(jobs, n, key, ends[1]);
	r = peek->pid < 0 ? -errno : 0;
	(void)close(ends[1]);
	if (r) {
		(void)close(ends[0]);
		peek->pid = 0;
		return r;
	}
	peek->fd = ends[0];
	peek->until_ms = clock_ms() + PEEK_PATIENCE_S * 1000;
	return 0;
}

int peek_next(struct peek *peek, struct peek_result *ret_result)
{
	ssize_t n;

	if (!peek->pid)
		return -ESRCH;
	n = read(peek->fd, ret_result, sizeof(*ret_result));
	if (n == (ssize_t)sizeof(*ret_result))
		return 1;
	if (n < 0 && (errno == EAGAIN || errno == EINTR) &&
	    clock_ms() < peek->until_ms)
		return 0;
	peek_end(peek);
	return -ESRCH;
}

void peek_end(struct peek *peek)
{
	if (!peek->pid)
		return;
	(void)kill(peek->pid, SIGKILL);
	(void)close(peek->fd);
	peek->given = peek->pid;
	peek->pid = 0;
	(void)is_stuck(peek);
}
