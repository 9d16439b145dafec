// SPDX-License-Identifier: GPL-2.0-only
/*
 * One table says which member of which line becomes which series; the rest
 * reads and writes what it says.
 */
#include "metrics.h"

#include <errno.h>
#include <inttypes.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "array.h"
#include "event.h"
#include "text.h"
#include "version.h"

#define LABELS_MAX  6
#define COLUMNS_MAX 6
#define LABEL_NAME  16 /* of a label, with what is around its value */
#define TEXT_MAX    (LABELS_MAX * (2 * METRICS_LABEL_BYTES_MAX + LABEL_NAME))

#define UNLIMITED UINT64_MAX
#define ABSENT	  (UINT64_MAX - 1)

/* FULLEST: a gauge; of rows that become one the highest counts, not the sum. */
enum how { GAUGE, FULLEST, COUNTER, INFO };

/*
 * A family of series, whose name has neither `_total' nor `_info', and the
 * member that its value is.
 */
struct series {
	const char *name;
	const char *key;
	enum how how;
	const char *help;
};

struct tag {
	const char *label;
	const char *key;
};

/* Lines that become rows. budget: only those whose "budget" is that. */
struct kind {
	const char *type;
	const char *budget;
	const struct tag *tags;
	const struct series *series;
};

static const struct tag dataset_tags[] = {{"dataset", "dataset"}, {0}};

static const struct series dataset_series[] = {
	{"cordon_dataset_files", "files", GAUGE,
	 "Files of the dataset that are labelled."},
	{"cordon_dataset_missing_paths", "missing", GAUGE,
	 "Paths of the dataset that are not there."},
	{"cordon_dataset_holders", "holders", GAUGE,
	 "Processes that may hold something of the dataset."},
	{"cordon_dataset_held_bytes", "held_bytes", FULLEST,
	 "The most that one process may hold of the dataset."},
	{"cordon_dataset_held_records", "held_records", FULLEST,
	 "The most that one process may hold of the dataset."},
	{0},
};

/* A cap has its subject's name, or that of quiet files, and no rule's. */
static const struct tag budget_tags[] = {
	{"rule", "rule"},
	{"subject", "subject"},
	{"files", "files"},
	{"dataset", "dataset"},
	{"destination", "destination"},
	{0},
};

static const struct tag refused_tags[] = {
	{"rule", "rule"},
	{"subject", "subject"},
	{"files", "files"},
	{"dataset", "dataset"},
	{"destination", "destination"},
	{"budget", "budget"},
	{0},
};

#define USED_HELP                                                       \
	"Used in the window that ends now; of a budget for each user, " \
	"by the one who used most."

static const struct series records_series[] = {
	{"cordon_budget_used_records", "used", FULLEST, USED_HELP},
	{"cordon_budget_max_records", "max", FULLEST,
	 "What the budget allows in a window."},
	{0},
};

static const struct series bytes_series[] = {
	{"cordon_budget_used_bytes", "used", FULLEST, USED_HELP},
	{"cordon_budget_max_bytes", "max", FULLEST,
	 "What the budget allows in a window."},
	{0},
};

static const struct series refused_series[] = {
	{"cordon_budget_refused_acts", "refused", COUNTER,
	 "Acts that went beyond the budget, of all users."},
	{0},
};

static const struct tag ledger_tags[] = {
	{"dataset", "dataset"},
	{"subject", "subject"},
	{"destination", "destination"},
	{"channel", "channel"},
	{0},
};

enum { LEDGER_OVER, LEDGER_BLOCKED };

static const struct series ledger_series[] = {
	[LEDGER_OVER] = {"cordon_ledger_over_acts", "over_acts", COUNTER,
			 "Acts beyond a budget, blocked or alerted."},
	[LEDGER_BLOCKED] = {"cordon_ledger_blocked_acts", "blocked_acts",
			    COUNTER, "Acts beyond a budget that were denied."},
	{"cordon_ledger_acts", "acts", COUNTER,
	 "Acts of those who read or hold something; the destination read is "
	 "reading."},
	{"cordon_ledger_bytes", "bytes", COUNTER,
	 "Bytes that were read or released."},
	{"cordon_ledger_records", "records", COUNTER,
	 "Records that were read or, at most, released."},
	{"cordon_ledger_over_bytes", "over_bytes", COUNTER,
	 "Bytes of acts beyond a budget."},
	{0},
};

static const struct tag table_tags[] = {{"table", "name"}, {0}};

