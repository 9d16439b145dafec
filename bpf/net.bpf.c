/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * net.bpf.c - bytes that leave, in two layers.
 *
 *   socket_sendmsg   knows the process: judges, reserves, tags the socket
 *   inet_sendpage    the same for sendfile and splice up to 6.4, which ask
 *                    nobody who could refuse: the socket is stopped instead
 *   socket_connect   judges a handshake like a send of no bytes
 *   socket_setsockopt
 *                    refuses to holders what goes out without a send, or stays
 *                    for another
 *   egress           knows the packet: meters what leaves a tagged socket
 *   inet_release     gives back what a closed socket never took
 *
 * A send is charged before its bytes move. What the socket did not take is
 * given back at the next send or at the end. What leaves without having been
 * charged is charged by the meter, packet by packet; over the budget it is
 * dropped and the socket is stopped: TCP would send it again. So is what
 * arrives on this host and cannot be followed there.
 */

/*
 * What a rule grants for @a's destination: its own entry, else the one for
 * "*", which then is the destination. NULL: nothing.
 */
static __noinline const struct grant *grant_of(struct act *a,
					       const struct rule *rule)
{
	__u32 at, i, first = rule->first_release, count = rule->releases;
	const struct grant *any = NULL;
	struct release *entry;

	for (i = 0; i < CORDON_RULE_RELEASES; i++) {
		if (i >= count)
			break;
		at = a->slot * CORDON_RELEASES + first + i;
		entry = bpf_map_lookup_elem(&releases, &at);
		if (!entry)
			break;
		if (entry->dest == a->dest)
			return &entry->grant;
		if (entry->dest == CORDON_DEST_ANY)
			any = &entry->grant;
	}
	if (any)
		a->dest = CORDON_DEST_ANY;
	return any;
}

/* ---- destinations ------------------------------------------------------ */

/* The destination that @addr and @net_port (network order) belong to. */
static __noinline int dest_find(__u32 slot, const __u8 *addr, __u32 net_port)
{
	struct dest_key key = {.prefixlen = 160, .slot = slot};
	struct dest_value *v;
	__u16 port = bpf_ntohs(net_port);
	int i;

	__builtin_memcpy(key.addr, addr, sizeof(key.addr));
	v = bpf_map_lookup_elem(&dests, &key);
	if (!v)
		return CORDON_DEST_ANY;
	for (i = 0; i < CORDON_PORTS; i++) {
		if (i >= (int)v->count)
			break;
		if (port >= v->ports[i].low && port <= v->ports[i].high)
			return v->ports[i].dest;
	}
	return CORDON_DEST_ANY;
}

/*
 * Is the socket in a network that somebody made in a user namespace of his own?
 * Then who made it says what addresses there are, and takes what goes there.
 */
static __noinline int is_apart(struct sock *sk)
{
	return BPF_CORE_READ(sk, __sk_common.skc_net.net, user_ns, level) != 0;
}

/* The destination of what goes from @sk to @a's address. */
static __always_inline int dest_of(const struct act *a, struct sock *sk)
{
	return is_apart(sk) ? CORDON_DEST_ANY
			    : dest_find(a->slot, a->addr, a->port);
}

/*
 * Where the datagram goes that is corked on @sk: a send adds to it, whatever
 * address it names. 0: nothing is corked.
 */
static __noinline int peer_corked(struct peer *peer, struct sock *sk)
{
	const struct inet_sock *inet = (struct inet_sock *)sk;
	__u32 protocol = sk->sk_protocol, pending;
	struct in6_addr v6;

	if (protocol != IPPROTO_UDP && protocol != IPPROTO_UDPLITE)
		return 0;
	pending = BPF_CORE_READ((struct udp_sock *)sk, pending);
	if (pending == AF_INET) {
		peer_v4(peer, BPF_CORE_READ(inet, cork.fl.u.ip4.daddr));
		peer->port = BPF_CORE_READ(inet, cork.fl.u.ip4.uli.ports.dport);
		return 1;
	}
	if (pending == AF_INET6) {
		v6 = BPF_CORE_READ(inet, cork.fl.u.ip6.daddr);
		__builtin_memcpy(peer->addr, &v6, 16);
		peer->port = BPF_CORE_READ(inet, cork.fl.u.ip6.uli.ports.dport);
		return 1;
	}
	return 0;
}

/* The address @name, given to a socket of @family. -1: it is none. */
static __noinline int peer_named(struct peer *peer, __u32 family,
				 const void *name)
{
	struct sockaddr_in6 in6 = {};
	struct sockaddr_in *in = (struct sockaddr_in *)&in6;

	if (bpf_probe_read_kernel(&in6, sizeof(*in), name))
		return -1;
	if (family == AF_INET || in->sin_family == AF_INET) {
		peer_v4(peer, in->sin_addr.s_addr);
		peer->port = in->sin_port;
		return 0;
	}
	if (in->sin_family != AF_INET6)
		return -1;
	bpf_probe_read_kernel(&in6, sizeof(in6), name);
	__builtin_memcpy(peer->addr, &in6.sin6_addr, 16);
	peer->port = in6.sin6_port;
	return 0;
}

/* Where @msg on @sk goes: its own address, else the socket's. */
static __noinline int peer_of(struct peer *peer, struct sock *sk,
			      const struct msghdr *msg, int stream)
{
	__u32 family = sk->__sk_common.skc_family;
	void *name = NULL;

	if (!stream && peer_corked(peer, sk))
		return 0;
	if (msg)
		name = msg->msg_name;
	/* TCP looks at the name for fast open only, when not connected. */
	if (name && (!stream || sk->__sk_common.skc_state == TCP_CLOSE) &&
	    !peer_named(peer, family, name))
		return 0;
	peer->port = sk->__sk_common.skc_dport;
	if (family == AF_INET) {
		peer_v4(peer, sk->__sk_common.skc_daddr);
	} else {
		struct in6_addr v6 = sk->__sk_common.skc_v6_daddr;

		__builtin_memcpy(peer->addr, &v6, 16);
	}
	return 0;
}

static __always_inline int same_addr(const __u8 *a, const __u8 *b)
{
	const __u64 *x = (const __u64 *)a, *y = (const __u64 *)b;

	return x[0] == y[0] && x[1] == y[1];
}

/* ---- the release ------------------------------------------------------- */

/*
 * Where a holding remembers what it was charged at @a's destination: one place
 * each, no search. Two that share a place forget each other, and what is
 * forgotten is charged anew: never too little. Processes of several users can
 * share a holding, or one become another's: each has a budget of its own.
 */
static __always_inline __u32 charge_place(const struct act *a)
{
	return (a->dest + a->dataset * 5 + a->who * 7) & (CORDON_CHARGES - 1);
}

static __always_inline int charge_is(const struct charge *c,
				     const struct act *a)
{
	return c->dataset == a->dataset && c->dest == a->dest &&
	       c->rule == a->rule && c->who == a->who;
}

/*
 * How many bytes have gone. What is left of the last record that a narrow one
 * was charged is the original's: or each of many copies could send it.
 */
static __always_inline __u64 charge_wire(const struct charge *c, __u32 floor)
{
	__u64 wire = c->wire_bytes & ~CHARGE_COPIED;

	if (wire != c->wire_bytes && c->records * floor > wire)
		wire = c->records * floor;
	return wire;
}

/* How many records @a's bytes are charged now. */
static __noinline __u64 charge_due(struct act *a, struct holding *h, __u64 held)
{
	__u32 floor = a->flags & RULE_NARROW ? a->floor : 0;
	__u64 before = 0, wire = 0, id = h->id;
	struct charges *all;
	struct charge *c;

	all = bpf_map_lookup_elem(&charges, &id);
	if (all) {
		c = &all->at[charge_place(a)];
		bpf_spin_lock(&all->lock);
		if (charge_is(c, a)) {
			before = c->records;
			wire = charge_wire(c, floor);
		}
		bpf_spin_unlock(&all->lock);
	}
	return records_due(held, floor, wire + a->bytes, before);
}

/*
 * Notes that @due were charged. Returns how many another thread was charged
 * too, and have to be given back, or, negative, how many are due now that were
 * not when it was asked: others may have sent meanwhile.
 */
