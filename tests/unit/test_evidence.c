// SPDX-License-Identifier: GPL-2.0-only
/* The evidence log: written, broken in every way, and verified. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

#include "evidence.h"
#include "evidence_verify.h"

#define TEXT_MAX (1 << 20)

struct box {
	char dir[32];
	char log[64];
	char key_path[64];
	struct sign_key key;
	struct evidence *evidence;
	struct evidence_found found;
	/* What verify() found. */
	struct evidence_result result;
	struct evidence_finding findings[8];
	char words[8][512];
	size_t n;
};

static int setup(void **state)
{
	struct box *box = calloc(1, sizeof(*box));
	bool made = false;

	if (!box)
		return -1;
	(void)strcpy(box->dir, "/tmp/test_evidence.XXXXXX");
	if (!mkdtemp(box->dir))
		return -1;
	(void)snprintf(box->log, sizeof(box->log), "%s/log", box->dir);
	(void)snprintf(box->key_path, sizeof(box->key_path), "%s/key",
		       box->dir);
	if (sign_key_load(box->key_path, &box->key, &made) || !made)
		return -1;
	*state = box;
	return 0;
}

static void each_file(const struct box *box, void (*fn)(const char *path))
{
	char path[512];
	const struct dirent *entry;
	DIR *dir = opendir(box->log);

	while (dir && (entry = readdir(dir))) {
		(void)snprintf(path, sizeof(path), "%s/%s", box->log,
			       entry->d_name);
		if (entry->d_name[0] != '.')
			fn(path);
	}
	if (dir)
		(void)closedir(dir);
}

static void remove_file(const char *path)
{
	(void)unlink(path);
}

static int teardown(void **state)
{
	struct box *box = *state;

	evidence_close(box->evidence);
	evidence_result_release(&box->result);
	each_file(box, remove_file);
	(void)rmdir(box->log);
	(void)unlink(box->key_path);
	(void)rmdir(box->dir);
	free(box);
	return 0;
}

static void open_log(struct box *box, uint64_t segment, uint64_t keep)
{
	const struct evidence_options opts = {.dir = box->log,
					      .key = &box->key,
					      .segment_bytes = segment,
					      .keep_bytes = keep,
					      .host = "cardprint-1"};

	assert_int_equal(
		evidence_open(&opts, NULL, NULL, &box->found, &box->evidence),
		0);
}

static void close_log(struct box *box)
{
	evidence_close(box->evidence);
	box->evidence = NULL;
}

static json_t *line(size_t pad)
{
	char text[EVIDENCE_LINE_MAX];

	memset(text, 'p', pad);
	text[pad] = '\0';
	return json_pack("{s:i, s:s, s:s}", "cordon", 1, "type", "verdict",
			 "pad", text);
}

static int add(struct box *box, size_t pad)
{
	char text[EVIDENCE_LINE_MAX];
	size_t len;

	return evidence_add(box->evidence, line(pad), text, &len);
}

static void add_many(struct box *box, int n, size_t pad)
{
	for (int i = 0; i < n; i++) {
		assert_int_equal(add(box, pad), 0);
		assert_int_equal(evidence_sync(box->evidence), 0);
	}
}

/* ---- verifying ---------------------------------------------------------- */

static void note(const struct evidence_finding *finding, void *arg)
{
	struct box *box = arg;

	if (box->n < 8) {
		box->findings[box->n] = *finding;
		(void)snprintf(box->words[box->n], sizeof(box->words[0]), "%s",
			       finding->words);
	}
	box->n++;
}

static int verify_with(struct box *box, struct evidence_query *query)
{
	const char *paths[] = {box->log};

	query->paths = paths;
	query->n_paths = 1;
	if (!query->keys) {
		query->keys = &box->key.public;
		query->n_keys = 1;
	}
	evidence_result_release(&box->result);
	box->n = 0;
	return evidence_verify(query, note, box, &box->result);
}

static void verify(struct box *box)
{
	struct evidence_query query = {.all = true};

	assert_int_equal(verify_with(box, &query), 0);
}

/* last: of the log; 0: any. */
static void verify_finds_nothing(struct box *box, uint64_t last)
{
	verify(box);
	if (!last)
		last = box->result.last;
	if (box->n)
		fail_msg("found: %s", box->words[0]);
	assert_int_equal(box->result.last, last);
	assert_int_equal(box->result.unproven, 0);
	assert_int_equal(box->result.n_proven, 1);
	assert_true(
		evidence_result_covers(&box->result, box->result.first, last));
}

/* Is that among what was found? */
static void found(const struct box *box, enum evidence_problem problem,
		  uint64_t first, uint64_t last)
{
	for (size_t i = 0; i < box->n && i < 8; i++)
		if (box->findings[i].problem == problem &&
		    box->findings[i].first == first &&
		    box->findings[i].last == last)
			return;
	fail_msg("%s %llu to %llu is not among %zu findings, the first: %s",
		 evidence_problem_name(problem), (unsigned long long)first,
		 (unsigned long long)last, box->n, box->words[0]);
}

