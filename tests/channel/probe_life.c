// SPDX-License-Identifier: GPL-2.0-only
/* The stages of a run, and which task does which of them. */
#include "probe.h"
#include "record.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define CLONE_STACK_BYTES (1u << 20)
#define ENV_PIECE	  60000	     /* as hex below MAX_ARG_STRLEN */
#define EXEC_DATA_MAX	  (2u << 20) /* as hex below the kernel's 6 MiB */
#define INHERITED_MAX	  512
#define HOLD_POLL_MS	  20

static void keep_first(int *slot, int r)
{
	if (r < 0 && !*slot)
		*slot = -r;
}

static int span_of(const struct probe *p, int fd, struct span *ret)
{
	struct stat st;
	off_t left;

	if (fstat(fd, &st) < 0)
		return -errno;
	left = st.st_size > p->offset ? st.st_size - p->offset : 0;
	ret->off = p->offset;
	ret->len = (size_t)left;
	if (p->length && p->length < ret->len)
		ret->len = p->length;
	return 0;
}

static int open_nth(struct probe *p, size_t i)
{
	if (p->nfds)
		return i < p->nfds ? p->fds[i] : -EBADF;
	if (!probe_has_cap(p->open->cap))
		return probe_missing(p, "capability for this --open");
	return p->open->open(p, p->files[i]);
}

int probe_each_file(struct probe *p,
		    int (*act)(struct probe *p, int fd, struct span span,
			       void *arg),
		    void *arg)
{
	struct span span;
	int first = 0;

	/* Who is refused one file goes on with the next: so would a thief. */
	for (size_t i = 0; i < p->nfiles; i++) {
		int fd = open_nth(p, i);
		int r;

		if (fd < 0) {
			keep_first(&p->errno_open, fd);
			if (p->missing)
				return fd;
			continue;
		}
		r = span_of(p, fd, &span);
		if (r == 0)
			r = act(p, fd, span, arg);
		(void)close(fd);
		if (r < 0 && !first)
			first = r;
		if (p->missing)
			break;
	}
	return first;
}

static int read_one(struct probe *p, int fd, struct span span, void *arg)
{
	(void)arg;
	return p->read->read(p, fd, span);
}

static void count_records(struct probe *p)
{
	struct record_set set = {0};
	struct record_scan scan = {0};

	if (record_scan_feed(&scan, &set, p->data.p, p->data.len) == 0)
		p->records = set.count;
	record_set_release(&set);
}

void stage_read(struct probe *p)
{
	if (strcmp(p->read->name, "none") == 0)
		return;
	if (strcmp(p->read->name, "image") == 0)
		keep_first(&p->errno_read,
			   p->read->read(p, -1, (struct span){0}));
	else
		keep_first(&p->errno_read, probe_each_file(p, read_one, NULL));
	if (p->data.len)
		count_records(p);
}

void stage_connect(struct probe *p)
{
	int r;

	if (!p->way || p->sock >= 0 || p->missing)
		return;
	if (!probe_has_cap(p->way->cap)) {
		keep_first(&p->errno_send,
			   probe_missing(p, "capability for this --release"));
		return;
	}
	r = p->way->connect(p);
	keep_first(&p->errno_send, r);
	if (r >= 0)
		p->sock = r;
}

int stage_cut(struct probe *p)
{
	size_t have = p->data.len, want = p->send_bytes;
	uint8_t *room;

	if (!p->send_bytes_set)
		return 0;
	if (want > have) {
		room = probe_room(p, want - have);
		if (!room)
			return -ENOMEM;
		if (!have)
			memset(room, 'x', want);
		for (size_t i = 0; have && i < want - have; i++)
			room[i] = p->data.p[i % have];
	}
	p->data.len = want;
	return 0;
}

static bool is_refusal(ssize_t r)
{
	return r == -EPERM || r == -EACCES;
}

