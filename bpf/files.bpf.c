/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * files.bpf.c - reads of a dataset's files, and the labels that follow them.
 *
 *   file_open            labels, looks whether a first byte could be read
 *   file_permission      charges a read before its bytes move
 *   mmap_file            charges what a mapping can show
 *   vfs_readv, __io_read, splice_*, vfs_copy_file_range (on return)
 *                        correct the charges whose length is known only then
 *   file_ioctl, vfs_fallocate, file_permission, file_receive
 *                        refuse what moves contents, or a position, unseen
 *   d_instantiate, inode_link, inode_rename, inode_free
 *                        keep the labels true
 *   file_permission, mmap_file, file_open, inode_free, inode_setxattr,
 *   inode_getxattr, inode_symlink, d_instantiate, inode_readlink
 *                        files outside that holders write to: derived.h
 *   file_open, vfs_create, vfs_mkdir, vfs_mknod, inode_link, inode_rename,
 *   inode_symlink, file_permission
 *                        names that holders give, directories that show them
 *   file_permission, mmap_file, file_open, file_ioctl
 *                        files that lie elsewhere, devices: ways.bpf.c
 *
 * Exact: read and pread, from their arguments; readv, preadv, preadv2,
 * sendfile, splice, copy_file_range and io_uring, on return. An upper bound
 * (from the position to the end of the file): mappings, which mremap(2) grows
 * unseen; AIO and io_uring with O_DIRECT, which end in an interrupt; what
 * io_uring has a worker read once more; exec.
 *
 * Of sendfile, splice and copy_file_range the length is known, the place is
 * not: it stands in the process's memory, or another thread can move it. So
 * they count for all rows of a file; and so does a read at the position of a
 * file that is open for writing too.
 */

#define ROWS_MAX 0x7fffffff /* fits where -1 is an error */

static __always_inline void rows_of(struct rows *rows, const struct act *a)
{
	__u64 count;

	__builtin_memset(rows, 0, sizeof(*rows));
	rows->key.record = a->record;
	rows->count = 1;
	if (!a->row)
		return;
	if (a->anywhere) {
		count = rows_count(0, a->pos, a->row);
	} else {
		rows->first = rows_first(a->pos, a->row);
		count = rows_count(a->pos, a->bytes, a->row);
	}
	if (count > ROWS_MAX)
		count = ROWS_MAX;
	rows->count = count ? count : 1;
}

/*
 * Charges the records of a read to the budget of @a's max and window_ns.
 * Returns 0, or 1 if there is no room, or -1 if something could not be stored.
 */
__noinline int records_charge(struct act *a, int take)
{
	struct rows rows;
	__u64 part_ns;
	__u32 scope;
	int bad = 0;

	if (!a)
		return -1;
	part_ns = window_part_ns(a->window_ns);
	a->unit = UNIT_RECORDS;
	scope = budget_serial(a);
	if (!scope)
		return -1;
	rows_of(&rows, a);
	rows.key.kind = SCOPE_BUDGET;
	rows.key.scope = scope;
	rows.part = a->now / part_ns;
	rows_touch(&rows, a, 0);
	a->records = rows.fresh;
	if (rows.fresh) {
		bad = budget_charge(a, rows.fresh, take);
		if (bad && take != TAKE_FORCE) {
			/* Another thread may have been charged meanwhile. */
			rows_touch(&rows, a, 0);
			a->until = a->now; /* by whom, and until when? */
			return rows.fresh ? bad : 0;
		}
	}
	if (take == TAKE_CHECK)
		return 0;
	/* One reader's clock may lag: the charge lies in the newest part. */
	if (rows.fresh && a->part > rows.part)
		rows.part = a->part;
	a->until = (rows.part + 1) * part_ns;
	if (!rows.fresh && !rows.older)
		return 0;
	rows_touch(&rows, a, 1);
	if (rows.fresh < a->records)
		budget_give_back(a, rows.part, a->records - rows.fresh);
	return rows.full ? -1 : bad;
}

static __always_inline int same_file(const struct file_key *a,
				     const struct file_key *b)
{
	return a->ino == b->ino && a->dev == b->dev &&
	       a->generation == b->generation;
}

static __always_inline int memo_is_of(const struct memo *m,
				      const struct inode *inode)
{
	struct file_key key;

	file_key_of(inode, &key);
	return same_file(&m->file, &key);
}

/* May the file be opened for what is known already? Nothing is left to ask. */
static __always_inline int memo_grants(const struct memo *m,
				       const struct inode *inode)
{
	return m->whole && memo_is_of(m, inode) &&
	       bpf_ktime_get_boot_ns() < m->until;
}

/*
 * Touches the records for the origin: the list of who was exposed. Returns how
 * many the read covers, below 0 if there was no room to remember them.
 */
__noinline int origin_touch(struct act *a, struct origin *o)
{
	struct rows rows;
	__u64 fresh;

	if (!a || !o)
		return -1;
	rows_of(&rows, a);
	rows.key.kind = SCOPE_ORIGIN;
	rows.key.scope = o->serial;
	/*
	 * The cap first: who finds a row touched must find it read as well. Of
	 * two that come at once the later gives back what was counted twice.
	 */
	rows_touch(&rows, NULL, 0);
	fresh = rows.fresh;
	if (!fresh)
		return rows.count & ROWS_MAX;
	__sync_fetch_and_add(&o->read_records, fresh);
	rows_touch(&rows, NULL, 1);
	a->records = rows.full ? fresh : rows.fresh;
	if (a->records < fresh)
		__sync_fetch_and_sub(&o->read_records, fresh - a->records);
	return rows.full ? -(int)(rows.count & ROWS_MAX)
			 : (int)(rows.count & ROWS_MAX);
}

/* The share of origin @number grows by @a's bytes and by @records. */
static __noinline int share_grow(struct holding *h, struct act *a,
				 struct origin *o, __u32 number, __u64 records)
{
	/* The caps are read under the lock: an older one would take away
	 * what another thread has added meanwhile. */
	bpf_spin_lock(&h->lock);
	h->only = HOLDING_MIXED;
	share_add(h, number, a->dataset, a->bytes, records, o->read_bytes,
		  o->read_records);
	bpf_spin_unlock(&h->lock);
	if (a->until)
		holding_grew(h->id);
	else
		holding_swelled(h->id);
	return 0;
}

/*
 * Grows what the origin read and what the process holds. @a->until: 0 if the
 * record was touched before. Returns the origin's number, or -1: then it may
 * be that nothing was noted, or no more than that the process holds it.
 */
