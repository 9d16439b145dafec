// SPDX-License-Identifier: GPL-2.0-only
/*
 * The guard of an agent that starts: adopted, or loaded with room for what the
 * policy is about and with what the boot before left.
 */
#include "agent.h"

#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "dataset.h"
#include "log.h"
#include "text.h"

#define COUNT_FILES 65536U /* between two words to systemd */

bool agent_guard_is_pinned(const struct agent_options *opts)
{
	char path[4096];

	(void)snprintf(path, sizeof(path), "%s/state", opts->guard.pin_dir);
	return access(path, F_OK) == 0;
}

/* ---- room for the files of the datasets ---------------------------------- */

static void count_file(int dir, const char *name, const char *path, void *arg)
{
	uint64_t *n = arg;

	(void)dir;
	(void)name;
	(void)path;
	if (!(++*n % COUNT_FILES))
		agent_notify("EXTEND_TIMEOUT_USEC=60000000\n"
			     "STATUS=counting the files of datasets: %" PRIu64,
			     *n);
}

static void count_paths(const struct policy_path *paths, size_t n_paths,
			uint64_t *n)
{
	const struct dataset_visitor counter = {.file = count_file, .arg = n};
	struct dataset_place place;
	char why[1024];

	for (size_t i = 0; i < n_paths; i++)
		/* What cannot be walked is told by the scan. */
		if (!dataset_resolve(paths[i].path, &place, why, sizeof(why)) &&
		    place.exists)
			(void)dataset_walk(place.real, &counter);
}

/*
 * Room for the files that the datasets have now and a quarter more: the tables
 * of a guard that runs cannot grow, and a file without a label is refused.
 */
static uint32_t records_of(const struct policy *policy)
{
	uint64_t n = 0;

	for (size_t i = 0; i < policy->n_datasets; i++)
		count_paths(policy->datasets[i].paths,
			    policy->datasets[i].n_paths, &n);
	/* They have labels too. */
	for (size_t i = 0; i < policy->n_quiet; i++)
		count_paths(policy->quiet[i].paths, policy->quiet[i].n_paths,
			    &n);
	n += n / 4;
	return n < GUARD_RECORDS_MAX ? (uint32_t)n : GUARD_RECORDS_MAX;
}

/* ---- what files carry over from the boot before -------------------------- */

static void search_progress(uint64_t files, void *arg)
{
	(void)arg;
	agent_notify("EXTEND_TIMEOUT_USEC=60000000\n"
		     "STATUS=the host ended uncleanly: looking for files that "
		     "changed since, %" PRIu64 " seen",
		     files);
}

/* What was saved and, if the boot before broke down, what changed since. */
static int find_kept(struct agent *agent, const struct policy *policy)
{
	char path[4096], except[PATH_MAX];
	int r;

	r = text_path(agent->opts->state_dir, AGENT_FILES_FILE, path,
		      sizeof(path));
	if (!r)
		r = guard_kept_read(path, &agent_say, &agent->kept);
	if (r || !guard_kept_unclean(agent->kept))
		return r;
	if (!policy || !policy->follow_files) {
		log_notice("the host ended uncleanly while holders were at "
			   "work; the policy follows no files, so none that "
			   "changed since is held");
		return 0;
	}
	log_notice("the host ended uncleanly while holders were at work: "
		   "looking for the files that changed since");
	/* The agent's own, which holders are not written down in. */
	if (!realpath(agent->opts->state_dir, except))
		return -errno;
	return guard_kept_search(agent->kept, except, search_progress, agent,
				 &agent_say);
}

/* As many records as it takes for there to be room for as many files, and a
 * quarter more. */
static uint32_t records_for_files(const struct agent *agent)
{
	uint64_t n = guard_kept_files(agent->kept) * 5 / 2;

	return n < GUARD_RECORDS_MAX ? (uint32_t)n : GUARD_RECORDS_MAX;
}

