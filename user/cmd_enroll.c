// SPDX-License-Identifier: GPL-2.0-only
/*
 * `cordon enroll': how this host becomes one of a force's fleet. The force does
 * its part by `cordon fleet approve'. No agent is needed: it looks when it
 * starts and is reloaded.
 */
#include "array.h"
#include "cmd.h"
#include "cmd_fleet.h"
#include "enrolment.h"
#include "evidence.h"
#include "minisign.h"
#include "trust.h"
#include "version.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define VERB "enroll"

struct enrolling {
	const char *state_dir;
	const char *trust_file;
	const char *to;
	const char *file;
	struct sign_key key;
	struct trust *trust;
	struct trust_bundle next;
	struct trust_bundle before; /* no bytes: there is none */
	struct enrolment *enrolment;
	struct enrolment *old;
	struct policy_errors errs;
};

static int failed(const char *what, int r)
{
	const char *remedy = "";

	if (r == -EACCES)
		remedy = "; use sudo";
	else if (r == -EKEYREVOKED)
		remedy = "; others could read it, or it is theirs: start "
			 "cordond, which puts it aside and makes another";
	(void)fprintf(stderr, "cordon enroll: %s: %s%s\n", what, strerror(-r),
		      remedy);
	return r == -EACCES ? CMD_DENIED : CMD_WRONG;
}

static int tell_errors(const struct enrolling *enrolling, const char *what,
		       int r)
{
	for (size_t i = 0; i < enrolling->errs.n; i++)
		(void)fprintf(stderr, "cordon enroll: %s\n",
			      enrolling->errs.v[i].text);
	return enrolling->errs.n && r != -EACCES ? CMD_WRONG : failed(what, r);
}

/* ---- request ------------------------------------------------------------ */

static int load_key(struct enrolling *enrolling)
{
	char path[4096];
	bool made = false;
	int r;

	if (snprintf(path, sizeof(path), "%s/" EVIDENCE_KEY,
		     enrolling->state_dir) >= (int)sizeof(path))
		return failed(enrolling->state_dir, -ENAMETOOLONG);
	if (mkdir(enrolling->state_dir, 0700) < 0 && errno != EEXIST)
		return failed(enrolling->state_dir, -errno);
	r = sign_key_load(path, &enrolling->key, &made);
	if (r)
		return failed(path, r);
	if (made)
		(void)fprintf(stderr, "%s: this host's key was made\n", path);
	return CMD_OK;
}

static int request(struct enrolling *enrolling, const char *name)
{
	char text[ENROLMENT_REQUEST_CHARS_MAX], id[64];
	int r;

	r = load_key(enrolling);
	if (r)
		return r;
	if (enrolment_request_make(&enrolling->key, name, text)) {
		(void)fprintf(stderr,
			      "cordon enroll: this host is called %s; expected "
			      "letters, digits, `.', `_' and `-', at most %d: "
			      "--name\n",
			      name, FLEET_NAME_CHARS_MAX);
		return CMD_WRONG;
	}
	(void)fputs(text, stdout);
	cmd_fleet_spell_id(&enrolling->key.public, id, sizeof(id));
	(void)fprintf(stderr,
		      "the request of %s\n"
		      "  host id  %s\n"
		      "Send it to the issuer. They ask you for this id, by "
		      "another way than the file.\n",
		      name, id);
	return CMD_OK;
}

static int enroll_request(int argc, char **argv)
{
	enum { OPT_NAME = CMD_OPT_OWN, OPT_STATE_DIR };
	static const struct option options[] = {
		{"help", no_argument, NULL, CMD_OPT_HELP},
		{"name", required_argument, NULL, OPT_NAME},
		{"state-dir", required_argument, NULL, OPT_STATE_DIR},
		{0},
	};
	struct enrolling enrolling = {.state_dir = CORDON_STATE_DIR};
	char name[POLICY_HOST_CHARS_MAX + 1] = "";
	struct cmd_common common = {0};
	int code, r;

	(void)gethostname(name, sizeof(name) - 1);
	while ((code = getopt_long(argc, argv, "", options, NULL)) != -1) {
		if (code == OPT_NAME) {
			(void)snprintf(name, sizeof(name), "%s", optarg);
			continue;
		}
		if (code == OPT_STATE_DIR) {
			enrolling.state_dir = optarg;
			continue;
		}
		r = cmd_take_shared(&common, code, VERB);
		if (r)
			return r == CMD_DONE ? CMD_OK : r;
	}
	r = cmd_no_more(VERB, argc, argv);
	if (!r)
		r = request(&enrolling, name);
	sign_key_release(&enrolling.key);
	return r;
}

