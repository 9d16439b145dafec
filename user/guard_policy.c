// SPDX-License-Identifier: GPL-2.0-only
/*
 * A policy's way into the guard, and what it means on this host: which inode
 * an executable is, which number a user has, where the datasets lie.
 *
 * Everything that can fail is done before the switch, so that a policy is in
 * force whole or not at all. Labels follow it: a file without one is found by
 * the guard through the directory above it.
 */
#include "guard_internal.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <inttypes.h>
#include <libgen.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "dataset.h"

/* How often a scan tells its progress, in files. */
#define PROGRESS_FILES 256U

/* Files of one scan whose trouble is said one by one. */
#define UNREADABLE_SAID_MAX 20U

/* getpwnam_r() and getgrnam_r(): a group with many members needs room. */
#define ACCOUNT_BYTES (256U << 10)

/* Flags that open a file for a look at it and do nothing to it. */
#define LOOK_FLAGS (O_RDONLY | O_NONBLOCK | O_NOFOLLOW | O_NOCTTY | O_CLOEXEC)

static void roots_free(struct guard_root *roots, size_t n)
{
	size_t i;

	for (i = 0; i < n; i++) {
		free(roots[i].path);
		free(roots[i].real);
	}
	free(roots);
}

static void conditions_free(struct compiled_condition *conditions, size_t n)
{
	size_t i;

	for (i = 0; i < n; i++)
		free(conditions[i].text);
	free(conditions);
}

void guard_policy_release(struct guard *guard)
{
	roots_free(guard->roots, guard->n_roots);
	conditions_free(guard->conditions, guard->n_conditions);
	free(guard->subjects);
}

/* ---- the guard's view of a file ---------------------------------------- */

/*
 * Opens a file and takes from the guard who it is; with a label, the file gets
 * that if it has none. On overlayfs stat(2) would tell another identity.
 */
static int capture(struct guard *guard, int dir, const char *name, int flags,
		   const struct label *label, struct file_key *ret_key)
{
	struct capture *c = &guard->state->capture;
	int fd, r = 0;

	__atomic_store_n(&c->ret_done, 0, __ATOMIC_RELAXED);
	c->tid = (uint32_t)gettid();
	if (label)
		c->label = *label;
	__atomic_store_n(&c->kind, label ? CAPTURE_LABEL : CAPTURE_IDENTITY,
			 __ATOMIC_RELEASE);
	fd = openat(dir, name, flags);
	if (fd < 0)
		r = -errno;
	__atomic_store_n(&c->kind, CAPTURE_NONE, __ATOMIC_RELEASE);
	if (r)
		return r;
	(void)close(fd);
	if (!__atomic_load_n(&c->ret_done, __ATOMIC_ACQUIRE))
		return -EIO; /* the guard did not see it */
	*ret_key = c->ret_key;
	return 0;
}

/* The same, and sees to it that the label is this one and no older one. */
static int capture_label(struct guard *guard, int dir, const char *name,
			 int flags, const struct label *label,
			 struct file_key *ret_key)
{
	struct file_key key;
	struct label found;
	int r;

	r = capture(guard, dir, name, flags, label, &key);
	if (r)
		return r;
	r = guard_map_lookup(guard, MAP_LABELS, &key, &found);
	if (r)
		return r == -ENOENT ? -ENOSPC : r;
	if (label->kind != LABEL_PARENT &&
	    (found.dataset != label->dataset || found.kind != label->kind)) {
		found.dataset = label->dataset;
		found.kind = label->kind;
		if (label->kind == LABEL_FILE && !found.record)
			found.record =
				__atomic_add_fetch(&guard->state->next_record,
						   1, __ATOMIC_RELAXED);
		r = guard_map_update(guard, MAP_LABELS, &key, &found);
		if (r)
			return r;
	}
	*ret_key = key;
	return 0;
}

/* ---- conditions -------------------------------------------------------- */

static int find_user(const char *name, uint32_t *ret_id)
{
	struct passwd entry, *found = NULL;
	char *buf;
	int e;

	buf = malloc(ACCOUNT_BYTES);
	if (!buf)
		return -ENOMEM;
	e = getpwnam_r(name, &entry, buf, ACCOUNT_BYTES, &found);
	if (found)
		*ret_id = found->pw_uid;
	free(buf);
	return found ? 0 : e ? -e : -ENOENT;
}

static int find_group(const char *name, uint32_t *ret_id)
{
	struct group entry, *found = NULL;
	char *buf;
	int e;

	buf = malloc(ACCOUNT_BYTES);
	if (!buf)
		return -ENOMEM;
	e = getgrnam_r(name, &entry, buf, ACCOUNT_BYTES, &found);
	if (found)
		*ret_id = found->gr_gid;
	free(buf);
	return found ? 0 : e ? -e : -ENOENT;
}

