// SPDX-License-Identifier: GPL-2.0-only
/*
 * What this host must not forget (remember.h). It lies in more than one place,
 * and the highest wins, so nobody makes it forget by deleting one of them, or
 * two. Of each file the one before (.old) is read if that is none.
 *
 *	place			written by		read by
 *	remembered.json		agent_remember_save()	agent_remember_load()
 *	state			the guard, saved	the same, where that
 *							is gone
 *	policy.json		agent_trust_keep()	agent_policy_look_at_
 *							kept(): its own serial,
 *							or `serial' if lower
 *	evidence: remembered,	record(),		agent_remember_old():
 *	policy			agent_record_policy()	told_serial, told_s
 *	the guard, pinned	tell_guard()		agent_remember_started()
 *
 * What is read goes by know() into agent->remember, which is what counts. The
 * act recover sets that, and each of these, to what the issuer has signed; in
 * the evidence a line `recovered' is where reading begins anew.
 *
 * No memory of these, but of which policy that was: had_serial and had_sha256,
 * of the one with the highest serial, so that no other has the same;
 * kept_serial, what the one in policy.json counts as; unkept_serial, the same
 * of one that could not be written yet; pushed_serial, in link.json as
 * `policy', of the force's if that is in force: then the file may be older or
 * missing. Which enrolment was taken agent_enrolment.c remembers, in link.json
 * and in the lines `remembered'.
 */
#include "agent.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "log.h"
#include "state.h"
#include "text.h"

#define FILE_NAME  "remembered.json"
#define STATE_NAME "state"
#define SAVE_S	   3600	       /* the time is in the file at least so often */
#define RECOVERED  "recovered" /* what was before does not count */

static void know(struct agent *agent, uint64_t serial, int64_t time_s)
{
	struct remember_clock clock;

	agent_clock(&clock);
	agent->remember.known = true;
	if (serial > agent->remember.serial)
		agent->remember.serial = serial;
	remember_time(&agent->remember, time_s, &clock);
}

int64_t agent_now(const struct agent *agent)
{
	struct remember_clock clock;

	agent_clock(&clock);
	return remember_now(&agent->remember, &clock);
}

static int64_t latest_of(const struct agent *agent)
{
	struct remember_clock clock;

	agent_clock(&clock);
	return remember_latest(&agent->remember, &clock);
}

/* ---- what is written down ------------------------------------------------ */

static void record(struct agent *agent, const char *state)
{
	char at[TEXT_NUMBER_CHARS_MAX];
	json_t *fields;

	text_format_time(latest_of(agent), at, sizeof(at));
	fields = json_pack("{s:s, s:I, s:s}", "state", state, "serial",
			   (json_int_t)agent->remember.serial, "latest", at);
	agent_enrolment_remember(agent, fields);
	agent_record_early(agent, evidence_object("remembered", fields));
}

static int put_file(struct agent *agent)
{
	char path[4096], *text;
	int r;

	text = remember_format(agent->remember.serial, latest_of(agent));
	r = text ? text_path(agent->opts->state_dir, FILE_NAME, path,
			     sizeof(path))
		 : -ENOMEM;
	if (!r)
		r = state_put(path, text, strlen(text));
	free(text);
	return r;
}

/* As long as the guard is there, its copy is as new as can be. */
static void tell_guard(struct agent *agent)
{
	struct remembered what;

	if (!agent->guard)
		return;
	what = guard_state(agent->guard)->remembered;
	what.serial = agent->remember.serial;
	what.time_s = (uint64_t)latest_of(agent);
	if (agent->trust && !agent->trust_replaced) {
		what.trust_version = agent->trust->version;
		(void)sign_hash_parse(agent->trust->sha256, what.trust_sha256);
	}
	guard_remember(agent->guard, &what);
}

int agent_remember_save(struct agent *agent)
{
	int r;

	if (!agent->remember.known)
		return 0;
	tell_guard(agent);
	r = put_file(agent);
	if (r && !agent->remember_failed)
		log_error("%s/" FILE_NAME ": the highest serial and the time "
			  "cannot be saved: %s: make room there",
			  agent->opts->state_dir, strerror(-r));
	agent->remember_failed = r != 0;
	agent->remember_saved_s = latest_of(agent);
	return r;
}

