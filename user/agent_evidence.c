// SPDX-License-Identifier: GPL-2.0-only
/*
 * What the agent writes down: each line goes to the evidence log, is brought to
 * the disk, and only then told to anybody. Where that cannot be, it is told all
 * the same, for the guard decides without the log, and what is missing is
 * counted.
 */
#include "agent.h"
#include "clock.h"
#include "log.h"
#include "state.h"
#include "text.h"
#include "version.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <unistd.h>

#define AGAIN_S 60 /* when it could not be opened */

/* ---- lines --------------------------------------------------------------- */

static const char *why_of(int r)
{
	switch (r) {
	case -ESTALE:
		return "a segment was moved away";
	case -EDQUOT:
		return "it is full of lines that the force has not got";
	default:
		return strerror(-r);
	}
}

static const char *remedy_of(int r)
{
	switch (r) {
	case -ESTALE:
		return "find out who did that; it goes on in a new one";
	case -EDQUOT:
		return "see why the link to the force is down: cordon status";
	default:
		return "make room on that disk";
	}
}

/* Says when it begins to fail, and when that is over. */
static void tell_failure(struct agent *agent, int r)
{
	if (r < 0 && !agent->evidence_failed) {
		log_error("%s/" EVIDENCE_DIR ": nothing is written down: %s; "
			  "the policy is enforced, and what happens is "
			  "counted and shown, but it will be missing from the "
			  "evidence: %s",
			  agent->opts->state_dir, why_of(r), remedy_of(r));
	} else if (r >= 0 && agent->evidence_failed) {
		log_notice("%s/" EVIDENCE_DIR ": written again; %" PRIu64
			   " lines are missing, which the log says itself",
			   agent->opts->state_dir, agent->unwritten);
	}
	agent->evidence_failed = r < 0;
}

int agent_record(struct agent *agent, json_t *line, int64_t time_s, bool event)
{
	char text[EVIDENCE_LINE_MAX];
	size_t len = 0;
	int r;

	if (agent->evidence) {
		r = evidence_add(agent->evidence, line, text, &len);
	} else {
		if (line)
			len = json_dumpb(line, text, sizeof(text) - 1,
					 JSON_COMPACT);
		json_decref(line);
		if (len >= sizeof(text))
			len = 0;
		if (len)
			text[len++] = '\n';
		r = -ENODEV;
	}
	if (r)
		agent->unwritten++;
	if (event && len)
		eventlog_keep(agent->log, text, len, time_s);
	return r;
}

int agent_evidence_sync(struct agent *agent)
{
	int r;

	if (!agent->evidence)
		return -ENODEV;
	r = evidence_sync(agent->evidence);
	agent_fleet_lines(agent);
	if (!agent->evidence_soon && evidence_unsigned(agent->evidence)) {
		agent->evidence_soon = true;
		agent_set_timer(agent, AGENT_TIMER_EVIDENCE,
				EVIDENCE_CHECKPOINT_S);
	}
	return r;
}

/* One line that is no event, at once on the disk. */
static int record_now(struct agent *agent, json_t *line)
{
	int r, synced;

	r = agent_record(agent, line, 0, false);
	synced = agent_evidence_sync(agent);
	r = r ? r : synced;
	if (agent->evidence)
		tell_failure(agent, r);
	return r;
}

void agent_evidence_told(struct agent *agent, int r)
{
	/* That it could not be opened has been said. */
	if (agent->evidence)
		tell_failure(agent, r);
}

void agent_record_policy(struct agent *agent)
{
	const struct policy *policy = agent->policy;
	json_t *line;

	line = evidence_object("policy",
			       json_pack("{s:I, s:s, s:s, s:s}", "policy",
					 (json_int_t)agent_serial(agent),
					 "issuer", policy->issuer, "mode",
					 policy_mode_name(policy->mode),
					 "sha256", policy->sha256));
	if (line && agent_is_strict(agent))
		(void)json_object_set_new(line, "strict",
					  json_string(agent->problem));
	if (line && agent->trust && agent->signers) {
		(void)json_object_set(line, "signers", agent->signers);
		(void)json_object_set_new(
			line, "trust",
			json_integer((json_int_t)agent->trust->version));
	}
	(void)record_now(agent, line);
}

/*
 * What the guard had no room for leaves no event: without a line about it the
 * evidence would pass for all there was. One before each checkpoint.
 */
