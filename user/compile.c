// SPDX-License-Identifier: GPL-2.0-only
#include "compile.h"

#include "array.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define WHERE "policy" /* the file's name is the caller's to add */
/* What the guard compares: a name that fills the key was cut, it thinks. */
#define NAME_CHARS_MAX	 (CORDON_NAME - 2)
#define CGROUP_DEPTH_MAX 15 /* CGROUP_LEVELS of the guard, less the root */
#define CGROUP_ROOT	 1U
#define CGROUP_FIRST	 2U

/* What is only needed on the way. */
struct compiling {
	const struct policy *policy;
	struct registry *reg;
	struct policy_errors *errs;
	struct compiled *out;
	uint32_t bits[CORDON_SUBJECTS];	 /* by place in the policy */
	uint32_t dest_ids[CORDON_DESTS]; /* likewise */
	uint32_t subject_ids[CORDON_SUBJECTS];
};

void subject_set_add(struct subject_set *set, uint32_t bit)
{
	set->bits[bit / 64] |= 1ULL << bit % 64;
}

void subject_set_join(struct subject_set *set, const struct subject_set *other)
{
	size_t i;

	for (i = 0; i < CORDON_SUBJECTS / 64; i++)
		set->bits[i] |= other->bits[i];
}

void compile_ways_free(struct compiled_way *ways, size_t n)
{
	size_t i;

	for (i = 0; i < n; i++)
		free(ways[i].path);
	free(ways);
}

void compile_free(struct compiled *compiled)
{
	size_t i;

	if (!compiled)
		return;
	for (i = 0; i < compiled->n_conditions; i++)
		free(compiled->conditions[i].text);
	free(compiled->conditions);
	free(compiled->releases);
	free(compiled->subjects);
	free(compiled->cgroups);
	free(compiled->dests);
	compile_ways_free(compiled->ways, compiled->n_ways);
	free(compiled);
}

void compile_rule_name(const struct policy *policy,
		       const struct policy_rule *rule, char *buf, size_t size)
{
	const char *dataset = "*";

	if (rule->dataset != POLICY_ANY_DATASET)
		dataset = policy->datasets[rule->dataset].name;
	(void)snprintf(buf, size, "%s/%s/%s",
		       policy->subjects[rule->subject].name, dataset,
		       policy_per_name(rule->per));
}

void compile_quiet_name(const struct policy_quiet *quiet, char *buf,
			size_t size)
{
	(void)snprintf(buf, size, "quiet-files/%s", quiet->name);
}

/*
 * The array with room for one more behind its n elements, zeroed; NULL when
 * there is no memory, and the array is as it was.
 */
static void *room(void *array, size_t n, size_t size)
{
	array = array_grow(array, n, size);
	if (array)
		memset((char *)array + n * size, 0, size);
	return array;
}

/* ---- numbers ----------------------------------------------------------- */

static int number(struct compiling *c, uint32_t kind, struct policy_pos pos,
		  const char *name, uint32_t *ret_id)
{
	char counted[256];
	int r;

	r = registry_number(c->reg, kind, name, ret_id);
	if (r == -ENOSPC &&
	    registry_counted(c->reg, kind, counted, sizeof(counted)))
		policy_errors_add(c->errs, WHERE, pos,
				  "no number is left for \"%s\": the guard "
				  "still counts for %s, which no policy has "
				  "any more; use fewer new names, or end the "
				  "guard with cordond --detach while nothing "
				  "uses the datasets and start a new one",
				  name, counted);
	else if (r == -ENOSPC)
		policy_errors_add(c->errs, WHERE, pos,
				  "no number is left for \"%s\"; use fewer "
				  "names, in this policy and the one in force "
				  "together",
				  name);
	else if (r == -EINVAL)
		policy_errors_add(c->errs, WHERE, pos,
				  "the name \"%s\" is too long for the guard",
				  name);
	return r;
}

