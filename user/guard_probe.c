// SPDX-License-Identifier: GPL-2.0-only
/*
 * What this kernel can do, found out by looking, and whether the guard really
 * sees what it is attached to, found out by doing it.
 */
#include "guard_internal.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/keyctl.h>
#include <linux/magic.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/sem.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/utsname.h>
#include <sys/vfs.h>
#include <sys/wait.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "array.h"

/* ---- findings ---------------------------------------------------------- */

__attribute__((format(printf, 5, 6))) static void
find(struct guard_probe *probe, enum guard_status status, const char *what,
     const char *remedy, const char *format, ...)
{
	struct guard_finding *finding;
	va_list ap;

	if (status == GUARD_MISSING)
		probe->usable = false;
	if (probe->n_findings == GUARD_FINDINGS_MAX)
		return;
	finding = &probe->findings[probe->n_findings++];
	finding->status = status;
	(void)snprintf(finding->what, sizeof(finding->what), "%s", what);
	(void)snprintf(finding->remedy, sizeof(finding->remedy), "%s",
		       status == GUARD_GOOD ? "" : remedy);
	va_start(ap, format);
	(void)vsnprintf(finding->text, sizeof(finding->text), format, ap);
	va_end(ap);
}

/* The first bytes of a small file, without its newline. */
static int read_line(const char *path, char *buf, size_t size)
{
	ssize_t n;
	int fd, r = 0;

	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	n = read(fd, buf, size - 1);
	if (n < 0)
		r = -errno;
	(void)close(fd);
	if (r)
		return r;
	buf[n] = '\0';
	buf[strcspn(buf, "\n")] = '\0';
	return 0;
}

static bool has_word(const char *list, const char *word)
{
	size_t len = strlen(word), n;

	while (*list) {
		n = strcspn(list, ",");
		if (n == len && !strncmp(list, word, n))
			return true;
		list += n + !!list[n];
	}
	return false;
}

static void find_lsm(struct guard_probe *probe)
{
	char list[512];

	probe->lsm_known =
		!read_line("/sys/kernel/security/lsm", list, sizeof(list));
	probe->lsm_bpf = probe->lsm_known && has_word(list, "bpf");
	probe->attach = probe->lsm_bpf ? GUARD_ATTACH_LSM : GUARD_ATTACH_FMOD;
	if (probe->lsm_bpf)
		find(probe, GUARD_GOOD, "bpf as an LSM", "",
		     "active; the guard attaches by lsm");
	else if (probe->lsm_known)
		find(probe, GUARD_GOOD, "bpf as an LSM", "",
		     "not active, not needed; the guard attaches by fmod_ret");
	else
		find(probe, GUARD_POOR, "bpf as an LSM",
		     "mount -t securityfs securityfs /sys/kernel/security, as "
		     "root, if the guard is to attach by lsm",
		     "not known; the guard attaches by fmod_ret");
}

static void find_lockdown(struct guard_probe *probe)
{
	char modes[128], *from, *to;

	if (read_line("/sys/kernel/security/lockdown", modes, sizeof(modes)))
		return;
	from = strchr(modes, '[');
	to = from ? strchr(from, ']') : NULL;
	if (!to)
		return;
	*to = '\0';
	(void)snprintf(probe->lockdown, sizeof(probe->lockdown), "%s",
		       from + 1);
	if (!strcmp(probe->lockdown, "confidentiality"))
		find(probe, GUARD_MISSING, "lockdown",
		     "boot with lockdown=integrity; confidentiality forbids "
		     "every program that reads kernel memory",
		     "confidentiality");
	else
		find(probe, GUARD_GOOD, "lockdown", "", "%s", probe->lockdown);
}

bool guard_may_load(void)
{
	/* CAP_NET_ADMIN, CAP_SYS_ADMIN, CAP_PERFMON, CAP_BPF */
	static const uint64_t needed = 1ULL << 12 | 1ULL << 21 | 1ULL << 38 |
				       1ULL << 39;
	char line[256];
	uint64_t caps = 0;
	FILE *f;

	f = fopen("/proc/self/status", "re");
	while (f && fgets(line, sizeof(line), f))
		if (sscanf(line, "CapEff: %" SCNx64, &caps) == 1)
			break;
	if (f)
		(void)fclose(f);
	return (caps & needed) == needed;
}

