// SPDX-License-Identifier: GPL-2.0-only
/*
 * Budgets over a reboot: what was used never comes back earlier than it would
 * have without one, and at most one part of the window later; a file is read
 * whole or not at all.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <errno.h>
#include <linux/bpf.h>
#include <sys/stat.h>
#include <unistd.h>

#include "decide.h"
#include "state.h"

#define SECOND 1000000000ULL
#define HOUR   (3600 * SECOND)
#define DAY    (24 * HOUR)

static char dir[64];

static uint64_t random_next(uint64_t *state)
{
	uint64_t z = (*state += 0x9e3779b97f4a7c15ULL);

	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ULL;
	z = (z ^ (z >> 27)) * 0x94d049bb133111ebULL;
	return z ^ (z >> 31);
}

static const char *in_dir(const char *name)
{
	static char path[4][256];
	static unsigned int turn;
	char *p = path[turn++ % 4];

	(void)snprintf(p, 256, "%s/%s", dir, name);
	return p;
}

static void write_file(const char *path, const char *text)
{
	FILE *f = fopen(path, "we");

	assert_non_null(f);
	assert_int_equal(fwrite(text, 1, strlen(text), f), strlen(text));
	assert_int_equal(fclose(f), 0);
}

/* ---- windows ----------------------------------------------------------- */

static uint64_t total_at(struct window w, uint64_t now, uint64_t window_ns)
{
	window_roll(&w, now, window_ns);
	return w.total;
}

/*
 * A host runs, is down for a while and runs again. At no moment after that may
 * the restored window hold what one that never stopped lost a part before.
 */
static void window_holds_at_most_a_part_longer_after_a_reboot(void **unused)
{
	uint64_t seed, round, window_ns, boot, wall, now, down, i, part;
	struct window never, again;
	struct budget budget;

	(void)unused;
	for (round = 0; round < 20000; round++) {
		struct state state = {0};
		struct budget_key key = {.rule = 1};

		seed = round;
		window_ns = HOUR + random_next(&seed) % (28 * DAY);
		part = window_ns / WINDOW_PARTS;
		boot = random_next(&seed) % (3 * window_ns);
		wall = 1800000000 * SECOND + random_next(&seed) % DAY;
		memset(&budget, 0, sizeof(budget));
		for (i = 0; i < 12; i++) {
			window_force(&budget.window, boot, window_ns,
				     1 + random_next(&seed) % 100);
			now = random_next(&seed) % (window_ns / 8);
			boot += now;
			wall += now;
		}
		never = budget.window;
		state.saved_ns = wall;
		assert_int_equal(
			state_add_budget(&state, &key, &budget, boot, wall), 0);
		assert_int_equal(state.n_budgets, 1);

		/* The new clock starts low; the time down is any. */
		down = random_next(&seed) % (window_ns / 2);
		now = random_next(&seed) % (window_ns / 3);
		state_window(&state, &state.budgets[0], now, wall + down,
			     &again);
		for (i = 0; i < 40; i++) {
			uint64_t later = i * window_ns / 32;
			uint64_t has = total_at(again, now + later, window_ns);
			uint64_t may;

			/*
			 * The one that never stopped is itself up to a part
			 * late, so what it has dropped may be back for one.
			 */
			may = later + down < part
				      ? never.total
				      : total_at(never,
						 boot + down + later - part,
						 window_ns);
			if (has > may)
				fail_msg("round %u: %u parts on, %u used, "
					 "at most %u expected",
					 (unsigned int)round, (unsigned int)i,
					 (unsigned int)has, (unsigned int)may);
		}
		state_release(&state);
	}
}

/* The guarantee itself: every use is held for its whole window. */
static void use_is_held_for_its_window_across_a_reboot(void **unused)
{
	uint64_t seed, round, window_ns, boot, wall, used_wall, n, now, later;
	struct window again;
	struct budget budget;

	(void)unused;
	for (round = 0; round < 20000; round++) {
		struct state state = {0};
		struct budget_key key = {.rule = 1};

		seed = round + 77;
		window_ns = HOUR + random_next(&seed) % (28 * DAY);
		boot = random_next(&seed) % (3 * window_ns);
		wall = 1800000000 * SECOND + random_next(&seed) % DAY;
		memset(&budget, 0, sizeof(budget));
		n = 1 + random_next(&seed) % 1000;
		window_force(&budget.window, boot, window_ns, n);
		used_wall = wall;
		now = random_next(&seed) % (window_ns / 2);
		boot += now;
		wall += now;
		state.saved_ns = wall;
		assert_int_equal(
			state_add_budget(&state, &key, &budget, boot, wall), 0);

		/* Anywhere up to the end of the use's window. */
		wall += random_next(&seed) % (used_wall + window_ns - wall);
		now = random_next(&seed) % (3 * window_ns);
		state_window(&state, &state.budgets[0], now, wall, &again);
		later = random_next(&seed) % (used_wall + window_ns - wall);
		assert_true(total_at(again, now + later, window_ns) == n);
		later = used_wall + window_ns - wall - 1;
		assert_true(total_at(again, now + later, window_ns) == n);
		/* And gone two parts after that. */
		later += 2 * (window_ns / WINDOW_PARTS) + 2;
		assert_true(total_at(again, now + later, window_ns) == 0);
		state_release(&state);
	}
}