static int number_names(struct compiling *c)
{
	const struct policy *policy = c->policy;
	size_t i;
	int r;

	for (i = 0; i < policy->n_datasets; i++) {
		r = number(c, NAME_DATASET, policy->datasets[i].pos,
			   policy->datasets[i].name, &c->out->dataset_ids[i]);
		if (r)
			return r;
	}
	for (i = 0; i < policy->n_subjects; i++) {
		r = number(c, NAME_SUBJECT, policy->subjects[i].pos,
			   policy->subjects[i].name, &c->subject_ids[i]);
		if (r)
			return r;
	}
	c->dest_ids[POLICY_ANYWHERE] = CORDON_DEST_ANY;
	for (i = 1; i < policy->n_destinations; i++) {
		r = number(c, NAME_DEST, policy->destinations[i].pos,
			   policy->destinations[i].name, &c->dest_ids[i]);
		if (r)
			return r;
	}
	return 0;
}

static int compile_quiet(struct compiling *c, size_t i)
{
	const struct policy_quiet *quiet = &c->policy->quiet[i];
	char name[COMPILE_QUIET_CHARS_MAX];
	struct intake *intake;
	uint32_t subject;
	int r;

	compile_quiet_name(quiet, name, sizeof(name));
	r = number(c, NAME_DATASET, quiet->pos, name, &c->out->quiet_ids[i]);
	if (!r)
		r = number(c, NAME_SUBJECT, quiet->pos, quiet->name, &subject);
	if (r)
		return r;
	intake = &c->out->quiet_files[c->out->quiet_ids[i]];
	intake->subject = subject;
	intake->cap.max = quiet->cap.bytes;
	intake->cap.window_ns = quiet->cap.bytes_window_ns;
	return 0;
}

static int compile_quiet_files(struct compiling *c)
{
	size_t i;
	int r = 0;

	for (i = 0; i < c->policy->n_quiet && !r; i++)
		r = compile_quiet(c, i);
	return r;
}

/* ---- rules ------------------------------------------------------------- */

static void grant_set(struct grant *grant, const struct policy_budget *budget)
{
	memset(grant, 0, sizeof(*grant));
	switch (budget->kind) {
	case POLICY_BUDGET_NONE:
		grant->kind = GRANT_NONE;
		return;
	case POLICY_BUDGET_UNLIMITED:
		grant->kind = GRANT_UNLIMITED;
		return;
	case POLICY_BUDGET_LIMITED:
		break;
	}
	grant->kind = GRANT_LIMITED;
	grant->records.max = budget->records;
	grant->records.window_ns = budget->records_window_ns;
	grant->bytes.max = budget->bytes;
	grant->bytes.window_ns = budget->bytes_window_ns;
}

static int add_release(struct compiling *c, struct rule *rule,
		       const struct policy_release *from)
{
	struct release *release;

	release = room(c->out->releases, c->out->n_releases, sizeof(*release));
	if (!release)
		return -ENOMEM;
	c->out->releases = release;
	release += c->out->n_releases++;
	release->dest = c->dest_ids[from->destination];
	grant_set(&release->grant, &from->budget);
	rule->releases++;
	return 0;
}

static int compile_rule(struct compiling *c, const struct policy_rule *from,
			struct rule *rule)
{
	const struct policy_subject *subject;
	char name[sizeof(((struct name_value *)NULL)->text)];
	size_t i;
	int r;

	subject = &c->policy->subjects[from->subject];
	compile_rule_name(c->policy, from, name, sizeof(name));
	r = number(c, NAME_RULE, from->pos, name, &rule->id);
	if (r)
		return r;
	if (from->n_releases > CORDON_RULE_RELEASES ||
	    c->out->n_releases + from->n_releases > CORDON_RELEASES) {
		policy_errors_add(c->errs, WHERE, from->pos,
				  "too many release entries; at most %d a rule "
				  "and %d together",
				  CORDON_RULE_RELEASES, CORDON_RELEASES);
		return -EINVAL;
	}

	rule->subject = c->subject_ids[from->subject];
	if (from->action == POLICY_BLOCK)
		rule->flags |= RULE_BLOCK;
	if (from->mode == POLICY_OBSERVE)
		rule->flags |= RULE_OBSERVE;
	if (from->per == POLICY_PER_USER)
		rule->flags |= RULE_PER_USER;
	if (subject->narrow) {
		rule->flags |= RULE_NARROW;
		if (subject->exe)
			rule->flags |= RULE_EXE;
		rule->narrow.squeeze = subject->squeeze;
		rule->narrow.floor = subject->floor_bytes;
	}
	rule->first_release = (uint16_t)c->out->n_releases;
	grant_set(&rule->read, &from->read);

