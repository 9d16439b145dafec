// SPDX-License-Identifier: GPL-2.0-only
/*
 * Fuzz target of reports: what a host, of which somebody else may be master by
 * now, signs and seals; and what somebody sends who has no key. What it asserts
 * beyond "no crash": nothing is taken of the latter; a report has as many lines
 * as it says, in bounds, and where it says that they are a log, their numbers
 * and hashes are those of one; and made again it is the same.
 *
 * Known-bad modes: see fuzz_policy.c; here the newest line is 77 in the seed
 * called selftest*, and another in a mutant.
 */
#include "fleet.h"

static void check_chain(const struct fleet_report *report)
{
	const char *at = report->lines, *end = at + report->len, *newline;
	char hash[SIGN_HASH_CHARS_MAX] = "", *prev;
	uint64_t seq = 0;
	json_t *object;

	for (size_t i = 0; at < end; i++, at = newline + 1) {
		newline = memchr(at, '\n', (size_t)(end - at));
		CHECK(newline);
		CHECK(evidence_parse(at, (size_t)(newline - at), &object, &seq,
				     (const char **)&prev) == 0);
		CHECK(strcmp(prev, i ? hash : report->prev) == 0);
		CHECK(i || seq == report->first);
		json_decref(object);
		sign_hash(at, (size_t)(newline - at), hash);
	}
	CHECK(seq == report->last && strcmp(hash, report->hash) == 0);
}

static void check_report(const struct fleet_report *report)
{
	struct fleet_report again;
	char msgid[FLEET_MSGID_CHARS_MAX];
	size_t len, n = 0;
	void *box;

	for (size_t i = 0; i < report->len; i++)
		n += report->lines[i] == '\n';
	CHECK(n == report->n && n >= 1 && n <= FLEET_LINES_MAX);
	CHECK(report->lines[report->len - 1] == '\n');
	CHECK(strcmp(report->host, "print-01") == 0);
	CHECK(report->first >= 1 && report->last >= report->first);
	CHECK(report->last <= report->head && report->segment >= 1);
	if (report->chained)
		check_chain(report);
	else
		CHECK(!report->prev[0] && !report->hash[0]);
	CHECK(fleet_report_make(&host, &force.public, report, &box, &len) == 0);
	CHECK(fleet_report_open(&force, &host.public, "print-01", box, len,
				&again) == 0);
	CHECK(again.len == report->len && again.head == report->head);
	CHECK(memcmp(again.lines, report->lines, again.len) == 0);
	fleet_report_msgid(&host, &again, 0, msgid);
	fleet_report_release(&again);
	free(box);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct fleet_report report;
	size_t len;
	void *box;
	int r;

	load_keys();
	r = fleet_report_open(&force, &host.public, "print-01", data, size,
			      &report);
	CHECK(r == -EBADMSG || r == -EMSGSIZE);
	box = close_body(data, size, FLEET_REPORT_DOMAIN, &len);
	r = fleet_report_open(&force, &host.public, "print-01", box, len,
			      &report);
	free(box);
	CHECK(!r || r == -EBADMSG || r == -EMSGSIZE || r == -EXDEV);
	if (r)
		return 0;
	fuzz_selftest(report.head == 77, report.head != 77);
	check_report(&report);
	fleet_report_release(&report);
	return 0;
}
