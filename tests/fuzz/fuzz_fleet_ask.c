// SPDX-License-Identifier: GPL-2.0-only
/*
 * Fuzz target of asks, which nobody signs. What it asserts beyond "no crash":
 * nonce and hash are hexadecimal, and what was asked of this host is asked
 * again by an ask that is made of it.
 *
 * Known-bad modes: see fuzz_policy.c; here the force has seven lines in the
 * seed called selftest*, and more or fewer in a mutant.
 */
#include "fuzz.h"

#include "fleet_message_internal.h"

#include <errno.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char nonce[FLEET_NONCE_CHARS_MAX], again[FLEET_NONCE_CHARS_MAX], *text;
	struct fleet_have have, same;
	bool has = false, had = false;
	size_t len;
	int r;

	r = fleet_ask_open(data, size, "print-01", nonce, &have, &has);
	CHECK(!r || r == -EBADMSG || r == -EMSGSIZE);
	if (r)
		return 0;
	fuzz_selftest(has && have.seq == 7, has && have.seq != 7);
	CHECK(fleet_is_hex(nonce, FLEET_NONCE_CHARS_MAX - 1));
	CHECK(!has || fleet_is_hex(have.hash, SIGN_HASH_CHARS_MAX - 1));
	CHECK(fleet_ask_make(nonce, has ? &have : NULL, has, &text, &len) == 0);
	CHECK(fleet_ask_open(text, len, "print-01", again, &same, &had) == 0);
	CHECK(had == has && strcmp(again, nonce) == 0);
	CHECK(!has || (same.seq == have.seq && !strcmp(same.hash, have.hash)));
	free(text);
	return 0;
}