static const struct series table_series[] = {
	{"cordon_table_entries", "entries", GAUGE,
	 "Entries of a table of the guard."},
	{"cordon_table_max_entries", "max", GAUGE,
	 "Entries that a table of the guard has room for."},
	{0},
};

static const struct tag fault_tags[] = {{"fault", "fault"}, {0}};

static const struct series fault_series[] = {
	{"cordon_faults", "n", COUNTER,
	 "What the guard could not know or store since it was loaded; event "
	 "lost: detail, but no count."},
	{0},
};

/* The first are lines, the others parts of the status. */
enum {
	KIND_DATASET,
	KIND_RECORDS,
	KIND_BYTES,
	KIND_REFUSED,
	KIND_LEDGER,
	KIND_TABLE,
	KIND_FAULT,
	KINDS,
	KIND_LINES = KIND_TABLE,
};

static const struct kind kinds[KINDS] = {
	[KIND_DATASET] = {"dataset", NULL, dataset_tags, dataset_series},
	[KIND_RECORDS] = {"budget", "records", budget_tags, records_series},
	[KIND_BYTES] = {"budget", "bytes", budget_tags, bytes_series},
	[KIND_REFUSED] = {"budget", NULL, refused_tags, refused_series},
	[KIND_LEDGER] = {"ledger", NULL, ledger_tags, ledger_series},
	[KIND_TABLE] = {NULL, NULL, table_tags, table_series},
	[KIND_FAULT] = {NULL, NULL, fault_tags, fault_series},
};

static const struct series status_series[] = {
	{"cordon_agent_uptime_seconds", "uptime_s", GAUGE,
	 "How long the agent has been running."},
	{"cordon_policy_serial", "policy_serial", GAUGE,
	 "Serial of the policy in force; 0: there is none."},
	{"cordon_scanning", "scanning", GAUGE,
	 "1 while the scan of the datasets is not complete."},
	{"cordon_labelled_files", "labels", GAUGE,
	 "Files of all datasets that are labelled."},
	{"cordon_holders", "holders", GAUGE,
	 "Processes that may hold something of any dataset."},
	{"cordon_dropped_packets", "dropped", COUNTER,
	 "Packets that the meter dropped."},
	{"cordon_skipped_programs", "skipped", COUNTER,
	 "Runs of a program of the guard that the kernel left out; attached by "
	 "lsm, none of these decides."},
	{"cordon_events", "events", COUNTER,
	 "Events that the agent has in its log."},
	{"cordon_evidence_missing_lines", "events_unwritten", COUNTER,
	 "Lines that the evidence lacks since the agent began."},
	{"cordon_control_clients", "clients", GAUGE,
	 "Clients of the control socket, who asks for this among them."},
	{0},
};

/* Of what the status has as an object. */
static const struct series policy_series[] = {
	{"cordon_policy_not_before_timestamp_seconds", "not_before", GAUGE,
	 "When the policy in force begins, if it says so."},
	{"cordon_policy_applied_timestamp_seconds", "applied", GAUGE,
	 "When this agent put the policy into force: its age counts from "
	 "here."},
	{"cordon_policy_expiry_timestamp_seconds", "expires", GAUGE,
	 "When the policy in force expires, if it does."},
	{"cordon_policy_expired_seconds", "expired_s", GAUGE,
	 "How long ago the policy in force expired, if it did."},
	{0},
};

static const struct series clock_series[] = {
	{"cordon_clock_behind_seconds", "behind_s", GAUGE,
	 "How far this host's clock was set back, 0 if it was not."},
	{0},
};

static const struct series evidence_series[] = {
	{"cordon_evidence_lines", "last", COUNTER,
	 "Number of the last line of the evidence."},
	{"cordon_evidence_writing", "writing", GAUGE,
	 "1 if evidence is written, 0 if that fails."},
	{0},
};

static const struct series fleet_series[] = {
	{"cordon_fleet_connected", "connected", GAUGE,
	 "1 while there is a link to the force, 0 if not."},
	{"cordon_fleet_acknowledged_lines", "acknowledged", GAUGE,
	 "Number of the last line of evidence that the broker has."},
	{"cordon_fleet_waiting_lines", "waiting", GAUGE,
	 "Lines of evidence that the broker does not have yet."},
	{"cordon_fleet_dropped_lines", "dropped", COUNTER,
	 "Lines of evidence that there was no room for, and nobody gets."},
	{"cordon_fleet_reports", "reports", COUNTER,
	 "Reports that the broker has acknowledged."},
	{"cordon_fleet_policies", "policies", COUNTER,
	 "Policies that came from the force into force."},
	{"cordon_fleet_refused_messages", "refused", COUNTER,
	 "Messages from the force, or in its name, that were refused."},
	{"cordon_fleet_older_messages", "older", COUNTER,
	 "Messages that were older than what is in force, and passed over."},
	{"cordon_fleet_link_starts", "starts", COUNTER,
	 "Starts of the process that has the link."},
	{0},
};

