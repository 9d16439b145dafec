// SPDX-License-Identifier: GPL-2.0-only
/*
 * What the program at the network can still do when an attacker has it: speak
 * to other hosts, and to the agent. Two walls that know nothing of each other:
 * seccomp for what it may ask of the kernel, Landlock, where the kernel has it,
 * for the files that it may read.
 */
#include "cordon_link.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/landlock.h>
#include <malloc.h>
#include <pwd.h>
#include <sched.h>
#include <seccomp.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

/* What the names of hosts, and the library for TLS, are configured in. */
static const char *const names[] = {
	"/etc/resolv.conf",	"/etc/hosts",	      "/etc/host.conf",
	"/etc/gai.conf",	"/etc/nsswitch.conf", "/etc/services",
	"/etc/ssl/openssl.cnf",
};

static int failed(const char *what, int r, char *words, size_t size)
{
	(void)snprintf(words, size, "%s: %s", what, strerror(-r));
	return r;
}

/* ---- the user ------------------------------------------------------------ */

static int change_user(const char *user, char *words, size_t size)
{
	const struct passwd *entry;

	errno = 0;
	entry = getpwnam(user);
	if (!entry) {
		(void)snprintf(words, size,
			       "there is no user %.64s: useradd --system "
			       "--no-create-home --shell /usr/sbin/nologin "
			       "%.64s",
			       user, user);
		return errno ? -errno : -ESRCH;
	}
	if (getuid() == entry->pw_uid && geteuid() == entry->pw_uid)
		return 0;
	if (setgroups(0, NULL) < 0 ||
	    setresgid(entry->pw_gid, entry->pw_gid, entry->pw_gid) < 0 ||
	    setresuid(entry->pw_uid, entry->pw_uid, entry->pw_uid) < 0)
		return failed("becoming another user", -errno, words, size);
	return 0;
}

int link_become(const char *user, bool root, char *words, size_t size)
{
	int r = user ? change_user(user, words, size) : 0;

	if (r)
		return r;
	if (!root && (getuid() == 0 || geteuid() == 0)) {
		(void)snprintf(words, size,
			       "it does not run as root: say --user");
		return -EPERM;
	}
	return 0;
}

/* ---- limits -------------------------------------------------------------- */

static int set_limits(void)
{
	static const struct {
		__rlimit_resource_t what;
		rlim_t most;
	} limits[] = {
		{RLIMIT_AS, 1ULL << 30}, {RLIMIT_NOFILE, 64},
		{RLIMIT_NPROC, 256},	 {RLIMIT_CORE, 0},
		{RLIMIT_FSIZE, 0},	 {RLIMIT_MEMLOCK, 0},
		{RLIMIT_MSGQUEUE, 0},
	};
	struct rlimit limit;

	for (size_t i = 0; i < sizeof(limits) / sizeof(limits[0]); i++) {
		if (getrlimit(limits[i].what, &limit) < 0)
			return -errno;
		if (limit.rlim_max > limits[i].most)
			limit.rlim_max = limits[i].most;
		if (limit.rlim_cur > limit.rlim_max)
			limit.rlim_cur = limit.rlim_max;
		if (setrlimit(limits[i].what, &limit) < 0)
			return -errno;
	}
	/* Each arena would take a good part of the address space. */
	(void)mallopt(M_ARENA_MAX, 2);
	return 0;
}

/* ---- Landlock ------------------------------------------------------------ */

/* What version 1 knows is all there is to do with files; later ones add to it.
 */
static uint64_t all_rights(long version)
{
	uint64_t rights = (LANDLOCK_ACCESS_FS_MAKE_SYM << 1) - 1;

	if (version >= 2)
		rights |= LANDLOCK_ACCESS_FS_REFER;
#ifdef LANDLOCK_ACCESS_FS_TRUNCATE
	if (version >= 3)
		rights |= LANDLOCK_ACCESS_FS_TRUNCATE;
#endif
	return rights;
}

/* One that is not there cannot be read. */
static int allow_file(int rules, const char *path)
{
	struct landlock_path_beneath_attr rule = {
		.allowed_access = LANDLOCK_ACCESS_FS_READ_FILE};
	int r = 0;

	rule.parent_fd = open(path, O_PATH | O_CLOEXEC);
	if (rule.parent_fd < 0)
		return errno == ENOENT || errno == EACCES ? 0 : -errno;
	if (syscall(SYS_landlock_add_rule, rules, LANDLOCK_RULE_PATH_BENEATH,
		    &rule, 0) < 0)
		r = -errno;
	(void)close(rule.parent_fd);
	return r;
}

