// SPDX-License-Identifier: GPL-2.0-only
/*
 * The arithmetic of decide.h against models that keep everything: every charge
 * with its time, every byte and record that a process was given. Schedules are
 * random with fixed seeds; a failure names its seed, and `schedule` run with
 * that seed alone repeats it.
 *
 * tests/unit/mutate proves that these tests notice when decide.h is broken.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <linux/bpf.h>
#include <pthread.h>

#include "decide.h"

#define N_ELEMENTS(a) (sizeof(a) / sizeof((a)[0]))

#define SECOND 1000000000ULL
#define HOUR   (3600 * SECOND)

#define require(ok, ...)                                \
	do {                                            \
		if (!(ok))                              \
			fail_msg(#ok ": " __VA_ARGS__); \
	} while (0)

/* splitmix64: any seed is as good as another. */
static uint64_t random_next(uint64_t *state)
{
	uint64_t z = (*state += 0x9e3779b97f4a7c15ULL);

	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ULL;
	z = (z ^ (z >> 27)) * 0x94d049bb133111ebULL;
	return z ^ (z >> 31);
}

/* 0..@n - 1; 0 for 0. */
static uint64_t random_below(uint64_t *state, uint64_t n)
{
	return n ? random_next(state) % n : 0;
}

static uint64_t random_pick(uint64_t *state, const uint64_t *v, size_t n)
{
	return v[random_below(state, n)];
}

/* ---- windows: the model ------------------------------------------------ */

enum {
	STEPS = 240, /* of one schedule */
	SCHEDULES = 2000,
	BACK_NS_MAX = 5000, /* two processors' clocks are never further apart */
};

/* One charge that went through. */
struct charged {
	uint64_t time;	  /* when it was, by the newest clock anybody read */
	uint64_t counted; /* later, if a change of length moved it */
	uint64_t n;	  /* less what was refunded */
	uint64_t part;
	uint64_t window_ns; /* of which it is a part */
	bool moved;	    /* the length has changed since */
	bool forgotten;	    /* older than the length when the length changed */
};

struct model {
	struct window w;
	uint64_t seed;
	uint64_t window_ns;
	uint64_t max;
	uint64_t clock;	 /* the time */
	uint64_t now;	 /* what the next processor reads of it */
	uint64_t newest; /* what any processor has read so far */
	struct charged charges[STEPS];
	size_t n_charges;
};

/* What was charged in (newest - @length_ns, newest]. */
static uint64_t model_used(const struct model *m, uint64_t length_ns)
{
	uint64_t sum = 0;
	size_t i;

	for (i = 0; i < m->n_charges; i++)
		if (!m->charges[i].forgotten &&
		    m->newest - m->charges[i].time < length_ns)
			sum += m->charges[i].n;
	return sum;
}

/*
 * What may still count against the budget: all of the window and the part
 * that overlaps its edge. Parts are whole nanoseconds, hence the seventeen.
 */
static uint64_t model_used_late(const struct model *m)
{
	uint64_t length_ns = m->window_ns + m->window_ns / WINDOW_PARTS + 17;
	uint64_t sum = 0;
	size_t i;

	for (i = 0; i < m->n_charges; i++)
		if (m->newest - m->charges[i].counted < length_ns)
			sum += m->charges[i].n;
	return sum;
}

static void model_keep(struct model *m, uint64_t n)
{
	m->charges[m->n_charges++] = (struct charged){
		.time = m->newest,
		.counted = m->newest,
		.n = n,
		.part = m->w.latest,
		.window_ns = m->window_ns,
	};
}

/* The window is consistent with itself. */
static void model_check(const struct model *m)
{
	uint64_t sum = 0;
	size_t i;

	for (i = 0; i < WINDOW_RING; i++)
		sum += m->w.used[i];
	require(sum == m->w.total, "seed %llu: parts make %llu, total is %llu",
		(unsigned long long)m->seed, (unsigned long long)sum,
		(unsigned long long)m->w.total);
	require(model_used(m, m->window_ns) <= m->w.total,
		"seed %llu: %llu used, %llu known", (unsigned long long)m->seed,
		(unsigned long long)model_used(m, m->window_ns),
		(unsigned long long)m->w.total);
}

static void model_read_clock(struct model *m)
{
	if (m->now > m->newest)
		m->newest = m->now;
}

static void model_charge(struct model *m, uint64_t n)
{
	uint64_t used;

	model_read_clock(m);
	used = model_used(m, m->window_ns);
	if (window_charge(&m->w, m->now, m->window_ns, m->max, n)) {
		model_keep(m, n);
		require(used + n <= m->max,
			"seed %llu: %llu used, %llu more let through, max %llu",
			(unsigned long long)m->seed, (unsigned long long)used,
			(unsigned long long)n, (unsigned long long)m->max);
	} else {
		require(model_used_late(m) + n > m->max,
			"seed %llu: %llu used, %llu more refused, max %llu",
			(unsigned long long)m->seed,
			(unsigned long long)model_used_late(m),
			(unsigned long long)n, (unsigned long long)m->max);
	}
}

static void model_force(struct model *m, uint64_t n)
{
	model_read_clock(m);
	window_force(&m->w, m->now, m->window_ns, n);
	model_keep(m, n);
}

/* Gives back some of an earlier charge, which may have left the window. */
static void model_refund(struct model *m, uint64_t *state)
{
	struct charged *c;
	uint64_t n, given, total = m->w.total;

	if (!m->n_charges)
		return;
	c = &m->charges[random_below(state, m->n_charges)];
	n = random_below(state, c->n + 1);
	if (c->moved) {
		/* After a change and back, the number means two parts. */
		if (window_part_ns(c->window_ns) == m->w.part_ns)
			return;
		require(!window_refund(&m->w, c->window_ns, c->part, n) &&
				m->w.total == total,
			"seed %llu: refunded to another length's part",
			(unsigned long long)m->seed);
		return;
	}
	given = window_refund(&m->w, c->window_ns, c->part, n);
	if (m->w.latest - c->part < WINDOW_RING) {
		c->n -= n;
		require(given == n, "seed %llu: %llu of %llu given back",
			(unsigned long long)m->seed, (unsigned long long)given,
			(unsigned long long)n);
		require(m->w.total == total - n,
			"seed %llu: %llu of %llu refunded, %llu left",
			(unsigned long long)m->seed, (unsigned long long)n,
			(unsigned long long)total,
			(unsigned long long)m->w.total);
	} else {
		require(!given && m->w.total == total,
			"seed %llu: refunded what is gone",
			(unsigned long long)m->seed);
	}
}

/* An earlier charge happens again, unless it has left the window. */
static void model_renew(struct model *m, uint64_t *state)
{
	struct charged *c;
	struct window rolled;

	if (!m->n_charges)
		return;
	c = &m->charges[random_below(state, m->n_charges)];
	if (c->moved)
		return;
	model_read_clock(m);
	rolled = m->w;
	window_roll(&rolled, m->now, m->window_ns);
	window_renew(&m->w, m->now, c->part, c->n);
	require(m->w.total == rolled.total && m->w.latest == rolled.latest,
		"seed %llu: %llu renewed, %llu became %llu",
		(unsigned long long)m->seed, (unsigned long long)c->n,
		(unsigned long long)rolled.total,
		(unsigned long long)m->w.total);
	if (m->w.latest - c->part >= WINDOW_RING)
		return;
	c->time = c->counted = m->newest;
	c->part = m->w.latest;
}

