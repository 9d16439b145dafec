// SPDX-License-Identifier: GPL-2.0-only
/*
 * The compiled tables against the policy they come from. The guard's way
 * through the tables is repeated here in plain C, step for step, and has to
 * come to what policy_explain() says, for random policies and actors.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <arpa/inet.h>
#include <cmocka.h>
#include <errno.h>

#include "compile.h"

#define N_ELEMENTS(a) (sizeof(a) / sizeof((a)[0]))

#define ROUNDS 400
#define ACTORS 60

/* splitmix64: any seed is as good as another. */
static uint64_t random_next(uint64_t *state)
{
	uint64_t z = (*state += 0x9e3779b97f4a7c15ULL);

	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ULL;
	z = (z ^ (z >> 27)) * 0x94d049bb133111ebULL;
	return z ^ (z >> 31);
}

static uint32_t below(uint64_t *state, uint32_t n)
{
	return (uint32_t)(random_next(state) % n);
}

/* A growing text; policies here are small. */
struct text {
	char s[65536];
	size_t len;
};

__attribute__((format(printf, 2, 3))) static void put(struct text *text,
						      const char *format, ...)
{
	va_list ap;
	int n;

	va_start(ap, format);
	n = vsnprintf(text->s + text->len, sizeof(text->s) - text->len, format,
		      ap);
	va_end(ap);
	assert_true(n >= 0 && (size_t)n < sizeof(text->s) - text->len);
	text->len += (size_t)n;
}

static struct policy *parse(const char *text)
{
	static struct policy_errors errs;
	struct policy *policy = NULL;
	int r;

	r = policy_parse("test", text, strlen(text), &policy, &errs);
	if (r)
		fail_msg("%s\n%s", errs.n ? errs.v[0].text : "?", text);
	return policy;
}

static struct compiled *compile(const struct policy *policy,
				struct registry *reg)
{
	static struct policy_errors errs;
	struct compiled *compiled = NULL;
	int r;

	r = compile_policy(policy, NULL, reg, &compiled, &errs);
	if (r)
		fail_msg("compile_policy: %d %s", r,
			 errs.n ? errs.v[0].text : "");
	return compiled;
}

/* What is wrong with a policy that parses but does not compile. */
static void compile_fails(const char *text, int expected, const char *says)
{
	static struct policy_errors errs;
	struct policy *policy = parse(text);
	struct compiled *compiled = NULL;
	struct registry reg = {0};

	assert_int_equal(compile_policy(policy, NULL, &reg, &compiled, &errs),
			 expected);
	assert_null(compiled);
	assert_int_equal(errs.n, 1);
	assert_non_null(strstr(errs.v[0].text, says));
	registry_release(&reg);
	policy_free(policy);
}

/* ---- the guard's way --------------------------------------------------- */

/* Names stand for what the host would make of them. */
struct actor {
	const char *unit;
	const char *cgroup;
	const char *exe;
	const char *user;
	const char *groups[2];
	const char *login; /* NULL: nobody */
};

static const struct subject_set *condition_set(const struct compiled *c,
					       uint32_t dim, const char *text)
{
	size_t i;

	for (i = 0; i < c->n_conditions; i++)
		if (c->conditions[i].dim == dim &&
		    !strcmp(c->conditions[i].text, text))
			return &c->conditions[i].set;
	return NULL;
}

static void add_condition(const struct compiled *c, struct subject_set *set,
			  uint32_t dim, const char *text)
{
	const struct subject_set *found = condition_set(c, dim, text);

	if (found)
		subject_set_join(set, found);
}

static void add_key(const struct compiled *c, struct subject_set *set,
		    uint32_t dim, uint64_t a)
{
	size_t i;

	for (i = 0; i < c->n_subjects; i++)
		if (c->subjects[i].key.dim == dim && c->subjects[i].key.a == a)
			subject_set_join(set, &c->subjects[i].set);
}

static const struct cgroup_node *cgroup_find(const struct compiled *c,
					     uint32_t dim, uint32_t node,
					     const char *name)
{
	const struct cgroup_node *found = NULL;
	size_t i;

	for (i = 0; i < c->n_cgroups; i++)
		if (c->cgroups[i].key.dim == dim &&
		    c->cgroups[i].key.node == node &&
		    !strcmp(c->cgroups[i].key.name, name)) {
			assert_null(found);
			found = &c->cgroups[i].node;
		}
	return found;
}

static void add_cgroups(const struct compiled *c, struct subject_set *units,
			struct subject_set *paths, const char *path)
{
	const struct cgroup_node *found, *deepest = NULL;
	bool unit_seen = false, path_over = false;
	char copy[256], *save = NULL, *name;
	uint32_t node = 1;
	size_t len;