static __noinline __s64 charge_note(struct act *a, struct holding *h,
				    __u64 held, __u64 due, int *ret_first)
{
	__u32 floor = a->flags & RULE_NARROW ? a->floor : 0;
	struct charges *all = charges_make(h->id);
	struct charge *c;
	__u64 now;
	int first;

	*ret_first = 1;
	if (!all)
		return 0; /* charged anew the next time, and told */
	c = &all->at[charge_place(a)];
	bpf_spin_lock(&all->lock);
	first = !charge_is(c, a);
	if (first) {
		c->dataset = a->dataset;
		c->dest = a->dest;
		c->rule = a->rule;
		c->who = a->who;
		c->records = 0;
		c->wire_bytes = 0;
	}
	c->wire_bytes = charge_wire(c, floor) + a->bytes;
	now = records_due(held, floor, c->wire_bytes, c->records);
	c->records += now < due ? now : due;
	bpf_spin_unlock(&all->lock);
	*ret_first = first;
	return due - now;
}

/* Notes that @n more were. */
static __always_inline void charge_more(struct act *a, struct holding *h,
					__u64 n)
{
	__u64 id = h->id;
	struct charges *all = bpf_map_lookup_elem(&charges, &id);
	struct charge *c;

	if (!all)
		return;
	c = &all->at[charge_place(a)];
	bpf_spin_lock(&all->lock);
	if (charge_is(c, a))
		c->records += n;
	bpf_spin_unlock(&all->lock);
}

static __always_inline void sent_key_of(const struct act *a, __u32 origin,
					struct sent_key *key)
{
	key->origin = origin;
	key->rule = a->rule;
	key->who = a->who;
	key->dest = a->dest;
}

/*
 * Of @due records of a holding that is all of @origin, how many @a's budget was
 * not charged yet: its processes cannot have sent more records than it has
 * read, so that number, charged in a window, is enough for all of them.
 */
static __noinline __u64 sent_due(struct act *a, __u32 origin, __u64 due)
{
	struct sent_key key;
	struct origin *o;
	struct sent *sent;
	__u64 before, read;

	sent_key_of(a, origin, &key);
	sent = bpf_map_lookup_elem(&sent_by, &key);
	o = bpf_map_lookup_elem(&origins, &origin);
	if (!sent || !o || a->now - sent->since_ns >= a->window_ns)
		return due;
	before = sent->records;
	read = o->read_records;
	if (read <= before)
		return 0;
	return read - before < due ? read - before : due;
}

/* @n were. What is lost where two begin at once is charged once more. */
static __noinline int sent_note(struct act *a, __u32 origin, __u64 n)
{
	struct sent new = {.since_ns = a->now, .records = n};
	struct sent_key key;
	struct sent *sent;

	sent_key_of(a, origin, &key);
	sent = bpf_map_lookup_elem(&sent_by, &key);
	if (sent && a->now - sent->since_ns < a->window_ns)
		__sync_fetch_and_add(&sent->records, n);
	else
		bpf_map_update_elem(&sent_by, &key, &new, BPF_ANY);
	return 0;
}

/*
 * Charges the records that the holding was not charged here before, to the
 * budget of @a's max and window_ns. Returns what budget_charge() does.
 */
static __always_inline int release_records(struct act *a, struct holding *h,
					   const struct held *held)
{
	int take = act_enforced(a) ? TAKE_CHARGE : TAKE_FORCE;
	__u64 due, paid = 0;
	int bad = 0, first;
	__s64 twice;

	due = charge_due(a, h, held->records);
	a->records = due;
	a->unit = UNIT_RECORDS;
	if (due && a->window_ns) {
		paid = held->only ? sent_due(a, held->origin, due) : due;
		a->records = paid;
		if (paid)
			bad = budget_charge(a, paid, take);
		if (bad && take == TAKE_CHARGE)
			return bad;
	}
	twice = charge_note(a, h, held->records, due, &first);
	if (a->window_ns && twice > 0) {
		if (twice > (__s64)paid)
			twice = (__s64)paid;
		budget_give_back(a, a->part, twice);
		paid -= twice;
	}
	if (twice < 0) {
		if (a->window_ns)
			bad = budget_charge(a, -twice, take);
		if (bad && take == TAKE_CHARGE)
			return bad;
		charge_more(a, h, -twice);
		paid += -twice;
	}
	if (paid && held->only)
		sent_note(a, held->origin, paid);
	if (first)
		event_send(a, EVENT_FIRST_RELEASE, VERDICT_ALLOW, 0, 0);
	return bad;
}

/* Says to the meter what the bytes of one dataset are charged to. */
static __noinline int meter_tell(struct act *a, struct metered *to,
				 const struct limit *limit, __u32 flags,
				 __u64 part)
{
	struct ledger_key key;

	budget_key_of(a, UNIT_BYTES, &to->key);
	ledger_key_of(a, &key);
	to->row = ledger_row(&key, a->now);
	to->max = limit ? limit->max : 0;
	to->window_ns = limit ? limit->window_ns : 0;
	to->part = part;
	to->flags = flags;
	ledger_add(to->row, a->slot, a->now, 1, 0, a->records);
	return 0;
}

/* What no meter counts, this does. */
static __noinline int release_count(struct act *a)
{
	struct ledger_key key;

	ledger_key_of(a, &key);
	ledger_add(ledger_row(&key, a->now), a->slot, a->now, 1, a->bytes,
		   a->records);
	return 0;
}

/*
 * Does nothing count the bytes that @grant limits? Of one act they are known
 * where it says that they are all (@final), and not that more may follow
 * (@many); then these are charged before they move, and no meter is needed.
 */
static __always_inline int uncounted(const struct act *a,
				     const struct grant *grant)
{
	return !a->final || (a->many && grant->bytes.window_ns);
}

/*
 * Releases all that the holding @id has. @free: nothing would be charged for
 * more bytes to the same destination.
 */
struct release_all {
	struct act a;
	__u64 id;
	__u32 dest;
	__u32 count;
	__u32 free;
	__u32 pad;
};

/*
 * Judges the release of the act's bytes for one dataset that is held. @to, if
 * the channel has a meter, says afterwards what its bytes are charged to.
 * Returns 0 or a negative errno.
 */
static __always_inline int release_dataset(struct release_all *all,
					   struct holding *h, struct held *held,
					   struct subject_set *set,
					   struct metered *to)
{
	__u32 free = all->free;
	const struct grant *grant = NULL;
	struct act *a = &all->a;
	const struct limit *bytes = NULL;
	struct rule *rule;
	__u32 flags;
	__u64 part = 0;
	int bad, r;

	all->free = 0;
	a->dataset = held->dataset;
	a->origin = told_origin(held);
	a->records = held->records;
	a->used = 0;
	a->max = 0;
	if (!held->dataset) {
		a->flags = RULE_BLOCK;
		return act_fault(a, FAULT_UNKNOWN_HOLDING) ? -EPERM : 0;
	}
	rule = rule_at(a, rule_place(a->slot, a->dataset, set));
	/* How many bytes will follow this judgement is not known. */
	if (a->many || (a->flags & RULE_EXE && is_foreign()))
		a->flags &= ~RULE_NARROW;
	if (rule)
		grant = grant_of(a, rule);
	/* The meter sees for itself when that is lifted, and when no more. */
	flags = act_denies(a) ? 0 : METER_FORCE;
	if (!grant || grant->kind == GRANT_NONE ||
	    (grant->kind == GRANT_LIMITED && !to && uncounted(a, grant))) {
		/* Nothing may go there, or nothing would count its bytes. */
		a->unit = UNIT_RECORDS;
		r = act_over(a, EPERM);
		if (r)
			return r;
	} else {
		if (grant->bytes.window_ns) {
			bytes = &grant->bytes;
			limit_of(a, bytes, UNIT_BYTES);
			bad = budget_charge(a, a->bytes,
					    act_enforced(a) ? TAKE_CHARGE
							    : TAKE_FORCE);
			part = a->part;
			r = bad ? charge_failed(a, bad, FAULT_BUDGET_FULL,
						EPERM)
				: 0;
			if (r)
				return r;
		}
		limit_of(a, &grant->records, UNIT_RECORDS);
		bad = release_records(a, h, held);
		r = bad ? charge_failed(a, bad, FAULT_BUDGET_FULL, EPERM) : 0;
		if (r) {
			if (bytes) {
				limit_of(a, bytes, UNIT_BYTES);
				budget_give_back(a, part, a->bytes);
			}
			return r;
		}
		/* A narrow one is charged more the more bytes it sends. */
		if (!bytes && !(a->flags & RULE_NARROW))
			all->free = free;
	}
	if (!to)
		return release_count(a);
	if (!bytes)
		flags |= METER_UNLIMITED;
	return meter_tell(a, to, bytes, flags, part);
}

/*
 * Of the @i-th share, by a member of @set. @m says to the meter what the bytes
 * are charged to; NULL: nothing can meter them, and it is allowed where the
 * release is unlimited, or uncounted() says no. Returns 0, a negative errno, or
 * 1: no more can be told to the meter, which is let pass.
 */
