// SPDX-License-Identifier: GPL-2.0-only
/*
 * cordon-link(8): between the broker, which is another's, and the agent, which
 * believes nothing of what comes from here.
 */
#include "cordon_link.h"

#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <inttypes.h>
#include <jansson.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "clock.h"
#include "log.h"
#include "text.h"
#include "version.h"

/* No more is taken from the broker as long as so much waits for the agent. */
#define WAITING_MAX (1U << 20)
#define STORED_MAX  64
/* So long the agent may take nothing at the begin and at the end. */
#define DRAIN_MS 10000

static const char usage[] =
	"usage: cordon-link --role host|force OPTION...\n"
	"\n"
	"Speaks to the broker of a fleet, for cordond or `cordon fleet', which "
	"start it.\n"
	"\n"
	"  --server URL       tls://NAME:PORT; any of those that are given\n"
	"  --ca FILE          who has to have signed the server's certificate\n"
	"  --cert FILE, --key FILE\n"
	"                     by what the server knows this one\n"
	"  --host NAME        of a host: what it is called in subjects\n"
	"  --group NAME       of a host: one of its groups\n"
	"  --replicas N       of the force: of each stream that it makes\n"
	"  --user NAME        who it is, once it has begun\n"
	"  --root             root may be: for tests\n"
	"  --version, --help\n"
	"\n"
	"exit: 0 it was told to end, 1 it cannot go on, 2 usage. See "
	"cordon-link(8).\n";

/* ---- options ------------------------------------------------------------- */

enum option_code {
	OPT_ROLE = 256,
	OPT_SERVER,
	OPT_CA,
	OPT_CERT,
	OPT_KEY,
	OPT_HOST,
	OPT_GROUP,
	OPT_REPLICAS,
	OPT_USER,
	OPT_ROOT,
	OPT_VERSION,
	OPT_HELP,
};

static const struct option options[] = {
	{"role", required_argument, NULL, OPT_ROLE},
	{"server", required_argument, NULL, OPT_SERVER},
	{"ca", required_argument, NULL, OPT_CA},
	{"cert", required_argument, NULL, OPT_CERT},
	{"key", required_argument, NULL, OPT_KEY},
	{"host", required_argument, NULL, OPT_HOST},
	{"group", required_argument, NULL, OPT_GROUP},
	{"replicas", required_argument, NULL, OPT_REPLICAS},
	{"user", required_argument, NULL, OPT_USER},
	{"root", no_argument, NULL, OPT_ROOT},
	{"version", no_argument, NULL, OPT_VERSION},
	{"help", no_argument, NULL, OPT_HELP},
	{NULL, 0, NULL, 0},
};

static int wrong(const char *format, ...) __attribute__((format(printf, 1, 2)));

static int wrong(const char *format, ...)
{
	va_list ap;

	(void)fputs("cordon-link: ", stderr);
	va_start(ap, format);
	(void)vfprintf(stderr, format, ap);
	va_end(ap);
	(void)fputs("; see --help\n", stderr);
	return -EINVAL;
}

static int take_role(const char *text, struct link_config *config)
{
	if (strcmp(text, "host") == 0)
		config->role = LINK_OF_HOST;
	else if (strcmp(text, "force") == 0)
		config->role = LINK_OF_FORCE;
	else
		return wrong("--role: it is host or force");
	return 0;
}

static int take_server(const char *url, struct link_config *config)
{
	if (config->n_servers == LINK_SERVERS_MAX)
		return wrong("--server: %d at most", LINK_SERVERS_MAX);
	if (!link_is_server(url))
		return wrong("--server: it is tls://NAME:PORT");
	config->servers[config->n_servers++] = url;
	return 0;
}

static int take_name(const char *name, struct link_config *config, int option)
{
	if (!fleet_is_name(name, strlen(name)))
		return wrong("a name has letters, digits, _ and -, and %d of "
			     "them at most",
			     FLEET_NAME_CHARS_MAX);
	if (option == OPT_HOST)
		config->host = name;
	else if (config->n_groups == LINK_GROUPS_MAX)
		return wrong("--group: %d at most", LINK_GROUPS_MAX);
	else
		config->groups[config->n_groups++] = name;
	return 0;
}

