// SPDX-License-Identifier: GPL-2.0-only
/*
 * Whose signatures the agent takes. The trust anchors in force are kept in the
 * state directory: the file of the administrator is where the first ones come
 * from, and each next version, which those before have to have signed. So is
 * the last policy that was in force, with its signatures: it is what begins at
 * a boot where the file of the policy was spoilt.
 */
#include "agent.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "log.h"
#include "state.h"
#include "text.h"
#include "trust.h"
#include "version.h"

#define KEPT_TRUST  "trust.yaml"
#define KEPT_POLICY AGENT_KEPT_POLICY
#define REPLACED    "replaced" /* anchors that nobody has signed */

/* The policy, at most six times as long in JSON, and its signatures. */
#define KEPT_POLICY_BYTES_MAX (7ULL * POLICY_FILE_BYTES_MAX)

/* ---- what is written down ------------------------------------------------ */

void agent_record_early(struct agent *agent, json_t *line)
{
	if (agent->evidence) {
		(void)agent_record(agent, line, 0, false);
		(void)agent_evidence_sync(agent);
		return;
	}
	if (!agent->early)
		agent->early = json_array();
	if (line && json_array_size(agent->early) < AGENT_EARLY_MAX)
		(void)json_array_append(agent->early, line);
	else
		agent->unwritten++;
	json_decref(line);
}

/* What was in force cannot be known, so that nothing can take its place. */
static int lost(struct agent *agent, const char *how, const char *why)
{
	char path[4096] = KEPT_TRUST;

	agent->was_enrolled = true;
	(void)text_path(agent->opts->state_dir, KEPT_TRUST, path, sizeof(path));
	(void)snprintf(
		agent->trust_problem, sizeof(agent->trust_problem),
		"the trust anchors of this host are %s: put back a copy "
		"of %.200s, and ask the issuer what happened here; until "
		"then no other policy comes into force%s%.128s",
		how, path, why[0] ? ": " : "", why);
	log_clean(agent->trust_problem);
	log_error("%s", agent->trust_problem);
	agent_record_early(
		agent,
		evidence_object("refused",
				json_pack("{s:s, s:s}", "file", path, "problem",
					  agent->trust_problem)));
	/* The log goes on without them, and a boot takes the guard away. */
	agent_mark(agent);
	return -EPERM;
}

void agent_trust_old(struct agent *agent, const json_t *line)
{
	if (strcmp(evidence_text(line, "type"), "trust") == 0 &&
	    strcmp(evidence_text(line, "state"), REPLACED) != 0)
		(void)snprintf(agent->trust_told, sizeof(agent->trust_told),
			       "%s", evidence_text(line, "sha256"));
}

/* So that the next start does not take these for what was there. */
static void tell_replaced(struct agent *agent)
{
	json_t *line;
	size_t i;

	agent->trust_replaced = true;
	json_array_foreach (agent->early, i, line)
		if (strcmp(evidence_text(line, "type"), "trust") == 0)
			(void)json_object_set_new(line, "state",
						  json_string(REPLACED));
}

static bool guard_knows_others(const struct agent *agent, const char *sha256)
{
	const struct remembered *known = &guard_state(agent->guard)->remembered;
	uint8_t read[sizeof(known->trust_sha256)] = {0};

	(void)sign_hash_parse(sha256, read);
	return known->trust_version &&
	       memcmp(known->trust_sha256, read, sizeof(read)) != 0;
}

/* Who tells that there were others than these; NULL: nobody. */
static const char *others(const struct agent *agent, const char *sha256,
			  bool ask_guard)
{
	if (agent->trust_told[0] && strcmp(agent->trust_told, sha256) != 0)
		return "not those that the evidence tells of";
	if (ask_guard && guard_knows_others(agent, sha256))
		return "not those that the guard remembers";
	return NULL;
}

static int compare(struct agent *agent, bool ask_guard)
{
	const char *how = others(agent, agent->trust_read, ask_guard);

	if (!how)
		return 0;
	tell_replaced(agent);
	return lost(agent, how, "");
}

/* Does anything tell of anchors, where there are none? */
static bool were_there(const struct agent *agent)
{
	return agent->trust_told[0] ||
	       guard_state(agent->guard)->remembered.trust_version;
}

bool agent_trust_is_lost(const struct agent *agent)
{
	return agent->trust_replaced || (!agent->trust && agent->was_enrolled);
}