static __always_inline int read_account(struct act *a, struct holding *h,
					const struct memo *m)
{
	struct task_struct *task = bpf_get_current_task_btf();
	__u32 number = m ? m->origin : 0, known = number;
	struct origin *o = NULL;
	struct holding *own;
	int records = 0;

	if (number)
		o = bpf_map_lookup_elem(&origins, &number);
	else
		o = origin_get(a, &number);
	if (!o)
		return -1;
	a->origin = o->serial;
	a->records = 0;
	if (a->until)
		records = origin_touch(a, o);
	__sync_fetch_and_add(&o->read_bytes, a->bytes);
	share_grow(h, a, o, number, records < 0 ? -records : records);
	/*
	 * The process can have come by another holding meanwhile, by memory
	 * that it shares: see settle_move(), which looks after it wrote.
	 */
	own = holding_of(task->tgid);
	if (own && own->id != h->id)
		share_grow(own, a, o, number, records < 0 ? -records : records);
	if (!known)
		step_read(h, number);
	return records < 0 ? -1 : (int)number;
}

/*
 * Notes for read_done() what a read was charged, at its upper bound. @hold_ns:
 * for how long the same operation may ask again.
 */
static __noinline int read_note(struct act *a, __u32 origin, __u32 row,
				__u64 hold_ns)
{
	struct task_struct *task = bpf_get_current_task_btf();
	__u32 pid = task->pid, tgid = task->tgid;
	struct process *own = bpf_map_lookup_elem(&processes, &tgid);
	struct pending p = {};

	p.file = a->opened;
	p.key = a->file;
	p.until = a->now + hold_ns;
	p.bytes = a->bytes;
	p.origin = origin;
	p.limited = a->window_ns != 0;
	if (own)
		p.holding = own->holding;
	p.part = a->part;
	p.window_ns = a->window_ns;
	budget_key_of(a, UNIT_BYTES, &p.budget);
	p.row = row;
	/* Without a note the read stays charged at its upper bound. */
	bpf_map_update_elem(&pendings, &pid, &p, BPF_ANY);
	return 0;
}

/*
 * The kernel asks more than once for one sendfile, splice or copy. A note
 * that an operation left which failed pays for one more of the same file, as
 * long as its part of the window lasts.
 */
static __always_inline int read_noted(const struct act *a,
				      const struct holding *h)
{
	struct task_struct *task = bpf_get_current_task_btf();
	__u32 pid = task->pid;
	struct pending *p = bpf_map_lookup_elem(&pendings, &pid);

	/* A number that another process's thread had is not enough. */
	return p && p->holding == h->id && p->file == a->opened &&
	       same_file(&p->key, &a->file) && p->bytes >= a->bytes &&
	       a->now < p->until;
}

/* What a read takes: at most @bytes from @pos on. */
struct extent {
	__u64 pos;
	__u64 bytes;
	int place; /* of the rule */
	__u8 channel;
	__u8 final;    /* nothing will tell more of the bytes */
	__u8 anywhere; /* as in struct act */
};

/*
 * How many bytes the system call under way can read from @file of @size
 * bytes, and from where. What other threads could change after us (an iovec,
 * an offset in memory) is not believed.
 */
static __noinline int read_extent(const struct file *file, __u64 size,
				  struct extent *ret)
{
	struct task_struct *task = bpf_get_current_task_btf();
	struct pt_regs *regs = (struct pt_regs *)bpf_task_pt_regs(task);
	__u64 nr = regs->orig_ax, count = MAX_RW_COUNT;
	__u64 pos = file->f_pos;
	int at_pos = 0;

	ret->final = 0;
	ret->anywhere = 0;
	ret->channel = CHANNEL_READ;
	if (!regs_tell(task)) {
		ret->channel = CHANNEL_URING;
		pos = 0;
	} else if (task->thread_info.status & TS_COMPAT) {
		pos = 0;
		ret->final = 1;
	} else if (nr == NR_read) {
		count = regs->dx;
		at_pos = 1;
		ret->final = 1;
	} else if (nr == NR_pread64) {
		count = regs->dx;
		pos = regs->r10;
		ret->final = 1;
	} else if (nr == NR_preadv) {
		pos = regs->r10;
	} else if (nr == NR_preadv2) {
		at_pos = regs->r10 == ~0ULL;
		if (!at_pos)
			pos = regs->r10;
	} else if (nr == NR_sendfile) {
		ret->channel = CHANNEL_SPLICE;
		count = regs->r10;
		ret->anywhere = 1;
		if (regs->dx)
			pos = 0;
	} else if (nr == NR_splice || nr == NR_copy_file_range) {
		ret->channel = CHANNEL_SPLICE;
		count = regs->r8;
		ret->anywhere = 1;
		if (regs->si)
			pos = 0;
	} else if (nr == NR_ioctl) { /* FICLONE */
		ret->channel = CHANNEL_SPLICE;
		pos = 0;
	} else if (nr == NR_execve || nr == NR_execveat) {
		ret->channel = CHANNEL_EXEC;
		pos = 0;
		ret->final = 1;
	} else if (nr == NR_io_submit) {
		ret->channel = CHANNEL_AIO;
		pos = 0;
		ret->final = 1;
	} else if (nr == NR_readv) {
		at_pos = 1;
	} else {
		pos = 0;
		ret->final = 1;
	}
	/*
	 * What writes at the file's position moves it without the lock of who
	 * reads there: it may stand at the end only for us.
	 */
	if (at_pos && file->f_mode & FMODE_WRITE)
		ret->anywhere = 1;
	if (count > MAX_RW_COUNT)
		count = MAX_RW_COUNT;
	ret->pos = pos;
	ret->bytes = 0;
	if (pos < size)
		ret->bytes = count < size - pos ? count : size - pos;
	if (ret->anywhere)
		ret->pos = size;
	return 0;
}

/* A read that @m stands for: only to be counted. Returns 0 if it was not. */
static __noinline int read_more(struct memo *m, const struct extent *e)
{
	__u64 now = bpf_ktime_get_boot_ns();
	struct holding *h;
	struct origin *o;
	int i, done = 0;

	if (!m->whole || !e->final || e->channel != m->channel ||
	    now >= m->until)
		return 0;
	h = bpf_map_lookup_elem(&holdings, &m->holding);
	o = bpf_map_lookup_elem(&origins, &m->origin);
	if (!h || !o)
		return 0;
	/* The origin first: it caps the share. */
	__sync_fetch_and_add(&o->read_bytes, e->bytes);
	bpf_spin_lock(&h->lock);
#pragma clang loop unroll(disable)
	for (i = 0; i < CORDON_SHARES; i++) {
		struct share *s = &h->shares[i];

		if (s->origin != m->origin || s->dataset != m->dataset)
			continue;
		s->bytes = add_capped(s->bytes, e->bytes, o->read_bytes);
		h->only = HOLDING_MIXED;
		done = 1;
		break;
	}
	bpf_spin_unlock(&h->lock);
	if (done) {
		holding_swelled(m->holding);
		ledger_add(m->row, state.generation, now, 1, e->bytes, 0);
	} else {
		__sync_fetch_and_sub(&o->read_bytes, e->bytes);
	}
	return done;
}