static void record_lost(struct agent *agent)
{
	const struct guard_state *state = guard_state(agent->guard);
	json_t *counts = json_object();
	bool grown = false;

	for (uint32_t i = 0; i < FAULT_MAX; i++) {
		if (state->faults[i] == agent->faults_recorded[i])
			continue;
		grown = true;
		agent->faults_recorded[i] = state->faults[i];
		(void)json_object_set_new(
			counts, event_fault_name(i),
			json_integer((json_int_t)state->faults[i]));
	}
	if (!grown) {
		json_decref(counts);
		return;
	}
	(void)agent_record(
		agent,
		evidence_object("faults", json_pack("{s:o}", "counts", counts)),
		0, false);
}

/* ---- start and end ------------------------------------------------------- */

/* A key that cannot be used is put aside, for evidence has to be signed. */
static int load_key(struct agent *agent, struct sign_key *ret_key)
{
	const char *dir = agent->opts->state_dir;
	char path[4096], aside[4096 + 32];
	bool made = false;
	int r;

	(void)snprintf(path, sizeof(path), "%s/" EVIDENCE_KEY, dir);
	r = sign_key_load(path, ret_key, &made);
	if (r == -EUCLEAN || r == -EKEYREVOKED) {
		(void)snprintf(aside, sizeof(aside), "%s.bad-%lld", path,
			       (long long)clock_s(CLOCK_REALTIME));
		log_error("%s: %s: it is kept as %s, and a new one is made, "
			  "which has to be given to the issuer: cordon "
			  "evidence key",
			  path,
			  r == -EKEYREVOKED
				  ? "others could read this host's key"
				  : "this is no key",
			  aside);
		r = rename(path, aside) < 0 ? -errno : 0;
		if (!r)
			r = sign_key_load(path, ret_key, &made);
	} else if (!r && made) {
		log_notice("%s: this host's key was made; cordon evidence key "
			   "shows what others verify its evidence with",
			   path);
	}
	return r;
}

static int put_public(const struct agent *agent, const struct sign_key *key)
{
	char path[4096], pem[SIGN_PEM_CHARS_MAX];
	struct sign_public there;

	(void)snprintf(path, sizeof(path),
		       "%s/" EVIDENCE_DIR "/" EVIDENCE_PUBLIC,
		       agent->opts->state_dir);
	if (!sign_public_read(path, &there) &&
	    memcmp(&there, &key->public, sizeof(there)) == 0)
		return 0;
	sign_public_pem(&key->public, pem);
	return state_put(path, pem, strlen(pem));
}

static bool is_event(const char *type)
{
	for (uint32_t i = EVENT_FIRST_READ; i <= EVENT_FAULT; i++)
		if (strcmp(type, event_type_name(i)) == 0)
			return true;
	return false;
}

/* Events of before, as `cordon events' shows them, and incidents. */
static void take_old(const json_t *object, const char *text, size_t len,
		     void *arg)
{
	struct agent *agent = arg;
	const char *type = evidence_text(object, "type");
	const char *time = evidence_text(object, "time");
	char whole[21];
	int64_t time_s;

	agent_incident_old(agent, object);
	agent_trust_old(agent, object);
	agent_act_old(agent, object);
	agent_remember_old(agent, object);
	agent_enrolment_old(agent, object);
	agent_dropped_old(agent, object);
	/* Those in memory are newer. */
	if (agent->unwritten || !is_event(type) || strlen(time) < 20)
		return;
	/* To the second: 2026-11-23T21:45:01.123Z. */
	memcpy(whole, time, 19);
	memcpy(whole + 19, "Z", 2);
	if (!text_parse_time(whole, &time_s))
		eventlog_keep(agent->log, text, len, time_s);
}

static void tell_found(const struct agent *agent,
		       const struct evidence_found *found)
{
	if (found->damaged[0])
		log_error("%s/" EVIDENCE_DIR "/%s: it was changed, or is "
			  "damaged: cordon evidence verify; it stays as it is, "
			  "and the log goes on in another segment",
			  agent->opts->state_dir, found->damaged);
	if (found->cut)
		log_notice("%s/" EVIDENCE_DIR ": half a line, which the host "
			   "did not get to write, is taken away",
			   agent->opts->state_dir);
}

