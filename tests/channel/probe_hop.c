// SPDX-License-Identifier: GPL-2.0-only
/*
 * Hops: one process reads, another one releases, and the bytes go from the
 * first to the second through something of the kernel's. The one that releases
 * is older than the read, so it has nothing by fork.
 */
#include "probe.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <mqueue.h>
#include <poll.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/msg.h>
#include <sys/ptrace.h>
#include <sys/sendfile.h>
#include <sys/shm.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

#define PIECE	   4096 /* no more than a datagram or a pipe takes at once */
#define GIVERS_MAX 16

static void fill_name(const struct probe *p, char *name, size_t size,
		      const char *what)
{
	(void)snprintf(name, size, "%s/hop-%s-%d", p->work ? p->work : "/tmp",
		       what, (int)getpid());
}

/* ---- pipes ------------------------------------------------------------- */

int make_pipe(struct probe *p, int ends[2])
{
	(void)p;
	return pipe2(ends, O_CLOEXEC) < 0 ? -errno : 0;
}

/* The reader's end is opened first, or the writer's open would wait. */
static int make_fifo(struct probe *p, int ends[2])
{
	char name[128];
	int r = 0;

	fill_name(p, name, sizeof(name), "fifo");
	if (mkfifo(name, 0600) < 0)
		return -errno;
	ends[0] = open(name, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	ends[1] = open(name, O_WRONLY | O_CLOEXEC);
	if (ends[0] < 0 || ends[1] < 0 || fcntl(ends[0], F_SETFL, 0) < 0)
		r = -errno;
	(void)unlink(name);
	return r;
}

ssize_t give_write(struct probe *p, int fd, const uint8_t *d, size_t n)
{
	ssize_t r = write(fd, d, n);

	(void)p;
	return r < 0 ? -errno : r;
}

ssize_t take_read(struct probe *p, int fd, uint8_t *d, size_t n)
{
	ssize_t r = read(fd, d, n);

	(void)p;
	return r < 0 ? -errno : r;
}

ssize_t give_writev(struct probe *p, int fd, const uint8_t *d, size_t n)
{
	struct iovec iov[2] = {{(void *)d, n / 2},
			       {(void *)(d + n / 2), n - n / 2}};
	ssize_t r = writev(fd, iov, 2);

	(void)p;
	return r < 0 ? -errno : r;
}

ssize_t take_readv(struct probe *p, int fd, uint8_t *d, size_t n)
{
	struct iovec iov[2] = {{d, n / 2}, {d + n / 2, n - n / 2}};
	ssize_t r = readv(fd, iov, 2);

	(void)p;
	return r < 0 ? -errno : r;
}

static ssize_t give_vmsplice(struct probe *p, int fd, const uint8_t *d,
			     size_t n)
{
	struct iovec iov = {(void *)d, n};
	ssize_t r = vmsplice(fd, &iov, 1, 0);

	(void)p;
	return r < 0 ? -errno : r;
}

static ssize_t take_vmsplice(struct probe *p, int fd, uint8_t *d, size_t n)
{
	struct iovec iov = {d, n};
	ssize_t r = vmsplice(fd, &iov, 1, 0);

	(void)p;
	return r < 0 ? -errno : r;
}

/* By way of a second pipe, which the taker has for itself. */
static ssize_t take_by_pipe(int fd, uint8_t *d, size_t n, int copies)
{
	ssize_t r, got;
	int own[2];

	if (pipe2(own, O_CLOEXEC) < 0)
		return -errno;
	r = copies ? tee(fd, own[1], n, 0)
		   : splice(fd, NULL, own[1], NULL, n, 0);
	if (r < 0)
		r = -errno;
	if (r > 0) {
		got = read(own[0], d, (size_t)r);
		if (got < 0)
			r = -errno;
		else
			r = got;
	}
	/* What was copied is still there: it goes nowhere. */
	if (r > 0 && copies) {
		uint8_t *waste = malloc((size_t)r);
		int null = open("/dev/null", O_WRONLY | O_CLOEXEC);

		if (null < 0 || splice(fd, NULL, null, NULL, (size_t)r, 0) != r)
			r = -EIO;
		(void)close(null);
		free(waste);
	}
	(void)close(own[0]);
	(void)close(own[1]);
	return r;
}

ssize_t take_splice(struct probe *p, int fd, uint8_t *d, size_t n)
{
	(void)p;
	return take_by_pipe(fd, d, n, 0);
}

static ssize_t take_tee(struct probe *p, int fd, uint8_t *d, size_t n)
{
	(void)p;
	return take_by_pipe(fd, d, n, 1);
}

/* Into a regular file and out of it. */
static ssize_t take_splice_file(struct probe *p, int fd, uint8_t *d, size_t n)
{
	int file = work_file(p);
	ssize_t r;

	if (file < 0)
		return file;
	r = splice(fd, NULL, file, NULL, n, 0);
	if (r > 0)
		r = pread(file, d, (size_t)r, 0);
	if (r < 0)
		r = -errno;
	(void)close(file);
	return r;
}

/* The bytes never are in the giver's memory. */
static int give_file_by(int fd, struct span span, int out, int by_sendfile)
{
	off_t at = span.off, end = span.off + (off_t)span.len;
	ssize_t n;

	while (at < end) {
		n = by_sendfile
			    ? sendfile(out, fd, &at, (size_t)(end - at))
			    : splice(fd, &at, out, NULL, (size_t)(end - at), 0);
		if (n < 0)
			return -errno;
		if (n == 0)
			break;
	}
	return 0;
}

static int give_splice_file(struct probe *p, int fd, struct span span,
			    void *arg)
{
	(void)p;
	return give_file_by(fd, span, *(int *)arg, 0);
}

int give_sendfile(struct probe *p, int fd, struct span span, void *arg)
{
	(void)p;
	return give_file_by(fd, span, *(int *)arg, 1);
}

int hop_reopen(int fd, int flags)
{
	char name[64];
	int own;

	(void)snprintf(name, sizeof(name), "/proc/self/fd/%d", fd);
	own = open(name, flags | O_CLOEXEC);
	return own < 0 ? -errno : own;
}

static ssize_t take_reopened(struct probe *p, int fd, uint8_t *d, size_t n)
{
	int own = hop_reopen(fd, O_RDONLY);
	ssize_t r;

	if (own < 0)
		return own;
	r = take_read(p, own, d, n);
	(void)close(own);
	return r;
}

/* ---- unix sockets ------------------------------------------------------ */

static int make_stream(struct probe *p, int ends[2])
{
	(void)p;
	return socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) < 0
		       ? -errno
		       : 0;
}

