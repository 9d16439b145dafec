// SPDX-License-Identifier: GPL-2.0-only
/*
 * A host that was enrolled and has forgotten: it never begins anew, what begins
 * in the place of a policy denies all, and how that ends.
 */
#include "agent_host.h"

#include <sys/stat.h>
#include <unistd.h>

#include "state.h"

static void shell(const char *format)
{
	char command[512];

	(void)snprintf(command, sizeof(command), format, host.state, host.dir);
	assert_int_equal(system(command), 0);
}

/* Everything that it had, but for what the administrator put there. */
static void forget(void)
{
	end_agent(true);
	shell("rm -rf '%2$s/saved' && mv '%1$s' '%2$s/saved' && "
	      "mkdir -m 700 '%1$s'");
}

static void restore(void)
{
	end_agent(false);
	shell("rm -rf '%1$s' && mv '%2$s/saved' '%1$s'");
}

/* By the datasets that are in force. */
static void assert_strict(const char *dataset, const char *path)
{
	const struct policy *policy = host.agent.policy;
	char text[256];

	assert_true(agent_is_strict(&host.agent));
	assert_int_equal(policy->n_rules, 0);
	assert_int_equal(policy->mode, POLICY_ENFORCE);
	assert_int_equal(policy->serial, 0);
	assert_string_equal(policy->datasets[0].name, dataset);
	assert_string_equal(policy->datasets[0].paths[0].path, path);
	agent_describe(&host.agent, text, sizeof(text));
	assert_non_null(strstr(text, "STRICT"));
}

static void mark_says_that_a_host_was_enrolled(void **state)
{
	char path[96], *text = NULL;
	json_t *mark;
	size_t len;

	(void)state;
	(void)snprintf(path, sizeof(path), "%s/enrolled", host.etc);
	put_policy(5, 0);
	assert_int_equal(start(true), 5);
	assert_int_equal(access(path, F_OK), -1);
	enrol();
	assert_int_equal(state_get(path, 4096, &text, &len), 0);
	mark = json_loadb(text, len, 0, NULL);
	free(text);
	assert_string_equal(evidence_text(mark, "issuer"), "Police");
	assert_string_equal(evidence_text(mark, "sha256"),
			    host.agent.trust->sha256);
	json_decref(mark);
	/* It follows the anchors, and comes back when it was deleted. */
	put_trust(2, 2, ALICE | BOB, CAROL, ALICE | BOB);
	assert_int_equal(reload(), 5);
	text = NULL;
	assert_int_equal(state_get(path, 4096, &text, &len), 0);
	assert_non_null(memmem(text, len, host.agent.trust->sha256, 64));
	free(text);
	unmark();
	assert_int_equal(start(false), 5);
	assert_int_equal(access(path, F_OK), 0);
}

/* The anchors are there, as the mark tells; an older policy lies there. */
static void host_is_strict_when_all_memory_is_gone(void **state)
{
	(void)state;
	enrol();
	put_policy(7, ALICE | BOB);
	assert_int_equal(reload(), 7);
	forget();
	put_policy(5, ALICE | BOB);
	assert_int_equal(start(true), 0);
	assert_strict("d", "/srv/d");
	assert_int_equal(guarded.remembered.serial, 0);
	assert_problem("nothing on this host remembers");
	assert_string_equal(evidence_text(last_recorded("trust"), "state"),
			    "restored");
	assert_int_equal(evidence_number(last_recorded("policy"), "policy"), 0);
	/* It stays so, whatever comes. */
	put_policy(8, ALICE | BOB);
	assert_int_equal(reload(), 0);
	assert_problem("nothing on this host remembers");
	assert_int_equal(start(false), 0);
	assert_problem("nothing on this host remembers");
	assert_int_equal(start(true), 0);
	assert_strict("d", "/srv/d");
}

static void built_in_places_are_guarded_when_no_policy_is_good(void **state)
{
	(void)state;
	enrol();
	forget();
	put_policy(6, MALLORY);
	assert_int_equal(start(true), 0);
	assert_strict("built-in", "/srv");
	assert_string_equal(host.agent.policy->datasets[0].paths[1].path,
			    "/home");
	/* Nor are an intruder's anchors any, or his policies. */
	forget();
	put_trust(1, 1, MALLORY, 0, MALLORY);
	assert_int_equal(start(true), 0);
	assert_strict("built-in", "/srv");
	assert_problem("are gone: put back");
	assert_int_equal(reload(), 0);
	assert_int_equal(start(false), 0);
	assert_true(agent_is_strict(&host.agent));
	assert_problem("are gone: put back");
}