/*
 * Another policy, another length. Charges older than the old length are not
 * known any more; the others count from now on as if they were of now.
 */
static void model_change(struct model *m, uint64_t window_ns)
{
	uint64_t known = m->w.total;
	size_t i;

	model_read_clock(m);
	for (i = 0; i < m->n_charges; i++) {
		struct charged *c = &m->charges[i];

		if (m->newest - c->time >= m->window_ns)
			c->forgotten = true;
		c->counted = m->newest;
		c->moved = true;
	}
	m->window_ns = window_ns;
	window_roll(&m->w, m->now, window_ns);
	require(m->w.total <= known, "seed %llu: %llu became %llu",
		(unsigned long long)m->seed, (unsigned long long)known,
		(unsigned long long)m->w.total);
}

/* Time passes: often not at all, mostly about a part, at times for long. */
static void model_wait(struct model *m, uint64_t *state)
{
	uint64_t part_ns = m->window_ns / WINDOW_PARTS + 1;
	uint64_t step;

	switch (random_below(state, 12)) {
	case 0:
	case 1:
		step = 0;
		break;
	case 2:
		step = random_below(state, 3);
		break;
	case 3:
		step = m->window_ns - 1 + random_below(state, 3);
		break;
	case 4:
		step = random_below(state, 3 * m->window_ns);
		break;
	case 5:
		/* To the last or the first nanosecond of a part. */
		part_ns = m->w.part_ns ? m->w.part_ns : 1;
		step = (WINDOW_PARTS + random_below(state, 3)) * part_ns -
		       m->clock % part_ns - random_below(state, 2);
		break;
	default:
		step = random_below(state, 2 * part_ns);
	}
	m->clock += step;
	m->now = m->clock;
}

enum schedule_kind {
	BACKWARDS = 1,
	REFUNDS = 2,
	CHANGES = 4,
	FORCED = 8,
	RENEWS = 16,
};

static const uint64_t even_lengths[] = {
	16, 32, 160, 4096, SECOND, 60 * SECOND, HOUR, 28 * 24 * HOUR,
};

static void schedule(unsigned int kind, uint64_t seed, const uint64_t *lengths,
		     size_t n_lengths)
{
	static const uint64_t budgets[] = {0, 1, 2, 7, 20, 120, 64 << 20};
	uint64_t state = seed;
	struct model m = {.seed = seed};
	int i;

	m.window_ns = random_pick(&state, lengths, n_lengths);
	m.max = random_pick(&state, budgets, N_ELEMENTS(budgets));
	m.clock = random_below(&state, 1000 * SECOND) + SECOND;
	for (i = 0; i < STEPS; i++) {
		model_wait(&m, &state);
		if (kind & CHANGES && !random_below(&state, 40))
			model_change(&m,
				     random_pick(&state, lengths, n_lengths));
		if (kind & BACKWARDS && !random_below(&state, 3))
			m.now -= random_below(&state, BACK_NS_MAX);
		if (kind & REFUNDS && !random_below(&state, 3))
			model_refund(&m, &state);
		if (kind & RENEWS && !random_below(&state, 2))
			model_renew(&m, &state);
		if (kind & FORCED && !random_below(&state, 8))
			model_force(&m, random_below(&state, m.max + 3));
		else if (random_below(&state, 3))
			model_charge(&m, random_below(&state, m.max / 4 + 2));
		else
			model_charge(&m, random_below(&state, m.max + 2));
		model_check(&m);
	}
	/* Left alone for the length and a part, all of it is there again. */
	m.now = m.clock + m.window_ns + m.window_ns / WINDOW_PARTS + 17;
	require(window_charge(&m.w, m.now, m.window_ns, m.max, m.max),
		"seed %llu: %llu of %llu are gone for ever",
		(unsigned long long)seed, (unsigned long long)m.w.total,
		(unsigned long long)m.max);
}

static void schedules(unsigned int kind)
{
	uint64_t seed;

	for (seed = 1; seed <= SCHEDULES; seed++)
		schedule(kind, seed, even_lengths, N_ELEMENTS(even_lengths));
}

/* ---- windows: the tests ------------------------------------------------ */

static void window_bounds_any_window_when_charged_at_random(void **unused)
{
	(void)unused;
	schedules(0);
}

static void window_bounds_any_window_when_clocks_step_back(void **unused)
{
	(void)unused;
	schedules(BACKWARDS);
}

static void window_bounds_any_window_when_charges_are_refunded(void **unused)
{
	(void)unused;
	schedules(REFUNDS);
}

static void window_bounds_any_window_when_its_length_changes(void **unused)
{
	(void)unused;
	schedules(CHANGES);
}

static void window_bounds_any_window_when_charges_are_renewed(void **unused)
{
	(void)unused;
	schedules(RENEWS);
}

static void window_counts_everything_when_some_is_forced(void **unused)
{
	(void)unused;
	schedules(FORCED);
}

static void window_bounds_any_window_when_all_happens_at_once(void **unused)
{
	(void)unused;
	schedules(BACKWARDS | REFUNDS | CHANGES | FORCED | RENEWS);
}

static void window_bounds_any_window_when_length_is_odd(void **unused)
{
	uint64_t seed, state = 0x0dd;

	(void)unused;
	for (seed = 1; seed <= SCHEDULES; seed++) {
		uint64_t length = 1 + random_below(&state, 1000);

		schedule(BACKWARDS | REFUNDS | FORCED | RENEWS, seed, &length,
			 1);
	}
}

/* Charging in the worst way: all at the end of a part, then as soon as it is
 * let through again. */
static void window_gives_back_late_when_charged_at_the_end_of_a_part(void **un)
{
	struct window w = {};
	const uint64_t part = HOUR / WINDOW_PARTS;
	const uint64_t t = 1000 * part + part - 1;

	(void)un;
	assert_int_equal(window_charge(&w, t, HOUR, 20, 20), 1);
	assert_int_equal(window_charge(&w, t + HOUR - 1, HOUR, 20, 1), 0);
	assert_int_equal(window_charge(&w, t + HOUR, HOUR, 20, 1), 0);
	assert_int_equal(window_charge(&w, t + HOUR + 1, HOUR, 20, 20), 1);
}

static void window_gives_back_a_part_late_when_charged_at_its_start(void **un)
{
	struct window w = {};
	const uint64_t part = HOUR / WINDOW_PARTS;
	const uint64_t t = 1000 * part;

	(void)un;
	assert_int_equal(window_charge(&w, t, HOUR, 20, 20), 1);
	assert_int_equal(window_charge(&w, t + HOUR, HOUR, 20, 1), 0);
	assert_int_equal(window_charge(&w, t + HOUR + part - 1, HOUR, 20, 1),
			 0);
	assert_int_equal(window_charge(&w, t + HOUR + part, HOUR, 20, 20), 1);
}

static void window_changes_nothing_when_it_refuses(void **unused)
{
	struct window w = {}, before;

	(void)unused;
	assert_int_equal(window_charge(&w, SECOND, SECOND, 10, 7), 1);
	before = w;
	assert_int_equal(window_charge(&w, SECOND, SECOND, 10, 4), 0);
	assert_int_equal(window_charge(&w, SECOND, SECOND, 10, ~0ULL), 0);
	assert_int_equal(window_charge(&w, SECOND, SECOND, 6, 0), 0);
	assert_memory_equal(&w, &before, sizeof(w));
	assert_int_equal(window_charge(&w, SECOND, SECOND, 10, 3), 1);
	assert_int_equal(window_charge(&w, SECOND, SECOND, 10, 0), 1);
	assert_int_equal(window_charge(&w, SECOND, SECOND, 10, 1), 0);
}

