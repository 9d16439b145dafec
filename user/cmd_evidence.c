// SPDX-License-Identifier: GPL-2.0-only
#include "clock.h"
#include "cmd.h"
#include "evidence.h"
#include "evidence_verify.h"
#include "log.h"
#include "state.h"
#include "term.h"
#include "text.h"

#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* What the arguments of all of them come to. */
struct asking {
	struct cmd_common common;
	const char *const *paths;
	size_t n_paths;
	struct cmd_keys keys;
	char *checkpoint;
	size_t checkpoint_len;
	uint64_t from;
	uint64_t to;
	uint64_t last;
	bool own_key; /* it is the one that lies beside the evidence */
};

static void asking_release(struct asking *asking)
{
	free(asking->keys.at);
	free(asking->checkpoint);
}

static int fail(const char *what, int r)
{
	(void)fprintf(stderr, "cordon evidence: %s: %s%s\n", what,
		      r == -EUCLEAN ? "this is not what it should be"
				    : strerror(-r),
		      r == -EACCES ? "; use sudo" : "");
	return r == -EACCES ? CMD_DENIED : CMD_WRONG;
}

/* ---- arguments ---------------------------------------------------------- */

static int take_number(const char *option, uint64_t *ret_n)
{
	if (text_parse_u64(optarg, 1, EVIDENCE_SEQ_MAX, ret_n))
		return cmd_usage("evidence",
				 "--%s %s: expected the number of a line",
				 option, optarg);
	return 0;
}

static int take_checkpoint(struct asking *asking)
{
	char *text = NULL;
	size_t len = 0;
	int r;

	r = state_get(optarg, EVIDENCE_LINE_MAX, &text, &len);
	if (r)
		return fail(optarg, r);
	while (len > 0 && text[len - 1] == '\n')
		len--;
	free(asking->checkpoint);
	asking->checkpoint = text;
	asking->checkpoint_len = len;
	return 0;
}

static int no_files(const struct asking *asking, int r)
{
	if (r != -ENOENT)
		return fail(asking->paths[0], r);
	(void)fprintf(stderr,
		      "cordon evidence: %s: there is no evidence; name the "
		      "folder, or its segments\n",
		      asking->paths[0]);
	return CMD_WRONG;
}

static bool is_dir(const char *path)
{
	struct stat st;

	return stat(path, &st) == 0 && S_ISDIR(st.st_mode);
}

static bool all_dirs(const struct asking *asking)
{
	for (size_t i = 0; i < asking->n_paths; i++)
		if (!is_dir(asking->paths[i]))
			return false;
	return true;
}

/* Beside the evidence, if no other one is named. */
static int find_key(struct asking *asking)
{
	if (asking->keys.n)
		return 0;
	asking->own_key = true;
	return cmd_keys_folder("evidence", &asking->keys, asking->paths[0]);
}

static const struct option options[] = {
	CMD_OPTIONS,
	{"key", required_argument, NULL, CMD_OPT_OWN},
	{"from", required_argument, NULL, CMD_OPT_OWN + 1},
	{"to", required_argument, NULL, CMD_OPT_OWN + 2},
	{"last", required_argument, NULL, CMD_OPT_OWN + 3},
	{"checkpoint", required_argument, NULL, CMD_OPT_OWN + 4},
	{0},
};

static int take_option(struct asking *asking, int code)
{
	switch (code) {
	case CMD_OPT_OWN:
		return cmd_keys_add("evidence", &asking->keys, optarg);
	case CMD_OPT_OWN + 1:
		return take_number("from", &asking->from);
	case CMD_OPT_OWN + 2:
		return take_number("to", &asking->to);
	case CMD_OPT_OWN + 3:
		return take_number("last", &asking->last);
	case CMD_OPT_OWN + 4:
		return take_checkpoint(asking);
	default:
		return cmd_take_shared(&asking->common, code, "evidence");
	}
}

/* ---- verify ------------------------------------------------------------- */

