// SPDX-License-Identifier: GPL-2.0-only
#include "enrolment.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "log.h"
#include "policy_take.h"
#include "policy_yaml.h"

#define KEY_EXAMPLE    "44 characters of base64"
#define SERVER_EXAMPLE "tls://broker.example.org:4222"
#define GROUP_EXAMPLE  "[print-shops]"

/* So that a signature of a request is one of nothing else. */
#define REQUEST_DOMAIN "cordon enrol request 1\n"

/* ---- values -------------------------------------------------------------- */

static void take_host(struct parser *ps, const struct policy_yaml *node,
		      char ret_host[FLEET_NAME_CHARS_MAX + 1])
{
	static const char expected[] =
		"the name of a host, of letters, digits, `.`, `_` and `-`";
	char name[FLEET_NAME_CHARS_MAX + 1];

	if (!take_scalar(ps, node, "host", expected))
		return;
	if (fleet_name(node->text, name)) {
		take_fail(ps, node->pos, "host is %s; expected %s",
			  take_quote(node).s, expected);
		return;
	}
	(void)snprintf(ret_host, FLEET_NAME_CHARS_MAX + 1, "%s", node->text);
}

static void take_key(struct parser *ps, const struct policy_yaml *node,
		     struct sign_public *ret_key)
{
	if (take_scalar(ps, node, "key", KEY_EXAMPLE) &&
	    sign_public_unformat(node->text, ret_key))
		take_fail(ps, node->pos,
			  "key is %s, which is no key; expected " KEY_EXAMPLE,
			  take_quote(node).s);
}

static void take_format(struct parser *ps, const struct policy_yaml *node,
			const char *what)
{
	uint64_t format = 1;

	if (node)
		take_u64(ps, node, what, 1, 1, &format);
}

static bool small_enough(const char *name, size_t len,
			 struct policy_errors *errs)
{
	policy_errors_init(errs);
	if (len <= ENROLMENT_FILE_BYTES_MAX)
		return true;
	policy_errors_add(errs, name, (struct policy_pos){0},
			  "more than 64 KiB; expected an enrolment of at most "
			  "that size");
	return false;
}

/* ---- the host asks ------------------------------------------------------- */

/* What the signature of a request is of. Its length. */
static size_t signed_part(const char *host, const struct sign_public *key,
			  char buf[ENROLMENT_REQUEST_CHARS_MAX])
{
	char bare[SIGN_PUBLIC_CHARS_MAX];

	sign_public_format(key, bare);
	return (size_t)snprintf(buf, ENROLMENT_REQUEST_CHARS_MAX,
				REQUEST_DOMAIN "%.*s\n%s\n",
				FLEET_NAME_CHARS_MAX, host, bare);
}

int enrolment_request_make(const struct sign_key *key, const char *host,
			   char ret_text[ENROLMENT_REQUEST_CHARS_MAX])
{
	char bare[SIGN_PUBLIC_CHARS_MAX], signature[SIGN_SIGNATURE_CHARS_MAX];
	char part[ENROLMENT_REQUEST_CHARS_MAX];
	char name[FLEET_NAME_CHARS_MAX + 1];
	size_t len;
	int r;

	r = fleet_name(host, name);
	if (r)
		return r;
	len = signed_part(host, &key->public, part);
	sign_make(key, part, len, signature);
	sign_public_format(&key->public, bare);
	(void)snprintf(ret_text, ENROLMENT_REQUEST_CHARS_MAX,
		       "cordon-enrol-request: 1\nhost: '%s'\nkey: %s\n"
		       "signature: %s\n",
		       host, bare, signature);
	return 0;
}

static void take_request(struct parser *ps, const struct policy_yaml *root,
			 struct enrolment_request *request)
{
	enum { FORMAT, HOST, KEY, SIGNATURE, N_KEYS };
	static const struct take_key keys[] = {
		[FORMAT] = {"cordon-enrol-request", "1"},
		[HOST] = {"host", "cardprint-1"},
		[KEY] = {"key", KEY_EXAMPLE},
		[SIGNATURE] = {"signature", "88 characters of base64"},
	};
	static const struct take_schema schema = {"the request", keys, N_KEYS};
	const struct policy_yaml *v[N_KEYS];
	char part[ENROLMENT_REQUEST_CHARS_MAX];
	size_t len;

	if (!take_keys(ps, root, &schema, v) || ps->bad)
		return;
	take_format(ps, v[FORMAT], "cordon-enrol-request");
	take_host(ps, v[HOST], request->host);
	take_key(ps, v[KEY], &request->key);
	if (!take_scalar(ps, v[SIGNATURE], "signature",
			 keys[SIGNATURE].example) ||
	    ps->bad)
		return;
	len = signed_part(request->host, &request->key, part);
	if (!sign_check(&request->key, part, len, v[SIGNATURE]->text))
		take_fail(ps, v[SIGNATURE]->pos,
			  "the signature is not by this key, or for another "
			  "host; expected a request as cordon enroll request "
			  "wrote it");
}

