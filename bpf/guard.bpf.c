/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * guard.bpf.c - the guard: one object for every supported kernel.
 *
 * Each hook that can deny exists twice around one body, as lsm/NAME where bpf
 * is an active LSM and as fmod_ret/security_NAME where it is not. The agent
 * loads one set. On kernels that preempt themselves the fmod_ret ones have a
 * second copy: see again.h. The files are one translation unit, so that they
 * share maps and the verifier sees straight through.
 */
#include "vmlinux.h"

#include <bpf/bpf_core_read.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

#include "kernel.h"
#include "decide.h"
#include "maps.h"
#include "account.h"
#include "subject.h"
#include "label.h"
#include "probe.h"
#include "ways.h"
#include "again.h"
#include "holding.h"
#include "steps.h"
#include "commons.h"
#include "narrow.h"
#include "carry.h"
#include "derived.h"
#include "crossing.h"

#include "net.bpf.c"
#include "hops.bpf.c"
#include "objects.bpf.c"
#include "ways.bpf.c"
#include "files.bpf.c"
#include "process.bpf.c"

char LICENSE[] SEC("license") = "GPL";

/*
 * A program that came before ours may have refused already (@ret): then there
 * is nothing to judge, and nothing is charged. From 6.12 on the verifier
 * wants to see that an LSM program returns an errno.
 */
static __always_inline int verdict(int r)
{
	if (!r)
		return 0;
	return r == -EACCES ? -EACCES : -EPERM;
}

SEC("lsm/file_open")
int BPF_PROG(lsm_file_open, struct file *file, int ret)
{
	return ret ? ret : verdict(on_file_open(file));
}

SEC("fmod_ret/security_file_open")
int BPF_PROG(fmod_file_open, struct file *file, int ret)
{
	return ret ? ret
		   : verdict(judged_first(HOOK_FILE_OPEN, file,
					  on_file_open(file)));
}

SEC("fmod_ret/security_file_open")
int BPF_PROG(again_file_open, struct file *file, int ret)
{
	if (ret || judged_before(HOOK_FILE_OPEN, file))
		return ret;
	return verdict(on_file_open(file));
}

SEC("lsm/file_permission")
int BPF_PROG(lsm_file_permission, struct file *file, int mask, int ret)
{
	return ret ? ret : verdict(on_file_permission(file, mask));
}

SEC("fmod_ret/security_file_permission")
int BPF_PROG(fmod_file_permission, struct file *file, int mask, int ret)
{
	return ret ? ret
		   : verdict(judged_first(HOOK_FILE_PERMISSION, file,
					  on_file_permission(file, mask)));
}

SEC("fmod_ret/security_file_permission")
int BPF_PROG(again_file_permission, struct file *file, int mask, int ret)
{
	if (ret || judged_before(HOOK_FILE_PERMISSION, file))
		return ret;
	return verdict(on_file_permission(file, mask));
}

SEC("lsm/mmap_file")
int BPF_PROG(lsm_mmap_file, struct file *file, unsigned long reqprot,
	     unsigned long prot, unsigned long flags, int ret)
{
	return ret ? ret : verdict(on_mmap_file(file, flags));
}

/* security_mmap_file() has no reqprot. */
SEC("fmod_ret/security_mmap_file")
int BPF_PROG(fmod_mmap_file, struct file *file, unsigned long prot,
	     unsigned long flags, int ret)
{
	return ret ? ret
		   : verdict(judged_first(HOOK_MMAP_FILE, file,
					  on_mmap_file(file, flags)));
}

SEC("fmod_ret/security_mmap_file")
int BPF_PROG(again_mmap_file, struct file *file, unsigned long prot,
	     unsigned long flags, int ret)
{
	if (ret || judged_before(HOOK_MMAP_FILE, file))
		return ret;
	return verdict(on_mmap_file(file, flags));
}

/*
 * What charges nothing, or the same only once, may be judged twice: its second
 * program needs no ticket.
 */
#define JUDGED_IN(section, program, call, args...) \
	SEC(section)                               \
	int BPF_PROG(program, args, int ret)       \
	{                                          \
		return ret ? ret : verdict(call);  \
	}