bool agent_trust_told(const struct agent *agent,
		      char ret_sha256[SIGN_HASH_CHARS_MAX])
{
	const struct remembered *known;

	if (!agent_trust_is_lost(agent))
		return false;
	if (agent->trust_told[0] &&
	    strcmp(agent->trust_told, agent->trust_read) != 0) {
		(void)strcpy(ret_sha256, agent->trust_told);
		return true;
	}
	known = agent->guard ? &guard_state(agent->guard)->remembered : NULL;
	if (!known || !known->trust_version)
		return false;
	for (size_t i = 0; i < sizeof(known->trust_sha256); i++)
		(void)snprintf(ret_sha256 + 2 * i, 3, "%02x",
			       known->trust_sha256[i]);
	return true;
}

void agent_trust_started(struct agent *agent)
{
	json_t *line;
	size_t i;

	if (agent->trust)
		(void)compare(agent, !agent->started);
	else if (!agent->was_enrolled && were_there(agent))
		(void)lost(agent, "gone", "");
	agent->started = true;
	agent_remember_started(agent);
	agent_mark(agent);
	if (!agent->evidence)
		return;
	json_array_foreach (agent->early, i, line)
		(void)agent_record(agent, json_incref(line), 0, false);
	(void)agent_evidence_sync(agent);
	(void)json_array_clear(agent->early);
	agent->trust_segment = evidence_segment(agent->evidence);
}

static json_t *key_names(const struct trust *trust)
{
	json_t *list = json_array();

	for (size_t i = 0; i < trust->n; i++)
		if (!trust->keys[i].revoked)
			(void)json_array_append_new(
				list, json_string(trust->keys[i].name));
	return list;
}

static void record_trust(struct agent *agent, const char *state)
{
	const struct trust *trust = agent->trust;

	agent_record_early(
		agent,
		evidence_object(
			"trust",
			json_pack("{s:s, s:s, s:I, s:I, s:o, s:s}", "state",
				  state, "issuer", trust->issuer, "version",
				  (json_int_t)trust->version, "threshold",
				  (json_int_t)trust->threshold, "keys",
				  key_names(trust), "sha256", trust->sha256)));
}

void agent_trust_segment(struct agent *agent, uint64_t segment)
{
	if (!agent->trust || agent->trust_replaced ||
	    agent->trust_segment == segment)
		return;
	agent->trust_segment = segment;
	record_trust(agent, "kept");
}

void agent_trust_refused(struct agent *agent, const char *file,
			 const struct trust_bundle *bundle, const char *why)
{
	char hash[SIGN_HASH_CHARS_MAX];

	sign_hash(bundle->bytes, bundle->len, hash);
	agent_trust_refused_as(agent, file, hash, why);
}

void agent_trust_refused_as(struct agent *agent, const char *file,
			    const char *sha256, const char *why)
{
	char words[TRUST_WORDS_MAX];

	(void)snprintf(words, sizeof(words), "%s", why);
	log_clean(words);
	agent_record_early(
		agent,
		evidence_object("refused",
				json_pack("{s:s, s:s*, s:s}", "file", file,
					  "sha256", sha256, "problem", words)));
}

/* ---- trust anchors ------------------------------------------------------- */

/* Is any of these there? */
static bool is_left(const char *dir, const char *const *names, size_t n)
{
	char path[4096];
	struct stat st;

	for (size_t i = 0; i < n; i++)
		if (!text_path(dir, names[i], path, sizeof(path)) &&
		    lstat(path, &st) == 0)
			return true;
	return false;
}

static const char *const left[] = {KEPT_TRUST, KEPT_TRUST ".old", KEPT_POLICY,
				   KEPT_POLICY ".old"};

/*
 * Is something left of trust anchors that were in force? Whoever removes them
 * shall not have a host that takes others, or none.
 */
static bool had_others(const struct agent *agent)
{
	return is_left(agent->opts->state_dir, left + 1,
		       sizeof(left) / sizeof(left[0]) - 1);
}

bool agent_trust_is_kept(const struct agent_options *opts)
{
	const size_t n = sizeof(left) / sizeof(left[0]);
	const struct agent agent = {.opts = opts};
	char sha256[SIGN_HASH_CHARS_MAX];

	return is_left(opts->state_dir, left, n) ||
	       is_left(CORDON_STATE_DIR, left, n) ||
	       agent_is_marked(&agent, sha256);
}

