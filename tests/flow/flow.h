/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * flow: random programs of processes that read protected records, hand them on
 * and send them out, and what is compared with what the guard counted.
 *
 * Every message says in its header which chunks of which records it stands
 * for, and through which origin they came, however few bytes it has: that is
 * the truth, which a process keeps of itself and hands on in band. It does not
 * depend on what the guard does.
 *
 * flow_plan.c makes a program from a seed, flow_work.c is a process of one,
 * flow_carry.c what messages go through, flow_sink.c receives what is sent
 * out, flow_guard.c asks the guard, flow.c runs all of it and compares.
 */
#ifndef CORDON_TESTS_FLOW_H
#define CORDON_TESTS_FLOW_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

enum {
	SETS = 2,	  /* datasets: photos, roster */
	CHUNKS = 64,	  /* of each set */
	PHOTO_CHUNKS = 4, /* of one photo */
	CHUNK_BYTES = 1024,
	ROW_BYTES = 160,
	ORIGINS = 6, /* sessions in a program */
	LOGINS = 3,
	PROCS = 12,
	CARRIERS = 8,
	STEPS = 64,
	MESSAGE_BYTES = 3600, /* less than a pipe or a terminal takes at once */
	PORT = 9700,
};

/* The budgets of tests/kernel/86-flow.sh. */
#define BUDGET_RECORDS 4
#define BUDGET_BYTES   6000

enum set { PHOTOS, ROSTER };

/* Sets of chunks: bit i is chunk i. Photo i has chunks 4 i to 4 i + 3. */
typedef uint64_t truth_t[ORIGINS][SETS];

/* How the chunks of a message are told. */
enum how_told {
	PLAIN,	/* as they are */
	PACKED, /* compressed */
	SEALED, /* by their numbers: the receiver knows the rest */
	TOLD,
};

struct message {
	char magic[8];
	uint32_t program;
	uint16_t len; /* with this header */
	uint16_t body;
	uint8_t told;
	uint8_t login; /* of who made it */
	uint8_t holds; /* bit for each set that who made it has some of */
	uint8_t chunks;
	uint32_t pad;
	truth_t has;
	uint8_t data[];
};

#define MESSAGE_MAGIC "FLOWMSG"

/* ---- programs ---------------------------------------------------------- */

enum op {
	OP_READ,    /* a: set, b: first chunk, c: how many, how: channel */
	OP_GIVE,    /* a: carrier, how: enum how_told */
	OP_FILE,    /* a: carrier, b: photo: straight from the file */
	OP_TAKE,    /* a: carrier */
	OP_PASS,    /* a, b: carriers; how: 1 copies */
	OP_RELEASE, /* a: enum how_told, how: way */
	OP_FORK,    /* a: child, b: carrier of anonymous memory + 1 */
	OP_EXEC,
	OP_LOGIN, /* a: origin */
	OP_EXIT,
	OP_PUT,	 /* a: process, into whose memory, how: enum how_told */
	OP_LOOK, /* what others put into its memory */
	OP_GET,	 /* a: process, out of whose memory */
	OPS,
};

struct flow_step {
	uint8_t op;
	uint8_t who;
	uint8_t a;
	uint8_t b;
	uint8_t c;
	uint8_t how;
	uint8_t thread; /* done by a thread that is not the first */
	uint8_t pad;
};

struct plan {
	uint64_t seed;
	uint32_t procs;
	uint32_t born; /* of them made by the coordinator, the rest forked */
	uint32_t carriers;
	uint32_t steps;
	uint8_t type[CARRIERS]; /* index of carrier_types */
	uint8_t origin[PROCS];	/* of who is made by the coordinator */
	uint8_t login[ORIGINS]; /* of each origin */
	struct flow_step step[STEPS];
};

void plan_make(struct plan *plan, uint64_t seed);
void plan_print_step(const struct plan *plan, uint32_t i);

/* Names in the tables of the probe that are tried, by index. */
extern const char *const read_names[];
extern const char *const way_names[];
extern const unsigned int reads_count, ways_count;

uint32_t flow_random(uint64_t *state, uint32_t below);

/* ---- carriers ---------------------------------------------------------- */

