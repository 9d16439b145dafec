/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * again.h - a second program for what the kernel may skip.
 *
 * The kernel does not run a tracing program (fmod_ret, fentry, tp_btf) on a
 * CPU where another task was preempted in the middle of the same program: the
 * act would go unjudged. So where the kernel preempts itself, each hook that
 * decides has a second program, again_NAME, that runs after the first. The
 * first leaves a ticket saying that it judged; the second takes it, and judges
 * itself where there is none. That it has little to do as a rule is what makes
 * it unlikely that somebody was preempted in both.
 *
 * The kernel runs programs of one function from the last attached to the
 * first, so the agent attaches again_NAME before NAME. Were it the other way
 * round, acts would be charged twice, never too little.
 */
#ifndef CORDON_AGAIN_H
#define CORDON_AGAIN_H

/* 0, or there was no room. */
static __noinline int ticket_leave(__u32 hook, const void *about, int verdict)
{
	struct task_struct *task = bpf_get_current_task_btf();
	struct ticket_key key = {.pid = task->pid, .hook = hook};
	struct ticket ticket = {.about = (__u64)about, .verdict = verdict};

	return (int)bpf_map_update_elem(&tickets, &key, &ticket, BPF_ANY);
}

/* Is there a ticket about @about? Takes it if @take. */
static __noinline int ticket_find(__u32 hook, const void *about, int take,
				  int *ret_verdict)
{
	struct task_struct *task = bpf_get_current_task_btf();
	struct ticket_key key = {.pid = task->pid, .hook = hook};
	struct ticket *ticket = bpf_map_lookup_elem(&tickets, &key);

	if (!ticket || ticket->about != (__u64)about)
		return 0;
	*ret_verdict = ticket->verdict;
	if (take)
		bpf_map_delete_elem(&tickets, &key);
	return 1;
}

/* The thread is over. */
static __always_inline void tickets_drop(__u32 pid)
{
	struct ticket_key key = {.pid = pid};

	key.hook = HOOK_SOCKET_SENDMSG;
	bpf_map_delete_elem(&tickets, &key);
	key.hook = HOOK_SPLICE_WRITE;
	bpf_map_delete_elem(&tickets, &key);
	if (!state.again)
		return;
	key.hook = HOOK_FILE_OPEN;
	bpf_map_delete_elem(&tickets, &key);
	key.hook = HOOK_FILE_PERMISSION;
	bpf_map_delete_elem(&tickets, &key);
	key.hook = HOOK_MMAP_FILE;
	bpf_map_delete_elem(&tickets, &key);
	key.hook = HOOK_INET_SENDPAGE;
	bpf_map_delete_elem(&tickets, &key);
	key.hook = HOOK_PIPE_READ;
	bpf_map_delete_elem(&tickets, &key);
}

/* Is anything of @file charged? NULL for anonymous memory. */
static __noinline int is_charged(const struct file *file)
{
	const struct inode *inode;
	__u32 dev;

	if (!file)
		return 0;
	inode = BPF_CORE_READ(file, f_inode);
	dev = BPF_CORE_READ(inode, i_sb, s_dev);
	if (holds() && way_possible(BPF_CORE_READ(inode, i_mode) & S_IFMT,
				    BPF_CORE_READ(inode, i_rdev), dev,
				    BPF_CORE_READ(inode, i_sb, s_magic)))
		return 1;
	if (fs_derived(dev) &&
	    derived_possible(BPF_CORE_READ(inode, i_ino), dev))
		return 1;
	return label_read(inode) != NULL;
}

/* What the first program of a hook about @file returns. */
static __noinline int judged_first(__u32 hook, const struct file *file, int r)
{
	if (!r && state.again && is_charged(file))
		ticket_leave(hook, file, 0);
	return r;
}

/* Asked by the second: is there nothing left to judge? */
static __noinline int judged_before(__u32 hook, const struct file *file)
{
	int verdict;

	return is_charged(file) && ticket_find(hook, file, 1, &verdict);
}

#endif
