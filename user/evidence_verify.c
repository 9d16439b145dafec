// SPDX-License-Identifier: GPL-2.0-only
#include "evidence_verify.h"
#include "array.h"
#include "text.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* So many are told of a file that has something else in it. */
#define NO_LINES_MAX 20

/* What lines say that no checkpoint has signed yet. */
struct pending {
	uint64_t lines;
	uint64_t first; /* numbers of these lines: the lowest, */
	uint64_t last;	/* and the highest */
	uint64_t skipped;
	uint64_t retired;
};

struct verifying {
	const struct evidence_query *query;
	evidence_finding_fn fn;
	void *arg;
	struct evidence_result *result;
	const struct evidence_line *line;
	bool is_last;			/* of the files */
	struct evidence_line before;	/* .text is gone */
	uint64_t begin;			/* first number that is accounted for */
	uint64_t seq;			/* of the line before; 0: none */
	char prev[SIGN_HASH_CHARS_MAX]; /* its hash */
	uint64_t run;	 /* first line of those that follow each other */
	bool run_signed; /* there is a checkpoint among these */
	struct pending pending;
	uint64_t kept;	   /* number of query->checkpoint; 0: it was seen */
	uint64_t no_lines; /* of this file */
	/* A line that the next one contradicts, if that is what it was. */
	struct evidence_line suspect;
	uint64_t suspected; /* 0: none */
};

static const char *const names[EVIDENCE_PROBLEMS] = {
	[EVIDENCE_UNPROVEN] = "unproven", [EVIDENCE_CHANGED] = "changed",
	[EVIDENCE_MISSING] = "missing",	  [EVIDENCE_ORDER] = "order",
	[EVIDENCE_FOREIGN] = "foreign",	  [EVIDENCE_FORGED] = "forged",
	[EVIDENCE_NO_LINE] = "no-line",	  [EVIDENCE_DAMAGED] = "damaged",
	[EVIDENCE_CUT] = "cut",		  [EVIDENCE_OTHER] = "other",
	[EVIDENCE_STRANGER] = "stranger",
};

const char *evidence_problem_name(enum evidence_problem problem)
{
	return problem < EVIDENCE_PROBLEMS ? names[problem] : "?";
}

static void tell(struct verifying *verifying, enum evidence_problem problem,
		 uint64_t first, uint64_t last, const char *format, ...)
	__attribute__((format(printf, 5, 6)));

static void tell(struct verifying *verifying, enum evidence_problem problem,
		 uint64_t first, uint64_t last, const char *format, ...)
{
	const struct evidence_query *query = verifying->query;
	struct evidence_finding finding = {
		.problem = problem,
		.file = verifying->line ? verifying->line->file : "",
		.number = verifying->line ? verifying->line->number : 0,
		.first = first,
		.last = last,
	};
	char words[512];
	va_list ap;

	/* What has no number can be any line. */
	if (first && ((query->from && last < query->from) ||
		      (query->to && first > query->to)))
		return;
	va_start(ap, format);
	(void)vsnprintf(words, sizeof(words), format, ap);
	va_end(ap);
	finding.words = words;
	verifying->result->problems++;
	verifying->fn(&finding, verifying->arg);
}

/* ---- the chain ---------------------------------------------------------- */

/*
 * Two lines that do not fit together: which was changed? If the second does not
 * fit to the third one either, it was that, and of the first nobody can say.
 */
static void suspect(struct verifying *verifying)
{
	verifying->suspect = verifying->before;
	verifying->suspected = verifying->seq;
}

static void convict(struct verifying *verifying)
{
	const struct evidence_line *line = verifying->line;
	uint64_t seq = verifying->suspected;

	if (!seq)
		return;
	verifying->suspected = 0;
	verifying->line = &verifying->suspect;
	tell(verifying, EVIDENCE_CHANGED, seq, seq,
	     "line %" PRIu64 " was changed: it is not the one that the line "
	     "behind it was written behind",
	     seq);
	verifying->line = line;
}

