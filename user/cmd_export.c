// SPDX-License-Identifier: GPL-2.0-only
/*
 * The evidence log, told to a system that watches many hosts. It is a reader
 * like others, with the rights of whoever starts it, so that what goes wrong
 * there stays there: the agent has written all down before this sees it, and
 * waits for nobody.
 */
#include "cmd.h"
#include "evidence.h"
#include "export.h"
#include "log.h"
#include "send.h"
#include "state.h"
#include "tail.h"
#include "text.h"

#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <unistd.h>

#define WATCHED_MS   10000 /* what inotify does not tell: a folder moved away */
#define UNWATCHED_MS 1000
#define AGAIN_MS     1000 /* nobody receives there */
#define CURSOR_LINES 1024 /* sent, until it is written down */
#define CURSOR_MAX   4096
#define FACILITY_MAX 23

struct exporting {
	struct export_options opts;
	struct send_to to;
	struct export *export;
	struct tail *tail;
	const char *folder;
	const char *cursor; /* file; NULL: none */
	struct tail_place place;
	struct tail_place saved; /* in the file */
	uint64_t since;		 /* 0: not given */
	bool has_format;
	bool all;
	bool follow;
	bool amiss;	/* something was missing or bad, and was said */
	bool unsent;	/* nobody receives there, and that was said */
	int sent_error; /* what ended it */
	uint64_t lines; /* since the cursor was written down */
	int inotify_fd; /* -1: it has to look by itself */
};

/* ---- signals ------------------------------------------------------------- */

static volatile sig_atomic_t ending;
static int end_fd = -1;

static void end(int signal)
{
	const uint64_t one = 1;
	int e = errno;

	(void)signal;
	ending = 1;
	(void)!write(end_fd, &one, sizeof(one));
	errno = e;
}

/* Without SA_RESTART: who waits for a reader shall wait no longer. */
static int catch_signals(void)
{
	struct sigaction action = {.sa_handler = end};

	end_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (end_fd < 0 || sigaction(SIGTERM, &action, NULL) < 0 ||
	    sigaction(SIGINT, &action, NULL) < 0)
		return -errno;
	return 0;
}

/* Until there may be something new, it is time, or it is to end. */
static void wait_for(int fd, int ms)
{
	struct pollfd fds[] = {{.fd = end_fd, .events = POLLIN},
			       {.fd = fd, .events = POLLIN}};
	char events[4096];

	if (poll(fds, 2, ms) > 0 && fds[1].revents)
		while (read(fd, events, sizeof(events)) > 0)
			;
}

/* ---- the cursor ---------------------------------------------------------- */

static int fail(const char *what, int r)
{
	(void)fprintf(stderr, "cordon export: %s: %s%s\n", what,
		      r == -EUCLEAN ? "this is not what it should be"
				    : strerror(-r),
		      r == -EACCES ? "; whoever runs this has to be able to "
				     "read the evidence: use sudo"
				   : "");
	return r == -EACCES ? CMD_DENIED : CMD_WRONG;
}

static int parse_cursor(const char *text, size_t len, struct tail_place *place)
{
	json_t *object = json_loadb(text, len, JSON_REJECT_DUPLICATES, NULL);
	const char *hash = evidence_text(object, "sha256");
	json_int_t seq = json_integer_value(json_object_get(object, "seq"));
	int r = -EUCLEAN;

	if (strcmp(evidence_text(object, "type"), "cursor") == 0 && seq > 0 &&
	    seq <= EVIDENCE_SEQ_MAX &&
	    strlen(hash) == sizeof(place->hash) - 1) {
		place->seq = (uint64_t)seq;
		memcpy(place->hash, hash, sizeof(place->hash));
		r = 0;
	}
	json_decref(object);
	return r;
}

/* What was sent counts more than where somebody wants to begin: the same
 * command line is for the first time and for all others. */
