// SPDX-License-Identifier: GPL-2.0-only
#include "evidence_index.h"
#include "array.h"
#include "evidence.h"
#include "text.h"

#include <errno.h>
#include <inttypes.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define LAYOUT	      "4" /* another one: made anew */
#define BUSY_MS	      10000
#define PROGRESS_EACH 50000

/* A row of `line' says where it stands; `place' counts lines of the segment. */
static const char schema[] =
	"CREATE TABLE meta(key TEXT PRIMARY KEY, value TEXT) WITHOUT ROWID;"
	"CREATE TABLE line(seq INTEGER PRIMARY KEY, segment INTEGER, place "
	"INTEGER, type TEXT, time TEXT, load INTEGER, origin INTEGER, "
	"incident INTEGER, text TEXT);"
	"CREATE INDEX line_incident ON line(incident, type, seq) WHERE "
	"incident IS NOT NULL;"
	"CREATE INDEX line_origin ON line(origin, load, type, seq) WHERE "
	"origin IS NOT NULL;"
	"CREATE INDEX line_type ON line(type, load, seq);"
	"CREATE TABLE incident(number INTEGER PRIMARY KEY, load INTEGER, seq "
	"INTEGER, text TEXT);"
	"CREATE TABLE ledger(load INTEGER, origin INTEGER, row TEXT, seq "
	"INTEGER, text TEXT, PRIMARY KEY(load, origin, row)) WITHOUT ROWID;"
	"CREATE TABLE record(name TEXT, seq INTEGER, load INTEGER, origin "
	"INTEGER, first INTEGER, last INTEGER);"
	"CREATE INDEX record_name ON record(name);";

enum statement {
	PUT_META,
	GET_META,
	PUT_LINE,
	PUT_INCIDENT,
	PUT_LEDGER,
	PUT_RECORD,
	STATEMENTS,
};

static const char *const statements[STATEMENTS] = {
	[PUT_META] = "INSERT OR REPLACE INTO meta VALUES(?, ?)",
	[GET_META] = "SELECT value FROM meta WHERE key = ?",
	[PUT_LINE] = "INSERT OR REPLACE INTO line VALUES(?,?,?,?,?,?,?,?,?)",
	[PUT_INCIDENT] = "INSERT OR REPLACE INTO incident VALUES(?, ?, ?, ?)",
	[PUT_LEDGER] = "INSERT OR REPLACE INTO ledger VALUES(?, ?, ?, ?, ?)",
	[PUT_RECORD] = "INSERT INTO record VALUES(?, ?, ?, ?, ?, ?)",
};

struct evidence_index {
	sqlite3 *db;
	sqlite3_stmt *prepared[STATEMENTS];
	char **files;
	size_t n_files;
	/* While lines are taken. */
	const struct evidence_index_options *opts;
	struct evidence_index_found found;
	uint64_t segment;
	uint64_t last; /* number of the last line that it has */
	uint64_t load; /* line that began the guard that runs then */
	char hash[SIGN_HASH_CHARS_MAX];
	bool other; /* the log is not the one it was made of */
	bool met;   /* the last line that it has is in the log */
};

/* ---- SQLite -------------------------------------------------------------- */

static int error_of(int code)
{
	return code == SQLITE_NOMEM  ? -ENOMEM
	       : code == SQLITE_BUSY ? -EBUSY
				     : -EIO;
}

static int run(struct evidence_index *index, const char *sql)
{
	int code = sqlite3_exec(index->db, sql, NULL, NULL, NULL);

	return code == SQLITE_OK ? 0 : error_of(code);
}

static int bind_number(sqlite3_stmt *stmt, int at, uint64_t n)
{
	return sqlite3_bind_int64(stmt, at, (sqlite3_int64)n);
}

/* 0: there is no such number. */
static int bind_some(sqlite3_stmt *stmt, int at, uint64_t n)
{
	return n ? bind_number(stmt, at, n) : sqlite3_bind_null(stmt, at);
}

/* The text has to live until the statement has run. */
static int bind_text(sqlite3_stmt *stmt, int at, const char *text)
{
	return sqlite3_bind_text(stmt, at, text, -1, SQLITE_STATIC);
}

static int done(sqlite3_stmt *stmt)
{
	int code = sqlite3_step(stmt);

	(void)sqlite3_reset(stmt);
	return code == SQLITE_DONE ? 0 : error_of(code);
}

