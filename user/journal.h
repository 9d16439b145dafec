/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A message of the agent as the journal takes it: fields with names, of what
 * the line of the evidence log says of an event or an incident. Pure: nothing
 * is sent here.
 */
#ifndef CORDON_JOURNAL_H
#define CORDON_JOURNAL_H

#include <stddef.h>
#include <jansson.h>

/* MESSAGE_ID of each kind, as cordond(8) has them. */
#define JOURNAL_VERDICT	 "fdfc8255c17940e3b5d7bf2fc86f73bd"
#define JOURNAL_BUDGET	 "90efb03cf739420d892a615ccc9dd7aa"
#define JOURNAL_READ	 "dbf54cdf3ddd453f945b87ee744ba6ca"
#define JOURNAL_RELEASE	 "57f9e1f2fd344fe8bc0c4cd4e33f7083"
#define JOURNAL_FAULT	 "fe260a72480f42f3a42bc729cb190447"
#define JOURNAL_INCIDENT "d9b2f56243134552a3e6bef25e863e29"

#define JOURNAL_FIELDS_MAX 40

struct journal_fields {
	char *text[JOURNAL_FIELDS_MAX]; /* NAME=VALUE, each ended with NUL */
	size_t n;
};

/*
 * words, clean, is what is said to people, and level how urgent that is
 * (syslog(3)). 0: for journal_release(); -EINVAL: it is a line of no kind that
 * has fields; -ENOMEM.
 */
int journal_fields(const json_t *line, int level, const char *words,
		   struct journal_fields *ret_fields);

void journal_release(struct journal_fields *fields);

#endif
