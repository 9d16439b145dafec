// SPDX-License-Identifier: GPL-2.0-only
/*
 * What rules, and the keys of subjects, come to: for everybody and each dataset
 * the rule of either policy that decides.
 */
#include "policy_diff_internal.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "array.h"

/* Behind the datasets: who takes in, who shares a holding, who is narrow. */
enum { SET_INTAKE, SET_POOL, SET_NARROW, OTHER_SETS };

struct ruling {
	struct diff *diff;
	struct diff_places places;
	/* The datasets that both have, by name. */
	uint32_t before[POLICY_DATASETS_MAX];
	uint32_t after[POLICY_DATASETS_MAX];
	size_t n;
	struct diff_set sets[POLICY_DATASETS_MAX + OTHER_SETS];
	struct diff_pairs pairs[POLICY_DATASETS_MAX + OTHER_SETS];
	struct diff_flow *flows; /* that are being gathered */
	size_t n_flows;
};

static const struct policy_budget nothing;

/* ---- rules -------------------------------------------------------------- */

static bool is_about(const struct policy_rule *rule, uint32_t dataset)
{
	return rule->dataset == POLICY_ANY_DATASET || rule->dataset == dataset;
}

/* The rule of a subject that decides over a dataset; NULL: it has none. */
static const struct policy_rule *rule_of(const struct policy *policy,
					 uint32_t subject, uint32_t dataset)
{
	const struct policy_rule *rule;

	for (size_t i = 0; i < policy->n_rules; i++) {
		rule = &policy->rules[policy->rule_order[i]];
		if (rule->subject == subject && is_about(rule, dataset))
			return rule;
	}
	return NULL;
}

static void add_rules(struct diff_set *set, const struct policy *policy,
		      bool after, uint32_t dataset)
{
	for (size_t i = 0; i < policy->n_rules; i++)
		if (is_about(&policy->rules[i], dataset))
			diff_set_add(set, policy, after,
				     policy->rules[i].subject);
}

/* Whether budgets of one are counted as those of the other. */
static bool same_rule(const struct diff *diff, const struct policy_rule *a,
		      const struct policy_rule *b)
{
	const struct policy *before = diff->before, *after = diff->after;

	if (!a || !b || a->per != b->per ||
	    strcmp(before->subjects[a->subject].name,
		   after->subjects[b->subject].name) != 0)
		return false;
	if (a->dataset == POLICY_ANY_DATASET ||
	    b->dataset == POLICY_ANY_DATASET)
		return a->dataset == b->dataset;
	return strcmp(before->datasets[a->dataset].name,
		      after->datasets[b->dataset].name) == 0;
}

static uint32_t line_of(const struct policy_rule *rule)
{
	return rule ? rule->pos.line : 0;
}

static uint32_t budget_line(const struct policy_rule *rule,
			    const struct policy_budget *budget)
{
	return budget->pos.line ? budget->pos.line : line_of(rule);
}

/* ---- who, in words ------------------------------------------------------ */

static const char *subject_name(const struct policy *policy, uint32_t subject,
				bool any)
{
	if (subject == POLICY_EVERYONE)
		return any ? "*" : "nobody";
	return policy->subjects[subject].name;
}

/* `backup`, or `backup (until now *)`: whose rule decides. */
static void say_pair(const struct diff *diff, struct diff_pair pair,
		     bool old_rule, bool new_rule, char *buf, size_t size)
{
	const char *before = subject_name(diff->before, pair.before, true);
	const char *after = subject_name(diff->after, pair.after, true);

	if (!old_rule)
		before = "whom no rule covers";
	if (!new_rule)
		after = "whom no rule covers";
	if (strcmp(before, after) == 0)
		(void)snprintf(buf, size, "%s", after);
	else
		(void)snprintf(buf, size, "%s (until now %s)", after, before);
}

static void say_rules(const struct diff_words *words,
		      const struct diff_flow *flow, char *buf, size_t size)
{
	say_pair(words->diff, (struct diff_pair){flow->before, flow->after},
		 flow->old_line != 0, flow->new_line != 0, buf, size);
}

