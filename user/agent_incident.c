// SPDX-License-Identifier: GPL-2.0-only
/*
 * Incidents, out of the guard's verdicts: what /proc and the guard tell of who
 * acts is looked at while it may be there, the rest a moment later. All of it
 * is written to the evidence log, where the next agent takes it up again.
 */
#include "agent.h"
#include "answer_words.h"
#include "array.h"
#include "chain.h"
#include "clock.h"
#include "incident.h"
#include "log.h"
#include "peek.h"
#include "process.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <syslog.h>
#include <systemd/sd-login.h>
#include <unistd.h>

#define CGROUP_MOUNT "/sys/fs/cgroup"
#define TICK_NS	     (CLOCK_NS_PER_S / 50) /* a tick of /proc, and more */
#define SOON_NS	     CLOCK_NS_PER_S	   /* behind a new actor */
#define AGAIN_NS     (5 * CLOCK_NS_PER_S)
#define AGAIN_MAX_NS (60 * CLOCK_NS_PER_S)
#define LOOKED_NS    (CLOCK_NS_PER_S / 50) /* what a look is good for */
#define AGAIN_SHARE  12 /* of its age; an hour's attack is not hurried */
#define WAITING_MAX  PEEK_JOBS_MAX
#define SHARED_KEPT  256
#define BUSY_MAX     5
#define STEPS_MAX    256 /* of an incident */
/* What is found out later, and its place, come to these. */
#define ACTOR_BYTES    (EVIDENCE_LINE_MAX - 1024)
#define ANCESTRY_CHARS 128 /* of an executable's path */

/* An actor whose line waits for what takes time. */
struct waiting {
	struct incident *incident;
	json_t *line;
	uint64_t holding;		 /* 0: not known */
	struct incident_process process; /* tgid 0: it has ended */
	int exe_fd; /* O_PATH; -1: it could not be opened */
	bool asked; /* about what peek.h is for */
	bool ready; /* and answered */
};

struct shared {
	uint64_t policy;
	uint32_t serial; /* of an origin */
	bool is;
};

/* The process that was looked at last, and those above it if `above'. */
struct looked {
	uint32_t tgid;
	uint64_t at_ns;
	struct process_facts process;
	bool above;
	struct incident_process ancestors[INCIDENT_ANCESTORS_MAX];
	size_t n;
};

struct agent_incidents {
	struct incidents all;
	struct incidents old; /* as the log has them, while it is opened */
	uint64_t old_load;    /* likewise: struct agent's load */
	struct waiting waiting[WAITING_MAX];
	size_t n_waiting;
	struct shared shared[SHARED_KEPT];
	struct looked looked;
	struct peek peek;
	unsigned int busy; /* how often it was, one after the other */
	uint64_t armed_ns; /* when the timer runs out; 0: it does not run */
	uint64_t segment;  /* that has been told what is open */
	bool unreported;   /* one of them is not on the disk yet */
	char away_since[EVENT_TIME_CHARS_MAX]; /* last word of an agent */
};

static uint64_t now_ns(void)
{
	return (uint64_t)clock_ns(CLOCK_BOOTTIME);
}

static void put_text(json_t *line, const char *key, const char *text)
{
	if (text[0])
		put(line, key, json_string(text));
}

static void put_comm(json_t *line, const char *key, const char *comm)
{
	char text[COMM_CHARS_MAX];

	comm_text(comm, text);
	put_text(line, key, text);
}

static const char *dataset_name(const struct agent *agent, uint32_t id)
{
	return guard_name(agent->guard, NAME_DATASET, id);
}

/* ---- its timer ----------------------------------------------------------- */

static void arm(struct agent *agent, uint64_t due_ns)
{
	struct agent_incidents *incidents = agent->incidents;
	uint64_t now = now_ns(), wait;

	if (incidents->armed_ns && incidents->armed_ns <= due_ns)
		return;
	incidents->armed_ns = due_ns;
	wait = due_ns > now ? due_ns - now : 0;
	agent_set_timer(agent, AGENT_TIMER_INCIDENT,
			(time_t)(wait / CLOCK_NS_PER_S) + 1);
}

static void due(struct agent *agent, struct incident *incident, uint64_t in_ns)
{
	uint64_t at = now_ns() + in_ns;

	if (!incident->due_ns || at < incident->due_ns)
		incident->due_ns = at;
	arm(agent, incident->due_ns);
}

static uint64_t interval(const struct incident *incident)
{
	uint64_t now = now_ns(), age;

	age = now > incident->opened_ns ? now - incident->opened_ns : 0;
	age /= AGAIN_SHARE;
	return age < AGAIN_NS	    ? AGAIN_NS
	       : age > AGAIN_MAX_NS ? AGAIN_MAX_NS
				    : age;
}

/* ---- who acts ------------------------------------------------------------ */

static struct incident_kin kin_of(const struct origin *origin)
{
	return (struct incident_kin){origin->key.kin, origin->key.id};
}

struct wanted_origin {
	uint32_t serial;
	struct origin origin;
};

