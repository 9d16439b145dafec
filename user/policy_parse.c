// SPDX-License-Identifier: GPL-2.0-only
/*
 * From the tree of YAML to struct policy.
 *
 * The functions here return 0 or -ENOMEM; what is wrong with the policy is told
 * as policy_take.h says.
 */
#include "policy_take.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *const no_yes[] = {"no", "yes"};

/* Of a key that is "no" where it is not given (NULL). */
static bool take_yes(struct parser *ps, const struct policy_yaml *node,
		     const char *what)
{
	unsigned int choice = 0;

	if (node)
		take_choice(ps, node, what, no_yes, N_ELEMENTS(no_yes),
			    &choice);
	return choice == 1;
}

/* ---- datasets ---------------------------------------------------------- */

/* Which bytes of a row, of so many, are its key; 0: how many is not known. */
static void take_row_key(struct parser *ps, const struct policy_yaml *node,
			 uint32_t row_bytes, struct policy_dataset *dataset)
{
	enum { FROM, TO, N_KEYS };
	static const struct take_key keys[] = {
		[FROM] = {"from", "1"},
		[TO] = {"to", "8"},
	};
	static const struct take_schema schema = {"the key of a row", keys,
						  N_KEYS};
	const struct policy_yaml *v[N_KEYS];
	uint64_t max = row_bytes ? row_bytes : POLICY_RECORD_BYTES_MAX;
	uint64_t from = 0, to = 0;

	if (!take_map(ps, node, "key",
		      "the bytes of each row that say whose it is, such as "
		      "{from: 1, to: 8}") ||
	    !take_keys(ps, node, &schema, v))
		return;
	if (v[FROM])
		take_u64(ps, v[FROM], "key from", 1, max, &from);
	if (v[TO])
		take_u64(ps, v[TO], "key to", 1, max, &to);
	if (!from || !to)
		return;
	if (to < from)
		take_fail(ps, v[TO]->pos,
			  "key to is \"%" PRIu64
			  "\", which is before its from; "
			  "expected a number from %" PRIu64 " to %" PRIu64,
			  to, from, max);
	else if (to - from >= POLICY_KEY_BYTES_MAX)
		take_fail(ps, node->pos,
			  "key has %" PRIu64 " bytes; expected at most %d, "
			  "those that say whose row it is and nothing else",
			  to - from + 1, POLICY_KEY_BYTES_MAX);
	dataset->key_from = (uint32_t)from;
	dataset->key_to = (uint32_t)to;
	dataset->key_pos = node->pos;
}

static void take_record(struct parser *ps, const struct policy_yaml *node,
			struct policy_dataset *dataset)
{
	enum { BYTES, KEY, N_KEYS };
	static const struct take_key keys[] = {
		[BYTES] = {"bytes", "160"},
		[KEY] = {"key", NULL},
	};
	static const struct take_schema schema = {"record", keys, N_KEYS};
	static const char *const words[] = {"file", "line", "{bytes: N}"};
	const struct policy_yaml *v[N_KEYS];
	unsigned int choice = N_ELEMENTS(words);

	if (node->type != POLICY_YAML_MAP) {
		take_choice(ps, node, "record", words, N_ELEMENTS(words),
			    &choice);
		if (choice == 0)
			dataset->record = POLICY_RECORD_FILE;
		else if (choice == 1)
			dataset->record = POLICY_RECORD_LINE;
		else if (choice == 2)
			take_fail(ps, node->pos,
				  "record is a text; expected {bytes: 160} "
				  "without quotes around it");
		return;
	}
	if (!take_keys(ps, node, &schema, v))
		return;
	dataset->record = POLICY_RECORD_BYTES;
	if (v[BYTES])
		take_size(ps, v[BYTES], "record bytes", &dataset->record_bytes);
	if (v[KEY])
		take_row_key(ps, v[KEY], dataset->record_bytes, dataset);
}

static int take_paths(struct parser *ps, const struct policy_yaml *node,
		      const char *what, const char *example,
		      struct policy_path **ret_paths, size_t *ret_n)
{
	const struct policy_yaml *member;
	struct policy_path *path;
	char list[64];
	int r;

	(void)snprintf(list, sizeof(list), "[%s]", example);
	member = take_list(ps, node, "paths", POLICY_PATHS_MAX, list);
	if (!member)
		return 0;
	*ret_paths = calloc(node->n_children, sizeof(**ret_paths));
	if (!*ret_paths)
		return -ENOMEM;
	for (; member; member = member->next) {
		path = &(*ret_paths)[*ret_n];
		path->pos = member->pos;
		r = take_path(ps, member, what, example, &path->path);
		if (r)
			return r;
		if (path->path)
			++*ret_n;
	}
	return 0;
}

/* Either may be NULL: then it is 0, which is unknown. */
static void take_measures(struct parser *ps, const struct policy_yaml *squeeze,
			  const struct policy_yaml *floor,
			  uint32_t *ret_squeeze, uint32_t *ret_floor)
{
	uint64_t n = 0;

	if (squeeze)
		take_u64(ps, squeeze, "squeeze", 1, POLICY_SQUEEZE_MAX, &n);
	*ret_squeeze = (uint32_t)n;
	if (floor)
		take_size(ps, floor, "floor", ret_floor);
}

