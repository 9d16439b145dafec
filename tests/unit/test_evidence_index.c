// SPDX-License-Identifier: GPL-2.0-only
/* The index over the evidence log: what it finds, and what makes it anew. */
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
#include <sys/stat.h>
#include <unistd.h>

#include "evidence.h"
#include "evidence_index.h"

struct box {
	char dir[32];
	char log[64];
	char key_path[64];
	char file[64];
	struct sign_key key;
	struct evidence *evidence;
	struct evidence_index *index;
	struct evidence_index_found found;
};

static int setup(void **state)
{
	struct box *box = calloc(1, sizeof(*box));
	bool made = false;

	if (!box)
		return -1;
	(void)strcpy(box->dir, "/tmp/test_index.XXXXXX");
	if (!mkdtemp(box->dir))
		return -1;
	(void)snprintf(box->log, sizeof(box->log), "%s/log", box->dir);
	(void)snprintf(box->key_path, sizeof(box->key_path), "%s/key",
		       box->dir);
	(void)snprintf(box->file, sizeof(box->file), "%s/index.db", box->dir);
	if (sign_key_load(box->key_path, &box->key, &made) || !made)
		return -1;
	*state = box;
	return 0;
}

static void empty(const char *dir)
{
	char path[512];
	const struct dirent *entry;
	DIR *folder = opendir(dir);

	while (folder && (entry = readdir(folder))) {
		(void)snprintf(path, sizeof(path), "%s/%s", dir, entry->d_name);
		if (entry->d_name[0] != '.')
			(void)unlink(path);
	}
	if (folder)
		(void)closedir(folder);
}

static int teardown(void **state)
{
	struct box *box = *state;

	evidence_index_close(box->index);
	evidence_close(box->evidence);
	empty(box->log);
	(void)rmdir(box->log);
	empty(box->dir);
	(void)rmdir(box->dir);
	sign_key_release(&box->key);
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
	struct evidence_found found;

	assert_int_equal(
		evidence_open(&opts, NULL, NULL, &found, &box->evidence), 0);
}

static void add(struct box *box, json_t *fields, const char *type)
{
	char text[EVIDENCE_LINE_MAX];
	size_t len;

	assert_non_null(fields);
	assert_int_equal(evidence_add(box->evidence,
				      evidence_object(type, fields), text,
				      &len),
			 0);
}

static void sync_log(struct box *box)
{
	assert_int_equal(evidence_checkpoint(box->evidence), 0);
	assert_int_equal(evidence_sync(box->evidence), 0);
}

static void start(struct box *box, int adopted)
{
	add(box, json_pack("{s:b}", "adopted", adopted), "start");
}

static void add_incident(struct box *box, int number, int blocked)
{
	add(box,
	    json_pack("{s:i, s:s, s:i, s:[{s:i}]}", "incident", number, "state",
		      "updated", "blocked", blocked, "origins", "origin", 3),
	    "incident");
}

static void add_row(struct box *box, int origin, const char *to, int acts)
{
	add(box,
	    json_pack("{s:i, s:s, s:s, s:s, s:s, s:i}", "origin", origin,
		      "subject", "*", "dataset", "photos", "destination", to,
		      "channel", "tcp", "acts", acts),
	    "ledger");
}

static void open_index(struct box *box, const char *file, bool anew)
{
	const char *const paths[] = {box->log};
	const struct evidence_index_options opts = {
		.paths = paths, .n_paths = 1, .file = file, .anew = anew};

	evidence_index_close(box->index);
	box->index = NULL;
	assert_int_equal(evidence_index_open(&opts, &box->found, &box->index),
			 0);
}

static int count(const json_t *line, void *arg)
{
	(void)line;
	++*(int *)arg;
	return 0;
}

static int sum_acts(const json_t *line, void *arg)
{
	*(int *)arg += (int)json_integer_value(json_object_get(line, "acts"));
	return 0;
}

