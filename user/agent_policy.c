// SPDX-License-Identifier: GPL-2.0-only
/*
 * The policy that the agent has: from the file to the guard, and what systemd
 * and the log are told of it.
 */
#include "agent.h"
#include "agent_policy.h"

#include <errno.h>
#include <inttypes.h>
#include <malloc.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <syslog.h>
#include <systemd/sd-daemon.h>

#include "clock.h"
#include "log.h"
#include "text.h"

/* Time that a scan asks of systemd at a time. */
#define START_EXTEND_USEC "60000000"

/* No more lines of the log than one in so long tell of a scan. */
#define SCAN_TELL_MS 2000

/* What a message calls the one that did not come from the file. */
#define KEPT "the policy that was kept"

/* ---- telling systemd ----------------------------------------------------- */

void agent_notify(const char *format, ...)
{
	char text[512];
	va_list ap;

	va_start(ap, format);
	(void)vsnprintf(text, sizeof(text), format, ap);
	va_end(ap);
	(void)sd_notify(0, text);
}

uint64_t agent_serial(const struct agent *agent)
{
	const struct guard_state *state = guard_state(agent->guard);

	return state->policy_serial[state->generation & 1];
}

static const char *mode_in_force(const struct agent *agent)
{
	const struct guard_state *state = guard_state(agent->guard);

	if (agent_act_lifted(agent))
		return "by an act of the issuer NOT enforcing";
	return state->mode[state->generation & 1] == MODE_OBSERVE ? "observing"
								  : "enforcing";
}

void agent_describe(const struct agent *agent, char *buf, size_t size)
{
	if (agent_is_strict(agent))
		(void)snprintf(buf, size,
			       "STRICT by " AGENT_BUILT_IN
			       ", for this host has "
			       "forgotten: nothing of the datasets is read or "
			       "leaves");
	else if (agent->problem[0] || !agent->policy)
		(void)snprintf(buf, size,
			       "%s policy serial %" PRIu64 ", NOT the one in "
			       "%.100s, which is refused",
			       mode_in_force(agent), agent_serial(agent),
			       agent->opts->policy_file);
	else
		(void)snprintf(buf, size,
			       "%s policy serial %" PRIu64 " of %.64s, %zu "
			       "dataset%s%s",
			       mode_in_force(agent), agent_serial(agent),
			       agent->policy->issuer, agent->policy->n_datasets,
			       agent->policy->n_datasets == 1 ? "" : "s",
			       agent_policy_age(agent) >= 0 ? ", EXPIRED" : "");
}

void agent_notify_ready(const struct agent *agent)
{
	char text[256];

	agent_describe(agent, text, sizeof(text));
	agent_notify("READY=1\nSTATUS=%s", text);
}

/* ---- the policy ---------------------------------------------------------- */

/* Its bytes, for who has them from the issuer. */
static int parse_signed(struct agent *agent, struct arrival *arrival,
			struct policy_errors *errs)
{
	const struct trust_bundle *bundle = &arrival->bundle;
	int r;

	r = policy_parse(arrival->file, bundle->bytes, bundle->len,
			 &arrival->policy, errs);
	if (r || strcmp(arrival->policy->issuer, agent->trust->issuer) == 0)
		return r;
	policy_errors_add(errs, arrival->file, (struct policy_pos){0},
			  "its issuer is %.128s, and this host's is %.128s",
			  arrival->policy->issuer, agent->trust->issuer);
	return -EPERM;
}

/* Nothing of it is read before it is known who has signed these bytes. */
static int take_bundle(struct agent *agent, struct arrival *arrival,
		       const struct trust *trust, struct policy_errors *errs)
{
	char why[TRUST_WORDS_MAX];
	int r = 0;

	if (!arrival->bundle.bytes)
		r = trust_bundle_read_ours(arrival->file, &arrival->bundle,
					   errs);
	if (r)
		return r;
	r = arrival_check(arrival, trust, why, sizeof(why));
	if (!r)
		return parse_signed(agent, arrival, errs);
	policy_errors_add(errs, arrival->file, (struct policy_pos){0}, "%s",
			  why);
	return r;
}

/* What came of reading one: r, of which errs tells. The first is the one that
 * the status shows. */
static int refuse_all(struct agent *agent, struct arrival *arrival, int r,
		      const struct policy_errors *errs)
{
	(void)arrival_refuse(agent, arrival, r, "%s",
			     policy_errors_why(errs, r));
	if (r == -ENOMEM || !arrival_is_said(arrival))
		return r;
	for (size_t i = 1; i < errs->n; i++)
		log_error("policy refused: %s", errs->v[i].text);
	if (errs->n_dropped)
		log_error("policy refused: and %zu more errors in %s",
			  errs->n_dropped, arrival->file);
	return r;
}

