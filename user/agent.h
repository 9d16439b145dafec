/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the agent knows while it runs, and its parts: agent_start.c starts,
 * agent_loop.c waits, cordond.c ends, agent_policy.c has the policy,
 * agent_trust.c whose signatures count, agent_remember.c what must not be
 * forgotten, agent_dropped.c and agent_fleet.c the ways that policies come by
 * besides the file, answer.c answers the control socket.
 */
#ifndef CORDON_AGENT_H
#define CORDON_AGENT_H

#include <stdbool.h>
#include <stdint.h>
#include <time.h>

#include "control.h"
#include "doctor.h"
#include "event.h"
#include "eventlog.h"
#include "expiry.h"
#include "evidence.h"
#include "exposure.h"
#include "guard.h"
#include "kind.h"
#include "link.h"
#include "names_seen.h"
#include "policy.h"
#include "record_names.h"
#include "remember.h"
#include "trust.h"

struct agent;

/* Options that were given, of those for which it matters. */
enum agent_given {
	AGENT_POLICY = 1,
	AGENT_ATTACH = 2,
	AGENT_CGROUP = 4,
	AGENT_MAX_RECORDS = 8,
};

struct agent_options {
	unsigned int given; /* bits of enum agent_given */
	const char *policy_file;
	const char *trust_file;
	const char *enrolment_file;
	const char *drop_dir;
	const char *state_dir;
	const char *run_dir;
	struct guard_options guard;
	struct link_options link; /* but for what the enrolment says */
	bool detach;
	bool foreground;
	bool doctor;
	bool json;
	bool debug;
};

/* What messages call what no file of the administrator's has. */
#define AGENT_FORCE    "what the force sent"
#define AGENT_BUILT_IN "the built-in policy"

/* Where a policy, or what else the issuer signs, comes from. */
enum agent_source {
	AGENT_FROM_FILE,
	AGENT_FROM_KEPT, /* for a boot */
	AGENT_FROM_FORCE,
	AGENT_FROM_DROPPED,
	AGENT_STRICT, /* the built-in one: agent_strict.c */
};

/* That, and what judging it finds. Made by who takes it: arrival_init(). */
struct arrival {
	enum agent_source source;
	enum kind kind;	 /* that it is taken for; KIND_NONE: a message */
	bool quiet;	 /* why it is refused is not told any more */
	char file[4096]; /* what messages call it */
	struct trust_bundle bundle; /* as it was read; no bytes: it was not */
	json_t *signers;	    /* names of who has, and counts; or NULL */
	bool lacks;		    /* too few have signed it */
	bool doubtful;		    /* and what is no good signature is there */
	bool for_others;	    /* hosts, by who has signed it */
	int64_t begins_s;	    /* it is too early for it; 0: it is not */
	struct policy *policy;	    /* that it is; NULL: none, or not yet */
	char problem[POLICY_ERROR_CHARS_MAX]; /* why it is refused */
};

/* See the table in agent_loop.c. */
enum agent_timer {
	AGENT_TIMER_SAVE,
	AGENT_TIMER_FILES,
	AGENT_TIMER_SWEEP,
	AGENT_TIMER_CROSSINGS,
	AGENT_TIMER_EXPOSE,
	AGENT_TIMER_EVIDENCE,
	AGENT_TIMER_INCIDENT,
	AGENT_TIMER_ACT,
	AGENT_TIMER_EXPIRY,
	AGENT_TIMER_WATCHDOG,
	AGENT_TIMERS,
};

#define AGENT_WATCHED_MAX (AGENT_TIMERS + 8)

/* A descriptor, and what is done when it is readable. */
struct agent_watched {
	int fd;
	void (*handle)(struct agent *agent);
};

