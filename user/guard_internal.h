/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the files behind guard.h share. guard.c alone speaks to libbpf; the
 * others go through the calls below. All return 0 or -errno.
 */
#ifndef CORDON_GUARD_INTERNAL_H
#define CORDON_GUARD_INTERNAL_H

#include "guard.h"

#include "compile.h"
#include "registry.h"
#include "watch.h"

enum guard_map {
	MAP_LABELS,
	MAP_AWAITED,
	MAP_RULES,
	MAP_RELEASES,
	MAP_DATASETS,
	MAP_DIMS,
	MAP_SUBJECTS,
	MAP_CGROUPS,
	MAP_DESTS,
	MAP_BUDGETS,
	MAP_PROCESSES,
	MAP_HOLDINGS,
	MAP_ORIGINS,
	MAP_ORIGIN_OF,
	MAP_TOUCHED,
	MAP_LEDGER,
	MAP_EVENTS,
	MAP_BARRIER,
	MAP_NAMES,
	MAP_COUNT,
};

/* A path of a dataset in the policy in force. */
struct guard_root {
	char *path; /* as the policy has it */
	char *real;
	uint32_t dataset; /* its number */
	bool lines;	  /* its records are lines */
	bool exists;
	bool is_dir;
	bool relabel; /* its files may have another dataset's label */
	bool labelled;
	struct file_key key; /* when labelled */
};

struct guard {
	char pin_dir[256];
	enum guard_attach attach;
	int fds[MAP_COUNT];
	struct guard_state *state;
	size_t state_bytes;
	struct ring_buffer *ring;
	guard_event_fn event_fn;
	void *event_arg;
	int event_error;

	struct registry names;
	struct watch *watch;
	struct guard_root *roots;
	size_t n_roots;
	/* Of the policy in force; empty before the first one of this agent. */
	struct compiled_condition *conditions;
	size_t n_conditions;
	struct compiled_subject *subjects; /* as in the guard, all of them */
	size_t n_subjects;
	size_t n_fixed; /* the first ones: met without asking the host */
	bool applied;
};

/* ---- maps (guard.c) ---------------------------------------------------- */

int guard_map_lookup(const struct guard *guard, enum guard_map map,
		     const void *key, void *ret_value);
int guard_map_update(struct guard *guard, enum guard_map map, const void *key,
		     const void *value);
/* 0 also if it was not there. */
int guard_map_delete(struct guard *guard, enum guard_map map, const void *key);

/*
 * Calls fn for every entry of a hash or LPM map. Nobody may delete from an LPM
 * map meanwhile; deleting from a hash is allowed to fn too. fn as in guard.h.
 */
typedef int (*guard_entry_fn)(const void *key, const void *value, void *arg);
int guard_map_each(const struct guard *guard, enum guard_map map,
		   guard_entry_fn fn, void *arg);

/* Comes back when no program runs on that began before. */
int guard_barrier(struct guard *guard);

/* Is there a function, or a trace point, of this name in the kernel? */
int guard_btf_load(void **ret_btf);
void guard_btf_free(void *btf);
bool guard_btf_has_function(const void *btf, const char *name);
bool guard_btf_has_tracepoint(const void *btf, const char *name);

/* ---- policy and datasets (guard_policy.c) ------------------------------- */

void guard_policy_release(struct guard *guard);

/* Writes the names of reg that the guard does not have yet. */
int guard_names_store(struct guard *guard, const struct registry *reg);

/* ---- the kernel (guard_probe.c) ----------------------------------------- */

/* Opens the root of cgroup2: path, or where it is mounted, or nowhere yet. */
int guard_cgroup2_open(const char *path, int *ret_fd);

/* ---- words --------------------------------------------------------------- */

void guard_say(const struct guard_say *say, enum guard_level level,
	       const char *format, ...) __attribute__((format(printf, 3, 4)));

#endif
