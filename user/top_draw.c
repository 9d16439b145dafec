// SPDX-License-Identifier: GPL-2.0-only
/*
 * The picture of the host, as lines: each section is a table whose titles name
 * it, and of which some rows are shown.
 */
#include "top_internal.h"

#include "event.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

/* A title and one row. */
#define SECTION_LINES_MIN 2
/* So many lines have room for the keys, and for more than one warning. */
#define KEYS_HEIGHT_MIN	    8
#define WARNINGS_HEIGHT_MIN 20
#define WARNINGS_SHOWN	    3
#define EVENTS_UNBOUNDED    20 /* rows, where lines are not counted */
#define LINE_MAX_BYTES	    2048
#define BAR_WIDTH	    10
#define BAR_WIDTH_WIDE	    20
#define WIDE		    120

static const struct term_column dataset_columns[] = {
	{.title = "DATASET"},
	{.title = "CLASSIFICATION", .drop = 2},
	{.title = "FILES", .right = true},
	{.title = "ORIGINS", .right = true, .drop = 1},
	{.title = "READ", .right = true},
	{.title = "RELEASED", .right = true},
	{.title = "OVER", .right = true, .drop = 3},
	{.title = "BLOCKED", .right = true},
};

/* Bars are no numbers, but must not be cut either. */
static const struct term_column budget_columns[] = {
	{.title = "BUDGET OF"},
	{.title = "DATASET"},
	{.title = "TO"},
	{.title = "", .right = true},
	{.title = "USED", .right = true},
	{.title = "FULL", .right = true, .drop = 2},
	{.title = "REFUSED", .right = true, .drop = 1},
	{.title = "MORE AT", .drop = 3},
};

static const struct term_column holder_columns[] = {
	{.title = "HOLDER"},
	{.title = "ORIGIN", .right = true},
	{.title = "DATASET"},
	{.title = "READ", .right = true},
	{.title = "BYTES", .right = true, .drop = 2},
	{.title = "RELEASED", .right = true},
	{.title = "OVER", .right = true, .drop = 1},
	{.title = "BLOCKED", .right = true},
	{.title = "LAST", .right = true},
};

static const struct term_column event_columns[] = {
	{.title = "EVENT", .right = true},
	{.title = "WHAT"},
	{.title = "WHO"},
	{.title = "CHANNEL", .drop = 2},
	{.title = "DATASET"},
	{.title = "TO"},
	{.title = "BYTES", .right = true, .drop = 1},
	{.title = "RECORDS", .right = true},
	{.title = "FILE, ADDRESS", .if_any = true, .drop = 3},
};

static const struct {
	const struct term_column *columns;
	size_t n;
	const char *name;
	const char *none;
} sections[TOP_SECTION_MAX] = {
	[TOP_DATASETS] = {dataset_columns, COUNT(dataset_columns), "datasets",
			  "the policy has no dataset"},
	[TOP_BUDGETS] = {budget_columns, COUNT(budget_columns), "budgets",
			 "nothing is used of any budget"},
	[TOP_HOLDERS] = {holder_columns, COUNT(holder_columns), "holders",
			 "nothing was read, sent or refused"},
	[TOP_EVENTS] = {event_columns, COUNT(event_columns), "events",
			"nothing has happened"},
};

static const char *const sorts[TOP_SORT_MAX] = {
	[TOP_BY_LAST] = "last act",
	[TOP_BY_READ] = "records read",
	[TOP_BY_RELEASED] = "bytes released",
	[TOP_BY_BLOCKED] = "acts blocked",
};

static const char *const help[] = {
	"q            quit; so does Ctrl-C",
	"p            pause, and go on",
	"s            sort the holders: last act, records read, bytes",
	"             released, acts blocked",
	"1 2 3 4      datasets, budgets, holders, events alone; again: all",
	"0            all of them",
	"Tab          another section to scroll",
	"arrows       a row up or down; k and j too",
	"PgUp PgDn    as many rows as are shown; Home, End",
	"h ?          this help; any key ends it",
	"",
	"What a holder read: cordon exposed --origin N. Why a process holds",
	"something: cordon explain PID. All of it: cordon status, ledger,",
	"events.",
};