static int put_meta(struct evidence_index *index, const char *key,
		    const char *value)
{
	sqlite3_stmt *stmt = index->prepared[PUT_META];

	(void)bind_text(stmt, 1, key);
	(void)bind_text(stmt, 2, value);
	return done(stmt);
}

static int put_meta_number(struct evidence_index *index, const char *key,
			   uint64_t n)
{
	char text[TEXT_NUMBER_CHARS_MAX];

	(void)snprintf(text, sizeof(text), "%" PRIu64, n);
	return put_meta(index, key, text);
}

/* "" if there is none. */
static void get_meta(struct evidence_index *index, const char *key, char *buf,
		     size_t size)
{
	sqlite3_stmt *stmt = index->prepared[GET_META];

	buf[0] = '\0';
	(void)bind_text(stmt, 1, key);
	if (sqlite3_step(stmt) == SQLITE_ROW)
		(void)snprintf(buf, size, "%s",
			       (const char *)sqlite3_column_text(stmt, 0));
	(void)sqlite3_reset(stmt);
}

static uint64_t get_meta_number(struct evidence_index *index, const char *key)
{
	char text[TEXT_NUMBER_CHARS_MAX];
	uint64_t n = 0;

	get_meta(index, key, text, sizeof(text));
	return text_parse_u64(text, 0, UINT64_MAX, &n) ? 0 : n;
}

static void finalize(struct evidence_index *index)
{
	for (size_t i = 0; i < STATEMENTS; i++) {
		(void)sqlite3_finalize(index->prepared[i]);
		index->prepared[i] = NULL;
	}
}

static int prepare(struct evidence_index *index)
{
	for (size_t i = 0; i < STATEMENTS; i++)
		if (sqlite3_prepare_v2(index->db, statements[i], -1,
				       &index->prepared[i], NULL))
			return -EIO;
	return 0;
}

/* Everything in it goes, whatever that is. */
static int make_anew(struct evidence_index *index)
{
	int r;

	finalize(index);
	index->last = 0;
	index->load = 0;
	index->hash[0] = '\0';
	(void)sqlite3_db_config(index->db, SQLITE_DBCONFIG_RESET_DATABASE, 1,
				0);
	r = run(index, "VACUUM");
	(void)sqlite3_db_config(index->db, SQLITE_DBCONFIG_RESET_DATABASE, 0,
				0);
	if (!r)
		r = run(index, "BEGIN IMMEDIATE");
	if (!r)
		r = run(index, schema);
	if (!r)
		r = prepare(index);
	return r ? r : put_meta(index, "layout", LAYOUT);
}

static int open_db(struct evidence_index *index, const char *file)
{
	mode_t mask = umask(077);
	int code = sqlite3_open_v2(file ? file : ":memory:", &index->db,
				   SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE |
					   SQLITE_OPEN_NOFOLLOW,
				   NULL);

	(void)umask(mask);
	if (code == SQLITE_OK)
		(void)sqlite3_busy_timeout(index->db, BUSY_MS);
	/* What a crash takes from it is taken from the log again. */
	return code != SQLITE_OK ? error_of(code)
				 : run(index, "PRAGMA synchronous = OFF; "
					      "PRAGMA temp_store = MEMORY; "
					      "PRAGMA cache_size = -16384");
}

static void close_db(struct evidence_index *index)
{
	finalize(index);
	(void)sqlite3_close(index->db);
	index->db = NULL;
}

/* Begins to write, with what is in it or, if that is of no use, nothing. */
static int begin(struct evidence_index *index, bool anew)
{
	char layout[16];
	int r;

	if (anew)
		return make_anew(index);
	r = run(index, "BEGIN IMMEDIATE");
	if (r)
		return r == -EBUSY ? r : make_anew(index);
	if (!prepare(index)) {
		get_meta(index, "layout", layout, sizeof(layout));
		if (strcmp(layout, LAYOUT) == 0) {
			index->last = get_meta_number(index, "last");
			index->load = get_meta_number(index, "load");
			get_meta(index, "hash", index->hash,
				 sizeof(index->hash));
			return 0;
		}
	}
	finalize(index);
	(void)run(index, "ROLLBACK");
	return make_anew(index);
}

/* ---- taking lines -------------------------------------------------------- */

/* Of which all are asked for at a time, from all over the log: their text is
 * kept, so that no segment has to be unpacked for it. */