/*
 * Judges and charges a read, whose facts are in @a. @place: of the rule; @m:
 * NULL if there was no room for one. Not static: see event_send(). Returns 0
 * or a negative errno.
 */
__noinline int read_charge(struct act *a, int place, struct memo *m)
{
	struct task_struct *task = bpf_get_current_task_btf();
	__u32 tgid = task->tgid;
	struct ledger_key key;
	struct holding *h;
	struct rule *rule;
	__u64 part = 0, window_ns = 0, hold_ns = 3600000000000ULL;
	int take, bad, r, origin;
	__u32 row;

	if (!a)
		return -EPERM;
	a->dest = CORDON_DEST_READ;
	rule = rule_at(a, place);
	take = act_enforced(a) ? TAKE_CHARGE : TAKE_FORCE;
	if (!rule || rule->read.kind == GRANT_NONE) {
		a->records = 1;
		r = act_over(a, EPERM);
		if (r)
			return r;
	}
	h = holding_make(tgid);
	if (!h) {
		r = charge_failed(a, -1, FAULT_HOLDING_FULL, EPERM);
		if (!r)
			holder_mark(tgid); /* holds, who knows how much */
		return r;
	}
	if (a->channel == CHANNEL_SPLICE && !a->final && read_noted(a, h))
		return 0;
	a->until = ~0ULL;
	if (m && !a->row && a->now < m->until && same_file(&m->file, &a->file))
		a->until = 0;
	if (rule && rule->read.kind == GRANT_LIMITED) {
		if (rule->read.bytes.window_ns) {
			limit_of(a, &rule->read.bytes, UNIT_BYTES);
			window_ns = a->window_ns;
			hold_ns = window_part_ns(window_ns);
			bad = budget_charge(a, a->bytes, take);
			part = a->part;
			r = bad ? charge_failed(a, bad, FAULT_BUDGET_FULL,
						EPERM)
				: 0;
			if (r)
				return r;
		}
		if (a->until && rule->read.records.window_ns) {
			limit_of(a, &rule->read.records, UNIT_RECORDS);
			if (window_part_ns(a->window_ns) < hold_ns)
				hold_ns = window_part_ns(a->window_ns);
			bad = records_charge(a, take);
			r = bad ? charge_failed(a, bad, FAULT_TOUCH_FULL, EPERM)
				: 0;
			if (r) {
				a->unit = UNIT_BYTES;
				a->window_ns = window_ns;
				if (window_ns)
					budget_give_back(a, part, a->bytes);
				return r;
			}
		}
	}
	origin = read_account(a, h, m);
	if (origin < 0) {
		r = charge_failed(a, -1, FAULT_TOUCH_FULL, EPERM);
		if (r)
			return r;
		origin = 0;
	}
	ledger_key_of(a, &key);
	row = ledger_row(&key, a->now);
	ledger_add(row, a->slot, a->now, 1, a->bytes, a->records);
	if (m && !a->row) {
		if (a->until)
			m->until = a->until;
		if (!origin)
			m->until = 0; /* not accounted for */
		m->file = a->file;
		m->holding = h->id;
		m->origin = origin;
		m->row = row;
		m->channel = a->channel;
		m->whole = origin && !window_ns && rule &&
			   rule->read.kind != GRANT_NONE;
	}
	if (!a->final) {
		a->part = part;
		a->window_ns = window_ns;
		read_note(a, origin, row, hold_ns);
	}
	return 0;
}

/* Would a first byte of this record be over the budget? Charges nothing. */
__noinline int read_look(struct act *a, int place)
{
	struct rule *rule;
	int bad;

	if (!a)
		return -EACCES;
	a->dest = CORDON_DEST_READ;
	a->channel = CHANNEL_OPEN;
	rule = rule_at(a, place);
	if (!act_enforced(a))
		return 0; /* the read itself will be reported */
	if (!rule || rule->read.kind == GRANT_NONE) {
		a->records = 1;
		return act_over(a, EACCES);
	}
	if (rule->read.kind != GRANT_LIMITED)
		return 0;
	if (rule->read.bytes.window_ns) {
		limit_of(a, &rule->read.bytes, UNIT_BYTES);
		bad = budget_charge(a, 1, TAKE_CHECK);
		if (bad)
			return charge_failed(a, bad, FAULT_BUDGET_FULL, EACCES);
	}
	if (rule->read.records.window_ns && !a->row) {
		limit_of(a, &rule->read.records, UNIT_RECORDS);
		bad = records_charge(a, TAKE_CHECK);
		if (bad)
			return charge_failed(a, bad, FAULT_BUDGET_FULL, EACCES);
	}
	return 0;
}

/*
 * The read is over: give back what neither it nor earlier parts of it, which
 * read @before, took.
 */
static __always_inline int read_done(void *ctx, const struct file *file,
				     int hook, int is_int, __u64 before)
{
	struct task_struct *task = bpf_get_current_task_btf();
	__u32 pid = task->pid;
	struct pending *p;
	struct holding *h;
	struct budget_key key;
	struct file_key own;
	struct origin *o;
	struct ledger *l;
	__u64 ret = 0, less, id;
	__s64 n;
	__u32 origin;

	probed(hook);
	if (!is_holder(task->tgid))
		return 0;
	p = bpf_map_lookup_elem(&pendings, &pid);
	if (!p || p->file != (__u64)file)
		return 0; /* not the read of a dataset's file */
	inode_key(BPF_CORE_READ(file, f_inode), &own);
	if (!same_file(&own, &p->key))
		return 0; /* another file, where the noted one was */
	if (bpf_get_func_ret(ctx, &ret))
		return 0;
	n = is_int ? (__s32)ret : (__s64)ret;
	/*
	 * The bytes come later; or some came before it failed, which with
	 * O_DIRECT it does not say: the bound stays.
	 */
	if (n < 0 && hook == HOOK_READV_DONE &&
	    (n != -EAGAIN || BPF_CORE_READ(file, f_flags) & O_DIRECT))
		goto out;
	if (n == -EIOCBQUEUED)
		goto out;
	if (n < 0)
		n = 0;
	if (before >= p->bytes || (__u64)n >= p->bytes - before)
		goto out;
	less = p->bytes - before - n;
	if (p->limited) {
		key = p->budget;
		budget_return(&key, p->window_ns, p->part, less);
	}
	origin = p->origin;
	id = p->holding;
	h = bpf_map_lookup_elem(&holdings, &id);
	if (h) {
		int i;

		bpf_spin_lock(&h->lock);
		for (i = 0; i < CORDON_SHARES; i++) {
			struct share *s = &h->shares[i];

			if (s->origin == origin &&
			    s->dataset == p->budget.dataset && s->bytes >= less)
				s->bytes -= less;
		}
		bpf_spin_unlock(&h->lock);
	}
	/* After the share: a cap below it would hide what others add. */
	o = bpf_map_lookup_elem(&origins, &origin);
	if (o)
		__sync_fetch_and_sub(&o->read_bytes, less);
	l = bpf_map_lookup_elem(&ledger, &p->row);
	if (l && p->row)
		__sync_fetch_and_sub(&l->bytes, less);
out:
	bpf_map_delete_elem(&pendings, &pid);
	return 0;
}