	/* The guard takes the first that fits, so "*" has to be the last. */
	for (i = 0; i < from->n_releases; i++) {
		if (from->releases[i].destination == POLICY_ANYWHERE)
			continue;
		r = add_release(c, rule, &from->releases[i]);
		if (r)
			return r;
	}
	for (i = 0; i < from->n_releases; i++) {
		if (from->releases[i].destination != POLICY_ANYWHERE)
			continue;
		r = add_release(c, rule, &from->releases[i]);
		if (r)
			return r;
	}
	return 0;
}

static int compile_rules(struct compiling *c)
{
	size_t i;
	int r;

	if (c->policy->n_rules > CORDON_RULES) {
		policy_errors_add(c->errs, WHERE, (struct policy_pos){0, 0},
				  "too many rules; the guard holds %d",
				  CORDON_RULES);
		return -EINVAL;
	}
	for (i = 0; i < c->policy->n_rules; i++) {
		r = compile_rule(c, &c->policy->rules[i], &c->out->rules[i]);
		if (r)
			return r;
		c->out->n_rules++;
	}
	return 0;
}

static uint32_t record_size(const struct policy_dataset *dataset,
			    const uint32_t *record_bytes, size_t i)
{
	switch (dataset->record) {
	case POLICY_RECORD_FILE:
		return 0;
	case POLICY_RECORD_BYTES:
		return dataset->record_bytes;
	case POLICY_RECORD_LINE:
		break;
	}
	return record_bytes && record_bytes[i] ? record_bytes[i] : 1;
}

/*
 * For every dataset and subject the rule that decides: of one subject's rules
 * the first in the order of decision. Which subject wins is told by its bit.
 */
static void compile_datasets(struct compiling *c, const uint32_t *record_bytes)
{
	const struct policy *policy = c->policy;
	const struct policy_rule *rule;
	struct dataset_rules *to;
	uint32_t index, bit;
	size_t i, k;

	for (i = 0; i < CORDON_DATASETS; i++)
		for (k = 0; k < CORDON_SUBJECTS; k++)
			c->out->datasets[i].rule[k] = CORDON_RULE_NONE;

	for (i = 0; i < policy->n_datasets; i++) {
		to = &c->out->datasets[c->out->dataset_ids[i]];
		to->record_bytes =
			record_size(&policy->datasets[i], record_bytes, i);
		to->narrow.floor = policy->datasets[i].floor_bytes;
		to->narrow.squeeze = policy->datasets[i].squeeze;
		for (k = 0; k < policy->n_rules; k++) {
			index = policy->rule_order[k];
			rule = &policy->rules[index];
			if (rule->dataset != POLICY_ANY_DATASET &&
			    rule->dataset != i)
				continue;
			bit = c->bits[rule->subject];
			if (to->has.bits[bit / 64] & 1ULL << bit % 64)
				continue;
			subject_set_add(&to->has, bit);
			to->rule[bit] = (uint16_t)index;
		}
	}
}

/* ---- subjects ---------------------------------------------------------- */

/* A lower bit decides first; "*" has the last one. */
static int number_subjects(struct compiling *c)
{
	const struct policy *policy = c->policy;
	uint32_t bit = 0, subject;
	size_t i;

	if (policy->n_subjects > CORDON_SUBJECTS) {
		policy_errors_add(c->errs, WHERE, (struct policy_pos){0, 0},
				  "too many subjects; the guard holds %d",
				  CORDON_SUBJECTS - 1);
		return -EINVAL;
	}
	for (i = 0; i < policy->n_subjects; i++) {
		subject = policy->subject_order[i];
		if (subject == POLICY_EVERYONE)
			c->bits[subject] = COMPILE_EVERYONE_BIT;
		else
			c->bits[subject] = bit++;
	}
	return 0;
}

static int add_subject(struct compiling *c, uint32_t dim, uint64_t a,
		       uint32_t bit)
{
	struct compiled *out = c->out;
	struct compiled_subject *subject;
	size_t i;

	out->dims.used |= 1U << dim;
	for (i = 0; i < out->n_subjects; i++) {
		subject = &out->subjects[i];
		if (subject->key.dim == dim && subject->key.a == a) {
			subject_set_add(&subject->set, bit);
			return 0;
		}
	}
	subject = room(out->subjects, out->n_subjects, sizeof(*subject));
	if (!subject)
		return -ENOMEM;
	out->subjects = subject;
	subject += out->n_subjects++;
	subject->key.dim = dim;
	subject->key.a = a;
	subject_set_add(&subject->set, bit);
	return 0;
}

