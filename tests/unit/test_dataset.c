// SPDX-License-Identifier: GPL-2.0-only
/*
 * Where datasets lie: resolving, walking, measuring and watching paths; and
 * arrays, since here memory can run out.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sys/stat.h>
#include <unistd.h>

#include "array.h"
#include "dataset.h"
#include "watch.h"

static char dir[64];

/* The library's calls come here too: the next ones find no memory. */
static bool no_memory;

void *reallocarray(void *p, size_t n, size_t size)
{
	size_t bytes;

	if (no_memory || __builtin_mul_overflow(n, size, &bytes)) {
		errno = ENOMEM;
		return NULL;
	}
	return realloc(p, bytes);
}

static const char *in_dir(const char *name)
{
	static char path[4][256];
	static unsigned int turn;
	char *p = path[turn++ % 4];

	(void)snprintf(p, 256, "%s/%s", dir, name);
	return p;
}

static void write_file(const char *path, const char *text)
{
	FILE *f = fopen(path, "we");

	assert_non_null(f);
	assert_int_equal(fwrite(text, 1, strlen(text), f), strlen(text));
	assert_int_equal(fclose(f), 0);
}

static uint32_t line_bytes(const char *text)
{
	const char *path = in_dir("lines.csv");
	char where[PATH_MAX];
	uint32_t bytes;

	write_file(path, text);
	assert_int_equal(dataset_line_bytes(path, NULL, NULL, &bytes, where),
			 0);
	return bytes;
}

static void shortest_line_counts_and_no_header_or_blank_line(void **unused)
{
	char *text = malloc(700001);
	uint32_t i;

	(void)unused;
	assert_non_null(text);
	assert_int_equal(line_bytes(""), 1);
	assert_int_equal(line_bytes("id\n"), 1);
	assert_int_equal(line_bytes("id\n12345\n123\n1234567\n"), 4);
	assert_int_equal(line_bytes("id\n12345\n\n  \t\n1234567\n"), 6);
	assert_int_equal(line_bytes("id\n12345\n  1234"), 6);
	assert_int_equal(line_bytes("id\n12345\n12"), 3);
	/* A line that goes over the end of a buffer is one line. */
	for (i = 0; i < 70000; i++)
		memcpy(text + (size_t)i * 10, "123456789\n", 10);
	text[700000] = '\0';
	assert_int_equal(line_bytes(text), 10);
	free(text);
}

static void count_tick(void *arg)
{
	++*(int *)arg;
}

static void reader_gives_signs_of_life_when_much_is_read(void **unused)
{
	const char *path = in_dir("large.csv");
	char where[PATH_MAX];
	uint32_t bytes;
	int ticks = 0;

	(void)unused;
	write_file(path, "x\n");
	assert_int_equal(
		dataset_line_bytes(path, count_tick, &ticks, &bytes, where), 0);
	assert_int_equal(ticks, 0);
	assert_int_equal(truncate(path, 200 << 20), 0);
	assert_int_equal(
		dataset_line_bytes(path, count_tick, &ticks, &bytes, where), 0);
	assert_int_equal(ticks, 3);
	assert_int_equal(unlink(path), 0);
}

static void place_is_resolved_as_far_as_it_exists(void **unused)
{
	struct dataset_place place;
	char why[512], want[256];

	(void)unused;
	assert_int_equal(mkdir(in_dir("real"), 0700), 0);
	assert_int_equal(symlink("real", in_dir("link")), 0);
	assert_int_equal(
		dataset_resolve(in_dir("link"), &place, why, sizeof(why)), 0);
	assert_true(place.exists && place.is_dir && place.has_parent);
	assert_string_equal(place.real, in_dir("real"));

	assert_int_equal(
		dataset_resolve(in_dir("link/x"), &place, why, sizeof(why)), 0);
	assert_true(!place.exists && place.has_parent);
	assert_string_equal(place.real, in_dir("real/x"));

	assert_int_equal(dataset_resolve(in_dir("link/x//y/z"), &place, why,
					 sizeof(why)),
			 0);
	assert_true(!place.exists && !place.has_parent);
	(void)snprintf(want, sizeof(want), "%s/real/x//y/z", dir);
	assert_string_equal(place.real, want);

	write_file(in_dir("file"), "x");
	assert_int_equal(
		dataset_resolve(in_dir("file"), &place, why, sizeof(why)), 0);
	assert_true(place.exists && !place.is_dir);
	assert_int_equal(
		dataset_resolve(in_dir("file/x"), &place, why, sizeof(why)),
		-ENOTDIR);
	assert_int_equal(mkfifo(in_dir("fifo"), 0600), 0);
	assert_int_equal(
		dataset_resolve(in_dir("fifo"), &place, why, sizeof(why)),
		-EINVAL);
	assert_int_equal(dataset_resolve("/proc/sys", &place, why, sizeof(why)),
			 -EOPNOTSUPP);
	assert_non_null(strstr(why, "proc"));
}

