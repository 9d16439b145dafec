// SPDX-License-Identifier: GPL-2.0-only
/*
 * What the guard counted, put into words and numbers for a reader.
 */
#include "guard_internal.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>

#include "array.h"
#include "args.h"
#include "clock.h"
#include "decide.h"

/* ---- names ------------------------------------------------------------- */

const char *guard_name(const struct guard *guard, uint32_t kind, uint32_t id)
{
	const char *text;

	if (kind == NAME_DEST && id == CORDON_DEST_READ)
		return "read";
	if (kind == NAME_DEST && id == CORDON_DEST_INTAKE)
		return "intake";
	if ((kind == NAME_DEST || kind == NAME_DATASET) && !id)
		return "*";
	text = registry_text(&guard->names, kind, id);
	return text ? text : "?";
}

int guard_name_find(const struct guard *guard, uint32_t kind, const char *name,
		    uint32_t *ret_id)
{
	if (kind == NAME_DEST && !strcmp(name, "*")) {
		*ret_id = CORDON_DEST_ANY;
		return 0;
	}
	if (kind == NAME_DEST && !strcmp(name, "read")) {
		*ret_id = CORDON_DEST_READ;
		return 0;
	}
	return registry_find(&guard->names, kind, name, ret_id);
}

const char *guard_name_nearest(const struct guard *guard, uint32_t kind,
			       const char *name)
{
	const char **names, *near;
	size_t i, n = 0;

	names = reallocarray(NULL, guard->names.n + 2, sizeof(*names));
	if (!names)
		return NULL;
	if (kind == NAME_DEST) {
		names[n++] = "read";
		names[n++] = "elsewhere";
	}
	for (i = 0; i < guard->names.n; i++)
		if (guard->names.names[i].kind == kind)
			names[n++] = guard->names.names[i].text;
	near = args_nearest(name, names, n, sizeof(*names));
	free(names);
	return near;
}

const char *guard_hook_name(uint32_t hook)
{
	static const char *const names[HOOK_MAX] = {
		[HOOK_FILE_OPEN] = "file_open",
		[HOOK_FILE_PERMISSION] = "file_permission",
		[HOOK_MMAP_FILE] = "mmap_file",
		[HOOK_INODE_LINK] = "inode_link",
		[HOOK_INODE_RENAME] = "inode_rename",
		[HOOK_D_INSTANTIATE] = "d_instantiate",
		[HOOK_INODE_FREE] = "inode_free",
		[HOOK_NEWTASK] = "task_newtask",
		[HOOK_EXEC] = "sched_process_exec",
		[HOOK_EXIT] = "sched_process_exit",
		[HOOK_SOCKET_SENDMSG] = "socket_sendmsg",
		[HOOK_INET_RELEASE] = "inet_release",
		[HOOK_EGRESS] = "cgroup egress",
		[HOOK_READV_DONE] = "readv",
		[HOOK_SPLICE_DONE] = "splice",
		[HOOK_COPY_DONE] = "copy_file_range",
		[HOOK_FILE_IOCTL] = "file_ioctl",
		[HOOK_FILE_RECEIVE] = "file_receive",
		[HOOK_SOCKET_SETSOCKOPT] = "socket_setsockopt",
		[HOOK_SOCKET_CONNECT] = "socket_connect",
		[HOOK_KEY_ALLOC] = "key_alloc",
		[HOOK_PIPE_READ] = "pipe_read",
		[HOOK_PIPE_LOCK] = "pipe_lock",
		[HOOK_PIPE_UNLOCK] = "pipe_unlock",
		[HOOK_PIPE_DOUBLE_LOCK] = "pipe_double_lock",
		[HOOK_PIPE_FREE] = "free_pipe_info",
		[HOOK_SKB_COPY] = "skb_copy_datagram_iter",
		[HOOK_SKB_SPLICE] = "skb_splice_bits",
		[HOOK_UDP_RECV] = "__skb_recv_udp",
		[HOOK_TTY_WRITE] = "tty_write",
		[HOOK_TTY_READ] = "tty_read",
		[HOOK_INODE_SETXATTR] = "inode_setxattr",
		[HOOK_INODE_GETXATTR] = "inode_getxattr",
		[HOOK_INODE_SYMLINK] = "inode_symlink",
		[HOOK_INODE_READLINK] = "inode_readlink",
		[HOOK_KEY_PERMISSION] = "key_permission",
		[HOOK_SEM_SEMOP] = "sem_semop",
		[HOOK_SEM_SEMCTL] = "sem_semctl",
		[HOOK_TASK_KILL] = "task_kill",
		[HOOK_BPF] = "bpf",
	};

	return hook < HOOK_MAX && names[hook] ? names[hook] : "?";
}

