/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The control socket: how `cordon` asks the running agent.
 *
 * RUN_DIR/control.sock is a stream socket of root and the group `cordon`,
 * where that group exists, mode 0660. Peers are checked by SO_PEERCRED all the
 * same: a directory with loose permissions gives nobody a way in.
 *
 * The protocol is lines of JSON, UTF-8, at most CONTROL_LINE_MAX bytes each
 * with the newline. The client sends one object a line:
 *
 *	{"cordon":1,"verb":"status"}
 *	{"cordon":1,"verb":"events","follow":true,"since":1764000000}
 *	{"cordon":1,"verb":"ledger","dataset":"roster","subject":"backup",
 *	 "destination":"printers"}
 *	{"cordon":1,"verb":"doctor"}
 *	{"cordon":1,"verb":"explain","pid":4711}
 *	{"cordon":1,"verb":"explain","file":"/tmp/copy"}
 *	{"cordon":1,"verb":"act-request","act":"break-glass",
 *	 "lasts":"60 minutes","reason":"the printers stand still"}
 *	{"cordon":1,"verb":"act-apply","file":"/root/act.yaml",
 *	 "bundle":{"policy":"...","signatures":[...]}}
 *	{"cordon":1,"verb":"act-end"}
 *
 * "cordon" is CONTROL_VERSION; another number, an unknown verb, a field that
 * the verb does not have, a field given twice or bytes behind the object are
 * refused. The verbs that begin with "act-" change something, and only root may
 * ask for them. The agent answers with any number of lines, each an object with
 * "cordon" and "type", and last with
 *
 *	{"cordon":1,"type":"end"}
 * or	{"cordon":1,"type":"error","code":"...","message":"..."}
 *
 * whose code is an enum control_error by name. After "end" the client may ask
 * again on the same connection; after "error" the agent closes it. `follow`
 * has no "end".
 *
 * The agent waits for nobody: replies are made line by line as the client
 * takes them, so that a client costs at most CONTROL_OUT_MAX bytes. One that
 * falls behind the events it follows is told "slow" and dropped.
 */
#ifndef CORDON_CONTROL_H
#define CORDON_CONTROL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <jansson.h>
#include <linux/bpf.h>

#include "abi.h"

#define CONTROL_VERSION	    1
#define CONTROL_LINE_MAX    65536
#define CONTROL_OUT_MAX	    (2 * CONTROL_LINE_MAX)
#define CONTROL_CLIENTS_MAX 16
#define CONTROL_SOCKET	    "control.sock" /* below the run directory */
#define CONTROL_GROUP	    "cordon"
/* A client that moves no byte for so long makes room when room is needed. */
#define CONTROL_STALLED_S	10
#define CONTROL_ERROR_CHARS_MAX 256
/* Bytes of a file's name, with the NUL. */
#define CONTROL_FILE_MAX 1024
/* Bytes of the other texts of a request, with the NUL. */
#define CONTROL_ACT_MAX	   32
#define CONTROL_REASON_MAX 257

enum control_verb {
	CONTROL_STATUS,
	CONTROL_EVENTS,
	CONTROL_LEDGER,
	CONTROL_DOCTOR,
	CONTROL_EXPLAIN,
	CONTROL_ACT_REQUEST,
	CONTROL_ACT_APPLY,
	CONTROL_ACT_END,
	CONTROL_VERB_MAX,
};

enum control_error {
	CONTROL_DENIED,	 /* "denied": this peer may not ask */
	CONTROL_REFUSED, /* "refused": no request that this agent knows */
	CONTROL_UNKNOWN, /* "unknown": it names what this host does not have */
	CONTROL_BUSY,	 /* "busy": too many clients */
	CONTROL_SLOW,	 /* "slow": fell behind and was dropped */
	CONTROL_FAILED,	 /* "failed": the agent could not do it */
	CONTROL_ERROR_MAX,
};

/* Fields that a verb does not have are 0 or empty. */
struct control_request {
	enum control_verb verb;
	bool follow;	 /* events: go on with new ones */
	int64_t since_s; /* events: seconds since the epoch, 0: all kept */
	/* ledger: only these; empty: all */
	char dataset[CORDON_NAME];
	char subject[CORDON_NAME];
	char destination[CORDON_NAME];
	/* explain: one of them; act-apply: what it is called in messages */
	uint32_t pid;
	char file[CONTROL_FILE_MAX];
	/* act-request: which, and what of it is asked for; empty: the agent's
	 * choice */
	char act[CONTROL_ACT_MAX];
	char lasts[CONTROL_ACT_MAX];
	uint64_t serial;
	char reason[CONTROL_REASON_MAX];
	json_t *bundle; /* act-apply: trust_bundle_json(); NULL: none */
};

/* ---- requests ----------------------------------------------------------- */

/* The verb's name in a request; never NULL. */
const char *control_verb_name(enum control_verb verb);
const char *control_error_name(enum control_error code);

/* Only root may ask for it. */
bool control_verb_is_roots(enum control_verb verb);

/*
 * Reads the request in the len bytes at line, without newline. 0, and
 * *ret_request is for control_request_release(); -EINVAL (not a request; error,
 * of CONTROL_ERROR_CHARS_MAX bytes, says why) or -ENOMEM.
 */
