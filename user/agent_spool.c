// SPDX-License-Identifier: GPL-2.0-only
/*
 * The evidence on its way to the force. The log itself is the spool: what is
 * kept besides is how far the broker has it. One report is on its way at a
 * time, so that they come in order; the same one goes again until it is
 * acknowledged, and the broker knows it by its message id.
 */
#include "agent_fleet.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "clock.h"
#include "log.h"
#include "state.h"
#include "text.h"

#define KEPT_FILE	"link.json"
#define KEPT_BYTES_MAX	4096
#define KEPT_MS		1000  /* between two times that it is written */
#define READ_AGAIN_MS	60000 /* of a log that could not be read */
#define REFUSED_MS	5000  /* to the next time that it is sent */
#define BUSY_MS		200
#define REWIND_AGAIN_MS 60000

/* tail_read() ends when a report is full. */
enum { FULL = 1 };

/* ---- what is kept -------------------------------------------------------- */

static void take_hash(const json_t *object, const char *key,
		      char ret_hash[SIGN_HASH_CHARS_MAX])
{
	(void)snprintf(ret_hash, SIGN_HASH_CHARS_MAX, "%s",
		       evidence_text(object, key));
}

static int take_kept(const json_t *object, struct fleet_kept *ret_kept)
{
	struct fleet_kept kept = {0};

	if (evidence_number(object, "cordon") != 1 ||
	    !evidence_number(object, "enrolment"))
		return -EUCLEAN;
	kept.serial = evidence_number(object, "enrolment");
	take_hash(object, "sha256", kept.sha256);
	kept.acked.seq = evidence_number(object, "seq");
	take_hash(object, "hash", kept.acked.hash);
	kept.dropped = evidence_number(object, "dropped");
	take_hash(object, "act", kept.act);
	if (kept.acked.seq > EVIDENCE_SEQ_MAX)
		return -EUCLEAN;
	*ret_kept = kept;
	return 0;
}

void fleet_kept_read(struct agent *agent)
{
	struct agent_fleet *fleet = agent->fleet;
	char path[4096], *text = NULL;
	json_t *object = NULL;
	size_t len;
	int r;

	r = text_path(agent->opts->state_dir, KEPT_FILE, path, sizeof(path));
	if (!r)
		r = state_get(path, KEPT_BYTES_MAX, &text, &len);
	if (!r) {
		object = json_loadb(text, len, JSON_REJECT_DUPLICATES, NULL);
		r = take_kept(object, &fleet->kept);
	}
	if (r && r != -ENOENT)
		log_error("%s: how far the force has the evidence is not "
			  "known: %s; all of it is sent again",
			  path, strerror(-r));
	fleet->has_kept = r != -ENOENT;
	agent->pushed_serial = r ? 0 : evidence_number(object, "policy");
	agent->pushed_trust = r ? 0 : evidence_number(object, "trust");
	json_decref(object);
	free(text);
}

static json_t *kept_json(const struct agent *agent)
{
	const struct fleet_kept *kept = &agent->fleet->kept;

	return json_pack("{s:i, s:I, s:s, s:I, s:s, s:I, s:I, s:I, s:s}",
			 "cordon", 1, "enrolment", (json_int_t)kept->serial,
			 "sha256", kept->sha256, "seq",
			 (json_int_t)kept->acked.seq, "hash", kept->acked.hash,
			 "dropped", (json_int_t)spool_dropped(agent), "policy",
			 (json_int_t)agent->pushed_serial, "trust",
			 (json_int_t)agent->pushed_trust, "act", kept->act);
}

void fleet_kept_write(struct agent *agent)
{
	struct agent_fleet *fleet = agent->fleet;
	char path[4096], *text = NULL;
	json_t *object;
	int r;

	object = kept_json(agent);
	text = object ? json_dumps(object, JSON_COMPACT) : NULL;
	json_decref(object);
	r = text ? text_path(agent->opts->state_dir, KEPT_FILE, path,
			     sizeof(path))
		 : -ENOMEM;
	if (!r)
		r = state_put(path, text, strlen(text));
	if (r)
		log_error("%s/" KEPT_FILE ": how far the force has the "
			  "evidence could not be kept: %s; some of it will be "
			  "sent again",
			  agent->opts->state_dir, strerror(-r));
	fleet->kept_ms = clock_ms();
	fleet->kept_later = false;
	free(text);
}

/* A small report would cost more to remember than to send again. */
static void write_some_time(struct agent *agent)
{
	struct agent_fleet *fleet = agent->fleet;

	fleet->kept_later = true;
	if (clock_ms() - fleet->kept_ms >= KEPT_MS)
		fleet_kept_write(agent);
	else
		fleet_wake(fleet, fleet->kept_ms + KEPT_MS);
}