static void check_order(struct verifying *verifying, uint64_t seq,
			uint64_t skipped, bool chained)
{
	uint64_t before = verifying->seq, expected = before + 1 + skipped;

	if (seq <= before) {
		/* Any of these may be the one that does not belong. */
		tell(verifying, EVIDENCE_ORDER, seq, before,
		     "line %" PRIu64 " stands behind line %" PRIu64
		     ": lines were put in, doubled or moved",
		     seq, before);
	} else if (seq > expected) {
		tell(verifying, EVIDENCE_MISSING, before + 1, seq - skipped - 1,
		     "lines %" PRIu64 " to %" PRIu64 " are missing", before + 1,
		     seq - skipped - 1);
	} else if (seq < expected) {
		tell(verifying, EVIDENCE_ORDER, seq, seq,
		     "line %" PRIu64 " says that %" PRIu64
		     " are missing before it, but they are there",
		     seq, skipped);
	} else if (!chained) {
		suspect(verifying);
	}
}

/* The lines that follow each other end here, and the last of them unsigned. */
static void end_run(struct verifying *verifying)
{
	const struct pending *pending = &verifying->pending;

	if (pending->lines)
		tell(verifying, EVIDENCE_UNPROVEN, pending->first,
		     pending->last,
		     "no checkpoint stands for line%s %" PRIu64 " to %" PRIu64
		     " before this",
		     pending->lines == 1 ? "" : "s", pending->first,
		     pending->last);
	verifying->pending = (struct pending){0};
}

/* Ranges that meet become one; as a rule the last one grows. */
static int add_proven(struct evidence_result *result, uint64_t first,
		      uint64_t last)
{
	struct evidence_range *ranges;
	size_t n = result->n_proven, from = 0, to;

	ranges = array_grow(result->proven, n, sizeof(*ranges));
	if (!ranges)
		return -ENOMEM;
	result->proven = ranges;
	if (n && ranges[n - 1].last + 1 < first)
		from = n;
	while (from < n && ranges[from].last + 1 < first)
		from++;
	for (to = from; to < n && ranges[to].first <= last + 1; to++) {
		if (ranges[to].first < first)
			first = ranges[to].first;
		if (ranges[to].last > last)
			last = ranges[to].last;
	}
	memmove(ranges + from + 1, ranges + to, (n - to) * sizeof(*ranges));
	ranges[from] = (struct evidence_range){first, last};
	result->n_proven = n - (to - from) + 1;
	return 0;
}

static const struct sign_public *find_key(const struct evidence_query *query,
					  const char *id)
{
	char own[SIGN_ID_CHARS_MAX];

	for (size_t i = 0; i < query->n_keys; i++) {
		sign_id(&query->keys[i], own);
		if (strcmp(own, id) == 0)
			return &query->keys[i];
	}
	return NULL;
}

static int check_signature(struct verifying *verifying, const json_t *object,
			   uint64_t seq)
{
	const struct evidence_line *line = verifying->line;
	struct evidence_result *result = verifying->result;
	char signature[SIGN_SIGNATURE_CHARS_MAX], id[TEXT_QUOTE_CHARS_MAX];
	const struct sign_public *key;
	const char *named;
	size_t len;

	if (evidence_signed(line->text, line->len, &len, signature)) {
		tell(verifying, EVIDENCE_FORGED, seq, seq,
		     "line %" PRIu64 " calls itself a checkpoint and has no "
		     "signature",
		     seq);
		return 0;
	}
	key = find_key(verifying->query, evidence_text(object, "key"));
	if (!key) {
		named = evidence_text(object, "key");
		text_quote(named, strlen(named), id, sizeof(id));
		tell(verifying, EVIDENCE_FOREIGN, seq, seq,
		     "line %" PRIu64 " is signed by the key %s, which is not "
		     "the host's: it comes from another host, or its key was "
		     "made anew and is not given",
		     seq, id);
		return 0;
	}
	if (!sign_check(key, line->text, len, signature)) {
		tell(verifying, EVIDENCE_FORGED, seq, seq,
		     "the signature of line %" PRIu64 " is wrong", seq);
		return 0;
	}
	result->last = seq;
	memcpy(result->head, verifying->prev, sizeof(result->head));
	result->skipped += verifying->pending.skipped;
	if (verifying->pending.retired > result->retired)
		result->retired = verifying->pending.retired;
	verifying->pending = (struct pending){0};
	verifying->run_signed = true;
	(void)snprintf(result->signed_time, sizeof(result->signed_time), "%s",
		       evidence_text(object, "time"));
	(void)snprintf(result->host, sizeof(result->host), "%s",
		       evidence_text(object, "host"));
	return add_proven(result, verifying->run, seq);
}

