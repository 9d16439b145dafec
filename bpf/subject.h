/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * subject.h - who acts, and which rule that makes.
 */
#ifndef CORDON_SUBJECT_H
#define CORDON_SUBJECT_H

#define CGROUP_LEVELS 16

/* An executable as the agent found it: another file may have its number now. */
static __always_inline void exe_key_of(const struct inode *inode,
				       struct file_key *key)
{
	key->ino = inode->i_ino;
	key->dev = inode->i_sb->s_dev;
	key->generation = inode->i_generation;
}

static __always_inline void set_or(struct subject_set *to,
				   const struct subject_set *from)
{
	int i;

	for (i = 0; i < CORDON_SUBJECTS / 64; i++)
		to->bits[i] |= from->bits[i];
}

static __always_inline void set_and(struct subject_set *to,
				    const struct subject_set *from)
{
	int i;

	for (i = 0; i < CORDON_SUBJECTS / 64; i++)
		to->bits[i] &= from->bits[i];
}

/* Adds the subjects that ask for (dim, a, b) to @set. */
static __noinline int subjects_add(struct subject_set *set, __u32 slot,
				   __u32 dim, __u64 a, __u64 b)
{
	struct subject_key key = {.slot = slot, .dim = dim, .a = a, .b = b};
	struct subject_set *found = bpf_map_lookup_elem(&subjects, &key);

	if (found)
		set_or(set, found);
	return 0;
}

/* Is the component of @len characters with its NUL in @name a slice? */
static __always_inline int is_slice(const char *name, long len)
{
	__u32 at = (len - 7) & (CORDON_NAME - 1);

	if (len < 8 || at > CORDON_NAME - 7)
		return 0;
	return name[at] == '.' && name[at + 1] == 's' && name[at + 2] == 'l' &&
	       name[at + 3] == 'i' && name[at + 4] == 'c' &&
	       name[at + 5] == 'e';
}

/*
 * Adds the subjects that the path of the task's cgroup meets, by unit or by
 * path (@dim). The unit is the first component that is not a slice: what a
 * user's own manager or a container makes stands below one, so its names are
 * nobody's unit.
 */
static __noinline int subjects_by_cgroup(struct subject_set *set, __u32 slot,
					 __u32 dim)
{
	struct task_struct *task = bpf_get_current_task_btf();
	struct cgroup_key key = {.slot = slot, .dim = dim};
	struct cgroup *cgroup, *above;
	struct cgroup_node *found;
	const char *name;
	int i, level;
	long len;

	key.node = dim == DIM_CGROUP; /* the root of the tree of paths */
	cgroup = BPF_CORE_READ(task, cgroups, dfl_cgrp);
	level = BPF_CORE_READ(cgroup, level);
	for (i = 1; i < CGROUP_LEVELS; i++) {
		if (i > level)
			break;
		if (bpf_probe_read_kernel(&above, sizeof(above),
					  &cgroup->ancestors[i]))
			break;
		name = BPF_CORE_READ(above, kn, name);
		__builtin_memset(key.name, 0, sizeof(key.name));
		len = bpf_probe_read_kernel_str(key.name, sizeof(key.name),
						name);
		/* A name that was cut is nobody's. */
		if (len <= 0 || len >= CORDON_NAME)
			break;
		if (dim == DIM_UNIT && is_slice(key.name, len))
			continue;
		found = bpf_map_lookup_elem(&cgroups, &key);
		if (!found)
			break;
		set_or(set, &found->set);
		if (dim == DIM_UNIT)
			break;
		key.node = found->node;
	}
	return 0;
}

static __noinline int subjects_by_group(struct subject_set *set, __u32 slot)
{
	struct task_struct *task = bpf_get_current_task_btf();
	struct group_info *groups;
	kgid_t gid;
	int i, count;

	subjects_add(set, slot, DIM_GROUP, BPF_CORE_READ(task, cred, egid.val),
		     0);
	groups = BPF_CORE_READ(task, cred, group_info);
	count = BPF_CORE_READ(groups, ngroups);
	for (i = 0; i < CORDON_GROUPS; i++) {
		if (i >= count)
			break;
		if (bpf_probe_read_kernel(&gid, sizeof(gid), &groups->gid[i]))
			break;
		subjects_add(set, slot, DIM_GROUP, gid.val, 0);
	}
	return 0;
}

