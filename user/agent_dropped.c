// SPDX-License-Identifier: GPL-2.0-only
/*
 * The drop directory: what the issuer signed and somebody brought here, by scp
 * or on a stick, without a word to the agent.
 *
 * A file NAME.yaml and its signatures come in any order. One is looked at when
 * it, or what signs it, was closed after writing or moved in, a moment later,
 * so that what comes together is looked at together; and again when trust
 * anchors changed, at a reload, and at the start. What it is, its key says. It
 * goes through the very functions that the files of the administrator go
 * through.
 *
 * Whoever can write there has root's files. What they put there is bounded in
 * number, size and in what is written down about it, and costs no more than a
 * part of the agent's time.
 */
#include "act.h"
#include "agent.h"
#include "agent_dropped.h"

#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "clock.h"
#include "kind.h"
#include "log.h"
#include "text.h"

#define LINES_MAX    64 /* written down in an hour */
#define HOUR_S	     3600
#define REST_SHARE   4	  /* of the time a look takes, until the next one */
#define INCOMPLETE_S 3600 /* all that have signed are good, but too few */
#define DOUBTFUL_S   10	  /* something else is there as a signature */

/* ---- what is known from before ------------------------------------------- */

struct agent_dropped *dropped_get(struct agent *agent)
{
	struct agent_dropped *dropped = agent->dropped;

	if (dropped)
		return dropped;
	dropped = calloc(1, sizeof(*dropped));
	if (!dropped)
		return NULL;
	dropped->epoll_fd = dropped->inotify_fd = dropped->timer_fd = -1;
	dropped->parent_wd = dropped->dir_wd = -1;
	agent->dropped = dropped;
	return dropped;
}

static bool knows(const struct dropped_known *known, const char *hash)
{
	for (size_t i = 0; i < DROPPED_HASHES_MAX && i < known->n; i++)
		if (strcmp(known->at[i], hash) == 0)
			return true;
	return false;
}

static void learn(struct dropped_known *known, const char *hash)
{
	if (!hash[0] || knows(known, hash))
		return;
	(void)snprintf(known->at[known->n++ % DROPPED_HASHES_MAX],
		       SIGN_HASH_CHARS_MAX, "%s", hash);
}

/* What was refused for what: of something unknown, under its name. */
static void hash_refusal(const char *file, const char *sha256, const char *why,
			 char ret_hash[SIGN_HASH_CHARS_MAX])
{
	char text[PATH_MAX + TRUST_WORDS_MAX];
	size_t len = strlen(file);

	if (strncmp(why, file, len) == 0)
		why += len;
	(void)snprintf(text, sizeof(text), "%s %s",
		       sha256 && sha256[0] ? sha256 : file, why);
	sign_hash(text, strlen(text), ret_hash);
}

void agent_dropped_old(struct agent *agent, const json_t *line)
{
	const char *type = evidence_text(line, "type");
	struct agent_dropped *dropped = dropped_get(agent);
	const char *sha256 = evidence_text(line, "sha256");
	char hash[SIGN_HASH_CHARS_MAX];

	if (!dropped)
		return;
	if (strcmp(type, "policy") == 0 || strcmp(type, "trust") == 0)
		learn(&dropped->forced, sha256);
	if (strcmp(type, "refused") != 0)
		return;
	hash_refusal(evidence_text(line, "file"), sha256,
		     evidence_text(line, "problem"), hash);
	learn(&dropped->refused, hash);
}

/* ---- what is told -------------------------------------------------------- */

/* May another line be written down? */
static bool may_write(struct agent_dropped *dropped)
{
	if (dropped->now_s - dropped->hour_s >= HOUR_S) {
		dropped->hour_s = dropped->now_s;
		dropped->lines = 0;
	}
	if (dropped->lines == LINES_MAX) {
		dropped->unwritten++;
		return false;
	}
	dropped->lines++;
	return true;
}

