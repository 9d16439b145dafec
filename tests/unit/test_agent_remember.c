// SPDX-License-Identifier: GPL-2.0-only
/*
 * What an agent does not forget: whoever deletes files, sets the clock or sends
 * serials beyond all bounds brings no old policy back, and does not keep new
 * ones out for good.
 */
#include "agent_host.h"

#include <errno.h>
#include <unistd.h>

#include "state.h"
#include "text.h"

#define DAY  86400LL
#define YEAR (365 * DAY)

static void shell(const char *format, const char *a, const char *b)
{
	char command[512];

	(void)snprintf(command, sizeof(command), format, a, b);
	assert_int_equal(system(command), 0);
}

/* ---- files that are deleted ---------------------------------------------- */

/* What a host is left with that had serial 7 in force, and 5 before. */
static const char *const places[] = {
	"remembered.json", "remembered.json.old", "state",	    "state.old",
	"policy.json",	   "policy.json.old",	  "trust.yaml.old", "evidence",
};
#define PLACES (sizeof(places) / sizeof(places[0]))

static void save_all(void)
{
	shell("rm -rf '%1$s/saved' && cp -a '%2$s' '%1$s/saved'", host.dir,
	      host.state);
}

static void bring_back(void)
{
	end_agent(false);
	shell("rm -rf '%2$s' && cp -a '%1$s/saved' '%2$s'", host.dir,
	      host.state);
}

static void drop(const char *name)
{
	shell("rm -rf '%s/%s'", host.state, name);
}

/* Serial 7 is in force, and has been over a restart. */
static void begin(void)
{
	enrol();
	put_policy(7, ALICE | BOB);
	assert_int_equal(reload(), 7);
	agent_save(&host.agent);
	assert_int_equal(start(false), 7);
	end_agent(false);
	save_all();
}

/* Serial 5 was signed as well, and is what lies there now. */
static void assert_not_back(size_t a, size_t b, bool boot)
{
	const struct guard_state before = guarded;
	uint64_t serial;

	bring_back();
	guarded = before;
	drop(places[a]);
	drop(places[b]);
	put_policy(5, ALICE | BOB);
	serial = start(boot);
	if (serial == 5 || (!boot && serial != 7))
		fail_msg("serial %d without %s and %s", (int)serial, places[a],
			 places[b]);
	/* And what is newer comes. */
	put_policy(8, ALICE | BOB);
	if (start(boot) != 8)
		fail_msg("without %s and %s: %s", places[a], places[b],
			 host.agent.problem);
	guarded = before;
}

static void no_file_is_missed_when_the_guard_is_pinned(void **state)
{
	(void)state;
	begin();
	for (size_t a = 0; a < PLACES; a++)
		for (size_t b = a; b < PLACES; b++)
			assert_not_back(a, b, false);
}

static void no_file_is_missed_when_the_host_boots(void **state)
{
	(void)state;
	begin();
	for (size_t a = 0; a < PLACES; a++)
		for (size_t b = a; b < PLACES; b++)
			assert_not_back(a, b, true);
}

/* The same for the time, where the clock is set back before the end of a
 * policy that was never in force here. */
static void assert_not_young(size_t a, size_t b, bool boot)
{
	const struct guard_state before = guarded;
	char expires[64], at[TEXT_NUMBER_CHARS_MAX];

	bring_back();
	guarded = before;
	drop(places[a]);
	drop(places[b]);
	clock_ahead_s = -YEAR;
	text_format_time(time(NULL) - DAY, at, sizeof(at));
	(void)snprintf(expires, sizeof(expires), "expires: %s\n", at);
	put_policy_of("Police", 8, expires, ALICE | BOB);
	if (start(boot) == 8)
		fail_msg("young again without %s and %s", places[a], places[b]);
	clock_ahead_s = 0;
	guarded = before;
}

