// SPDX-License-Identifier: GPL-2.0-only
#include "fleet_receive.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "policy_take.h"
#include "state.h"

/* So often a host was asked for what is missing, and began behind it. */
#define GAP_TRIES 3
/* When what there is no room for comes again, and how late that may be. */
#define LATER_MIN_S 10
#define LATER_MAX_S 600
#define LATE_S	    15

const char *fleet_outcome_name(enum fleet_outcome outcome)
{
	static const char *const names[] = {
		[FLEET_TAKEN] = "taken",   [FLEET_AGAIN] = "again",
		[FLEET_GAP] = "gap",	   [FLEET_OTHER] = "other",
		[FLEET_LATER] = "later",   [FLEET_UNKNOWN] = "unknown",
		[FLEET_FORGED] = "forged", [FLEET_FOREIGN] = "foreign",
		[FLEET_CLOSED] = "closed",
	};

	return names[outcome];
}

/* ---- what is no host's -------------------------------------------------- */

/* A name of this side's making. -EEXIST: it is taken. */
static int put_aside(const struct fleet *fleet, unsigned int n,
		     const char *suffix, const void *bytes, size_t len)
{
	char path[FLEET_PATH_MAX];
	ssize_t done;
	int fd;

	(void)snprintf(path, sizeof(path), "%s/aside/%03u.%s", fleet->dir, n,
		       suffix);
	fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (fd < 0)
		return -errno;
	done = write(fd, bytes, len);
	(void)close(fd);
	if (done == (ssize_t)len)
		return 0;
	(void)unlink(path);
	return -ENOSPC;
}

/* Why, beside it, with the name of the subject as JSON has it. */
static void tell_aside(const struct fleet *fleet, unsigned int n,
		       const char *token, enum fleet_outcome outcome)
{
	char when[TEXT_NUMBER_CHARS_MAX], *text;
	json_t *object;

	text_format_time(time(NULL), when, sizeof(when));
	object = json_pack("{s:i, s:s, s:s, s:s}", "cordon", 1, "time", when,
			   "why", fleet_outcome_name(outcome), "subject",
			   token);
	text = object ? json_dumps(object, JSON_COMPACT) : NULL;
	json_decref(object);
	if (text)
		(void)put_aside(fleet, n, "json", text, strlen(text));
	free(text);
}

/* It is no loss if that fails: nobody of the fleet has said it. */
static void set_aside(struct fleet *fleet, const char *token,
		      enum fleet_outcome outcome, const void *bytes, size_t len)
{
	int r = -EEXIST;

	for (unsigned int n = 1; r == -EEXIST && n <= FLEET_ASIDE_MAX; n++) {
		r = put_aside(fleet, n, "message", bytes, len);
		if (!r)
			tell_aside(fleet, n, token, outcome);
	}
	fleet->aside++;
}

/* ---- lines -------------------------------------------------------------- */

/* A line of the report that is being looked at. */
struct place {
	const char *text; /* without its newline */
	size_t len;
	uint64_t seq;
	uint64_t skipped; /* numbers that it leaves out before it */
	char prev[SIGN_HASH_CHARS_MAX];
};

/* The line at *at, which is moved behind it. -ENOENT: there is none; -EINVAL:
 * it is no evidence; -ENOMEM. */
static int next_line(const struct fleet_report *report, size_t *at,
		     struct place *ret_place)
{
	const char *text = report->lines + *at, *end, *prev;
	struct place place = {.text = text};
	json_t *object = NULL;
	int r;

	end = *at < report->len ? memchr(text, '\n', report->len - *at) : NULL;
	if (!end)
		return -ENOENT;
	place.len = (size_t)(end - text);
	*at += place.len + 1;
	if (place.len >= EVIDENCE_LINE_MAX)
		return -EINVAL;
	r = evidence_parse(text, place.len, &object, &place.seq, &prev);
	if (r)
		return r;
	memcpy(place.prev, prev, sizeof(place.prev));
	place.skipped = evidence_number(object, "skipped");
	json_decref(object);
	*ret_place = place;
	return 0;
}

/* Of lines that are all there. */
static bool ends_signed(const char *text, size_t len)
{
	char signature[SIGN_SIGNATURE_CHARS_MAX];
	const char *end = memrchr(text, '\n', len - 1);
	size_t at = end ? (size_t)(end - text) + 1 : 0, signed_len;

	return !evidence_signed(text + at, len - at - 1, &signed_len,
				signature);
}

/*
 * A host that signs what is no log was tampered with, and the lines that show
 * it are the last ones to do without: all that have a place in the order are
 * taken, and the others left out, which the numbers show.
 */
