/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * narrow.h - what a narrow subject hands on.
 *
 * Such a one holds much and hands out little: a database server, whose buffers
 * all its processes share. So what goes from it into a carrier is no more than
 * its bytes can stand for (struct narrow), hop after hop: the carrier has a
 * holding of its own, to which each hop adds, and never the giver's.
 *
 * Where it is not known how many bytes go, it is all that is held, as of
 * anybody else: splice, tee and vmsplice, writev to a pipe or a file, what is
 * written with an io_uring, and memory. Each thread is asked for itself: what a
 * narrow one executes may be narrow no more, but holds what that held (enum
 * executed).
 *
 * A hook's second program (again.h) that has no ticket, as those of pipes,
 * terminals and queues, adds once more: too much, never too little.
 */
#ifndef CORDON_NARROW_H
#define CORDON_NARROW_H

/* Out of which holding how much goes where. */
struct giving {
	__u64 to; /* the carrier's holding */
	__u64 from;
	__u64 bytes;
	__u64 policy;
};

/* NARROW_FOREIGN: executed by a narrow one. */
enum narrowness { NARROW_NOT, NARROW_OWN, NARROW_FOREIGN };

/* Was the current process executed by a narrow one? */
static __noinline int is_foreign(void)
{
	__u32 tgid = bpf_get_current_pid_tgid() >> 32;
	struct process *p = bpf_map_lookup_elem(&processes, &tgid);

	return p && p->executed == EXECUTED_BY_NARROW;
}

/*
 * Is the current thread of a narrow subject? If so, its memo says by which
 * policy and which subjects it is. To be called near a hook's own frame: who
 * it is takes a large part of the stack to find out.
 */
__noinline int narrow_now(void)
{
	__u64 policy = policy_now();
	__u32 slot = policy >> 32 & 1;
	struct subject_set set = {};
	struct subject_dims *d;
	struct memo *m;
	int same;

	if (!state.narrow[slot])
		return 0;
	m = memo_of(policy, &same);
	d = bpf_map_lookup_elem(&dims, &slot);
	if (!m || !d)
		return 0;
	if (same && m->asked == policy)
		return m->narrow;
	if (!same)
		memo_renew(m, policy);
	subjects_of(policy, &set);
	m->set = set;
	m->narrow = NARROW_NOT;
	if (lowest_of_both(&set, &d->narrow) >= 0)
		m->narrow = is_foreign() ? NARROW_FOREIGN : NARROW_OWN;
	m->asked = policy;
	/* Moved to another cgroup meanwhile: of which of them is this? */
	if (!facts_hold(&m->facts, policy))
		m->facts.policy = ~0ULL;
	return m->narrow;
}

/* How many bytes go is known: @n at most. Is that of any use? */
static __always_inline __u64 given(__u64 n)
{
	return narrow_now() ? n : BYTES_UNKNOWN;
}

/* By whose policy narrow_now() said yes. 0: it did not. */
static __always_inline __u64 narrow_policy(void)
{
	struct memo *m;

	m = bpf_task_storage_get(&memos, bpf_get_current_task_btf(), 0, 0);
	return m && m->narrow ? m->asked : 0;
}

/* What of @dataset the current thread hands on by. No floor: by nothing. */
static __always_inline int narrow_terms(__u64 policy, __u32 dataset,
					struct narrow *ret)
{
	__u32 slot = policy >> 32 & 1, at = slot * CORDON_DATASETS + dataset;
	struct subject_set set;
	struct dataset_rules *d;
	struct rule *rule;
	struct memo *m;

	ret->floor = 0;
	ret->squeeze = 0;
	m = bpf_task_storage_get(&memos, bpf_get_current_task_btf(), 0, 0);
	d = bpf_map_lookup_elem(&datasets, &at);
	if (!m || !d)
		return 0;
	set = m->set;
	at = rule_place(slot, dataset, &set);
	rule = bpf_map_lookup_elem(&rules, &at); /* -1 is out of range */
	if (!rule || !(rule->flags & RULE_NARROW) ||
	    (rule->flags & RULE_EXE && m->narrow == NARROW_FOREIGN))
		return 0;
	ret->floor = tighter_floor(d->narrow.floor, rule->narrow.floor);
	ret->squeeze = tighter_squeeze(d->narrow.squeeze, rule->narrow.squeeze);
	return 0;
}

#define PASSED_WHOLE -1

/*
 * Hands on of the @i-th share what @g's bytes can stand for. PASSED_WHOLE: they
 * do not count, and nothing was handed on. Where @g says no carrier yet, it is
 * only asked: PASSED_MORE means that they count.
 */
__noinline int narrow_pass(struct giving *g, __u32 i)
{
	struct narrow terms;
	struct share s;

	if (!g || !share_at(g->from, i, &s))
		return PASSED_ALL;
	narrow_terms(g->policy, s.dataset, &terms);
	if (!terms.floor)
		return PASSED_WHOLE;
	if (!g->to)
		return PASSED_MORE;
	return share_put(g->to, &s, hop_bytes(s.bytes, g->bytes, terms.squeeze),
			 hop_records(s.records, g->bytes, terms.floor), 0);
}

/* Of all shares. Returns whether there is more than before, or would be. */
static __always_inline int narrow_all(struct giving *g)
{
	int passed, more = 0;
	__u32 i;

#pragma clang loop unroll(disable)
	for (i = 0; i < CORDON_SHARES; i++) {
		passed = narrow_pass(g, i);
		/* Here: the one has no room on the stack for the other. */
		if (passed == PASSED_WHOLE && g->to)
			passed = share_pass(g->to, g->from, i, 0);
		if (passed == PASSED_ALL)
			break;
		if (passed == PASSED_MORE)
			more = 1;
	}
	return more;
}

/* Is anything of the holding @from handed on by bytes? Begins @g, if so. */
static __always_inline int narrow_begins(struct giving *g, __u64 from,
					 __u64 bytes)
{
	g->to = 0;
	g->from = from;
	g->bytes = bytes;
	g->policy = narrow_policy();
	return g->policy && narrow_all(g);
}

/* Into the carrier whose own holding is @to. */
static __always_inline void narrow_give(struct giving *g, __u64 to)
{
	struct holding *h = bpf_map_lookup_elem(&holdings, &to);

	if (!h)
		return;
	h->only = HOLDING_MIXED;
	g->to = to;
	if (narrow_all(g))
		holding_grew(to);
	step_birth(g->from);
	step_take(to, g->from, STEP_NARROW);
}

#endif
