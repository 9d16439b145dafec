/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The link: cordon-link(8), a process of its own that speaks to the broker, and
 * the one who has it, over a socketpair: the agent of a host, or `cordon fleet'
 * of a force. Only that program is linked with the client library (libnats). It
 * has no privileges and no secret but the certificate by which the broker knows
 * it, and whatever it says is from outside.
 *
 * What is said is in frames (link_frame.h). To the host's link:
 *
 *	LINK_REPORT	id, name: message id, bytes: a report; answered by
 *			LINK_ACKED or LINK_REFUSED with that id
 *	LINK_ATTEST	bytes: an attestation; no answer
 *
 * From the host's link:
 *
 *	LINK_CONNECTED	bytes: words, to which broker. Then each policy that the
 *			broker has for this host and its groups comes again, and
 *			whatever was not acknowledged has to be sent again
 *	LINK_POLICY	kind: LINK_HOST or LINK_GROUP, name: of that, bytes: a
 *			policy message; pushed, or what was pushed last
 *	LINK_ASKED	bytes: an ask
 *	LINK_ACKED	id; kind: 1 if the broker had it already
 *	LINK_REFUSED	id; bytes: words, why. Send it again later
 *	LINK_DISCONNECTED	bytes: words, why
 *
 * To the force's link:
 *
 *	LINK_PUBLISH	id, kind, name as of LINK_POLICY, bytes: a policy
 *			message; answered as a report is
 *	LINK_ASK	name: the host's, or none: all; bytes: an ask; no answer
 *	LINK_FETCH	id, count: at most so many reports (1 to
 *			LINK_FETCH_MAX); answered by as many LINK_REPORTED as
 *			there are, then LINK_FETCHED; if there is none, that
 *			comes within LINK_FETCH_S. One at a time
 *	LINK_ACK	id: of LINK_REPORTED: it is on the disk, or is to be
 *			forgotten. What is not acknowledged comes again, after
 *			LINK_ACK_WAIT_S or when the link is connected anew; but
 *			an id is one of the connection that brought it
 *	LINK_LATER	id: as before, count: seconds. It is kept, and comes
 *			again then
 *
 * From the force's link, besides LINK_CONNECTED, LINK_ACKED, LINK_REFUSED and
 * LINK_DISCONNECTED:
 *
 *	LINK_REPORTED	id, for LINK_ACK; name: the host whose subject it came
 *			on; bytes: whatever was sent there
 *	LINK_FETCHED	id, count: so many came
 *	LINK_ATTESTED	name: as before; bytes: an attestation
 *
 * The first LINK_CONNECTED of a force's link comes when the broker has the two
 * streams and their consumer, which it makes if they are missing.
 */
#ifndef CORDON_LINK_H
#define CORDON_LINK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "fleet_message.h"
#include "link_frame.h"

#define LINK_PROGRAM	"cordon-link" /* beside the program that starts it */
#define LINK_USER	"cordon-link"
#define LINK_CA		"/etc/cordon/link/ca.pem"
#define LINK_CERT	"/etc/cordon/link/cert.pem"
#define LINK_KEY	"/etc/cordon/link/key.pem"
#define LINK_FD		3 /* the link's end of the socketpair */
#define LINK_FETCH_S	5
#define LINK_ACK_WAIT_S 30
/* Seconds from the end of a link to the next one: doubled each time, up to a
 * quarter of them more or less, and the least again behind one that was
 * connected for LINK_STEADY_S. */
#define LINK_AGAIN_MIN_S 1
#define LINK_AGAIN_MAX_S 60
#define LINK_STEADY_S	 10
/* One that is not connected by then is stuck, and so is one that says nothing
 * for so long while something is to be answered. */
#define LINK_START_S  60
#define LINK_ANSWER_S 60

#define LINK_SERVERS_MAX      8
#define LINK_GROUPS_MAX	      16
#define LINK_SERVER_CHARS_MAX 255
#define LINK_REPLICAS_MAX     5 /* of a stream; a broker has no more */

enum link_role {
	LINK_OF_HOST,
	LINK_OF_FORCE,
};

/* Is it `tls://NAME' or `tls://NAME:PORT', without a path or a password? */
bool link_is_server(const char *url);

/* NAME of one that is, without the brackets of an address. */
void link_server_name(const char *url, char *buf, size_t size);

/* All of it is copied. */
struct link_options {
	enum link_role role;
	const char *program;	    /* NULL: LINK_PROGRAM */
	const char *const *servers; /* tls://NAME:PORT */
	size_t n_servers;
	const char *ca; /* PEM files; NULL: those above */
	const char *cert;
	const char *key;
	const char *host; /* its name in subjects; of the host's only */
	const char *const *groups; /* as well */
	size_t n_groups;
	const char *user; /* NULL: LINK_USER if root starts it, else the same */
	bool root;	  /* for tests: whoever starts it, even root */
	uint64_t replicas; /* force: of streams that it makes; 0: 1 */
};

/* For `cordon status', and for tests. */
struct link_state {
	bool connected;
	int64_t since_s; /* time of day when that began; 0: not yet */
	uint64_t starts; /* processes */
	uint64_t broken; /* of these: ended for what no link may say */
	uint64_t killed; /* of these: by a signal that is not ours, or stuck */
	pid_t pid;	 /* 0: none runs */
	char words[LINK_WORDS_MAX + 1]; /* to what, or why not; clean */
};

/*
 * A link that is started again whenever it ends, for link_free(). Nothing waits
 * for it, and it is not started before link_work(). -EINVAL: an option is wrong
 * or missing; -ENOMEM; as epoll_create(2) and timerfd_create(2) say.
 */
struct link;
int link_new(const struct link_options *options, struct link **ret_link);

/* Ends the process too. Takes NULL. */
void link_free(struct link *link);

/* One descriptor for as long as it lives; readable (poll(2), epoll(7)) when
 * link_work() has something to do. */
int link_fd(const struct link *link);

/*
 * Starts the process if it is time, takes what it says and gives it what is
 * queued. It never waits. After each call link_next() is to be called until it
 * returns 0. A link that breaks the rules is ended, counted and started again
 * later. 0 or -ENOMEM, after which it may be called again.
 */
int link_work(struct link *link);

/*
 * 1: the next frame, which lives until the next call with this link; 0: there
 * is none. The first of a process is LINK_CONNECTED; however one ends, its last
 * is LINK_DISCONNECTED, whose words are clean.
 */
int link_next(struct link *link, struct link_frame *ret_frame);

/*
 * Ends the process, for what it said is not what a link may say: it is counted
 * as broken. why is told by LINK_DISCONNECTED.
 */
void link_break(struct link *link, const char *why);

/*
 * Queues a frame for the process. -ENOTCONN: there is no connection, what was
 * queued for the last one is forgotten; -ENOBUFS: too much waits already, try
 * again after link_work(); -EINVAL: it is none that this role may send;
 * -ENOMEM.
 */
int link_send(struct link *link, const struct link_frame *frame);

const struct link_state *link_state(const struct link *link);

#endif
