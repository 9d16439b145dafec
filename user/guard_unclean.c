// SPDX-License-Identifier: GPL-2.0-only
/*
 * A host that broke down: what holders wrote since the last save of what files
 * carry is known from nothing but the times of the files. Each that changed
 * since may have anything of any dataset in it, and carries all of it.
 *
 * Left out are files in memory, which are gone, and those that lie elsewhere,
 * where what holders write is a release.
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
#include <unistd.h>

#include "array.h"
#include "changed.h"
#include "clock.h"
#include "dataset.h"
#include "decide.h"
#include "text.h"

#define PATHS_KEPT    512U
#define PATHS_SAID    40U
#define TROUBLES_SAID 20U

void guard_boot_id(char boot[KEPT_BOOT])
{
	FILE *f = fopen("/proc/sys/kernel/random/boot_id", "re");

	memset(boot, 0, KEPT_BOOT);
	if (!f)
		return;
	if (!fgets(boot, KEPT_BOOT, f))
		boot[0] = '\0';
	boot[strcspn(boot, "\n")] = '\0';
	(void)fclose(f);
}

/* ---- what was saved ---------------------------------------------------- */

/* What was written behind an older copy is known no better. */
static int read_old(const char *path, int error, const char *why,
		    struct kept *ret_kept, const struct guard_say *say)
{
	char old[4096], why_old[256];
	int r;

	(void)snprintf(old, sizeof(old), "%s.old", path);
	r = kept_read(old, ret_kept, why_old, sizeof(why_old));
	if (r == -ENOMEM)
		return r;
	if (r) {
		guard_say(say, GUARD_ERROR,
			  "%s is of no use (%s: %s), and neither is %s; what "
			  "files outside the datasets carry is forgotten",
			  path, strerror(-error), why, old);
		return -ENOENT;
	}
	guard_say(say, GUARD_ERROR,
		  "%s is of no use (%s: %s); %s is taken, and what changed "
		  "since that is held as if the host had broken down",
		  path, strerror(-error), why, old);
	ret_kept->open = 1;
	return 0;
}

int guard_kept_read(const char *path, const struct guard_say *say,
		    struct guard_kept **ret_kept)
{
	struct guard_kept *kept;
	char why[256], boot[KEPT_BOOT];
	int r;

	kept = calloc(1, sizeof(*kept));
	if (!kept)
		return -ENOMEM;
	r = kept_read(path, &kept->kept, why, sizeof(why));
	if (r && r != -ENOENT && r != -ENOMEM)
		r = read_old(path, r, why, &kept->kept, say);
	if (!r)
		r = guard_mounts_list(&kept->mounts);
	if (r) {
		guard_kept_free(kept);
		if (r == -ENOENT) {
			*ret_kept = NULL;
			return 0;
		}
		return r;
	}
	guard_boot_id(boot);
	kept->unclean = kept->kept.open &&
			(!*boot || strcmp(boot, kept->kept.boot) != 0);
	*ret_kept = kept;
	return 0;
}

void guard_kept_free(struct guard_kept *kept)
{
	size_t i;

	if (!kept)
		return;
	for (i = 0; i < kept->n_paths; i++)
		free(kept->paths[i]);
	free(kept->paths);
	free(kept->path_keys);
	free(kept->changed);
	free(kept->mounts.mounts);
	kept_release(&kept->kept);
	free(kept);
}

bool guard_kept_unclean(const struct guard_kept *kept)
{
	return kept && kept->unclean;
}

uint64_t guard_kept_files(const struct guard_kept *kept)
{
	return kept ? (uint64_t)kept->kept.n_files + kept->n_changed : 0;
}

/* ---- what changed since ------------------------------------------------ */

struct search {
	struct guard_kept *kept;
	const struct guard_say *say;
	guard_progress_fn progress;
	void *arg;
	uint64_t since_ns;
	uint64_t seen;
	uint64_t troubles;
	uint32_t dev; /* that is looked at */
	struct file_key *mapped;
	size_t n_mapped;
	int error;
};