enum carrier_kind { KIND_HOP, KIND_REGION, KIND_SYSV, KIND_ANON, KIND_QUEUE };

struct carrier_type {
	const char *name;
	enum carrier_kind kind;
	int room; /* messages that it keeps */
	bool pipe;
	bool stream; /* takes a message in pieces */
};

extern const struct carrier_type carrier_types[];
extern const unsigned int carrier_type_count;

/* One of a program, at the same descriptors in every process. */
struct flow_carrier {
	uint32_t type;
	int take; /* descriptors, or the number of a segment or a queue */
	int give;
};

int carrier_make(struct flow_carrier *c, unsigned int number);
void carrier_end(struct flow_carrier *c);
/* Whole messages: MESSAGE_BYTES, or -errno. @number is the carrier's. */
ssize_t carrier_give(const struct flow_carrier *c, unsigned int number,
		     const uint8_t *message);
ssize_t carrier_take(const struct flow_carrier *c, unsigned int number,
		     uint8_t *message);
/* A message from one to another, which nobody has in memory. */
ssize_t carrier_pass(const struct flow_carrier *from,
		     const struct flow_carrier *to, bool copy);
/* Maps the anonymous memory of that carrier, for children to come. */
int carrier_share(unsigned int number);

/* ---- processes --------------------------------------------------------- */

/* Where everybody finds them. */
enum {
	FD_WORLD = 199,
	FD_COMMAND = 200, /* two for each process */
	FD_CARRIER = 230,
	FD_REPORT = 260, /* REPORT_WORDS for each process */
};

struct world {
	uint32_t program;
	uint32_t dry; /* nobody listens: ways are not tried */
	struct flow_carrier carrier[CARRIERS];
};

struct command {
	struct flow_step step;
	uint32_t serial;
	uint32_t login; /* the user's number of OP_LOGIN */
	pid_t other;
	uint8_t login_index;
	bool waits; /* for a carrier that is empty still */
	uint8_t pad[2];
};

/*
 * What a process says when it has done a step. By eventfds, which the guard
 * does not take for carriers: by anything else the coordinator, and all that it
 * forks then, would hold what is told of.
 */
enum report_word {
	REPORT_DONE,  /* serial << 32 | result; the last to be written */
	REPORT_FLAWS, /* messages that were not what they said */
	REPORT_TRUTH, /* see truth_t; bit 63 is never set */
	REPORT_WORDS = REPORT_TRUTH + ORIGINS * SETS,
};

#define REPORT_AGAIN 1 /* the serial after an exec */

_Noreturn void work(unsigned int who, unsigned int origin, unsigned int login);
/* After an exec: what argv says. */
_Noreturn void work_again(char **argv);

unsigned int chunk_bytes(enum set set);

/* A session of its own, as pam_loginuid makes it. 0 or -errno. */
int login_as(unsigned int user);

/* ---- receiver ---------------------------------------------------------- */

struct arrivals {
	uint64_t has[LOGINS][SETS];
	uint64_t bytes[LOGINS][SETS]; /* of messages of who held of the set */
	uint32_t messages;
	uint32_t flaws;
};

/* Starts it in that network namespace. 0 or -errno. */
int sink_begin(const char *netns);
void sink_end(void);
/* What has come of the program; forgets what came before. */
int sink_reset(uint32_t program);
int sink_ask(struct arrivals *ret);

/* ---- the guard --------------------------------------------------------- */

struct counted {
	uint64_t records[ORIGINS][SETS];
	uint64_t bytes[ORIGINS][SETS];
	uint64_t folded_records[SETS]; /* of origins that are not told apart */
	uint64_t folded_bytes[SETS];
};

/* 0; 1 if no guard is pinned; or -errno. */
int guard_find(void);
/* A program begins: its origins come from here on. */
void guard_mark(void);
/* What it says that the process holds. @sessions: of the origins, 0: none. */
int guard_holding(pid_t pid, const uint32_t sessions[ORIGINS],
		  struct counted *ret);
/* What was charged for releases of that user: records of photos, bytes. */
int guard_charged(uint32_t login, uint64_t ret[SETS]);
/* What the ledger says left, of these origins. */
int guard_released(const uint32_t sessions[ORIGINS], uint64_t ret_bytes[SETS]);
#endif
