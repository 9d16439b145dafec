// SPDX-License-Identifier: GPL-2.0-only
/* What a policy would have made of rows of a ledger. */
#include <errno.h>
#include <linux/bpf.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "decide.h"
#include "policy_simulate.h"

#define HEAD                                                 \
	"cordon: 1\n"                                        \
	"issuer: x\n"                                        \
	"serial: 2\n"                                        \
	"datasets:\n"                                        \
	"  photos: {paths: [/srv/photos], record: file}\n"   \
	"subjects:\n"                                        \
	"  web: {unit: web.service}\n"                       \
	"  tar: {exe: /usr/bin/tar}\n"                       \
	"  clerks: {group: clerks, unit: desk.service}\n"    \
	"destinations:\n"                                    \
	"  shop: {networks: [192.0.2.0/24], ports: [443]}\n" \
	"  disk: {file-systems: [nfs4]}\n"                   \
	"rules:\n"

#define WEB(rest) "  - {subject: web, dataset: photos, " rest "}\n"
#define ALL(rest) "  - {subject: '*', dataset: '*', " rest "}\n"

static struct policy *policy;
static struct policy_simulation *simulation;
static const struct policy_use *uses;
static size_t n;

static void begin(const char *rules, const char *more)
{
	char text[4096];

	(void)snprintf(text, sizeof(text), "%s%s%s", HEAD, rules, more);
	assert_int_equal(policy_parse("p", text, strlen(text), &policy, NULL),
			 0);
	assert_int_equal(policy_simulation_new(policy, &simulation), 0);
}

static int release(void **state)
{
	(void)state;
	policy_simulation_free(simulation);
	policy_free(policy);
	simulation = NULL;
	policy = NULL;
	return 0;
}

static json_t *json(const char *format, va_list ap)
{
	char text[1024];
	json_t *line;

	(void)vsnprintf(text, sizeof(text), format, ap);
	for (char *c = text; *c; c++)
		if (*c == '\'')
			*c = '"';
	line = json_loads(text, 0, NULL);
	assert_non_null(line);
	return line;
}

/* A row of guard 1. */
static int row(const char *format, ...) __attribute__((format(printf, 1, 2)));
static int row(const char *format, ...)
{
	json_t *line;
	va_list ap;
	int r;

	va_start(ap, format);
	line = json(format, ap);
	va_end(ap);
	r = policy_simulation_row(simulation, 1, line);
	json_decref(line);
	return r;
}

static void event(const char *format, ...)
	__attribute__((format(printf, 1, 2)));
static void event(const char *format, ...)
{
	json_t *line;
	va_list ap;

	va_start(ap, format);
	line = json(format, ap);
	va_end(ap);
	assert_int_equal(policy_simulation_event(simulation, 1, line), 0);
	json_decref(line);
}

#define ROW(origin, subject, to, acts, bytes, records, more)           \
	"{'origin':" #origin ",'subject':'" subject                    \
	"','dataset':'photos','destination':'" to "','channel':'tcp'," \
	"'acts':" #acts ",'bytes':" #bytes ",'records':" #records "," more "}"
#define WENT	"'over_acts':0,'over_bytes':0,'blocked_acts':0,"
#define STOPPED "'over_acts':2,'over_bytes':500,'blocked_acts':2,"
#define SPAN(from, to) \
	"'first':'2026-11-14T" from ".000Z','last':'2026-11-14T" to ".000Z'"
#define NOON SPAN("12:00:00", "12:00:09")

#define EVENT(subject, to, more)                                       \
	"{'origin':3,'subject':'" subject                              \
	"','dataset':'photos','destination':'" to "','channel':'tcp'," \
	"'tgid':7,'uid':33,'user':'www'," more "}"

static void judge(size_t wanted)
{
	assert_int_equal(policy_simulation_judge(simulation, &uses, &n), 0);
	assert_int_equal(n, wanted);
}

static enum policy_sent sent_of(const char *rules, const char *line)
{
	enum policy_sent sent;

	begin(rules, "");
	assert_int_equal(row("%s", line), 0);
	judge(1);
	sent = uses[0].sent;
	(void)release(NULL);
	return sent;
}

static enum policy_blocked blocked_of(const char *rules, const char *line)
{
	enum policy_blocked blocked;

