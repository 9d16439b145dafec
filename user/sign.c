// SPDX-License-Identifier: GPL-2.0-only
#include "sign.h"
#include "sign_internal.h"
#include "state.h"

#include <errno.h>
#include <fcntl.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/*
 * What stands before the 32 bytes of an Ed25519 key in DER: RFC 8410, sections
 * 4 and 7. Nothing in it ever differs.
 */
static const uint8_t public_head[] = {0x30, 0x2a, 0x30, 0x05, 0x06, 0x03,
				      0x2b, 0x65, 0x70, 0x03, 0x21, 0x00};
static const uint8_t secret_head[] = {0x30, 0x2e, 0x02, 0x01, 0x00, 0x30,
				      0x05, 0x06, 0x03, 0x2b, 0x65, 0x70,
				      0x04, 0x22, 0x04, 0x20};

static const struct key_kind public_kind = {"PUBLIC KEY", public_head,
					    sizeof(public_head)};
static const struct key_kind secret_kind = {"PRIVATE KEY", secret_head,
					    sizeof(secret_head)};

#define DER_MAX (KEY_HEAD_MAX + KEY_BYTES)

_Static_assert(sizeof(secret_head) <= KEY_HEAD_MAX, "size of a head");
_Static_assert(sodium_base64_ENCODED_LEN(KEY_BYTES,
					 sodium_base64_VARIANT_ORIGINAL) ==
		       SIGN_PUBLIC_CHARS_MAX,
	       "size of a key as base64");
_Static_assert(crypto_sign_PUBLICKEYBYTES ==
		       sizeof(((struct sign_public *)NULL)->bytes),
	       "size of a public key");
_Static_assert(crypto_sign_SECRETKEYBYTES ==
		       sizeof(((struct sign_key *)NULL)->secret),
	       "size of a secret key");
_Static_assert(sodium_base64_ENCODED_LEN(crypto_sign_BYTES,
					 sodium_base64_VARIANT_ORIGINAL) ==
		       SIGN_SIGNATURE_CHARS_MAX,
	       "size of a signature");

void sign_hash(const void *bytes, size_t len, char ret_hex[SIGN_HASH_CHARS_MAX])
{
	uint8_t hash[crypto_hash_sha256_BYTES];

	(void)crypto_hash_sha256(hash, bytes, len);
	(void)sodium_bin2hex(ret_hex, SIGN_HASH_CHARS_MAX, hash, sizeof(hash));
}

int sign_hash_parse(const char *hex, uint8_t ret_hash[32])
{
	uint8_t hash[crypto_hash_sha256_BYTES];
	size_t len = 0;

	if (strlen(hex) != SIGN_HASH_CHARS_MAX - 1 ||
	    sodium_hex2bin(hash, sizeof(hash), hex, strlen(hex), NULL, &len,
			   NULL) ||
	    len != sizeof(hash))
		return -EINVAL;
	memcpy(ret_hash, hash, sizeof(hash));
	return 0;
}

int sign_hash_file(int fd, uint64_t max, char ret_hex[SIGN_HASH_CHARS_MAX])
{
	uint8_t hash[crypto_hash_sha256_BYTES], some[16384];
	crypto_hash_sha256_state state;
	uint64_t at = 0;
	ssize_t n;

	(void)crypto_hash_sha256_init(&state);
	while ((n = pread(fd, some, sizeof(some), (off_t)at)) > 0) {
		at += (uint64_t)n;
		if (at > max)
			return -EFBIG;
		(void)crypto_hash_sha256_update(&state, some, (size_t)n);
	}
	if (n < 0)
		return -errno;
	(void)crypto_hash_sha256_final(&state, hash);
	(void)sodium_bin2hex(ret_hex, SIGN_HASH_CHARS_MAX, hash, sizeof(hash));
	return 0;
}

void sign_id(const struct sign_public *public, char ret_id[SIGN_ID_CHARS_MAX])
{
	char hash[SIGN_HASH_CHARS_MAX];

	sign_hash(public->bytes, sizeof(public->bytes), hash);
	memcpy(ret_id, hash, SIGN_ID_CHARS_MAX - 1);
	ret_id[SIGN_ID_CHARS_MAX - 1] = '\0';
}

/* ---- PEM ---------------------------------------------------------------- */

