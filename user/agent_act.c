// SPDX-License-Identifier: GPL-2.0-only
/*
 * Acts that the issuer has signed for this host alone (cordon-act(5)). Each
 * answers a nonce that this host made, keeps in its state directory and takes
 * back once: what was used is burnt on the disk before the act takes effect,
 * known to the agent as long as it runs, and told by the evidence to the next
 * one, so that a file that is put back makes no second one of it.
 */
#include "agent.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "act.h"
#include "clock.h"
#include "log.h"
#include "state.h"
#include "text.h"

#define ACT_STATE	    "act.json"
#define ACT_STATE_BYTES_MAX 65536
#define NONCE_VALID_S	    86400
#define NO_REASON	    "none was given"
/* More than any issuer signs while a nonce is valid. */
#define USED_MAX 64

struct agent_act {
	char nonce[ACT_NONCE_CHARS_MAX]; /* that is outstanding; "": none */
	int64_t made_s;			 /* since the epoch */
	int64_t made_boot_s;		 /* CLOCK_BOOTTIME */
	json_t *used;			 /* nonces, the newest last */
	uint64_t segment;		 /* of the evidence, that has them */
	/* The last break-glass: who allowed it, "from_ns" and "until_ns" of
	 * CLOCK_BOOTTIME. NULL: none, or nothing is known of it. */
	json_t *lift;
	uint64_t lift_from_ns;
	uint64_t lift_until_ns;
	bool lifted; /* as far as was said */
};

static uint64_t boot_ns(void)
{
	return (uint64_t)clock_ns(CLOCK_BOOTTIME);
}

/* As the host remembers it; what the guard lifts ends by its own clock. */
static int64_t boot_s(void)
{
	struct remember_clock clock;

	agent_clock(&clock);
	return clock.boot_s;
}

static uint64_t lifted_until(const struct agent *agent)
{
	uint64_t until_ns = guard_state(agent->guard)->lifted_until_ns;

	return until_ns > boot_ns() ? until_ns : 0;
}

/* ---- what is kept -------------------------------------------------------- */

static int keep(const struct agent *agent)
{
	const struct agent_act *act = agent->act;
	char path[4096], *text = NULL;
	json_t *kept;
	int r;

	kept = json_pack("{s:i, s:s, s:I, s:I, s:O}", "cordon", 1, "nonce",
			 act->nonce, "made", (json_int_t)act->made_s,
			 "made_boot", (json_int_t)act->made_boot_s, "used",
			 act->used);
	if (kept && act->lift)
		(void)json_object_set(kept, "lift", act->lift);
	text = kept ? json_dumps(kept, JSON_COMPACT) : NULL;
	json_decref(kept);
	r = text ? text_path(agent->opts->state_dir, ACT_STATE, path,
			     sizeof(path))
		 : -ENOMEM;
	if (!r)
		r = state_put(path, text, strlen(text));
	free(text);
	return r;
}

static bool is_nonce(const char *text)
{
	return strlen(text) == ACT_NONCE_CHARS_MAX - 1 &&
	       strspn(text, "0123456789abcdef") == strlen(text);
}

static bool was_used(const struct agent_act *act, const char *nonce)
{
	const json_t *one;
	size_t i;

	json_array_foreach (act->used, i, one)
		if (strcmp(json_string_value(one), nonce) == 0)
			return true;
	return false;
}

static void note_used(struct agent_act *act, const char *nonce)
{
	if (!is_nonce(nonce) || was_used(act, nonce))
		return;
	if (json_array_size(act->used) >= USED_MAX)
		(void)json_array_remove(act->used, 0);
	(void)json_array_append_new(act->used, json_string(nonce));
}

static void note_all_used(struct agent_act *act, const json_t *list)
{
	const json_t *one;
	size_t i;

	json_array_foreach (list, i, one)
		if (json_is_string(one))
			note_used(act, json_string_value(one));
}