static void time_is_not_forgotten_when_files_are_deleted(void **state)
{
	(void)state;
	begin();
	for (int boot = 0; boot < 2; boot++)
		for (size_t a = 0; a < PLACES; a++)
			for (size_t b = a; b < PLACES; b++)
				assert_not_young(a, b, boot);
}

static void damaged_files_are_as_good_as_none(void **state)
{
	static const char *const bad[] = {"", "{", "{\"cordon\":1}", "[[[["};

	(void)state;
	begin();
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		bring_back();
		put(kept("remembered.json"), bad[i]);
		put(kept("remembered.json.old"), bad[i]);
		put(kept("state"), bad[i]);
		put_policy(5, ALICE | BOB);
		assert_int_equal(start(true), 7);
		assert_problem("is older than 7");
	}
}

/* Nobody has signed the number beside the policy. */
static void serial_of_what_is_kept_is_not_believed_unsigned(void **state)
{
	char *text = NULL, *at;
	size_t len;

	(void)state;
	begin();
	assert_int_equal(state_get(kept("policy.json"), 65536, &text, &len), 0);
	text = realloc(text, len + 32);
	assert_non_null(text);
	text[len] = '\0';
	at = strstr(text, "\"serial\":7");
	assert_non_null(at);
	memmove(at + 28, at + 10, strlen(at + 10) + 1);
	memcpy(at, "\"serial\":9000000000000000007", 28);
	put(kept("policy.json"), text);
	free(text);
	put_policy(8, ALICE | BOB);
	assert_int_equal(start(false), 8);
	/* Nor what is in one that nobody has signed. */
	end_agent(false);
	put_policy(2000000000, MALLORY);
	assert_int_equal(start(false), 8);
	put(kept("policy.json"),
	    "{\"cordon\":1,\"serial\":2000000000,\"policy\":\"cordon: 1\","
	    "\"signatures\":[]}");
	put_policy(9, ALICE | BOB);
	assert_int_equal(start(false), 9);
}

static void other_content_is_refused_when_nothing_was_kept(void **state)
{
	(void)state;
	begin();
	bring_back();
	drop("policy.json");
	put_policy_of("Police", 7, "# other\n", ALICE | BOB);
	assert_int_equal(start(false), 7);
	assert_problem("another policy with the serial 7");
}

/* ---- serials ------------------------------------------------------------- */

static void serial_beyond_a_step_is_refused(void **state)
{
	const int64_t step = (int64_t)REMEMBER_STEP_MAX;

	(void)state;
	enrol();
	put_policy(5 + step + 1, ALICE | BOB);
	assert_int_equal(reload(), 5);
	assert_problem("is more than 4294967296 above 5, the highest");
	put_policy(INT64_MAX, ALICE | BOB);
	assert_int_equal(reload(), 5);
	assert_int_equal(start(true), 5);
	assert_problem("is more than 4294967296 above 5, the highest");
	/* One by date is no jump, and a step is none. */
	put_policy(2026113001, ALICE | BOB);
	assert_int_equal(reload(), 2026113001);
	put_policy(2026113001 + step, ALICE | BOB);
	assert_int_equal(reload(), 2026113001 + step);
	assert_string_equal(host.agent.problem, "");
}

/* ---- clocks -------------------------------------------------------------- */

static void assert_clock(const char *found)
{
	const json_t *line = last_recorded("clock");

	assert_non_null(line);
	assert_string_equal(evidence_text(line, "state"), found);
}

static void put_policy_until(int64_t serial, int64_t from_s, int64_t until_s)
{
	char from[TEXT_NUMBER_CHARS_MAX], until[TEXT_NUMBER_CHARS_MAX];
	char more[128];

	text_format_time(time(NULL) + from_s, from, sizeof(from));
	text_format_time(time(NULL) + until_s, until, sizeof(until));
	(void)snprintf(more, sizeof(more), "not-before: %s\nexpires: %s\n",
		       from, until);
	put_policy_of("Police", serial, more, ALICE | BOB);
}

