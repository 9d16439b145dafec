/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the files behind guard.h share. guard.c, guard_choose.c, guard_load.c,
 * guard_map.c and guard_pin.c speak to libbpf; the others go through the calls
 * below. All return 0 or -errno.
 */
#ifndef CORDON_GUARD_INTERNAL_H
#define CORDON_GUARD_INTERNAL_H

#include "guard.h"

#include "compile.h"
#include "kept.h"
#include "registry.h"
#include "watch.h"

enum guard_map {
	MAP_LABELS,
	MAP_AWAITED,
	MAP_RULES,
	MAP_RELEASES,
	MAP_DATASETS,
	MAP_DIMS,
	MAP_INTAKES,
	MAP_QUIET_FILES,
	MAP_SUBJECTS,
	MAP_CGROUPS,
	MAP_DESTS,
	MAP_WAYS,
	MAP_BUDGETS,
	MAP_PROCESSES,
	MAP_HOLDINGS,
	MAP_CHARGES,
	MAP_CARRIERS,
	MAP_CROSSINGS,
	MAP_DERIVED,
	MAP_COMMONS,
	MAP_SHARERS,
	MAP_SHARED_FILES,
	MAP_ORIGINS,
	MAP_ORIGIN_OF,
	MAP_TOUCHED,
	MAP_STEPS,
	MAP_LEDGER,
	MAP_LEDGER_OF,
	MAP_EVENTS,
	MAP_BARRIER,
	MAP_NAMES,
	MAP_COUNT,
};

/* A path of a dataset, or of quiet files, in the policy in force. */
struct guard_root {
	char *path; /* as the policy has it */
	char *real;
	uint32_t dataset; /* its number */
	bool quiet;	  /* it is that of quiet files */
	bool lines;	  /* its records are lines */
	bool exists;
	bool is_dir;
	bool labelled;
	bool unmeasured;     /* lines that came since they were measured */
	uint32_t from;	     /* whose label it had before, 0: nobody's */
	struct file_key key; /* when labelled */
};

/* A mount inside of a root; its id alone may be another's by now. */
struct guard_mount {
	uint32_t id;
	bool failed;
	struct file_key key; /* of its root, unless it failed */
};

struct guard {
	char pin_dir[256];
	/* Unpinned: what lives no longer than this process. Else NULL. */
	struct guard_skeleton *own;
	struct bpf_link **own_links;
	size_t n_own_links;
	uint64_t lost_files; /* that guard_save_files() told of */
	enum guard_attach attach;
	int fds[MAP_COUNT];
	uint32_t touches_max;	   /* entries of MAP_TOUCHED */
	struct guard_state *state; /* up to the tables: guard_map_tables() */
	size_t state_bytes;
	struct ring_buffer *ring;
	guard_event_fn event_fn;
	void *event_arg;
	int event_error;
	int events_taken;
	guard_progress_fn progress; /* of guard_apply_policy() */
	void *progress_arg;

	struct registry names;
	struct watch *watch;
	struct guard_root *roots;
	size_t n_roots;
	struct guard_mount *mounts;
	size_t n_mounts;
	/* Of the policy in force; empty before the first one of this agent. */
	struct compiled_condition *conditions;
	size_t n_conditions;
	struct compiled_subject *subjects; /* as in the guard, all of them */
	size_t n_subjects;
	size_t n_fixed; /* the first ones: met without asking the host */
	struct compiled_way *ways; /* of the policy in force, in .path too */
	size_t n_ways;
	bool applied;
	bool idle_clear; /* nobody reads the slot that is not in force, and it
			  * is empty */
};

/* ---- what libbpf says (guard_load.c) ------------------------------------ */

/* Keeps what libbpf says from now on; passes that on, a line each. */
void guard_libbpf_listen(void);
void guard_libbpf_tell(const struct guard_say *say);

/* ---- loading (guard_choose.c, guard_load.c) ------------------------------ */

struct bpf_object;

/* Does the kernel preempt itself, so that it may skip a program (again.h)? It
 * is taken to where it does not say so. */
bool guard_preempts(void);

/* Has those programs loaded that are for this way to attach, and this kernel.
 * -EOPNOTSUPP: it lacks what the guard needs, which is said. */
int guard_choose(struct bpf_object *object, enum guard_attach attach,
		 bool preempts, const struct guard_say *say);

/* Loads a guard, attaches it by guard->attach, and pins it. What goes wrong is
 * said, and nothing of it stays. */
int guard_load(struct guard *guard, const struct guard_options *opts,
	       const struct guard_say *say);

/* The guard that this program carries. A check against mix-ups, no more. */
void guard_build_name(char *buf, size_t size);

/* Two megabytes of this program that nothing reads once a guard is there: they
 * come back from its file for another one. */
void guard_forget_object(void);

/* Of one that is not pinned: a descriptor of its map, for close(2); does it run
 * this program; ends it, if there is one. */
int guard_own_open(const struct guard *guard, const char *map);
bool guard_own_has(const struct guard *guard, const char *program);
/* Adds how often the kernel left its programs out. */
int guard_own_skipped(const struct guard *guard, uint64_t *n);
void guard_own_free(struct guard *guard);

