// SPDX-License-Identifier: GPL-2.0-only
/*
 * Acts of the issuer on a host: each thing that makes one worth nothing, beside
 * the same one that takes effect, and what is left of it on the disk.
 */
#include "agent_host.h"

#include <errno.h>
#include <inttypes.h>
#include <sys/stat.h>
#include <unistd.h>

#include "act.h"
#include "clock.h"
#include "log.h"
#include "state.h"
#include "text.h"

#define HOUR_NS (3600ULL * 1000000000)

static char told[TRUST_WORDS_MAX];
static char text[2 * ACT_FILE_BYTES_MAX]; /* of the act that was asked for */

/* ---- a host that asks ---------------------------------------------------- */

/* As start_log() and start() do. */
static void begin(void)
{
	struct sign_key key;
	bool made;

	assert_int_equal(sign_key_load(kept(EVIDENCE_KEY), &key, &made), 0);
	host.agent.host_public = key.public;
	host.agent.has_host_public = true;
	sign_key_release(&key);
	assert_int_equal(agent_act_start(&host.agent), 0);
}

static void begin_again(bool boot)
{
	assert_int_not_equal(start(boot), 0);
	begin();
	agent_act_started(&host.agent);
}

/* Two of three sign, and the host runs. */
static void enrol_and_begin(void)
{
	enrol();
	begin();
	agent_act_started(&host.agent);
	(void)json_array_clear(recorded);
}

static int ask_for(const char *act, const char *lasts, uint64_t serial,
		   const char *reason)
{
	struct control_request request = {.verb = CONTROL_ACT_REQUEST,
					  .serial = serial};
	char *got = NULL;
	int r;

	(void)snprintf(request.act, sizeof(request.act), "%s", act);
	(void)snprintf(request.lasts, sizeof(request.lasts), "%s", lasts);
	(void)snprintf(request.reason, sizeof(request.reason), "%s", reason);
	r = agent_act_request(&host.agent, &request, &got, told, sizeof(told));
	if (!r)
		(void)snprintf(text, sizeof(text), "%s", got);
	free(got);
	return r;
}

static void ask(void)
{
	assert_int_equal(ask_for("break-glass", "30 minutes", 0, "printers"),
			 0);
}

/* Puts what was asked for, as it is then, there, signed by these. */
static int apply_file(const char *file)
{
	struct policy_errors errs;
	struct arrival arrival;
	int r;

	arrival_init(&arrival, AGENT_FROM_FILE, KIND_ACT, "act.yaml");
	assert_int_equal(trust_bundle_read(file, &arrival.bundle, &errs), 0);
	told[0] = '\0';
	r = agent_act_apply(&host.agent, &arrival, told, sizeof(told));
	arrival_release(&arrival);
	return r;
}

static int apply(unsigned int who)
{
	char file[96];

	(void)snprintf(file, sizeof(file), "%s/act.yaml", host.etc);
	put_signed(file, text, who);
	return apply_file(file);
}

static void change(const char *from, const char *to)
{
	char copy[sizeof(text)], *at = strstr(text, from);

	assert_non_null(at);
	(void)snprintf(copy, sizeof(copy), "%.*s%s%s", (int)(at - text), text,
		       to, at + strlen(from));
	(void)snprintf(text, sizeof(text), "%s", copy);
}

static const char *last(const char *key)
{
	return evidence_text(
		json_array_get(recorded, json_array_size(recorded) - 1), key);
}

/* Refused, for that reason, which is written down, and nothing was lifted. */
static void assert_refused(int r, const char *why)
{
	char hash[SIGN_HASH_CHARS_MAX];

	assert_int_equal(r, -EPERM);
	if (!strstr(told, why))
		fail_msg("got: %s", told);
	assert_int_equal(guarded.lifted_until_ns, 0);
	assert_false(host.agent.uninstalled);
	assert_string_equal(last("type"), "refused");
	assert_non_null(strstr(last("problem"), why));
	sign_hash(text, strlen(text), hash);
	assert_string_equal(last("sha256"), hash);
}

