// SPDX-License-Identifier: GPL-2.0-only
/*
 * The control socket: what is a request and what is not, and a server and its
 * clients in one thread, so that every order of events can be made.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "clock.h"
#include "control.h"

/* ---- requests ----------------------------------------------------------- */

static int parse(const char *text, struct control_request *request)
{
	char error[CONTROL_ERROR_CHARS_MAX] = "";
	int r;

	r = control_request_parse(text, strlen(text), request, error);
	if (r == -EINVAL)
		assert_true(strlen(error) > 0);
	return r;
}

static void request_takes_each_verb(void **state)
{
	struct control_request request;

	(void)state;
	assert_int_equal(parse("{\"cordon\":1,\"verb\":\"status\"}", &request),
			 0);
	assert_int_equal(request.verb, CONTROL_STATUS);
	assert_int_equal(parse("{\"verb\":\"doctor\",\"cordon\":1}", &request),
			 0);
	assert_int_equal(request.verb, CONTROL_DOCTOR);
	assert_int_equal(parse("{\"cordon\":1,\"verb\":\"events\","
			       "\"follow\":true,\"since\":5}",
			       &request),
			 0);
	assert_int_equal(request.verb, CONTROL_EVENTS);
	assert_true(request.follow);
	assert_int_equal(request.since_s, 5);
	assert_int_equal(parse(" {\"cordon\":1,\"verb\":\"ledger\","
			       "\"dataset\":\"d\",\"subject\":\"s\","
			       "\"destination\":\"*\"} ",
			       &request),
			 0);
	assert_int_equal(request.verb, CONTROL_LEDGER);
	assert_string_equal(request.dataset, "d");
	assert_string_equal(request.subject, "s");
	assert_string_equal(request.destination, "*");
}

static void request_takes_acts(void **state)
{
	struct control_request request, again;
	char *line = NULL;

	(void)state;
	assert_int_equal(parse("{\"cordon\":1,\"verb\":\"act-request\","
			       "\"act\":\"recover\",\"serial\":7,"
			       "\"lasts\":\"hour\",\"reason\":\"why\"}",
			       &request),
			 0);
	assert_int_equal(request.verb, CONTROL_ACT_REQUEST);
	assert_string_equal(request.act, "recover");
	assert_string_equal(request.lasts, "hour");
	assert_string_equal(request.reason, "why");
	assert_int_equal(request.serial, 7);
	control_request_release(&request);
	assert_int_equal(parse("{\"cordon\":1,\"verb\":\"act-apply\","
			       "\"file\":\"a.yaml\",\"bundle\":"
			       "{\"policy\":\"x\",\"signatures\":[]}}",
			       &request),
			 0);
	assert_string_equal(request.file, "a.yaml");
	/* The same when it has been written and read. */
	assert_int_equal(control_request_format(&request, &line), 0);
	assert_int_equal(parse(line, &again), 0);
	assert_true(json_equal(request.bundle, again.bundle));
	free(line);
	control_request_release(&request);
	control_request_release(&again);
	assert_null(request.bundle);
	assert_int_equal(parse("{\"cordon\":1,\"verb\":\"act-end\"}", &request),
			 0);
	assert_int_equal(request.verb, CONTROL_ACT_END);
}

/* Who may look is not who may change. */
static void requests_that_change_something_are_roots(void **state)
{
	(void)state;
	for (unsigned int verb = 0; verb < CONTROL_VERB_MAX; verb++)
		assert_int_equal(control_verb_is_roots(verb),
				 strncmp(control_verb_name(verb), "act-", 4) ==
					 0);
}

