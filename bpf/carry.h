/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * carry.h - holdings that move with the data.
 *
 * Whoever takes something out of a kernel object that a holder put something
 * in (a carrier) holds from then on what the holder held: its whole share of
 * every origin, for a few bytes can stand for much. It is added to what the
 * taker had, up to what the origin read, so that loops inflate nothing.
 *
 * A carrier that one process writes to has that process's holding and no copy
 * of it: what the process reads later counts as well, so nothing depends on
 * when the bytes are copied. A second writer makes it a holding of its own, the
 * sum of both, and so does a narrow one (narrow.h). It outlives its writers,
 * and goes with the object.
 *
 * A writer is noted before its bytes can be read, a reader before it can do
 * anything with them, where the kernel lets one.
 */
#ifndef CORDON_CARRY_H
#define CORDON_CARRY_H

/* What moves. On the stack of the hook: addresses are no numbers to 6.1. */
struct carry {
	__u64 object; /* its address */
	__u64 bytes;  /* at most */
	__u32 again;  /* asked by the second program of a hook: again.h */
	__u32 kind;   /* enum step_kind, of who takes */
	__u64 from;   /* the holding that is in it; 0: see `carriers' */
};

/* ---- carriers ---------------------------------------------------------- */

/*
 * What is sent on a socket by IP is not what arrives there: who answers would
 * get back what it sent, and hold it twice with every answer. So what is sent
 * is in the carrier next to it, which no other object can have the address of.
 */
#define CARRY_SENT 1

/* And the next one says that who takes what arrives does so unseen. */
#define CARRY_UNSEEN 2

static __always_inline __u32 carrier_place(__u32 low)
{
	return (low & ~(CARRY_SENT | CARRY_UNSEEN)) * 0x9e3779b1U >>
	       (32 - CORDON_CARRIER_BITS);
}

/* An address as a number, which the verifier lets be added to. */
static __always_inline __u64 number_of(const void *object)
{
	__u64 address = (__u64)object, number = 0;

	bpf_probe_read_kernel(&number, sizeof(number), &address);
	return number;
}

static __always_inline __u64 carrier_sent(const void *sk)
{
	return number_of(sk) | CARRY_SENT;
}

/* The holding that is in it. */
static __always_inline __u64 carried(const struct carrier *c)
{
	return c->holding & ~CARRIER_MIXED;
}

/* May the object be a carrier? Most end here. */
static __always_inline int may_carry(const void *object)
{
	return state.carriers[carrier_place(low_half(object))] != 0;
}

/*
 * The first that puts something in: the carrier has the holding @holding, with
 * CARRIER_MIXED if it is its own.
 */
static __noinline int carrier_new(__u64 key, __u64 holding)
{
	__u32 place = carrier_place(key);
	struct carrier new = {.holding = holding};
	long r;

	/* In this order: who finds nothing there must not have missed it. */
	__sync_fetch_and_add(&state.carriers[place], 1);
	r = bpf_map_update_elem(&carriers, &key, &new, BPF_NOEXIST);
	if (!r)
		return 0;
	__sync_fetch_and_sub(&state.carriers[place], 1);
	holding_drop(carried(&new));
	return (int)r;
}

/*
 * The holding of its own that the carrier has from now on, with what was in it.
 * 0: there is no room.
 */
static __always_inline __u64 carrier_own(struct carrier *c)
{
	__u64 old = c->holding, new = 0;

	if (old & CARRIER_MIXED)
		return old & ~CARRIER_MIXED;
	if (!holding_new(&new))
		return 0;
	holding_take(new, old, STEP_MIX);
	if (__sync_val_compare_and_swap(&c->holding, old,
					new | CARRIER_MIXED) == old) {
		holding_drop(old);
		return new;
	}
	/* Another was first. What it made stays until the object goes. */
	holding_drop(new);
	return carried(c);
}

/*
 * A second process puts something in. Returns 0, or -1 if there is no room for
 * the sum.
 */
