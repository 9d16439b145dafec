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
	__u64 bytes = state.zero, records = state.zero;
	__u32 dataset = 0, several = 0, i;

	bpf_spin_lock(&h->lock);
#pragma clang loop unroll(disable)
	for (i = 0; i < CORDON_SHARES; i++) {
		struct share *share = &h->shares[i];

		if (!share->origin || (origin && share->origin != origin))
			continue;
		bytes += share->bytes;
		records += share->records;
		if (dataset && dataset != share->dataset)
			several = 1;
		dataset = share->dataset;
	}
	bpf_spin_unlock(&h->lock);
	s->bytes = bytes;
	s->records = records;
	s->dataset = several ? 0 : dataset;
}

/* A new step of @h, of which step_tell() has the rest. Returns its serial. */
static __always_inline __u64 step_begin(struct holding *h)
{
	__u64 serial = __sync_fetch_and_add(&state.next_step, 1) + 1;

	if (!h->first)
		h->first = serial;
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

	if (!h || h->first || !h->born.from)
		return 0;
	serial = step_begin(h);
	s = step_tell(h, serial, h->born.from, h->born.time_ns, STEP_FORK);
	if (!s)
		return 0;
	if (amount)
		step_amount(s, h, 0);
	s->who = h->born.who;
	s->serial = serial;
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

/*
 * The holding @to has taken from @from, or read. Whoever is a copy has told so
 * before: the chain of calls has no room for that in here. Returns the place of
 * the step plus 1 if it is a new one, else 0. `current' means nothing here.
 */
__noinline int step_take(__u64 to, __u64 from, __u32 kind)
{
	struct holding *h = bpf_map_lookup_elem(&holdings, &to), *of = h;
	__u32 origin = kind == STEP_READ ? from : 0;
	struct came *came;
	struct step *s;
	__u64 serial;

	if (kind != STEP_READ)
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
	serial = step_begin(h);
	s = step_tell(h, serial, from, bpf_ktime_get_boot_ns(), kind);
	if (!s)
		return 0;
	step_amount(s, of, origin);
	s->serial = serial;
	came->from = from;
	came->serial = serial;
	return (serial & (CORDON_STEPS - 1)) + 1;
}

/* That the current process took. @new: as step_take() returned it. */
__noinline int step_who_now(__u32 new)
{
	struct task_struct *task = bpf_get_current_task_btf();
	__u32 place = new - 1;
	struct step *s;

	if (!new)
		return 0;
	s = bpf_map_lookup_elem(&steps, &place);
	if (s)
		step_who_of(task, &s->who);
	return 0;
}

/* The current process has read of the origin @number. */
static __always_inline void step_read(const struct holding *h, __u32 number)
{
	__u64 from = STEP_ORIGIN | number;

	if (h->came[from & (CORDON_CAME - 1)].from == from)
		return;
	step_birth(h->id);
	step_who_now(step_take(h->id, from, STEP_READ));
}

/* holding_add() and its step. Returns as step_take(). */
static __always_inline __u32 holding_take(__u64 to, __u64 from, __u32 kind)
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
