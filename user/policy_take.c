// SPDX-License-Identifier: GPL-2.0-only
#include "policy_take.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Room for the longest list of words that an error offers. */
#define WORDS_CHARS_MAX 256

void take_fail(struct parser *ps, struct policy_pos pos, const char *format,
	       ...)
{
	char text[POLICY_ERROR_CHARS_MAX];
	va_list ap;

	va_start(ap, format);
	(void)vsnprintf(text, sizeof(text), format, ap);
	va_end(ap);
	policy_errors_add(ps->errs, ps->name, pos, "%s", text);
	ps->bad = true;
}

struct quoted take_quote(const struct policy_yaml *node)
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

void guess_try(struct guess *guess, const char *candidate)
{
	unsigned int distance;

	if (!text_is_near(guess->word, candidate, &distance))
		return;
	if (guess->best && guess->distance <= distance)
		return;
	guess->best = candidate;
	guess->distance = distance;
}

struct hint guess_hint(const struct guess *guess)
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

const char *take_scalar(struct parser *ps, const struct policy_yaml *node,
			const char *what, const char *expected)
{
	if (node->type != POLICY_YAML_SCALAR) {
		take_fail(ps, node->pos, "%s is %s; expected %s", what,
			  node->type == POLICY_YAML_LIST ? "a list" : "a map",
			  expected);
		return NULL;
	}
	if (node->is_null || node->len == 0) {
		take_fail(ps, node->pos, "%s is empty; expected %s", what,
			  expected);
		return NULL;
	}
	return node->text;
}

int take_string(struct parser *ps, const struct policy_yaml *node,
		const char *what, size_t max, char **ret_text)
{
	char expected[64];
	const char *text;

	(void)snprintf(expected, sizeof(expected),
		       "a text of 1 to %zu characters", max);
	text = take_scalar(ps, node, what, expected);
	if (!text)
		return 0;
	if (node->len > max) {
		take_fail(ps, node->pos, "%s has %zu characters; expected %s",
			  what, node->len, expected);
		return 0;
	}
	*ret_text = strdup(text);
	return *ret_text ? 0 : -ENOMEM;
}

void take_u64(struct parser *ps, const struct policy_yaml *node,
	      const char *what, uint64_t min, uint64_t max, uint64_t *ret_value)
{
	char expected[64];
	const char *text;

	(void)snprintf(expected, sizeof(expected),
		       "a number from %" PRIu64 " to %" PRIu64, min, max);
	text = take_scalar(ps, node, what, expected);
	if (text && text_parse_u64(text, min, max, ret_value))
		take_fail(ps, node->pos, "%s is %s; expected %s", what,
			  take_quote(node).s, expected);
}

void take_size(struct parser *ps, const struct policy_yaml *node,
	       const char *what, uint32_t *ret_bytes)
{
	static const char expected[] = "a number of bytes from 1 to 1 MiB";
	const char *text = take_scalar(ps, node, what, expected);
	uint64_t bytes;

	if (!text)
		return;
	if (text_parse_bytes(text, false, 1, POLICY_RECORD_BYTES_MAX, &bytes))
		take_fail(ps, node->pos, "%s is %s; expected %s", what,
			  take_quote(node).s, expected);
	else
		*ret_bytes = (uint32_t)bytes;
}

void take_time(struct parser *ps, const struct policy_yaml *node,
	       const char *what, int64_t *ret_s)
{
	static const char expected[] =
		"a time in UTC such as 2026-11-01T00:00:00Z";
	const char *text = take_scalar(ps, node, what, expected);

	if (text && text_parse_time(text, ret_s))
		take_fail(ps, node->pos, "%s is %s; expected %s", what,
			  take_quote(node).s, expected);
}

