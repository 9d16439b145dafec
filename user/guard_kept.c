// SPDX-License-Identifier: GPL-2.0-only
/*
 * What files outside the datasets carry, between the guard and the file of
 * kept.h. Left out are files in memory, which are gone then, and those of an
 * overlay, whose bytes lie in another file.
 */
#include "guard_internal.h"

#include <errno.h>
#include <inttypes.h>
#include <linux/magic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/vfs.h>

#include "array.h"
#include "dataset.h"
#include "decide.h"
#include "kept.h"

/* ---- file systems ------------------------------------------------------ */

struct mounted {
	struct kept_fs fs;
	uint32_t dev;
};

struct mounts {
	struct mounted *mounts;
	size_t n;
};

static int add_mount(const struct dataset_mount *mount, void *arg)
{
	struct mounted *more, new = {.dev = mount->dev};
	struct mounts *m = arg;
	struct statfs fs;

	if (statfs(mount->path, &fs) < 0)
		return 0;
	new.fs.type = (uint32_t)fs.f_type;
	memcpy(&new.fs.fsid, &fs.f_fsid, sizeof(new.fs.fsid));
	if (strlen(mount->path) < sizeof(new.fs.place))
		strcpy(new.fs.place, mount->path);
	more = array_grow(m->mounts, m->n, sizeof(*more));
	if (!more)
		return -ENOMEM;
	m->mounts = more;
	m->mounts[m->n++] = new;
	return 0;
}

static const struct mounted *mount_of(const struct mounts *m, uint32_t dev)
{
	size_t i;

	for (i = 0; i < m->n; i++)
		if (m->mounts[i].dev == dev)
			return &m->mounts[i];
	return NULL;
}

/* The one that was saved, by its own number, or else by where it is. */
static const struct mounted *mount_again(const struct mounts *m,
					 const struct kept_fs *fs)
{
	size_t i;

	for (i = 0; i < m->n; i++)
		if (fs->fsid && m->mounts[i].fs.fsid == fs->fsid &&
		    m->mounts[i].fs.type == fs->type)
			return &m->mounts[i];
	for (i = 0; i < m->n; i++)
		if (*fs->place && m->mounts[i].fs.type == fs->type &&
		    !strcmp(m->mounts[i].fs.place, fs->place))
			return &m->mounts[i];
	return NULL;
}

static bool in_memory(const struct kept_fs *fs)
{
	return fs->type == TMPFS_MAGIC || fs->type == RAMFS_MAGIC ||
	       fs->type == HUGETLBFS_MAGIC;
}

/* ---- saving ------------------------------------------------------------ */

struct found {
	uint64_t ino;
	uint64_t holding; /* id */
	uint32_t dev;
	uint32_t pad;
};

struct saving {
	struct guard *guard;
	struct kept kept;
	struct mounts mounts;
	struct found *found;
	size_t n;
	uint32_t *devs; /* of the file systems */
	uint32_t origin_at[CORDON_ORIGINS];
	uint64_t lost; /* on file systems that are not mounted here */
};

static int find_file(const void *key, const void *value, void *arg)
{
	const struct carrier *carrier = value;
	const struct file_key *file = key;
	struct saving *s = arg;
	struct found *found;
	uint64_t holding;

	memcpy(&holding, &carrier->holding, sizeof(holding));
	holding &= ~CARRIER_MIXED;
	if (!holding || file->generation)
		return 0;
	found = array_grow(s->found, s->n, sizeof(*found));
	if (!found)
		return -ENOMEM;
	s->found = found;
	s->found[s->n++] = (struct found){
		.ino = file->ino, .dev = file->dev, .holding = holding};
	return 0;
}

static int found_cmp(const void *a, const void *b)
{
	const struct found *x = a, *y = b;

	return x->holding < y->holding ? -1 : x->holding > y->holding;
}

/* The place of the file system, added if it is new; -ENOENT: files there are
 * not kept. */
