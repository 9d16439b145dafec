/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The guard as the agent sees it: probing the kernel, loading or adopting the
 * guard, giving it a policy, reading what it counted. This is the only header
 * over libbpf and the skeleton; callers know neither.
 *
 * The guard lives in the kernel, pinned below CORDON_PIN_DIR, and goes on
 * without an agent: guard_close() leaves it running, guard_detach() ends it.
 *
 * A struct guard belongs to one thread. Functions return 0 or -errno and leave
 * their ret_ arguments alone when they fail. Texts for people go to a struct
 * guard_say, one finished line each (what happened, where, what to do); a
 * failing function has said at least one GUARD_ERROR, but for -ENOMEM.
 */
#ifndef CORDON_GUARD_H
#define CORDON_GUARD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <linux/bpf.h>

#include "../bpf/abi.h"
#include "policy.h"

#define GUARD_TEXT_CHARS_MAX 1024

struct guard;

enum guard_level {
	GUARD_NOTE,
	GUARD_WARNING, /* goes on, but somebody should look */
	GUARD_ERROR,   /* why the call fails, or protection that is missing */
};

/* text lives for the call. fn may be NULL. */
struct guard_say {
	void (*fn)(enum guard_level level, const char *text, void *arg);
	void *arg;
};

/* ---- the kernel ---------------------------------------------------------- */

enum guard_attach {
	GUARD_ATTACH_AUTO, /* lsm if bpf is an active LSM, else fmod */
	GUARD_ATTACH_LSM,
	GUARD_ATTACH_FMOD,
};

/* One thing that the guard needs or would like. Strings are static or in
 * struct guard_probe. remedy is "" when all is well. */
enum guard_status { GUARD_GOOD, GUARD_POOR, GUARD_MISSING };

#define GUARD_FINDINGS_MAX 96

struct guard_finding {
	enum guard_status status; /* MISSING: guard_open() would fail */
	char what[64];		  /* `kernel BTF`, `hook file_open` */
	char text[160];		  /* what was found */
	char remedy[320];	  /* what to do about it */
};

struct guard_probe {
	char release[72];	  /* uname -r */
	bool btf;		  /* /sys/kernel/btf/vmlinux is readable */
	bool lsm_known;		  /* securityfs could be read */
	bool lsm_bpf;		  /* bpf is an active LSM */
	bool root_caps;		  /* CAP_BPF, PERFMON, NET_ADMIN, ADMIN */
	bool bpffs;		  /* mounted at /sys/fs/bpf */
	char lockdown[24];	  /* none, integrity, confidentiality, "" */
	char cgroup2[256];	  /* where it is mounted, "" if nowhere */
	enum guard_attach attach; /* what AUTO comes to; never AUTO */
	bool usable;		  /* nothing is GUARD_MISSING */
	size_t n_findings;
	struct guard_finding findings[GUARD_FINDINGS_MAX];
};

/*
 * Looks and changes nothing; works for every user (what may not be looked at
 * is a finding). Loads no program: guard_probe_hooks() tests those.
 * 0 or -ENOMEM.
 */
int guard_probe(struct guard_probe *ret_probe);

/* ---- one agent ----------------------------------------------------------- */

/*
 * Takes the lock that lets one agent speak to the guard: flock(2) on path,
 * made if it is missing (mode 0600) with the pid inside. The lock lasts as
 * long as the descriptor; close it to give it up.
 * -EWOULDBLOCK: another agent has it, said with its pid; else as open(2) says.
 */
int guard_lock(const char *path, const struct guard_say *say, int *ret_fd);

/* ---- loading and adopting ------------------------------------------------ */

struct guard_options {
	const char *pin_dir; /* NULL: CORDON_PIN_DIR */
	const char *cgroup2; /* NULL: found; must be its root */
	enum guard_attach attach;
	uint32_t max_records; /* labels; 0: GUARD_RECORDS_DEFAULT */
	/* Nothing is pinned and no pins are looked at: a guard beside the one
	 * that may run, for a test. guard_close() ends it. */
	bool unpinned;
};