static void proven(const struct box *box, size_t i, uint64_t first,
		   uint64_t last)
{
	assert_true(i < box->result.n_proven);
	assert_int_equal(box->result.proven[i].first, first);
	assert_int_equal(box->result.proven[i].last, last);
}

/* ---- changing ----------------------------------------------------------- */

static char *segment_path(const struct box *box, uint64_t first)
{
	static char path[128];

	(void)snprintf(path, sizeof(path), "%s/%012llu.jsonl", box->log,
		       (unsigned long long)first);
	return path;
}

static size_t get(const char *path, char *text)
{
	gzFile file = gzopen(path, "r");
	int len;

	assert_non_null(file);
	len = gzread(file, text, TEXT_MAX - 1);
	assert_true(len >= 0);
	text[len] = '\0';
	(void)gzclose(file);
	return (size_t)len;
}

static void put(const char *path, const char *text, size_t len)
{
	FILE *file = fopen(path, "w");

	assert_non_null(file);
	assert_int_equal(fwrite(text, 1, len, file), len);
	assert_int_equal(fclose(file), 0);
}

/* The lines of the first segment, in that order: 0-ended numbers from 1. */
static void rearrange(const struct box *box, const int *order)
{
	static char text[TEXT_MAX], other[TEXT_MAX];
	char *lines[64], *at = text;
	size_t n = 0, len = 0;

	(void)get(segment_path(box, 1), text);
	while (*at && n < 64) {
		lines[n++] = at;
		at = strchr(at, '\n') + 1;
	}
	lines[n] = at;
	for (; *order; order++) {
		size_t size = (size_t)(lines[*order] - lines[*order - 1]);

		memcpy(other + len, lines[*order - 1], size);
		len += size;
	}
	put(segment_path(box, 1), other, len);
}

/* Where the n-th line of a text begins. */
static char *line_of(char *text, int n)
{
	while (--n)
		text = strchr(text, '\n') + 1;
	return text;
}

/* Changes the first c behind the start of line n of a segment to another. */
static void change(const char *path, int n, char c, char to)
{
	static char text[TEXT_MAX];
	size_t len = get(path, text);

	*strchr(line_of(text, n), c) = to;
	put(path, text, len);
}

/* Lines 1 to 4, checkpoint 5, lines 6 to 9, checkpoint 10. */
static void ten_lines(struct box *box)
{
	open_log(box, 0, 0);
	for (int i = 0; i < 2; i++) {
		add_many(box, 4, 5);
		assert_int_equal(evidence_checkpoint(box->evidence), 0);
	}
	close_log(box);
	verify_finds_nothing(box, 10);
}

/* ---- tests -------------------------------------------------------------- */

static void log_verifies_over_restarts(void **state)
{
	struct box *box = *state;

	for (uint64_t i = 0; i < 3; i++) {
		open_log(box, 0, 0);
		assert_int_equal(evidence_next(box->evidence), 1 + 11 * i);
		assert_int_equal(box->found.last, 11 * i);
		assert_int_equal(box->found.clean, i > 0);
		add_many(box, 10, 100);
		assert_true(evidence_unsigned(box->evidence));
		close_log(box);
		verify_finds_nothing(box, 11 * (i + 1));
	}
	assert_string_equal(box->result.host, "cardprint-1");
}

static void log_verifies_over_segments_when_compressed(void **state)
{
	struct box *box = *state;
	struct stat st;

	open_log(box, 3000, 0);
	add_many(box, 100, 100);
	close_log(box);
	assert_int_equal(stat(segment_path(box, 1), &st), -1);
	assert_int_equal(stat(strcat(segment_path(box, 1), ".gz"), &st), 0);
	verify_finds_nothing(box, 0);
	assert_true(box->result.last > 100);

	/* It goes on behind one that was closed. */
	open_log(box, 3000, 0);
	assert_int_equal(box->found.cut, 0);
	add_many(box, 100, 100);
	close_log(box);
	verify_finds_nothing(box, 0);
	assert_true(box->result.last > 200);
}

static uint64_t bytes;

static void count_bytes(const char *path)
{
	struct stat st;

	assert_int_equal(stat(path, &st), 0);
	bytes += (uint64_t)st.st_size;
}

static void log_retires_the_oldest_and_says_so(void **state)
{
	struct box *box = *state;
	struct evidence_query all = {.all = true}, part = {0};

	open_log(box, 3000, 20000);
	add_many(box, 1000, 100);
	close_log(box);
	bytes = 0;
	each_file(box, count_bytes);
	assert_in_range(bytes, 5000, 20000 + 3500);
	verify(box);
	assert_true(box->result.first > 1);
	assert_int_equal(box->result.retired, box->result.first - 1);
	verify_finds_nothing(box, 0);

	/* One more away is one too many; alone it is nothing missing. */
	assert_int_equal(
		unlink(strcat(segment_path(box, box->result.first), ".gz")), 0);
	assert_int_equal(verify_with(box, &all), 0);
	assert_int_equal(box->n, 1);
	found(box, EVIDENCE_MISSING, box->result.retired + 1,
	      box->result.first - 1);
	assert_int_equal(verify_with(box, &part), 0);
	assert_int_equal(box->n, 0);
}

