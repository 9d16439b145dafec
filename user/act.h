/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Acts: what an issuer allows one host to do, once (cordon-act(5)). A host asks
 * for one in a file that names it, its key and a nonce; people sign that file
 * as they sign a policy, and the host takes it back. What stands in it besides
 * is theirs to change before they sign.
 */
#ifndef CORDON_ACT_H
#define CORDON_ACT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "policy.h"
#include "sign.h"

#define ACT_FILE_BYTES_MAX   4096U
#define ACT_REASON_CHARS_MAX 256 /* bytes */
#define ACT_NONCE_CHARS_MAX  33	 /* hexadecimal, with the NUL */
#define ACT_LASTS_NS_MIN     (60ULL * 1000000000)
#define ACT_LASTS_NS_MAX     (24ULL * 3600 * 1000000000)
#define ACT_WORDS_MAX	     1024

enum act_kind {
	ACT_BREAK_GLASS, /* nothing is denied for a while */
	ACT_UNINSTALL,	 /* the guard is taken away */
	ACT_RECOVER,	 /* the highest serial seen is another one */
	ACT_KIND_MAX,
};

struct act {
	enum act_kind kind;
	char issuer[POLICY_ISSUER_CHARS_MAX + 1];
	char host[POLICY_HOST_CHARS_MAX + 1]; /* one, and no pattern */
	char host_key[SIGN_HASH_CHARS_MAX];   /* act_host_key() */
	char nonce[ACT_NONCE_CHARS_MAX];
	int64_t asked_s;   /* since the epoch, as the host has it */
	uint64_t lasts_ns; /* break-glass, else 0 */
	uint64_t serial;   /* recover, else 0 */
	char reason[ACT_REASON_CHARS_MAX + 1];
	char sha256[SIGN_HASH_CHARS_MAX]; /* of the file, if it is of one */
};

/* `break-glass', `uninstall', `recover'; never NULL. */
const char *act_kind_name(enum act_kind kind);

/* 0 or -EINVAL. */
int act_kind_find(const char *name, enum act_kind *ret_kind);

/* What stands for a host's key, as `cordon evidence key' prints it in full. */
void act_host_key(const struct sign_public *public,
		  char ret_hash[SIGN_HASH_CHARS_MAX]);

/*
 * Parses the len bytes at buf. name stands for the file in error messages. 0;
 * -EINVAL and -E2BIG: errs has an entry; -ENOMEM.
 */
int act_parse(const char *name, const void *buf, size_t len,
	      struct act *ret_act, struct policy_errors *errs);

/*
 * The text of its file, with comments for who signs it, for free().
 * -EINVAL: act_parse() would not take it, and errs has an entry; -ENOMEM.
 */
int act_format(const struct act *act, char **ret_text,
	       struct policy_errors *errs);

/* Is it for the host of that name? */
bool act_is_for_host(const struct act *act, const char *hostname);

/* What it does, to whom, and why: one sentence; cut at size. */
void act_words(const struct act *act, char *buf, size_t size);

#endif
