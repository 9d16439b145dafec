// SPDX-License-Identifier: GPL-2.0-only
#include "agent_host.h"

#include <errno.h>
#include <inttypes.h>
#include <sys/stat.h>
#include <unistd.h>

#include "clock.h"
#include "log.h"
#include "state.h"

static const char *const names[PEOPLE] = {"alice", "bob", "carol", "mallory"};
struct minisign_key people[PEOPLE];

/* ---- the guard, and what is written down --------------------------------- */

struct guard_state guarded;
int apply_fails;
json_t *recorded;
void (*agent_begins)(struct agent *agent);
void (*log_opens)(struct evidence_options *opts);
int64_t clock_ahead_s, uptime_ahead_s;
bool guard_is_empty;
bool clock_synchronised;

const struct guard_say agent_say;

const struct guard_state *guard_state(const struct guard *guard)
{
	(void)guard;
	return &guarded;
}

void guard_remember(struct guard *guard, const struct remembered *what)
{
	(void)guard;
	guarded.remembered = *what;
}

void guard_lift(struct guard *guard, uint64_t until_ns)
{
	(void)guard;
	guarded.lifted_until_ns = until_ns;
}

int guard_apply_policy(struct guard *guard, const struct policy *policy,
		       bool scan, guard_progress_fn progress, void *arg,
		       const struct guard_say *say,
		       struct guard_applied *ret_applied)
{
	(void)guard;
	(void)scan;
	(void)progress;
	(void)arg;
	(void)say;
	(void)ret_applied;
	if (apply_fails)
		return apply_fails;
	guarded.generation++;
	guarded.policy_serial[guarded.generation & 1] = policy->serial;
	guarded.mode[guarded.generation & 1] = policy->mode;
	if (policy->serial > guarded.remembered.serial)
		guarded.remembered.serial = policy->serial;
	return 0;
}

void agent_clock(struct remember_clock *ret_clock)
{
	*ret_clock = (struct remember_clock){
		.wall_s = time(NULL) + clock_ahead_s,
		.boot_s = clock_s(CLOCK_BOOTTIME) + uptime_ahead_s,
		.synchronised = clock_synchronised,
	};
}

/* What the guard saves of it. */
void agent_save(struct agent *agent)
{
	const struct state state = {
		.policy_serial = guarded.remembered.serial,
		.latest_s = guarded.remembered.time_s,
	};

	(void)agent;
	assert_int_equal(state_write(&state, kept("state")), 0);
}

/* And loads where it begins. */
static void load_state(void)
{
	struct state state;
	char why[128];

	if (guarded.generation ||
	    (state_read(kept("state"), &state, why, sizeof(why)) &&
	     state_read(kept("state.old"), &state, why, sizeof(why))))
		return;
	guarded.remembered.serial = state.policy_serial;
	guarded.remembered.time_s = state.latest_s;
	state_release(&state);
}

int agent_record(struct agent *agent, json_t *line, int64_t time_s, bool event)
{
	char text[EVIDENCE_LINE_MAX];
	size_t len;

	(void)time_s;
	(void)event;
	assert_non_null(line);
	if (!agent->evidence) {
		json_decref(line);
		return -ENODEV;
	}
	(void)json_array_append(recorded, line);
	return evidence_add(agent->evidence, line, text, &len);
}

int agent_evidence_sync(struct agent *agent)
{
	return evidence_sync(agent->evidence);
}

void agent_evidence_told(struct agent *agent, int r)
{
	(void)agent;
	(void)r;
}

void agent_record_policy(struct agent *agent)
{
	(void)agent_record(
		agent,
		evidence_object("policy",
				json_pack("{s:I, s:s}", "policy",
					  (json_int_t)agent_serial(agent),
					  "sha256", agent->policy->sha256)),
		0, false);
}

static void take_line(const json_t *object, const char *text, size_t len,
		      void *arg)
{
	(void)text;
	(void)len;
	agent_trust_old(arg, object);
	agent_remember_old(arg, object);
	agent_enrolment_old(arg, object);
	agent_dropped_old(arg, object);
}

