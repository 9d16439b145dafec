// SPDX-License-Identifier: GPL-2.0-only
#include "link_frame.h"
#include "fleet_message.h"

#include <endian.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* A reader or writer with nothing long in it takes no more than this. */
#define CHUNK_BYTES 65536U

_Static_assert(LINK_NAME_MAX == FLEET_NAME_CHARS_MAX, "size of a name");
_Static_assert(LINK_FRAME_MAX - LINK_HEAD_BYTES - LINK_FIELDS_BYTES -
			       LINK_NAME_MAX ==
		       FLEET_POLICY_BYTES_MAX,
	       "size of a policy message");
_Static_assert(FLEET_REPORT_BYTES_MAX <= LINK_BYTES_MAX &&
		       FLEET_ASK_BYTES_MAX <= LINK_BYTES_MAX,
	       "size of other messages");

/* ---- what each type has -------------------------------------------------- */

enum name_kind {
	NAME_NONE,
	NAME_FLEET,
	NAME_ALL, /* of a host, or none */
	NAME_MSGID,
};

struct shape {
	const char *name;
	enum link_from from; /* bits */
	bool has_id;
	enum name_kind named;
	uint8_t kind_min, kind_max;
	uint32_t count_min, count_max;
	size_t bytes_min, bytes_max;
};

#define BOTH_LINKS (LINK_FROM_LINK | LINK_FROM_FORCE)

static const struct shape shapes[LINK_TYPES] = {
	[LINK_REPORT] = {.name = "report",
			 .from = LINK_FROM_AGENT,
			 .has_id = true,
			 .named = NAME_MSGID,
			 .bytes_min = 1,
			 .bytes_max = FLEET_REPORT_BYTES_MAX},
	[LINK_ATTEST] = {.name = "attest",
			 .from = LINK_FROM_AGENT,
			 .bytes_min = 1,
			 .bytes_max = FLEET_ATTEST_BYTES_MAX},
	[LINK_CONNECTED] = {.name = "connected",
			    .from = BOTH_LINKS,
			    .bytes_max = LINK_WORDS_MAX},
	[LINK_POLICY] = {.name = "policy",
			 .from = LINK_FROM_LINK,
			 .named = NAME_FLEET,
			 .kind_min = LINK_HOST,
			 .kind_max = LINK_GROUP,
			 .bytes_max = FLEET_POLICY_BYTES_MAX},
	[LINK_ASKED] = {.name = "asked",
			.from = LINK_FROM_LINK,
			.bytes_max = FLEET_ASK_BYTES_MAX},
	[LINK_ACKED] = {.name = "acked",
			.from = BOTH_LINKS,
			.has_id = true,
			.kind_max = 1},
	[LINK_REFUSED] = {.name = "refused",
			  .from = BOTH_LINKS,
			  .has_id = true,
			  .bytes_max = LINK_WORDS_MAX},
	[LINK_DISCONNECTED] = {.name = "disconnected",
			       .from = BOTH_LINKS,
			       .bytes_max = LINK_WORDS_MAX},
	[LINK_PUBLISH] = {.name = "publish",
			  .from = LINK_FROM_FLEET,
			  .has_id = true,
			  .named = NAME_FLEET,
			  .kind_min = LINK_HOST,
			  .kind_max = LINK_GROUP,
			  .bytes_min = 1,
			  .bytes_max = FLEET_POLICY_BYTES_MAX},
	[LINK_ASK] = {.name = "ask",
		      .from = LINK_FROM_FLEET,
		      .named = NAME_ALL,
		      .bytes_min = 1,
		      .bytes_max = FLEET_ASK_BYTES_MAX},
	[LINK_FETCH] = {.name = "fetch",
			.from = LINK_FROM_FLEET,
			.has_id = true,
			.count_min = 1,
			.count_max = LINK_FETCH_MAX},
	[LINK_ACK] = {.name = "ack", .from = LINK_FROM_FLEET, .has_id = true},
	[LINK_REPORTED] = {.name = "reported",
			   .from = LINK_FROM_FORCE,
			   .has_id = true,
			   .named = NAME_FLEET,
			   .bytes_max = LINK_BYTES_MAX},
	[LINK_FETCHED] = {.name = "fetched",
			  .from = LINK_FROM_FORCE,
			  .has_id = true,
			  .count_max = LINK_FETCH_MAX},
	[LINK_ATTESTED] = {.name = "attested",
			   .from = LINK_FROM_FORCE,
			   .named = NAME_FLEET,
			   .bytes_max = LINK_BYTES_MAX},
	[LINK_LATER] = {.name = "later",
			.from = LINK_FROM_FLEET,
			.has_id = true,
			.count_min = 1,
			.count_max = LINK_LATER_MAX_S},
};