/* A file of a dataset is opened for reading. */
static __noinline int judge_open(struct file *file, struct label *l,
				 __u32 dataset, __u64 policy, int place)
{
	struct act a;

	act_begin(&a, policy, l ? l->dataset : dataset, CHANNEL_OPEN);
	if (!l)
		return charge_failed(&a, -1, FAULT_UNLABELLED, EACCES);
	file_key_of(file->f_inode, &a.file);
	a.record = l->record;
	a.name = (__u64)file->f_path.dentry->d_name.name;
	return read_look(&a, place);
}

/* It is read. */
static __noinline int judge_read(struct file *file, struct label *l,
				 struct memo *m, __u64 policy,
				 const struct extent *e)
{
	struct act a;

	act_begin(&a, policy, l->dataset, e->channel);
	file_key_of(file->f_inode, &a.file);
	a.record = l->record;
	a.name = (__u64)file->f_path.dentry->d_name.name;
	a.pos = e->pos;
	a.bytes = e->bytes;
	a.anywhere = e->anywhere;
	a.final = e->final;
	a.opened = (__u64)file;
	return read_charge(&a, e->place, m);
}

static __noinline int mmap_extent(struct file *file, struct act *a)
{
	struct task_struct *task = bpf_get_current_task_btf();
	struct pt_regs *regs = (struct pt_regs *)bpf_task_pt_regs(task);
	__u64 size = BPF_CORE_READ(file, f_inode, i_size);

	inode_key(BPF_CORE_READ(file, f_inode), &a->file);
	a->name = (__u64)BPF_CORE_READ(file, f_path.dentry, d_name.name);
	a->final = 1;
	if (regs->orig_ax == NR_mmap && !(task->thread_info.status & TS_COMPAT))
		a->pos = regs->r9;
	a->bytes = a->pos < size ? size - a->pos : 0;
	return 0;
}

/*
 * It is mapped: all of it from the offset on, for mremap(2) can grow a
 * mapping that far and no hook sees it.
 */
static __noinline int judge_mmap(struct file *file, struct label *l,
				 struct memo *m, __u64 policy, int place)
{
	struct act a;

	act_begin(&a, policy, l->dataset, CHANNEL_MMAP);
	a.record = l->record;
	mmap_extent(file, &a);
	a.opened = (__u64)file;
	return read_charge(&a, place, m);
}

/*
 * What was charged stands for a file and a place in it. What would show other
 * contents there is refused, as a read that nothing grants. @l NULL: who knows
 * which files are meant.
 */
static __noinline int refuse_moved(struct file *file, const struct label *l,
				   int place, int by_rows)
{
	struct act a;

	act_begin(&a, policy_now(), l ? l->dataset : 0, CHANNEL_OPEN);
	a.dest = CORDON_DEST_READ;
	a.name = (__u64)BPF_CORE_READ(file, f_path.dentry, d_name.name);
	a.records = 1;
	if (l) {
		rule_at(&a, place);
		if (by_rows && !a.row)
			return 0; /* all of it is one record */
		a.record = l->record;
	}
	return act_over(&a, EPERM);
}

/* ---- the agent's questions --------------------------------------------- */

static __always_inline int captured(const struct file *file,
				    const struct inode *inode)
{
	struct capture *c = &state.capture;
	struct label l;

	/* The first open is the file the agent named; overlayfs opens more. */
	if (c->ret_done)
		return 0;
	file_key_of(inode, &c->ret_key);
	exe_key_of(inode, &c->ret_exe);
	if (c->kind == CAPTURE_LABEL) {
		l = c->label;
		l.record = 0;
		label_put(&c->ret_key, &l);
	}
	c->ret_done = 1;
	return 1;
}

/* ---- hooks ------------------------------------------------------------- */

/*
 * @file lies below another, an overlay's, that users see as @seen and whose
 * open was judged a moment ago. Both get one label, whoever has it: reading
 * one is reading the other. The overlay may be the dataset; and anybody can lay
 * one of his own over a dataset's directory: then the label is lent from below,
 * until the overlay's file leaves memory.
 *
 * Returns the label if nobody has judged the open by it, or NULL; then
 * *@ret_dataset is not 0 if there was no room for it.
 */
static __noinline struct label *
label_below(struct file *file, struct dentry *seen, __u32 *ret_dataset)
{
	const struct inode *inode = file->f_inode;
	struct inode *shown = BPF_CORE_READ(seen, d_inode);
	struct label *outer = label_read(shown), *own = NULL, same;
	struct memo *m;
	struct file_key key, over;

	*ret_dataset = 0;
	m = bpf_task_storage_get(&memos, bpf_get_current_task_btf(), 0,
				 BPF_LOCAL_STORAGE_GET_F_CREATE);
	if (fs_known(inode->i_sb->s_dev)) {
		own = label_get(inode);
		if (own && own->kind != LABEL_FILE)
			own = NULL;
		/* Up to 6.4 the path is the overlay's: where that shows it. */
		if (!own && (__u64)seen != (__u64)file->f_path.dentry)
			own = label_find(inode, file->f_path.dentry,
					 ret_dataset);
	}
	/* Of a dataset, without room to say so: what is above is not quiet. */
	if (*ret_dataset && outer && is_quiet(outer->kind))
		return NULL;
	if (!own && outer &&
	    (outer->kind == LABEL_FILE || outer->kind == LABEL_QUIET)) {
		same = *outer;
		file_key_of(inode, &key);
		label_put(&key, &same);
		*ret_dataset = 0;
		return NULL;
	}
	if (!own) {
		/* An overlay below an overlay: what is below that? */
		if (m) {
			m->below = (__u64)inode;
			inode_key(shown, &m->above);
		}
		return NULL;
	}
	*ret_dataset = 0;
	if (outer && is_quiet(outer->kind))
		outer = NULL; /* nobody has judged by that */
	if (outer &&
	    (outer->dataset != own->dataset || outer->record == own->record))
		return NULL;
	same = *own;
	if (outer)
		outer->record = same.record;
	inode_key(shown, &key);
	if (!label_put(&key, &same))
		goto full;
	if (m && m->below == (__u64)shown) {
		m->below = 0;
		over = m->above;
		if (!label_put(&over, &same))
			goto full;
	}
	return own;
full:
	*ret_dataset = same.dataset;
	return NULL;
}

/* A holder leaves something beside the contents of the file. 0 or -EPERM. */
static __noinline int beside_put(const struct inode *inode)
{
	struct task_struct *task = bpf_get_current_task_btf();
	struct holding *h = holding_of(task->tgid);
	struct file_key key;

	if ((h && holding_empty(h)) || is_kernels(task) ||
	    !derived_key(inode, &key))
		return 0;
	return derived_note(&key);
}

