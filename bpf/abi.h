/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * abi.h - every type and constant that crosses between the guard and the agent.
 *
 * Included by the guard after vmlinux.h, by the agent and the tests after
 * linux/bpf.h. It includes nothing itself. All of it is host byte order but
 * for addresses and ports, which stay in network order. Times are nanoseconds
 * of CLOCK_BOOTTIME unless the name says otherwise: the clock that goes on
 * while the host sleeps, so that sleeping refills no budget late.
 *
 * Whoever changes a layout raises CORDON_ABI: an agent that finds another
 * number on the pins refuses to adopt them.
 */
#ifndef CORDON_ABI_H
#define CORDON_ABI_H

#define CORDON_ABI 18

/* Where the guard lives between agents, below a bpffs. */
#define CORDON_PIN_DIR "/sys/fs/bpf/cordon"

enum cordon_limits {
	CORDON_DATASETS = 255, /* ids 1..254; 0 is no dataset */
	CORDON_SUBJECTS = 256, /* bit 255 is "*", the least specific */
	CORDON_DESTS = 255,    /* of a policy, with "*" */
	CORDON_RULES = 1024,
	CORDON_RELEASES = 8192, /* all rules together, a policy slot */
	CORDON_RULE_RELEASES = 17,
	CORDON_PORTS = 16, /* port ranges a prefix can carry */
	CORDON_NAME = 64,  /* longest name with its final NUL */
	CORDON_SLOTS = 2,
	CORDON_SHARES = 8,	 /* origins a holding tells apart */
	CORDON_CHARGES = 16,	 /* destinations a holding remembers */
	CORDON_CHARGED = 8192,	 /* holdings that do, at a time */
	CORDON_CROSSINGS = 8192, /* ends in fifteen seconds: crossing.h */
	CORDON_METERED = 4, /* datasets that one socket can be charged for */
	CORDON_ORIGINS = 4096,
	CORDON_GROUPS = 32, /* supplementary groups looked at */
	CORDON_WALK = 64,   /* directory levels above a file */
	CORDON_LEDGER = 16384,
	CORDON_FS = 256,    /* places of state.fs, a power of 2 */
	CORDON_GROWN = 256, /* places of state.grown, a power of 2 */
	CORDON_CARRIER_BITS = 14,
	CORDON_TOOK = 4,      /* takings a holding remembers, a power of 2 */
	CORDON_CAME = 4,      /* steps a holding remembers, a power of 2 */
	CORDON_STEPS = 16384, /* steps kept, a power of 2 */
	CORDON_SEEN = 4096,   /* pairs of holdings, of which one took */
	CORDON_SENT = 4096,   /* origins, each at one place */
	CORDON_WAYS = 2048,   /* of both policy slots */
};

/*
 * The place of all origins for which there is no other left: no more are told
 * apart. Never 0, which in a share means that nothing is held.
 */
#define CORDON_ORIGIN_REST (CORDON_ORIGINS - 1)

/*
 * In place of an origin's serial, of what is sent by who holds more than one
 * share of the dataset: whose it is nobody can tell, so it may be everybody's.
 */
#define CORDON_ORIGIN_SEVERAL 0xfffffffeU

#define CORDON_RULE_NONE    0xffff
#define CORDON_DEST_ANY	    0
#define CORDON_DEST_READ    0xffff /* the "destination" of a read budget */
#define CORDON_DEST_UNKNOWN 0xfffe /* of a packet with a header of its own */
#define CORDON_DEST_INTAKE  0xfffd /* of a cap: struct intake */
#define CORDON_HOST_WIDE    0xffffffffU
#define CORDON_UNLIMITED    (~0ULL)
#define CORDON_LABEL_BITS   22 /* 512 KiB: 1 in 90 unlabelled files collides */
#define CORDON_DERIVED_BITS 16 /* 256 KiB of counters */
#define CORDON_NOTICE_BITS  12 /* 512 bytes */
#define CORDON_TGID_BITS    22 /* PID_MAX_LIMIT of the kernel: 4,194,304 */

/* ---- identity of files ------------------------------------------------ */

/*
 * A file as the kernel knows it. The device is the kernel's own s_dev (major
 * << 20 | minor), which on overlayfs differs from what stat(2) says. What
 * `generation` is for labels stands at file_tells() in label.h; for executables
 * it is the inode's.
 */
struct file_key {
	__u64 ino;
	__u32 dev;
	__u32 generation;
};