static void say_no_place(const struct diff_words *words,
			 const struct diff_flow *flow, char *buf, size_t size)
{
	(void)words;
	(void)flow;
	(void)size;
	buf[0] = '\0';
}

static const char *place_name(const struct policy *policy, uint32_t destination)
{
	return destination == POLICY_ANYWHERE
		       ? "*"
		       : policy->destinations[destination].name;
}

static void say_place(const struct diff_words *words,
		      const struct diff_flow *flow, char *buf, size_t size)
{
	const char *from = place_name(words->diff->before, flow->from);
	const char *to = place_name(words->diff->after, flow->to);

	if (strcmp(from, to) == 0)
		(void)snprintf(buf, size, " to %s", to);
	else
		(void)snprintf(buf, size, " to %s (until now %s; such as %s)",
			       to, from, flow->where);
}

/* ---- what may be read and sent ------------------------------------------ */

static struct policy_grant grant_of(const struct policy_rule *rule,
				    const struct policy_budget *budget)
{
	return (struct policy_grant){
		.budget = rule ? budget : &nothing,
		.per_user = rule && rule->per == POLICY_PER_USER,
	};
}

static void add_flow(struct ruling *ruling, const struct diff_flow *flow)
{
	struct diff_flow *grown;

	if (ruling->diff->r)
		return;
	grown = array_grow(ruling->flows, ruling->n_flows, sizeof(*grown));
	if (!grown) {
		ruling->diff->r = -ENOMEM;
		return;
	}
	ruling->flows = grown;
	grown[ruling->n_flows++] = *flow;
}

static void tell_flows(struct ruling *ruling, const struct diff_words *words)
{
	diff_flows(ruling->diff, words, ruling->flows, ruling->n_flows);
	free(ruling->flows);
	ruling->flows = NULL;
	ruling->n_flows = 0;
}

/* Who decides over a pair, in one dataset. */
struct rules {
	struct diff_pair pair;
	const struct policy_rule *before;
	const struct policy_rule *after;
};

static struct rules rules_of(const struct ruling *ruling, size_t i,
			     struct diff_pair pair)
{
	return (struct rules){
		.pair = pair,
		.before = rule_of(ruling->diff->before, pair.before,
				  ruling->before[i]),
		.after = rule_of(ruling->diff->after, pair.after,
				 ruling->after[i]),
	};
}

static void add_read(struct ruling *ruling, const struct rules *rules)
{
	const struct policy_rule *a = rules->before, *b = rules->after;
	struct diff_flow flow = {
		.before = rules->pair.before,
		.after = rules->pair.after,
		.old = grant_of(a, a ? &a->read : NULL),
		.new = grant_of(b, b ? &b->read : NULL),
		.same = same_rule(ruling->diff, a, b),
	};

	flow.old_line = budget_line(a, flow.old.budget);
	flow.new_line = budget_line(b, flow.new.budget);
	add_flow(ruling, &flow);
}

/* The destination whose budget counts: that of the rule's own entry, or "*". */
static uint32_t entry_of(const struct policy_rule *rule, uint32_t destination)
{
	for (size_t i = 0; rule && i < rule->n_releases; i++)
		if (rule->releases[i].destination == destination)
			return destination;
	return POLICY_ANYWHERE;
}

/* For many places the same entries of two rules count: one flow each. */
static bool is_added(const struct ruling *ruling, size_t first,
		     const struct diff_flow *flow)
{
	for (size_t i = first; i < ruling->n_flows; i++)
		if (ruling->flows[i].from == flow->from &&
		    ruling->flows[i].to == flow->to)
			return true;
	return false;
}