struct agent {
	const struct agent_options *opts;
	struct guard *guard;
	bool adopted;
	struct policy *policy; /* NULL: the guard's is one we could not read */
	struct trust *trust;   /* NULL: nobody has to sign here */
	char trust_problem[POLICY_ERROR_CHARS_MAX]; /* why the next is none */
	/* Too few who are trusted by now have signed the policy in force. */
	char signers_problem[POLICY_ERROR_CHARS_MAX];
	uint64_t kept_serial; /* of the policy kept for a boot; 0: none */
	char *unkept;	      /* what could not be kept yet; NULL: nothing */
	uint64_t unkept_serial;
	uint64_t had_serial; /* of a policy that was in force; 0: none */
	char had_sha256[SIGN_HASH_CHARS_MAX]; /* of its file */
	json_t *signers;		      /* of the policy in force; NULL */
	struct agent_dropped *dropped;	      /* NULL: nothing is known yet */
	/* The fleet's, if there may be one: an enrolment that was dropped.
	 * -EALREADY: it is in force; -EPERM: arrival->problem has why. */
	int (*take_enrolment)(struct agent *agent, struct arrival *arrival);
	char trust_read[SIGN_HASH_CHARS_MAX]; /* as they were kept; "": none */
	char trust_told[SIGN_HASH_CHARS_MAX]; /* in the evidence, last */
	uint64_t trust_segment;		      /* that tells of them */
	bool trust_replaced;		      /* these are others */
	json_t *early;	   /* lines for which there is no log yet */
	bool was_enrolled; /* before this agent began */
	bool forgotten;	   /* and nothing remembers what was in force since */
	bool started;	   /* what was kept has been compared with the log */
	uint64_t amended;  /* how often what was refused may be good since */
	struct remember remember;
	uint64_t told_serial; /* the same, as the log tells of it; 0: none */
	int64_t told_s;
	bool told;
	bool told_since;	  /* by an agent that remembers */
	int64_t line_s;		  /* time of its last line */
	int64_t remember_saved_s; /* of the time, when that was saved */
	bool remember_failed;	  /* and that was told */
	enum remember_found clock_found;
	enum expiry expiry_said; /* of its end, last */
	int64_t expiry_due_s;	 /* when it is to be said again */
	int64_t applied_s;	 /* time of day when that came into force */
	uint64_t reloads;	 /* how often it was asked to look again */
	char problem[POLICY_ERROR_CHARS_MAX]; /* why the file is not in force */
	/* Likewise what the force sent last, and somebody has signed. */
	char push_problem[POLICY_ERROR_CHARS_MAX];
	enum kind push_problem_kind; /* that it was refused as */
	uint64_t pushed_serial;	     /* in force by what it sent; 0: none was */
	uint64_t pushed_trust;
	struct agent_fleet *fleet; /* NULL: it was not loaded yet */
	struct eventlog *log;
	struct evidence *evidence; /* NULL: it cannot be opened */
	uint64_t unwritten;   /* lines that it lacks, since the agent began */
	bool evidence_soon;   /* its timer runs */
	bool evidence_failed; /* and that was told */
	struct exposure exposed; /* what was written down of it */
	uint64_t exposed_read;	 /* how many records that was */
	struct record_names record_names;
	int64_t names_ms; /* clock_ms() when these were looked up */
	int64_t names_took_ms;
	/* The number of the line that began the guard that runs, as all lines
	 * about its origins mean them. */
	uint64_t load;
	struct agent_ledger *ledger; /* what was written down of it */
	struct agent_incidents *incidents;
	struct sign_mac_key arguments_key; /* of what processes are given */
	bool has_arguments_key;
	struct sign_public host_public; /* of the key that signs evidence */
	bool has_host_public;
	struct agent_act *act; /* what was asked of the issuer */
	bool uninstalled;      /* by an act: this agent ends, and the guard */
	int64_t expose_due_ms; /* clock_ms(); 0: the timer does not run */
	int64_t ledger_due_ms; /* not before, as long as nobody waits */
	bool expose_failed;
	struct agent_saying *saying; /* not on the disk yet */
	size_t n_saying;
	struct control *control;
	struct event_names names;
	struct names_seen *seen; /* NULL: nobody listens */
	int64_t started_s;	 /* CLOCK_BOOTTIME */
	int lock_fd;
	int epoll_fd;
	int signal_fd;
	int timers[AGENT_TIMERS];
	struct agent_watched watched[AGENT_WATCHED_MAX];
	size_t n_watched;
	bool ends;	       /* by a signal */
	bool crossings_soon;   /* its timer runs */
	bool crossings_failed; /* the last sweep did, and that was told */
	pid_t crossings_pid;   /* who sweeps now; 0: nobody */
	bool refused;	       /* a verdict was among the events just taken */
	int64_t looked_ms;     /* when one was last a reason to look */
	bool progressed;       /* the status tells of a scan */
	int64_t scan_told_ms;  /* clock_ms(); 0: not yet */
	bool saving;	       /* its timer runs */
	bool save_failed;
	bool files_open; /* its timer runs: more may come */
	bool files_failed;
	struct guard_kept *kept; /* while it starts */
	uint64_t faults_told;	 /* bit per enum fault */
	uint64_t faults_recorded[FAULT_MAX];
	uint32_t swept; /* state->touches after the last sweep */
};