enum label_kind {
	LABEL_FILE = 1,	  /* a file of a dataset */
	LABEL_DIR = 2,	  /* a directory whose files are a dataset's */
	LABEL_PARENT = 3, /* a directory with a name in `awaited` */
	LABEL_QUIET = 4,  /* a quiet file: struct intake */
	LABEL_QUIET_DIR = 5,
};

/*
 * Labels are the truth about what belongs to a dataset, or to quiet files,
 * which have their numbers among those of datasets. `record` numbers the
 * labelled files from 1 for as long as the guard is loaded.
 */
struct label {
	__u32 record;
	__u8 dataset;
	__u8 kind;
	__u8 awaited; /* a directory of files that is a LABEL_PARENT as well */
	__u8 pad;
};

/* A name below a LABEL_PARENT that is a root of theirs once it appears. */
struct awaited_key {
	struct file_key parent;
	char name[CORDON_NAME];
};

/* ---- policy ------------------------------------------------------------ */

/* window_ns 0: no limit of this kind. */
struct limit {
	__u64 max;
	__u64 window_ns;
};

enum grant_kind { GRANT_NONE, GRANT_UNLIMITED, GRANT_LIMITED };

struct grant {
	__u32 kind;
	__u32 pad;
	struct limit records;
	struct limit bytes;
};

enum rule_flags {
	RULE_BLOCK = 1,	   /* else alert */
	RULE_OBSERVE = 2,  /* report, never deny */
	RULE_PER_USER = 4, /* one budget for each login user */
	RULE_NARROW = 8,   /* the subject is narrow: see struct narrow */
	RULE_EXE = 16,	   /* and has an executable: see enum executed */
};

/*
 * What leaves a narrow subject: how many bytes of a dataset one byte of it can
 * stand for, and the fewest bytes that a record fits in. 0: unknown. Stated for
 * a dataset or a subject: the tighter counts.
 */
struct narrow {
	__u32 squeeze;
	__u32 floor;
};

struct rule {
	__u32 id;      /* of its name, stable over policies */
	__u32 subject; /* likewise */
	__u32 flags;
	__u16 first_release;
	__u16 releases;
	struct narrow narrow; /* of the subject */
	struct grant read;
};

struct release {
	__u32 dest;
	__u32 pad;
	struct grant grant;
};

struct subject_set {
	__u64 bits[CORDON_SUBJECTS / 64];
};

/*
 * What a policy says of one dataset: which rule each subject has. `has` is
 * the set of subjects that have one; subjects are numbered so that a lower
 * bit is more specific.
 */
struct dataset_rules {
	__u32 record_bytes; /* bytes of a row; 0: a record is a file */
	struct narrow narrow;
	__u32 pad;
	struct subject_set has;
	__u16 rule[CORDON_SUBJECTS];
};

/* The conditions a subject can make. */
enum subject_dim {
	DIM_UNIT,
	DIM_CGROUP,
	DIM_EXE,
	DIM_USER,
	DIM_GROUP,
	DIM_LOGIN,
	DIM_MAX,
};

/*
 * Which subjects make no condition of a kind, which kinds are in use, and which
 * subjects are declassifiers, narrow or pools.
 */
struct subject_dims {
	struct subject_set any[DIM_MAX];
	struct subject_set aside; /* that take in without carrying on */
	struct subject_set narrow;
	struct subject_set pools; /* whose processes share one holding */
	__u32 used;		  /* bit per enum subject_dim */
	__u32 pad;
	__u32 pool[CORDON_SUBJECTS]; /* of a pool, by bit: of its name */
};

/*
 * What a subject that is set aside may take in from holders in a window without
 * becoming one. Of several that a process matches, the lowest bit counts. All
 * zero for a subject that carries on. And what files that are quiet may take in
 * without becoming carriers.
 */
struct intake {
	__u32 subject; /* of its name, as struct rule's; of the files' */
	__u32 pad;
	struct limit cap; /* bytes */
};

/*
 * Key of a condition met. For DIM_EXE `a` is the inode number and `b` device
 * << 32 | generation; for users and groups `a` is the number. DIM_LOGIN:
 * `a` is the login uid, ~0 "somebody logged in".
 */
struct subject_key {
	__u32 slot;
	__u32 dim;
	__u64 a;
	__u64 b;
};

/*
 * Key of a cgroup or unit name. Units: `node` is 0 and `name` the first
 * component of the cgroup's path that is not a slice. Cgroup paths: a tree
 * of components, `node` is the component above (1: the root).
 */
