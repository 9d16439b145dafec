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
	uint64_t run;  /* first line of those that follow each other */
	uint64_t kept; /* number of query->checkpoint; 0: it was seen */
	/* A line that the next one contradicts, if that is what it was. */
	struct evidence_line suspect;
	uint64_t suspected; /* 0: none */
};

static const char *const names[EVIDENCE_PROBLEMS] = {
	[EVIDENCE_CHANGED] = "changed", [EVIDENCE_MISSING] = "missing",
	[EVIDENCE_ORDER] = "order",	[EVIDENCE_FOREIGN] = "foreign",
	[EVIDENCE_FORGED] = "forged",	[EVIDENCE_NO_LINE] = "no-line",
	[EVIDENCE_DAMAGED] = "damaged", [EVIDENCE_CUT] = "cut",
	[EVIDENCE_OTHER] = "other",
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
		tell(verifying, EVIDENCE_ORDER, seq, seq,
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

static const char *text_of(const json_t *object, const char *key)
{
	const char *text = json_string_value(json_object_get(object, key));

	return text ? text : "";
}

/* A name out of evidence, for a message. */
static void quote(const char *text, char buf[TEXT_QUOTE_CHARS_MAX])
{
	text_quote(text, strlen(text), buf, TEXT_QUOTE_CHARS_MAX);
}

static int check_signature(struct verifying *verifying, const json_t *object,
			   uint64_t seq)
{
	const struct evidence_line *line = verifying->line;
	struct evidence_result *result = verifying->result;
	char signature[SIGN_SIGNATURE_CHARS_MAX], id[TEXT_QUOTE_CHARS_MAX];
	const struct sign_public *key;
	size_t len;

	if (evidence_signed(line->text, line->len, &len, signature)) {
		tell(verifying, EVIDENCE_FORGED, seq, seq,
		     "line %" PRIu64 " calls itself a checkpoint and has no "
		     "signature",
		     seq);
		return 0;
	}
	key = find_key(verifying->query, text_of(object, "key"));
	if (!key) {
		quote(text_of(object, "key"), id);
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
	result->signed_to = seq;
	(void)snprintf(result->signed_time, sizeof(result->signed_time), "%s",
		       text_of(object, "time"));
	(void)snprintf(result->host, sizeof(result->host), "%s",
		       text_of(object, "host"));
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

static void check_retired(struct evidence_result *result, const json_t *object,
			  uint64_t seq)
{
	json_int_t last = json_integer_value(json_object_get(object, "last"));

	if (last > 0 && last < (json_int_t)seq &&
	    (uint64_t)last > result->retired)
		result->retired = (uint64_t)last;
}

static int check_line(const struct evidence_line *line, void *arg)
{
	struct verifying *verifying = arg;
	struct evidence_result *result = verifying->result;
	json_t *object, *skips;
	uint64_t seq, skipped;
	const char *prev;
	bool chained;
	int r = 0;

	verifying->line = line;
	if (!line->whole && verifying->is_last) {
		result->unfinished = true;
		return 0;
	}
	result->lines++;
	if (!line->whole ||
	    evidence_parse(line->text, line->len, &object, &seq, &prev)) {
		tell(verifying, EVIDENCE_NO_LINE, 0, 0,
		     line->whole ? "this is no line of evidence"
				 : "this line is only half there");
		return 0;
	}
	skips = json_object_get(object, "skipped");
	skipped = json_integer_value(skips) > 0 &&
				  json_integer_value(skips) < (json_int_t)seq
			  ? (uint64_t)json_integer_value(skips)
			  : 0;
	chained = verifying->seq && strcmp(prev, verifying->prev) == 0;
	if (chained)
		convict(verifying);
	if (!verifying->seq) {
		result->first = seq;
		verifying->begin = seq - skipped;
	} else {
		check_order(verifying, seq, skipped, chained);
	}
	if (!chained)
		verifying->run = seq;
	result->skipped += skipped;
	verifying->seq = seq;
	result->last = seq;
	sign_hash(line->text, line->len, verifying->prev);
	if (strcmp(text_of(object, "type"), "checkpoint") == 0)
		r = check_signature(verifying, object, seq);
	else if (strcmp(text_of(object, "type"), "retired") == 0)
		check_retired(result, object, seq);
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
	key = find_key(query, text_of(object, "key"));
	if (!key || !sign_check(key, query->checkpoint, len, signature))
		r = -EINVAL;
	json_decref(object);
	return r;
}

static void check_end(struct verifying *verifying)
{
	const struct evidence_query *query = verifying->query;
	struct evidence_result *result = verifying->result;
	uint64_t last = query->last;

	convict(verifying);
	verifying->line = NULL;
	if (query->all && verifying->begin > result->retired + 1)
		tell(verifying, EVIDENCE_MISSING, result->retired + 1,
		     verifying->begin - 1,
		     "the log begins with line %" PRIu64 ", and no line says "
		     "that those before were retired",
		     result->first);
	if (verifying->kept > last)
		last = verifying->kept;
	if (last > result->last)
		tell(verifying, EVIDENCE_CUT, result->last + 1, last,
		     "the log ends with line %" PRIu64 ", but there was a line "
		     "%" PRIu64 ": its end is missing",
		     result->last, last);
	else if (verifying->kept && verifying->kept >= result->first)
		tell(verifying, EVIDENCE_MISSING, verifying->kept,
		     verifying->kept,
		     "the checkpoint that was kept, line %" PRIu64
		     ", is not there",
		     verifying->kept);
}

int evidence_verify(const struct evidence_query *query, evidence_finding_fn fn,
		    void *arg, struct evidence_result *ret_result)
{
	struct evidence_result result = {0};
	struct verifying verifying = {
		.query = query, .fn = fn, .arg = arg, .result = &result};
	int r;

	r = take_kept(&verifying);
	for (size_t i = 0; !r && i < query->n_files; i++) {
		struct evidence_line start = {.file = query->files[i]};

		verifying.is_last = i + 1 == query->n_files;
		r = evidence_read(query->files[i], check_line, &verifying);
		/* -ENOMEM can be either's; what is left is the file's. */
		if (!r || r == -ENOMEM)
			continue;
		verifying.line = &start;
		tell(&verifying, EVIDENCE_DAMAGED, 0, 0,
		     "the file cannot be read behind line %" PRIu64
		     " of the log: %s",
		     verifying.seq,
		     r == -EUCLEAN ? "it is damaged" : strerror(-r));
		r = 0;
	}
	if (!r)
		check_end(&verifying);
	if (r) {
		evidence_result_release(&result);
		return r;
	}
	memcpy(result.head, verifying.prev, sizeof(result.head));
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