static int take_dataset(struct parser *ps, const struct policy_yaml *node,
			struct policy_dataset *dataset)
{
	enum { PATHS, RECORD, CLASSIFICATION, SQUEEZE, FLOOR, N_KEYS };
	static const struct take_key keys[] = {
		[PATHS] = {"paths", "[/srv/personnel/photos]"},
		[RECORD] = {"record", "file"},
		[CLASSIFICATION] = {"classification", NULL},
		[SQUEEZE] = {"squeeze", NULL},
		[FLOOR] = {"floor", NULL},
	};
	static const struct take_schema schema = {"a dataset", keys, N_KEYS};
	const struct policy_yaml *v[N_KEYS];
	int r = 0;

	if (!take_keys(ps, node, &schema, v))
		return 0;
	if (v[PATHS])
		r = take_paths(ps, v[PATHS], "a path of a dataset",
			       "/srv/personnel/photos", &dataset->paths,
			       &dataset->n_paths);
	if (!r && v[CLASSIFICATION])
		r = take_string(ps, v[CLASSIFICATION], "classification",
				POLICY_TEXT_CHARS_MAX,
				&dataset->classification);
	if (r)
		return r;

	if (v[RECORD])
		take_record(ps, v[RECORD], dataset);
	take_measures(ps, v[SQUEEZE], v[FLOOR], &dataset->squeeze,
		      &dataset->floor_bytes);
	return 0;
}

static int take_datasets(struct parser *ps, const struct policy_yaml *node)
{
	struct policy *p = ps->policy;
	const struct policy_yaml *key;
	struct policy_dataset *dataset;
	uint32_t earlier;
	size_t n;
	int r;

	key = take_names(ps, node, "datasets", "a map of names and datasets",
			 POLICY_DATASETS_MAX, &n);
	if (!key) {
		if (node->type == POLICY_YAML_MAP)
			take_fail(ps, node->pos,
				  "datasets is empty; expected at least one "
				  "dataset to protect");
		return 0;
	}
	p->datasets = calloc(n, sizeof(*p->datasets));
	if (!p->datasets)
		return -ENOMEM;
	for (; n > 0; key = key->next->next, n--) {
		r = policy_find_dataset(p, key->text ? key->text : "",
					&earlier);
		dataset = &p->datasets[p->n_datasets];
		r = take_name(ps, key, "a dataset",
			      r ? NULL : &p->datasets[earlier].pos,
			      &dataset->name, &dataset->pos);
		if (r == -EINVAL)
			continue;
		if (r)
			return r;
		p->n_datasets++;
		r = take_dataset(ps, key->next, dataset);
		if (r)
			return r;
	}
	return 0;
}

/* Is path inside dir, or the same? */
static bool is_inside(const char *path, const char *dir)
{
	size_t len = strlen(dir);

	return strncmp(path, dir, len) == 0 &&
	       (path[len] == '/' || path[len] == '\0');
}

/*
 * What is of a dataset is never quiet: of the paths around one, or the same,
 * none may be a dataset's.
 */
static void check_quiet_path(struct parser *ps, const struct policy_path *path)
{
	const struct policy *p = ps->policy;
	const struct policy_dataset *dataset;
	struct quoted q;

	for (size_t i = 0; i < p->n_datasets; i++) {
		dataset = &p->datasets[i];
		for (size_t j = 0; j < dataset->n_paths; j++) {
			if (!is_inside(path->path, dataset->paths[j].path) ||
			    strcmp(path->path, dataset->paths[j].path) == 0)
				continue;
			text_quote(path->path, strlen(path->path), q.s,
				   sizeof(q.s));
			take_fail(ps, path->pos,
				  "quiet path %s is inside of dataset %s (line "
				  "%" PRIu32 "), whose files are never quiet; "
				  "expected a path outside of it",
				  q.s, dataset->name,
				  dataset->paths[j].pos.line);
		}
	}
}

/* One path can be of one dataset or name of quiet files: a file has one label.
 */
static int check_paths(struct parser *ps)
{
	const struct policy *p = ps->policy;
	const struct policy_path **all;
	size_t n = 0;

	for (size_t i = 0; i < p->n_datasets; i++)
		n += p->datasets[i].n_paths;
	for (size_t i = 0; i < p->n_quiet; i++)
		n += p->quiet[i].n_paths;
	if (n == 0)
		return 0;
	all = calloc(n, sizeof(*all));
	if (!all)
		return -ENOMEM;
	n = 0;
	for (size_t i = 0; i < p->n_datasets; i++)
		for (size_t j = 0; j < p->datasets[i].n_paths; j++)
			all[n++] = &p->datasets[i].paths[j];
	for (size_t i = 0; i < p->n_quiet; i++)
		for (size_t j = 0; j < p->quiet[i].n_paths; j++) {
			all[n++] = &p->quiet[i].paths[j];
			check_quiet_path(ps, &p->quiet[i].paths[j]);
		}
	take_once(ps, all, n, "path ", "one dataset, or name of quiet files");
	free(all);
	return 0;
}

