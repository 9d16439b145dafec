// SPDX-License-Identifier: GPL-2.0-only
/* Addresses and sockets for all ways out. */
#include "probe.h"

#include "clock.h"

#include <arpa/inet.h>
#include <errno.h>
#include <ifaddrs.h>
#include <net/if.h>
#include <netinet/in.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#define SEND_TIMEOUT_S 10
#define PACE_EVERY     32 /* datagrams, then a pause */
#define PACE_NS	       1000000

static bool parse_v4(const char *text, uint16_t port,
		     struct sockaddr_storage *ret)
{
	struct sockaddr_in *a = (struct sockaddr_in *)ret;

	memset(ret, 0, sizeof(*ret));
	a->sin_family = AF_INET;
	a->sin_port = htons(port);
	return text && inet_pton(AF_INET, text, &a->sin_addr) == 1;
}

static bool parse_v6(const char *text, uint16_t port,
		     struct sockaddr_storage *ret)
{
	struct sockaddr_in6 *a = (struct sockaddr_in6 *)ret;

	memset(ret, 0, sizeof(*ret));
	a->sin6_family = AF_INET6;
	a->sin6_port = htons(port);
	return text && inet_pton(AF_INET6, text, &a->sin6_addr) == 1;
}

int net_address(struct probe *p, bool want6, uint16_t port,
		struct sockaddr_storage *ret)
{
	if (want6) {
		if (parse_v6(p->to6, port, ret) || parse_v6(p->to, port, ret))
			return sizeof(struct sockaddr_in6);
		return probe_missing(p, "an IPv6 address (--to6)");
	}
	if (parse_v4(p->to, port, ret))
		return sizeof(struct sockaddr_in);
	return probe_missing(p, "an IPv4 address (--to)");
}

int net_socket(struct probe *p, int family, int type, int protocol,
	       const char *missing)
{
	struct timeval limit = {.tv_sec = SEND_TIMEOUT_S};
	int fd = socket(family, type | SOCK_CLOEXEC, protocol);

	if (fd < 0) {
		if (errno == EAFNOSUPPORT || errno == EPROTONOSUPPORT ||
		    errno == ESOCKTNOSUPPORT || errno == ENOPROTOOPT)
			return probe_missing(p, missing);
		return -errno;
	}
	(void)setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit));
	(void)setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
	return fd;
}

bool net_wait(int fd, short events, unsigned int ms)
{
	struct pollfd wait = {.fd = fd, .events = events};
	int64_t until = clock_ms() + ms;
	int n;

	do {
		int64_t left = until - clock_ms();

		n = poll(&wait, 1, left > 0 ? (int)left : 0);
	} while (n < 0 && errno == EINTR);
	return n == 1;
}

int net_connect(int fd, const struct sockaddr_storage *to, int len)
{
	int error = 0;
	socklen_t error_len = sizeof(error);

	if (connect(fd, (const struct sockaddr *)to, (socklen_t)len) == 0)
		return 0;
	/* Rings that are torn down interrupt it; it goes on by itself. */
	if (errno != EINTR)
		return -errno;
	if (!net_wait(fd, POLLOUT, SEND_TIMEOUT_S * 1000))
		return -ETIMEDOUT;
	if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &error_len) < 0)
		return -errno;
	return -error;
}

int net_send_many(int fd, const void *to, unsigned int to_len,
		  struct iovec *pieces, unsigned int count)
{
	struct mmsghdr msgs[MANY] = {0};
	int r;

	for (unsigned int i = 0; i < count; i++)
		msgs[i].msg_hdr = (struct msghdr){
			.msg_name = (void *)to,
			.msg_namelen = to_len,
			.msg_iov = &pieces[i],
			.msg_iovlen = 1,
		};
	net_pace(count);
	r = sendmmsg(fd, msgs, count, 0);
	return r < 0 ? -errno : r;
}

int net_mapped(struct probe *p, uint16_t port, struct sockaddr_storage *ret)
{
	struct sockaddr_in6 mapped = {
		.sin6_family = AF_INET6,
		.sin6_port = htons(port),
	};
	struct sockaddr_storage to;
	int len;

	len = net_address(p, false, port, &to);
	if (len < 0)
		return len;
	mapped.sin6_addr.s6_addr[10] = 0xff;
	mapped.sin6_addr.s6_addr[11] = 0xff;
	memcpy(&mapped.sin6_addr.s6_addr[12],
	       &((struct sockaddr_in *)&to)->sin_addr, 4);
	memset(ret, 0, sizeof(*ret));
	memcpy(ret, &mapped, sizeof(mapped));
	return sizeof(mapped);
}

/* Which address of ours the route to --to would use. */
static int own_address(struct probe *p, struct in_addr *ret)
{
	struct sockaddr_storage to;
	struct sockaddr_in own;
	socklen_t own_len = sizeof(own);
	int fd, len, r = 0;

	len = net_address(p, false, p->port, &to);
	if (len < 0)
		return len;
	fd = net_socket(p, AF_INET, SOCK_DGRAM, 0, "IPv4");
	if (fd < 0)
		return fd;
	r = net_connect(fd, &to, len);
	if (r == 0 && getsockname(fd, (struct sockaddr *)&own, &own_len) < 0)
		r = -errno;
	if (r == 0)
		*ret = own.sin_addr;
	(void)close(fd);
	return r;
}

int net_route(struct probe *p, uint32_t *ret_addr, int *ret_ifindex)
{
	struct ifaddrs *all, *i;
	struct in_addr own = {0};
	int index = 0, r;

	r = own_address(p, &own);
	if (r < 0)
		return r;
	if (p->dev) {
		index = (int)if_nametoindex(p->dev);
	} else if (getifaddrs(&all) == 0) {
		for (i = all; i; i = i->ifa_next) {
			struct sockaddr_in *a = (void *)i->ifa_addr;

			if (a && a->sin_family == AF_INET &&
			    a->sin_addr.s_addr == own.s_addr)
				index = (int)if_nametoindex(i->ifa_name);
		}
		freeifaddrs(all);
	}
	if (!index)
		return -ENODEV;
	*ret_addr = own.s_addr;
	*ret_ifindex = index;
	return 0;
}

void net_pace(unsigned int datagrams)
{
	static unsigned int sent;
	struct timespec pause = {.tv_nsec = PACE_NS};

	sent += datagrams;
	if (sent < PACE_EVERY)
		return;
	sent = 0;
	(void)nanosleep(&pause, NULL);
}
