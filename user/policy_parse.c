// SPDX-License-Identifier: GPL-2.0-only
/*
 * From the tree of YAML to struct policy.
 *
 * The functions here return 0 or -ENOMEM. What is wrong with the policy goes
 * to the list of errors and sets parser.bad, and reading goes on, so that one
 * run tells an author everything. A bad value leaves its field as it was.
 */
#include "policy.h"

#include <arpa/inet.h>
#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "policy_yaml.h"
#include "text.h"

#define N_ELEMENTS(a) (sizeof(a) / sizeof((a)[0]))

/* Room for the longest list of words that an error offers. */
#define WORDS_CHARS_MAX 256

#define BUDGET_EXAMPLE                                         \
	"e.g. \"120 records/hour\", \"64 MiB/day\", \"none\" " \
	"or \"unlimited\""
#define WINDOW_EXAMPLE                                            \
	"second, minute, hour, day or week, or a number of them " \
	"such as \"15 minutes\""

struct parser {
	const char *name;
	struct policy_errors *errs;
	struct policy *policy;
	bool bad;
	size_t n_networks;
};

__attribute__((format(printf, 3, 4))) static void
complain(struct parser *ps, struct policy_pos pos, const char *format, ...)
{
	char text[POLICY_ERROR_CHARS_MAX];
	va_list ap;

	va_start(ap, format);
	(void)vsnprintf(text, sizeof(text), format, ap);
	va_end(ap);
	policy_errors_add(ps->errs, ps->name, pos, "%s", text);
	ps->bad = true;
}

/* The text of a node between quotes, for a message. */
struct quoted {
	char s[TEXT_QUOTE_CHARS_MAX];
};

static struct quoted quote(const struct policy_yaml *node)
{
	struct quoted q;

	switch (node->type) {
	case POLICY_YAML_SCALAR:
		text_quote(node->text, node->len, q.s, sizeof(q.s));
		break;
	case POLICY_YAML_LIST:
		(void)snprintf(q.s, sizeof(q.s), "a list");
		break;
	case POLICY_YAML_MAP:
		(void)snprintf(q.s, sizeof(q.s), "a map");
		break;
	}
	return q;
}

/* ---- words, and what the author may have meant ------------------------- */

/* Collects candidates for ` (did you mean "X"?)`. */
struct guess {
	const char *word;
	const char *best;
	unsigned int distance;
};

static void guess_try(struct guess *guess, const char *candidate)
{
	unsigned int distance;

	if (!text_is_near(guess->word, candidate, &distance))
		return;
	if (guess->best && guess->distance <= distance)
		return;
	guess->best = candidate;
	guess->distance = distance;
}

struct hint {
	char s[POLICY_NAME_CHARS_MAX + 24];
};

static struct hint guess_hint(const struct guess *guess)
{
	struct hint hint = {""};

	if (guess->best)
		(void)snprintf(hint.s, sizeof(hint.s), " (did you mean %s?)",
			       guess->best);
	return hint;
}

static void list_words(const char *const *words, size_t n, char *buf,
		       size_t size)
{
	size_t used = 0;
	int r;

	buf[0] = '\0';
	for (size_t i = 0; i < n && used < size; i++) {
		r = snprintf(buf + used, size - used, "%s%s",
			     i == 0	  ? ""
			     : i == n - 1 ? " or "
					  : ", ",
			     words[i]);
		used += r > 0 ? (size_t)r : 0;
	}
}

/* ---- scalars ----------------------------------------------------------- */

/*
 * The text of a scalar, or NULL after a complaint. expected says what should
 * stand there.
 */
static const char *scalar(struct parser *ps, const struct policy_yaml *node,
			  const char *what, const char *expected)
{
	if (node->type != POLICY_YAML_SCALAR) {
		complain(ps, node->pos, "%s is %s; expected %s", what,
			 node->type == POLICY_YAML_LIST ? "a list" : "a map",
			 expected);
		return NULL;
	}
	if (node->is_null || node->len == 0) {
		complain(ps, node->pos, "%s is empty; expected %s", what,
			 expected);
		return NULL;
	}
	return node->text;
}

static int take_string(struct parser *ps, const struct policy_yaml *node,
		       const char *what, size_t max, char **ret_text)
{
	char expected[64];
	const char *text;

	(void)snprintf(expected, sizeof(expected),
		       "a text of 1 to %zu characters", max);
	text = scalar(ps, node, what, expected);
	if (!text)
		return 0;
	if (node->len > max) {
		complain(ps, node->pos, "%s has %zu characters; expected %s",
			 what, node->len, expected);
		return 0;
	}
	*ret_text = strdup(text);
	return *ret_text ? 0 : -ENOMEM;
}

static void take_u64(struct parser *ps, const struct policy_yaml *node,
		     const char *what, uint64_t min, uint64_t max,
		     uint64_t *ret_value)
{
	char expected[64];
	const char *text;

	(void)snprintf(expected, sizeof(expected),
		       "a number from %" PRIu64 " to %" PRIu64, min, max);
	text = scalar(ps, node, what, expected);
	if (text && text_parse_u64(text, min, max, ret_value))
		complain(ps, node->pos, "%s is %s; expected %s", what,
			 quote(node).s, expected);
}

/* A size in bytes from 1 to 1 MiB. */
static void take_size(struct parser *ps, const struct policy_yaml *node,
		      const char *what, uint32_t *ret_bytes)
{
	static const char expected[] = "a number of bytes from 1 to 1 MiB";
	const char *text = scalar(ps, node, what, expected);
	uint64_t bytes;

	if (!text)
		return;
	if (text_parse_bytes(text, false, 1, POLICY_RECORD_BYTES_MAX, &bytes))
		complain(ps, node->pos, "%s is %s; expected %s", what,
			 quote(node).s, expected);
	else
		*ret_bytes = (uint32_t)bytes;
}

