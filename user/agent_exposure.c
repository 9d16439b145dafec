// SPDX-License-Identifier: GPL-2.0-only
/*
 * Who was exposed: which records each origin has read, written down a few
 * seconds after it did, and before the guard may forget. The guard marks each
 * record in a map when it is touched first, so nothing is lost when events are;
 * what was written down before is in a set of the same form.
 */
#include "agent.h"
#include "array.h"
#include "clock.h"
#include "dataset.h"
#include "exposed.h"
#include "log.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define NAMES_SHARE 20 /* of the time, one part goes to looking up names */

/*
 * Beyond these, rows are told without their keys. Whoever reads a huge file
 * must not keep the agent from what else it has to do, nor bring the oldest
 * evidence to its end: so many keys are some 3 MB. Those of 47,000 rows take
 * some 20 ms.
 */
#define KEYS_MS	 1000
#define KEYS_MAX 200000

struct scope {
	uint32_t serial; /* of an origin */
	uint32_t dataset;
	uint32_t row_bytes; /* 0: records are files */
	const char *name;   /* of the dataset */
};

struct collecting {
	struct agent *agent;
	struct exposure set;
	struct scope *scopes; /* in order */
	size_t n_scopes;
	uint64_t read; /* records, by all of them */
	struct exposed lines;
	struct row_keys_limit limit;
};

/* ---- what is there ------------------------------------------------------- */

static int take_origin(uint32_t slot, const struct origin *origin, void *arg)
{
	struct collecting *to = arg;
	struct scope *scopes;

	(void)slot;
	scopes = array_grow(to->scopes, to->n_scopes, sizeof(*scopes));
	if (!scopes)
		return -ENOMEM;
	to->scopes = scopes;
	to->read += origin->read_records;
	scopes[to->n_scopes++] = (struct scope){.serial = origin->serial,
						.dataset = origin->key.dataset};
	return 0;
}

static int compare_scopes(const void *a, const void *b)
{
	const struct scope *x = a, *y = b;

	return x->serial < y->serial ? -1 : x->serial > y->serial;
}

static const struct scope *find_scope(const struct collecting *to,
				      uint32_t serial)
{
	const struct scope wanted = {.serial = serial};

	return to->n_scopes ? bsearch(&wanted, to->scopes, to->n_scopes,
				      sizeof(wanted), compare_scopes)
			    : NULL;
}

static int take_touch(const struct touch_key *key, uint64_t rows, void *arg)
{
	struct collecting *to = arg;
	const struct scope *scope = find_scope(to, key->scope);
	struct exposure_block block = {.origin = key->scope};

	/* It began a moment ago, or has ended. */
	if (!scope)
		return 0;
	if (scope->row_bytes) {
		block.record = key->record;
		block.first = key->chunk;
		block.mask = rows;
	} else {
		block.first = key->record / 64;
		block.mask = 1ULL << (key->record & 63);
	}
	return exposure_add(&to->set, &block);
}

static int take_label(const struct file_key *key, const struct label *label,
		      void *arg)
{
	const struct record_label known = {
		.ino = key->ino, .dev = key->dev, .record = label->record};

	return record_names_label(arg, &known);
}

static int look_up_names(struct agent *agent)
{
	const struct policy *policy = agent->policy;
	struct record_names *names = &agent->record_names;
	struct dataset_place place;
	char why[256];
	int r;

	record_names_release(names);
	agent->names_ms = clock_ms();
	r = guard_each_label(agent->guard, take_label, names);
	record_names_labelled(names);
	for (size_t i = 0; policy && i < policy->n_datasets; i++)
		for (size_t j = 0; j < policy->datasets[i].n_paths; j++)
			if (!r &&
			    !dataset_resolve(policy->datasets[i].paths[j].path,
					     &place, why, sizeof(why)) &&
			    place.exists)
				r = record_names_walk(names, place.real);
	record_names_done(names);
	agent->names_took_ms = clock_ms() - agent->names_ms;
	return r;
}

/* ---- lines --------------------------------------------------------------- */

static int record_line(json_t *line, void *arg)
{
	return agent_record(arg, line, 0, false);
}

static int add_files(struct collecting *to, const struct exposed_of *of,
		     const struct exposure_block *block)
{
	const struct record_names *names = &to->agent->record_names;
	uint32_t record = block->first * 64;
	const char *path;
	size_t len = 0;
	int r = 0;

	for (unsigned int i = 0; !r && i < 64; i++, record++) {
		if (!(block->mask >> i & 1))
			continue;
		path = record_names_find(names, record, &len);
		r = exposed_file(&to->lines, of, record, path, len);
	}
	return r;
}

struct labelled {
	struct guard *guard;
	uint32_t record;
};

/*
 * Another file may have come under that name, with the number of an inode that
 * was freed. The guard knows them apart, and it lets its agent read.
 */
static int is_labelled(int fd, void *arg)
{
	const struct labelled *labelled = arg;
	struct guard_file file;
	int r;

	r = guard_open_file(labelled->guard, fd, &file);
	if (r)
		return r;
	return file.label.kind == LABEL_FILE &&
			       file.label.record == labelled->record
		       ? 0
		       : -ESTALE;
}

/* Opens the file for its keys, if it has some, or tells why there are none. */
static int open_keys(struct collecting *to, const struct scope *scope,
		     struct exposed_rows *rows)
{
	const struct policy *policy = to->agent->policy;
	struct labelled labelled = {to->agent->guard, rows->record};
	const struct policy_dataset *dataset;
	struct row_keys_form form;
	char path[PATH_MAX];
	uint32_t i;
	int r = -ENOENT;

