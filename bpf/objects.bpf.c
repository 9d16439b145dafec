/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * objects.bpf.c - data that goes from one process to another by what is neither
 * a file nor a stream: what the kernel keeps for who may ask for it, and what
 * it tells one process of another.
 *
 *   key_alloc, key_permission, key_free
 *                      keys; and those that the kernel asks a program for
 *   sem_semop, sem_semctl, sem_free
 *                      System V semaphores
 *   task_kill          signals with a value of the sender's
 *   seccomp_notify_ioctl
 *                      who is told of another's system calls
 *   file_ioctl         who gets at another's memory by userfaultfd
 *   dump_emit          core dumps to a helper
 *   bpf                maps, programs and types of BPF
 *
 * Keys and sets of semaphores are carriers (carry.h). Who may be told what is
 * in them, or that it is there, takes it: a key's name is data too.
 */

/* ---- keys -------------------------------------------------------------- */

enum key_kind {
	KEY_OTHER,
	KEY_RING,
	KEY_UPCALL, /* before the kernel asks a program, and for nothing else */
};

/* Longer than what sessions and users' rings are called. */
#define RING_NAME_MAX 32

static __noinline int has_long_name(const struct key *key)
{
	char name[RING_NAME_MAX + 2] = {};

	return bpf_probe_read_kernel_str(name, sizeof(name),
					 BPF_CORE_READ(key, description)) ==
	       sizeof(name);
}

static __noinline int key_kind(const struct key *key)
{
	static const char upcall[] = ".request_key_auth", ring[] = "keyring";
	char name[sizeof(upcall)] = {};
	int is_upcall = 1, is_ring = 1;
	__u32 i;

	bpf_probe_read_kernel_str(name, sizeof(name),
				  BPF_CORE_READ(key, type, name));
	for (i = 0; i < sizeof(upcall); i++)
		is_upcall &= name[i] == upcall[i];
	for (i = 0; i < sizeof(ring); i++)
		is_ring &= name[i] == ring[i];
	if (is_upcall)
		return KEY_UPCALL;
	return is_ring ? KEY_RING : KEY_OTHER;
}

/*
 * For a key that is not there the kernel asks a program of its own, as root,
 * and tells it what was asked for: a DNS name, for one. That is refused. A ring
 * has nothing of its own but its name: a session makes one when it begins.
 */
static __always_inline int on_key_alloc(const struct key *key)
{
	int kind;

	probed(HOOK_KEY_ALLOC);
	if (!holds())
		return 0;
	kind = key_kind(key);
	if (kind == KEY_UPCALL)
		return refuse_unasked();
	if (kind == KEY_RING && !has_long_name(key))
		return 0;
	return carried_out(key, BYTES_UNKNOWN);
}

/*
 * What is asked for is the permission to do it, in all ways but one: who has a
 * key in a ring may read it without being permitted to, but has been permitted
 * to find it. The key's address is in a type that the verifier lets nobody
 * read; its lowest bit says that it is in such a ring.
 */
static __always_inline int on_key_permission(void *ctx, __u32 need, int again)
{
	struct task_struct *task = bpf_get_current_task_btf();
	const struct key *key;
	__u64 ref = 0;

	probed(HOOK_KEY_PERMISSION);
	if (bpf_get_func_arg(ctx, 0, &ref))
		return 0;
	key = (const struct key *)(ref & ~1ULL);
	if (need == KEY_NEED_WRITE) {
		if (!is_holder(task->tgid) || key_kind(key) != KEY_OTHER)
			return 0;
		return carried_off(key, BYTES_UNKNOWN);
	}
	return may_carry(key) ? carried_in(key, BYTES_UNKNOWN, again, STEP_KEY)
			      : 0;
}

HOP(hop_key_permission, "fentry/security_key_permission",
    on_key_permission(ctx, need, again), void *ref, const struct cred *cred,
    int need)

HOP(hop_key_free, "fentry/security_key_free",
    may_carry(key) ? carried_end(key) : 0, struct key *key)

/* ---- semaphores -------------------------------------------------------- */

