// SPDX-License-Identifier: GPL-2.0-only
#include "args.h"
#include "text.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define NS_PER_S 1000000000ULL

static int wrong(char *error, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

static int wrong(char *error, const char *format, ...)
{
	va_list ap;

	va_start(ap, format);
	(void)vsnprintf(error, ARGS_ERROR_CHARS_MAX, format, ap);
	va_end(ap);
	return -EINVAL;
}

int args_parse_since(const char *text, int64_t now_s, int64_t *ret_s,
		     char *error)
{
	char quoted[TEXT_QUOTE_CHARS_MAX];
	uint64_t ago_ns;
	int64_t s;

	if (text_parse_time(text, &s) != 0) {
		if (text_parse_duration(text, NS_PER_S, UINT64_MAX, &ago_ns)) {
			text_quote(text, strlen(text), quoted, sizeof(quoted));
			return wrong(error,
				     "%s: expected a moment such as "
				     "2026-11-01T00:00:00Z or a time before "
				     "now such as \"15 minutes\" or day",
				     quoted);
		}
		s = now_s - (int64_t)(ago_ns / NS_PER_S);
	}
	/* 0 stands for "no limit" in a request. */
	*ret_s = s < 1 ? 1 : s;
	return 0;
}

/* ---- actors ------------------------------------------------------------- */

static const struct {
	const char *name;
	size_t offset;
} parts[] = {
	{"unit", offsetof(struct policy_actor, unit)},
	{"cgroup", offsetof(struct policy_actor, cgroup)},
	{"exe", offsetof(struct policy_actor, exe)},
	{"user", offsetof(struct policy_actor, user)},
	{"group", offsetof(struct policy_actor, group)},
	{"login", offsetof(struct policy_actor, login)},
};

#define N_PARTS (sizeof(parts) / sizeof(parts[0]))

static int take_part(struct policy_actor *actor, char *part, char *error)
{
	char quoted[TEXT_QUOTE_CHARS_MAX];
	char *value = strchr(part, '=');
	const char **place;

	if (value)
		*value++ = '\0';
	for (size_t i = 0; i < N_PARTS; i++) {
		if (strcmp(part, parts[i].name) != 0)
			continue;
		if (!value || !value[0])
			return wrong(error, "%s has no value: expected %s=...",
				     part, part);
		place = (const char **)((char *)actor + parts[i].offset);
		if (*place)
			return wrong(error, "%s is given twice", part);
		*place = value;
		return 0;
	}
	text_quote(part, strlen(part), quoted, sizeof(quoted));
	return wrong(error,
		     "%s: expected unit=, cgroup=, exe=, user=, group= "
		     "or login=",
		     quoted);
}

static const char *account(const struct policy_account *account, char *number)
{
	if (!account->set)
		return NULL;
	if (!account->is_id)
		return account->name;
	(void)snprintf(number, 12, "%" PRIu32, account->id);
	return number;
}

static void from_subject(struct args_actor *ret,
			 const struct policy_subject *subject)
{
	struct policy_actor *actor = &ret->actor;

	actor->unit = subject->unit;
	actor->cgroup = subject->cgroup;
	actor->exe = subject->exe;
	actor->user = account(&subject->user, ret->numbers[0]);
	actor->group = account(&subject->group, ret->numbers[1]);
	switch (subject->login) {
	case POLICY_LOGIN_UNSET:
		break;
	case POLICY_LOGIN_NONE:
		actor->login = "none";
		break;
	case POLICY_LOGIN_ANY:
		/* Nobody's name, but a login. */
		actor->login = "any";
		break;
	case POLICY_LOGIN_USER:
		actor->login = account(&subject->login_user, ret->numbers[2]);
		break;
	}
}

int args_parse_actor(const char *text, const struct policy *policy,
		     struct args_actor *ret_actor, char *error)
{
	char quoted[TEXT_QUOTE_CHARS_MAX];
	char *rest, *part;
	const char *near;
	uint32_t subject;
	int r;

	memset(ret_actor, 0, sizeof(*ret_actor));
	if (!strchr(text, '=')) {
		if (policy_find_subject(policy, text, &subject) == 0) {
			from_subject(ret_actor, &policy->subjects[subject]);
			return 0;
		}
		text_quote(text, strlen(text), quoted, sizeof(quoted));
		near = args_nearest(text, policy->subjects, policy->n_subjects,
				    sizeof(policy->subjects[0]));
		return wrong(error, "the policy has no subject %s%s%s%s",
			     quoted, near ? ": did you mean " : "",
			     near ? near : "", near ? "?" : "");
	}

	ret_actor->text = strdup(text);
	if (!ret_actor->text)
		return -ENOMEM;
	rest = ret_actor->text;
	while ((part = strsep(&rest, ","))) {
		/* group=print,lp: the comma was part of a value. */
		if (!strchr(part, '=') && ret_actor->actor.group &&
		    ret_actor->actor.group + strlen(ret_actor->actor.group) ==
			    part - 1) {
			part[-1] = ',';
			continue;
		}
		r = take_part(&ret_actor->actor, part, error);
		if (r) {
			args_actor_release(ret_actor);
			return r;
		}
	}
	return 0;
}

void args_actor_release(struct args_actor *actor)
{
	free(actor->text);
	memset(actor, 0, sizeof(*actor));
}

const char *args_nearest(const char *word, const void *names, size_t n,
			 size_t size)
{
	const char *best = NULL, *name;
	unsigned int distance, least = 0;

	for (size_t i = 0; i < n; i++) {
		name = *(const char *const *)((const char *)names + i * size);
		if (text_is_near(word, name, &distance) &&
		    (!best || distance < least)) {
			best = name;
			least = distance;
		}
	}
	return best;
}