static void print_finding(const struct evidence_finding *finding, void *arg)
{
	const struct asking *asking = arg;
	const char *name = evidence_problem_name(finding->problem);
	bool colour = term_wants_colour(stdout);
	char file[PATH_MAX];

	(void)snprintf(file, sizeof(file), "%s", finding->file);
	log_clean(file);
	if (!asking->common.json) {
		if (finding->number)
			(void)printf("%s:%" PRIu64 ": ", file, finding->number);
		else if (file[0])
			(void)printf("%s: ", file);
		(void)printf("%s%s%s: %s\n", term_begin(TERM_BAD, colour), name,
			     term_end(TERM_BAD, colour), finding->words);
		return;
	}
	cmd_print_json(json_pack(
		"{s:i, s:s, s:s, s:s, s:s, s:I, s:I, s:I}", "cordon", 1, "type",
		"finding", "problem", name, "message", finding->words, "file",
		file, "file_line", (json_int_t)finding->number, "first",
		(json_int_t)finding->first, "last", (json_int_t)finding->last));
}

/*
 * All that was asked for, whether or not it is there; if nothing was, all up to
 * the last checkpoint. What is behind that is told, and proven by nothing.
 */
static bool is_proven(const struct asking *asking,
		      const struct evidence_result *result)
{
	uint64_t from = asking->from ? asking->from : result->first;
	uint64_t to = asking->to ? asking->to : result->last;

	return !result->problems && to > 0 && from <= to &&
	       evidence_result_covers(result, from, to);
}

static void print_ranges(const char *title,
			 const struct evidence_result *result)
{
	char first[32], last[32];

	for (size_t i = 0; i < result->n_proven; i++) {
		term_number(result->proven[i].first, first, sizeof(first));
		term_number(result->proven[i].last, last, sizeof(last));
		(void)printf("%-9s %s to %s\n", i ? "" : title, first, last);
	}
	if (!result->n_proven)
		(void)printf("%-9s nothing: no checkpoint is there, or none "
			     "is signed by the key\n",
			     title);
}

static void print_words(const struct asking *asking,
			const struct evidence_result *result, bool good)
{
	char id[SIGN_ID_CHARS_MAX], last[32], host[128], time[64];
	bool colour = term_wants_colour(stdout);
	enum term_colour shade = good ? TERM_GOOD : TERM_BAD;

	sign_id(&asking->keys.at[0], id);
	text_quote(result->host, strlen(result->host), host, sizeof(host));
	text_quote(result->signed_time, strlen(result->signed_time), time,
		   sizeof(time));
	(void)printf("host      %s, key %s%s\n", host, id,
		     asking->keys.n > 1 ? " and others" : "");
	print_ranges("proven", result);
	if (result->last)
		(void)printf("signed    last at %s, sha256 %s\n", time,
			     result->head);
	if (result->unproven || result->unfinished)
		(void)printf("NOT       %" PRIu64 "%s at the end, behind the "
			     "last checkpoint: anybody can\n"
			     "          have put that there; the host signs it "
			     "within seconds\n",
			     result->unproven,
			     result->unfinished ? " and a half" : "");
	if (result->skipped)
		(void)printf("lost      %" PRIu64 " at most, as the log itself "
			     "says: see \"skipped\" in it\n",
			     result->skipped);
	if (result->retired)
		(void)printf("retired   the first %" PRIu64 ", as the log "
			     "itself says\n",
			     result->retired);
	if (!all_dirs(asking) && result->first > 1)
		(void)printf("note      lines before %" PRIu64 " were not "
			     "given\n",
			     result->first);
	if (asking->own_key)
		(void)printf(
			"note      the key is the one in that folder, so "
			"this shows that one host wrote\n"
			"          all of it, but not which: compare cordon "
			"evidence key with what the\n"
			"          host's administrator tells you, or give "
			"--key\n");
	term_number(asking->to ? asking->to : result->last, last, sizeof(last));
	if (good)
		(void)printf(
			"%swhole up to line %s: nothing was changed, taken "
			"out or put in%s\n",
			term_begin(shade, colour), last,
			term_end(shade, colour));
	else
		(void)printf("%s%s%s\n", term_begin(shade, colour),
			     result->problems
				     ? "NOT WHOLE: see above"
				     : "NOT PROVEN: no checkpoint stands for "
				       "all of these lines",
			     term_end(shade, colour));
}

