// SPDX-License-Identifier: GPL-2.0-only
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "minisign.h"
#include "state.h"
#include "trust.h"

#define PEOPLE 4

static const char *const names[PEOPLE] = {"alice", "bob", "carol", "dave"};
static struct minisign_key people[PEOPLE];
static struct policy_errors errs;

/* What was signed, in most tests. */
static const char bytes[] = "cordon: 1\nserial: 42\n";
#define LEN (sizeof(bytes) - 1)

static int make_people(void **state)
{
	(void)state;
	if (minisign_init())
		return -1;
	for (int i = 0; i < PEOPLE; i++)
		minisign_key_new(&people[i]);
	return 0;
}

/* ---- trust anchors ------------------------------------------------------- */

struct anchors {
	uint64_t version;
	unsigned int threshold;
	const char *issuer;
	unsigned int keys;    /* bit of each */
	unsigned int revoked; /* likewise */
};

static void put_keys(char *text, size_t size, const char *what,
		     unsigned int which)
{
	char key[MINISIGN_PUBLIC_MAX];
	size_t len = strlen(text);

	if (which)
		len += (size_t)snprintf(text + len, size - len, "%s:\n", what);
	for (int i = 0; i < PEOPLE; i++) {
		if (!(which & 1U << i))
			continue;
		minisign_public_format(&people[i].public, key);
		len += (size_t)snprintf(text + len, size - len, "  %s: %s\n",
					names[i], key);
	}
}

static void write_anchors(const struct anchors *anchors, char *text,
			  size_t size)
{
	(void)snprintf(text, size,
		       "cordon-trust: 1\nissuer: %s\nversion: %d\n"
		       "threshold: %u\n",
		       anchors->issuer, (int)anchors->version,
		       anchors->threshold);
	put_keys(text, size, "keys", anchors->keys);
	put_keys(text, size, "revoked", anchors->revoked);
}

static struct trust *trust_of(const struct anchors *anchors)
{
	struct trust *trust = NULL;
	char text[4096];

	write_anchors(anchors, text, sizeof(text));
	assert_int_equal(trust_parse("t", text, strlen(text), &trust, &errs),
			 0);
	return trust;
}

/* Two of three, and dave is out. */
static struct trust *two_of_three(void)
{
	return trust_of(&(struct anchors){1, 2, "Police", 7, 8});
}

static void anchors_are_read_as_they_stand(void **state)
{
	struct trust *trust = two_of_three();

	(void)state;
	assert_int_equal(trust->version, 1);
	assert_int_equal(trust->threshold, 2);
	assert_string_equal(trust->issuer, "Police");
	assert_int_equal(trust->n, 4);
	assert_string_equal(trust->keys[1].name, "bob");
	assert_false(trust->keys[2].revoked);
	assert_true(trust->keys[3].revoked);
	assert_memory_equal(&trust->keys[0].public, &people[0].public,
			    sizeof(people[0].public));
	assert_int_equal(strlen(trust->sha256), 64);
	trust_free(trust);
}

static void bad_anchors_are_refused_where_they_are_bad(void **state)
{
	static const struct {
		const char *text, *error;
	} cases[] = {
		{"cordon: 1\n", "found a policy, expected trust anchors"},
		{"cordon-trust: 2\nissuer: P\nversion: 1\nthreshold: 1\n"
		 "keys: {a: KEY0}\n",
		 "t:1:15: "},
		{"cordon-trust: 1\nissuer: P\nthreshold: 1\nkeys: {a: KEY0}\n",
		 "key \"version\" is missing"},
		{"cordon-trust: 1\nissuer: P\nversion: 1\nthreshold: 0\n"
		 "keys: {a: KEY0}\n",
		 "t:4:12: "},
		{"cordon-trust: 1\nissuer: P\nversion: 1\nthreshold: 2\n"
		 "keys: {a: KEY0}\nrevoked: {b: KEY1}\n",
		 "threshold 2 of 1 key"},
		{"cordon-trust: 1\nissuer: P\nversion: 1\nthreshold: 1\n"
		 "keys: {a: KEY0, b: KEY0}\n",
		 "this is the key of \"a\""},
		{"cordon-trust: 1\nissuer: P\nversion: 1\nthreshold: 1\n"
		 "keys: {a: KEY0}\nrevoked: {b: KEY0}\n",
		 "this is the key of \"a\""},
		{"cordon-trust: 1\nissuer: P\nversion: 1\nthreshold: 1\n"
		 "keys: {a: KEY0}\nrevoked: {a: KEY1}\n",
		 "is already defined in line 5"},
		{"cordon-trust: 1\nissuer: P\nversion: 1\nthreshold: 1\n"
		 "keys: {a: RWQx}\n",
		 "is no public key of minisign"},
		{"cordon-trust: 1\nissuer: P\nversion: 1\nthreshold: 1\n"
		 "keys: {a: KEY0}\nversion: 2\n",
		 "t:6:1: "},
		{"cordon-trust: &a 1\nissuer: P\nversion: *a\nthreshold: 1\n"
		 "keys: {a: KEY0}\n",
		 "t:1:"},
	};
	char text[1024], key[MINISIGN_PUBLIC_MAX], *at;
	struct trust *trust = NULL;

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		(void)snprintf(text, sizeof(text), "%s", cases[i].text);
		while ((at = strstr(text, "KEY"))) {
			char rest[1024];

			minisign_public_format(&people[at[3] - '0'].public,
					       key);
			(void)snprintf(rest, sizeof(rest), "%s", at + 4);
			(void)snprintf(at, sizeof(text) - (size_t)(at - text),
				       "%s%s", key, rest);
		}
		assert_int_equal(
			trust_parse("t", text, strlen(text), &trust, &errs),
			-EINVAL);
		assert_true(errs.n > 0);
		if (!strstr(errs.v[0].text, cases[i].error))
			fail_msg("%s: got %s", cases[i].text, errs.v[0].text);
	}
	assert_int_equal(
		trust_parse("t", text, TRUST_FILE_BYTES_MAX + 1, &trust, &errs),
		-E2BIG);
}

