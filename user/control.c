// SPDX-License-Identifier: GPL-2.0-only
#include "control.h"
#include "log.h"
#include "text.h"

#include <errno.h>
#include <grp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#define GROUPS_MAX 1024 /* supplementary groups of a peer looked at */
#define LINES_MIN  1024 /* first size of a buffer */

/* ---- requests ----------------------------------------------------------- */

enum field {
	FIELD_FOLLOW,
	FIELD_SINCE,
	FIELD_DATASET,
	FIELD_SUBJECT,
	FIELD_DESTINATION,
	FIELD_MAX
};

static const char *const field_names[FIELD_MAX] = {
	[FIELD_FOLLOW] = "follow",	     [FIELD_SINCE] = "since",
	[FIELD_DATASET] = "dataset",	     [FIELD_SUBJECT] = "subject",
	[FIELD_DESTINATION] = "destination",
};

/* The fields that each verb has. */
static const struct {
	const char *name;
	unsigned int fields;
} verbs[CONTROL_VERB_MAX] = {
	[CONTROL_STATUS] = {"status", 0},
	[CONTROL_EVENTS] = {"events", 1 << FIELD_FOLLOW | 1 << FIELD_SINCE},
	[CONTROL_LEDGER] = {"ledger", 1 << FIELD_DATASET | 1 << FIELD_SUBJECT |
					      1 << FIELD_DESTINATION},
	[CONTROL_DOCTOR] = {"doctor", 0},
};

static const struct {
	const char *name;
	int error; /* what control_call() makes of it */
} errors[CONTROL_ERROR_MAX] = {
	[CONTROL_DENIED] = {"denied", -EACCES},
	[CONTROL_REFUSED] = {"refused", -EPROTO},
	[CONTROL_BUSY] = {"busy", -EBUSY},
	[CONTROL_SLOW] = {"slow", -EPIPE},
	[CONTROL_FAILED] = {"failed", -EIO},
};

const char *control_verb_name(enum control_verb verb)
{
	return verb < CONTROL_VERB_MAX ? verbs[verb].name : "?";
}

const char *control_error_name(enum control_error code)
{
	return code < CONTROL_ERROR_MAX ? errors[code].name : "?";
}