static int is_origin(uint32_t slot, const struct origin *origin, void *arg)
{
	struct wanted_origin *wanted = arg;

	(void)slot;
	if (origin->serial != wanted->serial)
		return 0;
	wanted->origin = *origin;
	return 1;
}

/* Who read for that origin, if that is known. */
struct reader {
	uint32_t origin;
	uint32_t subject;
	bool found;
};

static int take_reader(const struct ledger_key *key, const struct ledger *row,
		       void *arg)
{
	struct reader *reader = arg;

	(void)row;
	if (key->origin != reader->origin || key->dest != CORDON_DEST_READ)
		return 0;
	reader->subject = key->subject;
	reader->found = true;
	return 1;
}

/* Is it an origin that many go through? A database's is everybody's who asks
 * it something. */
static bool look_shared(const struct agent *agent, uint32_t serial)
{
	struct reader reader = {.origin = serial};
	const struct policy *policy = agent->policy;
	const char *name;

	(void)guard_each_ledger(agent->guard, take_reader, &reader);
	if (!reader.found || !policy)
		return false;
	name = guard_name(agent->guard, NAME_SUBJECT, reader.subject);
	for (size_t i = 0; i < policy->n_subjects; i++)
		if (strcmp(policy->subjects[i].name, name) == 0)
			return policy->subjects[i].narrow ||
			       policy->subjects[i].pool;
	return false;
}

/* To look takes a walk over the ledger, so what was found is remembered. */
static bool is_shared(const struct agent *agent, uint32_t serial)
{
	struct shared *known = &agent->incidents->shared[serial % SHARED_KEPT];
	uint64_t policy = agent_serial(agent);

	if (known->serial != serial || known->policy != policy)
		*known = (struct shared){policy, serial,
					 look_shared(agent, serial)};
	return known->is;
}

/* A cgroup's number is that of its directory. */
static void find_cgroup(uint32_t tgid, struct incident_kin *kin)
{
	char path[4096] = CGROUP_MOUNT;
	size_t len = sizeof(CGROUP_MOUNT) - 1;
	struct stat st;

	if (process_cgroup(tgid, path + len, sizeof(path) - len) ||
	    stat(path, &st) < 0)
		return;
	kin->kin = KIN_CGROUP;
	kin->id = st.st_ino;
}

static void find_actor_kin(const struct event *event,
			   const struct process_facts *process,
			   struct incident_facts *facts)
{
	struct incident_kin *kin = &facts->actor_kin;

	if (event->login != UINT32_MAX)
		*kin = (struct incident_kin){KIN_SESSION, event->session};
	else if (process->tgid)
		find_cgroup(event->tgid, kin);
	/* Else many of these would each begin one. */
	if (!kin->kin)
		*kin = (struct incident_kin){INCIDENT_KIN_USER, event->uid};
}

/* Many verdicts come of one process: it is not looked at for each. */
static const struct process_facts *look(struct agent *agent, uint32_t tgid)
{
	struct looked *looked = &agent->incidents->looked;
	uint64_t now = now_ns();

	if (looked->tgid != tgid || now - looked->at_ns > LOOKED_NS) {
		*looked = (struct looked){.tgid = tgid, .at_ns = now};
		(void)process_look(tgid, &looked->process);
	}
	return &looked->process;
}

/* Of the one that was looked at last. */
static void find_ancestors(struct looked *looked, struct incident_facts *facts)
{
	uint32_t parent = looked->process.parent;
	struct process_facts above;

	while (!looked->above && looked->n < INCIDENT_ANCESTORS_MAX &&
	       parent > 1 && !process_look(parent, &above)) {
		looked->ancestors[looked->n++] =
			(struct incident_process){above.tgid, above.start_ns};
		parent = above.parent;
	}
	looked->above = true;
	memcpy(facts->ancestors, looked->ancestors, sizeof(facts->ancestors));
	facts->n_ancestors = looked->n;
}

static void add_origin(const struct agent *agent, struct incident_facts *facts,
		       const struct origin *origin)
{
	bool shared = is_shared(agent, origin->serial);

	if (facts->n_origins == CORDON_SHARES)
		return;
	facts->shared |= (uint32_t)shared << facts->n_origins;
	facts->origins[facts->n_origins++] = origin->serial;
	if (!shared)
		facts->kin[facts->n_kin++] = kin_of(origin);
}

/* Of what it holds, which the event cannot name. */
static void find_origins_held(const struct agent *agent, uint32_t tgid,
			      struct incident_facts *facts)
{
	struct holding holding;
	struct origin origin;
	uint64_t id;

	if (guard_process(agent->guard, tgid, &id) ||
	    guard_holding(agent->guard, id, &holding))
		return;
	for (size_t i = 0; i < CORDON_SHARES; i++)
		if (!guard_origin(agent->guard, holding.shares[i].origin,
				  &origin))
			add_origin(agent, facts, &origin);
}

/* What tells which incident it is. */
static void find_facts(const struct agent *agent, const struct event *event,
		       const struct process_facts *process,
		       struct incident_facts *facts)
{
	struct wanted_origin wanted = {.serial = event->origin};

