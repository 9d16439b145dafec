// SPDX-License-Identifier: GPL-2.0-only
/*
 * What the fleet directory remembers of each host, and of what was pushed. None
 * of it is evidence: who loses it loses counts, and what `status' says until
 * the hosts were asked again.
 */
#include "fleet.h"

#include <errno.h>
#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "policy_take.h"
#include "state.h"
#include "text.h"

#define RECEIVED_FILE "received.json"
#define WORD_FILE     "attested.json"
#define LOOKED_FILE   "looked.json"
#define FILE_MAX      65536U
/* In JSON at most six times as long, and its signatures. */
#define TRUST_MAX (8 * TRUST_FILE_BYTES_MAX)

/* ---- members of a struct as members of an object ------------------------ */

enum member_type {
	MEMBER_NUMBER, /* uint64_t */
	MEMBER_TIME,   /* int64_t, seconds since the epoch; 0 is left out */
	MEMBER_TEXT,   /* an array of char */
};

struct member {
	const char *key;
	enum member_type type;
	size_t at;
	size_t size;
};

#define MEMBER(type_, struct_, member_)                             \
	{                                                           \
#		member_, type_, offsetof(struct struct_, member_), \
			sizeof(((struct struct_ *)NULL)->member_)   \
	}

static json_t *member_json(const struct member *member, const void *from)
{
	const char *at = (const char *)from + member->at;
	char when[TEXT_NUMBER_CHARS_MAX];
	int64_t time_s;
	uint64_t n;

	switch (member->type) {
	case MEMBER_NUMBER:
		memcpy(&n, at, sizeof(n));
		return json_integer((json_int_t)n);
	case MEMBER_TIME:
		memcpy(&time_s, at, sizeof(time_s));
		if (!time_s)
			return NULL;
		text_format_time(time_s, when, sizeof(when));
		return json_string(when);
	case MEMBER_TEXT:
		break;
	}
	return json_string(at);
}

static json_t *members_json(const struct member *members, size_t n,
			    const void *from)
{
	json_t *object = json_pack("{s:i}", "cordon", 1), *value;

	for (size_t i = 0; object && i < n; i++) {
		value = member_json(&members[i], from);
		if (value)
			(void)json_object_set_new(object, members[i].key,
						  value);
	}
	return object;
}

/* One that is missing stays as it is. */
static int member_take(const struct member *member, const json_t *value,
		       void *to)
{
	char *at = (char *)to + member->at;
	int64_t time_s;
	uint64_t n;

	if (!value)
		return 0;
	if (member->type == MEMBER_NUMBER) {
		if (!json_is_integer(value) || json_integer_value(value) < 0)
			return -EUCLEAN;
		n = (uint64_t)json_integer_value(value);
		memcpy(at, &n, sizeof(n));
		return 0;
	}
	if (!json_is_string(value))
		return -EUCLEAN;
	if (member->type == MEMBER_TIME) {
		if (text_parse_time(json_string_value(value), &time_s))
			return -EUCLEAN;
		memcpy(at, &time_s, sizeof(time_s));
		return 0;
	}
	if (json_string_length(value) >= member->size)
		return -EUCLEAN;
	(void)strcpy(at, json_string_value(value));
	return 0;
}

static int members_take(const struct member *members, size_t n,
			const json_t *object, void *to)
{
	int r = 0;

	if (json_integer_value(json_object_get(object, "cordon")) != 1)
		return -EUCLEAN;
	for (size_t i = 0; !r && i < n; i++)
		r = member_take(&members[i],
				json_object_get(object, members[i].key), to);
	return r;
}

static int put_file(const char *path, json_t *object)
{
	char *text = object ? json_dumps(object, JSON_INDENT(1)) : NULL;
	int r;

	json_decref(object);
	r = text ? state_put(path, text, strlen(text)) : -ENOMEM;
	free(text);
	return r;
}

static int get_file(const char *path, size_t max, json_t **ret_object)
{
	char *text = NULL;
	size_t len;
	int r;

	r = state_get(path, max, &text, &len);
	if (r)
		return r == -EFBIG ? -EUCLEAN : r;
	*ret_object = json_loadb(text, len, JSON_REJECT_DUPLICATES, NULL);
	free(text);
	return *ret_object ? 0 : -EUCLEAN;
}

