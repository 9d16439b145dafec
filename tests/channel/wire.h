/* SPDX-License-Identifier: GPL-2.0-only */
/* What the probe and the sink have to agree on. */
#ifndef CORDON_TESTS_WIRE_H
#define CORDON_TESTS_WIRE_H

#include <arpa/inet.h>
#include <stddef.h>
#include <stdint.h>

/*
 * Ports of the sink, relative to --port, for all protocols that have ports.
 * WIRE_PULL is a port of the *probe*: it listens there for "accepted".
 */
#define WIRE_PLAIN 0
#define WIRE_MPTCP 1 /* listens with MPTCP */
#define WIRE_KNOCK 2 /* on a connection, connects back and pulls */
#define WIRE_TLS   3 /* decrypts kTLS with the keys below */
#define WIRE_PULL  4

#define WIRE_RAW_PROTOCOL 253	 /* RFC 3692: for experiments */
#define WIRE_ETHERTYPE	  0x88b5 /* IEEE 802: local experiments */

/*
 * The covert ways send one byte a packet, in a header: the port of an empty
 * datagram or of a SYN, or the sequence number of an empty echo request.
 */
#define WIRE_COVERT_PORT     50000  /* plus the byte */
#define WIRE_COVERT_SEQUENCE 0x4300 /* or the byte */

/* Bytes in the options of a SYN, and the port that it goes to. */
#define WIRE_OPTION_BYTES 36
#define WIRE_OPTION_PORT  (WIRE_COVERT_PORT + 256)

/*
 * Frames are padded to 60 bytes by real interfaces, so one of ours begins
 * with the length of what follows.
 */
struct wire_frame {
	uint8_t magic[2];
	uint8_t len[2]; /* big endian */
};

#define WIRE_FRAME_MAGIC "CF"

/* kTLS, TLS 1.2 with AES-128-GCM. Fixed: there is no handshake. */
#define WIRE_TLS_KEY	  "cordon-test-key!"
#define WIRE_TLS_IV	  "cordoniv"
#define WIRE_TLS_SALT	  "salt"
#define WIRE_TLS_SEQ	  "\0\0\0\0\0\0\0"
#define WIRE_TLS_RECORD	  16384
#define WIRE_TLS_OVERHEAD 29 /* header 5, nonce 8, tag 16 */

/* The checksum of IP and of all that goes by it, network order. */
static inline uint16_t wire_checksum(const void *data, size_t n)
{
	const uint8_t *d = data;
	uint32_t sum = 0;

	for (size_t i = 0; i + 1 < n; i += 2)
		sum += (uint32_t)d[i] << 8 | d[i + 1];
	if (n & 1)
		sum += (uint32_t)d[n - 1] << 8;
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return htons((uint16_t)~sum);
}

#endif
