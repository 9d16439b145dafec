// SPDX-License-Identifier: GPL-2.0-only
/*
 * What host and force say to each other: that it comes back as it was, and that
 * nothing of it can be another's, for another, of another kind, or changed.
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
#include <sys/stat.h>
#include <unistd.h>

#include "fleet_message.h"

#define HASH  "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
#define ZEROS "0000000000000000000000000000000000000000000000000000000000000000"

static struct sign_key host, other_host;
static struct seal_key force, other_force;

static int make_keys(void **state)
{
	char dir[] = "/tmp/cordon-test-XXXXXX", path[64];
	bool made = false;

	(void)state;
	if (!mkdtemp(dir))
		return -1;
	(void)snprintf(path, sizeof(path), "%s/key", dir);
	assert_int_equal(sign_key_load(path, &host, &made), 0);
	(void)unlink(path);
	assert_int_equal(sign_key_load(path, &other_host, &made), 0);
	(void)unlink(path);
	assert_int_equal(seal_key_load(path, &force, &made), 0);
	(void)unlink(path);
	assert_int_equal(seal_key_load(path, &other_force, &made), 0);
	(void)unlink(path);
	return rmdir(dir);
}

/* ---- names and keys ------------------------------------------------------ */

static void name_is_that_of_the_host_without_dots(void **state)
{
	char name[FLEET_NAME_CHARS_MAX + 1], id[FLEET_ID_CHARS_MAX];

	(void)state;
	assert_int_equal(fleet_name("print-01.example.org", name), 0);
	assert_string_equal(name, "print-01_example_org");
	assert_int_equal(fleet_name("", name), -EINVAL);
	assert_int_equal(fleet_name("a b", name), -EINVAL);
	assert_int_equal(fleet_name("a*", name), -EINVAL);
	assert_int_equal(fleet_name("a>", name), -EINVAL);
	assert_int_equal(fleet_name("h\xc3\xb6st", name), -EINVAL);
	assert_string_equal(name, "print-01_example_org");
	assert_false(fleet_is_name("a.b", 3));
	assert_true(fleet_is_name("A-b_9", 5));
	fleet_id(&host.public, id);
	assert_int_equal(strlen(id), 32);
}

static void key_comes_back_from_its_file_and_from_text(void **state)
{
	char dir[] = "/tmp/cordon-test-XXXXXX", path[64];
	char text[SEAL_TEXT_CHARS_MAX];
	struct sign_public sign;
	struct sign_key sign_key;
	struct seal_public seal;
	struct seal_key key, again;
	bool made = false;

	(void)state;
	assert_non_null(mkdtemp(dir));
	(void)snprintf(path, sizeof(path), "%s/seal.key", dir);
	assert_int_equal(seal_key_load(path, &key, &made), 0);
	assert_true(made);
	assert_int_equal(seal_key_load(path, &again, &made), 0);
	assert_false(made);
	assert_memory_equal(&key, &again, sizeof(key));
	/* One kind is not taken for the other. */
	assert_int_equal(sign_key_load(path, &sign_key, &made), -EUCLEAN);
	assert_int_equal(chmod(path, 0640), 0);
	assert_int_equal(seal_key_load(path, &again, &made), -EKEYREVOKED);
	(void)unlink(path);
	(void)rmdir(dir);

	seal_public_format(&key.public, text);
	assert_int_equal(seal_public_parse(text, &seal), 0);
	assert_memory_equal(&seal, &key.public, sizeof(seal));
	assert_int_equal(seal_public_parse("AAAA", &seal), -EINVAL);
	sign_public_format(&host.public, text);
	assert_int_equal(sign_public_unformat(text, &sign), 0);
	assert_memory_equal(&sign, &host.public, sizeof(sign));
	text[43] = 'A';
	assert_int_equal(sign_public_unformat(text, &sign), -EINVAL);
	assert_int_equal(sign_public_unformat("", &sign), -EINVAL);
	/* A point of low order: whoever, has signed whatever. */
	assert_int_equal(
		sign_public_unformat(
			"AQAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=", &sign),
		-EINVAL);
}