static int refuse(char *error, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

static int refuse(char *error, const char *format, ...)
{
	va_list ap;

	va_start(ap, format);
	(void)vsnprintf(error, CONTROL_ERROR_CHARS_MAX, format, ap);
	va_end(ap);
	return -EINVAL;
}

static int find_verb(const json_t *object, enum control_verb *ret_verb,
		     char *error)
{
	const json_t *value = json_object_get(object, "verb");
	char quoted[TEXT_QUOTE_CHARS_MAX];

	if (!json_is_string(value))
		return refuse(error, "the request has no \"verb\" that is a "
				     "string");
	for (int i = 0; i < CONTROL_VERB_MAX; i++)
		if (strcmp(json_string_value(value), verbs[i].name) == 0) {
			*ret_verb = (enum control_verb)i;
			return 0;
		}
	text_quote(json_string_value(value), json_string_length(value), quoted,
		   sizeof(quoted));
	return refuse(error,
		      "unknown verb %s: this agent speaks another "
		      "version of the protocol, update the older side",
		      quoted);
}

static int take_name(const char *key, const json_t *value, char *ret_name,
		     char *error)
{
	size_t len = json_string_length(value);

	if (!json_is_string(value))
		return refuse(error, "\"%s\" is not a string", key);
	if (len >= CORDON_NAME)
		return refuse(error, "\"%s\" is longer than %d bytes", key,
			      CORDON_NAME - 1);
	if (!text_is_clean(json_string_value(value), len, ""))
		return refuse(error, "\"%s\" has characters that no name has",
			      key);
	memcpy(ret_name, json_string_value(value), len + 1);
	return 0;
}

static int take_field(struct control_request *request, const char *key,
		      const json_t *value, char *error)
{
	char quoted[TEXT_QUOTE_CHARS_MAX];
	int field;

	for (field = 0; field < FIELD_MAX; field++)
		if (strcmp(key, field_names[field]) == 0)
			break;
	if (field == FIELD_MAX ||
	    !(verbs[request->verb].fields & 1U << field)) {
		text_quote(key, strlen(key), quoted, sizeof(quoted));
		return refuse(error, "\"%s\" has no field %s",
			      verbs[request->verb].name, quoted);
	}

	switch ((enum field)field) {
	case FIELD_FOLLOW:
		if (!json_is_boolean(value))
			return refuse(error, "\"%s\" is neither true nor false",
				      key);
		request->follow = json_is_true(value);
		return 0;
	case FIELD_SINCE:
		if (!json_is_integer(value) || json_integer_value(value) < 0)
			return refuse(error,
				      "\"%s\" is not a number of "
				      "seconds since 1970",
				      key);
		request->since_s = json_integer_value(value);
		return 0;
	case FIELD_DATASET:
		return take_name(key, value, request->dataset, error);
	case FIELD_SUBJECT:
		return take_name(key, value, request->subject, error);
	case FIELD_DESTINATION:
		return take_name(key, value, request->destination, error);
	case FIELD_MAX:
		break;
	}
	return -EINVAL;
}

static int check_version(const json_t *object, char *error)
{
	const json_t *value = json_object_get(object, "cordon");

	if (!json_is_integer(value))
		return refuse(error, "the request has no \"cordon\" that is "
				     "the protocol's version");
	if (json_integer_value(value) != CONTROL_VERSION)
		return refuse(error,
			      "version %lld of the protocol; this side speaks "
			      "%d: update the older one",
			      (long long)json_integer_value(value),
			      CONTROL_VERSION);
	return 0;
}

int control_request_parse(const char *line, size_t len,
			  struct control_request *ret_request, char *error)
{
	struct control_request request = {0};
	json_t *object = NULL, *value;
	json_error_t why;
	const char *key;
	int r;

	object = json_loadb(line, len, JSON_REJECT_DUPLICATES, &why);
	if (!object && json_error_code(&why) == json_error_out_of_memory) {
		r = -ENOMEM;
		goto out;
	}
	if (!json_is_object(object)) {
		r = refuse(error,
			   "a request is one JSON object on one line%s"
			   "%.100s",
			   object ? "" : ": ", object ? "" : why.text);
		goto out;
	}
	r = check_version(object, error);
	if (r)
		goto out;
	r = find_verb(object, &request.verb, error);
	if (r)
		goto out;
	json_object_foreach (object, key, value) {
		if (strcmp(key, "cordon") == 0 || strcmp(key, "verb") == 0)
			continue;
		r = take_field(&request, key, value, error);
		if (r)
			goto out;
	}

	*ret_request = request;
out:
	json_decref(object);
	return r;
}

/* Adds value, which it steals, or notes that it could not. */
static void put(json_t *object, const char *key, json_t *value, int *r)
{
	if (json_object_set_new(object, key, value) < 0 && !*r)
		*r = -ENOMEM;
}

static void put_name(json_t *object, const char *key, const char *name, int *r)
{
	if (name[0] == '\0')
		return;
	if (!text_is_clean(name, strlen(name), "")) {
		*r = -EINVAL;
		return;
	}
	put(object, key, json_string(name), r);
}

int control_request_format(const struct control_request *request,
			   char **ret_line)
{
	json_t *object = NULL;
	char *text = NULL, *line = NULL;
	int r = 0;

	object = json_pack("{s:i, s:s}", "cordon", CONTROL_VERSION, "verb",
			   control_verb_name(request->verb));
	if (!object)
		return -ENOMEM;
	if (request->follow)
		put(object, "follow", json_true(), &r);
	if (request->since_s)
		put(object, "since", json_integer(request->since_s), &r);
	put_name(object, "dataset", request->dataset, &r);
	put_name(object, "subject", request->subject, &r);
	put_name(object, "destination", request->destination, &r);
	if (r)
		goto out;

	r = -ENOMEM;
	text = json_dumps(object, JSON_COMPACT);
	if (!text)
		goto out;
	if (asprintf(&line, "%s\n", text) < 0)
		goto out;

	*ret_line = line;
	r = 0;
out:
	free(text);
	json_decref(object);
	return r;
}

/* ---- lines -------------------------------------------------------------- */

static int lines_grow(struct control_lines *lines)
{
	size_t size = lines->size ? lines->size * 2 : LINES_MIN;
	char *buf;

	if (lines->size >= CONTROL_LINE_MAX)
		return -EMSGSIZE;
	buf = realloc(lines->buf, size);
	if (!buf)
		return -ENOMEM;
	lines->buf = buf;
	lines->size = size;
	return 0;
}

int control_lines_fill(struct control_lines *lines, int fd)
{
	ssize_t n;
	int r;

	if (lines->start > 0) {
		lines->len -= lines->start;
		lines->seen -= lines->start;
		memmove(lines->buf, lines->buf + lines->start, lines->len);
		lines->start = 0;
	}
	if (lines->len == lines->size) {
		r = lines_grow(lines);
		if (r)
			return r;
	}

	do
		n = read(fd, lines->buf + lines->len, lines->size - lines->len);
	while (n < 0 && errno == EINTR);
	if (n < 0)
		return errno == EWOULDBLOCK ? -EAGAIN : -errno;
	lines->len += (size_t)n;
	return n > 0;
}

char *control_lines_next(struct control_lines *lines, size_t *ret_len)
{
	char *line, *end;

	if (lines->seen == lines->len)
		return NULL;
	end = memchr(lines->buf + lines->seen, '\n', lines->len - lines->seen);
	if (!end) {
		lines->seen = lines->len;
		return NULL;
	}
	line = lines->buf + lines->start;
	*end = '\0';
	lines->start = (size_t)(end - lines->buf) + 1;
	lines->seen = lines->start;
	*ret_len = (size_t)(end - line);
	return line;
}

void control_lines_release(struct control_lines *lines)
{
	free(lines->buf);
	*lines = (struct control_lines){0};
}

/* ---- the agent's side --------------------------------------------------- */

enum phase {
	PHASE_IDLE,  /* waits for a request */
	PHASE_REPLY, /* answer() has more to say */
	PHASE_WAIT,  /* it will have, after control_wake() */
	PHASE_CLOSE, /* goes when what is queued is taken */
};

/* A slot of the table; `pub` is what answer() sees. */
struct slot {
	struct control_client pub; /* first: found from it by a cast */
	int fd;			   /* -1: free */
	enum phase phase;
	bool writing; /* EPOLLOUT is asked for */
	bool closed;  /* the peer sends no more */
	time_t moved; /* when bytes last moved */
	struct control_lines in;
	char *out;
	size_t out_start, out_len, out_size;
};

struct control {
	int listen_fd;
	int epoll_fd;
	gid_t group; /* (gid_t)-1: there is none */
	control_answer_fn answer;
	void *arg;
	struct slot slots[CONTROL_CLIENTS_MAX];
	struct sockaddr_un address;
};

static time_t now_s(void)
{
	struct timespec ts;

	(void)clock_gettime(CLOCK_MONOTONIC_COARSE, &ts);
	return ts.tv_sec;
}

static void request_over(struct slot *slot)
{
	if (slot->pub.free_data)
		slot->pub.free_data(slot->pub.data);
	memset(&slot->pub, 0, sizeof(slot->pub));
}

static void slot_drop(struct slot *slot)
{
	if (slot->fd < 0)
		return;
	request_over(slot);
	control_lines_release(&slot->in);
	free(slot->out);
	(void)close(slot->fd);
	memset(slot, 0, sizeof(*slot));
	slot->fd = -1;
}

static int queue(struct slot *slot, const char *text, size_t len)
{
	size_t size;
	char *out;

	if (len > CONTROL_LINE_MAX)
		return -EMSGSIZE;
	if (slot->out_start > 0) {
		slot->out_len -= slot->out_start;
		memmove(slot->out, slot->out + slot->out_start, slot->out_len);
		slot->out_start = 0;
	}
	if (len > CONTROL_OUT_MAX - slot->out_len)
		return -ENOBUFS;
	size = slot->out_size ? slot->out_size : LINES_MIN * 4;
	while (size < slot->out_len + len)
		size *= 2;
	if (size != slot->out_size) {
		out = realloc(slot->out, size);
		if (!out)
			return -ENOMEM;
		slot->out = out;
		slot->out_size = size;
	}
	memcpy(slot->out + slot->out_len, text, len);
	slot->out_len += len;
	return 0;
}

int control_reply_text(struct control_client *client, const char *text,
		       size_t len)
{
	return queue((struct slot *)client, text, len);
}

int control_reply(struct control_client *client, json_t *line)
{
	char *text = NULL;
	size_t len;
	int r = -ENOMEM;

	if (!line)
		goto out;
	text = json_dumps(line, JSON_COMPACT);
	if (!text)
		goto out;
	len = strlen(text);
	/* The NUL's place is the newline's. */
	text[len] = '\n';
	r = queue((struct slot *)client, text, len + 1);
out:
	free(text);
	json_decref(line);
	return r;
}

void control_fail(struct control_client *client, enum control_error code,
		  const char *format, ...)
{
	struct slot *slot = (struct slot *)client;
	char message[CONTROL_ERROR_CHARS_MAX];
	va_list ap;

	va_start(ap, format);
	(void)vsnprintf(message, sizeof(message), format, ap);
	va_end(ap);
	log_clean(message);
	/* Without memory the client sees the end of file instead. */
	(void)control_reply(client, json_pack("{s:i, s:s, s:s, s:s}", "cordon",
					      CONTROL_VERSION, "type", "error",
					      "code", control_error_name(code),
					      "message", message));
	slot->phase = PHASE_CLOSE;
}

/* Sends what is queued, as far as the socket takes it. */
static int flush(struct slot *slot)
{
	ssize_t n;

	while (slot->out_start < slot->out_len) {
		n = send(slot->fd, slot->out + slot->out_start,
			 slot->out_len - slot->out_start,
			 MSG_NOSIGNAL | MSG_DONTWAIT);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
			return 0;
		if (n < 0)
			return -errno;
		slot->out_start += (size_t)n;
		slot->moved = now_s();
	}
	slot->out_start = 0;
	slot->out_len = 0;
	return 0;
}

static void ask(struct control *control, struct slot *slot)
{
	int r;

	r = control->answer(control, &slot->pub, control->arg);
	if (slot->phase == PHASE_CLOSE)
		return;
	if (r < 0) {
		control_fail(&slot->pub, CONTROL_FAILED,
			     "the agent could not "
			     "answer: %s",
			     strerror(-r));
		return;
	}
	if (r == CONTROL_MORE) {
		slot->phase = PHASE_REPLY;
	} else if (r == CONTROL_WAIT) {
		slot->phase = PHASE_WAIT;
	} else {
		request_over(slot);
		slot->phase = PHASE_IDLE;
		if (control_reply(&slot->pub,
				  json_pack("{s:i, s:s}", "cordon",
					    CONTROL_VERSION, "type", "end")))
			slot->phase = PHASE_CLOSE;
	}
}

/* Takes the next request that has come in. Returns false if there is none. */
static bool next_request(struct slot *slot)
{
	char error[CONTROL_ERROR_CHARS_MAX];
	size_t len;
	char *line;
	int r;

	line = control_lines_next(&slot->in, &len);
	if (!line)
		return false;
	r = control_request_parse(line, len, &slot->pub.request, error);
	if (r == -EINVAL)
		control_fail(&slot->pub, CONTROL_REFUSED, "%s", error);
	else if (r)
		control_fail(&slot->pub, CONTROL_FAILED, "%s", strerror(-r));
	else
		slot->phase = PHASE_REPLY;
	return true;
}

static int want(struct control *control, struct slot *slot)
{
	struct epoll_event event = {.data.ptr = slot};
	bool writing = slot->out_len > 0;

	if (writing == slot->writing && !slot->closed)
		return 0;
	/* A peer that has shut down its side would wake us for ever. */
	event.events = (slot->closed ? 0 : EPOLLIN) | (writing ? EPOLLOUT : 0);
	slot->writing = writing;
	return epoll_ctl(control->epoll_fd, EPOLL_CTL_MOD, slot->fd, &event) < 0
		       ? -errno
		       : 0;
}

/*
 * Brings the client as far as it goes without waiting: requests are answered
 * one after the other, and only while the client takes what it gets.
 */
static void advance(struct control *control, struct slot *slot)
{
	for (;;) {
		if (flush(slot) < 0)
			goto drop;
		if (slot->out_len > 0)
			break;
		if (slot->phase == PHASE_CLOSE)
			goto drop;
		if (slot->phase == PHASE_REPLY)
			ask(control, slot);
		else if (slot->phase == PHASE_WAIT)
			break;
		else if (!next_request(slot))
			break;
	}
	/* A half-closed peer still gets the replies it asked for. */
	if (slot->closed && slot->phase == PHASE_IDLE && slot->out_len == 0)
		goto drop;
	if (want(control, slot) < 0)
		goto drop;
	return;
drop:
	slot_drop(slot);
}

static void slot_read(struct slot *slot)
{
	int r;

	/* While a reply is under way, requests may queue up to one buffer. */
	r = control_lines_fill(&slot->in, slot->fd);
	if (r > 0) {
		slot->moved = now_s();
		return;
	}
	if (r == -EAGAIN)
		return;
	slot->closed = true;
	if (r == -EMSGSIZE && slot->phase != PHASE_CLOSE)
		control_fail(&slot->pub, CONTROL_REFUSED,
			     "a request is at "
			     "most %d bytes",
			     CONTROL_LINE_MAX);
	/* A follower that hangs up wants nothing more. */
	if (r == 0 && slot->phase == PHASE_WAIT)
		slot->phase = PHASE_CLOSE;
	if (r < 0 && r != -EMSGSIZE)
		slot->phase = PHASE_CLOSE;
}

static bool peer_in_group(int fd, gid_t primary, gid_t group)
{
	gid_t groups[GROUPS_MAX];
	socklen_t len = sizeof(groups);

	if (group == (gid_t)-1)
		return false;
	if (primary == group)
		return true;
	if (getsockopt(fd, SOL_SOCKET, SO_PEERGROUPS, groups, &len) < 0)
		return false;
	for (size_t i = 0; i < len / sizeof(groups[0]); i++)
		if (groups[i] == group)
			return true;
	return false;
}

/* May this peer ask? */
static bool peer_allowed(const struct control *control, int fd)
{
	struct ucred peer;
	socklen_t len = sizeof(peer);

	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &len) < 0 ||
	    len != sizeof(peer))
		return false;
	return peer.uid == 0 || peer_in_group(fd, peer.gid, control->group);
}

