/* SPDX-License-Identifier: GPL-2.0-only */
/* The verbs of `cordon policy' that have files of their own. */
#ifndef CORDON_CMD_POLICY_H
#define CORDON_CMD_POLICY_H

int cmd_policy_keygen(int argc, char **argv);
int cmd_policy_sign(int argc, char **argv);
int cmd_policy_verify(int argc, char **argv);

#endif