	begin(rules, "");
	assert_int_equal(row("%s", line), 0);
	judge(1);
	blocked = uses[0].blocked;
	(void)release(NULL);
	return blocked;
}

#define READ(records) ROW(3, "web", "read", 1, 1000, records, WENT NOON)

static void reading_fits_when_the_total_is_within_a_window(void **state)
{
	(void)state;
	assert_int_equal(sent_of(WEB("read: 10 records/hour"), READ(10)),
			 POLICY_SENT_FITS);
	assert_int_equal(sent_of(WEB("read: 1000B/hour"), READ(10)),
			 POLICY_SENT_FITS);
	assert_int_equal(sent_of(WEB("read: unlimited"), READ(10)),
			 POLICY_SENT_FITS);
	assert_int_equal(
		sent_of(WEB("read: 1 record/hour, action: alert"), READ(10)),
		POLICY_SENT_FITS);
	assert_int_equal(sent_of(WEB("read: none, mode: observe"), READ(10)),
			 POLICY_SENT_FITS);
}

/* Nine seconds can be in two windows of an hour. */
static void reading_may_be_refused_when_it_could_be_spread(void **state)
{
	(void)state;
	assert_int_equal(sent_of(WEB("read: 9 records/hour"), READ(10)),
			 POLICY_SENT_MAY_BE_REFUSED);
	assert_int_equal(sent_of(WEB("read: 5 records/hour"), READ(10)),
			 POLICY_SENT_MAY_BE_REFUSED);
	assert_int_equal(sent_of(WEB("read: 500B/hour"), READ(10)),
			 POLICY_SENT_MAY_BE_REFUSED);
	/* And in eleven of a second, with the millisecond that is rounded. */
	assert_int_equal(sent_of(WEB("read: 91B/second"), READ(1)),
			 POLICY_SENT_MAY_BE_REFUSED);
}

static void reading_is_refused_when_no_spread_helps(void **state)
{
	(void)state;
	assert_int_equal(sent_of(WEB("read: 4 records/hour"), READ(10)),
			 POLICY_SENT_REFUSED);
	assert_int_equal(sent_of(WEB("read: 499B/hour"), READ(10)),
			 POLICY_SENT_REFUSED);
	assert_int_equal(sent_of(WEB("read: 90B/second"), READ(1)),
			 POLICY_SENT_REFUSED);
	assert_int_equal(sent_of(WEB("read: none"), READ(10)),
			 POLICY_SENT_REFUSED);
	/* No rule covers it. */
	assert_int_equal(
		sent_of("  - {subject: tar, dataset: '*'}\n", READ(10)),
		POLICY_SENT_REFUSED);
	/* An origin is of one user. */
	assert_int_equal(
		sent_of(WEB("read: 4 records/hour, per: user"), READ(10)),
		POLICY_SENT_REFUSED);
}

static void nothing_is_certain_when_the_clock_was_set_back(void **state)
{
	(void)state;
	assert_int_equal(sent_of(WEB("read: 4 records/hour"),
				 ROW(3, "web", "read", 1, 1000, 10,
				     WENT SPAN("12:00:09", "12:00:00"))),
			 POLICY_SENT_MAY_BE_REFUSED);
}

/* Several processes that send the same records are charged once. */
static void release_is_refused_by_what_one_act_has_sent(void **state)
{
	const char *rules = WEB("release: {shop: 4 records/hour}");

	(void)state;
	assert_int_equal(
		sent_of(rules, ROW(3, "web", "shop", 1, 9, 9, WENT NOON)),
		POLICY_SENT_REFUSED);
	assert_int_equal(
		sent_of(rules, ROW(3, "web", "shop", 2, 9, 9, WENT NOON)),
		POLICY_SENT_MAY_BE_REFUSED);
	assert_int_equal(
		sent_of(rules, ROW(3, "web", "shop", 9, 9, 4, WENT NOON)),
		POLICY_SENT_FITS);
	/* Who sent it is not known, and users have a budget each. */
	assert_int_equal(
		sent_of(WEB("per: user, release: {shop: 4 records/hour}"),
			ROW(3, "web", "shop", 1, 9, 9, WENT NOON)),
		POLICY_SENT_MAY_BE_REFUSED);
}

