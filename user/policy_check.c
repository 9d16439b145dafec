// SPDX-License-Identifier: GPL-2.0-only
/*
 * What is odd, though not wrong, about a policy. A check is one function;
 * policy_check_warnings() lists them.
 */
#include "policy.h"
#include "remember.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "text.h"

#define FINDING_CHARS_MAX 512

_Static_assert(POLICY_DATASETS_MAX <= 64, "a set of datasets is one word");

struct checker {
	const struct policy *policy;
	int64_t now_s;
	policy_finding_fn fn;
	void *arg;
	int n_warnings;
};

__attribute__((format(printf, 4, 5))) static void tell(struct checker *c,
						       enum policy_finding kind,
						       struct policy_pos pos,
						       const char *format, ...)
{
	char text[FINDING_CHARS_MAX];
	va_list ap;

	c->n_warnings += kind == POLICY_WARNING;
	if (!c->fn)
		return;
	va_start(ap, format);
	(void)vsnprintf(text, sizeof(text), format, ap);
	va_end(ap);
	c->fn(kind, pos, text, c->arg);
}

/* Datasets as bits. */
static uint64_t all_datasets(const struct policy *p)
{
	return p->n_datasets == 64 ? UINT64_MAX : (1ULL << p->n_datasets) - 1;
}

static uint64_t datasets_of(const struct policy *p,
			    const struct policy_rule *rule)
{
	return rule->dataset == POLICY_ANY_DATASET ? all_datasets(p)
						   : 1ULL << rule->dataset;
}

static const char *dataset_name(const struct policy *p, uint32_t dataset)
{
	return dataset == POLICY_ANY_DATASET ? "*" : p->datasets[dataset].name;
}

/* ---- serial ------------------------------------------------------------ */

static void check_serial(struct checker *c)
{
	uint64_t serial = c->policy->serial;

	if (serial > REMEMBER_STEP_MAX)
		tell(c, POLICY_WARNING, (struct policy_pos){1, 1},
		     "serial %" PRIu64 ": a host on which the highest is "
		     "below %" PRIu64
		     " refuses it, for it is more than %" PRIu64
		     " above; and no lower one comes behind it",
		     serial, serial - REMEMBER_STEP_MAX, REMEMBER_STEP_MAX);
}

/* ---- dates ------------------------------------------------------------- */

static void check_dates(struct checker *c)
{
	const struct policy *p = c->policy;
	const struct policy_pos top = {1, 1};
	char when[TEXT_NUMBER_CHARS_MAX];

	if (p->expires_s == INT64_MAX) {
		tell(c, POLICY_WARNING, top,
		     "no key \"expires\": a host that is cut off keeps this "
		     "policy and never says that it is old");
	} else if (c->now_s >= p->expires_s) {
		text_format_time(p->expires_s, when, sizeof(when));
		tell(c, POLICY_WARNING, p->expires_pos,
		     "expired at %s: hosts that have it in force keep "
		     "enforcing it, and say so; a host with another policy "
		     "refuses it",
		     when);
	}
	if (c->now_s < p->not_before_s) {
		text_format_time(p->not_before_s, when, sizeof(when));
		tell(c, POLICY_WARNING, top,
		     "not valid before %s: hosts refuse it until then", when);
	}
}

/* ---- rules that cover too little or are never reached ------------------ */

static void check_catch_all(struct checker *c)
{
	const struct policy *p = c->policy;
	uint64_t left = all_datasets(p);

	for (size_t i = 0; i < p->n_rules; i++)
		if (p->rules[i].subject == POLICY_EVERYONE)
			left &= ~datasets_of(p, &p->rules[i]);
	if (left == 0)
		return;
	tell(c, POLICY_WARNING,
	     p->rules ? p->rules[p->n_rules - 1].pos
		      : (struct policy_pos){1, 1},
	     "no rule with subject \"*\" and dataset \"*\": whoever matches no "
	     "other rule can read nothing, not even root (dataset %s)",
	     p->datasets[__builtin_ctzll(left)].name);
}