/* Once for what it is and why, over all agents that the evidence tells of. */
static void write_down(struct agent *agent, const char *path,
		       const char *sha256, const char *why)
{
	struct agent_dropped *dropped = agent->dropped;
	char hash[SIGN_HASH_CHARS_MAX];

	hash_refusal(path, sha256, why, hash);
	if (knows(&dropped->refused, hash) || !may_write(dropped))
		return;
	learn(&dropped->refused, hash);
	log_error("dropped file refused: %s; policy serial %" PRIu64
		  " stays in force",
		  why, agent_serial(agent));
	agent_trust_refused_as(agent, path, sha256[0] ? sha256 : NULL, why);
}

static void refuse(struct agent *agent, struct dropped_file *file,
		   const char *why)
{
	char path[PATH_MAX];

	(void)text_path(agent->opts->drop_dir, file->name, path, sizeof(path));
	file->state = DROPPED_REFUSED;
	file->due_s = 0;
	(void)snprintf(file->why, sizeof(file->why), "%s", why);
	log_clean(file->why);
	write_down(agent, path, file->sha256, file->why);
}

/* Of the directory itself. */
void dropped_set_problem(struct agent *agent, const char *why)
{
	struct agent_dropped *dropped = agent->dropped;

	if (strcmp(dropped->problem, why) == 0)
		return;
	(void)snprintf(dropped->problem, sizeof(dropped->problem), "%s", why);
	log_clean(dropped->problem);
	if (why[0])
		write_down(agent, agent->opts->drop_dir, "", dropped->problem);
}

/* ---- files --------------------------------------------------------------- */

static struct dropped_file *find_file(struct agent_dropped *dropped,
				      const char *name)
{
	for (size_t i = 0; i < DROPPED_MAX; i++)
		if (dropped->files[i].state != DROPPED_NONE &&
		    strcmp(dropped->files[i].name, name) == 0)
			return &dropped->files[i];
	return NULL;
}

/* Which of two may be forgotten for a new one? */
static bool matters_less(const struct dropped_file *a,
			 const struct dropped_file *b)
{
	static const int weight[] = {[DROPPED_NONE] = 0,
				     [DROPPED_OLDER] = 1,
				     [DROPPED_REFUSED] = 2,
				     [DROPPED_WAITING] = 3,
				     [DROPPED_IN_FORCE] = 4};

	if (weight[a->state] != weight[b->state])
		return weight[a->state] < weight[b->state];
	return a->since_s < b->since_s;
}

static struct dropped_file *place_for(struct agent_dropped *dropped,
				      const char *name)
{
	struct dropped_file *file = find_file(dropped, name);

	if (file)
		return file;
	file = &dropped->files[0];
	for (size_t i = 1; i < DROPPED_MAX; i++)
		if (matters_less(&dropped->files[i], file))
			file = &dropped->files[i];
	*file = (struct dropped_file){.since_s = dropped->now_s};
	(void)snprintf(file->name, sizeof(file->name), "%s", name);
	return file;
}

void dropped_forget(struct agent *agent, struct dropped_file *file)
{
	char why[POLICY_ERROR_CHARS_MAX];

	if (file->state == DROPPED_WAITING && file->doubtful) {
		(void)snprintf(why, sizeof(why), "%s", file->why);
		refuse(agent, file, why);
	}
	*file = (struct dropped_file){0};
}

/* ---- judging ------------------------------------------------------------- */

static int take_act(struct agent *agent, struct arrival *arrival)
{
	char told[ACT_WORDS_MAX];

	return agent_act_apply(agent, arrival, told, sizeof(told));
}

static int take_enrolment(struct agent *agent, struct arrival *arrival)
{
	if (!agent->take_enrolment)
		return arrival_refuse(agent, arrival, -EPERM,
				      "this agent takes no enrolment");
	return agent->take_enrolment(agent, arrival);
}

static int take_unknown(struct agent *agent, struct arrival *arrival)
{
	return arrival_refuse(agent, arrival, -EINVAL,
			      "it is nothing that a host takes: expected as "
			      "its first key " KIND_KEYS);
}

/*
 * What puts a file of each kind into force. 0; -EALREADY: it is; -EPERM,
 * -EINVAL: arrival->problem has why. Of policies only the newest does.
 */