static int add_condition(struct compiling *c, uint32_t dim,
			 struct policy_pos pos, const char *text, uint32_t bit)
{
	struct compiled *out = c->out;
	struct compiled_condition *condition;
	size_t i;

	out->dims.used |= 1U << dim;
	for (i = 0; i < out->n_conditions; i++) {
		condition = &out->conditions[i];
		if (condition->dim == dim && !strcmp(condition->text, text)) {
			subject_set_add(&condition->set, bit);
			return 0;
		}
	}
	condition =
		room(out->conditions, out->n_conditions, sizeof(*condition));
	if (!condition)
		return -ENOMEM;
	out->conditions = condition;
	condition += out->n_conditions++;
	condition->dim = dim;
	condition->pos = pos;
	condition->text = strdup(text);
	if (!condition->text) {
		out->n_conditions--;
		return -ENOMEM;
	}
	subject_set_add(&condition->set, bit);
	return 0;
}

static int add_account(struct compiling *c, uint32_t dim, struct policy_pos pos,
		       const struct policy_account *account, uint32_t bit)
{
	if (account->is_id)
		return add_subject(c, dim, account->id, bit);
	return add_condition(c, dim, pos, account->name, bit);
}

static int name_too_long(struct compiling *c, struct policy_pos pos,
			 const char *what, const char *name)
{
	policy_errors_add(c->errs, WHERE, pos,
			  "%s \"%s\" is too long; the guard compares at most "
			  "%d characters",
			  what, name, NAME_CHARS_MAX);
	return -EINVAL;
}

/* The node of name below parent, made if it is missing. */
static int cgroup_child(struct compiling *c, uint32_t dim, uint32_t parent,
			const char *name, size_t len, uint32_t *next,
			struct compiled_cgroup **ret_cgroup)
{
	struct compiled *out = c->out;
	struct compiled_cgroup *cgroup;
	size_t i;

	for (i = 0; i < out->n_cgroups; i++) {
		cgroup = &out->cgroups[i];
		if (cgroup->key.dim == dim && cgroup->key.node == parent &&
		    strlen(cgroup->key.name) == len &&
		    !memcmp(cgroup->key.name, name, len)) {
			*ret_cgroup = cgroup;
			return 0;
		}
	}
	cgroup = room(out->cgroups, out->n_cgroups, sizeof(*cgroup));
	if (!cgroup)
		return -ENOMEM;
	out->cgroups = cgroup;
	cgroup += out->n_cgroups++;
	cgroup->key.dim = dim;
	cgroup->key.node = parent;
	memcpy(cgroup->key.name, name, len);
	cgroup->node.node = (*next)++;
	*ret_cgroup = cgroup;
	return 0;
}

static int add_unit(struct compiling *c, const struct policy_subject *subject,
		    uint32_t bit, uint32_t *next)
{
	struct compiled_cgroup *cgroup;
	size_t len = strlen(subject->unit);
	int r;

	if (len > NAME_CHARS_MAX)
		return name_too_long(c, subject->pos, "the unit",
				     subject->unit);
	c->out->dims.used |= 1U << DIM_UNIT;
	r = cgroup_child(c, DIM_UNIT, 0, subject->unit, len, next, &cgroup);
	if (r)
		return r;
	subject_set_add(&cgroup->node.set, bit);
	return 0;
}

static int add_cgroup(struct compiling *c, const struct policy_subject *subject,
		      uint32_t bit, uint32_t *next)
{
	struct compiled_cgroup *cgroup = NULL;
	const char *p = subject->cgroup;
	uint32_t node = CGROUP_ROOT, depth = 0;
	size_t len;
	int r;

	while (*p) {
		len = strcspn(p, "/");
		if (len > NAME_CHARS_MAX)
			return name_too_long(c, subject->pos,
					     "a component of the cgroup",
					     subject->cgroup);
		if (len && ++depth > CGROUP_DEPTH_MAX) {
			policy_errors_add(
				c->errs, WHERE, subject->pos,
				"the cgroup \"%s\" is too deep; the "
				"guard compares at most %d components",
				subject->cgroup, CGROUP_DEPTH_MAX);
			return -EINVAL;
		}
		if (len) {
			r = cgroup_child(c, DIM_CGROUP, node, p, len, next,
					 &cgroup);
			if (r)
				return r;
			node = cgroup->node.node;
		}
		p += len + !!p[len];
	}
	if (!cgroup) {
		/* The root: every process is in it. */
		subject_set_add(&c->out->dims.any[DIM_CGROUP], bit);
		return 0;
	}
	c->out->dims.used |= 1U << DIM_CGROUP;
	subject_set_add(&cgroup->node.set, bit);
	return 0;
}