static int record_start(struct agent *agent, const struct evidence_found *found)
{
	struct utsname uts;
	json_t *line;

	(void)uname(&uts);
	agent->load = agent->adopted ? agent_incident_old_load(agent) : 0;
	if (!agent->load)
		agent->load = evidence_next(agent->evidence);
	line = evidence_object(
		"start",
		json_pack("{s:I, s:s, s:s, s:s, s:b, s:I, s:b, s:I}", "load",
			  (json_int_t)agent->load, "version", CORDON_VERSION,
			  "kernel", uts.release, "clock", evidence_clock(),
			  "adopted", agent->adopted, "policy",
			  (json_int_t)agent_serial(agent), "clean",
			  found->clean, "cut_bytes", (json_int_t)found->cut));
	if (line && found->damaged[0])
		(void)json_object_set_new(line, "damaged",
					  json_string(found->damaged));
	/* What happened while there was no log has no numbers. */
	if (line && agent->unwritten)
		(void)json_object_set_new(
			line, "unwritten",
			json_integer((json_int_t)agent->unwritten));
	return record_now(agent, line);
}

static int open_log(struct agent *agent)
{
	struct evidence_options opts = {0};
	struct evidence_found found;
	struct sign_key key = {0};
	struct utsname uts;
	char path[4096];
	int r;

	(void)uname(&uts);
	(void)snprintf(path, sizeof(path), "%s/" EVIDENCE_DIR,
		       agent->opts->state_dir);
	opts.dir = path;
	log_clean(uts.nodename);
	opts.host = uts.nodename;
	opts.key = &key;
	opts.held = agent_fleet_holds(agent, &opts.acked);
	r = load_key(agent, &key);
	agent_incident_forget_old(agent);
	if (!r)
		r = evidence_open(&opts, take_old, agent, &found,
				  &agent->evidence);
	if (!r) {
		(void)put_public(agent, &key);
		sign_mac_key(&key, "arguments", &agent->arguments_key);
		agent->has_arguments_key = true;
		agent->host_public = key.public;
		agent->has_host_public = true;
	}
	sign_key_release(&key);
	if (r)
		return r;
	tell_found(agent, &found);
	/* With it all that a crash left unsigned is signed. If that cannot be
	 * written, it has been said. */
	if (!record_start(agent, &found))
		(void)evidence_checkpoint(agent->evidence);
	agent_incident_resume(agent);
	/* It could not be opened at the start. */
	if (agent->started)
		agent_trust_started(agent);
	return 0;
}

static void open_or_later(struct agent *agent)
{
	int r;

	r = open_log(agent);
	if (!r)
		return;
	if (!agent->evidence_failed)
		log_error("%s/" EVIDENCE_DIR ": no evidence can be written: "
			  "%s; the policy is enforced all the same, and this "
			  "is tried again every minute",
			  agent->opts->state_dir, strerror(-r));
	agent->evidence_failed = true;
	agent->evidence_soon = true;
	agent_set_timer(agent, AGENT_TIMER_EVIDENCE, AGAIN_S);
}

int agent_evidence_start(struct agent *agent)
{
	int r;

	r = eventlog_new(&agent->log);
	if (!r)
		open_or_later(agent);
	return r;
}

void agent_evidence_tick(struct agent *agent)
{
	int r;

	agent->evidence_soon = false;
	if (!agent->evidence) {
		open_or_later(agent);
		return;
	}
	record_lost(agent);
	agent_remember_look(agent);
	agent_incident_segment(agent);
	r = evidence_checkpoint(agent->evidence);
	if (r)
		tell_failure(agent, r);
	if (evidence_unsigned(agent->evidence)) {
		agent->evidence_soon = true;
		agent_set_timer(agent, AGENT_TIMER_EVIDENCE,
				r ? AGAIN_S : EVIDENCE_CHECKPOINT_S);
	}
}

void agent_evidence_sign(struct agent *agent)
{
	if (!agent->evidence)
		return;
	agent_set_timer(agent, AGENT_TIMER_EVIDENCE, 0);
	agent_evidence_tick(agent);
}

void agent_evidence_stop(struct agent *agent)
{
	if (agent->evidence)
		(void)record_now(agent, evidence_object("stop", json_object()));
	evidence_close(agent->evidence);
	eventlog_free(agent->log);
	agent->evidence = NULL;
	agent->log = NULL;
}