static void clock_that_is_set_back_makes_nothing_young(void **state)
{
	(void)state;
	enrol();
	put_policy_until(6, -2 * YEAR, -DAY);
	assert_int_equal(reload(), 5);
	assert_problem("it expired at");
	clock_ahead_s = -YEAR;
	assert_int_equal(reload(), 5);
	assert_problem("it expired at");
	assert_int_equal(host.agent.clock_found, REMEMBER_BEHIND);
	assert_clock("behind");
	/* Over a boot, and what has begun since is good. */
	assert_int_equal(start(true), 5);
	assert_problem("it expired at");
	assert_clock("behind");
	put_policy_until(7, -DAY, DAY);
	assert_int_equal(reload(), 7);
	clock_ahead_s = 0;
	assert_int_equal(reload(), 7);
	assert_clock("right");
	assert_int_equal(host.agent.clock_found, REMEMBER_RIGHT);
}

static void policy_that_was_in_force_tells_the_time(void **state)
{
	(void)state;
	enrol();
	put_policy_until(6, -DAY, DAY);
	assert_int_equal(reload(), 6);
	end_agent(false);
	/* Of all that remembers this alone is left: it was signed. */
	drop("remembered.json*");
	drop("state*");
	drop("evidence");
	shell("rm -f '%s'/remembered.json* '%s'/state*", host.state,
	      host.state);
	clock_ahead_s = -2 * YEAR;
	put_policy_until(7, -2 * YEAR, -2 * DAY);
	assert_int_equal(start(true), 6);
	assert_problem("it expired at");
}

static void clock_far_ahead_leaves_the_host_usable_when_corrected(void **state)
{
	(void)state;
	enrol();
	clock_ahead_s = 70 * YEAR;
	assert_int_equal(start(true), 5);
	assert_clock("ahead");
	/* It counts as it is, as long as it is. */
	put_policy_until(6, -DAY, 3 * DAY);
	assert_int_equal(reload(), 5);
	assert_problem("it expired at");
	uptime_ahead_s = DAY - 600;
	clock_ahead_s += DAY - 600;
	assert_int_equal(reload(), 5);
	assert_int_equal(start(true), 5);
	clock_ahead_s = uptime_ahead_s;
	assert_int_equal(start(true), 6);
	assert_int_equal(host.agent.clock_found, REMEMBER_RIGHT);
}

/* Somebody vouched for it. */
static void poison(void)
{
	enrol();
	clock_ahead_s = 70 * YEAR;
	clock_synchronised = true;
	assert_int_equal(reload(), 5);
	assert_int_equal(start(true), 5);
	clock_ahead_s = 0;
	assert_int_equal(start(true), 5);
	assert_clock("behind");
}

static void host_takes_what_does_not_end_when_its_time_is_poisoned(void **state)
{
	(void)state;
	poison();
	put_policy_until(6, -DAY, DAY);
	assert_int_equal(reload(), 5);
	assert_problem("it expired at");
	put_policy(7, ALICE | BOB);
	assert_int_equal(reload(), 7);
	assert_string_equal(host.agent.problem, "");
}

static void recovered_host_takes_policies_again(void **state)
{
	(void)state;
	poison();
	put_policy(4000000000, ALICE | BOB);
	assert_int_equal(reload(), 4000000000);
	put_policy_until(6, -DAY, DAY);
	assert_int_equal(reload(), 4000000000);
	assert_int_equal(agent_remember_recover(&host.agent, 5, time(NULL)), 0);
	assert_non_null(last_recorded("remembered"));
	assert_string_equal(evidence_text(last_recorded("remembered"), "state"),
			    "recovered");
	assert_int_equal(reload(), 6);
	assert_string_equal(host.agent.problem, "");
	assert_int_equal(host.agent.clock_found, REMEMBER_RIGHT);
	/* Also if the next one comes after a restart. */
	assert_int_equal(start(false), 6);
	assert_int_equal(host.agent.remember.serial, 6);
	assert_int_equal(start(true), 6);
	assert_int_equal(host.agent.remember.serial, 6);
}

