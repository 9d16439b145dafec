// SPDX-License-Identifier: GPL-2.0-only
/*
 * Labels: the roots of the datasets, the walk that gives every file its own,
 * what comes to a root later, and what is left when a dataset goes.
 *
 * The guard labels what it sees below a labelled directory, so to open a file
 * is all that a scan does. It looks up through dentries, which end at a mount:
 * whatever is mounted inside a dataset gets a label as a root has.
 */
#include "guard_internal.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <libgen.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "array.h"
#include "dataset.h"
#include "decide.h"
#include "fd.h"

/* Files of one scan whose trouble is said one by one. */
#define UNREADABLE_SAID_MAX 20U
#define CAPTURE_TRIES	    16

void guard_roots_free(struct guard_root *roots, size_t n)
{
	size_t i;

	for (i = 0; i < n; i++) {
		free(roots[i].path);
		free(roots[i].real);
	}
	free(roots);
}

/* Whose the root is, in words; cut at size. */
static void root_words(const struct guard *guard, const struct guard_root *root,
		       char *buf, size_t size)
{
	const char *name = guard_name(guard, NAME_DATASET, root->dataset);

	if (root->quiet)
		(void)snprintf(buf, size, "quiet files %s",
			       strchr(name, '/') ? strchr(name, '/') + 1
						 : name);
	else
		(void)snprintf(buf, size, "dataset %s", name);
}

/* Has the policy this dataset, or quiet files of this number? */
static bool is_dataset(const struct guard *guard, uint32_t dataset)
{
	size_t i;

	for (i = 0; i < guard->n_roots; i++)
		if (guard->roots[i].dataset == dataset)
			return true;
	return false;
}

static uint8_t root_kind(const struct guard_root *root, bool is_dir)
{
	if (root->quiet)
		return is_dir ? LABEL_QUIET_DIR : LABEL_QUIET;
	return is_dir ? LABEL_DIR : LABEL_FILE;
}

/* ---- the guard's view of a file ---------------------------------------- */

/* Opens it once; false: the guard did not see that. *ret: as openat(2) says. */
static bool capture_once(struct guard *guard, int dir, const char *name,
			 int flags, const struct label *label, int *ret)
{
	struct capture *c = &guard->state->capture;
	int fd;

	__atomic_store_n(&c->ret_done, 0, __ATOMIC_RELAXED);
	c->tid = (uint32_t)gettid();
	if (label)
		c->label = *label;
	__atomic_store_n(&c->kind, label ? CAPTURE_LABEL : CAPTURE_IDENTITY,
			 __ATOMIC_RELEASE);
	fd = openat(dir, name, flags);
	*ret = fd < 0 ? -errno : 0;
	__atomic_store_n(&c->kind, CAPTURE_NONE, __ATOMIC_RELEASE);
	close_fd(fd);
	return *ret || __atomic_load_n(&c->ret_done, __ATOMIC_ACQUIRE);
}

/*
 * Opens a file and takes from the guard who it is; with a label, the file gets
 * that if it has none. On overlayfs stat(2) would tell another identity.
 *
 * A kernel that preempts itself leaves programs out now and then (bpf/again.h):
 * there the next open is seen, or the one after it.
 */
int guard_capture(struct guard *guard, int dir, const char *name, int flags,
		  const struct label *label, struct file_key *ret_key)
{
	int tries = guard->state->again ? CAPTURE_TRIES : 1, r = 0;

	while (!capture_once(guard, dir, name, flags, label, &r)) {
		if (!--tries)
			return -EIO;
		(void)sched_yield();
	}
	if (!r)
		*ret_key = guard->state->capture.ret_key;
	return r;
}

/* Writes a label in the place of another. */
static int write_label(struct guard *guard, const struct file_key *key,
		       struct label *label)
{
	if (label->kind == LABEL_FILE && !label->record)
		label->record = __atomic_add_fetch(&guard->state->next_record,
						   1, __ATOMIC_RELAXED);
	/* As the guard does, before a label can be seen. */
	if (is_of_dataset(label->kind))
		guard->state->fs[fs_place(key->dev)].labels = 1;
	return guard_map_update(guard, MAP_LABELS, key, label);
}

