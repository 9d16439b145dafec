// SPDX-License-Identifier: GPL-2.0-only
/*
 * sink: receives what the probe releases and counts it.
 *
 *	sink --port P [--socket PATH [--quiet MS [--wire ADDR]]]
 *		listens until SIGTERM or "stop"; answers when nothing came for
 *		MS (50) milliseconds, and when an echo has come back from ADDR,
 *		behind what that has sent before
 *	sink --query PATH [WORDS]	asks a listening sink; WORDS is one of
 *		totals (default), ids, reset, stop, "pull ADDR PORT"; or "-":
 *		asks each line of standard input
 *	sink --pull ADDR PORT		connects, reads to the end, prints
 *	sink --count <DATA		counts what was received by other ways
 *
 * SIGUSR1 prints the totals on standard output.
 */
#include "clock.h"
#include "sink_count.h"
#include "wire.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/dccp.h>
#include <linux/filter.h>
#include <linux/if_packet.h>
#include <linux/tls.h>
#include <linux/vm_sockets.h>
#include <netinet/icmp6.h>
#include <netinet/in.h>
#include <netinet/ip.h>
#include <netinet/ip_icmp.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/signalfd.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#define BUFFER_BYTES   (256u << 10)
#define RECEIVE_BUFFER (64 << 20)
#define BACKLOG	       1024
#define QUIET_MS       50 /* nothing for so long: all has arrived */
#define QUIET_MAX_MS   1000
/* linux/icmp.h, beside which netinet/ip_icmp.h cannot be */
#define ICMP_FILTER 1

#define ANSWER_MS    3000 /* answer then at the latest */
#define PULL_TRY_MS  50
#define PULL_WAIT_MS 10000
#define PATH_BYTES   108

#ifndef IPPROTO_MPTCP
#	define IPPROTO_MPTCP 262
#endif
#ifndef IPPROTO_UDPLITE
#	define IPPROTO_UDPLITE 136
#endif
#ifndef TCP_ULP
#	define TCP_ULP 31
#endif
#ifndef SOL_TLS
#	define SOL_TLS 282
#endif
#ifndef SOL_DCCP
#	define SOL_DCCP 269
#endif

struct sink;

/* One descriptor that epoll watches. */
struct source {
	int fd;
	enum protocol protocol;
	void (*ready)(struct sink *s, struct source *src);
	/* What an accepted connection does first, or NULL. */
	void (*greet)(struct sink *s, int fd);
	struct record_scan scan;
	char text[PATH_BYTES]; /* a question, as far as it came */
	size_t text_len;
};

struct sink {
	int epoll;
	uint16_t port;
	bool stop;
	struct counts counts;
	struct source *asking; /* waits for its answer, or NULL */
	int64_t asked_ms;
	int quiet_ms;
	int wire;      /* for echoes; -1: there is nobody to ask */
	uint16_t echo; /* number of the last one */
	bool echoed;   /* it has come back, or was not sent */
	char buf[BUFFER_BYTES];
};

static void pause_ms(long ms)
{
	struct timespec t = {ms / 1000, ms % 1000 * 1000000};

	(void)nanosleep(&t, NULL);
}

static int watch_for(struct sink *s, uint32_t events, int fd,
		     enum protocol protocol,
		     void (*ready)(struct sink *s, struct source *src),
		     void (*greet)(struct sink *s, int fd))
{
	struct source *src = calloc(1, sizeof(*src));
	struct epoll_event ev = {.events = events, .data.ptr = src};

	if (!src)
		return -ENOMEM;
	src->fd = fd;
	src->protocol = protocol;
	src->ready = ready;
	src->greet = greet;
	if (epoll_ctl(s->epoll, EPOLL_CTL_ADD, fd, &ev) < 0) {
		int r = -errno;

		free(src);
		return r;
	}
	return 0;
}

static int watch(struct sink *s, int fd, enum protocol protocol,
		 void (*ready)(struct sink *s, struct source *src),
		 void (*greet)(struct sink *s, int fd))
{
	return watch_for(s, EPOLLIN, fd, protocol, ready, greet);
}

static void forget(struct source *src)
{
	(void)close(src->fd); /* leaves epoll with it */
	free(src);
}

