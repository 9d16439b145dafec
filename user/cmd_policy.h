/* SPDX-License-Identifier: GPL-2.0-only */
/* The parts of `cordon policy`. */
#ifndef CORDON_CMD_POLICY_H
#define CORDON_CMD_POLICY_H

#include <stdbool.h>

#include "policy.h"

/* Loads a policy, for policy_free(). An exit code; errors have been said. */
int cmd_policy_load(const char *file, bool json, struct policy **ret_policy);

/* The verbs that have files of their own, each as cmd_policy(). */
int cmd_policy_apply(int argc, char **argv);
int cmd_policy_diff(int argc, char **argv);
int cmd_policy_keygen(int argc, char **argv);
int cmd_policy_sign(int argc, char **argv);
int cmd_policy_simulate(int argc, char **argv);
int cmd_policy_verify(int argc, char **argv);

#endif
