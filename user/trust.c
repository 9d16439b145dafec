// SPDX-License-Identifier: GPL-2.0-only
#include "trust.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "array.h"
#include "evidence.h"
#include "log.h"
#include "place.h"
#include "policy_take.h"
#include "policy_yaml.h"
#include "state.h"

#define SUFFIX	    ".minisig"
#define KEY_EXAMPLE "RW and 54 more characters, the last line of a .pub file"

/* ---- trust.yaml --------------------------------------------------------- */

static const struct trust_key *same_key(const struct trust *trust,
					const struct minisign_public *public)
{
	for (size_t i = 0; i < trust->n; i++)
		if (memcmp(trust->keys[i].public.key, public->key,
			   sizeof(public->key)) == 0 ||
		    memcmp(trust->keys[i].public.id, public->id,
			   sizeof(public->id)) == 0)
			return &trust->keys[i];
	return NULL;
}

static const struct policy_pos *defined_at(const struct trust *trust,
					   const char *name)
{
	for (size_t i = 0; i < trust->n; i++)
		if (strcmp(trust->keys[i].name, name) == 0)
			return &trust->keys[i].pos;
	return NULL;
}

static int take_key(struct parser *ps, struct trust *trust,
		    const struct policy_yaml *name, bool revoked)
{
	const struct policy_yaml *value = name->next;
	struct trust_key key = {.revoked = revoked};
	const struct trust_key *same;
	char *text = NULL;
	int r;

	r = take_name(ps, name, "a key", defined_at(trust, name->text), &text,
		      &key.pos);
	if (r)
		return r == -ENOMEM ? r : 0;
	(void)snprintf(key.name, sizeof(key.name), "%s", text);
	free(text);
	if (!take_scalar(ps, value, "a key", KEY_EXAMPLE))
		return 0;
	if (minisign_public_parse(value->text, &key.public)) {
		take_fail(ps, value->pos,
			  "%s is no public key of minisign; "
			  "expected " KEY_EXAMPLE,
			  take_quote(value).s);
		return 0;
	}
	/* Whoever had two names would be two of the threshold. */
	same = same_key(trust, &key.public);
	if (same) {
		take_fail(ps, value->pos,
			  "this is the key of \"%s\" in line %" PRIu32
			  "; expected another one",
			  same->name, same->pos.line);
		return 0;
	}
	trust->keys[trust->n++] = key;
	return 0;
}

static int take_trusted(struct parser *ps, struct trust *trust,
			const struct policy_yaml *node, bool revoked)
{
	const char *what = revoked ? "revoked" : "keys";
	const struct policy_yaml *key;
	size_t n;
	int r = 0;

	key = take_names(ps, node, what, "a map of names and public keys",
			 TRUST_KEYS_MAX - trust->n, &n);
	for (size_t i = 0; !r && i < n; i++, key = key->next->next)
		r = take_key(ps, trust, key, revoked);
	return r;
}

static int take_trust(struct parser *ps, const struct policy_yaml *root,
		      struct trust *trust)
{
	enum { FORMAT, ISSUER, VERSION, THRESHOLD, KEYS, REVOKED, N_KEYS };
	static const struct take_key keys[] = {
		[FORMAT] = {TRUST_KEY, "1"},
		[ISSUER] = {"issuer", "Example Police Service"},
		[VERSION] = {"version", "1"},
		[THRESHOLD] = {"threshold", "2"},
		[KEYS] = {"keys", "{alice: RWQ...}"},
		[REVOKED] = {"revoked", NULL},
	};
	static const struct take_schema schema = {"the trust anchors", keys,
						  N_KEYS};
	const struct policy_yaml *v[N_KEYS];
	uint64_t format = 1;
	int r = 0;

