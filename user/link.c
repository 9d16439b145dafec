// SPDX-License-Identifier: GPL-2.0-only
#include "link.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "clock.h"
#include "log.h"
#include "text.h"

/* The program, its role and nine options with their values, and the end. */
#define ARGS_MAX (32 + 2 * (LINK_SERVERS_MAX + LINK_GROUPS_MAX))

struct link {
	char *args[ARGS_MAX]; /* as execve(2) takes them */
	size_t n_args;
	int epoll_fd; /* of the next two */
	int timer_fd;
	int fd;	     /* -1: no process, or one that is to end */
	bool writes; /* fd is watched for room too */
	struct link_reader in;
	struct link_writer out;
	struct link_state state;
	bool closed;	   /* there comes no more than was read */
	bool ended;	   /* that has to be told */
	bool ours;	   /* the signal that ends it */
	bool stuck;	   /* and why */
	size_t unanswered; /* of what was sent */
	int64_t due_ms;	   /* clock_ms(): start, or give up; 0: neither */
	int64_t heard_ms;
	int64_t connected_ms; /* 0: it was not */
	int64_t again_ms;     /* how long the next pause is */
};

/* ---- options ------------------------------------------------------------- */

static int add_arg(struct link *link, const char *text)
{
	char *copy;

	if (link->n_args + 1 >= ARGS_MAX)
		return -EINVAL;
	copy = strdup(text);
	if (!copy)
		return -ENOMEM;
	link->args[link->n_args++] = copy;
	return 0;
}

/* A value that looks like an option is none. */
static int add_option(struct link *link, const char *option, const char *value)
{
	int r;

	if (!value[0] || value[0] == '-')
		return -EINVAL;
	r = add_arg(link, option);
	return r ? r : add_arg(link, value);
}

static int add_program(struct link *link, const char *program)
{
	char path[4096];
	ssize_t n;
	char *slash;

	if (program)
		return add_arg(link, program);
	n = readlink("/proc/self/exe", path, sizeof(path) - 1);
	if (n < 0)
		return -errno;
	path[n] = '\0';
	slash = strrchr(path, '/');
	if (!slash ||
	    (size_t)(slash - path) + sizeof("/" LINK_PROGRAM) > sizeof(path))
		return -ENAMETOOLONG;
	(void)strcpy(slash + 1, LINK_PROGRAM);
	return add_arg(link, path);
}

static int add_servers(struct link *link, const struct link_options *options)
{
	const char *url;
	int r = 0;

	if (!options->n_servers || options->n_servers > LINK_SERVERS_MAX)
		return -EINVAL;
	for (size_t i = 0; i < options->n_servers && !r; i++) {
		url = options->servers[i];
		if (!link_is_server(url))
			return -EINVAL;
		r = add_option(link, "--server", url);
	}
	return r;
}

static int add_names(struct link *link, const struct link_options *options)
{
	char replicas[TEXT_NUMBER_CHARS_MAX];
	const char *name = options->host;
	int r;

	if (options->role == LINK_OF_FORCE) {
		(void)snprintf(replicas, sizeof(replicas), "%" PRIu64,
			       options->replicas ? options->replicas : 1);
		return add_option(link, "--replicas", replicas);
	}
	if (!name || !fleet_is_name(name, strlen(name)) ||
	    options->n_groups > LINK_GROUPS_MAX)
		return -EINVAL;
	r = add_option(link, "--host", name);
	for (size_t i = 0; i < options->n_groups && !r; i++) {
		name = options->groups[i];
		r = fleet_is_name(name, strlen(name))
			    ? add_option(link, "--group", name)
			    : -EINVAL;
	}
	return r;
}

static int add_files(struct link *link, const struct link_options *options)
{
	const char *ca = options->ca ? options->ca : LINK_CA;
	const char *cert = options->cert ? options->cert : LINK_CERT;
	const char *key = options->key ? options->key : LINK_KEY;
	int r;

	r = add_option(link, "--ca", ca);
	if (!r)
		r = add_option(link, "--cert", cert);
	return r ? r : add_option(link, "--key", key);
}