static void rows_of_one_budget_count_together(void **state)
{
	(void)state;
	begin(WEB("read: 10 records/hour, release: {shop: 300B/hour}"), "");
	assert_int_equal(row(ROW(3, "web", "read", 1, 9, 6, WENT NOON)), 0);
	assert_int_equal(row(ROW(4, "web", "read", 1, 9, 6, WENT NOON)), 0);
	for (int i = 0; i < 4; i++)
		assert_int_equal(
			row("{'origin':%d,'subject':'web','dataset':"
			    "'photos','destination':'shop','channel':"
			    "'tcp','acts':1,'bytes':200,'records':1," WENT NOON
			    "}",
			    i + 3),
			0);
	judge(2);
	/* All bytes are charged; a record that two have read once. */
	assert_int_equal(uses[0].sent, POLICY_SENT_REFUSED);
	assert_int_equal(uses[0].rows, 4);
	assert_int_equal(uses[0].bytes, 800);
	assert_int_equal(uses[1].sent, POLICY_SENT_MAY_BE_REFUSED);
	assert_int_equal(uses[1].destination, POLICY_READING);
}

/* The ledger has a record in the row of who read it first. */
static void reading_does_not_fit_when_others_of_the_origin_read_it(void **state)
{
	(void)state;
	begin(WEB("read: 10 records/hour"), ALL("read: unlimited"));
	assert_int_equal(row(ROW(3, "*", "read", 9, 9, 20, WENT NOON)), 0);
	assert_int_equal(row(ROW(3, "web", "read", 9, 9, 0, WENT NOON)), 0);
	judge(2);
	assert_int_equal(uses[0].rule, 0);
	assert_int_equal(uses[0].sent, POLICY_SENT_MAY_BE_REFUSED);
	assert_int_equal(uses[1].sent, POLICY_SENT_FITS);
}

#define BLOCKED(bytes) ROW(3, "web", "shop", 1, bytes, 1, STOPPED NOON)

static void blocked_acts_go_through_when_the_policy_lets_them(void **state)
{
	(void)state;
	assert_int_equal(
		blocked_of(WEB("release: {shop: unlimited}"), BLOCKED(9)),
		POLICY_BLOCKED_PASSES);
	assert_int_equal(blocked_of(WEB("action: alert"), BLOCKED(9)),
			 POLICY_BLOCKED_PASSES);
	assert_int_equal(
		blocked_of(WEB("release: {shop: 509B/hour}"), BLOCKED(9)),
		POLICY_BLOCKED_PASSES);
	assert_int_equal(
		blocked_of(WEB("release: {shop: 508B/hour}"), BLOCKED(9)),
		POLICY_BLOCKED_MAY_PASS);
	/* How many records they had is not in the ledger. */
	assert_int_equal(
		blocked_of(WEB("release: {shop: 99 records/hour}"), BLOCKED(9)),
		POLICY_BLOCKED_MAY_PASS);
	assert_int_equal(blocked_of(WEB("read: unlimited"), BLOCKED(9)),
			 POLICY_BLOCKED_STAYS);
	assert_int_equal(blocked_of(WEB("read: unlimited"), READ(3)),
			 POLICY_BLOCKED_NONE);
}

static void dataset_is_free_when_the_policy_has_it_no_more(void **state)
{
	(void)state;
	begin(WEB("read: unlimited"), "");
	assert_int_equal(
		row("{'origin':3,'subject':'web','dataset':'old',"
		    "'destination':'*','channel':'tcp','acts':1,'bytes':9,"
		    "'records':1," STOPPED NOON "}"),
		0);
	judge(1);
	assert_false(uses[0].guarded);
	assert_int_equal(uses[0].sent, POLICY_SENT_FITS);
	assert_int_equal(uses[0].blocked, POLICY_BLOCKED_PASSES);
}

static void rule_is_found_by_the_event_when_there_is_one(void **state)
{
	(void)state;
	begin(WEB("read: none"), ALL("read: unlimited"));
	assert_int_equal(row(ROW(3, "*", "read", 1, 9, 9, WENT NOON)), 0);
	event(EVENT("*", "read", "'unit':'web.service','exe':'/bin/cat'"));
	judge(1);
	assert_int_equal(uses[0].rule, 0);
	assert_int_equal(uses[0].by_name, 0);
	assert_int_equal(uses[0].sent, POLICY_SENT_REFUSED);
}

