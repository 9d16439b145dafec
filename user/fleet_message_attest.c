// SPDX-License-Identifier: GPL-2.0-only
#include "fleet_message_internal.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "log.h"
#include "text.h"

#define ATTEST_MEMBERS_MAX 64
/* Each has an object and two members. */
#define ASK_MEMBERS_MAX (4U * FLEET_ASK_HOSTS_MAX + 16)

#define DIGITS (SIGN_HASH_CHARS_MAX - 1)

/* ---- asking -------------------------------------------------------------- */

static bool is_have(const struct fleet_have *have)
{
	return fleet_is_name(have->host, strlen(have->host)) &&
	       fleet_is_hex(have->hash, DIGITS) &&
	       have->seq <= EVIDENCE_SEQ_MAX;
}

static int add_have(json_t *map, const struct fleet_have *have)
{
	if (!is_have(have))
		return -EINVAL;
	return json_object_set_new(map, have->host,
				   json_pack("{s:I, s:s}", "seq",
					     (json_int_t)have->seq, "hash",
					     have->hash))
		       ? -ENOMEM
		       : 0;
}

int fleet_ask_make(const char *nonce, const struct fleet_have *have, size_t n,
		   char **ret_text, size_t *ret_len)
{
	json_t *map, *ask = NULL;
	char *text = NULL;
	int r = 0;

	if (!fleet_is_hex(nonce, FLEET_NONCE_CHARS_MAX - 1) ||
	    n > FLEET_ASK_HOSTS_MAX)
		return -EINVAL;
	map = json_object();
	for (size_t i = 0; i < n && !r; i++)
		r = add_have(map, &have[i]);
	if (!r)
		ask = json_pack("{s:i, s:s, s:O*}", "cordon", 1, "nonce", nonce,
				"have", n ? map : NULL);
	if (ask)
		text = json_dumps(ask, JSON_COMPACT);
	json_decref(ask);
	json_decref(map);
	if (r || !text)
		return r ? r : -ENOMEM;
	*ret_text = text;
	*ret_len = strlen(text);
	return 0;
}

static int take_have(const json_t *map, const char *host,
		     struct fleet_have *ret_have, bool *ret_has)
{
	json_t *object = json_object_get(map, host);
	struct fleet_have have = {0};
	const char *hash;
	json_int_t seq;

	if (map && !json_is_object(map))
		return -EBADMSG;
	*ret_has = object != NULL;
	if (!object)
		return 0;
	if (json_unpack(object, "{s:I, s:s !}", "seq", &seq, "hash", &hash) ||
	    seq < 0 || !fleet_is_hex(hash, DIGITS))
		return -EBADMSG;
	have.seq = (uint64_t)seq;
	(void)strcpy(have.hash, hash);
	(void)snprintf(have.host, sizeof(have.host), "%s", host);
	if (!is_have(&have))
		return -EBADMSG;
	*ret_have = have;
	return 0;
}

int fleet_ask_open(const void *bytes, size_t len, const char *host,
		   char ret_nonce[FLEET_NONCE_CHARS_MAX],
		   struct fleet_have *ret_have, bool *ret_has)
{
	json_t *ask, *map = NULL;
	json_int_t version;
	const char *nonce;
	int r;

	if (len > FLEET_ASK_BYTES_MAX)
		return -EMSGSIZE;
	r = fleet_json(bytes, len, ASK_MEMBERS_MAX, &ask);
	if (r)
		return r;
	if (json_unpack(ask, "{s:I, s:s, s?o !}", "cordon", &version, "nonce",
			&nonce, "have", &map) ||
	    version != 1 || !fleet_is_hex(nonce, FLEET_NONCE_CHARS_MAX - 1))
		r = -EBADMSG;
	if (!r)
		r = take_have(map, host, ret_have, ret_has);
	if (!r)
		(void)strcpy(ret_nonce, nonce);
	json_decref(ask);
	return r;
}

/* ---- attestations: making ------------------------------------------------ */

/* "" or a hash. */
static bool is_hash(const char *text)
{
	return !text[0] || fleet_is_hex(text, DIGITS);
}