static int members_get(const char *path, const struct member *members, size_t n,
		       void *to)
{
	json_t *object = NULL;
	int r;

	r = get_file(path, FILE_MAX, &object);
	if (!r)
		r = members_take(members, n, object, to);
	json_decref(object);
	return r;
}

/* ---- what came ---------------------------------------------------------- */

static const struct member received_members[] = {
	MEMBER(MEMBER_TIME, fleet_received, last_s),
	MEMBER(MEMBER_NUMBER, fleet_received, seq),
	MEMBER(MEMBER_NUMBER, fleet_received, reports),
	MEMBER(MEMBER_NUMBER, fleet_received, again),
	MEMBER(MEMBER_NUMBER, fleet_received, not_its),
	MEMBER(MEMBER_TIME, fleet_received, not_its_s),
	MEMBER(MEMBER_TIME, fleet_received, behind_s),
	MEMBER(MEMBER_NUMBER, fleet_received, begins),
	MEMBER(MEMBER_TIME, fleet_received, gap_s),
	MEMBER(MEMBER_NUMBER, fleet_received, gap_from),
	MEMBER(MEMBER_NUMBER, fleet_received, gap_to),
	MEMBER(MEMBER_NUMBER, fleet_received, gap_asks),
	MEMBER(MEMBER_NUMBER, fleet_received, gap_first),
	MEMBER(MEMBER_NUMBER, fleet_received, gap_before),
	MEMBER(MEMBER_NUMBER, fleet_received, gap_same),
	MEMBER(MEMBER_NUMBER, fleet_received, lost),
	MEMBER(MEMBER_TIME, fleet_received, lost_s),
	MEMBER(MEMBER_TIME, fleet_received, broken_s),
	MEMBER(MEMBER_NUMBER, fleet_received, broken),
	MEMBER(MEMBER_TIME, fleet_received, other_s),
	MEMBER(MEMBER_NUMBER, fleet_received, other),
	MEMBER(MEMBER_TIME, fleet_received, full_s),
	MEMBER(MEMBER_NUMBER, fleet_received, room),
	MEMBER(MEMBER_TIME, fleet_received, later_s),
};

int fleet_received_get(const struct fleet *fleet, const char *host,
		       struct fleet_received *ret_received)
{
	struct fleet_received received = {0};
	char path[FLEET_PATH_MAX];
	int r;

	fleet_host_path(fleet, host, RECEIVED_FILE, path);
	r = members_get(path, received_members, N_ELEMENTS(received_members),
			&received);
	if (!r || r == -ENOENT)
		*ret_received = received;
	return r == -ENOENT ? 0 : r;
}

int fleet_received_put(struct fleet *fleet)
{
	char path[FLEET_PATH_MAX];
	int r = 0, first = 0;

	for (size_t i = 0; i < fleet->n_hosts; i++) {
		struct fleet_host *host = &fleet->hosts[i];

		if (!host->changed)
			continue;
		fleet_host_path(fleet, host->name, RECEIVED_FILE, path);
		r = put_file(path, members_json(received_members,
						N_ELEMENTS(received_members),
						&host->received));
		host->changed = r != 0;
		first = first ? first : r;
	}
	return first;
}

struct looked {
	int64_t looked_s;
};

static const struct member looked_members[] = {
	MEMBER(MEMBER_TIME, looked, looked_s),
};

int64_t fleet_looked_get(const struct fleet *fleet, const char *host)
{
	char path[FLEET_PATH_MAX];
	struct looked looked = {0};

	fleet_host_path(fleet, host, LOOKED_FILE, path);
	return members_get(path, looked_members, N_ELEMENTS(looked_members),
			   &looked)
		       ? 0
		       : looked.looked_s;
}

int fleet_looked_put(const struct fleet *fleet, const char *host,
		     int64_t looked_s)
{
	const struct looked looked = {looked_s};
	char path[FLEET_PATH_MAX];

	fleet_host_path(fleet, host, LOOKED_FILE, path);
	return put_file(path,
			members_json(looked_members, N_ELEMENTS(looked_members),
				     &looked));
}

/* ---- what a host said --------------------------------------------------- */

static const struct member word_members[] = {
	MEMBER(MEMBER_TIME, fleet_word, heard_s),
};