static int check_host(struct agent *agent, struct arrival *arrival)
{
	char host[POLICY_HOST_CHARS_MAX + 1];

	agent_host_name(agent, host);
	if (policy_covers_host(arrival->policy, host))
		return 0;
	arrival->for_others = true;
	return arrival_refuse(agent, arrival, -EPERM,
			      "not for this host: none of its `hosts` matches "
			      "%s; ask the issuer to add it",
			      host);
}

static int check_begin(struct agent *agent, struct arrival *arrival)
{
	char at[TEXT_NUMBER_CHARS_MAX];

	if (arrival->policy->not_before_s <= agent_now(agent))
		return 0;
	text_format_time(arrival->policy->not_before_s, at, sizeof(at));
	arrival->begins_s = arrival->policy->not_before_s;
	return arrival_refuse(agent, arrival, -EPERM,
			      "not valid before %s; reload it then, or correct "
			      "this host's clock",
			      at);
}

/* By whom it is signed can be known where the anchors are those of before. */
static int check_able(struct agent *agent, struct arrival *arrival)
{
	if (agent->trust && !agent->trust_replaced)
		return 0;
	if (arrival->source == AGENT_FROM_FILE && !agent_trust_is_lost(agent))
		return 0; /* nobody has to sign here */
	return arrival_refuse(agent, arrival, -EPERM, "%s",
			      agent->trust_problem[0]
				      ? agent->trust_problem
				      : "this host has no trust anchors");
}

/*
 * Is it a policy that was signed, by these, for this host? As it was read, or
 * of its file. Else why not is told.
 */
static int take_signed(struct agent *agent, struct arrival *arrival,
		       const struct trust *trust)
{
	struct policy_errors *errs;
	int r;

	r = check_able(agent, arrival);
	if (r)
		return r;
	errs = calloc(1, sizeof(*errs));
	if (!errs)
		return -ENOMEM;
	r = trust ? take_bundle(agent, arrival, trust, errs)
		  : policy_load(arrival->file, &arrival->policy, errs);
	r = r ? refuse_all(agent, arrival, r, errs)
	      : check_host(agent, arrival);
	free(errs);
	return r;
}

int policy_take(struct agent *agent, struct arrival *arrival)
{
	int r = take_signed(agent, arrival, agent->trust);

	return r ? r : check_begin(agent, arrival);
}

bool policy_was_pushed(const struct agent *agent)
{
	return agent->kept_serial && agent->kept_serial == agent->pushed_serial;
}

bool policy_is_superseded(const struct agent *agent,
			  const struct policy *policy)
{
	return policy_was_pushed(agent) && policy->serial < agent->kept_serial;
}

/*
 * The last one that was in force, and is kept for a boot. It was signed when it
 * came, by whom may be revoked since. Who has root's files may have put another
 * one there, of another host. It counts as having *ret_serial, which is less
 * than its own once the issuer has said so (agent_remember_recover()).
 */
static int load_kept(struct agent *agent, struct arrival *arrival,
		     uint64_t *ret_serial)
{
	struct trust all = trust_with_revoked(agent->trust);
	int r;

	arrival_init(arrival, AGENT_FROM_KEPT, KIND_POLICY, KEPT);
	arrival->quiet = true;
	r = agent_trust_kept(agent, &arrival->bundle, ret_serial);
	if (r) {
		(void)snprintf(arrival->problem, sizeof(arrival->problem), "%s",
			       strerror(-r));
		return r;
	}
	r = take_signed(agent, arrival, &all);
	if (!r && arrival->policy->serial < *ret_serial)
		*ret_serial = arrival->policy->serial;
	arrival->quiet = false;
	return r;
}

/* Not the one in the file: it begins where nothing would. */
int policy_take_kept(struct agent *agent, struct arrival *arrival)
{
	bool pushed = policy_was_pushed(agent);
	uint64_t serial = 0;
	int r;

	arrival_release(arrival);
	r = load_kept(agent, arrival, &serial);
	if (r && r != -ENOENT)
		log_error("and nothing begins in its place: %s",
			  arrival->problem);
	if (r) {
		arrival_release(arrival);
		return r;
	}
	log_level(pushed ? LOG_NOTICE : LOG_ERR,
		  "the policy that was kept begins in its place: serial "
		  "%" PRIu64 "%s",
		  arrival->policy->serial,
		  pushed ? ", which the force sent" : "");
	agent->kept_serial = serial;
	return 0;
}

