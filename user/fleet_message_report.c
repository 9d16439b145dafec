// SPDX-License-Identifier: GPL-2.0-only
#include "fleet_message_internal.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define BODY_MEMBERS_MAX 16

/* ---- lines -------------------------------------------------------------- */

/* Whole lines, none of them empty or too long. Their number; 0: it is wrong. */
static size_t count_lines(const char *lines, size_t len)
{
	const char *end = lines + len, *newline;
	size_t n = 0;

	if (!len || len > FLEET_LINES_BYTES_MAX)
		return 0;
	for (const char *at = lines; at < end; at = newline + 1) {
		newline = memchr(at, '\n', (size_t)(end - at));
		if (!newline || newline == at ||
		    newline - at >= EVIDENCE_LINE_MAX || ++n > FLEET_LINES_MAX)
			return 0;
	}
	return n;
}

/* What the next line has to have. */
struct chain_at {
	uint64_t seq;
	char hash[SIGN_HASH_CHARS_MAX];
	char prev[SIGN_HASH_CHARS_MAX]; /* of the first */
};

static int check_line(const struct fleet_report *report, const char *text,
		      size_t len, struct chain_at *at)
{
	json_t *object;
	const char *prev;
	uint64_t seq;
	bool first = !at->seq;
	int r;

	r = evidence_parse(text, len, &object, &seq, &prev);
	if (r)
		return r;
	if (first && fleet_is_hex(prev, SIGN_HASH_CHARS_MAX - 1))
		(void)strcpy(at->prev, prev);
	if (first ? seq != report->first || !at->prev[0]
		  : seq <= at->seq || strcmp(prev, at->hash) != 0)
		r = -EINVAL;
	at->seq = seq;
	json_decref(object);
	sign_hash(text, len, at->hash);
	return r;
}

/* 0: that has been found out; -ENOMEM. */
static int check_chain(struct fleet_report *report)
{
	const char *at = report->lines, *end = at + report->len, *newline;
	struct chain_at chain = {0};
	int r = 0;

	for (; at < end && !r; at = newline + 1) {
		newline = memchr(at, '\n', (size_t)(end - at));
		r = check_line(report, at, (size_t)(newline - at), &chain);
	}
	if (r == -ENOMEM)
		return r;
	report->chained = !r && chain.seq == report->last;
	if (report->chained) {
		(void)strcpy(report->prev, chain.prev);
		(void)strcpy(report->hash, chain.hash);
	}
	return 0;
}

/* ---- making ------------------------------------------------------------- */

static bool numbers_fit(const struct fleet_report *report, size_t n)
{
	return report->first >= 1 && report->last >= report->first &&
	       report->last <= EVIDENCE_SEQ_MAX &&
	       report->last - report->first + 1 >= n && report->segment >= 1 &&
	       report->segment <= report->first &&
	       report->head >= report->last && report->head <= EVIDENCE_SEQ_MAX;
}

int fleet_report_make(const struct sign_key *key,
		      const struct seal_public *force,
		      const struct fleet_report *report, void **ret_box,
		      size_t *ret_len)
{
	size_t n = count_lines(report->lines, report->len), head_len;
	char head[FLEET_BODY_BYTES_MAX], id[FLEET_ID_CHARS_MAX];
	struct fleet_body body;
	int r;

	if (!n || !numbers_fit(report, n) ||
	    !fleet_is_name(report->host, strlen(report->host)))
		return -EINVAL;
	fleet_id(&key->public, id);
	head_len = (size_t)snprintf(
		head, sizeof(head),
		"{\"cordon\":1,\"host\":\"%s\",\"id\":\"%s\",\"first\":%" PRIu64
		",\"last\":%" PRIu64 ",\"segment\":%" PRIu64
		",\"head\":%" PRIu64 "}\n",
		report->host, id, report->first, report->last, report->segment,
		report->head);
	r = fleet_body_new(head_len + report->len, &body);
	if (r)
		return r;
	memcpy(body.text, head, head_len);
	memcpy(body.text + head_len, report->lines, report->len);
	r = fleet_body_close(&body, FLEET_REPORT_DOMAIN, key, force, ret_box,
			     ret_len);
	free(body.buffer);
	return r;
}

void fleet_report_msgid(const struct sign_key *key,
			const struct fleet_report *report, uint64_t again,
			char ret_msgid[FLEET_MSGID_CHARS_MAX])
{
	char text[256], hash[SIGN_HASH_CHARS_MAX], mac[SIGN_HASH_CHARS_MAX];
	struct sign_mac_key mac_key;

	sign_hash(report->lines, report->len, hash);
	(void)snprintf(text, sizeof(text),
		       "%" PRIu64 " %" PRIu64 " %" PRIu64 " %s", again,
		       report->first, report->last, hash);
	sign_mac_key(key, "cordon report id", &mac_key);
	sign_mac(&mac_key, text, strlen(text), mac);
	memcpy(ret_msgid, mac, FLEET_MSGID_CHARS_MAX - 1);
	ret_msgid[FLEET_MSGID_CHARS_MAX - 1] = '\0';
}

/* ---- opening ------------------------------------------------------------ */

static int take_head(const char *text, size_t len, const char *name,
		     const struct sign_public *public, struct fleet_report *ret)
{
	json_int_t version, first, last, segment, head;
	const char *host, *id;
	json_t *object;
	int r;

	r = fleet_json(text, len, BODY_MEMBERS_MAX, &object);
	if (r)
		return r;
	if (json_unpack(object, "{s:I, s:s, s:s, s:I, s:I, s:I, s:I !}",
			"cordon", &version, "host", &host, "id", &id, "first",
			&first, "last", &last, "segment", &segment, "head",
			&head) ||
	    version != 1 || first < 1 || last < 1 || segment < 1 || head < 1)
		r = -EBADMSG;
	if (!r)
		r = fleet_check_host(host, id, name, public);
	if (!r) {
		(void)strcpy(ret->host, host);
		(void)strcpy(ret->id, id);
		ret->first = (uint64_t)first;
		ret->last = (uint64_t)last;
		ret->segment = (uint64_t)segment;
		ret->head = (uint64_t)head;
	}
	json_decref(object);
	return r;
}

static int take_report(const struct fleet_body *body, const char *name,
		       const struct sign_public *public,
		       struct fleet_report *ret)
{
	const char *newline = memchr(body->text, '\n', body->len);
	size_t head_len;
	int r;

	head_len = newline ? (size_t)(newline - body->text) : body->len;
	if (!newline || head_len >= FLEET_BODY_BYTES_MAX)
		return -EBADMSG;
	r = take_head(body->text, head_len, name, public, ret);
	if (r)
		return r;
	ret->lines = newline + 1;
	ret->len = body->len - head_len - 1;
	ret->n = count_lines(ret->lines, ret->len);
	if (!ret->n || !numbers_fit(ret, ret->n))
		return -EBADMSG;
	return check_chain(ret);
}

int fleet_report_open(const struct seal_key *force,
		      const struct sign_public *host, const char *name,
		      const void *box, size_t len,
		      struct fleet_report *ret_report)
{
	struct fleet_report report = {0};
	struct fleet_body body;
	int r;

	r = fleet_body_open(box, len, FLEET_REPORT_BYTES_MAX,
			    FLEET_REPORT_DOMAIN, force, host, &body);
	if (r)
		return r;
	r = take_report(&body, name, host, &report);
	if (r) {
		free(body.buffer);
		return r;
	}
	report.buffer = body.buffer;
	*ret_report = report;
	return 0;
}

void fleet_report_release(struct fleet_report *report)
{
	free(report->buffer);
	*report = (struct fleet_report){0};
}
