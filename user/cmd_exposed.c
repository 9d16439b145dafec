// SPDX-License-Identifier: GPL-2.0-only
/*
 * Whose records were read and what became of them, out of the evidence log: no
 * agent is needed. The numbers of origins begin anew with each guard that is
 * loaded; `load' is the number of the line that began it.
 */
#include "array.h"
#include "cmd.h"
#include "evidence.h"
#include "exposed.h"
#include "exposure.h"
#include "exposure_status.h"
#include "log.h"
#include "term.h"
#include "text.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ROWS_MAX 100000000

/* What one guard saw: the numbers of origins mean the same. */
struct guarded {
	uint64_t load;
	json_t *exposed; /* lines, of those that are asked for */
	json_t *ledger;
	json_t *events;
	struct exposure_status status;
};

struct chain {
	size_t guarded; /* place */
	uint64_t origin;
	json_t *began;	 /* the event; NULL: it is not in this evidence */
	json_t *exposed; /* lines */
};

struct exposing {
	struct cmd_common common;
	struct cmd_index index;
	bool csv;
	uint64_t number;    /* of an incident; 0: none is asked for */
	uint64_t origin;    /* 0: any */
	const char *record; /* NULL: any */
	uint64_t load;	    /* of the chain, while one is gathered */
	json_t *incident;   /* its line, or NULL */
	struct guarded *guarded;
	size_t n_guarded;
	struct chain *chains;
	size_t n;
	const struct chain *untold; /* before the first of its records */
	struct exposure listed;	    /* by place of the chain */
	json_t *keyed;		    /* rows and keys, of those with one */
	uint64_t told;
};

static bool for_people(const struct exposing *exposing)
{
	return !exposing->common.json && !exposing->csv;
}

/* ---- who read ------------------------------------------------------------ */