#define GUARD_RECORDS_DEFAULT 131072U /* a power of 2, see records_for() */
#define GUARD_RECORDS_MAX     (1U << 24)

/*
 * Adopts the guard that is pinned, or loads, attaches and pins one. After
 * either, this process is the agent (state->agent) and reads freely. A load
 * that fails half way leaves no pin behind. opts may be NULL.
 *
 * A fresh guard has no policy and protects nothing until the first
 * guard_apply_policy(); guard_load_state() stands between the two.
 *
 * 0: *ret_guard is for guard_close(); *ret_adopted (may be NULL) tells which.
 * -EEXIST: a guard of another CORDON_ABI is pinned; -ESTALE: one of another
 * build. Both go on protecting; the text says how to replace them.
 * -EUCLEAN: a pin is missing, of the wrong kind or unreadable; the text has
 * its name. guard_detach_pins() clears the way.
 * -EOPNOTSUPP: the kernel lacks something; guard_probe() has the details.
 * -EPERM: not root, or the kernel is locked down. -ENOMEM. Else libbpf's.
 */
int guard_open(const struct guard_options *opts, const struct guard_say *say,
	       struct guard **ret_guard, bool *ret_adopted);

/* Gives up being the agent; the guard keeps running, unless it is unpinned.
 * Takes NULL. */
void guard_close(struct guard *guard);

/*
 * Ends protection: detaches every program and unlinks every pin. The guard is
 * to be closed after that all the same. The first error, after trying all.
 * Not for an unpinned one.
 */
int guard_detach(struct guard *guard, const struct guard_say *say);

/*
 * The same without a struct guard, for what guard_open() would not adopt.
 * pin_dir NULL: CORDON_PIN_DIR. 0 also if there was nothing.
 */
int guard_detach_pins(const char *pin_dir, const struct guard_say *say);

/*
 * The version of the trust anchors that the guard pinned there remembers, if it
 * is one of this CORDON_ABI; 0: none, or there is no guard.
 */
uint64_t guard_pinned_trust(const char *pin_dir);

/* lsm or fmod; how the running guard is attached. */
enum guard_attach guard_attached(const struct guard *guard);

/* ---- policy -------------------------------------------------------------- */

/*
 * Called now and then while datasets are scanned: files seen so far, 0 while a
 * large file is measured. Whoever watches over the caller can be told that it
 * lives.
 */
typedef void (*guard_progress_fn)(uint64_t files, void *arg);

struct guard_applied {
	uint64_t generation; /* in use now */
	uint32_t roots;	     /* dataset paths that exist */
	uint32_t awaited;    /* ... and that do not yet */
	uint64_t files;	     /* opened by the scan */
	uint64_t unreadable; /* ... that could not be; each said */
	uint64_t unlabelled; /* labels removed, or another dataset's now */
	uint32_t unresolved; /* users, groups, executables unknown */
};

/*
 * Puts policy into force. Everything that can be wrong with it on this host
 * (limits, file systems, names) is found before anything changes: on failure
 * the running policy goes on untouched. Then it is compiled into the idle
 * slot, no program is left reading that slot, and one store switches. Budgets
 * keep what was used: rules are known by SUBJECT/DATASET/PER.
 *
 * After the switch the datasets' roots are labelled, the labels of datasets
 * that are gone are deleted, and, unless scan is false, the trees are walked
 * so that every file has its label (about 10 s a million files). progress may
 * be NULL; it is called from guard_watch_handle() too from then on. What goes
 * wrong there is said as GUARD_ERROR and counted in *ret_applied (may be NULL),
 * but the policy is in force: returns 0.
 *
 * policy may be freed afterwards. -EINVAL: a limit of the guard is exceeded;
 * -EOPNOTSUPP: a dataset on a file system that cannot be guarded; -ENOSPC: the
 * guard's tables are full; -ENOMEM; else what a map update says.
 */
int guard_apply_policy(struct guard *guard, const struct policy *policy,
		       bool scan, guard_progress_fn progress, void *arg,
		       const struct guard_say *say,
		       struct guard_applied *ret_applied);