/*
 * The key that stands for the condition here and now. -ENOENT: nothing meets
 * it, because what it names does not exist.
 */
static int resolve_condition(struct guard *guard,
			     const struct compiled_condition *condition,
			     struct subject_key *ret_key)
{
	struct subject_key key = {.dim = condition->dim};
	char real[PATH_MAX];
	struct file_key file;
	uint32_t id = 0;
	int r;

	switch (condition->dim) {
	case DIM_EXE:
		if (!realpath(condition->text, real))
			return -errno;
		r = capture(guard, AT_FDCWD, real, LOOK_FLAGS, NULL, &file);
		if (r)
			return r;
		key.a = file.ino;
		key.b = (uint64_t)file.dev << 32 | file.generation;
		break;
	case DIM_USER:
	case DIM_LOGIN:
		r = find_user(condition->text, &id);
		if (r)
			return r;
		key.a = id;
		break;
	case DIM_GROUP:
		r = find_group(condition->text, &id);
		if (r)
			return r;
		key.a = id;
		break;
	default:
		return -EINVAL;
	}
	*ret_key = key;
	return 0;
}

static const char *condition_word(uint32_t dim)
{
	switch (dim) {
	case DIM_EXE:
		return "executable";
	case DIM_GROUP:
		return "group";
	case DIM_USER:
	case DIM_LOGIN:
		return "user";
	}
	return "condition";
}

static struct compiled_subject *subject_find(struct compiled_subject *subjects,
					     size_t n,
					     const struct subject_key *key)
{
	size_t i;

	for (i = 0; i < n; i++)
		if (subjects[i].key.dim == key->dim &&
		    subjects[i].key.a == key->a && subjects[i].key.b == key->b)
			return &subjects[i];
	return NULL;
}

/*
 * All keys of subjects with their sets: the n_fixed that need no host, then
 * what the conditions come to. Said are those that nothing can meet.
 */
static int resolve_subjects(struct guard *guard,
			    const struct compiled_subject *fixed,
			    size_t n_fixed,
			    const struct compiled_condition *conditions,
			    size_t n_conditions, const struct guard_say *say,
			    struct compiled_subject **ret_subjects,
			    size_t *ret_n, uint32_t *ret_unresolved)
{
	struct compiled_subject *subjects, *found;
	uint32_t unresolved = 0;
	struct subject_key key;
	size_t n = n_fixed, i;
	int r;

	subjects = calloc(n_fixed + n_conditions + 1, sizeof(*subjects));
	if (!subjects)
		return -ENOMEM;
	if (n_fixed)
		memcpy(subjects, fixed, n_fixed * sizeof(*fixed));
	for (i = 0; i < n_conditions; i++) {
		r = resolve_condition(guard, &conditions[i], &key);
		if (r == -ENOMEM) {
			free(subjects);
			return r;
		}
		if (r) {
			unresolved++;
			guard_say(say, GUARD_WARNING,
				  "policy:%u:%u: the %s %s is not known here "
				  "(%s), so no process is this subject until "
				  "it is",
				  conditions[i].pos.line, conditions[i].pos.col,
				  condition_word(conditions[i].dim),
				  conditions[i].text, strerror(-r));
			continue;
		}
		found = subject_find(subjects, n, &key);
		if (!found) {
			found = &subjects[n++];
			found->key = key;
		}
		subject_set_join(&found->set, &conditions[i].set);
	}
	*ret_subjects = subjects;
	*ret_n = n;
	*ret_unresolved = unresolved;
	return 0;
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
	if (!(keys->n & (keys->n - 1))) {
		p = reallocarray(keys->keys, keys->n ? 2 * keys->n : 1,
				 keys->key_bytes);
		if (!p)
			return -ENOMEM;
		keys->keys = p;
	}
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
	return r;
}

static int write_subjects(struct guard *guard, uint32_t slot,
			  const struct compiled_subject *subjects, size_t n)
{
	struct subject_key key;
	size_t i;
	int r = 0;

	for (i = 0; i < n && !r; i++) {
		key = subjects[i].key;
		key.slot = slot;
		r = guard_map_update(guard, MAP_SUBJECTS, &key,
				     &subjects[i].set);
	}
	return r;
}

