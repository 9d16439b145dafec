// SPDX-License-Identifier: GPL-2.0-only
/*
 * A policy's way into the guard.
 *
 * Everything that can fail is done before the switch, so that a policy is in
 * force whole or not at all. Labels follow it: a file without one is found by
 * the guard through the directory above it.
 */
#include "guard_internal.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "array.h"
#include "decide.h"

/* How often a scan tells its progress, in files. */
#define PROGRESS_FILES 256U

void guard_tick(const struct guard *guard, uint64_t files)
{
	if (guard->progress && !(files % PROGRESS_FILES))
		guard->progress(files, guard->progress_arg);
}

void guard_policy_release(struct guard *guard)
{
	guard_roots_free(guard->roots, guard->n_roots);
	guard_conditions_free(guard->conditions, guard->n_conditions);
	free(guard->subjects);
	compile_ways_free(guard->ways, guard->n_ways);
	free(guard->mounts);
}

/* ---- slots ------------------------------------------------------------- */

struct keys {
	unsigned char *keys;
	size_t n;
	size_t key_bytes;
	uint32_t slot;
	size_t slot_at; /* where in the key the slot stands */
};

static int collect_slot(const void *key, const void *value, void *arg)
{
	struct keys *keys = arg;
	unsigned char *p;
	uint32_t slot;

	(void)value;
	memcpy(&slot, (const char *)key + keys->slot_at, sizeof(slot));
	if (slot != keys->slot)
		return 0;
	p = array_grow(keys->keys, keys->n, keys->key_bytes);
	if (!p)
		return -ENOMEM;
	keys->keys = p;
	memcpy(keys->keys + keys->n++ * keys->key_bytes, key, keys->key_bytes);
	return 0;
}

static int clear_map(struct guard *guard, enum guard_map map, uint32_t slot,
		     size_t key_bytes, size_t slot_at)
{
	struct keys keys = {
		.key_bytes = key_bytes, .slot = slot, .slot_at = slot_at};
	size_t i;
	int r;

	r = guard_map_each(guard, map, collect_slot, &keys);
	for (i = 0; i < keys.n && !r; i++)
		r = guard_map_delete(guard, map, keys.keys + i * key_bytes);
	free(keys.keys);
	return r;
}

/* Empties the tables of a slot that nobody reads. */
static int clear_slot(struct guard *guard, uint32_t slot)
{
	int r;

	r = clear_map(guard, MAP_SUBJECTS, slot, sizeof(struct subject_key),
		      offsetof(struct subject_key, slot));
	if (!r)
		r = clear_map(guard, MAP_CGROUPS, slot,
			      sizeof(struct cgroup_key),
			      offsetof(struct cgroup_key, slot));
	if (!r)
		r = clear_map(guard, MAP_DESTS, slot, sizeof(struct dest_key),
			      offsetof(struct dest_key, slot));
	if (!r)
		r = clear_map(guard, MAP_WAYS, slot, sizeof(struct way_key),
			      offsetof(struct way_key, slot));
	return r;
}

/* What a hash of the guard gets: keys with the slot, and values, beside each
 * other. */
struct entries {
	char *keys;
	char *values;
	size_t key_bytes;
	size_t value_bytes;
	size_t n;
};

static int entries_init(struct entries *entries, size_t n, size_t key_bytes,
			size_t value_bytes)
{
	*entries = (struct entries){.key_bytes = key_bytes,
				    .value_bytes = value_bytes};
	entries->keys = reallocarray(NULL, n ? n : 1, key_bytes);
	entries->values = reallocarray(NULL, n ? n : 1, value_bytes);
	if (entries->keys && entries->values)
		return 0;
	free(entries->keys);
	free(entries->values);
	return -ENOMEM;
}

static void entries_add(struct entries *entries, const void *key,
			const void *value)
{
	memcpy(entries->keys + entries->n * entries->key_bytes, key,
	       entries->key_bytes);
	memcpy(entries->values + entries->n++ * entries->value_bytes, value,
	       entries->value_bytes);
}

static int entries_write(struct entries *entries, struct guard *guard,
			 enum guard_map map)
{
	int r;

