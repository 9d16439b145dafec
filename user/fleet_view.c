// SPDX-License-Identifier: GPL-2.0-only
#include "fleet_view.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "term.h"
#include "text.h"

static const char *const names[] = {
	[FLEET_SILENT] = "silent",	 [FLEET_SWAPPED] = "swapped",
	[FLEET_NO_POLICY] = "no-policy", [FLEET_LAGS] = "lags",
	[FLEET_AHEAD] = "ahead",	 [FLEET_TRUST] = "trust",
	[FLEET_UNWELL] = "unwell",	 [FLEET_LIFTED] = "lifted",
	[FLEET_OBSERVES] = "observes",	 [FLEET_BROKEN] = "broken",
	[FLEET_REPLACED] = "replaced",	 [FLEET_SHORTER] = "shorter",
	[FLEET_MISSING] = "missing",	 [FLEET_LOST] = "lost",
	[FLEET_FULL] = "full",		 [FLEET_DROPPED] = "dropped",
	[FLEET_WAITING] = "waiting",	 [FLEET_BEHIND] = "behind",
	[FLEET_IMPOSTOR] = "impostor",	 [FLEET_CLOCK] = "clock",
};

const char *fleet_finding_name(enum fleet_finding finding)
{
	return names[finding];
}

static bool was_pushed(const struct fleet_look *look)
{
	const struct fleet_attest *attest = &look->word->attest;

	return attest->lifted_sha256[0] &&
	       strcmp(attest->lifted_sha256, look->pushed->lift_sha256) == 0;
}

bool fleet_is_note(const struct fleet_look *look, enum fleet_finding finding)
{
	return finding == FLEET_OBSERVES ||
	       (finding == FLEET_LIFTED && was_pushed(look));
}

/* ---- finding ------------------------------------------------------------ */

static uint64_t behind(const struct fleet_look *look)
{
	const struct fleet_attest *attest = &look->word->attest;

	return attest->evidence_seq > look->received->seq
		       ? attest->evidence_seq - look->received->seq
		       : 0;
}

uint64_t fleet_lines_behind(const struct fleet_look *look)
{
	return look->word->heard_s ? behind(look) : 0;
}

static uint32_t bit(enum fleet_finding finding, bool is)
{
	return is ? 1U << finding : 0;
}

static uint32_t policy_findings(const struct fleet_look *look)
{
	const struct fleet_attest *attest = &look->word->attest;
	const struct fleet_pushed *pushed = look->pushed;
	uint64_t serial = pushed->serial;
	uint32_t found;

	found = bit(FLEET_NO_POLICY, !attest->policy_serial);
	if (pushed->trust_version)
		found |= bit(FLEET_TRUST,
			     attest->trust_version != pushed->trust_version ||
				     strcmp(attest->trust_sha256,
					    pushed->trust_sha256));
	if (!serial || !attest->policy_serial)
		return found;
	return found | bit(FLEET_LAGS, attest->policy_serial < serial) |
	       bit(FLEET_AHEAD, attest->policy_serial > serial) |
	       bit(FLEET_SWAPPED,
		   attest->policy_serial == serial &&
			   strcmp(attest->policy_sha256, pushed->sha256) != 0);
}

/* The host has none of them waiting, and who receives has found nothing more
 * at the broker that there is room for; or nobody has looked. */
static bool is_held_back(const struct fleet_look *look)
{
	const struct fleet_received *received = look->received;

	if (received->gap_s || received->full_s ||
	    received->later_s > look->now_s ||
	    behind(look) <= look->word->attest.spool_waiting)
		return false;
	return !look->receiving ||
	       (received->behind_s &&
		look->now_s - received->behind_s > FLEET_BEHIND_S);
}

static uint32_t word_findings(const struct fleet_look *look)
{
	const struct fleet_attest *attest = &look->word->attest;
	bool lifted = strcmp(attest->mode, "lifted") == 0;
	int64_t ahead = attest->time_s - look->word->heard_s;

	return policy_findings(look) |
	       bit(FLEET_UNWELL,
		   attest->problem[0] || strcmp(attest->health, "good") != 0) |
	       bit(FLEET_LIFTED, lifted) |
	       bit(FLEET_OBSERVES,
		   !lifted && strcmp(attest->mode, "enforce") != 0) |
	       bit(FLEET_SHORTER, attest->evidence_seq < look->received->seq) |
	       bit(FLEET_DROPPED, attest->spool_dropped > 0) |
	       bit(FLEET_WAITING, attest->spool_waiting > FLEET_LINES_MAX) |
	       bit(FLEET_BEHIND, is_held_back(look)) |
	       bit(FLEET_CLOCK,
		   ahead > FLEET_CLOCK_S || ahead < -FLEET_CLOCK_S);
}

