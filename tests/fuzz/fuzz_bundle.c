// SPDX-License-Identifier: GPL-2.0-only
/*
 * Fuzz target of what the agent keeps for its next start, which somebody with
 * root's files may have changed: the policy with its signatures, and what it
 * remembers. What it asserts beyond "no crash": what was taken is bounded,
 * ended text, is signed by nobody here, and is the same once it is written and
 * read again.
 *
 * Known-bad modes: see fuzz_policy.c; here the policy begins with "selftest"
 * in the seed called selftest*, and with something else in a mutant.
 */
#include "fuzz.h"

#include "remember.h"
#include "trust.h"

static void check_again(const struct trust_bundle *bundle, uint64_t serial)
{
	json_t *json = trust_bundle_json(bundle);
	struct trust_bundle again = {0};
	uint64_t other = 0;
	char *text;

	CHECK(json);
	CHECK(!json_object_set_new(json, "cordon", json_integer(1)));
	CHECK(!json_object_set_new(json, "serial",
				   json_integer((json_int_t)serial)));
	text = json_dumps(json, JSON_COMPACT);
	CHECK(text);
	CHECK(trust_bundle_parse(text, strlen(text), &again, &other) == 0);
	CHECK(again.len == bundle->len && other == serial);
	CHECK(memcmp(again.bytes, bundle->bytes, bundle->len) == 0);
	CHECK(again.n <= bundle->n);
	trust_bundle_release(&again);
	json_decref(json);
	free(text);
}

static void try_bundle(const char *text, size_t size)
{
	static const struct trust nobody = {.threshold = 1, .issuer = ""};
	struct trust_bundle bundle = {0};
	struct trust_signers signers;
	uint64_t serial = 0;
	bool self;

	if (trust_bundle_parse(text, size, &bundle, &serial)) {
		CHECK(!bundle.bytes && !bundle.signatures && !serial);
		return;
	}
	CHECK(serial && bundle.n <= TRUST_SIGNATURES_MAX);
	CHECK(strlen(bundle.bytes) == bundle.len);
	for (size_t i = 0; i < bundle.n; i++)
		CHECK(strlen(bundle.signatures[i].file) <
			      TRUST_FILE_CHARS_MAX &&
		      strlen(bundle.signatures[i].text) < MINISIGN_TEXT_MAX);
	CHECK(!trust_check(&nobody, bundle.signatures, bundle.n, bundle.bytes,
			   bundle.len, &signers));
	check_again(&bundle, serial);
	self = strncmp(bundle.bytes, "selftest", 8) == 0;
	trust_bundle_release(&bundle);
	fuzz_selftest(self, !self);
}

static void try_remember(const char *text, size_t size)
{
	uint64_t serial, again;
	int64_t time_s, again_s;
	char *written;

	if (remember_parse(text, size, &serial, &time_s))
		return;
	CHECK(time_s >= 0 && time_s <= REMEMBER_TIME_MAX);
	written = remember_format(serial, time_s);
	CHECK(written);
	CHECK(remember_parse(written, strlen(written), &again, &again_s) == 0);
	CHECK(again == serial && again_s == time_s);
	free(written);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	CHECK(minisign_init() == 0);
	try_bundle((const char *)data, size);
	try_remember((const char *)data, size);
	return 0;
}