static void rule_is_found_by_name_when_there_is_no_event(void **state)
{
	(void)state;
	begin(WEB("read: none"), ALL("read: unlimited"));
	assert_int_equal(row(ROW(3, "*", "read", 1, 9, 9, WENT NOON)), 0);
	/* Of another row, and of no process. */
	event(EVENT("web", "read", "'unit':'web.service'"));
	event("{'origin':3,'subject':'*','dataset':'photos','destination':"
	      "'read','channel':'tcp','uid':0,'unit':'web.service'}");
	judge(1);
	assert_int_equal(uses[0].rule, 1);
	assert_int_equal(uses[0].by_name, 1);
	assert_int_equal(uses[0].sent, POLICY_SENT_FITS);
}

static void rule_is_not_known_when_nothing_tells(void **state)
{
	(void)state;
	begin("  - {subject: clerks, dataset: photos, read: none}\n",
	      ALL("read: unlimited"));
	/* A name that the policy does not have. */
	assert_int_equal(row(ROW(4, "gone", "read", 1, 9, 9, WENT NOON)), 0);
	/* Groups are in no event. */
	assert_int_equal(row(ROW(3, "*", "read", 1, 9, 9, WENT NOON)), 0);
	event(EVENT("*", "read", "'unit':'desk.service'"));
	/* But the guard knew it then. */
	assert_int_equal(row(ROW(3, "clerks", "read", 1, 9, 9, WENT NOON)), 0);
	event(EVENT("clerks", "read", "'unit':'desk.service'"));
	/* And who is in another unit is none. */
	assert_int_equal(row(ROW(3, "web", "read", 1, 9, 9, WENT NOON)), 0);
	event(EVENT("web", "read", "'unit':'web.service'"));
	judge(4);
	assert_int_equal(uses[0].sent, POLICY_SENT_REFUSED);
	assert_int_equal(uses[1].sent, POLICY_SENT_UNKNOWN);
	assert_int_equal(uses[2].sent, POLICY_SENT_UNKNOWN);
	assert_non_null(uses[2].unknown);
	assert_int_equal(uses[3].sent, POLICY_SENT_FITS);
}

static void rule_is_not_known_when_events_tell_several(void **state)
{
	(void)state;
	begin(WEB("read: none"), ALL("read: unlimited"));
	assert_int_equal(row(ROW(3, "*", "read", 1, 9, 9, STOPPED NOON)), 0);
	event(EVENT("*", "read", "'unit':'web.service'"));
	event(EVENT("*", "read", "'unit':'ssh.service'"));
	judge(1);
	assert_int_equal(uses[0].sent, POLICY_SENT_UNKNOWN);
	assert_int_equal(uses[0].blocked, POLICY_BLOCKED_UNKNOWN);
}

#define PLACES                                                    \
	WEB("read: none, release: {shop: none, disk: unlimited, " \
	    "'*': unlimited}")

static void destination_is_found_by_the_address_first(void **state)
{
	(void)state;
	begin(PLACES, "");
	assert_int_equal(row(ROW(3, "web", "old", 1, 9, 9, WENT NOON)), 0);
	event(EVENT("web", "old",
		    "'unit':'web.service','address':'192.0.2.7','port':443"));
	assert_int_equal(row(ROW(3, "web", "shop", 1, 9, 9, WENT NOON)), 0);
	event(EVENT("web", "shop",
		    "'unit':'web.service','address':'192.0.2.7','port':80"));
	/* What has a path, or no address at all, by its name. */
	assert_int_equal(row(ROW(3, "web", "disk", 1, 9, 9, WENT NOON)), 0);
	event(EVENT("web", "disk",
		    "'unit':'web.service','address':'nfs4 0:45'"));
	assert_int_equal(row(ROW(4, "web", "gone", 1, 9, 9, WENT NOON)), 0);
	judge(4);
	assert_int_equal(uses[0].sent, POLICY_SENT_REFUSED);
	assert_int_equal(uses[0].destination, 1);
	assert_int_equal(uses[1].sent, POLICY_SENT_UNKNOWN);
	assert_int_equal(uses[2].destination, POLICY_ANYWHERE);
	assert_int_equal(uses[3].destination, 2);
}

