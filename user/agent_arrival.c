// SPDX-License-Identifier: GPL-2.0-only
/*
 * What has come to the agent and is judged: who has signed it, and what is told
 * of it where it is refused.
 */
#include "agent.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "log.h"

void arrival_init(struct arrival *arrival, enum agent_source source,
		  enum kind kind, const char *file)
{
	*arrival = (struct arrival){.source = source, .kind = kind};
	(void)snprintf(arrival->file, sizeof(arrival->file), "%s", file);
}

void arrival_release(struct arrival *arrival)
{
	trust_bundle_release(&arrival->bundle);
	json_decref(arrival->signers);
	policy_free(arrival->policy);
	arrival->signers = NULL;
	arrival->policy = NULL;
}

bool arrival_is_new(const struct arrival *arrival)
{
	return arrival->source != AGENT_FROM_KEPT &&
	       arrival->source != AGENT_STRICT;
}

/* ---- who has signed it --------------------------------------------------- */

void arrival_note_lack(struct arrival *arrival, bool lacks,
		       const struct trust_signers *signers)
{
	arrival->lacks = lacks;
	arrival->doubtful = lacks && signers->good != signers->n;
}

int arrival_check(struct arrival *arrival, const struct trust *trust, char *why,
		  size_t size)
{
	const struct trust_bundle *bundle = &arrival->bundle;
	struct trust_signers signers;
	bool enough;

	json_decref(arrival->signers);
	arrival->signers = json_array();
	enough = trust_check(trust, bundle->signatures, bundle->n,
			     bundle->bytes, bundle->len, &signers);
	arrival_note_lack(arrival, !enough, &signers);
	if (!enough) {
		trust_words(trust, bundle->signatures, &signers, why, size);
		return -EPERM;
	}
	for (size_t i = 0; i < signers.n; i++)
		if (signers.at[i].found == TRUST_SIGNED)
			(void)json_array_append_new(
				arrival->signers,
				json_string(signers.at[i].key->name));
	return 0;
}

/* Whom this host trusts. */
static bool somebody_signed(const struct agent *agent,
			    const struct trust_bundle *bundle)
{
	struct trust_signers signers;

	if (!agent->trust || agent->trust_replaced)
		return false;
	(void)trust_check(agent->trust, bundle->signatures, bundle->n,
			  bundle->bytes, bundle->len, &signers);
	return signers.good;
}

/* ---- refusing it --------------------------------------------------------- */

/*
 * Is it a problem of this host that what the force sent is refused? What nobody
 * has signed, who has the broker can make up; and what was signed for another
 * host, or works once as an act does, they can send again. That it is older is
 * no fault of a host that has a newer one.
 */
static bool is_of_this_host(const struct agent *agent,
			    const struct arrival *arrival, int r)
{
	return r != -ESTALE && arrival->kind != KIND_ACT &&
	       !arrival->for_others && somebody_signed(agent, &arrival->bundle);
}

/* Where the status has it; NULL: nowhere. */
static char *problem_of(struct agent *agent, const struct arrival *arrival,
			int r)
{
	switch (arrival->source) {
	case AGENT_FROM_FORCE:
		return is_of_this_host(agent, arrival, r) ? agent->push_problem
							  : NULL;
	case AGENT_FROM_DROPPED:
		return NULL;
	case AGENT_FROM_FILE:
	case AGENT_FROM_KEPT:
	case AGENT_STRICT:
		break;
	}
	if (arrival->quiet)
		return NULL;
	return arrival->kind == KIND_POLICY  ? agent->problem
	       : arrival->kind == KIND_TRUST ? agent->trust_problem
					     : NULL;
}

bool arrival_is_said(const struct arrival *arrival)
{
	return !arrival->quiet && arrival->source != AGENT_FROM_DROPPED;
}

static const char *words_of(const struct arrival *arrival)
{
	static const char *const words[KIND_MAX] = {
		[KIND_NONE] = "message",	[KIND_POLICY] = "policy",
		[KIND_TRUST] = "trust anchors", [KIND_ACT] = "act",
		[KIND_ENROLMENT] = "enrolment",
	};

	return words[arrival->kind];
}

/* What a parser says begins with the name. */
static void put_problem(struct arrival *arrival, const char *format, va_list ap)
{
	size_t len = strlen(arrival->file), size = sizeof(arrival->problem);
	char *why;

	(void)snprintf(arrival->problem, size, "%.256s: ", arrival->file);
	why = arrival->problem + strlen(arrival->problem);
	size -= (size_t)(why - arrival->problem);
	(void)vsnprintf(why, size, format, ap);
	if (strncmp(why, arrival->file, len) == 0 && why[len] == ':')
		memmove(arrival->problem, why, strlen(why) + 1);
}

int arrival_refuse(struct agent *agent, struct arrival *arrival, int r,
		   const char *format, ...)
{
	char *problem;
	va_list ap;

	va_start(ap, format);
	put_problem(arrival, format, ap);
	va_end(ap);
	log_clean(arrival->problem);
	/* Nobody shall take it for one that may begin. */
	policy_free(arrival->policy);
	arrival->policy = NULL;
	problem = problem_of(agent, arrival, r);
	if (problem) {
		(void)snprintf(problem, POLICY_ERROR_CHARS_MAX, "%s",
			       arrival->problem);
		if (problem == agent->push_problem)
			agent->push_problem_kind = arrival->kind;
	}
	if (!arrival_is_said(arrival))
		return r;
	log_error("%s refused: %s", words_of(arrival), arrival->problem);
	if (arrival->bundle.bytes && arrival_is_new(arrival))
		agent_trust_refused(agent, arrival->file, &arrival->bundle,
				    arrival->problem);
	return r;
}

void arrival_clear_pushed(struct agent *agent, enum kind kind)
{
	if (agent->push_problem_kind == kind)
		agent->push_problem[0] = '\0';
}
