// SPDX-License-Identifier: GPL-2.0-only
#include "policy_simulate.h"
#include "args.h"
#include "array.h"
#include "evidence.h"
#include "text.h"

#include <arpa/inet.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char several[] = "what is on record comes under several budgets";
static const char no_subject[] = "who acted is not on record, and the policy "
				 "has no subject of that name";
static const char no_rule[] = "which rule decides depends on what is not on "
			      "record of who acted";
static const char no_place[] = "the address is not on record, and the policy "
			       "has no destination of that name";
static const char no_dataset[] = "it was of more than one dataset";

/* The budget that a row comes under. */
struct decision {
	const char *unknown; /* as struct policy_use's */
	bool guarded;
	uint32_t rule;
	uint32_t dataset;
	uint32_t destination;
};

struct row {
	json_t *line;
	uint64_t load;
	int64_t first_ms;
	int64_t last_ms;
	bool seen; /* by an event */
	struct decision decision;
	size_t use;
};

struct policy_simulation {
	const struct policy *policy;
	struct row *rows;
	size_t n_rows;
	json_t *places; /* of rows, by their key */
	struct policy_use *uses;
	size_t n;
	json_t *uses_of; /* places of uses, by budget */
	json_t *read;	 /* how many records each origin has read */
};

int policy_simulation_new(const struct policy *policy,
			  struct policy_simulation **ret_simulation)
{
	struct policy_simulation *simulation = calloc(1, sizeof(*simulation));

	if (!simulation)
		return -ENOMEM;
	simulation->policy = policy;
	simulation->places = json_object();
	simulation->uses_of = json_object();
	simulation->read = json_object();
	if (!simulation->places || !simulation->uses_of || !simulation->read) {
		policy_simulation_free(simulation);
		return -ENOMEM;
	}
	*ret_simulation = simulation;
	return 0;
}

void policy_simulation_free(struct policy_simulation *simulation)
{
	if (!simulation)
		return;
	for (size_t i = 0; i < simulation->n_rows; i++)
		json_decref(simulation->rows[i].line);
	for (size_t i = 0; i < simulation->n; i++) {
		json_decref(simulation->uses[i].subjects);
		json_decref(simulation->uses[i].destinations);
	}
	json_decref(simulation->places);
	json_decref(simulation->uses_of);
	json_decref(simulation->read);
	free(simulation->rows);
	free(simulation->uses);
	free(simulation);
}

/* ---- rows --------------------------------------------------------------- */

/* Where the row of a line is, and where it would be; -ENOMEM. */
static int find_row(const struct policy_simulation *simulation, uint64_t load,
		    const json_t *line, char **ret_key, size_t *ret_place)
{
	json_t *key = json_pack("[I, I, b, s, s, s, s]", (json_int_t)load,
				(json_int_t)evidence_number(line, "origin"),
				json_is_true(json_object_get(line, "several")),
				evidence_text(line, "subject"),
				evidence_text(line, "dataset"),
				evidence_text(line, "destination"),
				evidence_text(line, "channel"));
	char *text = json_dumps(key, JSON_COMPACT);
	const json_t *place;

	json_decref(key);
	if (!text)
		return -ENOMEM;
	place = json_object_get(simulation->places, text);
	*ret_place = place ? (size_t)json_integer_value(place)
			   : simulation->n_rows;
	*ret_key = text;
	return 0;
}

static bool is_row(const json_t *line, struct row *row)
{
	static const char *const texts[] = {"subject", "dataset", "destination",
					    "channel"};
	static const char *const numbers[] = {"origin",	    "acts",
					      "bytes",	    "records",
					      "over_bytes", "blocked_acts"};
	const json_t *number;

	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
		if (!evidence_text(line, texts[i])[0])
			return false;
	for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++) {
		number = json_object_get(line, numbers[i]);
		if (!json_is_integer(number) || json_integer_value(number) < 0)
			return false;
	}
	return !text_parse_time_ms(evidence_text(line, "first"),
				   &row->first_ms) &&
	       !text_parse_time_ms(evidence_text(line, "last"), &row->last_ms);
}

