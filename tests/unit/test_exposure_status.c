// SPDX-License-Identifier: GPL-2.0-only
/* What became of the records: bounds, out of lines. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "exposure_status.h"

/* JSON with ' for ". */
static json_t *json(const char *text)
{
	char copy[4096];
	json_t *value;

	assert_true(strlen(text) < sizeof(copy));
	(void)strcpy(copy, text);
	for (char *c = copy; *c; c++)
		if (*c == '\'')
			*c = '"';
	value = json_loads(copy, JSON_DECODE_ANY, NULL);
	assert_non_null(value);
	return value;
}

#define BEGAN                                                         \
	"{'type':'first-read','origin':3,'dataset':'photos','time':'" \
	"2026-11-30T10:00:00.000Z'}"

static struct exposure_status made;
static json_t *lines[3], *events;

/* The first share that these lines come to. */
static const struct exposure_share *
share(const char *incident, const char *ledger, const char *exposed)
{
	lines[0] = json(incident);
	lines[1] = json(ledger);
	lines[2] = json(exposed);
	if (!events)
		events = json("[" BEGAN "]");
	assert_int_equal(exposure_status_make(lines[0], lines[1], lines[2],
					      events, &made),
			 0);
	return made.n ? made.shares : NULL;
}

static int release(void **state)
{
	(void)state;
	exposure_status_release(&made);
	json_decref(events);
	events = NULL;
	for (size_t i = 0; i < 3; i++) {
		json_decref(lines[i]);
		lines[i] = NULL;
	}
	return 0;
}

#define INCIDENT                                                    \
	"{'origins':[{'origin':3,'dataset':'photos','records':812," \
	"'bytes':5000}]}"
#define ROW(to, rest) \
	"{'origin':3,'dataset':'photos','destination':'" to "'," rest "}"
#define READ ROW("read", "'acts':9,'bytes':5000,'records':812")

static void share_is_contained_when_nothing_went_out(void **state)
{
	const struct exposure_share *s;

	(void)state;
	s = share(INCIDENT,
		  "[" READ "," ROW("intake", "'bytes':90,'records':9") "," ROW(
			  "*",
			  "'over_acts':4,'blocked_acts':4,'over_bytes':77") "]",
		  "[]");
	assert_int_equal(made.n, 1);
	assert_int_equal(s->fate, EXPOSURE_CONTAINED);
	assert_int_equal(s->read, 812);
	assert_int_equal(s->released, 0);
	assert_int_equal(s->n_ways, 1);
	assert_false(s->ways[0].through);
	assert_int_equal(s->ways[0].blocked_acts, 4);
}

/* Its first line is gone, and perhaps others with it. */
static void share_is_not_contained_when_its_beginning_is_not_there(void **state)
{
	(void)state;
	events = json("[]");
	assert_int_equal(share(INCIDENT, "[" READ "]", "[]")->fate,
			 EXPOSURE_UNKNOWN);
}

static void share_is_not_contained_when_events_were_lost(void **state)
{
	(void)state;
	events =
		json("[" BEGAN ",{'type':'faults','counts':{'event lost':1}}]");
	assert_int_equal(share(INCIDENT, "[" READ "]", "[]")->fate,
			 EXPOSURE_UNKNOWN);
}

#define SEVERAL(last)                                                      \
	"{'origin':0,'several':true,'dataset':'photos','destination':'*'," \
	"'bytes':5,'records':20,'last':'" last "'}"

/* Who took from another one first sends under no origin of his own. */
static void share_is_released_when_several_were_sent_together(void **state)
{
	const struct exposure_share *s;

	(void)state;
	s = share(INCIDENT,
		  "[" READ "," SEVERAL("2026-11-30T11:00:00.000Z") "]", "[]");
	assert_int_equal(made.n, 1);
	assert_int_equal(s->fate, EXPOSURE_RELEASED);
	assert_int_equal(s->released, 20);
}

static void share_is_contained_when_it_began_behind_that(void **state)
{
	(void)state;
	assert_int_equal(share(INCIDENT,
			       "[" READ
			       "," SEVERAL("2026-11-30T09:00:00.000Z") "]",
			       "[]")
				 ->fate,
			 EXPOSURE_CONTAINED);
}

/* An hour back, between the beginning and what was sent. */
static void share_is_released_when_the_clock_was_set(void **state)
{
	(void)state;
	events = json("[{'type':'first-read','origin':3,'dataset':'photos',"
		      "'time':'2026-11-30T10:00:00.000Z',"
		      "'boottime_ns':100000000000}]");
	assert_int_equal(share(INCIDENT,
			       "[" READ ",{'origin':0,'several':true,"
			       "'dataset':'photos','destination':'*','bytes':5,"
			       "'records':20,'last':'2026-11-30T09:05:00.000Z',"
			       "'time':'2026-11-30T09:05:01.000Z',"
			       "'boottime_ns':401000000000}]",
			       "[]")
				 ->fate,
			 EXPOSURE_RELEASED);
}