static void take_time(struct parser *ps, const struct policy_yaml *node,
		      const char *what, int64_t *ret_s)
{
	static const char expected[] =
		"a time in UTC such as 2026-11-01T00:00:00Z";
	const char *text = scalar(ps, node, what, expected);

	if (text && text_parse_time(text, ret_s))
		complain(ps, node->pos, "%s is %s; expected %s", what,
			 quote(node).s, expected);
}

/* One of n words; *ret_choice is its index. */
static void take_choice(struct parser *ps, const struct policy_yaml *node,
			const char *what, const char *const *words, size_t n,
			unsigned int *ret_choice)
{
	char expected[WORDS_CHARS_MAX];
	struct guess guess = {0};

	list_words(words, n, expected, sizeof(expected));
	guess.word = scalar(ps, node, what, expected);
	if (!guess.word)
		return;
	for (size_t i = 0; i < n; i++) {
		if (strcmp(guess.word, words[i]) == 0) {
			*ret_choice = (unsigned int)i;
			return;
		}
		guess_try(&guess, words[i]);
	}
	complain(ps, node->pos, "%s is %s%s; expected %s", what, quote(node).s,
		 guess_hint(&guess).s, expected);
}

static void take_mode(struct parser *ps, const struct policy_yaml *node,
		      enum policy_mode *ret_mode)
{
	static const char *const modes[] = {
		[POLICY_ENFORCE] = "enforce",
		[POLICY_OBSERVE] = "observe",
	};
	unsigned int mode = *ret_mode;

	take_choice(ps, node, "mode", modes, N_ELEMENTS(modes), &mode);
	*ret_mode = mode;
}

/*
 * An absolute path in normal form, so that two spellings of one place cannot
 * stand for two things.
 */
static bool path_is_normal(const char *path)
{
	const char *part = path, *end;
	size_t len;

	if (path[0] != '/' || path[1] == '\0')
		return false;
	while (*part == '/') {
		part++;
		end = strchrnul(part, '/');
		len = (size_t)(end - part);
		if (len == 0 || (len == 1 && part[0] == '.') ||
		    (len == 2 && part[0] == '.' && part[1] == '.'))
			return false;
		part = end;
	}
	return true;
}

static int take_path(struct parser *ps, const struct policy_yaml *node,
		     const char *what, const char *example, char **ret_path)
{
	const char *text;
	char expected[96];

	(void)snprintf(expected, sizeof(expected),
		       "an absolute path such as %s", example);
	text = scalar(ps, node, what, expected);
	if (!text)
		return 0;
	if (text[0] != '/') {
		complain(ps, node->pos, "%s is %s; expected %s", what,
			 quote(node).s, expected);
		return 0;
	}
	if (text[1] == '\0') {
		complain(ps, node->pos, "%s is \"/\", the root; expected %s",
			 what, expected);
		return 0;
	}
	if (!path_is_normal(text)) {
		complain(ps, node->pos,
			 "%s is %s; expected a path without \"//\", \".\" and "
			 "\"..\", and without \"/\" at the end",
			 what, quote(node).s);
		return 0;
	}
	if (node->len > POLICY_PATH_CHARS_MAX) {
		complain(ps, node->pos,
			 "%s has %zu characters; expected at most %d", what,
			 node->len, POLICY_PATH_CHARS_MAX);
		return 0;
	}
	*ret_path = strdup(text);
	return *ret_path ? 0 : -ENOMEM;
}

/* ---- lists and maps ---------------------------------------------------- */

/*
 * The first member of a list that has 1 to max of them, or NULL after a
 * complaint.
 */
static const struct policy_yaml *list_start(struct parser *ps,
					    const struct policy_yaml *node,
					    const char *what, size_t max,
					    const char *example)
{
	const struct policy_yaml *member;

	if (node->type != POLICY_YAML_LIST || node->n_children == 0) {
		complain(ps, node->pos, "%s is %s; expected a list such as %s",
			 what,
			 node->type == POLICY_YAML_LIST	 ? "an empty list"
			 : node->type == POLICY_YAML_MAP ? "a map"
			 : node->is_null		 ? "empty"
							 : quote(node).s,
			 example);
		return NULL;
	}
	if (node->n_children > max) {
		member = node->first;
		for (size_t i = 0; i < max; i++)
			member = member->next;
		complain(ps, member->pos,
			 "%s has %zu entries; expected at most %zu", what,
			 node->n_children, max);
		return NULL;
	}
	return node->first;
}

static bool is_map(struct parser *ps, const struct policy_yaml *node,
		   const char *what, const char *expected)
{
	if (node->type == POLICY_YAML_MAP)
		return true;
	complain(ps, node->pos, "%s is %s; expected %s", what,
		 node->type == POLICY_YAML_LIST ? "a list"
		 : node->is_null		? "empty"
						: quote(node).s,
		 expected);
	return false;
}

struct key {
	const char *name;
	const char *example; /* of a required key */
};

/* What a map with fixed keys is called in messages, and its keys. */
struct schema {
	const char *what;
	const struct key *keys;
	size_t n_keys;
};

static void unknown_key(struct parser *ps, const struct schema *schema,
			const struct policy_yaml *key)
{
	const char *words[16];
	char expected[WORDS_CHARS_MAX];
	struct guess guess = {.word = key->text};

	for (size_t i = 0; i < schema->n_keys; i++) {
		words[i] = schema->keys[i].name;
		guess_try(&guess, words[i]);
	}
	list_words(words, schema->n_keys, expected, sizeof(expected));
	complain(ps, key->pos, "unknown key %s in %s%s; expected %s",
		 quote(key).s, schema->what, guess_hint(&guess).s, expected);
}

