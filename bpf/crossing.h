/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * crossing.h - what goes from one network of the host to another: a container
 * and its host, two containers.
 *
 * Where it leaves (egress) nobody can say who will take it: bridges, routes and
 * translations of addresses lie between. So the end that makes the connection
 * its own, which is the one whose port the kernel chose, is noted as a carrier,
 * and who takes something asks for both ends as it sees them. The other end is
 * a server's, as a rule, and has many who talk to it. A translation changes the
 * server's end; one that changes the other is not seen through.
 *
 * Only what leaves by a device without hardware is noted, for the rest leaves
 * the host. How long it takes on its way nobody tells either, so what was noted
 * stays as long as it is said again, and some time longer. When it goes (the
 * agent calls crossing_sweep), what still waits in a socket is noted there.
 */
#ifndef CORDON_CROSSING_H
#define CORDON_CROSSING_H

/* No kernel address: what is left is a hash. See carry.h for the low bits. */
#define CROSSING_KEY	  0x4352000000000000ULL
#define CROSSING_KEY_MASK 0x0000fffffffffffcULL

/* net/ipv4/af_inet.c: where the ports begin that the kernel chooses. */
#define EPHEMERAL_PORT 32768

/* It is said again at most so often, and forgotten so much later; while there
 * are connections that nobody has accepted yet, after an hour. */
#define CROSSING_AGAIN_NS  1000000000ULL
#define CROSSING_OLD_NS	   (10 * CROSSING_AGAIN_NS)
#define CROSSING_LATEST_NS (3600 * CROSSING_AGAIN_NS)

/* Datagrams of a socket that are looked at. */
#define CROSSING_WAITING 128

/* One end of a connection, or of a datagram's way; network order. */
struct peer {
	__u8 addr[16];
	__u16 port;
} __attribute__((aligned(8)));

struct ends {
	struct peer from;
	struct peer to;
	__u32 protocol;
	__u32 pad;
};

static __always_inline void peer_v4(struct peer *peer, __u32 addr)
{
	__builtin_memset(peer->addr, 0, 10);
	peer->addr[10] = 0xff;
	peer->addr[11] = 0xff;
	__builtin_memcpy(peer->addr + 12, &addr, 4);
}

static __always_inline int is_ephemeral(const struct peer *peer)
{
	return bpf_ntohs(peer->port) >= EPHEMERAL_PORT;
}

static __always_inline __u64 crossing_mix(__u64 h)
{
	return (h ^ h >> 32) * 0x9e3779b97f4a7c15ULL;
}

/* What stands for an end in `carriers'. @to: the one that receives. */
static __noinline __u64 crossing_key(const struct ends *ends, int to)
{
	const struct peer *peer = to ? &ends->to : &ends->from;
	const __u64 *addr = (const __u64 *)peer->addr;
	__u64 h = (__u64)peer->port << 32 | ends->protocol << 1 | !!to;

	h = crossing_mix(h);
	h = crossing_mix(h ^ addr[0]);
	h = crossing_mix(h ^ addr[1]);
	return CROSSING_KEY | ((h ^ h >> 32) & CROSSING_KEY_MASK);
}

/* ---- who sends --------------------------------------------------------- */

/*
 * Notes that the end carries what is in the holding @from. Returns 0, or -1 if
 * that cannot be noted.
 */
static __noinline int crossing_note_end(__u64 key, __u64 from, __u64 now)
{
	struct crossing new = {.noted_ns = now};
	struct crossing *c = bpf_map_lookup_elem(&crossings, &key);

	if (!c) {
		if (!__sync_fetch_and_add(&state.crossings, 1))
			dirty_tell(); /* for the agent to sweep */
		if (bpf_map_update_elem(&crossings, &key, &new, BPF_NOEXIST))
			__sync_fetch_and_sub(&state.crossings, 1);
		c = bpf_map_lookup_elem(&crossings, &key);
	}
	if (!c) {
		__sync_fetch_and_add(&state.faults[FAULT_CARRIER_FULL], 1);
		return -1;
	}
	if (carry_on(key, from))
		return -1;
	__sync_lock_test_and_set(&c->noted_ns, now);
	/* Else it is being forgotten just now: see crossing_forget(). */
	return bpf_map_lookup_elem(&crossings, &key) == c ? 0 : -1;
}

