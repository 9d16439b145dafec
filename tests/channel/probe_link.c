// SPDX-License-Identifier: GPL-2.0-only
/*
 * Ways out below IP: packet sockets, XDP and TUN. None of them passes the
 * egress meter, so a guard has to refuse them to a holder.
 *
 * Frames carry a struct wire_frame and go to every station, or a whole UDP
 * datagram for the sink's port where an ordinary receiver should take them.
 */
#include "probe.h"
#include "wire.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <linux/if_tun.h>
#include <linux/if_xdp.h>
#include <net/if.h>
#include <netinet/in.h>
#include <netinet/ip.h>
#include <netinet/udp.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#define FRAME_MAX   2048
#define SOURCE_PORT 40253
#define TUN_OWN	    "10.255.77.1"
#define XDP_FRAMES  8u
#define TX_BLOCK    4096u
#define TX_FRAMES   2u

#ifndef AF_XDP
#	define AF_XDP 44
#endif
#ifndef SOL_XDP
#	define SOL_XDP 283
#endif

/* The interface towards --to. One a run. */
static struct {
	int index;
	uint8_t mac[ETH_ALEN];
	uint32_t own; /* network order */
	uint32_t to;
} link_to;

static const uint8_t everyone[ETH_ALEN] = {
	0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
};

static int find_link(struct probe *p)
{
	struct sockaddr_storage to;
	struct ifreq req = {0};
	int fd, r;

	r = net_address(p, false, p->port, &to);
	if (r < 0)
		return r;
	link_to.to = ((struct sockaddr_in *)&to)->sin_addr.s_addr;
	r = net_route(p, &link_to.own, &link_to.index);
	if (r < 0)
		return r;
	if (!if_indextoname((unsigned int)link_to.index, req.ifr_name))
		return -errno;
	fd = net_socket(p, AF_INET, SOCK_DGRAM, 0, "IPv4");
	if (fd < 0)
		return fd;
	if (ioctl(fd, SIOCGIFHWADDR, &req) < 0)
		r = -errno;
	else
		memcpy(link_to.mac, req.ifr_hwaddr.sa_data, ETH_ALEN);
	(void)close(fd);
	return r;
}

/* ---- frames ---- */

static size_t put_wire_frame(uint8_t *at, const uint8_t *d, size_t n)
{
	struct wire_frame head = {.len = {(uint8_t)(n >> 8), (uint8_t)n}};

	memcpy(head.magic, WIRE_FRAME_MAGIC, sizeof(head.magic));
	memcpy(at, &head, sizeof(head));
	memcpy(at + sizeof(head), d, n);
	return sizeof(head) + n;
}

static size_t put_ethernet(uint8_t *at, uint16_t type)
{
	struct ethhdr head = {.h_proto = htons(type)};

	memcpy(head.h_dest, everyone, ETH_ALEN);
	memcpy(head.h_source, link_to.mac, ETH_ALEN);
	memcpy(at, &head, sizeof(head));
	return sizeof(head);
}

static size_t put_marked_ethernet(uint8_t *at, const uint8_t *d, size_t n)
{
	size_t head = put_ethernet(at, WIRE_ETHERTYPE);

	return head + put_wire_frame(at + head, d, n);
}

static size_t put_ip_udp(const struct probe *p, uint8_t *at, uint32_t from,
			 const uint8_t *d, size_t n)
{
	struct iphdr ip = {
		.version = 4,
		.ihl = sizeof(ip) / 4,
		.tot_len = htons(
			(uint16_t)(sizeof(ip) + sizeof(struct udphdr) + n)),
		.ttl = 64,
		.protocol = IPPROTO_UDP,
		.saddr = from,
		.daddr = link_to.to,
	};
	struct udphdr udp = {
		.source = htons(SOURCE_PORT),
		.dest = htons(p->port),
		.len = htons((uint16_t)(sizeof(udp) + n)),
	};

	ip.check = wire_checksum(&ip, sizeof(ip));
	memcpy(at, &ip, sizeof(ip));
	memcpy(at + sizeof(ip), &udp, sizeof(udp));
	memcpy(at + sizeof(ip) + sizeof(udp), d, n);
	return sizeof(ip) + sizeof(udp) + n;
}

/* ---- packet sockets ---- */

static int packet_socket(struct probe *p, int type)
{
	int r = find_link(p);

	if (r < 0)
		return r;
	return net_socket(p, AF_PACKET, type, 0, "packet sockets");
}