/* ---- lines -------------------------------------------------------------- */

struct frame {
	const struct top *top;
	const struct top_view *view;
	top_line_fn fn;
	void *arg;
	size_t left; /* lines */
};

static void put(struct frame *frame, enum top_kind kind,
		enum term_colour colour, const char *text)
{
	char line[LINE_MAX_BYTES];

	if (!frame->left)
		return;
	frame->left--;
	(void)snprintf(line, sizeof(line), "%s", text);
	term_cut(line, frame->view->width);
	frame->fn(line, kind, colour, frame->arg);
}

/* The right text only where there is room for both. */
static void put_both(struct frame *frame, enum top_kind kind,
		     enum term_colour colour, const char *left,
		     const char *right)
{
	size_t width = frame->view->width, used;
	char line[LINE_MAX_BYTES];

	used = term_columns(left) + term_columns(right) + 2;
	if (!right[0] || used > width || width >= sizeof(line)) {
		put(frame, kind, colour, left);
		return;
	}
	(void)snprintf(line, sizeof(line), "%s%*s%s", left,
		       (int)(width - used + 2), "", right);
	put(frame, kind, colour, line);
}

/* Is what is shown of some time ago? */
static bool is_stale(const struct top *top)
{
	return top->why[0] != '\0';
}

/* ---- rows --------------------------------------------------------------- */

/* `14:03:11Z` of the day that the picture is of, else `2026-11-01`. */
static void short_time(const struct top *top, const char *time, char *buf,
		       size_t size)
{
	char today[TEXT_NUMBER_CHARS_MAX];

	text_format_time(top->answered_s, today, sizeof(today));
	if (strlen(time) > 11 && strncmp(time, today, 11) == 0)
		(void)snprintf(buf, size, "%s", time + 11);
	else
		(void)snprintf(buf, size, "%.10s", time);
}

static enum term_colour colour_of(uint64_t over, uint64_t blocked)
{
	return blocked ? TERM_BAD : over ? TERM_POOR : TERM_PLAIN;
}

static int add_datasets(const struct top *top, struct term_table *table)
{
	char files[32], origins[32], records[32], over[32], blocked[32];
	char released[TEXT_NUMBER_CHARS_MAX];
	int r = 0;

	for (size_t i = 0; !r && i < top->shown.n_datasets; i++) {
		const struct top_dataset *dataset = &top->shown.datasets[i];
		const char *texts[COUNT(dataset_columns)] = {
			dataset->name,
			dataset->class[0] ? dataset->class : NULL,
			dataset->counted ? files : NULL,
			origins,
			records,
			released,
			over,
			blocked,
		};

		term_number(dataset->files, files, sizeof(files));
		term_number(dataset->origins, origins, sizeof(origins));
		term_number(dataset->records, records, sizeof(records));
		event_size(dataset->released, released, sizeof(released));
		term_number(dataset->over, over, sizeof(over));
		term_number(dataset->blocked, blocked, sizeof(blocked));
		r = term_table_add(table,
				   colour_of(dataset->over, dataset->blocked),
				   texts);
	}
	return r;
}

static double fullness(const struct top_budget *budget)
{
	if (!budget->limited)
		return -1;
	return budget->max ? (double)budget->used / (double)budget->max : 1;
}

/* The fullest first; what is as full stays as the agent has it. */
static int by_fullness(const void *a, const void *b)
{
	const struct top_budget *x = *(const struct top_budget *const *)a;
	const struct top_budget *y = *(const struct top_budget *const *)b;

	if (fullness(x) != fullness(y))
		return fullness(x) > fullness(y) ? -1 : 1;
	return x < y ? -1 : x > y;
}

