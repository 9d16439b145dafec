// SPDX-License-Identifier: GPL-2.0-only
/* Which verdict belongs to which incident, and what its lines keep. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <errno.h>

#include "incident.h"

#define HOUR_NS INCIDENT_QUIET_NS

static int setup(void **state)
{
	*state = calloc(1, sizeof(struct incidents));
	return *state ? 0 : -1;
}

static int teardown(void **state)
{
	incidents_release(*state);
	free(*state);
	return 0;
}

/* By a process of that number, in a login session. */
static struct incident_facts facts_of(uint32_t tgid, uint64_t session)
{
	return (struct incident_facts){
		.time_ns = 5 * HOUR_NS,
		.kin = {{KIN_SESSION, session}},
		.n_kin = 1,
		.actor_kin = {KIN_SESSION, session},
		.process = {tgid, tgid * 1000ULL},
	};
}

/* And holds what that origin has read. */
static void has_read(struct incident_facts *facts, uint32_t origin)
{
	facts->origins[facts->n_origins++] = origin;
}

/* As the agent does. */
static struct incident *verdict(struct incidents *incidents,
				const struct incident_facts *facts)
{
	struct incident *incident = incidents_find(incidents, facts);

	if (!incident) {
		incident = incidents_place(incidents);
		assert_int_equal(incident_begin(incidents, incident, facts), 0);
	}
	incident->open = true;
	(void)incident_add(incident, facts);
	return incident;
}

/* In this order. */
static bool are_one(struct incidents *incidents, const struct incident_facts *a,
		    const struct incident_facts *b)
{
	const struct incident *first = verdict(incidents, a);

	return verdict(incidents, b) == first;
}

static json_t *event(const char *verdict, const char *channel, int origin)
{
	return json_pack("{s:s, s:s, s:s, s:s, s:i, s:s, s:i, s:s, s:s}",
			 "type", "verdict", "time", "2026-11-30T10:00:00.000Z",
			 "verdict", verdict, "channel", channel, "origin",
			 origin, "comm", "curl", "tgid", 7, "dataset", "photos",
			 "rule", verdict);
}

static void take(struct incident *incident, const char *verdict,
		 const char *channel, int origin)
{
	json_t *line = event(verdict, channel, origin);

	assert_non_null(line);
	incident_take(incident, line, origin == 0);
	json_decref(line);
}

static void is_one_when_origin_is_one(void **state)
{
	struct incidents *incidents = *state;
	struct incident_facts a = facts_of(10, 1), b = facts_of(20, 2);

	has_read(&a, 3);
	has_read(&b, 3);
	assert_true(are_one(incidents, &a, &b));
	assert_int_equal(incidents->last, 1);
}

static void is_one_when_login_is_one(void **state)
{
	struct incidents *incidents = *state;
	struct incident_facts a = facts_of(10, 1), b = facts_of(20, 1);

	has_read(&a, 3);
	has_read(&b, 4);
	assert_true(are_one(incidents, &a, &b));
	/* Before anything was read. */
	b = facts_of(30, 1);
	assert_true(are_one(incidents, &a, &b));
	assert_int_equal(incidents->last, 1);
}

static void is_one_when_actor_is_ancestor(void **state)
{
	struct incidents *incidents = *state;
	struct incident_facts a = facts_of(10, 1), b = facts_of(20, 2);

	has_read(&a, 3);
	has_read(&b, 4);
	b.ancestors[0] = (struct incident_process){15, 15000};
	b.ancestors[1] = a.process;
	b.n_ancestors = 2;
	assert_true(are_one(incidents, &a, &b));
	assert_int_equal(incidents->last, 1);
}

static void is_another_when_nothing_is_common(void **state)
{
	struct incidents *incidents = *state;
	struct incident_facts a = facts_of(10, 1), b = facts_of(20, 2);

	has_read(&a, 3);
	has_read(&b, 4);
	/* The number of an actor that has ended, which another one got. */
	b.ancestors[0] = (struct incident_process){10, 77};
	b.n_ancestors = 1;
	assert_false(are_one(incidents, &a, &b));
	assert_int_equal(incidents->last, 2);
}

/* A print spooler sends for everybody. */
static void is_another_when_only_daemon_is_common(void **state)
{
	struct incidents *incidents = *state;
	struct incident_facts a = facts_of(10, 1), b = facts_of(10, 2);

	has_read(&a, 3);
	a.actor_kin = (struct incident_kin){KIN_CGROUP, 99};
	has_read(&b, 4);
	b.actor_kin = (struct incident_kin){KIN_CGROUP, 99};
	b.process = (struct incident_process){11, 11000};
	assert_false(are_one(incidents, &a, &b));
}

static void is_opened_again_when_chain_goes_on(void **state)
{
	struct incidents *incidents = *state;
	struct incident_facts a = facts_of(10, 1);
	struct incident *incident;

	has_read(&a, 3);
	incident = verdict(incidents, &a);
	incident->open = false;
	a.time_ns += 23 * HOUR_NS;
	assert_ptr_equal(incidents_find(incidents, &a), incident);
	a.time_ns += 2 * HOUR_NS;
	assert_null(incidents_find(incidents, &a));
}