struct cgroup_key {
	__u32 slot;
	__u32 dim;
	__u32 node;
	char name[CORDON_NAME];
};

struct cgroup_node {
	__u32 node;
	__u32 pad;
	struct subject_set set;
};

/* Destinations: v4 as ::ffff:a.b.c.d. prefixlen counts the slot's 32 bits. */
struct dest_key {
	__u32 prefixlen;
	__u32 slot;
	__u8 addr[16];
};

struct dest_ports {
	__u16 low; /* host order; 0..65535 is any */
	__u16 high;
	__u32 dest;
};

/* Of this prefix and then of the ones that cover it, longest first. */
struct dest_value {
	__u32 count;
	struct dest_ports ports[CORDON_PORTS];
};

/*
 * File systems whose files lie elsewhere: on another host, with a process that
 * serves them, or on a medium that can be taken out. What tells them is the
 * kernel's number for the kind (s_magic), which several names can have. A file
 * system that is not in this list keeps its files on this host; the policy may
 * name mounts that do not.
 */
#define CORDON_REMOTE_FS(X)       \
	X("nfs", 0x6969)          \
	X("nfs4", 0x6969)         \
	X("cifs", 0xff534d42)     \
	X("smb3", 0xfe534d42)     \
	X("fuse", 0x65735546)     \
	X("fuseblk", 0x65735546)  \
	X("virtiofs", 0x65735546) \
	X("9p", 0x01021997)       \
	X("ceph", 0x00c36400)     \
	X("afs", 0x6b414653)      \
	X("coda", 0x73757245)     \
	X("pvfs2", 0x20030528)    \
	X("gfs2", 0x01161970)     \
	X("ocfs2", 0x7461636f)    \
	X("vboxsf", 0x786f4256)   \
	X("vfat", 0x4d44)         \
	X("msdos", 0x4d44)        \
	X("exfat", 0x2011bab0)    \
	X("ntfs", 0x5346544e)     \
	X("ntfs3", 0x7366746e)    \
	X("hfs", 0x4244)          \
	X("hfsplus", 0x482b)      \
	X("iso9660", 0x9660)      \
	X("udf", 0x15013346)

/*
 * A way out that is no socket: the name of a file system's kind and its device,
 * or `char' or `block' and the device that is written to.
 */
struct way {
	char type[12];
	__u32 dev; /* as in struct file_key */
};

enum way_kind {
	WAY_TYPE = 1, /* a kind of file system; no dev */
	WAY_MOUNT,    /* one file system; no type */
	WAY_CHAR,     /* a device; no type */
	WAY_BLOCK,
};

/* Key of the destination that a way belongs to, of those that have one. */
struct way_key {
	__u32 slot;
	__u32 kind;
	struct way way;
};

/* ---- budgets ----------------------------------------------------------- */

enum budget_unit { UNIT_RECORDS, UNIT_BYTES };

struct budget_key {
	__u32 rule; /* struct rule's id; of a cap, struct intake's subject */
	__u32 who;  /* login user, or CORDON_HOST_WIDE */
	__u16 dest; /* CORDON_DEST_READ for reads, _INTAKE for caps */
	__u8 dataset;
	__u8 unit;
	__u32 pad;
};

/*
 * A window is cut into WINDOW_PARTS parts. What was used is kept for each
 * part; a part that overlaps the edge counts in full, so never more than the
 * budget is let through in any window, and what was used comes back at most
 * a fifteenth of the window late. The ring is a power of two because the
 * verifier follows a mask, but no remainder.
 */
enum { WINDOW_PARTS = 15, WINDOW_RING = WINDOW_PARTS + 1 };

struct window {
	__u64 part_ns; /* 0: never used */
	__u64 latest;  /* number of the newest part: time / part_ns */
	__u64 total;   /* sum of used[] */
	__u64 used[WINDOW_RING];
};

struct budget {
	struct bpf_spin_lock lock;
	__u32 serial;
	struct window window;
	__u32 told; /* percent already reported: 0, 50, 80, 100 */
	__u32 pad;
	__u64 refused; /* acts refused or, not enforced, alerted */
};

/* ---- holdings ---------------------------------------------------------- */

/*
 * The part of a holding that comes from one origin. What does not fit in the
 * vector is added up under ORIGIN_FOLDED, which nothing caps; there dataset 0
 * stands for all of them.
 */
#define CORDON_ORIGIN_FOLDED 0xffffffffU

