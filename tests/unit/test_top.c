// SPDX-License-Identifier: GPL-2.0-only
/*
 * What `cordon top` makes of the agent's answers, at several sizes.
 *
 * usage: test_top [--write]; then the screen of 80x24 goes to standard output,
 * for tests/golden/check.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <locale.h>

#include "text.h"
#include "top.h"

#define NOW 1793541600 /* 2026-11-01T14:00:00Z */

static const char *const status[] = {
	"{'type':'status','mode':'enforce','uptime_s':273600,'attach':'lsm',"
	"'policy_serial':42,'labels':47001,'holders':12,'dropped':3,"
	"'policy':{'expired':false},'faults':{}}",
	"{'type':'dataset','dataset':'warrant-cards','files':47000,"
	"'classification':'OFFICIAL-SENSITIVE'}",
	"{'type':'dataset','dataset':'roster','files':1}",
	"{'type':'budget','rule':'backup/*','dataset':'roster',"
	"'destination':'force-backup','budget':'bytes','used':12582912,"
	"'max':null,'window_ns':0,'refused':0}",
	"{'type':'budget','rule':'card-printer/warrant-cards','dataset':"
	"'warrant-cards','destination':'read','budget':'records','used':60,"
	"'max':120,'window_ns':3600000000000,'refused':0}",
	"{'type':'budget','rule':'*/*/user','user':'anna','dataset':"
	"'warrant-cards','destination':'*','budget':'records','used':20,'max':"
	"20,'window_ns':86400000000000,'refused':7,"
	"'frees':'2026-11-02T09:36:00.000Z'}",
	NULL,
};

static const char *const ledger[] = {
	"{'type':'origin','origin':9,'dataset':'warrant-cards','tgid':4701,"
	"'comm':'curl','user':'www','login':null,'first':"
	"'2026-11-01T13:00:00.001Z','read_bytes':1258291,'read_records':20}",
	"{'type':'origin','origin':3,'dataset':'roster','tgid':811,'comm':"
	"'postgres','user':'postgres','login':'ben','first':"
	"'2026-10-30T08:00:00.001Z','read_bytes':160,'read_records':1}",
	"{'type':'ledger','origin':0,'dataset':'roster','destination':'read',"
	"'channel':'open','bytes':0,'over_acts':2,'blocked_acts':2,"
	"'last':'2026-11-01T12:00:00.001Z'}",
	"{'type':'ledger','origin':3,'dataset':'roster','destination':'read',"
	"'channel':'read','bytes':160,'over_acts':0,'blocked_acts':0,"
	"'last':'2026-10-31T08:00:00.001Z'}",
	"{'type':'ledger','origin':9,'dataset':'warrant-cards','destination':"
	"'read','channel':'read','bytes':1258291,'over_acts':0,"
	"'blocked_acts':0,'last':'2026-11-01T13:00:00.001Z'}",
	"{'type':'ledger','origin':9,'dataset':'warrant-cards','destination':"
	"'*','channel':'tcp','bytes':70000,'over_acts':3,'blocked_acts':3,"
	"'last':'2026-11-01T13:59:58.001Z'}",
	"{'type':'ledger','origin':9,'dataset':'warrant-cards','destination':"
	"'printers','channel':'tcp','bytes':30000,'over_acts':0,"
	"'blocked_acts':0,'last':'2026-11-01T13:10:00.001Z'}",
	NULL,
};

static const char *const events[] = {
	"{'type':'first-read','time':'2026-11-01T13:00:00.001Z','comm':'curl',"
	"'tgid':4701,'user':'www','dataset':'warrant-cards','channel':'read',"
	"'destination':'read','file':'000812.jpg','bytes':4096,'records':1}",
	"{'type':'budget','time':'2026-11-01T13:58:00.001Z','comm':'curl',"
	"'tgid':4701,'user':'www','dataset':'warrant-cards','channel':'tcp',"
	"'destination':'*','bytes':0,'records':0,'budget':'records','used':16,"
	"'max':20}",
	"{'type':'verdict','verdict':'block','repeats':3,'time':"
	"'2026-11-01T13:59:58.001Z','comm':'curl','tgid':4701,'user':'root',"
	"'login':'anna','dataset':'warrant-cards','channel':'tcp',"
	"'destination':'*','address':'2001:db8::7','port':443,'bytes':70000,"
	"'records':20,'budget':'records','used':20,'max':20}",
	NULL,
};