/*
 * A descriptor to poll for reading: it wakes when a dataset path that did not
 * exist, the executable of a subject or the account files changed. Then call
 * guard_watch_handle(), which resolves again, labels, scans what is new and
 * raises state->epoch; before the first policy it does nothing.
 */
int guard_watch_fd(const struct guard *guard);
int guard_watch_handle(struct guard *guard, const struct guard_say *say);

/*
 * To be called when events were taken: has the guard noticed something in a
 * directory that matters, or is a look asked for anyway, the descriptor wakes
 * in a moment.
 */
void guard_notice(struct guard *guard, bool look);

/* ---- state over reboots -------------------------------------------------- */

/*
 * Saves the names, the budgets with windows of an hour or more and the highest
 * serial seen to path: written beside it, synced, then renamed; the copy before
 * stays as path.old. Clears state->dirty before it reads. As open(2), write(2),
 * rename(2) say.
 */
int guard_save_state(struct guard *guard, const char *path,
		     const struct guard_say *say);

/*
 * Loads what was saved, after a fresh guard_open() and before the first
 * policy; see state.h for how windows cross a reboot. 0 also if there is no
 * file. A corrupt file is renamed to path.corrupt and path.old is taken; is
 * that bad as well, -EUCLEAN: budgets start empty, which the caller reports as
 * an incident.
 */
int guard_load_state(struct guard *guard, const char *path,
		     const struct guard_say *say);

/*
 * The same for what files outside the datasets carry (kept.h). state->unsaved
 * asks for it, and is cleared before the guard is read. open: more may come
 * that is not in it, which is said of it anyway when that has happened
 * meanwhile.
 */
int guard_save_files(struct guard *guard, const char *path, bool open,
		     const struct guard_say *say);

struct guard_kept;

/*
 * What was saved, before a guard is loaded. A bad file is told, and path.old
 * taken as one that was left open. 0, or -ENOMEM. *ret_kept is for
 * guard_kept_free(), NULL if nothing was saved.
 */
int guard_kept_read(const char *path, const struct guard_say *say,
		    struct guard_kept **ret_kept);
void guard_kept_free(struct guard_kept *kept);

/* Was it left open, in another boot than this one? */
bool guard_kept_unclean(const struct guard_kept *kept);

/*
 * Then all files on file systems of this host are looked at, but for those
 * below the directory except: which changed since? progress (may be NULL) is
 * told how many were seen so far. What cannot be looked at is said. 0, -ENOMEM.
 */
int guard_kept_search(struct guard_kept *kept, const char *except,
		      guard_progress_fn progress, void *arg,
		      const struct guard_say *say);

/* How many files the guard will need room for. */
uint64_t guard_kept_files(const struct guard_kept *kept);

/*
 * Gives the guard what was saved, behind the state; but for what changed since.
 * What cannot be found again or given to it is said, and carries nothing.
 */
int guard_load_files(struct guard *guard, const struct guard_kept *kept,
		     const struct guard_say *say);

/*
 * Once the policy is in force: what guard_kept_search() found carries, as long
 * as it is there, all of every dataset, unless it is a dataset's or quiet. What
 * finds no room is said, and counts as a fault.
 */
int guard_hold_changed(struct guard *guard, const struct guard_kept *kept,
		       const struct guard_say *say);

/*
 * The highest serial of a policy that was in force on this host, as far as the
 * running guard and the loaded state know; 0: none is known.
 */
uint64_t guard_serial_seen(const struct guard *guard);

/*
 * What the guard shall remember in place of guard_state()->remembered, until it
 * is detached: also less than before.
 */
void guard_remember(struct guard *guard, const struct remembered *what);

/*
 * Until that moment of CLOCK_BOOTTIME the guard denies nothing, and reports
 * what it would have denied: by itself, whether or not there is an agent, and
 * not over a boot. 0: it denies again.
 */
void guard_lift(struct guard *guard, uint64_t until_ns);

/* ---- reading ------------------------------------------------------------- */

/* The live state, mapped; valid until guard_close(). Never NULL. */
const struct guard_state *guard_state(const struct guard *guard);