	find_actor_kin(event, process, facts);
	if (process->tgid)
		find_ancestors(&agent->incidents->looked, facts);
	if (event->origin == CORDON_ORIGIN_SEVERAL)
		find_origins_held(agent, process->tgid, facts);
	else if (event->origin &&
		 guard_each_origin(agent->guard, is_origin, &wanted) == 1)
		add_origin(agent, facts, &wanted.origin);
	/* Nobody's own, so it is who acts. */
	if (!facts->n_kin)
		facts->kin[facts->n_kin++] = facts->actor_kin;
}

/* ---- an actor's line ----------------------------------------------------- */

static void put_remote(json_t *line, uint32_t tgid)
{
	char *session = NULL, *host = NULL;

	if (!sd_pid_get_session((pid_t)tgid, &session) &&
	    !sd_session_get_remote_host(session, &host)) {
		log_clean(host);
		put_text(line, "remote", host);
	}
	free(host);
	free(session);
}

static void put_start(json_t *line, uint64_t start_ns)
{
	if (!start_ns)
		return;
	put(line, "started", when(start_ns));
	put(line, "start_ns", number(start_ns));
}

static void put_ancestry(json_t *line, uint32_t parent)
{
	json_t *list = json_array(), *item;
	struct process_facts above;
	struct event_who who;

	for (int i = 0; list && i < INCIDENT_ANCESTORS_MAX && parent &&
			!process_look(parent, &above);
	     i++) {
		event_look_up_process(parent, above.uid, above.login, &who);
		who.exe[ANCESTRY_CHARS - 1] = '\0';
		log_clean(who.exe);
		item = json_pack("{s:o, s:o, s:s}", "tgid", number(parent),
				 "uid", number(above.uid), "user", who.user);
		put_comm(item, "comm", above.comm);
		put_text(item, "exe", who.exe);
		put_start(item, above.start_ns);
		(void)json_array_append_new(list, item);
		parent = above.parent;
	}
	put(line, "ancestry", list);
}

/* Quotes take two bytes each: who is furthest above goes first. */
static void shorten(json_t *line)
{
	json_t *above = json_object_get(line, "ancestry");

	while (json_array_size(above) &&
	       json_dumpb(line, NULL, 0, JSON_COMPACT) > ACTOR_BYTES)
		(void)json_array_remove(above, json_array_size(above) - 1);
}

static json_t *actor_line(const struct incident *incident,
			  const struct event *event,
			  const struct event_who *who,
			  const struct process_facts *process)
{
	json_t *line = evidence_object(
		"actor",
		json_pack("{s:o, s:o, s:o, s:s}", "incident",
			  number(incident->number), "tgid", number(event->tgid),
			  "uid", number(event->uid), "user", who->user));

	put_comm(line, "comm", event->comm);
	if (event->login != UINT32_MAX) {
		put(line, "login_uid", number(event->login));
		put_text(line, "login", who->login);
	}
	if (event->session != UINT32_MAX)
		put(line, "session", number(event->session));
	put_text(line, "unit", who->unit);
	put_text(line, "exe", who->exe);
	if (!process->tgid) {
		put(line, "gone", json_true());
		return line;
	}
	put_start(line, process->start_ns);
	put_remote(line, event->tgid);
	put_ancestry(line, process->parent);
	shorten(line);
	return line;
}

/* Nothing of the file is looked at yet: who serves it may not answer. */
static int open_exe(uint32_t tgid)
{
	char path[64];

	(void)snprintf(path, sizeof(path), "/proc/%" PRIu32 "/exe", tgid);
	return open(path, O_PATH | O_CLOEXEC);
}

/* ---- how it came --------------------------------------------------------- */

static bool is_told(const struct incident *incident, uint64_t serial)
{
	for (size_t i = 0; i < incident->told.n_steps; i++)
		if (incident->told.steps[i] == serial)
			return true;
	return false;
}

static void remember_step(struct incident *incident, uint64_t serial)
{
	uint64_t *steps = array_grow(incident->told.steps,
				     incident->told.n_steps, sizeof(*steps));

	if (!steps)
		return;
	incident->told.steps = steps;
	steps[incident->told.n_steps++] = serial;
}

static void put_giver(const struct agent *agent, json_t *line,
		      const struct chain *chain, const struct step *step)
{
	const struct step_who *from;
	struct origin origin;
	bool several;

	if (step->from & STEP_ORIGIN) {
		if (!guard_origin(agent->guard, (uint32_t)step->from, &origin))
			put(line, "origin", number(origin.serial));
		return;
	}
	put(line, "from_holding", number(step->from));
	from = chain_who(chain, step->from, step->last_ns, &several);
	if (several)
		put(line, "from_several", json_true());
	if (!from)
		return;
	put(line, "from_tgid", number(from->tgid));
	put_comm(line, "from_comm", from->comm);
}