/* ---- reports ------------------------------------------------------------- */

/* n lines from number first on; each has the hash of the one before. */
static char *make_lines(uint64_t first, size_t n, size_t *ret_len)
{
	char prev[SIGN_HASH_CHARS_MAX] = HASH, *lines = calloc(n, 256);
	size_t len = 0, begin;

	assert_non_null(lines);
	for (size_t i = 0; i < n; i++) {
		begin = len;
		len += (size_t)sprintf(lines + len,
				       "{\"cordon\":1,\"type\":\"test\","
				       "\"seq\":%zu,\"prev\":\"%s\"}\n",
				       (size_t)first + i, prev);
		sign_hash(lines + begin, len - begin - 1, prev);
	}
	*ret_len = len;
	return lines;
}

static struct fleet_report a_report(const char *lines, size_t len, uint64_t n)
{
	return (struct fleet_report){.host = "print-01",
				     .first = 5,
				     .last = 4 + n,
				     .segment = 3,
				     .head = 1000,
				     .lines = lines,
				     .len = len};
}

static void report_comes_back_as_it_was(void **state)
{
	struct fleet_report report, got;
	size_t len, box_len;
	char id[FLEET_ID_CHARS_MAX], *lines = make_lines(5, 3, &len);
	void *box;

	(void)state;
	report = a_report(lines, len, 3);
	assert_int_equal(fleet_report_make(&host, &force.public, &report, &box,
					   &box_len),
			 0);
	assert_null(memmem(box, box_len, "print-01", 8));
	assert_int_equal(fleet_report_open(&force, &host.public, "print-01",
					   box, box_len, &got),
			 0);
	fleet_id(&host.public, id);
	assert_string_equal(got.host, "print-01");
	assert_string_equal(got.id, id);
	assert_int_equal(got.first, 5);
	assert_int_equal(got.last, 7);
	assert_int_equal(got.segment, 3);
	assert_int_equal(got.head, 1000);
	assert_int_equal(got.n, 3);
	assert_int_equal(got.len, len);
	assert_memory_equal(got.lines, lines, len);
	assert_true(got.chained);
	assert_string_equal(got.prev, HASH);
	assert_int_equal(strlen(got.hash), 64);
	fleet_report_release(&got);
	free(box);
	free(lines);
}

static void report_is_refused_unless_all_of_it_is_the_hosts(void **state)
{
	struct fleet_report report, got;
	size_t len, box_len;
	char *lines = make_lines(5, 3, &len);
	struct fleet_attest attest;
	uint8_t *box;

	(void)state;
	report = a_report(lines, len, 3);
	assert_int_equal(fleet_report_make(&host, &force.public, &report,
					   (void **)&box, &box_len),
			 0);
	assert_int_equal(fleet_report_open(&other_force, &host.public,
					   "print-01", box, box_len, &got),
			 -EBADMSG);
	assert_int_equal(fleet_report_open(&force, &other_host.public,
					   "print-01", box, box_len, &got),
			 -EACCES);
	assert_int_equal(fleet_report_open(&force, &host.public, "print-02",
					   box, box_len, &got),
			 -EXDEV);
	/* Its signature is of another kind of message. */
	assert_int_equal(fleet_attest_open(&force, &host.public, "print-01",
					   box, box_len, &attest),
			 -EACCES);
	for (size_t i = 0; i < box_len; i += 7) {
		box[i] ^= 1;
		assert_int_equal(fleet_report_open(&force, &host.public,
						   "print-01", box, box_len,
						   &got),
				 -EBADMSG);
		box[i] ^= 1;
	}
	for (size_t i = 0; i < box_len; i += 13)
		assert_int_equal(fleet_report_open(&force, &host.public,
						   "print-01", box, i, &got),
				 -EBADMSG);
	assert_int_equal(fleet_report_open(&force, &host.public, "print-01",
					   box, FLEET_REPORT_BYTES_MAX + 1,
					   &got),
			 -EMSGSIZE);
	/* The twin: nothing was changed after all. */
	assert_int_equal(fleet_report_open(&force, &host.public, "print-01",
					   box, box_len, &got),
			 0);
	fleet_report_release(&got);
	free(box);
	free(lines);
}

