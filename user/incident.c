// SPDX-License-Identifier: GPL-2.0-only
#include "incident.h"
#include "answer_words.h"
#include "evidence.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define TECHNIQUES_MAX 16
#define GAPS_MAX       8
/* Of a line: who writes it adds its place, and what was lost before it. */
#define FIELDS_BYTES (EVIDENCE_LINE_MAX - 512)

/* ---- which is it --------------------------------------------------------- */

bool incident_has_origin(const struct incident *incident, uint32_t origin)
{
	for (size_t i = 0; i < incident->n_origins; i++)
		if (origin && incident->origins[i] == origin)
			return true;
	return false;
}

/* And nobody else's. */
bool incident_owns(const struct incident *incident, uint32_t origin)
{
	for (size_t i = 0; i < incident->n_origins; i++)
		if (origin && incident->origins[i] == origin)
			return !(incident->shared >> i & 1);
	return false;
}

static bool has_kin(const struct incident *incident,
		    const struct incident_kin *kin)
{
	for (size_t i = 0; i < incident->n_kin; i++)
		if (kin->kin && incident->kin[i].kin == kin->kin &&
		    incident->kin[i].id == kin->id)
			return true;
	return false;
}

bool incident_has_actor(const struct incident *incident,
			const struct incident_process *process)
{
	for (size_t i = 0; i < incident->n_actors; i++)
		if (process->start_ns &&
		    incident->actors[i].tgid == process->tgid &&
		    incident->actors[i].start_ns == process->start_ns)
			return true;
	return false;
}

/*
 * Of one that ended before anybody could look, only the number is known: what
 * is seen under that number later is another one.
 */
static bool may_be_actor(const struct incident *incident,
			 const struct incident_process *process)
{
	for (size_t i = 0; i < incident->n_actors; i++)
		if (incident->actors[i].tgid == process->tgid &&
		    !process->start_ns)
			return true;
	return incident_has_actor(incident, process);
}

static bool is_of(const struct incident *incident,
		  const struct incident_facts *facts)
{
	for (size_t i = 0; i < facts->n_origins; i++)
		if (incident_owns(incident, facts->origins[i]))
			return true;
	for (size_t i = 0; i < facts->n_kin; i++)
		if (has_kin(incident, &facts->kin[i]))
			return true;
	if (incident_has_actor(incident, &facts->process))
		return true;
	for (size_t i = 0; i < facts->n_ancestors; i++)
		if (incident_has_actor(incident, &facts->ancestors[i]))
			return true;
	return false;
}

static bool is_over(const struct incident *incident, uint64_t now_ns)
{
	return !incident->open && now_ns > incident->last_ns &&
	       now_ns - incident->last_ns > INCIDENT_AGAIN_NS;
}

struct incident *incidents_find(struct incidents *incidents,
				const struct incident_facts *facts)
{
	struct incident *found = NULL, *incident;

	for (size_t i = 0; i < INCIDENTS_MAX; i++) {
		incident = &incidents->at[i];
		if (!incident->number || is_over(incident, facts->time_ns) ||
		    !is_of(incident, facts))
			continue;
		/* Of several, one that is open; of these the first. */
		if (!found || (incident->open && !found->open) ||
		    (incident->open == found->open &&
		     incident->number < found->number))
			found = incident;
	}
	return found;
}

struct incident *incidents_of_origin(struct incidents *incidents,
				     uint32_t origin)
{
	struct incident *incident;

	for (size_t i = 0; i < INCIDENTS_MAX; i++) {
		incident = &incidents->at[i];
		if (incident->number && incident->open &&
		    incident_owns(incident, origin))
			return incident;
	}
	return NULL;
}

/* ---- their places -------------------------------------------------------- */

/* Is it the better one to let go? */
static bool goes_before(const struct incident *a, const struct incident *b)
{
	if (!a->number || !b->number)
		return !a->number;
	if (a->open != b->open)
		return !a->open;
	return a->last_ns < b->last_ns;
}

