// SPDX-License-Identifier: GPL-2.0-only
/*
 * What byte budgets mean in records. Bytes say little about them: a record is
 * as long as its file has it (`record`), can be packed (`squeeze`), and only
 * for narrow subjects is there a length below which nobody gets (`floor`).
 */
#include "policy.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>

#include <linux/bpf.h>

#include "decide.h"

/* bytes * squeeze / size, where the product may be more than there is. */
static uint64_t squeezed(uint64_t bytes, uint32_t squeeze, uint32_t size)
{
	uint64_t whole;

	if (__builtin_mul_overflow(bytes / size, (uint64_t)squeeze, &whole))
		return INT64_MAX;
	whole += bytes % size * squeeze / size;
	return whole > INT64_MAX ? INT64_MAX : whole;
}

uint32_t policy_squeeze(const struct policy_dataset *dataset,
			const struct policy_subject *subject)
{
	return tighter_squeeze(dataset->squeeze, subject->squeeze);
}

uint32_t policy_floor(const struct policy_dataset *dataset,
		      const struct policy_subject *subject)
{
	return tighter_floor(dataset->floor_bytes, subject->floor_bytes);
}

/* Of what leaves a narrow subject its own numbers count where tighter. */
static bool is_bound(const struct policy *policy,
		     const struct policy_capacity *c)
{
	return c->act == POLICY_RELEASE && policy->subjects[c->subject].narrow;
}

static void measure(const struct policy *policy, struct policy_capacity *c)
{
	const struct policy_dataset *dataset = &policy->datasets[c->dataset];
	uint64_t bytes = c->budget->bytes;
	uint32_t size = dataset->record_bytes;

	c->squeeze = dataset->squeeze;
	c->floor = dataset->floor_bytes;
	if (is_bound(policy, c)) {
		c->squeeze =
			policy_squeeze(dataset, &policy->subjects[c->subject]);
		c->floor = policy_floor(dataset, &policy->subjects[c->subject]);
	}
	c->plain = c->squeezed = c->at_floor = POLICY_CAPACITY_UNKNOWN;
	if (size)
		c->plain = bytes / size;
	if (size && c->squeeze && c->act != POLICY_READ)
		c->squeezed = squeezed(bytes, c->squeeze, size);
	/* What is read is read as it stands. */
	if (c->floor && !(size && c->act == POLICY_READ))
		c->at_floor = bytes / c->floor;
}

struct walk {
	const struct policy *policy;
	policy_capacity_fn fn;
	void *arg;
};

/* One budget with each of the datasets first..last. */
static int walk_budget(const struct walk *walk, struct policy_capacity *c,
		       const struct policy_budget *budget, uint32_t dataset)
{
	uint32_t first = dataset, last = dataset;
	int r = 0;

	if (!budget->bytes_window_ns)
		return 0;
	if (dataset == POLICY_ANY_DATASET) {
		first = 0;
		last = (uint32_t)walk->policy->n_datasets - 1;
	}
	c->budget = budget;
	for (c->dataset = first; c->dataset <= last && !r; c->dataset++) {
		measure(walk->policy, c);
		r = walk->fn(c, walk->arg);
	}
	return r;
}

static int walk_rule(const struct walk *walk, const struct policy_rule *rule)
{
	struct policy_capacity c = {.subject = rule->subject};
	int r;

	c.act = POLICY_READ;
	r = walk_budget(walk, &c, &rule->read, rule->dataset);
	c.act = POLICY_RELEASE;
	for (size_t i = 0; i < rule->n_releases && !r; i++) {
		c.destination = rule->releases[i].destination;
		r = walk_budget(walk, &c, &rule->releases[i].budget,
				rule->dataset);
	}
	return r;
}

int policy_each_capacity(const struct policy *policy, policy_capacity_fn fn,
			 void *arg)
{
	const struct walk walk = {policy, fn, arg};
	struct policy_capacity c = {.act = POLICY_INTAKE};
	int r = 0;

	for (size_t i = 0; i < policy->n_rules && !r; i++)
		r = walk_rule(&walk, &policy->rules[i]);
	for (uint32_t i = 0; i < policy->n_subjects && !r; i++) {
		c.subject = i;
		r = walk_budget(&walk, &c, &policy->subjects[i].cap,
				POLICY_ANY_DATASET);
	}
	c.act = POLICY_QUIET;
	for (uint32_t i = 0; i < policy->n_quiet && !r; i++) {
		c.subject = i;
		r = walk_budget(&walk, &c, &policy->quiet[i].cap,
				POLICY_ANY_DATASET);
	}
	return r;
}