/* What a force has opened it cannot pass on as said to another one. */
static void report_is_refused_when_a_force_hands_it_on(void **state)
{
	struct fleet_report report, got;
	size_t len, box_len;
	char *lines = make_lines(5, 1, &len);
	uint8_t *box, *inside, *resealed;

	(void)state;
	report = a_report(lines, len, 1);
	assert_int_equal(fleet_report_make(&host, &force.public, &report,
					   (void **)&box, &box_len),
			 0);
	inside = malloc(box_len);
	resealed = malloc(box_len);
	assert_true(inside && resealed);
	assert_int_equal(seal_open(&force, box, box_len, inside), 0);
	assert_int_equal(seal_close(&force.public, inside,
				    box_len - SEAL_EXTRA_BYTES, resealed),
			 0);
	assert_int_equal(fleet_report_open(&force, &host.public, "print-01",
					   resealed, box_len, &got),
			 0);
	fleet_report_release(&got);
	assert_int_equal(seal_close(&other_force.public, inside,
				    box_len - SEAL_EXTRA_BYTES, resealed),
			 0);
	assert_int_equal(fleet_report_open(&other_force, &host.public,
					   "print-01", resealed, box_len, &got),
			 -EACCES);
	free(box);
	free(inside);
	free(resealed);
	free(lines);
}

static bool is_chained(const struct fleet_report *report)
{
	struct fleet_report got;
	size_t box_len;
	bool chained;
	void *box;

	assert_int_equal(
		fleet_report_make(&host, &force.public, report, &box, &box_len),
		0);
	assert_int_equal(fleet_report_open(&force, &host.public, "print-01",
					   box, box_len, &got),
			 0);
	chained = got.chained;
	assert_int_equal(got.prev[0] != '\0', chained);
	fleet_report_release(&got);
	free(box);
	return chained;
}

static void report_says_when_its_lines_are_no_log(void **state)
{
	struct fleet_report report;
	size_t len;
	char *lines = make_lines(5, 3, &len);

	(void)state;
	report = a_report(lines, len, 3);
	assert_true(is_chained(&report));
	report.first = 4; /* the first line has another number */
	assert_false(is_chained(&report));
	report = a_report(lines, len, 3);
	report.last = 8;
	assert_false(is_chained(&report));
	report = a_report(lines, len, 3);
	memcpy(lines + 19, "tEst", 4); /* the next one's hash is another */
	assert_false(is_chained(&report));
	lines[0] = 'x';
	assert_false(is_chained(&report));
	free(lines);
}

static void report_is_not_made_of_what_is_none(void **state)
{
	struct fleet_report report, good;
	size_t len, box_len, many_len;
	char *lines = make_lines(5, 3, &len);
	char *many = make_lines(5, FLEET_LINES_MAX + 1, &many_len);
	void *box;

	(void)state;
	good = a_report(lines, len, 3);
#define REFUSED(change)                                                      \
	do {                                                                 \
		report = good;                                               \
		change;                                                      \
		assert_int_equal(fleet_report_make(&host, &force.public,     \
						   &report, &box, &box_len), \
				 -EINVAL);                                   \
	} while (0)
	REFUSED(report.len = 0);
	REFUSED(report.len--);
	REFUSED(report.first = 0);
	REFUSED(report.last = 6);
	REFUSED(report.segment = 6);
	REFUSED(report.segment = 0);
	REFUSED(report.head = 6);
	REFUSED(report.head = UINT64_MAX);
	REFUSED(report.host[5] = '.');
	REFUSED(report.host[0] = '\0');
	REFUSED(report = a_report(many, many_len, FLEET_LINES_MAX + 1));
	report = a_report(many, many_len, FLEET_LINES_MAX + 1);
	report.len =
		(size_t)((char *)memrchr(many, '\n', many_len - 1) + 1 - many);
	report.last--;
	assert_true(is_chained(&report));
	free(lines);
	free(many);
}

