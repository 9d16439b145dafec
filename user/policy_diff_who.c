// SPDX-License-Identifier: GPL-2.0-only
/*
 * Who can be met by which subjects of two policies.
 *
 * A subject is a conjunction of conditions that all say what something is, none
 * what it is not. So of all who meet subject A of the old policy and B of the
 * new one, who meets nothing but these two meets the fewest other subjects: if
 * A decides over anybody in the old one and B in the new, then over that one.
 * It is enough to look at those, one a pair; but for logins, where everybody is
 * somebody or nobody, and both are looked at.
 */
#include "policy_diff_internal.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "array.h"

enum { UNIT, CGROUP, EXE, USER, GROUP, LOGIN, CONDITIONS };

struct who {
	const struct policy *policy[2];
	uint32_t rank[2][DIFF_SUBJECTS]; /* by place in the policy */
	/* Whom the subject at a place meets by one of its conditions alone. */
	struct diff_set (*met)[CONDITIONS];
	struct diff_set somebody, nobody; /* whom these meet by .login */
};

static bool same_text(const char *a, const char *b)
{
	return a && strcmp(a, b) == 0;
}

static bool other_number(const struct policy_account *a,
			 const struct policy_account *b)
{
	return a->set && b->set && a->is_id && b->is_id && a->id != b->id;
}

bool diff_path_holds(const char *above, const char *path)
{
	size_t len = strlen(above);

	if (strcmp(above, "/") == 0)
		return *path == '/';
	return strncmp(path, above, len) == 0 &&
	       (path[len] == '\0' || path[len] == '/');
}

/*
 * The unit that a control group is of: its first name that is no slice. Its
 * length, 0: there is none.
 */
static size_t unit_of(const char *cgroup, const char **ret_unit)
{
	static const char slice[] = ".slice";
	size_t len;

	while (*cgroup == '/') {
		cgroup++;
		len = strcspn(cgroup, "/");
		if (len < sizeof(slice) || memcmp(cgroup + len - strlen(slice),
						  slice, strlen(slice))) {
			*ret_unit = cgroup;
			return len;
		}
		cgroup += len;
	}
	return 0;
}

static bool cgroup_has_unit(const char *cgroup, const char *unit)
{
	const char *name;
	size_t len = unit_of(cgroup, &name);

	return len && len == strlen(unit) && memcmp(name, unit, len) == 0;
}

/* Whether all who meet a meet that condition of b. */
static bool meets(const struct policy_subject *a,
		  const struct policy_subject *b, int condition)
{
	switch (condition) {
	case UNIT:
		return !b->unit || same_text(a->unit, b->unit) ||
		       (a->cgroup && cgroup_has_unit(a->cgroup, b->unit));
	case CGROUP:
		return !b->cgroup || strcmp(b->cgroup, "/") == 0 ||
		       (a->cgroup && diff_path_holds(b->cgroup, a->cgroup));
	case EXE:
		return !b->exe || same_text(a->exe, b->exe);
	case USER:
		return !b->user.set || policy_same_account(&a->user, &b->user);
	case GROUP:
		return !b->group.set ||
		       policy_same_account(&a->group, &b->group);
	default:
		return policy_login_implies(a, b);
	}
}

/* Whether nobody can be in both places. */
static bool places_exclude(const struct policy_subject *a,
			   const struct policy_subject *b)
{
	const char *name;

	if (a->unit && b->unit)
		return strcmp(a->unit, b->unit) != 0;
	if (a->cgroup && b->cgroup)
		return !diff_path_holds(a->cgroup, b->cgroup) &&
		       !diff_path_holds(b->cgroup, a->cgroup);
	if (a->unit && b->cgroup)
		return unit_of(b->cgroup, &name) &&
		       !cgroup_has_unit(b->cgroup, a->unit);
	if (a->cgroup && b->unit)
		return unit_of(a->cgroup, &name) &&
		       !cgroup_has_unit(a->cgroup, b->unit);
	return false;
}

/* Whether nobody can meet both. */
static bool exclude(const struct policy_subject *a,
		    const struct policy_subject *b)
{
	bool a_none = a->login == POLICY_LOGIN_NONE;
	bool b_none = b->login == POLICY_LOGIN_NONE;

	if (a->login != POLICY_LOGIN_UNSET && b->login != POLICY_LOGIN_UNSET &&
	    a_none != b_none)
		return true;
	return places_exclude(a, b) || other_number(&a->user, &b->user) ||
	       other_number(&a->login_user, &b->login_user);
}

/* ---- sets --------------------------------------------------------------- */

static void add_rank(struct diff_set *set, bool after, uint32_t rank)
{
	set->words[after * DIFF_SIDE_WORDS + rank / 64] |= 1ULL << rank % 64;
}

void diff_set_add(struct diff_set *set, const struct policy *policy, bool after,
		  uint32_t subject)
{
	for (uint32_t i = 0; i < policy->n_subjects; i++)
		if (policy->subject_order[i] == subject)
			add_rank(set, after, i);
}

/* Of a set's subjects the one that decides; POLICY_EVERYONE: none may. */
static uint32_t first_of(const struct policy *policy, bool after,
			 const struct diff_set *who, const struct diff_set *set)
{
	size_t at = after * DIFF_SIDE_WORDS;
	uint64_t both;

	for (uint32_t i = 0; i < DIFF_SIDE_WORDS; i++) {
		both = who->words[at + i] & set->words[at + i];
		if (both)
			return policy->subject_order[i * 64 +
						     (uint32_t)__builtin_ctzll(
							     both)];
	}
	return POLICY_EVERYONE;
}

