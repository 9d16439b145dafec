/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * files.bpf.c - reads of a dataset's files, and the labels that follow them.
 *
 *   file_open            labels, looks whether a first byte could be read
 *   file_permission      charges a read before its bytes move
 *   mmap_file            charges what a mapping can show
 *   vfs_readv, __io_read, splice_*, vfs_copy_file_range (on return)
 *                        correct the charges whose length is known only then
 *   d_instantiate, inode_link, inode_rename, inode_free
 *                        keep the labels true
 *
 * Exact: read and pread, from their arguments; readv, preadv, preadv2,
 * sendfile, splice, copy_file_range and io_uring, on return. An upper bound
 * (from the position to the end of the file): mappings, which mremap(2) grows
 * unseen; AIO and io_uring with O_DIRECT, which end in an interrupt; exec.
 */

/* One read of a dataset's file, as the gate sees it. */
struct read {
	struct file_key key;
	__u64 file; /* address */
	__u64 pos;
	__u64 bytes;
	__u64 size;
	__u32 record;
	__u32 exact;
};

static __always_inline struct rows rows_of(const struct dataset_rules *d,
					   const struct read *r)
{
	struct rows rows = {};

	rows.key.record = r->record;
	rows.count = 1;
	if (d->record_bytes) {
		rows.first = rows_first(r->pos, d->record_bytes);
		rows.count = rows_count(r->pos, r->bytes, d->record_bytes);
		if (!rows.count)
			rows.count = 1;
	}
	return rows;
}

/*
 * Charges the records of a read to the rule's budget. Returns 0, or 1 if
 * there is no room, or -1 if something could not be stored.
 */
static __noinline int records_charge(struct act *a, struct rows *rows,
				     const struct limit *limit, int take,
				     __u64 *ret_until)
{
	__u64 part_ns = limit->window_ns / WINDOW_PARTS, fresh, now_part;
	struct budget_key key;
	struct budget *b;
	__u64 part;
	int room;

	budget_key_of(a, UNIT_RECORDS, &key);
	b = budget_get(&key);
	if (!b)
		return -1;
	if (!part_ns)
		part_ns = 1;
	now_part = a->now / part_ns;
	rows->key.kind = SCOPE_BUDGET;
	rows->key.scope = b->serial;
	rows->since = now_part < WINDOW_PARTS ? 0 : now_part - WINDOW_PARTS;
	rows_touch(rows, 0);
	fresh = rows->fresh;
	a->unit = UNIT_RECORDS;
	a->records = fresh;
	if (!fresh)
		return 0;
	room = budget_take(a, b, limit, fresh, take);
	part = a->part;
	if (!room && take != TAKE_FORCE) {
		/* Another thread may have been charged for them meanwhile. */
		rows_touch(rows, 0);
		return rows->fresh != 0;
	}
	if (take == TAKE_CHECK)
		return 0;
	rows->part = part;
	rows_touch(rows, 1);
	if (rows->fresh < fresh)
		budget_give_back(b, part, fresh - rows->fresh);
	if (rows->full)
		return -1;
	*ret_until = (part + WINDOW_PARTS) * part_ns;
	return room ? 0 : 1;
}

/* Grows what the origin read and what the process holds. */
static __noinline int read_account(struct act *a, struct holding *h,
				   struct rows *rows, struct read *r,
				   __u32 *ret_origin)
{
	struct origin *o;
	__u32 number;
	__u64 records, cap_bytes, cap_records;

	o = origin_get(a, &number);
	if (!o)
		return -1;
	a->origin = o->serial;
	*ret_origin = number;
	records = rows->count;
	rows->key.kind = SCOPE_ORIGIN;
	rows->key.scope = o->serial;
	rows->since = 0;
	rows->part = 1;
	rows_touch(rows, 1);
	if (rows->full)
		return -1;
	a->records = rows->fresh;
	if (rows->fresh)
		__sync_fetch_and_add(&o->read_records, rows->fresh);
	__sync_fetch_and_add(&o->read_bytes, r->bytes);
	cap_bytes = o->read_bytes;
	cap_records = o->read_records;

	bpf_spin_lock(&h->lock);
	share_add(h, number, a->dataset, r->bytes, records, cap_bytes,
		  cap_records);
	bpf_spin_unlock(&h->lock);
	return 0;
}

