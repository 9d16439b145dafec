/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * steps.h - how a holding came to what it holds.
 *
 * A step is written when a holding takes something from another one for the
 * first time, or from a dataset; more of the same way only brings the step up
 * to date, and what brings nothing new never comes here (carry.h). No bystander
 * passes by.
 *
 * The steps are a ring in a map and no events: they outlive the agent, cost it
 * no memory, and what is lost can be told. The ring forgets the oldest, whoever
 * they are of: so a holding whose first step is there has all of them there.
 * A table that is full and refuses, the other way to stay bounded, would lose
 * what happens now, which is what is asked for.
 *
 * The children of a holder are copies of it, and most of them end before they
 * pass anything on. So a copy only remembers whose it is (struct born), and
 * that becomes a step when it takes, gives or is refused something: a shell in
 * a loop, or a compiler, does not push the others out.
 */
#ifndef CORDON_STEPS_H
#define CORDON_STEPS_H

/* ---- one step ---------------------------------------------------------- */

static __always_inline struct step *step_at(__u64 serial)
{
	__u32 place = serial & (CORDON_STEPS - 1);

	return bpf_map_lookup_elem(&steps, &place);
}

/* What a step tells of a holding; for one origin, or, 0, all of them. */
static __always_inline void step_amount(struct step *s, struct holding *h,
					__u32 origin)
{
	__u64 bytes = state.zero, records = state.zero, some = 0, all = ~0ULL;
	__u64 mask;
	__u32 i;

	bpf_spin_lock(&h->lock);
#pragma clang loop unroll(disable)
	for (i = 0; i < CORDON_SHARES; i++) {
		struct share *share = &h->shares[i];

		mask = not_zero(share->origin) &
		       (is_zero(origin) | is_zero(share->origin ^ origin));
		bytes += share->bytes & mask;
		records += share->records & mask;
		some |= share->dataset & mask;
		all &= share->dataset | ~mask;
	}
	bpf_spin_unlock(&h->lock);
	s->bytes = bytes;
	s->records = records;
	s->dataset = some == all ? some : 0;
}

/*
 * A new step of @h, of which step_tell() has the rest. Returns its serial;
 * *@ret_first: it is the first one, which one is that come at once.
 */
static __always_inline __u64 step_begin(struct holding *h, int *ret_first)
{
	__u64 serial = __sync_fetch_and_add(&state.next_step, 1) + 1;

	*ret_first = !__sync_val_compare_and_swap(&h->first, 0, serial);
	return serial;
}

/* Fills in all but who and how much. NULL: never. */
static __always_inline struct step *step_tell(const struct holding *h,
					      __u64 serial, __u64 from,
					      __u64 now, __u32 kind)
{
	struct step *s = step_at(serial);

	if (!s)
		return NULL;
	s->serial = 0;
	barrier(); /* who reads it meanwhile must see that it is another one */
	s->time_ns = now;
	s->last_ns = now;
	s->to = h->id;
	s->from = from;
	s->first = h->first;
	s->kind = kind;
	s->bytes = 0;
	s->records = 0;
	s->dataset = 0;
	__builtin_memset(&s->who, 0, sizeof(s->who));
	return s;
}

/* All of it is there. */
static __always_inline void step_done(struct step *s, __u64 serial)
{
	barrier();
	s->serial = serial;
}

/* ---- copies ------------------------------------------------------------ */

static __always_inline void step_who_of(const struct task_struct *task,
					struct step_who *ret)
{
	ret->tgid = task->tgid;
	ret->uid = task->cred->uid.val;
	ret->login = login_of(task);
	ret->session = task->sessionid;
	bpf_probe_read_kernel_str(ret->comm, sizeof(ret->comm), task->comm);
}

static __always_inline int step_birth_of(__u64 id, int amount)
{
	struct holding *h = bpf_map_lookup_elem(&holdings, &id);
	__u64 serial;
	struct step *s;
	int first;

	if (!h || h->first || !h->born.from)
		return 0;
	serial = step_begin(h, &first);
	if (!first)
		return 0;
	s = step_tell(h, serial, h->born.from, h->born.time_ns, STEP_FORK);
	if (!s)
		return 0;
	if (amount)
		step_amount(s, h, 0);
	s->who = h->born.who;
	step_done(s, serial);
	return 0;
}

