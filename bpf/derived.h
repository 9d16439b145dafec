/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * derived.h - files outside the datasets that holders wrote to.
 *
 * Such a file is a carrier as a pipe is: it has the holding of its writer, or,
 * from the second one on, a holding of its own, and who reads it takes that
 * over. But it is known by who it is and not by where it lies in memory, as the
 * files of a dataset are: whatever its name, and whether or not anybody has it
 * open. So it goes on carrying until the file is deleted, truncated or not.
 *
 * A file of a dataset is left out: who reads that is charged for the dataset.
 * Of an overlay the file below is meant, which every read and write of the
 * overlay's asks about too.
 *
 * A quiet file is one that everybody writes to and reads, as the records of
 * logins are. All of one name take in, together and for each dataset, at most
 * their cap in any window without becoming carriers; what would be above it
 * makes a carrier of the file that it is written to. Only write(2) and
 * pwrite(2) tell how much they write; any other way has no bound, and so is
 * above every cap.
 *
 * The target of a symbolic link is what is in it; an attribute is kept with the
 * file, and known by its name's first part to be a process's own. The same
 * carrier has both, but only who takes an attribute takes it by that, and who
 * lists files asks for none.
 *
 * What a holder writes to memory that it has of a file is written before any
 * hook could tell. Who has it that way is in a commons, which is looked up when
 * the file is read, and left to the file when that leaves memory.
 */
#ifndef CORDON_DERIVED_H
#define CORDON_DERIVED_H

/* Are there bytes in the files of such a file system, as they were written? */
static __always_inline int keeps_bytes(__u64 magic, __u64 flags)
{
	if (flags & SB_I_NOEXEC)
		return 0;
	return magic != ANON_INODE_FS_MAGIC && magic != DEBUGFS_MAGIC &&
	       magic != TRACEFS_MAGIC && magic != SECURITYFS_MAGIC &&
	       magic != SELINUX_MAGIC;
}

/* May a holder's bytes make it a carrier? If so, *@ret_key is who it is. */
static __noinline int derived_key(const struct inode *inode,
				  struct file_key *ret_key)
{
	struct label *l;

	if (!follows_files())
		return 0;
	if (!keeps_bytes(BPF_CORE_READ(inode, i_sb, s_magic),
			 BPF_CORE_READ(inode, i_sb, s_iflags)))
		return 0;
	l = label_read(inode);
	if (l && l->kind == LABEL_FILE)
		return 0;
	inode_key(inode, ret_key);
	return 1;
}

/* The first that writes, as carrier_new(). */
static __noinline int derived_new(struct file_key *key, __u64 holding)
{
	struct carrier new = {.holding = holding};
	long r;

	new.since_ns = bpf_ktime_get_boot_ns();
	state.fs_written[fs_place(key->dev)] = 1;
	/* In this order: who finds nothing there must not have missed it. */
	derived_count(key->ino, key->dev, 1);
	r = bpf_map_update_elem(&derived, key, &new, BPF_NOEXIST);
	if (!r) {
		unsaved();
		return 0;
	}
	derived_count(key->ino, key->dev, -1);
	holding_drop(carried(&new));
	return (int)r;
}

/*
 * What is in the holding @h goes into the file. Returns 0, or which fault it is
 * that there is no room.
 */
static __noinline int derived_put(struct file_key *key, struct holding *h)
{
	struct carrier *c;

	if (holding_empty(h))
		return 0;
	c = bpf_map_lookup_elem(&derived, key);
	if (!c) {
		__sync_fetch_and_add(&h->refs, 1);
		if (!derived_new(key, h->id))
			return 0;
		/* No room, or another was first. */
		c = bpf_map_lookup_elem(&derived, key);
		if (!c)
			return FAULT_DERIVED_FULL;
	}
	if (c->holding == h->id)
		return 0;
	return carrier_mix(c, h->id) ? FAULT_HOLDING_FULL : 0;
}

/*
 * May the file @key, a quiet one of this @number, take in @bytes from the
 * current process, a holder, and be no carrier still? @name: see intake_charge.
 */
static __noinline int quiet_takes(struct file_key *key, __u32 number,
				  __u64 bytes, __u64 name)
{
	struct task_struct *task = bpf_get_current_task_btf();
	struct holding *h = holding_of(task->tgid);
	__u64 policy = policy_now();
	__u32 place = (policy >> 32 & 1) * CORDON_DATASETS + number;
	struct intake *intake = bpf_map_lookup_elem(&quiet_files, &place);

	if (!h || !intake || !intake->cap.window_ns ||
	    bpf_map_lookup_elem(&derived, key))
		return 0;
	return intake_charge(policy, intake, h->id, bytes, name);
}

/* As carrier_give(), into the file. */
static __noinline int derived_give(struct file_key *key, __u64 from,
				   __u64 bytes)
{
	struct carrier *c = bpf_map_lookup_elem(&derived, key);
	struct giving g;
	__u64 own = 0;

	if (c && c->holding == from)
		return 0;
	if (!narrow_begins(&g, from, bytes))
		return -1;
	if (!c) {
		if (!holding_new(&own))
			return FAULT_HOLDING_FULL;
		derived_new(key, own | CARRIER_MIXED);
		c = bpf_map_lookup_elem(&derived, key);
		if (!c)
			return FAULT_DERIVED_FULL;
	}
	own = carrier_own(c);
	if (!own)
		return FAULT_HOLDING_FULL;
	narrow_give(&g, own);
	return 0;
}

