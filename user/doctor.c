// SPDX-License-Identifier: GPL-2.0-only
#include "doctor.h"
#include "dataset.h"
#include "enrolment.h"
#include "guard.h"
#include "policy.h"
#include "text.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/timex.h>
#include <time.h>
#include <unistd.h>

/* Nobody ran this before it was written: an older clock is wrong. */
#define CLOCK_EARLIEST_S 1764000000 /* November 2025 */

struct doctor {
	const struct doctor_options *opts;
	struct doctor_result result;
	doctor_fn fn;
	void *arg;
	/* What the guard said last, for the item that reports it. */
	char said[sizeof(((struct doctor_item *)0)->text)];
};

static void emit(struct doctor *doctor, const struct doctor_item *item)
{
	doctor->result.n[item->status]++;
	doctor->fn(item, doctor->arg);
}

/* format is for the text; what to do stands in remedy. */
static void report(struct doctor *doctor, enum doctor_status status,
		   const char *what, const char *remedy, const char *format,
		   ...) __attribute__((format(printf, 5, 6)));

static void report(struct doctor *doctor, enum doctor_status status,
		   const char *what, const char *remedy, const char *format,
		   ...)
{
	struct doctor_item item = {.status = status};
	va_list ap;

	(void)snprintf(item.what, sizeof(item.what), "%s", what);
	(void)snprintf(item.remedy, sizeof(item.remedy), "%s", remedy);
	va_start(ap, format);
	(void)vsnprintf(item.text, sizeof(item.text), format, ap);
	va_end(ap);
	emit(doctor, &item);
}

static void note(enum guard_level level, const char *text, void *arg)
{
	struct doctor *doctor = arg;

	/* The first error is the cause; what follows is its consequence. */
	if (level == GUARD_ERROR && !doctor->said[0])
		(void)snprintf(doctor->said, sizeof(doctor->said), "%s", text);
}

/* ---- the kernel --------------------------------------------------------- */

static int check_kernel(struct doctor *doctor, bool *ret_usable)
{
	static const enum doctor_status statuses[] = {
		[GUARD_GOOD] = DOCTOR_OK,
		[GUARD_POOR] = DOCTOR_WARN,
		[GUARD_MISSING] = DOCTOR_FAIL,
	};
	struct guard_probe *probe = NULL;
	const struct guard_finding *finding;
	unsigned int hooks = 0;
	int r;

	probe = malloc(sizeof(*probe));
	if (!probe)
		return -ENOMEM;
	r = guard_probe(probe);
	if (r)
		goto out;
	for (size_t i = 0; i < probe->n_findings; i++) {
		finding = &probe->findings[i];
		/* Two dozen lines that say "there" hide the one that does
		 * not. */
		if (finding->status == GUARD_GOOD &&
		    strncmp(finding->what, "hook ", 5) == 0)
			hooks++;
		else
			report(doctor, statuses[finding->status], finding->what,
			       finding->remedy, "%s", finding->text);
	}
	if (hooks)
		report(doctor, DOCTOR_OK, "places for hooks", "",
		       "%u of the functions that the guard attaches to are in "
		       "this kernel",
		       hooks);
	*ret_usable = probe->usable;
out:
	free(probe);
	return r;
}

/* ---- the host ----------------------------------------------------------- */

static void check_clock(struct doctor *doctor)
{
	struct timex timex = {0};
	char now[TEXT_NUMBER_CHARS_MAX];
	time_t t = time(NULL);

	text_format_time(t, now, sizeof(now));
	if (t < CLOCK_EARLIEST_S)
		report(doctor, DOCTOR_FAIL, "clock",
		       "set the clock: timedatectl set-ntp true",
		       "it is %s here: no policy can be judged by that clock",
		       now);
	else if (adjtimex(&timex) == TIME_ERROR)
		report(doctor, DOCTOR_WARN, "clock",
		       "start time synchronization: timedatectl set-ntp true",
		       "%s, but nothing keeps it right: a policy's validity "
		       "and "
		       "every time in a report depend on it",
		       now);
	else
		report(doctor, DOCTOR_OK, "clock", "", "%s, synchronized", now);
}

