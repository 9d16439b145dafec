/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What a host and its force say to each other, through a broker that neither
 * trusts: it sees who speaks when, and how much, and can hold back, repeat or
 * reorder what was said, but not read, change or make up any of it.
 *
 *	policy	force to host, signed by the issuer's people: as a policy is
 *		kept for a boot, {"cordon":1,"serial":N,"policy":TEXT,
 *		"signatures":[{"file":NAME,"text":TEXT},...]}, and beside that
 *		or alone "act", {"policy":TEXT,"signatures":[...]}, and "trust",
 *		a list of such with "version":N, as trust_bundle_json() makes
 *		all of them
 *	report	host to force, a part of its evidence log: a box for the
 *		force's sealing key
 *	ask	force to host, not signed: {"cordon":1,"nonce":HEX,
 *		"have":{HOST:{"seq":N,"hash":HEX},...}}, "have" may be missing
 *	attestation	host to force, a box: what the host is, here and now
 *
 * In a box is
 *
 *	SIGNATURE NEWLINE BODY
 *
 * SIGNATURE is base64, by the host's key, of `cordon report 1' or `cordon
 * attest 1', a newline, the force's sealing key as base64, a newline, BODY. So
 * none is taken for the other kind, and who opens a box cannot pass what is in
 * it on to another force as if it had been said to that one. BODY is one line
 * of JSON; in a report the lines of evidence follow, byte for byte.
 *
 * What is opened here is from outside: bounded, parsed whole, and refused where
 * anything is unknown, given twice or left over. A name that has been opened is
 * a fleet name (below), a hash lower-case hexadecimal, a text clean for people
 * (text_is_clean()).
 *
 * All functions need minisign_init() or sign_key_load() to have been called.
 */
#ifndef CORDON_FLEET_MESSAGE_H
#define CORDON_FLEET_MESSAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "evidence.h"
#include "seal.h"
#include "sign.h"
#include "trust.h"

#define FLEET_POLICY_BYTES_MAX (8U << 20) /* of a message, as JSON */
#define FLEET_LINES_BYTES_MAX  (256U << 10)
#define FLEET_LINES_MAX	       512U
#define FLEET_BODY_BYTES_MAX   4096U /* of the JSON in a box */
#define FLEET_SIGNED_BYTES     SIGN_SIGNATURE_CHARS_MAX /* with the newline */
#define FLEET_REPORT_BYTES_MAX                                               \
	(FLEET_LINES_BYTES_MAX + FLEET_BODY_BYTES_MAX + FLEET_SIGNED_BYTES + \
	 SEAL_EXTRA_BYTES)
#define FLEET_ATTEST_BYTES_MAX \
	(FLEET_BODY_BYTES_MAX + FLEET_SIGNED_BYTES + SEAL_EXTRA_BYTES)
#define FLEET_TRUST_MAX	    16U /* trust updates in one message */
#define FLEET_ASK_BYTES_MAX (256U << 10)
#define FLEET_ASK_HOSTS_MAX 1024U /* in one "have"; ask others one by one */

/* ---- names --------------------------------------------------------------- */

#define FLEET_NAME_CHARS_MAX  128 /* of a host or group in subjects */
#define FLEET_ID_CHARS_MAX    33  /* hexadecimal, with the NUL */
#define FLEET_MSGID_CHARS_MAX 33
#define FLEET_NONCE_CHARS_MAX 65

/* What stands for a host or group in subjects: A-Z, a-z, 0-9, _, -, at least
 * one and at most FLEET_NAME_CHARS_MAX of them. */
bool fleet_is_name(const char *name, size_t len);

/*
 * The name of a host in subjects: what policies call it (fleet.example.org),
 * its dots as `_'. Two hosts can come to the same name; who approves them has
 * to look. -EINVAL: it has other characters, or is too long.
 */
int fleet_name(const char *host, char ret_name[FLEET_NAME_CHARS_MAX + 1]);

