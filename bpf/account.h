/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * account.h - charging: budgets, touched records, origins, the ledger, events.
 *
 * Every hook fills one struct act, asks here, and returns what it is told.
 */
#ifndef CORDON_ACCOUNT_H
#define CORDON_ACCOUNT_H

/* Everything that is known of the act that a hook judges. */
struct act {
	__u64 now;
	__u64 policy; /* generation and epoch: which answers still hold */
	__u64 bytes;
	__u64 records;
	__u64 used; /* of the budget that decided */
	__u64 max;
	__u64 window_ns;
	__u64 part; /* of the window, that was charged */
	__u64 repeats;
	__u64 name; /* address of the file's name, 0 if there is none */
	__u32 slot;
	__u32 origin; /* serial */
	__u32 record;
	__u32 who;
	__u32 rule;
	__u32 subject;
	__u32 flags; /* enum rule_flags of the rule */
	__u16 dest;
	__u16 port;
	__u8 dataset;
	__u8 channel;
	__u8 unit;
	__u8 pad;
	__u8 addr[16];
};

static __always_inline void act_begin(struct act *a, __u32 dataset,
				      __u32 channel)
{
	__u64 generation = state.generation;

	__builtin_memset(a, 0, sizeof(*a));
	a->now = bpf_ktime_get_boot_ns();
	a->policy = generation << 32 | state.epoch;
	a->slot = generation & 1;
	a->dataset = dataset;
	a->channel = channel;
	a->flags = RULE_BLOCK; /* what no rule covers is refused */
}

/* Is an act over its budget denied, or only reported? */
static __always_inline int act_enforced(const struct act *a)
{
	return state.mode[a->slot & 1] == MODE_ENFORCE &&
	       (a->flags & (RULE_BLOCK | RULE_OBSERVE)) == RULE_BLOCK;
}

/* ---- events ------------------------------------------------------------ */

static __always_inline __u32 login_of(const struct task_struct *task)
{
	return task->loginuid.val;
}

static __noinline int event_send(struct act *a, __u32 type, __u32 verdict,
				 __u32 error, __u32 fault)
{
	struct task_struct *task = bpf_get_current_task_btf();
	struct event *e;

	e = bpf_ringbuf_reserve(&events, sizeof(*e), 0);
	if (!e) {
		__sync_fetch_and_add(&state.faults[FAULT_EVENT_LOST], 1);
		return 0;
	}
	e->time_ns = a->now;
	e->policy = state.policy_serial[a->slot & 1];
	e->type = type;
	e->verdict = verdict;
	e->tgid = task->tgid;
	e->pid = task->pid;
	e->uid = (__u32)bpf_get_current_uid_gid();
	e->login = login_of(task);
	e->session = task->sessionid;
	e->origin = a->origin;
	e->rule = a->rule;
	e->subject = a->subject;
	e->record = a->record;
	e->error = error;
	e->bytes = a->bytes;
	e->records = a->records;
	e->used = a->used;
	e->max = a->max;
	e->window_ns = a->window_ns;
	e->repeats = a->repeats;
	e->dest = a->dest;
	e->port = a->port;
	e->dataset = a->dataset;
	e->channel = a->channel;
	e->unit = a->unit;
	e->fault = fault;
	__builtin_memcpy(e->addr, a->addr, sizeof(e->addr));
	bpf_get_current_comm(e->comm, sizeof(e->comm));
	e->name[0] = 0;
	if (a->name)
		bpf_probe_read_kernel_str(e->name, sizeof(e->name),
					  (void *)a->name);
	bpf_ringbuf_submit(e, 0);
	return 0;
}

/*
 * Something could not be known or stored. Inside scope that is a refusal,
 * where the mode lets one be. Returns whether to deny. Told at powers of two,
 * so that a storm stays readable.
 */
static __noinline int act_fault(struct act *a, __u32 fault)
{
	int deny = act_enforced(a);
	__u64 n;

	if (fault >= FAULT_MAX)
		return deny;
	n = __sync_fetch_and_add(&state.faults[fault], 1) + 1;
	a->repeats = n;
	if (!(n & (n - 1)))
		event_send(a, EVENT_FAULT,
			   deny ? VERDICT_BLOCK : VERDICT_ALERT,
			   deny ? EPERM : 0, fault);
	return deny;
}