int agent_policy_find(struct agent *agent, struct policy **ret_policy)
{
	struct arrival arrival;
	uint64_t serial;
	int r;

	if (!agent->trust || agent->trust_replaced)
		return -ENOENT;
	r = load_kept(agent, &arrival, &serial);
	if (r) {
		arrival_release(&arrival);
		arrival_init(&arrival, AGENT_FROM_FILE, KIND_POLICY,
			     agent->opts->policy_file);
		arrival.quiet = true;
		r = take_signed(agent, &arrival, agent->trust);
	}
	if (!r) {
		*ret_policy = arrival.policy;
		arrival.policy = NULL;
	}
	arrival_release(&arrival);
	return r ? -ENOENT : 0;
}

void agent_policy_look_at_kept(struct agent *agent)
{
	struct arrival arrival;
	uint64_t serial = 0;
	int r;

	if (!agent->trust)
		return;
	r = load_kept(agent, &arrival, &serial);
	if (!r) {
		agent->kept_serial = serial;
		agent_trust_had(agent, serial, arrival.policy->sha256);
		agent_remember_policy(agent, arrival.policy, serial);
		agent_policy_judge_signers(agent);
	} else if (arrival.bundle.bytes) {
		log_error("what it says does not count: %s", arrival.problem);
	}
	arrival_release(&arrival);
}

/* 0: enough have; -EPERM: why not. Else nothing is known of it. */
static int check_signers(struct agent *agent, char *why, size_t size)
{
	char hash[SIGN_HASH_CHARS_MAX];
	struct arrival kept;
	uint64_t serial;
	int r;

	if (!agent->trust || agent->trust_replaced)
		return -ENOENT;
	arrival_init(&kept, AGENT_FROM_KEPT, KIND_POLICY, KEPT);
	r = agent_trust_kept(agent, &kept.bundle, &serial);
	if (!r) {
		sign_hash(kept.bundle.bytes, kept.bundle.len, hash);
		r = strcmp(hash, agent->had_sha256) != 0
			    ? -ESTALE
			    : arrival_check(&kept, agent->trust, why, size);
	}
	arrival_release(&kept);
	return r;
}

void agent_policy_judge_signers(struct agent *agent)
{
	bool said = agent->signers_problem[0];
	char why[TRUST_WORDS_MAX];

	agent->signers_problem[0] = '\0';
	if (check_signers(agent, why, sizeof(why)) != -EPERM)
		return;
	(void)snprintf(agent->signers_problem, sizeof(agent->signers_problem),
		       "the policy in force, serial %" PRIu64 ", goes on, but "
		       "could not begin anew: ask the issuer to have it signed "
		       "again: %.400s",
		       agent->had_serial, why);
	log_clean(agent->signers_problem);
	if (!said)
		log_error("%s", agent->signers_problem);
}

/* ---- may it follow? ------------------------------------------------------ */

/* The serial that it counts as having: see load_kept(). */
static uint64_t counts_as(const struct agent *agent,
			  const struct arrival *arrival)
{
	return arrival->source == AGENT_FROM_KEPT ? agent->kept_serial
						  : arrival->policy->serial;
}

int policy_refuse_forgotten(struct agent *agent, struct arrival *arrival)
{
	return arrival_refuse(agent, arrival, -EPERM,
			      "nothing on this host remembers which policies "
			      "it had, so one that is older could come: "
			      "restore %.512s, or have the issuer sign the act "
			      "recover",
			      agent->opts->state_dir);
}

/* May a good policy take the place of the one in force (serial; 0: none is)? */
static int check_follows(struct agent *agent, uint64_t serial,
			 struct arrival *arrival)
{
	const struct policy *policy = arrival->policy;
	uint64_t counts = counts_as(agent, arrival);
	uint64_t seen = agent->remember.serial;
	char at[TEXT_NUMBER_CHARS_MAX];

