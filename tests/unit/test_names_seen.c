// SPDX-License-Identifier: GPL-2.0-only
#include "names_seen.h"

#include <arpa/inet.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

/* `upload.example is an alias of edge.example, which is 203.0.113.9', as a
 * server sends it: IPv4, UDP from port 53, DNS. */
static const uint8_t answer[] = {
	/* IPv4: 20 octets, UDP */
	0x45, 0, 0, 0, 0, 0, 0, 0, 64, 17, 0, 0, 192, 0, 2, 53, 192, 0, 2, 1,
	/* UDP: from 53 */
	0, 53, 0xc0, 0, 0, 0, 0, 0,
	/* DNS: an answer, of one question and two records */
	0x12, 0x34, 0x81, 0x80, 0, 1, 0, 2, 0, 0, 0, 0,
	/* what was asked, at 12 */
	6, 'U', 'p', 'L', 'o', 'a', 'd', 7, 'e', 'x', 'a', 'm', 'p', 'l', 'e',
	0, 0, 1, 0, 1,
	/* its alias, at 32: edge.example */
	0xc0, 12, 0, 5, 0, 1, 0, 0, 0, 60, 0, 7, 4, 'e', 'd', 'g', 'e', 0xc0,
	19,
	/* and that one's address */
	0xc0, 44, 0, 1, 0, 1, 0, 0, 0, 60, 0, 4, 203, 0, 113, 9};

#define DNS   28 /* where in it the message begins */
#define FLAGS (DNS + 2)
#define LABEL (DNS + 13)

static struct names_seen *seen;

static int make(void **state)
{
	(void)state;
	return names_seen_new(&seen);
}

static int unmake(void **state)
{
	(void)state;
	names_seen_free(seen);
	return 0;
}

static const char *name_of(const char *address)
{
	uint8_t addr[16];

	assert_int_equal(inet_pton(AF_INET6, address, addr), 1);
	return names_seen_find(seen, addr);
}

static void name_is_the_one_that_was_asked_for(void **state)
{
	(void)state;
	assert_null(name_of("::ffff:203.0.113.9"));
	names_seen_take(seen, answer, sizeof(answer));
	assert_string_equal(name_of("::ffff:203.0.113.9"), "upload.example");
	assert_null(name_of("::ffff:203.0.113.8"));
	assert_null(name_of("::"));
	assert_null(names_seen_find(NULL, answer));
}

static void name_is_seen_over_ipv6(void **state)
{
	uint8_t packet[sizeof(answer) + 20] = {0x60, [6] = 17};

	(void)state;
	memcpy(packet + 40, answer + 20, sizeof(answer) - 20);
	names_seen_take(seen, packet, sizeof(packet));
	assert_string_equal(name_of("::ffff:203.0.113.9"), "upload.example");
}

static void address_of_ipv6_is_taken(void **state)
{
	uint8_t packet[sizeof(answer) + 12];
	const size_t record = sizeof(answer) - 16;

	(void)state;
	memcpy(packet, answer, sizeof(answer));
	packet[record + 3] = 28;
	packet[record + 11] = 16;
	assert_int_equal(
		inet_pton(AF_INET6, "2001:db8::9", packet + record + 12), 1);
	names_seen_take(seen, packet, sizeof(packet));
	assert_string_equal(name_of("2001:db8::9"), "upload.example");
}

/* Each is one change away from an answer. */
static void what_is_no_answer_is_nothing(void **state)
{
	static const struct {
		size_t at;
		uint8_t is;
	} changes[] = {
		{0, 0x35},		 /* neither IPv4 nor IPv6 */
		{0, 0x44},		 /* a header of 16 octets */
		{0, 0x4f},		 /* one that reaches into the message */
		{7, 1},			 /* a later fragment */
		{9, 6},			 /* TCP */
		{21, 54},		 /* another port */
		{FLAGS, 0x01},		 /* a question */
		{FLAGS + 1, 0x83},	 /* no such name */
		{DNS + 5, 2},		 /* two questions */
		{LABEL - 1, 0x40},	 /* a label of an unknown kind */
		{LABEL - 1, 0xc0},	 /* and one that leads nowhere */
		{sizeof(answer) - 5, 3}, /* an address of three octets */
		{sizeof(answer) - 5, 5}, /* and one beyond the end */
		{sizeof(answer) - 11, 3}, /* of another class */
	};
	uint8_t packet[sizeof(answer)];

	(void)state;
	for (size_t i = 0; i < sizeof(changes) / sizeof(changes[0]); i++) {
		memcpy(packet, answer, sizeof(answer));
		packet[changes[i].at] = changes[i].is;
		names_seen_take(seen, packet, sizeof(packet));
		assert_null(name_of("::ffff:203.0.113.9"));
	}
	for (size_t size = 0; size < sizeof(answer); size++) {
		memcpy(packet, answer, sizeof(answer));
		names_seen_take(seen, packet, size);
		assert_null(name_of("::ffff:203.0.113.9"));
	}
	names_seen_take(seen, answer, sizeof(answer));
	assert_non_null(name_of("::ffff:203.0.113.9"));
}

