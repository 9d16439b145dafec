// SPDX-License-Identifier: GPL-2.0-only
#include "names_seen.h"

#include <arpa/nameser.h>
#include <ctype.h>
#include <errno.h>
#include <linux/filter.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <netinet/in.h>
#include <netinet/ip.h>
#include <netinet/ip6.h>
#include <netinet/udp.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "fd.h"

#define PACKET_MAX \
	4096	       /* more than resolvers ask for: RFC 6891, DNS flag day */
#define READS_MAX   32 /* of one socket at a time, */
#define REST_NS	    50000000 /* and then it waits for so long */
#define ADDRS_MAX   32	     /* of an answer: more are there to take time */
#define QUEUE_BYTES 65536
#define DNS_PORT    53

struct name_seen {
	uint8_t addr[16]; /* all 0: the place is free */
	char name[NAMES_SEEN_CHARS_MAX];
};

struct names_seen {
	struct name_seen at[NAMES_SEEN_MAX];
	size_t next; /* that is written anew */
	int fds[2];  /* of IPv4 and IPv6; -1: none */
	int timer_fd;
	int epoll_fd;
};

int names_seen_new(struct names_seen **ret_seen)
{
	struct names_seen *seen = calloc(1, sizeof(*seen));

	if (!seen)
		return -ENOMEM;
	seen->fds[0] = seen->fds[1] = seen->timer_fd = seen->epoll_fd = -1;
	*ret_seen = seen;
	return 0;
}

void names_seen_free(struct names_seen *seen)
{
	if (!seen)
		return;
	close_fd(seen->fds[0]);
	close_fd(seen->fds[1]);
	close_fd(seen->timer_fd);
	close_fd(seen->epoll_fd);
	free(seen);
}

/* ---- what is known ------------------------------------------------------ */

/* NULL: the address is not there. */
static const struct name_seen *find(const struct names_seen *seen,
				    const uint8_t addr[16])
{
	for (size_t i = 0; i < NAMES_SEEN_MAX; i++)
		if (memcmp(seen->at[i].addr, addr, 16) == 0)
			return &seen->at[i];
	return NULL;
}

static struct name_seen *place_of(struct names_seen *seen,
				  const uint8_t addr[16])
{
	const struct name_seen *found = find(seen, addr);
	struct name_seen *place;

	if (found)
		return &seen->at[found - seen->at];
	place = &seen->at[seen->next];
	seen->next = (seen->next + 1) % NAMES_SEEN_MAX;
	memcpy(place->addr, addr, 16);
	return place;
}

const char *names_seen_find(const struct names_seen *seen,
			    const uint8_t addr[16])
{
	static const uint8_t none[16];
	const struct name_seen *found = NULL;

	if (seen && memcmp(addr, none, sizeof(none)) != 0)
		found = find(seen, addr);
	return found ? found->name : NULL;
}

/* ---- answers ------------------------------------------------------------ */

/* The address that the record answers; false: it is of another kind. */
static bool address_of(const ns_rr *record, uint8_t ret_addr[16])
{
	static const uint8_t none[16];
	static const uint8_t v4[12] = {[10] = 0xff, [11] = 0xff};

	if (ns_rr_class(*record) != ns_c_in)
		return false;
	if (ns_rr_type(*record) == ns_t_a && ns_rr_rdlen(*record) == 4) {
		memcpy(ret_addr, v4, sizeof(v4));
		memcpy(ret_addr + sizeof(v4), ns_rr_rdata(*record), 4);
		return true;
	}
	if (ns_rr_type(*record) != ns_t_aaaa || ns_rr_rdlen(*record) != 16)
		return false;
	memcpy(ret_addr, ns_rr_rdata(*record), 16);
	return memcmp(ret_addr, none, sizeof(none)) != 0;
}

/* ns_rr_name() has escaped what cannot be printed, and so made it longer,
 * perhaps: the end of a name tells whose it is, so that stays. */
static void copy_name(char to[NAMES_SEEN_CHARS_MAX], const char *name)
{
	size_t len = strlen(name), i;

	if (len >= NAMES_SEEN_CHARS_MAX)
		name += len - (NAMES_SEEN_CHARS_MAX - 1);
	for (i = 0; i < NAMES_SEEN_CHARS_MAX - 1 && name[i]; i++)
		to[i] = (char)tolower((unsigned char)name[i]);
	to[i] = '\0';
}

/* An alias leads elsewhere: the name is the one that was asked for. */
static void take_answer(struct names_seen *seen, const uint8_t *message,
			size_t size)
{
	uint8_t addr[16];
	ns_msg parsed;
	ns_rr asked, record;
	int taken = 0;

	if (ns_initparse(message, (int)size, &parsed) < 0 ||
	    !ns_msg_getflag(parsed, ns_f_qr) ||
	    ns_msg_getflag(parsed, ns_f_rcode) != ns_r_noerror ||
	    ns_msg_count(parsed, ns_s_qd) != 1 ||
	    ns_parserr(&parsed, ns_s_qd, 0, &asked) < 0)
		return;
	for (int i = 0; i < ns_msg_count(parsed, ns_s_an); i++) {
		if (taken == ADDRS_MAX ||
		    ns_parserr(&parsed, ns_s_an, i, &record) < 0)
			return;
		if (!address_of(&record, addr))
			continue;
		copy_name(place_of(seen, addr)->name, ns_rr_name(asked));
		taken++;
	}
}