static int lines(struct box *box, const struct evidence_index_query *query)
{
	int n = 0;
	uint64_t counted = 0;

	assert_int_equal(evidence_index_lines(box->index, query, count, &n), 0);
	assert_int_equal(evidence_index_count(box->index, query, &counted), 0);
	if (!query->max)
		assert_int_equal(counted, n);
	return n;
}

static uint64_t blocked(struct box *box, uint64_t number)
{
	struct evidence_index_incident incident;
	uint64_t n;

	assert_int_equal(evidence_index_incident(box->index, number, &incident),
			 0);
	n = (uint64_t)json_integer_value(
		json_object_get(incident.line, "blocked"));
	json_decref(incident.line);
	return n;
}

static void finds_what_is_asked_for(void **state)
{
	struct box *box = *state;
	struct evidence_index_query query = {.type = "incident"};
	struct evidence_index_incident incident;
	int n = 0;

	open_log(box, 0, 0);
	start(box, false);
	add_incident(box, 1, 5);
	add_incident(box, 2, 7);
	add_incident(box, 1, 9);
	add_row(box, 3, "*", 10);
	add_row(box, 3, "*", 30);
	add_row(box, 3, "printers", 1);
	add_row(box, 4, "*", 100);
	sync_log(box);
	open_index(box, NULL, false);
	assert_int_equal(lines(box, &query), 3);
	query.but = 1;
	assert_int_equal(lines(box, &query), 1);
	query = (struct evidence_index_query){.but = 1};
	assert_true(lines(box, &query) > 5); /* those of none too */
	query = (struct evidence_index_query){.type = "incident"};
	query.incident = 1;
	assert_int_equal(lines(box, &query), 2);
	query.max = 1;
	query.newest = true;
	assert_int_equal(lines(box, &query), 1);
	assert_int_equal(blocked(box, 1), 9);
	assert_int_equal(evidence_index_incidents(box->index, count, &n), 0);
	assert_int_equal(n, 2);
	assert_int_equal(evidence_index_incident(box->index, 3, &incident),
			 -ENOENT);
	n = 0;
	assert_int_equal(evidence_index_ledger(box->index, box->found.load, 3,
					       sum_acts, &n),
			 0);
	assert_int_equal(n, 31);
}

static int list_row(uint64_t load, const json_t *line, void *arg)
{
	uint64_t *sum = arg;

	sum[load == 4] +=
		(uint64_t)json_integer_value(json_object_get(line, "acts"));
	return 0;
}

static void lists_all_rows_guard_by_guard(void **state)
{
	struct box *box = *state;
	uint64_t sums[2] = {0, 0};

	open_log(box, 0, 0);
	start(box, false);
	add_row(box, 3, "*", 10);
	add_row(box, 0, "*", 5);
	start(box, false);
	add_row(box, 3, "*", 100);
	add_row(box, 3, "*", 300);
	sync_log(box);
	open_index(box, NULL, false);
	assert_int_equal(evidence_index_rows(box->index, list_row, sums), 0);
	assert_int_equal(sums[0], 15);
	assert_int_equal(sums[1], 300);
}

/* The numbers of origins begin anew. */
static void origins_are_told_apart_when_the_guard_is_another(void **state)
{
	struct box *box = *state;
	struct evidence_index_query query = {.type = "ledger", .origin = 3};

	open_log(box, 0, 0);
	start(box, false);
	add_row(box, 3, "*", 10);
	start(box, true);
	add_row(box, 3, "*", 11);
	start(box, false);
	add_row(box, 3, "*", 12);
	sync_log(box);
	open_index(box, NULL, false);
	assert_int_equal(lines(box, &query), 3);
	query.load = box->found.load;
	assert_int_equal(lines(box, &query), 1);
	query.load = 1;
	assert_int_equal(lines(box, &query), 2);
}

static int count_record(const struct evidence_index_record *record, void *arg)
{
	assert_int_equal(record->origin, 3);
	++*(int *)arg;
	return 0;
}

static int records(struct box *box, const char *name)
{
	int n = 0;

	assert_int_equal(
		evidence_index_records(box->index, name, count_record, &n), 0);
	return n;
}

