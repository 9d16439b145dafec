// SPDX-License-Identifier: GPL-2.0-only
/*
 * The only file that knows the client library. Its threads hand each message
 * over to ours in a queue; nothing else of it runs there. It connects once: a
 * library that connects anew by itself has more states than can be tested, and
 * known errors in them.
 */
#include "cordon_link.h"

#include <errno.h>
#include <nats/nats.h>
#include <poll.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/random.h>
#include <unistd.h>

#define CONNECT_MS	  4000
#define WRITE_MS	  10000
#define PING_MS		  20000
#define FLUSH_MS	  10000
#define REQUEST_MS	  5000
#define QUEUE_MAX	  64U
#define QUEUE_BYTES_MAX	  (16U << 20)
#define PENDING_MAX	  4096
#define PENDING_BYTES	  (32 << 20)
#define SUBSCRIPTIONS_MAX (LINK_GROUPS_MAX + 8)

struct broker {
	natsConnection *connection;
	natsSubscription *subscriptions[SUBSCRIPTIONS_MAX];
	size_t n_subscriptions;
	pthread_mutex_t lock; /* of all that follows */
	pthread_cond_t taken;
	int event_fd;
	natsMsg *queue[QUEUE_MAX]; /* a ring */
	size_t first, n;
	size_t bytes;
	bool ended;
	char words[LINK_WORDS_MAX + 1];
};

/* ---- its threads --------------------------------------------------------- */

static void wake(struct broker *broker)
{
	const uint64_t one = 1;

	(void)!write(broker->event_fd, &one, sizeof(one));
}

