// SPDX-License-Identifier: GPL-2.0-only
/*
 * A host that was enrolled, and has forgotten: whose policies it takes, or
 * which it had. No such host begins anew, which is what somebody would want who
 * deletes files there. It is marked where the administrator has the trust
 * anchors, and what begins at its boot is a policy by which nothing is read or
 * released.
 */
#include "agent.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "dataset.h"
#include "log.h"
#include "policy_yaml.h"
#include "state.h"

#define MARK	       "enrolled"
#define MARK_BYTES_MAX 4096

/* ---- the mark ------------------------------------------------------------ */

/* Beside the file of the trust anchors. */
static int mark_path(const struct agent *agent, char *path, size_t size)
{
	const char *file = agent->opts->trust_file;
	const char *base = evidence_base(file);

	return snprintf(path, size, "%.*s" MARK, (int)(base - file), file) <
			       (int)size
		       ? 0
		       : -ENAMETOOLONG;
}

bool agent_is_marked(const struct agent *agent,
		     char ret_sha256[SIGN_HASH_CHARS_MAX])
{
	char path[4096], *text = NULL;
	json_t *mark = NULL;
	size_t len;
	int r;

	ret_sha256[0] = '\0';
	r = mark_path(agent, path, sizeof(path));
	if (!r)
		r = state_get(path, MARK_BYTES_MAX, &text, &len);
	if (!r)
		mark = json_loadb(text, len, JSON_REJECT_DUPLICATES, NULL);
	(void)snprintf(ret_sha256, SIGN_HASH_CHARS_MAX, "%s",
		       evidence_text(mark, "sha256"));
	json_decref(mark);
	free(text);
	/* Whatever is there: nobody but an agent has put it there. */
	return r != -ENOENT;
}

/* trust NULL: nothing but their hash is known of them. */
static char *mark_text(const struct agent *agent, const struct trust *trust,
		       const char *sha256)
{
	char id[SIGN_HASH_CHARS_MAX] = "", *text;
	json_t *mark;

	if (agent->has_host_public)
		sign_hash(agent->host_public.bytes,
			  sizeof(agent->host_public.bytes), id);
	mark = json_pack("{s:i, s:s%, s:s}", "cordon", 1, "host", id,
			 strlen(id) / 2, "sha256", sha256);
	if (mark && trust)
		(void)json_object_update_new(
			mark, json_pack("{s:s, s:I}", "issuer", trust->issuer,
					"version", (json_int_t)trust->version));
	text = mark ? json_dumps(mark, JSON_COMPACT) : NULL;
	json_decref(mark);
	return text;
}

void agent_mark(struct agent *agent)
{
	const struct trust *trust = agent->trust_replaced ? NULL : agent->trust;
	char path[4096] = MARK, old[4096], *text, *there = NULL;
	char told[SIGN_HASH_CHARS_MAX];
	size_t len = 0;
	int r;

	if (!trust && !agent_trust_told(agent, told))
		return;
	text = mark_text(agent, trust, trust ? trust->sha256 : told);
	r = text ? mark_path(agent, path, sizeof(path)) : -ENOMEM;
	if (!r && state_get(path, MARK_BYTES_MAX, &there, &len) == 0 &&
	    len == strlen(text) && memcmp(there, text, len) == 0)
		goto out;
	if (!r)
		r = state_put(path, text, strlen(text));
	/* Of no use to anybody. */
	if (snprintf(old, sizeof(old), "%s.old", path) < (int)sizeof(old))
		(void)unlink(old);
	if (r)
		log_warning("%s cannot be written: %s: if the state directory "
			    "is lost as well, this host begins anew",
			    path, strerror(-r));
out:
	free(there);
	free(text);
}

/* ---- the policy ---------------------------------------------------------- */

/* What is guarded where nothing says what should be. */
static const char *const places[] = {
	"/srv",
	"/home",
	"/var/www",
	"/var/backups",
	"/var/lib/postgresql",
	"/var/lib/mysql",
};