static void request_refuses_what_is_not_exactly_one(void **state)
{
	static const char *const bad[] = {
		"",
		"status",
		"null",
		"[]",
		"{}",
		"{\"cordon\":1}",
		"{\"verb\":\"status\"}",
		"{\"cordon\":2,\"verb\":\"status\"}",
		"{\"cordon\":\"1\",\"verb\":\"status\"}",
		"{\"cordon\":1.0,\"verb\":\"status\"}",
		"{\"cordon\":1,\"verb\":\"Status\"}",
		"{\"cordon\":1,\"verb\":\"shutdown\"}",
		"{\"cordon\":1,\"verb\":7}",
		"{\"cordon\":1,\"verb\":\"status\",\"follow\":true}",
		"{\"cordon\":1,\"verb\":\"status\",\"x\":1}",
		"{\"cordon\":1,\"verb\":\"events\",\"follow\":1}",
		"{\"cordon\":1,\"verb\":\"events\",\"since\":-1}",
		"{\"cordon\":1,\"verb\":\"events\",\"since\":\"now\"}",
		"{\"cordon\":1,\"verb\":\"events\",\"since\":1e3}",
		"{\"cordon\":1,\"verb\":\"events\","
		"\"since\":99999999999999999999}",
		"{\"cordon\":1,\"verb\":\"ledger\",\"dataset\":7}",
		"{\"cordon\":1,\"verb\":\"ledger\",\"dataset\":\"a\\nb\"}",
		"{\"cordon\":1,\"verb\":\"ledger\",\"dataset\":\"a\\u0000b\"}",
		"{\"cordon\":1,\"verb\":\"explain\"}",
		"{\"cordon\":1,\"verb\":\"explain\",\"pid\":0}",
		"{\"cordon\":1,\"verb\":\"explain\",\"pid\":\"1\"}",
		"{\"cordon\":1,\"verb\":\"explain\",\"pid\":4294967297}",
		"{\"cordon\":1,\"verb\":\"explain\",\"file\":\"a\"}",
		"{\"cordon\":1,\"verb\":\"explain\",\"file\":\"/a\\nb\"}",
		"{\"cordon\":1,\"verb\":\"explain\",\"file\":\"/a\","
		"\"pid\":1}",
		"{\"cordon\":1,\"verb\":\"ledger\",\"pid\":1}",
		"{\"cordon\":1,\"verb\":\"act-request\"}",
		"{\"cordon\":1,\"verb\":\"act-request\",\"act\":1}",
		"{\"cordon\":1,\"verb\":\"act-request\",\"act\":\"a\","
		"\"serial\":0}",
		"{\"cordon\":1,\"verb\":\"act-apply\",\"file\":\"/a\"}",
		"{\"cordon\":1,\"verb\":\"act-apply\",\"file\":\"/a\","
		"\"bundle\":[]}",
		"{\"cordon\":1,\"verb\":\"act-apply\",\"bundle\":{}}",
		"{\"cordon\":1,\"verb\":\"act-end\",\"act\":\"a\"}",
		"{\"cordon\":1,\"verb\":\"status\",\"bundle\":{}}",
		"{\"cordon\":1,\"verb\":\"status\",\"verb\":\"events\"}",
		"{\"cordon\":1,\"verb\":\"status\"} x",
		"{\"cordon\":1,\"verb\":\"status\"}{}",
		"{\"cordon\":1,\"verb\":\"status\"",
		"{\"cordon\":1,\"verb\":\"stat\xff\"}",
	};
	struct control_request request;

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_int_equal(parse(bad[i], &request), -EINVAL);
}

static void request_refuses_names_beyond_their_limit(void **state)
{
	struct control_request request;
	char text[256], name[CORDON_NAME + 1];

	(void)state;
	for (size_t len = CORDON_NAME - 1; len <= CORDON_NAME; len++) {
		memset(name, 'n', len);
		name[len] = '\0';
		(void)snprintf(text, sizeof(text),
			       "{\"cordon\":1,\"verb\":\"ledger\","
			       "\"dataset\":\"%s\"}",
			       name);
		assert_int_equal(parse(text, &request),
				 len < CORDON_NAME ? 0 : -EINVAL);
	}
}

/* Brackets without end must not eat the stack. */
static void request_refuses_deep_nesting(void **state)
{
	char error[CONTROL_ERROR_CHARS_MAX];
	struct control_request request;
	char *text = malloc(CONTROL_LINE_MAX);

	(void)state;
	assert_non_null(text);
	memset(text, '[', CONTROL_LINE_MAX);
	assert_int_equal(
		control_request_parse(text, CONTROL_LINE_MAX, &request, error),
		-EINVAL);
	free(text);
}