__noinline int release_share(struct release_all *all, struct subject_set *set,
			     struct memo *m, __u32 i)
{
	struct metered *to = NULL;
	struct held held = {};
	struct holding *h;
	__u64 id;
	int r;

	if (!all || !set)
		return -EPERM;
	id = all->id;
	h = bpf_map_lookup_elem(&holdings, &id);
	if (!h)
		return act_fault(&all->a, FAULT_UNKNOWN_HOLDING) ? -EPERM : 1;
	/* Most are free. */
	if (!h->shares[i & (CORDON_SHARES - 1)].origin ||
	    !held_of(id, i, &held))
		return 0;
	if (m) {
		if (all->count >= CORDON_METERED) {
			/* Its rule was not asked whether to observe. */
			all->free = 0;
			all->a.flags = RULE_BLOCK;
			return act_fault(&all->a, FAULT_SOCKET_FULL) ? -EPERM
								     : 1;
		}
		to = &m->to[all->count & (CORDON_METERED - 1)];
	}
	all->a.dest = all->dest;
	r = release_dataset(all, h, &held, set, to);
	if (!r)
		all->count++;
	return r;
}

/* Of all of them. Returns 0 or a negative errno. */
static __always_inline int
release_shares(struct release_all *all, struct subject_set *set, struct memo *m)
{
	int r = 0;
	__u32 i;

#pragma clang loop unroll(disable)
	for (i = 0; i < CORDON_SHARES && !r; i++)
		r = release_share(all, set, m, i);
	return r < 0 ? r : 0;
}

static __noinline int judge_unasked(struct held *held, __u64 policy, int place)
{
	struct act a;

	act_begin(&a, policy, held->dataset, CHANNEL_OTHER);
	a.records = held->records;
	rule_at(&a, place);
	return act_over(&a, EPERM);
}

/*
 * What a refusal of the current process, a holder, is told of: the first that
 * it holds, or nothing that is known. Returns 0 if it holds nothing yet.
 */
static __always_inline int held_first(struct held *ret)
{
	struct task_struct *task = bpf_get_current_task_btf();
	struct holding *h = holding_of(task->tgid);

	if (h && holding_empty(h))
		return 0;
	if (h)
		held_of(h->id, 0, ret);
	return 1;
}

/*
 * Is this a holder in name only? Then it is like one without a holding: it must
 * not write another's meter either.
 */
static __noinline int holds_nothing(void)
{
	struct task_struct *task = bpf_get_current_task_btf();
	struct holding *h = holding_of(task->tgid);

	return h && holding_empty(h);
}

/*
 * A holder at what would send without asking anybody, as an option does that
 * travels with packets: refused, whatever the rule says.
 */
static __noinline int refuse_unasked(void)
{
	__u64 policy = policy_now();
	struct held held = {};

	if (!held_first(&held))
		return 0;
	return judge_unasked(&held, policy,
			     rule_place_now(policy, held.dataset));
}

/* ---- the meter --------------------------------------------------------- */

/* Gives @n bytes back to every budget in @to, where they were reserved. */
static __noinline int meter_give_back(struct metered *to, __u64 n, __u32 count)
{
	__u32 i;

	for (i = 0; i < CORDON_METERED; i++) {
		struct budget_key key;

		if (i >= count || to[i].flags & METER_UNLIMITED)
			continue;
		key = to[i].key;
		budget_return(&key, to[i].window_ns, to[i].part, n);
	}
	return 0;
}

/* No socket queues more: its buffer is an int, of which a half is payload. */
#define TCP_QUEUE_MAX (1 << 30)

/* No datagram that is corked holds more. */
#define CORK_MAX 65535

enum settle { SETTLE_STREAM = 1, SETTLE_CORKED = 2 };

/*
 * What was reserved, did not leave and is not waiting to leave was never
 * taken by the socket. SETTLE_CORKED: all that it took waits for its datagram,
 * and may have been charged to others than the next send is: only what that
 * reserves can be given back to its budgets. Of another holding than @id
 * nothing is given back: who knows what of it is still on its way.
 *
 * To whom it is given back is kept in @memo: another send may say something
 * else to the meter as soon as it is unlocked. @memo NULL, @id 0: the socket is
 * closed, and there is no other.
 */
static __noinline int meter_settle(struct meter *m, __u32 write_seq, int how,
				   struct memo *memo, __u64 id)
{
	__u64 surplus = 0, open, queued = 0;
	__u32 count;

	bpf_spin_lock(&m->lock);
	if (how & SETTLE_STREAM && !m->fresh) {
		__s32 ahead = (__s32)(write_seq - m->sent_end);

		/* Disconnected and connected anew: other numbers. */
		if (ahead < 0 || ahead > TCP_QUEUE_MAX)
			m->sent_end = write_seq;
		else
			queued = ahead;
	}
	open = m->charged > m->metered ? m->charged - m->metered : 0;
	if ((id && m->holding != id) || m->others > open)
		m->others = open;
	queued += m->others;
	if (how & SETTLE_CORKED && open > CORK_MAX)
		m->charged = m->metered + CORK_MAX;
	if (open > queued && !(how & SETTLE_CORKED)) {
		/* Only the last one's budgets are known; no credit is left. */
		surplus = open - queued;
		m->charged -= surplus;
		if (surplus > m->last)
			surplus = m->last;
	}
	if (surplus && memo)
		__builtin_memcpy(memo->to, m->to, sizeof(memo->to));
	m->last = 0;
	count = m->count;
	bpf_spin_unlock(&m->lock);
	if (surplus)
		meter_give_back(memo ? memo->to : m->to, surplus, count);
	return 0;
}

/* Under repair a TCP socket's numbers are whatever it is told. */
static __always_inline int tcp_repaired(struct sock *sk)
{
	const struct tcp_sock *tcp = bpf_skc_to_tcp_sock(sk);

	return !tcp || BPF_CORE_READ_BITFIELD(tcp, repair);
}

/* The channel of a socket; CHANNEL_OTHER if its packets carry no tag. */
static __noinline int channel_of(struct sock *sk)
{
	__u32 protocol = sk->sk_protocol, type = sk->sk_type;

	if (type == SOCK_RAW)
		return CHANNEL_RAW;
	if (type == SOCK_STREAM && protocol == IPPROTO_TCP) {
		return tcp_repaired(sk) ? CHANNEL_OTHER : CHANNEL_TCP;
	}
	if (type != SOCK_DGRAM)
		return CHANNEL_OTHER; /* MPTCP, SCTP, SMC, ... */
	if (protocol == IPPROTO_UDP || protocol == IPPROTO_UDPLITE)
		return CHANNEL_UDP;
	if (protocol == IPPROTO_ICMP || protocol == IPPROTO_ICMPV6)
		return CHANNEL_ICMP;
	return CHANNEL_OTHER;
}

/*
 * The meter of @sk, settled, or a new one; from now on it is @memo's turn to
 * write it. NULL: no room.
 */
static __noinline struct meter *meter_of(struct sock *sk, __u32 channel,
					 struct memo *memo, __u64 id)
{
	int how = channel == CHANNEL_TCP ? SETTLE_STREAM : 0;
	__u32 write_seq = 0;
	struct meter *m;
	__u64 turn;

	turn = __sync_fetch_and_add(&state.next_turn, 1) + 1;
	memo->turn = turn;
	memo->pass = 0;

	if (how)
		write_seq = BPF_CORE_READ((struct tcp_sock *)sk, write_seq);
	m = bpf_sk_storage_get(&meters, sk, 0, 0);
	if (!m) {
		m = bpf_sk_storage_get(&meters, sk, 0,
				       BPF_SK_STORAGE_GET_F_CREATE);
		if (m) {
			m->turn = turn;
			m->apart = is_apart(sk);
			/* What was queued before this is no concern of ours. */
			m->sent_end = write_seq;
			m->fresh = how &&
				   sk->__sk_common.skc_state == TCP_CLOSE;
			state.tagged = 1;
			return m;
		}
		/* Of two that make it at once, one is told that it failed. */
		m = bpf_sk_storage_get(&meters, sk, 0, 0);
	}
	if (!m)
		return NULL;
	m->turn = turn;
	/* Under repair a socket is connected without a SYN. */
	if (m->fresh && sk->__sk_common.skc_state == TCP_ESTABLISHED) {
		m->sent_end = write_seq;
		m->fresh = 0;
	}
	if (channel == CHANNEL_UDP &&
	    BPF_CORE_READ((struct udp_sock *)sk, pending))
		how = SETTLE_CORKED;
	meter_settle(m, write_seq, how, memo, id);
	return m;
}

