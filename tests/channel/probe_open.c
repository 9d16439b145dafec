// SPDX-License-Identifier: GPL-2.0-only
/*
 * How a descriptor of a protected file is come by. Each trick changes the
 * name, the mount or the process behind the open; none changes the file.
 */
#include "probe.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <limits.h>
#include <linux/capability.h>
#include <linux/openat2.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#define READ_FLAGS (O_RDONLY | O_CLOEXEC)

static int open_path(struct probe *p, const char *path)
{
	int fd = open(path, READ_FLAGS);

	(void)p;
	return fd < 0 ? -errno : fd;
}

/* As an editor does: what writes can move the position of who reads. */
static int open_writable(struct probe *p, const char *path)
{
	int fd = open(path, O_RDWR | O_CLOEXEC);

	(void)p;
	return fd < 0 ? -errno : fd;
}

/*
 * The directory outside the datasets: --work, else the grandparent of the
 * file, which is on the same file system as hard links and renames need.
 */
static int work_dir(const struct probe *p, const char *path, char *ret)
{
	char copy[PATH_MAX];

	if (p->work) {
		(void)snprintf(ret, PATH_MAX, "%s", p->work);
		return 0;
	}
	if (!realpath(path, copy))
		return -errno;
	(void)snprintf(ret, PATH_MAX, "%s", dirname(dirname(copy)));
	return 0;
}

static int beside(const struct probe *p, const char *path, const char *kind,
		  char *ret)
{
	char dir[PATH_MAX];
	int r, n;

	r = work_dir(p, path, dir);
	if (r < 0)
		return r;
	n = snprintf(ret, PATH_MAX, "%s/.probe-%s-%d", dir, kind, getpid());
	return n < PATH_MAX ? 0 : -ENAMETOOLONG;
}