/* Full and empty blocks, which every terminal of that kind has. */
static void draw_bar(const struct top *top, const struct top_budget *budget,
		     size_t width, char *buf, size_t size)
{
	char plain[BAR_WIDTH_WIDE + 3];
	size_t len = 0;

	term_bar(budget->used, budget->max, width, plain, sizeof(plain));
	for (size_t i = 0; plain[i] && len + 4 < size; i++) {
		const char *part = plain[i] == '#' ? "\342\226\210"
						   : "\342\226\221";

		if (plain[i] == '[' || plain[i] == ']' || !top->utf8)
			buf[len++] = plain[i];
		else
			len += (size_t)snprintf(buf + len, size - len, "%s",
						part);
	}
	buf[len] = '\0';
}

static int add_budget(const struct top *top, const struct top_budget *budget,
		      size_t bar_width, struct term_table *table)
{
	char bar[4 * BAR_WIDTH_WIDE] = "", full[16], refused[32], more[32];
	const char *texts[COUNT(budget_columns)] = {
		budget->whose,	budget->dataset,
		budget->to,	bar,
		budget->amount, budget->limited ? full : NULL,
		refused,	budget->frees[0] ? more : NULL,
	};
	enum term_colour colour = TERM_PLAIN;

	if (budget->limited) {
		draw_bar(top, budget, bar_width, bar, sizeof(bar));
		(void)snprintf(full, sizeof(full), "%.0f%%",
			       fullness(budget) * 100);
		if (budget->used >= budget->max)
			colour = TERM_BAD;
		else if (budget->refused ||
			 budget->used >= budget->max - budget->max / 5)
			colour = TERM_POOR;
	}
	term_number(budget->refused, refused, sizeof(refused));
	short_time(top, budget->frees, more, sizeof(more));
	return term_table_add(table, colour, texts);
}

static int add_budgets(const struct top *top, size_t width,
		       struct term_table *table)
{
	size_t n = top->shown.n_budgets;
	const struct top_budget **sorted;
	int r = 0;

	if (!n)
		return 0;
	sorted = calloc(n, sizeof(*sorted));
	if (!sorted)
		return -ENOMEM;
	for (size_t i = 0; i < n; i++)
		sorted[i] = &top->shown.budgets[i];
	qsort(sorted, n, sizeof(*sorted), by_fullness);
	for (size_t i = 0; !r && i < n; i++)
		r = add_budget(top, sorted[i],
			       width < WIDE ? BAR_WIDTH : BAR_WIDTH_WIDE,
			       table);
	free(sorted);
	return r;
}

static int compare(uint64_t x, uint64_t y)
{
	return x > y ? -1 : x < y;
}

/* The largest first, and of those the one that acted last. */
static int by_sort(const void *a, const void *b, void *arg)
{
	const struct top_holder *x = *(const struct top_holder *const *)a;
	const struct top_holder *y = *(const struct top_holder *const *)b;
	const enum top_sort *sort = arg;
	int r = 0;

	switch (*sort) {
	case TOP_BY_READ:
		r = compare(x->records, y->records);
		break;
	case TOP_BY_RELEASED:
		r = compare(x->released, y->released);
		break;
	case TOP_BY_BLOCKED:
		r = compare(x->blocked, y->blocked);
		break;
	case TOP_BY_LAST:
	case TOP_SORT_MAX:
		break;
	}
	if (!r)
		r = -strcmp(x->last, y->last);
	return r ? r : compare(x->serial, y->serial);
}

static int add_holder(const struct top *top, const struct top_holder *holder,
		      struct term_table *table)
{
	char serial[32], records[32], over[32], blocked[32], last[32];
	char bytes[TEXT_NUMBER_CHARS_MAX], released[TEXT_NUMBER_CHARS_MAX];
	const char *texts[COUNT(holder_columns)] = {
		holder->who,
		holder->serial ? serial : NULL,
		holder->dataset,
		records,
		bytes,
		released,
		over,
		blocked,
		last,
	};

