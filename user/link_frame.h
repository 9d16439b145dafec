/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Frames of the socketpair between a link and the one who has it; link.h tells
 * what they mean. Both ends are here, and each refuses what the other may not
 * send.
 *
 *	u32 type, u32 length (of what follows)
 *	u64 id, u32 count, u8 kind, u8 length of the name, the name, the bytes
 *
 * little endian. What a type has not is 0 or empty.
 */
#ifndef CORDON_LINK_FRAME_H
#define CORDON_LINK_FRAME_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Who sends it, and in which role. */
enum link_from {
	LINK_FROM_AGENT = 1, /* to the host's link */
	LINK_FROM_LINK = 2,  /* of a host, to the agent */
	LINK_FROM_FLEET = 4, /* to the force's link */
	LINK_FROM_FORCE = 8, /* the force's link, to `cordon fleet' */
};

enum link_type {
	LINK_NONE, /* no frame is of this type */
	LINK_REPORT,
	LINK_ATTEST,
	LINK_CONNECTED,
	LINK_POLICY,
	LINK_ASKED,
	LINK_ACKED,
	LINK_REFUSED,
	LINK_DISCONNECTED,
	LINK_PUBLISH,
	LINK_ASK,
	LINK_FETCH,
	LINK_ACK,
	LINK_REPORTED,
	LINK_FETCHED,
	LINK_ATTESTED,
	LINK_LATER,
	LINK_TYPES,
};

/* Whose policy it is. */
enum link_kind {
	LINK_HOST = 1,
	LINK_GROUP = 2,
};

#define LINK_HEAD_BYTES	  8U
#define LINK_FIELDS_BYTES 14U /* before the name */
#define LINK_NAME_MAX	  128U
#define LINK_WORDS_MAX	  255U /* bytes, where these are words */
#define LINK_BYTES_MAX	  (512U << 10)
#define LINK_FETCH_MAX	  256U
#define LINK_LATER_MAX_S  3600U
/* Of a policy message and the rest of its frame. */
#define LINK_FRAME_MAX \
	((8U << 20) + LINK_HEAD_BYTES + LINK_FIELDS_BYTES + LINK_NAME_MAX)
/* What may wait to be written: the longest frame, and some. */
#define LINK_QUEUE_MAX (LINK_FRAME_MAX + (4U << 20))

struct link_frame {
	enum link_type type;
	uint64_t id;
	uint32_t count;
	uint8_t kind;
	char name[LINK_NAME_MAX + 1]; /* ends with NUL */
	const void *bytes;
	size_t len;
};

/* `report', `acked': for messages. */
const char *link_type_name(enum link_type type);

/*
 * A frame is in the len bytes, from the beginning: 1, and *ret_used are its;
 * 0: only a part of one yet; -EPROTO: it is none that `from' may send, or too
 * long, which is known as soon as its first eight bytes are here. ret_frame's
 * bytes are those at buf.
 */
int link_frame_parse(enum link_from from, const void *buf, size_t len,
		     struct link_frame *ret_frame, size_t *ret_used);

/* ---- what comes: whole frames out of the bytes of a socket --------------- */

/* Zeroed memory with `from' set is an empty one. */
struct link_reader {
	enum link_from from;
	uint8_t *buf;
	size_t size;
	size_t start; /* of what was not taken yet */
	size_t len;   /* bytes in use, from 0 */
};

/*
 * Reads once from fd, no more than the frame that is begun, or a few small
 * ones, have. 1: something came; 0: the other side closed; -EAGAIN: nothing
 * now; -ENOBUFS: take what is there first; -ENOMEM, or what read(2) says.
 */
int link_reader_fill(struct link_reader *reader, int fd);

/* 1, 0 or -EPROTO, as link_frame_parse(). The frame lives until the next
 * fill. */
int link_reader_next(struct link_reader *reader, struct link_frame *ret_frame);

void link_reader_release(struct link_reader *reader);

/* ---- what goes ----------------------------------------------------------- */

/* Zeroed memory with `from' set is an empty one. */
struct link_writer {
	enum link_from from;
	uint8_t *buf;
	size_t size;
	size_t start; /* of what was not written yet */
	size_t len;   /* bytes in use, from 0 */
};

/* Queues a copy. -EINVAL: no frame that `from' may send; -ENOBUFS: more than
 * LINK_QUEUE_MAX would wait; -ENOMEM. */
int link_writer_put(struct link_writer *writer, const struct link_frame *frame);

/* Writes what fd takes. 0: all is gone; -EAGAIN: some waits; as send(2)
 * says. */
int link_writer_flush(struct link_writer *writer, int fd);

/* Bytes that wait. */
size_t link_writer_waiting(const struct link_writer *writer);

void link_writer_release(struct link_writer *writer);

#endif