static bool is_attest(const struct fleet_attest *attest)
{
	return fleet_is_name(attest->host, strlen(attest->host)) &&
	       fleet_is_hex(attest->nonce, FLEET_NONCE_CHARS_MAX - 1) &&
	       is_hash(attest->policy_sha256) &&
	       is_hash(attest->trust_sha256) &&
	       is_hash(attest->evidence_hash) &&
	       is_hash(attest->lifted_sha256) && attest->time_s >= 0 &&
	       attest->lifted_until_s >= 0 &&
	       (attest->lifted_until_s || !attest->lifted_sha256[0]) &&
	       attest->policy_serial <= INT64_MAX &&
	       attest->trust_version <= INT64_MAX &&
	       attest->incidents_open <= INT64_MAX &&
	       attest->evidence_seq <= INT64_MAX &&
	       attest->spool_waiting <= INT64_MAX &&
	       attest->spool_dropped <= INT64_MAX;
}

static void clean_texts(struct fleet_attest *attest)
{
	log_clean(attest->mode);
	log_clean(attest->attached);
	log_clean(attest->kernel);
	log_clean(attest->version);
	log_clean(attest->health);
	log_clean(attest->problem);
}

static char *attest_text(const struct fleet_attest *attest)
{
	json_t *object, *lifted = NULL;
	char *text;

	if (attest->lifted_until_s)
		lifted = json_pack("{s:I, s:s}", "until",
				   (json_int_t)attest->lifted_until_s, "sha256",
				   attest->lifted_sha256);
	object = json_pack(
		"{s:i, s:s, s:s, s:s, s:I, s:{s:I, s:s}, s:{s:I, s:s},"
		" s:s, s:s, s:s, s:s, s:s, s:s, s:I, s:{s:I, s:s},"
		" s:{s:I, s:I}, s:o*}",
		"cordon", 1, "host", attest->host, "id", attest->id, "nonce",
		attest->nonce, "time", (json_int_t)attest->time_s, "policy",
		"serial", (json_int_t)attest->policy_serial, "sha256",
		attest->policy_sha256, "trust", "version",
		(json_int_t)attest->trust_version, "sha256",
		attest->trust_sha256, "mode", attest->mode, "attached",
		attest->attached, "kernel", attest->kernel, "version",
		attest->version, "health", attest->health, "problem",
		attest->problem, "incidents_open",
		(json_int_t)attest->incidents_open, "evidence", "seq",
		(json_int_t)attest->evidence_seq, "hash", attest->evidence_hash,
		"spool", "waiting", (json_int_t)attest->spool_waiting,
		"dropped", (json_int_t)attest->spool_dropped, "lifted", lifted);
	text = object ? json_dumps(object, JSON_COMPACT) : NULL;
	json_decref(object);
	return text;
}

int fleet_attest_make(const struct sign_key *key,
		      const struct seal_public *force,
		      const struct fleet_attest *attest, void **ret_box,
		      size_t *ret_len)
{
	struct fleet_attest clean = *attest;
	struct fleet_body body;
	char *text;
	int r;

	clean_texts(&clean);
	fleet_id(&key->public, clean.id);
	if (!is_attest(&clean))
		return -EINVAL;
	text = attest_text(&clean);
	r = text ? fleet_body_new(strlen(text), &body) : -ENOMEM;
	if (!r) {
		memcpy(body.text, text, body.len);
		r = body.len <= FLEET_BODY_BYTES_MAX
			    ? fleet_body_close(&body, FLEET_ATTEST_DOMAIN, key,
					       force, ret_box, ret_len)
			    : -EINVAL;
		free(body.buffer);
	}
	free(text);
	return r;
}

/* ---- attestations: opening ----------------------------------------------- */

struct attest_numbers {
	json_int_t cordon, time, serial, trust, incidents, seq, waiting,
		dropped, lifted;
};

struct attest_texts {
	const char *host, *id, *nonce, *policy, *trust, *mode, *attached,
		*kernel, *version, *health, *problem, *hash, *lifted;
};