	/* As cordon exposed wants it: without commas. */
	(void)snprintf(serial, sizeof(serial), "%" PRIu64, holder->serial);
	term_number(holder->records, records, sizeof(records));
	event_size(holder->bytes, bytes, sizeof(bytes));
	event_size(holder->released, released, sizeof(released));
	term_number(holder->over, over, sizeof(over));
	term_number(holder->blocked, blocked, sizeof(blocked));
	short_time(top, holder->last, last, sizeof(last));
	return term_table_add(table, colour_of(holder->over, holder->blocked),
			      texts);
}

static int add_holders(const struct top *top, enum top_sort sort,
		       struct term_table *table)
{
	size_t n = top->shown.n_origins;
	const struct top_holder **sorted;
	int r = 0;

	if (!n)
		return 0;
	sorted = calloc(n, sizeof(*sorted));
	if (!sorted)
		return -ENOMEM;
	for (size_t i = 0; i < n; i++)
		sorted[i] = &top->shown.origins[i];
	qsort_r(sorted, n, sizeof(*sorted), by_sort, &sort);
	for (size_t i = 0; !r && i < n; i++)
		r = add_holder(top, sorted[i], table);
	free(sorted);
	return r;
}

/* The newest first: it is never scrolled out of sight by what came before. */
static int add_events(const struct top *top, struct term_table *table)
{
	uint64_t n = top->events.total;
	uint64_t kept = n < TOP_EVENTS_MAX ? n : TOP_EVENTS_MAX;
	char time[32], bytes[TEXT_NUMBER_CHARS_MAX], records[32];
	int r = 0;

	for (uint64_t i = 1; !r && i <= kept; i++) {
		const struct top_event *event =
			&top->events.at[(n - i) % TOP_EVENTS_MAX];
		const char *texts[COUNT(event_columns)] = {
			time,
			event->what,
			event->who,
			event->channel,
			event->dataset,
			event->to,
			event->bytes ? bytes : NULL,
			event->records ? records : NULL,
			event->more[0] ? event->more : NULL,
		};

		short_time(top, event->time, time, sizeof(time));
		event_size(event->bytes, bytes, sizeof(bytes));
		term_number(event->records, records, sizeof(records));
		r = term_table_add(table, event->colour, texts);
	}
	return r;
}

static int add_rows(const struct top *top, const struct top_view *view,
		    enum top_section section, struct term_table *table)
{
	switch (section) {
	case TOP_DATASETS:
		return add_datasets(top, table);
	case TOP_BUDGETS:
		return add_budgets(top, view->width, table);
	case TOP_HOLDERS:
		return add_holders(top, view->sort, table);
	case TOP_EVENTS:
		return add_events(top, table);
	case TOP_SECTION_MAX:
		break;
	}
	return -EINVAL;
}

static size_t count_rows(const struct top *top, enum top_section section)
{
	if (section == TOP_DATASETS)
		return top->shown.n_datasets;
	if (section == TOP_BUDGETS)
		return top->shown.n_budgets;
	if (section == TOP_HOLDERS)
		return top->shown.n_origins;
	return top->events.total < TOP_EVENTS_MAX ? (size_t)top->events.total
						  : TOP_EVENTS_MAX;
}

/* ---- the head ----------------------------------------------------------- */

static void put_head(struct frame *frame)
{
	const struct top *top = frame->top;
	const struct top_look *look = &top->shown;
	char text[256] = "cordon top", age[32], time[TEXT_NUMBER_CHARS_MAX];
	char right[64] = "";

	if (top->known) {
		term_age(look->uptime_s, age, sizeof(age));
		(void)snprintf(text, sizeof(text),
			       "cordon top: %s, policy serial %" PRIu64
			       ", up %s",
			       look->mode, look->serial, age);
		text_format_time(top->answered_s, time, sizeof(time));
		(void)snprintf(right, sizeof(right), "%s%s",
			       frame->view->paused ? "PAUSED " : "", time);
	}
	put_both(frame, TOP_HEAD, TERM_PLAIN, text, right);
}

