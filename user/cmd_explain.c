// SPDX-License-Identifier: GPL-2.0-only
#include "cmd.h"
#include "event.h"
#include "term.h"
#include "text.h"

#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* What was asked about, and which heads were shown. */
struct showing {
	bool colour;
	bool json;
	bool file;
	bool holds;
	bool unclean; /* a file, since the host broke down */
	bool alive;
	bool known; /* something is told of it */
	const char *section;
};

static void section(struct showing *showing, const char *title)
{
	if (showing->section != title)
		(void)printf("\n%s:\n", title);
	showing->section = title;
}

static void print_name(const char *comm, uint64_t pid, const char *user)
{
	(void)printf("%s[%" PRIu64 "]%s%s", comm[0] ? comm : "?", pid,
		     user[0] ? " " : "", user);
}

/* `cat[4700] anna`, and, if @session, the login where it is another. */
static void print_who(const json_t *line, bool session)
{
	const char *user = cmd_text(line, "user");
	const char *login = cmd_text(line, "login");
	const json_t *number = json_object_get(line, "session");

	print_name(cmd_text(line, "comm"), cmd_number(line, "pid"), user);
	if (!session)
		return;
	if (login[0] && strcmp(login, user) != 0)
		(void)printf(", login %s", login);
	if (number)
		(void)printf(", session %" PRIu64, cmd_number(line, "session"));
}

static void print_amount(const json_t *line)
{
	uint64_t records = cmd_number(line, "records");
	char size[TEXT_NUMBER_CHARS_MAX], count[32];
	const char *dataset = cmd_text(line, "dataset");

	event_size(cmd_number(line, "bytes"), size, sizeof(size));
	term_number(records, count, sizeof(count));
	(void)printf("up to %s record%s, %s of %s", count,
		     records == 1 ? "" : "s", size,
		     strcmp(dataset, "*") == 0 ? "several datasets" : dataset);
}

/* ---- what was asked about ----------------------------------------------- */

static void show_process(const json_t *line, struct showing *showing)
{
	const char *unit = cmd_text(line, "unit");
	const char *exe = cmd_text(line, "exe");
	uint64_t pid = cmd_number(line, "pid");

	showing->alive = json_is_true(json_object_get(line, "alive"));
	showing->holds = json_is_true(json_object_get(line, "holds"));
	if (!showing->alive && !showing->holds) {
		(void)printf("process %" PRIu64 ": there is none, and nothing "
			     "is known of what it held\n",
			     pid);
		return;
	}
	print_who(line, true);
	if (unit[0])
		(void)printf(", in %s", unit);
	if (exe[0])
		(void)printf(", %s", exe);
	(void)printf("%s\n", showing->alive ? "" : ": gone");
	if (json_object_get(line, "pool"))
		(void)printf("of the pool %s: holds what all of it hold\n",
			     cmd_text(line, "pool"));
	if (json_object_get(line, "unknown"))
		(void)printf("%sholds, but what is not known: all it sends is "
			     "refused where a rule blocks%s\n",
			     term_begin(TERM_BAD, showing->colour),
			     term_end(TERM_BAD, showing->colour));
	else if (!showing->holds)
		(void)printf("holds nothing: a bystander; no rule stands in "
			     "its way\n");
}

static void show_file(const json_t *line, struct showing *showing)
{
	const char *dataset = cmd_text(line, "dataset");
	const char *quiet = cmd_text(line, "quiet");

	showing->file = true;
	showing->holds = json_is_true(json_object_get(line, "holds"));
	showing->unclean = json_is_true(json_object_get(line, "unclean"));
	(void)printf("%s: ", cmd_text(line, "file"));
	if (dataset[0] && json_is_true(json_object_get(line, "directory")))
		(void)printf("a directory of the dataset %s", dataset);
	else if (dataset[0])
		(void)printf("of the dataset %s, file %" PRIu64, dataset,
			     cmd_number(line, "record"));
	else if (showing->unclean)
		(void)printf("held at the upper bound because the host ended "
			     "uncleanly: it changed after the last save, and a "
			     "holder may have written anything to it; who "
			     "reads it holds what is below");
	else if (showing->holds)
		(void)printf("%s wrote to it%s%.19s%s; who reads it holds what "
			     "is below",
			     json_is_true(json_object_get(line, "mixed"))
				     ? "more than one holder"
				     : "a holder",
			     json_object_get(line, "since") ? ", first " : "",
			     cmd_text(line, "since"),
			     json_object_get(line, "since") ? "Z" : "");
	else if (quiet[0])
		(void)printf("one of the quiet files %s: carries nothing of "
			     "what holders wrote to it within their cap",
			     quiet);
	else
		(void)printf("of no dataset, and no holder is known to have "
			     "written to it");
	(void)putchar('\n');
}