	r = guard_map_write(guard, map, entries->keys, entries->values,
			    entries->n);
	free(entries->keys);
	free(entries->values);
	return r;
}

int guard_subjects_write(struct guard *guard, uint32_t slot,
			 const struct compiled_subject *subjects, size_t n)
{
	struct entries entries;
	struct subject_key key;

	if (entries_init(&entries, n, sizeof(key), sizeof(subjects->set)))
		return -ENOMEM;
	for (size_t i = 0; i < n; i++) {
		key = subjects[i].key;
		key.slot = slot;
		entries_add(&entries, &key, &subjects[i].set);
	}
	return entries_write(&entries, guard, MAP_SUBJECTS);
}

static int write_cgroups(struct guard *guard, uint32_t slot,
			 const struct compiled *c)
{
	struct entries entries;
	struct cgroup_key key;

	if (entries_init(&entries, c->n_cgroups, sizeof(key),
			 sizeof(c->cgroups->node)))
		return -ENOMEM;
	for (size_t i = 0; i < c->n_cgroups; i++) {
		key = c->cgroups[i].key;
		key.slot = slot;
		entries_add(&entries, &key, &c->cgroups[i].node);
	}
	return entries_write(&entries, guard, MAP_CGROUPS);
}

static int write_dests(struct guard *guard, uint32_t slot,
		       const struct compiled *c)
{
	struct entries entries;
	struct dest_key key;

	if (entries_init(&entries, c->n_dests, sizeof(key),
			 sizeof(c->dests->value)))
		return -ENOMEM;
	for (size_t i = 0; i < c->n_dests; i++) {
		key = c->dests[i].key;
		key.slot = slot;
		entries_add(&entries, &key, &c->dests[i].value);
	}
	return entries_write(&entries, guard, MAP_DESTS);
}

/* Number 0 is no dataset. */
static int write_datasets(struct guard *guard, uint32_t slot,
			  const struct compiled *c)
{
	static const struct dataset_rules none;
	uint32_t at = slot * CORDON_DATASETS;
	int r;

	r = guard_map_update(guard, MAP_DATASETS, &at, &none);
	if (!r)
		r = guard_map_write_from(guard, MAP_DATASETS, at + 1,
					 &c->datasets[1], CORDON_DATASETS - 1);
	return r ? r
		 : guard_map_write_from(guard, MAP_QUIET_FILES, at,
					c->quiet_files, CORDON_DATASETS);
}

static int write_rules(struct guard *guard, uint32_t slot,
		       const struct compiled *c)
{
	int r;

	r = guard_map_write_from(guard, MAP_RULES, slot * CORDON_RULES,
				 c->rules, c->n_rules);
	if (!r)
		r = guard_map_write_from(guard, MAP_RELEASES,
					 slot * CORDON_RELEASES, c->releases,
					 c->n_releases);
	if (!r)
		r = write_datasets(guard, slot, c);
	if (!r)
		r = guard_map_write_from(guard, MAP_INTAKES,
					 slot * CORDON_SUBJECTS, c->intakes,
					 CORDON_SUBJECTS);
	return r ? r : guard_map_update(guard, MAP_DIMS, &slot, &c->dims);
}

static int write_slot(struct guard *guard, uint32_t slot,
		      const struct compiled *c,
		      const struct compiled_subject *subjects,
		      size_t n_subjects)
{
	int r;

	r = write_rules(guard, slot, c);
	if (!r)
		r = guard_subjects_write(guard, slot, subjects, n_subjects);
	if (!r)
		r = write_cgroups(guard, slot, c);
	if (!r)
		r = write_dests(guard, slot, c);
	return r ? r : guard_ways_write(guard, slot, c->ways, c->n_ways);
}

static int name_write(struct guard *guard, const struct registry_name *name,
		      const char *text)
{
	struct name_key key = {.kind = name->kind, .id = name->id};
	struct name_value value = {0};

	if (!text)
		return guard_map_delete(guard, MAP_NAMES, &key);
	(void)snprintf(value.text, sizeof(value.text), "%s", text);
	return guard_map_update(guard, MAP_NAMES, &key, &value);
}

