// SPDX-License-Identifier: GPL-2.0-only
/*
 * The enrolment of the host, as it is judged: which one was taken, and whether
 * what lies there is that one, or may take its place. agent_fleet.c has what
 * follows from it.
 */
#include "agent_fleet.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "log.h"
#include "text.h"

/* ---- which one was taken ------------------------------------------------- */

/*
 * The file that says so may be gone, or be another: the highest serial wins,
 * and of the same serial what the evidence tells.
 */
static void know(struct agent_fleet *fleet, uint64_t serial, const char *sha256)
{
	if (!serial || serial < fleet->kept.serial)
		return;
	fleet->has_kept = true;
	fleet->kept.serial = serial;
	(void)snprintf(fleet->kept.sha256, sizeof(fleet->kept.sha256), "%s",
		       sha256);
}

void agent_enrolment_old(struct agent *agent, const json_t *line)
{
	const char *type = evidence_text(line, "type");

	if (!agent->fleet)
		return;
	if (strcmp(type, "enrolment") == 0)
		know(agent->fleet, evidence_number(line, "serial"),
		     evidence_text(line, "sha256"));
	else if (strcmp(type, "remembered") == 0)
		know(agent->fleet, evidence_number(line, "enrolment"),
		     evidence_text(line, "enrolment_sha256"));
}

void agent_enrolment_remember(const struct agent *agent, json_t *fields)
{
	const struct agent_fleet *fleet = agent->fleet;

	if (!fleet || !fleet->kept.serial)
		return;
	(void)json_object_set_new(fields, "enrolment",
				  json_integer((json_int_t)fleet->kept.serial));
	(void)json_object_set_new(fields, "enrolment_sha256",
				  json_string(fleet->kept.sha256));
}

/* ---- judging one --------------------------------------------------------- */

/*
 * Of who has signed, one that is known still, if only as revoked, is enough for
 * an enrolment that was taken: the force would lose the hosts to which it sends
 * other anchors. That it was taken says a file, and who can write that has
 * signed nothing.
 */
static bool was_taken(const struct agent *agent,
		      const struct trust_bundle *bundle)
{
	struct trust all = trust_with_revoked(agent->trust);
	char hash[SIGN_HASH_CHARS_MAX];
	struct trust_signers signers;

	sign_hash(bundle->bytes, bundle->len, hash);
	(void)trust_check(&all, bundle->signatures, bundle->n, bundle->bytes,
			  bundle->len, &signers);
	return signers.good && strcmp(hash, agent->fleet->kept.sha256) == 0;
}

static bool is_signed(const struct agent *agent,
		      const struct trust_bundle *bundle, char *why, size_t size)
{
	struct trust_signers signers;

	if (trust_check(agent->trust, bundle->signatures, bundle->n,
			bundle->bytes, bundle->len, &signers) ||
	    was_taken(agent, bundle))
		return true;
	trust_words(agent->trust, bundle->signatures, &signers, why, size);
	return false;
}

static bool is_newer(const struct fleet_kept *kept,
		     const struct enrolment *enrolment, char *why, size_t size)
{
	if (enrolment->serial > kept->serial ||
	    strcmp(enrolment->sha256, kept->sha256) == 0)
		return true;
	(void)snprintf(why, size,
		       "its serial is %" PRIu64 ", and this host had another "
		       "one with %" PRIu64 "; ask the issuer for a newer one",
		       enrolment->serial, kept->serial);
	return false;
}

int fleet_key_load(const struct agent *agent, struct sign_key *ret_key)
{
	char path[4096];
	bool made;
	int r;

	r = text_path(agent->opts->state_dir, EVIDENCE_KEY, path, sizeof(path));
	return r ? r : sign_key_load(path, ret_key, &made);
}

static bool is_ours(const struct agent *agent,
		    const struct enrolment *enrolment, char *why, size_t size)
{
	char name[FLEET_NAME_CHARS_MAX + 1];
	struct sign_key key = {0};
	bool good;
	int r;

	r = fleet_name(enrolment->host, name);
	if (!r)
		r = fleet_key_load(agent, &key);
	if (r) {
		(void)snprintf(why, size, "%.512s/" EVIDENCE_KEY ": %s",
			       agent->opts->state_dir, strerror(-r));
		return false;
	}
	good = enrolment_fits(enrolment, &key.public, agent->trust->issuer, why,
			      size) &&
	       is_newer(&agent->fleet->kept, enrolment, why, size);
	sign_key_release(&key);
	return good;
}

bool fleet_judge(const struct agent *agent, const struct trust_bundle *bundle,
		 struct enrolment **ret_enrolment, char *why, size_t size)
{
	struct policy_errors *errs = calloc(1, sizeof(*errs));
	struct enrolment *enrolment = NULL;
	bool good = false;
	int r;

	if (!errs) {
		(void)snprintf(why, size, "no memory");
	} else if (!agent->trust || agent->trust_replaced) {
		(void)snprintf(why, size,
			       "this host has no trust anchors that are "
			       "believed: see cordon-trust(5)");
	} else if (is_signed(agent, bundle, why, size)) {
		r = enrolment_parse(agent->opts->enrolment_file, bundle->bytes,
				    bundle->len, &enrolment, errs);
		if (r)
			(void)snprintf(why, size, "%s",
				       policy_errors_why(errs, r));
		else
			good = is_ours(agent, enrolment, why, size);
	}
	free(errs);
	if (good)
		*ret_enrolment = enrolment;
	else
		enrolment_free(enrolment);
	return good;
}

/* ---- what this host is called -------------------------------------------- */

bool fleet_is_enrolled(const struct agent *agent)
{
	const char *file = agent->opts->enrolment_file;

	return file && (access(file, F_OK) == 0 || errno != ENOENT);
}

/* The one that lies there: at a start policies are judged before it is taken.
 * NULL: there is none that could be. */
static struct enrolment *find(const struct agent *agent)
{
	const char *file = agent->opts->enrolment_file;
	struct policy_errors *errs = calloc(1, sizeof(*errs));
	char why[TRUST_WORDS_MAX + POLICY_ERROR_CHARS_MAX];
	struct enrolment *enrolment = NULL;
	struct trust_bundle bundle = {0};

	if (errs && fleet_is_enrolled(agent) &&
	    !trust_bundle_read_ours(file, &bundle, errs))
		(void)fleet_judge(agent, &bundle, &enrolment, why, sizeof(why));
	trust_bundle_release(&bundle);
	free(errs);
	return enrolment;
}

void agent_host_name(const struct agent *agent,
		     char ret_name[POLICY_HOST_CHARS_MAX + 1])
{
	const struct agent_fleet *fleet = agent->fleet;
	struct enrolment *found = NULL;
	const struct enrolment *enrolment = fleet ? fleet->enrolment : NULL;

	if (fleet && !enrolment)
		enrolment = found = find(agent);
	memset(ret_name, 0, POLICY_HOST_CHARS_MAX + 1);
	if (enrolment)
		(void)snprintf(ret_name, POLICY_HOST_CHARS_MAX + 1, "%s",
			       enrolment->host);
	else
		(void)gethostname(ret_name, POLICY_HOST_CHARS_MAX);
	enrolment_free(found);
}