	(void)snprintf(copy, sizeof(copy), "%s", path);
	for (name = strtok_r(copy, "/", &save); name;
	     name = strtok_r(NULL, "/", &save)) {
		len = strlen(name);
		if (!unit_seen &&
		    (len < 7 || strcmp(name + len - 6, ".slice") != 0)) {
			unit_seen = true;
			found = cgroup_find(c, DIM_UNIT, 0, name);
			if (found)
				subject_set_join(units, &found->set);
		}
		found = path_over ? NULL
				  : cgroup_find(c, DIM_CGROUP, node, name);
		if (found) {
			node = found->node;
			deepest = found;
		} else {
			path_over = true;
		}
	}
	/* Those above are in it already. */
	if (deepest)
		subject_set_join(paths, &deepest->set);
}

static void set_and(struct subject_set *set, const struct subject_set *other)
{
	size_t i;

	for (i = 0; i < N_ELEMENTS(set->bits); i++)
		set->bits[i] &= other->bits[i];
}

static struct subject_set subjects_of(const struct compiled *c,
				      const struct actor *actor)
{
	struct subject_set all, dims[DIM_MAX];
	size_t i;

	memset(&all, 0xff, sizeof(all));
	memcpy(dims, c->dims.any, sizeof(dims));
	if (actor->cgroup)
		add_cgroups(c, &dims[DIM_UNIT], &dims[DIM_CGROUP],
			    actor->cgroup);
	if (actor->exe)
		add_condition(c, &dims[DIM_EXE], DIM_EXE, actor->exe);
	add_condition(c, &dims[DIM_USER], DIM_USER, actor->user);
	for (i = 0; i < 2; i++)
		if (actor->groups[i])
			add_condition(c, &dims[DIM_GROUP], DIM_GROUP,
				      actor->groups[i]);
	if (actor->login) {
		add_condition(c, &dims[DIM_LOGIN], DIM_LOGIN, actor->login);
		add_key(c, &dims[DIM_LOGIN], DIM_LOGIN, ~0ULL);
	} else {
		add_key(c, &dims[DIM_LOGIN], DIM_LOGIN, 0xffffffff);
	}
	/* A kind that nobody asks about is not looked at. */
	for (i = 0; i < DIM_MAX; i++)
		if (c->dims.used >> i & 1)
			set_and(&all, &dims[i]);
	return all;
}

static uint32_t rule_of(const struct compiled *c, uint32_t dataset,
			const struct subject_set *set)
{
	const struct dataset_rules *d = &c->datasets[dataset];
	uint32_t bit;

	for (bit = 0; bit < CORDON_SUBJECTS; bit++)
		if (set->bits[bit / 64] & d->has.bits[bit / 64] &
		    1ULL << bit % 64)
			return d->rule[bit];
	return POLICY_NO_RULE;
}

static bool prefix_holds(const struct dest_key *key, const uint8_t addr[16])
{
	uint32_t bits = key->prefixlen - 32, i;

	for (i = 0; i < bits; i++)
		if ((key->addr[i / 8] ^ addr[i / 8]) & 0x80 >> i % 8)
			return false;
	return true;
}

static uint32_t dest_of(const struct compiled *c, const uint8_t addr[16],
			uint16_t port)
{
	const struct compiled_dest *best = NULL;
	size_t i;

	for (i = 0; i < c->n_dests; i++)
		if (prefix_holds(&c->dests[i].key, addr) &&
		    (!best || best->key.prefixlen < c->dests[i].key.prefixlen))
			best = &c->dests[i];
	for (i = 0; best && i < best->value.count; i++)
		if (port >= best->value.ports[i].low &&
		    port <= best->value.ports[i].high)
			return best->value.ports[i].dest;
	return CORDON_DEST_ANY;
}

/* ---- random policies --------------------------------------------------- */

static const char *const units[] = {"a.service", "b.service", "c.scope"};
static const char *const cgroups[] = {
	"/system.slice/a.service", "/system.slice", "/user.slice/u.slice",
	"/system.slice/a.service/x", "/system.slice/b.service"};
static const char *const exes[] = {"/bin/one", "/bin/two"};
static const char *const users[] = {"ann", "bob", "cat"};

static void put_subject(struct text *text, uint64_t *seed, uint32_t i)
{
	const char *comma = "";
	bool any = false;

	put(text, "  s%u: {", i);
	while (!any) {
		if (!below(seed, 3)) {
			if (below(seed, 2))
				put(text, "%sunit: %s", comma,
				    units[below(seed, 3)]);
			else
				put(text, "%scgroup: %s", comma,
				    cgroups[below(seed, 5)]);
			any = true;
			comma = ", ";
		}
		if (!below(seed, 3)) {
			put(text, "%sexe: %s", comma, exes[below(seed, 2)]);
			any = true;
			comma = ", ";
		}
		if (!below(seed, 3)) {
			put(text, "%suser: %s", comma, users[below(seed, 3)]);
			any = true;
			comma = ", ";
		}
		if (!below(seed, 4)) {
			put(text, "%sgroup: %s", comma, users[below(seed, 3)]);
			any = true;
			comma = ", ";
		}
		if (!below(seed, 3)) {
			put(text, "%slogin: %s", comma,
			    below(seed, 3)   ? users[below(seed, 3)]
			    : below(seed, 2) ? "any"
					     : "none");
			any = true;
			comma = ", ";
		}
		if (any)
			break;
	}
	if (!below(seed, 4))
		put(text, ", carries: no, cap: %u B/day", i + 1);
	put(text, "}\n");
}

