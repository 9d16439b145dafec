// SPDX-License-Identifier: GPL-2.0-only
/*
 * The agent's side of each verb. A reply is made in steps, a few lines each,
 * so that a large one needs no more memory than a small one: client->step says
 * how far it is, client->cursor where in a list.
 */
#include "agent.h"
#include "answer_words.h"
#include "array.h"
#include "clock.h"
#include "dataset.h"
#include "ledger_fields.h"
#include "log.h"
#include "version.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <unistd.h>

#define LINES_AT_ONCE 32

/* ---- status ------------------------------------------------------------- */

/* What processes hold of a dataset; place 0: of each, nobody knows which. */
struct held {
	uint64_t holders;
	uint64_t bytes; /* at most, of one process */
	uint64_t records;
};

/* One walk over the guard's tables, for the head and the datasets. */
struct standing {
	struct guard_stats stats;
	uint64_t holders;
	struct held held[CORDON_DATASETS];
};

/* All that a holding has of one dataset, 0 if nothing. */
static struct held held_of(const struct holding *holding, uint32_t dataset)
{
	struct held sum = {0};

	for (size_t i = 0; i < CORDON_SHARES; i++) {
		if (!holding->shares[i].origin ||
		    holding->shares[i].dataset != dataset)
			continue;
		sum.holders = 1;
		sum.bytes += holding->shares[i].bytes;
		sum.records += holding->shares[i].records;
	}
	return sum;
}

static void held_raise(struct held *held, const struct held *by)
{
	if (held->bytes < by->bytes)
		held->bytes = by->bytes;
	if (held->records < by->records)
		held->records = by->records;
}

static int count_holder(const struct guard_holder *holder, void *arg)
{
	const struct holding *holding = holder->holding;
	struct standing *standing = arg;
	bool seen[CORDON_DATASETS] = {true};
	struct held all, own;
	uint32_t dataset;

	standing->holders++;
	/* Of whom it is not known, it is taken to be everything. */
	all = holding ? held_of(holding, 0) : (struct held){.holders = 1};
	standing->held[0].holders += all.holders;
	held_raise(&standing->held[0], &all);
	for (size_t i = 0; holding && i < CORDON_SHARES; i++) {
		dataset = holding->shares[i].dataset;
		if (!holding->shares[i].origin || dataset >= CORDON_DATASETS ||
		    seen[dataset])
			continue;
		seen[dataset] = true;
		own = held_of(holding, dataset);
		own.bytes += all.bytes;
		own.records += all.records;
		standing->held[dataset].holders += !all.holders;
		held_raise(&standing->held[dataset], &own);
	}
	return 0;
}

static json_t *status_tables(const struct guard_stats *stats)
{
	json_t *tables = json_array();

	for (size_t i = 0; i < stats->n_tables; i++)
		(void)json_array_append_new(
			tables, json_pack("{s:s, s:o, s:o}", "name",
					  stats->tables[i].name, "entries",
					  number(stats->tables[i].entries),
					  "max", number(stats->tables[i].max)));
	return tables;
}

static json_t *status_faults(const struct guard_stats *stats)
{
	json_t *faults = json_object();

	for (uint32_t i = 0; i < FAULT_MAX; i++)
		if (stats->faults[i])
			(void)json_object_set_new(faults, event_fault_name(i),
						  number(stats->faults[i]));
	return faults;
}

static void put_time(json_t *object, const char *key, int64_t time_s)
{
	char text[EVENT_TIME_CHARS_MAX];

	event_time(time_s < INT64_MAX / CLOCK_NS_PER_S ? time_s * CLOCK_NS_PER_S
						       : 0,
		   text);
	(void)json_object_set_new(object, key, json_string(text));
}