/* ---- streams ---- */

static void on_stream(struct sink *s, struct source *src)
{
	ssize_t n;

	for (;;) {
		n = recv(src->fd, s->buf, sizeof(s->buf), MSG_DONTWAIT);
		if (n > 0)
			counts_stream(&s->counts, src->protocol, &src->scan,
				      s->buf, (size_t)n);
		else if (n == 0 || errno != EINTR)
			break;
	}
	if (n == 0 || errno != EAGAIN)
		forget(src);
}

/*
 * Told once for what comes: half a TLS record that is never ended is always
 * ready, and never gives anything.
 */
static int watch_stream(struct sink *s, int fd, enum protocol protocol)
{
	return watch_for(s, EPOLLIN | EPOLLET, fd, protocol, on_stream, NULL);
}

static void on_listener(struct sink *s, struct source *src)
{
	int one = 1, fd;

	fd = accept4(src->fd, NULL, NULL, SOCK_CLOEXEC);
	if (fd < 0)
		return;
	s->counts.connections++;
	/* Urgent bytes are bytes too. */
	(void)setsockopt(fd, SOL_SOCKET, SO_OOBINLINE, &one, sizeof(one));
	if (src->greet)
		src->greet(s, fd);
	if (watch_stream(s, fd, src->protocol) < 0)
		(void)close(fd);
}

static int set_port(struct sockaddr_storage *a, uint16_t port)
{
	if (a->ss_family == AF_INET6) {
		((struct sockaddr_in6 *)a)->sin6_port = htons(port);
		return sizeof(struct sockaddr_in6);
	}
	((struct sockaddr_in *)a)->sin_port = htons(port);
	return sizeof(struct sockaddr_in);
}

static int pull_from(struct sink *s, struct sockaddr_storage *peer,
		     uint16_t port)
{
	struct timeval limit = {.tv_sec = 3};
	int len = set_port(peer, port), fd, r;

	fd = socket(peer->ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -errno;
	(void)setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit));
	if (connect(fd, (struct sockaddr *)peer, (socklen_t)len) < 0)
		r = -errno;
	else
		r = watch_stream(s, fd, P_TCP);
	if (r < 0)
		(void)close(fd);
	return r;
}

static void greet_knock(struct sink *s, int fd)
{
	struct sockaddr_storage peer = {0};
	socklen_t len = sizeof(peer);

	if (getpeername(fd, (struct sockaddr *)&peer, &len) == 0)
		(void)pull_from(s, &peer, (uint16_t)(s->port + WIRE_PULL));
}

/* Without kernel TLS the wire's bytes are counted instead of the plain ones. */
static void greet_tls(struct sink *s, int fd)
{
	struct tls12_crypto_info_aes_gcm_128 keys = {
		.info.version = TLS_1_2_VERSION,
		.info.cipher_type = TLS_CIPHER_AES_GCM_128,
	};

	(void)s;
	memcpy(keys.key, WIRE_TLS_KEY, sizeof(keys.key));
	memcpy(keys.iv, WIRE_TLS_IV, sizeof(keys.iv));
	memcpy(keys.salt, WIRE_TLS_SALT, sizeof(keys.salt));
	memcpy(keys.rec_seq, WIRE_TLS_SEQ, sizeof(keys.rec_seq));
	if (setsockopt(fd, IPPROTO_TCP, TCP_ULP, "tls", sizeof("tls")) == 0)
		(void)setsockopt(fd, SOL_TLS, TLS_RX, &keys, sizeof(keys));
	(void)send(fd, "R", 1, MSG_NOSIGNAL);
}

/* ---- datagrams ---- */

static ssize_t receive(struct sink *s, int fd, struct sockaddr_storage *from)
{
	socklen_t len = sizeof(*from);

	memset(from, 0, sizeof(*from));
	return recvfrom(fd, s->buf, sizeof(s->buf), MSG_DONTWAIT,
			(struct sockaddr *)from, &len);
}

static void on_datagram(struct sink *s, struct source *src)
{
	struct sockaddr_storage from;
	ssize_t n;

	while ((n = receive(s, src->fd, &from)) >= 0)
		counts_datagram(&s->counts, src->protocol, &from, s->buf,
				(size_t)n);
}