static void host_is_strict_when_its_anchors_were_replaced(void **state)
{
	char text[4096];
	char *bytes = NULL;
	size_t len;

	(void)state;
	enrol();
	end_agent(true);
	put_trust(1, 1, MALLORY, 0, MALLORY);
	assert_int_equal(state_get(host.trust, sizeof(text) - 1, &bytes, &len),
			 0);
	memcpy(text, bytes, len);
	text[len] = '\0';
	free(bytes);
	put(kept("trust.yaml"), text);
	put_policy(6, MALLORY);
	assert_int_equal(start(true), 0);
	assert_true(agent_is_strict(&host.agent));
	assert_problem("not those that the evidence tells of");
}

static void host_is_strict_when_nothing_that_is_signed_begins(void **state)
{
	(void)state;
	enrol();
	end_agent(true);
	(void)unlink(kept("policy.json"));
	put_policy(6, 0);
	assert_int_equal(start(true), 0);
	assert_strict("built-in", "/srv");
	assert_problem("not signed");
	/* What the issuer signs ends it: nothing was forgotten. */
	put_policy(6, ALICE | BOB);
	assert_int_equal(reload(), 6);
	assert_false(agent_is_strict(&host.agent));
}

/* Nor is a guard that is there and has none any better than no guard. */
static void host_is_strict_when_its_guard_never_got_a_policy(void **state)
{
	(void)state;
	enrol();
	end_agent(true);
	(void)unlink(kept("policy.json"));
	put_policy(6, 0);
	guard_is_empty = true;
	assert_int_equal(start(true), 0);
	assert_strict("built-in", "/srv");
	put_policy(6, ALICE | BOB);
	assert_int_equal(reload(), 6);
}

/* A mistake at the first start is none of these. */
static void host_that_never_had_a_policy_does_not_become_strict(void **state)
{
	(void)state;
	put_trust(1, 2, ALICE | BOB | CAROL, 0, 0);
	put_policy(5, ALICE);
	assert_int_equal(start(true), 0);
	assert_int_equal(guarded.generation, 0);
	assert_int_equal(start(true), 0);
	assert_int_equal(guarded.generation, 0);
	put_policy(5, ALICE | BOB);
	assert_int_equal(start(true), 5);
}

static void strict_host_ends_when_its_state_is_restored(void **state)
{
	(void)state;
	enrol();
	put_policy(7, ALICE | BOB);
	assert_int_equal(reload(), 7);
	forget();
	put_policy(5, ALICE | BOB);
	assert_int_equal(start(true), 0);
	assert_true(agent_is_strict(&host.agent));
	restore();
	assert_int_equal(start(false), 0);
	assert_problem("is older than 7");
	put_policy(7, ALICE | BOB);
	assert_int_equal(reload(), 7);
	assert_false(agent_is_strict(&host.agent));
	assert_string_equal(host.agent.problem, "");
}

static void strict_host_ends_when_the_issuer_says_so(void **state)
{
	(void)state;
	enrol();
	put_policy(7, ALICE | BOB);
	assert_int_equal(reload(), 7);
	forget();
	assert_int_equal(start(true), 0);
	assert_true(agent_is_strict(&host.agent));
	assert_int_equal(agent_remember_recover(&host.agent, 7, time(NULL)), 0);
	put_policy(6, ALICE | BOB);
	assert_int_equal(reload(), 0);
	assert_problem("is older than 7");
	put_policy(7, ALICE | BOB);
	assert_int_equal(reload(), 7);
	assert_false(agent_is_strict(&host.agent));
	assert_int_equal(start(true), 7);
}

