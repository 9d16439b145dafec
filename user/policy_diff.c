// SPDX-License-Identifier: GPL-2.0-only
/* What is told of two policies, and their heads, datasets and quiet files. */
#include "policy_diff_internal.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "array.h"
#include "log.h"
#include "text.h"

const char *policy_change_name(enum policy_change kind)
{
	switch (kind) {
	case POLICY_LOOSER:
		return "looser";
	case POLICY_TIGHTER:
		return "tighter";
	case POLICY_MAY_BE_LOOSER:
	case POLICY_CHANGED:
	case POLICY_CHANGES:
		break;
	}
	return "changed";
}

/* ---- telling ------------------------------------------------------------ */

static void told_release(struct diff_told *told)
{
	free(told->is.words);
	free(told->head);
	free(told->datasets);
	free(told->tail);
}

static bool is_again(const struct diff_told *told, struct diff_at at,
		     const char *head, const char *tail)
{
	return told->datasets && told->is.kind == at.kind &&
	       told->is.old_line == at.old_line &&
	       told->is.new_line == at.new_line &&
	       strcmp(told->head, head) == 0 && strcmp(told->tail, tail) == 0;
}

/* One dataset more that the same can be said of. */
static int add_dataset(struct diff_told *told, const char *dataset)
{
	char *longer;

	if (asprintf(&longer, "%s, %s", told->datasets, dataset) < 0)
		return -ENOMEM;
	free(told->datasets);
	told->datasets = longer;
	told->n_datasets++;
	return 0;
}

static int add_told(struct diff *diff, struct diff_at at, const char *dataset,
		    const char *head, const char *tail)
{
	struct diff_told *told;

	told = array_grow(diff->told, diff->n_told, sizeof(*told));
	if (!told)
		return -ENOMEM;
	diff->told = told;
	told += diff->n_told;
	*told = (struct diff_told){
		.is = {.kind = at.kind,
		       .what = at.what,
		       .old_line = at.old_line,
		       .new_line = at.new_line},
		.head = strdup(head),
		.datasets = dataset ? strdup(dataset) : NULL,
		.n_datasets = dataset != NULL,
		.tail = strdup(tail),
	};
	diff->n_told++;
	return told->head && told->tail && (told->datasets || !dataset)
		       ? 0
		       : -ENOMEM;
}

/* What can be said of several datasets is in one bucket. */
static size_t *bucket_of(struct diff *diff, struct diff_at at, const char *head,
			 const char *tail)
{
	uint32_t hash = at.old_line * 31 + at.new_line;

	for (; *head; head++)
		hash = (hash ^ (uint8_t)*head) * 16777619U;
	for (; *tail; tail++)
		hash = (hash ^ (uint8_t)*tail) * 16777619U;
	return &diff->buckets[(hash ^ hash >> 16) % DIFF_BUCKETS];
}

void diff_tell_of(struct diff *diff, struct diff_at at, const char *dataset,
		  const char *head, const char *tail)
{
	size_t *bucket = bucket_of(diff, at, head, tail), i;

	if (diff->r)
		return;
	for (i = *bucket; i; i = diff->told[i - 1].next)
		if (is_again(&diff->told[i - 1], at, head, tail)) {
			diff->r = add_dataset(&diff->told[i - 1], dataset);
			return;
		}
	diff->r = add_told(diff, at, dataset, head, tail);
	if (diff->r)
		return;
	diff->told[diff->n_told - 1].next = *bucket;
	*bucket = diff->n_told;
}

void diff_tell(struct diff *diff, struct diff_at at, const char *format, ...)
{
	char *text;
	va_list ap;
	int n;

	if (diff->r)
		return;
	va_start(ap, format);
	n = vasprintf(&text, format, ap);
	va_end(ap);
	if (n < 0) {
		diff->r = -ENOMEM;
		return;
	}
	diff->r = add_told(diff, at, NULL, text, "");
	free(text);
}

