// SPDX-License-Identifier: GPL-2.0-only
/*
 * The agent as a host of a fleet: it takes the enrolment and has a link to the
 * broker. Nothing here waits, and nothing that the link or the broker does
 * keeps the agent from its work.
 */
#include "agent_fleet.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "clock.h"
#include "log.h"
#include "text.h"

#define SEND_AFTER_MS 200 /* of the first line: more may come with it */

/* ---- waiting ------------------------------------------------------------- */

void fleet_wake(struct agent_fleet *fleet, int64_t at_ms)
{
	struct itimerspec when = {0};

	if (fleet->armed_ms && fleet->armed_ms <= at_ms)
		return;
	fleet->armed_ms = at_ms;
	when.it_value.tv_sec = at_ms / 1000;
	when.it_value.tv_nsec = at_ms % 1000 * 1000000 + 1;
	(void)timerfd_settime(fleet->timer_fd, TFD_TIMER_ABSTIME, &when, NULL);
}

static int watch(struct agent_fleet *fleet, int fd)
{
	struct epoll_event event = {.events = EPOLLIN};

	return epoll_ctl(fleet->epoll_fd, EPOLL_CTL_ADD, fd, &event) < 0
		       ? -errno
		       : 0;
}

void fleet_watch_link(struct agent_fleet *fleet, bool on)
{
	if (fleet->watched == on)
		return;
	if (on)
		(void)watch(fleet, link_fd(fleet->link));
	else
		(void)epoll_ctl(fleet->epoll_fd, EPOLL_CTL_DEL,
				link_fd(fleet->link), NULL);
	fleet->watched = on;
}

int agent_fleet_load(struct agent *agent)
{
	struct agent_fleet *fleet = calloc(1, sizeof(*fleet));
	int r = 0;

	if (!fleet)
		return -ENOMEM;
	agent->fleet = fleet;
	fleet->may_tell = FLEET_TELL_MAX;
	fleet->tell_ms = clock_ms();
	fleet->timer_fd = -1;
	(void)snprintf(fleet->folder, sizeof(fleet->folder), "%s/" EVIDENCE_DIR,
		       agent->opts->state_dir);
	fleet->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	if (fleet->epoll_fd < 0)
		return -errno;
	fleet->timer_fd =
		timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
	r = fleet->timer_fd < 0 ? -errno : watch(fleet, fleet->timer_fd);
	if (!r)
		fleet_kept_read(agent);
	return r;
}

int agent_fleet_fd(const struct agent *agent)
{
	return agent->fleet->epoll_fd;
}

/* ---- the enrolment ------------------------------------------------------- */

bool agent_fleet_holds(const struct agent *agent, uint64_t *ret_acked)
{
	const struct agent_fleet *fleet = agent->fleet;

	if (!fleet || !fleet->has_kept || !fleet_is_enrolled(agent))
		return false;
	*ret_acked = fleet->kept.acked.seq;
	return true;
}

static void hold(struct agent *agent)
{
	uint64_t acked;

	if (agent->evidence)
		evidence_hold(agent->evidence, agent_fleet_holds(agent, &acked)
						       ? acked
						       : UINT64_MAX);
}

static json_t *texts_json(const char *texts, size_t size, size_t n)
{
	json_t *list = json_array();

	for (size_t i = 0; i < n; i++)
		(void)json_array_append_new(list,
					    json_string(texts + i * size));
	return list;
}

static json_t *groups_json(const struct enrolment *enrolment)
{
	return texts_json(enrolment->groups[0], sizeof(enrolment->groups[0]),
			  enrolment->n_groups);
}

static json_t *servers_json(const struct enrolment *enrolment)
{
	return texts_json(enrolment->servers[0], sizeof(enrolment->servers[0]),
			  enrolment->n_servers);
}

static void record_enrolment(struct agent *agent)
{
	const struct enrolment *enrolment = agent->fleet->enrolment;

	log_notice("enrolled with %s as %s, serial %" PRIu64 ", sha256 %s",
		   enrolment->issuer, enrolment->host, enrolment->serial,
		   enrolment->sha256);
	(void)agent_record(
		agent,
		evidence_object("enrolment",
				json_pack("{s:s, s:s, s:I, s:o, s:o, s:s}",
					  "issuer", enrolment->issuer, "host",
					  enrolment->host, "serial",
					  (json_int_t)enrolment->serial,
					  "servers", servers_json(enrolment),
					  "groups", groups_json(enrolment),
					  "sha256", enrolment->sha256)),
		0, false);
	(void)agent_evidence_sync(agent);
}