static void finds_records_by_name_row_and_key(void **state)
{
	struct box *box = *state;

	open_log(box, 0, 0);
	start(box, false);
	add(box,
	    json_pack("{s:i, s:s, s:s, s:[[i,s],[i,s]]}", "origin", 3,
		      "dataset", "photos", "dir", "/srv/photos", "files", 1,
		      "000001.jpg", 2, "a:7"),
	    "exposed");
	add(box,
	    json_pack("{s:i, s:s, s:s, s:[[i,i],[i,i]], s:[s,s,s,s]}", "origin",
		      3, "dataset", "rows", "file", "/srv/roster", "rows", 10,
		      12, 40, 40, "keys", "W10", "W11", "W/12", "W40"),
	    "exposed");
	add(box,
	    json_pack("{s:i, s:s, s:s, s:[[i,i]], s:[s,s,n,s]}", "origin", 3,
		      "dataset", "rows", "file", "/srv/roster", "rows", 50, 53,
		      "keys", "AB/50", "", "50"),
	    "exposed");
	sync_log(box);
	open_index(box, NULL, false);
	assert_int_equal(records(box, "000001.jpg"), 1);
	assert_int_equal(records(box, "/srv/photos/000001.jpg"), 1);
	assert_int_equal(records(box, "000001"), 0);
	assert_int_equal(records(box, "a:7"), 1);
	assert_int_equal(records(box, "roster:12"), 1);
	assert_int_equal(records(box, "/srv/roster:40"), 1);
	assert_int_equal(records(box, "roster:13"), 0);
	assert_int_equal(records(box, "roster"), 0);
	assert_int_equal(records(box, "W11"), 1);
	assert_int_equal(records(box, "W/12"), 1);
	assert_int_equal(records(box, "W13"), 0);
	assert_int_equal(records(box, "AB/50"), 1);
	assert_int_equal(records(box, "50"), 1);
	assert_int_equal(records(box, "AC/50"), 1); /* were it a file */
	assert_int_equal(records(box, ""), 0);
	/* Nothing in it is SQL. */
	assert_int_equal(records(box, "' OR '1'='1"), 0);
}

static void takes_only_what_is_new_when_opened_again(void **state)
{
	struct box *box = *state;
	struct evidence_index_query query = {.type = "incident"};

	open_log(box, 4096, 0);
	start(box, false);
	for (int i = 0; i < 50; i++)
		add_incident(box, 1, i);
	sync_log(box);
	open_index(box, box->file, false);
	assert_string_equal(box->found.problem, "");
	assert_in_range(box->found.lines, 51, 99);
	for (int i = 50; i < 55; i++)
		add_incident(box, 2, i);
	sync_log(box);
	open_index(box, box->file, false);
	assert_in_range(box->found.lines, 5, 7);
	assert_int_equal(lines(box, &query), 55);
	assert_int_equal(blocked(box, 2), 54);
	open_index(box, box->file, false);
	assert_int_equal(box->found.lines, 0);
	open_index(box, box->file, true);
	assert_true(box->found.lines > 55);
	assert_int_equal(lines(box, &query), 55);
}

static void is_made_anew_when_the_log_is_another(void **state)
{
	struct box *box = *state;
	struct evidence_index_query query = {.type = "incident"};

	open_log(box, 0, 0);
	start(box, false);
	add_incident(box, 1, 1);
	sync_log(box);
	open_index(box, box->file, false);
	evidence_close(box->evidence);
	empty(box->log);
	open_log(box, 0, 0);
	start(box, false);
	for (int i = 0; i < 9; i++)
		add_incident(box, 4, i);
	sync_log(box);
	open_index(box, box->file, false);
	assert_int_equal(lines(box, &query), 9);
	/* And when there is less than it has. */
	evidence_close(box->evidence);
	empty(box->log);
	open_log(box, 0, 0);
	start(box, false);
	sync_log(box);
	open_index(box, box->file, false);
	assert_int_equal(lines(box, &query), 0);
}