static void print_json(const struct asking *asking,
		       const struct evidence_result *result, bool good)
{
	json_t *proven = json_array();
	char id[SIGN_ID_CHARS_MAX];

	for (size_t i = 0; i < result->n_proven; i++)
		(void)json_array_append_new(
			proven,
			json_pack("[I, I]", (json_int_t)result->proven[i].first,
				  (json_int_t)result->proven[i].last));
	sign_id(&asking->keys.at[0], id);
	cmd_print_json(json_pack(
		"{s:i, s:s, s:b, s:s, s:s, s:s, s:I, s:I, s:I, s:b, s:s, s:I, "
		"s:I, s:I, s:s, s:o}",
		"cordon", 1, "type", "verified", "whole", good, "host",
		result->host, "key", id, "key_from",
		asking->own_key ? "folder" : "option", "first",
		(json_int_t)result->first, "last", (json_int_t)result->last,
		"unproven", (json_int_t)result->unproven, "unfinished",
		result->unfinished, "signed_time", result->signed_time,
		"skipped", (json_int_t)result->skipped, "retired",
		(json_int_t)result->retired, "problems",
		(json_int_t)result->problems, "head", result->head, "proven",
		proven));
}

static int verify(struct asking *asking)
{
	struct evidence_query query = {
		.paths = asking->paths,
		.n_paths = asking->n_paths,
		.keys = asking->keys.at,
		.n_keys = asking->keys.n,
		.from = asking->from,
		.to = asking->to,
		.last = asking->last,
		.all = all_dirs(asking),
		.checkpoint = asking->checkpoint,
		.checkpoint_len = asking->checkpoint_len,
	};
	struct evidence_result result;
	bool good;
	int r;

	r = evidence_verify(&query, print_finding, asking, &result);
	if (r == -EINVAL) {
		(void)fprintf(stderr,
			      "cordon evidence verify: --checkpoint: this is "
			      "no checkpoint that the key signed\n");
		return CMD_WRONG;
	}
	if (r)
		return no_files(asking, r);
	good = is_proven(asking, &result);
	if (asking->common.json)
		print_json(asking, &result, good);
	else
		print_words(asking, &result, good);
	evidence_result_release(&result);
	return good ? CMD_OK : CMD_WRONG;
}

/* ---- the others --------------------------------------------------------- */

static int print_key(struct asking *asking)
{
	char pem[SIGN_PEM_CHARS_MAX], hash[SIGN_HASH_CHARS_MAX];

	for (size_t i = 0; i < asking->keys.n; i++) {
		sign_public_pem(&asking->keys.at[i], pem);
		sign_hash(asking->keys.at[i].bytes,
			  sizeof(asking->keys.at[i].bytes), hash);
		if (asking->common.json)
			(void)printf("{\"cordon\":1,\"type\":\"key\","
				     "\"key\":\"%.16s\",\"sha256\":\"%s\"}\n",
				     hash, hash);
		else
			(void)printf("%skey %.16s, in full %s\n", pem, hash,
				     hash);
	}
	return CMD_OK;
}

struct printing {
	const struct asking *asking;
	bool checkpoints; /* only these, of which only the last */
	char last[EVIDENCE_LINE_MAX];
	size_t last_len;
};

static int print_line(const struct evidence_line *line, void *arg)
{
	struct printing *printing = arg;
	const struct asking *asking = printing->asking;
	char signature[SIGN_SIGNATURE_CHARS_MAX];
	json_t *object;
	const char *prev;
	uint64_t seq;
	size_t len;

	if (printing->checkpoints) {
		if (!line->whole ||
		    evidence_signed(line->text, line->len, &len, signature))
			return 0;
		memcpy(printing->last, line->text, line->len);
		printing->last_len = line->len;
		return 0;
	}
	if (!line->whole ||
	    evidence_parse(line->text, line->len, &object, &seq, &prev))
		return 0;
	json_decref(object);
	if (seq < asking->from || (asking->to && seq > asking->to))
		return 0;
	(void)fwrite(line->text, 1, line->len, stdout);
	return putchar('\n') == EOF ? -EPIPE : 0;
}