/* ' stands for ". */
static void hand(struct top *top, const char *line,
		 int (*take)(const json_t *, const char *, void *))
{
	char *text = strdup(line);
	json_t *object;

	assert_non_null(text);
	for (char *at = text; *at; at++)
		if (*at == '\'')
			*at = '"';
	object = json_loads(text, 0, NULL);
	assert_non_null(object);
	assert_int_equal(take(object, text, top), 0);
	json_decref(object);
	free(text);
}

static void hand_all(struct top *top, const char *const *lines,
		     int (*take)(const json_t *, const char *, void *))
{
	for (; *lines; lines++)
		hand(top, *lines, take);
}

static struct top *new_top(bool utf8)
{
	struct top *top;

	assert_non_null(setlocale(LC_CTYPE, utf8 ? "C.UTF-8" : "C"));
	assert_int_equal(top_new(utf8, &top), 0);
	return top;
}

/* One look, with all of the above. */
static struct top *full_top(bool utf8)
{
	struct top *top = new_top(utf8);

	top_begin(top, NOW);
	hand_all(top, status, top_take_status);
	hand_all(top, ledger, top_take_ledger);
	hand_all(top, events, top_take_event);
	top_done(top, NOW);
	return top;
}

struct drawn {
	char text[65536];
	size_t len;
	size_t lines;
	size_t widest;
	enum term_colour colour[256];
};

static void keep(const char *text, enum top_kind kind, enum term_colour colour,
		 void *arg)
{
	struct drawn *drawn = arg;
	size_t columns = term_columns(text);

	(void)kind;
	assert_true(drawn->lines < 256);
	assert_true(text_is_clean(text, strlen(text), ""));
	drawn->colour[drawn->lines++] = colour;
	if (columns > drawn->widest)
		drawn->widest = columns;
	drawn->len += (size_t)snprintf(drawn->text + drawn->len,
				       sizeof(drawn->text) - drawn->len, "%s\n",
				       text);
	assert_true(drawn->len < sizeof(drawn->text));
}

static const struct drawn *draw_at(const struct top *top, struct top_view *view,
				   int64_t now_s)
{
	static struct drawn drawn;

	memset(&drawn, 0, sizeof(drawn));
	assert_int_equal(top_draw(top, view, now_s, keep, &drawn), 0);
	assert_true(drawn.widest <= view->width);
	if (view->height)
		assert_true(drawn.lines <= view->height);
	return &drawn;
}

static const struct drawn *draw(const struct top *top, struct top_view *view)
{
	return draw_at(top, view, NOW);
}

static void says(const struct drawn *drawn, const char *text)
{
	if (!strstr(drawn->text, text))
		fail_msg("\"%s\" is not in\n%s", text, drawn->text);
}

static void says_not(const struct drawn *drawn, const char *text)
{
	if (strstr(drawn->text, text))
		fail_msg("\"%s\" is in\n%s", text, drawn->text);
}

/* The line, counted from 0, in which the text stands first. */
static size_t line_of(const struct drawn *drawn, const char *text)
{
	const char *at = strstr(drawn->text, text);
	size_t n = 0;

	assert_non_null(at);
	for (const char *c = drawn->text; c < at; c++)
		n += *c == '\n';
	return n;
}

static void bars_are_blocks_when_the_terminal_has_them(void **state)
{
	struct top_view view = {.width = 80};
	struct top *top = full_top(true);

	(void)state;
	says(draw(top, &view),
	     "card-printer  warrant-cards  (read)        "
	     "[\342\226\210\342\226\210\342\226\210\342\226\210\342\226\210"
	     "\342\226\221\342\226\221\342\226\221\342\226\221\342\226\221]");
	top_free(top);
}

static void columns_come_back_when_there_is_room(void **state)
{
	struct top_view view = {.width = 140, .height = 40};
	struct top *top = full_top(false);
	const struct drawn *drawn;

	(void)state;
	drawn = draw(top, &view);
	assert_int_equal(drawn->lines, 40);
	says(drawn, "[####################]    20 of 20 records/day  100%  "
		    "      7  2026-11-02");
	says(drawn, "13:59:58Z  block x3    curl[4701] anna  tcp      "
		    "warrant-cards  elsewhere  68.4 KiB       20  "
		    "[2001:db8::7]:443");
	top_free(top);
}

