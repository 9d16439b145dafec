// SPDX-License-Identifier: GPL-2.0-only
/*
 * What the guard says, out of its maps: asked for after every step, by system
 * calls, since libbpf is not part of a static program. Apart from the others,
 * for what the guard calls a channel is another thing than the probe's.
 */
#include "flow.h"

#include <errno.h>
#include <linux/bpf.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "abi.h"

enum pin {
	PIN_PROCESSES,
	PIN_HOLDINGS,
	PIN_ORIGINS,
	PIN_NAMES,
	PIN_BUDGETS,
	PIN_LEDGER,
	PINS,
};

static int pins[PINS];
static uint32_t dataset[SETS]; /* numbers of the guard's */

static uint64_t address(const void *p)
{
	return (uint64_t)(uintptr_t)p;
}

static int bpf(int command, union bpf_attr *attr)
{
	int r = (int)syscall(SYS_bpf, command, attr, sizeof(*attr));

	return r < 0 ? -errno : r;
}

static int open_pin(const char *name)
{
	char path[128] = CORDON_PIN_DIR "/";
	union bpf_attr attr = {0};

	(void)strncat(path, name, sizeof(path) - strlen(path) - 1);
	attr.pathname = address(path);
	return bpf(BPF_OBJ_GET, &attr);
}

static int look_up(enum pin pin, const void *key, void *ret)
{
	union bpf_attr attr = {0};

	attr.map_fd = (uint32_t)pins[pin];
	attr.key = address(key);
	attr.value = address(ret);
	return bpf(BPF_MAP_LOOKUP_ELEM, &attr);
}

static int next_key(enum pin pin, const void *key, void *ret)
{
	union bpf_attr attr = {0};

	attr.map_fd = (uint32_t)pins[pin];
	attr.key = address(key);
	attr.next_key = address(ret);
	return bpf(BPF_MAP_GET_NEXT_KEY, &attr);
}

/* -1: none of ours. */
static int set_of(uint32_t number)
{
	for (int set = 0; set < SETS; set++)
		if (dataset[set] == number)
			return set;
	return -1;
}

static int find_datasets(void)
{
	static const char *const names[] = {"photos", "roster"};
	struct name_key key, *from = NULL;
	struct name_value value;
	int found = 0;

	for (; next_key(PIN_NAMES, from, &key) == 0; from = &key) {
		if (key.kind != NAME_DATASET ||
		    look_up(PIN_NAMES, &key, &value))
			continue;
		for (int set = 0; set < SETS; set++)
			if (strcmp(value.text, names[set]) == 0) {
				dataset[set] = key.id;
				found++;
			}
	}
	return found == SETS ? 0 : -ENOENT;
}

int guard_find(void)
{
	static const char *const names[PINS] = {
		"processes", "holdings", "origins",
		"names",     "budgets",	 "ledger",
	};

	for (int i = 0; i < PINS; i++) {
		pins[i] = open_pin(names[i]);
		if (pins[i] == -ENOENT)
			return 1;
		if (pins[i] < 0)
			return pins[i];
	}
	return find_datasets();
}

/* -1: of none of these sessions. */
static int origin_of(const struct origin *o, const uint32_t sessions[ORIGINS])
{
	for (int i = 0; o->key.kin == KIN_SESSION && i < ORIGINS; i++)
		if (sessions[i] && o->key.id == sessions[i])
			return i;
	return -1;
}

static void count_share(const struct share *s, const uint32_t sessions[ORIGINS],
			struct counted *ret)
{
	int set = set_of(s->dataset), number = -1;
	struct origin o;

	if (s->origin != CORDON_ORIGIN_FOLDED &&
	    s->origin != CORDON_ORIGIN_REST &&
	    look_up(PIN_ORIGINS, &s->origin, &o) == 0) {
		number = origin_of(&o, sessions);
		if (set < 0 || number < 0)
			return;
		ret->records[number][set] += s->records;
		ret->bytes[number][set] += s->bytes;
		return;
	}
	/* A dataset of 0 stands for all of them. */
	for (int i = 0; i < SETS; i++) {
		if (s->dataset && i != set)
			continue;
		ret->folded_records[i] += s->records;
		ret->folded_bytes[i] += s->bytes;
	}
}

int guard_holding(pid_t pid, const uint32_t sessions[ORIGINS],
		  struct counted *ret)
{
	uint32_t tgid = (uint32_t)pid;
	struct process process;
	struct holding holding;
	int r;