/*
 * Does the kernel ask only once for many messages? So it does in sendmmsg(2),
 * for those with the same address as the one before; a connected socket takes
 * an address that means nothing to it. What can be something else is taken
 * for it: the numbers of i386 calls mean other things here.
 */
static __noinline int sends_many(const struct msghdr *msg)
{
	struct task_struct *task = bpf_get_current_task_btf();
	struct pt_regs *regs = (struct pt_regs *)bpf_task_pt_regs(task);
	__u64 nr = regs->orig_ax;

	if (!msg || !msg->msg_name || task->flags & PF_WORKERS)
		return 0;
	return nr != NR_sendto && nr != NR_sendmsg && nr != NR_io_uring_enter;
}

/* The channel and the destination of a send, in @a. */
static __noinline int send_facts(struct act *a, struct sock *sk,
				 struct msghdr *msg)
{
	__u32 family = sk->__sk_common.skc_family;
	struct peer peer;

	if (family != AF_INET && family != AF_INET6)
		return 0;
	a->channel = channel_of(sk);
	a->many = sends_many(msg);
	peer_of(&peer, sk, msg, a->channel == CHANNEL_TCP);
	__builtin_memcpy(a->addr, peer.addr, sizeof(a->addr));
	a->dest = CORDON_DEST_ANY;
	/* With a header of its own a raw packet goes where that says. */
	if (a->channel == CHANNEL_RAW) {
		a->port = 0;
	} else {
		a->port = peer.port;
		a->dest = dest_of(a, sk);
	}
	return 0;
}

/*
 * Notes on the meter what was judged. If nothing more would be charged, and
 * nobody else wrote the meter meanwhile, the memo passes further sends.
 *
 * Bytes that leave without having been asked for, as those that follow the
 * first message of many, go by what stands here. So where a holding sends
 * such, that stays; then it returns 1, and the send of another is not noted.
 */
static __noinline int meter_reserve(struct release_all *all, struct memo *memo,
				    struct meter *m)
{
	struct act *a = &all->a;
	__u32 dest = all->dest;
	__u64 id = all->id;
	int alone, others;

	if (a->channel == CHANNEL_RAW)
		dest = CORDON_DEST_UNKNOWN;
	bpf_spin_lock(&m->lock);
	others = m->many && m->many != id;
	if (!others) {
		/*
		 * What was judged for elsewhere and still waits would go here
		 * for nothing: it is charged once more when it leaves. So
		 * would these go for nothing with what others reserved.
		 */
		if (m->dest != dest || a->many) {
			m->charged = m->metered;
			m->others = 0;
			m->last = 0;
		}
		alone = m->turn == memo->turn;
		if (!alone)
			m->turn = 0; /* settled by one, written by another */
		if (a->many)
			m->many = id;
		m->holding = id;
		m->count = all->count;
		m->charged += a->bytes;
		m->last += a->bytes;
		m->dest = dest;
		m->port = a->port;
		__builtin_memcpy(m->addr, a->addr, sizeof(m->addr));
		__builtin_memcpy(m->to, memo->to, sizeof(m->to));
	}
	bpf_spin_unlock(&m->lock);
	if (others)
		return 1;
	if (alone && all->free && a->channel != CHANNEL_RAW)
		memo->pass = facts_hold(&memo->facts, a->policy);
	return 0;
}

/* ---- sends ------------------------------------------------------------- */

/* Who sends, by which policy. */
struct sender {
	__u64 policy;
	struct memo *memo;
	struct subject_set set;
};

/*
 * May the thread send @size bytes because its last judgement said so? It must
 * be the last that wrote this socket's meter, the peer the same, and nothing
 * may have been read since.
 */
static __noinline int send_passes(struct sock *sk, struct msghdr *msg,
				  __u64 size, struct memo *memo)
{
	int stream = sk->sk_type == SOCK_STREAM, passes;
	struct peer peer;
	struct meter *m;
	__u32 i;

	if (!memo->pass ||
	    state.grown[memo->grown_at & (CORDON_GROWN - 1)] != memo->grown)
		return 0;
	m = bpf_sk_storage_get(&meters, sk, 0, 0);
	if (!m)
		return 0;
	if (stream && tcp_repaired(sk))
		return 0;
	peer_of(&peer, sk, msg, stream);
	bpf_spin_lock(&m->lock);
	passes = m->turn == memo->turn && !m->stopped && m->port == peer.port &&
		 same_addr(m->addr, peer.addr);
	if (passes)
		m->charged += size;
	bpf_spin_unlock(&m->lock);
	if (!passes)
		return 0;
	for (i = 0; i < CORDON_METERED; i++) {
		if (i >= m->count)
			break;
		ledger_act(m->to[i].row);
	}
	return 1;
}

/* A holder sends @size bytes on @sk. */
static __noinline int send_judge(struct sock *sk, struct msghdr *msg,
				 __u64 size, struct sender *sender)
{
	struct release_all all = {.id = holding_id()};
	struct memo *memo = sender->memo;
	struct meter *m;
	int r;

	act_begin(&all.a, sender->policy, 0, CHANNEL_OTHER);
	all.a.bytes = size;
	send_facts(&all.a, sk, msg);
	if (!all.id)
		return act_fault(&all.a, FAULT_UNKNOWN_HOLDING) ? -EPERM : 0;
	/* Nothing can meter it. */
	if (all.a.channel == CHANNEL_OTHER) {
		all.dest = CORDON_DEST_ANY;
		return release_shares(&all, &sender->set, NULL);
	}
	m = memo ? meter_of(sk, all.a.channel, memo, all.id) : NULL;
	if (!m)
		return act_fault(&all.a, FAULT_SOCKET_FULL) ? -EPERM : 0;
	/* Before the shares: see holding_swelled(). */
	memo->grown_at = grown_place(all.id);
	memo->grown = state.grown[grown_place(all.id)];
	all.dest = all.a.dest;
	all.free = 1;
	r = release_shares(&all, &sender->set, memo);
	if (!r && m->stopped)
		r = act_over(&all.a, EPERM);
	if (!r) {
		if (!meter_reserve(&all, memo, m))
			return 0;
		r = act_fault(&all.a, FAULT_SOCKET_FULL) ? -EPERM : 0;
	}
	/* Those before were charged for what will not be sent. */
	if (size && r)
		meter_give_back(memo->to, size, all.count);
	return r;
}

/* What a holder sends on @sk is for another process of the host, or may be. */
static __noinline int send_carried(struct sock *sk, const struct msghdr *msg,
				   __u64 size)
{
	struct carry carry = {.bytes = BYTES_UNKNOWN};

	if (sk->__sk_common.skc_family == AF_UNIX)
		carry.object = (__u64)sk;
	else
		carry.object = carrier_sent(sk);
	if (narrow_now() && !sends_many(msg))
		carry.bytes = size;
	return carry_out(&carry);
}

/*
 * Is what is sent on a netlink socket for another process, and not for the
 * kernel? Nobody knows then who will take it. udev's daemon, which tells others
 * by it, has the right to configure the network: it is root's.
 */
static __noinline int netlink_goes_on(struct sock *sk, const struct msghdr *msg)
{
	const struct netlink_sock *nl = (struct netlink_sock *)sk;
	struct sockaddr_nl to = {};
	const void *name;

	if (msg && msg->msg_namelen) {
		name = msg->msg_name;
		bpf_probe_read_kernel(&to, sizeof(to), name);
	} else {
		to.nl_pid = BPF_CORE_READ(nl, dst_portid);
		to.nl_groups = BPF_CORE_READ(nl, dst_group);
	}
	return (to.nl_pid || to.nl_groups) &&
	       !privileged(1ULL << CAP_NET_ADMIN);
}

static __always_inline int send_any(struct sock *sk, struct msghdr *msg,
				    __u64 size)
{
	__u32 family = sk->__sk_common.skc_family;
	struct sender sender = {.policy = policy_now()};

	/* These stay on the host. */
	if (family == AF_UNIX)
		return send_carried(sk, msg, size);
	if (family == AF_ALG ||
	    (family == AF_NETLINK && netlink_goes_on(sk, msg)))
		return refuse_unasked();
	if (family == AF_NETLINK)
		return 0;
	/* Before the subjects: what changes meanwhile is noticed after. */
	sender.memo = memo_now(sender.policy);
	if (sender.memo && send_passes(sk, msg, size, sender.memo))
		return 0;
	if (holds_nothing())
		return 0;
	/* It may be that the host talks to itself: see arrives(). */
	if (send_carried(sk, msg, size))
		return -EPERM;
	subjects_of(sender.policy, &sender.set);
	return send_judge(sk, msg, size, &sender);
}