/* ---- agent_start.c ------------------------------------------------------- */

/* Makes the agent's directories, and is the only agent of this host from then
 * on, until lock_fd is closed. -errno: said. */
int agent_lock(struct agent *agent);

/* All steps of a start. -errno: said; what was begun, cordond.c ends. */
int agent_start(struct agent *agent);

/*
 * Where people have to sign, as files or the guard remember, nobody else takes
 * the guard away. 0, or -EPERM: said.
 */
int agent_may_detach(const struct agent_options *opts);

/* ---- agent_guard.c ------------------------------------------------------- */

/* Is there a guard that an agent before has left? */
bool agent_guard_is_pinned(const struct agent_options *opts);

/* policy is NULL if it is bad; then there is a guard that has one. -errno:
 * said. */
int agent_guard_start(struct agent *agent, const struct policy *policy);

/*
 * Once the policy is in force, and before anybody is told that it is. What
 * could not be held is said, and no reason to protect nothing.
 */
void agent_guard_hold_changed(struct agent *agent);

/* Is what was loaded really what the kernel runs? -errno: said; a guard that
 * this agent has loaded is taken away again. */
int agent_guard_test(struct agent *agent);

/* ---- agent_loop.c -------------------------------------------------------- */

/* Before agent_loop_close(), which takes what was opened or not. */
void agent_loop_init(struct agent *agent);
void agent_loop_close(struct agent *agent);

/* Signals and all timers. -errno: said. */
int agent_loop_open(struct agent *agent);

/* Has handle called whenever fd, which stays open as long as the loop, is
 * readable. -ENOSPC; -errno. */
int agent_watch(struct agent *agent, int fd,
		void (*handle)(struct agent *agent));

/* Until a signal, or an act, ends the agent: 0. -errno: said. */
int agent_loop_run(struct agent *agent);

/* One of the agent's timers, in so many seconds; 0: not at all. */
void agent_set_timer(struct agent *agent, enum agent_timer timer,
		     time_t seconds);

/* If systemd asks for it. */
void agent_watchdog_start(struct agent *agent);

/* What the host's clocks say. */
void agent_clock(struct remember_clock *ret_clock);

/* ---- agent_event.c ------------------------------------------------------- */

/* What the guard says goes to the log. */
extern const struct guard_say agent_say;

/* How events call what they are about, once there is a guard. */
void agent_event_names(struct agent *agent);

/* Takes the events that there are, and does what they ask for. */
void agent_event_take(struct agent *agent);

/* Takes those that are left when the agent stops. */
void agent_event_take_last(struct agent *agent);

/* Each kind of fault is said when it first happens; the counts are in the
 * status. */
void agent_event_faults(struct agent *agent);

/*
 * Where the next sentence goes that is said, at that level of syslog(3), once
 * all that was recorded before is on the disk: EVENT_WORDS_MAX bytes, to be
 * filled at once. line, which it steals, has what it is about, for the journal;
 * NULL: that knows only the sentence.
 */
char *agent_say_soon(struct agent *agent, int level, json_t *line);

/* Brings all to the disk, and says it. As agent_evidence_sync(). */
int agent_say_all(struct agent *agent);

/* Before the first of these, and behind the last. 0 or -ENOMEM. */
int agent_say_start(struct agent *agent);
void agent_say_stop(struct agent *agent);

/* ---- agent_save.c -------------------------------------------------------- */

#define AGENT_STATE_FILE "state"
#define AGENT_FILES_FILE "files"

/* Saves the guard's state; if that fails, it is said and tried again later. */
void agent_save(struct agent *agent);

