/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * cordon-link(8): cordon_link.c has its options and waits for both sides,
 * cordon_link_sandbox.c takes away what it does not need, cordon_link_broker.c
 * knows the client library, cordon_link_host.c and cordon_link_force.c what
 * is said there. One connection is all it makes: where that ends, it ends.
 */
#ifndef CORDON_CORDON_LINK_H
#define CORDON_CORDON_LINK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "link.h"
#include "link_subject.h"

#define LINK_SUBJECT_MAX 320 /* with the NUL: the longest is of a direct get */
/* So long a report or policy waits for the broker to have it. */
#define LINK_STORED_S 10

struct link_config {
	enum link_role role;
	const char *servers[LINK_SERVERS_MAX];
	size_t n_servers;
	const char *ca;
	const char *cert;
	const char *key;
	const char *host;
	const char *groups[LINK_GROUPS_MAX];
	size_t n_groups;
	const char *user;
	bool root;
	uint64_t replicas;
};

/* ---- cordon_link_sandbox.c ----------------------------------------------- */

/*
 * Becomes user, if one is given; whoever that is, root only with root true. If
 * that fails, what went wrong is in words.
 */
int link_become(const char *user, bool root, char *words, size_t size);

/*
 * Before there is a second thread: from here on this process can read the
 * n files and what names of hosts are looked up in, write to none, start no
 * program and no process, and has no sockets but those that it makes to speak
 * to other hosts. It ends with its parent. words as above.
 */
int link_sandbox(const char *const *files, size_t n, char *words, size_t size);

/* ---- cordon_link_broker.c ------------------------------------------------ */

struct broker;

/* What came from the broker, for broker_message_free(). */
struct broker_message {
	const char *subject;
	const char *reply;  /* NULL: none */
	const char *status; /* of the headers, such as "404"; NULL: none */
	const void *bytes;
	size_t len;
	void *raw;
};

/*
 * Connects to one of the servers, whichever it is. inbox is what subjects of
 * answers begin with. -errno, and why, in words, if that failed.
 */
int broker_connect(const struct link_config *config, const char *inbox,
		   struct broker **ret_broker, char *words, size_t size);
void broker_close(struct broker *broker);

/* Readable when there is a message, or the connection has ended. */
int broker_fd(const struct broker *broker);

/* For people: which server it is. */
void broker_name(struct broker *broker, char *buf, size_t size);

/* 0; the connection is of no use any more: -EPIPE, with why in words. */
int broker_check(struct broker *broker, char *words, size_t size);

/* 0 or -EPIPE. */
int broker_subscribe(struct broker *broker, const char *subject);

/* All that was subscribed to is. 0 or -EPIPE. */
int broker_flush(struct broker *broker);

/* reply and msgid may be NULL. 0; -EMSGSIZE: the broker takes less; -EPIPE. */
int broker_publish(struct broker *broker, const char *subject,
		   const char *reply, const char *msgid, const void *bytes,
		   size_t len);

/* Waits for an answer. 0; -ETIMEDOUT; -ENOENT: nobody is there to answer;
 * -EPIPE. */
int broker_request(struct broker *broker, const char *subject,
		   const void *bytes, size_t len,
		   struct broker_message *ret_message);

/* The next message of the subjects that were subscribed to; false: none. */
bool broker_next(struct broker *broker, struct broker_message *ret_message);
void broker_message_free(struct broker_message *message);

/* ---- cordon_link.c ------------------------------------------------------- */

struct stored; /* what waits for the broker to have it */

struct link_side {
	const struct link_config *config;
	struct broker *broker;
	char inbox[LINK_SUBJECT_MAX];
	struct link_reader in;
	struct link_writer out;
	struct stored *stored;
	struct host *host; /* of that role */
	struct force *force;
	char words[LINK_WORDS_MAX + 1]; /* why it ends */
};

/* Sends a frame. 0; -EPIPE with words: it cannot. */
int side_send(struct link_side *side, const struct link_frame *frame);

/* Waits until the agent has all of it. 0; -EPIPE: it takes nothing. */
int side_drain(struct link_side *side);

/* Ends it. -EPIPE. */
int side_fail(struct link_side *side, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

/* Publishes what the broker has to keep; its answer, or that there is none,
 * becomes LINK_ACKED or LINK_REFUSED. */
int side_store(struct link_side *side, const struct link_frame *frame,
	       const char *subject, const char *msgid);

/* The last part of a subject that has this before it, if it is a name. */
const char *side_name(const char *subject, const char *before);

/* ---- roles --------------------------------------------------------------- */

struct role {
	/* What it needs of the broker before it is of use. */
	int (*begin)(struct link_side *side);
	int (*frame)(struct link_side *side, const struct link_frame *frame);
	int (*message)(struct link_side *side,
		       const struct broker_message *message);
	/* Milliseconds until this is to be called; -1: not; may be NULL. */
	int (*tick)(struct link_side *side);
};

extern const struct role link_host, link_force;

#endif
