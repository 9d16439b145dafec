// SPDX-License-Identifier: GPL-2.0-only
/*
 * Hops by what is neither a file nor a stream: keys, semaphores, signals, the
 * memory that a userfaultfd fills and the registers of supervised calls. A take
 * that finds nothing yet returns 0.
 */
#include "probe.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/keyctl.h>
#include <linux/seccomp.h>
#include <linux/userfaultfd.h>
#include <poll.h>
#include <signal.h>
#include <stddef.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/sem.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#define PIECE 4096

static void nap(void)
{
	(void)poll(NULL, 0, 1);
}

/* ---- keys -------------------------------------------------------------- */

/* A payload is a mark, and behind it the bytes. */
enum { EMPTY = '-', FULL = '+' };

static long ring_key;

static long keyctl(int command, unsigned long a, unsigned long b,
		   unsigned long c, unsigned long d)
{
	return syscall(SYS_keyctl, command, a, b, c, d);
}

static long key_add(const char *name, const void *d, size_t n)
{
	return syscall(SYS_add_key, "user", name, d, n,
		       KEY_SPEC_SESSION_KEYRING);
}

/* A ring that giver and taker have, and nobody else. */
static int make_ring(struct probe *p)
{
	if (keyctl(KEYCTL_JOIN_SESSION_KEYRING, 0, 0, 0, 0) < 0)
		return errno == ENOSYS ? probe_missing(p, "key rings") : -errno;
	return 0;
}

int make_key(struct probe *p, int ends[2])
{
	const char mark = EMPTY;
	int r = make_ring(p);

	(void)ends;
	if (r < 0)
		return r;
	ring_key = key_add("hop", &mark, 1);
	return ring_key < 0 ? -errno : 0;
}

static long key_read(long key, char buf[PIECE + 1])
{
	return keyctl(KEYCTL_READ, (unsigned long)key, (unsigned long)buf,
		      PIECE + 1, 0);
}

ssize_t give_key(struct probe *p, int fd, const uint8_t *d, size_t n)
{
	char buf[PIECE + 1];

	(void)p;
	(void)fd;
	for (;;) {
		if (key_read(ring_key, buf) < 0)
			return -errno;
		if (buf[0] == EMPTY)
			break;
		nap();
	}
	n = n < PIECE ? n : PIECE - 1; /* no update takes more than a page */
	buf[0] = FULL;
	memcpy(buf + 1, d, n);
	if (keyctl(KEYCTL_UPDATE, (unsigned long)ring_key, (unsigned long)buf,
		   n + 1, 0) < 0)
		return -errno;
	return (ssize_t)n;
}

ssize_t take_key(struct probe *p, int fd, uint8_t *d, size_t n)
{
	const char mark = EMPTY;
	char buf[PIECE + 1];
	long r;

	(void)p;
	(void)fd;
	r = key_read(ring_key, buf);
	if (r < 0)
		return -errno;
	if (buf[0] == EMPTY)
		return 0;
	r = r - 1 < (long)n ? r - 1 : (long)n;
	memcpy(d, buf + 1, (size_t)r);
	if (keyctl(KEYCTL_UPDATE, (unsigned long)ring_key, (unsigned long)&mark,
		   1, 0) < 0)
		return -errno;
	return r;
}

/* Each piece in a new key, which the taker lets go of. */
int make_new_key(struct probe *p, int ends[2])
{
	(void)ends;
	return make_ring(p);
}

static long key_find(void)
{
	return keyctl(KEYCTL_SEARCH, (unsigned long)KEY_SPEC_SESSION_KEYRING,
		      (unsigned long)"user", (unsigned long)"hop", 0);
}

/* A holder may have a ring for itself, as a login makes one. */
ssize_t give_new_key(struct probe *p, int fd, const uint8_t *d, size_t n)
{
	(void)p;
	(void)fd;
	if (keyctl(KEYCTL_GET_KEYRING_ID,
		   (unsigned long)KEY_SPEC_PROCESS_KEYRING, 1, 0, 0) < 0)
		return -errno;
	while (key_find() > 0)
		nap();
	return key_add("hop", d, n) < 0 ? -errno : (ssize_t)n;
}

ssize_t take_new_key(struct probe *p, int fd, uint8_t *d, size_t n)
{
	long key = key_find(), r;

	(void)p;
	(void)fd;
	if (key < 0)
		return errno == ENOKEY ? 0 : -errno;
	r = keyctl(KEYCTL_READ, (unsigned long)key, (unsigned long)d, n, 0);
	if (r < 0 || keyctl(KEYCTL_UNLINK, (unsigned long)key,
			    (unsigned long)KEY_SPEC_SESSION_KEYRING, 0, 0) < 0)
		return -errno;
	return r;
}