/* ---- ledger ------------------------------------------------------------ */

static __always_inline void ledger_key_of(const struct act *a,
					  struct ledger_key *key)
{
	key->origin = a->origin;
	key->subject = a->subject;
	key->dest = a->dest;
	key->dataset = a->dataset;
	key->channel = a->channel;
	key->pad = 0;
}

static __noinline struct ledger *ledger_get(struct ledger_key *key, __u64 now)
{
	struct ledger zero = {};
	struct ledger *l;

	l = bpf_map_lookup_elem(&ledger, key);
	if (l) {
		l->last_ns = now;
		return l;
	}
	zero.first_ns = now;
	zero.last_ns = now;
	bpf_map_update_elem(&ledger, key, &zero, BPF_NOEXIST);
	l = bpf_map_lookup_elem(&ledger, key);
	if (!l)
		__sync_fetch_and_add(&state.faults[FAULT_LEDGER_FULL], 1);
	return l;
}

static __always_inline void ledger_add(struct ledger_key *key, __u64 now,
				       __u64 acts, __u64 bytes, __u64 records)
{
	struct ledger *l = ledger_get(key, now);

	if (!l)
		return;
	if (acts)
		__sync_fetch_and_add(&l->acts, acts);
	if (bytes)
		__sync_fetch_and_add(&l->bytes, bytes);
	if (records)
		__sync_fetch_and_add(&l->records, records);
}

/*
 * An act over its budget: counted, told at powers of two. Returns the errno
 * to deny it with, negative, or 0 if it is only reported.
 */
static __noinline int act_over(struct act *a, __u32 error)
{
	struct ledger_key key;
	struct ledger *l;
	__u64 n = 1;
	int deny = act_enforced(a);

	ledger_key_of(a, &key);
	l = ledger_get(&key, a->now);
	if (l) {
		n = __sync_fetch_and_add(&l->over_acts, 1) + 1;
		__sync_fetch_and_add(&l->over_bytes, a->bytes);
		if (deny)
			__sync_fetch_and_add(&l->blocked_acts, 1);
	}
	a->repeats = n;
	if (!(n & (n - 1)))
		event_send(a, EVENT_VERDICT,
			   deny ? VERDICT_BLOCK : VERDICT_ALERT,
			   deny ? error : 0, 0);
	return deny ? -(int)error : 0;
}

/* ---- budgets ----------------------------------------------------------- */

static __always_inline void budget_key_of(const struct act *a, __u32 unit,
					  struct budget_key *key)
{
	key->rule = a->rule;
	key->who = a->who;
	key->dest = a->dest;
	key->dataset = a->dataset;
	key->unit = unit;
	key->pad = 0;
}

static __noinline struct budget *budget_get(struct budget_key *key)
{
	struct budget zero = {};
	struct budget *b;

	b = bpf_map_lookup_elem(&budgets, key);
	if (b)
		return b;
	zero.serial = __sync_fetch_and_add(&state.next_serial, 1) + 1;
	bpf_map_update_elem(&budgets, key, &zero, BPF_NOEXIST);
	return bpf_map_lookup_elem(&budgets, key);
}

enum take { TAKE_CHECK, TAKE_CHARGE, TAKE_FORCE };

/*
 * Charges @n against @limit. TAKE_CHECK only looks whether there is room,
 * TAKE_FORCE charges without room. Returns 1 if there was room, else 0; the
 * part it was charged to is left in @a.
 */
static __noinline int budget_take(struct act *a, struct budget *b,
				  const struct limit *limit, __u64 n, int take)
{
	__u64 max = limit->max, window_ns = limit->window_ns;
	__u64 total, part;
	__u32 told, level = 0;
	int room;

	bpf_spin_lock(&b->lock);
	window_roll(&b->window, a->now, window_ns);
	total = b->window.total;
	room = total <= max && n <= max - total;
	if (take == TAKE_FORCE || (take == TAKE_CHARGE && room)) {
		b->window.used[b->window.latest % WINDOW_RING] += n;
		b->window.total = total + n;
		total += n;
	}
	part = b->window.latest;
	told = b->told;
	bpf_spin_unlock(&b->lock);

	a->part = part;
	a->used = total;
	a->max = max;
	a->window_ns = window_ns;
	if (take == TAKE_CHECK)
		return room;
	if (!n)
		return room;
	if (!state.dirty && window_ns >= 3600000000000ULL) {
		state.dirty = 1;
		event_send(a, EVENT_DIRTY, VERDICT_ALLOW, 0, 0);
	}
	if (total >= max)
		level = 100;
	else if (total >= max - max / 5)
		level = 80;
	else if (total >= max - max / 2)
		level = 50;
	if (level != told) {
		b->told = level;
		if (level > told && room)
			event_send(a, EVENT_BUDGET, VERDICT_ALLOW, 0, 0);
	}
	return room;
}