int guard_names_store(struct guard *guard, const struct registry *reg)
{
	const struct registry_name *name;
	const char *known;
	size_t i;
	int r = 0;

	for (i = 0; i < reg->n && !r; i++) {
		name = &reg->names[i];
		known = registry_text(&guard->names, name->kind, name->id);
		if (!known || strcmp(known, name->text))
			r = name_write(guard, name, name->text);
	}
	/* No name of a policy that does not come into force may stay: the next
	 * agent would take it for one that counts. */
	while (r && i--) {
		name = &reg->names[i];
		known = registry_text(&guard->names, name->kind, name->id);
		if (!known || strcmp(known, name->text))
			(void)name_write(guard, name, known);
	}
	return r;
}

static int no_room(const struct guard_say *say, int r)
{
	if (r == -E2BIG || r == -ENOSPC) {
		guard_say(say, GUARD_ERROR,
			  "the policy does not fit in the guard's tables; use "
			  "fewer subjects, cgroups or networks; the policy "
			  "before it stays in force");
		return -ENOSPC;
	}
	guard_say(say, GUARD_ERROR,
		  "the policy cannot be written to the guard (%s); the policy "
		  "before it stays in force",
		  strerror(-r));
	return r;
}

/*
 * Waits until nobody who began before the last switch is left, and empties what
 * they read. Once is enough for each: a grace period takes as long as all the
 * rest of a switch.
 */
static int clear_idle(struct guard *guard)
{
	uint32_t slot = (guard->state->generation & 1) ^ 1;
	int r;

	if (guard->idle_clear)
		return 0;
	r = guard_barrier(guard);
	if (!r)
		r = clear_slot(guard, slot);
	guard->idle_clear = !r;
	return r;
}

/* One store: every decision before it is the old policy's, after it this. */
static int switch_policy(struct guard *guard, const struct compiled *c,
			 const struct compiled_subject *subjects,
			 size_t n_subjects, const struct registry *reg,
			 const struct guard_say *say)
{
	struct guard_state *state = guard->state;
	uint64_t generation = state->generation + 1;
	uint32_t slot = generation & 1;
	int r;

	r = clear_idle(guard);
	if (r)
		return no_room(say, r);
	guard->idle_clear = false;
	r = write_slot(guard, slot, c, subjects, n_subjects);
	/* Last: nothing can fail any more. */
	if (!r)
		r = guard_names_store(guard, reg);
	if (r) {
		guard->idle_clear = !clear_slot(guard, slot);
		return no_room(say, r);
	}
	state->policy_serial[slot] = c->serial;
	if (c->serial > state->remembered.serial)
		state->remembered.serial = c->serial;
	state->mode[slot] = c->mode;
	state->follow_files[slot] = c->follow_files;
	state->follow_names[slot] = c->follow_names;
	state->narrow[slot] = c->narrow;
	state->pools[slot] = c->pools;
	__atomic_store_n(&state->generation, generation, __ATOMIC_SEQ_CST);

	/* To give the room back; else the next policy does. */
	(void)clear_idle(guard);
	return 0;
}

/* ---- watching ---------------------------------------------------------- */

/* The guard is to tell of what comes into any directory on the way to path. */
static void notice_path(struct guard *guard, struct notice *notice,
			const char *path)
{
	const char *name = path, *end;
	char dir[PATH_MAX] = "/";
	struct file_key key;
	uint64_t bit;

	if (strlen(path) >= sizeof(dir))
		return;
	for (;;) {
		name += strspn(name, "/");
		/* As far as the path exists. */
		if (!*name ||
		    guard_capture(guard, AT_FDCWD, dir,
				  (LOOK_FLAGS & ~O_NOFOLLOW) | O_DIRECTORY,
				  NULL, &key))
			return;
		bit = notice_bit(key.ino);
		notice->bits[bit / 64] |= 1ULL << (bit & 63);
		end = name + strcspn(name, "/");
		memcpy(dir, path, (size_t)(end - path));
		dir[end - path] = '\0';
		name = end;
	}
}