/* ---- what somebody else has to get --------------------------------------- */

static void open_held(struct box *box, uint64_t acked)
{
	const struct evidence_options opts = {.dir = box->log,
					      .key = &box->key,
					      .segment_bytes = 3000,
					      .keep_bytes = 30000,
					      .host = "cardprint-1",
					      .held = true,
					      .acked = acked};

	assert_int_equal(
		evidence_open(&opts, NULL, NULL, &box->found, &box->evidence),
		0);
}

/* As long as with add(), but no shorter when it is compressed. */
static int add_noise(struct box *box, size_t pad)
{
	char text[EVIDENCE_LINE_MAX], noise[EVIDENCE_LINE_MAX];
	size_t len;

	for (size_t i = 0; i < pad; i++)
		noise[i] = (char)('0' + rand() % 64);
	noise[pad] = '\0';
	for (char *at = noise; (at = strchr(at, '\\'));)
		*at = 'x';
	return evidence_add(box->evidence,
			    json_pack("{s:i, s:s, s:s}", "cordon", 1, "type",
				      "verdict", "pad", noise),
			    text, &len);
}

/* Adds lines until one is lost; how many were not. */
static int add_until_full(struct box *box)
{
	int n = 0, r;

	while ((r = add_noise(box, 3000)) == 0) {
		assert_int_equal(evidence_sync(box->evidence), 0);
		assert_true(n++ < 1000);
	}
	assert_int_equal(r, -EDQUOT);
	assert_int_equal(evidence_sync(box->evidence), -EDQUOT);
	return n;
}

static uint64_t bytes_of(const struct box *box)
{
	bytes = 0;
	each_file(box, count_bytes);
	return bytes;
}

static void held_log_keeps_the_oldest_and_says_what_is_lost(void **state)
{
	struct box *box = *state;
	uint64_t lost, next;

	open_held(box, 0);
	(void)add_until_full(box);
	for (int i = 0; i < 9; i++)
		assert_int_equal(add(box, 3000), -EDQUOT);
	assert_int_equal(evidence_dropped(box->evidence), 10);
	assert_in_range(bytes_of(box), 10000, 30000);
	/* That is said once, and then its number alone goes on. */
	assert_int_equal(evidence_checkpoint(box->evidence), 0);
	lost = bytes_of(box);
	next = evidence_next(box->evidence);
	for (int i = 0; i < 50; i++) {
		assert_int_equal(add(box, 3000), -EDQUOT);
		assert_int_equal(evidence_checkpoint(box->evidence), 0);
	}
	assert_int_equal(bytes_of(box), lost);
	assert_int_equal(evidence_next(box->evidence), next + 50);
	close_log(box);
	verify_finds_nothing(box, 0);
	assert_int_equal(box->result.first, 1);
	assert_int_equal(box->result.skipped, 60);
}

static void held_log_goes_on_once_enough_is_acknowledged(void **state)
{
	struct box *box = *state;
	uint64_t last;

	open_held(box, 0);
	(void)add_until_full(box);
	last = evidence_next(box->evidence) - 2;
	/* Not by a line of the first segment. */
	evidence_hold(box->evidence, 1);
	assert_int_equal(add(box, 3000), -EDQUOT);
	evidence_hold(box->evidence, last);
	assert_int_equal(add(box, 3000), 0);
	assert_int_equal(evidence_sync(box->evidence), 0);
	close_log(box);
	verify(box);
	assert_true(box->result.first > 1);
	assert_in_range(box->result.first, 2, last);
	verify_finds_nothing(box, 0);
}

static void held_log_retires_what_is_acknowledged_and_no_more(void **state)
{
	struct box *box = *state;

	open_held(box, 0);
	for (int i = 0; i < 300; i++) {
		add_many(box, 1, 100);
		evidence_hold(box->evidence, evidence_next(box->evidence) - 4);
	}
	assert_int_equal(evidence_dropped(box->evidence), 0);
	close_log(box);
	assert_in_range(bytes_of(box), 5000, 30000);
	verify(box);
	assert_true(box->result.first > 1);
	/* As after a restart, of which nobody has got a line since. */
	open_held(box, box->result.first);
	(void)add_until_full(box);
	close_log(box);
	open_log(box, 3000, 20000);
	add_many(box, 20, 3000);
	close_log(box);
	verify_finds_nothing(box, 0);
}