static int key_cmp(const void *a, const void *b)
{
	const struct file_key *x = a, *y = b;

	if (x->dev != y->dev)
		return x->dev < y->dev ? -1 : 1;
	return x->ino < y->ino ? -1 : x->ino > y->ino;
}

static bool has_key(const struct file_key *keys, size_t n,
		    const struct file_key *key)
{
	return n && bsearch(key, keys, n, sizeof(*keys), key_cmp);
}

static int add_key(struct file_key **keys, size_t *n,
		   const struct file_key *key)
{
	struct file_key *more = array_grow(*keys, *n, sizeof(*more));

	if (!more)
		return -ENOMEM;
	*keys = more;
	more[(*n)++] = *key;
	return 0;
}

/* Those that holders may have had in their memory. */
static int list_mapped(struct search *s)
{
	const struct kept *kept = &s->kept->kept;
	const struct guard_mounted *mount;
	struct file_key key = {0};
	uint32_t i;
	int r = 0;

	for (i = 0; i < kept->n_files && !r; i++) {
		if (!kept->files[i].mapped)
			continue;
		mount = guard_mount_again(&s->kept->mounts,
					  &kept->fs[kept->files[i].fs]);
		if (!mount)
			continue;
		key.ino = kept->files[i].ino;
		key.dev = mount->dev;
		r = add_key(&s->mapped, &s->n_mapped, &key);
	}
	if (s->n_mapped)
		qsort(s->mapped, s->n_mapped, sizeof(*s->mapped), key_cmp);
	return r;
}

static int add_path(struct guard_kept *kept, const struct file_key *key,
		    const char *path)
{
	char **paths;
	size_t n = kept->n_paths;
	int r;

	if (n == PATHS_KEPT)
		return 0;
	paths = array_grow(kept->paths, n, sizeof(*paths));
	if (!paths)
		return -ENOMEM;
	kept->paths = paths;
	r = add_key(&kept->path_keys, &n, key);
	if (r)
		return r;
	paths[kept->n_paths] = strdup(path);
	if (!paths[kept->n_paths])
		return -ENOMEM;
	kept->n_paths = n;
	return 0;
}

static void search_file(const struct changed_file *file, void *arg)
{
	struct search *s = arg;
	struct file_key key = {.ino = file->ino, .dev = s->dev};

	if (file->ctime_ns < s->since_ns &&
	    !has_key(s->mapped, s->n_mapped, &key))
		return;
	if (!s->error)
		s->error =
			add_key(&s->kept->changed, &s->kept->n_changed, &key);
	if (!s->error)
		s->error = add_path(s->kept, &key, file->path);
}

static void search_trouble(struct search *s, const char *path, const char *why)
{
	if (s->troubles++ < TROUBLES_SAID)
		guard_say(s->say, GUARD_ERROR,
			  "%s cannot be looked at (%s): what holders wrote "
			  "there before the host broke down is not held",
			  path, why);
}

static void search_skip(const char *path, const char *why, void *arg)
{
	search_trouble(arg, path, why);
}

static void search_tick(uint64_t seen, void *arg)
{
	struct search *s = arg;

	s->seen += seen;
	if (s->progress)
		s->progress(s->seen, s->arg);
}

/* Is the directory that is mounted here part of one that is mounted too? */
static bool is_shown(const struct guard_mounts *mounts, size_t at)
{
	const struct guard_mounted *mount = &mounts->mounts[at], *other;
	size_t len, i;

	for (i = 0; i < mounts->n; i++) {
		other = &mounts->mounts[i];
		len = strlen(other->root);
		if (i == at || other->dev != mount->dev || !len ||
		    !*other->fs.place)
			continue;
		if (!strcmp(other->root, mount->root)) {
			if (i < at)
				return true;
		} else if (len == 1 ||
			   (!strncmp(mount->root, other->root, len) &&
			    mount->root[len] == '/')) {
			return true;
		}
	}
	return false;
}