/*
 * The guard tells once that budgets were used since they were saved, and the
 * word can be lost, or have gone to an agent that did not live to save.
 */
void agent_save_if_dirty(struct agent *agent);

/*
 * What files carry, apart from the budgets: there can be as many as files in a
 * dataset. As long as there was something new at each save, the last one is
 * left open, and another follows; the last of all says that nothing came after
 * it, and then the agent sleeps.
 */
void agent_save_files(struct agent *agent, bool open);

/*
 * The first that is new is put down at once: a host that breaks down from here
 * on leaves files that nobody knows of.
 */
void agent_save_files_if_new(struct agent *agent);

/* When the agent stops. */
void agent_save_files_last(struct agent *agent);

/* What their timers are for. */
void agent_save_tick(struct agent *agent);
void agent_save_files_tick(struct agent *agent);

/* ---- agent_sweep.c ------------------------------------------------------- */

/* Writes down, in a moment, what grew. */
void agent_expose_later(struct agent *agent);

/*
 * The guard remembers which records were touched; what no window needs any
 * more has to go before that table is full, and may when it is.
 */
void agent_sweep(struct agent *agent);
void agent_sweep_all(struct agent *agent);

/* The same for what went between networks of the host, in a moment. */
void agent_sweep_crossings_later(struct agent *agent);

/* What their timers are for; agent_sweep_all() too. */
void agent_expose_tick(struct agent *agent);
void agent_sweep_crossings_tick(struct agent *agent);

/* ---- agent_arrival.c ----------------------------------------------------- */

void arrival_init(struct arrival *arrival, enum agent_source source,
		  enum kind kind, const char *file);

/* What it owns; source, file and problem stay as they are. */
void arrival_release(struct arrival *arrival);

/* Was it not here before? */
bool arrival_is_new(const struct arrival *arrival);

/* 0: enough have signed it, and signers has them. -EPERM: why not. */
int arrival_check(struct arrival *arrival, const struct trust *trust, char *why,
		  size_t size);

/* Too few have signed it: is that all, or is something else there? */
void arrival_note_lack(struct arrival *arrival, bool lacks,
		       const struct trust_signers *signers);

/*
 * It is refused, for r, which this returns; -ESTALE: it is older than what is
 * in force. Why is in arrival->problem, behind its name, and, by the way that
 * it came, in the problem of the agent. It is said and written down, unless it
 * is quiet or was dropped: who looks at what was dropped does that, once. There
 * is no arrival->policy any more.
 *
 * Of what the force sent only what somebody has signed whom this host trusts,
 * and not for others, is a problem of the agent, and no act ever is: all else,
 * who has the broker can make up, or send once more.
 */
int arrival_refuse(struct agent *agent, struct arrival *arrival, int r,
		   const char *format, ...)
	__attribute__((format(printf, 4, 5)));
bool arrival_is_said(const struct arrival *arrival);

/* What the force has sent of that kind is in force: nothing of that kind is a
 * problem any more. */
void arrival_clear_pushed(struct agent *agent, enum kind kind);

/* ---- agent_remember.c ---------------------------------------------------- */

/* The time that policies are judged by: remember_now(). */
int64_t agent_now(const struct agent *agent);

/* What files say, before there is a guard: the agent's own, and if it is not
 * there, the saved state and the evidence. Bad ones are said. */
void agent_remember_load(struct agent *agent);

/* Takes a line of the log that an earlier agent wrote, in their order. */
void agent_remember_old(struct agent *agent, const json_t *line);

/* What the guard and the log know besides; and all that knows it is told. */
void agent_remember_started(struct agent *agent);

/* A policy was in force on this host that counts as having that serial. */
void agent_remember_policy(struct agent *agent, const struct policy *policy,
			   uint64_t serial);

/* Looks at the clock: says, and writes down, when it is wrong and when right
 * again; saves the time now and then. */
void agent_remember_look(struct agent *agent);

/* As state_put(); what is wrong has been said. */
int agent_remember_save(struct agent *agent);

/* The log goes on in another segment. */
void agent_remember_segment(struct agent *agent);

/*
 * The issuer has signed that serial and time_s are what counts here, whatever
 * was before, and all that remembers is told. The policy that is in force stays
 * until the next, and begins at a boot, whatever its serial. As state_put().
 */
