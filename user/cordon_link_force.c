// SPDX-License-Identifier: GPL-2.0-only
/*
 * The force's side: it makes the two streams, pushes policies, asks, and takes
 * reports one after the other. Each stays with the broker until it was
 * acknowledged here, when the force has it on its disk.
 */
#include "cordon_link.h"

#include <errno.h>
#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "clock.h"
#include "text.h"

#define NS	1000000000LL
#define NEXT	"$JS.API.CONSUMER.MSG.NEXT." LINK_REPORTS "." LINK_CONSUMER
#define ACK	"$JS.ACK." LINK_REPORTS "." LINK_CONSUMER "."
#define ACK_MAX 256
/* Reports that wait for LINK_ACK; more than are fetched at once. */
#define PENDING_MAX 1024
/* A host whose reports nobody takes keeps them; it takes nobody's room. */
#define PER_HOST_MAX 256
#define REPORT_MAX   (LINK_BYTES_MAX - 4096)
/* The broker says when there is no more; if it does not, we do. */
#define LATE_MS 3000

enum fetching {
	FETCH_NONE,
	FETCH_ALL,  /* what is there now */
	FETCH_WAIT, /* there was none: the next one */
};

struct force {
	enum fetching fetching;
	uint64_t id;	 /* of the frame */
	uint64_t number; /* of what was asked of the broker */
	uint32_t wanted;
	uint32_t got;
	int64_t due_ms;
	uint64_t last; /* id of LINK_REPORTED */
	struct {
		uint64_t id; /* 0: free */
		char subject[ACK_MAX];
	} pending[PENDING_MAX]; /* that of id is at id % PENDING_MAX */
};

/* ---- streams ------------------------------------------------------------- */

/* 0; 1: the broker refused, which is in words; -EPIPE. */
static int ask_broker(struct link_side *side, const char *subject,
		      const char *text, char *words, size_t size)
{
	struct broker_message message;
	const char *why;
	json_t *answer;
	int r;

	(void)snprintf(words, size, "is JetStream enabled for this account?");
	r = broker_request(side->broker, subject, text, strlen(text), &message);
	if (r)
		return r == -EPIPE ? r : 1;
	answer = json_loadb(message.bytes, message.len, JSON_REJECT_DUPLICATES,
			    NULL);
	broker_message_free(&message);
	why = json_string_value(json_object_get(
		json_object_get(answer, "error"), "description"));
	r = !answer || json_object_get(answer, "error");
	(void)snprintf(words, size, "%s", why ? why : "its answer is none");
	json_decref(answer);
	return r;
}

/* Leaves one that is there as it is, steals config. */
static int make(struct link_side *side, const char *what, const char *info,
		const char *create, json_t *config)
{
	char *text = config ? json_dumps(config, JSON_COMPACT) : NULL;
	char words[160];
	int r;

	json_decref(config);
	if (!text)
		return side_fail(side, "no memory");
	r = ask_broker(side, info, "", words, sizeof(words));
	if (r == 1)
		r = ask_broker(side, create, text, words, sizeof(words));
	free(text);
	return r == 1 ? side_fail(side, "%s could not be made: %s", what, words)
		      : r;
}

/* Only the last one for each host and group is kept. */
static int make_policies(struct link_side *side)
{
	return make(side, "the stream of policies",
		    "$JS.API.STREAM.INFO." LINK_POLICIES,
		    "$JS.API.STREAM.CREATE." LINK_POLICIES,
		    json_pack("{s:s, s:[s], s:s, s:s, s:s, s:i, s:i, s:b, s:I}",
			      "name", LINK_POLICIES, "subjects",
			      LINK_POLICY_ANY, "retention", "limits", "storage",
			      "file", "discard", "old", "max_msgs_per_subject",
			      1, "max_msg_size", FLEET_POLICY_BYTES_MAX + 4096,
			      "allow_direct", 1, "num_replicas",
			      (json_int_t)side->config->replicas));
}

/* What the force has acknowledged goes; what it has not, nothing displaces. */
static int make_reports(struct link_side *side)
{
	return make(
		side, "the stream of reports",
		"$JS.API.STREAM.INFO." LINK_REPORTS,
		"$JS.API.STREAM.CREATE." LINK_REPORTS,
		json_pack(
			"{s:s, s:[s], s:s, s:s, s:s, s:i, s:b, s:i, s:I, s:I}",
			"name", LINK_REPORTS, "subjects", LINK_REPORT_OF ">",
			"retention", "workqueue", "storage", "file", "discard",
			"new", "max_msgs_per_subject", PER_HOST_MAX,
			"discard_new_per_subject", 1, "max_msg_size",
			REPORT_MAX, "duplicate_window", (json_int_t)(120 * NS),
			"num_replicas", (json_int_t)side->config->replicas));
}

