// SPDX-License-Identifier: GPL-2.0-only
/*
 * Fuzz target of the frames between a link and the one who has it: a byte that
 * chooses who sends, and what is sent. What it asserts beyond "no crash": a
 * frame that was taken has only what its type may have, and is written again as
 * the same bytes; and what comes in two parts gives the same frames.
 *
 * Known-bad modes: see fuzz_policy.c; here an acknowledgement of 7 is in the
 * seed called selftest*, and of something else in a mutant.
 */
#include "fuzz.h"

#include "fleet_message.h"
#include "link_frame.h"

#include <errno.h>
#include <sys/socket.h>

static const enum link_from sides[] = {LINK_FROM_AGENT, LINK_FROM_LINK,
				       LINK_FROM_FLEET, LINK_FROM_FORCE};

static void check_frame(enum link_from from, const struct link_frame *frame,
			const uint8_t *data, size_t used)
{
	struct link_writer writer = {.from = from};
	size_t name_len = strnlen(frame->name, sizeof(frame->name));

	CHECK(frame->type > LINK_NONE && frame->type < LINK_TYPES);
	CHECK(strcmp(link_type_name(frame->type), "?") != 0);
	CHECK(name_len <= LINK_NAME_MAX);
	CHECK(!name_len || fleet_is_name(frame->name, name_len));
	CHECK(frame->len <= FLEET_POLICY_BYTES_MAX);
	CHECK(used <= LINK_FRAME_MAX && frame->count <= LINK_FETCH_MAX);
	CHECK(link_writer_put(&writer, frame) == 0);
	CHECK(link_writer_waiting(&writer) == used);
	CHECK(memcmp(writer.buf, data, used) == 0);
	link_writer_release(&writer);
}

/* How many frames there are, and whether they end in something else. */
static int count(enum link_from from, const uint8_t *data, size_t size,
		 size_t *ret_n)
{
	struct link_frame frame;
	size_t used = 0;
	int r;

	*ret_n = 0;
	while ((r = link_frame_parse(from, data, size, &frame, &used)) == 1) {
		CHECK(used > 0 && used <= size);
		check_frame(from, &frame, data, used);
		fuzz_selftest(frame.type == LINK_ACKED && frame.id == 7,
			      frame.type == LINK_ACKED && frame.id != 7);
		data += used;
		size -= used;
		(*ret_n)++;
	}
	CHECK(r == 0 || r == -EPROTO);
	return r;
}

static int take(struct link_reader *reader, size_t *n)
{
	struct link_frame frame;
	int r;

	while ((r = link_reader_next(reader, &frame)) == 1)
		(*n)++;
	return r;
}

static int feed(struct link_reader *reader, const int fds[2],
		const uint8_t *data, size_t size, size_t *n)
{
	int r = 0;

	CHECK(!size || send(fds[0], data, size, 0) == (ssize_t)size);
	while (!r && link_reader_fill(reader, fds[1]) == 1)
		r = take(reader, n);
	return r;
}

static void check_parts(enum link_from from, const uint8_t *data, size_t size,
			int expected, size_t frames)
{
	struct link_reader reader = {.from = from};
	size_t n = 0, cut = size ? data[0] % size : 0;
	int fds[2], r;

	CHECK(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fds) == 0);
	r = feed(&reader, fds, data, cut, &n);
	if (!r)
		r = feed(&reader, fds, data + cut, size - cut, &n);
	CHECK(r == expected && n == frames);
	CHECK(reader.size <= LINK_FRAME_MAX);
	link_reader_release(&reader);
	CHECK(close(fds[0]) == 0 && close(fds[1]) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	enum link_from from;
	size_t frames;
	int r;

	if (!size)
		return 0;
	from = sides[data[0] % 4];
	r = count(from, data + 1, size - 1, &frames);
	check_parts(from, data + 1, size - 1, r, frames);
	return 0;
}