/* 0; -ENOENT: there are none; what is wrong has been said. */
static int read_kept(struct agent *agent)
{
	struct policy_errors *errs = calloc(1, sizeof(*errs));
	char path[4096] = "", *bytes = NULL;
	size_t len;
	int r;

	r = errs ? text_path(agent->opts->state_dir, KEPT_TRUST, path,
			     sizeof(path))
		 : -ENOMEM;
	if (!r)
		r = state_get(path, TRUST_FILE_BYTES_MAX, &bytes, &len);
	if (!r)
		r = trust_parse(KEPT_TRUST, bytes, len, &agent->trust, errs);
	if (r && r != -ENOENT)
		(void)lost(agent, "damaged", policy_errors_why(errs, r));
	if (!r) {
		(void)snprintf(agent->trust_read, sizeof(agent->trust_read),
			       "%s", agent->trust->sha256);
		record_trust(agent, "kept");
	}
	/* They were put back, by whomever. */
	if (!r && agent->started)
		r = compare(agent, true);
	free(bytes);
	free(errs);
	return r;
}

/* Whoever asks which are in force looks there; so does a reload. */
static void put_in_place(struct agent *agent, const struct arrival *arrival)
{
	const char *file = agent->opts->trust_file;
	int r;

	agent->trust_problem[0] = '\0';
	r = trust_bundle_put(file, evidence_base(arrival->file),
			     &arrival->bundle);
	if (r)
		log_error("%s: the trust anchors in force cannot be put there: "
			  "%s; they are kept all the same",
			  file, strerror(-r));
}

/* That nothing was in force before is remembered first: who finds anchors and
 * no memory has forgotten. */
static int remember_first(struct agent *agent)
{
	if (agent->trust || agent->was_enrolled)
		return 0;
	agent->remember.known = true;
	return agent_remember_save(agent);
}

/* Steals next. On the disk before it counts. */
static int adopt(struct agent *agent, struct arrival *arrival,
		 struct trust *next, const char *state)
{
	char path[4096];
	int r;

	r = text_path(agent->opts->state_dir, KEPT_TRUST, path, sizeof(path));
	if (!r)
		r = remember_first(agent);
	if (!r)
		r = state_put(path, arrival->bundle.bytes, arrival->bundle.len);
	if (r) {
		trust_free(next);
		return arrival_refuse(agent, arrival, -EPERM,
				      "they cannot be kept in %.512s: %s: make "
				      "room there, then reload",
				      agent->opts->state_dir, strerror(-r));
	}
	agent->pushed_trust =
		arrival->source == AGENT_FROM_FORCE ? next->version : 0;
	trust_free(agent->trust);
	agent->trust = next;
	/* What others have signed may be good now. */
	agent->amended++;
	arrival_clear_pushed(agent, KIND_TRUST);
	if (agent->remember.known)
		(void)agent_remember_save(agent);
	log_notice("trust anchors %s: %s, version %" PRIu64 ", %" PRIu64
		   " of %zu keys, sha256 %s",
		   state, next->issuer, next->version, next->threshold, next->n,
		   next->sha256);
	record_trust(agent, state);
	if (arrival->source == AGENT_FROM_DROPPED)
		put_in_place(agent, arrival);
	agent_mark(agent);
	agent_policy_judge_signers(agent);
	return 0;
}

static int parse(const struct arrival *arrival, struct trust **ret_trust,
		 struct policy_errors *errs)
{
	return trust_parse(arrival->file, arrival->bundle.bytes,
			   arrival->bundle.len, ret_trust, errs);
}

/*
 * They are gone, and those in the file are the ones that the host was marked
 * by: nothing is lost.
 */
static int restore(struct agent *agent, const char *sha256,
		   struct policy_errors *errs)
{
	const char *file = agent->opts->trust_file;
	struct arrival arrival;
	struct trust *next = NULL;
	int r;

	arrival_init(&arrival, AGENT_FROM_FILE, KIND_TRUST, file);
	r = sha256[0] ? trust_bundle_read_ours(file, &arrival.bundle, errs)
		      : -ENOENT;
	if (!r)
		r = parse(&arrival, &next, errs);
	if (!r && (strcmp(next->sha256, sha256) != 0 ||
		   (agent->started && others(agent, sha256, true)))) {
		trust_free(next);
		r = -EPERM;
	}
	if (!r)
		r = adopt(agent, &arrival, next, "restored");
	if (!r)
		(void)snprintf(agent->trust_read, sizeof(agent->trust_read),
			       "%s", sha256);
	arrival_release(&arrival);
	return r;
}