static int make_dgram(struct probe *p, int ends[2])
{
	(void)p;
	return socketpair(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0, ends) < 0
		       ? -errno
		       : 0;
}

static int make_seqpacket(struct probe *p, int ends[2])
{
	(void)p;
	return socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) < 0
		       ? -errno
		       : 0;
}

/* A name in the file system, or, abstract, in none. */
static int unix_address(struct probe *p, struct sockaddr_un *ret, int abstract)
{
	char name[128];
	size_t len;

	fill_name(p, name, sizeof(name), "sock");
	len = strlen(name);
	memset(ret, 0, sizeof(*ret));
	ret->sun_family = AF_UNIX;
	if (len + 2 > sizeof(ret->sun_path))
		return -ENAMETOOLONG;
	memcpy(ret->sun_path + abstract, name, len);
	return (int)(offsetof(struct sockaddr_un, sun_path) + (size_t)abstract +
		     len);
}

static int make_named(struct probe *p, int ends[2], int type, int abstract)
{
	struct sockaddr_un addr;
	int listener, len, r = 0;

	len = unix_address(p, &addr, abstract);
	if (len < 0)
		return len;
	listener = socket(AF_UNIX, type | SOCK_CLOEXEC, 0);
	ends[1] = socket(AF_UNIX, type | SOCK_CLOEXEC, 0);
	if (listener < 0 || ends[1] < 0 ||
	    bind(listener, (struct sockaddr *)&addr, (socklen_t)len) < 0) {
		r = -errno;
	} else if (type == SOCK_DGRAM) {
		ends[0] = listener;
		listener = -1;
	} else if (listen(listener, 1) < 0) {
		r = -errno;
	}
	if (r == 0 &&
	    connect(ends[1], (struct sockaddr *)&addr, (socklen_t)len) < 0)
		r = -errno;
	if (r == 0 && listener >= 0) {
		ends[0] = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
		if (ends[0] < 0)
			r = -errno;
	}
	if (listener >= 0)
		(void)close(listener);
	if (!abstract)
		(void)unlink(addr.sun_path);
	return r;
}

static int make_named_stream(struct probe *p, int ends[2])
{
	return make_named(p, ends, SOCK_STREAM, 0);
}

static int make_abstract_stream(struct probe *p, int ends[2])
{
	return make_named(p, ends, SOCK_STREAM, 1);
}

static int make_abstract_seqpacket(struct probe *p, int ends[2])
{
	return make_named(p, ends, SOCK_SEQPACKET, 1);
}

static int make_named_dgram(struct probe *p, int ends[2])
{
	return make_named(p, ends, SOCK_DGRAM, 0);
}

static ssize_t give_sendmsg(struct probe *p, int fd, const uint8_t *d, size_t n)
{
	struct iovec iov = {(void *)d, n};
	struct msghdr msg = {.msg_iov = &iov, .msg_iovlen = 1};
	ssize_t r = sendmsg(fd, &msg, MSG_NOSIGNAL);

	(void)p;
	return r < 0 ? -errno : r;
}

static ssize_t give_sendmmsg(struct probe *p, int fd, const uint8_t *d,
			     size_t n)
{
	struct iovec iov[2] = {{(void *)d, n / 2},
			       {(void *)(d + n / 2), n - n / 2}};
	struct mmsghdr msgs[2] = {
		{.msg_hdr = {.msg_iov = &iov[0], .msg_iovlen = 1}},
		{.msg_hdr = {.msg_iov = &iov[1], .msg_iovlen = 1}}};
	int from = n < 2, r;

	(void)p;
	r = sendmmsg(fd, msgs + from, (unsigned int)(2 - from), MSG_NOSIGNAL);
	if (r < 0)
		return -errno;
	return r == 2 - from ? (ssize_t)n : (ssize_t)msgs[from].msg_len;
}

static ssize_t take_recvmmsg(struct probe *p, int fd, uint8_t *d, size_t n)
{
	struct iovec iov = {d, n};
	struct mmsghdr msg = {.msg_hdr = {.msg_iov = &iov, .msg_iovlen = 1}};
	int r = recvmmsg(fd, &msg, 1, 0, NULL);

	(void)p;
	if (r < 0)
		return -errno;
	return r ? (ssize_t)msg.msg_len : 0;
}

static ssize_t take_recv(struct probe *p, int fd, uint8_t *d, size_t n)
{
	ssize_t r = recv(fd, d, n, 0);

	(void)p;
	return r < 0 ? -errno : r;
}

/* It looks at them first, and then takes what it has seen. */
static ssize_t take_peek(struct probe *p, int fd, uint8_t *d, size_t n)
{
	ssize_t r = recv(fd, d, n, MSG_PEEK);

	(void)p;
	if (r <= 0)
		return r < 0 ? -errno : 0;
	return recv(fd, d, (size_t)r, 0) < 0 ? -errno : r;
}

/* From the socket into a pipe of its own. */
static ssize_t take_unix_splice(struct probe *p, int fd, uint8_t *d, size_t n)
{
	(void)p;
	return take_by_pipe(fd, d, n, 0);
}

/* ---- the loopback ------------------------------------------------------ */

/* ends[0], which is bound, is connected to by ends[1] at @to. */
static int join_ends(const struct sockaddr *to, socklen_t len, int type,
		     int ends[2])
{
	int listener = ends[0], r;

	if (type == SOCK_STREAM && listen(listener, 1) < 0)
		return -errno;
	if (connect(ends[1], to, len) < 0)
		return -errno;
	if (type != SOCK_STREAM)
		return 0;
	ends[0] = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
	r = ends[0] < 0 ? -errno : 0;
	(void)close(listener);
	return r;
}

/* Two sockets that are connected to each other at @addr, ends[0] the server. */
static int make_ip(struct sockaddr_storage *addr, socklen_t len, int type,
		   int ends[2])
{
	struct sockaddr *sa = (struct sockaddr *)addr;
	int family = addr->ss_family;

	ends[0] = socket(family, type | SOCK_CLOEXEC, 0);
	ends[1] = socket(family, type | SOCK_CLOEXEC, 0);
	if (ends[0] < 0 || ends[1] < 0 || bind(ends[0], sa, len) < 0 ||
	    getsockname(ends[0], sa, &len) < 0)
		return -errno;
	return join_ends(sa, len, type, ends);
}

static int make_v4(uint32_t net_addr, int type, int ends[2])
{
	struct sockaddr_storage addr = {0};
	struct sockaddr_in *in = (struct sockaddr_in *)&addr;

	in->sin_family = AF_INET;
	in->sin_addr.s_addr = net_addr;
	return make_ip(&addr, sizeof(*in), type, ends);
}

