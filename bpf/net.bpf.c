/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * net.bpf.c - bytes that leave, in two layers.
 *
 *   socket_sendmsg   knows the process: judges, reserves, tags the socket
 *   file_permission  the same for sendfile and splice up to 6.4, which ask
 *                    nobody else, and for TUN devices
 *   egress           knows the packet: meters what leaves a tagged socket
 *   inet_release     gives back what a closed socket never took
 *
 * A send is charged before its bytes move. What the socket did not take is
 * given back at the next send or at the end. What leaves without having been
 * charged is charged by the meter, packet by packet; over the budget it is
 * dropped and the socket is stopped: TCP would send it again.
 */

extern const void inet_sendpage __ksym __weak; /* up to 6.4 */

/* The releases of a rule for one destination: its own entry, else "*". */
static __noinline int grant_of(struct act *a, const struct rule *rule,
			       struct grant *ret_grant)
{
	struct release *entry;
	__u32 at, i, first = rule->first_release, count = rule->releases;
	__u32 dest = a->dest, any = 0;

	for (i = 0; i < CORDON_RULE_RELEASES; i++) {
		if (i >= count)
			break;
		at = a->slot * CORDON_RELEASES + first + i;
		entry = bpf_map_lookup_elem(&releases, &at);
		if (!entry)
			break;
		if (entry->dest == dest) {
			*ret_grant = entry->grant;
			return 1;
		}
		if (entry->dest == CORDON_DEST_ANY) {
			*ret_grant = entry->grant;
			any = 1;
		}
	}
	if (any)
		a->dest = CORDON_DEST_ANY;
	return any;
}

/* ---- destinations ------------------------------------------------------ */

static __noinline int dest_find(struct act *a)
{
	struct dest_key key = {.prefixlen = 160, .slot = a->slot};
	struct dest_value *v;
	__u16 port = bpf_ntohs(a->port);
	int i;

	a->dest = CORDON_DEST_ANY;
	__builtin_memcpy(key.addr, a->addr, sizeof(key.addr));
	v = bpf_map_lookup_elem(&dests, &key);
	if (!v)
		return 0;
	for (i = 0; i < CORDON_PORTS; i++) {
		if (i >= (int)v->count)
			break;
		if (port >= v->ports[i].low && port <= v->ports[i].high) {
			a->dest = v->ports[i].dest;
			break;
		}
	}
	return 0;
}

static __always_inline void addr_v4(struct act *a, __u32 addr)
{
	a->addr[10] = 0xff;
	a->addr[11] = 0xff;
	__builtin_memcpy(a->addr + 12, &addr, 4);
}

/* Where @msg on @sk goes: its own address, else the socket's. */
static __always_inline void dest_of(struct act *a, struct sock *sk,
				    const struct msghdr *msg, __u32 family,
				    int stream)
{
	struct sockaddr_in6 in6 = {};
	struct sockaddr_in *in = (struct sockaddr_in *)&in6;
	void *name = NULL;

	if (msg)
		name = msg->msg_name;
	/* TCP looks at the name for fast open only, when not connected. */
	if (name && (!stream || sk->__sk_common.skc_state == TCP_CLOSE)) {
		if (bpf_probe_read_kernel(&in6, sizeof(*in), name))
			goto connected;
		if (family == AF_INET || in->sin_family == AF_INET) {
			addr_v4(a, in->sin_addr.s_addr);
			a->port = in->sin_port;
			return;
		}
		if (in->sin_family == AF_INET6) {
			bpf_probe_read_kernel(&in6, sizeof(in6), name);
			__builtin_memcpy(a->addr, &in6.sin6_addr, 16);
			a->port = in6.sin6_port;
			return;
		}
	}
connected:
	a->port = sk->__sk_common.skc_dport;
	if (family == AF_INET) {
		addr_v4(a, sk->__sk_common.skc_daddr);
	} else {
		struct in6_addr v6 = sk->__sk_common.skc_v6_daddr;

		__builtin_memcpy(a->addr, &v6, 16);
	}
}

/* ---- the release ------------------------------------------------------- */

/* What a holding has of one dataset. */
struct held {
	__u64 records;
	__u32 origin;
	__u32 dataset;
};