/* ---- signatures ---------------------------------------------------------- */

static struct trust_signature signed_by(int who, const void *what, size_t len)
{
	struct trust_signature signature = {0};
	char text[MINISIGN_TEXT_MAX];

	(void)snprintf(signature.file, sizeof(signature.file), "p.%s.minisig",
		       names[who]);
	assert_int_equal(minisign_make(&people[who], what, len, "c", text), 0);
	signature.error = minisign_signature_parse(text, strlen(text),
						   &signature.signature);
	return signature;
}

static void as_many_different_keys_as_the_threshold_are_enough(void **state)
{
	struct trust_signature all[4];
	struct trust *trust = two_of_three();
	struct trust_signers signers;
	char words[TRUST_WORDS_MAX];

	(void)state;
	for (int i = 0; i < 4; i++)
		all[i] = signed_by(i, bytes, LEN);
	assert_true(trust_check(trust, all, 2, bytes, LEN, &signers));
	assert_int_equal(signers.good, 2);
	assert_true(trust_check(trust, all + 1, 2, bytes, LEN, &signers));
	assert_false(trust_check(trust, all, 1, bytes, LEN, &signers));
	trust_words(trust, all, &signers, words, sizeof(words));
	assert_string_equal(words, "1 of 2 signatures; 2 of the keys of "
				   "Police have to sign it; signed by alice");
	assert_false(trust_check(trust, all, 0, bytes, LEN, &signers));
	trust_words(trust, all, &signers, words, sizeof(words));
	assert_non_null(strstr(words, "not signed"));
	/* Who is revoked, and one: not two. */
	assert_false(trust_check(trust, all + 2, 2, bytes, LEN, &signers));
	assert_int_equal(signers.at[1].found, TRUST_REVOKED);
	trust_words(trust, all + 2, &signers, words, sizeof(words));
	assert_non_null(strstr(words, "the key of dave is revoked"));
	trust_free(trust);
}

static void same_key_twice_counts_once(void **state)
{
	struct trust *trust = two_of_three();
	const struct trust_signature twice[] = {signed_by(0, bytes, LEN),
						signed_by(0, bytes, LEN)};
	struct trust_signers signers;

	(void)state;
	assert_false(trust_check(trust, twice, 2, bytes, LEN, &signers));
	assert_int_equal(signers.good, 1);
	assert_int_equal(signers.at[1].found, TRUST_AGAIN);
	trust_free(trust);
}

static void unknown_key_counts_nothing(void **state)
{
	struct trust *trust = trust_of(&(struct anchors){1, 1, "P", 1, 0});
	const struct trust_signature other = signed_by(1, bytes, LEN);
	struct trust_signers signers;

	(void)state;
	assert_false(trust_check(trust, &other, 1, bytes, LEN, &signers));
	assert_int_equal(signers.at[0].found, TRUST_UNKNOWN);
	assert_null(signers.at[0].key);
	trust_free(trust);
}