static int add_all(struct link *link, const struct link_options *options)
{
	const char *user = options->user;
	int r;

	if (!user && geteuid() == 0 && !options->root)
		user = LINK_USER;
	r = add_program(link, options->program);
	if (!r)
		r = add_option(link, "--role",
			       options->role == LINK_OF_HOST ? "host"
							     : "force");
	if (!r)
		r = add_files(link, options);
	if (!r)
		r = add_servers(link, options);
	if (!r)
		r = add_names(link, options);
	if (!r && user)
		r = add_option(link, "--user", user);
	if (!r && options->root)
		r = add_arg(link, "--root");
	return r;
}

/* ---- begin and end ------------------------------------------------------- */

static void set_due(struct link *link, int64_t due_ms)
{
	struct itimerspec at = {0};

	link->due_ms = due_ms;
	at.it_value.tv_sec = due_ms / 1000;
	at.it_value.tv_nsec = due_ms % 1000 * 1000000;
	(void)timerfd_settime(link->timer_fd, TFD_TIMER_ABSTIME, &at, NULL);
}

static void watch(struct link *link, int operation, uint32_t events)
{
	struct epoll_event event = {.events = events};

	(void)epoll_ctl(link->epoll_fd, operation, link->fd, &event);
	link->writes = events & EPOLLOUT;
}

static int make_fds(struct link *link)
{
	struct epoll_event event = {.events = EPOLLIN};

	link->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	if (link->epoll_fd < 0)
		return -errno;
	link->timer_fd =
		timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
	if (link->timer_fd < 0 || epoll_ctl(link->epoll_fd, EPOLL_CTL_ADD,
					    link->timer_fd, &event) < 0)
		return -errno;
	set_due(link, clock_ms());
	return 0;
}

int link_new(const struct link_options *options, struct link **ret_link)
{
	struct link *link = calloc(1, sizeof(*link));
	bool host = options->role == LINK_OF_HOST;
	int r;

	if (!link)
		return -ENOMEM;
	link->fd = -1;
	link->epoll_fd = -1;
	link->timer_fd = -1;
	link->in.from = host ? LINK_FROM_LINK : LINK_FROM_FORCE;
	link->out.from = host ? LINK_FROM_AGENT : LINK_FROM_FLEET;
	link->again_ms = LINK_AGAIN_MIN_S * 1000;
	(void)strcpy(link->state.words, "not started yet");
	r = add_all(link, options);
	if (!r)
		r = make_fds(link);
	if (r) {
		link_free(link);
		return r;
	}
	*ret_link = link;
	return 0;
}

/* A quarter more or less: or all hosts would come back at once. */
static int64_t about(int64_t ms)
{
	uint32_t random = 0;

	if (getrandom(&random, sizeof(random), GRND_NONBLOCK) < 0)
		return ms;
	return ms - ms / 4 + random % (ms / 2 + 1);
}

static void say_words(struct link *link, const char *words, size_t len)
{
	(void)snprintf(link->state.words, sizeof(link->state.words), "%.*s",
		       (int)len, words);
	log_clean(link->state.words);
}

/* There is nothing to be had from it any more; if it lives, it is reaped
 * later. */
static void end(struct link *link, const char *words, size_t len)
{
	int64_t now = clock_ms();

	(void)close(link->fd);
	link->fd = -1;
	link_reader_release(&link->in);
	link_writer_release(&link->out);
	say_words(link, words, len);
	if (link->connected_ms &&
	    now - link->connected_ms >= LINK_STEADY_S * 1000)
		link->again_ms = LINK_AGAIN_MIN_S * 1000;
	set_due(link, now + about(link->again_ms));
	link->again_ms *= 2;
	if (link->again_ms > LINK_AGAIN_MAX_S * 1000)
		link->again_ms = LINK_AGAIN_MAX_S * 1000;
	link->connected_ms = 0;
	link->unanswered = 0;
	link->state.connected = false;
	link->state.since_s = clock_s(CLOCK_REALTIME);
	link->ended = true;
}

static void kill_it(struct link *link)
{
	if (link->state.pid > 0 && kill(link->state.pid, SIGKILL) == 0)
		link->ours = true;
}