struct incident *incidents_place(struct incidents *incidents)
{
	struct incident *place = &incidents->at[0];

	for (size_t i = 1; i < INCIDENTS_MAX; i++)
		if (goes_before(&incidents->at[i], place))
			place = &incidents->at[i];
	return place;
}

int incident_begin(struct incidents *incidents, struct incident *incident,
		   const struct incident_facts *facts)
{
	json_t *line = json_object();

	if (!line)
		return -ENOMEM;
	incident_forget(incident);
	incident->line = line;
	incident->number = ++incidents->last;
	incident->open = true;
	incident->opened_ns = facts->time_ns;
	return 0;
}

void incident_forget(struct incident *incident)
{
	json_decref(incident->line);
	free(incident->told.steps);
	*incident = (struct incident){0};
}

void incidents_release(struct incidents *incidents)
{
	for (size_t i = 0; i < INCIDENTS_MAX; i++)
		incident_forget(&incidents->at[i]);
}

/* ---- what is known of one ------------------------------------------------ */

bool incident_add_origin(struct incident *incident, uint32_t origin,
			 bool shared)
{
	if (!origin || incident_has_origin(incident, origin))
		return false;
	if (incident->n_origins == INCIDENT_ORIGINS_MAX) {
		incident_add_gap(incident,
				 json_pack("{s:s}", "why", "origins"));
		return false;
	}
	incident->shared |= (uint32_t)shared << incident->n_origins;
	incident->origins[incident->n_origins++] = origin;
	incident->changed = true;
	return true;
}

void incident_add_kin(struct incident *incident, const struct incident_kin *kin)
{
	if (kin->kin && !has_kin(incident, kin) &&
	    incident->n_kin < INCIDENT_KIN_MAX)
		incident->kin[incident->n_kin++] = *kin;
}

static enum incident_actor add_actor(struct incident *incident,
				     const struct incident_process *process)
{
	if (may_be_actor(incident, process))
		return INCIDENT_ACTOR_KNOWN;
	if (incident->n_actors == INCIDENT_ACTORS_MAX) {
		incident->more_actors = true;
		return INCIDENT_ACTOR_MORE;
	}
	incident->actors[incident->n_actors++] = *process;
	return INCIDENT_ACTOR_NEW;
}

enum incident_actor incident_add(struct incident *incident,
				 const struct incident_facts *facts)
{
	incident->changed = true;
	if (facts->time_ns > incident->last_ns)
		incident->last_ns = facts->time_ns;
	for (size_t i = 0; i < facts->n_origins; i++)
		(void)incident_add_origin(incident, facts->origins[i],
					  facts->shared >> i & 1);
	for (size_t i = 0; i < facts->n_kin; i++)
		incident_add_kin(incident, &facts->kin[i]);
	/* A cgroup can be one that everybody goes through: a print spooler's.
	 * A login is one person's. */
	if (facts->actor_kin.kin == KIN_SESSION)
		incident_add_kin(incident, &facts->actor_kin);
	return add_actor(incident, &facts->process);
}

static void copy(json_t *to, const json_t *from, const char *key)
{
	json_t *value = json_object_get(from, key);

	if (value)
		put(to, key, json_deep_copy(value));
}

static json_t *act_of(const json_t *event)
{
	static const char *const keys[] = {
		"rule",	   "subject", "dataset",   "channel", "destination",
		"address", "port",    "name_seen", "file",    "budget",
		"used",	   "max",     "window_ns"};
	json_t *act = json_object();

	for (size_t i = 0; act && i < sizeof(keys) / sizeof(keys[0]); i++)
		copy(act, event, keys[i]);
	return act;
}

/* Who acted first. */
static void take_who(json_t *line, const json_t *event)
{
	static const char *const keys[] = {"comm",    "tgid",	   "uid",
					   "user",    "login_uid", "login",
					   "session", "unit",	   "exe"};

	if (json_object_get(line, "tgid"))
		return;
	for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++)
		copy(line, event, keys[i]);
}

