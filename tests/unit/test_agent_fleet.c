// SPDX-License-Identifier: GPL-2.0-only
/*
 * The agent as a host of a fleet, with a broker's end of the link that says
 * what the test wants: the program that is started as cordon-link is this one
 * again, which hands its end of the socketpair back and waits.
 */
#include "agent_host.h"

#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "agent_fleet.h"
#include "clock.h"
#include "policy_yaml.h"
#include "state.h"
#include "text.h"

#define PATIENCE_MS 60000 /* for what has to come */
#define NAME	    "print-1.example"
#define QUIET_MS    300 /* for what must not */

/* ---- what the agent has besides ------------------------------------------ */

enum guard_attach guard_attached(const struct guard *guard)
{
	(void)guard;
	return GUARD_ATTACH_LSM;
}

uint64_t agent_incidents_open(const struct agent *agent)
{
	(void)agent;
	return 3;
}

/* What root has called this host. */
static char hostname[64];

int gethostname(char *name, size_t len)
{
	(void)snprintf(name, len, "%s", hostname);
	return 0;
}

/* ---- the other end ------------------------------------------------------- */

static struct {
	char path[108];
	int listener;
	int control; /* open as long as the program is to live */
	int fd;	     /* the link's end; -1: none */
	struct link_reader in;
	struct link_writer out;
	struct seal_key seal;
	char server[32];
} force;

/* The program: gives its end away and waits until that is enough. */
static int relay(const char *path)
{
	struct sockaddr_un to = {.sun_family = AF_UNIX};
	char control[CMSG_SPACE(sizeof(int))] = "", byte = 'x';
	struct iovec iov = {&byte, 1};
	struct msghdr message = {.msg_iov = &iov,
				 .msg_iovlen = 1,
				 .msg_control = control,
				 .msg_controllen = sizeof(control)};
	struct cmsghdr *head = CMSG_FIRSTHDR(&message);
	int s = socket(AF_UNIX, SOCK_STREAM, 0);

	(void)snprintf(to.sun_path, sizeof(to.sun_path), "%s", path);
	if (connect(s, (const struct sockaddr *)&to, sizeof(to)) < 0)
		return 1;
	head->cmsg_level = SOL_SOCKET;
	head->cmsg_type = SCM_RIGHTS;
	head->cmsg_len = CMSG_LEN(sizeof(int));
	*(int *)(void *)CMSG_DATA(head) = LINK_FD;
	if (sendmsg(s, &message, 0) < 0)
		return 1;
	(void)close(LINK_FD);
	return read(s, &byte, 1) < 0;
}

static void hang_up(void)
{
	if (force.fd >= 0)
		(void)close(force.fd);
	if (force.control >= 0)
		(void)close(force.control);
	force.fd = -1;
	force.control = -1;
	link_reader_release(&force.in);
	link_writer_release(&force.out);
	force.in = (struct link_reader){.from = LINK_FROM_AGENT};
	force.out = (struct link_writer){.from = LINK_FROM_LINK};
}

static void pick_up(void)
{
	char control[CMSG_SPACE(sizeof(int))], byte;
	struct iovec iov = {&byte, 1};
	struct msghdr message = {.msg_iov = &iov,
				 .msg_iovlen = 1,
				 .msg_control = control,
				 .msg_controllen = sizeof(control)};

	hang_up();
	force.control = accept(force.listener, NULL, NULL);
	assert_true(force.control >= 0);
	if (recvmsg(force.control, &message, 0) <= 0 ||
	    !CMSG_FIRSTHDR(&message))
		return;
	force.fd = *(int *)(void *)CMSG_DATA(CMSG_FIRSTHDR(&message));
}

/* Lets the agent work for a moment, and takes what its link gives. */
static void step(int ms)
{
	struct pollfd fds[3] = {
		{.fd = agent_fleet_fd(&host.agent), .events = POLLIN},
		{.fd = force.listener, .events = POLLIN},
		{.fd = force.fd, .events = POLLIN},
	};

	assert_true(poll(fds, 3, ms) >= 0);
	if (fds[0].revents)
		agent_fleet_work(&host.agent);
	if (fds[1].revents)
		pick_up();
	else if (fds[2].revents)
		(void)link_reader_fill(&force.in, force.fd);
}

static const struct link_state *state_of(void)
{
	return link_state(host.agent.fleet->link);
}

/* The next frame of that type; what comes before it is passed over. */
static struct link_frame heard(enum link_type type)
{
	int64_t until = clock_ms() + PATIENCE_MS;
	struct link_frame frame;

	for (;;) {
		while (link_reader_next(&force.in, &frame) == 1)
			if (frame.type == type)
				return frame;
		if (clock_ms() > until)
			fail_msg("no %s came", link_type_name(type));
		step(20);
	}
}

/* None of that type comes for a while. */
static void not_heard(enum link_type type)
{
	int64_t until = clock_ms() + QUIET_MS;
	struct link_frame frame;

	while (clock_ms() < until) {
		while (link_reader_next(&force.in, &frame) == 1)
			if (frame.type == type)
				fail_msg("a %s came", link_type_name(type));
		step(20);
	}
}

