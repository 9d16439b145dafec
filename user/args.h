/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the arguments of `cordon` mean, apart from getopt's part of it. error
 * has room for ARGS_ERROR_CHARS_MAX bytes and gets one line: what was wrong,
 * what was expected.
 */
#ifndef CORDON_ARGS_H
#define CORDON_ARGS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "policy.h"

#define ARGS_ERROR_CHARS_MAX 256

/*
 * A moment in the past: `2026-11-01T00:00:00Z`, or how long before now_s:
 * `15 minutes`, `2 hours`, `day`. Seconds since the epoch, at least 1.
 * -EINVAL: neither.
 */
int args_parse_since(const char *text, int64_t now_s, int64_t *ret_s,
		     char *error);

/* Text of an actor: cut into its parts, which the struct points to. */
struct args_actor {
	struct policy_actor actor;
	char *text;
	char numbers[3][12]; /* user, group and login given by number */
};

/*
 * Who is to be explained: `unit=backup.service,user=root`, with each of unit,
 * cgroup, exe, user, group, login at most once (group can be several, with
 * commas between them), or the name of a subject of
 * the policy, which stands for somebody who meets all its conditions. `*` is
 * somebody of whom nothing is known.
 *
 * 0: for args_actor_release(), and no longer of use than policy is. -EINVAL,
 * -ENOMEM.
 */
int args_parse_actor(const char *text, const struct policy *policy,
		     struct args_actor *ret_actor, char *error);

void args_actor_release(struct args_actor *actor);

/*
 * The nearest of n names, for "did you mean"; NULL if none is near. names are
 * read from an array whose elements are size bytes and begin with a pointer to
 * the name.
 */
const char *args_nearest(const char *word, const void *names, size_t n,
			 size_t size);

#endif
