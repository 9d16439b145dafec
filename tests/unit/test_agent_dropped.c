// SPDX-License-Identifier: GPL-2.0-only
/*
 * The drop directory: what comes there, in whatever order, and what of it an
 * agent takes, waits for, refuses and writes down.
 */
#include "agent_host.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/stat.h>
#include <unistd.h>

#include "clock.h"
#include "evidence.h"
#include "text.h"

#define PATIENCE_MS 60000

static int64_t ahead_s; /* of the clock */
static int fd = -1;

/* ---- the directory ------------------------------------------------------- */

static const char *in_drop(const char *name)
{
	static char path[4][512];
	static unsigned int n;

	n = (n + 1) % 4;
	(void)snprintf(path[n], sizeof(path[n]), "%s/%s", host.drop, name);
	return path[n];
}

static void write_file(const char *path, const char *text)
{
	int file = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);

	assert_true(file >= 0);
	assert_int_equal(write(file, text, strlen(text)), (long)strlen(text));
	assert_int_equal(close(file), 0);
}

static const char *policy_text(const char *issuer, int serial, const char *more)
{
	static char text[1024];

	(void)snprintf(text, sizeof(text),
		       "cordon: 1\nissuer: %s\nserial: %d\n%smode: enforce\n"
		       "datasets:\n  d: {paths: [/srv/d], record: file}\n"
		       "rules: []\n",
		       issuer, serial, more);
	return text;
}

static void sign_as(const char *name, const char *text, int who)
{
	char signature[MINISIGN_TEXT_MAX], file[128];

	assert_int_equal(
		minisign_make(&people[who], text, strlen(text), "c", signature),
		0);
	(void)snprintf(file, sizeof(file), "%s.%s.minisig", name, person(who));
	write_file(in_drop(file), signature);
}

static void drop(const char *name, const char *text, unsigned int who)
{
	write_file(in_drop(name), text);
	for (int i = 0; i < PEOPLE; i++)
		if (who & 1U << i)
			sign_as(name, text, i);
}

static void drop_policy(const char *name, int serial, unsigned int who)
{
	drop(name, policy_text("Police", serial, ""), who);
}

/* ---- what the agent says ------------------------------------------------- */

static json_t *said_of(const char *name)
{
	json_t *status = agent_dropped_status(&host.agent), *file,
	       *found = NULL;
	size_t i;

	json_array_foreach (json_object_get(status, "files"), i, file)
		if (strcmp(evidence_text(file, "file"), name) == 0)
			found = json_incref(file);
	json_decref(status);
	return found;
}

static bool is_state(const char *name, const char *state)
{
	json_t *file = said_of(name);
	bool is = file ? strcmp(evidence_text(file, "state"), state) == 0
		       : state[0] == '\0';

	json_decref(file);
	return is;
}

static void handle(int timeout_ms)
{
	struct pollfd ready = {.fd = fd, .events = POLLIN};

	(void)poll(&ready, 1, timeout_ms);
	agent_dropped_handle(&host.agent, clock_s(CLOCK_BOOTTIME) + ahead_s);
}

/* Until the file is in that state; "": nothing is known of it. */
static void expect(const char *name, const char *state)
{
	int64_t end_ms = clock_ms() + PATIENCE_MS;
	json_t *file;

	while (!is_state(name, state)) {
		if (clock_ms() > end_ms) {
			file = said_of(name);
			fail_msg("%s: expected %s, got %s", name, state,
				 file ? json_dumps(file, 0) : "nothing");
		}
		handle(100);
	}
}

static void expect_why(const char *name, const char *state, const char *why)
{
	json_t *file;

	expect(name, state);
	file = said_of(name);
	if (!strstr(evidence_text(file, "problem"), why))
		fail_msg("%s: got: %s", name, evidence_text(file, "problem"));
	json_decref(file);
}

static size_t refusals(void)
{
	json_t *line;
	size_t i, n = 0;

	json_array_foreach (recorded, i, line)
		n += strcmp(evidence_text(line, "type"), "refused") == 0;
	return n;
}

static const char *last_refusal(void)
{
	size_t i = json_array_size(recorded);
	const json_t *line;

	while (i--) {
		line = json_array_get(recorded, i);
		if (strcmp(evidence_text(line, "type"), "refused") == 0)
			return evidence_text(line, "problem");
	}
	return "";
}

/* ---- a host -------------------------------------------------------------- */

