/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * commons.h - processes that share writable memory share one holding.
 *
 * What one of them reads the others have, and no hook sees when. So they are
 * put together when the memory is mapped, or inherited by a fork, long before
 * anybody holds anything: a commons is a number that processes and the objects
 * they map (files in memory or not, by the address of their inode) have in
 * common. The first of them that becomes a holder makes all of them holders.
 * Who comes by two of them makes them one.
 *
 * What is written to the memory of a file others read with read(2): so the file
 * carries what the commons holds (derived.h).
 *
 * A process leaves when it executes another program or ends, an object when its
 * inode leaves memory. munmap(2) changes nothing: what was read was read.
 *
 * A pool is a commons without memory: the processes of a subject that has one
 * come to it as they become holders, and stay when they execute what is of that
 * subject too. Who does not come to it has a holding of its own, and is held as
 * anybody is.
 */
#ifndef CORDON_COMMONS_H
#define CORDON_COMMONS_H

/*
 * Removes a user of the commons @number; the last one is its end. A pool that
 * has nobody left begins anew with the next.
 */
__noinline int commons_leave(__u32 number)
{
	struct commons *c = bpf_map_lookup_elem(&commons, &number);
	struct sharing *found;
	__u32 others;
	__u64 id;

	if (!c)
		return 0;
	others = __sync_fetch_and_sub(&c->users, 1) - 1;
	if (others == 1 && c->pool) {
		id = c->pool;
		found = bpf_map_lookup_elem(&shared, &id);
		if (found && found->commons == number &&
		    !bpf_map_delete_elem(&shared, &id))
			others = __sync_fetch_and_sub(&c->users, 1) - 1;
	}
	if (others)
		return 0;
	id = c->holding;
	if (!bpf_map_delete_elem(&commons, &number) && id)
		holding_drop(id);
	return 0;
}

/* Returns 0, or -1 if it has come to its end. */
static __always_inline int commons_enter(__u32 number)
{
	struct commons *c = bpf_map_lookup_elem(&commons, &number);

	if (!c)
		return -1;
	__sync_fetch_and_add(&c->users, 1);
	return 0;
}

/*
 * A new one, which nobody uses yet. 0: no room. The numbers begin anew at some
 * time, in days if somebody wants them to: one that is in use is left out.
 */
static __noinline __u32 commons_new(void)
{
	struct commons new = {};
	__u32 number;
	int i;

	state.commons = 1;
	for (i = 0; i < 4; i++) {
		number = __sync_fetch_and_add(&state.next_commons, 1) + 1;
		if (number &&
		    !bpf_map_update_elem(&commons, &number, &new, BPF_NOEXIST))
			return number;
	}
	return 0;
}

/* The commons that the process is in. 0: none. */
static __always_inline __u32 sharer_of(__u32 tgid)
{
	__u32 *found = bpf_map_lookup_elem(&sharers, &tgid);

	return found ? *found : 0;
}

static __noinline int sharer_set(__u32 tgid, __u32 number)
{
	if (bpf_map_update_elem(&sharers, &tgid, &number, BPF_NOEXIST))
		return -1;
	if (!commons_enter(number))
		return 0;
	bpf_map_delete_elem(&sharers, &tgid);
	return -1;
}

/* The process has other memory now, or none. */
static __noinline int sharer_drop(__u32 tgid)
{
	__u32 *found = bpf_map_lookup_elem(&sharers, &tgid), number;

	if (!found)
		return 0;
	number = *found;
	if (!bpf_map_delete_elem(&sharers, &tgid))
		commons_leave(number);
	return 0;
}

/* The memory of the file @inode is shared, or, @n below 0, no longer. */
static __noinline int shared_count(const struct inode *inode, int n)
{
	derived_count(BPF_CORE_READ(inode, i_ino),
		      BPF_CORE_READ(inode, i_sb, s_dev), n);
	return 0;
}

/* Is it the number of a subject, and no address? */
static __always_inline int is_pool(__u64 object)
{
	return !(object >> 32);
}

/* Returns 0, or below that if there is no room, or another was first. */
static __noinline int shared_put(__u64 object, __u32 number)
{
	struct sharing new = {.commons = number};

	if (!is_pool(object))
		inode_key((const struct inode *)object, &new.file);
	return bpf_map_update_elem(&shared, &object, &new, BPF_NOEXIST);
}

