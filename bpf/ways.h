/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * ways.h - ways out that are no socket: what may be one, and how much goes.
 *
 * A file whose file system is in the table of abi.h, or is a mount that the
 * policy names, lies elsewhere: who writes to it sends. So does who writes to
 * a device, but to those that are memory, a terminal of this host or a screen.
 * ways.bpf.c judges.
 */
#ifndef CORDON_WAYS_H
#define CORDON_WAYS_H

static __always_inline int fs_is_remote(__u32 magic)
{
#define IS_REMOTE(name, number) || magic == (number)
	return 0 CORDON_REMOTE_FS(IS_REMOTE);
#undef IS_REMOTE
}

/* Is it perhaps a mount that the policy names? */
static __always_inline int fs_is_named(__u32 dev)
{
	return state.fs_sends[fs_place(dev)];
}

/*
 * Does what is written to the device stay on the host, where others are noted
 * that read it, or nowhere? What /dev/tty and /dev/console stand for is looked
 * at when they are written to.
 */
static __always_inline int device_stays(__u32 mode, __u32 dev)
{
	__u32 major = MAJOR(dev), minor = MINOR(dev);

	if (mode != S_IFCHR)
		return 0;
	if (major == MEM_MAJOR) /* null, zero, full, random, urandom */
		return minor == 3 || minor == 5 || (minor >= 7 && minor <= 9);
	if (major == TTY_MAJOR) /* behind the screens are serial lines */
		return minor <= MAX_NR_CONSOLES;
	return major == PTY_MASTER_MAJOR || major == PTY_SLAVE_MAJOR ||
	       (major >= UNIX98_PTY_MASTER_MAJOR &&
		major <= UNIX98_PTY_SLAVE_LAST) ||
	       dev == PTMX_DEVICE || dev == WATCHDOG_DEVICE;
}

/* Is the object of @mode that a holder writes to perhaps a way out? */
static __always_inline int way_possible(__u32 mode, __u32 rdev, __u32 dev,
					__u32 magic)
{
	if (mode == S_IFREG)
		return fs_is_remote(magic) || fs_is_named(dev);
	return (mode == S_IFCHR || mode == S_IFBLK) &&
	       !device_stays(mode, rdev);
}

/*
 * No holder may have these, whatever the rule says: packets to a TUN device
 * pass no socket, and a loop device shows a file to whoever reads the device.
 */
static __always_inline int never_passes(__u32 mode, __u32 rdev)
{
	return mode == S_IFCHR &&
	       (rdev == TUN_DEVICE || rdev == LOOP_CONTROL_DEVICE);
}

static __always_inline int sets_loop(__u32 cmd)
{
	return cmd == LOOP_SET_FD || cmd == LOOP_CHANGE_FD ||
	       cmd == LOOP_CONFIGURE;
}

/*
 * Do the registers tell of the read or write that is under way? io_uring runs
 * them in workers, whose registers are copies, and at the end of any system
 * call; what stands in ax then is up to the process (seccomp). So never with a
 * ring.
 */
static __always_inline int regs_tell(const struct task_struct *task)
{
	return !(task->flags & PF_WORKERS) && !task->io_uring;
}

/*
 * At most how many bytes the call under way writes to a file. None at all,
 * though it asks as a write does, if it is fallocate(2).
 */
static __noinline __u64 written_most(void)
{
	struct task_struct *task = bpf_get_current_task_btf();
	struct pt_regs *regs = (struct pt_regs *)bpf_task_pt_regs(task);
	__u64 nr = regs->orig_ax;

	if (!regs_tell(task) || task->thread_info.status & TS_COMPAT)
		return BYTES_UNKNOWN;
	if (nr == NR_fallocate)
		return 0;
	if (nr != NR_write && nr != NR_pwrite64)
		return BYTES_UNKNOWN;
	return regs->dx < MAX_RW_COUNT ? regs->dx : MAX_RW_COUNT;
}

#endif