int policy_simulation_row(struct policy_simulation *simulation, uint64_t load,
			  const json_t *line)
{
	struct row row = {.load = load}, *rows;
	size_t place = 0;
	char *key = NULL;
	int r;

	if (!is_row(line, &row))
		return -EINVAL;
	r = find_row(simulation, load, line, &key, &place);
	if (r)
		return r;
	if (place == simulation->n_rows) {
		rows = array_grow(simulation->rows, place, sizeof(*rows));
		if (rows)
			simulation->rows = rows;
		if (!rows ||
		    json_object_set_new(simulation->places, key,
					json_integer((json_int_t)place))) {
			free(key);
			return -ENOMEM;
		}
		simulation->n_rows++;
	} else {
		json_decref(simulation->rows[place].line);
	}
	row.line = json_incref((json_t *)line);
	simulation->rows[place] = row;
	free(key);
	return 0;
}

/* ---- which budget ------------------------------------------------------- */

static const char *numbered(const struct policy_account *account,
			    const char *name, const char *number)
{
	return account->is_id || !name[0] ? number : name;
}

/*
 * The conditions that who acted does not meet; *ret_open are those of them that
 * the event does not tell.
 */
static unsigned int event_misses(const struct policy_subject *subject,
				 const json_t *event, unsigned int *ret_open)
{
	const char *unit = evidence_text(event, "unit");
	const char *exe = evidence_text(event, "exe");
	char user[TEXT_NUMBER_CHARS_MAX], login[TEXT_NUMBER_CHARS_MAX];
	struct policy_actor actor = {
		.unit = unit[0] ? unit : NULL,
		.exe = exe[0] ? exe : NULL,
		.login = "none",
	};

	(void)snprintf(user, sizeof(user), "%" PRIu64,
		       evidence_number(event, "uid"));
	(void)snprintf(login, sizeof(login), "%" PRIu64,
		       evidence_number(event, "login_uid"));
	actor.user =
		numbered(&subject->user, evidence_text(event, "user"), user);
	if (json_object_get(event, "login_uid"))
		actor.login = numbered(&subject->login_user,
				       evidence_text(event, "login"), login);
	*ret_open = POLICY_COND_GROUP | POLICY_COND_CGROUP;
	/* One of a user's own manager is in a unit below it. */
	if (!unit[0] || strncmp(unit, "user@", 5) == 0)
		*ret_open |= POLICY_COND_UNIT;
	if (!exe[0])
		*ret_open |= POLICY_COND_EXE;
	return policy_subject_misses(subject, &actor);
}

static bool is_about(const struct policy_rule *rule, uint32_t dataset)
{
	return rule->dataset == POLICY_ANY_DATASET || rule->dataset == dataset;
}

/* By the event; what it does not tell, the subject's name does. */
static void decide_by_event(const struct policy *policy, const json_t *row,
			    const json_t *event, struct decision *decision)
{
	const struct policy_subject *subject;
	const struct policy_rule *rule;
	unsigned int misses, open;

	for (size_t i = 0; i < policy->n_rules; i++) {
		rule = &policy->rules[policy->rule_order[i]];
		if (!is_about(rule, decision->dataset))
			continue;
		subject = &policy->subjects[rule->subject];
		misses = event_misses(subject, event, &open);
		if (misses & ~open)
			continue;
		decision->rule = policy->rule_order[i];
		if (misses &&
		    strcmp(subject->name, evidence_text(row, "subject")) != 0)
			decision->unknown = no_rule;
		return;
	}
}

/* Taken for somebody who meets the conditions of that subject. */
static int decide_by_name(const struct policy *policy, const json_t *row,
			  struct decision *decision)
{
	const char *name = evidence_text(row, "subject");
	char error[ARGS_ERROR_CHARS_MAX];
	const struct policy_rule *rule;
	struct args_actor actor;
	uint32_t subject;
	int r;

	if (policy_find_subject(policy, name, &subject)) {
		decision->unknown = no_subject;
		return 0;
	}
	r = args_parse_actor(name, policy, &actor, error);
	if (r)
		return r;
	for (size_t i = 0; i < policy->n_rules; i++) {
		rule = &policy->rules[policy->rule_order[i]];
		if (!is_about(rule, decision->dataset) ||
		    policy_subject_misses(&policy->subjects[rule->subject],
					  &actor.actor))
			continue;
		decision->rule = policy->rule_order[i];
		break;
	}
	args_actor_release(&actor);
	return 0;
}

/* By the address of an event; of a device or a file system it tells no path. */
static bool has_address(const struct policy *policy, const json_t *event,
			uint32_t *ret_destination)
{
	const char *address = evidence_text(event, "address");
	uint64_t port = evidence_number(event, "port");
	uint8_t addr[16] = {[10] = 0xff, [11] = 0xff};

	if (port > UINT16_MAX || (inet_pton(AF_INET, address, addr + 12) != 1 &&
				  inet_pton(AF_INET6, address, addr) != 1))
		return false;
	*ret_destination = policy_match_address(policy, addr, (uint16_t)port);
	return true;
}

