// SPDX-License-Identifier: GPL-2.0-only
/*
 * The policy that the agent has: from the file to the guard, and what systemd
 * and the log are told of it.
 */
#include "agent.h"

#include <errno.h>
#include <inttypes.h>
#include <malloc.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/timerfd.h>
#include <syslog.h>
#include <systemd/sd-daemon.h>

#include "clock.h"
#include "log.h"
#include "term.h"
#include "text.h"

/* Time that a scan asks of systemd at a time. */
#define START_EXTEND_USEC "60000000"

/* No more lines of the log than one in so long tell of a scan. */
#define SCAN_TELL_MS 2000

/* What a message calls the one that did not come from the file. */
#define KEPT "the policy that was kept"

/* Beyond every clock, and less than what a timer takes. */
#define NEVER_S (1LL << 33)

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

static const char *source_of(const struct agent *agent)
{
	switch (agent->source) {
	case AGENT_FROM_KEPT:
		return KEPT;
	case AGENT_FROM_FORCE:
		return AGENT_FORCE;
	case AGENT_FROM_DROPPED:
		return agent->next_file;
	case AGENT_STRICT:
		return AGENT_BUILT_IN;
	case AGENT_FROM_FILE:
		break;
	}
	return agent->opts->policy_file;
}

/* Is it one that was not here before? */
static bool has_come(const struct agent *agent)
{
	return agent->source != AGENT_FROM_KEPT &&
	       agent->source != AGENT_STRICT;
}

