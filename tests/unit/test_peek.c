// SPDX-License-Identifier: GPL-2.0-only
/* What a process of its own finds out about others, and that nobody waits. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "peek.h"
#include "process.h"

static const struct sign_mac_key key = {{1, 2, 3}};

static struct peek_job job_of(pid_t pid, int exe)
{
	struct process_facts process;

	(void)process_look((uint32_t)pid, &process);
	return (struct peek_job){(uint32_t)pid, process.start_ns, exe};
}

/* All of what it says, within some seconds: how many results. */
static size_t all_results(struct peek *peek, struct peek_result *results,
			  size_t max)
{
	const struct timespec nap = {.tv_nsec = 10000000};
	size_t n = 0;
	int r = 0;

	for (int i = 0; i < 1000 && r != -ESRCH && n < max; i++) {
		r = peek_next(peek, &results[n]);
		if (r == 1)
			n++;
		else
			(void)nanosleep(&nap, NULL);
	}
	return n;
}

static void tells_program_and_arguments(void **state)
{
	struct peek_job job = job_of(getpid(), -1);
	struct peek_result results[2];
	char hash[SIGN_HASH_CHARS_MAX];
	struct peek peek = {0};
	struct stat st;
	int fd;

	(void)state;
	job.exe = open("/proc/self/exe", O_PATH | O_CLOEXEC);
	assert_true(job.exe >= 0);
	assert_int_equal(peek_begin(&peek, &job, 1, &key), 0);
	assert_int_equal(peek_begin(&peek, &job, 1, &key), -EBUSY);
	assert_int_equal(all_results(&peek, results, 2), 1);
	assert_int_equal(peek_next(&peek, results), -ESRCH);
	fd = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
	assert_int_equal(sign_hash_file(fd, PEEK_EXE_BYTES_MAX, hash), 0);
	assert_int_equal(fstat(fd, &st), 0);
	(void)close(fd);
	(void)close(job.exe);
	assert_int_equal(results[0].error, 0);
	assert_string_equal(results[0].exe_hash, hash);
	assert_int_equal(results[0].ino, st.st_ino);
	assert_int_equal(results[0].arguments, 1);
	assert_int_equal(strlen(results[0].arguments_mac), 64);
}

/* The number is another's. */
static void arguments_are_left_out_when_it_began_at_another_time(void **state)
{
	struct peek_job job = job_of(getpid(), -1);
	struct peek_result results[2];
	struct peek peek = {0};

	(void)state;
	job.start_ns++;
	assert_int_equal(peek_begin(&peek, &job, 1, &key), 0);
	assert_int_equal(all_results(&peek, results, 2), 1);
	assert_int_equal(results[0].arguments, 0);
}

static void arguments_are_left_out_without_a_key(void **state)
{
	struct peek_job job = job_of(getpid(), -1);
	struct peek_result results[2];
	struct peek peek = {0};

	(void)state;
	assert_int_equal(peek_begin(&peek, &job, 1, NULL), 0);
	assert_int_equal(all_results(&peek, results, 2), 1);
	assert_int_equal(results[0].arguments, 0);
	assert_string_equal(results[0].arguments_mac, "");
	assert_int_equal(results[0].error, -ENOENT);
}

static void says_what_is_gone(void **state)
{
	struct peek_job jobs[2] = {{.exe = -1}, {.exe = -1}};
	struct peek_result results[3];
	struct peek peek = {0};
	pid_t pid = fork();

	(void)state;
	if (!pid)
		_exit(0);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
	jobs[0].tgid = (uint32_t)pid;
	jobs[1] = job_of(getpid(), -1);
	assert_int_equal(peek_begin(&peek, jobs, 2, &key), 0);
	assert_int_equal(all_results(&peek, results, 3), 2);
	assert_int_equal(results[0].job, 0);
	assert_int_equal(results[0].arguments, 0);
	assert_int_equal(results[1].job, 1);
	assert_int_equal(results[1].arguments, 1);
}

/* It does not answer: stopped here, as by a file that never comes. */
static void nobody_waits_when_it_does_not_answer(void **state)
{
	struct peek_job job = job_of(getpid(), -1);
	struct peek_result result;
	struct peek peek = {0};

	(void)state;
	assert_int_equal(peek_begin(&peek, &job, 1, &key), 0);
	assert_int_equal(kill(peek.pid, SIGSTOP), 0);
	while (peek_next(&peek, &result) == 1)
		;
	if (peek.pid) {
		peek.until_ms = 0;
		assert_int_equal(peek_next(&peek, &result), -ESRCH);
	}
	assert_int_equal(peek.pid, 0);
	/* The next one can begin as soon as that one is gone. */
	for (int i = 0; i < 1000 && peek_begin(&peek, &job, 1, &key); i++)
		(void)usleep(1000);
	assert_int_not_equal(peek.pid, 0);
	peek_end(&peek);
	peek_end(&peek);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(tells_program_and_arguments),
		cmocka_unit_test(
			arguments_are_left_out_when_it_began_at_another_time),
		cmocka_unit_test(arguments_are_left_out_without_a_key),
		cmocka_unit_test(says_what_is_gone),
		cmocka_unit_test(nobody_waits_when_it_does_not_answer),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
