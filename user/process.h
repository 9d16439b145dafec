/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What /proc tells of a process that is there. All of it is what the process
 * itself may have chosen, and the next moment it can be another's.
 */
#ifndef CORDON_PROCESS_H
#define CORDON_PROCESS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define PROCESS_COMM_CHARS_MAX 17

struct process_facts {
	char comm[PROCESS_COMM_CHARS_MAX]; /* as it is, not cleaned */
	uint32_t tgid;
	uint32_t parent;   /* 0: none */
	uint32_t uid;	   /* real */
	uint32_t user;	   /* effective */
	uint32_t login;	   /* as the guard takes it; UINT32_MAX: nobody's */
	uint32_t session;  /* UINT32_MAX: none */
	uint64_t start_ns; /* CLOCK_BOOTTIME, to the tick; 0: not known */
};

/* -ESRCH: there is none, it has ended, or it is a thread of another one; then
 * tgid is 0, and it is nobody's login. */
int process_look(uint32_t tgid, struct process_facts *ret_facts);

/*
 * The arguments that it shows: size - 1 bytes at most, each ended with NUL.
 * Returns how many bytes they are; 0: none, or they cannot be read.
 */
size_t process_arguments(uint32_t tgid, char *buf, size_t size);

/* Its cgroup: the path below where cgroup2 is mounted, with `/' at its
 * beginning. -ESRCH; -ENOENT: it has none; -ENAMETOOLONG. */
int process_cgroup(uint32_t tgid, char *buf, size_t size);

#endif