static bool same_text(const char *a, const char *b)
{
	return a && strcmp(a, b) == 0;
}

static bool below(const char *path, const char *above)
{
	size_t len = strlen(above);

	return path && strncmp(path, above, len) == 0 &&
	       (path[len] == '\0' || path[len] == '/');
}

/* Whether every process that matches a matches b. */
static bool subject_implies(const struct policy_subject *a,
			    const struct policy_subject *b)
{
	return (!b->unit || same_text(a->unit, b->unit)) &&
	       (!b->cgroup || below(a->cgroup, b->cgroup)) &&
	       (!b->exe || same_text(a->exe, b->exe)) &&
	       (!b->user.set || policy_same_account(&a->user, &b->user)) &&
	       (!b->group.set || policy_same_account(&a->group, &b->group)) &&
	       policy_login_implies(a, b);
}

/* In the order of decision, each rule against the ones before it. */
static void check_shadowed(struct checker *c)
{
	const struct policy *p = c->policy;
	const struct policy_rule *rule, *before;
	const struct policy_subject *subject;
	uint32_t first_line;
	uint64_t left;

	for (size_t i = 1; i < p->n_rules; i++) {
		rule = &p->rules[p->rule_order[i]];
		subject = &p->subjects[rule->subject];
		left = datasets_of(p, rule);
		first_line = 0;
		for (size_t j = 0; j < i && left; j++) {
			before = &p->rules[p->rule_order[j]];
			if (!(left & datasets_of(p, before)) ||
			    !subject_implies(subject,
					     &p->subjects[before->subject]))
				continue;
			left &= ~datasets_of(p, before);
			if (!first_line)
				first_line = before->pos.line;
		}
		if (left == 0)
			tell(c, POLICY_WARNING, rule->pos,
			     "this rule (subject %s, dataset %s) can never win:"
			     " the one in line %" PRIu32 " always comes first",
			     subject->name, dataset_name(p, rule->dataset),
			     first_line);
	}
}

static void check_rules(struct checker *c)
{
	const struct policy *p = c->policy;
	const struct policy_rule *rule;

	for (size_t i = 0; i < p->n_rules; i++) {
		rule = &p->rules[i];
		if (rule->read.pos.line == 0)
			tell(c, POLICY_WARNING, rule->pos,
			     "no key \"read\": the rule lets nothing be read; "
			     "write \"read: none\" if that is meant");
		if (rule->subject == POLICY_EVERYONE &&
		    rule->read.kind == POLICY_BUDGET_UNLIMITED)
			tell(c, POLICY_WARNING, rule->read.pos,
			     "everyone may read without limit");
		for (size_t j = 0; j < rule->n_releases; j++)
			if (rule->releases[j].destination == POLICY_ANYWHERE &&
			    rule->releases[j].budget.kind ==
				    POLICY_BUDGET_UNLIMITED)
				tell(c, POLICY_WARNING, rule->releases[j].pos,
				     "subject %s may release without limit, to "
				     "anywhere",
				     p->subjects[rule->subject].name);
	}
}

/* The longest component of a path, and how many there are. */
static size_t longest_part(const char *path, size_t *ret_n)
{
	size_t longest = 0, n = 0, len;

	while (*path == '/') {
		path++;
		len = strcspn(path, "/");
		if (len > longest)
			longest = len;
		path += len;
		n++;
	}
	*ret_n = n;
	return longest;
}

static void check_comparable(struct checker *c)
{
	const struct policy *p = c->policy;
	const struct policy_subject *subject;
	size_t longest, n;

	for (size_t i = 1; i < p->n_subjects; i++) {
		subject = &p->subjects[i];
		longest = 0;
		n = 0;
		if (subject->unit)
			longest = strlen(subject->unit);
		else if (subject->cgroup)
			longest = longest_part(subject->cgroup, &n);
		if (longest > POLICY_GUARD_NAME_CHARS)
			tell(c, POLICY_WARNING, subject->pos,
			     "hosts refuse this policy: subject %s names a "
			     "unit or control group of %zu characters, they "
			     "compare %d",
			     subject->name, longest, POLICY_GUARD_NAME_CHARS);
		if (n > POLICY_GUARD_CGROUP_DEPTH)
			tell(c, POLICY_WARNING, subject->pos,
			     "hosts refuse this policy: the control group of "
			     "subject %s is %zu names deep, they compare %d",
			     subject->name, n, POLICY_GUARD_CGROUP_DEPTH);
	}
}