/* Files as records: was this one the last, and is it still paid for? */
static __always_inline int read_again(struct holding *h, const struct act *a,
				      const struct read *r)
{
	int again;

	bpf_spin_lock(&h->lock);
	again = h->last_policy == a->policy && a->now < h->last_until &&
		h->last_file.ino == r->key.ino &&
		h->last_file.dev == r->key.dev &&
		h->last_file.generation == r->key.generation;
	bpf_spin_unlock(&h->lock);
	return again;
}

static __always_inline void read_remember(struct holding *h,
					  const struct act *a,
					  const struct read *r, __u64 until)
{
	bpf_spin_lock(&h->lock);
	h->last_file = r->key;
	h->last_until = until;
	h->last_policy = a->policy;
	bpf_spin_unlock(&h->lock);
}

/*
 * Judges and charges a read. Returns 0 or a negative errno. What a read was
 * charged beyond what it will turn out to be is noted for read_done().
 */
static __noinline int read_charge(struct act *a, struct read *r)
{
	struct task_struct *task = bpf_get_current_task_btf();
	__u32 pid = task->pid, tgid = task->tgid;
	struct dataset_rules *d = dataset_of(a);
	struct limit limit_bytes, limit_records;
	struct subject_set set;
	struct pending p = {};
	struct holding *h;
	struct budget *b;
	struct rule *rule;
	struct rows rows;
	struct pending *before;
	__u64 until = ~0ULL;
	__u32 kind = GRANT_NONE, origin = 0;
	int take = TAKE_CHARGE, over = 0, charged = 0, bad;

	if (!d)
		return act_fault(a, FAULT_UNREADABLE) ? -EPERM : 0;
	a->record = r->record;
	a->bytes = r->bytes;
	a->dest = CORDON_DEST_READ;
	limit_bytes.window_ns = 0;
	limit_records.window_ns = 0;
	subjects_of(a, &set);
	rule = rule_of(a, d, &set);
	if (rule) {
		kind = rule->read.kind;
		limit_bytes = rule->read.bytes;
		limit_records = rule->read.records;
	}
	if (!act_enforced(a))
		take = TAKE_FORCE;
	if (kind == GRANT_NONE) {
		a->unit = UNIT_RECORDS;
		a->records = 1;
		bad = act_over(a, EPERM);
		if (bad)
			return bad;
	}

	h = holding_make(tgid);
	if (!h) {
		if (act_fault(a, FAULT_HOLDING_FULL))
			return -EPERM;
		/* Not denied: then whatever it sends counts as unknown. */
		holder_mark(tgid);
		return 0;
	}

	/* The kernel asks more than once for one sendfile or splice. */
	before = NULL;
	if (!r->exact) {
		before = bpf_map_lookup_elem(&pendings, &pid);
		if (before && (before->file != r->file ||
			       before->bytes < r->bytes))
			before = NULL;
	}
	if (before)
		return 0;

	if (kind == GRANT_LIMITED && limit_bytes.window_ns) {
		budget_key_of(a, UNIT_BYTES, &p.budget);
		b = budget_get(&p.budget);
		if (!b)
			return act_fault(a, FAULT_BUDGET_FULL) ? -EPERM : 0;
		a->unit = UNIT_BYTES;
		charged = 1;
		p.window_ns = limit_bytes.window_ns;
		bad = !budget_take(a, b, &limit_bytes, r->bytes, take);
		p.part = a->part;
		if (bad) {
			over = act_over(a, EPERM);
			if (over)
				return over;
		}
	}

	rows = rows_of(d, r);
	if (!d->record_bytes && read_again(h, a, r)) {
		/* Nothing new: only the bytes count. */
		struct origin *o;
		struct ledger_key key;

		o = origin_get(a, &origin);
		if (!o)
			return act_fault(a, FAULT_ORIGIN_FULL) ? -EPERM : 0;
		__sync_fetch_and_add(&o->read_bytes, r->bytes);
		a->origin = o->serial;
		bpf_spin_lock(&h->lock);
		share_add(h, origin, a->dataset, r->bytes, 0, o->read_bytes,
			  o->read_records);
		bpf_spin_unlock(&h->lock);
		ledger_key_of(a, &key);
		ledger_add(&key, a->now, 1, r->bytes, 0);
		p.ledger = key;
		goto note;
	}
	if (kind == GRANT_LIMITED && limit_records.window_ns) {
		bad = records_charge(a, &rows, &limit_records, take, &until);
		if (bad) {
			if (bad < 0)
				over = act_fault(a, FAULT_TOUCH_FULL) ? -EPERM
								      : 0;
			else
				over = act_over(a, EPERM);
			if (over) {
				if (charged) {
					b = budget_get(&p.budget);
					if (b)
						budget_give_back(b, p.part,
								 r->bytes);
				}
				return over;
			}
		}
	}
	if (read_account(a, h, &rows, r, &origin)) {
		if (act_fault(a, FAULT_TOUCH_FULL))
			return -EPERM;
	}
	if (!d->record_bytes)
		read_remember(h, a, r, until);
	ledger_key_of(a, &p.ledger);
	ledger_add(&p.ledger, a->now, 1, r->bytes, a->records);
note:
	if (!r->exact) {
		struct process *own = bpf_map_lookup_elem(&processes, &tgid);

		p.file = r->file;
		p.bytes = r->bytes;
		p.origin = origin;
		p.limited = charged;
		if (own)
			p.holding = own->holding;
		/* Without a note the read stays charged at its upper bound. */
		bpf_map_update_elem(&pendings, &pid, &p, BPF_ANY);
	}
	return 0;
}