static json_t *status_policy(const struct agent *agent)
{
	const struct policy *policy = agent->policy;
	json_t *object;

	if (!policy)
		return json_null();
	object = json_pack("{s:s, s:s, s:s, s:s, s:b, s:i}", "file",
			   agent->opts->policy_file, "sha256", policy->sha256,
			   "issuer", policy->issuer, "mode",
			   policy_mode_name(policy->mode), "expired",
			   agent_policy_age(agent) >= 0, "rules",
			   (int)policy->n_rules);
	if (policy->expires_s != INT64_MAX)
		put_time(object, "expires", policy->expires_s);
	if (agent_policy_age(agent) >= 0) {
		(void)json_object_set_new(
			object, "expired_s",
			number((uint64_t)agent_policy_age(agent)));
		(void)json_object_set_new(object, "expired_level",
					  json_string(expiry_name(expiry_of(
						  agent_policy_age(agent)))));
	}
	if (policy->not_before_s)
		put_time(object, "not_before", policy->not_before_s);
	put_time(object, "applied", agent->applied_s);
	if (agent->trust && agent->signers)
		(void)json_object_set(object, "signers", agent->signers);
	return object;
}

/* null: nobody has to sign on this host. With nothing but a problem: who has to
 * is not known. */
static json_t *status_trust(const struct agent *agent)
{
	const struct trust *trust = agent->trust;
	json_t *object;

	if (!trust && agent->trust_problem[0])
		return json_pack("{s:s, s:s}", "file", agent->opts->trust_file,
				 "problem", agent->trust_problem);
	if (!trust)
		return json_null();
	object = json_pack("{s:s, s:s, s:I, s:I, s:i, s:s}", "file",
			   agent->opts->trust_file, "issuer", trust->issuer,
			   "version", (json_int_t)trust->version, "threshold",
			   (json_int_t)trust->threshold, "keys",
			   (int)trust->able, "sha256", trust->sha256);
	if (agent->trust_problem[0])
		(void)json_object_set_new(object, "problem",
					  json_string(agent->trust_problem));
	else if (agent->signers_problem[0])
		(void)json_object_set_new(object, "problem",
					  json_string(agent->signers_problem));
	return object;
}

/* By what time policies are judged, and whether the clock says the same. */
static json_t *status_clock(const struct agent *agent)
{
	static const char *const found[] = {
		[REMEMBER_RIGHT] = "right",
		[REMEMBER_BEHIND] = "behind",
		[REMEMBER_AHEAD] = "ahead",
	};
	struct remember_clock clock;
	int64_t latest_s, behind_s;
	json_t *object;

	agent_clock(&clock);
	latest_s = remember_latest(&agent->remember, &clock);
	behind_s = latest_s - clock.wall_s;
	object = json_pack(
		"{s:s, s:o}", "state", found[agent->clock_found], "behind_s",
		number(agent->clock_found == REMEMBER_BEHIND && behind_s > 0
			       ? (uint64_t)behind_s
			       : 0));
	if (latest_s)
		put_time(object, "latest", latest_s);
	return object;
}

/* Without "last" there is no log that could be opened. */
static json_t *status_evidence(const struct agent *agent)
{
	json_t *object;

	object = json_pack("{s:b}", "writing",
			   agent->evidence && !agent->evidence_failed);
	if (agent->evidence)
		(void)json_object_set_new(
			object, "last",
			number(evidence_next(agent->evidence) - 1));
	return object;
}