static void find_caps(struct guard_probe *probe)
{
	probe->root_caps = guard_may_load();
	find(probe, probe->root_caps ? GUARD_GOOD : GUARD_MISSING,
	     "capabilities", "run this as root",
	     probe->root_caps ? "all that the guard needs"
			      : "this process may not load programs");
}

static void find_mounts(struct guard_probe *probe)
{
	struct statfs fs;
	char line[1024], path[512];
	FILE *f;

	probe->bpffs = !statfs("/sys/fs/bpf", &fs) &&
		       (uint32_t)fs.f_type == (uint32_t)BPF_FS_MAGIC;
	find(probe, probe->bpffs ? GUARD_GOOD : GUARD_POOR, "/sys/fs/bpf",
	     "mount -t bpf bpf /sys/fs/bpf; the agent does it otherwise",
	     probe->bpffs ? "is a bpf file system"
			  : "is no bpf file system yet");

	f = fopen("/proc/self/mounts", "re");
	while (f && fgets(line, sizeof(line), f))
		if (sscanf(line, "%*s %511s cgroup2 ", path) == 1 &&
		    strstr(line, " cgroup2 ") &&
		    strlen(path) < sizeof(probe->cgroup2)) {
			strcpy(probe->cgroup2, path);
			break;
		}
	if (f)
		(void)fclose(f);
	if (probe->cgroup2[0])
		find(probe, GUARD_GOOD, "cgroup2", "", "mounted at %s",
		     probe->cgroup2);
	else
		find(probe, GUARD_POOR, "cgroup2",
		     "mount cgroup2, as systemd does; subjects that name a "
		     "unit or cgroup can match nothing without it",
		     "not mounted; the agent mounts it for the meter alone");
}

/* ---- hooks ------------------------------------------------------------- */

struct target {
	const char *name; /* a function, or a trace point */
	bool tracepoint;
	bool required;
};

static const struct target targets[] = {
	{"security_file_open", false, true},
	{"security_file_permission", false, true},
	{"security_mmap_file", false, true},
	{"security_inode_link", false, true},
	{"security_inode_rename", false, true},
	{"security_inode_setxattr", false, true},
	{"security_inode_getxattr", false, true},
	{"security_inode_symlink", false, true},
	{"security_inode_readlink", false, true},
	{"security_file_ioctl", false, true},
	{"security_socket_sendmsg", false, true},
	{"security_socket_setsockopt", false, true},
	{"security_socket_connect", false, true},
	{"security_file_receive", false, true},
	{"security_key_alloc", false, true},
	{"security_key_permission", false, true},
	{"security_key_free", false, true},
	{"security_bpf", false, true},
	{"security_d_instantiate", false, true},
	{"security_inode_free", false, true},
	{"task_newtask", true, true},
	{"sched_process_exec", true, true},
	{"sched_process_exit", true, true},
	{"inet_release", false, true},
	{"vfs_fallocate", false, true},
	{"pipe_lock", false, true},
	{"pipe_wait_readable", false, true},
	{"pipe_unlock", false, true},
	{"pipe_double_lock", false, true},
	{"iter_file_splice_write", false, true},
	{"free_pipe_info", false, true},
	{"skb_copy_datagram_iter", false, true},
	{"skb_splice_bits", false, true},
	{"security_sk_free", false, true},
	{"__skb_recv_udp", false, true},
	{"tty_write", false, true},
	{"tty_read", false, true},
	{"tty_ioctl", false, true},
	{"pty_cleanup", false, true},
	{"security_msg_queue_msgsnd", false, true},
	{"security_msg_queue_msgrcv", false, true},
	{"security_msg_queue_free", false, true},
	{"security_sem_semop", false, true},
	{"security_sem_semctl", false, true},
	{"security_sem_free", false, true},
	{"security_task_kill", false, true},
	{"seccomp_notify_ioctl", false, true},
	{"dump_emit", false, true},
	{"do_mq_timedsend", false, true},
	{"do_mq_timedreceive", false, true},
	{"security_ptrace_access_check", false, true},
	{"security_ptrace_traceme", false, true},
	{"arch_ptrace", false, true},
	{"mem_read", false, true},
	{"mem_write", false, true},
	{"vfs_readv", false, false},
	{"__io_read", false, false},
	{"splice_file_to_pipe", false, false},
	{"splice_direct_to_actor", false, false},
	{"vfs_copy_file_range", false, false},
	{"vfs_clone_file_range", false, false},
};

