/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Lines of the evidence log, told to who watches many hosts: as they are, as
 * findings of OCSF (the Open Cybersecurity Schema Framework), or as messages of
 * syslog (RFC 5424). Pure: lines in, texts out.
 *
 * A line says less than all that is known: a host's name is in its checkpoints,
 * what a program's file was in the line of the process. So lines have to come
 * in their order, and export_learn() is for those that are not told again.
 */
#ifndef CORDON_EXPORT_H
#define CORDON_EXPORT_H

#include <stddef.h>
#include <stdint.h>
#include <jansson.h>

/* The version of the schema that findings are of. */
#define EXPORT_OCSF_VERSION "1.5.0"
/* Of a message, in bytes: what RFC 5424 lets no receiver take less than is 480,
 * what they take in practice is this. */
#define EXPORT_SYSLOG_MAX 8192
/* Who names the structured data: the number that IANA keeps for examples
 * (RFC 5612). */
#define EXPORT_ENTERPRISE 32473
#define EXPORT_AUTHPRIV	  10 /* the facility */
#define EXPORT_WORDS_MAX  2048

enum export_format { EXPORT_JSON, EXPORT_OCSF, EXPORT_SYSLOG };

struct export_options {
	enum export_format format;
	unsigned int facility; /* 0 to 23 */
	uint32_t enterprise;
	const char *host; /* its name; NULL: what its checkpoints say */
	const char *key;  /* digits of its public key, until one says them;
			   * NULL: not known */
};

struct export;

/* 0 or -ENOMEM. */
int export_new(const struct export_options *opts, struct export **ret_export);

/* Takes NULL. */
void export_free(struct export *export);

/* Takes from a line what later ones are told with. */
void export_learn(struct export *export, const json_t *line);

/*
 * Learns from a line, whose text without newline it also needs, and makes what
 * is to be told of it: a text for free(3), without newline. Returns 1; 0: this
 * format tells nothing of such a line; -ENOMEM.
 */
int export_line(struct export *export, const json_t *line, const char *text,
		size_t len, char **ret_text, size_t *ret_len);

/*
 * A sentence about an event or an incident, for people: clean text of at most
 * EXPORT_WORDS_MAX bytes with its NUL. "" for any other line.
 */
void export_words(const json_t *line, char buf[EXPORT_WORDS_MAX]);

#endif