struct counted {
	int files;
	int skips;
	int dirs;
};

static void count_dir(int at, const char *name, const char *path, void *arg)
{
	struct counted *counted = arg;
	struct stat st;

	assert_int_equal(fstatat(at, name, &st, AT_SYMLINK_NOFOLLOW), 0);
	assert_true(S_ISDIR(st.st_mode));
	assert_int_equal(stat(path, &st), 0);
	counted->dirs++;
}

static void count_file(int at, const char *name, const char *path, void *arg)
{
	struct counted *counted = arg;
	struct stat st;

	assert_int_equal(fstatat(at, name, &st, AT_SYMLINK_NOFOLLOW), 0);
	assert_true(S_ISREG(st.st_mode));
	assert_int_equal(stat(path, &st), 0);
	counted->files++;
}

static void count_skip(const char *path, const char *why, void *arg)
{
	struct counted *counted = arg;

	(void)path;
	(void)why;
	counted->skips++;
}

static void walk_sees_files_once_and_follows_no_link(void **unused)
{
	struct counted counted = {0};
	struct dataset_visitor visitor = {
		.file = count_file, .skip = count_skip, .arg = &counted};
	const struct dataset_visitor dirs = {.dir = count_dir, .arg = &counted};
	char path[256], *p;
	int i;

	(void)unused;
	assert_int_equal(mkdir(in_dir("tree"), 0700), 0);
	assert_int_equal(mkdir(in_dir("tree/sub"), 0700), 0);
	write_file(in_dir("tree/a"), "a");
	write_file(in_dir("tree/sub/b"), "b");
	assert_int_equal(symlink("../tree", in_dir("tree/loop")), 0);
	assert_int_equal(symlink("a", in_dir("tree/alias")), 0);
	assert_int_equal(mkfifo(in_dir("tree/fifo"), 0600), 0);
	assert_int_equal(dataset_walk(in_dir("tree"), &visitor), 0);
	assert_int_equal(counted.files, 2);
	assert_int_equal(counted.skips, 0);
	assert_int_equal(dataset_walk(in_dir("tree"), &dirs), 0);
	assert_int_equal(counted.dirs, 1);
	assert_int_equal(dataset_walk(in_dir("none"), &visitor), -ENOENT);

	/* Deeper than the guard looks up: said, not silently left out. */
	(void)snprintf(path, sizeof(path), "%s", in_dir("tree"));
	for (i = 0; i < DATASET_DEPTH_MAX + 2; i++) {
		p = path + strlen(path);
		(void)snprintf(p, 3, "/d");
		assert_int_equal(mkdir(path, 0700), 0);
	}
	memset(&counted, 0, sizeof(counted));
	assert_int_equal(dataset_walk(in_dir("tree"), &visitor), 0);
	assert_int_equal(counted.skips, 1);
}

static int find_mount(uint32_t id, const char *path, void *arg)
{
	(void)id;
	return !strcmp(path, arg) ? 7 : 0;
}

static int find_proc(const struct dataset_mount *mount, void *arg)
{
	int *found = arg;

	if (strcmp(mount->path, "/proc") != 0)
		return 0;
	assert_string_equal(mount->type, "proc");
	assert_string_equal(mount->root, "/");
	(*found)++;
	return 0;
}

static void mounts_tell_what_they_are(void **unused)
{
	int found = 0;

	(void)unused;
	assert_int_equal(dataset_each_mount(find_proc, &found), 0);
	assert_true(found > 0);
}

static void mounts_below_a_directory_are_found(void **unused)
{
	(void)unused;
	assert_int_equal(
		dataset_mounts("", find_mount, (char *)(uintptr_t) "/proc"), 7);
	assert_int_equal(dataset_mounts("/proc", find_mount,
					(char *)(uintptr_t) "/proc"),
			 0);
	assert_int_equal(
		dataset_mounts("/pro", find_mount, (char *)(uintptr_t) "/proc"),
		0);
}

static void watch_tells_of_its_files_and_no_other(void **unused)
{
	struct watch *watch;

	(void)unused;
	write_file(in_dir("log"), "x");
	assert_int_equal(watch_new(&watch), 0);
	watch_begin(watch);
	assert_int_equal(watch_add(watch, in_dir("none")), 0);
	assert_int_equal(watch_add(watch, in_dir("log")), 0);
	watch_commit(watch);
	assert_int_equal(watch_handle(watch), 0);
	write_file(in_dir("other"), "x");
	assert_int_equal(watch_handle(watch), 0);
	write_file(in_dir("log"), "y");
	assert_int_equal(watch_handle(watch), WATCH_LOOK | WATCH_WRITTEN);
	assert_int_equal(watch_handle(watch), 0);

	/* What is no longer asked for is not told. */
	watch_begin(watch);
	watch_commit(watch);
	(void)watch_handle(watch);
	write_file(in_dir("log"), "z");
	assert_int_equal(watch_handle(watch), 0);
	watch_free(watch);
}