	memset(ret, 0, sizeof(*ret));
	r = look_up(PIN_PROCESSES, &tgid, &process);
	if (r == 0)
		r = look_up(PIN_HOLDINGS, &process.holding, &holding);
	if (r == -ENOENT)
		return 0;
	if (r < 0)
		return r;
	for (int i = 0; i < CORDON_SHARES; i++)
		if (holding.shares[i].origin)
			count_share(&holding.shares[i], sessions, ret);
	return 0;
}

/*
 * The budgets of a rule differ by the user alone; to look for those of one
 * among all that there are takes longer with every program.
 */
static struct budget_key like[SETS];

static void find_budgets(void)
{
	struct budget_key key, *from = NULL;

	for (; next_key(PIN_BUDGETS, from, &key) == 0; from = &key) {
		int set = set_of(key.dataset);

		if (set >= 0 && key.dest == CORDON_DEST_ANY)
			like[set] = key;
	}
}

int guard_charged(uint32_t login, uint64_t ret[SETS])
{
	struct budget budget;
	int r;

	if (!like[PHOTOS].rule || !like[ROSTER].rule)
		find_budgets();
	for (int set = 0; set < SETS; set++) {
		like[set].who = login;
		r = look_up(PIN_BUDGETS, &like[set], &budget);
		ret[set] = r == 0 ? budget.window.total : 0;
		if (r < 0 && r != -ENOENT)
			return r;
	}
	return 0;
}

/*
 * The first origin from that number on, or CORDON_ORIGIN_REST. A number is left
 * out where two made the same origin at once: not more than these in a row.
 */
#define LEFT_OUT 64

static uint32_t find_origin(uint32_t from, struct origin *ret)
{
	for (uint32_t i = from; i < CORDON_ORIGIN_REST && i < from + LEFT_OUT;
	     i++)
		if (look_up(PIN_ORIGINS, &i, ret) == 0 && ret->serial)
			return i;
	return CORDON_ORIGIN_REST;
}

static uint32_t first_origin = 1;

/* The serials of these sessions' origins. How many. */
static int find_serials(const uint32_t sessions[ORIGINS], uint32_t *ret)
{
	struct origin o;
	uint32_t i = first_origin;
	int count = 0;

	while ((i = find_origin(i, &o)) < CORDON_ORIGIN_REST) {
		if (origin_of(&o, sessions) >= 0 && count < ORIGINS * SETS)
			ret[count++] = o.serial;
		i++;
	}
	return count;
}

static int read_ledger(struct ledger *rows)
{
	static uint32_t keys[CORDON_LEDGER];
	union bpf_attr attr = {0};
	uint32_t at;
	int r;

	attr.batch.map_fd = (uint32_t)pins[PIN_LEDGER];
	attr.batch.out_batch = address(&at);
	attr.batch.keys = address(keys);
	attr.batch.values = address(rows);
	attr.batch.count = CORDON_LEDGER;
	r = bpf(BPF_MAP_LOOKUP_BATCH, &attr);
	return r == -ENOENT ? 0 : r; /* that was all of it */
}

/* Out of a ledger, of these origins. */
static void sum_bytes(const struct ledger *rows, const uint32_t *serials,
		      int count, uint64_t ret_bytes[SETS])
{
	memset(ret_bytes, 0, SETS * sizeof(*ret_bytes));
	for (int i = 0; i < CORDON_LEDGER; i++) {
		int set = set_of(rows[i].key.dataset);

		if (set < 0 || rows[i].key.dest != CORDON_DEST_ANY)
			continue;
		for (int j = 0; j < count; j++)
			if (rows[i].key.origin == serials[j])
				ret_bytes[set] += rows[i].bytes;
	}
}

static const uint32_t several = CORDON_ORIGIN_SEVERAL;
static uint64_t several_before[SETS]; /* this program */

void guard_mark(void)
{
	static struct ledger rows[CORDON_LEDGER];
	struct origin o;
	uint32_t i;

	while ((i = find_origin(first_origin, &o)) < CORDON_ORIGIN_REST)
		first_origin = i + 1;
	if (read_ledger(rows) >= 0)
		sum_bytes(rows, &several, 1, several_before);
}

/* What somebody sent who held of several of them is under none. */
int guard_released(const uint32_t sessions[ORIGINS], uint64_t ret_bytes[SETS])
{
	static struct ledger rows[CORDON_LEDGER];
	uint32_t serials[ORIGINS * SETS];
	uint64_t of_several[SETS];
	int count = find_serials(sessions, serials), r;

	r = read_ledger(rows);
	if (r < 0)
		return r;
	sum_bytes(rows, serials, count, ret_bytes);
	sum_bytes(rows, &several, 1, of_several);
	for (int set = 0; set < SETS; set++)
		ret_bytes[set] += of_several[set] - several_before[set];
	return 0;
}
