/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The policy in userspace: what cordon-policy(5) describes, read from YAML
 * into plain arrays that refer to each other by index.
 *
 * Nothing here knows the host: units, users and paths are kept as they were
 * written, because the issuer checks and explains a policy on a machine where
 * they do not exist. The agent resolves them. Signatures, serial and validity
 * are checked by the caller, over the same bytes that policy_parse() gets.
 *
 * Which rule decides
 *
 *   A rule covers an act when its subject matches the process and its dataset
 *   is the act's dataset or "*". Of the rules that cover it wins
 *
 *     1. the one whose subject has most conditions: unit or cgroup, exe,
 *        user, group and login count one each, "*" counts none;
 *     2. among those, the one whose subject stands first under `subjects`;
 *     3. among the rules of one subject, the first in the file.
 *
 *   struct policy keeps rules and subjects in the order of the file and, in
 *   .rule_order and .subject_order, that order of decision: walk it and take
 *   the first that covers the act. The order of subjects is the same for
 *   every dataset, so the guard can number them by it. The destination plays
 *   no part in the choice of the rule: a destination that the winning rule
 *   does not name, and for which it has no "*", has a release budget of none.
 *   When no rule covers the act, reading and releasing are refused: budget
 *   none, action block, in the policy's mode.
 *
 * Which destination an address belongs to
 *
 *   The one with the longest prefix that holds the address, of those that
 *   have the port; of equal prefixes, the destination that stands first under
 *   `destinations`. None: anywhere. A file that lies elsewhere: the one with
 *   the mount, else with the kind of file system, else anywhere. A device: the
 *   one with it; else it is refused to who holds anything.
 */
#ifndef CORDON_POLICY_H
#define CORDON_POLICY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "sign.h"

/* Limits of a policy. Each has an error message that names the limit. */
#define POLICY_FILE_BYTES_MAX	(16U << 20)
#define POLICY_LINE_BYTES_MAX	(64U << 10)
#define POLICY_RULES_MAX	1000
#define POLICY_DATASETS_MAX	64
#define POLICY_SUBJECTS_MAX	255   /* named ones; "*" comes on top */
#define POLICY_DESTINATIONS_MAX 254   /* named ones; "*" comes on top */
#define POLICY_RELEASES_MAX	16    /* release entries of one rule */
#define POLICY_NETWORKS_MAX	20000 /* of all destinations together */
#define POLICY_PORTS_MAX	16    /* port entries of one destination */
#define POLICY_WAYS_MAX		512   /* of all destinations together */
/* Of one network and the wider ones around it, up to and with the first that
 * has every port. */
#define POLICY_NETWORK_PORTS_MAX 16
#define POLICY_PATHS_MAX	 64 /* of a dataset, or name of quiet files */
#define POLICY_QUIET_MAX	 32 /* names of quiet files, with presets */
#define POLICY_HOSTS_MAX	 256
#define POLICY_HOST_CHARS_MAX	 253
#define POLICY_HOST_STARS_MAX	 4 /* fnmatch(3) backtracks at each */
#define POLICY_NAME_CHARS_MAX	 63
#define POLICY_TEXT_CHARS_MAX	 64  /* bytes of a classification */
#define POLICY_ISSUER_CHARS_MAX	 128 /* bytes of the issuer's name */
#define POLICY_PATH_CHARS_MAX	 4095
#define POLICY_UNIT_CHARS_MAX	 255
/* What the guard can compare; a policy beyond it is good, but no host of
 * today takes it, so policy_check_warnings() tells. */
#define POLICY_GUARD_NAME_CHARS	  62 /* a unit, a component of a cgroup */
#define POLICY_GUARD_CGROUP_DEPTH 15
#define POLICY_ACCOUNT_CHARS_MAX  255 /* LOGIN_NAME_MAX - 1 */
#define POLICY_ERRORS_MAX	  20
#define POLICY_ERROR_CHARS_MAX	  640

