// SPDX-License-Identifier: GPL-2.0-only
#include "top_internal.h"

#include "array.h"
#include "event.h"
#include "log.h"
#include "reply.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <wchar.h>

int top_new(bool utf8, struct top **ret_top)
{
	struct top *top = calloc(1, sizeof(*top));

	if (!top)
		return -ENOMEM;
	top->utf8 = utf8;
	*ret_top = top;
	return 0;
}

static void look_release(struct top_look *look)
{
	free(look->datasets);
	free(look->budgets);
	free(look->origins);
	free(look->sums);
	free(look->last_event);
	memset(look, 0, sizeof(*look));
}

void top_free(struct top *top)
{
	if (!top)
		return;
	look_release(&top->shown);
	look_release(&top->next);
	free(top->last_event);
	free(top);
}

/* ---- texts -------------------------------------------------------------- */

/*
 * Leaves what the terminal can show, as wide as the locale says: letters
 * without a width of their own go, for terminals differ in what they make of
 * the letters before. The text is clean UTF-8.
 */
static void fit_locale(const struct top *top, char *text)
{
	size_t in = 0, out = 0, len;
	mbstate_t state = {0};
	wchar_t letter;
	int columns;

	while (text[in]) {
		if ((unsigned char)text[in] < 0x80) {
			text[out++] = text[in++];
			continue;
		}
		for (len = 1; ((unsigned char)text[in + len] & 0xc0) == 0x80;)
			len++;
		columns = -1;
		memset(&state, 0, sizeof(state));
		if (top->utf8 &&
		    mbrtowc(&letter, text + in, len, &state) == len)
			columns = wcwidth(letter);
		if (columns > 0) {
			memmove(text + out, text + in, len);
			out += len;
		} else if (columns < 0) {
			text[out++] = '?';
		}
		in += len;
	}
	text[out] = '\0';
}

static void take(const struct top *top, const json_t *line, const char *key,
		 char *buf, size_t size)
{
	reply_text(line, key, buf, size);
	fit_locale(top, buf);
}

static void take_to(const struct top *top, const json_t *line, char *buf,
		    size_t size)
{
	char to[CORDON_NAME];

	take(top, line, "destination", to, sizeof(to));
	(void)snprintf(buf, size, "%s", reply_to(to));
}

/* To the second. */
static void take_time(const json_t *line, const char *key, char buf[TOP_TIME])
{
	char text[64];

	reply_text(line, key, text, sizeof(text));
	(void)snprintf(buf, TOP_TIME, "%.19s%s", text, text[0] ? "Z" : "");
}

/* Who logged in is to answer for it, whatever user that became. */
static void take_who(const struct top *top, const json_t *line,
		     char buf[TOP_WHO])
{
	char comm[32], user[40];

	take(top, line, "comm", comm, sizeof(comm));
	take(top, line, "login", user, sizeof(user));
	if (!user[0])
		take(top, line, "user", user, sizeof(user));
	(void)snprintf(buf, TOP_WHO, "%s[%" PRIu64 "] %s", comm,
		       reply_number(line, "tgid"), user);
}

/* ---- status ------------------------------------------------------------- */

static void warn(enum term_colour colour, const char *what, const char *text,
		 void *arg)
{
	struct top *top = arg;
	struct top_look *look = &top->next;
	struct top_warning *warning;

	if (look->n_warnings++ >= TOP_WARNINGS_MAX)
		return;
	warning = &look->warnings[look->n_warnings - 1];
	warning->colour = colour;
	(void)snprintf(warning->text, sizeof(warning->text), "%s%s%s", what,
		       what[0] ? ": " : "", text);
	log_clean(warning->text);
	fit_locale(top, warning->text);
}

static void take_head(struct top *top, const json_t *line)
{
	struct top_look *look = &top->next;
	const json_t *policy = json_object_get(line, "policy");
	char problem[TOP_WARNING], lifted[TOP_WARNING];

	take(top, line, "mode", look->mode, sizeof(look->mode));
	look->uptime_s = reply_number(line, "uptime_s");
	look->serial = reply_number(line, "policy_serial");
	look->labels = reply_number(line, "labels");
	look->holders = reply_number(line, "holders");
	look->dropped = reply_number(line, "dropped");
	reply_text(line, "problem", problem, sizeof(problem));
	if (problem[0])
		warn(TERM_BAD, "not in force", problem, top);
	reply_lifted(line, lifted, sizeof(lifted));
	if (lifted[0])
		warn(TERM_BAD, "enforcement lifted", lifted, top);
	if (strcmp(look->mode, "enforce") != 0)
		warn(TERM_POOR, "observe", "nothing is blocked", top);
	if (json_is_true(json_object_get(policy, "expired")))
		warn(TERM_POOR, "policy",
		     "it has EXPIRED, and is still in force", top);
	reply_warnings(line, warn, top);
	if (json_is_true(json_object_get(line, "scanning")))
		warn(TERM_POOR, "",
		     "the scan of the datasets is not complete yet", top);
}

