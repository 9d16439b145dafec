// SPDX-License-Identifier: GPL-2.0-only
/*
 * The table of ways out. What they do is in probe_stream.c, probe_dgram.c,
 * probe_uring.c and probe_link.c.
 */
#include "probe.h"
#include "probe_stream.h"

#include <linux/capability.h>

#define PIPE_CHUNK  61440
#define MMSG_CHUNK  (8 * DATAGRAM_BYTES)
#define GSO_CHUNK   (40 * DATAGRAM_BYTES)
#define FRAGMENTED  8000
#define FRAME_BYTES 1400

/* A TCP way that differs from "send" in its step alone. */
#define TCP(name, what, step)                                       \
	{                                                           \
		name, what, connect_tcp, step, finish_stream, NULL, \
			STREAM_CHUNK, -1                            \
	}
#define STREAM(name, what, connect, step)                                     \
	{                                                                     \
		name, what, connect, step, finish_stream, NULL, STREAM_CHUNK, \
			-1                                                    \
	}
#define DATASET(name, what, run)                                   \
	{                                                          \
		name, what, connect_tcp, NULL, finish_stream, run, \
			STREAM_CHUNK, -1                           \
	}
#define DATAGRAM(name, what, connect, step, chunk, cap)           \
	{                                                         \
		name, what, connect, step, NULL, NULL, chunk, cap \
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
	{"splice", "splice(2) from a pipe", connect_tcp, step_splice,
	 finish_stream, NULL, PIPE_CHUNK, -1},
	{"vmsplice", "vmsplice(2) to a pipe, splice(2) from it", connect_tcp,
	 step_vmsplice, finish_stream, NULL, PIPE_CHUNK, -1},
	DATASET("splice-dataset", "splice(2) from the dataset's file",
		run_splice_dataset),
	STREAM("fastopen", "MSG_FASTOPEN, data in the SYN", connect_fastopen,
	       step_fastopen),
	{"ktls", "send(2) with kernel TLS", connect_tls, step_tls,
	 finish_stream, NULL, 16384, -1},
	STREAM("accepted", "write(2) to a connection that the sink opened",
	       connect_accepted, step_write),
	STREAM("mptcp", "send(2) on an MPTCP socket", connect_mptcp, step_send),
	STREAM("partial", "non-blocking sends into a full buffer",
	       connect_partial, step_partial),
	STREAM("v6", "send(2) over IPv6", connect_tcp6, step_send),
	STREAM("v4mapped", "send(2), IPv6 socket to an IPv4 address",
	       connect_mapped, step_send),
	TCP("uring-send", "io_uring SEND", step_uring_send),
	TCP("uring-sendmsg", "io_uring SENDMSG", step_uring_sendmsg),
	TCP("uring-sendzc", "io_uring SEND_ZC", step_uring_sendzc),
	TCP("uring-write", "io_uring WRITE", step_uring_write),
	TCP("uring-splice", "io_uring SPLICE from a pipe", step_uring_splice),
	TCP("uring-sqpoll-send", "io_uring SEND by the polling thread",
	    step_uring_sqpoll),
	STREAM("vsock", "send(2) on a vsock", connect_vsock, step_send),
	{"sctp", "send(2) on an SCTP socket", connect_sctp, step_send,
	 finish_sctp, NULL, STREAM_CHUNK, -1},
	{"dccp", "send(2) on a DCCP socket", connect_dccp, step_datagram,
	 finish_stream, NULL, 1000, -1},
	STREAM("smc", "send(2) on an SMC socket", connect_smc, step_send),

	DATAGRAM("udp-send", "send(2) on a connected UDP socket", connect_udp,
		 step_datagram, DATAGRAM_BYTES, -1),
	DATAGRAM("udp-write", "write(2) on a connected UDP socket", connect_udp,
		 step_udp_write, DATAGRAM_BYTES, -1),
	DATAGRAM("udp-uring", "io_uring SEND on a UDP socket", connect_udp,
		 step_uring_send, DATAGRAM_BYTES, -1),
	DATAGRAM("udp-sendfile", "sendfile(2) from a memfd to a UDP socket",
		 connect_udp, step_sendfile, DATAGRAM_BYTES, -1),
	DATAGRAM("udp-sendto", "sendto(2) with an address", connect_udp_unbound,
		 step_udp_sendto, DATAGRAM_BYTES, -1),
	DATAGRAM("udp-sendmmsg", "sendmmsg(2), eight to one address",
		 connect_udp_unbound, step_udp_sendmmsg, MMSG_CHUNK, -1),
	DATAGRAM("udp-cork", "two sends, one datagram (UDP_CORK)", connect_udp,
		 step_udp_cork, DATAGRAM_BYTES, -1),
	DATAGRAM("udp-gso", "one send, forty datagrams (UDP_SEGMENT)",
		 connect_udp, step_udp_gso, GSO_CHUNK, -1),
	DATAGRAM("udp-frag", "datagrams that IP has to cut", connect_udp,
		 step_datagram, FRAGMENTED, -1),
	DATAGRAM("udp6", "send(2) over IPv6", connect_udp6, step_datagram,
		 DATAGRAM_BYTES, -1),
	DATAGRAM("udplite", "send(2) on a UDP-Lite socket", connect_udplite,
		 step_datagram, DATAGRAM_BYTES, -1),
	DATAGRAM("icmp", "echo requests from a ping socket", connect_icmp,
		 step_icmp, DATAGRAM_BYTES, -1),
	DATAGRAM("icmp-raw", "echo requests from a raw socket",
		 connect_icmp_raw, step_icmp, DATAGRAM_BYTES, CAP_NET_RAW),
	DATAGRAM("raw", "a raw socket, IP protocol 253", connect_raw,
		 step_datagram, DATAGRAM_BYTES, CAP_NET_RAW),
	DATAGRAM("raw-hdrincl", "a raw socket with its own IP header",
		 connect_raw_hdrincl, step_raw_hdrincl, DATAGRAM_BYTES,
		 CAP_NET_RAW),

	DATAGRAM("packet", "a packet socket, frames without header",
		 connect_packet, step_packet, FRAME_BYTES, CAP_NET_RAW),
	DATAGRAM("packet-raw", "a packet socket, whole UDP packets in frames",
		 connect_packet_raw, step_packet_raw, FRAME_BYTES, CAP_NET_RAW),
	DATAGRAM("packet-ring", "a packet socket's transmit ring",
		 connect_packet_ring, step_packet_ring, FRAME_BYTES,
		 CAP_NET_RAW),
	DATAGRAM("packet-qdisc-bypass", "a packet socket past the queues",
		 connect_packet_bypass, step_packet_bypass, FRAME_BYTES,
		 CAP_NET_RAW),
	DATAGRAM("xdp", "an AF_XDP socket's transmit ring", connect_xdp,
		 step_xdp, FRAME_BYTES, CAP_NET_RAW),
	DATAGRAM("tun", "whole UDP packets written to a TUN device",
		 connect_tun, step_tun, FRAME_BYTES, CAP_NET_ADMIN),
	{0},
};
