// SPDX-License-Identifier: GPL-2.0-only
/* Ways out in datagrams: UDP, UDP-Lite, ICMP and raw IP. */
#include "probe.h"
#include "wire.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/ip.h>
#include <netinet/icmp6.h>
#include <netinet/ip_icmp.h>
#include <netinet/udp.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#ifndef UDP_SEGMENT
#	define UDP_SEGMENT 103
#endif
#ifndef IPPROTO_UDPLITE
#	define IPPROTO_UDPLITE 136
#endif

static ssize_t result(ssize_t r)
{
	return r < 0 ? -errno : r;
}

/* ---- connecting ---- */

static int connect_dgram(struct probe *p, bool want6, int type, int protocol,
			 uint16_t port, const char *missing)
{
	struct sockaddr_storage to;
	int fd, len, r;

	len = net_address(p, want6, port, &to);
	if (len < 0)
		return len;
	fd = net_socket(p, to.ss_family, type, protocol, missing);
	if (fd < 0)
		return fd;
	r = net_connect(fd, &to, len);
	if (r == 0)
		return fd;
	(void)close(fd);
	return r;
}

int connect_udp(struct probe *p)
{
	return connect_dgram(p, false, SOCK_DGRAM, 0, p->port, "IPv4");
}

int connect_udp6(struct probe *p)
{
	return connect_dgram(p, true, SOCK_DGRAM, 0, p->port, "IPv6");
}

int connect_udplite(struct probe *p)
{
	return connect_dgram(p, false, SOCK_DGRAM, IPPROTO_UDPLITE, p->port,
			     "UDP-Lite");
}

int connect_udp_unbound(struct probe *p)
{
	return net_socket(p, AF_INET, SOCK_DGRAM, 0, "IPv4");
}

int connect_udp_mapped(struct probe *p)
{
	struct sockaddr_storage to;
	int fd, len, r;

	len = net_mapped(p, p->port, &to);
	if (len < 0)
		return len;
	fd = net_socket(p, AF_INET6, SOCK_DGRAM, 0, "IPv6");
	if (fd < 0)
		return fd;
	r = net_connect(fd, &to, len);
	if (r == 0)
		return fd;
	(void)close(fd);
	return r;
}

int connect_icmp(struct probe *p)
{
	int fd = connect_dgram(p, false, SOCK_DGRAM, IPPROTO_ICMP, 0,
			       "ping sockets");

	/* Without the guard too, where ping_group_range leaves us out. */
	if (fd == -EACCES)
		return probe_missing(p, "net.ipv4.ping_group_range");
	return fd;
}

int connect_icmp6(struct probe *p)
{
	int fd = connect_dgram(p, true, SOCK_DGRAM, IPPROTO_ICMPV6, 0,
			       "ping sockets");

	if (fd == -EACCES)
		return probe_missing(p, "net.ipv4.ping_group_range");
	return fd;
}

int connect_raw6(struct probe *p)
{
	return connect_dgram(p, true, SOCK_RAW, WIRE_RAW_PROTOCOL, 0,
			     "raw sockets");
}

int connect_raw_unbound(struct probe *p)
{
	return net_socket(p, AF_INET, SOCK_RAW, WIRE_RAW_PROTOCOL,
			  "raw sockets");
}

int connect_icmp_raw(struct probe *p)
{
	return connect_dgram(p, false, SOCK_RAW, IPPROTO_ICMP, 0,
			     "raw sockets");
}

int connect_raw(struct probe *p)
{
	return connect_dgram(p, false, SOCK_RAW, WIRE_RAW_PROTOCOL, 0,
			     "raw sockets");
}

int connect_raw_hdrincl(struct probe *p)
{
	return connect_dgram(p, false, SOCK_RAW, IPPROTO_RAW, 0, "raw sockets");
}

/* ---- sending ---- */

ssize_t step_datagram(struct probe *p, int fd, const uint8_t *d, size_t n)
{
	(void)p;
	net_pace(1);
	return result(send(fd, d, n, 0));
}

ssize_t step_udp_write(struct probe *p, int fd, const uint8_t *d, size_t n)
{
	(void)p;
	net_pace(1);
	return result(write(fd, d, n));
}

ssize_t step_udp_sendto(struct probe *p, int fd, const uint8_t *d, size_t n)
{
	struct sockaddr_storage to;
	int len;

	len = net_address(p, false, p->port, &to);
	if (len < 0)
		return len;
	net_pace(1);
	return result(
		sendto(fd, d, n, 0, (struct sockaddr *)&to, (socklen_t)len));
}

/* All to one address: the kernel asks its hook about the first only. */
static ssize_t send_to_one(struct probe *p, int fd, uint16_t port,
			   const uint8_t *d, size_t n)
{
	struct iovec pieces[MANY];
	struct sockaddr_storage to;
	unsigned int count = 0;
	ssize_t sum = 0;
	int len, r;

	len = net_address(p, false, port, &to);
	if (len < 0)
		return len;
	for (size_t at = 0; at < n && count < MANY; count++) {
		size_t each = n - at < DATAGRAM_BYTES ? n - at : DATAGRAM_BYTES;

		pieces[count] = (struct iovec){(void *)(d + at), each};
		at += each;
	}
	r = net_send_many(fd, &to, (unsigned int)len, pieces, count);
	for (int i = 0; i < r; i++)
		sum += (ssize_t)pieces[i].iov_len;
	return r < 0 ? r : sum;
}

