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

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "clock.h"
#include "kind.h"
#include "log.h"
#include "place.h"
#include "text.h"

#define ENTRIES_MAX  4096 /* of the directory that are looked through */
#define LINES_MAX    64	  /* written down in an hour */
#define HOUR_S	     3600
#define SETTLE_MS    100
#define REST_SHARE   4	  /* of the time a look takes, until the next one */
#define INCOMPLETE_S 3600 /* all that have signed are good, but too few */
#define DOUBTFUL_S   10	  /* something else is there as a signature */

#define YAML	".yaml"
#define MINISIG ".minisig"

/* ---- what is known from before ------------------------------------------- */

static struct agent_dropped *dropped_of(struct agent *agent)
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
	struct agent_dropped *dropped = dropped_of(agent);
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
static void set_problem(struct agent *agent, const char *why)
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

static bool is_dropped_name(const char *name)
{
	size_t len = strlen(name);

	return name[0] != '.' && len > sizeof(YAML) - 1 &&
	       strcmp(name + len - (sizeof(YAML) - 1), YAML) == 0;
}

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

/* What somebody tried and took away again leaves a trace. */
static void forget(struct agent *agent, struct dropped_file *file)
{
	char why[POLICY_ERROR_CHARS_MAX];

	if (file->state == DROPPED_WAITING && file->doubtful) {
		(void)snprintf(why, sizeof(why), "%s", file->why);
		refuse(agent, file, why);
	}
	*file = (struct dropped_file){0};
}

/* ---- which of them ------------------------------------------------------- */

/* The newest, by when they were written or moved in. */
struct listing {
	char name[DROPPED_MAX][NAME_MAX + 1];
	struct timespec at[DROPPED_MAX];
	size_t n;
	size_t left; /* that had no place */
};

static bool is_later(const struct timespec *a, const struct timespec *b)
{
	return a->tv_sec != b->tv_sec ? a->tv_sec > b->tv_sec
				      : a->tv_nsec > b->tv_nsec;
}

static void list_one(struct listing *list, const char *name,
		     const struct timespec *at)
{
	size_t i, last;

	for (i = 0; i < list->n && !is_later(at, &list->at[i]); i++)
		;
	list->left += list->n == DROPPED_MAX;
	if (i == DROPPED_MAX)
		return;
	last = list->n < DROPPED_MAX ? list->n++ : DROPPED_MAX - 1;
	memmove(&list->name[i + 1], &list->name[i],
		(last - i) * sizeof(list->name[0]));
	memmove(&list->at[i + 1], &list->at[i],
		(last - i) * sizeof(list->at[0]));
	(void)snprintf(list->name[i], sizeof(list->name[i]), "%s", name);
	list->at[i] = *at;
}

/* As place_open_dir(). */
static int list_all(const struct agent *agent, struct listing *ret_list,
		    char why[PLACE_WHY_CHARS_MAX])
{
	const struct dirent *entry;
	struct stat st;
	size_t seen = 0;
	DIR *all = NULL;
	int dir, r;

	ret_list->n = ret_list->left = 0;
	r = place_open_dir(agent->opts->drop_dir, &dir, why);
	if (r)
		return r;
	all = fdopendir(dir);
	if (!all) {
		r = -errno;
		(void)close(dir);
		return r;
	}
	while ((entry = readdir(all)) && ++seen <= ENTRIES_MAX)
		if (is_dropped_name(entry->d_name) &&
		    !fstatat(dir, entry->d_name, &st, AT_SYMLINK_NOFOLLOW))
			list_one(ret_list, entry->d_name, &st.st_ctim);
	ret_list->left += seen > ENTRIES_MAX;
	(void)closedir(all);
	return 0;
}

static void pend(struct agent_dropped *dropped, const char *name, bool came)
{
	struct dropped_pending *pending;

	for (size_t i = 0; i < dropped->n_pending; i++) {
		pending = &dropped->pending[i];
		if (strcmp(pending->name, name) == 0) {
			pending->came = pending->came || came;
			return;
		}
	}
	if (dropped->n_pending == DROPPED_MAX) {
		dropped->all = true;
		return;
	}
	pending = &dropped->pending[dropped->n_pending++];
	(void)snprintf(pending->name, sizeof(pending->name), "%s", name);
	pending->came = came;
}

static bool has_come(const struct dropped_pending *pending, size_t n,
		     const char *name)
{
	for (size_t i = 0; i < n; i++)
		if (strcmp(pending[i].name, name) == 0)
			return pending[i].came;
	return false;
}

