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
#include "clock.h"
#include "dataset.h"
#include "decide.h"

/* ---- file systems ------------------------------------------------------ */

#define ZFS_MAGIC      0x2fc12fc1
#define BCACHEFS_MAGIC 0xca451a4e
#define UBIFS_MAGIC    0x24051905

/* It has a device, or several that make one; and it can be written to. */
static bool is_local(const struct kept_fs *fs, uint32_t dev)
{
	switch (fs->type) {
	case SQUASHFS_MAGIC:
	case CRAMFS_MAGIC:
	case EROFS_SUPER_MAGIC_V1:
		return false;
	case BTRFS_SUPER_MAGIC:
	case ZFS_MAGIC:
	case BCACHEFS_MAGIC:
	case UBIFS_MAGIC:
		return true;
	default:
		return dev >> 20;
	}
}

static bool in_memory(const struct kept_fs *fs)
{
	return fs->type == TMPFS_MAGIC || fs->type == RAMFS_MAGIC ||
	       fs->type == HUGETLBFS_MAGIC;
}

/* The number of a kind that lies elsewhere, by its name; 0: it does not. */
static uint64_t remote_type(const char *name)
{
	static const struct {
		const char *name;
		uint64_t type;
	} types[] = {
#define X(name, magic) {name, magic},
		CORDON_REMOTE_FS(X)
#undef X
	};
	size_t len = strcspn(name, "."), i; /* fuse.sshfs */

	for (i = 0; i < sizeof(types) / sizeof(types[0]); i++)
		if (strlen(types[i].name) == len &&
		    !strncmp(name, types[i].name, len))
			return types[i].type;
	return 0;
}

/* The place of the file system that is mounted at path; n: there is none. */
static size_t mount_at(const struct guard_mounts *m, const char *path)
{
	size_t i;

	for (i = 0; i < m->n; i++)
		if (!strcmp(m->mounts[i].fs.place, path))
			break;
	return i;
}

/* Of several at one place the last one covers the others. */
static int add_mount(const struct dataset_mount *mount, void *arg)
{
	struct guard_mounted *more, new = {.dev = mount->dev};
	struct guard_mounts *m = arg;
	size_t at = m->n;

	if (!strcmp(mount->type, "autofs"))
		return 0; /* it would be made something else by a look at it */
	new.fs.type = remote_type(mount->type);
	new.remote = new.fs.type != 0;
	if (strlen(mount->root) < sizeof(new.root))
		strcpy(new.root, mount->root);
	if (strlen(mount->path) < sizeof(new.fs.place)) {
		strcpy(new.fs.place, mount->path);
		at = mount_at(m, mount->path);
	}
	if (at == m->n) {
		more = array_grow(m->mounts, m->n, sizeof(*more));
		if (!more)
			return -ENOMEM;
		m->mounts = more;
		m->n++;
	}
	m->mounts[at] = new;
	return 0;
}

/* A server that does not answer is not asked: it would hold the agent up. */
static void look_at_mount(struct guard_mounted *mount)
{
	struct statfs fs;

	if (mount->remote || statfs(mount->fs.place, &fs) < 0)
		return;
	mount->fs.type = (uint32_t)fs.f_type;
	memcpy(&mount->fs.fsid, &fs.f_fsid, sizeof(mount->fs.fsid));
	mount->local = is_local(&mount->fs, mount->dev);
}

int guard_mounts_list(struct guard_mounts *mounts)
{
	size_t i;
	int r;

	r = dataset_each_mount(add_mount, mounts);
	for (i = 0; i < mounts->n && !r; i++)
		look_at_mount(&mounts->mounts[i]);
	return r;
}

static const struct guard_mounted *mount_of(const struct guard_mounts *m,
					    uint32_t dev)
{
	size_t i;

	for (i = 0; i < m->n; i++)
		if (m->mounts[i].dev == dev)
			return &m->mounts[i];
	return NULL;
}

