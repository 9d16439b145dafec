/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Which names this host was told an address by: the answers of DNS that come in
 * in clear, for whoever asked. Anybody can send such an answer, and whoever
 * asks over TLS, or writes the address down, is not seen: a hint for people, by
 * which nothing is decided.
 */
#ifndef CORDON_NAMES_SEEN_H
#define CORDON_NAMES_SEEN_H

#include <stddef.h>
#include <stdint.h>

#define NAMES_SEEN_MAX	     1024 /* addresses; the oldest makes room */
#define NAMES_SEEN_CHARS_MAX 254  /* RFC 1035: 255 octets are 253 characters */

struct names_seen;

/* Nothing is listened to yet. -ENOMEM. */
int names_seen_new(struct names_seen **ret_seen);

/* Takes NULL. */
void names_seen_free(struct names_seen *seen);

/*
 * Listens on all interfaces of this network namespace. -EPERM without
 * CAP_NET_RAW; -EAFNOSUPPORT where the kernel has no packet sockets; -errno.
 */
int names_seen_listen(struct names_seen *seen);

/* For poll(2); readable when names_seen_read() has something to do. */
int names_seen_fd(const struct names_seen *seen);

/* Takes some of what has come in, without blocking: a flood costs no more than
 * a busy resolver would. */
void names_seen_read(struct names_seen *seen);

/* Takes a packet, from its IP header on: an answer, or anything else. */
void names_seen_take(struct names_seen *seen, const uint8_t *packet,
		     size_t size);

/*
 * The name that was asked for when the address (IPv4 as mapped) was answered
 * last, in lower case and printable; NULL: none was seen. Valid until the next
 * call of names_seen_read() or names_seen_take().
 */
const char *names_seen_find(const struct names_seen *seen,
			    const uint8_t addr[16]);

#endif