static int (*const takes[KIND_MAX])(struct agent *agent,
				    struct arrival *arrival) = {
	[KIND_NONE] = take_unknown,
	[KIND_TRUST] = agent_trust_take,
	[KIND_ACT] = take_act,
	[KIND_ENROLMENT] = take_enrolment,
};

/* Until its day comes, or the clock is set. */
static void wait_for_day(struct agent *agent, struct dropped_file *file,
			 const struct arrival *arrival)
{
	int64_t left_s = arrival->begins_s - agent_now(agent);
	char at[TEXT_NUMBER_CHARS_MAX];

	text_format_time(arrival->begins_s, at, sizeof(at));
	(void)snprintf(file->why, sizeof(file->why),
		       "%.256s: not valid before %s", arrival->file, at);
	if (left_s > HOUR_S)
		left_s = HOUR_S;
	file->due_s = agent->dropped->now_s + (left_s > 1 ? left_s : 1);
}

/* What is not complete is no attack, until nobody completes it. */
static void wait_for_more(struct agent *agent, struct dropped_file *file,
			  const struct arrival *arrival)
{
	struct agent_dropped *dropped = agent->dropped;

	if (file->state != DROPPED_WAITING && file->state != DROPPED_REFUSED)
		file->since_s = dropped->now_s;
	file->doubtful = arrival->lacks && arrival->doubtful;
	if (arrival->lacks) {
		file->due_s = file->since_s +
			      (file->doubtful ? DOUBTFUL_S : INCOMPLETE_S);
		if (file->due_s <= dropped->now_s) {
			refuse(agent, file, arrival->problem);
			return;
		}
		(void)snprintf(file->why, sizeof(file->why), "%s",
			       arrival->problem);
	} else {
		wait_for_day(agent, file, arrival);
	}
	if (file->state != DROPPED_WAITING)
		log_notice("dropped file waits: %s", file->why);
	file->state = DROPPED_WAITING;
}

static void put_older(struct dropped_file *file)
{
	file->state = DROPPED_OLDER;
	file->why[0] = '\0';
	file->due_s = 0;
}

static void put_in_force(struct agent_dropped *dropped,
			 struct dropped_file *file)
{
	for (size_t i = 0; i < DROPPED_MAX; i++)
		if (dropped->files[i].state == DROPPED_IN_FORCE &&
		    dropped->files[i].kind == file->kind)
			put_older(&dropped->files[i]);
	put_older(file);
	file->state = DROPPED_IN_FORCE;
	learn(&dropped->forced, file->sha256);
}

/* What came of it. */
static void settle(struct agent *agent, struct dropped_file *file,
		   const struct arrival *arrival, int r)
{
	if (!r || r == -EALREADY)
		put_in_force(agent->dropped, file);
	else if (r == -EPERM && (arrival->lacks || arrival->begins_s))
		wait_for_more(agent, file, arrival);
	else
		refuse(agent, file, arrival->problem);
}

/* Was it half of this when it was looked at last? */
static bool has_grown(const struct dropped_file *file,
		      const struct trust_bundle *bundle)
{
	char hash[SIGN_HASH_CHARS_MAX];

	if (!file->sha256[0] || file->len >= bundle->len)
		return false;
	sign_hash(bundle->bytes, file->len, hash);
	return strcmp(hash, file->sha256) == 0;
}

/* Is something else there under its name? */
static void take_content(struct agent *agent, struct dropped_file *file,
			 const struct trust_bundle *bundle)
{
	char hash[SIGN_HASH_CHARS_MAX], name[NAME_MAX + 1];

	sign_hash(bundle->bytes, bundle->len, hash);
	if (strcmp(file->sha256, hash) == 0)
		return;
	if (has_grown(file, bundle))
		file->doubtful = false;
	(void)snprintf(name, sizeof(name), "%s", file->name);
	dropped_forget(agent, file);
	file->since_s = agent->dropped->now_s;
	(void)snprintf(file->name, sizeof(file->name), "%s", name);
	(void)snprintf(file->sha256, sizeof(file->sha256), "%s", hash);
	file->len = bundle->len;
}