static void verify_finds_a_changed_line(void **state)
{
	struct box *box = *state;

	ten_lines(box);
	change(segment_path(box, 1), 3, 'p', 'q');
	verify(box);
	found(box, EVIDENCE_CHANGED, 3, 3);
	found(box, EVIDENCE_UNPROVEN, 1, 3);
	assert_int_equal(box->n, 2);
	/* The checkpoint before there is none; the next one has 4 and on. */
	proven(box, 0, 4, 10);
	assert_int_equal(box->result.n_proven, 1);
}

static void verify_proves_both_sides_of_a_change(void **state)
{
	struct box *box = *state;

	ten_lines(box);
	change(segment_path(box, 1), 7, 'p', 'q');
	verify(box);
	found(box, EVIDENCE_CHANGED, 7, 7);
	found(box, EVIDENCE_UNPROVEN, 6, 7);
	assert_int_equal(box->n, 2);
	proven(box, 0, 1, 5);
	proven(box, 1, 8, 10);
	assert_false(evidence_result_covers(&box->result, 1, 10));
	assert_true(evidence_result_covers(&box->result, 2, 5));
}

static void verify_finds_a_changed_hash(void **state)
{
	struct box *box = *state;
	static char text[TEXT_MAX];
	char *at;
	size_t len;

	ten_lines(box);
	len = get(segment_path(box, 1), text);
	at = strstr(line_of(text, 7), "\"prev\":\"") + 8;
	*at = *at == '0' ? '1' : '0';
	put(segment_path(box, 1), text, len);
	verify(box);
	found(box, EVIDENCE_CHANGED, 7, 7);
	proven(box, 0, 1, 5);
	proven(box, 1, 8, 10);
}

static void verify_finds_a_changed_checkpoint(void **state)
{
	struct box *box = *state;
	static char text[TEXT_MAX];
	char *at;
	size_t len;

	ten_lines(box);
	len = get(segment_path(box, 1), text);
	at = strstr(line_of(text, 10), "\"sig\":\"") + 7;
	*at = *at == 'A' ? 'B' : 'A';
	put(segment_path(box, 1), text, len);
	verify(box);
	found(box, EVIDENCE_FORGED, 10, 10);
	proven(box, 0, 1, 5);
	assert_int_equal(box->result.last, 5);

	/* One that calls itself so without being signed. */
	at = strstr(line_of(text, 10), "\"sig\":\"");
	memcpy(at, "\"sog\":\"", 7);
	put(segment_path(box, 1), text, len);
	verify(box);
	found(box, EVIDENCE_FORGED, 10, 10);
}

static void verify_finds_a_dropped_line(void **state)
{
	struct box *box = *state;

	ten_lines(box);
	rearrange(box, (const int[]){1, 2, 4, 5, 6, 7, 8, 9, 10, 0});
	verify(box);
	found(box, EVIDENCE_MISSING, 3, 3);
	found(box, EVIDENCE_UNPROVEN, 1, 2);
	proven(box, 0, 4, 10);
}

static void verify_finds_a_doubled_line(void **state)
{
	struct box *box = *state;

	ten_lines(box);
	rearrange(box, (const int[]){1, 2, 3, 4, 5, 6, 7, 7, 8, 9, 10, 0});
	verify(box);
	found(box, EVIDENCE_ORDER, 7, 7);
	proven(box, 0, 1, 5);
	proven(box, 1, 7, 10);
}

static void verify_finds_lines_in_another_order(void **state)
{
	struct box *box = *state;

	ten_lines(box);
	rearrange(box, (const int[]){1, 2, 3, 4, 5, 6, 8, 7, 9, 10, 0});
	verify(box);
	found(box, EVIDENCE_MISSING, 7, 7);
	found(box, EVIDENCE_ORDER, 7, 8);
	found(box, EVIDENCE_MISSING, 8, 8);
	proven(box, 0, 1, 5);
	proven(box, 1, 9, 10);
}

static void verify_finds_a_cut_end_by_what_was_kept(void **state)
{
	struct box *box = *state;
	struct evidence_query query = {.all = true};
	static char text[TEXT_MAX];
	char *at;

	ten_lines(box);
	(void)get(segment_path(box, 1), text);
	at = line_of(text, 10);
	rearrange(box, (const int[]){1, 2, 3, 4, 5, 6, 0});
	verify(box);
	assert_int_equal(box->n, 0); /* nothing in it can tell */
	assert_int_equal(box->result.last, 5);
	assert_int_equal(box->result.unproven, 1);

	query.last = 10;
	assert_int_equal(verify_with(box, &query), 0);
	assert_int_equal(box->n, 1);
	found(box, EVIDENCE_CUT, 6, 10);

	query.last = 0;
	query.checkpoint = at;
	query.checkpoint_len = strcspn(at, "\n");
	assert_int_equal(verify_with(box, &query), 0);
	assert_int_equal(box->n, 1);
	found(box, EVIDENCE_CUT, 6, 10);

	/* What was kept has to be signed itself. */
	at[40] = 'x';
	assert_int_equal(verify_with(box, &query), -EINVAL);
}