/* Nothing is drawn beside the screen: draw() looks. */
static void screen_stays_sane_when_it_is_of_any_size(void **state)
{
	static const size_t widths[] = {1, 2, 9, 20, 33, 79, 80, 81, 132, 400};
	struct top *top = full_top(true);

	(void)state;
	for (size_t i = 0; i < sizeof(widths) / sizeof(widths[0]); i++)
		for (size_t height = 1; height < 60; height++)
			for (int focus = 0; focus < TOP_SECTION_MAX; focus++) {
				struct top_view view = {.width = widths[i],
							.height = height,
							.focus = focus};

				(void)draw(top, &view);
				view.help = true;
				(void)draw(top, &view);
			}
	top_free(top);
}

static void section_in_focus_stays_when_there_is_no_room(void **state)
{
	struct top_view view = {.width = 60, .height = 3, .focus = TOP_EVENTS};
	struct top *top = full_top(false);
	const struct drawn *drawn;

	(void)state;
	drawn = draw(top, &view);
	says(drawn, "EVENT  WHAT");
	says(drawn, "13:59:58Z  block x3");
	says_not(drawn, "BUDGET OF");
	top_free(top);
}

static void names_steer_nothing_when_they_try(void **state)
{
	/* A title for the window, a clear screen, a turned direction, letters
	 * without width and two columns wide, and half a letter. */
	static const char *const hostile[] = {
		"{'type':'verdict','verdict':'block','time':'\\u001b[2J',"
		"'comm':'\\u001b]0;x\\u0007\\n\\u202eno','tgid':1,'user':"
		"'a\\u0301b\\u200d','dataset':'\\u6771\\u4eac','channel':"
		"'\\u009b2J','destination':'\\u001b[1m','file':'\\r\\t'}",
		NULL,
	};
	struct top_view view = {.width = 100, .height = 24};
	const struct drawn *drawn;
	struct top *top;

	(void)state;
	for (int utf8 = 0; utf8 < 2; utf8++) {
		top = new_top(utf8);
		top_begin(top, NOW);
		hand_all(top, hostile, top_take_event);
		hand(top,
		     "{'type':'status','mode':'\\u001b[2J','problem':"
		     "'\\u001b[2J','faults':{'\\u001b[2J':1}}",
		     top_take_status);
		top_done(top, NOW);
		drawn = draw(top, &view);
		says(drawn, utf8 ? "?]0;x?????no[1] ab???  "
				 : "?]0;x?????no[1] a?b???  ");
		says(drawn, utf8 ? "  \346\235\261\344\272\254  " : "  ??  ");
		for (size_t i = 0; !utf8 && i < drawn->len; i++)
			assert_true((unsigned char)drawn->text[i] < 0x80);
		top_free(top);
	}
}

static void wide_letters_are_cut_between_columns(void **state)
{
	char name[4 * 30 + 128] = "{'type':'dataset','dataset':'", *at;
	struct top *top = new_top(true);

	(void)state;
	at = name + strlen(name);
	for (int i = 0; i < 20; i++)
		at += sprintf(at, "\346\235\261");
	(void)sprintf(at, "','files':1}");
	top_begin(top, NOW);
	hand(top, name, top_take_status);
	top_done(top, NOW);
	for (size_t width = 1; width < 70; width++) {
		struct top_view view = {.width = width, .height = 24};

		(void)draw(top, &view);
	}
	top_free(top);
}

static void many(struct top *top, size_t n)
{
	char line[512];

	top_begin(top, NOW);
	for (size_t i = 0; i < n; i++) {
		(void)snprintf(line, sizeof(line),
			       "{'type':'dataset','dataset':'set-%03zu',"
			       "'files':1}",
			       i);
		hand(top, line, top_take_status);
		(void)snprintf(line, sizeof(line),
			       "{'type':'budget','rule':'rule-%03zu/x',"
			       "'dataset':'set-%03zu','destination':'*',"
			       "'budget':'records','used':%zu,'max':%zu,"
			       "'window_ns':3600000000000,'refused':0}",
			       i, i, i, n);
		hand(top, line, top_take_status);
		(void)snprintf(line, sizeof(line),
			       "{'type':'origin','origin':%zu,'dataset':"
			       "'set-%03zu','tgid':%zu,'comm':'dd','user':'u',"
			       "'first':'2026-11-01T13:00:00.001Z',"
			       "'read_bytes':1,'read_records':%zu}",
			       i + 1, i, i, i);
		hand(top, line, top_take_ledger);
		(void)snprintf(line, sizeof(line),
			       "{'type':'first-read','time':"
			       "'2026-11-01T13:00:00.001Z','tgid':%zu,'comm':"
			       "'dd','user':'u','destination':'read'}",
			       i);
		hand(top, line, top_take_event);
	}
	top_done(top, NOW);
}