/* What is noted of both ends, 0: nothing. */
static __always_inline void crossing_keys(const struct ends *ends,
					  __u64 *ret_from, __u64 *ret_to)
{
	*ret_to = is_ephemeral(&ends->to) ? crossing_key(ends, 1) : 0;
	*ret_from = !*ret_to || is_ephemeral(&ends->from)
			    ? crossing_key(ends, 0)
			    : 0;
}

/* ---- who receives ------------------------------------------------------ */

/* The ends of a TCP socket, as the receiver of what comes in. */
static __noinline int ends_of_tcp(const struct sock *sk, struct ends *ret)
{
	struct in6_addr v6;

	ret->protocol = IPPROTO_TCP;
	ret->from.port = BPF_CORE_READ(sk, __sk_common.skc_dport);
	ret->to.port = bpf_htons(BPF_CORE_READ(sk, __sk_common.skc_num));
	if (BPF_CORE_READ(sk, __sk_common.skc_family) == AF_INET) {
		peer_v4(&ret->from, BPF_CORE_READ(sk, __sk_common.skc_daddr));
		peer_v4(&ret->to, BPF_CORE_READ(sk, __sk_common.skc_rcv_saddr));
		return 0;
	}
	v6 = BPF_CORE_READ(sk, __sk_common.skc_v6_daddr);
	__builtin_memcpy(ret->from.addr, &v6, 16);
	v6 = BPF_CORE_READ(sk, __sk_common.skc_v6_rcv_saddr);
	__builtin_memcpy(ret->to.addr, &v6, 16);
	return 0;
}

/* Of a datagram, by its headers. -1: they are not there. */
static __noinline int ends_of_udp(const struct sk_buff *skb, struct ends *ret)
{
	const void *head = BPF_CORE_READ(skb, head);
	const void *ip = head + BPF_CORE_READ(skb, network_header);
	const void *udp = head + BPF_CORE_READ(skb, transport_header);
	__u16 protocol = BPF_CORE_READ(skb, protocol), ports[2];
	struct ipv6hdr v6;
	struct iphdr v4;

	ret->protocol = IPPROTO_UDP;
	if (bpf_probe_read_kernel(ports, sizeof(ports), udp))
		return -1;
	ret->from.port = ports[0];
	ret->to.port = ports[1];
	if (protocol == bpf_htons(ETH_P_IP)) {
		if (bpf_probe_read_kernel(&v4, sizeof(v4), ip))
			return -1;
		peer_v4(&ret->from, v4.saddr);
		peer_v4(&ret->to, v4.daddr);
		return 0;
	}
	if (protocol != bpf_htons(ETH_P_IPV6) ||
	    bpf_probe_read_kernel(&v6, sizeof(v6), ip))
		return -1;
	__builtin_memcpy(ret->from.addr, &v6.saddr, 16);
	__builtin_memcpy(ret->to.addr, &v6.daddr, 16);
	return 0;
}

/* Does the end carry something? Most end here. */
static __always_inline int crossing_carries(__u64 key)
{
	return state.carriers[carrier_place(key)] != 0;
}

/* The current process takes @bytes of what went from end to end. */
static __always_inline int crossed_in(const struct ends *ends, __u64 bytes,
				      int again)
{
	struct carry carry = {
		.bytes = bytes, .again = again, .kind = STEP_CROSSING};
	int to;

#pragma clang loop unroll(disable)
	for (to = 0; to < 2; to++) {
		carry.object = crossing_key(ends, to);
		if (crossing_carries(carry.object))
			carry_in(&carry);
	}
	return 0;
}

static __always_inline int crossed_in_tcp(const struct sock *sk, __u64 bytes,
					  int again)
{
	__u32 family = BPF_CORE_READ(sk, __sk_common.skc_family);
	struct ends ends = {};

	if ((family != AF_INET && family != AF_INET6) ||
	    BPF_CORE_READ(sk, sk_protocol) != IPPROTO_TCP)
		return 0;
	ends_of_tcp(sk, &ends);
	return crossed_in(&ends, bytes, again);
}

static __always_inline int crossed_in_udp(const struct sk_buff *skb, int again)
{
	struct ends ends = {};

	if (ends_of_udp(skb, &ends))
		return 0;
	return crossed_in(&ends, BPF_CORE_READ(skb, len), again);
}