static void window_allows_all_of_it_when_max_is_the_largest_number(void **un)
{
	struct window w = {};

	(void)un;
	assert_int_equal(window_charge(&w, 1, SECOND, ~0ULL, ~0ULL - 1), 1);
	assert_int_equal(window_charge(&w, 2, SECOND, ~0ULL, 2), 0);
	assert_int_equal(window_charge(&w, 2, SECOND, ~0ULL, 1), 1);
}

static void window_force_charges_when_there_is_no_room(void **unused)
{
	struct window w = {};

	(void)unused;
	assert_int_equal(window_charge(&w, SECOND, SECOND, 10, 10), 1);
	window_force(&w, SECOND, SECOND, 5);
	assert_int_equal(w.total, 15);
	assert_int_equal(window_charge(&w, SECOND, SECOND, 15, 1), 0);
	assert_int_equal(window_charge(&w, SECOND, SECOND, 16, 1), 1);
}

/* Alerted, not blocked, a mapping can force 2^47 bytes as often as it likes. */
static void window_force_stays_full_when_the_sum_would_wrap(void **unused)
{
	struct window w = {};

	(void)unused;
	window_force(&w, SECOND, SECOND, 1ULL << 63);
	window_force(&w, SECOND + SECOND / 16, SECOND, 1ULL << 63);
	window_force(&w, SECOND + SECOND / 8, SECOND, 5);
	assert_int_equal(
		window_charge(&w, SECOND + SECOND / 8, SECOND, 1ULL << 60, 1),
		0);
	/* And drains to nothing, neither below nor short of it. */
	window_roll(&w, 4 * SECOND, SECOND);
	assert_int_equal(w.total, 0);
}

static void window_refund_gives_back_to_the_part_it_came_from(void **unused)
{
	struct window w = {};
	const uint64_t part = SECOND / WINDOW_PARTS;
	uint64_t first;

	(void)unused;
	assert_int_equal(window_charge(&w, SECOND, SECOND, 10, 6), 1);
	first = w.latest;
	assert_int_equal(window_charge(&w, SECOND + part, SECOND, 10, 4), 1);
	assert_int_equal(window_refund(&w, SECOND, first, 2), 2);
	assert_int_equal(w.used[first % WINDOW_RING], 4);
	assert_int_equal(w.used[(first + 1) % WINDOW_RING], 4);
	assert_int_equal(w.total, 8);
}

static void window_refund_never_gives_back_more_than_the_part_holds(void **un)
{
	struct window w = {};
	const uint64_t part = SECOND / WINDOW_PARTS;

	(void)un;
	assert_int_equal(window_charge(&w, SECOND, SECOND, 10, 6), 1);
	assert_int_equal(window_charge(&w, SECOND + part, SECOND, 10, 4), 1);
	assert_int_equal(window_refund(&w, SECOND, w.latest, 5), 4);
	assert_int_equal(w.total, 6);
	assert_int_equal(window_refund(&w, SECOND, w.latest, ~0ULL), 0);
	assert_int_equal(w.total, 6);
	assert_int_equal(window_refund(&w, SECOND, w.latest - 1, ~0ULL), 6);
	assert_int_equal(w.total, 0);
}

static void window_refund_gives_nothing_when_the_part_has_gone(void **unused)
{
	struct window w = {};
	const uint64_t part = SECOND / WINDOW_PARTS;
	uint64_t first;

	(void)unused;
	assert_int_equal(window_charge(&w, SECOND, SECOND, 10, 6), 1);
	first = w.latest;
	/* This part takes the place of the first one in the ring. */
	assert_int_equal(
		window_charge(&w, SECOND + WINDOW_RING * part, SECOND, 10, 10),
		1);
	assert_int_equal(window_refund(&w, SECOND, first, 6), 0);
	assert_int_equal(w.total, 10);
	/* Neither does a part that is still to come. */
	assert_int_equal(window_refund(&w, SECOND, w.latest + WINDOW_RING, 6),
			 0);
	assert_int_equal(w.total, 10);
}

static void window_refund_gives_nothing_when_the_length_changed(void **unused)
{
	struct window w = {}, before;

	(void)unused;
	/* Never used, it has parts of no length. */
	assert_int_equal(window_refund(&w, HOUR, 0, 6), 0);
	assert_int_equal(window_charge(&w, 1000 * HOUR, HOUR, 10, 6), 1);
	window_roll(&w, 1000 * HOUR, 2 * HOUR);
	before = w;
	/* Even where the old number is that of a part which holds as much. */
	assert_int_equal(window_refund(&w, HOUR, w.latest, 6), 0);
	assert_int_equal(window_refund(&w, 3 * HOUR, w.latest, 6), 0);
	assert_memory_equal(&w, &before, sizeof(w));
	assert_int_equal(window_refund(&w, 2 * HOUR, w.latest, 6), 6);
	assert_int_equal(w.total, 0);
}

static void window_refund_gives_back_a_part_until_it_leaves(void **un)
{
	struct window w = {}, copy;
	const uint64_t part = SECOND / WINDOW_PARTS + 1;
	uint64_t first;

	(void)un;
	window_force(&w, 1000 * part, SECOND, 1);
	first = w.latest;
	copy = w;
	assert_int_equal(window_refund(&copy, SECOND, first + 1, 1), 0);
	assert_int_equal(window_refund(&copy, SECOND, first, 1), 1);
	window_roll(&w, (1000 + WINDOW_PARTS) * part, SECOND);
	assert_int_equal(w.total, 1);
	copy = w;
	assert_int_equal(window_refund(&copy, SECOND, first, 1), 1);
	window_roll(&w, (1000 + WINDOW_RING) * part, SECOND);
	assert_int_equal(w.total, 0);
	assert_int_equal(window_refund(&w, SECOND, first, 1), 0);
}

/* Fewer nanoseconds would leave the end of the window out, more hold on. */
static void window_part_ns_rounds_up_when_the_length_is_odd(void **unused)
{
	uint64_t length;

	(void)unused;
	assert_int_equal(window_part_ns(0), 1);
	for (length = 1; length < 1000; length++) {
		uint64_t part = window_part_ns(length);

		assert_true(part * WINDOW_PARTS >= length);
		assert_true((part - 1) * WINDOW_PARTS < length);
	}
}

static void window_renew_moves_the_charge_to_the_newest_part(void **unused)
{
	struct window w = {};
	const uint64_t part = HOUR / WINDOW_PARTS;

	(void)unused;
	window_force(&w, 1000 * part, HOUR, 6);
	window_force(&w, 1003 * part, HOUR, 3);
	window_renew(&w, 1010 * part, 1000, 2);
	assert_int_equal(w.latest, 1010);
	assert_int_equal(w.total, 9);
	assert_int_equal(w.used[1000 % WINDOW_RING], 4);
	assert_int_equal(w.used[1003 % WINDOW_RING], 3);
	assert_int_equal(w.used[1010 % WINDOW_RING], 2);
	/* Each leaves with its own part. */
	window_roll(&w, 1016 * part, HOUR);
	assert_int_equal(w.total, 5);
	window_roll(&w, 1019 * part, HOUR);
	assert_int_equal(w.total, 2);
	window_roll(&w, 1026 * part - 1, HOUR);
	assert_int_equal(w.total, 2);
	window_roll(&w, 1026 * part, HOUR);
	assert_int_equal(w.total, 0);
}