static int find_place(struct exporting *exporting)
{
	char *text = NULL;
	size_t len = 0;
	int r;

	exporting->place.seq = exporting->since ? exporting->since - 1 : 0;
	if (exporting->follow && !exporting->since && !exporting->all &&
	    !exporting->cursor)
		exporting->place.seq = TAIL_NEWEST;
	if (!exporting->cursor)
		return CMD_OK;
	r = state_get(exporting->cursor, CURSOR_MAX, &text, &len);
	if (r == -ENOENT)
		return CMD_OK;
	if (!r)
		r = parse_cursor(text, len, &exporting->place);
	free(text);
	if (r)
		return fail(exporting->cursor, r);
	exporting->saved = exporting->place;
	return CMD_OK;
}

static int save_cursor(struct exporting *exporting)
{
	const struct tail_place *place = tail_place(exporting->tail);
	char text[256];
	int len, r;

	exporting->lines = 0;
	if (!exporting->cursor || !place->hash[0] ||
	    place->seq == exporting->saved.seq)
		return 0;
	len = snprintf(text, sizeof(text),
		       "{\"cordon\":1,\"type\":\"cursor\",\"seq\":%" PRIu64
		       ",\"sha256\":\"%s\"}\n",
		       place->seq, place->hash);
	r = state_put(exporting->cursor, text, (size_t)len);
	if (r)
		(void)fail(exporting->cursor, r);
	else
		exporting->saved = *place;
	return r;
}

/* ---- a line -------------------------------------------------------------- */

static void say(const char *text, void *arg)
{
	struct exporting *exporting = arg;

	log_warning("%s", text);
	exporting->amiss = true;
}

static bool may_come_back(const struct exporting *exporting, int r)
{
	return exporting->follow && exporting->to.address.len &&
	       (r == -ECONNREFUSED || r == -ENOENT || r == -ENOTCONN ||
		r == -ECONNRESET || r == -ENOBUFS);
}

/* A receiver that is started anew gets what it missed. */
static int send_it(struct exporting *exporting, const char *text, size_t len)
{
	int r;

	for (;;) {
		r = ending ? -EINTR : send_text(&exporting->to, text, len);
		if (!may_come_back(exporting, r))
			break;
		if (!exporting->unsent)
			log_warning("%s: %s; tried again every second",
				    exporting->to.name, strerror(-r));
		exporting->unsent = true;
		wait_for(-1, AGAIN_MS);
	}
	if (!r && exporting->unsent) {
		log_notice("%s: it receives again", exporting->to.name);
		exporting->unsent = false;
	}
	return r;
}

static int take(const json_t *line, const char *text, size_t len, bool fresh,
		void *arg)
{
	struct exporting *exporting = arg;
	char *told = NULL;
	size_t told_len;
	int r;

	if (!fresh) {
		export_learn(exporting->export, line);
		return 0;
	}
	/* All before this one are sent. */
	if (exporting->lines++ >= CURSOR_LINES) {
		r = save_cursor(exporting);
		if (r)
			return r;
	}
	r = export_line(exporting->export, line, text, len, &told, &told_len);
	if (r <= 0)
		return r;
	r = send_it(exporting, told, told_len);
	free(told);
	exporting->sent_error = r;
	return r;
}

/* ---- the loop ------------------------------------------------------------ */

/* Whenever it waits: the folder can be another one by then. */
static bool watch(const struct exporting *exporting)
{
	const uint32_t events = IN_MODIFY | IN_CREATE | IN_MOVED_TO | IN_DELETE;

	return exporting->inotify_fd >= 0 &&
	       inotify_add_watch(exporting->inotify_fd, exporting->folder,
				 events) >= 0;
}

static int read_on(struct exporting *exporting)
{
	int r, saved;

	r = tail_read(exporting->tail, take, say, exporting);
	saved = save_cursor(exporting);
	/* It may come yet. */
	if (r == -ENOENT && exporting->follow && !exporting->sent_error)
		r = 0;
	return r ? r : saved;
}