/* ---- walks ------------------------------------------------------------- */

struct walk {
	const struct guard *guard;
	void *arg;
	union {
		guard_budget_fn budget;
		guard_holder_fn holder;
	} fn;
	const struct rule *rules; /* of the slot in use */
	uint64_t now_ns;
	uint32_t slot;
};

int guard_each_ledger(const struct guard *guard, guard_ledger_fn fn, void *arg)
{
	uint32_t last = guard->state->next_row, row;
	struct ledger ledger;
	int r;

	if (last >= CORDON_LEDGER)
		last = CORDON_LEDGER - 1;
	for (row = 1; row <= last; row++) {
		r = guard_map_lookup(guard, MAP_LEDGER, &row, &ledger);
		/* Some are empty: two threads wanted the same one at once. */
		if (!r && ledger.key.channel)
			r = fn(&ledger.key, &ledger, arg);
		if (r)
			return r;
	}
	return 0;
}

static int on_process(const void *key, const void *value, void *arg)
{
	const struct process *process = value;
	const struct walk *w = arg;
	struct guard_holder holder = {.id = process->holding};
	struct holding holding;

	memcpy(&holder.tgid, key, sizeof(holder.tgid));
	if (!guard_map_lookup(w->guard, MAP_HOLDINGS, &holder.id, &holding))
		holder.holding = &holding;
	return w->fn.holder(&holder, w->arg);
}

int guard_each_holder(const struct guard *guard, guard_holder_fn fn, void *arg)
{
	struct walk w = {.guard = guard, .arg = arg, .fn.holder = fn};

	return guard_map_each(guard, MAP_PROCESSES, on_process, &w);
}

int guard_is_holder(struct guard *guard, uint32_t tgid)
{
	uint32_t bit = tgid & ((1U << CORDON_TGID_BITS) - 1);
	struct guard_state *state;
	int r;

	r = guard_map_tables(guard, &state, NULL);
	if (r)
		return r;
	r = state->holder_bits[bit / 64] >> (bit & 63) & 1;
	(void)munmap(state, sizeof(*state));
	return r;
}

int guard_process(const struct guard *guard, uint32_t tgid, uint64_t *ret_id)
{
	struct process process;
	int r;

	r = guard_map_lookup(guard, MAP_PROCESSES, &tgid, &process);
	if (!r)
		*ret_id = process.holding;
	return r;
}

int guard_pool(const struct guard *guard, uint32_t tgid, uint32_t *ret_subject)
{
	struct commons commons = {0};
	uint32_t number;
	int r;

	r = guard_map_lookup(guard, MAP_SHARERS, &tgid, &number);
	if (!r)
		r = guard_map_lookup(guard, MAP_COMMONS, &number, &commons);
	if (!r && !commons.pool)
		r = -ENOENT;
	if (!r)
		*ret_subject = commons.pool;
	return r;
}

int guard_holding(const struct guard *guard, uint64_t id,
		  struct holding *ret_holding)
{
	return guard_map_lookup(guard, MAP_HOLDINGS, &id, ret_holding);
}

int guard_charges(const struct guard *guard, uint64_t id,
		  struct charges *ret_charges)
{
	return guard_map_lookup(guard, MAP_CHARGES, &id, ret_charges);
}

int guard_each_step(const struct guard *guard, guard_step_fn fn, void *arg)
{
	uint64_t serial = guard->state->next_step, oldest = 1;
	struct step step;
	uint32_t place;
	int r;

	if (serial > CORDON_STEPS)
		oldest = serial - CORDON_STEPS + 1;
	for (; serial >= oldest; serial--) {
		place = serial & (CORDON_STEPS - 1);
		r = guard_map_lookup(guard, MAP_STEPS, &place, &step);
		/* Overwritten meanwhile, or about to be. */
		if (!r && step.serial == serial &&
		    guard->state->next_step < serial + CORDON_STEPS)
			r = fn(&step, arg);
		if (r)
			return r;
	}
	return 0;
}

/* Of nothing else that is opened there are no side effects. */
static int is_plain(const char *path)
{
	struct stat st;

	if (lstat(path, &st) < 0)
		return -errno;
	return S_ISREG(st.st_mode) || S_ISDIR(st.st_mode) ? 0 : -ENOTSUP;
}

static int find_file(struct guard *guard, const char *path, int flags,
		     struct guard_file *ret_file)
{
	struct guard_file file = {0};
	struct carrier carrier;
	int r;