/* Those whose value is no number of a line. */
static const struct series up_series = {"cordon_up", "", GAUGE,
					"1 if the agent answered, 0 if not."};
static const struct series build_series = {"cordon_build", "", INFO,
					   "The cordon that tells this."};
static const struct series agent_series = {
	"cordon_agent", "", INFO,
	"The agent that answered, its kernel, and how the guard is attached."};
static const struct series issuer_series = {"cordon_policy", "", INFO,
					    "Whose policy is in force."};
static const struct series enforcing_series = {
	"cordon_enforcing", "", GAUGE,
	"1 in the mode enforce, 0 where nothing is blocked, or blocking is "
	"lifted."};
static const struct series problem_series = {
	"cordon_policy_refused", "", GAUGE,
	"1 if the policy file was refused, so that an earlier one goes on."};
static const struct series strict_series = {
	"cordon_strict", "", GAUGE,
	"1 while the built-in policy denies all, for the host has forgotten "
	"what it had."};

/*
 * Of all lines of the ledger. A line of it comes with its first act, too late
 * for whoever looks for an increase; these are there from the start.
 */
static const struct series over_series = {
	"cordon_over_budget_acts", "", COUNTER,
	"Acts beyond a budget, blocked or alerted, of all the ledger."};
static const struct series blocked_series = {
	"cordon_blocked_acts", "", COUNTER,
	"Acts beyond a budget that were denied, of all the ledger."};

struct row {
	char *labels;
	uint64_t values[COLUMNS_MAX];
};

struct rows {
	struct row *v;
	size_t n;
};

struct metrics {
	json_t *status; /* NULL: not told yet */
	struct rows rows[KINDS];
	size_t n_rows;
};

/* ---- labels -------------------------------------------------------------- */

struct text {
	size_t len;
	char buf[TEXT_MAX];
};

static void put(struct text *text, const char *s, size_t len)
{
	if (len >= sizeof(text->buf) - text->len)
		return;
	memcpy(text->buf + text->len, s, len);
	text->len += len;
	text->buf[text->len] = '\0';
}

/*
 * Names are the policy's, but whoever looks with curl(1) has a terminal, and a
 * quote would begin another label: what must not be there is escaped, as the
 * format has it, or becomes `?`.
 */
static void put_value(struct text *text, const char *s)
{
	size_t left = strnlen(s, METRICS_LABEL_BYTES_MAX), clean;

	while (left > 0) {
		clean = text_clean_prefix(s, left, "\n");
		for (size_t i = 0; i < clean; i++)
			if (s[i] == '\n')
				put(text, "\\n", 2);
			else if (s[i] == '"' || s[i] == '\\')
				put(text, (char[]){'\\', s[i]}, 2);
			else
				put(text, s + i, 1);
		s += clean;
		left -= clean;
		if (left > 0) {
			put(text, "?", 1);
			s++;
			left--;
		}
	}
}

static void put_label(struct text *text, const char *name, const char *value)
{
	if (text->len)
		put(text, ",", 1);
	put(text, name, strlen(name));
	put(text, "=\"", 2);
	put_value(text, value);
	put(text, "\"", 1);
}

/* A member that is not there is no label. */
static void put_labels(struct text *text, const struct tag *tags,
		       const json_t *object)
{
	const char *value;

	for (; tags->label; tags++) {
		value = json_string_value(json_object_get(object, tags->key));
		if (value)
			put_label(text, tags->label, value);
	}
}

/* ---- values -------------------------------------------------------------- */

/* Of a moment as the agent writes it, to the second. */
static uint64_t moment(const char *text)
{
	char whole[21] = "";
	int64_t s;

	if (strlen(text) < 20)
		return ABSENT;
	memcpy(whole, text, 19);
	whole[19] = 'Z';
	return text_parse_time(whole, &s) || s < 0 ? ABSENT : (uint64_t)s;
}