static void print_who(const struct chain *chain)
{
	const json_t *began = chain->began;
	const char *login, *unit;

	(void)printf("origin %" PRIu64 " of %s", chain->origin,
		     cmd_text(json_array_get(chain->exposed, 0), "dataset"));
	if (!began) {
		(void)printf(": its beginning is not in this evidence\n");
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

static const char *place_name(const struct exposure_way *way)
{
	return strcmp(way->destination, "*") == 0 ? "elsewhere"
						  : way->destination;
}

static void print_way(const struct exposure_share *share,
		      const struct exposure_way *way)
{
	char k[32], m[32], to[256];

	if (!way->through)
		return;
	term_number(way->records, k, sizeof(k));
	term_number(share->read, m, sizeof(m));
	(void)snprintf(to, sizeof(to), "%s", place_name(way));
	log_clean(to);
	(void)printf("  possibly released to %s: at most %s of these %s\n", to,
		     k, m);
}

static void print_share(const struct exposure_share *share)
{
	uint64_t read = share->listed > share->read ? share->listed
						    : share->read;
	char n[32];

	term_number(read, n, sizeof(n));
	(void)printf("  at most %s record%s read; %s\n", n,
		     read == 1 ? "" : "s",
		     share->fate == EXPOSURE_CONTAINED
			     ? "contained: nothing of that was released"
		     : share->fate == EXPOSURE_RELEASED
			     ? "some may have left:"
			     : "nothing is on record that left");
	for (size_t i = 0; i < share->n_ways; i++)
		print_way(share, &share->ways[i]);
}

/* A list that lacks some is not to pass for all of them. */
static void tell_unlisted(const struct exposing *exposing,
			  const struct exposure_share *share)
{
	uint64_t n = share->read - share->listed;
	char text[32];

	if (!n)
		return;
	term_number(n, text, sizeof(text));
	if (for_people(exposing))
		(void)printf("  %s of these this evidence does not list\n",
			     text);
	else
		(void)fprintf(stderr,
			      "cordon exposed: origin %" PRIu64
			      " has read up to %s more than this evidence "
			      "lists\n",
			      share->origin, text);
}

static void tell_who(struct exposing *exposing, const struct chain *chain)
{
	const struct exposure_status *status =
		&exposing->guarded[chain->guarded].status;

	print_who(chain);
	for (size_t i = 0; i < status->n; i++)
		if (status->shares[i].origin == chain->origin) {
			print_share(&status->shares[i]);
			tell_unlisted(exposing, &status->shares[i]);
		}
	exposing->untold = NULL;
	exposing->told++;
}

/* ---- one record ---------------------------------------------------------- */

static void print_csv(const char *text)
{
	/* A program that opens tables takes such a field for a formula. */
	bool formula = text[0] && strchr("=+-@\t\r", text[0]);
	char clean[EVIDENCE_LINE_MAX];

	/* Nobody has verified it, and a terminal may be what shows it. */
	(void)snprintf(clean, sizeof(clean), "%s", text);
	log_clean(clean);
	(void)printf(formula ? "\"'" : "\"");
	for (const char *at = clean; *at; at++)
		(void)printf(*at == '"' ? "\"\"" : "%c", *at);
	(void)putchar('"');
}

/* Where something of it may have gone. */
static json_t *ways_of(const struct exposure_share *share)
{
	json_t *list = json_array();

	for (size_t i = 0; share && i < share->n_ways; i++)
		if (share->ways[i].through)
			(void)json_array_append_new(
				list,
				json_pack("{s:s, s:I, s:I}", "destination",
					  share->ways[i].destination, "at_most",
					  (json_int_t)share->ways[i].records,
					  "of", (json_int_t)share->read));
	return list;
}

/* One field of a table. */
static void print_ways(const struct exposure_share *share)
{
	char all[1024] = "";
	size_t len = 0;

	for (size_t i = 0; share && i < share->n_ways; i++)
		if (share->ways[i].through && len < sizeof(all))
			len += (size_t)snprintf(all + len, sizeof(all) - len,
						"%s%s", len ? ", " : "",
						place_name(&share->ways[i]));
	print_csv(all);
}

/* One of a chain's; row has no meaning unless it has_row. */
struct item {
	const struct chain *chain;
	const struct exposure_status *status;
	const json_t *line;
	const char *name; /* of its file */
	const char *key;  /* of the row; NULL: none is known */
	uint64_t record;
	bool has_row;
	uint64_t row;
};

static const char *fate_of(const struct exposure_share *share)
{
	return exposure_fate_name(share ? share->fate : EXPOSURE_UNKNOWN);
}

static void print_json(const struct item *item,
		       const struct exposure_share *share)
{
	json_t *line = json_pack(
		"{s:i, s:s, s:I, s:s, s:s, s:s, s:o}", "cordon", 1, "type",
		"record", "origin", (json_int_t)item->chain->origin, "dataset",
		evidence_text(item->line, "dataset"), "file", item->name,
		"fate", fate_of(share), "released", ways_of(share));

	if (line && item->record)
		(void)json_object_set_new(
			line, "record", json_integer((json_int_t)item->record));
	if (line && item->has_row)
		(void)json_object_set_new(line, "row",
					  json_integer((json_int_t)item->row));
	if (line && item->key)
		(void)json_object_set_new(line, "key", json_string(item->key));
	cmd_print_json(line);
}

static void print_row(const struct item *item,
		      const struct exposure_share *share)
{
	(void)printf("%" PRIu64 ",", item->chain->origin);
	print_csv(evidence_text(item->line, "dataset"));
	(void)putchar(',');
	print_csv(item->name);
	(void)putchar(',');
	if (item->has_row)
		(void)printf("%" PRIu64, item->row);
	(void)putchar(',');
	if (item->key)
		print_csv(item->key);
	(void)printf(",%s,", fate_of(share));
	print_ways(share);
	(void)putchar('\n');
}

/*
 * A row whose key was told before. Who wrote to the file meanwhile may have
 * made it somebody else's, and then both are meant.
 */
static bool is_key_told(struct exposing *exposing, const struct item *item)
{
	char *name = NULL;
	bool told = false;

	if (!exposing->keyed)
		exposing->keyed = json_object();
	if (asprintf(&name, "%zu %" PRIu64 " %" PRIu64 " %s",
		     (size_t)(item->chain - exposing->chains), item->record,
		     item->row, item->key) < 0)
		return false;
	told = json_object_get(exposing->keyed, name) != NULL;
	(void)json_object_set_new(exposing->keyed, name, json_true());
	free(name);
	return told;
}

/* The next agent tells of a record that the one before it told of. */
static bool is_told(struct exposing *exposing, const struct item *item)
{
	uint64_t number = item->has_row ? item->row : item->record;
	const struct exposure_block block = {
		.origin = (uint32_t)(item->chain - exposing->chains) + 1,
		.record = item->has_row ? (uint32_t)item->record : 0,
		.first = (uint32_t)(number / 64),
		.mask = 1ULL << (number & 63),
	};

	bool told = exposure_mask(&exposing->listed, &block) & block.mask;

	/* Without memory it is told again, which is better than not. */
	if (!told)
		(void)exposure_add(&exposing->listed, &block);
	return item->key ? is_key_told(exposing, item) : told;
}

static void tell(struct exposing *exposing, const struct item *item)
{
	const struct exposure_share *share =
		exposure_status_find(item->status, item->chain->origin,
				     evidence_text(item->line, "dataset"));
	char clean[EVIDENCE_LINE_MAX], key[EVIDENCE_LINE_MAX];

	if (is_told(exposing, item))
		return;
	if (exposing->untold)
		tell_who(exposing, exposing->untold);
	exposing->told++;
	if (exposing->common.json) {
		print_json(item, share);
		return;
	}
	if (exposing->csv) {
		print_row(item, share);
		return;
	}
	/* Nobody has verified it: a name may be there to steer a terminal. */
	(void)snprintf(clean, sizeof(clean), "%s", item->name);
	log_clean(clean);
	(void)printf("  %s", clean);
	if (item->has_row)
		(void)printf(" row %" PRIu64, item->row);
	if (item->key) {
		(void)snprintf(key, sizeof(key), "%s", item->key);
		log_clean(key);
		(void)printf(" key %s", key);
	}
	(void)printf("\n");
}

/* FILE, or its last part; of a row, with `:ROW' behind; or its key. */
static bool is_wanted(const struct exposing *exposing, const struct item *item)
{
	const char *wanted = exposing->record, *name = item->name, *slash;
	char number[TEXT_NUMBER_CHARS_MAX];
	size_t len;

	if (!wanted || (item->key && strcmp(item->key, wanted) == 0))
		return true;
	slash = strchr(wanted, '/') ? NULL : strrchr(name, '/');
	if (slash)
		name = slash + 1;
	len = strlen(name);
	if (strncmp(wanted, name, len) != 0)
		return false;
	if (!item->has_row)
		return wanted[len] == '\0';
	(void)snprintf(number, sizeof(number), ":%" PRIu64, item->row);
	return strcmp(wanted + len, number) == 0;
}

static void tell_files(struct exposing *exposing, struct item *item)
{
	const char *dir = evidence_text(item->line, "dir");
	char name[EVIDENCE_LINE_MAX];
	const json_t *file;
	size_t i;

	item->name = name;
	json_array_foreach (json_object_get(item->line, "files"), i, file) {
		const char *base = json_string_value(json_array_get(file, 1));

		(void)snprintf(name, sizeof(name), "%s/%s", dir,
			       base ? base : "");
		item->record =
			(uint64_t)json_integer_value(json_array_get(file, 0));
		if (is_wanted(exposing, item))
			tell(exposing, item);
	}
	json_array_foreach (json_object_get(item->line, "unnamed"), i, file) {
		item->record = (uint64_t)json_integer_value(file);
		(void)snprintf(name, sizeof(name),
			       "(gone before its name was known: number "
			       "%" PRIu64 ")",
			       item->record);
		if (!exposing->record)
			tell(exposing, item);
	}
	item->name = NULL;
}

/* The policy names a key, but the agent could not read those of this line. */
static void tell_keyless(const struct exposing *exposing,
			 const struct item *item)
{
	const char *why = evidence_text(item->line, "keys_why");

	if (why[0] && for_people(exposing) && !exposing->record)
		(void)printf("  (no keys of the next rows: %s)\n",
			     exposed_keys_words(why));
}

static void tell_rows(struct exposing *exposing, struct item *item)
{
	const json_t *keys = json_object_get(item->line, "keys"), *range;
	json_int_t first, last;
	size_t i, place = 0;

	item->name = evidence_text(item->line, "file");
	item->record = cmd_number(item->line, "record");
	item->has_row = true;
	tell_keyless(exposing, item);
	json_array_foreach (json_object_get(item->line, "rows"), i, range) {
		first = json_integer_value(json_array_get(range, 0));
		last = json_integer_value(json_array_get(range, 1));
		/* Nobody has verified it: no file has more than that. */
		if (first < 0 || last - first > ROWS_MAX)
			continue;
		for (json_int_t row = first; row <= last; row++) {
			item->row = (uint64_t)row;
			item->key = json_string_value(
				json_array_get(keys, place++));
			if (is_wanted(exposing, item))
				tell(exposing, item);
		}
	}
}

/* ---- chains -------------------------------------------------------------- */

static int append_line(const json_t *line, void *arg)
{
	return json_array_append(arg, (json_t *)line) ? -ENOMEM : 0;
}

static int take_began(const json_t *line, void *arg)
{
	struct chain *chain = arg;

	chain->began = json_incref((json_t *)line);
	return 0;
}

/* What is told of no origin alone. */
static int gather_common(struct exposing *exposing, struct guarded *guarded)
{
	struct evidence_index_query query = {.load = guarded->load,
					     .type = "first-release"};
	struct evidence_index *index = exposing->index.index;
	int r;

	r = evidence_index_lines(index, &query, append_line, guarded->events);
	query.type = "faults";
	if (!r)
		r = evidence_index_lines(index, &query, append_line,
					 guarded->events);
	return r ? r
		 : evidence_index_ledger(index, guarded->load, 0, append_line,
					 guarded->ledger);
}

static int find_guarded(struct exposing *exposing, uint64_t load,
			size_t *ret_place)
{
	struct guarded *guarded;

	for (size_t i = 0; i < exposing->n_guarded; i++)
		if (exposing->guarded[i].load == load) {
			*ret_place = i;
			return 0;
		}
	guarded = array_grow(exposing->guarded, exposing->n_guarded,
			     sizeof(*guarded));
	if (!guarded)
		return -ENOMEM;
	exposing->guarded = guarded;
	*ret_place = exposing->n_guarded;
	guarded = &guarded[exposing->n_guarded++];
	*guarded = (struct guarded){.load = load,
				    .exposed = json_array(),
				    .ledger = json_array(),
				    .events = json_array()};
	return gather_common(exposing, guarded);
}

static bool is_gathered(const struct exposing *exposing, size_t guarded,
			uint64_t origin)
{
	for (size_t i = 0; i < exposing->n; i++)
		if (exposing->chains[i].guarded == guarded &&
		    exposing->chains[i].origin == origin)
			return true;
	return false;
}

static int fill_chain(struct exposing *exposing, struct chain *chain)
{
	struct guarded *guarded = &exposing->guarded[chain->guarded];
	struct evidence_index *index = exposing->index.index;
	struct evidence_index_query query = {.load = guarded->load,
					     .origin = chain->origin,
					     .type = "first-read",
					     .max = 1};
	int r;

	r = evidence_index_lines(index, &query, take_began, chain);
	if (!r && chain->began)
		r = append_line(chain->began, guarded->events);
	query.type = "exposed";
	query.max = 0;
	if (!r)
		r = evidence_index_lines(index, &query, append_line,
					 chain->exposed);
	if (!r && json_array_extend(guarded->exposed, chain->exposed))
		r = -ENOMEM;
	return r ? r
		 : evidence_index_ledger(index, guarded->load, chain->origin,
					 append_line, guarded->ledger);
}

static int gather(struct exposing *exposing, uint64_t load, uint64_t origin)
{
	struct chain *chains;
	size_t guarded = 0;
	int r;

	r = find_guarded(exposing, load, &guarded);
	if (r || is_gathered(exposing, guarded, origin))
		return r;
	chains = array_grow(exposing->chains, exposing->n, sizeof(*chains));
	if (!chains)
		return -ENOMEM;
	exposing->chains = chains;
	chains[exposing->n] = (struct chain){
		.guarded = guarded, .origin = origin, .exposed = json_array()};
	return fill_chain(exposing, &chains[exposing->n++]);
}

static int gather_origin(uint64_t load, uint64_t origin, void *arg)
{
	struct exposing *exposing = arg;

	if (exposing->origin &&
	    (load != exposing->load || origin != exposing->origin))
		return 0;
	return gather(exposing, load, origin);
}

static int gather_record(const struct evidence_index_record *record, void *arg)
{
	return gather(arg, record->load, record->origin);
}

static int gather_incident(struct exposing *exposing)
{
	struct evidence_index_incident incident = {0};
	const json_t *origin;
	size_t i;
	int r;

	r = evidence_index_incident(exposing->index.index, exposing->number,
				    &incident);
	exposing->incident = incident.line;
	json_array_foreach (json_object_get(incident.line, "origins"), i,
			    origin)
		if (!r)
			r = gather(exposing, incident.load,
				   cmd_number(origin, "origin"));
	return r;
}

/* As it stands in the log, or as it is. */
static int gather_records(struct exposing *exposing)
{
	static char name[EVIDENCE_LINE_MAX];
	struct evidence_index *index = exposing->index.index;
	int r;

	/* A blank key is nobody's. */
	if (!exposing->record[0])
		return 0;
	r = evidence_index_records(index, exposing->record, gather_record,
				   exposing);
	if (r || exposing->n)
		return r;
	text_escape(exposing->record, strlen(exposing->record), name,
		    sizeof(name));
	exposing->record = name;
	return evidence_index_records(index, name, gather_record, exposing);
}

static int gather_all(struct exposing *exposing)
{
	struct evidence_index *index = exposing->index.index;

	if (exposing->number)
		return gather_incident(exposing);
	if (exposing->record)
		return gather_records(exposing);
	exposing->load = exposing->index.found.load;
	return evidence_index_origins(index, gather_origin, exposing);
}

static int judge(struct exposing *exposing)
{
	struct guarded *guarded;
	int r = 0;

	for (size_t i = 0; !r && i < exposing->n_guarded; i++) {
		guarded = &exposing->guarded[i];
		r = exposure_status_make(exposing->incident, guarded->ledger,
					 guarded->exposed, guarded->events,
					 &guarded->status);
	}
	return r;
}

static int count_record(const struct evidence_index_record *record, void *arg)
{
	uint64_t *n = arg;

	(void)record;
	(*n)++;
	return 0;
}

/* Who deletes a file at once takes its name from the evidence. */
static int tell_nameless(struct exposing *exposing)
{
	uint64_t n = 0;
	int r;

	r = evidence_index_records(exposing->index.index, "", count_record, &n);
	if (!r && n)
		(void)fprintf(
			for_people(exposing) ? stdout : stderr,
			"%s%" PRIu64 " line%s of this evidence tell%s of "
			"records without a name or a key: it can be among "
			"them\n",
			for_people(exposing) ? "" : "cordon exposed: ", n,
			n == 1 ? "" : "s", n == 1 ? "s" : "");
	return r;
}

static void tell_chain(struct exposing *exposing, const struct chain *chain)
{
	const struct exposure_status *status =
		&exposing->guarded[chain->guarded].status;
	bool list = exposing->number || exposing->origin || exposing->record;
	const json_t *line;
	size_t i;

	for (i = 0; !for_people(exposing) && !exposing->record && i < status->n;
	     i++)
		if (status->shares[i].origin == chain->origin)
			tell_unlisted(exposing, &status->shares[i]);

	if (for_people(exposing)) {
		/* One that read another record of that name is not told of. */
		exposing->untold = chain;
		if (!exposing->record)
			tell_who(exposing, chain);
		if (!list)
			return;
	}
	json_array_foreach (chain->exposed, i, line) {
		struct item item = {
			.chain = chain, .status = status, .line = line};

		tell_files(exposing, &item);
		tell_rows(exposing, &item);
	}
}

/* ---- arguments ----------------------------------------------------------- */

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

static void release(struct exposing *exposing)
{
	for (size_t i = 0; i < exposing->n; i++) {
		json_decref(exposing->chains[i].exposed);
		json_decref(exposing->chains[i].began);
	}
	for (size_t i = 0; i < exposing->n_guarded; i++) {
		struct guarded *guarded = &exposing->guarded[i];

		exposure_status_release(&guarded->status);
		json_decref(guarded->exposed);
		json_decref(guarded->ledger);
		json_decref(guarded->events);
	}
	exposure_release(&exposing->listed);
	json_decref(exposing->keyed);
	json_decref(exposing->incident);
	free(exposing->chains);
	free(exposing->guarded);
}

static int tell_all(struct exposing *exposing)
{
	int r;

	r = gather_all(exposing);
	if (!r)
		r = judge(exposing);
	if (r == -ENOENT) {
		(void)fprintf(stderr,
			      "cordon exposed: there is no incident %" PRIu64
			      " in this evidence: cordon incident list\n",
			      exposing->number);
		return CMD_WRONG;
	}
	if (r)
		return cmd_index_error(&exposing->index, r);
	if (exposing->csv)
		(void)printf("origin,dataset,file,row,key,fate,released_to\n");
	for (size_t i = 0; i < exposing->n; i++)
		tell_chain(exposing, &exposing->chains[i]);
	if (!exposing->told && for_people(exposing))
		(void)printf("%s\n",
			     exposing->record ? "nobody has read that record, "
						"as far as this evidence "
						"tells"
			     : exposing->number ? "this evidence has no record "
						  "that was read"
			     : exposing->origin ? "there is no such origin in "
						  "this evidence"
						: "nobody has read anything, "
						  "as far as this evidence "
						  "tells");
	r = exposing->record ? tell_nameless(exposing) : 0;
	return r ? cmd_index_error(&exposing->index, r) : CMD_OK;
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
	if (optind < argc &&
	    !text_parse_u64(argv[optind], 1, INT64_MAX, &exposing.number))
		optind++;
	if ((exposing.number != 0) + (exposing.origin != 0) +
		    (exposing.record != NULL) >
	    1)
		return cmd_usage("exposed", "one of N, --origin and --record");
	r = cmd_index_open("exposed", argc, argv, CMD_INDEX_KEPT,
			   &exposing.index);
	if (r)
		return r;
	r = tell_all(&exposing);
	release(&exposing);
	return cmd_index_close(&exposing.index, r);
}