static void check_directory(struct doctor *doctor, const char *what,
			    const char *path)
{
	char remedy[512];
	struct stat st;

	if (lstat(path, &st) < 0 && errno == ENOENT) {
		report(doctor, DOCTOR_OK, what, "",
		       "%s: not there yet, cordond makes it", path);
		return;
	}
	if (lstat(path, &st) < 0) {
		report(doctor, DOCTOR_WARN, what,
		       "run this as root: sudo cordon doctor", "%s: %s", path,
		       strerror(errno));
		return;
	}
	(void)snprintf(remedy, sizeof(remedy),
		       "chown root:root %s; chmod go-w %s", path, path);
	if (!S_ISDIR(st.st_mode))
		report(doctor, DOCTOR_FAIL, what, "move it away",
		       "%s is not a directory", path);
	else if (st.st_uid != 0 || (st.st_mode & 022))
		report(doctor, DOCTOR_FAIL, what, remedy,
		       "%s can be changed by others than root", path);
	else
		report(doctor, DOCTOR_OK, what, "", "%s", path);
}

/* ---- the policy --------------------------------------------------------- */

struct warnings {
	struct doctor *doctor;
	const char *file;
	unsigned int n;
};

static void policy_warning(enum policy_finding kind, struct policy_pos pos,
			   const char *text, void *arg)
{
	struct warnings *warnings = arg;

	if (kind == POLICY_WARNING && warnings->n++ < 3)
		report(warnings->doctor, DOCTOR_WARN, "policy",
		       "cordon policy check shows all of them",
		       "%s:%" PRIu32 ":%" PRIu32 ": %s", warnings->file,
		       pos.line, pos.col, text);
}

/* A path that is misspelt looks like one that comes later. */
static void check_paths(struct doctor *doctor, const struct policy *policy)
{
	const struct policy_dataset *dataset;
	struct dataset_place place;
	char why[512];
	size_t i, k;
	int r;

	for (i = 0; i < policy->n_datasets; i++) {
		dataset = &policy->datasets[i];
		for (k = 0; k < dataset->n_paths; k++) {
			why[0] = '\0';
			r = dataset_resolve(dataset->paths[k].path, &place, why,
					    sizeof(why));
			if (r == -EACCES)
				report(doctor, DOCTOR_WARN, "dataset",
				       "run this as root: sudo cordon doctor",
				       "%.64s: %.300s may not be looked at",
				       dataset->name, dataset->paths[k].path);
			else if (r)
				report(doctor, DOCTOR_FAIL, "dataset",
				       "cordond refuses such a policy: correct "
				       "it, or move the data",
				       "%.64s: %.400s", dataset->name,
				       *why ? why : strerror(-r));
			else if (!place.exists)
				report(doctor, DOCTOR_WARN, "dataset",
				       "nothing, if the path is right: it is "
				       "guarded when it comes; else correct "
				       "the "
				       "policy",
				       "%.64s: %.400s is not there yet",
				       dataset->name, dataset->paths[k].path);
		}
	}
}

/* What cannot be quiet is followed; the policy is taken all the same. */
static void check_quiet_paths(struct doctor *doctor,
			      const struct policy *policy)
{
	const struct policy_quiet *quiet;
	struct dataset_place place;
	char why[512];
	size_t i, k;
	int r;

	for (i = 0; i < policy->n_quiet; i++) {
		quiet = &policy->quiet[i];
		for (k = 0; k < quiet->n_paths; k++) {
			why[0] = '\0';
			r = dataset_resolve(quiet->paths[k].path, &place, why,
					    sizeof(why));
			if (r && r != -EACCES)
				report(doctor, DOCTOR_WARN, "quiet files",
				       "correct the policy if the file has to "
				       "be quiet: what holders write there is "
				       "followed",
				       "%.64s: %.400s", quiet->name,
				       *why ? why : strerror(-r));
		}
	}
}