/* A rule without an entry for it has one budget for all the rest. */
static void places_come_together_when_a_rule_does_not_name_them(void **state)
{
	(void)state;
	begin(WEB("release: {'*': 10B/hour}"), "");
	assert_int_equal(row(ROW(3, "web", "shop", 1, 9, 9, WENT NOON)), 0);
	assert_int_equal(row(ROW(3, "web", "disk", 1, 9, 9, WENT NOON)), 0);
	assert_int_equal(row(ROW(3, "web", "*", 1, 9, 9, WENT NOON)), 0);
	judge(1);
	assert_int_equal(uses[0].destination, POLICY_ANYWHERE);
	assert_int_equal(json_array_size(uses[0].destinations), 3);
	assert_int_equal(uses[0].sent, POLICY_SENT_REFUSED);
}

static void row_counts_once_when_it_is_told_again(void **state)
{
	(void)state;
	begin(WEB("read: unlimited"), "");
	assert_int_equal(row(ROW(3, "web", "read", 1, 9, 9, WENT NOON)), 0);
	assert_int_equal(row(ROW(3, "web", "read", 5, 50, 9, WENT NOON)), 0);
	judge(1);
	assert_int_equal(uses[0].rows, 1);
	assert_int_equal(uses[0].acts, 5);
}

static void intake_is_left_out(void **state)
{
	(void)state;
	begin(WEB("read: none"), "");
	assert_int_equal(row(ROW(3, "web", "intake", 1, 9, 9, WENT NOON)), 0);
	judge(0);
}

static void line_is_refused_when_it_is_no_row(void **state)
{
	(void)state;
	begin(WEB("read: none"), "");
	assert_int_equal(row("{}"), -EINVAL);
	assert_int_equal(row(ROW(3, "web", "read", -1, 9, 9, WENT NOON)),
			 -EINVAL);
	assert_int_equal(row(ROW(3, "web", "read", 1.5, 9, 9, WENT NOON)),
			 -EINVAL);
	assert_int_equal(row(ROW(3, "", "read", 1, 9, 9, WENT NOON)), -EINVAL);
	assert_int_equal(row(ROW(3, "web", "read", 1, 9, 9,
				 WENT "'first':'then','last':'now'")),
			 -EINVAL);
	judge(0);
}

static void sums_stay_at_the_largest_number(void **state)
{
	(void)state;
	begin(WEB("read: 1000 records/hour"), "");
	for (int i = 1; i < 5; i++)
		assert_int_equal(
			row("{'origin':%d,'subject':'web','dataset':'photos',"
			    "'destination':'read','channel':'tcp','acts':1,"
			    "'bytes':9223372036854775807,"
			    "'records':9223372036854775807," WENT NOON "}",
			    i),
			0);
	judge(1);
	assert_true(uses[0].bytes == INT64_MAX);
	assert_int_equal(uses[0].sent, POLICY_SENT_REFUSED);
}

/* ---- against the windows that the guard has ----------------------------- */

#define ORIGINS	 3
#define RECORDS	 12
#define WINDOW_S 60

/* Reads of a few records, at random; what the guard would count of them. */
struct trial {
	uint32_t seed;
	uint64_t max_records;
	uint64_t max_bytes;
	struct window window; /* of bytes */
	int charged[RECORDS]; /* when, in seconds; 0: never */
	bool has_read[ORIGINS][RECORDS];
	uint64_t acts[ORIGINS], bytes[ORIGINS], records[ORIGINS];
	int first[ORIGINS], last[ORIGINS];
	bool refused;
};

static uint32_t chance(struct trial *trial, uint32_t below)
{
	trial->seed = trial->seed * 1664525 + 1013904223;
	return (trial->seed >> 16) % below;
}

/* How many records were charged in the window that ends now. */
static uint64_t charged_now(const struct trial *trial, int now)
{
	uint64_t charged = 0;

	for (int i = 0; i < RECORDS; i++)
		charged += trial->charged[i] &&
			   now - trial->charged[i] < WINDOW_S;
	return charged;
}

