/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * label.h - which files belong to a dataset.
 *
 * A file has a label from the first time the guard sees it below a dataset's
 * directory: at a scan by the agent, at its creation, look-up, link, rename
 * or open. From then on the label follows the object, whatever its name.
 *
 * Quiet files (derived.h) have labels in the same way. A dataset's label comes
 * before theirs: what is of a dataset never becomes quiet, and what was quiet
 * and comes into a dataset is the dataset's.
 */
#ifndef CORDON_LABEL_H
#define CORDON_LABEL_H

/* Lower half of an address, which the verifier takes for a number. */
static __always_inline __u32 low_half(const void *address)
{
	__u32 low;

	asm volatile("%0 = %1" : "=w"(low) : "w"((__u32)(__u64)address));
	return low;
}

/*
 * What tells a file from others of its number. Nothing, as a rule: a number is
 * used again only when the file is gone, and its label with it, while the
 * generation is what the file's owner says it is (FS_IOC_SETVERSION). But an
 * overlay's files have the numbers of what lies below them, which can be two
 * file systems: there it is where the inode lies in memory.
 */
static __always_inline __u32 file_tells(const struct inode *inode, __u32 mode,
					__u64 magic)
{
	return (mode & S_IFMT) == S_IFREG && magic == OVERLAYFS_SUPER_MAGIC
		       ? low_half(inode)
		       : 0;
}

static __always_inline void file_key_of(const struct inode *inode,
					struct file_key *key)
{
	key->ino = inode->i_ino;
	key->dev = inode->i_sb->s_dev;
	key->generation =
		file_tells(inode, inode->i_mode, inode->i_sb->s_magic);
}

/* Has it files of a dataset? */
static __always_inline int fs_known(__u32 dev)
{
	return state.fs[fs_place(dev)].labels;
}

/*
 * Has it labels of any kind? Apart from the above, for quiet files lie where
 * everybody reads: what only datasets need costs nothing there.
 */
static __always_inline int fs_named(__u32 dev)
{
	return state.fs_named[fs_place(dev)];
}

static __always_inline int label_possible(__u64 ino, __u32 dev)
{
	__u32 bit = label_bit(ino, dev) & ((1 << CORDON_LABEL_BITS) - 1);

	return state.label_bits[bit / 64] >> (bit & 63) & 1;
}

/*
 * May the file carry what holders wrote (derived.h)? Counters and no bits:
 * files of that kind come and go as long as the host is up.
 */
static __always_inline int fs_derived(__u32 dev)
{
	return state.fs[fs_place(dev)].derived;
}

static __always_inline int derived_possible(__u64 ino, __u32 dev)
{
	__u32 place = derived_place(ino, dev);

	if (!fs_derived(dev))
		return 0;
	return state.derived[place & ((1 << CORDON_DERIVED_BITS) - 1)] != 0;
}

static __always_inline void derived_count(__u64 ino, __u32 dev, int n)
{
	__u32 place = derived_place(ino, dev);

	if (n > 0)
		state.fs[fs_place(dev)].derived = 1;
	__sync_fetch_and_add(
		&state.derived[place & ((1 << CORDON_DERIVED_BITS) - 1)], n);
}

/* NULL: this file has no label. Tests the bit first: most files end there. */
static __always_inline struct label *label_get(const struct inode *inode)
{
	struct file_key key;

	if (!label_possible(inode->i_ino, inode->i_sb->s_dev))
		return NULL;
	file_key_of(inode, &key);
	return bpf_map_lookup_elem(&labels, &key);
}

/* The same for an inode that the verifier does not let us look into. */
static __always_inline void inode_key(const struct inode *inode,
				      struct file_key *key)
{
	key->ino = BPF_CORE_READ(inode, i_ino);
	key->dev = BPF_CORE_READ(inode, i_sb, s_dev);
	key->generation = file_tells(inode, BPF_CORE_READ(inode, i_mode),
				     BPF_CORE_READ(inode, i_sb, s_magic));
}

static __noinline struct label *label_read(const struct inode *inode)
{
	struct file_key key;

	key.dev = BPF_CORE_READ(inode, i_sb, s_dev);
	if (!fs_named(key.dev))
		return NULL;
	key.ino = BPF_CORE_READ(inode, i_ino);
	if (!label_possible(key.ino, key.dev))
		return NULL;
	inode_key(inode, &key);
	return bpf_map_lookup_elem(&labels, &key);
}