static void forgets_what_was_retired(void **state)
{
	struct box *box = *state;
	struct evidence_index_query query = {.type = "incident"};
	uint64_t total;
	int n, m = 0;

	open_log(box, 4096, 8192);
	start(box, false);
	add_row(box, 3, "*", 10);
	for (int i = 0; i < 20; i++)
		add_incident(box, 1 + i, i);
	sync_log(box);
	open_index(box, box->file, false);
	for (int i = 0; i < 900; i++) {
		add_incident(box, 100 + i, i);
		assert_int_equal(evidence_sync(box->evidence), 0);
	}
	sync_log(box);
	open_index(box, box->file, false);
	n = lines(box, &query);
	total = box->found.total;
	assert_in_range(n, 1, 890);
	assert_int_equal(evidence_index_incidents(box->index, count, &m), 0);
	assert_int_equal(m, n);
	m = 0;
	assert_int_equal(evidence_index_ledger(box->index, 1, 3, sum_acts, &m),
			 0);
	assert_int_equal(m, 0);
	/* As who never saw these; each segment says which guard runs. */
	add(box, json_pack("{s:i, s:i}", "load", 1, "last", 0), "incidents");
	sync_log(box);
	open_index(box, box->file, true);
	assert_int_equal(lines(box, &query), n);
	assert_in_range(box->found.total, total + 1, total + 2);
	assert_int_equal(box->found.load, 1);
	query.load = 1;
	assert_int_equal(lines(box, &query), n);
}

/* It was open when the host went down: the next agent closes it. */
static void incident_keeps_its_guard_when_another_closes_it(void **state)
{
	struct box *box = *state;
	struct evidence_index_incident incident;

	open_log(box, 0, 0);
	start(box, false);
	add(box,
	    json_pack("{s:i, s:s, s:i}", "incident", 1, "state", "updated",
		      "load", 1),
	    "incident");
	start(box, false);
	add(box,
	    json_pack("{s:i, s:s, s:i}", "incident", 1, "state", "closed",
		      "load", 1),
	    "incident");
	sync_log(box);
	open_index(box, box->file, false);
	assert_int_equal(box->found.load, 3);
	assert_int_equal(evidence_index_incident(box->index, 1, &incident), 0);
	assert_int_equal(incident.load, 1);
	assert_int_equal(incident.last, 4);
	json_decref(incident.line);
}

static void rows_of_several_are_told_apart(void **state)
{
	struct box *box = *state;
	int n = 0;

	open_log(box, 0, 0);
	start(box, false);
	add_row(box, 0, "*", 1);
	add(box,
	    json_pack("{s:i, s:b, s:s, s:s, s:s, s:s, s:i}", "origin", 0,
		      "several", 1, "subject", "*", "dataset", "photos",
		      "destination", "*", "channel", "tcp", "acts", 10),
	    "ledger");
	add_row(box, 3, "*", 100);
	sync_log(box);
	open_index(box, NULL, false);
	assert_int_equal(evidence_index_ledger(box->index, 1, 0, sum_acts, &n),
			 0);
	assert_int_equal(n, 11);
}

static void is_in_memory_when_the_file_cannot_be_used(void **state)
{
	struct box *box = *state;
	struct evidence_index_query query = {.type = "incident"};

	open_log(box, 0, 0);
	start(box, false);
	add_incident(box, 1, 1);
	sync_log(box);
	open_index(box, box->dir, false);
	assert_string_not_equal(box->found.problem, "");
	assert_int_equal(lines(box, &query), 1);
	open_index(box, "/nonexistent/index.db", false);
	assert_string_not_equal(box->found.problem, "");
	assert_int_equal(lines(box, &query), 1);
}

static void is_made_anew_when_the_file_is_no_index(void **state)
{
	struct box *box = *state;
	struct evidence_index_query query = {.type = "incident"};
	FILE *file;

	open_log(box, 0, 0);
	start(box, false);
	add_incident(box, 1, 1);
	sync_log(box);
	file = fopen(box->file, "w");
	assert_non_null(file);
	for (int i = 0; i < 9999; i++)
		(void)fputs("this is no index ", file);
	(void)fclose(file);
	open_index(box, box->file, false);
	assert_string_equal(box->found.problem, "");
	assert_int_equal(lines(box, &query), 1);
}