/* All that is there, and nothing that has gone. */
static int pend_all(struct agent *agent)
{
	struct agent_dropped *dropped = agent->dropped;
	struct listing *list = calloc(1, sizeof(*list));
	struct dropped_pending before[DROPPED_MAX];
	char why[PLACE_WHY_CHARS_MAX] = "";
	size_t n_before, i, k;
	int r;

	r = list ? list_all(agent, list, why) : -ENOMEM;
	if (r && !why[0] && r != -ENOENT)
		(void)snprintf(why, sizeof(why), "%s", strerror(-r));
	else if (!r && list->left)
		(void)snprintf(why, sizeof(why),
			       "%s: more than %d files are there: only the "
			       "newest are looked at; take away those that "
			       "nobody needs",
			       agent->opts->drop_dir, DROPPED_MAX);
	set_problem(agent, why);
	memcpy(before, dropped->pending, sizeof(before));
	n_before = dropped->n_pending;
	dropped->n_pending = 0;
	dropped->all = false;
	for (i = 0; !r && i < list->n; i++)
		pend(dropped, list->name[i],
		     has_come(before, n_before, list->name[i]));
	for (i = 0; !r && i < DROPPED_MAX; i++) {
		if (dropped->files[i].state == DROPPED_NONE)
			continue;
		for (k = 0; k < list->n; k++)
			if (strcmp(list->name[k], dropped->files[i].name) == 0)
				break;
		if (k == list->n)
			forget(agent, &dropped->files[i]);
	}
	free(list);
	return r;
}