static __always_inline void budget_give_back(struct budget *b, __u64 part,
					     __u64 n)
{
	if (!n)
		return;
	bpf_spin_lock(&b->lock);
	window_refund(&b->window, part, n);
	bpf_spin_unlock(&b->lock);
}

/* ---- touched records --------------------------------------------------- */

static __always_inline __u32 bits_set(__u64 x)
{
	x -= (x >> 1) & 0x5555555555555555ULL;
	x = (x & 0x3333333333333333ULL) + ((x >> 2) & 0x3333333333333333ULL);
	x = (x + (x >> 4)) & 0x0f0f0f0f0f0f0f0fULL;
	return (x * 0x0101010101010101ULL) >> 56;
}

/* A run of rows, in chunks of 64; a file that is one record is row 0 of 1. */
struct rows {
	struct touch_key key; /* chunk is set by the loop */
	__u64 first;
	__u64 count;
	__u64 part;  /* marks: charged to this part */
	__u64 since; /* a touch of an older part has left the window */
	__u64 fresh; /* result */
	__u32 mark;
	__u32 full; /* result: the map took no more */
};

#define ROWS_CHUNKS 8192 /* 524,288 rows a read; beyond, all count as new */

static __always_inline __u64 rows_mask(const struct rows *r, __u64 chunk)
{
	__u64 low = chunk * 64, mask = ~0ULL;

	if (r->first > low)
		mask &= ~0ULL << ((r->first - low) & 63);
	if (r->first + r->count < low + 64)
		mask &= ~0ULL >> ((low + 64 - r->first - r->count) & 63);
	return mask;
}

static __noinline long rows_chunk(__u32 i, struct rows *r)
{
	__u64 chunk = r->first / 64 + i;
	__u64 mask = rows_mask(r, chunk), old;
	struct touch *t, new;

	r->key.chunk = chunk;
	t = bpf_map_lookup_elem(&touched, &r->key);
	if (!r->mark) {
		if (t && t->part >= r->since)
			mask &= ~t->rows;
		r->fresh += bits_set(mask);
		return 0;
	}
	if (!t) {
		new.rows = mask;
		new.part = r->part;
		if (!bpf_map_update_elem(&touched, &r->key, &new,
					 BPF_NOEXIST)) {
			__sync_fetch_and_add(&state.touches, 1);
			r->fresh += bits_set(mask);
			return 0;
		}
		t = bpf_map_lookup_elem(&touched, &r->key);
		if (!t) {
			r->full = 1;
			return 1;
		}
	}
	if (t->part < r->since) {
		/*
		 * Left the window: begin anew. Two threads that do so at once
		 * can lose one's rows, which are then charged again.
		 */
		t->rows = mask;
		t->part = r->part;
		r->fresh += bits_set(mask);
		return 0;
	}
	/* The part stays the first one: rows expire too early, never too late. */
	old = __sync_fetch_and_or(&t->rows, mask);
	r->fresh += bits_set(mask & ~old);
	return 0;
}

/* Counts, or marks and counts, the rows that the scope has not touched yet. */
static __always_inline void rows_touch(struct rows *r, int mark)
{
	__u64 chunks = (r->first + r->count - 1) / 64 - r->first / 64 + 1;

	r->fresh = 0;
	r->full = 0;
	r->mark = mark;
	if (chunks == 1)
		rows_chunk(0, r);
	else if (chunks <= ROWS_CHUNKS)
		bpf_loop(chunks, rows_chunk, r, 0);
	else
		r->fresh = r->count;
}

/* ---- holders ----------------------------------------------------------- */