#define POLICY_RECORD_BYTES_MAX	  (1U << 20)
#define POLICY_KEY_BYTES_MAX	  64 /* of what says whose row it is */
#define POLICY_SQUEEZE_MAX	  10000
#define POLICY_BUDGET_RECORDS_MAX 2147483647ULL /* 2^31 - 1 */
#define POLICY_BUDGET_BYTES_MAX	  (1ULL << 60)
#define POLICY_WINDOW_NS_MIN	  1000000000ULL /* one second */
#define POLICY_WINDOW_NS_MAX	  (4ULL * 7 * 86400 * 1000000000ULL)

/* Index 0 of .subjects and .destinations is always "*". */
#define POLICY_EVERYONE 0U
#define POLICY_ANYWHERE 0U
/* A rule's dataset when the file says "*"; datasets count from 0. */
#define POLICY_ANY_DATASET UINT32_MAX
#define POLICY_NO_RULE	   UINT32_MAX
/* Of no subject; "*" can be no declassifier. */
#define POLICY_NO_DECLASSIFIER POLICY_EVERYONE

/* Where something stands in the file, both counted from 1; col counts
 * characters. 0, 0: not from the file (a default, a built-in entry). */
struct policy_pos {
	uint32_t line;
	uint32_t col;
};

enum policy_mode {
	POLICY_ENFORCE,
	POLICY_OBSERVE,
};

enum policy_action {
	POLICY_BLOCK,
	POLICY_ALERT,
};

enum policy_per {
	POLICY_PER_HOST,
	POLICY_PER_USER,
};

enum policy_budget_kind {
	POLICY_BUDGET_NONE, /* nothing at all */
	POLICY_BUDGET_UNLIMITED,
	POLICY_BUDGET_LIMITED,
};

/*
 * At most .records in any window of .records_window_ns, and at most .bytes in
 * any window of .bytes_window_ns. A window of 0: no limit of that kind (the
 * number is 0 then too). Only for POLICY_BUDGET_LIMITED, where at least one
 * kind is set; otherwise all four are 0.
 */
struct policy_budget {
	enum policy_budget_kind kind;
	uint64_t records;
	uint64_t records_window_ns;
	uint64_t bytes;
	uint64_t bytes_window_ns;
	struct policy_pos pos; /* 0, 0: not given, hence none */
};

enum policy_record {
	POLICY_RECORD_FILE,
	POLICY_RECORD_LINE,
	POLICY_RECORD_BYTES,
};

struct policy_path {
	char *path; /* absolute, normalized, never "/" */
	struct policy_pos pos;
};

struct policy_dataset {
	char *name;
	struct policy_pos pos;
	struct policy_path *paths;
	size_t n_paths; /* 1..POLICY_PATHS_MAX */
	enum policy_record record;
	uint32_t record_bytes; /* only for POLICY_RECORD_BYTES */
	/* The bytes of such a row that are its key, the first and the last,
	 * counted from 1. 0, 0: it has none. */
	uint32_t key_from;
	uint32_t key_to;
	struct policy_pos key_pos;
	char *classification; /* NULL: not given */
	uint32_t squeeze;     /* 1..POLICY_SQUEEZE_MAX, 0: absent */
	uint32_t floor_bytes; /* 1..1 MiB, 0: absent */
};

/* A user or group as the file names it: a number (is_id) or a name. */
struct policy_account {
	bool set;
	bool is_id;
	uint32_t id;
	char *name; /* NULL when is_id */
};

enum policy_login {
	POLICY_LOGIN_UNSET, /* no condition */
	POLICY_LOGIN_ANY,   /* somebody has logged in */
	POLICY_LOGIN_NONE,  /* nobody has: a service */
	POLICY_LOGIN_USER,  /* .login_user has */
};

struct policy_subject {
	char *name; /* "*" at index 0 */
	struct policy_pos pos;
	char *unit;   /* NULL: no condition; never both ... */
	char *cgroup; /* ... unit and cgroup */
	char *exe;
	struct policy_account user;  /* effective user */
	struct policy_account group; /* one of its groups */
	enum policy_login login;     /* audit login user, kept by sudo */
	struct policy_account login_user;
	bool pool; /* its processes share one holding */
	bool narrow;
	/* Of a narrow one: as those of a dataset, which count where they are
	 * tighter. 0: absent. */
	uint32_t squeeze;
	uint32_t floor_bytes;
	bool preset; /* by `presets`, and .pos is where it is named */
	/* A declassifier: processes of it take in, together, .cap bytes in any
	 * window without becoming holders. .cap is all 0 for others. */
	bool declassifier;
	struct policy_budget cap;
	uint32_t specificity; /* number of conditions, 0..5 */
};