	r = guard_capture(guard, AT_FDCWD, path, flags, NULL, &file.key);
	if (r)
		return r;
	r = guard_map_lookup(guard, MAP_LABELS, &file.key, &file.label);
	if (r && r != -ENOENT)
		return r;
	r = guard_map_lookup(guard, MAP_DERIVED, &file.key, &carrier);
	if (!r) {
		file.holding = carrier.holding & ~CARRIER_MIXED;
		file.mixed = carrier.holding & CARRIER_MIXED;
		file.since_ns = carrier.since_ns;
		file.unclean = file.holding &&
			       file.holding == guard->state->unclean;
	}
	if (r && r != -ENOENT)
		return r;
	*ret_file = file;
	return 0;
}

int guard_file(struct guard *guard, const char *path,
	       struct guard_file *ret_file)
{
	int r;

	r = is_plain(path);
	return r ? r : find_file(guard, path, LOOK_FLAGS, ret_file);
}

int guard_open_file(struct guard *guard, int fd, struct guard_file *ret_file)
{
	char path[64];

	(void)snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	return find_file(guard, path, LOOK_FLAGS & ~O_NOFOLLOW, ret_file);
}

int guard_origin(const struct guard *guard, uint32_t slot,
		 struct origin *ret_origin)
{
	struct origin origin;
	int r;

	if (slot >= CORDON_ORIGINS)
		return -ENOENT;
	r = guard_map_lookup(guard, MAP_ORIGINS, &slot, &origin);
	if (r)
		return r;
	if (!origin.serial)
		return -ENOENT;
	*ret_origin = origin;
	return 0;
}

int guard_each_origin(const struct guard *guard, guard_origin_fn fn, void *arg)
{
	uint32_t last = guard->state->next_origin, slot;
	struct origin origin;
	int r;

	if (last >= CORDON_ORIGINS)
		last = CORDON_ORIGINS - 1;
	for (slot = 0; slot <= last; slot++) {
		r = guard_origin(guard, slot, &origin);
		if (r == -ENOENT)
			continue;
		if (!r)
			r = fn(slot, &origin, arg);
		if (r)
			return r;
	}
	return 0;
}

/* ---- budgets ----------------------------------------------------------- */

uint64_t guard_boot_ns(void)
{
	return (uint64_t)clock_ns(CLOCK_BOOTTIME);
}

/* The rules of the slot in use; those behind the last one are all zero. */
static int read_rules(const struct guard *guard, uint32_t slot,
		      struct rule **ret_rules)
{
	struct rule *rules;
	uint32_t i, at;
	int r;

	rules = calloc(CORDON_RULES, sizeof(*rules));
	if (!rules)
		return -ENOMEM;
	for (i = 0; i < CORDON_RULES; i++) {
		at = slot * CORDON_RULES + i;
		r = guard_map_lookup(guard, MAP_RULES, &at, &rules[i]);
		if (r) {
			free(rules);
			return r;
		}
		if (!rules[i].id)
			break;
	}
	*ret_rules = rules;
	return 0;
}

static uint32_t rule_find(const struct walk *w, uint32_t id)
{
	uint32_t i;

	for (i = 0; i < CORDON_RULES && w->rules[i].id; i++)
		if (w->rules[i].id == id)
			return i;
	return POLICY_NO_RULE;
}

/* What the rule in force grants to the budget's destination. */
static int grant_find(const struct walk *w, const struct rule *rule,
		      uint16_t dest, struct grant *ret_grant)
{
	struct release release;
	uint32_t i, at;
	int r;

	memset(ret_grant, 0, sizeof(*ret_grant));
	if (dest == CORDON_DEST_READ) {
		*ret_grant = rule->read;
		return 0;
	}
	for (i = 0; i < rule->releases; i++) {
		at = w->slot * CORDON_RELEASES + rule->first_release + i;
		r = guard_map_lookup(w->guard, MAP_RELEASES, &at, &release);
		if (r)
			return r;
		if (release.dest == dest || release.dest == CORDON_DEST_ANY) {
			*ret_grant = release.grant;
			return 0;
		}
	}
	return 0;
}

static uint64_t oldest_leaves(const struct window *w)
{
	uint64_t back;

	for (back = WINDOW_PARTS + 1; back--;)
		if (w->used[(w->latest + WINDOW_RING - back) % WINDOW_RING])
			return (w->latest + WINDOW_RING - back) * w->part_ns;
	return 0;
}