/* ---- things that nothing uses ------------------------------------------ */

static void check_unused(struct checker *c)
{
	bool subjects[POLICY_SUBJECTS_MAX + 1] = {false};
	bool destinations[POLICY_DESTINATIONS_MAX + 1] = {false};
	const struct policy *p = c->policy;
	const struct policy_rule *rule;
	uint64_t datasets = 0;

	for (size_t i = 0; i < p->n_rules; i++) {
		rule = &p->rules[i];
		subjects[rule->subject] = true;
		datasets |= datasets_of(p, rule);
		for (size_t j = 0; j < rule->n_releases; j++)
			destinations[rule->releases[j].destination] = true;
	}
	for (size_t i = 1; i < p->n_subjects; i++)
		/* a declassifier matters without a rule of its own */
		if (!subjects[i] && !p->subjects[i].declassifier)
			tell(c, POLICY_WARNING, p->subjects[i].pos,
			     "subject %s is in no rule%s", p->subjects[i].name,
			     p->subjects[i].narrow ? ": so it is not narrow"
						   : "");
	for (size_t i = 1; i < p->n_destinations; i++)
		if (!destinations[i])
			tell(c, POLICY_WARNING, p->destinations[i].pos,
			     "destination %s is in no rule",
			     p->destinations[i].name);
	for (size_t i = 0; i < p->n_datasets; i++)
		if (!(datasets & 1ULL << i))
			tell(c, POLICY_WARNING, p->datasets[i].pos,
			     "dataset %s is in no rule: nobody can read it",
			     p->datasets[i].name);
}

/* ---- datasets ---------------------------------------------------------- */

struct placed_path {
	const struct policy_path *path;
	const struct policy_dataset *dataset;
};

/* '/' before all else, so that what is inside a path follows right on it. */
static int compare_placed(const void *a, const void *b)
{
	const struct placed_path *pa = a, *pb = b;
	const char *sa = pa->path->path, *sb = pb->path->path;

	while (*sa && *sa == *sb) {
		sa++;
		sb++;
	}
	if (*sa == *sb)
		return 0;
	if (*sa == '\0' || *sb == '\0')
		return *sa == '\0' ? -1 : 1;
	if (*sa == '/' || *sb == '/')
		return *sa == '/' ? -1 : 1;
	return (unsigned char)*sa < (unsigned char)*sb ? -1 : 1;
}

static int check_nested(struct checker *c)
{
	const struct policy *p = c->policy;
	struct placed_path *all, *outer;
	size_t n = 0;

	for (size_t i = 0; i < p->n_datasets; i++)
		n += p->datasets[i].n_paths;
	all = calloc(n + 1, sizeof(*all));
	if (!all)
		return -ENOMEM;
	n = 0;
	for (size_t i = 0; i < p->n_datasets; i++)
		for (size_t j = 0; j < p->datasets[i].n_paths; j++, n++) {
			all[n].path = &p->datasets[i].paths[j];
			all[n].dataset = &p->datasets[i];
		}
	qsort(all, n, sizeof(*all), compare_placed);

	/* each path against the outermost one that may hold it */
	outer = &all[0];
	for (size_t i = 1; i < n; i++) {
		if (!below(all[i].path->path, outer->path->path)) {
			outer = &all[i];
			continue;
		}
		tell(c, POLICY_WARNING, all[i].path->pos,
		     "this path of dataset %s lies inside one of dataset %s "
		     "(line %" PRIu32 "): its files belong to the longer path",
		     all[i].dataset->name, outer->dataset->name,
		     outer->path->pos.line);
	}
	free(all);
	return 0;
}

