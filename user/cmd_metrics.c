// SPDX-License-Identifier: GPL-2.0-only
/*
 * What a monitoring system scrapes. It is not the agent's to serve: whoever
 * finds a way into an HTTP server shall not find the guard behind it, and the
 * agent shall not wait for a scraper. So this is a client like others, with the
 * rights of whoever starts it, and the only file that knows the HTTP library.
 *
 * One thread: while the agent is asked, scrapers wait for each other, and all
 * of them at most ASK_MS.
 */
#include "clock.h"
#include "cmd.h"
#include "listen.h"
#include "log.h"
#include "metrics.h"
#include "version.h"

#include <errno.h>
#include <microhttpd.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/un.h>
#include <systemd/sd-daemon.h>
#include <unistd.h>

#define ASK_MS		4000 /* scrapers give up after ten seconds */
#define FRESH_MS	1000
#define SHARE		20 /* one part in so many of the agent's time at most */
#define CLIENTS_MAX	16
#define CLIENT_MS	6000 /* from its coming to its last byte */
#define CLIENT_IDLE_S	5
#define CLIENT_MEMORY	16384 /* of request and headers */
#define METRICS_ADDRESS "/metrics"

/* ---- asking -------------------------------------------------------------- */

static int take(const json_t *line, const char *text, void *arg)
{
	(void)text;
	return metrics_take(arg, line);
}

/* Both replies or none: half of one would pass for all there is. */
static int ask(const char *path, struct metrics *metrics, char *error)
{
	struct control_request request = {.verb = CONTROL_STATUS};
	int64_t begun_ms = clock_ms(), left_ms;
	int r;

	r = control_call_within(path, &request, ASK_MS, take, metrics, error);
	if (r)
		return r;
	request.verb = CONTROL_LEDGER;
	left_ms = begun_ms + ASK_MS - clock_ms();
	return control_call_within(path, &request, left_ms > 1 ? left_ms : 1,
				   take, metrics, error);
}

static int print_once(const char *path, enum metrics_format format)
{
	char error[CONTROL_ERROR_CHARS_MAX] = "", *text = NULL;
	struct metrics *metrics;
	size_t len;
	int asked, r = -ENOMEM;

	metrics = metrics_new();
	if (!metrics)
		goto out;
	asked = ask(path, metrics, error);
	r = metrics_render(metrics, format, !asked, &text, &len);
	if (r)
		goto out;
	(void)fwrite(text, 1, len, stdout);
	r = asked;
out:
	free(text);
	metrics_free(metrics);
	return r ? cmd_failed("metrics", r, error) : CMD_OK;
}

/* ---- serving ------------------------------------------------------------- */

struct client {
	int fd; /* -1: free */
	int64_t since_ms;
};

struct server {
	char path[4096]; /* of the control socket */
	struct MHD_Daemon *daemon;
	struct MHD_Response *texts[METRICS_FORMAT_MAX];
	struct MHD_Response *unknown;
	struct MHD_Response *refused;
	int64_t fresh_until_ms;
	bool failing; /* the last answer of the agent was none, and was told */
	struct client clients[CLIENTS_MAX];
};

/* Steals text. One request a connection: nobody keeps a place for nothing. */
static struct MHD_Response *response_new(char *text, size_t len,
					 enum MHD_ResponseMemoryMode mode,
					 const char *header, const char *value)
{
	struct MHD_Response *response;

	response = MHD_create_response_from_buffer(len, text, mode);
	if (!response) {
		if (mode == MHD_RESPMEM_MUST_FREE)
			free(text);
		return NULL;
	}
	if (MHD_add_response_header(response, MHD_HTTP_HEADER_CONNECTION,
				    "close") == MHD_YES &&
	    MHD_add_response_header(response, header, value) == MHD_YES)
		return response;
	MHD_destroy_response(response);
	return NULL;
}

static void drop_texts(struct server *server)
{
	for (size_t i = 0; i < METRICS_FORMAT_MAX; i++) {
		if (server->texts[i])
			MHD_destroy_response(server->texts[i]);
		server->texts[i] = NULL;
	}
}