/* The @i-th share's dataset, summed; 0 if it is free or was seen before. */
static __noinline int held_of(struct holding *h, __u32 i, struct held *ret)
{
	__u32 j, origin = 0, dataset = 0, seen = 0;
	__u64 records = 0;

	bpf_spin_lock(&h->lock);
	for (j = 0; j < CORDON_SHARES; j++) {
		if (j == i) {
			origin = h->shares[j].origin;
			dataset = h->shares[j].dataset;
		}
	}
	for (j = 0; j < CORDON_SHARES; j++) {
		struct share *s = &h->shares[j];

		if (!s->origin || s->dataset != dataset)
			continue;
		if (j < i)
			seen = 1;
		records = add_capped(records, s->records, ~0ULL);
	}
	bpf_spin_unlock(&h->lock);
	ret->records = records;
	ret->origin = origin;
	ret->dataset = dataset;
	return origin && !seen;
}

/* Charges the records that the holding was not charged here before. */
static __noinline int release_records(struct act *a, struct holding *h,
				      const struct limit *limit, __u64 held,
				      __u32 floor)
{
	struct budget_key key;
	struct budget *b;
	__u64 before = 0, wire = 0, due, part, twice = 0;
	__u32 j, at = CORDON_CHARGES, full = (a->dataset + a->dest) &
					     (CORDON_CHARGES - 1);
	int room = 1, first = 0;

	bpf_spin_lock(&h->lock);
	for (j = 0; j < CORDON_CHARGES; j++) {
		struct charge *c = &h->charges[j];

		if (c->dataset == a->dataset && c->dest == a->dest &&
		    c->rule == a->rule) {
			before = c->records;
			wire = c->wire_bytes;
		}
	}
	bpf_spin_unlock(&h->lock);
	due = records_due(held, floor, wire + a->bytes, before);
	a->records = due;
	if (due && limit->window_ns) {
		budget_key_of(a, UNIT_RECORDS, &key);
		b = budget_get(&key);
		if (!b)
			return -1;
		a->unit = UNIT_RECORDS;
		room = budget_take(a, b, limit, due,
				   act_enforced(a) ? TAKE_CHARGE : TAKE_FORCE);
		part = a->part;
		if (!room && act_enforced(a))
			return 1;
	}
	bpf_spin_lock(&h->lock);
	for (j = 0; j < CORDON_CHARGES; j++) {
		struct charge *c = &h->charges[j];

		if (c->dataset == a->dataset && c->dest == a->dest &&
		    c->rule == a->rule)
			at = j;
		else if (!c->dataset && at == CORDON_CHARGES)
			full = j;
	}
	if (at == CORDON_CHARGES) {
		at = full;
		first = 1;
	}
	for (j = 0; j < CORDON_CHARGES; j++) {
		struct charge *c = &h->charges[j];

		if (j != at)
			continue;
		if (first) {
			/* What it forgets is charged anew: never too little. */
			c->dataset = a->dataset;
			c->dest = a->dest;
			c->rule = a->rule;
			c->records = 0;
			c->wire_bytes = 0;
		}
		if (c->records > before) /* another thread was charged too */
			twice = c->records - before;
		if (twice > due)
			twice = due;
		c->records += due - twice;
		c->wire_bytes += a->bytes;
	}
	bpf_spin_unlock(&h->lock);
	if (twice && limit->window_ns) {
		b = bpf_map_lookup_elem(&budgets, &key);
		if (b)
			budget_give_back(b, part, twice);
	}
	if (first)
		event_send(a, EVENT_FIRST_RELEASE, VERDICT_ALLOW, 0, 0);
	return room ? 0 : 1;
}

/*
 * Judges the release of @a->bytes for one dataset that is held. @to, if the
 * channel has a meter, says afterwards what its bytes are charged to. Returns
 * 0 or a negative errno.
 */
static __noinline int release_dataset(struct act *a, struct holding *h,
				      struct held *held, struct metered *to,
				      struct subject_set *set)
{
	struct dataset_rules *d;
	struct grant grant = {};
	struct budget_key key;
	struct rule *rule;
	struct budget *b;
	struct origin *o;
	__u32 at = held->origin, flags = 0;
	__u64 part = 0;
	int bad, limited = 0;

