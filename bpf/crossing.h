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
 * the host. (Bonds, VLANs and bridges have none of their own: what leaves by
 * them is noted too, and nobody asks for it.) How long it takes on its way
 * nobody tells either, so what was noted stays as long as it is said again, and
 * some time longer. When it goes (the agent calls crossing_sweep), what still
 * waits in a socket is noted there.
 *
 * In the network of a user's own he says what addresses there are: an end there
 * is another one than the same outside.
 */
#ifndef CORDON_CROSSING_H
#define CORDON_CROSSING_H

/* No kernel address: what is left is a hash. See carry.h for the low bits. */
#define CROSSING_KEY	  0x4352000000000000ULL
#define CROSSING_KEY_MASK 0x0000fffffffffffcULL

/* net/ipv4/af_inet.c: where the ports begin that the kernel chooses. */
#define EPHEMERAL_PORT 32768

/*
 * It is said again at most so often, and marked to be forgotten when nothing
 * was said for so long; after an hour, if more waits than can be looked at.
 */
#define CROSSING_AGAIN_NS  1000000000ULL
#define CROSSING_OLD_NS	   (5 * CROSSING_AGAIN_NS)
#define CROSSING_LATEST_NS (3600 * CROSSING_AGAIN_NS)

/* In place of the time: it goes with the next sweep, or is going now. */
#define CROSSING_MARKED 0
#define CROSSING_GOES	1

/* Datagrams of a socket, or connections to accept, that are looked at. */
#define CROSSING_WAITING 4096

/* One end of a connection, or of a datagram's way; network order. */
struct peer {
	__u8 addr[16];
	__u16 port;
} __attribute__((aligned(8)));