/* The current process, a holder, is about to write to it. 0 or -EPERM. */
static __noinline int derived_note(struct file_key *key)
{
	struct task_struct *task = bpf_get_current_task_btf();
	struct holding *h = holding_of(task->tgid);
	int fault = h ? derived_put(key, h) : FAULT_UNKNOWN_HOLDING;

	return fault && carry_fault(fault) ? -EPERM : 0;
}

/* The same, @bytes: as given() says. */
static __noinline int derived_note_bytes(struct file_key *key, __u64 bytes)
{
	struct task_struct *task = bpf_get_current_task_btf();
	struct holding *h = holding_of(task->tgid);
	int fault = -1;

	if (h && bytes != BYTES_UNKNOWN)
		fault = derived_give(key, h->id, bytes);
	if (fault < 0)
		return derived_note(key);
	return fault && carry_fault(fault) ? -EPERM : 0;
}

/*
 * The same by the inode of a regular file, which @file leads to, in a way that
 * does not tell how much. If the file is quiet, that is told.
 */
static __noinline int derived_write(const struct inode *inode,
				    const struct file *file)
{
	struct task_struct *task = bpf_get_current_task_btf();
	struct file_key key;
	struct label *l;

	if (is_kernels(task) || !derived_key(inode, &key))
		return 0;
	l = label_read(inode);
	if (l && l->kind == LABEL_QUIET)
		quiet_takes(
			&key, l->dataset, BYTES_UNKNOWN,
			(__u64)BPF_CORE_READ(file, f_path.dentry, d_name.name));
	return derived_note(&key);
}

/* What was written to the file. 0: nothing that is held. */
static __noinline __u64 derived_by(const struct inode *inode)
{
	struct file_key key;
	struct carrier *c;

	inode_key(inode, &key);
	c = bpf_map_lookup_elem(&derived, &key);
	return c ? carried(c) : 0;
}

/* The current process is about to take @bytes of it, at most. 0 or -EPERM. */
static __always_inline int derived_take(const struct inode *inode, __u64 bytes)
{
	__u64 from = derived_by(inode);

	if (from && carry_from(from, bytes))
		return -EPERM;
	from = shared_by(inode);
	return from && carry_from(from, bytes) ? -EPERM : 0;
}

/*
 * The file's inode leaves memory, and with it who shares its memory: what they
 * hold is in the file by now. Nobody is there to be refused.
 */
static __noinline int derived_keep(const struct inode *inode)
{
	__u64 id = shared_by(inode);
	struct file_key key;
	struct holding *h;
	int fault;

	if (!id || !derived_key(inode, &key))
		return 0;
	h = bpf_map_lookup_elem(&holdings, &id);
	fault = h ? derived_put(&key, h) : 0;
	if (fault > 0 && fault < FAULT_MAX)
		__sync_fetch_and_add(&state.faults[fault], 1);
	return 0;
}

/* The file goes, and with it what it carried. */
static __noinline int derived_end(const struct inode *inode)
{
	struct file_key key;
	struct carrier *c;
	__u64 id;

	inode_key(inode, &key);
	c = bpf_map_lookup_elem(&derived, &key);
	if (!c)
		return 0;
	id = carried(c);
	if (bpf_map_delete_elem(&derived, &key))
		return 0;
	derived_count(key.ino, key.dev, -1);
	holding_drop(id);
	unsaved();
	return 0;
}

/* ---- below an overlay -------------------------------------------------- */

/*
 * The file whose memory is mapped when @file of an overlay is; or NULL. What
 * overlayfs keeps with an open file of its own is that one up to 6.12, and
 * later a structure that begins with it.
 */
static __noinline struct file *overlay_real(const struct file *file)
{
	struct file *real = BPF_CORE_READ(file, private_data);
	struct address_space *mapping = BPF_CORE_READ(real, f_mapping);

	/* Is it one? A file's mapping is its inode's. */
	if (mapping && mapping == BPF_CORE_READ(real, f_inode, i_mapping))
		return real;
	if (bpf_probe_read_kernel(&real, sizeof(real), real))
		return NULL;
	mapping = BPF_CORE_READ(real, f_mapping);
	if (mapping && mapping == BPF_CORE_READ(real, f_inode, i_mapping))
		return real;
	return NULL;
}

/* The inode that @file's bytes lie in. */
static __noinline struct inode *inode_of(const struct file *file)
{
	struct inode *inode = BPF_CORE_READ(file, f_inode);
	const struct file *real = file;
	int i;

	for (i = 0; i < FILESYSTEM_MAX_STACK_DEPTH; i++) {
		if (BPF_CORE_READ(inode, i_sb, s_magic) !=
		    OVERLAYFS_SUPER_MAGIC)
			break;
		real = overlay_real(real);
		if (!real)
			break;
		inode = BPF_CORE_READ(real, f_inode);
	}
	return inode;
}

#endif
