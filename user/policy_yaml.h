/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The part of YAML that a policy may use, as a tree whose every node knows its
 * line and column. Internal to the policy reader.
 *
 * libyaml reads the YAML; the tree is built from its events and not from its
 * document, because the events carry the place of mappings and lists too, and
 * because what a policy must not contain (aliases, anchors, tags, a second
 * document, deep nesting, too many values) can be refused before it costs
 * anything.
 */
#ifndef CORDON_POLICY_YAML_H
#define CORDON_POLICY_YAML_H

#include <stdbool.h>
#include <stdio.h>

#include "policy.h"

/* Deepest in a policy: root, rules, rule, release, list, budget. */
#define POLICY_YAML_DEPTH_MAX 8
/* Well above what a policy that uses up every limit has: some 120,000. */
#define POLICY_YAML_NODES_MAX 200000

enum policy_yaml_type {
	POLICY_YAML_SCALAR,
	POLICY_YAML_LIST,
	POLICY_YAML_MAP,
};

struct policy_yaml {
	enum policy_yaml_type type;
	struct policy_pos pos;
	/* A scalar's text: one line, UTF-8, no controls; ends with NUL. */
	char *text;
	size_t len;
	bool is_null; /* plain and empty, `~` or `null` */
	/* Members of a list; keys and values of a map by turns. */
	struct policy_yaml *first;
	struct policy_yaml *last;
	size_t n_children; /* of a map, the pairs */
	struct policy_yaml *next;
	struct policy_yaml *parent;
	struct policy_yaml *older; /* list of all, for freeing */
};

/*
 * 0 and the root in *ret_root, for policy_yaml_free(); -EINVAL, with an entry
 * in errs; -ENOMEM.
 */
int policy_yaml_parse(const char *name, const char *buf, size_t len,
		      struct policy_yaml **ret_root,
		      struct policy_errors *errs);

/* Takes the root, or NULL. */
void policy_yaml_free(struct policy_yaml *root);

/*
 * Writes text, which text_is_clean(), as a scalar that is read back the same,
 * whatever it looks like; but no text with an apostrophe and either a double
 * quote or a backslash in it need be, for escapes are not read.
 */
void policy_yaml_quote(FILE *out, const char *text);

#endif
