// SPDX-License-Identifier: GPL-2.0-only
/* The policy that a start begins with: of those that there are, which. */
#include "agent.h"
#include "agent_policy.h"

#include <errno.h>
#include <stdio.h>

#include "log.h"

/* One that was dropped, and is newer than what would begin otherwise, in the
 * place of that. */
static int take_dropped(struct agent *agent, uint64_t serial,
			struct arrival *arrival)
{
	struct arrival dropped;
	int r;

	if (policy_was_pushed(agent) && serial < agent->kept_serial)
		serial = agent->kept_serial;
	r = agent_dropped_newest(agent, serial, &dropped);
	if (r)
		return r;
	arrival_release(arrival);
	*arrival = dropped;
	return 0;
}

static int take_file(struct agent *agent, struct arrival *arrival)
{
	int r;

	r = policy_take_file(agent, arrival);
	if (!take_dropped(agent, r ? 0 : arrival->policy->serial, arrival)) {
		if (r == -ENOENT)
			agent->problem[0] = '\0';
		return 0;
	}
	if (!r && !policy_is_superseded(agent, arrival->policy))
		return 0;
	arrival_release(arrival);
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
		       struct arrival *ret_first)
{
	int r;

	*ret_first = (struct arrival){0};
	r = load_what_is_known(agent);
	/* The guard may know better: agent_policy_begin(). */
	if (!r && agent->forgotten && pinned)
		return 0;
	if (!r)
		r = agent->forgotten ? policy_say_forgotten(agent)
				     : take_file(agent, ret_first);
	if (!r)
		return 0;
	if (agent->trust && !agent->forgotten &&
	    (!pinned || policy_was_pushed(agent)) &&
	    !policy_take_kept(agent, ret_first)) {
		/* On a host of a fleet there need not be a file. */
		if (policy_was_pushed(agent) && (r == -ESTALE || r == -ENOENT))
			agent->problem[0] = '\0';
		return 0;
	}
	if (pinned) {
		log_error("the guard goes on with the policy that it has");
		return 0;
	}
	if (agent_strict_wanted(agent))
		return agent_strict_policy(agent, ret_first);
	log_error("no policy, hence no protection: correct %s and start again",
		  agent->opts->policy_file);
	return r;
}

static bool has_policy(const struct agent *agent)
{
	return guard_state(agent->guard)->generation != 0;
}

/* Nothing that the issuer has signed can begin. */
static int begin_strict(struct agent *agent, struct arrival *arrival)
{
	int r;

	arrival_release(arrival);
	r = agent_strict_policy(agent, arrival);
	return r ? r : agent_policy_apply(agent, arrival);
}

static int begin(struct agent *agent, struct arrival *arrival)
{
	int r;

	/* A guard is there whose agent did not live to give it one. */
	if (!arrival->policy)
		return agent_strict_wanted(agent) ? begin_strict(agent, arrival)
						  : -EPERM;
	r = agent_policy_apply(agent, arrival);
	if (r && arrival->source == AGENT_FROM_DROPPED)
		log_error("policy refused: %s", arrival->problem);
	/* It was signed, but is older, or more than the guard takes. */
	if (r && !has_policy(agent) && agent->trust &&
	    arrival_is_new(arrival) && !policy_take_kept(agent, arrival))
		r = agent_policy_apply(agent, arrival);
	if (r && !has_policy(agent) && arrival->source != AGENT_STRICT &&
	    agent_strict_wanted(agent))
		r = begin_strict(agent, arrival);
	return r;
}

int agent_policy_begin(struct agent *agent, struct arrival *first)
{
	int r = 0;

	/* By whom this was signed, or has to be, nobody knows. */
	if (agent_trust_is_lost(agent)) {
		(void)snprintf(agent->problem, sizeof(agent->problem), "%s",
			       agent->trust_problem);
		return has_policy(agent) ? 0 : begin_strict(agent, first);
	}
	if (agent->forgotten && agent->remember.known) {
		agent->forgotten = false;
		arrival_release(first);
		r = take_file(agent, first);
	} else if (agent->forgotten && agent->trust && has_policy(agent)) {
		r = policy_say_forgotten(agent);
	}
	if (!r && (first->policy || !has_policy(agent)))
		r = begin(agent, first);
	/* As above: what it has is better than nothing. */
	if (r && agent->adopted && has_policy(agent))
		r = 0;
	return r;
}