static int fs_at(struct saving *s, uint32_t dev, uint32_t *ret_at)
{
	const struct mounted *mount;
	struct kept_fs *fs;
	uint32_t *devs, i;

	for (i = 0; i < s->kept.n_fs; i++)
		if (s->devs[i] == dev)
			break;
	if (i == s->kept.n_fs) {
		mount = mount_of(&s->mounts, dev);
		if (!mount || in_memory(&mount->fs)) {
			s->lost += !mount;
			return -ENOENT;
		}
		fs = array_grow(s->kept.fs, i, sizeof(*fs));
		if (!fs)
			return -ENOMEM;
		s->kept.fs = fs;
		devs = array_grow(s->devs, i, sizeof(*devs));
		if (!devs)
			return -ENOMEM;
		s->devs = devs;
		fs[i] = mount->fs;
		devs[i] = dev;
		s->kept.n_fs++;
	}
	s->kept.fs[i].files++;
	*ret_at = i;
	return 0;
}

static int keep_dataset(struct saving *s, uint32_t id)
{
	struct kept_dataset *datasets, new = {.id = id};
	const char *name;
	uint32_t i;

	for (i = 0; i < s->kept.n_datasets; i++)
		if (s->kept.datasets[i].id == id)
			return 0;
	name = registry_text(&s->guard->names, NAME_DATASET, id);
	if (!name)
		return 0; /* 0, of all of them */
	(void)snprintf(new.name, sizeof(new.name), "%s", name);
	datasets = array_grow(s->kept.datasets, i, sizeof(*datasets));
	if (!datasets)
		return -ENOMEM;
	s->kept.datasets = datasets;
	s->kept.datasets[s->kept.n_datasets++] = new;
	return 0;
}

static int keep_origin(struct saving *s, uint32_t number, uint32_t *ret_at)
{
	struct kept_origin *origins, new = {0};
	struct origin origin;
	int r;

	if (number == CORDON_ORIGIN_FOLDED) {
		*ret_at = number;
		return 0;
	}
	if (number >= CORDON_ORIGINS)
		return -EUCLEAN;
	*ret_at = s->origin_at[number];
	if (*ret_at)
		return 0;
	r = guard_origin(s->guard, number, &origin);
	if (r)
		return r;
	origins = array_grow(s->kept.origins, s->kept.n_origins,
			     sizeof(*origins));
	if (!origins)
		return -ENOMEM;
	s->kept.origins = origins;
	new.dataset = origin.key.dataset;
	new.tgid = origin.tgid;
	new.uid = origin.uid;
	new.login = origin.login;
	new.session = origin.session;
	new.read_bytes = origin.read_bytes;
	new.read_records = origin.read_records;
	memcpy(new.comm, origin.comm, sizeof(new.comm));
	s->kept.origins[s->kept.n_origins++] = new;
	*ret_at = s->origin_at[number] = s->kept.n_origins;
	return keep_dataset(s, new.dataset);
}

static int keep_holding(struct saving *s, uint64_t id)
{
	struct kept_holding *holdings, new = {0};
	struct holding holding;
	size_t i;
	int r;

	r = guard_map_lookup(s->guard, MAP_HOLDINGS, &id, &holding);
	if (r == -ENOENT)
		memset(&holding, 0, sizeof(holding));
	else if (r)
		return r;
	for (i = 0; i < CORDON_SHARES; i++) {
		if (!holding.shares[i].origin)
			continue;
		new.shares[i] = holding.shares[i];
		r = keep_origin(s, holding.shares[i].origin,
				&new.shares[i].origin);
		if (!r)
			r = keep_dataset(s, holding.shares[i].dataset);
		if (r)
			return r;
	}
	holdings = array_grow(s->kept.holdings, s->kept.n_holdings,
			      sizeof(*holdings));
	if (!holdings)
		return -ENOMEM;
	s->kept.holdings = holdings;
	s->kept.holdings[s->kept.n_holdings++] = new;
	return 0;
}

/* By holding, of which each is kept once. */
static int keep_files(struct saving *s)
{
	uint64_t last = 0;
	size_t i;
	int r;

	s->kept.files = calloc(s->n + 1, sizeof(*s->kept.files));
	if (!s->kept.files)
		return -ENOMEM;
	if (s->n)
		qsort(s->found, s->n, sizeof(*s->found), found_cmp);
	for (i = 0; i < s->n; i++) {
		struct kept_file *file = &s->kept.files[s->kept.n_files];

		r = fs_at(s, s->found[i].dev, &file->fs);
		if (r == -ENOENT)
			continue;
		if (!r && s->found[i].holding != last)
			r = keep_holding(s, s->found[i].holding);
		if (r)
			return r;
		last = s->found[i].holding;
		file->ino = s->found[i].ino;
		file->holding = s->kept.n_holdings - 1;
		s->kept.n_files++;
	}
	return 0;
}