	if (!take_kind(ps, root, KIND_TRUST) ||
	    !take_keys(ps, root, &schema, v))
		return 0;
	if (v[FORMAT])
		take_u64(ps, v[FORMAT], TRUST_KEY, 1, 1, &format);
	if (v[ISSUER])
		r = take_string(ps, v[ISSUER], "issuer",
				POLICY_ISSUER_CHARS_MAX, &trust->issuer);
	if (v[VERSION])
		take_u64(ps, v[VERSION], "version", 1, INT64_MAX,
			 &trust->version);
	if (v[THRESHOLD])
		take_u64(ps, v[THRESHOLD], "threshold", 1, TRUST_KEYS_MAX,
			 &trust->threshold);
	if (!r && v[KEYS])
		r = take_trusted(ps, trust, v[KEYS], false);
	trust->able = trust->n;
	if (v[THRESHOLD] && !ps->bad && trust->threshold > trust->n)
		take_fail(ps, v[THRESHOLD]->pos,
			  "threshold %" PRIu64 " of %zu key%s: nothing could "
			  "ever be signed; expected at most %zu",
			  trust->threshold, trust->n, trust->n == 1 ? "" : "s",
			  trust->n);
	if (!r && v[REVOKED])
		r = take_trusted(ps, trust, v[REVOKED], true);
	return r;
}

int trust_parse(const char *name, const void *buf, size_t len,
		struct trust **ret_trust, struct policy_errors *errs)
{
	struct parser ps = {.name = name, .errs = errs};
	struct policy_yaml *root = NULL;
	struct trust *trust = NULL;
	int r;

	policy_errors_init(errs);
	if (len > TRUST_FILE_BYTES_MAX) {
		policy_errors_add(errs, name, (struct policy_pos){0},
				  "more than 64 KiB; expected trust anchors of "
				  "at most that size");
		return -E2BIG;
	}
	r = policy_yaml_parse(name, buf, len, &root, errs);
	if (r)
		goto out;
	trust = calloc(1, sizeof(*trust));
	r = trust ? take_trust(&ps, root, trust) : -ENOMEM;
	if (!r && ps.bad)
		r = -EINVAL;
	if (r)
		goto out;
	sign_hash(buf, len, trust->sha256);
	*ret_trust = trust;
	trust = NULL;
out:
	trust_free(trust);
	policy_yaml_free(root);
	return r;
}

void trust_free(struct trust *trust)
{
	if (!trust)
		return;
	free(trust->issuer);
	free(trust);
}

/* ---- signatures --------------------------------------------------------- */

static const struct trust_key *
key_of(const struct trust *trust, const struct minisign_signature *signature)
{
	for (size_t i = 0; i < trust->n; i++)
		if (memcmp(trust->keys[i].public.id, signature->id,
			   sizeof(signature->id)) == 0)
			return &trust->keys[i];
	return NULL;
}

static bool has_signed(const struct trust_signers *signers,
		       const struct trust_key *key)
{
	for (size_t i = 0; i < signers->n; i++)
		if (signers->at[i].found == TRUST_SIGNED &&
		    signers->at[i].key == key)
			return true;
	return false;
}

static enum trust_signer judge(const struct trust_signature *signature,
			       const struct trust_key *key,
			       const struct trust_signers *before,
			       const void *bytes, size_t len)
{
	if (signature->error)
		return TRUST_MALFORMED;
	if (!key)
		return TRUST_UNKNOWN;
	if (key->revoked)
		return TRUST_REVOKED;
	if (!minisign_check(&key->public, &signature->signature, bytes, len))
		return TRUST_FORGED;
	return has_signed(before, key) ? TRUST_AGAIN : TRUST_SIGNED;
}

bool trust_check(const struct trust *trust,
		 const struct trust_signature *signatures, size_t n,
		 const void *bytes, size_t len,
		 struct trust_signers *ret_signers)
{
	const struct trust_key *key;
	enum trust_signer found;

	*ret_signers = (struct trust_signers){0};
	for (size_t i = 0; i < n && i < TRUST_SIGNATURES_MAX; i++) {
		key = signatures[i].error
			      ? NULL
			      : key_of(trust, &signatures[i].signature);
		found = judge(&signatures[i], key, ret_signers, bytes, len);
		ret_signers->at[i].found = found;
		ret_signers->at[i].key = key;
		ret_signers->good += found == TRUST_SIGNED;
		ret_signers->n++;
	}
	return ret_signers->good >= trust->threshold;
}