int control_request_parse(const char *line, size_t len,
			  struct control_request *ret_request, char *error);

void control_request_release(struct control_request *request);

/*
 * Writes the request as one line with newline into memory that the caller
 * free()s. 0, -EINVAL (a name is no UTF-8), -EMSGSIZE or -ENOMEM.
 */
int control_request_format(const struct control_request *request,
			   char **ret_line);

/* ---- lines -------------------------------------------------------------- */

/* Bytes that came in, at most CONTROL_LINE_MAX; zeroed memory is an empty
 * one. */
struct control_lines {
	char *buf;
	size_t size;
	size_t start; /* of the first line not taken yet */
	size_t len;   /* bytes in use, from 0 */
	size_t seen;  /* no newline before this */
};

/*
 * Reads once from fd. 1: something came, 0: the other side closed, -EAGAIN:
 * nothing now, -EMSGSIZE: a line is longer than CONTROL_LINE_MAX, -ENOMEM, or
 * what read(2) says.
 */
int control_lines_fill(struct control_lines *lines, int fd);

/* The next whole line, its newline made a NUL, valid until the next fill;
 * NULL if there is none. */
char *control_lines_next(struct control_lines *lines, size_t *ret_len);

void control_lines_release(struct control_lines *lines);

/* ---- the agent's side --------------------------------------------------- */

struct control;

/* One client with a request under way. */
struct control_client {
	struct control_request request;
	/* For the one who answers: zeroed when a request starts. `free_data`
	 * is called with `data` when the request is over, however it ends. */
	uint64_t cursor;
	uint64_t step;
	void *data;
	void (*free_data)(void *data);
};

enum control_more {
	CONTROL_END,  /* the reply is complete */
	CONTROL_MORE, /* call again when the client has taken this */
	CONTROL_WAIT, /* nothing now; call again after control_wake() */
};

/*
 * Makes the next part of the reply to client->request by control_reply(): a
 * few lines, so that what is queued stays small. Returns enum control_more, or
 * -errno after control_fail() or when the reply cannot go on.
 */
typedef int (*control_answer_fn)(struct control *control,
				 struct control_client *client, void *arg);

/*
 * Listens at path, for which the caller has made sure that no other agent
 * runs: what is there is replaced. 0, -ENAMETOOLONG, -ENOMEM or what
 * socket(2), bind(2) and chown(2) say.
 */
int control_new(const char *path, control_answer_fn answer, void *arg,
		struct control **ret_control);

/* Drops all clients and removes the socket. Takes NULL. */
void control_free(struct control *control);

/* A descriptor that is readable when control_dispatch() has work. */
int control_fd(const struct control *control);

/* Does what is to do, without blocking. 0 or -errno of epoll_wait(2). */
int control_dispatch(struct control *control);

/* Calls answer for the clients that CONTROL_WAIT. */
void control_wake(struct control *control);

size_t control_clients(const struct control *control);

/* Queues one line: steals line, which may be NULL (-ENOMEM). 0, -ENOMEM,
 * -EMSGSIZE. */
int control_reply(struct control_client *client, json_t *line);

/* Queues len bytes of text that is a line of JSON with its newline. */
int control_reply_text(struct control_client *client, const char *text,
		       size_t len);

/* Queues an error; the client is dropped when it has taken it. */
void control_fail(struct control_client *client, enum control_error code,
		  const char *format, ...)
	__attribute__((format(printf, 3, 4)));

/* ---- the command's side ------------------------------------------------- */

/* Called with each line of the reply but the last: the object, and the text it
 * was read from. Returns 0 to go on, else what control_call() returns. */
typedef int (*control_line_fn)(const json_t *line, const char *text, void *arg);

/*
 * Asks the agent at path and waits for the whole reply. 0; -ENOENT and
 * -ECONNREFUSED (no agent there), -EACCES (may not), -EBUSY (too many clients),
 * -ESRCH (it knows no such name), -EPROTO (not an answer of this protocol),
 * -EPIPE (the agent went away meanwhile, or dropped us), -EIO (the agent
 * failed), -ENOMEM. error, of CONTROL_ERROR_CHARS_MAX bytes, then says what
 * happened.
 */
int control_call(const char *path, const struct control_request *request,
		 control_line_fn fn, void *arg, char *error);

/* Returns 0 when there may be something to read from fd, -errno to give up. */
typedef int (*control_wait_fn)(int fd, void *arg);

/*
 * Likewise, for who has more to do than to wait for an agent, which may be
 * stopped: nothing blocks but wait, which gets arg too. -EAGAIN: more are
 * queueing at the socket than it lets in; what wait returned, error being "".
 */
int control_call_waiting(const char *path,
			 const struct control_request *request,
			 control_line_fn fn, control_wait_fn wait, void *arg,
			 char *error);

/*
 * The same, for whom somebody else waits: -ETIMEDOUT when the whole reply has
 * not come within timeout_ms (at least 1), however busy the agent is. Lines
 * that came before are told.
 */
int control_call_within(const char *path, const struct control_request *request,
			int64_t timeout_ms, control_line_fn fn, void *arg,
			char *error);

#endif
