// SPDX-License-Identifier: GPL-2.0-only
/*
 * The host's side: what is for this host and its groups comes in, reports and
 * attestations go out. The broker's permissions are the same subjects, so that
 * another program with this certificate could not do more.
 */
#include "cordon_link.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "clock.h"
#include "text.h"

#define AGAIN_MS   10000
#define REFRESH_MS (3600 * 1000)

struct host {
	bool got[1 + LINK_GROUPS_MAX]; /* whether there is one was answered */
	int64_t again_ms;
	int64_t refresh_ms;
};

/* One subject for the host, and one for each group. */
static size_t n_policies(const struct link_side *side)
{
	return 1 + side->config->n_groups;
}

static void policy_subject(const struct link_side *side, size_t i,
			   char subject[LINK_SUBJECT_MAX])
{
	(void)snprintf(subject, LINK_SUBJECT_MAX, "%s%s",
		       i ? LINK_POLICY_OF_GROUP : LINK_POLICY_OF_HOST,
		       i ? side->config->groups[i - 1] : side->config->host);
}

static int begin(struct link_side *side)
{
	char subject[LINK_SUBJECT_MAX + 16];
	int r;

	side->host = calloc(1, sizeof(*side->host));
	if (!side->host)
		return side_fail(side, "no memory");
	(void)snprintf(subject, sizeof(subject), "%s.get.*", side->inbox);
	r = broker_subscribe(side->broker, subject);
	for (size_t i = 0; i < n_policies(side) && !r; i++) {
		policy_subject(side, i, subject);
		r = broker_subscribe(side->broker, subject);
	}
	if (!r)
		r = broker_subscribe(side->broker, LINK_ASK_ALL);
	(void)snprintf(subject, sizeof(subject), "%s%s", LINK_ASK_OF,
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

/*
 * What was pushed last, perhaps while nobody was there to take it. The answer
 * comes as a message; before the force was there, none does.
 */
static int get_policy(struct link_side *side, size_t i)
{
	char policy[LINK_SUBJECT_MAX], reply[LINK_SUBJECT_MAX + 32];
	char subject[sizeof(LINK_GET) + LINK_SUBJECT_MAX];

	policy_subject(side, i, policy);
	(void)snprintf(subject, sizeof(subject), "%s%s", LINK_GET, policy);
	(void)snprintf(reply, sizeof(reply), "%s.get.%zu", side->inbox, i);
	return broker_publish(side->broker, subject, reply, NULL, "", 0);
}

static int take_got(struct link_side *side, const char *number,
		    const struct broker_message *message)
{
	const struct link_config *config = side->config;
	uint64_t i;

	if (text_parse_u64(number, 0, n_policies(side) - 1, &i))
		return 0;
	side->host->got[i] = true;
	if (message->status)
		return 0;
	return i ? send_policy(side, LINK_GROUP, config->groups[i - 1], message)
		 : send_policy(side, LINK_HOST, config->host, message);
}

/*
 * Until each is answered, and then once in a while: what is pushed can be lost
 * between two servers of a cluster. Milliseconds until the next time.
 */
static int tick(struct link_side *side)
{
	struct host *host = side->host;
	int64_t now = clock_ms();
	bool all = now >= host->refresh_ms;

	if (now < host->again_ms)
		return (int)(host->again_ms - now);
	for (size_t i = 0; i < n_policies(side); i++)
		if ((all || !host->got[i]) && get_policy(side, i))
			break;
	if (all)
		host->refresh_ms = now + REFRESH_MS;
	host->again_ms = now + AGAIN_MS;
	return AGAIN_MS;
}

static int take_frame(struct link_side *side, const struct link_frame *frame)
{
	char subject[LINK_SUBJECT_MAX];
	bool report = frame->type == LINK_REPORT;

	(void)snprintf(subject, sizeof(subject), "%s%s",
		       report ? LINK_REPORT_OF : LINK_ATTEST_OF,
		       side->config->host);
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
	char get[LINK_SUBJECT_MAX + 16];
	const char *name;

	(void)snprintf(get, sizeof(get), "%s.get.", side->inbox);
	name = side_name(message->subject, get);
	if (name)
		return take_got(side, name, message);
	name = side_name(message->subject, LINK_POLICY_OF_HOST);
	if (name)
		return send_policy(side, LINK_HOST, name, message);
	name = side_name(message->subject, LINK_POLICY_OF_GROUP);
	if (name)
		return send_policy(side, LINK_GROUP, name, message);
	if ((strcmp(message->subject, LINK_ASK_ALL) == 0 ||
	     side_name(message->subject, LINK_ASK_OF)) &&
	    message->len <= FLEET_ASK_BYTES_MAX)
		return side_send(side, &frame);
	return 0;
}

const struct role link_host = {
	.begin = begin,
	.frame = take_frame,
	.message = take_message,
	.tick = tick,
};