/* A free slot; when all are taken, that of the client stalled longest. */
static struct slot *free_slot(struct control *control)
{
	struct slot *oldest = NULL;

	for (int i = 0; i < CONTROL_CLIENTS_MAX; i++) {
		struct slot *slot = &control->slots[i];

		if (slot->fd < 0)
			return slot;
		/* Who waits for events has nothing to do, and may. */
		if (slot->phase == PHASE_WAIT && slot->out_len == 0)
			continue;
		if (!oldest || slot->moved < oldest->moved)
			oldest = slot;
	}
	if (!oldest || now_s() - oldest->moved < CONTROL_STALLED_S)
		return NULL;
	control_fail(&oldest->pub, CONTROL_SLOW,
		     "nothing was asked or taken "
		     "for %d seconds and others wait",
		     CONTROL_STALLED_S);
	(void)flush(oldest);
	slot_drop(oldest);
	return oldest;
}

/* Tells a peer that gets no slot why, as far as its socket takes it. */
static void turn_away(int fd, enum control_error code, const char *message)
{
	struct slot slot = {.fd = fd};

	control_fail(&slot.pub, code, "%s", message);
	(void)flush(&slot);
	slot_drop(&slot);
}

static void accept_one(struct control *control)
{
	struct epoll_event event = {.events = EPOLLIN};
	struct slot *slot;
	int fd;

	fd = accept4(control->listen_fd, NULL, NULL,
		     SOCK_CLOEXEC | SOCK_NONBLOCK);
	if (fd < 0)
		return;
	if (!peer_allowed(control, fd)) {
		turn_away(fd, CONTROL_DENIED,
			  "only root and the group " CONTROL_GROUP
			  " may ask the agent: use sudo");
		return;
	}
	slot = free_slot(control);
	if (!slot) {
		turn_away(fd, CONTROL_BUSY,
			  "too many clients are connected: end one, for "
			  "example a `cordon events --follow`");
		return;
	}
	slot->fd = fd;
	slot->moved = now_s();
	event.data.ptr = slot;
	if (epoll_ctl(control->epoll_fd, EPOLL_CTL_ADD, fd, &event) < 0)
		slot_drop(slot);
}

