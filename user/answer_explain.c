// SPDX-License-Identifier: GPL-2.0-only
/*
 * Why a process or a file holds what it holds. Lines, in this order:
 *
 *	process or file	what was asked about
 *	holding		what it holds of a dataset, of one origin
 *	step		how that came, the oldest first
 *	gap		where the guard does not know how it came any more
 *	limit		what a rule says to more reading and sending
 *	event		the last ones of the process
 */
#include "agent.h"
#include "answer_words.h"
#include "chain.h"
#include "clock.h"
#include "compile.h"
#include "decide.h"
#include "log.h"
#include "process.h"
#include "text.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define EVENTS_SHOWN 3
#define LIMITS_SHOWN 48

/* What is being explained. */
struct asked {
	struct agent *agent;
	struct control_client *client;
	uint32_t pid;	      /* 0: a file */
	uint64_t id;	      /* of the holding; 0: none */
	bool live;	      /* the holding is there still */
	struct step_who last; /* who a process was that is gone; or tgid 0 */
	struct holding holding;
	struct charges charges; /* of it; zero: none */
	struct chain chain;
	int limits;
	int r;
};

/* Queues the line; after the first failure nothing more. */
static void reply(struct asked *asked, json_t *line)
{
	if (asked->r) {
		json_decref(line);
		return;
	}
	asked->r = control_reply(asked->client, line);
}

static json_t *line_of(const char *type)
{
	return json_pack("{s:i, s:s}", "cordon", CONTROL_VERSION, "type", type);
}

static void put_comm(json_t *line, const char *key, const char *comm)
{
	char text[COMM_CHARS_MAX];

	comm_text(comm, text);
	put(line, key, json_string(text));
}

static void put_session(json_t *line, uint32_t session)
{
	if (session != UINT32_MAX)
		put(line, "session", json_integer(session));
}

static void put_who(json_t *line, const struct step_who *who)
{
	put(line, "pid", json_integer(who->tgid));
	put_comm(line, "comm", who->comm);
	put(line, "user", account(who->uid));
	put(line, "login", account(who->login));
	put_session(line, who->session);
}

static const char *dataset_name(const struct asked *asked, uint32_t id)
{
	return guard_name(asked->agent->guard, NAME_DATASET, id);
}

/* ---- the process -------------------------------------------------------- */

static void put_unit(json_t *line, const struct event_who *who)
{
	if (who->unit[0])
		put(line, "unit", json_string(who->unit));
	if (who->exe[0])
		put(line, "exe", json_string(who->exe));
}

/* Marked, but without an entry: held, as much as there is. */
static bool holds_unknown(const struct asked *asked)
{
	struct guard *guard = asked->agent->guard;
	uint64_t id;

	return guard_process(guard, asked->pid, &id) == -ENOENT &&
	       guard_is_holder(guard, asked->pid) > 0;
}

/* Whose one holding it has. */
static void put_pool(json_t *line, const struct asked *asked)
{
	uint32_t subject;

	if (!guard_pool(asked->agent->guard, asked->pid, &subject))
		put(line, "pool",
		    json_string(guard_name(asked->agent->guard, NAME_SUBJECT,
					   subject)));
}

static void reply_process(struct asked *asked,
			  const struct process_facts *alive,
			  const struct event_who *who)
{
	json_t *line = line_of("process");

	put(line, "pid", json_integer(asked->pid));
	put(line, "alive", json_boolean(alive->tgid != 0));
	put(line, "holds",
	    json_boolean(asked->id &&
			 (!asked->live || asked->holding.shares[0].origin)));
	if (alive->tgid && holds_unknown(asked))
		put(line, "unknown", json_true());
	if (alive->tgid) {
		put_comm(line, "comm", alive->comm);
		put(line, "user", account(alive->uid));
		put(line, "login", account(alive->login));
		put_session(line, alive->session);
		put_unit(line, who);
		put_pool(line, asked);
	} else if (asked->last.tgid) {
		put_who(line, &asked->last);
	}
	reply(asked, line);
}

