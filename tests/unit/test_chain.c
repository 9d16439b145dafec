// SPDX-License-Identifier: GPL-2.0-only
/*
 * Which steps lead to a holding, and whether any is known to be missing.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "chain.h"

#define ORIGIN (STEP_ORIGIN | 1)
#define S      1000000000ULL

static struct chain chain;

static struct step step(uint64_t serial, uint64_t to, uint64_t from,
			uint64_t first)
{
	struct step s = {
		.serial = serial,
		.time_ns = serial * 10 * S,
		.last_ns = serial * 10 * S,
		.to = to,
		.from = from,
		.first = first,
		.kind = from & STEP_ORIGIN ? STEP_READ : STEP_PIPE,
		.who = {.tgid = (uint32_t)(1000 + to), .comm = "cat"},
	};

	return s;
}

static void find(const struct step *steps, size_t n, uint64_t holding)
{
	chain_begin(&chain, holding);
	while (chain.grew) {
		chain_pass_begin(&chain);
		for (size_t i = 0; i < n; i++)
			chain_offer(&chain, &steps[i]);
	}
	chain_end(&chain);
}

static bool several;

static uint32_t who(uint64_t holding, uint64_t at_ns)
{
	const struct step_who *w = chain_who(&chain, holding, at_ns, &several);

	return w ? w->tgid : 0;
}

static size_t gaps(void)
{
	size_t n = 0;

	for (size_t i = 0; i < chain.n_links; i++)
		n += !chain.links[i].whole;
	return n;
}

static void chain_goes_back_to_who_read_it(void **state)
{
	const struct step steps[] = {
		step(1, 1, ORIGIN, 1),
		step(2, 9, ORIGIN, 2), /* another's */
		step(3, 2, 1, 3),
		step(4, 3, 2, 4),
	};

	(void)state;
	find(steps, 4, 3);
	assert_int_equal(chain.n_steps, 3);
	assert_int_equal(chain.steps[0].serial, 1);
	assert_int_equal(chain.steps[2].serial, 4);
	assert_int_equal(gaps(), 0);
	assert_false(chain.cut);
	assert_int_equal(who(2, UINT64_MAX), 1002);
	assert_false(several);
	assert_int_equal(who(9, UINT64_MAX), 0);
}

/* Who took later is not who gave before. */
static void holding_is_one_of_several_when_they_share_it(void **state)
{
	struct step steps[] = {
		step(1, 1, ORIGIN, 1),
		step(2, 2, 1, 2),
		step(3, 1, STEP_ORIGIN | 2, 1),
	};

	(void)state;
	steps[2].who.tgid = 7;
	steps[1].last_ns = steps[2].time_ns;
	find(steps, 3, 2);
	assert_int_equal(who(1, steps[1].time_ns), 1001);
	assert_true(several);
	assert_int_equal(who(1, UINT64_MAX), 7);
	/* It gave before any step of it tells who it was. */
	assert_int_equal(who(1, 0), 1001);
	assert_int_equal(who(2, UINT64_MAX), 1002);
	assert_false(several);
}

static void chain_has_a_gap_when_the_first_step_is_gone(void **state)
{
	const struct step steps[] = {
		/* The ring has forgotten step 1, the first of holding 2. */
		step(3, 2, ORIGIN, 1),
		step(4, 3, 2, 4),
	};

	(void)state;
	find(steps, 2, 3);
	assert_int_equal(chain.n_steps, 2);
	assert_int_equal(gaps(), 1);
	assert_false(chain.links[1].whole);
	/* Nothing is known of it at all. */
	find(steps, 2, 7);
	assert_int_equal(chain.n_steps, 0);
	assert_int_equal(gaps(), 1);
}

static void chain_leaves_out_what_came_later(void **state)
{
	struct step steps[] = {
		step(1, 1, ORIGIN, 1),
		step(2, 2, 1, 2),
		step(3, 1, STEP_ORIGIN | 2, 1),
	};

	(void)state;
	find(steps, 3, 2);
	assert_int_equal(chain.n_steps, 2);
	/* More came the same way afterwards. */
	steps[1].last_ns = steps[2].time_ns;
	find(steps, 3, 2);
	assert_int_equal(chain.n_steps, 3);
}

static void chain_ends_when_two_took_from_each_other(void **state)
{
	const struct step steps[] = {
		step(1, 1, ORIGIN, 1),
		step(2, 2, 1, 2),
		step(3, 1, 2, 1),
	};

	(void)state;
	find(steps, 3, 1);
	assert_int_equal(chain.n_steps, 3);
	assert_int_equal(chain.n_links, 2);
	assert_int_equal(gaps(), 0);
}

static void chain_is_cut_when_it_is_long(void **state)
{
	struct step steps[2 * CHAIN_HOLDINGS_MAX];
	const size_t n = sizeof(steps) / sizeof(steps[0]);

	(void)state;
	for (size_t i = 0; i < n; i++)
		steps[i] = step(i + 1, i + 1, i ? i : ORIGIN, i + 1);
	find(steps, n, n);
	assert_true(chain.cut);
	assert_int_equal(chain.n_links, CHAIN_HOLDINGS_MAX);
	for (size_t i = 0; i < n; i++)
		steps[i] = step(i + 1, 1, STEP_ORIGIN | i, 1);
	find(steps, n, 1);
	assert_false(chain.cut);
	assert_int_equal(chain.n_steps, CHAIN_STEPS_MAX);
}

static void copy_tells_whose_it_is_until_it_has_a_step(void **state)
{
	struct holding holding = {
		.id = 5,
		.shares = {{.origin = 1, .dataset = 3, .records = 2},
			   {.origin = 2, .dataset = 4, .records = 1}},
		.born = {.from = 4, .time_ns = S, .who = {.tgid = 7}},
	};
	struct step birth;

	(void)state;
	assert_true(chain_birth(&holding, &birth));
	assert_int_equal(birth.to, 5);
	assert_int_equal(birth.from, 4);
	assert_int_equal(birth.kind, STEP_FORK);
	assert_int_equal(birth.records, 3);
	assert_int_equal(birth.dataset, 0);
	chain_begin(&chain, 5);
	chain_offer(&chain, &birth);
	assert_true(chain.links[0].whole);
	/* Every copy's step is another one, though none has a number. */
	chain_offer(&chain, &birth);
	assert_int_equal(chain.n_steps, 1);
	birth.to = 4;
	birth.from = 3;
	chain_offer(&chain, &birth);
	assert_int_equal(chain.n_steps, 2);
	holding.first = 8;
	assert_false(chain_birth(&holding, &birth));
	holding.first = 0;
	holding.born.from = 0;
	assert_false(chain_birth(&holding, &birth));
}

static void kind_has_a_name(void **state)
{
	(void)state;
	for (uint32_t kind = STEP_READ; kind < STEP_KINDS; kind++)
		assert_string_not_equal(chain_kind_name(kind), "?");
	assert_string_equal(chain_kind_name(0), "?");
	assert_string_equal(chain_kind_name(STEP_KINDS), "?");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(chain_goes_back_to_who_read_it),
		cmocka_unit_test(holding_is_one_of_several_when_they_share_it),
		cmocka_unit_test(chain_has_a_gap_when_the_first_step_is_gone),
		cmocka_unit_test(chain_leaves_out_what_came_later),
		cmocka_unit_test(chain_ends_when_two_took_from_each_other),
		cmocka_unit_test(chain_is_cut_when_it_is_long),
		cmocka_unit_test(copy_tells_whose_it_is_until_it_has_a_step),
		cmocka_unit_test(kind_has_a_name),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
