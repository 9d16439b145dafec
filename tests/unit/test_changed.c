// SPDX-License-Identifier: GPL-2.0-only
/*
 * Which files changed since a moment: all that can have something in it, under
 * whatever name, and nothing that is older.
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
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "changed.h"
#include "clock.h"

static char dir[64];

struct seen {
	size_t files, links, dirs, skips, named;
	uint64_t ticks;
	const char *wanted;
	size_t all;
	int blind; /* paths lead nowhere */
};

static void take_file(const struct changed_file *file, void *arg)
{
	struct seen *seen = arg;
	struct stat st;

	seen->all++;
	if (seen->blind)
		return;
	assert_int_equal(lstat(file->path, &st), 0);
	assert_int_equal(st.st_ino, file->ino);
	assert_int_equal((uint64_t)st.st_ctim.tv_sec * CLOCK_NS_PER_S +
				 (uint64_t)st.st_ctim.tv_nsec,
			 file->ctime_ns);
	seen->files += S_ISREG(st.st_mode);
	seen->links += S_ISLNK(st.st_mode);
	seen->dirs += S_ISDIR(st.st_mode);
	seen->named += seen->wanted && !strcmp(file->path, seen->wanted);
}

static void take_skip(const char *path, const char *why, void *arg)
{
	struct seen *seen = arg;

	assert_true(path[0] && why[0]);
	seen->skips++;
}

static void take_tick(uint64_t n, void *arg)
{
	struct seen *seen = arg;

	seen->ticks += n;
}

static void walk(const char *path, uint64_t since_ns, const char *except,
		 struct seen *seen)
{
	const struct changed_visitor visitor = {.since_ns = since_ns,
						.except = except,
						.file = take_file,
						.skip = take_skip,
						.tick = take_tick,
						.arg = seen};
	int fd = open(path, O_PATH | O_CLOEXEC | O_NOFOLLOW);

	assert_true(fd >= 0);
	changed_walk(fd, path, &visitor);
	(void)close(fd);
}

static const char *at(const char *name)
{
	static char path[4][160];
	static int i;

	i = (i + 1) % 4;
	(void)snprintf(path[i], sizeof(path[i]), "%s/%s", dir, name);
	return path[i];
}

static void make_file(const char *name)
{
	int fd = open(at(name), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);

	assert_true(fd >= 0);
	(void)close(fd);
}

static uint64_t ctime_at(const char *name)
{
	struct stat st;

	assert_int_equal(lstat(at(name), &st), 0);
	return (uint64_t)st.st_ctim.tv_sec * CLOCK_NS_PER_S +
	       (uint64_t)st.st_ctim.tv_nsec;
}

/* Until what is made has another time than what was made before. */
static uint64_t later(void)
{
	uint64_t old, new = 0;

	make_file("tick");
	old = ctime_at("tick");
	while (new <= old) {
		assert_int_equal(unlink(at("tick")), 0);
		make_file("tick");
		new = ctime_at("tick");
	}
	assert_int_equal(unlink(at("tick")), 0);
	return new;
}

static int begin(void **unused)
{
	(void)unused;
	(void)strcpy(dir, "/tmp/cordon-changed-XXXXXX");
	return mkdtemp(dir) ? 0 : -1;
}

static int end(void **unused)
{
	char command[96];

	(void)unused;
	(void)snprintf(command, sizeof(command), "rm -rf %s", dir);
	return system(command);
}

static void old_files_are_left_out_when_others_changed(void **unused)
{
	char wanted[160];
	struct seen seen = {.wanted = wanted};
	uint64_t since;

	(void)unused;
	(void)snprintf(wanted, sizeof(wanted), "%s/below/new", dir);
	make_file("old");
	assert_int_equal(symlink("old", at("old-link")), 0);
	assert_int_equal(mkdir(at("below"), 0700), 0);
	since = later();
	make_file("below/new");
	assert_int_equal(symlink("nowhere", at("link")), 0);
	assert_int_equal(mkfifo(at("fifo"), 0600), 0);
	walk(dir, since, "", &seen);
	assert_int_equal(seen.files, 1);
	assert_int_equal(seen.named, 1);
	assert_int_equal(seen.links, 1);
	assert_int_equal(seen.dirs, 0);
	assert_int_equal(seen.skips, 0);
	memset(&seen, 0, sizeof(seen));
	walk(dir, 0, "", &seen);
	assert_int_equal(seen.files, 2);
	assert_int_equal(seen.links, 2);
}