int enrolment_request_parse(const char *name, const void *buf, size_t len,
			    struct enrolment_request *ret_request,
			    struct policy_errors *errs)
{
	struct parser ps = {.name = name, .errs = errs};
	struct enrolment_request request = {0};
	struct policy_yaml *root = NULL;
	int r;

	if (!small_enough(name, len, errs))
		return -E2BIG;
	r = policy_yaml_parse(name, buf, len, &root, errs);
	if (r)
		return r;
	take_request(&ps, root, &request);
	policy_yaml_free(root);
	if (ps.bad)
		return -EINVAL;
	*ret_request = request;
	return 0;
}

/* ---- the issuer answers -------------------------------------------------- */

static void take_seal(struct parser *ps, const struct policy_yaml *node,
		      struct seal_public *ret_seal)
{
	if (take_scalar(ps, node, "seal", KEY_EXAMPLE) &&
	    seal_public_parse(node->text, ret_seal))
		take_fail(ps, node->pos,
			  "seal is %s, which is no key; expected " KEY_EXAMPLE,
			  take_quote(node).s);
}

static void take_servers(struct parser *ps, const struct policy_yaml *node,
			 struct enrolment *enrolment)
{
	const struct policy_yaml *member;

	member = take_list(ps, node, "servers", LINK_SERVERS_MAX,
			   "[" SERVER_EXAMPLE "]");
	for (; member; member = member->next) {
		if (!take_scalar(ps, member, "a server", SERVER_EXAMPLE))
			continue;
		if (!link_is_server(member->text)) {
			take_fail(ps, member->pos,
				  "a server is %s; expected its name or "
				  "address and port such as " SERVER_EXAMPLE,
				  take_quote(member).s);
			continue;
		}
		(void)snprintf(enrolment->servers[enrolment->n_servers++],
			       sizeof(enrolment->servers[0]), "%s",
			       member->text);
	}
}

static void take_groups(struct parser *ps, const struct policy_yaml *node,
			struct enrolment *enrolment)
{
	const struct policy_yaml *member;

	member = take_list(ps, node, "groups", LINK_GROUPS_MAX, GROUP_EXAMPLE);
	for (; member; member = member->next) {
		if (!take_scalar(ps, member, "a group", GROUP_EXAMPLE))
			continue;
		if (!fleet_is_name(member->text, member->len)) {
			take_fail(ps, member->pos,
				  "a group is %s; expected 1 to %d of A-Z a-z "
				  "0-9 _ -",
				  take_quote(member).s, FLEET_NAME_CHARS_MAX);
			continue;
		}
		(void)snprintf(enrolment->groups[enrolment->n_groups++],
			       sizeof(enrolment->groups[0]), "%s",
			       member->text);
	}
}

static int take_enrolment(struct parser *ps, const struct policy_yaml *root,
			  struct enrolment *enrolment)
{
	enum {
		FORMAT,
		ISSUER,
		HOST,
		KEY,
		SEAL,
		SERVERS,
		GROUPS,
		SERIAL,
		N_KEYS
	};
	static const struct take_key keys[] = {
		[FORMAT] = {ENROLMENT_KEY, "1"},
		[ISSUER] = {"issuer", "Example Police Service"},
		[HOST] = {"host", "cardprint-1"},
		[KEY] = {"key", KEY_EXAMPLE},
		[SEAL] = {"seal", KEY_EXAMPLE},
		[SERVERS] = {"servers", "[" SERVER_EXAMPLE "]"},
		[GROUPS] = {"groups", NULL},
		[SERIAL] = {"serial", "1"},
	};
	static const struct take_schema schema = {"the enrolment", keys,
						  N_KEYS};
	const struct policy_yaml *v[N_KEYS];
	int r = 0;

	if (!take_kind(ps, root, KIND_ENROLMENT) ||
	    !take_keys(ps, root, &schema, v))
		return 0;
	take_format(ps, v[FORMAT], ENROLMENT_KEY);
	if (v[ISSUER])
		r = take_string(ps, v[ISSUER], "issuer",
				POLICY_ISSUER_CHARS_MAX, &enrolment->issuer);
	if (v[HOST])
		take_host(ps, v[HOST], enrolment->host);
	if (v[KEY])
		take_key(ps, v[KEY], &enrolment->key);
	if (v[SEAL])
		take_seal(ps, v[SEAL], &enrolment->seal);
	if (v[SERVERS])
		take_servers(ps, v[SERVERS], enrolment);
	if (v[GROUPS])
		take_groups(ps, v[GROUPS], enrolment);
	if (v[SERIAL])
		take_u64(ps, v[SERIAL], "serial", 1, INT64_MAX,
			 &enrolment->serial);
	return r;
}

