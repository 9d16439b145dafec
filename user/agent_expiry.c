// SPDX-License-Identifier: GPL-2.0-only
/* The end of the policy in force: when it comes, and what is said of it. */
#include "agent.h"

#include <inttypes.h>
#include <sys/timerfd.h>
#include <time.h>

#include "log.h"
#include "term.h"
#include "text.h"

/* Beyond every clock, and less than what a timer takes. */
#define NEVER_S (1LL << 33)

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