static int send_all(struct probe *p)
{
	size_t chunk = p->way->chunk, done = 0;
	int first = 0;

	if (p->chunk && p->chunk < chunk)
		chunk = p->chunk;
	while (done < p->data.len) {
		size_t n = p->data.len - done;
		ssize_t r;

		if (n > chunk)
			n = chunk;
		r = p->way->step(p, p->sock, p->data.p + done, n);
		if (r == -EINTR)
			continue;
		if (r >= 0) {
			p->sent_bytes += (uint64_t)r;
			done += (size_t)r;
			continue;
		}
		if (!first)
			first = (int)r;
		if (p->shrink && is_refusal(r) && n > 1)
			chunk = n / 2; /* what still fits the budget? */
		else if (p->persist && !p->missing)
			done += n; /* leave that piece out */
		else
			return first;
	}
	return first;
}

/* Writes "0" (the writer) to DIR/cgroup.procs. */
static int enter_cgroup(const char *dir)
{
	char name[PATH_MAX];
	int fd, r = 0;

	(void)snprintf(name, sizeof(name), "%s/cgroup.procs", dir);
	fd = open(name, O_WRONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	if (write(fd, "0", 1) != 1)
		r = -errno;
	(void)close(fd);
	return r;
}

static int enter_netns(const char *name)
{
	int fd, r = 0;

	fd = open(name, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	if (setns(fd, CLONE_NEWNET) < 0)
		r = -errno;
	(void)close(fd);
	return r;
}

/* Makes the file and waits until somebody has removed it. */
static int hold_while(const char *name)
{
	int fd = open(name, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);

	if (fd < 0)
		return -errno;
	(void)close(fd);
	while (access(name, F_OK) == 0)
		(void)poll(NULL, 0, HOLD_POLL_MS);
	return 0;
}

/* Somebody else, somewhere else, later: a holding has to come along. */
static int move(struct probe *p)
{
	int r = 0;

	if (p->moved)
		return 0;
	p->moved = true;
	if (p->hold_ms)
		(void)poll(NULL, 0, (int)p->hold_ms);
	if (p->hold_file)
		r = hold_while(p->hold_file);
	if (r < 0)
		return r;
	if (p->move_cgroup)
		r = enter_cgroup(p->move_cgroup);
	if (r == 0 && p->move_netns)
		r = enter_netns(p->move_netns);
	if (r == 0 && p->move_uid >= 0 && setuid((uid_t)p->move_uid) < 0)
		r = -errno;
	return r;
}

static void send_once(struct probe *p)
{
	int r;

	stage_connect(p);
	if (p->sock < 0)
		return;
	r = p->way->run ? p->way->run(p, p->sock) : send_all(p);
	keep_first(&p->errno_send, r);
	if (p->way->finish && !p->missing)
		keep_first(&p->errno_send, p->way->finish(p, p->sock));
	(void)close(p->sock);
	p->sock = -1;
}

void stage_send(struct probe *p)
{
	int r;

	if (!p->way || p->missing)
		return;
	r = stage_cut(p);
	/* Nothing was read: there is nothing to release. */
	if (r == 0 && !p->data.len && !p->way->run)
		return;
	if (r == 0)
		r = move(p);
	keep_first(&p->errno_send, r);
	if (r < 0)
		return;
	for (size_t i = 0; i < p->repeat && !p->missing; i++)
		if (!p->errno_send || p->persist || p->shrink)
			send_once(p);
}

static void stage_first(struct probe *p)
{
	if (p->sock_first)
		stage_connect(p);
}

static int live_plain(struct probe *p)
{
	stage_first(p);
	stage_read(p);
	stage_send(p);
	return probe_report(p);
}

static void *thread_read(void *arg)
{
	stage_read(arg);
	return NULL;
}

static int live_thread(struct probe *p)
{
	pthread_t reader;

	stage_first(p);
	keep_first(&p->errno_read,
		   -pthread_create(&reader, NULL, thread_read, p));
	if (!p->errno_read)
		(void)pthread_join(reader, NULL);
	stage_send(p);
	return probe_report(p);
}

struct early {
	struct probe *p;
	pthread_barrier_t go;
};

static void *early_send(void *arg)
{
	struct early *e = arg;

	(void)pthread_barrier_wait(&e->go);
	stage_send(e->p);
	return NULL;
}

/* The thread that releases was there before anything was read. */
static int live_early_thread(struct probe *p)
{
	struct early e = {.p = p};
	pthread_t sender;
	int r;

	stage_first(p);
	r = pthread_barrier_init(&e.go, NULL, 2);
	if (r == 0)
		r = pthread_create(&sender, NULL, early_send, &e);
	keep_first(&p->errno_send, -r);
	if (r == 0) {
		stage_read(p);
		(void)pthread_barrier_wait(&e.go);
		(void)pthread_join(sender, NULL);
	}
	return probe_report(p);
}

static int wait_for(pid_t pid)
{
	int status;

	while (waitpid(pid, &status, 0) < 0)
		if (errno != EINTR)
			return PROBE_OTHER_ERROR;
	return WIFEXITED(status) ? WEXITSTATUS(status) : PROBE_OTHER_ERROR;
}

static int live_fork(struct probe *p)
{
	pid_t child;

	stage_first(p);
	stage_read(p);
	child = fork();
	if (child < 0) {
		keep_first(&p->errno_send, -errno);
		return probe_report(p);
	}
	if (child == 0) {
		(void)alarm(p->timeout_s);
		stage_send(p);
		_exit(probe_report(p));
	}
	(void)alarm(p->timeout_s + 5); /* the child's speaks first */
	return wait_for(child);
}

static _Noreturn void read_and_leave(struct probe *p, const int gone[2])
{
	pid_t child;
	char byte;

	stage_read(p);
	child = fork();
	if (child != 0)
		_exit(child < 0 ? PROBE_OTHER_ERROR : 0);
	(void)close(gone[1]);
	(void)setsid();
	(void)alarm(p->timeout_s);
	(void)!read(gone[0], &byte, 1); /* ends when the reader has */
	stage_send(p);
	_exit(probe_report(p));
}

/* The worst exit code of all children; helpers end by a signal. */
static int wait_for_all(void)
{
	int worst = 0, status;

	for (;;) {
		if (wait(&status) >= 0) {
			if (WIFEXITED(status) && WEXITSTATUS(status) > worst)
				worst = WEXITSTATUS(status);
		} else if (errno != EINTR) {
			return worst;
		}
	}
}

/* Whoever read is gone, and its orphan releases in a session of its own. */
static int live_daemon(struct probe *p)
{
	int gone[2];
	pid_t reader;

	stage_first(p);
	/* The orphan becomes our child, so that its exit code gets here. */
	if (prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) < 0 ||
	    pipe2(gone, O_CLOEXEC) < 0)
		return PROBE_OTHER_ERROR;
	reader = fork();
	if (reader < 0)
		return PROBE_OTHER_ERROR;
	if (reader == 0)
		read_and_leave(p, gone);
	(void)close(gone[0]);
	(void)close(gone[1]);
	(void)alarm(p->timeout_s + 5);
	return wait_for_all();
}

static int clone_read(void *arg)
{
	stage_read(arg);
	return 0;
}

static int clone_send(void *arg)
{
	stage_send(arg);
	return 0;
}

/* A child in the same memory: the results need no way back. */
static int run_in_clone(int flags, int (*stage)(void *), struct probe *p)
{
	void *stack;
	pid_t child;
	int r = 0;

	stack = mmap(NULL, CLONE_STACK_BYTES, PROT_READ | PROT_WRITE,
		     MAP_PRIVATE | MAP_ANONYMOUS | MAP_STACK, -1, 0);
	if (stack == MAP_FAILED)
		return -errno;
	child = clone(stage, (char *)stack + CLONE_STACK_BYTES,
		      CLONE_VM | SIGCHLD | flags, p);
	if (child < 0)
		r = -errno;
	else if (wait_for(child) != 0)
		r = -ECHILD;
	(void)munmap(stack, CLONE_STACK_BYTES);
	return r;
}

static int live_vfork(struct probe *p)
{
	stage_first(p);
	stage_read(p);
	/* The child's descriptors are its own: what it opens stays there. */
	keep_first(&p->errno_send, run_in_clone(CLONE_VFORK, clone_send, p));
	return probe_report(p);
}

static int live_clone_vm(struct probe *p)
{
	stage_first(p);
	keep_first(&p->errno_read, run_in_clone(0, clone_read, p));
	stage_send(p);
	return probe_report(p);
}

/* Starts @stage in this memory, in no hurry: the child or -errno. */
static pid_t start_in_clone(int flags, int (*stage)(void *), struct probe *p)
{
	char *stack = mmap(NULL, CLONE_STACK_BYTES, PROT_READ | PROT_WRITE,
			   MAP_PRIVATE | MAP_ANONYMOUS | MAP_STACK, -1, 0);
	pid_t child;

	if (stack == MAP_FAILED)
		return -errno;
	child = clone(stage, stack + CLONE_STACK_BYTES, CLONE_VM | flags, p);
	return child < 0 ? -errno : child;
}

static int live_vfork_reads(struct probe *p)
{
	stage_first(p);
	keep_first(&p->errno_read, run_in_clone(CLONE_VFORK, clone_read, p));
	stage_send(p);
	return probe_report(p);
}

/* The child is no child of who shares its memory, but of that one's parent. */
static int live_vfork_of_parent(struct probe *p)
{
	pid_t child;

	stage_first(p);
	child = start_in_clone(CLONE_VFORK | CLONE_PARENT | SIGCHLD, clone_read,
			       p);
	keep_first(&p->errno_read, child);
	stage_send(p);
	return probe_report(p);
}

static int clone_vfork_read(void *arg)
{
	return run_in_clone(CLONE_VFORK, clone_read, arg) ? 1 : 0;
}

static int live_vfork_nested(struct probe *p)
{
	stage_first(p);
	keep_first(&p->errno_read,
		   run_in_clone(CLONE_VFORK, clone_vfork_read, p));
	stage_send(p);
	return probe_report(p);
}

/* A thread of the child reads, when the child is over for its parent. */
static int clone_late_read(void *arg)
{
	struct probe *p = arg;

	while (!__atomic_load_n(&p->stage, __ATOMIC_ACQUIRE))
		(void)poll(NULL, 0, HOLD_POLL_MS);
	stage_read(p);
	__atomic_store_n(&p->stage, 2, __ATOMIC_RELEASE);
	(void)syscall(SYS_exit, 0);
	return 0;
}

static int clone_thread(void *arg)
{
	keep_first(&((struct probe *)arg)->errno_read,
		   start_in_clone(CLONE_THREAD | CLONE_SIGHAND | CLONE_FILES |
					  CLONE_FS,
				  clone_late_read, arg));
	(void)syscall(SYS_exit, 0); /* this thread only */
	return 0;
}

static void wait_for_stage(struct probe *p, int stage)
{
	while (__atomic_load_n(&p->stage, __ATOMIC_ACQUIRE) != stage)
		(void)poll(NULL, 0, HOLD_POLL_MS);
}

static int live_vfork_thread(struct probe *p)
{
	pid_t child;

	stage_first(p);
	child = start_in_clone(CLONE_VFORK | SIGCHLD, clone_thread, p);
	keep_first(&p->errno_read, child);
	if (child > 0) {
		__atomic_store_n(&p->stage, 1, __ATOMIC_RELEASE);
		wait_for_stage(p, 2);
	}
	stage_send(p);
	return probe_report(p);
}

static int clone_late_send(void *arg)
{
	struct probe *p = arg;

	__atomic_store_n(&p->stage, 1, __ATOMIC_RELEASE);
	wait_for_stage(p, 2);
	stage_send(p);
	return 0;
}

static void *thread_vfork(void *arg)
{
	struct probe *p = arg;

	keep_first(&p->errno_send,
		   run_in_clone(CLONE_VFORK, clone_late_send, p));
	return NULL;
}

/* While one thread waits for its child, another reads into its memory. */
static int live_vfork_sibling(struct probe *p)
{
	pthread_t other;

	stage_first(p);
	keep_first(&p->errno_send,
		   -pthread_create(&other, NULL, thread_vfork, p));
	if (!p->errno_send) {
		wait_for_stage(p, 1);
		stage_read(p);
		__atomic_store_n(&p->stage, 2, __ATOMIC_RELEASE);
		(void)pthread_join(other, NULL);
	}
	return probe_report(p);
}

static char *hex_piece(const uint8_t *src, size_t n, size_t number)
{
	char *text = malloc(32 + 2 * n + 1), *at;

	if (!text)
		return NULL;
	at = text + sprintf(text, "D%zu=", number);
	for (size_t i = 0; i < n; i++) {
		*at++ = "0123456789abcdef"[src[i] >> 4];
		*at++ = "0123456789abcdef"[src[i] & 15];
	}
	*at = 0;
	return text;
}

static int unhex_piece(struct probe *p, const char *text)
{
	size_t n = strlen(text) / 2;
	uint8_t *room = probe_room(p, n);

	if (!room)
		return -ENOMEM;
	for (size_t i = 0; i < n; i++) {
		int hi = text[2 * i], lo = text[2 * i + 1];

		hi = hi <= '9' ? hi - '0' : hi - 'a' + 10;
		lo = lo <= '9' ? lo - '0' : lo - 'a' + 10;
		room[i] = (uint8_t)(hi << 4 | lo);
	}
	p->data.len += n;
	return 0;
}

/*
 * Executes the probe again with what was read in its environment. Not in a
 * file, a pipe or shared memory: those pass a holding on by themselves, and
 * the question here is whether the process keeps its own.
 */
static int exec_with_data(struct probe *p)
{
	static char code[256];
	size_t pieces = (p->data.len + ENV_PIECE - 1) / ENV_PIECE, n = 0;
	struct rlimit stack = {64u << 20, 64u << 20};
	char **argv = NULL, **envp = NULL;

	if (p->data.len > EXEC_DATA_MAX)
		return probe_missing(p, "exec takes at most 2 MiB of data");
	while (p->argv[n])
		n++;
	argv = calloc(n + 3, sizeof(*argv));
	envp = calloc(pieces + 1, sizeof(*envp));
	if (!argv || !envp)
		return -ENOMEM;
	memcpy(argv, p->argv, n * sizeof(*argv));
	(void)snprintf(code, sizeof(code), "%llu,%llu,%d,%d,%d,%d",
		       (unsigned long long)p->read_bytes,
		       (unsigned long long)p->records, p->errno_open,
		       p->errno_read, p->errno_send, p->sock);
	argv[n] = "--resume";
	argv[n + 1] = code;
	for (size_t i = 0; i < pieces; i++) {
		size_t at = i * ENV_PIECE, left = p->data.len - at;

		envp[i] = hex_piece(p->data.p + at,
				    left < ENV_PIECE ? left : ENV_PIECE, i);
		if (!envp[i])
			return -ENOMEM;
	}
	if (p->sock >= 0 && fcntl(p->sock, F_SETFD, 0) < 0)
		return -errno;
	(void)setrlimit(RLIMIT_STACK, &stack);
	(void)execve("/proc/self/exe", argv, envp);
	return -errno;
}

static int live_resumed(struct probe *p)
{
	stage_send(p);
	return probe_report(p);
}

static const struct life resumed = {.run = live_resumed};
static struct life resumed_as;

static int resume_data(struct probe *p, const char *code)
{
	unsigned long long bytes, records;
	char name[32];
	int used = 0;

	if (sscanf(code, "%llu,%llu,%d,%d,%d,%d%n", &bytes, &records,
		   &p->errno_open, &p->errno_read, &p->errno_send, &p->sock,
		   &used) != 6 ||
	    code[used])
		return -EINVAL;
	p->read_bytes = bytes;
	p->records = records;
	for (size_t i = 0;; i++) {
		const char *piece;
		int r;

		(void)snprintf(name, sizeof(name), "D%zu", i);
		piece = getenv(name);
		if (!piece)
			break;
		r = unhex_piece(p, piece);
		if (r < 0)
			return r;
	}
	resumed_as = resumed;
	resumed_as.name = p->life->name;
	p->life = &resumed_as;
	return 0;
}

static int live_exec(struct probe *p)
{
	stage_first(p);
	stage_read(p);
	keep_first(&p->errno_send, exec_with_data(p));
	return probe_report(p);
}

static void *thread_exec(void *arg)
{
	struct probe *p = arg;

	keep_first(&p->errno_send, exec_with_data(p));
	return NULL;
}

static int live_thread_exec(struct probe *p)
{
	pthread_t other;

	stage_first(p);
	stage_read(p);
	keep_first(&p->errno_send,
		   -pthread_create(&other, NULL, thread_exec, p));
	if (!p->errno_send)
		(void)pthread_join(other, NULL);
	return probe_report(p);
}

/*
 * "inherited": this process opens, and its child reads behind an exec. The
 * numbers of the descriptors go down in --resume as "fds:N,N,...".
 */
int life_inherited(struct probe *p)
{
	size_t n = 0, len = 4;
	char **argv, *code;
	pid_t child;

	if (p->nfiles > INHERITED_MAX)
		return probe_missing(p, "inherited takes at most 512 files");
	while (p->argv[n])
		n++;
	argv = calloc(n + 3, sizeof(*argv));
	code = malloc(8 + p->nfiles * 12);
	if (!argv || !code)
		return -ENOMEM;
	memcpy(argv, p->argv, n * sizeof(*argv));
	memcpy(code, "fds:", 5);
	for (size_t i = 0; i < p->nfiles; i++) {
		int fd = open(p->files[i], O_RDONLY);

		if (fd < 0)
			return -errno;
		len += (size_t)sprintf(code + len, "%d,", fd);
	}
	argv[n] = "--resume";
	argv[n + 1] = code;
	child = fork();
	if (child < 0)
		return -errno;
	if (child == 0) {
		(void)execv("/proc/self/exe", argv);
		_exit(PROBE_OTHER_ERROR);
	}
	(void)alarm(p->timeout_s + 5);
	exit(wait_for(child));
}

static int resume_fds(struct probe *p, const char *list)
{
	p->fds = calloc(INHERITED_MAX, sizeof(*p->fds));
	if (!p->fds)
		return -ENOMEM;
	while (*list) {
		int fd, used = 0;

		if (sscanf(list, "%d,%n", &fd, &used) != 1 || !used ||
		    p->nfds == INHERITED_MAX)
			return -EINVAL;
		p->fds[p->nfds++] = fd;
		list += used;
	}
	return 0;
}

int life_resume(struct probe *p, const char *code)
{
	if (strncmp(code, "fds:", 4) == 0)
		return resume_fds(p, code + 4);
	return resume_data(p, code);
}

const struct life lives[] = {
	{"plain", "one task reads and releases", live_plain},
	{"thread", "a second thread reads, the first one releases",
	 live_thread},
	{"early-thread", "one task reads, a thread older than that releases",
	 live_early_thread},
	{"fork", "the parent reads, its child releases", live_fork},
	{"daemon", "an orphan in a session of its own releases", live_daemon},
	{"vfork", "the parent reads, a vfork child releases", live_vfork},
	{"vfork-reads", "a vfork child reads, its parent releases",
	 live_vfork_reads},
	{"vfork-of-parent", "the same, its parent's parent having the child",
	 live_vfork_of_parent},
	{"vfork-nested", "a vfork child's vfork child reads",
	 live_vfork_nested},
	{"vfork-thread", "a vfork child's thread reads, which outlives it",
	 live_vfork_thread},
	{"vfork-sibling", "another thread reads, a vfork child releases",
	 live_vfork_sibling},
	{"exec", "reads, executes, the new image releases", live_exec},
	{"clone-vm", "a child in the same memory reads, its parent releases",
	 live_clone_vm},
	{"thread-exec", "reads, another thread executes, the image releases",
	 live_thread_exec},
	{0},
};