static int take_kept(struct agent_act *act, const json_t *kept)
{
	const char *nonce = evidence_text(kept, "nonce");
	json_t *lift = json_object_get(kept, "lift");

	if (evidence_number(kept, "cordon") != 1 ||
	    (nonce[0] && !is_nonce(nonce)) || (lift && !json_is_object(lift)))
		return -EUCLEAN;
	(void)snprintf(act->nonce, sizeof(act->nonce), "%s", nonce);
	act->made_s = (int64_t)evidence_number(kept, "made");
	act->made_boot_s = (int64_t)evidence_number(kept, "made_boot");
	note_all_used(act, json_object_get(kept, "used"));
	act->lift = json_incref(lift);
	act->lift_from_ns = evidence_number(lift, "from_ns");
	act->lift_until_ns = evidence_number(lift, "until_ns");
	return 0;
}

int agent_act_start(struct agent *agent)
{
	struct agent_act *act = calloc(1, sizeof(*act));
	char path[4096] = "", *text = NULL;
	json_t *kept = NULL;
	size_t len;
	int r;

	if (!act)
		return -ENOMEM;
	agent->act = act;
	act->used = json_array();
	if (!act->used)
		return -ENOMEM;
	r = text_path(agent->opts->state_dir, ACT_STATE, path, sizeof(path));
	if (!r)
		r = state_get(path, ACT_STATE_BYTES_MAX, &text, &len);
	if (!r) {
		kept = json_loadb(text, len, JSON_REJECT_DUPLICATES, NULL);
		r = kept ? take_kept(act, kept) : -EUCLEAN;
	}
	if (r && r != -ENOENT)
		log_error("%s: which act was asked for cannot be read: %s; ask "
			  "for it again: cordon act request",
			  path, strerror(-r));
	json_decref(kept);
	free(text);
	return 0;
}

void agent_act_old(struct agent *agent, const json_t *line)
{
	const char *state = evidence_text(line, "state");

	if (strcmp(evidence_text(line, "type"), "act") != 0)
		return;
	if (strcmp(state, "applied") == 0)
		note_used(agent->act, evidence_text(line, "nonce"));
	else if (strcmp(state, "used") == 0)
		note_all_used(agent->act, json_object_get(line, "nonces"));
}

void agent_act_release(struct agent *agent)
{
	if (!agent->act)
		return;
	json_decref(agent->act->used);
	json_decref(agent->act->lift);
	free(agent->act);
	agent->act = NULL;
}

/* ---- what is written down ------------------------------------------------ */

static void record(struct agent *agent, const char *state, json_t *fields)
{
	json_t *line = evidence_object("act", fields);

	if (line)
		(void)json_object_set_new(line, "state", json_string(state));
	(void)agent_record(agent, line, 0, false);
	agent_evidence_told(agent, agent_evidence_sync(agent));
}

void agent_act_segment(struct agent *agent, uint64_t segment)
{
	struct agent_act *act = agent->act;

	if (act->segment == segment)
		return;
	act->segment = segment;
	if (json_array_size(act->used))
		record(agent, "used", json_pack("{s:O}", "nonces", act->used));
}

static void put_time(json_t *object, const char *key, int64_t time_s)
{
	char text[TEXT_NUMBER_CHARS_MAX];

	text_format_time(time_s, text, sizeof(text));
	(void)json_object_set_new(object, key, json_string(text));
}

/* Of an act that was signed. */
static json_t *fields_of(const struct agent *agent, const struct act *act,
			 json_t *signers, const char *file)
{
	json_t *fields = json_pack("{s:s, s:s, s:s, s:I, s:O, s:s, s:s}", "act",
				   act_kind_name(act->kind), "nonce",
				   act->nonce, "issuer", act->issuer, "trust",
				   (json_int_t)agent->trust->version, "signers",
				   signers, "sha256", act->sha256, "reason",
				   act->reason);

	(void)json_object_set_new(fields, "file", json_string(file));
	if (act->kind == ACT_BREAK_GLASS)
		(void)json_object_set_new(
			fields, "lasts_s",
			json_integer(
				(json_int_t)(act->lasts_ns / CLOCK_NS_PER_S)));
	if (act->kind == ACT_RECOVER)
		(void)json_object_set_new(
			fields, "serial",
			json_integer((json_int_t)act->serial));
	return fields;
}

/* ---- asking for one ------------------------------------------------------ */