/* ---- what is held ------------------------------------------------------- */

static void reply_share(struct asked *asked, const struct share *share)
{
	json_t *line = line_of("holding");
	struct origin origin;

	put(line, "dataset", json_string(dataset_name(asked, share->dataset)));
	put(line, "records", number(share->records));
	put(line, "bytes", number(share->bytes));
	/* The last place has all for whom there was none. */
	if (share->origin == CORDON_ORIGIN_FOLDED ||
	    share->origin == CORDON_ORIGIN_REST ||
	    guard_origin(asked->agent->guard, share->origin, &origin)) {
		put(line, "folded", json_true());
	} else {
		put(line, "origin", number(origin.serial));
		put(line, "first", when(origin.first_ns));
		put(line, "pid", json_integer(origin.tgid));
		put_comm(line, "comm", origin.comm);
		put(line, "user", account(origin.uid));
		put(line, "login", account(origin.login));
		put_session(line, origin.session);
	}
	reply(asked, line);
}

static void reply_shares(struct asked *asked)
{
	if (!asked->live)
		return;
	for (size_t i = 0; i < CORDON_SHARES; i++)
		if (asked->holding.shares[i].origin)
			reply_share(asked, &asked->holding.shares[i]);
}

/* ---- how it came -------------------------------------------------------- */

static void reply_step(struct asked *asked, struct step *step)
{
	json_t *line = line_of("step");
	const struct step_who *from;
	struct origin origin;
	bool several;

	agent_complete_step(asked->agent, step);
	put(line, "time", when(step->time_ns));
	put(line, "last", when(step->last_ns));
	put(line, "kind", json_string(chain_kind_name(step->kind)));
	put(line, "dataset", json_string(dataset_name(asked, step->dataset)));
	put(line, "records", number(step->records));
	put(line, "bytes", number(step->bytes));
	put(line, "holding", number(step->to));
	if (step->who.tgid)
		put_who(line, &step->who);
	if (step->from & STEP_ORIGIN) {
		if (!guard_origin(asked->agent->guard, (uint32_t)step->from,
				  &origin))
			put(line, "origin", number(origin.serial));
	} else {
		put(line, "from_holding", number(step->from));
	}
	from = chain_who(&asked->chain, step->from, step->last_ns, &several);
	if (several)
		put(line, "from_several", json_true());
	if (from) {
		put(line, "from_pid", json_integer(from->tgid));
		put_comm(line, "from_comm", from->comm);
		put(line, "from_user", account(from->uid));
	}
	reply(asked, line);
}

static void reply_gap(struct asked *asked, uint64_t holding)
{
	json_t *line = line_of("gap");
	const struct step_who *who;
	bool several;

	put(line, "why",
	    json_string(holding == guard_state(asked->agent->guard)->unclean
				? "unclean"
				: "lost"));
	put(line, "holding", number(holding));
	who = chain_who(&asked->chain, holding, UINT64_MAX, &several);
	if (who)
		put_who(line, who);
	reply(asked, line);
}

static void reply_chain(struct asked *asked)
{
	struct chain *chain = &asked->chain;
	json_t *line;

	for (size_t i = 0; i < chain->n_steps; i++)
		reply_step(asked, &chain->steps[i]);
	for (size_t i = 0; i < chain->n_links; i++)
		if (!chain->links[i].whole)
			reply_gap(asked, chain->links[i].holding);
	if (!chain->cut)
		return;
	line = line_of("gap");
	put(line, "why", json_string("long"));
	reply(asked, line);
}

/* ---- what a rule says --------------------------------------------------- */

/* One grant of the rule that decides, and what was used of it. */
struct limit_line {
	struct asked *asked;
	const struct policy_rule *rule;
	uint32_t rule_id, dataset, dest, who;
	uint64_t held;	  /* records that the next send is charged at most */
	uint64_t charged; /* of them, before */
};