/* The host's id: the first half of the SHA-256 of its public key. */
void fleet_id(const struct sign_public *public,
	      char ret_id[FLEET_ID_CHARS_MAX]);

/* ---- policies ------------------------------------------------------------ */

/* A version of the trust anchors; which it is only the message says. */
struct fleet_trust {
	uint64_t version;
	struct trust_bundle bundle;
};

/*
 * Each bundle is one that was read with its signatures, or has no bytes.
 * Whether they are good is for trust_check(); serial is only what the message
 * says.
 *
 * Trust anchors follow each other one version at a time, and the broker keeps
 * one message: so it has all updates that a host may have missed.
 */
struct fleet_policy {
	uint64_t serial; /* of the policy; 0: there is none */
	struct trust_bundle policy;
	struct trust_bundle act; /* for one host; no enrolment comes so */
	struct fleet_trust trust[FLEET_TRUST_MAX]; /* versions rise */
	size_t n_trust;
};

/*
 * The message, of which ret_len bytes are for free(); a NUL is behind them.
 * Signatures that are none are left out. -EINVAL: it has nothing, a policy
 * without serial, versions that do not rise, or what is no UTF-8; -EMSGSIZE:
 * more than max bytes, such as FLEET_POLICY_BYTES_MAX; -ENOMEM.
 */
int fleet_policy_make(const struct fleet_policy *policy, size_t max,
		      char **ret_text, size_t *ret_len);

/* Back, for fleet_policy_release(). -EMSGSIZE: more than max bytes; -EBADMSG:
 * it is none; -ENOMEM. */
int fleet_policy_open(const void *bytes, size_t len, size_t max,
		      struct fleet_policy *ret_policy);
void fleet_policy_release(struct fleet_policy *policy);

/* ---- reports ------------------------------------------------------------- */

struct fleet_report {
	char host[FLEET_NAME_CHARS_MAX + 1]; /* as in subjects */
	char id[FLEET_ID_CHARS_MAX];
	uint64_t first; /* numbers of the first and the last line */
	uint64_t last;
	uint64_t segment;  /* number in the name of the one they all stand in */
	uint64_t head;	   /* the newest line that the host has by now */
	const char *lines; /* each with its newline */
	size_t len;
	/* What fleet_report_open() finds besides: */
	char *buffer; /* where lines are: of fleet_report_release() */
	size_t n;     /* lines */
	/*
	 * Each is evidence, the first and the last have these numbers, those
	 * between are in order and each has the hash of the one before. Where
	 * it is false the host did sign this report, but what it reports is no
	 * log: it is damaged there, or was changed.
	 */
	bool chained;
	char prev[SIGN_HASH_CHARS_MAX]; /* that the first line has; chained */
	char hash[SIGN_HASH_CHARS_MAX]; /* of the last line; chained */
};

/*
 * The box with what is above `besides'; ret_len bytes for free(). lines are at
 * least one, and no more than FLEET_LINES_MAX and FLEET_LINES_BYTES_MAX; id is
 * filled in from key. -EINVAL: they are not, or a name or number is wrong;
 * -ENOMEM.
 */
int fleet_report_make(const struct sign_key *key,
		      const struct seal_public *force,
		      const struct fleet_report *report, void **ret_box,
		      size_t *ret_len);

/*
 * Opens one of the host that has this key and this name in subjects.
 * -EMSGSIZE: too long; -EBADMSG: not sealed to force, or no report; -EACCES:
 * not signed by this host; -EXDEV: signed by it, but of another name or id;
 * -ENOMEM.
 */
int fleet_report_open(const struct seal_key *force,
		      const struct sign_public *host, const char *name,
		      const void *box, size_t len,
		      struct fleet_report *ret_report);
void fleet_report_release(struct fleet_report *report);

/*
 * By what the broker knows a report that is sent again, so that it keeps it
 * once. Nobody else can guess it: who could would send something under it
 * first, and the broker would take the report for the copy. The same lines give
 * the same id as long as again is the same; a host that was asked to begin
 * again behind a line that was acknowledged needs another, or the broker would
 * drop for some minutes what the force lacks.
 */