/* The read is over: give back what it did not take. */
static __always_inline int read_done(void *ctx, int hook, int is_int)
{
	struct task_struct *task = bpf_get_current_task_btf();
	__u32 pid = task->pid;
	struct pending *p;
	struct holding *h;
	struct origin *o;
	struct budget *b;
	struct ledger *l;
	__u64 ret = 0, less, id;
	__s64 n;
	__u32 origin;

	probed(hook);
	if (!is_holder(task->tgid))
		return 0;
	p = bpf_map_lookup_elem(&pendings, &pid);
	if (!p)
		return 0;
	if (bpf_get_func_ret(ctx, &ret))
		return 0;
	n = is_int ? (__s32)ret : (__s64)ret;
	if (n == -EIOCBQUEUED)
		goto out; /* the bytes come later: the bound stays */
	if (n < 0)
		n = 0;
	if ((__u64)n >= p->bytes)
		goto out;
	less = p->bytes - n;
	if (p->limited) {
		b = bpf_map_lookup_elem(&budgets, &p->budget);
		if (b)
			budget_give_back(b, p->part, less);
	}
	origin = p->origin;
	o = bpf_map_lookup_elem(&origins, &origin);
	if (o)
		__sync_fetch_and_sub(&o->read_bytes, less);
	id = p->holding;
	h = bpf_map_lookup_elem(&holdings, &id);
	if (h) {
		int i;

		bpf_spin_lock(&h->lock);
		for (i = 0; i < CORDON_SHARES; i++) {
			struct share *s = &h->shares[i];

			if (s->origin == origin &&
			    s->dataset == p->budget.dataset &&
			    s->bytes >= less)
				s->bytes -= less;
		}
		bpf_spin_unlock(&h->lock);
	}
	l = bpf_map_lookup_elem(&ledger, &p->ledger);
	if (l)
		__sync_fetch_and_sub(&l->bytes, less);
out:
	bpf_map_delete_elem(&pendings, &pid);
	return 0;
}

/*
 * How many bytes the system call under way can read from @file, and from
 * where. What other threads could change after us (an iovec, an offset in
 * memory) is not believed.
 */
static __always_inline void read_extent(const struct file *file,
					struct read *r, struct act *a)
{
	struct task_struct *task = bpf_get_current_task_btf();
	struct pt_regs *regs = (struct pt_regs *)bpf_task_pt_regs(task);
	__u64 nr = regs->orig_ax, count = MAX_RW_COUNT;
	__u64 pos = file->f_pos;

