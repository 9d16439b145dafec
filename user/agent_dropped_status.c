// SPDX-License-Identifier: GPL-2.0-only
/*
 * What the status tells of the drop directory.
 */
#include "agent.h"
#include "agent_dropped.h"

#include <stdio.h>

#include "log.h"

#define SHOWN_MAX 256 /* of why */

static json_t *file_status(const struct dropped_file *file)
{
	static const char *const names[] = {
		[DROPPED_WAITING] = "waiting",
		[DROPPED_REFUSED] = "refused",
		[DROPPED_IN_FORCE] = "in-force",
		[DROPPED_OLDER] = "older",
	};
	char name[NAME_MAX + 1], why[SHOWN_MAX];
	json_t *object;

	(void)snprintf(name, sizeof(name), "%s", file->name);
	log_clean(name);
	(void)snprintf(why, sizeof(why), "%.255s", file->why);
	log_clean(why);
	object = json_pack("{s:s, s:s}", "file", name, "state",
			   names[file->state]);
	if (object && file->kind)
		(void)json_object_set_new(object, "kind",
					  json_string(file->kind));
	if (object && file->sha256[0])
		(void)json_object_set_new(object, "sha256",
					  json_string(file->sha256));
	if (object && why[0])
		(void)json_object_set_new(object, "problem", json_string(why));
	return object;
}

json_t *agent_dropped_status(const struct agent *agent)
{
	const struct agent_dropped *dropped = agent->dropped;
	json_t *object, *files;

	if (!dropped || dropped->dir_wd < 0)
		return json_null();
	files = json_array();
	for (size_t i = 0; i < DROPPED_MAX; i++)
		if (dropped->files[i].state != DROPPED_NONE)
			(void)json_array_append_new(
				files, file_status(&dropped->files[i]));
	object = json_pack("{s:s, s:o, s:I}", "directory",
			   agent->opts->drop_dir, "files", files, "unwritten",
			   (json_int_t)dropped->unwritten);
	if (object && dropped->problem[0])
		(void)json_object_set_new(object, "problem",
					  json_string(dropped->problem));
	return object;
}
