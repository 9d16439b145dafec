// SPDX-License-Identifier: GPL-2.0-only
#include "act.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "log.h"
#include "policy_take.h"
#include "policy_yaml.h"

#define HOST_CHARS                   \
	"ABCDEFGHIJKLMNOPQRSTUVWXYZ" \
	"abcdefghijklmnopqrstuvwxyz" \
	"0123456789._-"
#define HEX_CHARS "0123456789abcdef"

static const char *const kind_names[ACT_KIND_MAX] = {
	[ACT_BREAK_GLASS] = "break-glass",
	[ACT_UNINSTALL] = "uninstall",
	[ACT_RECOVER] = "recover",
};

const char *act_kind_name(enum act_kind kind)
{
	return kind < ACT_KIND_MAX ? kind_names[kind] : "?";
}

int act_kind_find(const char *name, enum act_kind *ret_kind)
{
	for (unsigned int i = 0; i < ACT_KIND_MAX; i++)
		if (strcmp(name, kind_names[i]) == 0) {
			*ret_kind = i;
			return 0;
		}
	return -EINVAL;
}

void act_host_key(const struct sign_public *public,
		  char ret_hash[SIGN_HASH_CHARS_MAX])
{
	sign_hash(public->bytes, sizeof(public->bytes), ret_hash);
}

/* ---- reading ------------------------------------------------------------- */

/* A text of at most size - 1 bytes, in memory of our own. */
static int take_text(struct parser *ps, const struct policy_yaml *node,
		     const char *what, char *ret_text, size_t size)
{
	char *text = NULL;
	int r;

	r = take_string(ps, node, what, size - 1, &text);
	if (!r && text)
		(void)snprintf(ret_text, size, "%s", text);
	free(text);
	return r;
}

/* All of so many letters of that set. */
static void take_word(struct parser *ps, const struct policy_yaml *node,
		      const char *what, const char *letters, size_t min,
		      size_t max, const char *expected, char *ret_word)
{
	const char *text = take_scalar(ps, node, what, expected);

	if (!text)
		return;
	if (node->len < min || node->len > max ||
	    strspn(text, letters) != node->len)
		take_fail(ps, node->pos, "%s is %s; expected %s", what,
			  take_quote(node).s, expected);
	else
		memcpy(ret_word, text, node->len + 1);
}

static void take_lasts(struct parser *ps, const struct policy_yaml *node,
		       uint64_t *ret_ns)
{
	static const char expected[] =
		"a length of time from 1 minute to 24 hours, such as "
		"\"60 minutes\"";
	const char *text = take_scalar(ps, node, "lasts", expected);

	if (text && text_parse_duration(text, ACT_LASTS_NS_MIN,
					ACT_LASTS_NS_MAX, ret_ns))
		take_fail(ps, node->pos, "lasts is %s; expected %s",
			  take_quote(node).s, expected);
}

/* What only one kind of act has, and has to have. */
static void check_own(struct parser *ps, const struct act *act,
		      const struct policy_yaml *root,
		      const struct policy_yaml *value, const char *key,
		      enum act_kind kind)
{
	if (value && act->kind != kind)
		take_fail(ps, value->pos,
			  "%s stands in an act \"%s\"; only \"%s\" has it", key,
			  act_kind_name(act->kind), act_kind_name(kind));
	else if (!value && act->kind == kind)
		take_fail(ps, root->pos,
			  "%s is missing, which an act \"%s\" "
			  "has to have",
			  key, act_kind_name(kind));
}

