/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the agent says to people: one line a message, on standard error.
 *
 * Below systemd each line begins with the level that journald understands,
 * elsewhere with the program's name. Bytes that could steer a terminal or fake
 * a second line become `?`: names of files and processes end up here, and
 * those are chosen by the very people that the guard watches.
 *
 * Only the layer that decides logs; library code returns.
 */
#ifndef CORDON_LOG_H
#define CORDON_LOG_H

#include <stdbool.h>

/* Longest line, with its newline; what is longer is cut. */
#define LOG_LINE_MAX 2048

/* ident has to live on. debug: log_debug() says something. */
void log_open(const char *ident, bool debug);

/* A message is a sentence without full stop: what happened, where, what to
 * do about it. */
void log_error(const char *format, ...) __attribute__((format(printf, 1, 2)));
void log_warning(const char *format, ...) __attribute__((format(printf, 1, 2)));
void log_notice(const char *format, ...) __attribute__((format(printf, 1, 2)));
void log_info(const char *format, ...) __attribute__((format(printf, 1, 2)));
void log_debug(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* One of those levels by its number (syslog(3)): LOG_WARNING, ... */
void log_level(int level, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

/* Does the journal get it? Then it takes fields too. */
bool log_is_journal(void);

/* Replaces in place what must not reach a terminal by `?`. */
void log_clean(char *text);

#endif