/*
 * A holder gives something a name in @dir, which who lists it reads: all that
 * it holds, for the verifier of 7.2 follows no number that far. In those of a
 * dataset names say as little as those of its files.
 */
static __noinline int name_put(const struct inode *dir)
{
	struct label *l;

	if (!follows_names())
		return 0;
	l = label_read(dir);
	return l && is_of_dataset(l->kind) ? 0 : beside_put(dir);
}

static __always_inline int name_above(const struct dentry *dentry)
{
	return name_put(BPF_CORE_READ(dentry, d_parent, d_inode));
}

/* Nothing can be refused: see carried_off(). */
static __always_inline int name_made(const struct dentry *dentry)
{
	if (holds() && name_above(dentry))
		bpf_send_signal(SIGKILL);
	return 0;
}

/* A directory that a holder left a name in is about to be listed. */
static __noinline int name_take(const struct inode *dir)
{
	return follows_names() ? derived_take(dir, BYTES_UNKNOWN) : 0;
}

HOP(hop_mkdir, "fentry/vfs_mkdir", name_made(dentry), void *owners,
    struct inode *dir, struct dentry *dentry)

HOP(hop_mknod, "fentry/vfs_mknod", name_made(dentry), void *owners,
    struct inode *dir, struct dentry *dentry)

/* What came with the kernels whose vfs_create() has no directory any more. */
struct delegated_inode___since {
	int unused;
};

/* mknod(2) of a regular file, which no open follows. */
static __always_inline int on_vfs_create(const __u64 *ctx)
{
	if (bpf_core_type_exists(struct delegated_inode___since))
		return name_made((const struct dentry *)ctx[1]);
	return name_made((const struct dentry *)ctx[2]);
}

SEC("fentry/vfs_create")
int hop_vfs_create(__u64 *ctx)
{
	return on_vfs_create(ctx);
}

SEC("fentry/vfs_create")
int again_hop_vfs_create(__u64 *ctx)
{
	return on_vfs_create(ctx);
}

static __always_inline int on_file_open(struct file *file)
{
	struct task_struct *task = bpf_get_current_task_btf();
	const struct inode *inode = file->f_inode;
	struct dentry *seen;
	struct label *l;
	struct memo *m;
	__u32 mode, dataset = 0;
	__u64 policy;
	int same, place;

	if (!state.armed)
		return 0;
	mode = inode->i_mode & S_IFMT;
	if (state.capture.kind && state.capture.tid == (__u32)task->pid &&
	    (mode == S_IFREG || mode == S_IFDIR) && captured(file, inode))
		return 0;
	probed(HOOK_FILE_OPEN);
	if (file->f_mode & FMODE_CREATED && holds() &&
	    name_above(BPF_CORE_READ(file, f_path.dentry)))
		return -EPERM;
	if (mode == S_IFDIR)
		return label_directory(file->f_path.dentry, inode);
	if (way_opened(file, inode, mode)) {
		if (way_of(file, WAY_OPENS) == WAY_REFUSE)
			return way_refuse(file, EACCES);
		if (mode == S_IFREG && derived_write(inode, file))
			return -EPERM;
	}
	if (mode != S_IFREG)
		return 0;
	seen = backed_dentry(file);
	/* Quiet files get their labels when they come, or by the agent. */
	if (!seen && !fs_known(inode->i_sb->s_dev) &&
	    (!fs_named(inode->i_sb->s_dev) || state.agent != (__u32)task->tgid))
		return 0;
	l = seen ? label_below(file, seen, &dataset)
		 : label_find(inode, file->f_path.dentry, &dataset);
	if (!l && !dataset)
		return 0;
	if (!(file->f_mode & FMODE_READ) || state.agent == (__u32)task->tgid)
		return 0;
	policy = policy_now();
	m = memo_of(policy, &same);
	if (same && memo_grants(m, inode))
		return 0;
	place = memo_place(m, same, policy, l ? l->dataset : dataset);
	/* A server in the kernel, whose reads and answers nobody asks about. */
	if (l && task->flags & PF_KTHREAD)
		return refuse_moved(file, l, place, 0);
	return judge_open(file, l, dataset, policy, place);
}

/* ---- contents that move ------------------------------------------------ */

/* fallocate(2) can take rows out, or put some between, and so move others. */
static __always_inline int moves_rows(__u64 mode)
{
	return mode & (FALLOC_FL_COLLAPSE_RANGE | FALLOC_FL_INSERT_RANGE);
}

/* The system call under way, which asks to write to @file: is it one that
 * moves its rows, or that compares it with a guess (FIDEDUPERANGE)? */
enum written { WRITTEN_PLAIN, WRITTEN_MOVED, WRITTEN_COMPARED };

static __noinline int written_how(const struct file *file)
{
	struct task_struct *task = bpf_get_current_task_btf();
	struct pt_regs *regs = (struct pt_regs *)bpf_task_pt_regs(task);
	__u64 nr = regs->orig_ax & ~X32_SYSCALL_BIT, second = regs->si;
	int ia32 = task->thread_info.status & TS_COMPAT;
	struct memo *m;

	/* Of io_uring's the registers do not tell. */
	m = bpf_task_storage_get(&memos, task, 0, 0);
	if (m && m->moved == (__u64)file) {
		m->moved = 0;
		return WRITTEN_MOVED;
	}
	if (task->flags & PF_WORKERS)
		return WRITTEN_PLAIN;
	if (ia32)
		second = regs->cx;
	if (nr == (ia32 ? NR_ia32_fallocate : NR_fallocate))
		return moves_rows(second) ? WRITTEN_MOVED : WRITTEN_PLAIN;
	if ((nr == (ia32 ? NR_ia32_ioctl : NR_ioctl) || nr == NR_x32_ioctl) &&
	    IOC_TYPE_NR(second) == FIDEDUPERANGE_NR)
		return WRITTEN_COMPARED;
	return WRITTEN_PLAIN;
}

static __noinline int on_file_written(struct file *file)
{
	struct task_struct *task = bpf_get_current_task_btf();
	struct label *l;
	int how;

	if (state.agent == (__u32)task->tgid)
		return 0;
	how = written_how(file);
	if (how == WRITTEN_PLAIN)
		return 0;
	l = label_get(file->f_inode);
	if (!l || l->kind != LABEL_FILE)
		return 0;
	return refuse_moved(file, l, rule_place_now(policy_now(), l->dataset),
			    how == WRITTEN_MOVED);
}

/*
 * Remembered with the thread and in no table: what fails before it is asked for
 * leaves this behind, and whoever has a file open can make it fail.
 */
