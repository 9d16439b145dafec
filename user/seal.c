// SPDX-License-Identifier: GPL-2.0-only
#include "seal.h"
#include "sign_internal.h"

#include <errno.h>
#include <sodium.h>
#include <string.h>

/* Before the 32 bytes of an X25519 key in DER: RFC 8410, section 7. */
static const uint8_t secret_head[] = {0x30, 0x2e, 0x02, 0x01, 0x00, 0x30,
				      0x05, 0x06, 0x03, 0x2b, 0x65, 0x6e,
				      0x04, 0x22, 0x04, 0x20};
static const struct key_kind secret_kind = {"PRIVATE KEY", secret_head,
					    sizeof(secret_head)};

_Static_assert(sizeof(secret_head) <= KEY_HEAD_MAX, "size of a head");
_Static_assert(crypto_box_PUBLICKEYBYTES == KEY_BYTES &&
		       crypto_box_SECRETKEYBYTES == KEY_BYTES,
	       "size of a key");
_Static_assert(crypto_box_SEALBYTES == SEAL_EXTRA_BYTES, "size of a box");
_Static_assert(SEAL_TEXT_CHARS_MAX == SIGN_PUBLIC_CHARS_MAX, "size of a text");

int seal_key_load(const char *path, struct seal_key *ret_key, bool *ret_made)
{
	struct seal_key key;
	int r;

	r = key_file_load(path, &secret_kind, key.secret, ret_made);
	if (!r && crypto_scalarmult_base(key.public.bytes, key.secret))
		r = -EUCLEAN;
	if (!r)
		*ret_key = key;
	seal_key_release(&key);
	return r;
}

void seal_key_release(struct seal_key *key)
{
	sodium_memzero(key, sizeof(*key));
}

int seal_public_parse(const char *text, struct seal_public *ret_public)
{
	return key_unformat(text, ret_public->bytes);
}

void seal_public_format(const struct seal_public *public,
			char ret_text[SEAL_TEXT_CHARS_MAX])
{
	key_format(public->bytes, ret_text);
}

int seal_close(const struct seal_public *public, const void *bytes, size_t len,
	       void *ret_box)
{
	return crypto_box_seal(ret_box, bytes, len, public->bytes) ? -EINVAL
								   : 0;
}

int seal_open(const struct seal_key *key, const void *box, size_t len,
	      void *ret_bytes)
{
	if (len < SEAL_EXTRA_BYTES ||
	    crypto_box_seal_open(ret_bytes, box, len, key->public.bytes,
				 key->secret))
		return -EBADMSG;
	return 0;
}
