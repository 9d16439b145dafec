/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What `cordon top` shows, without the terminal: the agent's replies become a
 * picture of the host, and the picture becomes as many lines as there is room
 * for. Knows no curses, no clock and no socket.
 *
 * Texts that come from the agent are cleaned when they are taken: no byte of a
 * name steers the terminal, and none is wider on it than it was counted.
 */
#ifndef CORDON_TOP_H
#define CORDON_TOP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <jansson.h>

#include "term.h"

#define TOP_EVENTS_MAX 256 /* the last ones are kept */
#define TOP_LATE_S     3   /* without an answer, after which it is told */

struct top;

/* utf8: the terminal shows UTF-8, and setlocale(3) was told so; else all else
 * than ASCII becomes `?`. 0 or -ENOMEM. */
int top_new(bool utf8, struct top **ret_top);

/* Takes NULL. */
void top_free(struct top *top);

/* ---- asking ------------------------------------------------------------- */

/*
 * A look at the agent begins: its replies to status, ledger and events go to
 * the functions below, each a control_line_fn whose arg is the top. What it
 * shows stays as it was until top_done(). Times are seconds since the epoch.
 */
void top_begin(struct top *top, int64_t now_s);
int top_take_status(const json_t *line, const char *text, void *arg);
int top_take_ledger(const json_t *line, const char *text, void *arg);
int top_take_event(const json_t *line, const char *text, void *arg);

/* Events since when are to be asked for; 0: all. The last one known is among
 * them, and is known again. */
int64_t top_events_since(const struct top *top);

/* All was answered: it is shown from now on. */
void top_done(struct top *top, int64_t now_s);

/* The agent did not answer, or not all; why is shown, and what to do about it
 * (NULL: nothing is known), with the last picture. */
void top_failed(struct top *top, const char *why, const char *remedy);

/* ---- showing ------------------------------------------------------------ */

enum top_section {
	TOP_DATASETS,
	TOP_BUDGETS,
	TOP_HOLDERS,
	TOP_EVENTS,
	TOP_SECTION_MAX,
};

/* What holders are sorted by. */
enum top_sort {
	TOP_BY_LAST,
	TOP_BY_READ,
	TOP_BY_RELEASED,
	TOP_BY_BLOCKED,
	TOP_SORT_MAX,
};

/* Zeroed memory and a size are a view to begin with. */
struct top_view {
	size_t width;
	size_t height; /* 0: as many lines as there are, and no keys */
	enum top_section focus;
	enum top_sort sort;
	bool alone; /* only the section in focus */
	bool help;
	bool paused;
	size_t first[TOP_SECTION_MAX]; /* row that is shown first */
	size_t rows[TOP_SECTION_MAX];  /* shown by the last top_draw() */
};

/* Keys that are no ASCII. */
enum top_key {
	TOP_KEY_UP = 256,
	TOP_KEY_DOWN,
	TOP_KEY_PAGE_UP,
	TOP_KEY_PAGE_DOWN,
	TOP_KEY_HOME,
	TOP_KEY_END,
};

/* Does what a key, an ASCII letter or an enum top_key, stands for; false if it
 * stands for nothing here, as `q` does. */
bool top_press(struct top_view *view, int key);

enum top_kind {
	TOP_HEAD,  /* the first line */
	TOP_TITLE, /* of a section */
	TOP_FOCUS, /* of the section that keys scroll */
	TOP_TEXT,
	TOP_KEYS, /* the last line */
};

/* A line, at most view->width columns of the terminal; lives for the call. */
typedef void (*top_line_fn)(const char *text, enum top_kind kind,
			    enum term_colour colour, void *arg);

/*
 * Tells fn all lines from the top, at most view->height; corrects what of the
 * view does not fit any more. 0 or -ENOMEM.
 */
int top_draw(const struct top *top, struct top_view *view, int64_t now_s,
	     top_line_fn fn, void *arg);

#endif