/* What waits for room here is many, and no other host has to wait for it. */
static int make_consumer(struct link_side *side)
{
	return make(side, "the consumer of reports",
		    "$JS.API.CONSUMER.INFO." LINK_REPORTS "." LINK_CONSUMER,
		    "$JS.API.CONSUMER.DURABLE.CREATE." LINK_REPORTS
		    "." LINK_CONSUMER,
		    json_pack("{s:s, s:{s:s, s:s, s:s, s:I, s:i, s:i, s:s}}",
			      "stream_name", LINK_REPORTS, "config",
			      "durable_name", LINK_CONSUMER, "deliver_policy",
			      "all", "ack_policy", "explicit", "ack_wait",
			      (json_int_t)(LINK_ACK_WAIT_S * NS), "max_deliver",
			      -1, "max_ack_pending", -1, "replay_policy",
			      "instant"));
}

static int begin(struct link_side *side)
{
	char subject[LINK_SUBJECT_MAX + 32];
	int r;

	side->force = calloc(1, sizeof(*side->force));
	if (!side->force)
		return side_fail(side, "no memory");
	r = make_policies(side);
	if (!r)
		r = make_reports(side);
	if (!r)
		r = make_consumer(side);
	(void)snprintf(subject, sizeof(subject), "%s.next.*", side->inbox);
	if (!r)
		r = broker_subscribe(side->broker, subject);
	return r ? r : broker_subscribe(side->broker, LINK_ATTEST_OF "*");
}

/* ---- fetching ------------------------------------------------------------ */

/* Asks for what is there now, or for the next one that will be. */
static int ask_for(struct link_side *side, enum fetching fetching)
{
	struct force *force = side->force;
	bool wait = fetching == FETCH_WAIT;
	char reply[LINK_SUBJECT_MAX + 32], request[128];

	force->fetching = fetching;
	force->due_ms = clock_ms() + LATE_MS + (wait ? LINK_FETCH_S * 1000 : 0);
	(void)snprintf(reply, sizeof(reply), "%s.next.%" PRIu64, side->inbox,
		       ++force->number);
	if (wait)
		(void)snprintf(request, sizeof(request),
			       "{\"batch\":1,\"expires\":%lld}",
			       (LINK_FETCH_S - 1) * NS);
	else
		(void)snprintf(request, sizeof(request),
			       "{\"batch\":%" PRIu32 ",\"no_wait\":true}",
			       force->wanted);
	return broker_publish(side->broker, NEXT, reply, NULL, request,
			      strlen(request));
}

static int fetched(struct link_side *side)
{
	struct force *force = side->force;
	struct link_frame frame = {
		.type = LINK_FETCHED, .id = force->id, .count = force->got};

	force->fetching = FETCH_NONE;
	return side_send(side, &frame);
}

/* There is no more of what was asked for. */
static int no_more(struct link_side *side)
{
	struct force *force = side->force;

	if (force->fetching == FETCH_ALL && !force->got)
		return ask_for(side, FETCH_WAIT);
	return fetched(side);
}

static int fetch(struct link_side *side, const struct link_frame *frame)
{
	struct force *force = side->force;

	if (force->fetching != FETCH_NONE)
		return side_fail(side, "one fetch at a time");
	force->id = frame->id;
	force->wanted = frame->count;
	force->got = 0;
	return ask_for(side, FETCH_ALL);
}

/* Where it is acknowledged, under the next id; what was there before has waited
 * too long, and will come again. */
static bool remember(struct force *force, const char *subject)
{
	size_t len = subject ? strlen(subject) : ACK_MAX, at;

	if (len >= ACK_MAX || strncmp(subject, ACK, sizeof(ACK) - 1) != 0)
		return false;
	at = ++force->last % PENDING_MAX;
	force->pending[at].id = force->last;
	memcpy(force->pending[at].subject, subject, len + 1);
	return true;
}

