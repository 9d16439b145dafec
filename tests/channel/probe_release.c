// SPDX-License-Identifier: GPL-2.0-only
/*
 * The table of ways out. What they do is in probe_stream.c, probe_dgram.c,
 * probe_uring.c, probe_link.c and probe_covert.c.
 */
#include "probe.h"
#include "probe_stream.h"
#include "wire.h"

#include <linux/capability.h>

#define PIPE_CHUNK 61440
#define MMSG_CHUNK (MANY * DATAGRAM_BYTES)
#define GSO_CHUNK  (40 * DATAGRAM_BYTES)
#define FRAGMENTED 8000
#define DCCP_CHUNK 1000
#define TLS_CHUNK  16384

#define NO_CAP -1

/* Streams end by finish_stream(), in pieces of STREAM_CHUNK. */
#define STREAM(n, w, c, s)                                                     \
	{                                                                      \
		.name = n, .what = w, .connect = c, .step = s,                 \
		.finish = finish_stream, .chunk = STREAM_CHUNK, .cap = NO_CAP, \
	}
#define TCP(n, w, s) STREAM(n, w, connect_tcp, s)

/* The same, with a piece or an end of its own. */
#define STREAM_OF(n, w, c, s, f, size, need)                                \
	{                                                                   \
		.name = n, .what = w, .connect = c, .step = s, .finish = f, \
		.chunk = size, .cap = need,                                 \
	}

/* Straight from the dataset's files. */
#define DATASET(n, w, r)                                                  \
	{                                                                 \
		.name = n, .what = w, .connect = connect_tcp,             \
		.finish = finish_stream, .run = r, .chunk = STREAM_CHUNK, \
		.cap = NO_CAP,                                            \
	}

/* At most size bytes a step, and nobody to wait for. */
#define DGRAM(n, w, c, s, size, need)                                         \
	{                                                                     \
		.name = n, .what = w, .connect = c, .step = s, .chunk = size, \
		.cap = need,                                                  \
	}
#define UDP(n, w, c, s) DGRAM(n, w, c, s, DATAGRAM_BYTES, NO_CAP)
#define RAW(n, w, c, s) DGRAM(n, w, c, s, DATAGRAM_BYTES, CAP_NET_RAW)

/* No payload leaves: known gaps, so they are a list of their own. */
#define COVERT(n, w, c, s)                                                 \
	{                                                                  \
		.name = n, .what = w, .connect = c, .step = s, .chunk = 1, \
		.cap = NO_CAP, .kind = "covert",                           \
	}

/* Without a send: a list of their own. */
#define OPTION(n, w, c, s)                                                   \
	{                                                                    \
		.name = n, .what = w, .connect = c, .step = s,               \
		.chunk = WIRE_OPTION_BYTES, .cap = NO_CAP, .kind = "option", \
	}

/* For policies that know the port after the sink's: a list of their own. */
#define MIXED(n, w, c, s)                                                \
	{                                                                \
		.name = n, .what = w, .connect = c, .step = s,           \
		.chunk = DATAGRAM_BYTES, .cap = NO_CAP, .kind = "mixed", \
	}

/* For peers that read late: a list of their own. */
#define SMALL(n, w, s)                                                         \
	{                                                                      \
		.name = n, .what = w, .connect = connect_small, .step = s,     \
		.finish = finish_stream, .chunk = STREAM_CHUNK, .cap = NO_CAP, \
		.kind = "small",                                               \
	}