static void window_renew_changes_nothing_when_the_part_is_the_newest(void **un)
{
	struct window w = {}, before;
	const uint64_t part = HOUR / WINDOW_PARTS;

	(void)un;
	window_force(&w, 1000 * part, HOUR, 6);
	before = w;
	window_renew(&w, 1001 * part - 1, 1000, 6);
	assert_memory_equal(&w, &before, sizeof(w));
	/* Nor for a processor whose clock lags. */
	window_renew(&w, 1000 * part - 1, 1000, 6);
	assert_memory_equal(&w, &before, sizeof(w));
}

static void window_renew_moves_at_most_what_the_part_holds(void **unused)
{
	struct window w = {};
	const uint64_t part = HOUR / WINDOW_PARTS;

	(void)unused;
	window_force(&w, 1000 * part, HOUR, 6);
	window_force(&w, 1001 * part, HOUR, 3);
	window_renew(&w, 1002 * part, 1000, ~0ULL);
	assert_int_equal(w.total, 9);
	assert_int_equal(w.used[1000 % WINDOW_RING], 0);
	assert_int_equal(w.used[1001 % WINDOW_RING], 3);
	assert_int_equal(w.used[1002 % WINDOW_RING], 6);
}

static void window_renew_moves_nothing_when_the_part_has_gone(void **unused)
{
	struct window w = {};
	const uint64_t part = HOUR / WINDOW_PARTS;

	(void)unused;
	window_force(&w, 1000 * part, HOUR, 6);
	window_force(&w, 1001 * part, HOUR, 3);
	/* Its place in the ring is that of the newest part now. */
	window_renew(&w, 1016 * part, 1000, 6);
	assert_int_equal(w.latest, 1016);
	assert_int_equal(w.total, 3);
	assert_int_equal(w.used[1001 % WINDOW_RING], 3);
	assert_int_equal(w.used[1016 % WINDOW_RING], 0);
	/* Neither does a part that is still to come. */
	window_renew(&w, 1016 * part, 1017, 3);
	assert_int_equal(w.total, 3);
	assert_int_equal(w.used[1001 % WINDOW_RING], 3);
}

static void window_renew_changes_nothing_when_never_used(void **unused)
{
	struct window w = {}, before = {};

	(void)unused;
	window_renew(&w, HOUR, 0, 6);
	window_renew(&w, HOUR, HOUR, 6);
	assert_memory_equal(&w, &before, sizeof(w));
}

/* ---- windows: distinct records ----------------------------------------- */

enum {
	MODEL_GROUPS = 24,
	MODEL_GROUP_MAX = 4, /* records that remember one part together */
	MODEL_RECORDS = MODEL_GROUPS * MODEL_GROUP_MAX,
};

/* As the guard keeps touched rows: a bit each, and the part of the latest. */
struct touched {
	unsigned int rows;
	uint64_t part;
};

struct distinct {
	struct window w;
	uint64_t seed;
	uint64_t window_ns;
	uint64_t max;
	uint64_t now;
	unsigned int group; /* 1..MODEL_GROUP_MAX records remember together */
	struct touched touched[MODEL_GROUPS];
	/* The model: every touch that went through, in order. */
	struct {
		uint64_t time;
		unsigned int record;
	} touches[STEPS];
	size_t n_touches;
	uint64_t most; /* distinct in any window so far */
	uint64_t again, refused;
};

/* Distinct records of the model in (now - @length_ns, now], @also counted. */
static uint64_t distinct_in(const struct distinct *d, uint64_t length_ns,
			    unsigned int also)
{
	bool seen[MODEL_RECORDS] = {};
	uint64_t n = 1;
	size_t i;

	seen[also] = true;
	for (i = d->n_touches; i--;) {
		if (d->now - d->touches[i].time >= length_ns)
			break;
		n += !seen[d->touches[i].record];
		seen[d->touches[i].record] = true;
	}
	return n;
}

/* Touches @record as the guard does. Returns whether it may be read. */
static bool distinct_touch(struct distinct *d, unsigned int record)
{
	struct touched *t = &d->touched[record / d->group];
	unsigned int bit = 1U << record % d->group;
	uint64_t part = d->now / window_part_ns(d->window_ns);
	uint64_t since = part < WINDOW_PARTS ? 0 : part - WINDOW_PARTS;
	bool held = t->rows && t->part >= since;

	if (!held || !(t->rows & bit)) {
		if (!window_charge(&d->w, d->now, d->window_ns, d->max, 1))
			return false;
	} else {
		d->again++;
	}
	if (!held)
		t->rows = 0;
	else if (t->part < part)
		window_renew(&d->w, d->now, t->part,
			     (uint64_t)__builtin_popcount(t->rows));
	t->rows |= bit;
	t->part = part;
	return true;
}

static void distinct_step(struct distinct *d, unsigned int record)
{
	uint64_t late_ns = d->window_ns + d->window_ns / WINDOW_PARTS + 17;
	uint64_t n = distinct_in(d, d->window_ns, record), late;

	if (!distinct_touch(d, record)) {
		late = distinct_in(d, late_ns, record);
		d->refused++;
		/* Records that remember together leave together, later. */
		require(d->group > 1 || late > d->max,
			"seed %llu: %llu distinct refused, max %llu",
			(unsigned long long)d->seed, (unsigned long long)late,
			(unsigned long long)d->max);
		return;
	}
	/* Any window with the most in it ends at a touch. */
	require(n <= d->max, "seed %llu: %llu distinct let through, max %llu",
		(unsigned long long)d->seed, (unsigned long long)n,
		(unsigned long long)d->max);
	d->touches[d->n_touches].time = d->now;
	d->touches[d->n_touches++].record = record;
	if (n > d->most)
		d->most = n;
}

/* Some seeds keep to a few favourites, which are touched without a pause. */
static void distinct_run(struct distinct *d)
{
	uint64_t state = d->seed, part_ns;
	unsigned int records = MODEL_GROUPS * d->group;
	uint64_t favourites = 1 + random_below(&state, records / 2);
	int i;

	d->window_ns = random_below(&state, 2)
			       ? 1 + random_below(&state, 1000)
			       : random_pick(&state, even_lengths,
					     N_ELEMENTS(even_lengths));
	d->max = 1 + random_below(&state, 20);
	d->now = random_below(&state, 1000 * SECOND) + SECOND;
	part_ns = window_part_ns(d->window_ns);
	for (i = 0; i < STEPS; i++) {
		unsigned int record = (unsigned int)random_below(
			&state, random_below(&state, 3) ? favourites : records);

		if (!random_below(&state, 30))
			d->now += random_below(&state, 2 * d->window_ns);
		else if (random_below(&state, 2))
			d->now += random_below(&state, part_ns + 1);
		distinct_step(d, record);
	}
}

static void distinct_runs(unsigned int group)
{
	uint64_t seed, full = 0, again = 0, refused = 0;

	for (seed = 1; seed <= SCHEDULES; seed++) {
		struct distinct d = {.seed = seed, .group = group};

		distinct_run(&d);
		full += d.most == d.max;
		again += d.again;
		refused += d.refused;
	}
	/* Or the budget was never in anybody's way, or nothing came again. */
	assert_true(full > SCHEDULES / 2);
	assert_true(again > SCHEDULES && refused > SCHEDULES);
}

static void window_renew_bounds_distinct_records_in_any_window(void **unused)
{
	(void)unused;
	distinct_runs(1);
}

