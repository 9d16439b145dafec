// SPDX-License-Identifier: GPL-2.0-only
/*
 * longlog: an evidence log with many lines, of 200 incidents, of which number 7
 * has 47,000 records, out of the lines of one that are told again and again.
 *
 *	longlog DIR LINES FILE.jsonl
 */
#include <errno.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <jansson.h>

#include "evidence.h"
#include "sign.h"
#include "state.h"

#define INCIDENTS   200
#define RECORDS	    47000
#define ALL	    7	/* the incident that has all of them */
#define FILES	    100 /* in a line */
#define ORIGINS	    10	/* of an incident, at most */
#define SYNC_BLOCKS 100

static void die(const char *what, int r)
{
	(void)fprintf(stderr, "longlog: %s: %s\n", what, strerror(-r));
	exit(1);
}

static void add(struct evidence *log, json_t *line)
{
	char text[EVIDENCE_LINE_MAX];
	size_t len;
	int r;

	r = evidence_add(log, line, text, &len);
	if (r)
		die("a line", r);
}

/* The lines of the file, which has one incident. */
static json_t *load(const char *path)
{
	FILE *file = fopen(path, "re");
	json_t *all = json_array(), *line;
	json_error_t error;

	if (!file)
		die(path, -errno);
	while ((line = json_loadf(file, JSON_DISABLE_EOF_CHECK, &error))) {
		const char *type =
			json_string_value(json_object_get(line, "type"));

		(void)json_object_del(line, "seq");
		(void)json_object_del(line, "prev");
		/* There is one guard and one agent. */
		if (type && strcmp(type, "start") != 0 &&
		    strcmp(type, "stop") != 0)
			(void)json_array_append(all, line);
		json_decref(line);
	}
	(void)fclose(file);
	if (!json_array_size(all))
		die(path, -ENODATA);
	return all;
}

static void shift(json_t *line, const char *key, uint64_t by)
{
	json_t *value = json_object_get(line, key);

	if (json_is_integer(value))
		(void)json_integer_set(value, json_integer_value(value) +
						      (json_int_t)by);
}

/* What is told but once of an incident. */
static bool is_once(const json_t *line)
{
	static const char *const types[] = {"actor",	  "step",
					    "exposed",	  "policy",
					    "first-read", "first-release"};
	const char *type = json_string_value(json_object_get(line, "type"));

	for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++)
		if (strcmp(type, types[i]) == 0)
			return true;
	return false;
}

/* Tells them again, of another incident and other origins. */
static void tell(struct evidence *log, const json_t *all, uint64_t incident,
		 bool first)
{
	const json_t *line;
	json_t *copy, *origin;
	size_t i, j;

	json_array_foreach (all, i, line) {
		if (!first && is_once(line))
			continue;
		copy = json_deep_copy(line);
		if (json_object_get(copy, "incident"))
			(void)json_object_set_new(
				copy, "incident",
				json_integer((json_int_t)incident));
		shift(copy, "origin", ORIGINS * incident);
		json_array_foreach (json_object_get(copy, "origins"), j, origin)
			shift(origin, "origin", ORIGINS * incident);
		add(log, copy);
	}
}

/* The first n records, in lines of some. */
static void expose(struct evidence *log, uint64_t incident, uint64_t n)
{
	json_t *files = NULL;
	char name[32];

	for (uint64_t i = 1; i <= n; i++) {
		if (!files)
			files = json_array();
		(void)snprintf(name, sizeof(name), "%06" PRIu64 ".jpg", i);
		(void)json_array_append_new(
			files, json_pack("[I, s]", (json_int_t)i, name));
		if (i % FILES && i < n)
			continue;
		add(log, json_pack("{s:i, s:s, s:s, s:I, s:s, s:s, s:o}",
				   "cordon", 1, "type", "exposed", "time",
				   "2026-11-14T02:13:31.000Z", "origin",
				   (json_int_t)(ORIGINS * incident + 3),
				   "dataset", "warrant-cards", "dir",
				   "/srv/personnel/photos", "files", files));
		files = NULL;
	}
}

int main(int argc, char **argv)
{
	struct evidence_options opts = {.keep_bytes = UINT64_MAX,
					.host = "cardprint-1"};
	struct evidence_found found;
	struct evidence *log;
	struct sign_key key;
	uint64_t lines, block;
	char path[4096], pem[SIGN_PEM_CHARS_MAX];
	json_t *all;
	bool made;
	int r;

	if (argc != 4) {
		(void)fprintf(stderr, "usage: longlog DIR LINES FILE.jsonl\n");
		return 2;
	}
	lines = strtoull(argv[2], NULL, 10);
	all = load(argv[3]);
	if (mkdir(argv[1], 0700) < 0 && errno != EEXIST)
		die(argv[1], -errno);
	(void)snprintf(path, sizeof(path), "%s.key", argv[1]);
	r = sign_key_load(path, &key, &made);
	if (r)
		die(path, r);
	(void)snprintf(path, sizeof(path), "%s/host.pub", argv[1]);
	sign_public_pem(&key.public, pem);
	r = state_put(path, pem, strlen(pem));
	if (r)
		die(path, r);
	opts.dir = argv[1];
	opts.key = &key;
	r = evidence_open(&opts, NULL, NULL, &found, &log);
	if (r)
		die(argv[1], r);
	for (block = 0; evidence_next(log) < lines; block++) {
		bool first = block < INCIDENTS;
		uint64_t incident = block % INCIDENTS + 1;

		tell(log, all, incident, first);
		if (first)
			expose(log, incident,
			       incident == ALL ? RECORDS : RECORDS / INCIDENTS);
		/* Where a full segment is closed. */
		r = block % SYNC_BLOCKS ? 0 : evidence_sync(log);
		if (r)
			die(argv[1], r);
	}
	evidence_close(log);
	json_decref(all);
	return 0;
}
