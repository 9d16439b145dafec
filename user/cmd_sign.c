// SPDX-License-Identifier: GPL-2.0-only
/*
 * `cordon policy keygen', `sign' and `verify': what the people of an issuer do
 * with their keys. No agent is needed, and none should be near the keys.
 */
#include "act.h"
#include "cmd.h"
#include "cmd_policy.h"
#include "enrolment.h"
#include "kind.h"
#include "log.h"
#include "minisign.h"
#include "remember.h"
#include "state.h"
#include "term.h"
#include "text.h"
#include "trust.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

#define VERB	   "policy"
#define KEY_SUFFIX ".key"

/* All that is secret here, in memory of its own: minisign_secret_new(). */
struct secrets {
	struct minisign_key key;
	char password[MINISIGN_PASSWORD_MAX];
	char again[MINISIGN_PASSWORD_MAX];
	char text[MINISIGN_TEXT_MAX]; /* of the key's file */
};

/* ---- passwords ---------------------------------------------------------- */

/* Its length, of which what fits is in buf; -1: there is none. */
static ssize_t read_line(char *buf, size_t size)
{
	size_t len = 0;
	ssize_t n;
	char c;

	/* No more than the line: what is behind it may be somebody else's. */
	while ((n = read(STDIN_FILENO, &c, 1)) == 1 && c != '\n') {
		if (len < size - 1)
			buf[len] = c;
		len++;
	}
	buf[len < size ? len : size - 1] = '\0';
	return n < 0 || (!n && !len) ? -1 : (ssize_t)len;
}

static struct termios shown; /* the terminal, before it was asked */

/* At any moment, also right before the read: it ends as if not caught. */
static void interrupted(int signal)
{
	(void)tcsetattr(STDIN_FILENO, TCSANOW, &shown);
	(void)raise(signal);
}

/* A line of the terminal, which does not show it and then is as it was. */
static ssize_t read_hidden(const char *prompt, char *buf, size_t size)
{
	static const int ending[] = {SIGINT, SIGTERM, SIGHUP, SIGQUIT};
	const size_t n = sizeof(ending) / sizeof(ending[0]);
	const struct sigaction end = {.sa_handler = interrupted,
				      .sa_flags = (int)SA_RESETHAND};
	struct sigaction before[sizeof(ending) / sizeof(ending[0])];
	struct termios hidden;
	ssize_t len;

	if (tcgetattr(STDIN_FILENO, &shown))
		return -1;
	for (size_t i = 0; i < n; i++)
		(void)sigaction(ending[i], &end, &before[i]);
	hidden = shown;
	hidden.c_lflag &= ~(tcflag_t)ECHO;
	(void)tcsetattr(STDIN_FILENO, TCSAFLUSH, &hidden);
	(void)fprintf(stderr, "%s: ", prompt);
	len = read_line(buf, size);
	(void)tcsetattr(STDIN_FILENO, TCSAFLUSH, &shown);
	(void)fprintf(stderr, "\n");
	for (size_t i = 0; i < n; i++)
		(void)sigaction(ending[i], &before[i], NULL);
	return len;
}

/* From the terminal, else a line of the input. */
static int ask_password(const char *prompt, char buf[MINISIGN_PASSWORD_MAX])
{
	ssize_t len;

	len = isatty(STDIN_FILENO)
		      ? read_hidden(prompt, buf, MINISIGN_PASSWORD_MAX)
		      : read_line(buf, MINISIGN_PASSWORD_MAX);
	if (len < 0)
		(void)fprintf(stderr, "cordon policy: no password was given\n");
	else if (len >= MINISIGN_PASSWORD_MAX)
		(void)fprintf(stderr,
			      "cordon policy: a password of more than %d "
			      "bytes; expected a shorter one\n",
			      MINISIGN_PASSWORD_MAX - 1);
	else
		return CMD_OK;
	return CMD_WRONG;
}

/* ---- keygen ------------------------------------------------------------- */

struct keygen {
	bool bare; /* no password */
	const char *name;
	char secret_file[4096];
	char public_file[4096];
	struct secrets *secrets;
};