const struct way ways[] = {
	TCP("write", "write(2) on a TCP socket", step_write),
	TCP("writev", "writev(2), two buffers", step_writev),
	TCP("send", "send(2)", step_send),
	TCP("sendto", "sendto(2) without an address", step_sendto),
	TCP("sendmsg", "sendmsg(2), two buffers", step_sendmsg),
	TCP("sendmmsg", "sendmmsg(2), eight messages", step_sendmmsg),
	TCP("send-oob", "send(2) with MSG_OOB", step_oob),
	STREAM("zerocopy", "send(2) with MSG_ZEROCOPY", connect_zerocopy,
	       step_zerocopy),
	TCP("sendfile", "sendfile(2) from a memfd", step_sendfile),
	DATASET("sendfile-dataset", "sendfile(2) from the dataset's file",
		run_sendfile_dataset),
	STREAM_OF("splice", "splice(2) from a pipe", connect_tcp, step_splice,
		  finish_stream, PIPE_CHUNK, NO_CAP),
	STREAM_OF("vmsplice", "vmsplice(2) to a pipe, splice(2) from it",
		  connect_tcp, step_vmsplice, finish_stream, PIPE_CHUNK,
		  NO_CAP),
	DATASET("splice-dataset", "splice(2) from the dataset's file",
		run_splice_dataset),
	STREAM("fastopen", "MSG_FASTOPEN, data in the SYN", connect_fastopen,
	       step_fastopen),
	STREAM_OF("ktls", "send(2) with kernel TLS", connect_tls, step_tls,
		  finish_stream, TLS_CHUNK, NO_CAP),
	STREAM_OF("ktls-sendfile", "sendfile(2) from a memfd with kernel TLS",
		  connect_tls, step_tls_sendfile, finish_stream, TLS_CHUNK,
		  NO_CAP),
	TCP("aio", "io_submit(2) of a write", step_aio),
	STREAM("accepted", "write(2) to a connection that the sink opened",
	       connect_accepted, step_write),
	STREAM("mptcp", "send(2) on an MPTCP socket", connect_mptcp, step_send),
	STREAM("partial", "non-blocking sends into a full buffer",
	       connect_partial, step_partial),
	STREAM_OF("repair", "queued in TCP_REPAIR, leaves as a repetition",
		  connect_repair, step_send, finish_repair, STREAM_CHUNK,
		  CAP_NET_ADMIN),
	STREAM_OF("reconnect", "connected anew, its numbers 2 GiB ahead",
		  connect_tcp, step_reconnected, finish_stream, STREAM_CHUNK,
		  CAP_NET_ADMIN),
	STREAM("v6", "send(2) over IPv6", connect_tcp6, step_send),
	STREAM("v4mapped", "send(2), IPv6 socket to an IPv4 address",
	       connect_mapped, step_send),
	TCP("uring-send", "io_uring SEND", step_uring_send),
	TCP("uring-sendmsg", "io_uring SENDMSG", step_uring_sendmsg),
	TCP("uring-sendzc", "io_uring SEND_ZC", step_uring_sendzc),
	TCP("uring-sendmsg-zc", "io_uring SENDMSG_ZC", step_uring_sendmsg_zc),
	TCP("uring-write", "io_uring WRITE", step_uring_write),
	TCP("uring-splice", "io_uring SPLICE from a pipe", step_uring_splice),
	TCP("uring-sqpoll-send", "io_uring SEND by the polling thread",
	    step_uring_sqpoll),
	STREAM("vsock", "send(2) on a vsock", connect_vsock, step_send),
	STREAM_OF("sctp", "send(2) on an SCTP socket", connect_sctp, step_send,
		  finish_linger, STREAM_CHUNK, NO_CAP),
	STREAM_OF("dccp", "send(2) on a DCCP socket", connect_dccp, step_dccp,
		  finish_linger, DCCP_CHUNK, NO_CAP),
	STREAM("smc", "send(2) on an SMC socket", connect_smc, step_send),

	UDP("udp-send", "send(2) on a connected UDP socket", connect_udp,
	    step_datagram),
	UDP("udp-write", "write(2) on a connected UDP socket", connect_udp,
	    step_udp_write),
	UDP("udp-uring", "io_uring SEND on a UDP socket", connect_udp,
	    step_uring_send),
	UDP("udp-sendfile", "sendfile(2) from a memfd to a UDP socket",
	    connect_udp, step_sendfile),
	UDP("udp-sendto", "sendto(2) with an address", connect_udp_unbound,
	    step_udp_sendto),
	DGRAM("udp-sendmmsg", "sendmmsg(2), eight to one address",
	      connect_udp_unbound, step_udp_sendmmsg, MMSG_CHUNK, NO_CAP),
	UDP("udp-cork", "two sends, one datagram (UDP_CORK)", connect_udp,
	    step_udp_cork),
	DGRAM("udp-gso", "one send, forty datagrams (UDP_SEGMENT)", connect_udp,
	      step_udp_gso, GSO_CHUNK, NO_CAP),
	DGRAM("udp-frag", "datagrams that IP has to cut", connect_udp,
	      step_datagram, FRAGMENTED, NO_CAP),
	UDP("udp6", "send(2) over IPv6", connect_udp6, step_datagram),
	UDP("udp-v4mapped", "send(2), IPv6 socket to an IPv4 address",
	    connect_udp_mapped, step_datagram),
	UDP("udplite", "send(2) on a UDP-Lite socket", connect_udplite,
	    step_datagram),

	UDP("icmp", "echo requests from a ping socket", connect_icmp,
	    step_icmp),
	UDP("icmp6", "echo requests from an IPv6 ping socket", connect_icmp6,
	    step_icmp6),
	RAW("icmp-raw", "echo requests from a raw socket", connect_icmp_raw,
	    step_icmp),
	RAW("raw", "a raw socket, IP protocol 253", connect_raw, step_datagram),
	RAW("raw6", "a raw IPv6 socket, protocol 253", connect_raw6,
	    step_datagram),
	RAW("raw-hdrincl", "a raw socket with its own IP header",
	    connect_raw_hdrincl, step_raw_hdrincl),
	DGRAM("raw-sendmmsg", "sendmmsg(2), eight raw packets to one address",
	      connect_raw_unbound, step_raw_sendmmsg, MMSG_CHUNK, CAP_NET_RAW),

	RAW("packet", "a packet socket, frames without header", connect_packet,
	    step_packet),
	DGRAM("packet-sendmmsg", "sendmmsg(2), eight frames to one address",
	      connect_packet, step_packet_sendmmsg, MMSG_CHUNK, CAP_NET_RAW),
	RAW("packet-raw", "a packet socket, whole UDP packets in frames",
	    connect_packet_raw, step_packet_raw),
	RAW("packet-ring", "a packet socket's transmit ring",
	    connect_packet_ring, step_packet_ring),
	RAW("packet-qdisc-bypass", "a packet socket past the queues",
	    connect_packet_bypass, step_packet_bypass),
	RAW("xdp", "an AF_XDP socket's transmit ring", connect_xdp, step_xdp),
	DGRAM("tun", "whole UDP packets written to a TUN device", connect_tun,
	      step_tun, DATAGRAM_BYTES, CAP_NET_ADMIN),

	MIXED("mixed-udp-cork", "one datagram, sent to two ports (MSG_MORE)",
	      connect_udp_unbound, step_udp_cork_mixed),

	SMALL("uring-partial", "io_uring SEND into a full buffer",
	      step_uring_send),
	SMALL("uring-sendzc-partial", "io_uring SEND_ZC into a full buffer",
	      step_uring_sendzc),

	OPTION("ip-options", "in IP_OPTIONS, which a SYN takes along",
	       connect_option, step_option_v4),
	OPTION("ip6-rthdr", "in IPV6_RTHDR, which is only set", connect_option6,
	       step_option_rthdr),
	OPTION("mcast-source", "as a source of a multicast group",
	       connect_group, step_option_source),

	OPTION("ip6-group", "as a multicast group of IPv6", connect_option6,
	       step_option_group6),
	OPTION("tcp-md5", "as a key of TCP_MD5SIG, which is only set",
	       connect_option, step_option_key),
	OPTION("filter", "in a filter, for who shares the socket",
	       connect_option, step_option_filter),
	OPTION("sctp-bindx", "as an address of an SCTP socket",
	       connect_option_sctp, step_option_bindx),
	OPTION("connect-source", "as the source address of a connection",
	       connect_option6, step_connect_source),
	OPTION("request-key", "as the name of a key that nobody has",
	       connect_group, step_request_key),

	COVERT("covert-udp", "in the port of empty datagrams",
	       connect_udp_unbound, step_covert_udp),
	COVERT("covert-icmp", "in the sequence of empty echo requests",
	       connect_icmp, step_covert_icmp),
	COVERT("covert-syn", "in the port of connections that fail",
	       connect_covert_syn, step_covert_syn),
	{0},
};