SEC("fentry/vfs_fallocate")
int BPF_PROG(fentry_vfs_fallocate, struct file *file, int mode)
{
	struct label *l;
	struct memo *m;

	if (!state.armed || !moves_rows(mode))
		return 0;
	l = label_read(BPF_CORE_READ(file, f_inode));
	if (!l || l->kind != LABEL_FILE)
		return 0;
	m = bpf_task_storage_get(&memos, bpf_get_current_task_btf(), 0,
				 BPF_LOCAL_STORAGE_GET_F_CREATE);
	if (m)
		m->moved = (__u64)file;
	else
		bpf_send_signal(SIGKILL);
	return 0;
}

/*
 * read(2) goes by the position as it is when it begins, and takes no lock while
 * nobody else has the file open. pidfd_getfd(2) is the one way to come by it
 * after that, and to move the position before the guard looks at it.
 */
static __always_inline int on_file_receive(struct file *file)
{
	struct task_struct *task = bpf_get_current_task_btf();
	struct pt_regs *regs = (struct pt_regs *)bpf_task_pt_regs(task);
	struct label *l;

	if (!state.armed ||
	    (regs->orig_ax & ~X32_SYSCALL_BIT) != NR_pidfd_getfd)
		return 0;
	probed(HOOK_FILE_RECEIVE);
	l = label_read(BPF_CORE_READ(file, f_inode));
	if (!l || l->kind != LABEL_FILE || state.agent == (__u32)task->tgid)
		return 0;
	return refuse_moved(file, l, rule_place_now(policy_now(), l->dataset),
			    0);
}

/*
 * Commands that exchange the contents of two files. (EXT4_IOC_MOVE_EXT leaves
 * holes in the other file, and shows nothing.) One of them need not be
 * @file: they are named in memory that can change meanwhile. So on a file
 * system with a dataset, or with a file that a holder wrote, nobody may,
 * whichever the files are.
 */
static __always_inline int exchanges(__u32 cmd)
{
	cmd = IOC_TYPE_NR(cmd);
	return cmd == EXT4_IOC_SWAP_BOOT_NR || cmd == XFS_IOC_SWAPEXT_NR ||
	       cmd == XFS_IOC_EXCHANGE_NR || cmd == XFS_IOC_COMMIT_NR;
}

static __always_inline int on_file_ioctl(struct file *file, __u32 cmd)
{
	struct task_struct *task;
	const struct inode *inode;

	if ((!exchanges(cmd) && !sets_loop(cmd) && IOC_TYPE(cmd) != UFFDIO) ||
	    !state.armed)
		return 0;
	probed(HOOK_FILE_IOCTL);
	if (IOC_TYPE(cmd) == UFFDIO)
		return on_userfault(file);
	inode = file->f_inode;
	if (sets_loop(cmd))
		return on_loop_set(file);
	if ((inode->i_mode & S_IFMT) != S_IFREG ||
	    (!fs_known(inode->i_sb->s_dev) &&
	     !state.fs_written[fs_place(inode->i_sb->s_dev)]))
		return 0;
	task = bpf_get_current_task_btf();
	if (state.agent == (__u32)task->tgid)
		return 0;
	return refuse_moved(file, NULL, -1, 0);
}

/* It is a quiet one of this @number: see quiet_takes(). */
static __noinline int quiet_written(const struct file *file, __u32 number)
{
	struct file_key key;

	file_key_of(file->f_inode, &key);
	return quiet_takes(
		&key, number, written_most(),
		(__u64)BPF_CORE_READ(file, f_path.dentry, d_name.name));
}

/* As derived_write(). Of an overlay the file below is asked about next. */
static __noinline int on_holder_writes(const struct file *file)
{
	struct task_struct *task = bpf_get_current_task_btf();
	struct holding *h = holding_of(task->tgid);
	const struct inode *inode = file->f_inode;
	const struct super_block *sb = inode->i_sb;
	struct file_key key;
	__u64 object;
	struct label *l;

	if (!follows_files() || (h && holding_empty(h)) || is_kernels(task))
		return 0;
	if (sb->s_magic == OVERLAYFS_SUPER_MAGIC ||
	    !keeps_bytes(sb->s_magic, sb->s_iflags))
		return 0;
	if (fs_named(sb->s_dev)) {
		l = label_get(inode);
		if (l && (l->kind == LABEL_FILE ||
			  (l->kind == LABEL_QUIET &&
			   quiet_written(file, l->dataset))))
			return 0;
	}
	/*
	 * Who has its memory needs no other call to get what is written. The
	 * address is read once more: 7.2 takes no pointer for a number.
	 */
	if (state.commons) {
		object = (__u64)BPF_CORE_READ(file, f_inode);
		if (bpf_map_lookup_elem(&shared, &object) &&
		    commons_join(object))
			return -EPERM;
	}
	file_key_of(inode, &key);
	return derived_note_bytes(&key, narrow_now() ? written_most()
						     : BYTES_UNKNOWN);
}

/*
 * A file that may carry is about to be read. Not inline, and no larger than
 * this: file_permission has no stack to give away.
 */
static __noinline int derived_read(struct file *file)
{
	const struct inode *inode = file->f_inode;
	struct extent e;

	if (!follows_files())
		return 0;
	read_extent(file, inode->i_size, &e);
	return derived_take(inode, e.bytes);
}

/*
 * A holder writes to @file, or maps it to write to it later: does that leave?
 * Inline: there is no room to ask from further down who it is. 0 or -EPERM.
 */
static __always_inline int on_way(struct file *file, int how)
{
	int way = way_of(file, how);
	struct memo *m;
	__u64 policy;

	if (way == WAY_REFUSE)
		return way_refuse(file, EPERM);
	if (way != WAY_JUDGE)
		return 0;
	policy = policy_now();
	m = way_who(policy);
	return way_judge(file, how, policy, m);
}