static struct sockaddr_ll link_address(uint16_t type)
{
	struct sockaddr_ll to = {
		.sll_family = AF_PACKET,
		.sll_protocol = htons(type),
		.sll_ifindex = link_to.index,
		.sll_halen = ETH_ALEN,
	};

	memcpy(to.sll_addr, everyone, ETH_ALEN);
	return to;
}

static ssize_t send_frame(int fd, const void *frame, size_t len, uint16_t type,
			  size_t payload)
{
	struct sockaddr_ll to = link_address(type);

	net_pace(1);
	if (sendto(fd, frame, len, 0, (struct sockaddr *)&to, sizeof(to)) < 0)
		return -errno;
	return (ssize_t)payload;
}

int connect_packet(struct probe *p)
{
	return packet_socket(p, SOCK_DGRAM);
}

ssize_t step_packet(struct probe *p, int fd, const uint8_t *d, size_t n)
{
	uint8_t frame[FRAME_MAX];
	size_t len = put_wire_frame(frame, d, n);

	(void)p;
	return send_frame(fd, frame, len, WIRE_ETHERTYPE, n);
}

ssize_t step_packet_sendmmsg(struct probe *p, int fd, const uint8_t *d,
			     size_t n)
{
	static uint8_t frames[MANY][FRAME_MAX];
	struct sockaddr_ll to = link_address(WIRE_ETHERTYPE);
	struct iovec pieces[MANY];
	unsigned int count = 0;
	ssize_t sum = 0;
	int r;

	(void)p;
	for (size_t at = 0; at < n && count < MANY; count++) {
		size_t each = n - at < DATAGRAM_BYTES ? n - at : DATAGRAM_BYTES;

		pieces[count].iov_base = frames[count];
		pieces[count].iov_len =
			put_wire_frame(frames[count], d + at, each);
		at += each;
	}
	r = net_send_many(fd, &to, sizeof(to), pieces, count);
	for (int i = 0; i < r; i++)
		sum += (ssize_t)(pieces[i].iov_len - sizeof(struct wire_frame));
	return r < 0 ? r : sum;
}

int connect_packet_raw(struct probe *p)
{
	return packet_socket(p, SOCK_RAW);
}

ssize_t step_packet_raw(struct probe *p, int fd, const uint8_t *d, size_t n)
{
	uint8_t frame[FRAME_MAX];
	size_t len = put_ethernet(frame, ETH_P_IP);

	len += put_ip_udp(p, frame + len, link_to.own, d, n);
	return send_frame(fd, frame, len, ETH_P_IP, n);
}

int connect_packet_bypass(struct probe *p)
{
	int fd = packet_socket(p, SOCK_RAW), one = 1;

	if (fd >= 0 && setsockopt(fd, SOL_PACKET, PACKET_QDISC_BYPASS, &one,
				  sizeof(one)) < 0) {
		(void)close(fd);
		return probe_missing(p, "PACKET_QDISC_BYPASS");
	}
	return fd;
}

ssize_t step_packet_bypass(struct probe *p, int fd, const uint8_t *d, size_t n)
{
	uint8_t frame[FRAME_MAX];
	size_t len = put_marked_ethernet(frame, d, n);

	(void)p;
	return send_frame(fd, frame, len, WIRE_ETHERTYPE, n);
}

static uint8_t *tx_ring;