static void request_survives_the_way_there(void **state)
{
	struct control_request in = {.verb = CONTROL_LEDGER,
				     .dataset = "a\"b\\c",
				     .destination = "\303\244"};
	struct control_request out;
	char *line = NULL;

	(void)state;
	assert_int_equal(control_request_format(&in, &line), 0);
	assert_int_equal(line[strlen(line) - 1], '\n');
	line[strlen(line) - 1] = '\0';
	assert_null(strchr(line, '\n'));
	assert_int_equal(parse(line, &out), 0);
	assert_string_equal(out.dataset, in.dataset);
	assert_string_equal(out.destination, in.destination);
	free(line);
}

static void request_is_not_made_of_bad_names(void **state)
{
	struct control_request in = {.verb = CONTROL_LEDGER,
				     .dataset = "a\xff"};
	char *line = NULL;

	(void)state;
	assert_int_equal(control_request_format(&in, &line), -EINVAL);
	assert_null(line);
}

/* ---- lines -------------------------------------------------------------- */

static void lines_come_whole_whatever_the_pieces(void **state)
{
	static const char text[] = "one\n\nthree\nfour";
	struct control_lines lines = {0};
	char got[64] = "";
	size_t len;
	char *line;
	int fd[2];

	(void)state;
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, fd), 0);
	for (size_t i = 0; i < sizeof(text) - 1; i++) {
		assert_int_equal(write(fd[1], text + i, 1), 1);
		assert_int_equal(control_lines_fill(&lines, fd[0]), 1);
		while ((line = control_lines_next(&lines, &len))) {
			assert_int_equal(strlen(line), len);
			(void)strcat(got, line);
			(void)strcat(got, "|");
		}
	}
	assert_string_equal(got, "one||three|");
	(void)close(fd[1]);
	assert_int_equal(control_lines_fill(&lines, fd[0]), 0);
	assert_null(control_lines_next(&lines, &len));
	control_lines_release(&lines);
	(void)close(fd[0]);
}

static void lines_are_refused_beyond_their_limit(void **state)
{
	struct control_lines lines = {0};
	char *text = malloc(CONTROL_LINE_MAX);
	int fd[2], r, size = 4 * CONTROL_LINE_MAX;
	size_t len;

	(void)state;
	assert_non_null(text);
	memset(text, 'x', CONTROL_LINE_MAX);
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, fd), 0);
	(void)setsockopt(fd[1], SOL_SOCKET, SO_SNDBUF, &size, sizeof(size));

	/* The longest that fits, with its newline ... */
	text[CONTROL_LINE_MAX - 1] = '\n';
	assert_int_equal(write(fd[1], text, CONTROL_LINE_MAX),
			 CONTROL_LINE_MAX);
	do
		assert_int_equal(control_lines_fill(&lines, fd[0]), 1);
	while (!control_lines_next(&lines, &len));
	assert_int_equal(len, CONTROL_LINE_MAX - 1);

	/* ... and one byte more. */
	text[CONTROL_LINE_MAX - 1] = 'x';
	assert_int_equal(write(fd[1], text, CONTROL_LINE_MAX),
			 CONTROL_LINE_MAX);
	while ((r = control_lines_fill(&lines, fd[0])) == 1)
		assert_null(control_lines_next(&lines, &len));
	assert_int_equal(r, -EMSGSIZE);

	control_lines_release(&lines);
	(void)close(fd[0]);
	(void)close(fd[1]);
	free(text);
}

/* ---- server and clients ------------------------------------------------- */

struct server {
	char dir[32];
	char path[64];
	struct control *control;
	int lines; /* of a reply to "status" */
	int released;
	bool fail;
	uint64_t news; /* for followers */
};

static void released(void *data)
{
	(*(int *)data)++;
}