static int take_act(struct parser *ps, const struct policy_yaml *root,
		    struct act *act)
{
	enum {
		FORMAT,
		KIND,
		ISSUER,
		HOST,
		HOST_KEY,
		NONCE,
		ASKED,
		LASTS,
		SERIAL,
		REASON,
		N_KEYS
	};
	static const struct take_key keys[] = {
		[FORMAT] = {ACT_KEY, "1"},
		[KIND] = {"act", "break-glass"},
		[ISSUER] = {"issuer", "Example Police Service"},
		[HOST] = {"host", "cardprint-03"},
		[HOST_KEY] = {"host-key", "what cordon evidence key prints"},
		[NONCE] = {"nonce", "what cordon act request wrote"},
		[ASKED] = {"asked", "what cordon act request wrote"},
		[LASTS] = {"lasts", NULL},
		[SERIAL] = {"serial", NULL},
		[REASON] = {"reason", "why"},
	};
	static const struct take_schema schema = {"an act", keys, N_KEYS};
	const struct policy_yaml *v[N_KEYS];
	unsigned int kind = ACT_KIND_MAX;
	uint64_t format = 1;
	int r = 0;

	if (!take_keys(ps, root, &schema, v))
		return 0;
	if (v[FORMAT])
		take_u64(ps, v[FORMAT], ACT_KEY, 1, 1, &format);
	if (v[KIND])
		take_choice(ps, v[KIND], "act", kind_names, ACT_KIND_MAX,
			    &kind);
	act->kind = kind;
	if (v[ISSUER])
		r = take_text(ps, v[ISSUER], "issuer", act->issuer,
			      sizeof(act->issuer));
	if (v[HOST])
		take_word(ps, v[HOST], "host", HOST_CHARS, 1,
			  POLICY_HOST_CHARS_MAX, "the name of one host",
			  act->host);
	if (v[HOST_KEY])
		take_word(ps, v[HOST_KEY], "host-key", HEX_CHARS,
			  SIGN_HASH_CHARS_MAX - 1, SIGN_HASH_CHARS_MAX - 1,
			  "64 digits of 0-9 a-f", act->host_key);
	if (v[NONCE])
		take_word(ps, v[NONCE], "nonce", HEX_CHARS,
			  ACT_NONCE_CHARS_MAX - 1, ACT_NONCE_CHARS_MAX - 1,
			  "32 digits of 0-9 a-f", act->nonce);
	if (v[ASKED])
		take_time(ps, v[ASKED], "asked", &act->asked_s);
	if (v[LASTS])
		take_lasts(ps, v[LASTS], &act->lasts_ns);
	if (v[SERIAL])
		take_u64(ps, v[SERIAL], "serial", 1, INT64_MAX, &act->serial);
	if (!r && v[REASON])
		r = take_text(ps, v[REASON], "reason", act->reason,
			      sizeof(act->reason));
	if (kind == ACT_KIND_MAX)
		return r;
	check_own(ps, act, root, v[LASTS], "lasts", ACT_BREAK_GLASS);
	check_own(ps, act, root, v[SERIAL], "serial", ACT_RECOVER);
	return r;
}

int act_parse(const char *name, const void *buf, size_t len,
	      struct act *ret_act, struct policy_errors *errs)
{
	struct parser ps = {.name = name, .errs = errs};
	struct policy_yaml *root = NULL;
	struct act act = {0};
	int r;

	policy_errors_init(errs);
	if (len > ACT_FILE_BYTES_MAX) {
		policy_errors_add(errs, name, (struct policy_pos){0},
				  "more than %u bytes; expected an act of at "
				  "most that size",
				  ACT_FILE_BYTES_MAX);
		return -E2BIG;
	}
	r = policy_yaml_parse(name, buf, len, &root, errs);
	if (r)
		return r;
	if (take_kind(&ps, root, KIND_ACT))
		r = take_act(&ps, root, &act);
	policy_yaml_free(root);
	if (!r && ps.bad)
		r = -EINVAL;
	if (r)
		return r;
	sign_hash(buf, len, act.sha256);
	*ret_act = act;
	return 0;
}

/* ---- writing ------------------------------------------------------------- */

static void put_text(FILE *out, const char *key, const char *text)
{
	(void)fprintf(out, "%s: ", key);
	policy_yaml_quote(out, text);
	(void)fputc('\n', out);
}