static void rooms_are_shared_and_lists_scroll_when_long(void **state)
{
	struct top_view view = {
		.width = 80, .height = 24, .focus = TOP_HOLDERS};
	struct top *top = new_top(false);
	const struct drawn *drawn;

	(void)state;
	many(top, 400);
	drawn = draw(top, &view);
	assert_int_equal(drawn->lines, 24);
	for (int i = 0; i < TOP_SECTION_MAX; i++)
		assert_in_range(view.rows[i], 4, 5);
	/* The fullest and the newest first. */
	says(drawn, "rule-399   set-399  elsewhere");
	says(drawn, "dd[399] u  ");
	says(drawn, "holders 1-4 of 400");
	assert_true(top_press(&view, TOP_KEY_PAGE_DOWN));
	assert_true(top_press(&view, TOP_KEY_DOWN));
	says(draw(top, &view), "holders 6-9 of 400");
	assert_true(top_press(&view, TOP_KEY_END));
	says(draw(top, &view), "holders 397-400 of 400");
	assert_true(top_press(&view, TOP_KEY_UP));
	says(draw(top, &view), "holders 396-399 of 400");
	assert_true(top_press(&view, TOP_KEY_HOME));
	assert_true(top_press(&view, TOP_KEY_PAGE_UP));
	says(draw(top, &view), "holders 1-4 of 400");
	/* 256 of the events are remembered. */
	assert_true(top_press(&view, '4'));
	says(draw(top, &view), "events 1-20 of 256");
	says_not(draw(top, &view), "HOLDER");
	assert_true(top_press(&view, '4'));
	says(draw(top, &view), "HOLDER");
	top_free(top);
}

static void first_row_is_put_right_when_the_list_shrinks(void **state)
{
	struct top_view view = {
		.width = 80, .height = 24, .focus = TOP_HOLDERS};
	struct top *top = new_top(false);

	(void)state;
	many(top, 100);
	view.first[TOP_HOLDERS] = 90;
	says(draw(top, &view), "holders 91-94 of 100");
	many(top, 5);
	says(draw(top, &view), "holders 2-5 of 5");
	top_free(top);
}

static void holders_are_sorted_when_asked(void **state)
{
	struct top_view view = {.width = 80, .height = 24};
	struct top *top = full_top(false);
	const struct drawn *drawn;

	(void)state;
	drawn = draw(top, &view);
	assert_true(line_of(drawn, "had read nothing") <
		    line_of(drawn, "postgres[811]"));
	assert_true(top_press(&view, 's'));
	drawn = draw(top, &view);
	says(drawn, "s by records read");
	assert_true(line_of(drawn, "postgres[811]") <
		    line_of(drawn, "had read nothing"));
	assert_true(top_press(&view, 's'));
	assert_true(top_press(&view, 's'));
	drawn = draw(top, &view);
	says(drawn, "s by acts blocked");
	assert_true(line_of(drawn, "had read nothing") <
		    line_of(drawn, "postgres[811]"));
	assert_true(top_press(&view, 's'));
	assert_int_equal(view.sort, TOP_BY_LAST);
	top_free(top);
}

static void keys_do_nothing_when_unknown(void **state)
{
	struct top_view view = {0};

	(void)state;
	assert_false(top_press(&view, 'q'));
	assert_false(top_press(&view, 0));
	assert_true(top_press(&view, '?'));
	assert_true(view.help);
	assert_true(top_press(&view, 'p'));
	assert_false(view.help || view.paused);
	assert_true(top_press(&view, 'p'));
	assert_true(view.paused);
	for (int i = 0; i < TOP_SECTION_MAX; i++)
		assert_true(top_press(&view, '\t'));
	assert_int_equal(view.focus, 0);
}