static int take_option(int option, struct link_config *config)
{
	switch (option) {
	case OPT_ROLE:
		return take_role(optarg, config);
	case OPT_SERVER:
		return take_server(optarg, config);
	case OPT_CA:
		config->ca = optarg;
		return 0;
	case OPT_CERT:
		config->cert = optarg;
		return 0;
	case OPT_KEY:
		config->key = optarg;
		return 0;
	case OPT_HOST:
	case OPT_GROUP:
		return take_name(optarg, config, option);
	case OPT_REPLICAS:
		return text_parse_u64(optarg, 1, LINK_REPLICAS_MAX,
				      &config->replicas)
			       ? wrong("--replicas: 1 to %d", LINK_REPLICAS_MAX)
			       : 0;
	case OPT_USER:
		config->user = optarg;
		return 0;
	case OPT_ROOT:
		config->root = true;
		return 0;
	default:
		return -EINVAL;
	}
}

/* 0; 1: done; -EINVAL: wrong, and said. */
static int parse(int argc, char **argv, struct link_config *config)
{
	int option, r;

	while ((option = getopt_long(argc, argv, "", options, NULL)) != -1) {
		if (option == OPT_HELP)
			return fputs(usage, stdout) < 0 ? -EINVAL : 1;
		if (option == OPT_VERSION)
			return puts("cordon-link " CORDON_VERSION) < 0 ? -EINVAL
								       : 1;
		r = take_option(option, config);
		if (r)
			return r;
	}
	if (optind != argc)
		return wrong("%s: it takes no argument", argv[optind]);
	if (!config->n_servers)
		return wrong("--server is missing");
	if (config->role == LINK_OF_HOST && !config->host)
		return wrong("--host is missing");
	return 0;
}

/* ---- what roles have in common ------------------------------------------- */

int side_fail(struct link_side *side, const char *format, ...)
{
	va_list ap;

	va_start(ap, format);
	(void)vsnprintf(side->words, sizeof(side->words), format, ap);
	va_end(ap);
	log_clean(side->words);
	return -EPIPE;
}

int side_send(struct link_side *side, const struct link_frame *frame)
{
	int r = link_writer_put(&side->out, frame);

	return r ? side_fail(side, "a frame (%s) could not be sent: %s",
			     link_type_name(frame->type), strerror(-r))
		 : 0;
}

int side_drain(struct link_side *side)
{
	struct pollfd room = {.fd = LINK_FD, .events = POLLOUT};
	int r;

	while ((r = link_writer_flush(&side->out, LINK_FD)) == -EAGAIN)
		if (poll(&room, 1, DRAIN_MS) <= 0)
			return side_fail(side, "the agent takes nothing");
	return r ? side_fail(side, "writing to the agent: %s", strerror(-r))
		 : 0;
}

const char *side_name(const char *subject, const char *before)
{
	size_t len = strlen(before);

	if (strncmp(subject, before, len) != 0)
		return NULL;
	subject += len;
	return fleet_is_name(subject, strlen(subject)) ? subject : NULL;
}

/* ---- what the broker has to keep ----------------------------------------- */

struct stored {
	struct {
		uint64_t id; /* 0: free */
		int64_t due_ms;
	} at[STORED_MAX];
	uint64_t next; /* number of the answer's subject */
	uint64_t numbers[STORED_MAX];
};

static int refuse(struct link_side *side, uint64_t id, const char *words)
{
	struct link_frame frame = {.type = LINK_REFUSED,
				   .id = id,
				   .bytes = words,
				   .len = strnlen(words, LINK_WORDS_MAX)};

	return side_send(side, &frame);
}

static size_t free_place(const struct stored *stored)
{
	size_t i = 0;

	while (i < STORED_MAX && stored->at[i].id)
		i++;
	return i;
}

int side_store(struct link_side *side, const struct link_frame *frame,
	       const char *subject, const char *msgid)
{
	struct stored *stored = side->stored;
	char reply[LINK_SUBJECT_MAX + 32];
	size_t i = free_place(stored);
	int r;

	if (i == STORED_MAX)
		return refuse(side, frame->id, "too many wait for the broker");
	stored->numbers[i] = ++stored->next;
	(void)snprintf(reply, sizeof(reply), "%s.stored.%" PRIu64, side->inbox,
		       stored->next);
	r = broker_publish(side->broker, subject, reply, msgid, frame->bytes,
			   frame->len);
	if (r == -EMSGSIZE)
		return refuse(side, frame->id,
			      "it is larger than the broker takes: its "
			      "max_payload");
	stored->at[i].id = frame->id;
	stored->at[i].due_ms = clock_ms() + LINK_STORED_S * 1000;
	return r;
}