/* The holding is asked for: a copy's step is written now. */
__noinline int step_birth(__u64 id)
{
	return step_birth_of(id, 1);
}

/*
 * Of the current process, which is refused something. How much is told when it
 * ends: there is no room on the stack of a send that is refused.
 */
__noinline int step_birth_now(void)
{
	__u32 tgid = bpf_get_current_pid_tgid() >> 32;
	struct process *p = bpf_map_lookup_elem(&processes, &tgid);

	return p ? step_birth_of(p->holding, 0) : 0;
}

/* ---- what comes in ----------------------------------------------------- */

/* With the kind of a step: it is the current process that took. */
#define STEP_BY_CURRENT (1U << 8)

/*
 * The holding @to has taken from @from, or read. Whoever is a copy has told so
 * before: the chain of calls has no room for that in here, nor for who it was:
 * with STEP_BY_CURRENT a new step is not there until step_by_current() gets
 * what this returns. Else 0, and `current' means nothing here.
 */
__noinline __u64 step_take(__u64 to, __u64 from, __u32 kind)
{
	struct holding *h = bpf_map_lookup_elem(&holdings, &to), *of = h;
	__u32 read = (kind & ~STEP_BY_CURRENT) == STEP_READ;
	__u32 origin = read ? from : 0;
	struct came *came;
	struct step *s;
	__u64 serial;
	int first;

	/* Of a narrow one not what it has, but what has come out of it. */
	if (!read && (kind & ~STEP_BY_CURRENT) != STEP_NARROW)
		of = bpf_map_lookup_elem(&holdings, &from);
	if (!h || !of || to == from)
		return 0;
	came = &h->came[from & (CORDON_CAME - 1)];
	serial = came->serial;
	if (came->from == from) {
		s = step_at(serial);
		if (!s || s->serial != serial)
			return 0;
		s->last_ns = bpf_ktime_get_boot_ns();
		step_amount(s, of, origin);
		return 0;
	}
	serial = step_begin(h, &first);
	s = step_tell(h, serial, from, bpf_ktime_get_boot_ns(), kind);
	if (!s)
		return 0;
	step_amount(s, of, origin);
	came->from = from;
	came->serial = serial;
	if (kind & STEP_BY_CURRENT)
		return serial;
	step_done(s, serial);
	return 0;
}

/* Says so of the step @serial; 0: there is none. */
__noinline int step_by_current(__u64 serial)
{
	struct step *s;

	if (!serial)
		return 0;
	s = step_at(serial);
	/* Not if the ring was faster. */
	if (!s || s->serial)
		return 0;
	step_who_of(bpf_get_current_task_btf(), &s->who);
	step_done(s, serial);
	return 0;
}

/* The current process has read of the origin @number. */
static __always_inline void step_read(const struct holding *h, __u32 number)
{
	__u64 from = STEP_ORIGIN | number;

	if (h->came[from & (CORDON_CAME - 1)].from == from)
		return;
	step_birth(h->id);
	step_by_current(step_take(h->id, from, STEP_READ | STEP_BY_CURRENT));
}

/* holding_add() and its step. Returns as step_take(). */
static __always_inline __u64 holding_take(__u64 to, __u64 from, __u32 kind)
{
	holding_add(to, from);
	step_birth(to);
	step_birth(from);
	return step_take(to, from, kind);
}

/* ---- the end ----------------------------------------------------------- */

/* A holding goes: how much was read is told now, and not at every read. */
__noinline int step_end(__u64 id)
{
	struct holding *h = bpf_map_lookup_elem(&holdings, &id);
	__u64 from, serial;
	struct step *s;
	__u32 i;

	if (!h)
		return 0;
	serial = h->first;
	s = step_at(serial);
	if (s && s->serial == serial && s->kind == STEP_FORK && !s->records)
		step_amount(s, h, 0);
#pragma clang loop unroll(disable)
	for (i = 0; i < CORDON_CAME; i++) {
		from = h->came[i].from;
		serial = h->came[i].serial;
		if (!(from & STEP_ORIGIN))
			continue;
		s = step_at(serial);
		if (s && s->serial == serial)
			step_amount(s, h, from);
	}
	return 0;
}

#endif
