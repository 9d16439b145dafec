// SPDX-License-Identifier: GPL-2.0-only
/*
 * Fuzz target of what minisign writes: a signature, a public key, and a secret
 * one without a password. What it asserts beyond "no crash": what was
 * taken for a signature is ended text, and signs nothing that it was not made
 * for; a key comes back as it was once it is written and read again.
 *
 * Known-bad modes: see fuzz_policy.c; here the seed called selftest* is a
 * signature with the comment "selftest", and a mutant one with another.
 */
#include "fuzz.h"

#include "minisign.h"

static void try_signature(const char *text, size_t size)
{
	static const struct minisign_public nobody;
	struct minisign_signature signature;

	if (minisign_signature_parse(text, size, &signature))
		return;
	CHECK(strlen(signature.comment) < MINISIGN_COMMENT_MAX);
	CHECK(!minisign_check(&nobody, &signature, text, size));
	fuzz_selftest(strcmp(signature.comment, "selftest") == 0,
		      strcmp(signature.comment, "selftest") != 0);
}

static void try_public(const char *text)
{
	struct minisign_public public, again;
	char formatted[MINISIGN_PUBLIC_MAX];

	if (minisign_public_parse(text, &public))
		return;
	minisign_public_format(&public, formatted);
	CHECK(minisign_public_parse(formatted, &again) == 0);
	CHECK(memcmp(&public, &again, sizeof(public)) == 0);
}

static void try_secret(const char *text, size_t size)
{
	struct minisign_key key, again;
	char formatted[MINISIGN_TEXT_MAX];

	/* With one it would take a second. */
	if (minisign_key_locked(text, size) ||
	    minisign_key_unlock(text, size, "", &key))
		return;
	CHECK(minisign_key_lock(&key, "", formatted) == 0);
	CHECK(minisign_key_unlock(formatted, strlen(formatted), "", &again) ==
	      0);
	CHECK(memcmp(&key, &again, sizeof(key)) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text = malloc(size + 1);

	CHECK(text && minisign_init() == 0);
	memcpy(text, data, size);
	text[size] = '\0';
	try_signature(text, size);
	try_public(text);
	try_secret(text, size);
	free(text);
	return 0;
}
