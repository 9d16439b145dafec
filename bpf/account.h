/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * account.h - charging: budgets, touched records, origins, the ledger, events.
 *
 * Every hook fills one struct act, asks here, and returns what it is told.
 */
#ifndef CORDON_ACCOUNT_H
#define CORDON_ACCOUNT_H

#define BYTES_UNKNOWN (~0ULL) /* who knows how many */

/*
 * Everything that is known of the act that a hook judges. The whole guard
 * passes it down by address: 512 bytes of stack are all there is, and kernel
 * 6.1 rounds every frame up to 32.
 */
struct act {
	__u64 now;
	__u64 policy; /* generation and epoch: which answers still hold */
	__u64 bytes;
	__u64 pos; /* reads: the first of them; if @anywhere, the file's end */
	__u64 records;
	__u64 used; /* of the budget that decided */
	__u64 max;
	__u64 window_ns;
	__u64 part;   /* of the window, that was charged */
	__u64 until;  /* reads: a touched record is not looked up before */
	__u64 name;   /* address of the file's name, 0 if there is none */
	__u64 opened; /* reads: address of the open file */
	__u32 origin; /* serial */
	__u32 record;
	__u32 repeats; /* as in struct event */
	__u32 who;
	__u32 rule;
	__u32 subject;
	union {
		__u32 row;   /* reads: bytes of a row; 0: a record is a file */
		__u32 floor; /* releases: fewest wire bytes of a record */
	};
	__u16 dest;
	__u16 port;
	__u8 slot;
	__u8 flags; /* enum rule_flags of the rule */
	__u8 dataset;
	__u8 channel;
	__u8 unit;
	__u8 final;    /* nothing will tell more of the bytes */
	__u8 anywhere; /* reads: where in the file they are is not known */
	__u8 many;     /* releases: more may follow that nobody asks about */
	union {
		__u8 addr[16];	      /* releases: from CHANNEL_TCP on */
		struct file_key file; /* reads */
	};
};

/*
 * Which policy decides, read once for each act: the generation, whose low bit
 * is the slot, and the epoch of what subjects are.
 */
static __always_inline __u64 policy_now(void)
{
	return state.generation << 32 | state.epoch;
}

/* Does the policy say that files carry? */
static __always_inline int follows_files(void)
{
	return state.follow_files[policy_now() >> 32 & 1];
}

/* And that names do, of files and in command lines? */
static __always_inline int follows_names(void)
{
	return state.follow_names[policy_now() >> 32 & 1];
}

static __always_inline void act_begin(struct act *a, __u64 policy,
				      __u32 dataset, __u32 channel)
{
	__builtin_memset(a, 0, sizeof(*a));
	a->now = bpf_ktime_get_boot_ns();
	a->policy = policy;
	a->slot = policy >> 32 & 1;
	a->dataset = dataset;
	a->channel = channel;
	a->flags = RULE_BLOCK; /* what no rule covers is refused */
}

/*
 * Has the issuer allowed that for a while nothing be denied? That ends by
 * itself, whether or not there is an agent.
 */
static __always_inline int is_lifted(void)
{
	__u64 until_ns = state.lifted_until_ns;

	return until_ns && bpf_ktime_get_boot_ns() < until_ns;
}

/* Does the policy deny what is over its budget? */
static __always_inline int slot_denies(__u32 slot)
{
	return state.mode[slot & 1] == MODE_ENFORCE;
}

/* Does it deny this act then? */
static __always_inline int act_denies(const struct act *a)
{
	return slot_denies(a->slot) &&
	       (a->flags & (RULE_BLOCK | RULE_OBSERVE)) == RULE_BLOCK;
}

/* Is an act over its budget denied, or only reported? */
static __always_inline int act_enforced(const struct act *a)
{
	return act_denies(a) && !is_lifted();
}

/* ---- events ------------------------------------------------------------ */

/*
 * The user that a process is of. In a user namespace it can be any of the
 * numbers that its maker was given, thousands by default: so there it is who
 * made the outermost one. Those that root made are containers, whose users are
 * who they are.
 */