static int restrict_files(const char *const *files, size_t n)
{
	struct landlock_ruleset_attr attr = {0};
	long version;
	int rules, r = 0;

	version = syscall(SYS_landlock_create_ruleset, NULL, 0,
			  LANDLOCK_CREATE_RULESET_VERSION);
	if (version < 0)
		return errno == ENOSYS || errno == EOPNOTSUPP ? 0 : -errno;
	attr.handled_access_fs = all_rights(version);
	rules = (int)syscall(SYS_landlock_create_ruleset, &attr,
			     sizeof(attr.handled_access_fs), 0);
	if (rules < 0)
		return -errno;
	for (size_t i = 0; i < n && !r; i++)
		r = allow_file(rules, files[i]);
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]) && !r; i++)
		r = allow_file(rules, names[i]);
	if (!r && syscall(SYS_landlock_restrict_self, rules, 0) < 0)
		r = -errno;
	(void)close(rules);
	return r;
}

/* ---- seccomp ------------------------------------------------------------- */

/* Whatever their arguments. */
static const int calls[] = {
	SCMP_SYS(brk),
	SCMP_SYS(clock_getres),
	SCMP_SYS(clock_gettime),
	SCMP_SYS(clock_nanosleep),
	SCMP_SYS(close),
	SCMP_SYS(connect),
	SCMP_SYS(eventfd2),
	SCMP_SYS(exit),
	SCMP_SYS(exit_group),
	SCMP_SYS(faccessat),
	SCMP_SYS(fstat),
	SCMP_SYS(futex),
	SCMP_SYS(getegid),
	SCMP_SYS(geteuid),
	SCMP_SYS(getgid),
	SCMP_SYS(getpeername),
	SCMP_SYS(getpid),
	SCMP_SYS(getppid),
	SCMP_SYS(getrandom),
	SCMP_SYS(getsockname),
	SCMP_SYS(getsockopt),
	SCMP_SYS(gettid),
	SCMP_SYS(gettimeofday),
	SCMP_SYS(getuid),
	SCMP_SYS(lseek),
	SCMP_SYS(madvise),
	SCMP_SYS(mremap),
	SCMP_SYS(munmap),
	SCMP_SYS(nanosleep),
	SCMP_SYS(newfstatat),
	SCMP_SYS(poll),
	SCMP_SYS(ppoll),
	SCMP_SYS(pread64),
	SCMP_SYS(pselect6),
	SCMP_SYS(read),
	SCMP_SYS(readv),
	SCMP_SYS(recvfrom),
	SCMP_SYS(recvmsg),
	SCMP_SYS(restart_syscall),
	SCMP_SYS(rseq),
	SCMP_SYS(rt_sigaction),
	SCMP_SYS(rt_sigprocmask),
	SCMP_SYS(rt_sigreturn),
	SCMP_SYS(sched_getaffinity),
	SCMP_SYS(sched_yield),
	SCMP_SYS(select),
	SCMP_SYS(sendmmsg),
	SCMP_SYS(sendmsg),
	SCMP_SYS(sendto),
	SCMP_SYS(set_robust_list),
	SCMP_SYS(setsockopt),
	SCMP_SYS(shutdown),
	SCMP_SYS(sigaltstack),
	SCMP_SYS(stat),
	SCMP_SYS(statx),
	SCMP_SYS(sysinfo),
	SCMP_SYS(time),
	SCMP_SYS(uname),
	SCMP_SYS(write),
	SCMP_SYS(writev),
};

#define WRITES (O_ACCMODE | O_CREAT | O_TRUNC | __O_TMPFILE)

static int allow(scmp_filter_ctx filter, int call, unsigned int n,
		 const struct scmp_arg_cmp *args)
{
	return seccomp_rule_add_array(filter, SCMP_ACT_ALLOW, call, n, args);
}

/* Names of hosts are asked for by datagrams; no Unix sockets, no netlink. */
static int allow_sockets(scmp_filter_ctx filter)
{
	static const int domains[] = {AF_INET, AF_INET6};
	static const int types[] = {SOCK_STREAM, SOCK_DGRAM};
	const scmp_datum_t mask = ~(scmp_datum_t)(SOCK_CLOEXEC | SOCK_NONBLOCK);
	int r = 0;

	for (int i = 0; i < 4 && !r; i++) {
		const struct scmp_arg_cmp args[] = {
			SCMP_A0(SCMP_CMP_EQ, domains[i / 2]),
			SCMP_A1(SCMP_CMP_MASKED_EQ, mask & UINT32_MAX,
				types[i % 2]),
		};

		r = allow(filter, SCMP_SYS(socket), 2, args);
	}
	return r;
}