/* The answer of a stream: it has it, or why not. */
static int take_stored(struct link_side *side, uint64_t id,
		       const struct broker_message *message)
{
	struct link_frame frame = {.type = LINK_ACKED, .id = id};
	const char *words = "the broker's answer is none";
	json_t *answer, *error;
	int r;

	if (message->status)
		return refuse(side, id,
			      strcmp(message->status, "503") == 0
				      ? "the broker keeps nothing under this "
					"subject: the force has not connected "
					"to it yet"
				      : "the broker could not keep it");
	answer = json_loadb(message->bytes, message->len,
			    JSON_REJECT_DUPLICATES, NULL);
	error = json_object_get(answer, "error");
	if (!error && json_is_string(json_object_get(answer, "stream")) &&
	    json_is_integer(json_object_get(answer, "seq"))) {
		frame.kind = json_is_true(json_object_get(answer, "duplicate"));
		json_decref(answer);
		return side_send(side, &frame);
	}
	if (json_is_string(json_object_get(error, "description")))
		words = json_string_value(
			json_object_get(error, "description"));
	r = refuse(side, id, words);
	json_decref(answer);
	return r;
}

/* 1: the message was an answer. */
static int on_stored(struct link_side *side,
		     const struct broker_message *message)
{
	struct stored *stored = side->stored;
	char before[LINK_SUBJECT_MAX + 16];
	const char *name;
	uint64_t number, id;

	(void)snprintf(before, sizeof(before), "%s.stored.", side->inbox);
	name = side_name(message->subject, before);
	if (!name)
		return 0;
	if (text_parse_u64(name, 1, UINT64_MAX, &number))
		return 1;
	for (size_t i = 0; i < STORED_MAX; i++)
		if (stored->at[i].id && stored->numbers[i] == number) {
			id = stored->at[i].id;
			stored->at[i].id = 0;
			return take_stored(side, id, message) ? -EPIPE : 1;
		}
	return 1;
}

/* Milliseconds until the next one waits no longer; -1: none does. */
static int tick_stored(struct link_side *side)
{
	struct stored *stored = side->stored;
	int64_t now = clock_ms(), least = -1, left;

	for (size_t i = 0; i < STORED_MAX; i++) {
		if (!stored->at[i].id)
			continue;
		left = stored->at[i].due_ms - now;
		if (left <= 0) {
			(void)refuse(side, stored->at[i].id,
				     "the broker did not answer in time");
			stored->at[i].id = 0;
		} else if (least < 0 || left < least) {
			least = left;
		}
	}
	return (int)least;
}

/* ---- both sides ---------------------------------------------------------- */

static int take_frames(struct link_side *side, const struct role *role)
{
	struct link_frame frame;
	int r;

	while ((r = link_reader_next(&side->in, &frame)) == 1) {
		r = role->frame(side, &frame);
		if (r)
			return r;
	}
	return r ? side_fail(side, "what came from the agent is no frame") : 0;
}

static int take_messages(struct link_side *side, const struct role *role)
{
	struct broker_message message;
	int r = 0;

	while (!r && link_writer_waiting(&side->out) < WAITING_MAX &&
	       broker_next(side->broker, &message)) {
		r = on_stored(side, &message);
		if (r == 0)
			r = role->message(side, &message);
		else if (r == 1)
			r = 0;
		broker_message_free(&message);
	}
	return r ? r
		 : broker_check(side->broker, side->words, sizeof(side->words));
}

/* 0; 1: the agent has closed its end; -EPIPE. */
static int read_agent(struct link_side *side, const struct role *role)
{
	int r = link_reader_fill(&side->in, LINK_FD);

	if (r == 0)
		return 1;
	if (r < 0 && r != -EAGAIN && r != -ENOBUFS)
		return side_fail(side, "reading from the agent: %s",
				 strerror(-r));
	return take_frames(side, role);
}

static int next_tick(struct link_side *side, const struct role *role)
{
	int a = tick_stored(side), b = role->tick ? role->tick(side) : -1;

	return a < 0 || (b >= 0 && b < a) ? b : a;
}

