// SPDX-License-Identifier: GPL-2.0-only
/*
 * One who has a link, for tests: does what it is told on standard input, a line
 * each, and tells what the link says, a line each.
 *
 *	report ID MSGID TEXT	attest TEXT
 *	publish ID host|group NAME TEXT
 *	ask NAME|- TEXT		fetch ID COUNT		ack ID
 *	state			tells of the process
 *	break			ends it as one that said something wrong
 *
 * TEXT is taken as it stands; @FILE is what is in that file. What comes is told
 * as it is if it is short, and by its length and SHA-256 if it is not.
 *
 * usage: peer host HOST GROUP,... OPTION...
 *        peer force OPTION...
 * with -u URL (one or several), -c CA -t CERT -k KEY, -U USER, -p PROGRAM
 */
#include <errno.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "link.h"
#include "sign.h"
#include "state.h"
#include "text.h"

#define SHORT_MAX 200
#define LINE_SIZE 4096

static const char *urls[LINK_SERVERS_MAX];
static const char *groups[LINK_GROUPS_MAX];

static void die(const char *what, int r)
{
	fprintf(stderr, "peer: %s: %s\n", what, strerror(-r));
	exit(2);
}

/* ---- what is told -------------------------------------------------------- */

static void tell(const struct link_frame *frame)
{
	char hash[SIGN_HASH_CHARS_MAX];

	printf("%s id=%llu count=%u kind=%u name=%s ",
	       link_type_name(frame->type), (unsigned long long)frame->id,
	       frame->count, frame->kind, frame->name);
	if (frame->len <= SHORT_MAX) {
		printf("bytes=%.*s\n", (int)frame->len,
		       (const char *)frame->bytes);
		return;
	}
	sign_hash(frame->bytes, frame->len, hash);
	printf("len=%zu sha256=%s\n", frame->len, hash);
}

static void tell_state(const struct link *link)
{
	const struct link_state *state = link_state(link);

	printf("state connected=%d starts=%llu broken=%llu killed=%llu pid=%d "
	       "words=%s\n",
	       state->connected, (unsigned long long)state->starts,
	       (unsigned long long)state->broken,
	       (unsigned long long)state->killed, (int)state->pid,
	       state->words);
}

/* ---- what is done -------------------------------------------------------- */

static uint64_t number(const char *text)
{
	uint64_t value = 0;

	if (text && text_parse_u64(text, 0, UINT64_MAX, &value))
		die(text, -EINVAL);
	return value;
}

static void send_frame(struct link *link, struct link_frame *frame,
		       const char *text)
{
	char *file = NULL;
	int r;

	frame->bytes = text;
	frame->len = text ? strlen(text) : 0;
	if (text && text[0] == '@') {
		r = state_get(text + 1, LINK_FRAME_MAX, &file, &frame->len);
		if (r)
			die(text, r);
		frame->bytes = file;
	}
	r = link_send(link, frame);
	if (r)
		printf("not sent: %s\n", strerror(-r));
	free(file);
}

static void name_it(struct link_frame *frame, const char *name)
{
	if (name && strcmp(name, "-") != 0)
		snprintf(frame->name, sizeof(frame->name), "%s", name);
}

static void do_line(struct link *link, char *line)
{
	static const char *const verbs[] = {"report", "attest", "publish",
					    "ask",    "fetch",	"ack"};
	static const enum link_type types[] = {LINK_REPORT,  LINK_ATTEST,
					       LINK_PUBLISH, LINK_ASK,
					       LINK_FETCH,   LINK_ACK};
	struct link_frame frame = {0};
	char *verb = strsep(&line, " "), *kind;

	if (strcmp(verb, "state") == 0)
		tell_state(link);
	if (strcmp(verb, "break") == 0)
		link_break(link, "told to");
	for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++)
		if (strcmp(verb, verbs[i]) == 0)
			frame.type = types[i];
	if (!frame.type)
		return;
	if (frame.type != LINK_ATTEST && frame.type != LINK_ASK)
		frame.id = number(strsep(&line, " "));
	if (frame.type == LINK_PUBLISH) {
		kind = strsep(&line, " ");
		frame.kind = kind && strcmp(kind, "group") == 0 ? LINK_GROUP
								: LINK_HOST;
	}
	if (frame.type == LINK_REPORT || frame.type == LINK_PUBLISH ||
	    frame.type == LINK_ASK)
		name_it(&frame, strsep(&line, " "));
	if (frame.type == LINK_FETCH)
		frame.count = (uint32_t)number(strsep(&line, " "));
	send_frame(link, &frame, line);
}

/* False: standard input has ended. */
static bool do_input(struct link *link)
{
	static char buf[LINE_SIZE];
	static size_t len;
	ssize_t n = read(0, buf + len, sizeof(buf) - len);
	char *end;

	if (n <= 0)
		return false;
	len += (size_t)n;
	while ((end = memchr(buf, '\n', len))) {
		*end = '\0';
		do_line(link, buf);
		len -= (size_t)(end + 1 - buf);
		memmove(buf, end + 1, len);
	}
	return len < sizeof(buf);
}

static void run(struct link *link)
{
	struct pollfd fds[] = {{.fd = 0, .events = POLLIN},
			       {.fd = link_fd(link), .events = POLLIN}};
	struct link_frame frame;
	int r;

	for (;;) {
		r = link_work(link);
		if (r)
			die("link_work", r);
		while (link_next(link, &frame) == 1)
			tell(&frame);
		fflush(stdout);
		if (poll(fds, 2, -1) < 0 && errno != EINTR)
			die("poll", -errno);
		if (fds[0].revents && !do_input(link))
			return;
	}
}

static size_t split(char *list, const char **ret, size_t max)
{
	size_t n = 0;
	char *word;

	while (list && n < max && (word = strsep(&list, ",")))
		if (word[0])
			ret[n++] = word;
	return n;
}

static void take_options(int argc, char **argv, struct link_options *options)
{
	int option;

	while ((option = getopt(argc, argv, "u:c:t:k:U:p:")) != -1)
		switch (option) {
		case 'u':
			if (options->n_servers < LINK_SERVERS_MAX)
				urls[options->n_servers++] = optarg;
			break;
		case 'c':
			options->ca = optarg;
			break;
		case 't':
			options->cert = optarg;
			break;
		case 'k':
			options->key = optarg;
			break;
		case 'U':
			options->user = optarg;
			options->root = false;
			break;
		case 'p':
			options->program = optarg;
			break;
		default:
			exit(2);
		}
}

int main(int argc, char **argv)
{
	struct link_options options = {
		.servers = urls, .groups = groups, .root = true};
	bool host = argc > 3 && strcmp(argv[1], "host") == 0;
	struct link *link;
	int r;

	if (argc < 2)
		return 2;
	options.role = host ? LINK_OF_HOST : LINK_OF_FORCE;
	if (host) {
		options.host = argv[2];
		options.n_groups = split(argv[3], groups, LINK_GROUPS_MAX);
	}
	take_options(argc - (host ? 3 : 1), argv + (host ? 3 : 1), &options);
	r = link_new(&options, &link);
	if (r)
		die("link_new", r);
	run(link);
	link_free(link);
	return 0;
}
