// SPDX-License-Identifier: GPL-2.0-only
/*
 * The terminal of `cordon top`. What it shows is made in top.c; curses sends
 * what of it changed, and knows when the terminal was resized or stopped.
 *
 * Nothing here waits for the agent alone: while it does, keys are taken, and
 * signals, which come by a descriptor so that none of them can hit curses in
 * the middle of a line.
 */
#include "clock.h"
#include "cmd.h"
#include "term.h"
#include "text.h"
#include "top.h"

#include <errno.h>
#include <langinfo.h>
#include <locale.h>
#include <ncurses.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <unistd.h>

#define INTERVAL_DEFAULT_S 2
#define INTERVAL_MAX_S	   3600
/* To walk its tables costs the agent time that it has for nothing else then: it
 * gets so many times as long in peace, but whoever looks is not left alone. */
#define REST	    4
#define REST_MAX_MS 10000
/* Of tigetstr(3), for what is not text. */
#define NO_STRING ((const char *)-1)

struct screen {
	struct top *top;
	struct top_view view;
	struct cmd_common common;
	uint64_t interval_s;
	SCREEN *curses;
	int signals; /* signalfd(2) */
	bool colour;
	bool quit;
	bool resumed; /* after a pause: time to look */
	bool failed;  /* no memory to draw with */
	int row;      /* of the line that is drawn */
};

/* ---- asking ------------------------------------------------------------- */

struct question {
	struct screen *screen; /* NULL: there is no terminal */
	struct top *top;
	control_line_fn take;
};

static int take_line(const json_t *line, const char *text, void *arg)
{
	struct question *question = arg;

	return question->take(line, text, question->top);
}

static int wait_for_agent(int fd, void *arg);

/* 0 or what control_call() says; error then says it in words. */
static int ask(const struct cmd_common *common, struct question *question,
	       char *error)
{
	const struct {
		control_line_fn take;
		struct control_request request;
	} asked[] = {
		{top_take_status, {.verb = CONTROL_STATUS}},
		{top_take_ledger, {.verb = CONTROL_LEDGER}},
		{top_take_event,
		 {.verb = CONTROL_EVENTS,
		  .since_s = top_events_since(question->top)}},
	};
	char path[4096];
	int r;

	if (!cmd_socket(common, path, sizeof(path))) {
		(void)snprintf(error, CONTROL_ERROR_CHARS_MAX,
			       "the run directory's name is too long");
		return -ENAMETOOLONG;
	}
	top_begin(question->top, clock_s(CLOCK_REALTIME));
	for (size_t i = 0; i < sizeof(asked) / sizeof(asked[0]); i++) {
		question->take = asked[i].take;
		r = control_call_waiting(path, &asked[i].request, take_line,
					 question->screen ? wait_for_agent
							  : NULL,
					 question, error);
		if (r)
			return r;
	}
	top_done(question->top, clock_s(CLOCK_REALTIME));
	return 0;
}

/* ---- the terminal ------------------------------------------------------- */

static attr_t attributes(const struct screen *screen, enum top_kind kind,
			 enum term_colour colour)
{
	switch (kind) {
	case TOP_HEAD:
		return A_BOLD;
	case TOP_TITLE:
		return A_BOLD | A_UNDERLINE;
	case TOP_FOCUS:
	case TOP_KEYS:
		return A_REVERSE;
	case TOP_TEXT:
		break;
	}
	if (!screen->colour)
		return colour == TERM_BAD ? A_BOLD : A_NORMAL;
	switch (colour) {
	case TERM_GOOD:
		return COLOR_PAIR(TERM_GOOD);
	case TERM_POOR:
		return COLOR_PAIR(TERM_POOR);
	case TERM_BAD:
		return COLOR_PAIR(TERM_BAD) | A_BOLD;
	case TERM_DIM:
		return A_DIM;
	case TERM_PLAIN:
		break;
	}
	return A_NORMAL;
}

static void draw_line(const char *text, enum top_kind kind,
		      enum term_colour colour, void *arg)
{
	struct screen *screen = arg;
	attr_t attr = attributes(screen, kind, colour);
	int row = screen->row++;

	(void)attrset((int)attr);
	(void)mvaddstr(row, 0, text);
	if (kind == TOP_TITLE || kind == TOP_FOCUS || kind == TOP_KEYS)
		(void)mvchgat(row, 0, -1, attr & ~A_COLOR,
			      (short)PAIR_NUMBER(attr), NULL);
}

static void draw(struct screen *screen)
{
	screen->view.width = (size_t)COLS;
	screen->view.height = (size_t)LINES;
	screen->row = 0;
	(void)erase();
	if (top_draw(screen->top, &screen->view, clock_s(CLOCK_REALTIME),
		     draw_line, screen)) {
		screen->failed = true;
		screen->quit = true;
	}
	(void)refresh();
}