/* Length of the IPv4 header in front of n bytes, or n when there is none. */
static size_t ip_header(const char *packet, size_t n)
{
	size_t len;

	if (n < sizeof(struct iphdr))
		return n;
	len = (size_t)((const struct iphdr *)packet)->ihl * 4;
	return len < n ? len : n;
}

static void on_raw(struct sink *s, struct source *src)
{
	struct sockaddr_storage from;
	ssize_t n;

	while ((n = receive(s, src->fd, &from)) >= 0) {
		size_t head = ip_header(s->buf, (size_t)n);

		counts_datagram(&s->counts, P_RAW, &from, s->buf + head,
				(size_t)n - head);
	}
}

/* The byte in a header field, if the field says that there is one. */
static void count_covert(struct sink *s, const struct sockaddr_storage *from,
			 uint16_t base, uint16_t field)
{
	uint8_t byte = (uint8_t)(field - base);

	if (field >= base && field - base <= UINT8_MAX)
		counts_datagram(&s->counts, P_COVERT, from, &byte, 1);
}

/* What a SYN has in a list of addresses among its options. */
static void count_option(struct sink *s, const struct sockaddr_storage *from,
			 size_t head)
{
	const uint8_t *option = (const uint8_t *)s->buf + sizeof(struct iphdr);

	if (head >= sizeof(struct iphdr) + 3 + WIRE_OPTION_BYTES &&
	    option[0] == IPOPT_RR)
		counts_datagram(&s->counts, P_COVERT, from, option + 3,
				WIRE_OPTION_BYTES);
}

/* Empty datagrams and SYNs; their port is at the same place. */
static void on_covert(struct sink *s, struct source *src)
{
	struct sockaddr_storage from;
	ssize_t n;

	while ((n = receive(s, src->fd, &from)) >= 0) {
		size_t head = ip_header(s->buf, (size_t)n);
		uint16_t port;

		if ((size_t)n - head < 4)
			continue;
		memcpy(&port, s->buf + head + 2, sizeof(port));
		if (ntohs(port) == WIRE_OPTION_PORT)
			count_option(s, &from, head);
		count_covert(s, &from, WIRE_COVERT_PORT, ntohs(port));
	}
}

static void on_icmp6(struct sink *s, struct source *src)
{
	const struct icmphdr *icmp = (void *)s->buf; /* of the same form */
	struct sockaddr_storage from;
	ssize_t n;

	while ((n = receive(s, src->fd, &from)) >= 0)
		if ((size_t)n >= sizeof(*icmp) &&
		    icmp->type == ICMP6_ECHO_REQUEST)
			counts_datagram(&s->counts, P_ICMP, &from,
					s->buf + sizeof(*icmp),
					(size_t)n - sizeof(*icmp));
}

static void on_icmp(struct sink *s, struct source *src)
{
	struct sockaddr_storage from;
	ssize_t n;

	while ((n = receive(s, src->fd, &from)) >= 0) {
		size_t head = ip_header(s->buf, (size_t)n);
		const struct icmphdr *icmp = (void *)(s->buf + head);

		if ((size_t)n - head < sizeof(*icmp) || icmp->type != ICMP_ECHO)
			continue;
		if ((size_t)n - head == sizeof(*icmp))
			count_covert(s, &from, WIRE_COVERT_SEQUENCE,
				     ntohs(icmp->un.echo.sequence));
		head += sizeof(*icmp);
		counts_datagram(&s->counts, P_ICMP, &from, s->buf + head,
				(size_t)n - head);
	}
}

static void on_packet(struct sink *s, struct source *src)
{
	struct wire_frame *frame = (void *)s->buf;
	struct sockaddr_storage from;
	ssize_t n;

	while ((n = receive(s, src->fd, &from)) >= 0) {
		size_t head = 0, len = (size_t)n;

		if (len >= sizeof(*frame) &&
		    memcmp(frame->magic, WIRE_FRAME_MAGIC, 2) == 0) {
			head = sizeof(*frame);
			len = (size_t)frame->len[0] << 8 | frame->len[1];
			if (len > (size_t)n - head)
				len = (size_t)n - head;
		}
		counts_datagram(&s->counts, P_PACKET, &from, s->buf + head,
				len);
	}
}