void open_log(void)
{
	struct evidence_options opts = {.dir = host.log, .host = "host"};
	struct evidence_found found;
	struct sign_key key;
	bool made;

	assert_int_equal(sign_key_load(kept("host.key"), &key, &made), 0);
	opts.key = &key;
	if (log_opens)
		log_opens(&opts);
	assert_int_equal(evidence_open(&opts, take_line, &host.agent, &found,
				       &host.agent.evidence),
			 0);
	sign_key_release(&key);
	if (host.agent.started)
		agent_trust_started(&host.agent);
}

void agent_set_timer(struct agent *agent, enum agent_timer timer,
		     time_t seconds)
{
	(void)agent;
	(void)timer;
	(void)seconds;
}

int sd_notify(int unset_environment, const char *state);

int sd_notify(int unset_environment, const char *state)
{
	(void)unset_environment;
	(void)state;
	return 0;
}

/* ---- a host -------------------------------------------------------------- */

struct host host;

int make_people(void **state)
{
	(void)state;
	log_open("test", false);
	if (minisign_init())
		return -1;
	for (int i = 0; i < PEOPLE; i++)
		minisign_key_new(&people[i]);
	return 0;
}

/* The agent ends, and the guard with it if it is a boot. */
void end_agent(bool boot)
{
	evidence_close(host.agent.evidence);
	agent_dropped_release(&host.agent);
	agent_trust_release(&host.agent);
	agent_act_release(&host.agent);
	policy_free(host.agent.policy);
	host.agent = (struct agent){.opts = &host.opts,
				    .timers[AGENT_TIMER_EXPIRY] = -1};
	host.agent.adopted = !boot && guarded.generation;
	if (!boot)
		return;
	memset(&guarded, 0, sizeof(guarded));
}

int make_host(void **state)
{
	(void)state;
	(void)strcpy(host.dir, "/tmp/cordon-agent-XXXXXX");
	if (!mkdtemp(host.dir))
		return -1;
	(void)snprintf(host.etc, sizeof(host.etc), "%s/etc", host.dir);
	(void)snprintf(host.state, sizeof(host.state), "%s/state", host.dir);
	(void)snprintf(host.log, sizeof(host.log), "%s/evidence", host.state);
	(void)snprintf(host.trust, sizeof(host.trust), "%s/trust.yaml",
		       host.etc);
	(void)snprintf(host.policy, sizeof(host.policy), "%s/policy.yaml",
		       host.etc);
	(void)snprintf(host.drop, sizeof(host.drop), "%s/policy.d", host.etc);
	host.opts = (struct agent_options){.policy_file = host.policy,
					   .trust_file = host.trust,
					   .drop_dir = host.drop,
					   .state_dir = host.state};
	recorded = json_array();
	apply_fails = 0;
	host.pushed_serial = 0;
	guard_is_empty = false;
	clock_ahead_s = uptime_ahead_s = 0;
	clock_synchronised = false;
	end_agent(true);
	return mkdir(host.etc, 0755) || mkdir(host.state, 0700);
}

int remove_host(void **state)
{
	char command[128];

	(void)state;
	end_agent(true);
	json_decref(recorded);
	(void)snprintf(command, sizeof(command), "rm -rf '%s'", host.dir);
	return system(command);
}

void put(const char *path, const char *text)
{
	assert_int_equal(state_put(path, text, strlen(text)), 0);
}

/* Puts text there, signed by these and nobody else. */
void put_signed(const char *path, const char *text, unsigned int who)
{
	char file[160], signature[MINISIGN_TEXT_MAX];

	put(path, text);
	for (int i = 0; i < PEOPLE; i++) {
		(void)snprintf(file, sizeof(file), "%s.%s.minisig", path,
			       names[i]);
		(void)unlink(file);
		if (!(who & 1U << i))
			continue;
		assert_int_equal(minisign_make(&people[i], text, strlen(text),
					       "c", signature),
				 0);
		put(file, signature);
	}
}

void put_keys(char *text, size_t size, const char *what, unsigned int which)
{
	char key[MINISIGN_PUBLIC_MAX];
	size_t len = strlen(text);

	if (which)
		len += (size_t)snprintf(text + len, size - len, "%s:\n", what);
	for (int i = 0; i < PEOPLE; i++) {
		if (!(which & 1U << i))
			continue;
		minisign_public_format(&people[i].public, key);
		len += (size_t)snprintf(text + len, size - len, "  %s: %s\n",
					names[i], key);
	}
}