/* By its name; made anew if there is none. NULL: no memory. */
static struct top_dataset *find_dataset(struct top_look *look, const char *name)
{
	struct top_dataset *dataset;

	for (size_t i = 0; i < look->n_datasets; i++)
		if (strcmp(look->datasets[i].name, name) == 0)
			return &look->datasets[i];
	dataset =
		array_grow(look->datasets, look->n_datasets, sizeof(*dataset));
	if (!dataset)
		return NULL;
	look->datasets = dataset;
	dataset = &look->datasets[look->n_datasets++];
	memset(dataset, 0, sizeof(*dataset));
	(void)snprintf(dataset->name, sizeof(dataset->name), "%s", name);
	return dataset;
}

static int take_dataset(struct top *top, const json_t *line)
{
	struct top_dataset *dataset;
	char name[CORDON_NAME];

	take(top, line, "dataset", name, sizeof(name));
	dataset = find_dataset(&top->next, name);
	if (!dataset)
		return -ENOMEM;
	dataset->counted = json_is_integer(json_object_get(line, "files"));
	dataset->files = reply_number(line, "files");
	take(top, line, "classification", dataset->class,
	     sizeof(dataset->class));
	return 0;
}

static int take_budget(struct top *top, const json_t *line)
{
	struct top_look *look = &top->next;
	char used[TEXT_NUMBER_CHARS_MAX], limit[3 * TEXT_NUMBER_CHARS_MAX];
	char whose[CORDON_NAME], user[40];
	struct top_budget *budget;

	budget = array_grow(look->budgets, look->n_budgets, sizeof(*budget));
	if (!budget)
		return -ENOMEM;
	look->budgets = budget;
	budget = &look->budgets[look->n_budgets++];
	memset(budget, 0, sizeof(*budget));
	reply_whose(line, whose, sizeof(whose));
	fit_locale(top, whose);
	take(top, line, "user", user, sizeof(user));
	(void)snprintf(budget->whose, sizeof(budget->whose), "%s%s%s", whose,
		       user[0] ? ", " : "", user);
	take(top, line, "dataset", budget->dataset, sizeof(budget->dataset));
	take_to(top, line, budget->to, sizeof(budget->to));
	budget->limited = !json_is_null(json_object_get(line, "max"));
	budget->used = reply_number(line, "used");
	budget->max = reply_number(line, "max");
	budget->refused = reply_number(line, "refused");
	take_time(line, "frees", budget->frees);
	if (reply_counts_bytes(line))
		event_size(budget->used, used, sizeof(used));
	else
		term_number(budget->used, used, sizeof(used));
	reply_limit(line, limit, sizeof(limit));
	(void)snprintf(budget->amount, sizeof(budget->amount), "%s%s%s", used,
		       budget->limited ? " of " : ", ", limit);
	return 0;
}

int top_take_status(const json_t *line, const char *text, void *arg)
{
	struct top *top = arg;
	char type[32];

	(void)text;
	reply_text(line, "type", type, sizeof(type));
	if (strcmp(type, "status") == 0)
		take_head(top, line);
	else if (strcmp(type, "dataset") == 0)
		return take_dataset(top, line);
	else if (strcmp(type, "budget") == 0)
		return take_budget(top, line);
	return 0;
}

/* ---- ledger ------------------------------------------------------------- */

static int take_origin(struct top *top, const json_t *line)
{
	struct top_look *look = &top->next;
	struct top_holder *origin;

	origin = array_grow(look->origins, look->n_origins, sizeof(*origin));
	if (!origin)
		return -ENOMEM;
	look->origins = origin;
	origin = &look->origins[look->n_origins++];
	memset(origin, 0, sizeof(*origin));
	origin->serial = reply_number(line, "origin");
	take(top, line, "dataset", origin->dataset, sizeof(origin->dataset));
	take_who(top, line, origin->who);
	take_time(line, "first", origin->last);
	origin->records = reply_number(line, "read_records");
	origin->bytes = reply_number(line, "read_bytes");
	return 0;
}

