// SPDX-License-Identifier: GPL-2.0-only
/*
 * What an attacker who has the link would try, each in a process of its own
 * that has the link's sandbox; and without it, where it has to work, or the
 * refusal would prove nothing. Speaks TAP.
 *
 * usage: sandbox DIR; there may be files made in DIR
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/netlink.h>
#include <netinet/in.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cordon_link.h"

static char named[4096], other[4096], fresh[4096];

static int said(long r)
{
	return r < 0 ? errno : 0;
}

/* ---- what is tried: 0 or errno ------------------------------------------- */

static int read_named(void)
{
	return said(open(named, O_RDONLY | O_CLOEXEC));
}

static int read_other(void)
{
	return said(open(other, O_RDONLY | O_CLOEXEC));
}

static int list_root(void)
{
	return said(open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
}

static int write_named(void)
{
	return said(open(named, O_WRONLY | O_CLOEXEC));
}

static int make_file(void)
{
	return said(open(fresh, O_WRONLY | O_CREAT | O_CLOEXEC, 0600));
}

static int make_unnamed(void)
{
	char dir[4096];

	(void)snprintf(dir, sizeof(dir), "%s", other);
	*strrchr(dir, '/') = '\0';
	return said(open(dir, O_RDWR | O_TMPFILE | O_CLOEXEC, 0600));
}

static int make_dir(void)
{
	return said(mkdir(fresh, 0700));
}

static int remove_file(void)
{
	return said(unlink(other));
}

static int rename_file(void)
{
	return said(rename(other, fresh));
}

static int change_mode(void)
{
	return said(chmod(named, 0600));
}

static int memory_file(void)
{
	return said(syscall(SYS_memfd_create, "x", 0));
}

static int tcp_socket(void)
{
	return said(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
}

static int udp_socket(void)
{
	return said(socket(AF_INET6, SOCK_DGRAM | SOCK_NONBLOCK, 0));
}

static int unix_socket(void)
{
	return said(socket(AF_UNIX, SOCK_STREAM, 0));
}

static int socket_pair(void)
{
	int fds[2];

	return said(socketpair(AF_UNIX, SOCK_STREAM, 0, fds));
}

static int netlink_socket(void)
{
	return said(socket(AF_NETLINK, SOCK_RAW, NETLINK_ROUTE));
}

static int raw_socket(void)
{
	return said(socket(AF_INET, SOCK_RAW, IPPROTO_ICMP));
}

static int packet_socket(void)
{
	return said(socket(AF_PACKET, SOCK_DGRAM, 0));
}

static int listening_socket(void)
{
	struct sockaddr_in address = {.sin_family = AF_INET};
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (fd < 0)
		return ENOTSOCK;
	if (bind(fd, (struct sockaddr *)&address, sizeof(address)) < 0)
		return errno;
	return said(listen(fd, 1));
}

static void *nothing(void *arg)
{
	return arg;
}

static int make_thread(void)
{
	pthread_t thread;
	int r = pthread_create(&thread, NULL, nothing, NULL);

	return r ? r : pthread_join(thread, NULL);
}

static int make_process(void)
{
	pid_t pid = fork();

	if (pid == 0)
		_exit(0);
	return said(pid);
}

static int start_program(void)
{
	char *const args[] = {"true", NULL};

	(void)execve("/bin/true", args, NULL);
	return errno;
}

static int data_memory(void)
{
	return mmap(NULL, 4096, PROT_READ | PROT_WRITE,
		    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) == MAP_FAILED
		       ? errno
		       : 0;
}

static int code_memory(void)
{
	return mmap(NULL, 4096, PROT_READ | PROT_WRITE | PROT_EXEC,
		    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) == MAP_FAILED
		       ? errno
		       : 0;
}

static int memory_to_code(void)
{
	void *at = mmap(NULL, 4096, PROT_READ | PROT_WRITE,
			MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	return said(mprotect(at, 4096, PROT_READ | PROT_EXEC));
}

static int signal_parent(void)
{
	return said(kill(getppid(), 0));
}

/* By way of a socket that tells its owner when there is something. */
static int own_by_parent(void)
{
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	if (fd < 0)
		return ENOTSOCK;
	return said(fcntl(fd, F_SETOWN, getppid()));
}

static int choose_signal(void)
{
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	if (fd < 0)
		return ENOTSOCK;
	return said(fcntl(fd, F_SETSIG, SIGKILL));
}

static int set_nonblocking(void)
{
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	if (fd < 0 || fcntl(fd, F_GETFL) < 0)
		return ENOTSOCK;
	return said(fcntl(fd, F_SETFL, O_NONBLOCK));
}

static int trace_parent(void)
{
	long r = ptrace(PTRACE_SEIZE, getppid(), 0, 0);

	if (r == 0)
		(void)ptrace(PTRACE_DETACH, getppid(), 0, 0);
	return said(r);
}

static int raise_limit(void)
{
	struct rlimit limit = {0, 0};

	return said(setrlimit(RLIMIT_CORE, &limit));
}

static int new_namespace(void)
{
	return said(unshare(CLONE_NEWUSER));
}

static int become_dumpable(void)
{
	return said(prctl(PR_SET_DUMPABLE, 1));
}

static struct {
	const char *what;
	int (*try)(void);
	int within; /* what it comes to in the sandbox */
} attempts[] = {
	{"a_named_file_is_read", read_named, 0},
	{"another_file_is_not_read", read_other, EACCES},
	{"a_directory_is_not_read", list_root, EPERM},
	{"a_named_file_is_not_written", write_named, EPERM},
	{"a_file_is_not_made", make_file, EPERM},
	{"a_file_without_a_name_is_not_made", make_unnamed, EPERM},
	{"a_directory_is_not_made", make_dir, EPERM},
	{"a_file_is_not_removed", remove_file, EPERM},
	{"a_file_is_not_renamed", rename_file, EPERM},
	{"a_mode_is_not_changed", change_mode, EPERM},
	{"a_file_in_memory_is_not_made", memory_file, EPERM},
	{"a_tcp_socket_is_made", tcp_socket, 0},
	{"a_udp_socket_is_made", udp_socket, 0},
	{"a_unix_socket_is_not_made", unix_socket, EPERM},
	{"a_pair_of_sockets_is_not_made", socket_pair, EPERM},
	{"a_netlink_socket_is_not_made", netlink_socket, EPERM},
	{"a_raw_socket_is_not_made", raw_socket, EPERM},
	{"a_packet_socket_is_not_made", packet_socket, EPERM},
	{"nobody_can_connect_to_it", listening_socket, EPERM},
	{"a_thread_is_made", make_thread, 0},
	{"a_process_is_not_made", make_process, EPERM},
	{"a_program_is_not_started", start_program, EPERM},
	{"memory_is_had", data_memory, 0},
	{"memory_to_write_and_run_is_not_had", code_memory, EPERM},
	{"memory_does_not_become_code", memory_to_code, EPERM},
	{"the_parent_gets_no_signal", signal_parent, EPERM},
	{"a_socket_is_made_one_that_does_not_wait", set_nonblocking, 0},
	{"the_parent_is_not_told_of_a_socket", own_by_parent, EPERM},
	{"a_socket_sends_no_signal_of_ones_choice", choose_signal, EPERM},
	{"the_parent_is_not_traced", trace_parent, EPERM},
	{"a_limit_is_not_changed", raise_limit, EPERM},
	{"a_namespace_is_not_made", new_namespace, EPERM},
	{"it_does_not_become_dumpable", become_dumpable, EPERM},
};

/* ---- each in a process --------------------------------------------------- */

static void make_files(const char *dir)
{
	(void)snprintf(named, sizeof(named), "%s/named", dir);
	(void)snprintf(other, sizeof(other), "%s/other", dir);
	(void)snprintf(fresh, sizeof(fresh), "%s/fresh", dir);
	(void)unlink(fresh);
	(void)rmdir(fresh);
	(void)close(open(named, O_WRONLY | O_CREAT | O_CLOEXEC, 0600));
	(void)close(open(other, O_WRONLY | O_CREAT | O_CLOEXEC, 0600));
}

static int in_process(int (*try)(void), bool sandboxed)
{
	const char *const files[] = {named};
	char words[256] = "";
	int status = 0;
	pid_t pid = fork();

	if (pid == 0) {
		if (sandboxed && link_sandbox(files, 1, words, sizeof(words))) {
			printf("# %s\n", words);
			fflush(stdout);
			_exit(255);
		}
		_exit(try());
	}
	if (pid < 0 || waitpid(pid, &status, 0) != pid)
		return -1;
	return WIFEXITED(status) ? WEXITSTATUS(status) : 1000;
}

/* Where the kernel has no Landlock, what may be read is up to the modes of
 * files alone, and so it stands among the results. */
static void expect(void)
{
	if (syscall(SYS_landlock_create_ruleset, NULL, 0, 1) >= 0)
		return;
	attempts[1].what = "another_file_is_read_as_there_is_no_landlock";
	attempts[1].within = 0;
}

int main(int argc, char **argv)
{
	const size_t n = sizeof(attempts) / sizeof(attempts[0]);
	int free_r, within;
	bool ok, all = true;

	if (argc != 2)
		return 2;
	expect();
	for (size_t i = 0; i < n; i++) {
		make_files(argv[1]);
		free_r = in_process(attempts[i].try, false);
		make_files(argv[1]);
		within = in_process(attempts[i].try, true);
		ok = free_r == 0 && within == attempts[i].within;
		all = all && ok;
		printf("%s - %s\n", ok ? "ok" : "not ok", attempts[i].what);
		if (!ok)
			printf("# without a sandbox: %s; in it: %s, expected "
			       "%s\n",
			       strerror(free_r), strerror(within),
			       strerror(attempts[i].within));
		fflush(stdout);
	}
	return all ? 0 : 1;
}
