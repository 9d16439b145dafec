// SPDX-License-Identifier: GPL-2.0-only
/*
 * Which policies an agent takes at its start and later, from files that
 * somebody who has root's may have changed.
 */
#include "agent_host.h"

#include <errno.h>
#include <sys/stat.h>
#include <unistd.h>

#include "state.h"

/* ---- what is gone -------------------------------------------------------- */

static void unsigned_policy_is_refused_when_all_anchors_are_gone(void **state)
{
	(void)state;
	enrol();
	(void)unlink(kept("trust.yaml"));
	(void)unlink(host.trust);
	put_policy(6, 0);
	/* The guard that runs goes on, and a reload changes nothing. */
	assert_int_equal(start(false), 5);
	assert_non_null(last_recorded("refused"));
	assert_problem("are gone: put back");
	assert_int_equal(reload(), 5);
	assert_int_equal(start(true), 0);
}

static void others_anchors_are_refused_when_its_own_are_gone(void **state)
{
	(void)state;
	enrol();
	(void)unlink(kept("trust.yaml"));
	put_trust(1, 1, MALLORY, 0, MALLORY);
	put_policy(6, MALLORY);
	assert_int_equal(start(false), 5);
	assert_problem("are gone: put back");
	assert_int_equal(reload(), 5);
	assert_int_equal(start(true), 0);
	/* And when what was kept is damaged as well. */
	put(kept("policy.json"), "{\"cordon\": 1");
	assert_int_equal(start(true), 0);
}

static void anchors_are_those_that_the_evidence_tells_of(void **state)
{
	char own[4096], others[4096];

	(void)state;
	put_trust(1, 2, ALICE | BOB | CAROL, 0, 0);
	put_policy(5, ALICE | BOB);
	assert_int_equal(start(true), 5);
	assert_int_equal(start(false), 5);
	assert_false(host.agent.trust_replaced);
	read_whole(kept("trust.yaml"), own, sizeof(own));
	/* Whoever has root's files writes others over them. */
	put_trust(1, 1, MALLORY, 0, MALLORY);
	read_whole(host.trust, others, sizeof(others));
	put(kept("trust.yaml"), others);
	put_policy(6, MALLORY);
	for (int i = 0; i < 3; i++) {
		assert_int_equal(start(false), 5);
		assert_problem("not those that the evidence tells of");
		assert_int_equal(reload(), 5);
	}
	/* And if nothing else is left of them. */
	(void)unlink(kept("trust.yaml"));
	(void)unlink(kept("trust.yaml.old"));
	(void)unlink(kept("policy.json"));
	(void)unlink(kept("policy.json.old"));
	assert_int_equal(start(false), 5);
	assert_problem("are gone: put back");
	unmark();
	assert_int_equal(start(false), 5);
	assert_true(host.agent.trust_replaced);
	/* Once they are back, all is as it was. */
	put(kept("trust.yaml"), own);
	put(host.trust, own);
	put_policy(6, ALICE | CAROL);
	assert_int_equal(start(false), 6);
	assert_false(host.agent.trust_replaced);
}

static void next_anchors_are_those_that_the_evidence_tells_of(void **state)
{
	(void)state;
	put_trust(1, 2, ALICE | BOB | CAROL, 0, 0);
	put_policy(5, ALICE | BOB);
	assert_int_equal(start(true), 5);
	put_trust(2, 2, ALICE | BOB, CAROL, ALICE | BOB);
	assert_int_equal(start(false), 5);
	assert_int_equal(host.agent.trust->version, 2);
	assert_false(host.agent.trust_replaced);
	put_policy(6, ALICE | BOB);
	assert_int_equal(start(false), 6);
	assert_false(host.agent.trust_replaced);
}

static void expired_policy_begins_at_no_boot(void **state)
{
	(void)state;
	enrol();
	put_policy_of("Police", 6, "expires: 2020-01-01T00:00:00Z\n",
		      ALICE | BOB);
	assert_int_equal(start(true), 5);
	assert_problem("expired");
}

