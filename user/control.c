// SPDX-License-Identifier: GPL-2.0-only
/*
 * The agent's side: clients, each with what it asked and what is still to be
 * told, and nobody who can hold up the others.
 */
#include "control_internal.h"

#include <errno.h>
#include <grp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "clock.h"
#include "log.h"

#define GROUPS_MAX 1024 /* supplementary groups of a peer looked at */

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
	bool root;    /* is the peer */
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
	return clock_s(CLOCK_MONOTONIC_COARSE);
}

static void request_over(struct slot *slot)
{
	if (slot->pub.free_data)
		slot->pub.free_data(slot->pub.data);
	control_request_release(&slot->pub.request);
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
	else if (!slot->root && control_verb_is_roots(slot->pub.request.verb))
		control_fail(&slot->pub, CONTROL_DENIED,
			     "only root may ask for that: use sudo");
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

/* May this peer ask? *ret_root: for what changes something, too. */
static bool peer_allowed(const struct control *control, int fd, bool *ret_root)
{
	struct ucred peer;
	socklen_t len = sizeof(peer);

	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &len) < 0 ||
	    len != sizeof(peer))
		return false;
	*ret_root = peer.uid == 0;
	return *ret_root || peer_in_group(fd, peer.gid, control->group);
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
	bool root = false;
	int fd;

	fd = accept4(control->listen_fd, NULL, NULL,
		     SOCK_CLOEXEC | SOCK_NONBLOCK);
	if (fd < 0)
		return;
	if (!peer_allowed(control, fd, &root)) {
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
	slot->root = root;
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

	r = control_address(&control->address, path);
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