static void to_pem(const struct key_kind *kind, const uint8_t key[KEY_BYTES],
		   char ret_pem[SIGN_PEM_CHARS_MAX])
{
	char text[sodium_base64_ENCODED_LEN(DER_MAX,
					    sodium_base64_VARIANT_ORIGINAL)];
	uint8_t der[DER_MAX];

	memcpy(der, kind->head, kind->head_len);
	memcpy(der + kind->head_len, key, KEY_BYTES);
	(void)sodium_bin2base64(text, sizeof(text), der,
				kind->head_len + KEY_BYTES,
				sodium_base64_VARIANT_ORIGINAL);
	(void)snprintf(ret_pem, SIGN_PEM_CHARS_MAX,
		       "-----BEGIN %s-----\n%s\n-----END %s-----\n",
		       kind->title, text, kind->title);
	sodium_memzero(text, sizeof(text));
	sodium_memzero(der, sizeof(der));
}

/*
 * There is one way to write each key. So what does not come out the same again
 * is none.
 */
static int from_pem(const struct key_kind *kind, const char *text, size_t len,
		    uint8_t ret_key[KEY_BYTES])
{
	char begin[64], again[SIGN_PEM_CHARS_MAX];
	uint8_t der[DER_MAX];
	size_t skip, n = 0;
	int r = -EINVAL;

	skip = (size_t)snprintf(begin, sizeof(begin), "-----BEGIN %s-----\n",
				kind->title);
	if (len < skip || len >= sizeof(again) ||
	    memcmp(text, begin, skip) != 0)
		return -EINVAL;
	/* It stops at the `-' of the end, or at what is wrong. */
	if (sodium_base642bin(der, sizeof(der), text + skip, len - skip, "\n",
			      &n, &(const char *){NULL},
			      sodium_base64_VARIANT_ORIGINAL) == 0 &&
	    n == kind->head_len + KEY_BYTES) {
		to_pem(kind, der + kind->head_len, again);
		if (strlen(again) == len && memcmp(again, text, len) == 0) {
			memcpy(ret_key, der + kind->head_len, KEY_BYTES);
			r = 0;
		}
		sodium_memzero(again, sizeof(again));
	}
	sodium_memzero(der, sizeof(der));
	return r;
}

void sign_public_pem(const struct sign_public *public,
		     char ret_pem[SIGN_PEM_CHARS_MAX])
{
	to_pem(&public_kind, public->bytes, ret_pem);
}

int sign_public_parse(const char *text, size_t len,
		      struct sign_public *ret_public)
{
	if (sodium_init() < 0)
		return -ENOTSUP;
	return from_pem(&public_kind, text, len, ret_public->bytes);
}

int sign_public_read(const char *path, struct sign_public *ret_public)
{
	char *text = NULL;
	size_t len;
	int r;

	r = state_get(path, SIGN_PEM_CHARS_MAX, &text, &len);
	if (r)
		return r == -EFBIG ? -EUCLEAN : r;
	r = sign_public_parse(text, len, ret_public);
	free(text);
	return r == -EINVAL ? -EUCLEAN : r;
}

void key_format(const uint8_t key[KEY_BYTES],
		char ret_text[SIGN_PUBLIC_CHARS_MAX])
{
	(void)sodium_bin2base64(ret_text, SIGN_PUBLIC_CHARS_MAX, key, KEY_BYTES,
				sodium_base64_VARIANT_ORIGINAL);
}

int key_unformat(const char *text, uint8_t ret_key[KEY_BYTES])
{
	uint8_t key[KEY_BYTES];
	size_t n = 0;

	if (sodium_base642bin(key, sizeof(key), text, strlen(text), NULL, &n,
			      NULL, sodium_base64_VARIANT_ORIGINAL) ||
	    n != sizeof(key))
		return -EINVAL;
	memcpy(ret_key, key, sizeof(key));
	return 0;
}

void sign_public_format(const struct sign_public *public,
			char ret_text[SIGN_PUBLIC_CHARS_MAX])
{
	key_format(public->bytes, ret_text);
}

int sign_public_unformat(const char *text, struct sign_public *ret_public)
{
	struct sign_public public;
	int r;

	r = key_unformat(text, public.bytes);
	if (r)
		return r;
	if (!crypto_core_ed25519_is_valid_point(public.bytes))
		return -EINVAL;
	*ret_public = public;
	return 0;
}

/* ---- the secret key ----------------------------------------------------- */

/* Others may have read it, or have put it there. */
static int check_mode(int fd)
{
	struct stat st;

	if (fstat(fd, &st) < 0)
		return -errno;
	if (!S_ISREG(st.st_mode))
		return -EUCLEAN;
	return st.st_mode & (S_IRWXG | S_IRWXO) || st.st_uid != geteuid()
		       ? -EKEYREVOKED
		       : 0;
}