/* Nobody can take another one's number and sign with a key of their own. */
static void number_of_a_key_is_no_proof(void **state)
{
	struct trust *trust = trust_of(&(struct anchors){1, 1, "P", 1, 0});
	struct trust_signature other = signed_by(1, bytes, LEN);
	struct trust_signers signers;

	(void)state;
	memcpy(other.signature.id, people[0].public.id,
	       sizeof(other.signature.id));
	assert_false(trust_check(trust, &other, 1, bytes, LEN, &signers));
	assert_int_equal(signers.at[0].found, TRUST_FORGED);
	trust_free(trust);
}

static void any_changed_byte_is_found(void **state)
{
	struct trust *trust = trust_of(&(struct anchors){1, 1, "P", 1, 0});
	const struct trust_signature good = signed_by(0, bytes, LEN);
	struct trust_signers signers;
	char changed[sizeof(bytes) + 1];

	(void)state;
	for (size_t i = 0; i < LEN; i++) {
		memcpy(changed, bytes, sizeof(bytes));
		changed[i] ^= 1;
		assert_false(
			trust_check(trust, &good, 1, changed, LEN, &signers));
		assert_int_equal(signers.at[0].found, TRUST_FORGED);
	}
	assert_false(trust_check(trust, &good, 1, bytes, LEN - 1, &signers));
	memcpy(changed, bytes, LEN);
	changed[LEN] = '\n';
	assert_false(trust_check(trust, &good, 1, changed, LEN + 1, &signers));
	assert_true(trust_check(trust, &good, 1, bytes, LEN, &signers));
	trust_free(trust);
}

/* Each changed bit of the file, in its comment too: it is signed. */
static void any_changed_byte_of_a_signature_is_found(void **state)
{
	struct trust *trust = trust_of(&(struct anchors){1, 1, "P", 1, 0});
	char text[MINISIGN_TEXT_MAX], changed[MINISIGN_TEXT_MAX];
	struct trust_signature signature = {0};
	struct trust_signers signers;
	size_t len, first;

	(void)state;
	assert_int_equal(minisign_make(&people[0], bytes, LEN, "c", text), 0);
	len = strlen(text);
	/* What is in front of it is untrusted: its words may be others. */
	first = strcspn(text, "\n");
	for (size_t i = 0; i < len; i++) {
		memcpy(changed, text, len + 1);
		changed[i] ^= 1;
		signature.error = minisign_signature_parse(
			changed, len, &signature.signature);
		if (i < first && !signature.error)
			continue;
		if (trust_check(trust, &signature, 1, bytes, LEN, &signers))
			fail_msg("byte %zu", i);
	}
	/* And nothing is behind it. */
	changed[len] = 'x';
	for (size_t n = 0; n <= len + 1; n++) {
		memcpy(changed, text, len);
		signature.error = minisign_signature_parse(
			changed, n, &signature.signature);
		/* The end of the last line may be left out. */
		assert_int_equal(signature.error == 0,
				 n == len || n == len - 1);
	}
	trust_free(trust);
}

static void old_signatures_are_told_apart(void **state)
{
	/* minisign -S -l: of the file itself, not of its hash. */
	static const char old[] = "untrusted comment: x\n"
				  "RWTEBHDkhFMQWBJDfBNmX2xU1jSpBDUqmXtVxGPPOcLy"
				  "zHRiTd9dzKPVNLAIeN0"
				  "AbpJFvdRl6xQdAE5vaL7DU3KQLkaLGfKnKQU=\n"
				  "trusted comment: x\n"
				  "nSzqmyiELVvGPG6SV6KzJ5yTBYeOGCuKBuZfrPwkbH7S"
				  "dUNCnDBvzpzrA6XGm0m"
				  "fBrBBDqJ1tQqpLIVmcgWqDQ==\n";
	struct minisign_signature signature;

	(void)state;
	assert_int_equal(
		minisign_signature_parse(old, sizeof(old) - 1, &signature),
		-ENOTSUP);
}

/* It is signed, but a terminal does what it says, and JSON does not have it. */
static void comment_that_steers_a_terminal_is_none(void **state)
{
	static const char *const bad[] = {"a\33[2J", "a\x9b", "m\xfcller",
					  "a\177", "\xe2\x80\xaegood"};
	struct minisign_signature signature;
	char text[MINISIGN_TEXT_MAX], changed[2 * MINISIGN_TEXT_MAX];
	const char *rest;

	(void)state;
	assert_int_equal(minisign_make(&people[0], bytes, LEN, "c", text), 0);
	rest = strchr(text, '\n');
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		(void)snprintf(changed, sizeof(changed),
			       "untrusted comment: %s%s", bad[i], rest);
		assert_int_equal(minisign_signature_parse(
					 changed, strlen(changed), &signature),
				 -EINVAL);
	}
	(void)snprintf(changed, sizeof(changed), "untrusted comment: %s%s",
		       "file:p\thashed m\xc3\xbcller", rest);
	assert_int_equal(
		minisign_signature_parse(changed, strlen(changed), &signature),
		0);
}