static void tell_step(struct agent *agent, struct incident *incident,
		      const struct chain *chain, struct step *step)
{
	json_t *line;

	agent_complete_step(agent, step);
	line = evidence_object(
		"step",
		json_pack("{s:o, s:o, s:o, s:o, s:s, s:s, s:o, s:o, s:o}",
			  "incident", number(incident->number), "step",
			  number(step->serial), "at", when(step->time_ns),
			  "last", when(step->last_ns), "kind",
			  chain_kind_name(step->kind), "dataset",
			  dataset_name(agent, step->dataset), "records",
			  number(step->records), "bytes", number(step->bytes),
			  "holding", number(step->to)));
	if (step->who.tgid) {
		put(line, "tgid", number(step->who.tgid));
		put_comm(line, "comm", step->who.comm);
		put(line, "uid", number(step->who.uid));
		put(line, "user", account(step->who.uid));
	}
	put_giver(agent, line, chain, step);
	if (!agent_record(agent, line, 0, false))
		remember_step(incident, step->serial);
	incident->changed = true;
}

/* Whose data it is that an actor holds: their origins belong to it too. */
static void take_origin_of(struct agent *agent, struct incident *incident,
			   const struct step *step)
{
	struct incident_facts facts = {0};
	struct origin origin;

	if (step->from & STEP_ORIGIN &&
	    !guard_origin(agent->guard, (uint32_t)step->from, &origin)) {
		add_origin(agent, &facts, &origin);
		(void)incident_add_origin(incident, origin.serial,
					  facts.shared & 1);
		if (facts.n_kin)
			incident_add_kin(incident, &facts.kin[0]);
	}
	if (step->kind == STEP_FILE)
		incident_add_technique(incident, "T1074.001");
}

/* One that the guard has not written yet has no number. */
static bool is_to_be_told(const struct incident *incident,
			  const struct step *step)
{
	return step->serial && !is_told(incident, step->serial);
}

static void tell_chain(struct agent *agent, struct incident *incident,
		       uint64_t holding)
{
	struct chain *chain = malloc(sizeof(*chain));
	bool whole = true;

	if (!chain || agent_find_chain(agent, holding, chain))
		goto out;
	for (size_t i = 0; i < chain->n_steps; i++) {
		take_origin_of(agent, incident, &chain->steps[i]);
		if (!is_to_be_told(incident, &chain->steps[i]))
			continue;
		if (incident->told.n_steps == STEPS_MAX)
			whole = false;
		else
			tell_step(agent, incident, chain, &chain->steps[i]);
	}
	for (size_t i = 0; i < chain->n_links; i++)
		whole = whole && chain->links[i].whole;
	if (!whole || chain->cut)
		incident_add_gap(incident, json_pack("{s:s}", "why", "steps"));
out:
	free(chain);
}

/* The utilities that put many files into one. */
static void take_utility(struct incident *incident, const char *comm)
{
	static const char *const names[] = {"tar",   "zip", "gzip", "xz",
					    "bzip2", "7z",  "zstd"};

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (strcmp(comm, names[i]) == 0)
			incident_add_technique(incident, "T1560.001");
}

static void put_peek(json_t *line, const struct peek_result *result)
{
	char device[32];

	if (result->arguments) {
		put(line, "arguments", number(result->arguments));
		put(line, "arguments_hmac", json_string(result->arguments_mac));
	}
	if (result->ino) {
		(void)snprintf(device, sizeof(device), "%" PRIu32 ":%" PRIu32,
			       result->major, result->minor);
		put(line, "exe_dev", json_string(device));
		put(line, "exe_inode", number(result->ino));
	}
	if (result->error)
		put(line, "exe_why",
		    json_string(result->error == -EFBIG ? "too large"
				: result->error == -ENOENT
					? "gone"
					: strerror(-result->error)));
	else
		put(line, "exe_sha256", json_string(result->exe_hash));
}

/* Its line, with what is known by now; it waits no more. */
static void tell_actor(struct agent *agent, struct waiting *waiting)
{
	if (!waiting->ready)
		put(waiting->line, "exe_why",
		    json_string("it could not be read in time"));
	if (waiting->exe_fd >= 0)
		(void)close(waiting->exe_fd);
	take_utility(waiting->incident, evidence_text(waiting->line, "comm"));
	(void)agent_record(agent, waiting->line, 0, false);
	if (waiting->holding)
		tell_chain(agent, waiting->incident, waiting->holding);
	waiting->line = NULL;
}

/* Places do not change while the hasher, who knows them, is at work. */
static void compact(struct agent_incidents *incidents)
{
	size_t kept = 0;

	if (incidents->peek.pid)
		return;
	for (size_t i = 0; i < incidents->n_waiting; i++)
		if (incidents->waiting[i].line)
			incidents->waiting[kept++] = incidents->waiting[i];
	incidents->n_waiting = kept;
}

static void take_results(struct agent_incidents *incidents)
{
	struct peek_result result;
	struct waiting *waiting;

	while (peek_next(&incidents->peek, &result) == 1) {
		if (result.job >= incidents->n_waiting)
			continue;
		waiting = &incidents->waiting[result.job];
		if (waiting->line)
			put_peek(waiting->line, &result);
		waiting->ready = true;
	}
}