/* Of one dataset, by each narrow subject that has no number for it. */
static void check_measured(struct checker *c,
			   const struct policy_dataset *dataset)
{
	const struct policy *p = c->policy;
	const struct policy_subject *subject;
	bool squeeze, floor;

	for (size_t i = 1; i < p->n_subjects; i++) {
		subject = &p->subjects[i];
		if (!subject->narrow)
			continue;
		squeeze = policy_squeeze(dataset, subject);
		floor = policy_floor(dataset, subject);
		if (squeeze && floor)
			continue;
		tell(c, POLICY_WARNING, dataset->pos,
		     "dataset %s has no %s: what leaves narrow subject %s of it"
		     " counts as if it left another subject",
		     dataset->name,
		     squeeze ? "floor"
		     : floor ? "squeeze"
			     : "squeeze and floor",
		     subject->name);
		return; /* once is enough */
	}
}

/* A child that executes something else meets all conditions but one. */
static void check_narrow(struct checker *c)
{
	const struct policy *p = c->policy;
	const struct policy_subject *subject;

	for (size_t i = 1; i < p->n_subjects; i++) {
		subject = &p->subjects[i];
		if (subject->narrow && !subject->exe)
			tell(c, POLICY_WARNING, subject->pos,
			     "narrow subject %s has no exe: what it executes "
			     "is narrow as well, compressors too",
			     subject->name);
	}
	for (size_t i = 0; i < p->n_datasets; i++)
		check_measured(c, &p->datasets[i]);
}

/* ---- declassifiers ----------------------------------------------------- */

/* Can nobody but the system's service manager make a process of it? */
static bool is_placed(const struct policy_subject *subject)
{
	const char *dot;

	if (!subject->cgroup)
		return subject->unit != NULL;
	dot = strrchr(subject->cgroup, '.');
	return !dot || strcmp(dot, ".slice") != 0;
}

/* The declassifier whose cap always counts in the place of this one's. */
static const struct policy_subject *declassifier_before(const struct policy *p,
							uint32_t subject)
{
	const struct policy_subject *before;

	for (size_t i = 0; p->subject_order[i] != subject; i++) {
		before = &p->subjects[p->subject_order[i]];
		if (before->declassifier &&
		    subject_implies(&p->subjects[subject], before))
			return before;
	}
	return NULL;
}

static void check_declassifiers(struct checker *c)
{
	const struct policy *p = c->policy;
	const struct policy_subject *subject, *before;

	for (uint32_t i = 1; i < p->n_subjects; i++) {
		subject = &p->subjects[i];
		/* one of the file's own may take the place of a preset's */
		if (!subject->declassifier || subject->preset)
			continue;
		if (!is_placed(subject))
			tell(c, POLICY_WARNING, subject->pos,
			     "subject %s carries nothing on, and names no unit "
			     "nor a control group below a slice: who becomes "
			     "that user, or runs that program, can use its cap "
			     "as a way out",
			     subject->name);
		before = declassifier_before(p, i);
		if (before)
			tell(c, POLICY_WARNING, subject->cap.pos,
			     "this cap never counts: that of subject %s (line "
			     "%" PRIu32 ") always comes first",
			     before->name, before->pos.line);
	}
}

static void note_declassifiers(struct checker *c)
{
	const struct policy *p = c->policy;
	const struct policy_subject *subject;
	char cap[POLICY_BUDGET_CHARS_MAX];
	bool any = false;

	for (uint32_t i = 1; i < p->n_subjects; i++) {
		subject = &p->subjects[i];
		if (!subject->declassifier)
			continue;
		any = true;
		policy_budget_format(&subject->cap, cap, sizeof(cap));
		tell(c, POLICY_NOTE, subject->pos,
		     "subject %s%s%.255s%s carries nothing on: takes in up to "
		     "%s from holders without becoming one",
		     subject->name, subject->preset ? " (" : "",
		     subject->preset ? subject->unit : "",
		     subject->preset ? ")" : "", cap);
	}
	if (!any)
		tell(c, POLICY_NOTE, (struct policy_pos){1, 1},
		     "no \"presets\", and no subject with \"carries: no\": "
		     "every daemon that a holder talks to becomes one, the "
		     "journal first");
}