static __noinline int shared_drop(const struct inode *inode)
{
	__u64 key = (__u64)inode;
	struct sharing *found = bpf_map_lookup_elem(&shared, &key);
	__u32 number;

	if (!found)
		return 0;
	number = found->commons;
	if (bpf_map_delete_elem(&shared, &key))
		return 0;
	shared_count(inode, -1);
	commons_leave(number);
	return 0;
}

/* What those hold who share the memory of the file @inode. 0: nothing. */
static __noinline __u64 shared_by(const struct inode *inode)
{
	__u64 key = (__u64)inode, id;
	struct sharing *found = bpf_map_lookup_elem(&shared, &key);
	struct commons *c;
	struct holding *h;
	__u32 number;

	if (!found)
		return 0;
	number = found->commons;
	c = bpf_map_lookup_elem(&commons, &number);
	if (!c)
		return 0;
	id = c->holding;
	h = bpf_map_lookup_elem(&holdings, &id);
	return h && !holding_empty(h) ? id : 0;
}

/* ---- one holding for all ----------------------------------------------- */

struct settling {
	__u64 holding;
	__u32 number;
	__u32 moved; /* some had another holding before */
};

/* The first holding that one of them has. */
static long settle_find(struct bpf_map *map, __u32 *key, __u32 *number,
			struct settling *s)
{
	__u32 tgid = *key;
	struct process *p;
	struct holding *h;
	__u64 id;

	if (*number != s->number || s->holding || !is_holder(tgid))
		return 0;
	p = bpf_map_lookup_elem(&processes, &tgid);
	if (!p)
		return 0;
	id = p->holding;
	h = bpf_map_lookup_elem(&holdings, &id);
	if (!h)
		return 0;
	__sync_fetch_and_add(&h->refs, 1); /* the commons' own */
	s->holding = id;
	return 0;
}

/* The process has the holding of all, to which its own is added. */
static __always_inline int settle_move(struct process *p, __u64 id)
{
	__u64 old = p->holding, took = took_of(old);

	holding_take(id, old, STEP_MEMORY);
	if (__sync_val_compare_and_swap(&p->holding, old, id) != old)
		return 0;
	/* One of its threads may have read something meanwhile. */
	if (took_of(old) != took)
		holding_take(id, old, STEP_MEMORY);
	holding_drop(old);
	return 1;
}

/* Says to each of them that this is its holding. */
static long settle_point(struct bpf_map *map, __u32 *key, __u32 *number,
			 struct settling *s)
{
	struct process *p, new = {.holding = s->holding};
	__u64 id = s->holding;
	__u32 tgid = *key;
	struct holding *h;

	if (*number != s->number)
		return 0;
	p = bpf_map_lookup_elem(&processes, &tgid);
	if (p && p->holding == id)
		return 0;
	h = bpf_map_lookup_elem(&holdings, &id);
	if (!h)
		return 1;
	__sync_fetch_and_add(&h->refs, 1);
	if (p) {
		if (settle_move(p, id))
			s->moved = 1;
		else
			__sync_fetch_and_sub(&h->refs, 1);
		return 0;
	}
	if (bpf_map_update_elem(&processes, &tgid, &new, BPF_NOEXIST))
		__sync_fetch_and_sub(&h->refs, 1);
	/* In this order; without an entry it is unknown, and held. */
	holder_mark(tgid);
	return 0;
}

/* Makes the holdings of all members one, if any of them has one. */
__noinline int commons_settle(__u32 number)
{
	struct commons *c = bpf_map_lookup_elem(&commons, &number);
	struct settling s = {.number = number};
	__u64 other;

	if (!c)
		return 0;
	s.holding = c->holding;
	if (!s.holding) {
		bpf_for_each_map_elem(&sharers, settle_find, &s, 0);
		if (!s.holding)
			return 0;
		/* Two of them may have come this far at once. */
		other = __sync_val_compare_and_swap(&c->holding, 0, s.holding);
		if (other) {
			holding_drop(s.holding);
			s.holding = other;
		}
	}
	bpf_for_each_map_elem(&sharers, settle_point, &s, 0);
	/* The files that they have mapped carry as much from here on. */
	unsaved();
	/* What threads remember of their holding is of another one. */
	if (s.moved)
		__sync_fetch_and_add(&state.epoch, 1);
	return 0;
}