/* Lines as they stand there, or the last checkpoint. */
static int print_lines(const struct asking *asking, bool checkpoints)
{
	struct printing printing = {.asking = asking,
				    .checkpoints = checkpoints};
	char **files = NULL;
	size_t n = 0;
	int r, status = CMD_OK;

	r = evidence_files(asking->paths, asking->n_paths, NULL, NULL, &files,
			   &n);
	if (r)
		return no_files(asking, r);
	for (size_t i = 0; i < n; i++) {
		r = evidence_read(files[i], print_line, &printing);
		if (r == -EPIPE) {
			status = CMD_WRONG;
			break;
		}
		if (r)
			status = fail(files[i], r);
	}
	evidence_files_free(files, n);
	if (!checkpoints)
		return status;
	if (!printing.last_len) {
		(void)fprintf(stderr, "cordon evidence: there is no "
				      "checkpoint yet\n");
		return CMD_WRONG;
	}
	(void)printf("%.*s\n", (int)printing.last_len, printing.last);
	return status;
}

/* ---- the index ---------------------------------------------------------- */

static int reindex(const struct asking *asking, int argc, char **argv)
{
	int64_t began_ms = clock_ms(), took_ms;
	struct cmd_index index;
	int r;

	r = cmd_index_open("evidence", argc, argv, CMD_INDEX_ANEW, &index);
	if (r)
		return r;
	took_ms = clock_ms() - began_ms;
	if (asking->common.json)
		cmd_print_json(json_pack(
			"{s:i, s:s, s:I, s:I, s:I, s:I, s:s}", "cordon", 1,
			"type", "index", "lines", (json_int_t)index.found.total,
			"first", (json_int_t)index.found.first, "last",
			(json_int_t)index.found.last, "took_ms",
			(json_int_t)took_ms, "file", index.file));
	else
		(void)printf("%" PRIu64 " lines indexed in %.1f s%s%s\n",
			     index.found.total, (double)took_ms / 1000,
			     index.file[0] ? ": " : ", and not kept: ",
			     index.file[0] ? index.file : index.found.problem);
	return cmd_index_close(&index, CMD_OK);
}

static int run(const char *what, struct asking *asking, int argc, char **argv)
{
	int code, r;

	while ((code = getopt_long(argc, argv, "", options, NULL)) != -1) {
		r = take_option(asking, code);
		if (r)
			return r == CMD_DONE ? CMD_OK : r;
	}
	if (strcmp(what, "reindex") == 0)
		return reindex(asking, argc, argv);
	asking->paths = cmd_evidence_paths(argc, argv, &asking->n_paths);
	if (strcmp(what, "show") == 0)
		return print_lines(asking, false);
	if (strcmp(what, "checkpoint") == 0)
		return print_lines(asking, true);
	r = find_key(asking);
	if (r)
		return r;
	return strcmp(what, "key") == 0 ? print_key(asking) : verify(asking);
}

int cmd_evidence(int argc, char **argv)
{
	static const char *const verbs[] = {"verify", "show", "checkpoint",
					    "key", "reindex"};
	const char *what = argc >= 2 ? argv[1] : "";
	struct asking asking = {0};
	int r;

	/* The help is the same for all. */
	if (strcmp(what, "--help") == 0)
		return run(what, &asking, argc, argv);
	for (size_t i = 0; i < sizeof(verbs) / sizeof(verbs[0]); i++) {
		if (strcmp(what, verbs[i]) != 0)
			continue;
		/* getopt_long() begins its messages with it. */
		argv[1] = argv[0];
		r = run(what, &asking, argc - 1, argv + 1);
		asking_release(&asking);
		return r;
	}
	return cmd_usage("evidence", "%s%sverify, show, checkpoint or key?",
			 what, what[0] ? ": " : "");
}
