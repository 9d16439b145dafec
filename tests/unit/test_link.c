// SPDX-License-Identifier: GPL-2.0-only
/*
 * Frames, and a link that goes wrong in each way that one can: this program is
 * its link too, and does what the name of its server says.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/socket.h>
#include <unistd.h>

#include "clock.h"
#include "link.h"

#define WAIT_MS 60000
#define MSGID	"0123456789abcdef0123456789abcdef"

/* ---- the link ------------------------------------------------------------ */

static void put(const struct link_frame *frame)
{
	struct link_writer writer = {.from = LINK_FROM_LINK};

	if (link_writer_put(&writer, frame) ||
	    link_writer_flush(&writer, LINK_FD))
		_exit(3);
	link_writer_release(&writer);
}

static void put_words(enum link_type type, uint64_t id, const char *words)
{
	struct link_frame frame = {
		.type = type, .id = id, .bytes = words, .len = strlen(words)};

	put(&frame);
}

static void put_raw(const void *bytes, size_t len)
{
	if (send(LINK_FD, bytes, len, MSG_NOSIGNAL) != (ssize_t)len)
		_exit(3);
}

/* A policy's frame; only the first len bytes of it. */
static void put_policy(size_t size, size_t len)
{
	struct link_writer writer = {.from = LINK_FROM_LINK};
	char *bytes = calloc(1, size);
	struct link_frame frame = {.type = LINK_POLICY,
				   .kind = LINK_HOST,
				   .name = "print-01",
				   .bytes = bytes,
				   .len = size};

	if (!bytes || link_writer_put(&writer, &frame))
		_exit(3);
	if (len < writer.len)
		writer.len = len;
	if (link_writer_flush(&writer, LINK_FD))
		_exit(3);
	link_writer_release(&writer);
	free(bytes);
}

static void answer_all(void)
{
	struct link_reader in = {.from = LINK_FROM_AGENT};
	struct link_frame frame;

	while (link_reader_fill(&in, LINK_FD) == 1)
		while (link_reader_next(&in, &frame) == 1)
			if (frame.type == LINK_REPORT)
				put_words(LINK_ACKED, frame.id, "");
}

/* As the server is called. */
static int be_link(const char *mode)
{
	static const uint8_t other_role[] = {LINK_FETCHED,
					     0,
					     0,
					     0,
					     14,
					     0,
					     0,
					     0,
					     1,
					     0,
					     0,
					     0,
					     0,
					     0,
					     0,
					     0,
					     0,
					     0,
					     0,
					     0,
					     0,
					     0};

	(void)fcntl(LINK_FD, F_SETFL, 0);
	if (strcmp(mode, "silent") == 0)
		return 0;
	if (strcmp(mode, "early") == 0)
		put_words(LINK_ASKED, 0, "{}");
	if (strcmp(mode, "refusing") == 0) {
		put_words(LINK_DISCONNECTED, 0, "no\x1b[2J broker");
		return 1;
	}
	put_words(LINK_CONNECTED, 0, "tls://broker");
	if (strcmp(mode, "twice") == 0)
		put_words(LINK_CONNECTED, 0, "tls://broker");
	if (strcmp(mode, "unasked") == 0)
		put_words(LINK_ACKED, 5, "");
	if (strcmp(mode, "garbage") == 0)
		put_raw("garbage garbage garbage", 23);
	if (strcmp(mode, "role") == 0)
		put_raw(other_role, sizeof(other_role));
	if (strcmp(mode, "long") == 0)
		put_policy(FLEET_POLICY_BYTES_MAX, SIZE_MAX);
	if (strcmp(mode, "half") == 0) {
		put_policy(100000, 50000);
		(void)raise(SIGKILL);
	}
	answer_all();
	return 0;
}

/* ---- the one who has it -------------------------------------------------- */

static struct link *start(const char *mode)
{
	char url[64];
	const char *urls[] = {url};
	const struct link_options options = {.role = LINK_OF_HOST,
					     .program = "/proc/self/exe",
					     .servers = urls,
					     .n_servers = 1,
					     .host = "print-01",
					     .root = true};
	struct link *link;

	(void)snprintf(url, sizeof(url), "tls://%s", mode);
	assert_int_equal(link_new(&options, &link), 0);
	return link;
}