	a->dataset = held->dataset;
	a->rule = 0;
	a->subject = 0;
	a->flags = RULE_BLOCK;
	o = bpf_map_lookup_elem(&origins, &at);
	a->origin = o ? o->serial : 0;
	a->records = held->records;
	d = dataset_of(a);
	if (!d || !held->dataset)
		return act_fault(a, FAULT_UNKNOWN_HOLDING) ? -EPERM : 0;
	rule = rule_of(a, d, set);
	if (rule && !grant_of(a, rule, &grant))
		grant.kind = GRANT_NONE;
	if (grant.kind == GRANT_NONE) {
		a->unit = UNIT_RECORDS;
		a->used = 0;
		a->max = 0;
		bad = act_over(a, EPERM);
		if (bad)
			return bad;
		flags = METER_UNLIMITED;
	} else if (grant.kind == GRANT_UNLIMITED) {
		flags = METER_UNLIMITED;
	} else {
		if (!to) /* nothing counts its bytes */
			return act_over(a, EPERM);
		limited = !!grant.bytes.window_ns;
		if (!limited)
			flags = METER_UNLIMITED;
	}
	if (!act_enforced(a))
		flags |= METER_FORCE;
	if (limited && a->bytes) {
		budget_key_of(a, UNIT_BYTES, &key);
		b = budget_get(&key);
		if (!b)
			return act_fault(a, FAULT_BUDGET_FULL) ? -EPERM : 0;
		a->unit = UNIT_BYTES;
		bad = !budget_take(a, b, &grant.bytes, a->bytes,
				   flags & METER_FORCE ? TAKE_FORCE
						       : TAKE_CHARGE);
		part = a->part;
		if (bad) {
			bad = act_over(a, EPERM);
			if (bad)
				return bad;
		}
	}
	bad = 0;
	if (grant.kind == GRANT_LIMITED)
		bad = release_records(a, h, &grant.records, held->records,
				      rule && rule->flags & RULE_NARROW
					      ? d->floor
					      : 0);
	if (bad) {
		if (bad < 0)
			bad = act_fault(a, FAULT_BUDGET_FULL) ? -EPERM : 0;
		else
			bad = act_over(a, EPERM);
		if (bad) {
			if (limited && a->bytes) {
				b = budget_get(&key);
				if (b)
					budget_give_back(b, part, a->bytes);
			}
			return bad;
		}
	}
	if (!to)
		return 0;
	budget_key_of(a, UNIT_BYTES, &to->key);
	ledger_key_of(a, &to->ledger);
	to->max = grant.bytes.max;
	to->window_ns = grant.bytes.window_ns;
	to->part = part;
	to->flags = flags;
	ledger_add(&to->ledger, a->now, 1, 0, a->records);
	return 0;
}

/* A holder on a channel that nothing can meter: allowed where unlimited. */
static __noinline int refuse_holder(struct act *a, __u32 error)
{
	struct task_struct *task = bpf_get_current_task_btf();
	struct holding *h = holding_of(task->tgid);
	struct subject_set set;
	struct held held;
	int i, r;

	a->dest = CORDON_DEST_ANY;
	if (!h)
		return act_fault(a, FAULT_UNKNOWN_HOLDING) ? -(int)error : 0;
	subjects_of(a, &set);
	for (i = 0; i < CORDON_SHARES; i++) {
		if (!held_of(h, i, &held))
			continue;
		r = release_dataset(a, h, &held, NULL, &set);
		if (r)
			return -(int)error;
	}
	return 0;
}

/* ---- the meter --------------------------------------------------------- */

/* Gives @n bytes back to every budget that the last reservation took. */
static __always_inline void meter_give_back(struct meter *m, __u64 n,
					    __u32 count)
{
	__u32 i;

	for (i = 0; i < CORDON_METERED; i++) {
		struct budget_key key;
		struct budget *b;

		if (i >= count || m->to[i].flags & METER_UNLIMITED)
			continue;
		key = m->to[i].key;
		b = bpf_map_lookup_elem(&budgets, &key);
		if (b)
			budget_give_back(b, m->to[i].part, n);
	}
}

/*
 * What was reserved, did not leave and is not waiting to leave was never
 * taken by the socket. @queued: bytes that it still has to send.
 */
static __noinline int meter_settle(struct meter *m, __u32 write_seq, int stream)
{
	__u64 surplus = 0, open, queued = 0;
	__u32 count;

	bpf_spin_lock(&m->lock);
	if (stream && !m->fresh) {
		__s32 ahead = (__s32)(write_seq - m->sent_end);

		queued = ahead > 0 ? ahead : 0;
	}
	open = m->charged > m->metered ? m->charged - m->metered : 0;
	if (open > queued && !(stream && m->fresh)) {
		surplus = open - queued;
		if (surplus > m->last)
			surplus = m->last;
		m->charged -= surplus;
	}
	m->last = 0;
	count = m->count;
	bpf_spin_unlock(&m->lock);
	if (surplus)
		meter_give_back(m, surplus, count);
	return 0;
}