/* Whoever measures files must not do so for any look that is asked for. */
static void watch_tells_written_from_all_else(void **unused)
{
	struct watch *watch;

	(void)unused;
	assert_int_equal(mkdir(in_dir("rows"), 0700), 0);
	write_file(in_dir("rows/a"), "x");
	write_file(in_dir("b"), "x");
	assert_int_equal(watch_new(&watch), 0);
	watch_begin(watch);
	assert_int_equal(watch_add(watch, in_dir("rows")), 0);
	assert_int_equal(watch_add(watch, in_dir("b")), 0);
	watch_commit(watch);
	write_file(in_dir("rows/a"), "y");
	assert_int_equal(watch_handle(watch), WATCH_LOOK | WATCH_WRITTEN);
	assert_int_equal(rename(in_dir("b"), in_dir("rows/b")), 0);
	assert_int_equal(watch_handle(watch), WATCH_LOOK | WATCH_WRITTEN);
	assert_int_equal(unlink(in_dir("rows/b")), 0);
	assert_int_equal(watch_handle(watch), WATCH_LOOK);
	watch_free(watch);
}

static void watch_goes_on_when_there_was_no_memory(void **unused)
{
	struct watch *watch;
	char name[16];
	int i;

	(void)unused;
	assert_int_equal(watch_new(&watch), 0);
	watch_begin(watch);
	for (i = 0; i < 16; i++) {
		(void)snprintf(name, sizeof(name), "w%d", i);
		write_file(in_dir(name), "x");
		assert_int_equal(watch_add(watch, in_dir(name)), 0);
	}
	write_file(in_dir("w16"), "x");
	no_memory = true;
	assert_int_equal(watch_add(watch, in_dir("w16")), -ENOMEM);
	assert_int_equal(watch_add(watch, in_dir("w16")), -ENOMEM);
	no_memory = false;
	assert_int_equal(watch_add(watch, in_dir("w16")), 0);
	watch_commit(watch);
	assert_int_equal(watch_handle(watch), 0);
	write_file(in_dir("w16"), "y");
	assert_true(watch_handle(watch) > 0);
	watch_free(watch);
}

static void watch_asks_for_two_looks(void **unused)
{
	struct watch *watch;
	struct pollfd p = {.events = POLLIN};

	(void)unused;
	assert_int_equal(watch_new(&watch), 0);
	p.fd = watch_fd(watch);
	watch_soon(watch);
	watch_soon(watch);
	assert_int_equal(poll(&p, 1, 5000), 1);
	assert_int_equal(watch_handle(watch), WATCH_LOOK);
	assert_int_equal(poll(&p, 1, 5000), 1);
	assert_int_equal(watch_handle(watch), WATCH_LOOK);
	assert_int_equal(poll(&p, 1, 1500), 0);
	watch_free(watch);
}

/* Also after it lost some; the sanitizer sees whether there is room. */
static void array_has_room_for_one_more_when_grown(void **unused)
{
	uint32_t *array = NULL, *grown;
	size_t n = 0, i, turn;

	(void)unused;
	for (turn = 0; turn < 3; turn++) {
		while (n < 100 * (turn + 1)) {
			grown = array_grow(array, n, sizeof(*array));
			assert_non_null(grown);
			array = grown;
			array[n] = (uint32_t)n;
			n++;
		}
		for (i = 0; i < n; i++)
			assert_int_equal(array[i], i);
		n = turn ? 0 : 17;
	}
	no_memory = true;
	assert_null(array_grow(array, 16, sizeof(*array)));
	assert_ptr_equal(array_grow(array, 17, sizeof(*array)), array);
	no_memory = false;
	free(array);
}

static int make_dir(void **unused)
{
	(void)unused;
	/* On tmpfs, which is allowed whatever /tmp is on. */
	(void)snprintf(dir, sizeof(dir), "/dev/shm/cordon-test.XXXXXX");
	return mkdtemp(dir) ? 0 : -1;
}

static int remove_dir(void **unused)
{
	char command[128];

	(void)unused;
	(void)snprintf(command, sizeof(command), "rm -rf %s", dir);
	return system(command);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
			shortest_line_counts_and_no_header_or_blank_line),
		cmocka_unit_test(reader_gives_signs_of_life_when_much_is_read),
		cmocka_unit_test(place_is_resolved_as_far_as_it_exists),
		cmocka_unit_test(walk_sees_files_once_and_follows_no_link),
		cmocka_unit_test(mounts_below_a_directory_are_found),
		cmocka_unit_test(mounts_tell_what_they_are),
		cmocka_unit_test(watch_tells_of_its_files_and_no_other),
		cmocka_unit_test(watch_tells_written_from_all_else),
		cmocka_unit_test(watch_goes_on_when_there_was_no_memory),
		cmocka_unit_test(array_has_room_for_one_more_when_grown),
		cmocka_unit_test(watch_asks_for_two_looks),
	};

	return cmocka_run_group_tests(tests, make_dir, remove_dir);
}