static void check_kept(struct verifying *verifying, uint64_t seq)
{
	const struct evidence_query *query = verifying->query;
	const struct evidence_line *line = verifying->line;

	if (!verifying->kept || seq != verifying->kept)
		return;
	verifying->kept = 0;
	if (line->len != query->checkpoint_len ||
	    memcmp(line->text, query->checkpoint, line->len) != 0)
		tell(verifying, EVIDENCE_OTHER, seq, seq,
		     "line %" PRIu64 " is not the checkpoint of that number "
		     "which was kept: one of them is of another log",
		     seq);
}

static uint64_t number_below(const json_t *object, const char *key,
			     uint64_t limit)
{
	uint64_t n = evidence_number(object, key);

	return n < limit ? n : 0;
}

/* What is no line: a few are told, then the file is given up. */
static int check_no_line(struct verifying *verifying)
{
	const struct evidence_line *line = verifying->line;

	if (!line->whole && verifying->is_last) {
		verifying->result->unfinished = true;
		return 0;
	}
	tell(verifying, EVIDENCE_NO_LINE, 0, 0,
	     line->whole ? "this is no line of evidence"
			 : "this line is only half there");
	return ++verifying->no_lines < NO_LINES_MAX ? 0 : -EUCLEAN;
}

static void add_pending(struct verifying *verifying, const json_t *object,
			uint64_t seq, uint64_t skipped)
{
	struct pending *pending = &verifying->pending;
	uint64_t retired = 0;

	if (strcmp(evidence_text(object, "type"), "retired") == 0)
		retired = number_below(object, "last", seq);
	pending->lines++;
	if (!pending->first || seq < pending->first)
		pending->first = seq;
	if (seq > pending->last)
		pending->last = seq;
	pending->skipped += skipped;
	if (retired > pending->retired)
		pending->retired = retired;
}

static int check_line(const struct evidence_line *line, void *arg)
{
	struct verifying *verifying = arg;
	struct evidence_result *result = verifying->result;
	json_t *object = NULL;
	uint64_t seq, skipped;
	const char *prev;
	bool chained;
	int r;

	verifying->line = line;
	r = line->whole ? evidence_parse(line->text, line->len, &object, &seq,
					 &prev)
			: -EINVAL;
	if (r)
		return r == -ENOMEM ? r : check_no_line(verifying);
	skipped = number_below(object, "skipped", seq);
	chained = verifying->seq && strcmp(prev, verifying->prev) == 0;
	if (chained)
		convict(verifying);
	if (!verifying->seq) {
		result->first = seq;
		verifying->begin = seq - skipped;
	} else {
		if (!chained)
			end_run(verifying);
		check_order(verifying, seq, skipped, chained);
	}
	if (!chained) {
		verifying->run = seq;
		verifying->run_signed = false;
	}
	verifying->seq = seq;
	sign_hash(line->text, line->len, verifying->prev);
	add_pending(verifying, object, seq, skipped);
	if (strcmp(evidence_text(object, "type"), "checkpoint") == 0)
		r = check_signature(verifying, object, seq);
	check_kept(verifying, seq);
	verifying->before = *line;
	json_decref(object);
	return r;
}

/* ---- all of it ---------------------------------------------------------- */

static int take_kept(struct verifying *verifying)
{
	const struct evidence_query *query = verifying->query;
	char signature[SIGN_SIGNATURE_CHARS_MAX];
	const struct sign_public *key;
	json_t *object;
	const char *prev;
	size_t len;
	int r = 0;

	if (!query->checkpoint)
		return 0;
	if (evidence_signed(query->checkpoint, query->checkpoint_len, &len,
			    signature) ||
	    evidence_parse(query->checkpoint, query->checkpoint_len, &object,
			   &verifying->kept, &prev))
		return -EINVAL;
	key = find_key(query, evidence_text(object, "key"));
	if (!key || !sign_check(key, query->checkpoint, len, signature))
		r = -EINVAL;
	json_decref(object);
	return r;
}

