/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * probe.h - proof of life: a hook that sees the agent's own probing thread
 * says so in a bit, and the agent compares.
 */
#ifndef CORDON_PROBE_H
#define CORDON_PROBE_H

static __always_inline void probed(__u32 hook)
{
	struct task_struct *task;

	if (!state.probe_tid)
		return;
	task = bpf_get_current_task_btf();
	if (state.probe_tid == (__u32)task->pid)
		__sync_fetch_and_or(&state.probed, 1ULL << hook);
}

#endif