/* The process of @task, which holds nothing, is about to become a holder. */
static __noinline int commons_begin(const struct task_struct *task)
{
	__u32 tgid = task->tgid, number;

	if (!state.commons)
		return 0;
	number = sharer_of(tgid);
	if (!number || !holding_make_for(task, tgid))
		return 0;
	return commons_settle(number);
}

/* ---- coming together --------------------------------------------------- */

struct uniting {
	__u32 from;
	__u32 to;
};

/* Of a process or an object, whichever map it is in. */
static long unite_user(struct bpf_map *map, void *key, __u32 *number,
		       struct uniting *u)
{
	if (*number != u->from)
		return 0;
	*number = u->to;
	commons_enter(u->to);
	commons_leave(u->from);
	return 0;
}

__noinline int commons_unite(__u32 from, __u32 to)
{
	struct commons *a = bpf_map_lookup_elem(&commons, &from);
	struct commons *b = bpf_map_lookup_elem(&commons, &to);
	struct uniting u = {.from = from, .to = to};
	struct holding *h;
	__u64 id;

	if (!a || !b)
		return 0;
	/* Before: who comes to it from now on may be passed over. */
	a->into = to;
	if (!b->pool)
		b->pool = a->pool;
	id = a->holding;
	if (id && b->holding) {
		holding_take(b->holding, id, STEP_MEMORY);
	} else if (id) {
		h = bpf_map_lookup_elem(&holdings, &id);
		if (h) {
			__sync_fetch_and_add(&h->refs, 1);
			b->holding = id;
		}
	}
	bpf_for_each_map_elem(&shared, unite_user, &u, 0);
	bpf_for_each_map_elem(&sharers, unite_user, &u, 0);
	return 0;
}

/* Who holds nothing yet is not in scope. */
static __noinline int commons_full(__u32 tgid)
{
	if (is_holder(tgid))
		return carry_fault(FAULT_COMMONS_FULL) ? -EPERM : 0;
	__sync_fetch_and_add(&state.faults[FAULT_COMMONS_FULL], 1);
	return 0;
}

/* @object, which had none, has the commons @number. Returns 0 or -1: no room */
static __always_inline int commons_found(__u64 object, __u32 number)
{
	struct commons *c = bpf_map_lookup_elem(&commons, &number);
	struct sharing *found;

	if (!c)
		return -1;
	/* First: who reads the file must not stop at the count. */
	if (!is_pool(object))
		shared_count((const struct inode *)object, 1);
	commons_enter(number);
	if (!shared_put(object, number)) {
		if (is_pool(object))
			c->pool = (__u32)object;
		return 0;
	}
	commons_leave(number);
	if (!is_pool(object))
		shared_count((const struct inode *)object, -1);
	/* Another may have been first. */
	found = bpf_map_lookup_elem(&shared, &object);
	return found ? commons_unite(number, found->commons) : -1;
}

/*
 * The current process shares the memory behind @object, or, 0, memory that
 * only its children can come by; or it is of the pool @object. Returns 0 or
 * -EPERM.
 */
__noinline int commons_join(__u64 object)
{
	struct task_struct *task = bpf_get_current_task_btf();
	__u32 tgid = task->tgid, own = sharer_of(tgid), its = 0, number;
	struct sharing *found;
	struct commons *c;

	if (object) {
		found = bpf_map_lookup_elem(&shared, &object);
		if (found)
			its = found->commons;
	}
	if (own && (own == its || !object))
		return 0;
	number = its ? its : own;
	if (!number)
		number = commons_new();
	if (!number)
		goto full;
	if (own && its)
		commons_unite(own, its);
	if (!own && sharer_set(tgid, number))
		goto full;
	if (object && !its && commons_found(object, number))
		goto full;
	number = sharer_of(tgid);
	c = bpf_map_lookup_elem(&commons, &number);
	if (c && (c->holding || is_holder(tgid)))
		commons_settle(number);
	return 0;
full:
	return commons_full(tgid);
}

/* The pool of the current process; 0: none. Where narrow_now() can be. */
__noinline int pool_now(void)
{
	__u64 policy = policy_now();
	__u32 slot = policy >> 32 & 1;
	struct subject_set set = {};
	struct subject_dims *d;
	int bit;

	if (!state.pools[slot])
		return 0;
	d = bpf_map_lookup_elem(&dims, &slot);
	if (!d)
		return 0;
	subjects_of(policy, &set);
	bit = lowest_of_both(&set, &d->pools);
	return bit < 0 ? 0 : (int)d->pool[bit & (CORDON_SUBJECTS - 1)];
}