/* What is used of it now, and what the policy in force grants. */
static int budget_now(const struct walk *w, const struct budget_key *key,
		      struct budget *raw, struct guard_budget *ret_budget)
{
	struct guard_budget budget = {.key = *key};
	const struct limit *limit;
	struct grant grant;
	uint64_t window_ns;
	int r;

	budget.serial = raw->serial;
	budget.refused = raw->refused;
	/* Of a cap the key has a subject, whose number a rule can have too. */
	budget.rule = POLICY_NO_RULE;
	if (budget.key.dest != CORDON_DEST_INTAKE)
		budget.rule = rule_find(w, budget.key.rule);
	if (budget.rule != POLICY_NO_RULE) {
		r = grant_find(w, &w->rules[budget.rule], budget.key.dest,
			       &grant);
		if (r)
			return r;
		limit = budget.key.unit == UNIT_RECORDS ? &grant.records
							: &grant.bytes;
		budget.max = limit->max;
		budget.window_ns = limit->window_ns;
		if (grant.kind == GRANT_UNLIMITED ||
		    (grant.kind == GRANT_LIMITED && !limit->window_ns))
			budget.max = CORDON_UNLIMITED;
	}
	window_ns = budget.window_ns;
	if (!window_ns)
		window_ns = raw->window.part_ns * WINDOW_PARTS;
	if (raw->window.part_ns)
		window_roll(&raw->window, w->now_ns, window_ns);
	budget.used = raw->window.total;
	budget.free_ns = oldest_leaves(&raw->window);
	*ret_budget = budget;
	return 0;
}

static int on_budget(const void *key, const void *value, void *arg)
{
	const struct walk *w = arg;
	struct guard_budget budget;
	struct budget_key k;
	struct budget raw;
	int r;

	memcpy(&k, key, sizeof(k));
	memcpy(&raw, value, sizeof(raw));
	r = budget_now(w, &k, &raw, &budget);
	return r ? r : w->fn.budget(&budget, w->arg);
}

static int walk_begin(struct walk *w, struct rule **ret_rules)
{
	int r;

	w->slot = w->guard->state->generation & 1;
	w->now_ns = guard_boot_ns();
	r = read_rules(w->guard, w->slot, ret_rules);
	if (!r)
		w->rules = *ret_rules;
	return r;
}

int guard_budget(const struct guard *guard, const struct budget_key *key,
		 struct guard_budget *ret_budget)
{
	struct walk w = {.guard = guard};
	struct rule *rules;
	struct budget raw;
	int r;

	r = guard_map_lookup(guard, MAP_BUDGETS, key, &raw);
	if (!r)
		r = walk_begin(&w, &rules);
	if (r)
		return r;
	r = budget_now(&w, key, &raw, ret_budget);
	free(rules);
	return r;
}

int guard_each_budget(const struct guard *guard, guard_budget_fn fn, void *arg)
{
	struct walk w = {.guard = guard, .arg = arg, .fn.budget = fn};
	struct rule *rules;
	int r;

	r = walk_begin(&w, &rules);
	if (r)
		return r;
	r = guard_map_each(guard, MAP_BUDGETS, on_budget, &w);
	free(rules);
	return r;
}

/* ---- records ------------------------------------------------------------ */

struct each_touch {
	guard_touch_fn fn;
	void *arg;
};

static int each_touch(const void *key, const void *value, void *arg)
{
	const struct each_touch *each = arg;
	const struct touch_key *touch = key;
	const struct touch *touched = value;

	if (touch->kind != SCOPE_ORIGIN)
		return 0;
	return each->fn(touch, touched->rows, each->arg);
}

int guard_each_touch(const struct guard *guard, guard_touch_fn fn, void *arg)
{
	struct each_touch each = {fn, arg};

	return guard_map_each(guard, MAP_TOUCHED, each_touch, &each);
}

struct each_label {
	guard_label_fn fn;
	void *arg;
};

static int each_label(const void *key, const void *value, void *arg)
{
	const struct each_label *each = arg;
	const struct label *label = value;

	return label->kind == LABEL_FILE ? each->fn(key, label, each->arg) : 0;
}

int guard_each_label(const struct guard *guard, guard_label_fn fn, void *arg)
{
	struct each_label each = {fn, arg};

	return guard_map_each(guard, MAP_LABELS, each_label, &each);
}

uint32_t guard_record_bytes(const struct guard *guard, uint32_t dataset)
{
	struct dataset_rules rules;
	uint32_t at;

	at = (guard->state->generation & 1) * CORDON_DATASETS + dataset;
	if (dataset >= CORDON_DATASETS ||
	    guard_map_lookup(guard, MAP_DATASETS, &at, &rules))
		return 0;
	return rules.record_bytes;
}