/* ---- the head ----------------------------------------------------------- */

static void tell_switch(struct diff *diff, const char *key, bool before,
			bool after, const char *looser)
{
	struct diff_at at = {.kind = after ? POLICY_TIGHTER : POLICY_LOOSER,
			     .what = key};

	if (before != after)
		diff_tell(diff, at, "%s: %s; before: %s%s%s", key,
			  after ? "yes" : "no", before ? "yes" : "no",
			  after ? "" : ": ", after ? "" : looser);
}

static void say_date(int64_t s, int64_t never, char *buf, size_t size)
{
	if (s == never)
		(void)snprintf(buf, size, "not given");
	else
		text_format_time(s, buf, size);
}

static void diff_dates(struct diff *diff)
{
	const struct policy *a = diff->before, *b = diff->after;
	char before[TEXT_NUMBER_CHARS_MAX], after[TEXT_NUMBER_CHARS_MAX];
	struct diff_at at = {
		.kind = POLICY_CHANGED,
		.what = "expires",
		.old_line = a->expires_pos.line,
		.new_line = b->expires_pos.line,
	};

	if (b->expires_s == INT64_MAX)
		at.kind = POLICY_LOOSER;
	else if (a->expires_s == INT64_MAX)
		at.kind = POLICY_TIGHTER;
	say_date(a->expires_s, INT64_MAX, before, sizeof(before));
	say_date(b->expires_s, INT64_MAX, after, sizeof(after));
	if (a->expires_s != b->expires_s)
		diff_tell(diff, at, "expires: %s; before: %s%s", after, before,
			  at.kind == POLICY_LOOSER
				  ? ": no host ever says that it is old"
				  : "");
	say_date(a->not_before_s, 0, before, sizeof(before));
	say_date(b->not_before_s, 0, after, sizeof(after));
	if (a->not_before_s != b->not_before_s)
		diff_tell(diff,
			  (struct diff_at){POLICY_CHANGED, "not-before", 0, 0},
			  "not-before: %s; before: %s", after, before);
}

static const struct policy_host *find_host(const struct policy *policy,
					   const char *glob)
{
	for (size_t i = 0; i < policy->n_hosts; i++)
		if (strcmp(policy->hosts[i].glob, glob) == 0 ||
		    strcmp(policy->hosts[i].glob, "*") == 0)
			return &policy->hosts[i];
	return NULL;
}

static void diff_hosts(struct diff *diff)
{
	const struct policy *before = diff->before, *after = diff->after;
	const struct policy_host *host;

	for (size_t i = 0; i < after->n_hosts; i++) {
		host = &after->hosts[i];
		if (!find_host(before, host->glob))
			diff_tell(diff,
				  (struct diff_at){POLICY_MAY_BE_LOOSER,
						   "hosts", 0, host->pos.line},
				  "hosts: %s take it too, in the place of what "
				  "they have",
				  host->glob);
	}
	for (size_t i = 0; i < before->n_hosts; i++) {
		host = &before->hosts[i];
		if (!find_host(after, host->glob))
			diff_tell(diff,
				  (struct diff_at){POLICY_MAY_BE_LOOSER,
						   "hosts", host->pos.line, 0},
				  "hosts: of %s not all take it any more: they "
				  "stay with what they have, and one that "
				  "begins anew has none",
				  host->glob);
	}
}