	if (!policy || policy_find_dataset(policy, scope->name, &i))
		return 0;
	dataset = &policy->datasets[i];
	if (!dataset->key_from || dataset->record_bytes != rows->row_bytes)
		return 0;
	form = (struct row_keys_form){
		.row_bytes = dataset->record_bytes,
		.from = dataset->key_from - 1,
		.bytes = dataset->key_to - dataset->key_from + 1,
	};
	if (rows->path && rows->len < sizeof(path)) {
		memcpy(path, rows->path, rows->len);
		path[rows->len] = '\0';
		r = row_keys_open(path, &form, &to->limit, is_labelled,
				  &labelled, &rows->keys);
	}
	if (r && r != -ENOMEM) {
		rows->keys_why = exposed_keys_why(r);
		r = 0;
	}
	return r;
}

static int add_rows(struct collecting *to, const struct scope *scope,
		    const struct exposed_of *of,
		    const struct exposure_block *blocks, size_t n)
{
	struct exposed_rows rows = {.record = blocks[0].record,
				    .row_bytes = scope->row_bytes};
	int r;

	rows.path = record_names_find(&to->agent->record_names, rows.record,
				      &rows.len);
	r = open_keys(to, scope, &rows);
	if (!r)
		r = exposed_rows(&to->lines, of, &rows, blocks, n);
	row_keys_free(rows.keys);
	return r;
}

static int add_lines(struct collecting *to, const struct exposure_block *fresh,
		     size_t n)
{
	const struct scope *scope;
	struct exposed_of of;
	size_t same;
	int r = 0;

	to->lines = (struct exposed){.fn = record_line, .arg = to->agent};
	to->limit = (struct row_keys_limit){clock_ms() + KEYS_MS, KEYS_MAX};
	for (size_t i = 0; !r && i < n; i += same) {
		same = 1;
		scope = find_scope(to, fresh[i].origin);
		of = (struct exposed_of){scope->serial, scope->name};
		if (!scope->row_bytes) {
			r = add_files(to, &of, &fresh[i]);
			continue;
		}
		while (i + same < n &&
		       fresh[i + same].origin == scope->serial &&
		       fresh[i + same].record == fresh[i].record)
			same++;
		r = add_rows(to, scope, &of, &fresh[i], same);
	}
	if (!r)
		r = exposed_end(&to->lines);
	exposed_release(&to->lines);
	return r;
}

/* ---- now and then -------------------------------------------------------- */

static bool has_name(const struct agent *agent, uint32_t record)
{
	size_t len;

	return record_names_find(&agent->record_names, record, &len) != NULL;
}

/* Is there one whose name is not known? */
static bool wants_names(const struct agent *agent,
			const struct exposure_block *fresh, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		if (fresh[i].record && !has_name(agent, fresh[i].record))
			return true;
		for (unsigned int j = 0; !fresh[i].record && j < 64; j++)
			if (fresh[i].mask >> j & 1 &&
			    !has_name(agent, fresh[i].first * 64 + j))
				return true;
	}
	return false;
}

/* It looks at all files of the datasets, so not too often. */
static bool may_look_up(const struct agent *agent)
{
	return clock_ms() >=
	       agent->names_ms + NAMES_SHARE * agent->names_took_ms;
}

static int collect(struct collecting *to, bool now, size_t *ret_n)
{
	struct agent *agent = to->agent;
	struct exposure_block *fresh = NULL;
	size_t n = 0;
	int r;

	r = guard_each_origin(agent->guard, take_origin, to);
	if (r || to->read == agent->exposed_read)
		return r;
	for (size_t i = 0; i < to->n_scopes; i++) {
		to->scopes[i].row_bytes =
			guard_record_bytes(agent->guard, to->scopes[i].dataset);
		to->scopes[i].name = guard_name(agent->guard, NAME_DATASET,
						to->scopes[i].dataset);
	}
	if (to->n_scopes)
		qsort(to->scopes, to->n_scopes, sizeof(*to->scopes),
		      compare_scopes);
	r = guard_each_touch(agent->guard, take_touch, to);
	if (!r)
		r = exposure_fresh(&to->set, &agent->exposed, &fresh, &n);
	if (!r && wants_names(agent, fresh, n))
		r = now || may_look_up(agent) ? look_up_names(agent) : -EAGAIN;
	if (!r)
		r = add_lines(to, fresh, n);
	free(fresh);
	*ret_n = n;
	return r;
}

bool agent_expose(struct agent *agent, bool now)
{
	struct collecting to = {.agent = agent};
	size_t n = 0;
	int r;

	/* It stays in the guard's map until there is a log. */
	if (!agent->evidence)
		return false;
	r = collect(&to, now, &n);
	if (r) {
		/* It is still in the guard's map, for the next time. */
		if (!agent->expose_failed && r != -EAGAIN)
			log_error("which records were read cannot be written "
				  "down: %s; this is tried again",
				  strerror(-r));
		exposure_release(&to.set);
	} else if (to.read != agent->exposed_read) {
		exposure_release(&agent->exposed);
		agent->exposed = to.set;
		agent->exposed_read = to.read;
	}
	/* Nobody reads: they take room, and age. */
	if (!r && n == 0)
		record_names_release(&agent->record_names);
	agent->expose_failed = r && r != -EAGAIN;
	free(to.scopes);
	return r || n > 0;
}