/* ---- semaphores -------------------------------------------------------- */

/* The first has how many of the others have a byte each. */
#define SETS_MOST 400 /* of one semop(2) */

static int set = -1;

union semun {
	int val;
	unsigned short *array;
};

static int make_set(struct probe *p, int others)
{
	set = semget(IPC_PRIVATE, others + 1, IPC_CREAT | 0600);
	return set < 0 ? probe_missing(p, "System V semaphores") : 0;
}

int make_semaphores(struct probe *p, int ends[2])
{
	(void)ends;
	return make_set(p, PIECE);
}

int make_few_semaphores(struct probe *p, int ends[2])
{
	(void)ends;
	return make_set(p, SETS_MOST);
}

void end_semaphores(void)
{
	if (set >= 0)
		(void)semctl(set, 0, IPC_RMID);
}

static int set_waits(void)
{
	int full;

	while ((full = semctl(set, 0, GETVAL)) > 0)
		nap();
	return full < 0 ? -errno : 0;
}

ssize_t give_semctl(struct probe *p, int fd, const uint8_t *d, size_t n)
{
	unsigned short values[PIECE + 1] = {(unsigned short)n};
	union semun all = {.array = values};
	int r = set_waits();

	(void)p;
	(void)fd;
	if (r < 0)
		return r;
	for (size_t i = 0; i < n; i++)
		values[i + 1] = d[i];
	return semctl(set, 0, SETALL, all) < 0 ? -errno : (ssize_t)n;
}

ssize_t give_semop(struct probe *p, int fd, const uint8_t *d, size_t n)
{
	struct sembuf raise[SETS_MOST + 1];
	unsigned int count = 0;
	int r = set_waits();

	(void)p;
	(void)fd;
	if (r < 0)
		return r;
	n = n < SETS_MOST ? n : SETS_MOST;
	for (size_t i = 0; i < n; i++) {
		if (!d[i])
			continue;
		raise[count++] = (struct sembuf){
			.sem_num = (unsigned short)(i + 1), .sem_op = d[i]};
	}
	raise[count++] = (struct sembuf){.sem_op = (short)n};
	return semop(set, raise, count) < 0 ? -errno : (ssize_t)n;
}

ssize_t take_semaphores(struct probe *p, int fd, uint8_t *d, size_t n)
{
	unsigned short values[PIECE + 1];
	union semun all = {.array = values};
	size_t full;

	(void)p;
	(void)fd;
	if (semctl(set, 0, GETALL, all) < 0)
		return -errno;
	full = values[0] < n ? values[0] : n;
	if (!full)
		return 0;
	for (size_t i = 0; i < full; i++)
		d[i] = (uint8_t)values[i + 1];
	memset(values, 0, sizeof(values));
	return semctl(set, 0, SETALL, all) < 0 ? -errno : (ssize_t)full;
}

/* ---- signals ----------------------------------------------------------- */

/* What the kernel keeps of a siginfo_t. */
struct note {
	int signo, error, code;
	uint32_t full;
	uint8_t data[32];
	uint8_t rest[80];
};

int make_signals(struct probe *p, int ends[2])
{
	sigset_t ours;

	(void)p;
	(void)ends;
	(void)sigemptyset(&ours);
	(void)sigaddset(&ours, SIGRTMIN);
	return sigprocmask(SIG_BLOCK, &ours, NULL) < 0 ? -errno : 0;
}

ssize_t give_signal(struct probe *p, int fd, const uint8_t *d, size_t n)
{
	struct note note = {.signo = SIGRTMIN, .code = SI_QUEUE};

	(void)p;
	(void)fd;
	n = n < sizeof(note.data) ? n : sizeof(note.data);
	note.full = (uint32_t)n;
	memcpy(note.data, d, n);
	while (syscall(SYS_rt_sigqueueinfo, getppid(), SIGRTMIN, &note) < 0) {
		if (errno != EAGAIN)
			return -errno;
		nap();
	}
	return (ssize_t)n;
}

ssize_t take_signal(struct probe *p, int fd, uint8_t *d, size_t n)
{
	const struct timespec now = {0};
	struct note note;
	sigset_t ours;

	(void)p;
	(void)fd;
	(void)sigemptyset(&ours);
	(void)sigaddset(&ours, SIGRTMIN);
	if (syscall(SYS_rt_sigtimedwait, &ours, &note, &now, 8UL) < 0)
		return errno == EAGAIN ? 0 : -errno;
	n = note.full < n ? note.full : n;
	n = n < sizeof(note.data) ? n : sizeof(note.data);
	memcpy(d, note.data, n);
	return (ssize_t)n;
}

