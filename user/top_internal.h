/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the files behind top.h share: the picture of the host.
 */
#ifndef CORDON_TOP_INTERNAL_H
#define CORDON_TOP_INTERNAL_H

#include "top.h"

#include <linux/bpf.h>

#include "abi.h"
#include "text.h"

#define TOP_WARNINGS_MAX 16
#define TOP_TIME	 24 /* `2026-11-01T14:03:11Z` */
#define TOP_WHO		 96
#define TOP_WARNING	 384

struct top_warning {
	enum term_colour colour;
	char text[TOP_WARNING];
};

struct top_dataset {
	char name[CORDON_NAME];
	char class[CORDON_NAME];
	bool counted; /* files is known: it is in the policy */
	uint64_t files;
	/* sums over its origins */
	uint64_t origins, records, released, over, blocked;
};

struct top_budget {
	char whose[CORDON_NAME + TOP_WHO];
	char dataset[CORDON_NAME];
	char to[CORDON_NAME];
	char amount[5 * TEXT_NUMBER_CHARS_MAX]; /* `15 of 20 records/day` */
	char frees[TOP_TIME];
	bool limited;
	uint64_t used, max, refused;
};

/* An origin, or, with serial 0, what was refused before anything was read. */
struct top_holder {
	uint64_t serial;
	char dataset[CORDON_NAME];
	char who[TOP_WHO];
	char last[TOP_TIME];
	uint64_t records, bytes, released, over, blocked;
};

struct top_event {
	enum term_colour colour;
	char time[TOP_TIME];
	char what[CORDON_NAME];
	char who[TOP_WHO];
	char channel[32];
	char dataset[CORDON_NAME];
	char to[CORDON_NAME];
	char more[256]; /* which file, which address */
	uint64_t bytes, records;
};

/* The last ones of total, number i at place i modulo their number. */
struct top_events {
	uint64_t total;
	struct top_event at[TOP_EVENTS_MAX];
};

/* One look at the agent. */
struct top_look {
	char mode[16];
	uint64_t uptime_s, serial, labels, holders, dropped;
	struct top_warning warnings[TOP_WARNINGS_MAX];
	size_t n_warnings; /* may be more than there is room for */
	struct top_dataset *datasets;
	size_t n_datasets;
	struct top_budget *budgets;
	size_t n_budgets;
	struct top_holder *origins;
	size_t n_origins;
	struct top_holder *sums; /* of the ledger, in its order, by origin */
	size_t n_sums;
	struct top_events events; /* not known before */
	char *last_event;	  /* the text of the last one */
	int64_t last_event_s;
};

struct top {
	bool utf8;
	bool known;    /* there is something to show */
	bool asking;   /* since asked_s */
	char why[512]; /* there was no answer; "" there was */
	char remedy[128];
	int64_t asked_s;    /* when the look that is under way began */
	int64_t answered_s; /* when what is shown was known */
	struct top_look shown, next;
	struct top_events events;
	char *last_event;
	int64_t last_event_s;
};

#endif