static uint64_t value_of(const json_t *value)
{
	json_int_t n;

	switch (value ? json_typeof(value) : JSON_REAL) {
	case JSON_INTEGER:
		n = json_integer_value(value);
		return n < 0 ? 0 : (uint64_t)n;
	case JSON_TRUE:
		return 1;
	case JSON_FALSE:
		return 0;
	case JSON_NULL:
		return UNLIMITED;
	case JSON_ARRAY:
		return json_array_size(value);
	case JSON_STRING:
		return moment(json_string_value(value));
	case JSON_OBJECT:
	case JSON_REAL:
		break;
	}
	return ABSENT;
}

static uint64_t added(uint64_t a, uint64_t b)
{
	if (a == UNLIMITED || b == UNLIMITED)
		return UNLIMITED;
	return a > INT64_MAX - b ? INT64_MAX : a + b;
}

static uint64_t merged(uint64_t a, uint64_t b, enum how how)
{
	if (a == ABSENT)
		return b;
	if (b == ABSENT)
		return a;
	if (how == FULLEST)
		return a > b ? a : b;
	return added(a, b);
}

/* ---- rows ---------------------------------------------------------------- */

static int row_add(struct metrics *metrics, size_t kind,
		   const struct text *labels, const json_t *object)
{
	struct rows *rows = &metrics->rows[kind];
	const struct series *series = kinds[kind].series;
	struct row *row;
	void *grown;

	if (metrics->n_rows == METRICS_ROWS_MAX)
		return -E2BIG;
	grown = array_grow(rows->v, rows->n, sizeof(*rows->v));
	if (!grown)
		return -ENOMEM;
	rows->v = grown;
	row = &rows->v[rows->n];
	row->labels = strdup(labels->buf);
	if (!row->labels)
		return -ENOMEM;
	for (size_t i = 0; series[i].name; i++)
		row->values[i] =
			value_of(json_object_get(object, series[i].key));
	rows->n++;
	metrics->n_rows++;
	return 0;
}

static int take_row(struct metrics *metrics, size_t kind, const json_t *object)
{
	struct text labels = {0};

	put_labels(&labels, kinds[kind].tags, object);
	return row_add(metrics, kind, &labels, object);
}

static int by_labels(const void *a, const void *b)
{
	const struct row *x = a, *y = b;

	return strcmp(x->labels, y->labels);
}

/* One row for those that are told under the same labels. */
static void rows_settle(struct rows *rows, const struct series *series)
{
	struct row *last = NULL;
	size_t n = 0;

	if (!rows->n)
		return;
	qsort(rows->v, rows->n, sizeof(*rows->v), by_labels);
	for (size_t i = 0; i < rows->n; i++) {
		struct row *row = &rows->v[i];

		if (!last || by_labels(last, row)) {
			rows->v[n] = *row;
			last = &rows->v[n++];
			continue;
		}
		for (size_t k = 0; series[k].name; k++)
			last->values[k] = merged(last->values[k],
						 row->values[k], series[k].how);
		free(row->labels);
	}
	rows->n = n;
}

/* ---- lines --------------------------------------------------------------- */

static int take_fault(struct metrics *metrics, const char *name, json_t *n)
{
	struct text labels = {0};
	json_t *object;
	int r;

	object = json_pack("{s:o}", "n", n);
	if (!object)
		return -ENOMEM;
	put_label(&labels, "fault", name);
	r = row_add(metrics, KIND_FAULT, &labels, object);
	json_decref(object);
	return r;
}

static int take_faults(struct metrics *metrics, const json_t *line)
{
	json_t *faults = json_object_get(line, "faults"), *n;
	const char *name;
	int r = 0;

	json_object_foreach (faults, name, n) {
		r = take_fault(metrics, name, json_incref(n));
		if (r)
			return r;
	}
	/* The agent tells of those that happened; that a counter begins at 0
	 * is what lets an alert see the first. */
	for (uint32_t i = 0; !r && i < FAULT_MAX; i++)
		r = take_fault(metrics, event_fault_name(i), json_integer(0));
	return r;
}

static int take_status(struct metrics *metrics, const json_t *line)
{
	const json_t *table;
	size_t i;
	int r;

	if (metrics->status)
		return 0;
	metrics->status = json_deep_copy(line);
	if (!metrics->status)
		return -ENOMEM;
	json_array_foreach (json_object_get(line, "tables"), i, table) {
		r = take_row(metrics, KIND_TABLE, table);
		if (r)
			return r;
	}
	return take_faults(metrics, line);
}

static const char *member(const json_t *line, const char *key)
{
	const char *text = json_string_value(json_object_get(line, key));

	return text ? text : "";
}