int guard_save_files(struct guard *guard, const char *path,
		     const struct guard_say *say)
{
	struct saving *s;
	int r;

	s = calloc(1, sizeof(*s));
	if (!s)
		return -ENOMEM;
	s->guard = guard;
	r = dataset_each_mount(add_mount, &s->mounts);
	if (!r)
		r = guard_map_each(guard, MAP_DERIVED, find_file, s);
	if (!r)
		r = keep_files(s);
	if (!r)
		r = kept_write(&s->kept, path);
	if (r)
		guard_say(say, GUARD_ERROR,
			  "what files outside the datasets carry cannot be "
			  "saved to %s (%s), so a reboot would forget it; make "
			  "room or correct the directory",
			  path, strerror(-r));
	if (!r && s->lost)
		guard_say(say, GUARD_WARNING,
			  "%" PRIu64 " files that holders wrote are on file "
			  "systems that are not mounted here; what they carry "
			  "is not known after a reboot",
			  s->lost);
	kept_release(&s->kept);
	free(s->mounts.mounts);
	free(s->found);
	free(s->devs);
	free(s);
	return r;
}

/* ---- loading ----------------------------------------------------------- */

struct loading {
	struct guard *guard;
	struct guard_state *tables;
	struct kept kept;
	struct mounts mounts;
	uint32_t dataset_at[CORDON_DATASETS]; /* by the number it had */
	uint32_t *origin_at;		      /* by place, from 1 */
	uint64_t *holding_at;
	uint32_t *refs;
	uint64_t files;
	uint64_t full;
};

static int load_datasets(struct loading *l, const struct guard_say *say)
{
	const struct kept_dataset *dataset;
	uint32_t i;
	int r;

	for (i = 0; i < l->kept.n_datasets; i++) {
		dataset = &l->kept.datasets[i];
		r = registry_find(&l->guard->names, NAME_DATASET, dataset->name,
				  &l->dataset_at[dataset->id]);
		if (!r)
			continue;
		guard_say(say, GUARD_ERROR,
			  "files outside the datasets carry data of %s, which "
			  "the saved state does not know; what they carry is "
			  "forgotten",
			  dataset->name);
		return -EUCLEAN;
	}
	return 0;
}

/* Nobody belongs to it any more: its session ended with the boot. */
static int load_origins(struct loading *l)
{
	struct guard_state *state = l->guard->state;
	const struct kept_origin *kept;
	struct origin origin;
	uint32_t i, number;
	int r;

	for (i = 0; i < l->kept.n_origins; i++) {
		kept = &l->kept.origins[i];
		number = __atomic_add_fetch(&state->next_origin, 1,
					    __ATOMIC_RELAXED);
		if (number >= CORDON_ORIGIN_REST) {
			l->origin_at[i + 1] = CORDON_ORIGIN_FOLDED;
			continue;
		}
		memset(&origin, 0, sizeof(origin));
		origin.key.dataset = l->dataset_at[kept->dataset];
		origin.serial = __atomic_add_fetch(&state->next_serial, 1,
						   __ATOMIC_RELAXED);
		origin.first_ns = guard_boot_ns();
		origin.read_bytes = kept->read_bytes;
		origin.read_records = kept->read_records;
		origin.tgid = kept->tgid;
		origin.uid = kept->uid;
		origin.login = kept->login;
		origin.session = kept->session;
		memcpy(origin.comm, kept->comm, sizeof(origin.comm));
		origin.comm[sizeof(origin.comm) - 1] = '\0';
		r = guard_map_update(l->guard, MAP_ORIGINS, &number, &origin);
		if (r)
			return r;
		l->origin_at[i + 1] = number;
	}
	return 0;
}

static int load_holding(struct loading *l, uint32_t at)
{
	struct guard_state *state = l->guard->state;
	const struct kept_holding *kept = &l->kept.holdings[at];
	struct holding holding = {0};
	size_t i;

	holding.id =
		__atomic_add_fetch(&state->next_holding, 1, __ATOMIC_RELAXED);
	holding.refs = l->refs[at];
	holding.only = HOLDING_MIXED;
	for (i = 0; i < CORDON_SHARES; i++) {
		if (!kept->shares[i].origin)
			continue;
		holding.shares[i] = kept->shares[i];
		holding.shares[i].dataset =
			l->dataset_at[kept->shares[i].dataset];
		if (kept->shares[i].origin != CORDON_ORIGIN_FOLDED)
			holding.shares[i].origin =
				l->origin_at[kept->shares[i].origin];
	}
	l->holding_at[at] = holding.id;
	return guard_map_update(l->guard, MAP_HOLDINGS, &holding.id, &holding);
}