int agent_remember_recover(struct agent *agent, uint64_t serial,
			   int64_t time_s);

/* ---- agent_strict.c ------------------------------------------------------ */

/*
 * Was this host enrolled, as far as the mark beside the trust anchors tells?
 * It has the hash of those that were in force last, "" if it is damaged.
 */
bool agent_is_marked(const struct agent *agent,
		     char ret_sha256[SIGN_HASH_CHARS_MAX]);

/* It is, by the trust anchors in force, or by those that were lost, of which
 * what else tells goes away in time. What goes wrong is said. */
void agent_mark(struct agent *agent);

/* Is it one that must not be without protection, or begin anew? */
bool agent_strict_wanted(const struct agent *agent);

/*
 * Then this begins, by which all is refused: the datasets of the policy that is
 * found, if that is signed, else places where data use to lie. Says so. 0 or
 * -ENOMEM.
 */
int agent_strict_policy(struct agent *agent, struct arrival *ret_arrival);

/* Is that in force? */
bool agent_is_strict(const struct agent *agent);

/* ---- agent_trust.c ------------------------------------------------------- */

#define AGENT_EARLY_MAX	  64
#define AGENT_KEPT_POLICY "policy.json"

/* Writes line, which it steals, down at once, or as soon as there is a log. */
void agent_record_early(struct agent *agent, json_t *line);

/*
 * The trust anchors in force, and those in the file if they may follow. 0; what
 * is wrong with the file has been said, and where there are none in force, it
 * is an error, which is in agent->problem: -EPERM, -EUCLEAN, -EINVAL, -ENOMEM,
 * as open(2) says.
 */
int agent_trust_load(struct agent *agent);

/* Takes a line of the log that an earlier agent wrote, in their order. */
void agent_trust_old(struct agent *agent, const json_t *line);

/*
 * Writes down what was to be before there was a log, and compares the anchors
 * that were kept with those that the log and the guard tell of: where they are
 * others, or gone, no policy takes the place of the one in force any more.
 */
void agent_trust_started(struct agent *agent);

/* People have to sign here, and who they are is not known. */
bool agent_trust_is_lost(const struct agent *agent);

/* Then: the hash of those that were in force, if the evidence or the guard
 * tells of them. */
bool agent_trust_told(const struct agent *agent,
		      char ret_sha256[SIGN_HASH_CHARS_MAX]);

/* The log goes on in another segment: the next agent reads no more than two. */
void agent_trust_segment(struct agent *agent, uint64_t segment);

/* Writes down that it was refused; sha256 NULL: what was in it is not known. */
void agent_trust_refused(struct agent *agent, const char *file,
			 const struct trust_bundle *bundle, const char *why);
void agent_trust_refused_as(struct agent *agent, const char *file,
			    const char *sha256, const char *why);

/* Keeps the policy in force for a boot. What goes wrong is said, and tried
 * again: 0, or as state_put(). */
void agent_trust_keep(struct agent *agent, const struct trust_bundle *bundle);
int agent_trust_keep_again(struct agent *agent);

/* The one that was kept, for trust_bundle_release(): not checked, nothing of it
 * can be believed. -ENOENT; what else is wrong has been said. */
int agent_trust_kept(struct agent *agent, struct trust_bundle *ret_bundle,
		     uint64_t *ret_serial);

/*
 * The next anchors, that the force sent or somebody dropped: in force if they
 * may follow; else arrival_refuse(). -EALREADY: they are; -EPERM; -ESTALE: the
 * force's are older, which is not said.
 */
int agent_trust_take(struct agent *agent, struct arrival *arrival);

/*
 * Are there trust anchors in force on this host, or is anything left of some?
 * Of the state directory that was named, and of the one that has no need to be.
 */
bool agent_trust_is_kept(const struct agent_options *opts);

/*
 * The policy that was kept had that serial from now on, if it has a higher one.
 * 0 or -errno: it cannot be written.
 */
int agent_trust_recover(struct agent *agent, uint64_t serial);
/* That policy was in force here: no other one may have its serial. */
void agent_trust_had(struct agent *agent, uint64_t serial, const char *sha256);

void agent_trust_release(struct agent *agent);

/* ---- agent_act.c --------------------------------------------------------- */