/* ---- questions ---- */

static bool parse_address(const char *text, struct sockaddr_storage *ret)
{
	memset(ret, 0, sizeof(*ret));
	ret->ss_family = AF_INET;
	if (inet_pton(AF_INET, text, &((struct sockaddr_in *)ret)->sin_addr))
		return true;
	ret->ss_family = AF_INET6;
	return inet_pton(AF_INET6, text,
			 &((struct sockaddr_in6 *)ret)->sin6_addr) == 1;
}

static void answer_pull(struct sink *s, const char *where, FILE *out)
{
	struct sockaddr_storage peer;
	char address[64];
	unsigned int port;
	int r;

	if (sscanf(where, "%63s %u", address, &port) != 2 || port > 65535 ||
	    !parse_address(address, &peer))
		r = -EINVAL;
	else
		r = pull_from(s, &peer, (uint16_t)port);
	(void)fprintf(out, "{\"pull\":%d}\n", -r);
}

static void answer(struct sink *s, struct source *src)
{
	FILE *out = fdopen(dup(src->fd), "w");

	if (!out)
		return;
	if (strncmp(src->text, "pull ", 5) == 0) {
		answer_pull(s, src->text + 5, out);
	} else if (strcmp(src->text, "ids") == 0) {
		counts_print_ids(&s->counts, out);
	} else {
		counts_print(&s->counts, out);
		if (strcmp(src->text, "reset") == 0)
			counts_reset(&s->counts);
		s->stop = strcmp(src->text, "stop") == 0;
	}
	(void)fclose(out);
}

/* ---- the wire ---- */

static void echo_send(struct sink *s)
{
	struct icmphdr echo = {.type = ICMP_ECHO};

	s->echoed = true;
	if (s->wire < 0)
		return;
	echo.un.echo.id = htons((uint16_t)getpid());
	echo.un.echo.sequence = htons(++s->echo);
	echo.checksum = wire_checksum(&echo, sizeof(echo));
	s->echoed = send(s->wire, &echo, sizeof(echo), 0) < 0;
}

static void on_echo(struct sink *s, struct source *src)
{
	ssize_t n = recv(src->fd, s->buf, sizeof(s->buf), MSG_DONTWAIT);
	const struct iphdr *ip = (void *)s->buf;
	const struct icmphdr *echo;

	if (n < (ssize_t)(sizeof(*ip) + sizeof(*echo)) ||
	    n < (ssize_t)(ip->ihl * 4 + sizeof(*echo)))
		return;
	echo = (void *)(s->buf + ip->ihl * 4);
	if (echo->un.echo.id == htons((uint16_t)getpid()) &&
	    echo->un.echo.sequence == htons(s->echo))
		s->echoed = true;
}

/* Only what is an answer, and from there. */
static int watch_wire(struct sink *s, const char *addr)
{
	uint32_t others = ~(1U << ICMP_ECHOREPLY);
	struct sockaddr_in to = {.sin_family = AF_INET};

	s->wire = -1;
	if (!addr)
		return 0;
	if (inet_pton(AF_INET, addr, &to.sin_addr) != 1)
		return -EINVAL;
	s->wire = socket(AF_INET, SOCK_RAW | SOCK_CLOEXEC, IPPROTO_ICMP);
	if (s->wire < 0 ||
	    setsockopt(s->wire, SOL_RAW, ICMP_FILTER, &others, sizeof(others)) <
		    0 ||
	    connect(s->wire, (struct sockaddr *)&to, sizeof(to)) < 0)
		return -errno;
	return watch(s, s->wire, P_ICMP, on_echo, NULL);
}

/* A question ends with a newline. Its answer waits until all is quiet. */
static void on_question(struct sink *s, struct source *src)
{
	ssize_t n = recv(src->fd, src->text + src->text_len,
			 sizeof(src->text) - 1 - src->text_len, MSG_DONTWAIT);

	if (n <= 0) {
		if (n < 0 && errno == EAGAIN)
			return;
		if (s->asking == src)
			s->asking = NULL;
		forget(src);
		return;
	}
	src->text_len += (size_t)n;
	if (src->text[src->text_len - 1] != '\n')
		return;
	src->text[src->text_len - 1] = 0;
	if (s->asking) { /* one at a time: the first is answered now */
		answer(s, s->asking);
		forget(s->asking);
	}
	s->asking = src;
	s->asked_ms = clock_ms();
	echo_send(s);
}

