/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Hashes, and signatures of the host: SHA-256 and Ed25519. Only this file and
 * minisign.h, for signatures of people, know the library (libsodium). Keys are
 * kept as PEM (RFC 8410), signatures are base64, so that what is signed here
 * can be checked without Cordon:
 *
 *	openssl pkeyutl -verify -pubin -inkey host.pub -rawin \
 *		-in BYTES -sigfile SIGNATURE
 */
#ifndef CORDON_SIGN_H
#define CORDON_SIGN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SIGN_HASH_CHARS_MAX	 65  /* hexadecimal, with the NUL */
#define SIGN_SIGNATURE_CHARS_MAX 89  /* base64, with the NUL */
#define SIGN_PEM_CHARS_MAX	 160 /* of either key, with the NUL */
#define SIGN_ID_CHARS_MAX	 17  /* hexadecimal, with the NUL */
#define SIGN_PUBLIC_CHARS_MAX	 45  /* base64, with the NUL */

struct sign_public {
	uint8_t bytes[32];
};

struct sign_key {
	struct sign_public public;
	uint8_t secret[64]; /* wiped by sign_key_release() */
};

/* SHA-256 of the len bytes, in lower case. */
void sign_hash(const void *bytes, size_t len,
	       char ret_hex[SIGN_HASH_CHARS_MAX]);

/* Its 32 bytes. -EINVAL: hex is no such hash. */
int sign_hash_parse(const char *hex, uint8_t ret_hash[32]);

/* The same of a whole file, from its beginning. -EFBIG: it has more than max
 * bytes; as read(2) says. */
int sign_hash_file(int fd, uint64_t max, char ret_hex[SIGN_HASH_CHARS_MAX]);

/* The first 16 digits of the hash of a key: to tell keys apart, no proof. */
void sign_id(const struct sign_public *public, char ret_id[SIGN_ID_CHARS_MAX]);

/*
 * The key in the file path. One is made if there is none: *ret_made says so.
 * The file has mode 0600 and is on the disk when this returns.
 *
 * 0: *ret_key is for sign_key_release(). -EUCLEAN: what is there is no such
 * key, or no regular file; -EKEYREVOKED: others may have read it, or
 * it is theirs; -ENOTSUP: the library cannot work here; as open(2), read(2),
 * write(2) and fsync(2) say.
 */
int sign_key_load(const char *path, struct sign_key *ret_key, bool *ret_made);
void sign_key_release(struct sign_key *key);

/* The public key as PEM, for a file of its own. */
void sign_public_pem(const struct sign_public *public,
		     char ret_pem[SIGN_PEM_CHARS_MAX]);

/* Back from PEM: all of text is one such key. 0, -EINVAL or -ENOTSUP. */
int sign_public_parse(const char *text, size_t len,
		      struct sign_public *ret_public);

/* The same of a file: -EUCLEAN if it is no such key. */
int sign_public_read(const char *path, struct sign_public *ret_public);

/* The public key as base64, for a line of a file. */
void sign_public_format(const struct sign_public *public,
			char ret_text[SIGN_PUBLIC_CHARS_MAX]);

/* Back. 0; -EINVAL: it is no such key, and none can be used as one. */
int sign_public_unformat(const char *text, struct sign_public *ret_public);

/* Signs the len bytes. */
void sign_make(const struct sign_key *key, const void *bytes, size_t len,
	       char ret_signature[SIGN_SIGNATURE_CHARS_MAX]);

/* Is it the key's signature of exactly these bytes? */
bool sign_check(const struct sign_public *public, const void *bytes, size_t len,
		const char *signature);

/*
 * For hashes of what has few values, which nobody can guess who has not the
 * key: HMAC-SHA-256. The key for a purpose is the same of purpose, by the
 * first 32 bytes of the secret key.
 */
struct sign_mac_key {
	uint8_t bytes[32];
};

void sign_mac_key(const struct sign_key *key, const char *purpose,
		  struct sign_mac_key *ret_key);
void sign_mac(const struct sign_mac_key *key, const void *bytes, size_t len,
	      char ret_hex[SIGN_HASH_CHARS_MAX]);

#endif