/* ---- gathering lines ----------------------------------------------------- */

static void drop_out(struct agent_fleet *fleet)
{
	free(fleet->out.box);
	fleet->out = (struct fleet_out){0};
}

/* Reading goes on behind place. */
static void go_to(struct agent_fleet *fleet, const struct tail_place *place)
{
	drop_out(fleet);
	tail_free(fleet->tail);
	fleet->tail = NULL;
	fleet->passed = *place;
}

static bool has_room(const struct agent_fleet *fleet, const json_t *line,
		     size_t len)
{
	const struct fleet_report *report = &fleet->report;

	if (!report->n)
		return true;
	/* A break of the chain stays visible where it is. */
	return report->n < FLEET_LINES_MAX &&
	       report->len + len + 1 <= FLEET_LINES_BYTES_MAX &&
	       report->segment == tail_segment(fleet->tail) &&
	       strcmp(evidence_text(line, "prev"),
		      tail_place(fleet->tail)->hash) == 0;
}

static int collect(const json_t *line, const char *text, size_t len, bool fresh,
		   void *arg)
{
	struct agent_fleet *fleet = arg;
	struct fleet_report *report = &fleet->report;

	if (!fresh)
		return 0;
	if (!has_room(fleet, line, len))
		return FULL;
	report->last = evidence_number(line, "seq");
	if (!report->n++) {
		report->first = report->last;
		report->segment = tail_segment(fleet->tail);
	}
	memcpy(fleet->lines + report->len, text, len);
	fleet->lines[report->len + len] = '\n';
	report->len += len + 1;
	return 0;
}

static void warn(const char *text, void *arg)
{
	(void)arg;
	log_warning("what is sent to the force: %s", text);
}

/* The log is not the one of which the broker has a part. */
static void begin_anew(struct agent *agent)
{
	struct agent_fleet *fleet = agent->fleet;

	log_error("%s: this is another log than the one that was sent to the "
		  "force up to line %" PRIu64 "; all of it is sent",
		  fleet->folder, fleet->passed.seq);
	go_to(fleet, &(struct tail_place){0});
	fleet->kept.acked = fleet->passed;
	evidence_hold(agent->evidence, 0);
	fleet_kept_write(agent);
}

static int read_lines(struct agent *agent)
{
	struct agent_fleet *fleet = agent->fleet;
	int r = 0;

	if (!fleet->lines)
		fleet->lines = malloc(FLEET_LINES_BYTES_MAX);
	if (!fleet->lines)
		return -ENOMEM;
	if (!fleet->tail)
		r = tail_new(fleet->folder, &fleet->passed, &fleet->tail);
	if (r)
		return r;
	fleet->report = (struct fleet_report){.lines = fleet->lines};
	r = tail_read(fleet->tail, collect, warn, fleet);
	if (r == -ESTALE)
		begin_anew(agent);
	/* What was read before it failed is as good as ever. */
	return r < 0 && !fleet->report.n && r != -ENOENT ? r : 0;
}

static void tell_read(struct agent_fleet *fleet, int r)
{
	if (r && !fleet->read_failed)
		log_error("%s: it cannot be read for the force: %s; that is "
			  "tried again every minute",
			  fleet->folder, strerror(-r));
	fleet->read_failed = r != 0;
}

static int close_report(struct agent *agent)
{
	struct agent_fleet *fleet = agent->fleet;
	struct fleet_report *report = &fleet->report;
	struct fleet_out *out = &fleet->out;
	int r;

	(void)snprintf(report->host, sizeof(report->host), "%s", fleet->name);
	report->head = evidence_next(agent->evidence) - 1;
	r = fleet_report_make(&fleet->key, &fleet->enrolment->seal, report,
			      &out->box, &out->len);
	if (r)
		return r;
	fleet_report_msgid(&fleet->key, report, fleet->again, out->msgid);
	out->id = ++fleet->next_id;
	out->last = *tail_place(fleet->tail);
	return 0;
}

/* The next report, if there are lines for one. */
static void gather(struct agent *agent)
{
	struct agent_fleet *fleet = agent->fleet;
	int r;

	if (fleet->tail &&
	    evidence_next(agent->evidence) - 1 <= tail_place(fleet->tail)->seq)
		return;
	r = read_lines(agent);
	if (!r && fleet->report.n)
		r = close_report(agent);
	if (r && r != -ESTALE) {
		/* What was read is read again. */
		go_to(fleet, &fleet->passed);
		fleet->send_ms = clock_ms() + READ_AGAIN_MS;
	}
	if (r == -ESTALE)
		fleet_wake(fleet, clock_ms());
	tell_read(fleet, r == -ESTALE ? 0 : r);
}