/* ---- quiet files -------------------------------------------------------- */

static void check_quiet(struct checker *c)
{
	const struct policy *p = c->policy;

	if (p->n_quiet && !p->follow_files)
		tell(c, POLICY_WARNING, p->quiet[0].pos,
		     "quiet files %s, but no file carries anything: write "
		     "\"follow-files: yes\" if files are to be followed",
		     p->quiet[0].name);
}

static void note_quiet(struct checker *c)
{
	const struct policy *p = c->policy;
	const struct policy_quiet *quiet;
	char cap[POLICY_BUDGET_CHARS_MAX], paths[256];

	for (size_t i = 0; i < p->n_quiet; i++) {
		quiet = &p->quiet[i];
		policy_budget_format(&quiet->cap, cap, sizeof(cap));
		policy_quiet_format(quiet, paths, sizeof(paths));
		tell(c, POLICY_NOTE, quiet->pos,
		     "quiet files %s (%s) carry nothing on: take in up to %s "
		     "from holders without becoming carriers",
		     quiet->name, paths, cap);
	}
	if (p->follow_names)
		tell(c, POLICY_NOTE, (struct policy_pos){1, 1},
		     "names are followed: who lists /tmp after a holder made "
		     "something there, or runs ps while one runs, holds what "
		     "it does");
	if (p->follow_files && !p->n_quiet)
		tell(c, POLICY_NOTE, (struct policy_pos){1, 1},
		     "no preset \"system-files\", and no \"quiet-files\": what "
		     "a holder writes to the records of logins makes a holder "
		     "of everybody who logs in after that");
}

/* ---- keys of rows ------------------------------------------------------ */

static void note_keys(struct checker *c)
{
	const struct policy *p = c->policy;
	const struct policy_dataset *dataset;

	for (size_t i = 0; i < p->n_datasets; i++) {
		dataset = &p->datasets[i];
		if (dataset->key_from)
			tell(c, POLICY_NOTE, dataset->key_pos,
			     "evidence has bytes %" PRIu32 " to %" PRIu32
			     " of each row of dataset %s that was read, as its "
			     "key, and no others",
			     dataset->key_from, dataset->key_to, dataset->name);
	}
}

/* ---- destinations ------------------------------------------------------ */

struct placed_network {
	const struct policy_network *network;
	const struct policy_destination *destination;
};

static int compare_networks(const void *a, const void *b)
{
	const struct placed_network *na = a, *nb = b;
	int r = memcmp(na->network->addr, nb->network->addr, 16);

	if (r)
		return r;
	if (na->network->prefix_len != nb->network->prefix_len)
		return na->network->prefix_len < nb->network->prefix_len ? -1
									 : 1;
	if (na->destination != nb->destination)
		return na->destination < nb->destination ? -1 : 1;
	return na->network < nb->network ? -1 : na->network > nb->network;
}

static bool ports_meet(const struct policy_destination *a,
		       const struct policy_destination *b)
{
	if (a->n_ports == 0 || b->n_ports == 0)
		return true;
	for (size_t i = 0; i < a->n_ports; i++)
		for (size_t j = 0; j < b->n_ports; j++)
			if (a->ports[i].first <= b->ports[j].last &&
			    b->ports[j].first <= a->ports[i].last)
				return true;
	return false;
}

