/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * kernel.h - what BTF does not carry, and what drifts between kernels.
 *
 * Constants stand under the names the kernel gives them. Every entry that
 * exists for one range of kernels says which.
 */
#ifndef CORDON_KERNEL_H
#define CORDON_KERNEL_H

#define EPERM  1
#define EACCES 13

/* include/uapi/linux/stat.h */
#define S_IFMT	0170000
#define S_IFREG 0100000
#define S_IFDIR 0040000
#define S_IFCHR 0020000

/* include/linux/fs.h */
#define MAY_WRITE  2
#define MAY_READ   4
#define FMODE_READ 1

/* include/linux/sched.h: tasks whose registers are not their own */
#define PF_IO_WORKER   0x00000010
#define PF_USER_WORKER 0x00004000
#define PF_KTHREAD     0x00200000
#define PF_WORKERS     (PF_IO_WORKER | PF_USER_WORKER | PF_KTHREAD)

/* include/uapi/linux/sched.h */
#define CLONE_VM     0x00000100
#define CLONE_VFORK  0x00004000
#define CLONE_PARENT 0x00008000
#define CLONE_THREAD 0x00010000

/* include/linux/socket.h, include/uapi/linux/in.h */
#define AF_UNIX		1
#define AF_INET		2
#define AF_INET6	10
#define AF_NETLINK	16
#define AF_ALG		38
#define IPPROTO_ICMP	1
#define IPPROTO_TCP	6
#define IPPROTO_UDP	17
#define IPPROTO_ICMPV6	58
#define IPPROTO_UDPLITE 136
#define SOCK_STREAM	1
#define SOCK_DGRAM	2
#define SOCK_RAW	3
#define ETH_P_IP	0x0800
#define ETH_P_IPV6	0x86dd
#define TCP_CLOSE	7

/* include/net/ipv6.h: extension headers that may stand before the payload */
#define NEXTHDR_HOP	0
#define NEXTHDR_ROUTING 43
#define NEXTHDR_DEST	60

/* A device number inside the kernel; drivers/net/tun.c is misc 10:200. */
#define MKDEV(major, minor) ((major) << 20 | (minor))
#define TUN_DEVICE	    MKDEV(10, 200)

/* arch/x86/include/asm/thread_info.h: the system call came by the i386 way */
#define TS_COMPAT 0x0002

/* arch/x86/entry/syscalls/syscall_64.tbl */
#define NR_read		   0
#define NR_mmap		   9
#define NR_ioctl	   16
#define NR_pread64	   17
#define NR_readv	   19
#define NR_sendfile	   40
#define NR_execve	   59
#define NR_io_submit	   209
#define NR_splice	   275
#define NR_preadv	   295
#define NR_execveat	   322
#define NR_copy_file_range 326
#define NR_preadv2	   327

/* include/linux/fs.h: no read is larger */
#define MAX_RW_COUNT 0x7ffff000ULL

/* include/linux/errno.h: the bytes come later, from somewhere else */
#define EIOCBQUEUED 529

#define INVALID_UID 0xffffffffU /* nobody has logged in */

/* include/uapi/linux/magic.h */
#define OVERLAYFS_SUPER_MAGIC 0x794c7630

/*
 * The real file below an overlay file. 6.1 opens it under the overlay's path,
 * later kernels as a struct backing_file. That is told by a bit of f_mode
 * that moved from 25 to 24 and back into stable kernels, so take either as a
 * hint and look whether an overlay's dentry stands behind it.
 */
#define FMODE_BACKING_HINT (1U << 24 | 1U << 25)

struct backing_file___user {
	struct file file;
	struct path user_path;
} __attribute__((preserve_access_index));

#endif