/* ---- pins (guard_pin.c) -------------------------------------------------- */

#define GUARD_PIN_CHARS_MAX 512

/* kind is "", "link_" or "prog_". -ENAMETOOLONG */
int guard_pin_path(const struct guard *guard, const char *kind,
		   const char *name, char path[GUARD_PIN_CHARS_MAX]);

/* How many pins begin with prefix; 0 also if there is no directory. */
int guard_pins_count(const char *pin_dir, const char *prefix, size_t *ret_n);

/* Is the program of this name attached? Not every kernel can have all. */
bool guard_is_attached(const struct guard *guard, const char *program);

/* Runs a pinned program that looks at one thing after the other. */
int guard_iterate(const struct guard *guard, const char *program);

/* ---- maps (guard_map.c) -------------------------------------------------- */

/* Adds how often the kernel left a program out. */
int guard_add_skipped(int program, uint64_t *n);

struct guard_map_form {
	const char *name;
	uint32_t key_bytes;
	uint32_t value_bytes;
	bool locked; /* its values begin with a spin lock */
};

extern const struct guard_map_form guard_map_forms[MAP_COUNT];

int guard_map_lookup(const struct guard *guard, enum guard_map map,
		     const void *key, void *ret_value);
int guard_map_update(struct guard *guard, enum guard_map map, const void *key,
		     const void *value);
/* n of them at once, which takes a fraction of the time; of an array those from
 * first on. What was written before one failed stays. */
int guard_map_write(struct guard *guard, enum guard_map map, const void *keys,
		    const void *values, size_t n);
int guard_map_write_from(struct guard *guard, enum guard_map map,
			 uint32_t first, const void *values, size_t n);
/* 0 also if it was not there. */
int guard_map_delete(struct guard *guard, enum guard_map map, const void *key);

/*
 * Calls fn for every entry of a hash or LPM map. Nobody may delete from an LPM
 * map meanwhile; deleting from a hash is allowed to fn too. fn as in guard.h.
 */
typedef int (*guard_entry_fn)(const void *key, const void *value, void *arg);
int guard_map_each(const struct guard *guard, enum guard_map map,
		   guard_entry_fn fn, void *arg);

/* Now, in the clock of the guard. */
uint64_t guard_boot_ns(void);

/*
 * Maps the whole of the guard's state, tables and all, to read and write: more
 * than a megabyte, so for a short time only. Returns 0 or -errno, and says why;
 * the caller unmaps sizeof(**ret_state) bytes.
 */
int guard_map_tables(struct guard *guard, struct guard_state **ret_state,
		     const struct guard_say *say);

/* Comes back when no program runs on that began before. */
int guard_barrier(struct guard *guard);

/* ---- kernel types (guard_choose.c) --------------------------------------- */

/* Is there a function, or a trace point, of this name in the kernel? */
int guard_btf_load(void **ret_btf);
void guard_btf_free(void *btf);
bool guard_btf_has_function(const void *btf, const char *name);
bool guard_btf_has_tracepoint(const void *btf, const char *name);

/* ---- self test (guard_probe.c) ----------------------------------------- */

/*
 * Keeps room for the one label that the self-test needs: a full table must not
 * look like a guard that is blind.
 */
int guard_spare_label(struct guard *guard);

/* ---- policy (guard_policy.c) ------------------------------------------- */

/* So many files were seen (0: a part of a large one): now and then tells who
 * asked guard_apply_policy() to be told. */
void guard_tick(const struct guard *guard, uint64_t files);

void guard_policy_release(struct guard *guard);

/* Writes the names of reg that the guard does not have yet; all or none. */
int guard_names_store(struct guard *guard, const struct registry *reg);

/* Writes n subjects into a slot. */
int guard_subjects_write(struct guard *guard, uint32_t slot,
			 const struct compiled_subject *subjects, size_t n);

/* ---- numbers (guard_number.c) ------------------------------------------- */

/*
 * Before policy is numbered in names: is it to be feared that the numbers that
 * nobody had yet do not suffice, marks all that the guard still uses.
 */
int guard_numbers_count(struct guard *guard, const struct policy *policy,
			struct registry *names);

/* ---- subjects (guard_subject.c) ---------------------------------------- */

/*
 * All keys of subjects with their sets: the n_fixed that need no host, then
 * what the conditions come to; the caller free()s them. Conditions that nothing
 * can meet are said and counted. 0 or -ENOMEM.
 */
int guard_subjects_resolve(struct guard *guard,
			   const struct compiled_subject *fixed, size_t n_fixed,
			   const struct compiled_condition *conditions,
			   size_t n_conditions, const struct guard_say *say,
			   struct compiled_subject **ret_subjects,
			   size_t *ret_n, uint32_t *ret_unresolved);

/* Resolves those of the policy in force again and writes what is new. */
int guard_subjects_refresh(struct guard *guard, const struct guard_say *say);

void guard_conditions_free(struct compiled_condition *conditions, size_t n);

/* ---- ways out (guard_way.c) --------------------------------------------- */