static __always_inline __u32 user_of(const struct task_struct *task)
{
	const struct user_namespace *ns = task->cred->user_ns;
	__u32 owner;
	int i;

	if (!ns->level)
		return task->cred->uid.val;
	for (i = 0; i < USER_NS_LEVELS; i++) {
		if (ns->level <= 1)
			break;
		ns = ns->parent;
	}
	owner = ns->owner.val;
	return owner ? owner : task->cred->uid.val;
}

/*
 * Who logged in, as far as it can be believed: a process that nobody logged
 * in to may write any number to /proc/self/loginuid, without a privilege. So
 * it counts only for its own user, and for root, who comes from sudo.
 */
static __always_inline __u32 login_of(const struct task_struct *task)
{
	__u32 login = task->loginuid.val, user = user_of(task);

	return !user || user == login ? login : INVALID_UID;
}

/* Has the current thread one of these capabilities, and of the host itself? */
static __noinline int privileged(__u64 capabilities)
{
	const struct cred *cred = bpf_get_current_task_btf()->cred;
	__u64 has = 0; /* whose type, but not its form, differs before 6.3 */

	if (BPF_CORE_READ(cred, user_ns, level))
		return 0;
	bpf_probe_read_kernel(
		&has, sizeof(has),
		(const void *)cred +
			bpf_core_field_offset(cred->cap_effective));
	return (has & capabilities) != 0;
}

/*
 * Not static, like others below that many paths share: the verifier then
 * looks at them once, not once for every path that calls them.
 */
__noinline int event_send(struct act *a, __u32 type, __u32 verdict, __u32 error,
			  __u32 fault)
{
	struct task_struct *task = bpf_get_current_task_btf();
	struct event *e;

	if (!a)
		return 0;
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
	if (a->channel >= CHANNEL_TCP)
		__builtin_memcpy(e->addr, a->addr, sizeof(e->addr));
	else
		__builtin_memset(e->addr, 0, sizeof(e->addr));
	bpf_get_current_comm(e->comm, sizeof(e->comm));
	e->name[0] = 0;
	if (a->name)
		bpf_probe_read_kernel_str(e->name, sizeof(e->name),
					  (void *)a->name);
	bpf_ringbuf_submit(e, 0);
	return 0;
}

/* One with nothing in it: there is no room for an act where this is called. */
__noinline int dirty_tell(void)
{
	struct event *e = bpf_ringbuf_reserve(&events, sizeof(*e), 0);

	if (!e) {
		__sync_fetch_and_add(&state.faults[FAULT_EVENT_LOST], 1);
		return 0;
	}
	__builtin_memset(e, 0, sizeof(*e));
	e->type = EVENT_DIRTY;
	bpf_ringbuf_submit(e, 0);
	return 0;
}

/*
 * Files may carry more than was saved of them: one that a holder begins to
 * write to, and one that was written to, or mapped, by who holds more now. Or
 * one is gone whose number another can get. Told once a save.
 */
static __always_inline void unsaved(void)
{
	if (state.unsaved || !follows_files())
		return;
	state.unsaved = 1;
	dirty_tell();
}

/*
 * Something could not be known or stored. Inside scope that is a refusal,
 * where the mode lets one be. Returns whether to deny. Told at powers of two,
 * so that a storm stays readable.
 */