static int make_v6(int type, int ends[2])
{
	struct sockaddr_storage addr = {0};
	struct sockaddr_in6 *in = (struct sockaddr_in6 *)&addr;

	in->sin6_family = AF_INET6;
	in->sin6_addr = in6addr_loopback;
	return make_ip(&addr, sizeof(*in), type, ends);
}

static int make_tcp(struct probe *p, int ends[2])
{
	(void)p;
	return make_v4(htonl(INADDR_LOOPBACK), SOCK_STREAM, ends);
}

static int make_udp(struct probe *p, int ends[2])
{
	(void)p;
	return make_v4(htonl(INADDR_LOOPBACK), SOCK_DGRAM, ends);
}

static int make_tcp6(struct probe *p, int ends[2])
{
	(void)p;
	return make_v6(SOCK_STREAM, ends);
}

static int make_udp6(struct probe *p, int ends[2])
{
	(void)p;
	return make_v6(SOCK_DGRAM, ends);
}

/* The host's address on the way to the receiver: it talks to itself. */
static int make_own(struct probe *p, int ends[2], int type)
{
	uint32_t addr;
	int r, ifindex;

	r = net_route(p, &addr, &ifindex);
	return r < 0 ? r : make_v4(addr, type, ends);
}

static int make_tcp_own(struct probe *p, int ends[2])
{
	return make_own(p, ends, SOCK_STREAM);
}

static int make_udp_own(struct probe *p, int ends[2])
{
	return make_own(p, ends, SOCK_DGRAM);
}

/* ---- between networks of the host -------------------------------------- */

/*
 * The suite makes a network with such addresses, and a pair of devices that
 * leads there.
 */
#define BESIDE	      "/run/netns/beside"
#define BESIDE_ADDR   "10.98.0.2"
#define BESIDE_HIDDEN "10.98.0.3"
#define BESIDE_SHOWN  "10.98.0.9" /* for the one before */
#define BESIDE_ADDR6  "fd98:1::2"
#define BESIDE_PORT   7098

static int enter(int netns)
{
	return setns(netns, CLONE_NEWNET) < 0 ? -errno : 0;
}

/* A socket that was made in the other network. */
static int socket_beside(struct probe *p, int family, int type)
{
	int own = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC), fd = -1, r;
	int there = open(BESIDE, O_RDONLY | O_CLOEXEC);

	if (there < 0)
		r = probe_missing(p, "a network beside this one");
	else
		r = own < 0 ? -errno : enter(there);
	if (r == 0) {
		fd = socket(family, type | SOCK_CLOEXEC, 0);
		r = fd < 0 ? -errno : 0;
		if (enter(own) < 0)
			_exit(1); /* nothing would be where it is looked for */
	}
	if (own >= 0)
		(void)close(own);
	if (there >= 0)
		(void)close(there);
	return r < 0 ? r : fd;
}

static socklen_t address_beside(const char *text, struct sockaddr_storage *ret)
{
	struct sockaddr_in6 *in6 = (struct sockaddr_in6 *)ret;
	struct sockaddr_in *in = (struct sockaddr_in *)ret;

	*ret = (struct sockaddr_storage){.ss_family = AF_INET6};
	in6->sin6_port = htons(BESIDE_PORT);
	if (inet_pton(AF_INET6, text, &in6->sin6_addr) == 1)
		return sizeof(*in6);
	*ret = (struct sockaddr_storage){.ss_family = AF_INET};
	in->sin_port = htons(BESIDE_PORT);
	(void)inet_pton(AF_INET, text, &in->sin_addr);
	return sizeof(*in);
}

/*
 * ends[0] is there and the server, at @addr; it is connected to as @as, by
 * @protocol.
 */
static int make_beside(struct probe *p, int type, int protocol,
		       const char *addr, const char *as, int ends[2])
{
	struct sockaddr_storage at, to;
	socklen_t len = address_beside(addr, &at);
	int one = 1;

	(void)address_beside(as, &to);
	ends[0] = socket_beside(p, at.ss_family, type);
	if (ends[0] < 0)
		return ends[0];
	ends[1] = socket(at.ss_family, type | SOCK_CLOEXEC, protocol);
	if (ends[1] < 0 && protocol)
		return probe_missing(p, "MPTCP");
	if (ends[1] < 0 ||
	    setsockopt(ends[0], SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one)) <
		    0 ||
	    bind(ends[0], (struct sockaddr *)&at, len) < 0)
		return -errno;
	return join_ends((struct sockaddr *)&to, len, type, ends);
}

static int swap_ends(int r, int ends[2])
{
	int server = ends[0];

	ends[0] = ends[1];
	ends[1] = server;
	return r;
}

static int make_net_tcp(struct probe *p, int ends[2])
{
	return make_beside(p, SOCK_STREAM, 0, BESIDE_ADDR, BESIDE_ADDR, ends);
}

static int make_net_tcp_back(struct probe *p, int ends[2])
{
	return swap_ends(make_net_tcp(p, ends), ends);
}

static int make_net_tcp6(struct probe *p, int ends[2])
{
	return make_beside(p, SOCK_STREAM, 0, BESIDE_ADDR6, BESIDE_ADDR6, ends);
}

static int make_net_udp(struct probe *p, int ends[2])
{
	return make_beside(p, SOCK_DGRAM, 0, BESIDE_ADDR, BESIDE_ADDR, ends);
}

static int make_net_udp6(struct probe *p, int ends[2])
{
	return make_beside(p, SOCK_DGRAM, 0, BESIDE_ADDR6, BESIDE_ADDR6, ends);
}

static int make_net_nat(struct probe *p, int ends[2])
{
	return make_beside(p, SOCK_STREAM, 0, BESIDE_HIDDEN, BESIDE_SHOWN,
			   ends);
}

static int make_net_nat_back(struct probe *p, int ends[2])
{
	return swap_ends(make_net_nat(p, ends), ends);
}

/* Of MPTCP only the taker knows, so it comes down to TCP. */
static int make_net_mptcp(struct probe *p, int ends[2])
{
	return swap_ends(make_beside(p, SOCK_STREAM, IPPROTO_MPTCP, BESIDE_ADDR,
				     BESIDE_ADDR, ends),
			 ends);
}

static int left_open; /* the giver's end, in the taker */

/* The taker says at once that it has nothing to say. */
static int make_net_closed(struct probe *p, int ends[2])
{
	int r = make_net_tcp_back(p, ends);

	left_open = ends[1];
	return r < 0 || shutdown(ends[0], SHUT_WR) == 0 ? r : -errno;
}

/* And reads when the connection is no more. */
static ssize_t take_closed(struct probe *p, int fd, uint8_t *d, size_t n)
{
	struct pollfd hung_up = {.fd = fd, .events = POLLRDHUP};

	if (left_open >= 0) {
		(void)close(left_open);
		(void)poll(&hung_up, 1, 5000);
		left_open = -1;
	}
	return take_read(p, fd, d, n);
}