/* Whether it waits says something too. */
static __always_inline int on_semop(const struct kern_ipc_perm *set, __u32 n,
				    int alter, int again)
{
	struct task_struct *task = bpf_get_current_task_btf();

	probed(HOOK_SEM_SEMOP);
	if (may_carry(set))
		carried_in(set, BYTES_UNKNOWN, again, STEP_SEMAPHORE);
	if (!alter || !is_holder(task->tgid))
		return 0;
	return carried_off(set, given(2 * (__u64)n));
}

static __always_inline int on_semctl(const struct kern_ipc_perm *set,
				     __u32 command, int again)
{
	struct task_struct *task = bpf_get_current_task_btf();

	probed(HOOK_SEM_SEMCTL);
	if (command == SETVAL || command == SETALL)
		return is_holder(task->tgid) ? carried_off(set, BYTES_UNKNOWN)
					     : 0;
	if (command < GETPID || command > GETZCNT || !may_carry(set))
		return 0;
	return carried_in(set, BYTES_UNKNOWN, again, STEP_SEMAPHORE);
}

HOP(hop_semop, "fentry/security_sem_semop", on_semop(set, n, alter, again),
    struct kern_ipc_perm *set, struct sembuf *what, unsigned int n, int alter)

HOP(hop_semctl, "fentry/security_sem_semctl", on_semctl(set, command, again),
    struct kern_ipc_perm *set, int command)

HOP(hop_sem_free, "fentry/security_sem_free",
    may_carry(set) ? carried_end(set) : 0, struct kern_ipc_perm *set)

/* ---- signals ----------------------------------------------------------- */

static __noinline int signal_told(const struct task_struct *to)
{
	struct task_struct *task = bpf_get_current_task_btf();
	struct holding *h = holding_of(task->tgid);

	if (!h) {
		carry_fault(FAULT_UNKNOWN_HOLDING);
		bpf_send_signal(SIGKILL);
		return 0;
	}
	if (holding_empty(h))
		return 0;
	return handed_to(h->id, to, STEP_SIGNAL);
}

/*
 * Those of kill(2) and tkill(2) have no more than their number. With a @cred it
 * is a device's, which somebody asked for before: then `current' means nothing.
 */
static __always_inline int on_task_kill(const struct task_struct *to,
					const struct kernel_siginfo *info,
					const struct cred *cred)
{
	struct task_struct *task = bpf_get_current_task_btf();
	int code;

	probed(HOOK_TASK_KILL);
	/* As a number: 7.2 takes no argument to be NULL. */
	if (!is_holder(task->tgid) || number_of(cred))
		return 0;
	code = BPF_CORE_READ(info, si_code); /* 0 where there is no info */
	if (code >= 0 || code == SI_TKILL || to->tgid == task->tgid)
		return 0;
	return signal_told(to);
}

HOP(hop_task_kill, "fentry/security_task_kill", on_task_kill(to, info, cred),
    struct task_struct *to, struct kernel_siginfo *info, int sig,
    const struct cred *cred)

/* ---- system calls ------------------------------------------------------ */

/* More wait nowhere; who does not answer them has its own children wait. */
#define LISTENED_MAX 4096

struct listening {
	__u64 at; /* address of a list_head; 0: that was all */
	__u64 head;
	__u64 to; /* the holding that takes; 0: it is only looked for somebody
		   * who has one */
	__u64 found;
};

static long listen_to_one(__u32 i, struct listening *l)
{
	struct task_struct *task = bpf_get_current_task_btf();
	const struct seccomp_knotif *n = NULL;
	struct holding *h;
	__u64 at = l->at;
	__u32 tgid;

	if (at == l->head || !at) {
		l->at = 0;
		return 1;
	}
	n = (const void *)(at - bpf_core_field_offset(n->list));
	tgid = BPF_CORE_READ(n, task, tgid);
	l->at = (__u64)BPF_CORE_READ(n, list.next);
	if (tgid == task->tgid || !is_holder(tgid))
		return 0;
	h = holding_of(tgid);
	if (!h || holding_empty(h))
		return 0;
	l->found = 1;
	if (!l->to)
		return 1;
	if (h->id != l->to)
		step_by_current(holding_take(l->to, h->id,
					     STEP_CALL | STEP_BY_CURRENT));
	return 0;
}