void diff_head(struct diff *diff)
{
	const struct policy *a = diff->before, *b = diff->after;

	if (a->mode != b->mode)
		diff_tell(diff,
			  (struct diff_at){.kind = b->mode == POLICY_OBSERVE
							   ? POLICY_LOOSER
							   : POLICY_TIGHTER,
					   .what = "mode"},
			  "mode: %s; before: %s: what goes beyond budgets is "
			  "%s",
			  policy_mode_name(b->mode), policy_mode_name(a->mode),
			  b->mode == POLICY_OBSERVE
				  ? "reported, and nothing is blocked"
				  : "blocked, where rules say so");
	tell_switch(diff, "follow-files", a->follow_files, b->follow_files,
		    "files that holders write carry nothing");
	tell_switch(diff, "follow-names", a->follow_names, b->follow_names,
		    "names and command lines carry nothing");
	diff_hosts(diff);
	diff_dates(diff);
	if (strcmp(a->issuer, b->issuer) != 0)
		diff_tell(diff,
			  (struct diff_at){POLICY_CHANGED, "issuer", 0, 0},
			  "issuer: %s; before: %s", b->issuer, a->issuer);
}

/* ---- datasets ----------------------------------------------------------- */

/* The longest path of some that holds another. */
struct owner {
	const struct policy_path *path;
	uint32_t at; /* the dataset's, or the quiet files'; valid if .path */
};

static void own(struct owner *owner, const struct policy_path *paths, size_t n,
		uint32_t at, const char *path)
{
	for (size_t i = 0; i < n; i++) {
		if (!diff_path_holds(paths[i].path, path) ||
		    (owner->path &&
		     strlen(paths[i].path) <= strlen(owner->path->path)))
			continue;
		owner->path = &paths[i];
		owner->at = at;
	}
}

static struct owner dataset_owner(const struct policy *policy, const char *path)
{
	struct owner owner = {0};

	for (uint32_t i = 0; i < policy->n_datasets; i++)
		own(&owner, policy->datasets[i].paths,
		    policy->datasets[i].n_paths, i, path);
	return owner;
}

static struct owner quiet_owner(const struct policy *policy, const char *path)
{
	struct owner owner = {0};

	for (uint32_t i = 0; i < policy->n_quiet; i++)
		own(&owner, policy->quiet[i].paths, policy->quiet[i].n_paths, i,
		    path);
	return owner;
}

static void diff_path(struct diff *diff, const char *path)
{
	struct owner a = dataset_owner(diff->before, path);
	struct owner b = dataset_owner(diff->after, path);
	const char *before = "", *after = "";
	struct diff_at at = {
		.what = "paths",
		.old_line = a.path ? a.path->pos.line : 0,
		.new_line = b.path ? b.path->pos.line : 0,
	};

	if (a.path)
		before = diff->before->datasets[a.at].name;
	if (b.path)
		after = diff->after->datasets[b.at].name;
	if (strcmp(before, after) == 0)
		return;
	if (!b.path) {
		at.kind = POLICY_LOOSER;
		diff_tell(diff, at,
			  "%s is in no dataset, and not guarded; before: in %s",
			  path, before);
	} else if (!a.path) {
		at.kind = POLICY_TIGHTER;
		diff_tell(diff, at,
			  "%s is in dataset %s; before: in none, and not "
			  "guarded",
			  path, after);
	} else {
		at.kind = POLICY_MAY_BE_LOOSER;
		diff_tell(diff, at,
			  "%s is in dataset %s; before: in %s: other rules "
			  "decide, and all budgets of it begin anew",
			  path, after, before);
	}
}

static void say_record(const struct policy_dataset *dataset, char *buf,
		       size_t size)
{
	switch (dataset->record) {
	case POLICY_RECORD_FILE:
		(void)snprintf(buf, size, "a file");
		break;
	case POLICY_RECORD_LINE:
		(void)snprintf(buf, size, "a line");
		break;
	case POLICY_RECORD_BYTES:
		(void)snprintf(buf, size, "%" PRIu32 " bytes",
			       dataset->record_bytes);
		break;
	}
}

/*
 * Larger rows are fewer. But smaller ones are not tighter for certain: which
 * were read is known by their numbers, and two that lie in one row now could
 * have been in two before.
 */
