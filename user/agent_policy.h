/* SPDX-License-Identifier: GPL-2.0-only */
/* What agent_policy.c and agent_policy_start.c have in common. */
#ifndef CORDON_AGENT_POLICY_H
#define CORDON_AGENT_POLICY_H

#include "agent.h"

/*
 * Is what has come, or lies where arrival says, a policy that enough have
 * signed, for this host and this moment? Then arrival->policy is it. Else why
 * not is told as arrival_refuse() does: -EPERM; as policy_load();
 * trust_bundle_read_ours().
 */
int policy_take(struct agent *agent, struct arrival *arrival);

/* The one in the file: makes arrival, for arrival_release(). */
int policy_take_file(struct agent *agent, struct arrival *arrival);

/* The one that is kept, in the place of what is in arrival. -ENOENT. */
int policy_take_kept(struct agent *agent, struct arrival *arrival);

/* Was the one that is kept sent by the force? Then it need not be in the file,
 * and what is may be older, which is no fault of it. */
bool policy_was_pushed(const struct agent *agent);
bool policy_is_superseded(const struct agent *agent,
			  const struct policy *policy);

/* It was enrolled, and nothing says what was in force here since: what has
 * come, or the one in the file, is refused for that. -EPERM. */
int policy_refuse_forgotten(struct agent *agent, struct arrival *arrival);
int policy_say_forgotten(struct agent *agent);

#endif