static void add_release(struct ruling *ruling, const struct rules *rules,
			const struct diff_place *place, size_t first)
{
	const struct policy_rule *a = rules->before, *b = rules->after;
	struct diff_flow flow = {
		.before = rules->pair.before,
		.from = entry_of(a, place->before),
		.after = rules->pair.after,
		.to = entry_of(b, place->after),
		.where = place->text,
	};

	if (is_added(ruling, first, &flow))
		return;
	flow.old = grant_of(a, a ? policy_rule_release(a, flow.from) : NULL);
	flow.new = grant_of(b, b ? policy_rule_release(b, flow.to) : NULL);
	flow.same = same_rule(ruling->diff, a, b) &&
		    strcmp(place_name(ruling->diff->before, flow.from),
			   place_name(ruling->diff->after, flow.to)) == 0;
	flow.old_line = budget_line(a, flow.old.budget);
	flow.new_line = budget_line(b, flow.new.budget);
	add_flow(ruling, &flow);
}

static bool is_place(const struct diff_place *place)
{
	return place->before < DIFF_REFUSED && place->after < DIFF_REFUSED;
}

static void add_releases(struct ruling *ruling, const struct rules *rules)
{
	const struct diff_places *places = &ruling->places;
	size_t first = ruling->n_flows;

	for (size_t i = 0; i < places->n; i++)
		if (is_place(&places->v[i]))
			add_release(ruling, rules, &places->v[i], first);
}

static void compare_budgets(struct ruling *ruling, size_t i)
{
	const struct diff_pairs *pairs = &ruling->pairs[i];
	struct diff_words words = {
		.what = "read",
		.dataset = ruling->diff->after->datasets[ruling->after[i]].name,
		.who = say_rules,
		.verb = "may read",
		.of = " of ",
		.tail = say_no_place,
		.diff = ruling->diff,
	};
	struct rules rules;

	for (size_t k = 0; k < pairs->n; k++) {
		rules = rules_of(ruling, i, pairs->v[k]);
		add_read(ruling, &rules);
	}
	tell_flows(ruling, &words);
	words.what = "release";
	words.verb = "may send";
	words.tail = say_place;
	for (size_t k = 0; k < pairs->n; k++) {
		rules = rules_of(ruling, i, pairs->v[k]);
		add_releases(ruling, &rules);
	}
	tell_flows(ruling, &words);
}

/* ---- what happens beyond ------------------------------------------------ */

static bool limits(const struct policy_rule *rule)
{
	bool any = false;

	if (!rule || rule->read.kind != POLICY_BUDGET_UNLIMITED)
		return true;
	for (size_t i = 0; i < rule->n_releases; i++) {
		if (rule->releases[i].budget.kind != POLICY_BUDGET_UNLIMITED)
			return true;
		if (rule->releases[i].destination == POLICY_ANYWHERE)
			any = true;
	}
	return !any;
}

static const char *beyond(const struct policy *policy,
			  const struct policy_rule *rule)
{
	enum policy_mode mode = rule ? rule->mode : policy->mode;

	if (mode == POLICY_OBSERVE)
		return "only reported (mode observe)";
	if (rule && rule->action == POLICY_ALERT)
		return "let through with an alert";
	return "blocked";
}

static bool blocks(const struct policy_rule *rule)
{
	return !rule ||
	       (rule->mode == POLICY_ENFORCE && rule->action == POLICY_BLOCK);
}

/* Where both policies enforce; else their modes have been told. */
static void compare_action(struct ruling *ruling, const struct rules *rules,
			   const char *dataset)
{
	const struct diff *diff = ruling->diff;
	const char *before = beyond(diff->before, rules->before);
	const char *after = beyond(diff->after, rules->after);
	char who[DIFF_WORDS_MAX], head[DIFF_WORDS_MAX + 64], tail[128];
	struct diff_at at = {
		.kind = POLICY_CHANGED,
		.what = "action",
		.old_line = line_of(rules->before),
		.new_line = line_of(rules->after),
	};

	if (diff->before->mode != POLICY_ENFORCE ||
	    diff->after->mode != POLICY_ENFORCE || before == after ||
	    (!limits(rules->before) && !limits(rules->after)))
		return;
	if (blocks(rules->before))
		at.kind = POLICY_LOOSER;
	else if (blocks(rules->after))
		at.kind = POLICY_TIGHTER;
	say_pair(diff, rules->pair, rules->before != NULL, rules->after != NULL,
		 who, sizeof(who));
	(void)snprintf(head, sizeof(head),
		       "what %s does beyond the budgets of ", who);
	(void)snprintf(tail, sizeof(tail), " is %s; before: %s", after, before);
	diff_tell_of(ruling->diff, at, dataset, head, tail);
}