/* All that wait at @l's head. Returns 0, or -1 if they were too many. */
static __noinline int listen_each(struct listening *l)
{
	const struct list_head *head = (const void *)l->head;

	l->at = (__u64)BPF_CORE_READ(head, next);
	bpf_loop(LISTENED_MAX, listen_to_one, l, 0);
	if (!l->at || l->at == l->head)
		return 0;
	return l->found && !l->to ? 0 : -1;
}

/*
 * A supervisor has got the registers of another's system call. Which of those
 * that wait it was stands in its own memory, which another thread may have
 * changed: so it takes what all of them have.
 */
static __noinline int listen_to_all(const struct file *file)
{
	struct task_struct *task = bpf_get_current_task_btf();
	const struct seccomp_filter *filter = BPF_CORE_READ(file, private_data);
	const struct notification *waiting = BPF_CORE_READ(filter, notif);
	struct listening l = {};
	struct holding *h;

	if (!waiting)
		return 0;
	l.head = (__u64)waiting + bpf_core_field_offset(waiting->notifications);
	if (listen_each(&l))
		return carry_unknown();
	if (!l.found)
		return 0;
	commons_begin_now();
	h = holding_make(task->tgid);
	if (!h)
		return carry_unknown();
	l.to = h->id;
	return listen_each(&l) ? carry_unknown() : 0;
}

static __always_inline int on_listener(const struct file *file, __u32 command,
				       __s64 ret)
{
	struct task_struct *task = bpf_get_current_task_btf();

	/* Of what ends in a page that is not there some was copied. */
	if (IOC_TYPE_NR(command) != SECCOMP_NOTIF_RECV_NR ||
	    (ret && ret != -EFAULT) || is_kernels(task))
		return 0;
	return listen_to_all(file);
}

HOP(hop_listener, "fexit/seccomp_notify_ioctl", on_listener(file, command, ret),
    struct file *file, unsigned int command, unsigned long arg, long ret)

/* ---- memory ------------------------------------------------------------ */

/*
 * Who has a userfaultfd fills the memory of who made it. Of any command: who
 * only wakes is told where the other has touched it. Others can have the number
 * that the command has, but no other file this name.
 */
static __noinline int on_userfault(const struct file *file)
{
	static const char kind[] = "[userfaultfd]";
	struct task_struct *task = bpf_get_current_task_btf();
	const struct userfaultfd_ctx *ctx;
	char name[sizeof(kind)] = {};
	__u32 i, tgid;

	if (BPF_CORE_READ(file, f_inode, i_sb, s_magic) != ANON_INODE_FS_MAGIC)
		return 0;
	bpf_probe_read_kernel_str(
		name, sizeof(name),
		BPF_CORE_READ(file, f_path.dentry, d_name.name));
	for (i = 0; i < sizeof(name); i++)
		if (name[i] != kind[i])
			return 0;
	ctx = BPF_CORE_READ(file, private_data);
	tgid = BPF_CORE_READ(ctx, mm, owner, tgid);
	if (!tgid || is_kernels(task))
		return 0;
	return commons_pair(task->tgid, tgid);
}

/* ---- core dumps -------------------------------------------------------- */

/*
 * The kernel writes a core to the pipe of its helper itself, and asks nobody;
 * first of all what is given to this.
 */
static __always_inline int on_dump(const struct coredump_params *core)
{
	struct task_struct *task = bpf_get_current_task_btf();
	const struct inode *inode;

	if (!is_holder(task->tgid))
		return 0;
	inode = BPF_CORE_READ(core, file, f_inode);
	if ((BPF_CORE_READ(inode, i_mode) & S_IFMT) != S_IFIFO)
		return 0;
	return carried_off(BPF_CORE_READ(inode, i_pipe), BYTES_UNKNOWN);
}

HOP(hop_dump, "fentry/dump_emit", on_dump(core), struct coredump_params *core)

/* ---- BPF --------------------------------------------------------------- */

/*
 * A map, a program or a type keeps what it is given for whoever has the
 * descriptor. Nothing of that is of use without privileges, but where the host
 * allows it to all, or hands it out; with them it is root's.
 */
static __always_inline int on_bpf(void)
{
	probed(HOOK_BPF);
	if (!holds() || privileged(1ULL << CAP_SYS_ADMIN | 1ULL << CAP_BPF))
		return 0;
	return refuse_unasked();
}
