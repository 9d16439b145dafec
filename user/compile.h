/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * From a policy to the tables of the guard (bpf/abi.h). Pure: it knows neither
 * the host nor libbpf. What only the host can tell (the inode of an executable,
 * the number of a user) stays a condition in words, which the loader resolves
 * when it fills the tables and again when the host changes.
 */
#ifndef CORDON_COMPILE_H
#define CORDON_COMPILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <linux/bpf.h>

#include "../bpf/abi.h"
#include "policy.h"
#include "registry.h"

/* The bit of "*", which every process meets and every other subject beats. */
#define COMPILE_EVERYONE_BIT (CORDON_SUBJECTS - 1U)

/*
 * A condition of some subjects that needs the host: DIM_EXE (text is a path),
 * DIM_USER and DIM_LOGIN (text a user, unless is_id), DIM_GROUP. Conditions in
 * the same words are one.
 */
struct compiled_condition {
	uint32_t dim;
	bool is_id;
	uint32_t id;
	char *text; /* NULL when is_id */
	struct policy_pos pos;
	struct subject_set set;
};

struct compiled_subject {
	struct subject_key key; /* .slot is 0: the loader sets it */
	struct subject_set set;
};

struct compiled_cgroup {
	struct cgroup_key key; /* likewise */
	struct cgroup_node node;
};

struct compiled_dest {
	struct dest_key key; /* likewise */
	struct dest_value value;
};

/*
 * A way out that is no network. Kinds of file systems are keys; of mounts and
 * devices the host is asked what they are.
 */
struct compiled_way {
	struct way_key key; /* likewise */
	uint32_t dest;
	char *path; /* NULL: it is a key already */
	bool device;
	struct policy_pos pos;
};

struct compiled {
	uint64_t serial;
	uint32_t mode; /* enum guard_mode */
	uint32_t follow_files;
	uint32_t follow_names;
	uint32_t narrow; /* is any subject? */
	uint32_t pools;	 /* likewise */
	struct rule rules[CORDON_RULES];
	size_t n_rules; /* the policy's, in its order */
	struct release *releases;
	size_t n_releases;
	struct dataset_rules datasets[CORDON_DATASETS]; /* by number */
	struct subject_dims dims;
	struct intake intakes[CORDON_SUBJECTS]; /* by bit of the subject */
	struct compiled_subject *subjects; /* met without asking the host */
	size_t n_subjects;
	struct compiled_condition *conditions;
	size_t n_conditions;
	struct compiled_cgroup *cgroups;
	size_t n_cgroups;
	struct compiled_dest *dests;
	size_t n_dests;
	struct compiled_way *ways;
	size_t n_ways;
	uint32_t dataset_ids[POLICY_DATASETS_MAX];  /* by place in the policy */
	struct intake quiet_files[CORDON_DATASETS]; /* by number */
	uint32_t quiet_ids[POLICY_QUIET_MAX];	    /* by place in the policy */
};

/* Key of "somebody has logged in"; nobody is the kernel's own INVALID_UID. */
#define COMPILE_LOGIN_SOMEBODY (~0ULL)
#define COMPILE_LOGIN_NOBODY   0xffffffffULL

/*
 * Compiles policy and numbers its names in reg, whose marks for the next policy
 * are set. record_bytes has, for every dataset of the policy that counts
 * lines, the bytes to count as one; other entries are not looked at, and NULL
 * makes every byte of those datasets a record.
 *
 * 0: *ret_compiled is for compile_free() and does not refer to policy.
 * -EINVAL: something is beyond what the guard can hold; errs (may be NULL, is
 * emptied first) has the place and the limit. -ENOSPC: the names of a kind are
 * used up, errs likewise. -ENOMEM.
 */
int compile_policy(const struct policy *policy, const uint32_t *record_bytes,
		   struct registry *reg, struct compiled **ret_compiled,
		   struct policy_errors *errs);

/* Takes NULL. */
void compile_free(struct compiled *compiled);
void compile_ways_free(struct compiled_way *ways, size_t n);

/*
 * SUBJECT/DATASET/PER: what a rule is called in the registry, so that it keeps
 * its budgets when its place or its limits change. Cut at size.
 */
void compile_rule_name(const struct policy *policy,
		       const struct policy_rule *rule, char *buf, size_t size);

/*
 * quiet-files/NAME: what quiet files are called among the datasets, with which
 * they share numbers and labels. Their cap has the number of a subject NAME.
 */
#define COMPILE_QUIET_CHARS_MAX (POLICY_NAME_CHARS_MAX + 16)
void compile_quiet_name(const struct policy_quiet *quiet, char *buf,
			size_t size);

void subject_set_add(struct subject_set *set, uint32_t bit);
void subject_set_join(struct subject_set *set, const struct subject_set *other);

#endif