/* ---- terminals --------------------------------------------------------- */

/* As they come, without line by line. */
static int make_pty(struct probe *p, int ends[2])
{
	struct termios raw;
	char name[64];

	ends[0] = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);
	if (ends[0] < 0 || unlockpt(ends[0]) < 0 ||
	    ptsname_r(ends[0], name, sizeof(name)) != 0)
		return probe_missing(p, "pseudo terminals");
	ends[1] = open(name, O_RDWR | O_NOCTTY | O_CLOEXEC);
	if (ends[1] < 0 || tcgetattr(ends[1], &raw) < 0)
		return -errno;
	cfmakeraw(&raw);
	return tcsetattr(ends[1], TCSANOW, &raw) < 0 ? -errno : 0;
}

static int make_pty_in(struct probe *p, int ends[2])
{
	int r = make_pty(p, ends), master = ends[0];

	ends[0] = ends[1];
	ends[1] = master;
	return r;
}

/* Both at the master, which hears what it said. */
static int make_pty_echo(struct probe *p, int ends[2])
{
	int r = make_pty(p, ends);
	struct termios raw;

	if (r < 0)
		return r;
	if (tcgetattr(ends[1], &raw) < 0)
		return -errno;
	raw.c_lflag = ECHO;
	if (tcsetattr(ends[1], TCSANOW, &raw) < 0)
		return -errno;
	ends[1] = dup(ends[0]);
	return ends[1] < 0 ? -errno : 0;
}

/* What nobody reads at the slave is in the way of what comes next. */
static ssize_t give_echo(struct probe *p, int fd, const uint8_t *d, size_t n)
{
	ssize_t r = write(fd, d, n < 64 ? n : 64), left = r, got;
	char name[64], waste[64];
	int slave;

	(void)p;
	if (r < 0 || ptsname_r(fd, name, sizeof(name)) != 0)
		return -errno;
	slave = open(name, O_RDWR | O_NOCTTY | O_CLOEXEC);
	if (slave < 0)
		return -errno;
	while (left > 0) {
		got = read(slave, waste, (size_t)left);
		left = got < 0 ? -1 : left - got;
	}
	(void)close(slave);
	return left < 0 ? -EIO : r;
}

/* Both at the slave: as if it had been typed, a byte at a time. */
static int make_pty_typed(struct probe *p, int ends[2])
{
	int r = make_pty(p, ends);

	if (r < 0)
		return r;
	ends[0] = dup(ends[1]);
	return ends[0] < 0 ? -errno : 0;
}

static ssize_t give_typed(struct probe *p, int fd, const uint8_t *d, size_t n)
{
	int waiting = 0;

	(void)n;
	while (ioctl(fd, FIONREAD, &waiting) == 0 && waiting > 2048)
		(void)poll(NULL, 0, 1);
	if (ioctl(fd, TIOCSTI, d) < 0)
		return errno == EIO ? probe_missing(p, "TIOCSTI") : -errno;
	return 1;
}

/* ---- memory ------------------------------------------------------------ */

/* What both of them have mapped. */
struct region {
	volatile uint32_t full; /* bytes that wait to be taken */
	uint8_t data[PIECE];
};

static struct region *region;
static int segment = -1;

static int map_region(int fd, int flags)
{
	void *map = mmap(NULL, sizeof(*region), PROT_READ | PROT_WRITE,
			 MAP_SHARED | flags, fd, 0);

	if (map == MAP_FAILED)
		return -errno;
	region = map;
	return 0;
}

/* By its file, or by the number of the segment, if not by a fork. */
static int have_region(int fd)
{
	void *map;

	if (region)
		return 0;
	if (segment < 0)
		return map_region(fd, 0);
	map = shmat(segment, NULL, 0);
	if (map == (void *)-1)
		return -errno;
	region = map;
	return 0;
}

static int make_anon(struct probe *p, int ends[2])
{
	(void)p;
	(void)ends;
	return map_region(-1, MAP_ANONYMOUS);
}

static int make_zero(struct probe *p, int ends[2])
{
	int fd = open("/dev/zero", O_RDWR | O_CLOEXEC), r;

	(void)p;
	(void)ends;
	if (fd < 0)
		return -errno;
	r = map_region(fd, 0);
	(void)close(fd);
	return r;
}

static int make_mapped(int fd, int ends[2])
{
	if (fd < 0)
		return fd;
	ends[0] = fd;
	ends[1] = fd;
	return ftruncate(fd, sizeof(*region)) < 0 ? -errno : 0;
}

static int make_memfd(struct probe *p, int ends[2])
{
	int fd = memfd_create("hop", MFD_CLOEXEC);

	(void)p;
	return fd < 0 ? -errno : make_mapped(fd, ends);
}

static int make_shm(struct probe *p, int ends[2])
{
	int fd = open("/dev/shm", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);

	return fd < 0 ? probe_missing(p, "/dev/shm") : make_mapped(fd, ends);
}

static int make_file(struct probe *p, int ends[2])
{
	return make_mapped(work_file(p), ends);
}

static int make_sysv(struct probe *p, int ends[2])
{
	(void)ends;
	segment = shmget(IPC_PRIVATE, sizeof(*region), IPC_CREAT | 0600);
	return segment < 0 ? probe_missing(p, "System V segments") : 0;
}

static ssize_t give_memory(struct probe *p, int fd, const uint8_t *d, size_t n)
{
	int r = have_region(fd);

	(void)p;
	if (r < 0)
		return r;
	while (region->full)
		(void)poll(NULL, 0, 1);
	memcpy(region->data, d, n);
	__sync_synchronize();
	region->full = (uint32_t)n;
	return (ssize_t)n;
}

/* 0: nothing is there yet. */
static ssize_t take_memory(struct probe *p, int fd, uint8_t *d, size_t n)
{
	uint32_t full;
	int r = have_region(fd);

	(void)p;
	(void)n;
	if (r < 0)
		return r;
	full = region->full;
	if (!full)
		return 0;
	__sync_synchronize();
	memcpy(d, region->data, full);
	__sync_synchronize();
	region->full = 0;
	return full;
}

/* A vfork(2) child maps what its parent has then. */
static int make_vforked(struct probe *p, int ends[2])
{
	static struct region *volatile mapped;
	pid_t pid;

	(void)p;
	(void)ends;
	pid = vfork();
	if (pid == 0) {
		mapped = mmap(NULL, sizeof(*mapped), PROT_READ | PROT_WRITE,
			      MAP_SHARED | MAP_ANONYMOUS, -1, 0);
		_exit(0);
	}
	if (pid < 0 || waitpid(pid, NULL, 0) < 0)
		return -errno;
	region = mapped;
	return region == MAP_FAILED ? -ENOMEM : 0;
}

