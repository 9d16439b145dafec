/* SPDX-License-Identifier: GPL-2.0-only */
/* What the sink has received, by protocol, and the records seen in it. */
#ifndef CORDON_TESTS_SINK_COUNT_H
#define CORDON_TESTS_SINK_COUNT_H

#include "record.h"

#include <stdint.h>
#include <stdio.h>
#include <sys/socket.h>

enum protocol {
	P_TCP, /* with MPTCP, SMC in fallback, kTLS decrypted */
	P_UDP,
	P_UDPLITE,
	P_RAW,
	P_ICMP,
	P_PACKET,
	P_SCTP,
	P_DCCP,
	P_VSOCK,
	P_COVERT, /* bytes in headers of packets without payload */
	P_COUNT,
};

/* The newest senders of datagrams, for markers cut in two. */
#define FLOWS 256

struct flow {
	struct sockaddr_storage from;
	enum protocol protocol;
	struct record_scan scan;
};

struct counts {
	uint64_t bytes[P_COUNT];
	uint64_t connections;
	struct record_set records;
	struct flow flows[FLOWS];
	unsigned int next_flow;
	bool missing[P_COUNT]; /* protocols that this kernel lacks */
	bool lost_records;     /* out of memory: records is too low */
};

/* Counts the next n payload bytes of a stream. */
void counts_stream(struct counts *c, enum protocol protocol,
		   struct record_scan *scan, const void *data, size_t n);
/* Counts one datagram of a sender. */
void counts_datagram(struct counts *c, enum protocol protocol,
		     const struct sockaddr_storage *from, const void *data,
		     size_t n);
void counts_reset(struct counts *c);
/* One line of JSON, the totals. */
void counts_print(const struct counts *c, FILE *out);
/* One line of JSON, the numbers of the records seen, in no order. */
void counts_print_ids(const struct counts *c, FILE *out);

#endif
