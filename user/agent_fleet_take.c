// SPDX-License-Identifier: GPL-2.0-only
/*
 * What comes from the force, or from whoever has the broker: policies and trust
 * anchors, which are judged by who has signed them, and asks, which nobody has.
 */
#include "agent_fleet.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <time.h>

#include "act.h"
#include "clock.h"
#include "log.h"
#include "version.h"

#define REFUSED_MS     1000 /* that one refused message may stand for */
#define BUSY_MS	       8000 /* that many may, before there is a pause */
#define TELL_MS	       60000
#define ASK_AGAIN_MS   1000
#define LATER_AGAIN_MS 60000 /* the clock may be set */

/* ---- policies ------------------------------------------------------------ */

/* Whatever may be judged otherwise by now is known no more. */
static void review_known(const struct agent *agent)
{
	struct agent_fleet *fleet = agent->fleet;

	if (fleet->known_as == agent->amended)
		return;
	fleet->known_as = agent->amended;
	memset(fleet->known, 0, sizeof(fleet->known));
}

static bool is_known(const struct agent_fleet *fleet, const char *hash)
{
	for (size_t i = 0; i < FLEET_KNOWN_MAX; i++)
		if (strcmp(fleet->known[i], hash) == 0)
			return true;
	return false;
}

/* Whoever sends rubbish all day shall not fill the evidence with it. */
static bool may_tell(struct agent_fleet *fleet)
{
	int64_t minutes = (clock_ms() - fleet->tell_ms) / TELL_MS;

	fleet->tell_ms += minutes * TELL_MS;
	if (minutes > FLEET_TELL_MAX - (int64_t)fleet->may_tell)
		fleet->may_tell = FLEET_TELL_MAX;
	else
		fleet->may_tell += (unsigned int)minutes;
	if (!fleet->may_tell)
		return false;
	fleet->may_tell--;
	return true;
}

/* Nor take all of the agent's time. */
static void charge(struct agent_fleet *fleet, int64_t ms)
{
	int64_t now = clock_ms();

	if (fleet->busy_ms < now)
		fleet->busy_ms = now;
	fleet->busy_ms += ms;
	if (fleet->busy_ms - now <= BUSY_MS)
		return;
	fleet->resume_ms = fleet->busy_ms - BUSY_MS;
	fleet_watch_link(fleet, false);
	fleet_wake(fleet, fleet->resume_ms);
}

/* That costs no more than to look at it. */
static void charge_known(struct agent_fleet *fleet, int64_t begun_ms)
{
	charge(fleet, 1 + 2 * (clock_ms() - begun_ms));
}

static void note_refused(struct agent_fleet *fleet)
{
	fleet->refusals++;
	charge(fleet, REFUSED_MS);
}

/* It comes again with each connection, and is no news. What could not be put
 * into force for want of memory may be another time. */
static void note_known(struct agent_fleet *fleet, const char *hash, int r)
{
	if (r != -EPERM && r != -ESTALE && r != -EINVAL && r != -E2BIG)
		return;
	(void)strcpy(fleet->known[fleet->next_known], hash);
	fleet->next_known = (fleet->next_known + 1) % FLEET_KNOWN_MAX;
}

/* What has come in a message, and when it can come into force. */
struct taking {
	bool quiet;	  /* what is refused of it is not told */
	int64_t begins_s; /* the policy is too early; 0: it is not */
};

/* Steals bundle. */
static void begin_arrival(const struct taking *taking, enum kind kind,
			  struct trust_bundle *bundle,
			  struct arrival *ret_arrival)
{
	arrival_init(ret_arrival, AGENT_FROM_FORCE, kind, AGENT_FORCE);
	ret_arrival->quiet = taking->quiet;
	ret_arrival->bundle = *bundle;
	*bundle = (struct trust_bundle){0};
}

static int refuse_message(struct agent *agent, const struct taking *taking,
			  const void *bytes, size_t len)
{
	struct trust_bundle bundle = {.bytes = (void *)bytes, .len = len};
	struct arrival arrival;

	begin_arrival(taking, KIND_NONE, &bundle, &arrival);
	return arrival_refuse(agent, &arrival, -EPERM,
			      "it is no policy message");
}

/*
 * A group has a policy, and the host perhaps a newer one: both come with every
 * connection. The one that is older by what the message says is looked at no
 * further, and is no refusal. -EALREADY: what is in force comes again.
 */
static int push_policy(struct agent *agent, struct fleet_policy *message,
		       struct taking *taking)
{
	uint64_t before = agent->pushed_serial;
	struct arrival arrival;
	int r;

