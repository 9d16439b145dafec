/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * probe: reads protected files through one channel and releases what it read
 * through one way out. One struct probe is the whole state of a run.
 *
 * Functions return 0 (or a count, or a descriptor) or -errno. What this
 * kernel or this user cannot do at all is reported by probe_missing(), which
 * makes the run "not attempted" instead of failed.
 */
#ifndef CORDON_TESTS_PROBE_H
#define CORDON_TESTS_PROBE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* The largest piece handed to one system call, unless --chunk says less. */
#define STREAM_CHUNK   65536
#define DATAGRAM_BYTES 1400
#define READ_CHUNK     65536
#define MANY	       8 /* messages of one sendmmsg(2) */

/* Exit codes, tests' house style. */
enum {
	PROBE_ALLOWED = 0,
	PROBE_REFUSED = 1, /* EPERM or EACCES somewhere */
	PROBE_NOT_ATTEMPTED = 2,
	PROBE_OTHER_ERROR = 3,
};

struct bytes {
	uint8_t *p;
	size_t len;
	size_t cap;
};

struct span {
	off_t off;
	size_t len;
};

struct probe;

/* How a descriptor of the file is come by. */
struct opener {
	const char *name;
	const char *what;
	/* A readable descriptor or -errno; the caller closes it. */
	int (*open)(struct probe *p, const char *path);
	int cap; /* capability that it needs, or -1 */
};

/* How the bytes get from the descriptor into the process. */
struct channel {
	const char *name;
	const char *what;
	/* Takes span's bytes by probe_take() or probe_count(). */
	int (*read)(struct probe *p, int fd, struct span span);
	const char *kind; /* in the list; NULL is "read" */
};

/* How bytes leave. */
struct way {
	const char *name;
	const char *what;
	/* A socket or device, ready to send; the caller closes it. */
	int (*connect)(struct probe *p);
	/* Sends some of n bytes: how many, or -errno. */
	ssize_t (*step)(struct probe *p, int fd, const uint8_t *data, size_t n);
	/* Waits until what was sent is gone. Optional. */
	int (*finish)(struct probe *p, int fd);
	/* Replaces the loop over step: releases straight from the files. */
	int (*run)(struct probe *p, int fd);
	size_t chunk;	  /* most bytes that step gets at once */
	int cap;	  /* capability that it needs, or -1 */
	const char *kind; /* in the list; NULL is "release" */
};

/* Which task reads and which one releases. */
struct life {
	const char *name;
	const char *what;
	int (*run)(struct probe *p);
};

enum hop_flags {
	HOP_LATE = 1,	/* taken when the giver has ended */
	HOP_RELAY = 2,	/* by a third process */
	HOP_MEMORY = 8, /* a take that returns nothing is not the end */
	HOP_TEE = 4,	/* which copies what it does not take */
	HOP_KEPT = 16,	/* which splices it to a file */
};

/* How bytes get from the process that reads to the one that releases. */
struct hop {
	const char *name;
	const char *what;
	/* The taker's end and the giver's; 0 or -errno. */
	int (*make)(struct probe *p, int ends[2]);
	/* Gives some of n bytes, takes up to n; how many, or -errno. */
	ssize_t (*give)(struct probe *p, int fd, const uint8_t *d, size_t n);
	ssize_t (*take)(struct probe *p, int fd, uint8_t *d, size_t n);
	int flags;
	/* In place of reading and giving, for probe_each_file(). */
	int (*give_file)(struct probe *p, int fd, struct span span, void *arg);
};

struct probe {
	/* What was asked for. */
	const struct opener *open;
	const struct channel *read;
	const struct way *way;
	const struct life *life;
	const struct hop *hop;
	char **files;
	size_t nfiles;
	const char *work;  /* directory outside every dataset */
	const char *alias; /* directory with names made beforehand */
	const char *dev;   /* network interface, or NULL: by route */
	const char *to;
	const char *to6;
	uint16_t port;
	uint32_t cid;
	size_t send_bytes;
	bool send_bytes_set;
	size_t chunk;
	off_t offset;
	size_t length;
	size_t read_chunk;
	unsigned int wait_ms; /* how long to wait for the receiver */
	bool cold;
	bool sock_first;
	bool persist; /* go on sending after a refusal */
	bool shrink;  /* try again with half the chunk after a refusal */
	size_t repeat;
	unsigned int hold_ms;  /* between reading and releasing */
	const char *hold_file; /* made then; goes on when it is removed */
	const char *move_cgroup;
	const char *move_netns;
	int move_uid; /* or -1 */
	bool no_knock;
	int uid; /* or -1 */
	bool keep_caps;
	unsigned int timeout_s;
	unsigned long givers; /* of a hop, each with its part of the files */
	int giver_uid;	      /* or -1 */
	unsigned long rounds; /* that giver and taker go before */
	unsigned long
		pause_ms; /* once the giver has ended, if that is awaited */
	bool apart;	  /* a carrier for each giver */
	bool squeeze;	  /* by runs of the same byte, on the way */
	char **argv;