/* May a label by the policy take the place of the one that was found? What is
 * of a dataset of the policy is never quiet. */
static bool may_replace(const struct guard *guard, const struct label *found,
			const struct label *label)
{
	if (label->kind == LABEL_PARENT ||
	    (found->dataset == label->dataset && found->kind == label->kind))
		return false;
	return is_of_dataset(label->kind) || !is_of_dataset(found->kind) ||
	       !is_dataset(guard, found->dataset);
}

/*
 * The same, and sees to it that the label is this one and no older one. Tells
 * which other dataset had it, 0 if none did.
 */
static int capture_label(struct guard *guard, int dir, const char *name,
			 int flags, const struct label *label,
			 struct file_key *ret_key, uint32_t *ret_from)
{
	struct file_key key;
	struct label found;
	uint32_t from = 0;
	int r;

	r = guard_capture(guard, dir, name, flags, label, &key);
	if (r)
		return r;
	r = guard_map_lookup(guard, MAP_LABELS, &key, &found);
	if (r)
		return r == -ENOENT ? -ENOSPC : r;
	if (may_replace(guard, &found, label)) {
		if (found.dataset != label->dataset)
			from = found.dataset;
		found.dataset = label->dataset;
		found.kind = label->kind;
		r = write_label(guard, &key, &found);
		if (r)
			return r;
	}
	*ret_key = key;
	*ret_from = from;
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

/* The paths of a policy on their way to roots. */
struct resolving {
	const struct policy *policy;
	const struct guard_say *say;
	struct guard_root *roots;
	size_t n;
};

/* The name of what the root is for: its numbers are places still. */
static const char *place_name(const struct resolving *r,
			      const struct guard_root *root)
{
	return root->quiet ? r->policy->quiet[root->dataset].name
			   : r->policy->datasets[root->dataset].name;
}

static struct guard_root *root_at(const struct resolving *r, const char *real)
{
	size_t i;