/* No memory that can be written and then run. */
static int allow_memory(scmp_filter_ctx filter)
{
	const struct scmp_arg_cmp data[] = {
		SCMP_A2(SCMP_CMP_MASKED_EQ, PROT_EXEC, 0)};
	int r = allow(filter, SCMP_SYS(mmap), 1, data);

	return r ? r : allow(filter, SCMP_SYS(mprotect), 1, data);
}

static int allow_files(scmp_filter_ctx filter)
{
	const struct scmp_arg_cmp open_args[] = {
		SCMP_A1(SCMP_CMP_MASKED_EQ, WRITES, O_RDONLY)};
	const struct scmp_arg_cmp openat_args[] = {
		SCMP_A2(SCMP_CMP_MASKED_EQ, WRITES, O_RDONLY)};
	int r = allow(filter, SCMP_SYS(open), 1, open_args);

	return r ? r : allow(filter, SCMP_SYS(openat), 1, openat_args);
}

/* Not all that fcntl(2) does: a socket that tells its owner, by a signal of
 * one's choice, that there is something would be a way to send any. */
static int allow_fcntl(scmp_filter_ctx filter)
{
	static const int commands[] = {F_GETFD, F_SETFD, F_GETFL, F_SETFL,
				       F_DUPFD_CLOEXEC};
	int r = 0;

	for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]) && !r;
	     i++) {
		const struct scmp_arg_cmp command[] = {
			SCMP_A1(SCMP_CMP_EQ, (scmp_datum_t)commands[i])};

		r = allow(filter, SCMP_SYS(fcntl), 1, command);
	}
	return r;
}

/* Threads, but no processes: for clone3(2), whose flags are in memory, the
 * C library then takes clone(2). */
static int allow_threads(scmp_filter_ctx filter)
{
	const struct scmp_arg_cmp thread[] = {SCMP_A0(
		SCMP_CMP_MASKED_EQ, CLONE_THREAD | CLONE_VM | CLONE_SIGHAND,
		CLONE_THREAD | CLONE_VM | CLONE_SIGHAND)};
	int r = allow(filter, SCMP_SYS(clone), 1, thread);

	return r ? r
		 : seccomp_rule_add_array(filter, SCMP_ACT_ERRNO(ENOSYS),
					  SCMP_SYS(clone3), 0, NULL);
}

static int allow_rest(scmp_filter_ctx filter)
{
	const struct scmp_arg_cmp signal_self[] = {
		SCMP_A0(SCMP_CMP_EQ, (scmp_datum_t)getpid())};
	const struct scmp_arg_cmp name[] = {SCMP_A0(SCMP_CMP_EQ, PR_SET_NAME)};
	const struct scmp_arg_cmp waiting[] = {SCMP_A1(SCMP_CMP_EQ, FIONREAD)};
	const struct scmp_arg_cmp blocking[] = {SCMP_A1(SCMP_CMP_EQ, FIONBIO)};
	const struct scmp_arg_cmp limit[] = {SCMP_A0(SCMP_CMP_EQ, 0),
					     SCMP_A2(SCMP_CMP_EQ, 0)};
	int r = allow(filter, SCMP_SYS(tgkill), 1, signal_self);

	if (!r)
		r = allow(filter, SCMP_SYS(prctl), 1, name);
	if (!r)
		r = allow(filter, SCMP_SYS(ioctl), 1, waiting);
	if (!r)
		r = allow(filter, SCMP_SYS(ioctl), 1, blocking);
	return r ? r : allow(filter, SCMP_SYS(prlimit64), 2, limit);
}

static int restrict_calls(void)
{
	scmp_filter_ctx filter = seccomp_init(SCMP_ACT_ERRNO(EPERM));
	int r = filter ? 0 : -ENOMEM;

	for (size_t i = 0; i < sizeof(calls) / sizeof(calls[0]) && !r; i++)
		r = allow(filter, calls[i], 0, NULL);
	if (!r)
		r = allow_sockets(filter);
	if (!r)
		r = allow_memory(filter);
	if (!r)
		r = allow_files(filter);
	if (!r)
		r = allow_fcntl(filter);
	if (!r)
		r = allow_threads(filter);
	if (!r)
		r = allow_rest(filter);
	if (!r)
		r = seccomp_load(filter);
	seccomp_release(filter);
	return r;
}

int link_sandbox(const char *const *files, size_t n, char *words, size_t size)
{
	int r;

	if (prctl(PR_SET_PDEATHSIG, SIGKILL) < 0 ||
	    prctl(PR_SET_DUMPABLE, 0) < 0 ||
	    prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		return failed("prctl", -errno, words, size);
	r = set_limits();
	if (r)
		return failed("setrlimit", r, words, size);
	r = restrict_files(files, n);
	if (r)
		return failed("landlock", r, words, size);
	r = restrict_calls();
	return r ? failed("seccomp", r, words, size) : 0;
}
