// SPDX-License-Identifier: GPL-2.0-only
#include "kind.h"

#include <stdbool.h>
#include <stddef.h>
#include <string.h>

static const struct {
	const char *key;
	const char *name;
	const char *words;
} kinds[KIND_MAX] = {
	[KIND_NONE] = {NULL, NULL, "something else"},
	[KIND_POLICY] = {POLICY_KEY, "policy", "a policy"},
	[KIND_TRUST] = {TRUST_KEY, "trust", "trust anchors"},
	[KIND_ACT] = {ACT_KEY, "act", "an act"},
	[KIND_ENROLMENT] = {ENROLMENT_KEY, "enrolment", "an enrolment"},
};

static enum kind find(const char *key, size_t len)
{
	for (int i = KIND_NONE + 1; i < KIND_MAX; i++)
		if (strlen(kinds[i].key) == len &&
		    memcmp(kinds[i].key, key, len) == 0)
			return (enum kind)i;
	return KIND_NONE;
}

static bool is_before_keys(const char *line)
{
	const char *text = line + strspn(line, " \t\r");

	return *text == '#' || *text == '\n' || strncmp(line, "---", 3) == 0;
}

enum kind kind_of(const char *text)
{
	while (is_before_keys(text)) {
		text += strcspn(text, "\n");
		text += *text == '\n';
	}
	return text[strcspn(text, ":\n")] == ':'
		       ? find(text, strcspn(text, ":"))
		       : KIND_NONE;
}

enum kind kind_of_key(const char *key)
{
	return key ? find(key, strlen(key)) : KIND_NONE;
}

const char *kind_name(enum kind kind)
{
	return kinds[kind].name;
}

const char *kind_words(enum kind kind)
{
	return kinds[kind].words;
}