static const struct member attest_members[] = {
	MEMBER(MEMBER_TEXT, fleet_attest, host),
	MEMBER(MEMBER_TEXT, fleet_attest, id),
	MEMBER(MEMBER_TEXT, fleet_attest, nonce),
	MEMBER(MEMBER_TIME, fleet_attest, time_s),
	MEMBER(MEMBER_NUMBER, fleet_attest, policy_serial),
	MEMBER(MEMBER_TEXT, fleet_attest, policy_sha256),
	MEMBER(MEMBER_NUMBER, fleet_attest, trust_version),
	MEMBER(MEMBER_TEXT, fleet_attest, trust_sha256),
	MEMBER(MEMBER_TEXT, fleet_attest, mode),
	MEMBER(MEMBER_TIME, fleet_attest, lifted_until_s),
	MEMBER(MEMBER_TEXT, fleet_attest, lifted_sha256),
	MEMBER(MEMBER_TEXT, fleet_attest, attached),
	MEMBER(MEMBER_TEXT, fleet_attest, kernel),
	MEMBER(MEMBER_TEXT, fleet_attest, version),
	MEMBER(MEMBER_TEXT, fleet_attest, health),
	MEMBER(MEMBER_TEXT, fleet_attest, problem),
	MEMBER(MEMBER_NUMBER, fleet_attest, incidents_open),
	MEMBER(MEMBER_NUMBER, fleet_attest, evidence_seq),
	MEMBER(MEMBER_TEXT, fleet_attest, evidence_hash),
	MEMBER(MEMBER_NUMBER, fleet_attest, spool_waiting),
	MEMBER(MEMBER_NUMBER, fleet_attest, spool_dropped),
};

int fleet_word_get(const struct fleet *fleet, const char *host,
		   struct fleet_word *ret_word)
{
	struct fleet_word word = {0};
	char path[FLEET_PATH_MAX];
	json_t *object = NULL;
	int r;

	fleet_host_path(fleet, host, WORD_FILE, path);
	r = get_file(path, FILE_MAX, &object);
	if (!r)
		r = members_take(word_members, N_ELEMENTS(word_members), object,
				 &word);
	if (!r)
		r = members_take(attest_members, N_ELEMENTS(attest_members),
				 object, &word.attest);
	json_decref(object);
	if (!r || r == -ENOENT)
		*ret_word = word;
	return r == -ENOENT ? 0 : r;
}

int fleet_word_put(const struct fleet *fleet, const char *host,
		   const struct fleet_word *word)
{
	char path[FLEET_PATH_MAX];
	json_t *object, *attest;

	fleet_host_path(fleet, host, WORD_FILE, path);
	object = members_json(word_members, N_ELEMENTS(word_members), word);
	attest = members_json(attest_members, N_ELEMENTS(attest_members),
			      &word->attest);
	if (!attest || json_object_update_new(object, attest)) {
		json_decref(object);
		object = NULL;
	}
	return put_file(path, object);
}

/* ---- what was pushed ---------------------------------------------------- */

static const struct member pushed_members[] = {
	MEMBER(MEMBER_NUMBER, fleet_pushed, serial),
	MEMBER(MEMBER_TEXT, fleet_pushed, sha256),
	MEMBER(MEMBER_NUMBER, fleet_pushed, trust_version),
	MEMBER(MEMBER_TEXT, fleet_pushed, trust_sha256),
	MEMBER(MEMBER_TEXT, fleet_pushed, lift_sha256),
	MEMBER(MEMBER_TIME, fleet_pushed, pushed_s),
	MEMBER(MEMBER_TIME, fleet_pushed, taken_s),
};

/* name is a group's or one of subjects, which have no dots and no slashes. */
static int pushed_path(const struct fleet *fleet, enum fleet_target target,
		       const char *name, const char *suffix,
		       char ret_path[FLEET_PATH_MAX])
{
	if (!fleet_is_name(name, strlen(name)))
		return -EINVAL;
	(void)snprintf(ret_path, FLEET_PATH_MAX, "%s/pushed/%s.%s.%s",
		       fleet->dir, target == FLEET_TO_GROUP ? "group" : "host",
		       name, suffix);
	return 0;
}

int fleet_pushed_get(const struct fleet *fleet, enum fleet_target target,
		     const char *name, struct fleet_pushed *ret_pushed)
{
	struct fleet_pushed pushed = {0};
	char path[FLEET_PATH_MAX];
	int r;

	r = pushed_path(fleet, target, name, "json", path);
	if (!r)
		r = members_get(path, pushed_members,
				N_ELEMENTS(pushed_members), &pushed);
	if (!r)
		*ret_pushed = pushed;
	return r;
}