/* Where the UDP header begins, at most size; 0: there is none. */
static size_t udp_of(const uint8_t *packet, size_t size)
{
	struct ip6_hdr v6;
	struct ip v4;

	if (size < sizeof(v4))
		return 0;
	memcpy(&v4, packet, sizeof(v4));
	if (v4.ip_v == 4)
		return v4.ip_p == IPPROTO_UDP &&
				       !(ntohs(v4.ip_off) & IP_OFFMASK) &&
				       v4.ip_hl >= 5
			       ? (size_t)v4.ip_hl * 4
			       : 0;
	if (v4.ip_v != 6 || size < sizeof(v6))
		return 0;
	memcpy(&v6, packet, sizeof(v6));
	return v6.ip6_nxt == IPPROTO_UDP ? sizeof(v6) : 0;
}

void names_seen_take(struct names_seen *seen, const uint8_t *packet,
		     size_t size)
{
	size_t at = udp_of(packet, size);
	struct udphdr udp;

	if (!at || size < at + sizeof(udp))
		return;
	memcpy(&udp, packet + at, sizeof(udp));
	at += sizeof(udp);
	if (ntohs(udp.uh_sport) == DNS_PORT)
		take_answer(seen, packet + at, size - at);
}

/* ---- sockets ------------------------------------------------------------ */

/* What comes from port 53 by UDP, of either version. */
static int filter(int fd)
{
	struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_B | BPF_ABS, 0),
		BPF_STMT(BPF_ALU | BPF_AND | BPF_K, 0xf0),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 0x60, 7, 0),
		BPF_STMT(BPF_LD | BPF_B | BPF_ABS, offsetof(struct ip, ip_p)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, IPPROTO_UDP, 0, 9),
		BPF_STMT(BPF_LD | BPF_H | BPF_ABS, offsetof(struct ip, ip_off)),
		BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, IP_OFFMASK, 7, 0),
		BPF_STMT(BPF_LDX | BPF_B | BPF_MSH, 0),
		BPF_STMT(BPF_LD | BPF_H | BPF_IND, 0),
		BPF_JUMP(BPF_JMP | BPF_JA, 3, 0, 0),
		BPF_STMT(BPF_LD | BPF_B | BPF_ABS,
			 offsetof(struct ip6_hdr, ip6_nxt)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, IPPROTO_UDP, 0, 2),
		BPF_STMT(BPF_LD | BPF_H | BPF_ABS, sizeof(struct ip6_hdr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, DNS_PORT, 1, 0),
		BPF_STMT(BPF_RET | BPF_K, 0),
		BPF_STMT(BPF_RET | BPF_K, PACKET_MAX),
	};
	struct sock_fprog program = {sizeof(code) / sizeof(code[0]), code};

	return setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &program,
			  sizeof(program));
}

/* Only what comes in: what goes out would be looked at a second time. */
static int open_socket(int protocol)
{
	const struct sockaddr_ll all = {
		.sll_family = AF_PACKET,
		.sll_protocol = htons((uint16_t)protocol),
	};
	const int bytes = QUEUE_BYTES;
	int fd, r;

	fd = socket(AF_PACKET, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return -errno;
	if (filter(fd) < 0 ||
	    setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &bytes, sizeof(bytes)) < 0 ||
	    bind(fd, (const struct sockaddr *)&all, sizeof(all)) < 0) {
		r = -errno;
		(void)close(fd);
		return r;
	}
	return fd;
}

static int watch(struct names_seen *seen, int op, int fd, uint32_t events)
{
	struct epoll_event event = {.events = events, .data.fd = fd};

	return epoll_ctl(seen->epoll_fd, op, fd, &event) < 0 ? -errno : 0;
}

int names_seen_listen(struct names_seen *seen)
{
	static const int protocols[2] = {ETH_P_IP, ETH_P_IPV6};
	int r;

	seen->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	seen->timer_fd =
		timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
	if (seen->epoll_fd < 0 || seen->timer_fd < 0)
		return -errno;
	r = watch(seen, EPOLL_CTL_ADD, seen->timer_fd, EPOLLIN);
	for (int i = 0; !r && i < 2; i++) {
		seen->fds[i] = open_socket(protocols[i]);
		r = seen->fds[i] < 0 ? seen->fds[i]
				     : watch(seen, EPOLL_CTL_ADD, seen->fds[i],
					     EPOLLIN | EPOLLONESHOT);
	}
	return r;
}

int names_seen_fd(const struct names_seen *seen)
{
	return seen->epoll_fd;
}

static void read_some(struct names_seen *seen, int fd)
{
	const struct itimerspec rest = {.it_value.tv_nsec = REST_NS};
	uint8_t packet[PACKET_MAX];
	ssize_t n;

	for (int i = 0; i < READS_MAX; i++) {
		n = recv(fd, packet, sizeof(packet), 0);
		/* An interface went away, which is told once. */
		if (n < 0 && errno != ENETDOWN)
			break;
		if (n > 0)
			names_seen_take(seen, packet, (size_t)n);
	}
	(void)timerfd_settime(seen->timer_fd, 0, &rest, NULL);
}

static void rest_is_over(struct names_seen *seen)
{
	uint64_t times;

	(void)!read(seen->timer_fd, &times, sizeof(times));
	for (int i = 0; i < 2; i++)
		(void)watch(seen, EPOLL_CTL_MOD, seen->fds[i],
			    EPOLLIN | EPOLLONESHOT);
}

void names_seen_read(struct names_seen *seen)
{
	struct epoll_event events[3];
	int n;

	n = epoll_wait(seen->epoll_fd, events, 3, 0);
	for (int i = 0; i < n; i++) {
		if (events[i].data.fd == seen->timer_fd)
			rest_is_over(seen);
		else
			read_some(seen, events[i].data.fd);
	}
}