static int new_password(const struct keygen *keygen)
{
	char *password = keygen->secrets->password;
	char *again = keygen->secrets->again;
	int r;

	if (keygen->bare)
		return CMD_OK;
	r = ask_password("Password of the new key", password);
	if (!r && isatty(STDIN_FILENO))
		r = ask_password("The same again", again);
	else
		(void)strcpy(again, password);
	if (!r && strcmp(password, again) != 0) {
		(void)fprintf(stderr, "cordon policy: these differ: nothing "
				      "was made\n");
		r = CMD_WRONG;
	}
	if (!r && !password[0]) {
		(void)fprintf(stderr, "cordon policy: an empty password "
				      "protects nothing; --no-password says "
				      "that it is meant\n");
		r = CMD_WRONG;
	}
	return r;
}

static int put_pair(const struct keygen *keygen)
{
	const struct minisign_public *key = &keygen->secrets->key.public;
	const char *secret = keygen->secrets->text;
	char public[MINISIGN_PUBLIC_MAX], id[MINISIGN_ID_MAX];
	char text[MINISIGN_TEXT_MAX];
	int r;

	minisign_public_format(key, public);
	minisign_id_format(key->id, id);
	(void)snprintf(text, sizeof(text),
		       "untrusted comment: public key %s of %.128s\n%s\n", id,
		       keygen->name, public);
	r = state_put_new(keygen->public_file, 0644, text, strlen(text));
	if (r)
		return cmd_policy_failed(keygen->public_file, r);
	r = state_put_new(keygen->secret_file, 0600, secret, strlen(secret));
	if (r) {
		(void)unlink(keygen->public_file);
		return cmd_policy_failed(keygen->secret_file, r);
	}
	(void)printf("%s is the secret key: keep it offline, and a copy of it\n"
		     "%s is the public key; in trust.yaml it stands as\n"
		     "  %s: %s\n",
		     keygen->secret_file, keygen->public_file, keygen->name,
		     public);
	return CMD_OK;
}

static int make_pair(const struct keygen *keygen)
{
	struct secrets *secrets = keygen->secrets;
	int r;

	r = new_password(keygen);
	if (r)
		return r;
	minisign_key_new(&secrets->key);
	r = minisign_key_lock(&secrets->key, secrets->password, secrets->text);
	return r ? cmd_policy_failed("the password needs 1 GiB of memory", r)
		 : put_pair(keygen);
}

int cmd_policy_keygen(int argc, char **argv)
{
	enum { OPT_BARE = CMD_OPT_OWN };
	static const struct option options[] = {
		{"help", no_argument, NULL, CMD_OPT_HELP},
		{"no-password", no_argument, NULL, OPT_BARE},
		{0},
	};
	struct cmd_common common = {0};
	struct keygen keygen = {0};
	int code, r;

	cmd_keep_secrets();
	if (minisign_init())
		return cmd_policy_failed("libsodium", -ENOTSUP);
	while ((code = getopt_long(argc, argv, "", options, NULL)) != -1) {
		r = cmd_take_shared(&common, code, VERB);
		if (code == OPT_BARE)
			keygen.bare = true;
		else if (r)
			return r == CMD_DONE ? CMD_OK : r;
	}
	if (argc - optind != 1 || !argv[optind][0] ||
	    strlen(argv[optind]) > 4000)
		return cmd_usage(VERB, "keygen: expected a NAME: alice makes "
				       "alice.key and alice.pub");
	keygen.name = strrchr(argv[optind], '/');
	keygen.name = keygen.name ? keygen.name + 1 : argv[optind];
	(void)snprintf(keygen.secret_file, sizeof(keygen.secret_file),
		       "%s" KEY_SUFFIX, argv[optind]);
	(void)snprintf(keygen.public_file, sizeof(keygen.public_file), "%s.pub",
		       argv[optind]);
	keygen.secrets = minisign_secret_new(sizeof(*keygen.secrets));
	if (!keygen.secrets)
		return cmd_policy_failed("keygen", -ENOMEM);
	r = make_pair(&keygen);
	minisign_secret_free(keygen.secrets);
	return r;
}

/* ---- what is signed ----------------------------------------------------- */

/* One of them is not NULL. */
struct content {
	struct policy *policy;
	struct trust *trust;
	struct enrolment *enrolment;
	struct act *act;
};

static void content_release(struct content *content)
{
	policy_free(content->policy);
	trust_free(content->trust);
	enrolment_free(content->enrolment);
	free(content->act);
}

static int act_of(const char *path, const struct trust_bundle *bundle,
		  struct act **ret_act, struct policy_errors *errs)
{
	struct act *act = calloc(1, sizeof(*act));
	int r;

	policy_errors_init(errs);
	r = act ? act_parse(path, bundle->bytes, bundle->len, act, errs)
		: -ENOMEM;
	if (r)
		free(act);
	else
		*ret_act = act;
	return r;
}