static int answer_test(struct control *control, struct control_client *client,
		       void *arg)
{
	struct server *server = arg;
	char pad[1024];

	(void)control;
	client->data = &server->released;
	client->free_data = released;
	if (server->fail)
		return -EIO;
	if (client->request.verb == CONTROL_EVENTS) {
		if (client->cursor == server->news)
			return client->request.follow ? CONTROL_WAIT
						      : CONTROL_END;
		if (client->cursor++ + 10 < server->news) {
			control_fail(client, CONTROL_SLOW, "too slow");
			return -ESTALE;
		}
		return control_reply(client,
				     json_pack("{s:i, s:s, s:I}", "cordon", 1,
					       "type", "event", "seq",
					       (json_int_t)client->cursor))
			       ?: CONTROL_MORE;
	}
	if (client->step == (uint64_t)server->lines)
		return CONTROL_END;
	client->step++;
	memset(pad, 'p', sizeof(pad) - 1);
	pad[sizeof(pad) - 1] = '\0';
	return control_reply(client, json_pack("{s:i, s:s, s:s}", "cordon", 1,
					       "type", "test", "pad", pad))
		       ?: CONTROL_MORE;
}

static int setup(void **state)
{
	struct server *server = calloc(1, sizeof(*server));

	if (!server)
		return -1;
	(void)strcpy(server->dir, "/tmp/test_control.XXXXXX");
	if (!mkdtemp(server->dir))
		return -1;
	(void)snprintf(server->path, sizeof(server->path), "%s/s", server->dir);
	if (control_new(server->path, answer_test, server, &server->control))
		return -1;
	server->lines = 3;
	*state = server;
	return 0;
}

static int teardown(void **state)
{
	struct server *server = *state;

	control_free(server->control);
	if (access(server->path, F_OK) == 0)
		return -1;
	(void)rmdir(server->dir);
	free(server);
	return 0;
}

static void dispatch(struct server *server)
{
	for (int i = 0; i < 8; i++)
		assert_int_equal(control_dispatch(server->control), 0);
}

static int dial(struct server *server)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int fd;

	(void)strcpy(address.sun_path, server->path);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	assert_true(fd >= 0);
	assert_int_equal(
		connect(fd, (struct sockaddr *)&address, sizeof(address)), 0);
	return fd;
}

static void ask(int fd, const char *text)
{
	assert_int_equal(write(fd, text, strlen(text)), strlen(text));
}

/* Reads lines until there are none; counts them, keeps the last "type" and
 * "code". -1: the server closed. */
struct heard {
	int lines;
	bool closed;
	char type[16], code[16];
};

static void hear(int fd, struct control_lines *lines, struct heard *heard)
{
	const char *value;
	json_t *object;
	size_t len;
	char *text;
	int r;

	while ((r = control_lines_fill(lines, fd)) == 1)
		while ((text = control_lines_next(lines, &len))) {
			object = json_loadb(text, len, 0, NULL);
			assert_non_null(object);
			heard->lines++;
			value = json_string_value(
				json_object_get(object, "type"));
			(void)snprintf(heard->type, sizeof(heard->type), "%s",
				       value);
			value = json_string_value(
				json_object_get(object, "code"));
			(void)snprintf(heard->code, sizeof(heard->code), "%s",
				       value ? value : "");
			json_decref(object);
		}
	heard->closed = r != -EAGAIN;
}

static struct heard hear_once(int fd)
{
	struct control_lines lines = {0};
	struct heard heard = {0};

	hear(fd, &lines, &heard);
	control_lines_release(&lines);
	return heard;
}

#define STATUS "{\"cordon\":1,\"verb\":\"status\"}\n"
#define FOLLOW "{\"cordon\":1,\"verb\":\"events\",\"follow\":true}\n"