	/* What the run holds. */
	struct bytes data;
	int sock;
	int *fds; /* descriptors handed down by "inherited" */
	size_t nfds;
	const char *as; /* name to report in place of read's */
	bool moved;
	pid_t giver; /* of a hop */
	int stage;   /* of a life with several tasks */

	/* What it found. */
	uint64_t read_bytes;
	uint64_t records;
	uint64_t sent_bytes;
	uint64_t wire_bytes; /* framing of ours on top of sent_bytes */
	uint64_t full;	     /* sends that found the buffer full */
	int errno_open;
	int errno_read;
	int errno_send;
	const char *missing;
	const char *note;
};

extern const struct opener openers[];
extern const struct channel channels[];
extern const struct way ways[];
extern const struct life lives[];
extern const struct hop hops[];
extern const struct hop files[]; /* by way of a file */
extern const struct hop named[]; /* by what it is called */

/* probe_serve.c */

/* Answers lines of standard input until its end. The exit code. */
int probe_serve(void);
/* words: first login, how many, files. The exit code. */
int probe_crowd(char **words);

/* probe.c */

/* The whole program. The exit code. */
int probe_command(int argc, char **argv);
/* One run: parses, acts, prints the line of JSON. The exit code. */
int probe_main(int argc, char **argv);

/* Notes what is missing and returns -EOPNOTSUPP. what must stay valid. */
int probe_missing(struct probe *p, const char *what);
/* Appends bytes that were read. 0 or -ENOMEM. */
int probe_take(struct probe *p, const void *src, size_t n);
/* Room for n more bytes at the end of data, or NULL. See probe_took(). */
uint8_t *probe_room(struct probe *p, size_t n);
void probe_took(struct probe *p, size_t n);
/* Counts bytes that were read but are not in this process's memory. */
void probe_count(struct probe *p, size_t n);
/* Prints the line of JSON and returns the exit code. */
int probe_report(const struct probe *p);
/* True when the effective set has this capability. */
bool probe_has_cap(int cap);

/* probe_life.c */

/* The stages of a run. Errors are kept in p, not returned. */
void stage_connect(struct probe *p);
void stage_read(struct probe *p);
void stage_send(struct probe *p);
/* Exactly --bytes N: the data, again and again if there are fewer. */
int stage_cut(struct probe *p);
/* Opens and walks each file: used by ways that need no memory. */
int probe_each_file(struct probe *p,
		    int (*act)(struct probe *p, int fd, struct span span,
			       void *arg),
		    void *arg);
/* Continues behind an exec; code is what the old image passed on. */
int life_resume(struct probe *p, const char *code);
/*
 * Opens the files, then executes the probe again in a child to read them, and
 * exits with the child's code. Comes back with -errno only.
 */
int life_inherited(struct probe *p);

/* probe_hop.c */

/* A run with --hop. The exit code. */
int probe_hop(struct probe *p);
int probe_hop_crowd(const char *count, const char *file);
/* As hops have them. */
ssize_t give_write(struct probe *p, int fd, const uint8_t *d, size_t n);
ssize_t take_read(struct probe *p, int fd, uint8_t *d, size_t n);
ssize_t give_writev(struct probe *p, int fd, const uint8_t *d, size_t n);
ssize_t take_readv(struct probe *p, int fd, uint8_t *d, size_t n);
ssize_t take_splice(struct probe *p, int fd, uint8_t *d, size_t n);
int give_sendfile(struct probe *p, int fd, struct span span, void *arg);
int make_pipe(struct probe *p, int ends[2]);
/* The other way to an end: a descriptor of somebody else's. */
int hop_reopen(int fd, int flags);