/* What a rule has no entry for comes under that for anywhere, if it has one. */
static uint32_t entry_of(const struct policy_rule *rule, uint32_t destination)
{
	uint32_t entry = destination;

	for (size_t i = 0; i < rule->n_releases; i++) {
		if (rule->releases[i].destination == destination)
			return destination;
		if (rule->releases[i].destination == POLICY_ANYWHERE)
			entry = POLICY_ANYWHERE;
	}
	return entry;
}

static void decide_place(const struct policy *policy, const json_t *row,
			 const json_t *event, struct decision *decision)
{
	const char *name = evidence_text(row, "destination");

	if (strcmp(name, "read") == 0)
		decision->destination = POLICY_READING;
	else if (!has_address(policy, event, &decision->destination) &&
		 policy_find_destination(policy, name, &decision->destination))
		decision->unknown = no_place;
	else if (decision->rule != POLICY_NO_RULE)
		decision->destination = entry_of(&policy->rules[decision->rule],
						 decision->destination);
	else
		decision->destination = POLICY_ANYWHERE;
}

/* event NULL: nothing but the row is known. */
static int decide(const struct policy *policy, const json_t *row,
		  const json_t *event, struct decision *ret_decision)
{
	struct decision decision = {.guarded = true, .rule = POLICY_NO_RULE};
	int r = 0;

	if (policy_find_dataset(policy, evidence_text(row, "dataset"),
				&decision.dataset))
		decision.guarded = false;
	else if (decision.dataset == POLICY_ANY_DATASET)
		decision.unknown = no_dataset;
	else if (event)
		decide_by_event(policy, row, event, &decision);
	else
		r = decide_by_name(policy, row, &decision);
	if (!r && decision.guarded && !decision.unknown)
		decide_place(policy, row, event, &decision);
	if (!r)
		*ret_decision = decision;
	return r;
}

static bool is_same(const struct decision *a, const struct decision *b)
{
	return a->unknown == b->unknown && a->guarded == b->guarded &&
	       a->rule == b->rule && a->destination == b->destination;
}

int policy_simulation_event(struct policy_simulation *simulation, uint64_t load,
			    const json_t *line)
{
	struct decision decision;
	struct row *row;
	size_t place = 0;
	char *key = NULL;
	int r;

	/* A packet that nobody's process sent tells of nobody. */
	if (!evidence_number(line, "tgid"))
		return 0;
	r = find_row(simulation, load, line, &key, &place);
	if (r)
		return r;
	free(key);
	if (place == simulation->n_rows)
		return 0;
	row = &simulation->rows[place];
	r = decide(simulation->policy, row->line, line, &decision);
	if (r)
		return r;
	if (!row->seen)
		row->decision = decision;
	else if (!is_same(&row->decision, &decision))
		row->decision.unknown = several;
	row->seen = true;
	return 0;
}

/* ---- uses --------------------------------------------------------------- */

static void add(uint64_t *sum, uint64_t n)
{
	*sum = n > INT64_MAX - *sum ? INT64_MAX : *sum + n;
}

static bool enforces(const struct policy *policy,
		     const struct policy_rule *rule)
{
	if (policy->mode == POLICY_OBSERVE)
		return false;
	return !rule ||
	       (rule->mode == POLICY_ENFORCE && rule->action == POLICY_BLOCK);
}

static void begin_use(const struct policy *policy,
		      const struct decision *decision, struct policy_use *use)
{
	static const struct policy_budget nothing = {
		POLICY_BUDGET_NONE, 0, 0, 0, 0, {0, 0}};
	const struct policy_rule *rule = NULL;

	use->unknown = decision->unknown;
	use->guarded = decision->guarded;
	use->rule = decision->rule;
	use->destination = decision->destination;
	use->budget = &nothing;
	if (decision->unknown || !decision->guarded)
		return;
	if (decision->rule != POLICY_NO_RULE) {
		rule = &policy->rules[decision->rule];
		use->per_user = rule->per == POLICY_PER_USER;
		use->budget = decision->destination == POLICY_READING
				      ? &rule->read
				      : policy_rule_release(
						rule, decision->destination);
	}
	use->enforced = enforces(policy, rule);
}

