/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * ways.bpf.c - bytes that leave by no socket: ways.h.
 *
 *   file_permission  charges a holder's write before its bytes move
 *   mmap_file        judges memory that a holder could write to
 *   file_open        refuses devices, and core dumps to what lies elsewhere
 *   file_ioctl       refuses to set up a loop device
 *
 * A write to a file that lies elsewhere is a release like a send, with the same
 * rules, budgets and ledger. Its destination is that of the mount, or else of
 * the kind of file system, or else "*". A device is one where a destination has
 * it; any other is refused to holders, whatever the rule says.
 *
 * How much is written write(2) and pwrite(2) tell, and that is charged, whether
 * or not all of it is taken. Any other way tells no bound: the records are
 * charged as for any number of bytes, and where the rule limits bytes too, it
 * is refused. Most tools then fall back to write(2).
 */

/* What a holder does. */
enum way_act {
	WAY_WRITES = 1,
	WAY_MAPS,  /* shared memory that it can write to */
	WAY_OPENS, /* to write; or has the kernel write its core there */
};

/* What is to be done about it. */
enum way_out {
	WAY_NONE,
	WAY_JUDGE,
	WAY_REFUSE,
};

/*
 * Has the way in @key a destination? If so *@ret_dest is which. The key is
 * copied: 6.1 takes none from a caller's frame.
 */
static __noinline int way_dest(const struct way_key *key, __u16 *ret_dest)
{
	struct way_key own = *key;
	__u32 *dest = bpf_map_lookup_elem(&ways, &own);

	if (!dest)
		return 0;
	*ret_dest = *dest;
	return 1;
}

/*
 * The device that a terminal is which /dev/tty or /dev/console stands for. Both
 * are opened as what they stand for.
 */
static __noinline __u32 terminal_of(const struct file *file)
{
	const struct tty_file_private *private;
	const struct tty_struct *tty;

	private = BPF_CORE_READ(file, private_data);
	tty = BPF_CORE_READ(private, tty);
	return MKDEV(BPF_CORE_READ(tty, driver, major),
		     BPF_CORE_READ(tty, driver, minor_start) +
			     BPF_CORE_READ(tty, index));
}

/* Which device is @file, and does what is written to it leave? In @key. */
static __noinline int
device_leaves(struct way_key *key, const struct file *file, __u32 mode, int how)
{
	__u32 dev = BPF_CORE_READ(file, f_inode, i_rdev);

	if (mode == S_IFCHR && (dev == TTY_DEVICE || dev == CONSOLE_DEVICE)) {
		if (how == WAY_OPENS)
			return 0;
		dev = terminal_of(file);
	}
	key->kind = mode == S_IFCHR ? WAY_CHAR : WAY_BLOCK;
	key->way.dev = dev;
	return !device_stays(mode, dev);
}

/* The inode that what is written to @file goes to. */
static __noinline const struct inode *way_inode(const struct file *file,
						int how)
{
	/* Of an overlay, a write asks about the file below as well. */
	return how == WAY_WRITES ? BPF_CORE_READ(file, f_inode)
				 : inode_of(file);
}

/* The current process, a holder, does that with @file: what of it? */
static __noinline int way_of(const struct file *file, int how)
{
	__u32 mode = BPF_CORE_READ(file, f_inode, i_mode) & S_IFMT;
	struct way_key key = {.slot = policy_now() >> 32 & 1};
	const struct super_block *sb;
	__u16 dest;

	if (how == WAY_MAPS && !(BPF_CORE_READ(file, f_mode) & FMODE_WRITE))
		return WAY_NONE;
	if (mode == S_IFREG) {
		sb = BPF_CORE_READ(way_inode(file, how), i_sb);
		key.kind = WAY_MOUNT;
		key.way.dev = BPF_CORE_READ(sb, s_dev);
		if (!fs_is_remote(BPF_CORE_READ(sb, s_magic)) &&
		    (!fs_is_named(key.way.dev) || !way_dest(&key, &dest)))
			return WAY_NONE;
		return how == WAY_OPENS ? WAY_REFUSE : WAY_JUDGE;
	}
	if (mode != S_IFCHR && mode != S_IFBLK)
		return WAY_NONE;
	if (!device_leaves(&key, file, mode, how))
		return WAY_NONE;
	if (never_passes(mode, key.way.dev) || !way_dest(&key, &dest))
		return WAY_REFUSE;
	/* What is written will be judged. */
	return how == WAY_OPENS ? WAY_NONE : WAY_JUDGE;
}

/* The device @file, in @a. */
static __noinline int device_facts(struct act *a, const struct file *file,
				   __u32 mode)
{
	struct way_key key = {.slot = a->slot};
	struct way *way = (struct way *)a->addr;

	device_leaves(&key, file, mode, WAY_WRITES);
	a->channel = CHANNEL_DEVICE;
	__builtin_memcpy(way->type, mode == S_IFCHR ? "char" : "block", 5);
	way->dev = key.way.dev;
	a->final = way_dest(&key, &a->dest);
	return 0;
}