/* Lines come origin by origin, and of those without one, dataset by dataset. */
static struct top_holder *find_sum(struct top_look *look, uint64_t serial,
				   const char *dataset)
{
	struct top_holder *sum;

	sum = look->n_sums ? &look->sums[look->n_sums - 1] : NULL;
	if (sum && sum->serial == serial && strcmp(sum->dataset, dataset) == 0)
		return sum;
	sum = array_grow(look->sums, look->n_sums, sizeof(*sum));
	if (!sum)
		return NULL;
	look->sums = sum;
	sum = &look->sums[look->n_sums++];
	memset(sum, 0, sizeof(*sum));
	sum->serial = serial;
	(void)snprintf(sum->dataset, sizeof(sum->dataset), "%s", dataset);
	(void)snprintf(sum->who, sizeof(sum->who), "%s",
		       serial ? "?" : "had read nothing");
	return sum;
}

static int take_ledger(struct top *top, const json_t *line)
{
	char dataset[CORDON_NAME], to[CORDON_NAME], last[TOP_TIME];
	struct top_holder *sum;

	take(top, line, "dataset", dataset, sizeof(dataset));
	reply_text(line, "destination", to, sizeof(to));
	sum = find_sum(&top->next, reply_number(line, "origin"), dataset);
	if (!sum)
		return -ENOMEM;
	if (strcmp(to, "read") != 0 && strcmp(to, "intake") != 0)
		sum->released += reply_number(line, "bytes");
	sum->over += reply_number(line, "over_acts");
	sum->blocked += reply_number(line, "blocked_acts");
	take_time(line, "last", last);
	if (strcmp(last, sum->last) > 0)
		memcpy(sum->last, last, sizeof(last));
	return 0;
}

int top_take_ledger(const json_t *line, const char *text, void *arg)
{
	char type[32];

	(void)text;
	reply_text(line, "type", type, sizeof(type));
	if (strcmp(type, "origin") == 0)
		return take_origin(arg, line);
	if (strcmp(type, "ledger") == 0)
		return take_ledger(arg, line);
	return 0;
}

static int by_serial(const void *a, const void *b)
{
	const struct top_holder *x = a, *y = b;

	return x->serial < y->serial ? -1 : x->serial > y->serial;
}

/* What the ledger has, to the origins it is of, and those to their datasets. */
static int add_up(struct top_look *look)
{
	size_t n = look->n_origins;
	struct top_dataset *dataset;
	struct top_holder *origin;

	if (n)
		qsort(look->origins, n, sizeof(*origin), by_serial);
	for (size_t i = 0; i < look->n_sums; i++) {
		const struct top_holder *sum = &look->sums[i];

		origin = n ? bsearch(sum, look->origins, n, sizeof(*origin),
				     by_serial)
			   : NULL;
		if (!origin) {
			origin = array_grow(look->origins, look->n_origins,
					    sizeof(*origin));
			if (!origin)
				return -ENOMEM;
			look->origins = origin;
			look->origins[look->n_origins++] = *sum;
			continue;
		}
		origin->released += sum->released;
		origin->over += sum->over;
		origin->blocked += sum->blocked;
		if (strcmp(sum->last, origin->last) > 0)
			memcpy(origin->last, sum->last, sizeof(sum->last));
	}
	for (size_t i = 0; i < look->n_origins; i++) {
		origin = &look->origins[i];
		dataset = find_dataset(look, origin->dataset);
		if (!dataset)
			return -ENOMEM;
		dataset->origins += origin->serial != 0;
		dataset->records += origin->records;
		dataset->released += origin->released;
		dataset->over += origin->over;
		dataset->blocked += origin->blocked;
	}
	return 0;
}

/* ---- events ------------------------------------------------------------- */

static void take_what(const struct top *top, const json_t *line,
		      struct top_event *event)
{
	char type[32], verdict[16], fault[CORDON_NAME];
	uint64_t repeats = reply_number(line, "repeats");
	uint64_t max = reply_number(line, "max");
	size_t size = sizeof(event->what);