static bool is_gathered(const char *type)
{
	static const char *const types[] = {"exposed", "first-read",
					    "first-release", "faults"};

	for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++)
		if (strcmp(type, types[i]) == 0)
			return true;
	return false;
}

static int put_line(struct evidence_index *index, const json_t *line,
		    uint64_t seq, const struct evidence_line *at)
{
	sqlite3_stmt *stmt = index->prepared[PUT_LINE];
	const char *type = evidence_text(line, "type");

	(void)bind_number(stmt, 1, seq);
	(void)bind_number(stmt, 2, index->segment);
	(void)bind_number(stmt, 3, at->number);
	(void)bind_text(stmt, 4, type);
	(void)bind_text(stmt, 5, evidence_text(line, "time"));
	(void)bind_number(stmt, 6, index->load);
	(void)bind_some(stmt, 7, evidence_number(line, "origin"));
	(void)bind_some(stmt, 8, evidence_number(line, "incident"));
	if (is_gathered(type))
		(void)sqlite3_bind_text(stmt, 9, at->text, (int)at->len,
					SQLITE_STATIC);
	else
		(void)sqlite3_bind_null(stmt, 9);
	return done(stmt);
}

static int put_incident(struct evidence_index *index, const json_t *line,
			uint64_t seq, const struct evidence_line *at)
{
	sqlite3_stmt *stmt = index->prepared[PUT_INCIDENT];

	/* It may be told again when another guard runs. */
	(void)bind_number(stmt, 1, evidence_number(line, "incident"));
	(void)bind_number(stmt, 2, evidence_number(line, "load"));
	(void)bind_number(stmt, 3, seq);
	(void)sqlite3_bind_text(stmt, 4, at->text, (int)at->len, SQLITE_STATIC);
	return done(stmt);
}

static int put_ledger(struct evidence_index *index, const json_t *line,
		      uint64_t seq, const struct evidence_line *at)
{
	sqlite3_stmt *stmt = index->prepared[PUT_LEDGER];
	json_t *key = json_pack("[s, s, s, s, b]",
				evidence_text(line, "subject"),
				evidence_text(line, "dataset"),
				evidence_text(line, "destination"),
				evidence_text(line, "channel"),
				json_is_true(json_object_get(line, "several")));
	char *row = json_dumps(key, JSON_COMPACT);
	int r = -ENOMEM;

	json_decref(key);
	if (row) {
		(void)bind_number(stmt, 1, index->load);
		(void)bind_number(stmt, 2, evidence_number(line, "origin"));
		(void)bind_text(stmt, 3, row);
		(void)bind_number(stmt, 4, seq);
		(void)sqlite3_bind_text(stmt, 5, at->text, (int)at->len,
					SQLITE_STATIC);
		r = done(stmt);
	}
	free(row);
	return r;
}

static int put_record(struct evidence_index *index, const char *name,
		      uint64_t seq, const json_t *line, const json_t *range)
{
	sqlite3_stmt *stmt = index->prepared[PUT_RECORD];

	(void)bind_text(stmt, 1, name);
	(void)bind_number(stmt, 2, seq);
	(void)bind_number(stmt, 3, index->load);
	(void)bind_number(stmt, 4, evidence_number(line, "origin"));
	(void)sqlite3_bind_null(stmt, 5);
	(void)sqlite3_bind_null(stmt, 6);
	if (range) {
		(void)sqlite3_bind_int64(
			stmt, 5, json_integer_value(json_array_get(range, 0)));
		(void)sqlite3_bind_int64(
			stmt, 6, json_integer_value(json_array_get(range, 1)));
	}
	return done(stmt);
}

static int put_exposed(struct evidence_index *index, const json_t *line,
		       uint64_t seq)
{
	const char *file = evidence_base(evidence_text(line, "file"));
	const json_t *item;
	const char *name;
	size_t i;
	int r = 0;

	/* That it has some of which no name or no key is known. */
	if (json_object_get(line, "unnamed") ||
	    json_object_get(line, "keys_why"))
		r = put_record(index, "", seq, line, NULL);
	json_array_foreach (json_object_get(line, "files"), i, item) {
		name = json_string_value(json_array_get(item, 1));
		if (!r && name)
			r = put_record(index, name, seq, line, NULL);
	}
	json_array_foreach (json_object_get(line, "rows"), i, item)
		if (!r)
			r = put_record(index, file, seq, line, item);
	json_array_foreach (json_object_get(line, "keys"), i, item) {
		name = json_string_value(item);
		/* Of a row whose key is blank. */
		if (!r && name && name[0])
			r = put_record(index, name, seq, line, NULL);
	}
	return r;
}

