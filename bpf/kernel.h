/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * kernel.h - what BTF does not carry, and what drifts between kernels.
 *
 * Constants stand under the names the kernel gives them. Every entry that
 * exists for one range of kernels says which.
 */
#ifndef CORDON_KERNEL_H
#define CORDON_KERNEL_H

/* include/uapi/asm-generic/signal.h */
#define SIGKILL 9

#define EPERM  1
#define EAGAIN 11
#define EACCES 13
#define EFAULT 14

/* include/uapi/linux/stat.h */
#define S_IFMT	 0170000
#define S_IFREG	 0100000
#define S_IFDIR	 0040000
#define S_IFBLK	 0060000
#define S_IFLNK	 0120000
#define S_IFCHR	 0020000
#define S_IFIFO	 0010000
#define S_IFSOCK 0140000

/* include/linux/fs.h */
#define MAY_WRITE     2
#define MAY_READ      4
#define FMODE_READ    1
#define FMODE_WRITE   2
#define FMODE_CREATED 0x100000

/* include/uapi/linux/mman.h */
#define MAP_SHARED 1

/* include/linux/fs.h; nothing is anybody's data there (procfs, sysfs ...), and
 * so many file systems lie above each other at most */
#define SB_I_NOEXEC		   0x00000002
#define FILESYSTEM_MAX_STACK_DEPTH 2

/* include/uapi/linux/fs.h */
#define RENAME_EXCHANGE 2

/* include/uapi/linux/falloc.h */
#define FALLOC_FL_COLLAPSE_RANGE 0x08
#define FALLOC_FL_INSERT_RANGE	 0x20

/*
 * ioctl(2): type and number alone, for the size of what they are given is
 * another one for i386 programs. include/uapi/linux/fs.h, fs/ext4/ext4.h,
 * fs/xfs/libxfs/xfs_fs.h, include/uapi/linux/loop.h
 */
#define IOC_TYPE_NR(cmd)      ((cmd)&0xffff)
#define FIDEDUPERANGE_NR      0x9436
#define EXT4_IOC_SWAP_BOOT_NR 0x6611
#define XFS_IOC_SWAPEXT_NR    0x586d
#define XFS_IOC_EXCHANGE_NR   0x5881 /* since 6.10 */
#define XFS_IOC_COMMIT_NR     0x5883 /* since 6.12 */
#define LOOP_SET_FD	      0x4c00
#define LOOP_CHANGE_FD	      0x4c06
#define LOOP_CONFIGURE	      0x4c0a

/* include/uapi/linux/userfaultfd.h: the type alone, of all of them; and
 * include/uapi/linux/seccomp.h: type and number */
#define IOC_TYPE(cmd)	      ((cmd) >> 8 & 0xff)
#define UFFDIO		      0xaa
#define SECCOMP_NOTIF_RECV_NR 0x2100

/* include/uapi/linux/major.h, include/uapi/asm-generic/ioctls.h */
#define MEM_MAJOR		1
#define PTY_MASTER_MAJOR	2
#define PTY_SLAVE_MAJOR		3
#define TTY_MAJOR		4
#define TTYAUX_MAJOR		5
#define LOOP_MAJOR		7
#define UNIX98_PTY_MASTER_MAJOR 128
#define UNIX98_PTY_SLAVE_LAST	143 /* eight majors each */
#define MAX_NR_CONSOLES		63
#define TIOCSTI			0x5412

/* include/uapi/asm-generic/fcntl.h */
#define O_DIRECT 00040000

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
#define AF_UNSPEC	0
#define AF_UNIX		1
#define AF_INET		2
#define AF_INET6	10
#define AF_NETLINK	16
#define AF_ALG		38
#define AF_SMC		43
#define IPPROTO_ICMP	1
#define IPPROTO_TCP	6
#define IPPROTO_UDP	17
#define IPPROTO_ICMPV6	58
#define IPPROTO_UDPLITE 136
#define IPPROTO_MPTCP	262
#define SOL_IP		0
#define SOL_TCP		6
#define SOL_IPV6	41
#define SOL_SCTP	132
#define SOL_SOCKET	1
#define SOL_PACKET	263
#define SOL_ALG		279
#define SOCK_STREAM	1
#define SOCK_DGRAM	2
#define SOCK_RAW	3
#define ETH_P_IP	0x0800
#define ETH_P_IPV6	0x86dd
#define TCP_ESTABLISHED 1
#define TCP_CLOSE	7
#define TCP_LISTEN	10

/* include/net/sock.h: the process chose the port */
#define SOCK_BINDPORT_LOCK 8

/* include/net/flow.h: the same in every network namespace */
#define LOOPBACK_IFINDEX 1

/* struct icmphdr, and struct icmp6hdr of an echo */
#define ICMP_HEADER 8

/* include/uapi/linux/in.h, include/uapi/linux/in6.h */
#define IP_OPTIONS		  4
#define IP_ADD_MEMBERSHIP	  35
#define IP_UNBLOCK_SOURCE	  37
#define IP_BLOCK_SOURCE		  38
#define IP_ADD_SOURCE_MEMBERSHIP  39
#define IP_DROP_SOURCE_MEMBERSHIP 40
#define IP_MSFILTER		  41
#define MCAST_JOIN_GROUP	  42
#define MCAST_BLOCK_SOURCE	  43
#define MCAST_UNBLOCK_SOURCE	  44
#define MCAST_JOIN_SOURCE_GROUP	  46
#define MCAST_LEAVE_SOURCE_GROUP  47
#define MCAST_MSFILTER		  48
#define IPV6_2292PKTOPTIONS	  6
#define IPV6_ADD_MEMBERSHIP	  20
#define IPV6_FLOWLABEL_MGR	  32
#define IPV6_HOPOPTS		  54
#define IPV6_RTHDRDSTOPTS	  55
#define IPV6_RTHDR		  57
#define IPV6_DSTOPTS		  59