static void damaged_anchors_are_no_reason_to_end(void **state)
{
	(void)state;
	enrol();
	put(kept("trust.yaml"), "cordon-trust: 1\n");
	assert_int_equal(start(false), 5);
	assert_problem("are damaged: put back");
	assert_int_equal(reload(), 5);
	assert_int_equal(start(true), 0);
}

static void first_anchors_that_are_bad_are_no_reason_to_end(void **state)
{
	(void)state;
	put_policy(5, 0);
	assert_int_equal(start(true), 5);
	put(host.trust, "cordon-trust: 1\n");
	assert_int_equal(start(false), 5);
	assert_problem("trust.yaml");
}

/* One by one, and in pairs: nothing older, and nothing that is not signed. */
static void nothing_is_rolled_back_when_files_are_deleted(void **state)
{
	static const char *const files[] = {"trust.yaml", "policy.json", NULL};

	(void)state;
	enrol();
	put_policy(7, ALICE | CAROL);
	assert_int_equal(reload(), 7);
	for (size_t i = 0; files[i]; i++) {
		char bytes[8192] = "";
		FILE *f = fopen(kept(files[i]), "re");

		assert_non_null(f);
		bytes[fread(bytes, 1, sizeof(bytes) - 1, f)] = '\0';
		(void)fclose(f);
		(void)unlink(kept(files[i]));
		/* The anchors are in the file as well, as the mark tells. */
		put_policy(5, ALICE | BOB);
		assert_int_equal(start(false), 7);
		assert_int_equal(start(true), i ? 0 : 7);
		put_policy(9, 0);
		assert_int_equal(start(true), i ? 0 : 7);
		assert_int_equal(agent_is_strict(&host.agent), i);
		put(kept(files[i]), bytes);
		put_policy(7, ALICE | CAROL);
		assert_int_equal(start(true), 7);
	}
	put_policy(5, ALICE | BOB);
	assert_int_equal(start(true), 7);
	assert_problem("is older than 7");
}

/* ---- the policy that was kept -------------------------------------------- */

static void kept_policy_begins_when_the_file_is_an_older_one(void **state)
{
	(void)state;
	enrol();
	put_policy(7, ALICE | BOB);
	assert_int_equal(reload(), 7);
	put_policy(5, ALICE | BOB);
	assert_int_equal(start(true), 7);
	assert_problem("is older than 7");
	assert_int_equal(reload(), 7);
	put_policy(8, ALICE | BOB);
	assert_int_equal(reload(), 8);
	assert_string_equal(host.agent.problem, "");
}

/* As the agent writes it, of whatever is in the policy's file. */
static void keep_anything(int serial)
{
	struct policy_errors errs;
	struct policy policy = {.serial = (uint64_t)serial};
	struct agent agent = {.opts = &host.opts, .policy = &policy};
	struct trust_bundle bundle;

	assert_int_equal(trust_bundle_read(host.policy, &bundle, &errs), 0);
	agent_trust_keep(&agent, &bundle);
	trust_bundle_release(&bundle);
}

static void what_is_kept_is_refused_when_it_is_not_this_hosts(void **state)
{
	(void)state;
	enrol();
	put_policy_of("Police", 6, "hosts: [other-host]\n", ALICE | BOB);
	assert_int_equal(reload(), 5);
	keep_anything(6);
	put(host.policy, "");
	assert_int_equal(start(true), 0);
	put_policy_of("Others", 6, "", ALICE | BOB);
	keep_anything(6);
	put(host.policy, "");
	assert_int_equal(start(true), 0);
	put_policy(6, ALICE);
	keep_anything(6);
	put(host.policy, "");
	assert_int_equal(start(true), 0);
}

static void kept_policy_begins_when_a_signature_has_strange_words(void **state)
{
	char path[160], text[MINISIGN_TEXT_MAX], *at;

	(void)state;
	enrol();
	put_policy(6, ALICE | BOB);
	/* The name of a file is nothing that is signed. */
	(void)snprintf(path, sizeof(path), "%s.alice.minisig", host.policy);
	at = text;
	(void)snprintf(text, sizeof(text), "%s.m\xfcller.minisig", host.policy);
	assert_int_equal(rename(path, at), 0);
	assert_int_equal(reload(), 6);
	put(host.policy, "");
	assert_int_equal(start(true), 6);
	assert_int_equal(unlink(at), 0);
}