static void search_mount(struct search *s, size_t at,
			 struct changed_visitor *visitor)
{
	const struct guard_mounted *mount = &s->kept->mounts.mounts[at];
	const char *place = mount->fs.place;
	int fd;

	if (mount->remote)
		guard_say(s->say, GUARD_WARNING,
			  "what lies at %s lies elsewhere: what holders wrote "
			  "there before the host broke down was a release, and "
			  "is not held",
			  place);
	/* What is mounted at a path that is too long may be anything. */
	if (!mount->local && (*place || !(mount->dev >> 20)))
		return;
	if (is_shown(&s->kept->mounts, at))
		return;
	s->dev = mount->dev;
	fd = *place ? changed_open(place) : -ENAMETOOLONG;
	if (fd < 0) {
		search_trouble(s, *place ? place : "a file system",
			       strerror(-fd));
		return;
	}
	changed_walk(fd, place, visitor);
	(void)close(fd);
}

/* What was mounted when it was saved, and is not now. */
static void say_absent(struct search *s)
{
	const struct kept *kept = &s->kept->kept;
	uint32_t i;

	for (i = 0; i < kept->n_fs; i++)
		if (!guard_mount_again(&s->kept->mounts, &kept->fs[i]))
			search_trouble(s,
				       *kept->fs[i].place ? kept->fs[i].place
							  : "a file system",
				       "it is not mounted; mount it before "
				       "cordond starts");
}

static void sort_changed(struct guard_kept *kept)
{
	struct file_key *keys = kept->changed;
	size_t i, n = 0;

	if (!kept->n_changed)
		return;
	qsort(keys, kept->n_changed, sizeof(*keys), key_cmp);
	for (i = 1; i < kept->n_changed; i++)
		if (key_cmp(&keys[n], &keys[i]))
			keys[++n] = keys[i]; /* else another name of it */
	kept->n_changed = n + 1;
}

int guard_kept_search(struct guard_kept *kept, const char *except,
		      guard_progress_fn progress, void *arg,
		      const struct guard_say *say)
{
	struct search s = {
		.kept = kept, .say = say, .progress = progress, .arg = arg};
	struct changed_visitor visitor = {.except = except,
					  .file = search_file,
					  .skip = search_skip,
					  .tick = search_tick,
					  .arg = &s};
	size_t i;

	kept_since(&kept->kept, (uint64_t)clock_ns(CLOCK_REALTIME), &s.since_ns,
		   &visitor.since_ns);
	if (!s.since_ns)
		guard_say(say, GUARD_ERROR,
			  "the clock is behind the last save of what files "
			  "carry: every file counts as changed since; set it "
			  "before cordond starts");
	s.error = list_mapped(&s);
	say_absent(&s);
	for (i = 0; i < kept->mounts.n && !s.error; i++)
		search_mount(&s, i, &visitor);
	if (s.troubles > TROUBLES_SAID)
		guard_say(say, GUARD_ERROR,
			  "%" PRIu64 " more could not be looked at",
			  s.troubles - TROUBLES_SAID);
	free(s.mapped);
	sort_changed(kept);
	kept->searched = true;
	return s.error;
}

/* ---- all of every dataset ---------------------------------------------- */

struct total {
	uint64_t bytes;
	uint64_t records;
};

struct totals {
	struct total of[CORDON_DATASETS];
	struct total *total; /* that is summed up */
	uint32_t row;	     /* bytes; 0: a record is a file */
};

