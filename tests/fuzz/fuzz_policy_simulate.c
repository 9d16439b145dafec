// SPDX-License-Identifier: GPL-2.0-only
/*
 * Fuzz target of the lines of a ledger that a policy is tried on: whoever gives
 * them may have written them. What it asserts beyond "no crash": what is said
 * of a use is one of the words, no more rows are put together than there were,
 * and what is said to fit is within its budget.
 *
 * Known-bad modes: see fuzz_policy.c; here the seed called selftest* has a row
 * of 7 bytes, and a mutant one of 9.
 */
#include "fuzz.h"

#include "policy_simulate.h"

#define ROWS_MAX 64

static const char text[] =
	"cordon: 1\nissuer: F\nserial: 1\nmode: enforce\n"
	"datasets:\n  d: {paths: [/srv/d], record: file}\n"
	"  rows: {paths: [/srv/r.csv], record: {bytes: 16}}\n"
	"subjects:\n  backup: {user: root}\n"
	"destinations:\n  out: {networks: [10.0.0.0/8], ports: [22]}\n"
	"rules:\n"
	"  - {subject: backup, dataset: \"*\", read: unlimited,\n"
	"     release: {out: 3 records/hour, \"*\": 1KiB/hour}}\n"
	"  - {subject: \"*\", dataset: d, per: user, read: 2 records/day,\n"
	"     release: none}\n";

static const struct policy *policy_of(void)
{
	static struct policy *policy;

	if (!policy)
		CHECK(policy_parse("p", text, sizeof(text) - 1, &policy,
				   NULL) == 0);
	return policy;
}

static void check_use(const struct policy_use *use, size_t rows)
{
	CHECK(use->sent < POLICY_SENTS && use->blocked < POLICY_BLOCKEDS);
	CHECK(policy_sent_name(use->sent) && policy_blocked_name(use->blocked));
	CHECK(use->rows <= rows && use->by_name <= use->rows);
	if (use->sent == POLICY_SENT_FITS && use->budget && use->enforced &&
	    !use->unknown && use->budget->bytes_window_ns)
		CHECK(use->bytes <= use->budget->bytes);
}

/* Each line is a row or an event, of one of two guards. */
static size_t take(struct policy_simulation *simulation, const uint8_t *data,
		   size_t size)
{
	const uint8_t *end;
	size_t rows = 0, len;
	json_t *line;

	for (; size && rows < ROWS_MAX; data += len, size -= len) {
		end = memchr(data, '\n', size);
		len = end ? (size_t)(end - data) + 1 : size;
		line = json_loadb((const char *)data, len, 0, NULL);
		if (!json_is_object(line)) {
			json_decref(line);
			continue;
		}
		if (!policy_simulation_row(simulation, len & 1, line)) {
			json_int_t bytes = json_integer_value(
				json_object_get(line, "bytes"));

			fuzz_selftest(bytes == 7, bytes == 9);
			rows++;
		}
		(void)policy_simulation_event(simulation, len & 1, line);
		json_decref(line);
	}
	return rows;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct policy_simulation *simulation;
	const struct policy_use *uses;
	size_t n = 0, rows;

	CHECK(policy_simulation_new(policy_of(), &simulation) == 0);
	rows = take(simulation, data, size);
	CHECK(policy_simulation_judge(simulation, &uses, &n) == 0);
	for (size_t i = 0; i < n; i++)
		check_use(&uses[i], rows);
	policy_simulation_free(simulation);
	return 0;
}