static void message_id_is_the_same_for_the_same_lines_only(void **state)
{
	char a[FLEET_MSGID_CHARS_MAX], b[FLEET_MSGID_CHARS_MAX];
	struct fleet_report report;
	size_t len;
	char *lines = make_lines(5, 3, &len);

	(void)state;
	report = a_report(lines, len, 3);
	fleet_report_msgid(&host, &report, 0, a);
	report.head++;
	fleet_report_msgid(&host, &report, 0, b);
	assert_string_equal(a, b);
	assert_int_equal(strlen(a), 32);
	fleet_report_msgid(&host, &report, 1, b);
	assert_string_not_equal(a, b);
	fleet_report_msgid(&other_host, &report, 0, b);
	assert_string_not_equal(a, b);
	report.last++;
	fleet_report_msgid(&host, &report, 0, b);
	assert_string_not_equal(a, b);
	free(lines);
}

/* ---- policies ------------------------------------------------------------ */

static struct trust_bundle a_bundle(const char *text)
{
	struct trust_bundle bundle = {.bytes = strdup(text),
				      .len = strlen(text)};
	struct minisign_key key;

	minisign_key_new(&key);
	bundle.signatures = calloc(2, sizeof(*bundle.signatures));
	bundle.n = 2;
	assert_true(bundle.bytes && bundle.signatures);
	assert_int_equal(minisign_make(&key, text, strlen(text), "c",
				       bundle.signatures[0].text),
			 0);
	(void)strcpy(bundle.signatures[0].file, "p.yaml.alice.minisig");
	bundle.signatures[1].error = -EINVAL;
	return bundle;
}

static void policy_comes_back_with_its_signatures(void **state)
{
	struct fleet_policy policy = {.serial = 42}, got;
	size_t len;
	char *text;

	(void)state;
	policy.policy = a_bundle("cordon: 1\n# \xc3\xa4\n");
	for (; policy.n_trust < FLEET_TRUST_MAX; policy.n_trust++)
		policy.trust[policy.n_trust] = (struct fleet_trust){
			.version = 2 + policy.n_trust,
			.bundle = a_bundle("cordon-trust: 1\n"),
		};
	assert_int_equal(
		fleet_policy_make(&policy, FLEET_POLICY_BYTES_MAX, &text, &len),
		0);
	assert_int_equal(strlen(text), len);
	assert_int_equal(fleet_policy_open(text, len, len, &got), 0);
	assert_int_equal(got.serial, 42);
	assert_int_equal(got.policy.len, policy.policy.len);
	assert_memory_equal(got.policy.bytes, policy.policy.bytes,
			    got.policy.len + 1);
	assert_int_equal(got.policy.n, 1);
	assert_string_equal(got.policy.signatures[0].text,
			    policy.policy.signatures[0].text);
	assert_string_equal(got.policy.signatures[0].file,
			    "p.yaml.alice.minisig");
	assert_int_equal(got.policy.signatures[0].error, 0);
	assert_int_equal(got.n_trust, FLEET_TRUST_MAX);
	for (size_t i = 0; i < got.n_trust; i++) {
		assert_int_equal(got.trust[i].version, 2 + i);
		assert_string_equal(got.trust[i].bundle.bytes,
				    "cordon-trust: 1\n");
		assert_string_equal(got.trust[i].bundle.signatures[0].text,
				    policy.trust[i].bundle.signatures[0].text);
	}
	assert_null(got.act.bytes);
	fleet_policy_release(&got);
	assert_int_equal(fleet_policy_open(text, len, len - 1, &got),
			 -EMSGSIZE);
	assert_int_equal(fleet_policy_open(text, len - 1, len, &got), -EBADMSG);
	free(text);
	fleet_policy_release(&policy);
}