static int write_rules(struct guard *guard, uint32_t slot,
		       const struct compiled *c)
{
	static const struct dataset_rules none;
	uint32_t at;
	size_t i;
	int r = 0;

	for (i = 0; i < c->n_rules && !r; i++) {
		at = (uint32_t)(slot * CORDON_RULES + i);
		r = guard_map_update(guard, MAP_RULES, &at, &c->rules[i]);
	}
	for (i = 0; i < c->n_releases && !r; i++) {
		at = (uint32_t)(slot * CORDON_RELEASES + i);
		r = guard_map_update(guard, MAP_RELEASES, &at, &c->releases[i]);
	}
	for (i = 0; i < CORDON_DATASETS && !r; i++) {
		at = (uint32_t)(slot * CORDON_DATASETS + i);
		r = guard_map_update(guard, MAP_DATASETS, &at,
				     i ? &c->datasets[i] : &none);
	}
	return r ? r : guard_map_update(guard, MAP_DIMS, &slot, &c->dims);
}

static int write_slot(struct guard *guard, uint32_t slot,
		      const struct compiled *c,
		      const struct compiled_subject *subjects,
		      size_t n_subjects)
{
	struct cgroup_key cgroup;
	struct dest_key dest;
	size_t i;
	int r;

	r = write_rules(guard, slot, c);
	if (!r)
		r = write_subjects(guard, slot, subjects, n_subjects);
	for (i = 0; i < c->n_cgroups && !r; i++) {
		cgroup = c->cgroups[i].key;
		cgroup.slot = slot;
		r = guard_map_update(guard, MAP_CGROUPS, &cgroup,
				     &c->cgroups[i].node);
	}
	for (i = 0; i < c->n_dests && !r; i++) {
		dest = c->dests[i].key;
		dest.slot = slot;
		r = guard_map_update(guard, MAP_DESTS, &dest,
				     &c->dests[i].value);
	}
	return r;
}

int guard_names_store(struct guard *guard, const struct registry *reg)
{
	const struct registry_name *name;
	struct name_value value;
	struct name_key key;
	const char *known;
	size_t i;
	int r;

	for (i = 0; i < reg->n; i++) {
		name = &reg->names[i];
		known = registry_text(&guard->names, name->kind, name->id);
		if (known && !strcmp(known, name->text))
			continue;
		key = (struct name_key){.kind = name->kind, .id = name->id};
		memset(&value, 0, sizeof(value));
		(void)snprintf(value.text, sizeof(value.text), "%s",
			       name->text);
		r = guard_map_update(guard, MAP_NAMES, &key, &value);
		if (r)
			return r;
	}
	return 0;
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

	/* Who began before the last switch may still read this slot. */
	r = guard_barrier(guard);
	if (!r)
		r = clear_slot(guard, slot);
	if (!r)
		r = guard_names_store(guard, reg);
	if (!r)
		r = write_slot(guard, slot, c, subjects, n_subjects);
	if (r) {
		(void)clear_slot(guard, slot);
		return no_room(say, r);
	}
	state->policy_serial[slot] = c->serial;
	state->mode[slot] = c->mode;
	__atomic_store_n(&state->generation, generation, __ATOMIC_SEQ_CST);

	/* To give the room back; the next policy would clear it too. */
	if (!guard_barrier(guard))
		(void)clear_slot(guard, slot ^ 1);
	return 0;
}

/* ---- datasets ---------------------------------------------------------- */

/* Is path below dir, or the same? */
static bool is_below(const char *path, const char *dir)
{
	size_t len = strlen(dir);

	return !strncmp(path, dir, len) && (!path[len] || path[len] == '/');
}

static int add_root(struct guard_root *root, const char *path,
		    const struct dataset_place *place, bool lines)
{
	root->path = strdup(path);
	root->real = strdup(place->real);
	if (!root->path || !root->real)
		return -ENOMEM;
	root->lines = lines;
	root->exists = place->exists;
	root->is_dir = place->is_dir;
	return 0;
}

/* .dataset stays the place in the policy until the names have numbers. */
static int resolve_roots(const struct policy *policy,
			 const struct guard_say *say,
			 struct guard_root **ret_roots, size_t *ret_n)
{
	const struct policy_dataset *dataset;
	const struct policy_path *path;
	struct dataset_place place;
	struct guard_root *roots;
	size_t n = 0, i, k, m;
	char why[1024];
	int r = 0;