/* What nobody takes is not signed. */
static int content_of(const char *path, const struct trust_bundle *bundle,
		      struct content *ret_content, struct policy_errors *errs)
{
	*ret_content = (struct content){0};
	switch (kind_of(bundle->bytes)) {
	case KIND_TRUST:
		return trust_parse(path, bundle->bytes, bundle->len,
				   &ret_content->trust, errs);
	case KIND_ACT:
		return act_of(path, bundle, &ret_content->act, errs);
	case KIND_ENROLMENT:
		return enrolment_parse(path, bundle->bytes, bundle->len,
				       &ret_content->enrolment, errs);
	default: /* whose parser says what is wrong */
		return policy_parse(path, bundle->bytes, bundle->len,
				    &ret_content->policy, errs);
	}
}

/* Whose it is; NULL: it was not read. */
static const char *issuer_of(const struct content *content)
{
	return content->policy	    ? content->policy->issuer
	       : content->trust	    ? content->trust->issuer
	       : content->enrolment ? content->enrolment->issuer
	       : content->act	    ? content->act->issuer
				    : NULL;
}

/* "policy" of one that was not read. */
static void describe(const struct content *content, char *buf, size_t size)
{
	const char *issuer = issuer_of(content);

	if (!issuer)
		(void)snprintf(buf, size, "policy");
	else if (content->trust)
		(void)snprintf(buf, size,
			       "trust anchors, version %" PRIu64 " of %.128s",
			       content->trust->version, issuer);
	else if (content->enrolment)
		(void)snprintf(buf, size,
			       "enrolment of %.64s, serial %" PRIu64
			       " of %.128s",
			       content->enrolment->host,
			       content->enrolment->serial, issuer);
	else if (content->act)
		(void)snprintf(buf, size, "act %s for %.64s, of %.128s",
			       act_kind_name(content->act->kind),
			       content->act->host, issuer);
	else
		(void)snprintf(buf, size,
			       "policy, serial %" PRIu64 " of %.128s",
			       content->policy->serial, issuer);
}

/* ---- and what that means ------------------------------------------------- */

static void explain_policy(const struct policy *policy)
{
	char at[TEXT_NUMBER_CHARS_MAX];

	(void)printf("for the hosts");
	for (size_t i = 0; i < policy->n_hosts; i++)
		(void)printf(" %s", policy->hosts[i].glob);
	(void)printf("; mode %s; %zu datasets, %zu rules",
		     policy_mode_name(policy->mode), policy->n_datasets,
		     policy->n_rules);
	if (policy->not_before_s) {
		text_format_time(policy->not_before_s, at, sizeof(at));
		(void)printf("; from %s on", at);
	}
	if (policy->expires_s == INT64_MAX) {
		(void)printf("; without end");
	} else {
		text_format_time(policy->expires_s, at, sizeof(at));
		(void)printf("; until %s", at);
	}
	/* Whoever steals keys makes it run ahead. */
	if (policy->serial > REMEMBER_STEP_MAX)
		(void)printf("; WARNING: a host on which the highest serial is "
			     "below %" PRIu64 " refuses it",
			     policy->serial - REMEMBER_STEP_MAX);
}

static void explain_trust(const struct trust *trust)
{
	(void)printf("from then on %" PRIu64 " of these sign all else:",
		     trust->threshold);
	for (size_t i = 0; i < trust->n; i++)
		if (!trust->keys[i].revoked)
			(void)printf(" %s", trust->keys[i].name);
	for (size_t i = trust->able; i < trust->n; i++)
		(void)printf("%s %s",
			     i == trust->able ? "; nothing any more:" : "",
			     trust->keys[i].name);
}

static void explain_enrolment(const struct enrolment *enrolment)
{
	char key[SIGN_HASH_CHARS_MAX];

	act_host_key(&enrolment->key, key);
	(void)printf("the host with the key %s gets the policies of", key);
	if (!enrolment->n_groups)
		(void)printf(" no group");
	for (size_t i = 0; i < enrolment->n_groups; i++)
		(void)printf(" %s", enrolment->groups[i]);
	(void)printf(", and reports to");
	for (size_t i = 0; i < enrolment->n_servers; i++)
		(void)printf(" %s", enrolment->servers[i]);
}

static void explain_act(const struct act *act)
{
	char words[ACT_WORDS_MAX];

	act_words(act, words, sizeof(words));
	(void)printf("%s", words);
}