ssize_t step_udp_sendmmsg(struct probe *p, int fd, const uint8_t *d, size_t n)
{
	return send_to_one(p, fd, p->port, d, n);
}

ssize_t step_raw_sendmmsg(struct probe *p, int fd, const uint8_t *d, size_t n)
{
	return send_to_one(p, fd, 0, d, n);
}

/* Several calls, one datagram: it is sent when the cork comes out. */
ssize_t step_udp_cork(struct probe *p, int fd, const uint8_t *d, size_t n)
{
	int on = 1, off = 0;
	ssize_t r;

	(void)p;
	net_pace(1);
	if (setsockopt(fd, IPPROTO_UDP, UDP_CORK, &on, sizeof(on)) < 0)
		return -errno;
	r = send(fd, d, n / 2, 0);
	if (r >= 0)
		r = send(fd, d + n / 2, n - n / 2, 0);
	r = result(r);
	if (setsockopt(fd, IPPROTO_UDP, UDP_CORK, &off, sizeof(off)) < 0 &&
	    r >= 0)
		r = -errno;
	return r < 0 ? r : (ssize_t)n;
}

/*
 * A datagram is begun and ended towards the sink, by a byte each. What is sent
 * between them names another port, and goes into the same datagram.
 */
ssize_t step_udp_cork_mixed(struct probe *p, int fd, const uint8_t *d, size_t n)
{
	struct sockaddr_storage to, other;
	int len = net_address(p, false, p->port, &to);
	int other_len = net_address(p, false, (uint16_t)(p->port + 1), &other);
	struct sockaddr *where = (struct sockaddr *)&to;
	ssize_t r = -EINVAL, end;

	if (len < 0 || other_len < 0 || n < 3)
		return r;
	net_pace(1);
	if (sendto(fd, d, 1, MSG_MORE, where, (socklen_t)len) < 0)
		return -errno;
	r = result(sendto(fd, d + 1, n - 2, MSG_MORE, (struct sockaddr *)&other,
			  (socklen_t)other_len));
	end = result(sendto(fd, d + n - 1, 1, 0, where, (socklen_t)len));
	if (r < 0 || end < 0)
		return r < 0 ? r : end;
	return (ssize_t)n;
}

/* One call, many datagrams: the kernel or the interface cuts them. */
ssize_t step_udp_gso(struct probe *p, int fd, const uint8_t *d, size_t n)
{
	int size = DATAGRAM_BYTES;
	ssize_t r;

	if (setsockopt(fd, IPPROTO_UDP, UDP_SEGMENT, &size, sizeof(size)) < 0)
		return probe_missing(p, "UDP_SEGMENT");
	r = result(send(fd, d, n, 0));
	if (r == -EIO)
		return probe_missing(p, "a card with checksums");
	net_pace((unsigned int)(n / DATAGRAM_BYTES));
	return r;
}

static ssize_t send_echo(int fd, uint8_t type, const uint8_t *d, size_t n)
{
	struct {
		struct icmphdr head;
		uint8_t data[DATAGRAM_BYTES];
	} packet = {.head.type = type};
	ssize_t r;

	packet.head.un.echo.id = htons((uint16_t)getpid());
	memcpy(packet.data, d, n);
	packet.head.checksum = wire_checksum(&packet, sizeof(packet.head) + n);
	net_pace(1);
	r = send(fd, &packet, sizeof(packet.head) + n, 0);
	return r < 0 ? -errno : r - (ssize_t)sizeof(packet.head);
}

ssize_t step_icmp(struct probe *p, int fd, const uint8_t *d, size_t n)
{
	(void)p;
	return send_echo(fd, ICMP_ECHO, d, n);
}

/* Same header; the kernel computes this checksum itself. */
ssize_t step_icmp6(struct probe *p, int fd, const uint8_t *d, size_t n)
{
	(void)p;
	return send_echo(fd, ICMP6_ECHO_REQUEST, d, n);
}

ssize_t step_raw_hdrincl(struct probe *p, int fd, const uint8_t *d, size_t n)
{
	struct {
		struct iphdr head;
		uint8_t data[DATAGRAM_BYTES];
	} packet = {
		.head =
			{
				.version = 4,
				.ihl = sizeof(struct iphdr) / 4,
				.ttl = 64,
				.protocol = WIRE_RAW_PROTOCOL,
			},
	};
	struct sockaddr_storage to;
	ssize_t r;
	int len;

	len = net_address(p, false, 0, &to);
	if (len < 0)
		return len;
	/* The kernel fills in our address, the length and the checksum. */
	packet.head.daddr = ((struct sockaddr_in *)&to)->sin_addr.s_addr;
	memcpy(packet.data, d, n);
	net_pace(1);
	r = send(fd, &packet, sizeof(packet.head) + n, 0);
	return r < 0 ? -errno : r - (ssize_t)sizeof(packet.head);
}