void agent_remember_segment(struct agent *agent)
{
	if (agent->remember.known)
		record(agent, "kept");
}

/* ---- what is left -------------------------------------------------------- */

static int read_file(struct agent *agent, const char *name)
{
	char path[4096], *text = NULL;
	int64_t time_s = 0;
	uint64_t serial = 0;
	size_t len;
	int r;

	r = text_path(agent->opts->state_dir, name, path, sizeof(path));
	if (!r)
		r = state_get(path, REMEMBER_BYTES_MAX, &text, &len);
	if (!r)
		r = remember_parse(text, len, &serial, &time_s);
	if (!r)
		know(agent, serial, time_s);
	else if (r != -ENOENT)
		log_error("%s: it is damaged: %s; what else is remembered "
			  "counts",
			  path, strerror(-r));
	free(text);
	return r;
}

static void read_state(struct agent *agent, const char *name)
{
	struct state state = {0};
	char path[4096], why[256];

	if (text_path(agent->opts->state_dir, name, path, sizeof(path)) ||
	    state_read(path, &state, why, sizeof(why)))
		return;
	if (state.policy_serial)
		know(agent, state.policy_serial, (int64_t)state.latest_s);
	state_release(&state);
}

static int read_line(const struct evidence_line *line, void *arg)
{
	json_t *object = NULL;
	const char *prev;
	uint64_t seq;

	if (line->whole &&
	    !evidence_parse(line->text, line->len, &object, &seq, &prev))
		agent_remember_old(arg, object);
	json_decref(object);
	return 0;
}

/* The last two segments, as an agent reads them. */
static void read_evidence(struct agent *agent)
{
	const char *dir;
	char path[4096], **files = NULL;
	size_t n = 0;

	dir = path;
	if (text_path(agent->opts->state_dir, EVIDENCE_DIR, path,
		      sizeof(path)) ||
	    evidence_files(&dir, 1, NULL, NULL, &files, &n))
		return;
	for (size_t i = n > 2 ? n - 2 : 0; i < n; i++)
		(void)evidence_read(files[i], read_line, agent);
	evidence_files_free(files, n);
}

static void take_told(struct agent *agent)
{
	if (agent->told)
		know(agent, agent->told_serial, agent->told_s);
}

void agent_remember_load(struct agent *agent)
{
	int r;

	r = read_file(agent, FILE_NAME);
	if (r)
		r = read_file(agent, FILE_NAME ".old");
	/* The guard brings the state, and the agent reads the evidence; but
	 * later than it has to be known whether anything is left. */
	if (r) {
		read_state(agent, STATE_NAME);
		read_state(agent, STATE_NAME ".old");
	}
	if (!agent->remember.known) {
		read_evidence(agent);
		take_told(agent);
	}
}

void agent_remember_old(struct agent *agent, const json_t *line)
{
	const char *type = evidence_text(line, "type");
	uint64_t serial = evidence_number(line, "policy");
	int64_t at;

	if (!text_parse_time_ms(evidence_text(line, "time"), &at))
		agent->line_s = at / 1000;
	at = 0;
	if (strcmp(type, "policy") == 0 && serial) {
		agent->told = true;
		/* An agent of before wrote nothing else. */
		if (!agent->told_since && serial > agent->told_serial)
			agent->told_serial = serial;
		/* One that the issuer has said is not to count. */
		if (serial <= agent->told_serial)
			agent_trust_had(agent, serial,
					evidence_text(line, "sha256"));
		return;
	}
	if (strcmp(type, "remembered") != 0)
		return;
	agent->told = agent->told_since = true;
	serial = evidence_number(line, "serial");
	(void)text_parse_time(evidence_text(line, "latest"), &at);
	if (strcmp(evidence_text(line, "state"), RECOVERED) == 0) {
		agent->told_serial = 0;
		agent->told_s = 0;
		agent->had_serial = 0;
	}
	if (serial > agent->told_serial)
		agent->told_serial = serial;
	if (at > agent->told_s)
		agent->told_s = at;
}