static void ask(struct agent *agent)
{
	struct agent_incidents *incidents = agent->incidents;
	struct peek_job jobs[WAITING_MAX];
	size_t n = incidents->n_waiting;
	int r;

	if (!n || incidents->peek.pid)
		return;
	for (size_t i = 0; i < n; i++)
		jobs[i] = (struct peek_job){
			.tgid = incidents->waiting[i].process.tgid,
			.start_ns = incidents->waiting[i].process.start_ns,
			.exe = incidents->waiting[i].exe_fd,
		};
	r = peek_begin(&incidents->peek, jobs, n,
		       agent->has_arguments_key ? &agent->arguments_key : NULL);
	/* One that was given up may be gone in a second; but not for ever. */
	if (r == -EBUSY && incidents->busy++ < BUSY_MAX)
		return;
	incidents->busy = 0;
	for (size_t i = 0; i < n; i++)
		incidents->waiting[i].asked = true;
}

/* What it is about is asked at once: the process may end any moment. */
static void wait_for(struct agent *agent, struct incident *incident,
		     json_t *line, const struct process_facts *process)
{
	struct agent_incidents *incidents = agent->incidents;
	struct waiting *waiting;

	if (incidents->n_waiting == WAITING_MAX) {
		put(line, "exe_why", json_string("too many at once"));
		(void)agent_record(agent, line, 0, false);
		incident_add_gap(incident, json_pack("{s:s}", "why", "actors"));
		return;
	}
	waiting = &incidents->waiting[incidents->n_waiting++];
	*waiting =
		(struct waiting){.incident = incident,
				 .line = line,
				 .process = {process->tgid, process->start_ns},
				 .exe_fd = -1};
	/* Else the number is nobody's, or another's by now. */
	if (process->tgid) {
		waiting->exe_fd = open_exe(process->tgid);
		if (guard_process(agent->guard, process->tgid,
				  &waiting->holding))
			waiting->holding = 0;
	}
	ask(agent);
}

/* Of whom all is known that will be; the others are asked about. */
static void tell_actors(struct agent *agent)
{
	struct agent_incidents *incidents = agent->incidents;
	struct waiting *waiting;

	take_results(incidents);
	for (size_t i = 0; i < incidents->n_waiting; i++) {
		waiting = &incidents->waiting[i];
		if (waiting->line && (waiting->ready ||
				      (waiting->asked && !incidents->peek.pid)))
			tell_actor(agent, waiting);
	}
	compact(incidents);
	ask(agent);
}

/* Of an incident that will not be looked at again. */
static void tell_actors_of(struct agent *agent, const struct incident *incident)
{
	struct agent_incidents *incidents = agent->incidents;

	take_results(incidents);
	for (size_t i = 0; i < incidents->n_waiting; i++)
		if (incidents->waiting[i].line &&
		    incidents->waiting[i].incident == incident)
			tell_actor(agent, &incidents->waiting[i]);
	compact(incidents);
}

/* ---- the ledger ---------------------------------------------------------- */

struct counting {
	const struct incident *incident;
	struct incident_counts counts;
};

static void count_row(struct incident_counts *counts,
		      const struct ledger_key *key, const struct ledger *row)
{
	bool inside = key->dest == CORDON_DEST_READ ||
		      key->dest == CORDON_DEST_INTAKE;

	counts->blocked += row->blocked_acts;
	counts->alerted += row->over_acts - row->blocked_acts;
	if (inside)
		return;
	if (row->blocked_acts)
		counts->blocked_bytes += row->over_bytes;
	counts->released_bytes += row->bytes;
	counts->released_records += row->records;
}

static int take_row(const struct ledger_key *key, const struct ledger *ledger,
		    void *arg)
{
	struct counting *counting = arg;

	if (incident_owns(counting->incident, key->origin))
		count_row(&counting->counts, key, ledger);
	return 0;
}

static bool is_wanted(uint32_t origin, const void *arg)
{
	return origin == CORDON_ORIGIN_SEVERAL ||
	       incident_has_origin(arg, origin);
}

static void tell_ledger(struct agent *agent, struct incident *incident)
{
	struct counting counting = {.incident = incident};

	(void)agent_ledger_tell(agent, is_wanted, incident);
	if (guard_each_ledger(agent->guard, take_row, &counting))
		return;
	if (memcmp(&counting.counts, &incident->counts,
		   sizeof(counting.counts)) != 0)
		incident->changed = true;
	incident->counts = counting.counts;
}

/* ---- origins ------------------------------------------------------------- */

struct listing {
	const struct agent *agent;
	const struct incident *incident;
	json_t *list;
	uint64_t first_ns;
};

static int list_origin(uint32_t slot, const struct origin *origin, void *arg)
{
	struct listing *listing = arg;
	json_t *item;

	(void)slot;
	if (!incident_has_origin(listing->incident, origin->serial))
		return 0;
	if (incident_owns(listing->incident, origin->serial) &&
	    (!listing->first_ns || origin->first_ns < listing->first_ns))
		listing->first_ns = origin->first_ns;
	item = json_pack("{s:o, s:s, s:o, s:o, s:o, s:o}", "origin",
			 number(origin->serial), "dataset",
			 dataset_name(listing->agent, origin->key.dataset),
			 "first", when(origin->first_ns), "tgid",
			 number(origin->tgid), "records",
			 number(origin->read_records), "bytes",
			 number(origin->read_bytes));
	put_comm(item, "comm", origin->comm);
	if (!incident_owns(listing->incident, origin->serial))
		put(item, "shared", json_true());
	return json_array_append_new(listing->list, item) ? -ENOMEM : 0;
}