/* Before it is signed, and before a password is asked for. */
static void explain(const char *path, const struct content *content)
{
	char what[320], name[TRUST_FILE_CHARS_MAX];

	describe(content, what, sizeof(what));
	(void)snprintf(name, sizeof(name), "%s", path);
	log_clean(name);
	(void)printf("%s: about to be signed: %s: ", name, what);
	if (content->policy)
		explain_policy(content->policy);
	else if (content->trust)
		explain_trust(content->trust);
	else if (content->enrolment)
		explain_enrolment(content->enrolment);
	else
		explain_act(content->act);
	(void)putchar('\n');
	(void)fflush(stdout);
}

/* ---- sign --------------------------------------------------------------- */

/* Read once: what is shown is what is signed. */
struct signed_file {
	const char *path;
	struct trust_bundle bundle;
	struct content content;
};

struct signing {
	const char *key_file;
	const char *comment; /* NULL: what it is, and when */
	char signer[128];
	struct secrets *secrets;
	struct policy_errors errs;
	struct signed_file *files;
	size_t n;
};

static int unlock(struct signing *signing, size_t len)
{
	struct secrets *secrets = signing->secrets;
	char *password = secrets->password, prompt[256];
	int r = CMD_OK;

	if (minisign_key_locked(secrets->text, len)) {
		(void)snprintf(prompt, sizeof(prompt), "Password of %.200s",
			       signing->key_file);
		r = ask_password(prompt, password);
	}
	if (!r)
		r = minisign_key_unlock(secrets->text, len, password,
					&secrets->key);
	if (r == -EACCES)
		(void)fprintf(stderr,
			      "cordon policy: %s: this is not its "
			      "password\n",
			      signing->key_file);
	else if (r == -EINVAL)
		(void)fprintf(stderr,
			      "cordon policy: %s: no secret key of "
			      "cordon or minisign\n",
			      signing->key_file);
	else if (r < 0)
		return cmd_policy_failed(signing->key_file, r);
	return r ? CMD_WRONG : CMD_OK;
}

static int take_secret(struct signing *signing)
{
	const char *name = strrchr(signing->key_file, '/');
	size_t len, suffix = sizeof(KEY_SUFFIX) - 1;
	struct stat st;
	int r;

	r = state_get_into(signing->key_file, signing->secrets->text,
			   MINISIGN_TEXT_MAX, &len);
	if (r)
		return cmd_policy_failed(signing->key_file, r);
	if (lstat(signing->key_file, &st) == 0 && st.st_mode & 077)
		(void)fprintf(stderr,
			      "cordon policy: %s: others than its owner can "
			      "read it: chmod 600\n",
			      signing->key_file);
	r = unlock(signing, len);
	name = name ? name + 1 : signing->key_file;
	(void)snprintf(signing->signer, sizeof(signing->signer), "%s", name);
	len = strlen(signing->signer);
	if (len > suffix &&
	    strcmp(signing->signer + len - suffix, KEY_SUFFIX) == 0)
		signing->signer[len - suffix] = '\0';
	return r;
}

static int sign_file(const struct signing *signing,
		     const struct signed_file *signed_file)
{
	const struct trust_bundle *bundle = &signed_file->bundle;
	const char *path = signed_file->path;
	char what[320], comment[MINISIGN_COMMENT_MAX],
		at[TEXT_NUMBER_CHARS_MAX];
	char text[MINISIGN_TEXT_MAX], file[4096], hash[SIGN_HASH_CHARS_MAX];
	int r;

	describe(&signed_file->content, what, sizeof(what));
	text_format_time(time(NULL), at, sizeof(at));
	(void)snprintf(comment, sizeof(comment), "%.200s, at %s", what, at);
	r = minisign_make(&signing->secrets->key, bundle->bytes, bundle->len,
			  signing->comment ? signing->comment : comment, text);
	if (r)
		return cmd_usage(VERB,
				 "sign: the comment is longer than %d "
				 "bytes, or has a control in it",
				 MINISIGN_COMMENT_MAX - 1);
	if (snprintf(file, sizeof(file), "%s.%s.minisig", path,
		     signing->signer) >= (int)sizeof(file))
		return cmd_policy_failed(path, -ENAMETOOLONG);
	r = state_put_over(file, text, strlen(text));
	if (r)
		return cmd_policy_failed(file, r);
	sign_hash(bundle->bytes, bundle->len, hash);
	(void)printf("%s: signed by %s: %s, sha256 %s\n", file, signing->signer,
		     what, hash);
	return CMD_OK;
}

