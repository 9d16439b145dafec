/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * process.bpf.c - the life of a holding.
 *
 *   task_newtask         a child holds what its parent holds
 *   sched_process_exec   new memory: a shared holding is shared no longer
 *   sched_process_exit   the last thread gone, the holding goes
 *
 * Processes are known by tgid, which an exec by any thread keeps. A tgid can
 * be used again, so what is left of its last owner is cleared when a process
 * is made, before it first runs.
 */

static __noinline int charges_copy(__u64 from, __u64 to)
{
	struct charges *all = bpf_map_lookup_elem(&charges, &from), *copy;
	__u32 i;

	if (!all)
		return 0;
	copy = charges_make(to);
	if (!copy)
		return 0;
	bpf_spin_lock(&all->lock);
	__builtin_memcpy(copy->at, all->at, sizeof(copy->at));
	bpf_spin_unlock(&all->lock);
#pragma clang loop unroll(disable)
	for (i = 0; i < CORDON_CHARGES; i++)
		copy->at[i].wire_bytes |= CHARGE_COPIED;
	return 0;
}

/* Copies @from into @to, which nobody else can see yet, for @task. */
static __noinline int holding_copy(struct holding *from, struct holding *to,
				   const struct task_struct *task)
{
	/* First: of something that comes meanwhile it was charged nothing. */
	charges_copy(from->id, to->id);
	bpf_spin_lock(&from->lock);
	__builtin_memcpy(to->shares, from->shares, sizeof(to->shares));
	to->only = from->only;
	bpf_spin_unlock(&from->lock);
	/*
	 * Who is a mere copy and did nothing is left out of the chain; but what
	 * the first one came by after that is not in this copy.
	 */
	if (!from->first && from->born.from) {
		to->born.from = from->born.from;
		to->born.time_ns = from->born.time_ns;
	} else {
		to->born.from = from->id;
		to->born.time_ns = bpf_ktime_get_boot_ns();
	}
	step_who_of(task, &to->born.who);
	return 0;
}

/* What the process had. Two may come here at once; one of them deletes. */
static __noinline int process_drop(__u32 tgid)
{
	struct process *p = bpf_map_lookup_elem(&processes, &tgid);
	__u64 id;

	if (!p)
		return 0;
	id = p->holding;
	if (!bpf_map_delete_elem(&processes, &tgid))
		holding_drop(id);
	return 0;
}

/*
 * Will two tasks use the same memory at once that belong to two processes? Not
 * while the only thread of a process waits for its vfork(2) child, which is
 * common: what that one reads, holding_make() notes for its parent as well.
 * But if the child starts a thread or another child, if its parent has other
 * threads, or if the process that has it as its child is not the one whose
 * memory it uses.
 */
static __always_inline int shares_memory(const struct task_struct *current,
					 unsigned long flags)
{
	if (!(flags & CLONE_VM) || current->flags & PF_KTHREAD)
		return 0;
	if (current->vfork_done)
		return 1;
	if (flags & CLONE_THREAD)
		return 0;
	return !(flags & CLONE_VFORK) || flags & CLONE_PARENT ||
	       current->signal->nr_threads > 1;
}

/* Not inline: to find out who is narrow takes much of the stack. */
static __noinline int process_unknown(__u32 tgid)
{
	struct act a;

	/* Marked without an entry: held, as much as there is. */
	holder_mark(tgid);
	act_begin(&a, policy_now(), 0, CHANNEL_OTHER);
	return act_fault(&a, FAULT_PROCESS_FULL);
}

static __always_inline int on_task_newtask(struct task_struct *task,
					   unsigned long flags)
{
	struct task_struct *current = bpf_get_current_task_btf();
	__u32 parent, child = task->tgid;
	struct process *p, new = {};
	struct holding *h, *copy;
	int together = 0, shares;

	parent = current->tgid;
	shares = state.armed && shares_memory(current, flags);
	if (shares) {
		/* Before there is anything in it. */
		if (!is_holder(parent))
			holding_make(parent);
		commons_pair_vfork();
	}
	if (flags & CLONE_THREAD)
		return 0; /* the process it belongs to is known already */
	probed(HOOK_NEWTASK);
	if (is_holder(child)) {
		process_drop(child);
		holder_clear(child);
	}
	if (state.commons) {
		sharer_drop(child);
		together = commons_inherit(parent, child);
	}
	if (!is_holder(parent))
		return together ? commons_follow(child) : 0;
	p = bpf_map_lookup_elem(&processes, &parent);
	if (!p)
		goto unknown;
	new.holding = p->holding;
	new.executed = p->executed;
	if (new.executed == EXECUTED_NOTHING && narrow_now())
		new.executed = EXECUTED_NOT_YET;
	h = bpf_map_lookup_elem(&holdings, &new.holding);
	if (!h)
		goto unknown;
	if (flags & CLONE_VM || together) {
		__sync_fetch_and_add(&h->refs, 1);
	} else if (holding_empty(h)) {
		return 0; /* its memory was copied before this */
	} else {
		copy = holding_new(&new.holding);
		if (!copy)
			goto unknown;
		holding_copy(h, copy, task);
	}
	if (bpf_map_update_elem(&processes, &child, &new, BPF_ANY)) {
		holding_drop(new.holding);
		goto unknown;
	}
	holder_mark(child);
	if (together)
		return commons_follow(child);
	/* One alone may come by another holding, or map what both then have. */
	return shares ? commons_of_two(parent, child, new.holding) : 0;
unknown:
	process_unknown(child);
	return 0;
}