/* And the twin of what was refused takes effect. */
static void assert_lifts(unsigned int who)
{
	uint64_t before_ns = (uint64_t)clock_ns(CLOCK_BOOTTIME);

	if (apply(who))
		fail_msg("got: %s", told);
	assert_true(guarded.lifted_until_ns >= before_ns + HOUR_NS / 2);
	assert_true(guarded.lifted_until_ns < before_ns + HOUR_NS);
	assert_non_null(strstr(told, "enforcement is lifted until 2"));
}

/* ---- what it does -------------------------------------------------------- */

static void break_glass_lifts_and_ends(void **state)
{
	json_t *status;
	char names[64];

	(void)state;
	enrol_and_begin();
	assert_false(agent_act_lifted(&host.agent));
	ask();
	assert_string_equal(last("state"), "requested");
	assert_lifts(ALICE | CAROL);
	assert_string_equal(last("type"), "act");
	assert_string_equal(last("state"), "applied");
	assert_string_equal(last("act"), "break-glass");
	assert_string_equal(last("reason"), "printers");
	assert_true(agent_act_lifted(&host.agent));
	assert_true(agent_act_covers(&host.agent, guarded.lifted_until_ns - 1));
	assert_false(agent_act_covers(&host.agent, guarded.lifted_until_ns));
	status = agent_act_status(&host.agent);
	evidence_list(status, "signers", names, sizeof(names));
	assert_string_equal(names, "alice, carol");
	assert_string_equal(evidence_text(status, "reason"), "printers");
	json_decref(status);
	/* The next agent knows all that. */
	begin_again(false);
	status = agent_act_status(&host.agent);
	assert_string_equal(evidence_text(status, "reason"), "printers");
	json_decref(status);
	assert_int_equal(agent_act_end(&host.agent), 0);
	assert_int_equal(guarded.lifted_until_ns, 0);
	assert_string_equal(last("state"), "ended");
	assert_string_equal(last("by"), "the administrator");
	assert_int_equal(agent_act_end(&host.agent), -ENOENT);
	status = agent_act_status(&host.agent);
	assert_true(json_is_null(status));
	json_decref(status);
}

/* The guard goes back by itself; the agent says so. */
static void break_glass_is_over_when_its_time_has_come(void **state)
{
	(void)state;
	enrol_and_begin();
	ask();
	assert_lifts(ALICE | BOB);
	guarded.lifted_until_ns = (uint64_t)clock_ns(CLOCK_BOOTTIME);
	assert_false(agent_act_lifted(&host.agent));
	agent_act_tick(&host.agent);
	assert_string_equal(last("by"), "its time");
	/* Once. */
	(void)json_array_clear(recorded);
	agent_act_tick(&host.agent);
	assert_int_equal(json_array_size(recorded), 0);
}

static void break_glass_ends_at_a_boot(void **state)
{
	(void)state;
	enrol_and_begin();
	ask();
	assert_lifts(ALICE | BOB);
	begin_again(true);
	assert_false(agent_act_lifted(&host.agent));
	assert_string_equal(last("state"), "ended");
	assert_non_null(strstr(last("by"), "a boot"));
	assert_false(agent_act_covers(&host.agent, 1));
	assert_false(agent_act_covers(&host.agent,
				      (uint64_t)clock_ns(CLOCK_BOOTTIME)));
	(void)json_array_clear(recorded);
	begin_again(false);
	assert_string_not_equal(last("type"), "act");
}

