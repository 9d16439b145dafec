// SPDX-License-Identifier: GPL-2.0-only
/*
 * Receives what a program sends out, in another network namespace, and says
 * which chunks came, by the login of who sent them. A byte of a message counts
 * when it has come, and all that the message stands for with its header.
 */
#include "flow.h"

#include "../channel/record.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#define STREAMS	 128
#define FLOWS	 64
#define QUIET_MS 20

/* A sender's messages, one after another. */
struct stream {
	int fd; /* 0: free */
	struct sockaddr_in6 from;
	size_t have;
	uint8_t message[MESSAGE_BYTES];
};

static struct stream streams[STREAMS];
static struct stream flows[FLOWS]; /* of datagrams */
static unsigned int next_flow;
static struct arrivals arrivals;
static uint32_t program;
static int control = -1;
static pid_t sink_pid;

static bool is_counted(const struct message *m)
{
	return m->program == program && m->login < LOGINS;
}

static void count_header(const struct message *m)
{
	arrivals.messages++;
	for (int o = 0; o < ORIGINS; o++)
		for (int set = 0; set < SETS; set++)
			arrivals.has[m->login][set] |= m->has[o][set];
}

static void count_bytes(const struct message *m, size_t bytes)
{
	for (int set = 0; set < SETS; set++)
		if (m->holds >> set & 1)
			arrivals.bytes[m->login][set] += bytes;
}

/* Every canary has to be of a record that the header tells of. */
static void search(const struct message *m)
{
	struct record_set set = {0};
	struct record_scan scan = {0};

	(void)record_scan_feed(&scan, &set, m->data, m->body);
	for (size_t i = 0; i < set.cap; i++) {
		uint32_t id = set.slots[i];
		uint64_t mask;

		if (!id)
			continue;
		if (RECORD_KIND(id) == RECORD_PHOTO)
			mask = 15ULL << (((id & 0xffff) - 1) * PHOTO_CHUNKS);
		else
			mask = 1ULL << ((id & 0xffff) - 1);
		if (!(arrivals.has[m->login][RECORD_KIND(id) == RECORD_ROW] &
		      mask))
			arrivals.flaws++;
	}
	record_set_release(&set);
}

static size_t wanted(const struct stream *s)
{
	const struct message *m = (const struct message *)s->message;

	if (s->have < sizeof(*m))
		return sizeof(*m);
	return m->len >= sizeof(*m) && m->len <= MESSAGE_BYTES ? m->len
							       : sizeof(*m);
}

/* Something of ours was lost on the way: what follows it is not told apart. */
static bool is_lost(const struct stream *s)
{
	const struct message *m = (const struct message *)s->message;

	return s->have >= sizeof(*m) &&
	       memcmp(m->magic, MESSAGE_MAGIC, sizeof(m->magic)) != 0;
}

static void feed(struct stream *s, const uint8_t *p, size_t n)
{
	const struct message *m = (const struct message *)s->message;

	while (n) {
		size_t want = wanted(s) - s->have, part = n < want ? n : want;
		bool header = s->have < sizeof(*m);

		memcpy(s->message + s->have, p, part);
		s->have += part;
		p += part;
		n -= part;
		if (is_lost(s)) {
			s->have = 0;
			return;
		}
		if (s->have < sizeof(*m) || !is_counted(m)) {
			if (s->have >= sizeof(*m) && s->have == wanted(s))
				s->have = 0;
			continue;
		}
		if (header)
			count_header(m);
		count_bytes(m, header ? s->have : part);
		if (s->have == wanted(s)) {
			if (m->told == PLAIN)
				search(m);
			s->have = 0;
		}
	}
}

static void on_stream(struct stream *s)
{
	static uint8_t buf[65536];
	ssize_t n = recv(s->fd, buf, sizeof(buf), MSG_DONTWAIT);

	if (n > 0) {
		feed(s, buf, (size_t)n);
		return;
	}
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	(void)close(s->fd);
	*s = (struct stream){0};
}

static void on_listener(int fd)
{
	int got = accept4(fd, NULL, NULL, SOCK_CLOEXEC);

	if (got < 0)
		return;
	for (int i = 0; i < STREAMS; i++)
		if (!streams[i].fd) {
			streams[i].fd = got;
			return;
		}
	(void)close(got);
}

static struct stream *flow_from(const struct sockaddr_in6 *from)
{
	struct stream *s;

	for (s = flows; s < flows + FLOWS; s++)
		if (memcmp(&s->from, from, sizeof(*from)) == 0)
			return s;
	s = &flows[next_flow++ % FLOWS];
	*s = (struct stream){.from = *from};
	return s;
}