/* The next frame; it has to come. */
static struct link_frame next(struct link *link)
{
	const int64_t until = clock_ms() + WAIT_MS;
	struct pollfd fd = {.fd = link_fd(link), .events = POLLIN};
	struct link_frame frame;

	for (;;) {
		if (link_next(link, &frame) == 1)
			return frame;
		assert_true(clock_ms() < until);
		assert_true(poll(&fd, 1, WAIT_MS) > 0);
		assert_int_equal(link_work(link), 0);
	}
}

static void expect(struct link *link, enum link_type type)
{
	assert_string_equal(link_type_name(next(link).type),
			    link_type_name(type));
}

static void report_is_answered_by_a_good_link(void **state)
{
	struct link_frame report = {.type = LINK_REPORT,
				    .id = 7,
				    .name = MSGID,
				    .bytes = "x",
				    .len = 1};
	struct link *link = start("good");
	struct link_frame frame;

	(void)state;
	assert_int_equal(link_send(link, &report), -ENOTCONN);
	assert_false(link_state(link)->connected);
	expect(link, LINK_CONNECTED);
	assert_true(link_state(link)->connected);
	assert_string_equal(link_state(link)->words, "tls://broker");
	for (report.id = 1; report.id < 5; report.id++)
		assert_int_equal(link_send(link, &report), 0);
	for (uint64_t id = 1; id < 5; id++) {
		frame = next(link);
		assert_int_equal(frame.type, LINK_ACKED);
		assert_int_equal(frame.id, id);
	}
	report.name[0] = '\0';
	assert_int_equal(link_send(link, &report), -EINVAL);
	assert_int_equal(link_state(link)->starts, 1);
	assert_int_equal(link_state(link)->broken, 0);
	link_free(link);
}

static void policy_of_full_length_comes_whole(void **state)
{
	struct link *link = start("long");
	struct link_frame frame;

	(void)state;
	expect(link, LINK_CONNECTED);
	frame = next(link);
	assert_int_equal(frame.type, LINK_POLICY);
	assert_int_equal(frame.len, FLEET_POLICY_BYTES_MAX);
	assert_string_equal(frame.name, "print-01");
	assert_int_equal(link_state(link)->broken, 0);
	link_free(link);
}

static void link_is_ended_for(const char *mode, bool connects)
{
	struct link *link = start(mode);

	if (connects)
		expect(link, LINK_CONNECTED);
	expect(link, LINK_DISCONNECTED);
	assert_int_equal(link_state(link)->broken, 1);
	assert_false(link_state(link)->connected);
	/* Once, and later again. */
	assert_int_equal(link_next(link, &(struct link_frame){0}), 0);
	if (connects)
		expect(link, LINK_CONNECTED);
	expect(link, LINK_DISCONNECTED);
	assert_int_equal(link_state(link)->starts, 2);
	assert_int_equal(link_state(link)->broken, 2);
	assert_int_equal(link_state(link)->killed, 0);
	link_free(link);
}

static void link_is_ended_and_started_again_for_garbage(void **state)
{
	(void)state;
	link_is_ended_for("garbage", true);
}

static void link_is_ended_for_frames_out_of_turn(void **state)
{
	(void)state;
	link_is_ended_for("early", false);
	link_is_ended_for("twice", true);
	link_is_ended_for("unasked", true);
	link_is_ended_for("role", true);
}

static void link_that_dies_in_a_frame_leaves_nothing_of_it(void **state)
{
	struct link *link = start("half");
	struct link_frame report = {.type = LINK_REPORT,
				    .id = 7,
				    .name = MSGID,
				    .bytes = "x",
				    .len = 1};

	(void)state;
	expect(link, LINK_CONNECTED);
	expect(link, LINK_DISCONNECTED);
	assert_int_equal(link_send(link, &report), -ENOTCONN);
	expect(link, LINK_CONNECTED);
	expect(link, LINK_DISCONNECTED);
	assert_int_equal(link_state(link)->broken, 0);
	assert_int_equal(link_state(link)->killed, 1);
	link_free(link);
}