static void policy_is_not_made_of_what_is_none(void **state)
{
	struct fleet_policy policy = {.serial = 42};
	size_t len;
	char *text;

	(void)state;
	assert_int_equal(fleet_policy_make(&policy, 1000, &text, &len),
			 -EINVAL);
	policy.policy = a_bundle("cordon: 1\n");
	assert_int_equal(fleet_policy_make(&policy, 100, &text, &len),
			 -EMSGSIZE);
	policy.serial = 0;
	assert_int_equal(fleet_policy_make(&policy, 1000, &text, &len),
			 -EINVAL);
	policy.serial = 42;
	policy.n_trust = 2;
	policy.trust[0] = (struct fleet_trust){3, a_bundle("t")};
	policy.trust[1] = (struct fleet_trust){3, a_bundle("t")};
	assert_int_equal(fleet_policy_make(&policy, 9000, &text, &len),
			 -EINVAL);
	policy.trust[1].version = 4;
	assert_int_equal(fleet_policy_make(&policy, 9000, &text, &len), 0);
	free(text);
	((char *)policy.policy.bytes)[0] = '\xff';
	assert_int_equal(fleet_policy_make(&policy, 1000, &text, &len),
			 -EINVAL);
	fleet_policy_release(&policy);
}

static void policy_is_refused_unless_it_is_exactly_one(void **state)
{
	static const char *const bad[] = {
		"",
		"null",
		"[]",
		"{}",
		"{\"cordon\":1}",
		"{\"cordon\":1,\"serial\":1}",
		"{\"cordon\":1,\"policy\":\"p\",\"signatures\":[]}",
		"{\"cordon\":1,\"serial\":1,\"policy\":\"p\"}",
		"{\"cordon\":1,\"serial\":0,\"policy\":\"p\",\"signatures\":[]"
		"}",
		"{\"cordon\":1,\"serial\":-1,\"policy\":\"p\",\"signatures\":[]"
		"}",
		"{\"cordon\":2,\"serial\":1,\"policy\":\"p\",\"signatures\":[]"
		"}",
		"{\"cordon\":1,\"serial\":1,\"policy\":1,\"signatures\":[]}",
		"{\"cordon\":1,\"serial\":1,\"policy\":\"p\",\"signatures\":{}"
		"}",
		"{\"cordon\":1,\"serial\":1,\"policy\":\"p\\u0000\","
		"\"signatures\":[]}",
		"{\"cordon\":1,\"serial\":1,\"policy\":\"p\",\"signatures\":[],"
		"\"more\":1}",
		"{\"cordon\":1,\"serial\":1,\"serial\":1,\"policy\":\"p\","
		"\"signatures\":[]}",
		"{\"cordon\":1,\"serial\":1,\"policy\":\"p\",\"signatures\":[]}"
		"x",
		"{\"cordon\":1,\"trust\":[]}",
		"{\"cordon\":1,\"trust\":{\"policy\":\"t\",\"version\":1,"
		"\"signatures\":[]}}",
		"{\"cordon\":1,\"trust\":[{\"policy\":\"t\",\"signatures\":[]}]"
		"}",
		"{\"cordon\":1,\"trust\":[{\"policy\":\"t\",\"signatures\":[],"
		"\"version\":0}]}",
		"{\"cordon\":1,\"trust\":[{\"policy\":\"t\",\"signatures\":[],"
		"\"version\":-1}]}",
		"{\"cordon\":1,\"trust\":[{\"policy\":\"t\",\"signatures\":[],"
		"\"version\":2},{\"policy\":\"t\",\"signatures\":[],"
		"\"version\":1}]}",
		"{\"cordon\":1,\"act\":\"p\"}",
		"{\"cordon\":1,\"act\":{\"policy\":\"p\"}}",
	};
	static const char *const good[] = {
		"{\"cordon\":1,\"serial\":1,\"policy\":\"p\",\"signatures\":[]"
		"}",
		"{\"cordon\":1,\"act\":{\"policy\":\"p\",\"signatures\":[]}}",
		"{\"cordon\":1,\"trust\":[{\"policy\":\"t\",\"signatures\":[],"
		"\"version\":1},{\"policy\":\"t\",\"signatures\":[],"
		"\"version\":2}]}",
	};
	struct fleet_policy got;

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_int_equal(fleet_policy_open(bad[i], strlen(bad[i]),
						   FLEET_POLICY_BYTES_MAX,
						   &got),
				 -EBADMSG);
	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		assert_int_equal(fleet_policy_open(good[i], strlen(good[i]),
						   FLEET_POLICY_BYTES_MAX,
						   &got),
				 0);
		fleet_policy_release(&got);
	}
}