static __always_inline int on_file_permission(struct file *file, int mask)
{
	struct task_struct *task;
	struct extent e;
	struct inode *inode;
	struct label *l;
	struct memo *m;
	__u64 policy;
	__u32 mode, dev;
	int same;

	if (!state.armed)
		return 0;
	inode = file->f_inode;
	mode = inode->i_mode & S_IFMT;
	if (mode != S_IFREG) {
		if (mode == S_IFIFO)
			return on_pipe_permission(inode, mask);
		if (mode == S_IFSOCK)
			return on_socket_permission(inode, mask);
		if (mode == S_IFDIR && mask & MAY_READ &&
		    derived_possible(inode->i_ino, inode->i_sb->s_dev))
			return name_take(inode);
		if (mode != S_IFCHR && mode != S_IFBLK)
			return 0;
	}
	dev = inode->i_sb->s_dev;
	if (mask & MAY_WRITE && holds()) {
		if (way_possible(mode, inode->i_rdev, dev,
				 inode->i_sb->s_magic) &&
		    on_way(file, WAY_WRITES))
			return -EPERM;
		if (mode == S_IFREG && on_holder_writes(file))
			return -EPERM;
	}
	if (mode != S_IFREG)
		return 0;
	if (!state.fs[fs_place(dev)].any)
		return 0;
	if (mask & MAY_READ && derived_possible(inode->i_ino, dev) &&
	    derived_read(file))
		return -EPERM;
	if (!fs_known(dev) || !label_possible(inode->i_ino, dev))
		return 0;
	if (!(mask & MAY_READ))
		return on_file_written(file);
	task = bpf_get_current_task_btf();
	if (state.agent == (__u32)task->tgid) {
		probed(HOOK_FILE_PERMISSION);
		return 0;
	}
	policy = policy_now();
	m = memo_of(policy, &same);
	read_extent(file, inode->i_size, &e);
	if (same && memo_is_of(m, inode) && read_more(m, &e))
		return 0;
	l = label_get(inode);
	if (!l || l->kind != LABEL_FILE)
		return 0;
	if (is_backed(file)) {
		if (label_is_shown(file, l))
			return 0; /* charged at the overlay's file */
		/* The position is kept there too. */
		e.final = 1;
		e.anywhere = 1;
		e.pos = inode->i_size;
	}
	commons_begin_now();
	e.place = memo_place(m, same, policy, l->dataset);
	return judge_read(file, l, m, policy, &e);
}

/*
 * The memory of @file is mapped: whoever maps it shares what is written there.
 * Who may not write is left out, but in memory, where nobody else's caches are:
 * hosts have databases that everybody reads and one daemon writes. io_uring's
 * rings are no files: that a child shares them is a known gap.
 */
static __noinline int mmap_shared(struct file *file)
{
	struct task_struct *task = bpf_get_current_task_btf();
	const struct inode *inode;
	__u32 mode, magic;

	if (is_kernels(task))
		return 0;
	if (commons_pair_vfork())
		return -EPERM;
	/* Anonymous memory: both tests, as in on_mmap_file(). */
	if (!file)
		return commons_join(0);
	inode = inode_of(file);
	if (!inode)
		return commons_join(0);
	mode = BPF_CORE_READ(inode, i_mode) & S_IFMT;
	if (mode == S_IFCHR && BPF_CORE_READ(inode, i_rdev) == ZERO_DEVICE)
		return commons_join(0);
	magic = BPF_CORE_READ(inode, i_sb, s_magic);
	if (mode != S_IFREG || magic == ANON_INODE_FS_MAGIC)
		return 0;
	if (!(BPF_CORE_READ(file, f_mode) & FMODE_WRITE) &&
	    magic != TMPFS_MAGIC && magic != HUGETLBFS_MAGIC &&
	    magic != RAMFS_MAGIC)
		return 0;
	if (commons_join((__u64)inode))
		return -EPERM;
	return is_holder(task->tgid) &&
			       BPF_CORE_READ(file, f_mode) & FMODE_WRITE
		       ? derived_write(inode, file)
		       : 0;
}

/* The memory of @file is mapped: all of it can be read from then on. */
static __noinline int mmap_derived(const struct file *file)
{
	const struct inode *inode;

	if (!follows_files())
		return 0;
	inode = inode_of(file);
	if (!derived_possible(BPF_CORE_READ(inode, i_ino),
			      BPF_CORE_READ(inode, i_sb, s_dev)))
		return 0;
	return derived_take(inode, BPF_CORE_READ(inode, i_size));
}

static __always_inline int on_mmap_file(struct file *file, __u64 flags)
{
	struct task_struct *task;
	const struct inode *inode;
	struct label *l;
	struct memo *m;
	__u64 policy, ino;
	__u32 dev;
	int same, place;

	if (!state.armed)
		return 0;
	/* MAP_SHARED or MAP_SHARED_VALIDATE. */
	if (flags & MAP_SHARED && mmap_shared(file))
		return -EPERM;
	/* 6.12's JIT drops other forms of this test: anonymous memory. */
	if (!file)
		return 0;
	inode = BPF_CORE_READ(file, f_inode);
	if (!inode)
		return 0;
	probed(HOOK_MMAP_FILE);
	if (flags & MAP_SHARED && holds() && on_way(file, WAY_MAPS))
		return -EPERM;
	dev = BPF_CORE_READ(inode, i_sb, s_dev);
	ino = BPF_CORE_READ(inode, i_ino);
	/* A file system of no device may be an overlay. */
	if ((derived_possible(ino, dev) || !(dev >> 20)) && mmap_derived(file))
		return -EPERM;
	if (!fs_known(dev) || !label_possible(ino, dev))
		return 0;
	l = label_read(inode);
	if (!l || l->kind != LABEL_FILE)
		return 0;
	task = bpf_get_current_task_btf();
	if (state.agent == (__u32)task->tgid)
		return 0;
	commons_begin_now();
	policy = policy_now();
	m = memo_of(policy, &same);
	place = memo_place(m, same, policy, l->dataset);
	return judge_mmap(file, l, m, policy, place);
}

/* There is no room to label what is about to leave: it would be nobody's. */
static __noinline int refuse_unlabelled(__u32 dataset)
{
	struct act a;

	act_begin(&a, policy_now(), dataset, CHANNEL_OPEN);
	return act_fault(&a, FAULT_UNLABELLED) ? -EPERM : 0;
}

/* A second name. The one in the dataset may not have been seen yet. */
static __always_inline int on_inode_link(struct dentry *old,
					 const struct inode *dir)
{
	const struct inode *inode = old->d_inode;
	__u32 dataset;

	if (!state.armed || !inode)
		return 0;
	probed(HOOK_INODE_LINK);
	if (holds() && name_put(dir))
		return -EPERM;
	if ((inode->i_mode & S_IFMT) != S_IFREG ||
	    !fs_named(inode->i_sb->s_dev))
		return 0;
	if (!label_find(inode, old, &dataset) && dataset)
		return refuse_unlabelled(dataset);
	return 0;
}

/* @dentry's object is about to stand in @dir under another name. */
static __always_inline int renamed(struct dentry *dentry, struct dentry *to)
{
	const struct inode *inode = dentry->d_inode;
	struct label l = {}, *old;
	struct file_key key;
	__u32 mode, above, into;
	int full;

	if (!inode || !fs_named(inode->i_sb->s_dev))
		return 0;
	mode = inode->i_mode & S_IFMT;
	if (mode != S_IFREG && mode != S_IFDIR)
		return 0;
	into = label_awaited(to, inode, &full);
	if (into)
		return full ? refuse_unlabelled(into) : 0;
	old = label_get(inode);
	if (old && is_of_dataset(old->kind))
		return 0;
	/* Out of a dataset or into one: the label goes with the object. */
	above = dataset_above(dentry);
	if (!above || above & ABOVE_QUIET) {
		into = dataset_above(to);
		if (!above || (into && !(into & ABOVE_QUIET)))
			above = into;
	}
	if (!above)
		return 0;
	label_set(&l, above, mode == S_IFDIR);
	file_key_of(inode, &key);
	if (label_put(&key, &l) || above & ABOVE_QUIET)
		return 0;
	return refuse_unlabelled(l.dataset);
}