/* ---- what is forgotten ------------------------------------------------- */

/* What went from end to end waits in the socket: it carries that itself now. */
static __always_inline int crossed_waits(const struct ends *ends, __u64 sk)
{
	__u64 key, from;
	int to;

#pragma clang loop unroll(disable)
	for (to = 0; to < 2; to++) {
		key = crossing_key(ends, to);
		from = crossing_carries(key) ? carried_at(key) : 0;
		if (from && carry_on(sk, from))
			state.crossing_waits = 1;
	}
	return 0;
}

/* The datagrams of a queue, one after the other. */
struct queued {
	const struct sk_buff *skb;
	const struct sk_buff_head *queue;
	__u64 sk;
};

static long datagram_waits(__u32 i, struct queued *q)
{
	const struct sk_buff *skb = q->skb;
	struct ends ends = {};

	if ((const void *)skb == q->queue)
		return 1;
	if (!ends_of_udp(skb, &ends))
		crossed_waits(&ends, q->sk);
	q->skb = BPF_CORE_READ(skb, next);
	return 0;
}

static __always_inline int queue_waits(const struct sk_buff_head *queue,
				       __u64 sk)
{
	struct queued q = {.queue = queue, .sk = sk};

	q.skb = BPF_CORE_READ(queue, next);
	bpf_loop(CROSSING_WAITING, datagram_waits, &q, 0);
	if ((const void *)q.skb != queue)
		state.crossing_waits = 1;
	return 0;
}

static __always_inline int socket_waits(const struct sock *sk)
{
	__u32 family = BPF_CORE_READ(sk, __sk_common.skc_family);
	__u32 protocol = BPF_CORE_READ(sk, sk_protocol);
	const struct udp_sock *udp = (const void *)sk;
	__u32 type = BPF_CORE_READ(sk, sk_type);
	struct ends ends = {};

	if (family != AF_INET && family != AF_INET6)
		return 0;
	/* Raw sockets have protocols too. */
	if (type == SOCK_DGRAM && protocol == IPPROTO_UDP) {
		queue_waits(&sk->sk_receive_queue, number_of(sk));
		return queue_waits(&udp->reader_queue, number_of(sk));
	}
	if (type != SOCK_STREAM || protocol != IPPROTO_TCP)
		return 0;
	if (BPF_CORE_READ(sk, __sk_common.skc_state) == TCP_LISTEN) {
		if (BPF_CORE_READ(sk, sk_ack_backlog))
			state.crossing_waits = 1;
		return 0;
	}
	if (!BPF_CORE_READ(sk, sk_receive_queue.qlen))
		return 0;
	ends_of_tcp(sk, &ends);
	return crossed_waits(&ends, number_of(sk));
}

static long crossing_forget(struct bpf_map *map, __u64 *key, struct crossing *c,
			    __u64 *now)
{
	__u64 old = state.crossing_waits ? CROSSING_LATEST_NS : CROSSING_OLD_NS;
	struct crossing again = {.noted_ns = *now};
	__u64 end = *key;

	if (*now - c->noted_ns < old || bpf_map_delete_elem(map, &end))
		return 0;
	/* Who notes it meanwhile either is seen here, or sees that it went. */
	if (*now - c->noted_ns < old &&
	    !bpf_map_update_elem(map, &end, &again, BPF_NOEXIST))
		return 0;
	__sync_fetch_and_sub(&state.crossings, 1);
	carrier_end(end, carrier_place(end));
	return 0;
}

/* Of every open file of the host, and at the end once of none. */
SEC("iter/task_file")
int crossing_sweep(struct bpf_iter__task_file *ctx)
{
	struct file *file = ctx->file;
	__u64 now = bpf_ktime_get_boot_ns();
	const struct socket *sock;

	if (!state.crossings)
		return 0;
	if (!ctx->task) {
		bpf_for_each_map_elem(&crossings, crossing_forget, &now, 0);
		state.crossing_waits = 0;
		return 0;
	}
	if (!file ||
	    (BPF_CORE_READ(file, f_inode, i_mode) & S_IFMT) != S_IFSOCK)
		return 0;
	sock = BPF_CORE_READ(file, private_data);
	return socket_waits(BPF_CORE_READ(sock, sk));
}

#endif