/* The one that was saved, by its own number, or else by where it is. */
const struct guard_mounted *guard_mount_again(const struct guard_mounts *m,
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

/* ---- saving ------------------------------------------------------------ */

struct found {
	uint64_t ino;
	uint64_t holding; /* id */
	uint64_t also;	  /* likewise, of who shares its memory; 0: none */
	uint32_t dev;
	uint32_t mapped;
};

struct saving {
	struct guard *guard;
	struct kept kept;
	struct guard_mounts mounts;
	struct found *found;
	size_t n;
	uint32_t *devs; /* of the file systems */
	uint32_t origin_at[CORDON_ORIGINS];
	uint64_t lost; /* on file systems that are not mounted here */
};

static int add_found(struct saving *s, const struct file_key *file,
		     uint64_t holding, bool mapped)
{
	struct found *found;

	if (!holding || file->generation)
		return 0;
	found = array_grow(s->found, s->n, sizeof(*found));
	if (!found)
		return -ENOMEM;
	s->found = found;
	s->found[s->n++] = (struct found){.ino = file->ino,
					  .dev = file->dev,
					  .holding = holding,
					  .mapped = mapped};
	return 0;
}

static int find_file(const void *key, const void *value, void *arg)
{
	const struct carrier *carrier = value;
	uint64_t holding;

	memcpy(&holding, &carrier->holding, sizeof(holding));
	return add_found(arg, key, holding & ~CARRIER_MIXED, false);
}

/* What those hold who share its memory is in it, or will be in a moment. */
static int find_shared(const void *key, const void *value, void *arg)
{
	const struct sharing *sharing = value;
	struct saving *s = arg;
	struct commons commons;
	struct file_key file;
	int r;

	(void)key;
	memcpy(&file, &sharing->file, sizeof(file));
	if (!file.ino)
		return 0; /* a pool */
	r = guard_map_lookup(s->guard, MAP_COMMONS, &sharing->commons,
			     &commons);
	if (r)
		return r == -ENOENT ? 0 : r;
	return add_found(s, &file, commons.holding, true);
}

static int file_cmp(const void *a, const void *b)
{
	const struct found *x = a, *y = b;

	if (x->dev != y->dev)
		return x->dev < y->dev ? -1 : 1;
	return x->ino < y->ino ? -1 : x->ino > y->ino;
}

static int holding_cmp(const void *a, const void *b)
{
	const struct found *x = a, *y = b;

	if (x->holding != y->holding)
		return x->holding < y->holding ? -1 : 1;
	return x->also < y->also ? -1 : x->also > y->also;
}

/* A file was written to and is shared: one of it, with both. */
static void join_found(struct saving *s)
{
	struct found *last = s->found, *next;

	if (!s->n)
		return;
	qsort(s->found, s->n, sizeof(*s->found), file_cmp);
	for (next = last + 1; next < s->found + s->n; next++) {
		if (file_cmp(last, next)) {
			*++last = *next;
			continue;
		}
		if (next->holding != last->holding)
			last->also = next->holding;
		last->mapped |= next->mapped;
	}
	s->n = (size_t)(last - s->found) + 1;
	qsort(s->found, s->n, sizeof(*s->found), holding_cmp);
}

static int add_fs(struct saving *s, const struct guard_mounted *mount)
{
	uint32_t *devs, i = s->kept.n_fs;
	struct kept_fs *fs;

	fs = array_grow(s->kept.fs, i, sizeof(*fs));
	if (!fs)
		return -ENOMEM;
	s->kept.fs = fs;
	devs = array_grow(s->devs, i, sizeof(*devs));
	if (!devs)
		return -ENOMEM;
	s->devs = devs;
	fs[i] = mount->fs;
	devs[i] = mount->dev;
	s->kept.n_fs++;
	return 0;
}

static uint32_t fs_find(const struct saving *s, uint32_t dev)
{
	uint32_t i;

	for (i = 0; i < s->kept.n_fs; i++)
		if (s->devs[i] == dev)
			break;
	return i;
}

/* Those of this host, whether or not any file there carries: somebody may
 * look for them. */
static int keep_local(struct saving *s)
{
	const struct guard_mounted *mount;
	size_t i;
	int r = 0;

	for (i = 0; i < s->mounts.n && !r; i++) {
		mount = &s->mounts.mounts[i];
		if (mount->local && fs_find(s, mount->dev) == s->kept.n_fs)
			r = add_fs(s, mount);
	}
	return r;
}

/* The place of the file system, added if it is new; -ENOENT: files there are
 * not kept. */
static int fs_at(struct saving *s, uint32_t dev, uint32_t *ret_at)
{
	uint32_t i = fs_find(s, dev);
	const struct guard_mounted *mount;
	int r;

	if (i == s->kept.n_fs) {
		mount = mount_of(&s->mounts, dev);
		if (!mount || in_memory(&mount->fs)) {
			/* The kernel's own, as memfd_create(2) has, has no
			 * device. */
			s->lost += !mount && dev >> 20;
			return -ENOENT;
		}
		r = add_fs(s, mount);
		if (r)
			return r;
	}
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

/* Adds what the holding has, if it is there still, to the shares of sum. */
static int add_shares(struct saving *s, uint64_t id, struct holding *sum)
{
	struct holding holding;
	const struct share *share;
	size_t i;
	int r;

	r = guard_map_lookup(s->guard, MAP_HOLDINGS, &id, &holding);
	if (r)
		return r == -ENOENT ? 0 : r;
	for (i = 0; i < CORDON_SHARES; i++) {
		share = &holding.shares[i];
		if (share->origin)
			(void)share_add(sum, share->origin, share->dataset,
					share->bytes, share->records,
					UINT64_MAX, UINT64_MAX);
	}
	return 0;
}

/* -ENODATA: nothing is held. */
static int keep_holding(struct saving *s, const struct found *found)
{
	struct kept_holding *holdings, new = {0};
	uint64_t unclean = s->guard->state->unclean;
	struct holding sum = {0};
	size_t i;
	int r;

	r = add_shares(s, found->holding, &sum);
	if (!r && found->also)
		r = add_shares(s, found->also, &sum);
	if (!r && !sum.shares[0].origin)
		r = -ENODATA;
	for (i = 0; i < CORDON_SHARES && !r; i++) {
		if (!sum.shares[i].origin)
			continue;
		new.shares[i] = sum.shares[i];
		r = keep_origin(s, sum.shares[i].origin, &new.shares[i].origin);
		if (!r)
			r = keep_dataset(s, sum.shares[i].dataset);
	}
	if (r)
		return r;
	new.unclean = unclean &&
		      (found->holding == unclean || found->also == unclean);
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
	const struct found *last = NULL, *found;
	struct kept_file *file;
	int r, kept = 0; /* of the last holding */
	size_t i;

	s->kept.files = calloc(s->n + 1, sizeof(*s->kept.files));
	if (!s->kept.files)
		return -ENOMEM;
	join_found(s);
	for (i = 0; i < s->n; i++) {
		found = &s->found[i];
		file = &s->kept.files[s->kept.n_files];
		r = fs_at(s, found->dev, &file->fs);
		if (r == -ENOENT)
			continue;
		if (!r && (!last || holding_cmp(last, found)))
			kept = keep_holding(s, found);
		if (r || (kept && kept != -ENODATA))
			return r ? r : kept;
		last = found;
		if (kept)
			continue;
		s->kept.fs[file->fs].files++;
		file->ino = found->ino;
		file->holding = s->kept.n_holdings - 1;
		file->mapped = found->mapped;
		s->kept.n_files++;
	}
	return 0;
}

/* The clock first, then the flag: what comes later asks to be saved again. */
static int save_begin(struct saving *s)
{
	guard_boot_id(s->kept.boot);
	s->kept.saved_ns = (uint64_t)clock_ns(CLOCK_REALTIME);
	__atomic_store_n(&s->guard->state->unsaved, 0, __ATOMIC_SEQ_CST);
	return guard_mounts_list(&s->mounts);
}

int guard_save_files(struct guard *guard, const char *path, bool open,
		     const struct guard_say *say)
{
	struct saving *s;
	int r;

	s = calloc(1, sizeof(*s));
	if (!s)
		return -ENOMEM;
	s->guard = guard;
	r = save_begin(s);
	if (!r)
		r = guard_map_each(guard, MAP_DERIVED, find_file, s);
	if (!r)
		r = guard_map_each(guard, MAP_SHARED_FILES, find_shared, s);
	if (!r)
		r = keep_local(s);
	if (!r)
		r = keep_files(s);
	s->kept.open = open || __atomic_load_n(&guard->state->unsaved,
					       __ATOMIC_SEQ_CST);
	if (!r)
		r = kept_write(&s->kept, path);
	if (r)
		guard->state->unsaved = 1;
	if (r)
		guard_say(say, GUARD_ERROR,
			  "what files outside the datasets carry cannot be "
			  "saved to %s (%s), so a reboot would forget it; make "
			  "room or correct the directory",
			  path, strerror(-r));
	if (!r && s->lost > guard->lost_files)
		guard_say(say, GUARD_WARNING,
			  "%" PRIu64 " files that holders wrote are on file "
			  "systems that are not mounted here; what they carry "
			  "is not known after a reboot",
			  s->lost);
	if (!r)
		guard->lost_files = s->lost;
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
	const struct guard_kept *from;
	const struct kept *kept;
	uint32_t dataset_at[CORDON_DATASETS]; /* by the number it had */
	uint32_t *origin_at;		      /* by place, from 1 */
	uint64_t *holding_at;
	uint32_t *refs;
	uint32_t *dev_at; /* of the file systems; 0: not there */
	uint64_t files;
	uint64_t full;
};

static int load_datasets(struct loading *l, const struct guard_say *say)
{
	const struct kept_dataset *dataset;
	uint32_t i;
	int r;

	for (i = 0; i < l->kept->n_datasets; i++) {
		dataset = &l->kept->datasets[i];
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

	for (i = 0; i < l->kept->n_origins; i++) {
		kept = &l->kept->origins[i];
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
	const struct kept_holding *kept = &l->kept->holdings[at];
	struct holding holding = {0};
	size_t i;

	if (!l->refs[at])
		return 0;
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
	if (kept->unclean)
		l->guard->state->unclean = holding.id;
	return guard_map_update(l->guard, MAP_HOLDINGS, &holding.id, &holding);
}

int guard_derived_put(struct guard *guard, struct guard_state *tables,
		      const struct file_key *key, uint64_t holding)
{
	struct carrier carrier = {.holding = holding | CARRIER_MIXED};
	uint32_t fs = fs_place(key->dev);

	tables->fs[fs].derived = 1;
	tables->fs_written[fs] = 1;
	(void)__atomic_add_fetch(
		&tables->derived[derived_place(key->ino, key->dev)], 1,
		__ATOMIC_RELAXED);
	return guard_map_update(guard, MAP_DERIVED, key, &carrier);
}

static int load_file(struct loading *l, const struct kept_file *file)
{
	const struct file_key key = {.ino = file->ino,
				     .dev = l->dev_at[file->fs]};
	int r;

	if (!key.dev)
		return 0;
	r = guard_derived_put(l->guard, l->tables, &key,
			      l->holding_at[file->holding]);
	l->files += !r;
	l->full += r == -E2BIG;
	return r == -E2BIG ? 0 : r;
}

static void find_fs(struct loading *l, uint32_t at, const struct guard_say *say)
{
	const struct kept_fs *fs = &l->kept->fs[at];
	const struct guard_mounted *mount;

	mount = guard_mount_again(&l->from->mounts, fs);
	if (mount)
		l->dev_at[at] = mount->dev;
	else if (fs->files)
		guard_say(say, GUARD_ERROR,
			  "%" PRIu64 " files that holders wrote are on a file "
			  "system that was mounted at %s and is not there; "
			  "what they carry is forgotten: mount it before "
			  "cordond starts",
			  fs->files, *fs->place ? fs->place : "?");
}

static int load_tables(struct loading *l, const struct guard_say *say)
{
	const struct kept *kept = l->kept;
	uint32_t i;
	int r;

	for (i = 0; i < kept->n_fs; i++)
		find_fs(l, i, say);
	for (i = 0; i < kept->n_files; i++)
		l->refs[kept->files[i].holding] +=
			l->dev_at[kept->files[i].fs] != 0;
	r = load_datasets(l, say);
	if (!r)
		r = load_origins(l);
	for (i = 0; i < kept->n_holdings && !r; i++)
		r = load_holding(l, i);
	for (i = 0; i < kept->n_files && !r; i++)
		r = load_file(l, &kept->files[i]);
	return r;
}

static int load_all(struct loading *l, const struct guard_say *say)
{
	int r;

	l->origin_at = calloc(l->kept->n_origins + 1UL, sizeof(uint32_t));
	l->holding_at = calloc(l->kept->n_holdings + 1UL, sizeof(uint64_t));
	l->refs = calloc(l->kept->n_holdings + 1UL, sizeof(uint32_t));
	l->dev_at = calloc(l->kept->n_fs + 1UL, sizeof(uint32_t));
	if (!l->origin_at || !l->holding_at || !l->refs || !l->dev_at)
		return -ENOMEM;
	r = guard_map_tables(l->guard, &l->tables, say);
	if (r)
		return r;
	r = load_tables(l, say);
	(void)munmap(l->tables, sizeof(*l->tables));
	return r;
}

int guard_load_files(struct guard *guard, const struct guard_kept *kept,
		     const struct guard_say *say)
{
	struct loading l = {.guard = guard, .from = kept};
	int r;

	if (!kept)
		return 0;
	l.kept = &kept->kept;
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
	free(l.origin_at);
	free(l.holding_at);
	free(l.refs);
	free(l.dev_at);
	return r == -ENOMEM ? r : 0;
}