static int settle(struct link_side *side, uint64_t id, const char *how)
{
	struct force *force = side->force;
	size_t at = id % PENDING_MAX;

	if (force->pending[at].id != id)
		return 0;
	force->pending[at].id = 0;
	return broker_publish(side->broker, force->pending[at].subject, NULL,
			      NULL, how, strlen(how));
}

static int acknowledge(struct link_side *side, uint64_t id)
{
	return settle(side, id, "+ACK");
}

static int put_off(struct link_side *side, const struct link_frame *frame)
{
	char how[64];

	(void)snprintf(how, sizeof(how), "-NAK {\"delay\":%lld}",
		       frame->count * NS);
	return settle(side, frame->id, how);
}

static int report(struct link_side *side, const struct broker_message *message)
{
	struct force *force = side->force;
	const char *name = side_name(message->subject, LINK_REPORT_OF);
	struct link_frame frame = {.type = LINK_REPORTED,
				   .bytes = message->bytes,
				   .len = message->len};
	int r;

	/* Of a subject that no host has: it goes, or would come for ever. */
	if (!remember(force, message->reply))
		return 0;
	frame.id = force->last;
	if (!name || message->len > LINK_BYTES_MAX)
		return acknowledge(side, frame.id);
	(void)snprintf(frame.name, sizeof(frame.name), "%s", name);
	r = side_send(side, &frame);
	/* One may come late, for a request that is over. */
	if (r || force->fetching == FETCH_NONE)
		return r;
	force->got++;
	return force->fetching == FETCH_WAIT || force->got == force->wanted
		       ? fetched(side)
		       : 0;
}

/* What came for the request that is under way, on its own subject; the library
 * tells the subject of the report itself. */
static bool is_status(const struct link_side *side,
		      const struct broker_message *message)
{
	char subject[LINK_SUBJECT_MAX + 32];

	(void)snprintf(subject, sizeof(subject), "%s.next.%" PRIu64,
		       side->inbox, side->force->number);
	return message->status && strcmp(message->subject, subject) == 0;
}

static int tick(struct link_side *side)
{
	struct force *force = side->force;
	int64_t left;

	if (force->fetching == FETCH_NONE)
		return -1;
	left = force->due_ms - clock_ms();
	if (left > 0)
		return (int)left;
	(void)no_more(side);
	return 0;
}

/* ---- the rest ------------------------------------------------------------ */

static int publish(struct link_side *side, const struct link_frame *frame)
{
	char subject[LINK_SUBJECT_MAX];

	(void)snprintf(subject, sizeof(subject), "%s%s",
		       frame->kind == LINK_HOST ? LINK_POLICY_OF_HOST
						: LINK_POLICY_OF_GROUP,
		       frame->name);
	return side_store(side, frame, subject, NULL);
}

static int ask(struct link_side *side, const struct link_frame *frame)
{
	char subject[LINK_SUBJECT_MAX];

	(void)snprintf(subject, sizeof(subject), "%s%s",
		       frame->name[0] ? LINK_ASK_OF : LINK_ASK_ALL,
		       frame->name);
	return broker_publish(side->broker, subject, NULL, NULL, frame->bytes,
			      frame->len) == -EPIPE
		       ? -EPIPE
		       : 0;
}

static int take_frame(struct link_side *side, const struct link_frame *frame)
{
	switch (frame->type) {
	case LINK_PUBLISH:
		return publish(side, frame);
	case LINK_ASK:
		return ask(side, frame);
	case LINK_FETCH:
		return fetch(side, frame);
	case LINK_ACK:
		return acknowledge(side, frame->id);
	case LINK_LATER:
		return put_off(side, frame);
	default:
		return 0;
	}
}

static int take_message(struct link_side *side,
			const struct broker_message *message)
{
	struct link_frame frame = {.type = LINK_ATTESTED,
				   .bytes = message->bytes,
				   .len = message->len};
	const char *name = side_name(message->subject, LINK_ATTEST_OF);

	if (name && message->len <= LINK_BYTES_MAX) {
		(void)snprintf(frame.name, sizeof(frame.name), "%s", name);
		return side_send(side, &frame);
	}
	if (is_status(side, message))
		return side->force->fetching != FETCH_NONE ? no_more(side) : 0;
	if (strncmp(message->subject, LINK_REPORT_OF,
		    sizeof(LINK_REPORT_OF) - 1) == 0)
		return report(side, message);
	return 0;
}

const struct role link_force = {
	.begin = begin,
	.frame = take_frame,
	.message = take_message,
	.tick = tick,
};
