// SPDX-License-Identifier: GPL-2.0-only
/*
 * Ways out without a send: what setsockopt(2) is given goes into the headers of
 * packets that nobody sends, or into reports about multicast groups, or stays
 * for who shares the socket; connect(2) shows addresses, and the kernel asks a
 * program of its own for keys. For v4 options the sink tells what arrived; of
 * the others only whether they can be done.
 */
#include "probe.h"
#include "wire.h"

#include <errno.h>
#include <linux/filter.h>
#include <linux/keyctl.h>
#include <netinet/in.h>
#include <netinet/ip.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#ifndef IPV6_FREEBIND
#	define IPV6_FREEBIND 78
#endif

/* include/uapi/linux/sctp.h */
#define SCTP_SOCKOPT_BINDX_ADD 100

/* Not with the headers of the C library. */
#define RTHDR_TYPE_SEGMENTS 4

int connect_option(struct probe *p)
{
	return net_socket(p, AF_INET, SOCK_STREAM, 0, "IPv4");
}

int connect_option6(struct probe *p)
{
	return net_socket(p, AF_INET6, SOCK_STREAM, 0, "IPv6");
}

int connect_group(struct probe *p)
{
	return net_socket(p, AF_INET, SOCK_DGRAM, 0, "IPv4");
}

/* In a list of addresses that is full, so that nobody on the way adds one. */
ssize_t step_option_v4(struct probe *p, int fd, const uint8_t *d, size_t n)
{
	uint8_t option[WIRE_OPTION_BYTES + 4] = {IPOPT_RR, sizeof(option) - 1,
						 sizeof(option)};
	struct sockaddr_storage to;
	int len, one, r = 0;

	(void)fd;
	memcpy(option + 3, d, n);
	option[sizeof(option) - 1] = IPOPT_NOOP;
	len = net_address(p, false, WIRE_OPTION_PORT, &to);
	if (len < 0)
		return len;
	one = connect_option(p);
	if (one < 0)
		return one;
	if (setsockopt(one, IPPROTO_IP, IP_OPTIONS, option, sizeof(option)) < 0)
		r = -errno;
	if (r == 0)
		r = net_connect(one, &to, len);
	(void)close(one);
	return r == 0 || r == -ECONNREFUSED ? (ssize_t)n : r;
}

/* A routing header with nowhere left to go. */
ssize_t step_option_rthdr(struct probe *p, int fd, const uint8_t *d, size_t n)
{
	struct {
		uint8_t next, len, type, left;
		uint8_t last, flags, tag[2];
		uint8_t segments[WIRE_OPTION_BYTES / 16][16];
	} header = {
		.len = sizeof(header.segments) / 8,
		.type = RTHDR_TYPE_SEGMENTS,
		.last = WIRE_OPTION_BYTES / 16 - 1,
	};

	(void)p;
	memcpy(header.segments, d,
	       n < sizeof(header.segments) ? n : sizeof(header.segments));
	if (setsockopt(fd, IPPROTO_IPV6, IPV6_RTHDR, &header, sizeof(header)) <
	    0)
		return -errno;
	return (ssize_t)n;
}

/* The address of a source is what it takes. */
ssize_t step_option_source(struct probe *p, int fd, const uint8_t *d, size_t n)
{
	struct group_source_req wish = {0};
	struct sockaddr_in *group = (struct sockaddr_in *)&wish.gsr_group;
	struct sockaddr_in *source = (struct sockaddr_in *)&wish.gsr_source;
	uint32_t address;
	int ifindex, one, r;

	(void)fd; /* a socket takes ten of them */
	if (net_route(p, &address, &ifindex) < 0)
		return probe_missing(p, "a route");
	one = connect_group(p);
	if (one < 0)
		return one;
	wish.gsr_interface = (uint32_t)ifindex;
	group->sin_family = source->sin_family = AF_INET;
	group->sin_addr.s_addr = htonl(0xe8010203); /* 232.1.2.3 */
	source->sin_addr.s_addr = htonl(0x0a000000U | d[0]);
	r = setsockopt(one, IPPROTO_IP, MCAST_JOIN_SOURCE_GROUP, &wish,
		       sizeof(wish)) < 0
		    ? -errno
		    : (int)n;
	(void)close(one);
	return r;
}

/* The same for v6, where nearly all of the address may be anything. */
ssize_t step_option_group6(struct probe *p, int fd, const uint8_t *d, size_t n)
{
	struct ipv6_mreq wish = {.ipv6mr_multiaddr.s6_addr = {0xff, 0x15}};
	uint32_t address;
	int ifindex, one, r;

	(void)fd;
	if (net_route(p, &address, &ifindex) < 0)
		return probe_missing(p, "a route");
	wish.ipv6mr_interface = (unsigned int)ifindex;
	memcpy(wish.ipv6mr_multiaddr.s6_addr + 2, d, n < 14 ? n : 14);
	one = net_socket(p, AF_INET6, SOCK_DGRAM, 0, "IPv6");
	if (one < 0)
		return one;
	r = setsockopt(one, IPPROTO_IPV6, IPV6_ADD_MEMBERSHIP, &wish,
		       sizeof(wish)) < 0
		    ? -errno
		    : (int)n;
	(void)close(one);
	return r;
}