static void tell_origins(const struct agent *agent, struct incident *incident)
{
	struct listing listing = {.agent = agent, .incident = incident};
	json_t *before = json_object_get(incident->line, "origins");

	listing.list = json_array();
	if (!listing.list ||
	    guard_each_origin(agent->guard, list_origin, &listing) ||
	    json_equal(before, listing.list)) {
		json_decref(listing.list);
		return;
	}
	incident->changed = true;
	put(incident->line, "origins", listing.list);
	if (listing.first_ns)
		put(incident->line, "first", when(listing.first_ns));
}

static void tell_gaps(struct agent *agent, struct incident *incident)
{
	const struct guard_state *state = guard_state(agent->guard);
	json_t *faults = json_object();

	for (uint32_t i = 0; i < FAULT_MAX; i++)
		if (state->faults[i] != incident->faults[i])
			put(faults, event_fault_name(i),
			    number(state->faults[i] - incident->faults[i]));
	if (json_object_size(faults))
		incident_add_gap(incident,
				 json_pack("{s:s, s:O}", "why", "faults",
					   "faults", faults));
	json_decref(faults);
	if (state->faults[FAULT_LEDGER_FULL] !=
	    incident->faults[FAULT_LEDGER_FULL])
		incident_add_gap(incident, json_pack("{s:s}", "why", "rows"));
	if (incident->more_actors)
		incident_add_gap(incident, json_pack("{s:s}", "why", "actors"));
}

/* ---- lines --------------------------------------------------------------- */

static json_t *said(const struct incident *incident, const char *state,
		    const char *why)
{
	json_t *fields = incident_fields(incident, state);

	if (why)
		put(fields, "why", json_string(why));
	return evidence_object("incident", fields);
}

static void tell(struct agent *agent, struct incident *incident,
		 const char *state, const char *why)
{
	if (!agent_record(agent, said(incident, state, why), 0, false))
		incident->changed = false;
}

/* All that is known by now. */
static void update(struct agent *agent, struct incident *incident)
{
	tell_ledger(agent, incident);
	tell_origins(agent, incident);
	tell_gaps(agent, incident);
}

static void finish(struct agent *agent, struct incident *incident,
		   const char *why)
{
	tell_actors_of(agent, incident);
	update(agent, incident);
	incident->open = false;
	incident->due_ns = 0;
	tell(agent, incident, "closed", why);
	(void)snprintf(agent_say_soon(agent, LOG_NOTICE,
				      said(incident, "closed", why)),
		       EVENT_WORDS_MAX,
		       "incident %" PRIu64 " closed: %s; cordon incident show "
		       "%" PRIu64,
		       incident->number,
		       strcmp(why, "quiet") == 0
			       ? "an hour without a verdict"
			       : "more are open than are followed at a time",
		       incident->number);
}

/* ---- an event ------------------------------------------------------------ */

static void put_policy(const struct agent *agent, struct incident *incident)
{
	put(incident->line, "load", number(agent->load));
	put(incident->line, "policy", number(agent_serial(agent)));
	if (!agent->policy)
		return;
	put(incident->line, "issuer", json_string(agent->policy->issuer));
	if (agent->trust && agent->signers)
		put(incident->line, "signers", json_copy(agent->signers));
	put(incident->line, "policy_sha256",
	    json_string(agent->policy->sha256));
}

static struct incident *begin(struct agent *agent,
			      const struct incident_facts *facts)
{
	struct incidents *all = &agent->incidents->all;
	struct incident *incident = incidents_place(all);

	if (incident->number && incident->open)
		finish(agent, incident, "room");
	if (incident_begin(all, incident, facts))
		return NULL;
	memcpy(incident->faults, guard_state(agent->guard)->faults,
	       sizeof(incident->faults));
	put_policy(agent, incident);
	return incident;
}

static void say_opened(struct agent *agent, const struct incident *incident,
		       const struct event *event, const struct event_who *who,
		       const char *state)
{
	char comm[COMM_CHARS_MAX];

	comm_text(event->comm, comm);
	(void)snprintf(
		agent_say_soon(agent, LOG_WARNING, said(incident, state, NULL)),
		EVENT_WORDS_MAX,
		"incident %" PRIu64 " %s: %s (pid %" PRIu32
		", user %s, %s%s%s%s) and %s; cordon incident show "
		"%" PRIu64,
		incident->number, state, comm, event->tgid, who->user,
		who->login[0] ? "login " : "no login", who->login,
		who->unit[0] ? ", unit " : "", who->unit,
		dataset_name(agent, event->dataset), incident->number);
}

/* In a storm of processes the first ones are enough. */
static void add_actor(struct agent *agent, struct incident *incident,
		      const struct event *event, const struct event_who *who,
		      const struct process_facts *process,
		      const struct incident_facts *facts)
{
	if (incident_add(incident, facts) != INCIDENT_ACTOR_NEW)
		return;
	wait_for(agent, incident, actor_line(incident, event, who, process),
		 process);
	due(agent, incident, SOON_NS);
}

