/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What an issuer signs. The first key of a file says which kind it is, and no
 * other kind has that key: what was signed as the one is never taken for the
 * other.
 */
#ifndef CORDON_KIND_H
#define CORDON_KIND_H

enum kind {
	KIND_NONE, /* nothing of the sort */
	KIND_POLICY,
	KIND_TRUST,
	KIND_ACT,
	KIND_ENROLMENT,
	KIND_MAX,
};

#define POLICY_KEY    "cordon"
#define TRUST_KEY     "cordon-trust"
#define ACT_KEY	      "cordon-act"
#define ENROLMENT_KEY "cordon-enrolment"

/* All of them, for a message. */
#define KIND_KEYS \
	POLICY_KEY ":, " TRUST_KEY ":, " ACT_KEY ": or " ENROLMENT_KEY ":"

/* Of text, which is ended with NUL: what comes before its first key may be
 * comments, empty lines and the `---' that begins a document. */
enum kind kind_of(const char *text);

/* The one that begins with this key; NULL: KIND_NONE. */
enum kind kind_of_key(const char *key);

/* "policy"; NULL for KIND_NONE. */
const char *kind_name(enum kind kind);

/* "a policy"; "something else" for KIND_NONE. */
const char *kind_words(enum kind kind);

#endif