/* ---- narrow subjects ---------------------------------------------------- */

/* What counts of what leaves: 0 for all that is held. */
struct narrow {
	uint32_t floor;
	uint32_t squeeze;
	bool exe; /* what it executes is not narrow */
};

static struct narrow narrow_of(const struct policy *policy,
			       const struct policy_rule *rule, uint32_t dataset)
{
	const struct policy_dataset *data = &policy->datasets[dataset];
	const struct policy_subject *subject;
	struct narrow narrow = {0};

	if (!rule)
		return narrow;
	subject = &policy->subjects[rule->subject];
	if (!subject->narrow || !policy_floor(data, subject))
		return narrow;
	narrow.floor = policy_floor(data, subject);
	narrow.squeeze = policy_squeeze(data, subject);
	narrow.exe = subject->exe != NULL;
	return narrow;
}

static enum policy_order narrow_order(struct narrow a, struct narrow b)
{
	enum policy_order order = POLICY_SAME;

	if (!a.floor || !b.floor)
		return a.floor == b.floor ? POLICY_SAME
		       : b.floor	  ? POLICY_MORE
					  : POLICY_LESS;
	if (b.floor > a.floor)
		order |= POLICY_MORE;
	if (b.floor < a.floor)
		order |= POLICY_LESS;
	/* without a squeeze all bytes count */
	if (b.squeeze && (!a.squeeze || b.squeeze < a.squeeze))
		order |= POLICY_MORE;
	if (a.squeeze && (!b.squeeze || a.squeeze < b.squeeze))
		order |= POLICY_LESS;
	if (a.exe != b.exe)
		order |= a.exe ? POLICY_MORE : POLICY_LESS;
	return order;
}

static void say_narrow(struct narrow narrow, char *buf, size_t size)
{
	char bytes[64] = "";

	if (!narrow.floor) {
		(void)snprintf(buf, size, "all that it holds");
		return;
	}
	if (narrow.squeeze)
		(void)snprintf(bytes, sizeof(bytes),
			       ", a byte for up to %" PRIu32, narrow.squeeze);
	(void)snprintf(buf, size, "a record in %" PRIu32 " bytes%s%s",
		       narrow.floor, bytes,
		       narrow.exe ? "" : ", whatever it executes");
}

static void compare_narrow(struct ruling *ruling, size_t i,
			   const struct rules *rules)
{
	const struct diff *diff = ruling->diff;
	struct narrow a, b;
	char before[128], after[128], who[DIFF_WORDS_MAX];
	char head[DIFF_WORDS_MAX + 64], tail[320];
	struct diff_at at = {
		.what = "narrow",
		.old_line = line_of(rules->before),
		.new_line = line_of(rules->after),
	};

	a = narrow_of(diff->before, rules->before, ruling->before[i]);
	b = narrow_of(diff->after, rules->after, ruling->after[i]);
	switch (narrow_order(a, b)) {
	case POLICY_SAME:
		return;
	case POLICY_MORE:
		at.kind = POLICY_LOOSER;
		break;
	case POLICY_LESS:
		at.kind = POLICY_TIGHTER;
		break;
	case POLICY_MORE_AND_LESS:
		at.kind = POLICY_MAY_BE_LOOSER;
		break;
	}
	say_pair(diff, rules->pair, rules->before != NULL, rules->after != NULL,
		 who, sizeof(who));
	say_narrow(a, before, sizeof(before));
	say_narrow(b, after, sizeof(after));
	(void)snprintf(head, sizeof(head), "what leaves %s of ", who);
	(void)snprintf(tail, sizeof(tail), " counts for %s; before: %s", after,
		       before);
	diff_tell_of(ruling->diff, at,
		     diff->after->datasets[ruling->after[i]].name, head, tail);
}