/* Everything about the current task that a subject can ask for, but groups. */
static __always_inline void actor_of(struct actor *actor, __u64 policy)
{
	struct task_struct *task = bpf_get_current_task_btf();
	struct mm_struct *mm;
	struct file *exe;
	struct inode *inode;

	__builtin_memset(actor, 0, sizeof(*actor));
	actor->policy = policy;
	actor->cgroup = bpf_get_current_cgroup_id();
	actor->user = task->cred->euid.val;
	actor->group = task->cred->egid.val;
	actor->login = login_of(task);
	/* io_uring's and other helpers have the leader's memory or none. */
	mm = task->mm;
	if (!mm)
		return;
	exe = mm->exe_file;
	if (!exe)
		return;
	inode = exe->f_inode;
	if (!inode)
		return;
	exe_key_of(inode, &actor->exe);
}

/* Which subjects the actor meets, without those that ask for a group. */
static __noinline int subjects_compute(struct actor *actor,
				       struct subject_set *ret_set)
{
	__u32 slot = actor->policy >> 32 & 1, dim;
	struct subject_dims *d = bpf_map_lookup_elem(&dims, &slot);
	struct subject_set set;

	__builtin_memset(ret_set, 0, sizeof(*ret_set));
	if (!d)
		return 0;
	__builtin_memset(ret_set, 0xff, sizeof(*ret_set));
	for (dim = 0; dim < DIM_MAX; dim++) {
		if (dim == DIM_GROUP || !(d->used >> dim & 1))
			continue;
		set = d->any[dim];
		if (dim == DIM_UNIT || dim == DIM_CGROUP) {
			subjects_by_cgroup(&set, slot, dim);
		} else if (dim == DIM_EXE) {
			subjects_add(&set, slot, dim, actor->exe.ino,
				     (__u64)actor->exe.dev << 32 |
					     actor->exe.generation);
		} else if (dim == DIM_USER) {
			subjects_add(&set, slot, dim, actor->user, 0);
		} else {
			subjects_add(&set, slot, dim, actor->login, 0);
			if (actor->login != INVALID_UID)
				subjects_add(&set, slot, dim, ~0ULL, 0);
		}
		set_and(ret_set, &set);
	}
	return 0;
}

/* Subjects that ask for a group: not cached, a process can have many. */
static __noinline int subjects_of_groups(struct subject_set *ret_set,
					 __u32 slot)
{
	struct subject_dims *d = bpf_map_lookup_elem(&dims, &slot);
	struct subject_set set;

	if (!d || !(d->used >> DIM_GROUP & 1))
		return 0;
	set = d->any[DIM_GROUP];
	subjects_by_group(&set, slot);
	set_and(ret_set, &set);
	return 0;
}

/*
 * The subjects that the current task is, as bits. Called from a hook's own
 * frame, before the deep ones.
 */
__noinline int subjects_of(__u64 policy, struct subject_set *ret_set)
{
	struct subject_set *found, set;
	struct actor actor;

	if (!ret_set)
		return 0;
	actor_of(&actor, policy);
	found = bpf_map_lookup_elem(&actors, &actor);
	if (found) {
		*ret_set = *found;
	} else {
		/* 6.1 takes no value for a map from a caller's frame. */
		subjects_compute(&actor, &set);
		bpf_map_update_elem(&actors, &actor, &set, BPF_ANY);
		*ret_set = set;
	}
	return subjects_of_groups(ret_set, policy >> 32 & 1);
}

static __always_inline int lowest_bit(__u64 x)
{
	return bits_set((x & -x) - 1);
}

/* The lowest bit, the most specific subject, that is in both sets. -1: none. */
static __always_inline int lowest_of_both(const struct subject_set *a,
					  const struct subject_set *b)
{
	__u64 both;
	int i;

	for (i = 0; i < CORDON_SUBJECTS / 64; i++) {
		both = a->bits[i] & b->bits[i];
		if (both)
			return i * 64 + lowest_bit(both);
	}
	return -1;
}

/*
 * The place of the rule that decides over what a member of @set does with
 * @dataset: the one of the most specific subject that has any. -1: none.
 */
__noinline int rule_place(__u32 slot, __u32 dataset, struct subject_set *set)
{
	struct dataset_rules *d;
	int subject;
	__u32 at;

	if (!set)
		return -1;
	at = slot * CORDON_DATASETS + dataset;
	d = bpf_map_lookup_elem(&datasets, &at);
	if (!d)
		return -1;
	subject = lowest_of_both(set, &d->has);
	if (subject < 0)
		return -1;
	at = d->rule[subject & (CORDON_SUBJECTS - 1)];
	if (at >= CORDON_RULES)
		return -1;
	return at + slot * CORDON_RULES;
}

/* The same for the current thread. */
__noinline int rule_place_now(__u64 policy, __u32 dataset)
{
	struct subject_set set = {};

	subjects_of(policy, &set);
	return rule_place(policy >> 32 & 1, dataset, &set);
}