void put_trust(int version, unsigned int threshold, unsigned int keys,
	       unsigned int revoked, unsigned int who)
{
	char text[4096];

	(void)snprintf(text, sizeof(text),
		       "cordon-trust: 1\nissuer: Police\nversion: %d\n"
		       "threshold: %u\n",
		       version, threshold);
	put_keys(text, sizeof(text), "keys", keys);
	put_keys(text, sizeof(text), "revoked", revoked);
	put_signed(host.trust, text, who);
}

void put_policy_of(const char *issuer, int64_t serial, const char *more,
		   unsigned int who)
{
	char text[1024];

	(void)snprintf(text, sizeof(text),
		       "cordon: 1\nissuer: %s\nserial: %" PRId64
		       "\n%smode: enforce\n"
		       "datasets:\n  d: {paths: [/srv/d], record: file}\n"
		       "rules: []\n",
		       issuer, serial, more);
	put_signed(host.policy, text, who);
}

void put_policy(int64_t serial, unsigned int who)
{
	put_policy_of("Police", serial, "", who);
}

struct trust_bundle sent(void (*put_it)(int64_t, unsigned int), int64_t serial,
			 unsigned int who)
{
	struct policy_errors errs;
	struct trust_bundle bundle;
	char own[80];

	(void)strcpy(own, host.etc);
	(void)snprintf(host.etc, sizeof(host.etc), "%s/force", host.dir);
	assert_true(mkdir(host.etc, 0755) == 0 || errno == EEXIST);
	(void)snprintf(host.policy, sizeof(host.policy), "%s/policy.yaml",
		       host.etc);
	put_it(serial, who);
	assert_int_equal(trust_bundle_read(host.policy, &bundle, &errs), 0);
	(void)strcpy(host.etc, own);
	(void)snprintf(host.policy, sizeof(host.policy), "%s/policy.yaml",
		       host.etc);
	return bundle;
}

const char *person(int who)
{
	return names[who];
}

void read_whole(const char *path, char *buf, size_t size)
{
	char *text = NULL;
	size_t len;

	assert_int_equal(state_get(path, size - 1, &text, &len), 0);
	memcpy(buf, text, len);
	buf[len] = '\0';
	free(text);
}

void unmark(void)
{
	char path[96];

	(void)snprintf(path, sizeof(path), "%s/enrolled", host.etc);
	assert_int_equal(unlink(path), 0);
}

const char *kept(const char *name)
{
	static char path[160];

	(void)snprintf(path, sizeof(path), "%s/%s", host.state, name);
	return path;
}

static uint64_t start_agent(bool boot, bool log)
{
	struct arrival first;
	char text[256];
	int r;

	end_agent(boot);
	host.agent.pushed_serial = host.pushed_serial;
	if (agent_begins)
		agent_begins(&host.agent);
	(void)json_array_clear(recorded);
	host.agent.adopted |= guard_is_empty;
	r = agent_policy_start(&host.agent, host.agent.adopted, &first);
	if (r) {
		arrival_release(&first);
		return 0;
	}
	load_state();
	host.agent.guard = (struct guard *)&guarded;
	if (log)
		open_log();
	agent_trust_started(&host.agent);
	r = agent_policy_begin(&host.agent, &first);
	arrival_release(&first);
	if (r)
		return 0;
	agent_describe(&host.agent, text, sizeof(text));
	return agent_serial(&host.agent);
}

uint64_t start_without_log(bool boot)
{
	return start_agent(boot, false);
}

uint64_t start(bool boot)
{
	return start_agent(boot, true);
}

uint64_t reload(void)
{
	agent_policy_reload(&host.agent);
	return agent_serial(&host.agent);
}

/* Two of three, and serial 5. */
void enrol(void)
{
	put_trust(1, 2, ALICE | BOB | CAROL, 0, 0);
	put_policy(5, ALICE | BOB);
	assert_int_equal(start(true), 5);
}

void assert_problem(const char *problem)
{
	if (!strstr(host.agent.problem, problem))
		fail_msg("got: %s", host.agent.problem);
}

const json_t *last_recorded(const char *type)
{
	const json_t *line, *last = NULL;
	size_t i;

	json_array_foreach (recorded, i, line)
		if (strcmp(evidence_text(line, "type"), type) == 0)
			last = line;
	return last;
}