/* A look: the policies that could come into force. */
struct look {
	struct {
		char name[NAME_MAX + 1];
		uint64_t serial;
		bool tried;
	} at[DROPPED_MAX];
	size_t n;
	bool changed; /* other trust anchors are in force now */
};

static void add_candidate(struct look *look, const char *name, uint64_t serial)
{
	if (look->n == DROPPED_MAX)
		return;
	(void)snprintf(look->at[look->n].name, sizeof(look->at[0].name), "%s",
		       name);
	look->at[look->n].serial = serial;
	look->at[look->n++].tried = false;
}

/* A policy becomes a candidate of the look or, if there is none, comes into
 * force. */
static int judge_policy(struct agent *agent, struct dropped_file *file,
			struct arrival *arrival, struct look *look)
{
	int r;

	r = agent_policy_judge(agent, arrival, false);
	if (r)
		return r;
	if (!look)
		return agent_policy_apply(agent, arrival);
	add_candidate(look, file->name, arrival->policy->serial);
	/* Until it is the newest. */
	put_older(file);
	return 0;
}

static int judge(struct agent *agent, struct dropped_file *file,
		 struct arrival *arrival, struct look *look)
{
	int r;

	file->kind = kind_name(arrival->kind);
	if (arrival->kind == KIND_POLICY)
		return judge_policy(agent, file, arrival, look);
	r = takes[arrival->kind](agent, arrival);
	if (look)
		look->changed = look->changed || !r;
	return r;
}

static bool is_candidate(const struct look *look, const char *name)
{
	for (size_t i = 0; look && i < look->n; i++)
		if (strcmp(look->at[i].name, name) == 0)
			return true;
	return false;
}

/* It has been read. */
static int take(struct agent *agent, struct dropped_file *file, bool came,
		struct arrival *arrival, struct look *look)
{
	const struct agent_dropped *dropped = agent->dropped;
	bool lies;
	int r;

	take_content(agent, file, &arrival->bundle);
	lies = !came &&
	       (file->state == DROPPED_IN_FORCE ||
		file->state == DROPPED_OLDER ||
		(dropped->starting && knows(&dropped->forced, file->sha256)));
	r = judge(agent, file, arrival, look);
	if (r && r != -EALREADY && lies)
		put_older(file);
	else if (!is_candidate(look, file->name))
		settle(agent, file, arrival, r);
	return r;
}

/* For arrival_release(). -ENOENT: it is not there. */
static int read_dropped(struct agent *agent, const char *name,
			struct arrival *ret_arrival)
{
	struct policy_errors *errs = calloc(1, sizeof(*errs));
	int r;

	arrival_init(ret_arrival, AGENT_FROM_DROPPED, KIND_NONE, "");
	r = errs ? text_path(agent->opts->drop_dir, name, ret_arrival->file,
			     sizeof(ret_arrival->file))
		 : -ENOMEM;
	if (!r)
		r = trust_bundle_read_ours(ret_arrival->file,
					   &ret_arrival->bundle, errs);
	if (r)
		(void)arrival_refuse(agent, ret_arrival, r, "%s",
				     policy_errors_why(errs, r));
	else
		ret_arrival->kind = kind_of(ret_arrival->bundle.bytes);
	free(errs);
	return r;
}

static int look_at(struct agent *agent, const char *name, bool came,
		   struct look *look)
{
	struct agent_dropped *dropped = agent->dropped;
	struct dropped_file *file = find_file(dropped, name);
	struct arrival arrival;
	int r;

	r = read_dropped(agent, name, &arrival);
	if (!r) {
		r = take(agent, place_for(dropped, name), came, &arrival, look);
	} else if (r == -ENOENT) {
		if (file)
			dropped_forget(agent, file);
	} else if (r != -ENOMEM) {
		file = place_for(dropped, name);
		file->sha256[0] = '\0';
		file->kind = NULL;
		refuse(agent, file, arrival.problem);
	}
	arrival_release(&arrival);
	(void)malloc_trim(0);
	return r;
}

