/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Boxes that only one reader opens: X25519, as libsodium's crypto_box_seal()
 * makes them. Who has closed one cannot be known from the box, so what is in it
 * is signed. Keys are kept as PEM (RFC 8410) as those of sign.h are, and told
 * to others as base64.
 */
#ifndef CORDON_SEAL_H
#define CORDON_SEAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SEAL_TEXT_CHARS_MAX 45 /* a public key as base64, with the NUL */
#define SEAL_EXTRA_BYTES    48 /* a box is so much longer than what is in it */

struct seal_public {
	uint8_t bytes[32];
};

struct seal_key {
	struct seal_public public;
	uint8_t secret[32]; /* wiped by seal_key_release() */
};

/* As sign_key_load(), of a pair of this kind. */
int seal_key_load(const char *path, struct seal_key *ret_key, bool *ret_made);
void seal_key_release(struct seal_key *key);

/* Base64, as the enrolment has it. 0; -EINVAL: it is no such key. */
int seal_public_parse(const char *text, struct seal_public *ret_public);
void seal_public_format(const struct seal_public *public,
			char ret_text[SEAL_TEXT_CHARS_MAX]);

/* Closes the len bytes in ret_box, which has room for len + SEAL_EXTRA_BYTES
 * of them. 0; -EINVAL: nobody can open it, for that is no key. */
int seal_close(const struct seal_public *public, const void *bytes, size_t len,
	       void *ret_box);

/* Opens the len bytes of box into ret_bytes, which has room for len -
 * SEAL_EXTRA_BYTES. -EBADMSG: it is none, or another's. */
int seal_open(const struct seal_key *key, const void *box, size_t len,
	      void *ret_bytes);

#endif
