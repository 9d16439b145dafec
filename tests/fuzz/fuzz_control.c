// SPDX-License-Identifier: GPL-2.0-only
/*
 * Fuzz target of what the agent reads from its control socket: lines out of
 * bytes, and a request out of each line. What it asserts beyond "no crash":
 * lines are within their limit and lose no byte, a refusal says why in
 * printable text, and a request that was taken means the same once it is
 * written and read again.
 *
 * Known-bad modes: see fuzz_policy.c; here the seconds of "since" are 7 in the
 * seed called selftest*, and something else in a mutant.
 */
#include "fuzz.h"

#include "control.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "text.h"

static void check_same(const struct control_request *a,
		       const struct control_request *b)
{
	CHECK(a->verb == b->verb && a->follow == b->follow);
	CHECK(a->since_s == b->since_s);
	CHECK(strcmp(a->dataset, b->dataset) == 0);
	CHECK(strcmp(a->subject, b->subject) == 0);
	CHECK(strcmp(a->destination, b->destination) == 0);
	CHECK(a->pid == b->pid && strcmp(a->file, b->file) == 0);
	CHECK(strcmp(a->act, b->act) == 0);
	CHECK(strcmp(a->lasts, b->lasts) == 0);
	CHECK(strcmp(a->reason, b->reason) == 0);
	CHECK(a->serial == b->serial);
	CHECK(!a->bundle || json_equal(a->bundle, b->bundle));
}

static void check_line(const char *line, size_t len)
{
	struct control_request request, again;
	char error[CONTROL_ERROR_CHARS_MAX] = "";
	char *text = NULL;
	int r;

	r = control_request_parse(line, len, &request, error);
	if (r) {
		CHECK(r == -EINVAL || r == -ENOMEM);
		CHECK(r == -ENOMEM || error[0] != '\0');
		CHECK(memchr(error, '\0', sizeof(error)));
		return;
	}
	fuzz_selftest(request.since_s == 7,
		      request.since_s != 7 && request.since_s != 0);
	CHECK(request.verb < CONTROL_VERB_MAX && request.since_s >= 0);
	r = control_request_format(&request, &text);
	/* In a bundle can be what takes more bytes when it is written. */
	CHECK(r == 0 || r == -ENOMEM || (r == -EMSGSIZE && request.bundle));
	if (r) {
		control_request_release(&request);
		return;
	}
	CHECK(strlen(text) <= CONTROL_LINE_MAX);
	CHECK(control_request_parse(text, strlen(text), &again, error) == 0);
	check_same(&request, &again);
	control_request_release(&request);
	control_request_release(&again);
	free(text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct control_lines lines = {0};
	size_t len, at = 0;
	char *line;
	int fd, r;

	fd = memfd_create("request", MFD_CLOEXEC);
	CHECK(fd >= 0);
	CHECK(pwrite(fd, data, size, 0) == (ssize_t)size);
	while ((r = control_lines_fill(&lines, fd)) > 0) {
		CHECK(lines.size <= CONTROL_LINE_MAX);
		while ((line = control_lines_next(&lines, &len))) {
			CHECK(len < size - at && data[at + len] == '\n');
			CHECK(memcmp(line, data + at, len) == 0);
			at += len + 1;
			check_line(line, len);
		}
	}
	CHECK(r == 0 || r == -EMSGSIZE || r == -ENOMEM);
	CHECK(r || !memchr(data + at, '\n', size - at));
	control_lines_release(&lines);
	(void)close(fd);
	return 0;
}