	for (i = 0; i < r->n; i++)
		if (!strcmp(r->roots[i].real, real))
			return &r->roots[i];
	return NULL;
}

/*
 * Adds the root that a path of dataset i leads to, unless another path of it
 * does already. What is wrong is said.
 */
static int resolve_path(struct resolving *to, size_t i,
			const struct policy_path *path)
{
	const struct policy_dataset *dataset = &to->policy->datasets[i];
	const struct guard_root *root;
	struct dataset_place place;
	char why[1024] = "";
	int r;

	r = dataset_resolve(path->path, &place, why, sizeof(why));
	if (r) {
		guard_say(to->say, GUARD_ERROR, "policy:%u:%u: dataset %s: %s",
			  path->pos.line, path->pos.col, dataset->name,
			  *why ? why : strerror(-r));
		return r;
	}
	root = root_at(to, place.real);
	if (root && root->dataset == i)
		return 0;
	if (root) {
		guard_say(to->say, GUARD_ERROR,
			  "policy:%u:%u: %s is %s, which is also in dataset "
			  "%s; a file belongs to one dataset",
			  path->pos.line, path->pos.col, path->path, place.real,
			  place_name(to, root));
		return -EINVAL;
	}
	if (strcmp(path->path, place.real))
		guard_say(to->say, GUARD_NOTE, "dataset %s: %s leads to %s",
			  dataset->name, path->path, place.real);
	to->roots[to->n].dataset = (uint32_t)i;
	return add_root(&to->roots[to->n++], path->path, &place,
			dataset->record == POLICY_RECORD_LINE);
}

/* The innermost root at or above path; NULL: there is none. */
static const struct guard_root *root_around(const struct guard_root *roots,
					    size_t n, const char *path)
{
	const struct guard_root *inner = NULL;
	size_t i;

	for (i = 0; i < n; i++)
		if (is_below(path, roots[i].real) &&
		    (!inner || is_below(roots[i].real, inner->real)))
			inner = &roots[i];
	return inner;
}

/*
 * The same for quiet files i, behind all datasets. What cannot be labelled is
 * followed as any other file is, which holds back too much and never too
 * little: so it is said and left out. But a path into a dataset was meant
 * otherwise.
 */
static int resolve_quiet(struct resolving *to, size_t i,
			 const struct policy_path *path)
{
	const struct policy_quiet *quiet = &to->policy->quiet[i];
	const struct guard_root *root;
	struct dataset_place place;
	char why[1024] = "";
	int r;

	r = dataset_resolve(path->path, &place, why, sizeof(why));
	if (r == -ENOMEM)
		return r;
	if (r) {
		guard_say(to->say, GUARD_WARNING,
			  "policy:%u:%u: quiet files %s: %s; what holders "
			  "write there is followed as in any other file",
			  path->pos.line, path->pos.col, quiet->name,
			  *why ? why : strerror(-r));
		return 0;
	}
	root = root_around(to->roots, to->n, place.real);
	if (root && !root->quiet) {
		guard_say(to->say, GUARD_ERROR,
			  "policy:%u:%u: quiet files %s: %s is %s, inside of "
			  "dataset %s, whose files are never quiet; name a "
			  "path outside of it",
			  path->pos.line, path->pos.col, quiet->name,
			  path->path, place.real, place_name(to, root));
		return -EINVAL;
	}
	root = root_at(to, place.real);
	if (root && root->dataset == i)
		return 0;
	if (root) {
		guard_say(to->say, GUARD_ERROR,
			  "policy:%u:%u: quiet files %s: %s is %s, which is "
			  "also in quiet files %s; a file has one cap: name it "
			  "once",
			  path->pos.line, path->pos.col, quiet->name,
			  path->path, place.real, place_name(to, root));
		return -EINVAL;
	}
	to->roots[to->n].dataset = (uint32_t)i;
	to->roots[to->n].quiet = true;
	return add_root(&to->roots[to->n++], path->path, &place, false);
}

static size_t count_paths(const struct policy *policy)
{
	size_t n = 0, i;

	for (i = 0; i < policy->n_datasets; i++)
		n += policy->datasets[i].n_paths;
	for (i = 0; i < policy->n_quiet; i++)
		n += policy->quiet[i].n_paths;
	return n;
}

/* .dataset stays the place in the policy until the names have numbers. */
int guard_roots_resolve(const struct policy *policy,
			const struct guard_say *say,
			struct guard_root **ret_roots, size_t *ret_n)
{
	struct resolving to = {.policy = policy, .say = say};
	size_t i, k;
	int r = 0;