static uint64_t start_dropped(bool boot)
{
	uint64_t serial;

	serial = start(boot);
	fd = agent_dropped_start(&host.agent);
	assert_true(fd >= 0);
	return serial ? agent_serial(&host.agent) : 0;
}

/* Two of three have to sign, and serial 5 is in force. */
static void enrol_dropped(void)
{
	ahead_s = 0;
	assert_int_equal(mkdir(host.drop, 0755), 0);
	put_trust(1, 2, ALICE | BOB | CAROL, 0, 0);
	put_policy(5, ALICE | BOB);
	assert_int_equal(start_dropped(true), 5);
	(void)json_array_clear(recorded);
}

static void assert_in_force(uint64_t serial)
{
	assert_int_equal(agent_serial(&host.agent), serial);
}

/* ---- how it comes -------------------------------------------------------- */

static void policy_comes_into_force_in_whatever_order_it_comes(void **state)
{
	const char *text;

	(void)state;
	enrol_dropped();
	drop_policy("a.yaml", 6, ALICE | BOB);
	expect("a.yaml", "in-force");
	assert_in_force(6);
	text = policy_text("Police", 7, "");
	sign_as("b.yaml", text, 2);
	sign_as("b.yaml", text, 0);
	write_file(in_drop("b.yaml"), text);
	expect("b.yaml", "in-force");
	expect("a.yaml", "older");
	assert_in_force(7);
	assert_int_equal(refusals(), 0);
	assert_string_equal(
		json_string_value(json_array_get(host.agent.signers, 0)),
		"alice");
}

static void policy_comes_into_force_when_it_is_renamed(void **state)
{
	(void)state;
	enrol_dropped();
	drop_policy("c.yaml.part", 6, 0);
	assert_int_equal(rename(in_drop("c.yaml.part"), in_drop("c.yaml")), 0);
	sign_as("x.yaml", policy_text("Police", 6, ""), 0);
	sign_as("c.yaml", policy_text("Police", 6, ""), 1);
	assert_int_equal(rename(in_drop("x.yaml.alice.minisig"),
				in_drop("c.yaml.alice.minisig")),
			 0);
	expect("c.yaml", "in-force");
	assert_in_force(6);
	assert_int_equal(refusals(), 0);
}

/* A link has nobody who closes it. */
static void policy_comes_into_force_when_it_is_linked(void **state)
{
	char path[160];

	(void)state;
	enrol_dropped();
	(void)snprintf(path, sizeof(path), "%s/elsewhere", host.etc);
	put(path, policy_text("Police", 6, ""));
	sign_as("c.yaml", policy_text("Police", 6, ""), 0);
	sign_as("c.yaml", policy_text("Police", 6, ""), 1);
	assert_int_equal(link(path, in_drop("c.yaml")), 0);
	expect("c.yaml", "in-force");
}

/* Half of it is there, with the signatures of the whole, for as long as it
 * takes. */