static int run(struct exporting *exporting)
{
	bool watched;
	int r;

	if (exporting->follow)
		exporting->inotify_fd = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
	for (;;) {
		/* Before it reads: what comes meanwhile is told. */
		watched = exporting->follow && watch(exporting);
		r = read_on(exporting);
		if (r || !exporting->follow || ending)
			return r;
		wait_for(exporting->inotify_fd,
			 watched ? WATCHED_MS : UNWATCHED_MS);
	}
}

static int tell_failure(struct exporting *exporting, int r)
{
	const char *folder = exporting->folder;

	if (exporting->sent_error) {
		r = exporting->sent_error;
		(void)fprintf(stderr, "cordon export: %s: %s\n",
			      exporting->to.name, strerror(-r));
		return r == -EACCES		   ? CMD_DENIED
		       : exporting->to.address.len ? CMD_REACH
						   : CMD_WRONG;
	}
	if (r == -ESTALE)
		(void)fprintf(stderr,
			      "cordon export: %s: line %" PRIu64 " of %s is "
			      "not the one that was exported: it is another "
			      "log, or was changed: cordon evidence verify; "
			      "to export this one too, give it a cursor of "
			      "its own\n",
			      exporting->cursor, exporting->place.seq, folder);
	else if (r == -ENOENT)
		(void)fprintf(stderr,
			      "cordon export: %s: there is no evidence; name "
			      "the folder\n",
			      folder);
	else
		return fail(folder, r);
	return CMD_WRONG;
}

static int export(struct exporting *exporting)
{
	struct sign_public key;
	char id[SIGN_ID_CHARS_MAX], path[4096];
	int r;

	(void)snprintf(path, sizeof(path), "%s/" EVIDENCE_PUBLIC,
		       exporting->folder);
	if (!sign_public_read(path, &key)) {
		sign_id(&key, id);
		exporting->opts.key = id;
	}
	r = export_new(&exporting->opts, &exporting->export);
	if (!r)
		r = tail_new(exporting->folder, &exporting->place,
			     &exporting->tail);
	if (!r)
		r = catch_signals();
	if (!r)
		r = run(exporting);
	tail_free(exporting->tail);
	export_free(exporting->export);
	send_close(&exporting->to);
	if (ending && (!r || exporting->sent_error == -EINTR))
		return CMD_OK;
	if (r)
		return tell_failure(exporting, r);
	return exporting->amiss ? CMD_WRONG : CMD_OK;
}

/* ---- the verb ------------------------------------------------------------ */

enum {
	OPT_FORMAT = CMD_OPT_OWN,
	OPT_SINCE,
	OPT_ALL,
	OPT_FOLLOW,
	OPT_TO,
	OPT_CURSOR,
	OPT_HOST,
	OPT_FACILITY,
	OPT_ENTERPRISE,
};

static int take_format(struct exporting *exporting)
{
	static const char *const names[] = {[EXPORT_JSON] = "json",
					    [EXPORT_OCSF] = "ocsf",
					    [EXPORT_SYSLOG] = "syslog"};

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (strcmp(names[i], optarg) == 0) {
			exporting->opts.format = (enum export_format)i;
			exporting->has_format = true;
			return 0;
		}
	return cmd_usage("export", "--format %s: expected ocsf, syslog or json",
			 optarg);
}

/* Those that a rule of a receiver is likely to have. */
static int take_facility(struct exporting *exporting)
{
	static const struct {
		const char *name;
		unsigned int number;
	} known[] = {{"user", 1},    {"daemon", 3},
		     {"auth", 4},    {"authpriv", EXPORT_AUTHPRIV},
		     {"local0", 16}, {"local1", 17},
		     {"local2", 18}, {"local3", 19},
		     {"local4", 20}, {"local5", 21},
		     {"local6", 22}, {"local7", 23}};
	uint64_t n;

	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++)
		if (strcmp(known[i].name, optarg) == 0) {
			exporting->opts.facility = known[i].number;
			return 0;
		}
	if (text_parse_u64(optarg, 0, FACILITY_MAX, &n))
		return cmd_usage("export",
				 "--facility %s: expected authpriv, auth, "
				 "daemon, user, local0 to local7, or a number "
				 "from 0 to 23",
				 optarg);
	exporting->opts.facility = (unsigned int)n;
	return 0;
}