static int key_read(const char *path, const struct key_kind *kind,
		    uint8_t key[KEY_BYTES])
{
	char text[SIGN_PEM_CHARS_MAX];
	ssize_t n;
	int fd, r;

	fd = open(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	if (fd < 0)
		return errno == ELOOP ? -EUCLEAN : -errno;
	r = check_mode(fd);
	n = r ? 0 : read(fd, text, sizeof(text));
	if (n < 0)
		r = -errno;
	(void)close(fd);
	if (!r)
		r = from_pem(kind, text, (size_t)n, key);
	sodium_memzero(text, sizeof(text));
	return r == -EINVAL ? -EUCLEAN : r;
}

static int key_make(const char *path, const struct key_kind *kind,
		    const uint8_t key[KEY_BYTES])
{
	char pem[SIGN_PEM_CHARS_MAX];
	int r;

	to_pem(kind, key, pem);
	r = state_put(path, pem, strlen(pem));
	sodium_memzero(pem, sizeof(pem));
	return r;
}

int key_file_load(const char *path, const struct key_kind *kind,
		  uint8_t key[KEY_BYTES], bool *ret_made)
{
	int r;

	if (sodium_init() < 0)
		return -ENOTSUP;
	r = key_read(path, kind, key);
	if (r != -ENOENT) {
		if (!r)
			*ret_made = false;
		return r;
	}
	randombytes_buf(key, KEY_BYTES);
	r = key_make(path, kind, key);
	if (!r)
		*ret_made = true;
	return r;
}

int sign_key_load(const char *path, struct sign_key *ret_key, bool *ret_made)
{
	uint8_t seed[KEY_BYTES];
	int r;

	r = key_file_load(path, &secret_kind, seed, ret_made);
	if (!r)
		(void)crypto_sign_seed_keypair(ret_key->public.bytes,
					       ret_key->secret, seed);
	sodium_memzero(seed, sizeof(seed));
	return r;
}

void sign_key_release(struct sign_key *key)
{
	sodium_memzero(key, sizeof(*key));
}

/* ---- signatures --------------------------------------------------------- */

void sign_make(const struct sign_key *key, const void *bytes, size_t len,
	       char ret_signature[SIGN_SIGNATURE_CHARS_MAX])
{
	uint8_t signature[crypto_sign_BYTES];

	(void)crypto_sign_detached(signature, NULL, bytes, len, key->secret);
	(void)sodium_bin2base64(ret_signature, SIGN_SIGNATURE_CHARS_MAX,
				signature, sizeof(signature),
				sodium_base64_VARIANT_ORIGINAL);
}

bool sign_check(const struct sign_public *public, const void *bytes, size_t len,
		const char *signature)
{
	uint8_t raw[crypto_sign_BYTES];
	size_t n = 0;

	if (sodium_base642bin(raw, sizeof(raw), signature, strlen(signature),
			      NULL, &n, NULL, sodium_base64_VARIANT_ORIGINAL) ||
	    n != sizeof(raw))
		return false;
	return crypto_sign_verify_detached(raw, bytes, len, public->bytes) == 0;
}

/* ---- keyed hashes ------------------------------------------------------- */

static void mac(const uint8_t *key, size_t key_len, const void *bytes,
		size_t len, uint8_t ret_mac[crypto_auth_hmacsha256_BYTES])
{
	crypto_auth_hmacsha256_state state;

	(void)crypto_auth_hmacsha256_init(&state, key, key_len);
	(void)crypto_auth_hmacsha256_update(&state, bytes, len);
	(void)crypto_auth_hmacsha256_final(&state, ret_mac);
	sodium_memzero(&state, sizeof(state));
}

void sign_mac_key(const struct sign_key *key, const char *purpose,
		  struct sign_mac_key *ret_key)
{
	_Static_assert(sizeof(ret_key->bytes) == crypto_auth_hmacsha256_BYTES,
		       "size of a key");
	mac(key->secret, KEY_BYTES, purpose, strlen(purpose), ret_key->bytes);
}

void sign_mac(const struct sign_mac_key *key, const void *bytes, size_t len,
	      char ret_hex[SIGN_HASH_CHARS_MAX])
{
	uint8_t hash[crypto_auth_hmacsha256_BYTES];

	mac(key->bytes, sizeof(key->bytes), bytes, len, hash);
	(void)sodium_bin2hex(ret_hex, SIGN_HASH_CHARS_MAX, hash, sizeof(hash));
}