void take_choice(struct parser *ps, const struct policy_yaml *node,
		 const char *what, const char *const *words, size_t n,
		 unsigned int *ret_choice)
{
	char expected[WORDS_CHARS_MAX];
	struct guess guess = {0};

	list_words(words, n, expected, sizeof(expected));
	guess.word = take_scalar(ps, node, what, expected);
	if (!guess.word)
		return;
	for (size_t i = 0; i < n; i++) {
		if (strcmp(guess.word, words[i]) == 0) {
			*ret_choice = (unsigned int)i;
			return;
		}
		guess_try(&guess, words[i]);
	}
	take_fail(ps, node->pos, "%s is %s%s; expected %s", what,
		  take_quote(node).s, guess_hint(&guess).s, expected);
}

void take_mode(struct parser *ps, const struct policy_yaml *node,
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

int take_path(struct parser *ps, const struct policy_yaml *node,
	      const char *what, const char *example, char **ret_path)
{
	const char *text;
	char expected[96];

	(void)snprintf(expected, sizeof(expected),
		       "an absolute path such as %s", example);
	text = take_scalar(ps, node, what, expected);
	if (!text)
		return 0;
	if (text[0] != '/') {
		take_fail(ps, node->pos, "%s is %s; expected %s", what,
			  take_quote(node).s, expected);
		return 0;
	}
	if (text[1] == '\0') {
		take_fail(ps, node->pos, "%s is \"/\", the root; expected %s",
			  what, expected);
		return 0;
	}
	if (!path_is_normal(text)) {
		take_fail(ps, node->pos,
			  "%s is %s; expected a path without \"//\", \".\" and "
			  "\"..\", and without \"/\" at the end",
			  what, take_quote(node).s);
		return 0;
	}
	if (node->len > POLICY_PATH_CHARS_MAX) {
		take_fail(ps, node->pos,
			  "%s has %zu characters; expected at most %d", what,
			  node->len, POLICY_PATH_CHARS_MAX);
		return 0;
	}
	*ret_path = strdup(text);
	return *ret_path ? 0 : -ENOMEM;
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

void take_once(struct parser *ps, const struct policy_path **all, size_t n,
	       const char *what, const char *where)
{
	struct quoted q;

	qsort(all, n, sizeof(*all), compare_paths);
	for (size_t i = 1; i < n; i++) {
		if (strcmp(all[i - 1]->path, all[i]->path) != 0)
			continue;
		text_quote(all[i]->path, strlen(all[i]->path), q.s,
			   sizeof(q.s));
		take_fail(ps, all[i]->pos,
			  "%s%s already stands in line %" PRIu32
			  "; expected it in %s, once",
			  what, q.s, all[i - 1]->pos.line, where);
	}
}

/* ---- lists and maps ---------------------------------------------------- */

const struct policy_yaml *take_list(struct parser *ps,
				    const struct policy_yaml *node,
				    const char *what, size_t max,
				    const char *example)
{
	const struct policy_yaml *member;

	if (node->type != POLICY_YAML_LIST || node->n_children == 0) {
		take_fail(ps, node->pos, "%s is %s; expected a list such as %s",
			  what,
			  node->type == POLICY_YAML_LIST  ? "an empty list"
			  : node->type == POLICY_YAML_MAP ? "a map"
			  : node->is_null		  ? "empty"
							  : take_quote(node).s,
			  example);
		return NULL;
	}
	if (node->n_children > max) {
		member = node->first;
		for (size_t i = 0; i < max; i++)
			member = member->next;
		take_fail(ps, member->pos,
			  "%s has %zu entries; expected at most %zu", what,
			  node->n_children, max);
		return NULL;
	}
	return node->first;
}

bool take_map(struct parser *ps, const struct policy_yaml *node,
	      const char *what, const char *expected)
{
	if (node->type == POLICY_YAML_MAP)
		return true;
	take_fail(ps, node->pos, "%s is %s; expected %s", what,
		  node->type == POLICY_YAML_LIST ? "a list"
		  : node->is_null		 ? "empty"
						 : take_quote(node).s,
		  expected);
	return false;
}

static void unknown_key(struct parser *ps, const struct take_schema *schema,
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
	take_fail(ps, key->pos, "unknown key %s in %s%s; expected %s",
		  take_quote(key).s, schema->what, guess_hint(&guess).s,
		  expected);
}

bool take_kind(struct parser *ps, const struct policy_yaml *root,
	       enum kind kind)
{
	enum kind found = kind_of_key(root->first ? root->first->text : NULL);

	if (found == KIND_NONE || found == kind)
		return true;
	take_fail(ps, root->pos,
		  "found %s, expected %s: what was signed as the one is never "
		  "taken for the other",
		  kind_words(found), kind_words(kind));
	return false;
}

bool take_keys(struct parser *ps, const struct policy_yaml *node,
	       const struct take_schema *schema,
	       const struct policy_yaml **values)
{
	const struct policy_yaml *key;
	size_t i;

	memset(values, 0, schema->n_keys * sizeof(*values));
	if (!take_map(ps, node, schema->what, "a map of keys and values"))
		return false;
	for (key = node->first; key; key = key->next->next) {
		if (!take_scalar(ps, key, "a key", "a word"))
			continue;
		for (i = 0; i < schema->n_keys; i++)
			if (strcmp(key->text, schema->keys[i].name) == 0)
				break;
		if (i == schema->n_keys) {
			unknown_key(ps, schema, key);
			continue;
		}
		if (values[i]) {
			take_fail(ps, key->pos,
				  "key %s stands twice in %s; expected it once",
				  take_quote(key).s, schema->what);
			continue;
		}
		values[i] = key->next;
	}
	for (i = 0; i < schema->n_keys; i++)
		if (schema->keys[i].example && !values[i])
			take_fail(ps, node->pos,
				  "key \"%s\" is missing in %s; expected e.g. "
				  "%s: %s",
				  schema->keys[i].name, schema->what,
				  schema->keys[i].name,
				  schema->keys[i].example);
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

int take_name(struct parser *ps, const struct policy_yaml *key,
	      const char *what, const struct policy_pos *earlier,
	      char **ret_name, struct policy_pos *ret_pos)
{
	if (!take_scalar(ps, key, "a name", "a text"))
		return -EINVAL;
	if (strcmp(key->text, "*") == 0) {
		take_fail(ps, key->pos,
			  "%s \"*\" cannot be defined, it stands for all; "
			  "expected another name",
			  what);
		return -EINVAL;
	}
	if (!name_is_good(key->text, key->len)) {
		take_fail(ps, key->pos,
			  "%s has the name %s; expected 1 to %d of A-Z a-z 0-9 "
			  ". _ @ -",
			  what, take_quote(key).s, POLICY_NAME_CHARS_MAX);
		return -EINVAL;
	}
	if (earlier) {
		take_fail(ps, key->pos,
			  "%s %s is already defined in line %" PRIu32
			  "; expected another name",
			  what, take_quote(key).s, earlier->line);
		return -EINVAL;
	}
	*ret_name = strdup(key->text);
	if (!*ret_name)
		return -ENOMEM;
	*ret_pos = key->pos;
	return 0;
}

size_t take_count(struct parser *ps, const struct policy_yaml *node,
		  const char *what, size_t max)
{
	const struct policy_yaml *key = node->first;

	if (node->n_children <= max)
		return node->n_children;
	for (size_t i = 0; i < max; i++)
		key = key->next->next;
	take_fail(ps, key->pos, "%zu %s; expected at most %zu",
		  node->n_children, what, max);
	return max;
}

const struct policy_yaml *take_names(struct parser *ps,
				     const struct policy_yaml *node,
				     const char *what, const char *expected,
				     size_t max, size_t *ret_n)
{
	*ret_n = 0;
	if (!node || !take_map(ps, node, what, expected))
		return NULL;
	*ret_n = take_count(ps, node, what, max);
	return node->first;
}