int enrolment_parse(const char *name, const void *buf, size_t len,
		    struct enrolment **ret_enrolment,
		    struct policy_errors *errs)
{
	struct parser ps = {.name = name, .errs = errs};
	struct enrolment *enrolment = NULL;
	struct policy_yaml *root = NULL;
	int r;

	if (!small_enough(name, len, errs))
		return -E2BIG;
	r = policy_yaml_parse(name, buf, len, &root, errs);
	if (r)
		goto out;
	enrolment = calloc(1, sizeof(*enrolment));
	r = enrolment ? take_enrolment(&ps, root, enrolment) : -ENOMEM;
	if (!r && ps.bad)
		r = -EINVAL;
	if (r)
		goto out;
	sign_hash(buf, len, enrolment->sha256);
	*ret_enrolment = enrolment;
	enrolment = NULL;
out:
	enrolment_free(enrolment);
	policy_yaml_free(root);
	return r;
}

void enrolment_free(struct enrolment *enrolment)
{
	if (!enrolment)
		return;
	free(enrolment->issuer);
	free(enrolment);
}

/* ---- writing one --------------------------------------------------------- */

static void put_list(FILE *out, const char *key, const char *members,
		     size_t size, size_t n)
{
	if (!n)
		return;
	(void)fprintf(out, "%s:\n", key);
	for (size_t i = 0; i < n; i++) {
		(void)fputs("  - ", out);
		policy_yaml_quote(out, members + i * size);
		(void)fputc('\n', out);
	}
}

static void put_enrolment(FILE *out, const struct enrolment *enrolment)
{
	char key[SIGN_PUBLIC_CHARS_MAX], seal[SEAL_TEXT_CHARS_MAX];

	sign_public_format(&enrolment->key, key);
	seal_public_format(&enrolment->seal, seal);
	(void)fputs(ENROLMENT_KEY ": 1\nissuer: ", out);
	policy_yaml_quote(out, enrolment->issuer);
	(void)fputs("\nhost: ", out);
	policy_yaml_quote(out, enrolment->host);
	(void)fprintf(out, "\nkey: %s\nseal: %s\n", key, seal);
	put_list(out, "servers", enrolment->servers[0],
		 sizeof(enrolment->servers[0]), enrolment->n_servers);
	put_list(out, "groups", enrolment->groups[0],
		 sizeof(enrolment->groups[0]), enrolment->n_groups);
	(void)fprintf(out, "serial: %" PRIu64 "\n", enrolment->serial);
}

int enrolment_format(const struct enrolment *enrolment, char **ret_text)
{
	struct enrolment *again = NULL;
	char *text = NULL;
	size_t len = 0;
	FILE *out;
	int r;

	out = open_memstream(&text, &len);
	if (!out)
		return -ENOMEM;
	put_enrolment(out, enrolment);
	if (fclose(out) == EOF) {
		free(text);
		return -ENOMEM;
	}
	/* What nobody takes is not written. */
	r = enrolment_parse("enrolment", text, len, &again, NULL);
	if (!r && strcmp(again->issuer, enrolment->issuer) != 0)
		r = -EINVAL;
	enrolment_free(again);
	if (r) {
		free(text);
		return r == -ENOMEM ? r : -EINVAL;
	}
	*ret_text = text;
	return 0;
}

/* ---- for this host? ------------------------------------------------------ */

bool enrolment_fits(const struct enrolment *enrolment,
		    const struct sign_public *key, const char *issuer,
		    char *buf, size_t size)
{
	char theirs[FLEET_ID_CHARS_MAX], ours[FLEET_ID_CHARS_MAX];

	buf[0] = '\0';
	if (strcmp(enrolment->issuer, issuer) != 0) {
		(void)snprintf(buf, size,
			       "its issuer is %.128s, and this host's is "
			       "%.128s",
			       enrolment->issuer, issuer);
	} else if (memcmp(enrolment->key.bytes, key->bytes,
			  sizeof(key->bytes)) != 0) {
		fleet_id(&enrolment->key, theirs);
		fleet_id(key, ours);
		(void)snprintf(buf, size,
			       "it is for the host %s with the id %s, and this "
			       "one's is %s; give the issuer what cordon "
			       "enroll request prints here",
			       enrolment->host, theirs, ours);
	}
	log_clean(buf);
	return !buf[0];
}