/* Who has signed the enrolment is for the agent to know. */
static void name_host(const struct doctor_options *opts,
		      char ret_host[POLICY_HOST_CHARS_MAX + 1])
{
	const char *file = opts->enrolment_file;
	struct enrolment *enrolment = NULL;
	void *bytes = NULL;
	size_t len;

	if (!opts->host && file && !policy_read(file, &bytes, &len, NULL))
		(void)enrolment_parse(file, bytes, len, &enrolment, NULL);
	memset(ret_host, 0, POLICY_HOST_CHARS_MAX + 1);
	if (opts->host || enrolment)
		(void)snprintf(ret_host, POLICY_HOST_CHARS_MAX + 1, "%s",
			       opts->host ? opts->host : enrolment->host);
	else
		(void)gethostname(ret_host, POLICY_HOST_CHARS_MAX);
	enrolment_free(enrolment);
	free(bytes);
}

static void check_policy_content(struct doctor *doctor, const char *file,
				 const struct policy *policy)
{
	struct warnings warnings = {.doctor = doctor, .file = file};
	char host[POLICY_HOST_CHARS_MAX + 1] = "", until[TEXT_NUMBER_CHARS_MAX];
	int64_t now = time(NULL);

	name_host(doctor->opts, host);
	text_format_time(policy->expires_s, until, sizeof(until));
	if (!policy_covers_host(policy, host))
		report(doctor, DOCTOR_FAIL, "policy",
		       "ask the issuer to add this host's name to `hosts`",
		       "%s is not for this host, %s", file, host);
	else if (policy->not_before_s > now)
		report(doctor, DOCTOR_FAIL, "policy",
		       "wait, or correct this host's clock",
		       "%s, serial %" PRIu64 ", is not valid yet", file,
		       policy->serial);
	else if (policy->expires_s <= now)
		report(doctor, DOCTOR_WARN, "policy",
		       "ask the issuer for a new one; until then this one goes "
		       "on being enforced",
		       "%s, serial %" PRIu64 ", expired at %s", file,
		       policy->serial, until);
	else
		report(doctor, DOCTOR_OK, "policy", "",
		       "%s: %s, serial %" PRIu64 ", mode %s, %zu dataset%s",
		       file, policy->issuer, policy->serial,
		       policy_mode_name(policy->mode), policy->n_datasets,
		       policy->n_datasets == 1 ? "" : "s");
	(void)policy_check_warnings(policy, now, policy_warning, &warnings);
	if (!policy_covers_host(policy, host))
		return;
	check_paths(doctor, policy);
	if (policy->follow_files)
		check_quiet_paths(doctor, policy);
}

static int check_policy(struct doctor *doctor)
{
	const char *file = doctor->opts->policy_file;
	struct policy_errors *errs = NULL;
	struct policy *policy = NULL;
	int r;

	errs = malloc(sizeof(*errs));
	if (!errs)
		return -ENOMEM;
	r = policy_load(file, &policy, errs);
	if (r == -ENOMEM)
		goto out;
	if (!r)
		check_policy_content(doctor, file, policy);
	else if (r == -ENOENT)
		report(doctor, DOCTOR_FAIL, "policy",
		       "put the issuer's policy there, or name it with "
		       "--policy",
		       "%s: there is none", file);
	else if (r == -EACCES)
		report(doctor, DOCTOR_WARN, "policy",
		       "run this as root: sudo cordon doctor",
		       "%s may be read by root only", file);
	for (size_t i = 0; r && r != -ENOENT && r != -EACCES && i < errs->n;
	     i++)
		report(doctor, DOCTOR_FAIL, "policy",
		       "the policy has to be corrected by its issuer", "%s",
		       errs->v[i].text);
	r = 0;
out:
	policy_free(policy);
	free(errs);
	return r;
}

/* ---- the hooks, live ---------------------------------------------------- */