static void socket_is_for_root_and_the_group(void **state)
{
	struct server *server = *state;
	struct stat st;

	assert_int_equal(stat(server->path, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0660);
}

static void server_answers_again_on_one_connection(void **state)
{
	struct server *server = *state;
	struct heard heard;
	int fd = dial(server);

	dispatch(server);
	for (int i = 0; i < 3; i++) {
		ask(fd, STATUS);
		dispatch(server);
		heard = hear_once(fd);
		assert_int_equal(heard.lines, 4);
		assert_string_equal(heard.type, "end");
		assert_false(heard.closed);
		assert_int_equal(server->released, i + 1);
	}
	(void)close(fd);
	dispatch(server);
	assert_int_equal(control_clients(server->control), 0);
}

static void server_answers_requests_sent_together(void **state)
{
	struct server *server = *state;
	struct heard heard;
	int fd = dial(server);

	ask(fd, STATUS STATUS);
	(void)shutdown(fd, SHUT_WR);
	dispatch(server);
	heard = hear_once(fd);
	assert_int_equal(heard.lines, 8);
	assert_true(heard.closed);
	(void)close(fd);
	assert_int_equal(control_clients(server->control), 0);
}

static void server_refuses_and_closes(void **state)
{
	struct server *server = *state;
	struct heard heard;
	int fd = dial(server);

	ask(fd, "{\"cordon\":1,\"verb\":\"nothing\"}\n" STATUS);
	dispatch(server);
	heard = hear_once(fd);
	assert_int_equal(heard.lines, 1);
	assert_string_equal(heard.code, "refused");
	assert_true(heard.closed);
	(void)close(fd);
}

static void server_refuses_a_line_without_end(void **state)
{
	struct server *server = *state;
	char *text = calloc(1, CONTROL_LINE_MAX + 1);
	struct heard heard;
	size_t sent = 0;
	int fd = dial(server);

	memset(text, ' ', CONTROL_LINE_MAX + 1);
	while (sent <= CONTROL_LINE_MAX) {
		ssize_t n = write(fd, text, CONTROL_LINE_MAX + 1 - sent);

		sent += n > 0 ? (size_t)n : 0;
		dispatch(server);
	}
	dispatch(server);
	heard = hear_once(fd);
	assert_string_equal(heard.code, "refused");
	assert_true(heard.closed);
	(void)close(fd);
	free(text);
}

static void server_tells_when_it_fails(void **state)
{
	struct server *server = *state;
	struct heard heard;
	int fd = dial(server);

	server->fail = true;
	ask(fd, STATUS);
	dispatch(server);
	heard = hear_once(fd);
	assert_string_equal(heard.code, "failed");
	assert_true(heard.closed);
	assert_int_equal(server->released, 1);
	(void)close(fd);
}

/* A reply of 20 MiB to a client that reads slowly stays small here. */
static void server_makes_replies_as_they_are_taken(void **state)
{
	struct server *server = *state;
	struct control_lines lines = {0};
	struct heard heard = {0};
	int fd = dial(server);

	server->lines = 20000;
	ask(fd, STATUS);
	dispatch(server);
	while (strcmp(heard.type, "end") != 0) {
		assert_false(heard.closed);
		hear(fd, &lines, &heard);
		dispatch(server);
	}
	assert_int_equal(heard.lines, 20001);
	control_lines_release(&lines);
	(void)close(fd);
}

static void server_goes_on_when_a_client_leaves_half_way(void **state)
{
	struct server *server = *state;
	int fd = dial(server);

	server->lines = 20000;
	ask(fd, STATUS);
	dispatch(server);
	(void)close(fd);
	dispatch(server);
	assert_int_equal(control_clients(server->control), 0);
	assert_int_equal(server->released, 1);
}

static void follower_gets_news_and_is_dropped_when_slow(void **state)
{
	struct server *server = *state;
	struct heard heard;
	int fd = dial(server);

	ask(fd, FOLLOW);
	dispatch(server);
	assert_int_equal(hear_once(fd).lines, 0);
	server->news = 3;
	control_wake(server->control);
	heard = hear_once(fd);
	assert_int_equal(heard.lines, 3);
	assert_false(heard.closed);
	server->news = 100;
	control_wake(server->control);
	heard = hear_once(fd);
	assert_string_equal(heard.code, "slow");
	assert_true(heard.closed);
	assert_int_equal(control_clients(server->control), 0);
	(void)close(fd);
}

static void server_turns_the_seventeenth_away(void **state)
{
	struct server *server = *state;
	int fds[CONTROL_CLIENTS_MAX + 1];
	struct heard heard;

	for (int i = 0; i <= CONTROL_CLIENTS_MAX; i++) {
		fds[i] = dial(server);
		ask(fds[i], FOLLOW);
		dispatch(server);
	}
	assert_int_equal(control_clients(server->control), CONTROL_CLIENTS_MAX);
	heard = hear_once(fds[CONTROL_CLIENTS_MAX]);
	assert_string_equal(heard.code, "busy");
	assert_true(heard.closed);
	for (int i = 0; i <= CONTROL_CLIENTS_MAX; i++)
		(void)close(fds[i]);
	dispatch(server);
	assert_int_equal(control_clients(server->control), 0);
}

static void server_denies_another_user(void **state)
{
	struct server *server = *state;
	struct heard heard;
	int status, fd;
	pid_t pid;

	if (geteuid() != 0)
		return; /* nobody to become */
	assert_int_equal(chmod(server->dir, 0755), 0);
	assert_int_equal(chmod(server->path, 0666), 0);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		if (setresgid(65534, 65534, 65534) ||
		    setresuid(65534, 65534, 65534))
			_exit(9);
		fd = dial(server);
		ask(fd, STATUS);
		for (int i = 0; i < 100; i++) {
			heard = hear_once(fd);
			if (heard.lines)
				_exit(strcmp(heard.code, "denied") != 0);
			(void)usleep(20000);
		}
		_exit(8);
	}
	while (waitpid(pid, &status, WNOHANG) == 0)
		assert_int_equal(control_dispatch(server->control), 0);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 0);
}