/* ---- message queues ---------------------------------------------------- */

struct letter {
	long type;
	uint8_t text[PIECE];
};

static int make_msg(struct probe *p, int ends[2])
{
	(void)ends;
	segment = msgget(IPC_PRIVATE, IPC_CREAT | 0666);
	return segment < 0 ? probe_missing(p, "System V queues") : 0;
}

static ssize_t give_msg(struct probe *p, int fd, const uint8_t *d, size_t n)
{
	struct letter letter = {.type = 1};

	(void)p;
	(void)fd;
	memcpy(letter.text, d, n);
	return msgsnd(segment, &letter, n, 0) < 0 ? -errno : (ssize_t)n;
}

static ssize_t take_msg(struct probe *p, int fd, uint8_t *d, size_t n)
{
	int late = !!p->data.len; /* the first one is waited for */
	struct letter letter;
	ssize_t r;

	(void)fd;
	r = msgrcv(segment, &letter, n, 0, late ? IPC_NOWAIT : 0);
	if (r < 0)
		return errno == ENOMSG ? 0 : -errno;
	memcpy(d, letter.text, (size_t)r);
	return r;
}

static int make_mq(struct probe *p, int ends[2])
{
	struct mq_attr attr = {.mq_maxmsg = 4, .mq_msgsize = PIECE};
	char name[64];

	(void)snprintf(name, sizeof(name), "/hop-%d", (int)getpid());
	ends[0] = mq_open(name, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600,
			  &attr);
	if (ends[0] < 0)
		return probe_missing(p, "POSIX queues");
	ends[1] = ends[0];
	return mq_unlink(name) < 0 ? -errno : 0;
}

static ssize_t give_mq(struct probe *p, int fd, const uint8_t *d, size_t n)
{
	(void)p;
	return mq_send(fd, (const char *)d, n, 0) < 0 ? -errno : (ssize_t)n;
}

static ssize_t take_mq(struct probe *p, int fd, uint8_t *d, size_t n)
{
	ssize_t r = mq_receive(fd, (char *)d, n, NULL);

	(void)p;
	return r < 0 ? -errno : r;
}

/* ---- another's memory -------------------------------------------------- */

static struct region own; /* at the same place in giver and taker */

static int make_own_region(struct probe *p, int ends[2])
{
	(void)p;
	(void)ends;
	region = &own;
	own.full = 0;
	return 0;
}

/* The taker goes to the giver's memory for it. */
static ssize_t take_by_vm(struct probe *p, int fd, uint8_t *d, size_t n)
{
	struct iovec here = {&own, sizeof(own)}, there = here;
	uint32_t none = 0;
	size_t full;

	(void)fd;
	if (process_vm_readv(p->giver, &here, 1, &there, 1, 0) < 0)
		return errno == ESRCH ? 0 : -errno;
	full = own.full < n ? own.full : n;
	memcpy(d, own.data, full);
	here = (struct iovec){&none, sizeof(none)};
	there.iov_len = sizeof(none);
	if (full && process_vm_writev(p->giver, &here, 1, &there, 1, 0) < 0)
		return -errno;
	return (ssize_t)full;
}

/* The giver puts it into the taker's. */
static ssize_t give_by_vm(struct probe *p, int fd, const uint8_t *d, size_t n)
{
	struct iovec here = {&own, sizeof(own)}, there = here;

	(void)p;
	(void)fd;
	do {
		if (process_vm_readv(getppid(), &here, 1, &there, 1, 0) < 0)
			return -errno;
		(void)poll(NULL, 0, own.full ? 1 : 0);
	} while (own.full);
	memcpy(own.data, d, n);
	own.full = (uint32_t)n;
	/* Whoever sees that it is full takes what is behind. */
	here = (struct iovec){own.data, n};
	there = here;
	if (process_vm_writev(getppid(), &here, 1, &there, 1, 0) < 0)
		return -errno;
	here = (struct iovec){(void *)&own.full, sizeof(own.full)};
	there = here;
	if (process_vm_writev(getppid(), &here, 1, &there, 1, 0) < 0)
		return -errno;
	own.full = 0; /* ours */
	return (ssize_t)n;
}

/* The taker hands its own memory down, which asks nobody whether it may. */
static int make_own_mem(struct probe *p, int ends[2])
{
	int r = make_own_region(p, ends);

	ends[1] = open("/proc/self/mem", O_RDWR | O_CLOEXEC);
	return ends[1] < 0 ? -errno : r;
}

static ssize_t give_by_own_mem(struct probe *p, int fd, const uint8_t *d,
			       size_t n)
{
	off_t there = (off_t)(uintptr_t)&own;

	(void)p;
	do {
		if (pread(fd, &own, sizeof(own), there) < 0)
			return -errno;
		(void)poll(NULL, 0, own.full ? 1 : 0);
	} while (own.full);
	memcpy(own.data, d, n);
	own.full = (uint32_t)n;
	/* As give_by_vm(). */
	if (pwrite(fd, own.data, n, (off_t)(uintptr_t)own.data) < 0 ||
	    pwrite(fd, (void *)&own.full, sizeof(own.full), there) < 0)
		return -errno;
	own.full = 0; /* ours */
	return (ssize_t)n;
}

/* By a file that was opened before anything was read. */
static ssize_t take_by_mem(struct probe *p, int fd, uint8_t *d, size_t n)
{
	static int mem = -1;
	char name[64];
	uint32_t none = 0;
	size_t full;

	(void)fd;
	if (mem < 0) {
		(void)snprintf(name, sizeof(name), "/proc/%d/mem",
			       (int)p->giver);
		mem = open(name, O_RDWR | O_CLOEXEC);
		if (mem < 0)
			return -errno;
	}
	if (pread(mem, &own, sizeof(own), (off_t)(uintptr_t)&own) <= 0)
		return 0;
	full = own.full < n ? own.full : n;
	memcpy(d, own.data, full);
	if (full &&
	    pwrite(mem, &none, sizeof(none), (off_t)(uintptr_t)&own) < 0)
		return -errno;
	return (ssize_t)full;
}