static void compare_rules(struct ruling *ruling, size_t i)
{
	const struct diff_pairs *pairs = &ruling->pairs[i];
	struct rules rules;

	compare_budgets(ruling, i);
	for (size_t k = 0; k < pairs->n; k++) {
		rules = rules_of(ruling, i, pairs->v[k]);
		compare_action(
			ruling, &rules,
			ruling->diff->after->datasets[ruling->after[i]].name);
		compare_narrow(ruling, i, &rules);
	}
}

/* ---- declassifiers and pools -------------------------------------------- */

static void say_intake(const struct diff_words *words,
		       const struct diff_flow *flow, char *buf, size_t size)
{
	const struct policy *before = words->diff->before;
	const struct policy *after = words->diff->after;
	const char *was = subject_name(before, flow->before, false);
	const char *is = subject_name(after, flow->after, false);

	if (flow->after == POLICY_EVERYONE || strcmp(was, is) == 0)
		(void)snprintf(buf, size, "%s",
			       flow->after == POLICY_EVERYONE ? was : is);
	else if (flow->before == POLICY_EVERYONE)
		(void)snprintf(buf, size, "%s", is);
	else
		(void)snprintf(buf, size, "%s (until now %s)", is, was);
}

static void compare_intakes(struct ruling *ruling)
{
	const struct policy *before = ruling->diff->before;
	const struct policy *after = ruling->diff->after;
	const struct diff_pairs *pairs = &ruling->pairs[ruling->n + SET_INTAKE];
	const struct diff_words words = {
		.what = "cap",
		.who = say_intake,
		.verb = "takes in",
		.of = " from holders without becoming one",
		.tail = say_no_place,
		.diff = ruling->diff,
	};
	const struct policy_subject *a, *b;
	struct diff_flow flow;

	for (size_t k = 0; k < pairs->n; k++) {
		a = &before->subjects[pairs->v[k].before];
		b = &after->subjects[pairs->v[k].after];
		flow = (struct diff_flow){
			.before = pairs->v[k].before,
			.after = pairs->v[k].after,
			.old = {a->declassifier ? &a->cap : &nothing, false},
			.new = {b->declassifier ? &b->cap : &nothing, false},
			.old_line = a->declassifier ? a->cap.pos.line : 0,
			.new_line = b->declassifier ? b->cap.pos.line : 0,
			.same = strcmp(a->name, b->name) == 0,
		};
		add_flow(ruling, &flow);
	}
	tell_flows(ruling, &words);
}

/* Sharing a holding makes some charges fewer and others more. */
static void compare_pools(struct ruling *ruling)
{
	const struct policy *before = ruling->diff->before;
	const struct policy *after = ruling->diff->after;
	const struct diff_pairs *pairs = &ruling->pairs[ruling->n + SET_POOL];
	struct diff_at at = {.kind = POLICY_MAY_BE_LOOSER, .what = "pool"};
	const struct policy_subject *a, *b;
	bool old_pool;

	for (size_t k = 0; k < pairs->n; k++) {
		a = &before->subjects[pairs->v[k].before];
		b = &after->subjects[pairs->v[k].after];
		old_pool = pairs->v[k].before != POLICY_EVERYONE;
		if (strcmp(a->name, b->name) == 0)
			continue;
		at.old_line = a->pos.line;
		at.new_line = b->pos.line;
		if (pairs->v[k].after == POLICY_EVERYONE)
			diff_tell(ruling->diff, at,
				  "processes have a holding each; before: "
				  "shared that of %s: each is charged for what "
				  "it read itself",
				  a->name);
		else
			diff_tell(ruling->diff, at,
				  "processes share the holding of %s; before: "
				  "%s%s: what several send to one place is "
				  "charged once",
				  b->name,
				  old_pool ? "that of " : "had one each",
				  old_pool ? a->name : "");
	}
}