static void on_control(struct sink *s, struct source *src)
{
	int fd = accept4(src->fd, NULL, NULL, SOCK_CLOEXEC);

	if (fd >= 0 && watch(s, fd, P_TCP, on_question, NULL) < 0)
		(void)close(fd);
}

static void on_signal(struct sink *s, struct source *src)
{
	struct signalfd_siginfo info;

	if (read(src->fd, &info, sizeof(info)) != sizeof(info))
		return;
	counts_print(&s->counts, stdout);
	s->stop = info.ssi_signo != SIGUSR1;
}

/* ---- listening ---- */

static int bind_any(int family, int type, int protocol, uint16_t port)
{
	struct sockaddr_storage any = {.ss_family = (sa_family_t)family};
	int one = 1, buffer = RECEIVE_BUFFER, fd, len, r;

	fd = socket(family, type | SOCK_CLOEXEC, protocol);
	if (fd < 0)
		return -errno;
	(void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	if (type != SOCK_STREAM)
		(void)setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &buffer,
				 sizeof(buffer));
	len = set_port(&any, port);
	if (bind(fd, (struct sockaddr *)&any, (socklen_t)len) == 0)
		return fd;
	r = -errno;
	(void)close(fd);
	return r;
}

/* For both families where IPv6 is on, else for IPv4. */
static int bind_both(int type, int protocol, uint16_t port)
{
	int fd = bind_any(AF_INET6, type, protocol, port);

	if (fd < 0 && fd != -EADDRINUSE)
		fd = bind_any(AF_INET, type, protocol, port);
	return fd;
}

static int watch_listener(struct sink *s, int fd, enum protocol protocol,
			  void (*greet)(struct sink *s, int fd))
{
	int queue = 64;

	if (fd < 0)
		return fd;
	if (protocol == P_TCP)
		(void)setsockopt(fd, IPPROTO_TCP, TCP_FASTOPEN, &queue,
				 sizeof(queue));
	if (listen(fd, BACKLOG) < 0)
		return -errno;
	return watch(s, fd, protocol, on_listener, greet);
}

/* Only from this machine: the hypervisor is no part of a test. */
static int listen_vsock(struct sink *s)
{
	struct sockaddr_vm any = {
		.svm_family = AF_VSOCK,
		.svm_cid = VMADDR_CID_LOCAL,
		.svm_port = s->port,
	};
	int fd = socket(AF_VSOCK, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (fd < 0 || bind(fd, (struct sockaddr *)&any, sizeof(any)) < 0)
		return -errno;
	return watch_listener(s, fd, P_VSOCK, NULL);
}

static int listen_dccp(struct sink *s)
{
	uint32_t service = htonl(42);
	int fd = bind_both(SOCK_DCCP, IPPROTO_DCCP, s->port);

	if (fd >= 0 && setsockopt(fd, SOL_DCCP, DCCP_SOCKOPT_SERVICE, &service,
				  sizeof(service)) < 0)
		return -errno;
	return watch_listener(s, fd, P_DCCP, NULL);
}

static int watch_datagrams(struct sink *s, int fd, enum protocol protocol,
			   void (*ready)(struct sink *, struct source *))
{
	return fd < 0 ? fd : watch(s, fd, protocol, ready, NULL);
}

static int listen_packets(struct sink *s)
{
	int buffer = RECEIVE_BUFFER, fd;

	fd = socket(AF_PACKET, SOCK_DGRAM | SOCK_CLOEXEC,
		    htons(WIRE_ETHERTYPE));
	if (fd < 0)
		return -errno;
	(void)setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &buffer,
			 sizeof(buffer));
	return watch(s, fd, P_PACKET, on_packet, NULL);
}

static int filter(int fd, struct sock_filter *code, unsigned short len)
{
	struct sock_fprog program = {.len = len, .filter = code};

	if (setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &program,
		       sizeof(program)) < 0)
		return -errno;
	return fd;
}