/* A word at a time, of a giver that is stopped meanwhile. */
static ssize_t take_by_ptrace(struct probe *p, int fd, uint8_t *d, size_t n)
{
	size_t full = 0;
	int status;
	long word;

	(void)fd;
	if (!p->giver)
		return 0;
	/* Of one that has ended it is not allowed. */
	if (ptrace(PTRACE_ATTACH, p->giver, NULL, NULL) < 0)
		return errno == ESRCH || errno == EPERM ? 0 : -errno;
	if (waitpid(p->giver, &status, __WALL) < 0)
		return -errno;
	if (!WIFSTOPPED(status)) {
		p->giver = 0; /* ended meanwhile */
		return 0;
	}
	word = ptrace(PTRACE_PEEKDATA, p->giver, &own.full, NULL);
	full = (uint32_t)word < n ? (uint32_t)word : n;
	for (size_t i = 0; i < full; i += sizeof(word)) {
		word = ptrace(PTRACE_PEEKDATA, p->giver, own.data + i, NULL);
		memcpy(d + i, &word, full - i < 8 ? full - i : 8);
	}
	if (full) {
		word = ptrace(PTRACE_PEEKDATA, p->giver, &own.full, NULL);
		word &= ~0xffffffffL;
		(void)ptrace(PTRACE_POKEDATA, p->giver, &own.full, word);
	}
	(void)ptrace(PTRACE_DETACH, p->giver, NULL, NULL);
	return (ssize_t)full;
}

/* ---- the table --------------------------------------------------------- */

const struct hop hops[] = {
	{"pipe", "write(2), read(2)", make_pipe, give_write, take_read, 0, 0},
	{"pipe-late", "read when the giver has ended", make_pipe, give_write,
	 take_read, HOP_LATE, 0},
	{"pipe-v", "writev(2), readv(2)", make_pipe, give_writev, take_readv, 0,
	 0},
	{"fifo", "a pipe with a name", make_fifo, give_write, take_read, 0, 0},
	{"pipe-reopened", "by /proc/self/fd", make_pipe, give_write,
	 take_reopened, 0, 0},
	{"pipe-splice", "the taker splices to a pipe of its own", make_pipe,
	 give_write, take_splice, 0, 0},
	{"pipe-splice-file", "to a file of its own", make_pipe, give_write,
	 take_splice_file, 0, 0},
	{"pipe-tee", "it copies to a pipe of its own", make_pipe, give_write,
	 take_tee, 0, 0},
	{"pipe-vmsplice", "the giver's pages", make_pipe, give_vmsplice,
	 take_read, 0, 0},
	{"pipe-vmspliced", "vmsplice(2) into the taker's memory", make_pipe,
	 give_write, take_vmsplice, 0, 0},
	{"pipe-from-file", "the giver splices the file", make_pipe, NULL,
	 take_read, 0, give_splice_file},
	{"pipe-sendfile", "the giver sends the file", make_pipe, NULL,
	 take_read, 0, give_sendfile},
	{"pipe-relay", "a third process passes it on", make_pipe, give_write,
	 take_read, HOP_RELAY, 0},
	{"pipe-relay-tee", "and copies it only", make_pipe, give_write,
	 take_read, HOP_RELAY | HOP_TEE, 0},
	{"unix-stream", "socketpair(2)", make_stream, give_write, take_read, 0,
	 0},
	{"unix-late", "read when the giver has ended", make_stream, give_write,
	 take_read, HOP_LATE, 0},
	{"unix-named", "a stream by a name", make_named_stream, give_sendmsg,
	 take_recv, 0, 0},
	{"unix-abstract", "by one that is no file", make_abstract_stream,
	 give_sendmsg, take_recv, 0, 0},
	{"unix-peek", "MSG_PEEK", make_stream, give_write, take_peek, 0, 0},
	{"unix-splice", "the taker splices to a pipe", make_stream, give_write,
	 take_unix_splice, 0, 0},
	{"unix-sendfile", "the giver sends the file", make_stream, NULL,
	 take_read, 0, give_sendfile},
	{"unix-dgram", "datagrams", make_dgram, give_write, take_recv, 0, 0},
	{"unix-dgram-named", "to a name", make_named_dgram, give_sendmsg,
	 take_recv, 0, 0},
	{"unix-mmsg", "sendmmsg(2), recvmmsg(2)", make_dgram, give_sendmmsg,
	 take_recvmmsg, 0, 0},
	{"unix-seqpacket", "records", make_seqpacket, give_write, take_read, 0,
	 0},
	{"unix-seqpacket-named", "to a name", make_abstract_seqpacket,
	 give_sendmsg, take_recv, 0, 0},
	{"tcp", "127.0.0.1", make_tcp, give_write, take_read, 0, 0},
	{"tcp-late", "read when the giver has ended", make_tcp, give_write,
	 take_read, HOP_LATE, 0},
	{"tcp6", "::1", make_tcp6, give_sendmsg, take_recv, 0, 0},
	{"tcp-own", "an address of the host", make_tcp_own, give_write,
	 take_read, 0, 0},
	{"tcp-peek", "MSG_PEEK", make_tcp, give_write, take_peek, 0, 0},
	{"tcp-splice", "the taker splices to a pipe", make_tcp, give_write,
	 take_unix_splice, 0, 0},
	{"tcp-sendfile", "the giver sends the file", make_tcp, NULL, take_read,
	 0, give_sendfile},
	{"udp", "127.0.0.1", make_udp, give_write, take_read, 0, 0},
	{"udp-late", "read when the giver has ended", make_udp, give_write,
	 take_read, HOP_LATE, 0},
	{"udp-mmsg", "sendmmsg(2), recvmmsg(2)", make_udp, give_sendmmsg,
	 take_recvmmsg, 0, 0},
	{"udp6", "::1", make_udp6, give_sendmsg, take_recv, 0, 0},
	{"udp-own", "an address of the host", make_udp_own, give_write,
	 take_read, 0, 0},
	{"net-tcp", "to another network of the host", make_net_tcp, give_write,
	 take_read, 0, 0},
	{"net-tcp-late", "read when the giver has ended", make_net_tcp,
	 give_write, take_read, HOP_LATE, 0},
	{"net-tcp-back", "by who was connected to", make_net_tcp_back,
	 give_write, take_read, 0, 0},
	{"net-tcp-closed", "read when the connection is no more",
	 make_net_closed, give_write, take_closed, HOP_LATE, 0},
	{"net-mptcp", "the taker asked for MPTCP", make_net_mptcp, give_write,
	 take_read, 0, 0},
	{"net-sendfile", "the giver sends the file", make_net_tcp, NULL,
	 take_read, 0, give_sendfile},
	{"net-tcp6", "the same by IPv6", make_net_tcp6, give_sendmsg, take_recv,
	 0, 0},
	{"net-splice", "the taker splices to a pipe", make_net_tcp, give_write,
	 take_unix_splice, 0, 0},
	{"net-udp", "datagrams", make_net_udp, give_write, take_read, 0, 0},
	{"net-udp-late", "read when the giver has ended", make_net_udp,
	 give_write, take_read, HOP_LATE, 0},
	{"net-udp6", "the same by IPv6", make_net_udp6, give_sendmsg, take_recv,
	 0, 0},
	{"net-nat", "to an address that is translated", make_net_nat,
	 give_write, take_read, 0, 0},
	{"net-nat-back", "by who was connected to that way", make_net_nat_back,
	 give_write, take_read, 0, 0},
	{"uring-message", "IORING_OP_MSG_RING", make_messages, give_message,
	 take_message, HOP_MEMORY, 0},
	{"uring-sync-message", "IORING_REGISTER_SEND_MSG_RING",
	 make_sync_messages, give_sync_message, take_message, HOP_MEMORY, 0},
	{"pty", "written at the slave", make_pty, give_write, take_read, 0, 0},
	{"pty-in", "written at the master", make_pty_in, give_write, take_read,
	 0, 0},
	{"pty-echo", "the master hears itself", make_pty_echo, give_echo,
	 take_read, 0, 0},
	{"pty-typed", "TIOCSTI", make_pty_typed, give_typed, take_read, 0, 0},
	{"shm-anon", "mapped before the fork", make_anon, give_memory,
	 take_memory, HOP_MEMORY, 0},
	{"shm-vfork", "mapped by a vfork(2) child", make_vforked, give_memory,
	 take_memory, HOP_MEMORY, 0},
	{"shm-zero", "/dev/zero, likewise", make_zero, give_memory, take_memory,
	 HOP_MEMORY, 0},
	{"shm-memfd", "each maps it on its own", make_memfd, give_memory,
	 take_memory, HOP_MEMORY, 0},
	{"shm-posix", "a file in /dev/shm", make_shm, give_memory, take_memory,
	 HOP_MEMORY, 0},
	{"shm-sysv", "shmat(2)", make_sysv, give_memory, take_memory,
	 HOP_MEMORY, 0},
	{"shm-file", "a file on a disk", make_file, give_memory, take_memory,
	 HOP_MEMORY, 0},
	{"msg-sysv", "msgsnd(2), msgrcv(2)", make_msg, give_msg, take_msg,
	 HOP_MEMORY, 0},
	{"msg-posix", "mq_send(3), mq_receive(3)", make_mq, give_mq, take_mq, 0,
	 0},
	{"vm-readv", "out of the giver's memory", make_own_region, give_memory,
	 take_by_vm, HOP_MEMORY, 0},
	{"vm-writev", "into the taker's memory", make_own_region, give_by_vm,
	 take_memory, HOP_MEMORY, 0},
	{"proc-mem", "/proc/PID/mem, opened before", make_own_region,
	 give_memory, take_by_mem, HOP_MEMORY, 0},
	{"proc-mem-own", "/proc/self/mem of the taker, handed down",
	 make_own_mem, give_by_own_mem, take_memory, HOP_MEMORY, 0},
	{"ptrace", "PTRACE_PEEKDATA", make_own_region, give_memory,
	 take_by_ptrace, HOP_MEMORY, 0},
	{"key", "KEYCTL_UPDATE, KEYCTL_READ", make_key, give_key, take_key,
	 HOP_MEMORY, 0},
	{"key-new", "add_key(2), found in a ring", make_new_key, give_new_key,
	 take_new_key, HOP_MEMORY, 0},
	{"sem-all", "semctl(2), SETALL and GETALL", make_semaphores,
	 give_semctl, take_semaphores, HOP_MEMORY, 0},
	{"sem-op", "semop(2)", make_few_semaphores, give_semop, take_semaphores,
	 HOP_MEMORY, 0},
	{"signal", "rt_sigqueueinfo(2)", make_signals, give_signal, take_signal,
	 HOP_MEMORY, 0},
	{"userfault", "UFFDIO_COPY into the taker's memory", make_userfault,
	 give_userfault, take_userfault, HOP_MEMORY, 0},
	{"listener", "registers, told to a supervisor", make_listener,
	 give_call, take_call, HOP_MEMORY, 0},
	{0},
};

