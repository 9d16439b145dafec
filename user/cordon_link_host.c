// SPDX-License-Identifier: GPL-2.0-only
/*
 * The host's side: what is for this host and its groups comes in, reports and
 * attestations go out. The broker's permissions are the same subjects, so that
 * another program with this certificate could not do more.
 */
#include "cordon_link.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#define POLICY_OF_HOST	"cordon.policy.host."
#define POLICY_OF_GROUP "cordon.policy.group."
#define ASK_ALL		"cordon.ask.all"
#define ASK_HOST	"cordon.ask.host."
#define DIRECT		"$JS.API.DIRECT.GET." LINK_POLICIES "."

/* One subject for the host, and one for each group. */
static size_t n_policies(const struct link_side *side)
{
	return 1 + side->config->n_groups;
}

static void policy_subject(const struct link_side *side, size_t i,
			   char subject[LINK_SUBJECT_MAX])
{
	(void)snprintf(subject, LINK_SUBJECT_MAX, "%s%s",
		       i ? POLICY_OF_GROUP : POLICY_OF_HOST,
		       i ? side->config->groups[i - 1] : side->config->host);
}

static int begin(struct link_side *side)
{
	char subject[LINK_SUBJECT_MAX];
	int r = 0;

	for (size_t i = 0; i < n_policies(side) && !r; i++) {
		policy_subject(side, i, subject);
		r = broker_subscribe(side->broker, subject);
	}
	if (!r)
		r = broker_subscribe(side->broker, ASK_ALL);
	(void)snprintf(subject, sizeof(subject), "%s%s", ASK_HOST,
		       side->config->host);
	return r ? r : broker_subscribe(side->broker, subject);
}

static int send_policy(struct link_side *side, uint8_t kind, const char *name,
		       const struct broker_message *message)
{
	struct link_frame frame = {.type = LINK_POLICY,
				   .kind = kind,
				   .bytes = message->bytes,
				   .len = message->len};

	if (message->len > FLEET_POLICY_BYTES_MAX)
		return 0;
	(void)snprintf(frame.name, sizeof(frame.name), "%s", name);
	return side_send(side, &frame);
}

/* What was pushed last, perhaps while nobody was there to take it. */
static int get_policy(struct link_side *side, size_t i)
{
	char policy[LINK_SUBJECT_MAX];
	char subject[sizeof(DIRECT) + LINK_SUBJECT_MAX];
	struct broker_message message;
	int r;

	policy_subject(side, i, policy);
	(void)snprintf(subject, sizeof(subject), "%s%s", DIRECT, policy);
	r = broker_request(side->broker, subject, "", 0, &message);
	/* There is no such stream before the force was there. */
	if (r == -ENOENT)
		return 0;
	if (r)
		return r == -EPIPE ? r
				   : side_fail(side, "the broker does not tell "
						     "which policy was pushed");
	if (!message.status)
		r = send_policy(side, i ? LINK_GROUP : LINK_HOST,
				i ? side->config->groups[i - 1]
				  : side->config->host,
				&message);
	broker_message_free(&message);
	return r;
}

static int connected(struct link_side *side)
{
	int r = 0;

	for (size_t i = 0; i < n_policies(side) && !r; i++) {
		/* Several may be long. */
		r = side_drain(side);
		if (!r)
			r = get_policy(side, i);
	}
	return r;
}

static int take_frame(struct link_side *side, const struct link_frame *frame)
{
	char subject[LINK_SUBJECT_MAX];
	bool report = frame->type == LINK_REPORT;

	(void)snprintf(subject, sizeof(subject), "cordon.%s.%s",
		       report ? "report" : "attest", side->config->host);
	if (report)
		return side_store(side, frame, subject, frame->name);
	return broker_publish(side->broker, subject, NULL, NULL, frame->bytes,
			      frame->len) == -EPIPE
		       ? -EPIPE
		       : 0;
}

static int take_message(struct link_side *side,
			const struct broker_message *message)
{
	struct link_frame frame = {.type = LINK_ASKED,
				   .bytes = message->bytes,
				   .len = message->len};
	const char *name;

	name = side_name(message->subject, POLICY_OF_HOST);
	if (name)
		return send_policy(side, LINK_HOST, name, message);
	name = side_name(message->subject, POLICY_OF_GROUP);
	if (name)
		return send_policy(side, LINK_GROUP, name, message);
	if (strncmp(message->subject, "cordon.ask.", 11) == 0 &&
	    message->len <= FLEET_ASK_BYTES_MAX)
		return side_send(side, &frame);
	return 0;
}

const struct role link_host = {
	.begin = begin,
	.connected = connected,
	.frame = take_frame,
	.message = take_message,
};