static __always_inline int is_holder(__u32 tgid)
{
	__u32 bit = tgid & ((1 << CORDON_TGID_BITS) - 1);

	return state.holder_bits[bit / 64] >> (bit & 63) & 1;
}

static __always_inline void holder_mark(__u32 tgid)
{
	__u32 bit = tgid & ((1 << CORDON_TGID_BITS) - 1);

	__sync_fetch_and_or(&state.holder_bits[bit / 64], 1ULL << (bit & 63));
	state.holders = 1;
}

static __always_inline void holder_clear(__u32 tgid)
{
	__u32 bit = tgid & ((1 << CORDON_TGID_BITS) - 1);

	__sync_fetch_and_and(&state.holder_bits[bit / 64],
			     ~(1ULL << (bit & 63)));
}

static __always_inline struct holding *holding_of(__u32 tgid)
{
	struct process *p = bpf_map_lookup_elem(&processes, &tgid);
	__u64 id;

	if (!p)
		return NULL;
	id = p->holding;
	return bpf_map_lookup_elem(&holdings, &id);
}

static const char zero_holding[sizeof(struct holding)];

/* A new holding with one reference. Returns NULL when there is no room. */
static __always_inline struct holding *holding_new(__u64 *ret_id)
{
	__u64 id = __sync_fetch_and_add(&state.next_holding, 1) + 1;
	struct holding *h;

	if (bpf_map_update_elem(&holdings, &id, zero_holding, BPF_NOEXIST))
		return NULL;
	h = bpf_map_lookup_elem(&holdings, &id);
	if (!h)
		return NULL;
	h->refs = 1;
	*ret_id = id;
	return h;
}

/* The holding of the current process, made if it has none. */
static __noinline struct holding *holding_make(__u32 tgid)
{
	struct holding *h = holding_of(tgid);
	struct process p;

	if (h || is_holder(tgid))
		return h; /* marked without a holding: unknown, a fault */
	h = holding_new(&p.holding);
	if (!h)
		return NULL;
	if (bpf_map_update_elem(&processes, &tgid, &p, BPF_NOEXIST)) {
		/* Another thread was first, or there is no room. */
		bpf_map_delete_elem(&holdings, &p.holding);
		return holding_of(tgid);
	}
	/* The mark comes last: a marked process always has its entry. */
	holder_mark(tgid);
	return h;
}

/* ---- origins ----------------------------------------------------------- */

static __noinline struct origin *origin_get(struct act *a, __u32 *ret_number)
{
	struct task_struct *task = bpf_get_current_task_btf();
	struct origin_key key = {.dataset = a->dataset};
	struct origin *o;
	__u32 *found, number, zero = 0;

	key.kin = KIN_SESSION;
	key.id = task->sessionid;
	if (login_of(task) == INVALID_UID) {
		key.kin = KIN_CGROUP;
		key.id = bpf_get_current_cgroup_id();
	}
	found = bpf_map_lookup_elem(&origin_of, &key);
	if (found) {
		number = *found;
		o = bpf_map_lookup_elem(&origins, &number);
		*ret_number = number;
		return o;
	}
	number = __sync_fetch_and_add(&state.next_origin, 1) + 1;
	if (number >= CORDON_ORIGINS) {
		/* No more are told apart: place 0 takes all the rest. */
		number = 0;
		__sync_fetch_and_add(&state.faults[FAULT_ORIGIN_FULL], 1);
	}
	if (bpf_map_update_elem(&origin_of, &key, &number, BPF_NOEXIST)) {
		found = bpf_map_lookup_elem(&origin_of, &key);
		number = found ? *found : 0;
	}
	o = bpf_map_lookup_elem(&origins, &number);
	if (!o)
		return NULL;
	*ret_number = number;
	if (o->serial)
		return o;
	o->key = key;
	o->first_ns = a->now;
	o->tgid = task->tgid;
	o->uid = (__u32)bpf_get_current_uid_gid();
	o->login = login_of(task);
	o->session = task->sessionid;
	bpf_get_current_comm(o->comm, sizeof(o->comm));
	__sync_val_compare_and_swap(
		&o->serial, zero,
		__sync_fetch_and_add(&state.next_serial, 1) + 1);
	a->origin = o->serial;
	event_send(a, EVENT_FIRST_READ, VERDICT_ALLOW, 0, 0);
	return o;
}

#endif
