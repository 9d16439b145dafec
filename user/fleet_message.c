// SPDX-License-Identifier: GPL-2.0-only
#include "fleet_message_internal.h"

#include <errno.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "text.h"

/* ---- names -------------------------------------------------------------- */

void fleet_id(const struct sign_public *public, char ret_id[FLEET_ID_CHARS_MAX])
{
	char hash[SIGN_HASH_CHARS_MAX];

	sign_hash(public->bytes, sizeof(public->bytes), hash);
	memcpy(ret_id, hash, FLEET_ID_CHARS_MAX - 1);
	ret_id[FLEET_ID_CHARS_MAX - 1] = '\0';
}

void fleet_nonce(char ret_nonce[FLEET_NONCE_CHARS_MAX])
{
	uint8_t bytes[FLEET_NONCE_CHARS_MAX / 2];

	randombytes_buf(bytes, sizeof(bytes));
	(void)sodium_bin2hex(ret_nonce, FLEET_NONCE_CHARS_MAX, bytes,
			     sizeof(bytes));
}

bool fleet_is_hex(const char *text, size_t digits)
{
	return strlen(text) == digits &&
	       strspn(text, "0123456789abcdef") == digits;
}

bool fleet_take_text(const char *text, char *ret_text, size_t size)
{
	size_t len = strlen(text);

	if (len >= size || !text_is_clean(text, len, ""))
		return false;
	memcpy(ret_text, text, len + 1);
	return true;
}

int fleet_check_host(const char *host, const char *id, const char *name,
		     const struct sign_public *public)
{
	char want[FLEET_ID_CHARS_MAX];

	if (!fleet_is_name(host, strlen(host)) ||
	    !fleet_is_hex(id, FLEET_ID_CHARS_MAX - 1))
		return -EBADMSG;
	fleet_id(public, want);
	return strcmp(host, name) == 0 && strcmp(id, want) == 0 ? 0 : -EXDEV;
}

/* ---- JSON --------------------------------------------------------------- */

/*
 * A byte of text can become a hundred of memory: `{}' is a table. So members
 * and elements are counted before anything is made of them.
 */
static bool is_small(const char *text, size_t len, size_t max)
{
	bool quoted = false;
	size_t n = 0;

	for (size_t i = 0; i < len; i++) {
		if (quoted && text[i] == '\\')
			i++;
		else if (text[i] == '"')
			quoted = !quoted;
		else if (!quoted && strchr("{[,", text[i]) && text[i] &&
			 ++n > max)
			return false;
	}
	return true;
}

int fleet_json(const char *text, size_t len, size_t max, json_t **ret_object)
{
	json_error_t error;
	json_t *object;

	if (!is_small(text, len, max))
		return -EBADMSG;
	object = json_loadb(text, len, JSON_REJECT_DUPLICATES, &error);
	if (!object)
		return json_error_code(&error) == json_error_out_of_memory
			       ? -ENOMEM
			       : -EBADMSG;
	if (!json_is_object(object)) {
		json_decref(object);
		return -EBADMSG;
	}
	*ret_object = object;
	return 0;
}

/* ---- boxes -------------------------------------------------------------- */

/*
 * A body stands behind room for its signature and a newline, and what is signed
 * before it is no longer than these, so that it is copied nowhere.
 */
#define PREFIX_CHARS_MAX 64

_Static_assert(PREFIX_CHARS_MAX <= FLEET_SIGNED_BYTES, "room for the prefix");
_Static_assert(sizeof(FLEET_REPORT_DOMAIN) + SEAL_TEXT_CHARS_MAX <
		       PREFIX_CHARS_MAX,
	       "size of the prefix");

int fleet_body_new(size_t len, struct fleet_body *ret_body)
{
	char *buffer = malloc(FLEET_SIGNED_BYTES + len + 1);

	if (!buffer)
		return -ENOMEM;
	ret_body->buffer = buffer;
	ret_body->text = buffer + FLEET_SIGNED_BYTES;
	ret_body->text[len] = '\0';
	ret_body->len = len;
	return 0;
}

/* Where the bytes begin that are signed; the signature's place is used. */
static const char *put_prefix(struct fleet_body *body, const char *domain,
			      const struct seal_public *force, size_t *ret_len)
{
	char prefix[PREFIX_CHARS_MAX], seal[SEAL_TEXT_CHARS_MAX];
	size_t n;

	seal_public_format(force, seal);
	n = (size_t)snprintf(prefix, sizeof(prefix), "%s\n%s\n", domain, seal);
	memcpy(body->text - n, prefix, n);
	*ret_len = n + body->len;
	return body->text - n;
}

int fleet_body_close(struct fleet_body *body, const char *domain,
		     const struct sign_key *key,
		     const struct seal_public *force, void **ret_box,
		     size_t *ret_len)
{
	size_t len = FLEET_SIGNED_BYTES + body->len, signed_len;
	char signature[SIGN_SIGNATURE_CHARS_MAX];
	const char *from;
	void *box;
	int r;

	from = put_prefix(body, domain, force, &signed_len);
	sign_make(key, from, signed_len, signature);
	signature[SIGN_SIGNATURE_CHARS_MAX - 1] = '\n';
	memcpy(body->buffer, signature, FLEET_SIGNED_BYTES);
	box = malloc(len + SEAL_EXTRA_BYTES);
	if (!box)
		return -ENOMEM;
	r = seal_close(force, body->buffer, len, box);
	if (r) {
		free(box);
		return r;
	}
	*ret_box = box;
	*ret_len = len + SEAL_EXTRA_BYTES;
	return 0;
}

static int check_signature(struct fleet_body *body, const char *domain,
			   const struct seal_public *force,
			   const struct sign_public *host)
{
	char signature[SIGN_SIGNATURE_CHARS_MAX];
	const char *from;
	size_t len;

	memcpy(signature, body->buffer, FLEET_SIGNED_BYTES);
	if (signature[SIGN_SIGNATURE_CHARS_MAX - 1] != '\n')
		return -EBADMSG;
	signature[SIGN_SIGNATURE_CHARS_MAX - 1] = '\0';
	from = put_prefix(body, domain, force, &len);
	return sign_check(host, from, len, signature) ? 0 : -EACCES;
}

int fleet_body_open(const void *box, size_t len, size_t max, const char *domain,
		    const struct seal_key *force,
		    const struct sign_public *host, struct fleet_body *ret_body)
{
	struct fleet_body body;
	int r;

	if (len > max)
		return -EMSGSIZE;
	if (len < FLEET_SIGNED_BYTES + SEAL_EXTRA_BYTES)
		return -EBADMSG;
	r = fleet_body_new(len - FLEET_SIGNED_BYTES - SEAL_EXTRA_BYTES, &body);
	if (r)
		return r;
	r = seal_open(force, box, len, body.buffer);
	if (!r)
		r = check_signature(&body, domain, &force->public, host);
	if (r) {
		free(body.buffer);
		return r;
	}
	*ret_body = body;
	return 0;
}