static void put_policy(struct text *text, uint64_t *seed, uint32_t *ret_sets)
{
	uint32_t subjects = 1 + below(seed, 8), sets = 1 + below(seed, 4);
	uint32_t dests = 1 + below(seed, 5), rules = below(seed, 24), i, k;
	uint32_t s, d;

	put(text, "cordon: 1\nissuer: t\nserial: 1\ndatasets:\n");
	for (i = 0; i < sets; i++)
		put(text, "  d%u: {paths: [/srv/d%u], record: file}\n", i, i);
	put(text, "subjects:\n");
	for (i = 0; i < subjects; i++)
		put_subject(text, seed, i);
	put(text, "destinations:\n");
	for (i = 0; i < dests; i++) {
		put(text, "  n%u: {networks: [", i);
		for (k = 0; k <= below(seed, 3); k++) {
			d = 8 * (1 + below(seed, 4));
			put(text, "%s10.%u.%u.%u/%u", k ? ", " : "",
			    d > 8 ? below(seed, 2) : 0,
			    d > 16 ? below(seed, 2) : 0,
			    d > 24 ? below(seed, 2) : 0, d);
		}
		put(text, "]");
		if (below(seed, 2))
			put(text, ", ports: [%u, \"%u-%u\"]",
			    1 + below(seed, 4), 10 + below(seed, 4),
			    14 + below(seed, 4));
		put(text, "}\n");
	}
	put(text, "rules:%s\n", rules ? "" : " []");
	for (i = 0; i < rules; i++) {
		s = below(seed, subjects + 1);
		d = below(seed, sets + 1);
		put(text, "  - {subject: ");
		put(text, s == subjects ? "\"*\"" : "s%u", s);
		put(text, ", dataset: ");
		put(text, d == sets ? "\"*\"" : "d%u", d);
		put(text, ", read: %u records/day}\n", i + 1);
	}
	*ret_sets = sets;
}

static void random_actor(struct actor *actor, uint64_t *seed)
{
	memset(actor, 0, sizeof(*actor));
	actor->cgroup = cgroups[below(seed, 5)];
	if (below(seed, 4))
		actor->exe = exes[below(seed, 2)];
	actor->user = users[below(seed, 3)];
	actor->groups[0] = users[below(seed, 3)];
	if (below(seed, 2))
		actor->groups[1] = users[below(seed, 3)];
	if (below(seed, 2))
		actor->login = users[below(seed, 3)];
}

/* The guard takes the lowest bit that is set aside. */
static void compare_declassifier(const struct policy *policy,
				 const struct compiled *c,
				 const struct subject_set *set,
				 const struct policy_explanation *explanation,
				 const char *text)
{
	const struct policy_subject *said =
		&policy->subjects[explanation->declassifier];
	uint64_t max = 0;
	uint32_t bit;

	for (bit = 0; bit < CORDON_SUBJECTS && !max; bit++)
		if (set->bits[bit / 64] & c->dims.aside.bits[bit / 64] &
		    1ULL << bit % 64)
			max = c->intakes[bit].cap.max;
	if (max != said->cap.bytes)
		fail_msg("the guard has a cap of %u bytes, the policy %u (%s)"
			 "\n%s",
			 (unsigned int)max, (unsigned int)said->cap.bytes,
			 said->name, text);
}

static void compare_rule(const struct policy *policy, const struct compiled *c,
			 const struct actor *actor, uint32_t dataset,
			 uint64_t round, const char *text)
{
	struct policy_explanation *explanation = NULL;
	struct policy_actor said = {.cgroup = actor->cgroup,
				    .exe = actor->exe,
				    .user = actor->user};
	struct subject_set set = subjects_of(c, actor);
	char groups[64], name[16];
	uint32_t rule;

	(void)snprintf(groups, sizeof(groups), "%s%s%s", actor->groups[0],
		       actor->groups[1] ? "," : "",
		       actor->groups[1] ? actor->groups[1] : "");
	said.group = groups;
	said.login = actor->login ? actor->login : "none";
	(void)snprintf(name, sizeof(name), "d%u", dataset);
	assert_int_equal(
		policy_explain(policy, &said, name, NULL, &explanation, NULL),
		0);
	compare_declassifier(policy, c, &set, explanation, text);
	rule = rule_of(c, c->dataset_ids[dataset], &set);
	if (rule != explanation->rule)
		fail_msg("round %u: dataset %s, %s %s %s %s %s: the guard has "
			 "rule %d, the policy %d\n%s",
			 (unsigned int)round, name, actor->cgroup,
			 actor->exe ? actor->exe : "-", actor->user, groups,
			 said.login, (int)rule, (int)explanation->rule, text);
	if (rule != POLICY_NO_RULE)
		assert_int_equal(c->rules[rule].read.records.max,
				 policy->rules[rule].read.records);
	policy_explanation_free(explanation);
}