static void set_once(json_t *line, const char *key, const char *text)
{
	if (!json_object_get(line, key))
		put(line, key, json_string(text));
}

void incident_take(struct incident *incident, const json_t *event, bool apart)
{
	bool blocked = strcmp(evidence_text(event, "verdict"), "block") == 0;
	const char *time = evidence_text(event, "time");
	bool worse = blocked && !json_object_get(incident->line, "first_block");
	const char *technique;

	incident->changed = true;
	incident->verdicts++;
	if (apart) {
		incident->apart_blocked += blocked;
		incident->apart_alerted += !blocked;
	}
	take_who(incident->line, event);
	set_once(incident->line, "first", time);
	set_once(incident->line, "first_verdict", time);
	if (blocked)
		set_once(incident->line, "first_block", time);
	put(incident->line, "last", json_string(time));
	if (worse || !json_object_get(incident->line, "act")) {
		put(incident->line, "verdict",
		    json_string(blocked ? "block" : "alert"));
		put(incident->line, "act", act_of(event));
	}
	incident_add_technique(incident, "T1005");
	technique = incident_technique(evidence_text(event, "channel"));
	if (technique)
		incident_add_technique(incident, technique);
}

const char *incident_technique(const char *channel)
{
	static const struct {
		const char *channel, *technique;
	} known[] = {
		{"tcp", "T1048"},	  {"udp", "T1048"},
		{"icmp", "T1095"},	  {"raw", "T1095"},
		{"other", "T1048"},	  {"device", "T1052"},
		{"file-system", "T1048"},
	};

	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++)
		if (strcmp(known[i].channel, channel) == 0)
			return known[i].technique;
	return NULL;
}

/* The array of that name, made if there is none; NULL: it has max already. */
static json_t *array_in(json_t *line, const char *key, size_t max)
{
	json_t *array = json_object_get(line, key);

	if (!array) {
		put(line, key, json_array());
		array = json_object_get(line, key);
	}
	return json_array_size(array) < max ? array : NULL;
}

void incident_add_technique(struct incident *incident, const char *technique)
{
	json_t *list = array_in(incident->line, "techniques", TECHNIQUES_MAX);
	const json_t *item;
	size_t i;

	json_array_foreach (list, i, item)
		if (strcmp(json_string_value(item), technique) == 0)
			return;
	if (!json_array_append_new(list, json_string(technique)))
		incident->changed = true;
}

/* The gap of that kind; NULL: there is none. */
static json_t *gap_of(const json_t *list, const char *why, size_t *ret_at)
{
	json_t *gap;
	size_t i;

	json_array_foreach (list, i, gap)
		if (strcmp(evidence_text(gap, "why"), why) == 0) {
			*ret_at = i;
			return gap;
		}
	return NULL;
}

void incident_add_gap(struct incident *incident, json_t *gap)
{
	json_t *list = array_in(incident->line, "gaps", SIZE_MAX);
	const char *why = gap ? evidence_text(gap, "why") : "";
	size_t at = 0, agents = 0;
	json_t *before = gap_of(list, why, &at);
	int r;

	if (before && strcmp(why, "agent") == 0) {
		before = NULL;
		for (size_t i = 0; i < json_array_size(list); i++)
			agents += strcmp(evidence_text(json_array_get(list, i),
						       "why"),
					 why) == 0;
	}
	if (!gap || !list || agents >= GAPS_MAX ||
	    (before && json_equal(before, gap))) {
		json_decref(gap);
		return;
	}
	r = before ? json_array_set_new(list, at, gap)
		   : json_array_append_new(list, gap);
	if (!r)
		incident->changed = true;
}

uint64_t incident_gap_faults(const struct incident *incident, const char *name)
{
	const json_t *gaps = json_object_get(incident->line, "gaps");
	size_t at = 0;
	json_int_t n = json_integer_value(json_object_get(
		json_object_get(gap_of(gaps, "faults", &at), "faults"), name));

	return n > 0 ? (uint64_t)n : 0;
}