static void policy_waits_when_it_is_half_written(void **state)
{
	const char *text = policy_text("Police", 6, "");
	int file;

	(void)state;
	enrol_dropped();
	sign_as("h.yaml", text, 0);
	sign_as("h.yaml", text, 1);
	file = open(in_drop("h.yaml"), O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
	assert_int_equal(write(file, text, 20), 20);
	/* Somebody makes it look. */
	sign_as("h.yaml", text, 2);
	expect_why("h.yaml", "waiting", "claims to be");
	assert_int_equal(write(file, text + 20, strlen(text) - 20),
			 (long)strlen(text) - 20);
	assert_int_equal(close(file), 0);
	expect("h.yaml", "in-force");
	assert_in_force(6);
	assert_int_equal(refusals(), 0);
}

/* As scp does it: the new file is there before the new signatures are. */
static void policy_comes_into_force_when_it_is_written_over(void **state)
{
	(void)state;
	enrol_dropped();
	drop_policy("p.yaml", 6, ALICE | BOB);
	expect("p.yaml", "in-force");
	write_file(in_drop("p.yaml"), policy_text("Police", 7, ""));
	expect_why("p.yaml", "waiting", "claims to be alice");
	drop_policy("p.yaml", 7, ALICE | BOB);
	expect("p.yaml", "in-force");
	assert_in_force(7);
	assert_int_equal(refusals(), 0);
}

/* ---- what it waits for --------------------------------------------------- */

static void policy_waits_when_too_few_have_signed(void **state)
{
	(void)state;
	enrol_dropped();
	drop_policy("w.yaml", 6, ALICE);
	expect_why("w.yaml", "waiting", "1 of 2 signatures");
	assert_int_equal(refusals(), 0);
	/* Nor is it in any hurry. */
	ahead_s = 3000;
	agent_dropped_look(&host.agent);
	handle(0);
	expect("w.yaml", "waiting");
	sign_as("w.yaml", policy_text("Police", 6, ""), 1);
	expect("w.yaml", "in-force");
	assert_in_force(6);
	assert_int_equal(refusals(), 0);
}

static void policy_is_refused_once_when_nobody_completes_it(void **state)
{
	(void)state;
	enrol_dropped();
	drop_policy("w.yaml", 6, ALICE);
	expect("w.yaml", "waiting");
	ahead_s = 3700;
	expect_why("w.yaml", "refused", "1 of 2 signatures");
	assert_int_equal(refusals(), 1);
	for (int i = 0; i < 3; i++)
		agent_dropped_look(&host.agent);
	assert_int_equal(refusals(), 1);
	assert_in_force(5);
	/* It is never too late. */
	sign_as("w.yaml", policy_text("Police", 6, ""), 2);
	expect("w.yaml", "in-force");
}

static void policy_waits_for_its_day(void **state)
{
	char more[64] = "not-before: ", at[32];

	(void)state;
	enrol_dropped();
	text_format_time(time(NULL) + 1800, at, sizeof(at));
	(void)snprintf(more, sizeof(more), "not-before: %s\n", at);
	drop("d.yaml", policy_text("Police", 6, more), ALICE | BOB);
	expect_why("d.yaml", "waiting", "not valid before");
	assert_in_force(5);
	ahead_s = clock_ahead_s = 1801;
	expect("d.yaml", "in-force");
	assert_in_force(6);
	assert_int_equal(refusals(), 0);
}

/* ---- what it refuses ----------------------------------------------------- */

static void forged_policy_is_refused_once(void **state)
{
	(void)state;
	enrol_dropped();
	drop_policy("f.yaml", 6, ALICE | BOB);
	write_file(in_drop("f.yaml"), policy_text("Police", 66, ""));
	expect_why("f.yaml", "waiting", "claims to be alice");
	ahead_s = 11;
	expect("f.yaml", "refused");
	assert_int_equal(refusals(), 1);
	assert_non_null(strstr(last_refusal(), "claims to be alice"));
	agent_dropped_look(&host.agent);
	write_file(in_drop("f.yaml"), policy_text("Police", 66, ""));
	handle(300);
	expect("f.yaml", "refused");
	assert_int_equal(refusals(), 1);
	assert_in_force(5);
}

/* Who tries and takes it away again leaves a trace all the same. */
static void forged_policy_is_refused_when_it_is_taken_away(void **state)
{
	(void)state;
	enrol_dropped();
	drop_policy("f.yaml", 6, MALLORY);
	expect_why("f.yaml", "waiting", "is of the key");
	(void)unlink(in_drop("f.yaml"));
	expect("f.yaml", "");
	assert_int_equal(refusals(), 1);
	drop_policy("g.yaml", 7, MALLORY);
	expect("g.yaml", "waiting");
	drop_policy("g.yaml", 6, ALICE | BOB);
	expect("g.yaml", "in-force");
	assert_int_equal(refusals(), 2);
}

static void policy_is_refused_for_what_a_file_is_refused_for(void **state)
{
	static const struct {
		const char *issuer, *more, *why;
		int serial;
	} cases[] = {
		{"Others", "", "issuer is Others", 6},
		{"Police", "hosts: [other-host]\n", "not for this host", 6},
		{"Police", "expires: 2020-01-01T00:00:00Z\n", "it expired", 6},
		{"Police", "", "is older than 5", 4},
		{"Police", "# other\n", "another policy with the serial 5", 5},
		{"Police", "mode: enforce\n", "stands twice", 6},
	};
	char name[32];

	(void)state;
	enrol_dropped();
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		(void)snprintf(name, sizeof(name), "r%zu.yaml", i);
		drop(name,
		     policy_text(cases[i].issuer, cases[i].serial,
				 cases[i].more),
		     ALICE | BOB);
		expect_why(name, "refused", cases[i].why);
		assert_int_equal(refusals(), i + 1);
		assert_in_force(5);
		assert_string_equal(host.agent.problem, "");
	}
	drop_policy("twin.yaml", 6, ALICE | BOB);
	expect("twin.yaml", "in-force");
}