static void *read_file(const char *path, size_t *ret_size)
{
	FILE *file = fopen(path, "r");
	struct stat st;
	void *bytes;

	assert_non_null(file);
	assert_int_equal(fstat(fileno(file), &st), 0);
	*ret_size = (size_t)st.st_size;
	bytes = malloc(*ret_size);
	assert_non_null(bytes);
	assert_int_equal(fread(bytes, 1, *ret_size, file), *ret_size);
	(void)fclose(file);
	return bytes;
}

static void write_file(const char *path, const void *bytes, size_t size)
{
	FILE *file = fopen(path, "w");

	assert_non_null(file);
	assert_int_equal(fwrite(bytes, 1, size, file), size);
	assert_int_equal(fclose(file), 0);
}

/* Whichever page is damaged: all, or an error. */
static void answer_is_whole_when_the_index_is_damaged(void **state)
{
	static const struct evidence_index_query query = {.type = "exposed"};
	struct evidence_index_incident incident;
	enum { LINES = 60, PAGE = 4096 };
	struct box *box = *state;
	int n, r, refused = 0;
	uint8_t *bytes;
	size_t size;

	open_log(box, 0, 0);
	start(box, false);
	add_incident(box, 1, 1);
	for (int i = 0; i < LINES; i++)
		add(box,
		    json_pack("{s:i, s:s, s:s, s:[[i, s]]}", "origin", 3,
			      "dataset", "photos", "dir", "/srv/photos",
			      "files", i, "000001.jpg"),
		    "exposed");
	sync_log(box);
	open_index(box, box->file, false);
	evidence_index_close(box->index);
	box->index = NULL;
	bytes = read_file(box->file, &size);
	for (size_t at = PAGE; at + PAGE <= size; at += PAGE) {
		uint8_t page[PAGE];

		memcpy(page, bytes + at, PAGE);
		memset(bytes + at, 0x55, PAGE);
		write_file(box->file, bytes, size);
		memcpy(bytes + at, page, PAGE);
		open_index(box, box->file, false);
		n = 0;
		r = evidence_index_lines(box->index, &query, count, &n);
		assert_true(r == -EIO || (!r && n == LINES));
		refused += r != 0;
		r = evidence_index_incident(box->index, 1, &incident);
		assert_true(r == 0 || r == -EIO);
		if (!r)
			json_decref(incident.line);
	}
	assert_int_not_equal(refused, 0);
	free(bytes);
}

static void half_a_line_is_left_for_later(void **state)
{
	struct box *box = *state;
	char path[128];
	FILE *file;

	open_log(box, 0, 0);
	start(box, false);
	sync_log(box);
	evidence_close(box->evidence);
	box->evidence = NULL;
	(void)snprintf(path, sizeof(path), "%s/000000000001.jsonl", box->log);
	file = fopen(path, "a");
	assert_non_null(file);
	(void)fputs("{\"cordon\":1,\"type\":\"incid", file);
	(void)fclose(file);
	open_index(box, box->file, false);
	assert_int_equal(box->found.total, box->found.last);
	assert_int_equal(box->found.bad, 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(finds_what_is_asked_for),
		TEST(lists_all_rows_guard_by_guard),
		TEST(origins_are_told_apart_when_the_guard_is_another),
		TEST(finds_records_by_name_row_and_key),
		TEST(takes_only_what_is_new_when_opened_again),
		TEST(is_made_anew_when_the_log_is_another),
		TEST(forgets_what_was_retired),
		TEST(incident_keeps_its_guard_when_another_closes_it),
		TEST(rows_of_several_are_told_apart),
		TEST(is_in_memory_when_the_file_cannot_be_used),
		TEST(is_made_anew_when_the_file_is_no_index),
		TEST(answer_is_whole_when_the_index_is_damaged),
		TEST(half_a_line_is_left_for_later),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