/* ---- processes --------------------------------------------------------- */

/* Pairs of a count and a byte. */
static int squeeze(struct bytes *b)
{
	uint8_t *out = malloc(2 * b->len + 2);
	size_t n = 0;

	if (!out)
		return -ENOMEM;
	for (size_t i = 0; i < b->len; n += 2) {
		size_t run = 1;

		while (run < 255 && i + run < b->len &&
		       b->p[i + run] == b->p[i])
			run++;
		out[n] = (uint8_t)run;
		out[n + 1] = b->p[i];
		i += run;
	}
	free(b->p);
	b->p = out;
	b->cap = 2 * b->len + 2;
	b->len = n;
	return 0;
}

static int expand(struct probe *p)
{
	struct bytes in = p->data;
	int r = 0;

	p->data = (struct bytes){0};
	for (size_t i = 0; i + 1 < in.len && r == 0; i += 2) {
		uint8_t *room = probe_room(p, in.p[i]);

		if (!room) {
			r = -ENOMEM;
			break;
		}
		memset(room, in.p[i + 1], in.p[i]);
		p->data.len += in.p[i];
	}
	free(in.p);
	return r;
}

/* A byte there and a byte back, again and again. */
static int go_round(int fd, unsigned long rounds, int first)
{
	char byte = 'r';

	for (unsigned long i = 0; i < 2 * rounds; i++) {
		ssize_t n = (i % 2 == 0) == (first != 0) ? write(fd, &byte, 1)
							 : read(fd, &byte, 1);

		if (n != 1)
			return n < 0 ? -errno : -EIO;
	}
	return 0;
}

static int give_all(struct probe *p, int fd)
{
	const struct hop *hop = p->hop;
	size_t done = 0;

	if (hop->give_file && strcmp(p->read->name, "none") != 0)
		return probe_each_file(p, hop->give_file, &fd);
	while (done < p->data.len) {
		size_t n = p->data.len - done;
		ssize_t r;

		r = (hop->give ? hop->give : give_write)(
			p, fd, p->data.p + done, n < PIECE ? n : PIECE);
		if (r < 0)
			return (int)r;
		done += (size_t)r;
	}
	/* What is in this process ends with it. */
	while (region == &own && own.full && getppid() != 1)
		(void)poll(NULL, 0, 1);
	return 0;
}