static int status_head(struct agent *agent, struct control_client *client,
		       const struct standing *standing)
{
	const struct guard_stats *stats = &standing->stats;
	const struct guard_state *state = guard_state(agent->guard);
	uint32_t slot = state->generation & 1;
	struct utsname uts;
	json_t *line;
	int r;

	(void)uname(&uts);

	line = json_pack(
		"{s:i, s:s, s:s, s:i, s:I, s:s, s:s, s:s}", "cordon",
		CONTROL_VERSION, "type", "status", "version", CORDON_VERSION,
		"pid", (int)getpid(), "uptime_s",
		(json_int_t)(clock_s(CLOCK_BOOTTIME) - agent->started_s),
		"mode",
		state->mode[slot] == MODE_OBSERVE ? "observe" : "enforce",
		"attach",
		guard_attached(agent->guard) == GUARD_ATTACH_LSM ? "lsm"
								 : "fmod_ret",
		"kernel", uts.release);
	if (!line)
		return -ENOMEM;
	r = json_object_set_new(line, "adopted", json_boolean(agent->adopted)) |
	    json_object_set_new(line, "generation", number(stats->generation)) |
	    json_object_set_new(line, "policy_serial",
				number(stats->policy_serial)) |
	    json_object_set_new(line, "policy", status_policy(agent)) |
	    json_object_set_new(line, "trust", status_trust(agent)) |
	    json_object_set_new(line, "clock", status_clock(agent)) |
	    json_object_set_new(line, "serial_seen",
				number(agent->remember.serial)) |
	    json_object_set_new(
		    line, "strict",
		    json_boolean(stats->generation && !stats->policy_serial)) |
	    json_object_set_new(line, "lifted", agent_act_status(agent)) |
	    json_object_set_new(line, "drop_directory",
				agent_dropped_status(agent)) |
	    json_object_set_new(line, "reloads", number(agent->reloads)) |
	    json_object_set_new(line, "labels", number(stats->labels)) |
	    json_object_set_new(line, "holders", number(standing->holders)) |
	    json_object_set_new(line, "scanning",
				json_boolean(state->scanning)) |
	    json_object_set_new(line, "dropped", number(stats->dropped)) |
	    json_object_set_new(line, "skipped", number(stats->skipped)) |
	    json_object_set_new(line, "events",
				number(eventlog_next(agent->log) - 1)) |
	    json_object_set_new(line, "events_unwritten",
				number(agent->unwritten)) |
	    json_object_set_new(line, "evidence", status_evidence(agent)) |
	    json_object_set_new(line, "fleet", agent_fleet_status(agent)) |
	    json_object_set_new(line, "clients",
				number(control_clients(agent->control))) |
	    json_object_set_new(line, "faults", status_faults(stats)) |
	    json_object_set_new(line, "tables", status_tables(stats));
	if (agent->problem[0])
		r |= json_object_set_new(line, "problem",
					 json_string(agent->problem));
	if (r) {
		json_decref(line);
		return -ENOMEM;
	}
	return control_reply(client, line);
}

/* Of a dataset that has that number in the guard. */
static void put_counts(json_t *line, const struct standing *standing,
		       uint32_t id)
{
	const struct held *all = &standing->held[0];
	struct held held = standing->held[id];

	held_raise(&held, all);
	(void)json_object_set_new(line, "files",
				  number(standing->stats.files[id]));
	(void)json_object_set_new(line, "holders",
				  number(held.holders + all->holders));
	(void)json_object_set_new(line, "held_bytes", number(held.bytes));
	(void)json_object_set_new(line, "held_records", number(held.records));
}

static json_t *dataset_line(const struct agent *agent,
			    const struct policy_dataset *dataset,
			    const struct standing *standing)
{
	static const char *const records[] = {
		[POLICY_RECORD_FILE] = "file",
		[POLICY_RECORD_LINE] = "line",
		[POLICY_RECORD_BYTES] = "bytes",
	};
	json_t *paths = json_array(), *missing = json_array(), *line;
	struct dataset_place place;
	const char *path;
	char why[512];
	uint32_t id;

	for (size_t i = 0; i < dataset->n_paths; i++) {
		path = dataset->paths[i].path;
		(void)json_array_append_new(paths, json_string(path));
		if (!dataset_resolve(path, &place, why, sizeof(why)) &&
		    !place.exists)
			(void)json_array_append_new(missing, json_string(path));
	}
	line = json_pack("{s:i, s:s, s:s, s:s, s:o, s:o}", "cordon",
			 CONTROL_VERSION, "type", "dataset", "dataset",
			 dataset->name, "record", records[dataset->record],
			 "paths", paths, "missing", missing);
	if (line && guard_name_find(agent->guard, NAME_DATASET, dataset->name,
				    &id) == 0)
		put_counts(line, standing, id);
	if (dataset->classification)
		(void)json_object_set_new(line, "classification",
					  json_string(dataset->classification));
	if (dataset->record == POLICY_RECORD_BYTES)
		(void)json_object_set_new(line, "record_bytes",
					  number(dataset->record_bytes));
	if (dataset->key_from)
		(void)json_object_set_new(line, "key",
					  json_pack("{s:o, s:o}", "from",
						    number(dataset->key_from),
						    "to",
						    number(dataset->key_to)));
	return line;
}