static void watch_all(struct guard *guard, const struct guard_say *say)
{
	struct notice notice = {0};
	int r = 0;
	size_t i;

	watch_begin(guard->watch);
	for (i = 0; i < guard->n_roots; i++) {
		notice_path(guard, &notice, guard->roots[i].path);
		if (strcmp(guard->roots[i].path, guard->roots[i].real) != 0)
			notice_path(guard, &notice, guard->roots[i].real);
		if (!r && guard->roots[i].lines)
			r = watch_add(guard->watch, guard->roots[i].real);
	}
	for (i = 0; i < guard->n_conditions; i++)
		if (guard->conditions[i].dim == DIM_EXE)
			notice_path(guard, &notice, guard->conditions[i].text);
	for (i = 0; i < guard->n_ways; i++)
		if (guard->ways[i].device)
			notice_path(guard, &notice, guard->ways[i].path);
	if (guard->n_conditions) {
		/* Whatever edits them renames a new one over the old. */
		notice_path(guard, &notice, "/etc/passwd");
		notice_path(guard, &notice, "/etc/group");
	}
	for (i = 0; i < sizeof(notice.bits) / sizeof(notice.bits[0]); i++)
		__atomic_store_n(&guard->state->notice.bits[i], notice.bits[i],
				 __ATOMIC_RELAXED);
	watch_commit(guard->watch);
	if (r)
		guard_say(say, GUARD_ERROR,
			  "not every file of lines can be watched (%s), so "
			  "shorter lines may go unseen; raise "
			  "fs.inotify.max_user_watches",
			  strerror(-r));
}

void guard_notice(struct guard *guard, bool look)
{
	if (look || __atomic_load_n(&guard->state->noticed, __ATOMIC_RELAXED))
		watch_soon(guard->watch);
}

int guard_watch_fd(const struct guard *guard)
{
	return watch_fd(guard->watch);
}

int guard_watch_handle(struct guard *guard, const struct guard_say *say)
{
	int told, r, first;
	size_t i;

	told = watch_handle(guard->watch);
	if (told <= 0 || !guard->applied)
		return told < 0 ? told : 0;
	/* Before the look: what comes now is told again. */
	__atomic_store_n(&guard->state->noticed, 0, __ATOMIC_SEQ_CST);
	watch_all(guard, say);
	first = guard_subjects_refresh(guard, say);
	r = guard_ways_refresh(guard, say);
	first = first ? first : r;
	for (i = 0; i < guard->n_roots; i++) {
		r = guard_root_refresh(guard, &guard->roots[i], say);
		first = first ? first : r;
	}
	r = guard_lines_refresh(guard, told & WATCH_WRITTEN, say);
	first = first ? first : r;
	r = guard_mounts_refresh(guard, false, say);
	return first ? first : r;
}

/* ---- applying ---------------------------------------------------------- */

/* What was found out about a policy before it is in force. */
struct next {
	struct registry names;
	struct compiled *compiled;
	struct guard_root *roots;
	size_t n_roots;
	struct compiled_subject *subjects;
	size_t n_subjects;
	uint32_t unresolved;
};

static void next_release(struct next *next)
{
	registry_release(&next->names);
	compile_free(next->compiled);
	guard_roots_free(next->roots, next->n_roots);
	free(next->subjects);
}

static void number_root(const struct compiled *c, struct guard_root *root)
{
	root->dataset = root->quiet ? c->quiet_ids[root->dataset]
				    : c->dataset_ids[root->dataset];
}

static int compile_next(struct guard *guard, struct next *next,
			const struct policy *policy,
			const struct guard_say *say)
{
	uint32_t lines[POLICY_DATASETS_MAX] = {0};
	struct policy_errors *errs;
	size_t i;
	int r;

	for (i = 0; i < policy->n_datasets; i++) {
		if (policy->datasets[i].record != POLICY_RECORD_LINE)
			continue;
		r = guard_lines_measure(guard, next->roots, next->n_roots,
					(uint32_t)i, policy->datasets[i].name,
					say, &lines[i]);
		if (r)
			return r;
	}
	errs = malloc(sizeof(*errs));
	if (!errs)
		return -ENOMEM;
	r = compile_policy(policy, lines, &next->names, &next->compiled, errs);
	for (i = 0; i < errs->n; i++)
		guard_say(say, GUARD_ERROR, "%s", errs->v[i].text);
	free(errs);
	if (r)
		return r;
	for (i = 0; i < next->n_roots; i++)
		number_root(next->compiled, &next->roots[i]);
	return 0;
}

