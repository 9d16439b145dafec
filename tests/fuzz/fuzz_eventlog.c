// SPDX-License-Identifier: GPL-2.0-only
/*
 * Fuzz target of the events' file, and the one that rotation put aside: that is
 * what stands before the input's first NUL, if it has one. What it asserts
 * beyond "no crash": the lines kept are whole, and numbered one after another;
 * the next one is taken, and found by the agent that comes after.
 *
 * Known-bad modes: see fuzz_policy.c; here the last line is number 7 in the
 * seed called selftest*, and another one in a mutant.
 */
#include "fuzz.h"

#include "eventlog.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static char dir[] = "cordon-fuzz-XXXXXX";
static char path[64], old[64];

static void clean_up(void)
{
	(void)unlink(path);
	(void)unlink(old);
	(void)rmdir(dir);
}

static void make_room(void)
{
	if (path[0])
		return;
	CHECK(mkdtemp(dir));
	(void)snprintf(path, sizeof(path), "%s/events", dir);
	(void)snprintf(old, sizeof(old), "%s/events.1", dir);
	CHECK(atexit(clean_up) == 0);
}

static void check_lines(const struct eventlog *log)
{
	static char text[EVENTLOG_LINE_MAX];
	uint64_t seq = eventlog_first(log), next = eventlog_next(log);
	json_t *line;
	size_t len;

	CHECK(seq <= next && next - seq <= EVENTLOG_KEPT);
	for (; seq < next; seq++) {
		CHECK(eventlog_line(log, seq, text, &len) == 0);
		CHECK(len > 0 && len <= sizeof(text) && text[len - 1] == '\n');
		line = json_loadb(text, len, JSON_REJECT_DUPLICATES, NULL);
		CHECK((uint64_t)json_integer_value(
			      json_object_get(line, "seq")) == seq);
		json_decref(line);
	}
}

static void check_next(struct eventlog *log, uint64_t next)
{
	json_t *line;

	CHECK(eventlog_next(log) == next);
	line = json_pack("{s:I, s:s}", "seq", (json_int_t)next, "time",
			 "2026-11-24T09:00:00.000Z");
	CHECK(eventlog_add(log, line, 1795510800) == 0);
	CHECK(eventlog_next(log) == next + 1 && eventlog_lost(log) == 0);
	check_lines(log);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const uint8_t *end = size ? memchr(data, '\0', size) : NULL;
	struct eventlog *log = NULL;
	uint64_t next;

	make_room();
	(void)unlink(old);
	if (end) {
		fuzz_put(old, data, (size_t)(end - data));
		size -= (size_t)(end + 1 - data);
		data = end + 1;
	}
	fuzz_put(path, data, size);
	CHECK(eventlog_new(path, 0, &log) == 0);
	next = eventlog_next(log);
	fuzz_selftest(next == 8, next != 8 && next != 1);
	check_lines(log);
	check_next(log, next);
	eventlog_free(log);
	log = NULL;
	CHECK(eventlog_new(path, 0, &log) == 0);
	if (next < EVENTLOG_SEQ_MAX)
		check_next(log, next + 1);
	eventlog_free(log);
	return 0;
}