static void test_hooks(struct doctor *doctor, struct guard *guard)
{
	const struct guard_say say = {note, doctor};
	struct guard_hooks hooks = {0};
	char missing[256] = "";
	size_t len = 0;
	int r;

	doctor->said[0] = '\0';
	r = guard_probe_hooks(guard, NULL, &say, &hooks);
	if (r) {
		report(doctor, DOCTOR_FAIL, "hooks",
		       "make /run writable and free some space there",
		       "the test could not be made: %s",
		       doctor->said[0] ? doctor->said : strerror(-r));
		return;
	}
	for (uint32_t hook = 0; hook < HOOK_MAX; hook++) {
		if (!(hooks.expected & ~hooks.seen & 1ULL << hook))
			continue;
		len += (size_t)snprintf(missing + len, sizeof(missing) - len,
					"%s%s", len ? ", " : "",
					guard_hook_name(hook));
		if (len >= sizeof(missing))
			break;
	}
	if (hooks.expected & ~hooks.seen)
		report(doctor, DOCTOR_FAIL, "hooks",
		       "this kernel does not do what the guard relies on: boot "
		       "a supported one (cordond(8), KERNELS)",
		       "acts that the guard did not see: %s", missing);
	else
		report(doctor, DOCTOR_OK, "hooks", "",
		       "%d of %d acts were seen by the guard, attached by %s",
		       __builtin_popcountll(hooks.seen & hooks.expected),
		       __builtin_popcountll(hooks.expected),
		       guard_attached(guard) == GUARD_ATTACH_LSM ? "lsm"
								 : "fmod_ret");
}

static void check_hooks(struct doctor *doctor, bool usable)
{
	const struct guard_say say = {note, doctor};
	struct guard_options opts = {0};
	struct guard *guard = NULL;
	int r;

	if (doctor->opts->running) {
		test_hooks(doctor, doctor->opts->running);
		return;
	}
	if (!usable) {
		report(doctor, DOCTOR_WARN, "hooks",
		       "do what the failed checks above say, then again",
		       "not tested: the guard cannot be loaded here");
		return;
	}
	/* A guard of its own: the one that may be running is not touched, and
	 * when this process ends, in whatever way, it is gone. */
	if (doctor->opts->guard)
		opts = *doctor->opts->guard;
	opts.unpinned = true;
	opts.max_records = 1024;
	doctor->said[0] = '\0';
	r = guard_open(&opts, &say, &guard, NULL);
	if (r) {
		/* What can be seen of the host is in order, or it would not
		 * have been tried. */
		report(doctor, DOCTOR_FAIL, "hooks",
		       r == -EPERM
			       ? "run this on the host itself, not in a "
				 "container; there, look for a seccomp filter "
				 "and for lockdown: cordond would refuse to "
				 "start too"
			       : "cordond would refuse to start; report what "
				 "it says when it does, with the kernel's "
				 "version",
		       "the guard does not load: %s",
		       doctor->said[0] ? doctor->said : strerror(-r));
		return;
	}
	test_hooks(doctor, guard);
	guard_close(guard);
}

static void check_agent(struct doctor *doctor)
{
	const struct guard_state *state;
	char path[512];

	if (doctor->opts->running) {
		state = guard_state(doctor->opts->running);
		report(doctor, DOCTOR_OK, "agent", "",
		       "running, pid %d, policy serial %llu", (int)getpid(),
		       (unsigned long long)
			       state->policy_serial[state->generation & 1]);
		return;
	}
	(void)snprintf(path, sizeof(path), "%s/state",
		       doctor->opts->guard && doctor->opts->guard->pin_dir
			       ? doctor->opts->guard->pin_dir
			       : CORDON_PIN_DIR);
	if (access(path, F_OK) == 0)
		report(doctor, DOCTOR_WARN, "agent", "systemctl start cordond",
		       "not running; the guard goes on enforcing without it, "
		       "but nothing is reported and no policy can change");
	else
		report(doctor, DOCTOR_WARN, "agent", "systemctl start cordond",
		       "not running, and no guard is loaded: nothing is "
		       "protected");
}

int doctor_run(const struct doctor_options *opts, doctor_fn fn, void *arg,
	       struct doctor_result *ret_result)
{
	struct doctor doctor = {.opts = opts, .fn = fn, .arg = arg};
	bool usable = false;
	int r;

	r = check_kernel(&doctor, &usable);
	if (r)
		return r;
	check_clock(&doctor);
	check_directory(&doctor, "state directory", opts->state_dir);
	check_directory(&doctor, "run directory", opts->run_dir);
	r = check_policy(&doctor);
	if (r)
		return r;
	check_agent(&doctor);
	check_hooks(&doctor, usable);

	*ret_result = doctor.result;
	return 0;
}