int control_dispatch(struct control *control)
{
	struct epoll_event events[CONTROL_CLIENTS_MAX + 1];
	struct slot *slot;
	int n;

	n = epoll_wait(control->epoll_fd, events, CONTROL_CLIENTS_MAX + 1, 0);
	if (n < 0)
		return errno == EINTR ? 0 : -errno;
	for (int i = 0; i < n; i++) {
		slot = events[i].data.ptr;
		if (!slot || slot->fd < 0)
			continue;
		if (events[i].events & EPOLLIN)
			slot_read(slot);
		else if (events[i].events & (EPOLLHUP | EPOLLERR))
			slot->phase = PHASE_CLOSE;
		advance(control, slot);
	}
	/* Last: a slot made free above is not mistaken for its next user. */
	for (int i = 0; i < n; i++)
		if (!events[i].data.ptr)
			accept_one(control);
	return 0;
}

void control_wake(struct control *control)
{
	for (int i = 0; i < CONTROL_CLIENTS_MAX; i++) {
		struct slot *slot = &control->slots[i];

		if (slot->fd < 0 || slot->phase != PHASE_WAIT)
			continue;
		slot->phase = PHASE_REPLY;
		advance(control, slot);
	}
}

size_t control_clients(const struct control *control)
{
	size_t n = 0;

	for (int i = 0; i < CONTROL_CLIENTS_MAX; i++)
		n += control->slots[i].fd >= 0;
	return n;
}