/*
 * Sorts the values of a map by the schema's keys: values[i] is that of key i,
 * NULL if it is not there. False if node is no map.
 */
static bool pick(struct parser *ps, const struct policy_yaml *node,
		 const struct schema *schema, const struct policy_yaml **values)
{
	const struct policy_yaml *key;
	size_t i;

	memset(values, 0, schema->n_keys * sizeof(*values));
	if (!is_map(ps, node, schema->what, "a map of keys and values"))
		return false;
	for (key = node->first; key; key = key->next->next) {
		if (!scalar(ps, key, "a key", "a word"))
			continue;
		for (i = 0; i < schema->n_keys; i++)
			if (strcmp(key->text, schema->keys[i].name) == 0)
				break;
		if (i == schema->n_keys) {
			unknown_key(ps, schema, key);
			continue;
		}
		if (values[i]) {
			complain(ps, key->pos,
				 "key %s stands twice in %s; expected it once",
				 quote(key).s, schema->what);
			continue;
		}
		values[i] = key->next;
	}
	for (i = 0; i < schema->n_keys; i++)
		if (schema->keys[i].example && !values[i])
			complain(ps, node->pos,
				 "key \"%s\" is missing in %s; expected e.g. "
				 "%s: %s",
				 schema->keys[i].name, schema->what,
				 schema->keys[i].name, schema->keys[i].example);
	return true;
}