static void other_content_under_the_same_serial_is_refused(void **state)
{
	(void)state;
	enrol();
	put_policy_of("Police", 5, "# other\n", ALICE | BOB);
	assert_int_equal(reload(), 5);
	assert_problem("another policy with the serial 5");
	assert_int_equal(start(false), 5);
	assert_problem("another policy with the serial 5");
	/* Whoever else signs the same one is welcome. */
	put_policy(5, ALICE | BOB | CAROL);
	assert_int_equal(reload(), 5);
	assert_string_equal(host.agent.problem, "");
}

/* ---- the next anchors ---------------------------------------------------- */

static void next_anchors_are_taken_when_they_are_signed(void **state)
{
	(void)state;
	enrol();
	put_trust(2, 1, MALLORY, 0, MALLORY);
	assert_int_equal(reload(), 5);
	assert_int_equal(host.agent.trust->version, 1);
	assert_true(host.agent.trust_problem[0]);
	put_trust(2, 2, ALICE | BOB, CAROL, ALICE | BOB);
	put_policy(6, ALICE | CAROL);
	assert_int_equal(reload(), 5);
	assert_int_equal(host.agent.trust->version, 2);
	assert_problem("the key of carol is revoked");
	put_trust(1, 2, ALICE | BOB | CAROL, 0, ALICE | BOB | CAROL);
	assert_int_equal(reload(), 5);
	assert_int_equal(host.agent.trust->version, 2);
}

static void anchors_of_every_start_are_written_down(void **state)
{
	const json_t *trust;

	(void)state;
	enrol();
	assert_int_equal(start(false), 5);
	trust = last_recorded("trust");
	assert_string_equal(json_string_value(json_object_get(trust, "state")),
			    "kept");
	assert_string_equal(json_string_value(json_object_get(trust, "sha256")),
			    host.agent.trust->sha256);
}

static void policy_goes_on_when_who_signed_it_is_revoked(void **state)
{
	(void)state;
	enrol();
	/* Who has not signed it is no matter. */
	put_trust(2, 2, ALICE | BOB | MALLORY, CAROL, ALICE | BOB);
	assert_int_equal(reload(), 5);
	assert_int_equal(host.agent.trust->version, 2);
	assert_string_equal(host.agent.signers_problem, "");
	put_trust(3, 2, ALICE | MALLORY, BOB | CAROL, ALICE | BOB | MALLORY);
	assert_int_equal(reload(), 5);
	assert_int_equal(host.agent.trust->version, 3);
	assert_non_null(strstr(host.agent.signers_problem,
			       "the key of bob is revoked"));
	assert_problem("the key of bob is revoked");
	assert_int_equal(start(false), 5);
	assert_non_null(strstr(host.agent.signers_problem, "is revoked"));
	assert_int_equal(start(true), 5);
	assert_non_null(strstr(host.agent.signers_problem, "is revoked"));
	/* Another one by them is refused, and the same by others taken. */
	put_policy(6, ALICE | BOB);
	assert_int_equal(reload(), 5);
	put_policy(5, ALICE | MALLORY);
	assert_int_equal(reload(), 5);
	assert_string_equal(host.agent.signers_problem, "");
	assert_string_equal(host.agent.problem, "");
	assert_int_equal(start(true), 5);
	assert_string_equal(host.agent.signers_problem, "");
}

/* ---- from the force ------------------------------------------------------ */

static bool quiet;

static int push_bundle(struct trust_bundle bundle, enum kind kind)
{
	struct arrival arrival;
	int r;

	arrival_init(&arrival, AGENT_FROM_FORCE, kind, AGENT_FORCE);
	arrival.bundle = bundle;
	arrival.quiet = quiet;
	r = kind == KIND_TRUST ? agent_trust_take(&host.agent, &arrival)
			       : agent_policy_push(&host.agent, &arrival);
	arrival_release(&arrival);
	return r;
}

static uint64_t push(int serial, unsigned int who)
{
	(void)push_bundle(sent(put_policy, serial, who), KIND_POLICY);
	return agent_serial(&host.agent);
}