static __noinline int send_inet(struct sock *sk, const struct msghdr *msg,
				__u64 size, __u32 family)
{
	struct task_struct *task = bpf_get_current_task_btf();
	struct subject_set set;
	struct holding *h;
	struct held held;
	struct meter *m;
	struct act a;
	__u32 protocol = sk->sk_protocol, type = sk->sk_type;
	__u32 i, count = 0, write_seq = 0, state_now;
	int stream = 0, settle = 1, r;
	__u16 dest;

	act_begin(&a, 0, CHANNEL_OTHER);
	a.bytes = size;
	if (type == SOCK_RAW) {
		/* With a header of its own the packet goes where that says. */
		a.channel = CHANNEL_RAW;
		dest_of(&a, sk, msg, family, 0);
		a.port = 0;
		a.dest = CORDON_DEST_ANY;
	} else if (protocol == IPPROTO_TCP && type == SOCK_STREAM) {
		a.channel = CHANNEL_TCP;
		stream = 1;
	} else if (protocol == IPPROTO_UDP || protocol == IPPROTO_UDPLITE) {
		a.channel = CHANNEL_UDP;
		/* Corked bytes wait for their datagram. */
		settle = !BPF_CORE_READ((struct udp_sock *)sk, pending);
	} else if (type == SOCK_DGRAM &&
		   (protocol == IPPROTO_ICMP || protocol == IPPROTO_ICMPV6)) {
		a.channel = CHANNEL_ICMP;
	} else {
		/* MPTCP, SCTP, SMC, ...: their packets carry no tag. */
		return refuse_holder(&a, EPERM);
	}
	if (type != SOCK_RAW) {
		dest_of(&a, sk, msg, family, stream);
		dest_find(&a);
	}
	h = holding_of(task->tgid);
	if (!h)
		return act_fault(&a, FAULT_UNKNOWN_HOLDING) ? -EPERM : 0;
	state_now = sk->__sk_common.skc_state;
	if (stream)
		write_seq = BPF_CORE_READ((struct tcp_sock *)sk, write_seq);

	m = bpf_sk_storage_get(&meters, sk, 0, 0);
	if (!m) {
		m = bpf_sk_storage_get(&meters, sk, 0,
				       BPF_SK_STORAGE_GET_F_CREATE);
		if (!m)
			return act_fault(&a, FAULT_SOCKET_FULL) ? -EPERM : 0;
		m->sent_end = write_seq;
		m->fresh = stream && state_now == TCP_CLOSE;
		state.tagged = 1;
	}
	if (settle)
		meter_settle(m, write_seq, stream);
	subjects_of(&a, &set);
	dest = a.dest;
	for (i = 0; i < CORDON_SHARES; i++) {
		if (!held_of(h, i, &held))
			continue;
		a.dest = dest;
		if (count >= CORDON_METERED) {
			r = act_fault(&a, FAULT_SOCKET_FULL) ? -EPERM : 0;
			if (r)
				goto undo;
			break;
		}
		r = release_dataset(&a, h, &held,
				    &m->to[count & (CORDON_METERED - 1)], &set);
		if (r)
			goto undo;
		count++;
	}
	if (m->stopped) {
		r = act_over(&a, EPERM);
		if (r)
			goto undo;
	}
	bpf_spin_lock(&m->lock);
	m->count = count;
	m->charged += size;
	m->last += size;
	bpf_spin_unlock(&m->lock);
	return 0;
undo:
	/* The datasets before this one were charged for what will not be sent. */
	if (size)
		meter_give_back(m, size, count);
	return r;
}

static __always_inline int send_any(struct sock *sk, const struct msghdr *msg,
				    __u64 size)
{
	__u32 family = sk->__sk_common.skc_family;
	struct act a;

	if (family == AF_INET || family == AF_INET6)
		return send_inet(sk, msg, size, family);
	/* These stay on the host. */
	if (family == AF_UNIX || family == AF_NETLINK || family == AF_ALG)
		return 0;
	act_begin(&a, 0, CHANNEL_OTHER);
	a.bytes = size;
	return refuse_holder(&a, EPERM);
}

static __always_inline int on_socket_sendmsg(struct socket *sock,
					     struct msghdr *msg, int size)
{
	struct task_struct *task = bpf_get_current_task_btf();
	struct sock *sk;