static int load_file(struct loading *l, const struct kept_file *file,
		     uint32_t dev)
{
	struct guard_state *state = l->tables;
	struct file_key key = {.ino = file->ino, .dev = dev};
	struct carrier carrier = {0};
	int r;

	carrier.holding = l->holding_at[file->holding] | CARRIER_MIXED;
	state->fs[fs_place(dev)].derived = 1;
	state->fs_written[fs_place(dev)] = 1;
	(void)__atomic_add_fetch(&state->derived[derived_place(key.ino, dev)],
				 1, __ATOMIC_RELAXED);
	r = guard_map_update(l->guard, MAP_DERIVED, &key, &carrier);
	l->files += !r;
	l->full += r == -E2BIG;
	return r == -E2BIG ? 0 : r;
}

static int load_fs(struct loading *l, uint32_t at, const struct guard_say *say)
{
	const struct kept_fs *fs = &l->kept.fs[at];
	const struct mounted *mount = mount_again(&l->mounts, fs);
	uint32_t i;
	int r = 0;

	if (!mount) {
		guard_say(say, GUARD_ERROR,
			  "%" PRIu64 " files that holders wrote are on a file "
			  "system that was mounted at %s and is not there; "
			  "what they carry is forgotten: mount it before "
			  "cordond starts",
			  fs->files, *fs->place ? fs->place : "?");
		return 0;
	}
	for (i = 0; i < l->kept.n_files && !r; i++)
		if (l->kept.files[i].fs == at)
			r = load_file(l, &l->kept.files[i], mount->dev);
	return r;
}

static int load_all(struct loading *l, const struct guard_say *say)
{
	uint32_t i;
	int r;

	l->origin_at = calloc(l->kept.n_origins + 1UL, sizeof(uint32_t));
	l->holding_at = calloc(l->kept.n_holdings + 1UL, sizeof(uint64_t));
	l->refs = calloc(l->kept.n_holdings + 1UL, sizeof(uint32_t));
	if (!l->origin_at || !l->holding_at || !l->refs)
		return -ENOMEM;
	r = guard_map_tables(l->guard, &l->tables, say);
	if (r)
		return r;
	for (i = 0; i < l->kept.n_files; i++)
		l->refs[l->kept.files[i].holding]++;
	r = load_datasets(l, say);
	if (!r)
		r = dataset_each_mount(add_mount, &l->mounts);
	if (!r)
		r = load_origins(l);
	for (i = 0; i < l->kept.n_holdings && !r; i++)
		r = load_holding(l, i);
	for (i = 0; i < l->kept.n_fs && !r; i++)
		r = load_fs(l, i, say);
	(void)munmap(l->tables, sizeof(*l->tables));
	return r;
}

int guard_load_files(struct guard *guard, const char *path,
		     const struct guard_say *say)
{
	struct loading l = {.guard = guard};
	char why[256];
	int r;

	r = kept_read(path, &l.kept, why, sizeof(why));
	if (r == -ENOENT)
		return 0;
	if (r) {
		guard_say(say, GUARD_ERROR,
			  "%s is of no use (%s: %s); what files outside the "
			  "datasets carry is forgotten",
			  path, strerror(-r), why);
		return r == -ENOMEM ? r : 0;
	}
	r = load_all(&l, say);
	if (l.files)
		guard_say(say, GUARD_NOTE,
			  "%" PRIu64 " files that holders wrote before carry "
			  "what they did",
			  l.files);
	if (l.full)
		guard_say(say, GUARD_ERROR,
			  "there is no room for %" PRIu64 " files that holders "
			  "wrote; what they carry is forgotten: start cordond "
			  "with a larger --max-records",
			  l.full);
	if (r && r != -EUCLEAN)
		guard_say(say, GUARD_ERROR,
			  "what files outside the datasets carry cannot be "
			  "given to the guard (%s)",
			  strerror(-r));
	kept_release(&l.kept);
	free(l.mounts.mounts);
	free(l.origin_at);
	free(l.holding_at);
	free(l.refs);
	return r == -ENOMEM ? r : 0;
}