static void diff_record(struct diff *diff, const struct policy_dataset *a,
			const struct policy_dataset *b)
{
	char before[64], after[64];
	bool larger = a->record == POLICY_RECORD_BYTES &&
		      b->record == POLICY_RECORD_BYTES &&
		      b->record_bytes > a->record_bytes;

	if (a->record == b->record && a->record_bytes == b->record_bytes)
		return;
	say_record(a, before, sizeof(before));
	say_record(b, after, sizeof(after));
	diff_tell(
		diff,
		(struct diff_at){larger ? POLICY_LOOSER : POLICY_MAY_BE_LOOSER,
				 "record", a->pos.line, b->pos.line},
		"a record of %s is %s; before: %s: %s", b->name, after, before,
		larger ? "the same budget is for more bytes of it"
		       : "what counts as one is another, and what was read so "
			 "far is known by numbers that stand for others");
}

/* Evidence goes further than the dataset does. */
static void diff_key(struct diff *diff, const struct policy_dataset *a,
		     const struct policy_dataset *b)
{
	struct diff_at at = {
		.kind = POLICY_MAY_BE_LOOSER,
		.what = "key",
		.old_line = a->key_from ? a->key_pos.line : a->pos.line,
		.new_line = b->key_from ? b->key_pos.line : b->pos.line,
	};

	if (a->key_from == b->key_from && a->key_to == b->key_to)
		return;
	if (!b->key_from) {
		at.kind = POLICY_CHANGED;
		diff_tell(diff, at,
			  "evidence has no bytes of the rows of %s that were "
			  "read; before: bytes %" PRIu32 " to %" PRIu32,
			  b->name, a->key_from, a->key_to);
		return;
	}
	if (a->key_from && b->key_from >= a->key_from && b->key_to <= a->key_to)
		at.kind = POLICY_CHANGED;
	if (a->key_from)
		diff_tell(diff, at,
			  "evidence has bytes %" PRIu32 " to %" PRIu32
			  " of each row of %s that was read; before: %" PRIu32
			  " to %" PRIu32,
			  b->key_from, b->key_to, b->name, a->key_from,
			  a->key_to);
	else
		diff_tell(diff, at,
			  "evidence has bytes %" PRIu32 " to %" PRIu32
			  " of each row of %s that was read; before: none",
			  b->key_from, b->key_to, b->name);
}

/* What a report says, and what is only reckoned with. */
static void diff_stated(struct diff *diff, const struct policy_dataset *a,
			const struct policy_dataset *b)
{
	const char *before = a->classification ? a->classification : "none";
	const char *after = b->classification ? b->classification : "none";
	struct diff_at at = {POLICY_CHANGED, "classification", a->pos.line,
			     b->pos.line};

	if (strcmp(before, after) != 0)
		diff_tell(diff, at, "classification of %s: %s; before: %s",
			  b->name, after, before);
	at.what = "squeeze";
	if (a->squeeze != b->squeeze)
		diff_tell(diff, at,
			  "squeeze of %s: %" PRIu32 "; before: %" PRIu32
			  " (0: not stated)",
			  b->name, b->squeeze, a->squeeze);
	at.what = "floor";
	if (a->floor_bytes != b->floor_bytes)
		diff_tell(diff, at,
			  "floor of %s: %" PRIu32 "; before: %" PRIu32
			  " (0: not stated)",
			  b->name, b->floor_bytes, a->floor_bytes);
}

/* Each path of either policy once. */
static void each_path(struct diff *diff,
		      void (*fn)(struct diff *diff, const char *path))
{
	const struct policy *before = diff->before, *after = diff->after;
	struct owner there;
	const char *path;

	for (size_t i = 0; i < before->n_datasets; i++)
		for (size_t j = 0; j < before->datasets[i].n_paths; j++)
			fn(diff, before->datasets[i].paths[j].path);
	for (size_t i = 0; i < after->n_datasets; i++)
		for (size_t j = 0; j < after->datasets[i].n_paths; j++) {
			path = after->datasets[i].paths[j].path;
			there = dataset_owner(before, path);
			if (!there.path || strcmp(there.path->path, path) != 0)
				fn(diff, path);
		}
}