static struct incident *find_or_begin(struct agent *agent,
				      const struct incident_facts *facts,
				      const char **ret_state)
{
	struct incident *incident =
		incidents_find(&agent->incidents->all, facts);

	if (!incident) {
		incident = begin(agent, facts);
		*ret_state = "opened";
	} else if (!incident->open) {
		*ret_state = "reopened";
	}
	return incident;
}

static struct incident *take_verdict(struct agent *agent,
				     const struct event *event,
				     const struct event_who *who, json_t *line)
{
	struct incident_facts facts = {.time_ns = event->time_ns,
				       .process.tgid = event->tgid};
	struct process_facts process = {0};
	struct incident *incident =
		incidents_of_origin(&agent->incidents->all, event->origin);
	const char *state = NULL;

	if (!incident || incident->n_actors < INCIDENT_ACTORS_MAX)
		process = *look(agent, event->tgid);
	/* The number is another's by now. */
	if (process.start_ns > event->time_ns + TICK_NS)
		process = (struct process_facts){0};
	facts.process.start_ns = process.start_ns;
	if (!incident || !incident_has_actor(incident, &facts.process))
		find_facts(agent, event, &process, &facts);
	if (!incident)
		incident = find_or_begin(agent, &facts, &state);
	if (!incident)
		return NULL;
	incident->open = true;
	add_actor(agent, incident, event, who, &process, &facts);
	incident_take(incident, line, !incident_owns(incident, event->origin));
	due(agent, incident, interval(incident));
	if (!state)
		return incident;
	if (process.tgid && !json_object_get(incident->line, "remote"))
		put_remote(incident->line, process.tgid);
	incident->opening = state;
	say_opened(agent, incident, event, who, state);
	/* Behind that: what is told on the way does not have its line yet. */
	agent->incidents->unreported = true;
	return incident;
}

void agent_incident_event(struct agent *agent, const struct event *event,
			  const struct event_who *who, json_t *line)
{
	struct incident *incident;

	if (event->type == EVENT_VERDICT) {
		incident = take_verdict(agent, event, who, line);
	} else {
		incident = incidents_of_origin(&agent->incidents->all,
					       event->origin);
		if (incident)
			due(agent, incident, interval(incident));
	}
	if (incident)
		put(line, "incident", number(incident->number));
}

uint64_t agent_incidents_open(const struct agent *agent)
{
	uint64_t n = 0;

	for (size_t i = 0; agent->incidents && i < INCIDENTS_MAX; i++)
		n += agent->incidents->all.at[i].open;
	return n;
}

uint64_t agent_incident_of(const struct agent *agent, uint32_t origin)
{
	const struct incident *incident =
		incidents_of_origin(&agent->incidents->all, origin);

	return incident ? incident->number : 0;
}

void agent_incident_recorded(struct agent *agent)
{
	struct agent_incidents *incidents = agent->incidents;
	struct incident *incident;

	for (size_t i = 0; incidents->unreported && i < INCIDENTS_MAX; i++) {
		incident = &incidents->all.at[i];
		if (!incident->opening)
			continue;
		/* An agent that dies now leaves whose it is. */
		if (incident->n_origins)
			tell_origins(agent, incident);
		tell(agent, incident, incident->opening, NULL);
		incident->opening = NULL;
		incident->changed = true;
		incident->unreported =
			!json_object_get(incident->line, "reported");
	}
}

void agent_incident_synced(struct agent *agent)
{
	struct agent_incidents *incidents = agent->incidents;
	struct incident *incident;

	if (!incidents->unreported)
		return;
	incidents->unreported = false;
	for (size_t i = 0; i < INCIDENTS_MAX; i++) {
		incident = &incidents->all.at[i];
		if (incident->unreported)
			put(incident->line, "reported", when(now_ns()));
		incident->unreported = false;
	}
}

/* ---- now and then -------------------------------------------------------- */

static void look_at(struct agent *agent, struct incident *incident,
		    uint64_t now)
{
	bool quiet = now > incident->last_ns &&
		     now - incident->last_ns > INCIDENT_QUIET_NS;

	incident->due_ns = 0;
	if (quiet) {
		finish(agent, incident, "quiet");
		return;
	}
	update(agent, incident);
	if (incident->changed)
		tell(agent, incident, "updated", NULL);
	due(agent, incident, interval(incident));
}

void agent_incident_tick(struct agent *agent)
{
	struct agent_incidents *incidents = agent->incidents;
	uint64_t now = now_ns();
	struct incident *incident;

	incidents->armed_ns = 0;
	tell_actors(agent);
	if (incidents->n_waiting)
		arm(agent, now + SOON_NS);
	for (size_t i = 0; i < INCIDENTS_MAX; i++) {
		incident = &incidents->all.at[i];
		if (!incident->open)
			continue;
		if (incident->due_ns <= now)
			look_at(agent, incident, now);
		else
			arm(agent, incident->due_ns);
	}
	agent_evidence_told(agent, agent_say_all(agent));
}