	if (agent->forgotten)
		return policy_refuse_forgotten(agent, arrival);
	if (counts < seen)
		return arrival_refuse(agent, arrival, -ESTALE,
				      "its serial %" PRIu64 " is older than "
				      "%" PRIu64 ", which %s in force on this "
				      "host; ask the issuer for a newer one",
				      policy->serial, seen,
				      serial == seen ? "is" : "was");
	if (counts - seen > REMEMBER_STEP_MAX)
		return arrival_refuse(agent, arrival, -EPERM,
				      "its serial %" PRIu64
				      " is more than %" PRIu64 " above %" PRIu64
				      ", the highest on this host; ask the "
				      "issuer for one that is nearer",
				      policy->serial, REMEMBER_STEP_MAX, seen);
	/* Two that were signed, of which an intruder could choose. */
	if (agent->trust && counts == agent->had_serial &&
	    strcmp(policy->sha256, agent->had_sha256) != 0)
		return arrival_refuse(agent, arrival, -EPERM,
				      "this host had another policy with the "
				      "serial %" PRIu64 "; ask the issuer for "
				      "one with a serial of its own",
				      policy->serial);
	/* Where it has to be signed, what was in force is remembered over a
	 * boot. */
	if (!serial && agent->trust)
		serial = seen;
	/* That goes on after its end; nothing new begins then. */
	if (serial && policy->serial != serial &&
	    policy->expires_s <= agent_now(agent)) {
		text_format_time(policy->expires_s, at, sizeof(at));
		return arrival_refuse(agent, arrival, -EPERM,
				      "it expired at %s; ask the issuer for a "
				      "newer one",
				      at);
	}
	return 0;
}

/* ---- putting it into force ----------------------------------------------- */

/* A scan, or a measurement, is a sign of life for as long as it gets on. */
static void progress(uint64_t files, void *arg)
{
	struct agent *agent = arg;

	agent->progressed = true;
	if (!files) {
		agent_notify("EXTEND_TIMEOUT_USEC=" START_EXTEND_USEC
			     "\nWATCHDOG=1\n"
			     "STATUS=measuring the lines of datasets");
		return;
	}
	if (clock_ms() - agent->scan_told_ms >= SCAN_TELL_MS) {
		agent->scan_told_ms = clock_ms();
		log_info("scanning datasets: %" PRIu64 " files seen", files);
	}
	agent_notify("EXTEND_TIMEOUT_USEC=" START_EXTEND_USEC "\nWATCHDOG=1\n"
		     "STATUS=scanning datasets: %" PRIu64 " files seen",
		     files);
}

static void tell_applied(const struct policy *policy,
			 const struct guard_applied *applied)
{
	log_info("policy in force: %s, serial %" PRIu64 ", mode %s, generation "
		 "%" PRIu64 ": %" PRIu64 " files in %" PRIu32 " paths, %" PRIu32
		 " paths awaited",
		 policy->issuer, policy->serial, policy_mode_name(policy->mode),
		 applied->generation, applied->files, applied->roots,
		 applied->awaited);
	if (applied->unreadable)
		log_error("%" PRIu64 " files or directories of the datasets "
			  "could not be labelled and may not be protected: see "
			  "above, correct it, then reload",
			  applied->unreadable);
	if (applied->unresolved)
		log_warning("%" PRIu32 " users, groups or executables that "
			    "the policy names are not on this host (yet): "
			    "their rules match nobody until they are",
			    applied->unresolved);
}

/* Whoever asks what is in force looks there; so does a reload. */
static void put_in_place(const struct agent *agent,
			 const struct arrival *arrival)
{
	const char *file = agent->opts->policy_file;
	int r;

	r = trust_bundle_put(file, evidence_base(arrival->file),
			     &arrival->bundle);
	if (r)
		log_error("%s: the policy in force cannot be put there: %s; "
			  "it is kept for the next boot all the same",
			  file, strerror(-r));
}

/* Who has signed what is in force now, and that it is there at a boot. */
static void keep_signed(struct agent *agent, struct arrival *arrival,
			uint64_t counts)
{
	json_decref(agent->signers);
	agent->signers = arrival->signers;
	arrival->signers = NULL;
	if (arrival->source != AGENT_STRICT)
		agent_trust_had(agent, counts, agent->policy->sha256);
	if (agent->trust && arrival->bundle.bytes && arrival_is_new(arrival)) {
		agent_trust_keep(agent, &arrival->bundle);
		agent->pushed_serial = arrival->source == AGENT_FROM_FORCE
					       ? agent->policy->serial
					       : 0;
	}
	if (arrival->source == AGENT_FROM_DROPPED)
		put_in_place(agent, arrival);
}

/* It is what the guard has now. */
static void take_effect(struct agent *agent, struct arrival *arrival,
			const struct guard_applied *applied)
{
	uint64_t seen = agent->remember.serial;
	uint64_t counts = counts_as(agent, arrival);

	policy_free(agent->policy);
	agent->policy = arrival->policy;
	arrival->policy = NULL;
	agent->applied_s = time(NULL);
	if (arrival_is_new(arrival))
		agent->problem[0] = '\0';
	agent->push_problem[0] = '\0';
	keep_signed(agent, arrival, counts);
	agent_policy_judge_signers(agent);
	tell_applied(agent->policy, applied);
	if (arrival->source != AGENT_STRICT)
		agent_remember_policy(agent, agent->policy, counts);
	agent_record_policy(agent);
	/* No power cut shall make room for the one before. */
	if (agent->remember.serial > seen)
		agent_save(agent);
	/* Of this one nothing was said yet. */
	agent->expiry_said = EXPIRY_NONE;
	agent_policy_tell_end(agent);
	agent_policy_watch_end(agent);
}