/* probe_object.c: hops by keys, semaphores, signals and the like. */
void end_semaphores(void);
int make_key(struct probe *p, int ends[2]);
int make_new_key(struct probe *p, int ends[2]);
int make_semaphores(struct probe *p, int ends[2]);
int make_few_semaphores(struct probe *p, int ends[2]);
int make_signals(struct probe *p, int ends[2]);
int make_userfault(struct probe *p, int ends[2]);
int make_listener(struct probe *p, int ends[2]);
ssize_t give_key(struct probe *p, int fd, const uint8_t *d, size_t n);
ssize_t give_new_key(struct probe *p, int fd, const uint8_t *d, size_t n);
ssize_t give_semctl(struct probe *p, int fd, const uint8_t *d, size_t n);
ssize_t give_semop(struct probe *p, int fd, const uint8_t *d, size_t n);
ssize_t give_signal(struct probe *p, int fd, const uint8_t *d, size_t n);
ssize_t give_userfault(struct probe *p, int fd, const uint8_t *d, size_t n);
ssize_t give_call(struct probe *p, int fd, const uint8_t *d, size_t n);
ssize_t take_key(struct probe *p, int fd, uint8_t *d, size_t n);
ssize_t take_new_key(struct probe *p, int fd, uint8_t *d, size_t n);
ssize_t take_semaphores(struct probe *p, int fd, uint8_t *d, size_t n);
ssize_t take_signal(struct probe *p, int fd, uint8_t *d, size_t n);
ssize_t take_userfault(struct probe *p, int fd, uint8_t *d, size_t n);
ssize_t take_call(struct probe *p, int fd, uint8_t *d, size_t n);

/* probe_kernel.c: channels past the file, through the kernel. */
int read_blockdev(struct probe *p, int fd, struct span span);
int read_loop_device(struct probe *p, int fd, struct span span);
int read_dedupe(struct probe *p, int fd, struct span span);
int read_kcore(struct probe *p, int fd, struct span span);

/* probe_move.c: contents that change their place or their file. */
int read_collapse(struct probe *p, int fd, struct span span);
int read_uring_collapse(struct probe *p, int fd, struct span span);
int read_insert(struct probe *p, int fd, struct span span);
int read_swapext(struct probe *p, int fd, struct span span);
int read_dedupe_into(struct probe *p, int fd, struct span span);

/* probe_open.c */

/* A hop by messages from one io_uring to another: see struct hop. */
int make_messages(struct probe *p, int ends[2]);
ssize_t give_message(struct probe *p, int fd, const uint8_t *d, size_t n);
int make_sync_messages(struct probe *p, int ends[2]);
ssize_t give_sync_message(struct probe *p, int fd, const uint8_t *d, size_t n);
ssize_t take_message(struct probe *p, int fd, uint8_t *d, size_t n);

/* An unlinked temporary file in the work directory, read and write. */
int work_file(struct probe *p);

/* probe_uring.c: read channels and ways out over io_uring. */
int read_uring(struct probe *p, int fd, struct span span);
int read_uring_readv(struct probe *p, int fd, struct span span);
int read_uring_fixed(struct probe *p, int fd, struct span span);
int read_uring_sqpoll(struct probe *p, int fd, struct span span);
int read_uring_linked(struct probe *p, int fd, struct span span);
int read_uring_async(struct probe *p, int fd, struct span span);
int read_uring_large(struct probe *p, int fd, struct span span);
int read_uring_direct(struct probe *p, int fd, struct span span);
int open_by_uring(struct probe *p, const char *path);
ssize_t step_uring_send(struct probe *p, int fd, const uint8_t *d, size_t n);
ssize_t step_uring_sendmsg(struct probe *p, int fd, const uint8_t *d, size_t n);
ssize_t step_uring_sendzc(struct probe *p, int fd, const uint8_t *d, size_t n);
ssize_t step_uring_sendmsg_zc(struct probe *p, int fd, const uint8_t *d,
			      size_t n);
ssize_t step_uring_write(struct probe *p, int fd, const uint8_t *d, size_t n);
ssize_t step_uring_splice(struct probe *p, int fd, const uint8_t *d, size_t n);
ssize_t step_uring_sqpoll(struct probe *p, int fd, const uint8_t *d, size_t n);

/* probe_dgram.c: UDP, ICMP, raw. */
int connect_udp(struct probe *p);
int connect_udp6(struct probe *p);
int connect_udp_mapped(struct probe *p);
int connect_icmp6(struct probe *p);
int connect_raw6(struct probe *p);
int connect_raw_unbound(struct probe *p);
int connect_udplite(struct probe *p);
int connect_udp_unbound(struct probe *p);
int connect_icmp(struct probe *p);
int connect_icmp_raw(struct probe *p);
int connect_raw(struct probe *p);
int connect_raw_hdrincl(struct probe *p);
ssize_t step_udp_sendto(struct probe *p, int fd, const uint8_t *d, size_t n);
ssize_t step_udp_sendmmsg(struct probe *p, int fd, const uint8_t *d, size_t n);
ssize_t step_raw_sendmmsg(struct probe *p, int fd, const uint8_t *d, size_t n);
ssize_t step_udp_cork(struct probe *p, int fd, const uint8_t *d, size_t n);
ssize_t step_udp_cork_mixed(struct probe *p, int fd, const uint8_t *d,
			    size_t n);