/* ---- accept ------------------------------------------------------------- */

/* Those in force or, where there was no agent yet, those that will be. */
static int load_trust(struct enrolling *enrolling)
{
	char path[4096];
	struct trust_bundle bundle = {0};
	const char *file = path;
	int r;

	(void)snprintf(path, sizeof(path), "%s/trust.yaml",
		       enrolling->state_dir);
	r = trust_bundle_read_ours(path, &bundle, &enrolling->errs);
	if (r == -ENOENT) {
		file = enrolling->trust_file;
		r = trust_bundle_read_ours(file, &bundle, &enrolling->errs);
	}
	if (!r)
		r = trust_parse(file, bundle.bytes, bundle.len,
				&enrolling->trust, &enrolling->errs);
	trust_bundle_release(&bundle);
	if (r != -ENOENT)
		return r ? tell_errors(enrolling, file, r) : CMD_OK;
	(void)fprintf(stderr,
		      "cordon enroll: this host has no trust anchors: put the "
		      "issuer's into %s first: cordon-trust(5)\n",
		      enrolling->trust_file);
	return CMD_WRONG;
}

static int refuse(const struct enrolling *enrolling, const char *why)
{
	(void)fprintf(stderr, "cordon enroll: refused: %s: %s\n",
		      enrolling->file, why);
	return CMD_WRONG;
}

/* Nothing of it is read before it is known who has signed these bytes. */
static int judge(struct enrolling *enrolling)
{
	const struct trust_bundle *next = &enrolling->next;
	struct trust_signers signers;
	char why[TRUST_WORDS_MAX];
	int r;

	if (!trust_check(enrolling->trust, next->signatures, next->n,
			 next->bytes, next->len, &signers)) {
		trust_words(enrolling->trust, next->signatures, &signers, why,
			    sizeof(why));
		return refuse(enrolling, why);
	}
	r = enrolment_parse(enrolling->file, next->bytes, next->len,
			    &enrolling->enrolment, &enrolling->errs);
	if (r)
		return tell_errors(enrolling, enrolling->file, r);
	if (!enrolment_fits(enrolling->enrolment, &enrolling->key.public,
			    enrolling->trust->issuer, why, sizeof(why)))
		return refuse(enrolling, why);
	return CMD_OK;
}

/* What lies there already, if it can be read at all. */
static int check_newer(struct enrolling *enrolling)
{
	struct policy_errors none;
	char why[256];

	if (trust_bundle_read(enrolling->to, &enrolling->before, &none) ||
	    enrolment_parse(enrolling->to, enrolling->before.bytes,
			    enrolling->before.len, &enrolling->old, &none) ||
	    strcmp(enrolling->old->sha256, enrolling->enrolment->sha256) == 0 ||
	    enrolling->old->serial < enrolling->enrolment->serial)
		return CMD_OK;
	(void)snprintf(why, sizeof(why),
		       "its serial is %" PRIu64 ", and %.100s has %" PRIu64
		       "; ask the issuer for a newer one",
		       enrolling->enrolment->serial, enrolling->to,
		       enrolling->old->serial);
	return refuse(enrolling, why);
}

