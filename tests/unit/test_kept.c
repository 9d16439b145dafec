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
#include <zlib.h>

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
	kept->holdings[1].unclean = 1;
	kept->files[2] = (struct kept_file){
		.ino = 9, .fs = 1, .holding = 1, .mapped = 1};
	kept->saved_ns = 1790000000000000007;
	kept->open = 1;
	(void)strcpy(kept->boot, "0c2fe1a4-5c27-4f1e-9a52-0d3a4e7b6c11");
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
	assert_int_equal(read.saved_ns, kept.saved_ns);
	assert_int_equal(read.open, 1);
	assert_string_equal(read.boot, kept.boot);
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
	assert_int_equal(read.open, 0);
	assert_string_equal(read.boot, "");
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
	kept.holdings[0].unclean = 2;
	assert_int_equal(again(&kept, &read), -EUCLEAN);
	kept.holdings[0].unclean = 0;
	kept.files[0].mapped = 2;
	assert_int_equal(again(&kept, &read), -EUCLEAN);
	kept.files[0].mapped = 0;
	kept.open = 2;
	assert_int_equal(again(&kept, &read), -EUCLEAN);
	kept.open = 1;
	memset(kept.boot, 'x', sizeof(kept.boot));
	assert_int_equal(again(&kept, &read), -EUCLEAN);
	memset(kept.boot, 0, sizeof(kept.boot));
	assert_int_equal(again(&kept, &read), 0);
	kept_release(&read);
	kept_release(&kept);
}

/* A format before this one had no such head. */
static void kept_is_refused_when_it_is_of_a_format_before(void **unused)
{
	struct kept kept = {0}, read = {0};
	char why[256], *bytes;
	uint32_t crc;
	size_t len;

	(void)unused;
	fill(&kept);
	assert_int_equal(kept_write(&kept, path), 0);
	kept_release(&kept);
	assert_int_equal(state_get(path, KEPT_FILE_BYTES_MAX, &bytes, &len), 0);
	bytes[7] = '1';
	crc = (uint32_t)crc32_z(0, (unsigned char *)bytes, len - sizeof(crc));
	memcpy(bytes + len - sizeof(crc), &crc, sizeof(crc));
	assert_int_equal(state_put(path, bytes, len), 0);
	free(bytes);
	assert_int_equal(kept_read(path, &read, why, sizeof(why)), -EUCLEAN);
	assert_null(read.files);
}

static void times_count_as_changed_when_they_are_near_the_save(void **unused)
{
	const uint64_t s = 1000000000;
	struct kept kept = {.saved_ns = 1790000000 * s};
	uint64_t since, mapped;

	(void)unused;
	kept_since(&kept, kept.saved_ns + s, &since, &mapped);
	/* What changed at the save was written before it, or after. */
	assert_true(since < kept.saved_ns && since > kept.saved_ns - 10 * s);
	/* Who has a page writes to it with an older time. */
	assert_true(mapped < kept.saved_ns - 60 * s);
	assert_true(mapped > kept.saved_ns - 3600 * s);
}

static void all_counts_as_changed_when_the_clock_is_behind(void **unused)
{
	const uint64_t s = 1000000000;
	struct kept kept = {.saved_ns = 1790000000 * s};
	uint64_t since = 1, mapped = 1;

	(void)unused;
	kept_since(&kept, kept.saved_ns - 3600 * s, &since, &mapped);
	assert_int_equal(since, 0);
	assert_int_equal(mapped, 0);
	kept.saved_ns = s;
	since = mapped = 1;
	kept_since(&kept, 2 * s, &since, &mapped);
	assert_int_equal(since, 0);
	assert_int_equal(mapped, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(kept_is_the_same_when_read_again),
		cmocka_unit_test(kept_is_refused_when_cut_or_changed),
		cmocka_unit_test(kept_is_refused_when_a_place_is_not_there),
		cmocka_unit_test(kept_is_refused_when_it_is_of_a_format_before),
		cmocka_unit_test(
			times_count_as_changed_when_they_are_near_the_save),
		cmocka_unit_test(
			all_counts_as_changed_when_the_clock_is_behind),
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