/* The other way round: it was over, though its time of day is a later one. */
static void share_is_contained_when_the_clock_was_set_before(void **state)
{
	(void)state;
	events = json("[{'type':'first-read','origin':3,'dataset':'photos',"
		      "'time':'2026-11-30T10:00:00.000Z',"
		      "'boottime_ns':900000000000}]");
	assert_int_equal(share(INCIDENT,
			       "[" READ ",{'origin':0,'several':true,"
			       "'dataset':'photos','destination':'*','bytes':5,"
			       "'records':20,'last':'2026-11-30T10:05:00.000Z',"
			       "'time':'2026-11-30T10:05:01.000Z',"
			       "'boottime_ns':401000000000}]",
			       "[]")
				 ->fate,
			 EXPOSURE_CONTAINED);
}

static void bound_is_the_sum_of_rows_when_some_went_out(void **state)
{
	const struct exposure_share *s;

	(void)state;
	s = share(INCIDENT,
		  "[" READ "," ROW("*", "'bytes':5,'records':12") "," ROW(
			  "*", "'channel':'udp','bytes':5,'records':8") "]",
		  "[]");
	assert_int_equal(s->fate, EXPOSURE_RELEASED);
	assert_int_equal(s->ways[0].records, 20);
	assert_int_equal(s->ways[0].bytes, 10);
	assert_int_equal(s->released, 20);
}

static void bound_is_what_was_read_when_more_was_charged(void **state)
{
	const struct exposure_share *s;

	(void)state;
	s = share(INCIDENT,
		  "[" ROW("*", "'bytes':5,'records':900") "," ROW(
			  "printers", "'bytes':5,'records':4") "]",
		  "[]");
	assert_int_equal(s->ways[0].records, 812);
	assert_int_equal(s->ways[1].records, 4);
	assert_int_equal(s->released, 812);
}

static void share_is_released_when_it_only_raised_an_alert(void **state)
{
	const struct exposure_share *s;

	(void)state;
	/* Charged: these records. Not charged: it can be all of them. */
	s = share(INCIDENT,
		  "[" ROW("a", "'bytes':5,'records':30,'over_acts':2") "," ROW(
			  "b", "'over_acts':5,'blocked_acts':3") "]",
		  "[]");
	assert_int_equal(s->fate, EXPOSURE_RELEASED);
	assert_int_equal(s->ways[0].records, 30);
	assert_int_equal(s->ways[0].alerted_acts, 2);
	assert_int_equal(s->ways[1].records, 812);
	assert_int_equal(s->ways[1].alerted_acts, 2);
}

static void bound_is_all_when_bytes_went_out_that_no_record_has(void **state)
{
	(void)state;
	assert_int_equal(
		share(INCIDENT, "[" ROW("*", "'bytes':5") "]", "[]")->released,
		812);
}

static void fate_is_not_known_when_totals_are_missing(void **state)
{
	(void)state;
	assert_int_equal(share(INCIDENT, "[]", "[]")->fate, EXPOSURE_UNKNOWN);
	(void)release(NULL);
	assert_int_equal(share("{'origins':[{'origin':3,'dataset':'photos',"
			       "'records':8}],'gaps':[{'why':'rows'}]}",
			       "[" READ "]", "[]")
				 ->fate,
			 EXPOSURE_UNKNOWN);
	(void)release(NULL);
	/* That an agent was away loses no count. */
	assert_int_equal(share("{'origins':[{'origin':3,'dataset':'photos',"
			       "'records':8}],'gaps':[{'why':'agent'}]}",
			       "[" READ "]", "[]")
				 ->fate,
			 EXPOSURE_CONTAINED);
}

static void share_is_released_when_an_event_is_ahead_of_the_ledger(void **state)
{
	const struct exposure_share *s;

	(void)state;
	events = json("[{'type':'budget','origin':3,'dataset':'photos',"
		      "'destination':'printers'},"
		      "{'type':'verdict','verdict':'block','origin':3,"
		      "'dataset':'photos','destination':'printers'},"
		      "{'type':'first-release','origin':3,'dataset':'photos',"
		      "'destination':'*'}]");
	s = share(INCIDENT, "[" READ "]", "[]");
	assert_int_equal(s->fate, EXPOSURE_RELEASED);
	assert_int_equal(s->n_ways, 1);
	assert_int_equal(s->released, 812);
}

