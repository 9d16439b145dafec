// SPDX-License-Identifier: GPL-2.0-only
/*
 * Whose records were read, out of the evidence log: no agent is needed. The
 * numbers of origins begin anew with each guard that is loaded, so what came
 * before the last such start is another's; `load' counts them.
 */
#include "array.h"
#include "cmd.h"
#include "evidence.h"
#include "log.h"
#include "term.h"
#include "text.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Records that one line of the log tells of. */
struct some {
	json_t *line;
	uint64_t n;
};

struct chain {
	uint64_t load;
	uint64_t origin;
	json_t *began;	     /* the event; NULL: it is not in these segments */
	const char *dataset; /* of a line */
	struct some *some;
	size_t n_some;
	uint64_t records;
};

struct exposing {
	struct cmd_common common;
	bool csv;
	uint64_t origin;    /* 0: all */
	const char *record; /* NULL: any */
	uint64_t load;
	struct chain *chains;
	size_t n;
	uint64_t told;
	int r;
};

static struct chain *find_chain(struct exposing *exposing, uint64_t origin)
{
	struct chain *chains, *chain;

	for (size_t i = exposing->n; i > 0; i--) {
		chain = &exposing->chains[i - 1];
		if (chain->load == exposing->load && chain->origin == origin)
			return chain;
	}
	chains = array_grow(exposing->chains, exposing->n, sizeof(*chains));
	if (!chains)
		return NULL;
	exposing->chains = chains;
	chain = &chains[exposing->n++];
	*chain = (struct chain){.load = exposing->load, .origin = origin};
	return chain;
}

/* Row ranges count what is in them; names and numbers count one each. */
static uint64_t count_of(const json_t *line)
{
	const json_t *rows = json_object_get(line, "rows"), *range;
	uint64_t n = json_array_size(json_object_get(line, "files")) +
		     json_array_size(json_object_get(line, "unnamed"));
	json_int_t first, last;
	size_t i;

	json_array_foreach (rows, i, range) {
		first = json_integer_value(json_array_get(range, 0));
		last = json_integer_value(json_array_get(range, 1));
		if (first >= 0 && last >= first)
			n += (uint64_t)(last - first) + 1;
	}
	return n;
}

static int add_some(struct exposing *exposing, json_t *line)
{
	struct chain *chain = find_chain(exposing, cmd_number(line, "origin"));
	struct some *some;

	if (!chain)
		return -ENOMEM;
	some = array_grow(chain->some, chain->n_some, sizeof(*some));
	if (!some)
		return -ENOMEM;
	chain->some = some;
	some = &some[chain->n_some++];
	some->line = json_incref(line);
	some->n = count_of(line);
	chain->records += some->n;
	chain->dataset = evidence_text(line, "dataset");
	return 0;
}

static int take_line(const struct evidence_line *line, void *arg)
{
	struct exposing *exposing = arg;
	struct chain *chain;
	json_t *object = NULL;
	const char *prev, *type;
	uint64_t seq;
	int r = 0;

	if (!line->whole ||
	    evidence_parse(line->text, line->len, &object, &seq, &prev))
		return 0;
	type = evidence_text(object, "type");
	if (strcmp(type, "start") == 0 &&
	    json_is_false(json_object_get(object, "adopted"))) {
		exposing->load++;
	} else if (strcmp(type, "exposed") == 0) {
		r = add_some(exposing, object);
	} else if (strcmp(type, "first-read") == 0) {
		chain = find_chain(exposing, cmd_number(object, "origin"));
		r = chain ? 0 : -ENOMEM;
		if (chain && !chain->began)
			chain->began = json_incref(object);
	}
	json_decref(object);
	return r;
}

/* ---- one record ---------------------------------------------------------- */

static void print_csv(const char *text)
{
	/* A program that opens tables takes such a field for a formula. */
	bool formula = text[0] && strchr("=+-@", text[0]);

	(void)printf(formula ? "\"'" : "\"");
	for (; *text; text++)
		(void)printf(*text == '"' ? "\"\"" : "%c", *text);
	(void)putchar('"');
}