static void uninstall_is_left_to_who_runs_the_agent(void **state)
{
	(void)state;
	enrol_and_begin();
	assert_int_equal(ask_for("uninstall", "", 0, ""), 0);
	assert_non_null(strstr(text, "reason: \"none was given\""));
	assert_refused(apply(ALICE), "1 of 2 signatures");
	assert_int_equal(apply(ALICE | BOB), 0);
	assert_true(host.agent.uninstalled);
	assert_string_equal(last("state"), "applied");
	assert_string_equal(last("act"), "uninstall");
}

#define FAR (5 + (int64_t)REMEMBER_STEP_MAX)

static void recover_makes_room_below_a_serial_that_ran_ahead(void **state)
{
	(void)state;
	enrol_and_begin();
	put_policy(FAR, ALICE | BOB);
	assert_int_equal(reload(), FAR);
	put_policy(6, ALICE | BOB);
	assert_int_equal(reload(), FAR);
	assert_problem("is older than");
	assert_int_equal(ask_for("recover", "", 5, "stolen keys"), 0);
	assert_refused(apply(BOB), "1 of 2 signatures");
	assert_int_equal(reload(), FAR);
	assert_int_equal(apply(CAROL | BOB), 0);
	assert_int_equal(evidence_number(last_recorded("act"), "serial"), 5);
	assert_int_equal(evidence_number(last_recorded("remembered"), "serial"),
			 5);
	assert_int_equal(reload(), 6);
	/* And at the next boots. */
	assert_int_equal(start(false), 6);
	assert_int_equal(start(true), 6);
	put_policy(5, ALICE | BOB);
	assert_int_equal(start(true), 6);
}

/* ---- what is asked for --------------------------------------------------- */

static void what_is_asked_for_is_what_a_host_can_ask(void **state)
{
	(void)state;
	enrol_and_begin();
	assert_int_equal(ask_for("policy", "", 0, ""), -EPERM);
	assert_non_null(strstr(told, "is no act"));
	assert_int_equal(ask_for("break-glass", "25 hours", 0, ""), -EPERM);
	assert_non_null(strstr(told, "1 minute to 24 hours"));
	assert_int_equal(ask_for("break-glass", "59 seconds", 0, ""), -EPERM);
	assert_int_equal(ask_for("uninstall", "1 hour", 0, ""), -EPERM);
	assert_int_equal(ask_for("uninstall", "", 4, ""), -EPERM);
	assert_int_equal(ask_for("recover", "", 0, ""), -EPERM);
	assert_int_equal(ask_for("break-glass", "", 0, "a\"b' # c"), -EPERM);
	assert_int_equal(ask_for("break-glass", "", 0, "a\"b\\c: [d] # e"), 0);
	assert_non_null(strstr(text, "lasts: hour\n"));
	assert_int_equal(apply(ALICE | BOB), 0);
	assert_non_null(strstr(told, "a\"b\\c: [d] # e"));
}

static void nothing_can_be_asked_for_when_nobody_has_to_sign(void **state)
{
	(void)state;
	put_policy(5, 0);
	assert_int_equal(start(true), 5);
	begin();
	assert_int_equal(ask_for("break-glass", "", 0, ""), -EPERM);
	assert_non_null(strstr(told, "no trust anchors in force"));
	(void)snprintf(text, sizeof(text), "cordon-act: 1\n");
	assert_refused(apply(ALICE | BOB), "no trust anchors in force");
}

/* Those that an intruder has written there sign nothing. */
static void anchors_that_were_replaced_sign_no_act(void **state)
{
	(void)state;
	enrol_and_begin();
	ask();
	host.agent.trust_replaced = true;
	(void)strcpy(host.agent.trust_problem, "not those of before");
	assert_refused(apply(ALICE | BOB), "not those of before");
	assert_int_equal(ask_for("break-glass", "", 0, ""), -EPERM);
	host.agent.trust_replaced = false;
	assert_lifts(ALICE | BOB);
}

/* ---- who has to sign ----------------------------------------------------- */

