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
#include "log.h"
#include "text.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define NAMES_SHARE 20 /* of the time, one part goes to looking up names */
#define LINE_ROOM   (EVIDENCE_LINE_MAX / 2)
/* A path takes less, and the name in it fits although each byte is escaped. */
#define PATH_CHARS 3000
#define RANGES_MAX 150

struct scope {
	uint32_t serial; /* of an origin */
	uint32_t dataset;
	uint32_t row_bytes; /* 0: records are files */
};

struct collecting {
	struct agent *agent;
	struct exposure set;
	struct scope *scopes; /* in order */
	size_t n_scopes;
	uint64_t read; /* records, by all of them */
	int failed;    /* a line could not be written */
	/* The line that is being made. */
	const struct scope *scope;
	json_t *line;
	json_t *list; /* the line's */
	size_t used;  /* bytes of it, about */
	const char *dir;
	size_t dir_len;
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

/*
 * A name as JSON takes it: what is no clean UTF-8, and the backslash, as \xNN,
 * from which the bytes can be had again. One that is too long ends in \...
 */
static void escape(const char *name, size_t len, char ret_text[PATH_CHARS])
{
	size_t clean = text_clean_prefix(name, len, ""), at = 0;

	for (size_t i = 0; i < len; i++) {
		if (at + 10 >= PATH_CHARS) {
			at += (size_t)snprintf(ret_text + at, 5, "\\...");
			break;
		}
		if (i < clean && name[i] != '\\') {
			ret_text[at++] = name[i];
			continue;
		}
		at += (size_t)snprintf(ret_text + at, 5, "\\x%02x",
				       (unsigned char)name[i]);
		if (i >= clean)
			clean = i + 1 +
				text_clean_prefix(name + i + 1, len - i - 1,
						  "");
	}
	ret_text[at] = '\0';
}

static int put_path(json_t *line, const char *key, const char *path, size_t len)
{
	char text[PATH_CHARS];

	escape(path, len, text);
	return json_object_set_new(line, key, json_string(text)) ? -ENOMEM : 0;
}

static void end_line(struct collecting *to)
{
	int r = to->line ? agent_record(to->agent, to->line, 0, false) : 0;

	if (r && !to->failed)
		to->failed = r;
	to->line = NULL;
	to->list = NULL;
}

/* A new line of the origin, with a list of that name. */
static int begin_line(struct collecting *to, const struct scope *scope,
		      const char *list)
{
	const char *dataset;

	end_line(to);
	if (to->failed)
		return to->failed;
	dataset = guard_name(to->agent->guard, NAME_DATASET, scope->dataset);
	to->list = json_array();
	to->line = evidence_object(
		"exposed", json_pack("{s:I, s:s, s:o}", "origin",
				     (json_int_t)scope->serial, "dataset",
				     dataset, list, to->list));
	to->scope = scope;
	to->used = 0;
	to->dir = NULL;
	to->dir_len = 0;
	return to->line ? 0 : -ENOMEM;
}

static int append(struct collecting *to, json_t *item, size_t size)
{
	to->used += size;
	return json_array_append_new(to->list, item) ? -ENOMEM : 0;
}

/* Those of one directory share a line. */
static int add_file(struct collecting *to, const struct scope *scope,
		    uint32_t record)
{
	size_t len = 0, dir;
	const char *path =
		record_names_find(&to->agent->record_names, record, &len);
	const char *slash = path ? memrchr(path, '/', len) : NULL;
	char text[PATH_CHARS];
	int r = 0;

	dir = slash ? (size_t)(slash - path) : 0;
	if (!to->line || to->scope != scope || to->used > LINE_ROOM ||
	    !slash != !to->dir || dir != to->dir_len ||
	    (slash && memcmp(to->dir, path, dir) != 0)) {
		r = begin_line(to, scope, slash ? "files" : "unnamed");
		if (!r && slash)
			r = put_path(to->line, "dir", path, dir);
		to->dir = slash ? path : NULL;
		to->dir_len = dir;
		to->used = dir;
	}
	if (r)
		return r;
	if (!slash)
		return append(to, json_integer(record), 12);
	escape(slash + 1, len - dir - 1, text);
	return append(to, json_pack("[I, s]", (json_int_t)record, text),
		      strlen(text) + 16);
}

static int add_files(struct collecting *to, const struct scope *scope,
		     const struct exposure_block *block)
{
	int r = 0;

	for (unsigned int i = 0; !r && i < 64; i++)
		if (block->mask >> i & 1)
			r = add_file(to, scope, block->first * 64 + i);
	return r;
}

static int begin_rows(struct collecting *to, const struct scope *scope,
		      uint32_t record)
{
	size_t len = 0;
	const char *path =
		record_names_find(&to->agent->record_names, record, &len);
	int r;

	r = begin_line(to, scope, "rows");
	if (!r && path)
		r = put_path(to->line, "file", path, len);
	if (!r &&
	    (json_object_set_new(to->line, "record", json_integer(record)) |
	     json_object_set_new(to->line, "row_bytes",
				 json_integer(scope->row_bytes))))
		r = -ENOMEM;
	return r;
}

struct rows_of {
	struct collecting *to;
	const struct scope *scope;
	uint32_t record;
};

static int add_run(uint64_t first, uint64_t last, void *arg)
{
	const struct rows_of *rows = arg;
	struct collecting *to = rows->to;
	int r = 0;

	if (json_array_size(to->list) >= RANGES_MAX)
		r = begin_rows(to, rows->scope, rows->record);
	return r ? r
		 : append(to,
			  json_pack("[I, I]", (json_int_t)first,
				    (json_int_t)last),
			  24);
}

static int add_rows(struct collecting *to, const struct scope *scope,
		    const struct exposure_block *blocks, size_t n)
{
	struct rows_of rows = {to, scope, blocks[0].record};
	int r;

	r = begin_rows(to, scope, blocks[0].record);
	if (!r)
		r = exposure_runs(blocks, n, add_run, &rows);
	end_line(to);
	return r;
}

static int add_lines(struct collecting *to, const struct exposure_block *fresh,
		     size_t n)
{
	const struct scope *scope;
	size_t same;
	int r = 0;

	for (size_t i = 0; !r && i < n; i += same) {
		same = 1;
		scope = find_scope(to, fresh[i].origin);
		if (!scope->row_bytes) {
			r = add_files(to, scope, &fresh[i]);
			continue;
		}
		while (i + same < n &&
		       fresh[i + same].origin == scope->serial &&
		       fresh[i + same].record == fresh[i].record)
			same++;
		r = add_rows(to, scope, &fresh[i], same);
	}
	end_line(to);
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
	for (size_t i = 0; i < to->n_scopes; i++)
		to->scopes[i].row_bytes =
			guard_record_bytes(agent->guard, to->scopes[i].dataset);
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
	return r ? r : to->failed;
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