#define wait_until(condition)                                 \
	do {                                                  \
		int64_t until_ = clock_ms() + PATIENCE_MS;    \
                                                              \
		while (!(condition)) {                        \
			if (clock_ms() > until_)              \
				fail_msg("not: " #condition); \
			step(20);                             \
		}                                             \
	} while (0)

static void say_bytes(const void *bytes, size_t len)
{
	size_t done = 0;
	ssize_t n;

	while (done < len) {
		n = send(force.fd, (const char *)bytes + done, len - done,
			 MSG_NOSIGNAL | MSG_DONTWAIT);
		if (n < 0 && errno != EAGAIN)
			return;
		done += n > 0 ? (size_t)n : 0;
		step(n > 0 ? 0 : 5);
	}
}

static void say(const struct link_frame *frame)
{
	assert_int_equal(link_writer_put(&force.out, frame), 0);
	while (link_writer_flush(&force.out, force.fd) == -EAGAIN)
		step(5);
}

static void say_answer(enum link_type type, uint64_t id)
{
	say(&(struct link_frame){.type = type, .id = id});
}

static void say_policy(const void *bytes, size_t len)
{
	struct link_frame frame = {.type = LINK_POLICY,
				   .kind = LINK_HOST,
				   .bytes = bytes,
				   .len = len};

	(void)strcpy(frame.name, host.agent.fleet->name);
	say(&frame);
}

static void connect_link(void)
{
	wait_until(force.fd >= 0);
	say(&(struct link_frame){
		.type = LINK_CONNECTED, .bytes = "the broker", .len = 10});
	wait_until(state_of()->connected);
}

/* ---- a host that is enrolled --------------------------------------------- */

static char enrolment_file[128], program[128];
static char me[4096];
static uint64_t keep_bytes, lost;

static void put_enrolment(const char *issuer, const char *name,
			  const struct sign_public *key, uint64_t serial,
			  unsigned int who)
{
	struct enrolment enrolment = {.issuer = (char *)issuer,
				      .key = *key,
				      .seal = force.seal.public,
				      .n_servers = 1,
				      .n_groups = 1,
				      .serial = serial};
	char *text = NULL;

	(void)snprintf(enrolment.host, sizeof(enrolment.host), "%s", name);
	(void)strcpy(enrolment.servers[0], "tls://broker.example:4222");
	(void)strcpy(enrolment.groups[0], "shops");
	assert_int_equal(enrolment_format(&enrolment, &text), 0);
	put_signed(enrolment_file, text, who);
	free(text);
}

static struct sign_public key_in(const char *name)
{
	struct sign_public public;
	struct sign_key key;
	bool made;

	assert_int_equal(sign_key_load(kept(name), &key, &made), 0);
	public = key.public;
	sign_key_release(&key);
	return public;
}

static struct sign_public own_key(void)
{
	return key_in(EVIDENCE_KEY);
}

static void load_fleet(struct agent *agent)
{
	assert_int_equal(agent_fleet_load(agent), 0);
}

static void hold_log(struct evidence_options *opts)
{
	opts->segment_bytes = 20000;
	opts->keep_bytes = keep_bytes;
	opts->held = agent_fleet_holds(&host.agent, &opts->acked);
}

static void agent_ends(void)
{
	agent_fleet_stop(&host.agent);
	evidence_close(host.agent.evidence);
	host.agent.evidence = NULL;
	hang_up();
}

/* It breaks down: what it does at its end is not done. */
static void agent_dies(void)
{
	char *before = NULL;
	size_t len = 0;

	(void)state_get(kept("link.json"), 4096, &before, &len);
	agent_ends();
	if (before)
		assert_int_equal(state_put(kept("link.json"), before, len), 0);
	free(before);
}

static void begin(bool boot)
{
	assert_int_not_equal(start(boot), 0);
	agent_fleet_start(&host.agent);
}

static int make_fleet(void **state)
{
	struct sockaddr_un at = {.sun_family = AF_UNIX};
	char text[8192];
	bool made;

	if (make_host(state))
		return -1;
	keep_bytes = 0;
	lost = 0;
	(void)strcpy(hostname, "print-1");
	agent_begins = load_fleet;
	log_opens = hold_log;
	force.fd = -1;
	force.control = -1;
	hang_up();
	(void)snprintf(force.path, sizeof(force.path), "%s/socket", host.dir);
	(void)snprintf(at.sun_path, sizeof(at.sun_path), "%s/socket", host.dir);
	(void)snprintf(program, sizeof(program), "%s/program", host.dir);
	(void)snprintf(enrolment_file, sizeof(enrolment_file),
		       "%s/enrolment.yaml", host.etc);
	(void)snprintf(text, sizeof(text),
		       "#!/bin/sh\nexec '%s' --relay '%s'\n", me, force.path);
	put(program, text);
	force.listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (force.listener < 0 || chmod(program, 0755) ||
	    bind(force.listener, (const struct sockaddr *)&at, sizeof(at)) ||
	    listen(force.listener, 4) ||
	    seal_key_load(kept("seal.key"), &force.seal, &made))
		return -1;
	host.opts.enrolment_file = enrolment_file;
	host.opts.link.program = program;
	host.opts.link.root = true;
	put_trust(1, 2, ALICE | BOB | CAROL, 0, 0);
	put_policy(5, ALICE | BOB);
	return 0;
}

static int end_fleet(void **state)
{
	agent_ends();
	(void)close(force.listener);
	agent_begins = NULL;
	log_opens = NULL;
	return remove_host(state);
}

/* In force and connected. */
static void join(void)
{
	struct sign_public key = own_key();

	put_enrolment("Police", NAME, &key, 1, ALICE | BOB);
	begin(true);
	assert_non_null(host.agent.fleet->link);
	connect_link();
}

/* Lines, of which not all find room. */
static void happen(int n)
{
	for (int i = 0; i < n; i++) {
		lost += agent_record(&host.agent,
				     json_pack("{s:i, s:s, s:i}", "cordon", 1,
					       "type", "verdict", "n", i),
				     0, true) != 0;
		(void)agent_evidence_sync(&host.agent);
	}
	agent_fleet_lines(&host.agent);
}

/* ---- reports ------------------------------------------------------------- */

static struct fleet_report opened(const struct link_frame *frame)
{
	struct sign_public key = own_key();
	struct fleet_report report;

	assert_int_equal(fleet_report_open(&force.seal, &key,
					   host.agent.fleet->name, frame->bytes,
					   frame->len, &report),
			 0);
	assert_true(report.chained);
	return report;
}

static uint64_t last_line(void)
{
	return evidence_next(host.agent.evidence) - 1;
}

static json_t *status(void)
{
	return agent_fleet_status(&host.agent);
}

static int64_t status_number(const char *key)
{
	json_t *object = status();
	int64_t n = json_integer_value(json_object_get(object, key));

	json_decref(object);
	return n;
}

/* Acknowledges all that comes, to that line; the first one. */
static uint64_t take_to(uint64_t from, uint64_t to)
{
	struct fleet_report report;
	struct link_frame frame;
	uint64_t first = 0, next = from;

	do {
		frame = heard(LINK_REPORT);
		report = opened(&frame);
		if (next)
			assert_int_equal(report.first, next);
		if (!first)
			first = report.first;
		next = report.last + 1;
		say_answer(LINK_ACKED, frame.id);
		fleet_report_release(&report);
	} while (next <= to);
	wait_until(status_number("acknowledged") >= (int64_t)to);
	return first;
}

/* To the end of the log. */
static uint64_t take_all(uint64_t from)
{
	return take_to(from, last_line());
}

/* How many lines of that type were written down. */
static size_t told(const char *type)
{
	const json_t *line;
	size_t i, n = 0;

	json_array_foreach (recorded, i, line)
		n += strcmp(evidence_text(line, "type"), type) == 0;
	return n;
}

static void evidence_comes_to_the_force_as_it_was_written(void **state)
{
	struct fleet_report report;
	struct link_frame frame;
	char *text = NULL, name[64];
	size_t len;

	(void)state;
	join();
	happen(20);
	(void)take_all(1);
	wait_until(status_number("waiting") == 0);
	happen(1);
	frame = heard(LINK_REPORT);
	report = opened(&frame);
	assert_int_equal(report.n, 1);
	assert_int_equal(report.first, last_line());
	assert_int_equal(report.head, last_line());
	assert_int_equal(report.segment, 1);
	(void)snprintf(name, sizeof(name), EVIDENCE_DIR "/" EVIDENCE_NAME,
		       (uint64_t)1);
	assert_int_equal(state_get(kept(name), 1 << 20, &text, &len), 0);
	assert_true(len > report.len);
	assert_memory_equal(text + len - report.len, report.lines, report.len);
	fleet_report_release(&report);
	free(text);
}

static void one_report_is_on_its_way_at_a_time(void **state)
{
	struct link_frame frame;
	uint64_t id;

	(void)state;
	join();
	happen(3);
	frame = heard(LINK_REPORT);
	id = frame.id;
	happen(200);
	not_heard(LINK_REPORT);
	/* What is acknowledged is another one: no cursor moves. */
	say_answer(LINK_ACKED, id + 1);
	not_heard(LINK_REPORT);
	assert_int_equal(status_number("acknowledged"), 0);
}

static void report_goes_again_as_it_was_when_the_link_is_new(void **state)
{
	struct link_frame frame;
	char msgid[LINK_NAME_MAX + 1];
	struct fleet_report report;
	uint64_t last;

	(void)state;
	join();
	happen(3);
	frame = heard(LINK_REPORT);
	(void)strcpy(msgid, frame.name);
	report = opened(&frame);
	last = report.last;
	fleet_report_release(&report);
	happen(5);
	assert_int_equal(kill(state_of()->pid, SIGKILL), 0);
	hang_up();
	wait_until(!state_of()->connected);
	connect_link();
	frame = heard(LINK_REPORT);
	assert_string_equal(frame.name, msgid);
	report = opened(&frame);
	assert_int_equal(report.first, 1);
	assert_int_equal(report.last, last);
	fleet_report_release(&report);
	say_answer(LINK_ACKED, frame.id);
	(void)take_all(last + 1);
}

static void nothing_is_lost_when_the_agent_dies_meanwhile(void **state)
{
	struct link_frame frame;
	struct fleet_report report;
	uint64_t last;

	(void)state;
	join();
	happen(3);
	(void)take_all(1);
	wait_until(status_number("waiting") == 0);
	last = last_line();
	agent_ends();
	begin(false);
	connect_link();
	happen(3);
	frame = heard(LINK_REPORT);
	report = opened(&frame);
	assert_int_equal(report.first, last + 1);
	fleet_report_release(&report);
	/* Sent, and the acknowledgement does not come to it. */
	agent_dies();
	begin(false);
	connect_link();
	assert_int_equal(take_all(last + 1), last + 1);
}

static void report_goes_again_when_the_broker_does_not_take_it(void **state)
{
	struct link_frame frame;
	char msgid[LINK_NAME_MAX + 1];
	json_t *object;

	(void)state;
	join();
	happen(1);
	frame = heard(LINK_REPORT);
	(void)strcpy(msgid, frame.name);
	say(&(struct link_frame){.type = LINK_REFUSED,
				 .id = frame.id,
				 .bytes = "no room",
				 .len = 7});
	wait_until(host.agent.fleet->refusal[0]);
	object = status();
	assert_string_equal(evidence_text(object, "not_taken"), "no room");
	json_decref(object);
	frame = heard(LINK_REPORT);
	assert_string_equal(frame.name, msgid);
	say_answer(LINK_ACKED, frame.id);
	wait_until(!host.agent.fleet->refusal[0]);
}

static void lines_go_over_the_end_of_a_segment(void **state)
{
	(void)state;
	join();
	happen(600);
	assert_true(evidence_segment(host.agent.evidence) > 1);
	assert_int_equal(take_all(1), 1);
	wait_until(status_number("waiting") == 0);
}

/* ---- the spool ----------------------------------------------------------- */

static void what_does_not_fit_is_counted_and_the_oldest_stays(void **state)
{
	struct sign_public key = own_key();
	int n = 0;

	(void)state;
	keep_bytes = 60000;
	put_enrolment("Police", NAME, &key, 1, ALICE | BOB);
	begin(true);
	/* Nobody is connected for a long time. */
	while (!lost && n++ < 20000)
		happen(1);
	happen(9);
	assert_int_equal(status_number("dropped"), 10);
	connect_link();
	assert_int_equal(take_to(1, last_line() - 10), 1);
	/* There is room again, and what is missing is said in the log. */
	happen(2);
	assert_int_equal(lost, 10);
	assert_int_equal(status_number("dropped"), 10);
	(void)take_all(0);
	/* The next agent has not forgotten it. */
	agent_ends();
	begin(false);
	assert_int_equal(status_number("dropped"), 10);
}

static void log_retires_as_before_when_there_is_no_fleet(void **state)
{
	(void)state;
	keep_bytes = 60000;
	begin(true);
	for (int i = 0; i < 3000; i++)
		happen(1);
	assert_int_equal(lost, 0);
}

/* ---- asks ---------------------------------------------------------------- */

static void say_ask(const char *nonce, const struct fleet_have *have)
{
	struct link_frame frame = {.type = LINK_ASKED};
	char *text = NULL;

	assert_int_equal(
		fleet_ask_make(nonce, have, have ? 1 : 0, &text, &frame.len),
		0);
	frame.bytes = text;
	say(&frame);
	free(text);
}

static struct fleet_attest attested(void)
{
	struct sign_public key = own_key();
	char nonce[FLEET_NONCE_CHARS_MAX];
	struct fleet_attest attest;
	struct link_frame frame;

	while (clock_ms() < host.agent.fleet->ask_ms)
		step(20);
	fleet_nonce(nonce);
	say_ask(nonce, NULL);
	frame = heard(LINK_ATTEST);
	assert_int_equal(fleet_attest_open(&force.seal, &key,
					   host.agent.fleet->name, frame.bytes,
					   frame.len, &attest),
			 0);
	assert_string_equal(attest.nonce, nonce);
	return attest;
}

/* Until the next call. */
static const char *health_of_host(void)
{
	static struct fleet_attest attest;

	attest = attested();
	return attest.health;
}

static void ask_is_answered_with_what_the_host_is(void **state)
{
	struct fleet_attest attest;

	(void)state;
	join();
	attest = attested();
	assert_int_equal(attest.policy_serial, 5);
	assert_string_equal(attest.policy_sha256, host.agent.policy->sha256);
	assert_int_equal(attest.trust_version, 1);
	assert_string_equal(attest.mode, "enforce");
	assert_string_equal(attest.health, "good");
	assert_int_equal(attest.incidents_open, 3);
	assert_int_equal(attest.evidence_seq, last_line());
}

static void flood_of_asks_is_answered_once_a_second(void **state)
{
	char nonce[FLEET_NONCE_CHARS_MAX];
	struct link_frame frame;
	int64_t began, took_s;
	uint64_t answers = 0;

	(void)state;
	join();
	began = clock_ms();
	for (int i = 0; i < 200; i++) {
		fleet_nonce(nonce);
		say_ask(nonce, NULL);
	}
	say(&(struct link_frame){.type = LINK_ASKED, .bytes = "{", .len = 1});
	wait_until(host.agent.fleet->asked == 201);
	took_s = (clock_ms() - began) / 1000;
	while (answers + host.agent.fleet->unanswered < 201) {
		assert_true(clock_ms() < began + PATIENCE_MS);
		step(20);
		while (link_reader_next(&force.in, &frame) == 1)
			answers += frame.type == LINK_ATTEST;
	}
	assert_in_range(answers, 1, took_s + 1);
}

static void evidence_goes_again_from_where_the_force_has_it(void **state)
{
	char nonce[FLEET_NONCE_CHARS_MAX], msgid[LINK_NAME_MAX + 1];
	struct fleet_have have = {.seq = 2};
	struct fleet_report report;
	struct link_frame frame;
	int64_t acked;

	(void)state;
	join();
	frame = heard(LINK_REPORT);
	(void)strcpy(msgid, frame.name);
	say_answer(LINK_ACKED, frame.id);
	happen(6);
	(void)take_all(0);
	acked = status_number("acknowledged");
	(void)strcpy(have.host, host.agent.fleet->name);
	memset(have.hash, '1', sizeof(have.hash) - 1);
	fleet_nonce(nonce);
	say_ask(nonce, &have);
	(void)heard(LINK_ATTEST);
	frame = heard(LINK_REPORT);
	/* The broker would take it for a copy by the same id. */
	assert_string_not_equal(frame.name, msgid);
	report = opened(&frame);
	assert_int_equal(report.first, 3);
	fleet_report_release(&report);
	assert_int_equal(status_number("acknowledged"), acked);
	say_answer(LINK_ACKED, frame.id);
	/* That is not done as often as somebody likes. */
	while (clock_ms() < host.agent.fleet->ask_ms)
		step(20);
	have.seq = 3;
	say_ask(nonce, &have);
	(void)heard(LINK_ATTEST);
	not_heard(LINK_REPORT);
	assert_int_equal(status_number("acknowledged"), acked);
	/* More than there is is nothing to go by. */
	while (clock_ms() < host.agent.fleet->ask_ms)
		step(20);
	have.seq = 1000;
	say_ask(nonce, &have);
	(void)heard(LINK_ATTEST);
	not_heard(LINK_REPORT);
	happen(1);
	assert_int_equal(take_all(acked + 1), acked + 1);
}

/* ---- policies ------------------------------------------------------------ */

/* Steals what is in it. */
static void send_message(struct fleet_policy *message)
{
	char *text = NULL;
	size_t len;

	assert_int_equal(
		fleet_policy_make(message, FLEET_POLICY_BYTES_MAX, &text, &len),
		0);
	say_policy(text, len);
	free(text);
	fleet_policy_release(message);
}

static void send_policy(void (*put_it)(int64_t, unsigned int), int64_t serial,
			unsigned int who)
{
	struct fleet_policy message = {.serial = (uint64_t)serial};

	message.policy = sent(put_it, serial, who);
	send_message(&message);
}

static void push(int64_t serial, unsigned int who)
{
	send_policy(put_policy, serial, who);
}

static void put_others_policy(int64_t serial, unsigned int who)
{
	put_policy_of("Police", serial, "hosts: [other-host]\n", who);
}

/* As the evidence tells of it. */
static void assert_refused_for(const char *why)
{
	const char *problem =
		evidence_text(last_recorded("refused"), "problem");

	if (!strstr(problem, why))
		fail_msg("got: %s", problem);
}

static uint64_t serial(void)
{
	return agent_serial(&host.agent);
}

/* Whose they are from the second version on. */
static unsigned int keys_of(int64_t version)
{
	return version == 2 ? ALICE | MALLORY : CAROL | MALLORY;
}

static void put_next_trust(int64_t version, unsigned int who)
{
	char own[96];

	(void)strcpy(own, host.trust);
	(void)strcpy(host.trust, host.policy);
	put_trust((int)version, 2, keys_of(version),
		  (ALICE | BOB | CAROL) & ~keys_of(version), who);
	(void)strcpy(host.trust, own);
}

static void send_trust(int64_t version, unsigned int who)
{
	struct fleet_policy message = {0};

	message.trust[0].version = (uint64_t)version;
	message.trust[0].bundle = sent(put_next_trust, version, who);
	message.n_trust = 1;
	send_message(&message);
}

static void policy_is_in_force_when_it_was_pushed_and_after_a_boot(void **state)
{
	(void)state;
	join();
	push(7, ALICE | BOB);
	wait_until(serial() == 7);
	assert_int_equal(status_number("policies"), 1);
	/* As it comes with each connection. */
	push(7, ALICE | BOB);
	push(8, ALICE | CAROL);
	wait_until(serial() == 8);
	assert_int_equal(told("refused"), 0);
	agent_dies();
	begin(true);
	assert_int_equal(serial(), 8);
	assert_string_equal(host.agent.problem, "");
	connect_link();
	push(9, ALICE | BOB);
	wait_until(serial() == 9);
}

/* As that of a group comes to a host that has one of its own. */
static void older_policy_is_passed_over_when_it_comes_again(void **state)
{
	(void)state;
	join();
	push(6, ALICE | BOB);
	push(7, ALICE | BOB);
	wait_until(serial() == 7);
	for (int i = 0; i < 20; i++)
		push(6, ALICE | BOB);
	wait_until(status_number("older") == 20);
	push(8, ALICE | BOB);
	wait_until(serial() == 8);
	assert_int_equal(told("refused"), 0);
	assert_int_equal(status_number("refused"), 0);
	/* Twenty that were refused would have made a pause. */
	assert_int_equal(host.agent.fleet->resume_ms, 0);
	assert_int_equal(host.agent.fleet->may_tell, FLEET_TELL_MAX);
	assert_string_equal(health_of_host(), "good");
}

static void send_as(uint64_t says, int64_t serial, unsigned int who)
{
	struct fleet_policy message = {.serial = says};

	message.policy = sent(put_policy, serial, who);
	send_message(&message);
}

/* Nobody has signed what the message says. */
static void old_policy_is_refused_when_the_message_says_a_newer(void **state)
{
	(void)state;
	join();
	push(6, ALICE | BOB);
	push(7, ALICE | BOB);
	wait_until(serial() == 7);
	for (int i = 0; i < 5; i++)
		send_as(9, 6, ALICE | BOB);
	wait_until(status_number("refused") == 1);
	push(8, ALICE | BOB);
	wait_until(serial() == 8);
	/* Written down, once, and the host is none the worse. */
	assert_int_equal(told("refused"), 1);
	assert_int_equal(status_number("refused"), 1);
	assert_string_equal(host.agent.push_problem, "");
}

static void policy_is_refused_when_it_is_forged_or_others(void **state)
{
	(void)state;
	join();
	push(7, ALICE);
	wait_until(status_number("refused") == 1);
	push(7, MALLORY | ALICE);
	wait_until(status_number("refused") == 2);
	push(5, ALICE | BOB);
	wait_until(!host.agent.push_problem[0]);
	/* Whoever has the broker sends here what another host got. */
	send_policy(put_others_policy, 7, ALICE | BOB);
	wait_until(status_number("refused") == 3);
	assert_refused_for("not for this host");
	assert_string_equal(host.agent.push_problem, "");
	assert_int_equal(serial(), 5);
	assert_string_equal(host.agent.problem, "");
	assert_int_equal(told("refused"), 3);
	push(7, ALICE | BOB);
	wait_until(serial() == 7);
	assert_string_equal(host.agent.push_problem, "");
}

static void rubbish_is_told_so_often_and_keeps_nothing_good_away(void **state)
{
	char text[64];

	(void)state;
	join();
	host.agent.fleet->may_tell = 4;
	for (int i = 0; i < 10; i++) {
		(void)snprintf(text, sizeof(text), "{\"cordon\":1,\"n\":%d}",
			       i);
		say_policy(text, strlen(text));
	}
	push(6, ALICE | BOB);
	wait_until(serial() == 6);
	assert_int_equal(status_number("refused"), 10);
	assert_int_equal(told("refused"), 4);
}

/* Who has the broker makes it up, and says nothing of this host by it. */
static void host_is_well_when_nobody_has_signed_what_is_refused(void **state)
{
	(void)state;
	join();
	say_policy("{}", 2);
	push(7, 0);
	push(7, MALLORY);
	send_trust(2, MALLORY);
	wait_until(status_number("refused") == 4);
	assert_int_equal(told("refused"), 4);
	assert_string_equal(host.agent.push_problem, "");
	assert_string_equal(health_of_host(), "good");
	/* What one of the issuer's has signed is for the force to know. */
	push(7, ALICE | MALLORY);
	wait_until(status_number("refused") == 5);
	assert_string_equal(health_of_host(), "degraded");
	say_policy("{ }", 3);
	wait_until(status_number("refused") == 6);
	assert_non_null(strstr(host.agent.push_problem, "1 of 2 signatures"));
	/* Until what is in force comes again. */
	push(5, ALICE | BOB);
	wait_until(!host.agent.push_problem[0]);
	assert_string_equal(health_of_host(), "good");
	send_trust(2, ALICE | MALLORY);
	wait_until(status_number("refused") == 7);
	assert_string_equal(health_of_host(), "degraded");
	push(6, ALICE | BOB);
	wait_until(serial() == 6);
	assert_string_equal(host.agent.push_problem, "");
}

/* It goes on, for a host is not to be without one; but it is no good one. */
static void policy_goes_on_when_who_signed_it_is_revoked(void **state)
{
	(void)state;
	join();
	push(6, ALICE | BOB);
	wait_until(serial() == 6);
	send_trust(2, ALICE | BOB | MALLORY);
	wait_until(host.agent.trust->version == 2);
	assert_int_equal(serial(), 6);
	assert_non_null(
		strstr(host.agent.signers_problem, "1 of 2 signatures"));
	assert_string_equal(health_of_host(), "degraded");
	/* As it comes with the next connection, it is not taken anew. */
	push(6, ALICE | BOB);
	wait_until(status_number("refused") == 1);
	assert_int_equal(serial(), 6);
	agent_dies();
	begin(true);
	assert_int_equal(serial(), 6);
	assert_non_null(
		strstr(host.agent.signers_problem, "1 of 2 signatures"));
	connect_link();
	assert_string_equal(health_of_host(), "degraded");
	/* And the twin: the same, signed again by those who stay. */
	push(6, ALICE | MALLORY);
	wait_until(!host.agent.signers_problem[0]);
	assert_string_equal(health_of_host(), "good");
	agent_dies();
	begin(true);
	assert_int_equal(serial(), 6);
	assert_string_equal(host.agent.signers_problem, "");
}

/* A group may have those of before. */
static void older_anchors_are_passed_over_when_they_come_again(void **state)
{
	(void)state;
	join();
	send_trust(2, ALICE | BOB | MALLORY);
	wait_until(host.agent.trust->version == 2);
	send_trust(1, ALICE | BOB);
	wait_until(status_number("older") == 1);
	assert_int_equal(status_number("refused"), 0);
	/* Neither are those the next ones. */
	send_trust(4, ALICE | MALLORY);
	wait_until(status_number("refused") == 1);
	assert_int_equal(host.agent.trust->version, 2);
}

/* By who has the broker: one version was cut out of what the force sent. */
static void host_is_well_when_the_anchors_come_that_were_left_out(void **state)
{
	(void)state;
	join();
	send_trust(3, ALICE | BOB | CAROL | MALLORY);
	wait_until(status_number("refused") == 1);
	assert_non_null(strstr(host.agent.push_problem, "one version at a"));
	send_trust(2, ALICE | BOB | MALLORY);
	wait_until(host.agent.trust->version == 2);
	assert_string_equal(host.agent.push_problem, "");
	/* So it is when those that are in force come again. */
	send_trust(4, ALICE | MALLORY);
	wait_until(status_number("refused") == 2);
	assert_true(host.agent.push_problem[0]);
	send_trust(2, ALICE | BOB | MALLORY);
	wait_until(!host.agent.push_problem[0]);
	/* And the twin: what is wrong with a policy no anchors mend. */
	push(7, ALICE);
	wait_until(status_number("refused") == 3);
	assert_non_null(strstr(host.agent.push_problem, "1 of 2 signatures"));
	send_trust(3, ALICE | MALLORY | CAROL);
	wait_until(host.agent.trust->version == 3);
	assert_non_null(strstr(host.agent.push_problem, "1 of 2 signatures"));
}

/* It costs little, and is nothing that may go on for ever. */
static void known_message_makes_a_pause_when_it_comes_all_day(void **state)
{
	struct agent_fleet *fleet;

	(void)state;
	join();
	fleet = host.agent.fleet;
	say_policy("{}", 2);
	wait_until(status_number("refused") == 1);
	fleet->busy_ms = 0;
	for (int i = 0; i < 20; i++)
		say_policy("{}", 2);
	push(6, ALICE | BOB);
	wait_until(serial() == 6);
	assert_int_equal(fleet->resume_ms, 0);
	for (int i = 0; !fleet->resume_ms && i < 1000; i++) {
		fleet->busy_ms = clock_ms() + 8500;
		say_policy("{}", 2);
		step(1);
	}
	assert_int_not_equal(fleet->resume_ms, 0);
	push(7, ALICE | BOB);
	wait_until(serial() == 7);
	assert_int_equal(status_number("refused"), 1);
}

/* What is in force is no refusal, but to look at it takes time too. */
static void policy_in_force_makes_a_pause_when_it_comes_all_day(void **state)
{
	struct agent_fleet *fleet;

	(void)state;
	join();
	fleet = host.agent.fleet;
	push(6, ALICE | BOB);
	wait_until(serial() == 6);
	for (int i = 0; i < 20; i++)
		push(6, ALICE | BOB);
	step(50);
	assert_int_equal(fleet->resume_ms, 0);
	for (int i = 0; !fleet->resume_ms && i < 1000; i++) {
		fleet->busy_ms = clock_ms() + 8500;
		push(6, ALICE | BOB);
		step(1);
	}
	assert_int_not_equal(fleet->resume_ms, 0);
	push(7, ALICE | BOB);
	wait_until(serial() == 7);
	assert_int_equal(status_number("refused"), 0);
}

static void put_soon_policy(int64_t serial, unsigned int who)
{
	char at[TEXT_NUMBER_CHARS_MAX], more[128];

	text_format_time(time(NULL) + 1800, at, sizeof(at));
	(void)snprintf(more, sizeof(more), "not-before: %s\n", at);
	put_policy_of("Police", serial, more, who);
}

static void policy_comes_into_force_when_its_moment_comes(void **state)
{
	(void)state;
	join();
	send_policy(put_soon_policy, 7, ALICE | BOB);
	wait_until(status_number("refused") == 1);
	assert_int_equal(serial(), 5);
	clock_ahead_s = 1801;
	/* As by its timer, which looks once a minute. */
	agent_fleet_work(&host.agent);
	wait_until(serial() == 7);
}

/* Trust anchors from one version to another, and a policy by the last. */
static void send_rotated(int64_t from, int64_t to, int64_t serial)
{
	struct fleet_policy message = {.serial = (uint64_t)serial};

	for (int64_t v = from; v <= to; v++)
		message.trust[message.n_trust++] = (struct fleet_trust){
			.version = (uint64_t)v,
			.bundle = sent(put_next_trust, v,
				       ALICE | BOB | CAROL | MALLORY),
		};
	message.policy = sent(put_policy, serial, keys_of(to));
	send_message(&message);
}

/* New anchors, and in the same message a policy that they have signed. */
static void anchors_come_into_force_before_the_policy(void **state)
{
	(void)state;
	join();
	push(7, ALICE | MALLORY);
	wait_until(status_number("refused") == 1);
	send_rotated(2, 2, 7);
	wait_until(serial() == 7);
	assert_int_equal(host.agent.trust->version, 2);
	/* The enrolment stays, though one who signed it is trusted no more. */
	agent_dies();
	begin(false);
	assert_int_equal(host.agent.trust->version, 2);
	assert_string_equal(host.agent.trust_problem, "");
	assert_int_equal(serial(), 7);
	connect_link();
}

/* The policy came before the anchors of those who have signed it, and these by
 * another way. */
static void refused_policy_is_good_when_anchors_come_otherwise(void **state)
{
	char own[sizeof(host.policy)];

	(void)state;
	join();
	assert_int_equal(mkdir(host.drop, 0755), 0);
	assert_true(agent_dropped_start(&host.agent) >= 0);
	push(7, ALICE | MALLORY);
	wait_until(status_number("refused") == 1);
	push(7, ALICE | MALLORY);
	step(50);
	assert_int_equal(serial(), 5);
	(void)strcpy(own, host.policy);
	(void)snprintf(host.policy, sizeof(host.policy), "%s/policy.d/t.yaml",
		       host.etc);
	put_next_trust(2, ALICE | BOB | MALLORY);
	(void)strcpy(host.policy, own);
	agent_dropped_look(&host.agent);
	assert_int_equal(host.agent.trust->version, 2);
	push(7, ALICE | MALLORY);
	wait_until(serial() == 7);
	assert_int_equal(status_number("refused"), 1);
}

/* It was away for two updates, and takes one after the other. */
static void anchors_come_one_by_one_when_the_host_has_missed_some(void **state)
{
	(void)state;
	join();
	(void)json_array_clear(recorded);
	send_rotated(2, 3, 7);
	wait_until(serial() == 7);
	assert_int_equal(host.agent.trust->version, 3);
	assert_int_equal(told("trust"), 2);
	/* They go along with what is pushed later, and are no news. */
	send_rotated(2, 3, 8);
	wait_until(serial() == 8);
	assert_int_equal(told("trust"), 2);
	assert_int_equal(told("refused"), 0);
	assert_int_equal(status_number("refused"), 0);
	assert_int_equal(status_number("older"), 0);
}

/* Nobody who was trusted here has said that the third may follow. */
static void anchors_are_refused_when_one_is_left_out(void **state)
{
	(void)state;
	join();
	send_rotated(3, 4, 7);
	wait_until(status_number("refused") == 1);
	assert_int_equal(serial(), 5);
	assert_int_equal(host.agent.trust->version, 1);
	send_rotated(2, 4, 7);
	wait_until(serial() == 7);
	assert_int_equal(host.agent.trust->version, 4);
}

/* ---- acts ---------------------------------------------------------------- */

static char act_text[8192];

/* As cordond does. */
static void begin_acts(void)
{
	host.agent.host_public = own_key();
	host.agent.has_host_public = true;
	assert_int_equal(agent_act_start(&host.agent), 0);
	agent_act_started(&host.agent);
}

static void put_act(int64_t serial, unsigned int who)
{
	(void)serial;
	put_signed(host.policy, act_text, who);
}

/* This host asks for one. */
static void ask_for_act(void)
{
	struct control_request request = {.verb = CONTROL_ACT_REQUEST,
					  .act = "break-glass"};
	char why[TRUST_WORDS_MAX], *asked = NULL;

	assert_int_equal(agent_act_request(&host.agent, &request, &asked, why,
					   sizeof(why)),
			 0);
	(void)snprintf(act_text, sizeof(act_text), "%s", asked);
	free(asked);
}

static void send_act(unsigned int who)
{
	struct fleet_policy message = {.act = sent(put_act, 0, who)};

	send_message(&message);
}

/* The message of an act that this host asks for. */
static char *break_glass(size_t *ret_len)
{
	struct fleet_policy message = {0};
	char *text = NULL;

	ask_for_act();
	message.act = sent(put_act, 0, ALICE | BOB);
	assert_int_equal(fleet_policy_make(&message, FLEET_POLICY_BYTES_MAX,
					   &text, ret_len),
			 0);
	fleet_policy_release(&message);
	return text;
}

/* So that the force knows whether it was its own. */
static void host_attests_by_which_act_it_is_lifted(void **state)
{
	char hash[SIGN_HASH_CHARS_MAX];
	struct fleet_attest attest;
	int64_t now = time(NULL);
	size_t len;
	char *text;

	(void)state;
	join();
	begin_acts();
	text = break_glass(&len);
	sign_hash(act_text, strlen(act_text), hash);
	say_policy(text, len);
	free(text);
	wait_until(guarded.lifted_until_ns);
	attest = attested();
	assert_string_equal(attest.mode, "lifted");
	assert_string_equal(attest.lifted_sha256, hash);
	assert_in_range(attest.lifted_until_s, now + 60, now + 86400);
	/* It is asked once a second. */
	assert_int_equal(agent_act_end(&host.agent), 0);
	host.agent.fleet->ask_ms = 0;
	attest = attested();
	assert_string_equal(attest.mode, "enforce");
	assert_string_equal(attest.lifted_sha256, "");
	assert_int_equal(attest.lifted_until_s, 0);
}

/* The broker has it as long as nothing else takes its place. */
static void act_took_effect_once_and_is_no_news_after_a_start(void **state)
{
	size_t len;
	char *text;

	(void)state;
	join();
	begin_acts();
	text = break_glass(&len);
	assert_non_null(strstr(act_text, "host: \"" NAME "\""));
	(void)strcpy(hostname, "other-host");
	say_policy(text, len);
	wait_until(guarded.lifted_until_ns);
	assert_int_equal(agent_act_end(&host.agent), 0);
	agent_dies();
	begin(false);
	begin_acts();
	connect_link();
	(void)json_array_clear(recorded);
	say_policy(text, len);
	free(text);
	push(6, ALICE | BOB);
	wait_until(serial() == 6);
	assert_int_equal(guarded.lifted_until_ns, 0);
	assert_int_equal(told("refused"), 0);
	assert_int_equal(status_number("refused"), 0);
}

/* A fellow host may send rubbish all day. */
static void act_comes_through_when_there_was_rubbish_before_it(void **state)
{
	(void)state;
	join();
	begin_acts();
	ask_for_act();
	host.agent.fleet->may_tell = 0;
	send_act(ALICE);
	wait_until(status_number("refused") == 1);
	assert_int_equal(told("refused"), 0);
	/* That is to be told, so it is judged again. */
	host.agent.fleet->may_tell = 1;
	send_act(ALICE);
	wait_until(status_number("refused") == 2);
	assert_int_equal(told("refused"), 1);
	assert_int_equal(guarded.lifted_until_ns, 0);
	assert_int_equal(host.agent.fleet->may_tell, 0);
	send_act(ALICE | BOB);
	wait_until(guarded.lifted_until_ns);
	assert_int_equal(status_number("refused"), 2);
}

/* Whoever has the broker keeps what was signed, and sends it where it likes. */
static void host_is_well_when_an_act_comes_that_works_no_more(void **state)
{
	struct fleet_policy both = {.serial = 5};
	char used[sizeof(act_text)];

	(void)state;
	join();
	begin_acts();
	for (int i = 0; i < 2; i++) {
		(void)strcpy(used, act_text);
		ask_for_act();
		send_act(ALICE | BOB);
		wait_until(guarded.lifted_until_ns);
		assert_int_equal(agent_act_end(&host.agent), 0);
	}
	(void)strcpy(act_text, used);
	send_act(ALICE | BOB);
	wait_until(status_number("refused") == 1);
	assert_refused_for("it was used before");
	assert_string_equal(host.agent.push_problem, "");
	/* One signature of it is left out. */
	send_act(ALICE);
	wait_until(status_number("refused") == 2);
	assert_refused_for("1 of 2 signatures");
	assert_string_equal(host.agent.push_problem, "");
	ask_for_act();
	*strstr(act_text, NAME) = 'q';
	send_act(ALICE | BOB);
	wait_until(status_number("refused") == 3);
	assert_refused_for("it is for the host q");
	assert_string_equal(host.agent.push_problem, "");
	assert_string_equal(health_of_host(), "good");
	assert_int_equal(guarded.lifted_until_ns, 0);
	assert_int_equal(told("refused"), 3);
	/* Nor does it keep the host from being well again. */
	push(7, ALICE);
	wait_until(status_number("refused") == 4);
	assert_true(host.agent.push_problem[0]);
	ask_for_act();
	*strstr(act_text, NAME) = 'q';
	both.act = sent(put_act, 0, ALICE | BOB);
	both.policy = sent(put_policy, 5, ALICE | BOB);
	send_message(&both);
	wait_until(status_number("refused") == 5);
	assert_string_equal(host.agent.push_problem, "");
}

/* ---- the link ------------------------------------------------------------ */

static void link_is_started_again_when_it_says_what_is_no_frame(void **state)
{
	static const uint8_t junk[] = "GET / HTTP/1.1\r\n\r\n";
	uint8_t huge[64] = {LINK_POLICY, 0, 0, 0, 255, 255, 255, 127};

	(void)state;
	join();
	say_bytes(junk, sizeof(junk));
	wait_until(state_of()->broken == 1);
	hang_up();
	connect_link();
	say_bytes(huge, sizeof(huge));
	wait_until(state_of()->broken == 2);
	assert_false(state_of()->connected);
	hang_up();
	/* All that was is as it was, and the next one works. */
	assert_int_equal(serial(), 5);
	connect_link();
	push(7, ALICE | BOB);
	wait_until(serial() == 7);
	assert_int_equal(status_number("broken"), 2);
	assert_int_equal(status_number("starts"), 3);
}

static void half_a_message_is_nothing_when_the_link_is_killed(void **state)
{
	struct link_writer whole = {.from = LINK_FROM_LINK};
	struct fleet_policy message = {.serial = 7};
	struct link_frame frame = {.type = LINK_POLICY, .kind = LINK_HOST};
	char *text = NULL;

	(void)state;
	join();
	message.policy = sent(put_policy, 7, ALICE | BOB);
	assert_int_equal(fleet_policy_make(&message, FLEET_POLICY_BYTES_MAX,
					   &text, &frame.len),
			 0);
	frame.bytes = text;
	(void)strcpy(frame.name, host.agent.fleet->name);
	assert_int_equal(link_writer_put(&whole, &frame), 0);
	for (size_t part = 1; part < 4; part++) {
		say_bytes(whole.buf, whole.len * part / 4);
		assert_int_equal(kill(state_of()->pid, SIGKILL), 0);
		hang_up();
		wait_until(!state_of()->connected);
		assert_int_equal(serial(), 5);
		connect_link();
	}
	assert_int_equal(status_number("refused"), 0);
	say_bytes(whole.buf, whole.len);
	wait_until(serial() == 7);
	link_writer_release(&whole);
	fleet_policy_release(&message);
	free(text);
}

static void agent_goes_on_when_there_is_no_program(void **state)
{
	struct sign_public key = own_key();
	json_t *object;

	(void)state;
	(void)unlink(program);
	put_enrolment("Police", NAME, &key, 1, ALICE | BOB);
	begin(true);
	wait_until(state_of()->starts > 0);
	assert_int_equal(serial(), 5);
	object = status();
	assert_false(json_is_true(json_object_get(object, "connected")));
	assert_non_null(
		strstr(evidence_text(object, "link"), "could not be started"));
	json_decref(object);
}

/* ---- enrolments ---------------------------------------------------------- */

static void refused_enrolment(const char *why)
{
	json_t *object;

	agent_fleet_start(&host.agent);
	object = status();
	if (!strstr(evidence_text(object, "problem"), why))
		fail_msg("got: %s", evidence_text(object, "problem"));
	json_decref(object);
	assert_null(host.agent.fleet->link);
}

static void enrolment_is_refused_when_it_is_not_this_hosts(void **state)
{
	struct sign_public key = own_key();

	(void)state;
	begin(true);
	assert_true(json_is_null(status()));
	put_enrolment("Police", NAME, &key, 3, ALICE);
	refused_enrolment("1 of 2 signatures");
	put_enrolment("Police", NAME, &key, 3, ALICE | MALLORY);
	refused_enrolment("mallory.minisig is of the key");
	put_enrolment("Others", NAME, &key, 3, ALICE | BOB);
	refused_enrolment("its issuer is Others");
	put_signed(enrolment_file, "cordon: 1\n", ALICE | BOB);
	refused_enrolment("found a policy, expected an enrolment");
	put_enrolment("Police", NAME, &key, 3, ALICE | BOB);
	(void)unlink(kept(EVIDENCE_KEY));
	refused_enrolment("it is for the host");
	assert_int_equal(told("refused"), 5);
	assert_int_equal(told("enrolment"), 0);
	/* And the twin. */
	key = own_key();
	put_enrolment("Police", NAME, &key, 3, ALICE | BOB);
	agent_fleet_start(&host.agent);
	assert_non_null(host.agent.fleet->link);
	assert_int_equal(told("enrolment"), 1);
	connect_link();
}

static void older_enrolment_is_refused_and_a_newer_one_taken(void **state)
{
	struct sign_public key = own_key();

	(void)state;
	put_enrolment("Police", NAME, &key, 3, ALICE | BOB);
	begin(true);
	assert_non_null(host.agent.fleet->link);
	put_enrolment("Police", NAME, &key, 2, ALICE | BOB);
	refused_enrolment("its serial is 2");
	agent_dies();
	begin(false);
	refused_enrolment("its serial is 2");
	put_enrolment("Police", NAME, &key, 4, CAROL | BOB);
	agent_fleet_start(&host.agent);
	assert_int_equal(host.agent.fleet->enrolment->serial, 4);
	connect_link();
	/* The same once more changes nothing. */
	agent_fleet_start(&host.agent);
	assert_true(state_of()->connected);
}

/* The agent has ended, and somebody looks to it that it forgets. */
static void forget_link(void)
{
	agent_ends();
	assert_int_equal(unlink(kept("link.json")), 0);
	(void)unlink(kept("link.json.old"));
}

static void older_enrolment_is_refused_when_the_file_of_it_is_gone(void **state)
{
	struct sign_public key = own_key();
	uint64_t segment;

	(void)state;
	put_enrolment("Police", NAME, &key, 3, ALICE | BOB);
	begin(true);
	assert_non_null(host.agent.fleet->link);
	forget_link();
	put_enrolment("Police", NAME, &key, 2, ALICE | BOB);
	begin(true);
	refused_enrolment("its serial is 2, and this host had another one "
			  "with 3");
	/* Nor another one of the same serial. */
	put_enrolment("Police", "print-2.example", &key, 3, ALICE | BOB);
	refused_enrolment("had another one with 3");
	/* What tells of it is not far behind, however long the log is. */
	segment = evidence_segment(host.agent.evidence);
	while (evidence_segment(host.agent.evidence) < segment + 4) {
		happen(100);
		agent_remember_segment(&host.agent);
	}
	forget_link();
	assert_int_equal(state_put(kept("link.json"), "{", 1), 0);
	begin(false);
	refused_enrolment("had another one with 3");
	assert_int_equal(told("enrolment"), 0);
	/* And the twins: the same, and a newer one. */
	put_enrolment("Police", NAME, &key, 3, ALICE | BOB);
	agent_fleet_start(&host.agent);
	assert_non_null(host.agent.fleet->link);
	forget_link();
	put_enrolment("Police", NAME, &key, 4, ALICE | BOB);
	begin(true);
	assert_non_null(host.agent.fleet->link);
	assert_int_equal(told("enrolment"), 1);
	connect_link();
}

static void enrolment_stays_when_a_signer_is_revoked_later(void **state)
{
	struct sign_public key = own_key();

	(void)state;
	put_enrolment("Police", NAME, &key, 3, ALICE | BOB);
	begin(true);
	put_trust(2, 2, ALICE | CAROL, BOB, ALICE | BOB | CAROL);
	put_policy(6, ALICE | CAROL);
	agent_policy_reload(&host.agent);
	agent_fleet_start(&host.agent);
	assert_int_equal(host.agent.trust->version, 2);
	assert_non_null(host.agent.fleet->link);
	agent_dies();
	begin(false);
	assert_non_null(host.agent.fleet->link);
	/* But it is no signature of another one. */
	put_enrolment("Police", NAME, &key, 4, ALICE | BOB);
	refused_enrolment("the key of bob is revoked");
}

/* What is in a file of root's is nobody's signature. */
static void enrolment_is_refused_when_only_a_file_knows_it(void **state)
{
	struct sign_public key = own_key();
	char text[4096], hash[SIGN_HASH_CHARS_MAX];
	json_t *link;
	FILE *file;
	size_t len;

	(void)state;
	put_enrolment("Police", NAME, &key, 3, ALICE | BOB);
	begin(true);
	agent_ends();
	put_enrolment("Police", "print-2.example", &key, 9, MALLORY);
	file = fopen(enrolment_file, "re");
	assert_non_null(file);
	len = fread(text, 1, sizeof(text), file);
	(void)fclose(file);
	sign_hash(text, len, hash);
	link = json_load_file(kept("link.json"), 0, NULL);
	assert_non_null(link);
	assert_int_equal(
		json_object_set_new(link, "enrolment", json_integer(9)), 0);
	assert_int_equal(json_object_set_new(link, "sha256", json_string(hash)),
			 0);
	assert_int_equal(json_dump_file(link, kept("link.json"), 0), 0);
	json_decref(link);
	begin(false);
	refused_enrolment("0 of 2 signatures");
}

static void drop_enrolment(const struct sign_public *key, uint64_t serial,
			   unsigned int who)
{
	char own[sizeof(enrolment_file)];

	(void)strcpy(own, enrolment_file);
	(void)snprintf(enrolment_file, sizeof(enrolment_file), "%s/e.yaml",
		       host.drop);
	put_enrolment("Police", NAME, key, serial, who);
	(void)strcpy(enrolment_file, own);
	agent_dropped_look(&host.agent);
}

static void enrolment_is_taken_when_it_is_dropped(void **state)
{
	struct sign_public key = own_key(), other = key_in("other.key");
	int fd;

	(void)state;
	begin(true);
	assert_int_equal(mkdir(host.drop, 0755), 0);
	fd = agent_dropped_start(&host.agent);
	assert_true(fd >= 0);
	drop_enrolment(&key, 3, ALICE);
	assert_null(host.agent.fleet->link);
	assert_int_equal(told("refused"), 0);
	drop_enrolment(&other, 3, ALICE | BOB);
	assert_null(host.agent.fleet->link);
	assert_int_equal(told("refused"), 1);
	drop_enrolment(&key, 3, ALICE | BOB);
	assert_non_null(host.agent.fleet->link);
	assert_int_equal(told("enrolment"), 1);
	assert_int_equal(access(enrolment_file, F_OK), 0);
	connect_link();
	/* It lies there, and the link stays. */
	agent_dropped_look(&host.agent);
	assert_true(state_of()->connected);
	drop_enrolment(&key, 2, ALICE | BOB);
	assert_int_equal(told("refused"), 2);
	assert_true(state_of()->connected);
}

static void put_policy_for(const char *name, int64_t serial)
{
	char more[64];

	(void)snprintf(more, sizeof(more), "hosts: [%s]\n", name);
	put_policy_of("Police", serial, more, ALICE | BOB);
}

static void put_own_policy(int64_t serial, unsigned int who)
{
	(void)who;
	put_policy_for(NAME, serial);
}

/* Root can call it what another host is called. */
static void host_is_called_what_it_is_enrolled_as(void **state)
{
	(void)state;
	join();
	(void)strcpy(hostname, "other-host");
	send_policy(put_others_policy, 7, ALICE | BOB);
	wait_until(status_number("refused") == 1);
	assert_refused_for("none of its `hosts` matches " NAME);
	put_policy_for("other-host", 7);
	assert_int_equal(reload(), 5);
	assert_problem("not for this host");
	/* And the twin, which begins at a boot, too. */
	send_policy(put_own_policy, 7, ALICE | BOB);
	wait_until(serial() == 7);
	put_policy_for("other-host", 8);
	agent_dies();
	begin(true);
	assert_int_equal(serial(), 7);
	assert_problem("not for this host");
	put_policy_for("PRINT-1.*", 8);
	assert_int_equal(reload(), 8);
}

static void host_of_no_fleet_is_called_what_root_says(void **state)
{
	struct sign_public key = own_key();

	(void)state;
	(void)strcpy(hostname, "other-host");
	put_policy_for(NAME, 5);
	assert_int_equal(start(true), 0);
	agent_ends();
	put_policy_for("other-host", 5);
	begin(true);
	assert_int_equal(serial(), 5);
	/* One that a stranger has signed gives it no other name. */
	put_enrolment("Police", NAME, &key, 2, MALLORY | ALICE);
	put_policy_for(NAME, 6);
	assert_int_equal(reload(), 5);
	/* And the twin, as cordond reloads; what is in force stays. */
	put_enrolment("Police", NAME, &key, 2, ALICE | BOB);
	assert_int_equal(reload(), 6);
	agent_fleet_start(&host.agent);
	put_policy_for("other-host", 7);
	assert_int_equal(reload(), 6);
	connect_link();
}

static void host_leaves_the_fleet_when_the_file_is_gone(void **state)
{
	struct sign_public key = own_key();

	(void)state;
	join();
	(void)unlink(enrolment_file);
	agent_fleet_start(&host.agent);
	assert_null(host.agent.fleet->link);
	assert_true(json_is_null(status()));
	happen(3);
	hang_up();
	put_enrolment("Police", NAME, &key, 1, ALICE | BOB);
	agent_fleet_start(&host.agent);
	connect_link();
	(void)take_all(0);
}

#define in_a_fleet(test) \
	cmocka_unit_test_setup_teardown(test, make_fleet, end_fleet)

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		in_a_fleet(evidence_comes_to_the_force_as_it_was_written),
		in_a_fleet(one_report_is_on_its_way_at_a_time),
		in_a_fleet(report_goes_again_as_it_was_when_the_link_is_new),
		in_a_fleet(nothing_is_lost_when_the_agent_dies_meanwhile),
		in_a_fleet(report_goes_again_when_the_broker_does_not_take_it),
		in_a_fleet(lines_go_over_the_end_of_a_segment),
		in_a_fleet(what_does_not_fit_is_counted_and_the_oldest_stays),
		in_a_fleet(log_retires_as_before_when_there_is_no_fleet),
		in_a_fleet(ask_is_answered_with_what_the_host_is),
		in_a_fleet(flood_of_asks_is_answered_once_a_second),
		in_a_fleet(evidence_goes_again_from_where_the_force_has_it),
		in_a_fleet(
			policy_is_in_force_when_it_was_pushed_and_after_a_boot),
		in_a_fleet(older_policy_is_passed_over_when_it_comes_again),
		in_a_fleet(old_policy_is_refused_when_the_message_says_a_newer),
		in_a_fleet(policy_is_refused_when_it_is_forged_or_others),
		in_a_fleet(
			rubbish_is_told_so_often_and_keeps_nothing_good_away),
		in_a_fleet(host_is_well_when_nobody_has_signed_what_is_refused),
		in_a_fleet(policy_goes_on_when_who_signed_it_is_revoked),
		in_a_fleet(older_anchors_are_passed_over_when_they_come_again),
		in_a_fleet(
			host_is_well_when_the_anchors_come_that_were_left_out),
		in_a_fleet(known_message_makes_a_pause_when_it_comes_all_day),
		in_a_fleet(policy_in_force_makes_a_pause_when_it_comes_all_day),
		in_a_fleet(policy_comes_into_force_when_its_moment_comes),
		in_a_fleet(anchors_come_into_force_before_the_policy),
		in_a_fleet(refused_policy_is_good_when_anchors_come_otherwise),
		in_a_fleet(
			anchors_come_one_by_one_when_the_host_has_missed_some),
		in_a_fleet(anchors_are_refused_when_one_is_left_out),
		in_a_fleet(host_attests_by_which_act_it_is_lifted),
		in_a_fleet(act_took_effect_once_and_is_no_news_after_a_start),
		in_a_fleet(act_comes_through_when_there_was_rubbish_before_it),
		in_a_fleet(host_is_well_when_an_act_comes_that_works_no_more),
		in_a_fleet(link_is_started_again_when_it_says_what_is_no_frame),
		in_a_fleet(half_a_message_is_nothing_when_the_link_is_killed),
		in_a_fleet(agent_goes_on_when_there_is_no_program),
		in_a_fleet(enrolment_is_refused_when_it_is_not_this_hosts),
		in_a_fleet(older_enrolment_is_refused_and_a_newer_one_taken),
		in_a_fleet(
			older_enrolment_is_refused_when_the_file_of_it_is_gone),
		in_a_fleet(enrolment_stays_when_a_signer_is_revoked_later),
		in_a_fleet(enrolment_is_refused_when_only_a_file_knows_it),
		in_a_fleet(enrolment_is_taken_when_it_is_dropped),
		in_a_fleet(host_is_called_what_it_is_enrolled_as),
		in_a_fleet(host_of_no_fleet_is_called_what_root_says),
		in_a_fleet(host_leaves_the_fleet_when_the_file_is_gone),
	};
	ssize_t n;

	if (argc == 3 && strcmp(argv[1], "--relay") == 0)
		return relay(argv[2]);
	n = readlink("/proc/self/exe", me, sizeof(me) - 1);
	if (n < 0)
		return 1;
	me[n] = '\0';
	return cmocka_run_group_tests(tests, make_people, NULL);
}