static void name_is_printable_when_hostile(void **state)
{
	uint8_t packet[sizeof(answer)];
	const char *name;

	(void)state;
	memcpy(packet, answer, sizeof(answer));
	packet[LABEL] = '\033';
	packet[LABEL + 1] = '\n';
	packet[LABEL + 2] = 0xff;
	packet[LABEL + 3] = '"';
	names_seen_take(seen, packet, sizeof(packet));
	name = name_of("::ffff:203.0.113.9");
	assert_non_null(name);
	for (; *name; name++)
		assert_in_range(*name, ' ', '~');
}

/* Whose it is stands at its end. */
static void end_of_the_name_stays_when_it_is_too_long(void **state)
{
	uint8_t packet[sizeof(answer) + 2 * 64];
	const char *name;

	(void)state;
	memcpy(packet, answer, LABEL - 1);
	for (size_t i = 0; i < 2; i++) {
		packet[LABEL - 1 + i * 64] = 63;
		memset(packet + LABEL + i * 64, '\001', 63);
	}
	memcpy(packet + LABEL - 1 + 2 * 64, answer + LABEL - 1,
	       sizeof(answer) - (LABEL - 1));
	/* What leads to the alias, and to its end. */
	packet[sizeof(packet) - 16 + 1] += 2 * 64;
	packet[sizeof(packet) - 16 - 1] += 2 * 64;
	names_seen_take(seen, packet, sizeof(packet));
	name = name_of("::ffff:203.0.113.9");
	assert_non_null(name);
	assert_int_equal(strlen(name), NAMES_SEEN_CHARS_MAX - 1);
	assert_string_equal(strchr(name, '.') + 1, "upload.example");
}

/* What one answer can do is bounded. */
static void some_addresses_are_taken_when_there_are_hundreds(void **state)
{
	const size_t record = sizeof(answer) - 16;
	uint8_t packet[sizeof(answer) + 16 * 200];
	char address[64];
	int n = 0;

	(void)state;
	memcpy(packet, answer, sizeof(answer));
	packet[DNS + 7] = 2 + 200;
	for (size_t i = 0; i < 200; i++) {
		memcpy(packet + sizeof(answer) + 16 * i, answer + record, 16);
		packet[sizeof(answer) + 16 * i + 15] = (uint8_t)(i + 20);
	}
	names_seen_take(seen, packet, sizeof(packet));
	assert_non_null(name_of("::ffff:203.0.113.9"));
	for (int i = 0; i < 256; i++) {
		(void)snprintf(address, sizeof(address), "::ffff:203.0.113.%d",
			       i);
		n += name_of(address) != NULL;
	}
	assert_in_range(n, 1, 40);
}

static void oldest_makes_room_when_full(void **state)
{
	uint8_t packet[sizeof(answer)];

	(void)state;
	memcpy(packet, answer, sizeof(answer));
	for (unsigned int i = 0; i <= NAMES_SEEN_MAX; i++) {
		packet[sizeof(answer) - 2] = (uint8_t)(i >> 8);
		packet[sizeof(answer) - 1] = (uint8_t)i;
		names_seen_take(seen, packet, sizeof(packet));
	}
	assert_null(name_of("::ffff:203.0.0.0"));
	assert_non_null(name_of("::ffff:203.0.0.1"));
	assert_non_null(name_of("::ffff:203.0.4.0"));
}

static void last_name_counts_when_there_are_two(void **state)
{
	uint8_t packet[sizeof(answer)];

	(void)state;
	memcpy(packet, answer, sizeof(answer));
	names_seen_take(seen, packet, sizeof(packet));
	packet[LABEL] = 'x';
	names_seen_take(seen, packet, sizeof(packet));
	assert_string_equal(name_of("::ffff:203.0.113.9"), "xpload.example");
}

#define SEEN_TEST(f) cmocka_unit_test_setup_teardown(f, make, unmake)

int main(void)
{
	const struct CMUnitTest tests[] = {
		SEEN_TEST(name_is_the_one_that_was_asked_for),
		SEEN_TEST(name_is_seen_over_ipv6),
		SEEN_TEST(address_of_ipv6_is_taken),
		SEEN_TEST(what_is_no_answer_is_nothing),
		SEEN_TEST(name_is_printable_when_hostile),
		SEEN_TEST(end_of_the_name_stays_when_it_is_too_long),
		SEEN_TEST(some_addresses_are_taken_when_there_are_hundreds),
		SEEN_TEST(oldest_makes_room_when_full),
		SEEN_TEST(last_name_counts_when_there_are_two),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