/* Cut, and written on: a log of its own that its host signed. */
static void verify_finds_that_it_is_not_the_log_of_a_checkpoint(void **state)
{
	struct box *box = *state;
	struct evidence_query query = {.all = true};
	static char text[TEXT_MAX];
	char *at;

	ten_lines(box);
	(void)get(segment_path(box, 1), text);
	at = line_of(text, 10);
	query.checkpoint = at;
	query.checkpoint_len = strcspn(at, "\n");
	assert_int_equal(verify_with(box, &query), 0);
	assert_int_equal(box->n, 0);

	rearrange(box, (const int[]){1, 2, 3, 4, 5, 6, 0});
	open_log(box, 0, 0);
	add_many(box, 8, 10);
	close_log(box);
	assert_int_equal(verify_with(box, &query), 0);
	assert_int_equal(box->n, 1);
	found(box, EVIDENCE_OTHER, 10, 10);
}

static void verify_finds_a_segment_of_another_host(void **state)
{
	struct box *box = *state, *other = NULL;
	static char text[TEXT_MAX];
	struct sign_public keys[2];
	struct evidence_query query = {.all = true, .keys = keys, .n_keys = 2};
	size_t len;

	assert_int_equal(setup((void **)&other), 0);
	ten_lines(box);
	ten_lines(other);
	len = get(segment_path(other, 1), text);
	put(segment_path(box, 1), text, len);
	keys[0] = box->key.public;
	keys[1] = other->key.public;

	verify(box);
	found(box, EVIDENCE_FOREIGN, 5, 5);
	found(box, EVIDENCE_FOREIGN, 10, 10);
	found(box, EVIDENCE_UNPROVEN, 1, 10);
	assert_int_equal(box->result.n_proven, 0);
	/* Both keys are one host's, if somebody says so. */
	assert_int_equal(verify_with(box, &query), 0);
	assert_int_equal(box->n, 0);
	(void)teardown((void **)&other);
}

static void verify_finds_a_damaged_segment(void **state)
{
	struct box *box = *state;
	bool damaged = false;
	struct stat st;
	char *path;

	open_log(box, 3000, 0);
	add_many(box, 30, 100);
	close_log(box);
	path = strcat(segment_path(box, 1), ".gz");
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(truncate(path, st.st_size - 20), 0);
	verify(box);
	for (size_t i = 0; i < box->n && !damaged; i++)
		damaged = box->findings[i].problem == EVIDENCE_DAMAGED;
	assert_true(damaged);
	assert_true(box->result.n_proven > 0);
}

static void verify_keeps_to_the_lines_that_were_asked_for(void **state)
{
	struct box *box = *state;
	struct evidence_query query = {.all = true, .from = 4, .to = 5};

	ten_lines(box);
	change(segment_path(box, 1), 7, 'p', 'q');
	assert_int_equal(verify_with(box, &query), 0);
	assert_int_equal(box->n, 0);
	/* The sixth is proven by the seventh alone. */
	query.to = 6;
	assert_int_equal(verify_with(box, &query), 0);
	assert_int_equal(box->n, 1);
	found(box, EVIDENCE_UNPROVEN, 6, 7);
}

/* Lines behind those of a segment, which nobody signed. */
static void append(const struct box *box, uint64_t segment, const char *format,
		   const char *prev)
{
	FILE *file = fopen(segment_path(box, segment), "a");

	assert_non_null(file);
	(void)fprintf(file, format, prev);
	assert_int_equal(fclose(file), 0);
}

/* Somebody without the key takes away what is in front, or behind. */
static void verify_believes_no_line_that_is_not_signed(void **state)
{
	struct box *box = *state;
	struct evidence_query query = {.all = true, .last = 10};
	char head[SIGN_HASH_CHARS_MAX];

	ten_lines(box);
	memcpy(head, box->result.head, sizeof(head));
	append(box, 1,
	       "{\"cordon\":1,\"type\":\"retired\",\"last\":5,\"seq\":11,"
	       "\"prev\":\"%s\"}\n",
	       head);
	rearrange(box, (const int[]){6, 7, 8, 9, 10, 11, 0});
	verify(box);
	found(box, EVIDENCE_MISSING, 1, 5);
	assert_int_equal(box->result.retired, 0);

	each_file(box, remove_file);
	ten_lines(box);
	rearrange(box, (const int[]){1, 2, 3, 4, 5, 0});
	verify(box);
	append(box, 1,
	       "{\"cordon\":1,\"type\":\"verdict\",\"seq\":10,\"skipped\":4,"
	       "\"prev\":\"%s\"}\n",
	       box->result.head);
	assert_int_equal(verify_with(box, &query), 0);
	found(box, EVIDENCE_CUT, 6, 10);
	assert_int_equal(box->result.last, 5);
	assert_int_equal(box->result.skipped, 0);
	assert_int_equal(box->result.unproven, 1);
}