	a->channel = CHANNEL_READ;
	r->exact = 0;
	if (task->flags & PF_WORKERS || task->io_uring) {
		/*
		 * io_uring runs reads in workers, whose registers are copies,
		 * and at the end of unrelated system calls.
		 */
		a->channel = CHANNEL_URING;
		pos = 0;
	} else if (task->thread_info.status & TS_COMPAT) {
		pos = 0;
	} else if (nr == NR_read) {
		count = regs->dx;
		r->exact = 1;
	} else if (nr == NR_pread64) {
		count = regs->dx;
		pos = regs->r10;
		r->exact = 1;
	} else if (nr == NR_readv) {
		a->channel = CHANNEL_READ;
	} else if (nr == NR_preadv) {
		pos = regs->r10;
	} else if (nr == NR_preadv2) {
		if (regs->r10 != ~0ULL)
			pos = regs->r10;
	} else if (nr == NR_sendfile) {
		a->channel = CHANNEL_SPLICE;
		count = regs->r10;
		if (regs->dx)
			pos = 0;
	} else if (nr == NR_splice) {
		a->channel = CHANNEL_SPLICE;
		count = regs->r8;
		if (regs->si)
			pos = 0;
	} else if (nr == NR_copy_file_range) {
		a->channel = CHANNEL_SPLICE;
		count = regs->r8;
		if (regs->si)
			pos = 0;
	} else if (nr == NR_execve || nr == NR_execveat) {
		a->channel = CHANNEL_EXEC;
		pos = 0;
	} else if (nr == NR_io_submit) {
		a->channel = CHANNEL_AIO;
		pos = 0;
	} else {
		/* ioctl(FICLONE), and what may come. */
		a->channel = CHANNEL_SPLICE;
		pos = 0;
	}
	if (count > MAX_RW_COUNT)
		count = MAX_RW_COUNT;
	r->pos = pos;
	if (pos >= r->size)
		r->bytes = 0;
	else
		r->bytes = count < r->size - pos ? count : r->size - pos;
}

static __always_inline void read_facts(const struct file *file,
				       const struct inode *inode,
				       const struct label *l, struct read *r,
				       struct act *a)
{
	file_key_of(inode, &r->key);
	r->file = (__u64)file;
	r->size = inode->i_size;
	r->record = l->record;
	a->name = (__u64)file->f_path.dentry->d_name.name;
}

/* Would a first byte of this record be over the budget? Charges nothing. */
static __noinline int read_look(struct act *a, struct read *r)
{
	struct dataset_rules *d = dataset_of(a);
	struct limit limit_bytes, limit_records;
	struct budget_key key;
	struct subject_set set;
	struct budget *b;
	struct rule *rule;
	struct rows rows;
	__u64 unused;
	int bad;

	if (!d)
		return act_fault(a, FAULT_UNREADABLE) ? -EACCES : 0;
	a->record = r->record;
	a->dest = CORDON_DEST_READ;
	a->channel = CHANNEL_OPEN;
	subjects_of(a, &set);
	rule = rule_of(a, d, &set);
	if (!act_enforced(a))
		return 0; /* the read itself will be reported */
	if (!rule || rule->read.kind == GRANT_NONE) {
		a->records = 1;
		return act_over(a, EACCES);
	}
	if (rule->read.kind != GRANT_LIMITED)
		return 0;
	limit_bytes = rule->read.bytes;
	limit_records = rule->read.records;
	if (limit_bytes.window_ns) {
		budget_key_of(a, UNIT_BYTES, &key);
		b = budget_get(&key);
		if (!b)
			return act_fault(a, FAULT_BUDGET_FULL) ? -EACCES : 0;
		a->unit = UNIT_BYTES;
		if (!budget_take(a, b, &limit_bytes, 1, TAKE_CHECK))
			return act_over(a, EACCES);
	}
	if (limit_records.window_ns && !d->record_bytes) {
		rows = rows_of(d, r);
		bad = records_charge(a, &rows, &limit_records, TAKE_CHECK,
				     &unused);
		if (bad < 0)
			return act_fault(a, FAULT_BUDGET_FULL) ? -EACCES : 0;
		if (bad)
			return act_over(a, EACCES);
	}
	return 0;
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
	c->ret_magic = inode->i_sb->s_magic;
	if (c->kind == CAPTURE_LABEL) {
		l = c->label;
		l.record = 0;
		label_put(&c->ret_key, &l);
	}
	c->ret_done = 1;
	return 1;
}

/* ---- hooks ------------------------------------------------------------- */

