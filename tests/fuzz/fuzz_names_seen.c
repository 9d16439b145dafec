// SPDX-License-Identifier: GPL-2.0-only
/*
 * Fuzz target of what comes in from port 53, which anybody can send. What it
 * asserts beyond "no crash": a name that was seen is printable and fits, and
 * what comes later takes nothing from a table that is not full.
 *
 * Known-bad modes: see fuzz_policy.c; here 203.0.113.9 is in the seed called
 * selftest*, and 203.0.113.7 in a mutant.
 */
#include "fuzz.h"

#include "names_seen.h"

static const char *name_of(const struct names_seen *seen, uint8_t last)
{
	const uint8_t addr[16] = {[10] = 0xff, [11] = 0xff, 203, 0, 113, last};
	const char *name = names_seen_find(seen, addr);

	for (size_t i = 0; name && name[i]; i++) {
		CHECK(i < NAMES_SEEN_CHARS_MAX);
		CHECK(name[i] >= ' ' && name[i] <= '~');
	}
	return name;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const uint8_t empty[64];
	struct names_seen *seen;
	bool known;

	CHECK(names_seen_new(&seen) == 0);
	names_seen_take(seen, data, size);
	known = name_of(seen, 9);
	fuzz_selftest(known, name_of(seen, 7));
	names_seen_take(seen, empty, sizeof(empty));
	CHECK(known == !!name_of(seen, 9));
	names_seen_free(seen);
	return 0;
}