static void find_hooks(struct guard_probe *probe)
{
	const struct target *target;
	enum guard_status status;
	char what[64];
	bool found;
	void *btf;
	size_t i;

	probe->btf = !guard_btf_load(&btf);
	if (!probe->btf) {
		find(probe, GUARD_MISSING, "kernel BTF",
		     "boot a kernel built with CONFIG_DEBUG_INFO_BTF=y; every "
		     "kernel of Debian 12 and later is",
		     "/sys/kernel/btf/vmlinux cannot be read");
		return;
	}
	find(probe, GUARD_GOOD, "kernel BTF", "", "readable");
	for (i = 0; i < N_ELEMENTS(targets); i++) {
		target = &targets[i];
		found = target->tracepoint
				? guard_btf_has_tracepoint(btf, target->name)
				: guard_btf_has_function(btf, target->name);
		(void)snprintf(what, sizeof(what), "hook %s", target->name);
		status = found		    ? GUARD_GOOD
			 : target->required ? GUARD_MISSING
					    : GUARD_POOR;
		find(probe, status, what,
		     target->required
			     ? "boot a supported kernel: 6.1, 6.12 or 7.2 of "
			       "Debian"
			     : "nothing is let through by it, but what some "
			       "reads are charged is not corrected downwards",
		     found ? "there" : "this kernel does not have it");
	}
	guard_btf_free(btf);
}

int guard_probe(struct guard_probe *ret_probe)
{
	struct guard_probe *probe = ret_probe;
	struct utsname name;

	memset(probe, 0, sizeof(*probe));
	probe->usable = true;
	if (!uname(&name))
		(void)snprintf(probe->release, sizeof(probe->release), "%s",
			       name.release);
	find(probe, GUARD_GOOD, "kernel", "", "%s", probe->release);
	find_caps(probe);
	find_lsm(probe);
	find_lockdown(probe);
	find_mounts(probe);
	find_hooks(probe);
	return 0;
}

/* ---- cgroup2 ----------------------------------------------------------- */

static int open_dir(const char *path, int *ret_fd)
{
	int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd < 0)
		return -errno;
	*ret_fd = fd;
	return 0;
}

/* Mounted where nobody sees it: the descriptor keeps it as long as needed. */
static int open_private(int *ret_fd)
{
	char dir[] = "/tmp/cordon-cgroup2.XXXXXX";
	int r;

	if (!mkdtemp(dir))
		return -errno;
	if (mount("cgroup2", dir, "cgroup2", MS_NOSUID | MS_NODEV | MS_NOEXEC,
		  NULL) < 0) {
		r = -errno;
	} else {
		r = open_dir(dir, ret_fd);
		(void)umount2(dir, MNT_DETACH);
	}
	(void)rmdir(dir);
	return r;
}

int guard_cgroup2_open(const char *path, int *ret_fd)
{
	struct guard_probe *probe;
	struct statfs fs;
	int fd, r;

	if (!path) {
		probe = calloc(1, sizeof(*probe));
		if (!probe)
			return -ENOMEM;
		find_mounts(probe);
		r = probe->cgroup2[0] ? open_dir(probe->cgroup2, ret_fd)
				      : open_private(ret_fd);
		free(probe);
		return r;
	}
	r = open_dir(path, &fd);
	if (r)
		return r;
	if (fstatfs(fd, &fs) < 0 ||
	    (uint32_t)fs.f_type != (uint32_t)CGROUP2_SUPER_MAGIC) {
		(void)close(fd);
		return -EINVAL;
	}
	*ret_fd = fd;
	return 0;
}

/* ---- one agent --------------------------------------------------------- */