	to.roots = calloc(count_paths(policy) + 1, sizeof(*to.roots));
	if (!to.roots)
		return -ENOMEM;
	for (i = 0; i < policy->n_datasets && !r; i++)
		for (k = 0; k < policy->datasets[i].n_paths && !r; k++)
			r = resolve_path(&to, i, &policy->datasets[i].paths[k]);
	for (i = 0; i < policy->n_quiet && !r; i++)
		for (k = 0; k < policy->quiet[i].n_paths && !r; k++)
			r = resolve_quiet(&to, i, &policy->quiet[i].paths[k]);
	if (r) {
		guard_roots_free(to.roots, to.n);
		return r;
	}
	*ret_roots = to.roots;
	*ret_n = to.n;
	return 0;
}

static void lines_tick(void *arg)
{
	guard_tick(arg, 0);
}

/* The shortest line of a dataset's files that are there; 0: there is none. */
int guard_lines_measure(struct guard *guard, const struct guard_root *roots,
			size_t n, uint32_t dataset, const char *name,
			const struct guard_say *say, uint32_t *ret_bytes)
{
	char where[PATH_MAX], shortest_where[PATH_MAX] = "";
	uint32_t shortest = 0, bytes;
	size_t i;
	int r;

	for (i = 0; i < n; i++) {
		if (roots[i].quiet || roots[i].dataset != dataset ||
		    !roots[i].exists)
			continue;
		r = dataset_line_bytes(roots[i].real, lines_tick, guard, &bytes,
				       where);
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
static int await_path(struct guard *guard, const char *path,
		      const struct guard_root *root)
{
	struct label parent = {.kind = LABEL_PARENT};
	struct label label = {.dataset = (uint8_t)root->dataset,
			      .kind = root_kind(root, false)};
	char copy[PATH_MAX], real[PATH_MAX];
	struct awaited_key key = {0};
	const char *name;
	uint32_t from;
	int r;

	(void)snprintf(copy, sizeof(copy), "%s", path);
	if (!realpath(dirname(copy), real))
		return -errno;
	name = strrchr(path, '/');
	if (!name || !name[1])
		return -EINVAL;
	r = capture_label(guard, AT_FDCWD, real, LOOK_FLAGS | O_DIRECTORY,
			  &parent, &key.parent, &from);
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

	r = await_path(guard, root->real, root);
	if (!r && strcmp(root->real, root->path))
		r = await_path(guard, root->path, root);
	if (r && r != -ENOENT && r != -ENOTDIR)
		return r;

	/* What was made before it was awaited has to be looked for. */
	r = dataset_resolve(root->path, &place, why, sizeof(why));
	if (r)
		return r;
	root->exists = place.exists;
	root->is_dir = place.is_dir;
	root->labelled = false;
	root->from = 0;
	if (!root->exists)
		return 0;
	label.kind = root_kind(root, place.is_dir);
	r = capture_label(guard, AT_FDCWD, place.real,
			  LOOK_FLAGS | (place.is_dir ? O_DIRECTORY : 0), &label,
			  &key, &root->from);
	if (r)
		return r == -ENOENT ? 0 : r;
	root->key = key;
	root->labelled = true;
	return 0;
}

static void say_label(const struct guard_say *say,
		      const struct guard_root *root, int r)
{
	guard_say(say, GUARD_ERROR, "%s cannot be labelled (%s), so it %s; %s",
		  root->path, strerror(-r),
		  root->quiet ? "carries what holders write to it"
			      : "may be read unguarded",
		  r == -ENOSPC ? "detach and start cordond with a larger "
				 "--max-records"
			       : "run cordon doctor");
}

/* ---- scanning ---------------------------------------------------------- */

struct scan {
	struct guard *guard;
	const struct guard_root *root;
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
	int fd, r;

	fd = openat(dir, name, LOOK_FLAGS | O_NOATIME);
	if (fd < 0 && errno == EPERM)
		fd = openat(dir, name, LOOK_FLAGS);
	r = fd < 0 ? -errno : close(fd);
	if (r == -ENOENT || r == -ELOOP)
		return; /* gone, or no file any more */
	if (r)
		scan_trouble(scan, path, strerror(-r));
	guard_tick(scan->guard, ++scan->files);
}

static void scan_skip(const char *path, const char *why, void *arg)
{
	scan_trouble(arg, path, why);
}

static void scan_root(struct scan *scan, const struct guard_root *root)
{
	struct dataset_visitor visitor = {
		.file = scan_file, .skip = scan_skip, .arg = scan};
	int r;

	if (!root->labelled || !root->is_dir)
		return;
	scan->root = root;
	r = dataset_walk(root->real, &visitor);
	if (r && r != -ENOENT)
		scan_trouble(scan, root->real, strerror(-r));
}

struct mounts {
	struct scan *scan;
	const struct guard_mount *known;
	size_t n_known;
	struct guard_mount *found;
	size_t n;
};

static const struct guard_mount *mount_known(const struct mounts *m,
					     uint32_t id)
{
	size_t i;

	for (i = 0; i < m->n_known; i++)
		if (m->known[i].id == id)
			return &m->known[i];
	return NULL;
}

static int mount_found(struct mounts *m, const struct guard_mount *mount)
{
	struct guard_mount *found;

	found = array_grow(m->found, m->n, sizeof(*found));
	if (!found)
		return -ENOMEM;
	m->found = found;
	m->found[m->n++] = *mount;
	return 0;
}

/*
 * Gives the root of a mount its label. If it has one, as a directory of a
 * dataset that is bound here has, it keeps that.
 */
static int label_mount(struct scan *scan, const char *path, bool is_dir,
		       struct file_key *ret_key)
{
	struct label label = {.kind = root_kind(scan->root, is_dir)}, found;
	struct file_key key;
	int r;

	label.dataset = (uint8_t)scan->root->dataset;
	r = guard_capture(scan->guard, AT_FDCWD, path,
			  LOOK_FLAGS | (is_dir ? O_DIRECTORY : 0), &label,
			  &key);
	if (r)
		return r;
	r = guard_map_lookup(scan->guard, MAP_LABELS, &key, &found);
	if (r)
		return r == -ENOENT ? -ENOSPC : r;
	*ret_key = key;
	return 0;
}

/*
 * Its root is labelled as the dataset's is, and what is below it opened. The
 * kernel gives the number of a mount that is gone to another one, so one is
 * known by its root too; and what went wrong is tried again, and said once.
 */
static int refresh_mount(uint32_t id, const char *path, void *arg)
{
	struct mounts *m = arg;
	struct dataset_visitor visitor = {
		.file = scan_file, .skip = scan_skip, .arg = m->scan};
	const struct guard_mount *known = mount_known(m, id);
	struct guard_mount mount = {.id = id};
	struct dataset_place place;
	char why[1024] = "", whose[COMPILE_QUIET_CHARS_MAX];
	int r, e;

	if (is_inner(m->scan, path))
		return 0;
	r = dataset_resolve(path, &place, why, sizeof(why));
	if (!r)
		r = label_mount(m->scan, path, place.is_dir, &mount.key);
	if (r == -ENOENT)
		return 0;
	mount.failed = r != 0;
	e = mount_found(m, &mount);
	if (e)
		return e;
	if (r && known && known->failed) {
		m->scan->unreadable++;
		return 0;
	}
	if (r) {
		scan_trouble(m->scan, path, *why ? why : strerror(-r));
		return 0;
	}
	if (known && !known->failed &&
	    !memcmp(&known->key, &mount.key, sizeof(mount.key)))
		return 0;
	root_words(m->scan->guard, m->scan->root, whose, sizeof(whose));
	guard_say(m->scan->say, GUARD_NOTE,
		  "%s is mounted inside %s and belongs to it", path, whose);
	r = place.is_dir ? dataset_walk(path, &visitor) : 0;
	if (r && r != -ENOENT)
		scan_trouble(m->scan, path, strerror(-r));
	return 0;
}

static int mounts_refresh(struct scan *scan, bool all)
{
	struct guard *guard = scan->guard;
	struct mounts m = {.scan = scan, .known = guard->mounts};
	size_t i;
	int r = 0;

	m.n_known = all ? 0 : guard->n_mounts;
	for (i = 0; i < guard->n_roots && !r; i++) {
		scan->root = &guard->roots[i];
		if (scan->root->labelled && scan->root->is_dir)
			r = dataset_mounts(scan->root->real, refresh_mount, &m);
	}
	if (r)
		guard_say(scan->say, GUARD_ERROR,
			  "what is mounted inside of datasets cannot be found "
			  "out (%s), so it is not guarded; run cordon doctor",
			  strerror(-r));
	free(guard->mounts);
	guard->mounts = m.found;
	guard->n_mounts = m.n;
	return r;
}

int guard_mounts_refresh(struct guard *guard, bool all,
			 const struct guard_say *say)
{
	struct scan scan = {.guard = guard, .say = say};

	return mounts_refresh(&scan, all);
}

void guard_scan(struct guard *guard, const struct guard_say *say,
		struct guard_applied *applied)
{
	struct scan scan = {.guard = guard, .say = say};
	uint64_t full = guard->state->faults[FAULT_LABEL_FULL];
	size_t i;

	__atomic_store_n(&guard->state->scanning, 1, __ATOMIC_RELEASE);
	if (mounts_refresh(&scan, true))
		scan.unreadable++;
	for (i = 0; i < guard->n_roots; i++)
		scan_root(&scan, &guard->roots[i]);
	__atomic_store_n(&guard->state->scanning, 0, __ATOMIC_RELEASE);

	if (guard->state->faults[FAULT_LABEL_FULL] != full)
		guard_say(say, GUARD_ERROR,
			  "the guard's label table is full; files without a "
			  "label are refused; detach and start cordond with a "
			  "larger --max-records");
	if (scan.unreadable > UNREADABLE_SAID_MAX)
		guard_say(say, GUARD_ERROR,
			  "%" PRIu64 " more could not be labelled",
			  scan.unreadable - UNREADABLE_SAID_MAX);
	applied->files = scan.files;
	applied->unreadable = scan.unreadable;
}

/* ---- labels that are over ---------------------------------------------- */

struct unlabel {
	struct guard *guard;
	uint64_t n;
	uint64_t seen;
	uint32_t dataset; /* whose labels are over */
};

/* What comes into a directory is awaited there whosoever it was. */
static int take_label(struct guard *guard, const struct file_key *key,
		      const struct label *label)
{
	struct label parent = {.kind = LABEL_PARENT};

	if (!label->awaited)
		return guard_map_delete(guard, MAP_LABELS, key);
	return guard_map_update(guard, MAP_LABELS, key, &parent);
}

static int drop_label(const void *key, const void *value, void *arg)
{
	const struct label *label = value;
	struct unlabel *u = arg;

	if (label->kind == LABEL_PARENT || is_dataset(u->guard, label->dataset))
		return 0;
	u->n++;
	return take_label(u->guard, key, label);
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

/*
 * A label of u->dataset goes to the dataset that path belongs to now, or to
 * nobody. One of any other came with an object of that dataset, or was given
 * by this policy already: it stays.
 */
static void move_label(struct unlabel *u, const struct file_key *key,
		       const char *path)
{
	const struct guard_root *root =
		root_around(u->guard->roots, u->guard->n_roots, path);
	struct label label;
	int r;

	if ((root && root->dataset == u->dataset) ||
	    guard_map_lookup(u->guard, MAP_LABELS, key, &label) ||
	    label.kind == LABEL_PARENT || label.dataset != u->dataset)
		return;
	if (root) {
		label.dataset = (uint8_t)root->dataset;
		label.kind =
			root_kind(root, label.kind == LABEL_DIR ||
						label.kind == LABEL_QUIET_DIR);
		r = write_label(u->guard, key, &label);
	} else {
		r = take_label(u->guard, key, &label);
	}
	u->n += !r;
}

static void move_file(int dir, const char *name, const char *path, void *arg)
{
	struct unlabel *u = arg;
	struct file_key key;

	if (!guard_capture(u->guard, dir, name, LOOK_FLAGS, NULL, &key))
		move_label(u, &key, path);
	guard_tick(u->guard, ++u->seen);
}

/* Before it is entered, so that what comes into it then is labelled right. */
static void move_dir(int dir, const char *name, const char *path, void *arg)
{
	struct unlabel *u = arg;
	struct file_key key;

	if (!guard_capture(u->guard, dir, name, LOOK_FLAGS | O_DIRECTORY, NULL,
			   &key))
		move_label(u, &key, path);
}

/* What lies at and below root was dataset's, by a policy before this one. */
static void move_root(struct unlabel *u, const struct guard_root *root,
		      uint32_t dataset)
{
	const struct dataset_visitor visitor = {
		.file = move_file, .dir = move_dir, .arg = u};

	if (!is_dataset(u->guard, dataset))
		return; /* guard_labels_drop() takes all of it */
	u->dataset = dataset;
	if (root->labelled)
		move_label(u, &root->key, root->real);
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

static bool is_root(const struct guard_root *roots, size_t n, const char *real)
{
	size_t i;

	for (i = 0; i < n; i++)
		if (!strcmp(roots[i].real, real))
			return true;
	return false;
}

/* ---- changes ---- */

/* A file with shorter lines came: a smaller row, written in place, since all
 * else in the entry is what it was. */
static int refresh_lines(struct guard *guard, uint32_t dataset,
			 const struct guard_say *say)
{
	uint32_t at, bytes;
	struct dataset_rules rules;
	int r;

	r = guard_lines_measure(guard, guard->roots, guard->n_roots, dataset,
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

int guard_root_refresh(struct guard *guard, struct guard_root *root,
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
		root->unmeasured = root->lines;
		guard_say(say, GUARD_NOTE, "%s is there now and %s", root->path,
			  root->quiet ? "quiet" : "guarded");
		scan_root(&scan, root);
	} else if (!root->labelled && before.labelled) {
		guard_say(say, GUARD_NOTE, "%s is gone and awaited",
			  root->path);
	}
	return 0;
}

/* To measure is to read all of a dataset: so only what may have changed. */
int guard_lines_refresh(struct guard *guard, bool written,
			const struct guard_say *say)
{
	bool measured[CORDON_DATASETS] = {false};
	struct guard_root *root;
	int r, first = 0;
	size_t i;

	for (i = 0; i < guard->n_roots; i++) {
		root = &guard->roots[i];
		if (!root->lines || !(written || root->unmeasured) ||
		    measured[root->dataset])
			continue;
		measured[root->dataset] = true;
		r = refresh_lines(guard, root->dataset, say);
		first = first ? first : r;
	}
	for (i = 0; i < guard->n_roots; i++)
		guard->roots[i].unmeasured = false;
	return first;
}

/* ---- a new policy ---- */

int guard_labels_drop(struct guard *guard, uint64_t *ret_dropped)
{
	struct unlabel u = {.guard = guard};
	int r;

	r = guard_map_each(guard, MAP_LABELS, drop_label, &u);
	*ret_dropped += u.n;
	return r ? r : guard_map_each(guard, MAP_AWAITED, drop_awaited, &u);
}

/* The roots of the policy that is in force now; returns labels removed. */
uint64_t guard_relabel(struct guard *guard, struct guard_root *old,
		       size_t n_old, const struct guard_say *say)
{
	struct unlabel u = {.guard = guard};
	char whose[COMPILE_QUIET_CHARS_MAX];
	struct guard_root *root;
	size_t i;
	int r;

	/* First, so that nothing is without a label in between. */
	for (i = 0; i < guard->n_roots; i++) {
		root = &guard->roots[i];
		r = label_root(guard, root);
		root_words(guard, root, whose, sizeof(whose));
		if (r)
			say_label(say, root, r);
		else if (!root->exists && !root->quiet)
			guard_say(say, GUARD_NOTE,
				  "%s: %s is not there yet; it is guarded when "
				  "it comes",
				  whose, root->path);
	}
	for (i = 0; i < n_old; i++)
		if (!root_find(guard->roots, guard->n_roots, &old[i]))
			move_root(&u, &old[i], old[i].dataset);
	/*
	 * A root that is new, or perhaps new since the agent before: the label
	 * that it had tells of the policy before. Below a root that has been
	 * one, labels of others are those of objects that came there.
	 */
	for (i = 0; i < guard->n_roots; i++) {
		root = &guard->roots[i];
		if (root->from && !is_root(old, n_old, root->real))
			move_root(&u, root, root->from);
	}
	r = guard_labels_drop(guard, &u.n);
	if (r)
		guard_say(say, GUARD_WARNING,
			  "labels of datasets that the policy no longer has "
			  "cannot all be removed (%s); their files stay "
			  "refused",
			  strerror(-r));
	return u.n;
}
