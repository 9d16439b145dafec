/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * maps.h - everything the guard remembers.
 *
 * The sizes here are the ones of a small host; the agent raises those that
 * grow with the datasets before it loads the guard. Nothing that a verdict
 * rests on lives in a map that evicts: when one is full, the act is refused
 * inside scope, or charged anew (charges), and counted.
 */
#ifndef CORDON_MAPS_H
#define CORDON_MAPS_H

#define MAP(name_, type_, key_, value_, entries_, flags_) \
	struct {                                          \
		__uint(type, BPF_MAP_TYPE_##type_);       \
		__uint(max_entries, entries_);            \
		__uint(map_flags, flags_);                \
		__type(key, key_);                        \
		__type(value, value_);                    \
	} name_ SEC(".maps")

/* The whole .bss. The agent maps it too. */
struct guard_state state;

/* Labels and names to come. */
MAP(labels, HASH, struct file_key, struct label, 131072, BPF_F_NO_PREALLOC);
MAP(awaited, HASH, struct awaited_key, struct label, 8192, BPF_F_NO_PREALLOC);

/* Policy, in two slots. */
MAP(rules, ARRAY, __u32, struct rule, CORDON_SLOTS *CORDON_RULES, 0);
MAP(releases, ARRAY, __u32, struct release, CORDON_SLOTS *CORDON_RELEASES, 0);
MAP(datasets, ARRAY, __u32, struct dataset_rules, CORDON_SLOTS *CORDON_DATASETS,
    0);
MAP(dims, ARRAY, __u32, struct subject_dims, CORDON_SLOTS, 0);
MAP(intakes, ARRAY, __u32, struct intake, CORDON_SLOTS *CORDON_SUBJECTS, 0);
MAP(quiet_files, ARRAY, __u32, struct intake, CORDON_SLOTS *CORDON_DATASETS, 0);
MAP(subjects, HASH, struct subject_key, struct subject_set, 8192,
    BPF_F_NO_PREALLOC);
MAP(cgroups, HASH, struct cgroup_key, struct cgroup_node, 8192,
    BPF_F_NO_PREALLOC);
MAP(dests, LPM_TRIE, struct dest_key, struct dest_value, 65536,
    BPF_F_NO_PREALLOC);
MAP(ways, HASH, struct way_key, __u32, CORDON_WAYS, BPF_F_NO_PREALLOC);

/* Who holds what. */
MAP(processes, HASH, __u32, struct process, 16384, BPF_F_NO_PREALLOC);
MAP(holdings, HASH, __u64, struct holding, 32768, BPF_F_NO_PREALLOC);
/* Beyond, what is sent is charged anew: too much and never too little. */
MAP(charges, HASH, __u64, struct charges, CORDON_CHARGED, BPF_F_NO_PREALLOC);
MAP(carriers, HASH, __u64, struct carrier, 131072, BPF_F_NO_PREALLOC);
MAP(derived, HASH, struct file_key, struct carrier, 65536, BPF_F_NO_PREALLOC);
MAP(crossings, HASH, __u64, struct crossing, CORDON_CROSSINGS,
    BPF_F_NO_PREALLOC);
MAP(commons, HASH, __u32, struct commons, 16384, BPF_F_NO_PREALLOC);
MAP(sharers, HASH, __u32, __u32, 16384, BPF_F_NO_PREALLOC);
MAP(shared, HASH, __u64, struct sharing, 32768, BPF_F_NO_PREALLOC);
/*
 * What was taken of whom before. A cache: what it has forgotten is taken in
 * once more, too much and never too little.
 */
MAP(seen_by, LRU_HASH, struct seen_key, struct seen, CORDON_SEEN, 0);
MAP(sent_by, LRU_HASH, struct sent_key, struct sent, CORDON_SENT, 0);
/* How it came to that; what is lost was overwritten: see struct step. */
MAP(steps, ARRAY, __u32, struct step, CORDON_STEPS, 0);
MAP(origins, ARRAY, __u32, struct origin, CORDON_ORIGINS, 0);
MAP(origin_of, HASH, struct origin_key, __u32, CORDON_ORIGINS,
    BPF_F_NO_PREALLOC);
MAP(touched, HASH, struct touch_key, struct touch, 262144, BPF_F_NO_PREALLOC);

/* What was used, and what was done. */
MAP(budgets, HASH, struct budget_key, struct budget, 16384, BPF_F_NO_PREALLOC);
MAP(ledger, ARRAY, __u32, struct ledger, CORDON_LEDGER, 0);
MAP(ledger_of, HASH, struct ledger_key, __u32, CORDON_LEDGER,
    BPF_F_NO_PREALLOC);

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 512 * 1024);
} events SEC(".maps");