/* include/uapi/asm-generic/socket.h, include/uapi/linux/if_packet.h */
#define SO_ATTACH_FILTER	 26
#define SO_ATTACH_REUSEPORT_CBPF 51
#define PACKET_FANOUT_DATA	 22

/* include/uapi/linux/tcp.h; TCP-AO since 6.7 */
#define TCP_MD5SIG	     14
#define TCP_MD5SIG_EXT	     32
#define TCP_FASTOPEN_KEY     33
#define TCP_ZEROCOPY_RECEIVE 35
#define TCP_AO_ADD_KEY	     38
#define TCP_AO_DEL_KEY	     39
#define TCP_AO_INFO	     40

/* include/linux/socket.h, include/uapi/linux/tls.h */
#define SOL_TLS 282
#define TLS_RX	2

/* include/net/ipv6.h: extension headers that may stand before the payload */
#define NEXTHDR_HOP	0
#define NEXTHDR_ROUTING 43
#define NEXTHDR_DEST	60

/* Device numbers inside the kernel. include/linux/miscdevice.h,
 * drivers/char/mem.c, Documentation/admin-guide/devices.txt */
#define MKDEV(major, minor) ((major) << 20 | (minor))
#define MAJOR(dev)	    ((dev) >> 20)
#define MINOR(dev)	    ((dev)&0xfffff)
#define ZERO_DEVICE	    MKDEV(1, 5)
#define TTY_DEVICE	    MKDEV(5, 0)
#define CONSOLE_DEVICE	    MKDEV(5, 1)
#define PTMX_DEVICE	    MKDEV(5, 2)
#define WATCHDOG_DEVICE	    MKDEV(10, 130)
#define TUN_DEVICE	    MKDEV(10, 200)
#define LOOP_CONTROL_DEVICE MKDEV(10, 237)

/* arch/x86/include/asm/thread_info.h: the system call came by the i386 way */
#define TS_COMPAT 0x0002

/* arch/x86/include/uapi/asm/unistd.h: x32; few calls have another number */
#define X32_SYSCALL_BIT 0x40000000ULL
#define NR_x32_ioctl	514

/* arch/x86/entry/syscalls/syscall_64.tbl */
#define NR_read		   0
#define NR_write	   1
#define NR_mmap		   9
#define NR_ioctl	   16
#define NR_pread64	   17
#define NR_pwrite64	   18
#define NR_readv	   19
#define NR_sendfile	   40
#define NR_sendto	   44
#define NR_sendmsg	   46
#define NR_execve	   59
#define NR_io_submit	   209
#define NR_splice	   275
#define NR_fallocate	   285
#define NR_preadv	   295
#define NR_execveat	   322
#define NR_copy_file_range 326
#define NR_preadv2	   327
#define NR_io_uring_enter  426
#define NR_pidfd_getfd	   438 /* for i386 programs too */

/* arch/x86/entry/syscalls/syscall_32.tbl */
#define NR_ia32_ioctl	  54
#define NR_ia32_fallocate 324

/* include/linux/fs.h: no read is larger */
#define MAX_RW_COUNT   0x7ffff000ULL
#define XATTR_SIZE_MAX 65536 /* of the value of an attribute */

/* include/linux/ptrace.h: its memory can be read and written */
#define PTRACE_MODE_ATTACH 2

/* include/uapi/linux/sem.h */
#define GETPID	11
#define GETZCNT 15 /* the numbers between ask for something too */
#define SETVAL	16
#define SETALL	17

/* include/uapi/asm-generic/siginfo.h: tkill(2), which has no value */
#define SI_TKILL -6

/* include/uapi/linux/capability.h */
#define CAP_NET_ADMIN 12
#define CAP_SYS_ADMIN 21
#define CAP_BPF	      39

/* include/linux/errno.h: the bytes come later, from somewhere else */
#define EIOCBQUEUED 529

/* kernel/user_namespace.c: no namespace is deeper */
#define USER_NS_LEVELS 33

#define INVALID_UID 0xffffffffU /* nobody has logged in */

/* include/uapi/linux/magic.h */
#define OVERLAYFS_SUPER_MAGIC 0x794c7630
#define FUSE_SUPER_MAGIC      0x65735546
#define TMPFS_MAGIC	      0x01021994
#define RAMFS_MAGIC	      0x858458f6
#define HUGETLBFS_MAGIC	      0x958458f6
#define ANON_INODE_FS_MAGIC   0x09041934
#define DEBUGFS_MAGIC	      0x64626720
#define TRACEFS_MAGIC	      0x74726163
#define SECURITYFS_MAGIC      0x73636673
#define SELINUX_MAGIC	      0xf97cff8c

/*
 * The real file below an overlay file. 6.1 opens it under the overlay's path,
 * later kernels as a struct backing_file. That is told by a bit of f_mode
 * that moved from 25 to 24 and back into stable kernels, so take either as a
 * hint and look whether a dentry of an overlay, or of FUSE's passthrough,
 * stands behind it.
 */
#define FMODE_BACKING_HINT (1U << 24 | 1U << 25)

struct backing_file___user {
	struct file file;
	struct path user_path;
} __attribute__((preserve_access_index));

#endif
