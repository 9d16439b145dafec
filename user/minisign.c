// SPDX-License-Identifier: GPL-2.0-only
#include "minisign.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sodium.h>

#include "text.h"

#define SIGNED	   "Ed" /* the algorithm of a key, */
#define HASHED	   "ED" /* and of a signature of a hash */
#define SCRYPT	   "Sc"
#define BLAKE2B	   "B2"
#define HASH_BYTES 64
/* What minisign(1) asks for; who gives us a key file asks for no more. */
#define OPS_MAX crypto_pwhash_scryptsalsa208sha256_OPSLIMIT_SENSITIVE
#define MEM_MAX crypto_pwhash_scryptsalsa208sha256_MEMLIMIT_SENSITIVE

#define COMMENT "untrusted comment: "
#define TRUSTED "trusted comment: "

/* As they lie in the base64. */
struct public_blob {
	char algorithm[2];
	struct minisign_public public;
};

struct signature_blob {
	char algorithm[2];
	uint8_t id[8];
	uint8_t bytes[64];
};

/* What a password hides. */
struct secret_blob {
	uint8_t id[8];
	uint8_t secret[64];
	uint8_t check[32];
};

struct key_blob {
	char algorithm[2];
	char kdf[2]; /* SCRYPT, or two NULs: it is not hidden */
	char checked_by[2];
	uint8_t salt[32];
	uint8_t ops[8]; /* little endian, as the next one */
	uint8_t mem[8];
	struct secret_blob hidden;
};

_Static_assert(sizeof(struct public_blob) == 42, "size of a public key");
_Static_assert(sizeof(struct signature_blob) == 74, "size of a signature");
_Static_assert(sizeof(struct key_blob) == 158, "size of a secret key");

int minisign_init(void)
{
	return sodium_init() < 0 ? -ENOTSUP : 0;
}

void *minisign_secret_new(size_t size)
{
	void *secret = sodium_malloc(size);

	if (secret)
		sodium_memzero(secret, size);
	return secret;
}

void minisign_secret_free(void *secret)
{
	sodium_free(secret);
}

/* ---- lines -------------------------------------------------------------- */

/*
 * The next line of *text, without its end, into buf; *len is what is left. What
 * minisign writes on Windows ends in CR as well. False: there is none, or it
 * does not fit, or has a NUL in it.
 */
static bool take_line(const char **text, size_t *len, char *buf, size_t size)
{
	const char *end = memchr(*text, '\n', *len);
	size_t n = end ? (size_t)(end - *text) : *len;
	size_t used = end ? n + 1 : n;

	if (!*len)
		return false;
	if (n && (*text)[n - 1] == '\r')
		n--;
	if (n >= size || memchr(*text, '\0', n))
		return false;
	memcpy(buf, *text, n);
	buf[n] = '\0';
	*text += used;
	*len -= used;
	return true;
}

/* What is behind the prefix in the next line: it is shown to people. */
static bool take_comment(const char **text, size_t *len, const char *prefix,
			 char *ret_comment, size_t size)
{
	size_t skip = strlen(prefix);
	char line[MINISIGN_COMMENT_MAX + sizeof(COMMENT)];

	if (!take_line(text, len, line, sizeof(line)) ||
	    strncmp(line, prefix, skip) != 0 || strlen(line + skip) >= size ||
	    !text_is_clean(line + skip, strlen(line + skip), "\t"))
		return false;
	(void)strcpy(ret_comment, line + skip);
	return true;
}

/* Exactly size bytes in base64. */
static bool from_base64(const char *text, void *blob, size_t size)
{
	size_t n = 0;

	return !sodium_base642bin(blob, size, text, strlen(text), NULL, &n,
				  NULL, sodium_base64_VARIANT_ORIGINAL) &&
	       n == size;
}

/* By way of line, where a secret key is to be in no other memory. */
static bool take_base64(const char **text, size_t *len,
			char line[MINISIGN_TEXT_MAX], void *blob, size_t size)
{
	return take_line(text, len, line, MINISIGN_TEXT_MAX) &&
	       from_base64(line, blob, size);
}

static void to_base64(const void *blob, size_t size, char *text, size_t room)
{
	(void)sodium_bin2base64(text, room, blob, size,
				sodium_base64_VARIANT_ORIGINAL);
}

/* ---- public keys -------------------------------------------------------- */

int minisign_public_parse(const char *text, struct minisign_public *ret_public)
{
	struct public_blob blob;

	if (!from_base64(text, &blob, sizeof(blob)) ||
	    memcmp(blob.algorithm, SIGNED, sizeof(blob.algorithm)) != 0)
		return -EINVAL;
	*ret_public = blob.public;
	return 0;
}

void minisign_public_format(const struct minisign_public *public,
			    char ret_text[MINISIGN_PUBLIC_MAX])
{
	struct public_blob blob = {.public = *public};

	memcpy(blob.algorithm, SIGNED, sizeof(blob.algorithm));
	to_base64(&blob, sizeof(blob), ret_text, MINISIGN_PUBLIC_MAX);
}