struct ends {
	struct peer from;
	struct peer to;
	__u32 protocol;
	__u32 owner; /* of the network: see owner_of() */
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

/* The user namespace of the network that the socket is in; 0: the host's. */
static __noinline __u32 owner_of(const struct sock *sk)
{
	const struct user_namespace *ns =
		BPF_CORE_READ(sk, __sk_common.skc_net.net, user_ns);

	return BPF_CORE_READ(ns, level) ? BPF_CORE_READ(ns, ns.inum) : 0;
}

/*
 * What stands for an end in `carriers'. @to: the one that receives. Nobody can
 * choose an address that stands for another one too, for the seed is secret.
 */
static __noinline __u64 crossing_key(const struct ends *ends, int to)
{
	const struct peer *peer = to ? &ends->to : &ends->from;
	const __u64 *addr = (const __u64 *)peer->addr;
	__u64 h = (__u64)peer->port << 32 | ends->protocol << 1 | !!to;

	h = crossing_mix(h ^ state.crossing_seed);
	h = crossing_mix(h ^ ends->owner);
	h = crossing_mix(h ^ addr[0]);
	h = crossing_mix(h ^ addr[1]);
	return CROSSING_KEY | ((h ^ h >> 32) & CROSSING_KEY_MASK);
}

/* ---- who sends --------------------------------------------------------- */

/* Says that something goes there now. Returns 0, or -1 if it cannot be said. */
static __always_inline int crossing_say(struct crossing *c, __u64 now)
{
	__u64 before = c->noted_ns;

	if (before == CROSSING_GOES)
		return -1;
	if (__sync_val_compare_and_swap(&c->noted_ns, before, now) == before)
		return 0;
	/* It was marked meanwhile, or another said the same. */
	before = c->noted_ns;
	return before == CROSSING_GOES ||
			       __sync_val_compare_and_swap(&c->noted_ns, before,
							   now) != before
		       ? -1
		       : 0;
}

/*
 * Notes that the end carries what is in the holding @from. Returns 0, or -1 if
 * that cannot be noted. In this order: what was said a moment ago is not
 * forgotten before that is noted.
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
	return crossing_say(c, now) ? -1 : carry_on(key, from);
}

/*
 * What is noted of both ends, 0: nothing. @own: the port that is sent from was
 * chosen by the process, as no server's is on a connection to it.
 */
static __always_inline void crossing_keys(const struct ends *ends, int own,
					  __u64 *ret_from, __u64 *ret_to)
{
	*ret_to = is_ephemeral(&ends->to) ? crossing_key(ends, 1) : 0;
	*ret_from = !*ret_to || own || is_ephemeral(&ends->from)
			    ? crossing_key(ends, 0)
			    : 0;
}

/* ---- who receives ------------------------------------------------------ */

/* Of a socket that the verifier knows, without a call for each field. */
static __always_inline __u32 owner_known(const struct sock *sk)
{
	const struct user_namespace *ns = sk->__sk_common.skc_net.net->user_ns;

	return ns->level ? BPF_CORE_READ(ns, ns.inum) : 0;
}

#define SOCK_KNOWN(sk, field) ((sk)->__sk_common.field)
#define SOCK_READ(sk, field)  BPF_CORE_READ(sk, __sk_common.field)

/*
 * The ends of a TCP socket, as the receiver of what comes in. The port that is
 * kept with the addresses goes when the connection is closed; what has arrived
 * can still be read then.
 */
#define ENDS_OF_TCP(function, read, owner_of_it)                    \
	static __always_inline void function(const struct sock *sk, \
					     struct ends *ret)      \
	{                                                           \
		const struct inet_sock *inet = (const void *)sk;    \
		struct in6_addr v6;                                 \
                                                                    \
		ret->protocol = IPPROTO_TCP;                        \
		ret->owner = owner_of_it(sk);                       \
		ret->from.port = read(sk, skc_dport);               \
		ret->to.port = BPF_CORE_READ(inet, inet_sport);     \
		if (read(sk, skc_family) == AF_INET) {              \
			peer_v4(&ret->from, read(sk, skc_daddr));   \
			peer_v4(&ret->to, read(sk, skc_rcv_saddr)); \
			return;                                     \
		}                                                   \
		v6 = read(sk, skc_v6_daddr);                        \
		__builtin_memcpy(ret->from.addr, &v6, 16);          \
		v6 = read(sk, skc_v6_rcv_saddr);                    \
		__builtin_memcpy(ret->to.addr, &v6, 16);            \
	}

ENDS_OF_TCP(ends_of_known, SOCK_KNOWN, owner_known)
ENDS_OF_TCP(ends_of_tcp, SOCK_READ, owner_of)

/* Of a datagram, by its headers, but the owner. -1: they are not there. */
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

/* Does TCP bring what the socket's reader gets? MPTCP may come down to it. */
static __noinline int is_by_tcp(const struct sock *sk)
{
	__u32 family = BPF_CORE_READ(sk, __sk_common.skc_family);
	__u32 protocol = BPF_CORE_READ(sk, sk_protocol);

	return (family == AF_INET || family == AF_INET6) &&
	       BPF_CORE_READ(sk, sk_type) == SOCK_STREAM &&
	       (protocol == IPPROTO_TCP || protocol == IPPROTO_MPTCP);
}

/* The current process takes @bytes of what went from end to end. */
static __always_inline void crossed_in(const struct ends *ends, __u64 bytes,
				       int again)
{
	struct carry carry = {
		.bytes = bytes, .again = again, .kind = STEP_CROSSING};
	__u64 from, before = 0;
	int to;

#pragma clang loop unroll(disable)
	for (to = 0; to < 2; to++) {
		carry.object = crossing_key(ends, to);
		from = crossing_carries(carry.object) ? carried_at(carry.object)
						      : 0;
		/* Both may have been noted of the same. */
		if (!from || from == before)
			continue;
		before = from;
		carry.from = from;
		carry_in(&carry);
	}
}

static __always_inline void crossed_in_tcp(const struct sock *sk, __u64 bytes,
					   int again)
{
	__u32 family = sk->__sk_common.skc_family, protocol = sk->sk_protocol;
	struct ends ends = {};

	/* Most of what a host says, it says to itself. */
	if ((family != AF_INET && family != AF_INET6) ||
	    sk->sk_type != SOCK_STREAM ||
	    sk->sk_rx_dst_ifindex == LOOPBACK_IFINDEX ||
	    (protocol != IPPROTO_TCP && protocol != IPPROTO_MPTCP))
		return;
	ends_of_known(sk, &ends);
	crossed_in(&ends, bytes, again);
}

static __always_inline void crossed_in_udp(const struct sock *sk,
					   const struct sk_buff *skb, int again)
{
	struct ends ends = {};

	if ((__u32)BPF_CORE_READ(skb, skb_iif) == LOOPBACK_IFINDEX ||
	    ends_of_udp(skb, &ends))
		return;
	ends.owner = owner_known(sk);
	crossed_in(&ends, BPF_CORE_READ(skb, len), again);
}

/* ---- what is forgotten ------------------------------------------------- */

/* What went from end to end waits in the socket: it carries that itself now. */
static __always_inline void crossed_waits(const struct ends *ends, __u64 sk)
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
}