static void verify_finds_lines_that_were_put_in_where_asked(void **state)
{
	struct box *box = *state;
	struct evidence_query query = {.all = true, .from = 7, .to = 8};
	char head[SIGN_HASH_CHARS_MAX];
	struct stat st;

	/* Behind the fifth, with the number of the seventh. */
	ten_lines(box);
	assert_int_equal(stat(segment_path(box, 1), &st), 0);
	rearrange(box, (const int[]){1, 2, 3, 4, 5, 0});
	verify(box);
	memcpy(head, box->result.head, sizeof(head));
	each_file(box, remove_file);
	ten_lines(box);
	append(box, 1,
	       "{\"cordon\":1,\"type\":\"verdict\",\"seq\":7,\"skipped\":1,"
	       "\"prev\":\"%s\"}\n",
	       head);
	rearrange(box, (const int[]){1, 2, 3, 4, 5, 11, 6, 7, 8, 9, 10, 0});
	assert_int_equal(verify_with(box, &query), 0);
	assert_true(box->n > 0);
	/* In front of all. */
	rearrange(box, (const int[]){6, 1, 2, 3, 4, 5, 7, 8, 9, 10, 11, 0});
	assert_int_equal(verify_with(box, &query), 0);
	assert_true(box->n > 0);
}

/* What zlib passes over, gzip(1) shows. */
static void verify_reads_what_others_read(void **state)
{
	struct box *box = *state;
	char path[128];
	FILE *file;

	open_log(box, 3000, 0);
	add_many(box, 60, 100);
	close_log(box);
	verify_finds_nothing(box, 0);
	(void)strcpy(path, strcat(segment_path(box, 1), ".gz"));
	file = fopen(path, "a");
	assert_non_null(file);
	(void)fputs("forged", file);
	assert_int_equal(fclose(file), 0);
	verify(box);
	assert_int_equal(box->findings[0].problem, EVIDENCE_DAMAGED);

	/* Not compressed, but called so. */
	put(path, "{}\n", 3);
	verify(box);
	assert_int_equal(box->findings[0].problem, EVIDENCE_DAMAGED);
}

static void verify_names_what_is_no_evidence(void **state)
{
	struct box *box = *state;
	static char text[TEXT_MAX];
	char path[128];
	size_t len;

	open_log(box, 3000, 0);
	add_many(box, 60, 100);
	close_log(box);
	(void)strcpy(path, strcat(segment_path(box, 1), ".gz"));
	len = get(path, text);
	put(segment_path(box, 1), text, len);
	verify_finds_nothing(box, 0);
	*strchr(text, 'p') = 'q';
	put(segment_path(box, 1), text, len);
	verify(box);
	assert_int_equal(box->n, 1);
	found(box, EVIDENCE_STRANGER, 0, 0);
	assert_int_equal(unlink(segment_path(box, 1)), 0);

	/* Another name for a number sorts in another place. */
	(void)snprintf(path, sizeof(path), "%s/9.jsonl", box->log);
	put(path, "{}\n", 3);
	verify(box);
	assert_int_equal(box->n, 1);
	found(box, EVIDENCE_STRANGER, 0, 0);
}

static void sync_goes_on_after_a_segment_was_closed(void **state)
{
	struct box *box = *state;

	open_log(box, 1000, 0);
	assert_int_equal(add(box, 2000), 0);
	for (int i = 0; i < 3; i++)
		assert_int_equal(evidence_sync(box->evidence), 0);
	add_many(box, 1, 10);
	close_log(box);
	verify_finds_nothing(box, 0);
}

/* Nothing comes behind it but the end. */
static void log_says_what_was_lost_last(void **state)
{
	struct box *box = *state;
	char text[EVIDENCE_LINE_MAX];
	size_t len;

	ten_lines(box);
	open_log(box, 0, 0);
	for (int i = 0; i < 5; i++)
		assert_int_equal(evidence_add(box->evidence, NULL, text, &len),
				 -ENOMEM);
	assert_true(evidence_unsigned(box->evidence));
	close_log(box);
	verify_finds_nothing(box, 16);
	assert_int_equal(box->result.skipped, 5);
}

/* ---- crashes ------------------------------------------------------------ */

/* Whatever of the last, unsynced line is there: the log goes on before it. */
static void log_goes_on_behind_half_a_line(void **state)
{
	struct box *box = *state;
	static char text[TEXT_MAX];
	size_t len;

	open_log(box, 0, 0);
	add_many(box, 3, 50);
	close_log(box);
	len = get(segment_path(box, 1), text);
	for (size_t cut = 1; cut < len; cut += 7) {
		put(segment_path(box, 1), text, cut);
		open_log(box, 0, 0);
		assert_string_equal(box->found.damaged, "");
		add_many(box, 2, 10);
		close_log(box);
		verify_finds_nothing(box, 0);
		assert_int_equal(box->result.skipped, 0);
		each_file(box, remove_file);
	}
}

