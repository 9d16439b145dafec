// SPDX-License-Identifier: GPL-2.0-only
/*
 * Files as somebody puts them who has root's, or who sits between the issuer
 * and the host: nothing of them comes into force, nobody is held up, and what
 * is in force stays. tests/sign/ATTACKS.md has the list.
 */
#include "agent_host.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "state.h"

/* Refused for that reason, and the twin of it is taken. */
static void assert_refused(const char *why)
{
	uint64_t before = agent_serial(&host.agent);

	assert_int_equal(reload(), before);
	assert_problem(why);
}

static const char *beside(const char *name)
{
	static char path[160];

	(void)snprintf(path, sizeof(path), "%s/%s", host.etc, name);
	return path;
}

/* ---- what lies where the policy should ----------------------------------- */

static void make_fifo(const char *path)
{
	assert_int_equal(mkfifo(path, 0600), 0);
}

static void make_directory(const char *path)
{
	assert_int_equal(mkdir(path, 0755), 0);
}

static void make_loop(const char *path)
{
	assert_int_equal(symlink(path, path), 0);
}

static void make_link_to_device(const char *path)
{
	assert_int_equal(symlink("/dev/zero", path), 0);
}

static void make_device(const char *path)
{
	/* Only root can, and not everywhere. */
	if (mknod(path, S_IFCHR | 0600, 1 << 8 | 5))
		make_fifo(path);
}

/* With holes: it takes no room. */
static void make_huge(const char *path)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);

	assert_true(fd >= 0);
	assert_int_equal(ftruncate(fd, POLICY_FILE_BYTES_MAX + 1), 0);
	(void)close(fd);
}

static const struct {
	void (*make)(const char *path);
	const char *why;
} things[] = {
	{make_fifo, "is not a regular file"},
	{make_directory, "is not a regular file"},
	{make_loop, "is a symbolic link"},
	{make_link_to_device, "is a symbolic link"},
	{make_device, "is not a regular file"},
	{make_huge, "more than 16 MiB"},
};
#define THINGS (sizeof(things) / sizeof(things[0]))

static void replace(const char *path, size_t with)
{
	assert_int_equal(remove(path), 0);
	things[with].make(path);
}

static void policy_is_refused_when_it_is_no_file(void **state)
{
	(void)state;
	enrol();
	for (size_t i = 0; i < THINGS; i++) {
		replace(host.policy, i);
		assert_refused(things[i].why);
		/* Nor does it keep a host from starting with what it had. */
		assert_int_equal(start(true), 5);
		assert_problem(things[i].why);
		assert_int_equal(remove(host.policy), 0);
		put_policy(5, ALICE | BOB);
		assert_int_equal(reload(), 5);
		assert_string_equal(host.agent.problem, "");
	}
}

static void anchors_are_refused_when_they_are_no_file(void **state)
{
	(void)state;
	enrol();
	for (size_t i = 0; i < THINGS; i++) {
		replace(host.trust, i);
		assert_int_equal(reload(), 5);
		if (!strstr(host.agent.trust_problem, things[i].why))
			fail_msg("got: %s", host.agent.trust_problem);
		assert_int_equal(start(false), 5);
		assert_int_equal(host.agent.trust->version, 1);
		assert_int_equal(remove(host.trust), 0);
		put_trust(1, 2, ALICE | BOB | CAROL, 0, 0);
		assert_int_equal(reload(), 5);
		assert_string_equal(host.agent.trust_problem, "");
	}
}

static void signature_counts_nothing_when_it_is_no_file(void **state)
{
	char bob[160];

	(void)state;
	enrol();
	for (size_t i = 0; i < THINGS; i++) {
		put_policy(6, ALICE | BOB);
		(void)strcpy(bob, beside("policy.yaml.bob.minisig"));
		replace(bob, i);
		assert_refused("1 of 2 signatures");
		assert_int_equal(remove(bob), 0);
	}
	/* Nor one that others could have changed. */
	put_policy(6, ALICE | BOB);
	assert_int_equal(chmod(bob, 0666), 0);
	assert_refused("can be changed by others than root");
	assert_int_equal(chmod(bob, 0644), 0);
	assert_int_equal(reload(), 6);
}