/* name: of the file; row: of it, if it has rows, else 0 and has_row false. */
static void tell(struct exposing *exposing, const struct chain *chain,
		 uint64_t record, const char *name, bool has_row, uint64_t row)
{
	char clean[EVIDENCE_LINE_MAX];
	json_t *line;

	exposing->told++;
	/* Nobody has verified it: a name may be there to steer a terminal. */
	(void)snprintf(clean, sizeof(clean), "%s", name);
	log_clean(clean);
	if (exposing->common.json) {
		line = json_pack("{s:i, s:s, s:I, s:s, s:s}", "cordon", 1,
				 "type", "record", "origin",
				 (json_int_t)chain->origin, "dataset",
				 chain->dataset, "file", name);
		if (line && record)
			(void)json_object_set_new(
				line, "record",
				json_integer((json_int_t)record));
		if (line && has_row)
			(void)json_object_set_new(
				line, "row", json_integer((json_int_t)row));
		cmd_print_json(line);
	} else if (exposing->csv) {
		(void)printf("%" PRIu64 ",", chain->origin);
		print_csv(chain->dataset);
		(void)putchar(',');
		print_csv(name);
		if (has_row)
			(void)printf(",%" PRIu64 "\n", row);
		else
			(void)printf(",\n");
	} else if (has_row) {
		(void)printf("  %s row %" PRIu64 "\n", clean, row);
	} else {
		(void)printf("  %s\n", clean);
	}
}

/* FILE, or its last part; of a row, with `:ROW' behind. */
static bool is_wanted(const struct exposing *exposing, const char *name,
		      bool has_row, uint64_t row)
{
	const char *wanted = exposing->record, *slash;
	char number[TEXT_NUMBER_CHARS_MAX];
	size_t len;

	if (!wanted)
		return true;
	slash = strchr(wanted, '/') ? NULL : strrchr(name, '/');
	if (slash)
		name = slash + 1;
	len = strlen(name);
	if (strncmp(wanted, name, len) != 0)
		return false;
	if (!has_row)
		return wanted[len] == '\0';
	(void)snprintf(number, sizeof(number), ":%" PRIu64, row);
	return strcmp(wanted + len, number) == 0;
}

static void tell_files(struct exposing *exposing, const struct chain *chain,
		       const json_t *line)
{
	const char *dir = evidence_text(line, "dir");
	const json_t *item;
	char name[EVIDENCE_LINE_MAX];
	size_t i;

	json_array_foreach (json_object_get(line, "files"), i, item) {
		const char *base = json_string_value(json_array_get(item, 1));

		(void)snprintf(name, sizeof(name), "%s/%s", dir,
			       base ? base : "");
		if (is_wanted(exposing, name, false, 0))
			tell(exposing, chain,
			     (uint64_t)json_integer_value(
				     json_array_get(item, 0)),
			     name, false, 0);
	}
	json_array_foreach (json_object_get(line, "unnamed"), i, item) {
		(void)snprintf(name, sizeof(name),
			       "(gone before its name was known: number "
			       "%" JSON_INTEGER_FORMAT ")",
			       json_integer_value(item));
		if (!exposing->record)
			tell(exposing, chain,
			     (uint64_t)json_integer_value(item), name, false,
			     0);
	}
}

static void tell_rows(struct exposing *exposing, const struct chain *chain,
		      const json_t *line)
{
	const char *file = evidence_text(line, "file");
	const json_t *range;
	json_int_t first, last;
	size_t i;

	json_array_foreach (json_object_get(line, "rows"), i, range) {
		first = json_integer_value(json_array_get(range, 0));
		last = json_integer_value(json_array_get(range, 1));
		for (json_int_t row = first; row >= 0 && row <= last; row++)
			if (is_wanted(exposing, file, true, (uint64_t)row))
				tell(exposing, chain,
				     cmd_number(line, "record"), file, true,
				     (uint64_t)row);
	}
}

/* ---- origins ------------------------------------------------------------- */

static void print_who(const struct chain *chain)
{
	const json_t *began = chain->began;
	const char *login, *unit;

	(void)printf("origin %" PRIu64 " of %s", chain->origin,
		     chain->n_some ? cmd_text(chain->some[0].line, "dataset")
				   : "?");
	if (!began) {
		(void)printf(": its beginning is not in these segments\n");
		return;
	}
	login = cmd_text(began, "login");
	unit = cmd_text(began, "unit");
	(void)printf(": %s[%" PRIu64 "] %s", cmd_text(began, "comm"),
		     cmd_number(began, "tgid"), cmd_text(began, "user"));
	if (login[0])
		(void)printf(" (login %s)", login);
	if (unit[0])
		(void)printf(" in %s", unit);
	(void)printf(", began %.19sZ\n", cmd_text(began, "time"));
}