/* A list that a walk of the guard's tables fills, and a reply empties. */
struct list {
	size_t n;
	const struct control_request *request;
	struct agent *agent;
	union {
		struct guard_budget *budgets;
		struct ledger_line {
			struct ledger_key key;
			struct ledger ledger;
		} * ledger;
		struct origin *origins;
		void *memory;
	};
};

static void list_free(void *data)
{
	struct list *list = data;

	if (list)
		free(list->memory);
	free(list);
}

static int list_grow(struct list *list, size_t item)
{
	void *memory = array_grow(list->memory, list->n, item);

	if (!memory)
		return -ENOMEM;
	list->memory = memory;
	return 0;
}

static struct list *list_new(struct agent *agent, struct control_client *client)
{
	struct list *list = calloc(1, sizeof(*list));

	if (client->free_data)
		client->free_data(client->data);
	client->cursor = 0;
	client->data = list;
	client->free_data = list_free;
	if (list) {
		list->agent = agent;
		list->request = &client->request;
	}
	return list;
}

/* Are there quiet files of the name that a cap has? */
static const struct policy_quiet *quiet_of(const struct agent *agent,
					   const struct budget_key *key)
{
	const struct policy *policy = agent->policy;
	uint32_t i;

	if (!policy ||
	    policy_find_quiet(policy,
			      guard_name(agent->guard, NAME_SUBJECT, key->rule),
			      &i))
		return NULL;
	return &policy->quiet[i];
}

/* The cap, of a declassifier or quiet files; NULL if there is none by now. */
static const struct policy_budget *cap_of(const struct agent *agent,
					  const struct budget_key *key)
{
	const struct policy_quiet *quiet = quiet_of(agent, key);
	const struct policy *policy = agent->policy;
	uint32_t i;

	if (quiet)
		return &quiet->cap;
	if (!policy ||
	    policy_find_subject(
		    policy, guard_name(agent->guard, NAME_SUBJECT, key->rule),
		    &i) ||
	    !policy->subjects[i].declassifier)
		return NULL;
	return &policy->subjects[i].cap;
}

static int add_budget(const struct guard_budget *budget, void *arg)
{
	const struct policy_budget *cap = NULL;
	struct list *list = arg;
	int r;

	if (!budget->used && !budget->refused)
		return 0;
	if (budget->key.dest == CORDON_DEST_INTAKE)
		cap = cap_of(list->agent, &budget->key);
	/* A rule that is gone keeps its budget in case it comes back. */
	if (!cap && budget->rule == POLICY_NO_RULE)
		return 0;
	r = list_grow(list, sizeof(list->budgets[0]));
	if (r)
		return r;
	list->budgets[list->n] = *budget;
	if (cap) {
		list->budgets[list->n].max = cap->bytes;
		list->budgets[list->n].window_ns = cap->bytes_window_ns;
	}
	list->n++;
	return 0;
}

static int by_budget(const void *a, const void *b)
{
	const struct budget_key *x = &((const struct guard_budget *)a)->key;
	const struct budget_key *y = &((const struct guard_budget *)b)->key;

	if (x->dataset != y->dataset)
		return x->dataset < y->dataset ? -1 : 1;
	if (x->rule != y->rule)
		return x->rule < y->rule ? -1 : 1;
	if (x->dest != y->dest)
		return x->dest < y->dest ? -1 : 1;
	if (x->unit != y->unit)
		return x->unit < y->unit ? -1 : 1;
	return x->who < y->who ? -1 : x->who > y->who;
}