static void reply_limit(struct limit_line *l, uint32_t unit, uint64_t max,
			uint64_t window_ns)
{
	const struct budget_key key = {.rule = l->rule_id,
				       .who = l->who,
				       .dest = (uint16_t)l->dest,
				       .dataset = (uint8_t)l->dataset,
				       .unit = (uint8_t)unit};
	struct guard *guard = l->asked->agent->guard;
	struct guard_budget budget = {0};
	uint64_t due = 0, left;
	bool over;
	json_t *line;

	if (l->asked->limits++ >= LIMITS_SHOWN)
		return;
	if (window_ns)
		(void)guard_budget(guard, &key, &budget);
	left = max > budget.used ? max - budget.used : 0;
	if (unit == UNIT_RECORDS && l->dest != CORDON_DEST_READ &&
	    l->held > l->charged)
		due = l->held - l->charged;
	over = due > left;
	/* Records that were charged there before go there again for nothing. */
	if (unit != UNIT_RECORDS || l->dest == CORDON_DEST_READ || !window_ns)
		over |= !left;
	line = line_of("limit");
	put(line, "dataset", json_string(dataset_name(l->asked, l->dataset)));
	put(line, "destination",
	    json_string(guard_name(guard, NAME_DEST, l->dest)));
	put(line, "rule",
	    json_string(l->rule_id ? guard_name(guard, NAME_RULE, l->rule_id)
				   : "none"));
	put(line, "action",
	    json_string(!l->rule ? "block"
			: l->rule->mode == POLICY_OBSERVE
				? "observe"
				: policy_action_name(l->rule->action)));
	put(line, "budget",
	    json_string(unit == UNIT_RECORDS ? "records" : "bytes"));
	put(line, "used", number(budget.used));
	put(line, "max", number(max));
	if (window_ns)
		put(line, "window_ns", number(window_ns));
	if (due)
		put(line, "due", number(due));
	put(line, "over", json_boolean(over));
	if (budget.free_ns)
		put(line, "frees", when(budget.free_ns));
	reply(l->asked, line);
}

static void reply_grant(struct limit_line *l,
			const struct policy_budget *budget)
{
	if (budget->kind == POLICY_BUDGET_UNLIMITED)
		reply_limit(l, UNIT_RECORDS, CORDON_UNLIMITED, 0);
	else if (budget->kind == POLICY_BUDGET_NONE)
		reply_limit(l, UNIT_RECORDS, 0, 0);
	else {
		if (budget->records_window_ns)
			reply_limit(l, UNIT_RECORDS, budget->records,
				    budget->records_window_ns);
		if (budget->bytes_window_ns)
			reply_limit(l, UNIT_BYTES, budget->bytes,
				    budget->bytes_window_ns);
	}
}

static void charged_of(struct limit_line *l)
{
	const struct charge *charge = l->asked->charges.at;

	l->charged = 0;
	for (size_t i = 0; i < CORDON_CHARGES; i++)
		if (charge[i].dataset == l->dataset &&
		    charge[i].dest == l->dest && charge[i].rule == l->rule_id &&
		    charge[i].who == l->who)
			l->charged = charge[i].records;
}

static void reply_rule(struct limit_line *l, const struct policy *policy)
{
	const struct policy_budget none = {.kind = POLICY_BUDGET_NONE};
	const struct policy_release *release;

	l->dest = CORDON_DEST_READ;
	reply_grant(l, l->rule ? &l->rule->read : &none);
	for (size_t i = 0; l->rule && i < l->rule->n_releases; i++) {
		release = &l->rule->releases[i];
		if (guard_name_find(
			    l->asked->agent->guard, NAME_DEST,
			    policy->destinations[release->destination].name,
			    &l->dest))
			continue;
		charged_of(l);
		reply_grant(l, &release->budget);
	}
	if (l->rule && policy_rule_release(l->rule, POLICY_ANYWHERE)->kind !=
			       POLICY_BUDGET_NONE)
		return;
	l->dest = CORDON_DEST_ANY;
	reply_grant(l, &none);
}