void minisign_id_format(const uint8_t id[8], char ret_text[MINISIGN_ID_MAX])
{
	for (int i = 0; i < 8; i++)
		(void)snprintf(ret_text + 2 * (size_t)i, 3, "%02X", id[7 - i]);
}

/* ---- signatures --------------------------------------------------------- */

int minisign_signature_parse(const char *text, size_t len,
			     struct minisign_signature *ret_signature)
{
	char comment[MINISIGN_COMMENT_MAX], line[MINISIGN_TEXT_MAX];
	struct signature_blob blob;

	if (!take_comment(&text, &len, COMMENT, comment, sizeof(comment)) ||
	    !take_base64(&text, &len, line, &blob, sizeof(blob)) ||
	    !take_comment(&text, &len, TRUSTED, ret_signature->comment,
			  sizeof(ret_signature->comment)) ||
	    !take_base64(&text, &len, line, ret_signature->global,
			 sizeof(ret_signature->global)) ||
	    len)
		return -EINVAL;
	if (memcmp(blob.algorithm, SIGNED, sizeof(blob.algorithm)) == 0)
		return -ENOTSUP;
	if (memcmp(blob.algorithm, HASHED, sizeof(blob.algorithm)) != 0)
		return -EINVAL;
	memcpy(ret_signature->id, blob.id, sizeof(blob.id));
	memcpy(ret_signature->bytes, blob.bytes, sizeof(blob.bytes));
	return 0;
}

static void hash_of(const void *bytes, size_t len, uint8_t hash[HASH_BYTES])
{
	(void)crypto_generichash(hash, HASH_BYTES, bytes, len, NULL, 0);
}

/* What the second signature is of. Returns its length. */
static size_t global_of(const uint8_t signature[64], const char *comment,
			uint8_t buf[64 + MINISIGN_COMMENT_MAX])
{
	/* No NUL is signed. */
	size_t len = strnlen(comment, MINISIGN_COMMENT_MAX);

	memcpy(buf, signature, 64);
	for (size_t i = 0; i < len; i++)
		buf[64 + i] = (uint8_t)comment[i];
	return 64 + len;
}

bool minisign_check(const struct minisign_public *public,
		    const struct minisign_signature *signature,
		    const void *bytes, size_t len)
{
	uint8_t hash[HASH_BYTES], all[64 + MINISIGN_COMMENT_MAX];
	size_t n = global_of(signature->bytes, signature->comment, all);

	hash_of(bytes, len, hash);
	return memcmp(public->id, signature->id, sizeof(public->id)) == 0 &&
	       !crypto_sign_verify_detached(signature->bytes, hash,
					    sizeof(hash), public->key) &&
	       !crypto_sign_verify_detached(signature->global, all, n,
					    public->key);
}

static bool is_line(const char *text)
{
	for (; *text; text++)
		if ((unsigned char)*text < ' ' || *text == '\177')
			return false;
	return true;
}

int minisign_make(const struct minisign_key *key, const void *bytes, size_t len,
		  const char *comment, char ret_text[MINISIGN_TEXT_MAX])
{
	uint8_t hash[HASH_BYTES], global[64], all[64 + MINISIGN_COMMENT_MAX];
	char first[128], second[128], id[MINISIGN_ID_MAX];
	struct signature_blob blob = {0};

	if (strlen(comment) >= MINISIGN_COMMENT_MAX || !is_line(comment))
		return -EINVAL;
	hash_of(bytes, len, hash);
	memcpy(blob.algorithm, HASHED, sizeof(blob.algorithm));
	memcpy(blob.id, key->public.id, sizeof(blob.id));
	(void)crypto_sign_detached(blob.bytes, NULL, hash, sizeof(hash),
				   key->secret);
	(void)crypto_sign_detached(global, NULL, all,
				   global_of(blob.bytes, comment, all),
				   key->secret);
	to_base64(&blob, sizeof(blob), first, sizeof(first));
	to_base64(global, sizeof(global), second, sizeof(second));
	minisign_id_format(blob.id, id);
	(void)snprintf(ret_text, MINISIGN_TEXT_MAX,
		       COMMENT "signature of the key %s\n%s\n" TRUSTED
			       "%s\n%s\n",
		       id, first, comment, second);
	return 0;
}

/* ---- secret keys -------------------------------------------------------- */

void minisign_key_new(struct minisign_key *ret_key)
{
	randombytes_buf(ret_key->public.id, sizeof(ret_key->public.id));
	(void)crypto_sign_keypair(ret_key->public.key, ret_key->secret);
}

static void put_le64(uint64_t value, uint8_t bytes[8])
{
	for (int i = 0; i < 8; i++)
		bytes[i] = (uint8_t)(value >> 8 * i);
}

static uint64_t get_le64(const uint8_t bytes[8])
{
	uint64_t value = 0;

	for (int i = 7; i >= 0; i--)
		value = value << 8 | bytes[i];
	return value;
}