/* Starts the next agent, which knows what the force sent before. */
static uint64_t start_in_fleet(bool boot)
{
	uint64_t serial;

	host.pushed_serial = host.agent.pushed_serial;
	serial = start(boot);
	host.pushed_serial = 0;
	return serial;
}

static void pushed_policy_comes_into_force_and_stays(void **state)
{
	(void)state;
	enrol();
	assert_int_equal(push(7, ALICE | BOB), 7);
	assert_string_equal(host.agent.push_problem, "");
	/* The file is the older one, and nothing is wrong with that. */
	assert_int_equal(reload(), 7);
	assert_string_equal(host.agent.problem, "");
	assert_int_equal(start_in_fleet(false), 7);
	assert_string_equal(host.agent.problem, "");
	assert_non_null(host.agent.policy);
	assert_int_equal(start_in_fleet(true), 7);
	assert_string_equal(host.agent.problem, "");
	/* Nor if there is no file at all. */
	(void)unlink(host.policy);
	assert_int_equal(reload(), 7);
	assert_string_equal(host.agent.problem, "");
	assert_int_equal(start_in_fleet(false), 7);
	assert_int_equal(start_in_fleet(true), 7);
	assert_string_equal(host.agent.problem, "");
	/* A newer file is taken, and the next pushed one again. */
	put_policy(8, ALICE | CAROL);
	assert_int_equal(reload(), 8);
	assert_int_equal(push(9, ALICE | BOB), 9);
	/* A bad one is told, and does not matter. */
	put_policy(10, ALICE);
	assert_int_equal(start_in_fleet(true), 9);
	assert_problem("1 of 2 signatures");
}

static void pushed_policy_is_refused_by_the_checks_of_a_file(void **state)
{
	struct trust_bundle bundle;

	(void)state;
	enrol();
	assert_int_equal(push(7, ALICE | BOB), 7);
	(void)json_array_clear(recorded);
	assert_int_equal(push(8, ALICE), 7);
	assert_non_null(strstr(host.agent.push_problem, "1 of 2 signatures"));
	assert_int_equal(push(8, ALICE | MALLORY), 7);
	assert_non_null(strstr(host.agent.push_problem, "is not trusted here"));
	/* Of what nobody has signed, or is older, the host does not ail. */
	host.agent.push_problem[0] = '\0';
	assert_int_equal(push(8, 0), 7);
	assert_int_equal(push(6, ALICE | BOB), 7);
	assert_non_null(
		strstr(evidence_text(last_recorded("refused"), "problem"),
		       "is older than 7"));
	bundle = sent(put_policy, 8, ALICE | BOB);
	((char *)bundle.bytes)[bundle.len - 2] ^= 1;
	assert_int_not_equal(push_bundle(bundle, KIND_POLICY), 0);
	assert_non_null(
		strstr(evidence_text(last_recorded("refused"), "problem"),
		       "claims to be"));
	assert_string_equal(host.agent.push_problem, "");
	/* Each is written down, and the policy in force is not to blame. */
	assert_int_equal(json_array_size(recorded), 5);
	assert_string_equal(host.agent.problem, "");
	quiet = true;
	assert_int_equal(push(8, ALICE), 7);
	assert_int_equal(json_array_size(recorded), 5);
	/* The same once more is no news. */
	assert_int_equal(push(7, ALICE | BOB), 7);
	assert_int_equal(json_array_size(recorded), 5);
	quiet = false;
	assert_int_equal(push(8, ALICE | BOB), 8);
	assert_string_equal(host.agent.push_problem, "");
}

static void put_others_policy(int64_t serial, unsigned int who)
{
	put_policy_of("Police", serial, "hosts: [other-host]\n", who);
}

static void put_later_policy(int64_t serial, unsigned int who)
{
	put_policy_of("Police", serial, "not-before: 2100-01-01T00:00:00Z\n",
		      who);
}

