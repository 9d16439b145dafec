/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Trust anchors: whose signatures a host takes for its issuer's, and how many
 * of them it takes (cordon-trust(5)).
 */
#ifndef CORDON_TRUST_H
#define CORDON_TRUST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <jansson.h>

#include "minisign.h"
#include "policy.h"

#define CORDON_TRUST_FILE "/etc/cordon/trust.yaml"

#define TRUST_KEYS_MAX	     32
#define TRUST_FILE_BYTES_MAX 65536U
#define TRUST_SIGNATURES_MAX 32 /* of one file */
#define TRUST_WORDS_MAX	     1024
#define TRUST_FILE_CHARS_MAX 256

struct trust_key {
	char name[POLICY_NAME_CHARS_MAX + 1];
	struct minisign_public public;
	struct policy_pos pos;
	bool revoked; /* it signs nothing any more */
};

struct trust {
	char *issuer;
	uint64_t version;
	uint64_t threshold; /* different keys that have to sign, 1 at least */
	struct trust_key keys[TRUST_KEYS_MAX];
	size_t n;
	size_t able; /* of these, the first so many are not revoked */
	char sha256[SIGN_HASH_CHARS_MAX]; /* of the file */
};

/*
 * Parses the len bytes at buf. name stands for the file in error messages.
 * 0; -EINVAL and -E2BIG: errs has an entry; -ENOMEM.
 */
int trust_parse(const char *name, const void *buf, size_t len,
		struct trust **ret_trust, struct policy_errors *errs);

/* Takes NULL. */
void trust_free(struct trust *trust);

/* ---- files -------------------------------------------------------------- */

/* One of a file's signatures, and where it was found. */
struct trust_signature {
	char file[TRUST_FILE_CHARS_MAX]; /* for people; no directory */
	char text[MINISIGN_TEXT_MAX];	 /* "" if it is too long */
	/* Of minisign_signature_parse(); -EPERM: others can change it; 0: the
	 * next is one. */
	int error;
	struct minisign_signature signature;
};

/* A file with its signatures: the bytes that were signed, read once. */
struct trust_bundle {
	void *bytes; /* a NUL is behind them */
	size_t len;
	struct trust_signature *signatures;
	size_t n;
};

/*
 * Reads path, and as its signatures what lies beside it under the same name
 * with .minisig or .ANYTHING.minisig behind it. There may be none.
 *
 * 0, for trust_bundle_release(); as policy_read() of path, with errs; -EFBIG:
 * more than TRUST_SIGNATURES_MAX signatures, with an entry in errs; -ENOMEM.
 */
int trust_bundle_read(const char *path, struct trust_bundle *ret_bundle,
		      struct policy_errors *errs);

/*
 * The same of what lies where only root can have put it: see place.h, of which
 * -EPERM is, with an entry in errs. A signature that somebody else can change
 * counts as none.
 */
int trust_bundle_read_ours(const char *path, struct trust_bundle *ret_bundle,
			   struct policy_errors *errs);

/*
 * Puts the bundle of a file that was called base where path is, its signatures
 * beside it, and takes away what others lay there. The file last: until it is
 * there, the one before is. 0; as state_put_over().
 */
int trust_bundle_put(const char *path, const char *base,
		     const struct trust_bundle *bundle);

/* Takes path away, and its signatures. 0; as unlink(2) and fsync(2). */
int trust_bundle_remove(const char *path);

void trust_bundle_release(struct trust_bundle *bundle);

/*
 * The bundle as JSON, for json_decref(): {"policy":BYTES,"signatures":[...]},
 * whatever kind of file the bytes are. Signatures that are none are left out.
 * NULL: no memory, or the bytes are no UTF-8.
 */
json_t *trust_bundle_json(const struct trust_bundle *bundle);

/*
 * And back, for trust_bundle_release(); what else is in json is passed over.
 * -EUCLEAN: it is no bundle; -EFBIG: more than TRUST_SIGNATURES_MAX
 * signatures; -ENOMEM.
 */
int trust_bundle_from_json(const json_t *json, struct trust_bundle *ret_bundle);

/*
 * The same of the text in which a host keeps a policy for its next boot:
 * {"cordon":1,"serial":N,...}. Nobody has signed that serial: what counts is
 * the one in the bytes, once it is known who has signed these, or this one if
 * it is lower. Errors as above.
 */
int trust_bundle_parse(const char *text, size_t len,
		       struct trust_bundle *ret_bundle, uint64_t *ret_serial);

/* ---- signatures --------------------------------------------------------- */

enum trust_signer {
	TRUST_SIGNED,  /* and counts */
	TRUST_UNKNOWN, /* by a key that nobody here trusts */
	TRUST_REVOKED,
	TRUST_FORGED,	 /* a trusted key's, but not of these bytes */
	TRUST_AGAIN,	 /* by a key that has signed already */
	TRUST_MALFORMED, /* it is no signature */
};

/* What each of the signatures was found to be. */
struct trust_signers {
	size_t n;
	size_t good; /* TRUST_SIGNED */
	struct {
		enum trust_signer found;
		const struct trust_key *key; /* the trust's; NULL: none */
	} at[TRUST_SIGNATURES_MAX];
};

/* Is that enough? *ret_signers is filled in whatever it is. */
bool trust_check(const struct trust *trust,
		 const struct trust_signature *signatures, size_t n,
		 const void *bytes, size_t len,
		 struct trust_signers *ret_signers);

/*
 * The same keys, of which none is revoked: by them is known what was signed
 * before. The issuer's name stays the other's.
 */
struct trust trust_with_revoked(const struct trust *trust);

/* `1 of 2 signatures; 2 of the keys of ... have to sign it'. */
void trust_summary(const struct trust *trust,
		   const struct trust_signers *signers, char *buf, size_t size);

/*
 * The same with what is wrong with each: one line, without the name of what was
 * signed. Cut at size, TRUST_WORDS_MAX suffices.
 */
void trust_words(const struct trust *trust,
		 const struct trust_signature *signatures,
		 const struct trust_signers *signers, char *buf, size_t size);

/*
 * May `next', which is in the bundle, take the place of `old'? It has to be the
 * next version, of the same issuer, has to have every key of the old ones, if
 * only as revoked, and as many of the old keys, and of its own, have to have
 * signed it as either takes. What of them have signed is in
 * *ret_signers: by the old keys, for who is not among these by the new ones.
 * 0; -ENOKEY: too few have signed; -EPERM; then buf tells why.
 */
int trust_succeeds(const struct trust *old, const struct trust *next,
		   const struct trust_bundle *bundle,
		   struct trust_signers *ret_signers, char *buf, size_t size);

/* `signed', `unknown', `revoked', `forged', `again', `malformed'. */
const char *trust_signer_name(enum trust_signer signer);

#endif