/* ---- lines --------------------------------------------------------------- */

static const char *kin_name(uint32_t kin)
{
	return kin == KIN_SESSION  ? "session"
	       : kin == KIN_CGROUP ? "cgroup"
				   : "user";
}

static uint32_t kin_named(const char *name)
{
	return strcmp(name, "session") == 0  ? KIN_SESSION
	       : strcmp(name, "cgroup") == 0 ? KIN_CGROUP
					     : INCIDENT_KIN_USER;
}

static json_t *kin_list(const struct incident *incident)
{
	json_t *list = json_array();

	for (size_t i = 0; list && i < incident->n_kin; i++)
		(void)json_array_append_new(
			list,
			json_pack("[s, o]", kin_name(incident->kin[i].kin),
				  number(incident->kin[i].id)));
	return list;
}

/* The actors, for the next agent. */
static json_t *process_list(const struct incident *incident)
{
	json_t *list = json_array();

	for (size_t i = 0; list && i < incident->n_actors; i++)
		(void)json_array_append_new(
			list,
			json_pack("[o, o]", number(incident->actors[i].tgid),
				  number(incident->actors[i].start_ns)));
	return list;
}

/* Names are quoted in JSON, so they take up to twice their length there. */
static bool is_too_long(const json_t *fields)
{
	return json_dumpb(fields, NULL, 0, JSON_COMPACT) > FIELDS_BYTES;
}

/* What says least goes first; what the next agent groups by goes last. */
static void shorten(json_t *fields)
{
	static const char *const keys[] = {"exe", "unit",      "remote",
					   "act", "processes", "kin"};
	json_t *origins = json_object_get(fields, "origins"), *origin;
	size_t i;

	if (!is_too_long(fields))
		return;
	put(fields, "left_out", json_true());
	json_array_foreach (origins, i, origin)
		(void)json_object_del(origin, "comm");
	for (i = 0; is_too_long(fields) && i < sizeof(keys) / sizeof(keys[0]);
	     i++)
		(void)json_object_del(fields, keys[i]);
	while (is_too_long(fields) && json_array_size(origins))
		(void)json_array_remove(origins, json_array_size(origins) - 1);
}

json_t *incident_fields(const struct incident *incident, const char *state)
{
	const struct incident_counts *counts = &incident->counts;
	json_t *fields = json_deep_copy(incident->line), *more;

	more = json_pack(
		"{s:o, s:s, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:b, "
		"s:o, s:o, s:o}",
		"incident", number(incident->number), "state", state,
		"verdicts", number(incident->verdicts), "originless_blocked",
		number(incident->apart_blocked), "originless_alerted",
		number(incident->apart_alerted), "blocked",
		number(counts->blocked + incident->apart_blocked), "alerted",
		number(counts->alerted + incident->apart_alerted),
		"blocked_bytes", number(counts->blocked_bytes),
		"released_bytes", number(counts->released_bytes),
		"released_records", number(counts->released_records), "actors",
		number(incident->n_actors), "more_actors",
		incident->more_actors, "last_ns", number(incident->last_ns),
		"kin", kin_list(incident), "processes", process_list(incident));
	if (json_object_update_new(fields, more)) {
		json_decref(fields);
		return NULL;
	}
	shorten(fields);
	return fields;
}

/* ---- what an earlier agent knew ------------------------------------------ */

static struct incident *numbered(struct incidents *incidents, uint64_t number)
{
	for (size_t i = 0; number && i < INCIDENTS_MAX; i++)
		if (incidents->at[i].number == number)
			return &incidents->at[i];
	return NULL;
}

