// SPDX-License-Identifier: GPL-2.0-only
/*
 * Presets: declassifiers for the daemons that every process of a host talks to.
 *
 * A policy has them only where it names them. They are holes, if small ones, in
 * the following of data, and whoever signs a policy shall see each of them in
 * it. For the same reason nothing here may change once it was released, other
 * than by another name: a policy that is signed would come to mean another.
 *
 * The condition is the unit alone. Only the system's service manager puts a
 * process there, and it is the same on all hosts; paths of executables are not.
 */
#include "policy_take.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define GROUP  "system-daemons"
#define PREFIX "preset-"
#define KIB    1024ULL
#define HOUR   3600000000000ULL

/*
 * Reckoned, not measured: 200 lines of 300 bytes for the journal, as much for
 * the bus, which is talked to at every login and sudo; the others are asked
 * short questions.
 */
static const struct preset {
	const char *name;
	const char *unit;
	uint64_t cap_bytes; /* an hour */
} presets[] = {
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

_Static_assert(N_ELEMENTS(presets) <= TAKE_PRESETS_MAX, "room for all presets");

static void take_preset(struct parser *ps, const struct policy_yaml *node,
			struct take_presets *taken)
{
	const char *words[N_ELEMENTS(presets) + 1] = {GROUP};
	unsigned int choice = N_ELEMENTS(words);
	uint32_t earlier = 0;

	for (size_t i = 0; i < N_ELEMENTS(presets); i++)
		words[i + 1] = presets[i].name;
	take_choice(ps, node, "a preset", words, N_ELEMENTS(words), &choice);
	for (size_t i = 0; i < N_ELEMENTS(presets); i++) {
		if (choice != 0 && choice != i + 1)
			continue;
		if (taken->pos[i].line) {
			earlier = taken->pos[i].line;
			continue;
		}
		taken->pos[i] = node->pos;
		taken->n++;
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
	member =
		take_list(ps, node, "presets", TAKE_PRESETS_MAX, "[" GROUP "]");
	for (; member; member = member->next)
		take_preset(ps, member, ret_presets);
}

bool preset_is_name(const char *name)
{
	return strncmp(name, PREFIX, strlen(PREFIX)) == 0;
}

static int add(struct policy_subject *subject, const struct preset *preset,
	       struct policy_pos pos)
{
	char name[POLICY_NAME_CHARS_MAX + 1];

	(void)snprintf(name, sizeof(name), PREFIX "%s", preset->name);
	subject->name = strdup(name);
	subject->unit = strdup(preset->unit);
	if (!subject->name || !subject->unit)
		return -ENOMEM;
	subject->pos = pos;
	subject->preset = true;
	subject->specificity = 1;
	subject->declassifier = true;
	subject->cap = (struct policy_budget){
		.kind = POLICY_BUDGET_LIMITED,
		.bytes = preset->cap_bytes,
		.bytes_window_ns = HOUR,
		.pos = pos,
	};
	return 0;
}

int preset_add(struct policy *policy, const struct take_presets *taken)
{
	int r;

	for (size_t i = 0; i < N_ELEMENTS(presets); i++) {
		if (!taken->pos[i].line)
			continue;
		/* Counted first, so that what it has is freed. */
		r = add(&policy->subjects[policy->n_subjects++], &presets[i],
			taken->pos[i]);
		if (r)
			return r;
	}
	return 0;
}