static void window_renew_bounds_distinct_rows_that_share_a_part(void **unused)
{
	(void)unused;
	distinct_runs(MODEL_GROUP_MAX);
}

/* ---- windows: many threads --------------------------------------------- */

enum { THREADS = 8, THREAD_CHARGES = 20000 };

struct shared {
	pthread_mutex_t lock; /* stands for the budget's bpf_spin_lock */
	struct window w;
	uint64_t clock;
	uint64_t newest;
	struct charged *charges;
	size_t n_charges;
};

struct worker {
	struct shared *s;
	uint64_t seed;
};

enum { SHARED_WINDOW_NS = 160000, SHARED_MAX = 500 };

/* As in the guard, the clock is read before the lock is taken. */
static void *worker_run(void *arg)
{
	struct worker *me = arg;
	struct shared *s = me->s;
	uint64_t state = me->seed;
	int i;

	for (i = 0; i < THREAD_CHARGES; i++) {
		uint64_t n = 1 + random_below(&state, 9);
		uint64_t step = random_below(&state, 300);
		uint64_t now =
			__atomic_add_fetch(&s->clock, step, __ATOMIC_RELAXED);

		pthread_mutex_lock(&s->lock);
		if (now > s->newest)
			s->newest = now;
		if (window_charge(&s->w, now, SHARED_WINDOW_NS, SHARED_MAX, n))
			s->charges[s->n_charges++] = (struct charged){
				.time = s->newest,
				.n = n,
			};
		pthread_mutex_unlock(&s->lock);
	}
	return NULL;
}

static void window_bounds_any_window_when_threads_race(void **unused)
{
	struct shared s = {.clock = SECOND};
	struct worker workers[THREADS];
	pthread_t threads[THREADS];
	uint64_t sum = 0, most = 0;
	size_t i, tail = 0;

	(void)unused;
	s.charges =
		calloc((size_t)THREADS * THREAD_CHARGES, sizeof(*s.charges));
	assert_non_null(s.charges);
	assert_int_equal(pthread_mutex_init(&s.lock, NULL), 0);
	for (i = 0; i < THREADS; i++) {
		workers[i] = (struct worker){.s = &s, .seed = i + 1};
		assert_int_equal(pthread_create(&threads[i], NULL, worker_run,
						&workers[i]),
				 0);
	}
	for (i = 0; i < THREADS; i++)
		assert_int_equal(pthread_join(threads[i], NULL), 0);
	/* They stand in the order in which they were let through. */
	for (i = 0; i < s.n_charges; i++) {
		sum += s.charges[i].n;
		while (s.charges[i].time - s.charges[tail].time >=
		       SHARED_WINDOW_NS)
			sum -= s.charges[tail++].n;
		if (sum > most)
			most = sum;
	}
	assert_true(most <= SHARED_MAX);
	/* Or the budget was never in anybody's way. */
	assert_true(most > SHARED_MAX - 10);
	assert_true(s.n_charges < (size_t)THREADS * THREAD_CHARGES);
	free(s.charges);
	pthread_mutex_destroy(&s.lock);
}

/* ---- holdings: the model ----------------------------------------------- */

enum {
	MODEL_PROCESSES = 6,
	MODEL_ORIGINS = 14,
	MODEL_CHUNKS = 64, /* that an origin can read; a bit each */
	CHUNK_BYTES = 1000,
};

/* What each process really got: a bit per chunk, which is a record too. */
struct flows {
	uint64_t seed;
	uint32_t dataset[MODEL_ORIGINS];
	uint64_t read[MODEL_ORIGINS];
	uint64_t has[MODEL_PROCESSES][MODEL_ORIGINS];
	struct holding held[MODEL_PROCESSES];
};

static uint64_t chunks(uint64_t set)
{
	return (uint64_t)__builtin_popcountll(set);
}

static uint32_t flows_origin(size_t i)
{
	return (uint32_t)i + 1;
}

static uint64_t cap_of(const struct flows *f, uint32_t origin)
{
	if (origin == CORDON_ORIGIN_FOLDED)
		return ~0ULL;
	return chunks(f->read[origin - 1]);
}

static void flows_add(struct flows *f, size_t process, uint32_t origin,
		      uint32_t dataset, uint64_t bytes, uint64_t records)
{
	uint64_t cap = cap_of(f, origin);

	share_add(&f->held[process], origin, dataset, bytes, records,
		  cap == ~0ULL ? cap : cap * CHUNK_BYTES, cap);
}

static void flows_read(struct flows *f, size_t process, size_t origin,
		       unsigned int chunk)
{
	f->read[origin] |= 1ULL << chunk;
	f->has[process][origin] |= 1ULL << chunk;
	flows_add(f, process, flows_origin(origin), f->dataset[origin],
		  CHUNK_BYTES, 1);
}

static void flows_hop(struct flows *f, size_t from, size_t to)
{
	const struct holding source = f->held[from];
	size_t i;

	for (i = 0; i < MODEL_ORIGINS; i++)
		f->has[to][i] |= f->has[from][i];
	for (i = 0; i < CORDON_SHARES; i++) {
		const struct share *s = &source.shares[i];

		if (s->origin)
			flows_add(f, to, s->origin, s->dataset, s->bytes,
				  s->records);
	}
}

/* What the holding says of a dataset: dataset 0 counts for each. */
static void held_of(const struct holding *h, uint32_t dataset,
		    uint64_t *ret_bytes, uint64_t *ret_records)
{
	size_t i;

	*ret_bytes = *ret_records = 0;
	for (i = 0; i < CORDON_SHARES; i++) {
		const struct share *s = &h->shares[i];

		if (!s->origin || (s->dataset && s->dataset != dataset))
			continue;
		*ret_bytes = add_capped(*ret_bytes, s->bytes, ~0ULL);
		*ret_records = add_capped(*ret_records, s->records, ~0ULL);
	}
}

static void flows_check_process(const struct flows *f, size_t process)
{
	size_t i, j;

	for (i = 0; i < MODEL_ORIGINS; i++) {
		uint64_t bytes, records, really = 0;

		for (j = 0; j < MODEL_ORIGINS; j++)
			if (f->dataset[j] == f->dataset[i])
				really += chunks(f->has[process][j]);
		held_of(&f->held[process], f->dataset[i], &bytes, &records);
		require(records >= really && bytes >= really * CHUNK_BYTES,
			"seed %llu: process %zu has %llu records of dataset %u,"
			" its holding says %llu records and %llu bytes",
			(unsigned long long)f->seed, process,
			(unsigned long long)really, f->dataset[i],
			(unsigned long long)records, (unsigned long long)bytes);
	}
	for (i = 0; i < CORDON_SHARES; i++) {
		const struct share *s = &f->held[process].shares[i];
		uint64_t cap;

		if (!s->origin || s->origin == CORDON_ORIGIN_FOLDED)
			continue;
		cap = cap_of(f, s->origin);
		require(s->records <= cap && s->bytes <= cap * CHUNK_BYTES,
			"seed %llu: process %zu holds more of origin %u than "
			"that read",
			(unsigned long long)f->seed, process, s->origin);
	}
}

