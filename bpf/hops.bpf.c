/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * hops.bpf.c - data that goes from one process to another, and what carries it.
 *
 *   file_permission    pipes: a writer before it writes, a reader that may read
 *   pipe_read          a reader that waited until there was something
 *   pipe_lock, pipe_wait_readable
 *                      splice, vmsplice: who takes, before it does
 *   pipe_unlock        the same: who puts, before anybody else can take
 *   pipe_double_lock   tee, splice from pipe to pipe: who does both
 *   iter_file_splice_write
 *                      splice from a pipe to a file: which file that is
 *   free_pipe_info     the end of a pipe
 *   socket_sendmsg     unix sockets: a writer, in net.bpf.c
 *   unix_stream_sendpage
 *                      the same for splice up to 6.4
 *   skb_copy_datagram_iter, skb_splice_bits
 *                      a reader, before it gets the bytes
 *   sk_free            the end of a socket, in net.bpf.c
 *   socket_setsockopt, tcp_getsockopt
 *                      who is going to take what arrives by TCP unseen
 *   egress             TCP and UDP on the loopback and between the networks of
 *                      the host: what arrives, in net.bpf.c and crossing.h
 *   __skb_recv_udp     a reader of UDP, before it gets the bytes; of TCP it is
 *                      the same as of unix sockets
 *   msg_queue_msgsnd, msg_queue_msgrcv, msg_queue_free
 *                      System V message queues
 *   do_mq_timedsend, do_mq_timedreceive, inode_free
 *                      POSIX message queues
 *   ptrace_access_check, ptrace_traceme, arch_ptrace, mem_read, mem_write
 *                      who gets at another's memory: commons.h
 *   io_msg_ring, io_uring_sync_msg_ring
 *                      messages from one io_uring to another
 *   access_remote_vm   who is shown a bit of it: command lines, environments
 *   tty_write, tty_read, tty_ioctl, pty_cleanup
 *                      pseudo terminals, each direction on its own
 *
 * A pipe is known by the address of its buffer. What waits in a unix socket
 * knows the socket that it was sent on, which stays until all of it is read: so
 * that one is the carrier, and who receives from others holds nothing of it.
 * What arrives by IP knows the socket it is for only, so there it is that one,
 * and what is sent on it is apart (carry.h).
 *
 * A program that the kernel may skip has a second one here too (again.h). It
 * needs no ticket, but where a declassifier is charged: to note a hop twice is
 * as good as once.
 */

/* 6.1 knows what an address is on the stack of its own function only. */
static __always_inline int carried_in(const void *object, __u64 bytes,
				      int again, __u32 kind)
{
	struct carry carry = {.object = (__u64)object,
			      .bytes = bytes,
			      .again = again,
			      .kind = kind};

	return carry_in(&carry);
}

static __always_inline int carried_early(const void *object)
{
	struct carry carry = {.object = (__u64)object, .kind = STEP_PIPE};

	return carry_early(&carry);
}

/* @bytes at most. */
static __always_inline int carried_out(const void *object, __u64 bytes)
{
	struct carry carry = {.object = (__u64)object, .bytes = bytes};

	return carry_out(&carry);
}

/* The bytes move, noted or not: where they cannot be noted, who moves them
 * ends. */
static __always_inline int carried_off(const void *object, __u64 bytes)
{
	if (carried_out(object, bytes))
		bpf_send_signal(SIGKILL);
	return 0;
}

/* A program and its second one; @again in @call tells which of them it is. */
#define HOP_IN(section, program, which, call, args...) \
	SEC(section)                                   \
	int BPF_PROG(program, args)                    \
	{                                              \
		const int again = which;               \
                                                       \
		(void)again;                           \
		return call;                           \
	}