uint32_t fleet_findings(const struct fleet_look *look)
{
	const struct fleet_received *received = look->received;
	uint32_t found;

	found = bit(FLEET_SILENT, look->asked && !look->fresh) |
		bit(FLEET_MISSING, received->gap_s != 0) |
		bit(FLEET_FULL, received->full_s != 0) |
		bit(FLEET_LOST, received->lost_s > look->looked_s) |
		bit(FLEET_BROKEN, received->broken_s > look->looked_s) |
		bit(FLEET_REPLACED, received->other_s > look->looked_s) |
		bit(FLEET_IMPOSTOR, received->not_its_s > look->looked_s);
	return look->word->heard_s ? found | word_findings(look) : found;
}

/* ---- words -------------------------------------------------------------- */

static void ago(const struct fleet_look *look, int64_t when_s, char *buf,
		size_t size)
{
	char age[32];

	if (!when_s) {
		(void)snprintf(buf, size, "never");
		return;
	}
	term_age((uint64_t)(look->now_s > when_s ? look->now_s - when_s : 0),
		 age, sizeof(age));
	(void)snprintf(buf, size, "%s ago", age);
}

static void number(uint64_t n, char buf[32])
{
	term_number(n, buf, 32);
}

static void policy_words(const struct fleet_look *look,
			 enum fleet_finding finding, char *buf, size_t size)
{
	const struct fleet_attest *attest = &look->word->attest;
	const struct fleet_pushed *pushed = look->pushed;
	char when[48];

	ago(look, pushed->pushed_s, when, sizeof(when));
	if (finding == FLEET_LAGS)
		(void)snprintf(buf, size,
			       "it enforces serial %" PRIu64 ", and %" PRIu64
			       " was pushed %s%s",
			       attest->policy_serial, pushed->serial, when,
			       pushed->taken_s
				       ? ": either it refused that, which its "
					 "problem tells, or the broker holds "
					 "it back"
				       : ", which the broker did not take: "
					 "push it again");
	else if (finding == FLEET_AHEAD)
		(void)snprintf(buf, size,
			       "it enforces serial %" PRIu64
			       ", and the last that was pushed from here is "
			       "%" PRIu64 ": somebody gave it a signed policy "
			       "by another way",
			       attest->policy_serial, pushed->serial);
	else if (finding == FLEET_SWAPPED)
		(void)snprintf(buf, size,
			       "it enforces another policy under serial "
			       "%" PRIu64 " than was pushed: sha256 %.16s..., "
			       "not %.16s...",
			       attest->policy_serial, attest->policy_sha256,
			       pushed->sha256);
	else if (finding == FLEET_TRUST)
		(void)snprintf(buf, size,
			       "its trust anchors are version %" PRIu64
			       "%s, and version %" PRIu64 " was pushed",
			       attest->trust_version,
			       attest->trust_version == pushed->trust_version
				       ? ", but others"
				       : "",
			       pushed->trust_version);
	else
		(void)snprintf(buf, size,
			       "no policy of the issuer is in force there");
}

static void evidence_words(const struct fleet_look *look,
			   enum fleet_finding finding, char *buf, size_t size)
{
	const struct fleet_received *received = look->received;
	char n[32], when[48];

	if (finding == FLEET_BROKEN)
		(void)snprintf(buf, size,
			       "its evidence was changed on the host before it "
			       "was sent, at or before line %" PRIu64
			       ": cordon evidence verify",
			       received->broken);
	else if (finding == FLEET_REPLACED)
		(void)snprintf(buf, size,
			       "it sends other lines, up to %" PRIu64
			       ", than came under these numbers before: its "
			       "log was begun anew, or put back from a copy",
			       received->other);
	else if (finding == FLEET_SHORTER)
		(void)snprintf(buf, size,
			       "its log ends at line %" PRIu64 ", and %" PRIu64
			       " has come from it: its log was begun anew, or "
			       "put back from a copy",
			       look->word->attest.evidence_seq, received->seq);
	else if (finding == FLEET_MISSING) {
		ago(look, received->gap_s, when, sizeof(when));
		(void)snprintf(buf, size,
			       "lines %" PRIu64 " to %" PRIu64
			       " did not come, first seen %s: it was asked "
			       "%" PRIu64 " times to send them again",
			       received->gap_from, received->gap_to, when,
			       received->gap_asks);
	} else {
		number(received->lost, n);
		(void)snprintf(buf, size,
			       "%s lines never came, and the host has them no "
			       "more",
			       n);
	}
}

