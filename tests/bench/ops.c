// SPDX-License-Identifier: GPL-2.0-only
/*
 * ops: what an operation costs, in instructions.
 *
 * Meant for an emulator that advances the time stamp counter by one for each
 * instruction executed (tests/vm/run --icount); elsewhere it tells cycles.
 * Each operation runs in batches; told is the cheapest batch, per operation,
 * so that a timer interrupt costs nobody anything. Time in which nobody runs
 * moves the counter too, so nothing here ever waits for a clock: both ends of
 * a socket or pipe are in this one process, and what a batch sent is taken
 * out again after the counter was read.
 *
 *	ops [--file FILE] [--scratch FILE] [--tree DIR] [--first N]
 *	    [--hold FILE]... WORD...
 *
 * Each WORD is an operation of the table below; `name TAB count TAB acts` is
 * written for each, acts being how many there were. --hold reads FILE first:
 * with the guard on, and FILE in a dataset, this process is a holder from then
 * on. The word `sleep` says `ready` and sleeps until it is killed.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>
#include <x86intrin.h>

#define OUTSIDE_NETNS  "/run/netns/outside"
#define OUTSIDE_ADDR   "10.30.0.5"
#define TCP_PORT       7001
#define UDP_PORT       7002
#define TRANSFER_BYTES 100000000ul
#define BUF_BYTES      65536
#define CROWD	       1000u
#define PIPES	       10000u

struct bench {
	const char *file;
	const char *scratch;
	const char *tree;
	unsigned int first;
	size_t bytes; /* of one write, read or send */
	int near;     /* descriptors of the operation under way */
	int far;
	char buf[BUF_BYTES];
};

struct op {
	const char *word;
	const char *name;
	unsigned int acts; /* in a batch */
	unsigned int batches;
	unsigned int rounds; /* of batches, each with a begin of its own */
	size_t bytes;
	int (*begin)(struct bench *b);
	int (*acts_fn)(struct bench *b, unsigned int n);
	int (*after)(struct bench *b); /* outside the count */
};

static int begin_read(struct bench *b)
{
	b->near = open(b->file, O_RDONLY | O_CLOEXEC);
	return b->near < 0 ? -errno : 0;
}

static int begin_write(struct bench *b)
{
	b->near = open(b->scratch, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	return b->near < 0 ? -errno : 0;
}

static int do_open(struct bench *b, unsigned int n)
{
	for (unsigned int i = 0; i < n; i++) {
		int fd = open(b->file, O_RDONLY);

		if (fd < 0)
			return -errno;
		(void)close(fd);
	}
	return 0;
}

/* pread for every size: read(2) would need a seek in the count. */
static int do_read(struct bench *b, unsigned int n)
{
	for (unsigned int i = 0; i < n; i++) {
		if (pread(b->near, b->buf, b->bytes, 0) != (ssize_t)b->bytes)
			return errno ? -errno : -ENODATA;
	}
	return 0;
}

static int do_write(struct bench *b, unsigned int n)
{
	for (unsigned int i = 0; i < n; i++) {
		if (pwrite(b->near, b->buf, b->bytes, 0) != (ssize_t)b->bytes)
			return errno ? -errno : -ENOSPC;
	}
	return 0;
}

static int do_stat(struct bench *b, unsigned int n)
{
	struct stat st;

	for (unsigned int i = 0; i < n; i++) {
		if (stat(b->file, &st) < 0)
			return -errno;
	}
	return 0;
}

/* Files that makeset made, each once: with the guard on, each a record that
 * this process had not touched before. */
static int do_new(struct bench *b, unsigned int n)
{
	char path[256];

	for (unsigned int i = 0; i < n; i++) {
		int fd;

		(void)snprintf(path, sizeof(path), "%s/%06u.jpg", b->tree,
			       b->first++);
		fd = open(path, O_RDONLY);
		if (fd < 0)
			return -errno;
		if (read(fd, b->buf, b->bytes) != (ssize_t)b->bytes)
			return errno ? -errno : -ENODATA;
		(void)close(fd);
	}
	return 0;
}

static int enter_netns(const char *path)
{
	int fd, r = 0;

	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	if (setns(fd, CLONE_NEWNET) < 0)
		r = -errno;
	(void)close(fd);
	return r;
}

static int bound_socket(int type, const struct sockaddr_in *at)
{
	int fd, one = 1;

	fd = socket(AF_INET, type | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -errno;
	if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one)) < 0 ||
	    bind(fd, (const struct sockaddr *)at, sizeof(*at)) < 0 ||
	    (type == SOCK_STREAM && listen(fd, 1) < 0)) {
		int r = -errno;

		(void)close(fd);
		return r;
	}
	return fd;
}

/* A socket stays in the network namespace it was made in: this process can
 * be the near and the far end at once. */
