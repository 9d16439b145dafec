// SPDX-License-Identifier: GPL-2.0-only
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
#include <sys/stat.h>
#include <unistd.h>

#include "place.h"

static char top[] = "/tmp/cordon-place-XXXXXX";
static char why[PLACE_WHY_CHARS_MAX];

static const char *at(const char *name)
{
	static char path[2][128];
	static int which;

	which = !which;
	(void)snprintf(path[which], sizeof(path[which]), "%s/%s", top, name);
	return path[which];
}

/* up/dir/file, which is right. */
static int make_place(void **state)
{
	FILE *f;

	(void)state;
	(void)strcpy(top, "/tmp/cordon-place-XXXXXX");
	if (!mkdtemp(top) || mkdir(at("up"), 0755) || mkdir(at("up/dir"), 0755))
		return -1;
	f = fopen(at("up/dir/file"), "we");
	if (!f || fputs("text", f) < 0 || fclose(f))
		return -1;
	return chmod(at("up/dir/file"), 0644);
}

static int remove_place(void **state)
{
	char command[128];

	(void)state;
	(void)snprintf(command, sizeof(command), "rm -rf '%s'", top);
	return system(command);
}

static int opens(const char *path)
{
	int dir = -1, fd = -1, r;
	char text[8] = "";

	r = place_open(path, &dir, &fd, why);
	if (r) {
		assert_int_equal(dir, -1);
		assert_int_equal(fd, -1);
		return r;
	}
	assert_int_equal(read(fd, text, sizeof(text)), 4);
	assert_string_equal(text, "text");
	assert_int_equal(faccessat(dir, "file", F_OK, 0), 0);
	(void)close(dir);
	(void)close(fd);
	return 0;
}

static void assert_refused(const char *path, const char *words)
{
	assert_int_equal(opens(path), -EPERM);
	if (!strstr(why, words))
		fail_msg("got: %s", why);
	if (!strstr(why, path))
		fail_msg("without %s: %s", path, why);
}

static void file_is_opened_when_only_root_can_change_it(void **state)
{
	char cwd[4096];

	(void)state;
	assert_int_equal(opens(at("up/dir/file")), 0);
	assert_int_equal(opens(at("up//./dir/../dir/file")), 0);
	assert_non_null(getcwd(cwd, sizeof(cwd)));
	assert_int_equal(chdir(at("up")), 0);
	assert_int_equal(opens("dir/file"), 0);
	assert_int_equal(opens("./dir//file"), 0);
	assert_int_equal(chdir(cwd), 0);
	assert_int_equal(opens(at("up/dir/none")), -ENOENT);
	assert_int_equal(opens(at("up/none/file")), -ENOENT);
	assert_int_equal(opens(at("up/dir/file/file")), -ENOTDIR);
	assert_string_equal(why, "");
}

static void place_is_refused_when_others_can_write_to_it(void **state)
{
	static const struct {
		const char *name;
		mode_t bad, good;
	} cases[] = {
		{"up/dir/file", 0646, 0644},
		{"up/dir/file", 0664, 0644},
		{"up/dir", 0777, 0755},
		{"up/dir", 0775, 0755},
		{"up", 0757, 0755},
		{"up", 0775, 0755},
		/* Where nobody can rename, anybody can still add. */
		{"up/dir", 01777, 0755},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		assert_int_equal(chmod(at(cases[i].name), cases[i].bad), 0);
		assert_int_equal(opens(at("up/dir/file")), -EPERM);
		if (!strstr(why, "others than root can change") ||
		    !strstr(why, at(cases[i].name)))
			fail_msg("%s: %s", cases[i].name, why);
		assert_int_equal(chmod(at(cases[i].name), cases[i].good), 0);
		assert_int_equal(opens(at("up/dir/file")), 0);
	}
	/* Further up it is no harm. */
	assert_int_equal(chmod(at("up"), 01777), 0);
	assert_int_equal(opens(at("up/dir/file")), 0);
}

static void place_is_refused_when_it_is_anothers(void **state)
{
	static const char *const names[] = {"up/dir/file", "up/dir", "up"};

	(void)state;
	/* Only root can give it away. */
	if (geteuid())
		return;
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		assert_int_equal(chown(at(names[i]), 12345, 0), 0);
		assert_int_equal(opens(at("up/dir/file")), -EPERM);
		assert_non_null(strstr(why, at(names[i])));
		assert_int_equal(chown(at(names[i]), 0, 0), 0);
		assert_int_equal(opens(at("up/dir/file")), 0);
	}
	/* Nor is who may not rename there anybody to trust. */
	assert_int_equal(chown(at("up"), 12345, 0), 0);
	assert_int_equal(chmod(at("up"), 01777), 0);
	assert_int_equal(opens(at("up/dir/file")), -EPERM);
}

static void place_is_refused_when_a_link_leads_there(void **state)
{
	(void)state;
	assert_int_equal(symlink("file", at("up/dir/link")), 0);
	assert_refused(at("up/dir/link"), "is a symbolic link");
	assert_int_equal(symlink("dir", at("up/link")), 0);
	assert_int_equal(opens(at("up/link/file")), -EPERM);
	assert_non_null(strstr(why, at("up/link")));
	assert_int_equal(symlink(at("up"), at("link")), 0);
	assert_int_equal(opens(at("link/dir/file")), -EPERM);
	/* One that leads nowhere, and two that lead to each other. */
	assert_int_equal(symlink("none", at("up/dir/none")), 0);
	assert_refused(at("up/dir/none"), "is a symbolic link");
	assert_int_equal(symlink("b", at("up/dir/a")), 0);
	assert_int_equal(symlink("a", at("up/dir/b")), 0);
	assert_refused(at("up/dir/a"), "is a symbolic link");
	assert_int_equal(opens(at("up/dir/a/file")), -EPERM);
}

static void what_is_no_file_is_refused_and_holds_nobody_up(void **state)
{
	(void)state;
	assert_int_equal(mkfifo(at("up/dir/fifo"), 0600), 0);
	assert_refused(at("up/dir/fifo"), "is not a regular file");
	assert_refused(at("up/dir"), "is not a regular file");
	assert_int_equal(opens("/dev/null"), -EPERM);
	assert_non_null(strstr(why, "is not a regular file"));
}

#define in_a_place(test) \
	cmocka_unit_test_setup_teardown(test, make_place, remove_place)

int main(void)
{
	const struct CMUnitTest tests[] = {
		in_a_place(file_is_opened_when_only_root_can_change_it),
		in_a_place(place_is_refused_when_others_can_write_to_it),
		in_a_place(place_is_refused_when_it_is_anothers),
		in_a_place(place_is_refused_when_a_link_leads_there),
		in_a_place(what_is_no_file_is_refused_and_holds_nobody_up),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