static void compare_dest(const struct policy *policy, const struct compiled *c,
			 const struct registry *reg, uint64_t *seed,
			 const char *text)
{
	uint8_t addr[16] = {[10] = 0xff, 0xff, 10};
	uint16_t port = (uint16_t)(1 + below(seed, 20));
	const char *got, *want;
	uint32_t dest;
	int i;

	for (i = 13; i < 16; i++)
		addr[i] = (uint8_t)below(seed, 3);
	dest = dest_of(c, addr, port);
	want = policy->destinations[policy_match_address(policy, addr, port)]
		       .name;
	got = dest ? registry_text(reg, NAME_DEST, dest) : "*";
	if (!got || strcmp(got, want))
		fail_msg("10.%u.%u.%u:%u: the guard has %s, the policy %s\n%s",
			 addr[13], addr[14], addr[15], port, got ? got : "?",
			 want, text);
}

static void decision_equals_explain_for_random_policies(void **state)
{
	static struct text text;
	struct compiled *compiled;
	struct policy *policy;
	struct actor actor;
	uint32_t sets, i, k;
	uint64_t round, seed;

	(void)state;
	for (round = 0; round < ROUNDS; round++) {
		struct registry reg = {0};

		seed = round * 1000003;
		text.len = 0;
		put_policy(&text, &seed, &sets);
		policy = parse(text.s);
		compiled = compile(policy, &reg);
		for (i = 0; i < ACTORS; i++) {
			random_actor(&actor, &seed);
			for (k = 0; k < sets; k++)
				compare_rule(policy, compiled, &actor, k, round,
					     text.s);
			compare_dest(policy, compiled, &reg, &seed, text.s);
		}
		compile_free(compiled);
		policy_free(policy);
		registry_release(&reg);
	}
}

/* ---- single facts ------------------------------------------------------ */

static const char head[] =
	"cordon: 1\nissuer: t\nserial: 5\nmode: observe\ndatasets:\n"
	"  roster: {paths: [/r], record: {bytes: 160}, squeeze: 4, floor: 5}\n"
	"  photos: {paths: [/p], record: file}\n"
	"  lines: {paths: [/l], record: line}\n";

static void rule_fields_follow_the_policy(void **state)
{
	struct registry reg = {0};
	struct compiled *c;
	struct policy *policy;
	struct text text = {.len = 0};
	const struct release *release;
	uint32_t dest;

	(void)state;
	put(&text,
	    "%s"
	    "subjects:\n  db: {user: 26, narrow: yes, squeeze: 3, floor: 7}\n"
	    "  all: {unit: a.service, pool: yes}\n"
	    "destinations:\n  out: {networks: [10.0.0.0/8]}\n"
	    "rules:\n"
	    "  - {subject: db, dataset: \"*\", per: user, action: alert,\n"
	    "     read: [3 records/hour, 4 KiB/day],\n"
	    "     release: {\"*\": none, out: unlimited}}\n"
	    "  - {subject: \"*\", dataset: roster, mode: enforce}\n",
	    head);
	policy = parse(text.s);
	c = compile(policy, &reg);
	assert_int_equal(c->serial, 5);
	assert_int_equal(c->mode, MODE_OBSERVE);
	assert_int_equal(c->n_rules, 2);
	assert_int_equal(c->rules[0].flags,
			 RULE_OBSERVE | RULE_PER_USER | RULE_NARROW);
	assert_int_equal(c->rules[0].narrow.squeeze, 3);
	assert_int_equal(c->rules[0].narrow.floor, 7);
	assert_int_equal(c->rules[1].flags, RULE_BLOCK);
	assert_int_equal(c->rules[1].narrow.floor, 0);
	/* Which subject that is stands in the first bit: "*" has the last. */
	assert_int_equal(c->narrow, 1);
	assert_int_equal(c->dims.narrow.bits[0], 1);
	/* A pool goes by the number of its name, which policies keep. */
	assert_int_equal(c->pools, 1);
	assert_int_equal(c->dims.pools.bits[0], 2);
	assert_string_equal(registry_text(&reg, NAME_SUBJECT, c->dims.pool[1]),
			    "all");
	assert_int_equal(c->dims.pool[0], 0);
	assert_string_equal(registry_text(&reg, NAME_RULE, c->rules[0].id),
			    "db/*/user");
	assert_string_equal(registry_text(&reg, NAME_RULE, c->rules[1].id),
			    "*/roster/host");
	assert_string_equal(
		registry_text(&reg, NAME_SUBJECT, c->rules[0].subject), "db");
	assert_int_equal(c->rules[0].read.kind, GRANT_LIMITED);
	assert_int_equal(c->rules[0].read.records.max, 3);
	assert_int_equal(c->rules[0].read.records.window_ns, 3600000000000);
	assert_int_equal(c->rules[0].read.bytes.max, 4096);
	assert_int_equal(c->rules[1].read.kind, GRANT_NONE);
	assert_int_equal(c->rules[0].releases, 2);
	assert_int_equal(c->rules[1].releases, 0);

	/* "*" is last, whatever the file says: the guard takes the first. */
	release = &c->releases[c->rules[0].first_release];
	assert_int_equal(registry_find(&reg, NAME_DEST, "out", &dest), 0);
	assert_int_equal(release[0].dest, dest);
	assert_int_equal(release[0].grant.kind, GRANT_UNLIMITED);
	assert_int_equal(release[1].dest, CORDON_DEST_ANY);
	assert_int_equal(release[1].grant.kind, GRANT_NONE);

	assert_int_equal(c->datasets[c->dataset_ids[0]].record_bytes, 160);
	assert_int_equal(c->datasets[c->dataset_ids[0]].narrow.floor, 5);
	assert_int_equal(c->datasets[c->dataset_ids[0]].narrow.squeeze, 4);
	assert_int_equal(c->datasets[c->dataset_ids[1]].record_bytes, 0);
	/* Lines that nobody measured: every byte is one. */
	assert_int_equal(c->datasets[c->dataset_ids[2]].record_bytes, 1);

	/* A user by number needs no host. */
	assert_int_equal(c->n_conditions, 0);
	assert_int_equal(c->n_subjects, 1);
	assert_int_equal(c->subjects[0].key.dim, DIM_USER);
	assert_int_equal(c->subjects[0].key.a, 26);
	compile_free(c);
	policy_free(policy);
	registry_release(&reg);
}