static uint32_t records_for(const struct agent *agent,
			    const struct policy *policy)
{
	uint32_t records = records_of(policy);
	uint32_t files = records_for_files(agent);
	uint32_t n = GUARD_RECORDS_DEFAULT;

	if (files > records)
		records = files;
	/* A table takes as much for any number up to the next power of 2. */
	while (n < records)
		n *= 2;
	return n;
}

/* ---- the guard ----------------------------------------------------------- */

/* What a guard that has to be loaded is to have room for. */
static int find_room(struct agent *agent, const struct policy *policy,
		     uint32_t *records)
{
	int r;

	r = find_kept(agent, policy);
	if (r) {
		log_error("what files carry cannot be taken from the boot "
			  "before: %s",
			  strerror(-r));
		return r;
	}
	if (!policy || *records)
		return 0;
	*records = records_for(agent, policy);
	if (*records > GUARD_RECORDS_DEFAULT)
		log_info("the guard is loaded with room for %" PRIu32 " files",
			 *records);
	return 0;
}

/* What the boot before left. */
static int load_saved(struct agent *agent, const struct policy *policy)
{
	char path[4096];
	int r;

	r = text_path(agent->opts->state_dir, AGENT_STATE_FILE, path,
		      sizeof(path));
	if (!r)
		r = guard_load_state(agent->guard, path, &agent_say);
	/* Empty budgets are said, loudly; unprotected data would be worse. */
	if (r == -EUCLEAN)
		r = 0;
	if (!r && !agent->kept)
		r = find_kept(agent, policy);
	if (!r)
		r = guard_load_files(agent->guard, agent->kept, &agent_say);
	if (r)
		log_error("%s: what the boot before left cannot be given to "
			  "the guard: %s",
			  agent->opts->state_dir, strerror(-r));
	return r;
}

int agent_guard_start(struct agent *agent, const struct policy *policy)
{
	struct guard_options options = agent->opts->guard;
	int r;

	if (!agent_guard_is_pinned(agent->opts)) {
		r = find_room(agent, policy, &options.max_records);
		if (r)
			return r;
	}
	r = guard_open(&options, &agent_say, &agent->guard, &agent->adopted);
	if (r) {
		log_error("the guard cannot run here: %s; cordon doctor says "
			  "what this host lacks",
			  strerror(-r));
		return r;
	}
	agent_event_names(agent);
	log_info("guard %s, attached by %s",
		 agent->adopted ? "adopted: it was enforcing already"
				: "loaded",
		 guard_attached(agent->guard) == GUARD_ATTACH_LSM ? "lsm"
								  : "fmod_ret");
	/* Without a policy it is fresh, or its agent came no further. */
	return guard_state(agent->guard)->generation
		       ? 0
		       : load_saved(agent, policy);
}

void agent_guard_hold_changed(struct agent *agent)
{
	(void)guard_hold_changed(agent->guard, agent->kept, &agent_say);
	guard_kept_free(agent->kept);
	agent->kept = NULL;
	agent_save_files(agent, guard_state(agent->guard)->unsaved);
}

int agent_guard_test(struct agent *agent)
{
	struct guard_hooks hooks = {0};
	int r;

	r = guard_probe_hooks(agent->guard, NULL, &agent_say, &hooks);
	if (r) {
		log_error("the hooks could not be tested: %s", strerror(-r));
		return r;
	}
	if (!(hooks.expected & ~hooks.seen)) {
		log_info("self-test: %d of %d hooks answered",
			 __builtin_popcountll(hooks.seen & hooks.expected),
			 __builtin_popcountll(hooks.expected));
		return 0;
	}
	log_error("self-test failed: this kernel does not do what the guard "
		  "relies on; boot a supported one (cordond(8), KERNELS)");
	/* Nobody shall take half a guard for a whole one. One that was there
	 * before is not ours to take away. */
	if (!agent->adopted) {
		log_error("the guard is taken away again: NOTHING IS "
			  "PROTECTED on this host");
		(void)guard_detach(agent->guard, &agent_say);
	}
	return -EOPNOTSUPP;
}