/* Packets of an IP header and a UDP header, no more. */
static int filter_empty_udp(int fd)
{
	struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_LEN, 0),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 20 + 8, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, UINT32_MAX),
		BPF_STMT(BPF_RET | BPF_K, 0),
	};

	return fd < 0 ? fd : filter(fd, code, 4);
}

/* SYN without ACK. The flags are byte 13 of the TCP header. */
static int filter_syn(int fd)
{
	struct sock_filter code[] = {
		BPF_STMT(BPF_LDX | BPF_B | BPF_MSH, 0),
		BPF_STMT(BPF_LD | BPF_B | BPF_IND, 13),
		BPF_STMT(BPF_ALU | BPF_AND | BPF_K, TH_SYN | TH_ACK),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, TH_SYN, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, UINT32_MAX),
		BPF_STMT(BPF_RET | BPF_K, 0),
	};

	return fd < 0 ? fd : filter(fd, code, 6);
}

static int listen_covert(struct sink *s)
{
	int r;

	r = watch_datagrams(
		s,
		filter_empty_udp(bind_any(AF_INET, SOCK_RAW, IPPROTO_UDP, 0)),
		P_COVERT, on_covert);
	if (r < 0)
		return r;
	return watch_datagrams(
		s, filter_syn(bind_any(AF_INET, SOCK_RAW, IPPROTO_TCP, 0)),
		P_COVERT, on_covert);
}

/* A server only answers fast open when its network namespace says so. */
static void allow_fastopen(void)
{
	FILE *f = fopen("/proc/sys/net/ipv4/tcp_fastopen", "we");

	if (!f)
		return;
	(void)fputs("3\n", f);
	(void)fclose(f);
}

static uint16_t port_at(const struct sink *s, int offset)
{
	return (uint16_t)(s->port + offset);
}

/* TCP and UDP there must be; what else is missing is noted. */
static int listen_all(struct sink *s)
{
	bool *missing = s->counts.missing;
	int r;

	allow_fastopen();
	r = watch_listener(s, bind_both(SOCK_STREAM, 0, s->port), P_TCP, NULL);
	if (r == 0)
		r = watch_listener(
			s, bind_both(SOCK_STREAM, 0, port_at(s, WIRE_KNOCK)),
			P_TCP, greet_knock);
	if (r == 0)
		r = watch_listener(
			s, bind_both(SOCK_STREAM, 0, port_at(s, WIRE_TLS)),
			P_TCP, greet_tls);
	if (r == 0)
		r = watch_datagrams(s, bind_both(SOCK_DGRAM, 0, s->port), P_UDP,
				    on_datagram);
	if (r < 0)
		return r;
	(void)watch_listener(
		s,
		bind_both(SOCK_STREAM, IPPROTO_MPTCP, port_at(s, WIRE_MPTCP)),
		P_TCP, NULL);
	missing[P_UDPLITE] =
		watch_datagrams(s,
				bind_both(SOCK_DGRAM, IPPROTO_UDPLITE, s->port),
				P_UDPLITE, on_datagram) < 0;
	missing[P_RAW] = watch_datagrams(s,
					 bind_any(AF_INET, SOCK_RAW,
						  WIRE_RAW_PROTOCOL, 0),
					 P_RAW, on_raw) < 0;
	missing[P_ICMP] =
		watch_datagrams(s, bind_any(AF_INET, SOCK_RAW, IPPROTO_ICMP, 0),
				P_ICMP, on_icmp) < 0;
	(void)watch_datagrams(
		s, bind_any(AF_INET6, SOCK_RAW, WIRE_RAW_PROTOCOL, 0), P_RAW,
		on_datagram);
	(void)watch_datagrams(s,
			      bind_any(AF_INET6, SOCK_RAW, IPPROTO_ICMPV6, 0),
			      P_ICMP, on_icmp6);
	missing[P_COVERT] = listen_covert(s) < 0;
	missing[P_SCTP] =
		watch_listener(s, bind_both(SOCK_STREAM, IPPROTO_SCTP, s->port),
			       P_SCTP, NULL) < 0;
	missing[P_PACKET] = listen_packets(s) < 0;
	missing[P_DCCP] = listen_dccp(s) < 0;
	missing[P_VSOCK] = listen_vsock(s) < 0;
	return 0;
}