/* Of what is not known, each row's own names. */
static char *use_key(const struct row *row)
{
	const struct decision *decision = &row->decision;
	json_t *key;
	char *text;

	if (decision->unknown)
		key = json_pack("[s, s, s, s]", decision->unknown,
				evidence_text(row->line, "subject"),
				evidence_text(row->line, "dataset"),
				evidence_text(row->line, "destination"));
	else
		key = json_pack("[I, s, I]", (json_int_t)decision->rule,
				evidence_text(row->line, "dataset"),
				(json_int_t)decision->destination);
	text = json_dumps(key, JSON_COMPACT);
	json_decref(key);
	return text;
}

static int find_use(struct policy_simulation *simulation, struct row *row)
{
	struct policy_use *uses;
	const json_t *place;
	char *key = use_key(row);
	int r = -ENOMEM;

	if (!key)
		return r;
	place = json_object_get(simulation->uses_of, key);
	row->use = place ? (size_t)json_integer_value(place) : simulation->n;
	if (place) {
		r = 0;
		goto out;
	}
	uses = array_grow(simulation->uses, simulation->n, sizeof(*uses));
	if (!uses)
		goto out;
	simulation->uses = uses;
	uses = &uses[simulation->n];
	*uses = (struct policy_use){
		.dataset = evidence_text(row->line, "dataset"),
		.subjects = json_array(),
		.destinations = json_array(),
		.first_ms = row->first_ms,
		.last_ms = row->last_ms,
	};
	simulation->n++;
	begin_use(simulation->policy, &row->decision, uses);
	if (uses->subjects && uses->destinations &&
	    !json_object_set_new(simulation->uses_of, key,
				 json_integer((json_int_t)row->use)))
		r = 0;
out:
	free(key);
	return r;
}

static int name_once(json_t *names, const char *name)
{
	const json_t *other;
	size_t i;

	json_array_foreach (names, i, other)
		if (strcmp(json_string_value(other), name) == 0)
			return 0;
	return json_array_append_new(names, json_string(name)) ? -ENOMEM : 0;
}

/* What an origin has read is in one row only, whoever read it again. */
static int add_read(struct policy_simulation *simulation, const struct row *row)
{
	char key[2 * TEXT_NUMBER_CHARS_MAX];
	uint64_t sum;

	if (strcmp(evidence_text(row->line, "destination"), "read") != 0)
		return 0;
	(void)snprintf(key, sizeof(key), "%" PRIu64 " %" PRIu64, row->load,
		       evidence_number(row->line, "origin"));
	sum = evidence_number(simulation->read, key);
	add(&sum, evidence_number(row->line, "records"));
	if (sum > INT64_MAX)
		sum = INT64_MAX;
	return json_object_set_new(simulation->read, key,
				   json_integer((json_int_t)sum))
		       ? -ENOMEM
		       : 0;
}

static int take_row(struct policy_simulation *simulation, struct row *row)
{
	struct policy_use *use;
	int r = 0;

	if (!row->seen)
		r = decide(simulation->policy, row->line, NULL, &row->decision);
	if (!r)
		r = find_use(simulation, row);
	if (!r)
		r = add_read(simulation, row);
	if (r)
		return r;
	use = &simulation->uses[row->use];
	use->rows++;
	use->by_name += !row->seen;
	add(&use->acts, evidence_number(row->line, "acts"));
	add(&use->bytes, evidence_number(row->line, "bytes"));
	add(&use->records, evidence_number(row->line, "records"));
	add(&use->blocked_acts, evidence_number(row->line, "blocked_acts"));
	if (evidence_number(row->line, "blocked_acts"))
		add(&use->over_bytes, evidence_number(row->line, "over_bytes"));
	if (row->first_ms < use->first_ms)
		use->first_ms = row->first_ms;
	if (row->last_ms > use->last_ms)
		use->last_ms = row->last_ms;
	r = name_once(use->subjects, evidence_text(row->line, "subject"));
	return r ? r
		 : name_once(use->destinations,
			     evidence_text(row->line, "destination"));
}

/* ---- would it pass? ------------------------------------------------------ */

/* What came to one budget, between two moments. */
struct flow {
	uint64_t bytes;
	uint64_t records;
	uint64_t acts;
	int64_t first_ms;
	int64_t last_ms;
};

/*
 * More than all windows let pass that these moments can be in. A clock that was
 * set says nothing of how long it took.
 */
