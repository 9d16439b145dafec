// SPDX-License-Identifier: GPL-2.0-only
/*
 * crowd: many processes read record files at once, and what they got is
 * counted by file, not by act.
 *
 *	crowd DIR FIRST LAST STEP PROCESSES SHARE
 *
 * The files are DIR/%06lu.jpg, every STEP-th from FIRST to LAST. Each is read
 * by SHARE of the processes, at about the same time: they go through the files
 * in the same order. Prints one line:
 *
 *	files N read N refused N acts N errors N
 *
 * `read` are the files that at least one process read to the end, `refused`
 * those that every process which tried was denied (EPERM or EACCES), `acts`
 * the attempts, `errors` the attempts that ended in any other way.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#define PROCESSES_MAX 64

enum fate { WAS_READ = 1, WAS_REFUSED = 2, WENT_WRONG = 4 };

struct plan {
	const char *dir;
	unsigned long first;
	unsigned long last;
	unsigned long step;
	unsigned long processes;
	unsigned long share;
};

static enum fate read_file(int dir, unsigned long number)
{
	char name[32], buf[4096];
	ssize_t n;
	int fd, error;

	(void)snprintf(name, sizeof(name), "%06lu.jpg", number);
	fd = openat(dir, name, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return errno == EACCES || errno == EPERM ? WAS_REFUSED
							 : WENT_WRONG;
	n = read(fd, buf, sizeof(buf));
	error = errno;
	(void)close(fd);
	if (n > 0)
		return WAS_READ;
	return n < 0 && error == EPERM ? WAS_REFUSED : WENT_WRONG;
}

/* Process `me` reads the files i with me <= i % processes < me + share. */
static void read_mine(const struct plan *plan, unsigned long me, int dir,
		      uint8_t *fates)
{
	unsigned long i = 0, number;

	for (number = plan->first; number <= plan->last; number += plan->step) {
		unsigned long turn =
			(i + plan->processes - me) % plan->processes;

		if (turn < plan->share)
			(void)__atomic_fetch_or(&fates[i],
						(uint8_t)read_file(dir, number),
						__ATOMIC_RELAXED);
		i++;
	}
}

static int run(const struct plan *plan, int dir, uint8_t *fates)
{
	int status, bad = 0;

	for (unsigned long p = 0; p < plan->processes; p++) {
		pid_t pid = fork();

		if (pid < 0)
			return -errno;
		if (pid == 0) {
			read_mine(plan, p, dir, fates);
			_exit(0);
		}
	}
	while (wait(&status) > 0)
		bad |= status;
	return bad ? -ECHILD : 0;
}

static void tell(const uint8_t *fates, unsigned long n, unsigned long acts)
{
	unsigned long was_read = 0, refused = 0, errors = 0;

	for (unsigned long i = 0; i < n; i++) {
		was_read += !!(fates[i] & WAS_READ);
		refused += fates[i] == WAS_REFUSED;
		errors += !!(fates[i] & WENT_WRONG);
	}
	(void)printf("files %lu read %lu refused %lu acts %lu errors %lu\n", n,
		     was_read, refused, acts, errors);
}

static unsigned long number(const char *text)
{
	char *end;
	unsigned long n;

	errno = 0;
	n = strtoul(text, &end, 10);
	return errno || *end || n > 10000000 ? 0 : n;
}

int main(int argc, char **argv)
{
	struct plan plan;
	uint8_t *fates;
	unsigned long n;
	int dir, r;

	if (argc == 7)
		plan = (struct plan){argv[1],	      number(argv[2]),
				     number(argv[3]), number(argv[4]),
				     number(argv[5]), number(argv[6])};
	if (argc != 7 || !plan.first || plan.last < plan.first || !plan.step ||
	    !plan.processes || plan.processes > PROCESSES_MAX || !plan.share ||
	    plan.share > plan.processes) {
		(void)fprintf(stderr, "usage: crowd DIR FIRST LAST STEP "
				      "PROCESSES SHARE\n");
		return 2;
	}
	n = (plan.last - plan.first) / plan.step + 1;
	fates = mmap(NULL, n, PROT_READ | PROT_WRITE,
		     MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	dir = open(plan.dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fates == MAP_FAILED || dir < 0) {
		perror("crowd");
		return 1;
	}
	r = run(&plan, dir, fates);
	if (r) {
		(void)fprintf(stderr, "crowd: a reader did not end well\n");
		return 1;
	}
	tell(fates, n, n * plan.share);
	return 0;
}