void diff_datasets(struct diff *diff)
{
	const struct policy *before = diff->before, *after = diff->after;
	const struct policy_dataset *a, *b;
	uint32_t k;

	each_path(diff, diff_path);
	for (size_t i = 0; i < after->n_datasets; i++) {
		b = &after->datasets[i];
		if (policy_find_dataset(before, b->name, &k)) {
			/* its paths have been told; its rows' bytes not */
			a = &(struct policy_dataset){.pos = {0, 0}};
			diff_key(diff, a, b);
			continue;
		}
		a = &before->datasets[k];
		diff_record(diff, a, b);
		diff_key(diff, a, b);
		diff_stated(diff, a, b);
	}
}

/* ---- quiet files -------------------------------------------------------- */

static void say_quiet(const struct diff_words *words,
		      const struct diff_flow *flow, char *buf, size_t size)
{
	const char *before = words->diff->before->quiet[flow->before].name;
	const char *after = words->diff->after->quiet[flow->after].name;

	if (strcmp(before, after) == 0)
		(void)snprintf(buf, size, "quiet files %s", after);
	else
		(void)snprintf(buf, size, "%s (quiet files %s, until now %s)",
			       flow->where, after, before);
}

static void say_nothing(const struct diff_words *words,
			const struct diff_flow *flow, char *buf, size_t size)
{
	(void)words;
	(void)flow;
	(void)size;
	buf[0] = '\0';
}

/* A path that is quiet in one of the policies only. */
static void tell_quiet(struct diff *diff, const char *path,
		       const struct policy_quiet *quiet, bool now)
{
	char cap[POLICY_BUDGET_CHARS_MAX];
	struct diff_at at = {
		.kind = now ? POLICY_LOOSER : POLICY_TIGHTER,
		.what = "quiet-files",
		.old_line = now ? 0 : quiet->pos.line,
		.new_line = now ? quiet->pos.line : 0,
	};

	policy_budget_format(&quiet->cap, cap, sizeof(cap));
	if (now)
		diff_tell(diff, at,
			  "%s is quiet (%s): takes in %s from holders without "
			  "becoming a carrier; before: nothing",
			  path, quiet->name, cap);
	else
		diff_tell(diff, at,
			  "%s is not quiet any more, and carries what holders "
			  "write; before: took in %s as %s",
			  path, cap, quiet->name);
}

/* The flow of a path that is quiet in both policies; false: it is told. */
static bool quiet_flow(struct diff *diff, const char *path,
		       struct diff_flow *ret_flow)
{
	struct owner a = quiet_owner(diff->before, path);
	struct owner b = quiet_owner(diff->after, path);
	const struct policy_quiet *before = NULL, *after = NULL;

	if (a.path)
		before = &diff->before->quiet[a.at];
	if (b.path)
		after = &diff->after->quiet[b.at];
	if (before && !after)
		tell_quiet(diff, path, before, false);
	if (after && !before)
		tell_quiet(diff, path, after, true);
	if (!before || !after)
		return false;
	*ret_flow = (struct diff_flow){
		.before = a.at,
		.after = b.at,
		.old = {&before->cap, false},
		.new = {&after->cap, false},
		.old_line = before->cap.pos.line,
		.new_line = after->cap.pos.line,
		.same = strcmp(before->name, after->name) == 0,
		.where = path,
	};
	return true;
}