static void names_keep_their_numbers_when_the_policy_changes(void **state)
{
	static const char first[] =
		"subjects:\n  a: {user: ann}\n  b: {user: bob}\n"
		"destinations:\n  x: {networks: [10.0.0.0/8]}\n"
		"rules:\n  - {subject: a, dataset: roster}\n"
		"  - {subject: b, dataset: roster}\n";
	static const char second[] =
		"subjects:\n  c: {user: cat}\n  b: {user: bob}\n"
		"destinations:\n  y: {networks: [10.0.0.0/8]}\n"
		"  x: {networks: [10.0.0.0/8]}\n"
		"rules:\n  - {subject: c, dataset: roster}\n"
		"  - {subject: b, dataset: roster, read: 1 records/hour}\n";
	struct registry reg = {0}, next = {0};
	struct compiled *one, *two;
	struct policy *policy;
	struct text text = {.len = 0};
	uint32_t x, again;

	(void)state;
	put(&text, "%s%s", head, first);
	policy = parse(text.s);
	one = compile(policy, &reg);
	policy_free(policy);
	registry_commit(&reg);
	assert_int_equal(registry_find(&reg, NAME_DEST, "x", &x), 0);

	assert_int_equal(registry_copy(&reg, &next), 0);
	text.len = 0;
	put(&text, "%s%s", head, second);
	policy = parse(text.s);
	two = compile(policy, &next);
	policy_free(policy);
	assert_int_equal(two->rules[1].id, one->rules[1].id);
	assert_int_equal(two->rules[1].subject, one->rules[1].subject);
	assert_int_not_equal(two->rules[0].id, one->rules[0].id);
	assert_int_equal(registry_find(&next, NAME_DEST, "x", &again), 0);
	assert_int_equal(x, again);
	assert_int_equal(registry_find(&next, NAME_DEST, "y", &again), 0);
	assert_int_not_equal(x, again);
	/* The copy was numbered, the registry in force was not. */
	assert_int_equal(registry_find(&reg, NAME_DEST, "y", &again), -ENOENT);
	compile_free(one);
	compile_free(two);
	registry_release(&reg);
	registry_release(&next);
}

static void names_are_reused_only_when_no_policy_has_them(void **state)
{
	struct registry reg = {0};
	char name[32];
	uint32_t id, i;

	(void)state;
	for (i = 1; i <= REGISTRY_DATASETS_MAX; i++) {
		(void)snprintf(name, sizeof(name), "d%u", i);
		assert_int_equal(registry_number(&reg, NAME_DATASET, name, &id),
				 0);
		assert_int_equal(id, i);
	}
	assert_int_equal(registry_number(&reg, NAME_DATASET, "more", &id),
			 -ENOSPC);
	registry_commit(&reg);
	/* In force now, so still taken. */
	assert_int_equal(registry_number(&reg, NAME_DATASET, "more", &id),
			 -ENOSPC);
	assert_int_equal(registry_number(&reg, NAME_DATASET, "d7", &id), 0);
	registry_commit(&reg);
	assert_int_equal(registry_number(&reg, NAME_DATASET, "more", &id), 0);
	assert_int_equal(id, 1);
	assert_int_equal(registry_number(&reg, NAME_DATASET, "d7", &id), 0);
	assert_int_equal(id, 7);
	assert_int_equal(registry_number(&reg, NAME_DATASET, "", &id), -EINVAL);
	registry_release(&reg);
}