	for (i = 0; i < policy->n_datasets; i++)
		n += policy->datasets[i].n_paths;
	roots = calloc(n + 1, sizeof(*roots));
	if (!roots)
		return -ENOMEM;
	n = 0;
	for (i = 0; i < policy->n_datasets && !r; i++) {
		dataset = &policy->datasets[i];
		for (k = 0; k < dataset->n_paths; k++) {
			path = &dataset->paths[k];
			why[0] = '\0';
			r = dataset_resolve(path->path, &place, why,
					    sizeof(why));
			if (r) {
				guard_say(say, GUARD_ERROR,
					  "policy:%u:%u: dataset %s: %s",
					  path->pos.line, path->pos.col,
					  dataset->name,
					  *why ? why : strerror(-r));
				break;
			}
			for (m = 0; m < n; m++)
				if (!strcmp(roots[m].real, place.real))
					break;
			if (m < n && roots[m].dataset != i) {
				r = -EINVAL;
				guard_say(say, GUARD_ERROR,
					  "policy:%u:%u: %s is %s, which is "
					  "also in dataset %s; a file belongs "
					  "to one dataset",
					  path->pos.line, path->pos.col,
					  path->path, place.real,
					  policy->datasets[roots[m].dataset]
						  .name);
				break;
			}
			if (m < n)
				continue;
			if (strcmp(path->path, place.real))
				guard_say(say, GUARD_NOTE,
					  "dataset %s: %s leads to %s",
					  dataset->name, path->path,
					  place.real);
			r = add_root(&roots[n++], path->path, &place,
				     dataset->record == POLICY_RECORD_LINE);
			if (r)
				break;
			roots[n - 1].dataset = (uint32_t)i;
		}
	}
	if (r) {
		roots_free(roots, n);
		return r;
	}
	*ret_roots = roots;
	*ret_n = n;
	return 0;
}

/* The shortest line of a dataset's files that are there; 0: there is none. */
static int measure_lines(const struct guard_root *roots, size_t n,
			 uint32_t dataset, const char *name,
			 const struct guard_say *say, uint32_t *ret_bytes)
{
	char where[PATH_MAX], shortest_where[PATH_MAX] = "";
	uint32_t shortest = 0, bytes;
	size_t i;
	int r;

	for (i = 0; i < n; i++) {
		if (roots[i].dataset != dataset || !roots[i].exists)
			continue;
		r = dataset_line_bytes(roots[i].real, &bytes, where);
		if (r == -ENOMEM)
			return r;
		if (r) {
			guard_say(say, GUARD_WARNING,
				  "dataset %s: the lines of %s cannot be "
				  "counted (%s), so every byte counts as one",
				  name, roots[i].real, strerror(-r));
			bytes = 1;
			where[0] = '\0';
		} else if (!*where) {
			continue;
		}
		if (!shortest || bytes < shortest) {
			shortest = bytes;
			strcpy(shortest_where, where);
		}
	}
	if (shortest && *shortest_where)
		guard_say(say, GUARD_NOTE,
			  "dataset %s: %u bytes count as one line, as many as "
			  "the shortest one in %s has",
			  name, shortest, shortest_where);
	*ret_bytes = shortest;
	return 0;
}

/* Waits for the last component of path in the directory that holds it. */
static int await_path(struct guard *guard, const char *path, uint32_t dataset)
{
	struct label parent = {.kind = LABEL_PARENT};
	struct label label = {.dataset = (uint8_t)dataset, .kind = LABEL_FILE};
	char copy[PATH_MAX], real[PATH_MAX];
	struct awaited_key key = {0};
	const char *name;
	int r;

	(void)snprintf(copy, sizeof(copy), "%s", path);
	if (!realpath(dirname(copy), real))
		return -errno;
	name = strrchr(path, '/');
	if (!name || !name[1])
		return -EINVAL;
	r = capture_label(guard, AT_FDCWD, real, LOOK_FLAGS | O_DIRECTORY,
			  &parent, &key.parent);
	if (r)
		return r;
	/* The guard cuts a name as long as this alike. */
	(void)snprintf(key.name, sizeof(key.name), "%s", name + 1);
	return guard_map_update(guard, MAP_AWAITED, &key, &label);
}

/* The root itself, and the names under which it may come anew. */
static int label_root(struct guard *guard, struct guard_root *root)
{
	struct label label = {.dataset = (uint8_t)root->dataset};
	struct dataset_place place;
	struct file_key key;
	char why[1024];
	int r;

	r = await_path(guard, root->real, root->dataset);
	if (!r && strcmp(root->real, root->path))
		r = await_path(guard, root->path, root->dataset);
	if (r && r != -ENOENT && r != -ENOTDIR)
		return r;

	/* What was made before it was awaited has to be looked for. */
	r = dataset_resolve(root->path, &place, why, sizeof(why));
	if (r)
		return r;
	root->exists = place.exists;
	root->is_dir = place.is_dir;
	root->labelled = false;
	if (!root->exists)
		return 0;
	label.kind = place.is_dir ? LABEL_DIR : LABEL_FILE;
	r = capture_label(guard, AT_FDCWD, place.real,
			  LOOK_FLAGS | (place.is_dir ? O_DIRECTORY : 0), &label,
			  &key);
	if (r)
		return r == -ENOENT ? 0 : r;
	root->key = key;
	root->labelled = true;
	return 0;
}

