// SPDX-License-Identifier: GPL-2.0-only
/*
 * Presets: declassifiers for the daemons that every process of a host talks to,
 * and quiet files for what everybody's session writes and reads.
 *
 * A policy has them only where it names them. They are holes, if small ones, in
 * the following of data, and whoever signs a policy shall see each of them in
 * it. For the same reason nothing here may change once it was released, other
 * than by another name: a policy that is signed would come to mean another.
 *
 * The condition of a daemon is the unit alone. Only the system's service
 * manager puts a process there, and it is the same on all hosts; paths of
 * executables are not.
 */
#include "policy_take.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PREFIX "preset-"
#define KIB    1024ULL
#define HOUR   3600000000000ULL

/*
 * Reckoned, not measured: 200 lines of 300 bytes for the journal, as much for
 * the bus, which is talked to at every login and sudo; the others are asked
 * short questions.
 */
static const struct daemon {
	const char *name;
	const char *unit;
	uint64_t cap_bytes; /* an hour */
} daemons[] = {
	{"journald", "systemd-journald.service", 64 * KIB},
	{"resolved", "systemd-resolved.service", 16 * KIB},
	{"sssd", "sssd.service", 16 * KIB},
	{"sssd-nss", "sssd-nss.service", 16 * KIB},
	{"sssd-pam", "sssd-pam.service", 16 * KIB},
	{"nscd", "nscd.service", 16 * KIB},
	{"dbus", "dbus.service", 64 * KIB},
	{"dbus-broker", "dbus-broker.service", 64 * KIB},
	{"polkit", "polkit.service", 16 * KIB},
	{"logind", "systemd-logind.service", 16 * KIB},
	{"init", "init.scope", 16 * KIB},
};

/*
 * A login or its end is 384 bytes to utmp and as many to wtmp; lastlog2 writes
 * a few pages of 4 KiB, when somebody logs in. sudo writes some 100 bytes for
 * each terminal.
 */
static const struct files {
	const char *name;
	const char *paths[8];
	uint64_t cap_bytes; /* an hour */
} files[] = {
	{"login-records",
	 {"/run/utmp", "/var/log/wtmp", "/var/log/btmp", "/var/log/lastlog",
	  "/var/log/faillog", "/var/lib/lastlog", "/var/lib/wtmpdb"},
	 16 * KIB},
	{"sudo-records", {"/run/sudo", "/var/lib/sudo"}, 16 * KIB},
};

#define N_PRESETS (N_ELEMENTS(daemons) + N_ELEMENTS(files))

/* Names of several, presets first and up to end. */
static const struct group {
	const char *name;
	size_t first;
	size_t end;
} groups[] = {
	{"system-daemons", 0, N_ELEMENTS(daemons)},
	{"system-files", N_ELEMENTS(daemons), N_PRESETS},
};

_Static_assert(N_PRESETS <= TAKE_PRESETS_MAX, "room for all presets");

static const char *name_of(size_t i)
{
	return i < N_ELEMENTS(daemons) ? daemons[i].name
				       : files[i - N_ELEMENTS(daemons)].name;
}

/* The presets that the node names, a group or one. None after an error. */
static struct group choose(struct parser *ps, const struct policy_yaml *node)
{
	const char *words[N_ELEMENTS(groups) + N_PRESETS];
	unsigned int choice = N_ELEMENTS(words);
	size_t i;

	for (i = 0; i < N_ELEMENTS(groups); i++)
		words[i] = groups[i].name;
	for (i = 0; i < N_PRESETS; i++)
		words[N_ELEMENTS(groups) + i] = name_of(i);
	take_choice(ps, node, "a preset", words, N_ELEMENTS(words), &choice);
	if (choice < N_ELEMENTS(groups))
		return groups[choice];
	i = choice - N_ELEMENTS(groups);
	return (struct group){.first = i, .end = i + (i < N_PRESETS)};
}

