/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Signatures of people: Ed25519 over the BLAKE2b hash of a file, in the form
 * of minisign(1), which makes and checks the same ones. In this form is what an
 * issuer signs; what the host signs is in sign.h. Only these two know the
 * library (libsodium).
 *
 * A signature has a comment that is signed as well. It says nothing that
 * anything is decided by: what the bytes are is said in them.
 */
#ifndef CORDON_MINISIGN_H
#define CORDON_MINISIGN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* minisign(1) takes comments of 8192 bytes; nobody needs these. */
#define MINISIGN_COMMENT_MAX  256  /* with the NUL */
#define MINISIGN_TEXT_MAX     1024 /* a signature or a key, with the NUL */
#define MINISIGN_PUBLIC_MAX   57   /* a public key in base64, with the NUL */
#define MINISIGN_ID_MAX	      17   /* as minisign(1) shows it, with the NUL */
#define MINISIGN_PASSWORD_MAX 1024

struct minisign_public {
	uint8_t id[8]; /* chosen at random; no proof of anything */
	uint8_t key[32];
};

struct minisign_key {
	struct minisign_public public;
	uint8_t secret[64]; /* for memory of minisign_secret_new() */
};

struct minisign_signature {
	uint8_t id[8];
	uint8_t bytes[64];
	uint8_t global[64]; /* of those 64 and the comment */
	char comment[MINISIGN_COMMENT_MAX];
};

/* 0, or -ENOTSUP: the library cannot work here. To be called before all else.*/
int minisign_init(void);

/*
 * Memory for secrets, all zero: it is not swapped out as far as the host allows
 * that, is in no core file, lies between pages that nobody can touch, and is
 * wiped by minisign_secret_free(), which takes NULL. NULL: no memory.
 */
void *minisign_secret_new(size_t size);
void minisign_secret_free(void *secret);

/* The base64 that minisign(1) takes by -P. 0; -EINVAL. */
int minisign_public_parse(const char *text, struct minisign_public *ret_public);
void minisign_public_format(const struct minisign_public *public,
			    char ret_text[MINISIGN_PUBLIC_MAX]);

void minisign_id_format(const uint8_t id[8], char ret_text[MINISIGN_ID_MAX]);

/*
 * A whole file: its four lines and not a byte more, with comments that can be
 * shown (tabs, but no other controls). 0; -EINVAL; -ENOTSUP: made by minisign
 * before 0.10 or by -l, without the hash.
 */
int minisign_signature_parse(const char *text, size_t len,
			     struct minisign_signature *ret_signature);

/* Are both the key's: the signature of exactly these bytes, and the comment? */
bool minisign_check(const struct minisign_public *public,
		    const struct minisign_signature *signature,
		    const void *bytes, size_t len);

/*
 * The text of a signature, which is ended with NUL. -EINVAL: the comment is too
 * long, or has a control in it; -ENOMEM.
 */
int minisign_make(const struct minisign_key *key, const void *bytes, size_t len,
		  const char *comment, char ret_text[MINISIGN_TEXT_MAX]);

/* A new pair. */
void minisign_key_new(struct minisign_key *ret_key);

/*
 * The text of a secret key, encrypted by the password; "" leaves it as it is.
 * Takes a second and 1 GiB of memory, so that guessing does. -ENOMEM.
 */
int minisign_key_lock(const struct minisign_key *key, const char *password,
		      char ret_text[MINISIGN_TEXT_MAX]);

/*
 * Back. -EINVAL: it is no such file; -EACCES: another password; -ENOMEM.
 */
int minisign_key_unlock(const char *text, size_t len, const char *password,
			struct minisign_key *ret_key);

/* Does it have a password? False if it is no such file. */
bool minisign_key_locked(const char *text, size_t len);

#endif