/*
 * Which guard runs from here on. One that was adopted, or goes on in a new
 * segment, ran before as well, though its beginning is not there any more.
 */
static int take_load(struct evidence_index *index, const json_t *line,
		     const char *type, uint64_t seq)
{
	bool begins = strcmp(type, "start") == 0;
	bool fresh = json_is_false(json_object_get(line, "adopted"));
	uint64_t load = evidence_number(line, "load");
	bool ran = !begins || !fresh;
	char sql[256];

	if (!begins && strcmp(type, "incidents") != 0)
		return 0;
	if (!load && fresh)
		load = seq;
	if (!load || load == index->load)
		return 0;
	(void)snprintf(sql, sizeof(sql),
		       "UPDATE line SET load = %" PRIu64 " WHERE load = 0; "
		       "UPDATE record SET load = %" PRIu64 " WHERE load = 0; "
		       "UPDATE OR REPLACE ledger SET load = %" PRIu64
		       " WHERE load = 0",
		       load, load, load);
	ran = ran && !index->load;
	index->load = load;
	return ran ? run(index, sql) : 0;
}

static int put(struct evidence_index *index, const json_t *line, uint64_t seq,
	       const struct evidence_line *at)
{
	const char *type = evidence_text(line, "type");
	int r;

	r = take_load(index, line, type, seq);
	if (!r)
		r = put_line(index, line, seq, at);
	if (!r && strcmp(type, "incident") == 0)
		r = put_incident(index, line, seq, at);
	else if (!r && strcmp(type, "ledger") == 0)
		r = put_ledger(index, line, seq, at);
	else if (!r && strcmp(type, "exposed") == 0)
		r = put_exposed(index, line, seq);
	return r;
}

/* Up to the last line that it has, which has to be the same one. */
static bool is_known(struct evidence_index *index, uint64_t seq,
		     const struct evidence_line *at)
{
	char hash[SIGN_HASH_CHARS_MAX];

	if (seq > index->last)
		return false;
	if (seq == index->last) {
		sign_hash(at->text, at->len, hash);
		index->met = strcmp(hash, index->hash) == 0;
		index->other = index->other || !index->met;
	}
	return true;
}

static int take(const struct evidence_line *at, void *arg)
{
	struct evidence_index *index = arg;
	json_t *line = NULL;
	const char *prev;
	uint64_t seq;
	int r = 0;

	/* The last one may be written just now. */
	if (!at->whole)
		return 0;
	if (evidence_parse(at->text, at->len, &line, &seq, &prev)) {
		index->found.bad++;
		return 0;
	}
	if (!is_known(index, seq, at)) {
		/* Where it was is not where it goes on. */
		if (index->last && !index->met)
			index->other = true;
		if (!index->other)
			r = put(index, line, seq, at);
		index->last = seq;
		index->met = true;
		sign_hash(at->text, at->len, index->hash);
		index->found.lines++;
		if (index->opts->progress &&
		    index->found.lines % PROGRESS_EACH == 0)
			index->opts->progress(index->found.lines,
					      index->opts->arg);
	}
	json_decref(line);
	return r ? r : index->other;
}

/* Is all that is in the segment in the index already? The next one tells. */
static bool is_taken(const struct evidence_index *index, size_t i)
{
	uint64_t next = i + 1 < index->n_files
				? evidence_segment_of(
					  evidence_base(index->files[i + 1]))
				: 0;

	return next && next <= index->last;
}

static int take_files(struct evidence_index *index)
{
	int r = 0;

	index->met = !index->last;
	index->other = false;
	for (size_t i = 0; !r && !index->other && i < index->n_files; i++) {
		if (is_taken(index, i))
			continue;
		index->segment =
			evidence_segment_of(evidence_base(index->files[i]));
		r = evidence_read(index->files[i], take, index);
		if (r == -EUCLEAN) {
			(void)snprintf(index->found.damaged,
				       sizeof(index->found.damaged), "%.255s",
				       index->files[i]);
			r = 0;
		} else if (r > 0) {
			r = 0;
		}
	}
	if (index->last && !index->met)
		index->other = true;
	return r;
}