static void actor_is_counted_once_when_it_acts_again(void **state)
{
	struct incidents *incidents = *state;
	struct incident_facts a = facts_of(10, 1);
	struct incident *incident;

	has_read(&a, 3);
	incident = verdict(incidents, &a);
	assert_int_equal(incident_add(incident, &a), INCIDENT_ACTOR_KNOWN);
	/* It had ended before anybody could look. */
	a.process.start_ns = 0;
	assert_int_equal(incident_add(incident, &a), INCIDENT_ACTOR_KNOWN);
	assert_int_equal(incident->n_actors, 1);
	for (uint32_t i = 0; i < 2 * INCIDENT_ACTORS_MAX; i++) {
		a.process = (struct incident_process){100 + i, 5};
		assert_int_equal(incident_add(incident, &a),
				 i < INCIDENT_ACTORS_MAX - 1
					 ? INCIDENT_ACTOR_NEW
					 : INCIDENT_ACTOR_MORE);
	}
	assert_int_equal(incident->n_actors, INCIDENT_ACTORS_MAX);
	assert_true(incident->more_actors);
}

static void place_is_the_quietest_when_all_are_taken(void **state)
{
	struct incidents *incidents = *state;
	struct incident_facts a;

	for (uint32_t i = 0; i < INCIDENTS_MAX; i++) {
		a = facts_of(10 + i, 1 + i);
		a.time_ns += (i + 7) % INCIDENTS_MAX;
		(void)verdict(incidents, &a);
	}
	assert_int_equal(incidents_place(incidents)->number,
			 INCIDENTS_MAX - 7 + 1);
	incidents->at[3].open = false;
	assert_ptr_equal(incidents_place(incidents), &incidents->at[3]);
	incident_forget(&incidents->at[9]);
	assert_ptr_equal(incidents_place(incidents), &incidents->at[9]);
	/* Numbers are never given twice. */
	a = facts_of(1, 9999);
	assert_int_equal(verdict(incidents, &a)->number, INCIDENTS_MAX + 1);
}

static void act_is_the_first_block_when_alerts_came_before(void **state)
{
	struct incidents *incidents = *state;
	struct incident_facts a = facts_of(10, 1);
	struct incident *incident = verdict(incidents, &a);

	take(incident, "alert", "read", 3);
	assert_string_equal(
		json_string_value(json_object_get(incident->line, "verdict")),
		"alert");
	take(incident, "block", "tcp", 3);
	take(incident, "block", "device", 0);
	assert_string_equal(
		json_string_value(json_object_get(
			json_object_get(incident->line, "act"), "channel")),
		"tcp");
	assert_int_equal(incident->verdicts, 3);
	assert_int_equal(incident->apart_blocked, 1);
	assert_int_equal(
		json_array_size(json_object_get(incident->line, "techniques")),
		3);
}

static void gaps_are_bounded_when_there_are_many(void **state)
{
	struct incidents *incidents = *state;
	struct incident_facts a = facts_of(10, 1);
	struct incident *incident = verdict(incidents, &a);

	for (int i = 0; i < 1000; i++) {
		incident_add_gap(incident, json_pack("{s:s}", "why", "faults"));
		incident_add_gap(incident, json_pack("{s:s}", "why", "agent"));
	}
	assert_in_range(
		json_array_size(json_object_get(incident->line, "gaps")), 2,
		16);
	incident_add_gap(incident, NULL);
}

/* A database reads for everybody. */
static void is_another_when_origin_is_shared(void **state)
{
	struct incidents *incidents = *state;
	struct incident_facts a = facts_of(10, 1), b = facts_of(20, 2);
	const struct incident *incident;

	has_read(&a, 3);
	a.shared = 1;
	has_read(&b, 3);
	b.shared = 1;
	assert_false(are_one(incidents, &a, &b));
	incident = incidents_find(incidents, &a);
	assert_int_equal(incident->n_origins, 1);
	assert_false(incident_owns(incident, 3));
	assert_null(incidents_of_origin(incidents, 3));
}

static void is_one_when_nothing_is_known_but_the_user(void **state)
{
	struct incidents *incidents = *state;
	struct incident_facts a = facts_of(10, 1), b = facts_of(20, 1);

	a.kin[0] = (struct incident_kin){INCIDENT_KIN_USER, 33};
	a.actor_kin = a.kin[0];
	a.process.start_ns = 0;
	b.kin[0] = a.kin[0];
	b.actor_kin = a.kin[0];
	b.process.start_ns = 0;
	assert_true(are_one(incidents, &a, &b));
}