/* The same network twice; neighbours in the sorted order suffice to warn. */
static int check_networks(struct checker *c)
{
	const struct policy *p = c->policy;
	struct placed_network *all, *a, *b;
	size_t n = 0;

	for (size_t i = 1; i < p->n_destinations; i++)
		n += p->destinations[i].n_networks;
	all = calloc(n + 1, sizeof(*all));
	if (!all)
		return -ENOMEM;
	n = 0;
	for (size_t i = 1; i < p->n_destinations; i++)
		for (size_t j = 0; j < p->destinations[i].n_networks;
		     j++, n++) {
			all[n].network = &p->destinations[i].networks[j];
			all[n].destination = &p->destinations[i];
		}
	qsort(all, n, sizeof(*all), compare_networks);
	for (size_t i = 1; i < n; i++) {
		a = &all[i - 1];
		b = &all[i];
		if (a->network->prefix_len != b->network->prefix_len ||
		    memcmp(a->network->addr, b->network->addr, 16) != 0 ||
		    !ports_meet(a->destination, b->destination))
			continue;
		tell(c, POLICY_WARNING, b->network->pos,
		     "this network already belongs to destination %s (line "
		     "%" PRIu32 "), which comes first where both have the port",
		     a->destination->name, a->network->pos.line);
	}
	free(all);
	return 0;
}

/* Who may mount FUSE decides what is behind it. */
static void check_fuse(struct checker *c)
{
	const struct policy *p = c->policy;
	const struct policy_ways *ways;

	for (size_t i = 1; i < p->n_destinations; i++) {
		ways = &p->destinations[i].ways[POLICY_FILE_SYSTEMS];
		for (size_t j = 0; j < ways->n; j++)
			if (strcmp(ways->v[j].path, "fuse") == 0)
				tell(c, POLICY_WARNING, ways->v[j].pos,
				     "destination %s has every file system of "
				     "FUSE, and any user who may run "
				     "fusermount3 can serve one; name the "
				     "path of its mount instead",
				     p->destinations[i].name);
	}
}

static void check_modes(struct checker *c)
{
	const struct policy *p = c->policy;

	for (size_t i = 0; i < p->n_rules && p->mode == POLICY_OBSERVE; i++)
		if (p->rules[i].mode == POLICY_ENFORCE)
			tell(c, POLICY_WARNING, p->rules[i].pos,
			     "this rule has mode enforce, but the policy's "
			     "mode is observe: nothing is blocked");
}

/* ---- what byte budgets mean in records --------------------------------- */

/* Caps of presets are told once each, and not for each of their subjects. */
static bool is_repeated(const struct policy *p, uint32_t subject)
{
	const struct policy_budget *cap = &p->subjects[subject].cap;

	for (uint32_t i = 0; i < subject && p->subjects[subject].preset; i++)
		if (p->subjects[i].preset &&
		    p->subjects[i].cap.bytes == cap->bytes)
			return true;
	return false;
}

static int note_capacity(const struct policy_capacity *capacity, void *arg)
{
	char text[POLICY_CAPACITY_CHARS_MAX];
	struct checker *c = arg;

	if (capacity->act == POLICY_INTAKE &&
	    is_repeated(c->policy, capacity->subject))
		return 0;
	policy_capacity_format(c->policy, capacity, text, sizeof(text));
	tell(c, POLICY_NOTE, capacity->budget->pos, "%s%s", text,
	     capacity->act == POLICY_INTAKE &&
			     c->policy->subjects[capacity->subject].preset
		     ? "; the same for every preset with that cap"
		     : "");
	return 0;
}

int policy_check_warnings(const struct policy *policy, int64_t now_s,
			  policy_finding_fn fn, void *arg)
{
	struct checker c = {
		.policy = policy,
		.now_s = now_s,
		.fn = fn,
		.arg = arg,
	};
	int r;

	check_serial(&c);
	check_dates(&c);
	check_comparable(&c);
	check_catch_all(&c);
	check_shadowed(&c);
	check_rules(&c);
	check_unused(&c);
	check_narrow(&c);
	check_declassifiers(&c);
	check_quiet(&c);
	check_fuse(&c);
	check_modes(&c);
	r = check_nested(&c);
	if (!r)
		r = check_networks(&c);
	if (r)
		return r;
	note_declassifiers(&c);
	note_quiet(&c);
	note_keys(&c);
	(void)policy_each_capacity(policy, note_capacity, &c);
	return c.n_warnings;
}