int agent_policy_apply(struct agent *agent, struct arrival *arrival)
{
	struct guard_applied applied = {0};
	int r = 0;

	/* Of the one that the guard has, or had before it was loaded anew. */
	if (arrival->source != AGENT_STRICT)
		r = check_follows(agent, agent_serial(agent), arrival);
	if (!r) {
		r = guard_apply_policy(agent->guard, arrival->policy, true,
				       progress, agent, &agent_say, &applied);
		if (r)
			(void)arrival_refuse(agent, arrival, r,
					     "the guard cannot take it: %s; "
					     "the lines above have the cause",
					     strerror(-r));
	}
	if (!r)
		take_effect(agent, arrival, &applied);
	policy_free(arrival->policy);
	arrival->policy = NULL;
	/* The parser takes much memory for a short time. */
	(void)malloc_trim(0);
	return r;
}

int policy_take_file(struct agent *agent, struct arrival *arrival)
{
	arrival_init(arrival, AGENT_FROM_FILE, KIND_POLICY,
		     agent->opts->policy_file);
	return policy_take(agent, arrival);
}

int policy_say_forgotten(struct agent *agent)
{
	struct arrival arrival;

	arrival_init(&arrival, AGENT_FROM_FILE, KIND_POLICY,
		     agent->opts->policy_file);
	return policy_refuse_forgotten(agent, &arrival);
}

/* What the file has, unless what is in force is newer and need not be there. */
static int reload_file(struct agent *agent)
{
	struct arrival arrival;
	int r;

	r = policy_take_file(agent, &arrival);
	if (!r && policy_is_superseded(agent, arrival.policy)) {
		log_notice("%s: its serial %" PRIu64 " is older than %" PRIu64
			   ", which the force sent and which stays in force",
			   agent->opts->policy_file, arrival.policy->serial,
			   agent_serial(agent));
		agent->problem[0] = '\0';
	} else if (!r) {
		r = agent_policy_apply(agent, &arrival);
	}
	arrival_release(&arrival);
	if (r == -ENOENT && policy_was_pushed(agent)) {
		agent->problem[0] = '\0';
		r = 0;
	}
	return r;
}

void agent_policy_reload(struct agent *agent)
{
	int r;

	agent_notify(
		"RELOADING=1\nMONOTONIC_USEC=%lld\nSTATUS=reloading the policy",
		(long long)clock_ns(CLOCK_MONOTONIC) / 1000);
	log_info("reloading %s", agent->opts->policy_file);
	agent_remember_look(agent);
	r = agent_trust_load(agent);
	if (agent->forgotten) {
		agent_remember_load(agent);
		agent_policy_look_at_kept(agent);
		agent->forgotten = !agent->remember.known;
	}
	if (!r)
		r = agent->forgotten ? policy_say_forgotten(agent)
				     : reload_file(agent);
	if (r)
		log_error("policy serial %" PRIu64 " stays in force",
			  agent_serial(agent));
	agent_dropped_look(agent);
	agent->reloads++;
	agent_notify_ready(agent);
}

/* ---- from elsewhere ------------------------------------------------------ */

static bool is_in_force(const struct agent *agent,
			const struct trust_bundle *bundle)
{
	char hash[SIGN_HASH_CHARS_MAX];

	/* That needs other signatures, which these may be. */
	if (!agent->policy || agent->signers_problem[0])
		return false;
	sign_hash(bundle->bytes, bundle->len, hash);
	return strcmp(hash, agent->policy->sha256) == 0;
}

int agent_policy_judge(struct agent *agent, struct arrival *arrival,
		       bool begins)
{
	int r;

	if (is_in_force(agent, &arrival->bundle))
		return -EALREADY;
	r = policy_take(agent, arrival);
	return r ? r
		 : check_follows(agent, begins ? 0 : agent_serial(agent),
				 arrival);
}

int agent_policy_push(struct agent *agent, struct arrival *arrival)
{
	int r;

	if (is_in_force(agent, &arrival->bundle))
		return -EALREADY;
	r = policy_take(agent, arrival);
	if (!r)
		r = agent_policy_apply(agent, arrival);
	if (!r)
		agent_notify_ready(agent);
	return r;
}