static bool name_is_good(const char *name, size_t len)
{
	static const char chars[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
				    "abcdefghijklmnopqrstuvwxyz"
				    "0123456789._@-";

	return len >= 1 && len <= POLICY_NAME_CHARS_MAX &&
	       strspn(name, chars) == len;
}

/*
 * The name of a new dataset, subject or destination (what); the place of one of
 * that name that came before is in earlier, or NULL. -EINVAL after a complaint,
 * -ENOMEM.
 */
static int take_name(struct parser *ps, const struct policy_yaml *key,
		     const char *what, const struct policy_pos *earlier,
		     char **ret_name, struct policy_pos *ret_pos)
{
	if (!scalar(ps, key, "a name", "a text"))
		return -EINVAL;
	if (strcmp(key->text, "*") == 0) {
		complain(ps, key->pos,
			 "%s \"*\" cannot be defined, it stands for all; "
			 "expected another name",
			 what);
		return -EINVAL;
	}
	if (!name_is_good(key->text, key->len)) {
		complain(ps, key->pos,
			 "%s has the name %s; expected 1 to %d of A-Z a-z 0-9 "
			 ". _ @ -",
			 what, quote(key).s, POLICY_NAME_CHARS_MAX);
		return -EINVAL;
	}
	if (earlier) {
		complain(ps, key->pos,
			 "%s %s is already defined in line %" PRIu32
			 "; expected another name",
			 what, quote(key).s, earlier->line);
		return -EINVAL;
	}
	*ret_name = strdup(key->text);
	if (!*ret_name)
		return -ENOMEM;
	*ret_pos = key->pos;
	return 0;
}

/* The number of entries to read from a map of names: at most max. */
static size_t clip_names(struct parser *ps, const struct policy_yaml *node,
			 const char *what, size_t max)
{
	const struct policy_yaml *key = node->first;

	if (node->n_children <= max)
		return node->n_children;
	for (size_t i = 0; i < max; i++)
		key = key->next->next;
	complain(ps, key->pos, "%zu %s; expected at most %zu", node->n_children,
		 what, max);
	return max;
}

/*
 * The first key of a map of names, and the number of entries to read from it;
 * NULL and 0 if it is empty, not there (node NULL) or, after a complaint, no
 * map.
 */
static const struct policy_yaml *
names_start(struct parser *ps, const struct policy_yaml *node, const char *what,
	    const char *expected, size_t max, size_t *ret_n)
{
	*ret_n = 0;
	if (!node || !is_map(ps, node, what, expected))
		return NULL;
	*ret_n = clip_names(ps, node, what, max);
	return node->first;
}

/* ---- datasets ---------------------------------------------------------- */

static void take_record(struct parser *ps, const struct policy_yaml *node,
			struct policy_dataset *dataset)
{
	static const struct key keys[] = {{"bytes", "160"}};
	static const struct schema schema = {"record", keys, 1};
	static const char *const words[] = {"file", "line", "{bytes: N}"};
	const struct policy_yaml *values[1];
	unsigned int choice = N_ELEMENTS(words);

	if (node->type != POLICY_YAML_MAP) {
		take_choice(ps, node, "record", words, N_ELEMENTS(words),
			    &choice);
		if (choice == 0)
			dataset->record = POLICY_RECORD_FILE;
		else if (choice == 1)
			dataset->record = POLICY_RECORD_LINE;
		else if (choice == 2)
			complain(ps, node->pos,
				 "record is a text; expected {bytes: 160} "
				 "without quotes around it");
		return;
	}
	if (!pick(ps, node, &schema, values) || !values[0])
		return;
	dataset->record = POLICY_RECORD_BYTES;
	take_size(ps, values[0], "record bytes", &dataset->record_bytes);
}

static int take_paths(struct parser *ps, const struct policy_yaml *node,
		      struct policy_dataset *dataset)
{
	const struct policy_yaml *member;
	struct policy_path *path;
	int r;

	member = list_start(ps, node, "paths", POLICY_PATHS_MAX,
			    "[/srv/personnel/photos]");
	if (!member)
		return 0;
	dataset->paths = calloc(node->n_children, sizeof(*dataset->paths));
	if (!dataset->paths)
		return -ENOMEM;
	for (; member; member = member->next) {
		path = &dataset->paths[dataset->n_paths];
		path->pos = member->pos;
		r = take_path(ps, member, "a path of a dataset",
			      "/srv/personnel/photos", &path->path);
		if (r)
			return r;
		if (path->path)
			dataset->n_paths++;
	}
	return 0;
}

static int take_dataset(struct parser *ps, const struct policy_yaml *node,
			struct policy_dataset *dataset)
{
	enum { PATHS, RECORD, CLASSIFICATION, SQUEEZE, FLOOR, N_KEYS };
	static const struct key keys[] = {
		[PATHS] = {"paths", "[/srv/personnel/photos]"},
		[RECORD] = {"record", "file"},
		[CLASSIFICATION] = {"classification", NULL},
		[SQUEEZE] = {"squeeze", NULL},
		[FLOOR] = {"floor", NULL},
	};
	static const struct schema schema = {"a dataset", keys, N_KEYS};
	const struct policy_yaml *v[N_KEYS];
	uint64_t squeeze = 0;
	int r = 0;

	if (!pick(ps, node, &schema, v))
		return 0;
	if (v[PATHS])
		r = take_paths(ps, v[PATHS], dataset);
	if (!r && v[CLASSIFICATION])
		r = take_string(ps, v[CLASSIFICATION], "classification",
				POLICY_TEXT_CHARS_MAX,
				&dataset->classification);
	if (r)
		return r;

	if (v[RECORD])
		take_record(ps, v[RECORD], dataset);
	if (v[SQUEEZE])
		take_u64(ps, v[SQUEEZE], "squeeze", 1, POLICY_SQUEEZE_MAX,
			 &squeeze);
	dataset->squeeze = (uint32_t)squeeze;
	if (v[FLOOR])
		take_size(ps, v[FLOOR], "floor", &dataset->floor_bytes);
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

	key = names_start(ps, node, "datasets", "a map of names and datasets",
			  POLICY_DATASETS_MAX, &n);
	if (!key) {
		if (node->type == POLICY_YAML_MAP)
			complain(ps, node->pos,
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

static int compare_paths(const void *a, const void *b)
{
	const struct policy_path *const *pa = a, *const *pb = b;
	int r = strcmp((*pa)->path, (*pb)->path);

	if (r)
		return r;
	if ((*pa)->pos.line != (*pb)->pos.line)
		return (*pa)->pos.line < (*pb)->pos.line ? -1 : 1;
	return (*pa)->pos.col < (*pb)->pos.col ? -1 : 1;
}

/* One path can be of one dataset only: a file has one label. */
static int check_paths(struct parser *ps)
{
	const struct policy *p = ps->policy;
	const struct policy_path **all;
	struct quoted q;
	size_t n = 0;

	for (size_t i = 0; i < p->n_datasets; i++)
		n += p->datasets[i].n_paths;
	if (n == 0)
		return 0;
	all = calloc(n, sizeof(*all));
	if (!all)
		return -ENOMEM;
	n = 0;
	for (size_t i = 0; i < p->n_datasets; i++)
		for (size_t j = 0; j < p->datasets[i].n_paths; j++)
			all[n++] = &p->datasets[i].paths[j];
	qsort(all, n, sizeof(*all), compare_paths);
	for (size_t i = 1; i < n; i++) {
		if (strcmp(all[i - 1]->path, all[i]->path) != 0)
			continue;
		text_quote(all[i]->path, strlen(all[i]->path), q.s,
			   sizeof(q.s));
		complain(ps, all[i]->pos,
			 "path %s already stands in line %" PRIu32
			 "; expected it in one dataset, once",
			 q.s, all[i - 1]->pos.line);
	}
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
	complain(ps, node->pos,
		 "unit %s is a slice, which holds units and is none; expected "
		 "the key cgroup with its path, \"cgroup: %.*s\"",
		 quote(node).s, POLICY_UNIT_CHARS_MAX, path);
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
	const char *text = scalar(ps, node, "unit", expected);
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
		complain(ps, node->pos, "unit is %s; expected %s",
			 quote(node).s, expected);
		return 0;
	}
	if (dot[-1] == '@') {
		complain(ps, node->pos,
			 "unit %s is a template, which never runs itself; "
			 "expected an instance such as name@instance%s",
			 quote(node).s, dot);
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
	const char *text = scalar(ps, node, what, expected);
	uint64_t id;

	if (!text)
		return 0;
	if (strspn(text, "0123456789") == node->len) {
		/* 4294967295 is (uid_t)-1: nobody, "leave as it is" */
		if (text_parse_u64(text, 0, UINT32_MAX - 1, &id)) {
			complain(ps, node->pos,
				 "%s is %s; expected a number from 0 to "
				 "4294967294 without leading zeros",
				 what, quote(node).s);
			return 0;
		}
		account->id = (uint32_t)id;
		account->is_id = true;
		account->set = true;
		return 0;
	}
	if (text[0] == '-' || strpbrk(text, " :/,*") ||
	    node->len > POLICY_ACCOUNT_CHARS_MAX) {
		complain(ps, node->pos, "%s is %s; expected %s", what,
			 quote(node).s, expected);
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

static int take_subject(struct parser *ps, const struct policy_yaml *node,
			struct policy_subject *subject)
{
	enum { UNIT, CGROUP, EXE, USER, GROUP, LOGIN, NARROW, N_KEYS };
	static const struct key keys[] = {
		[UNIT] = {"unit", NULL},     [CGROUP] = {"cgroup", NULL},
		[EXE] = {"exe", NULL},	     [USER] = {"user", NULL},
		[GROUP] = {"group", NULL},   [LOGIN] = {"login", NULL},
		[NARROW] = {"narrow", NULL},
	};
	static const struct schema schema = {"a subject", keys, N_KEYS};
	static const char *const no_yes[] = {"no", "yes"};
	const struct policy_yaml *v[N_KEYS];
	unsigned int narrow = 0;
	int r = 0;

	if (!pick(ps, node, &schema, v))
		return 0;
	for (int i = UNIT; i <= LOGIN; i++)
		if (v[i])
			subject->specificity++;
	if (subject->specificity == 0)
		complain(ps, node->pos,
			 "a subject without a condition; expected at least one "
			 "of unit, cgroup, exe, user, group and login");
	if (v[UNIT] && v[CGROUP]) {
		complain(ps, v[CGROUP]->pos,
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
	if (v[NARROW])
		take_choice(ps, v[NARROW], "narrow", no_yes, N_ELEMENTS(no_yes),
			    &narrow);
	subject->narrow = narrow == 1;
	return 0;
}

static int take_subjects(struct parser *ps, const struct policy_yaml *node)
{
	struct policy *p = ps->policy;
	const struct policy_yaml *key;
	struct policy_subject *subject;
	uint32_t earlier;
	size_t n;
	int r;

	key = names_start(ps, node, "subjects", "a map of names and subjects",
			  POLICY_SUBJECTS_MAX, &n);
	p->subjects = calloc(n + 1, sizeof(*p->subjects));
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
		r = take_subject(ps, key->next, subject);
		if (r)
			return r;
	}
	return 0;
}

/* ---- destinations ------------------------------------------------------ */

static const uint8_t v4_mapped[12] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};

/* Clears what is behind the prefix; true if something was there. */
static bool mask_address(uint8_t addr[16], unsigned int prefix_len)
{
	bool any = false;
	uint8_t keep;

	for (unsigned int i = 0; i < 16; i++) {
		if (prefix_len >= (i + 1) * 8)
			keep = 0xff;
		else if (prefix_len <= i * 8)
			keep = 0;
		else
			keep = (uint8_t)(0xff << ((i + 1) * 8 - prefix_len));
		any = any || (addr[i] & ~keep) != 0;
		addr[i] &= keep;
	}
	return any;
}

/* The prefix in the author's own notation: v4 as v4. */
static void format_network(const uint8_t addr[16], unsigned int prefix_len,
			   bool v4, char *buf, size_t size)
{
	char text[INET6_ADDRSTRLEN] = "";

	(void)inet_ntop(v4 ? AF_INET : AF_INET6, v4 ? addr + 12 : addr, text,
			sizeof(text));
	(void)snprintf(buf, size, "%s/%u", text,
		       v4 ? prefix_len - 96 : prefix_len);
}

/* `::/0` and the like: in the one space of addresses they hold all of IPv4. */
static bool holds_all_v4(const uint8_t addr[16], unsigned int prefix_len)
{
	uint8_t mapped[16] = {0};

	if (prefix_len >= 96)
		return false;
	memcpy(mapped, v4_mapped, sizeof(v4_mapped));
	(void)mask_address(mapped, prefix_len);
	return memcmp(mapped, addr, 16) == 0;
}

static bool take_network(struct parser *ps, const struct policy_yaml *node,
			 struct policy_network *network)
{
	static const char expected[] =
		"a network such as 10.20.0.0/24, 192.0.2.7 or 2001:db8::/32";
	const char *text = scalar(ps, node, "a network", expected);
	char address[INET6_ADDRSTRLEN], right[INET6_ADDRSTRLEN + 8];
	uint64_t prefix_len, max_len;
	const char *slash;
	size_t len;
	bool v4;

	if (!text)
		return false;
	slash = strchrnul(text, '/');
	len = (size_t)(slash - text);
	if (len >= sizeof(address))
		goto bad;
	memcpy(address, text, len);
	address[len] = '\0';
	v4 = inet_pton(AF_INET, address, network->addr + 12) == 1;
	if (v4)
		memcpy(network->addr, v4_mapped, sizeof(v4_mapped));
	else if (inet_pton(AF_INET6, address, network->addr) != 1)
		goto bad;

	max_len = v4 ? 32 : 128;
	prefix_len = max_len;
	if (*slash && text_parse_u64(slash + 1, 0, max_len, &prefix_len)) {
		complain(ps, node->pos,
			 "network %s has a bad prefix length; expected 0 to "
			 "%" PRIu64 " behind the /",
			 quote(node).s, max_len);
		return false;
	}
	prefix_len += v4 ? 96 : 0;
	if (mask_address(network->addr, (unsigned int)prefix_len)) {
		format_network(network->addr, (unsigned int)prefix_len, v4,
			       right, sizeof(right));
		complain(ps, node->pos,
			 "network %s has bits set behind its prefix; expected "
			 "%s",
			 quote(node).s, right);
		return false;
	}
	if (holds_all_v4(network->addr, (unsigned int)prefix_len)) {
		complain(ps, node->pos,
			 "network %s would hold every IPv4 address as well; "
			 "expected 2000::/3 for all public IPv6, or the "
			 "destination \"*\" for anywhere",
			 quote(node).s);
		return false;
	}
	network->prefix_len = (uint8_t)prefix_len;
	network->pos = node->pos;
	return true;
bad:
	complain(ps, node->pos, "network is %s; expected %s", quote(node).s,
		 expected);
	return false;
}

static int take_networks(struct parser *ps, const struct policy_yaml *node,
			 struct policy_destination *destination)
{
	const struct policy_yaml *member;
	size_t left;

	if (ps->n_networks > POLICY_NETWORKS_MAX)
		return 0; /* said once */
	member = list_start(ps, node, "networks", SIZE_MAX, "[10.20.0.0/24]");
	if (!member)
		return 0;
	left = POLICY_NETWORKS_MAX - ps->n_networks;
	if (node->n_children > left) {
		for (size_t i = 0; i < left; i++)
			member = member->next;
		complain(ps, member->pos,
			 "more than %d networks in all destinations together; "
			 "expected fewer, or wider ones",
			 POLICY_NETWORKS_MAX);
		ps->n_networks = POLICY_NETWORKS_MAX + 1;
		return 0;
	}
	ps->n_networks += node->n_children;
	destination->networks =
		calloc(node->n_children, sizeof(*destination->networks));
	if (!destination->networks)
		return -ENOMEM;
	for (; member; member = member->next)
		if (take_network(
			    ps, member,
			    &destination->networks[destination->n_networks]))
			destination->n_networks++;
	return 0;
}

static bool take_port_range(struct parser *ps, const struct policy_yaml *node,
			    struct policy_ports *ports)
{
	static const char expected[] =
		"a port from 1 to 65535, or a range such as \"9100-9107\"";
	const char *text = scalar(ps, node, "a port", expected);
	uint64_t first = 0, last = 0;
	const char *rest;

	if (!text)
		return false;
	if (text_parse_leading_u64(text, &first, &rest))
		goto bad;
	last = first;
	if (*rest == '-' && text_parse_u64(rest + 1, 1, UINT16_MAX, &last))
		goto bad;
	if ((*rest != '-' && *rest != '\0') || first < 1 || first > UINT16_MAX)
		goto bad;
	if (last < first) {
		complain(ps, node->pos,
			 "port range %s runs backwards; expected \"%" PRIu64
			 "-%" PRIu64 "\"",
			 quote(node).s, last, first);
		return false;
	}
	ports->first = (uint16_t)first;
	ports->last = (uint16_t)last;
	return true;
bad:
	complain(ps, node->pos, "port is %s; expected %s", quote(node).s,
		 expected);
	return false;
}

static int take_ports(struct parser *ps, const struct policy_yaml *node,
		      struct policy_destination *destination)
{
	const struct policy_yaml *member;

	member = list_start(ps, node, "ports", POLICY_PORTS_MAX,
			    "[631, \"9100-9107\"]");
	if (!member)
		return 0;
	destination->ports =
		calloc(node->n_children, sizeof(*destination->ports));
	if (!destination->ports)
		return -ENOMEM;
	for (; member; member = member->next)
		if (take_port_range(ps, member,
				    &destination->ports[destination->n_ports]))
			destination->n_ports++;
	return 0;
}

static int take_destination(struct parser *ps, const struct policy_yaml *node,
			    struct policy_destination *destination)
{
	enum { NETWORKS, PORTS, N_KEYS };
	static const struct key keys[] = {
		[NETWORKS] = {"networks", "[10.20.0.0/24]"},
		[PORTS] = {"ports", NULL},
	};
	static const struct schema schema = {"a destination", keys, N_KEYS};
	const struct policy_yaml *v[N_KEYS];
	int r = 0;

	if (!pick(ps, node, &schema, v))
		return 0;
	if (v[NETWORKS])
		r = take_networks(ps, v[NETWORKS], destination);
	if (!r && v[PORTS])
		r = take_ports(ps, v[PORTS], destination);
	return r;
}

static int take_destinations(struct parser *ps, const struct policy_yaml *node)
{
	struct policy *p = ps->policy;
	struct policy_destination *destination;
	const struct policy_yaml *key;
	uint32_t earlier;
	size_t n;
	int r;

	key = names_start(ps, node, "destinations",
			  "a map of names and destinations",
			  POLICY_DESTINATIONS_MAX, &n);
	p->destinations = calloc(n + 1, sizeof(*p->destinations));
	if (!p->destinations)
		return -ENOMEM;
	p->n_destinations = 1;
	p->destinations[POLICY_ANYWHERE].name = strdup("*");
	if (!p->destinations[POLICY_ANYWHERE].name)
		return -ENOMEM;
	for (; n > 0; key = key->next->next, n--) {
		r = policy_find_destination(p, key->text ? key->text : "",
					    &earlier);
		destination = &p->destinations[p->n_destinations];
		r = take_name(ps, key, "a destination",
			      r ? NULL : &p->destinations[earlier].pos,
			      &destination->name, &destination->pos);
		if (r == -EINVAL)
			continue;
		if (r)
			return r;
		p->n_destinations++;
		r = take_destination(ps, key->next, destination);
		if (r)
			return r;
	}
	return 0;
}

/* A network with its destination, for the check of all of them together. */
struct placed {
	const struct policy_network *network;
	uint32_t destination;
	/* of the first entry of each prefix: */
	size_t n_ports; /* entries up to the first with every port */
	bool has_every; /* one of them has every port */
};

static int compare_placed(const void *a, const void *b)
{
	const struct placed *pa = a, *pb = b;
	int r = memcmp(pa->network->addr, pb->network->addr, 16);

	if (r)
		return r;
	if (pa->network->prefix_len != pb->network->prefix_len)
		return pa->network->prefix_len < pb->network->prefix_len ? -1
									 : 1;
	if (pa->destination != pb->destination)
		return pa->destination < pb->destination ? -1 : 1;
	/* the address in the array, which is the order in the file */
	return pa->network < pb->network ? -1 : 1;
}

static bool network_holds(const struct policy_network *wide,
			  const struct policy_network *narrow)
{
	uint8_t addr[16];

	if (wide->prefix_len > narrow->prefix_len)
		return false;
	memcpy(addr, narrow->addr, sizeof(addr));
	(void)mask_address(addr, wide->prefix_len);
	return memcmp(addr, wide->addr, sizeof(addr)) == 0;
}

static bool same_prefix(const struct placed *a, const struct placed *b)
{
	return a->network->prefix_len == b->network->prefix_len &&
	       memcmp(a->network->addr, b->network->addr, 16) == 0;
}

/* Adds entry i to what is known of its prefix, kept in the first of them. */
static void count_ports(const struct policy *p, struct placed *first,
			const struct placed *entry)
{
	size_t n_ports = p->destinations[entry->destination].n_ports;

	if (first->has_every)
		return;
	if (entry != first && entry->destination == entry[-1].destination)
		return;
	first->n_ports += n_ports ? n_ports : 1;
	first->has_every = n_ports == 0;
}

/*
 * An address belongs to the longest prefix whose destination has the port, so
 * the guard keeps with each prefix the ports of the ones around it as well.
 * That list is short: one lookup for each packet has to do.
 */
static int check_networks(struct parser *ps)
{
	const struct policy *p = ps->policy;
	/* prefixes that hold the current one, the longest on top */
	struct placed *stack[129], *all, *first = NULL;
	size_t n = 0, depth = 0, n_ports;

	for (size_t i = 1; i < p->n_destinations; i++)
		n += p->destinations[i].n_networks;
	if (n == 0)
		return 0;
	all = calloc(n, sizeof(*all));
	if (!all)
		return -ENOMEM;
	n = 0;
	for (uint32_t i = 1; i < p->n_destinations; i++)
		for (size_t j = 0; j < p->destinations[i].n_networks;
		     j++, n++) {
			all[n].network = &p->destinations[i].networks[j];
			all[n].destination = i;
		}
	qsort(all, n, sizeof(*all), compare_placed);

	for (size_t i = 0; i < n; i++) {
		if (!first || !same_prefix(first, &all[i]))
			first = &all[i];
		count_ports(p, first, &all[i]);
		if (i + 1 < n && same_prefix(first, &all[i + 1]))
			continue;
		while (depth > 0 && !network_holds(stack[depth - 1]->network,
						   first->network))
			depth--;
		stack[depth++] = first;
		n_ports = 0;
		for (size_t d = depth; d > 0; d--) {
			n_ports += stack[d - 1]->n_ports;
			if (stack[d - 1]->has_every)
				break;
		}
		if (n_ports > POLICY_NETWORK_PORTS_MAX)
			complain(ps, all[i].network->pos,
				 "%zu port entries for this network and the "
				 "wider ones around it; expected at most %d, "
				 "e.g. with ranges of ports",
				 n_ports, POLICY_NETWORK_PORTS_MAX);
	}
	free(all);
	return 0;
}

/* ---- budgets ----------------------------------------------------------- */

/* A budget is an amount, a slash and a window, each shorter than this. */
#define AMOUNT_CHARS_MAX 48

/* Copies s[0..len) without the blanks around it; false if it is too long. */
static bool copy_part(const char *s, size_t len, char buf[AMOUNT_CHARS_MAX])
{
	while (len > 0 && *s == ' ') {
		s++;
		len--;
	}
	while (len > 0 && s[len - 1] == ' ')
		len--;
	if (len >= AMOUNT_CHARS_MAX)
		return false;
	memcpy(buf, s, len);
	buf[len] = '\0';
	return true;
}

/* Why text is no limit, or NULL and the limit in *ret_records or *ret_bytes,
 * the other being 0. */
static const char *parse_amount(const char *text, uint64_t *ret_records,
				uint64_t *ret_bytes)
{
	uint64_t number, bytes;
	const char *unit;
	int r;

	r = text_parse_leading_u64(text, &number, &unit);
	if (r == -ERANGE)
		return "the number is too large; expected at most 2147483647 "
		       "records or 2^60 bytes";
	if (r)
		return "it does not start with a number (without sign or "
		       "leading zero); expected " BUDGET_EXAMPLE;
	unit += strspn(unit, " ");
	if (number == 0)
		return "0 of something is nothing; expected \"none\"";
	if (strcmp(unit, "record") == 0 || strcmp(unit, "records") == 0) {
		if (number > POLICY_BUDGET_RECORDS_MAX)
			return "too many records; expected at most 2147483647";
		*ret_records = number;
		*ret_bytes = 0;
		return NULL;
	}
	if (*unit == '\0')
		return "a number of what; expected \"records\", B, KiB, MiB or "
		       "GiB behind the number";
	r = text_parse_bytes(text, true, 1, POLICY_BUDGET_BYTES_MAX, &bytes);
	if (r == -ERANGE)
		return "too many bytes; expected at most 2^60";
	if (r)
		return "its unit is not known; expected \"records\", B, KiB, "
		       "MiB or GiB (of 1024)";
	*ret_bytes = bytes;
	*ret_records = 0;
	return NULL;
}

/* Adds the limit that a scalar states to budget. */
static const char *parse_limit(const char *text, struct policy_budget *budget)
{
	char amount[AMOUNT_CHARS_MAX], window[AMOUNT_CHARS_MAX];
	const char *slash = strchr(text, '/');
	uint64_t records, bytes, window_ns;
	const char *why;
	int r;

	if (!slash)
		return "it has no window; expected " BUDGET_EXAMPLE;
	if (!copy_part(text, (size_t)(slash - text), amount) ||
	    !copy_part(slash + 1, strlen(slash + 1), window))
		return "it is too long; expected " BUDGET_EXAMPLE;
	why = parse_amount(amount, &records, &bytes);
	if (why)
		return why;
	r = text_parse_duration(window, POLICY_WINDOW_NS_MIN,
				POLICY_WINDOW_NS_MAX, &window_ns);
	if (r == -ERANGE)
		return "the window is too short or too long; expected 1 second "
		       "to 4 weeks";
	if (r)
		return "the window is not known; expected " WINDOW_EXAMPLE;

	if (records ? budget->records_window_ns : budget->bytes_window_ns)
		return "a second limit of that kind; expected at most one of "
		       "records and one of bytes";
	if (records) {
		budget->records = records;
		budget->records_window_ns = window_ns;
	} else {
		budget->bytes = bytes;
		budget->bytes_window_ns = window_ns;
	}
	budget->kind = POLICY_BUDGET_LIMITED;
	return NULL;
}

static void take_limit(struct parser *ps, const struct policy_yaml *node,
		       struct policy_budget *budget)
{
	const char *text = scalar(ps, node, "a budget", BUDGET_EXAMPLE);
	const char *why;

	if (!text)
		return;
	why = parse_limit(text, budget);
	if (why)
		complain(ps, node->pos, "budget %s: %s", quote(node).s, why);
}

static void take_budget(struct parser *ps, const struct policy_yaml *node,
			struct policy_budget *budget)
{
	struct guess guess = {.word = node->text};
	const struct policy_yaml *member;

	budget->pos = node->pos;
	if (node->type == POLICY_YAML_LIST) {
		member = list_start(ps, node, "a budget", 2,
				    "[20 records/day, 64 MiB/day]");
		for (; member; member = member->next)
			take_limit(ps, member, budget);
		return;
	}
	if (node->type == POLICY_YAML_SCALAR) {
		if (strcmp(node->text, "none") == 0) {
			budget->kind = POLICY_BUDGET_NONE;
			return;
		}
		if (strcmp(node->text, "unlimited") == 0) {
			budget->kind = POLICY_BUDGET_UNLIMITED;
			return;
		}
		guess_try(&guess, "none");
		guess_try(&guess, "unlimited");
		if (guess.best && !node->is_null) {
			complain(ps, node->pos, "budget %s%s; expected %s",
				 quote(node).s, guess_hint(&guess).s,
				 BUDGET_EXAMPLE);
			return;
		}
	}
	take_limit(ps, node, budget);
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
	guess.word = scalar(ps, node, whats[kind], expected);
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
	complain(ps, node->pos, "unknown %s %s%s; expected %s", whats[kind],
		 quote(node).s, guess_hint(&guess).s, expected);
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
	if (!is_map(ps, node, "release", expected))
		return 0;
	if (node->n_children == 0) {
		complain(ps, node->pos, "release is an empty map; expected %s",
			 expected);
		return 0;
	}
	n = clip_names(ps, node, "release entries in one rule",
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
				complain(ps, key->pos,
					 "destination %s stands twice in one "
					 "release; expected it once",
					 quote(key).s);
	}
	return 0;
}

static int take_rule(struct parser *ps, const struct policy_yaml *node,
		     struct policy_rule *rule)
{
	enum { WHO, DATA, PER, READ, RELEASE, ACTION, MODE, N_KEYS };
	static const struct key keys[] = {
		[WHO] = {"subject", "\"*\""},  [DATA] = {"dataset", "\"*\""},
		[PER] = {"per", NULL},	       [READ] = {"read", NULL},
		[RELEASE] = {"release", NULL}, [ACTION] = {"action", NULL},
		[MODE] = {"mode", NULL},
	};
	static const struct schema schema = {"a rule", keys, N_KEYS};
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
	if (!pick(ps, node, &schema, v))
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
	member = list_start(ps, node, "rules", POLICY_RULES_MAX,
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
	const char *text = scalar(ps, node, "a host", expected);

	if (!text)
		return 0;
	if (node->len > POLICY_HOST_CHARS_MAX || !check_glob(text)) {
		complain(ps, node->pos, "host is %s; expected %s",
			 quote(node).s, expected);
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
		member = list_start(ps, node, "hosts", POLICY_HOSTS_MAX,
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
	const char *text = scalar(ps, node, "cordon", "1");

	if (!text)
		return false;
	if (strcmp(text, "1") == 0)
		return true;
	complain(ps, node->pos,
		 "cordon is %s, a format that this version does not know; "
		 "expected 1",
		 quote(node).s);
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
		DATASETS,
		SUBJECTS,
		DESTINATIONS,
		RULES,
		N_KEYS
	};
	static const struct key keys[] = {
		[CORDON] = {"cordon", "1"},
		[ISSUER] = {"issuer", "Example Police Service"},
		[SERIAL] = {"serial", "1"},
		[NOT_BEFORE] = {"not-before", NULL},
		[EXPIRES] = {"expires", NULL},
		[HOSTS] = {"hosts", NULL},
		[MODE] = {"mode", NULL},
		[DATASETS] = {"datasets",
			      "{photos: {paths: [/srv/photos], record: file}}"},
		[SUBJECTS] = {"subjects", NULL},
		[DESTINATIONS] = {"destinations", NULL},
		[RULES] = {"rules",
			   "[{subject: \"*\", dataset: \"*\", read: none}]"},
	};
	static const struct schema schema = {"the policy", keys, N_KEYS};
	struct policy *p = ps->policy;
	const struct policy_yaml *v[N_KEYS];
	int r = 0;

	if (!pick(ps, root, &schema, v))
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
			complain(ps, v[EXPIRES]->pos,
				 "expires is not after not-before; expected a "
				 "later time");
	}
	if (v[MODE])
		take_mode(ps, v[MODE], &p->mode);

	/* rules last: they refer to the rest */
	if (!r)
		r = take_hosts(ps, v[HOSTS]);
	if (!r && v[DATASETS])
		r = take_datasets(ps, v[DATASETS]);
	if (!r)
		r = take_subjects(ps, v[SUBJECTS]);
	if (!r)
		r = take_destinations(ps, v[DESTINATIONS]);
	if (!r && v[RULES])
		r = take_rules(ps, v[RULES]);
	if (!r)
		r = check_paths(ps);
	if (!r)
		r = check_networks(ps);
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
	*ret_policy = ps.policy;
	ps.policy = NULL;
out:
	if (errs)
		qsort(errs->v, errs->n, sizeof(errs->v[0]), compare_errors);
	policy_free(ps.policy);
	policy_yaml_free(root);
	return r;
}