static bool exceeds(uint64_t n, uint64_t max, uint64_t window_ns,
		    const struct flow *flow)
{
	uint64_t window_ms = window_ns / 1000000, span_ms, windows;

	if (!window_ns || flow->last_ms < flow->first_ms)
		return false;
	/* A millisecond more: they are rounded. */
	span_ms = (uint64_t)(flow->last_ms - flow->first_ms) + 1;
	windows = (span_ms + window_ms - 1) / window_ms + 1;
	return n > (unsigned __int128)max * windows;
}

/*
 * That of one origin. Who sends again what the same origin has sent is not
 * charged for it anew: so of what was released not the sum of records counts,
 * but that one act has released so many at least.
 */
static bool flow_exceeds(const struct policy_use *use, const struct flow *flow,
			 bool owned)
{
	const struct policy_budget *budget = use->budget;
	bool reading = use->destination == POLICY_READING;
	uint64_t records = flow->records;

	/* An origin has been read by one user; who sends it is not known. */
	if (use->per_user && !(reading && owned))
		return false;
	if (reading && !owned)
		records = 0;
	else if (!reading && flow->acts)
		records = records / flow->acts + !!(records % flow->acts);
	return exceeds(records, budget->records, budget->records_window_ns,
		       flow) ||
	       exceeds(flow->bytes, budget->bytes, budget->bytes_window_ns,
		       flow);
}

static bool is_flow_of(const struct row *a, const struct row *b)
{
	return a->use == b->use && a->load == b->load &&
	       evidence_number(a->line, "origin") ==
		       evidence_number(b->line, "origin");
}

static int compare_rows(const void *a, const void *b)
{
	const struct row *x = a, *y = b;
	uint64_t m = evidence_number(x->line, "origin");
	uint64_t n = evidence_number(y->line, "origin");

	if (x->use != y->use)
		return x->use < y->use ? -1 : 1;
	if (x->load != y->load)
		return x->load < y->load ? -1 : 1;
	return m < n ? -1 : m > n;
}

/* Records that its origins may have been charged, by one origin's flow. */
static uint64_t charged(const struct policy_simulation *simulation,
			const struct policy_use *use, const struct row *row,
			const struct flow *flow)
{
	char key[2 * TEXT_NUMBER_CHARS_MAX];

	if (use->destination != POLICY_READING)
		return flow->records;
	(void)snprintf(key, sizeof(key), "%" PRIu64 " %" PRIu64, row->load,
		       evidence_number(row->line, "origin"));
	return evidence_number(simulation->read, key);
}

/* Sums up an origin's rows from row i on; returns the place behind them. */
static size_t sum_flow(const struct policy_simulation *simulation, size_t i,
		       struct flow *ret_flow)
{
	const struct row *first = &simulation->rows[i], *row;
	struct flow flow = {.first_ms = first->first_ms,
			    .last_ms = first->last_ms};

	for (; i < simulation->n_rows; i++) {
		row = &simulation->rows[i];
		if (!is_flow_of(first, row))
			break;
		add(&flow.acts, evidence_number(row->line, "acts"));
		add(&flow.bytes, evidence_number(row->line, "bytes"));
		add(&flow.records, evidence_number(row->line, "records"));
		if (row->first_ms < flow.first_ms)
			flow.first_ms = row->first_ms;
		if (row->last_ms > flow.last_ms)
			flow.last_ms = row->last_ms;
	}
	*ret_flow = flow;
	return i;
}

static bool is_within(const struct policy_budget *budget, uint64_t records,
		      uint64_t bytes)
{
	return (!budget->records_window_ns || records <= budget->records) &&
	       (!budget->bytes_window_ns || bytes <= budget->bytes);
}

static enum policy_sent judge_sent(const struct policy_use *use,
				   uint64_t records, bool exceeded)
{
	const struct flow all = {.first_ms = use->first_ms,
				 .last_ms = use->last_ms};

	if (!use->acts && !use->bytes)
		return POLICY_SENT_NONE;
	if (use->unknown)
		return POLICY_SENT_UNKNOWN;
	if (!use->guarded || !use->enforced ||
	    use->budget->kind == POLICY_BUDGET_UNLIMITED)
		return POLICY_SENT_FITS;
	if (use->budget->kind == POLICY_BUDGET_NONE || exceeded)
		return POLICY_SENT_REFUSED;
	if (is_within(use->budget, records, use->bytes))
		return POLICY_SENT_FITS;
	/* Bytes are charged whoever reads or sends them. */
	if (!use->per_user && exceeds(use->bytes, use->budget->bytes,
				      use->budget->bytes_window_ns, &all))
		return POLICY_SENT_REFUSED;
	return POLICY_SENT_MAY_BE_REFUSED;
}

