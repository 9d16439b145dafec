/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A host whose agent takes policies, for tests: four people with keys, files
 * that anybody may have changed, and a guard of our own, which takes what it is
 * given and remembers what it shall.
 */
#ifndef CORDON_TESTS_AGENT_HOST_H
#define CORDON_TESTS_AGENT_HOST_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "agent.h"

#define PEOPLE 4

enum { ALICE = 1, BOB = 2, CAROL = 4, MALLORY = 8 };

extern struct minisign_key people[PEOPLE];
extern struct guard_state guarded;
extern int apply_fails;	 /* what guard_apply_policy() returns */
extern json_t *recorded; /* lines of evidence since the start */
/* Called where an agent begins, and its log is opened; NULL: nobody is. */
extern void (*agent_begins)(struct agent *agent);
extern void (*log_opens)(struct evidence_options *opts);
extern int64_t clock_ahead_s, uptime_ahead_s; /* of what they are */
extern bool clock_synchronised;
extern bool guard_is_empty; /* one is pinned, and never got a policy */

extern struct host {
	char dir[64], etc[80], state[80], log[96];
	char trust[96], policy[96], drop[96];
	struct agent_options opts;
	uint64_t pushed_serial; /* that the next agent knows */
	struct agent agent;
} host;

/* Of a group, and of each test. */
int make_people(void **state);
int make_host(void **state);
int remove_host(void **state);

#define on_a_host(test) \
	cmocka_unit_test_setup_teardown(test, make_host, remove_host)

/* The agent ends, and the guard with it if it is a boot. */
void end_agent(bool boot);

void put(const char *path, const char *text);

/* Puts text there, signed by these and nobody else. */
void put_signed(const char *path, const char *text, unsigned int who);
void put_trust(int version, unsigned int threshold, unsigned int keys,
	       unsigned int revoked, unsigned int who);
/* Adds to text, of size bytes, a map `what' of the keys of these. */
void put_keys(char *text, size_t size, const char *what, unsigned int which);
void put_policy_of(const char *issuer, int64_t serial, const char *more,
		   unsigned int who);
void put_policy(int64_t serial, unsigned int who);

/* What put_it writes as a policy, as if the force had sent it; the files of the
 * host stay as they are. */
struct trust_bundle sent(void (*put_it)(int64_t, unsigned int), int64_t serial,
			 unsigned int who);
const char *person(int who);

/* All of a file, with a NUL behind it. */
void read_whole(const char *path, char *buf, size_t size);

/* Deletes the mark of a host that was enrolled. */
void unmark(void);

/* A file of the state directory; until the next call. */
const char *kept(const char *name);

/* Starts an agent; the serial in force, 0: it did not start. */
uint64_t start(bool boot);

/* The same, and its log cannot be opened before open_log(). */
uint64_t start_without_log(bool boot);
void open_log(void);

/* The last line of that type since the start; NULL: there is none. */
const json_t *last_recorded(const char *type);

uint64_t reload(void);

/* Two of three, and serial 5. */
void enrol(void);

void assert_problem(const char *problem);

#endif