/* Blocks of zeros, as some file systems leave behind. */
static void log_goes_on_behind_what_was_never_written(void **state)
{
	struct box *box = *state;

	ten_lines(box);
	assert_int_equal(truncate(segment_path(box, 1), 9000), 0);
	open_log(box, 0, 0);
	assert_int_equal(box->found.last, 10);
	assert_true(box->found.cut > 4000);
	assert_false(box->found.clean);
	add_many(box, 2, 10);
	close_log(box);
	verify_finds_nothing(box, 13);
}

/* Nothing of it is taken out, and nothing signed: another segment begins. */
static void log_leaves_a_segment_alone_when_it_was_changed(void **state)
{
	struct box *box = *state;
	static char text[TEXT_MAX], again[TEXT_MAX];
	char path[128];
	size_t len;

	ten_lines(box);
	change(segment_path(box, 1), 7, 'p', 'q');
	(void)strcpy(path, segment_path(box, 1));
	len = get(path, text);
	open_log(box, 0, 0);
	assert_string_equal(box->found.damaged, "000000000001.jsonl");
	assert_int_equal(evidence_next(box->evidence), 11);
	add_many(box, 1, 10);
	close_log(box);
	assert_int_equal(get(path, again), len);
	assert_memory_equal(text, again, len);
	verify(box);
	found(box, EVIDENCE_CHANGED, 7, 7);
	proven(box, 0, 1, 5);
	proven(box, 1, 8, 12);
}

/* What cannot be read may have numbers: none of them is used again. */
static void log_uses_no_number_twice_when_a_segment_is_damaged(void **state)
{
	struct box *box = *state;
	static char text[TEXT_MAX];
	struct stat st;
	size_t len;

	ten_lines(box);
	len = get(segment_path(box, 1), text);
	memset(text + len / 2, 'x', 20000);
	len = len / 2 + 20000;
	put(segment_path(box, 1), text, len);
	open_log(box, 0, 0);
	assert_true(evidence_next(box->evidence) > 10);
	add_many(box, 1, 10);
	close_log(box);
	assert_int_equal(stat(segment_path(box, 1), &st), 0);
	assert_int_equal(st.st_size, len);

	/* An empty one in the place of a compressed one. */
	each_file(box, remove_file);
	open_log(box, 3000, 0);
	add_many(box, 40, 100);
	close_log(box);
	put(strcat(segment_path(box, 1), ".gz"), text, 0);
	open_log(box, 3000, 0);
	assert_true(evidence_next(box->evidence) > 40);
}

static void log_compresses_what_a_crash_left(void **state)
{
	struct box *box = *state;
	static char text[TEXT_MAX];
	char path[128];
	struct stat st;
	size_t len;

	open_log(box, 100, 0);
	add_many(box, 3, 10);
	close_log(box);
	(void)strcpy(path, segment_path(box, 1));
	len = get(strcat(path, ".gz"), text);
	/* It was compressed, and not taken away yet. */
	put(segment_path(box, 1), text, len);
	verify_finds_nothing(box, 6);
	open_log(box, 0, 0);
	assert_int_equal(stat(segment_path(box, 1), &st), -1);
	close_log(box);
	put(segment_path(box, 1), text, len);
	/* Not even that. */
	assert_int_equal(unlink(path), 0);
	verify_finds_nothing(box, 6);
	open_log(box, 100, 0);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(stat(segment_path(box, 1), &st), -1);
	close_log(box);
	verify_finds_nothing(box, 6);
}

static void log_counts_what_a_full_disk_loses_and_says_so(void **state)
{
	struct rlimit limit = {2000, RLIM_INFINITY};
	struct box *box = *state;
	int failed = 0;

	(void)signal(SIGXFSZ, SIG_IGN);
	open_log(box, 0, 0);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
	for (int i = 0; i < 20; i++)
		failed += add(box, 100) < 0;
	limit.rlim_cur = RLIM_INFINITY;
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
	assert_in_range(failed, 5, 19);
	assert_int_equal(evidence_next(box->evidence), 21);
	add_many(box, 1, 100);
	close_log(box);
	verify_finds_nothing(box, 22);
	assert_int_equal(box->result.skipped, failed);
}

static void log_begins_a_segment_when_its_file_was_moved_away(void **state)
{
	struct box *box = *state;

	open_log(box, 0, 0);
	add_many(box, 3, 10);
	assert_int_equal(unlink(segment_path(box, 1)), 0);
	assert_int_equal(add(box, 10), 0);
	assert_int_equal(evidence_sync(box->evidence), -ESTALE);
	add_many(box, 1, 10);
	close_log(box);
	verify(box);
	found(box, EVIDENCE_MISSING, 1, 4);
	proven(box, 0, 5, 6);
}