	take(top, line, "type", type, sizeof(type));
	take(top, line, "verdict", verdict, sizeof(verdict));
	take(top, line, "fault", fault, sizeof(fault));
	if (strcmp(type, "fault") == 0)
		(void)snprintf(event->what, size, "fault %.48s", fault);
	else if (strcmp(type, "budget") == 0 && max)
		(void)snprintf(event->what, size, "budget %.0f%%",
			       (double)reply_number(line, "used") * 100 /
				       (double)max);
	else if (repeats > 1)
		(void)snprintf(event->what, size, "%s x%" PRIu64,
			       verdict[0] ? verdict : type, repeats);
	else
		(void)snprintf(event->what, size, "%s",
			       verdict[0] ? verdict : type);
	event->colour = TERM_PLAIN;
	if (strcmp(verdict, "block") == 0)
		event->colour = TERM_BAD;
	else if (strcmp(verdict, "alert") == 0 || strcmp(type, "budget") == 0 ||
		 strcmp(type, "fault") == 0)
		event->colour = TERM_POOR;
}

static void take_more(const struct top *top, const json_t *line,
		      struct top_event *event)
{
	uint64_t port = reply_number(line, "port");
	char file[CORDON_NAME + 1], address[48], at[16] = "";

	take(top, line, "file", file, sizeof(file));
	take(top, line, "address", address, sizeof(address));
	if (port)
		(void)snprintf(at, sizeof(at), ":%" PRIu64, port % 65536);
	(void)snprintf(event->more, sizeof(event->more),
		       port && strchr(address, ':') ? "%s%s[%s]%s" : "%s%s%s%s",
		       file, file[0] && address[0] ? " " : "", address, at);
}

/* What is known already is answered again, up to the last that is known. */
static bool is_last_known(const struct top *top, const char *text)
{
	return top->last_event && strcmp(top->last_event, text) == 0;
}

int top_take_event(const json_t *line, const char *text, void *arg)
{
	struct top *top = arg;
	struct top_look *look = &top->next;
	char *last, time[TOP_TIME];
	struct top_event *event;

	if (is_last_known(top, text)) {
		look->events.total = 0;
		return 0;
	}
	last = strdup(text);
	if (!last)
		return -ENOMEM;
	free(look->last_event);
	look->last_event = last;
	event = &look->events.at[look->events.total++ % TOP_EVENTS_MAX];
	take_time(line, "time", time);
	if (text_parse_time(time, &look->last_event_s))
		look->last_event_s = 0;
	memcpy(event->time, time, sizeof(time));
	take_what(top, line, event);
	take_who(top, line, event->who);
	take(top, line, "channel", event->channel, sizeof(event->channel));
	take(top, line, "dataset", event->dataset, sizeof(event->dataset));
	take_to(top, line, event->to, sizeof(event->to));
	take_more(top, line, event);
	event->bytes = reply_number(line, "bytes");
	event->records = reply_number(line, "records");
	return 0;
}

int64_t top_events_since(const struct top *top)
{
	return top->last_event_s;
}

static void events_append(struct top_events *events,
			  const struct top_events *more)
{
	uint64_t n = more->total;

	for (uint64_t i = n > TOP_EVENTS_MAX ? n - TOP_EVENTS_MAX : 0; i < n;
	     i++)
		events->at[events->total++ % TOP_EVENTS_MAX] =
			more->at[i % TOP_EVENTS_MAX];
}

/* ---- a look ------------------------------------------------------------- */

void top_begin(struct top *top, int64_t now_s)
{
	look_release(&top->next);
	top->asking = true;
	top->asked_s = now_s;
}

void top_done(struct top *top, int64_t now_s)
{
	struct top_look *next = &top->next;

	if (add_up(next)) {
		top_failed(top, "not enough memory for what the agent says",
			   NULL);
		return;
	}
	if (next->events.total) {
		events_append(&top->events, &next->events);
		free(top->last_event);
		top->last_event = next->last_event;
		top->last_event_s = next->last_event_s;
		next->last_event = NULL;
	}
	look_release(&top->shown);
	top->shown = *next;
	memset(next, 0, sizeof(*next));
	top->known = true;
	top->asking = false;
	top->why[0] = '\0';
	top->answered_s = now_s;
}

void top_failed(struct top *top, const char *why, const char *remedy)
{
	(void)snprintf(top->why, sizeof(top->why), "%s",
		       why[0] ? why : "no reason is known");
	log_clean(top->why);
	fit_locale(top, top->why);
	(void)snprintf(top->remedy, sizeof(top->remedy), "%s",
		       remedy ? remedy : "");
	top->asking = false;
	look_release(&top->next);
}