/* What has the label @found is to have @l, too or instead. */
static __always_inline void label_change(struct label *found,
					 const struct label *l)
{
	if (l->kind == LABEL_PARENT) {
		if (found->kind != LABEL_PARENT)
			found->awaited = 1;
		return;
	}
	if (found->kind == LABEL_PARENT)
		found->awaited = 1;
	else if (!is_quiet(found->kind) || !is_of_dataset(l->kind))
		return;
	found->record = l->record;
	found->dataset = l->dataset;
	found->kind = l->kind;
}

/*
 * Gives the file @key the label @l, a number of its own if it is a record.
 * What has a label keeps it. Returns the label, NULL if there is no room.
 */
static __noinline struct label *label_put(struct file_key *key, struct label *l)
{
	struct label *found = bpf_map_lookup_elem(&labels, key);
	__u32 bit;

	if (l->kind == LABEL_FILE && !l->record &&
	    (!found || is_quiet(found->kind)))
		l->record = __sync_fetch_and_add(&state.next_record, 1) + 1;
	/* The bits first: who sees the label must not stop at the bits. */
	state.fs_named[fs_place(key->dev)] = 1;
	if (is_of_dataset(l->kind))
		state.fs[fs_place(key->dev)].labels = 1;
	if (!found) {
		bit = label_bit(key->ino, key->dev) &
		      ((1 << CORDON_LABEL_BITS) - 1);
		__sync_fetch_and_or(&state.label_bits[bit / 64],
				    1ULL << (bit & 63));
		bpf_map_update_elem(&labels, key, l, BPF_NOEXIST);
		found = bpf_map_lookup_elem(&labels, key);
	}
	/* Another may have given it one meanwhile, a quiet one too. */
	if (found)
		label_change(found, l);
	else
		__sync_fetch_and_add(&state.faults[FAULT_LABEL_FULL], 1);
	return found;
}

#define ABOVE_QUIET 256 /* beside the number */

/*
 * The number of the nearest directory above @dentry that is a dataset's; else,
 * then with ABOVE_QUIET, of the nearest one of quiet files; or 0. A directory
 * that was quiet can have come into a dataset by the name of one above it.
 */
static __always_inline __u32 dataset_above(const struct dentry *dentry)
{
	__u32 dev = dentry->d_sb->s_dev; /* also of all that is above */
	const struct dentry *above;
	const struct inode *inode;
	__u32 quiet = state.zero; /* two ways less to look at a step */
	struct label *l;
	int i;

	for (i = 0; i < CORDON_WALK; i++) {
		above = dentry->d_parent;
		if (above == dentry)
			break; /* the root, or cut off from it */
		dentry = above;
		inode = dentry->d_inode;
		if (!inode)
			break;
		if (!label_possible(inode->i_ino, dev))
			continue;
		l = label_get(inode);
		if (l && l->kind == LABEL_DIR)
			return l->dataset;
		if (l && l->kind == LABEL_QUIET_DIR && !quiet)
			quiet = l->dataset | ABOVE_QUIET;
	}
	return quiet;
}

/* The label of what is below such a directory. */
static __always_inline void label_set(struct label *l, __u32 above, int is_dir)
{
	l->dataset = above;
	if (above & ABOVE_QUIET)
		l->kind = is_dir ? LABEL_QUIET_DIR : LABEL_QUIET;
	else
		l->kind = is_dir ? LABEL_DIR : LABEL_FILE;
}

/*
 * A directory below a dataset's gets a label of its own, so that what is deep
 * below it is found however deep it is.
 */
static __noinline int label_directory(const struct dentry *dentry,
				      const struct inode *inode)
{
	struct file_key key;
	struct label *l, new = {};
	__u32 above;

	if (!fs_named(inode->i_sb->s_dev))
		return 0;
	l = label_get(inode);
	if (l && is_of_dataset(l->kind))
		return 0;
	above = dataset_above(dentry);
	if (!above)
		return 0;
	label_set(&new, above, 1);
	file_key_of(inode, &key);
	label_put(&key, &new);
	return 0;
}