/* All numbers of datasets, and the policy that had them gone. */
static void fill_datasets(struct registry *reg)
{
	char name[32];
	uint32_t id, i;

	for (i = 1; i <= REGISTRY_DATASETS_MAX; i++) {
		assert_int_equal(registry_left(reg, NAME_DATASET),
				 REGISTRY_DATASETS_MAX - i + 1);
		(void)snprintf(name, sizeof(name), "d%u", i);
		assert_int_equal(registry_number(reg, NAME_DATASET, name, &id),
				 0);
	}
	registry_commit(reg);
	registry_commit(reg);
}

static void numbers_stay_when_the_guard_counts_for_them(void **state)
{
	struct registry reg = {0};
	char names[64], cut[6];
	uint32_t id, i;

	(void)state;
	fill_datasets(&reg);
	assert_int_equal(registry_left(&reg, NAME_DATASET), 0);
	assert_int_equal(
		registry_counted(&reg, NAME_DATASET, names, sizeof(names)), 0);
	assert_string_equal(names, "");
	for (i = 0; i <= REGISTRY_DATASETS_MAX + 1; i++)
		if (i != 9)
			registry_count(&reg, NAME_DATASET, i);
	assert_int_equal(registry_number(&reg, NAME_DATASET, "new", &id), 0);
	assert_int_equal(id, 9);
	assert_int_equal(registry_number(&reg, NAME_DATASET, "d2", &id), 0);
	assert_int_equal(id, 2);
	assert_int_equal(registry_number(&reg, NAME_DATASET, "more", &id),
			 -ENOSPC);
	assert_int_equal(
		registry_counted(&reg, NAME_DATASET, names, sizeof(names)),
		REGISTRY_DATASETS_MAX - 2);
	assert_string_equal(names, "\"d1\", \"d3\", \"d4\" and 249 more");
	(void)registry_counted(&reg, NAME_DATASET, cut, sizeof(cut));
	assert_string_equal(cut, "\"d1\",");
	assert_int_equal(
		registry_counted(&reg, NAME_RULE, names, sizeof(names)), 0);
	/* Counted anew for each policy. */
	registry_commit(&reg);
	assert_int_equal(registry_number(&reg, NAME_DATASET, "more", &id), 0);
	assert_int_equal(id, 1);
	registry_release(&reg);
}

static void policy_names_what_keeps_the_numbers_when_none_is_left(void **state)
{
	struct registry reg = {0};
	struct text text = {.len = 0};
	struct compiled *c = NULL;
	struct policy_errors errs;
	struct policy *policy;
	uint32_t i;

	(void)state;
	fill_datasets(&reg);
	for (i = 1; i <= REGISTRY_DATASETS_MAX; i++)
		registry_count(&reg, NAME_DATASET, i);
	put(&text, "%srules:\n  - {subject: \"*\", dataset: roster}\n", head);
	policy = parse(text.s);
	assert_int_equal(compile_policy(policy, NULL, &reg, &c, &errs),
			 -ENOSPC);
	assert_null(c);
	assert_int_equal(errs.n, 1);
	assert_non_null(strstr(errs.v[0].text,
			       "counts for \"d1\", \"d2\", \"d3\" and 251 "
			       "more, which no policy has any more"));
	assert_non_null(strstr(errs.v[0].text, "cordond --detach"));
	policy_free(policy);
	registry_release(&reg);
}

static void all_255_subjects_have_a_bit(void **state)
{
	static struct text text;
	struct registry reg = {0};
	struct compiled *c;
	struct policy *policy;
	uint32_t i;

	(void)state;
	text.len = 0;
	put(&text, "%ssubjects:\n", head);
	for (i = 0; i < 255; i++)
		put(&text, "  s%u: {user: %u}\n", i, i);
	put(&text, "rules:\n");
	for (i = 0; i < 255; i++)
		put(&text, "  - {subject: s%u, dataset: roster}\n", i);
	put(&text, "  - {subject: \"*\", dataset: roster}\n");
	policy = parse(text.s);
	c = compile(policy, &reg);
	for (i = 0; i < CORDON_SUBJECTS; i++)
		assert_int_equal(c->datasets[c->dataset_ids[0]].rule[i], i);
	for (i = 0; i < 4; i++)
		assert_true(c->datasets[c->dataset_ids[0]].has.bits[i] ==
			    UINT64_MAX);
	for (i = 0; i < DIM_MAX; i++)
		assert_true(c->dims.any[i].bits[3] >> 63);
	compile_free(c);
	policy_free(policy);
	registry_release(&reg);
}