/* The channel and the destination of a connection, in @a. -1: there is none. */
static __noinline int connect_facts(struct act *a, struct sock *sk,
				    const struct sockaddr *address)
{
	__u32 family = sk->__sk_common.skc_family;
	struct peer peer;

	if (family == AF_SMC)
		a->channel = CHANNEL_TCP; /* which it begins as */
	else if (family == AF_INET || family == AF_INET6)
		a->channel = channel_of(sk);
	else
		return 0;
	if (peer_named(&peer, family, address))
		return -1; /* the kernel will say what is wrong with it */
	__builtin_memcpy(a->addr, peer.addr, sizeof(a->addr));
	a->port = peer.port;
	a->dest = dest_of(a, sk);
	return 0;
}

/*
 * A holder connects. The handshake has no payload, but the caller's choice of
 * source address (IP_FREEBIND), ports and peer, a dozen bytes a SYN: so the
 * records that a first byte to this peer would be charged are charged now.
 */
static __noinline int connect_judge(struct sock *sk, struct sockaddr *address,
				    struct sender *sender)
{
	struct release_all all = {.id = holding_id()};

	act_begin(&all.a, sender->policy, 0, CHANNEL_OTHER);
	if (connect_facts(&all.a, sk, address))
		return 0;
	if (!all.id)
		return act_fault(&all.a, FAULT_UNKNOWN_HOLDING) ? -EPERM : 0;
	/* Nothing can meter it. */
	if (all.a.channel == CHANNEL_OTHER) {
		all.dest = CORDON_DEST_ANY;
		return release_shares(&all, &sender->set, NULL);
	}
	if (!sender->memo)
		return act_fault(&all.a, FAULT_SOCKET_FULL) ? -EPERM : 0;
	all.dest = all.a.dest;
	return release_shares(&all, &sender->set, sender->memo);
}

/* Of datagrams nothing leaves before they are sent. */
static __always_inline int connect_leaves(const struct sock *sk,
					  const struct sockaddr *address)
{
	__u32 family = sk->__sk_common.skc_family, type = sk->sk_type;
	__u16 to = AF_UNSPEC;

	if (family == AF_UNIX || family == AF_NETLINK || family == AF_ALG ||
	    type == SOCK_DGRAM || type == SOCK_RAW)
		return 0;
	bpf_probe_read_kernel(&to, sizeof(to), address);
	return to != AF_UNSPEC; /* which ends a connection */
}

static __always_inline int on_socket_connect(struct socket *sock,
					     struct sockaddr *address)
{
	struct sender sender = {};
	struct sock *sk;

	probed(HOOK_SOCKET_CONNECT);
	if (!holds())
		return 0;
	sk = sock->sk;
	if (!sk || !connect_leaves(sk, address) || holds_nothing())
		return 0;
	sender.policy = policy_now();
	sender.memo = memo_now(sender.policy);
	subjects_of(sender.policy, &sender.set);
	return connect_judge(sk, address, &sender);
}

static __always_inline int on_socket_sendmsg(struct socket *sock,
					     struct msghdr *msg, int size)
{
	struct sock *sk;

	probed(HOOK_SOCKET_SENDMSG);
	if (!holds())
		return 0; /* holds nothing: nothing can leave with it */
	sk = sock->sk;
	if (!sk)
		return 0;
	return send_any(sk, msg, (__u32)size);
}

#define OPTION(name) (1ULL << (name))

/* Options that put bytes of the process's own into headers and reports. */
static const __u64 carried_v4 =
	OPTION(IP_OPTIONS) | OPTION(IP_ADD_MEMBERSHIP) |
	OPTION(IP_UNBLOCK_SOURCE) | OPTION(IP_BLOCK_SOURCE) |
	OPTION(IP_ADD_SOURCE_MEMBERSHIP) | OPTION(IP_DROP_SOURCE_MEMBERSHIP) |
	OPTION(IP_MSFILTER);
static const __u64 carried_v6 =
	OPTION(IPV6_2292PKTOPTIONS) | OPTION(IPV6_ADD_MEMBERSHIP) |
	OPTION(IPV6_FLOWLABEL_MGR) | OPTION(IPV6_HOPOPTS) |
	OPTION(IPV6_RTHDRDSTOPTS) | OPTION(IPV6_RTHDR) | OPTION(IPV6_DSTOPTS);
/* At both levels. */
static const __u64 carried_both =
	OPTION(MCAST_JOIN_GROUP) | OPTION(MCAST_BLOCK_SOURCE) |
	OPTION(MCAST_UNBLOCK_SOURCE) | OPTION(MCAST_JOIN_SOURCE_GROUP) |
	OPTION(MCAST_LEAVE_SOURCE_GROUP) | OPTION(MCAST_MSFILTER);
/*
 * Filters, which who shares the socket takes back, or tries out: a constant in
 * each instruction, 32 KiB of them. How many there are stands in memory that
 * can change after it was looked at; so short ones are refused too.
 */
static const __u64 kept_filter = OPTION(SO_ATTACH_FILTER) |
				 OPTION(SO_ATTACH_REUSEPORT_CBPF);
/* Keys, of which a SYN shows a digest, and their numbers. */
static const __u64 carried_tcp =
	OPTION(TCP_MD5SIG) | OPTION(TCP_MD5SIG_EXT) | OPTION(TCP_FASTOPEN_KEY) |
	OPTION(TCP_AO_ADD_KEY) | OPTION(TCP_AO_DEL_KEY) | OPTION(TCP_AO_INFO);

static __always_inline int option_is_carried(__u32 level, __u32 name)
{
	__u64 mask = 0;

	/*
	 * Addresses to bind to, which the first packet lists, and more. Keys
	 * of ciphers, which show in what comes out.
	 */
	if (level == SOL_SCTP || level == SOL_ALG)
		return 1;
	if (level == SOL_IP)
		mask = carried_v4 | carried_both;
	else if (level == SOL_IPV6)
		mask = carried_v6 | carried_both;
	else if (level == SOL_TCP)
		mask = carried_tcp;
	else if (level == SOL_SOCKET)
		mask = kept_filter;
	else if (level == SOL_PACKET)
		mask = OPTION(PACKET_FANOUT_DATA);
	return name < 64 && mask >> name & 1;
}

/*
 * Whoever has the socket takes from then on what the kernel decrypts, where no
 * hook sees it: so there must be nothing of a holder's in it. (The current
 * process has taken that before: hops.bpf.c.)
 */
static __noinline int decrypts(const struct sock *sk)
{
	if (carrier_unseen(sk))
		return -EPERM;
	return may_carry(sk) && carried_at(number_of(sk)) ? refuse_unasked()
							  : 0;
}

/*
 * Most go out with packets without payload too, on sockets on which nothing
 * was ever sent: a SYN with a header of a kilobyte.
 */
static __always_inline int on_socket_setsockopt(const struct socket *sock,
						__u32 level, __u32 name)
{
	const struct sock *sk = sock->sk;

	probed(HOOK_SOCKET_SETSOCKOPT);
	if (level == SOL_TLS && name == TLS_RX)
		return sk ? decrypts(sk) : 0;
	if (!holds() || !option_is_carried(level, name))
		return 0;
	return refuse_unasked();
}

/*
 * A cipher's socket gives what is written to it to whoever reads there. Up to
 * 6.4 splice(2) asks nobody else.
 */
static __noinline int on_socket_permission(const struct inode *inode, int mask)
{
	const struct socket_alloc *alloc = NULL;
	const struct sock *sk;

	if (!(mask & MAY_WRITE) || !holds())
		return 0;
	alloc = (void *)(number_of(inode) -
			 bpf_core_field_offset(alloc->vfs_inode));
	sk = BPF_CORE_READ(alloc, socket.sk);
	if (BPF_CORE_READ(sk, __sk_common.skc_family) != AF_ALG)
		return 0;
	return refuse_unasked();
}

/* ---- hooks ------------------------------------------------------------- */

/*
 * Where bpf is no active LSM: a fmod_ret program may not ask for socket
 * storage, a fentry program of the same function may, but cannot refuse. So
 * this one judges and leaves a ticket with the verdict for the other, which
 * takes a holder's send without a ticket as refused.
 */

static __noinline int send_told(const struct socket *sock, int r)
{
	struct task_struct *task = bpf_get_current_task_btf();

	if (is_holder(task->tgid) && ticket_leave(HOOK_SOCKET_SENDMSG, sock, r))
		state.untold = 1;
	return 0;
}

static __noinline int send_was_told(const struct socket *sock)
{
	struct task_struct *task = bpf_get_current_task_btf();
	int r;

	return !is_holder(task->tgid) ||
	       ticket_find(HOOK_SOCKET_SENDMSG, sock, 0, &r);
}