/* The guard that runs knows what the files have forgotten. */
static void guard_that_is_pinned_remembers_when_all_files_are_gone(void **state)
{
	struct guard_state before;

	(void)state;
	enrol();
	put_policy(7, ALICE | BOB);
	assert_int_equal(reload(), 7);
	before = guarded;
	forget();
	guarded = before;
	put_policy(5, ALICE | BOB);
	assert_int_equal(start(false), 7);
	assert_problem("is older than 7");
	put_policy(8, ALICE | BOB);
	assert_int_equal(reload(), 8);
	assert_int_equal(start(true), 8);
	/* And whom it trusts, where the mark is gone as well. */
	before = guarded;
	forget();
	unmark();
	guarded = before;
	put_trust(1, 1, MALLORY, 0, MALLORY);
	put_policy(9, MALLORY);
	assert_int_equal(start(false), 8);
	assert_problem("not those that the guard remembers");
}

/* Where nothing says whose signatures count, none at all is not enough. */
static void unsigned_policy_is_refused_when_guard_knows_anchors(void **state)
{
	struct guard_state before;

	(void)state;
	enrol();
	before = guarded;
	forget();
	guarded = before;
	assert_int_equal(unlink(host.trust), 0);
	put_policy(8, 0);
	assert_int_equal(start(false), 5);
	assert_problem("are gone: put back");
	/* The mark that says so is deleted too. */
	end_agent(false);
	unmark();
	assert_int_equal(start(false), 5);
	assert_problem("are gone: put back");
	assert_int_equal(reload(), 5);
	assert_problem("are gone: put back");
	/* Nor does it begin anew with what comes now. */
	put_trust(1, 1, MALLORY, 0, MALLORY);
	put_policy(8, MALLORY);
	assert_int_equal(reload(), 5);
	assert_problem("are gone: put back");
	shell("cp '%2$s/etc/trust.yaml' '%1$s'");
	assert_int_equal(reload(), 5);
	assert_problem("not those that the");
}

static void unsigned_policy_is_refused_when_log_knows_anchors(void **state)
{
	(void)state;
	enrol();
	end_agent(true);
	shell("mkdir '%2$s/saved' && cd '%1$s' && "
	      "mv trust.yaml* policy.json* '%2$s/saved'");
	assert_int_equal(rename(host.trust, kept("../trust")), 0);
	unmark();
	put_policy(8, 0);
	assert_int_equal(start(true), 0);
	assert_strict("built-in", "/srv");
	assert_problem("are gone: put back");
	assert_int_equal(start(false), 0);
	assert_problem("are gone: put back");
	/* And the twin: what was there comes back. */
	shell("mv '%2$s/saved'/* '%1$s'");
	put_policy(8, ALICE | BOB);
	assert_int_equal(reload(), 8);
	assert_int_equal(start(false), 8);
}

/* Which anchors the mark tells of. */
static void assert_marked(const char *sha256)
{
	char marked[SIGN_HASH_CHARS_MAX];

	assert_true(agent_is_marked(&host.agent, marked));
	assert_string_equal(marked, sha256);
}

/* All but the evidence and the guard. */
static void lose_anchors(char ret_sha256[SIGN_HASH_CHARS_MAX])
{
	enrol();
	(void)strcpy(ret_sha256, host.agent.trust->sha256);
	end_agent(false);
	shell("rm '%1$s'/trust.yaml* '%1$s'/policy.json*");
	assert_int_equal(rename(host.trust, kept("../trust")), 0);
	unmark();
	put_policy(8, 0);
}

/* What else tells of them ends with a boot, and two segments later. */
static void assert_lost_for_ever(const char *sha256)
{
	assert_marked(sha256);
	forget();
	put_trust(1, 1, MALLORY, 0, MALLORY);
	put_policy(8, MALLORY);
	assert_int_equal(start(true), 0);
	assert_strict("built-in", "/srv");
	assert_problem("are gone: put back");
	assert_int_equal(reload(), 0);
	assert_problem("are gone: put back");
	assert_marked(sha256);
}

static void mark_comes_back_when_the_log_knows_anchors(void **state)
{
	char sha256[SIGN_HASH_CHARS_MAX];

	(void)state;
	lose_anchors(sha256);
	assert_int_equal(start(true), 0);
	assert_problem("are gone: put back");
	assert_lost_for_ever(sha256);
}