static void say_label(const struct guard_say *say,
		      const struct guard_root *root, int r)
{
	guard_say(say, GUARD_ERROR,
		  "%s cannot be labelled (%s), so it may be read unguarded; %s",
		  root->path, strerror(-r),
		  r == -ENOSPC ? "configure more records and load the guard "
				 "anew"
			       : "run cordon doctor");
}

/* ---- scanning ---------------------------------------------------------- */

struct scan {
	struct guard *guard;
	const struct guard_root *root;
	guard_progress_fn progress;
	void *arg;
	const struct guard_say *say;
	uint64_t files;
	uint64_t unreadable;
};

static void scan_trouble(struct scan *scan, const char *path, const char *why)
{
	if (scan->unreadable++ < UNREADABLE_SAID_MAX)
		guard_say(scan->say, GUARD_ERROR, "%s cannot be labelled: %s",
			  path, why);
}

/* Is the path also below a root inside the one that is scanned? */
static bool is_inner(const struct scan *scan, const char *path)
{
	const struct guard *guard = scan->guard;
	size_t i;

	for (i = 0; i < guard->n_roots; i++)
		if (&guard->roots[i] != scan->root &&
		    is_below(guard->roots[i].real, scan->root->real) &&
		    is_below(path, guard->roots[i].real))
			return true;
	return false;
}

/* To be opened is all that a file needs: the guard labels it. */
static void scan_file(int dir, const char *name, const char *path, void *arg)
{
	struct scan *scan = arg;
	struct label label = {.kind = LABEL_FILE};
	struct file_key key;
	int fd, r = 0;

	label.dataset = (uint8_t)scan->root->dataset;
	if (scan->root->relabel && !is_inner(scan, path)) {
		r = capture_label(scan->guard, dir, name, LOOK_FLAGS, &label,
				  &key);
	} else {
		fd = openat(dir, name, LOOK_FLAGS | O_NOATIME);
		if (fd < 0 && errno == EPERM)
			fd = openat(dir, name, LOOK_FLAGS);
		r = fd < 0 ? -errno : close(fd);
	}
	if (r == -ENOENT || r == -ELOOP)
		return; /* gone, or no file any more */
	if (r)
		scan_trouble(scan, path, strerror(-r));
	if (!(++scan->files % PROGRESS_FILES) && scan->progress)
		scan->progress(scan->files, scan->arg);
}

/* A look up to the root of a dataset ends at a mount, so it is one too. */
static void scan_mount(const char *path, void *arg)
{
	struct scan *scan = arg;
	struct label label = {.kind = LABEL_DIR};
	struct file_key key;
	int r;

	label.dataset = (uint8_t)scan->root->dataset;
	r = capture_label(scan->guard, AT_FDCWD, path, LOOK_FLAGS | O_DIRECTORY,
			  &label, &key);
	if (r)
		scan_trouble(scan, path, strerror(-r));
}

static void scan_skip(const char *path, const char *why, void *arg)
{
	scan_trouble(arg, path, why);
}

static void scan_root(struct scan *scan, const struct guard_root *root)
{
	struct dataset_visitor visitor = {.file = scan_file,
					  .mount = scan_mount,
					  .skip = scan_skip,
					  .arg = scan};
	int r;

	if (!root->labelled || !root->is_dir)
		return;
	scan->root = root;
	r = dataset_walk(root->real, &visitor);
	if (r && r != -ENOENT)
		scan_trouble(scan, root->real, strerror(-r));
}

int guard_scan(struct guard *guard, guard_progress_fn progress, void *arg,
	       const struct guard_say *say, struct guard_applied *ret_applied)
{
	struct scan scan = {
		.guard = guard, .progress = progress, .arg = arg, .say = say};
	struct guard_applied applied = {0};
	uint32_t full = guard->state->faults[FAULT_LABEL_FULL];
	size_t i;

	__atomic_store_n(&guard->state->scanning, 1, __ATOMIC_RELEASE);
	for (i = 0; i < guard->n_roots; i++)
		scan_root(&scan, &guard->roots[i]);
	__atomic_store_n(&guard->state->scanning, 0, __ATOMIC_RELEASE);

	if (guard->state->faults[FAULT_LABEL_FULL] != full)
		guard_say(say, GUARD_ERROR,
			  "the guard's label table is full; files without a "
			  "label are refused; configure more records and load "
			  "the guard anew");
	if (scan.unreadable > UNREADABLE_SAID_MAX)
		guard_say(say, GUARD_ERROR,
			  "%" PRIu64 " more could not be labelled",
			  scan.unreadable - UNREADABLE_SAID_MAX);
	applied.generation = guard->state->generation;
	applied.files = scan.files;
	applied.unreadable = scan.unreadable;
	for (i = 0; i < guard->n_roots; i++) {
		applied.roots += guard->roots[i].exists;
		applied.awaited += !guard->roots[i].exists;
	}
	if (ret_applied)
		*ret_applied = applied;
	return 0;
}