static int control_address(const char *path, struct sockaddr_un *ret)
{
	memset(ret, 0, sizeof(*ret));
	ret->sun_family = AF_UNIX;
	if (strlen(path) >= sizeof(ret->sun_path))
		return -ENAMETOOLONG;
	memcpy(ret->sun_path, path, strlen(path));
	return 0;
}

/* The name is there when it answers: who finds it never comes too early. */
static int listen_control(struct sink *s, const char *path)
{
	struct sockaddr_un at;
	char early[sizeof(at.sun_path) + sizeof(".early")]; /* or too long */
	int fd, r;

	(void)snprintf(early, sizeof(early), "%s.early", path);
	r = control_address(early, &at);
	if (r < 0)
		return r;
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	(void)unlink(early);
	if (fd < 0 || bind(fd, (struct sockaddr *)&at, sizeof(at)) < 0 ||
	    listen(fd, BACKLOG) < 0)
		return -errno;
	r = watch(s, fd, P_TCP, on_control, NULL);
	if (r == 0 && rename(early, path) < 0)
		r = -errno;
	return r;
}

static int watch_signals(struct sink *s)
{
	sigset_t set;
	int fd;

	(void)sigemptyset(&set);
	(void)sigaddset(&set, SIGUSR1);
	(void)sigaddset(&set, SIGTERM);
	(void)sigaddset(&set, SIGINT);
	if (sigprocmask(SIG_BLOCK, &set, NULL) < 0)
		return -errno;
	fd = signalfd(-1, &set, SFD_CLOEXEC);
	return fd < 0 ? -errno : watch(s, fd, P_TCP, on_signal, NULL);
}

static void loop(struct sink *s)
{
	struct epoll_event ev;

	while (!s->stop) {
		/* One event a round: its handler may free other sources. */
		int n = epoll_wait(s->epoll, &ev, 1,
				   s->asking ? s->quiet_ms : -1);

		if (n == 1) {
			struct source *src = ev.data.ptr;

			src->ready(s, src);
		}
		if (s->asking && ((n == 0 && s->echoed) ||
				  clock_ms() - s->asked_ms > ANSWER_MS)) {
			answer(s, s->asking);
			forget(s->asking);
			s->asking = NULL;
		}
	}
}

static int fail(const char *what, int r)
{
	(void)fprintf(stderr, "sink: %s: %s\n", what, strerror(-r));
	return 1;
}

static int serve(uint16_t port, const char *control, int quiet_ms,
		 const char *wire)
{
	static struct sink s;
	int r;

	s.port = port;
	s.quiet_ms = quiet_ms;
	s.epoll = epoll_create1(EPOLL_CLOEXEC);
	if (s.epoll < 0)
		return fail("epoll", -errno);
	(void)signal(SIGPIPE, SIG_IGN);
	r = watch_signals(&s);
	if (r < 0)
		return fail("signals", r);
	r = watch_wire(&s, wire);
	if (r < 0)
		return fail("wire", r);
	r = listen_all(&s);
	if (r < 0)
		return fail("listening", r);
	/* Last: when the control socket answers, everything listens. */
	if (control)
		r = listen_control(&s, control);
	if (r < 0)
		return fail(control, r);
	loop(&s);
	if (control)
		(void)unlink(control);
	return 0;
}

/* ---- the other commands ---- */

static int ask(const char *path, const char *words)
{
	struct sockaddr_un at;
	char buf[4096];
	ssize_t n;
	int fd, r;

	r = control_address(path, &at);
	if (r < 0)
		return r;
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -errno;
	if (connect(fd, (struct sockaddr *)&at, sizeof(at)) < 0 ||
	    dprintf(fd, "%s\n", words) < 0) {
		r = -errno;
		goto out;
	}
	while ((n = read(fd, buf, sizeof(buf))) > 0)
		(void)fwrite(buf, 1, (size_t)n, stdout);
	r = n < 0 ? -errno : 0;
out:
	(void)close(fd);
	return fflush(stdout) == 0 ? r : -EIO;
}

