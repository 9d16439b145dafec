// SPDX-License-Identifier: GPL-2.0-only
/*
 * What is written down of records that were read: the keys of rows, and lines.
 *
 * usage: test_exposed [--write DIR], which makes a log in DIR, with keys that
 * somebody chose to do harm with, of a file beside it
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "clock.h"
#include "evidence.h"
#include "exposed.h"
#include "row_keys.h"

#define N_ELEMENTS(a) (sizeof(a) / sizeof((a)[0]))

/* Stands in every row, and may stand in no line. */
#define SECRET "Aldermark"

static char dir[64];
static ino_t inode; /* of the file whose rows were read */
static const struct row_keys_form form = {
	.row_bytes = 40, .from = 10, .bytes = 8};

static const char *in_dir(const char *name)
{
	static char path[128];

	(void)snprintf(path, sizeof(path), "%s/%s", dir, name);
	return path;
}

static int setup(void **state)
{
	(void)state;
	(void)strcpy(dir, "/tmp/test_exposed.XXXXXX");
	return mkdtemp(dir) ? 0 : -1;
}

static int teardown(void **state)
{
	(void)state;
	(void)unlink(in_dir("rows"));
	(void)unlink(in_dir("other"));
	return rmdir(dir);
}

static void note_inode(const char *path)
{
	struct stat st;

	assert_int_equal(stat(path, &st), 0);
	inode = st.st_ino;
}

/* n rows, each with its number as key; "" stands for all of a key's bytes. */
static void make_rows(const char *path, uint32_t row_bytes, unsigned int n)
{
	char *row = malloc(row_bytes + 1);
	FILE *f = fopen(path, "we");

	assert_non_null(row);
	assert_non_null(f);
	for (unsigned int i = 0; i < n; i++) {
		(void)snprintf(row, row_bytes + 1, "%-10s%-8u%-*s\n", SECRET, i,
			       (int)row_bytes - 19, SECRET);
		assert_int_equal(fwrite(row, row_bytes, 1, f), 1);
	}
	assert_int_equal(fclose(f), 0);
	free(row);
	note_inode(path);
}

static void put_key(const char *path, unsigned int row, const char *key)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);

	assert_true(fd >= 0);
	assert_int_equal(pwrite(fd, key, form.bytes,
				(off_t)(row * form.row_bytes + form.from)),
			 form.bytes);
	(void)close(fd);
}

static int is_same(int fd, void *arg)
{
	struct stat st;

	(void)arg;
	assert_int_equal(fstat(fd, &st), 0);
	return st.st_ino == inode ? 0 : -ESTALE;
}

static struct row_keys *open_keys(const struct row_keys_form *of)
{
	static struct row_keys_limit limit;
	struct row_keys *keys = NULL;

	limit = (struct row_keys_limit){clock_ms() + 10000, 1000000};
	assert_int_equal(
		row_keys_open(in_dir("rows"), of, &limit, is_same, NULL, &keys),
		0);
	return keys;
}

/* ---- keys ---------------------------------------------------------------- */

static void keys_are_those_of_the_rows_when_asked_for(void **state)
{
	static const uint32_t widths[] = {40, 160, 4096, 4097, 65536, 100000};
	struct row_keys_form wide = form;
	char text[ROW_KEYS_CHARS_MAX], number[16];
	struct row_keys *keys;
	unsigned int n, i, k;

	(void)state;
	for (i = 0; i < N_ELEMENTS(widths); i++) {
		n = 2000000 / widths[i];
		wide.row_bytes = widths[i];
		make_rows(in_dir("rows"), widths[i], n);
		keys = open_keys(&wide);
		for (k = 0; k < n; k++) {
			assert_int_equal(row_keys_get(keys, k, n - 1, text), 0);
			(void)snprintf(number, sizeof(number), "%u", k);
			assert_string_equal(text, number);
		}
		/* Back to the first, and nobody says what comes next. */
		for (k = 0; k < n; k += 7) {
			assert_int_equal(row_keys_get(keys, k, 0, text), 0);
			(void)snprintf(number, sizeof(number), "%u", k);
			assert_string_equal(text, number);
		}
		row_keys_free(keys);
	}
	row_keys_free(NULL);
}