static void pushed_policy_is_refused_when_it_is_not_for_this_host(void **state)
{
	struct trust_bundle bundle;

	(void)state;
	enrol();
	bundle = sent(put_others_policy, 7, ALICE | BOB);
	assert_int_equal(push_bundle(bundle, KIND_POLICY), -EPERM);
	assert_non_null(
		strstr(evidence_text(last_recorded("refused"), "problem"),
		       "not for this host"));
	/* But of who sent it there. */
	assert_string_equal(host.agent.push_problem, "");
	bundle = sent(put_later_policy, 7, ALICE | BOB);
	assert_int_equal(push_bundle(bundle, KIND_POLICY), -EPERM);
	assert_non_null(strstr(host.agent.push_problem, "not valid before"));
	assert_int_equal(push(7, ALICE | BOB), 7);
}

static void nothing_is_pushed_to_a_host_without_anchors(void **state)
{
	(void)state;
	put_policy(5, 0);
	assert_int_equal(start(true), 5);
	assert_int_equal(push(7, ALICE | BOB), 5);
	assert_non_null(
		strstr(evidence_text(last_recorded("refused"), "problem"),
		       "no trust anchors"));
}

static void put_next_trust(int64_t version, unsigned int who)
{
	char own[96];

	(void)strcpy(own, host.trust);
	(void)strcpy(host.trust, host.policy);
	put_trust((int)version, 2, ALICE | BOB, CAROL, who);
	(void)strcpy(host.trust, own);
}

static int push_trust(int version, unsigned int who)
{
	return push_bundle(sent(put_next_trust, version, who), KIND_TRUST);
}

static void pushed_anchors_are_taken_when_they_may_follow(void **state)
{
	(void)state;
	enrol();
	assert_int_equal(push_trust(2, ALICE | MALLORY), -EPERM);
	assert_int_equal(push_trust(3, ALICE | BOB), -EPERM);
	assert_int_equal(host.agent.trust->version, 1);
	assert_string_equal(host.agent.trust_problem, "");
	assert_int_equal(push_trust(2, ALICE | BOB), 0);
	assert_int_equal(host.agent.trust->version, 2);
	assert_int_equal(push_trust(2, ALICE | BOB), -EALREADY);
	/* The file has the first version, which is no fault of it. */
	assert_int_equal(reload(), 5);
	assert_int_equal(host.agent.trust->version, 2);
	assert_string_equal(host.agent.trust_problem, "");
	assert_int_equal(push(6, ALICE | CAROL), 5);
	assert_int_equal(push(6, ALICE | BOB), 6);
}

#define on_a_host(test) \
	cmocka_unit_test_setup_teardown(test, make_host, remove_host)

int main(void)
{
	const struct CMUnitTest tests[] = {
		on_a_host(anchors_are_those_that_the_evidence_tells_of),
		on_a_host(next_anchors_are_those_that_the_evidence_tells_of),
		on_a_host(expired_policy_begins_at_no_boot),
		on_a_host(unsigned_policy_is_refused_when_all_anchors_are_gone),
		on_a_host(others_anchors_are_refused_when_its_own_are_gone),
		on_a_host(damaged_anchors_are_no_reason_to_end),
		on_a_host(first_anchors_that_are_bad_are_no_reason_to_end),
		on_a_host(nothing_is_rolled_back_when_files_are_deleted),
		on_a_host(kept_policy_begins_when_the_file_is_an_older_one),
		on_a_host(what_is_kept_is_refused_when_it_is_not_this_hosts),
		on_a_host(
			kept_policy_begins_when_a_signature_has_strange_words),
		on_a_host(other_content_under_the_same_serial_is_refused),
		on_a_host(next_anchors_are_taken_when_they_are_signed),
		on_a_host(anchors_of_every_start_are_written_down),
		on_a_host(policy_goes_on_when_who_signed_it_is_revoked),
		on_a_host(pushed_policy_comes_into_force_and_stays),
		on_a_host(pushed_policy_is_refused_by_the_checks_of_a_file),
		on_a_host(
			pushed_policy_is_refused_when_it_is_not_for_this_host),
		on_a_host(nothing_is_pushed_to_a_host_without_anchors),
		on_a_host(pushed_anchors_are_taken_when_they_may_follow),
	};

	return cmocka_run_group_tests(tests, make_people, NULL);
}