struct share {
	__u32 origin; /* number in `origins`; 0: free */
	__u32 dataset;
	__u64 records;
	__u64 bytes;
};

/* What a holding was charged for at a destination. */
struct charge {
	__u32 dataset; /* 0: free */
	__u32 dest;
	__u32 rule; /* struct rule's id: another rule, another budget */
	__u32 who;  /* and another user, as in struct budget_key */
	__u64 records;
	__u64 wire_bytes; /* with CHARGE_COPIED, if another holding's */
};

#define CHARGE_COPIED (1ULL << 63)

/* What a holding was charged, by its id; most send nothing, and have none. */
struct charges {
	struct bpf_spin_lock lock;
	__u32 pad;
	struct charge at[CORDON_CHARGES];
};

/* ---- how it came ------------------------------------------------------- */

enum step_kind {
	STEP_READ = 1, /* of a dataset: `from' is STEP_ORIGIN and the origin */
	STEP_FORK,     /* or exec: a copy of another holding */
	STEP_MIX,      /* into a carrier that others write to as well */
	STEP_NARROW,   /* into a carrier, out of a narrow subject */
	STEP_PIPE,
	STEP_UNIX,
	STEP_LOOPBACK, /* TCP and UDP */
	STEP_TTY,
	STEP_QUEUE,  /* of messages */
	STEP_FILE,   /* that a holder wrote */
	STEP_MEMORY, /* shared, or another's */
	STEP_KEY,    /* of a key ring */
	STEP_SEMAPHORE,
	STEP_SIGNAL,   /* with a value */
	STEP_CALL,     /* the registers of another's system calls */
	STEP_CROSSING, /* from one network of the host to another */
	STEP_KINDS,
};

#define STEP_ORIGIN (1ULL << 62)

/* Who it was that came by something. tgid 0: a carrier, or not known. */
struct step_who {
	__u32 tgid;
	__u32 uid;
	__u32 login;
	__u32 session;
	char comm[16];
};

/*
 * The first time that the holding `to' came by something of another one, or of
 * a dataset. Kept in a ring: step N overwrites step N - CORDON_STEPS. So when
 * the step `first' is there still, all others of this holding are.
 */
struct step {
	__u64 serial; /* from 1 on; 0: being written */
	__u64 time_ns;
	__u64 last_ns; /* when more came the same way */
	__u64 to;      /* holding */
	__u64 from;    /* holding, or STEP_ORIGIN and a number in `origins' */
	__u64 first;   /* serial of the first step of `to' */
	__u64 bytes;   /* that `from' had then; STEP_NARROW: that `to' had */
	__u64 records;
	__u8 kind;
	__u8 dataset; /* 0: of several */
	__u16 pad[3];
	struct step_who who;
};

/* A step that a holding remembers. */
struct came {
	__u64 from;
	__u64 serial;
};

/* Whose copy a holding is, until there is a step that tells. */
struct born {
	__u64 from; /* holding; 0: it is no copy */
	__u64 time_ns;
	struct step_who who;
};

/*
 * What a process may hold; processes that share their memory share one. A
 * carrier has that of the process that writes to it, for as long as there is
 * one such process, which is not narrow.
 */
struct holding {
	struct bpf_spin_lock lock;
	__u32 refs; /* processes and carriers */
	struct share shares[CORDON_SHARES];
	__u64 id;
	__u64 took[CORDON_TOOK]; /* what came in before: see carry.h */
	__u64 only;  /* the one holding that all of this came from */
	__u64 first; /* serial of its first step; 0: there is none yet */
	struct came came[CORDON_CAME];
	struct born born;
};

#define HOLDING_MIXED (~0ULL) /* from several, or from a file */

/*
 * What a narrow one executes is not narrow because of its executable, whichever
 * that is, nor is what that executes: anybody's code runs in it (LD_PRELOAD),
 * and it holds what the narrow one held.
 */
enum executed {
	EXECUTED_NOTHING,
	EXECUTED_NOT_YET, /* forked by a narrow one */
	EXECUTED_BY_NARROW,
};

/*
 * How many records of an origin were charged at one place within a window of
 * the budget, by whichever process. Forgotten, they are charged once more.
 */
struct sent_key {
	__u32 origin; /* number in `origins' */
	__u32 rule;
	__u32 who; /* as struct budget_key's */
	__u32 dest;
};

struct sent {
	__u64 since_ns;
	__u64 records;
};