/* Before agent_evidence_start(): what was asked for. 0 or -ENOMEM. */
int agent_act_start(struct agent *agent);

/* Behind it: says whether enforcement is lifted, or is no more. */
void agent_act_started(struct agent *agent);

/* As agent_trust_old() and agent_trust_segment(). */
void agent_act_old(struct agent *agent, const json_t *line);
void agent_act_segment(struct agent *agent, uint64_t segment);

/*
 * Asks for an act: *ret_text, for free(), is what has to be signed, and
 * whatever was asked for before is worth nothing. -EPERM: why not; -ENOMEM.
 */
int agent_act_request(struct agent *agent,
		      const struct control_request *request, char **ret_text,
		      char *why, size_t size);

/*
 * Lets an act take effect, once; told gets what it did. -EPERM: as
 * arrival_refuse(), and told says why; -ENOMEM. Of an uninstallation only
 * agent->uninstalled is set.
 */
int agent_act_apply(struct agent *agent, struct arrival *arrival, char *told,
		    size_t size);

/* Ends a break-glass before its time. -ENOENT: there is none. */
int agent_act_end(struct agent *agent);

/* What its timer is for. */
void agent_act_tick(struct agent *agent);

/* Is enforcement lifted now; was it at that moment of CLOCK_BOOTTIME? */
bool agent_act_lifted(const struct agent *agent);
bool agent_act_covers(const struct agent *agent, uint64_t time_ns);

/* Until when, in seconds since the epoch, and the SHA-256 of the act's file,
 * "" where that is not known. 0: enforcement is not lifted. */
int64_t agent_act_lifted_by(const struct agent *agent,
			    char ret_sha256[SIGN_HASH_CHARS_MAX]);

/* For the status: until when, by whom, why; null: enforcement is not lifted. */
json_t *agent_act_status(const struct agent *agent);

void agent_act_release(struct agent *agent);

/* ---- agent_dropped.c ----------------------------------------------------- */

#define CORDON_DROP_DIR "/etc/cordon/policy.d"

/* Takes a line of the log that an earlier agent wrote: what was refused, or in
 * force, then. */
void agent_dropped_old(struct agent *agent, const json_t *line);

/*
 * Of the policies that were dropped, the one with the highest serial, above
 * this one, that could begin now; nothing is told. -ENOENT: there is none.
 */
int agent_dropped_newest(struct agent *agent, uint64_t serial,
			 struct arrival *ret_arrival);

/*
 * Begins to watch, and looks; before that, all else does nothing. What it
 * returns is for poll(2); then call agent_dropped_handle(), with CLOCK_BOOTTIME
 * in seconds. -errno.
 */
int agent_dropped_start(struct agent *agent);
void agent_dropped_handle(struct agent *agent, int64_t now_s);

/* Looks at all that lies there. */
void agent_dropped_look(struct agent *agent);

/* For the status; null: there is no such directory. */
json_t *agent_dropped_status(const struct agent *agent);

void agent_dropped_release(struct agent *agent);

/* ---- agent_ledger.c ------------------------------------------------------ */

/*
 * Writes down the rows of the ledger that are new or have grown since they were
 * written last: of the origins that are wanted; wanted NULL: of all. 1: there
 * were any; 0; -errno, as agent_record().
 */
typedef bool (*agent_ledger_fn)(uint32_t origin, const void *arg);
int agent_ledger_tell(struct agent *agent, agent_ledger_fn wanted,
		      const void *arg);
void agent_ledger_release(struct agent *agent);

/* ---- agent_incident.c ---------------------------------------------------- */

/* Before agent_evidence_start(). 0 or -ENOMEM. */
int agent_incident_start(struct agent *agent);

/*
 * Takes a line of an earlier agent, in their order; the last load that they
 * tell of, 0: none; behind the last one, and behind the line that says that
 * this one began, goes on with what was open. If the log cannot be opened after
 * all, forgets them.
 */
void agent_incident_forget_old(struct agent *agent);
void agent_incident_old(struct agent *agent, const json_t *line);
uint64_t agent_incident_old_load(const struct agent *agent);
void agent_incident_resume(struct agent *agent);