/* The rule at @place, for the current thread and @a->dataset. */
static __always_inline struct rule *rule_at(struct act *a, int place)
{
	struct task_struct *task = bpf_get_current_task_btf();
	__u32 at = a->slot * CORDON_DATASETS + a->dataset;
	struct dataset_rules *d;
	struct rule *rule;

	a->rule = 0;
	a->subject = 0;
	a->flags = RULE_BLOCK;
	a->row = 0;
	d = bpf_map_lookup_elem(&datasets, &at);
	if (!d)
		return NULL;
	if (a->dest == CORDON_DEST_READ)
		a->row = d->record_bytes;
	else
		a->floor = d->narrow.floor;
	at = place;
	rule = bpf_map_lookup_elem(&rules, &at); /* -1 is out of range */
	if (!rule)
		return NULL;
	if (a->dest != CORDON_DEST_READ)
		a->floor = tighter_floor(a->floor, rule->narrow.floor);
	a->rule = rule->id;
	a->subject = rule->subject;
	a->flags = rule->flags;
	a->who = CORDON_HOST_WIDE;
	if (rule->flags & RULE_PER_USER) {
		a->who = login_of(task);
		if (a->who == INVALID_UID)
			a->who = user_of(task);
	}
	return rule;
}

/* ---- what was found out before ----------------------------------------- */

/* Are these the facts about the current thread? */
static __always_inline int facts_hold(const struct facts *f, __u64 policy)
{
	struct task_struct *task = bpf_get_current_task_btf();
	const struct cred *cred = task->cred;
	struct mm_struct *mm = task->mm;

	return f->policy == policy && mm && f->exe == (__u64)mm->exe_file &&
	       f->uid == cred->uid.val && f->user == cred->euid.val &&
	       f->group == cred->egid.val &&
	       f->user_ns == (__u64)cred->user_ns &&
	       f->login == task->loginuid.val &&
	       f->session == task->sessionid &&
	       f->cgroup == bpf_get_current_cgroup_id();
}

static __noinline int facts_take(struct facts *f, __u64 policy)
{
	struct task_struct *task = bpf_get_current_task_btf();
	const struct cred *cred = task->cred;
	struct mm_struct *mm = task->mm;
	__u32 slot = policy >> 32 & 1;
	struct subject_dims *d = bpf_map_lookup_elem(&dims, &slot);

	f->policy = ~0ULL;
	if (!mm || !d || d->used >> DIM_GROUP & 1)
		return 0;
	f->cgroup = bpf_get_current_cgroup_id();
	f->exe = (__u64)mm->exe_file;
	f->uid = cred->uid.val;
	f->user = cred->euid.val;
	f->group = cred->egid.val;
	f->user_ns = (__u64)cred->user_ns;
	f->login = task->loginuid.val;
	f->session = task->sessionid;
	f->policy = policy;
	return 0;
}

/*
 * The memo of the current thread; *@ret_same: its facts still hold. NULL: no
 * room for it, which costs time and never changes an answer.
 */
static __always_inline struct memo *memo_of(__u64 policy, int *ret_same)
{
	struct memo *m;

	m = bpf_task_storage_get(&memos, bpf_get_current_task_btf(), 0,
				 BPF_LOCAL_STORAGE_GET_F_CREATE);
	*ret_same = m && facts_hold(&m->facts, policy);
	return m;
}

/* Begins anew with what the facts are now. */
static __noinline int memo_renew(struct memo *m, __u64 policy)
{
	m->asked = 0;
	m->until = 0;
	m->origin = 0;
	m->whole = 0;
	m->pass = 0;
	m->dataset = 0;
	return facts_take(&m->facts, policy);
}

/* The memo of the current thread, begun anew if its facts have changed. */
static __noinline struct memo *memo_now(__u64 policy)
{
	struct memo *m;
	int same;

	m = memo_of(policy, &same);
	if (m && !same)
		memo_renew(m, policy);
	return m;
}

/* The place of the rule for @dataset. Call it in a hook's own frame. */
static __noinline int memo_place(struct memo *m, int same, __u64 policy,
				 __u32 dataset)
{
	int place;

	if (!m)
		return rule_place_now(policy, dataset);
	if (same && m->dataset == dataset)
		return m->place;
	memo_renew(m, policy);
	place = rule_place_now(policy, dataset);
	m->place = place;
	m->dataset = dataset;
	/* Moved to another cgroup meanwhile: of which of them is this? */
	if (!facts_hold(&m->facts, policy))
		m->facts.policy = ~0ULL;
	return place;
}

#endif
