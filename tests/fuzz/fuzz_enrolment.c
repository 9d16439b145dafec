// SPDX-License-Identifier: GPL-2.0-only
/*
 * Fuzz target of both files of an enrolment. What it asserts beyond "no crash":
 * what is taken can be written, and comes back the same; a refusal says why.
 *
 * Known-bad modes: see fuzz_policy.c; here the issuer is "Fuzz Selftest" in the
 * seed called selftest*, and something else in a mutant.
 */
#include "fuzz.h"

#include "enrolment.h"

static void check_parts(const struct enrolment *enrolment)
{
	char name[FLEET_NAME_CHARS_MAX + 1];

	CHECK(enrolment->serial && enrolment->n_servers >= 1);
	CHECK(enrolment->n_servers <= LINK_SERVERS_MAX &&
	      enrolment->n_groups <= LINK_GROUPS_MAX);
	CHECK(!fleet_name(enrolment->host, name));
	for (size_t i = 0; i < enrolment->n_servers; i++)
		CHECK(link_is_server(enrolment->servers[i]));
	for (size_t i = 0; i < enrolment->n_groups; i++)
		CHECK(fleet_is_name(enrolment->groups[i],
				    strlen(enrolment->groups[i])));
}

static void check_again(const struct enrolment *enrolment)
{
	struct enrolment *again = NULL;
	char *text = NULL;

	/* An issuer can be called what cannot be quoted. */
	if (enrolment_format(enrolment, &text))
		return;
	CHECK(!enrolment_parse("again", text, strlen(text), &again, NULL));
	CHECK(strcmp(again->host, enrolment->host) == 0);
	CHECK(memcmp(&again->key, &enrolment->key, sizeof(again->key)) == 0);
	CHECK(memcmp(&again->seal, &enrolment->seal, sizeof(again->seal)) == 0);
	CHECK(again->n_servers == enrolment->n_servers &&
	      again->n_groups == enrolment->n_groups &&
	      again->serial == enrolment->serial);
	enrolment_free(again);
	free(text);
}

static void check_request(const uint8_t *data, size_t size)
{
	static struct policy_errors errs;
	struct enrolment_request request;
	char name[FLEET_NAME_CHARS_MAX + 1];

	if (enrolment_request_parse("fuzz", data, size, &request, &errs)) {
		CHECK(errs.n > 0);
		return;
	}
	CHECK(!fleet_name(request.host, name));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct policy_errors errs;
	struct enrolment *enrolment = NULL;

	check_request(data, size);
	if (enrolment_parse("fuzz", data, size, &enrolment, &errs)) {
		CHECK(errs.n > 0);
		return 0;
	}
	check_parts(enrolment);
	check_again(enrolment);
	fuzz_selftest(strcmp(enrolment->issuer, "Fuzz Selftest") == 0,
		      strcmp(enrolment->issuer, "Fuzz Selftest") != 0);
	enrolment_free(enrolment);
	return 0;
}