static int sort_out(struct fleet_report *report)
{
	char *kept = malloc(report->len + 1);
	uint64_t first = 0, before = 0;
	size_t at = 0, len = 0;
	struct place place;
	int r;

	if (!kept)
		return -ENOMEM;
	while ((r = next_line(report, &at, &place)) != -ENOENT) {
		if (r == -ENOMEM) {
			free(kept);
			return r;
		}
		if (r || place.seq <= before)
			continue;
		first = first ? first : place.seq;
		before = place.seq;
		memcpy(kept + len, place.text, place.len + 1);
		len += place.len + 1;
		sign_hash(place.text, place.len, report->hash);
	}
	free(report->buffer);
	report->buffer = kept;
	report->lines = kept;
	report->len = len;
	report->first = first;
	report->last = before;
	return 0;
}

/* ---- what is missing ---------------------------------------------------- */

/* May the host's log begin here, because there is none before any more? */
static bool begins_segment(const struct fleet_report *report,
			   const struct place *first)
{
	return first->seq - first->skipped <= report->segment;
}

static void note_gap(struct fleet_received *received,
		     const struct fleet_report *report,
		     const struct evidence_copy *copy,
		     const struct place *first)
{
	if (!received->gap_s) {
		received->gap_s = time(NULL);
		received->gap_to = first->seq - 1;
	}
	received->gap_from = copy->seq + 1;
	if (first->seq - 1 < received->gap_to)
		received->gap_to = first->seq - 1;
	if (begins_segment(report, first) &&
	    (!received->gap_first || first->seq < received->gap_first))
		received->gap_first = first->seq;
}

static void end_gap(struct fleet_received *received)
{
	received->gap_s = 0;
	received->gap_from = 0;
	received->gap_to = 0;
	received->gap_asks = 0;
	received->gap_first = 0;
	received->gap_before = 0;
	received->gap_same = 0;
}

/*
 * Lines are missing before the report, unless it is the first of all, or the
 * host was asked for them often enough and always begins behind them: then it
 * has them no more, and to wait for them would be to hear nothing of it again.
 */
static bool is_gap(struct fleet_received *received,
		   const struct fleet_report *report,
		   const struct evidence_copy *copy, const struct place *first)
{
	if (first->seq - first->skipped <= copy->seq + 1)
		return false;
	if (!copy->seq && begins_segment(report, first)) {
		received->begins = first->seq;
		return false;
	}
	if (received->gap_s && received->gap_same >= GAP_TRIES &&
	    first->seq == received->gap_before) {
		received->lost += first->seq - copy->seq - 1;
		received->lost_s = time(NULL);
		return false;
	}
	note_gap(received, report, copy, first);
	return true;
}

/* Another round begins; what came in the last one is compared with before. */
static void ask_round(struct fleet_received *received)
{
	received->gap_asks++;
	if (received->gap_first) {
		received->gap_same = received->gap_first == received->gap_before
					     ? received->gap_same + 1
					     : 1;
		received->gap_before = received->gap_first;
	}
	received->gap_first = 0;
}

/* ---- what is taken ------------------------------------------------------ */

static void note_broken(struct fleet_receipt *receipt, uint64_t seq)
{
	struct fleet_received *received = &receipt->host->received;

	receipt->broke = true;
	received->broken_s = time(NULL);
	received->broken = seq;
}

/* Nothing of it is new: is it what came before? */
static int compare(struct fleet_receipt *receipt, const char *dir)
{
	struct fleet_received *received = &receipt->host->received;
	const struct fleet_report *report = &receipt->report;
	char hash[SIGN_HASH_CHARS_MAX] = "";
	int r;

	r = evidence_copy_hash(dir, report->last, hash);
	if (r && r != -ENOENT)
		return r;
	/* Too late: its log begins behind that here. */
	if (strcmp(hash, report->hash) == 0 ||
	    (r && report->last < received->begins)) {
		receipt->outcome = FLEET_AGAIN;
		received->again++;
		return 0;
	}
	receipt->outcome = FLEET_OTHER;
	received->other_s = time(NULL);
	received->other = report->last;
	return 0;
}

/* The first line that is not there yet, and where it is. There is one. */
static int find_new(const struct fleet_report *report, uint64_t have,
		    struct place *ret_place, size_t *ret_from)
{
	size_t at = 0;
	int r;

	do {
		*ret_from = at;
		r = next_line(report, &at, ret_place);
	} while (!r && ret_place->seq <= have);
	return r;
}

static bool has_room(const struct fleet *fleet, const struct fleet_host *host)
{
	return host->copy_bytes < fleet->host_bytes;
}