int guard_lock(const char *path, const struct guard_say *say, int *ret_fd)
{
	char pid[32] = "";
	int fd, r = 0;

	fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0) {
		r = -errno;
		guard_say(say, GUARD_ERROR,
			  "cannot open %s (%s); only one agent runs, and this "
			  "is its lock",
			  path, strerror(-r));
		return r;
	}
	if (flock(fd, LOCK_EX | LOCK_NB) < 0) {
		r = -errno;
		(void)read_line(path, pid, sizeof(pid));
		if (r == -EWOULDBLOCK)
			guard_say(say, GUARD_ERROR,
				  "another agent is running (pid %s holds %s); "
				  "stop it first",
				  *pid ? pid : "unknown", path);
		else
			guard_say(say, GUARD_ERROR, "cannot lock %s (%s)", path,
				  strerror(-r));
		(void)close(fd);
		return r;
	}
	/* For people only: the lock counts, not what is written. */
	if (ftruncate(fd, 0) < 0 || dprintf(fd, "%d\n", (int)getpid()) < 0)
		guard_say(say, GUARD_WARNING, "cannot write to %s (%s)", path,
			  strerror(errno));
	*ret_fd = fd;
	return 0;
}

/* ---- acts for the hooks ------------------------------------------------ */

/* No file has this identity; what stands for one that waits, nobody drops. */
static const struct file_key spare_key;

int guard_spare_label(struct guard *guard)
{
	static const struct label label = {.kind = LABEL_PARENT};

	return guard_map_update(guard, MAP_LABELS, &spare_key, &label);
}

/*
 * A file in memory with a label of no dataset, because some hooks look at
 * labelled files only. It has no name, so nobody else can come by it.
 */
static int act_labelled(struct guard *guard, char *path, size_t size,
			int *ret_fd)
{
	static const struct label label = {.kind = LABEL_FILE};
	struct file_key key;
	int fd, r;

	fd = memfd_create("cordon-probe", MFD_CLOEXEC);
	if (fd < 0)
		return -errno;
	if (write(fd, "probe\n", 6) != 6) {
		(void)close(fd);
		return -EIO;
	}
	(void)snprintf(path, size, "/proc/self/fd/%d", fd);
	r = guard_capture(guard, AT_FDCWD, path, O_RDONLY | O_CLOEXEC, &label,
			  &key);
	/* Not seen: the missing bit of file_open tells. */
	if (r && r != -EIO) {
		(void)close(fd);
		return r;
	}
	*ret_fd = fd;
	return 0;
}

/* What comes of an act does not matter, only that it was tried. */
static void tried(ssize_t r)
{
	(void)r;
}

static int act_reads(struct guard *guard)
{
	int fd = -1, to = -1, own, ends[2] = {-1, -1}, r;
	char path[64], buf[8];
	struct iovec iov = {buf, sizeof(buf)};
	loff_t at = 0;
	void *map;

	r = act_labelled(guard, path, sizeof(path), &fd);
	if (r)
		return r;
	to = open(path, O_RDONLY | O_CLOEXEC);
	if (to >= 0) {
		tried(read(to, buf, sizeof(buf)));
		(void)close(to);
	}
	tried(pread(fd, buf, sizeof(buf), 0));
	tried(preadv(fd, &iov, 1, 0));
	map = mmap(NULL, 4096, PROT_READ, MAP_SHARED, fd, 0);
	if (map != MAP_FAILED)
		(void)munmap(map, 4096);
	if (!pipe2(ends, O_CLOEXEC | O_NONBLOCK)) {
		tried(splice(fd, &at, ends[1], NULL, 1, SPLICE_F_NONBLOCK));
		(void)close(ends[0]);
		(void)close(ends[1]);
	}
	to = memfd_create("cordon-probe", MFD_CLOEXEC);
	if (to >= 0) {
		at = 0;
		tried(copy_file_range(fd, &at, to, NULL, 1, 0));
		at = 0;
		tried(sendfile(to, fd, &at, 1));
		(void)close(to);
	}
	to = (int)syscall(SYS_pidfd_open, getpid(), 0);
	if (to >= 0) {
		own = (int)syscall(SYS_pidfd_getfd, to, fd, 0);
		if (own >= 0)
			(void)close(own);
		(void)close(to);
	}
	/* That of xfs, which memory has not. */
	tried(ioctl(fd, _IOWR('X', 109, char[192]), NULL));
	(void)close(fd);
	return 0;
}