static void words_of_a_link_are_clean(void **state)
{
	struct link *link = start("refusing");
	struct link_frame frame = next(link);

	(void)state;
	assert_int_equal(frame.type, LINK_DISCONNECTED);
	assert_int_equal(frame.len, strlen("no?[2J broker"));
	assert_memory_equal(frame.bytes, "no?[2J broker", frame.len);
	assert_string_equal(link_state(link)->words, "no?[2J broker");
	link_free(link);
}

static void link_without_a_word_is_told_of(void **state)
{
	struct link *link = start("silent");

	(void)state;
	expect(link, LINK_DISCONNECTED);
	assert_int_equal(link_state(link)->broken, 0);
	link_free(link);
}

static void link_is_ended_when_its_owner_says_so(void **state)
{
	struct link *link = start("good");
	struct link_frame frame;

	(void)state;
	expect(link, LINK_CONNECTED);
	link_break(link, "a policy of another group");
	frame = next(link);
	assert_int_equal(frame.type, LINK_DISCONNECTED);
	assert_memory_equal(frame.bytes, "a policy of another group",
			    frame.len);
	assert_int_equal(link_state(link)->broken, 1);
	link_free(link);
}

static void link_that_is_not_there_is_told_of(void **state)
{
	const char *urls[] = {"tls://broker"};
	const struct link_options options = {.role = LINK_OF_FORCE,
					     .program = "/no/such/program",
					     .servers = urls,
					     .n_servers = 1,
					     .root = true};
	struct link *link;
	struct link_frame frame;

	(void)state;
	assert_int_equal(link_new(&options, &link), 0);
	frame = next(link);
	assert_int_equal(frame.type, LINK_DISCONNECTED);
	assert_non_null(strstr(link_state(link)->words, "/no/such/program"));
	link_free(link);
}

static void link_is_not_made_of_wrong_options(void **state)
{
	const char *urls[] = {"tls://broker"}, *plain[] = {"nats://broker"};
	const char *groups[] = {"a.b"};
	const struct link_options good = {.role = LINK_OF_HOST,
					  .servers = urls,
					  .n_servers = 1,
					  .host = "h",
					  .root = true};
	struct link_options bad;
	struct link *link;

	(void)state;
#define REFUSED(change)                                           \
	do {                                                      \
		bad = good;                                       \
		change;                                           \
		assert_int_equal(link_new(&bad, &link), -EINVAL); \
	} while (0)
	REFUSED(bad.servers = plain);
	REFUSED(bad.n_servers = 0);
	REFUSED(bad.host = NULL);
	REFUSED(bad.host = "--root");
	REFUSED(bad.host = "a.b");
	REFUSED((bad.groups = groups, bad.n_groups = 1));
	REFUSED(bad.cert = "--key");
	REFUSED(bad.user = "");
	assert_int_equal(link_new(&good, &link), 0);
	link_free(link);
}

static void server_is_a_name_and_perhaps_a_port(void **state)
{
	static const struct {
		const char *url, *name; /* NULL: it is none */
	} urls[] = {
		{"tls://broker.example.org", "broker.example.org"},
		{"tls://broker_1:4222", "broker_1"},
		{"tls://192.0.2.1:1", "192.0.2.1"},
		{"tls://[2001:db8::1]:4222", "2001:db8::1"},
		{"tls://[::1]", "::1"},
		{"", NULL},
		{"tls://", NULL},
		{"nats://broker", NULL},
		{"TLS://broker", NULL},
		{"tls://u:p@broker", NULL},
		{"tls://broker/x", NULL},
		{"tls://broker:0", NULL},
		{"tls://broker:65536", NULL},
		{"tls://broker:", NULL},
		{"tls://[::1", NULL},
		{"tls://[]", NULL},
		{"tls://[::1]x", NULL},
		{"tls://bro ker", NULL},
	};
	char name[LINK_SERVER_CHARS_MAX + 1], url[LINK_SERVER_CHARS_MAX + 2];

	(void)state;
	for (size_t i = 0; i < sizeof(urls) / sizeof(urls[0]); i++) {
		assert_int_equal(link_is_server(urls[i].url),
				 urls[i].name != NULL);
		if (!urls[i].name)
			continue;
		link_server_name(urls[i].url, name, sizeof(name));
		assert_string_equal(name, urls[i].name);
	}
	memset(url, 'b', sizeof(url));
	memcpy(url, "tls://", 6);
	url[LINK_SERVER_CHARS_MAX + 1] = '\0';
	assert_false(link_is_server(url));
	url[LINK_SERVER_CHARS_MAX] = '\0';
	assert_true(link_is_server(url));
}