static void note_room(const struct fleet *fleet, struct fleet_host *host,
		      bool room)
{
	struct fleet_received *received = &host->received;

	if (room)
		received->full_s = 0;
	else if (!received->full_s)
		received->full_s = time(NULL);
	received->room = room ? 0 : fleet->host_bytes;
}

static void put_off(struct fleet_receipt *receipt, int64_t seconds)
{
	receipt->outcome = FLEET_LATER;
	receipt->later_s = seconds < LATER_MIN_S   ? LATER_MIN_S
			   : seconds > LATER_MAX_S ? LATER_MAX_S
						   : (uint32_t)seconds;
}

/*
 * It comes again after as long as there was no room: soon, if somebody makes
 * some at once, and no burden if nobody does.
 */
static bool waits_for_room(const struct fleet *fleet,
			   struct fleet_receipt *receipt)
{
	struct fleet_received *received = &receipt->host->received;
	int64_t now = time(NULL);

	note_room(fleet, receipt->host, has_room(fleet, receipt->host));
	if (!received->full_s)
		return false;
	put_off(receipt, now - received->full_s);
	received->later_s = now + receipt->later_s + LATE_S;
	return true;
}

/* What is missing before it was put off, and is on its way: none is lost. */
static bool waits_for_others(struct fleet_receipt *receipt,
			     const struct evidence_copy *copy,
			     const struct place *first)
{
	struct fleet_received *received = &receipt->host->received;
	int64_t left = received->later_s - time(NULL);

	/* The clock was set back. */
	if (left > LATER_MAX_S + LATE_S)
		left = received->later_s = 0;
	if (left <= 0 || first->seq - first->skipped <= copy->seq + 1)
		return false;
	put_off(receipt, left);
	return true;
}

/* A segment that was full is compressed when the next one begins. */
static int count_bytes(struct fleet_host *host, const char *dir,
		       uint64_t segment, size_t len)
{
	host->copy_bytes += len;
	return host->copy.segment == segment
		       ? 0
		       : evidence_copy_bytes(dir, &host->copy_bytes);
}

static int add(const struct fleet *fleet, struct fleet_receipt *receipt,
	       const char *dir)
{
	struct fleet_received *received = &receipt->host->received;
	struct evidence_copy *copy = &receipt->host->copy;
	const struct fleet_report *report = &receipt->report;
	struct evidence_copy_lines lines = {0};
	struct place place;
	uint64_t segment;
	size_t from;
	int r;

	if (waits_for_room(fleet, receipt))
		return 0;
	r = find_new(report, copy->seq, &place, &from);
	if (r)
		return r;
	if (!from && waits_for_others(receipt, copy, &place))
		return 0;
	if (!from && is_gap(received, report, copy, &place)) {
		receipt->outcome = FLEET_GAP;
		return 0;
	}
	lines.text = report->lines + from;
	lines.len = report->len - from;
	lines.first = place.seq;
	lines.last = report->last;
	memcpy(lines.hash, report->hash, sizeof(lines.hash));
	lines.ends_signed = ends_signed(lines.text, lines.len);
	/* Kept for what is said of it: adding changes where it ends. */
	if (copy->seq && strcmp(place.prev, copy->hash) != 0)
		receipt->broke = true;
	segment = copy->segment;
	r = evidence_copy_add(dir, copy, &lines);
	if (r)
		return r;
	/* What it comes to is found again the next time. */
	if (count_bytes(receipt->host, dir, segment, lines.len))
		receipt->host->copy_known = false;
	if (receipt->broke || !report->chained)
		note_broken(receipt, place.seq);
	receipt->outcome = FLEET_TAKEN;
	receipt->lines = lines.text;
	receipt->len = lines.len;
	received->reports++;
	received->last_s = time(NULL);
	received->seq = copy->seq;
	received->behind_s = 0;
	end_gap(received);
	return 0;
}

static int find_copy(const struct fleet *fleet, struct fleet_host *host,
		     char ret_dir[FLEET_PATH_MAX])
{
	int r = 0;

	fleet_host_path(fleet, host->name, EVIDENCE_DIR, ret_dir);
	if (!host->copy_known)
		r = evidence_copy_find(ret_dir, &host->copy);
	if (!host->copy_known && !r)
		r = evidence_copy_bytes(ret_dir, &host->copy_bytes);
	host->copy_known = r == 0;
	return r;
}