static int prepare(struct guard *guard, const struct policy *policy,
		   const struct guard_say *say, struct next *next)
{
	const struct compiled *c;
	int r;

	r = guard_roots_resolve(policy, say, &next->roots, &next->n_roots);
	if (r)
		return r;
	r = registry_copy(&guard->names, &next->names);
	if (r)
		return r;
	r = guard_numbers_count(guard, policy, &next->names);
	if (r) {
		guard_say(say, GUARD_ERROR,
			  "what the guard counted cannot be read (%s), so its "
			  "numbers cannot be given to the names of a new "
			  "policy; the policy before it stays in force",
			  strerror(-r));
		return r;
	}
	r = compile_next(guard, next, policy, say);
	if (r)
		return r;
	guard_ways_resolve(next->compiled->ways, next->compiled->n_ways, say);
	/* From here on the guard answers. Without labels it does no more. */
	__atomic_store_n(&guard->state->armed, 1, __ATOMIC_SEQ_CST);
	c = next->compiled;
	return guard_subjects_resolve(guard, c->subjects, c->n_subjects,
				      c->conditions, c->n_conditions, say,
				      &next->subjects, &next->n_subjects,
				      &next->unresolved);
}

/* The guard has switched to next: so does what the agent knows. What it knew
 * before goes to next, to be released. */
static void take_next(struct guard *guard, struct next *next)
{
	struct registry names = guard->names;
	struct guard_root *roots = guard->roots;
	size_t n_roots = guard->n_roots;

	registry_commit(&next->names);
	guard->names = next->names;
	next->names = names;
	guard->roots = next->roots;
	guard->n_roots = next->n_roots;
	next->roots = roots;
	next->n_roots = n_roots;

	guard_conditions_free(guard->conditions, guard->n_conditions);
	guard->conditions = next->compiled->conditions;
	guard->n_conditions = next->compiled->n_conditions;
	next->compiled->conditions = NULL;
	next->compiled->n_conditions = 0;

	compile_ways_free(guard->ways, guard->n_ways);
	guard->ways = next->compiled->ways;
	guard->n_ways = next->compiled->n_ways;
	next->compiled->ways = NULL;
	next->compiled->n_ways = 0;

	free(guard->subjects);
	guard->subjects = next->subjects;
	guard->n_subjects = next->n_subjects;
	guard->n_fixed = next->compiled->n_subjects;
	next->subjects = NULL;
	guard->applied = true;
}

int guard_apply_policy(struct guard *guard, const struct policy *policy,
		       bool scan, guard_progress_fn progress, void *arg,
		       const struct guard_say *say,
		       struct guard_applied *ret_applied)
{
	struct guard_applied applied = {0};
	struct next next = {0};
	size_t i;
	int r;

	guard->progress = progress;
	guard->progress_arg = arg;
	r = prepare(guard, policy, say, &next);
	if (!r)
		r = switch_policy(guard, next.compiled, next.subjects,
				  next.n_subjects, &next.names, say);
	if (r)
		goto out;

	/* In force. Nothing below takes it back. */
	take_next(guard, &next);
	watch_all(guard, say);
	applied.unlabelled =
		guard_relabel(guard, next.roots, next.n_roots, say);
	if (scan)
		guard_scan(guard, say, &applied);
	else
		(void)guard_mounts_refresh(guard, true, say);
	for (i = 0; i < guard->n_roots; i++) {
		if (guard->roots[i].quiet)
			continue;
		applied.roots += guard->roots[i].exists;
		applied.awaited += !guard->roots[i].exists;
	}
	applied.generation = guard->state->generation;
	applied.unresolved = next.unresolved;
	if (ret_applied)
		*ret_applied = applied;
out:
	next_release(&next);
	return r;
}