/*
 * The name behind a number (enum name_kind), "*" for destination 0 and dataset
 * 0, "read" and "intake" for CORDON_DEST_READ and _INTAKE, "?" if nobody knows.
 * Never NULL; valid until the next guard_apply_policy() or guard_close().
 */
const char *guard_name(const struct guard *guard, uint32_t kind, uint32_t id);

/* The other way round: 0 and the number, or -ENOENT. */
int guard_name_find(const struct guard *guard, uint32_t kind, const char *name,
		    uint32_t *ret_id);

/* The name most like it, for "did you mean"; NULL if none is near. Lives as
 * long as that of guard_name(). */
const char *guard_name_nearest(const struct guard *guard, uint32_t kind,
			       const char *name);

/*
 * Each calls fn for every entry, in no order; entries that come or go during
 * the walk may or may not be seen, none is seen twice. fn returns 0 to go on;
 * anything else ends the walk and is returned. Pointers live for the call.
 */
typedef int (*guard_ledger_fn)(const struct ledger_key *key,
			       const struct ledger *ledger, void *arg);
int guard_each_ledger(const struct guard *guard, guard_ledger_fn fn, void *arg);

struct guard_budget {
	struct budget_key key;
	uint32_t serial;
	uint64_t used; /* in the window that ends now */
	uint64_t max;  /* of the policy in force; CORDON_UNLIMITED */
	uint64_t window_ns;
	uint64_t refused;
	uint64_t free_ns; /* boottime when the oldest part comes back;
				 * 0: nothing is used */
	uint32_t rule;	  /* place in the policy; POLICY_NO_RULE: the
				 * rule is gone, or it is a declassifier's cap;
				 * max is 0 */
};
typedef int (*guard_budget_fn)(const struct guard_budget *budget, void *arg);
int guard_each_budget(const struct guard *guard, guard_budget_fn fn, void *arg);
/* One of them. -ENOENT: nothing was ever charged to it. */
int guard_budget(const struct guard *guard, const struct budget_key *key,
		 struct guard_budget *ret_budget);

/* A process that holds; several share a holding when they share memory.
 * holding is NULL if the process is known, but what it holds is not. */
struct guard_holder {
	uint32_t tgid;
	uint64_t id; /* of the holding */
	const struct holding *holding;
};
typedef int (*guard_holder_fn)(const struct guard_holder *holder, void *arg);
int guard_each_holder(const struct guard *guard, guard_holder_fn fn, void *arg);

/* 1 if the guard takes the process for a holder, 0 if not, or -errno. */
int guard_is_holder(struct guard *guard, uint32_t tgid);
/* The holding of the process: -ENOENT if it has none. */
int guard_process(const struct guard *guard, uint32_t tgid, uint64_t *ret_id);
/* The number of the subject in whose pool it is: -ENOENT if in none. */
int guard_pool(const struct guard *guard, uint32_t tgid, uint32_t *ret_subject);
/* -ENOENT: it is gone. */
int guard_holding(const struct guard *guard, uint64_t id,
		  struct holding *ret_holding);
/* What it was charged: -ENOENT if nothing. */
int guard_charges(const struct guard *guard, uint64_t id,
		  struct charges *ret_charges);

/* The steps that are kept, the newest first. */
typedef int (*guard_step_fn)(const struct step *step, void *arg);
int guard_each_step(const struct guard *guard, guard_step_fn fn, void *arg);

struct guard_file {
	struct file_key key;
	struct label label; /* all zero: not of a dataset */
	uint64_t holding;   /* that holders left in it; 0: none */
	bool mixed;	    /* of more than one */
	bool unclean;	    /* held because a host ended uncleanly */
	uint64_t since_ns;  /* boottime of the first of them; 0: not known */
};

/*
 * What the guard knows of the file at path, which is opened for it, and has to
 * be a regular file or a directory: -ENOTSUP; -EIO: the guard did not see it;
 * as openat(2) says.
 */
int guard_file(struct guard *guard, const char *path,
	       struct guard_file *ret_file);

/* The same of one that is open already, by whatever name it has now. */
int guard_open_file(struct guard *guard, int fd, struct guard_file *ret_file);