/* Eight MiB of `{},' would be a gigabyte of tables. */
static void policy_with_a_million_members_is_refused_at_once(void **state)
{
	char *text = malloc(FLEET_POLICY_BYTES_MAX);
	struct fleet_policy got;
	size_t len;

	(void)state;
	assert_non_null(text);
	len = (size_t)sprintf(text, "{\"cordon\":1,\"act\":[{}");
	for (; len + 8 < FLEET_POLICY_BYTES_MAX; len += 3)
		memcpy(text + len, ",{}", 3);
	memcpy(text + len, "]}", 2);
	assert_int_equal(
		fleet_policy_open(text, len + 2, FLEET_POLICY_BYTES_MAX, &got),
		-EBADMSG);
	free(text);
}

/* ---- asking and attestations --------------------------------------------- */

static void ask_comes_back_for_each_host(void **state)
{
	struct fleet_have have[2] = {
		{.host = "a", .seq = 7, .hash = HASH},
		{.host = "b", .seq = 0, .hash = ZEROS},
	};
	char nonce[FLEET_NONCE_CHARS_MAX], got[FLEET_NONCE_CHARS_MAX], *text;
	struct fleet_have mine;
	bool has;
	size_t len;

	(void)state;
	fleet_nonce(nonce);
	assert_int_equal(fleet_ask_make(nonce, have, 2, &text, &len), 0);
	assert_int_equal(fleet_ask_open(text, len, "a", got, &mine, &has), 0);
	assert_true(has);
	assert_string_equal(got, nonce);
	assert_int_equal(mine.seq, 7);
	assert_string_equal(mine.hash, HASH);
	assert_int_equal(fleet_ask_open(text, len, "b", got, &mine, &has), 0);
	assert_true(has && mine.seq == 0);
	assert_int_equal(fleet_ask_open(text, len, "c", got, &mine, &has), 0);
	assert_false(has);
	assert_int_equal(fleet_ask_open(text, len - 1, "c", got, &mine, &has),
			 -EBADMSG);
	free(text);
	assert_int_equal(fleet_ask_make(nonce, NULL, 0, &text, &len), 0);
	assert_int_equal(fleet_ask_open(text, len, "a", got, &mine, &has), 0);
	assert_false(has);
	free(text);
	have[1].hash[0] = 'A';
	assert_int_equal(fleet_ask_make(nonce, have, 2, &text, &len), -EINVAL);
	nonce[0] = '\0';
	assert_int_equal(fleet_ask_make(nonce, have, 1, &text, &len), -EINVAL);
}