static uint64_t first_of(struct evidence_index *index)
{
	sqlite3_stmt *stmt = NULL;
	uint64_t first = 0;

	if (sqlite3_prepare_v2(index->db, "SELECT MIN(seq) FROM line", -1,
			       &stmt, NULL) == SQLITE_OK &&
	    sqlite3_step(stmt) == SQLITE_ROW)
		first = (uint64_t)sqlite3_column_int64(stmt, 0);
	(void)sqlite3_finalize(stmt);
	return first;
}

/* What was in segments that were retired since. */
static int forget(struct evidence_index *index)
{
	static const char *const tables[] = {"line", "record", "incident",
					     "ledger"};
	uint64_t first = evidence_segment_of(evidence_base(index->files[0]));
	char sql[128];
	int r = 0;

	if (first_of(index) >= first)
		return 0;
	for (size_t i = 0; !r && i < sizeof(tables) / sizeof(tables[0]); i++) {
		(void)snprintf(sql, sizeof(sql),
			       "DELETE FROM %s WHERE seq < %" PRIu64, tables[i],
			       first);
		r = run(index, sql);
	}
	return r;
}

static int finish(struct evidence_index *index)
{
	int r;

	r = forget(index);
	if (!r)
		r = put_meta_number(index, "last", index->last);
	if (!r)
		r = put_meta_number(index, "load", index->load);
	if (!r)
		r = put_meta(index, "hash", index->hash);
	return r ? r : run(index, "COMMIT");
}

static int fill(struct evidence_index *index, bool anew)
{
	int r;

	r = begin(index, anew);
	if (!r)
		r = take_files(index);
	if (!r && index->other && !anew) {
		(void)run(index, "ROLLBACK");
		index->found = (struct evidence_index_found){0};
		r = make_anew(index);
		if (!r)
			r = take_files(index);
	}
	return r ? r : finish(index);
}

/* Nobody misses a file that is no index. */
static bool is_ruined(const struct evidence_index *index)
{
	int code = sqlite3_errcode(index->db);

	return code == SQLITE_NOTADB || code == SQLITE_CORRUPT;
}

static int fill_file(struct evidence_index *index, bool anew)
{
	int r;

	r = open_db(index, index->opts->file);
	return r ? r : fill(index, anew);
}

/* In the file if that works, else in memory. */
static int open_and_fill(struct evidence_index *index)
{
	const char *file = index->opts->file;
	int r = -EIO;

	if (file)
		r = fill_file(index, index->opts->anew);
	if (file && r == -EIO && is_ruined(index) && unlink(file) == 0) {
		close_db(index);
		r = fill_file(index, true);
	}
	if (r != -EIO && r != -EBUSY)
		return r;
	if (file)
		(void)snprintf(index->found.problem,
			       sizeof(index->found.problem), "%s",
			       sqlite3_errmsg(index->db));
	close_db(index);
	index->found.lines = 0;
	r = open_db(index, NULL);
	return r ? r : fill(index, true);
}

static void count(struct evidence_index *index)
{
	sqlite3_stmt *stmt = NULL;

	if (sqlite3_prepare_v2(index->db,
			       "SELECT COUNT(*), MIN(seq), MAX(seq) FROM line",
			       -1, &stmt, NULL) == SQLITE_OK &&
	    sqlite3_step(stmt) == SQLITE_ROW) {
		index->found.total = (uint64_t)sqlite3_column_int64(stmt, 0);
		index->found.first = (uint64_t)sqlite3_column_int64(stmt, 1);
		index->found.last = (uint64_t)sqlite3_column_int64(stmt, 2);
	}
	(void)sqlite3_finalize(stmt);
	index->found.load = index->load;
}

int evidence_index_open(const struct evidence_index_options *opts,
			struct evidence_index_found *ret_found,
			struct evidence_index **ret_index)
{
	struct evidence_index *index = calloc(1, sizeof(*index));
	int r;

	if (!index)
		return -ENOMEM;
	index->opts = opts;
	r = evidence_files(opts->paths, opts->n_paths, NULL, NULL,
			   &index->files, &index->n_files);
	if (!r)
		r = open_and_fill(index);
	if (!r) {
		count(index);
		*ret_found = index->found;
		*ret_index = index;
		index = NULL;
	}
	evidence_index_close(index);
	return r;
}

void evidence_index_close(struct evidence_index *index)
{
	if (!index)
		return;
	close_db(index);
	evidence_files_free(index->files, index->n_files);
	free(index);
}

/* ---- lines that the index has itself ------------------------------------- */