static void colours_tell_what_is_wrong(void **state)
{
	struct top_view view = {.width = 80, .height = 24};
	struct top *top = full_top(false);
	const struct drawn *drawn;

	(void)state;
	drawn = draw(top, &view);
	assert_int_equal(drawn->colour[line_of(drawn, "*, anna")], TERM_BAD);
	assert_int_equal(drawn->colour[line_of(drawn, "card-printer")],
			 TERM_PLAIN);
	assert_int_equal(drawn->colour[line_of(drawn, "budget 80%")],
			 TERM_POOR);
	top_failed(top, "it is gone", "start it");
	drawn = draw(top, &view);
	assert_int_equal(drawn->colour[line_of(drawn, "*, anna")], TERM_DIM);
	assert_int_equal(drawn->colour[line_of(drawn, "NO ANSWER")], TERM_BAD);
	top_free(top);
}

static void picture_stays_when_the_agent_is_gone(void **state)
{
	struct top_view view = {.width = 80, .height = 24};
	struct top *top = full_top(false);
	const struct drawn *drawn;

	(void)state;
	top_begin(top, NOW + 2);
	hand(top, status[1], top_take_status);
	top_failed(top, "control.sock: \033[2J", "start it");
	drawn = draw(top, &view);
	says(drawn, "NO ANSWER, trying again: control.sock: ?[2J\nstart it\n"
		    "what stands below is of 2026-11-01T14:00:00Z\n");
	says(drawn, "postgres[811] ben");
	top_begin(top, NOW + 4);
	hand(top, status[0], top_take_status);
	top_done(top, NOW + 4);
	drawn = draw(top, &view);
	says_not(drawn, "NO ANSWER");
	says_not(drawn, "postgres");
	says(drawn, "nothing was read, sent or refused");
	top_free(top);
}

static void silence_is_told_when_an_answer_is_late(void **state)
{
	struct top_view view = {.width = 80, .height = 24};
	struct top *top = full_top(false);

	(void)state;
	top_begin(top, NOW);
	says_not(draw_at(top, &view, NOW + TOP_LATE_S - 1), "not answered");
	says(draw_at(top, &view, NOW + 7),
	     "the agent has not answered for 7 s");
	top_free(top);
}

static void nothing_is_known_before_the_first_answer(void **state)
{
	struct top_view view = {.width = 80, .height = 24};
	struct top *top = new_top(false);
	const struct drawn *drawn;

	(void)state;
	top_begin(top, NOW);
	drawn = draw(top, &view);
	assert_int_equal(drawn->lines, 24);
	says(drawn, "cordon top\nasking the agent\n");
	says_not(drawn, "BUDGET OF");
	top_failed(top, "", NULL);
	says(draw(top, &view), "NO ANSWER, trying again: no reason is known\n");
	top_free(top);
}

static void events_are_shown_once_when_asked_for_again(void **state)
{
	struct top_view view = {.width = 80};
	struct top *top = full_top(false);
	const struct drawn *drawn;
	const char *first;

	(void)state;
	assert_int_equal(top_events_since(top), NOW - 2);
	for (int i = 0; i < 3; i++) {
		top_begin(top, NOW + i);
		hand_all(top, events + 1, top_take_event);
		if (i == 2)
			hand(top,
			     "{'type':'first-release','time':"
			     "'2026-11-01T14:00:01.001Z','comm':'nc','tgid':5}",
			     top_take_event);
		top_done(top, NOW + i);
	}
	drawn = draw(top, &view);
	first = strstr(drawn->text, "block x3");
	assert_non_null(first);
	assert_null(strstr(first + 1, "block x3"));
	says(drawn, "14:00:01Z  first-release");
	assert_int_equal(top_events_since(top), NOW + 1);
	/* An agent without the old ones has new ones only. */
	top_begin(top, NOW + 5);
	hand(top, events[0], top_take_event);
	top_done(top, NOW + 5);
	says(draw(top, &view), "block x3");
	top_free(top);
}