static struct fleet_attest an_attest(void)
{
	struct fleet_attest attest = {
		.host = "print-01",
		.time_s = 1790000000,
		.policy_serial = 42,
		.policy_sha256 = HASH,
		.mode = "enforce",
		.attached = "lsm",
		.kernel = "6.12.0",
		.version = "0.1",
		.health = "ok",
		.problem = "a \x1b[31mproblem",
		.incidents_open = 3,
		.evidence_seq = 99,
		.evidence_hash = HASH,
		.spool_waiting = 5,
		.spool_dropped = 6,
	};

	fleet_nonce(attest.nonce);
	return attest;
}

static void lifted_host_says_by_what_and_until_when(void **state)
{
	struct fleet_attest attest = an_attest(), got;
	size_t len;
	void *box;

	(void)state;
	(void)strcpy(attest.mode, "lifted");
	attest.lifted_until_s = 1790003600;
	for (int i = 0; i < 2; i++) {
		assert_int_equal(fleet_attest_make(&host, &force.public,
						   &attest, &box, &len),
				 0);
		assert_int_equal(fleet_attest_open(&force, &host.public,
						   "print-01", box, len, &got),
				 0);
		free(box);
		assert_int_equal(got.lifted_until_s, 1790003600);
		assert_string_equal(got.lifted_sha256, i ? HASH : "");
		(void)strcpy(attest.lifted_sha256, HASH);
	}
	/* By an act, but not until any time. */
	attest.lifted_until_s = 0;
	assert_int_equal(
		fleet_attest_make(&host, &force.public, &attest, &box, &len),
		-EINVAL);
}

static void attestation_comes_back_as_it_was(void **state)
{
	struct fleet_attest attest = an_attest(), got;
	struct fleet_report report;
	size_t len;
	void *box;

	(void)state;
	assert_int_equal(
		fleet_attest_make(&host, &force.public, &attest, &box, &len),
		0);
	assert_int_equal(fleet_attest_open(&force, &host.public, "print-01",
					   box, len, &got),
			 0);
	assert_string_equal(got.problem, "a ?[31mproblem");
	fleet_id(&host.public, attest.id);
	(void)strcpy(attest.problem, got.problem);
	assert_memory_equal(&got, &attest, sizeof(got));
	assert_int_equal(fleet_attest_open(&force, &other_host.public,
					   "print-01", box, len, &got),
			 -EACCES);
	assert_int_equal(fleet_attest_open(&other_force, &host.public,
					   "print-01", box, len, &got),
			 -EBADMSG);
	assert_int_equal(fleet_attest_open(&force, &host.public, "print-1", box,
					   len, &got),
			 -EXDEV);
	assert_int_equal(fleet_report_open(&force, &host.public, "print-01",
					   box, len, &report),
			 -EACCES);
	free(box);
	attest.policy_sha256[3] = 'X';
	assert_int_equal(
		fleet_attest_make(&host, &force.public, &attest, &box, &len),
		-EINVAL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(name_is_that_of_the_host_without_dots),
		cmocka_unit_test(key_comes_back_from_its_file_and_from_text),
		cmocka_unit_test(report_comes_back_as_it_was),
		cmocka_unit_test(
			report_is_refused_unless_all_of_it_is_the_hosts),
		cmocka_unit_test(report_is_refused_when_a_force_hands_it_on),
		cmocka_unit_test(report_says_when_its_lines_are_no_log),
		cmocka_unit_test(report_is_not_made_of_what_is_none),
		cmocka_unit_test(
			message_id_is_the_same_for_the_same_lines_only),
		cmocka_unit_test(policy_comes_back_with_its_signatures),
		cmocka_unit_test(policy_is_not_made_of_what_is_none),
		cmocka_unit_test(policy_is_refused_unless_it_is_exactly_one),
		cmocka_unit_test(
			policy_with_a_million_members_is_refused_at_once),
		cmocka_unit_test(ask_comes_back_for_each_host),
		cmocka_unit_test(attestation_comes_back_as_it_was),
		cmocka_unit_test(lifted_host_says_by_what_and_until_when),
	};

	return cmocka_run_group_tests(tests, make_keys, NULL);
}