static int act_names(const char *dir)
{
	char a[300], b[300], c[300];
	int fd;

	(void)snprintf(a, sizeof(a), "%s/a", dir);
	(void)snprintf(b, sizeof(b), "%s/b", dir);
	(void)snprintf(c, sizeof(c), "%s/c", dir);
	fd = open(a, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (fd < 0)
		return -errno;
	(void)close(fd);
	tried(link(a, b));
	tried(rename(a, c));
	/* Where there are no attributes the hooks are asked all the same. */
	tried(setxattr(b, "user.cordon", "", 0, 0));
	tried(getxattr(b, "user.cordon", NULL, 0));
	tried(symlink(b, a));
	tried(readlink(a, c, sizeof(c)));
	(void)snprintf(c, sizeof(c), "%s/c", dir);
	(void)unlink(a);
	(void)unlink(b);
	(void)unlink(c);
	return 0;
}

/* A byte through pipes, by every way that a hook stands at. */
static void act_pipes(void)
{
	int from[2], to[2], pair[2];
	char byte = 'x';

	if (pipe2(from, O_CLOEXEC | O_NONBLOCK))
		return;
	if (pipe2(to, O_CLOEXEC | O_NONBLOCK)) {
		(void)close(from[0]);
		(void)close(from[1]);
		return;
	}
	tried(write(from[1], &byte, 1));
	tried(tee(from[0], to[1], 1, SPLICE_F_NONBLOCK));
	tried(read(from[0], &byte, 1));
	if (!socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair)) {
		tried(splice(to[0], NULL, pair[0], NULL, 1, SPLICE_F_NONBLOCK));
		tried(splice(pair[1], NULL, from[1], NULL, 1,
			     SPLICE_F_NONBLOCK));
		(void)close(pair[0]);
		(void)close(pair[1]);
	}
	(void)close(from[0]);
	(void)close(from[1]);
	(void)close(to[0]);
	(void)close(to[1]);
}

/* 0, or -errno where there are no pseudo terminals, as in a container. */
static int act_terminal(void)
{
	char name[64], byte;
	int ends[2], r = 0;

	ends[0] = posix_openpt(O_RDWR | O_NOCTTY | O_NONBLOCK | O_CLOEXEC);
	if (ends[0] < 0)
		return -errno;
	if (unlockpt(ends[0]) < 0 ||
	    ptsname_r(ends[0], name, sizeof(name)) != 0) {
		r = -EIO;
	} else {
		ends[1] =
			open(name, O_RDWR | O_NOCTTY | O_NONBLOCK | O_CLOEXEC);
		if (ends[1] < 0)
			r = -errno;
	}
	if (!r) {
		tried(write(ends[1], "x", 1));
		tried(read(ends[0], &byte, 1));
		(void)close(ends[1]);
	}
	(void)close(ends[0]);
	return r;
}

static void act_sends(void)
{
	struct sockaddr_in to = {
		.sin_family = AF_INET,
		.sin_port = htons(9), /* discard */
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK),
	};
	int fd, pair[2];
	char byte;

	fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd >= 0) {
		tried(setsockopt(fd, IPPROTO_IP, IP_OPTIONS, NULL, 0));
		tried(sendto(fd, "", 0, 0, (struct sockaddr *)&to, sizeof(to)));
		tried(recv(fd, &byte, 1, MSG_DONTWAIT));
		(void)close(fd);
	}
	fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd >= 0) {
		tried(connect(fd, (struct sockaddr *)&to, sizeof(to)));
		(void)close(fd);
	}
	if (!socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair)) {
		tried(send(pair[0], "x", 1, MSG_NOSIGNAL | MSG_DONTWAIT));
		tried(recv(pair[1], &byte, 1, MSG_DONTWAIT));
		(void)close(pair[0]);
		(void)close(pair[1]);
	}
}

/* A key that is gone as soon as it is there. */
static void act_key(void)
{
	long key;

	key = syscall(SYS_add_key, "user", "cordon-probe", "x", 1UL,
		      KEY_SPEC_PROCESS_KEYRING);
	if (key > 0)
		(void)syscall(SYS_keyctl, KEYCTL_UNLINK, key,
			      KEY_SPEC_PROCESS_KEYRING);
}

static void act_semaphore(void)
{
	struct sembuf raise = {.sem_op = 1};
	int set = semget(IPC_PRIVATE, 1, 0600);

	if (set < 0)
		return;
	tried(semop(set, &raise, 1));
	tried(semctl(set, 0, GETVAL));
	(void)semctl(set, 0, IPC_RMID);
}

