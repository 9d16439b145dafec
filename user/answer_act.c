// SPDX-License-Identifier: GPL-2.0-only
/*
 * Acts of the issuer: asked for, applied and ended by root of this host. A
 * reply is one line,
 *
 *	act-request	"text": the file that has to be signed
 *	act		"done": whether it took effect, and "text": what it did,
 *			or why not
 */
#include "agent.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "act.h"
#include "log.h"

static int reply(struct control_client *client, const char *type, bool done,
		 const char *text)
{
	int r;

	r = control_reply(client, json_pack("{s:i, s:s, s:b, s:s}", "cordon",
					    CONTROL_VERSION, "type", type,
					    "done", done, "text", text));
	return r ? r : CONTROL_END;
}

static int answer_request(struct agent *agent, struct control_client *client)
{
	char why[TRUST_WORDS_MAX], *text = NULL;
	int r;

	r = agent_act_request(agent, &client->request, &text, why, sizeof(why));
	if (r && r != -EPERM)
		return r;
	r = reply(client, "act-request", !r, r ? why : text);
	free(text);
	return r;
}

static int answer_apply(struct agent *agent, struct control_client *client)
{
	struct arrival arrival;
	char told[TRUST_WORDS_MAX];
	int r;

	arrival_init(&arrival, AGENT_FROM_FILE, KIND_ACT, client->request.file);
	r = trust_bundle_from_json(client->request.bundle, &arrival.bundle);
	if (r == -EUCLEAN || r == -EFBIG) {
		control_fail(client, CONTROL_REFUSED,
			     r == -EFBIG ? "more than %d signatures"
					 : "the bundle is none",
			     TRUST_SIGNATURES_MAX);
		return r;
	}
	if (r)
		return r;
	r = agent_act_apply(agent, &arrival, told, sizeof(told));
	arrival_release(&arrival);
	return r && r != -EPERM ? r : reply(client, "act", !r, told);
}

static int answer_end(struct agent *agent, struct control_client *client)
{
	int r = agent_act_end(agent);

	return reply(client, "act", !r,
		     r ? "enforcement is not lifted: there is nothing to end"
		       : "enforcement is back");
}

int answer_act(struct agent *agent, struct control_client *client)
{
	if (client->request.verb == CONTROL_ACT_REQUEST)
		return answer_request(agent, client);
	if (client->request.verb == CONTROL_ACT_APPLY)
		return answer_apply(agent, client);
	return answer_end(agent, client);
}