/* A client that still takes an older one keeps that until it has it. */
static int make_texts(struct server *server, struct metrics *metrics, bool up)
{
	enum metrics_format format;
	char *text;
	size_t len;
	int r;

	drop_texts(server);
	for (format = 0; format < METRICS_FORMAT_MAX; format++) {
		r = metrics_render(metrics, format, up, &text, &len);
		if (r)
			return r;
		server->texts[format] =
			response_new(text, len, MHD_RESPMEM_MUST_FREE,
				     MHD_HTTP_HEADER_CONTENT_TYPE,
				     metrics_content_type(format));
		if (!server->texts[format])
			return -ENOMEM;
	}
	return 0;
}

static void tell(struct server *server, int r, const char *error)
{
	if (r && !server->failing)
		log_warning("the agent does not answer: %s; scrapers get "
			    "cordon_up 0%s",
			    error[0] ? error : strerror(-r),
			    r == -EACCES ? ": let this run in the "
					   "group " CONTROL_GROUP
					 : "");
	else if (!r && server->failing)
		log_notice("the agent answers again");
	server->failing = r != 0;
}

/*
 * However often somebody scrapes: to count what is in its tables takes the
 * agent longer the more files there are, and meanwhile it does nothing else.
 */
static int refresh(struct server *server)
{
	char error[CONTROL_ERROR_CHARS_MAX] = "";
	int64_t begun_ms = clock_ms(), now_ms, fresh_ms = FRESH_MS;
	struct metrics *metrics;
	int asked, r;

	if (begun_ms < server->fresh_until_ms &&
	    server->texts[METRICS_FORMAT_MAX - 1])
		return 0;
	metrics = metrics_new();
	if (!metrics)
		return -ENOMEM;
	asked = ask(server->path, metrics, error);
	now_ms = clock_ms();
	tell(server, asked, error);
	if (!asked && (now_ms - begun_ms) * SHARE > fresh_ms)
		fresh_ms = (now_ms - begun_ms) * SHARE;
	server->fresh_until_ms = now_ms + fresh_ms;
	r = make_texts(server, metrics, !asked);
	metrics_free(metrics);
	return r;
}

static enum MHD_Result answer(void *arg, struct MHD_Connection *connection,
			      const char *url, const char *method,
			      const char *version, const char *upload,
			      size_t *upload_len, void **data)
{
	struct server *server = arg;
	enum metrics_format format;

	(void)version;
	(void)upload;
	(void)upload_len;
	(void)data;
	if (strcmp(method, MHD_HTTP_METHOD_GET) != 0 &&
	    strcmp(method, MHD_HTTP_METHOD_HEAD) != 0)
		return MHD_queue_response(connection,
					  MHD_HTTP_METHOD_NOT_ALLOWED,
					  server->refused);
	if (strcmp(url, METRICS_ADDRESS) != 0)
		return MHD_queue_response(connection, MHD_HTTP_NOT_FOUND,
					  server->unknown);
	/* No memory: the connection is closed. */
	if (refresh(server))
		return MHD_NO;
	format = metrics_negotiate(MHD_lookup_connection_value(
		connection, MHD_HEADER_KIND, MHD_HTTP_HEADER_ACCEPT));
	return MHD_queue_response(connection, MHD_HTTP_OK,
				  server->texts[format]);
}

/* ---- clients ------------------------------------------------------------- */

static void note_client(void *arg, struct MHD_Connection *connection,
			void **data, enum MHD_ConnectionNotificationCode code)
{
	const union MHD_ConnectionInfo *info;
	struct server *server = arg;
	struct client *client;

	if (code == MHD_CONNECTION_NOTIFY_CLOSED) {
		client = *data;
		if (client)
			client->fd = -1;
		return;
	}
	info = MHD_get_connection_info(connection,
				       MHD_CONNECTION_INFO_CONNECTION_FD);
	for (size_t i = 0; info && i < CLIENTS_MAX; i++) {
		client = &server->clients[i];
		if (client->fd >= 0)
			continue;
		*client = (struct client){info->connect_fd, clock_ms()};
		*data = client;
		return;
	}
}

