// SPDX-License-Identifier: GPL-2.0-only
#include "exposed.h"
#include "evidence.h"
#include "text.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

/*
 * A line has its head, a path and a list. Behind this much of the last two
 * another one begins, so that there is room for the longest item, a name whose
 * bytes are all escaped: 5 characters each in JSON.
 */
#define LINE_ROOM  (EVIDENCE_LINE_MAX / 2)
#define PATH_CHARS 3000
#define NAME_CHARS TEXT_ESCAPE_CHARS(255)

/* ---- lines --------------------------------------------------------------- */

/* What a text takes as JSON. */
static size_t json_bytes(const char *text)
{
	size_t bytes = 2;

	for (; *text; text++)
		bytes += 1 + (*text == '"' || *text == '\\');
	return bytes;
}

void exposed_release(struct exposed *to)
{
	json_decref(to->line);
	to->line = NULL;
	to->list = NULL;
}

int exposed_end(struct exposed *to)
{
	json_t *line = to->line;

	to->line = NULL;
	to->list = NULL;
	return line ? to->fn(line, to->arg) : 0;
}

static int set(json_t *line, const char *key, json_t *value)
{
	return json_object_set_new(line, key, value) ? -ENOMEM : 0;
}

/* A new line of the origin, with a list of that name. */
static int begin_line(struct exposed *to, const struct exposed_of *of,
		      const char *list)
{
	int r;

	r = exposed_end(to);
	if (r)
		return r;
	to->list = json_array();
	to->line = evidence_object("exposed",
				   json_pack("{s:I, s:s, s:o}", "origin",
					     (json_int_t)of->origin, "dataset",
					     of->dataset, list, to->list));
	to->origin = of->origin;
	to->used = 0;
	to->dir = NULL;
	to->dir_len = 0;
	return to->line ? 0 : -ENOMEM;
}

static int put_path(struct exposed *to, const char *key, const char *path,
		    size_t len)
{
	char text[PATH_CHARS];

	text_escape(path, len, text, sizeof(text));
	to->used += json_bytes(text);
	return set(to->line, key, json_string(text));
}

static int append(struct exposed *to, json_t *item, size_t bytes)
{
	to->used += bytes;
	return json_array_append_new(to->list, item) ? -ENOMEM : 0;
}

/* ---- files --------------------------------------------------------------- */

/* Those of one directory share a line. */
static bool shares_line(const struct exposed *to, const struct exposed_of *of,
			const char *dir, size_t len)
{
	if (!to->line || to->origin != of->origin || to->used > LINE_ROOM)
		return false;
	if (!dir || !to->dir)
		return !dir && !to->dir;
	return to->dir_len == len && memcmp(to->dir, dir, len) == 0;
}

int exposed_file(struct exposed *to, const struct exposed_of *of,
		 uint32_t record, const char *path, size_t len)
{
	const char *slash = path ? memrchr(path, '/', len) : NULL;
	size_t dir_len = slash ? (size_t)(slash - path) : 0;
	char text[NAME_CHARS];
	int r = 0;

	if (!shares_line(to, of, slash ? path : NULL, dir_len)) {
		r = begin_line(to, of, slash ? "files" : "unnamed");
		if (!r && slash)
			r = put_path(to, "dir", path, dir_len);
		to->dir = slash ? path : NULL;
		to->dir_len = dir_len;
	}
	if (r)
		return r;
	if (!slash)
		return append(to, json_integer(record), 11);
	text_escape(slash + 1, len - dir_len - 1, text, sizeof(text));
	return append(to, json_pack("[I, s]", (json_int_t)record, text),
		      json_bytes(text) + 14);
}

/* ---- rows ---------------------------------------------------------------- */

/* Of 64 bits, as long as files have no more bytes than that. */
#define RANGE_BYTES 43

struct listing {
	struct exposed *to;
	const struct exposed_of *of;
	const struct exposed_rows *rows;
	struct row_keys *keys; /* NULL: none, or none any more */
	const char *keys_why;
	json_t *list;  /* of keys, the line's; NULL: it has none */
	json_t *range; /* the last one of the line; NULL: it does not go on */
};

