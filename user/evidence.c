// SPDX-License-Identifier: GPL-2.0-only
#include "clock.h"
#include "event.h"
#include "evidence_internal.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/timex.h>
#include <unistd.h>

/* Lost for want of room before that is told again. */
#define SKIPPED_LINES 4096

/* ---- the host ----------------------------------------------------------- */

const char *evidence_clock(void)
{
	struct timex timex = {0};

	if (adjtimex(&timex) < 0)
		return "unknown";
	return timex.status & STA_UNSYNC ? "free running" : "synchronised";
}

json_t *evidence_object(const char *type, json_t *fields)
{
	char when[EVENT_TIME_CHARS_MAX];
	json_t *object;

	event_time(clock_ns(CLOCK_REALTIME), when);
	object = json_pack("{s:i, s:s, s:s, s:I}", "cordon", 1, "type", type,
			   "time", when, "boottime_ns",
			   (json_int_t)clock_ns(CLOCK_BOOTTIME));
	/* It takes neither NULL for an object, nor for what to add to it. */
	if (json_object_update_new(object, fields)) {
		json_decref(object);
		return NULL;
	}
	return object;
}

/* ---- lines -------------------------------------------------------------- */

uint64_t evidence_next(const struct evidence *evidence)
{
	return evidence->next;
}

uint64_t evidence_segment(const struct evidence *evidence)
{
	return evidence->fd < 0 ? 0 : evidence_segment_of(evidence->name);
}

uint64_t evidence_dropped(const struct evidence *evidence)
{
	return evidence->dropped;
}

const char *evidence_last_hash(const struct evidence *evidence)
{
	return evidence->prev;
}

bool evidence_unsigned(const struct evidence *evidence)
{
	return evidence->lines > 0 || evidence->skipped > 0;
}

/* The number is used up, and the next line says that it has none. */
static void skip(struct evidence *evidence, int r)
{
	if (!evidence->skipped)
		evidence->why = -r;
	evidence->skipped++;
	evidence->next++;
}

static int put_place(struct evidence *evidence, json_t *line)
{
	const char *why = strerrorname_np(evidence->why);
	int r;

	r = json_object_set_new(line, "seq",
				json_integer((json_int_t)evidence->next)) |
	    json_object_set_new(line, "prev", json_string(evidence->prev));
	if (evidence->skipped)
		r |= json_object_set_new(
			     line, "skipped",
			     json_integer((json_int_t)evidence->skipped)) |
		     json_object_set_new(line, "skipped_because",
					 json_string(why ? why : "?"));
	return r ? -ENOMEM : 0;
}

/* Text has room for a newline. */
static int write_line(struct evidence *evidence, const char *text, size_t len)
{
	int r;

	if (evidence->fd < 0) {
		r = evidence_segment_begin(evidence);
		if (r)
			return r;
	}
	r = evidence_write_at(evidence->fd, text, len, evidence->bytes);
	if (r)
		return r;
	sign_hash(text, len - 1, evidence->prev);
	evidence->bytes += len;
	evidence->next++;
	evidence->lines++;
	evidence->skipped = 0;
	evidence->unsynced = true;
	return 0;
}

int evidence_add(struct evidence *evidence, json_t *line, char *ret_text,
		 size_t *ret_len)
{
	size_t len = 0;
	int r;

	*ret_len = 0;
	/* Who makes room writes that down, so that it is before this one. */
	evidence->full = evidence_is_full(evidence);
	r = line ? put_place(evidence, line) : -ENOMEM;
	if (!r) {
		len = json_dumpb(line, ret_text, EVIDENCE_LINE_MAX,
				 JSON_COMPACT);
		if (len == 0 || len >= EVIDENCE_LINE_MAX)
			r = -EMSGSIZE;
	}
	json_decref(line);
	if (!r) {
		ret_text[len++] = '\n';
		*ret_len = len;
		evidence->dropped += evidence->full;
		r = evidence->full ? -EDQUOT : 0;
	}
	if (!r) {
		r = write_line(evidence, ret_text, len);
	}
	if (r)
		skip(evidence, r);
	return r;
}

