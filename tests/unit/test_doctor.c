// SPDX-License-Identifier: GPL-2.0-only
/*
 * What the doctor makes of what it finds. The guard is one of our own: it says
 * and does what a test wants it to.
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
#include <sys/stat.h>
#include <unistd.h>

#include "doctor.h"
#include "guard.h"

static char dir[64], policy[96];
static int open_error;
static const char *open_text;

/* ---- the guard ---------------------------------------------------------- */

int guard_probe(struct guard_probe *ret_probe)
{
	memset(ret_probe, 0, sizeof(*ret_probe));
	ret_probe->usable = true;
	return 0;
}

int guard_open(const struct guard_options *opts, const struct guard_say *say,
	       struct guard **ret_guard, bool *ret_adopted)
{
	assert_true(opts->unpinned);
	(void)ret_adopted;
	if (open_error)
		say->fn(GUARD_ERROR, open_text, say->arg);
	*ret_guard = NULL;
	return open_error;
}

void guard_close(struct guard *guard)
{
	(void)guard;
}

int guard_probe_hooks(struct guard *guard, const char *in,
		      const struct guard_say *say,
		      struct guard_hooks *ret_hooks)
{
	(void)guard;
	(void)in;
	(void)say;
	*ret_hooks = (struct guard_hooks){3, 3};
	return 0;
}

const char *guard_hook_name(uint32_t hook)
{
	(void)hook;
	return "hook";
}

enum guard_attach guard_attached(const struct guard *guard)
{
	(void)guard;
	return GUARD_ATTACH_LSM;
}

const struct guard_state *guard_state(const struct guard *guard)
{
	(void)guard;
	return NULL;
}

/* ---- looking ------------------------------------------------------------ */

static struct doctor_item items[32];
static size_t n_items;

static void keep(const struct doctor_item *item, void *arg)
{
	(void)arg;
	assert_true(n_items < sizeof(items) / sizeof(items[0]));
	items[n_items++] = *item;
}

static void look(void)
{
	const struct doctor_options opts = {
		.policy_file = policy, .state_dir = dir, .run_dir = dir};
	struct doctor_result result;

	n_items = 0;
	assert_int_equal(doctor_run(&opts, keep, NULL, &result), 0);
}

/* The item of that name whose text has those words, or NULL. */
static const struct doctor_item *item(const char *what, const char *words)
{
	for (size_t i = 0; i < n_items; i++)
		if (!strcmp(items[i].what, what) &&
		    strstr(items[i].text, words))
			return &items[i];
	return NULL;
}

static void write_policy(const char *path)
{
	FILE *f = fopen(policy, "we");

	assert_non_null(f);
	(void)fprintf(f,
		      "cordon: 1\nissuer: x\nserial: 1\n"
		      "not-before: 2020-01-01T00:00:00Z\nmode: enforce\n"
		      "datasets:\n"
		      "  cards: {paths: [%s/here, %s], record: file}\n"
		      "rules:\n"
		      "  - {subject: \"*\", dataset: cards, read: none}\n",
		      dir, path);
	assert_int_equal(fclose(f), 0);
}

static void doctor_names_a_path_when_it_is_not_there(void **state)
{
	char path[128];

	(void)state;
	(void)snprintf(path, sizeof(path), "%s/photso", dir);
	write_policy(path);
	look();
	assert_non_null(item("dataset", "photso is not there yet"));
	assert_int_equal(item("dataset", "photso")->status, DOCTOR_WARN);
	assert_null(item("dataset", "/here"));
	assert_int_equal(mkdir(path, 0700), 0);
	look();
	assert_null(item("dataset", ""));
	assert_int_equal(rmdir(path), 0);
}

static void doctor_fails_a_path_when_it_cannot_be_guarded(void **state)
{
	(void)state;
	write_policy("/proc/sys");
	look();
	assert_non_null(item("dataset", "is on proc"));
	assert_int_equal(item("dataset", "is on proc")->status, DOCTOR_FAIL);
}

static void doctor_does_not_send_to_the_doctor(void **state)
{
	(void)state;
	write_policy("/dev/shm");
	open_error = -EPERM;
	open_text = "bpf(2) is refused";
	look();
	assert_non_null(item("hooks", "bpf(2) is refused"));
	assert_non_null(strstr(item("hooks", "")->remedy, "on the host"));
	assert_non_null(strstr(item("hooks", "")->remedy, "seccomp"));
	open_error = -EINVAL;
	look();
	assert_null(strstr(item("hooks", "")->remedy, "seccomp"));
	open_error = 0;
	look();
	assert_int_equal(item("hooks", "")->status, DOCTOR_OK);
}

static void doctor_says_that_a_policy_was_not_looked_at(void **state)
{
	struct doctor_item told, again;
	json_t *line;

	(void)state;
	doctor_policy_ignored("/tmp/a\nb.yaml", &told);
	assert_int_equal(told.status, DOCTOR_WARN);
	assert_null(strchr(told.text, '\n'));
	assert_non_null(strstr(told.remedy, "cordon policy check /tmp/a"));
	line = doctor_json(&told);
	assert_true(doctor_from_json(line, &again));
	json_decref(line);
	assert_string_equal(again.text, told.text);
}

static int make_dir(void **state)
{
	char path[96];

	(void)state;
	/* On tmpfs, which is allowed whatever /tmp is on. */
	(void)snprintf(dir, sizeof(dir), "/dev/shm/cordon-doctor.XXXXXX");
	if (!mkdtemp(dir))
		return -1;
	(void)snprintf(policy, sizeof(policy), "%s/policy.yaml", dir);
	(void)snprintf(path, sizeof(path), "%s/here", dir);
	return mkdir(path, 0700);
}

static int remove_dir(void **state)
{
	char command[128];

	(void)state;
	(void)snprintf(command, sizeof(command), "rm -rf %s", dir);
	return system(command);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(doctor_names_a_path_when_it_is_not_there),
		cmocka_unit_test(doctor_fails_a_path_when_it_cannot_be_guarded),
		cmocka_unit_test(doctor_does_not_send_to_the_doctor),
		cmocka_unit_test(doctor_says_that_a_policy_was_not_looked_at),
	};

	return cmocka_run_group_tests(tests, make_dir, remove_dir);
}