/*
 * The current process, which holds nothing, is about to become a holder and
 * comes to its pool. Refused or not: without one it is held as anybody is.
 */
static __always_inline int commons_begin_own(void)
{
	int pool = pool_now();

	if (pool)
		commons_join((__u32)pool);
	return commons_begin(bpf_get_current_task_btf());
}

/* The same where it may hold something already. */
static __noinline int commons_begin_now(void)
{
	struct task_struct *task = bpf_get_current_task_btf();

	return is_holder(task->tgid) ? 0 : commons_begin_own();
}

/* Is the process in the commons of its pool, as a program that it executes? */
static __noinline int pool_keeps(__u32 tgid)
{
	__u32 number = sharer_of(tgid);
	struct commons *c = bpf_map_lookup_elem(&commons, &number);

	return c && c->pool && c->pool == (__u32)pool_now();
}

/*
 * Two processes of which one has got at the other's memory, for as long as it
 * likes. Returns 0 or -EPERM.
 */
__noinline int commons_pair(__u32 tgid, __u32 other)
{
	struct commons *c;
	__u32 own, its, number;

	if (tgid == other)
		return 0;
	own = sharer_of(tgid);
	its = sharer_of(other);
	if (own && own == its)
		return 0;
	number = its ? its : own;
	if (!number)
		number = commons_new();
	if (!number)
		goto full;
	if (own && its)
		commons_unite(own, its);
	if (!own && sharer_set(tgid, number))
		goto full;
	if (!its && sharer_set(other, number))
		goto full;
	c = bpf_map_lookup_elem(&commons, &number);
	if (c && (c->holding || is_holder(tgid) || is_holder(other)))
		commons_settle(number);
	return 0;
full:
	return commons_full(is_holder(other) ? other : tgid);
}

/*
 * What a vfork(2) child maps its parent has mapped, which goes on with it when
 * the child is gone.
 */
static __always_inline int commons_pair_vfork(void)
{
	struct task_struct *task = bpf_get_current_task_btf();

	if (!task->vfork_done)
		return 0;
	return commons_pair(task->tgid, BPF_CORE_READ(task, real_parent, tgid));
}

/*
 * Two processes that begin with the same memory, and are in no commons, have
 * one holding already: there is nobody to look for who has to be told.
 */
static __noinline int commons_of_two(__u32 tgid, __u32 child, __u64 id)
{
	struct holding *h = bpf_map_lookup_elem(&holdings, &id);
	__u32 number = h ? commons_new() : 0;
	struct commons *c = bpf_map_lookup_elem(&commons, &number);

	if (!h || !c)
		return commons_full(tgid);
	__sync_fetch_and_add(&h->refs, 1);
	c->holding = id;
	if (!sharer_set(tgid, number)) {
		if (!sharer_set(child, number))
			return 0;
	} else if (!bpf_map_delete_elem(&commons, &number)) {
		/* Another thread of it was first, or there is no room. */
		holding_drop(id);
	}
	return commons_pair(tgid, child);
}

/*
 * The child was made while others did something to all of them, and may have
 * passed its place before it was there: became holders (settle_point), or were
 * put together with more (unite_user).
 */
static __noinline int commons_follow(__u32 child)
{
	__u32 number = sharer_of(child), into;
	struct commons *c = bpf_map_lookup_elem(&commons, &number);
	struct process *p;

	if (c && c->into) {
		into = c->into;
		commons_unite(number, into);
		number = into;
		c = bpf_map_lookup_elem(&commons, &number);
	}
	if (!c || !c->holding)
		return 0;
	p = bpf_map_lookup_elem(&processes, &child);
	return p && p->holding == c->holding ? 0 : commons_settle(number);
}

/* A fork: the child has its parent's memory that is shared. */
static __noinline int commons_inherit(__u32 parent, __u32 child)
{
	__u32 number = sharer_of(parent);

	if (!number)
		return 0;
	if (!sharer_set(child, number))
		return 1;
	/* No room, or it came to its end when it became part of another. */
	number = sharer_of(parent);
	if (!number || sharer_set(child, number))
		__sync_fetch_and_add(&state.faults[FAULT_COMMONS_FULL], 1);
	return 1;
}

#endif