static void act_needs_as_many_as_a_policy(void **state)
{
	char file[96], again[128], signature[MINISIGN_TEXT_MAX];

	(void)state;
	enrol_and_begin();
	ask();
	assert_refused(apply(0), "not signed");
	assert_refused(apply(ALICE), "1 of 2 signatures");
	assert_refused(apply(MALLORY | ALICE), "which is not trusted here");
	/* Twice by one. */
	(void)snprintf(file, sizeof(file), "%s/act.yaml", host.etc);
	(void)snprintf(again, sizeof(again), "%s.again.minisig", file);
	put_signed(file, text, ALICE);
	assert_int_equal(minisign_make(&people[0], text, strlen(text), "again",
				       signature),
			 0);
	put(again, signature);
	assert_refused(apply_file(file), "alice has signed twice");
	assert_int_equal(unlink(again), 0);
	/* A byte more than was signed. */
	put_signed(file, text, ALICE | BOB);
	(void)strcat(text, "\n");
	put(file, text);
	assert_refused(apply_file(file), "claims to be alice's and is not");
	assert_lifts(ALICE | BOB);
}

static void revoked_key_signs_no_act(void **state)
{
	(void)state;
	enrol_and_begin();
	put_trust(2, 2, ALICE | BOB, CAROL, ALICE | BOB);
	assert_int_equal(reload(), 5);
	assert_int_equal(host.agent.trust->version, 2);
	ask();
	assert_refused(apply(ALICE | CAROL), "the key of carol is revoked");
	assert_lifts(ALICE | BOB);
}

/* What was signed as one thing is nothing else. */
static void signature_of_a_policy_is_none_of_an_act(void **state)
{
	char file[96], from[128], to[128];

	(void)state;
	enrol_and_begin();
	ask();
	/* The policy itself, which enough have signed. */
	(void)snprintf(file, sizeof(file), "%s/act.yaml", host.etc);
	assert_int_equal(apply_file(host.policy), -EPERM);
	assert_non_null(strstr(
		told, "found a policy, expected an act: what was signed"));
	/* Its signatures beside an act. */
	put(file, text);
	for (int i = 0; i < 2; i++) {
		(void)snprintf(from, sizeof(from), "%s.%s.minisig", host.policy,
			       i ? "bob" : "alice");
		(void)snprintf(to, sizeof(to), "%s.%s.minisig", file,
			       i ? "bob" : "alice");
		assert_int_equal(link(from, to), 0);
	}
	assert_refused(apply_file(file), "claims to be alice's and is not");
	for (int i = 0; i < 2; i++) {
		(void)snprintf(to, sizeof(to), "%s.%s.minisig", file,
			       i ? "bob" : "alice");
		assert_int_equal(unlink(to), 0);
	}
	assert_lifts(ALICE | BOB);
}

static void signature_of_an_act_is_none_of_a_policy(void **state)
{
	(void)state;
	enrol_and_begin();
	ask();
	put_signed(host.policy, text, ALICE | BOB);
	assert_int_equal(reload(), 5);
	assert_problem("found an act, expected a policy");
	put_signed(host.trust, text, ALICE | BOB);
	assert_int_equal(reload(), 5);
	assert_non_null(strstr(host.agent.trust_problem,
			       "found an act, expected trust anchors"));
	assert_int_equal(host.agent.trust->version, 1);
	put_policy(6, ALICE | BOB);
	assert_int_equal(reload(), 6);
}

static void anchors_are_no_act(void **state)
{
	(void)state;
	enrol_and_begin();
	ask();
	put_trust(2, 2, ALICE | BOB, 0, ALICE | BOB);
	assert_int_equal(apply_file(host.trust), -EPERM);
	assert_non_null(strstr(told, "found trust anchors, expected an act"));
	assert_lifts(ALICE | BOB);
}

/* ---- whose it is --------------------------------------------------------- */