static void set_colours(struct screen *screen)
{
	screen->colour = term_wants_colour(stdout) && has_colors() &&
			 start_color() == OK;
	if (!screen->colour)
		return;
	/* The terminal's own background, which may be light. */
	(void)use_default_colors();
	(void)init_pair(TERM_GOOD, COLOR_GREEN, -1);
	(void)init_pair(TERM_POOR, COLOR_YELLOW, -1);
	(void)init_pair(TERM_BAD, COLOR_RED, -1);
}

/* 0, or an exit code after having said what is wrong. */
static int open_terminal(struct screen *screen)
{
	const char *term = getenv("TERM"), *move_to;
	sigset_t signals;

	(void)sigemptyset(&signals);
	(void)sigaddset(&signals, SIGINT);
	(void)sigaddset(&signals, SIGTERM);
	(void)sigaddset(&signals, SIGHUP);
	(void)sigaddset(&signals, SIGQUIT);
	(void)sigprocmask(SIG_BLOCK, &signals, NULL);
	screen->signals = signalfd(-1, &signals, SFD_CLOEXEC | SFD_NONBLOCK);
	if (screen->signals < 0) {
		(void)fprintf(stderr, "cordon top: signalfd: %s\n",
			      strerror(errno));
		return CMD_WRONG;
	}
	/* They would stay what they are when the terminal is resized. */
	(void)unsetenv("LINES");
	(void)unsetenv("COLUMNS");
	screen->curses = newterm(NULL, stdout, stdin);
	if (!screen->curses)
		return cmd_usage("top",
				 "TERM is \"%.32s\", which this host does not "
				 "know: set it to what the terminal is, or ask "
				 "cordon status",
				 term ? term : "");
	move_to = tigetstr("cup");
	if (!move_to || move_to == NO_STRING) {
		(void)endwin();
		return cmd_usage("top",
				 "a terminal \"%.32s\" cannot show a screen: "
				 "ask cordon status",
				 term ? term : "");
	}
	(void)cbreak();
	(void)noecho();
	(void)nonl();
	(void)curs_set(0);
	(void)keypad(stdscr, TRUE);
	(void)nodelay(stdscr, TRUE);
	(void)set_escdelay(25);
	set_colours(screen);
	return 0;
}

/* It may be gone: then there is nothing to restore. */
static void close_terminal(struct screen *screen)
{
	if (screen->curses) {
		(void)endwin();
		delscreen(screen->curses);
	}
	if (screen->signals >= 0)
		(void)close(screen->signals);
}

/* ---- keys --------------------------------------------------------------- */

static int key_of(int code)
{
	switch (code) {
	case KEY_UP:
		return TOP_KEY_UP;
	case KEY_DOWN:
		return TOP_KEY_DOWN;
	case KEY_PPAGE:
		return TOP_KEY_PAGE_UP;
	case KEY_NPAGE:
		return TOP_KEY_PAGE_DOWN;
	case KEY_HOME:
		return TOP_KEY_HOME;
	case KEY_END:
		return TOP_KEY_END;
	default:
		return code < 128 ? code : 0;
	}
}

/* All that were pressed, or that the terminal was resized. */
static void take_keys(struct screen *screen)
{
	bool changed = false, paused = screen->view.paused;
	int code;

	while ((code = getch()) != ERR) {
		if (code == 'q') {
			screen->quit = true;
			return;
		}
		if (code == KEY_RESIZE ||
		    top_press(&screen->view, key_of(code)))
			changed = true;
	}
	screen->resumed = paused && !screen->view.paused;
	if (changed)
		draw(screen);
}

/*
 * Waits until fd (-1: none) is readable, until_ms has come or all is over; with
 * no fd, also until a pause ends.
 * 0: fd or the time, -ECANCELED: quit.
 */
static int wait_for(struct screen *screen, int fd, int64_t until_ms)
{
	struct pollfd fds[] = {
		{.fd = STDIN_FILENO, .events = POLLIN},
		{.fd = screen->signals, .events = POLLIN},
		{.fd = fd, .events = POLLIN},
	};
	int64_t left;
	int n;

	while (!screen->quit) {
		/* Curses tells a resize as a key; its signal ends the poll. */
		take_keys(screen);
		left = until_ms - clock_ms();
		if (left <= 0 || screen->quit || (fd < 0 && screen->resumed))
			break;
		n = poll(fds, 3, (int)left);
		if (n < 0 && errno != EINTR)
			return -errno;
		if (n <= 0)
			continue;
		if (fds[1].revents ||
		    fds[0].revents & (POLLHUP | POLLERR | POLLNVAL))
			screen->quit = true;
		else if (fds[2].revents)
			return 0;
	}
	return screen->quit ? -ECANCELED : 0;
}