/* Processes by tgid: who holds. A holder without an entry is unknown: held. */
struct process {
	__u64 holding;
	__u32 executed; /* enum executed */
	__u32 pad;
};

/*
 * How much of each share of the holding `from` the holding `to` has taken: what
 * comes later is what is new. Shares keep their places, and grow.
 */
struct seen_key {
	__u64 to;
	__u64 from;
};

struct seen {
	__u64 bytes[CORDON_SHARES];
	__u64 records[CORDON_SHARES];
};

/*
 * What passes data on: a kernel object by its address (carry.h), or a file by
 * who it is (derived.h).
 */
#define CARRIER_MIXED (1ULL << 63)

struct carrier {
	__u64 holding;	/* with CARRIER_MIXED if it is no process's */
	__u64 took;	/* what came in last, as of a holding */
	__u64 since_ns; /* when a holder first wrote to it; 0: not known */
};

/* An end of a connection between networks of the host: see crossing.h. */
struct crossing {
	__u64 noted_ns; /* when a holder last sent something */
};

/* What processes have in common that share memory: see commons.h. */
struct commons {
	__u64 holding; /* 0: nobody holds anything yet */
	__u32 users;   /* processes, objects they map, and the pool */
	__u32 into;    /* the commons that it becomes part of */
	__u32 pool;    /* a subject, which has it for its processes; 0: none */
	__u32 pad;
};

/* A file whose memory is shared: the agent does not know it by an address. */
struct sharing {
	__u32 commons; /* first: as the values of `sharers' */
	__u32 pad;
	struct file_key file; /* 0: a pool's, by the number of its subject */
};

/* Processes of one origin and dataset. */
enum kin { KIN_SESSION = 1, KIN_CGROUP = 2 };

struct origin_key {
	__u32 kin;
	__u32 dataset;
	__u64 id;
};

struct origin {
	struct origin_key key;
	__u32 serial; /* never used twice; 0: free */
	__u32 pad;
	__u64 read_bytes;
	__u64 read_records;
	__u64 first_ns;
	__u32 tgid; /* of the first reader */
	__u32 uid;
	__u32 login;
	__u32 session;
	char comm[16];
};

/*
 * A record that a scope has touched: the scope is an origin or a budget. For
 * row files `chunk` is a run of 64 rows and `rows` tells which of them.
 */
enum scope_kind { SCOPE_ORIGIN = 1, SCOPE_BUDGET = 2 };

struct touch_key {
	__u32 kind;
	__u32 scope; /* serial of the origin or the budget */
	__u32 record;
	__u32 chunk;
};

struct touch {
	__u64 rows;
	__u64 part; /* of the budget's window it was charged to */
};

/* ---- reports ----------------------------------------------------------- */

enum channel {
	CHANNEL_READ = 1,
	CHANNEL_MMAP,
	CHANNEL_SPLICE, /* sendfile, splice, copy_file_range and the like */
	CHANNEL_URING,
	CHANNEL_AIO,
	CHANNEL_EXEC,
	CHANNEL_OPEN,
	CHANNEL_TCP,
	CHANNEL_UDP,
	CHANNEL_RAW,
	CHANNEL_ICMP,
	CHANNEL_OTHER, /* a family, protocol or option that no meter sees */
	CHANNEL_DEVICE,
	CHANNEL_HOP,
	CHANNEL_FILE_SYSTEM, /* whose files lie elsewhere */
	CHANNEL_MAX,
};

enum verdict { VERDICT_ALLOW, VERDICT_ALERT, VERDICT_BLOCK };

struct ledger_key {
	__u32 origin; /* serial */
	__u32 subject;
	__u16 dest;
	__u8 dataset;
	__u8 channel;
	__u32 pad;
};

struct ledger {
	struct ledger_key key;
	__u64 acts;
	__u64 bytes;
	__u64 records;
	__u64 over_acts; /* acts over the budget: blocked or alerted */
	__u64 over_bytes;
	__u64 blocked_acts; /* of them, denied */
	__u64 first_ns;
	__u64 last_ns;
	__u64 kin;     /* told_as() of the act over the budget told last */
	__u64 told_ns; /* when one was told because it was another's */
	__u64 policy;  /* serial of the one that judged the last act */
};

enum event_type {
	EVENT_FIRST_READ = 1, /* an origin began */
	EVENT_BUDGET,	      /* 50, 80 or 100 percent used */
	EVENT_VERDICT,	      /* alert or block */
	EVENT_FIRST_RELEASE,  /* first bytes of an origin to a destination */
	EVENT_FAULT,	      /* something could not be known or stored */
	EVENT_DIRTY,	      /* there is something new to save */
	EVENT_NOTICE,	      /* `noticed` was set: for the agent only */
};