static void act_is_for_one_host(void **state)
{
	char name[POLICY_HOST_CHARS_MAX + 1] = "", line[300];

	(void)state;
	enrol_and_begin();
	assert_int_equal(gethostname(name, sizeof(name) - 1), 0);
	(void)snprintf(line, sizeof(line), "host: \"%s\"", name);
	ask();
	change(line, "host: other-host");
	assert_refused(apply(ALICE | BOB), "it is for the host other-host");
	ask();
	change(line, "host: \"*\"");
	assert_refused(apply(ALICE | BOB), "the name of one host");
	ask();
	assert_lifts(ALICE | BOB);
}

/* The same name, on a machine that was set up again or stands elsewhere. */
static void act_is_for_one_key(void **state)
{
	(void)state;
	enrol_and_begin();
	ask();
	host.agent.host_public.bytes[0] ^= 1;
	assert_refused(apply(ALICE | BOB), "it is for a host with the key");
	host.agent.has_host_public = false;
	assert_refused(apply(ALICE | BOB), "key cannot be read");
	host.agent.has_host_public = true;
	host.agent.host_public.bytes[0] ^= 1;
	assert_lifts(ALICE | BOB);
}

static void act_is_of_the_issuer(void **state)
{
	(void)state;
	enrol_and_begin();
	ask();
	change("Police", "Others");
	assert_refused(apply(ALICE | BOB), "its issuer is Others");
	change("Others", "Police");
	assert_lifts(ALICE | BOB);
}

/* ---- once, and not for ever ---------------------------------------------- */

static void act_works_once(void **state)
{
	char *before = NULL;
	size_t len;

	(void)state;
	enrol_and_begin();
	ask();
	assert_int_equal(state_get(kept("act.json"), 65536, &before, &len), 0);
	assert_lifts(ALICE | BOB);
	assert_int_equal(agent_act_end(&host.agent), 0);
	assert_refused(apply(ALICE | BOB), "it was used before");
	/* Who has root's files puts back what was there. */
	assert_int_equal(state_put(kept("act.json"), before, len), 0);
	assert_refused(apply(ALICE | BOB), "it was used before");
	free(before);
	begin_again(false);
	(void)agent_act_end(&host.agent);
	ask();
	assert_lifts(ALICE | BOB);
}

/* What the agent before wrote down is what the next one reads. */
static void act_works_once_when_its_state_is_put_back(void **state)
{
	char *before = NULL;
	json_t *written, *line;
	size_t len, i;

	(void)state;
	enrol_and_begin();
	ask();
	assert_int_equal(state_get(kept("act.json"), 65536, &before, &len), 0);
	assert_lifts(ALICE | BOB);
	assert_int_equal(agent_act_end(&host.agent), 0);
	written = json_copy(recorded);
	for (int segments = 0; segments < 2; segments++) {
		assert_int_equal(state_put(kept("act.json"), before, len), 0);
		assert_int_equal(start(false), 5);
		begin();
		json_array_foreach (written, i, line)
			agent_act_old(&host.agent, line);
		assert_refused(apply(ALICE | BOB), "it was used before");
		/* A new segment tells of it too. */
		(void)json_array_clear(recorded);
		agent_act_segment(&host.agent, 7);
		assert_string_equal(last("state"), "used");
		(void)json_array_clear(written);
		(void)json_array_extend(written, recorded);
	}
	json_decref(written);
	free(before);
}

static void act_answers_what_was_asked_last(void **state)
{
	char first[sizeof(text)];

	(void)state;
	enrol_and_begin();
	ask();
	(void)snprintf(first, sizeof(first), "%s", text);
	ask();
	assert_string_not_equal(text, first);
	(void)snprintf(text, sizeof(text), "%s", first);
	assert_refused(apply(ALICE | BOB), "its nonce is not the one");
	/* It outlives the agent. */
	ask();
	begin_again(false);
	assert_lifts(ALICE | BOB);
	guarded.lifted_until_ns = 0;
	begin_again(false);
	ask();
	begin_again(true);
	assert_lifts(ALICE | BOB);
}