/* A second may pass without an answer before the screen says so. */
static int wait_for_agent(int fd, void *arg)
{
	struct question *question = arg;
	struct pollfd ready = {.fd = fd, .events = POLLIN};
	int r;

	for (;;) {
		r = wait_for(question->screen, fd, clock_ms() + 1000);
		if (r)
			return r;
		if (poll(&ready, 1, 0) != 0)
			return 0;
		draw(question->screen);
	}
}

/* ---- the verb ----------------------------------------------------------- */

static void look(struct screen *screen)
{
	struct question question = {.screen = screen, .top = screen->top};
	char error[CONTROL_ERROR_CHARS_MAX] = "";
	int r;

	r = ask(&screen->common, &question, error);
	if (r && r != -ECANCELED)
		top_failed(screen->top, error[0] ? error : strerror(-r),
			   cmd_remedy(r));
}

/* How long it is until the next look. */
static int64_t rest_ms(const struct screen *screen, int64_t took_ms)
{
	int64_t left = (int64_t)screen->interval_s * 1000 - took_ms;
	int64_t rest = REST * took_ms;

	if (rest > REST_MAX_MS)
		rest = REST_MAX_MS;
	return left > rest ? left : rest;
}

static int watch(struct screen *screen)
{
	int64_t begun_ms, took_ms;
	int r;

	r = open_terminal(screen);
	if (r)
		return r;
	draw(screen);
	while (!screen->quit) {
		begun_ms = clock_ms();
		if (!screen->view.paused)
			look(screen);
		took_ms = clock_ms() - begun_ms;
		if (screen->quit)
			break;
		draw(screen);
		r = wait_for(screen, -1, clock_ms() + rest_ms(screen, took_ms));
		if (r && r != -ECANCELED)
			return CMD_WRONG;
	}
	return screen->failed ? CMD_WRONG : CMD_OK;
}

static void print_line(const char *text, enum top_kind kind,
		       enum term_colour colour, void *arg)
{
	(void)kind;
	(void)colour;
	(void)arg;
	(void)puts(text);
}

static int once(struct screen *screen)
{
	struct question question = {.top = screen->top};
	struct top_view view = {.width = term_width(stdout)};
	char error[CONTROL_ERROR_CHARS_MAX] = "";
	int r;

	r = ask(&screen->common, &question, error);
	if (r) {
		(void)fprintf(stderr, "cordon top: %s\n",
			      error[0] ? error : strerror(-r));
		if (cmd_remedy(r))
			(void)fprintf(stderr, "%s\n", cmd_remedy(r));
		return cmd_exit_code(r);
	}
	r = top_draw(screen->top, &view, clock_s(CLOCK_REALTIME), print_line,
		     NULL);
	return r ? CMD_WRONG : CMD_OK;
}

/* 0 or CMD_USAGE. */
static int take_interval(const char *text, uint64_t *ret_s)
{
	if (text_parse_u64(text, 1, INTERVAL_MAX_S, ret_s))
		return cmd_usage("top",
				 "--interval %.32s: expected seconds, 1 to %d",
				 text, INTERVAL_MAX_S);
	return 0;
}

static int run(struct screen *screen, bool only_once)
{
	int r;

	if (!only_once &&
	    (isatty(STDOUT_FILENO) != 1 || isatty(STDIN_FILENO) != 1))
		return cmd_usage("top",
				 "it needs a terminal: ask cordon status, or "
				 "cordon top --once");
	/* Letters only: numbers are written as everywhere else. */
	(void)setlocale(LC_CTYPE, "");
	r = top_new(strcmp(nl_langinfo(CODESET), "UTF-8") == 0, &screen->top);
	if (r)
		return CMD_WRONG;
	r = only_once ? once(screen) : watch(screen);
	close_terminal(screen);
	top_free(screen->top);
	if (screen->failed)
		(void)fprintf(stderr, "cordon top: not enough memory\n");
	return r;
}

int cmd_top(int argc, char **argv)
{
	enum { OPT_INTERVAL = CMD_OPT_OWN, OPT_ONCE };
	static const struct option options[] = {
		{"help", no_argument, NULL, CMD_OPT_HELP},
		{"run-dir", required_argument, NULL, CMD_OPT_RUN_DIR},
		{"interval", required_argument, NULL, OPT_INTERVAL},
		{"once", no_argument, NULL, OPT_ONCE},
		{0},
	};
	struct screen screen = {
		.interval_s = INTERVAL_DEFAULT_S,
		.signals = -1,
		.view = {.focus = TOP_BUDGETS},
	};
	bool only_once = false;
	int code, r;

	while ((code = getopt_long(argc, argv, "", options, NULL)) != -1) {
		if (code == OPT_ONCE) {
			only_once = true;
			continue;
		}
		if (code == OPT_INTERVAL)
			r = take_interval(optarg, &screen.interval_s);
		else
			r = cmd_take_shared(&screen.common, code, "top");
		if (r)
			return r == CMD_DONE ? CMD_OK : r;
	}
	r = cmd_no_more("top", argc, argv);
	return r ? r : run(&screen, only_once);
}