const char *exposed_keys_why(int r)
{
	return r == -ENOENT || r == -ENOTDIR ? "gone"
	       : r == -ESTALE || r == -ELOOP ? "replaced"
	       : r == -ETIME		     ? "time"
	       : r == -E2BIG		     ? "many"
					     : "unreadable";
}

const char *exposed_keys_words(const char *why)
{
	return strcmp(why, "gone") == 0	      ? "the file was gone"
	       : strcmp(why, "replaced") == 0 ? "another file had its name"
	       : strcmp(why, "time") == 0     ? "there was no time to read them"
	       : strcmp(why, "many") == 0     ? "there were too many at once"
					      : "the file could not be read";
}

static int begin_rows(struct listing *listing)
{
	const struct exposed_rows *rows = listing->rows;
	struct exposed *to = listing->to;
	int r;

	listing->list = NULL;
	listing->range = NULL;
	r = begin_line(to, listing->of, "rows");
	if (!r && rows->path)
		r = put_path(to, "file", rows->path, rows->len);
	if (!r)
		r = set(to->line, "record", json_integer(rows->record));
	if (!r)
		r = set(to->line, "row_bytes", json_integer(rows->row_bytes));
	if (!r && listing->keys) {
		listing->list = json_array();
		r = set(to->line, "keys", listing->list);
	} else if (!r && listing->keys_why) {
		r = set(to->line, "keys_why", json_string(listing->keys_why));
	}
	return r;
}

static bool has_room(const struct listing *listing)
{
	return listing->to->line && listing->to->used <= LINE_ROOM;
}

static int add_range(struct listing *listing, uint64_t first, uint64_t last)
{
	struct exposed *to = listing->to;
	int r;

	r = append(to, json_pack("[I, I]", (json_int_t)first, (json_int_t)last),
		   RANGE_BYTES);
	if (!r)
		listing->range =
			json_array_get(to->list, json_array_size(to->list) - 1);
	return r;
}

/* A row with its key; text NULL: that could not be read. */
static int add_row(struct listing *listing, uint64_t row, const char *text)
{
	int r = 0;

	if (!has_room(listing))
		r = begin_rows(listing);
	if (!r && listing->range)
		(void)json_integer_set(json_array_get(listing->range, 1),
				       (json_int_t)row);
	else if (!r)
		r = add_range(listing, row, row);
	if (r)
		return r;
	listing->to->used += text ? json_bytes(text) + 1 : 5;
	return json_array_append_new(listing->list,
				     text ? json_string(text) : json_null())
		       ? -ENOMEM
		       : 0;
}

/* Rows of a run, as long as there are keys; the one behind is in *ret_next. */
static int add_keyed(struct listing *listing, uint64_t first, uint64_t last,
		     uint64_t *ret_next)
{
	char text[ROW_KEYS_CHARS_MAX];
	uint64_t row;
	int got, r = 0;

	for (row = first; !r && row <= last; row++) {
		got = row_keys_get(listing->keys, row, last, text);
		if (got && got != -ENODATA) {
			listing->keys = NULL;
			listing->keys_why = exposed_keys_why(got);
			/* What follows is in a line without keys. */
			r = exposed_end(listing->to);
			break;
		}
		r = add_row(listing, row, got ? NULL : text);
	}
	*ret_next = row;
	return r;
}

static int add_run(uint64_t first, uint64_t last, void *arg)
{
	struct listing *listing = arg;
	int r = 0;

	listing->range = NULL;
	if (listing->keys)
		r = add_keyed(listing, first, last, &first);
	if (r || first > last)
		return r;
	if (!has_room(listing))
		r = begin_rows(listing);
	return r ? r : add_range(listing, first, last);
}

int exposed_rows(struct exposed *to, const struct exposed_of *of,
		 const struct exposed_rows *rows,
		 const struct exposure_block *blocks, size_t n)
{
	struct listing listing = {.to = to,
				  .of = of,
				  .rows = rows,
				  .keys = rows->keys,
				  .keys_why = rows->keys_why};
	int r;

	/* One of another file, or of files, may be there. */
	r = exposed_end(to);
	if (!r)
		r = exposure_runs(blocks, n, add_run, &listing);
	return r ? r : exposed_end(to);
}
