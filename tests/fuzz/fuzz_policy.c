// SPDX-License-Identifier: GPL-2.0-only
/*
 * Fuzz target of the policy parser, and of what is asked of a policy that
 * parsed: lookups, explanation, warnings. What it asserts beyond "no crash":
 * every index is in range, both orders are permutations, numbers are within
 * their limits, a refusal always says where and why in printable text, and
 * nothing differs between a policy and itself.
 *
 * Build: clang -fsanitize=fuzzer,address,undefined -Iuser fuzz_policy.c
 *        user/policy*.c user/text.c -lyaml
 * Run:   fuzz_policy -dict=tests/fuzz/policy.dict tests/fuzz/corpus/policy
 *
 * Known-bad modes, which must end in a crash or the harness is blind:
 *   CORDON_FUZZ_SELFTEST=seed fuzz_policy corpus/policy/selftest.yaml
 *	aborts when a policy of the issuer "Fuzz Selftest" parses: proves that
 *	a seed reaches the parser and a crash is seen.
 *   CORDON_FUZZ_SELFTEST=mutant fuzz_policy ... tests/fuzz/corpus/policy
 *	aborts when a policy with another serial than 1 or 42 parses, which no
 *	seed has: proves that it is the mutated bytes that are parsed.
 */
#include "fuzz.h"

#include "policy.h"
#include "policy_diff.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "text.h"

static void check_budget(const struct policy_budget *budget)
{
	char text[POLICY_BUDGET_CHARS_MAX];

	policy_budget_format(budget, text, sizeof(text));
	CHECK(text[0] != '\0' && strlen(text) < sizeof(text) - 1);
	CHECK(budget->records <= POLICY_BUDGET_RECORDS_MAX);
	CHECK(budget->bytes <= POLICY_BUDGET_BYTES_MAX);
	CHECK(budget->records_window_ns <= POLICY_WINDOW_NS_MAX);
	CHECK(budget->bytes_window_ns <= POLICY_WINDOW_NS_MAX);
	CHECK(!budget->records == !budget->records_window_ns);
	CHECK(!budget->bytes == !budget->bytes_window_ns);
	CHECK((budget->records || budget->bytes) ==
	      (budget->kind == POLICY_BUDGET_LIMITED));
}

static void check_order(const uint32_t *order, size_t n)
{
	unsigned char seen[POLICY_RULES_MAX] = {0};

	CHECK(n <= POLICY_RULES_MAX);
	for (size_t i = 0; i < n; i++) {
		CHECK(order[i] < n);
		CHECK(!seen[order[i]]);
		seen[order[i]] = 1;
	}
}

static void check_policy(const struct policy *p)
{
	const struct policy_network *network;
	const struct policy_rule *rule;
	const struct policy_ways *ways;
	size_t n_networks = 0, n_ways;
	uint32_t to;

	CHECK(p->issuer && p->serial >= 1 && p->serial <= INT64_MAX);
	CHECK(p->n_hosts >= 1 && p->n_datasets >= 1);
	CHECK(p->n_datasets <= POLICY_DATASETS_MAX);
	CHECK(p->n_subjects <= POLICY_SUBJECTS_MAX + 1);
	CHECK(p->n_destinations <= POLICY_DESTINATIONS_MAX + 1);
	CHECK(strcmp(p->subjects[POLICY_EVERYONE].name, "*") == 0);
	CHECK(strcmp(p->destinations[POLICY_ANYWHERE].name, "*") == 0);
	check_order(p->rule_order, p->n_rules);
	check_order(p->subject_order, p->n_subjects);
	CHECK(p->subject_order[p->n_subjects - 1] == POLICY_EVERYONE);

	for (size_t i = 0; i < p->n_datasets; i++) {
		CHECK(p->datasets[i].n_paths >= 1);
		CHECK((p->datasets[i].record == POLICY_RECORD_BYTES) ==
		      (p->datasets[i].record_bytes > 0));
		CHECK((p->datasets[i].key_from > 0) ==
		      (p->datasets[i].key_to > 0));
		CHECK(p->datasets[i].key_to <= p->datasets[i].record_bytes);
		CHECK(p->datasets[i].key_to - p->datasets[i].key_from <
		      POLICY_KEY_BYTES_MAX);
	}
	CHECK(!p->subjects[POLICY_EVERYONE].declassifier);
	for (size_t i = 1; i < p->n_subjects; i++) {
		CHECK(p->subjects[i].specificity >= 1 &&
		      p->subjects[i].specificity <= 5);
		check_budget(&p->subjects[i].cap);
		CHECK(p->subjects[i].declassifier ==
		      (p->subjects[i].cap.bytes > 0));
		CHECK(!p->subjects[i].cap.records);
		CHECK(p->subjects[i].preset ==
		      (strncmp(p->subjects[i].name, "preset-", 7) == 0));
	}
	CHECK(p->n_quiet <= POLICY_QUIET_MAX);
	for (size_t i = 0; i < p->n_quiet; i++) {
		CHECK(p->quiet[i].n_paths >= 1 &&
		      p->quiet[i].n_paths <= POLICY_PATHS_MAX);
		check_budget(&p->quiet[i].cap);
		CHECK(p->quiet[i].cap.bytes > 0 && !p->quiet[i].cap.records);
		CHECK(p->quiet[i].preset ==
		      (strncmp(p->quiet[i].name, "preset-", 7) == 0));
	}
	for (uint32_t i = 1; i < p->n_destinations; i++) {
		n_networks += p->destinations[i].n_networks;
		n_ways = 0;
		for (size_t k = 0; k < POLICY_WAYS; k++) {
			ways = &p->destinations[i].ways[k];
			n_ways += ways->n;
			CHECK(ways->n <= POLICY_PATHS_MAX);
			/* what stands there once is nobody else's */
			CHECK(!ways->n ||
			      (!policy_match_way(p, ways->v[0].path, &to) &&
			       to == i));
		}
		CHECK(p->destinations[i].n_networks + n_ways >= 1);
		if (!p->destinations[i].n_networks)
			continue;
		/* an address belongs somewhere if it is a network's own */
		network = &p->destinations[i].networks[0];
		CHECK(policy_match_address(p, network->addr, 0) !=
		      POLICY_ANYWHERE);
	}
	CHECK(n_networks <= POLICY_NETWORKS_MAX);

	for (size_t i = 0; i < p->n_rules; i++) {
		rule = &p->rules[i];
		CHECK(rule->subject < p->n_subjects);
		CHECK(rule->dataset < p->n_datasets ||
		      rule->dataset == POLICY_ANY_DATASET);
		CHECK(rule->n_releases <= POLICY_RELEASES_MAX);
		check_budget(&rule->read);
		for (size_t j = 0; j < rule->n_releases; j++) {
			CHECK(rule->releases[j].destination <
			      p->n_destinations);
			check_budget(&rule->releases[j].budget);
		}
	}
}