static __always_inline int on_file_open(struct file *file)
{
	struct task_struct *task = bpf_get_current_task_btf();
	const struct inode *inode = file->f_inode;
	const struct dentry *dentry, *seen;
	struct label *l, *outer;
	struct read r = {};
	struct act a;
	__u32 mode, dataset = 0;

	if (!state.armed)
		return 0;
	mode = inode->i_mode & S_IFMT;
	if (state.capture.kind && state.capture.tid == (__u32)task->pid &&
	    (mode == S_IFREG || mode == S_IFDIR) && captured(file, inode))
		return 0;
	if (mode == S_IFCHR) {
		/* A holder gets no way past the socket layer. */
		if (inode->i_rdev != TUN_DEVICE || !is_holder(task->tgid))
			return 0;
		act_begin(&a, 0, CHANNEL_DEVICE);
		return refuse_holder(&a, EACCES);
	}
	if (mode != S_IFREG)
		return 0;
	probed(HOOK_FILE_OPEN);
	dentry = file->f_path.dentry;
	/*
	 * The real file below an overlay's was judged a moment ago, under the
	 * overlay's label: it gets the same one, so that reading it directly
	 * is the same record.
	 */
	seen = backed_dentry(file);
	if (seen) {
		struct file_key key = {};
		struct label same;

		key.ino = BPF_CORE_READ(seen, d_inode, i_ino);
		key.dev = BPF_CORE_READ(seen, d_inode, i_sb, s_dev);
		key.generation = BPF_CORE_READ(seen, d_inode, i_generation);
		if (!label_possible(key.ino, key.dev))
			return 0;
		outer = bpf_map_lookup_elem(&labels, &key);
		if (!outer || outer->kind != LABEL_FILE)
			return 0;
		same = *outer;
		file_key_of(inode, &key);
		label_put(&key, &same);
		return 0;
	}
	if (!fs_known(inode->i_sb->s_dev))
		return 0;
	l = label_find(inode, dentry, &dataset);
	if (!l && !dataset)
		return 0;
	if (!(file->f_mode & FMODE_READ) || state.agent == (__u32)task->tgid)
		return 0;
	act_begin(&a, l ? l->dataset : dataset, CHANNEL_OPEN);
	if (!l)
		return act_fault(&a, FAULT_LABEL_FULL) ? -EACCES : 0;
	read_facts(file, inode, l, &r, &a);
	return read_look(&a, &r);
}

static __always_inline int on_file_permission(struct file *file, int mask)
{
	const struct inode *inode;
	struct task_struct *task;
	struct label *l;
	struct read r = {};
	struct act a;
	__u32 mode;

	if (!state.armed)
		return 0;
	inode = file->f_inode;
	mode = inode->i_mode & S_IFMT;
	if (mode != S_IFREG) {
		if (!(mask & MAY_WRITE) ||
		    (mode != S_IFSOCK && mode != S_IFCHR))
			return 0;
		return on_special_write(file, inode, mode);
	}
	if (!(mask & MAY_READ))
		return 0;
	if (!fs_known(inode->i_sb->s_dev))
		return 0;
	l = label_get(inode);
	if (!l)
		return 0;
	task = bpf_get_current_task_btf();
	probed(HOOK_FILE_PERMISSION);
	if (l->kind != LABEL_FILE || state.agent == (__u32)task->tgid)
		return 0;
	if (backed_dentry(file))
		return 0; /* charged at the overlay's file */
	act_begin(&a, l->dataset, CHANNEL_READ);
	read_facts(file, inode, l, &r, &a);
	read_extent(file, &r, &a);
	return read_charge(&a, &r);
}

static __always_inline int on_mmap_file(struct file *file)
{
	struct task_struct *task;
	struct pt_regs *regs;
	struct inode *inode;
	struct label *l;
	struct read r = {};
	struct act a;

	/* 6.12's JIT drops other forms of this test: anonymous memory. */
	if (!file)
		return 0;
	inode = BPF_CORE_READ(file, f_inode);
	if (!inode)
		return 0;
	if (!state.armed)
		return 0;
	r.key.ino = BPF_CORE_READ(inode, i_ino);
	r.key.dev = BPF_CORE_READ(inode, i_sb, s_dev);
	if (!label_possible(r.key.ino, r.key.dev))
		return 0;
	r.key.generation = BPF_CORE_READ(inode, i_generation);
	l = bpf_map_lookup_elem(&labels, &r.key);
	if (!l)
		return 0;
	task = bpf_get_current_task_btf();
	probed(HOOK_MMAP_FILE);
	if (l->kind != LABEL_FILE || state.agent == (__u32)task->tgid)
		return 0;
	act_begin(&a, l->dataset, CHANNEL_MMAP);
	r.file = (__u64)file;
	r.size = BPF_CORE_READ(inode, i_size);
	r.record = l->record;
	r.exact = 1; /* nothing will tell more */
	a.name = (__u64)BPF_CORE_READ(file, f_path.dentry, d_name.name);
	/*
	 * All of the file from the offset on: mremap(2) can grow a mapping to
	 * it, and no hook sees that.
	 */
	regs = (struct pt_regs *)bpf_task_pt_regs(task);
	if (regs->orig_ax == NR_mmap &&
	    !(task->thread_info.status & TS_COMPAT))
		r.pos = regs->r9;
	r.bytes = r.pos < r.size ? r.size - r.pos : 0;
	return read_charge(&a, &r);
}

