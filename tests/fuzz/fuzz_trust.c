// SPDX-License-Identifier: GPL-2.0-only
/*
 * Fuzz target of trust anchors. What it asserts beyond "no crash": whoever is
 * trusted can reach the threshold, no key is there twice, and a refusal says
 * why.
 *
 * Known-bad modes: see fuzz_policy.c; here the issuer is "Fuzz Selftest" in the
 * seed called selftest*, and something else in a mutant.
 */
#include "fuzz.h"

#include "trust.h"

static void check_keys(const struct trust *trust)
{
	size_t able = 0;

	CHECK(trust->n <= TRUST_KEYS_MAX && trust->version);
	for (size_t i = 0; i < trust->n; i++) {
		able += !trust->keys[i].revoked;
		CHECK(strlen(trust->keys[i].name) <= POLICY_NAME_CHARS_MAX);
		for (size_t j = 0; j < i; j++)
			CHECK(memcmp(&trust->keys[i].public,
				     &trust->keys[j].public,
				     sizeof(trust->keys[j].public)) != 0);
	}
	CHECK(trust->threshold >= 1 && trust->threshold <= able);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct policy_errors errs;
	struct trust *trust = NULL;
	int r;

	r = trust_parse("fuzz", data, size, &trust, &errs);
	if (r) {
		CHECK(errs.n > 0);
		return 0;
	}
	check_keys(trust);
	fuzz_selftest(strcmp(trust->issuer, "Fuzz Selftest") == 0,
		      strcmp(trust->issuer, "Fuzz Selftest") != 0);
	trust_free(trust);
	return 0;
}