static void fate_is_not_known_when_the_incident_counts_more(void **state)
{
	(void)state;
	assert_int_equal(share("{'released_bytes':9,'origins':[{'origin':3,"
			       "'dataset':'photos','records':8}]}",
			       "[" READ "]", "[]")
				 ->fate,
			 EXPOSURE_UNKNOWN);
}

static void record_is_counted_once_when_told_again(void **state)
{
	const struct exposure_share *s;

	(void)state;
	s = share("{}", "[]",
		  "[{'origin':3,'dataset':'photos','dir':'/p','files':"
		  "[[7,'a'],[9,'b']]},"
		  "{'origin':3,'dataset':'photos','dir':'/p','files':"
		  "[[9,'b']],'unnamed':[10,7]},"
		  "{'origin':3,'dataset':'photos','file':'/r','record':4,"
		  "'rows':[[0,9],[5,12],[20,20],[30,29],[-4,3]]}]");
	assert_int_equal(s->listed, 3 + 13 + 1);
	assert_int_equal(s->read, 17);
}

static void rows_are_others_when_their_files_are(void **state)
{
	(void)state;
	assert_int_equal(
		share("{}", "[]",
		      "[{'origin':3,'dataset':'d','record':4,'rows':[[0,9]]},"
		      "{'origin':3,'dataset':'d','record':5,'rows':[[0,9]]}]")
			->listed,
		20);
}

static void shares_are_apart_when_origin_or_dataset_differ(void **state)
{
	(void)state;
	events = json("[]");
	(void)share("{'origins':[{'origin':3,'dataset':'a','records':1},"
		    "{'origin':3,'dataset':'b','records':2},"
		    "{'origin':4,'dataset':'a','records':4}]}",
		    "[{'origin':4,'dataset':'a','destination':'*','bytes':1,"
		    "'records':1}]",
		    "[]");
	assert_int_equal(made.n, 3);
	assert_int_equal(exposure_status_find(&made, 4, "a")->released, 1);
	assert_int_equal(exposure_status_find(&made, 3, "b")->read, 2);
	assert_null(exposure_status_find(&made, 5, "a"));
}

static void sums_end_at_the_top_when_numbers_are_absurd(void **state)
{
	const struct exposure_share *s;

	(void)state;
#define HUGE "9223372036854775807"
	s = share("{'origins':[{'origin':3,'dataset':'photos','records':-5}]}",
		  "[" ROW("a", "'bytes':" HUGE ",'records':" HUGE) "," ROW(
			  "a",
			  "'bytes':" HUGE
			  ",'records':" HUGE) "," ROW("a", "'bytes':" HUGE) "]",
		  "[{'origin':3,'dataset':'photos','record':1,"
		  "'rows':[[0," HUGE "]]},{'origin':3,'dataset':'photos',"
		  "'record':2,'rows':[[0," HUGE "],'x',[[],{}]]}]");
	assert_true(s->ways[0].bytes == UINT64_MAX);
	assert_true(s->read >= (uint64_t)INT64_MAX);
	assert_true(s->released <= s->read);
}

static void nothing_is_known_when_there_are_no_lines(void **state)
{
	(void)state;
	assert_int_equal(exposure_status_make(NULL, NULL, NULL, NULL, &made),
			 0);
	assert_int_equal(made.n, 0);
	assert_false(made.uncounted);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_teardown(name, release)
	const struct CMUnitTest tests[] = {
		TEST(share_is_contained_when_nothing_went_out),
		TEST(share_is_not_contained_when_its_beginning_is_not_there),
		TEST(share_is_not_contained_when_events_were_lost),
		TEST(share_is_released_when_several_were_sent_together),
		TEST(share_is_contained_when_it_began_behind_that),
		TEST(share_is_released_when_the_clock_was_set),
		TEST(share_is_contained_when_the_clock_was_set_before),
		TEST(bound_is_the_sum_of_rows_when_some_went_out),
		TEST(bound_is_what_was_read_when_more_was_charged),
		TEST(share_is_released_when_it_only_raised_an_alert),
		TEST(bound_is_all_when_bytes_went_out_that_no_record_has),
		TEST(fate_is_not_known_when_totals_are_missing),
		TEST(share_is_released_when_an_event_is_ahead_of_the_ledger),
		TEST(fate_is_not_known_when_the_incident_counts_more),
		TEST(record_is_counted_once_when_told_again),
		TEST(rows_are_others_when_their_files_are),
		TEST(shares_are_apart_when_origin_or_dataset_differ),
		TEST(sums_end_at_the_top_when_numbers_are_absurd),
		TEST(nothing_is_known_when_there_are_no_lines),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