/* Messages that wait for the agent to take others have woken us already. */
static int wait_for(struct link_side *side, const struct role *role)
{
	bool full = link_writer_waiting(&side->out) >= WAITING_MAX;
	struct pollfd fds[] = {
		{.fd = LINK_FD, .events = POLLIN},
		{.fd = full ? -1 : broker_fd(side->broker), .events = POLLIN},
	};

	if (link_writer_waiting(&side->out))
		fds[0].events |= POLLOUT;
	if (poll(fds, 2, next_tick(side, role)) < 0 && errno != EINTR)
		return side_fail(side, "poll: %s", strerror(errno));
	return 0;
}

/* Until the agent closes its end: 0. -EPIPE. */
static int serve(struct link_side *side, const struct role *role)
{
	int r;

	for (;;) {
		r = wait_for(side, role);
		if (!r)
			r = read_agent(side, role);
		if (!r)
			r = take_messages(side, role);
		if (r)
			return r == 1 ? 0 : r;
		r = link_writer_flush(&side->out, LINK_FD);
		if (r && r != -EAGAIN)
			return side_fail(side, "writing to the agent: %s",
					 strerror(-r));
	}
}

static int say_connected(struct link_side *side)
{
	char name[LINK_WORDS_MAX + 1];
	struct link_frame frame = {.type = LINK_CONNECTED, .bytes = name};

	broker_name(side->broker, name, sizeof(name));
	frame.len = strlen(name);
	return side_send(side, &frame);
}

static int run(struct link_side *side, const struct role *role)
{
	char subject[LINK_SUBJECT_MAX + 32];
	int r;

	r = broker_connect(side->config, side->inbox, &side->broker,
			   side->words, sizeof(side->words));
	if (r)
		return r;
	(void)snprintf(subject, sizeof(subject), "%s.stored.*", side->inbox);
	r = broker_subscribe(side->broker, subject);
	if (!r)
		r = role->begin(side);
	if (!r)
		r = broker_flush(side->broker);
	if (!r)
		r = broker_check(side->broker, side->words,
				 sizeof(side->words));
	if (!r)
		r = say_connected(side);
	if (!r)
		r = serve(side, role);
	if (r && !side->words[0])
		(void)broker_check(side->broker, side->words,
				   sizeof(side->words));
	return r;
}

/* The last words, if the agent takes any more. */
static void say_disconnected(struct link_side *side)
{
	struct link_frame frame = {.type = LINK_DISCONNECTED,
				   .bytes = side->words};

	log_clean(side->words);
	frame.len = strlen(side->words);
	if (!link_writer_put(&side->out, &frame))
		(void)side_drain(side);
}

static int begin(const struct link_config *config, struct link_side *side)
{
	const char *const files[] = {config->ca, config->cert, config->key};
	bool host = config->role == LINK_OF_HOST;
	int r;

	/* From a file that it cannot read later. */
	json_object_seed(0);
	if (fcntl(LINK_FD, F_SETFL, O_NONBLOCK) < 0 ||
	    close_range(LINK_FD + 1, ~0U, 0) < 0)
		return side_fail(side, "it has no agent: %s", strerror(errno));
	side->config = config;
	side->in.from = host ? LINK_FROM_AGENT : LINK_FROM_FLEET;
	side->out.from = host ? LINK_FROM_LINK : LINK_FROM_FORCE;
	(void)snprintf(side->inbox, sizeof(side->inbox), "%s%s",
		       host ? LINK_INBOX_OF_HOST : LINK_INBOX_OF_FORCE,
		       host ? config->host : "");
	r = link_become(config->user, config->root, side->words,
			sizeof(side->words));
	if (!r)
		r = link_sandbox(files, sizeof(files) / sizeof(files[0]),
				 side->words, sizeof(side->words));
	if (r)
		return r;
	side->stored = calloc(1, sizeof(*side->stored));
	return side->stored ? 0 : side_fail(side, "no memory");
}

int main(int argc, char **argv)
{
	struct link_config config = {
		.ca = LINK_CA, .cert = LINK_CERT, .key = LINK_KEY};
	static struct link_side side;
	int r;

	r = parse(argc, argv, &config);
	if (r)
		return r == 1 ? EXIT_SUCCESS : 2;
	log_open("cordon-link", false);
	(void)signal(SIGPIPE, SIG_IGN);
	r = begin(&config, &side);
	if (!r)
		r = run(&side,
			config.role == LINK_OF_HOST ? &link_host : &link_force);
	if (r)
		say_disconnected(&side);
	broker_close(side.broker);
	/* Nothing of the library is to run at its own end. */
	_exit(r ? EXIT_FAILURE : EXIT_SUCCESS);
}