const char *link_type_name(enum link_type type)
{
	return type > LINK_NONE && type < LINK_TYPES ? shapes[type].name : "?";
}

static const struct shape *shape_of(enum link_from from, uint32_t type)
{
	return type > LINK_NONE && type < LINK_TYPES && shapes[type].from & from
		       ? &shapes[type]
		       : NULL;
}

/* Of what follows the head. */
static size_t longest(const struct shape *shape)
{
	return LINK_FIELDS_BYTES +
	       (shape->named == NAME_NONE ? 0 : LINK_NAME_MAX) +
	       shape->bytes_max;
}

static bool name_fits(enum name_kind named, const char *name, size_t len)
{
	switch (named) {
	case NAME_FLEET:
		return fleet_is_name(name, len);
	case NAME_ALL:
		return !len || fleet_is_name(name, len);
	case NAME_MSGID:
		return len == FLEET_MSGID_CHARS_MAX - 1 &&
		       fleet_is_name(name, len);
	default:
		return !len;
	}
}

static bool fits(const struct shape *shape, const struct link_frame *frame,
		 const char *name, size_t name_len)
{
	return (frame->id != 0) == shape->has_id &&
	       frame->count >= shape->count_min &&
	       frame->count <= shape->count_max &&
	       frame->kind >= shape->kind_min &&
	       frame->kind <= shape->kind_max &&
	       frame->len >= shape->bytes_min &&
	       frame->len <= shape->bytes_max &&
	       name_fits(shape->named, name, name_len);
}

/* ---- parsing ------------------------------------------------------------- */

static uint32_t get32(const uint8_t *at)
{
	uint32_t value;

	memcpy(&value, at, sizeof(value));
	return le32toh(value);
}

static uint64_t get64(const uint8_t *at)
{
	uint64_t value;

	memcpy(&value, at, sizeof(value));
	return le64toh(value);
}

/* The length of what follows the head. 1; 0: there is no whole head; -EPROTO */
static int parse_head(enum link_from from, const uint8_t *buf, size_t len,
		      const struct shape **ret_shape, size_t *ret_len)
{
	const struct shape *shape;

	if (len < LINK_HEAD_BYTES)
		return 0;
	shape = shape_of(from, get32(buf));
	if (!shape || get32(buf + 4) < LINK_FIELDS_BYTES ||
	    get32(buf + 4) > longest(shape))
		return -EPROTO;
	*ret_shape = shape;
	*ret_len = get32(buf + 4);
	return 1;
}

int link_frame_parse(enum link_from from, const void *buf, size_t len,
		     struct link_frame *ret_frame, size_t *ret_used)
{
	const uint8_t *at = buf;
	struct link_frame frame = {0};
	const struct shape *shape;
	size_t rest, name_len;
	int r;

	r = parse_head(from, at, len, &shape, &rest);
	if (r != 1)
		return r;
	if (len - LINK_HEAD_BYTES < rest)
		return 0;
	frame.type = (enum link_type)get32(at);
	at += LINK_HEAD_BYTES;
	frame.id = get64(at);
	frame.count = get32(at + 8);
	frame.kind = at[12];
	name_len = at[13];
	at += LINK_FIELDS_BYTES;
	if (name_len > LINK_NAME_MAX || name_len > rest - LINK_FIELDS_BYTES)
		return -EPROTO;
	memcpy(frame.name, at, name_len);
	frame.bytes = at + name_len;
	frame.len = rest - LINK_FIELDS_BYTES - name_len;
	if (!fits(shape, &frame, frame.name, name_len))
		return -EPROTO;
	*ret_frame = frame;
	*ret_used = LINK_HEAD_BYTES + rest;
	return 1;
}

/* ---- buffers ------------------------------------------------------------- */