SEC("tp_btf/task_newtask")
int BPF_PROG(tp_task_newtask, struct task_struct *task, unsigned long flags)
{
	return on_task_newtask(task, flags);
}

/* See again.h. For who holds nothing, twice is as good as once. */
SEC("tp_btf/task_newtask")
int BPF_PROG(again_task_newtask, struct task_struct *task, unsigned long flags)
{
	if (is_holder(task->tgid))
		return 0;
	return on_task_newtask(task, flags);
}

/* The process of @task has executed something: who was it before? */
static __noinline int process_executes(struct task_struct *task)
{
	struct memo *m = bpf_task_storage_get(&memos, task, 0, 0);
	__u32 tgid = task->tgid;
	struct process *p = bpf_map_lookup_elem(&processes, &tgid);

	if (p && (p->executed == EXECUTED_NOT_YET || (m && m->narrow)))
		p->executed = EXECUTED_BY_NARROW;
	return 0;
}

static __noinline int on_process_exec(struct task_struct *task)
{
	__u32 tgid = task->tgid;
	struct process *p, new = {};
	struct holding *h, *copy;
	__u64 old;

	probed(HOOK_EXEC);
	if (is_holder(tgid))
		process_executes(task);
	bpf_task_storage_delete(&memos, task);
	if (state.commons) {
		if (pool_keeps(tgid))
			return 0;
		sharer_drop(tgid);
	}
	if (!is_holder(tgid))
		return 0;
	p = bpf_map_lookup_elem(&processes, &tgid);
	if (!p)
		return 0;
	old = p->holding;
	h = bpf_map_lookup_elem(&holdings, &old);
	if (h && holding_empty(h)) {
		/* Nothing was read into the memory that it leaves behind. */
		bpf_map_delete_elem(&processes, &tgid);
		holder_clear(tgid);
		holding_drop(old);
		return 0;
	}
	if (!h)
		return 0;
	if (h->refs <= 1) {
		step_who_of(task, &h->born.who);
		return 0;
	}
	/* Without room they go on sharing: more than the truth, never less. */
	copy = holding_new(&new.holding);
	if (!copy)
		return 0;
	holding_copy(h, copy, task);
	new.executed = p->executed;
	if (bpf_map_update_elem(&processes, &tgid, &new, BPF_EXIST)) {
		holding_drop(new.holding);
		return 0;
	}
	holding_drop(old);
	return 0;
}

SEC("tp_btf/sched_process_exec")
int BPF_PROG(tp_sched_process_exec, struct task_struct *task)
{
	on_process_exec(task);
	/* Who could get at the memory before can get at this too. */
	if (task->ptrace)
		commons_pair(task->tgid, BPF_CORE_READ(task, parent, tgid));
	return 0;
}

static __always_inline int on_process_exit(const struct task_struct *task)
{
	__u32 tgid = task->tgid, pid = task->pid;

	if (task->tgid == task->pid)
		probed(HOOK_EXIT);
	/* Its number is free for somebody who is not the agent. */
	if (state.agent == tgid && !task->signal->live.counter)
		state.agent = 0;
	if (state.commons && !task->signal->live.counter)
		sharer_drop(tgid);
	if (!is_holder(tgid))
		return 0;
	bpf_map_delete_elem(&pendings, &pid);
	tickets_drop(pid);
	if (task->signal->live.counter)
		return 0; /* other threads go on */
	return process_drop(tgid);
}

SEC("tp_btf/sched_process_exit")
int BPF_PROG(tp_sched_process_exit, struct task_struct *task)
{
	return on_process_exit(task);
}

/* See again.h. */
SEC("tp_btf/sched_process_exit")
int BPF_PROG(again_sched_process_exit, struct task_struct *task)
{
	return on_process_exit(task);
}
