/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Techniques of MITRE ATT&CK that lines about incidents name, with the tactic
 * that they serve where data is taken.
 */
#ifndef CORDON_ATTACK_H
#define CORDON_ATTACK_H

struct attack {
	const char *id;
	const char *name;
	const char *tactic; /* its number */
	const char *tactic_name;
};

/* NULL: it is none of those that are known here. */
const struct attack *attack_find(const char *id);

#endif