static void show_holding(const json_t *line, struct showing *showing)
{
	section(showing, "holds");
	(void)printf("  ");
	print_amount(line);
	if (json_object_get(line, "folded")) {
		(void)printf(showing->unclean
				     ? ", of origins that nobody knows\n"
				     : ", of more origins than are kept "
				       "apart\n");
		return;
	}
	(void)printf(", origin %" PRIu64 ": begun %.19sZ by ",
		     cmd_number(line, "origin"), cmd_text(line, "first"));
	print_who(line, true);
	(void)putchar('\n');
}

/* ---- how it came -------------------------------------------------------- */

static void print_from(const json_t *line)
{
	/* Their holding is one: any of them can have given what it has. */
	if (json_object_get(line, "from_several"))
		(void)printf("one of those that share memory with ");
	if (cmd_number(line, "from_pid"))
		print_name(cmd_text(line, "from_comm"),
			   cmd_number(line, "from_pid"),
			   cmd_text(line, "from_user"));
	else
		(void)printf("holding %" PRIu64,
			     cmd_number(line, "from_holding"));
}

static void print_to(const json_t *line)
{
	if (cmd_number(line, "pid"))
		print_who(line, true);
	else
		(void)printf("holding %" PRIu64, cmd_number(line, "holding"));
}

static void print_hop(const json_t *line, const char *kind)
{
	static const struct {
		const char *kind, *words;
	} ways[] = {
		{"pipe", "by a pipe"},
		{"unix socket", "by a unix socket"},
		{"loopback", "by the loopback"},
		{"network", "between networks of this host"},
		{"terminal", "by a terminal"},
		{"message queue", "by a message queue"},
		{"file", "by a file"},
		{"memory", "by memory they share"},
		{"key", "by a key"},
		{"semaphore", "by a semaphore"},
		{"signal", "by a signal"},
		{"system call", "by system calls that it was told of"},
		{"fork", "as its child"},
		{"mix", "by what several write to"},
		{"narrow", "by the bytes that a narrow subject let out"},
	};
	const char *words = "in a way this command does not know";

	for (size_t i = 0; i < sizeof(ways) / sizeof(ways[0]); i++)
		if (strcmp(kind, ways[i].kind) == 0)
			words = ways[i].words;
	(void)printf("%s from ", words);
	print_from(line);
	(void)printf(" to ");
	print_to(line);
}

static void show_step(const json_t *line, struct showing *showing)
{
	const char *kind = cmd_text(line, "kind");

	section(showing, "how it came, the oldest first");
	(void)printf("  %.19sZ ", cmd_text(line, "time"));
	if (strcmp(kind, "read") == 0) {
		print_to(line);
		(void)printf(" read");
	} else {
		print_hop(line, kind);
		(void)putchar(':');
	}
	(void)putchar(' ');
	print_amount(line);
	if (cmd_number(line, "origin"))
		(void)printf(", origin %" PRIu64, cmd_number(line, "origin"));
	(void)putchar('\n');
}

static void show_gap(const json_t *line, struct showing *showing)
{
	section(showing, "how it came, the oldest first");
	(void)printf("  %s", term_begin(TERM_POOR, showing->colour));
	if (strcmp(cmd_text(line, "why"), "long") == 0) {
		(void)printf("there is more than is shown here: this chain is "
			     "not complete");
	} else if (strcmp(cmd_text(line, "why"), "unclean") == 0) {
		(void)printf("holding %" PRIu64 " is that of files which "
			     "changed before the host ended uncleanly: who "
			     "wrote what to them is not known",
			     cmd_number(line, "holding"));
	} else {
		(void)printf("a gap: how ");
		print_to(line);
		(void)printf(" came to what it holds is no longer known, or "
			     "never was");
	}
	(void)printf("%s\n", term_end(TERM_POOR, showing->colour));
}

/* ---- what will be refused ----------------------------------------------- */

static void print_limit(const json_t *line)
{
	const char *unit = cmd_text(line, "budget");
	bool bytes = strcmp(unit, "bytes") == 0;
	uint64_t window_ns = cmd_number(line, "window_ns");
	uint64_t due = cmd_number(line, "due");
	char used[TEXT_NUMBER_CHARS_MAX], max[TEXT_NUMBER_CHARS_MAX];

	if (json_is_null(json_object_get(line, "max"))) {
		(void)printf("unlimited");
		return;
	}
	if (!window_ns) {
		(void)printf("nothing is granted");
		return;
	}
	if (bytes) {
		event_size(cmd_number(line, "used"), used, sizeof(used));
		event_size(cmd_number(line, "max"), max, sizeof(max));
	} else {
		term_number(cmd_number(line, "used"), used, sizeof(used));
		term_number(cmd_number(line, "max"), max, sizeof(max));
	}
	(void)printf("%s of %s%s", used, max, bytes ? "" : " records");
	text_format_duration(window_ns, max, sizeof(max));
	(void)printf("/%s used", max);
	if (due)
		(void)printf(", up to %" PRIu64 " more due for what it holds",
			     due);
	if (json_object_get(line, "frees"))
		(void)printf("; the oldest comes back at %.19sZ",
			     cmd_text(line, "frees"));
}