static __noinline int carrier_mix(struct carrier *c, __u64 id)
{
	__u64 took = took_of(id), own;

	if (c->holding & CARRIER_MIXED && c->took == took)
		return 0;
	own = carrier_own(c);
	if (!own)
		return -1;
	holding_take(own, id, STEP_MIX);
	c->took = took;
	return 0;
}

/*
 * What is in the holding @h goes into the object. Returns 0, or which fault it
 * is that there is no room.
 */
static __always_inline int carrier_put(__u64 key, struct holding *h)
{
	struct carrier *c;

	if (holding_empty(h))
		return 0;
	c = bpf_map_lookup_elem(&carriers, &key);
	if (!c) {
		__sync_fetch_and_add(&h->refs, 1);
		if (!carrier_new(key, h->id))
			return 0;
		/* No room, or another was first. */
		c = bpf_map_lookup_elem(&carriers, &key);
		if (!c)
			return FAULT_CARRIER_FULL;
	}
	if (c->holding == h->id)
		return 0;
	return carrier_mix(c, h->id) ? FAULT_HOLDING_FULL : 0;
}

/*
 * The current thread, of a narrow subject and with the holding @from, is about
 * to put @bytes into the object. Returns as carrier_put(), or -1 if they count
 * for all that it holds.
 */
static __noinline int carrier_give(__u64 key, __u64 from, __u64 bytes)
{
	struct carrier *c = bpf_map_lookup_elem(&carriers, &key);
	struct giving g;
	__u64 own = 0;

	if (c && c->holding == from)
		return 0; /* all of it is in there */
	if (!narrow_begins(&g, from, bytes))
		return -1;
	if (!c) {
		if (!holding_new(&own))
			return FAULT_HOLDING_FULL;
		carrier_new(key, own | CARRIER_MIXED);
		/* No room, or another was first. */
		c = bpf_map_lookup_elem(&carriers, &key);
		if (!c)
			return FAULT_CARRIER_FULL;
	}
	own = carrier_own(c);
	if (!own)
		return FAULT_HOLDING_FULL;
	narrow_give(&g, own);
	return 0;
}

/*
 * The current process, a holder, is about to put something into the object:
 * @carry->bytes, as given() says. Returns 0, or which fault it is that this
 * cannot be noted.
 */
__noinline int carry_note(struct carry *carry)
{
	struct task_struct *task = bpf_get_current_task_btf();
	struct holding *h;
	int fault;

	if (!carry || is_kernels(task) || !carry->bytes)
		return 0;
	h = holding_of(task->tgid);
	if (!h)
		return FAULT_UNKNOWN_HOLDING;
	if (carry->bytes != BYTES_UNKNOWN) {
		fault = carrier_give(carry->object, h->id, carry->bytes);
		if (fault >= 0)
			return fault;
	}
	return carrier_put(carry->object, h);
}

/* The same. Returns 0 or -EPERM. */
static __always_inline int carry_out(struct carry *carry)
{
	int fault = carry_note(carry);

	return fault && carry_fault(fault) ? -EPERM : 0;
}

/*
 * What was put into the object @from is about to arrive in another one. Returns
 * 0, or -1 if that cannot be noted. `current' means nothing here.
 */
__noinline int carry_on(__u64 object, __u64 from)
{
	struct holding *h = bpf_map_lookup_elem(&holdings, &from);
	int fault;

	if (!h)
		return -1;
	fault = carrier_put(object, h);
	if (fault <= 0)
		return 0;
	if (fault < FAULT_MAX)
		__sync_fetch_and_add(&state.faults[fault], 1);
	return -1;
}

/* The holding that is in the object of this address. 0: none. */
static __always_inline __u64 carried_at(__u64 key)
{
	struct carrier *c = bpf_map_lookup_elem(&carriers, &key);

	return c ? carried(c) : 0;
}

