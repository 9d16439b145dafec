// SPDX-License-Identifier: GPL-2.0-only
/*
 * Who acts in an incident, a line each: what takes time, the program and its
 * arguments, is asked about while it goes on.
 */
#include "agent_incident.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <systemd/sd-login.h>
#include <unistd.h>

#include "log.h"

#define BUSY_MAX 5
/* What is found out later, and its place, come to these. */
#define ACTOR_BYTES    (EVIDENCE_LINE_MAX - 1024)
#define ANCESTRY_CHARS 128 /* of an executable's path */

/* ---- its line ------------------------------------------------------------ */

void agent_incident_put_remote(json_t *line, uint32_t tgid)
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
	agent_incident_put_remote(line, event->tgid);
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

/* ---- what takes time ----------------------------------------------------- */

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
static void tell_actor(struct agent *agent, struct incident_waiting *waiting)
{
	if (!waiting->ready)
		put(waiting->line, "exe_why",
		    json_string("it could not be read in time"));
	if (waiting->exe_fd >= 0)
		(void)close(waiting->exe_fd);
	take_utility(waiting->incident, evidence_text(waiting->line, "comm"));
	(void)agent_record(agent, waiting->line, 0, false);
	if (waiting->holding)
		agent_incident_tell_chain(agent, waiting->incident,
					  waiting->holding);
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
	struct incident_waiting *waiting;

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
	struct peek_job jobs[INCIDENT_WAITING_MAX];
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
	struct incident_waiting *waiting;

	if (incidents->n_waiting == INCIDENT_WAITING_MAX) {
		put(line, "exe_why", json_string("too many at once"));
		(void)agent_record(agent, line, 0, false);
		incident_add_gap(incident, json_pack("{s:s}", "why", "actors"));
		return;
	}
	waiting = &incidents->waiting[incidents->n_waiting++];
	*waiting = (struct incident_waiting){
		.incident = incident,
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

void agent_incident_tell_actors(struct agent *agent)
{
	struct agent_incidents *incidents = agent->incidents;
	struct incident_waiting *waiting;

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

void agent_incident_tell_actors_of(struct agent *agent,
				   const struct incident *incident)
{
	struct agent_incidents *incidents = agent->incidents;

	take_results(incidents);
	for (size_t i = 0; i < incidents->n_waiting; i++)
		if (incidents->waiting[i].line &&
		    incidents->waiting[i].incident == incident)
			tell_actor(agent, &incidents->waiting[i]);
	compact(incidents);
}

void agent_incident_actor(struct agent *agent, struct incident *incident,
			  const struct event *event,
			  const struct event_who *who,
			  const struct process_facts *process)
{
	wait_for(agent, incident, actor_line(incident, event, who, process),
		 process);
}

void agent_incident_drop_actors(struct agent_incidents *incidents)
{
	peek_end(&incidents->peek);
	for (size_t i = 0; i < incidents->n_waiting; i++) {
		if (!incidents->waiting[i].line)
			continue;
		json_decref(incidents->waiting[i].line);
		if (incidents->waiting[i].exe_fd >= 0)
			(void)close(incidents->waiting[i].exe_fd);
	}
}