static void too_many_signatures_are_refused(void **state)
{
	char path[192];

	(void)state;
	enrol();
	put_policy(6, ALICE | BOB);
	for (int i = 0; i < TRUST_SIGNATURES_MAX - 1; i++) {
		(void)snprintf(path, sizeof(path), "%s.%d.minisig", host.policy,
			       i);
		put(path, "x");
	}
	assert_refused("more than 32 signatures lie beside it");
	(void)unlink(path);
	assert_int_equal(reload(), 6);
}

/* ---- where it lies ------------------------------------------------------- */

static void policy_is_refused_when_others_can_write_to_its_folder(void **state)
{
	(void)state;
	enrol();
	put_policy(6, ALICE | BOB);
	assert_int_equal(chmod(host.etc, 0777), 0);
	assert_refused("others than root can change");
	assert_int_equal(chmod(host.etc, 01777), 0);
	assert_refused("others than root can change");
	assert_int_equal(chmod(host.etc, 0755), 0);
	assert_int_equal(chmod(host.policy, 0646), 0);
	assert_refused("others than root can change");
	assert_int_equal(chmod(host.policy, 0644), 0);
	assert_int_equal(reload(), 6);
}

static void policy_is_refused_when_its_folder_is_a_link(void **state)
{
	char elsewhere[96];

	(void)state;
	enrol();
	put_policy(6, ALICE | BOB);
	(void)snprintf(elsewhere, sizeof(elsewhere), "%s/elsewhere", host.dir);
	assert_int_equal(rename(host.etc, elsewhere), 0);
	assert_int_equal(symlink(elsewhere, host.etc), 0);
	assert_refused("is a symbolic link");
	assert_int_equal(unlink(host.etc), 0);
	assert_int_equal(rename(elsewhere, host.etc), 0);
	assert_int_equal(reload(), 6);
}

/* ---- what is in it ------------------------------------------------------- */

/* Changes what lies there, and leaves the signatures as they are. */
static void overwrite(const char *path, const char *text, size_t len)
{
	int fd = open(path, O_WRONLY | O_TRUNC | O_CLOEXEC);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, len), len);
	(void)close(fd);
}

static void policy_is_refused_when_any_byte_is_another(void **state)
{
	char text[1024], *copy;
	size_t len;

	(void)state;
	enrol();
	put_policy(6, ALICE | BOB);
	read_whole(host.policy, text, sizeof(text));
	len = strlen(text);
	copy = strdup(text);
	assert_non_null(copy);
	for (size_t i = 0; i < len; i++) {
		copy[i] ^= 1;
		overwrite(host.policy, copy, len);
		assert_int_equal(reload(), 5);
		assert_problem("0 of 2 signatures");
		copy[i] ^= 1;
	}
	overwrite(host.policy, copy, len);
	free(copy);
	assert_int_equal(reload(), 6);
}

static void policy_is_refused_when_it_is_cut_or_longer(void **state)
{
	char text[1024];
	size_t len;

	(void)state;
	enrol();
	put_policy(6, ALICE | BOB);
	read_whole(host.policy, text, sizeof(text));
	len = strlen(text);
	for (size_t i = 0; i < len; i++) {
		overwrite(host.policy, text, i);
		assert_int_equal(reload(), 5);
	}
	text[len] = '\n';
	overwrite(host.policy, text, len + 1);
	assert_refused("0 of 2 signatures");
	text[len] = '\0';
	overwrite(host.policy, text, len + 1);
	assert_refused("0 of 2 signatures");
	overwrite(host.policy, text, len);
	assert_int_equal(reload(), 6);
}

static void signature_counts_nothing_when_any_byte_is_another(void **state)
{
	char text[1024], bob[160], *copy;
	size_t len, from;

	(void)state;
	enrol();
	put_policy(6, ALICE | BOB);
	(void)strcpy(bob, beside("policy.yaml.bob.minisig"));
	read_whole(bob, text, sizeof(text));
	len = strlen(text);
	copy = strdup(text);
	assert_non_null(copy);
	/* Nobody signs the first line. */
	from = (size_t)(strchr(text, '\n') - text);
	for (size_t i = from; i < len; i++) {
		copy[i] ^= 1;
		overwrite(bob, copy, len);
		if (reload() != 5)
			fail_msg("byte %zu of the signature", i);
		copy[i] ^= 1;
	}
	/* Cut, but for its last newline; and longer. */
	for (size_t i = 0; i < len - 1; i++) {
		overwrite(bob, text, i);
		if (reload() != 5)
			fail_msg("%zu bytes of the signature", i);
	}
	free(copy);
	text[len] = '\n';
	overwrite(bob, text, len + 1);
	assert_refused("1 of 2 signatures");
	overwrite(bob, text, len);
	assert_int_equal(reload(), 6);
}