/* ---- labels that are over ---------------------------------------------- */

struct unlabel {
	struct guard *guard;
	uint64_t n;
	const struct guard_root *root; /* that is left */
};

static bool is_dataset(const struct guard *guard, uint32_t dataset)
{
	size_t i;

	for (i = 0; i < guard->n_roots; i++)
		if (guard->roots[i].dataset == dataset)
			return true;
	return false;
}

static int drop_label(const void *key, const void *value, void *arg)
{
	const struct label *label = value;
	struct unlabel *u = arg;

	if (label->kind == LABEL_PARENT || is_dataset(u->guard, label->dataset))
		return 0;
	u->n++;
	return guard_map_delete(u->guard, MAP_LABELS, key);
}

static int drop_awaited(const void *key, const void *value, void *arg)
{
	const struct awaited_key *k = key;
	const struct label *label = value;
	struct unlabel *u = arg;
	const char *name, *real;
	size_t i;

	for (i = 0; i < u->guard->n_roots; i++) {
		if (u->guard->roots[i].dataset != label->dataset)
			continue;
		real = strrchr(u->guard->roots[i].real, '/');
		name = strrchr(u->guard->roots[i].path, '/');
		if ((real && !strncmp(real + 1, k->name, CORDON_NAME - 1)) ||
		    (name && !strncmp(name + 1, k->name, CORDON_NAME - 1)))
			return 0;
	}
	return guard_map_delete(u->guard, MAP_AWAITED, key);
}

static void unlabel_file(int dir, const char *name, const char *path, void *arg)
{
	struct unlabel *u = arg;
	struct file_key key;
	struct label label;
	size_t i;

	for (i = 0; i < u->guard->n_roots; i++)
		if (is_below(path, u->guard->roots[i].real))
			return;
	if (capture(u->guard, dir, name, LOOK_FLAGS, NULL, &key) ||
	    guard_map_lookup(u->guard, MAP_LABELS, &key, &label) ||
	    label.kind != LABEL_FILE || label.dataset != u->root->dataset)
		return;
	u->n += !guard_map_delete(u->guard, MAP_LABELS, &key);
}

/* A path that its dataset no longer has, while the dataset goes on. */
static void unlabel_root(struct unlabel *u, const struct guard_root *root)
{
	struct dataset_visitor visitor = {.file = unlabel_file, .arg = u};
	struct label label;

	u->root = root;
	if (root->labelled &&
	    !guard_map_lookup(u->guard, MAP_LABELS, &root->key, &label)) {
		if (label.awaited) {
			label.kind = LABEL_PARENT;
			label.dataset = 0;
			(void)guard_map_update(u->guard, MAP_LABELS, &root->key,
					       &label);
		} else {
			(void)guard_map_delete(u->guard, MAP_LABELS,
					       &root->key);
		}
		u->n++;
	}
	if (root->is_dir)
		(void)dataset_walk(root->real, &visitor);
}

static const struct guard_root *root_find(const struct guard_root *roots,
					  size_t n,
					  const struct guard_root *root)
{
	size_t i;

	for (i = 0; i < n; i++)
		if (roots[i].dataset == root->dataset &&
		    !strcmp(roots[i].real, root->real))
			return &roots[i];
	return NULL;
}

/* ---- watching ---------------------------------------------------------- */

static void watch_all(struct guard *guard, const struct guard_say *say)
{
	int r = 0;
	size_t i;

	watch_begin(guard->watch);
	for (i = 0; i < guard->n_roots && !r; i++) {
		r = watch_add(guard->watch, guard->roots[i].path,
			      guard->roots[i].lines);
		if (!r && strcmp(guard->roots[i].path, guard->roots[i].real))
			r = watch_add(guard->watch, guard->roots[i].real,
				      guard->roots[i].lines);
	}
	for (i = 0; i < guard->n_conditions && !r; i++)
		if (guard->conditions[i].dim == DIM_EXE)
			r = watch_add(guard->watch, guard->conditions[i].text,
				      false);
	if (!r && guard->n_conditions)
		r = watch_add(guard->watch, "/etc/passwd", true);
	if (!r && guard->n_conditions)
		r = watch_add(guard->watch, "/etc/group", true);
	watch_commit(guard->watch);
	if (r)
		guard_say(say, GUARD_ERROR,
			  "not every path of the policy can be watched (%s), "
			  "so a change of one may go unseen; raise "
			  "fs.inotify.max_user_watches",
			  strerror(-r));
}