/* ---- the taker's memory ------------------------------------------------ */

/* Two pages, which are not there before the giver fills them. */
struct filled {
	uint32_t full;
	uint8_t data[2 * PIECE - sizeof(uint32_t)];
};

static struct filled *filled;

int make_userfault(struct probe *p, int ends[2])
{
	struct uffdio_api api = {.api = UFFD_API};
	struct uffdio_register all = {.mode = UFFDIO_REGISTER_MODE_MISSING};
	int fd = (int)syscall(SYS_userfaultfd, O_CLOEXEC | O_NONBLOCK);

	if (fd < 0)
		return probe_missing(p, "userfaultfd");
	filled = mmap(NULL, sizeof(*filled), PROT_READ | PROT_WRITE,
		      MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (filled == MAP_FAILED)
		return -errno;
	all.range.start = (uintptr_t)filled;
	all.range.len = sizeof(*filled);
	if (ioctl(fd, UFFDIO_API, &api) < 0 ||
	    ioctl(fd, UFFDIO_REGISTER, &all) < 0)
		return -errno;
	ends[1] = fd;
	return 0;
}

/* Its own memory is at the same place. */
ssize_t give_userfault(struct probe *p, int fd, const uint8_t *d, size_t n)
{
	static struct filled from __attribute__((aligned(PIECE)));
	struct uffdio_copy copy = {.dst = (uintptr_t)filled,
				   .src = (uintptr_t)&from,
				   .len = sizeof(from)};

	(void)p;
	memcpy(from.data, d, n);
	from.full = (uint32_t)n;
	while (ioctl(fd, UFFDIO_COPY, &copy) < 0) {
		/* The first of them may be gone already. */
		if (errno != EEXIST && errno != EAGAIN)
			return -errno;
		nap();
	}
	return (ssize_t)n;
}

ssize_t take_userfault(struct probe *p, int fd, uint8_t *d, size_t n)
{
	unsigned char there[2] = {0};

	(void)p;
	(void)fd;
	if (mincore(filled, sizeof(*filled), there) < 0)
		return -errno;
	if (!(there[0] & there[1] & 1))
		return 0;
	n = filled->full < n ? filled->full : n;
	memcpy(d, filled->data, n);
	if (madvise((uint8_t *)filled + PIECE, PIECE, MADV_DONTNEED) < 0 ||
	    madvise(filled, PIECE, MADV_DONTNEED) < 0)
		return -errno;
	return (ssize_t)n;
}

/* ---- supervised calls -------------------------------------------------- */

/* No other call of the probe's; it has no sixth argument, nor a second. */
#define CALLED SYS_getpgid
#define WORDS  5

int make_listener(struct probe *p, int ends[2])
{
	struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS,
			 offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, CALLED, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_USER_NOTIF),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog prog = {sizeof(code) / sizeof(code[0]), code};
	int fd;

	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		return -errno;
	fd = (int)syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER,
			  SECCOMP_FILTER_FLAG_NEW_LISTENER, &prog);
	if (fd < 0)
		return probe_missing(p, "seccomp listeners");
	ends[0] = fd;
	return 0;
}

ssize_t give_call(struct probe *p, int fd, const uint8_t *d, size_t n)
{
	uint64_t words[WORDS] = {0};

	(void)p;
	(void)fd;
	n = n < sizeof(words) ? n : sizeof(words);
	memcpy(words, d, n);
	if (syscall(CALLED, n, words[0], words[1], words[2], words[3],
		    words[4]) < 0)
		return -errno;
	return (ssize_t)n;
}

ssize_t take_call(struct probe *p, int fd, uint8_t *d, size_t n)
{
	struct pollfd waits = {.fd = fd, .events = POLLIN};
	struct seccomp_notif call = {0};
	struct seccomp_notif_resp answer = {0};
	size_t full;

	(void)p;
	if (poll(&waits, 1, 0) <= 0 || !(waits.revents & POLLIN))
		return 0;
	if (ioctl(fd, SECCOMP_IOCTL_NOTIF_RECV, &call) < 0)
		return errno == ENOENT ? 0 : -errno;
	full = call.data.args[0] < n ? call.data.args[0] : n;
	full = full < 8 * WORDS ? full : 8 * WORDS;
	memcpy(d, call.data.args + 1, full);
	answer.id = call.id;
	if (ioctl(fd, SECCOMP_IOCTL_NOTIF_SEND, &answer) < 0)
		return -errno;
	return (ssize_t)full;
}