void link_break(struct link *link, const char *why)
{
	if (link->fd < 0)
		return;
	link->state.broken++;
	kill_it(link);
	end(link, why, strlen(why));
}

/* True: there is no process any more. */
static bool reaped(struct link *link)
{
	int status = 0;
	pid_t pid;

	if (!link->state.pid)
		return true;
	pid = waitpid(link->state.pid, &status, WNOHANG);
	if (pid == 0)
		return false;
	if (pid > 0 && (link->stuck || (WIFSIGNALED(status) && !link->ours)))
		link->state.killed++;
	link->state.pid = 0;
	return true;
}

void link_free(struct link *link)
{
	if (!link)
		return;
	if (link->fd >= 0)
		(void)close(link->fd);
	if (!reaped(link)) {
		kill_it(link);
		(void)waitpid(link->state.pid, NULL, 0);
	}
	link_reader_release(&link->in);
	link_writer_release(&link->out);
	if (link->timer_fd >= 0)
		(void)close(link->timer_fd);
	if (link->epoll_fd >= 0)
		(void)close(link->epoll_fd);
	for (size_t i = 0; i < link->n_args; i++)
		free(link->args[i]);
	free(link);
}

/* ---- the process --------------------------------------------------------- */

/* Nothing of ours is open in it, or blocked, or in its environment. */
static int spawn(struct link *link, int fd)
{
	char *const environment[] = {NULL};
	posix_spawn_file_actions_t actions;
	posix_spawnattr_t attributes;
	sigset_t none, all;
	int r;

	(void)sigemptyset(&none);
	(void)sigfillset(&all);
	r = posix_spawn_file_actions_init(&actions);
	if (r)
		return -r;
	r = posix_spawnattr_init(&attributes);
	if (r) {
		(void)posix_spawn_file_actions_destroy(&actions);
		return -r;
	}
	(void)posix_spawnattr_setflags(
		&attributes, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
	(void)posix_spawnattr_setsigmask(&attributes, &none);
	(void)posix_spawnattr_setsigdefault(&attributes, &all);
	r = posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDWR,
					     0);
	if (!r)
		r = posix_spawn_file_actions_adddup2(&actions, 0, 1);
	if (!r)
		r = posix_spawn_file_actions_adddup2(&actions, fd, LINK_FD);
	if (!r)
		r = posix_spawn(&link->state.pid, link->args[0], &actions,
				&attributes, link->args, environment);
	if (r)
		link->state.pid = 0;
	(void)posix_spawnattr_destroy(&attributes);
	(void)posix_spawn_file_actions_destroy(&actions);
	return -r;
}

static void start(struct link *link)
{
	char words[LINK_WORDS_MAX + 1];
	int fds[2] = {-1, -1}, r;

	link->state.starts++;
	link->closed = false;
	link->ours = false;
	link->stuck = false;
	link->heard_ms = clock_ms();
	r = socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0,
		       fds) < 0
		    ? -errno
		    : 0;
	link->fd = fds[0];
	if (!r)
		r = spawn(link, fds[1]);
	if (fds[1] >= 0)
		(void)close(fds[1]);
	if (r) {
		(void)snprintf(words, sizeof(words),
			       "%.128s could not be started: %s: is it "
			       "installed?",
			       link->args[0], strerror(-r));
		end(link, words, strlen(words));
		return;
	}
	watch(link, EPOLL_CTL_ADD, EPOLLIN);
	set_due(link, link->heard_ms + LINK_START_S * 1000);
}

/* The pause is over, or it took too long. */
static void tick(struct link *link)
{
	static const char words[] = "the link was stuck and has been ended";

	if (link->fd >= 0) {
		link->stuck = true;
		kill_it(link);
		end(link, words, sizeof(words) - 1);
		return;
	}
	if (reaped(link)) {
		start(link);
		return;
	}
	if (!link->ours)
		link->stuck = true;
	kill_it(link);
	set_due(link, clock_ms() + LINK_AGAIN_MIN_S * 1000);
}

int link_fd(const struct link *link)
{
	return link->epoll_fd;
}