/* Below a path is in it: nodes stand behind their parents, so one pass does. */
static void inherit_cgroups(struct compiled *out)
{
	struct compiled_cgroup *cgroup;
	size_t i, k;

	for (i = 0; i < out->n_cgroups; i++) {
		cgroup = &out->cgroups[i];
		if (cgroup->key.dim != DIM_CGROUP)
			continue;
		for (k = 0; k < i; k++)
			if (out->cgroups[k].key.dim == DIM_CGROUP &&
			    out->cgroups[k].node.node == cgroup->key.node)
				subject_set_join(&cgroup->node.set,
						 &out->cgroups[k].node.set);
	}
}

static int add_login(struct compiling *c, const struct policy_subject *subject,
		     uint32_t bit)
{
	switch (subject->login) {
	case POLICY_LOGIN_UNSET:
		break;
	case POLICY_LOGIN_ANY:
		return add_subject(c, DIM_LOGIN, COMPILE_LOGIN_SOMEBODY, bit);
	case POLICY_LOGIN_NONE:
		return add_subject(c, DIM_LOGIN, COMPILE_LOGIN_NOBODY, bit);
	case POLICY_LOGIN_USER:
		return add_account(c, DIM_LOGIN, subject->pos,
				   &subject->login_user, bit);
	}
	subject_set_add(&c->out->dims.any[DIM_LOGIN], bit);
	return 0;
}

static int compile_subject(struct compiling *c,
			   const struct policy_subject *subject, uint32_t bit,
			   uint32_t *next)
{
	struct subject_set *any = c->out->dims.any;
	int r;

	if (subject->unit)
		r = add_unit(c, subject, bit, next);
	else
		r = (subject_set_add(&any[DIM_UNIT], bit), 0);
	if (r)
		return r;

	if (subject->cgroup)
		r = add_cgroup(c, subject, bit, next);
	else
		r = (subject_set_add(&any[DIM_CGROUP], bit), 0);
	if (r)
		return r;

	if (subject->exe)
		r = add_condition(c, DIM_EXE, subject->pos, subject->exe, bit);
	else
		r = (subject_set_add(&any[DIM_EXE], bit), 0);
	if (r)
		return r;

	if (subject->user.set)
		r = add_account(c, DIM_USER, subject->pos, &subject->user, bit);
	else
		r = (subject_set_add(&any[DIM_USER], bit), 0);
	if (r)
		return r;

	if (subject->group.set)
		r = add_account(c, DIM_GROUP, subject->pos, &subject->group,
				bit);
	else
		r = (subject_set_add(&any[DIM_GROUP], bit), 0);
	if (r)
		return r;

	return add_login(c, subject, bit);
}

static void compile_intake(struct compiling *c, size_t i)
{
	const struct policy_subject *subject = &c->policy->subjects[i];
	struct intake *intake = &c->out->intakes[c->bits[i]];

	if (!subject->declassifier)
		return;
	subject_set_add(&c->out->dims.aside, c->bits[i]);
	intake->subject = c->subject_ids[i];
	intake->cap.max = subject->cap.bytes;
	intake->cap.window_ns = subject->cap.bytes_window_ns;
}

static void compile_narrow(struct compiling *c, size_t i)
{
	if (!c->policy->subjects[i].narrow)
		return;
	subject_set_add(&c->out->dims.narrow, c->bits[i]);
	c->out->narrow = 1;
}

static void compile_pool(struct compiling *c, size_t i)
{
	if (!c->policy->subjects[i].pool)
		return;
	subject_set_add(&c->out->dims.pools, c->bits[i]);
	c->out->dims.pool[c->bits[i]] = c->subject_ids[i];
	c->out->pools = 1;
}