static __noinline int notice_send(void)
{
	struct act a;

	act_begin(&a, policy_now(), 0, CHANNEL_OTHER);
	return event_send(&a, EVENT_NOTICE, VERDICT_ALLOW, 0, 0);
}

/* @dentry is about to come into its directory. Told once a look. */
static __always_inline void notice(const struct dentry *dentry)
{
	const struct inode *dir = dentry->d_parent->d_inode;
	__u32 bit;

	if (!dir)
		return;
	bit = notice_bit(dir->i_ino) & ((1 << CORDON_NOTICE_BITS) - 1);
	if (!(state.notice.bits[bit / 64] >> (bit & 63) & 1) || state.noticed)
		return;
	state.noticed = 1;
	notice_send();
}

/*
 * A name in a directory that waits for it: a root appears. Returns the dataset
 * whose it is, or 0. *@ret_full: there was no room for its label.
 */
static __noinline __u32 label_awaited(const struct dentry *dentry,
				      const struct inode *inode, int *ret_full)
{
	struct awaited_key key = {};
	struct label *above, *l, new = {};
	const struct inode *dir = dentry->d_parent->d_inode;
	struct file_key own;
	__u32 mode;

	*ret_full = 0;
	if (!dir)
		return 0;
	above = label_get(dir);
	if (!above || (above->kind != LABEL_PARENT && !above->awaited))
		return 0;
	file_key_of(dir, &key.parent);
	if (bpf_probe_read_kernel_str(key.name, sizeof(key.name),
				      dentry->d_name.name) <= 0)
		return 0;
	l = bpf_map_lookup_elem(&awaited, &key);
	if (!l)
		return 0;
	mode = inode->i_mode & S_IFMT;
	if (mode != S_IFDIR && mode != S_IFREG)
		return 0;
	label_set(&new, l->dataset | (is_quiet(l->kind) ? ABOVE_QUIET : 0),
		  mode == S_IFDIR);
	file_key_of(inode, &own);
	*ret_full = !label_put(&own, &new);
	return is_of_dataset(new.kind) ? new.dataset : 0;
}

/*
 * The label of a regular file that is seen under the name @dentry, given to
 * it now if a directory above says so. NULL: none, or there was no room for
 * it, then *@ret_dataset is not 0.
 */
static __noinline struct label *label_find(const struct inode *inode,
					   const struct dentry *dentry,
					   __u32 *ret_dataset)
{
	struct label *l = label_get(inode), new = {};
	struct file_key key;
	__u32 above;

	*ret_dataset = 0;
	if (l && l->kind != LABEL_QUIET)
		return l->kind == LABEL_FILE ? l : NULL;
	above = dataset_above(dentry);
	if (!above)
		return NULL;
	label_set(&new, above, 0);
	file_key_of(inode, &key);
	if (above & ABOVE_QUIET) {
		/* Without room it is followed as any other file is. */
		label_put(&key, &new);
		return NULL;
	}
	*ret_dataset = new.dataset;
	return label_put(&key, &new);
}

/* The dentry under which the user sees @file, if @file lies below another. */
static __always_inline struct dentry *backed_dentry(const struct file *file)
{
	struct dentry *dentry = file->f_path.dentry;
	struct backing_file___user *b;
	__u64 magic;

	if (dentry->d_inode != file->f_inode)
		return dentry; /* 6.1 */
	if (!(file->f_mode & FMODE_BACKING_HINT) ||
	    !bpf_core_type_exists(struct backing_file___user))
		return NULL;
	b = (struct backing_file___user *)file;
	dentry = BPF_CORE_READ(b, user_path.dentry);
	magic = BPF_CORE_READ(dentry, d_sb, s_magic);
	if (magic != OVERLAYFS_SUPER_MAGIC && magic != FUSE_SUPER_MAGIC)
		return NULL;
	return dentry;
}

/* Does @file lie below another? Not inline: see derived_read(). */
static __noinline int is_backed(const struct file *file)
{
	return backed_dentry(file) != NULL;
}

/* Has the file that users see above @file the label @l too? */
static __noinline int label_is_shown(const struct file *file,
				     const struct label *l)
{
	struct dentry *seen = backed_dentry(file);
	struct label *outer;

	if (!seen)
		return 0;
	outer = label_read(BPF_CORE_READ(seen, d_inode));
	return outer && outer->dataset == l->dataset &&
	       outer->record == l->record;
}

#endif