/* ---- frames -------------------------------------------------------------- */

static const enum link_from sides[] = {LINK_FROM_AGENT, LINK_FROM_LINK,
				       LINK_FROM_FLEET, LINK_FROM_FORCE};

/* What is right for its type. */
static struct link_frame a_frame(enum link_type type)
{
	struct link_frame frame = {.type = type, .bytes = "b", .len = 1};

	if (type == LINK_REPORT || type == LINK_ACKED || type == LINK_REFUSED ||
	    type == LINK_PUBLISH || type == LINK_FETCH || type == LINK_ACK ||
	    type == LINK_REPORTED || type == LINK_FETCHED || type == LINK_LATER)
		frame.id = 0x1122334455667788;
	if (type == LINK_REPORT)
		(void)strcpy(frame.name, MSGID);
	if (type == LINK_POLICY || type == LINK_PUBLISH ||
	    type == LINK_REPORTED || type == LINK_ATTESTED || type == LINK_ASK)
		(void)strcpy(frame.name, "print-01");
	if (type == LINK_POLICY || type == LINK_PUBLISH)
		frame.kind = LINK_GROUP;
	if (type == LINK_FETCH || type == LINK_FETCHED)
		frame.count = LINK_FETCH_MAX;
	if (type == LINK_LATER)
		frame.count = LINK_LATER_MAX_S;
	if (type == LINK_ACKED || type == LINK_FETCH || type == LINK_ACK ||
	    type == LINK_FETCHED || type == LINK_LATER)
		frame.len = 0;
	return frame;
}

static void frame_comes_back_from_each_side_that_may_send_it(void **state)
{
	struct link_frame frame, got;
	size_t used, told = 0;

	(void)state;
	for (int type = 0; type <= LINK_TYPES; type++)
		for (size_t i = 0; i < 4; i++) {
			struct link_writer out = {.from = sides[i]};

			frame = a_frame((enum link_type)type);
			if (link_writer_put(&out, &frame))
				continue;
			told++;
			for (size_t n = 0; n < out.len; n++)
				assert_int_equal(link_frame_parse(sides[i],
								  out.buf, n,
								  &got, &used),
						 0);
			assert_int_equal(link_frame_parse(sides[i], out.buf,
							  out.len, &got, &used),
					 1);
			assert_int_equal(used, out.len);
			assert_int_equal(got.type, frame.type);
			assert_int_equal(got.id, frame.id);
			assert_int_equal(got.count, frame.count);
			assert_int_equal(got.kind, frame.kind);
			assert_string_equal(got.name, frame.name);
			assert_int_equal(got.len, frame.len);
			/* Nobody else may send it but the twin. */
			for (size_t j = 0; j < 4; j++)
				if ((sides[i] ^ sides[j]) != 10)
					assert_int_equal(
						link_frame_parse(
							sides[j], out.buf,
							out.len, &got, &used),
						i == j ? 1 : -EPROTO);
			link_writer_release(&out);
		}
	/* Each type from one side; four from both links. */
	assert_int_equal(told, LINK_TYPES - 1 + 4);
}

static void frame_is_refused_when_a_field_is_not_its_own(void **state)
{
	struct link_frame frame;

	(void)state;
	for (int type = 1; type < LINK_TYPES; type++)
		for (size_t i = 0; i < 4; i++) {
			struct link_writer out = {.from = sides[i]};

			frame = a_frame((enum link_type)type);
			if (link_writer_put(&out, &frame))
				continue;
			link_writer_release(&out);
			frame.id = !frame.id;
			assert_int_equal(link_writer_put(&out, &frame),
					 -EINVAL);
			frame = a_frame((enum link_type)type);
			frame.kind = 3;
			assert_int_equal(link_writer_put(&out, &frame),
					 -EINVAL);
			frame = a_frame((enum link_type)type);
			frame.count = LINK_LATER_MAX_S + 1;
			assert_int_equal(link_writer_put(&out, &frame),
					 -EINVAL);
			frame = a_frame((enum link_type)type);
			(void)strcpy(frame.name, "a.b");
			assert_int_equal(link_writer_put(&out, &frame),
					 -EINVAL);
			frame = a_frame((enum link_type)type);
			frame.len = LINK_FRAME_MAX;
			assert_int_equal(link_writer_put(&out, &frame),
					 -EINVAL);
		}
}