/* Whatever names there are, it is a line. */
static void line_is_short_enough_when_names_are_hostile(void **state)
{
	struct incidents *incidents = *state;
	struct incident_facts a = facts_of(10, 1);
	struct incident *incident = verdict(incidents, &a);
	json_t *origins = json_array(), *fields;
	char quotes[256];

	memset(quotes, '"', sizeof(quotes) - 1);
	quotes[sizeof(quotes) - 1] = '\0';
	take(incident, "block", "tcp", 3);
	for (int i = 0; i < INCIDENT_ORIGINS_MAX; i++)
		(void)json_array_append_new(
			origins, json_pack("{s:i, s:s%, s:s%}", "origin", i + 1,
					   "comm", quotes, (size_t)15,
					   "dataset", quotes, (size_t)63));
	(void)json_object_set_new(incident->line, "origins", origins);
	(void)json_object_set_new(incident->line, "exe", json_string(quotes));
	(void)json_object_set_new(incident->line, "unit", json_string(quotes));
	for (uint64_t i = 0; i < INCIDENT_KIN_MAX; i++)
		incident_add_kin(
			incident,
			&(struct incident_kin){KIN_CGROUP, UINT64_MAX / 2 - i});
	fields = incident_fields(incident, "updated");
	assert_non_null(fields);
	assert_in_range(json_dumpb(fields, NULL, 0, JSON_COMPACT), 1, 7680);
	assert_true(json_is_true(json_object_get(fields, "left_out")));
	assert_int_equal(
		json_integer_value(json_object_get(fields, "incident")), 1);
	json_decref(fields);
}

static void restores_what_it_wrote(void **state)
{
	struct incidents *incidents = *state, *later;
	struct incident_facts a = facts_of(10, 1), b = facts_of(20, 2);
	struct incident *incident, *again;
	json_t *line, *actor, *back;

	later = calloc(1, sizeof(*later));
	assert_non_null(later);
	has_read(&a, 3);
	incident = verdict(incidents, &a);
	take(incident, "block", "tcp", 3);
	(void)json_object_set_new(incident->line, "origins",
				  json_pack("[{s:i}]", "origin", 3));
	incident_add_gap(incident, json_pack("{s:s}", "why", "agent"));
	incident->counts = (struct incident_counts){5, 2, 4096, 70, 7};
	incident->apart_blocked = 3;
	line = incident_fields(incident, "updated");
	(void)json_object_set_new(line, "type", json_string("incident"));
	(void)json_object_set_new(line, "boottime_ns",
				  json_integer((json_int_t)a.time_ns));
	actor = json_pack("{s:s, s:i, s:i, s:i}", "type", "actor", "incident",
			  1, "tgid", 10, "start_ns", 10000);
	assert_int_equal(incidents_restore(later, line), 0);
	assert_int_equal(incidents_restore(later, actor), 0);
	assert_int_equal(incidents_restore(later, line), 0);
	assert_int_equal(later->last, 1);
	again = incidents_of_origin(later, 3);
	assert_non_null(again);
	back = incident_fields(again, "updated");
	(void)json_object_del(line, "type");
	(void)json_object_del(line, "boottime_ns");
	assert_true(json_equal(line, back));
	/* And it is found by all that it was found by. */
	assert_ptr_equal(incidents_find(later, &a), again);
	b.ancestors[0] = a.process;
	b.n_ancestors = 1;
	assert_ptr_equal(incidents_find(later, &b), again);
	json_decref(line);
	json_decref(actor);
	json_decref(back);
	incidents_release(later);
	free(later);
}

static void numbers_go_on_when_lines_tell_the_last(void **state)
{
	struct incidents *incidents = *state;
	struct incident_facts a = facts_of(10, 1);
	json_t *line = json_pack("{s:s, s:i}", "type", "incidents", "last", 41);

	assert_int_equal(incidents_restore(incidents, line), 0);
	json_decref(line);
	/* A line that is none of these, or is empty, changes nothing. */
	line = json_object();
	assert_int_equal(incidents_restore(incidents, line), 0);
	json_decref(line);
	line = json_pack("{s:s}", "type", "incident");
	assert_int_equal(incidents_restore(incidents, line), 0);
	json_decref(line);
	assert_int_equal(verdict(incidents, &a)->number, 42);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(is_one_when_origin_is_one),
		TEST(is_one_when_login_is_one),
		TEST(is_one_when_actor_is_ancestor),
		TEST(is_another_when_nothing_is_common),
		TEST(is_another_when_only_daemon_is_common),
		TEST(is_opened_again_when_chain_goes_on),
		TEST(actor_is_counted_once_when_it_acts_again),
		TEST(place_is_the_quietest_when_all_are_taken),
		TEST(act_is_the_first_block_when_alerts_came_before),
		TEST(is_another_when_origin_is_shared),
		TEST(is_one_when_nothing_is_known_but_the_user),
		TEST(line_is_short_enough_when_names_are_hostile),
		TEST(gaps_are_bounded_when_there_are_many),
		TEST(restores_what_it_wrote),
		TEST(numbers_go_on_when_lines_tell_the_last),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