	probed(HOOK_SOCKET_SENDMSG);
	if (!is_holder(task->tgid) || state.agent == (__u32)task->tgid)
		return 0; /* holds nothing: nothing can leave with it */
	sk = sock->sk;
	if (!sk)
		return 0;
	return send_any(sk, msg, size < 0 ? 0 : size);
}

/* A write to something that is no regular file. */
static __always_inline int on_special_write(struct file *file,
					    const struct inode *inode,
					    __u32 mode)
{
	struct task_struct *task = bpf_get_current_task_btf();
	struct pt_regs *regs;
	struct socket *sock;
	struct sock *sk;
	struct act a;
	__u64 nr;

	if (!is_holder(task->tgid) || state.agent == (__u32)task->tgid)
		return 0;
	if (mode == S_IFCHR) {
		if (inode->i_rdev != TUN_DEVICE)
			return 0;
		act_begin(&a, 0, CHANNEL_DEVICE);
		return refuse_holder(&a, EPERM);
	}
	/*
	 * Up to 6.4 sendfile and splice hand pages to the socket, past
	 * socket_sendmsg. Nobody says how many bytes: the meter charges them.
	 */
	if (!&inet_sendpage)
		return 0;
	regs = (struct pt_regs *)bpf_task_pt_regs(task);
	nr = regs->orig_ax;
	if (!(task->flags & PF_WORKERS) && !task->io_uring &&
	    (nr == NR_write || nr == NR_writev))
		return 0; /* socket_sendmsg comes next */
	sock = bpf_sock_from_file(file);
	if (!sock)
		return 0;
	sk = sock->sk;
	if (!sk)
		return 0;
	return send_any(sk, NULL, 0);
}

/* ---- hooks ------------------------------------------------------------- */

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
	meter_settle(m, write_seq, stream);
	return 0;
}

/* What a packet carries, and where its sequence of bytes stands. */
struct payload {
	__u32 bytes;
	__u32 seq;
	__u8 tcp;
	__u8 syn;
};

/*
 * Everything behind the fixed headers counts as payload: options too, for a
 * process can put bytes of its own there. Unreadable: all of the packet.
 */
static __always_inline void payload_of(struct __sk_buff *skb,
				       struct payload *ret)
{
	struct tcphdr tcp;
	struct ipv6hdr v6;
	struct iphdr v4;
	__u32 at, fixed, ends;
	__u8 next;
	int i;

	ret->bytes = skb->len;
	ret->tcp = 0;
	if (skb->protocol == bpf_htons(ETH_P_IP)) {
		if (bpf_skb_load_bytes(skb, 0, &v4, sizeof(v4)))
			return;
		next = v4.protocol;
		fixed = sizeof(v4);
		at = v4.ihl * 4;
	} else if (skb->protocol == bpf_htons(ETH_P_IPV6)) {
		__u8 ext[2];

		if (bpf_skb_load_bytes(skb, 0, &v6, sizeof(v6)))
			return;
		next = v6.nexthdr;
		fixed = sizeof(v6);
		at = fixed;
		for (i = 0; i < 4; i++) {
			if (next != NEXTHDR_HOP && next != NEXTHDR_ROUTING &&
			    next != NEXTHDR_DEST)
				break;
			if (bpf_skb_load_bytes(skb, at, ext, sizeof(ext)))
				return;
			next = ext[0];
			at += (ext[1] + 1) * 8;
		}
	} else {
		return;
	}
	ret->bytes = skb->len > fixed ? skb->len - fixed : 0;
	if (next == IPPROTO_UDP || next == IPPROTO_UDPLITE) {
		ret->bytes -= ret->bytes < 8 ? ret->bytes : 8;
		return;
	}
	if (next != IPPROTO_TCP)
		return;
	if (bpf_skb_load_bytes(skb, at, &tcp, sizeof(tcp)))
		return;
	ends = at + tcp.doff * 4;
	ret->tcp = 1;
	ret->syn = tcp.syn;
	ret->seq = bpf_ntohl(tcp.seq) + tcp.syn;
	/* Options of the IP header ride on every segment; do not let them
	 * stop an acknowledgement. */
	ret->bytes = skb->len > ends ? skb->len - ends : 0;
}