/* An address is 16 bytes in network order, IPv4 mapped (::ffff:a.b.c.d), and
 * prefix_len counts from the left of those: 10.0.0.0/8 has 96 + 8. Bits
 * behind the prefix are 0. */
struct policy_network {
	uint8_t addr[16];
	uint8_t prefix_len; /* 0..128 */
	struct policy_pos pos;
};

struct policy_ports {
	uint16_t first; /* 1..65535 */
	uint16_t last;	/* >= first */
};

/* What a destination can have that is no network. */
enum policy_way {
	POLICY_FILE_SYSTEMS, /* kinds of them: names of policy_file_systems[] */
	POLICY_MOUNTS,	     /* paths where one is mounted */
	POLICY_DEVICES,	     /* paths of device nodes */
	POLICY_WAYS,
};

struct policy_ways {
	struct policy_path *v; /* of the first kind .path is a name */
	size_t n;	       /* 0..POLICY_PATHS_MAX */
};

struct policy_destination {
	char *name; /* "*" at index 0: anywhere */
	struct policy_pos pos;
	struct policy_network *networks;
	size_t n_networks;
	struct policy_ports *ports;
	size_t n_ports; /* 0: every port */
	/* At least one, or a network, but for "*". */
	struct policy_ways ways[POLICY_WAYS];
};

/* The kinds of file systems whose files lie elsewhere. */
extern const char *const policy_file_systems[];
extern const size_t policy_n_file_systems;

struct policy_release {
	uint32_t destination;	     /* index, POLICY_ANYWHERE for "*" */
	struct policy_budget budget; /* none is written out: `X: none` */
	struct policy_pos pos;
};

struct policy_rule {
	struct policy_pos pos;
	uint32_t subject; /* index, POLICY_EVERYONE for "*" */
	uint32_t dataset; /* index or POLICY_ANY_DATASET */
	enum policy_per per;
	enum policy_action action;
	enum policy_mode mode;	   /* the rule's, else the policy's */
	struct policy_budget read; /* none if the file has no `read` */
	struct policy_release *releases;
	size_t n_releases; /* 0: nothing may leave */
};

/*
 * Files outside the datasets that take in from holders, all together and for
 * each dataset, .cap bytes in any window without becoming carriers.
 */
struct policy_quiet {
	char *name; /* no subject has it */
	struct policy_pos pos;
	struct policy_path *paths;
	size_t n_paths; /* 1..POLICY_PATHS_MAX */
	bool preset;	/* as struct policy_subject's */
	struct policy_budget cap;
};

struct policy_host {
	char *glob; /* for fnmatch(3), lower case */
	struct policy_pos pos;
};

struct policy {
	char *issuer;
	uint64_t serial;      /* 1..2^63-1 */
	int64_t not_before_s; /* since the epoch; 0: not given */
	int64_t expires_s;    /* INT64_MAX: not given */
	struct policy_pos expires_pos;
	/* Of the file's bytes; "" if it was parsed from memory. */
	char sha256[SIGN_HASH_CHARS_MAX];
	enum policy_mode mode;
	bool follow_files; /* what holders write to files goes with these */
	bool follow_names; /* and with the names that they give, and more */
	struct policy_host *hosts; /* ["*"] if the file has none */
	size_t n_hosts;
	struct policy_dataset *datasets;
	size_t n_datasets;		 /* 1..POLICY_DATASETS_MAX */
	struct policy_subject *subjects; /* those of presets last */
	size_t n_subjects;		 /* with "*": 1..256 */
	struct policy_quiet *quiet;	 /* those of presets last */
	size_t n_quiet;			 /* 0..POLICY_QUIET_MAX */
	struct policy_destination *destinations;
	size_t n_destinations; /* with "*": 1..255 */
	struct policy_rule *rules;
	size_t n_rules; /* 0..POLICY_RULES_MAX */
	/* Indices in the order of decision, see above; "*" is the last. */
	uint32_t *rule_order;	 /* n_rules */
	uint32_t *subject_order; /* n_subjects */
};

