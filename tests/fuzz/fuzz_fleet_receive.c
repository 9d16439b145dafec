// SPDX-License-Identifier: GPL-2.0-only
/*
 * Fuzz target of the receiver: reports, one behind the other with a NUL between
 * them, that a host has signed and sealed, of which somebody else may be master
 * by now. What it asserts beyond "no crash": each is settled; what is there
 * only grows, by lines of evidence whose numbers rise; and it ends where the
 * receiver takes it to end, also for one who begins anew.
 *
 * Known-bad modes: see fuzz_policy.c; here the seed called selftest* is two
 * reports that follow each other, and in a mutant they do not.
 */
#include "fleet.h"

#include "evidence_copy.h"
#include "fleet_receive.h"

#include <dirent.h>

#define REPORTS_MAX 8

static char dir[] = "cordon-fuzz-XXXXXX";
static char evidence[FLEET_PATH_MAX];
static struct fleet *fleet;
static struct fleet_host *of;

static void clear(void)
{
	char path[FLEET_PATH_MAX + 256];
	const struct dirent *entry;
	DIR *in = opendir(evidence);

	while (in && (entry = readdir(in))) {
		(void)snprintf(path, sizeof(path), "%s/%s", evidence,
			       entry->d_name);
		if (entry->d_name[0] != '.')
			(void)unlink(path);
	}
	if (in)
		(void)closedir(in);
	of->received = (struct fleet_received){0};
	of->copy_known = false;
}

static void load_fleet(void)
{
	static const char *const servers[] = {"tls://localhost"};
	struct enrolment_request request = {.host = "print-01"};
	struct policy_errors *errs;
	struct fleet_approving approving = {.request = &request};

	if (fleet)
		return;
	load_keys();
	request.key = host.public;
	errs = calloc(1, sizeof(*errs));
	CHECK(errs && mkdtemp(dir));
	CHECK(fleet_init(dir, "Example", servers, 1) == 0);
	CHECK(fleet_open(dir, FLEET_READ, &fleet, errs) == 0);
	CHECK(fleet_approve(fleet, &approving) == 0);
	free(approving.text);
	CHECK(fleet_reload(fleet, errs) == 0);
	fleet->seal = force;
	of = fleet_find(fleet, "print-01");
	CHECK(of);
	fleet_host_path(fleet, "print-01", EVIDENCE_DIR, evidence);
	free(errs);
}

struct seen {
	uint64_t last;
	uint64_t n;
};

static int see(const struct evidence_line *line, void *arg)
{
	struct seen *seen = arg;
	json_t *object;
	const char *prev;
	uint64_t seq;

	CHECK(line->whole);
	CHECK(evidence_parse(line->text, line->len, &object, &seq, &prev) == 0);
	json_decref(object);
	CHECK(seq > seen->last);
	seen->last = seq;
	seen->n++;
	return 0;
}

static struct seen see_all(void)
{
	const char *const path = evidence;
	struct seen seen = {0};
	char **files = NULL;
	size_t n = 0;

	if (evidence_files(&path, 1, NULL, NULL, &files, &n))
		return seen;
	for (size_t i = 0; i < n; i++)
		CHECK(evidence_read(files[i], see, &seen) == 0);
	evidence_files_free(files, n);
	return seen;
}

static void check_copy(const struct fleet_receipt *receipt,
		       const struct seen *before)
{
	struct evidence_copy copy;
	struct seen now = see_all();
	uint64_t lines = 0;

	for (size_t i = 0; i < receipt->len; i++)
		lines += receipt->lines[i] == '\n';
	CHECK((receipt->outcome == FLEET_TAKEN) == (receipt->len > 0));
	CHECK(now.n == before->n + lines);
	CHECK(evidence_copy_find(evidence, &copy) == 0);
	CHECK(!copy.cut && copy.seq == now.last);
	if (!of->copy_known)
		return;
	CHECK(copy.seq == of->copy.seq && copy.segment == of->copy.segment);
	CHECK(copy.bytes == of->copy.bytes);
	CHECK(copy.ends_signed == of->copy.ends_signed);
	CHECK(!copy.seq || strcmp(copy.hash, of->copy.hash) == 0);
}

static void receive(const uint8_t *data, size_t size)
{
	const struct seen before = see_all();
	struct fleet_receipt receipt;
	size_t len;
	void *box = close_body(data, size, FLEET_REPORT_DOMAIN, &len);

	CHECK(fleet_receive(fleet, "print-01", box, len, &receipt) == 0);
	free(box);
	CHECK(receipt.host == of);
	check_copy(&receipt, &before);
	fleet_receipt_release(&receipt);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const uint8_t *end;
	size_t len;

	load_fleet();
	clear();
	for (int i = 0; i < REPORTS_MAX && size; i++) {
		end = memchr(data, '\0', size);
		len = end ? (size_t)(end - data) : size;
		receive(data, len);
		len += end != NULL;
		data += len;
		size -= len;
	}
	fuzz_selftest(of->received.reports == 2 && !of->received.broken_s,
		      of->received.broken_s);
	return 0;
}