static void diff_quiet(struct diff *diff)
{
	const struct policy *policies[] = {diff->before, diff->after};
	const struct diff_words words = {
		.what = "quiet-files",
		.who = say_quiet,
		.verb = "take in",
		.of = " from holders without becoming carriers",
		.tail = say_nothing,
		.diff = diff,
	};
	const struct policy_quiet *quiet;
	struct diff_flow *flows;
	struct owner there;
	size_t n = 0;

	/* Where none is followed all are as quiet as can be. */
	if (diff->r || !diff->before->follow_files ||
	    !diff->after->follow_files)
		return;
	flows = calloc((size_t)2 * POLICY_QUIET_MAX * POLICY_PATHS_MAX,
		       sizeof(*flows));
	if (!flows) {
		diff->r = -ENOMEM;
		return;
	}
	for (size_t k = 0; k < 2; k++)
		for (size_t i = 0; i < policies[k]->n_quiet; i++) {
			quiet = &policies[k]->quiet[i];
			for (size_t j = 0; j < quiet->n_paths; j++) {
				there = quiet_owner(diff->before,
						    quiet->paths[j].path);
				if (k && there.path &&
				    strcmp(there.path->path,
					   quiet->paths[j].path) == 0)
					continue;
				n += quiet_flow(diff, quiet->paths[j].path,
						&flows[n]);
			}
		}
	diff_flows(diff, &words, flows, n);
	free(flows);
}

/* ---- all of it ---------------------------------------------------------- */

static int finish(struct diff_told *told, size_t n_common,
		  struct policy_difference *ret_difference)
{
	const char *datasets = told->datasets ? told->datasets : "";
	int n;

	if (told->n_datasets > 1 && told->n_datasets == n_common)
		datasets = "every dataset";
	n = asprintf(&told->is.words, "%s%s%s", told->head, datasets,
		     told->tail);
	if (n < 0) {
		told->is.words = NULL;
		return -ENOMEM;
	}
	log_clean(told->is.words);
	*ret_difference = told->is;
	told->is.words = NULL;
	return 0;
}

/* By kind, and in the order in which they were found. */
static int gather(struct diff *diff, struct policy_diff *result)
{
	struct policy_difference *v;
	int r = 0;

	result->v = calloc(diff->n_told + 1, sizeof(*result->v));
	if (!result->v)
		return -ENOMEM;
	for (enum policy_change kind = 0; kind < POLICY_CHANGES; kind++)
		for (size_t i = 0; i < diff->n_told && !r; i++) {
			if (diff->told[i].is.kind != kind)
				continue;
			v = &result->v[result->n];
			r = finish(&diff->told[i], diff->n_common, v);
			if (r)
				break;
			result->n++;
			result->counts[kind]++;
		}
	return r;
}

static void diff_serial(struct diff *diff)
{
	uint64_t before = diff->before->serial, after = diff->after->serial;
	const struct diff_at at = {.kind = POLICY_CHANGED, .what = "serial"};

	if (after > before)
		diff_tell(diff, at, "serial: %" PRIu64 "; before: %" PRIu64,
			  after, before);
	else if (after < before || diff->n_told)
		diff_tell(diff, at,
			  "serial: %" PRIu64 ", which does not rise above "
			  "%" PRIu64 ": hosts that have had that refuse it",
			  after, before);
}

int policy_diff(const struct policy *before, const struct policy *after,
		struct policy_diff **ret_diff)
{
	struct policy_diff *result = calloc(1, sizeof(*result));
	struct diff *diff = calloc(1, sizeof(*diff));
	int r = -ENOMEM;

	if (!result || !diff)
		goto out;
	diff->before = before;
	diff->after = after;
	diff_head(diff);
	diff_datasets(diff);
	diff_rules(diff);
	diff_quiet(diff);
	diff_serial(diff);
	result->falls = diff->n_told && after->serial <= before->serial;
	r = diff->r ? diff->r : gather(diff, result);
	if (!r) {
		*ret_diff = result;
		result = NULL;
	}
	for (size_t i = 0; i < diff->n_told; i++)
		told_release(&diff->told[i]);
	free(diff->told);
out:
	free(diff);
	policy_diff_free(result);
	return r;
}

void policy_diff_free(struct policy_diff *diff)
{
	if (!diff)
		return;
	for (size_t i = 0; i < diff->n; i++)
		free(diff->v[i].words);
	free(diff->v);
	free(diff);
}
