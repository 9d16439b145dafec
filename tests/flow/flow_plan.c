// SPDX-License-Identifier: GPL-2.0-only
/*
 * Programs out of seeds. Who makes one guesses which steps will do something;
 * what a step then finds does not matter: it goes on with what it has.
 */
#include "flow.h"

#include <stdio.h>
#include <string.h>

const char *const read_names[] = {
	"read",		"pread",	 "readv",	  "preadv2",
	"mmap-private", "mmap-shared",	 "mmap-populate", "sendfile-memfd",
	"splice",	"sendfile-pipe", "splice-tee",	  "sendfile-file",
	"aio",		"uring-read",	 "uring-readv",	  "copy_file_range",
	"uring-fixed",	"uring-async",	 "read-ia32",	  "thread",
};
const unsigned int reads_count = sizeof(read_names) / sizeof(*read_names);

const char *const way_names[] = {
	"write",	"writev",	"send",	    "sendmsg",
	"sendmmsg",	"zerocopy",	"sendfile", "splice",
	"vmsplice",	"fastopen",	"v6",	    "uring-send",
	"uring-write",	"uring-splice", "udp-send", "udp-sendto",
	"udp-cork",	"udp-frag",	"udp6",	    "udp-write",
	"udp-sendmmsg",
};
const unsigned int ways_count = sizeof(way_names) / sizeof(*way_names);

uint32_t flow_random(uint64_t *state, uint32_t below)
{
	uint64_t z = *state += 0x9e3779b97f4a7c15ULL;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9ULL;
	z = (z ^ z >> 27) * 0x94d049bb133111ebULL;
	z ^= z >> 31;
	return below ? (uint32_t)(z % below) : 0;
}

/* What who makes a program thinks of it so far. */
struct sketch {
	struct plan *plan;
	uint64_t random;
	uint32_t known; /* processes that are there already */
	uint32_t gone;	/* bit for each that has ended */
	int queued[CARRIERS];
	uint32_t origins;
	uint32_t sets; /* which of them are read */
	uint32_t few;  /* of the records, so that budgets are not always over */
};

static uint32_t pick(struct sketch *s, uint32_t below)
{
	return flow_random(&s->random, below);
}

static uint8_t somebody(struct sketch *s)
{
	uint32_t who = pick(s, s->known);

	for (uint32_t i = 0; i < s->known && s->gone >> who & 1; i++)
		who = (who + 1) % s->known;
	return (uint8_t)who;
}

static void choose_read(struct sketch *s, struct flow_step *step)
{
	step->a = (uint8_t)(s->sets == 3 ? pick(s, SETS) : s->sets - 1);
	step->c = (uint8_t)(1 + pick(s, PHOTO_CHUNKS));
	step->b = (uint8_t)pick(s, s->few ? 12 : CHUNKS - PHOTO_CHUNKS);
	step->how = (uint8_t)pick(s, reads_count);
}

/* One that takes a message in pieces, if there is one. */
static uint8_t some_stream(struct sketch *s)
{
	uint32_t c = pick(s, s->plan->carriers);

	for (uint32_t i = 0; i < s->plan->carriers; i++) {
		if (carrier_types[s->plan->type[c]].stream)
			break;
		c = (c + 1) % s->plan->carriers;
	}
	return (uint8_t)c;
}

static void choose_give(struct sketch *s, struct flow_step *step)
{
	step->a = (uint8_t)pick(s, s->plan->carriers);
	step->how = (uint8_t)pick(s, TOLD);
	if (step->op == OP_FILE) {
		step->a = some_stream(s);
		step->b = (uint8_t)pick(s, CHUNKS / PHOTO_CHUNKS);
	}
	s->queued[step->a]++;
}

/* From a pipe in which something is to something else, if there are such. */
static void choose_pass(struct sketch *s, struct flow_step *step)
{
	uint32_t c = pick(s, s->plan->carriers);

	for (uint32_t i = 0; i < s->plan->carriers; i++) {
		if (carrier_types[s->plan->type[c]].pipe && s->queued[c])
			break;
		c = (c + 1) % s->plan->carriers;
	}
	step->a = (uint8_t)c;
	step->b = some_stream(s);
	step->how = (uint8_t)(carrier_types[s->plan->type[step->b]].pipe &&
			      pick(s, 2));
	s->queued[step->a] -= !step->how && s->queued[step->a];
	s->queued[step->b]++;
}

/* From one in which something is, if there is one. */
static uint8_t some_full(struct sketch *s)
{
	uint32_t c = pick(s, s->plan->carriers);

	for (uint32_t i = 0; i < s->plan->carriers && !s->queued[c]; i++)
		c = (c + 1) % s->plan->carriers;
	if (s->queued[c])
		s->queued[c]--;
	return (uint8_t)c;
}

static void choose_fork(struct sketch *s, struct flow_step *step)
{
	if (s->known == s->plan->procs) {
		step->op = OP_EXEC;
		return;
	}
	step->a = (uint8_t)s->known++;
	step->b = (uint8_t)pick(s, s->plan->carriers + 1);
}

static void choose_login(struct sketch *s, struct flow_step *step)
{
	if (s->origins == ORIGINS) {
		step->op = OP_EXEC;
		return;
	}
	step->a = (uint8_t)s->origins;
	s->plan->login[s->origins++] = (uint8_t)pick(s, LOGINS);
}