/* Which mounts and devices they are. Those that are not there are said, and
 * have no key (its kind is 0). */
void guard_ways_resolve(struct compiled_way *ways, size_t n,
			const struct guard_say *say);

/* Writes those that have a key into a slot. */
int guard_ways_write(struct guard *guard, uint32_t slot,
		     const struct compiled_way *ways, size_t n);

/* Looks at those of the policy in force again, and writes what is new. */
int guard_ways_refresh(struct guard *guard, const struct guard_say *say);

/* ---- labels (guard_label.c) -------------------------------------------- */

/* Flags that open a file for a look at it and do nothing to it. */
#define LOOK_FLAGS (O_RDONLY | O_NONBLOCK | O_NOFOLLOW | O_NOCTTY | O_CLOEXEC)

/*
 * Opens a file and takes from the guard who it is; with a label, the file gets
 * that if it has none. On overlayfs stat(2) would tell another identity.
 * -EIO: the guard did not see it; as openat(2) says.
 */
int guard_capture(struct guard *guard, int dir, const char *name, int flags,
		  const struct label *label, struct file_key *ret_key);

/*
 * The paths of all datasets and quiet files on this host; .dataset is the place
 * in the policy, among those of its kind, until the names have numbers. What is
 * wrong is said; quiet files that cannot be labelled are left out.
 */
int guard_roots_resolve(const struct policy *policy,
			const struct guard_say *say,
			struct guard_root **ret_roots, size_t *ret_n);
void guard_roots_free(struct guard_root *roots, size_t n);

/* The shortest line of a dataset's files that are there; 0: there is none. */
int guard_lines_measure(struct guard *guard, const struct guard_root *roots,
			size_t n, uint32_t dataset, const char *name,
			const struct guard_say *say, uint32_t *ret_bytes);

/*
 * Measures the datasets again whose lines were written, which can be any, or
 * whose files are others since guard_root_refresh() looked.
 */
int guard_lines_refresh(struct guard *guard, bool written,
			const struct guard_say *say);

/*
 * Labels the roots of the policy that is in force by now. Labels of what the
 * n_old roots before it had and it has not, and of what lies below roots that
 * were another dataset's, change their dataset or go; returns how many. A new
 * agent has no old roots: what its dataset has no more keeps its labels then.
 */
uint64_t guard_relabel(struct guard *guard, struct guard_root *old,
		       size_t n_old, const struct guard_say *say);

/*
 * Takes the labels, and the names to come, of all datasets but those of the
 * policy in force. Adds to *ret_dropped how many labels, also when it fails.
 */
int guard_labels_drop(struct guard *guard, uint64_t *ret_dropped);

/* Opens every file of the datasets; fills in what it came to. */
void guard_scan(struct guard *guard, const struct guard_say *say,
		struct guard_applied *applied);

/* Looks at a root again: is it another, is it there? */
int guard_root_refresh(struct guard *guard, struct guard_root *root,
		       const struct guard_say *say);

/*
 * Labels and scans what was mounted inside a dataset since the last time, or
 * could not be labelled then; with all, what was labelled before too.
 */
int guard_mounts_refresh(struct guard *guard, bool all,
			 const struct guard_say *say);

/* ---- files that carry (guard_kept.c) ------------------------------------- */

struct guard_mounted {
	struct kept_fs fs;
	uint32_t dev;
	bool remote;	       /* its files lie elsewhere */
	bool local;	       /* it keeps them on this host */
	char root[KEPT_PLACE]; /* which directory of it; "": too long */
};

struct guard_mounts {
	struct guard_mounted *mounts;
	size_t n;
};

/* Adds all that is mounted; .mounts is for free(3), whatever it returns. */
int guard_mounts_list(struct guard_mounts *mounts);

/* Where a file system is that was saved; NULL: it is not there. */
const struct guard_mounted *guard_mount_again(const struct guard_mounts *mounts,
					      const struct kept_fs *fs);

/* The kernel's number of this boot; "": it does not say. */
void guard_boot_id(char boot[KEPT_BOOT]);

/* What was saved, between guard_kept_read() and guard_hold_changed(). */
struct guard_kept {
	struct kept kept;
	struct guard_mounts mounts;
	bool unclean;
	bool searched;
	struct file_key *changed; /* sorted */
	size_t n_changed;
	char **paths; /* of some of them, for people */
	struct file_key *path_keys;
	size_t n_paths;
};

/* Says that the file of this key carries what the holding has. */
int guard_derived_put(struct guard *guard, struct guard_state *tables,
		      const struct file_key *key, uint64_t holding);

/* ---- the kernel (guard_probe.c) ----------------------------------------- */

/* Has this process the capabilities to load programs and attach them? */
bool guard_may_load(void);

/* Opens the root of cgroup2: path, or where it is mounted, or nowhere yet. */
int guard_cgroup2_open(const char *path, int *ret_fd);

/* ---- words --------------------------------------------------------------- */

void guard_say(const struct guard_say *say, enum guard_level level,
	       const char *format, ...) __attribute__((format(printf, 3, 4)));

#endif
