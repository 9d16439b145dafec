// SPDX-License-Identifier: GPL-2.0-only
/* Where the command listens, and where it does not. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <arpa/inet.h>
#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "listen.h"

static char error[LISTEN_ERROR_CHARS_MAX];

static void address_is_taken_when_it_is_this_host_alone(void **state)
{
	static const char *const good[] = {
		"127.0.0.1:9478", "127.1.2.3:1",      "127.0.0.1:0",
		"[::1]:65535",	  "unix:/run/a.sock", "systemd",
	};
	struct listen_address address;

	(void)state;
	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++)
		if (listen_parse(good[i], &address, error))
			fail_msg("%s: %s", good[i], error);
}

static void address_is_refused_when_others_reach_it(void **state)
{
	static const char *const bad[] = {
		"0.0.0.0:9478",	    "10.0.0.1:9478",  "128.0.0.1:9478",
		"[::]:9478",	    "[fe80::1]:9478", "[::ffff:127.0.0.1]:9478",
		"126.255.0.1:9478",
	};
	struct listen_address address = {.len = 7};

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		assert_int_equal(listen_parse(bad[i], &address, error),
				 -EINVAL);
		assert_non_null(strstr(error, "other hosts could ask"));
		assert_int_equal(address.len, 7);
	}
}

static void address_is_refused_when_it_is_none(void **state)
{
	static const char *const bad[] = {
		"",
		":",
		"9478",
		":9478",
		"127.0.0.1",
		"127.0.0.1:",
		"127.0.0.1:65536",
		"127.0.0.1:http",
		"127.0.0.1:-1",
		"127.0.0.1:09",
		"localhost:9478",
		"::1:9478",
		"[::1]",
		"[]:1",
		"[:1",
		"[::1:9478",
		"[127.0.0.1]:1",
		"127.1:9478",
		"unix:",
		"unix:run/a.sock",
		"unix:@abstract",
		"Systemd",
		"2130706433:9478",
		"127.0.0.1 :9478",
	};
	struct listen_address address;
	char far[200];

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		if (listen_parse(bad[i], &address, error) != -EINVAL)
			fail_msg("%s", bad[i]);
		assert_non_null(strstr(error, "expected "));
	}
	(void)snprintf(far, sizeof(far), "unix:/%0150d", 0);
	assert_int_equal(listen_parse(far, &address, error), -EINVAL);
	(void)snprintf(far, sizeof(far), "%0150d:1", 0);
	assert_int_equal(listen_parse(far, &address, error), -EINVAL);
}

static int open_at(const char *text, struct listen_address *address)
{
	int fd = -1, r;

	assert_int_equal(listen_parse(text, address, error), 0);
	r = listen_open(address, &fd, error);
	return r ? r : fd;
}

static void port_is_told_when_it_was_left_open(void **state)
{
	static const char *const open[] = {"127.0.0.1:0", "[::1]:0"};
	struct listen_address address;
	char name[64];
	int fd;

	(void)state;
	for (size_t i = 0; i < 2; i++) {
		fd = open_at(open[i], &address);
		/* A host can be without IPv6. */
		if (fd == -EADDRNOTAVAIL || fd == -EAFNOSUPPORT)
			continue;
		assert_true(fd >= 0);
		listen_name(fd, name, sizeof(name));
		assert_memory_equal(name, open[i], strlen(open[i]) - 1);
		assert_int_not_equal(atoi(strrchr(name, ':') + 1), 0);
		assert_int_equal(open_at(name, &address), -EADDRINUSE);
		assert_non_null(strstr(error, "another"));
		assert_int_equal(listen_check(fd, error), 0);
		(void)close(fd);
	}
}

static void file_is_for_user_and_group_and_goes_again(void **state)
{
	char dir[] = "/tmp/cordon-listen.XXXXXX", text[64], name[64];
	struct listen_address address;
	struct stat st;
	int fd, next;

	(void)state;
	assert_non_null(mkdtemp(dir));
	(void)snprintf(text, sizeof(text), "unix:%s/s", dir);
	fd = open_at(text, &address);
	assert_true(fd >= 0);
	assert_int_equal(lstat(text + 5, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0660);
	listen_name(fd, name, sizeof(name));
	assert_string_equal(name, text);
	assert_int_equal(listen_check(fd, error), 0);

	/* Not while somebody listens; but what was left behind. */
	assert_int_equal(open_at(text, &address), -EADDRINUSE);
	(void)close(fd);
	next = open_at(text, &address);
	assert_true(next >= 0);
	(void)close(next);
	listen_remove(&address);
	assert_int_equal(lstat(text + 5, &st), -1);

	/* And nothing else. */
	fd = open(text + 5, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	assert_true(fd >= 0);
	(void)close(fd);
	assert_int_equal(open_at(text, &address), -EADDRINUSE);
	assert_int_equal(unlink(text + 5), 0);
	assert_int_equal(rmdir(dir), 0);
}

static void passed_socket_is_refused_when_it_is_not_ours(void **state)
{
	struct sockaddr_in any = {.sin_family = AF_INET};
	int fd;

	(void)state;
	assert_int_equal(listen_check(-1, error), -EBADF);
	fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
	assert_int_equal(listen_check(fd, error), -ENOTSOCK);
	(void)close(fd);
	fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	assert_int_equal(listen_check(fd, error), -EINVAL);
	(void)close(fd);
	fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_int_equal(bind(fd, (struct sockaddr *)&any, sizeof(any)), 0);
	assert_int_equal(listen_check(fd, error), -EINVAL);
	assert_non_null(strstr(error, "listens"));
	assert_int_equal(listen(fd, 1), 0);
	assert_int_equal(listen_check(fd, error), -EINVAL);
	assert_non_null(strstr(error, "0.0.0.0:"));
	assert_non_null(strstr(error, "other hosts could ask"));
	(void)close(fd);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(address_is_taken_when_it_is_this_host_alone),
		cmocka_unit_test(address_is_refused_when_others_reach_it),
		cmocka_unit_test(address_is_refused_when_it_is_none),
		cmocka_unit_test(port_is_told_when_it_was_left_open),
		cmocka_unit_test(file_is_for_user_and_group_and_goes_again),
		cmocka_unit_test(passed_socket_is_refused_when_it_is_not_ours),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
