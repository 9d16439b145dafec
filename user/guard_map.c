// SPDX-License-Identifier: GPL-2.0-only
/*
 * The maps of the guard: their forms, what is read and written, and how full
 * they are.
 */
#include "guard_internal.h"

#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include "array.h"

/* Entries of a hash that one call reads; grows when a bucket has more. */
#define BATCH 512U

const struct guard_map_form guard_map_forms[MAP_COUNT] = {
	[MAP_LABELS] = {"labels", sizeof(struct file_key), sizeof(struct label),
			false},
	[MAP_AWAITED] = {"awaited", sizeof(struct awaited_key),
			 sizeof(struct label), false},
	[MAP_RULES] = {"rules", 4, sizeof(struct rule), false},
	[MAP_RELEASES] = {"releases", 4, sizeof(struct release), false},
	[MAP_DATASETS] = {"datasets", 4, sizeof(struct dataset_rules), false},
	[MAP_DIMS] = {"dims", 4, sizeof(struct subject_dims), false},
	[MAP_INTAKES] = {"intakes", 4, sizeof(struct intake), false},
	[MAP_QUIET_FILES] = {"quiet_files", 4, sizeof(struct intake), false},
	[MAP_SUBJECTS] = {"subjects", sizeof(struct subject_key),
			  sizeof(struct subject_set), false},
	[MAP_CGROUPS] = {"cgroups", sizeof(struct cgroup_key),
			 sizeof(struct cgroup_node), false},
	[MAP_DESTS] = {"dests", sizeof(struct dest_key),
		       sizeof(struct dest_value), false},
	[MAP_WAYS] = {"ways", sizeof(struct way_key), 4, false},
	[MAP_BUDGETS] = {"budgets", sizeof(struct budget_key),
			 sizeof(struct budget), true},
	[MAP_PROCESSES] = {"processes", 4, sizeof(struct process), false},
	[MAP_HOLDINGS] = {"holdings", 8, sizeof(struct holding), true},
	[MAP_CHARGES] = {"charges", 8, sizeof(struct charges), true},
	[MAP_CARRIERS] = {"carriers", 8, sizeof(struct carrier), false},
	[MAP_CROSSINGS] = {"crossings", 8, sizeof(struct crossing), false},
	[MAP_COMMONS] = {"commons", 4, sizeof(struct commons), false},
	[MAP_SHARERS] = {"sharers", 4, 4, false},
	[MAP_SHARED_FILES] = {"shared", 8, sizeof(struct sharing), false},
	[MAP_DERIVED] = {"derived", sizeof(struct file_key),
			 sizeof(struct carrier), false},
	[MAP_ORIGINS] = {"origins", 4, sizeof(struct origin), false},
	[MAP_ORIGIN_OF] = {"origin_of", sizeof(struct origin_key), 4, false},
	[MAP_TOUCHED] = {"touched", sizeof(struct touch_key),
			 sizeof(struct touch), false},
	[MAP_STEPS] = {"steps", 4, sizeof(struct step), false},
	[MAP_LEDGER] = {"ledger", 4, sizeof(struct ledger), false},
	[MAP_LEDGER_OF] = {"ledger_of", sizeof(struct ledger_key), 4, false},
	[MAP_EVENTS] = {"events", 0, 0, false},
	[MAP_BARRIER] = {"barrier", 4, 4, false},
	[MAP_NAMES] = {"names", sizeof(struct name_key),
		       sizeof(struct name_value), false},
};

/* ---- entries ------------------------------------------------------------- */

int guard_map_lookup(const struct guard *guard, enum guard_map map,
		     const void *key, void *ret_value)
{
	uint64_t flags = guard_map_forms[map].locked ? BPF_F_LOCK : 0;

	if (bpf_map_lookup_elem_flags(guard->fds[map], key, ret_value, flags))
		return -errno;
	return 0;
}

int guard_map_update(struct guard *guard, enum guard_map map, const void *key,
		     const void *value)
{
	if (bpf_map_update_elem(guard->fds[map], key, value, BPF_ANY))
		return -errno;
	return 0;
}