static void refuse(struct agent *agent, const struct trust_bundle *bundle,
		   const char *why)
{
	struct agent_fleet *fleet = agent->fleet;
	const char *file = agent->opts->enrolment_file;
	size_t len = strlen(file);

	/* What a parser says begins with it. */
	if (strncmp(why, file, len) == 0 && why[len] == ':')
		why += len + 1 + strspn(why + len + 1, " ");
	(void)snprintf(fleet->problem, sizeof(fleet->problem), "%s: %s", file,
		       why);
	log_clean(fleet->problem);
	log_error("enrolment refused: %s; this host is of no fleet",
		  fleet->problem);
	if (bundle)
		agent_trust_refused(agent, file, bundle, why);
}

/* The policy in force stays, but it begins at no boot. */
static void warn_of_name(const struct agent *agent)
{
	const char *host = agent->fleet->enrolment->host;

	if (agent->policy && !policy_covers_host(agent->policy, host))
		log_error("the policy in force is not for this host as it is "
			  "enrolled: none of its `hosts` matches %s; ask the "
			  "issuer for one that does, before the next boot",
			  host);
}

/* 0: it is in force. */
static int enrol(struct agent *agent, const struct trust_bundle *bundle)
{
	struct agent_fleet *fleet = agent->fleet;
	char why[TRUST_WORDS_MAX + POLICY_ERROR_CHARS_MAX] = "no memory";

	if (!fleet_judge(agent, bundle, &fleet->enrolment, why, sizeof(why)) ||
	    fleet_name(fleet->enrolment->host, fleet->name) ||
	    fleet_key_load(agent, &fleet->key)) {
		refuse(agent, bundle, why);
		return -EPERM;
	}
	if (strcmp(fleet->kept.sha256, fleet->enrolment->sha256) == 0)
		return 0;
	fleet->has_kept = true;
	fleet->kept.serial = fleet->enrolment->serial;
	(void)strcpy(fleet->kept.sha256, fleet->enrolment->sha256);
	fleet_kept_write(agent);
	record_enrolment(agent);
	warn_of_name(agent);
	return 0;
}

/* ---- the link ------------------------------------------------------------ */

static int start_link(struct agent *agent)
{
	struct agent_fleet *fleet = agent->fleet;
	const struct enrolment *enrolment = fleet->enrolment;
	struct link_options options = agent->opts->link;
	const char *servers[LINK_SERVERS_MAX], *groups[LINK_GROUPS_MAX];
	int r;

	for (size_t i = 0; i < enrolment->n_servers; i++)
		servers[i] = enrolment->servers[i];
	for (size_t i = 0; i < enrolment->n_groups; i++)
		groups[i] = enrolment->groups[i];
	options.role = LINK_OF_HOST;
	options.servers = servers;
	options.n_servers = enrolment->n_servers;
	options.groups = groups;
	options.n_groups = enrolment->n_groups;
	options.host = fleet->name;
	r = link_new(&options, &fleet->link);
	if (r) {
		(void)snprintf(fleet->problem, sizeof(fleet->problem),
			       "the link to the force cannot be started: %s",
			       strerror(-r));
		log_error("%s", fleet->problem);
		return r;
	}
	fleet_watch_link(fleet, true);
	fleet->passed = fleet->kept.acked;
	fleet_wake(fleet, clock_ms());
	return 0;
}

static void stop_link(struct agent_fleet *fleet)
{
	if (fleet->link)
		fleet_watch_link(fleet, false);
	link_free(fleet->link);
	fleet->link = NULL;
	spool_release(fleet);
	enrolment_free(fleet->enrolment);
	fleet->enrolment = NULL;
	sign_key_release(&fleet->key);
	free(fleet->later);
	fleet->later = NULL;
	fleet->resume_ms = 0;
	fleet->send_ms = 0;
	fleet->said_lost = false;
	fleet->connected_ms = 0;
}

static bool is_same(const struct agent_fleet *fleet,
		    const struct trust_bundle *bundle)
{
	char hash[SIGN_HASH_CHARS_MAX];

	if (!fleet->link)
		return false;
	sign_hash(bundle->bytes, bundle->len, hash);
	return strcmp(hash, fleet->enrolment->sha256) == 0;
}

static void begin(struct agent *agent, const struct trust_bundle *bundle)
{
	struct agent_fleet *fleet = agent->fleet;

	if (is_same(fleet, bundle))
		return;
	stop_link(fleet);
	fleet->problem[0] = '\0';
	if (!enrol(agent, bundle))
		(void)start_link(agent);
}