int control_fd(const struct control *control)
{
	return control->epoll_fd;
}

static int set_address(struct sockaddr_un *address, const char *path)
{
	size_t len = strlen(path);

	if (len >= sizeof(address->sun_path))
		return -ENAMETOOLONG;
	memset(address, 0, sizeof(*address));
	address->sun_family = AF_UNIX;
	memcpy(address->sun_path, path, len + 1);
	return 0;
}

static int listen_at(struct control *control)
{
	const struct sockaddr_un *address = &control->address;
	struct epoll_event event = {.events = EPOLLIN};
	struct group *group;

	control->listen_fd =
		socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (control->listen_fd < 0)
		return -errno;
	/* Before bind, so that the path never has looser permissions. */
	if (fchmod(control->listen_fd, 0600) < 0)
		return -errno;
	if (unlink(address->sun_path) < 0 && errno != ENOENT)
		return -errno;
	if (bind(control->listen_fd, (const struct sockaddr *)address,
		 sizeof(*address)) < 0)
		return -errno;

	group = getgrnam(CONTROL_GROUP);
	control->group = group ? group->gr_gid : (gid_t)-1;
	if (group && lchown(address->sun_path, 0, group->gr_gid) < 0)
		return -errno;
	if (chmod(address->sun_path, 0660) < 0)
		return -errno;

	if (listen(control->listen_fd, CONTROL_CLIENTS_MAX) < 0)
		return -errno;
	control->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	if (control->epoll_fd < 0)
		return -errno;
	if (epoll_ctl(control->epoll_fd, EPOLL_CTL_ADD, control->listen_fd,
		      &event) < 0)
		return -errno;
	return 0;
}

