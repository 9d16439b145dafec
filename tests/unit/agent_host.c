// SPDX-License-Identifier: GPL-2.0-only
#include "agent_host.h"

#include <errno.h>
#include <inttypes.h>
#include <sys/stat.h>
#include <unistd.h>

#include "log.h"
#include "state.h"

static const char *const names[PEOPLE] = {"alice", "bob", "carol", "mallory"};
struct minisign_key people[PEOPLE];

/* ---- the guard, and what is written down --------------------------------- */

struct guard_state guarded;
uint64_t serial_saved;
int apply_fails;
json_t *recorded;

const struct guard_say agent_say;

const struct guard_state *guard_state(const struct guard *guard)
{
	(void)guard;
	return &guarded;
}

uint64_t guard_serial_seen(const struct guard *guard)
{
	(void)guard;
	return guarded.remembered.serial;
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

void agent_save(struct agent *agent)
{
	(void)agent;
	serial_saved = guard_serial_seen(NULL);
}

int agent_record(struct agent *agent, json_t *line, int64_t time_s, bool event)
{
	(void)agent;
	(void)time_s;
	(void)event;
	return json_array_append_new(recorded, line);
}

int agent_evidence_sync(struct agent *agent)
{
	(void)agent;
	return 0;
}

void agent_evidence_told(struct agent *agent, int r)
{
	(void)agent;
	(void)r;
}

void agent_record_policy(struct agent *agent)
{
	(void)agent;
}

void agent_set_timer(int fd, time_t seconds)
{
	(void)fd;
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
	agent_trust_release(&host.agent);
	agent_act_release(&host.agent);
	policy_free(host.agent.policy);
	host.agent = (struct agent){
		.opts = &host.opts, .expiry_fd = -1, .act_fd = -1};
	host.agent.adopted = !boot && guarded.generation;
	if (!boot)
		return;
	memset(&guarded, 0, sizeof(guarded));
	guarded.remembered.serial = serial_saved;
}

int make_host(void **state)
{
	(void)state;
	(void)strcpy(host.dir, "/tmp/cordon-agent-XXXXXX");
	if (!mkdtemp(host.dir))
		return -1;
	(void)snprintf(host.etc, sizeof(host.etc), "%s/etc", host.dir);
	(void)snprintf(host.state, sizeof(host.state), "%s/state", host.dir);
	(void)snprintf(host.trust, sizeof(host.trust), "%s/trust.yaml",
		       host.etc);
	(void)snprintf(host.policy, sizeof(host.policy), "%s/policy.yaml",
		       host.etc);
	host.opts = (struct agent_options){.policy_file = host.policy,
					   .trust_file = host.trust,
					   .state_dir = host.state};
	recorded = json_array();
	serial_saved = 0;
	apply_fails = 0;
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

static void put_keys(char *text, size_t size, const char *what,
		     unsigned int which)
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

const char *kept(const char *name)
{
	static char path[160];

	(void)snprintf(path, sizeof(path), "%s/%s", host.state, name);
	return path;
}

/* Starts an agent; the serial in force, 0: it did not start. */
uint64_t start(bool boot)
{
	struct policy *policy = NULL;
	char text[256];
	int r;

	end_agent(boot);
	r = agent_policy_start(&host.agent, host.agent.adopted, &policy);
	if (!r)
		agent_trust_started(&host.agent);
	if (!r && policy)
		r = agent_policy_begin(&host.agent, policy);
	if (r)
		return 0;
	agent_describe(&host.agent, text, sizeof(text));
	return agent_serial(&host.agent);
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