/* Behind the last row: fewer than there are would pass for all. */
static int end_of(int code)
{
	return code == SQLITE_DONE ? 0 : error_of(code);
}

/* Calls fn for each row's text, in column 0. */
static int each_text(sqlite3_stmt *stmt, evidence_index_fn fn, void *arg)
{
	int code = SQLITE_DONE, r = 0;
	json_t *line;

	while (!r && (code = sqlite3_step(stmt)) == SQLITE_ROW) {
		line = json_loadb((const char *)sqlite3_column_text(stmt, 0),
				  (size_t)sqlite3_column_bytes(stmt, 0), 0,
				  NULL);
		r = line ? fn(line, arg) : -EIO;
		json_decref(line);
	}
	(void)sqlite3_finalize(stmt);
	return r ? r : end_of(code);
}

int evidence_index_incidents(struct evidence_index *index, evidence_index_fn fn,
			     void *arg)
{
	sqlite3_stmt *stmt;

	if (sqlite3_prepare_v2(index->db,
			       "SELECT text FROM incident ORDER BY number", -1,
			       &stmt, NULL))
		return -EIO;
	return each_text(stmt, fn, arg);
}

int evidence_index_incident(struct evidence_index *index, uint64_t number,
			    struct evidence_index_incident *ret_incident)
{
	sqlite3_stmt *stmt;
	int code, r;

	if (sqlite3_prepare_v2(index->db,
			       "SELECT text, load, (SELECT MIN(seq) FROM line "
			       "WHERE incident = ?1), (SELECT MAX(seq) FROM "
			       "line WHERE incident = ?1) FROM incident "
			       "WHERE number = ?1",
			       -1, &stmt, NULL))
		return -EIO;
	(void)bind_number(stmt, 1, number);
	code = sqlite3_step(stmt);
	r = code == SQLITE_DONE ? -ENOENT : error_of(code);
	if (code == SQLITE_ROW) {
		ret_incident->line = json_loads(
			(const char *)sqlite3_column_text(stmt, 0), 0, NULL);
		ret_incident->load = (uint64_t)sqlite3_column_int64(stmt, 1);
		ret_incident->first = (uint64_t)sqlite3_column_int64(stmt, 2);
		ret_incident->last = (uint64_t)sqlite3_column_int64(stmt, 3);
		r = ret_incident->line ? 0 : -EIO;
	}
	(void)sqlite3_finalize(stmt);
	return r;
}

int evidence_index_ledger(struct evidence_index *index, uint64_t load,
			  uint64_t origin, evidence_index_fn fn, void *arg)
{
	sqlite3_stmt *stmt;

	if (sqlite3_prepare_v2(index->db,
			       "SELECT text FROM ledger WHERE load = ?1 AND "
			       "origin = ?2 ORDER BY row",
			       -1, &stmt, NULL))
		return -EIO;
	(void)bind_number(stmt, 1, load);
	(void)bind_number(stmt, 2, origin);
	return each_text(stmt, fn, arg);
}

int evidence_index_rows(struct evidence_index *index, evidence_index_row_fn fn,
			void *arg)
{
	sqlite3_stmt *stmt;
	int code = SQLITE_DONE, r = 0;
	json_t *line;

	if (sqlite3_prepare_v2(index->db,
			       "SELECT text, load FROM ledger ORDER BY load, "
			       "origin, row",
			       -1, &stmt, NULL))
		return -EIO;
	while (!r && (code = sqlite3_step(stmt)) == SQLITE_ROW) {
		line = json_loadb((const char *)sqlite3_column_text(stmt, 0),
				  (size_t)sqlite3_column_bytes(stmt, 0), 0,
				  NULL);
		r = line ? fn((uint64_t)sqlite3_column_int64(stmt, 1), line,
			      arg)
			 : -EIO;
		json_decref(line);
	}
	(void)sqlite3_finalize(stmt);
	return r ? r : end_of(code);
}

int evidence_index_origins(struct evidence_index *index,
			   evidence_index_origin_fn fn, void *arg)
{
	sqlite3_stmt *stmt;
	int code = SQLITE_DONE, r = 0;

	if (sqlite3_prepare_v2(index->db,
			       "SELECT DISTINCT load, origin FROM line WHERE "
			       "origin IS NOT NULL AND type = 'exposed' ORDER "
			       "BY load, origin",
			       -1, &stmt, NULL))
		return -EIO;
	while (!r && (code = sqlite3_step(stmt)) == SQLITE_ROW)
		r = fn((uint64_t)sqlite3_column_int64(stmt, 0),
		       (uint64_t)sqlite3_column_int64(stmt, 1), arg);
	(void)sqlite3_finalize(stmt);
	return r ? r : end_of(code);
}

