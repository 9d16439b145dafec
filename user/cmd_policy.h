/* SPDX-License-Identifier: GPL-2.0-only */
/* The parts of `cordon policy`. */
#ifndef CORDON_CMD_POLICY_H
#define CORDON_CMD_POLICY_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "policy.h"
#include "policy_diff.h"

/* Loads a policy, for policy_free(). An exit code; errors have been said. */
int cmd_policy_load(const char *file, bool json, struct policy **ret_policy);

/* Says what the negative errno means for the file. Returns CMD_WRONG. */
int cmd_policy_failed(const char *path, int r);

/* Likewise what a reader found in it; r if it found nothing. */
int cmd_policy_errors(const char *path, int r,
		      const struct policy_errors *errs);

/* Says what differs, as `cordon policy diff' does, and returns its exit code.
 * before and after stand for the policies. */
int cmd_policy_print_diff(const char *before, const char *after, bool json,
			  const struct policy_diff *diff);

/* The verbs that have files of their own, each as cmd_policy(). */
int cmd_policy_apply(int argc, char **argv);
int cmd_policy_diff(int argc, char **argv);
int cmd_policy_keygen(int argc, char **argv);
int cmd_policy_sign(int argc, char **argv);
int cmd_policy_simulate(int argc, char **argv);
int cmd_policy_verify(int argc, char **argv);

#endif