static void act_is_refused_when_none_was_asked_for(void **state)
{
	(void)state;
	enrol_and_begin();
	ask();
	(void)unlink(kept("act.json"));
	begin_again(false);
	assert_refused(apply(ALICE | BOB), "has asked for no act");
	put(kept("act.json"), "{\"cordon\": 1, \"nonce\": \"x");
	begin_again(false);
	assert_refused(apply(ALICE | BOB), "has asked for no act");
	ask();
	assert_lifts(ALICE | BOB);
}

/* That it was asked for so long ago, as the act itself says. */
static void asked_in_it(int64_t seconds_ago)
{
	char at[TEXT_NUMBER_CHARS_MAX], line[64], old[64];

	text_format_time(clock_s(CLOCK_REALTIME) - seconds_ago, at, sizeof(at));
	(void)snprintf(line, sizeof(line), "asked: %s\n", at);
	(void)snprintf(old, sizeof(old), "%.*s", (int)strlen(line),
		       strstr(text, "asked: "));
	change(old, line);
}

/* And as the file says. */
static void asked(int64_t seconds_ago, int64_t boot_seconds_ago)
{
	json_t *state;
	char *bytes = NULL, *changed;
	size_t len;

	assert_int_equal(state_get(kept("act.json"), 65536, &bytes, &len), 0);
	state = json_loadb(bytes, len, 0, NULL);
	assert_non_null(state);
	(void)json_object_set_new(
		state, "made",
		json_integer(clock_s(CLOCK_REALTIME) - seconds_ago));
	(void)json_object_set_new(state, "made_boot",
				  json_integer(clock_s(CLOCK_BOOTTIME) +
					       uptime_ahead_s -
					       boot_seconds_ago));
	changed = json_dumps(state, 0);
	put(kept("act.json"), changed);
	free(changed);
	free(bytes);
	json_decref(state);
	asked_in_it(seconds_ago);
	begin_again(false);
}

/* Or one would be laid in store, and used when it suits. */
static void act_is_no_younger_than_what_was_signed(void **state)
{
	(void)state;
	enrol_and_begin();
	ask();
	asked(10, 10);
	asked_in_it(86405);
	assert_refused(apply(ALICE | BOB), "more than 24 hours ago");
	asked_in_it(86000);
	assert_lifts(ALICE | BOB);
}

static void act_is_valid_for_a_day(void **state)
{
	(void)state;
	/* Or there is no moment a day ago for the host that has just begun. */
	uptime_ahead_s = 86405;
	enrol_and_begin();
	ask();
	asked(86405, 0);
	assert_refused(apply(ALICE | BOB), "more than 24 hours ago");
	/* The clock was stopped, or set back, and not by much. */
	asked(10, 86405);
	assert_refused(apply(ALICE | BOB), "more than 24 hours ago");
	asked(10, 10);
	clock_ahead_s = 86400;
	assert_refused(apply(ALICE | BOB), "more than 24 hours ago");
	clock_ahead_s = 0;
	asked(-3600, 10);
	assert_refused(apply(ALICE | BOB), "clock was set back");
	asked(86000, 10);
	assert_lifts(ALICE | BOB);
}

static void act_is_bounded(void **state)
{
	char more[ACT_FILE_BYTES_MAX + 1];

	(void)state;
	enrol_and_begin();
	ask();
	change("30 minutes", "25 hours");
	assert_refused(apply(ALICE | BOB), "1 minute to 24 hours");
	ask();
	memset(more, '#', sizeof(more) - 1);
	more[sizeof(more) - 1] = '\0';
	(void)strncat(text, more, sizeof(text) - strlen(text) - 1);
	assert_refused(apply(ALICE | BOB), "more than 4096 bytes");
	ask();
	change("30 minutes", "24 hours");
	assert_int_equal(apply(ALICE | BOB), 0);
}