static void take_preset(struct parser *ps, const struct policy_yaml *node,
			struct take_presets *taken)
{
	struct group group = choose(ps, node);
	uint32_t earlier = 0;

	for (size_t i = group.first; i < group.end; i++) {
		if (taken->pos[i].line) {
			earlier = taken->pos[i].line;
			continue;
		}
		taken->pos[i] = node->pos;
		if (i < N_ELEMENTS(daemons))
			taken->n_subjects++;
		else
			taken->n_quiet++;
	}
	if (earlier)
		take_fail(ps, node->pos,
			  "preset %s, or a part of it, already stands in line "
			  "%" PRIu32 "; expected it once",
			  take_quote(node).s, earlier);
}

void take_presets(struct parser *ps, const struct policy_yaml *node,
		  struct take_presets *ret_presets)
{
	const struct policy_yaml *member;

	if (!node)
		return;
	member = take_list(ps, node, "presets", TAKE_PRESETS_MAX,
			   "[system-daemons]");
	for (; member; member = member->next)
		take_preset(ps, member, ret_presets);
}

bool preset_is_name(const char *name)
{
	return strncmp(name, PREFIX, strlen(PREFIX)) == 0;
}

/* preset-NAME, for free(); NULL: no memory. */
static char *long_name(const char *name)
{
	char text[POLICY_NAME_CHARS_MAX + 1];

	(void)snprintf(text, sizeof(text), PREFIX "%s", name);
	return strdup(text);
}

static struct policy_budget cap_of(uint64_t bytes, struct policy_pos pos)
{
	return (struct policy_budget){
		.kind = POLICY_BUDGET_LIMITED,
		.bytes = bytes,
		.bytes_window_ns = HOUR,
		.pos = pos,
	};
}

static int add_subject(struct policy_subject *subject,
		       const struct daemon *preset, struct policy_pos pos)
{
	subject->name = long_name(preset->name);
	subject->unit = strdup(preset->unit);
	if (!subject->name || !subject->unit)
		return -ENOMEM;
	subject->pos = pos;
	subject->preset = true;
	subject->specificity = 1;
	subject->declassifier = true;
	subject->cap = cap_of(preset->cap_bytes, pos);
	return 0;
}

int preset_add_subjects(struct policy *policy, const struct take_presets *taken)
{
	int r;

	for (size_t i = 0; i < N_ELEMENTS(daemons); i++) {
		if (!taken->pos[i].line)
			continue;
		/* Counted first, so that what it has is freed. */
		r = add_subject(&policy->subjects[policy->n_subjects++],
				&daemons[i], taken->pos[i]);
		if (r)
			return r;
	}
	return 0;
}

static int add_quiet(struct policy_quiet *quiet, const struct files *preset,
		     struct policy_pos pos)
{
	struct policy_path *path;

	quiet->name = long_name(preset->name);
	quiet->paths = calloc(N_ELEMENTS(preset->paths), sizeof(*path));
	if (!quiet->name || !quiet->paths)
		return -ENOMEM;
	for (size_t i = 0; preset->paths[i]; i++) {
		path = &quiet->paths[i];
		path->path = strdup(preset->paths[i]);
		if (!path->path)
			return -ENOMEM;
		path->pos = pos;
		quiet->n_paths++;
	}
	quiet->pos = pos;
	quiet->preset = true;
	quiet->cap = cap_of(preset->cap_bytes, pos);
	return 0;
}

int preset_add_quiet(struct policy *policy, const struct take_presets *taken)
{
	const struct policy_pos *pos = &taken->pos[N_ELEMENTS(daemons)];
	int r;

	for (size_t i = 0; i < N_ELEMENTS(files); i++) {
		if (!pos[i].line)
			continue;
		r = add_quiet(&policy->quiet[policy->n_quiet++], &files[i],
			      pos[i]);
		if (r)
			return r;
	}
	return 0;
}