/* ---- the clock ----------------------------------------------------------- */

static void tell_clock(struct agent *agent, const struct remember_clock *clock)
{
	static const char *const names[] = {
		[REMEMBER_RIGHT] = "right",
		[REMEMBER_BEHIND] = "behind",
		[REMEMBER_AHEAD] = "ahead",
	};
	char latest[TEXT_NUMBER_CHARS_MAX], wall[TEXT_NUMBER_CHARS_MAX];

	text_format_time(latest_of(agent), latest, sizeof(latest));
	text_format_time(clock->wall_s, wall, sizeof(wall));
	if (agent->clock_found == REMEMBER_BEHIND)
		log_error("this host's clock was set back: it says %s, and %s "
			  "is known to be over; policies are judged by the "
			  "later: correct the clock, or see cordond(8), CLOCKS",
			  wall, latest);
	else if (agent->clock_found == REMEMBER_AHEAD)
		log_warning("this host's clock says %s, and the latest time "
			    "known here is %s: it is not remembered before it "
			    "is synchronised, or was so for a day",
			    wall, latest);
	else
		log_notice("this host's clock is right again: %s", wall);
	agent_record_early(
		agent,
		evidence_object("clock",
				json_pack("{s:s, s:s, s:s}", "state",
					  names[agent->clock_found], "clock",
					  wall, "latest", latest)));
}

void agent_remember_look(struct agent *agent)
{
	enum remember_found before = agent->clock_found;
	struct remember_clock clock;

	agent_clock(&clock);
	agent->clock_found = remember_look(&agent->remember, &clock);
	if (agent->clock_found != before)
		tell_clock(agent, &clock);
	if (!agent->remember.known)
		return;
	tell_guard(agent);
	(void)agent_trust_keep_again(agent);
	if (agent->remember_failed ||
	    latest_of(agent) - agent->remember_saved_s >= SAVE_S)
		(void)agent_remember_save(agent);
}

/* ---- start, and what comes into force ------------------------------------ */

void agent_remember_started(struct agent *agent)
{
	const struct remembered *pinned =
		&guard_state(agent->guard)->remembered;
	struct remember_clock clock;

	agent_clock(&clock);
	take_told(agent);
	if (pinned->serial)
		know(agent, pinned->serial, 0);
	remember_time(&agent->remember, (int64_t)pinned->time_s, &clock);
	/* Where nobody doubted the clock when it was written. */
	if (agent->line_s &&
	    agent->line_s - latest_of(agent) <= REMEMBER_AHEAD_S)
		remember_time(&agent->remember, agent->line_s, &clock);
	agent_remember_look(agent);
	if (!agent->remember.known)
		return;
	(void)agent_remember_save(agent);
	record(agent, "kept");
}

void agent_remember_policy(struct agent *agent, const struct policy *policy,
			   uint64_t serial)
{
	bool higher = serial > agent->remember.serial;

	know(agent, serial, policy->not_before_s);
	agent_remember_look(agent);
	if (!higher)
		return;
	(void)agent_remember_save(agent);
	record(agent, "raised");
}

int agent_remember_recover(struct agent *agent, uint64_t serial, int64_t time_s)
{
	struct remember_clock clock;
	int r;

	agent_clock(&clock);
	agent->remember = (struct remember){.known = true, .serial = serial};
	remember_time(&agent->remember, time_s, &clock);
	agent->told_serial = serial;
	agent->told_s = time_s;
	agent->had_serial = 0;
	agent->amended++;
	/* Twice: of each the copy before, too. */
	r = agent_remember_save(agent);
	if (!r)
		r = agent_remember_save(agent);
	agent_save(agent);
	agent_save(agent);
	if (!r)
		r = agent_trust_recover(agent, serial);
	record(agent, RECOVERED);
	return r;
}