SEC("fentry/security_socket_sendmsg")
int BPF_PROG(fmod_judge_sendmsg, struct socket *sock, struct msghdr *msg,
	     int size)
{
	return send_told(sock, on_socket_sendmsg(sock, msg, size));
}

SEC("fentry/security_socket_sendmsg")
int BPF_PROG(again_judge_sendmsg, struct socket *sock, struct msghdr *msg,
	     int size)
{
	if (send_was_told(sock))
		return 0;
	return send_told(sock, on_socket_sendmsg(sock, msg, size));
}

/*
 * A holder's send without a ticket. Either another thread made it a holder
 * since, and this was judged as a bystander's, which it was; or there was no
 * room for a ticket, or the kernel skipped whoever leaves one.
 */
static __noinline int send_untold(void)
{
	struct act a;

	if (!state.untold && !state.again)
		return 0;
	act_begin(&a, policy_now(), 0, CHANNEL_OTHER);
	return act_fault(&a, FAULT_UNREADABLE) ? -EPERM : 0;
}

/* What the ticket says of a holder's send. */
static __always_inline int send_verdict(const struct socket *sock)
{
	struct task_struct *task = bpf_get_current_task_btf();
	int r;

	if (!is_holder(task->tgid))
		return 0;
	if (ticket_find(HOOK_SOCKET_SENDMSG, sock, 1, &r))
		return r;
	return holds_nothing() ? 0 : send_untold();
}

/* A ticket that is still there is one that the first never saw. */
static __always_inline int send_verdict_again(const struct socket *sock)
{
	struct task_struct *task = bpf_get_current_task_btf();
	int r;

	if (!is_holder(task->tgid) ||
	    !ticket_find(HOOK_SOCKET_SENDMSG, sock, 1, &r))
		return 0;
	return r;
}

/*
 * Nobody can refuse the bytes, so the socket is stopped. One that has no room
 * for a meter, as its user can bring about, stands in a map until it ends; if
 * that is full, its user ends.
 */
static __noinline int sock_stop(struct sock *sk)
{
	__u64 key = (__u64)sk;
	__u8 one = 1;
	struct meter *m;

	m = bpf_sk_storage_get(&meters, sk, 0, 0);
	if (m) {
		m->stopped = 1;
		return 0;
	}
	state.tagged = 1;
	state.unmetered = 1;
	if (bpf_map_update_elem(&unmetered, &key, &one, BPF_ANY))
		bpf_send_signal(SIGKILL);
	return 0;
}

static __always_inline int on_inet_sendpage(struct socket *sock, size_t size)
{
	struct sock *sk = sock->sk;

	return sk && send_any(sk, NULL, size) ? sock_stop(sk) : 0;
}

/* Up to 6.4. */
SEC("fentry/inet_sendpage")
int BPF_PROG(fentry_inet_sendpage, struct socket *sock, struct page *page,
	     int offset, size_t size)
{
	if (!holds())
		return 0;
	on_inet_sendpage(sock, size);
	if (state.again)
		ticket_leave(HOOK_INET_SENDPAGE, page, 0);
	return 0;
}

/* See again.h. */
SEC("fentry/inet_sendpage")
int BPF_PROG(again_inet_sendpage, struct socket *sock, struct page *page,
	     int offset, size_t size)
{
	int r;

	if (!holds() || ticket_find(HOOK_INET_SENDPAGE, page, 1, &r))
		return 0;
	return on_inet_sendpage(sock, size);
}

static __always_inline int on_sk_free(const struct sock *sk)
{
	__u64 key = (__u64)sk;

	if (state.unmetered)
		bpf_map_delete_elem(&unmetered, &key);
	if (!may_carry(sk))
		return 0;
	carrier_end(carrier_sent(sk), carrier_place(low_half(sk)));
	carrier_end(number_of(sk) | CARRY_UNSEEN, carrier_place(low_half(sk)));
	return carried_end(sk);
}

SEC("fentry/security_sk_free")
int BPF_PROG(fentry_sk_free, struct sock *sk)
{
	return on_sk_free(sk);
}

/* See again.h. */
SEC("fentry/security_sk_free")
int BPF_PROG(again_sk_free, struct sock *sk)
{
	return on_sk_free(sk);
}

/* Was a send on this socket refused that nobody could hold up? */
static __noinline int is_unmetered(const struct bpf_sock *sk)
{
	__u64 key = (__u64)sk;

	return bpf_map_lookup_elem(&unmetered, &key) != NULL;
}

/* The end of a socket's use by processes: nothing more will be taken. */
SEC("fentry/inet_release")
int BPF_PROG(fentry_inet_release, struct socket *sock)
{
	struct sock *sk = sock->sk;
	__u32 protocol, write_seq = 0;
	struct meter *m;
	int stream;

	probed(HOOK_INET_RELEASE);
	if (!state.tagged || !sk)
		return 0;
	m = bpf_sk_storage_get(&meters, sk, 0, 0);
	if (!m)
		return 0;
	protocol = sk->sk_protocol;
	stream = protocol == IPPROTO_TCP;
	if (stream)
		write_seq = BPF_CORE_READ((struct tcp_sock *)sk, write_seq);
	meter_settle(m, write_seq, stream ? SETTLE_STREAM : 0, NULL, 0);
	return 0;
}

/* What a packet carries, and where it goes. */
struct payload {
	__u8 addr[16];
	__u32 bytes;
	__u32 seq;
	__u16 port;
	__u8 tcp;
	__u8 syn;
	__u8 urgent;
} __attribute__((aligned(8)));

/*
 * Returns 0, or -1 for a packet that cannot be judged: not readable, or with
 * options between its headers, which no service needs, where a process can
 * put bytes of its own and another way for the packet to take.
 */
static __always_inline int payload_of(struct __sk_buff *skb,
				      struct payload *ret)
{
	struct ipv6hdr v6;
	struct tcphdr tcp;
	struct iphdr v4;
	__be16 ports[2];
	__u32 at;
	__u8 next;

	__builtin_memset(ret, 0, sizeof(*ret));
	if (skb->protocol == bpf_htons(ETH_P_IP)) {
		if (bpf_skb_load_bytes(skb, 0, &v4, sizeof(v4)) || v4.ihl != 5)
			return -1;
		next = v4.protocol;
		at = sizeof(v4);
		ret->addr[10] = 0xff;
		ret->addr[11] = 0xff;
		__builtin_memcpy(ret->addr + 12, &v4.daddr, 4);
	} else if (skb->protocol == bpf_htons(ETH_P_IPV6)) {
		if (bpf_skb_load_bytes(skb, 0, &v6, sizeof(v6)))
			return -1;
		next = v6.nexthdr;
		if (next == NEXTHDR_HOP || next == NEXTHDR_ROUTING ||
		    next == NEXTHDR_DEST)
			return -1;
		at = sizeof(v6);
		__builtin_memcpy(ret->addr, &v6.daddr, 16);
	} else {
		return -1;
	}
	if (next == IPPROTO_TCP) {
		if (bpf_skb_load_bytes(skb, at, &tcp, sizeof(tcp)))
			return -1;
		at += tcp.doff * 4;
		ret->tcp = 1;
		ret->syn = tcp.syn;
		ret->urgent = tcp.urg;
		ret->seq = bpf_ntohl(tcp.seq) + tcp.syn;
		ret->port = tcp.dest;
	} else if (next == IPPROTO_UDP || next == IPPROTO_UDPLITE) {
		if (bpf_skb_load_bytes(skb, at, ports, sizeof(ports)))
			return -1;
		at += 8;
		ret->port = ports[1];
	}
	ret->bytes = skb->len > at ? skb->len - at : 0;
	return 0;
}

/*
 * Does the packet go where the last send was judged to go? Corked bytes, a
 * socket that is connected anew meanwhile, routing options: the address that
 * counts is the one on the packet.
 */
static __always_inline int payload_astray(const struct meter *m,
					  const struct payload *p)
{
	if (m->dest == CORDON_DEST_UNKNOWN)
		return 0; /* raw: judged as going anywhere */
	if (m->apart)
		return 0; /* no destination has a name there */
	if (m->port == p->port && same_addr(m->addr, p->addr))
		return 0;
	return (__u32)dest_find(state.generation & 1, p->addr, p->port) !=
	       m->dest;
}

/*
 * Is it something that can arrive without anybody being noted who takes it? An
 * urgent byte is handed out by itself, from a place that no hook sees; a
 * segment that says where one will be is as good as the byte. What is neither
 * TCP nor UDP, as the answer to an echo, is for any socket of its kind; with no
 * more than a header it is free, as elsewhere.
 */