/* ---- the command's side ------------------------------------------------- */

struct called {
	struct server *server;
	int r;
	int lines;
	int waited;
	int patience; /* how often it waits; 0: as often as it takes */
	enum control_verb verb;
	char error[CONTROL_ERROR_CHARS_MAX];
	bool done;
};

static int count_line(const json_t *line, const char *text, void *arg)
{
	struct called *called = arg;

	(void)line;
	(void)text;
	called->lines++;
	return 0;
}

static void *call(void *arg)
{
	struct called *called = arg;
	struct control_request request = {.verb = called->verb};

	called->r = control_call(called->server->path, &request, count_line,
				 called, called->error);
	__atomic_store_n(&called->done, true, __ATOMIC_RELEASE);
	return NULL;
}

static void serve_call(struct called *called)
{
	pthread_t thread;

	assert_int_equal(pthread_create(&thread, NULL, call, called), 0);
	while (!__atomic_load_n(&called->done, __ATOMIC_ACQUIRE))
		assert_int_equal(control_dispatch(called->server->control), 0);
	assert_int_equal(pthread_join(thread, NULL), 0);
}

static void call_gets_the_whole_reply(void **state)
{
	struct called called = {.server = *state, .verb = CONTROL_STATUS};

	called.server->lines = 500;
	serve_call(&called);
	assert_int_equal(called.r, 0);
	assert_int_equal(called.lines, 500);
}

static void call_tells_what_the_agent_said(void **state)
{
	struct called called = {.server = *state, .verb = CONTROL_STATUS};

	called.server->fail = true;
	serve_call(&called);
	assert_int_equal(called.r, -EIO);
	assert_non_null(strstr(called.error, "could not answer"));
}

static void call_fails_when_nobody_is_there(void **state)
{
	struct control_request request = {.verb = CONTROL_STATUS};
	char error[CONTROL_ERROR_CHARS_MAX];
	struct called called = {0};

	(void)state;
	assert_int_equal(control_call("/nonexistent/socket", &request,
				      count_line, &called, error),
			 -ENOENT);
	assert_non_null(strstr(error, "/nonexistent/socket"));
}

/* Serves while the other waits, all in one thread. */
static int serve_and_wait(int fd, void *arg)
{
	struct called *called = arg;

	(void)fd;
	called->waited++;
	if (called->patience && called->waited > called->patience)
		return -ECANCELED;
	return control_dispatch(called->server->control);
}

static void call_blocks_nowhere_but_in_wait(void **state)
{
	struct called called = {.server = *state, .verb = CONTROL_STATUS};
	struct control_request request = {.verb = CONTROL_STATUS};

	called.server->lines = 500;
	assert_int_equal(control_call_waiting(called.server->path, &request,
					      count_line, serve_and_wait,
					      &called, called.error),
			 0);
	assert_int_equal(called.lines, 500);
	assert_true(called.waited > 1);
}