static uint64_t held_of(const struct asked *asked, uint32_t dataset)
{
	uint64_t records = 0;

	for (size_t i = 0; i < CORDON_SHARES; i++)
		if (asked->holding.shares[i].origin &&
		    asked->holding.shares[i].dataset == dataset)
			records += asked->holding.shares[i].records;
	return records;
}

static void reply_dataset(struct asked *asked,
			  const struct process_facts *alive,
			  const struct policy_actor *actor, uint32_t dataset)
{
	const struct policy *policy = asked->agent->policy;
	struct policy_explanation *why = NULL;
	struct policy_errors *errs = calloc(1, sizeof(*errs));
	struct limit_line l = {.asked = asked, .dataset = dataset};
	char name[3 * CORDON_NAME + 16];

	if (!errs || policy_explain(policy, actor, dataset_name(asked, dataset),
				    NULL, &why, errs))
		goto out;
	l.held = held_of(asked, dataset);
	l.who = CORDON_HOST_WIDE;
	if (why->rule != POLICY_NO_RULE) {
		l.rule = &policy->rules[why->rule];
		compile_rule_name(policy, l.rule, name, sizeof(name));
		(void)guard_name_find(asked->agent->guard, NAME_RULE, name,
				      &l.rule_id);
		if (l.rule->per == POLICY_PER_USER)
			l.who = alive->login != UINT32_MAX ? alive->login
							   : alive->uid;
	}
	reply_rule(&l, policy);
out:
	policy_explanation_free(why);
	free(errs);
}

/* Has a share before this one told of its dataset? */
static bool is_told(const struct asked *asked, size_t i)
{
	const struct share *shares = asked->holding.shares;

	for (size_t j = 0; j < i; j++)
		if (shares[j].dataset == shares[i].dataset)
			return true;
	return false;
}

/* What is still to come only who lives can be refused. */
static void reply_limits(struct asked *asked, const struct process_facts *alive,
			 const struct event_who *who)
{
	char user[EVENT_ACCOUNT_CHARS_MAX], login[EVENT_ACCOUNT_CHARS_MAX];
	const struct share *share;
	struct policy_actor actor = {0};

	if (!alive->tgid || !asked->live || !asked->agent->policy)
		return;
	event_account(alive->user, user);
	event_account(alive->login, login);
	actor.unit = who->unit[0] ? who->unit : NULL;
	actor.exe = who->exe[0] ? who->exe : NULL;
	actor.user = user;
	actor.login = alive->login == UINT32_MAX ? "none" : login;
	for (size_t i = 0; i < CORDON_SHARES; i++) {
		share = &asked->holding.shares[i];
		if (share->origin && share->dataset && !is_told(asked, i))
			reply_dataset(asked, alive, &actor, share->dataset);
	}
}

/* ---- events ------------------------------------------------------------- */

/* Not of one that had the number before, in another boot perhaps. */
static bool is_since(const char *line, uint64_t start_ns)
{
	static const char mark[] = "\"boottime_ns\":";
	const char *at = strstr(line, mark);
	uint64_t time_ns = at ? strtoull(at + strlen(mark), NULL, 10) : 0;

	return time_ns >= start_ns &&
	       time_ns <= (uint64_t)clock_ns(CLOCK_BOOTTIME);
}

static void reply_events(struct asked *asked, const struct process_facts *alive)
{
	uint64_t found[EVENTS_SHOWN], seq, first;
	struct eventlog *log = asked->agent->log;
	char line[EVENTLOG_LINE_MAX], mark[32];
	size_t n = 0, len;

	(void)snprintf(mark, sizeof(mark), "\"tgid\":%" PRIu32, asked->pid);
	first = eventlog_first(log);
	for (seq = eventlog_next(log); seq-- > first && n < EVENTS_SHOWN;) {
		const char *at;

		if (eventlog_line(log, seq, line, &len) || len >= sizeof(line))
			continue;
		line[len] = '\0';
		at = strstr(line, mark);
		if (at &&
		    (at[strlen(mark)] == ',' || at[strlen(mark)] == '}') &&
		    (!alive->tgid || is_since(line, alive->start_ns)))
			found[n++] = seq;
	}
	while (n-- && !asked->r)
		if (!eventlog_line(log, found[n], line, &len))
			asked->r = control_reply_text(asked->client, line, len);
}