/* The file system that @inode is on, in @a. */
static __noinline int fs_facts(struct act *a, const struct inode *inode)
{
	const struct super_block *sb = BPF_CORE_READ(inode, i_sb);
	struct way_key key = {.slot = a->slot, .kind = WAY_MOUNT};
	struct way *way = (struct way *)a->addr;
	__u32 dev = BPF_CORE_READ(sb, s_dev);
	int named;

	key.way.dev = dev;
	named = way_dest(&key, &a->dest);
	key.kind = WAY_TYPE;
	key.way.dev = 0;
	bpf_probe_read_kernel_str(key.way.type, sizeof(key.way.type),
				  BPF_CORE_READ(sb, s_type, name));
	if (!named)
		way_dest(&key, &a->dest);
	a->channel = CHANNEL_FILE_SYSTEM;
	__builtin_memcpy(way, &key.way, sizeof(*way));
	way->dev = dev;
	a->final = 1;
	return 0;
}

/* Where what is written to @file goes, in @a. */
static __noinline int way_facts(struct act *a, const struct file *file, int how)
{
	__u32 mode = BPF_CORE_READ(file, f_inode, i_mode) & S_IFMT;

	a->dest = CORDON_DEST_ANY;
	a->name = (__u64)BPF_CORE_READ(file, f_path.dentry, d_name.name);
	return mode == S_IFREG ? fs_facts(a, way_inode(file, how))
			       : device_facts(a, file, mode);
}

/* How much the current process writes, in @a. 0: nothing. */
static __noinline int way_bytes(struct act *a, int how)
{
	__u64 bytes = how == WAY_WRITES ? written_most() : BYTES_UNKNOWN;

	if (bytes == BYTES_UNKNOWN)
		a->many = 1;
	else
		a->bytes = bytes;
	return bytes != 0;
}

/*
 * Who the current thread is, in its memo: for a set of subjects there is no
 * room on the stack of those that judge, nor for asking for them there. NULL:
 * there is no room for one.
 */
static __noinline struct memo *way_who(__u64 policy)
{
	struct memo *m;
	int same;

	m = memo_of(policy, &same);
	if (m)
		subjects_of(policy, &m->set);
	return m;
}

/*
 * What a holder does with @file is a release. @m: of way_who(). Returns 0 or
 * -EPERM. Of several datasets those that were charged before one was refused
 * stay charged.
 */
static __noinline int way_judge(const struct file *file, int how, __u64 policy,
				struct memo *m)
{
	struct release_all all = {.id = holding_id()};

	act_begin(&all.a, policy, 0, CHANNEL_DEVICE);
	if (!all.id || !m)
		return act_fault(&all.a, FAULT_UNKNOWN_HOLDING) ? -EPERM : 0;
	if (holds_nothing())
		return 0;
	way_facts(&all.a, file, how);
	if (!way_bytes(&all.a, how))
		return 0;
	all.dest = all.a.dest;
	return release_shares(&all, &m->set, NULL);
}

static __noinline int judge_refused(struct held *held, __u64 policy, int place,
				    const struct file *file, __u32 error)
{
	struct act a;

	act_begin(&a, policy, held->dataset, CHANNEL_DEVICE);
	way_facts(&a, file, WAY_OPENS);
	a.dest = CORDON_DEST_ANY;
	a.records = held->records;
	rule_at(&a, place);
	return act_over(&a, error);
}

/* It is refused, whatever the rule says. Returns 0 or -@error. */
static __noinline int way_refuse(const struct file *file, __u32 error)
{
	__u64 policy = policy_now();
	struct held held = {};

	if (!held_first(&held))
		return 0;
	return judge_refused(&held, policy,
			     rule_place_now(policy, held.dataset), file, error);
}

/* Is a file that is opened to be looked at? */
static __always_inline int way_opened(const struct file *file,
				      const struct inode *inode, __u32 mode)
{
	struct task_struct *task = bpf_get_current_task_btf();
	int writes = file->f_mode & FMODE_WRITE;

	/* A core dump's bytes the kernel writes without asking. */
	if (mode == S_IFREG)
		return writes && task->signal->core_state && holds();
	if (mode != S_IFCHR && mode != S_IFBLK)
		return 0;
	return (writes || never_passes(mode, inode->i_rdev)) && holds();
}

static __noinline int on_loop_set(const struct file *file)
{
	const struct inode *inode = file->f_inode;

	if ((inode->i_mode & S_IFMT) != S_IFBLK ||
	    MAJOR(inode->i_rdev) != LOOP_MAJOR || !holds())
		return 0;
	return way_refuse(file, EPERM);
}