int evidence_index_records(struct evidence_index *index, const char *name,
			   evidence_index_record_fn fn, void *arg)
{
	const char *base = evidence_base(name);
	const char *colon = strrchr(base, ':');
	struct evidence_index_record record;
	char file[EVIDENCE_LINE_MAX];
	sqlite3_stmt *stmt;
	uint64_t row = 0;
	bool has_row;
	int code = SQLITE_DONE, r = 0;

	has_row = colon && !text_parse_u64(colon + 1, 0, INT64_MAX, &row);
	(void)snprintf(file, sizeof(file), "%.*s",
		       has_row ? (int)(colon - base) : (int)strlen(base), base);
	if (sqlite3_prepare_v2(index->db,
			       "SELECT DISTINCT seq, load, origin FROM record "
			       "WHERE (name IN (?1, ?5) AND first IS NULL) OR "
			       "(?3 AND name = ?2 AND ?4 BETWEEN first AND "
			       "last) ORDER BY seq",
			       -1, &stmt, NULL))
		return -EIO;
	(void)bind_text(stmt, 1, base);
	(void)bind_text(stmt, 2, file);
	(void)bind_number(stmt, 3, has_row);
	(void)bind_number(stmt, 4, row);
	/* A key may have slashes. */
	(void)bind_text(stmt, 5, name);
	while (!r && (code = sqlite3_step(stmt)) == SQLITE_ROW) {
		record.seq = (uint64_t)sqlite3_column_int64(stmt, 0);
		record.load = (uint64_t)sqlite3_column_int64(stmt, 1);
		record.origin = (uint64_t)sqlite3_column_int64(stmt, 2);
		r = fn(&record, arg);
	}
	(void)sqlite3_finalize(stmt);
	return r ? r : end_of(code);
}

/* ---- lines of the log ---------------------------------------------------- */

struct place {
	uint64_t segment;
	uint64_t place;
	uint64_t seq;
	char *text; /* NULL: it is in its segment only */
};

struct fetching {
	const struct place *places;
	size_t n;
	size_t next;
	evidence_index_fn fn;
	void *arg;
};

static int fetch_line(const struct evidence_line *at, void *arg)
{
	struct fetching *fetching = arg;
	const struct place *place = &fetching->places[fetching->next];
	json_t *line = NULL;
	const char *prev;
	uint64_t seq;
	int r;

	if (at->number < place->place)
		return 0;
	r = evidence_parse(at->text, at->len, &line, &seq, &prev);
	if (r == -EINVAL || (!r && seq != place->seq))
		r = -ESTALE;
	if (!r)
		r = fetching->fn(line, fetching->arg);
	json_decref(line);
	if (r)
		return r;
	return ++fetching->next == fetching->n ? 1 : 0;
}

static const char *file_of(const struct evidence_index *index, uint64_t segment)
{
	for (size_t i = 0; i < index->n_files; i++)
		if (evidence_segment_of(evidence_base(index->files[i])) ==
		    segment)
			return index->files[i];
	return NULL;
}

/* Those of one segment, in their order. */
static int fetch(const struct evidence_index *index, const struct place *places,
		 size_t n, evidence_index_fn fn, void *arg)
{
	struct fetching fetching = {
		.places = places, .n = n, .fn = fn, .arg = arg};
	const char *file = file_of(index, places[0].segment);
	int r;

	r = file ? evidence_read(file, fetch_line, &fetching) : -ESTALE;
	/* All of them are found, or fn has had enough. */
	if (fetching.next == n)
		return r == 1 ? 0 : r;
	return r ? r : -ESTALE;
}