/* ---- checkpoints -------------------------------------------------------- */

static json_t *checkpoint_line(const struct evidence *evidence)
{
	char id[SIGN_ID_CHARS_MAX];

	sign_id(&evidence->key.public, id);
	return evidence_object("checkpoint",
			       json_pack("{s:s, s:s, s:s, s:s}", "boot",
					 evidence->boot, "clock",
					 evidence_clock(), "host",
					 evidence->host, "key", id));
}

/*
 * Where there is no room, what is lost is told when that begins, and then now
 * and then, for this takes room too.
 */
static bool has_to_say(struct evidence *evidence)
{
	bool was_told = evidence->told;

	evidence->told = evidence->full;
	return evidence->lines || !evidence->full || !was_told ||
	       evidence->skipped >= SKIPPED_LINES;
}

static int add_checkpoint(struct evidence *evidence)
{
	char text[EVIDENCE_LINE_MAX], signature[SIGN_SIGNATURE_CHARS_MAX];
	json_t *line = NULL;
	size_t len = 0;
	int r;

	if (!has_to_say(evidence))
		return 0;
	line = checkpoint_line(evidence);
	r = line ? put_place(evidence, line) : -ENOMEM;
	if (!r)
		len = json_dumpb(line, text, sizeof(text), JSON_COMPACT);
	json_decref(line);
	if (!r && (len == 0 || len > sizeof(text) / 2))
		r = -EMSGSIZE;
	if (r)
		return r;
	/* All but the brace that closes it. */
	len--;
	sign_make(&evidence->key, text, len, signature);
	len += (size_t)snprintf(text + len, sizeof(text) - len,
				",\"sig\":\"%s\"}\n", signature);
	r = write_line(evidence, text, len);
	if (!r)
		evidence->lines = 0;
	return r;
}

/*
 * An error is told once, and what was not written is forgotten then: a second
 * try would succeed without it. So the segment is left, and if lines of it are
 * missing later, their numbers are.
 */
static int sync_lines(struct evidence *evidence)
{
	int r;

	if (!evidence->unsynced)
		return 0;
	r = fdatasync(evidence->fd) < 0 ? -errno : 0;
	/* Gone are the lines in it, which the numbers will show. */
	if (!r && !evidence_segment_is_there(evidence))
		r = -ESTALE;
	evidence->unsynced = false;
	if (r)
		evidence_segment_leave(evidence);
	return r;
}

int evidence_sync(struct evidence *evidence)
{
	int r;

	/* A full segment ends in a checkpoint. */
	if (evidence->lines >= EVIDENCE_CHECKPOINT_LINES ||
	    (evidence->bytes >= evidence->segment_max &&
	     evidence_unsigned(evidence)))
		(void)add_checkpoint(evidence);
	r = sync_lines(evidence);
	if (!r && evidence->bytes >= evidence->segment_max && !evidence->lines)
		evidence_segment_close(evidence);
	/* As long as lines are missing that it could not write, it fails. */
	return r || !evidence->skipped ? r : -evidence->why;
}

int evidence_checkpoint(struct evidence *evidence)
{
	int r = 0;

	/* Also if all there is to say is what was lost. */
	if (evidence_unsigned(evidence))
		r = add_checkpoint(evidence);
	return r ? r : sync_lines(evidence);
}

void evidence_close(struct evidence *evidence)
{
	if (!evidence)
		return;
	/* What it lacks is told now or never. */
	evidence->told = false;
	(void)evidence_checkpoint(evidence);
	evidence_segment_leave(evidence);
	if (evidence->dir_fd >= 0)
		(void)close(evidence->dir_fd);
	sign_key_release(&evidence->key);
	free(evidence->dir);
	free(evidence);
}