static int take_number(const char *name, uint64_t max, uint64_t *ret_n)
{
	if (text_parse_u64(optarg, 1, max, ret_n))
		return cmd_usage("export", "--%s %s: expected a number", name,
				 optarg);
	return 0;
}

static int take_to(struct exporting *exporting)
{
	if (send_parse(optarg, &ending, &exporting->to))
		return cmd_usage("export",
				 "--to %.100s: expected unix:/PATH, "
				 "udp:127.0.0.1:PORT or udp:[::1]:PORT: what "
				 "is told is not encrypted, so let a "
				 "forwarder of this host carry it on",
				 optarg);
	return 0;
}

static int take_option(struct exporting *exporting, int code)
{
	struct cmd_common common = {0};
	uint64_t n = 0;
	int r = 0;

	switch (code) {
	case OPT_FORMAT:
		return take_format(exporting);
	case OPT_SINCE:
		return take_number("since", EVIDENCE_SEQ_MAX,
				   &exporting->since);
	case OPT_ALL:
		exporting->all = true;
		return 0;
	case OPT_FOLLOW:
		exporting->follow = true;
		return 0;
	case OPT_TO:
		return take_to(exporting);
	case OPT_CURSOR:
		exporting->cursor = optarg;
		return 0;
	case OPT_HOST:
		exporting->opts.host = optarg;
		return 0;
	case OPT_FACILITY:
		return take_facility(exporting);
	case OPT_ENTERPRISE:
		r = take_number("enterprise", UINT32_MAX, &n);
		exporting->opts.enterprise = (uint32_t)n;
		return r;
	default:
		return cmd_take_shared(&common, code, "export");
	}
}

static const struct option options[] = {
	{"help", no_argument, NULL, CMD_OPT_HELP},
	{"format", required_argument, NULL, OPT_FORMAT},
	{"since", required_argument, NULL, OPT_SINCE},
	{"all", no_argument, NULL, OPT_ALL},
	{"follow", no_argument, NULL, OPT_FOLLOW},
	{"to", required_argument, NULL, OPT_TO},
	{"cursor", required_argument, NULL, OPT_CURSOR},
	{"host", required_argument, NULL, OPT_HOST},
	{"facility", required_argument, NULL, OPT_FACILITY},
	{"enterprise", required_argument, NULL, OPT_ENTERPRISE},
	{0},
};

static int check(struct exporting *exporting, int argc, char **argv)
{
	struct stat st;
	size_t n;

	if (!exporting->has_format)
		return cmd_usage("export", "--format is missing: ocsf, syslog "
					   "or json");
	if (exporting->all && exporting->since)
		return cmd_usage("export", "--all and --since: expected one of "
					   "them");
	exporting->folder = cmd_evidence_paths(argc, argv, &n)[0];
	if (n > 1)
		return cmd_usage("export", "expected one folder");
	if (stat(exporting->folder, &st) == 0 && !S_ISDIR(st.st_mode))
		return cmd_usage("export", "%s: expected a folder",
				 exporting->folder);
	return 0;
}

int cmd_export(int argc, char **argv)
{
	struct exporting exporting = {
		.opts = {.format = (enum export_format) - 1,
			 .facility = EXPORT_AUTHPRIV,
			 .enterprise = EXPORT_ENTERPRISE},
		.inotify_fd = -1,
	};
	int code, r;

	(void)send_parse(NULL, &ending, &exporting.to);
	while ((code = getopt_long(argc, argv, "", options, NULL)) != -1) {
		r = take_option(&exporting, code);
		if (r)
			return r == CMD_DONE ? CMD_OK : r;
	}
	r = check(&exporting, argc, argv);
	if (!r)
		r = find_place(&exporting);
	return r ? r : export(&exporting);
}