/* The first reason is the one that is told. */
static void end(struct broker *broker, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

static void end(struct broker *broker, const char *format, ...)
{
	va_list ap;

	(void)pthread_mutex_lock(&broker->lock);
	if (!broker->ended) {
		va_start(ap, format);
		(void)vsnprintf(broker->words, sizeof(broker->words), format,
				ap);
		va_end(ap);
		broker->ended = true;
	}
	(void)pthread_cond_broadcast(&broker->taken);
	(void)pthread_mutex_unlock(&broker->lock);
	wake(broker);
}

/* Where we are slow it waits, and with it what the broker sends. */
static void on_message(natsConnection *connection,
		       natsSubscription *subscription, natsMsg *message,
		       void *arg)
{
	struct broker *broker = arg;
	size_t len = (size_t)natsMsg_GetDataLength(message);

	(void)connection;
	(void)subscription;
	(void)pthread_mutex_lock(&broker->lock);
	while (!broker->ended && broker->n &&
	       (broker->n == QUEUE_MAX ||
		broker->bytes + len > QUEUE_BYTES_MAX))
		(void)pthread_cond_wait(&broker->taken, &broker->lock);
	if (broker->ended) {
		natsMsg_Destroy(message);
	} else {
		broker->queue[(broker->first + broker->n++) % QUEUE_MAX] =
			message;
		broker->bytes += len;
	}
	(void)pthread_mutex_unlock(&broker->lock);
	wake(broker);
}

/* A message that was dropped, or a subject that is not ours to speak on: in
 * both cases what we are for does not work any more. */
static void on_error(natsConnection *connection, natsSubscription *subscription,
		     natsStatus status, void *arg)
{
	const char *words = NULL;

	(void)subscription;
	if (status == NATS_SLOW_CONSUMER)
		words = "messages came faster than they could be taken";
	else if (natsConnection_GetLastError(connection, &words) == NATS_OK ||
		 !words)
		words = natsStatus_GetText(status);
	end(arg, "the broker says: %.200s", words);
}

static void on_closed(natsConnection *connection, void *arg)
{
	const char *words = NULL;

	(void)natsConnection_GetLastError(connection, &words);
	end(arg, "the connection to the broker is lost%s%.200s",
	    words && words[0] ? ": " : "", words ? words : "");
}

/* ---- connecting ---------------------------------------------------------- */

static natsStatus set_handlers(natsOptions *options, struct broker *broker)
{
	natsStatus s = natsOptions_SetErrorHandler(options, on_error, broker);

	if (s == NATS_OK)
		s = natsOptions_SetClosedCB(options, on_closed, broker);
	if (s == NATS_OK)
		s = natsOptions_UseGlobalMessageDelivery(options, true);
	if (s == NATS_OK)
		s = natsOptions_SetAllowReconnect(options, false);
	if (s == NATS_OK)
		s = natsOptions_SetIgnoreDiscoveredServers(options, true);
	if (s == NATS_OK)
		s = natsOptions_SetTimeout(options, CONNECT_MS);
	if (s == NATS_OK)
		s = natsOptions_SetWriteDeadline(options, WRITE_MS);
	if (s == NATS_OK)
		s = natsOptions_SetPingInterval(options, PING_MS);
	return s == NATS_OK ? natsOptions_SetMaxPingsOut(options, 2) : s;
}

static natsStatus set_tls(natsOptions *options,
			  const struct link_config *config, const char *url)
{
	char name[LINK_SERVER_CHARS_MAX + 1];
	natsStatus s = natsOptions_SetSecure(options, true);

	/* What its certificate has to be for. */
	link_server_name(url, name, sizeof(name));
	if (s == NATS_OK)
		s = natsOptions_LoadCATrustedCertificates(options, config->ca);
	if (s == NATS_OK)
		s = natsOptions_LoadCertificatesChain(options, config->cert,
						      config->key);
	if (s == NATS_OK)
		s = natsOptions_SetExpectedHostname(options, name);
	return s;
}

static natsStatus connect_to(struct broker *broker,
			     const struct link_config *config, const char *url,
			     const char *inbox)
{
	const char *who = config->role == LINK_OF_HOST ? config->host : "force";
	natsOptions *options = NULL;
	natsStatus s;

	s = natsOptions_Create(&options);
	if (s == NATS_OK)
		s = set_handlers(options, broker);
	if (s == NATS_OK)
		s = set_tls(options, config, url);
	if (s == NATS_OK)
		s = natsOptions_SetURL(options, url);
	if (s == NATS_OK)
		s = natsOptions_SetName(options, who);
	if (s == NATS_OK)
		s = natsOptions_SetCustomInboxPrefix(options, inbox);
	if (s == NATS_OK)
		s = natsConnection_Connect(&broker->connection, options);
	natsOptions_Destroy(options);
	return s;
}

/* No server is everybody's first. */
static size_t any_of(size_t n)
{
	uint32_t random = 0;

	(void)!getrandom(&random, sizeof(random), GRND_NONBLOCK);
	return random % n;
}

static struct broker *broker_new(void)
{
	struct broker *broker = calloc(1, sizeof(*broker));

	if (!broker)
		return NULL;
	broker->event_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	if (broker->event_fd < 0 || pthread_mutex_init(&broker->lock, NULL) ||
	    pthread_cond_init(&broker->taken, NULL)) {
		free(broker);
		return NULL;
	}
	return broker;
}

/* The library's words; ours where it has none. */
static void why_not(natsStatus s, const char *url, char *words, size_t size)
{
	natsStatus last = NATS_OK;
	const char *error = nats_GetLastError(&last);

	if (!error || !error[0])
		error = natsStatus_GetText(s);
	(void)snprintf(words, size, "no connection to %.96s: %.140s", url,
		       error);
}

int broker_connect(const struct link_config *config, const char *inbox,
		   struct broker **ret_broker, char *words, size_t size)
{
	struct broker *broker = broker_new();
	size_t begin = any_of(config->n_servers);
	const char *url;
	natsStatus s = NATS_NO_SERVER;

	if (!broker) {
		(void)snprintf(words, size, "no memory");
		return -ENOMEM;
	}
	for (size_t i = 0; i < config->n_servers; i++) {
		url = config->servers[(begin + i) % config->n_servers];
		s = connect_to(broker, config, url, inbox);
		if (s == NATS_OK) {
			*ret_broker = broker;
			return 0;
		}
		why_not(s, url, words, size);
	}
	broker_close(broker);
	return -ECONNREFUSED;
}

/* The process ends then: what its threads still have is not freed. */
void broker_close(struct broker *broker)
{
	if (!broker)
		return;
	end(broker, "closed");
	if (broker->connection)
		natsConnection_Close(broker->connection);
}

int broker_fd(const struct broker *broker)
{
	return broker->event_fd;
}

void broker_name(struct broker *broker, char *buf, size_t size)
{
	if (natsConnection_GetConnectedUrl(broker->connection, buf, size) !=
	    NATS_OK)
		(void)snprintf(buf, size, "?");
}

int broker_check(struct broker *broker, char *words, size_t size)
{
	int r = 0;

	(void)pthread_mutex_lock(&broker->lock);
	if (broker->ended) {
		(void)snprintf(words, size, "%s", broker->words);
		r = -EPIPE;
	}
	(void)pthread_mutex_unlock(&broker->lock);
	return r;
}

/* ---- speaking ------------------------------------------------------------ */

static int failed(struct broker *broker, const char *what, natsStatus s)
{
	if (s == NATS_OK)
		return 0;
	end(broker, "%s: %.150s", what, natsStatus_GetText(s));
	return -EPIPE;
}

int broker_subscribe(struct broker *broker, const char *subject)
{
	natsSubscription *subscription;
	natsStatus s;

	if (broker->n_subscriptions == SUBSCRIPTIONS_MAX)
		return failed(broker, "subscribing", NATS_ILLEGAL_STATE);
	s = natsConnection_Subscribe(&subscription, broker->connection, subject,
				     on_message, broker);
	if (s != NATS_OK)
		return failed(broker, "subscribing", s);
	broker->subscriptions[broker->n_subscriptions++] = subscription;
	s = natsSubscription_SetPendingLimits(subscription, PENDING_MAX,
					      PENDING_BYTES);
	return failed(broker, "subscribing", s);
}

int broker_flush(struct broker *broker)
{
	return failed(
		broker, "waiting for the broker",
		natsConnection_FlushTimeout(broker->connection, FLUSH_MS));
}

int broker_publish(struct broker *broker, const char *subject,
		   const char *reply, const char *msgid, const void *bytes,
		   size_t len)
{
	natsMsg *message = NULL;
	natsStatus s;

	s = natsMsg_Create(&message, subject, reply, bytes, (int)len);
	if (s == NATS_OK && msgid)
		s = natsMsgHeader_Set(message, "Nats-Msg-Id", msgid);
	if (s == NATS_OK)
		s = natsConnection_PublishMsg(broker->connection, message);
	natsMsg_Destroy(message);
	if (s == NATS_MAX_PAYLOAD)
		return -EMSGSIZE;
	return failed(broker, "publishing", s);
}

static void take(natsMsg *raw, struct broker_message *ret_message)
{
	struct broker_message message = {
		.subject = natsMsg_GetSubject(raw),
		.reply = natsMsg_GetReply(raw),
		.bytes = natsMsg_GetData(raw),
		.len = (size_t)natsMsg_GetDataLength(raw),
		.raw = raw,
	};

	if (natsMsgHeader_Get(raw, "Status", &message.status) != NATS_OK)
		message.status = NULL;
	*ret_message = message;
}

int broker_request(struct broker *broker, const char *subject,
		   const void *bytes, size_t len,
		   struct broker_message *ret_message)
{
	natsMsg *answer = NULL;
	natsStatus s;

	s = natsConnection_Request(&answer, broker->connection, subject, bytes,
				   (int)len, REQUEST_MS);
	if (s == NATS_TIMEOUT)
		return -ETIMEDOUT;
	if (s == NATS_NO_RESPONDERS)
		return -ENOENT;
	if (s != NATS_OK)
		return failed(broker, "asking the broker", s);
	take(answer, ret_message);
	return 0;
}

bool broker_next(struct broker *broker, struct broker_message *ret_message)
{
	natsMsg *raw = NULL;
	uint64_t count;

	(void)!read(broker->event_fd, &count, sizeof(count));
	(void)pthread_mutex_lock(&broker->lock);
	if (broker->n) {
		raw = broker->queue[broker->first];
		broker->first = (broker->first + 1) % QUEUE_MAX;
		broker->n--;
		broker->bytes -= (size_t)natsMsg_GetDataLength(raw);
		(void)pthread_cond_signal(&broker->taken);
	}
	(void)pthread_mutex_unlock(&broker->lock);
	if (!raw)
		return false;
	take(raw, ret_message);
	return true;
}

void broker_message_free(struct broker_message *message)
{
	natsMsg_Destroy(message->raw);
	message->raw = NULL;
}