static int bound_outside(int type, const struct sockaddr_in *at)
{
	char home[32];
	int fd, r;

	(void)snprintf(home, sizeof(home), "/proc/self/fd/%d",
		       open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC));
	r = enter_netns(OUTSIDE_NETNS);
	if (r < 0)
		return r;
	fd = bound_socket(type, at);
	r = enter_netns(home);
	(void)close(atoi(home + strlen("/proc/self/fd/")));
	if (r < 0 && fd >= 0) {
		(void)close(fd);
		return r;
	}
	return fd;
}

/* A socket at each end, of which the far one is bound to addr. */
static int begin_inet(struct bench *b, int type, const char *addr,
		      uint16_t port,
		      int (*bind_fn)(int type, const struct sockaddr_in *at))
{
	struct sockaddr_in at = {
		.sin_family = AF_INET,
		.sin_port = htons(port),
		.sin_addr.s_addr = inet_addr(addr),
	};
	int fd, one = 1;

	fd = bind_fn(type, &at);
	if (fd < 0)
		return fd;
	b->far = fd;
	b->near = socket(AF_INET, type | SOCK_CLOEXEC, 0);
	if (b->near < 0 ||
	    connect(b->near, (struct sockaddr *)&at, sizeof(at)) < 0)
		return -errno;
	if (type != SOCK_STREAM)
		return 0;
	b->far = accept4(fd, NULL, NULL, SOCK_CLOEXEC);
	(void)close(fd);
	if (b->far < 0 || setsockopt(b->near, IPPROTO_TCP, TCP_NODELAY, &one,
				     sizeof(one)) < 0)
		return -errno;
	return 0;
}

static int begin_tcp(struct bench *b)
{
	return begin_inet(b, SOCK_STREAM, OUTSIDE_ADDR, TCP_PORT,
			  bound_outside);
}

static int begin_loopback(struct bench *b)
{
	return begin_inet(b, SOCK_STREAM, "127.0.0.1", TCP_PORT, bound_socket);
}

static int begin_udp(struct bench *b)
{
	return begin_inet(b, SOCK_DGRAM, OUTSIDE_ADDR, UDP_PORT, bound_outside);
}

static int do_send(struct bench *b, unsigned int n)
{
	for (unsigned int i = 0; i < n; i++) {
		if (send(b->near, b->buf, b->bytes, 0) != (ssize_t)b->bytes)
			return errno ? -errno : -EIO;
	}
	return 0;
}

static int after_send(struct bench *b)
{
	ssize_t n;

	do {
		n = recv(b->far, b->buf, sizeof(b->buf), MSG_DONTWAIT);
	} while (n > 0);
	return n < 0 && errno == EAGAIN ? 0 : n < 0 ? -errno : -EPIPE;
}

static int begin_unix(struct bench *b)
{
	int fds[2];

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds) < 0)
		return -errno;
	b->near = fds[0];
	b->far = fds[1];
	return 0;
}

static int do_sockets(struct bench *b, unsigned int n)
{
	for (unsigned int i = 0; i < n; i++) {
		if (send(b->near, b->buf, b->bytes, 0) != (ssize_t)b->bytes ||
		    recv(b->far, b->buf, b->bytes, 0) != (ssize_t)b->bytes)
			return errno ? -errno : -EIO;
	}
	return 0;
}

static int begin_pipe(struct bench *b)
{
	int fds[2];

	if (pipe2(fds, O_CLOEXEC) < 0)
		return -errno;
	b->near = fds[1];
	b->far = fds[0];
	return 0;
}

/* Who types and who reads it. Raw, or it waits for the end of a line. */
static int begin_pty(struct bench *b)
{
	struct termios raw;

	b->near = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);
	if (b->near < 0 || grantpt(b->near) < 0 || unlockpt(b->near) < 0)
		return -errno;
	b->far = open(ptsname(b->near), O_RDWR | O_NOCTTY | O_CLOEXEC);
	if (b->far < 0 || tcgetattr(b->far, &raw) < 0)
		return -errno;
	cfmakeraw(&raw);
	raw.c_cc[VMIN] = (cc_t)b->bytes;
	return tcsetattr(b->far, TCSANOW, &raw) < 0 ? -errno : 0;
}

static int do_files(struct bench *b, unsigned int n)
{
	for (unsigned int i = 0; i < n; i++) {
		if (write(b->near, b->buf, b->bytes) != (ssize_t)b->bytes ||
		    read(b->far, b->buf, b->bytes) != (ssize_t)b->bytes)
			return errno ? -errno : -EIO;
	}
	return 0;
}

static int wait_for(pid_t child)
{
	int status;

	if (waitpid(child, &status, 0) < 0)
		return -errno;
	return WIFEXITED(status) && WEXITSTATUS(status) == 0 ? 0 : -ECHILD;
}