static void key_is_trimmed_and_clean_when_it_is_hostile(void **state)
{
	static const struct {
		const char *bytes, *text;
	} cases[] = {
		{"W0000001", "W0000001"},
		{"  W01   ", "W01"},
		{"\0\t W 1\r\n", "W 1"},
		{"        ", ""},
		{"\0\0\0\0\0\0\0", ""},
		{"\x1b[2Jred\x07", "\\x1b[2Jred\\x07"},
		{"a\xe2\x80\xaegpj ", "a\\xe2\\x80\\xaegpj"},
		{"=1+cmd|\"", "=1+cmd|\""},
		{"a\\b\nc\\\\d", "a\\x5cb\\x0ac\\x5c\\x5cd"},
		{"abcdefg\xc3", "abcdefg\\xc3"},
		{"\xa9 \xc3\xa9 \xff\xfe", "\\xa9 \xc3\xa9 \\xff\\xfe"},
		{"\xff\xff\xff\xff\xff\xff\xff\xff",
		 "\\xff\\xff\\xff\\xff\\xff\\xff\\xff\\xff"},
	};
	char text[ROW_KEYS_CHARS_MAX];
	struct row_keys *keys;
	unsigned int i;

	(void)state;
	make_rows(in_dir("rows"), form.row_bytes, N_ELEMENTS(cases));
	for (i = 0; i < N_ELEMENTS(cases); i++)
		put_key(in_dir("rows"), i, cases[i].bytes);
	keys = open_keys(&form);
	for (i = 0; i < N_ELEMENTS(cases); i++) {
		assert_int_equal(
			row_keys_get(keys, i, N_ELEMENTS(cases) - 1, text), 0);
		assert_string_equal(text, cases[i].text);
	}
	row_keys_free(keys);
}

static void key_fits_when_it_is_as_long_as_any(void **state)
{
	const struct row_keys_form longest = {.row_bytes = 64, .bytes = 64};
	char text[ROW_KEYS_CHARS_MAX];
	struct row_keys *keys;
	FILE *f = fopen(in_dir("rows"), "we");

	(void)state;
	assert_non_null(f);
	for (int i = 0; i < 64; i++)
		(void)fputc(0xff, f);
	assert_int_equal(fclose(f), 0);
	note_inode(in_dir("rows"));
	keys = open_keys(&longest);
	assert_int_equal(row_keys_get(keys, 0, 0, text), 0);
	assert_int_equal(strlen(text), 4 * 64);
	assert_string_equal(text + 4 * 63, "\\xff");
	row_keys_free(keys);
}

static void key_is_missing_when_the_file_is_short(void **state)
{
	char text[ROW_KEYS_CHARS_MAX] = "as it was";
	struct row_keys *keys;

	(void)state;
	make_rows(in_dir("rows"), form.row_bytes, 3);
	/* The third row's key ends here. */
	assert_int_equal(truncate(in_dir("rows"), 98), 0);
	keys = open_keys(&form);
	assert_int_equal(row_keys_get(keys, 0, 9, text), 0);
	assert_int_equal(row_keys_get(keys, 2, 9, text), 0);
	assert_string_equal(text, "2");
	assert_int_equal(truncate(in_dir("rows"), 97), 0);
	row_keys_free(keys);
	keys = open_keys(&form);
	/* A byte is missing, of what was read in one go and of its own. */
	assert_int_equal(row_keys_get(keys, 0, 9, text), 0);
	assert_int_equal(row_keys_get(keys, 2, 9, text), -ENODATA);
	assert_string_equal(text, "0");
	(void)strcpy(text, "2");
	assert_int_equal(row_keys_get(keys, 2, 9, text), -ENODATA);
	assert_int_equal(row_keys_get(keys, 1ULL << 38, 1ULL << 38, text),
			 -ENODATA);
	assert_string_equal(text, "2");
	assert_int_equal(row_keys_get(keys, 1, 9, text), 0);
	assert_string_equal(text, "1");
	row_keys_free(keys);
}

