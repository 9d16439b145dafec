/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Is this host fit for Cordon, and is what runs here sound? Each check is one
 * item: what was looked at, what was found, and what to do if that is not as
 * it should be.
 *
 * doctor.c asks the guard and belongs to the agent; doctor_print() and the
 * JSON form, in doctor_print.c, are the command's too.
 */
#ifndef CORDON_DOCTOR_H
#define CORDON_DOCTOR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <jansson.h>

enum doctor_status { DOCTOR_OK, DOCTOR_WARN, DOCTOR_FAIL, DOCTOR_STATUS_MAX };

struct doctor_item {
	enum doctor_status status;
	char what[64];
	char text[512];
	char remedy[512]; /* "": nothing to do */
};

/* item lives for the call. */
typedef void (*doctor_fn)(const struct doctor_item *item, void *arg);

struct guard;
struct guard_options;

struct doctor_options {
	const char *policy_file;
	/* What policies call this host. NULL: no agent says so; the file of its
	 * enrolment may, or be NULL. */
	const char *host;
	const char *enrolment_file;
	const char *state_dir;
	const char *run_dir;
	const struct guard_options *guard; /* how to load a guard for a test */
	/* The guard in use when an agent asks, whose hooks are tested as they
	 * are. NULL: one is loaded for the test and taken away again, if the
	 * caller is root. */
	struct guard *running;
};

/* Counts of items. */
struct doctor_result {
	unsigned int n[DOCTOR_STATUS_MAX];
};

/* Runs every check; calls fn for each. 0 or -ENOMEM; what is wrong with the
 * host is no error of the call. */
int doctor_run(const struct doctor_options *opts, doctor_fn fn, void *arg,
	       struct doctor_result *ret_result);

/* An agent was asked, which has a policy of its own: file was not looked at. */
void doctor_policy_ignored(const char *file, struct doctor_item *ret_item);

/* `{"cordon":1,"type":"check",...}`, for json_decref(); NULL: no memory. */
json_t *doctor_json(const struct doctor_item *item);

/* The other way round; false if line is no check. */
bool doctor_from_json(const json_t *line, struct doctor_item *ret_item);

/* One or two lines for a person. */
void doctor_print(FILE *out, const struct doctor_item *item, bool colour);

/* The last line: what it all comes to. */
void doctor_print_result(FILE *out, const struct doctor_result *result,
			 bool colour);

#endif