int connect_packet_ring(struct probe *p)
{
	struct tpacket_req req = {
		.tp_block_size = TX_BLOCK,
		.tp_block_nr = 1,
		.tp_frame_size = TX_BLOCK / TX_FRAMES,
		.tp_frame_nr = TX_FRAMES,
	};
	struct sockaddr_ll own = {
		.sll_family = AF_PACKET,
		.sll_protocol = htons(WIRE_ETHERTYPE),
	};
	int fd = packet_socket(p, SOCK_RAW), version = TPACKET_V2, r;

	if (fd < 0)
		return fd;
	own.sll_ifindex = link_to.index;
	if (setsockopt(fd, SOL_PACKET, PACKET_VERSION, &version,
		       sizeof(version)) < 0 ||
	    setsockopt(fd, SOL_PACKET, PACKET_TX_RING, &req, sizeof(req)) < 0 ||
	    bind(fd, (struct sockaddr *)&own, sizeof(own)) < 0)
		goto fail;
	tx_ring =
		mmap(NULL, TX_BLOCK, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (tx_ring != MAP_FAILED)
		return fd;
fail:
	r = -errno;
	(void)close(fd);
	return r;
}

/* The system call names no byte: they are in the map already. */
ssize_t step_packet_ring(struct probe *p, int fd, const uint8_t *d, size_t n)
{
	static unsigned int next;
	uint8_t *at = tx_ring + next * (TX_BLOCK / TX_FRAMES);
	volatile struct tpacket2_hdr *head = (void *)at;
	size_t len;

	(void)p;
	len = put_marked_ethernet(
		at + TPACKET2_HDRLEN - sizeof(struct sockaddr_ll), d, n);
	head->tp_len = (unsigned int)len;
	__sync_synchronize();
	head->tp_status = TP_STATUS_SEND_REQUEST;
	next = (next + 1) % TX_FRAMES;
	net_pace(1);
	if (send(fd, NULL, 0, 0) < 0)
		return -errno;
	return (ssize_t)n;
}

/* ---- XDP ---- */

struct xdp_ring {
	uint32_t *producer;
	uint32_t *consumer;
	void *slots;
};

static struct {
	uint8_t *frames;
	struct xdp_ring tx, completion;
	uint32_t sent;
} xsk;

static int map_ring(int fd, const struct xdp_ring_offset *off, size_t slot,
		    off_t page, struct xdp_ring *ret)
{
	uint8_t *map = mmap(NULL, off->desc + XDP_FRAMES * slot,
			    PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE,
			    fd, page);

	if (map == MAP_FAILED)
		return -errno;
	ret->producer = (void *)(map + off->producer);
	ret->consumer = (void *)(map + off->consumer);
	ret->slots = map + off->desc;
	return 0;
}

static int set_xdp(int fd, int option, const void *value, socklen_t len)
{
	return setsockopt(fd, SOL_XDP, option, value, len) < 0 ? -errno : 0;
}

static int register_frames(int fd)
{
	struct xdp_umem_reg reg = {
		.len = XDP_FRAMES * FRAME_MAX,
		.chunk_size = FRAME_MAX,
	};
	uint32_t size = XDP_FRAMES;
	int r;

	xsk.frames = mmap(NULL, reg.len, PROT_READ | PROT_WRITE,
			  MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (xsk.frames == MAP_FAILED)
		return -errno;
	reg.addr = (uintptr_t)xsk.frames;
	r = set_xdp(fd, XDP_UMEM_REG, &reg, sizeof(reg));
	if (r == 0)
		r = set_xdp(fd, XDP_UMEM_FILL_RING, &size, sizeof(size));
	if (r == 0)
		r = set_xdp(fd, XDP_UMEM_COMPLETION_RING, &size, sizeof(size));
	if (r == 0)
		r = set_xdp(fd, XDP_TX_RING, &size, sizeof(size));
	return r;
}

static int map_rings(int fd)
{
	struct xdp_mmap_offsets off;
	socklen_t len = sizeof(off);
	int r;

	if (getsockopt(fd, SOL_XDP, XDP_MMAP_OFFSETS, &off, &len) < 0)
		return -errno;
	r = map_ring(fd, &off.tx, sizeof(struct xdp_desc), XDP_PGOFF_TX_RING,
		     &xsk.tx);
	if (r == 0)
		r = map_ring(fd, &off.cr, sizeof(uint64_t),
			     (off_t)XDP_UMEM_PGOFF_COMPLETION_RING,
			     &xsk.completion);
	return r;
}

int connect_xdp(struct probe *p)
{
	struct sockaddr_xdp own = {
		.sxdp_family = AF_XDP,
		.sxdp_flags = XDP_COPY,
	};
	int fd, r;

	r = find_link(p);
	if (r < 0)
		return r;
	fd = net_socket(p, AF_XDP, SOCK_RAW, 0, "AF_XDP");
	if (fd < 0)
		return fd;
	r = register_frames(fd);
	if (r == 0)
		r = map_rings(fd);
	own.sxdp_ifindex = (uint32_t)link_to.index;
	if (r == 0 && bind(fd, (struct sockaddr *)&own, sizeof(own)) < 0)
		r = errno == EOPNOTSUPP
			    ? probe_missing(p, "AF_XDP on this interface")
			    : -errno;
	if (r == 0)
		return fd;
	(void)close(fd);
	return r;
}

/* Has the kernel send what is in the ring, and waits until it did. */
static int kick_xdp(const struct probe *p, int fd)
{
	for (unsigned int ms = 0; ms <= p->wait_ms; ms++) {
		if (sendto(fd, NULL, 0, MSG_DONTWAIT, NULL, 0) < 0 &&
		    errno != EAGAIN && errno != EBUSY && errno != ENOBUFS)
			return -errno;
		if (__atomic_load_n(xsk.completion.producer,
				    __ATOMIC_ACQUIRE) == xsk.sent)
			return 0;
		(void)poll(NULL, 0, 1);
	}
	return -ETIMEDOUT;
}

ssize_t step_xdp(struct probe *p, int fd, const uint8_t *d, size_t n)
{
	uint32_t slot = xsk.sent % XDP_FRAMES;
	uint64_t at = (uint64_t)slot * FRAME_MAX;
	struct xdp_desc *desc = (struct xdp_desc *)xsk.tx.slots + slot;
	int r;

	*desc = (struct xdp_desc){
		.addr = at,
		.len = (uint32_t)put_marked_ethernet(xsk.frames + at, d, n),
	};
	xsk.sent++;
	__atomic_store_n(xsk.tx.producer, xsk.sent, __ATOMIC_RELEASE);
	r = kick_xdp(p, fd);
	__atomic_store_n(
		xsk.completion.consumer,
		__atomic_load_n(xsk.completion.producer, __ATOMIC_ACQUIRE),
		__ATOMIC_RELEASE);
	return r < 0 ? r : (ssize_t)n;
}

/* ---- TUN ---- */

static uint32_t tun_from; /* who the packets say sent them */

static int set_interface_address(int fd, struct ifreq *req, unsigned long what,
				 uint32_t address)
{
	struct sockaddr_in a = {
		.sin_family = AF_INET,
		.sin_addr.s_addr = address,
	};

	memcpy(&req->ifr_addr, &a, sizeof(a));
	return ioctl(fd, what, req) < 0 ? -errno : 0;
}

/* The packets come from a neighbour of ours that lives behind the device. */
static int tun_up(struct probe *p, struct ifreq *req)
{
	int fd, r;

	fd = net_socket(p, AF_INET, SOCK_DGRAM, 0, "IPv4");
	if (fd < 0)
		return fd;
	r = set_interface_address(fd, req, SIOCSIFADDR, inet_addr(TUN_OWN));
	if (r == 0)
		r = set_interface_address(fd, req, SIOCSIFDSTADDR, tun_from);
	if (r == 0) {
		req->ifr_flags = IFF_UP | IFF_RUNNING;
		if (ioctl(fd, SIOCSIFFLAGS, req) < 0)
			r = -errno;
	}
	(void)close(fd);
	return r;
}

static int allow_forwarding(void)
{
	int fd = open("/proc/sys/net/ipv4/ip_forward", O_WRONLY | O_CLOEXEC);
	int r = 0;

	if (fd < 0)
		return -errno;
	if (write(fd, "1\n", 2) != 2)
		r = -errno;
	(void)close(fd);
	return r;
}

int connect_tun(struct probe *p)
{
	struct ifreq req = {.ifr_flags = IFF_TUN | IFF_NO_PI};
	int fd, r;

	r = find_link(p);
	if (r < 0)
		return r;
	tun_from = link_to.own ^ htonl(0x40);
	if (tun_from == link_to.to)
		tun_from = link_to.own ^ htonl(0x20);
	fd = open("/dev/net/tun", O_RDWR | O_CLOEXEC);
	if (fd < 0)
		return errno == ENOENT || errno == ENODEV
			       ? probe_missing(p, "/dev/net/tun")
			       : -errno;
	if (ioctl(fd, TUNSETIFF, &req) < 0)
		r = -errno;
	if (r == 0)
		r = tun_up(p, &req);
	if (r == 0)
		r = allow_forwarding();
	if (r == 0)
		return fd;
	(void)close(fd);
	return r;
}

ssize_t step_tun(struct probe *p, int fd, const uint8_t *d, size_t n)
{
	uint8_t packet[FRAME_MAX];
	size_t len = put_ip_udp(p, packet, tun_from, d, n);

	net_pace(1);
	if (write(fd, packet, len) < 0)
		return -errno;
	return (ssize_t)n;
}