static _Noreturn void be_giver(struct probe *p, int fd, int rounds,
			       unsigned long number)
{
	size_t first = p->nfiles * number / p->givers;
	size_t end = p->nfiles * (number + 1) / p->givers;
	int r;

	p->files += first;
	p->nfiles = end - first;
	p->data.len = 0; /* what others gave */
	if (p->giver_uid >= 0 && setuid((uid_t)p->giver_uid) < 0)
		_exit(errno & 0xff);
	if (!p->hop->give_file)
		stage_read(p);
	r = p->errno_read ? -p->errno_read : -p->errno_open;
	if (r == 0)
		r = stage_cut(p);
	if (r == 0 && p->squeeze)
		r = squeeze(&p->data);
	if (r == 0)
		r = go_round(rounds, p->rounds, 1);
	if (r == 0)
		r = give_all(p, fd);
	_exit(-r & 0xff);
}

/* Passes on what comes until there is nobody who could give more. */
static _Noreturn void be_relay(const struct probe *p, int from, int to)
{
	int null = open("/dev/null", O_WRONLY | O_CLOEXEC);
	static uint8_t buf[PIECE];
	ssize_t n;

	do {
		if (p->hop->flags & HOP_KEPT) {
			n = splice(from, NULL, to, NULL, PIECE, 0);
			continue;
		}
		if (!(p->hop->flags & HOP_TEE)) {
			n = read(from, buf, sizeof(buf));
			if (n > 0 && write(to, buf, (size_t)n) != n)
				n = -1;
			continue;
		}
		n = tee(from, to, PIECE, 0);
		if (n > 0 && splice(from, NULL, null, NULL, (size_t)n, 0) != n)
			n = -1;
	} while (n > 0);
	_exit(n < 0 ? errno & 0xff : 0);
}

static int take_some(struct probe *p, int fd)
{
	uint8_t *room = probe_room(p, PIECE);
	ssize_t n;

	if (!room)
		return -ENOMEM;
	n = p->hop->take(p, fd, room, PIECE);
	if (n > 0)
		probe_took(p, (size_t)n);
	return (int)n;
}

/* All that comes until @pid has ended. Waits in the first take itself. */
static int take_all(struct probe *p, int fd, pid_t pid)
{
	int ended = (int)syscall(SYS_pidfd_open, pid, 0), r = 1;
	struct pollfd of[2] = {{.fd = ended, .events = POLLIN},
			       {.fd = fd, .events = POLLIN}};

	if (ended < 0)
		return -errno;
	/* Nothing yet is not the end; nothing after the end is. */
	if (p->hop->flags & HOP_MEMORY) {
		int over = 0;

		while (r >= 0 && (r > 0 || !over)) {
			over = poll(of, 1, r > 0 ? 0 : 1) > 0;
			r = take_some(p, fd);
		}
		(void)close(ended);
		return r;
	}
	if (p->hop->flags & HOP_LATE) {
		(void)poll(of, 1, -1);
		(void)poll(NULL, 0, (int)p->pause_ms);
	} else {
		r = take_some(p, fd);
	}
	while (r > 0) {
		if (poll(of, 2, -1) < 0 && errno != EINTR)
			r = -errno;
		else if (of[1].revents & POLLIN)
			r = take_some(p, fd);
		else if (of[0].revents || of[1].revents)
			break;
	}
	(void)close(ended);
	return r < 0 ? r : 0;
}

static void ended(struct probe *p, pid_t pid)
{
	int status;

	if (waitpid(pid, &status, 0) < 0)
		p->errno_read = errno;
	else if (WIFSIGNALED(status))
		p->errno_read = EINTR;
	else if (WEXITSTATUS(status) && !p->errno_read)
		p->errno_read = WEXITSTATUS(status);
}

/* One giver, or more, one after another; @ends as make() left them. */
static int take_from(struct probe *p, int ends[2], unsigned long number)
{
	int rounds[2] = {-1, -1}, beyond[2] = {-1, -1}, from = ends[0], r = 0;
	pid_t relay = -1, giver;

	if (p->rounds && socketpair(AF_UNIX, SOCK_STREAM, 0, rounds) < 0)
		return -errno;
	if (p->hop->flags & HOP_RELAY) {
		if (p->hop->flags & HOP_KEPT)
			r = files[0].make(p, beyond);
		else if (pipe2(beyond, O_CLOEXEC) < 0)
			r = -errno;
		if (r < 0)
			return r;
		from = beyond[0];
		relay = fork();
		if (relay == 0) {
			(void)close(ends[1]);
			be_relay(p, ends[0], beyond[1]);
		}
	}
	giver = fork();
	if (giver == 0)
		be_giver(p, ends[1], rounds[1], number);
	if (giver < 0)
		return -errno;
	p->giver = giver;
	if (relay > 0)
		(void)close(ends[1]); /* or the relay would never end */
	r = go_round(rounds[0], p->rounds, 0);
	if (r == 0)
		r = take_all(p, from, relay > 0 ? relay : giver);
	if (p->giver)
		ended(p, giver);
	if (relay > 0)
		ended(p, relay);
	for (int i = 0; i < 2; i++) {
		if (rounds[i] >= 0)
			(void)close(rounds[i]);
		if (beyond[i] >= 0)
			(void)close(beyond[i]);
	}
	return r;
}

int probe_hop(struct probe *p)
{
	int ends[2] = {-1, -1}, r = 0;

	for (unsigned long i = 0; i < p->givers && r >= 0; i++) {
		if (i == 0 || p->apart)
			r = p->hop->make(p, ends);
		if (r >= 0)
			r = take_from(p, ends, i);
	}
	if (r == 0 && p->squeeze)
		r = expand(p);
	if (r < 0 && !p->errno_read)
		p->errno_read = -r;
	p->send_bytes_set = false; /* it was the giver's */
	stage_send(p);
	if (segment >= 0)
		(void)(shmctl(segment, IPC_RMID, NULL) &&
		       msgctl(segment, IPC_RMID, NULL));
	end_semaphores();
	return probe_report(p);
}

/*
 * So many pairs of short processes, one after another, of which the first
 * gives to the second what it read of @file. The exit code.
 */
int probe_hop_crowd(const char *count, const char *file)
{
	unsigned long n = strtoul(count, NULL, 10);

	for (unsigned long i = 0; i < n; i++) {
		int ends[2], fd, status;
		pid_t pid = fork();
		char buf[PIECE];

		if (pid == 0) {
			if (pipe2(ends, O_CLOEXEC) < 0)
				_exit(1);
			if (fork() == 0) {
				fd = open(file, O_RDONLY | O_CLOEXEC);
				if (read(fd, buf, sizeof(buf)) <= 0 ||
				    write(ends[1], buf, 100) != 100)
					_exit(1);
				_exit(0);
			}
			_exit(read(ends[0], buf, sizeof(buf)) != 100);
		}
		if (pid < 0 || waitpid(pid, &status, 0) < 0 || status)
			return PROBE_OTHER_ERROR;
	}
	return PROBE_ALLOWED;
}