/* Tells of a socket that was stopped; `current` means nothing here. */
static __always_inline void egress_tell(const struct metered *to, __u64 now,
					__u32 bytes)
{
	struct event *e = bpf_ringbuf_reserve(&events, sizeof(*e), 0);

	if (!e) {
		__sync_fetch_and_add(&state.faults[FAULT_EVENT_LOST], 1);
		return;
	}
	__builtin_memset(e, 0, sizeof(*e));
	e->time_ns = now;
	e->policy = state.policy_serial[state.generation & 1];
	e->type = EVENT_VERDICT;
	e->verdict = VERDICT_BLOCK;
	e->login = INVALID_UID;
	e->session = INVALID_UID;
	e->origin = to->ledger.origin;
	e->rule = to->key.rule;
	e->subject = to->ledger.subject;
	e->error = EPERM;
	e->bytes = bytes;
	e->max = to->max;
	e->window_ns = to->window_ns;
	e->repeats = 1;
	e->dest = to->ledger.dest;
	e->dataset = to->ledger.dataset;
	e->channel = to->ledger.channel;
	e->unit = UNIT_BYTES;
	bpf_ringbuf_submit(e, 0);
}

/* Charges @n bytes that nobody reserved. Returns 1 if they may leave. */
static __noinline int egress_charge(struct meter *m, __u64 now, __u64 n)
{
	struct metered to;
	struct budget *b;
	__u32 i, j;
	int room;

	for (i = 0; i < CORDON_METERED; i++) {
		if (i >= m->count)
			break;
		to = m->to[i];
		if (to.flags & METER_UNLIMITED)
			continue;
		b = budget_get(&to.key);
		if (!b && !(to.flags & METER_FORCE))
			return 0;
		if (!b)
			continue;
		bpf_spin_lock(&b->lock);
		room = window_charge(&b->window, now, to.window_ns, to.max, n);
		if (!room && to.flags & METER_FORCE)
			window_force(&b->window, now, to.window_ns, n);
		m->to[i].part = b->window.latest;
		bpf_spin_unlock(&b->lock);
		if (room || to.flags & METER_FORCE)
			continue;
		egress_tell(&to, now, n);
		for (j = 0; j < CORDON_METERED; j++) {
			if (j >= i)
				break;
			to = m->to[j];
			if (to.flags & METER_UNLIMITED)
				continue;
			b = bpf_map_lookup_elem(&budgets, &to.key);
			if (b)
				budget_give_back(b, to.part, n);
		}
		return 0;
	}
	return 1;
}

static __always_inline void egress_count(struct meter *m, __u64 now, __u64 n)
{
	struct ledger_key key;
	__u32 i;

	for (i = 0; i < CORDON_METERED; i++) {
		if (i >= m->count)
			break;
		key = m->to[i].ledger;
		ledger_add(&key, now, 0, n, 0);
	}
}

SEC("cgroup_skb/egress")
int egress(struct __sk_buff *skb)
{
	struct payload p = {};
	struct bpf_sock *sk;
	struct meter *m;
	__u64 now, need = 0;
	__u32 new, stopped;

	if (state.probe_tid)
		__sync_fetch_and_or(&state.probed, 1ULL << HOOK_EGRESS);
	if (!state.tagged)
		return 1;
	sk = skb->sk;
	if (!sk)
		return 1;
	sk = bpf_sk_fullsock(sk);
	if (!sk)
		return 1; /* a handshake or a late acknowledgement */
	m = bpf_sk_storage_get(&meters, sk, 0, 0);
	if (!m)
		return 1; /* no holder ever sent on this socket */
	payload_of(skb, &p);

	bpf_spin_lock(&m->lock);
	if (p.tcp && m->fresh && p.syn) {
		m->sent_end = p.seq;
		m->fresh = 0;
	}
	new = p.bytes;
	if (p.tcp)
		new = segment_new(m->sent_end, p.seq, p.bytes);
	stopped = m->stopped;
	if (new && !stopped && m->metered + new > m->charged)
		need = m->metered + new - m->charged;
	if (new && !stopped && !need) {
		m->metered += new;
		if (p.tcp)
			m->sent_end = p.seq + p.bytes;
	}
	bpf_spin_unlock(&m->lock);
	if (!new)
		return 1; /* no payload, or sent before and counted then */
	now = bpf_ktime_get_boot_ns();
	if (!stopped && need) {
		if (egress_charge(m, now, need)) {
			bpf_spin_lock(&m->lock);
			m->charged += need;
			m->metered += new;
			if (p.tcp)
				m->sent_end = p.seq + p.bytes;
			bpf_spin_unlock(&m->lock);
		} else {
			m->stopped = 1;
			stopped = 1;
		}
	}
	if (stopped) {
		__sync_fetch_and_add(&state.dropped, 1);
		return 0;
	}
	egress_count(m, now, new);
	return 1;
}