static int open_as(const char *path, int64_t until_ms, uint64_t left)
{
	struct row_keys_limit limit = {until_ms, left};
	struct row_keys *keys = NULL;
	int r = row_keys_open(path, &form, &limit, is_same, NULL, &keys);

	assert_true(r < 0 && !keys);
	return r;
}

static void keys_are_refused_when_the_file_is_another(void **state)
{
	char path[128];
	int64_t later = clock_ms() + 10000;

	(void)state;
	make_rows(in_dir("rows"), form.row_bytes, 3);
	assert_int_equal(open_as(in_dir("rows"), clock_ms() - 1, 1), -ETIME);
	assert_int_equal(open_as(in_dir("rows"), later, 0), -E2BIG);
	(void)strcpy(path, in_dir("rows"));
	assert_int_equal(rename(path, in_dir("other")), 0);
	assert_int_equal(open_as(path, later, 1), -ENOENT);
	assert_int_equal(symlink("other", path), 0);
	assert_int_equal(open_as(path, later, 1), -ELOOP);
	assert_int_equal(unlink(path), 0);
	/* Nobody writes to it: it is not waited for. */
	assert_int_equal(mkfifo(path, 0600), 0);
	assert_int_equal(open_as(path, later, 1), -ESTALE);
	assert_int_equal(unlink(path), 0);
	assert_int_equal(mkdir(path, 0700), 0);
	assert_int_equal(open_as(path, later, 1), -ESTALE);
	assert_int_equal(rmdir(path), 0);
	make_rows(path, form.row_bytes, 3);
	note_inode(in_dir("other"));
	assert_int_equal(open_as(in_dir("rows"), later, 1), -ESTALE);
}

static void file_looks_unread_when_keys_were_read(void **state)
{
	const struct timespec then[2] = {{.tv_sec = 1000}, {.tv_sec = 1000}};
	char text[ROW_KEYS_CHARS_MAX];
	struct row_keys *keys;
	struct stat st;

	(void)state;
	make_rows(in_dir("rows"), form.row_bytes, 3);
	assert_int_equal(utimensat(AT_FDCWD, in_dir("rows"), then, 0), 0);
	keys = open_keys(&form);
	assert_int_equal(row_keys_get(keys, 0, 2, text), 0);
	row_keys_free(keys);
	assert_int_equal(stat(in_dir("rows"), &st), 0);
	assert_int_equal(st.st_atim.tv_sec, 1000);
}

/* ---- lines --------------------------------------------------------------- */

/* What was told, and how large the largest line was. */
struct told {
	json_t *lines;
	size_t largest;
	int r; /* what to answer */
};

static int take(json_t *line, void *arg)
{
	struct told *told = arg;
	char *text = json_dumps(line, JSON_COMPACT);

	assert_non_null(text);
	assert_null(strstr(text, SECRET));
	/* What evidence_add() adds: numbers, a hash, what was skipped. */
	if (strlen(text) + 200 > told->largest)
		told->largest = strlen(text) + 200;
	free(text);
	json_array_append_new(told->lines, line);
	return told->r;
}

static void told_end(struct told *told)
{
	json_decref(told->lines);
}

static json_t *part(const struct told *told, size_t i, const char *key)
{
	return json_object_get(json_array_get(told->lines, i), key);
}

static void assert_json(const json_t *value, const char *expected)
{
	char *text = json_dumps(value, JSON_COMPACT | JSON_ENCODE_ANY);

	assert_string_equal(text ? text : "nothing", expected);
	free(text);
}

static const struct exposed_of of = {.origin = 7, .dataset = "roster"};