static int read_file(struct signing *signing, const char *path)
{
	struct signed_file *file = &signing->files[signing->n++];
	int r;

	file->path = path;
	r = trust_bundle_read(path, &file->bundle, &signing->errs);
	if (!r)
		r = content_of(path, &file->bundle, &file->content,
			       &signing->errs);
	if (r)
		return cmd_policy_errors(path, r, &signing->errs);
	explain(path, &file->content);
	return CMD_OK;
}

static int sign_files(struct signing *signing, char **paths, size_t n)
{
	int r = CMD_OK;

	signing->files = calloc(n, sizeof(*signing->files));
	if (!signing->files)
		return cmd_policy_failed(paths[0], -ENOMEM);
	for (size_t i = 0; !r && i < n; i++)
		r = read_file(signing, paths[i]);
	if (!r)
		r = take_secret(signing);
	for (size_t i = 0; !r && i < n; i++)
		r = sign_file(signing, &signing->files[i]);
	for (size_t i = 0; i < signing->n; i++) {
		content_release(&signing->files[i].content);
		trust_bundle_release(&signing->files[i].bundle);
	}
	free(signing->files);
	return r;
}

int cmd_policy_sign(int argc, char **argv)
{
	enum { OPT_KEY = CMD_OPT_OWN, OPT_COMMENT };
	static const struct option options[] = {
		{"help", no_argument, NULL, CMD_OPT_HELP},
		{"key", required_argument, NULL, OPT_KEY},
		{"comment", required_argument, NULL, OPT_COMMENT},
		{0},
	};
	struct cmd_common common = {0};
	struct signing signing = {0};
	int code, r;

	cmd_keep_secrets();
	if (minisign_init())
		return cmd_policy_failed("libsodium", -ENOTSUP);
	while ((code = getopt_long(argc, argv, "", options, NULL)) != -1) {
		r = cmd_take_shared(&common, code, VERB);
		if (code == OPT_KEY)
			signing.key_file = optarg;
		else if (code == OPT_COMMENT)
			signing.comment = optarg;
		else if (r)
			return r == CMD_DONE ? CMD_OK : r;
	}
	if (!signing.key_file || optind >= argc)
		return cmd_usage(VERB, "sign: expected --key KEY FILE...");
	signing.secrets = minisign_secret_new(sizeof(*signing.secrets));
	if (!signing.secrets)
		return cmd_policy_failed("sign", -ENOMEM);
	r = sign_files(&signing, argv + optind, (size_t)(argc - optind));
	minisign_secret_free(signing.secrets);
	return r;
}

/* ---- verify ------------------------------------------------------------- */

struct verifying {
	const char *trust_file;
	const char *file;
	bool json;
	struct trust *trust;
	struct trust_bundle bundle;
	struct content content;
	struct trust_signers signers;
	struct policy_errors errs;
};

static int load_trust(struct verifying *verifying)
{
	const char *path = verifying->trust_file;
	void *buf = NULL;
	size_t len;
	int r;

	r = policy_read(path, &buf, &len, &verifying->errs);
	if (!r)
		r = trust_parse(path, buf, len, &verifying->trust,
				&verifying->errs);
	free(buf);
	return r ? cmd_policy_errors(path, r, &verifying->errs) : CMD_OK;
}

static void print_signers(const struct verifying *verifying)
{
	char id[MINISIGN_ID_MAX];

	for (size_t i = 0; i < verifying->signers.n; i++) {
		const struct trust_signature *signature =
			&verifying->bundle.signatures[i];
		const struct trust_key *key = verifying->signers.at[i].key;
		enum trust_signer found = verifying->signers.at[i].found;

		minisign_id_format(signature->signature.id, id);
		if (!verifying->json) {
			(void)printf("  %-10s %-16s %s%s%s\n",
				     trust_signer_name(found),
				     key ? key->name : "-", signature->file,
				     found == TRUST_SIGNED ? ": " : "",
				     found == TRUST_SIGNED
					     ? signature->signature.comment
					     : "");
			continue;
		}
		cmd_print_json(json_pack(
			"{s:i, s:s, s:s, s:s, s:s*, s:s*, s:s*}", "cordon", 1,
			"type", "signature", "file", signature->file, "found",
			trust_signer_name(found), "signer",
			key ? key->name : NULL, "key",
			signature->error ? NULL : id, "comment",
			found == TRUST_SIGNED ? signature->signature.comment
					      : NULL));
	}
}