static void clock_that_was_set_back_gives_nothing_back(void **unused)
{
	struct state state = {0};
	struct budget_key key = {.rule = 1};
	struct budget budget = {0};
	struct window again;
	uint64_t wall = 1800000000 * SECOND;

	(void)unused;
	window_force(&budget.window, 5 * HOUR, DAY, 9);
	state.saved_ns = wall;
	assert_int_equal(
		state_add_budget(&state, &key, &budget, 5 * HOUR, wall), 0);
	state_window(&state, &state.budgets[0], SECOND, wall - 400 * DAY,
		     &again);
	assert_true(total_at(again, SECOND + 23 * HOUR, DAY) == 9);
	state_release(&state);

	/* What was old by the old clock stays as old as it was. */
	state.saved_ns = wall;
	assert_int_equal(
		state_add_budget(&state, &key, &budget, 25 * HOUR, wall), 0);
	state_window(&state, &state.budgets[0], SECOND, wall - 400 * DAY,
		     &again);
	assert_true(total_at(again, SECOND + 4 * HOUR, DAY) == 9);
	assert_true(total_at(again, SECOND + 8 * HOUR, DAY) == 0);
	state_release(&state);
}

static void short_windows_are_not_saved(void **unused)
{
	struct state state = {0};
	struct budget_key key = {.rule = 1};
	struct budget budget = {0};

	(void)unused;
	window_force(&budget.window, 5 * HOUR, HOUR - SECOND, 9);
	assert_int_equal(state_add_budget(&state, &key, &budget, 5 * HOUR,
					  1800000000 * SECOND),
			 0);
	assert_int_equal(state.n_budgets, 0);
	memset(&budget, 0, sizeof(budget));
	window_force(&budget.window, 5 * HOUR, HOUR, 9);
	assert_int_equal(state_add_budget(&state, &key, &budget, 5 * HOUR,
					  1800000000 * SECOND),
			 0);
	assert_int_equal(state.n_budgets, 1);
	state_release(&state);
}

/* ---- the file ---------------------------------------------------------- */

static void fill(struct state *state)
{
	struct budget_key key = {.rule = 3,
				 .who = CORDON_HOST_WIDE,
				 .dest = CORDON_DEST_READ,
				 .dataset = 2,
				 .unit = UNIT_BYTES};
	struct budget budget = {.refused = 4};

	state->saved_ns = 1800000000 * SECOND;
	state->policy_serial = 42;
	state->latest_s = 1799999999;
	assert_int_equal(registry_add(&state->names, NAME_RULE, 3, "a/b/host"),
			 0);
	assert_int_equal(registry_add(&state->names, NAME_DATASET, 2,
				      "caf\xc3\xa9 \"\\"),
			 0);
	window_force(&budget.window, DAY, DAY, 7);
	window_force(&budget.window, DAY + 5 * HOUR, DAY, 1ULL << 60);
	assert_int_equal(state_add_budget(state, &key, &budget, DAY + 6 * HOUR,
					  state->saved_ns),
			 0);
}

static void file_gives_back_what_was_written(void **unused)
{
	const char *path = in_dir("state.json");
	struct state state = {0}, read = {0};
	struct stat st;
	char why[128];

	(void)unused;
	fill(&state);
	assert_int_equal(state_write(&state, path), 0);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
	assert_int_equal(state_read(path, &read, why, sizeof(why)), 0);
	assert_true(read.saved_ns == state.saved_ns);
	assert_int_equal(read.policy_serial, 42);
	assert_int_equal(read.latest_s, 1799999999);
	assert_int_equal(read.names.n, 2);
	assert_string_equal(registry_text(&read.names, NAME_RULE, 3),
			    "a/b/host");
	assert_string_equal(registry_text(&read.names, NAME_DATASET, 2),
			    "caf\xc3\xa9 \"\\");
	assert_int_equal(read.n_budgets, 1);
	assert_memory_equal(&read.budgets[0], &state.budgets[0],
			    sizeof(state.budgets[0]));
	state_release(&read);

	/* The file before it stays. */
	state.saved_ns++;
	assert_int_equal(state_write(&state, path), 0);
	assert_int_equal(
		state_read(in_dir("state.json.old"), &read, why, sizeof(why)),
		0);
	assert_true(read.saved_ns == state.saved_ns - 1);
	assert_int_equal(access(in_dir("state.json.new"), F_OK), -1);
	state_release(&read);
	state_release(&state);
	assert_int_equal(state_read(in_dir("none"), &read, why, sizeof(why)),
			 -ENOENT);
}