/* ---- pairs -------------------------------------------------------------- */

static void fill_logins(struct who *who, bool after,
			const struct policy_subject *subject, uint32_t rank)
{
	if (subject->login == POLICY_LOGIN_UNSET ||
	    subject->login == POLICY_LOGIN_ANY)
		add_rank(&who->somebody, after, rank);
	if (subject->login == POLICY_LOGIN_UNSET ||
	    subject->login == POLICY_LOGIN_NONE)
		add_rank(&who->nobody, after, rank);
}

/* Whom a subject meets by each of its conditions. */
static void fill_met(struct who *who, const struct policy_subject *a,
		     struct diff_set met[CONDITIONS])
{
	const struct policy *policy;

	for (int side = 0; side < 2; side++) {
		policy = who->policy[side];
		for (size_t i = 0; i < policy->n_subjects; i++)
			for (int k = 0; k < CONDITIONS; k++)
				if (meets(a, &policy->subjects[i], k))
					add_rank(&met[k], side,
						 who->rank[side][i]);
	}
}

static int fill(struct who *who)
{
	const struct policy *policy;

	who->met = calloc((size_t)2 * DIFF_SUBJECTS, sizeof(*who->met));
	if (!who->met)
		return -ENOMEM;
	for (int side = 0; side < 2; side++) {
		policy = who->policy[side];
		for (uint32_t i = 0; i < policy->n_subjects; i++)
			who->rank[side][policy->subject_order[i]] = i;
	}
	for (int side = 0; side < 2; side++) {
		policy = who->policy[side];
		for (size_t i = 0; i < policy->n_subjects; i++) {
			fill_logins(who, side, &policy->subjects[i],
				    who->rank[side][i]);
			fill_met(who, &policy->subjects[i],
				 who->met[(size_t)side * DIFF_SUBJECTS + i]);
		}
	}
	return 0;
}

/* Whom those meet who meet both subjects and nothing else. */
static void met_by_both(const struct who *who, struct diff_pair pair,
			const struct diff_set *login, struct diff_set *ret_set)
{
	const struct diff_set *a = who->met[pair.before];
	const struct diff_set *b = who->met[DIFF_SUBJECTS + pair.after];

	for (size_t i = 0; i < 2 * (size_t)DIFF_SIDE_WORDS; i++) {
		ret_set->words[i] = login ? login->words[i]
					  : a[LOGIN].words[i] |
						    b[LOGIN].words[i];
		for (int k = 0; k < LOGIN; k++)
			ret_set->words[i] &= a[k].words[i] | b[k].words[i];
	}
}

static int add_pair(struct diff_pairs *pairs, struct diff_pair pair)
{
	const struct diff_pair *last = pairs->n ? &pairs->v[pairs->n - 1]
						: NULL;
	struct diff_pair *grown;

	if (last && last->before == pair.before && last->after == pair.after)
		return 0;
	grown = array_grow(pairs->v, pairs->n, sizeof(*grown));
	if (!grown)
		return -ENOMEM;
	pairs->v = grown;
	pairs->v[pairs->n++] = pair;
	return 0;
}

/* Over which of the sets' matters do the two decide together? */
static int try_pair(const struct who *who, struct diff_pair pair,
		    const struct diff_set *login, const struct diff_set *sets,
		    size_t n, struct diff_pairs *ret_pairs)
{
	struct diff_set met;
	int r = 0;

	met_by_both(who, pair, login, &met);
	for (size_t i = 0; i < n && !r; i++)
		if (first_of(who->policy[0], false, &met, &sets[i]) ==
			    pair.before &&
		    first_of(who->policy[1], true, &met, &sets[i]) ==
			    pair.after)
			r = add_pair(&ret_pairs[i], pair);
	return r;
}

static int try_both(const struct who *who, struct diff_pair pair,
		    const struct diff_set *sets, size_t n,
		    struct diff_pairs *ret_pairs)
{
	const struct policy_subject *a, *b;
	int r;

	a = &who->policy[0]->subjects[pair.before];
	b = &who->policy[1]->subjects[pair.after];
	if (exclude(a, b))
		return 0;
	if (a->login != POLICY_LOGIN_UNSET || b->login != POLICY_LOGIN_UNSET)
		return try_pair(who, pair, NULL, sets, n, ret_pairs);
	r = try_pair(who, pair, &who->somebody, sets, n, ret_pairs);
	return r ? r : try_pair(who, pair, &who->nobody, sets, n, ret_pairs);
}

int diff_find_pairs(const struct policy *before, const struct policy *after,
		    const struct diff_set *sets, size_t n,
		    struct diff_pairs *ret_pairs)
{
	struct who *who = calloc(1, sizeof(*who));
	struct diff_pair pair;
	int r;

	if (!who)
		return -ENOMEM;
	who->policy[0] = before;
	who->policy[1] = after;
	r = fill(who);
	for (pair.before = 0; pair.before < before->n_subjects; pair.before++)
		for (pair.after = 0; pair.after < after->n_subjects && !r;
		     pair.after++)
			r = try_both(who, pair, sets, n, ret_pairs);
	free(who->met);
	free(who);
	return r;
}