static void restore_lists(struct incident *incident, const json_t *line)
{
	const json_t *item;
	size_t i;

	incident->n_origins = 0;
	incident->shared = 0;
	json_array_foreach (json_object_get(line, "origins"), i, item)
		(void)incident_add_origin(
			incident, (uint32_t)evidence_number(item, "origin"),
			json_is_true(json_object_get(item, "shared")));
	incident->n_actors = 0;
	json_array_foreach (json_object_get(line, "processes"), i, item)
		(void)add_actor(incident,
				&(struct incident_process){
					(uint32_t)json_integer_value(
						json_array_get(item, 0)),
					(uint64_t)json_integer_value(
						json_array_get(item, 1))});
	incident->n_kin = 0;

	json_array_foreach (json_object_get(line, "kin"), i, item) {
		const char *name = json_string_value(json_array_get(item, 0));
		struct incident_kin kin = {
			.kin = kin_named(name ? name : ""),
			.id = (uint64_t)json_integer_value(
				json_array_get(item, 1)),
		};

		incident_add_kin(incident, &kin);
	}
}

/* Of each line, what is not made anew for the next. */
static json_t *lasting(const json_t *line)
{
	static const char *const fresh[] = {
		"cordon",      "type",	"time", "seq",	   "prev",
		"boottime_ns", "state", "why",	"skipped", "skipped_because",
		"left_out"};
	json_t *copied = json_deep_copy(line);

	for (size_t i = 0; i < sizeof(fresh) / sizeof(fresh[0]); i++)
		(void)json_object_del(copied, fresh[i]);
	return copied;
}

static int restore_incident(struct incidents *incidents, const json_t *line)
{
	uint64_t number = evidence_number(line, "incident");
	struct incident *incident = numbered(incidents, number);
	const struct incident_facts facts = {
		.time_ns = evidence_number(line, "boottime_ns")};
	json_t *copied = number ? lasting(line) : NULL;
	uint64_t last = incidents->last;
	int r = 0;

	if (!number)
		return 0;
	if (!incident) {
		incident = incidents_place(incidents);
		r = copied ? incident_begin(incidents, incident, &facts)
			   : -ENOMEM;
		incidents->last = last > number ? last : number;
	}
	if (r || !copied) {
		json_decref(copied);
		return -ENOMEM;
	}
	json_decref(incident->line);
	incident->line = copied;
	incident->number = number;
	incident->open = strcmp(evidence_text(line, "state"), "closed") != 0;
	incident->last_ns = evidence_number(line, "last_ns");
	incident->more_actors =
		json_is_true(json_object_get(line, "more_actors"));
	incident->verdicts = evidence_number(line, "verdicts");
	incident->apart_blocked = evidence_number(line, "originless_blocked");
	incident->apart_alerted = evidence_number(line, "originless_alerted");
	incident->counts = (struct incident_counts){
		.blocked = evidence_number(line, "blocked") -
			   incident->apart_blocked,
		.alerted = evidence_number(line, "alerted") -
			   incident->apart_alerted,
		.blocked_bytes = evidence_number(line, "blocked_bytes"),
		.released_bytes = evidence_number(line, "released_bytes"),
		.released_records = evidence_number(line, "released_records"),
	};
	restore_lists(incident, line);
	return 0;
}

static void restore_actor(struct incidents *incidents, const json_t *line)
{
	struct incident *incident =
		numbered(incidents, evidence_number(line, "incident"));
	struct incident_process process = {
		.tgid = (uint32_t)evidence_number(line, "tgid"),
		.start_ns = evidence_number(line, "start_ns"),
	};

	if (incident && !incident_has_actor(incident, &process) &&
	    incident->n_actors < INCIDENT_ACTORS_MAX)
		incident->actors[incident->n_actors++] = process;
}

int incidents_restore(struct incidents *incidents, const json_t *line)
{
	const char *type = evidence_text(line, "type");
	uint64_t last = evidence_number(line, "last");

	if (strcmp(type, "incident") == 0)
		return restore_incident(incidents, line);
	if (strcmp(type, "actor") == 0)
		restore_actor(incidents, line);
	else if (strcmp(type, "incidents") == 0 && last > incidents->last)
		incidents->last = last;
	return 0;
}