/* A checkpoint that was kept, of a line that is not there. */
static void check_kept_end(struct verifying *verifying)
{
	const struct evidence_result *result = verifying->result;
	uint64_t kept = verifying->kept;

	if (!kept || kept > result->last)
		return;
	if (kept <= result->retired)
		tell(verifying, EVIDENCE_MISSING, kept, kept,
		     "the checkpoint that was kept, line %" PRIu64
		     ", was retired, so nothing can be compared with it",
		     kept);
	else
		tell(verifying, EVIDENCE_MISSING, kept, kept,
		     "the checkpoint that was kept, line %" PRIu64
		     ", is not there",
		     kept);
}

static void check_end(struct verifying *verifying)
{
	const struct evidence_query *query = verifying->query;
	struct evidence_result *result = verifying->result;
	uint64_t last = query->last > verifying->kept ? query->last
						      : verifying->kept;

	convict(verifying);
	verifying->line = NULL;
	/* The end of a log that goes on, or of something that was put there? */
	if (verifying->run_signed) {
		result->unproven = verifying->pending.lines;
		verifying->pending = (struct pending){0};
	}
	end_run(verifying);
	if (query->all && verifying->begin > result->retired + 1)
		tell(verifying, EVIDENCE_MISSING, result->retired + 1,
		     verifying->begin - 1,
		     "the log begins with line %" PRIu64 ", and no line that "
		     "is proven says that those before were retired",
		     result->first);
	if (last > result->last)
		tell(verifying, EVIDENCE_CUT, result->last + 1, last,
		     "there was a line %" PRIu64 ", but what is proven ends "
		     "with line %" PRIu64 ": the end is missing",
		     last, result->last);
	check_kept_end(verifying);
}

static void take_stranger(const char *path, const char *why, void *arg)
{
	struct verifying *verifying = arg;
	const struct evidence_line line = {.file = path};

	verifying->line = &line;
	tell(verifying, EVIDENCE_STRANGER, 0, 0,
	     "%s, and was not looked at: take nothing in it for evidence", why);
	verifying->line = NULL;
}

static int check_file(struct verifying *verifying, const char *file)
{
	struct evidence_line start = {.file = file};
	int r;

	verifying->no_lines = 0;
	r = evidence_read(file, check_line, verifying);
	/* -ENOMEM can be either's; what is left is the file's. */
	if (!r || r == -ENOMEM)
		return r;
	verifying->line = &start;
	tell(verifying, EVIDENCE_DAMAGED, 0, 0,
	     "the file cannot be read behind line %" PRIu64 " of the log: %s",
	     verifying->seq, r == -EUCLEAN ? "it is damaged" : strerror(-r));
	verifying->line = NULL;
	return 0;
}

int evidence_verify(const struct evidence_query *query, evidence_finding_fn fn,
		    void *arg, struct evidence_result *ret_result)
{
	struct evidence_result result = {0};
	struct verifying verifying = {
		.query = query, .fn = fn, .arg = arg, .result = &result};
	char **files = NULL;
	size_t n = 0;
	int r;

	r = take_kept(&verifying);
	if (!r)
		r = evidence_files(query->paths, query->n_paths, take_stranger,
				   &verifying, &files, &n);
	for (size_t i = 0; !r && i < n; i++) {
		verifying.is_last = i + 1 == n;
		r = check_file(&verifying, files[i]);
	}
	if (!r)
		check_end(&verifying);
	evidence_files_free(files, n);
	if (r) {
		evidence_result_release(&result);
		return r;
	}
	*ret_result = result;
	return 0;
}

void evidence_result_release(struct evidence_result *result)
{
	free(result->proven);
	memset(result, 0, sizeof(*result));
}

bool evidence_result_covers(const struct evidence_result *result, uint64_t from,
			    uint64_t to)
{
	for (size_t i = 0; i < result->n_proven; i++)
		if (from >= result->proven[i].first &&
		    to <= result->proven[i].last)
			return true;
	return false;
}