static void warnings_are_bounded_when_there_are_many(void **state)
{
	static const char many_faults[] =
		"{'type':'status','mode':'observe','problem':'no such file',"
		"'policy':{'expired':true},'scanning':true,'events_unwritten':"
		"3,'faults':{'a':1,'b':2,'c':3,'d':4,'e':5,'f':6,'g':7,'h':8,"
		"'i':9,'j':10,'k':11,'l':12,'m':13,'n':14,'o':15,'p':16}}";
	struct top_view view = {.width = 80, .height = 24};
	struct top *top = new_top(false);
	const struct drawn *drawn;

	(void)state;
	top_begin(top, NOW);
	hand(top, many_faults, top_take_status);
	top_done(top, NOW);
	drawn = draw(top, &view);
	says(drawn, "\nnot in force: no such file\nobserve: nothing is blocked"
		    "\n(18 more: cordon status) policy: it has EXPIRED");
	says(drawn, "BUDGET OF");
	view.height = 10;
	says(draw(top, &view), "(20 more: cordon status) not in force");
	view.height = 0;
	says(draw(top, &view), "(5 more: cordon status) fault: ");
	top_free(top);
}

static void who_lifted_enforcement_is_told_as_long_as_it_is(void **state)
{
	static const char *const lines[] = {
		"{'type':'status','mode':'enforce','lifted':null}",
		"{'type':'status','mode':'enforce','lifted':{'until':"
		"'2026-11-30T16:00:00Z','signers':['alice','bob'],'reason':"
		"'printers'}}",
		"{'type':'status','mode':'enforce','lifted':{'until':"
		"'2026-11-30T16:00:00Z'}}",
	};
	struct top_view view = {.width = 120, .height = 24};
	struct top *top = new_top(false);

	(void)state;
	for (size_t i = 0; i < 3; i++) {
		top_begin(top, NOW);
		hand(top, lines[i], top_take_status);
		top_done(top, NOW);
		if (!i)
			says_not(draw(top, &view), "lifted");
		else
			says(draw(top, &view),
			     i == 1 ? "enforcement lifted: until "
				      "2026-11-30T16:00:00Z by alice, bob: "
				      "printers"
				    : "16:00:00Z by whom nothing here tells "
				      "of");
	}
	top_free(top);
}

static void frame_has_everything_when_there_is_no_height(void **state)
{
	struct top_view view = {.width = 80};
	struct top *top = new_top(false);
	const struct drawn *drawn;

	(void)state;
	many(top, 50);
	drawn = draw(top, &view);
	/* Head, guard, four titles and blanks, three lists and the events. */
	assert_int_equal(drawn->lines, 2 + 8 + 3 * 50 + 20);
	says_not(drawn, "quit");
	top_free(top);
}

static int write_screen(void)
{
	struct top_view view = {
		.width = 80, .height = 24, .focus = TOP_BUDGETS};
	struct top *top = full_top(false);
	int r = fputs(draw(top, &view)->text, stdout) == EOF;

	top_free(top);
	return r;
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(bars_are_blocks_when_the_terminal_has_them),
		cmocka_unit_test(columns_come_back_when_there_is_room),
		cmocka_unit_test(screen_stays_sane_when_it_is_of_any_size),
		cmocka_unit_test(section_in_focus_stays_when_there_is_no_room),
		cmocka_unit_test(names_steer_nothing_when_they_try),
		cmocka_unit_test(wide_letters_are_cut_between_columns),
		cmocka_unit_test(rooms_are_shared_and_lists_scroll_when_long),
		cmocka_unit_test(first_row_is_put_right_when_the_list_shrinks),
		cmocka_unit_test(holders_are_sorted_when_asked),
		cmocka_unit_test(keys_do_nothing_when_unknown),
		cmocka_unit_test(colours_tell_what_is_wrong),
		cmocka_unit_test(picture_stays_when_the_agent_is_gone),
		cmocka_unit_test(silence_is_told_when_an_answer_is_late),
		cmocka_unit_test(nothing_is_known_before_the_first_answer),
		cmocka_unit_test(events_are_shown_once_when_asked_for_again),
		cmocka_unit_test(warnings_are_bounded_when_there_are_many),
		cmocka_unit_test(
			who_lifted_enforcement_is_told_as_long_as_it_is),
		cmocka_unit_test(frame_has_everything_when_there_is_no_height),
	};

	if (argc == 2 && strcmp(argv[1], "--write") == 0)
		return write_screen();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
