// SPDX-License-Identifier: GPL-2.0-only
/*
 * Fuzz target of attestations: what a host signs and seals, and what somebody
 * sends who has no key. What it asserts beyond "no crash": nothing is taken of
 * the latter; texts are clean, hashes are hashes; and made again it is the
 * same.
 *
 * Known-bad modes: see fuzz_policy.c; here seven incidents are open in the seed
 * called selftest*, and more or fewer in a mutant.
 */
#include "fleet.h"

#include "text.h"

static bool is_clean(const char *text)
{
	return text_is_clean(text, strlen(text), "");
}

static void check_attest(const struct fleet_attest *attest)
{
	struct fleet_attest again;
	size_t len;
	void *box;

	CHECK(strcmp(attest->host, "print-01") == 0);
	CHECK(fleet_is_hex(attest->nonce, FLEET_NONCE_CHARS_MAX - 1));
	CHECK(strlen(attest->policy_sha256) % 64 == 0);
	CHECK(strlen(attest->trust_sha256) % 64 == 0);
	CHECK(is_clean(attest->mode) && is_clean(attest->attached));
	CHECK(is_clean(attest->kernel) && is_clean(attest->version));
	CHECK(is_clean(attest->health) && is_clean(attest->problem));
	CHECK(strlen(attest->lifted_sha256) % 64 == 0);
	CHECK(attest->lifted_until_s > 0 ||
	      (!attest->lifted_until_s && !attest->lifted_sha256[0]));
	CHECK(attest->time_s >= 0 && attest->policy_serial <= INT64_MAX);
	CHECK(fleet_attest_make(&host, &force.public, attest, &box, &len) == 0);
	CHECK(fleet_attest_open(&force, &host.public, "print-01", box, len,
				&again) == 0);
	CHECK(memcmp(&again, attest, sizeof(again)) == 0);
	free(box);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct fleet_attest attest;
	size_t len;
	void *box;
	int r;

	load_keys();
	r = fleet_attest_open(&force, &host.public, "print-01", data, size,
			      &attest);
	CHECK(r == -EBADMSG || r == -EMSGSIZE);
	box = close_body(data, size, FLEET_ATTEST_DOMAIN, &len);
	r = fleet_attest_open(&force, &host.public, "print-01", box, len,
			      &attest);
	free(box);
	CHECK(!r || r == -EBADMSG || r == -EMSGSIZE || r == -EXDEV);
	if (r)
		return 0;
	fuzz_selftest(attest.incidents_open == 7, attest.incidents_open != 7);
	check_attest(&attest);
	return 0;
}