/*
 * The library ends who is silent; who says a byte every few seconds would keep
 * a place for a day. Returns how long it is until the next one is due, -1: for
 * ever.
 */
static int64_t end_slow_clients(struct server *server)
{
	int64_t now_ms = clock_ms(), left_ms, next_ms = -1;

	for (size_t i = 0; i < CLIENTS_MAX; i++) {
		struct client *client = &server->clients[i];

		if (client->fd < 0)
			continue;
		left_ms = client->since_ms + CLIENT_MS - now_ms;
		if (left_ms <= 0) {
			/* It is the library that closes it. */
			(void)shutdown(client->fd, SHUT_RDWR);
			left_ms = CLIENT_MS;
		}
		if (next_ms < 0 || left_ms < next_ms)
			next_ms = left_ms;
	}
	return next_ms;
}

/* ---- the loop ------------------------------------------------------------ */

static int wait_ms(struct server *server)
{
	int64_t left_ms = end_slow_clients(server);
	MHD_UNSIGNED_LONG_LONG library_ms;

	if (MHD_get_timeout(server->daemon, &library_ms) == MHD_YES &&
	    (left_ms < 0 || library_ms < (uint64_t)left_ms))
		left_ms = (int64_t)library_ms;
	return left_ms < 0 ? -1 : (int)left_ms;
}

static int open_signals(int *ret_fd)
{
	sigset_t set;

	(void)sigemptyset(&set);
	(void)sigaddset(&set, SIGTERM);
	(void)sigaddset(&set, SIGINT);
	if (sigprocmask(SIG_BLOCK, &set, NULL) < 0)
		return -errno;
	(void)signal(SIGPIPE, SIG_IGN);
	*ret_fd = signalfd(-1, &set, SFD_CLOEXEC);
	return *ret_fd < 0 ? -errno : 0;
}

/* Until a signal ends it. */
static int run(struct server *server, int signal_fd)
{
	const union MHD_DaemonInfo *info =
		MHD_get_daemon_info(server->daemon, MHD_DAEMON_INFO_EPOLL_FD);
	struct pollfd fds[] = {
		{.fd = info ? info->epoll_fd : -1, .events = POLLIN},
		{.fd = signal_fd, .events = POLLIN},
	};

	(void)sd_notify(0, "READY=1");
	for (;;) {
		if (poll(fds, 2, wait_ms(server)) < 0 && errno != EINTR)
			return -errno;
		if (fds[1].revents)
			break;
		if (MHD_run(server->daemon) != MHD_YES)
			return -EIO;
	}
	(void)sd_notify(0, "STOPPING=1");
	return 0;
}

/* fd is the library's from here on, whatever comes of it. */
static int start(struct server *server, int fd)
{
	static char unknown[] = "what there is, is at " METRICS_ADDRESS "\n";
	static char refused[] = "only GET and HEAD\n";

	for (size_t i = 0; i < CLIENTS_MAX; i++)
		server->clients[i].fd = -1;
	server->unknown = response_new(
		unknown, strlen(unknown), MHD_RESPMEM_PERSISTENT,
		MHD_HTTP_HEADER_CONTENT_TYPE, "text/plain; charset=utf-8");
	server->refused = response_new(refused, strlen(refused),
				       MHD_RESPMEM_PERSISTENT,
				       MHD_HTTP_HEADER_ALLOW, "GET, HEAD");
	if (!server->unknown || !server->refused)
		return -ENOMEM;
	/* Its log would be written by whoever sends it nonsense. */
	server->daemon = MHD_start_daemon(
		MHD_USE_EPOLL, 0, NULL, NULL, answer, server,
		MHD_OPTION_LISTEN_SOCKET, fd, MHD_OPTION_CONNECTION_LIMIT,
		(unsigned int)CLIENTS_MAX, MHD_OPTION_CONNECTION_TIMEOUT,
		(unsigned int)CLIENT_IDLE_S, MHD_OPTION_CONNECTION_MEMORY_LIMIT,
		(size_t)CLIENT_MEMORY, MHD_OPTION_NOTIFY_CONNECTION,
		note_client, server, MHD_OPTION_END);
	return server->daemon ? 0 : -EIO;
}

