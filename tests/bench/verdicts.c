// SPDX-License-Identifier: GPL-2.0-only
/*
 * verdicts: acts that the guard refuses, so many a second, and how long after
 * each it was told of.
 *
 *	verdicts refuse RATE USERS FILE...
 *		opens each file as each of USERS login users, and prints
 *		`refused N of M in S s'. root's, and a login uid that may still
 *		be set.
 *	verdicts arrive
 *		reads what `cordon events --follow --json' writes, and prints
 *		at its end `p50', `p99' and `most', each with milliseconds from
 *		the act in the kernel until the line came here, and `verdicts'
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define FIRST_LOGIN 100000
#define NS_PER_S    1000000000LL

static int64_t now(void)
{
	struct timespec t;

	(void)clock_gettime(CLOCK_BOOTTIME, &t);
	return t.tv_sec * NS_PER_S + t.tv_nsec;
}

static void die(const char *what)
{
	(void)fprintf(stderr, "verdicts: %s: %s\n", what, strerror(errno));
	exit(1);
}

static void log_in(unsigned long user)
{
	char text[32];
	int fd = open("/proc/self/loginuid", O_WRONLY | O_CLOEXEC);
	int n = snprintf(text, sizeof(text), "%lu", FIRST_LOGIN + user);

	if (fd < 0 || write(fd, text, (size_t)n) != n)
		die("/proc/self/loginuid");
	(void)close(fd);
}

static void wait_until(int64_t ns)
{
	struct timespec t = {ns / NS_PER_S, ns % NS_PER_S};

	while (clock_nanosleep(CLOCK_BOOTTIME, TIMER_ABSTIME, &t, NULL) ==
	       EINTR)
		;
}

static int refuse(unsigned long rate, unsigned long users, char **files, int n)
{
	unsigned long refused = 0, all = 0;
	int64_t begun = now();

	for (unsigned long user = 0; user < users; user++) {
		log_in(user);
		for (int i = 0; i < n; i++, all++) {
			wait_until(begun +
				   (int64_t)all * NS_PER_S / (int64_t)rate);
			int fd = open(files[i], O_RDONLY | O_CLOEXEC);

			if (fd < 0 && (errno == EPERM || errno == EACCES))
				refused++;
			if (fd >= 0)
				(void)close(fd);
		}
	}
	(void)printf("refused %lu of %lu in %.1f s\n", refused, all,
		     (double)(now() - begun) / NS_PER_S);
	return 0;
}

static int by_value(const void *a, const void *b)
{
	int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;

	return x < y ? -1 : x > y;
}

static int arrive(void)
{
	int64_t *took = NULL, at, acted;
	size_t n = 0, room = 0, size = 0;
	char *line = NULL, *p;

	while (getline(&line, &size, stdin) > 0) {
		at = now();
		if (!strstr(line, "\"type\":\"verdict\""))
			continue;
		p = strstr(line, "\"boottime_ns\":");
		if (!p || sscanf(p, "\"boottime_ns\":%" SCNd64, &acted) != 1)
			continue;
		if (n == room) {
			room = room ? 2 * room : 4096;
			took = reallocarray(took, room, sizeof(*took));
			if (!took)
				die("memory");
		}
		took[n++] = at - acted;
	}
	free(line);
	(void)printf("verdicts %zu\n", n);
	if (!n)
		return 1;
	qsort(took, n, sizeof(*took), by_value);
	(void)printf(
		"p50 %.1f\np99 %.1f\nmost %.1f\n", (double)took[n / 2] / 1e6,
		(double)took[n - 1 - n / 100] / 1e6, (double)took[n - 1] / 1e6);
	free(took);
	return 0;
}

int main(int argc, char **argv)
{
	unsigned long rate, users;

	if (argc == 2 && strcmp(argv[1], "arrive") == 0)
		return arrive();
	if (argc > 4 && strcmp(argv[1], "refuse") == 0) {
		rate = strtoul(argv[2], NULL, 10);
		users = strtoul(argv[3], NULL, 10);
		if (rate && users)
			return refuse(rate, users, argv + 4, argc - 4);
	}
	(void)fprintf(stderr, "usage: verdicts refuse RATE USERS FILE... | "
			      "verdicts arrive\n");
	return 2;
}