/* A file, or a signature: of whatever may be called so. */
static void pend_named(struct agent_dropped *dropped, const char *name,
		       bool came)
{
	size_t len = strlen(name);
	char base[NAME_MAX + 1];
	const char *at;

	if (is_dropped_name(name))
		pend(dropped, name, came);
	if (len < sizeof(MINISIG) ||
	    strcmp(name + len - (sizeof(MINISIG) - 1), MINISIG) != 0)
		return;
	for (at = strstr(name, YAML "."); at; at = strstr(at + 1, YAML ".")) {
		(void)snprintf(base, sizeof(base), "%.*s",
			       (int)(at - name + (long)sizeof(YAML) - 1), name);
		if (is_dropped_name(base))
			pend(dropped, base, false);
	}
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
	forget(agent, file);
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
			forget(agent, file);
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
			r = pend_all(agent);
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

static void look_now(struct agent *agent)
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
	struct listing *list = calloc(1, sizeof(*list));
	char why[PLACE_WHY_CHARS_MAX];
	struct arrival best = {0}, next;
	size_t n = 0;

	if (list && agent->opts->drop_dir && !why_not(agent)[0] &&
	    !list_all(agent, list, why))
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

/* ---- watching ------------------------------------------------------------ */

/* Its name in the directory above it. */
static const char *base_of(const struct agent *agent)
{
	return evidence_base(agent->opts->drop_dir);
}

static void watch_parent(const struct agent *agent)
{
	struct agent_dropped *dropped = agent->dropped;
	const char *base = base_of(agent);
	char path[PATH_MAX];

	(void)snprintf(path, sizeof(path), "%.*s/",
		       (int)(base - agent->opts->drop_dir),
		       agent->opts->drop_dir);
	dropped->parent_wd =
		inotify_add_watch(dropped->inotify_fd, path,
				  IN_CREATE | IN_MOVED_TO | IN_MOVED_FROM |
					  IN_DELETE | IN_ATTRIB | IN_ONLYDIR);
}

static void watch_dir(const struct agent *agent)
{
	struct agent_dropped *dropped = agent->dropped;
	int before = dropped->dir_wd;

	dropped->dir_wd = inotify_add_watch(
		dropped->inotify_fd, agent->opts->drop_dir,
		IN_CLOSE_WRITE | IN_MOVED_TO | IN_CREATE | IN_ATTRIB |
			IN_MOVED_FROM | IN_DELETE | IN_ONLYDIR |
			IN_DONT_FOLLOW);
	if (dropped->dir_wd < 0 && errno != ENOENT && errno != ENOTDIR)
		log_error("%s cannot be watched: %s; what is dropped there is "
			  "seen on a reload",
			  agent->opts->drop_dir, strerror(errno));
	if (before >= 0 && before != dropped->dir_wd)
		(void)inotify_rm_watch(dropped->inotify_fd, before);
	dropped->all = true;
}

/* One that nobody opens to write: a link, or what is no file. */
static bool is_whole(const struct agent *agent, const char *name)
{
	char path[PATH_MAX];
	struct stat st;

	return !text_path(agent->opts->drop_dir, name, path, sizeof(path)) &&
	       !lstat(path, &st) && (!S_ISREG(st.st_mode) || st.st_nlink > 1);
}

static void take_event(struct agent *agent, const struct inotify_event *event)
{
	struct agent_dropped *dropped = agent->dropped;
	const char *name = event->len ? event->name : "";

	if (event->wd == dropped->parent_wd) {
		if (strcmp(name, base_of(agent)) == 0)
			watch_dir(agent);
	} else if (event->wd != dropped->dir_wd || !name[0]) {
		/* Too much happened to tell, or to the directory itself. */
		dropped->all = dropped->all || event->wd == dropped->dir_wd ||
			       (event->mask & IN_Q_OVERFLOW);
	} else if (!(event->mask & IN_CREATE) || is_whole(agent, name)) {
		pend_named(dropped, name,
			   event->mask &
				   (IN_CLOSE_WRITE | IN_MOVED_TO | IN_CREATE));
	}
}

static void take_events(struct agent *agent)
{
	char buf[8192] __attribute__((aligned(8)));
	const struct inotify_event *event;
	ssize_t n, at;

	while ((n = read(agent->dropped->inotify_fd, buf, sizeof(buf))) > 0)
		for (at = 0; at < n;
		     at += (ssize_t)sizeof(*event) + (ssize_t)event->len) {
			event = (const struct inotify_event *)(buf + at);
			take_event(agent, event);
		}
}

/* For the look that is due, or for what has waited long enough. */
static void set_timer(struct agent_dropped *dropped)
{
	struct itimerspec when = {0};
	int64_t wait_ms = INT64_MAX, due_ms;

	if (dropped->look_ms)
		wait_ms = dropped->look_ms - clock_ms();
	for (size_t i = 0; i < DROPPED_MAX; i++) {
		if (dropped->files[i].state != DROPPED_WAITING)
			continue;
		due_ms = (dropped->files[i].due_s - dropped->now_s) * 1000;
		if (due_ms < wait_ms)
			wait_ms = due_ms;
	}
	if (wait_ms < 1)
		wait_ms = 1;
	if (wait_ms < INT64_MAX) {
		when.it_value.tv_sec = wait_ms / 1000;
		when.it_value.tv_nsec = wait_ms % 1000 * 1000000;
	}
	(void)timerfd_settime(dropped->timer_fd, 0, &when, NULL);
}

void agent_dropped_handle(struct agent *agent, int64_t now_s)
{
	struct agent_dropped *dropped = agent->dropped;
	uint64_t n;

	dropped->now_s = now_s;
	take_events(agent);
	(void)!read(dropped->timer_fd, &n, sizeof(n));
	for (size_t i = 0; i < DROPPED_MAX; i++)
		if (dropped->files[i].state == DROPPED_WAITING &&
		    dropped->files[i].due_s <= now_s)
			pend(dropped, dropped->files[i].name, false);
	if (!dropped->look_ms && (dropped->all || dropped->n_pending)) {
		dropped->look_ms = clock_ms() + SETTLE_MS;
		if (dropped->look_ms < dropped->rest_ms)
			dropped->look_ms = dropped->rest_ms;
	} else if (dropped->look_ms && clock_ms() >= dropped->look_ms) {
		look_now(agent);
	}
	set_timer(dropped);
}

void agent_dropped_look(struct agent *agent)
{
	if (!agent->dropped || agent->dropped->epoll_fd < 0)
		return;
	watch_parent(agent);
	watch_dir(agent);
	take_events(agent);
	look_now(agent);
	set_timer(agent->dropped);
}

static int open_fds(struct agent_dropped *dropped)
{
	struct epoll_event event = {.events = EPOLLIN};

	dropped->inotify_fd = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
	dropped->timer_fd =
		timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
	dropped->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	if (dropped->inotify_fd < 0 || dropped->timer_fd < 0 ||
	    dropped->epoll_fd < 0 ||
	    epoll_ctl(dropped->epoll_fd, EPOLL_CTL_ADD, dropped->inotify_fd,
		      &event) < 0 ||
	    epoll_ctl(dropped->epoll_fd, EPOLL_CTL_ADD, dropped->timer_fd,
		      &event) < 0)
		return -errno;
	return 0;
}

int agent_dropped_start(struct agent *agent)
{
	struct agent_dropped *dropped = dropped_of(agent);
	int r;

	r = dropped ? open_fds(dropped) : -ENOMEM;
	if (r) {
		log_error("%s cannot be watched: %s", agent->opts->drop_dir,
			  strerror(-r));
		return r;
	}
	dropped->now_s = clock_s(CLOCK_BOOTTIME);
	dropped->starting = true;
	agent_dropped_look(agent);
	return dropped->epoll_fd;
}

void agent_dropped_release(struct agent *agent)
{
	struct agent_dropped *dropped = agent->dropped;

	agent->dropped = NULL;
	if (!dropped)
		return;
	if (dropped->epoll_fd >= 0)
		(void)close(dropped->epoll_fd);
	if (dropped->timer_fd >= 0)
		(void)close(dropped->timer_fd);
	if (dropped->inotify_fd >= 0)
		(void)close(dropped->inotify_fd);
	free(dropped);
}