/* A read whose length the kernel tells only when it is over, by thread. */
struct pending {
	__u64 file; /* address, which another can have later */
	__u64 until;
	struct file_key key;
	__u64 bytes;
	__u64 holding;
	__u64 part;
	__u64 window_ns;
	struct budget_key budget;
	__u32 row; /* of the ledger */
	__u32 origin;
	__u32 limited; /* there is a byte budget to give back to */
	__u32 pad;
};

MAP(pendings, HASH, __u32, struct pending, 8192, BPF_F_NO_PREALLOC);

/*
 * A verdict that one program of a hook leaves for the next one of the same
 * thread: see the head of guard.bpf.c.
 */
struct ticket_key {
	__u32 pid;
	__u32 hook; /* enum hook */
};

struct ticket {
	__u64 about; /* address of the file or the socket */
	int verdict;
	__u32 pad;
};

MAP(tickets, HASH, struct ticket_key, struct ticket, 16384, BPF_F_NO_PREALLOC);

/*
 * What a thread was granted last. For the same facts: where the rule for the
 * dataset and the origin are. For the same file, until its touch has to be
 * looked up again: what a read of it is added to, if there is nothing else to
 * ask (`whole`). For the same judgement of a send, as long as the holding did
 * not grow: that more to the same peer is charged nothing (`pass`).
 */
struct memo {
	struct facts facts;
	struct file_key file;
	__u64 until;
	__u64 holding;
	__u32 place; /* of the rule */
	__u32 origin;
	__u32 row; /* of the ledger */
	__u8 dataset;
	__u8 channel;
	__u8 whole;
	__u8 pass;
	__u64 turn;	/* of the last judgement of a send */
	__u64 grown;	/* when it began */
	__u32 grown_at; /* index of state.grown */
	__u32 narrow;	/* enum narrowness, of `set` */
	__u64 below;	/* a file that is opened, address of its inode */
	__u64 link; /* a symbolic link that is made, address of its dentry */
	struct file_key above; /* the one that users see it as */
	__u64 moved; /* a file of which rows are about to move, its address */
	__u64 asked; /* by which policy `set` was asked for; 0: by none */
	struct subject_set set; /* what the thread is, as it was asked last */
	struct metered to[CORDON_METERED]; /* of the judgement under way */
};

struct {
	__uint(type, BPF_MAP_TYPE_TASK_STORAGE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, int);
	__type(value, struct memo);
} memos SEC(".maps");

/* The meter on a socket goes with the socket. */
struct {
	__uint(type, BPF_MAP_TYPE_SK_STORAGE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, int);
	__type(value, struct meter);
} meters SEC(".maps");

/* Sockets to be stopped that had no room for a meter, by address. */
MAP(unmetered, HASH, __u64, __u8, 4096, BPF_F_NO_PREALLOC);

/*
 * Which subjects the facts of a process meet: a cache of a pure function of
 * the key, so that eviction costs time and never changes an answer.
 */
struct actor {
	__u64 policy; /* generation and epoch */
	__u64 cgroup;
	struct file_key exe;
	__u32 user;
	__u32 group;
	__u32 login;
	__u32 pad;
};

MAP(actors, LRU_HASH, struct actor, struct subject_set, 4096, 0);

/* For the agent only. */
MAP(names, HASH, struct name_key, struct name_value, 8192, BPF_F_NO_PREALLOC);

struct inner {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u32);
} barrier_inner SEC(".maps");

/* An update of it returns after a grace period: no program is left inside. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY_OF_MAPS);
	__uint(max_entries, 1);
	__type(key, __u32);
	__array(values, struct inner);
} barrier SEC(".maps") = {.values = {&barrier_inner}};

#endif