/* Would it be taken? */
static bool is_good(const struct agent *agent,
		    const struct trust_bundle *bundle, char *why, size_t size)
{
	struct enrolment *enrolment = NULL;
	bool good = fleet_judge(agent, bundle, &enrolment, why, size);

	enrolment_free(enrolment);
	return good;
}

/* One that was dropped is put where the agent has its own, and taken. */
static int take_dropped(struct agent *agent, struct arrival *arrival)
{
	const struct trust_bundle *bundle = &arrival->bundle;
	char why[TRUST_WORDS_MAX + POLICY_ERROR_CHARS_MAX] = "no memory";
	const char *file = agent->opts->enrolment_file;
	int r;

	if (is_same(agent->fleet, bundle))
		return -EALREADY;
	r = arrival_check(arrival, agent->trust, why, sizeof(why));
	if (!r && !is_good(agent, bundle, why, sizeof(why)))
		r = -EPERM;
	if (!r) {
		r = trust_bundle_put(file, evidence_base(arrival->file),
				     bundle);
		(void)snprintf(why, sizeof(why), "%.256s: %s", file,
			       strerror(-r));
	}
	if (!r)
		agent_fleet_start(agent);
	else
		(void)arrival_refuse(agent, arrival, r, "%s", why);
	return r;
}

void agent_fleet_start(struct agent *agent)
{
	const char *file = agent->opts->enrolment_file;
	struct policy_errors *errs = calloc(1, sizeof(*errs));
	struct agent_fleet *fleet = agent->fleet;
	struct trust_bundle bundle = {0};
	int r;

	if (!errs)
		return;
	agent->take_enrolment = take_dropped;
	memset(fleet->known, 0, sizeof(fleet->known));
	r = fleet_is_enrolled(agent)
		    ? trust_bundle_read_ours(file, &bundle, errs)
		    : -ENOENT;
	if (r == -ENOENT) {
		if (fleet->link || fleet->kept.sha256[0])
			log_warning("%s is not there: this host is of no "
				    "fleet any more",
				    file);
		stop_link(fleet);
		fleet->problem[0] = '\0';
	} else if (r) {
		stop_link(fleet);
		refuse(agent, NULL, policy_errors_why(errs, r));
	} else {
		begin(agent, &bundle);
	}
	hold(agent);
	trust_bundle_release(&bundle);
	free(errs);
}

void agent_fleet_stop(struct agent *agent)
{
	struct agent_fleet *fleet = agent->fleet;

	if (!fleet)
		return;
	if (fleet->has_kept)
		fleet_kept_write(agent);
	stop_link(fleet);
	if (fleet->timer_fd >= 0)
		(void)close(fleet->timer_fd);
	if (fleet->epoll_fd >= 0)
		(void)close(fleet->epoll_fd);
	free(fleet);
	agent->fleet = NULL;
}

/* ---- what the link says -------------------------------------------------- */

/*
 * A link that comes and goes is not worth a word each time: that it is lost is
 * said once, and that it is back when it has stayed.
 */
static void say_connected(struct agent_fleet *fleet)
{
	int64_t steady_ms = fleet->connected_ms + LINK_STEADY_S * 1000;

	if (!fleet->connected_ms ||
	    (fleet->said_lost && clock_ms() < steady_ms)) {
		if (fleet->connected_ms)
			fleet_wake(fleet, steady_ms);
		return;
	}
	log_notice("connected to the force: %s",
		   link_state(fleet->link)->words);
	fleet->said_lost = false;
	fleet->connected_ms = 0;
}

static void say_lost(struct agent_fleet *fleet)
{
	if (!fleet->said_lost)
		log_warning("no link to the force: %s; the policy stays in "
			    "force, the evidence waits, and it is tried again "
			    "at most every %d s",
			    link_state(fleet->link)->words, LINK_AGAIN_MAX_S);
	fleet->said_lost = true;
	fleet->connected_ms = 0;
}

static void take_frame(struct agent *agent, const struct link_frame *frame)
{
	struct agent_fleet *fleet = agent->fleet;

	switch (frame->type) {
	case LINK_CONNECTED:
		fleet->connected_ms = clock_ms();
		spool_connected(fleet);
		break;
	case LINK_DISCONNECTED:
		say_lost(fleet);
		break;
	case LINK_POLICY:
		fleet_take_policy(agent, frame->bytes, frame->len);
		break;
	case LINK_ASKED:
		fleet_take_ask(agent, frame);
		break;
	case LINK_ACKED:
		spool_acked(agent, frame->id);
		break;
	case LINK_REFUSED:
		spool_refused(agent, frame);
		break;
	default: /* a host's link has no others */
		break;
	}
}