/* Nothing takes effect that the disk could not be told of. */
static void act_is_refused_when_it_cannot_be_burnt(void **state)
{
	char *dir = host.state;
	char elsewhere[96];

	(void)state;
	enrol_and_begin();
	ask();
	(void)snprintf(elsewhere, sizeof(elsewhere), "%s/none", host.dir);
	host.opts.state_dir = elsewhere;
	assert_refused(apply(ALICE | BOB), "cannot be kept in");
	host.opts.state_dir = dir;
	assert_false(agent_act_covers(&host.agent,
				      (uint64_t)clock_ns(CLOCK_BOOTTIME)));
	/* It is worth nothing all the same. */
	assert_refused(apply(ALICE | BOB), "it was used before");
	ask();
	assert_lifts(ALICE | BOB);
}

/* ---- dropped ------------------------------------------------------------- */

/* It waits for who has not signed yet, and is done once. */
static void act_takes_effect_when_it_is_dropped(void **state)
{
	char file[128];
	size_t lines;
	int fd;

	(void)state;
	enrol_and_begin();
	ask();
	(void)json_array_clear(recorded);
	assert_int_equal(mkdir(host.drop, 0755), 0);
	(void)snprintf(file, sizeof(file), "%s/act.yaml", host.drop);
	put_signed(file, text, ALICE);
	fd = agent_dropped_start(&host.agent);
	assert_true(fd >= 0);
	assert_int_equal(guarded.lifted_until_ns, 0);
	assert_int_equal(json_array_size(recorded), 0);
	put_signed(file, text, ALICE | BOB);
	agent_dropped_look(&host.agent);
	assert_true(guarded.lifted_until_ns > 0);
	assert_string_equal(last("type"), "act");
	assert_int_equal(agent_act_end(&host.agent), 0);
	lines = json_array_size(recorded);
	/* It lies there, and then somebody brings it once more. */
	agent_dropped_look(&host.agent);
	assert_int_equal(json_array_size(recorded), lines);
	put_signed(file, text, ALICE | BOB);
	agent_dropped_look(&host.agent);
	assert_int_equal(guarded.lifted_until_ns, 0);
	assert_int_equal(json_array_size(recorded), lines + 1);
	assert_string_equal(last("type"), "refused");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		on_a_host(break_glass_lifts_and_ends),
		on_a_host(break_glass_is_over_when_its_time_has_come),
		on_a_host(break_glass_ends_at_a_boot),
		on_a_host(uninstall_is_left_to_who_runs_the_agent),
		on_a_host(recover_makes_room_below_a_serial_that_ran_ahead),
		on_a_host(what_is_asked_for_is_what_a_host_can_ask),
		on_a_host(nothing_can_be_asked_for_when_nobody_has_to_sign),
		on_a_host(anchors_that_were_replaced_sign_no_act),
		on_a_host(act_needs_as_many_as_a_policy),
		on_a_host(revoked_key_signs_no_act),
		on_a_host(signature_of_a_policy_is_none_of_an_act),
		on_a_host(signature_of_an_act_is_none_of_a_policy),
		on_a_host(anchors_are_no_act),
		on_a_host(act_is_for_one_host),
		on_a_host(act_is_for_one_key),
		on_a_host(act_is_of_the_issuer),
		on_a_host(act_works_once),
		on_a_host(act_works_once_when_its_state_is_put_back),
		on_a_host(act_answers_what_was_asked_last),
		on_a_host(act_is_refused_when_none_was_asked_for),
		on_a_host(act_is_valid_for_a_day),
		on_a_host(act_is_no_younger_than_what_was_signed),
		on_a_host(act_is_bounded),
		on_a_host(act_is_refused_when_it_cannot_be_burnt),
		on_a_host(act_takes_effect_when_it_is_dropped),
	};

	return cmocka_run_group_tests(tests, make_people, NULL);
}