	if (message->serial < agent->remember.serial) {
		agent->fleet->older++;
		return 0;
	}
	begin_arrival(taking, KIND_POLICY, &message->policy, &arrival);
	r = agent_policy_push(agent, &arrival);
	taking->begins_s = arrival.begins_s;
	arrival_release(&arrival);
	if (agent->pushed_serial == before)
		return r;
	agent->fleet->policies++;
	fleet_kept_write(agent);
	return r;
}

static int push_anchors(struct agent *agent, const struct taking *taking,
			struct trust_bundle *next)
{
	uint64_t before = agent->trust ? agent->trust->version : 0;
	struct arrival arrival;
	int r;

	begin_arrival(taking, KIND_TRUST, next, &arrival);
	r = agent_trust_take(agent, &arrival);
	arrival_release(&arrival);
	if (r == -EALREADY) {
		arrival_clear_pushed(agent, KIND_TRUST);
		return 0;
	}
	if (r == -ESTALE) {
		agent->fleet->older++;
		return 0;
	}
	if (!agent->trust || agent->trust->version == before)
		return r;
	fleet_kept_write(agent);
	return r;
}

/*
 * One version at a time: behind one that is refused none is any better. Those
 * before the last go along for who has missed them, and are no news to others.
 */
static int push_trust(struct agent *agent, struct fleet_policy *message,
		      const struct taking *taking)
{
	struct fleet_trust *next = message->trust;
	int r = 0;

	for (size_t i = 0; !r && i < message->n_trust; i++)
		if (i + 1 == message->n_trust || !agent->trust ||
		    next[i].version >= agent->trust->version)
			r = push_anchors(agent, taking, &next[i].bundle);
	return r;
}

static int push_act(struct agent *agent, struct trust_bundle *bundle,
		    const struct taking *taking)
{
	struct fleet_kept *kept = &agent->fleet->kept;
	char hash[SIGN_HASH_CHARS_MAX], told[ACT_WORDS_MAX] = "";
	struct arrival arrival;
	int r;

	/* It comes again with each connection, and took effect once. */
	sign_hash(bundle->bytes, bundle->len, hash);
	if (strcmp(hash, kept->act) == 0)
		return 0;
	begin_arrival(taking, KIND_ACT, bundle, &arrival);
	r = agent_act_apply(agent, &arrival, told, sizeof(told));
	arrival_release(&arrival);
	/* Who asked for it is to know of it: it is judged, and told, again. */
	if (r == -EPERM && taking->quiet)
		return -EAGAIN;
	if (r)
		return r;
	log_notice(AGENT_FORCE ": %s", told);
	(void)strcpy(kept->act, hash);
	fleet_kept_write(agent);
	return 0;
}

/* The anchors first: they may be those of the others. */
static int push_all(struct agent *agent, struct fleet_policy *message,
		    struct taking *taking)
{
	int trust = push_trust(agent, message, taking), act = 0, policy = 0;

	if (message->act.bytes)
		act = push_act(agent, &message->act, taking);
	if (message->policy.bytes)
		policy = push_policy(agent, message, taking);
	if (policy == -EALREADY) {
		policy = 0;
		/* What was wrong since is over, but for what came with it. */
		if (!trust)
			agent->push_problem[0] = '\0';
	}
	return trust ? trust : act ? act : policy;
}

/* Its moment comes later: then it is as if it had been sent. */
static void keep_later(struct agent_fleet *fleet, int64_t begins_s,
		       const void *bytes, size_t len)
{
	char *copy = malloc(len);

	if (!copy)
		return;
	memcpy(copy, bytes, len);
	free(fleet->later);
	fleet->later = copy;
	fleet->later_len = len;
	fleet->later_s = begins_s;
}

void fleet_take_policy(struct agent *agent, const void *bytes, size_t len)
{
	struct agent_fleet *fleet = agent->fleet;
	struct taking taking = {0};
	struct fleet_policy message;
	char hash[SIGN_HASH_CHARS_MAX];
	int64_t begun_ms = clock_ms();
	uint64_t policies = fleet->policies;
	int r;

	review_known(agent);
	sign_hash(bytes, len, hash);
	if (is_known(fleet, hash)) {
		charge_known(fleet, begun_ms);
		return;
	}
	taking.quiet = !may_tell(fleet);
	r = fleet_policy_open(bytes, len, FLEET_POLICY_BYTES_MAX, &message);
	if (r == -ENOMEM)
		return;
	if (r) {
		r = refuse_message(agent, &taking, bytes, len);
	} else {
		r = push_all(agent, &message, &taking);
		fleet_policy_release(&message);
	}
	review_known(agent);
	note_known(fleet, hash, r);
	if (!r)
		fleet->may_tell += !taking.quiet;
	else
		note_refused(fleet);
	/* It may be what is in force, and come all day. */
	if (!r && fleet->policies == policies)
		charge_known(fleet, begun_ms);
	if (taking.begins_s)
		keep_later(fleet, taking.begins_s, bytes, len);
}