static void put_guard(struct frame *frame)
{
	const struct top_look *look = &frame->top->shown;
	char labels[32], holders[32], dropped[32], text[256];

	if (!frame->top->known)
		return;
	term_number(look->labels, labels, sizeof(labels));
	term_number(look->holders, holders, sizeof(holders));
	term_number(look->dropped, dropped, sizeof(dropped));
	(void)snprintf(text, sizeof(text),
		       "%s processes hold data, %s files labelled, %s packets "
		       "dropped",
		       holders, labels, dropped);
	put(frame, TOP_TEXT, TERM_PLAIN, text);
}

/* Without an answer, or late: whoever looks must not take it for now. */
static void put_silence(struct frame *frame, int64_t now_s)
{
	const struct top *top = frame->top;
	char text[sizeof(top->why) + 64], since[TEXT_NUMBER_CHARS_MAX];

	if (top->asking && now_s - top->asked_s >= TOP_LATE_S) {
		(void)snprintf(text, sizeof(text),
			       "the agent has not answered for %" PRId64 " s",
			       now_s - top->asked_s);
		put(frame, TOP_TEXT, TERM_BAD, text);
		return;
	}
	if (!is_stale(top)) {
		if (!top->known)
			put(frame, TOP_TEXT, TERM_PLAIN, "asking the agent");
		return;
	}
	(void)snprintf(text, sizeof(text), "NO ANSWER, trying again: %s",
		       top->why);
	put(frame, TOP_TEXT, TERM_BAD, text);
	if (top->remedy[0])
		put(frame, TOP_TEXT, TERM_BAD, top->remedy);
	if (!top->known)
		return;
	text_format_time(top->answered_s, since, sizeof(since));
	(void)snprintf(text, sizeof(text), "what stands below is of %s", since);
	put(frame, TOP_TEXT, TERM_BAD, text);
}

static void put_warnings(struct frame *frame)
{
	const struct top_look *look = &frame->top->shown;
	size_t n = look->n_warnings, most = 1, height = frame->view->height;
	char text[TOP_WARNING + 32];

	if (n > TOP_WARNINGS_MAX)
		n = TOP_WARNINGS_MAX;
	if (height >= WARNINGS_HEIGHT_MIN)
		most = WARNINGS_SHOWN;
	if (n > most && height)
		n = most;
	for (size_t i = 0; i < n; i++) {
		const struct top_warning *warning = &look->warnings[i];

		if (i + 1 == n && look->n_warnings > n)
			(void)snprintf(text, sizeof(text),
				       "(%zu more: cordon status) %s",
				       look->n_warnings - n, warning->text);
		else
			(void)snprintf(text, sizeof(text), "%s", warning->text);
		put(frame, TOP_TEXT, warning->colour, text);
	}
}

/* ---- sections ----------------------------------------------------------- */

struct section_lines {
	struct frame *frame;
	bool titled;
	bool focus;
	char place[64];
};

static void put_row(const char *text, enum term_colour colour, void *arg)
{
	struct section_lines *lines = arg;
	struct frame *frame = lines->frame;

	if (lines->titled) {
		put(frame, TOP_TEXT, is_stale(frame->top) ? TERM_DIM : colour,
		    text);
		return;
	}
	lines->titled = true;
	put_both(frame, lines->focus ? TOP_FOCUS : TOP_TITLE, TERM_PLAIN, text,
		 lines->place);
}