/* A list in the kernel, of datagrams or connections, one after the other. */
struct waiting {
	const void *next;
	const void *end;
	const struct sock *sk;
	__u32 owner;
	__u32 pad;
};

static long datagram_waits(__u32 i, struct waiting *w)
{
	const struct sk_buff *skb = w->next;
	const void *end = w->end;
	struct ends ends = {};

	if (skb == end)
		return 1;
	ends.owner = w->owner;
	if (!ends_of_udp(skb, &ends))
		crossed_waits(&ends, number_of(w->sk));
	w->next = BPF_CORE_READ(skb, next);
	return 0;
}

static __always_inline void queue_waits(const struct sk_buff_head *queue,
					const struct sock *sk)
{
	struct waiting w = {.end = queue, .sk = sk};

	w.owner = owner_of(sk);
	w.next = BPF_CORE_READ(queue, next);
	bpf_loop(CROSSING_WAITING, datagram_waits, &w, 0);
	if (w.next != queue)
		state.crossing_waits = 1;
}

/* One that nobody has accepted yet. */
static long connection_waits(__u32 i, struct waiting *w)
{
	const struct request_sock *request = w->next;
	const struct sock *sk;
	struct ends ends = {};

	if (!request)
		return 1;
	sk = BPF_CORE_READ(request, sk);
	ends_of_tcp(sk, &ends);
	crossed_waits(&ends, number_of(sk));
	w->next = BPF_CORE_READ(request, dl_next);
	return 0;
}

static __always_inline void listener_waits(const struct sock *sk)
{
	const struct inet_connection_sock *tcp = (const void *)sk;
	struct waiting w = {};

	w.next = BPF_CORE_READ(tcp, icsk_accept_queue.rskq_accept_head);
	bpf_loop(CROSSING_WAITING, connection_waits, &w, 0);
	if (w.next)
		state.crossing_waits = 1;
}

static __always_inline void socket_waits(const struct sock *sk)
{
	__u32 protocol = BPF_CORE_READ(sk, sk_protocol);
	__u32 family = BPF_CORE_READ(sk, __sk_common.skc_family);
	const struct udp_sock *udp = (const void *)sk;
	struct ends ends = {};

	/* Raw sockets have protocols too. */
	if ((family == AF_INET || family == AF_INET6) &&
	    BPF_CORE_READ(sk, sk_type) == SOCK_DGRAM &&
	    (protocol == IPPROTO_UDP || protocol == IPPROTO_UDPLITE)) {
		queue_waits(&sk->sk_receive_queue, sk);
		queue_waits(&udp->reader_queue, sk);
		return;
	}
	if (!is_by_tcp(sk))
		return;
	if (BPF_CORE_READ(sk, __sk_common.skc_state) == TCP_LISTEN) {
		if (protocol == IPPROTO_TCP)
			listener_waits(sk);
		return;
	}
	/* Wherever it is: in its queue, or behind who reads there now. */
	ends_of_tcp(sk, &ends);
	crossed_waits(&ends, number_of(sk));
}

/*
 * What was marked by the sweep before, and was not said again, goes; who notes
 * it in that moment is refused. Not earlier: who said it is still noting it.
 */
static long crossing_forget(struct bpf_map *map, __u64 *key, struct crossing *c,
			    __u64 *now)
{
	__u64 old = state.crossing_waits ? CROSSING_LATEST_NS : CROSSING_OLD_NS;
	__u64 noted = c->noted_ns, end = *key;

	if (noted > CROSSING_GOES) {
		if (noted + old < *now)
			__sync_val_compare_and_swap(&c->noted_ns, noted,
						    CROSSING_MARKED);
		return 0;
	}
	if (noted == CROSSING_MARKED &&
	    __sync_val_compare_and_swap(&c->noted_ns, CROSSING_MARKED,
					CROSSING_GOES) != CROSSING_MARKED)
		return 0;
	carrier_end(end, carrier_place(end));
	if (!bpf_map_delete_elem(map, &end))
		__sync_fetch_and_sub(&state.crossings, 1);
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
	socket_waits(BPF_CORE_READ(sock, sk));
	return 0;
}

#endif