void fleet_take_later(struct agent *agent)
{
	struct agent_fleet *fleet = agent->fleet;
	int64_t left_s;
	char *bytes;

	if (!fleet->later)
		return;
	left_s = fleet->later_s - agent_now(agent);
	if (left_s > 0) {
		fleet_wake(fleet, clock_ms() + (left_s > LATER_AGAIN_MS / 1000
							? LATER_AGAIN_MS
							: left_s * 1000));
		return;
	}
	bytes = fleet->later;
	fleet->later = NULL;
	memset(fleet->known, 0, sizeof(fleet->known));
	fleet_take_policy(agent, bytes, fleet->later_len);
	free(bytes);
}

/* ---- asks ---------------------------------------------------------------- */

/* The first thing that is wrong; "": nothing is. */
static const char *trouble(const struct agent *agent)
{
	if (!agent->evidence || agent->evidence_failed)
		return "the evidence is not written";
	if (agent->problem[0])
		return agent->problem;
	if (agent->trust_problem[0])
		return agent->trust_problem;
	if (agent->signers_problem[0])
		return agent->signers_problem;
	if (agent->push_problem[0])
		return agent->push_problem;
	if (agent->policy && agent->policy->expires_s <= agent_now(agent))
		return "the policy in force has expired";
	return "";
}

/* Cut at size. */
static void put_text(char *to, size_t size, const char *text)
{
	size_t len = strnlen(text, size - 1);

	memcpy(to, text, len);
	to[len] = '\0';
}

#define put(to, text) put_text(to, sizeof(to), text)

static const char *mode_of(const struct agent *agent)
{
	const struct guard_state *state = guard_state(agent->guard);

	if (agent_act_lifted(agent))
		return "lifted";
	return state->mode[state->generation & 1] == MODE_OBSERVE ? "observe"
								  : "enforce";
}

static void describe(const struct agent *agent, struct fleet_attest *attest)
{
	const char *problem = trouble(agent);
	struct utsname uts;

	(void)uname(&uts);
	attest->time_s = time(NULL);
	attest->policy_serial = agent_serial(agent);
	if (agent->policy)
		put(attest->policy_sha256, agent->policy->sha256);
	if (agent->trust) {
		attest->trust_version = agent->trust->version;
		put(attest->trust_sha256, agent->trust->sha256);
	}
	put(attest->mode, mode_of(agent));
	attest->lifted_until_s =
		agent_act_lifted_by(agent, attest->lifted_sha256);
	put(attest->attached, guard_attached(agent->guard) == GUARD_ATTACH_LSM
				      ? "lsm"
				      : "fmod_ret");
	put(attest->kernel, uts.release);
	put(attest->version, CORDON_VERSION);
	put(attest->health, problem[0] ? "degraded" : "good");
	put(attest->problem, problem);
	attest->incidents_open = agent_incidents_open(agent);
	if (agent->evidence && evidence_next(agent->evidence) > 1) {
		attest->evidence_seq = evidence_next(agent->evidence) - 1;
		put(attest->evidence_hash, evidence_last_hash(agent->evidence));
	}
	attest->spool_waiting = spool_waiting(agent);
	attest->spool_dropped = spool_dropped(agent);
}

static void attest(struct agent *agent, const char *nonce)
{
	struct agent_fleet *fleet = agent->fleet;
	struct fleet_attest said = {0};
	struct link_frame frame = {.type = LINK_ATTEST};
	void *box = NULL;
	int r;

	put(said.host, fleet->name);
	put(said.nonce, nonce);
	describe(agent, &said);
	r = fleet_attest_make(&fleet->key, &fleet->enrolment->seal, &said, &box,
			      &frame.len);
	if (!r) {
		frame.bytes = box;
		r = link_send(fleet->link, &frame);
	}
	if (r)
		log_warning("the force asked how this host is, and is not "
			    "answered: %s",
			    strerror(-r));
	free(box);
}

/* Nobody has signed it: it is answered now and then, whoever sent it. */
void fleet_take_ask(struct agent *agent, const struct link_frame *frame)
{
	struct agent_fleet *fleet = agent->fleet;
	char nonce[FLEET_NONCE_CHARS_MAX];
	struct fleet_have have;
	bool has;

	fleet->asked++;
	if (clock_ms() < fleet->ask_ms ||
	    fleet_ask_open(frame->bytes, frame->len, fleet->name, nonce, &have,
			   &has)) {
		fleet->unanswered++;
		charge(fleet, 1);
		return;
	}
	fleet->ask_ms = clock_ms() + ASK_AGAIN_MS;
	if (has)
		spool_have(agent, &have);
	attest(agent, nonce);
}