static void flows_run(uint64_t seed, size_t n_origins, uint32_t n_datasets)
{
	struct flows f = {.seed = seed};
	uint64_t state = seed;
	size_t i;

	for (i = 0; i < MODEL_ORIGINS; i++)
		f.dataset[i] = 1 + (uint32_t)random_below(&state, n_datasets);
	for (i = 0; i < STEPS; i++) {
		size_t to = random_below(&state, MODEL_PROCESSES);
		uint64_t bytes, records, bytes_after, records_after;
		uint32_t dataset = f.dataset[random_below(&state, n_origins)];

		held_of(&f.held[to], dataset, &bytes, &records);
		if (random_below(&state, 2))
			flows_read(&f, to, random_below(&state, n_origins),
				   (unsigned int)random_below(&state,
							      MODEL_CHUNKS));
		else
			flows_hop(&f, random_below(&state, MODEL_PROCESSES),
				  to);
		flows_check_process(&f, to);
		held_of(&f.held[to], dataset, &bytes_after, &records_after);
		require(bytes_after >= bytes && records_after >= records,
			"seed %llu: the holding of process %zu fell",
			(unsigned long long)seed, to);
	}
}

/* ---- holdings: the tests ----------------------------------------------- */

static void share_add_holds_what_arrived_when_data_hops(void **unused)
{
	uint64_t seed;

	(void)unused;
	for (seed = 1; seed <= SCHEDULES; seed++)
		flows_run(seed, CORDON_SHARES, 3);
}

static void share_add_holds_what_arrived_when_origins_fold(void **unused)
{
	uint64_t seed;

	(void)unused;
	for (seed = 1; seed <= SCHEDULES; seed++)
		flows_run(seed, MODEL_ORIGINS, 2);
}

static void share_add_holds_what_arrived_when_datasets_fold(void **unused)
{
	uint64_t seed;

	(void)unused;
	for (seed = 1; seed <= SCHEDULES; seed++)
		flows_run(seed, MODEL_ORIGINS, MODEL_ORIGINS);
}

static void share_add_stops_at_what_the_origin_read(void **unused)
{
	struct holding h = {};

	(void)unused;
	assert_true(share_add(&h, 1, 5, 600, 6, 1000, 10));
	assert_true(share_add(&h, 1, 5, 600, 6, 1000, 10));
	assert_int_equal(h.shares[0].bytes, 1000);
	assert_int_equal(h.shares[0].records, 10);
	/* Loops come to rest: who took all there is takes no more. */
	assert_false(share_add(&h, 1, 5, 600, 6, 1000, 10));
	assert_true(share_add(&h, 1, 5, 1, 0, 1001, 10));
	assert_true(share_add(&h, 1, 5, 0, 1, 1001, 11));
	assert_false(share_add(&h, 1, 5, 0, 0, 1001, 11));
	share_add(&h, 2, 5, 600, 6, 100, 1);
	assert_int_equal(h.shares[1].bytes, 100);
	assert_int_equal(h.shares[1].records, 1);
	assert_int_equal(h.shares[1].origin, 2);
	assert_int_equal(h.shares[2].origin, 0);
}

/* All of it came from one holding, which grows: it is never counted twice. */
static void share_raise_follows_the_only_source(void **unused)
{
	struct holding h = {};

	(void)unused;
	assert_true(share_raise(&h, 1, 5, 600, 6));
	assert_false(share_raise(&h, 1, 5, 600, 6));
	assert_true(share_raise(&h, 1, 5, 700, 6));
	assert_true(share_raise(&h, 1, 5, 600, 7));
	assert_int_equal(h.shares[0].bytes, 700);
	assert_int_equal(h.shares[0].records, 7);
	assert_true(share_raise(&h, 1, 6, 10, 1));
	assert_int_equal(h.shares[1].dataset, 6);
	assert_int_equal(h.shares[1].bytes, 10);
	assert_int_equal(h.shares[1].records, 1);
}

/* Another thread may have counted a read that this one has not seen. */
static void share_add_never_falls_when_the_cap_is_older(void **unused)
{
	struct holding h = {};

	(void)unused;
	share_add(&h, 1, 5, 1000, 10, 1000, 10);
	share_add(&h, 1, 5, 10, 1, 600, 6);
	assert_int_equal(h.shares[0].bytes, 1000);
	assert_int_equal(h.shares[0].records, 10);
}

static void share_add_stays_full_when_the_sum_would_wrap(void **unused)
{
	struct holding h = {};

	(void)unused;
	share_add(&h, CORDON_ORIGIN_FOLDED, 5, ~0ULL - 1, 1ULL << 63, ~0ULL,
		  ~0ULL);
	share_add(&h, CORDON_ORIGIN_FOLDED, 5, 5, 1ULL << 63, ~0ULL, ~0ULL);
	assert_true(h.shares[0].bytes == ~0ULL);
	assert_true(h.shares[0].records == ~0ULL);
}

static void fill_shares(struct holding *h, uint32_t first_dataset,
			uint32_t step)
{
	uint32_t i;

	for (i = 0; i < CORDON_SHARES; i++)
		share_add(h, i + 1, first_dataset + i * step, 100, 1, 100, 1);
}

static void share_add_folds_one_dataset_when_the_vector_is_full(void **unused)
{
	struct holding h = {};

	(void)unused;
	fill_shares(&h, 1, 1);
	share_add(&h, 99, 3, 50, 2, 50, 2);
	assert_int_equal(h.shares[2].origin, CORDON_ORIGIN_FOLDED);
	assert_int_equal(h.shares[2].dataset, 3);
	assert_int_equal(h.shares[2].bytes, 150);
	assert_int_equal(h.shares[2].records, 3);
	/* The others are what they were. */
	assert_int_equal(h.shares[0].origin, 1);
	assert_int_equal(h.shares[7].origin, 8);
	assert_int_equal(h.shares[7].bytes, 100);
}

static void share_add_folds_all_datasets_when_each_is_another(void **unused)
{
	struct holding h = {};
	uint64_t bytes, records;

	(void)unused;
	fill_shares(&h, 1, 1);
	share_add(&h, 99, 42, 50, 2, 50, 2);
	assert_int_equal(h.shares[CORDON_SHARES - 1].origin,
			 CORDON_ORIGIN_FOLDED);
	assert_int_equal(h.shares[CORDON_SHARES - 1].dataset, 0);
	held_of(&h, 42, &bytes, &records);
	assert_int_equal(bytes, 150);
	assert_int_equal(records, 3);
	held_of(&h, 1, &bytes, &records);
	assert_true(bytes >= 100 && records >= 1);
	/* That of the share which was folded as well. */
	held_of(&h, CORDON_SHARES, &bytes, &records);
	assert_true(bytes >= 100 && records >= 1);
}

static void records_due_charges_all_held_when_the_subject_is_wide(void **unused)
{
	(void)unused;
	assert_int_equal(records_due(3, 0, 1, 0), 3);
	assert_int_equal(records_due(3, 0, 0, 0), 3);
	assert_int_equal(records_due(3, 0, 1000000, 0), 3);
	assert_int_equal(records_due(0, 0, 1000000, 0), 0);
}

static void records_due_charges_once_when_sent_again(void **unused)
{
	(void)unused;
	assert_int_equal(records_due(3, 0, 1, 3), 0);
	assert_int_equal(records_due(5, 0, 1, 3), 2);
	/* What was charged once is never charged back. */
	assert_int_equal(records_due(3, 0, 1, 5), 0);
}