/* slot is the number that shares use; origin->serial the lasting one. */
typedef int (*guard_origin_fn)(uint32_t slot, const struct origin *origin,
			       void *arg);
int guard_each_origin(const struct guard *guard, guard_origin_fn fn, void *arg);

/*
 * What origins have touched, as the guard remembers it: of row files a run of
 * 64 rows, of others row 0 of 1. What origins that have ended touched goes when
 * the room is needed: guard_sweep().
 */
typedef int (*guard_touch_fn)(const struct touch_key *key, uint64_t rows,
			      void *arg);
int guard_each_touch(const struct guard *guard, guard_touch_fn fn, void *arg);

/* Bytes of a row of the dataset; 0: its records are files, or it is unknown. */
uint32_t guard_record_bytes(const struct guard *guard, uint32_t dataset);

/* The files of datasets. */
typedef int (*guard_label_fn)(const struct file_key *key,
			      const struct label *label, void *arg);
int guard_each_label(const struct guard *guard, guard_label_fn fn, void *arg);

/* By slot: 0, or -ENOENT if it is free. */
int guard_origin(const struct guard *guard, uint32_t slot,
		 struct origin *ret_origin);

struct guard_table {
	const char *name; /* of the map, static */
	uint64_t entries;
	uint64_t max;
};
#define GUARD_TABLES_MAX 24

struct guard_stats {
	uint64_t generation;
	uint64_t policy_serial;
	uint64_t dropped;
	uint64_t skipped; /* runs of a program that the kernel left out */
	uint64_t faults[FAULT_MAX];
	uint64_t labels;		 /* files with a label */
	uint64_t files[CORDON_DATASETS]; /* of them, by number of dataset */
	size_t n_tables;
	struct guard_table tables[GUARD_TABLES_MAX];
};

/* Counts entries by walking the maps: for a person, not for a loop. */
int guard_stats(const struct guard *guard, struct guard_stats *ret_stats);

/* How many touches there is room for. */
uint32_t guard_touches_max(const struct guard *guard);

/*
 * Forgets which records were touched in windows that are over and, when more
 * than half of the room is used, by origins whose session or cgroup is no more:
 * their counts stay. Call it when state->touches has grown by an eighth of
 * guard_touches_max() since the last time, and now and then. *ret_swept (may be
 * NULL): how many went. -errno if not all could be looked at.
 */
int guard_sweep(struct guard *guard, uint64_t *ret_swept);

/*
 * Forgets what went between networks of the host some time ago; what waits in
 * sockets still stays known there. Call it some seconds after state->crossings
 * is no longer 0, and again as long as it is not. It looks at every open file
 * of the host, which can take long. Returns 0 or -errno.
 */
int guard_sweep_crossings(struct guard *guard);

/* ---- events -------------------------------------------------------------- */

/* A descriptor for epoll: readable when there are events. */
int guard_events_fd(const struct guard *guard);

/*
 * Calls fn for the events that wait, GUARD_EVENTS_AT_ONCE at most, and only
 * then gives their room back. An error of fn does not stop the others; the
 * first one is returned, else the number of events. If there are more, the
 * descriptor is readable still.
 */
#define GUARD_EVENTS_AT_ONCE 32
typedef int (*guard_event_fn)(const struct event *event, void *arg);
int guard_events(struct guard *guard, guard_event_fn fn, void *arg);

/* ---- self test ----------------------------------------------------------- */

struct guard_hooks {
	uint64_t expected; /* bits of enum hook that apply here */
	uint64_t seen;
};

/*
 * Does one harmless act for every hook, in a directory of its own below dir
 * (NULL: /run), and looks whether the guard saw it. Makes a child. 0: tested,
 * see *ret_hooks; the hooks in expected & ~seen are said as GUARD_ERROR. Else
 * what making the test's files said.
 */
int guard_probe_hooks(struct guard *guard, const char *dir,
		      const struct guard_say *say,
		      struct guard_hooks *ret_hooks);

/* `file_open`, never NULL. */
const char *guard_hook_name(uint32_t hook);

#endif