/* A second name. The one in the dataset may not have been seen yet. */
static __always_inline int on_inode_link(struct dentry *old)
{
	const struct inode *inode = old->d_inode;
	__u32 dataset;

	if (!state.armed || !inode)
		return 0;
	probed(HOOK_INODE_LINK);
	if ((inode->i_mode & S_IFMT) != S_IFREG ||
	    !fs_known(inode->i_sb->s_dev))
		return 0;
	if (!label_find(inode, old, &dataset) && dataset)
		return -EPERM; /* it would leave without its label */
	return 0;
}

/* @dentry's object is about to stand in @dir under another name. */
static __always_inline int renamed(struct dentry *dentry, struct dentry *to)
{
	const struct inode *inode = dentry->d_inode;
	struct label l = {}, *old;
	struct file_key key;
	__u32 mode;

	if (!inode || !fs_known(inode->i_sb->s_dev))
		return 0;
	mode = inode->i_mode & S_IFMT;
	if (mode != S_IFREG && mode != S_IFDIR)
		return 0;
	if (label_awaited(to, inode))
		return 0;
	old = label_get(inode);
	if (old && old->kind != LABEL_PARENT)
		return 0;
	/* Out of a dataset or into one: the label goes with the object. */
	l.dataset = dataset_above(dentry);
	if (!l.dataset)
		l.dataset = dataset_above(to);
	if (!l.dataset)
		return 0;
	l.kind = mode == S_IFDIR ? LABEL_DIR : LABEL_FILE;
	file_key_of(inode, &key);
	return label_put(&key, &l) ? 0 : -EPERM;
}

static __always_inline int on_inode_rename(struct dentry *old,
					   struct dentry *new)
{
	int r;

	if (!state.armed)
		return 0;
	probed(HOOK_INODE_RENAME);
	r = renamed(old, new);
	if (r)
		return r;
	/* Of two that change places the second moves too. */
	return renamed(new, old);
}

SEC("fentry/security_d_instantiate")
int BPF_PROG(fentry_d_instantiate, struct dentry *dentry, struct inode *inode)
{
	const struct dentry *named = dentry;
	struct label *l;
	__u32 mode, dataset;

	if (!state.armed || !inode)
		return 0;
	probed(HOOK_D_INSTANTIATE);
	if (!fs_known(inode->i_sb->s_dev))
		return 0;
	mode = inode->i_mode & S_IFMT;
	if (mode != S_IFREG && mode != S_IFDIR)
		return 0;
	if (label_awaited(named, inode) || mode != S_IFREG)
		return 0;
	l = label_find(inode, named, &dataset);
	(void)l; /* no room is counted, and the open will be refused */
	return 0;
}

SEC("fentry/security_inode_free")
int BPF_PROG(fentry_inode_free, struct inode *inode)
{
	struct file_key key;

	if (!state.armed)
		return 0;
	probed(HOOK_INODE_FREE);
	/* Leaving memory is not the end of a file; losing its last name is. */
	if (inode->i_nlink ||
	    !label_possible(inode->i_ino, inode->i_sb->s_dev))
		return 0;
	file_key_of(inode, &key);
	bpf_map_delete_elem(&labels, &key);
	return 0;
}

#define READ_DONE(function, hook, is_int)                                      \
	SEC("fexit/" #function)                                                \
	int fexit_##function(__u64 *ctx)                                       \
	{                                                                      \
		return read_done(ctx, hook, is_int);                           \
	}

READ_DONE(vfs_readv, HOOK_READV_DONE, 0)
READ_DONE(splice_file_to_pipe, HOOK_SPLICE_DONE, 0)
READ_DONE(splice_direct_to_actor, HOOK_SPLICE_DONE, 0)
READ_DONE(vfs_copy_file_range, HOOK_COPY_DONE, 0)
READ_DONE(vfs_clone_file_range, HOOK_COPY_DONE, 0)
READ_DONE(__io_read, HOOK_READV_DONE, 1)