/* ---- keys ---------------------------------------------------------------- */

static void key_comes_back_without_a_password(void **state)
{
	char text[MINISIGN_TEXT_MAX];
	struct minisign_key key;

	(void)state;
	assert_int_equal(minisign_key_lock(&people[0], "", text), 0);
	assert_false(minisign_key_locked(text, strlen(text)));
	assert_int_equal(minisign_key_unlock(text, strlen(text), "", &key), 0);
	assert_memory_equal(&key, &people[0], sizeof(key));
	text[strlen(text) - 2] = '\0';
	assert_int_equal(minisign_key_unlock(text, strlen(text), "", &key),
			 -EINVAL);
}

static void comment_is_one_line(void **state)
{
	char text[MINISIGN_TEXT_MAX], comment[MINISIGN_COMMENT_MAX + 1];

	(void)state;
	memset(comment, 'c', sizeof(comment));
	comment[MINISIGN_COMMENT_MAX] = '\0';
	assert_int_equal(minisign_make(&people[0], bytes, LEN, comment, text),
			 -EINVAL);
	comment[MINISIGN_COMMENT_MAX - 1] = '\0';
	assert_int_equal(minisign_make(&people[0], bytes, LEN, comment, text),
			 0);
	assert_int_equal(minisign_make(&people[0], bytes, LEN, "a\nb", text),
			 -EINVAL);
}

/* ---- files --------------------------------------------------------------- */

struct folder {
	char path[64];
	char policy[96];
};

static void put(const struct folder *folder, const char *name, const char *text)
{
	char path[160];

	(void)snprintf(path, sizeof(path), "%s/%s", folder->path, name);
	assert_int_equal(state_put(path, text, strlen(text)), 0);
}

static void make_folder(struct folder *folder)
{
	(void)strcpy(folder->path, "/tmp/cordon-trust-XXXXXX");
	assert_non_null(mkdtemp(folder->path));
	(void)snprintf(folder->policy, sizeof(folder->policy), "%s/p.yaml",
		       folder->path);
	put(folder, "p.yaml", bytes);
}

static void remove_folder(const struct folder *folder)
{
	char command[128];

	(void)snprintf(command, sizeof(command), "rm -rf '%s'", folder->path);
	assert_int_equal(system(command), 0);
}

static void signatures_are_found_beside_what_was_signed(void **state)
{
	struct trust_bundle bundle;
	struct folder folder;
	char text[MINISIGN_TEXT_MAX], path[160];

	(void)state;
	make_folder(&folder);
	assert_int_equal(minisign_make(&people[0], bytes, LEN, "c", text), 0);
	put(&folder, "p.yaml.minisig", text);
	put(&folder, "p.yaml.bob.minisig", text);
	put(&folder, "p.yaml.junk.minisig", "junk");
	put(&folder, "p.yamlx.minisig", text);
	put(&folder, "q.yaml.minisig", text);
	put(&folder, "p.yaml..minisig", text);
	put(&folder, "p.yaml.minisig.old", text);
	(void)snprintf(path, sizeof(path), "%s/p.yaml.link.minisig",
		       folder.path);
	assert_int_equal(symlink("p.yaml.minisig", path), 0);
	assert_int_equal(trust_bundle_read(folder.policy, &bundle, &errs), 0);
	assert_int_equal(bundle.len, LEN);
	assert_memory_equal(bundle.bytes, bytes, LEN);
	assert_int_equal(bundle.n, 4);
	assert_string_equal(bundle.signatures[0].file, "p.yaml.bob.minisig");
	assert_int_equal(bundle.signatures[0].error, 0);
	assert_int_equal(bundle.signatures[1].error, -EINVAL);
	assert_string_equal(bundle.signatures[2].file, "p.yaml.link.minisig");
	assert_int_not_equal(bundle.signatures[2].error, 0);
	assert_int_equal(bundle.signatures[3].error, 0);
	trust_bundle_release(&bundle);
	remove_folder(&folder);
}