static void recovered_host_stays_so_over_a_start(void **state)
{
	(void)state;
	poison();
	put_policy(4000000000, ALICE | BOB);
	assert_int_equal(reload(), 4000000000);
	assert_int_equal(agent_remember_recover(&host.agent, 5, time(NULL)), 0);
	put_policy_until(6, -DAY, DAY);
	assert_int_equal(start(false), 6);
	assert_int_equal(agent_remember_recover(&host.agent, 5, time(NULL)), 0);
	assert_int_equal(start(true), 6);
}

/* Its policy is better than none, and no measure of the next one. */
static void recovered_host_begins_with_what_it_had(void **state)
{
	(void)state;
	enrol();
	put_policy(4000000000, ALICE | BOB);
	assert_int_equal(reload(), 4000000000);
	assert_int_equal(agent_remember_recover(&host.agent, 5, time(NULL)), 0);
	put_policy(0, 0);
	assert_int_equal(start(true), 4000000000);
	assert_int_equal(host.agent.remember.serial, 5);
	assert_int_equal(start(false), 4000000000);
	assert_int_equal(host.agent.remember.serial, 5);
	put_policy(6, ALICE | BOB);
	assert_int_equal(reload(), 6);
	assert_int_equal(start(true), 6);
}

/* ---- the log ------------------------------------------------------------- */

static void lines_wait_until_there_is_a_log(void **state)
{
	(void)state;
	put_trust(1, 2, ALICE | BOB | CAROL, 0, 0);
	put_policy(5, ALICE | BOB);
	assert_int_equal(start_without_log(true), 5);
	put_policy(6, ALICE);
	assert_int_equal(reload(), 5);
	assert_null(last_recorded("trust"));
	assert_null(last_recorded("refused"));
	open_log();
	assert_string_equal(evidence_text(last_recorded("trust"), "state"),
			    "enrolled");
	assert_non_null(last_recorded("refused"));
	assert_non_null(last_recorded("remembered"));
	/* Once, and what comes later comes at once. */
	(void)json_array_clear(recorded);
	assert_int_equal(reload(), 5);
	assert_null(last_recorded("trust"));
	assert_int_equal(json_array_size(recorded), 1);
}

/* And it is compared with what was kept, late as it is. */
static void anchors_are_compared_when_the_log_comes_late(void **state)
{
	(void)state;
	enrol();
	end_agent(true);
	drop("trust.yaml");
	drop("trust.yaml.old");
	drop("policy.json");
	drop("policy.json.old");
	unmark();
	put_trust(1, 1, MALLORY, 0, MALLORY);
	put_policy(6, MALLORY);
	(void)start_without_log(true);
	open_log();
	assert_true(host.agent.trust_replaced);
	put_policy(7, MALLORY);
	(void)reload();
	assert_problem("not those that were in force");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		on_a_host(no_file_is_missed_when_the_guard_is_pinned),
		on_a_host(no_file_is_missed_when_the_host_boots),
		on_a_host(time_is_not_forgotten_when_files_are_deleted),
		on_a_host(damaged_files_are_as_good_as_none),
		on_a_host(serial_of_what_is_kept_is_not_believed_unsigned),
		on_a_host(other_content_is_refused_when_nothing_was_kept),
		on_a_host(serial_beyond_a_step_is_refused),
		on_a_host(clock_that_is_set_back_makes_nothing_young),
		on_a_host(policy_that_was_in_force_tells_the_time),
		on_a_host(
			clock_far_ahead_leaves_the_host_usable_when_corrected),
		on_a_host(
			host_takes_what_does_not_end_when_its_time_is_poisoned),
		on_a_host(recovered_host_takes_policies_again),
		on_a_host(recovered_host_stays_so_over_a_start),
		on_a_host(recovered_host_begins_with_what_it_had),
		on_a_host(lines_wait_until_there_is_a_log),
		on_a_host(anchors_are_compared_when_the_log_comes_late),
	};

	return cmocka_run_group_tests(tests, make_people, NULL);
}