int fleet_pushed_message(const struct fleet *fleet, enum fleet_target target,
			 const char *name, char **ret_text, size_t *ret_len)
{
	char path[FLEET_PATH_MAX];
	int r;

	r = pushed_path(fleet, target, name, "message", path);
	return r ? r
		 : state_get(path, FLEET_POLICY_BYTES_MAX, ret_text, ret_len);
}

int fleet_pushed_put(const struct fleet *fleet, enum fleet_target target,
		     const char *name, const struct fleet_pushed *pushed,
		     const char *text, size_t len)
{
	char path[FLEET_PATH_MAX];
	int r;

	r = pushed_path(fleet, target, name, "message", path);
	if (!r && text)
		r = state_put(path, text, len);
	if (!r)
		r = pushed_path(fleet, target, name, "json", path);
	return r ? r
		 : put_file(path,
			    members_json(pushed_members,
					 N_ELEMENTS(pushed_members), pushed));
}

static void trust_path(const struct fleet *fleet, uint64_t version,
		       char ret_path[FLEET_PATH_MAX])
{
	(void)snprintf(ret_path, FLEET_PATH_MAX,
		       "%s/pushed/trust.%" PRIu64 ".json", fleet->dir, version);
}

int fleet_trust_put(const struct fleet *fleet, uint64_t version,
		    const struct trust_bundle *bundle)
{
	char path[FLEET_PATH_MAX];

	trust_path(fleet, version, path);
	return put_file(path, trust_bundle_json(bundle));
}

bool fleet_trust_is_kept(const struct fleet *fleet, uint64_t version)
{
	char path[FLEET_PATH_MAX];
	struct stat st;

	trust_path(fleet, version, path);
	return stat(path, &st) == 0;
}

static int trust_get(const struct fleet *fleet, uint64_t version,
		     struct trust_bundle *ret_bundle)
{
	char path[FLEET_PATH_MAX];
	json_t *json = NULL;
	int r;

	trust_path(fleet, version, path);
	r = get_file(path, TRUST_MAX, &json);
	if (!r)
		r = trust_bundle_from_json(json, ret_bundle);
	json_decref(json);
	return r == -EFBIG ? -EUCLEAN : r;
}

int fleet_trust_get(const struct fleet *fleet, uint64_t version,
		    struct fleet_policy *message)
{
	struct fleet_trust *trust = message->trust;
	uint64_t first = version + 1;
	int r = 0;

	/* Back to where one is missing. */
	while (first > 1 && version - first + 1 < FLEET_TRUST_MAX &&
	       fleet_trust_is_kept(fleet, first - 1))
		first--;
	for (uint64_t v = first; !r && v <= version; v++) {
		r = trust_get(fleet, v, &trust[message->n_trust].bundle);
		trust[message->n_trust].version = v;
		message->n_trust += !r;
	}
	return r;
}

static void take_higher(const struct fleet *fleet, enum fleet_target target,
			const char *name, struct fleet_pushed *pushed)
{
	struct fleet_pushed one;

	if (fleet_pushed_get(fleet, target, name, &one))
		return;
	/* An act is for one host. */
	(void)strcpy(one.lift_sha256, pushed->lift_sha256);
	if (one.trust_version < pushed->trust_version) {
		one.trust_version = pushed->trust_version;
		memcpy(one.trust_sha256, pushed->trust_sha256,
		       sizeof(one.trust_sha256));
	}
	if (one.serial > pushed->serial) {
		*pushed = one;
		return;
	}
	pushed->trust_version = one.trust_version;
	memcpy(pushed->trust_sha256, one.trust_sha256,
	       sizeof(pushed->trust_sha256));
}

int fleet_pushed_for(const struct fleet *fleet, const struct fleet_host *host,
		     struct fleet_pushed *ret_pushed)
{
	struct fleet_pushed pushed = {0};

	(void)fleet_pushed_get(fleet, FLEET_TO_HOST, host->token, &pushed);
	for (size_t i = 0; i < host->n_groups; i++)
		take_higher(fleet, FLEET_TO_GROUP, host->groups[i], &pushed);
	if (!pushed.serial && !pushed.trust_version && !pushed.lift_sha256[0])
		return -ENOENT;
	*ret_pushed = pushed;
	return 0;
}