ssize_t step_udp_gso(struct probe *p, int fd, const uint8_t *d, size_t n);
ssize_t step_icmp(struct probe *p, int fd, const uint8_t *d, size_t n);
ssize_t step_icmp6(struct probe *p, int fd, const uint8_t *d, size_t n);
ssize_t step_raw_hdrincl(struct probe *p, int fd, const uint8_t *d, size_t n);
ssize_t step_udp_write(struct probe *p, int fd, const uint8_t *d, size_t n);
ssize_t step_datagram(struct probe *p, int fd, const uint8_t *d, size_t n);

/* probe_covert.c: in headers, with no payload at all. */
int connect_covert_syn(struct probe *p);
ssize_t step_covert_udp(struct probe *p, int fd, const uint8_t *d, size_t n);
ssize_t step_covert_icmp(struct probe *p, int fd, const uint8_t *d, size_t n);
ssize_t step_covert_syn(struct probe *p, int fd, const uint8_t *d, size_t n);

/* probe_option.c: without a send. */
int connect_option(struct probe *p);
int connect_option6(struct probe *p);
int connect_group(struct probe *p);
ssize_t step_option_v4(struct probe *p, int fd, const uint8_t *d, size_t n);
ssize_t step_option_rthdr(struct probe *p, int fd, const uint8_t *d, size_t n);
int connect_option_sctp(struct probe *p);
ssize_t step_option_source(struct probe *p, int fd, const uint8_t *d, size_t n);
ssize_t step_option_group6(struct probe *p, int fd, const uint8_t *d, size_t n);
ssize_t step_option_key(struct probe *p, int fd, const uint8_t *d, size_t n);
ssize_t step_option_filter(struct probe *p, int fd, const uint8_t *d, size_t n);
ssize_t step_option_bindx(struct probe *p, int fd, const uint8_t *d, size_t n);
ssize_t step_connect_source(struct probe *p, int fd, const uint8_t *d,
			    size_t n);
ssize_t step_request_key(struct probe *p, int fd, const uint8_t *d, size_t n);

/* probe_link.c: below IP. */
int connect_packet(struct probe *p);
int connect_packet_raw(struct probe *p);
int connect_packet_ring(struct probe *p);
int connect_packet_bypass(struct probe *p);
int connect_xdp(struct probe *p);
int connect_tun(struct probe *p);
ssize_t step_packet(struct probe *p, int fd, const uint8_t *d, size_t n);
ssize_t step_packet_sendmmsg(struct probe *p, int fd, const uint8_t *d,
			     size_t n);
ssize_t step_packet_raw(struct probe *p, int fd, const uint8_t *d, size_t n);
ssize_t step_packet_bypass(struct probe *p, int fd, const uint8_t *d, size_t n);
ssize_t step_packet_ring(struct probe *p, int fd, const uint8_t *d, size_t n);
ssize_t step_xdp(struct probe *p, int fd, const uint8_t *d, size_t n);
ssize_t step_tun(struct probe *p, int fd, const uint8_t *d, size_t n);

/* probe_net.c: addresses and sockets for all ways. */
struct sockaddr_storage;
struct iovec;
/* The address of --to, or with want6 of --to6, and port. Length or -errno. */
int net_address(struct probe *p, bool want6, uint16_t port,
		struct sockaddr_storage *ret);
/* socket(2) with close-on-exec and a send timeout; maps "no such protocol". */
int net_socket(struct probe *p, int family, int type, int protocol,
	       const char *missing);
/* Whether one of the events, or an error, comes in time, signals or not. */
bool net_wait(int fd, short events, unsigned int ms);
/* connect(2), waiting where it was interrupted. 0 or -errno. */
int net_connect(int fd, const struct sockaddr_storage *to, int len);
/* sendmmsg(2) to one address: how many of the pieces went, or -errno. */
int net_send_many(int fd, const void *to, unsigned int to_len,
		  struct iovec *pieces, unsigned int count);
/* --to as an IPv4-mapped IPv6 address. Length or -errno. */
int net_mapped(struct probe *p, uint16_t port, struct sockaddr_storage *ret);
/* Our own address and interface towards --to. 0 or -errno. */
int net_route(struct probe *p, uint32_t *ret_addr, int *ret_ifindex);
/*
 * Pauses now and then: nothing else slows a sender of datagrams, and a full
 * backlog drops them in silence.
 */
void net_pace(unsigned int datagrams);

#endif