int metrics_take(struct metrics *metrics, const json_t *line)
{
	const char *type = member(line, "type");
	int r = 0;

	if (strcmp(type, "status") == 0)
		return take_status(metrics, line);
	for (size_t i = 0; i < KIND_LINES && !r; i++)
		if (strcmp(type, kinds[i].type) == 0 &&
		    (!kinds[i].budget ||
		     strcmp(member(line, "budget"), kinds[i].budget) == 0))
			r = take_row(metrics, i, line);
	return r;
}

struct metrics *metrics_new(void)
{
	return calloc(1, sizeof(struct metrics));
}

void metrics_free(struct metrics *metrics)
{
	if (!metrics)
		return;
	for (size_t i = 0; i < KINDS; i++) {
		for (size_t k = 0; k < metrics->rows[i].n; k++)
			free(metrics->rows[i].v[k].labels);
		free(metrics->rows[i].v);
	}
	json_decref(metrics->status);
	free(metrics);
}

/* ---- writing ------------------------------------------------------------- */

struct writing {
	FILE *out;
	enum metrics_format format;
};

static const char *ending(const struct series *series)
{
	return series->how == COUNTER ? "_total"
	       : series->how == INFO  ? "_info"
				      : "";
}

/* The last word of a name, if it is one. */
static const char *unit(const struct series *series)
{
	static const char *const units[] = {"bytes", "records", "seconds"};
	const char *last = strrchr(series->name, '_') + 1;

	for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++)
		if (strcmp(last, units[i]) == 0)
			return last;
	return NULL;
}

/* OpenMetrics names the family, its ancestor the samples. */
static void head(const struct writing *w, const struct series *series)
{
	bool open = w->format == METRICS_OPENMETRICS;
	const char *end = open ? "" : ending(series);
	const char *type = "gauge";

	if (series->how == COUNTER)
		type = "counter";
	else if (series->how == INFO && open)
		type = "info";
	(void)fprintf(w->out, "# HELP %s%s %s\n# TYPE %s%s %s\n", series->name,
		      end, series->help, series->name, end, type);
	if (open && unit(series))
		(void)fprintf(w->out, "# UNIT %s %s\n", series->name,
			      unit(series));
}

static void sample(const struct writing *w, const struct series *series,
		   const char *labels, uint64_t value)
{
	(void)fprintf(w->out, "%s%s", series->name, ending(series));
	if (labels[0])
		(void)fprintf(w->out, "{%s}", labels);
	if (value == UNLIMITED)
		(void)fputs(" +Inf\n", w->out);
	else
		(void)fprintf(w->out, " %" PRIu64 "\n", value);
}

static void one(const struct writing *w, const struct series *series,
		const char *labels, uint64_t value)
{
	if (value == ABSENT)
		return;
	head(w, series);
	sample(w, series, labels, value);
}

static void info(const struct writing *w, const struct series *series,
		 const struct tag *tags, const json_t *object)
{
	struct text text = {0};

	put_labels(&text, tags, object);
	if (text.len)
		one(w, series, text.buf, 1);
}

static void write_rows(const struct writing *w, const struct series *series,
		       const struct rows *rows)
{
	bool begun;

	for (size_t k = 0; series[k].name; k++) {
		begun = false;
		for (size_t i = 0; i < rows->n; i++) {
			if (rows->v[i].values[k] == ABSENT)
				continue;
			if (!begun)
				head(w, &series[k]);
			begun = true;
			sample(w, &series[k], rows->v[i].labels,
			       rows->v[i].values[k]);
		}
	}
}

static void numbers(const struct writing *w, const struct series *series,
		    const json_t *object)
{
	for (; series->name; series++)
		one(w, series, "",
		    value_of(json_object_get(object, series->key)));
}

static void write_status(const struct writing *w, const json_t *status)
{
	static const struct tag agent[] = {{"version", "version"},
					   {"kernel", "kernel"},
					   {"attach", "attach"},
					   {0}};
	static const struct tag issuer[] = {{"issuer", "issuer"}, {0}};

	info(w, &agent_series, agent, status);
	info(w, &issuer_series, issuer, json_object_get(status, "policy"));
	one(w, &enforcing_series, "",
	    strcmp(member(status, "mode"), "enforce") == 0 &&
		    !json_is_object(json_object_get(status, "lifted")));
	one(w, &problem_series, "", member(status, "problem")[0] != '\0');
	one(w, &strict_series, "",
	    json_is_true(json_object_get(status, "strict")));
	numbers(w, clock_series, json_object_get(status, "clock"));
	numbers(w, status_series, status);
	numbers(w, policy_series, json_object_get(status, "policy"));
	numbers(w, evidence_series, json_object_get(status, "evidence"));
	numbers(w, fleet_series, json_object_get(status, "fleet"));
}