/* ---- both --------------------------------------------------------------- */

/* What has the number asked->id, if any, and how it came to that. */
static int find_holding(struct asked *asked)
{
	if (!asked->id)
		return 0;
	asked->live =
		!guard_holding(asked->agent->guard, asked->id, &asked->holding);
	(void)guard_charges(asked->agent->guard, asked->id, &asked->charges);
	return agent_find_chain(asked->agent, asked->id, &asked->chain);
}

static void reply_holding(struct asked *asked)
{
	reply_shares(asked);
	if (asked->id)
		reply_chain(asked);
}

/* The process is gone: the last holding that one of this number had. */
static int find_last(const struct step *step, void *arg)
{
	struct asked *asked = arg;

	if (step->who.tgid != asked->pid)
		return 0;
	asked->id = step->to;
	asked->last = step->who;
	return 1;
}

static int explain_process(struct asked *asked)
{
	struct event event = {.tgid = asked->pid, .login = UINT32_MAX};
	struct event_who who;
	struct process_facts alive;
	int r;

	(void)process_look(asked->pid, &alive);
	memset(&who, 0, sizeof(who));
	if (alive.tgid)
		event_look_up(&event, &who);
	r = guard_process(asked->agent->guard, asked->pid, &asked->id);
	if (r == -ENOENT && !alive.tgid)
		r = guard_each_step(asked->agent->guard, find_last, asked);
	if (r < 0 && r != -ENOENT)
		return r;
	r = find_holding(asked);
	if (r)
		return r;
	reply_process(asked, &alive, &who);
	reply_holding(asked);
	reply_limits(asked, &alive, &who);
	reply_events(asked, &alive);
	return asked->r;
}

static void reply_file(struct asked *asked, const char *path,
		       const struct guard_file *file)
{
	json_t *line = line_of("file");
	bool record = file->label.kind == LABEL_FILE;
	bool dir = file->label.kind == LABEL_DIR;
	const char *name = dataset_name(asked, file->label.dataset), *slash;

	put(line, "file", json_string(path));
	if (record || dir)
		put(line, "dataset", json_string(name));
	/* Their numbers are datasets', and so are their names, but for that. */
	slash = strchr(name, '/');
	if (is_quiet(file->label.kind))
		put(line, "quiet", json_string(slash ? slash + 1 : name));
	if (record)
		put(line, "record", json_integer(file->label.record));
	put(line, "directory", json_boolean(dir));
	put(line, "holds", json_boolean(file->holding != 0));
	put(line, "mixed", json_boolean(file->mixed));
	put(line, "unclean", json_boolean(file->unclean));
	if (file->since_ns)
		put(line, "since", when(file->since_ns));
	reply(asked, line);
}

static int explain_file(struct asked *asked, const char *path)
{
	struct guard_file file;
	int r;

	r = guard_file(asked->agent->guard, path, &file);
	if (r) {
		control_fail(asked->client, CONTROL_UNKNOWN, "%.180s: %s", path,
			     r == -ENOTSUP ? "not a regular file or a directory"
					   : strerror(-r));
		return -ESRCH;
	}
	asked->id = file.holding;
	r = find_holding(asked);
	if (r)
		return r;
	reply_file(asked, path, &file);
	reply_holding(asked);
	return asked->r;
}

int answer_explain(struct agent *agent, struct control_client *client)
{
	struct asked *asked = calloc(1, sizeof(*asked));
	int r;

	if (!asked)
		return -ENOMEM;
	asked->agent = agent;
	asked->client = client;
	asked->pid = client->request.pid;
	r = asked->pid ? explain_process(asked)
		       : explain_file(asked, client->request.file);
	free(asked);
	return r ? r : CONTROL_END;
}
