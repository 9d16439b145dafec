// SPDX-License-Identifier: GPL-2.0-only
/*
 * Fuzz target of the evidence log: a segment, or two if the input has a NUL,
 * of a host whose key is this one. What it asserts beyond "no crash": where
 * nothing is found wrong, every line up to the last checkpoint is one that the
 * host wrote; ranges that are proven are in order; and an agent goes on behind
 * whatever it finds, with lines that are proven then.
 *
 * Known-bad modes: see fuzz_policy.c; here the seed called selftest* is whole,
 * and a mutant has another first line, which its checkpoint does not have.
 */
#include "fuzz.h"

#include "evidence.h"
#include "evidence_verify.h"
#include "sign.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* Of nobody: made for this. */
static const char secret[] =
	"-----BEGIN PRIVATE KEY-----\n"
	"MC4CAQAwBQYDK2VwBCIEINeu6kYp6jyboqfYovTKfRF8O2Q7KyNyFUSM2YqlnONS\n"
	"-----END PRIVATE KEY-----\n";

/* SHA-256 of each line that it signed: of the seeds. */
static const char *const genuine[] = {
	"543a82e2e0fd9bfb5269d09d7795173d16768aa15214f938a9871803a1e213c0",
	"cd402468132f20e452483900103cee017e45d9dac7b91c6e4049f6151f732abe",
	"540b621f3aa2813c230137ce330a97fcda9cf346f3d085ebdcb67656e550b7ae",
	"1ec0c5d1ae32adc896b200dd97ddeec37826be3efd4a79e235c5123f4297a2f8",
	"63c9fa9294bb9f0596d781b5c09eab415510f593376710384932bc9816b9ac43",
	"9236213ade8bbb094a90d0effd080572b9ec974b54c2617cfd1e9f6421e6dee0",
	"10804504a635258926f268bcf36705ef999fdf7a5ebec4d549de75f43dacd895",
	"e7ea7d30c83601747ff01b0c12c3260aceaa5ee32dbab44321bbe341de716934",
	"88f518fa535c6601a4b2b1a495b812abebe8308def9c0ffd834453b32ea7fd25",
	"fe194edc19f4680934729bbeb1dec388d9cf353429983cd5861221d7531e8665",
	"410389f48721d0f542753cb03312a281daf035dcbeaadfbce02d074e6f348cfe",
};

static char dir[] = "cordon-fuzz-XXXXXX";
static char log_dir[64], key_path[64];
static struct sign_key key;

static void clear_log(void)
{
	const struct dirent *entry;
	char path[512];
	DIR *in = opendir(log_dir);

	while (in && (entry = readdir(in))) {
		(void)snprintf(path, sizeof(path), "%s/%s", log_dir,
			       entry->d_name);
		if (entry->d_name[0] != '.')
			(void)unlink(path);
	}
	if (in)
		(void)closedir(in);
}

static void clean_up(void)
{
	clear_log();
	(void)rmdir(log_dir);
	(void)unlink(key_path);
	(void)rmdir(dir);
}

static void make_room(void)
{
	bool made = true;

	if (key_path[0])
		return;
	CHECK(mkdtemp(dir));
	(void)snprintf(log_dir, sizeof(log_dir), "%s/log", dir);
	(void)snprintf(key_path, sizeof(key_path), "%s/key", dir);
	fuzz_put(key_path, (const uint8_t *)secret, sizeof(secret) - 1);
	CHECK(sign_key_load(key_path, &key, &made) == 0 && !made);
	CHECK(mkdir(log_dir, 0700) == 0);
	CHECK(atexit(clean_up) == 0);
}

static void put_segment(const char *name, const uint8_t *data, size_t size)
{
	char path[128];

	/* As the magic of gzip says: what is named so has to be read too. */
	(void)snprintf(path, sizeof(path), "%s/%s%s", log_dir, name,
		       size > 1 && data[0] == 0x1f && data[1] == 0x8b ? ".gz"
								      : "");
	fuzz_put(path, data, size);
}

static int check_line(const struct evidence_line *line, void *arg)
{
	const uint64_t *signed_to = arg;
	char hash[SIGN_HASH_CHARS_MAX];
	const char *prev;
	json_t *object;
	uint64_t seq;

	CHECK(line->len < EVIDENCE_LINE_MAX);
	if (!line->whole ||
	    evidence_parse(line->text, line->len, &object, &seq, &prev))
		return 0;
	json_decref(object);
	if (seq > *signed_to)
		return 0;
	sign_hash(line->text, line->len, hash);
	for (size_t i = 0; i < sizeof(genuine) / sizeof(genuine[0]); i++)
		if (strcmp(hash, genuine[i]) == 0)
			return 0;
	CHECK(!"a line is proven that nobody wrote");
	return 0;
}

static void count(const struct evidence_finding *finding, void *arg)
{
	CHECK(finding->problem < EVIDENCE_PROBLEMS && finding->words[0]);
	(*(uint64_t *)arg)++;
}

static void verify(struct evidence_result *ret_result, bool only_genuine)
{
	struct evidence_query query = {
		.keys = &key.public, .n_keys = 1, .all = true};
	const char *paths[] = {log_dir};
	uint64_t told = 0;
	char **files = NULL;
	size_t n = 0;

	CHECK(evidence_files(paths, 1, NULL, NULL, &files, &n) == 0);
	query.paths = paths;
	query.n_paths = 1;
	CHECK(evidence_verify(&query, count, &told, ret_result) == 0);
	CHECK(told == ret_result->problems);
	for (size_t i = 0; i < ret_result->n_proven; i++) {
		CHECK(ret_result->proven[i].first <=
		      ret_result->proven[i].last);
		CHECK(!i || ret_result->proven[i].first >
				    ret_result->proven[i - 1].last);
	}
	for (size_t i = 0; only_genuine && !told && i < n; i++)
		(void)evidence_read(files[i], check_line, &ret_result->last);
	evidence_files_free(files, n);
}

/* The next agent, whatever it finds. */
static void go_on(void)
{
	const struct evidence_options opts = {
		.dir = log_dir, .key = &key, .host = "fuzz"};
	struct evidence_result result;
	struct evidence_found found;
	struct evidence *evidence;
	char text[EVIDENCE_LINE_MAX];
	uint64_t seq;
	size_t len;

	CHECK(evidence_open(&opts, NULL, NULL, &found, &evidence) == 0);
	seq = evidence_next(evidence);
	CHECK(seq == found.last + 1 && seq > 0);
	if (seq > EVIDENCE_SEQ_MAX - 2) {
		evidence_close(evidence);
		return;
	}
	CHECK(evidence_add(evidence, json_pack("{s:i}", "cordon", 1), text,
			   &len) == 0);
	evidence_close(evidence);
	verify(&result, false);
	CHECK(result.last == seq + 1 && !result.unproven);
	CHECK(evidence_result_covers(&result, seq, seq + 1));
	evidence_result_release(&result);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const uint8_t *end = size ? memchr(data, '\0', size) : NULL;
	struct evidence_result result;
	bool compressed = size > 1 && data[0] == 0x1f;

	make_room();
	clear_log();
	if (end && !compressed) {
		put_segment("000000000001.jsonl", data, (size_t)(end - data));
		size -= (size_t)(end + 1 - data);
		data = end + 1;
		put_segment("000000000005.jsonl", data, size);
	} else {
		put_segment("000000000001.jsonl", data, size);
	}
	verify(&result, true);
	fuzz_selftest(!result.problems && result.last == 2,
		      result.problems && result.last == 2);
	evidence_result_release(&result);
	go_on();
	return 0;
}