static void too_many_signatures_are_refused(void **state)
{
	struct trust_bundle bundle;
	struct folder folder;
	char name[64];

	(void)state;
	make_folder(&folder);
	for (int i = 0; i <= TRUST_SIGNATURES_MAX; i++) {
		(void)snprintf(name, sizeof(name), "p.yaml.%d.minisig", i);
		put(&folder, name, "junk");
	}
	assert_int_equal(trust_bundle_read(folder.policy, &bundle, &errs),
			 -EFBIG);
	assert_int_equal(errs.n, 1);
	remove_folder(&folder);
}

/* ---- the next anchors ---------------------------------------------------- */

static const struct anchors old_anchors = {1, 2, "Police", 7, 0};

/* Those signed by `who', a bit of each; NULL: it may follow. */
static const char *why_not(const struct anchors *next, unsigned int who)
{
	static char words[TRUST_WORDS_MAX];
	struct trust_signature signatures[PEOPLE];
	struct trust_bundle bundle = {.signatures = signatures};
	struct trust *old = trust_of(&old_anchors), *new = trust_of(next);
	struct trust_signers signers;
	char text[4096];
	bool may;

	write_anchors(next, text, sizeof(text));
	bundle.bytes = text;
	bundle.len = strlen(text);
	for (int i = 0; i < PEOPLE; i++)
		if (who & 1U << i)
			signatures[bundle.n++] = signed_by(i, text, bundle.len);
	may = !trust_succeeds(old, new, &bundle, &signers, words,
			      sizeof(words));
	trust_free(old);
	trust_free(new);
	return may ? NULL : words;
}

static void next_anchors_need_both_old_and_new_keys(void **state)
{
	/* carol goes, dave comes */
	const struct anchors next = {2, 2, "Police", 1 | 2 | 8, 4};
	/* nobody stays */
	const struct anchors others = {2, 1, "Police", 8, 1 | 2 | 4};

	(void)state;
	assert_null(why_not(&next, 1 | 2));
	assert_null(why_not(&next, 1 | 2 | 8));
	assert_non_null(strstr(why_not(&next, 1 | 8), "by the keys in force"));
	assert_non_null(strstr(why_not(&next, 2 | 4), "by its own keys"));
	assert_non_null(strstr(why_not(&next, 0), "by the keys in force"));
	assert_non_null(strstr(why_not(&others, 1 | 2), "by its own keys"));
	assert_non_null(strstr(why_not(&others, 8), "by the keys in force"));
	assert_null(why_not(&others, 1 | 2 | 8));
}

static void next_anchors_are_the_next_version_of_the_same_issuer(void **state)
{
	struct anchors next = old_anchors;

	(void)state;
	assert_non_null(strstr(why_not(&next, 7), "one version at a time"));
	next.version = 3;
	assert_non_null(strstr(why_not(&next, 7), "one version at a time"));
	next.version = 2;
	assert_null(why_not(&next, 7));
	next.issuer = "Others";
	assert_non_null(strstr(why_not(&next, 7), "its issuer is Others"));
}

static void next_anchors_have_all_the_keys_if_only_as_revoked(void **state)
{
	struct anchors next = {2, 2, "Police", 1 | 2, 4};

	(void)state;
	assert_null(why_not(&next, 1 | 2));
	next.revoked = 0;
	assert_non_null(strstr(why_not(&next, 1 | 2), "carol is left out"));
	next.keys = 1 | 2 | 8;
	assert_non_null(strstr(why_not(&next, 1 | 2), "stands under revoked"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(anchors_are_read_as_they_stand),
		cmocka_unit_test(bad_anchors_are_refused_where_they_are_bad),
		cmocka_unit_test(
			as_many_different_keys_as_the_threshold_are_enough),
		cmocka_unit_test(same_key_twice_counts_once),
		cmocka_unit_test(unknown_key_counts_nothing),
		cmocka_unit_test(number_of_a_key_is_no_proof),
		cmocka_unit_test(any_changed_byte_is_found),
		cmocka_unit_test(any_changed_byte_of_a_signature_is_found),
		cmocka_unit_test(old_signatures_are_told_apart),
		cmocka_unit_test(comment_that_steers_a_terminal_is_none),
		cmocka_unit_test(key_comes_back_without_a_password),
		cmocka_unit_test(comment_is_one_line),
		cmocka_unit_test(signatures_are_found_beside_what_was_signed),
		cmocka_unit_test(too_many_signatures_are_refused),
		cmocka_unit_test(next_anchors_need_both_old_and_new_keys),
		cmocka_unit_test(
			next_anchors_have_all_the_keys_if_only_as_revoked),
		cmocka_unit_test(
			next_anchors_are_the_next_version_of_the_same_issuer),
	};

	return cmocka_run_group_tests(tests, make_people, NULL);
}
