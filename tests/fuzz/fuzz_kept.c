// SPDX-License-Identifier: GPL-2.0-only
/*
 * Fuzz target of the file of what files carry, which a disk may have changed.
 * The sum at its end is put right first, or nothing behind it would be tried.
 * What it asserts beyond "no crash": every place is within its array, a refusal
 * says why, and what was taken is the same once it is written and read again.
 *
 * Known-bad modes: see fuzz_policy.c; here the first file's number is 7 in the
 * seed called selftest*, and something else in a mutant.
 */
#include "fuzz.h"

#include "kept.h"
#include "state.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <zlib.h>

static char dir[] = "cordon-fuzz-XXXXXX";
static char path[64], old[64];

static void clean_up(void)
{
	(void)unlink(path);
	(void)unlink(old);
	(void)rmdir(dir);
}

static void make_room(void)
{
	if (path[0])
		return;
	CHECK(mkdtemp(dir));
	(void)snprintf(path, sizeof(path), "%s/files", dir);
	(void)snprintf(old, sizeof(old), "%s/files.old", dir);
	CHECK(atexit(clean_up) == 0);
}

static void put_file(const uint8_t *data, size_t size)
{
	uint8_t *bytes = malloc(size + 1);
	uint32_t crc;

	CHECK(bytes);
	memcpy(bytes, data, size);
	if (size >= sizeof(crc)) {
		crc = (uint32_t)crc32_z(0, bytes, size - sizeof(crc));
		memcpy(bytes + size - sizeof(crc), &crc, sizeof(crc));
	}
	CHECK(state_put(path, bytes, size) == 0);
	free(bytes);
}

static void check_again(const struct kept *kept)
{
	struct kept again = {0};
	char why[256] = "";

	CHECK(kept_write(kept, path) == 0);
	CHECK(kept_read(path, &again, why, sizeof(why)) == 0);
	CHECK(again.n_files == kept->n_files && again.n_fs == kept->n_fs);
	if (kept->n_files)
		CHECK(memcmp(again.files, kept->files,
			     kept->n_files * sizeof(*kept->files)) == 0);
	kept_release(&again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct kept kept = {0};
	char why[256] = "";
	int r;

	make_room();
	put_file(data, size);
	r = kept_read(path, &kept, why, sizeof(why));
	if (r) {
		CHECK(r == -EUCLEAN || r == -ENOMEM);
		CHECK(why[0] != '\0' && memchr(why, '\0', sizeof(why)));
		CHECK(!kept.files && !kept.n_files);
		return 0;
	}
	if (kept.n_files)
		fuzz_selftest(kept.files[0].ino == 7, kept.files[0].ino != 7);
	for (uint32_t i = 0; i < kept.n_files; i++)
		CHECK(kept.files[i].fs < kept.n_fs &&
		      kept.files[i].holding < kept.n_holdings);
	check_again(&kept);
	kept_release(&kept);
	return 0;
}