static void tell_chain(struct exposing *exposing, const struct chain *chain)
{
	bool words = !exposing->common.json && !exposing->csv;
	char n[32];

	if (exposing->origin && chain->origin != exposing->origin)
		return;
	/* An earlier guard's numbers mean others; a record is the same one. */
	if (exposing->origin && chain->load != exposing->load)
		return;
	if (words && !exposing->record) {
		term_number(chain->records, n, sizeof(n));
		print_who(chain);
		(void)printf("  %s record%s at most%s\n", n,
			     chain->records == 1 ? "" : "s",
			     exposing->origin ? ":" : "");
	}
	if (!exposing->origin && !exposing->record && words) {
		exposing->told++;
		return;
	}
	for (size_t i = 0; i < chain->n_some; i++) {
		uint64_t before = exposing->told;

		tell_files(exposing, chain, chain->some[i].line);
		tell_rows(exposing, chain, chain->some[i].line);
		if (words && exposing->record && exposing->told > before) {
			(void)printf("  written down %.19sZ; ",
				     cmd_text(chain->some[i].line, "time"));
			print_who(chain);
		}
	}
}

static int take_option(struct exposing *exposing, int code)
{
	switch (code) {
	case CMD_OPT_OWN:
		if (text_parse_u64(optarg, 1, UINT32_MAX, &exposing->origin))
			return cmd_usage("exposed",
					 "--origin %s: expected the number of "
					 "an origin: cordon ledger",
					 optarg);
		return 0;
	case CMD_OPT_OWN + 1:
		exposing->record = optarg;
		return 0;
	case CMD_OPT_OWN + 2:
		exposing->csv = true;
		return 0;
	default:
		return cmd_take_shared(&exposing->common, code, "exposed");
	}
}

static int fail(const char *what, int r)
{
	(void)fprintf(stderr, "cordon exposed: %s: %s%s\n", what,
		      r == -ENOENT ? "there is no evidence" : strerror(-r),
		      r == -EACCES ? "; use sudo" : "");
	return r == -EACCES ? CMD_DENIED : CMD_WRONG;
}

static int read_all(struct exposing *exposing, int argc, char **argv)
{
	const char *const *paths;
	char **files = NULL;
	size_t n_paths, n = 0;
	int r, status = 0;

	paths = cmd_evidence_paths(argc, argv, &n_paths);
	r = evidence_files(paths, n_paths, NULL, NULL, &files, &n);
	if (r)
		return fail(paths[0], r);
	for (size_t i = 0; !status && i < n; i++) {
		r = evidence_read(files[i], take_line, exposing);
		if (r == -EUCLEAN) {
			(void)fprintf(stderr,
				      "cordon exposed: %s: it is damaged, and "
				      "what is behind that is missing here: "
				      "cordon evidence verify\n",
				      files[i]);
			exposing->r = CMD_WRONG;
		} else if (r) {
			status = fail(files[i], r);
		}
	}
	evidence_files_free(files, n);
	return status;
}

static void release(struct exposing *exposing)
{
	for (size_t i = 0; i < exposing->n; i++) {
		struct chain *chain = &exposing->chains[i];

		for (size_t j = 0; j < chain->n_some; j++)
			json_decref(chain->some[j].line);
		free(chain->some);
		json_decref(chain->began);
	}
	free(exposing->chains);
}

int cmd_exposed(int argc, char **argv)
{
	static const struct option options[] = {
		CMD_OPTIONS,
		{"origin", required_argument, NULL, CMD_OPT_OWN},
		{"record", required_argument, NULL, CMD_OPT_OWN + 1},
		{"csv", no_argument, NULL, CMD_OPT_OWN + 2},
		{0},
	};
	struct exposing exposing = {0};
	int code, r;

	while ((code = getopt_long(argc, argv, "", options, NULL)) != -1) {
		r = take_option(&exposing, code);
		if (r)
			return r == CMD_DONE ? CMD_OK : r;
	}
	r = read_all(&exposing, argc, argv);
	if (r)
		goto out;
	if (exposing.csv)
		(void)printf("origin,dataset,file,row\n");
	for (size_t i = 0; i < exposing.n; i++)
		tell_chain(&exposing, &exposing.chains[i]);
	r = exposing.r;
	if (!exposing.told && !exposing.common.json && !exposing.csv)
		(void)printf("%s\n",
			     exposing.record   ? "nobody has read that record, "
						 "as far as these segments tell"
			     : exposing.origin ? "there is no such origin in "
						 "these segments"
					       : "nobody has read anything");
out:
	release(&exposing);
	return r;
}