/* The newest candidate, and the next one if that cannot be; who are left came
 * with a newer one. */
static void take_best(struct agent *agent, struct look *look)
{
	struct dropped_file *file;
	size_t best, i;
	int r = -ENOENT;

	for (;;) {
		best = look->n;
		for (i = 0; i < look->n; i++)
			if (!look->at[i].tried &&
			    (best == look->n ||
			     look->at[i].serial > look->at[best].serial))
				best = i;
		if (best == look->n)
			return;
		look->at[best].tried = true;
		if (r) {
			r = look_at(agent, look->at[best].name, true, NULL);
			continue;
		}
		file = find_file(agent->dropped, look->at[best].name);
		if (file)
			put_older(file);
	}
}

/* Why nothing is looked at; "" if it is. */
static const char *why_not(const struct agent *agent)
{
	if (agent->trust && !agent->trust_replaced)
		return "";
	return agent->trust_problem[0]
		       ? agent->trust_problem
		       : "not looked at: without trust anchors nobody knows "
			 "whose it is: cordon-trust(5)";
}

static void look_through(struct agent *agent)
{
	struct agent_dropped *dropped = agent->dropped;
	struct dropped_pending pending[DROPPED_MAX];
	struct look *look = calloc(1, sizeof(*look));
	size_t n, i;
	int r = 0;

	/* One version of trust anchors after the other. */
	for (size_t round = 0; look && !r && round < DROPPED_MAX; round++) {
		if (dropped->all)
			r = dropped_pend_all(agent);
		*look = (struct look){0};
		n = dropped->n_pending;
		memcpy(pending, dropped->pending, sizeof(pending));
		dropped->n_pending = 0;
		for (i = 0; i < n; i++) {
			/* Some of them may be large, and the host slow. */
			agent_notify("WATCHDOG=1");
			(void)look_at(agent, pending[i].name, pending[i].came,
				      look);
		}
		if (!look->changed)
			break;
		dropped->all = true;
	}
	if (look)
		take_best(agent, look);
	free(look);
}

void dropped_look_now(struct agent *agent)
{
	struct agent_dropped *dropped = agent->dropped;
	const char *why = why_not(agent);
	int64_t begun_ms = clock_ms();

	dropped->look_ms = 0;
	if (why[0]) {
		(void)snprintf(dropped->problem, sizeof(dropped->problem), "%s",
			       why);
		dropped->n_pending = 0;
		dropped->all = false;
		return;
	}
	look_through(agent);
	dropped->starting = false;
	dropped->rest_ms = clock_ms() + REST_SHARE * (clock_ms() - begun_ms);
}

/* 0, and the policy is judged; -errno. For arrival_release(). */
static int could_begin(struct agent *agent, const char *name, uint64_t serial,
		       struct arrival *ret_arrival)
{
	int r;

	r = read_dropped(agent, name, ret_arrival);
	if (!r && ret_arrival->kind != KIND_POLICY)
		r = -EINVAL;
	if (!r)
		r = agent_policy_judge(agent, ret_arrival, true);
	if (!r && ret_arrival->policy->serial <= serial)
		r = -ESTALE;
	return r;
}

int agent_dropped_newest(struct agent *agent, uint64_t serial,
			 struct arrival *ret_arrival)
{
	struct dropped_listing *list = calloc(1, sizeof(*list));
	char why[PLACE_WHY_CHARS_MAX];
	struct arrival best = {0}, next;
	size_t n = 0;

	if (list && agent->opts->drop_dir && !why_not(agent)[0] &&
	    !dropped_list(agent, list, why))
		n = list->n;
	for (size_t i = 0; i < n; i++) {
		if (could_begin(agent, list->name[i], serial, &next)) {
			arrival_release(&next);
			continue;
		}
		arrival_release(&best);
		best = next;
		serial = best.policy->serial;
	}
	free(list);
	if (!best.policy)
		return -ENOENT;
	*ret_arrival = best;
	return 0;
}
