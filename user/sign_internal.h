/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Key files, which those of sign.h and of seal.h have in common: PEM around 32
 * bytes, after what says in DER which kind of key it is.
 */
#ifndef CORDON_SIGN_INTERNAL_H
#define CORDON_SIGN_INTERNAL_H

#include "sign.h"

#define KEY_BYTES 32

struct key_kind {
	const char *title; /* of the PEM */
	const uint8_t *head;
	size_t head_len; /* KEY_HEAD_MAX at most */
};
#define KEY_HEAD_MAX 16

/*
 * The secret key in the file path, a new one if there is none:
 * *ret_made says so. As sign_key_load(); key is to be wiped even if it failed.
 */
int key_file_load(const char *path, const struct key_kind *kind,
		  uint8_t key[KEY_BYTES], bool *ret_made);

/* Base64 of a key that can be told to others, and back: 0 or -EINVAL. */
void key_format(const uint8_t key[KEY_BYTES],
		char ret_text[SIGN_PUBLIC_CHARS_MAX]);
int key_unformat(const char *text, uint8_t ret_key[KEY_BYTES]);

#endif