static json_t *budget_line(struct agent *agent,
			   const struct guard_budget *budget)
{
	const struct budget_key *key = &budget->key;
	bool cap = key->dest == CORDON_DEST_INTAKE;
	const char *whose = cap ? "subject" : "rule";
	struct guard *guard = agent->guard;
	json_t *line;

	if (cap && quiet_of(agent, key))
		whose = "files";
	line = json_pack(
		"{s:i, s:s, s:s, s:s, s:s, s:s, s:o, s:o, s:o, s:o}", "cordon",
		CONTROL_VERSION, "type", "budget", whose,
		guard_name(guard, cap ? NAME_SUBJECT : NAME_RULE, key->rule),
		"dataset", guard_name(guard, NAME_DATASET, key->dataset),
		"destination", guard_name(guard, NAME_DEST, key->dest),
		"budget", key->unit == UNIT_RECORDS ? "records" : "bytes",
		"used", number(budget->used), "max", number(budget->max),
		"window_ns", number(budget->window_ns), "refused",
		number(budget->refused));
	if (line && key->who != CORDON_HOST_WIDE)
		(void)json_object_set_new(line, "user", account(key->who));
	if (line && budget->free_ns)
		(void)json_object_set_new(line, "frees", when(budget->free_ns));
	return line;
}

static int stand(const struct agent *agent, struct standing *standing)
{
	int r;

	r = guard_stats(agent->guard, &standing->stats);
	if (r)
		return r;
	return guard_each_holder(agent->guard, count_holder, standing);
}

enum status_step { STATUS_HEAD, STATUS_DATASETS, STATUS_WALK, STATUS_BUDGETS };

static int answer_status(struct agent *agent, struct control_client *client)
{
	const struct policy *policy = agent->policy;
	struct standing *standing = client->data;
	struct list *list = client->data;
	int r = 0;

	switch ((enum status_step)client->step) {
	case STATUS_HEAD:
		client->step = STATUS_DATASETS;
		standing = calloc(1, sizeof(*standing));
		client->data = standing;
		client->free_data = free;
		r = standing ? stand(agent, standing) : -ENOMEM;
		if (!r)
			r = status_head(agent, client, standing);
		break;
	case STATUS_DATASETS:
		if (policy && client->cursor < policy->n_datasets)
			r = control_reply(
				client,
				dataset_line(
					agent,
					&policy->datasets[client->cursor++],
					standing));
		else
			client->step = STATUS_WALK;
		break;
	case STATUS_WALK:
		client->step = STATUS_BUDGETS;
		list = list_new(agent, client);
		if (!list)
			return -ENOMEM;
		r = guard_each_budget(agent->guard, add_budget, list);
		if (!r && list->n)
			qsort(list->budgets, list->n, sizeof(list->budgets[0]),
			      by_budget);
		break;
	case STATUS_BUDGETS:
		for (int i = 0; !r && i < LINES_AT_ONCE; i++) {
			if (client->cursor == list->n)
				return CONTROL_END;
			r = control_reply(
				client,
				budget_line(agent,
					    &list->budgets[client->cursor++]));
		}
		break;
	}
	return r ? r : CONTROL_MORE;
}

/* ---- ledger ------------------------------------------------------------- */

static int add_origin(uint32_t slot, const struct origin *origin, void *arg)
{
	struct list *list = arg;
	int r;

	(void)slot;
	r = list_grow(list, sizeof(list->origins[0]));
	if (!r)
		list->origins[list->n++] = *origin;
	return r;
}

static bool wanted(const struct agent *agent, const char *want, uint32_t kind,
		   uint32_t id)
{
	return want[0] == '\0' ||
	       strcmp(want, guard_name(agent->guard, kind, id)) == 0;
}

static int add_ledger(const struct ledger_key *key, const struct ledger *ledger,
		      void *arg)
{
	struct list *list = arg;
	const struct control_request *request = list->request;
	int r;

	if (!wanted(list->agent, request->dataset, NAME_DATASET,
		    key->dataset) ||
	    !wanted(list->agent, request->subject, NAME_SUBJECT,
		    key->subject) ||
	    !wanted(list->agent, request->destination, NAME_DEST, key->dest))
		return 0;
	r = list_grow(list, sizeof(list->ledger[0]));
	if (!r)
		list->ledger[list->n++] = (struct ledger_line){*key, *ledger};
	return r;
}

static int by_ledger(const void *a, const void *b)
{
	const struct ledger_line *x = a, *y = b;

	if (x->key.origin != y->key.origin)
		return x->key.origin < y->key.origin ? -1 : 1;
	/* An origin is of one dataset, but what has none may be of several. */
	if (x->key.dataset != y->key.dataset)
		return x->key.dataset < y->key.dataset ? -1 : 1;
	return x->ledger.first_ns < y->ledger.first_ns
		       ? -1
		       : x->ledger.first_ns > y->ledger.first_ns;
}