static void tell_accepted(const struct enrolling *enrolling)
{
	static const char *const files[] = {LINK_CA, LINK_CERT, LINK_KEY};
	const struct enrolment *enrolment = enrolling->enrolment;

	(void)printf("%s is one of the hosts of %s, by the enrolment with the "
		     "serial %" PRIu64 "\n",
		     enrolment->host, enrolment->issuer, enrolment->serial);
	for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++)
		if (access(files[i], F_OK) < 0 && errno == ENOENT)
			(void)printf("missing: %s, for the user " LINK_USER
				     "\n",
				     files[i]);
	(void)printf("next: systemctl reload-or-restart cordond, and then "
		     "cordon status\n");
}

static int put(struct enrolling *enrolling)
{
	int r;

	r = trust_bundle_put(enrolling->to, evidence_base(enrolling->file),
			     &enrolling->next);
	if (r)
		return failed(enrolling->to, r);
	tell_accepted(enrolling);
	return CMD_OK;
}

static bool is_same_file(const char *a, const char *b)
{
	struct stat x, y;

	return stat(a, &x) == 0 && stat(b, &y) == 0 && x.st_dev == y.st_dev &&
	       x.st_ino == y.st_ino;
}

static int accept_file(struct enrolling *enrolling)
{
	int r;

	if (minisign_init())
		return failed("libsodium", -ENOTSUP);
	if (is_same_file(enrolling->file, enrolling->to))
		return cmd_usage(VERB,
				 "accept: %s is where it is kept: put the next "
				 "one elsewhere",
				 enrolling->file);
	r = trust_bundle_read(enrolling->file, &enrolling->next,
			      &enrolling->errs);
	if (r)
		return tell_errors(enrolling, enrolling->file, r);
	r = load_key(enrolling);
	if (!r)
		r = load_trust(enrolling);
	if (!r)
		r = judge(enrolling);
	if (!r)
		r = check_newer(enrolling);
	return r ? r : put(enrolling);
}

static int enroll_accept(int argc, char **argv)
{
	enum { OPT_STATE_DIR = CMD_OPT_OWN, OPT_TRUST, OPT_TO };
	static const struct option options[] = {
		{"help", no_argument, NULL, CMD_OPT_HELP},
		{"state-dir", required_argument, NULL, OPT_STATE_DIR},
		{"trust", required_argument, NULL, OPT_TRUST},
		{"enrolment", required_argument, NULL, OPT_TO},
		{0},
	};
	struct enrolling enrolling = {.state_dir = CORDON_STATE_DIR,
				      .trust_file = CORDON_TRUST_FILE,
				      .to = CORDON_ENROLMENT_FILE};
	struct cmd_common common = {0};
	int code, r;

	/* Everybody may read it. */
	(void)umask(022);
	while ((code = getopt_long(argc, argv, "", options, NULL)) != -1) {
		if (code == OPT_STATE_DIR) {
			enrolling.state_dir = optarg;
			continue;
		}
		if (code == OPT_TRUST) {
			enrolling.trust_file = optarg;
			continue;
		}
		if (code == OPT_TO) {
			enrolling.to = optarg;
			continue;
		}
		r = cmd_take_shared(&common, code, VERB);
		if (r)
			return r == CMD_DONE ? CMD_OK : r;
	}
	if (argc - optind != 1)
		return cmd_usage(VERB, "accept: expected one FILE");
	enrolling.file = argv[optind];
	r = accept_file(&enrolling);
	sign_key_release(&enrolling.key);
	trust_free(enrolling.trust);
	enrolment_free(enrolling.enrolment);
	enrolment_free(enrolling.old);
	trust_bundle_release(&enrolling.next);
	trust_bundle_release(&enrolling.before);
	return r;
}

int cmd_enroll(int argc, char **argv)
{
	static const struct cmd_verb verbs[] = {
		{"request", enroll_request},
		{"accept", enroll_accept},
	};
	const char *what = argc >= 2 ? argv[1] : "";
	int code;

	/* The help is the same for both. */
	if (strcmp(what, "--help") == 0)
		return enroll_request(argc, argv);
	if (argc < 2)
		return cmd_usage(VERB, "request or accept?");
	if (cmd_run_verb(verbs, N_ELEMENTS(verbs), argc, argv, &code))
		return code;
	return cmd_usage(VERB, "%s: expected request or accept", what);
}