const struct link_state *link_state(const struct link *link)
{
	return &link->state;
}

/* ---- what is said -------------------------------------------------------- */

/* Waits for room only as long as something waits for it. */
static void flush(struct link *link)
{
	bool waits = link_writer_flush(&link->out, link->fd) == -EAGAIN;

	if (waits != link->writes)
		watch(link, EPOLL_CTL_MOD, EPOLLIN | (waits ? EPOLLOUT : 0));
}

int link_work(struct link *link)
{
	uint64_t expirations;
	int r;

	(void)!read(link->timer_fd, &expirations, sizeof(expirations));
	if (link->due_ms && clock_ms() >= link->due_ms && !link->ended)
		tick(link);
	if (link->fd < 0)
		return 0;
	flush(link);
	r = link_reader_fill(&link->in, link->fd);
	if (r == -ENOMEM)
		return r;
	if (r == 1)
		link->heard_ms = clock_ms();
	/* What it has said before comes first. */
	if (r != 1 && r != -EAGAIN && r != -ENOBUFS)
		link->closed = true;
	return 0;
}

static bool is_answer(enum link_type type)
{
	return type == LINK_ACKED || type == LINK_REFUSED ||
	       type == LINK_FETCHED;
}

static bool is_question(enum link_type type)
{
	return type == LINK_REPORT || type == LINK_PUBLISH ||
	       type == LINK_FETCH;
}

/* It is stuck LINK_ANSWER_S after the last thing it said, if that was not all.
 */
static void expect(struct link *link, int64_t from_ms)
{
	set_due(link, link->unanswered ? from_ms + LINK_ANSWER_S * 1000 : 0);
}

/* May it come now? */
static bool in_turn(const struct link *link, const struct link_frame *frame)
{
	if (frame->type == LINK_DISCONNECTED)
		return true;
	if (frame->type == LINK_CONNECTED)
		return !link->state.connected;
	return link->state.connected &&
	       (!is_answer(frame->type) || link->unanswered);
}

static void note(struct link *link, const struct link_frame *frame)
{
	if (frame->type == LINK_CONNECTED) {
		link->state.connected = true;
		link->state.since_s = clock_s(CLOCK_REALTIME);
		link->connected_ms = clock_ms();
		say_words(link, frame->bytes, frame->len);
	}
	if (is_answer(frame->type))
		link->unanswered--;
	expect(link, link->heard_ms);
}

/* Takes one from the process. 1: it is for the caller; 0: none, or it ended. */
static int take(struct link *link, struct link_frame *ret_frame)
{
	struct link_frame frame;
	char words[LINK_WORDS_MAX + 1] = "the link ended without a word";
	int r;

	r = link_reader_next(&link->in, &frame);
	if (r == 0) {
		if (link->closed)
			end(link, words, strlen(words));
		return 0;
	}
	if (r < 0 || !in_turn(link, &frame)) {
		(void)snprintf(words, sizeof(words),
			       "the link said what no link may say (%s) and "
			       "has been ended",
			       r < 0 ? "no frame" : link_type_name(frame.type));
		link_break(link, words);
		return 0;
	}
	if (frame.type == LINK_DISCONNECTED) {
		(void)snprintf(words, sizeof(words), "%.*s", (int)frame.len,
			       (const char *)frame.bytes);
		end(link, words, strlen(words));
		return 0;
	}
	note(link, &frame);
	*ret_frame = frame;
	return 1;
}

int link_next(struct link *link, struct link_frame *ret_frame)
{
	if (link->fd >= 0 && take(link, ret_frame) == 1)
		return 1;
	if (!link->ended)
		return 0;
	link->ended = false;
	*ret_frame = (struct link_frame){.type = LINK_DISCONNECTED,
					 .bytes = link->state.words,
					 .len = strlen(link->state.words)};
	return 1;
}

int link_send(struct link *link, const struct link_frame *frame)
{
	int r;

	if (!link->state.connected)
		return -ENOTCONN;
	r = link_writer_put(&link->out, frame);
	if (r)
		return r;
	if (is_question(frame->type) && !link->unanswered++)
		expect(link, clock_ms());
	flush(link);
	return 0;
}