/* ---- subjects ---------------------------------------------------------- */

/*
 * Hosts compare the unit that a process runs in, and a slice is none: it holds
 * units, so it is a control group, whose path the dashes in its name tell.
 */
static void refuse_slice(struct parser *ps, const struct policy_yaml *node)
{
	const char *name = node->text;
	char path[POLICY_ERROR_CHARS_MAX] = "";
	size_t len = 0, end = strlen(name) - strlen(".slice");

	for (size_t i = 1; i <= end && len < sizeof(path); i++)
		if (i == end || name[i] == '-')
			len += (size_t)snprintf(path + len, sizeof(path) - len,
						"/%.*s.slice", (int)i, name);
	take_fail(ps, node->pos,
		  "unit %s is a slice, which holds units and is none; expected "
		  "the key cgroup with its path, \"cgroup: %.*s\"",
		  take_quote(node).s, POLICY_UNIT_CHARS_MAX, path);
}

static int take_unit(struct parser *ps, const struct policy_yaml *node,
		     char **ret_unit)
{
	static const char expected[] = "a unit such as "
				       "backup.service or session-1.scope";
	static const char chars[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
				    "abcdefghijklmnopqrstuvwxyz"
				    "0123456789:._@-\\";
	static const char *const suffixes[] = {
		".service", ".scope", ".socket", ".mount", ".swap", ".slice",
	};
	const char *text = take_scalar(ps, node, "unit", expected);
	const char *dot;
	bool good = false;

	if (!text)
		return 0;
	dot = strrchr(text, '.');
	for (size_t i = 0; dot && i < N_ELEMENTS(suffixes); i++)
		if (strcmp(dot, suffixes[i]) == 0)
			good = true;
	if (!good || dot == text || strspn(text, chars) != node->len ||
	    node->len > POLICY_UNIT_CHARS_MAX) {
		take_fail(ps, node->pos, "unit is %s; expected %s",
			  take_quote(node).s, expected);
		return 0;
	}
	if (dot[-1] == '@') {
		take_fail(ps, node->pos,
			  "unit %s is a template, which never runs itself; "
			  "expected an instance such as name@instance%s",
			  take_quote(node).s, dot);
		return 0;
	}
	if (strcmp(dot, ".slice") == 0) {
		refuse_slice(ps, node);
		return 0;
	}
	*ret_unit = strdup(text);
	return *ret_unit ? 0 : -ENOMEM;
}

static int take_account(struct parser *ps, const struct policy_yaml *node,
			const char *what, const char *expected,
			struct policy_account *account)
{
	const char *text = take_scalar(ps, node, what, expected);
	uint64_t id;

	if (!text)
		return 0;
	if (strspn(text, "0123456789") == node->len) {
		/* 4294967295 is (uid_t)-1: nobody, "leave as it is" */
		if (text_parse_u64(text, 0, UINT32_MAX - 1, &id)) {
			take_fail(ps, node->pos,
				  "%s is %s; expected a number from 0 to "
				  "4294967294 without leading zeros",
				  what, take_quote(node).s);
			return 0;
		}
		account->id = (uint32_t)id;
		account->is_id = true;
		account->set = true;
		return 0;
	}
	if (text[0] == '-' || strpbrk(text, " :/,*") ||
	    node->len > POLICY_ACCOUNT_CHARS_MAX) {
		take_fail(ps, node->pos, "%s is %s; expected %s", what,
			  take_quote(node).s, expected);
		return 0;
	}
	account->name = strdup(text);
	if (!account->name)
		return -ENOMEM;
	account->set = true;
	return 0;
}

static int take_login(struct parser *ps, const struct policy_yaml *node,
		      struct policy_subject *subject)
{
	int r;

	if (node->type == POLICY_YAML_SCALAR &&
	    strcmp(node->text, "any") == 0) {
		subject->login = POLICY_LOGIN_ANY;
		return 0;
	}
	if (node->type == POLICY_YAML_SCALAR &&
	    strcmp(node->text, "none") == 0) {
		subject->login = POLICY_LOGIN_NONE;
		return 0;
	}
	r = take_account(ps, node, "login",
			 "any, none, or the name or number of a user",
			 &subject->login_user);
	if (!r && subject->login_user.set)
		subject->login = POLICY_LOGIN_USER;
	return r;
}

/*
 * Neither key without the other: who takes in without a cap would be a way
 * out, and a cap on who carries on would limit nothing.
 */
static void take_declassifier(struct parser *ps,
			      const struct policy_yaml *carries,
			      const struct policy_yaml *cap,
			      struct policy_subject *subject)
{
	unsigned int choice = N_ELEMENTS(no_yes);

	if (carries)
		take_choice(ps, carries, "carries", no_yes, N_ELEMENTS(no_yes),
			    &choice);
	subject->declassifier = choice == 0;
	if (cap)
		take_cap(ps, cap, &subject->cap);
	if (subject->declassifier && !cap)
		take_fail(ps, carries->pos,
			  "carries: no without a cap; expected the key cap as "
			  "well, e.g. " TAKE_CAP_EXAMPLE);
	if (cap && (!carries || choice == 1))
		take_fail(ps, cap->pos,
			  "a cap without \"carries: no\", which would limit "
			  "nothing; expected both or neither");
}

/* They tighten those of the datasets, for this subject. */
static void take_narrow(struct parser *ps, const struct policy_yaml *narrow,
			const struct policy_yaml *squeeze,
			const struct policy_yaml *floor,
			struct policy_subject *subject)
{
	const struct policy_yaml *odd = squeeze ? squeeze : floor;

	subject->narrow = take_yes(ps, narrow, "narrow");
	take_measures(ps, squeeze, floor, &subject->squeeze,
		      &subject->floor_bytes);
	if (odd && !subject->narrow)
		take_fail(ps, odd->pos,
			  "a %s without \"narrow: yes\", which would tighten "
			  "nothing; expected both or neither",
			  squeeze ? "squeeze" : "floor");
}

/* Who takes in without holding has nothing to share. */
static void take_pool(struct parser *ps, const struct policy_yaml *pool,
		      struct policy_subject *subject)
{
	subject->pool = take_yes(ps, pool, "pool");
	if (!subject->pool)
		return;
	if (!subject->unit && !subject->cgroup)
		take_fail(ps, pool->pos,
			  "a pool of processes from anywhere; expected unit or "
			  "cgroup as well");
	if (subject->declassifier)
		take_fail(
			ps, pool->pos,
			"a pool with \"carries: no\", which has no holding to "
			"share; expected one of them");
}

static int take_subject(struct parser *ps, const struct policy_yaml *node,
			struct policy_subject *subject)
{
	enum {
		UNIT,
		CGROUP,
		EXE,
		USER,
		GROUP,
		LOGIN,
		POOL,
		NARROW,
		SQUEEZE,
		FLOOR,
		CARRIES,
		CAP,
		N_KEYS
	};
	static const struct take_key keys[] = {
		[UNIT] = {"unit", NULL},       [CGROUP] = {"cgroup", NULL},
		[EXE] = {"exe", NULL},	       [USER] = {"user", NULL},
		[GROUP] = {"group", NULL},     [LOGIN] = {"login", NULL},
		[POOL] = {"pool", NULL},       [NARROW] = {"narrow", NULL},
		[SQUEEZE] = {"squeeze", NULL}, [FLOOR] = {"floor", NULL},
		[CARRIES] = {"carries", NULL}, [CAP] = {"cap", NULL},
	};
	static const struct take_schema schema = {"a subject", keys, N_KEYS};
	const struct policy_yaml *v[N_KEYS];
	int r = 0;

	if (!take_keys(ps, node, &schema, v))
		return 0;
	for (int i = UNIT; i <= LOGIN; i++)
		if (v[i])
			subject->specificity++;
	if (subject->specificity == 0)
		take_fail(
			ps, node->pos,
			"a subject without a condition; expected at least one "
			"of unit, cgroup, exe, user, group and login");
	if (v[UNIT] && v[CGROUP]) {
		take_fail(
			ps, v[CGROUP]->pos,
			"a subject with both unit and cgroup; expected one of "
			"them, both say where it runs");
	}

	if (v[UNIT])
		r = take_unit(ps, v[UNIT], &subject->unit);
	if (!r && v[CGROUP])
		r = take_path(ps, v[CGROUP], "cgroup", "/system.slice/cups",
			      &subject->cgroup);
	if (!r && v[EXE])
		r = take_path(ps, v[EXE], "exe", "/usr/bin/rsync",
			      &subject->exe);
	if (!r && v[USER])
		r = take_account(ps, v[USER], "user",
				 "the name or number of a user",
				 &subject->user);
	if (!r && v[GROUP])
		r = take_account(ps, v[GROUP], "group",
				 "the name or number of a group",
				 &subject->group);
	if (!r && v[LOGIN])
		r = take_login(ps, v[LOGIN], subject);
	if (r)
		return r;
	take_narrow(ps, v[NARROW], v[SQUEEZE], v[FLOOR], subject);
	take_declassifier(ps, v[CARRIES], v[CAP], subject);
	take_pool(ps, v[POOL], subject);
	return 0;
}

/* What begins a preset's name would be taken for one of them in reports. */
static void refuse_preset_name(struct parser *ps, const struct policy_yaml *key,
			       const char *who)
{
	if (preset_is_name(key->text))
		take_fail(ps, key->pos,
			  "%s the name %s; expected another, names that begin "
			  "with preset- are those of presets",
			  who, take_quote(key).s);
}

static int take_subjects(struct parser *ps, const struct policy_yaml *node,
			 const struct policy_yaml *presets_node,
			 const struct take_presets *presets)
{
	struct policy *p = ps->policy;
	const struct policy_yaml *key;
	struct policy_subject *subject;
	uint32_t earlier;
	size_t n;
	int r;

	key = take_names(ps, node, "subjects", "a map of names and subjects",
			 POLICY_SUBJECTS_MAX, &n);
	if (n + presets->n_subjects > POLICY_SUBJECTS_MAX)
		take_fail(ps, presets_node->pos,
			  "%zu subjects and %zu of presets; expected at most "
			  "%d together",
			  n, presets->n_subjects, POLICY_SUBJECTS_MAX);
	p->subjects = calloc(n + presets->n_subjects + 1, sizeof(*p->subjects));
	if (!p->subjects)
		return -ENOMEM;
	p->n_subjects = 1;
	p->subjects[POLICY_EVERYONE].name = strdup("*");
	if (!p->subjects[POLICY_EVERYONE].name)
		return -ENOMEM;
	for (; n > 0; key = key->next->next, n--) {
		r = policy_find_subject(p, key->text ? key->text : "",
					&earlier);
		subject = &p->subjects[p->n_subjects];
		r = take_name(ps, key, "a subject",
			      r ? NULL : &p->subjects[earlier].pos,
			      &subject->name, &subject->pos);
		if (r == -EINVAL)
			continue;
		if (r)
			return r;
		p->n_subjects++;
		refuse_preset_name(ps, key, "a subject has");
		r = take_subject(ps, key->next, subject);
		if (r)
			return r;
	}
	return preset_add_subjects(p, presets);
}

/* ---- quiet files -------------------------------------------------------- */

static int take_quiet(struct parser *ps, const struct policy_yaml *node,
		      struct policy_quiet *quiet)
{
	enum { PATHS, CAP, N_KEYS };
	static const struct take_key keys[] = {
		[PATHS] = {"paths", "[/root/.bash_history]"},
		[CAP] = {"cap", "16 KiB/hour"},
	};
	static const struct take_schema schema = {"a name of quiet files", keys,
						  N_KEYS};
	const struct policy_yaml *v[N_KEYS];

	if (!take_keys(ps, node, &schema, v))
		return 0;
	if (v[CAP])
		take_cap(ps, v[CAP], &quiet->cap);
	return v[PATHS] ? take_paths(ps, v[PATHS], "a path of quiet files",
				     "/root/.bash_history", &quiet->paths,
				     &quiet->n_paths)
			: 0;
}

/* Reports call the cap of either by its name. */
static void refuse_subject_name(struct parser *ps,
				const struct policy_yaml *key)
{
	uint32_t subject;

	if (policy_find_subject(ps->policy, key->text, &subject))
		return;
	take_fail(ps, key->pos,
		  "quiet files have the name %s of the subject in line %" PRIu32
		  "; expected another name",
		  take_quote(key).s, ps->policy->subjects[subject].pos.line);
}

/* Behind the subjects, whose names they may not have. */
static int take_quiet_files(struct parser *ps, const struct policy_yaml *node,
			    const struct policy_yaml *presets_node,
			    const struct take_presets *presets)
{
	struct policy *p = ps->policy;
	const struct policy_yaml *key;
	struct policy_quiet *quiet;
	uint32_t earlier;
	size_t n;
	int r;

	key = take_names(ps, node, "quiet-files",
			 "a map of names and quiet files", POLICY_QUIET_MAX,
			 &n);
	if (n + presets->n_quiet > POLICY_QUIET_MAX)
		take_fail(ps, presets_node->pos,
			  "%zu names of quiet files and %zu of presets; "
			  "expected at most %d together",
			  n, presets->n_quiet, POLICY_QUIET_MAX);
	p->quiet = calloc(n + presets->n_quiet + 1, sizeof(*p->quiet));
	if (!p->quiet)
		return -ENOMEM;
	for (; n > 0; key = key->next->next, n--) {
		r = policy_find_quiet(p, key->text ? key->text : "", &earlier);
		quiet = &p->quiet[p->n_quiet];
		r = take_name(ps, key, "quiet files",
			      r ? NULL : &p->quiet[earlier].pos, &quiet->name,
			      &quiet->pos);
		if (r == -EINVAL)
			continue;
		if (r)
			return r;
		p->n_quiet++;
		refuse_preset_name(ps, key, "quiet files have");
		refuse_subject_name(ps, key);
		r = take_quiet(ps, key->next, quiet);
		if (r)
			return r;
	}
	return preset_add_quiet(p, presets);
}

/* ---- rules ------------------------------------------------------------- */

/* The kinds of thing that a rule refers to by name. */
enum referent { DATASET, SUBJECT, DESTINATION };

static const char *referent_name(const struct policy *p, enum referent kind,
				 size_t i)
{
	switch (kind) {
	case DATASET:
		return i < p->n_datasets ? p->datasets[i].name : NULL;
	case SUBJECT:
		return i < p->n_subjects ? p->subjects[i].name : NULL;
	case DESTINATION:
		return i < p->n_destinations ? p->destinations[i].name : NULL;
	}
	return NULL;
}

/* False after a complaint. */
static bool resolve(struct parser *ps, const struct policy_yaml *node,
		    enum referent kind, uint32_t *ret_index)
{
	static const char *const whats[] = {"dataset", "subject",
					    "destination"};
	const struct policy *p = ps->policy;
	struct guess guess = {0};
	const char *candidate;
	char expected[80];
	int r = -ENOENT;

	(void)snprintf(expected, sizeof(expected),
		       "\"*\" or a name defined under %ss", whats[kind]);
	guess.word = take_scalar(ps, node, whats[kind], expected);
	if (!guess.word)
		return false;
	switch (kind) {
	case DATASET:
		r = policy_find_dataset(p, guess.word, ret_index);
		break;
	case SUBJECT:
		r = policy_find_subject(p, guess.word, ret_index);
		break;
	case DESTINATION:
		r = policy_find_destination(p, guess.word, ret_index);
		break;
	}
	if (!r)
		return true;
	for (size_t i = 0; (candidate = referent_name(p, kind, i)); i++)
		guess_try(&guess, candidate);
	take_fail(ps, node->pos, "unknown %s %s%s; expected %s", whats[kind],
		  take_quote(node).s, guess_hint(&guess).s, expected);
	return false;
}

static int take_releases(struct parser *ps, const struct policy_yaml *node,
			 struct policy_rule *rule)
{
	static const char expected[] =
		"none, or destinations with budgets such as "
		"{printers: 64 MiB/hour, \"*\": none}";
	const struct policy_yaml *key;
	struct policy_release *release;
	size_t n;

	if (node->type == POLICY_YAML_SCALAR && strcmp(node->text, "none") == 0)
		return 0;
	if (!take_map(ps, node, "release", expected))
		return 0;
	if (node->n_children == 0) {
		take_fail(ps, node->pos, "release is an empty map; expected %s",
			  expected);
		return 0;
	}
	n = take_count(ps, node, "release entries in one rule",
		       POLICY_RELEASES_MAX);
	rule->releases = calloc(n, sizeof(*rule->releases));
	if (!rule->releases)
		return -ENOMEM;
	for (key = node->first; n > 0; key = key->next->next, n--) {
		release = &rule->releases[rule->n_releases];
		release->pos = key->pos;
		take_budget(ps, key->next, &release->budget);
		if (!resolve(ps, key, DESTINATION, &release->destination))
			continue;
		rule->n_releases++;
		for (size_t i = 0; i + 1 < rule->n_releases; i++)
			if (rule->releases[i].destination ==
			    release->destination)
				take_fail(ps, key->pos,
					  "destination %s stands twice in one "
					  "release; expected it once",
					  take_quote(key).s);
	}
	return 0;
}

static int take_rule(struct parser *ps, const struct policy_yaml *node,
		     struct policy_rule *rule)
{
	enum { WHO, DATA, PER, READ, RELEASE, ACTION, MODE, N_KEYS };
	static const struct take_key keys[] = {
		[WHO] = {"subject", "\"*\""},  [DATA] = {"dataset", "\"*\""},
		[PER] = {"per", NULL},	       [READ] = {"read", NULL},
		[RELEASE] = {"release", NULL}, [ACTION] = {"action", NULL},
		[MODE] = {"mode", NULL},
	};
	static const struct take_schema schema = {"a rule", keys, N_KEYS};
	static const char *const pers[] = {
		[POLICY_PER_HOST] = "host",
		[POLICY_PER_USER] = "user",
	};
	static const char *const actions[] = {
		[POLICY_BLOCK] = "block",
		[POLICY_ALERT] = "alert",
	};
	const struct policy_yaml *v[N_KEYS];
	unsigned int choice;

	rule->pos = node->pos;
	rule->mode = ps->policy->mode;
	if (!take_keys(ps, node, &schema, v))
		return 0;
	if (v[WHO])
		(void)resolve(ps, v[WHO], SUBJECT, &rule->subject);
	if (v[DATA])
		(void)resolve(ps, v[DATA], DATASET, &rule->dataset);
	if (v[PER]) {
		choice = POLICY_PER_HOST;
		take_choice(ps, v[PER], "per", pers, N_ELEMENTS(pers), &choice);
		rule->per = choice;
	}
	if (v[READ])
		take_budget(ps, v[READ], &rule->read);
	if (v[ACTION]) {
		choice = POLICY_BLOCK;
		take_choice(ps, v[ACTION], "action", actions,
			    N_ELEMENTS(actions), &choice);
		rule->action = choice;
	}
	if (v[MODE])
		take_mode(ps, v[MODE], &rule->mode);
	return v[RELEASE] ? take_releases(ps, v[RELEASE], rule) : 0;
}

static int take_rules(struct parser *ps, const struct policy_yaml *node)
{
	struct policy *p = ps->policy;
	const struct policy_yaml *member;
	int r;

	/* `rules: []` has a meaning: nobody may do anything */
	if (node->type == POLICY_YAML_LIST && node->n_children == 0)
		return 0;
	member = take_list(ps, node, "rules", POLICY_RULES_MAX,
			   "[{subject: \"*\", dataset: \"*\", read: none}]");
	if (!member)
		return 0;
	p->rules = calloc(node->n_children, sizeof(*p->rules));
	if (!p->rules)
		return -ENOMEM;
	for (; member; member = member->next) {
		r = take_rule(ps, member, &p->rules[p->n_rules++]);
		if (r)
			return r;
	}
	return 0;
}

/* ---- the whole --------------------------------------------------------- */

static bool check_glob(const char *glob)
{
	static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
				      "abcdefghijklmnopqrstuvwxyz"
				      "0123456789-";
	unsigned int n_stars = 0;
	size_t n;

	while (*glob) {
		if (*glob == '[') {
			glob++;
			glob += *glob == '!';
			n = strspn(glob, letters);
			if (n == 0 || glob[n] != ']')
				return false;
			glob += n + 1;
			continue;
		}
		if (*glob == '*' && ++n_stars > POLICY_HOST_STARS_MAX)
			return false;
		if (!strchr(letters, *glob) && !strchr("._*?", *glob))
			return false;
		glob++;
	}
	return true;
}

static int take_host(struct parser *ps, const struct policy_yaml *node,
		     struct policy_host *host, bool *ret_taken)
{
	static const char expected[] =
		"a host name, with up to 4 * and any ?, such as "
		"\"cardprint-*\"";
	const char *text = take_scalar(ps, node, "a host", expected);

	if (!text)
		return 0;
	if (node->len > POLICY_HOST_CHARS_MAX || !check_glob(text)) {
		take_fail(ps, node->pos, "host is %s; expected %s",
			  take_quote(node).s, expected);
		return 0;
	}
	host->pos = node->pos;
	host->glob = strdup(text);
	if (!host->glob)
		return -ENOMEM;
	for (char *c = host->glob; *c; c++)
		if (*c >= 'A' && *c <= 'Z')
			*c = (char)(*c - 'A' + 'a');
	*ret_taken = true;
	return 0;
}

/* node may be NULL: every host. */
static int take_hosts(struct parser *ps, const struct policy_yaml *node)
{
	const struct policy_yaml *member = NULL;
	struct policy *p = ps->policy;
	bool taken;
	int r;

	if (node) {
		member = take_list(ps, node, "hosts", POLICY_HOSTS_MAX,
				   "[\"cardprint-*\"]");
		if (!member)
			return 0;
	}
	p->hosts = calloc(node ? node->n_children : 1, sizeof(*p->hosts));
	if (!p->hosts)
		return -ENOMEM;
	if (!node) {
		p->hosts[0].glob = strdup("*");
		p->n_hosts = 1;
		return p->hosts[0].glob ? 0 : -ENOMEM;
	}
	for (; member; member = member->next) {
		taken = false;
		r = take_host(ps, member, &p->hosts[p->n_hosts], &taken);
		if (r)
			return r;
		p->n_hosts += taken;
	}
	return 0;
}

struct ranked {
	uint32_t specificity;
	uint32_t subject;
	uint32_t index;
};

static int compare_ranked(const void *a, const void *b)
{
	const struct ranked *ra = a, *rb = b;

	if (ra->specificity != rb->specificity)
		return ra->specificity > rb->specificity ? -1 : 1;
	if (ra->subject != rb->subject)
		return ra->subject < rb->subject ? -1 : 1;
	return ra->index < rb->index ? -1 : ra->index > rb->index;
}

/* Sorts and hands out the indices alone. */
static int rank(struct ranked *ranked, size_t n, uint32_t **ret_order)
{
	uint32_t *order = calloc(n, sizeof(*order));

	if (!order)
		return -ENOMEM;
	qsort(ranked, n, sizeof(*ranked), compare_ranked);
	for (size_t i = 0; i < n; i++)
		order[i] = ranked[i].index;
	*ret_order = order;
	return 0;
}

/* "*" needs no case of its own: no other subject has 0 conditions. */
static int set_orders(struct policy *p)
{
	size_t max = p->n_rules > p->n_subjects ? p->n_rules : p->n_subjects;
	struct ranked *ranked = calloc(max, sizeof(*ranked));
	uint32_t subject;
	int r;

	if (!ranked)
		return -ENOMEM;
	for (uint32_t i = 0; i < p->n_subjects; i++)
		ranked[i] = (struct ranked){p->subjects[i].specificity, i, i};
	r = rank(ranked, p->n_subjects, &p->subject_order);
	if (r || p->n_rules == 0)
		goto out;

	for (uint32_t i = 0; i < p->n_rules; i++) {
		subject = p->rules[i].subject;
		ranked[i] = (struct ranked){p->subjects[subject].specificity,
					    subject, i};
	}
	r = rank(ranked, p->n_rules, &p->rule_order);
out:
	free(ranked);
	return r;
}

static bool check_version(struct parser *ps, const struct policy_yaml *node)
{
	const char *text = take_scalar(ps, node, "cordon", "1");

	if (!text)
		return false;
	if (strcmp(text, "1") == 0)
		return true;
	take_fail(ps, node->pos,
		  "cordon is %s, a format that this version does not know; "
		  "expected 1",
		  take_quote(node).s);
	return false;
}

static int take_policy(struct parser *ps, const struct policy_yaml *root)
{
	enum {
		CORDON,
		ISSUER,
		SERIAL,
		NOT_BEFORE,
		EXPIRES,
		HOSTS,
		MODE,
		FOLLOW_FILES,
		FOLLOW_NAMES,
		PRESETS,
		DATASETS,
		SUBJECTS,
		QUIET_FILES,
		DESTINATIONS,
		RULES,
		N_KEYS
	};
	static const struct take_key keys[] = {
		[CORDON] = {POLICY_KEY, "1"},
		[ISSUER] = {"issuer", "Example Police Service"},
		[SERIAL] = {"serial", "1"},
		[NOT_BEFORE] = {"not-before", NULL},
		[EXPIRES] = {"expires", NULL},
		[HOSTS] = {"hosts", NULL},
		[MODE] = {"mode", NULL},
		[FOLLOW_FILES] = {"follow-files", NULL},
		[FOLLOW_NAMES] = {"follow-names", NULL},
		[PRESETS] = {"presets", NULL},
		[DATASETS] = {"datasets",
			      "{photos: {paths: [/srv/photos], record: file}}"},
		[SUBJECTS] = {"subjects", NULL},
		[QUIET_FILES] = {"quiet-files", NULL},
		[DESTINATIONS] = {"destinations", NULL},
		[RULES] = {"rules",
			   "[{subject: \"*\", dataset: \"*\", read: none}]"},
	};
	static const struct take_schema schema = {"the policy", keys, N_KEYS};
	struct take_presets presets = {.n_subjects = 0};
	struct policy *p = ps->policy;
	const struct policy_yaml *v[N_KEYS];
	int r = 0;

	if (!take_kind(ps, root, KIND_POLICY) ||
	    !take_keys(ps, root, &schema, v))
		return 0;
	/* of another format, nothing else means what we think */
	if (v[CORDON] && !check_version(ps, v[CORDON])) {
		policy_errors_init(ps->errs);
		(void)check_version(ps, v[CORDON]);
		return 0;
	}
	if (v[ISSUER])
		r = take_string(ps, v[ISSUER], "issuer",
				POLICY_ISSUER_CHARS_MAX, &p->issuer);
	if (v[SERIAL])
		take_u64(ps, v[SERIAL], "serial", 1, INT64_MAX, &p->serial);
	if (v[NOT_BEFORE])
		take_time(ps, v[NOT_BEFORE], "not-before", &p->not_before_s);
	if (v[EXPIRES]) {
		take_time(ps, v[EXPIRES], "expires", &p->expires_s);
		p->expires_pos = v[EXPIRES]->pos;
		if (p->expires_s <= p->not_before_s)
			take_fail(ps, v[EXPIRES]->pos,
				  "expires is not after not-before; expected a "
				  "later time");
	}
	if (v[MODE])
		take_mode(ps, v[MODE], &p->mode);
	p->follow_files = take_yes(ps, v[FOLLOW_FILES], "follow-files");
	p->follow_names = take_yes(ps, v[FOLLOW_NAMES], "follow-names");
	if (p->follow_names && !p->follow_files)
		take_fail(ps, v[FOLLOW_NAMES]->pos,
			  "follow-names is yes, but files carry nothing; "
			  "expected \"follow-files: yes\" beside it");

	/* rules last: they refer to the rest */
	if (!r)
		r = take_hosts(ps, v[HOSTS]);
	if (!r && v[DATASETS])
		r = take_datasets(ps, v[DATASETS]);
	take_presets(ps, v[PRESETS], &presets);
	if (!r)
		r = take_subjects(ps, v[SUBJECTS], v[PRESETS], &presets);
	if (!r)
		r = take_quiet_files(ps, v[QUIET_FILES], v[PRESETS], &presets);
	if (!r)
		r = take_destinations(ps, v[DESTINATIONS]);
	if (!r && v[RULES])
		r = take_rules(ps, v[RULES]);
	if (!r)
		r = check_paths(ps);
	if (!r)
		r = check_destinations(ps);
	return r ? r : set_orders(p);
}

static int compare_errors(const void *a, const void *b)
{
	const struct policy_error *ea = a, *eb = b;

	if (ea->pos.line != eb->pos.line)
		return ea->pos.line < eb->pos.line ? -1 : 1;
	if (ea->pos.col != eb->pos.col)
		return ea->pos.col < eb->pos.col ? -1 : 1;
	return strcmp(ea->text, eb->text);
}

int policy_parse(const char *name, const void *buf, size_t len,
		 struct policy **ret_policy, struct policy_errors *errs)
{
	struct parser ps = {.name = name, .errs = errs};
	struct policy_yaml *root = NULL;
	int r;

	policy_errors_init(errs);
	if (len > POLICY_FILE_BYTES_MAX) {
		policy_errors_add(errs, name, (struct policy_pos){0},
				  "more than 16 MiB; expected a policy of at "
				  "most that size");
		return -E2BIG;
	}
	r = policy_yaml_parse(name, buf, len, &root, errs);
	if (r)
		goto out;
	ps.policy = calloc(1, sizeof(*ps.policy));
	if (!ps.policy) {
		r = -ENOMEM;
		goto out;
	}
	ps.policy->expires_s = INT64_MAX;

	r = take_policy(&ps, root);
	if (!r && ps.bad)
		r = -EINVAL;
	if (r)
		goto out;
	sign_hash(buf, len, ps.policy->sha256);
	*ret_policy = ps.policy;
	ps.policy = NULL;
out:
	if (errs)
		qsort(errs->v, errs->n, sizeof(errs->v[0]), compare_errors);
	policy_free(ps.policy);
	policy_yaml_free(root);
	return r;
}