enum fault {
	FAULT_LABEL_FULL,
	FAULT_UNLABELLED, /* refused because the label found no room */
	FAULT_PROCESS_FULL,
	FAULT_HOLDING_FULL,
	FAULT_ORIGIN_FULL,
	FAULT_TOUCH_FULL,
	FAULT_BUDGET_FULL,
	FAULT_LEDGER_FULL,
	FAULT_SOCKET_FULL,
	FAULT_EVENT_LOST,
	FAULT_UNREADABLE, /* a fact that the kernel would not tell */
	FAULT_UNKNOWN_HOLDING,
	FAULT_CARRIER_FULL,
	FAULT_COMMONS_FULL,
	FAULT_DERIVED_FULL,
	FAULT_CHARGES_FULL,
	FAULT_MAX,
};

struct event {
	__u64 time_ns;
	__u64 policy; /* serial of the policy that decided */
	__u32 type;
	__u32 verdict;
	__u32 tgid;
	__u32 pid;
	__u32 uid;
	__u32 login;
	__u32 session;
	__u32 origin; /* serial */
	__u32 rule;
	__u32 subject;
	__u32 record;
	__u32 error; /* errno that the act got, 0 if it went on */
	__u64 bytes; /* of the act */
	__u64 records;
	__u64 used; /* of the budget, with the act */
	__u64 max;
	__u64 window_ns;
	__u64 repeats; /* acts refused alike so far: not each is told */
	__u16 dest;
	__u16 port;
	__u8 dataset;
	__u8 channel;
	__u8 unit;
	__u8 fault;
	__u8 addr[16]; /* CHANNEL_DEVICE, CHANNEL_FILE_SYSTEM: a struct way */
	char comm[16];
	char name[CORDON_NAME]; /* of the file */
};

/* ---- sockets ----------------------------------------------------------- */

enum meter_flags {
	METER_FORCE = 1,     /* over the budget is reported, not stopped */
	METER_UNLIMITED = 2, /* counted only */
};

/*
 * Who acts: all that decides which rule is meant, but for the groups. A policy
 * that asks for groups is never met.
 */
struct facts {
	__u64 policy; /* generation and epoch */
	__u64 cgroup;
	__u64 exe; /* address of its file: none but the process changes it */
	__u64 user_ns; /* address; it stays as long as who is in it */
	__u32 uid;
	__u32 user;  /* effective */
	__u32 group; /* effective */
	__u32 login;
	__u32 session;
	__u32 pad;
};

/* What bytes on a socket are charged to, one for each dataset held. */
struct metered {
	struct budget_key key;
	__u64 max;
	__u64 window_ns;
	__u64 part; /* of the window, of the last reservation */
	__u32 row;  /* of the ledger */
	__u32 flags;
};

/*
 * The meter on a socket that a holder sent on. `charged` counts the bytes
 * reserved when they were sent, `metered` those that left; what is between
 * them is queued, or was never taken and is given back.
 */
struct meter {
	struct bpf_spin_lock lock;
	__u32 sent_end; /* TCP: sequence number up to which it was metered */
	__u64 charged;
	__u64 metered;
	__u64 last;    /* bytes of the last reservation */
	__u64 holding; /* that was judged last */
	__u64 others; /* charged to holdings before it, and not seen to leave */
	__u64 many;   /* the holding that sends what nobody asks about */
	__u64 turn;   /* the judgement that wrote the rest; 0: two did */
	__u8 addr[16]; /* that was judged last, and its destination */
	__u16 dest;
	__u16 port;
	__u32 fresh;   /* TCP: sent_end is not known before the SYN */
	__u32 stopped; /* over the budget: no payload any more */
	__u32 count;
	__u32 first;	     /* TCP: number after the last connection's SYN */
	__u32 apart;	     /* in a network of a user's own: it goes to "*" */
	__u32 way;	     /* twice the last device, and 1 without hardware */
	__u32 crossed_first; /* which connection was noted last by such, */
	__u64 crossed_ns;    /* when, */
	__u64 crossed;	     /* and what was in it: took_of() */
	__u64 crossed_keys;  /* and the ends that were noted, both in one */
	struct metered to[CORDON_METERED];
};