/* Which rows are seen, if not all. */
static void place_of(const struct frame *frame, enum top_section section,
		     char *buf, size_t size)
{
	size_t n = count_rows(frame->top, section);
	size_t first = frame->view->first[section];
	size_t rows = frame->view->rows[section];

	buf[0] = '\0';
	if (rows && rows < n)
		(void)snprintf(buf, size, "%zu-%zu of %zu", first + 1,
			       first + rows, n);
}

static int put_section(struct frame *frame, enum top_section section)
{
	const struct top_view *view = frame->view;
	size_t n = count_rows(frame->top, section);
	size_t first = view->first[section], rows = view->rows[section];
	struct section_lines lines = {
		.frame = frame,
		.focus = view->height && view->focus == section,
	};
	struct term_table *table;
	int r;

	table = term_table_new(sections[section].columns, sections[section].n);
	if (!table)
		return -ENOMEM;
	place_of(frame, section, lines.place, sizeof(lines.place));
	r = add_rows(frame->top, view, section, table);
	if (!r)
		r = term_table_lines(table, view->width, first, rows, put_row,
				     &lines);
	if (!r && !n && rows)
		put(frame, TOP_TEXT, TERM_DIM, sections[section].none);
	term_table_free(table);
	return r;
}

/* The one in focus first: it is there however small the terminal. */
static void choose(const struct top_view *view, size_t room,
		   bool shown[TOP_SECTION_MAX])
{
	static const enum top_section order[] = {TOP_BUDGETS, TOP_EVENTS,
						 TOP_HOLDERS, TOP_DATASETS};
	size_t left = room > SECTION_LINES_MIN ? room - SECTION_LINES_MIN : 0;

	memset(shown, 0, TOP_SECTION_MAX * sizeof(*shown));
	shown[view->focus] = true;
	if (view->alone)
		return;
	for (size_t i = 0; i < COUNT(order); i++) {
		if (shown[order[i]] || left < SECTION_LINES_MIN)
			continue;
		shown[order[i]] = true;
		left -= SECTION_LINES_MIN;
	}
}

/* Rows go to each in turn, until all have what they need or none are left. */
static void share(const struct top *top, struct top_view *view, size_t room,
		  const bool shown[TOP_SECTION_MAX])
{
	size_t need[TOP_SECTION_MAX];
	bool given = true;

	memset(view->rows, 0, sizeof(view->rows));
	for (int i = 0; i < TOP_SECTION_MAX; i++) {
		need[i] = shown[i] ? count_rows(top, i) : 0;
		/* Or the line that says that there is nothing. */
		if (shown[i] && !need[i])
			need[i] = 1;
		if (shown[i] && room)
			room--;
	}
	while (room && given) {
		given = false;
		for (int i = 0; room && i < TOP_SECTION_MAX; i++) {
			if (view->rows[i] >= need[i])
				continue;
			view->rows[i]++;
			room--;
			given = true;
		}
	}
	for (int i = 0; i < TOP_SECTION_MAX; i++) {
		size_t n = count_rows(top, i), rows = view->rows[i];

		if (view->first[i] + rows > n)
			view->first[i] = n > rows ? n - rows : 0;
	}
}

static int put_sections(struct frame *frame, struct top_view *view)
{
	bool shown[TOP_SECTION_MAX];
	int r = 0;

	choose(view, frame->left, shown);
	share(frame->top, view, frame->left, shown);
	for (int i = 0; !r && i < TOP_SECTION_MAX; i++)
		if (shown[i])
			r = put_section(frame, i);
	return r;
}

/* All of it, for who has no height and no keys. */
static int put_all(struct frame *frame, struct top_view *view)
{
	int r = 0;

	for (int i = 0; !r && i < TOP_SECTION_MAX; i++) {
		view->first[i] = 0;
		view->rows[i] = count_rows(frame->top, i);
		if (!view->rows[i])
			view->rows[i] = 1;
		if (i == TOP_EVENTS && view->rows[i] > EVENTS_UNBOUNDED)
			view->rows[i] = EVENTS_UNBOUNDED;
		put(frame, TOP_TEXT, TERM_PLAIN, "");
		r = put_section(frame, i);
	}
	return r;
}