/* ---- sending ------------------------------------------------------------- */

static void send_out(struct agent_fleet *fleet)
{
	struct fleet_out *out = &fleet->out;
	struct link_frame frame = {.type = LINK_REPORT,
				   .id = out->id,
				   .bytes = out->box,
				   .len = out->len};
	int r;

	(void)snprintf(frame.name, sizeof(frame.name), "%s", out->msgid);
	r = link_send(fleet->link, &frame);
	out->sent = !r;
	if (r && r != -ENOTCONN) {
		fleet->send_ms = clock_ms() + BUSY_MS;
		fleet_wake(fleet, fleet->send_ms);
	}
}

void spool_send(struct agent *agent)
{
	struct agent_fleet *fleet = agent->fleet;

	if (fleet->kept_later)
		write_some_time(agent);
	if (!agent->evidence || !link_state(fleet->link)->connected ||
	    fleet->out.sent)
		return;
	if (clock_ms() < fleet->send_ms) {
		fleet_wake(fleet, fleet->send_ms);
		return;
	}
	if (!fleet->out.box)
		gather(agent);
	if (fleet->out.box)
		send_out(fleet);
}

void spool_connected(struct agent_fleet *fleet)
{
	fleet->out.sent = false;
	fleet->send_ms = 0;
}

void spool_acked(struct agent *agent, uint64_t id)
{
	struct agent_fleet *fleet = agent->fleet;

	/* One that is not expected any more is none of ours. */
	if (!fleet->out.sent || fleet->out.id != id)
		return;
	fleet->passed = fleet->out.last;
	drop_out(fleet);
	fleet->reports++;
	fleet->refusal[0] = '\0';
	if (fleet->passed.seq <= fleet->kept.acked.seq)
		return;
	fleet->kept.acked = fleet->passed;
	if (agent->evidence)
		evidence_hold(agent->evidence, fleet->passed.seq);
	write_some_time(agent);
}

void spool_refused(struct agent *agent, const struct link_frame *frame)
{
	struct agent_fleet *fleet = agent->fleet;

	if (!fleet->out.sent || fleet->out.id != frame->id)
		return;
	if (!fleet->refusal[0])
		log_warning("the broker does not take a report: %.*s; it is "
			    "sent again",
			    (int)frame->len, (const char *)frame->bytes);
	(void)snprintf(fleet->refusal, sizeof(fleet->refusal), "%.*s",
		       (int)frame->len, (const char *)frame->bytes);
	log_clean(fleet->refusal);
	if (!fleet->refusal[0])
		(void)strcpy(fleet->refusal, "it does not say why");
	fleet->out.sent = false;
	fleet->send_ms = clock_ms() + REFUSED_MS;
}

/*
 * What it says is signed by nobody: it can cost no more than that lines go
 * again that went before, and only so often. What was acknowledged stays
 * acknowledged, or the log could be filled in this way.
 */
void spool_have(struct agent *agent, const struct fleet_have *have)
{
	struct agent_fleet *fleet = agent->fleet;
	int64_t now = clock_ms();

	if (have->seq >= fleet->passed.seq ||
	    (fleet->again && have->seq >= fleet->rewound_to &&
	     now - fleet->rewound_ms < REWIND_AGAIN_MS))
		return;
	log_notice("the force has the evidence up to line %" PRIu64
		   " and no further: what is behind it goes again, to line "
		   "%" PRIu64,
		   have->seq, fleet->kept.acked.seq);
	fleet->rewound_ms = now;
	fleet->rewound_to = have->seq;
	fleet->again++;
	go_to(fleet, &(struct tail_place){.seq = have->seq});
}

/* ---- counts -------------------------------------------------------------- */

uint64_t spool_waiting(const struct agent *agent)
{
	uint64_t last, acked = agent->fleet->kept.acked.seq;

	if (!agent->evidence)
		return 0;
	last = evidence_next(agent->evidence) - 1;
	return last > acked ? last - acked : 0;
}

uint64_t spool_dropped(const struct agent *agent)
{
	return agent->fleet->kept.dropped +
	       (agent->evidence ? evidence_dropped(agent->evidence) : 0);
}

void spool_release(struct agent_fleet *fleet)
{
	go_to(fleet, &fleet->passed);
	free(fleet->lines);
	fleet->lines = NULL;
}