/*
 * Names by number, so that a rule, subject, dataset or destination keeps its
 * number, and with it its budgets, when the policy changes. Written by the
 * agent only.
 */
enum name_kind { NAME_RULE = 1, NAME_SUBJECT, NAME_DATASET, NAME_DEST };

struct name_key {
	__u32 kind;
	__u32 id;
};

struct name_value {
	char text[256];
};

/* ---- the guard's own state --------------------------------------------- */

enum hook {
	HOOK_FILE_OPEN,
	HOOK_FILE_PERMISSION,
	HOOK_MMAP_FILE,
	HOOK_INODE_LINK,
	HOOK_INODE_RENAME,
	HOOK_D_INSTANTIATE,
	HOOK_INODE_FREE,
	HOOK_NEWTASK,
	HOOK_EXEC,
	HOOK_EXIT,
	HOOK_SOCKET_SENDMSG,
	HOOK_INET_RELEASE,
	HOOK_EGRESS,
	HOOK_READV_DONE,
	HOOK_SPLICE_DONE,
	HOOK_COPY_DONE,
	HOOK_FILE_IOCTL,
	HOOK_FILE_RECEIVE,
	HOOK_SOCKET_SETSOCKOPT,
	HOOK_SOCKET_CONNECT,
	HOOK_KEY_ALLOC,
	HOOK_PIPE_READ,
	HOOK_PIPE_LOCK,
	HOOK_PIPE_UNLOCK,
	HOOK_PIPE_DOUBLE_LOCK,
	HOOK_PIPE_FREE,
	HOOK_SKB_COPY,
	HOOK_SKB_SPLICE,
	HOOK_UDP_RECV,
	HOOK_TTY_WRITE,
	HOOK_TTY_READ,
	HOOK_INODE_SETXATTR,
	HOOK_INODE_GETXATTR,
	HOOK_INODE_SYMLINK,
	HOOK_INODE_READLINK,
	HOOK_KEY_PERMISSION,
	HOOK_SEM_SEMOP,
	HOOK_SEM_SEMCTL,
	HOOK_TASK_KILL,
	HOOK_BPF,
	HOOK_MAX,
	/* These have tickets, and no probe. */
	HOOK_INET_SENDPAGE, /* up to 6.4 */
	HOOK_SPLICE_WRITE,
};

/* What the agent asks of the guard for its own next open of a file. */
enum capture_kind {
	CAPTURE_NONE,
	CAPTURE_IDENTITY, /* tell the file's key */
	CAPTURE_LABEL,	  /* and give it the label */
};

struct capture {
	__u32 kind;
	__u32 tid; /* the thread whose open is meant */
	struct label label;
	struct file_key ret_key; /* of the outermost file, for labels */
	struct file_key ret_exe; /* the same, for executables */
	__u32 ret_done;
	__u32 pad;
};

/*
 * Directories that the agent wants to hear of when a name comes into them:
 * those on the way to a path of the policy. By a bit of the inode's number, so
 * that now and then it hears of others too.
 */
struct notice {
	__u64 bits[(1 << CORDON_NOTICE_BITS) / 64];
};

/* Whether files of a file system are of interest. Each byte is set alone. */
union fs_has {
	__u16 any;
	struct {
		__u8 labels;
		__u8 derived; /* what may carry what holders wrote */
	};
};

/*
 * What the agent must not forget, whatever happens to its files, for as long as
 * the guard is attached. No program reads it.
 */
struct remembered {
	__u64 serial; /* the highest of a policy that was in force */
	__u64 time_s; /* the latest that could be trusted, since the epoch */
	__u64 trust_version; /* of the trust anchors; 0: none */
	__u8 trust_sha256[32];
};

/*
 * One instance, the guard's whole .bss, mapped by the agent. Single words are
 * read and written whole; the generation's low bit is the policy slot in use.
 */