static void frames_come_whole_however_they_are_cut(void **state)
{
	struct link_writer out = {.from = LINK_FROM_AGENT};
	struct link_reader in = {.from = LINK_FROM_AGENT};
	struct link_frame frame = a_frame(LINK_ATTEST), got;
	char bytes[5000] = {1};
	int fds[2], seen = 0;

	(void)state;
	assert_int_equal(
		socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fds), 0);
	frame.bytes = bytes;
	for (size_t i = 0; i < 20; i++) {
		frame.len = 1 + i * 200;
		assert_int_equal(link_writer_put(&out, &frame), 0);
	}
	for (size_t at = 0; at < out.len; at += 37) {
		size_t n = out.len - at < 37 ? out.len - at : 37;

		assert_int_equal(send(fds[0], out.buf + at, n, 0), n);
		assert_int_equal(link_reader_fill(&in, fds[1]), 1);
		while (link_reader_next(&in, &got) == 1) {
			assert_int_equal(got.len, 1 + seen * 200);
			assert_memory_equal(got.bytes, bytes, got.len);
			seen++;
		}
		assert_int_equal(link_reader_fill(&in, fds[1]), -EAGAIN);
	}
	assert_int_equal(seen, 20);
	(void)close(fds[0]);
	assert_int_equal(link_reader_fill(&in, fds[1]), 0);
	(void)close(fds[1]);
	link_writer_release(&out);
	link_reader_release(&in);
}

static void queue_is_bounded_and_takes_the_longest_frame(void **state)
{
	struct link_writer out = {.from = LINK_FROM_FLEET};
	struct link_frame frame = a_frame(LINK_PUBLISH);
	char *bytes = calloc(1, FLEET_POLICY_BYTES_MAX);
	size_t before;

	(void)state;
	assert_non_null(bytes);
	frame.bytes = bytes;
	frame.len = FLEET_POLICY_BYTES_MAX;
	assert_int_equal(link_writer_put(&out, &frame), 0);
	before = link_writer_waiting(&out);
	assert_int_equal(link_writer_put(&out, &frame), -ENOBUFS);
	assert_int_equal(link_writer_waiting(&out), before);
	frame.len = 1;
	assert_int_equal(link_writer_put(&out, &frame), 0);
	link_writer_release(&out);
	free(bytes);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(server_is_a_name_and_perhaps_a_port),
		cmocka_unit_test(
			frame_comes_back_from_each_side_that_may_send_it),
		cmocka_unit_test(frame_is_refused_when_a_field_is_not_its_own),
		cmocka_unit_test(frames_come_whole_however_they_are_cut),
		cmocka_unit_test(queue_is_bounded_and_takes_the_longest_frame),
		cmocka_unit_test(report_is_answered_by_a_good_link),
		cmocka_unit_test(policy_of_full_length_comes_whole),
		cmocka_unit_test(link_is_ended_and_started_again_for_garbage),
		cmocka_unit_test(link_is_ended_for_frames_out_of_turn),
		cmocka_unit_test(
			link_that_dies_in_a_frame_leaves_nothing_of_it),
		cmocka_unit_test(words_of_a_link_are_clean),
		cmocka_unit_test(link_without_a_word_is_told_of),
		cmocka_unit_test(link_is_ended_when_its_owner_says_so),
		cmocka_unit_test(link_that_is_not_there_is_told_of),
		cmocka_unit_test(link_is_not_made_of_wrong_options),
	};

	for (int i = 1; i + 1 < argc; i++)
		if (strcmp(argv[i], "--server") == 0)
			return be_link(argv[i + 1] + strlen("tls://"));
	return cmocka_run_group_tests(tests, NULL, NULL);
}
