// SPDX-License-Identifier: GPL-2.0-only
#include "event.h"
#include "export_internal.h"
#include "log.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int export_new(const struct export_options *opts, struct export **ret_export)
{
	struct export *export = calloc(1, sizeof(*export));

	if (!export)
		return -ENOMEM;
	export->opts = *opts;
	export->host_given = opts->host != NULL;
	(void)snprintf(export->host, sizeof(export->host), "%s",
		       opts->host ? opts->host : "");
	(void)snprintf(export->key, sizeof(export->key), "%s",
		       opts->key ? opts->key : "");
	*ret_export = export;
	return 0;
}

void export_free(struct export *export)
{
	if (!export)
		return;
	for (size_t i = 0; i < INCIDENTS_MAX; i++)
		json_decref(export->actors[i].line);
	free(export);
}

/* ---- what lines have ----------------------------------------------------- */

bool export_number(const json_t *line, const char *key, int64_t *ret_n)
{
	const json_t *value = json_object_get(line, key);

	if (!json_is_integer(value))
		return false;
	*ret_n = json_integer_value(value);
	return true;
}

const json_t *export_act(const json_t *line)
{
	const json_t *act = json_object_get(line, "act");

	return json_is_object(act) ? act : line;
}

bool export_is_event(const char *type)
{
	for (uint32_t i = EVENT_FIRST_READ; i <= EVENT_FAULT; i++)
		if (strcmp(type, event_type_name(i)) == 0)
			return true;
	return false;
}

/* ---- learning ------------------------------------------------------------ */

static void learn_host(struct export *export, const json_t *line)
{
	const char *host = evidence_text(line, "host");
	const char *key = evidence_text(line, "key");

	if (host[0] && !export->host_given)
		(void)snprintf(export->host, sizeof(export->host), "%s", host);
	if (key[0])
		(void)snprintf(export->key, sizeof(export->key), "%s", key);
}

static struct export_actor *find_actor(const struct export *export,
				       int64_t incident)
{
	for (size_t i = 0; incident > 0 && i < INCIDENTS_MAX; i++)
		if (export->actors[i].incident == (uint64_t)incident)
			return (struct export_actor *)&export->actors[i];
	return NULL;
}

static void learn_actor(struct export *export, const json_t *line)
{
	struct export_actor *actor;
	int64_t incident = 0;

	/* The first line is that of who acted first. */
	if (!export_number(line, "incident", &incident) || incident <= 0 ||
	    find_actor(export, incident))
		return;
	actor = &export->actors[export->next_actor];
	export->next_actor = (export->next_actor + 1) % INCIDENTS_MAX;
	json_decref(actor->line);
	actor->line = json_deep_copy(line);
	actor->incident = actor->line ? (uint64_t)incident : 0;
}

const json_t *export_actor(const struct export *export, const json_t *line)
{
	const struct export_actor *actor;
	int64_t incident = 0, tgid = 0, its = -1;

	(void)export_number(line, "incident", &incident);
	actor = find_actor(export, incident);
	if (!actor || !export_number(line, "tgid", &tgid) ||
	    !export_number(actor->line, "tgid", &its) || tgid != its)
		return NULL;
	return actor->line;
}

void export_learn(struct export *export, const json_t *line)
{
	const char *type = evidence_text(line, "type");

	if (strcmp(type, "checkpoint") == 0)
		learn_host(export, line);
	else if (strcmp(type, "actor") == 0)
		learn_actor(export, line);
}

/* ---- telling ------------------------------------------------------------- */

static int as_it_is(const char *text, size_t len, char **ret_text,
		    size_t *ret_len)
{
	*ret_text = malloc(len ? len : 1);
	if (!*ret_text)
		return -ENOMEM;
	memcpy(*ret_text, text, len);
	*ret_len = len;
	return 1;
}

int export_line(struct export *export, const json_t *line, const char *text,
		size_t len, char **ret_text, size_t *ret_len)
{
	const char *type = evidence_text(line, "type");
	bool incident = strcmp(type, "incident") == 0;

	export_learn(export, line);
	switch (export->opts.format) {
	case EXPORT_OCSF:
		return incident ? export_ocsf(export, line, text, len, ret_text,
					      ret_len)
				: 0;
	case EXPORT_SYSLOG:
		return incident || export_is_event(type)
			       ? export_syslog(export, line, ret_text, ret_len)
			       : 0;
	default:
		return as_it_is(text, len, ret_text, ret_len);
	}
}