int guard_watch_fd(const struct guard *guard)
{
	return watch_fd(guard->watch);
}

/* Executables and accounts: new keys, and whoever was judged is anew. */
static int refresh_subjects(struct guard *guard, const struct guard_say *say)
{
	struct compiled_subject *subjects = NULL, *old;
	uint32_t slot = guard->state->generation & 1, unresolved;
	struct subject_key key;
	bool changed = false;
	size_t n, i;
	int r;

	r = resolve_subjects(guard, guard->subjects, guard->n_fixed,
			     guard->conditions, guard->n_conditions, NULL,
			     &subjects, &n, &unresolved);
	if (r)
		return r;
	for (i = 0; i < n && !r; i++) {
		old = subject_find(guard->subjects, guard->n_subjects,
				   &subjects[i].key);
		if (old &&
		    !memcmp(&old->set, &subjects[i].set, sizeof(old->set)))
			continue;
		changed = true;
		r = write_subjects(guard, slot, &subjects[i], 1);
	}
	for (i = 0; i < guard->n_subjects && !r; i++) {
		key = guard->subjects[i].key;
		if (subject_find(subjects, n, &key))
			continue;
		changed = true;
		key.slot = slot;
		r = guard_map_delete(guard, MAP_SUBJECTS, &key);
	}
	if (changed) {
		(void)__atomic_add_fetch(&guard->state->epoch, 1,
					 __ATOMIC_SEQ_CST);
		guard_say(say, GUARD_NOTE,
			  "executables or accounts that the policy names have "
			  "changed; subjects are told apart anew");
	}
	if (r) {
		guard_say(say, GUARD_ERROR,
			  "the subjects cannot be brought up to date (%s); "
			  "apply the policy again",
			  strerror(-r));
		free(subjects);
		return r;
	}
	free(guard->subjects);
	guard->subjects = subjects;
	guard->n_subjects = n;
	return 0;
}

/* A file with shorter lines came: a smaller row, written in place, since all
 * else in the entry is what it was. */
static int refresh_lines(struct guard *guard, uint32_t dataset,
			 const struct guard_say *say)
{
	uint32_t at, bytes;
	struct dataset_rules rules;
	int r;

	r = measure_lines(guard->roots, guard->n_roots, dataset,
			  guard_name(guard, NAME_DATASET, dataset), NULL,
			  &bytes);
	if (r)
		return r;
	at = (guard->state->generation & 1) * CORDON_DATASETS + dataset;
	r = guard_map_lookup(guard, MAP_DATASETS, &at, &rules);
	if (r || rules.record_bytes == (bytes ? bytes : 1))
		return r;
	rules.record_bytes = bytes ? bytes : 1;
	guard_say(say, GUARD_NOTE, "dataset %s: %u bytes count as one line now",
		  guard_name(guard, NAME_DATASET, dataset), rules.record_bytes);
	return guard_map_update(guard, MAP_DATASETS, &at, &rules);
}

static int refresh_root(struct guard *guard, struct guard_root *root,
			const struct guard_say *say)
{
	struct guard_root before = *root;
	struct scan scan = {.guard = guard, .say = say};
	int r;

	r = label_root(guard, root);
	if (r) {
		say_label(say, root, r);
		return r;
	}
	if (root->labelled &&
	    (!before.labelled ||
	     memcmp(&before.key, &root->key, sizeof(root->key)))) {
		guard_say(say, GUARD_NOTE, "%s is there now and guarded",
			  root->path);
		scan_root(&scan, root);
	} else if (!root->labelled && before.labelled) {
		guard_say(say, GUARD_NOTE, "%s is gone and awaited",
			  root->path);
	}
	return root->lines ? refresh_lines(guard, root->dataset, say) : 0;
}

int guard_watch_handle(struct guard *guard, const struct guard_say *say)
{
	int r, first;
	size_t i;

	r = watch_handle(guard->watch);
	if (r <= 0 || !guard->applied)
		return r < 0 ? r : 0;
	watch_all(guard, say);
	first = refresh_subjects(guard, say);
	for (i = 0; i < guard->n_roots; i++) {
		r = refresh_root(guard, &guard->roots[i], say);
		first = first ? first : r;
	}
	return first;
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
	roots_free(next->roots, next->n_roots);
	free(next->subjects);
}

