/* SPDX-License-Identifier: GPL-2.0-only */
/* What agent_dropped*.c know of the drop directory. */
#ifndef CORDON_AGENT_DROPPED_H
#define CORDON_AGENT_DROPPED_H

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <time.h>

#include "place.h"
#include "policy.h"
#include "sign.h"

#define DROPPED_MAX	   32  /* files that are known at a time */
#define DROPPED_HASHES_MAX 128 /* of what was written down */

enum dropped_state {
	DROPPED_NONE, /* the place is free */
	DROPPED_WAITING,
	DROPPED_REFUSED,
	DROPPED_IN_FORCE,
	DROPPED_OLDER, /* than what is in force; nobody will bring it back */
};

struct dropped_file {
	char name[NAME_MAX + 1];
	enum dropped_state state;
	const char *kind;		  /* NULL: not known */
	char sha256[SIGN_HASH_CHARS_MAX]; /* "": it could not be read */
	size_t len;			  /* of what that is of */
	int64_t since_s;
	int64_t due_s; /* when it is looked at again; 0: never */
	bool doubtful; /* it waits, with what is no good signature */
	char why[POLICY_ERROR_CHARS_MAX];
};

/* That is to be looked at. */
struct dropped_pending {
	char name[NAME_MAX + 1];
	bool came; /* just now */
};

/* Hashes, of which the oldest goes first. */
struct dropped_known {
	char at[DROPPED_HASHES_MAX][SIGN_HASH_CHARS_MAX];
	size_t n;
};

struct agent_dropped {
	int epoll_fd;
	int inotify_fd;
	int timer_fd;
	int parent_wd;
	int dir_wd;	 /* -1: there is no such directory */
	bool starting;	 /* what lies there need not have come now */
	bool all;	 /* is to be looked at */
	int64_t look_ms; /* clock_ms() of the next look; 0: there is none */
	int64_t rest_ms; /* and not before this */
	int64_t now_s;
	char problem[POLICY_ERROR_CHARS_MAX];
	struct dropped_file files[DROPPED_MAX];
	struct dropped_pending pending[DROPPED_MAX];
	size_t n_pending;
	struct dropped_known refused; /* what was written down */
	struct dropped_known forced;  /* what was in force */
	int64_t hour_s;		      /* when it began */
	unsigned int lines;	      /* written down in it */
	uint64_t unwritten;
};

/* The newest, by when they were written or moved in. */
struct dropped_listing {
	char name[DROPPED_MAX][NAME_MAX + 1];
	struct timespec at[DROPPED_MAX];
	size_t n;
	size_t left; /* that had no place */
};

struct agent;

/* ---- agent_dropped.c ----------------------------------------------------- */

/* What is known, from now on. NULL: no memory. */
struct agent_dropped *dropped_get(struct agent *agent);

/* Of the directory itself: says it, once. "": nothing is wrong any more. */
void dropped_set_problem(struct agent *agent, const char *why);

/* What somebody tried and took away again leaves a trace. */
void dropped_forget(struct agent *agent, struct dropped_file *file);

/* At all that is pending. */
void dropped_look_now(struct agent *agent);

/* ---- agent_dropped_list.c ------------------------------------------------ */

/* As place_open_dir(). */
int dropped_list(const struct agent *agent, struct dropped_listing *ret_list,
		 char why[PLACE_WHY_CHARS_MAX]);

/* One is to be looked at; that it came tells whether it was just now. */
void dropped_pend(struct agent_dropped *dropped, const char *name, bool came);

/* A file, or a signature: of whatever may be called so. */
void dropped_pend_named(struct agent_dropped *dropped, const char *name,
			bool came);

/* All that is there, and nothing that has gone. As dropped_list(). */
int dropped_pend_all(struct agent *agent);

#endif