static void mark_comes_back_when_the_guard_knows_anchors(void **state)
{
	char sha256[SIGN_HASH_CHARS_MAX];

	(void)state;
	lose_anchors(sha256);
	shell("rm -r '%1$s/evidence'");
	assert_int_equal(start(false), 5);
	assert_problem("are gone: put back");
	assert_lost_for_ever(sha256);
}

/* The administrator has them still. */
static void anchors_that_were_lost_are_taken_when_they_are_back(void **state)
{
	char sha256[SIGN_HASH_CHARS_MAX];

	(void)state;
	lose_anchors(sha256);
	assert_int_equal(start(false), 5);
	put_trust(1, 1, MALLORY, 0, MALLORY);
	put_policy(8, MALLORY);
	assert_int_equal(reload(), 5);
	assert_problem("are gone: put back");
	assert_int_equal(rename(kept("../trust"), host.trust), 0);
	put_policy(8, ALICE | BOB);
	assert_int_equal(reload(), 8);
	assert_string_equal(host.agent.problem, "");
	assert_string_equal(host.agent.trust->sha256, sha256);
	assert_int_equal(start(true), 8);
}

/* Where others were put, with a mark of their own, as well. */
static void mark_is_of_the_anchors_that_were_replaced(void **state)
{
	char sha256[SIGN_HASH_CHARS_MAX];

	(void)state;
	lose_anchors(sha256);
	put_trust(1, 1, MALLORY, 0, MALLORY);
	shell("cp '%2$s/etc/trust.yaml' '%1$s' && "
	      "echo '{\"sha256\": \"00\"}' >'%2$s/etc/enrolled'");
	assert_int_equal(start(false), 5);
	assert_problem("not those that the evidence tells of");
	assert_marked(sha256);
}

/* Of a host that nobody has enrolled. */
static void unsigned_policy_is_taken_when_nothing_knows_anchors(void **state)
{
	struct guard_state before;

	(void)state;
	put_policy(5, 0);
	assert_int_equal(start(true), 5);
	before = guarded;
	forget();
	guarded = before;
	put_policy(8, 0);
	assert_int_equal(start(false), 8);
	assert_int_equal(start(true), 8);
}

static void host_is_enrolled_while_its_agent_runs(void **state)
{
	(void)state;
	put_policy(5, 0);
	assert_int_equal(start(true), 5);
	put_policy(6, 0);
	put_trust(1, 2, ALICE | BOB | CAROL, 0, 0);
	assert_int_equal(reload(), 5);
	assert_problem("not signed");
	put_policy(6, ALICE | BOB);
	assert_int_equal(reload(), 6);
	put_policy(7, 0);
	assert_int_equal(reload(), 6);
	assert_int_equal(start(false), 6);
	assert_int_equal(start(true), 6);
	forget();
	assert_int_equal(start(true), 0);
	assert_true(agent_is_strict(&host.agent));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		on_a_host(mark_says_that_a_host_was_enrolled),
		on_a_host(host_is_strict_when_all_memory_is_gone),
		on_a_host(built_in_places_are_guarded_when_no_policy_is_good),
		on_a_host(host_is_strict_when_its_anchors_were_replaced),
		on_a_host(host_is_strict_when_nothing_that_is_signed_begins),
		on_a_host(host_is_strict_when_its_guard_never_got_a_policy),
		on_a_host(host_that_never_had_a_policy_does_not_become_strict),
		on_a_host(strict_host_ends_when_its_state_is_restored),
		on_a_host(strict_host_ends_when_the_issuer_says_so),
		on_a_host(
			guard_that_is_pinned_remembers_when_all_files_are_gone),
		on_a_host(unsigned_policy_is_refused_when_guard_knows_anchors),
		on_a_host(unsigned_policy_is_refused_when_log_knows_anchors),
		on_a_host(mark_comes_back_when_the_log_knows_anchors),
		on_a_host(mark_comes_back_when_the_guard_knows_anchors),
		on_a_host(anchors_that_were_lost_are_taken_when_they_are_back),
		on_a_host(mark_is_of_the_anchors_that_were_replaced),
		on_a_host(unsigned_policy_is_taken_when_nothing_knows_anchors),
		on_a_host(host_is_enrolled_while_its_agent_runs),
	};

	return cmocka_run_group_tests(tests, make_people, NULL);
}