void agent_incident_segment(struct agent *agent)
{
	struct agent_incidents *incidents = agent->incidents;
	uint64_t segment = agent->evidence ? evidence_segment(agent->evidence)
					   : 0;
	struct incident *incident;
	json_t *fields;

	if (!segment || segment == incidents->segment)
		return;
	fields = json_pack("{s:o, s:o}", "load", number(agent->load), "last",
			   number(incidents->all.last));
	if (agent_record(agent, evidence_object("incidents", fields), 0, false))
		return;
	for (size_t i = 0; i < INCIDENTS_MAX; i++) {
		incident = &incidents->all.at[i];
		if (incident->open && !incident->opening)
			tell(agent, incident, "updated", NULL);
	}
	agent_trust_segment(agent, segment);
	agent_act_segment(agent, segment);
	agent_remember_segment(agent);
	incidents->segment = segment;
}

/* ---- start and end ------------------------------------------------------- */

int agent_incident_start(struct agent *agent)
{
	agent->incidents = calloc(1, sizeof(*agent->incidents));
	return agent->incidents ? 0 : -ENOMEM;
}

void agent_incident_forget_old(struct agent *agent)
{
	incidents_release(&agent->incidents->old);
	agent->incidents->old.last = 0;
	agent->incidents->old_load = 0;
}

void agent_incident_old(struct agent *agent, const json_t *line)
{
	struct agent_incidents *incidents = agent->incidents;
	uint64_t load = evidence_number(line, "load");

	(void)incidents_restore(&incidents->old, line);
	(void)snprintf(incidents->away_since, sizeof(incidents->away_since),
		       "%s", evidence_text(line, "time"));
	if (load)
		incidents->old_load = load;
}

uint64_t agent_incident_old_load(const struct agent *agent)
{
	return agent->incidents->old_load;
}

static void resume(struct agent *agent, struct incident *incident)
{
	char now[EVENT_TIME_CHARS_MAX];

	event_time(clock_ns(CLOCK_REALTIME), now);
	incident_add_gap(incident,
			 json_pack("{s:s, s:s, s:s}", "why", "agent", "from",
				   agent->incidents->away_since, "to", now));
	memcpy(incident->faults, guard_state(agent->guard)->faults,
	       sizeof(incident->faults));
	for (uint32_t i = 0; i < FAULT_MAX; i++)
		incident->faults[i] -=
			incident_gap_faults(incident, event_fault_name(i));
	due(agent, incident, AGAIN_NS);
}

/* Those of before are an earlier guard's, whose origins were others: they are
 * over. */
static void close_old(struct agent *agent)
{
	struct incidents *old = &agent->incidents->old;

	for (size_t i = 0; i < INCIDENTS_MAX; i++)
		if (old->at[i].open)
			tell(agent, &old->at[i], "closed", "guard");
}

/* Some began while there was no log: their numbers may be in it already. */
static void renumber(struct agent *agent)
{
	struct agent_incidents *incidents = agent->incidents;
	uint64_t last = incidents->old.last;
	struct incident *incident;

	for (size_t i = 0; i < INCIDENTS_MAX; i++) {
		incident = &incidents->all.at[i];
		if (!incident->number)
			continue;
		incident->number += last;
		put(incident->line, "load", number(agent->load));
		if (incident->open)
			tell(agent, incident, "opened", NULL);
	}
	incidents->all.last += last;
	for (size_t i = 0; i < incidents->n_waiting; i++)
		if (incidents->waiting[i].line)
			put(incidents->waiting[i].line, "incident",
			    number(incidents->waiting[i].incident->number));
}

void agent_incident_resume(struct agent *agent)
{
	struct agent_incidents *incidents = agent->incidents;

	incidents->segment = 0;
	if (!agent->adopted || incidents->all.last)
		close_old(agent);
	if (incidents->all.last) {
		renumber(agent);
	} else if (agent->adopted) {
		incidents->all = incidents->old;
		incidents->old = (struct incidents){0};
		for (size_t i = 0; i < INCIDENTS_MAX; i++)
			if (incidents->all.at[i].open)
				resume(agent, &incidents->all.at[i]);
	} else {
		incidents->all.last = incidents->old.last;
	}
	agent_incident_forget_old(agent);
}

void agent_incident_stop(struct agent *agent)
{
	struct agent_incidents *incidents = agent->incidents;
	struct incident *incident;

	for (size_t i = 0; incidents && i < INCIDENTS_MAX; i++) {
		incident = &incidents->all.at[i];
		if (!incident->open)
			continue;
		tell_actors_of(agent, incident);
		update(agent, incident);
		if (incident->changed)
			tell(agent, incident, "updated", NULL);
	}
}

void agent_incident_end(struct agent *agent)
{
	struct agent_incidents *incidents = agent->incidents;

	if (!incidents)
		return;
	peek_end(&incidents->peek);
	for (size_t i = 0; i < incidents->n_waiting; i++) {
		if (!incidents->waiting[i].line)
			continue;
		json_decref(incidents->waiting[i].line);
		if (incidents->waiting[i].exe_fd >= 0)
			(void)close(incidents->waiting[i].exe_fd);
	}
	incidents_release(&incidents->all);
	incidents_release(&incidents->old);
	free(incidents);
	agent->incidents = NULL;
}