/* Tells of the first n rows; path NULL: by a name that is not known. */
static int tell_rows(struct told *told, struct exposed_rows *rows, size_t n)
{
	struct exposure_block *blocks = calloc(n / 64 + 1, sizeof(*blocks));
	struct exposed to = {.fn = take, .arg = told};
	size_t n_blocks = (n + 63) / 64;
	int r;

	assert_non_null(blocks);
	if (!told->lines)
		told->lines = json_array();
	for (size_t i = 0; i < n_blocks; i++)
		blocks[i] = (struct exposure_block){
			.origin = 7,
			.record = 9,
			.first = (uint32_t)i,
			.mask = i == n / 64 ? (1ULL << (n & 63)) - 1
					    : UINT64_MAX,
		};
	rows->record = 9;
	rows->row_bytes = form.row_bytes;
	rows->path = "/srv/roster.csv";
	rows->len = strlen(rows->path);
	r = exposed_rows(&to, &of, rows, blocks, n_blocks);
	exposed_release(&to);
	free(blocks);
	return r;
}

static void line_has_a_key_for_each_row_in_their_order(void **state)
{
	const struct exposure_block blocks[] = {
		{7, 9, 0, 1ULL << 3 | 1ULL << 4 | 1ULL << 63},
		{7, 9, 1, 1},
		{7, 9, 4, 1ULL << 1},
	};
	struct told told = {.lines = json_array()};
	struct exposed to = {.fn = take, .arg = &told};
	struct exposed_rows rows = {.record = 9,
				    .path = "/srv/r\xff",
				    .len = 7,
				    .row_bytes = form.row_bytes};

	(void)state;
	make_rows(in_dir("rows"), form.row_bytes, 200);
	rows.keys = open_keys(&form);
	assert_int_equal(exposed_rows(&to, &of, &rows, blocks, 3), 0);
	assert_int_equal(json_array_size(told.lines), 1);
	assert_json(part(&told, 0, "type"), "\"exposed\"");
	assert_json(part(&told, 0, "origin"), "7");
	assert_json(part(&told, 0, "dataset"), "\"roster\"");
	assert_json(part(&told, 0, "file"), "\"/srv/r\\\\xff\"");
	assert_json(part(&told, 0, "record"), "9");
	assert_json(part(&told, 0, "row_bytes"), "40");
	assert_json(part(&told, 0, "rows"), "[[3,4],[63,64],[257,257]]");
	assert_json(part(&told, 0, "keys"), "[\"3\",\"4\",\"63\",\"64\",null]");
	assert_null(part(&told, 0, "keys_why"));
	row_keys_free(rows.keys);
	told_end(&told);
}

static void line_says_why_when_there_are_no_keys(void **state)
{
	static const struct {
		int r;
		const char *why;
	} cases[] = {{-ENOENT, "gone"},	      {-ENOTDIR, "gone"},
		     {-ESTALE, "replaced"},   {-ELOOP, "replaced"},
		     {-ETIME, "time"},	      {-E2BIG, "many"},
		     {-EACCES, "unreadable"}, {-EAGAIN, "unreadable"}};
	struct exposed_rows rows = {0};
	struct told told = {0};

	(void)state;
	for (size_t i = 0; i < N_ELEMENTS(cases); i++)
		assert_string_equal(exposed_keys_why(cases[i].r), cases[i].why);
	/* Nobody asked for any. */
	assert_int_equal(tell_rows(&told, &rows, 70), 0);
	assert_json(part(&told, 0, "rows"), "[[0,69]]");
	assert_null(part(&told, 0, "keys"));
	assert_null(part(&told, 0, "keys_why"));
	rows.keys_why = "gone";
	assert_int_equal(tell_rows(&told, &rows, 70), 0);
	assert_int_equal(json_array_size(told.lines), 2);
	assert_json(part(&told, 1, "rows"), "[[0,69]]");
	assert_json(part(&told, 1, "keys_why"), "\"gone\"");
	told_end(&told);
}