struct guard_state {
	__u32 abi;
	__u32 agent; /* tgid of the agent, which is no reader */
	__u64 generation;
	__u64 policy_serial[CORDON_SLOTS];
	__u32 mode[CORDON_SLOTS];	  /* enum guard_mode */
	__u32 follow_files[CORDON_SLOTS]; /* do files carry? derived.h */
	__u32 follow_names[CORDON_SLOTS]; /* and names, and command lines? */
	__u32 narrow[CORDON_SLOTS];	  /* is any subject narrow? */
	__u32 pools[CORDON_SLOTS];	  /* or a pool? */
	__u32 epoch;			  /* raised when a subject changes */
	__u32 armed;	 /* set by the agent before its first capture */
	__u32 tagged;	 /* set once, for the first such socket */
	__u32 unmetered; /* likewise, sockets in `unmetered` */
	__u32 touches;	 /* entries of `touched`; the agent sweeps */
	__u32 next_record;
	__u32 next_serial; /* origins and budgets */
	__u32 next_origin;
	__u32 next_row;	 /* of the ledger */
	__u32 scanning;	 /* the labels are not complete yet */
	__u32 dirty;	 /* budgets were used since they were saved */
	__u32 probe_tid; /* the thread that tests the hooks */
	__u32 again;	 /* second programs are attached: again.h */
	__u32 commons;	 /* set once, for the first commons */
	__u32 next_commons;
	__u32 noticed;	 /* something came into a directory of `notice` */
	__u32 untold;	 /* a ticket for a send found no room, set once */
	__u32 unsaved;	 /* files may carry more than what was saved of them */
	__u32 crossings; /* entries of `crossings' */
	__u32 crossing_waits;  /* something does that nobody could look at */
	__u64 crossing_seed;   /* a secret; set once, before programs run */
	__u64 lifted_until_ns; /* boottime; until then nothing is denied */
	__u64 next_holding;
	__u64 next_turn;
	__u64 next_step;
	__u64 unclean; /* holding of files that a host which broke down left */
	__u64 probed;  /* bit per enum hook that saw the probe */
	__u64 dropped; /* packets the meter dropped */
	__u64 zero;    /* always 0, which the verifier cannot know: see guard */
	__u64 faults[FAULT_MAX];
	struct remembered remembered;
	struct capture capture;
	struct notice notice;
	union fs_has fs[CORDON_FS]; /* hashed */
	__u8 fs_written[CORDON_FS]; /* 1: a holder wrote a file; likewise */
	__u8 fs_named[CORDON_FS];   /* 1: a label of any kind; likewise */
	__u8 fs_sends[CORDON_FS];   /* 1: a mount of a destination; likewise */

	/* The agent maps these only for a moment: guard_map_tables(). */
	__u64 grown[CORDON_GROWN];   /* raised when a holding grows; hashed */
	__u64 swelled[CORDON_GROWN]; /* likewise, by bytes alone too */
	__u32 carriers[1 << CORDON_CARRIER_BITS]; /* how many; hashed */
	__u32 derived[1 << CORDON_DERIVED_BITS];  /* how many; hashed */
	__u64 label_bits[(1 << CORDON_LABEL_BITS) / 64];
	__u64 holder_bits[(1 << CORDON_TGID_BITS) / 64];
};

enum guard_mode { MODE_ENFORCE, MODE_OBSERVE };

#define CORDON_ASSERT_SIZE(type, size) \
	_Static_assert(sizeof(struct type) == (size), "size of " #type)

CORDON_ASSERT_SIZE(file_key, 16);
CORDON_ASSERT_SIZE(label, 8);
CORDON_ASSERT_SIZE(awaited_key, 80);
CORDON_ASSERT_SIZE(grant, 40);
CORDON_ASSERT_SIZE(rule, 64);
CORDON_ASSERT_SIZE(release, 48);
CORDON_ASSERT_SIZE(dataset_rules, 560);
CORDON_ASSERT_SIZE(subject_dims, 1320);
CORDON_ASSERT_SIZE(subject_key, 24);
CORDON_ASSERT_SIZE(cgroup_key, 76);
CORDON_ASSERT_SIZE(dest_key, 24);
CORDON_ASSERT_SIZE(dest_value, 132);
CORDON_ASSERT_SIZE(way_key, 24);
CORDON_ASSERT_SIZE(intake, 24);
CORDON_ASSERT_SIZE(budget_key, 16);
CORDON_ASSERT_SIZE(window, 152);
CORDON_ASSERT_SIZE(budget, 176);
CORDON_ASSERT_SIZE(step, 104);
CORDON_ASSERT_SIZE(holding, 368);
CORDON_ASSERT_SIZE(charges, 520);
CORDON_ASSERT_SIZE(sharing, 24);
CORDON_ASSERT_SIZE(origin, 80);
CORDON_ASSERT_SIZE(touch_key, 16);
CORDON_ASSERT_SIZE(ledger_key, 16);
CORDON_ASSERT_SIZE(ledger, 104);
CORDON_ASSERT_SIZE(event, 216);
CORDON_ASSERT_SIZE(remembered, 56);

#endif