/* Two people can sign by mistake what no host takes. */
static void signed_policy_is_refused_when_it_is_none(void **state)
{
	static const struct {
		const char *text, *why;
	} cases[] = {
		{"cordon: 1\nissuer: Police\nserial: 6\nserial: 7\nrules: []\n"
		 "datasets: {d: {paths: [/srv/d], record: file}}\n",
		 "\"serial\""},
		{"cordon: 1\nissuer: &a [x, x]\nb: &b [*a, *a]\n", "anchor"},
		{"cordon: 1\nissuer: Police\nserial: 6\n---\ncordon: 1\n",
		 "document"},
		{"cordon: 2\nissuer: Police\nserial: 6\n", "cordon"},
		{"cordon-trust: 1\nissuer: Police\nversion: 2\n",
		 "found trust anchors"},
	};

	(void)state;
	enrol();
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		put_signed(host.policy, cases[i].text, ALICE | BOB);
		assert_refused(cases[i].why);
	}
	put_policy(6, ALICE | BOB);
	assert_int_equal(reload(), 6);
}

/* Each list of ten has the one before ten times: ten lines are 10^10 values. */
static void alias_bomb_is_refused_at_once(void **state)
{
	char text[2048] = "cordon: 1\na0: &a0 [x, x, x, x, x, x, x, x, x, x]\n";
	size_t len = strlen(text);

	(void)state;
	enrol();
	for (int i = 1; i < 10; i++) {
		len += (size_t)snprintf(text + len, sizeof(text) - len,
					"a%d: &a%d [", i, i);
		for (int j = 0; j < 10; j++)
			len += (size_t)snprintf(text + len, sizeof(text) - len,
						"%s*a%d", j ? ", " : "", i - 1);
		len += (size_t)snprintf(text + len, sizeof(text) - len, "]\n");
	}
	put_signed(host.policy, text, ALICE | BOB);
	assert_refused("anchor");
}

static void policy_is_refused_before_its_time_and_elsewhere(void **state)
{
	(void)state;
	enrol();
	put_policy_of("Police", 6, "not-before: 2100-01-01T00:00:00Z\n",
		      ALICE | BOB);
	assert_refused("not valid before 2100-01-01");
	put_policy_of("Police", 6, "expires: 2020-01-01T00:00:00Z\n",
		      ALICE | BOB);
	assert_refused("it expired at 2020-01-01");
	put_policy_of("Police", 6, "hosts: [another-host]\n", ALICE | BOB);
	assert_refused("not for this host");
	put_policy_of("Others", 6, "", ALICE | BOB);
	assert_refused("its issuer is Others");
	put_policy(6, ALICE | BOB);
	assert_int_equal(reload(), 6);
}

/* ---- while it is read ---------------------------------------------------- */

/* Writes the one over the other in place, as fast as it can. */
static pid_t change_always(const char *a, const char *b, size_t len)
{
	pid_t pid = fork();
	int fd;

	assert_true(pid >= 0);
	if (pid)
		return pid;
	fd = open(host.policy, O_WRONLY | O_CLOEXEC);
	while (fd >= 0)
		if (pwrite(fd, a, len, 0) < 0 || pwrite(fd, b, len, 0) < 0)
			break;
	_exit(1);
}

static void what_was_verified_is_what_comes_into_force(void **state)
{
	char good[1024], bad[1024], hash[SIGN_HASH_CHARS_MAX];
	int status;
	pid_t pid;

	(void)state;
	enrol();
	put_policy_of("Police", 6, "# the one that was signed\n", ALICE | BOB);
	read_whole(host.policy, good, sizeof(good));
	(void)strcpy(bad, good);
	memcpy(strstr(bad, "enforce"), "observe", 7);
	sign_hash(good, strlen(good), hash);
	pid = change_always(good, bad, strlen(good));
	for (int i = 0; i < 60; i++) {
		if (reload() == 5)
			continue;
		assert_string_equal(host.agent.policy->sha256, hash);
		assert_int_equal(host.agent.policy->mode, POLICY_ENFORCE);
	}
	assert_int_equal(kill(pid, SIGKILL), 0);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	overwrite(host.policy, good, strlen(good));
	assert_int_equal(reload(), 6);
}

