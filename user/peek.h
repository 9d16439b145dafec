/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What can make who looks at a process wait for ever: its program, which may
 * lie on a file system that an intruder serves, and its arguments, which are
 * read out of its memory. So a process of its own looks, never the agent.
 */
#ifndef CORDON_PEEK_H
#define CORDON_PEEK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "sign.h"

#define PEEK_JOBS_MAX	     16
#define PEEK_EXE_BYTES_MAX   (64U << 20)
#define PEEK_ARGUMENTS_BYTES 65536
#define PEEK_PATIENCE_S	     10 /* then those that are left are given up */

struct peek_job {
	uint32_t tgid; /* 0: it has ended */
	uint64_t
		start_ns; /* as process_look() tells: another one has another */
	int exe; /* opened with O_PATH, so that nothing waits yet; -1: none */
};

struct peek_result {
	uint32_t job;	/* place in the array that was given */
	int32_t error;	/* of the program: 0; as sign_hash_file(), fstat(2) */
	uint32_t major; /* of its device */
	uint32_t minor;
	uint64_t ino;	    /* 0: not known */
	uint32_t arguments; /* how many; 0: not known */
	char exe_hash[SIGN_HASH_CHARS_MAX];
	char arguments_mac[SIGN_HASH_CHARS_MAX];
};

struct peek {
	pid_t pid;   /* 0: it does nothing */
	pid_t given; /* up, and not gone yet; 0: none */
	int fd;	     /* where the results come from */
	int64_t until_ms;
};

/*
 * Begins with the n jobs, PEEK_JOBS_MAX at most; key is for the arguments,
 * NULL: they do not matter. 0; -EBUSY: it is at work, or one that was given up
 * still waits, where not even SIGKILL reaches it; -errno.
 */
int peek_begin(struct peek *peek, const struct peek_job *jobs, size_t n,
	       const struct sign_mac_key *key);

/*
 * Never waits. 1: *ret_result is one; 0: none is there yet; -ESRCH: there will
 * be no more, and it does nothing now.
 */
int peek_next(struct peek *peek, struct peek_result *ret_result);

/* Gives up what it does. */
void peek_end(struct peek *peek);

#endif
