/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef CORDON_VERSION_H
#define CORDON_VERSION_H

#ifndef CORDON_VERSION
#	define CORDON_VERSION "0.1.0"
#endif

/* Where the agent and the command expect things, unless told otherwise. */
#define CORDON_POLICY_FILE "/etc/cordon/policy.yaml"
#define CORDON_STATE_DIR   "/var/lib/cordon"
#define CORDON_RUN_DIR	   "/run/cordon"

#endif