static void file_is_found_when_its_bytes_mode_or_name_changed(void **unused)
{
	struct seen seen = {0};
	uint64_t since;
	int fd;

	(void)unused;
	make_file("written");
	make_file("mode");
	make_file("named");
	make_file("left");
	since = later();
	fd = open(at("written"), O_WRONLY | O_CLOEXEC);
	assert_int_equal(write(fd, "x", 1), 1);
	(void)close(fd);
	assert_int_equal(chmod(at("mode"), 0400), 0);
	assert_int_equal(rename(at("named"), at("renamed")), 0);
	walk(dir, since, "", &seen);
	assert_int_equal(seen.files, 3);
	/* Its other times can be set to anything. */
	memset(&seen, 0, sizeof(seen));
	assert_int_equal(utimensat(AT_FDCWD, at("written"),
				   (struct timespec[2]){{1, 0}, {1, 0}}, 0),
			 0);
	walk(dir, since, "", &seen);
	assert_int_equal(seen.files, 3);
}

static void directory_is_found_when_it_has_attributes(void **unused)
{
	struct seen seen = {0};

	(void)unused;
	assert_int_equal(mkdir(at("d"), 0700), 0);
	walk(dir, 0, "", &seen);
	assert_int_equal(seen.dirs, 0);
	/* Not every file system has any. */
	if (setxattr(at("d"), "user.x", "1", 1, 0) < 0) {
		assert_int_equal(errno, ENOTSUP);
		return;
	}
	walk(dir, 0, "", &seen);
	assert_int_equal(seen.dirs, 1);
}

static void directory_is_left_out_when_it_is_excepted(void **unused)
{
	struct seen seen = {0};

	(void)unused;
	assert_int_equal(mkdir(at("own"), 0700), 0);
	assert_int_equal(mkdir(at("owner"), 0700), 0);
	make_file("own/state");
	make_file("owner/file");
	walk(dir, 0, at("own"), &seen);
	assert_int_equal(seen.files, 1);
}

static void file_is_found_when_it_is_mounted_alone(void **unused)
{
	struct seen seen = {0};

	(void)unused;
	make_file("alone");
	walk(at("alone"), 0, "", &seen);
	assert_int_equal(seen.files, 1);
}

/* Deeper than a path can be long. */
static void file_is_found_when_its_path_is_too_long(void **unused)
{
	const char name[] = "a-directory-whose-name-takes-some-room-of-a-path";
	struct seen seen = {.blind = 1};
	int i, fd, next;

	(void)unused;
	fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	for (i = 0; i < 120; i++) {
		assert_int_equal(mkdirat(fd, name, 0700), 0);
		next = openat(fd, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		assert_true(next >= 0);
		(void)close(fd);
		fd = next;
	}
	next = openat(fd, "f", O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	assert_true(next >= 0);
	(void)close(next);
	(void)close(fd);
	walk(dir, 0, "", &seen);
	assert_int_equal(seen.skips, 0);
	assert_int_equal(seen.all, 1);
}

static void depth_is_told_when_it_is_too_much(void **unused)
{
	struct seen seen = {0};
	int i, fd, next;

	(void)unused;
	fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	for (i = 0; i < CHANGED_DEPTH_MAX; i++) {
		assert_int_equal(mkdirat(fd, "d", 0700), 0);
		next = openat(fd, "d", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		assert_true(next >= 0);
		(void)close(fd);
		fd = next;
	}
	(void)close(fd);
	walk(dir, 0, "", &seen);
	assert_int_equal(seen.skips, 1);
}

static void walk_ticks_when_there_are_many(void **unused)
{
	struct seen seen = {0};
	char name[32];
	int i;

	(void)unused;
	for (i = 0; i < 2 * CHANGED_TICK + 1; i++) {
		(void)snprintf(name, sizeof(name), "%d", i);
		make_file(name);
	}
	walk(dir, 0, "", &seen);
	assert_int_equal(seen.ticks, 2 * CHANGED_TICK);
	assert_int_equal(seen.files, 2 * CHANGED_TICK + 1);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(old_files_are_left_out_when_others_changed),
		TEST(file_is_found_when_its_bytes_mode_or_name_changed),
		TEST(directory_is_found_when_it_has_attributes),
		TEST(directory_is_left_out_when_it_is_excepted),
		TEST(file_is_found_when_it_is_mounted_alone),
		TEST(file_is_found_when_its_path_is_too_long),
		TEST(depth_is_told_when_it_is_too_much),
		TEST(walk_ticks_when_there_are_many),
	};

	return cmocka_run_group_tests_name("changed", tests, NULL, NULL);
}