/* How many rows the lines have, which have to follow each other, and keys. */
static void count(const struct told *told, size_t *ret_rows, size_t *ret_keys)
{
	const json_t *line, *range;
	json_int_t next = 0;
	size_t i, k, n;

	*ret_keys = 0;
	json_array_foreach (told->lines, i, line) {
		n = 0;
		json_array_foreach (json_object_get(line, "rows"), k, range) {
			assert_int_equal(
				json_integer_value(json_array_get(range, 0)),
				next);
			n -= (size_t)next - 1;
			next = json_integer_value(json_array_get(range, 1)) + 1;
			n += (size_t)next - 1;
		}
		assert_true(n > 0);
		k = json_array_size(json_object_get(line, "keys"));
		assert_true(k == n ||
			    (!k && json_object_get(line, "keys_why")));
		*ret_keys += k;
	}
	*ret_rows = (size_t)next;
}

static void roster_of_47000_is_told_when_all_of_it_was_read(void **state)
{
	struct exposed_rows rows = {0};
	struct told told = {0};
	size_t n_rows, n_keys;
	int64_t began;

	(void)state;
	make_rows(in_dir("rows"), form.row_bytes, 47000);
	began = clock_ms();
	rows.keys = open_keys(&form);
	assert_int_equal(tell_rows(&told, &rows, 47000), 0);
	/* It takes some 40 ms; under a sanitizer, on a slow machine, more. */
	assert_true(clock_ms() - began < 5000);
	count(&told, &n_rows, &n_keys);
	assert_int_equal(n_rows, 47000);
	assert_int_equal(n_keys, 47000);
	assert_true(told.largest < EVIDENCE_LINE_MAX);
	/* Not a line for each, either. */
	assert_true(json_array_size(told.lines) < 200);
	row_keys_free(rows.keys);
	told_end(&told);
}

/* The last line is one of rows without keys, and that one only. */
static void assert_last_has_none(const struct told *told, const char *why)
{
	size_t last = json_array_size(told->lines) - 1;

	assert_true(last > 0);
	assert_json(part(told, last, "keys_why"), why);
	assert_null(part(told, last, "keys"));
	assert_null(part(told, last - 1, "keys_why"));
}

static void rows_are_told_without_keys_when_time_is_up(void **state)
{
	struct row_keys_limit limit = {clock_ms() + 10000, 1000000};
	struct exposed_rows rows = {0};
	struct told told = {0};
	size_t n_rows, n_keys;
	char text[ROW_KEYS_CHARS_MAX];

	(void)state;
	make_rows(in_dir("rows"), form.row_bytes, 47000);
	assert_int_equal(row_keys_open(in_dir("rows"), &form, &limit, is_same,
				       NULL, &rows.keys),
			 0);
	/* A block is read, and then too much time has gone by. */
	assert_int_equal(row_keys_get(rows.keys, 0, 46999, text), 0);
	limit.until_ms = clock_ms() - 1;
	assert_int_equal(tell_rows(&told, &rows, 47000), 0);
	count(&told, &n_rows, &n_keys);
	assert_int_equal(n_rows, 47000);
	assert_in_range(n_keys, 1, 2000);
	assert_last_has_none(&told, "\"time\"");
	row_keys_free(rows.keys);
	told_end(&told);
}

static void rows_are_told_without_keys_when_there_are_too_many(void **state)
{
	struct row_keys_limit limit = {clock_ms() + 10000, 500};
	struct exposed_rows rows = {0};
	struct told told = {0};
	size_t n_rows, n_keys;

	(void)state;
	make_rows(in_dir("rows"), form.row_bytes, 2000);
	assert_int_equal(row_keys_open(in_dir("rows"), &form, &limit, is_same,
				       NULL, &rows.keys),
			 0);
	assert_int_equal(tell_rows(&told, &rows, 2000), 0);
	count(&told, &n_rows, &n_keys);
	assert_int_equal(n_rows, 2000);
	assert_int_equal(n_keys, 500);
	assert_last_has_none(&told, "\"many\"");
	row_keys_free(rows.keys);
	told_end(&told);
}