/* Fills up to the last line, which has the keys. */
static void put_keys(struct frame *frame)
{
	const struct top_view *view = frame->view;
	char text[256], place[64] = "", right[96] = "";

	while (frame->left)
		put(frame, TOP_TEXT, TERM_PLAIN, "");
	(void)snprintf(text, sizeof(text),
		       "q quit  h help  p pause  s by %s  1-4, Tab, arrows",
		       sorts[view->sort]);
	if (frame->top->known && !view->help)
		place_of(frame, view->focus, place, sizeof(place));
	if (place[0])
		(void)snprintf(right, sizeof(right), "%s %s",
			       sections[view->focus].name, place);
	frame->left = 1;
	put_both(frame, TOP_KEYS, TERM_PLAIN, text, right);
}

int top_draw(const struct top *top, struct top_view *view, int64_t now_s,
	     top_line_fn fn, void *arg)
{
	struct frame frame = {
		.top = top,
		.view = view,
		.fn = fn,
		.arg = arg,
		.left = view->height ? view->height : SIZE_MAX,
	};
	bool keys = view->height >= KEYS_HEIGHT_MIN;
	int r = 0;

	frame.left -= keys;
	put_head(&frame);
	put_silence(&frame, now_s);
	if (view->help) {
		for (size_t i = 0; i < COUNT(help); i++)
			put(&frame, TOP_TEXT, TERM_PLAIN, help[i]);
	} else if (top->known) {
		if (!view->height || keys)
			put_guard(&frame);
		put_warnings(&frame);
		r = view->height ? put_sections(&frame, view)
				 : put_all(&frame, view);
	}
	if (keys && !r)
		put_keys(&frame);
	return r;
}

/* ---- keys --------------------------------------------------------------- */

static void scroll(struct top_view *view, bool down, size_t by)
{
	size_t *first = &view->first[view->focus];

	/* What is too far down top_draw() corrects. */
	if (down)
		*first = *first > SIZE_MAX / 2 - by ? SIZE_MAX / 2
						    : *first + by;
	else
		*first = *first > by ? *first - by : 0;
}

static bool press_scroll(struct top_view *view, int key)
{
	size_t page = view->rows[view->focus] ? view->rows[view->focus] : 1;

	switch (key) {
	case TOP_KEY_UP:
	case 'k':
		scroll(view, false, 1);
		return true;
	case TOP_KEY_DOWN:
	case 'j':
		scroll(view, true, 1);
		return true;
	case TOP_KEY_PAGE_UP:
		scroll(view, false, page);
		return true;
	case TOP_KEY_PAGE_DOWN:
		scroll(view, true, page);
		return true;
	case TOP_KEY_HOME:
		view->first[view->focus] = 0;
		return true;
	case TOP_KEY_END:
		scroll(view, true, SIZE_MAX / 2);
		return true;
	default:
		return false;
	}
}

bool top_press(struct top_view *view, int key)
{
	enum top_section section;

	if (view->help) {
		view->help = false;
		return true;
	}
	switch (key) {
	case 'h':
	case '?':
		view->help = true;
		return true;
	case 'p':
		view->paused = !view->paused;
		return true;
	case 's':
		view->sort = (view->sort + 1) % TOP_SORT_MAX;
		view->first[TOP_HOLDERS] = 0;
		return true;
	case '\t':
		view->focus = (view->focus + 1) % TOP_SECTION_MAX;
		return true;
	case '0':
		view->alone = false;
		return true;
	case '1':
	case '2':
	case '3':
	case '4':
		section = (enum top_section)(key - '1');
		view->alone = !view->alone || view->focus != section;
		view->focus = section;
		return true;
	default:
		return press_scroll(view, key);
	}
}