static bool unpack(json_t *object, struct attest_numbers *n,
		   struct attest_texts *t)
{
	n->lifted = 0;
	t->lifted = "";
	return !json_unpack(
		object,
		"{s:I, s:s, s:s, s:s, s:I, s:{s:I, s:s !}, s:{s:I, s:s !},"
		" s:s, s:s, s:s, s:s, s:s, s:s, s:I, s:{s:I, s:s !},"
		" s:{s:I, s:I !}, s?{s:I, s:s !} !}",
		"cordon", &n->cordon, "host", &t->host, "id", &t->id, "nonce",
		&t->nonce, "time", &n->time, "policy", "serial", &n->serial,
		"sha256", &t->policy, "trust", "version", &n->trust, "sha256",
		&t->trust, "mode", &t->mode, "attached", &t->attached, "kernel",
		&t->kernel, "version", &t->version, "health", &t->health,
		"problem", &t->problem, "incidents_open", &n->incidents,
		"evidence", "seq", &n->seq, "hash", &t->hash, "spool",
		"waiting", &n->waiting, "dropped", &n->dropped, "lifted",
		"until", &n->lifted, "sha256", &t->lifted);
}

static bool take_texts(const struct attest_texts *t, struct fleet_attest *ret)
{
	return fleet_take_text(t->host, ret->host, sizeof(ret->host)) &&
	       fleet_take_text(t->id, ret->id, sizeof(ret->id)) &&
	       fleet_take_text(t->nonce, ret->nonce, sizeof(ret->nonce)) &&
	       fleet_take_text(t->policy, ret->policy_sha256,
			       sizeof(ret->policy_sha256)) &&
	       fleet_take_text(t->trust, ret->trust_sha256,
			       sizeof(ret->trust_sha256)) &&
	       fleet_take_text(t->mode, ret->mode, sizeof(ret->mode)) &&
	       fleet_take_text(t->attached, ret->attached,
			       sizeof(ret->attached)) &&
	       fleet_take_text(t->kernel, ret->kernel, sizeof(ret->kernel)) &&
	       fleet_take_text(t->version, ret->version,
			       sizeof(ret->version)) &&
	       fleet_take_text(t->health, ret->health, sizeof(ret->health)) &&
	       fleet_take_text(t->problem, ret->problem,
			       sizeof(ret->problem)) &&
	       fleet_take_text(t->hash, ret->evidence_hash,
			       sizeof(ret->evidence_hash)) &&
	       fleet_take_text(t->lifted, ret->lifted_sha256,
			       sizeof(ret->lifted_sha256));
}

/* Numbers below 0 come out as more than is_attest() takes. */
static void take_numbers(const struct attest_numbers *n,
			 struct fleet_attest *ret)
{
	ret->time_s = n->time;
	ret->policy_serial = (uint64_t)n->serial;
	ret->trust_version = (uint64_t)n->trust;
	ret->incidents_open = (uint64_t)n->incidents;
	ret->evidence_seq = (uint64_t)n->seq;
	ret->spool_waiting = (uint64_t)n->waiting;
	ret->spool_dropped = (uint64_t)n->dropped;
	ret->lifted_until_s = n->lifted;
}

static int take_attest(const struct fleet_body *body, const char *name,
		       const struct sign_public *public,
		       struct fleet_attest *ret)
{
	struct attest_numbers numbers;
	struct attest_texts texts;
	json_t *object;
	int r;

	r = fleet_json(body->text, body->len, ATTEST_MEMBERS_MAX, &object);
	if (r)
		return r;
	if (!unpack(object, &numbers, &texts) || numbers.cordon != 1 ||
	    !take_texts(&texts, ret))
		r = -EBADMSG;
	json_decref(object);
	if (r)
		return r;
	take_numbers(&numbers, ret);
	if (!is_attest(ret))
		return -EBADMSG;
	return fleet_check_host(ret->host, ret->id, name, public);
}

int fleet_attest_open(const struct seal_key *force,
		      const struct sign_public *host, const char *name,
		      const void *box, size_t len,
		      struct fleet_attest *ret_attest)
{
	struct fleet_attest attest = {0};
	struct fleet_body body;
	int r;

	r = fleet_body_open(box, len, FLEET_ATTEST_BYTES_MAX,
			    FLEET_ATTEST_DOMAIN, force, host, &body);
	if (r)
		return r;
	r = take_attest(&body, name, host, &attest);
	free(body.buffer);
	if (!r)
		*ret_attest = attest;
	return r;
}