#define JUDGED_TWICE(hook, call, args...)                              \
	JUDGED_IN("lsm/" #hook, lsm_##hook, call, args)                \
	JUDGED_IN("fmod_ret/security_" #hook, fmod_##hook, call, args) \
	JUDGED_IN("fmod_ret/security_" #hook, again_##hook, call, args)

JUDGED_TWICE(file_ioctl, on_file_ioctl(file, cmd), struct file *file,
	     unsigned int cmd, unsigned long arg)

/* Since 6.8; before, i386 programs come by the one above. */
JUDGED_TWICE(file_ioctl_compat, on_file_ioctl(file, cmd), struct file *file,
	     unsigned int cmd, unsigned long arg)

SEC("lsm/inode_link")
int BPF_PROG(lsm_inode_link, struct dentry *old, struct inode *dir,
	     struct dentry *new, int ret)
{
	return ret ? ret : verdict(on_inode_link(old, dir));
}

SEC("fmod_ret/security_inode_link")
int BPF_PROG(fmod_inode_link, struct dentry *old, struct inode *dir,
	     struct dentry *new, int ret)
{
	return ret ? ret : verdict(on_inode_link(old, dir));
}

SEC("lsm/inode_rename")
int BPF_PROG(lsm_inode_rename, struct inode *old_dir, struct dentry *old,
	     struct inode *new_dir, struct dentry *new)
{
	/*
	 * The last argument differs between kernels, so ret is not asked. Of
	 * two that change places this is called for each.
	 */
	return verdict(on_inode_rename(old, new_dir, new));
}

SEC("fmod_ret/security_inode_rename")
int BPF_PROG(fmod_inode_rename, struct inode *old_dir, struct dentry *old,
	     struct inode *new_dir, struct dentry *new, unsigned int flags)
{
	int r = on_inode_rename(old, new_dir, new);

	if (!r && flags & RENAME_EXCHANGE)
		r = on_inode_rename(new, old_dir, old);
	return verdict(r);
}

JUDGED_TWICE(inode_setxattr, on_inode_setxattr(dentry, name), void *owners,
	     struct dentry *dentry, const char *name, const void *value,
	     size_t size, int flags)

JUDGED_TWICE(inode_getxattr, on_inode_getxattr(dentry, name),
	     struct dentry *dentry, const char *name)

JUDGED_TWICE(inode_symlink, on_inode_symlink(dir, dentry), struct inode *dir,
	     struct dentry *dentry, const char *to)

JUDGED_TWICE(inode_readlink, on_inode_readlink(dentry), struct dentry *dentry)

SEC("lsm/socket_sendmsg")
int BPF_PROG(lsm_socket_sendmsg, struct socket *sock, struct msghdr *msg,
	     int size, int ret)
{
	return ret ? ret : verdict(on_socket_sendmsg(sock, msg, size));
}

SEC("fmod_ret/security_socket_sendmsg")
int BPF_PROG(fmod_socket_sendmsg, struct socket *sock, struct msghdr *msg,
	     int size, int ret)
{
	return ret ? ret : verdict(send_verdict(sock));
}

SEC("fmod_ret/security_socket_sendmsg")
int BPF_PROG(again_socket_sendmsg, struct socket *sock, struct msghdr *msg,
	     int size, int ret)
{
	return ret ? ret : verdict(send_verdict_again(sock));
}

JUDGED_TWICE(socket_setsockopt, on_socket_setsockopt(sock, level, optname),
	     struct socket *sock, int level, int optname)

JUDGED_TWICE(socket_connect, on_socket_connect(sock, address),
	     struct socket *sock, struct sockaddr *address, int addrlen)

JUDGED_TWICE(file_receive, on_file_receive(file), struct file *file)

JUDGED_TWICE(key_alloc, on_key_alloc(key), struct key *key,
	     const struct cred *cred, unsigned long flags)

/* Since 6.15 it has one argument more, so ret is not asked. */
#define ASKED_OF_BPF(section, program)    \
	SEC(section)                      \
	int BPF_PROG(program, int cmd)    \
	{                                 \
		return verdict(on_bpf()); \
	}

ASKED_OF_BPF("lsm/bpf", lsm_bpf)
ASKED_OF_BPF("fmod_ret/security_bpf", fmod_bpf)
ASKED_OF_BPF("fmod_ret/security_bpf", again_bpf)