static bool has_bit(const struct subject_set *set, uint32_t bit)
{
	return set->bits[bit / 64] >> bit % 64 & 1;
}

/* The one declassifier of this name, by its bit. */
static uint32_t bit_of(const struct compiled *c, const struct registry *reg,
		       const char *name)
{
	uint32_t id, bit, found = CORDON_SUBJECTS;

	assert_int_equal(registry_find(reg, NAME_SUBJECT, name, &id), 0);
	for (bit = 0; bit < CORDON_SUBJECTS; bit++)
		if (c->intakes[bit].subject == id) {
			assert_int_equal(found, CORDON_SUBJECTS);
			found = bit;
		}
	assert_true(found < CORDON_SUBJECTS);
	return found;
}

static void assert_intake(const struct compiled *c, uint32_t bit, uint64_t max,
			  uint64_t window_ns)
{
	assert_true(has_bit(&c->dims.aside, bit));
	assert_true(c->intakes[bit].cap.max == max);
	assert_true(c->intakes[bit].cap.window_ns == window_ns);
	assert_int_equal(c->intakes[bit].pad, 0);
}

static void intakes_are_those_of_the_policy(void **state)
{
	static const struct intake none;
	struct registry reg = {0};
	struct text text = {.len = 0};
	uint32_t own, two, preset, bit, n = 0;
	struct actor journald = {.cgroup = "/system.slice/"
					   "systemd-journald.service",
				 .user = "root"};
	struct subject_set set;
	struct compiled *c;
	struct policy *policy;

	(void)state;
	put(&text,
	    "%spresets: [journald]\nsubjects:\n"
	    "  plain: {unit: a.service}\n"
	    "  own: {unit: systemd-journald.service, carries: no,\n"
	    "        cap: 3 KiB/day}\n"
	    "  two: {unit: b.service, user: 7, carries: no,\n"
	    "        cap: 1 B/second}\n"
	    "rules: []\n",
	    head);
	policy = parse(text.s);
	c = compile(policy, &reg);
	own = bit_of(c, &reg, "own");
	two = bit_of(c, &reg, "two");
	preset = bit_of(c, &reg, "preset-journald");
	assert_intake(c, own, 3072, 86400000000000);
	assert_intake(c, two, 1, 1000000000);
	assert_intake(c, preset, 65536, 3600000000000);
	/* The lowest bit counts: most conditions, then the file's own. */
	assert_int_equal(two, 0);
	assert_true(own < preset);
	for (bit = 0; bit < CORDON_SUBJECTS; bit++) {
		n += has_bit(&c->dims.aside, bit);
		if (!has_bit(&c->dims.aside, bit))
			assert_memory_equal(&c->intakes[bit], &none,
					    sizeof(none));
	}
	assert_int_equal(n, 3);
	/* Found without a rule, from what the process is. */
	set = subjects_of(c, &journald);
	set_and(&set, &c->dims.aside);
	assert_true(has_bit(&set, own) && has_bit(&set, preset));
	assert_false(has_bit(&set, two));
	compile_free(c);
	policy_free(policy);

	/* Who stops being one leaves nothing behind, and keeps the number. */
	text.len = 0;
	put(&text,
	    "%ssubjects:\n  own: {unit: systemd-journald.service}\n"
	    "rules: []\n",
	    head);
	policy = parse(text.s);
	c = compile(policy, &reg);
	for (bit = 0; bit < CORDON_SUBJECTS; bit++) {
		assert_false(has_bit(&c->dims.aside, bit));
		assert_memory_equal(&c->intakes[bit], &none, sizeof(none));
	}
	compile_free(c);
	policy_free(policy);
	registry_release(&reg);
}

static void quiet_files_are_those_of_the_policy(void **state)
{
	static const struct intake none;
	struct registry reg = {0};
	struct text text = {.len = 0};
	uint32_t number, subject, n = 0, i;
	struct compiled *c;
	struct policy *policy;

	(void)state;
	put(&text,
	    "%spresets: [login-records]\nquiet-files:\n"
	    "  own: {paths: [/own], cap: 3 KiB/day}\n"
	    "rules: []\n",
	    head);
	policy = parse(text.s);
	c = compile(policy, &reg);
	/* With numbers among the datasets, but none of their names. */
	assert_int_equal(
		registry_find(&reg, NAME_DATASET, "quiet-files/own", &number),
		0);
	assert_int_equal(c->quiet_ids[0], number);
	assert_int_equal(registry_find(&reg, NAME_SUBJECT, "own", &subject), 0);
	assert_int_equal(c->quiet_files[number].subject, subject);
	assert_true(c->quiet_files[number].cap.max == 3072);
	assert_true(c->quiet_files[number].cap.window_ns == 86400000000000);
	assert_int_equal(registry_find(&reg, NAME_SUBJECT,
				       "preset-login-records", &subject),
			 0);
	assert_int_equal(c->quiet_files[c->quiet_ids[1]].subject, subject);
	for (i = 0; i < CORDON_DATASETS; i++) {
		if (memcmp(&c->quiet_files[i], &none, sizeof(none)) == 0)
			continue;
		n++;
		for (size_t k = 0; k < policy->n_datasets; k++)
			assert_int_not_equal(c->dataset_ids[k], i);
	}
	assert_int_equal(n, 2);
	compile_free(c);
	policy_free(policy);
	registry_release(&reg);
}