static json_t *origin_line(struct agent *agent, const struct origin *origin)
{
	char comm[COMM_CHARS_MAX];

	comm_text(origin->comm, comm);
	return json_pack(
		"{s:i, s:s, s:o, s:s, s:o, s:s, s:o, s:o, s:o, s:o, s:o}",
		"cordon", CONTROL_VERSION, "type", "origin", "origin",
		number(origin->serial), "dataset",
		guard_name(agent->guard, NAME_DATASET, origin->key.dataset),
		"tgid", number(origin->tgid), "comm", comm, "user",
		account(origin->uid), "login", account(origin->login), "first",
		when(origin->first_ns), "read_bytes",
		number(origin->read_bytes), "read_records",
		number(origin->read_records));
}

static json_t *ledger_line(struct agent *agent, const struct ledger_line *item)
{
	json_t *line = json_pack("{s:i, s:s}", "cordon", CONTROL_VERSION,
				 "type", "ledger");

	if (!json_object_update_new(
		    line,
		    ledger_fields(agent->guard, &item->key, &item->ledger)))
		return line;
	json_decref(line);
	return NULL;
}

/* Has the guard, or the policy, such a name, or does the ledger show it? */
static bool is_known(const struct agent *agent, uint32_t kind, const char *name)
{
	const struct policy *policy = agent->policy;
	uint32_t id;
	size_t i;

	if (!strcmp(name, "*") || !strcmp(name, "?") ||
	    !guard_name_find(agent->guard, kind, name, &id))
		return true;
	/* What no rule names has no number yet. */
	for (i = 0; policy && kind == NAME_SUBJECT && i < policy->n_subjects;
	     i++)
		if (!strcmp(policy->subjects[i].name, name))
			return true;
	for (i = 0; policy && kind == NAME_DEST && i < policy->n_destinations;
	     i++)
		if (!strcmp(policy->destinations[i].name, name))
			return true;
	return false;
}

/* An empty ledger must not be taken for the answer to a slip. */
static int check_names(const struct agent *agent, struct control_client *client)
{
	struct control_request *request = &client->request;
	const struct {
		uint32_t kind;
		const char *word, *name;
	} asked[] = {
		{NAME_DATASET, "dataset", request->dataset},
		{NAME_SUBJECT, "subject", request->subject},
		{NAME_DEST, "destination", request->destination},
	};
	const char *near;

	/* What the table calls what no name covers, if none is called so. */
	if (!strcmp(request->destination, "elsewhere") &&
	    !is_known(agent, NAME_DEST, "elsewhere"))
		(void)strcpy(request->destination, "*");
	for (size_t i = 0; i < sizeof(asked) / sizeof(asked[0]); i++) {
		if (!asked[i].name[0] ||
		    is_known(agent, asked[i].kind, asked[i].name))
			continue;
		near = guard_name_nearest(agent->guard, asked[i].kind,
					  asked[i].name);
		control_fail(client, CONTROL_UNKNOWN,
			     "no %s is called %s%s%s%s", asked[i].word,
			     asked[i].name, near ? ": did you mean " : "",
			     near ? near : "", near ? "?" : "");
		return -ESRCH;
	}
	return 0;
}

enum ledger_step {
	LEDGER_WALK_ORIGINS,
	LEDGER_ORIGINS,
	LEDGER_WALK,
	LEDGER_LINES,
};