static int say_why(char *why, size_t size, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

static int say_why(char *why, size_t size, const char *format, ...)
{
	va_list ap;

	va_start(ap, format);
	(void)vsnprintf(why, size, format, ap);
	va_end(ap);
	log_clean(why);
	return -EPERM;
}

/* Is there anybody whose signature would count, and a host to name? */
static int check_able(const struct agent *agent, char *why, size_t size)
{
	if (!agent->trust || agent->trust_replaced)
		return say_why(why, size, "%s",
			       agent->trust_problem[0]
				       ? agent->trust_problem
				       : "this host has no trust anchors in "
					 "force, so nobody can sign an act for "
					 "it: cordon-trust(5)");
	if (!agent->has_host_public)
		return say_why(why, size,
			       "this host's key cannot be read: see the log "
			       "about " EVIDENCE_KEY);
	return 0;
}

/* What is asked for, as the issuer gets to see it. */
static int fill_act(const struct agent *agent,
		    const struct control_request *request, struct act *act,
		    char *why, size_t size)
{
	if (act_kind_find(request->act, &act->kind))
		return say_why(why, size,
			       "\"%s\" is no act; expected break-glass, "
			       "uninstall or recover",
			       request->act);
	if (act->kind == ACT_BREAK_GLASS &&
	    text_parse_duration(request->lasts[0] ? request->lasts : "hour",
				ACT_LASTS_NS_MIN, ACT_LASTS_NS_MAX,
				&act->lasts_ns))
		return say_why(why, size,
			       "it shall last \"%s\"; expected 1 minute to 24 "
			       "hours, such as \"60 minutes\"",
			       request->lasts);
	if (act->kind == ACT_RECOVER && !request->serial)
		return say_why(why, size,
			       "recover: to which serial? The issuer knows");
	if (act->kind != ACT_BREAK_GLASS && request->lasts[0])
		return say_why(why, size, "only break-glass lasts");
	if (act->kind != ACT_RECOVER && request->serial)
		return say_why(why, size, "only recover has a serial");
	act->serial = request->serial;
	(void)snprintf(act->issuer, sizeof(act->issuer), "%s",
		       agent->trust->issuer);
	agent_host_name(agent, act->host);
	act_host_key(&agent->host_public, act->host_key);
	(void)snprintf(act->reason, sizeof(act->reason), "%s",
		       request->reason[0] ? request->reason : NO_REASON);
	return 0;
}

static int make_nonce(char ret_nonce[ACT_NONCE_CHARS_MAX])
{
	char hash[SIGN_HASH_CHARS_MAX];
	uint8_t bytes[32];

	if (getrandom(bytes, sizeof(bytes), 0) != sizeof(bytes))
		return -EIO;
	sign_hash(bytes, sizeof(bytes), hash);
	(void)snprintf(ret_nonce, ACT_NONCE_CHARS_MAX, "%.*s",
		       ACT_NONCE_CHARS_MAX - 1, hash);
	return 0;
}

int agent_act_request(struct agent *agent,
		      const struct control_request *request, char **ret_text,
		      char *why, size_t size)
{
	struct policy_errors *errs = calloc(1, sizeof(*errs));
	struct agent_act *state = agent->act;
	struct agent_act before = *state;
	struct act act = {0};
	char *text = NULL;
	int r;

	if (!errs)
		return -ENOMEM;
	act.asked_s = agent_now(agent);
	r = check_able(agent, why, size);
	if (!r)
		r = fill_act(agent, request, &act, why, size);
	if (!r)
		r = make_nonce(act.nonce);
	if (!r)
		r = act_format(&act, &text, errs);
	if (r == -EINVAL)
		r = say_why(why, size, "%s", errs->v[0].text);
	if (r)
		goto out;
	(void)snprintf(state->nonce, sizeof(state->nonce), "%s", act.nonce);
	state->made_s = act.asked_s;
	state->made_boot_s = boot_s();
	r = keep(agent);
	if (r) {
		(void)memcpy(state->nonce, before.nonce, sizeof(state->nonce));
		state->made_s = before.made_s;
		state->made_boot_s = before.made_boot_s;
		r = say_why(why, size,
			    "that it was asked for cannot be kept in %.512s: "
			    "%s: make room there",
			    agent->opts->state_dir, strerror(-r));
		goto out;
	}
	log_notice("act \"%s\" is asked for; whatever was asked for before can "
		   "be signed no more",
		   request->act);
	record(agent, "requested",
	       json_pack("{s:s, s:s, s:s}", "act", act_kind_name(act.kind),
			 "nonce", act.nonce, "reason", act.reason));
	*ret_text = text;
	text = NULL;
out:
	free(text);
	free(errs);
	return r;
}

/* ---- may it take effect? ------------------------------------------------- */

static int check_nonce(const struct agent *agent, const struct act *act,
		       char *why, size_t size)
{
	const struct agent_act *state = agent->act;
	int64_t now_s = agent_now(agent);
	int64_t age_s = boot_s() - state->made_boot_s;
	char at[TEXT_NUMBER_CHARS_MAX];

	if (was_used(state, act->nonce))
		return say_why(why, size,
			       "it was used before, and works once: cordon act "
			       "request asks for another");
	if (!state->nonce[0])
		return say_why(why, size,
			       "this host has asked for no act, or has used "
			       "what it asked for: cordon act request");
	text_format_time(state->made_s, at, sizeof(at));
	if (strcmp(act->nonce, state->nonce) != 0)
		return say_why(why, size,
			       "its nonce is not the one that this host asked "
			       "with last, at %s: have that one signed, or ask "
			       "again: cordon act request",
			       at);
	/* What was signed, for what is kept anybody with root can change. */
	text_format_time(act->asked_s, at, sizeof(at));
	if (now_s + REMEMBER_BEHIND_S < act->asked_s)
		return say_why(why, size,
			       "this host's clock was set back: it asked at "
			       "%s, which is still to come; correct the clock",
			       at);
	/* No clock makes it last longer: each of these only rises. */
	if (age_s < now_s - act->asked_s)
		age_s = now_s - act->asked_s;
	if (age_s > NONCE_VALID_S)
		return say_why(why, size,
			       "it was asked for at %s, more than 24 hours "
			       "ago: ask again: cordon act request",
			       at);
	return 0;
}

static int check_act(const struct agent *agent, const struct act *act,
		     char *why, size_t size)
{
	char host[POLICY_HOST_CHARS_MAX + 1], key[SIGN_HASH_CHARS_MAX];

	if (strcmp(act->issuer, agent->trust->issuer) != 0)
		return say_why(why, size,
			       "its issuer is %s, and this host's is %s",
			       act->issuer, agent->trust->issuer);
	agent_host_name(agent, host);
	if (!act_is_for_host(act, host))
		return say_why(why, size,
			       "it is for the host %s, and this is %s",
			       act->host, host);
	act_host_key(&agent->host_public, key);
	if (strcmp(act->host_key, key) != 0)
		return say_why(why, size,
			       "it is for a host with the key %.16s, and this "
			       "one's is %.16s",
			       act->host_key, key);
	return check_nonce(agent, act, why, size);
}

/* Nothing of it is read before it is known who has signed these bytes. */
static int take_act(struct agent *agent, struct arrival *arrival,
		    struct act *ret_act, char *why, size_t size)
{
	const struct trust_bundle *bundle = &arrival->bundle;
	struct policy_errors *errs = calloc(1, sizeof(*errs));
	int r;

	if (!errs)
		return -ENOMEM;
	r = check_able(agent, why, size);
	if (!r && bundle->len > ACT_FILE_BYTES_MAX)
		r = say_why(why, size, "more than %u bytes, which no act has",
			    ACT_FILE_BYTES_MAX);
	if (!r)
		r = arrival_check(arrival, agent->trust, why, size);
	if (!r)
		r = act_parse(arrival->file, bundle->bytes, bundle->len,
			      ret_act, errs);
	if (r == -EINVAL || r == -E2BIG)
		r = say_why(why, size, "%s", errs->v[0].text);
	if (!r)
		r = check_act(agent, ret_act, why, size);
	free(errs);
	return r;
}

/* ---- what it does -------------------------------------------------------- */

static void end_in(struct agent *agent, uint64_t until_ns)
{
	uint64_t left_ns = until_ns - boot_ns();

	/* A moment behind the guard's. */
	agent_set_timer(agent, AGENT_TIMER_ACT,
			(time_t)(left_ns / CLOCK_NS_PER_S) + 1);
}

/* What is to be said of a break-glass, which nothing has done yet. */
static void note_lift(struct agent *agent, const struct act *act,
		      json_t *signers)
{
	struct agent_act *state = agent->act;
	uint64_t now_ns = boot_ns();

	/* One that holds goes on. */
	if (!lifted_until(agent))
		state->lift_from_ns = now_ns;
	state->lift_until_ns = now_ns + act->lasts_ns;
	state->lift = json_pack("{s:I, s:I, s:O, s:s, s:s}", "from_ns",
				(json_int_t)state->lift_from_ns, "until_ns",
				(json_int_t)state->lift_until_ns, "signers",
				signers, "reason", act->reason, "sha256",
				act->sha256);
	put_time(state->lift, "until",
		 clock_s(CLOCK_REALTIME) +
			 (int64_t)(act->lasts_ns / CLOCK_NS_PER_S));
}

/* Who allowed it, until when, and why; "" if nothing is lifted. */
static void lifted_words(const struct agent *agent, char *buf, size_t size)
{
	const json_t *lift = agent->act->lift;
	char names[512], until[TEXT_NUMBER_CHARS_MAX];
	uint64_t until_ns = lifted_until(agent);

	buf[0] = '\0';
	if (!until_ns)
		return;
	text_format_time(event_realtime_ns(until_ns) / CLOCK_NS_PER_S, until,
			 sizeof(until));
	evidence_list(lift, "signers", names, sizeof(names));
	(void)snprintf(buf, size, "until %s by %s: %s", until,
		       names[0] ? names : "whom nothing here tells of",
		       lift ? evidence_text(lift, "reason") : "not known");
	log_clean(buf);
}

static void say_lifted(struct agent *agent)
{
	char words[ACT_WORDS_MAX];

	agent->act->lifted = true;
	lifted_words(agent, words, sizeof(words));
	log_error("ENFORCEMENT IS LIFTED on this host, and nothing is denied, "
		  "%s; cordon act end ends it",
		  words);
	end_in(agent, lifted_until(agent));
	agent_notify_ready(agent);
}

/* What it did, for who applied it. */
static int take_effect(struct agent *agent, const struct act *act, char *told,
		       size_t size)
{
	char words[ACT_WORDS_MAX];
	int r;

	switch (act->kind) {
	case ACT_BREAK_GLASS:
		guard_lift(agent->guard, agent->act->lift_until_ns);
		say_lifted(agent);
		lifted_words(agent, words, sizeof(words));
		(void)snprintf(told, size, "enforcement is lifted %s", words);
		return 0;
	case ACT_UNINSTALL:
		log_error("UNINSTALLED by an act of %s: the guard is taken "
			  "away, and this agent ends; reason: %s",
			  act->issuer, act->reason);
		agent->uninstalled = true;
		(void)snprintf(told, size,
			       "the agent takes the guard away and ends: "
			       "nothing will be protected on this host");
		return 0;
	case ACT_RECOVER:
		r = agent_remember_recover(agent, act->serial,
					   clock_s(CLOCK_REALTIME));
		if (r)
			return say_why(told, size,
				       "the serial is %" PRIu64 " until the "
				       "next boot only: it cannot be kept in "
				       "%.512s: %s",
				       act->serial, agent->opts->state_dir,
				       strerror(-r));
		log_warning("the highest serial seen is %" PRIu64
			    " by an act of %s: the next policy has to have a "
			    "higher one; reason: %s",
			    act->serial, act->issuer, act->reason);
		(void)snprintf(told, size,
			       "the highest serial seen is %" PRIu64 " now: "
			       "apply the next policy",
			       act->serial);
		return 0;
	case ACT_KIND_MAX:
		break;
	}
	return -EINVAL;
}

/* From here on it works no more, whatever becomes of this. */
static int burn(struct agent *agent, const struct act *act, json_t *signers,
		char *why, size_t size)
{
	struct agent_act *state = agent->act;
	const struct agent_act before = *state;
	int r;

	note_used(state, act->nonce);
	state->nonce[0] = '\0';
	if (act->kind == ACT_BREAK_GLASS)
		note_lift(agent, act, signers);
	r = keep(agent);
	if (state->lift != before.lift)
		json_decref(r ? state->lift : before.lift);
	if (r) {
		state->lift = before.lift;
		state->lift_from_ns = before.lift_from_ns;
		state->lift_until_ns = before.lift_until_ns;
	}
	return r ? say_why(why, size,
			   "that it was used cannot be kept in %.512s: %s: "
			   "make room there, and ask for another: cordon act "
			   "request",
			   agent->opts->state_dir, strerror(-r))
		 : 0;
}

int agent_act_apply(struct agent *agent, struct arrival *arrival, char *told,
		    size_t size)
{
	struct act act = {0};
	int r;

	r = take_act(agent, arrival, &act, told, size);
	if (!r)
		r = burn(agent, &act, arrival->signers, told, size);
	if (r == -EPERM)
		return arrival_refuse(agent, arrival, r, "%s", told);
	if (r)
		return r;
	record(agent, "applied",
	       fields_of(agent, &act, arrival->signers, arrival->file));
	return take_effect(agent, &act, told, size);
}

/* ---- its end ------------------------------------------------------------- */

static void over(struct agent *agent, const char *how)
{
	struct agent_act *state = agent->act;
	int r;

	state->lifted = false;
	if (state->lift_until_ns > boot_ns())
		state->lift_until_ns = boot_ns();
	agent_set_timer(agent, AGENT_TIMER_ACT, 0);
	json_decref(state->lift);
	state->lift = NULL;
	r = keep(agent);
	if (r)
		log_error("%s/" ACT_STATE ": %s", agent->opts->state_dir,
			  strerror(-r));
	log_notice("ENFORCEMENT IS BACK on this host: break-glass ended by %s",
		   how);
	record(agent, "ended",
	       json_pack("{s:s, s:s}", "act", act_kind_name(ACT_BREAK_GLASS),
			 "by", how));
	agent_notify_ready(agent);
}

int agent_act_end(struct agent *agent)
{
	if (!lifted_until(agent))
		return -ENOENT;
	guard_lift(agent->guard, 0);
	over(agent, "the administrator");
	return 0;
}

void agent_act_tick(struct agent *agent)
{
	uint64_t until_ns = lifted_until(agent);

	if (until_ns)
		end_in(agent, until_ns);
	else if (agent->act->lifted)
		over(agent, "its time");
}

/* Whether or not there was an agent, it may be lifted, or be no more. */
void agent_act_started(struct agent *agent)
{
	struct agent_act *state = agent->act;

	if (lifted_until(agent)) {
		say_lifted(agent);
		return;
	}
	/* Those were moments of another boot. */
	if (!agent->adopted)
		state->lift_from_ns = state->lift_until_ns = 0;
	if (!state->lift)
		return;
	over(agent, !agent->adopted ? "a boot, or who took the guard away"
		    : state->lift_until_ns > boot_ns() ? "the administrator"
						       : "its time");
}

/* ---- what is told -------------------------------------------------------- */

bool agent_act_covers(const struct agent *agent, uint64_t time_ns)
{
	return time_ns >= agent->act->lift_from_ns &&
	       time_ns < agent->act->lift_until_ns;
}

bool agent_act_lifted(const struct agent *agent)
{
	return lifted_until(agent) != 0;
}

int64_t agent_act_lifted_by(const struct agent *agent,
			    char ret_sha256[SIGN_HASH_CHARS_MAX])
{
	uint64_t until_ns = lifted_until(agent);
	const char *sha256;
	uint8_t hash[32];

	ret_sha256[0] = '\0';
	if (!until_ns)
		return 0;
	sha256 = evidence_text(agent->act->lift, "sha256");
	if (!sign_hash_parse(sha256, hash))
		(void)strcpy(ret_sha256, sha256);
	return event_realtime_ns(until_ns) / CLOCK_NS_PER_S;
}

json_t *agent_act_status(const struct agent *agent)
{
	uint64_t until_ns = lifted_until(agent);
	json_t *object = json_object(), *value;

	if (!until_ns || !object) {
		json_decref(object);
		return json_null();
	}
	put_time(object, "until", event_realtime_ns(until_ns) / CLOCK_NS_PER_S);
	value = json_object_get(agent->act->lift, "signers");
	if (value)
		(void)json_object_set(object, "signers", value);
	value = json_object_get(agent->act->lift, "reason");
	if (value)
		(void)json_object_set(object, "reason", value);
	return object;
}