static int print_verified(const struct verifying *verifying,
			  const char *problem)
{
	char what[320], hash[SIGN_HASH_CHARS_MAX];

	describe(&verifying->content, what, sizeof(what));
	sign_hash(verifying->bundle.bytes, verifying->bundle.len, hash);
	if (verifying->json)
		cmd_print_json(json_pack(
			"{s:i, s:s, s:s, s:s, s:b, s:I, s:I, s:s, s:s*}",
			"cordon", 1, "type", "verified", "file",
			verifying->file, "what", what, "good", !problem,
			"signatures", (json_int_t)verifying->signers.good,
			"threshold", (json_int_t)verifying->trust->threshold,
			"sha256", hash, "problem", problem));
	else
		(void)printf("%s: %s: %s, sha256 %s\n",
			     problem ? "not good" : "good", verifying->file,
			     problem ? problem : what, hash);
	print_signers(verifying);
	return problem ? CMD_WRONG : CMD_OK;
}

/* What anybody may have written is read only when it is known who did. */
static int judge_signed(struct verifying *verifying)
{
	const struct trust_bundle *bundle = &verifying->bundle;
	const struct trust *trust = verifying->trust;
	char problem[TRUST_WORDS_MAX];
	const char *issuer;
	int r;

	if (!trust_check(trust, bundle->signatures, bundle->n, bundle->bytes,
			 bundle->len, &verifying->signers)) {
		trust_summary(trust, &verifying->signers, problem,
			      sizeof(problem));
		return print_verified(verifying, problem);
	}
	r = content_of(verifying->file, bundle, &verifying->content,
		       &verifying->errs);
	if (r)
		return cmd_policy_errors(verifying->file, r, &verifying->errs);
	issuer = issuer_of(&verifying->content);
	if (strcmp(issuer, trust->issuer) == 0)
		return print_verified(verifying, NULL);
	(void)snprintf(problem, sizeof(problem),
		       "its issuer is %.128s, not %.128s", issuer,
		       trust->issuer);
	return print_verified(verifying, problem);
}

/* Its own keys have to have signed it, so that it is read first. */
static int judge_trust(struct verifying *verifying)
{
	const struct trust_bundle *bundle = &verifying->bundle;
	char problem[TRUST_WORDS_MAX] = "";
	int r;

	r = trust_parse(verifying->file, bundle->bytes, bundle->len,
			&verifying->content.trust, &verifying->errs);
	if (r)
		return cmd_policy_errors(verifying->file, r, &verifying->errs);
	r = trust_succeeds(verifying->trust, verifying->content.trust, bundle,
			   &verifying->signers, problem, sizeof(problem));
	return print_verified(verifying, r ? problem : NULL);
}

static int verify_file(struct verifying *verifying)
{
	int r;

	r = trust_bundle_read(verifying->file, &verifying->bundle,
			      &verifying->errs);
	if (r)
		return cmd_policy_errors(verifying->file, r, &verifying->errs);
	return kind_of(verifying->bundle.bytes) == KIND_TRUST
		       ? judge_trust(verifying)
		       : judge_signed(verifying);
}

int cmd_policy_verify(int argc, char **argv)
{
	enum { OPT_TRUST = CMD_OPT_OWN };
	static const struct option options[] = {
		CMD_OPTIONS,
		{"trust", required_argument, NULL, OPT_TRUST},
		{0},
	};
	struct verifying verifying = {.trust_file = CORDON_TRUST_FILE};
	struct cmd_common common = {0};
	int code, r;

	if (minisign_init())
		return cmd_policy_failed("libsodium", -ENOTSUP);
	while ((code = getopt_long(argc, argv, "", options, NULL)) != -1) {
		r = cmd_take_shared(&common, code, VERB);
		if (code == OPT_TRUST)
			verifying.trust_file = optarg;
		else if (r)
			return r == CMD_DONE ? CMD_OK : r;
	}
	if (argc - optind != 1)
		return cmd_usage(VERB, "verify: expected one FILE");
	verifying.file = argv[optind];
	verifying.json = common.json;
	r = load_trust(&verifying);
	if (!r)
		r = verify_file(&verifying);
	content_release(&verifying.content);
	trust_bundle_release(&verifying.bundle);
	trust_free(verifying.trust);
	return r;
}