int control_new(const char *path, control_answer_fn answer, void *arg,
		struct control **ret_control)
{
	struct control *control = NULL;
	int r;

	control = calloc(1, sizeof(*control));
	if (!control)
		return -ENOMEM;
	control->listen_fd = -1;
	control->epoll_fd = -1;
	control->answer = answer;
	control->arg = arg;
	for (int i = 0; i < CONTROL_CLIENTS_MAX; i++)
		control->slots[i].fd = -1;

	r = set_address(&control->address, path);
	if (r)
		goto out;
	r = listen_at(control);
	if (r)
		goto out;

	*ret_control = control;
	control = NULL;
out:
	control_free(control);
	return r;
}

void control_free(struct control *control)
{
	if (!control)
		return;
	for (int i = 0; i < CONTROL_CLIENTS_MAX; i++)
		slot_drop(&control->slots[i]);
	if (control->epoll_fd >= 0) {
		(void)unlink(control->address.sun_path);
		(void)close(control->epoll_fd);
	}
	if (control->listen_fd >= 0)
		(void)close(control->listen_fd);
	free(control);
}

/* ---- the command's side ------------------------------------------------- */

static int connect_to(const char *path, int *ret_fd, char *error)
{
	struct sockaddr_un address;
	int fd, r;

	r = set_address(&address, path);
	if (r) {
		(void)refuse(error, "%s: longer than a socket's path can be",
			     path);
		return r;
	}
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0) {
		r = -errno;
		(void)refuse(error, "socket: %s", strerror(-r));
		return r;
	}
	if (connect(fd, (struct sockaddr *)&address, sizeof(address)) < 0) {
		r = -errno;
		(void)refuse(error, "%s: %s", path, strerror(-r));
		(void)close(fd);
		return r == -EPERM ? -EACCES : r;
	}

	*ret_fd = fd;
	return 0;
}