static int compile_subjects(struct compiling *c)
{
	uint32_t next = CGROUP_FIRST;
	size_t i;
	int r;

	for (i = 0; i < c->policy->n_subjects; i++) {
		r = compile_subject(c, &c->policy->subjects[i], c->bits[i],
				    &next);
		if (r)
			return r;
		compile_intake(c, i);
		compile_narrow(c, i);
		compile_pool(c, i);
	}
	inherit_cgroups(c->out);
	return 0;
}

/* ---- destinations ------------------------------------------------------ */

struct prefix {
	const struct policy_network *network;
	uint32_t destination;
};

static int prefix_cmp(const void *a, const void *b)
{
	const struct prefix *x = a, *y = b;
	int r;

	r = memcmp(x->network->addr, y->network->addr, 16);
	if (r)
		return r;
	if (x->network->prefix_len != y->network->prefix_len)
		return x->network->prefix_len < y->network->prefix_len ? -1 : 1;
	if (x->destination != y->destination)
		return x->destination < y->destination ? -1 : 1;
	return 0;
}

static bool covers(const struct policy_network *wide,
		   const struct policy_network *narrow)
{
	unsigned int bytes = wide->prefix_len / 8, bits = wide->prefix_len % 8;
	uint8_t mask = (uint8_t)(0xff00 >> bits);

	if (wide->prefix_len > narrow->prefix_len)
		return false;
	if (memcmp(wide->addr, narrow->addr, bytes))
		return false;
	return !bits || !((wide->addr[bytes] ^ narrow->addr[bytes]) & mask);
}

static bool takes_every_port(const struct dest_value *value)
{
	const struct dest_ports *last;

	if (!value->count)
		return false;
	last = &value->ports[value->count - 1];
	return !last->low && last->high == UINT16_MAX;
}

static int add_ports(struct compiling *c, const struct policy_network *network,
		     struct dest_value *value, uint16_t low, uint16_t high,
		     uint32_t dest)
{
	/* Nothing behind an entry for every port can ever be reached. */
	if (takes_every_port(value))
		return 0;
	if (value->count == CORDON_PORTS) {
		policy_errors_add(c->errs, WHERE, network->pos,
				  "too many ports for one network; it and the "
				  "wider networks around it may list %d port "
				  "ranges together",
				  CORDON_PORTS);
		return -EINVAL;
	}
	value->ports[value->count++] =
		(struct dest_ports){.low = low, .high = high, .dest = dest};
	return 0;
}

static int add_destination(struct compiling *c,
			   const struct policy_network *network,
			   struct dest_value *value, uint32_t destination)
{
	const struct policy_destination *from;
	uint32_t dest = c->dest_ids[destination];
	size_t i;
	int r;

	from = &c->policy->destinations[destination];
	if (!from->n_ports)
		return add_ports(c, network, value, 0, UINT16_MAX, dest);
	for (i = 0; i < from->n_ports; i++) {
		r = add_ports(c, network, value, from->ports[i].first,
			      from->ports[i].last, dest);
		if (r)
			return r;
	}
	return 0;
}

/*
 * One entry a network. @around are the places in @prefixes where the networks
 * begin that hold this one, widest first, itself last.
 */
static int compile_network(struct compiling *c, const struct prefix *prefixes,
			   size_t n, const size_t *around, size_t n_around)
{
	const struct policy_network *network, *from;
	struct compiled_dest *dest;
	size_t i;
	int r;

	network = prefixes[around[n_around - 1]].network;
	dest = room(c->out->dests, c->out->n_dests, sizeof(*dest));
	if (!dest)
		return -ENOMEM;
	c->out->dests = dest;
	dest += c->out->n_dests++;
	dest->key.prefixlen = 32U + network->prefix_len;
	memcpy(dest->key.addr, network->addr, sizeof(dest->key.addr));

	while (n_around--) {
		i = around[n_around];
		from = prefixes[i].network;
		for (; i < n; i++) {
			if (prefixes[i].network->prefix_len !=
				    from->prefix_len ||
			    memcmp(prefixes[i].network->addr, from->addr, 16))
				break;
			r = add_destination(c, network, &dest->value,
					    prefixes[i].destination);
			if (r)
				return r;
		}
	}
	return 0;
}

/*
 * Sorted by address and length, the networks around one stand before it, so
 * the ones that are still open form a stack; a length is in it once.
 */
