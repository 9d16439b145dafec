// SPDX-License-Identifier: GPL-2.0-only
/*
 * Fuzz target of policy messages, whose signatures are checked later. What it
 * asserts beyond "no crash": a policy has a serial, no more than the most
 * signatures, names of files that are clean; and made again it is the same.
 *
 * Known-bad modes: see fuzz_policy.c; here the serial is 7 in the seed called
 * selftest*, and another in a mutant.
 */
#include "fuzz.h"

#include "fleet_message_internal.h"
#include "text.h"

#include <errno.h>

static void check_bundle(const struct trust_bundle *bundle)
{
	const struct trust_signature *at = bundle->signatures;

	CHECK(bundle->n <= TRUST_SIGNATURES_MAX);
	CHECK(!bundle->bytes || ((char *)bundle->bytes)[bundle->len] == '\0');
	for (size_t i = 0; i < bundle->n; i++) {
		CHECK(memchr(at[i].text, '\0', sizeof(at[i].text)));
		CHECK(text_is_clean(at[i].file, strlen(at[i].file), ""));
	}
}

static void check_same(const struct trust_bundle *a,
		       const struct trust_bundle *b)
{
	size_t good = 0;

	CHECK(!a->bytes == !b->bytes && a->len == b->len);
	CHECK(!a->len || memcmp(a->bytes, b->bytes, a->len) == 0);
	for (size_t i = 0; i < a->n; i++)
		good += !a->signatures[i].error;
	CHECK(b->n == good);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct fleet_policy policy, again;
	size_t len;
	char *text;
	int r;

	r = fleet_policy_open(data, size, FLEET_POLICY_BYTES_MAX, &policy);
	CHECK(!r || r == -EBADMSG);
	if (r)
		return 0;
	fuzz_selftest(policy.serial == 7, policy.serial != 7);
	CHECK(!policy.policy.bytes == !policy.serial);
	check_bundle(&policy.policy);
	CHECK(policy.n_trust <= FLEET_TRUST_MAX);
	for (size_t i = 0; i < policy.n_trust; i++) {
		check_bundle(&policy.trust[i].bundle);
		CHECK(policy.trust[i].version >
		      (i ? policy.trust[i - 1].version : 0));
	}
	check_bundle(&policy.act);
	/* What JSON escapes can take more room than what it was. */
	CHECK(fleet_policy_make(&policy, SIZE_MAX, &text, &len) == 0);
	CHECK(fleet_policy_open(text, len, len, &again) == 0);
	CHECK(again.serial == policy.serial);
	check_same(&policy.policy, &again.policy);
	CHECK(policy.n_trust == again.n_trust);
	for (size_t i = 0; i < policy.n_trust; i++) {
		CHECK(policy.trust[i].version == again.trust[i].version);
		check_same(&policy.trust[i].bundle, &again.trust[i].bundle);
	}
	check_same(&policy.act, &again.act);
	free(text);
	fleet_policy_release(&again);
	fleet_policy_release(&policy);
	return 0;
}