/* One that cannot be guarded must not keep the others from it. */
static bool can_be_guarded(const char *path)
{
	struct dataset_place place;
	char why[512];
	int r;

	r = dataset_resolve(path, &place, why, sizeof(why));
	if (r)
		log_error("%s: %s: it is not guarded by " AGENT_BUILT_IN, path,
			  why);
	return !r;
}

static void put_built_in(FILE *out)
{
	const char *comma = "";

	(void)fputs("  built-in:\n    record: file\n    paths: [", out);
	for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
		if (!can_be_guarded(places[i]))
			continue;
		(void)fprintf(out, "%s%s", comma, places[i]);
		comma = ", ";
	}
	(void)fputs("]\n", out);
}

static void put_dataset(FILE *out, const struct policy_dataset *dataset)
{
	const char *comma = "";

	(void)fprintf(out, "  \"%s\":\n    record: ", dataset->name);
	if (dataset->record == POLICY_RECORD_BYTES)
		(void)fprintf(out, "{bytes: %" PRIu32 "}",
			      dataset->record_bytes);
	else
		(void)fputs(dataset->record == POLICY_RECORD_LINE ? "line"
								  : "file",
			    out);
	(void)fputs("\n    paths: [", out);
	for (size_t i = 0; i < dataset->n_paths; i++) {
		(void)fputs(comma, out);
		policy_yaml_quote(out, dataset->paths[i].path);
		comma = ", ";
	}
	(void)fputs("]\n", out);
}

/* The datasets of found; NULL: what is guarded without one. No rule covers
 * anything, so all is refused. */
static int make_policy(const struct policy *found, struct policy **ret_policy)
{
	char *text = NULL;
	size_t len = 0;
	FILE *out = open_memstream(&text, &len);
	int r;

	if (!out)
		return -ENOMEM;
	(void)fputs("cordon: 1\nissuer: " AGENT_BUILT_IN "\nserial: 1\n"
		    "mode: enforce\nrules: []\ndatasets:\n",
		    out);
	if (!found)
		put_built_in(out);
	for (size_t i = 0; found && i < found->n_datasets; i++)
		put_dataset(out, &found->datasets[i]);
	if (fclose(out)) {
		free(text);
		return -ENOMEM;
	}
	r = policy_parse(AGENT_BUILT_IN, text, len, ret_policy, NULL);
	free(text);
	/* Below all that an issuer has. */
	if (!r)
		(*ret_policy)->serial = 0;
	return r;
}

bool agent_strict_wanted(const struct agent *agent)
{
	return agent->was_enrolled &&
	       (!agent->trust || agent->trust_replaced || agent->forgotten ||
		agent->remember.serial);
}

bool agent_is_strict(const struct agent *agent)
{
	return guard_state(agent->guard)->generation && !agent_serial(agent);
}

int agent_strict_policy(struct agent *agent, struct arrival *ret_arrival)
{
	struct policy *found = NULL, *policy = NULL;
	int r = -EINVAL;

	if (!agent_policy_find(agent, &found))
		r = make_policy(found, &policy);
	if (r)
		r = make_policy(NULL, &policy);
	if (r) {
		log_error(AGENT_BUILT_IN " cannot begin: %s", strerror(-r));
		policy_free(found);
		return r;
	}
	log_error("THIS HOST WAS ENROLLED, and %s: " AGENT_BUILT_IN
		  " begins, by "
		  "which nothing of %s is read or leaves; restore %s, or have "
		  "the issuer sign the act recover: cordond(8), A HOST THAT "
		  "HAS FORGOTTEN",
		  !agent->trust || agent->trust_replaced
			  ? "its trust anchors are lost"
		  : agent->forgotten
			  ? "nothing remembers which policies it had"
			  : "no policy that was signed for it can begin",
		  found ? "the datasets of the policy found there"
			: "/srv, /home and other places of data",
		  agent->opts->state_dir);
	policy_free(found);
	arrival_init(ret_arrival, AGENT_STRICT, KIND_POLICY, AGENT_BUILT_IN);
	ret_arrival->policy = policy;
	return 0;
}