__noinline int act_fault(struct act *a, __u32 fault)
{
	__u64 n;
	int deny;

	if (!a)
		return 1;
	deny = act_enforced(a);
	if (fault >= FAULT_MAX)
		return deny;
	n = __sync_fetch_and_add(&state.faults[fault], 1) + 1;
	a->repeats = n;
	if (!(n & (n - 1)))
		event_send(a, EVENT_FAULT, deny ? VERDICT_BLOCK : VERDICT_ALERT,
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

/* The number of the row for @key, made if there is none. 0: no room. */
static __noinline __u32 ledger_row(struct ledger_key *key, __u64 now)
{
	__u32 *found = bpf_map_lookup_elem(&ledger_of, key), row;
	struct ledger *l;

	if (found)
		return *found;
	row = __sync_fetch_and_add(&state.next_row, 1) + 1;
	l = bpf_map_lookup_elem(&ledger, &row);
	if (!l) {
		__sync_fetch_and_sub(&state.next_row, 1);
		__sync_fetch_and_add(&state.faults[FAULT_LEDGER_FULL], 1);
		return 0;
	}
	/* Another may have been first: then this row stays empty. */
	if (bpf_map_update_elem(&ledger_of, key, &row, BPF_NOEXIST)) {
		found = bpf_map_lookup_elem(&ledger_of, key);
		if (!found)
			__sync_fetch_and_add(&state.faults[FAULT_LEDGER_FULL],
					     1);
		return found ? *found : 0;
	}
	l->first_ns = now;
	l->key = *key;
	return row;
}

/* Acts that the policy in that slot judged, if there are any. */
static __always_inline void ledger_add(__u32 row, __u32 slot, __u64 now,
				       __u64 acts, __u64 bytes, __u64 records)
{
	struct ledger *l = bpf_map_lookup_elem(&ledger, &row);

	if (!l || !row)
		return;
	l->last_ns = now;
	if (acts) {
		l->policy = state.policy_serial[slot & 1];
		__sync_fetch_and_add(&l->acts, acts);
	}
	if (bytes)
		__sync_fetch_and_add(&l->bytes, bytes);
	if (records)
		__sync_fetch_and_add(&l->records, records);
}

/* One more act of a kind that was judged before. */
static __always_inline void ledger_act(__u32 row)
{
	struct ledger *l = bpf_map_lookup_elem(&ledger, &row);

	if (l && row)
		__sync_fetch_and_add(&l->acts, 1);
}

/* One more over the budget; returns how many they are. */
static __always_inline __u64 ledger_over(struct ledger *l, __u32 slot,
					 __u64 now, __u64 bytes, int blocked)
{
	l->last_ns = now;
	l->policy = state.policy_serial[slot & 1];
	__sync_fetch_and_add(&l->over_bytes, bytes);
	if (blocked)
		__sync_fetch_and_add(&l->blocked_acts, 1);
	return __sync_fetch_and_add(&l->over_acts, 1) + 1;
}

/* Who the current process is kin of, for @a's dataset. */
static __always_inline void origin_key_of(const struct act *a,
					  struct origin_key *key)
{
	struct task_struct *task = bpf_get_current_task_btf();

	key->dataset = a->dataset;
	key->kin = KIN_SESSION;
	key->id = task->sessionid;
	if (login_of(task) == INVALID_UID) {
		key->kin = KIN_CGROUP;
		key->id = bpf_get_current_cgroup_id();
	}
}

/* The serial of the origin that a refused reader belongs to already, or 0. */
static __noinline __u32 origin_known(const struct act *a)
{
	struct origin_key key;
	struct origin *o;
	__u32 *found;

	origin_key_of(a, &key);
	found = bpf_map_lookup_elem(&origin_of, &key);
	if (!found)
		return 0;
	o = bpf_map_lookup_elem(&origins, found);
	return o ? o->serial : 0;
}

#define OVER_TOLD_NS 1000000000ULL

/*
 * Who the current process is to who reads of it: of which kin, and by what
 * name. Nothing is decided by it.
 */
static __always_inline __u64 told_as(const struct act *a)
{
	__u64 name[2] = {};
	struct origin_key key;

	origin_key_of(a, &key);
	bpf_get_current_comm(name, sizeof(name));
	return (key.id << 1 | (key.kin == KIN_CGROUP)) ^ name[0] ^
	       (name[1] << 7 | name[1] >> 57);
}

/*
 * Is the @n-th act over the budget of a row told? At powers of two, so that a
 * storm stays readable; and when it is of another tool or other kin than the
 * one told of last, at most once a second. Who is refused before reading
 * anything has no origin, and shares the row with all the others: a login's
 * first refusal must not go unseen behind theirs, nor what an intruder tries
 * next behind what he tried first.
 */
static __noinline int over_is_told(struct ledger *l, const struct act *a,
				   __u64 n)
{
	__u64 kin = told_as(a), told;

	if (n & (n - 1)) {
		told = l->told_ns;
		if (l->kin == kin || a->now < told + OVER_TOLD_NS ||
		    __sync_val_compare_and_swap(&l->told_ns, told, a->now) !=
			    told)
			return 0;
	}
	l->kin = kin;
	return 1;
}

/* In steps.h. */
int step_birth_now(void);
int step_end(__u64 id);

/*
 * An act over its budget: counted, and told now and then. Returns the errno to
 * deny it with, negative, or 0 if it is only reported.
 */
__noinline int act_over(struct act *a, __u32 error)
{
	struct ledger_key key;
	struct ledger *l;
	int deny, told = 1;
	__u64 n = 1;
	__u32 row;

	if (!a)
		return -EPERM;
	deny = act_enforced(a);
	if (!a->origin)
		a->origin = origin_known(a);
	ledger_key_of(a, &key);
	row = ledger_row(&key, a->now);
	l = bpf_map_lookup_elem(&ledger, &row);
	if (l && row) {
		n = ledger_over(l, a->slot, a->now, a->bytes, deny);
		told = over_is_told(l, a, n);
	}
	a->repeats = n;
	if (told) {
		event_send(a, EVENT_VERDICT,
			   deny ? VERDICT_BLOCK : VERDICT_ALERT,
			   deny ? error : 0, 0);
		step_birth_now();
	}
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

static const char zero_budget[sizeof(struct budget)];

/* The budget of @a's unit, made if there is none. NULL: no room. */
static __always_inline struct budget *budget_get(struct act *a)
{
	struct budget_key key;
	struct budget *b;

	budget_key_of(a, a->unit, &key);
	b = bpf_map_lookup_elem(&budgets, &key);
	if (!b) {
		bpf_map_update_elem(&budgets, &key, zero_budget, BPF_NOEXIST);
		b = bpf_map_lookup_elem(&budgets, &key);
	}
	/* Another may have made it this moment, and not numbered it yet. */
	if (b && !b->serial)
		__sync_val_compare_and_swap(
			&b->serial, 0,
			__sync_fetch_and_add(&state.next_serial, 1) + 1);
	return b;
}

/* Its serial, the scope of what it was charged for. 0: no room. */
__noinline int budget_serial(struct act *a)
{
	struct budget *b;

	if (!a)
		return 0;
	b = budget_get(a);
	return b ? b->serial : 0;
}

/* Tells of the half, the four fifths and the whole of a budget, once each. */
static __always_inline void budget_tell(struct act *a, struct budget *b,
					int room)
{
	__u32 told = b->told, level = 0;

	if (!state.dirty && a->window_ns >= 3600000000000ULL) {
		state.dirty = 1;
		event_send(a, EVENT_DIRTY, VERDICT_ALLOW, 0, 0);
	}
	if (a->used >= a->max)
		level = 100;
	else if (a->used >= a->max - a->max / 5)
		level = 80;
	else if (a->used >= a->max - a->max / 2)
		level = 50;
	if (level == told)
		return;
	b->told = level;
	if (level > told && room)
		event_send(a, EVENT_BUDGET, VERDICT_ALLOW, 0, 0);
}

enum take { TAKE_CHECK, TAKE_CHARGE, TAKE_FORCE };

/*
 * Charges @n to the budget of @a's unit, max and window_ns. TAKE_CHECK only
 * looks whether there is room, TAKE_FORCE charges without room. Returns 0, 1
 * if there was no room, -1 if there was no place for the budget; @a then says
 * how much is used and which part was charged.
 */
__noinline int budget_charge(struct act *a, __u64 n, int take)
{
	struct budget *b;
	__u64 total;
	int room;

	if (!a)
		return -1;
	b = budget_get(a);
	if (!b)
		return -1;
	bpf_spin_lock(&b->lock);
	if (take == TAKE_CHECK) {
		window_roll(&b->window, a->now, a->window_ns);
		total = b->window.total;
		room = total <= a->max && n <= a->max - total;
	} else {
		room = window_charge(&b->window, a->now, a->window_ns, a->max,
				     n);
		if (!room && take == TAKE_FORCE)
			window_force(&b->window, a->now, a->window_ns, n);
		total = b->window.total;
	}
	if (!room)
		b->refused++;
	a->part = b->window.latest;
	bpf_spin_unlock(&b->lock);
	a->used = total;
	if (take != TAKE_CHECK && n)
		budget_tell(a, b, room);
	return !room;
}

/* Gives @n back to @part of a window. */
__noinline int budget_return(struct budget_key *key, __u64 window_ns,
			     __u64 part, __u64 n)
{
	struct budget_key own;
	struct budget *b;

	if (!key || !n)
		return 0;
	own = *key; /* 6.1 takes no key for a map from a caller's frame */
	b = bpf_map_lookup_elem(&budgets, &own);
	if (!b)
		return 0;
	bpf_spin_lock(&b->lock);
	window_refund(&b->window, window_ns, part, n);
	bpf_spin_unlock(&b->lock);
	return 0;
}

__noinline int budget_give_back(struct act *a, __u64 part, __u64 n)
{
	struct budget_key key;

	if (!a)
		return 0;
	budget_key_of(a, a->unit, &key);
	return budget_return(&key, a->window_ns, part, n);
}

/* What was charged to @part happened again: it leaves the window later. */
__noinline int budget_renew(struct act *a, __u64 part, __u64 n)
{
	struct budget *b;

	if (!a)
		return 0;
	b = budget_get(a);
	if (!b)
		return 0;
	bpf_spin_lock(&b->lock);
	window_renew(&b->window, a->now, part, n);
	bpf_spin_unlock(&b->lock);
	return 0;
}

/* What charging said: 1 no room, -1 a fault. Returns 0 or a negative errno. */
static __noinline int charge_failed(struct act *a, int bad, __u32 fault,
				    __u32 error)
{
	if (bad > 0)
		return act_over(a, error);
	return act_fault(a, fault) ? -(int)error : 0;
}

static __always_inline void limit_of(struct act *a, const struct limit *limit,
				     __u32 unit)
{
	a->max = limit->max;
	a->window_ns = limit->window_ns;
	a->unit = unit;
}

/* ---- touched records --------------------------------------------------- */

static __always_inline __u32 bits_set(__u64 x)
{
	x -= (x >> 1) & 0x5555555555555555ULL;
	x = (x & 0x3333333333333333ULL) + ((x >> 2) & 0x3333333333333333ULL);
	x = (x + (x >> 4)) & 0x0f0f0f0f0f0f0f0fULL;
	return (x * 0x0101010101010101ULL) >> 56;
}

/*
 * A run of rows, in chunks of 64; a file that is one record is row 0 of 1.
 * All rows of a chunk that a budget was charged for are charged to one part,
 * the last in which any of them was touched.
 */
struct rows {
	struct touch_key key; /* chunk is set by the loop */
	__u64 first;
	__u64 part;  /* now; 0: a scope without end */
	__u64 fresh; /* result: rows that were not touched yet */
	__u32 count;
	__u8 mark;
	__u8 older; /* result: some were touched, in an older part */
	__u8 full;  /* result: the map took no more */
	__u8 pad;
};

/* What the loop over its chunks is told. */
struct rows_loop {
	struct rows *rows;
	struct act *act; /* whose budget they are charged to, or NULL */
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

/* Touched again in a newer part: the charge moves there with all its rows. */
static __always_inline void rows_renew(struct rows_loop *loop, struct touch *t)
{
	__u64 part = t->part, now = loop->rows->part, n = bits_set(t->rows);

	if (part < now && loop->act &&
	    __sync_val_compare_and_swap(&t->part, part, now) == part)
		budget_renew(loop->act, part, n);
}

/*
 * Is the touch still paid for? Not when its part has left the window, nor when
 * it lies ahead of now (but for a clock that lags): then it was numbered for a
 * window of another length.
 */
static __always_inline int touch_holds(const struct touch *t, __u64 now_part)
{
	__u64 since = now_part < WINDOW_PARTS ? 0 : now_part - WINDOW_PARTS;

	return t->part >= since && t->part <= now_part + 1;
}

static __noinline long rows_chunk(__u32 i, struct rows_loop *loop)
{
	struct rows *r = loop->rows;
	__u64 chunk = r->first / 64 + i;
	__u64 mask = rows_mask(r, chunk), old;
	struct touch_key key = r->key;
	struct touch *t, new;

	key.chunk = chunk;
	t = bpf_map_lookup_elem(&touched, &key);
	if (!r->mark) {
		if (t && touch_holds(t, r->part)) {
			mask &= ~t->rows;
			if (t->part < r->part)
				r->older = 1;
		}
		r->fresh += bits_set(mask);
		return 0;
	}
	if (!t) {
		new.rows = mask;
		new.part = r->part;
		if (!bpf_map_update_elem(&touched, &key, &new, BPF_NOEXIST)) {
			__sync_fetch_and_add(&state.touches, 1);
			r->fresh += bits_set(mask);
			return 0;
		}
		t = bpf_map_lookup_elem(&touched, &key);
		if (!t) {
			r->full = 1;
			return 1;
		}
	}
	if (!touch_holds(t, r->part)) {
		/*
		 * Left the window: begin anew. Two threads that do so at once
		 * can lose one's rows, which are then charged again.
		 */
		t->rows = mask;
		t->part = r->part;
		r->fresh += bits_set(mask);
		return 0;
	}
	rows_renew(loop, t);
	old = __sync_fetch_and_or(&t->rows, mask);
	r->fresh += bits_set(mask & ~old);
	return 0;
}

/*
 * Counts, or marks and counts, the rows that the scope has not touched yet. @a:
 * whose budget they are charged to, or NULL.
 */
static __always_inline void rows_touch(struct rows *r, struct act *a, int mark)
{
	struct rows_loop loop = {.rows = r, .act = a};
	__u64 chunks;

	chunks = (r->first + r->count - 1) / 64 - r->first / 64 + 1;
	/*
	 * 6.12 follows a loop until nothing new happens: sums that start from
	 * a number it knows are new every time.
	 */
	r->fresh = state.zero;
	r->older = state.zero;
	r->full = state.zero;
	r->mark = mark;
	if (chunks == 1)
		rows_chunk(0, &loop);
	else if (chunks <= ROWS_CHUNKS)
		bpf_loop(chunks, rows_chunk, &loop, 0);
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
}

static __always_inline void holder_clear(__u32 tgid)
{
	__u32 bit = tgid & ((1 << CORDON_TGID_BITS) - 1);

	__sync_fetch_and_and(&state.holder_bits[bit / 64],
			     ~(1ULL << (bit & 63)));
}

/* The current process. The agent reads for nobody. */
static __always_inline int holds(void)
{
	struct task_struct *task = bpf_get_current_task_btf();

	return is_holder(task->tgid) && state.agent != (__u32)task->tgid;
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

/* The number of the holding of the current process; 0: not known. */
static __always_inline __u64 holding_id(void)
{
	struct task_struct *task = bpf_get_current_task_btf();
	struct holding *h = holding_of(task->tgid);

	return h ? h->id : 0;
}

/*
 * Some have a holding before they hold anything: see on_task_newtask(). The
 * first share is the first to be taken, and none is ever given back.
 */
static __always_inline int holding_empty(const struct holding *h)
{
	return !h->shares[0].origin;
}

/* Where it is counted how often the holding @id grew. */
static __always_inline __u32 grown_place(__u64 id)
{
	return id & (CORDON_GROWN - 1);
}

/*
 * After the shares: who saw the count of before judges once more, and who took
 * the holding in takes it in once more. What grows by bytes of records that it
 * had is judged as before.
 */
static __always_inline void holding_swelled(__u64 id)
{
	__sync_fetch_and_add(&state.swelled[grown_place(id)], 1);
	unsaved();
}

static __always_inline void holding_grew(__u64 id)
{
	__sync_fetch_and_add(&state.grown[grown_place(id)], 1);
	holding_swelled(id);
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
	h->id = id;
	*ret_id = id;
	return h;
}

static __always_inline void holding_drop(__u64 id)
{
	struct holding *h = bpf_map_lookup_elem(&holdings, &id);

	if (h && __sync_fetch_and_sub(&h->refs, 1) == 1) {
		step_end(id);
		bpf_map_delete_elem(&holdings, &id);
		/* In this order: see charges_make(). */
		bpf_map_delete_elem(&charges, &id);
	}
}

static const char zero_charges[sizeof(struct charges)];

/*
 * What the holding @id was charged, made if it was not yet. NULL: there is no
 * room, or the holding has gone meanwhile, and would never take it along.
 */
static __noinline struct charges *charges_make(__u64 id)
{
	struct charges *all = bpf_map_lookup_elem(&charges, &id);

	if (all)
		return all;
	bpf_map_update_elem(&charges, &id, zero_charges, BPF_NOEXIST);
	if (!bpf_map_lookup_elem(&holdings, &id)) {
		bpf_map_delete_elem(&charges, &id);
		return NULL;
	}
	all = bpf_map_lookup_elem(&charges, &id);
	if (!all)
		__sync_fetch_and_add(&state.faults[FAULT_CHARGES_FULL], 1);
	return all;
}

/* The holding of the process @tgid, which @task is of, made if it has none. */
static __noinline struct holding *
holding_make_for(const struct task_struct *task, __u32 tgid)
{
	struct process p = {};
	struct holding *h;
	__u32 parent;
	int marked;

	/* In this order: another thread may be making it. */
	marked = is_holder(tgid);
	h = holding_of(tgid);
	if (h || marked)
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
	if (!task->vfork_done)
		return h;
	/* What a vfork child reads, it reads into its parent's memory. */
	parent = BPF_CORE_READ(task, real_parent, tgid);
	if (parent == tgid || is_holder(parent))
		return h;
	__sync_fetch_and_add(&h->refs, 1);
	if (bpf_map_update_elem(&processes, &parent, &p, BPF_NOEXIST))
		__sync_fetch_and_sub(&h->refs, 1);
	holder_mark(parent);
	return h;
}

static __always_inline struct holding *holding_make(__u32 tgid)
{
	return holding_make_for(bpf_get_current_task_btf(), tgid);
}

/* ---- origins ----------------------------------------------------------- */

static __noinline struct origin *origin_get(struct act *a, __u32 *ret_number)
{
	struct task_struct *task = bpf_get_current_task_btf();
	struct origin_key key;
	struct origin *o;
	__u32 *found, number, serial;

	origin_key_of(a, &key);
	found = bpf_map_lookup_elem(&origin_of, &key);
	if (found) {
		number = *found;
	} else {
		number = __sync_fetch_and_add(&state.next_origin, 1) + 1;
		if (number >= CORDON_ORIGIN_REST) {
			number = CORDON_ORIGIN_REST;
			__sync_fetch_and_add(&state.faults[FAULT_ORIGIN_FULL],
					     1);
		}
		if (bpf_map_update_elem(&origin_of, &key, &number,
					BPF_NOEXIST)) {
			found = bpf_map_lookup_elem(&origin_of, &key);
			number = found ? *found : CORDON_ORIGIN_REST;
		}
	}
	o = bpf_map_lookup_elem(&origins, &number);
	if (!o)
		return NULL;
	*ret_number = number;
	/* Another may have made it this moment, and not numbered it yet. */
	if (o->serial)
		return o;
	o->key = key;
	o->first_ns = a->now;
	o->tgid = task->tgid;
	o->uid = (__u32)bpf_get_current_uid_gid();
	o->login = login_of(task);
	o->session = task->sessionid;
	bpf_get_current_comm(o->comm, sizeof(o->comm));
	serial = __sync_fetch_and_add(&state.next_serial, 1) + 1;
	if (__sync_val_compare_and_swap(&o->serial, 0, serial))
		return o;
	a->origin = serial;
	event_send(a, EVENT_FIRST_READ, VERDICT_ALLOW, 0, 0);
	return o;
}

#endif