/* ---- no room ------------------------------------------------------------- */

/* As if the disk were full for that file of the state directory: nothing can be
 * written beside it, to take its place. */
static void leave_no_room(const char *name)
{
	char path[64];

	(void)snprintf(path, sizeof(path), "%s.new", name);
	assert_int_equal(mkdir(kept(path), 0700), 0);
}

static void make_room(const char *name)
{
	char path[64];

	(void)snprintf(path, sizeof(path), "%s.new", name);
	assert_int_equal(rmdir(kept(path)), 0);
}

static void anchors_change_whole_or_not_when_there_is_no_room(void **state)
{
	char before[4096], after[4096];

	(void)state;
	enrol();
	read_whole(kept("trust.yaml"), before, sizeof(before));
	put_trust(2, 2, ALICE | BOB, CAROL, ALICE | BOB);
	leave_no_room("trust.yaml");
	assert_int_equal(reload(), 5);
	make_room("trust.yaml");
	assert_int_equal(host.agent.trust->version, 1);
	assert_non_null(strstr(host.agent.trust_problem, "make room"));
	read_whole(kept("trust.yaml"), after, sizeof(after));
	assert_string_equal(before, after);
	assert_int_equal(start(false), 5);
	assert_int_equal(host.agent.trust->version, 2);
}

static void host_is_not_enrolled_when_there_is_no_room(void **state)
{
	(void)state;
	put_policy(5, 0);
	assert_int_equal(start(true), 5);
	put_trust(1, 2, ALICE | BOB | CAROL, 0, 0);
	put_policy(6, ALICE | BOB);
	leave_no_room("trust.yaml");
	assert_int_equal(reload(), 5);
	assert_null(host.agent.trust);
	assert_int_equal(access(kept("trust.yaml"), F_OK), -1);
	make_room("trust.yaml");
	/* Nor if what it has to remember then cannot be. */
	leave_no_room("remembered.json");
	assert_int_equal(reload(), 5);
	assert_null(host.agent.trust);
	assert_int_equal(access(kept("trust.yaml"), F_OK), -1);
	make_room("remembered.json");
	assert_int_equal(reload(), 6);
	assert_non_null(host.agent.trust);
}

/* It is in force, which is what the issuer wants, and kept once that can be. */
static void policy_is_kept_later_when_there_is_no_room(void **state)
{
	(void)state;
	enrol();
	put_policy(7, ALICE | BOB);
	leave_no_room("policy.json");
	leave_no_room("remembered.json");
	assert_int_equal(reload(), 7);
	make_room("policy.json");
	make_room("remembered.json");
	agent_remember_look(&host.agent);
	put(host.policy, "");
	assert_int_equal(start(true), 7);
	put_policy(5, ALICE | BOB);
	assert_int_equal(start(true), 7);
	assert_problem("is older than 7");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		on_a_host(policy_is_refused_when_it_is_no_file),
		on_a_host(anchors_are_refused_when_they_are_no_file),
		on_a_host(signature_counts_nothing_when_it_is_no_file),
		on_a_host(too_many_signatures_are_refused),
		on_a_host(
			policy_is_refused_when_others_can_write_to_its_folder),
		on_a_host(policy_is_refused_when_its_folder_is_a_link),
		on_a_host(policy_is_refused_when_any_byte_is_another),
		on_a_host(policy_is_refused_when_it_is_cut_or_longer),
		on_a_host(signature_counts_nothing_when_any_byte_is_another),
		on_a_host(signed_policy_is_refused_when_it_is_none),
		on_a_host(alias_bomb_is_refused_at_once),
		on_a_host(policy_is_refused_before_its_time_and_elsewhere),
		on_a_host(what_was_verified_is_what_comes_into_force),
		on_a_host(anchors_change_whole_or_not_when_there_is_no_room),
		on_a_host(host_is_not_enrolled_when_there_is_no_room),
		on_a_host(policy_is_kept_later_when_there_is_no_room),
	};

	return cmocka_run_group_tests(tests, make_people, NULL);
}