/*
 * What is wrong with a policy, in the order of the file where that is known.
 * Plain memory of the caller, no need to initialize or free it (13 KiB: mind
 * small stacks). Each text is one printable line without newline:
 * `FILE:LINE:COL: what; expected what`, without LINE:COL if there is no place.
 */
struct policy_error {
	struct policy_pos pos;
	char text[POLICY_ERROR_CHARS_MAX];
};

struct policy_errors {
	size_t n;	  /* entries of v in use */
	size_t n_dropped; /* found, but v was full */
	struct policy_error v[POLICY_ERRORS_MAX];
};

/* Empties errs, which may be NULL. */
void policy_errors_init(struct policy_errors *errs);

/*
 * Adds an entry, for layers that find fault with the same file (a signature,
 * a serial) and report in the same way; counts it only, when errs is full.
 * Controls and the like in the text become `?`. errs may be NULL.
 */
void policy_errors_add(struct policy_errors *errs, const char *name,
		       struct policy_pos pos, const char *format, ...)
	__attribute__((format(printf, 4, 5)));

/*
 * Why something failed with r: the first entry; where there is none, or errs is
 * NULL, the words of the errno.
 */
const char *policy_errors_why(const struct policy_errors *errs, int r);

/*
 * Parses the len bytes at buf. name stands for the file in error messages.
 * errs is emptied first; NULL if nobody wants to know.
 *
 * 0: *ret_policy is the caller's, for policy_free(); it does not refer to buf.
 * -EINVAL: the policy is bad, errs has at least one entry.
 * -E2BIG: more than POLICY_FILE_BYTES_MAX bytes, errs has an entry.
 * -ENOMEM.
 */
int policy_parse(const char *name, const void *buf, size_t len,
		 struct policy **ret_policy, struct policy_errors *errs);

/*
 * Reads path once, as policy_read() does, and parses that copy. Returns what
 * those two return.
 */
int policy_load(const char *path, struct policy **ret_policy,
		struct policy_errors *errs);

/*
 * Reads the regular file at path into memory that the caller free()s: for who
 * must verify a signature over the same bytes that it parses. There is a NUL
 * behind the *ret_len bytes. errs as for policy_parse().
 *
 * 0, -E2BIG (larger than POLICY_FILE_BYTES_MAX), -EINVAL (not a regular
 * file), -ENOMEM, or what open(2) and read(2) say; errs has an entry but for
 * -ENOMEM.
 */
int policy_read(const char *path, void **ret_buf, size_t *ret_len,
		struct policy_errors *errs);

/* The same of one that is open; name stands for it in error messages. */
int policy_read_fd(int fd, const char *name, void **ret_buf, size_t *ret_len,
		   struct policy_errors *errs);

/* Takes NULL. */
void policy_free(struct policy *policy);

/* Is a an account, written as b is? A name and a number are not compared. */
bool policy_same_account(const struct policy_account *a,
			 const struct policy_account *b);

/* Does every process that meets a's condition on logins meet b's? */
bool policy_login_implies(const struct policy_subject *a,
			  const struct policy_subject *b);

/*
 * True if one of the policy's host globs matches hostname, ignoring case and
 * one trailing dot. A "*" also matches dots.
 */
bool policy_covers_host(const struct policy *policy, const char *hostname);

/*
 * Find by name: 0 and the index, or -ENOENT. "*" is found among subjects and
 * destinations as 0, and is POLICY_ANY_DATASET among datasets.
 */
int policy_find_dataset(const struct policy *policy, const char *name,
			uint32_t *ret_dataset);
int policy_find_subject(const struct policy *policy, const char *name,
			uint32_t *ret_subject);
int policy_find_destination(const struct policy *policy, const char *name,
			    uint32_t *ret_destination);
int policy_find_quiet(const struct policy *policy, const char *name,
		      uint32_t *ret_quiet);

/*
 * The destination that an address of 16 bytes (IPv4 mapped) and a port belong
 * to, as told at the top. Port 0 stands for "not said": every destination has
 * it.
 */
uint32_t policy_match_address(const struct policy *policy,
			      const uint8_t addr[16], uint16_t port);