static void ask(const struct policy *p, struct policy_errors *errs)
{
	const struct policy_subject *last = &p->subjects[p->n_subjects - 1];
	const struct policy_actor actor = {
		.unit = last->unit,
		.cgroup = last->cgroup,
		.exe = last->exe,
		.user = last->user.name,
		.group = "0,print,lp",
		.login = "none",
	};
	struct policy_explanation *e = NULL;
	size_t n_wins = 0;
	char text[256];
	int r;

	r = policy_explain(p, &actor, p->datasets[0].name, "10.20.0.5:631", &e,
			   errs);
	if (r == -ENOMEM)
		return;
	CHECK(r == 0);
	CHECK(e->n_candidates == p->n_rules && e->n_subjects >= 1);
	CHECK(e->declassifier < p->n_subjects);
	CHECK((e->declassifier != POLICY_NO_DECLASSIFIER) ==
	      p->subjects[e->declassifier].declassifier);
	for (size_t i = 0; i < e->n_candidates; i++) {
		n_wins += e->candidates[i].why == POLICY_WHY_WINS;
		policy_candidate_format(p, e, &e->candidates[i], text,
					sizeof(text));
		CHECK(text[0] != '\0');
	}
	CHECK(n_wins == (e->rule != POLICY_NO_RULE));
	policy_explanation_free(e);

	/* whatever a destination is called, the name is found or refused */
	e = NULL;
	r = policy_explain(p, &actor, p->datasets[0].name, p->issuer, &e, errs);
	CHECK(r == 0 || errs->n == 1 || r == -ENOMEM);
	policy_explanation_free(e);
	(void)policy_covers_host(p, p->issuer);
}

static void on_finding(enum policy_finding kind, struct policy_pos pos,
		       const char *text, void *arg)
{
	int *n_warnings = arg;

	(void)pos;
	*n_warnings += kind == POLICY_WARNING;
	CHECK(text_is_clean(text, strlen(text), ""));
}

static int on_capacity(const struct policy_capacity *capacity, void *arg)
{
	const struct policy *p = arg;
	char text[POLICY_CAPACITY_CHARS_MAX];

	CHECK(capacity->budget->bytes_window_ns);
	CHECK(capacity->dataset < p->n_datasets);
	CHECK(capacity->squeezed == POLICY_CAPACITY_UNKNOWN ||
	      (capacity->squeezed <= INT64_MAX &&
	       capacity->squeezed >= capacity->plain));
	policy_capacity_format(p, capacity, text, sizeof(text));
	CHECK(strlen(text) < sizeof(text) - 1);
	return 0;
}

static void check_errors(const struct policy_errors *errs, int r)
{
	CHECK(r == -EINVAL || r == -ENOMEM);
	CHECK(r == -ENOMEM || errs->n > 0);
	CHECK(errs->n <= POLICY_ERRORS_MAX);
	for (size_t i = 0; i < errs->n; i++) {
		CHECK(errs->v[i].pos.line > 0 && errs->v[i].pos.col > 0);
		CHECK(text_is_clean(errs->v[i].text, strlen(errs->v[i].text),
				    ""));
		CHECK(strstr(errs->v[i].text, "expected"));
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct policy_errors errs;
	struct policy_diff *diff = NULL;
	struct policy *p = NULL;
	int n_warnings = 0, r;

	r = policy_parse("fuzz.yaml", data, size, &p, &errs);
	if (r) {
		CHECK(!p);
		check_errors(&errs, r);
		return 0;
	}
	CHECK(errs.n == 0);
	fuzz_selftest(strcmp(p->issuer, "Fuzz Selftest") == 0,
		      p->serial != 1 && p->serial != 42);
	check_policy(p);
	ask(p, &errs);
	r = policy_check_warnings(p, 1793491200, on_finding, &n_warnings);
	CHECK(r == n_warnings || r == -ENOMEM);
	CHECK(policy_each_capacity(p, on_capacity, p) == 0);
	CHECK(policy_diff(p, p, &diff) == 0);
	CHECK(diff->n == 0 && !diff->falls);
	policy_diff_free(diff);
	policy_free(p);
	return 0;
}