static void records_due_rounds_up_when_a_floor_counts(void **unused)
{
	(void)unused;
	assert_int_equal(records_due(100, 10, 0, 0), 0);
	assert_int_equal(records_due(100, 10, 1, 0), 1);
	assert_int_equal(records_due(100, 10, 10, 0), 1);
	assert_int_equal(records_due(100, 10, 11, 0), 2);
	assert_int_equal(records_due(100, 10, 11, 1), 1);
	assert_int_equal(records_due(100, 10, 5000, 0), 100);
	assert_true(records_due(~0ULL, 1, ~0ULL, 0) == ~0ULL);
	assert_true(records_due(~0ULL, 2, ~0ULL, 0) == 1ULL << 63);
}

/* However the bytes are cut into sends, the sum is what one send costs. */
static void records_due_adds_up_when_sent_in_pieces(void **unused)
{
	uint64_t seed;

	(void)unused;
	for (seed = 1; seed <= SCHEDULES; seed++) {
		uint64_t state = seed, wire = 0, charged = 0;
		uint64_t held = random_below(&state, 50);
		uint32_t floor = (uint32_t)random_below(&state, 20);
		int i;

		for (i = 0; i < 50; i++) {
			wire += random_below(&state, 40);
			charged += records_due(held, floor, wire, charged);
			require(charged == records_due(held, floor, wire, 0),
				"seed %llu", (unsigned long long)seed);
		}
	}
}

/* ---- narrow subjects --------------------------------------------------- */

static void tighter_is_told_when_one_is_unknown(void **unused)
{
	(void)unused;
	assert_int_equal(tighter_squeeze(0, 0), 0);
	assert_int_equal(tighter_squeeze(0, 7), 7);
	assert_int_equal(tighter_squeeze(7, 0), 7);
	assert_int_equal(tighter_squeeze(7, 3), 3);
	assert_int_equal(tighter_squeeze(3, 7), 3);
	assert_int_equal(tighter_floor(0, 0), 0);
	assert_int_equal(tighter_floor(0, 7), 7);
	assert_int_equal(tighter_floor(7, 0), 7);
	assert_int_equal(tighter_floor(7, 3), 7);
	assert_int_equal(tighter_floor(3, 7), 7);
}

static void hop_passes_all_when_nothing_is_known(void **unused)
{
	(void)unused;
	assert_int_equal(hop_bytes(1000, 1, 0), 1000);
	assert_int_equal(hop_records(1000, 1, 0), 1000);
	assert_int_equal(hop_bytes(0, 1, 0), 0);
	assert_int_equal(hop_records(0, 1, 0), 0);
}

static void hop_does_not_wrap_when_numbers_are_large(void **unused)
{
	(void)unused;
	assert_true(hop_bytes(~0ULL, ~0ULL, 10000) == ~0ULL);
	assert_true(hop_bytes(~0ULL, 1ULL << 63, 2) == ~0ULL);
	assert_true(hop_bytes(~0ULL, 1ULL << 62, 2) == 1ULL << 63);
	assert_true(hop_records(~0ULL, ~0ULL, 1) == ~0ULL);
	assert_true(hop_records(~0ULL, ~0ULL, 2) == 1ULL << 63);
}

/* By counting one by one. */
static void hop_matches_counting_when_numbers_are_random(void **unused)
{
	uint64_t seed;

	(void)unused;
	for (seed = 1; seed <= SCHEDULES; seed++) {
		uint64_t state = seed, bytes = 0, records = 0, left;
		uint64_t held = random_below(&state, 300);
		uint64_t n = random_below(&state, 300);
		uint32_t squeeze = 1 + (uint32_t)random_below(&state, 20);
		uint32_t floor = 1 + (uint32_t)random_below(&state, 20);

		for (left = n; left; left--)
			bytes += bytes + squeeze < held ? squeeze
							: held - bytes;
		for (left = n; left && records < held; records++)
			left -= left < floor ? left : floor;
		require(hop_bytes(held, n, squeeze) == bytes, "seed %llu",
			(unsigned long long)seed);
		require(hop_records(held, n, floor) == records, "seed %llu",
			(unsigned long long)seed);
	}
}

/*
 * A narrow one sends records, none of them shorter than the floor and none of
 * whose bytes stands for more than the squeeze, cut into hops anywhere. Who
 * takes them never holds less than what has come, the record that has come in
 * part included, and never more than what was read.
 */
static void hops_hold_the_truth_when_records_are_cut_anywhere(void **unused)
{
	uint64_t seed;

	(void)unused;
	for (seed = 1; seed <= SCHEDULES; seed++) {
		uint64_t state = seed, most, come = 0, begun = 0, left = 0;
		uint32_t floor = 1 + (uint32_t)random_below(&state, 30);
		uint32_t squeeze = 1 + (uint32_t)random_below(&state, 5);
		uint64_t read = 1 + random_below(&state, 60);
		uint64_t bytes = read * floor * squeeze * 3;
		struct holding to = {0};
		int hop;

		for (hop = 0; hop < 40 && begun < read; hop++) {
			uint64_t n = random_below(&state, 100), i;

			for (i = 0; i < n && (left || begun < read); i++) {
				if (!left) {
					left = floor +
					       random_below(&state, 2 * floor);
					begun++;
				}
				left--;
				come++;
			}
			(void)share_add(&to, 1, 1, hop_bytes(bytes, i, squeeze),
					hop_records(read, i, floor), bytes,
					read);
			most = come * squeeze;
			require(to.shares[0].bytes >=
					(most < bytes ? most : bytes),
				"seed %llu", (unsigned long long)seed);
			require(to.shares[0].records >= begun, "seed %llu",
				(unsigned long long)seed);
			require(to.shares[0].records <= read &&
					to.shares[0].bytes <= bytes,
				"seed %llu", (unsigned long long)seed);
			/* Of each hop one record too many at most. */
			require(to.shares[0].records <=
					come / floor + (uint64_t)hop + 1,
				"seed %llu", (unsigned long long)seed);
		}
	}
}

/* ---- the rest ---------------------------------------------------------- */

static void rows_count_matches_counting_when_ranges_are_random(void **unused)
{
	uint64_t seed;

	(void)unused;
	for (seed = 1; seed <= SCHEDULES; seed++) {
		uint64_t state = seed;
		uint32_t row = 1 + (uint32_t)random_below(&state, 20);
		uint64_t pos = random_below(&state, 200);
		uint64_t n = random_below(&state, 100);
		uint64_t at, rows = 0, first = ~0ULL;

		for (at = pos; at < pos + n; at++) {
			if (at == pos)
				first = at / row;
			rows += at == pos || at % row == 0;
		}
		require(rows_count(pos, n, row) == rows, "seed %llu",
			(unsigned long long)seed);
		if (n)
			require(rows_first(pos, row) == first, "seed %llu",
				(unsigned long long)seed);
	}
}

static void rows_count_is_0_when_there_are_no_rows(void **unused)
{
	(void)unused;
	assert_int_equal(rows_count(0, 100, 0), 0);
	assert_int_equal(rows_first(100, 0), 0);
	assert_int_equal(rows_count(100, 0, 10), 0);
	assert_int_equal(rows_count(0, 1, ~0U), 1);
	assert_int_equal(rows_count(INT64_MAX, 1, 160), 1);
	assert_int_equal(rows_count(0, INT64_MAX, 1), INT64_MAX);
}