static __always_inline int payload_unfollowed(const struct payload *p)
{
	return p->tcp ? p->urgent : !p->port && p->bytes > ICMP_HEADER;
}

/*
 * Bytes over the budget that were stopped, or not: counted, and told at powers
 * of two. `current` means nothing here.
 */
static __noinline int egress_over(const struct metered *to, __u64 now,
				  __u32 bytes, __u32 verdict)
{
	__u32 row = to->row;
	struct ledger *l = bpf_map_lookup_elem(&ledger, &row);
	struct ledger_key key = {};
	struct event *e;
	__u64 n = 1;

	if (l && row) {
		key = l->key;
		n = ledger_over(l, state.generation, now, bytes,
				verdict == VERDICT_BLOCK);
	}
	if (n & (n - 1))
		return 0;
	e = bpf_ringbuf_reserve(&events, sizeof(*e), 0);
	if (!e) {
		__sync_fetch_and_add(&state.faults[FAULT_EVENT_LOST], 1);
		return 0;
	}
	__builtin_memset(e, 0, sizeof(*e));
	e->time_ns = now;
	e->policy = state.policy_serial[state.generation & 1];
	e->type = EVENT_VERDICT;
	e->verdict = verdict;
	e->login = INVALID_UID;
	e->session = INVALID_UID;
	e->origin = key.origin;
	e->rule = to->key.rule;
	e->subject = key.subject;
	e->error = verdict == VERDICT_BLOCK ? EPERM : 0;
	e->bytes = bytes;
	e->max = to->max;
	e->window_ns = to->window_ns;
	e->repeats = n;
	e->dest = key.dest;
	e->dataset = key.dataset;
	e->channel = key.channel;
	e->unit = UNIT_BYTES;
	bpf_ringbuf_submit(e, 0);
	return 0;
}

/* Charges @n bytes that nobody reserved. Returns 1 if they may leave. */
static __noinline int egress_charge(struct meter *m, __u64 now, __u64 n)
{
	struct metered to;
	struct budget *b;
	__u32 i, j;
	int room, forced;

	for (i = 0; i < CORDON_METERED; i++) {
		if (i >= m->count)
			break;
		to = m->to[i];
		if (to.flags & METER_UNLIMITED)
			continue;
		forced = to.flags & METER_FORCE || is_lifted();
		b = bpf_map_lookup_elem(&budgets, &to.key);
		if (!b && !forced)
			return 0;
		if (!b)
			continue;
		bpf_spin_lock(&b->lock);
		room = window_charge(&b->window, now, to.window_ns, to.max, n);
		if (!room)
			b->refused++;
		if (!room && forced)
			window_force(&b->window, now, to.window_ns, n);
		m->to[i].part = b->window.latest;
		bpf_spin_unlock(&b->lock);
		if (room)
			continue;
		if (forced) {
			egress_over(&to, now, n, VERDICT_ALERT);
			continue;
		}
		egress_over(&to, now, n, VERDICT_BLOCK);
		for (j = 0; j < CORDON_METERED; j++) {
			if (j >= i)
				break;
			to = m->to[j];
			if (to.flags & METER_UNLIMITED)
				continue;
			budget_return(&to.key, to.window_ns, to.part, n);
		}
		return 0;
	}
	return 1;
}

/* Is what the last send was judged by only to be reported? */
static __always_inline int meter_forced(const struct meter *m)
{
	__u32 i;

	if (!slot_denies(state.generation) || is_lifted())
		return 1;
	for (i = 0; i < CORDON_METERED; i++) {
		if (i >= m->count)
			break;
		if (!(m->to[i].flags & METER_FORCE))
			return 0;
	}
	return m->count != 0;
}

/* A packet that was not judged. Returns 1 to drop it. */
static __noinline int egress_strange(struct meter *m, const struct payload *p)
{
	int forced = meter_forced(m);

	egress_over(&m->to[0], bpf_ktime_get_boot_ns(), p->bytes,
		    forced ? VERDICT_ALERT : VERDICT_BLOCK);
	if (forced)
		return 0;
	/* TCP would send it again; a datagram is gone with this. */
	if (p->tcp)
		m->stopped = 1;
	__sync_fetch_and_add(&state.dropped, 1);
	return 1;
}

static __always_inline void egress_count(struct meter *m, __u64 now, __u64 n)
{
	__u32 i;

	for (i = 0; i < CORDON_METERED; i++) {
		if (i >= m->count)
			break;
		ledger_add(m->to[i].row, 0, now, 0, n, 0);
	}
}

/* Sockets of one port of which a program, or chance, chooses who receives. */
#define REUSEPORT_MAX 64

/*
 * Which of them it will be is not known before it is queued, when nobody knows
 * any more who sent it: so each of them carries it. More are too many.
 */
static __noinline int arrives_at_each(const struct sock_reuseport *group,
				      __u64 from)
{
	__u64 socks = (__u64)group + bpf_core_field_offset(group->socks);
	__u32 i, n = BPF_CORE_READ(group, num_socks);
	__u64 object;

	if (n > REUSEPORT_MAX)
		return 1;
	for (i = 0; i < REUSEPORT_MAX; i++) {
		if (i >= n)
			break;
		if (bpf_probe_read_kernel(&object, sizeof(object),
					  (void *)(socks + i * 8)) ||
		    carry_on(object, from))
			return 1;
	}
	return 0;
}

/* What became of a holder's packet on the loopback, or between networks. */
enum arrival {
	ARRIVES,
	ARRIVES_UNNOTED,    /* there is no room to note who takes it */
	ARRIVES_UNFOLLOWED, /* who takes it does so where no hook sees it */
};

/* Something over TCP takes what arrives; kTLS tells when (hops.bpf.c). */
static __always_inline int is_taken_by_others(const struct sock *sk)
{
	const struct inet_connection_sock *tcp = (const void *)sk;
	char name[4] = {};

	if (!BPF_CORE_READ(tcp, icsk_ulp_ops))
		return 0;
	BPF_CORE_READ_INTO(&name, tcp, icsk_ulp_ops, name);
	return name[0] != 't' || name[1] != 'l' || name[2] != 's' || name[3];
}

/*
 * First it is noted, then it is asked whether who takes it is seen: who changes
 * that does so in the other order.
 */
static __noinline int arrives_at(__u64 object, __u64 from, int tcp)
{
	const struct sock *peer = (const struct sock *)object;
	const struct sock_reuseport *group;

	if (carry_on(object, from))
		return ARRIVES_UNNOTED;
	if (tcp)
		return is_unseen(object) || is_taken_by_others(peer)
			       ? ARRIVES_UNFOLLOWED
			       : ARRIVES;
	group = BPF_CORE_READ(peer, sk_reuseport_cb);
	return group && arrives_at_each(group, from) ? ARRIVES_UNNOTED
						     : ARRIVES;
}

/* From where the packet comes and where it goes. Returns 0 or -1. */
static __noinline int ends_of(struct __sk_buff *skb, int tcp, struct ends *ret)
{
	__u16 ports[2];
	__u32 v4[2];
	int r;

	ret->protocol = tcp ? IPPROTO_TCP : IPPROTO_UDP;
	if (skb->protocol == bpf_htons(ETH_P_IP)) {
		r = bpf_skb_load_bytes(skb, offsetof(struct iphdr, saddr), v4,
				       sizeof(v4));
		if (!r)
			r = bpf_skb_load_bytes(skb, sizeof(struct iphdr), ports,
					       sizeof(ports));
		if (r)
			return -1;
		peer_v4(&ret->from, v4[0]);
		peer_v4(&ret->to, v4[1]);
	} else {
		r = bpf_skb_load_bytes(skb, offsetof(struct ipv6hdr, saddr),
				       ret->from.addr, 16);
		if (!r)
			r = bpf_skb_load_bytes(skb,
					       offsetof(struct ipv6hdr, daddr),
					       ret->to.addr, 16);
		if (!r)
			r = bpf_skb_load_bytes(skb, sizeof(struct ipv6hdr),
					       ports, sizeof(ports));
		if (r)
			return -1;
	}
	ret->from.port = ports[0];
	ret->to.port = ports[1];
	return 0;
}

/* The same as the kernel wants it. Returns its size, or 0. */
static __noinline __u32 tuple_of(struct __sk_buff *skb, int tcp,
				 struct bpf_sock_tuple *ret)
{
	struct ends ends = {};

