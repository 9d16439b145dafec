// SPDX-License-Identifier: GPL-2.0-only
/* What a force finds wrong with a host. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "fleet_view.h"

#define HASH  "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
#define OTHER "1123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
#define NOW   1790000000

static struct fleet_received received;
static struct fleet_word word;
static struct fleet_pushed pushed;
static struct fleet_look look;

/* A host that has what was pushed, and whose evidence is all here. */
static int well(void **state)
{
	(void)state;
	received = (struct fleet_received){.seq = 9, .reports = 1};
	pushed = (struct fleet_pushed){.serial = 42, .sha256 = HASH};
	word = (struct fleet_word){
		.heard_s = NOW,
		.attest = {.time_s = NOW,
			   .policy_serial = 42,
			   .policy_sha256 = HASH,
			   .mode = "enforce",
			   .health = "good",
			   .evidence_seq = 9},
	};
	look = (struct fleet_look){.received = &received,
				   .word = &word,
				   .pushed = &pushed,
				   .fresh = true,
				   .asked = true,
				   .receiving = true,
				   .now_s = NOW};
	return 0;
}

static void lift(const char *sha256, int64_t until_s)
{
	(void)strcpy(word.attest.mode, "lifted");
	(void)strcpy(word.attest.lifted_sha256, sha256);
	word.attest.lifted_until_s = until_s;
}

static void finds(enum fleet_finding finding, bool note, const char *words)
{
	char told[FLEET_WORDS_MAX];

	assert_int_equal(fleet_findings(&look), 1U << finding);
	assert_int_equal(fleet_is_note(&look, finding), note);
	fleet_finding_words(&look, finding, told, sizeof(told));
	assert_non_null(strstr(told, words));
}

static void nothing_is_found_when_all_is_as_it_should_be(void **state)
{
	(void)state;
	assert_int_equal(fleet_findings(&look), 0);
}

static void every_finding_has_a_name_of_its_own(void **state)
{
	(void)state;
	for (unsigned int i = 0; i < FLEET_FINDINGS; i++)
		for (unsigned int j = 0; j < i; j++)
			assert_string_not_equal(fleet_finding_name(i),
						fleet_finding_name(j));
}

static void host_is_not_good_when_an_act_of_others_lifts_it(void **state)
{
	(void)state;
	lift(OTHER, NOW + 600);
	finds(FLEET_LIFTED, false, "until 2026-09-21T14:23:20Z");
	finds(FLEET_LIFTED, false, "did not come from here");
	(void)strcpy(pushed.lift_sha256, HASH);
	finds(FLEET_LIFTED, false, "did not come from here");
}

static void host_is_good_when_the_force_has_lifted_it(void **state)
{
	(void)state;
	(void)strcpy(pushed.lift_sha256, HASH);
	lift(HASH, NOW + 600);
	finds(FLEET_LIFTED, true, "was pushed from here");
	finds(FLEET_LIFTED, true, "until 2026-09-21T14:23:20Z");
}

/* The guard is lifted, and the agent has lost what it knew of the act. */
static void host_is_not_good_when_nobody_knows_what_lifts_it(void **state)
{
	(void)state;
	lift("", 0);
	finds(FLEET_LIFTED, false, "nobody says when");
	(void)strcpy(pushed.lift_sha256, HASH);
	finds(FLEET_LIFTED, false, "did not come from here");
}

static void host_that_observes_is_good_by_its_policy(void **state)
{
	(void)state;
	(void)strcpy(word.attest.mode, "observe");
	finds(FLEET_OBSERVES, true, "it observes");
	(void)strcpy(word.attest.mode, "sleep");
	finds(FLEET_OBSERVES, true, "nothing is blocked");
}

/* Nothing of it is held back: there is no room for it. */
static void host_that_has_no_room_is_told_with_how_much_it_has(void **state)
{
	(void)state;
	received.full_s = NOW - 120;
	received.room = 10ULL << 30;
	word.attest.evidence_seq = 400;
	received.behind_s = NOW - 600;
	finds(FLEET_FULL, false, "has 10 GiB, all that one host's may have");
	received.full_s = 0;
	received.later_s = NOW + 10;
	assert_int_equal(fleet_findings(&look), 0);
	received.later_s = NOW;
	finds(FLEET_BEHIND, false, "the broker holds them back");
}

int main(void)
{
#define LOOK(f) cmocka_unit_test_setup(f, well)
	const struct CMUnitTest tests[] = {
		LOOK(nothing_is_found_when_all_is_as_it_should_be),
		LOOK(every_finding_has_a_name_of_its_own),
		LOOK(host_is_not_good_when_an_act_of_others_lifts_it),
		LOOK(host_is_good_when_the_force_has_lifted_it),
		LOOK(host_is_not_good_when_nobody_knows_what_lifts_it),
		LOOK(host_that_observes_is_good_by_its_policy),
		LOOK(host_that_has_no_room_is_told_with_how_much_it_has),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