static int refuse_policy(struct agent *agent, int r, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

static int refuse_policy(struct agent *agent, int r, const char *format, ...)
{
	bool pushed = agent->source == AGENT_FROM_FORCE;
	bool dropped = agent->source == AGENT_FROM_DROPPED;
	char said[POLICY_ERROR_CHARS_MAX];
	char *problem = pushed	  ? said
			: dropped ? agent->drop_problem
				  : agent->problem;
	va_list ap;

	va_start(ap, format);
	(void)vsnprintf(problem, POLICY_ERROR_CHARS_MAX, format, ap);
	va_end(ap);
	log_clean(problem);
	/* An older one is no fault of a host that has a newer one. */
	if (pushed && r != -ESTALE)
		agent_trust_push_problem(agent, &agent->next_bundle, problem);
	if (dropped || (pushed && agent->push_quiet))
		return r;
	log_error("policy refused: %s", problem);
	if (agent->next_bundle.bytes && has_come(agent))
		agent_trust_refused(agent, source_of(agent),
				    &agent->next_bundle, problem);
	return r;
}

/* For who has it from the issuer, of a file or of what was kept. */
static int parse_signed(const struct agent *agent, const char *name,
			const struct trust_bundle *bundle,
			struct policy **ret_policy, struct policy_errors *errs)
{
	int r;

	r = policy_parse(name, bundle->bytes, bundle->len, ret_policy, errs);
	if (r || strcmp((*ret_policy)->issuer, agent->trust->issuer) == 0)
		return r;
	policy_errors_add(errs, name, (struct policy_pos){0},
			  "its issuer is %.128s, and this host's is %.128s",
			  (*ret_policy)->issuer, agent->trust->issuer);
	policy_free(*ret_policy);
	*ret_policy = NULL;
	return -EPERM;
}

/* Nothing of it is read before it is known who has signed these bytes. */
static int take_bundle(struct agent *agent, const char *file,
		       const struct trust_bundle *bundle,
		       struct policy **ret_policy, struct policy_errors *errs)
{
	char why[TRUST_WORDS_MAX];
	int r;

	r = agent_trust_check(agent, agent->trust, bundle, why, sizeof(why));
	if (r) {
		policy_errors_add(errs, file, (struct policy_pos){0}, "%s",
				  why);
		return r;
	}
	return parse_signed(agent, file, bundle, ret_policy, errs);
}

static int read_file(struct agent *agent, struct policy **ret_policy,
		     struct policy_errors *errs)
{
	const char *file = agent->opts->policy_file;
	int r;

	trust_bundle_release(&agent->next_bundle);
	if (!agent->trust)
		return policy_load(file, ret_policy, errs);
	r = trust_bundle_read_ours(file, &agent->next_bundle, errs);
	return r ? r
		 : take_bundle(agent, file, &agent->next_bundle, ret_policy,
			       errs);
}

/* What came of reading one: r, of which errs tells. */
static void tell_bad(struct agent *agent, int r,
		     const struct policy_errors *errs)
{
	if (r == -ENOMEM || !errs->n) {
		(void)refuse_policy(agent, r, "%s: %s", source_of(agent),
				    strerror(-r));
		return;
	}
	/* The first is the one that the status shows. */
	(void)refuse_policy(agent, r, "%s", errs->v[0].text);
	if (agent->source == AGENT_FROM_DROPPED ||
	    (agent->source == AGENT_FROM_FORCE && agent->push_quiet))
		return;
	for (size_t i = 1; i < errs->n; i++)
		log_error("policy refused: %s", errs->v[i].text);
	if (errs->n_dropped)
		log_error("policy refused: and %zu more errors in %s",
			  errs->n_dropped, source_of(agent));
}

int agent_policy_read(struct agent *agent, struct policy **ret_policy)
{
	struct policy_errors *errs = NULL;
	int r;

	errs = calloc(1, sizeof(*errs));
	if (!errs)
		return -ENOMEM;
	agent->source = AGENT_FROM_FILE;
	r = read_file(agent, ret_policy, errs);
	if (r)
		tell_bad(agent, r, errs);
	free(errs);
	return r;
}

static bool covers_this_host(const struct agent *agent,
			     const struct policy *policy,
			     char ret_host[POLICY_HOST_CHARS_MAX + 1])
{
	agent_host_name(agent, ret_host);
	return policy_covers_host(policy, ret_host);
}

/* Was the one that is kept sent by the force? Then it need not be in the
 * file. */
static bool was_pushed(const struct agent *agent)
{
	return agent->kept_serial && agent->kept_serial == agent->pushed_serial;
}

/*
 * The last one that was in force, and is kept for a boot. It was signed when it
 * came, by whom may be revoked since. Who has root's files may have put another
 * one there, of another host. It counts as having *ret_serial, which is less
 * than its own once the issuer has said so (agent_remember_recover()).
 */
static int load_kept(struct agent *agent, struct policy **ret_policy,
		     uint64_t *ret_serial, struct policy_errors *errs)
{
	char host[POLICY_HOST_CHARS_MAX + 1], why[TRUST_WORDS_MAX];
	struct trust_bundle bundle = {0};
	struct trust all = *agent->trust;
	int r;

	policy_errors_init(errs);
	r = agent_trust_kept(agent, &bundle, ret_serial);
	if (r)
		return r;
	for (size_t i = 0; i < all.n; i++)
		all.keys[i].revoked = false;
	r = agent_trust_check(agent, &all, &bundle, why, sizeof(why));
	if (r)
		policy_errors_add(errs, KEPT, (struct policy_pos){0}, "%s",
				  why);
	else
		r = parse_signed(agent, KEPT, &bundle, ret_policy, errs);
	if (!r && !covers_this_host(agent, *ret_policy, host)) {
		policy_errors_add(errs, KEPT, (struct policy_pos){0},
				  "not for this host: none of its `hosts` "
				  "matches %s",
				  host);
		policy_free(*ret_policy);
		*ret_policy = NULL;
		r = -EPERM;
	}
	if (!r && (*ret_policy)->serial < *ret_serial)
		*ret_serial = (*ret_policy)->serial;
	trust_bundle_release(&bundle);
	return r;
}

/* Not the one in the file: it begins where nothing would. */
static int read_kept(struct agent *agent, struct policy **ret_policy)
{
	struct policy_errors *errs = calloc(1, sizeof(*errs));
	uint64_t serial = 0;
	int r;

	r = errs ? load_kept(agent, ret_policy, &serial, errs) : -ENOMEM;
	if (r && r != -ENOENT)
		log_error("and nothing begins in its place: %s",
			  policy_errors_why(errs, r));
	if (!r) {
		log_level(was_pushed(agent) ? LOG_NOTICE : LOG_ERR,
			  "the policy that was kept begins in its place: "
			  "serial %" PRIu64 "%s",
			  (*ret_policy)->serial,
			  was_pushed(agent) ? ", which the force sent" : "");
		agent->source = AGENT_FROM_KEPT;
		agent->kept_serial = serial;
	}
	free(errs);
	return r;
}

/* Whatever its serial, and whenever it is valid. */
static int find_in_file(struct agent *agent, struct policy **ret_policy,
			struct policy_errors *errs)
{
	const char *file = agent->opts->policy_file;
	struct trust_bundle bundle = {0};
	char host[POLICY_HOST_CHARS_MAX + 1];
	int r;

	r = trust_bundle_read_ours(file, &bundle, errs);
	if (!r)
		r = take_bundle(agent, file, &bundle, ret_policy, errs);
	if (!r && !covers_this_host(agent, *ret_policy, host)) {
		policy_free(*ret_policy);
		*ret_policy = NULL;
		r = -EPERM;
	}
	trust_bundle_release(&bundle);
	return r;
}

int agent_policy_find(struct agent *agent, struct policy **ret_policy)
{
	struct policy_errors *errs = NULL;
	uint64_t serial;
	int r = -ENOENT;

	if (!agent->trust || agent->trust_replaced)
		return r;
	errs = calloc(1, sizeof(*errs));
	if (!errs)
		return -ENOMEM;
	if (!load_kept(agent, ret_policy, &serial, errs) ||
	    !find_in_file(agent, ret_policy, errs))
		r = 0;
	free(errs);
	return r;
}

void agent_policy_look_at_kept(struct agent *agent)
{
	struct policy_errors *errs = calloc(1, sizeof(*errs));
	struct policy *policy = NULL;
	uint64_t serial = 0;

	if (errs && agent->trust && !load_kept(agent, &policy, &serial, errs)) {
		agent->kept_serial = serial;
		agent_trust_had(agent, serial, policy->sha256);
		agent_remember_policy(agent, policy, serial);
	} else if (errs && errs->n) {
		log_error("what it says does not count: %s", errs->v[0].text);
	}
	policy_free(policy);
	free(errs);
}

/* Is a good policy one for this host and this moment? */
int agent_policy_check(struct agent *agent, const struct policy *policy)
{
	const char *file = source_of(agent);
	char host[POLICY_HOST_CHARS_MAX + 1], at[TEXT_NUMBER_CHARS_MAX];
	int64_t now = agent_now(agent);

	if (!covers_this_host(agent, policy, host))
		return refuse_policy(agent, -EPERM,
				     "%s: not for this host: none of its "
				     "`hosts` matches %s; ask the issuer to "
				     "add it",
				     file, host);
	if (policy->not_before_s > now) {
		text_format_time(policy->not_before_s, at, sizeof(at));
		agent->next_begins_s = policy->not_before_s;
		return refuse_policy(agent, -EPERM,
				     "%s: not valid before %s; reload it then, "
				     "or correct this host's clock",
				     file, at);
	}
	return 0;
}

/* The serial that it counts as having: see load_kept(). */
static uint64_t counts_as(const struct agent *agent,
			  const struct policy *policy)
{
	return agent->source == AGENT_FROM_KEPT ? agent->kept_serial
						: policy->serial;
}

/* It was enrolled, and nothing says what was in force here since. */
static int refuse_forgotten(struct agent *agent)
{
	return refuse_policy(agent, -EPERM,
			     "nothing on this host remembers which policies it "
			     "had, so one that is older could come: restore "
			     "%.512s, or have the issuer sign the act recover",
			     agent->opts->state_dir);
}

/* May a good policy take the place of the one in force (serial; 0: none is)? */
static int check_follows(struct agent *agent, uint64_t serial,
			 const struct policy *policy)
{
	uint64_t counts = counts_as(agent, policy);
	uint64_t seen = agent->remember.serial;
	const char *file = source_of(agent);
	char at[TEXT_NUMBER_CHARS_MAX];

	if (agent->forgotten)
		return refuse_forgotten(agent);
	if (counts < seen)
		return refuse_policy(agent, -ESTALE,
				     "%s: its serial %" PRIu64 " is older than "
				     "%" PRIu64 ", which %s in force on this "
				     "host; ask the issuer for a newer one",
				     file, policy->serial, seen,
				     serial == seen ? "is" : "was");
	if (counts - seen > REMEMBER_STEP_MAX)
		return refuse_policy(
			agent, -EPERM,
			"%s: its serial %" PRIu64 " is more than "
			"%" PRIu64 " above %" PRIu64 ", the highest on "
			"this host; ask the issuer for one that "
			"is nearer",
			file, policy->serial, REMEMBER_STEP_MAX, seen);
	/* Two that were signed, of which an intruder could choose. */
	if (agent->trust && counts == agent->had_serial &&
	    strcmp(policy->sha256, agent->had_sha256) != 0)
		return refuse_policy(agent, -EPERM,
				     "%s: this host had another policy with "
				     "the serial %" PRIu64 "; ask the issuer "
				     "for one with a serial of its own",
				     file, policy->serial);
	/* Where it has to be signed, what was in force is remembered over a
	 * boot. */
	if (!serial && agent->trust)
		serial = seen;
	/* That goes on after its end; nothing new begins then. */
	if (serial && policy->serial != serial &&
	    policy->expires_s <= agent_now(agent)) {
		text_format_time(policy->expires_s, at, sizeof(at));
		return refuse_policy(agent, -EPERM,
				     "%s: it expired at %s; ask the issuer for "
				     "a newer one",
				     file, at);
	}
	return 0;
}

/* Of the one that the guard has, or had before it was loaded anew. */
static int check_successor(struct agent *agent, const struct policy *policy)
{
	return check_follows(agent, agent_serial(agent), policy);
}

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

int64_t agent_policy_age(const struct agent *agent)
{
	if (!agent->policy || agent->policy->expires_s >= NEVER_S)
		return INT64_MIN;
	return agent_now(agent) - agent->policy->expires_s;
}

/* Wakes the agent when the policy ends, when that is to be said again, and when
 * the clock is set. */
void agent_policy_watch_end(struct agent *agent)
{
	struct itimerspec when = {.it_value.tv_sec = NEVER_S};
	int64_t age_s = agent_policy_age(agent), left_s = NEVER_S;

	/* By the clock as it is, which may be behind. */
	if (age_s >= 0)
		left_s = agent->expiry_due_s - agent_now(agent);
	else if (age_s != INT64_MIN)
		left_s = -age_s;
	if (left_s < NEVER_S / 2)
		when.it_value.tv_sec = time(NULL) + (left_s > 0 ? left_s : 1);
	(void)timerfd_settime(agent->timers[AGENT_TIMER_EXPIRY],
			      TFD_TIMER_ABSTIME | TFD_TIMER_CANCEL_ON_SET,
			      &when, NULL);
}

static void record_end(struct agent *agent, int64_t age_s)
{
	char at[TEXT_NUMBER_CHARS_MAX];

	text_format_time(agent->policy->expires_s, at, sizeof(at));
	agent_record_early(
		agent,
		evidence_object("expired",
				json_pack("{s:I, s:s, s:I, s:s}", "policy",
					  (json_int_t)agent->policy->serial,
					  "expires", at, "age_s",
					  (json_int_t)age_s, "level",
					  expiry_name(agent->expiry_said))));
}

void agent_policy_tell_end(struct agent *agent)
{
	int64_t age_s = agent_policy_age(agent), now = agent_now(agent);
	enum expiry expiry = expiry_of(age_s), said = agent->expiry_said;
	char ago[32];

	agent->expiry_said = expiry;
	if (expiry == EXPIRY_NONE ||
	    (expiry <= said && now < agent->expiry_due_s))
		return;
	agent->expiry_due_s = now + expiry_again_s(age_s);
	term_age((uint64_t)age_s, ago, sizeof(ago));
	log_level(expiry_level(expiry),
		  "policy serial %" PRIu64 " has expired, %s ago; it goes on "
		  "being enforced: ask %s for a newer one",
		  agent->policy->serial, ago, agent->policy->issuer);
	if (expiry != said)
		record_end(agent, age_s);
}

/* Whoever asks what is in force looks there; so does a reload. */
static void put_in_place(struct agent *agent)
{
	const char *file = agent->opts->policy_file;
	int r;

	r = trust_bundle_put(file, evidence_base(agent->next_file),
			     &agent->next_bundle);
	if (r)
		log_error("%s: the policy in force cannot be put there: %s; "
			  "it is kept for the next boot all the same",
			  file, strerror(-r));
}

/* Who has signed what is in force now, and that it is there at a boot. */
static void take_signed(struct agent *agent)
{
	json_decref(agent->signers);
	agent->signers = agent->next_signers;
	agent->next_signers = NULL;
	if (agent->source != AGENT_STRICT)
		agent_trust_had(agent, counts_as(agent, agent->policy),
				agent->policy->sha256);
	if (agent->trust && agent->next_bundle.bytes && has_come(agent)) {
		agent_trust_keep(agent, &agent->next_bundle);
		agent->pushed_serial = agent->source == AGENT_FROM_FORCE
					       ? agent->policy->serial
					       : 0;
	}
	if (agent->source == AGENT_FROM_DROPPED)
		put_in_place(agent);
	trust_bundle_release(&agent->next_bundle);
}

/* Steals policy, whether or not it comes into force. */
int agent_policy_apply(struct agent *agent, struct policy *policy)
{
	uint64_t seen = agent->remember.serial;
	struct guard_applied applied = {0};
	int r;

	r = agent->source == AGENT_STRICT ? 0 : check_successor(agent, policy);
	if (r)
		goto out;
	r = guard_apply_policy(agent->guard, policy, true, progress, agent,
			       &agent_say, &applied);
	if (r) {
		(void)refuse_policy(agent, r,
				    "%s: the guard cannot take it: %s; the "
				    "lines above have the cause",
				    source_of(agent), strerror(-r));
		goto out;
	}
	policy_free(agent->policy);
	agent->policy = policy;
	agent->applied_s = time(NULL);
	policy = NULL;
	if (has_come(agent))
		agent->problem[0] = '\0';
	agent->push_problem[0] = '\0';
	take_signed(agent);
	tell_applied(agent->policy, &applied);
	if (agent->source != AGENT_STRICT)
		agent_remember_policy(agent, agent->policy,
				      counts_as(agent, agent->policy));
	agent_record_policy(agent);
	/* No power cut shall make room for the one before. */
	if (agent->remember.serial > seen)
		agent_save(agent);
	/* Of this one nothing was said yet. */
	agent->expiry_said = EXPIRY_NONE;
	agent_policy_tell_end(agent);
	agent_policy_watch_end(agent);
out:
	policy_free(policy);
	/* The parser takes much memory for a short time. */
	(void)malloc_trim(0);
	return r;
}

/* The file is older than what the force sent, which is no fault of it. */
static bool is_superseded(const struct agent *agent,
			  const struct policy *policy)
{
	return was_pushed(agent) && policy->serial < agent->kept_serial;
}

/* One that was dropped, and is newer than what would begin otherwise. */
static int read_dropped(struct agent *agent, uint64_t serial,
			struct policy **ret_policy)
{
	struct policy *policy = NULL;

	if (was_pushed(agent) && serial < agent->kept_serial)
		serial = agent->kept_serial;
	if (agent_dropped_newest(agent, serial, &policy))
		return -ENOENT;
	policy_free(*ret_policy);
	*ret_policy = policy;
	return 0;
}

static int say_forgotten(struct agent *agent)
{
	agent->source = AGENT_FROM_FILE;
	return refuse_forgotten(agent);
}

static int take_file(struct agent *agent, struct policy **ret_policy)
{
	int r;

	r = agent_policy_read(agent, ret_policy);
	if (!r)
		r = agent_policy_check(agent, *ret_policy);
	if (!read_dropped(agent, r ? 0 : (*ret_policy)->serial, ret_policy)) {
		if (r == -ENOENT)
			agent->problem[0] = '\0';
		return 0;
	}
	if (!r && !is_superseded(agent, *ret_policy))
		return 0;
	policy_free(*ret_policy);
	*ret_policy = NULL;
	return r ? r : -ESTALE;
}

static int load_what_is_known(struct agent *agent)
{
	char sha256[SIGN_HASH_CHARS_MAX];
	int r;

	agent->was_enrolled = agent_is_marked(agent, sha256);
	agent_remember_load(agent);
	r = agent_trust_load(agent);
	agent_policy_look_at_kept(agent);
	if (agent->trust_read[0])
		agent->was_enrolled = true;
	agent->forgotten = agent->was_enrolled && !agent->remember.known;
	return r;
}

/*
 * A bad policy is no reason to leave a running guard alone: it is adopted with
 * the policy that it has.
 */
int agent_policy_start(struct agent *agent, bool pinned,
		       struct policy **ret_policy)
{
	int r;

	r = load_what_is_known(agent);
	/* The guard may know better: agent_policy_begin(). */
	if (!r && agent->forgotten && pinned)
		return 0;
	if (!r)
		r = agent->forgotten ? say_forgotten(agent)
				     : take_file(agent, ret_policy);
	if (!r)
		return 0;
	if (agent->trust && !agent->forgotten &&
	    (!pinned || was_pushed(agent)) && !read_kept(agent, ret_policy)) {
		/* On a host of a fleet there need not be a file. */
		if (was_pushed(agent) && (r == -ESTALE || r == -ENOENT))
			agent->problem[0] = '\0';
		return 0;
	}
	if (pinned) {
		log_error("the guard goes on with the policy that it has");
		return 0;
	}
	if (agent_strict_wanted(agent))
		return agent_strict_policy(agent, ret_policy);
	log_error("no policy, hence no protection: correct %s and start again",
		  agent->opts->policy_file);
	return r;
}

static bool has_policy(const struct agent *agent)
{
	return guard_state(agent->guard)->generation != 0;
}

/* Nothing that the issuer has signed can begin. */
static int begin_strict(struct agent *agent)
{
	struct policy *policy = NULL;
	int r;

	r = agent_strict_policy(agent, &policy);
	return r ? r : agent_policy_apply(agent, policy);
}

/* Steals policy; NULL: there is none that could. */
static int begin(struct agent *agent, struct policy *policy)
{
	int r;

	/* A guard is there whose agent did not live to give it one. */
	if (!policy)
		return agent_strict_wanted(agent) ? begin_strict(agent)
						  : -EPERM;
	r = agent_policy_apply(agent, policy);
	if (r && agent->source == AGENT_FROM_DROPPED)
		log_error("policy refused: %s", agent->drop_problem);
	/* It was signed, but is older, or more than the guard takes. */
	if (r && !has_policy(agent) && agent->trust && has_come(agent) &&
	    !read_kept(agent, &policy))
		r = agent_policy_apply(agent, policy);
	if (r && !has_policy(agent) && agent->source != AGENT_STRICT &&
	    agent_strict_wanted(agent))
		r = begin_strict(agent);
	return r;
}

int agent_policy_begin(struct agent *agent, struct policy *policy)
{
	int r = 0;

	/* By whom this was signed nobody knows. */
	if (agent->trust_replaced) {
		policy_free(policy);
		(void)snprintf(agent->problem, sizeof(agent->problem), "%s",
			       agent->trust_problem);
		return has_policy(agent) ? 0 : begin_strict(agent);
	}
	if (agent->forgotten && agent->remember.known) {
		agent->forgotten = false;
		policy_free(policy);
		policy = NULL;
		r = take_file(agent, &policy);
	} else if (agent->forgotten && agent->trust && has_policy(agent)) {
		r = say_forgotten(agent);
	}
	if (!r && (policy || !has_policy(agent)))
		r = begin(agent, policy);
	/* As above: what it has is better than nothing. */
	if (r && agent->adopted && has_policy(agent))
		r = 0;
	return r;
}

/* What the file has, unless what is in force is newer and need not be there. */
static int reload_file(struct agent *agent)
{
	struct policy *policy = NULL;
	int r;

	r = agent_policy_read(agent, &policy);
	if (!r)
		r = agent_policy_check(agent, policy);
	if (!r && is_superseded(agent, policy)) {
		log_notice("%s: its serial %" PRIu64 " is older than %" PRIu64
			   ", which the force sent and which stays in force",
			   agent->opts->policy_file, policy->serial,
			   agent_serial(agent));
		agent->problem[0] = '\0';
	} else if (!r) {
		r = agent_policy_apply(agent, policy);
		policy = NULL;
	}
	policy_free(policy);
	if (r == -ENOENT && was_pushed(agent)) {
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
		r = agent->forgotten ? say_forgotten(agent)
				     : reload_file(agent);
	if (r)
		log_error("policy serial %" PRIu64 " stays in force",
			  agent_serial(agent));
	agent_dropped_look(agent);
	agent->reloads++;
	agent_notify_ready(agent);
}

/* ---- from elsewhere ------------------------------------------------------ */

static int take_next(struct agent *agent, struct policy **ret_policy)
{
	struct policy_errors *errs = calloc(1, sizeof(*errs));
	int r;

	if (!errs)
		return -ENOMEM;
	r = take_bundle(agent, source_of(agent), &agent->next_bundle,
			ret_policy, errs);
	if (r)
		tell_bad(agent, r, errs);
	else
		r = agent_policy_check(agent, *ret_policy);
	free(errs);
	return r;
}

/* By whom it is signed can be known where the anchors are those of before. */
static int can_take(struct agent *agent)
{
	if (agent->trust && !agent->trust_replaced)
		return 0;
	return refuse_policy(agent, -EPERM, "%s: %s", source_of(agent),
			     agent->trust_problem[0]
				     ? agent->trust_problem
				     : "this host has no trust anchors");
}

static bool is_in_force(const struct agent *agent,
			const struct trust_bundle *bundle)
{
	char hash[SIGN_HASH_CHARS_MAX];

	if (!agent->policy)
		return false;
	sign_hash(bundle->bytes, bundle->len, hash);
	return strcmp(hash, agent->policy->sha256) == 0;
}

/* Steals bundle. */
static int begin_with(struct agent *agent, enum agent_source source,
		      struct trust_bundle *bundle)
{
	bool known = is_in_force(agent, bundle);

	trust_bundle_release(&agent->next_bundle);
	agent->next_bundle = *bundle;
	*bundle = (struct trust_bundle){0};
	agent->source = source;
	agent->next_begins_s = 0;
	return known ? -EALREADY : can_take(agent);
}

int agent_policy_judge(struct agent *agent, struct trust_bundle *bundle,
		       bool begins, struct policy **ret_policy)
{
	struct policy *policy = NULL;
	int r;

	r = begin_with(agent, AGENT_FROM_DROPPED, bundle);
	if (!r)
		r = take_next(agent, &policy);
	if (!r)
		r = begins ? check_follows(agent, 0, policy)
			   : check_successor(agent, policy);
	if (r)
		policy_free(policy);
	else
		*ret_policy = policy;
	return r;
}

void agent_policy_judged(struct agent *agent, struct policy *policy)
{
	policy_free(policy);
	trust_bundle_release(&agent->next_bundle);
	agent->source = AGENT_FROM_FILE;
}

int agent_policy_push(struct agent *agent, struct trust_bundle *bundle)
{
	struct policy *policy = NULL;
	int r;

	r = begin_with(agent, AGENT_FROM_FORCE, bundle);
	if (!r)
		r = take_next(agent, &policy);
	if (!r) {
		r = agent_policy_apply(agent, policy);
		policy = NULL;
	}
	policy_free(policy);
	trust_bundle_release(&agent->next_bundle);
	if (!r)
		agent_notify_ready(agent);
	return r;
}