static __always_inline int is_unseen(__u64 sk)
{
	__u64 key = sk | CARRY_UNSEEN;

	return bpf_map_lookup_elem(&carriers, &key) != NULL;
}

/*
 * From now on who takes what arrives at the socket does so where no hook sees
 * it. Returns 0, or -1 if that cannot be noted.
 */
static __noinline int carrier_unseen(const struct sock *sk)
{
	__u64 object = number_of(sk);

	/* Only what this host says to itself is asked about. */
	if (BPF_CORE_READ(sk, sk_dst_cache) &&
	    BPF_CORE_READ(sk, sk_dst_cache, dev, ifindex) != LOOPBACK_IFINDEX)
		return 0;
	if (is_unseen(object) || !carrier_new(object | CARRY_UNSEEN, 0))
		return 0;
	return is_unseen(object) ? 0 : carry_fault(FAULT_CARRIER_FULL);
}

static __noinline int carrier_end(__u64 key, __u32 place)
{
	struct carrier *c;
	__u64 id;

	c = bpf_map_lookup_elem(&carriers, &key);
	if (!c)
		return 0;
	id = carried(c);
	if (bpf_map_delete_elem(&carriers, &key))
		return 0;
	__sync_fetch_and_sub(&state.carriers[place], 1);
	holding_drop(id);
	return 0;
}

/* The object goes, and with it what it carried. */
static __always_inline int carried_end(const void *object)
{
	return carrier_end((__u64)object, carrier_place(low_half(object)));
}

/* ---- declassifiers ----------------------------------------------------- */

/*
 * Charges @bytes of everything in the holding @from to what the declassifier
 * @intake may take in, or, if @name is its address, the file of that name.
 * Returns whether there was room. BYTES_UNKNOWN: there is none, and no number
 * that could be added to others.
 */
static __noinline int intake_charge(__u64 policy, const struct intake *intake,
				    __u64 from, __u64 bytes, __u64 name)
{
	struct held held = {};
	struct act a;
	__u32 i;

	act_begin(&a, policy, 0, CHANNEL_HOP);
	a.rule = intake->subject;
	a.subject = intake->subject;
	a.who = CORDON_HOST_WIDE;
	a.dest = CORDON_DEST_INTAKE;
	a.flags = 0; /* it is told, and never refused */
	a.bytes = bytes == BYTES_UNKNOWN ? 0 : bytes;
	a.name = name;
	limit_of(&a, &intake->cap, UNIT_BYTES);
	if (!a.window_ns)
		return 0;
	for (i = 0; i < CORDON_SHARES; i++) {
		if (!held_of(from, i, &held))
			continue;
		a.dataset = held.dataset;
		a.records = held.records;
		a.origin = told_origin(&held);
		if (!budget_charge(&a, bytes, TAKE_CHARGE))
			continue;
		act_over(&a, 0);
		return 0;
	}
	return 1;
}

/* Where the cap of the current process stands in `intakes'; -1: it has none. */
__noinline int intake_place(__u64 policy)
{
	__u32 slot = policy >> 32 & 1;
	struct subject_set set = {};
	struct subject_dims *d;
	int bit;

	d = bpf_map_lookup_elem(&dims, &slot);
	if (!d || !(d->aside.bits[0] | d->aside.bits[1] | d->aside.bits[2] |
		    d->aside.bits[3]))
		return -1;
	subjects_of(policy, &set);
	bit = lowest_of_both(&set, &d->aside);
	return bit < 0 ? -1 : slot * CORDON_SUBJECTS + bit;
}

/*
 * May the current process take in what @carry says from the holding @from and
 * hold nothing still? The second program of a hook does not charge it once
 * more.
 */
static __noinline int intake_takes(__u64 policy, __u32 place, __u64 from,
				   struct carry *carry)
{
	const void *about = (const void *)carry->object;
	struct intake *intake;
	int left;

