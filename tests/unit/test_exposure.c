// SPDX-License-Identifier: GPL-2.0-only
/* Which records are new, in runs, and what their files are called. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "exposure.h"
#include "record_names.h"

static struct exposure_block block(uint32_t origin, uint32_t record,
				   uint32_t first, uint64_t mask)
{
	return (struct exposure_block){.origin = origin,
				       .record = record,
				       .first = first,
				       .mask = mask};
}

static void add(struct exposure *set, struct exposure_block b)
{
	assert_int_equal(exposure_add(set, &b), 0);
}

static void fresh_is_what_was_not_there_before(void **state)
{
	struct exposure before = {0}, set = {0};
	struct exposure_block *fresh, other = block(2, 0, 9, 1);
	size_t n;

	(void)state;
	add(&before, block(1, 0, 0, 0x0f));
	add(&set, block(1, 0, 0, 0x0f));
	add(&set, block(1, 0, 0, 0xf0));
	add(&set, block(2, 0, 0, 1));
	add(&set, block(1, 7, 0, 2));
	assert_int_equal(exposure_mask(&set, &other), 0);
	assert_int_equal(exposure_fresh(&set, &before, &fresh, &n), 0);
	assert_int_equal(n, 3);
	/* By origin, then record. */
	assert_int_equal(fresh[0].origin, 1);
	assert_int_equal(fresh[0].record, 0);
	assert_int_equal(fresh[0].mask, 0xf0);
	assert_int_equal(fresh[1].record, 7);
	assert_int_equal(fresh[2].origin, 2);
	free(fresh);
	assert_int_equal(exposure_fresh(&set, &set, &fresh, &n), 0);
	assert_int_equal(n, 0);
	free(fresh);
	exposure_release(&before);
	exposure_release(&set);
}

static void set_keeps_all_when_it_grows(void **state)
{
	struct exposure set = {0}, none = {0};
	struct exposure_block *fresh;
	size_t n;

	(void)state;
	/* In no order, and each twice. */
	for (uint32_t i = 0; i < 20000; i++)
		add(&set,
		    block(1 + i % 3, i % 7, i * 7919 % 20000, 1ULL << i % 64));
	for (uint32_t i = 0; i < 20000; i++)
		add(&set, block(1 + i % 3, i % 7, i * 7919 % 20000, 1));
	assert_int_equal(set.n, 20000);
	for (uint32_t i = 0; i < 20000; i++) {
		struct exposure_block b =
			block(1 + i % 3, i % 7, i * 7919 % 20000, 0);

		assert_int_equal(exposure_mask(&set, &b), 1ULL << i % 64 | 1);
	}
	assert_int_equal(exposure_fresh(&set, &none, &fresh, &n), 0);
	assert_int_equal(n, 20000);
	for (size_t i = 1; i < n; i++)
		assert_true(fresh[i - 1].origin < fresh[i].origin ||
			    fresh[i - 1].record < fresh[i].record ||
			    fresh[i - 1].first < fresh[i].first);
	free(fresh);
	exposure_release(&set);
}

struct runs {
	uint64_t at[8];
	size_t n;
};

static int take_run(uint64_t first, uint64_t last, void *arg)
{
	struct runs *runs = arg;

	assert_true(runs->n + 2 <= 8);
	runs->at[runs->n++] = first;
	runs->at[runs->n++] = last;
	return 0;
}

static void runs_go_on_from_block_to_block(void **state)
{
	const struct exposure_block blocks[] = {
		block(1, 1, 0, 1ULL << 63 | 6), block(1, 1, 1, ~0ULL),
		block(1, 1, 2, 1), block(1, 1, 4, ~0ULL),
		block(1, 1, 9, 1ULL << 63)};
	static const uint64_t expected[] = {1, 2, 63, 128, 256, 319, 639, 639};
	struct runs runs = {0};

	(void)state;
	assert_int_equal(exposure_runs(blocks, 5, take_run, &runs), 0);
	assert_int_equal(runs.n, 8);
	assert_memory_equal(runs.at, expected, sizeof(expected));
	runs.n = 0;
	assert_int_equal(exposure_runs(blocks, 0, take_run, &runs), 0);
	assert_int_equal(runs.n, 0);
}

static void names_are_those_of_the_labels(void **state)
{
	char dir[] = "/tmp/test_exposure.XXXXXX", path[3][64], elsewhere[64];
	struct record_names names = {0};
	struct record_label label;
	const char *found;
	struct stat st;
	size_t len;

	(void)state;
	assert_non_null(mkdtemp(dir));
	for (uint32_t i = 0; i < 3; i++) {
		FILE *file;

		(void)snprintf(path[i], sizeof(path[i]), "%s/%u.jpg", dir, i);
		file = fopen(path[i], "w");
		assert_non_null(file);
		(void)fclose(file);
		assert_int_equal(stat(path[i], &st), 0);
		label.ino = st.st_ino;
		label.dev = major(st.st_dev) << 20 | minor(st.st_dev);
		label.record = 10 - i;
		/* The last one has no label, and another device its number. */
		if (i == 2)
			label.dev++;
		if (i != 2)
			assert_int_equal(record_names_label(&names, &label), 0);
		label.dev++;
		label.record = 50 + i;
		if (i == 0)
			assert_int_equal(record_names_label(&names, &label), 0);
	}
	(void)snprintf(elsewhere, sizeof(elsewhere), "%s/link", dir);
	assert_int_equal(symlink(path[2], elsewhere), 0);
	record_names_labelled(&names);
	assert_int_equal(record_names_walk(&names, dir), 0);
	record_names_done(&names);
	assert_int_equal(names.n, 2);
	for (uint32_t i = 0; i < 2; i++) {
		found = record_names_find(&names, 10 - i, &len);
		assert_non_null(found);
		assert_int_equal(len, strlen(path[i]));
		assert_memory_equal(found, path[i], len);
	}
	assert_null(record_names_find(&names, 50, &len));
	assert_null(record_names_find(&names, 8, &len));
	record_names_release(&names);
	(void)unlink(elsewhere);
	for (uint32_t i = 0; i < 3; i++)
		(void)unlink(path[i]);
	(void)rmdir(dir);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(fresh_is_what_was_not_there_before),
		cmocka_unit_test(set_keeps_all_when_it_grows),
		cmocka_unit_test(runs_go_on_from_block_to_block),
		cmocka_unit_test(names_are_those_of_the_labels),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
