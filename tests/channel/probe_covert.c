// SPDX-License-Identifier: GPL-2.0-only
/*
 * Covert ways out: the bytes are in headers, one a packet, and no packet has a
 * payload that a budget of payload bytes could count.
 */
#include "probe.h"
#include "wire.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/ip_icmp.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

ssize_t step_covert_udp(struct probe *p, int fd, const uint8_t *d, size_t n)
{
	struct sockaddr_storage to;
	int len;

	(void)n;
	len = net_address(p, false, (uint16_t)(WIRE_COVERT_PORT + *d), &to);
	if (len < 0)
		return len;
	net_pace(1);
	if (sendto(fd, "", 0, 0, (struct sockaddr *)&to, (socklen_t)len) < 0)
		return -errno;
	return 1;
}

ssize_t step_covert_icmp(struct probe *p, int fd, const uint8_t *d, size_t n)
{
	struct icmphdr head = {.type = ICMP_ECHO};

	(void)p;
	(void)n;
	head.un.echo.sequence = htons(WIRE_COVERT_SEQUENCE | *d);
	net_pace(1);
	return send(fd, &head, sizeof(head), 0) < 0 ? -errno : 1;
}

/* Nothing to open: each byte is a socket of its own. */
int connect_covert_syn(struct probe *p)
{
	return net_socket(p, AF_INET, SOCK_STREAM, 0, "IPv4");
}

ssize_t step_covert_syn(struct probe *p, int fd, const uint8_t *d, size_t n)
{
	struct sockaddr_storage to;
	int len, one, r;

	(void)fd;
	(void)n;
	len = net_address(p, false, (uint16_t)(WIRE_COVERT_PORT + *d), &to);
	if (len < 0)
		return len;
	one = net_socket(p, AF_INET, SOCK_STREAM, 0, "IPv4");
	if (one < 0)
		return one;
	r = net_connect(one, &to, len);
	(void)close(one);
	return r == 0 || r == -ECONNREFUSED ? 1 : r;
}
