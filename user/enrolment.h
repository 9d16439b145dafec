/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * How a host becomes one of a force's fleet (cordon-enrolment(5)): it asks, in
 * a file that its own key has signed, and the issuer answers in a file that the
 * people sign whom the host's trust anchors name. Either file is of no use on
 * another host.
 */
#ifndef CORDON_ENROLMENT_H
#define CORDON_ENROLMENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "link.h"
#include "policy.h"
#include "seal.h"
#include "sign.h"

#define CORDON_ENROLMENT_FILE "/etc/cordon/enrolment.yaml"

#define ENROLMENT_FILE_BYTES_MAX 65536U
/* The request, which enrolment_request_make() writes, with the NUL. */
#define ENROLMENT_REQUEST_CHARS_MAX 1024

/* ---- the host asks ------------------------------------------------------- */

struct enrolment_request {
	char host[FLEET_NAME_CHARS_MAX + 1]; /* what policies call it */
	struct sign_public key;
};

/*
 * The text of a request, ended with NUL. -EINVAL: host is no name that
 * fleet_name() takes.
 */
int enrolment_request_make(const struct sign_key *key, const char *host,
			   char ret_text[ENROLMENT_REQUEST_CHARS_MAX]);

/*
 * Parses the len bytes at buf; who wrote them has the secret part of the key.
 * name stands for the file in error messages. 0; -EINVAL and -E2BIG: errs has
 * an entry; -ENOMEM.
 */
int enrolment_request_parse(const char *name, const void *buf, size_t len,
			    struct enrolment_request *ret_request,
			    struct policy_errors *errs);

/* ---- the issuer answers -------------------------------------------------- */

struct enrolment {
	char *issuer;
	char host[FLEET_NAME_CHARS_MAX + 1]; /* what policies call it */
	struct sign_public key;
	struct seal_public seal; /* what reports are sealed to */
	char servers[LINK_SERVERS_MAX][LINK_SERVER_CHARS_MAX + 1];
	size_t n_servers; /* 1 at least */
	char groups[LINK_GROUPS_MAX]
		   [FLEET_NAME_CHARS_MAX + 1]; /* fleet names */
	size_t n_groups;
	uint64_t serial;		  /* the next one of a host is higher */
	char sha256[SIGN_HASH_CHARS_MAX]; /* of the file */
};

/*
 * Parses the len bytes at buf. 0: *ret_enrolment is for enrolment_free().
 * -EINVAL and -E2BIG: errs has an entry; -ENOMEM.
 */
int enrolment_parse(const char *name, const void *buf, size_t len,
		    struct enrolment **ret_enrolment,
		    struct policy_errors *errs);

/* Takes NULL. */
void enrolment_free(struct enrolment *enrolment);

/*
 * The text of that enrolment; sha256 is not used. For free(). -EINVAL: a value
 * that enrolment_parse() would refuse; -ENOMEM.
 */
int enrolment_format(const struct enrolment *enrolment, char **ret_text);

/*
 * Is it one of the host with that key, and of that issuer? If not, buf tells
 * why. What the host calls itself is no matter: it may have asked under another
 * name, where two have the same one.
 */
bool enrolment_fits(const struct enrolment *enrolment,
		    const struct sign_public *key, const char *issuer,
		    char *buf, size_t size);

#endif
