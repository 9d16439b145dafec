// SPDX-License-Identifier: GPL-2.0-only
/*
 * printd: the print shop's application. For each card from FIRST to LAST it
 * reads the person's row and photo and sends both to the printer, one
 * connection a card, as raw printing does.
 *
 *	printd PRINTER-ADDRESS PORT DIRECTORY FIRST LAST
 *
 * exit: 0 all cards were printed, 1 one was not, 2 wrong usage
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define ROW_BYTES 160
#define CARD_MAX  (1u << 20)
#define CARDS_MAX 1000000u

struct job {
	struct sockaddr_in printer;
	int roster; /* descriptors */
	int photos;
	char card[CARD_MAX];
	size_t len;
};

static int add_row(struct job *job, unsigned long number)
{
	off_t at = (off_t)(number - 1) * ROW_BYTES;
	ssize_t n;

	n = pread(job->roster, job->card + job->len, ROW_BYTES, at);
	if (n != ROW_BYTES)
		return n < 0 ? -errno : -ENODATA;
	job->len += ROW_BYTES;
	return 0;
}

static int add_photo(struct job *job, unsigned long number)
{
	char name[32];
	ssize_t n = 0;
	int fd, r = 0;

	(void)snprintf(name, sizeof(name), "%06lu.jpg", number);
	fd = openat(job->photos, name, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	while (job->len < CARD_MAX) {
		n = read(fd, job->card + job->len, CARD_MAX - job->len);
		if (n <= 0)
			break;
		job->len += (size_t)n;
	}
	if (n < 0)
		r = -errno;
	else if (job->len == CARD_MAX)
		r = -EFBIG;
	(void)close(fd);
	return r;
}

static int send_card(const struct job *job)
{
	const struct sockaddr *to = (const void *)&job->printer;
	int fd, r = 0;

	fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -errno;
	if (connect(fd, to, sizeof(job->printer)) < 0)
		r = -errno;
	for (size_t done = 0; r == 0 && done < job->len;) {
		ssize_t n = send(fd, job->card + done, job->len - done,
				 MSG_NOSIGNAL);

		if (n < 0)
			r = -errno;
		else
			done += (size_t)n;
	}
	if (close(fd) < 0 && r == 0)
		r = -errno;
	return r;
}

static int print_card(struct job *job, unsigned long number)
{
	static const char start[] = "\033%-12345X@PJL JOB\r\n";
	int r;

	job->len = sizeof(start) - 1;
	memcpy(job->card, start, job->len);
	r = add_row(job, number);
	if (r == 0)
		r = add_photo(job, number);
	if (r == 0)
		r = send_card(job);
	return r;
}

static bool parse(const char *text, unsigned long max, unsigned long *ret)
{
	unsigned long v;
	char *end;

	if (*text < '0' || *text > '9')
		return false;
	errno = 0;
	v = strtoul(text, &end, 10);
	if (errno || *end || v < 1 || v > max)
		return false;
	*ret = v;
	return true;
}

static int open_in(const char *dir, const char *name, int flags)
{
	int base, fd;

	base = open(dir, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (base < 0)
		return -errno;
	fd = openat(base, name, O_RDONLY | O_CLOEXEC | flags);
	if (fd < 0)
		fd = -errno;
	(void)close(base);
	return fd;
}

int main(int argc, char **argv)
{
	static struct job job = {.printer.sin_family = AF_INET};
	unsigned long port, first, last, failed = 0;
	int r;

	if (argc != 6 ||
	    inet_pton(AF_INET, argv[1], &job.printer.sin_addr) != 1 ||
	    !parse(argv[2], UINT16_MAX, &port) ||
	    !parse(argv[4], CARDS_MAX, &first) ||
	    !parse(argv[5], CARDS_MAX, &last)) {
		(void)fputs("usage: printd ADDRESS PORT DIR FIRST LAST\n",
			    stderr);
		return 2;
	}
	job.printer.sin_port = htons((uint16_t)port);
	job.roster = open_in(argv[3], "roster.csv", 0);
	job.photos = open_in(argv[3], "photos", O_DIRECTORY);
	if (job.roster < 0 || job.photos < 0) {
		r = job.roster < 0 ? job.roster : job.photos;
		(void)fprintf(stderr, "printd: %s: %s\n", argv[3],
			      strerror(-r));
		return 1;
	}
	for (unsigned long i = first; i <= last; i++) {
		r = print_card(&job, i);
		if (r < 0) {
			(void)fprintf(stderr, "printd: card %lu: %s\n", i,
				      strerror(-r));
			failed++;
		}
	}
	return failed ? 1 : 0;
}