static int take(struct fleet *fleet, struct fleet_receipt *receipt)
{
	const struct fleet_received before = receipt->host->received;
	struct fleet_host *host = receipt->host;
	char dir[FLEET_PATH_MAX];
	int r;

	r = find_copy(fleet, host, dir);
	if (!r)
		r = receipt->report.last <= host->copy.seq
			    ? compare(receipt, dir)
			    : add(fleet, receipt, dir);
	if (r) {
		host->received = before;
		/* Whatever became of it is read again. */
		host->copy_known = false;
		receipt->broke = false;
	}
	return r;
}

static int take_report(struct fleet *fleet, struct fleet_receipt *receipt)
{
	struct fleet_report *report = &receipt->report;
	int r = 0;

	if (!report->chained)
		r = sort_out(report);
	if (r)
		return r;
	receipt->first = report->first;
	receipt->last = report->last;
	receipt->host->changed = true;
	if (!report->len) {
		note_broken(receipt, receipt->host->copy.seq + 1);
		receipt->outcome = FLEET_OTHER;
		return 0;
	}
	r = take(fleet, receipt);
	/* Somebody else has written there: once more, from what is there. */
	return r == -ESTALE ? take(fleet, receipt) : r;
}

int fleet_receive(struct fleet *fleet, const char *token, const void *bytes,
		  size_t len, struct fleet_receipt *ret_receipt)
{
	struct fleet_receipt receipt = {.outcome = FLEET_UNKNOWN};
	int r = 0;

	receipt.host = fleet_find_token(fleet, token);
	if (receipt.host)
		r = fleet_report_open(&fleet->seal, &receipt.host->key,
				      receipt.host->token, bytes, len,
				      &receipt.report);
	if (r == -ENOMEM)
		return r;
	if (receipt.host && !r) {
		r = take_report(fleet, &receipt);
		if (r)
			fleet_report_release(&receipt.report);
		else
			*ret_receipt = receipt;
		return r;
	}
	if (receipt.host)
		receipt.outcome = r == -EACCES	? FLEET_FORGED
				  : r == -EXDEV ? FLEET_FOREIGN
						: FLEET_CLOSED;
	if (receipt.host) {
		receipt.host->received.not_its++;
		receipt.host->received.not_its_s = time(NULL);
		receipt.host->changed = true;
	}
	set_aside(fleet, token, receipt.outcome, bytes, len);
	*ret_receipt = receipt;
	return 0;
}

void fleet_receipt_release(struct fleet_receipt *receipt)
{
	fleet_report_release(&receipt->report);
	*receipt = (struct fleet_receipt){0};
}

void fleet_recheck(struct fleet *fleet)
{
	char path[FLEET_PATH_MAX];
	const char *const dir = path;
	char **files = NULL;
	size_t n = 0;
	int r;

	for (size_t i = 0; i < fleet->n_hosts; i++) {
		struct fleet_host *host = &fleet->hosts[i];

		if (!host->received.seq)
			continue;
		fleet_host_path(fleet, host->name, EVIDENCE_DIR, path);
		r = evidence_files(&dir, 1, NULL, NULL, &files, &n);
		if (r == -ENOENT) {
			host->received.seq = 0;
			host->received.begins = 0;
			host->received.behind_s = 0;
			note_room(fleet, host, true);
			end_gap(&host->received);
			host->changed = true;
			continue;
		}
		if (!r)
			evidence_files_free(files, n);
		if (!r && host->received.full_s &&
		    !find_copy(fleet, host, path)) {
			note_room(fleet, host, has_room(fleet, host));
			host->changed = true;
		}
	}
}

/* ---- what else passes between a host and its force ---------------------- */

int fleet_hear(struct fleet *fleet, const char *token, const void *bytes,
	       size_t len, struct fleet_host **ret_host,
	       struct fleet_attest *ret_attest)
{
	struct fleet_host *host = fleet_find_token(fleet, token);
	int r;

	if (!host)
		return -ENOENT;
	r = fleet_attest_open(&fleet->seal, &host->key, host->token, bytes, len,
			      ret_attest);
	if (!r)
		*ret_host = host;
	return r;
}

int fleet_have(struct fleet *fleet, struct fleet_host *host,
	       struct fleet_have *ret_have)
{
	struct fleet_have have = {0};
	char dir[FLEET_PATH_MAX];
	int r;

	r = find_copy(fleet, host, dir);
	if (r)
		return r;
	(void)strcpy(have.host, host->token);
	have.seq = host->copy.seq;
	memset(have.hash, '0', sizeof(have.hash) - 1);
	if (have.seq)
		memcpy(have.hash, host->copy.hash, sizeof(have.hash));
	if (host->received.gap_s) {
		ask_round(&host->received);
		host->changed = true;
	}
	*ret_have = have;
	return 0;
}