/*
 * The destination that a kind of file system or a path belongs to: of mounts
 * the one closest above the path, of devices the one of that path. -ENOENT: it
 * is no kind that is known and no absolute path; or a path that no destination
 * has, of which only the host can tell what it is.
 */
int policy_match_way(const struct policy *policy, const char *text,
		     uint32_t *ret_destination);

/* The rule's budget for a destination: its own entry, then "*", then none.
 * Never NULL, lives as long as the rule. */
const struct policy_budget *policy_rule_release(const struct policy_rule *rule,
						uint32_t destination);

/*
 * Who acts, in words. NULL is "not known": a condition on it does not match.
 * user, group and login are names or numbers and are compared as they are
 * (no host is asked), so a subject written with a number matches a number.
 */
struct policy_actor {
	const char *unit;   /* systemd unit, e.g. backup.service */
	const char *cgroup; /* path of its cgroup; its unit is in there */
	const char *exe;
	const char *user;
	const char *group; /* or all its groups: `print,lp,1004` */
	const char *login; /* "none": nobody logged in */
};

/* Bits: the conditions of a subject that an actor does not meet. */
enum policy_condition {
	POLICY_COND_UNIT = 1 << 0,
	POLICY_COND_CGROUP = 1 << 1,
	POLICY_COND_EXE = 1 << 2,
	POLICY_COND_USER = 1 << 3,
	POLICY_COND_GROUP = 1 << 4,
	POLICY_COND_LOGIN = 1 << 5,
};

/* 0 if the subject matches, else the conditions that fail. */
unsigned int policy_subject_misses(const struct policy_subject *subject,
				   const struct policy_actor *actor);

enum policy_why {
	POLICY_WHY_WINS,
	POLICY_WHY_SUBJECT,	  /* the subject does not match: .misses */
	POLICY_WHY_DATASET,	  /* the rule is about another dataset */
	POLICY_WHY_LESS_SPECIFIC, /* than the winner */
	POLICY_WHY_LATER_SUBJECT, /* as specific, but defined later */
	POLICY_WHY_LATER_RULE,	  /* the same subject, but later */
};

struct policy_candidate {
	uint32_t rule;
	enum policy_why why;
	unsigned int misses; /* enum policy_condition, for WHY_SUBJECT */
};

struct policy_explanation {
	uint32_t dataset;
	bool has_destination;
	uint32_t destination; /* an address in no network: ANYWHERE */
	/* The subjects that match, in the order of decision. */
	uint32_t *subjects;
	size_t n_subjects;
	/* The first of them that is one, or POLICY_NO_DECLASSIFIER. */
	uint32_t declassifier;
	/* Every rule, in the order of decision. */
	struct policy_candidate *candidates;
	size_t n_candidates;
	uint32_t rule; /* the winner or POLICY_NO_RULE */
	enum policy_action action;
	enum policy_mode mode;
	enum policy_per per;
	struct policy_budget read;
	struct policy_budget release; /* only with has_destination */
};

/*
 * Which rule decides over actor and dataset (a name), and what it lets pass to
 * destination: a destination's name, "*", ADDRESS, ADDRESS:PORT,
 * [V6ADDRESS]:PORT, or what policy_match_way() takes; NULL to ask about
 * reading only.
 *
 * 0: *ret_explanation is the caller's, for policy_explanation_free(); it holds
 * indices into policy. -ENOENT: no such dataset or destination; -EINVAL:
 * destination is an address with a bad port; -ENOMEM. On -ENOENT and -EINVAL
 * errs says what was expected.
 */
int policy_explain(const struct policy *policy,
		   const struct policy_actor *actor, const char *dataset,
		   const char *destination,
		   struct policy_explanation **ret_explanation,
		   struct policy_errors *errs);

/* Takes NULL. */
void policy_explanation_free(struct policy_explanation *explanation);

/*
 * One line why a candidate wins or not, e.g. `line 21: does not match: the
 * exe is another`. Cut at size, which is at least 1; always ends with NUL.
 */
void policy_candidate_format(const struct policy *policy,
			     const struct policy_explanation *explanation,
			     const struct policy_candidate *candidate,
			     char *buf, size_t size);