static uint64_t total(const struct metrics *metrics, size_t column)
{
	const struct rows *rows = &metrics->rows[KIND_LEDGER];
	uint64_t sum = 0;

	for (size_t i = 0; i < rows->n; i++)
		sum = merged(sum, rows->v[i].values[column], COUNTER);
	return sum;
}

static void write_all(const struct writing *w, struct metrics *metrics, bool up)
{
	struct text build = {0};

	one(w, &up_series, "", up);
	put_label(&build, "version", CORDON_VERSION);
	one(w, &build_series, build.buf, 1);
	if (!up)
		return;
	write_status(w, metrics->status);
	one(w, &over_series, "", total(metrics, LEDGER_OVER));
	one(w, &blocked_series, "", total(metrics, LEDGER_BLOCKED));
	for (size_t i = 0; i < KINDS; i++) {
		rows_settle(&metrics->rows[i], kinds[i].series);
		write_rows(w, kinds[i].series, &metrics->rows[i]);
	}
}

int metrics_render(struct metrics *metrics, enum metrics_format format, bool up,
		   char **ret_text, size_t *ret_len)
{
	struct writing w = {.format = format};
	char *text = NULL;
	size_t len = 0;
	bool failed;

	w.out = open_memstream(&text, &len);
	if (!w.out)
		return -ENOMEM;
	write_all(&w, metrics, up && metrics->status);
	if (format == METRICS_OPENMETRICS)
		(void)fputs("# EOF\n", w.out);
	failed = ferror(w.out);
	if (fclose(w.out) || failed) {
		free(text);
		return -ENOMEM;
	}

	*ret_text = text;
	*ret_len = len;
	return 0;
}

/* ---- which format -------------------------------------------------------- */

const char *metrics_content_type(enum metrics_format format)
{
	return format == METRICS_OPENMETRICS
		       ? "application/openmetrics-text; version=1.0.0; "
			 "charset=utf-8"
		       : "text/plain; version=0.0.4; charset=utf-8";
}

static const char *skip_blanks(const char *s)
{
	return s + strspn(s, " \t");
}

/* Thousandths: `1', `0.75'; what is none of these counts as 0. */
static unsigned int quality(const char *s)
{
	unsigned int q = 0, place = 1000;

	if (*s == '1')
		return 1000;
	if (*s++ != '0' || *s++ != '.')
		return 0;
	for (; place > 1 && *s >= '0' && *s <= '9'; s++) {
		place /= 10;
		q += (unsigned int)(*s - '0') * place;
	}
	return q;
}

struct range {
	const char *type;
	size_t len;
	bool ours; /* of our version, or of any */
	unsigned int q;
};

static bool is(const struct range *range, const char *type)
{
	return range->len == strlen(type) &&
	       strncasecmp(range->type, type, range->len) == 0;
}

/* A media range and its parameters, up to the comma; returns what follows. */
static const char *next_range(const char *s, struct range *ret_range)
{
	static const char version[] = "version=", weight[] = "q=";
	struct range range = {.ours = true, .q = 1000};

	range.type = skip_blanks(s);
	range.len = strcspn(range.type, ";, \t");
	s = range.type + range.len;
	for (s = skip_blanks(s); *s == ';'; s += strcspn(s, ";,")) {
		s = skip_blanks(s + 1);
		if (strncasecmp(s, version, strlen(version)) == 0)
			range.ours = strncmp(s + strlen(version), "1.0.0", 5) ==
				     0;
		else if (strncasecmp(s, weight, strlen(weight)) == 0)
			range.q = quality(s + strlen(weight));
	}
	s += strcspn(s, ",");

	*ret_range = range;
	return *s ? s + 1 : s;
}

enum metrics_format metrics_negotiate(const char *accept)
{
	unsigned int open = 0, classic = 0;
	struct range range;

	while (accept && *accept) {
		accept = next_range(accept, &range);
		if (is(&range, "application/openmetrics-text")) {
			if (range.ours && range.q > open)
				open = range.q;
		} else if (is(&range, "text/plain") || is(&range, "text/*") ||
			   is(&range, "*/*")) {
			if (range.q > classic)
				classic = range.q;
		}
	}
	return open && open >= classic ? METRICS_OPENMETRICS : METRICS_CLASSIC;
}
