// SPDX-License-Identifier: GPL-2.0-only
/*
 * The loader on a real kernel, without an agent around it: load, adopt, test
 * the hooks, apply a policy, label, refuse a bad policy, save, detach. Runs as
 * root in the VM bench; exit 0 if every line says ok.
 *
 * usage: guard_smoke auto|lsm|fmod
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "guard.h"

static int failed, errors;

static void say_fn(enum guard_level level, const char *text, void *arg)
{
	static const char *const words[] = {"note", "warning", "error"};

	(void)arg;
	errors += level == GUARD_ERROR;
	printf("  %s: %s\n", words[level], text);
}

static const struct guard_say say = {say_fn, NULL};

static void check(bool ok, const char *what)
{
	printf("%s %s\n", ok ? "ok  " : "FAIL", what);
	fflush(stdout);
	failed += !ok;
}

static void write_file(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0644);

	if (fd < 0 || write(fd, text, strlen(text)) < 0)
		check(false, path);
	(void)close(fd);
}

/* What another process gets when it reads path: 0 or an errno. */
static int read_as_other(const char *path)
{
	char buf[64];
	int fd, status;
	pid_t pid;

	pid = fork();
	if (!pid) {
		fd = open(path, O_RDONLY);
		if (fd < 0)
			_exit(errno);
		_exit(read(fd, buf, sizeof(buf)) < 0 ? errno : 0);
	}
	(void)waitpid(pid, &status, 0);
	return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static struct policy *parse(const char *text)
{
	struct policy_errors *errs = calloc(1, sizeof(*errs));
	struct policy *policy = NULL;
	size_t i;

	(void)policy_parse("smoke", text, strlen(text), &policy, errs);
	for (i = 0; i < errs->n; i++)
		printf("  %s\n", errs->v[i].text);
	free(errs);
	return policy;
}

static const char policy_text[] =
	"cordon: 1\nissuer: smoke\nserial: 7\nmode: enforce\n"
	"datasets:\n"
	"  photos: {paths: [/root/d/photos, /root/d/late/deep], record: file}\n"
	"  roster: {paths: [/root/d/roster.csv], record: line}\n"
	"subjects:\n"
	"  reader: {exe: /root/d/reader}\n"
	"  nobody: {user: no-such-user}\n"
	"destinations:\n"
	"  printers: {networks: [10.20.0.0/24], ports: [631, 9100]}\n"
	"rules:\n"
	"  - {subject: reader, dataset: \"*\", read: unlimited}\n"
	"  - {subject: \"*\", dataset: photos, read: 2 records/day}\n";

static const char policy_proc[] =
	"cordon: 1\nissuer: smoke\nserial: 8\n"
	"datasets:\n  photos: {paths: [/proc/sys], record: file}\n"
	"rules:\n  - {subject: \"*\", dataset: photos, read: unlimited}\n";

static const char policy_less[] =
	"cordon: 1\nissuer: smoke\nserial: 9\n"
	"datasets:\n"
	"  photos: {paths: [/root/d/photos], record: file}\n"
	"rules:\n  - {subject: \"*\", dataset: photos, read: 3 records/day}\n";

static const char policy_none[] =
	"cordon: 1\nissuer: smoke\nserial: 10\n"
	"datasets:\n"
	"  photos: {paths: [/root/d/photos], record: file}\n"
	"rules:\n  - {subject: \"*\", dataset: photos, read: none}\n";

static int apply(struct guard *guard, const char *text,
		 struct guard_applied *ret)
{
	struct policy *policy = parse(text);
	int r;

	if (!policy)
		return -EINVAL;
	r = guard_apply_policy(guard, policy, true, NULL, NULL, &say, ret);
	policy_free(policy);
	return r;
}

/* The kernel lets go of a program a moment after its last link. */
static bool unguarded(void)
{
	for (int i = 0; i < 30; i++) {
		if (read_as_other("/root/d/photos/3") == 0)
			return true;
		(void)usleep(100000);
	}
	return false;
}

static int print_budget(const struct guard_budget *b, void *arg)
{
	uint64_t *used = arg;

	printf("  budget rule %u dataset %u: %llu of %llu, window %llu\n",
	       b->key.rule, b->key.dataset, (unsigned long long)b->used,
	       (unsigned long long)b->max, (unsigned long long)b->window_ns);
	if (b->key.unit == UNIT_RECORDS)
		*used += b->used;
	return 0;
}

static int print_event(const struct event *event, void *arg)
{
	int *n = arg;

	printf("  event type %u verdict %u dataset %u %s\n", event->type,
	       event->verdict, event->dataset, event->name);
	(*n)++;
	return 0;
}

static int count_event(const struct event *event, void *arg)
{
	(void)event;
	(void)arg;
	return 0;
}

/* What the agent does when the guard has told of something. */
static int look_again(struct guard *guard)
{
	struct pollfd p = {.fd = guard_watch_fd(guard), .events = POLLIN};
	int r;

	r = guard_events(guard, count_event, NULL);
	if (r < 0)
		return r;
	guard_notice(guard, false);
	(void)poll(&p, 1, 500);
	return guard_watch_handle(guard, &say);
}

int main(int argc, char **argv)
{
	struct guard_options opts = {.max_records = 65536};
	struct guard_applied applied = {0};
	struct guard_hooks hooks = {0};
	struct guard_probe *probe = calloc(1, sizeof(*probe));
	struct guard_stats stats;
	struct guard *guard = NULL, *beside = NULL;
	uint64_t used = 0, generation;
	bool adopted;
	char path[128];
	int r, n, i;
	struct timespec t0, t1;

	if (argc > 1 && !strcmp(argv[1], "lsm"))
		opts.attach = GUARD_ATTACH_LSM;
	if (argc > 1 && !strcmp(argv[1], "fmod"))
		opts.attach = GUARD_ATTACH_FMOD;

	(void)mkdir("/root/d", 0755);
	check(!mount("tmpfs", "/root/d", "tmpfs", 0, ""), "a tmpfs is mounted");
	(void)mkdir("/root/d/photos", 0755);
	for (i = 0; i < 2000; i++) {
		(void)snprintf(path, sizeof(path), "/root/d/photos/%d", i);
		write_file(path, "photo");
	}
	write_file("/root/d/roster.csv",
		   "id,name\n12345,Alice Smith\n54321,Bob\n");

	r = guard_probe(probe);
	for (i = 0; i < (int)probe->n_findings; i++)
		if (probe->findings[i].status != GUARD_GOOD)
			printf("  %s: %s; %s\n", probe->findings[i].what,
			       probe->findings[i].text,
			       probe->findings[i].remedy);
	check(!r && probe->usable, "guard_probe finds the kernel usable");
	free(probe);

	r = guard_open(&opts, &say, &guard, &adopted);
	check(!r && !adopted, "guard_open loads");
	if (r)
		return 1;
	r = guard_probe_hooks(guard, "/root/d", &say, &hooks);
	printf("  hooks expected %llx seen %llx\n",
	       (unsigned long long)hooks.expected,
	       (unsigned long long)hooks.seen);
	check(!r && hooks.expected && !(hooks.expected & ~hooks.seen),
	      "every hook sees the probe");

	check(read_as_other("/root/d/photos/1") == 0,
	      "a file is readable before there is a policy");
	(void)clock_gettime(CLOCK_MONOTONIC, &t0);
	r = apply(guard, policy_text, &applied);
	(void)clock_gettime(CLOCK_MONOTONIC, &t1);
	printf("  %llu files, %u roots, %u awaited, %u unresolved, %.2f s\n",
	       (unsigned long long)applied.files, applied.roots,
	       applied.awaited, applied.unresolved,
	       (double)(t1.tv_sec - t0.tv_sec) +
		       (double)(t1.tv_nsec - t0.tv_nsec) / 1e9);
	check(!r && applied.files == 2000 && applied.roots == 2 &&
		      applied.awaited == 1 && applied.unresolved == 2,
	      "a policy is applied");
	r = guard_stats(guard, &stats);
	check(!r && stats.labels == 2001 && stats.policy_serial == 7,
	      "every file has its label");

	check(read_as_other("/root/d/photos/1") == 0, "a first record is read");
	check(read_as_other("/root/d/photos/2") == 0,
	      "a second record is read");
	check(read_as_other("/root/d/photos/3") != 0, "a third one is refused");
	check(read_as_other("/root/d/roster.csv") != 0,
	      "what no rule covers is refused");
	r = guard_each_budget(guard, print_budget, &used);
	check(!r && used == 2, "the budget says what was used");
	n = 0;
	r = guard_events(guard, print_event, &n);
	check(r == n && n >= 2, "events come through");

	/* A dataset's root that is made later. */
	(void)mkdir("/root/d/late", 0755);
	r = look_again(guard);
	(void)mkdir("/root/d/late/deep", 0755);
	write_file("/root/d/late/deep/x", "late");
	check(!r && read_as_other("/root/d/late/deep/x") != 0,
	      "a root that appears is guarded at once");
	r = look_again(guard);
	check(!r, "the watch says so too");

	/* Replaced by rename, as editors do. */
	write_file("/root/d/new", "id,name\n1,x\n");
	(void)rename("/root/d/new", "/root/d/roster.csv");
	check(read_as_other("/root/d/roster.csv") != 0,
	      "a file that takes a root's name is guarded at once");
	r = look_again(guard);

	/* The subject's program comes into being. */
	check(system("cp /bin/cat /root/d/reader") == 0, "a program is copied");
	check(WEXITSTATUS(system("/root/d/reader /root/d/photos/9 >/dev/null "
				 "2>&1")) != 0,
	      "an unknown executable is refused");
	r = look_again(guard);
	check(!r && WEXITSTATUS(system("/root/d/reader /root/d/photos/9 "
				       ">/dev/null")) == 0,
	      "the executable is known after a change of its directory");

	/* Mounts: inside of a dataset, and over a root. */
	(void)mkdir("/root/d/photos/in", 0755);
	(void)mkdir("/root/d/bound", 0755);
	write_file("/root/d/bound/y", "bound");
	(void)mount("/root/d/bound", "/root/d/photos/in", NULL, MS_BIND, NULL);
	r = look_again(guard);
	check(!r && read_as_other("/root/d/bound/y") != 0,
	      "what is mounted inside a dataset belongs to it");
	(void)mount("tmpfs", "/root/d/late/deep", "tmpfs", 0, "");
	write_file("/root/d/late/deep/z", "over");
	r = look_again(guard);
	check(!r && read_as_other("/root/d/late/deep/z") != 0,
	      "what is mounted over a root is guarded");
	r = guard_sweep(guard, NULL);
	check(!r, "touched records are swept");

	generation = guard_state(guard)->generation;
	errors = 0;
	r = apply(guard, policy_proc, NULL);
	check(r == -EOPNOTSUPP && errors == 1 &&
		      guard_state(guard)->generation == generation,
	      "a policy over procfs is refused and nothing changes");

	r = guard_save_state(guard, "/root/state.json", &say);
	check(!r, "state is saved");
	guard_close(guard);
	guard = NULL;
	check(read_as_other("/root/d/photos/3") != 0,
	      "the guard goes on without an agent");
	r = guard_open(&opts, &say, &guard, &adopted);
	check(!r && adopted, "guard_open adopts");
	r = apply(guard, policy_less, &applied);
	check(!r && applied.unlabelled >= 1,
	      "labels of a dropped dataset are removed");
	check(read_as_other("/root/d/roster.csv") == 0,
	      "a dropped dataset is readable again");
	used = 0;
	r = guard_each_budget(guard, print_budget, &used);
	check(!r && used == 2, "budgets are kept over policies");
	guard_close(guard);

	(void)unlink("/sys/fs/bpf/cordon/rules");
	errors = 0;
	r = guard_open(&opts, &say, &guard, &adopted);
	check(r == -EUCLEAN && errors == 1, "a missing pin is told");
	r = guard_detach_pins(NULL, &say);
	check(!r && access(CORDON_PIN_DIR, F_OK) < 0, "pins are cleared");
	check(unguarded(), "nothing is guarded now");

	/* As after a reboot. */
	r = guard_open(&opts, &say, &guard, &adopted);
	check(!r && !adopted, "a second load");
	r = guard_load_state(guard, "/root/state.json", &say);
	used = 0;
	if (!r)
		r = apply(guard, policy_less, &applied);
	if (!r)
		r = guard_each_budget(guard, print_budget, &used);
	check(!r && used == 2, "budgets come back");
	opts.unpinned = true;
	r = guard_open(&opts, &say, &beside, &adopted);
	check(!r && !adopted, "an unpinned guard loads beside a pinned one");
	r = r ? r : guard_probe_hooks(beside, NULL, &say, &hooks);
	check(!r && !(hooks.expected & ~hooks.seen), "its hooks are alive");
	guard_close(beside);
	r = guard_detach(guard, &say);
	guard_close(guard);
	check(!r && access(CORDON_PIN_DIR, F_OK) < 0, "guard_detach");

	check(unguarded(), "nothing is guarded before an unpinned guard");
	r = guard_open(&opts, &say, &guard, &adopted);
	r = r ? r : apply(guard, policy_none, &applied);
	check(!r && read_as_other("/root/d/photos/3") == EACCES,
	      "an unpinned guard refuses");
	check(access(CORDON_PIN_DIR, F_OK) < 0, "an unpinned guard has no pin");
	guard_close(guard);
	check(unguarded(), "an unpinned guard ends when it is closed");
	printf("%d failed\n", failed);
	return failed != 0;
}