static void put_act(FILE *out, const struct act *act)
{
	char lasts[TEXT_NUMBER_CHARS_MAX], asked[TEXT_NUMBER_CHARS_MAX];

	text_format_time(act->asked_s, asked, sizeof(asked));
	(void)fprintf(out, ACT_KEY ": 1\nact: %s\n", act_kind_name(act->kind));
	put_text(out, "issuer", act->issuer);
	put_text(out, "host", act->host);
	(void)fprintf(out, "host-key: %s\nnonce: \"%s\"\nasked: %s\n",
		      act->host_key, act->nonce, asked);
	if (act->kind == ACT_BREAK_GLASS) {
		text_format_duration(act->lasts_ns, lasts, sizeof(lasts));
		(void)fprintf(out, "lasts: %s\n", lasts);
	}
	if (act->kind == ACT_RECOVER)
		(void)fprintf(out, "serial: %" PRIu64 "\n", act->serial);
	put_text(out, "reason", act->reason);
}

int act_format(const struct act *act, char **ret_text,
	       struct policy_errors *errs)
{
	struct act again;
	char *text = NULL;
	size_t len = 0;
	FILE *out;
	int r;

	out = open_memstream(&text, &len);
	if (!out)
		return -ENOMEM;
	put_act(out, act);
	r = fclose(out) ? -ENOMEM : 0;
	/* What nobody takes is not written. */
	if (!r)
		r = act_parse("the act", text, len, &again, errs);
	if (!r && (strcmp(act->reason, again.reason) != 0 ||
		   strcmp(act->issuer, again.issuer) != 0)) {
		policy_errors_add(errs, "the act", (struct policy_pos){0},
				  "a text has quotes of both kinds, or a "
				  "backslash and one of these; expected one "
				  "kind");
		r = -EINVAL;
	}
	if (r) {
		free(text);
		return r == -ENOMEM ? r : -EINVAL;
	}
	*ret_text = text;
	return 0;
}

/* ---- who, and what ------------------------------------------------------- */

bool act_is_for_host(const struct act *act, const char *hostname)
{
	size_t len = strlen(hostname), own = strlen(act->host);

	/* As policies match it: the same without a dot at its end. */
	if (len > 0 && hostname[len - 1] == '.')
		len--;
	if (own > 0 && act->host[own - 1] == '.')
		own--;
	return len > 0 && len == own &&
	       strncasecmp(act->host, hostname, len) == 0;
}

void act_words(const struct act *act, char *buf, size_t size)
{
	char what[192], lasts[TEXT_NUMBER_CHARS_MAX];
	char asked[TEXT_NUMBER_CHARS_MAX];

	text_format_time(act->asked_s, asked, sizeof(asked));
	text_format_duration(act->lasts_ns, lasts, sizeof(lasts));
	switch (act->kind) {
	case ACT_BREAK_GLASS:
		(void)snprintf(what, sizeof(what),
			       "nothing is denied for %s%s, from when it is "
			       "applied, and what would have been is reported",
			       lasts[0] >= '0' && lasts[0] <= '9' ? "" : "1 ",
			       lasts);
		break;
	case ACT_UNINSTALL:
		(void)snprintf(what, sizeof(what),
			       "the guard is taken away: nothing is protected "
			       "there any more");
		break;
	case ACT_RECOVER:
		(void)snprintf(what, sizeof(what),
			       "the highest serial seen becomes %" PRIu64
			       ": every policy of a higher one can come into "
			       "force again",
			       act->serial);
		break;
	case ACT_KIND_MAX:
		what[0] = '\0';
		break;
	}
	(void)snprintf(buf, size,
		       "on the host %s alone, whose key is %.16s, which asked "
		       "at %s, and once: %s; reason: %s",
		       act->host, act->host_key, asked, what, act->reason);
	log_clean(buf);
}