/* Moves what is in use to the beginning, with room for `more' behind it. */
static int make_room(uint8_t **buf, size_t *size, size_t *start, size_t *len,
		     size_t more)
{
	size_t want = *len - *start + more;
	uint8_t *grown;

	if (*start) {
		memmove(*buf, *buf + *start, *len - *start);
		*len -= *start;
		*start = 0;
	}
	if (want < CHUNK_BYTES)
		want = CHUNK_BYTES;
	/* What was long once does not stay. */
	if (*size >= want && (*len || *size == CHUNK_BYTES))
		return 0;
	grown = realloc(*buf, want);
	if (!grown)
		return -ENOMEM;
	*buf = grown;
	*size = want;
	return 0;
}

int link_reader_fill(struct link_reader *reader, int fd)
{
	size_t have = reader->len - reader->start, rest = 0, want = CHUNK_BYTES;
	const struct shape *shape;
	ssize_t n;
	int r;

	if (have && parse_head(reader->from, reader->buf + reader->start, have,
			       &shape, &rest) == 1)
		want = LINK_HEAD_BYTES + rest;
	if (have >= want)
		return -ENOBUFS;
	r = make_room(&reader->buf, &reader->size, &reader->start, &reader->len,
		      want - have);
	if (r)
		return r;
	do
		n = read(fd, reader->buf + reader->len,
			 reader->size - reader->len);
	while (n < 0 && errno == EINTR);
	if (n < 0)
		return errno == EWOULDBLOCK ? -EAGAIN : -errno;
	reader->len += (size_t)n;
	return n > 0;
}

int link_reader_next(struct link_reader *reader, struct link_frame *ret_frame)
{
	size_t used;
	int r;

	if (reader->start == reader->len)
		return 0;
	r = link_frame_parse(reader->from, reader->buf + reader->start,
			     reader->len - reader->start, ret_frame, &used);
	if (r == 1)
		reader->start += used;
	return r;
}

void link_reader_release(struct link_reader *reader)
{
	free(reader->buf);
	*reader = (struct link_reader){.from = reader->from};
}

/* ---- writing ------------------------------------------------------------- */

static void put32(uint8_t *at, uint32_t value)
{
	value = htole32(value);
	memcpy(at, &value, sizeof(value));
}

static void put64(uint8_t *at, uint64_t value)
{
	value = htole64(value);
	memcpy(at, &value, sizeof(value));
}

static void put_frame(uint8_t *at, const struct link_frame *frame,
		      size_t name_len)
{
	put32(at, frame->type);
	put32(at + 4, (uint32_t)(LINK_FIELDS_BYTES + name_len + frame->len));
	at += LINK_HEAD_BYTES;
	put64(at, frame->id);
	put32(at + 8, frame->count);
	at[12] = frame->kind;
	at[13] = (uint8_t)name_len;
	at += LINK_FIELDS_BYTES;
	memcpy(at, frame->name, name_len);
	if (frame->len)
		memcpy(at + name_len, frame->bytes, frame->len);
}

int link_writer_put(struct link_writer *writer, const struct link_frame *frame)
{
	const struct shape *shape = shape_of(writer->from, frame->type);
	size_t name_len = strnlen(frame->name, sizeof(frame->name)), size;
	int r;

	if (!shape || name_len > LINK_NAME_MAX ||
	    !fits(shape, frame, frame->name, name_len))
		return -EINVAL;
	size = LINK_HEAD_BYTES + LINK_FIELDS_BYTES + name_len + frame->len;
	if (size > LINK_QUEUE_MAX - link_writer_waiting(writer))
		return -ENOBUFS;
	r = make_room(&writer->buf, &writer->size, &writer->start, &writer->len,
		      size);
	if (r)
		return r;
	put_frame(writer->buf + writer->len, frame, name_len);
	writer->len += size;
	return 0;
}

int link_writer_flush(struct link_writer *writer, int fd)
{
	ssize_t n;

	while (writer->start < writer->len) {
		n = send(fd, writer->buf + writer->start,
			 writer->len - writer->start, MSG_NOSIGNAL);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return errno == EWOULDBLOCK ? -EAGAIN : -errno;
		writer->start += (size_t)n;
	}
	return 0;
}

size_t link_writer_waiting(const struct link_writer *writer)
{
	return writer->len - writer->start;
}

void link_writer_release(struct link_writer *writer)
{
	free(writer->buf);
	*writer = (struct link_writer){.from = writer->from};
}