static int compile_networks(struct compiling *c, const struct prefix *prefixes,
			    size_t n)
{
	const struct policy_network *network, *before;
	size_t around[129], n_around = 0, i;
	int r;

	for (i = 0; i < n; i++) {
		network = prefixes[i].network;
		if (i) {
			before = prefixes[i - 1].network;
			if (network->prefix_len == before->prefix_len &&
			    !memcmp(network->addr, before->addr, 16))
				continue;
		}
		while (n_around &&
		       !covers(prefixes[around[n_around - 1]].network, network))
			n_around--;
		around[n_around++] = i;
		r = compile_network(c, prefixes, n, around, n_around);
		if (r)
			return r;
	}
	return 0;
}

static int compile_dests(struct compiling *c)
{
	const struct policy *policy = c->policy;
	struct prefix *prefixes = NULL;
	size_t n = 0, i, k;
	int r;

	for (i = 0; i < policy->n_destinations; i++)
		n += policy->destinations[i].n_networks;
	if (!n)
		return 0;
	prefixes = calloc(n, sizeof(*prefixes));
	if (!prefixes)
		return -ENOMEM;
	n = 0;
	for (i = 0; i < policy->n_destinations; i++)
		for (k = 0; k < policy->destinations[i].n_networks; k++)
			prefixes[n++] = (struct prefix){
				&policy->destinations[i].networks[k],
				(uint32_t)i};
	qsort(prefixes, n, sizeof(*prefixes), prefix_cmp);

	/* A destination may name a network twice. */
	for (i = k = 0; i < n; i++)
		if (!k || prefix_cmp(&prefixes[k - 1], &prefixes[i]))
			prefixes[k++] = prefixes[i];

	r = compile_networks(c, prefixes, k);
	free(prefixes);
	return r;
}

static int compile_way(struct compiling *c, enum policy_way kind,
		       const struct policy_path *from, uint32_t dest)
{
	struct compiled_way *way;

	way = room(c->out->ways, c->out->n_ways, sizeof(*way));
	if (!way)
		return -ENOMEM;
	c->out->ways = way;
	way += c->out->n_ways;
	way->dest = dest;
	way->pos = from->pos;
	way->device = kind == POLICY_DEVICES;
	if (kind == POLICY_FILE_SYSTEMS) {
		way->key.kind = WAY_TYPE;
		(void)snprintf(way->key.way.type, sizeof(way->key.way.type),
			       "%s", from->path);
	} else {
		way->path = strdup(from->path);
		if (!way->path)
			return -ENOMEM;
	}
	c->out->n_ways++;
	return 0;
}

static int compile_ways(struct compiling *c)
{
	const struct policy_ways *ways;
	enum policy_way kind;
	size_t i, k;
	int r;

	for (i = 1; i < c->policy->n_destinations; i++) {
		for (kind = 0; kind < POLICY_WAYS; kind++) {
			ways = &c->policy->destinations[i].ways[kind];
			for (k = 0; k < ways->n; k++) {
				r = compile_way(c, kind, &ways->v[k],
						c->dest_ids[i]);
				if (r)
					return r;
			}
		}
	}
	return 0;
}

int compile_policy(const struct policy *policy, const uint32_t *record_bytes,
		   struct registry *reg, struct compiled **ret_compiled,
		   struct policy_errors *errs)
{
	struct compiling c = {.policy = policy, .reg = reg, .errs = errs};
	int r;

	policy_errors_init(errs);
	c.out = calloc(1, sizeof(*c.out));
	if (!c.out)
		return -ENOMEM;
	c.out->serial = policy->serial;
	c.out->mode = policy->mode == POLICY_OBSERVE ? MODE_OBSERVE
						     : MODE_ENFORCE;
	c.out->follow_files = policy->follow_files;
	c.out->follow_names = policy->follow_names;

	r = number_subjects(&c);
	if (r)
		goto out;
	r = number_names(&c);
	if (r)
		goto out;
	r = compile_quiet_files(&c);
	if (r)
		goto out;
	r = compile_rules(&c);
	if (r)
		goto out;
	compile_datasets(&c, record_bytes);
	r = compile_subjects(&c);
	if (r)
		goto out;
	r = compile_dests(&c);
	if (r)
		goto out;
	r = compile_ways(&c);
	if (r)
		goto out;
	*ret_compiled = c.out;
	c.out = NULL;
out:
	compile_free(c.out);
	return r;
}