/*
 * Finds the incident of an event, or begins one, and puts its number into line,
 * the event's; what it has to say of that, agent_incident_recorded() writes
 * down, behind that line.
 */
void agent_incident_event(struct agent *agent, const struct event *event,
			  const struct event_who *who, json_t *line);
void agent_incident_recorded(struct agent *agent);

/* How many are open. */
uint64_t agent_incidents_open(const struct agent *agent);

/* The number of the open one that has this origin; 0: none. */
uint64_t agent_incident_of(const struct agent *agent, uint32_t origin);

/* What was recorded is on the disk now. */
void agent_incident_synced(struct agent *agent);

/* What its timer is for. */
void agent_incident_tick(struct agent *agent);

/* In a new segment, tells what is open: an agent reads no more than two. */
void agent_incident_segment(struct agent *agent);

/* Writes down how far they are; then forgets them. */
void agent_incident_stop(struct agent *agent);
void agent_incident_end(struct agent *agent);

/* ---- agent_evidence.c ---------------------------------------------------- */

/*
 * The events of before, and the evidence log with a first line. If that cannot
 * be opened it is said and tried again, and the agent goes on without. 0 or
 * -ENOMEM.
 */
int agent_evidence_start(struct agent *agent);

/*
 * Adds line, which it steals, to the evidence log and, if it is an event, to
 * those in memory. What it says may be told only after agent_evidence_sync().
 * As evidence_add(); -ENODEV: there is no log.
 */
int agent_record(struct agent *agent, json_t *line, int64_t time_s, bool event);
int agent_evidence_sync(struct agent *agent);

/* Says when these began to fail, by what they returned, and when that is
 * over. */
void agent_evidence_told(struct agent *agent, int r);

/* A line, on the disk, about the policy that came into force. */
void agent_record_policy(struct agent *agent);

/* Signs all that is there, now and not by its timer. */
void agent_evidence_sign(struct agent *agent);

/* What its timer is for. */
void agent_evidence_tick(struct agent *agent);

void agent_evidence_stop(struct agent *agent);

/* ---- agent_journal.c ----------------------------------------------------- */

/*
 * To the journal, with the fields that line gives. 0; -EOPNOTSUPP: standard
 * error goes elsewhere, or line is NULL; else as journal_fields() and
 * sd_journal_sendv(3): the sentence has not been said.
 */
int agent_journal_send(int level, const char *words, const json_t *line);

/* ---- agent_exposure.c ---------------------------------------------------- */

/*
 * Writes down which records origins have read since the last time, by their
 * names; if that takes long, not each time, unless it has to be now. Returns
 * whether it should be called again: there were any, or it failed, which it
 * says.
 */
bool agent_expose(struct agent *agent, bool now);

/* ---- agent_chain.c ------------------------------------------------------- */

struct chain;

/* How the holding came to what it holds. 0 or -errno. */
int agent_find_chain(const struct agent *agent, uint64_t holding,
		     struct chain *ret_chain);

/* Puts into a step how much it is by now. */
void agent_complete_step(const struct agent *agent, struct step *step);

/* ---- agent_policy.c ------------------------------------------------------ */

/* The serial in force; 0: none is. */
uint64_t agent_serial(const struct agent *agent);

/* `enforcing policy serial 3 of ...`, cut at size. */
void agent_describe(const struct agent *agent, char *buf, size_t size);

/* sd_notify(3); agent_notify_ready() has the policy in its status. */
void agent_notify(const char *format, ...)
	__attribute__((format(printf, 1, 2)));
void agent_notify_ready(const struct agent *agent);

/*
 * One that is signed for this host, in the file or kept for a boot, whether or
 * not it may begin. -ENOENT.
 */
int agent_policy_find(struct agent *agent, struct policy **ret_policy);

/*
 * Would those who have signed the policy in force be enough by the trust
 * anchors that are in force? It goes on whoever was revoked since; that is said
 * when it begins to be so, and in agent->signers_problem as long as it is.
 */
void agent_policy_judge_signers(struct agent *agent);

/* What the policy that was kept says of itself, if it is signed. */
void agent_policy_look_at_kept(struct agent *agent);

/* Puts arrival->policy, which it takes away, into force; else
 * arrival_refuse(). */
int agent_policy_apply(struct agent *agent, struct arrival *arrival);

