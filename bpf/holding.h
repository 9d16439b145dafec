/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * holding.h - one holding into another.
 */
#ifndef CORDON_HOLDING_H
#define CORDON_HOLDING_H

/* ---- what a holding has ------------------------------------------------ */

/* What a holding has of one dataset. */
struct held {
	__u64 records;
	__u32 origin; /* of the first share */
	__u16 dataset;
	__u16 only; /* all is of this origin, which has a number of its own */
};

/*
 * The dataset of the @i-th share of the holding @id, summed. 0: the share is
 * free, or its dataset was seen before. By number, so that the verifier looks
 * at it once (see event_send()): at the eight shares it looks in every order.
 */
__noinline int held_of(__u64 id, __u32 i, struct held *ret)
{
	struct holding *h = bpf_map_lookup_elem(&holdings, &id);
	__u64 records = state.zero, other = 0, mask;
	__u32 j, origin, dataset, seen = 0;

	if (!h || !ret)
		return 0;
	i &= CORDON_SHARES - 1;
	bpf_spin_lock(&h->lock);
	origin = h->shares[i].origin;
	dataset = h->shares[i].dataset;
#pragma clang loop unroll(disable)
	for (j = 0; j < CORDON_SHARES; j++) {
		struct share *s = &h->shares[j];

		mask = not_zero(s->origin) & is_zero(s->dataset ^ dataset);
		records += s->records & mask;
		other |= not_zero(j ^ i) & mask;
		/* All bits where j < i. */
		seen |= (__u32)(((__u64)j - i) >> 32) & (__u32)mask;
	}
	bpf_spin_unlock(&h->lock);
	ret->records = records;
	ret->origin = origin;
	ret->only = !other && origin < CORDON_ORIGIN_REST;
	ret->dataset = dataset;
	return origin && !seen;
}

/* The serial that what becomes of it is told under. */
static __always_inline __u32 told_origin(const struct held *held)
{
	__u32 at = held->origin;
	struct origin *o;

	if (!held->only)
		return CORDON_ORIGIN_SEVERAL;
	o = bpf_map_lookup_elem(&origins, &at);
	return o ? o->serial : CORDON_ORIGIN_SEVERAL;
}

/* ---- one holding into another ------------------------------------------ */

enum passed { PASSED_NOTHING, PASSED_MORE, PASSED_ALL };

/* The @i-th share of the holding @id. Returns 0 if it is free. */
static __always_inline int share_at(__u64 id, __u32 i, struct share *ret)
{
	struct holding *h = bpf_map_lookup_elem(&holdings, &id);

	i &= CORDON_SHARES - 1;
	if (!h)
		return 0;
	bpf_spin_lock(&h->lock);
	*ret = h->shares[i];
	bpf_spin_unlock(&h->lock);
	return ret->origin != 0;
}

/*
 * Adds @bytes and @records of the origin and dataset of @s to the holding @to,
 * or, if @only, makes its share that of @s.
 */
static __always_inline int share_put(__u64 to, struct share *s, __u64 bytes,
				     __u64 records, __u32 only)
{
	__u64 cap_bytes, cap_records;
	struct origin *o = NULL;
	struct holding *h;
	int more;

	if (s->origin != CORDON_ORIGIN_FOLDED) {
		o = bpf_map_lookup_elem(&origins, &s->origin);
		if (!o)
			return PASSED_NOTHING; /* there is no such number */
	}
	h = bpf_map_lookup_elem(&holdings, &to);
	if (!h)
		return PASSED_ALL;
	bpf_spin_lock(&h->lock);
	if (only) {
		more = share_raise(h, s->origin, s->dataset, s->bytes,
				   s->records);
	} else {
		/* The caps under the lock, as in share_grow(). */
		cap_bytes = o ? o->read_bytes : ~0ULL;
		cap_records = o ? o->read_records : ~0ULL;
		more = share_add(h, s->origin, s->dataset, bytes, records,
				 cap_bytes, cap_records);
	}
	bpf_spin_unlock(&h->lock);
	return more ? PASSED_MORE : PASSED_NOTHING;
}

static const char zero_seen[sizeof(struct seen)];

/*
 * Adds what is new of the @i-th share of the holding @from to the holding @to,
 * or, if @only, makes it that of @to. PASSED_ALL: it is free, and so are those
 * behind it.
 */
__noinline int share_pass(__u64 to, __u64 from, __u32 i, __u32 only)
{
	struct seen_key key = {.to = to, .from = from};
	struct seen *seen = bpf_map_lookup_elem(&seen_by, &key);
	__u64 bytes = 0, records = 0;
	struct share s;
	int passed;

	i &= CORDON_SHARES - 1;
	if (!share_at(from, i, &s))
		return PASSED_ALL;
	if (seen) {
		bytes = seen->bytes[i];
		records = seen->records[i];
	} else {
		bpf_map_update_elem(&seen_by, &key, zero_seen, BPF_NOEXIST);
	}
	bytes = s.bytes > bytes ? s.bytes - bytes : 0;
	records = s.records > records ? s.records - records : 0;
	passed = share_put(to, &s, bytes, records, only);
	/*
	 * Last: what another thread takes for seen has to be there. Looked up
	 * once more, for there is no room on the stack to remember it.
	 */
	seen = bpf_map_lookup_elem(&seen_by, &key);
	if (seen) {
		seen->bytes[i] = s.bytes;
		seen->records[i] = s.records;
	}
	return passed;
}

/* Did all that the holding @from has come from the holding @to? */
static __always_inline int came_from(__u64 from, __u64 to)
{
	struct holding *h = bpf_map_lookup_elem(&holdings, &from);

	return h && h->only == to;
}

/*
 * Adds the holding @from to the holding @to. What has nothing but what came
 * from @from before has no more than @from then, however often it takes; and
 * what came from @to is nothing new to it.
 */
__noinline int holding_add(__u64 to, __u64 from)
{
	struct holding *h = bpf_map_lookup_elem(&holdings, &to);
	int passed, more = 0;
	__u32 i, only;

	if (!h || came_from(from, to))
		return 0;
	bpf_spin_lock(&h->lock);
	if (!h->only)
		h->only = from;
	else if (h->only != from)
		h->only = HOLDING_MIXED;
	only = h->only == from;
	bpf_spin_unlock(&h->lock);
	for (i = 0; i < CORDON_SHARES; i++) {
		passed = share_pass(to, from, i, only);
		if (passed == PASSED_ALL)
			break;
		if (passed == PASSED_MORE)
			more = 1;
	}
	if (more)
		holding_grew(to);
	return 0;
}

/*
 * What the holding @id is now, in one word: who took it in with this word need
 * not do it again. To be read before the shares.
 */
static __always_inline __u64 took_of(__u64 id)
{
	return id << 32 | (__u32)state.swelled[grown_place(id)];
}

/* ---- who ---------------------------------------------------------------- */

static __always_inline int is_kernels(const struct task_struct *task)
{
	return task->flags & PF_KTHREAD || state.agent == (__u32)task->tgid;
}

/* Something could not be stored. Returns whether to refuse. */
static __noinline int carry_fault(__u32 fault)
{
	struct act a;

	act_begin(&a, policy_now(), 0, CHANNEL_HOP);
	return act_fault(&a, fault);
}

#endif