static void log_takes_no_line_beyond_the_limit(void **state)
{
	struct box *box = *state;
	char text[EVIDENCE_LINE_MAX];
	size_t len;

	open_log(box, 0, 0);
	assert_int_equal(add(box, EVIDENCE_LINE_MAX - 1), -EMSGSIZE);
	assert_int_equal(evidence_add(box->evidence, NULL, text, &len),
			 -ENOMEM);
	assert_int_equal(evidence_next(box->evidence), 3);
	add_many(box, 1, EVIDENCE_LINE_MAX - 256);
	close_log(box);
	verify_finds_nothing(box, 4);
}

/* ---- keys --------------------------------------------------------------- */

static void key_is_the_same_when_read_again(void **state)
{
	struct box *box = *state;
	struct sign_key again;
	bool made = true;
	struct stat st;

	assert_int_equal(stat(box->key_path, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0600);
	assert_int_equal(sign_key_load(box->key_path, &again, &made), 0);
	assert_false(made);
	assert_memory_equal(&again, &box->key, sizeof(again));
}

static void key_is_refused_when_others_can_read_it(void **state)
{
	struct box *box = *state;
	struct sign_key again;
	bool made;

	assert_int_equal(chmod(box->key_path, 0640), 0);
	assert_int_equal(sign_key_load(box->key_path, &again, &made),
			 -EKEYREVOKED);
	assert_int_equal(chmod(box->key_path, 0600), 0);
	put(box->key_path, "no key", 6);
	assert_int_equal(sign_key_load(box->key_path, &again, &made), -EUCLEAN);
	assert_int_equal(unlink(box->key_path), 0);
	assert_int_equal(symlink("/etc/passwd", box->key_path), 0);
	assert_int_equal(sign_key_load(box->key_path, &again, &made), -EUCLEAN);
}

static void public_key_survives_pem_and_nothing_else_does(void **state)
{
	struct box *box = *state;
	char pem[SIGN_PEM_CHARS_MAX], other[SIGN_PEM_CHARS_MAX + 1];
	struct sign_public back;
	size_t len;

	sign_public_pem(&box->key.public, pem);
	len = strlen(pem);
	assert_int_equal(sign_public_parse(pem, len, &back), 0);
	assert_memory_equal(&back, &box->key.public, sizeof(back));
	assert_int_equal(sign_public_parse(pem, len - 1, &back), -EINVAL);
	for (size_t i = 0; i < len; i++) {
		memcpy(other, pem, len);
		other[i] ^= 1;
		/* Another key is one too; that key it is not. */
		if (!sign_public_parse(other, len, &back))
			assert_memory_not_equal(&back, &box->key.public,
						sizeof(back));
	}
}

#define IN_BOX(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		IN_BOX(log_verifies_over_restarts),
		IN_BOX(log_verifies_over_segments_when_compressed),
		IN_BOX(log_retires_the_oldest_and_says_so),
		IN_BOX(held_log_keeps_the_oldest_and_says_what_is_lost),
		IN_BOX(held_log_goes_on_once_enough_is_acknowledged),
		IN_BOX(held_log_retires_what_is_acknowledged_and_no_more),
		IN_BOX(verify_finds_a_changed_line),
		IN_BOX(verify_proves_both_sides_of_a_change),
		IN_BOX(verify_finds_a_changed_hash),
		IN_BOX(verify_finds_a_changed_checkpoint),
		IN_BOX(verify_finds_a_dropped_line),
		IN_BOX(verify_finds_a_doubled_line),
		IN_BOX(verify_finds_lines_in_another_order),
		IN_BOX(verify_finds_a_cut_end_by_what_was_kept),
		IN_BOX(verify_finds_that_it_is_not_the_log_of_a_checkpoint),
		IN_BOX(verify_finds_a_segment_of_another_host),
		IN_BOX(verify_finds_a_damaged_segment),
		IN_BOX(verify_keeps_to_the_lines_that_were_asked_for),
		IN_BOX(log_goes_on_behind_half_a_line),
		IN_BOX(log_goes_on_behind_what_was_never_written),
		IN_BOX(log_leaves_a_segment_alone_when_it_was_changed),
		IN_BOX(log_uses_no_number_twice_when_a_segment_is_damaged),
		IN_BOX(verify_believes_no_line_that_is_not_signed),
		IN_BOX(verify_finds_lines_that_were_put_in_where_asked),
		IN_BOX(verify_reads_what_others_read),
		IN_BOX(verify_names_what_is_no_evidence),
		IN_BOX(sync_goes_on_after_a_segment_was_closed),
		IN_BOX(log_says_what_was_lost_last),
		IN_BOX(log_compresses_what_a_crash_left),
		IN_BOX(log_counts_what_a_full_disk_loses_and_says_so),
		IN_BOX(log_begins_a_segment_when_its_file_was_moved_away),
		IN_BOX(log_takes_no_line_beyond_the_limit),
		IN_BOX(key_is_the_same_when_read_again),
		IN_BOX(key_is_refused_when_others_can_read_it),
		IN_BOX(public_key_survives_pem_and_nothing_else_does),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