struct trust trust_with_revoked(const struct trust *trust)
{
	struct trust all = *trust;

	all.able = all.n;
	for (size_t i = 0; i < all.n; i++)
		all.keys[i].revoked = false;
	return all;
}

const char *trust_signer_name(enum trust_signer signer)
{
	static const char *const names[] = {
		[TRUST_SIGNED] = "signed",   [TRUST_UNKNOWN] = "unknown",
		[TRUST_REVOKED] = "revoked", [TRUST_FORGED] = "forged",
		[TRUST_AGAIN] = "again",     [TRUST_MALFORMED] = "malformed",
	};

	return names[signer];
}

static void say(char *buf, size_t size, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

static void say(char *buf, size_t size, const char *format, ...)
{
	size_t len = strlen(buf);
	va_list ap;

	va_start(ap, format);
	(void)vsnprintf(buf + len, size - len, format, ap);
	va_end(ap);
}

static const char *malformed_as(int error)
{
	if (error == -ENOTSUP)
		return "is a signature without a hash (minisign -l)";
	if (error == -EPERM)
		return "can be changed by others than root: chown root:root, "
		       "chmod go-w";
	return "is no signature of minisign";
}

static void say_one(const struct trust_signature *signature,
		    enum trust_signer found, const struct trust_key *key,
		    char *buf, size_t size)
{
	char id[MINISIGN_ID_MAX] = "";

	if (!signature->error)
		minisign_id_format(signature->signature.id, id);
	switch (found) {
	case TRUST_SIGNED:
		say(buf, size, "signed by %s", key->name);
		break;
	case TRUST_UNKNOWN:
		say(buf, size, "%s is of the key %s, which is not trusted here",
		    signature->file, id);
		break;
	case TRUST_REVOKED:
		say(buf, size, "the key of %s is revoked", key->name);
		break;
	case TRUST_FORGED:
		say(buf, size,
		    "%s claims to be %s's and is not: these are other bytes, "
		    "or another key",
		    signature->file, key->name);
		break;
	case TRUST_AGAIN:
		say(buf, size, "%s has signed twice, which counts once",
		    key->name);
		break;
	case TRUST_MALFORMED:
		say(buf, size, "%s %s", signature->file,
		    malformed_as(signature->error));
		break;
	}
}

void trust_summary(const struct trust *trust,
		   const struct trust_signers *signers, char *buf, size_t size)
{
	buf[0] = '\0';
	if (!signers->n)
		say(buf, size, "not signed");
	else
		say(buf, size, "%zu of %" PRIu64 " signatures", signers->good,
		    trust->threshold);
	say(buf, size, "; %" PRIu64 " of the keys of %s %s to sign it",
	    trust->threshold, trust->issuer,
	    trust->threshold == 1 ? "has" : "have");
	log_clean(buf);
}

void trust_words(const struct trust *trust,
		 const struct trust_signature *signatures,
		 const struct trust_signers *signers, char *buf, size_t size)
{
	trust_summary(trust, signers, buf, size);
	for (size_t i = 0; i < signers->n; i++) {
		say(buf, size, "; ");
		say_one(&signatures[i], signers->at[i].found,
			signers->at[i].key, buf, size);
	}
	log_clean(buf);
}

/* The words about signatures, behind what they are about. */
static bool enough(const struct trust *trust, const struct trust_bundle *bundle,
		   const char *whose, struct trust_signers *ret_signers,
		   char *buf, size_t size)
{
	char words[TRUST_WORDS_MAX];

	if (trust_check(trust, bundle->signatures, bundle->n, bundle->bytes,
			bundle->len, ret_signers))
		return true;
	trust_words(trust, bundle->signatures, ret_signers, words,
		    sizeof(words));
	(void)snprintf(buf, size, "by %s: %s", whose, words);
	return false;
}

static bool has_key(const struct trust *trust,
		    const struct minisign_public *public)
{
	for (size_t i = 0; i < trust->n; i++)
		if (memcmp(&trust->keys[i].public, public, sizeof(*public)) ==
		    0)
			return true;
	return false;
}

/*
 * What a key has signed may be in force longer than the key: a policy that is
 * kept for a boot, an enrolment. Without the key nobody could tell any more.
 */
static bool forgets_nobody(const struct trust *old, const struct trust *next,
			   char *buf, size_t size)
{
	for (size_t i = 0; i < old->n; i++) {
		if (has_key(next, &old->keys[i].public))
			continue;
		(void)snprintf(buf, size,
			       "the key of %s is left out: who signs no more "
			       "stands under revoked, so that it can be told "
			       "what was signed before",
			       old->keys[i].name);
		return false;
	}
	return true;
}

int trust_succeeds(const struct trust *old, const struct trust *next,
		   const struct trust_bundle *bundle,
		   struct trust_signers *ret_signers, char *buf, size_t size)
{
	struct trust_signers own;
	bool by_old, by_own;

	*ret_signers = (struct trust_signers){0};
	by_old = enough(old, bundle, "the keys in force", ret_signers, buf,
			size);
	by_own = by_old ? enough(next, bundle, "its own keys", &own, buf, size)
			: trust_check(next, bundle->signatures, bundle->n,
				      bundle->bytes, bundle->len, &own);
	/* Who signs for the first time is known to the new ones only. */
	for (size_t i = 0; i < own.n; i++)
		if (ret_signers->at[i].found == TRUST_UNKNOWN)
			ret_signers->at[i] = own.at[i];
	if (!by_old || !by_own)
		return -ENOKEY;
	if (strcmp(old->issuer, next->issuer) != 0) {
		(void)snprintf(buf, size, "its issuer is %.128s, not %.128s",
			       next->issuer, old->issuer);
		log_clean(buf);
		return -EPERM;
	}
	if (next->version != old->version + 1) {
		(void)snprintf(buf, size,
			       "its version is %" PRIu64 ", and %" PRIu64
			       " is in force; expected %" PRIu64
			       ": one version at a time",
			       next->version, old->version, old->version + 1);
		return -EPERM;
	}
	return forgets_nobody(old, next, buf, size) ? 0 : -EPERM;
}

/* ---- files -------------------------------------------------------------- */

/* NAME.minisig, or NAME.ANYTHING.minisig. */
static bool is_signature_of(const char *file, const char *name)
{
	size_t len = strlen(name), all = strlen(file);
	const size_t suffix = sizeof(SUFFIX) - 1;

	if (all < len + suffix || strncmp(file, name, len) != 0 ||
	    strcmp(file + all - suffix, SUFFIX) != 0)
		return false;
	return all == len + suffix ||
	       (file[len] == '.' && all > len + 1 + suffix);
}

/* What is wrong with it is told by who judges it. */
static int read_signature(int dir, bool ours, struct trust_signature *signature)
{
	char *text = signature->text;
	bool others = false;
	struct stat st;
	ssize_t n = -1;
	int fd;

	fd = openat(dir, signature->file,
		    O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	if (!fstat(fd, &st) && S_ISREG(st.st_mode)) {
		others = ours && !place_is_ours(&st);
		n = read(fd, text, MINISIGN_TEXT_MAX);
	}
	(void)close(fd);
	if (others)
		return -EPERM;
	if (n < 0 || n == MINISIGN_TEXT_MAX) {
		text[0] = '\0';
		return -EINVAL;
	}
	text[n] = '\0';
	return minisign_signature_parse(text, (size_t)n, &signature->signature);
}

static int by_file(const void *a, const void *b)
{
	const struct trust_signature *x = a, *y = b;

	return strcmp(x->file, y->file);
}

static int add_signature(struct trust_bundle *bundle, int dir, bool ours,
			 const char *file)
{
	struct trust_signature *grown, *at;

	grown = array_grow(bundle->signatures, bundle->n, sizeof(*grown));
	if (!grown)
		return -ENOMEM;
	bundle->signatures = grown;
	at = &grown[bundle->n++];
	memset(at, 0, sizeof(*at));
	(void)snprintf(at->file, sizeof(at->file), "%s", file);
	at->error = read_signature(dir, ours, at);
	/* From here on it is for people, and for JSON. */
	log_clean(at->file);
	return 0;
}

static int open_dir_of(const char *path)
{
	char *copy = strdup(path), *slash;
	int fd;

	if (!copy)
		return -ENOMEM;
	slash = strrchr(copy, '/');
	if (slash)
		slash[slash == copy] = '\0';
	fd = open(slash ? copy : ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	free(copy);
	return fd < 0 ? -errno : fd;
}

/* Steals fd, of the directory; below 0: it is the error. */
static int read_signatures(int fd, bool ours, const char *path,
			   struct trust_bundle *bundle,
			   struct policy_errors *errs)
{
	const char *name = evidence_base(path);
	const struct dirent *entry;
	DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	int r = 0;

	if (!dir) {
		r = fd < 0 ? fd : -errno;
		if (fd >= 0)
			(void)close(fd);
		return r;
	}
	while (!r && (entry = readdir(dir))) {
		if (!is_signature_of(entry->d_name, name))
			continue;
		if (bundle->n < TRUST_SIGNATURES_MAX) {
			r = add_signature(bundle, dirfd(dir), ours,
					  entry->d_name);
			continue;
		}
		policy_errors_add(errs, path, (struct policy_pos){0},
				  "more than %d signatures lie beside it; take "
				  "away those that nobody needs",
				  TRUST_SIGNATURES_MAX);
		r = -EFBIG;
	}
	(void)closedir(dir);
	if (bundle->n)
		qsort(bundle->signatures, bundle->n,
		      sizeof(*bundle->signatures), by_file);
	return r;
}

int trust_bundle_read(const char *path, struct trust_bundle *ret_bundle,
		      struct policy_errors *errs)
{
	struct trust_bundle bundle = {0};
	int r;

	r = policy_read(path, &bundle.bytes, &bundle.len, errs);
	if (!r)
		r = read_signatures(open_dir_of(path), false, path, &bundle,
				    errs);
	if (r)
		trust_bundle_release(&bundle);
	else
		*ret_bundle = bundle;
	return r;
}

int trust_bundle_read_ours(const char *path, struct trust_bundle *ret_bundle,
			   struct policy_errors *errs)
{
	struct trust_bundle bundle = {0};
	char why[PLACE_WHY_CHARS_MAX];
	int dir, fd, r;

	policy_errors_init(errs);
	r = place_open(path, &dir, &fd, why);
	if (r) {
		policy_errors_add(errs, path, (struct policy_pos){0}, "%s",
				  why[0] ? why : strerror(-r));
		return r;
	}
	r = policy_read_fd(fd, path, &bundle.bytes, &bundle.len, errs);
	(void)close(fd);
	if (r)
		(void)close(dir);
	else
		r = read_signatures(dir, true, path, &bundle, errs);
	if (r)
		trust_bundle_release(&bundle);
	else
		*ret_bundle = bundle;
	return r;
}

/* ---- putting it elsewhere ------------------------------------------------ */

/*
 * What stands behind the name of the file in that of a signature. One that came
 * with the bundle may have any name, and leads nowhere else.
 */
static void rest_of_name(const struct trust_bundle *bundle, size_t i,
			 const char *base, char *buf, size_t size)
{
	const char *file = bundle->signatures[i].file;

	if (is_signature_of(file, base) && !strchr(file, '/'))
		(void)snprintf(buf, size, "%s", file + strlen(base));
	else
		(void)snprintf(buf, size, ".%zu" SUFFIX, i + 1);
}

static bool has_signature(const struct trust_bundle *bundle, const char *base,
			  const char *rest)
{
	char own[TRUST_FILE_CHARS_MAX];

	for (size_t i = 0; i < bundle->n; i++) {
		rest_of_name(bundle, i, base, own, sizeof(own));
		if (strcmp(own, rest) == 0)
			return true;
	}
	return false;
}

/* All signatures of path but those that have the same names as the bundle's. */
static void remove_others(const char *path, const char *base,
			  const struct trust_bundle *bundle)
{
	const char *name = evidence_base(path);
	const struct dirent *entry;
	int fd = open_dir_of(path);
	DIR *all = fd < 0 ? NULL : fdopendir(fd);

	while (all && (entry = readdir(all)))
		if (is_signature_of(entry->d_name, name) &&
		    !has_signature(bundle, base, entry->d_name + strlen(name)))
			(void)unlinkat(fd, entry->d_name, 0);
	if (all)
		(void)closedir(all);
	else if (fd >= 0)
		(void)close(fd);
}

int trust_bundle_put(const char *path, const char *base,
		     const struct trust_bundle *bundle)
{
	char beside[PATH_MAX], rest[TRUST_FILE_CHARS_MAX];
	int r = 0;

	for (size_t i = 0; !r && i < bundle->n; i++) {
		rest_of_name(bundle, i, base, rest, sizeof(rest));
		if (snprintf(beside, sizeof(beside), "%s%s", path, rest) >=
		    (int)sizeof(beside))
			return -ENAMETOOLONG;
		r = state_put_over(beside, bundle->signatures[i].text,
				   strlen(bundle->signatures[i].text));
	}
	if (!r)
		r = state_put_over(path, bundle->bytes, bundle->len);
	if (r)
		return r;
	remove_others(path, base, bundle);
	return state_sync_dir(path);
}

int trust_bundle_remove(const char *path)
{
	remove_others(path, "", &(const struct trust_bundle){0});
	return unlink(path) < 0 ? -errno : state_sync_dir(path);
}

void trust_bundle_release(struct trust_bundle *bundle)
{
	free(bundle->bytes);
	free(bundle->signatures);
	*bundle = (struct trust_bundle){0};
}

/* ---- bundles from elsewhere ---------------------------------------------- */

json_t *trust_bundle_json(const struct trust_bundle *bundle)
{
	const struct trust_signature *at = bundle->signatures;
	json_t *list = json_array();

	for (size_t i = 0; i < bundle->n; i++)
		if (!at[i].error)
			(void)json_array_append_new(
				list,
				json_pack("{s:s, s:s}", "file", at[i].file,
					  "text", at[i].text));
	return json_pack("{s:s%, s:o}", "policy", bundle->bytes, bundle->len,
			 "signatures", list);
}

static void take_signature(const json_t *item, struct trust_signature *at)
{
	const char *text = evidence_text(item, "text");

	(void)snprintf(at->file, sizeof(at->file), "%s",
		       evidence_text(item, "file"));
	/* It is for people, and for JSON. */
	log_clean(at->file);
	(void)snprintf(at->text, sizeof(at->text), "%s", text);
	at->error =
		minisign_signature_parse(text, strlen(text), &at->signature);
}

int trust_bundle_from_json(const json_t *json, struct trust_bundle *ret_bundle)
{
	const json_t *list = json_object_get(json, "signatures"), *item;
	const json_t *bytes = json_object_get(json, "policy");
	struct trust_bundle bundle = {0};
	size_t i;

	if (!json_is_string(bytes) || !json_is_array(list))
		return -EUCLEAN;
	if (json_array_size(list) > TRUST_SIGNATURES_MAX)
		return -EFBIG;
	bundle.len = json_string_length(bytes);
	bundle.bytes = malloc(bundle.len + 1);
	bundle.signatures =
		calloc(TRUST_SIGNATURES_MAX, sizeof(*bundle.signatures));
	if (!bundle.bytes || !bundle.signatures) {
		trust_bundle_release(&bundle);
		return -ENOMEM;
	}
	memcpy(bundle.bytes, json_string_value(bytes), bundle.len + 1);
	json_array_foreach (list, i, item)
		take_signature(item, &bundle.signatures[bundle.n++]);
	*ret_bundle = bundle;
	return 0;
}

int trust_bundle_parse(const char *text, size_t len,
		       struct trust_bundle *ret_bundle, uint64_t *ret_serial)
{
	json_t *json = json_loadb(text, len, JSON_REJECT_DUPLICATES, NULL);
	uint64_t serial = evidence_number(json, "serial");
	int r = -EUCLEAN;

	if (evidence_number(json, "cordon") == 1 && serial)
		r = trust_bundle_from_json(json, ret_bundle);
	if (!r)
		*ret_serial = serial;
	json_decref(json);
	return r;
}