/* `/run/utmp and 5 more`: the paths of quiet files. Cut at size, which is at
 * least 1. */
void policy_quiet_format(const struct policy_quiet *quiet, char *buf,
			 size_t size);

/* `120 records/hour and 64 MiB/hour`, `none`, `unlimited`. Cut at size, which
 * is at least 1; POLICY_BUDGET_CHARS_MAX always suffices. */
#define POLICY_BUDGET_CHARS_MAX 128
void policy_budget_format(const struct policy_budget *budget, char *buf,
			  size_t size);

enum policy_finding {
	POLICY_WARNING, /* the policy may not mean what it says */
	POLICY_NOTE,	/* what it means in numbers */
};

typedef void (*policy_finding_fn)(enum policy_finding kind,
				  struct policy_pos pos, const char *text,
				  void *arg);

/*
 * Calls fn for everything in a good policy that its author should know, in no
 * promised order: a name that hosts cannot compare, no rule for everyone and
 * everything, a rule that can never win, a date passed, a subject, destination
 * or dataset that no rule uses, paths inside each other, narrow subjects
 * without squeeze or floor, declassifiers that anybody could become, quiet
 * files where none is followed, a destination that has all of FUSE; and, as
 * notes, the declassifiers, the quiet files, which bytes of rows evidence has
 * as their keys and how many records each byte budget could carry.
 * now_s is the time to judge dates by. text is one line without
 * file or position and lives for the call. fn may be NULL. Returns the number
 * of warnings (notes do not count), or -ENOMEM.
 */
int policy_check_warnings(const struct policy *policy, int64_t now_s,
			  policy_finding_fn fn, void *arg);

/*
 * What counts of a dataset that leaves a narrow subject: the tighter of what is
 * stated for either. 0: for neither.
 */
uint32_t policy_squeeze(const struct policy_dataset *dataset,
			const struct policy_subject *subject);
uint32_t policy_floor(const struct policy_dataset *dataset,
		      const struct policy_subject *subject);

/* What a byte budget limits. */
enum policy_act {
	POLICY_READ,
	POLICY_RELEASE,
	POLICY_INTAKE, /* the cap of a declassifier */
	POLICY_QUIET,  /* the cap of quiet files */
};

/* Not known, for the dataset does not state what it takes to know. */
#define POLICY_CAPACITY_UNKNOWN UINT64_MAX

/*
 * How many records of a dataset the bytes of a budget could be, in each of its
 * windows. At most INT64_MAX.
 */
struct policy_capacity {
	enum policy_act act;
	uint32_t subject; /* of POLICY_QUIET the place in .quiet */
	uint32_t dataset;
	uint32_t destination;		    /* only for POLICY_RELEASE */
	const struct policy_budget *budget; /* lives as long as the policy */
	uint32_t squeeze;		    /* that count here; 0: unknown */
	uint32_t floor;
	uint64_t plain;	   /* as they stand in the files */
	uint64_t squeezed; /* by `squeeze`; bytes of files are not */
	uint64_t at_floor; /* all as short as `floor`; bounds narrow subjects */
};

/*
 * Calls fn for each budget of a good policy that limits bytes, with each
 * dataset that it is about: those of rules in the order of the file, then caps,
 * last those of quiet files.
 * fn returns 0 to go on; anything else ends the walk and is returned.
 */
typedef int (*policy_capacity_fn)(const struct policy_capacity *capacity,
				  void *arg);
int policy_each_capacity(const struct policy *policy, policy_capacity_fn fn,
			 void *arg);

/*
 * `release to printers 64 MiB/hour of dataset roster: 419430 records as they
 * are (160 bytes each), ...`. Cut at size, which is at least 1.
 */
#define POLICY_CAPACITY_CHARS_MAX 512
void policy_capacity_format(const struct policy *policy,
			    const struct policy_capacity *capacity, char *buf,
			    size_t size);

/* The words of the file, for messages and JSON; never NULL. */
const char *policy_act_name(enum policy_act act);
const char *policy_mode_name(enum policy_mode mode);
const char *policy_action_name(enum policy_action action);
const char *policy_per_name(enum policy_per per);

#endif