/*
 * What a start begins with: the policy in the file or, where no guard is
 * pinned, the one kept for a boot. Without a policy: the guard that is pinned
 * goes on with its own. -errno: there is none. For arrival_release(), whatever
 * it returns.
 */
int agent_policy_start(struct agent *agent, bool pinned,
		       struct arrival *ret_first);

/* Puts that into force. 0 too if the guard goes on with what it has. */
int agent_policy_begin(struct agent *agent, struct arrival *first);

/* All of these; what was in force stays if one fails. */
void agent_policy_reload(struct agent *agent);

/*
 * One that was dropped: could it come into force, or (begins) would it where
 * none is yet? Then it is for agent_policy_apply(); else arrival_refuse().
 * -EALREADY: it is in force; -EPERM; -ESTALE: it is older.
 */
int agent_policy_judge(struct agent *agent, struct arrival *arrival,
		       bool begins);

/* One from the force: puts it into force. Likewise, and as
 * agent_policy_apply(). */
int agent_policy_push(struct agent *agent, struct arrival *arrival);

/* ---- agent_expiry.c ------------------------------------------------------ */

/* Wakes the agent when the policy ends, or the clock is set; says that it has
 * ended. */
void agent_policy_watch_end(struct agent *agent);
void agent_policy_tell_end(struct agent *agent);

/* For how many seconds it has; below 0: it will then; INT64_MIN: never, or it
 * is not known. */
int64_t agent_policy_age(const struct agent *agent);

/* ---- agent_enrolment.c --------------------------------------------------- */

/*
 * Takes a line of the log that an earlier agent wrote, in their order: which
 * enrolment that had taken. And puts that into one that is written now, for the
 * file that has it may be gone.
 */
void agent_enrolment_old(struct agent *agent, const json_t *line);
void agent_enrolment_remember(const struct agent *agent, json_t *fields);

/*
 * What this host is called in policies and acts: by the enrolment that the
 * issuer has signed for its key and, where it is of no fleet, by
 * gethostname(2), which root can make whatever another host is called.
 */
void agent_host_name(const struct agent *agent,
		     char ret_name[POLICY_HOST_CHARS_MAX + 1]);

/* ---- agent_fleet.c ------------------------------------------------------- */

/* What is known from before; comes before all else that reads policies or
 * evidence. 0; -ENOMEM; as epoll_create(2) and timerfd_create(2) say. */
int agent_fleet_load(struct agent *agent);

/* Does a force have to get the evidence? Then it has it up to *ret_acked. */
bool agent_fleet_holds(const struct agent *agent, uint64_t *ret_acked);

/*
 * Takes the enrolment, if there is one, and starts the link; again where
 * another one lies there by now. What is wrong with it is said, written down
 * and no reason to end. Behind agent_evidence_start() and the policy.
 */
void agent_fleet_start(struct agent *agent);

/* One descriptor for as long as the agent runs, and what to do when it is
 * readable. */
int agent_fleet_fd(const struct agent *agent);
void agent_fleet_work(struct agent *agent);

/* There are lines on the disk that may not have been sent. */
void agent_fleet_lines(struct agent *agent);

/* The part of the status; null: no host of a fleet. */
json_t *agent_fleet_status(const struct agent *agent);

/* Before agent_evidence_stop(). */
void agent_fleet_stop(struct agent *agent);

/* ---- agent_options.c ----------------------------------------------------- */

/*
 * Takes the arguments into opts, which has the defaults. 0; 1: --help or
 * --version, which are done; -EINVAL: wrong, and said.
 */
int agent_options_parse(int argc, char **argv, struct agent_options *opts);

/* ---- answer.c ------------------------------------------------------------ */

/* control_answer_fn with a struct agent. */
int answer(struct control *control, struct control_client *client, void *arg);

/* ---- answer_act.c -------------------------------------------------------- */

/* The whole reply to one of CONTROL_ACT_*, which is one line. As answer(). */
int answer_act(struct agent *agent, struct control_client *client);

/* ---- answer_explain.c ---------------------------------------------------- */

/* The whole reply to CONTROL_EXPLAIN, which is bounded. As answer(). */
int answer_explain(struct agent *agent, struct control_client *client);

#endif