/* What the force sent is the newer one: that those in the file are older, or in
 * a message for a group, is no fault of them. */
static bool is_passed(const struct agent *agent, const struct arrival *arrival,
		      const struct trust *next)
{
	uint64_t version = agent->trust ? agent->trust->version : 0;

	if (arrival->source == AGENT_FROM_FILE)
		return version == agent->pushed_trust &&
		       next->version < version;
	return arrival->source == AGENT_FROM_FORCE && next->version < version;
}

/* Steals next: these are the next ones, or the same. */
static int take_next(struct agent *agent, struct arrival *arrival,
		     struct trust *next)
{
	struct trust_signers signers;
	char why[TRUST_WORDS_MAX];
	int r = 0;

	if (agent->trust && strcmp(next->sha256, agent->trust->sha256) == 0)
		r = -EALREADY;
	else if (is_passed(agent, arrival, next))
		r = -ESTALE;
	else if (agent->trust)
		r = trust_succeeds(agent->trust, next, &arrival->bundle,
				   &signers, why, sizeof(why));
	if (!r)
		return adopt(agent, arrival, next,
			     agent->trust ? "updated" : "enrolled");
	if (r == -ESTALE && arrival->source == AGENT_FROM_FILE)
		log_notice("%s: its version %" PRIu64 " is older than %" PRIu64
			   ", which the force sent and which stays in force",
			   arrival->file, next->version, agent->trust->version);
	trust_free(next);
	if (r == -ESTALE || r == -EALREADY)
		return r;
	arrival_note_lack(arrival, r == -ENOKEY, &signers);
	return arrival_refuse(agent, arrival, -EPERM, "%s", why);
}

static int take_parsed(struct agent *agent, struct arrival *arrival,
		       struct policy_errors *errs)
{
	struct trust *next = NULL;
	int r;

	r = parse(arrival, &next, errs);
	return r ? arrival_refuse(agent, arrival, -EPERM, "%s",
				  policy_errors_why(errs, r))
		 : take_next(agent, arrival, next);
}

int agent_trust_take(struct agent *agent, struct arrival *arrival)
{
	struct policy_errors *errs;
	int r;

	if (!agent->trust || agent->trust_replaced)
		return arrival_refuse(agent, arrival, -EPERM,
				      "this host knows no anchors that they "
				      "could follow");
	errs = calloc(1, sizeof(*errs));
	if (!errs)
		return -ENOMEM;
	r = take_parsed(agent, arrival, errs);
	free(errs);
	return r;
}

/* 0: those in force are as good as before. */
static int load_file(struct agent *agent, struct policy_errors *errs)
{
	const char *file = agent->opts->trust_file;
	struct arrival arrival;
	int r;

	if (access(file, F_OK) < 0 && errno == ENOENT) {
		if (agent->trust)
			log_warning("%s is not there: version %" PRIu64
				    " of the trust anchors stays in force",
				    file, agent->trust->version);
		return 0;
	}
	arrival_init(&arrival, AGENT_FROM_FILE, KIND_TRUST, file);
	r = trust_bundle_read_ours(file, &arrival.bundle, errs);
	r = r ? arrival_refuse(agent, &arrival, -EPERM, "%s",
			       policy_errors_why(errs, r))
	      : take_parsed(agent, &arrival, errs);
	arrival_release(&arrival);
	if (r == -EALREADY || r == -ESTALE)
		return 0;
	if (r == -EPERM && agent->trust) {
		log_error("version %" PRIu64
			  " of the trust anchors stays in force",
			  agent->trust->version);
		return 0;
	}
	if (r)
		log_error("until then no other policy comes into force");
	return r;
}

/* 0: there are some in force, or may be the first. */
static int load_kept(struct agent *agent, struct policy_errors *errs)
{
	char sha256[SIGN_HASH_CHARS_MAX];
	bool marked;
	int r = 0;

	if (agent->trust_replaced)
		return lost(agent, "not those that were in force", "");
	if (!agent->trust)
		r = read_kept(agent);
	if (r && r != -ENOENT)
		return r;
	marked = agent_is_marked(agent, sha256);
	if (!agent->trust &&
	    (marked || agent->was_enrolled || had_others(agent)) &&
	    (!marked || restore(agent, sha256, errs)))
		return lost(agent, "gone", "");
	return 0;
}