void fleet_report_msgid(const struct sign_key *key,
			const struct fleet_report *report, uint64_t again,
			char ret_msgid[FLEET_MSGID_CHARS_MAX]);

/* ---- asking -------------------------------------------------------------- */

/* What the force has of a host: its last line. */
struct fleet_have {
	char host[FLEET_NAME_CHARS_MAX + 1];
	uint64_t seq;			/* 0: none */
	char hash[SIGN_HASH_CHARS_MAX]; /* 64 zeros if it has none */
};

/* A new nonce. */
void fleet_nonce(char ret_nonce[FLEET_NONCE_CHARS_MAX]);

/* ret_len bytes for free(), a NUL behind them. have may be NULL. -EINVAL: more
 * than FLEET_ASK_HOSTS_MAX, or one that is wrong; -ENOMEM. */
int fleet_ask_make(const char *nonce, const struct fleet_have *have, size_t n,
		   char **ret_text, size_t *ret_len);

/*
 * What it asks this host. *ret_has: the force says what it has. -EMSGSIZE,
 * -EBADMSG: it is none; -ENOMEM.
 */
int fleet_ask_open(const void *bytes, size_t len, const char *host,
		   char ret_nonce[FLEET_NONCE_CHARS_MAX],
		   struct fleet_have *ret_have, bool *ret_has);

/* ---- attestations -------------------------------------------------------- */

#define FLEET_WORD_CHARS_MAX 64	 /* with the NUL */
#define FLEET_TEXT_CHARS_MAX 256 /* what is longer is cut when it is made */

struct fleet_attest {
	char host[FLEET_NAME_CHARS_MAX + 1];
	char id[FLEET_ID_CHARS_MAX];		 /* filled in from the key */
	char nonce[FLEET_NONCE_CHARS_MAX];	 /* of the ask */
	int64_t time_s;				 /* the host's clock */
	uint64_t policy_serial;			 /* 0: none of the issuer's */
	char policy_sha256[SIGN_HASH_CHARS_MAX]; /* of the file; "": unknown */
	uint64_t trust_version;			 /* 0: none */
	char trust_sha256[SIGN_HASH_CHARS_MAX];
	char mode[FLEET_WORD_CHARS_MAX]; /* enforce, observe, lifted */
	/* By which act, and until when; 0: it is not lifted. */
	int64_t lifted_until_s;
	char lifted_sha256[SIGN_HASH_CHARS_MAX]; /* of its file; "": unknown */
	char attached[FLEET_WORD_CHARS_MAX];	 /* lsm, fmod_ret */
	char kernel[FLEET_WORD_CHARS_MAX];	 /* release */
	char version[FLEET_WORD_CHARS_MAX];	 /* of Cordon */
	char health[FLEET_WORD_CHARS_MAX];	 /* good, degraded */
	char problem[FLEET_TEXT_CHARS_MAX];	 /* "": none */
	uint64_t incidents_open;
	uint64_t evidence_seq;			 /* the newest line */
	char evidence_hash[SIGN_HASH_CHARS_MAX]; /* "": there is none */
	uint64_t spool_waiting; /* lines that were not acknowledged */
	uint64_t spool_dropped; /* lines that nobody will get */
};

/* The box; ret_len bytes for free(). Texts are made clean and cut. -EINVAL: a
 * name, hash, nonce or number is none; -ENOMEM. */
int fleet_attest_make(const struct sign_key *key,
		      const struct seal_public *force,
		      const struct fleet_attest *attest, void **ret_box,
		      size_t *ret_len);

/* As fleet_report_open(). Whether the nonce is the one that was asked, and the
 * time near, is for the caller. */
int fleet_attest_open(const struct seal_key *force,
		      const struct sign_public *host, const char *name,
		      const void *box, size_t len,
		      struct fleet_attest *ret_attest);

#endif