/* ---- in words ---------------------------------------------------------- */

struct words {
	char *buf;
	size_t size;
	size_t len;
};

__attribute__((format(printf, 2, 3))) static void say(struct words *words,
						      const char *format, ...)
{
	va_list ap;
	int n;

	if (words->len + 1 >= words->size)
		return;
	va_start(ap, format);
	n = vsnprintf(words->buf + words->len, words->size - words->len, format,
		      ap);
	va_end(ap);
	words->len += n > 0 ? (size_t)n : 0;
}

static void say_act(struct words *words, const struct policy *policy,
		    const struct policy_capacity *c)
{
	switch (c->act) {
	case POLICY_READ:
		say(words, "read");
		break;
	case POLICY_RELEASE:
		say(words, "release to %s",
		    policy->destinations[c->destination].name);
		break;
	case POLICY_INTAKE:
		say(words, "intake of %s", policy->subjects[c->subject].name);
		break;
	case POLICY_QUIET:
		say(words, "intake of quiet files %s",
		    policy->quiet[c->subject].name);
		break;
	}
}

static void say_records(struct words *words,
			const struct policy_dataset *dataset,
			const struct policy_capacity *c, bool bound)
{
	const char *comma = "";

	if (c->plain != POLICY_CAPACITY_UNKNOWN) {
		if (c->plain == 1)
			say(words, "1 record as it is (%" PRIu32 " bytes)",
			    dataset->record_bytes);
		else
			say(words,
			    "%" PRIu64 " records as they are (%" PRIu32
			    " bytes each)",
			    c->plain, dataset->record_bytes);
		comma = ", ";
	}
	if (c->squeezed != POLICY_CAPACITY_UNKNOWN)
		say(words, "%s%" PRIu64 " squeezed %" PRIu32 " to 1", comma,
		    c->squeezed, c->squeeze);
	if (c->at_floor != POLICY_CAPACITY_UNKNOWN)
		say(words,
		    "%s%s%" PRIu64 "%s at the floor of %" PRIu32 " bytes",
		    comma, bound ? "at most " : "", c->at_floor,
		    *comma	       ? ""
		    : c->at_floor == 1 ? " record"
				       : " records",
		    c->floor);
	if (!*comma && c->at_floor == POLICY_CAPACITY_UNKNOWN)
		say(words, "any number of records, for neither its bytes a "
			   "record nor its floor are stated");
}

/*
 * The floor is a promise about narrow subjects only: of what another one sends,
 * any byte may stand for any number of records.
 */
void policy_capacity_format(const struct policy *policy,
			    const struct policy_capacity *c, char *buf,
			    size_t size)
{
	const struct policy_dataset *dataset = &policy->datasets[c->dataset];
	bool floor = c->at_floor != POLICY_CAPACITY_UNKNOWN;
	bool known = floor || c->plain != POLICY_CAPACITY_UNKNOWN;
	bool bound = floor && is_bound(policy, c);
	char text[POLICY_BUDGET_CHARS_MAX];
	struct words words = {.buf = buf, .size = size};
	struct policy_budget bytes = *c->budget;

	buf[0] = '\0';
	bytes.records = 0;
	bytes.records_window_ns = 0;
	policy_budget_format(&bytes, text, sizeof(text));
	say_act(&words, policy, c);
	say(&words, " %s of dataset %s: ", text, dataset->name);
	say_records(&words, dataset, c, bound);
	if (c->act == POLICY_INTAKE || c->act == POLICY_QUIET)
		return;
	if (c->budget->records_window_ns)
		say(&words, "; the limit of records beside it holds as well");
	else if (!known)
		say(&words, "; add a limit of records");
	else if (c->act == POLICY_READ)
		say(&words, "; parts of more: add a limit of records");
	else if (!bound)
		say(&words, "; more if they are packed tighter: add a limit of "
			    "records");
}

const char *policy_act_name(enum policy_act act)
{
	switch (act) {
	case POLICY_READ:
		return "read";
	case POLICY_RELEASE:
		return "release";
	case POLICY_INTAKE:
	case POLICY_QUIET:
		break;
	}
	return "intake";
}