/* Two that change places are asked about one by one: see guard.bpf.c. */
static __always_inline int
on_inode_rename(struct dentry *old, const struct inode *dir, struct dentry *new)
{
	if (!state.armed)
		return 0;
	probed(HOOK_INODE_RENAME);
	if (holds() && name_put(dir))
		return -EPERM;
	notice(old);
	notice(new);
	return renamed(old, new);
}

/* ---- beside the contents ----------------------------------------------- */

/* What a process may write and read there; the kernel's own have their form. */
static __noinline int is_attribute(const char *name)
{
	char text[sizeof("trusted.")] = {};

	if (bpf_probe_read_kernel_str(text, sizeof(text), name) < 0)
		return 0;
	return !bpf_strncmp(text, sizeof("user.") - 1, "user.") ||
	       !bpf_strncmp(text, sizeof("trusted.") - 1, "trusted.");
}

static __noinline int beside_take(const struct inode *inode, __u64 bytes)
{
	return follows_files() ? derived_take(inode, bytes) : 0;
}

static __always_inline int on_inode_setxattr(struct dentry *dentry,
					     const char *name)
{
	const struct inode *inode = dentry->d_inode;

	if (!state.armed || !inode)
		return 0;
	probed(HOOK_INODE_SETXATTR);
	return holds() && is_attribute(name) ? beside_put(inode) : 0;
}

static __always_inline int on_inode_getxattr(struct dentry *dentry,
					     const char *name)
{
	const struct inode *inode = dentry->d_inode;

	if (!state.armed || !inode)
		return 0;
	probed(HOOK_INODE_GETXATTR);
	if (!derived_possible(inode->i_ino, inode->i_sb->s_dev) ||
	    !is_attribute(name))
		return 0;
	return beside_take(inode, XATTR_SIZE_MAX);
}

/* Which file it is, fentry_d_instantiate() is told. */
static __always_inline int on_inode_symlink(const struct inode *dir,
					    struct dentry *dentry)
{
	struct memo *m;

	if (!state.armed)
		return 0;
	probed(HOOK_INODE_SYMLINK);
	if (!holds() || !follows_files())
		return 0;
	if (name_put(dir))
		return -EPERM;
	m = bpf_task_storage_get(&memos, bpf_get_current_task_btf(), 0,
				 BPF_LOCAL_STORAGE_GET_F_CREATE);
	if (m)
		m->link = (__u64)dentry;
	return 0;
}

/* The link is there: where there is no room for what it carries, it is lost. */
static __noinline int linked(const struct dentry *dentry,
			     const struct inode *inode)
{
	struct memo *m =
		bpf_task_storage_get(&memos, bpf_get_current_task_btf(), 0, 0);

	if (m && m->link == (__u64)dentry) {
		m->link = 0;
		beside_put(inode);
	}
	return 0;
}

static __always_inline int on_inode_readlink(struct dentry *dentry)
{
	const struct inode *inode = dentry->d_inode;

	if (!state.armed || !inode)
		return 0;
	probed(HOOK_INODE_READLINK);
	if (!derived_possible(inode->i_ino, inode->i_sb->s_dev))
		return 0;
	return beside_take(inode, inode->i_size);
}

SEC("fentry/security_d_instantiate")
int BPF_PROG(fentry_d_instantiate, struct dentry *dentry, struct inode *inode)
{
	const struct dentry *named = dentry;
	struct label *l;
	__u32 mode, dataset;
	int full;

	if (!state.armed || !inode)
		return 0;
	probed(HOOK_D_INSTANTIATE);
	notice(named);
	mode = inode->i_mode & S_IFMT;
	if (mode == S_IFLNK) {
		if (holds())
			linked(dentry, inode);
		return 0;
	}
	if (!fs_named(inode->i_sb->s_dev))
		return 0;
	if (mode != S_IFREG && mode != S_IFDIR)
		return 0;
	if (label_awaited(named, inode, &full))
		return 0;
	if (mode == S_IFDIR)
		return label_directory(named, inode);
	l = label_find(inode, named, &dataset);
	(void)l; /* no room is counted, and the open will be refused */
	return 0;
}

SEC("fentry/security_inode_free")
int BPF_PROG(fentry_inode_free, struct inode *inode)
{
	struct file_key key;
	struct label *l;
	__u64 magic;
	int gone;

	if (!state.armed)
		return 0;
	probed(HOOK_INODE_FREE);
	/*
	 * Leaving memory is not the end of a file; losing its last name is. But
	 * in memory alone are the files of tmpfs, and who an overlay's are.
	 */
	magic = inode->i_sb->s_magic;
	gone = !inode->i_nlink || magic == TMPFS_MAGIC ||
	       file_tells(inode, inode->i_mode, magic);
	if (derived_possible(inode->i_ino, inode->i_sb->s_dev)) {
		if (gone)
			derived_end(inode);
		else
			derived_keep(inode);
		shared_drop(inode);
	}
	if (may_carry(inode))
		carried_end(inode);
	if (!gone)
		return 0;
	l = label_get(inode);
	if (!l)
		return 0;
	file_key_of(inode, &key);
	bpf_map_delete_elem(&labels, &key);
	return 0;
}

#define READ_DONE(function, hook)                                           \
	SEC("fexit/" #function)                                             \
	int fexit_##function(__u64 *ctx)                                    \
	{                                                                   \
		return read_done(ctx, (const struct file *)ctx[0], hook, 0, \
				 0);                                        \
	}

READ_DONE(vfs_readv, HOOK_READV_DONE)
READ_DONE(splice_file_to_pipe, HOOK_SPLICE_DONE)
READ_DONE(splice_direct_to_actor, HOOK_SPLICE_DONE)
READ_DONE(vfs_copy_file_range, HOOK_COPY_DONE)
READ_DONE(vfs_clone_file_range, HOOK_COPY_DONE)

/*
 * Where a file ends before the buffer does, io_uring reads on: it returns the
 * 0 of the end, or asks to be run again (-EAGAIN), and what the parts before
 * took stands in the request alone.
 */
SEC("fexit/__io_read")
int fexit___io_read(__u64 *ctx)
{
	struct io_kiocb *req = (struct io_kiocb *)ctx[0];
	struct io_async_rw *rw = BPF_CORE_READ(req, async_data);
	__u64 before = 0;

	if (!bpf_core_field_exists(rw->bytes_done))
		before = ~0ULL; /* unknown: the bound stays */
	else if (rw)
		before = BPF_CORE_READ(rw, bytes_done);
	return read_done(ctx, BPF_CORE_READ(req, file), HOOK_READV_DONE, 1,
			 before);
}