static void lines_fit_when_all_in_them_is_hostile(void **state)
{
	char path[4096];
	struct told told = {.lines = json_array()};
	struct exposed to = {.fn = take, .arg = &told};
	struct row_keys_form longest = {.row_bytes = 64, .bytes = 64};
	struct exposed_rows rows = {
		.record = UINT32_MAX, .path = path, .row_bytes = 64};
	struct exposure_block block = {7, 9, UINT32_MAX, 0x5555555555555555};
	FILE *f = fopen(in_dir("rows"), "we");
	size_t len;

	(void)state;
	assert_non_null(f);
	for (int i = 0; i < 64 * 64; i++)
		(void)fputc(i & 1 ? 0xff : '\\', f);
	assert_int_equal(fclose(f), 0);
	note_inode(in_dir("rows"));
	memset(path, 0xff, sizeof(path));
	path[0] = '/';
	for (len = 200; len < sizeof(path); len += 200)
		path[len] = '/';
	for (len = 10; len < sizeof(path); len += 255) {
		rows.len = len;
		rows.keys = NULL;
		assert_int_equal(exposed_rows(&to, &of, &rows, &block, 1), 0);
		rows.keys = open_keys(&longest);
		block.first = 0;
		assert_int_equal(exposed_rows(&to, &of, &rows, &block, 1), 0);
		row_keys_free(rows.keys);
		block.first = UINT32_MAX;
		for (uint32_t i = 0; i < 20; i++)
			assert_int_equal(exposed_file(&to, &of, i, path, len),
					 0);
		for (uint32_t i = 0; i < 1000; i++)
			assert_int_equal(exposed_file(&to, &of, i, NULL, 0), 0);
	}
	assert_int_equal(exposed_end(&to), 0);
	assert_true(told.largest < EVIDENCE_LINE_MAX);
	told_end(&told);
}

static void files_of_a_directory_share_a_line(void **state)
{
	static const char *const paths[] = {"/a/1", "/a/2", "/b/2", NULL,
					    NULL,   "/b/3", "/4"};
	struct told told = {.lines = json_array()};
	struct exposed to = {.fn = take, .arg = &told};
	struct exposed_of other = {.origin = 8, .dataset = "roster"};

	(void)state;
	for (uint32_t i = 0; i < N_ELEMENTS(paths); i++)
		assert_int_equal(exposed_file(&to, &of, i, paths[i],
					      paths[i] ? strlen(paths[i]) : 0),
				 0);
	assert_int_equal(exposed_file(&to, &other, 9, "/5", 2), 0);
	assert_int_equal(exposed_end(&to), 0);
	assert_int_equal(json_array_size(told.lines), 6);
	assert_json(part(&told, 0, "dir"), "\"/a\"");
	assert_json(part(&told, 0, "files"), "[[0,\"1\"],[1,\"2\"]]");
	assert_json(part(&told, 1, "dir"), "\"/b\"");
	assert_json(part(&told, 2, "unnamed"), "[3,4]");
	assert_json(part(&told, 3, "files"), "[[5,\"3\"]]");
	assert_json(part(&told, 4, "dir"), "\"\"");
	assert_json(part(&told, 4, "files"), "[[6,\"4\"]]");
	assert_json(part(&told, 5, "origin"), "8");
	told_end(&told);
}

static void telling_ends_when_a_line_cannot_be_written(void **state)
{
	struct exposed_rows rows = {0};
	struct told told = {.r = -ENOSPC};

	(void)state;
	make_rows(in_dir("rows"), form.row_bytes, 2000);
	rows.keys = open_keys(&form);
	assert_int_equal(tell_rows(&told, &rows, 2000), -ENOSPC);
	assert_int_equal(json_array_size(told.lines), 1);
	row_keys_free(rows.keys);
	told_end(&told);
}

/* ---- a log for the command ----------------------------------------------- */

static int write_line(json_t *line, void *arg)
{
	char text[EVIDENCE_LINE_MAX];
	size_t len;

	return evidence_add(arg, line, text, &len);
}