/* It went through when it was recorded; would it have? */
static void read_one(struct trial *trial, int now)
{
	uint32_t origin = chance(trial, ORIGINS);
	uint32_t record = chance(trial, RECORDS), bytes = chance(trial, 100);
	bool again = trial->charged[record] &&
		     now - trial->charged[record] < WINDOW_S;

	if (!trial->acts[origin]++)
		trial->first[origin] = now;
	trial->last[origin] = now;
	trial->bytes[origin] += bytes;
	trial->records[origin] += !trial->has_read[origin][record];
	trial->has_read[origin][record] = true;
	if (!again && charged_now(trial, now) >= trial->max_records)
		trial->refused = true;
	else
		trial->charged[record] = now;
	if (!window_charge(&trial->window, (uint64_t)now * 1000000000,
			   WINDOW_S * 1000000000ULL, trial->max_bytes, bytes))
		trial->refused = true;
}

static enum policy_sent judge_trial(const struct trial *trial)
{
	char rule[256];

	(void)snprintf(rule, sizeof(rule),
		       WEB("read: [%d records/minute, %dB/minute]"),
		       (int)trial->max_records, (int)trial->max_bytes);
	begin(rule, "");
	for (int i = 0; i < ORIGINS; i++)
		if (trial->acts[i])
			assert_int_equal(
				row("{'origin':%d,'subject':'web','dataset':"
				    "'photos','destination':'read','channel':"
				    "'read','acts':%d,'bytes':%d,'records':%"
				    "d," WENT
				    "'first':'2026-11-14T12:%02d:%02d.000Z',"
				    "'last':'2026-11-14T12:%02d:%02d.000Z'}",
				    i + 1, (int)trial->acts[i],
				    (int)trial->bytes[i],
				    (int)trial->records[i],
				    trial->first[i] / 60, trial->first[i] % 60,
				    trial->last[i] / 60, trial->last[i] % 60),
				0);
	judge(1);
	return uses[0].sent;
}

static void verdicts_hold_when_reads_are_random(void **state)
{
	int told[POLICY_SENTS] = {0};
	enum policy_sent sent;

	(void)state;
	for (uint32_t seed = 1; seed <= 3000; seed++) {
		struct trial trial = {.seed = seed};
		uint32_t most = 1 + chance(&trial, 200);
		uint32_t acts = 1 + chance(&trial, 40);
		int now = 1 + (int)chance(&trial, 60);

		trial.max_records = 1 + chance(&trial, 2 * RECORDS);
		trial.max_bytes = 50 + chance(&trial, 2500);
		for (; acts && now < 3600; acts--) {
			read_one(&trial, now);
			now += (int)chance(&trial, most);
		}
		sent = judge_trial(&trial);
		told[sent]++;
		if ((sent == POLICY_SENT_REFUSED && !trial.refused) ||
		    (sent == POLICY_SENT_FITS && trial.refused))
			fail_msg("seed %u: %s, but something %s refused",
				 (unsigned int)seed, policy_sent_name(sent),
				 trial.refused ? "is" : "is not");
		(void)release(NULL);
	}
	/* All of it has been tried. */
	assert_true(told[POLICY_SENT_REFUSED] > 20);
	assert_true(told[POLICY_SENT_MAY_BE_REFUSED] > 20);
	assert_true(told[POLICY_SENT_FITS] > 20);
}

#define TEST(name) cmocka_unit_test_teardown(name, release)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(reading_fits_when_the_total_is_within_a_window),
		TEST(reading_may_be_refused_when_it_could_be_spread),
		TEST(reading_is_refused_when_no_spread_helps),
		TEST(nothing_is_certain_when_the_clock_was_set_back),
		TEST(release_is_refused_by_what_one_act_has_sent),
		TEST(rows_of_one_budget_count_together),
		TEST(reading_does_not_fit_when_others_of_the_origin_read_it),
		TEST(blocked_acts_go_through_when_the_policy_lets_them),
		TEST(dataset_is_free_when_the_policy_has_it_no_more),
		TEST(rule_is_found_by_the_event_when_there_is_one),
		TEST(rule_is_found_by_name_when_there_is_no_event),
		TEST(rule_is_not_known_when_nothing_tells),
		TEST(rule_is_not_known_when_events_tell_several),
		TEST(destination_is_found_by_the_address_first),
		TEST(places_come_together_when_a_rule_does_not_name_them),
		TEST(row_counts_once_when_it_is_told_again),
		TEST(intake_is_left_out),
		TEST(line_is_refused_when_it_is_no_row),
		TEST(sums_stay_at_the_largest_number),
		TEST(verdicts_hold_when_reads_are_random),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