int agent_trust_load(struct agent *agent)
{
	struct policy_errors *errs = calloc(1, sizeof(*errs));
	int r;

	if (!errs)
		return -ENOMEM;
	r = minisign_init();
	if (!r) {
		agent->trust_problem[0] = '\0';
		r = load_kept(agent, errs);
	}
	if (!r)
		r = load_file(agent, errs);
	if (r)
		(void)snprintf(agent->problem, sizeof(agent->problem), "%s",
			       agent->trust_problem[0] ? agent->trust_problem
						       : strerror(-r));
	free(errs);
	return r;
}

/* ---- the policy that is kept --------------------------------------------- */

void agent_trust_had(struct agent *agent, uint64_t serial, const char *sha256)
{
	if (serial < agent->had_serial)
		return;
	agent->had_serial = serial;
	(void)snprintf(agent->had_sha256, sizeof(agent->had_sha256), "%s",
		       sha256);
}

/* What could not be kept is tried again: agent_remember_look(). */
int agent_trust_keep_again(struct agent *agent)
{
	char path[4096];
	int r;

	if (!agent->unkept)
		return 0;
	r = text_path(agent->opts->state_dir, KEPT_POLICY, path, sizeof(path));
	if (!r)
		r = state_put(path, agent->unkept, strlen(agent->unkept));
	if (r)
		return r;
	agent->kept_serial = agent->unkept_serial;
	free(agent->unkept);
	agent->unkept = NULL;
	return 0;
}

void agent_trust_keep(struct agent *agent, const struct trust_bundle *bundle)
{
	json_t *kept = trust_bundle_json(bundle);
	int r = -ENOMEM;

	free(agent->unkept);
	agent->unkept = NULL;
	agent->unkept_serial = agent->policy->serial;
	if (kept && !json_object_set_new(kept, "cordon", json_integer(1)) &&
	    !json_object_set_new(
		    kept, "serial",
		    json_integer((json_int_t)agent->unkept_serial)))
		agent->unkept = json_dumps(kept, JSON_COMPACT);
	json_decref(kept);
	if (agent->unkept)
		r = agent_trust_keep_again(agent);
	if (r)
		log_error("the policy could not be kept for the next boot: "
			  "%s: make room in %s; it is tried again",
			  strerror(-r), agent->opts->state_dir);
}

int agent_trust_kept(struct agent *agent, struct trust_bundle *ret_bundle,
		     uint64_t *ret_serial)
{
	char path[4096], *text = NULL;
	size_t len;
	int r;

	*ret_bundle = (struct trust_bundle){0};
	r = text_path(agent->opts->state_dir, KEPT_POLICY, path, sizeof(path));
	if (!r)
		r = state_get(path, KEPT_POLICY_BYTES_MAX, &text, &len);
	if (!r)
		r = trust_bundle_parse(text, len, ret_bundle, ret_serial);
	if (r && r != -ENOENT)
		log_error("%s: the policy that was kept: %s", path,
			  strerror(-r));
	free(text);
	return r;
}

int agent_trust_recover(struct agent *agent, uint64_t serial)
{
	char path[4096], *bytes = NULL, *text = NULL;
	json_t *kept = NULL;
	size_t len;
	int r;

	r = text_path(agent->opts->state_dir, KEPT_POLICY, path, sizeof(path));
	if (!r)
		r = state_get(path, KEPT_POLICY_BYTES_MAX, &bytes, &len);
	if (r)
		return r == -ENOENT ? 0 : r;
	kept = json_loadb(bytes, len, JSON_REJECT_DUPLICATES, NULL);
	free(bytes);
	if (!kept || evidence_number(kept, "serial") <= serial)
		goto out;
	(void)json_object_set_new(kept, "serial",
				  json_integer((json_int_t)serial));
	text = json_dumps(kept, JSON_COMPACT);
	r = text ? state_put(path, text, strlen(text)) : -ENOMEM;
	if (!r)
		agent->kept_serial = serial;
out:
	json_decref(kept);
	free(text);
	return r;
}

void agent_trust_release(struct agent *agent)
{
	trust_free(agent->trust);
	json_decref(agent->signers);
	json_decref(agent->early);
	free(agent->unkept);
}