static bool on_datagrams(int fd)
{
	static uint8_t buf[65536];
	bool some = false;
	ssize_t n;

	for (;;) {
		struct sockaddr_in6 from = {0};
		socklen_t len = sizeof(from);

		n = recvfrom(fd, buf, sizeof(buf), MSG_DONTWAIT,
			     (struct sockaddr *)&from, &len);
		if (n < 0)
			return some;
		feed(flow_from(&from), buf, (size_t)n);
		some = true;
	}
}

static int listen_at(int type)
{
	struct sockaddr_in6 any = {.sin6_family = AF_INET6,
				   .sin6_port = htons(PORT)};
	int fd = socket(AF_INET6, type | SOCK_CLOEXEC, 0), one = 1, queue = 64;

	if (fd < 0)
		return -errno;
	(void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	if (bind(fd, (struct sockaddr *)&any, sizeof(any)) < 0)
		return -errno;
	if (type == SOCK_DGRAM)
		return fd;
	(void)setsockopt(fd, IPPROTO_TCP, TCP_FASTOPEN, &queue, sizeof(queue));
	return listen(fd, STREAMS) < 0 ? -errno : fd;
}

static void allow_fastopen(void)
{
	int fd = open("/proc/sys/net/ipv4/tcp_fastopen", O_WRONLY | O_CLOEXEC);

	if (fd < 0)
		return;
	(void)!write(fd, "3\n", 2);
	(void)close(fd);
}

/* @of: the listener, the datagrams, the streams. False: nothing came. */
static bool receive(struct pollfd *of, int wait_ms)
{
	int n = 2;

	for (int i = 0; i < STREAMS; i++)
		if (streams[i].fd)
			of[n++] = (struct pollfd){streams[i].fd, POLLIN, 0};
	if (poll(of, (nfds_t)n, wait_ms) <= 0)
		return false;
	if (of[0].revents)
		on_listener(of[0].fd);
	if (of[1].revents)
		(void)on_datagrams(of[1].fd);
	for (int i = 2; i < n; i++)
		for (int j = 0; of[i].revents && j < STREAMS; j++)
			if (streams[j].fd == of[i].fd) {
				on_stream(&streams[j]);
				break;
			}
	return true;
}

/* A question is a program's number, or 0: what came? */
static bool on_question(int fd, struct pollfd *of)
{
	uint32_t question;

	if (read(fd, &question, sizeof(question)) != sizeof(question))
		return false;
	while (receive(of, QUIET_MS))
		;
	if (question) {
		program = question;
		arrivals = (struct arrivals){0};
	}
	return write(fd, &arrivals, sizeof(arrivals)) == sizeof(arrivals);
}

static _Noreturn void sink_run(int fd, const char *netns)
{
	int ns = open(netns, O_RDONLY | O_CLOEXEC);
	struct pollfd of[2 + STREAMS + 1];

	if (ns < 0 || setns(ns, CLONE_NEWNET) < 0)
		_exit(3);
	allow_fastopen();
	of[0] = (struct pollfd){listen_at(SOCK_STREAM), POLLIN, 0};
	of[1] = (struct pollfd){listen_at(SOCK_DGRAM), POLLIN, 0};
	if (of[0].fd < 0 || of[1].fd < 0)
		_exit(3);
	for (;;) {
		struct pollfd asked = {fd, POLLIN, 0};

		(void)receive(of, 2);
		if (poll(&asked, 1, 0) > 0 && !on_question(fd, of))
			_exit(0);
	}
}

int sink_begin(const char *netns)
{
	int ends[2];

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) < 0)
		return -errno;
	sink_pid = fork();
	if (sink_pid == 0) {
		(void)close(ends[0]);
		sink_run(ends[1], netns);
	}
	(void)close(ends[1]);
	control = ends[0];
	return sink_pid < 0 ? -EAGAIN : sink_reset(1);
}

void sink_end(void)
{
	(void)close(control);
	(void)waitpid(sink_pid, NULL, 0);
}

static int sink_say(uint32_t question, struct arrivals *ret)
{
	if (write(control, &question, sizeof(question)) != sizeof(question) ||
	    recv(control, ret, sizeof(*ret), MSG_WAITALL) != sizeof(*ret))
		return -EIO;
	return 0;
}

int sink_reset(uint32_t number)
{
	struct arrivals ignored;

	return sink_say(number, &ignored);
}

int sink_ask(struct arrivals *ret)
{
	return sink_say(0, ret);
}