/* A digest with it stands in every segment, from the SYN on. */
ssize_t step_option_key(struct probe *p, int fd, const uint8_t *d, size_t n)
{
	struct tcp_md5sig sig = {.tcpm_keylen = (uint16_t)n};
	int len;

	len = net_address(p, false, p->port,
			  (struct sockaddr_storage *)&sig.tcpm_addr);
	if (len < 0)
		return len;
	memcpy(sig.tcpm_key, d, n);
	if (setsockopt(fd, IPPROTO_TCP, TCP_MD5SIG, &sig, sizeof(sig)) < 0)
		return -errno;
	return (ssize_t)n;
}

/* A constant in each instruction: attack.c takes them back. */
ssize_t step_option_filter(struct probe *p, int fd, const uint8_t *d, size_t n)
{
	struct sock_filter code[WIRE_OPTION_BYTES / 4 + 1] = {{0}};
	struct sock_fprog prog = {sizeof(code) / sizeof(code[0]), code};
	size_t last = sizeof(code) / sizeof(code[0]) - 1;

	(void)p;
	for (size_t i = 0; i < last; i++) {
		code[i].code = BPF_LD | BPF_IMM;
		if (4 * i + 4 <= n)
			memcpy(&code[i].k, d + 4 * i, 4);
	}
	code[last].code = BPF_RET | BPF_K;
	if (setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &prog, sizeof(prog)) <
	    0)
		return -errno;
	return (ssize_t)n;
}

int connect_option_sctp(struct probe *p)
{
	return net_socket(p, AF_INET, SOCK_STREAM, IPPROTO_SCTP, "SCTP");
}

/* Our own addresses, as many as we like: the first packet lists them. */
ssize_t step_option_bindx(struct probe *p, int fd, const uint8_t *d, size_t n)
{
	struct sockaddr_in own = {.sin_family = AF_INET};
	int one, r = (int)n, on = 1;

	(void)fd;
	one = connect_option_sctp(p);
	if (one < 0)
		return one;
	own.sin_addr.s_addr = htonl(0x0a000000U | d[0]);
	if (setsockopt(one, IPPROTO_IP, IP_FREEBIND, &on, sizeof(on)) < 0 ||
	    setsockopt(one, IPPROTO_SCTP, SCTP_SOCKOPT_BINDX_ADD, &own,
		       sizeof(own)) < 0)
		r = -errno;
	(void)close(one);
	return r;
}

/* A source address of our own choice, which needs no right. */
ssize_t step_connect_source(struct probe *p, int fd, const uint8_t *d, size_t n)
{
	struct sockaddr_in6 own = {.sin6_family = AF_INET6};
	struct sockaddr_storage to;
	int one, len, r = (int)n, on = 1;

	(void)fd;
	len = net_address(p, true, WIRE_OPTION_PORT, &to);
	if (len < 0)
		return len;
	one = net_socket(p, AF_INET6, SOCK_STREAM | SOCK_NONBLOCK, 0, "IPv6");
	if (one < 0)
		return one;
	own.sin6_addr.s6_addr[0] = 0x20;
	memcpy(own.sin6_addr.s6_addr + 1, d, n < 15 ? n : 15);
	if (setsockopt(one, IPPROTO_IPV6, IPV6_FREEBIND, &on, sizeof(on)) < 0 ||
	    bind(one, (struct sockaddr *)&own, sizeof(own)) < 0 ||
	    (connect(one, (struct sockaddr *)&to, (socklen_t)len) < 0 &&
	     errno != EINPROGRESS))
		r = -errno;
	(void)close(one);
	return r;
}

/*
 * Of a key that nobody has the kernel tells its program, as root. That there is
 * none it remembers for a while, so each has a name of its own.
 */
ssize_t step_request_key(struct probe *p, int fd, const uint8_t *d, size_t n)
{
	char name[2 * WIRE_OPTION_BYTES + 32];
	int at;

	(void)p;
	(void)fd;
	at = snprintf(name, sizeof(name), "probe:%d:", (int)getpid());
	for (size_t i = 0; i < n; i++)
		(void)snprintf(name + at + 2 * i, 3, "%02x", d[i]);
	if (syscall(SYS_request_key, "user", name, "", 0) < 0 &&
	    errno != ENOKEY && errno != ENOENT) /* no key, no program */
		return -errno;
	return (ssize_t)n;
}