static int do_fork(struct bench *b, unsigned int n)
{
	int r = 0;

	(void)b;
	for (unsigned int i = 0; r == 0 && i < n; i++) {
		pid_t child = fork();

		if (child == 0)
			_exit(0);
		r = child < 0 ? -errno : wait_for(child);
	}
	return r;
}

static int spawn(char *const argv[])
{
	static char *const no_environment[] = {NULL};
	pid_t child = vfork();

	if (child == 0) {
		(void)execve(argv[0], argv, no_environment);
		_exit(127);
	}
	return child < 0 ? -errno : wait_for(child);
}

static int do_exec(struct bench *b, unsigned int n)
{
	char *const argv[] = {"/usr/bin/true", NULL};
	int r = 0;

	(void)b;
	for (unsigned int i = 0; r == 0 && i < n; i++)
		r = spawn(argv);
	return r;
}

/* Not to /dev/null, which tar knows and then reads nothing. */
static int do_tar(struct bench *b, unsigned int n)
{
	char *const argv[] = {"/usr/bin/tar",
			      "-cf",
			      "/tmp/ops.tar",
			      "-C",
			      (char *)b->tree,
			      ".",
			      NULL};
	int r = 0;

	for (unsigned int i = 0; r == 0 && i < n; i++)
		r = spawn(argv);
	return r;
}

static int after_tar(struct bench *b)
{
	(void)b;
	return unlink("/tmp/ops.tar") < 0 ? -errno : 0;
}

/* One process sends and takes in turn: two would leave the count to the
 * scheduler (measured: 3 % from run to run). */
static int do_transfer(struct bench *b, unsigned int n)
{
	unsigned long left = n * TRANSFER_BYTES;
	int r = 0;

	while (r == 0 && left) {
		size_t want = left < b->bytes ? left : b->bytes;
		ssize_t sent = send(b->near, b->buf, want, MSG_DONTWAIT);

		if (sent < 0 && errno != EAGAIN)
			return -errno;
		left -= sent < 0 ? 0 : (unsigned long)sent;
		r = after_send(b);
	}
	return r;
}

static int do_sleep(struct bench *b, unsigned int n)
{
	(void)b;
	(void)n;
	(void)puts("ready");
	if (fflush(stdout) != 0)
		return -errno;
	for (;;)
		(void)pause();
}

/* Children, which have what their parent holds, until it goes. */
static int do_crowd(struct bench *b, unsigned int n)
{
	for (unsigned int i = 0; i < CROWD; i++) {
		pid_t child = fork();

		if (child < 0)
			return -errno;
		if (child)
			continue;
		if (prctl(PR_SET_PDEATHSIG, SIGKILL) < 0)
			_exit(1);
		for (;;)
			(void)pause();
	}
	return do_sleep(b, n);
}

/* Pipes with something in them. */
static int do_pipes(struct bench *b, unsigned int n)
{
	const struct rlimit limit = {2 * PIPES + 100, 2 * PIPES + 100};
	int fds[2];

	if (setrlimit(RLIMIT_NOFILE, &limit) < 0)
		return -errno;
	for (unsigned int i = 0; i < PIPES; i++)
		if (pipe2(fds, O_CLOEXEC) < 0 || write(fds[1], b->buf, 1) != 1)
			return errno ? -errno : -EIO;
	return do_sleep(b, n);
}

/* TCP in rounds: some connections acknowledge every segment to their end
 * (seen for the first one after boot), which costs 2,500 a send. */
/* clang-format off */
static const struct op ops[] = {
	{"open", "open+close", 100, 40, 1, 0, NULL, do_open, NULL},
	{"read", "read 4 KiB", 100, 40, 1, 4096, begin_read, do_read, NULL},
	{"pread", "pread 64 B", 100, 40, 1, 64, begin_read, do_read, NULL},
	{"write", "write 4 KiB", 100, 40, 1, 4096, begin_write, do_write, NULL},
	{"stat", "stat", 100, 40, 1, 0, NULL, do_stat, NULL},
	{"new", "read new record", 20, 10, 1, 4096, NULL, do_new, NULL},
	{"tcp64", "TCP send 64 B", 32, 64, 16, 64, begin_tcp, do_send,
	 after_send},
	{"tcp1k", "TCP send 1 KiB", 32, 64, 16, 1024, begin_tcp, do_send,
	 after_send},
	{"udp1k", "UDP send 1 KiB", 32, 64, 8, 1024, begin_udp, do_send,
	 after_send},
	{"unix", "unix send+receive", 100, 10, 64, 64, begin_unix,
	 do_sockets, NULL},
	{"loop", "loopback send+recv", 32, 64, 16, 64, begin_loopback,
	 do_sockets, NULL},
	{"pipe", "pipe pair", 100, 40, 1, 64, begin_pipe, do_files, NULL},
	{"pty", "terminal pair", 32, 64, 4, 64, begin_pty, do_files, NULL},
	{"fork", "fork", 8, 40, 1, 0, NULL, do_fork, NULL},
	{"exec", "exec", 4, 40, 1, 0, NULL, do_exec, NULL},
	{"tar", "tar of 10,000 files", 1, 2, 1, 0, NULL, do_tar, after_tar},
	{"transfer", "TCP transfer 100 MB", 1, 2, 4, BUF_BYTES, begin_tcp,
	 do_transfer, NULL},
	{"sleep", "sleep", 1, 1, 1, 0, NULL, do_sleep, NULL},
	{"crowd", "crowd", 1, 1, 1, 0, NULL, do_crowd, NULL},
	{"pipes", "pipes", 1, 1, 1, 0, NULL, do_pipes, NULL},
};
/* clang-format on */