static int answer_ledger(struct agent *agent, struct control_client *client)
{
	struct list *list = client->data;
	json_t *line;
	int r = 0;

	switch ((enum ledger_step)client->step) {
	case LEDGER_WALK_ORIGINS:
		r = check_names(agent, client);
		if (r)
			return r;
		client->step = LEDGER_ORIGINS;
		list = list_new(agent, client);
		return list ? guard_each_origin(agent->guard, add_origin, list)
				       ?: CONTROL_MORE
			    : -ENOMEM;
	case LEDGER_WALK:
		client->step = LEDGER_LINES;
		list = list_new(agent, client);
		if (!list)
			return -ENOMEM;
		r = guard_each_ledger(agent->guard, add_ledger, list);
		if (!r && list->n)
			qsort(list->ledger, list->n, sizeof(list->ledger[0]),
			      by_ledger);
		return r ? r : CONTROL_MORE;
	case LEDGER_ORIGINS:
	case LEDGER_LINES:
		break;
	}

	for (int i = 0; !r && i < LINES_AT_ONCE; i++) {
		if (client->cursor == list->n && client->step == LEDGER_LINES)
			return CONTROL_END;
		if (client->cursor == list->n) {
			client->step = LEDGER_WALK;
			break;
		}
		line = client->step == LEDGER_LINES
			       ? ledger_line(agent,
					     &list->ledger[client->cursor])
			       : origin_line(agent,
					     &list->origins[client->cursor]);
		client->cursor++;
		r = control_reply(client, line);
	}
	return r ? r : CONTROL_MORE;
}

/* ---- events ------------------------------------------------------------- */

static int answer_events(struct agent *agent, struct control_client *client)
{
	char line[EVENTLOG_LINE_MAX];
	size_t len;
	int r;

	if (!client->step) {
		client->step = 1;
		client->cursor =
			client->request.follow && !client->request.since_s
				? eventlog_next(agent->log)
				: eventlog_find(agent->log,
						client->request.since_s);
	}
	/* Half of what is queued at most, so that each line has room. */
	for (int i = 0; i < (int)(CONTROL_OUT_MAX / EVENTLOG_LINE_MAX / 2);
	     i++) {
		r = eventlog_line(agent->log, client->cursor, line, &len);
		if (r == -ENODATA)
			return client->request.follow ? CONTROL_WAIT
						      : CONTROL_END;
		if (r == -ESTALE) {
			control_fail(
				client, CONTROL_SLOW,
				"fell behind: %llu to %llu of the events are "
				"no longer in memory; cordon evidence show "
				"has them",
				(unsigned long long)client->cursor,
				(unsigned long long)eventlog_first(agent->log) -
					1);
			return -ESTALE;
		}
		r = control_reply_text(client, line, len);
		if (r)
			return r;
		client->cursor++;
	}
	return CONTROL_MORE;
}

/* ---- doctor ------------------------------------------------------------- */

struct doctor_reply {
	struct control_client *client;
	int r;
};

static void reply_item(const struct doctor_item *item, void *arg)
{
	struct doctor_reply *reply = arg;

	if (!reply->r)
		reply->r = control_reply(reply->client, doctor_json(item));
}

static int answer_doctor(struct agent *agent, struct control_client *client)
{
	struct doctor_reply reply = {.client = client};
	struct doctor_options opts = {
		.policy_file = agent->opts->policy_file,
		.state_dir = agent->opts->state_dir,
		.run_dir = agent->opts->run_dir,
		.guard = &agent->opts->guard,
		.running = agent->guard,
	};
	char host[POLICY_HOST_CHARS_MAX + 1];
	struct doctor_result result;
	int r;

	agent_host_name(agent, host);
	opts.host = host;
	r = doctor_run(&opts, reply_item, &reply, &result);
	if (!r)
		r = reply.r;
	return r ? r : CONTROL_END;
}

int answer(struct control *control, struct control_client *client, void *arg)
{
	struct agent *agent = arg;

	(void)control;
	switch (client->request.verb) {
	case CONTROL_STATUS:
		return answer_status(agent, client);
	case CONTROL_EVENTS:
		return answer_events(agent, client);
	case CONTROL_LEDGER:
		return answer_ledger(agent, client);
	case CONTROL_DOCTOR:
		return answer_doctor(agent, client);
	case CONTROL_EXPLAIN:
		return answer_explain(agent, client);
	case CONTROL_ACT_REQUEST:
	case CONTROL_ACT_APPLY:
	case CONTROL_ACT_END:
		return answer_act(agent, client);
	case CONTROL_VERB_MAX:
		break;
	}
	return -EINVAL;
}
