// SPDX-License-Identifier: GPL-2.0-only
/*
 * `cordon act': what this host asks of its issuer, what has come back signed,
 * and the end of a break-glass.
 */
#include "cmd.h"
#include "cmd_policy.h"
#include "act.h"
#include "array.h"
#include "evidence.h"
#include "log.h"
#include "text.h"
#include "trust.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define VERB "act"

struct telling {
	bool json;
	bool told;
	bool done;
};

/* What was asked for is data; what was done, or not, is for people. */
static int take_reply(const json_t *line, const char *text, void *arg)
{
	struct telling *telling = arg;
	const char *told = evidence_text(line, "text");
	char *words;

	telling->told = true;
	telling->done = json_is_true(json_object_get(line, "done"));
	if (telling->json)
		return cmd_print_line(line, text, NULL);
	if (telling->done &&
	    strcmp(evidence_text(line, "type"), "act-request") == 0)
		return fputs(told, stdout) == EOF ? -EPIPE : 0;
	words = strdup(told);
	if (!words)
		return -ENOMEM;
	log_clean(words);
	if (telling->done)
		(void)printf("%s\n", words);
	else
		(void)fprintf(stderr, "cordon act: refused: %s\n", words);
	free(words);
	return 0;
}

static int tell_agent(const struct cmd_common *common,
		      const struct control_request *request)
{
	struct telling telling = {.json = common->json};
	char path[4096], error[CONTROL_ERROR_CHARS_MAX] = "";
	int r;

	if (!cmd_socket(common, path, sizeof(path)))
		return cmd_usage(VERB, "the run directory's name is too long");
	r = control_call(path, request, take_reply, &telling, error);
	if (r == -EMSGSIZE)
		(void)snprintf(error, sizeof(error),
			       "the act and its signatures are more than an "
			       "agent takes: take away those signatures that "
			       "nobody needs");
	if (r)
		return ferror(stdout) ? CMD_WRONG : cmd_failed(VERB, r, error);
	return telling.told && telling.done ? CMD_OK : CMD_WRONG;
}

/* ---- request ------------------------------------------------------------- */

/* The text of an option into its place; false: it is too long. */
static bool fits(const char *text, char *buf, size_t size)
{
	return snprintf(buf, size, "%s", text) < (int)size;
}

enum { OPT_LASTS = CMD_OPT_OWN, OPT_SERIAL, OPT_REASON };

static int take_request(int code, struct control_request *request)
{
	if (code == OPT_LASTS &&
	    !fits(optarg, request->lasts, sizeof(request->lasts)))
		return cmd_usage(VERB, "--lasts: expected a length of time "
				       "such as \"60 minutes\"");
	if (code == OPT_SERIAL &&
	    text_parse_u64(optarg, 1, INT64_MAX, &request->serial))
		return cmd_usage(VERB, "--serial: expected a number from 1");
	if (code == OPT_REASON &&
	    (!fits(optarg, request->reason, sizeof(request->reason)) ||
	     !text_is_clean(optarg, strlen(optarg), "")))
		return cmd_usage(VERB,
				 "--reason: expected one line of at most %d "
				 "bytes",
				 ACT_REASON_CHARS_MAX);
	return 0;
}

static int request(int argc, char **argv)
{
	static const struct option options[] = {
		CMD_OPTIONS,
		{"lasts", required_argument, NULL, OPT_LASTS},
		{"serial", required_argument, NULL, OPT_SERIAL},
		{"reason", required_argument, NULL, OPT_REASON},
		{0},
	};
	struct control_request asked = {.verb = CONTROL_ACT_REQUEST};
	struct cmd_common common = {0};
	enum act_kind kind;
	int code, r;

	while ((code = getopt_long(argc, argv, "", options, NULL)) != -1) {
		r = cmd_take_shared(&common, code, VERB);
		if (r == CMD_NOT_SHARED)
			r = take_request(code, &asked);
		if (r)
			return r == CMD_DONE ? CMD_OK : r;
	}
	if (argc - optind != 1 || act_kind_find(argv[optind], &kind))
		return cmd_usage(VERB, "request: expected break-glass, "
				       "uninstall or recover");
	if (kind == ACT_RECOVER && !asked.serial)
		return cmd_usage(VERB, "request recover: --serial N is "
				       "missing: the issuer knows which");
	(void)fits(argv[optind], asked.act, sizeof(asked.act));
	return tell_agent(&common, &asked);
}

/* ---- apply --------------------------------------------------------------- */

static int apply_file(const struct cmd_common *common, const char *file)
{
	struct control_request asked = {.verb = CONTROL_ACT_APPLY};
	struct policy_errors *errs = calloc(1, sizeof(*errs));
	struct trust_bundle bundle = {0};
	int r;

	if (!errs)
		return cmd_policy_failed(file, -ENOMEM);
	r = trust_bundle_read(file, &bundle, errs);
	if (!r && bundle.len > ACT_FILE_BYTES_MAX) {
		policy_errors_add(errs, file, (struct policy_pos){0},
				  "more than %u bytes, which no act has",
				  ACT_FILE_BYTES_MAX);
		r = -E2BIG;
	}
	if (r) {
		r = cmd_policy_errors(file, r, errs);
		goto out;
	}
	(void)snprintf(asked.file, sizeof(asked.file), "%s", file);
	log_clean(asked.file);
	asked.bundle = trust_bundle_json(&bundle);
	r = asked.bundle
		    ? tell_agent(common, &asked)
		    : cmd_usage(VERB, "apply: %s is no text in UTF-8", file);
out:
	control_request_release(&asked);
	trust_bundle_release(&bundle);
	free(errs);
	return r;
}

/* Of apply and end, which have no options of their own. */
static int plain(int argc, char **argv, struct cmd_common *common)
{
	static const struct option options[] = {CMD_OPTIONS, {0}};
	int code, r;

	while ((code = getopt_long(argc, argv, "", options, NULL)) != -1) {
		r = cmd_take_shared(common, code, VERB);
		if (r)
			return r;
	}
	return 0;
}

static int apply(int argc, char **argv)
{
	struct cmd_common common = {0};
	int r = plain(argc, argv, &common);

	if (r)
		return r == CMD_DONE ? CMD_OK : r;
	if (argc - optind != 1)
		return cmd_usage(VERB, "apply: expected one FILE");
	return apply_file(&common, argv[optind]);
}

static int end(int argc, char **argv)
{
	const struct control_request asked = {.verb = CONTROL_ACT_END};
	struct cmd_common common = {0};
	int r = plain(argc, argv, &common);

	if (r)
		return r == CMD_DONE ? CMD_OK : r;
	r = cmd_no_more(VERB, argc, argv);
	return r ? r : tell_agent(&common, &asked);
}

int cmd_act(int argc, char **argv)
{
	static const struct cmd_verb verbs[] = {
		{"request", request},
		{"apply", apply},
		{"end", end},
	};
	struct cmd_common common = {0};
	const char *what = argc >= 2 ? argv[1] : "";
	int code;

	if (strcmp(what, "--help") == 0)
		return plain(argc, argv, &common) == CMD_DONE ? CMD_OK
							      : CMD_USAGE;
	if (argc < 2)
		return cmd_usage(VERB, "request, apply or end?");
	if (cmd_run_verb(verbs, N_ELEMENTS(verbs), argc, argv, &code))
		return code;
	return cmd_usage(VERB, "%s: expected request, apply or end", what);
}
