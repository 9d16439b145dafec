/* SPDX-License-Identifier: GPL-2.0-only */
/* What the files that make texts of lines have in common. */
#ifndef CORDON_EXPORT_INTERNAL_H
#define CORDON_EXPORT_INTERNAL_H

#include <stdbool.h>

#include "evidence.h"
#include "export.h"
#include "incident.h"

/* Who acted first in an incident. */
struct export_actor {
	uint64_t incident; /* 0: the place is free */
	json_t *line;
};

struct export
{
	struct export_options opts; /* but for its texts */
	char host[EVIDENCE_HOST_MAX];
	bool host_given;
	char key[SIGN_ID_CHARS_MAX];
	struct export_actor actors[INCIDENTS_MAX];
	size_t next_actor;
};

/* The line of who acted first in the incident of this line; NULL: not known. */
const json_t *export_actor(const struct export *export, const json_t *line);

/* A member that is a number; false if there is none. */
bool export_number(const json_t *line, const char *key, int64_t *ret_n);

/* What it is called in words: the line itself, or of an incident its `act`. */
const json_t *export_act(const json_t *line);

bool export_is_event(const char *type);

/* The whole of what a format tells. As export_line(). */
int export_ocsf(const struct export *export, const json_t *line,
		const char *text, size_t len, char **ret_text, size_t *ret_len);
int export_syslog(const struct export *export, const json_t *line,
		  char **ret_text, size_t *ret_len);

#endif