static void show_limit(const json_t *line, struct showing *showing)
{
	const char *dest = cmd_text(line, "destination");
	bool read = strcmp(dest, "read") == 0;
	bool over = json_is_true(json_object_get(line, "over"));
	bool block = strcmp(cmd_text(line, "action"), "block") == 0;
	const char *word = !over ? "may" : block ? "refused" : "alert";
	enum term_colour shade = !over	 ? TERM_GOOD
				 : block ? TERM_BAD
					 : TERM_POOR;

	section(showing, "what it may do now");
	(void)printf(
		"  %s%-7s%s %s %s%s%s: ", term_begin(shade, showing->colour),
		word, term_end(shade, showing->colour), read ? "read" : "send",
		cmd_text(line, "dataset"), read ? "" : " to ",
		read			 ? ""
		: strcmp(dest, "*") == 0 ? "elsewhere"
					 : dest);
	print_limit(line);
	(void)printf(" (rule %s)\n", cmd_text(line, "rule"));
}

static void show_event(const json_t *line, struct showing *showing)
{
	const char *verdict = cmd_text(line, "verdict");
	const char *to = cmd_text(line, "destination");

	section(showing, "last events");
	(void)printf("  %.19sZ %s %s: %s %s%s%s\n", cmd_text(line, "time"),
		     verdict[0] ? verdict : cmd_text(line, "type"),
		     cmd_text(line, "comm"), cmd_text(line, "channel"),
		     cmd_text(line, "dataset"),
		     strcmp(to, "read") == 0 || !to[0] ? "" : " to ",
		     strcmp(to, "read") == 0 ? ""
		     : strcmp(to, "*") == 0  ? "elsewhere"
					     : to);
}

static int show(const json_t *line, const char *text, void *arg)
{
	static const struct {
		const char *type;
		void (*fn)(const json_t *line, struct showing *showing);
	} shows[] = {
		{"process", show_process}, {"file", show_file},
		{"holding", show_holding}, {"step", show_step},
		{"gap", show_gap},	   {"limit", show_limit},
	};
	const char *type = cmd_text(line, "type");
	struct showing *showing = arg;

	if (strcmp(type, "process") != 0 ||
	    json_is_true(json_object_get(line, "alive")) ||
	    json_is_true(json_object_get(line, "holds")))
		showing->known = true;
	if (showing->json)
		return cmd_print_line(line, text, NULL);
	for (size_t i = 0; i < sizeof(shows) / sizeof(shows[0]); i++)
		if (strcmp(type, shows[i].type) == 0) {
			shows[i].fn(line, showing);
			return 0;
		}
	show_event(line, showing);
	return 0;
}

/* What frees a process of what it holds. */
static void print_way_out(const struct showing *showing)
{
	if (!showing->holds)
		return;
	if (showing->file)
		(void)printf("\nIt carries this until it is deleted.\n");
	else if (showing->alive)
		(void)printf("\nIt holds this until it ends; budgets come back "
			     "with time.\n");
}

/* ---- what to ask -------------------------------------------------------- */

/* The agent has another working directory. */
static int take_file(const char *name, char *ret_file)
{
	char here[PATH_MAX] = "";
	int n;

	if (name[0] != '/' && !getcwd(here, sizeof(here)))
		return cmd_usage("explain", "%s: %s", name, strerror(errno));
	n = snprintf(ret_file, CONTROL_FILE_MAX, "%s%s%s", here,
		     here[0] ? "/" : "", name);
	if (n < 0 || n >= CONTROL_FILE_MAX)
		return cmd_usage("explain", "a path has at most %d bytes",
				 CONTROL_FILE_MAX - 1);
	return 0;
}

/* A number is a process; a file of that name is written ./4711. */
static int take_what(const char *what, struct control_request *request)
{
	uint64_t pid;
	int r;

	r = text_parse_u64(what, 1, 1U << CORDON_TGID_BITS, &pid);
	if (!r) {
		request->pid = (uint32_t)pid;
		return 0;
	}
	if (r == -ERANGE || !what[0])
		return cmd_usage("explain", "%s: no process has this number",
				 what);
	return take_file(what, request->file);
}

int cmd_explain(int argc, char **argv)
{
	static const struct option options[] = {CMD_OPTIONS, {0}};
	struct control_request request = {.verb = CONTROL_EXPLAIN};
	struct showing showing = {.colour = term_wants_colour(stdout)};
	struct cmd_common common = {0};
	int code, r;

	while ((code = getopt_long(argc, argv, "", options, NULL)) != -1) {
		r = cmd_take_shared(&common, code, "explain");
		if (r)
			return r == CMD_DONE ? CMD_OK : r;
	}
	if (argc - optind != 1)
		return cmd_usage("explain", "expected one PID or FILE");
	r = take_what(argv[optind], &request);
	if (r)
		return r;
	showing.json = common.json;
	common.json = false; /* its lines are looked at, too */
	r = cmd_ask(&common, &request, show, &showing);
	if (r != CMD_OK)
		return r;
	if (!showing.json)
		print_way_out(&showing);
	/* Not to be taken for a bystander. */
	return showing.known ? CMD_OK : CMD_WRONG;
}