static bool is_paused(const struct agent_fleet *fleet)
{
	return clock_ms() < fleet->resume_ms;
}

static void take_frames(struct agent *agent)
{
	struct agent_fleet *fleet = agent->fleet;
	struct link_frame frame;

	while (!is_paused(fleet) && link_next(fleet->link, &frame) == 1)
		take_frame(agent, &frame);
}

static void work_link(struct agent *agent)
{
	struct agent_fleet *fleet = agent->fleet;

	/* What was left when it paused. */
	take_frames(agent);
	if (!is_paused(fleet)) {
		fleet_watch_link(fleet, true);
		(void)link_work(fleet->link);
		take_frames(agent);
	}
	if (is_paused(fleet))
		fleet_wake(fleet, fleet->resume_ms);
}

void agent_fleet_work(struct agent *agent)
{
	struct agent_fleet *fleet = agent->fleet;
	uint64_t expirations;

	(void)!read(fleet->timer_fd, &expirations, sizeof(expirations));
	fleet->armed_ms = 0;
	if (!fleet->link)
		return;
	work_link(agent);
	say_connected(fleet);
	fleet_take_later(agent);
	spool_send(agent);
}

void agent_fleet_lines(struct agent *agent)
{
	struct agent_fleet *fleet = agent->fleet;

	if (fleet && fleet->link && !fleet->out.box &&
	    link_state(fleet->link)->connected)
		fleet_wake(fleet, clock_ms() + SEND_AFTER_MS);
}

/* ---- the status ---------------------------------------------------------- */

static void put_link(json_t *object, const struct link_state *state)
{
	char since[TEXT_NUMBER_CHARS_MAX];

	(void)json_object_set_new(object, "connected",
				  json_boolean(state->connected));
	if (state->since_s) {
		text_format_time(state->since_s, since, sizeof(since));
		(void)json_object_set_new(object, "since", json_string(since));
	}
	(void)json_object_set_new(object, "link", json_string(state->words));
	(void)json_object_set_new(object, "starts",
				  json_integer((json_int_t)state->starts));
	(void)json_object_set_new(object, "broken",
				  json_integer((json_int_t)state->broken));
	(void)json_object_set_new(object, "killed",
				  json_integer((json_int_t)state->killed));
}

static void put_counts(json_t *object, const struct agent *agent)
{
	const struct agent_fleet *fleet = agent->fleet;
	const struct {
		const char *key;
		uint64_t n;
	} counts[] = {
		{"acknowledged", fleet->kept.acked.seq},
		{"waiting", spool_waiting(agent)},
		{"dropped", spool_dropped(agent)},
		{"reports", fleet->reports},
		{"policies", fleet->policies},
		{"refused", fleet->refusals},
		{"older", fleet->older},
		{"asked", fleet->asked},
	};

	for (size_t i = 0; i < sizeof(counts) / sizeof(counts[0]); i++)
		(void)json_object_set_new(
			object, counts[i].key,
			json_integer((json_int_t)counts[i].n));
}

json_t *agent_fleet_status(const struct agent *agent)
{
	const struct agent_fleet *fleet = agent->fleet;
	json_t *object;

	if (!fleet || (!fleet->link && !fleet->problem[0]))
		return json_null();
	object = json_pack("{s:s}", "file", agent->opts->enrolment_file);
	if (fleet->problem[0])
		(void)json_object_set_new(object, "problem",
					  json_string(fleet->problem));
	if (!fleet->link)
		return object;
	(void)json_object_update_new(
		object, json_pack("{s:s, s:s, s:I, s:o, s:o}", "issuer",
				  fleet->enrolment->issuer, "host",
				  fleet->enrolment->host, "serial",
				  (json_int_t)fleet->enrolment->serial,
				  "groups", groups_json(fleet->enrolment),
				  "servers", servers_json(fleet->enrolment)));
	put_link(object, link_state(fleet->link));
	put_counts(object, agent);
	if (fleet->refusal[0])
		(void)json_object_set_new(object, "not_taken",
					  json_string(fleet->refusal));
	if (agent->push_problem[0])
		(void)json_object_set_new(object, "refusal",
					  json_string(agent->push_problem));
	return object;
}