int work_file(struct probe *p)
{
	char name[PATH_MAX];
	int fd, r;

	r = beside(p, p->nfiles ? p->files[0] : "/tmp/.", "out", name);
	if (r < 0)
		return r;
	fd = open(name, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (fd < 0)
		return -errno;
	(void)unlink(name);
	return fd;
}

/* A name that the test made before the guard was told, or -ENOENT. */
static int open_alias(const struct probe *p, const char *path)
{
	char name[PATH_MAX];
	const char *base = strrchr(path, '/');
	int fd, n;

	if (!p->alias)
		return -ENOENT;
	n = snprintf(name, sizeof(name), "%s/%s", p->alias,
		     base ? base + 1 : path);
	if (n >= (int)sizeof(name))
		return -ENAMETOOLONG;
	fd = open(name, READ_FLAGS);
	return fd < 0 ? -errno : fd;
}

static int open_hardlink(struct probe *p, const char *path)
{
	char name[PATH_MAX];
	int fd, r;

	if (p->alias)
		return open_alias(p, path);
	r = beside(p, path, "link", name);
	if (r < 0)
		return r;
	if (link(path, name) < 0)
		return -errno;
	fd = open(name, READ_FLAGS);
	r = fd < 0 ? -errno : fd;
	(void)unlink(name);
	return r;
}

static int open_rename_out(struct probe *p, const char *path)
{
	char name[PATH_MAX];
	int fd, r;

	if (p->alias)
		return open_alias(p, path);
	r = beside(p, path, "moved", name);
	if (r < 0)
		return r;
	if (rename(path, name) < 0)
		return -errno;
	fd = open(name, READ_FLAGS);
	r = fd < 0 ? -errno : fd;
	/* Back, for the next probe; the descriptor does not care. */
	(void)rename(name, path);
	return r;
}

static int open_symlink(struct probe *p, const char *path)
{
	char name[PATH_MAX], target[PATH_MAX];
	int fd, r;

	if (p->alias)
		return open_alias(p, path);
	r = beside(p, path, "sym", name);
	if (r < 0)
		return r;
	if (!realpath(path, target) || symlink(target, name) < 0)
		return -errno;
	fd = open(name, READ_FLAGS);
	r = fd < 0 ? -errno : fd;
	(void)unlink(name);
	return r;
}

static int private_mounts(void)
{
	static bool done;

	if (done)
		return 0;
	if (unshare(CLONE_NEWNS) < 0 ||
	    mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0)
		return -errno;
	done = true;
	return 0;
}

/* The file's directory appears under another name, in a namespace of ours. */
static int open_bind(struct probe *p, const char *path)
{
	char dir[PATH_MAX], target[PATH_MAX], name[2 * PATH_MAX];
	char copy[PATH_MAX], *base;
	int fd, r;

	if (p->alias)
		return open_alias(p, path);
	r = beside(p, path, "bind", target);
	if (r == 0)
		r = private_mounts();
	if (r < 0)
		return r;
	if (!realpath(path, copy))
		return -errno;
	base = strrchr(copy, '/');
	(void)snprintf(dir, sizeof(dir), "%.*s", (int)(base - copy), copy);
	if (mkdir(target, 0700) < 0 && errno != EEXIST)
		return -errno;
	if (mount(*dir ? dir : "/", target, NULL, MS_BIND, NULL) < 0) {
		r = -errno;
		(void)rmdir(target);
		return r;
	}
	(void)snprintf(name, sizeof(name), "%s%s", target, base);
	fd = open(name, READ_FLAGS);
	r = fd < 0 ? -errno : fd;
	(void)umount2(target, MNT_DETACH);
	(void)rmdir(target);
	return r;
}

static int open_procfd(struct probe *p, const char *path)
{
	char name[64];
	int fd, r, place;

	(void)p;
	place = open(path, O_PATH | O_CLOEXEC);
	if (place < 0)
		return -errno;
	(void)snprintf(name, sizeof(name), "/proc/self/fd/%d", place);
	fd = open(name, READ_FLAGS);
	r = fd < 0 ? -errno : fd;
	(void)close(place);
	return r;
}

static int open_parent(const char *path, int flags, const char **ret_base)
{
	char dir[PATH_MAX];
	const char *slash = strrchr(path, '/');
	int fd;

	*ret_base = slash ? slash + 1 : path;
	(void)snprintf(dir, sizeof(dir), "%.*s",
		       slash ? (int)(slash - path) + 1 : 1, slash ? path : ".");
	fd = open(dir, flags | O_DIRECTORY | O_CLOEXEC);
	return fd < 0 ? -errno : fd;
}

static int open_o_path(struct probe *p, const char *path)
{
	const char *base;
	int dir, fd, r;

	(void)p;
	dir = open_parent(path, O_PATH, &base);
	if (dir < 0)
		return dir;
	fd = openat(dir, base, READ_FLAGS);
	r = fd < 0 ? -errno : fd;
	(void)close(dir);
	return r;
}

static int open_openat2(struct probe *p, const char *path)
{
	struct open_how how = {
		.flags = READ_FLAGS,
		.resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS,
	};
	const char *base;
	int dir, r;
	long fd;

	dir = open_parent(path, O_PATH, &base);
	if (dir < 0)
		return dir;
	fd = syscall(SYS_openat2, dir, base, &how, sizeof(how));
	r = fd < 0 ? -errno : (int)fd;
	(void)close(dir);
	if (r == -ENOSYS)
		return probe_missing(p, "openat2");
	return r;
}

/* The caches forget the file, so that its dentry comes back without parents. */
static int drop_caches(void)
{
	int fd, r = 0;

	sync();
	fd = open("/proc/sys/vm/drop_caches", O_WRONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	if (write(fd, "3", 1) != 1)
		r = -errno;
	(void)close(fd);
	return r;
}

static int open_handle(struct probe *p, const char *path)
{
	struct {
		struct file_handle head;
		unsigned char room[MAX_HANDLE_SZ];
	} handle = {.head.handle_bytes = MAX_HANDLE_SZ};
	char dir[PATH_MAX];
	int mount_id, mount_fd, fd, r;

	if (name_to_handle_at(AT_FDCWD, path, &handle.head, &mount_id, 0) < 0)
		return errno == EOPNOTSUPP
			       ? probe_missing(
					 p, "file handles on this file system")
			       : -errno;
	r = work_dir(p, path, dir);
	if (r == 0 && p->cold)
		r = drop_caches();
	if (r < 0)
		return r;
	mount_fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (mount_fd < 0)
		return -errno;
	fd = open_by_handle_at(mount_fd, &handle.head, READ_FLAGS);
	r = fd < 0 ? -errno : fd;
	(void)close(mount_fd);
	return r;
}

/*
 * A helper process that opens files for us. It is forked at the first open,
 * so before anything was read, and ends when our socket closes.
 */
struct answer {
	int fd; /* its number in the helper, or -errno */
};

#define PASS_IT 'p' /* first byte of an order: answer with it */
#define KEEP_IT 'k'

#define HELPER_LOGIN "19999" /* a login that reads nothing */

static int helper_sock = -1;
static pid_t helper_pid;

static int send_answer(int sock, struct answer a, bool pass)
{
	union {
		struct cmsghdr head;
		char room[CMSG_SPACE(sizeof(int))];
	} control = {.head.cmsg_len = CMSG_LEN(sizeof(int))};
	struct iovec iov = {&a, sizeof(a)};
	struct msghdr msg = {.msg_iov = &iov, .msg_iovlen = 1};

	if (pass && a.fd >= 0) {
		control.head.cmsg_level = SOL_SOCKET;
		control.head.cmsg_type = SCM_RIGHTS;
		memcpy(CMSG_DATA(&control.head), &a.fd, sizeof(int));
		msg.msg_control = &control;
		msg.msg_controllen = sizeof(control);
	}
	return sendmsg(sock, &msg, 0) < 0 ? -errno : 0;
}

/*
 * Somebody else, whose budget is not used up: then it is the descriptor that
 * is passed which a guard has to know, and not who opens the file. Root may
 * change its login; others stay who they are.
 */
static void become_another_login(void)
{
	int fd = open("/proc/self/loginuid", O_WRONLY | O_CLOEXEC);

	if (fd < 0)
		return;
	(void)!write(fd, HELPER_LOGIN, strlen(HELPER_LOGIN));
	(void)close(fd);
}

static _Noreturn void helper(int sock)
{
	char order[PATH_MAX + 1];
	int last = -1;
	ssize_t n;

	(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
	become_another_login();
	while ((n = recv(sock, order, sizeof(order) - 1, 0)) > 0) {
		struct answer a;

		order[n] = 0;
		if (last >= 0)
			(void)close(last);
		last = open(order + 1, READ_FLAGS);
		a.fd = last < 0 ? -errno : last;
		if (send_answer(sock, a, order[0] == PASS_IT) < 0)
			break;
	}
	_exit(0);
}

static int start_helper(void)
{
	int pair[2];

	if (helper_sock >= 0)
		return 0;
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
		return -errno;
	helper_pid = fork();
	if (helper_pid < 0)
		return -errno;
	if (helper_pid == 0) {
		(void)close(pair[0]);
		helper(pair[1]);
	}
	(void)close(pair[1]);
	helper_sock = pair[0];
	return 0;
}

/* Has the helper open path. The passed descriptor (or -1) and the answer. */
static int ask_helper(char order, const char *path, int *ret_passed,
		      struct answer *ret)
{
	struct iovec out[] = {{&order, 1}, {(char *)path, strlen(path)}};
	union {
		struct cmsghdr head;
		char room[CMSG_SPACE(sizeof(int))];
	} control;
	struct iovec iov = {ret, sizeof(*ret)};
	struct msghdr msg = {
		.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = &control,
		.msg_controllen = sizeof(control),
	};
	struct cmsghdr *c;
	int r;

	r = start_helper();
	if (r < 0)
		return r;
	if (writev(helper_sock, out, 2) < 0 ||
	    recvmsg(helper_sock, &msg, MSG_CMSG_CLOEXEC) < 0)
		return -errno;
	*ret_passed = -1;
	c = CMSG_FIRSTHDR(&msg);
	if (c && c->cmsg_type == SCM_RIGHTS)
		memcpy(ret_passed, CMSG_DATA(c), sizeof(int));
	return 0;
}

static int open_scm(struct probe *p, const char *path)
{
	struct answer a;
	int passed, r;

	(void)p;
	r = ask_helper(PASS_IT, path, &passed, &a);
	if (r < 0)
		return r;
	if (a.fd < 0)
		return a.fd;
	/* A security module that refuses a descriptor leaves a hole. */
	return passed >= 0 ? passed : -EACCES;
}

static int open_pidfd_getfd(struct probe *p, const char *path)
{
	struct answer a;
	int passed, pidfd, r;
	long fd;

	r = ask_helper(KEEP_IT, path, &passed, &a);
	if (r < 0)
		return r;
	if (a.fd < 0)
		return a.fd;
	pidfd = (int)syscall(SYS_pidfd_open, helper_pid, 0);
	if (pidfd < 0)
		return -errno;
	fd = syscall(SYS_pidfd_getfd, pidfd, a.fd, 0);
	r = fd < 0 ? -errno : (int)fd;
	(void)close(pidfd);
	if (r == -ENOSYS)
		return probe_missing(p, "pidfd_getfd");
	return r;
}

/*
 * All files are opened before the first one is read: a budget that is used up
 * by then has to be met by the read, and not by the open.
 */
static int open_early(struct probe *p, const char *path)
{
	static int *early;
	size_t i;
	int fd;

	if (!early) {
		early = calloc(p->nfiles, sizeof(*early));
		if (!early)
			return -ENOMEM;
		for (i = 0; i < p->nfiles; i++)
			early[i] = open_path(p, p->files[i]);
	}
	for (i = 0; i < p->nfiles && p->files[i] != path; i++)
		;
	if (i == p->nfiles)
		return -EBADF;
	fd = early[i];
	early[i] = -EBADF;
	return fd;
}

static int open_dup(struct probe *p, const char *path)
{
	int fd = open_early(p, path), copy, r;

	if (fd < 0)
		return fd;
	copy = fcntl(fd, F_DUPFD_CLOEXEC, 100);
	r = copy < 0 ? -errno : copy;
	(void)close(fd);
	return r;
}

/* Not reached: main() hands "inherited" to life_inherited(). */
static int open_inherited(struct probe *p, const char *path)
{
	(void)p;
	(void)path;
	return -EBADF;
}

const struct opener openers[] = {
	{"path", "open(2) by its path", open_path, -1},
	{"writable", "open(2) for reading and writing", open_writable, -1},
	{"hardlink", "through a second link outside the dataset", open_hardlink,
	 -1},
	{"rename-out", "moved out of the dataset, opened there",
	 open_rename_out, -1},
	{"bind", "through a bind mount in a mount namespace of its own",
	 open_bind, CAP_SYS_ADMIN},
	{"symlink", "through a symbolic link outside the dataset", open_symlink,
	 -1},
	{"procfd", "O_PATH, then opened again by /proc/self/fd", open_procfd,
	 -1},
	{"o_path", "openat(2) below an O_PATH descriptor of its directory",
	 open_o_path, -1},
	{"handle", "open_by_handle_at(2); --cold drops the caches before",
	 open_handle, CAP_DAC_READ_SEARCH},
	{"inherited", "opened by the parent, read by a child after exec",
	 open_inherited, -1},
	{"scm", "passed by a helper process with SCM_RIGHTS", open_scm, -1},
	{"pidfd_getfd", "taken out of a helper process by pidfd_getfd(2)",
	 open_pidfd_getfd, -1},
	{"openat2", "openat2(2) with RESOLVE_BENEATH", open_openat2, -1},
	{"uring-openat", "io_uring OPENAT", open_by_uring, -1},
	{"dup", "a duplicate of a descriptor from before the first read",
	 open_dup, -1},
	{0},
};