static void all_255_subjects_can_be_declassifiers(void **state)
{
	static struct text text;
	struct registry reg = {0};
	struct compiled *c;
	struct policy *policy;
	uint32_t i;

	(void)state;
	text.len = 0;
	put(&text, "%ssubjects:\n", head);
	for (i = 0; i < 255; i++)
		put(&text, "  s%u: {user: %u, carries: no, cap: %u B/day}\n", i,
		    i, i + 1);
	put(&text, "rules: []\n");
	policy = parse(text.s);
	c = compile(policy, &reg);
	for (i = 0; i < 255; i++)
		assert_intake(c, i, i + 1, 86400000000000);
	/* Never "*". */
	assert_false(has_bit(&c->dims.aside, COMPILE_EVERYONE_BIT));
	assert_int_equal(c->intakes[COMPILE_EVERYONE_BIT].subject, 0);
	compile_free(c);
	policy_free(policy);
	registry_release(&reg);
}

static void limits_of_the_guard_are_named_when_exceeded(void **state)
{
	struct text text = {.len = 0};
	uint32_t i;

	(void)state;
	put(&text,
	    "%ssubjects:\n  a: {unit: %063d.service}\n"
	    "rules: []\n",
	    head, 1);
	compile_fails(text.s, -EINVAL, "at most 62");

	text.len = 0;
	put(&text, "%ssubjects:\n  a: {cgroup: ", head);
	for (i = 0; i < 16; i++)
		put(&text, "/x%u", i);
	put(&text, "}\nrules: []\n");
	compile_fails(text.s, -EINVAL, "at most 15");
}

static void ways_are_keys_or_wait_for_the_host(void **state)
{
	struct registry reg = {0};
	struct text text = {.len = 0};
	struct policy *policy;
	struct compiled *c;
	uint32_t a, b;

	(void)state;
	put(&text,
	    "%sdestinations:\n  a: {file-systems: [virtiofs]}\n"
	    "  b: {paths: [/mnt/x], devices: [/dev/lp0]}\nrules: []\n",
	    head);
	policy = parse(text.s);
	c = compile(policy, &reg);
	policy_free(policy);
	registry_commit(&reg);
	assert_int_equal(registry_find(&reg, NAME_DEST, "a", &a), 0);
	assert_int_equal(registry_find(&reg, NAME_DEST, "b", &b), 0);
	assert_int_equal(c->n_ways, 3);
	assert_int_equal(c->ways[0].key.kind, WAY_TYPE);
	assert_string_equal(c->ways[0].key.way.type, "virtiofs");
	assert_int_equal(c->ways[0].key.way.dev, 0);
	assert_int_equal(c->ways[0].dest, a);
	assert_null(c->ways[0].path);
	assert_int_equal(c->ways[1].key.kind, 0);
	assert_string_equal(c->ways[1].path, "/mnt/x");
	assert_false(c->ways[1].device);
	assert_int_equal(c->ways[1].dest, b);
	assert_string_equal(c->ways[2].path, "/dev/lp0");
	assert_true(c->ways[2].device);
	compile_free(c);
	registry_release(&reg);
}

/* The guard compares a kind by its name, which has to fit in whole. */
static void kinds_of_file_systems_fit_in_a_way(void **state)
{
	(void)state;
	for (size_t i = 0; i < policy_n_file_systems; i++)
		assert_true(strlen(policy_file_systems[i]) <
			    sizeof(((struct way *)NULL)->type));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(decision_equals_explain_for_random_policies),
		cmocka_unit_test(rule_fields_follow_the_policy),
		cmocka_unit_test(
			names_keep_their_numbers_when_the_policy_changes),
		cmocka_unit_test(names_are_reused_only_when_no_policy_has_them),
		cmocka_unit_test(numbers_stay_when_the_guard_counts_for_them),
		cmocka_unit_test(
			policy_names_what_keeps_the_numbers_when_none_is_left),
		cmocka_unit_test(all_255_subjects_have_a_bit),
		cmocka_unit_test(intakes_are_those_of_the_policy),
		cmocka_unit_test(quiet_files_are_those_of_the_policy),
		cmocka_unit_test(all_255_subjects_can_be_declassifiers),
		cmocka_unit_test(limits_of_the_guard_are_named_when_exceeded),
		cmocka_unit_test(ways_are_keys_or_wait_for_the_host),
		cmocka_unit_test(kinds_of_file_systems_fit_in_a_way),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