/* What a secret key is on its way to and from its file. */
struct opened {
	struct key_blob blob;
	uint8_t stream[sizeof(struct secret_blob)];
	char line[MINISIGN_TEXT_MAX];
};

/* Hides what is plain, and shows what is hidden. */
static int mask(struct opened *opened, const char *password)
{
	struct key_blob *blob = &opened->blob;
	uint8_t *hidden = (uint8_t *)&blob->hidden, *stream = opened->stream;
	int r;

	r = crypto_pwhash_scryptsalsa208sha256(
		stream, sizeof(opened->stream), password, strlen(password),
		blob->salt, get_le64(blob->ops), (size_t)get_le64(blob->mem));
	for (size_t i = 0; !r && i < sizeof(opened->stream); i++)
		hidden[i] ^= stream[i];
	return r ? -ENOMEM : 0;
}

static void check_of(const struct key_blob *blob, uint8_t check[32])
{
	crypto_generichash_state state;

	(void)crypto_generichash_init(&state, NULL, 0, 32);
	(void)crypto_generichash_update(&state,
					(const uint8_t *)blob->algorithm,
					sizeof(blob->algorithm));
	(void)crypto_generichash_update(&state, blob->hidden.id,
					sizeof(blob->hidden.id));
	(void)crypto_generichash_update(&state, blob->hidden.secret,
					sizeof(blob->hidden.secret));
	(void)crypto_generichash_final(&state, check, 32);
}

int minisign_key_lock(const struct minisign_key *key, const char *password,
		      char ret_text[MINISIGN_TEXT_MAX])
{
	struct opened *opened = minisign_secret_new(sizeof(*opened));
	struct key_blob *blob = &opened->blob;
	char id[MINISIGN_ID_MAX];
	int r = 0;

	if (!opened)
		return -ENOMEM;
	memcpy(blob->algorithm, SIGNED, sizeof(blob->algorithm));
	memcpy(blob->checked_by, BLAKE2B, sizeof(blob->checked_by));
	memcpy(blob->hidden.id, key->public.id, sizeof(blob->hidden.id));
	memcpy(blob->hidden.secret, key->secret, sizeof(blob->hidden.secret));
	check_of(blob, blob->hidden.check);
	if (password[0]) {
		memcpy(blob->kdf, SCRYPT, sizeof(blob->kdf));
		randombytes_buf(blob->salt, sizeof(blob->salt));
		put_le64(OPS_MAX, blob->ops);
		put_le64(MEM_MAX, blob->mem);
		r = mask(opened, password);
	}
	if (!r) {
		minisign_id_format(key->public.id, id);
		to_base64(blob, sizeof(*blob), opened->line,
			  sizeof(opened->line));
		(void)snprintf(ret_text, MINISIGN_TEXT_MAX,
			       COMMENT "secret key %s of cordon\n%.256s\n", id,
			       opened->line);
	}
	minisign_secret_free(opened);
	return r;
}

static int key_parse(const char *text, size_t len, struct opened *opened)
{
	static const char plain[2];
	const struct key_blob *blob = &opened->blob;
	char comment[MINISIGN_COMMENT_MAX];

	if (!take_comment(&text, &len, COMMENT, comment, sizeof(comment)) ||
	    !take_base64(&text, &len, opened->line, &opened->blob,
			 sizeof(opened->blob)) ||
	    len || memcmp(blob->algorithm, SIGNED, 2) != 0 ||
	    memcmp(blob->checked_by, BLAKE2B, 2) != 0 ||
	    (memcmp(blob->kdf, SCRYPT, 2) != 0 &&
	     memcmp(blob->kdf, plain, 2) != 0) ||
	    get_le64(blob->ops) > OPS_MAX || get_le64(blob->mem) > MEM_MAX)
		return -EINVAL;
	return 0;
}

bool minisign_key_locked(const char *text, size_t len)
{
	struct opened *opened = minisign_secret_new(sizeof(*opened));
	bool locked = opened && !key_parse(text, len, opened) &&
		      opened->blob.kdf[0];

	minisign_secret_free(opened);
	return locked;
}

int minisign_key_unlock(const char *text, size_t len, const char *password,
			struct minisign_key *ret_key)
{
	struct opened *opened = minisign_secret_new(sizeof(*opened));
	const struct secret_blob *hidden = &opened->blob.hidden;
	uint8_t check[32];
	int r;

	if (!opened)
		return -ENOMEM;
	r = key_parse(text, len, opened);
	if (!r && opened->blob.kdf[0])
		r = mask(opened, password);
	if (!r && opened->blob.kdf[0]) {
		check_of(&opened->blob, check);
		if (sodium_memcmp(check, hidden->check, sizeof(check)) != 0)
			r = -EACCES;
	}
	if (!r) {
		memcpy(ret_key->public.id, hidden->id,
		       sizeof(ret_key->public.id));
		memcpy(ret_key->secret, hidden->secret,
		       sizeof(ret_key->secret));
		(void)crypto_sign_ed25519_sk_to_pk(ret_key->public.key,
						   ret_key->secret);
	}
	minisign_secret_free(opened);
	return r;
}