int guard_map_write(struct guard *guard, enum guard_map map, const void *keys,
		    const void *values, size_t n)
{
	const char *key = keys, *value = values;
	uint32_t count;

	for (; n; n -= count) {
		count = n < BATCH ? (uint32_t)n : BATCH;
		if (bpf_map_update_batch(guard->fds[map], key, value, &count,
					 NULL))
			return -errno;
		key += count * guard_map_forms[map].key_bytes;
		value += count * guard_map_forms[map].value_bytes;
	}
	return 0;
}

int guard_map_write_from(struct guard *guard, enum guard_map map,
			 uint32_t first, const void *values, size_t n)
{
	uint32_t *keys = reallocarray(NULL, n ? n : 1, sizeof(*keys));
	int r;

	if (!keys)
		return -ENOMEM;
	for (size_t i = 0; i < n; i++)
		keys[i] = first + (uint32_t)i;
	r = guard_map_write(guard, map, keys, values, n);
	free(keys);
	return r;
}

int guard_map_delete(struct guard *guard, enum guard_map map, const void *key)
{
	if (bpf_map_delete_elem(guard->fds[map], key) && errno != ENOENT)
		return -errno;
	return 0;
}

/* A trie has no batches, but a next key. */
static int each_of_trie(int fd, const struct guard_map_form *form,
			guard_entry_fn fn, void *arg)
{
	unsigned char key[64], next[64], value[256];
	const void *from = NULL;
	int r;

	if (form->key_bytes > sizeof(key) || form->value_bytes > sizeof(value))
		return -EINVAL;
	while (!bpf_map_get_next_key(fd, from, next)) {
		memcpy(key, next, form->key_bytes);
		from = key;
		if (bpf_map_lookup_elem(fd, key, value))
			continue;
		r = fn(key, value, arg);
		if (r)
			return r;
	}
	return errno == ENOENT ? 0 : -errno;
}

/*
 * By batches: the next key of one that was deleted is the first again, but a
 * batch ends with a whole bucket.
 */
static int each_of_hash(int fd, const struct guard_map_form *form,
			guard_entry_fn fn, void *arg)
{
	LIBBPF_OPTS(bpf_map_batch_opts, opts,
		    .elem_flags = form->locked ? BPF_F_LOCK : 0);
	uint32_t size = BATCH, count, i;
	char *keys = NULL, *values = NULL, *p;
	uint32_t cursor[2] = {0, 0};
	bool begun = false, last;
	int r, e;

	for (;;) {
		p = reallocarray(keys, size, form->key_bytes);
		if (!p) {
			r = -ENOMEM;
			break;
		}
		keys = p;
		p = reallocarray(values, size, form->value_bytes);
		if (!p) {
			r = -ENOMEM;
			break;
		}
		values = p;

		count = size;
		e = 0;
		if (bpf_map_lookup_batch(fd, begun ? &cursor[0] : NULL,
					 &cursor[1], keys, values, &count,
					 &opts))
			e = errno;
		if (e == ENOSPC) {
			size *= 2;
			continue;
		}
		if (e && e != ENOENT) {
			r = -e;
			break;
		}
		last = e == ENOENT;
		r = 0;
		for (i = 0; i < count && !r; i++)
			r = fn(keys + (size_t)i * form->key_bytes,
			       values + (size_t)i * form->value_bytes, arg);
		if (r || last)
			break;
		cursor[0] = cursor[1];
		begun = true;
	}
	free(keys);
	free(values);
	return r;
}

int guard_map_each(const struct guard *guard, enum guard_map map,
		   guard_entry_fn fn, void *arg)
{
	if (map == MAP_DESTS)
		return each_of_trie(guard->fds[map], &guard_map_forms[map], fn,
				    arg);
	return each_of_hash(guard->fds[map], &guard_map_forms[map], fn, arg);
}