static void stop(struct server *server)
{
	if (server->daemon)
		MHD_stop_daemon(server->daemon);
	drop_texts(server);
	if (server->unknown)
		MHD_destroy_response(server->unknown);
	if (server->refused)
		MHD_destroy_response(server->refused);
}

static int serve(const char *path, int fd)
{
	struct server server = {0};
	char name[sizeof(struct sockaddr_un) + 8];
	int signal_fd = -1, r;

	(void)snprintf(server.path, sizeof(server.path), "%s", path);
	listen_name(fd, name, sizeof(name));
	r = open_signals(&signal_fd);
	if (!r)
		r = start(&server, fd);
	if (r)
		goto out;
	log_info("version %s serves " METRICS_ADDRESS " at %s", CORDON_VERSION,
		 name);
	r = run(&server, signal_fd);
out:
	if (r)
		log_error("nobody can be served: %s", strerror(-r));
	stop(&server);
	if (signal_fd >= 0)
		(void)close(signal_fd);
	return r ? CMD_WRONG : CMD_OK;
}

/* ---- the verb ------------------------------------------------------------ */

static int take_passed(int *ret_fd, char *error)
{
	int n = sd_listen_fds(1);

	if (n != 1) {
		(void)snprintf(error, LISTEN_ERROR_CHARS_MAX,
			       "systemd passed %d sockets, expected one: "
			       "systemctl start cordon-metrics.socket",
			       n < 0 ? 0 : n);
		return -EINVAL;
	}
	*ret_fd = SD_LISTEN_FDS_START;
	return listen_check(*ret_fd, error);
}

static int serve_at(const char *path, const char *where)
{
	char error[LISTEN_ERROR_CHARS_MAX];
	struct listen_address address;
	int fd = -1, r;

	r = listen_parse(where, &address, error);
	if (r)
		return cmd_usage("metrics", "--listen %s", error);
	if (address.kind == LISTEN_SYSTEMD)
		r = take_passed(&fd, error);
	else
		r = listen_open(&address, &fd, error);
	if (r) {
		(void)fprintf(stderr, "cordon metrics: --listen %s: %s\n",
			      where, error);
		return CMD_WRONG;
	}
	r = serve(path, fd);
	listen_remove(&address);
	return r;
}

int cmd_metrics(int argc, char **argv)
{
	enum { OPT_LISTEN = CMD_OPT_OWN, OPT_OPENMETRICS };
	static const struct option options[] = {
		{"help", no_argument, NULL, CMD_OPT_HELP},
		{"run-dir", required_argument, NULL, CMD_OPT_RUN_DIR},
		{"listen", required_argument, NULL, OPT_LISTEN},
		{"openmetrics", no_argument, NULL, OPT_OPENMETRICS},
		{0},
	};
	enum metrics_format format = METRICS_CLASSIC;
	struct cmd_common common = {0};
	const char *where = NULL;
	char path[4096];
	int code, r;

	while ((code = getopt_long(argc, argv, "", options, NULL)) != -1) {
		r = cmd_take_shared(&common, code, "metrics");
		if (code == OPT_LISTEN)
			where = optarg;
		else if (code == OPT_OPENMETRICS)
			format = METRICS_OPENMETRICS;
		else if (r)
			return r == CMD_DONE ? CMD_OK : r;
	}
	r = cmd_no_more("metrics", argc, argv);
	if (r)
		return r;
	if (where && format != METRICS_CLASSIC)
		return cmd_usage("metrics", "--openmetrics is for what is "
					    "printed: who asks at --listen "
					    "says what it takes");
	if (!cmd_socket(&common, path, sizeof(path)))
		return cmd_usage("metrics",
				 "the run directory's name is too long");
	return where ? serve_at(path, where) : print_once(path, format);
}