static void count_file(int dir, const char *name, const char *path, void *arg)
{
	struct totals *totals = arg;
	uint64_t bytes;
	struct stat st;

	(void)path;
	if (fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return;
	bytes = (uint64_t)st.st_size;
	totals->total->bytes += bytes;
	totals->total->records +=
		totals->row ? bytes / totals->row + !!(bytes % totals->row) : 1;
}

/* What is there now. What cannot be walked, the scan told. */
static int count_roots(const struct guard *guard, struct totals *totals)
{
	const struct dataset_visitor counter = {.file = count_file,
						.arg = totals};
	const struct guard_root *root;
	struct dataset_rules rules;
	uint32_t at;
	size_t i;
	int r;

	for (i = 0; i < guard->n_roots; i++) {
		root = &guard->roots[i];
		if (root->quiet || !root->exists)
			continue;
		at = (guard->state->generation & 1) * CORDON_DATASETS +
		     root->dataset;
		r = guard_map_lookup(guard, MAP_DATASETS, &at, &rules);
		if (r)
			return r;
		totals->row = rules.record_bytes;
		totals->total = &totals->of[root->dataset];
		(void)dataset_walk(root->real, &counter);
	}
	return 0;
}

/* What was read may be deleted by now, as far as that is known. */
static void count_origins(const struct guard *guard, const struct kept *kept,
			  struct totals *totals)
{
	struct total read[CORDON_DATASETS] = {0};
	const struct kept_origin *origin;
	uint32_t id, i, j;

	for (i = 0; i < kept->n_origins; i++) {
		origin = &kept->origins[i];
		for (j = 0; j < kept->n_datasets; j++) {
			if (kept->datasets[j].id != origin->dataset ||
			    registry_find(&guard->names, NAME_DATASET,
					  kept->datasets[j].name, &id))
				continue;
			read[id].bytes += origin->read_bytes;
			read[id].records += origin->read_records;
		}
	}
	for (i = 0; i < CORDON_DATASETS; i++) {
		if (!totals->of[i].bytes)
			continue; /* not one of the policy */
		if (read[i].bytes > totals->of[i].bytes)
			totals->of[i].bytes = read[i].bytes;
		if (read[i].records > totals->of[i].records)
			totals->of[i].records = read[i].records;
	}
}

/* Into the holding, which nobody has yet, or who had it when it was saved. */
static void add_totals(const struct totals *totals, struct holding *holding)
{
	const struct total *total;
	uint32_t id;

	for (id = 1; id < CORDON_DATASETS; id++) {
		total = &totals->of[id];
		if (total->bytes)
			(void)share_raise(holding, CORDON_ORIGIN_FOLDED, id,
					  total->bytes, total->records);
	}
}

/* ---- holding ----------------------------------------------------------- */

struct hold {
	struct guard *guard;
	struct guard_state *tables;
	struct holding holding;
	uint64_t held;
	uint64_t full;
};

/*
 * Of a dataset, which is charged to who reads it? Or quiet, and never beyond
 * its cap, or it would carry already?
 */
static bool is_left_out(const struct guard *guard, const struct file_key *key,
			bool carries)
{
	struct label label;

	return !guard_map_lookup(guard, MAP_LABELS, key, &label) &&
	       (label.kind == LABEL_FILE ||
		(label.kind == LABEL_QUIET && !carries));
}

/* What it had, as it was saved, is part of what it has now. */
static int hold_file(struct hold *h, const struct file_key *key)
{
	struct carrier carrier;
	int r;

	r = guard_map_lookup(h->guard, MAP_DERIVED, key, &carrier);
	if (r && r != -ENOENT)
		return r;
	if (is_left_out(h->guard, key, !r))
		return 0;
	if (r) {
		r = guard_derived_put(h->guard, h->tables, key, h->holding.id);
	} else {
		carrier.holding = h->holding.id | CARRIER_MIXED;
		r = guard_map_update(h->guard, MAP_DERIVED, key, &carrier);
	}
	h->held += !r;
	h->full += r == -E2BIG;
	return r == -E2BIG ? 0 : r;
}

static int hold_begin(struct hold *h, const struct guard_kept *kept)
{
	struct guard_state *state = h->guard->state;
	struct totals *totals;
	int r;

	totals = calloc(1, sizeof(*totals));
	if (!totals)
		return -ENOMEM;
	r = count_roots(h->guard, totals);
	/* One for all boots: what it stands for is the same. */
	if (!r && state->unclean)
		r = guard_holding(h->guard, state->unclean, &h->holding);
	if (r == -ENOENT)
		r = 0;
	if (!r) {
		count_origins(h->guard, &kept->kept, totals);
		add_totals(totals, &h->holding);
	}
	free(totals);
	if (!h->holding.id)
		h->holding.id = __atomic_add_fetch(&state->next_holding, 1,
						   __ATOMIC_RELAXED);
	h->holding.only = HOLDING_MIXED;
	return r;
}

/* First the holding, with as many references as there can be. */
static int hold_files(struct hold *h, const struct guard_kept *kept)
{
	size_t i;
	int r;

	h->holding.refs += (uint32_t)kept->n_changed;
	r = guard_map_update(h->guard, MAP_HOLDINGS, &h->holding.id,
			     &h->holding);
	if (r)
		return r;
	h->guard->state->unclean = h->holding.id;
	for (i = 0; i < kept->n_changed && !r; i++)
		r = hold_file(h, &kept->changed[i]);
	return r;
}

static bool is_held(const struct hold *h, const struct file_key *key)
{
	struct carrier carrier;

	return !guard_map_lookup(h->guard, MAP_DERIVED, key, &carrier) &&
	       carrier.holding == (h->holding.id | CARRIER_MIXED);
}

static void say_held(const struct hold *h, const struct guard_kept *kept,
		     const struct guard_say *say)
{
	char at[TEXT_NUMBER_CHARS_MAX];
	uint32_t said = 0;
	size_t i;

	text_format_time((int64_t)(kept->kept.saved_ns / CLOCK_NS_PER_S), at,
			 sizeof(at));
	if (!h->held && !h->full) {
		guard_say(say, GUARD_NOTE,
			  "the host ended uncleanly while holders were at "
			  "work, but no file that could carry changed since %s",
			  at);
		return;
	}
	for (i = 0; i < kept->n_paths && said < PATHS_SAID; i++) {
		if (!is_held(h, &kept->path_keys[i]))
			continue;
		said++;
		guard_say(say, GUARD_NOTE, "held: %s", kept->paths[i]);
	}
	guard_say(say, GUARD_WARNING,
		  "the host ended uncleanly while holders were at work: what "
		  "%" PRIu64 " files carry that changed after the last save, "
		  "at %s, is not known, so they are held at the upper bound: "
		  "who reads one holds all of every dataset; cordon explain "
		  "FILE tells whether it is one; delete those that nobody "
		  "needs, or see cordond(8), UNCLEAN ENDS",
		  h->held, at);
	if (h->full)
		guard_say(say, GUARD_ERROR,
			  "there is no room for %" PRIu64 " more files that "
			  "changed since: they are NOT HELD; end the guard "
			  "with cordond --detach and start it with "
			  "--max-records %" PRIu64,
			  h->full, 3 * guard_kept_files(kept));
}

int guard_hold_changed(struct guard *guard, const struct guard_kept *kept,
		       const struct guard_say *say)
{
	struct hold h = {.guard = guard};
	int r;

	if (!kept || !kept->searched)
		return 0;
	if (!kept->n_changed) {
		say_held(&h, kept, say);
		return 0;
	}
	r = guard_map_tables(guard, &h.tables, say);
	if (r)
		return r;
	r = hold_begin(&h, kept);
	/* Of datasets that have no files nobody can have anything. */
	if (!r && h.holding.shares[0].origin)
		r = hold_files(&h, kept);
	(void)munmap(h.tables, sizeof(*h.tables));
	if (r)
		guard_say(say, GUARD_ERROR,
			  "files that changed before the host ended uncleanly "
			  "cannot all be held (%s)",
			  strerror(-r));
	else
		say_held(&h, kept, say);
	(void)__atomic_add_fetch(&guard->state->faults[FAULT_DERIVED_FULL],
				 h.full, __ATOMIC_RELAXED);
	return r;
}