static int add_began(struct evidence *evidence)
{
	char text[EVIDENCE_LINE_MAX];
	size_t len;
	int r;

	r = evidence_add(
		evidence,
		evidence_object("start", json_pack("{s:b}", "adopted", false)),
		text, &len);
	return r ? r
		 : evidence_add(
			   evidence,
			   evidence_object("first-read",
					   json_pack("{s:i, s:s}", "origin", 7,
						     "comm", "cat")),
			   text, &len);
}

/* Rows 100 to 169 and row 300, three of which have keys that do harm. */
static int write_rows(struct evidence *evidence)
{
	const struct exposure_block blocks[] = {
		{7, 9, 1, UINT64_MAX << 36},
		{7, 9, 2, (1ULL << 42) - 1},
		{7, 9, 4, 1ULL << 44},
	};
	struct exposed to = {.fn = write_line, .arg = evidence};
	struct exposed_rows rows = {.record = 9,
				    .path = "/srv/roster.csv",
				    .len = 15,
				    .row_bytes = form.row_bytes};
	int r;

	put_key(in_dir("rows"), 110, "=1+\"a\",b");
	put_key(in_dir("rows"), 111, "\x1b[2J\a\r\nx");
	put_key(in_dir("rows"), 112, "AB/1\\2  ");
	put_key(in_dir("rows"), 113, "<b>&amp;");
	put_key(in_dir("rows"), 114, "        ");
	rows.keys = open_keys(&form);
	r = exposed_rows(&to, &of, &rows, blocks, N_ELEMENTS(blocks));
	row_keys_free(rows.keys);
	rows.keys = NULL;
	rows.keys_why = "replaced";
	rows.path = "/srv/old.csv";
	rows.len = 12;
	rows.record = 10;
	return r ? r : exposed_rows(&to, &of, &rows, blocks, 1);
}

static int write_log(const char *where)
{
	struct evidence_options opts = {.host = "cardprint-1"};
	struct evidence_found found;
	struct evidence *evidence = NULL;
	char key_path[128], log[128];
	struct sign_key key;
	bool made;
	int r;

	(void)snprintf(dir, sizeof(dir), "%s", where);
	(void)snprintf(key_path, sizeof(key_path), "%s/key", dir);
	(void)snprintf(log, sizeof(log), "%s/evidence", dir);
	make_rows(in_dir("rows"), form.row_bytes, 301);
	r = sign_key_load(key_path, &key, &made);
	if (r)
		return 1;
	opts.dir = log;
	opts.key = &key;
	r = evidence_open(&opts, NULL, NULL, &found, &evidence);
	if (!r)
		r = add_began(evidence);
	if (!r)
		r = write_rows(evidence);
	if (!r)
		r = evidence_checkpoint(evidence);
	evidence_close(evidence);
	sign_key_release(&key);
	return r ? 1 : 0;
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(keys_are_those_of_the_rows_when_asked_for),
		cmocka_unit_test(key_is_trimmed_and_clean_when_it_is_hostile),
		cmocka_unit_test(key_fits_when_it_is_as_long_as_any),
		cmocka_unit_test(key_is_missing_when_the_file_is_short),
		cmocka_unit_test(keys_are_refused_when_the_file_is_another),
		cmocka_unit_test(file_looks_unread_when_keys_were_read),
		cmocka_unit_test(line_has_a_key_for_each_row_in_their_order),
		cmocka_unit_test(line_says_why_when_there_are_no_keys),
		cmocka_unit_test(
			roster_of_47000_is_told_when_all_of_it_was_read),
		cmocka_unit_test(rows_are_told_without_keys_when_time_is_up),
		cmocka_unit_test(
			rows_are_told_without_keys_when_there_are_too_many),
		cmocka_unit_test(lines_fit_when_all_in_them_is_hostile),
		cmocka_unit_test(files_of_a_directory_share_a_line),
		cmocka_unit_test(telling_ends_when_a_line_cannot_be_written),
	};

	if (argc == 3 && strcmp(argv[1], "--write") == 0)
		return write_log(argv[2]);
	return cmocka_run_group_tests(tests, setup, teardown);
}