static int query(const char *path, const char *words)
{
	char *line = NULL;
	size_t cap = 0;
	ssize_t n;
	int r = 0;

	if (strcmp(words, "-") != 0) {
		r = ask(path, words);
		return r < 0 ? fail(path, r) : 0;
	}
	while (r == 0 && (n = getline(&line, &cap, stdin)) > 0) {
		if (line[n - 1] == '\n')
			line[n - 1] = 0;
		r = ask(path, line);
	}
	free(line);
	return r < 0 ? fail(path, r) : 0;
}

static int pull(const char *address, uint16_t port)
{
	static struct counts counts;
	static char buf[BUFFER_BYTES];
	struct record_scan scan = {0};
	struct sockaddr_storage peer;
	int64_t until = clock_ms() + PULL_WAIT_MS;
	ssize_t n;
	int fd, len;

	if (!parse_address(address, &peer))
		return fail(address, -EINVAL);
	len = set_port(&peer, port);
	for (;;) {
		fd = socket(peer.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
		if (fd < 0)
			return fail("socket", -errno);
		if (connect(fd, (struct sockaddr *)&peer, (socklen_t)len) == 0)
			break;
		if (errno != ECONNREFUSED || clock_ms() > until)
			return fail(address, -errno);
		(void)close(fd);
		pause_ms(PULL_TRY_MS);
	}
	counts.connections = 1;
	while ((n = read(fd, buf, sizeof(buf))) > 0)
		counts_stream(&counts, P_TCP, &scan, buf, (size_t)n);
	counts_print(&counts, stdout);
	return n < 0 ? fail(address, -errno) : 0;
}

/* What came by other ways, once it is unpacked. */
static int count(void)
{
	static struct counts counts;
	static char buf[BUFFER_BYTES];
	struct record_scan scan = {0};
	ssize_t n;

	while ((n = read(STDIN_FILENO, buf, sizeof(buf))) > 0)
		counts_stream(&counts, P_TCP, &scan, buf, (size_t)n);
	counts_print(&counts, stdout);
	return n < 0 ? fail("input", -errno) : 0;
}

static bool parse_number(const char *text, unsigned long most,
			 unsigned long *ret)
{
	unsigned long v;
	char *end;

	if (!text || *text < '0' || *text > '9')
		return false;
	v = strtoul(text, &end, 10);
	if (*end || v < 1 || v > most)
		return false;
	*ret = v;
	return true;
}

static bool parse_port(const char *text, uint16_t *ret)
{
	unsigned long v;

	if (!parse_number(text, 65530, &v))
		return false;
	*ret = (uint16_t)v;
	return true;
}

static int usage(void)
{
	(void)fputs("usage: sink --port P [--socket PATH [--quiet MS "
		    "[--wire ADDR]]]\n"
		    "       sink --query PATH [-|totals|ids|reset|stop|"
		    "\"pull ADDR PORT\"]\n"
		    "       sink --pull ADDR PORT\n"
		    "       sink --count <DATA\n",
		    stderr);
	return 2;
}

int main(int argc, char **argv)
{
	unsigned long quiet_ms = QUIET_MS;
	uint16_t port;

	if (argc == 2 && strcmp(argv[1], "--count") == 0)
		return count();
	if (argc < 3)
		return usage();
	if (strcmp(argv[1], "--query") == 0 && argc <= 4)
		return query(argv[2], argc == 4 ? argv[3] : "totals");
	if (strcmp(argv[1], "--pull") == 0 && argc == 4 &&
	    parse_port(argv[3], &port))
		return pull(argv[2], port);
	if (strcmp(argv[1], "--port") != 0 || !parse_port(argv[2], &port))
		return usage();
	if (argc == 3)
		return serve(port, NULL, QUIET_MS, NULL);
	if (argc == 9 && strcmp(argv[7], "--wire") != 0)
		return usage();
	if (argc >= 7 && (strcmp(argv[5], "--quiet") != 0 ||
			  !parse_number(argv[6], QUIET_MAX_MS, &quiet_ms)))
		return usage();
	if ((argc == 5 || argc == 7 || argc == 9) &&
	    strcmp(argv[3], "--socket") == 0)
		return serve(port, argv[4], (int)quiet_ms,
			     argc == 9 ? argv[8] : NULL);
	return usage();
}