static int prepare_query(struct evidence_index *index, const char *what,
			 const struct evidence_index_query *query,
			 sqlite3_stmt **ret_stmt)
{
	char sql[512];

	/* Only what is asked for is in the text: so an index is found. */
	(void)snprintf(sql, sizeof(sql),
		       "SELECT %s FROM line WHERE seq >= ?5 AND seq <= "
		       "?6%s%s%s%s%s ORDER BY seq%s LIMIT ?7",
		       what, query->type ? " AND type = ?1" : "",
		       query->incident ? " AND incident = ?2" : "",
		       query->load ? " AND load = ?3" : "",
		       query->origin ? " AND origin = ?4" : "",
		       query->but ? " AND incident IS NOT ?8" : "",
		       query->newest ? " DESC" : "");
	if (sqlite3_prepare_v2(index->db, sql, -1, ret_stmt, NULL))
		return -EIO;
	if (query->type)
		(void)bind_text(*ret_stmt, 1, query->type);
	if (query->incident)
		(void)bind_number(*ret_stmt, 2, query->incident);
	if (query->load)
		(void)bind_number(*ret_stmt, 3, query->load);
	if (query->origin)
		(void)bind_number(*ret_stmt, 4, query->origin);
	if (query->but)
		(void)bind_number(*ret_stmt, 8, query->but);
	(void)bind_number(*ret_stmt, 5, query->from);
	(void)bind_number(*ret_stmt, 6, query->to ? query->to : INT64_MAX);
	(void)sqlite3_bind_int64(*ret_stmt, 7,
				 query->max ? (sqlite3_int64)query->max : -1);
	return 0;
}

static int compare_places(const void *a, const void *b)
{
	const struct place *x = a, *y = b;

	return x->seq < y->seq ? -1 : x->seq > y->seq;
}

/* *ret_text is for free(); NULL: there is none. */
static int copy_text(sqlite3_stmt *stmt, int column, char **ret_text)
{
	const char *text = (const char *)sqlite3_column_text(stmt, column);

	*ret_text = text ? strdup(text) : NULL;
	return text && !*ret_text ? -ENOMEM : 0;
}

static int find_places(struct evidence_index *index,
		       const struct evidence_index_query *query,
		       struct place **ret_places, size_t *ret_n)
{
	struct place *places = NULL, *grown;
	sqlite3_stmt *stmt;
	int code = SQLITE_DONE, r;
	size_t n = 0;

	r = prepare_query(index, "segment, place, seq, text", query, &stmt);
	if (r)
		return r;
	while ((code = sqlite3_step(stmt)) == SQLITE_ROW) {
		grown = array_grow(places, n, sizeof(*places));
		if (!grown) {
			r = -ENOMEM;
			break;
		}
		places = grown;
		places[n].segment = (uint64_t)sqlite3_column_int64(stmt, 0);
		places[n].place = (uint64_t)sqlite3_column_int64(stmt, 1);
		places[n].seq = (uint64_t)sqlite3_column_int64(stmt, 2);
		r = copy_text(stmt, 3, &places[n++].text);
		if (r)
			break;
	}
	(void)sqlite3_finalize(stmt);
	r = r ? r : end_of(code);
	if (n)
		qsort(places, n, sizeof(*places), compare_places);
	*ret_places = places;
	*ret_n = n;
	return r;
}

/* The line of a place whose text is at hand. */
static int tell_text(const struct place *place, evidence_index_fn fn, void *arg)
{
	json_t *line = json_loads(place->text, 0, NULL);
	int r = line ? fn(line, arg) : -EIO;

	json_decref(line);
	return r;
}

int evidence_index_lines(struct evidence_index *index,
			 const struct evidence_index_query *query,
			 evidence_index_fn fn, void *arg)
{
	struct place *places = NULL;
	size_t n = 0, same;
	int r;

	r = find_places(index, query, &places, &n);
	for (size_t i = 0; !r && i < n; i += same) {
		same = 1;
		if (places[i].text) {
			r = tell_text(&places[i], fn, arg);
			continue;
		}
		while (i + same < n && !places[i + same].text &&
		       places[i + same].segment == places[i].segment)
			same++;
		r = fetch(index, &places[i], same, fn, arg);
	}
	for (size_t i = 0; i < n; i++)
		free(places[i].text);
	free(places);
	return r;
}

int evidence_index_count(struct evidence_index *index,
			 const struct evidence_index_query *query,
			 uint64_t *ret_n)
{
	struct evidence_index_query all = *query;
	sqlite3_stmt *stmt;
	int r;

	all.max = 0;
	r = prepare_query(index, "COUNT(*)", &all, &stmt);
	if (r)
		return r;
	if (sqlite3_step(stmt) == SQLITE_ROW)
		*ret_n = (uint64_t)sqlite3_column_int64(stmt, 0);
	else
		r = -EIO;
	(void)sqlite3_finalize(stmt);
	return r;
}