static void call_ends_when_wait_gives_up(void **state)
{
	struct called called = {.server = *state, .patience = 3};
	struct control_request request = {.verb = CONTROL_EVENTS,
					  .follow = true};

	assert_int_equal(control_call_waiting(called.server->path, &request,
					      count_line, serve_and_wait,
					      &called, called.error),
			 -ECANCELED);
	assert_string_equal(called.error, "");
	assert_int_equal(called.waited, 4);
}

/* Nobody dispatches: the kernel takes the caller in, and nothing comes. */
static void call_ends_in_time_when_the_agent_is_busy(void **state)
{
	struct control_request request = {.verb = CONTROL_STATUS};
	struct called called = {.server = *state};
	int64_t begun_ms = clock_ms();

	assert_int_equal(control_call_within(called.server->path, &request, 100,
					     count_line, &called, called.error),
			 -ETIMEDOUT);
	assert_in_range(clock_ms() - begun_ms, 100, 5000);
	assert_non_null(strstr(called.error, "in time"));
	assert_int_equal(called.lines, 0);
}

static void call_ends_in_time_when_nobody_is_taken_in(void **state)
{
	struct control_request request = {.verb = CONTROL_STATUS};
	struct called called = {.server = *state};
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int fd, waiting[2];

	(void)snprintf(address.sun_path, sizeof(address.sun_path), "%s/full",
		       called.server->dir);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_true(fd >= 0);
	assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof(address)),
			 0);
	assert_int_equal(listen(fd, 0), 0);
	for (int i = 0; i < 2; i++) {
		waiting[i] = socket(
			AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
		assert_true(waiting[i] >= 0);
		(void)!connect(waiting[i], (struct sockaddr *)&address,
			       sizeof(address));
	}
	assert_int_equal(control_call_within(address.sun_path, &request, 100,
					     count_line, &called, called.error),
			 -ETIMEDOUT);
	(void)close(waiting[0]);
	(void)close(waiting[1]);
	(void)close(fd);
	(void)unlink(address.sun_path);
}

#define WITH_SERVER(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(request_takes_each_verb),
		cmocka_unit_test(request_takes_acts),
		cmocka_unit_test(requests_that_change_something_are_roots),
		cmocka_unit_test(request_refuses_what_is_not_exactly_one),
		cmocka_unit_test(request_refuses_names_beyond_their_limit),
		cmocka_unit_test(request_refuses_deep_nesting),
		cmocka_unit_test(request_survives_the_way_there),
		cmocka_unit_test(request_is_not_made_of_bad_names),
		cmocka_unit_test(lines_come_whole_whatever_the_pieces),
		cmocka_unit_test(lines_are_refused_beyond_their_limit),
		WITH_SERVER(socket_is_for_root_and_the_group),
		WITH_SERVER(server_answers_again_on_one_connection),
		WITH_SERVER(server_answers_requests_sent_together),
		WITH_SERVER(server_refuses_and_closes),
		WITH_SERVER(server_refuses_a_line_without_end),
		WITH_SERVER(server_tells_when_it_fails),
		WITH_SERVER(server_makes_replies_as_they_are_taken),
		WITH_SERVER(server_goes_on_when_a_client_leaves_half_way),
		WITH_SERVER(follower_gets_news_and_is_dropped_when_slow),
		WITH_SERVER(server_turns_the_seventeenth_away),
		WITH_SERVER(server_denies_another_user),
		WITH_SERVER(call_gets_the_whole_reply),
		WITH_SERVER(call_tells_what_the_agent_said),
		WITH_SERVER(call_blocks_nowhere_but_in_wait),
		WITH_SERVER(call_ends_when_wait_gives_up),
		WITH_SERVER(call_fails_when_nobody_is_there),
		WITH_SERVER(call_ends_in_time_when_the_agent_is_busy),
		WITH_SERVER(call_ends_in_time_when_nobody_is_taken_in),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