static int compile_next(struct next *next, const struct policy *policy,
			const struct guard_say *say)
{
	uint32_t lines[POLICY_DATASETS_MAX] = {0};
	struct policy_errors *errs;
	size_t i;
	int r;

	for (i = 0; i < policy->n_datasets; i++) {
		if (policy->datasets[i].record != POLICY_RECORD_LINE)
			continue;
		r = measure_lines(next->roots, next->n_roots, (uint32_t)i,
				  policy->datasets[i].name, say, &lines[i]);
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
		next->roots[i].dataset =
			next->compiled->dataset_ids[next->roots[i].dataset];
	return 0;
}

static int prepare(struct guard *guard, const struct policy *policy,
		   const struct guard_say *say, struct next *next)
{
	const struct compiled *c;
	int r;

	r = resolve_roots(policy, say, &next->roots, &next->n_roots);
	if (r)
		return r;
	r = registry_copy(&guard->names, &next->names);
	if (r)
		return r;
	r = compile_next(next, policy, say);
	if (r)
		return r;
	/* From here on the guard answers. Without labels it does no more. */
	__atomic_store_n(&guard->state->armed, 1, __ATOMIC_SEQ_CST);
	c = next->compiled;
	return resolve_subjects(guard, c->subjects, c->n_subjects,
				c->conditions, c->n_conditions, say,
				&next->subjects, &next->n_subjects,
				&next->unresolved);
}

/* The roots of the policy that is in force now; returns labels removed. */
static uint64_t relabel(struct guard *guard, struct guard_root *old,
			size_t n_old, const struct guard_say *say)
{
	struct unlabel u = {.guard = guard};
	struct guard_root *root;
	size_t i;
	int r;

	for (i = 0; i < guard->n_roots; i++) {
		root = &guard->roots[i];
		root->relabel = n_old && !root_find(old, n_old, root);
		r = label_root(guard, root);
		if (r)
			say_label(say, root, r);
	}
	for (i = 0; i < n_old; i++)
		if (is_dataset(guard, old[i].dataset) &&
		    !root_find(guard->roots, guard->n_roots, &old[i]))
			unlabel_root(&u, &old[i]);
	r = guard_map_each(guard, MAP_LABELS, drop_label, &u);
	if (!r)
		r = guard_map_each(guard, MAP_AWAITED, drop_awaited, &u);
	if (r)
		guard_say(say, GUARD_WARNING,
			  "labels of datasets that the policy no longer has "
			  "cannot all be removed (%s); their files stay "
			  "refused",
			  strerror(-r));
	return u.n;
}

int guard_apply_policy(struct guard *guard, const struct policy *policy,
		       bool scan, guard_progress_fn progress, void *arg,
		       const struct guard_say *say,
		       struct guard_applied *ret_applied)
{
	struct guard_applied applied = {0};
	struct guard_root *old;
	struct next next = {0};
	struct registry names;
	size_t n_old, i;
	int r;

	r = prepare(guard, policy, say, &next);
	if (!r)
		r = switch_policy(guard, next.compiled, next.subjects,
				  next.n_subjects, &next.names, say);
	if (r)
		goto out;

	/* In force. Nothing below takes it back. */
	registry_commit(&next.names);
	names = guard->names;
	guard->names = next.names;
	next.names = names;
	conditions_free(guard->conditions, guard->n_conditions);
	guard->conditions = next.compiled->conditions;
	guard->n_conditions = next.compiled->n_conditions;
	next.compiled->conditions = NULL;
	next.compiled->n_conditions = 0;
	free(guard->subjects);
	guard->subjects = next.subjects;
	guard->n_subjects = next.n_subjects;
	guard->n_fixed = next.compiled->n_subjects;
	next.subjects = NULL;
	old = guard->roots;
	n_old = guard->n_roots;
	guard->roots = next.roots;
	guard->n_roots = next.n_roots;
	next.roots = old;
	next.n_roots = n_old;
	guard->applied = true;

	watch_all(guard, say);
	applied.unlabelled = relabel(guard, old, n_old, say);
	if (scan) {
		uint64_t unlabelled = applied.unlabelled;

		(void)guard_scan(guard, progress, arg, say, &applied);
		applied.unlabelled = unlabelled;
	} else {
		for (i = 0; i < guard->n_roots; i++) {
			applied.roots += guard->roots[i].exists;
			applied.awaited += !guard->roots[i].exists;
		}
	}
	applied.generation = guard->state->generation;
	applied.unresolved = next.unresolved;
	if (ret_applied)
		*ret_applied = applied;
out:
	next_release(&next);
	return r;
}
