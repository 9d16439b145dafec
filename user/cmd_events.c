// SPDX-License-Identifier: GPL-2.0-only
#include "args.h"
#include "cmd.h"
#include "event.h"
#include "term.h"
#include "text.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

static enum term_colour colour_of(const char *type, const char *verdict)
{
	if (strcmp(verdict, "block") == 0)
		return TERM_BAD;
	if (strcmp(verdict, "alert") == 0 || strcmp(type, "budget") == 0 ||
	    strcmp(type, "fault") == 0)
		return TERM_POOR;
	return TERM_PLAIN;
}

static void print_who(const json_t *line)
{
	const char *login = cmd_text(line, "login");
	const char *user = cmd_text(line, "user");
	const char *unit = cmd_text(line, "unit");

	(void)printf("%s[%" PRIu64 "] %s", cmd_text(line, "comm"),
		     cmd_number(line, "tgid"), user);
	if (login[0] && strcmp(login, user) != 0)
		(void)printf(" (login %s)", login);
	if (unit[0])
		(void)printf(" in %s", unit);
}

static void print_where(const json_t *line)
{
	const char *dest = cmd_text(line, "destination");
	const char *address = cmd_text(line, "address");
	const char *seen = cmd_text(line, "name_seen");

	if (strcmp(dest, "read") == 0)
		return;
	(void)printf(" to %s", strcmp(dest, "*") == 0 ? "elsewhere" : dest);
	/* A file system and a device have no port. */
	if (address[0] && !json_object_get(line, "port"))
		(void)printf(" %s", address);
	else if (address[0])
		(void)printf(strchr(address, ':') ? " [%s]:%" PRIu64
						  : " %s:%" PRIu64,
			     address, cmd_number(line, "port"));
	if (seen[0])
		(void)printf(" (seen as %s)", seen);
}

static void format_amount(const char *unit, uint64_t n, char *buf, size_t size)
{
	if (strcmp(unit, "bytes") == 0)
		event_size(n, buf, size);
	else
		term_number(n, buf, size);
}

static void print_budget(const json_t *line)
{
	char used[TEXT_NUMBER_CHARS_MAX], max[TEXT_NUMBER_CHARS_MAX];
	const char *unit = cmd_text(line, "budget");
	const char *rule = cmd_text(line, "rule");
	const char *files = cmd_text(line, "files");
	uint64_t window_ns = cmd_number(line, "window_ns");

	if (!unit[0])
		return;
	format_amount(unit, cmd_number(line, "used"), used, sizeof(used));
	format_amount(unit, cmd_number(line, "max"), max, sizeof(max));
	/* A cap is no rule's: it has a subject or the name of quiet files. */
	if (rule[0])
		(void)printf("; rule %s", rule);
	else
		(void)printf("; cap of %s",
			     files[0] ? files : cmd_text(line, "subject"));
	(void)printf(": %s of %s", used, max);
	if (strcmp(unit, "records") == 0)
		(void)printf(" records");
	if (window_ns) {
		text_format_duration(window_ns, used, sizeof(used));
		(void)printf("/%s", used);
	}
}

static int show(const json_t *line, const char *text, void *arg)
{
	const bool *colour = arg;
	const char *type = cmd_text(line, "type");
	const char *verdict = cmd_text(line, "verdict");
	enum term_colour shade = colour_of(type, verdict);
	uint64_t bytes = cmd_number(line, "bytes");
	uint64_t records = cmd_number(line, "records");
	uint64_t repeats = cmd_number(line, "repeats");
	char size[TEXT_NUMBER_CHARS_MAX];

	(void)text;
	(void)printf("%.19sZ %s%-13s%s ", cmd_text(line, "time"),
		     term_begin(shade, *colour), verdict[0] ? verdict : type,
		     term_end(shade, *colour));
	print_who(line);
	(void)printf(": %s %s", cmd_text(line, "channel"),
		     cmd_text(line, "dataset"));
	if (cmd_text(line, "file")[0])
		(void)printf("/%s", cmd_text(line, "file"));
	if (bytes || records) {
		event_size(bytes, size, sizeof(size));
		(void)printf(" %s", size);
	}
	/* What a sender holds, it may have sent: that is not known. */
	if (records)
		(void)printf("%s %" PRIu64 " record%s",
			     strcmp(cmd_text(line, "destination"), "read") == 0
				     ? ""
				     : ", up to",
			     records, records == 1 ? "" : "s");
	print_where(line);
	if (strcmp(type, "fault") == 0)
		(void)printf("; %s", cmd_text(line, "fault"));
	print_budget(line);
	if (repeats > 1)
		(void)printf("; x%" PRIu64, repeats);
	if (cmd_number(line, "origin"))
		(void)printf("; origin %" PRIu64, cmd_number(line, "origin"));
	(void)putchar('\n');
	return fflush(stdout) == EOF ? -EPIPE : 0;
}

int cmd_events(int argc, char **argv)
{
	enum { OPT_FOLLOW = CMD_OPT_OWN, OPT_SINCE };
	static const struct option options[] = {
		CMD_OPTIONS,
		{"follow", no_argument, NULL, OPT_FOLLOW},
		{"since", required_argument, NULL, OPT_SINCE},
		{0},
	};
	struct control_request request = {.verb = CONTROL_EVENTS};
	char error[ARGS_ERROR_CHARS_MAX];
	struct cmd_common common = {0};
	bool colour = term_wants_colour(stdout);
	int code, r;

	while ((code = getopt_long(argc, argv, "", options, NULL)) != -1) {
		if (code == OPT_FOLLOW) {
			request.follow = true;
			continue;
		}
		if (code == OPT_SINCE) {
			r = args_parse_since(optarg, time(NULL),
					     &request.since_s, error);
			if (r)
				return cmd_usage("events", "--since %s", error);
			continue;
		}
		r = cmd_take_shared(&common, code, "events");
		if (r)
			return r == CMD_DONE ? CMD_OK : r;
	}
	r = cmd_no_more("events", argc, argv);
	if (r)
		return r;
	return cmd_ask(&common, &request, show, &colour);
}