static enum policy_blocked judge_blocked(const struct policy_use *use)
{
	uint64_t bytes = use->bytes;

	if (!use->blocked_acts)
		return POLICY_BLOCKED_NONE;
	if (use->unknown)
		return POLICY_BLOCKED_UNKNOWN;
	if (!use->guarded || !use->enforced ||
	    use->budget->kind == POLICY_BUDGET_UNLIMITED)
		return POLICY_BLOCKED_PASSES;
	if (use->budget->kind == POLICY_BUDGET_NONE)
		return POLICY_BLOCKED_STAYS;
	add(&bytes, use->over_bytes);
	if (!use->budget->records_window_ns && is_within(use->budget, 0, bytes))
		return POLICY_BLOCKED_PASSES;
	return POLICY_BLOCKED_MAY_PASS;
}

/* Rows of a use are behind each other. */
static size_t judge_use(struct policy_simulation *simulation, size_t i)
{
	size_t first = simulation->rows[i].use;
	struct policy_use *use = &simulation->uses[first];
	uint64_t records = 0;
	bool exceeded = false;
	const struct row *row;
	struct flow flow;

	while (i < simulation->n_rows && simulation->rows[i].use == first) {
		row = &simulation->rows[i];
		i = sum_flow(simulation, i, &flow);
		add(&records, charged(simulation, use, row, &flow));
		exceeded = exceeded ||
			   flow_exceeds(use, &flow,
					evidence_number(row->line, "origin"));
	}
	use->sent = judge_sent(use, records, exceeded);
	use->blocked = judge_blocked(use);
	return i;
}

static int compare_uses(const void *a, const void *b)
{
	const struct policy_use *x = a, *y = b;

	if (x->sent != y->sent)
		return x->sent < y->sent ? -1 : 1;
	if (x->blocked != y->blocked)
		return x->blocked < y->blocked ? -1 : 1;
	if (x->rule != y->rule)
		return x->rule < y->rule ? -1 : 1;
	if (x->destination != y->destination)
		return x->destination < y->destination ? -1 : 1;
	return strcmp(x->dataset, y->dataset);
}

/* What a declassifier takes in is refused by no rule. */
static bool is_intake(const struct row *row)
{
	return strcmp(evidence_text(row->line, "destination"), "intake") == 0;
}

int policy_simulation_judge(struct policy_simulation *simulation,
			    const struct policy_use **ret_uses, size_t *ret_n)
{
	size_t n = 0;
	int r;

	for (size_t i = 0; i < simulation->n_rows; i++) {
		if (is_intake(&simulation->rows[i])) {
			json_decref(simulation->rows[i].line);
			continue;
		}
		simulation->rows[n++] = simulation->rows[i];
	}
	simulation->n_rows = n;
	(void)json_object_clear(simulation->places);
	for (size_t i = 0; i < simulation->n_rows; i++) {
		r = take_row(simulation, &simulation->rows[i]);
		if (r)
			return r;
	}
	if (simulation->n_rows)
		qsort(simulation->rows, simulation->n_rows,
		      sizeof(*simulation->rows), compare_rows);
	for (size_t i = 0; i < simulation->n_rows;)
		i = judge_use(simulation, i);
	if (simulation->n)
		qsort(simulation->uses, simulation->n,
		      sizeof(*simulation->uses), compare_uses);
	*ret_uses = simulation->uses;
	*ret_n = simulation->n;
	return 0;
}

const char *policy_sent_name(enum policy_sent sent)
{
	static const char *const names[POLICY_SENTS] = {
		[POLICY_SENT_REFUSED] = "would-be-refused",
		[POLICY_SENT_MAY_BE_REFUSED] = "may-be-refused",
		[POLICY_SENT_UNKNOWN] = "not-known",
		[POLICY_SENT_FITS] = "fits",
		[POLICY_SENT_NONE] = "none",
	};

	return names[sent];
}

const char *policy_blocked_name(enum policy_blocked blocked)
{
	static const char *const names[POLICY_BLOCKEDS] = {
		[POLICY_BLOCKED_PASSES] = "would-go-through",
		[POLICY_BLOCKED_MAY_PASS] = "may-go-through",
		[POLICY_BLOCKED_UNKNOWN] = "not-known",
		[POLICY_BLOCKED_STAYS] = "stays-blocked",
		[POLICY_BLOCKED_NONE] = "none",
	};

	return names[blocked];
}