/* The child says itself that it is the one to look for. */
static int act_child(struct guard *guard)
{
	static const char *const programs[] = {"/bin/true", "/usr/bin/true",
					       "/proc/self/exe"};
	static char *const argv[] = {(char *)"true", (char *)"--version", NULL};
	pid_t pid;
	size_t i;
	int fd;

	pid = fork();
	if (pid < 0)
		return -errno;
	if (!pid) {
		__atomic_store_n(&guard->state->probe_tid, (uint32_t)getpid(),
				 __ATOMIC_SEQ_CST);
		fd = open("/dev/null", O_RDWR | O_CLOEXEC);
		if (fd >= 0) {
			(void)dup2(fd, STDIN_FILENO);
			(void)dup2(fd, STDOUT_FILENO);
			(void)dup2(fd, STDERR_FILENO);
		}
		for (i = 0; i < N_ELEMENTS(programs); i++)
			(void)execv(programs[i], argv);
		_exit(127);
	}
	while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
		;
	return 0;
}

/* Programs behind a hook that not every kernel has; one of them is enough. */
static const struct {
	uint32_t hook;
	const char *program;
} optional[] = {
	{HOOK_READV_DONE, "fexit_vfs_readv"},
	{HOOK_SPLICE_DONE, "fexit_splice_file_to_pipe"},
	{HOOK_SPLICE_DONE, "fexit_splice_direct_to_actor"},
	{HOOK_COPY_DONE, "fexit_vfs_copy_file_range"},
};

static uint64_t hooks_expected(const struct guard *guard)
{
	uint64_t expected = (1ULL << HOOK_MAX) - 1;
	size_t i;

	for (i = 0; i < N_ELEMENTS(optional); i++)
		expected &= ~(1ULL << optional[i].hook);
	for (i = 0; i < N_ELEMENTS(optional); i++) {
		if (guard_is_attached(guard, optional[i].program))
			expected |= 1ULL << optional[i].hook;
	}
	return expected;
}

int guard_probe_hooks(struct guard *guard, const char *dir,
		      const struct guard_say *say,
		      struct guard_hooks *ret_hooks)
{
	struct guard_state *state = guard->state;
	struct guard_hooks hooks = {0};
	struct label label;
	uint64_t untried = 0;
	uint32_t hook;
	char temp[256];
	int r;

	(void)snprintf(temp, sizeof(temp), "%s/cordon-probe.XXXXXX",
		       dir ? dir : "/run");
	if (!mkdtemp(temp)) {
		r = -errno;
		guard_say(say, GUARD_ERROR,
			  "cannot make %s to test the hooks in (%s)", temp,
			  strerror(-r));
		return r;
	}
	(void)guard_map_delete(guard, MAP_LABELS, &spare_key);
	__atomic_store_n(&state->armed, 1, __ATOMIC_SEQ_CST);
	__atomic_store_n(&state->probed, 0, __ATOMIC_SEQ_CST);
	__atomic_store_n(&state->probe_tid, (uint32_t)gettid(),
			 __ATOMIC_SEQ_CST);
	r = act_names(temp);
	if (!r)
		r = act_reads(guard);
	act_pipes();
	if (act_terminal() < 0)
		untried = 1ULL << HOOK_TTY_WRITE | 1ULL << HOOK_TTY_READ;
	act_sends();
	act_key();
	act_semaphore();
	tried(kill(getpid(), 0));
	tried(guard_map_lookup(guard, MAP_LABELS, &spare_key, &label));
	if (!r)
		r = act_child(guard);
	__atomic_store_n(&state->probe_tid, 0, __ATOMIC_SEQ_CST);
	(void)rmdir(temp);
	/* Another file may have been quicker: then the next test has less. */
	(void)guard_spare_label(guard);
	if (r) {
		guard_say(say, GUARD_ERROR, "the hooks cannot be tested (%s)",
			  strerror(-r));
		return r;
	}

	hooks.expected = hooks_expected(guard) & ~untried;
	hooks.seen = __atomic_load_n(&state->probed, __ATOMIC_SEQ_CST);
	for (hook = 0; hook < HOOK_MAX; hook++)
		if (hooks.expected & ~hooks.seen & 1ULL << hook)
			guard_say(say, GUARD_ERROR,
				  "the guard is attached to %s but did not see "
				  "it happen; boot a supported kernel",
				  guard_hook_name(hook));
	*ret_hooks = hooks;
	return 0;
}