	if (carry->again && ticket_find(HOOK_PIPE_READ, about, 1, &left))
		return 1;
	intake = bpf_map_lookup_elem(&intakes, &place);
	if (!intake || !intake_charge(policy, intake, from, carry->bytes, 0))
		return 0;
	if (state.again && !carry->again)
		ticket_leave(HOOK_PIPE_READ, about, 0);
	return 1;
}

/* ---- hops -------------------------------------------------------------- */

/* Where a holding remembers what it took out of the holding @id. */
static __always_inline __u32 took_place(__u64 id)
{
	return id & (CORDON_TOOK - 1);
}

/*
 * See carry_in(). @early: what a declassifier takes in is not known yet.
 * Returns 0, or -1 if what is held then could not be stored.
 */
static __always_inline int carry_take(struct carry *carry, int early)
{
	struct task_struct *task = bpf_get_current_task_btf();
	__u64 from, took, policy;
	__u32 tgid = task->tgid;
	struct process *p;
	struct holding *h;
	int place;

	if (!carry || is_kernels(task))
		return 0;
	from = carry->from ?: carried_at(carry->object);
	if (!from)
		return 0;
	took = took_of(from);
	if (is_holder(tgid)) {
		p = bpf_map_lookup_elem(&processes, &tgid);
		if (!p)
			return 0; /* unknown: as much as there is */
		if (p->holding == from)
			return 0;
		h = bpf_map_lookup_elem(&holdings, &p->holding);
		if (h && h->took[took_place(from)] == took)
			return 0;
	} else {
		policy = policy_now();
		place = intake_place(policy);
		if (place >= 0 &&
		    (early || intake_takes(policy, place, from, carry)))
			return 0;
		commons_begin_own();
	}
	h = holding_make(tgid);
	if (!h)
		return -1;
	step_by_current(
		holding_take(h->id, from, carry->kind | STEP_BY_CURRENT));
	h->took[took_place(from)] = took;
	p = bpf_map_lookup_elem(&processes, &tgid);
	/* Another one meanwhile: see read_account(). */
	if (p && p->holding != h->id)
		holding_take(p->holding, from, carry->kind);
	return 0;
}

/* Nothing can be refused: so it holds who knows what. */
static __noinline int carry_unknown(void)
{
	struct task_struct *task = bpf_get_current_task_btf();

	carry_fault(FAULT_HOLDING_FULL);
	holder_mark(task->tgid);
	return 0;
}

/* The current process takes something out of the object. */
__noinline int carry_in(struct carry *carry)
{
	return carry_take(carry, 0) ? carry_unknown() : 0;
}

/* It may take something, or yet get nothing. */
__noinline int carry_early(struct carry *carry)
{
	return carry_take(carry, 1) ? carry_unknown() : 0;
}

/*
 * The current process is about to take at most @bytes of what the holding @from
 * left. Returns 0 or -EPERM. Numbers, no structure: file_permission, which
 * calls this, has no stack to give away.
 */
__noinline int carry_from(__u64 from, __u64 bytes)
{
	struct carry carry = {
		.from = from, .bytes = bytes, .again = 1, .kind = STEP_FILE};

	if (!carry_take(&carry, 0))
		return 0;
	if (!slot_denies(policy_now() >> 32) || is_lifted())
		return carry_unknown();
	carry_fault(FAULT_HOLDING_FULL);
	return -EPERM;
}

/* What is in the holding @from another task takes; who it is is not asked. */
static __noinline int handed_to(__u64 from, const struct task_struct *task,
				__u32 kind)
{
	__u32 tgid = task->tgid;
	struct holding *h;

	if (is_kernels(task) || !from)
		return 0;
	if (!is_holder(tgid))
		commons_begin(task);
	h = holding_make_for(task, tgid);
	if (!h) {
		carry_fault(FAULT_HOLDING_FULL);
		holder_mark(tgid);
	} else if (h->id != from) {
		holding_take(h->id, from, kind);
	}
	return 0;
}

#endif