/*
 * What a narrow one executes is not narrow if its subject has an exe. So if
 * somebody is not narrow any more, who is executed by that one may be.
 */
static void compare_executed(struct ruling *ruling)
{
	const struct diff_pairs *pairs = &ruling->pairs[ruling->n + SET_NARROW];
	const struct policy *after = ruling->diff->after;
	struct diff_at at = {.kind = POLICY_MAY_BE_LOOSER, .what = "narrow"};
	const struct policy_subject *a;
	bool any = false;

	for (size_t i = 1; i < after->n_subjects; i++)
		any = any ||
		      (after->subjects[i].narrow && after->subjects[i].exe);
	for (size_t k = 0; k < pairs->n && any; k++) {
		a = &ruling->diff->before->subjects[pairs->v[k].before];
		if (pairs->v[k].before == POLICY_EVERYONE ||
		    pairs->v[k].after != POLICY_EVERYONE)
			continue;
		at.old_line = a->pos.line;
		diff_tell(ruling->diff, at,
			  "who was narrow as %s is not, so what it executes is "
			  "narrow if it is of a narrow subject",
			  a->name);
	}
}

/* ---- subjects and destinations as such ---------------------------------- */

static bool same_text(const char *a, const char *b)
{
	return a == b || (a && b && strcmp(a, b) == 0);
}

static bool same_account(const struct policy_account *a,
			 const struct policy_account *b)
{
	return a->set == b->set && a->is_id == b->is_id && a->id == b->id &&
	       same_text(a->name, b->name);
}

static bool same_match(const struct policy_subject *a,
		       const struct policy_subject *b)
{
	return same_text(a->unit, b->unit) && same_text(a->cgroup, b->cgroup) &&
	       same_text(a->exe, b->exe) && same_account(&a->user, &b->user) &&
	       same_account(&a->group, &b->group) && a->login == b->login &&
	       same_account(&a->login_user, &b->login_user);
}

/* What they come to is told with the budgets; here only that they are. */
static void tell_subjects(struct diff *diff)
{
	const struct policy *before = diff->before, *after = diff->after;
	const struct policy_subject *a, *b;
	uint32_t k;

	for (size_t i = 1; i < after->n_subjects; i++) {
		b = &after->subjects[i];
		if (b->preset)
			continue; /* its cap is told */
		if (policy_find_subject(before, b->name, &k)) {
			diff_tell(diff,
				  (struct diff_at){POLICY_CHANGED, "subject", 0,
						   b->pos.line},
				  "subject %s is new", b->name);
			continue;
		}
		a = &before->subjects[k];
		if (!same_match(a, b))
			diff_tell(diff,
				  (struct diff_at){POLICY_CHANGED, "subject",
						   a->pos.line, b->pos.line},
				  "subject %s has other conditions", b->name);
	}
	for (size_t i = 1; i < before->n_subjects; i++) {
		a = &before->subjects[i];
		if (!a->preset && policy_find_subject(after, a->name, &k))
			diff_tell(diff,
				  (struct diff_at){POLICY_CHANGED, "subject",
						   a->pos.line, 0},
				  "subject %s is no more", a->name);
	}
}