#define HOP(name, section, call, args...)    \
	HOP_IN(section, name, 0, call, args) \
	HOP_IN(section, again_##name, 1, call, args)

/* ---- pipes ------------------------------------------------------------- */

/* Not inline: file_permission has no stack to give away. */
static __noinline int on_pipe_permission(struct inode *inode, int mask)
{
	struct task_struct *task;

	if (mask & MAY_WRITE) {
		task = bpf_get_current_task_btf();
		if (!is_holder(task->tgid))
			return 0;
		return carried_out(inode->i_pipe, narrow_now() ? written_most()
							       : BYTES_UNKNOWN);
	}
	if (!(mask & MAY_READ) || !may_carry(inode->i_pipe))
		return 0;
	return carried_early(inode->i_pipe);
}

static __always_inline int on_pipe_read(const struct kiocb *iocb, __s64 n,
					int again)
{
	const void *pipe;

	probed(HOOK_PIPE_READ);
	/* Of what ends in a page that is not there some was copied. */
	if (n <= 0 && n != -EFAULT)
		return 0;
	pipe = iocb->ki_filp->private_data;
	if (!may_carry(pipe))
		return 0;
	return carried_in(pipe, n < 0 ? BYTES_UNKNOWN : n, again, STEP_PIPE);
}

/*
 * Who splices from a pipe to a file is asked for the file before it takes
 * anything, and perhaps becomes a holder only then: the file is remembered.
 */
static __noinline int on_splice_begins(const struct file *out)
{
	struct task_struct *task = bpf_get_current_task_btf();
	const struct inode *inode = BPF_CORE_READ(out, f_inode);
	struct file_key key;

	if (is_holder(task->tgid)) {
		if (derived_write(inode, out))
			bpf_send_signal(SIGKILL);
		return 0;
	}
	if (!is_kernels(task) && derived_key(inode, &key) && !key.generation)
		ticket_leave(HOOK_SPLICE_WRITE, (const void *)key.ino, key.dev);
	return 0;
}

static __noinline int on_splice_takes(void)
{
	struct task_struct *task = bpf_get_current_task_btf();
	struct ticket_key key = {.pid = task->pid, .hook = HOOK_SPLICE_WRITE};
	struct ticket *ticket = bpf_map_lookup_elem(&tickets, &key);
	struct file_key file = {};

	if (!ticket || !is_holder(task->tgid))
		return 0;
	file.ino = ticket->about;
	file.dev = ticket->verdict;
	if (derived_note(&file))
		bpf_send_signal(SIGKILL);
	return 0;
}

static __noinline int on_splice_ends(void)
{
	struct task_struct *task = bpf_get_current_task_btf();
	struct ticket_key key = {.pid = task->pid, .hook = HOOK_SPLICE_WRITE};

	bpf_map_delete_elem(&tickets, &key);
	return 0;
}

/* Not the pipe inside of a sendfile(2): it is the task's own. */
static __always_inline int on_pipe_lock(const struct pipe_inode_info *pipe,
					int again)
{
	probed(HOOK_PIPE_LOCK);
	if (!pipe->files || !may_carry(pipe))
		return 0;
	carried_in(pipe, BYTES_UNKNOWN, again, STEP_PIPE);
	return on_splice_takes();
}

static __always_inline int on_pipe_unlock(const struct pipe_inode_info *pipe)
{
	struct task_struct *task = bpf_get_current_task_btf();

	probed(HOOK_PIPE_UNLOCK);
	if (!is_holder(task->tgid) || !pipe->files)
		return 0;
	return carried_off(pipe, BYTES_UNKNOWN);
}

static __always_inline int
on_pipe_double_lock(const struct pipe_inode_info *from,
		    const struct pipe_inode_info *to, int again)
{
	struct task_struct *task = bpf_get_current_task_btf();

	probed(HOOK_PIPE_DOUBLE_LOCK);
	if (may_carry(from))
		carried_in(from, BYTES_UNKNOWN, again, STEP_PIPE);
	return is_holder(task->tgid) ? carried_off(to, BYTES_UNKNOWN) : 0;
}

HOP(hop_splice_write, "fentry/iter_file_splice_write",
    pipe->files ? on_splice_begins(out) : 0, struct pipe_inode_info *pipe,
    struct file *out)

HOP(hop_splice_written, "fexit/iter_file_splice_write",
    pipe->files ? on_splice_ends() : 0, struct pipe_inode_info *pipe,
    struct file *out)

/* Up to 6.12, and later. */
HOP(hop_pipe_read, "fexit/pipe_read", on_pipe_read(iocb, n, again),
    struct kiocb *iocb, struct iov_iter *to, long n)

HOP(hop_anon_pipe_read, "fexit/anon_pipe_read", on_pipe_read(iocb, n, again),
    struct kiocb *iocb, struct iov_iter *to, long n)

HOP(hop_pipe_lock, "fexit/pipe_lock", on_pipe_lock(pipe, again),
    struct pipe_inode_info *pipe)

/* It lets the lock go and takes it again. */
HOP(hop_pipe_wait_readable, "fexit/pipe_wait_readable",
    on_pipe_lock(pipe, again), struct pipe_inode_info *pipe)

HOP(hop_pipe_unlock, "fentry/pipe_unlock", on_pipe_unlock(pipe),
    struct pipe_inode_info *pipe)

HOP(hop_pipe_double_lock, "fexit/pipe_double_lock",
    on_pipe_double_lock(from, to, again), struct pipe_inode_info *from,
    struct pipe_inode_info *to)

static __always_inline int on_pipe_free(const struct pipe_inode_info *pipe)
{
	probed(HOOK_PIPE_FREE);
	return may_carry(pipe) ? carried_end(pipe) : 0;
}

HOP(hop_free_pipe_info, "fentry/free_pipe_info", on_pipe_free(pipe),
    struct pipe_inode_info *pipe)

/* ---- unix sockets ------------------------------------------------------ */

static __always_inline int on_skb_copy(const struct sk_buff *skb, int hook,
				       __u32 bytes, int again)
{
	const struct sock *sk = skb->sk;
	int local;

	probed(hook);
	if (state.crossings)
		crossed_in_tcp(sk, bytes, again);
	if (!may_carry(sk))
		return 0;
	local = BPF_CORE_READ(sk, __sk_common.skc_family) == AF_UNIX;
	return carried_in(sk, bytes, again, local ? STEP_UNIX : STEP_LOOPBACK);
}

HOP(hop_skb_copy, "fentry/skb_copy_datagram_iter",
    on_skb_copy(skb, HOOK_SKB_COPY, len, again), const struct sk_buff *skb,
    int offset, struct iov_iter *to, int len)

HOP(hop_skb_splice, "fentry/skb_splice_bits",
    on_skb_copy(skb, HOOK_SKB_SPLICE, len, again), struct sk_buff *skb,
    struct sock *sk, unsigned int offset, struct pipe_inode_info *pipe,
    unsigned int len)

static __always_inline int on_unix_sendpage(const struct socket *sock,
					    size_t size)
{
	struct task_struct *task = bpf_get_current_task_btf();

	if (!is_holder(task->tgid) || !sock->sk)
		return 0;
	return carried_off(sock->sk, given(size));
}

/* Up to 6.4. */
SEC("fentry/unix_stream_sendpage")
int BPF_PROG(fentry_unix_sendpage, struct socket *sock, struct page *page,
	     int offset, size_t size)
{
	return on_unix_sendpage(sock, size);
}

SEC("fentry/unix_stream_sendpage")
int BPF_PROG(again_unix_sendpage, struct socket *sock, struct page *page,
	     int offset, size_t size)
{
	return on_unix_sendpage(sock, size);
}

/* ---- the loopback ------------------------------------------------------ */

static __always_inline int on_udp_recv(const struct sock *sk,
				       const struct sk_buff *skb, int again)
{
	probed(HOOK_UDP_RECV);
	if (skb && state.crossings)
		crossed_in_udp(sk, skb, again);
	if (!skb || !may_carry(sk))
		return 0;
	return carried_in(sk, BPF_CORE_READ(skb, len), again, STEP_LOOPBACK);
}

/* The kernel is to decrypt what arrives: see decrypts() in net.bpf.c. */
static __always_inline int on_tls_receive(const struct socket *sock, int level,
					  int option, int again)
{
	const struct sock *sk = sock->sk;

	if (level != SOL_TLS || option != TLS_RX || !may_carry(sk))
		return 0;
	return carried_in(sk, BYTES_UNKNOWN, again, STEP_LOOPBACK);
}

/*
 * Pages of what has arrived are mapped, and of what arrives meanwhile, which is
 * not seen any more: so nothing of a holder's is to arrive from now on.
 */
static __always_inline int on_tcp_zerocopy(const struct sock *sk, int level,
					   int option, int again)
{
	if (level != SOL_TCP || option != TCP_ZEROCOPY_RECEIVE)
		return 0;
	if (carrier_unseen(sk))
		return carry_unknown();
	if (!may_carry(sk))
		return 0;
	return carried_in(sk, BYTES_UNKNOWN, again, STEP_LOOPBACK);
}

HOP(hop_tls_receive, "fentry/security_socket_setsockopt",
    on_tls_receive(sock, level, option, again), struct socket *sock, int level,
    int option)

HOP(hop_tcp_zerocopy, "fentry/tcp_getsockopt",
    on_tcp_zerocopy(sk, level, option, again), struct sock *sk, int level,
    int option)

HOP(hop_udp_recv, "fexit/__skb_recv_udp", on_udp_recv(sk, skb, again),
    struct sock *sk, unsigned int flags, int *off, int *err,
    struct sk_buff *skb)

/* ---- terminals --------------------------------------------------------- */

/*
 * What is written to one end of a pseudo terminal is read at the other, which
 * is the carrier; a master's input is echoed to the master as well. Of other
 * terminals the far end is no process.
 */

static __always_inline struct tty_struct *tty_of(const struct file *file)
{
	const struct tty_file_private *private = file->private_data;

	return BPF_CORE_READ(private, tty);
}

static __always_inline int on_tty_write(const struct kiocb *iocb,
					const struct iov_iter *from)
{
	struct task_struct *task = bpf_get_current_task_btf();
	struct tty_struct *tty, *other;
	__u64 bytes;
	int major;

	probed(HOOK_TTY_WRITE);
	if (!is_holder(task->tgid))
		return 0;
	tty = tty_of(iocb->ki_filp);
	other = BPF_CORE_READ(tty, link);
	if (!other)
		return 0;
	bytes = given(BPF_CORE_READ(from, count));
	carried_off(other, bytes);
	major = BPF_CORE_READ(tty, driver, major);
	if (major == UNIX98_PTY_MASTER_MAJOR || major == PTY_MASTER_MAJOR)
		carried_off(tty, bytes);
	return 0;
}

static __always_inline int on_tty_read(const struct kiocb *iocb, __s64 n,
				       int again)
{
	const struct tty_struct *tty;

	probed(HOOK_TTY_READ);
	if (n <= 0 && n != -EFAULT)
		return 0;
	tty = tty_of(iocb->ki_filp);
	if (!may_carry(tty))
		return 0;
	return carried_in(tty, n < 0 ? BYTES_UNKNOWN : n, again, STEP_TTY);
}

/* TIOCSTI: as if it had been typed. */
static __always_inline int on_tty_ioctl(const struct file *file, __u32 command)
{
	struct task_struct *task = bpf_get_current_task_btf();

	if (command != TIOCSTI || !is_holder(task->tgid))
		return 0;
	return carried_off(tty_of(file), given(1));
}

static __always_inline int on_pty_cleanup(const struct tty_struct *tty)
{
	return may_carry(tty) ? carried_end(tty) : 0;
}

HOP(hop_tty_write, "fentry/tty_write", on_tty_write(iocb, from),
    struct kiocb *iocb, struct iov_iter *from)

HOP(hop_tty_read, "fexit/tty_read", on_tty_read(iocb, n, again),
    struct kiocb *iocb, struct iov_iter *to, long n)

HOP(hop_tty_ioctl, "fentry/tty_ioctl", on_tty_ioctl(file, command),
    struct file *file, unsigned int command, unsigned long arg)

HOP(hop_pty_cleanup, "fentry/pty_cleanup", on_pty_cleanup(tty),
    struct tty_struct *tty)

/* ---- message queues ---------------------------------------------------- */

static __always_inline int on_msgsnd(const struct kern_ipc_perm *queue,
				     const struct msg_msg *msg)
{
	struct task_struct *task = bpf_get_current_task_btf();

	if (!is_holder(task->tgid))
		return 0;
	return carried_off(queue, given(BPF_CORE_READ(msg, m_ts)));
}

HOP(hop_msgsnd, "fentry/security_msg_queue_msgsnd", on_msgsnd(queue, msg),
    struct kern_ipc_perm *queue, struct msg_msg *msg)

/* A sender hands the message to who waits for it. */
static __always_inline int on_msgrcv(const struct kern_ipc_perm *queue,
				     const struct task_struct *target,
				     int again)
{
	struct task_struct *task = bpf_get_current_task_btf();

	if (!may_carry(queue))
		return 0;
	if (task->pid == target->pid)
		return carried_in(queue, BYTES_UNKNOWN, again, STEP_QUEUE);
	return handed_to(carried_at((__u64)queue), target, STEP_QUEUE);
}

HOP(hop_msgrcv, "fentry/security_msg_queue_msgrcv",
    on_msgrcv(queue, target, again), struct kern_ipc_perm *queue,
    struct msg_msg *msg, struct task_struct *target)

HOP(hop_msg_free, "fentry/security_msg_queue_free",
    may_carry(queue) ? carried_end(queue) : 0, struct kern_ipc_perm *queue)

/* The file behind a descriptor of the current process. NULL: there is none. */
static __noinline struct file *file_at(__u32 fd)
{
	struct task_struct *task = bpf_get_current_task_btf();
	struct fdtable *table = BPF_CORE_READ(task, files, fdt);
	struct file **files = BPF_CORE_READ(table, fd), *file;

	if (fd >= BPF_CORE_READ(table, max_fds) ||
	    bpf_probe_read_kernel(&file, sizeof(file), &files[fd]))
		return NULL;
	return file;
}

static __always_inline struct inode *inode_at(__u32 fd)
{
	struct file *file = file_at(fd);

	return file ? BPF_CORE_READ(file, f_inode) : NULL;
}

static __always_inline int on_mq_send(__u32 fd, __u64 bytes)
{
	struct task_struct *task = bpf_get_current_task_btf();
	struct inode *inode;

	if (!is_holder(task->tgid))
		return 0;
	inode = inode_at(fd);
	if (inode)
		carried_off(inode, given(bytes));
	return 0;
}

HOP(hop_mq_send, "fentry/do_mq_timedsend", on_mq_send(fd, bytes), int fd,
    const char *message, size_t bytes)

static __always_inline int on_mq_receive(void *ctx, __u32 fd, int again)
{
	struct inode *inode;
	__u64 ret = 0;

	bpf_get_func_ret(ctx, &ret);
	if ((__s32)ret <= 0 && (__s32)ret != -EFAULT)
		return 0;
	inode = inode_at(fd);
	if (inode && may_carry(inode))
		carried_in(inode, BYTES_UNKNOWN, again, STEP_QUEUE);
	return 0;
}

HOP(hop_mq_receive, "fexit/do_mq_timedreceive", on_mq_receive(ctx, fd, again),
    int fd)

/* ---- another's memory -------------------------------------------------- */

/* The current process takes what another one has now, and no more. */
static __noinline int take_once(__u32 from, __u32 kind)
{
	struct task_struct *task = bpf_get_current_task_btf();
	struct holding *h = holding_of(from);
	__u64 id;

	if (!h || holding_empty(h))
		return 0;
	id = h->id;
	commons_begin_now();
	h = holding_make(task->tgid);
	if (!h) {
		carry_fault(FAULT_HOLDING_FULL);
		holder_mark(task->tgid);
	} else if (h->id != id) {
		step_by_current(
			holding_take(h->id, id, kind | STEP_BY_CURRENT));
	}
	return 0;
}

/* Of a process that is about to end. */
static __always_inline int take_last(__u32 from)
{
	return take_once(from, STEP_MEMORY);
}

/* @task has got at the memory of the current process, or the reverse. */
static __always_inline int on_ptrace(const struct task_struct *task)
{
	struct task_struct *current = bpf_get_current_task_btf();

	if (is_kernels(current) || is_kernels(task))
		return 0;
	/* Nothing would ever clear what is noted of it now. */
	if (!task->signal->live.counter)
		return take_last(task->tgid);
	if (commons_pair(current->tgid, task->tgid))
		bpf_send_signal(SIGKILL);
	return 0;
}

static __always_inline int on_ptrace_access(const struct task_struct *child,
					    unsigned int mode)
{
	return mode & PTRACE_MODE_ATTACH ? on_ptrace(child) : 0;
}

HOP(hop_ptrace, "fentry/security_ptrace_access_check",
    on_ptrace_access(child, mode), struct task_struct *child, unsigned int mode)

HOP(hop_traceme, "fentry/security_ptrace_traceme", on_ptrace(parent),
    struct task_struct *parent)

/*
 * Who was let at it once may go on after an exec(2) of its own too, with which
 * it left the others; and so may whoever has the descriptor.
 */
static __always_inline int on_mem(const struct file *file)
{
	struct task_struct *current = bpf_get_current_task_btf();
	const struct mm_struct *mm = file->private_data;
	const struct task_struct *owner = BPF_CORE_READ(mm, owner);
	__u32 tgid = BPF_CORE_READ(owner, tgid);

	if (is_kernels(current) || !tgid)
		return 0;
	if (!BPF_CORE_READ(owner, signal, live.counter))
		return take_last(tgid);
	if (commons_pair(current->tgid, tgid))
		bpf_send_signal(SIGKILL);
	return 0;
}

/* Is it an io_uring? Nobody has looked yet whether it is. */
static __noinline int is_ring(const struct file *file)
{
	char name[sizeof("[io_uring]")] = {};

	if (BPF_CORE_READ(file, f_inode, i_sb, s_magic) != ANON_INODE_FS_MAGIC)
		return 0;
	bpf_probe_read_kernel_str(
		name, sizeof(name),
		BPF_CORE_READ(file, f_path.dentry, d_name.name));
	return !bpf_strncmp(name, sizeof(name) - 1, "[io_uring]");
}

/*
 * A message to another process's ring: it is handed to whoever made that, and
 * no hook sees him take it. So from now on they are one. Of a ring whose maker
 * has gone, or is another program by now, nobody knows who takes.
 */
static __noinline int on_message(const struct file *to)
{
	struct task_struct *current = bpf_get_current_task_btf();
	const struct io_ring_ctx *ring;
	__u32 tgid;

	if (!is_holder(current->tgid) || is_kernels(current) || !is_ring(to))
		return 0;
	ring = BPF_CORE_READ(to, private_data);
	tgid = BPF_CORE_READ(ring, mm_account, owner, tgid);
	if (tgid == (__u32)current->tgid)
		return 0;
	if (!tgid || commons_pair(current->tgid, tgid))
		bpf_send_signal(SIGKILL);
	return 0;
}

HOP(hop_msg_ring, "fentry/io_msg_ring", on_message(BPF_CORE_READ(req, file)),
    struct io_kiocb *req)

/* Since 6.13, without a ring of one's own. */
HOP(hop_sync_msg_ring, "fentry/io_uring_sync_msg_ring",
    on_message(file_at((__u32)BPF_CORE_READ(sqe, fd))),
    struct io_uring_sqe *sqe)

/*
 * What a process shows of its memory to whoever asks: its command line, its
 * environment. Nobody is let at more by that, so they share nothing.
 */
static __always_inline int on_memory_shown(const struct mm_struct *mm,
					   __u64 bytes, int again)
{
	struct task_struct *current = bpf_get_current_task_btf();
	struct carry carry = {
		.bytes = bytes, .again = again, .kind = STEP_MEMORY};
	struct holding *h;
	__u32 tgid;

	if (!follows_names())
		return 0;
	tgid = BPF_CORE_READ(mm, owner, tgid);
	if (!tgid || tgid == (__u32)current->tgid || !is_holder(tgid))
		return 0;
	h = holding_of(tgid);
	if (!h)
		return is_kernels(current) ? 0 : carry_unknown();
	if (holding_empty(h))
		return 0;
	carry.object = number_of(mm);
	carry.from = h->id;
	return carry_in(&carry);
}

HOP(hop_memory_shown, "fentry/access_remote_vm",
    on_memory_shown(mm, (__u32)len, again), struct mm_struct *mm,
    unsigned long addr, void *buf, int len)

HOP(hop_trace, "fentry/arch_ptrace", on_ptrace(child),
    struct task_struct *child)

HOP(hop_trace_compat, "fentry/compat_arch_ptrace", on_ptrace(child),
    struct task_struct *child)

HOP(hop_mem_read, "fentry/mem_read", on_mem(file), struct file *file)

HOP(hop_mem_write, "fentry/mem_write", on_mem(file), struct file *file)