/* Lowers *least to the cheapest batch. */
static int measure(struct bench *b, const struct op *op, uint64_t *least)
{
	int r = 0;

	for (unsigned int i = 0; i < op->batches; i++) {
		uint64_t start, count;

		errno = 0;
		start = __rdtsc();
		r = op->acts_fn(b, op->acts);
		count = __rdtsc() - start;
		if (r == 0 && op->after)
			r = op->after(b);
		if (r < 0)
			return r;
		if (count < *least)
			*least = count;
	}
	return 0;
}

static int run_round(struct bench *b, const struct op *op, uint64_t *least)
{
	int r = 0;

	b->near = b->far = -1;
	b->bytes = op->bytes;
	if (op->begin)
		r = op->begin(b);
	if (r == 0)
		r = measure(b, op, least);
	if (b->near >= 0)
		(void)close(b->near);
	if (b->far >= 0)
		(void)close(b->far);
	return r;
}

static int run_op(struct bench *b, const struct op *op)
{
	uint64_t least = UINT64_MAX;
	int r = 0;

	for (unsigned int i = 0; r == 0 && i < op->rounds; i++)
		r = run_round(b, op, &least);
	if (r < 0) {
		(void)fprintf(stderr, "ops: %s: %s\n", op->name, strerror(-r));
		return r;
	}
	(void)printf("%s\t%llu\t%u\n", op->name,
		     (unsigned long long)((least + op->acts / 2) / op->acts),
		     op->acts * op->batches * op->rounds);
	return 0;
}

static int hold(struct bench *b, const char *path)
{
	int fd;
	ssize_t n;

	fd = open(path, O_RDONLY | O_CLOEXEC);
	n = fd < 0 ? -1 : read(fd, b->buf, sizeof(b->buf));
	if (n <= 0) {
		(void)fprintf(stderr, "ops: cannot read %s: %s\n", path,
			      n ? strerror(errno) : "it is empty");
		return -EIO;
	}
	(void)close(fd);
	return 0;
}

static const struct op *find_op(const char *word)
{
	for (size_t i = 0; i < sizeof(ops) / sizeof(ops[0]); i++) {
		if (strcmp(ops[i].word, word) == 0)
			return &ops[i];
	}
	return NULL;
}

static int usage(void)
{
	(void)fprintf(stderr, "usage: ops [--file FILE] [--scratch FILE]"
			      " [--tree DIR] [--first N] [--hold FILE]..."
			      " WORD...\nwords:");
	for (size_t i = 0; i < sizeof(ops) / sizeof(ops[0]); i++)
		(void)fprintf(stderr, " %s", ops[i].word);
	(void)fputc('\n', stderr);
	return 2;
}

int main(int argc, char **argv)
{
	static struct bench b = {
		.file = "/etc/hostname",
		.scratch = "/tmp/ops.scratch",
		.tree = ".",
		.first = 1,
	};

	for (int i = 1; i < argc; i++) {
		const char *value = i + 1 < argc ? argv[i + 1] : NULL;
		const struct op *op = find_op(argv[i]);

		if (op) {
			if (run_op(&b, op) < 0)
				return 1;
			continue;
		}
		if (!value)
			return usage();
		if (strcmp(argv[i], "--file") == 0)
			b.file = value;
		else if (strcmp(argv[i], "--scratch") == 0)
			b.scratch = value;
		else if (strcmp(argv[i], "--tree") == 0)
			b.tree = value;
		else if (strcmp(argv[i], "--first") == 0)
			b.first = (unsigned int)strtoul(value, NULL, 10);
		else if (strcmp(argv[i], "--hold") == 0) {
			if (hold(&b, value) < 0)
				return 1;
		} else
			return usage();
		i++;
	}
	return fflush(stdout) == 0 ? 0 : 1;
}