	if (ends_of(skb, tcp, &ends))
		return 0;
	if (skb->protocol == bpf_htons(ETH_P_IP)) {
		__builtin_memcpy(&ret->ipv4.saddr, ends.from.addr + 12, 4);
		__builtin_memcpy(&ret->ipv4.daddr, ends.to.addr + 12, 4);
		ret->ipv4.sport = ends.from.port;
		ret->ipv4.dport = ends.to.port;
		return sizeof(ret->ipv4);
	}
	__builtin_memcpy(ret->ipv6.saddr, ends.from.addr, 16);
	__builtin_memcpy(ret->ipv6.daddr, ends.to.addr, 16);
	ret->ipv6.sport = ends.from.port;
	ret->ipv6.dport = ends.to.port;
	return sizeof(ret->ipv6);
}

/*
 * A holder's packet is on the loopback: the socket it is for carries what the
 * holder holds before it can be read there, and whoever reads takes it from
 * that (hops.bpf.c). A connection that is not made yet has no such socket: TCP
 * sends again. Returns an enum arrival.
 */
static __noinline int arrives(struct __sk_buff *skb, const void *sk, int tcp)
{
	struct bpf_sock_tuple to = {};
	struct bpf_sock *peer;
	__u32 size;
	__u64 from;
	int r;

	from = may_carry(sk) ? carried_at(carrier_sent(sk)) : 0;
	if (!from)
		return 0;
	size = tuple_of(skb, tcp, &to);
	if (!size)
		return ARRIVES_UNNOTED;
	if (tcp)
		peer = bpf_sk_lookup_tcp(skb, &to, size, BPF_F_CURRENT_NETNS,
					 0);
	else
		peer = bpf_sk_lookup_udp(skb, &to, size, BPF_F_CURRENT_NETNS,
					 0);
	if (!peer)
		return 0;
	r = ARRIVES_UNNOTED;
	if (!tcp || peer->state != TCP_LISTEN)
		r = arrives_at(number_of(peer), from, tcp);
	bpf_sk_release(peer);
	return r;
}

/* Devices that share a place in the kernel's table, net/core/dev.h. */
#define DEVICE_HASH	256
#define DEVICES_A_PLACE 64

/*
 * Is no hardware behind the device of this number, in the network of @sk? What
 * the socket keeps of its way is that of its connection, if it has one.
 */
static __noinline int is_virtual(const void *sk, __u32 ifindex)
{
	const struct sock *from = (const struct sock *)number_of(sk);
	const struct hlist_head *heads =
		BPF_CORE_READ(from, __sk_common.skc_net.net, dev_index_head);
	const struct hlist_node *node;
	const struct net_device *dev = NULL;
	int i;

	if (bpf_probe_read_kernel(&node, sizeof(node),
				  &heads[ifindex % DEVICE_HASH]))
		return 1;
#pragma clang loop unroll(disable)
	for (i = 0; i < DEVICES_A_PLACE && node; i++) {
		dev = (const void *)((__u64)node -
				     bpf_core_field_offset(dev->index_hlist));
		if ((__u32)BPF_CORE_READ(dev, ifindex) == ifindex)
			return !BPF_CORE_READ(dev, dev.parent);
		node = BPF_CORE_READ(node, next);
	}
	return 1; /* it may be */
}

/* Not in crosses(), whose stack is deep enough. Returns 0 or -1. */
static __noinline int crossing_keys_of(struct __sk_buff *skb, const void *sk,
				       int tcp, __u64 *ret_from, __u64 *ret_to)
{
	const struct sock *from = (const struct sock *)number_of(sk);
	struct ends ends = {};
	int own;

	if (ends_of(skb, tcp, &ends))
		return -1;
	ends.owner = owner_of(from);
	own = tcp && BPF_CORE_READ_BITFIELD_PROBED(from, sk_userlocks) &
			     SOCK_BINDPORT_LOCK;
	crossing_keys(&ends, own, ret_from, ret_to);
	return 0;
}

/*
 * A holder's packet leaves this network of the host, and may arrive in another
 * one: see crossing.h. Returns an enum arrival.
 */
static __noinline int crosses(struct __sk_buff *skb, const void *sk,
			      struct meter *m, int tcp)
{
	__u32 device = skb->ifindex << 1 | 1, way = m->way;
	__u64 key_from = 0, key_to = 0, from, now, took;
	int same;

	/* One word: sends by two devices at once must not mix. */
	if (way != device && way != (device ^ 1)) {
		way = is_virtual(sk, skb->ifindex) ? device : device ^ 1;
		m->way = way;
	}
	if (!(way & 1))
		return ARRIVES;
	from = may_carry(sk) ? carried_at(carrier_sent(sk)) : 0;
	if (!from)
		return ARRIVES;
	now = bpf_ktime_get_boot_ns();
	/* Before it is noted: what comes in meanwhile is noted next time. */
	took = took_of(from);
	same = m->crossed == took && now - m->crossed_ns < CROSSING_AGAIN_NS;
	if (same && tcp && m->crossed_first == m->first)
		return ARRIVES;
	if (crossing_keys_of(skb, sk, tcp, &key_from, &key_to))
		return ARRIVES_UNNOTED;
	if (same && m->crossed_keys == (key_from ^ key_to))
		return ARRIVES;
	if ((key_from && crossing_note_end(key_from, from, now)) ||
	    (key_to && crossing_note_end(key_to, from, now)))
		return ARRIVES_UNNOTED;
	m->crossed = took;
	m->crossed_first = m->first;
	m->crossed_keys = key_from ^ key_to;
	m->crossed_ns = now;
	return ARRIVES;
}

SEC("cgroup_skb/egress")
int egress(struct __sk_buff *skb)
{
	struct payload p;
	struct bpf_sock *sk;
	struct meter *m;
	__u64 now, need = 0;
	__u32 new, stopped;
	int strange, local, arrival = ARRIVES;

	if (state.probe_tid)
		__sync_fetch_and_or(&state.probed, 1ULL << HOOK_EGRESS);
	if (!state.tagged)
		return 1;
	sk = skb->sk;
	if (!sk)
		return 1;
	/* None for a handshake or a late acknowledgement: no full socket. */
	m = bpf_sk_storage_get(&meters, sk, 0, 0);
	if (!m && state.unmetered && is_unmetered(sk)) {
		__sync_fetch_and_add(&state.dropped, 1);
		return 0;
	}
	if (!m)
		return 1; /* no holder ever sent on this socket */
	/* Nor with this: each was refused, and what leaves is others'. */
	if (!m->count && !m->stopped)
		return 1;
	strange = payload_of(skb, &p);
	if (!strange && p.bytes)
		strange = payload_astray(m, &p);
	/* Once: of two reads clang makes one address, which 6.1 refuses. */
	local = skb->ifindex == LOOPBACK_IFINDEX;
	if (!strange && local)
		strange = payload_unfollowed(&p);
	if (strange && egress_strange(m, &p))
		return 0;
	if (p.bytes && p.port && !m->stopped)
		arrival = local ? arrives(skb, sk, p.tcp)
				: crosses(skb, sk, m, p.tcp);
	if (arrival == ARRIVES_UNFOLLOWED && egress_strange(m, &p))
		return 0;
	if (arrival == ARRIVES_UNNOTED && !meter_forced(m)) {
		__sync_fetch_and_add(&state.dropped, 1);
		return 0;
	}

	bpf_spin_lock(&m->lock);
	/* Of a connection's first SYN: a later one may follow its data. */
	if (p.tcp && p.syn && (m->fresh || m->first != p.seq)) {
		m->sent_end = p.seq;
		m->first = p.seq;
		m->fresh = 0;
	}
	new = p.bytes;
	if (p.tcp)
		new = segment_new(m->sent_end, p.seq, p.bytes);
	stopped = m->stopped;
	if (new && !stopped) {
		m->metered += new;
		if (p.tcp)
			m->sent_end = p.seq + p.bytes;
		/* At once: another packet must not count on the same bytes. */
		if (m->metered > m->charged)
			need = m->metered - m->charged;
		m->charged += need;
	}
	bpf_spin_unlock(&m->lock);
	if (!new)
		return 1; /* no payload, or sent before and counted then */
	now = bpf_ktime_get_boot_ns();
	if (need && !egress_charge(m, now, need)) {
		stopped = 1;
		if (p.tcp)
			m->stopped = 1;
		bpf_spin_lock(&m->lock);
		m->charged -= need;
		m->metered -= need; /* all: another may have begun anew */
		if (p.tcp)
			m->sent_end -= new; /* it will be sent again */
		bpf_spin_unlock(&m->lock);
	}
	if (stopped) {
		__sync_fetch_and_add(&state.dropped, 1);
		return 0;
	}
	egress_count(m, now, new);
	return 1;
}