/* How often each, of a hundred. */
static enum op choose_op(struct sketch *s)
{
	static const uint8_t often[OPS] = {
		[OP_READ] = 16, [OP_GIVE] = 24,	  [OP_FILE] = 4, [OP_TAKE] = 26,
		[OP_PASS] = 4,	[OP_RELEASE] = 8, [OP_FORK] = 5, [OP_EXEC] = 3,
		[OP_LOGIN] = 2, [OP_EXIT] = 2,	  [OP_PUT] = 2,	 [OP_LOOK] = 2,
		[OP_GET] = 2,
	};
	uint32_t at = pick(s, 100);

	for (int op = 0; op < OPS; op++) {
		if (at < often[op])
			return (enum op)op;
		at -= often[op];
	}
	return OP_READ;
}

static void choose_step(struct sketch *s, struct flow_step *step)
{
	step->op = (uint8_t)choose_op(s);
	step->who = somebody(s);
	step->thread = pick(s, 6) == 0;
	switch (step->op) {
	case OP_READ:
		choose_read(s, step);
		break;
	case OP_GIVE:
	case OP_FILE:
		choose_give(s, step);
		break;
	case OP_TAKE:
		step->a = some_full(s);
		break;
	case OP_PASS:
		choose_pass(s, step);
		break;
	case OP_RELEASE:
		step->a = (uint8_t)pick(s, TOLD);
		step->how = (uint8_t)pick(s, ways_count);
		break;
	case OP_FORK:
		choose_fork(s, step);
		break;
	case OP_LOGIN:
		choose_login(s, step);
		break;
	case OP_EXIT:
		s->gone |= 1U << step->who;
		break;
	case OP_PUT:
	case OP_GET:
		step->a = somebody(s);
		step->how = (uint8_t)pick(s, TOLD);
		break;
	}
}

/* The last steps try to send out what there is. */
static void choose_end(struct sketch *s, struct flow_step *step)
{
	step->op = OP_RELEASE;
	step->who = somebody(s);
	step->a = (uint8_t)pick(s, TOLD);
	step->how = (uint8_t)pick(s, ways_count);
}

void plan_make(struct plan *plan, uint64_t seed)
{
	struct sketch s = {.plan = plan, .random = seed};

	memset(plan, 0, sizeof(*plan));
	plan->seed = seed;
	plan->procs = 3 + pick(&s, PROCS - 2);
	plan->born = 2 + pick(&s, plan->procs - 2);
	plan->carriers = 2 + pick(&s, CARRIERS - 1);
	plan->steps = 16 + pick(&s, STEPS - 15);
	s.known = plan->born;
	s.origins = 1 + pick(&s, 4);
	s.sets = 1 + pick(&s, 3);
	s.few = pick(&s, 3) == 0;
	for (uint32_t i = 0; i < s.origins; i++)
		plan->login[i] = (uint8_t)pick(&s, LOGINS);
	for (uint32_t i = 0; i < plan->born; i++)
		plan->origin[i] = (uint8_t)pick(&s, s.origins);
	for (uint32_t i = 0; i < plan->carriers; i++)
		plan->type[i] = (uint8_t)pick(&s, carrier_type_count);
	for (uint32_t i = 0; i < plan->steps; i++) {
		if (i + 4 < plan->steps)
			choose_step(&s, &plan->step[i]);
		else
			choose_end(&s, &plan->step[i]);
	}
}

static const char *carrier_name(const struct plan *plan, unsigned int c)
{
	return carrier_types[plan->type[c]].name;
}

void plan_print_step(const struct plan *plan, uint32_t i)
{
	static const char *const told[] = {"plain", "packed", "sealed"};
	static const char *const sets[] = {"photos", "roster"};
	const struct flow_step *s = &plan->step[i];

	(void)printf("#   %2u: process %u%s ", i, s->who,
		     s->thread ? " (thread)" : "");
	switch (s->op) {
	case OP_READ:
		(void)printf("reads %s %u+%u by %s", sets[s->a], s->b, s->c,
			     read_names[s->how]);
		break;
	case OP_GIVE:
		(void)printf("gives %s to %u (%s)", told[s->how], s->a,
			     carrier_name(plan, s->a));
		break;
	case OP_FILE:
		(void)printf("gives photo %u from its file to %u (%s)", s->b,
			     s->a, carrier_name(plan, s->a));
		break;
	case OP_TAKE:
		(void)printf("takes from %u (%s)", s->a,
			     carrier_name(plan, s->a));
		break;
	case OP_PASS:
		(void)printf("%s from %u (%s) to %u (%s)",
			     s->how ? "tees" : "splices", s->a,
			     carrier_name(plan, s->a), s->b,
			     carrier_name(plan, s->b));
		break;
	case OP_RELEASE:
		(void)printf("releases %s by %s", told[s->a],
			     way_names[s->how]);
		break;
	case OP_FORK:
		(void)printf("forks %u", s->a);
		if (s->b)
			(void)printf(", sharing %u (%s)", s->b - 1U,
				     carrier_name(plan, s->b - 1U));
		break;
	case OP_EXEC:
		(void)printf("executes itself");
		break;
	case OP_LOGIN:
		(void)printf("begins session %u of login %u", s->a,
			     plan->login[s->a]);
		break;
	case OP_EXIT:
		(void)printf("ends");
		break;
	case OP_PUT:
		(void)printf("writes %s to the memory of %u", told[s->how],
			     s->a);
		break;
	case OP_LOOK:
		(void)printf("looks at what others wrote to its memory");
		break;
	case OP_GET:
		(void)printf("reads the memory of %u", s->a);
		break;
	}
	(void)putchar('\n');
}