static void tell_place(struct diff *diff, const struct diff_place *place)
{
	struct diff_at at = {
		.kind = POLICY_CHANGED,
		.what = "destination",
		.old_line = place->old_line,
		.new_line = place->new_line,
	};
	char more[32] = "";

	if (place->before == DIFF_REFUSED && place->after != DIFF_REFUSED) {
		at.kind = POLICY_LOOSER;
		diff_tell(diff, at,
			  "device %s can be opened, as destination %s; before: "
			  "refused to who holds anything",
			  place->text, place_name(diff->after, place->after));
	} else if (place->after == DIFF_REFUSED) {
		at.kind = POLICY_TIGHTER;
		diff_tell(diff, at,
			  "device %s is refused to who holds anything; before: "
			  "destination %s",
			  place->text, place_name(diff->before, place->before));
	} else if (place->before == DIFF_STAYS && place->after != DIFF_STAYS) {
		at.kind = POLICY_TIGHTER;
		diff_tell(diff, at,
			  "what is written to a file system of this host at %s "
			  "leaves to destination %s; before: it stayed",
			  place->text, place_name(diff->after, place->after));
	} else if (place->after == DIFF_STAYS) {
		at.kind = POLICY_LOOSER;
		diff_tell(diff, at,
			  "what is written to a file system of this host at %s "
			  "stays, and counts nowhere; before: it left to "
			  "destination %s",
			  place->text, place_name(diff->before, place->before));
	} else if (strcmp(place_name(diff->before, place->before),
			  place_name(diff->after, place->after)) != 0) {
		if (place->more)
			(void)snprintf(more, sizeof(more), " and %zu more",
				       place->more);
		diff_tell(diff, at, "%s%s: destination %s; before: %s",
			  place->text, more,
			  place_name(diff->after, place->after),
			  place_name(diff->before, place->before));
	}
}

/* ---- all of it ---------------------------------------------------------- */

static void find_sets(struct ruling *ruling)
{
	const struct policy *policy;
	struct diff_set *intake, *pool, *narrow;

	for (size_t i = 0; i < ruling->n; i++) {
		add_rules(&ruling->sets[i], ruling->diff->before, false,
			  ruling->before[i]);
		add_rules(&ruling->sets[i], ruling->diff->after, true,
			  ruling->after[i]);
	}
	intake = &ruling->sets[ruling->n + SET_INTAKE];
	pool = &ruling->sets[ruling->n + SET_POOL];
	narrow = &ruling->sets[ruling->n + SET_NARROW];
	for (int side = 0; side < 2; side++) {
		policy = side ? ruling->diff->after : ruling->diff->before;
		for (uint32_t i = 1; i < policy->n_subjects; i++) {
			if (policy->subjects[i].declassifier)
				diff_set_add(intake, policy, side, i);
			if (policy->subjects[i].pool)
				diff_set_add(pool, policy, side, i);
			if (policy->subjects[i].narrow)
				diff_set_add(narrow, policy, side, i);
		}
	}
}

static void find_common(struct ruling *ruling)
{
	const struct policy *before = ruling->diff->before;
	uint32_t k;

	for (uint32_t i = 0; i < before->n_datasets; i++)
		if (!policy_find_dataset(ruling->diff->after,
					 before->datasets[i].name, &k)) {
			ruling->before[ruling->n] = i;
			ruling->after[ruling->n++] = k;
		}
	ruling->diff->n_common = ruling->n;
}

void diff_rules(struct diff *diff)
{
	struct ruling *ruling;

	if (diff->r)
		return;
	ruling = calloc(1, sizeof(*ruling));
	if (!ruling) {
		diff->r = -ENOMEM;
		return;
	}
	ruling->diff = diff;
	find_common(ruling);
	find_sets(ruling);
	diff->r = diff_find_places(diff->before, diff->after, &ruling->places);
	if (!diff->r)
		diff->r = diff_find_pairs(diff->before, diff->after,
					  ruling->sets, ruling->n + OTHER_SETS,
					  ruling->pairs);
	if (diff->r)
		goto out;
	for (size_t i = 0; i < ruling->n; i++)
		compare_rules(ruling, i);
	compare_intakes(ruling);
	compare_pools(ruling);
	compare_executed(ruling);
	for (size_t i = 0; i < ruling->places.n; i++)
		tell_place(diff, &ruling->places.v[i]);
	tell_subjects(diff);
out:
	for (size_t i = 0; i < ruling->n + OTHER_SETS; i++)
		free(ruling->pairs[i].v);
	free(ruling->places.v);
	free(ruling->flows);
	free(ruling);
}
