// SPDX-License-Identifier: GPL-2.0-only
/*
 * What files carry over a reboot: it is read as it was written, whole or not at
 * all, and no place in it is beyond its array.
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
#include <unistd.h>

#include "kept.h"
#include "state.h"

static char dir[64], path[128], old[160];

static void fill(struct kept *kept)
{
	kept->fs = calloc(kept->n_fs = 2, sizeof(*kept->fs));
	kept->datasets = calloc(kept->n_datasets = 1, sizeof(*kept->datasets));
	kept->origins = calloc(kept->n_origins = 2, sizeof(*kept->origins));
	kept->holdings = calloc(kept->n_holdings = 2, sizeof(*kept->holdings));
	kept->files = calloc(kept->n_files = 3, sizeof(*kept->files));
	assert_true(kept->fs && kept->datasets && kept->origins &&
		    kept->holdings && kept->files);
	(void)strcpy(kept->fs[1].place, "/srv");
	kept->fs[1].fsid = 77;
	kept->datasets[0].id = 3;
	(void)strcpy(kept->datasets[0].name, "photos");
	kept->origins[1].dataset = 3;
	kept->origins[1].read_records = 5;
	kept->holdings[0].shares[0] = (struct share){
		.origin = 2, .dataset = 3, .records = 4, .bytes = 12000};
	kept->holdings[1].shares[0].origin = CORDON_ORIGIN_FOLDED;
	kept->files[2] = (struct kept_file){.ino = 9, .fs = 1, .holding = 1};
}

static int again(struct kept *kept, struct kept *ret_read)
{
	char why[256] = "";
	int r;

	assert_int_equal(kept_write(kept, path), 0);
	r = kept_read(path, ret_read, why, sizeof(why));
	assert_true(!r || why[0]);
	return r;
}

static void kept_is_the_same_when_read_again(void **unused)
{
	struct kept kept = {0}, read = {0};

	(void)unused;
	fill(&kept);
	assert_int_equal(again(&kept, &read), 0);
	assert_int_equal(read.n_fs, 2);
	assert_int_equal(read.n_files, 3);
	assert_memory_equal(read.fs, kept.fs, 2 * sizeof(*kept.fs));
	assert_memory_equal(read.datasets, kept.datasets,
			    sizeof(*kept.datasets));
	assert_memory_equal(read.origins, kept.origins,
			    2 * sizeof(*kept.origins));
	assert_memory_equal(read.holdings, kept.holdings,
			    2 * sizeof(*kept.holdings));
	assert_memory_equal(read.files, kept.files, 3 * sizeof(*kept.files));
	kept_release(&read);
	kept_release(&kept);
	/* Nothing at all is something too. */
	assert_int_equal(again(&kept, &read), 0);
	assert_int_equal(read.n_files, 0);
	kept_release(&read);
}

static void kept_is_refused_when_cut_or_changed(void **unused)
{
	struct kept kept = {0}, read = {0};
	char why[256], *bytes;
	size_t len, i;

	(void)unused;
	fill(&kept);
	assert_int_equal(kept_write(&kept, path), 0);
	assert_int_equal(state_get(path, KEPT_FILE_BYTES_MAX, &bytes, &len), 0);
	for (i = 0; i < len; i += 7) {
		assert_int_equal(state_put(path, bytes, i), 0);
		assert_int_equal(kept_read(path, &read, why, sizeof(why)),
				 -EUCLEAN);
		bytes[i] ^= 1;
		assert_int_equal(state_put(path, bytes, len), 0);
		assert_int_equal(kept_read(path, &read, why, sizeof(why)),
				 -EUCLEAN);
		bytes[i] ^= 1;
	}
	assert_null(read.files);
	free(bytes);
	kept_release(&kept);
	assert_int_equal(unlink(path), 0);
	assert_int_equal(kept_read(path, &read, why, sizeof(why)), -ENOENT);
}

static void kept_is_refused_when_a_place_is_not_there(void **unused)
{
	struct kept kept = {0}, read = {0};

	(void)unused;
	fill(&kept);
	kept.files[1].fs = 2;
	assert_int_equal(again(&kept, &read), -EUCLEAN);
	kept.files[1].fs = 0;
	kept.files[1].holding = 2;
	assert_int_equal(again(&kept, &read), -EUCLEAN);
	kept.files[1].holding = 0;
	kept.holdings[1].shares[7].origin = 3;
	assert_int_equal(again(&kept, &read), -EUCLEAN);
	kept.holdings[1].shares[7].origin = 0;
	kept.holdings[1].shares[7].dataset = CORDON_DATASETS;
	assert_int_equal(again(&kept, &read), -EUCLEAN);
	kept.holdings[1].shares[7].dataset = 0;
	kept.origins[0].dataset = CORDON_DATASETS;
	assert_int_equal(again(&kept, &read), -EUCLEAN);
	kept.origins[0].dataset = 0;
	kept.datasets[0].id = 0;
	assert_int_equal(again(&kept, &read), -EUCLEAN);
	kept.datasets[0].id = 3;
	memset(kept.fs[0].place, 'x', sizeof(kept.fs[0].place));
	assert_int_equal(again(&kept, &read), -EUCLEAN);
	kept.fs[0].place[0] = '\0';
	assert_int_equal(again(&kept, &read), 0);
	kept_release(&read);
	kept_release(&kept);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(kept_is_the_same_when_read_again),
		cmocka_unit_test(kept_is_refused_when_cut_or_changed),
		cmocka_unit_test(kept_is_refused_when_a_place_is_not_there),
	};
	int r;

	(void)strcpy(dir, "/tmp/cordon-kept-XXXXXX");
	if (!mkdtemp(dir))
		return 1;
	(void)snprintf(path, sizeof(path), "%s/files", dir);
	(void)snprintf(old, sizeof(old), "%s.old", path);
	r = cmocka_run_group_tests_name("kept", tests, NULL, NULL);
	(void)unlink(path);
	(void)unlink(old);
	(void)rmdir(dir);
	return r;
}