/* A connection of many segments, some sent again, some twice over. */
static void segment_new_counts_each_byte_once_when_sequence_wraps(void **unused)
{
	uint64_t seed;

	(void)unused;
	for (seed = 1; seed <= SCHEDULES; seed++) {
		uint64_t state = seed, sent = 0, metered = 0;
		/* So close to the end that every connection wraps. */
		const uint32_t start =
			0U - (uint32_t)random_below(&state, 100000);
		uint32_t end = start;
		int i;

		for (i = 0; i < STEPS; i++) {
			uint64_t from = sent;
			uint32_t len, new;

			len = (uint32_t)random_below(&state, 65536);
			if (!random_below(&state, 3))
				from -= random_below(&state, sent < 99999
								     ? sent + 1
								     : 100000);
			new = segment_new(end, start + (uint32_t)from, len);
			metered += new;
			end += new;
			if (from + len > sent)
				sent = from + len;
			require(metered == sent,
				"seed %llu: %llu bytes sent, %llu metered",
				(unsigned long long)seed,
				(unsigned long long)sent,
				(unsigned long long)metered);
		}
	}
}

static void
segment_new_counts_its_length_at_most_when_after_a_gap(void **unused)
{
	(void)unused;
	assert_int_equal(segment_new(1000, 5000, 10), 10);
	assert_int_equal(segment_new(1000, 1000, 0), 0);
	assert_int_equal(segment_new(1000, 990, 10), 0);
	assert_int_equal(segment_new(1000, 990, 11), 1);
	assert_int_equal(segment_new(5, 0xfffffff0U, 0x16), 1);
	assert_int_equal(segment_new(0xfffffff0U, 0xfffffff0U, 0x20), 0x20);
	assert_int_equal(segment_new(0x20, 0xfffffff0U, 0x20), 0);
}

static void label_bit_stays_in_the_map_when_keys_are_random(void **unused)
{
	const uint64_t bits = 1ULL << CORDON_LABEL_BITS;
	uint64_t state = 1;
	int i;

	(void)unused;
	assert_true(label_bit(0, 0) < bits);
	assert_true(label_bit(~0ULL, ~0U) < bits);
	for (i = 0; i < 1000000; i++) {
		uint64_t ino = random_next(&state);
		uint32_t dev = (uint32_t)random_next(&state);

		require(label_bit(ino, dev) < bits && fs_place(dev) < 256,
			"inode %llu, device %u", (unsigned long long)ino, dev);
	}
}

/* 47,000 photos stand in neighbouring inodes: their bits must not. */
static void label_bit_spreads_when_inodes_are_neighbours(void **unused)
{
	static uint8_t seen[1 << CORDON_LABEL_BITS];
	unsigned int taken = 0, i;

	(void)unused;
	for (i = 0; i < 47000; i++) {
		uint32_t bit = label_bit(131072 + i, 8 << 20 | 1);

		taken += !seen[bit];
		seen[bit] = 1;
	}
	/* Thrown at random, 260 of them would meet another. */
	assert_true(taken > 47000 - 300);
	/* The same numbers on another device are other files. */
	assert_int_not_equal(label_bit(131072, 8 << 20 | 1),
			     label_bit(131072, 8 << 20 | 2));
}

static void derived_place_spreads_when_inodes_are_neighbours(void **unused)
{
	static uint8_t seen[1 << CORDON_DERIVED_BITS];
	unsigned int taken = 0, i;

	(void)unused;
	assert_true(derived_place(~0ULL, ~0U) < 1U << CORDON_DERIVED_BITS);
	for (i = 0; i < 10000; i++) {
		uint32_t place = derived_place(131072 + i, 8 << 20 | 1);

		require(place < 1U << CORDON_DERIVED_BITS, "inode %u", i);
		taken += !seen[place];
		seen[place] = 1;
	}
	/* Thrown at random, 727 of them would meet another. */
	assert_true(taken > 10000 - 800);
}

static void fs_place_differs_when_disks_or_partitions_do(void **unused)
{
	uint32_t minor;

	(void)unused;
	for (minor = 1; minor < 256; minor++)
		assert_int_not_equal(fs_place(8 << 20 | minor),
				     fs_place(8 << 20 | (minor - 1)));
	assert_int_not_equal(fs_place(8 << 20 | 1), fs_place(9 << 20 | 1));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define T(name) cmocka_unit_test(name)
		T(window_bounds_any_window_when_charged_at_random),
		T(window_bounds_any_window_when_clocks_step_back),
		T(window_bounds_any_window_when_charges_are_refunded),
		T(window_bounds_any_window_when_its_length_changes),
		T(window_bounds_any_window_when_charges_are_renewed),
		T(window_counts_everything_when_some_is_forced),
		T(window_bounds_any_window_when_all_happens_at_once),
		T(window_bounds_any_window_when_length_is_odd),
		T(window_bounds_any_window_when_threads_race),
		T(window_gives_back_late_when_charged_at_the_end_of_a_part),
		T(window_gives_back_a_part_late_when_charged_at_its_start),
		T(window_changes_nothing_when_it_refuses),
		T(window_allows_all_of_it_when_max_is_the_largest_number),
		T(window_force_charges_when_there_is_no_room),
		T(window_force_stays_full_when_the_sum_would_wrap),
		T(window_refund_gives_back_to_the_part_it_came_from),
		T(window_refund_never_gives_back_more_than_the_part_holds),
		T(window_refund_gives_nothing_when_the_part_has_gone),
		T(window_refund_gives_nothing_when_the_length_changed),
		T(window_refund_gives_back_a_part_until_it_leaves),
		T(window_part_ns_rounds_up_when_the_length_is_odd),
		T(window_renew_moves_the_charge_to_the_newest_part),
		T(window_renew_changes_nothing_when_the_part_is_the_newest),
		T(window_renew_moves_at_most_what_the_part_holds),
		T(window_renew_moves_nothing_when_the_part_has_gone),
		T(window_renew_changes_nothing_when_never_used),
		T(window_renew_bounds_distinct_records_in_any_window),
		T(window_renew_bounds_distinct_rows_that_share_a_part),
		T(share_add_holds_what_arrived_when_data_hops),
		T(share_add_holds_what_arrived_when_origins_fold),
		T(share_add_holds_what_arrived_when_datasets_fold),
		T(share_add_stops_at_what_the_origin_read),
		T(share_raise_follows_the_only_source),
		T(share_add_never_falls_when_the_cap_is_older),
		T(share_add_stays_full_when_the_sum_would_wrap),
		T(share_add_folds_one_dataset_when_the_vector_is_full),
		T(share_add_folds_all_datasets_when_each_is_another),
		T(records_due_charges_all_held_when_the_subject_is_wide),
		T(records_due_charges_once_when_sent_again),
		T(records_due_rounds_up_when_a_floor_counts),
		T(records_due_adds_up_when_sent_in_pieces),
		T(tighter_is_told_when_one_is_unknown),
		T(hop_passes_all_when_nothing_is_known),
		T(hop_does_not_wrap_when_numbers_are_large),
		T(hop_matches_counting_when_numbers_are_random),
		T(hops_hold_the_truth_when_records_are_cut_anywhere),
		T(rows_count_matches_counting_when_ranges_are_random),
		T(rows_count_is_0_when_there_are_no_rows),
		T(segment_new_counts_each_byte_once_when_sequence_wraps),
		T(segment_new_counts_its_length_at_most_when_after_a_gap),
		T(label_bit_stays_in_the_map_when_keys_are_random),
		T(label_bit_spreads_when_inodes_are_neighbours),
		T(derived_place_spreads_when_inodes_are_neighbours),
		T(fs_place_differs_when_disks_or_partitions_do),
#undef T
	};

	return cmocka_run_group_tests_name("decide", tests, NULL, NULL);
}