int guard_barrier(struct guard *guard)
{
	uint32_t zero = 0;
	int fd, r = 0;

	fd = bpf_map_create(BPF_MAP_TYPE_ARRAY, "cordon_barrier", 4, 4, 1,
			    NULL);
	if (fd < 0)
		return fd;
	/* The kernel waits for a grace period before this returns. */
	if (bpf_map_update_elem(guard->fds[MAP_BARRIER], &zero, &fd, BPF_ANY))
		r = -errno;
	(void)close(fd);
	return r;
}

/* ---- how full ------------------------------------------------------------ */

static int count_entry(const void *key, const void *value, void *arg)
{
	uint64_t *n = arg;

	(void)key;
	(void)value;
	(*n)++;
	return 0;
}

static int count_file(const void *key, const void *value, void *arg)
{
	const struct label *label = value;
	struct guard_stats *stats = arg;

	(void)key;
	if (label->kind != LABEL_FILE)
		return 0;
	stats->labels++;
	if (label->dataset < CORDON_DATASETS)
		stats->files[label->dataset]++;
	return 0;
}

int guard_add_skipped(int program, uint64_t *n)
{
	struct bpf_prog_info info = {0};
	uint32_t len = sizeof(info);

	if (bpf_obj_get_info_by_fd(program, &info, &len))
		return -errno;
	*n += info.recursion_misses;
	return 0;
}

/*
 * How often the kernel ran something without one of our programs because the
 * program was under way on that CPU already.
 */
static int count_skipped(const struct guard *guard, uint64_t *ret_skipped)
{
	const struct dirent *entry;
	char path[GUARD_PIN_CHARS_MAX];
	int fd, r = 0;
	DIR *dir;

	*ret_skipped = 0;
	if (guard->own)
		return guard_own_skipped(guard, ret_skipped);
	dir = opendir(guard->pin_dir);
	if (!dir)
		return errno == ENOENT ? 0 : -errno;
	while (!r && (entry = readdir(dir))) {
		if (strncmp(entry->d_name, "prog_", 5))
			continue;
		r = guard_pin_path(guard, "", entry->d_name, path);
		fd = r ? -1 : bpf_obj_get(path);
		if (fd < 0) {
			r = r ? r : -errno;
			break;
		}
		r = guard_add_skipped(fd, ret_skipped);
		(void)close(fd);
	}
	(void)closedir(dir);
	return r;
}

int guard_stats(const struct guard *guard, struct guard_stats *ret_stats)
{
	static const enum guard_map counted[] = {
		MAP_LABELS,	  MAP_TOUCHED,	 MAP_PROCESSES, MAP_HOLDINGS,
		MAP_DERIVED,	  MAP_ORIGIN_OF, MAP_BUDGETS,	MAP_LEDGER_OF,
		MAP_NAMES,	  MAP_SUBJECTS,	 MAP_CGROUPS,	MAP_DESTS,
		MAP_AWAITED,	  MAP_CARRIERS,	 MAP_COMMONS,	MAP_SHARERS,
		MAP_SHARED_FILES, MAP_CHARGES,	 MAP_CROSSINGS,
	};
	struct guard_stats stats = {0};
	struct bpf_map_info info;
	struct guard_table *table;
	uint32_t len;
	size_t i;
	int r;

	stats.generation = guard->state->generation;
	stats.policy_serial = guard->state->policy_serial[stats.generation & 1];
	stats.dropped = guard->state->dropped;
	r = count_skipped(guard, &stats.skipped);
	if (r)
		return r;
	for (i = 0; i < FAULT_MAX; i++)
		stats.faults[i] = guard->state->faults[i];
	for (i = 0; i < N_ELEMENTS(counted); i++) {
		table = &stats.tables[stats.n_tables++];
		table->name = guard_map_forms[counted[i]].name;
		len = sizeof(info);
		memset(&info, 0, sizeof(info));
		if (bpf_obj_get_info_by_fd(guard->fds[counted[i]], &info, &len))
			return -errno;
		table->max = info.max_entries;
		r = guard_map_each(guard, counted[i], count_entry,
				   &table->entries);
		if (r)
			return r;
	}
	r = guard_map_each(guard, MAP_LABELS, count_file, &stats);
	if (r)
		return r;
	*ret_stats = stats;
	return 0;
}
