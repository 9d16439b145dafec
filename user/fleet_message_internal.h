/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the files of fleet_message.h have in common: fleet_name.c has names,
 * fleet_message.c boxes, fleet_message_policy.c what the force pushes,
 * fleet_message_report.c and fleet_message_attest.c the rest.
 */
#ifndef CORDON_FLEET_MESSAGE_INTERNAL_H
#define CORDON_FLEET_MESSAGE_INTERNAL_H

#include <jansson.h>

#include "fleet_message.h"

#define FLEET_REPORT_DOMAIN "cordon report 1"
#define FLEET_ATTEST_DOMAIN "cordon attest 1"

/* The body of a message: len bytes in the middle of memory for free(). */
struct fleet_body {
	char *buffer;
	char *text; /* a NUL is behind it */
	size_t len;
};

/* Room for a body of len bytes, which the caller fills in. 0 or -ENOMEM. */
int fleet_body_new(size_t len, struct fleet_body *ret_body);

/* Signs it and puts it into a box. It is spoilt. 0, -EINVAL or -ENOMEM. */
int fleet_body_close(struct fleet_body *body, const char *domain,
		     const struct sign_key *key,
		     const struct seal_public *force, void **ret_box,
		     size_t *ret_len);

/* The body of a box of at most max bytes, for free(ret_body->buffer).
 * -EMSGSIZE, -EBADMSG, -EACCES, -ENOMEM as fleet_report_open(). */
int fleet_body_open(const void *box, size_t len, size_t max, const char *domain,
		    const struct seal_key *force,
		    const struct sign_public *host,
		    struct fleet_body *ret_body);

/*
 * The object in the len bytes, for json_decref(). It has at most max members
 * and elements, so that what is parsed takes no more memory than that.
 * -EBADMSG: it is none; -ENOMEM.
 */
int fleet_json(const char *text, size_t len, size_t max, json_t **ret_object);

/* Is it so many lower-case hexadecimal digits? */
bool fleet_is_hex(const char *text, size_t digits);

/* A text from outside. False: it does not fit, or is not clean. */
bool fleet_take_text(const char *text, char *ret_text, size_t size);

/* Is what was signed about this host? 0, -EBADMSG: these are none; -EXDEV. */
int fleet_check_host(const char *host, const char *id, const char *name,
		     const struct sign_public *public);

#endif