static void replayed_policy_is_refused(void **state)
{
	(void)state;
	enrol_dropped();
	drop_policy("a.yaml", 6, ALICE | BOB);
	expect("a.yaml", "in-force");
	drop_policy("b.yaml", 7, ALICE | BOB);
	expect("b.yaml", "in-force");
	/* What lies there is no attack. */
	agent_dropped_look(&host.agent);
	expect("a.yaml", "older");
	assert_int_equal(refusals(), 0);
	drop_policy("a.yaml", 6, ALICE | BOB);
	expect_why("a.yaml", "refused", "is older than 7");
	drop_policy("c.yaml", 6, ALICE | BOB);
	expect_why("c.yaml", "refused", "is older than 7");
	/* The same, for the same reason. */
	assert_int_equal(refusals(), 1);
	assert_in_force(7);
}

static void what_is_no_file_of_roots_is_refused(void **state)
{
	char path[160];
	int file;

	(void)state;
	enrol_dropped();
	(void)snprintf(path, sizeof(path), "%s/elsewhere.yaml", host.dir);
	put(path, policy_text("Police", 6, ""));
	assert_int_equal(symlink(path, in_drop("link.yaml")), 0);
	expect_why("link.yaml", "refused", "symbolic link");
	assert_int_equal(mkfifo(in_drop("fifo.yaml"), 0644), 0);
	expect_why("fifo.yaml", "refused", "not a regular file");
	assert_int_equal(mkdir(in_drop("dir.yaml"), 0755), 0);
	expect_why("dir.yaml", "refused", "not a regular file");
	file = open(in_drop("huge.yaml"), O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
	assert_int_equal(ftruncate(file, 20 << 20), 0);
	assert_int_equal(close(file), 0);
	expect_why("huge.yaml", "refused", "more than 16 MiB");
	drop_policy("open.yaml", 6, ALICE | BOB);
	/* Before it was looked at, as a rule; when it was, nothing is wrong. */
	assert_int_equal(chmod(in_drop("open.yaml"), 0666), 0);
	drop("open2.yaml", "", 0);
	assert_int_equal(chmod(in_drop("open2.yaml"), 0666), 0);
	expect_why("open2.yaml", "refused", "others than root can change");
	drop("what.yaml", "hello: world\n", ALICE | BOB);
	expect_why("what.yaml", "refused", "nothing that a host takes");
	assert_true(refusals() >= 6);
	(void)unlink(path);
}

static void file_is_taken_when_nobody_else_can_change_it_any_more(void **state)
{
	(void)state;
	enrol_dropped();
	drop("o.yaml", "", 0);
	assert_int_equal(chmod(in_drop("o.yaml"), 0666), 0);
	expect("o.yaml", "refused");
	drop_policy("o.yaml", 6, ALICE | BOB);
	expect_why("o.yaml", "refused", "others than root");
	assert_int_equal(chmod(in_drop("o.yaml"), 0644), 0);
	expect("o.yaml", "in-force");
}

/* ---- the directory ------------------------------------------------------- */

static bool has_problem(const char *why)
{
	json_t *status = agent_dropped_status(&host.agent);
	bool has = strstr(evidence_text(status, "problem"), why);

	json_decref(status);
	return has;
}

static void expect_problem(const char *why)
{
	int64_t end_ms = clock_ms() + PATIENCE_MS;

	while (!has_problem(why)) {
		assert_true(clock_ms() < end_ms);
		handle(100);
	}
}

static void directory_is_not_looked_at_when_others_can_change_it(void **state)
{
	(void)state;
	enrol_dropped();
	assert_int_equal(chmod(host.drop, 0777), 0);
	drop_policy("a.yaml", 6, ALICE | BOB);
	expect_problem("others than root can change");
	assert_in_force(5);
	assert_int_equal(refusals(), 1);
	assert_int_equal(chmod(host.drop, 0755), 0);
	expect("a.yaml", "in-force");
	assert_false(has_problem("others"));
}

static void directory_is_not_looked_at_when_it_is_a_link(void **state)
{
	char elsewhere[160];
	json_t *status;

	(void)state;
	enrol_dropped();
	drop_policy("a.yaml", 6, ALICE);
	expect("a.yaml", "waiting");
	(void)snprintf(elsewhere, sizeof(elsewhere), "%s/elsewhere", host.dir);
	assert_int_equal(rename(host.drop, elsewhere), 0);
	assert_int_equal(symlink(elsewhere, host.drop), 0);
	sign_as("a.yaml", policy_text("Police", 6, ""), 1);
	agent_dropped_look(&host.agent);
	assert_in_force(5);
	assert_int_equal(refusals(), 1);
	assert_int_equal(unlink(host.drop), 0);
	assert_int_equal(rename(elsewhere, host.drop), 0);
	expect("a.yaml", "in-force");
	status = agent_dropped_status(&host.agent);
	assert_true(json_is_object(status));
	json_decref(status);
}

static void directory_is_seen_when_it_comes(void **state)
{
	json_t *status;

	(void)state;
	ahead_s = 0;
	put_trust(1, 2, ALICE | BOB | CAROL, 0, 0);
	put_policy(5, ALICE | BOB);
	assert_int_equal(start_dropped(true), 5);
	status = agent_dropped_status(&host.agent);
	assert_true(json_is_null(status));
	json_decref(status);
	assert_int_equal(mkdir(host.drop, 0755), 0);
	drop_policy("a.yaml", 6, ALICE | BOB);
	expect("a.yaml", "in-force");
}

static void nothing_is_looked_at_without_trust_anchors(void **state)
{
	(void)state;
	ahead_s = 0;
	assert_int_equal(mkdir(host.drop, 0755), 0);
	drop_policy("a.yaml", 6, ALICE | BOB);
	put_policy(5, 0);
	assert_int_equal(start_dropped(true), 5);
	expect_problem("without trust anchors");
	drop_policy("b.yaml", 7, ALICE | BOB);
	handle(300);
	handle(300);
	assert_in_force(5);
	expect("b.yaml", "");
	/* The twin: as soon as there are some. */
	put_trust(1, 2, ALICE | BOB | CAROL, 0, 0);
	put_policy(5, ALICE | BOB);
	assert_int_equal(reload(), 7);
}

static void flood_is_bounded(void **state)
{
	char name[32];
	json_t *status;

	(void)state;
	enrol_dropped();
	for (int i = 0; i < 300; i++) {
		(void)snprintf(name, sizeof(name), "n%d.yaml", i);
		drop(name, name, 0);
		if (!(i % 50))
			handle(0);
	}
	expect_problem("more than 32 files");
	status = agent_dropped_status(&host.agent);
	assert_int_equal(json_array_size(json_object_get(status, "files")), 32);
	json_decref(status);
	for (int k = 0; k < 8; k++) {
		for (int i = 0; i < 30; i++) {
			(void)snprintf(name, sizeof(name), "m%d-%d.yaml", k, i);
			drop(name, name, 0);
		}
		agent_dropped_look(&host.agent);
	}
	assert_true(refusals() <= 64);
	status = agent_dropped_status(&host.agent);
	assert_true(evidence_number(status, "unwritten") > 0);
	json_decref(status);
	/* And what is good is found in it. */
	drop_policy("good.yaml", 6, ALICE | BOB);
	expect("good.yaml", "in-force");
}

/* ---- several ------------------------------------------------------------- */

static void highest_serial_comes_into_force_when_several_come(void **state)
{
	(void)state;
	enrol_dropped();
	drop_policy("b.yaml", 8, ALICE | BOB);
	drop_policy("a.yaml", 7, ALICE | BOB);
	drop_policy("c.yaml", 9, ALICE);
	drop_policy("d.yaml", 6, BOB | CAROL);
	agent_dropped_look(&host.agent);
	assert_in_force(8);
	expect("b.yaml", "in-force");
	expect("a.yaml", "older");
	expect("d.yaml", "older");
	expect("c.yaml", "waiting");
	assert_int_equal(refusals(), 0);
}

static void next_one_comes_into_force_when_the_guard_takes_no_more(void **state)
{
	(void)state;
	enrol_dropped();
	drop_policy("a.yaml", 6, ALICE | BOB);
	apply_fails = -ENOSPC;
	expect_why("a.yaml", "refused", "the guard cannot take it");
	assert_in_force(5);
	apply_fails = 0;
	agent_dropped_look(&host.agent);
	assert_in_force(6);
}

static void trust_text(char *text, size_t size, int version, unsigned int keys,
		       unsigned int revoked)
{
	(void)snprintf(text, size,
		       "cordon-trust: 1\nissuer: Police\nversion: %d\n"
		       "threshold: 2\n",
		       version);
	put_keys(text, size, "keys", keys);
	put_keys(text, size, "revoked", revoked);
}

/* Carol goes and mallory comes; what both then have signed comes with it. */
static void anchors_come_into_force_with_what_they_have_signed(void **state)
{
	char text[4096], bytes[4096];

	(void)state;
	enrol_dropped();
	drop_policy("a.yaml", 6, ALICE | MALLORY);
	trust_text(text, sizeof(text), 2, ALICE | BOB | MALLORY, CAROL);
	drop("z.yaml", text, ALICE);
	expect_why("z.yaml", "waiting", "1 of 2 signatures");
	sign_as("z.yaml", text, 1);
	expect("z.yaml", "in-force");
	expect("a.yaml", "in-force");
	assert_in_force(6);
	assert_int_equal(host.agent.trust->version, 2);
	assert_string_equal(host.agent.trust_problem, "");
	read_whole(host.trust, bytes, sizeof(bytes));
	assert_string_equal(bytes, text);
	/* A reload finds it where the first ones were. */
	assert_int_equal(reload(), 6);
	assert_string_equal(host.agent.trust_problem, "");
	drop_policy("b.yaml", 7, ALICE | CAROL);
	expect_why("b.yaml", "waiting", "carol is revoked");
	assert_int_equal(refusals(), 0);
	trust_text(text, sizeof(text), 4, ALICE | BOB, CAROL);
	drop("y.yaml", text, ALICE | BOB);
	expect_why("y.yaml", "refused", "one version at a time");
}

/* ---- much ---------------------------------------------------------------- */

/* A policy with so many networks. */
static char *networks_text(int n)
{
	char *buf = NULL;
	size_t len;
	FILE *f = open_memstream(&buf, &len);

	(void)fputs("cordon: 1\nissuer: Police\nserial: 6\nmode: enforce\n"
		    "datasets:\n  d: {paths: [/srv/d], record: file}\n"
		    "destinations:\n  far:\n    networks:\n",
		    f);
	for (int i = 0; i < n; i++)
		(void)fprintf(f, "      - 10.%d.%d.%d/32\n", i >> 16,
			      i >> 8 & 255, i & 255);
	(void)fputs("rules: []\n", f);
	(void)fclose(f);
	return buf;
}

static void policy_is_refused_when_it_has_too_many_networks(void **state)
{
	char *many = networks_text(100000), *most = networks_text(20000);

	(void)state;
	enrol_dropped();
	drop("many.yaml", many, ALICE | BOB);
	expect_why("many.yaml", "refused", "more than 20000 networks");
	assert_in_force(5);
	assert_int_equal(refusals(), 1);
	drop("most.yaml", most, ALICE | BOB);
	expect("most.yaml", "in-force");
	free(many);
	free(most);
}

/* Behind text, so many bytes of comments. */
static char *comments_text(const char *start, size_t bytes)
{
	size_t len = strlen(start);
	char *buf = malloc(len + bytes + 1);

	assert_non_null(buf);
	memcpy(buf, start, len);
	memset(buf + len, '#', bytes);
	for (size_t i = 79; i < bytes; i += 80)
		buf[len + i] = '\n';
	buf[len + bytes] = '\0';
	return buf;
}

static void policy_is_refused_when_its_file_is_too_large(void **state)
{
	const char *text = policy_text("Police", 6, "");
	char *large = comments_text(text, 20 << 20);
	char *largest =
		comments_text(text, POLICY_FILE_BYTES_MAX - strlen(text));

	(void)state;
	enrol_dropped();
	drop("large.yaml", large, ALICE | BOB);
	expect_why("large.yaml", "refused", "more than 16 MiB");
	assert_in_force(5);
	drop("largest.yaml", largest, ALICE | BOB);
	expect("largest.yaml", "in-force");
	free(large);
	free(largest);
}

/* ---- what stays ---------------------------------------------------------- */

static void dropped_policy_stays_when_the_file_is_deleted(void **state)
{
	char bytes[4096];

	(void)state;
	enrol_dropped();
	drop_policy("a.yaml", 6, ALICE | CAROL);
	expect("a.yaml", "in-force");
	read_whole(host.policy, bytes, sizeof(bytes));
	assert_string_equal(bytes, policy_text("Police", 6, ""));
	(void)unlink(in_drop("a.yaml"));
	expect("a.yaml", "");
	assert_in_force(6);
	assert_int_equal(reload(), 6);
	assert_string_equal(host.agent.problem, "");
	assert_int_equal(start_dropped(false), 6);
	assert_int_equal(start_dropped(true), 6);
	assert_string_equal(host.agent.problem, "");
	/* Also where the file was spoilt. */
	put(host.policy, "");
	assert_int_equal(start_dropped(true), 6);
	assert_int_equal(refusals(), 1);
}

static void start_begins_with_the_newest_there_is(void **state)
{
	(void)state;
	enrol_dropped();
	drop_policy("a.yaml", 7, ALICE | BOB);
	drop_policy("b.yaml", 8, ALICE);
	assert_int_equal(start_dropped(true), 7);
	assert_string_equal(host.agent.problem, "");
	expect("a.yaml", "in-force");
	assert_int_equal(refusals(), 0);
	/* Even where there never was another. */
	(void)unlink(host.policy);
	drop_policy("c.yaml", 9, ALICE | BOB);
	assert_int_equal(start_dropped(true), 9);
	assert_string_equal(host.agent.problem, "");
	put_policy(10, ALICE | BOB);
	assert_int_equal(start_dropped(true), 10);
}

static void remove_log(void)
{
	char command[160];

	end_agent(false);
	(void)snprintf(command, sizeof(command), "rm -rf '%s'", host.log);
	assert_int_equal(system(command), 0);
}

/* Nor does what was refused before fill the evidence at each start. */
static void refusal_is_written_down_once_for_all_starts(void **state)
{
	(void)state;
	enrol_dropped();
	drop("r.yaml", policy_text("Others", 6, ""), ALICE | BOB);
	drop_policy("a.yaml", 6, ALICE | BOB);
	expect("a.yaml", "in-force");
	expect("r.yaml", "refused");
	drop_policy("b.yaml", 7, ALICE | BOB);
	expect("b.yaml", "in-force");
	assert_int_equal(refusals(), 1);
	assert_int_equal(start_dropped(true), 7);
	expect("r.yaml", "refused");
	expect("a.yaml", "older");
	assert_int_equal(refusals(), 0);
	/* The twin: who does not know of it writes it down. */
	remove_log();
	assert_int_equal(start_dropped(true), 7);
	expect("r.yaml", "refused");
	expect("a.yaml", "refused");
	assert_int_equal(refusals(), 2);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		on_a_host(policy_comes_into_force_in_whatever_order_it_comes),
		on_a_host(policy_comes_into_force_when_it_is_renamed),
		on_a_host(policy_comes_into_force_when_it_is_linked),
		on_a_host(policy_waits_when_it_is_half_written),
		on_a_host(policy_comes_into_force_when_it_is_written_over),
		on_a_host(policy_waits_when_too_few_have_signed),
		on_a_host(policy_is_refused_once_when_nobody_completes_it),
		on_a_host(policy_waits_for_its_day),
		on_a_host(forged_policy_is_refused_once),
		on_a_host(forged_policy_is_refused_when_it_is_taken_away),
		on_a_host(policy_is_refused_for_what_a_file_is_refused_for),
		on_a_host(replayed_policy_is_refused),
		on_a_host(what_is_no_file_of_roots_is_refused),
		on_a_host(
			file_is_taken_when_nobody_else_can_change_it_any_more),
		on_a_host(directory_is_not_looked_at_when_others_can_change_it),
		on_a_host(directory_is_not_looked_at_when_it_is_a_link),
		on_a_host(directory_is_seen_when_it_comes),
		on_a_host(nothing_is_looked_at_without_trust_anchors),
		on_a_host(flood_is_bounded),
		on_a_host(highest_serial_comes_into_force_when_several_come),
		on_a_host(
			next_one_comes_into_force_when_the_guard_takes_no_more),
		on_a_host(anchors_come_into_force_with_what_they_have_signed),
		on_a_host(policy_is_refused_when_it_has_too_many_networks),
		on_a_host(policy_is_refused_when_its_file_is_too_large),
		on_a_host(dropped_policy_stays_when_the_file_is_deleted),
		on_a_host(start_begins_with_the_newest_there_is),
		on_a_host(refusal_is_written_down_once_for_all_starts),
	};

	return cmocka_run_group_tests(tests, make_people, NULL);
}