static void way_words(const struct fleet_look *look, enum fleet_finding finding,
		      char *buf, size_t size)
{
	const struct fleet_attest *attest = &look->word->attest;
	char n[32], when[48];

	if (finding == FLEET_FULL) {
		ago(look, look->received->full_s, when, sizeof(when));
		text_format_bytes(look->received->room, n, sizeof(n));
		(void)snprintf(buf, size,
			       "its evidence here has %s, all that one host's "
			       "may have: since %s what comes waits at the "
			       "broker, and then on the host",
			       n, when);
	} else if (finding == FLEET_DROPPED) {
		number(attest->spool_dropped, n);
		(void)snprintf(buf, size,
			       "it had no room for %s lines of evidence, which "
			       "are lost",
			       n);
	} else if (finding == FLEET_WAITING) {
		number(attest->spool_waiting, n);
		(void)snprintf(buf, size,
			       "%s lines wait there for the broker to take "
			       "them",
			       n);
	} else if (!look->receiving) {
		number(behind(look), n);
		(void)snprintf(buf, size,
			       "%s lines are not here, and nobody receives: "
			       "cordon fleet watch",
			       n);
	} else {
		number(behind(look), n);
		ago(look, look->received->last_s, when, sizeof(when));
		(void)snprintf(buf, size,
			       "%s lines that it sent are not here; the last "
			       "that came did %s: the broker holds them back, "
			       "or has lost them",
			       n, when);
	}
}

static void silent_words(const struct fleet_look *look, char *buf, size_t size)
{
	char when[48];

	if (!look->word->heard_s) {
		(void)snprintf(buf, size,
			       "it was never heard: has it accepted its "
			       "enrolment?");
		return;
	}
	ago(look, look->word->heard_s, when, sizeof(when));
	(void)snprintf(buf, size,
		       "it does not answer; the last word of it came %s, and "
		       "what stands here is of then",
		       when);
}

static void clock_words(const struct fleet_look *look, char *buf, size_t size)
{
	int64_t off = look->word->attest.time_s - look->word->heard_s;
	char age[32];

	term_age((uint64_t)(off < 0 ? -off : off), age, sizeof(age));
	(void)snprintf(buf, size, "its clock is %s %s", age,
		       off < 0 ? "behind" : "ahead");
}

static void unwell_words(const struct fleet_look *look, char *buf, size_t size)
{
	const struct fleet_attest *attest = &look->word->attest;

	(void)snprintf(buf, size, "it says%s%s%s%s",
		       attest->health[0] ? " that it is " : "", attest->health,
		       attest->problem[0] ? ": " : "", attest->problem);
}

static void lifted_words(const struct fleet_look *look, char *buf, size_t size)
{
	const struct fleet_attest *attest = &look->word->attest;
	char until[TEXT_NUMBER_CHARS_MAX] = "nobody says when";

	if (attest->lifted_until_s)
		text_format_time(attest->lifted_until_s, until, sizeof(until));
	(void)snprintf(buf, size,
		       "break-glass lifts enforcement there until %s: nothing "
		       "is blocked; the act %s",
		       until,
		       was_pushed(look)
			       ? "was pushed from here"
			       : "did not come from here: ask who signed it");
}

void fleet_finding_words(const struct fleet_look *look,
			 enum fleet_finding finding, char *buf, size_t size)
{
	char n[32];

	switch (finding) {
	case FLEET_SILENT:
		silent_words(look, buf, size);
		break;
	case FLEET_SWAPPED:
	case FLEET_NO_POLICY:
	case FLEET_LAGS:
	case FLEET_AHEAD:
	case FLEET_TRUST:
		policy_words(look, finding, buf, size);
		break;
	case FLEET_UNWELL:
		unwell_words(look, buf, size);
		break;
	case FLEET_LIFTED:
		lifted_words(look, buf, size);
		break;
	case FLEET_OBSERVES:
		(void)snprintf(buf, size, "it observes: nothing is blocked");
		break;
	case FLEET_BROKEN:
	case FLEET_REPLACED:
	case FLEET_SHORTER:
	case FLEET_MISSING:
	case FLEET_LOST:
		evidence_words(look, finding, buf, size);
		break;
	case FLEET_FULL:
	case FLEET_DROPPED:
	case FLEET_WAITING:
	case FLEET_BEHIND:
		way_words(look, finding, buf, size);
		break;
	case FLEET_IMPOSTOR:
		number(look->received->not_its, n);
		(void)snprintf(buf, size,
			       "%s messages came in its name that it has not "
			       "signed: who has its certificate, or the broker",
			       n);
		break;
	case FLEET_CLOCK:
		clock_words(look, buf, size);
		break;
	case FLEET_FINDINGS:
		(void)snprintf(buf, size, "?");
		break;
	}
}