static int send_all(int fd, const char *text, size_t len)
{
	ssize_t n;

	while (len > 0) {
		n = send(fd, text, len, MSG_NOSIGNAL);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		text += n;
		len -= (size_t)n;
	}
	return 0;
}

static int reply_error(const json_t *line, char *error)
{
	const char *code = json_string_value(json_object_get(line, "code"));
	const char *message =
		json_string_value(json_object_get(line, "message"));

	(void)refuse(error, "%s",
		     message ? message
			     : "the agent gave no "
			       "reason");
	log_clean(error);
	for (int i = 0; code && i < CONTROL_ERROR_MAX; i++)
		if (strcmp(code, errors[i].name) == 0)
			return errors[i].error;
	return -EPROTO;
}

/* 0: go on, 1: that was the last line. */
static int take_line(const char *text, size_t len, control_line_fn fn,
		     void *arg, char *error)
{
	json_t *line = NULL;
	const char *type;
	int r = -EPROTO;

	line = json_loadb(text, len, JSON_REJECT_DUPLICATES, NULL);
	if (!json_is_object(line)) {
		(void)refuse(error, "the agent's answer is no JSON object");
		goto out;
	}
	if (check_version(line, error))
		goto out;
	type = json_string_value(json_object_get(line, "type"));
	if (!type) {
		(void)refuse(error, "the agent's answer has no \"type\"");
		goto out;
	}
	if (strcmp(type, "end") == 0)
		r = 1;
	else if (strcmp(type, "error") == 0)
		r = reply_error(line, error);
	else
		r = fn(line, text, arg);
out:
	json_decref(line);
	return r;
}

int control_call(const char *path, const struct control_request *request,
		 control_line_fn fn, void *arg, char *error)
{
	struct control_lines lines = {0};
	char *line = NULL;
	size_t len;
	int fd = -1, r;

	error[0] = '\0';
	r = control_request_format(request, &line);
	if (r) {
		(void)refuse(error, "the request: %s", strerror(-r));
		goto out;
	}
	r = connect_to(path, &fd, error);
	if (r)
		goto out;
	/* An agent that turns us away may have closed already; what it said
	 * is still there to read. */
	(void)send_all(fd, line, strlen(line));
	free(line);
	line = NULL;

	do {
		r = control_lines_fill(&lines, fd);
		if (r == 0 || r == -ECONNRESET) {
			(void)refuse(error, "the agent closed the connection");
			r = -EPIPE;
		} else if (r < 0) {
			(void)refuse(error, "%s: %s", path, strerror(-r));
		} else {
			r = 0;
		}
		while (!r) {
			char *text = control_lines_next(&lines, &len);

			if (!text)
				break;
			r = take_line(text, len, fn, arg, error);
		}
	} while (!r);
	if (r == 1)
		r = 0;
out:
	free(line);
	if (fd >= 0)
		(void)close(fd);
	control_lines_release(&lines);
	return r;
}