static void file_that_is_cut_anywhere_is_refused(void **unused)
{
	const char *path = in_dir("cut.json");
	struct state state = {0}, read = {0};
	char text[4096], why[128];
	size_t len, i;
	FILE *f;

	(void)unused;
	fill(&state);
	assert_int_equal(state_write(&state, path), 0);
	state_release(&state);
	f = fopen(path, "re");
	assert_non_null(f);
	len = fread(text, 1, sizeof(text), f);
	assert_int_equal(fclose(f), 0);
	for (i = 0; i < len; i++) {
		f = fopen(path, "we");
		assert_non_null(f);
		assert_int_equal(fwrite(text, 1, i, f), i);
		assert_int_equal(fclose(f), 0);
		assert_int_equal(state_read(path, &read, why, sizeof(why)),
				 -EUCLEAN);
	}
}

static void file_with_a_bad_value_is_refused(void **unused)
{
	static const char *const bad[] = {
		"[]",
		"{}",
		"{\"cordon-state\":2,\"saved_ns\":1,\"names\":[],"
		"\"budgets\":[]}",
		"{\"cordon-state\":2,\"saved_ns\":1,\"policy_serial\":-1,"
		"\"names\":[],"
		"\"budgets\":[]}",
		"{\"cordon-state\":3,\"saved_ns\":1,\"policy_serial\":1,"
		"\"names\":[],"
		"\"budgets\":[]}",
		"{\"cordon-state\":2,\"saved_ns\":1,\"policy_serial\":1,"
		"\"latest_s\":1,\"names\":[],"
		"\"budgets\":[]}",
		"{\"cordon-state\":3,\"saved_ns\":1,\"policy_serial\":1,"
		"\"latest_s\":-1,\"names\":[],"
		"\"budgets\":[]}",
		"{\"cordon-state\":4,\"saved_ns\":1,\"policy_serial\":1,"
		"\"latest_s\":1,\"names\":[],"
		"\"budgets\":[]}",
		"{\"cordon-state\":2,\"saved_ns\":-1,\"policy_serial\":1,"
		"\"names\":[],"
		"\"budgets\":[]}",
		"{\"cordon-state\":2,\"saved_ns\":1,\"policy_serial\":1,"
		"\"names\":{},"
		"\"budgets\":[]}",
		"{\"cordon-state\":2,\"saved_ns\":1,\"policy_serial\":1,"
		"\"names\":[[9,1,\"x\"]],"
		"\"budgets\":[]}",
		"{\"cordon-state\":2,\"saved_ns\":1,\"policy_serial\":1,"
		"\"names\":[[1,1,\"x\"],"
		"[1,1,\"y\"]],\"budgets\":[]}",
		"{\"cordon-state\":2,\"saved_ns\":1,\"policy_serial\":1,"
		"\"names\":[],"
		"\"budgets\":[{}]}",
		"{\"cordon-state\":2,\"saved_ns\":1,\"policy_serial\":1,"
		"\"names\":[],\"budgets\":[{"
		"\"rule\":1,\"who\":1,\"dest\":1,\"dataset\":255,\"unit\":0,"
		"\"part_ns\":1,\"refused\":0,\"parts\":[]}]}",
		"{\"cordon-state\":2,\"saved_ns\":1,\"policy_serial\":1,"
		"\"names\":[],\"budgets\":[{"
		"\"rule\":1,\"who\":1,\"dest\":1,\"dataset\":1,\"unit\":0,"
		"\"part_ns\":0,\"refused\":0,\"parts\":[]}]}",
		"{\"cordon-state\":2,\"saved_ns\":1,\"policy_serial\":1,"
		"\"names\":[],"
		"\"budgets\":[]} x",
	};
	const char *path = in_dir("bad.json");
	struct state read = {0};
	char why[128];
	size_t i;

	(void)unused;
	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		write_file(path, bad[i]);
		if (state_read(path, &read, why, sizeof(why)) != -EUCLEAN)
			fail_msg("accepted: %s", bad[i]);
	}
	write_file(path, "{\"cordon-state\":2,\"saved_ns\":1,\"policy_serial\":"
			 "1,\"names\":[],"
			 "\"budgets\":[]}\n");
	assert_int_equal(state_read(path, &read, why, sizeof(why)), 0);
	state_release(&read);
}

static int make_dir(void **unused)
{
	(void)unused;
	(void)snprintf(dir, sizeof(dir), "/tmp/cordon-test.XXXXXX");
	return mkdtemp(dir) ? 0 : -1;
}

static int remove_dir(void **unused)
{
	char command[128];

	(void)unused;
	(void)snprintf(command, sizeof(command), "rm -rf %s", dir);
	return system(command);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
			window_holds_at_most_a_part_longer_after_a_reboot),
		cmocka_unit_test(use_is_held_for_its_window_across_a_reboot),
		cmocka_unit_test(clock_that_was_set_back_gives_nothing_back),
		cmocka_unit_test(short_windows_are_not_saved),
		cmocka_unit_test(file_gives_back_what_was_written),
		cmocka_unit_test(file_that_is_cut_anywhere_is_refused),
		cmocka_unit_test(file_with_a_bad_value_is_refused),
	};

	return cmocka_run_group_tests(tests, make_dir, remove_dir);
}
