// SPDX-License-Identifier: GPL-2.0-only
/*
 * Many hosts of a fleet and their force: each has a link of its own, as a real
 * one has, and says what a real one says, signed and sealed; behind them is no
 * guard, no agent and no disk. Prints what was measured, a line each: what,
 * value, unit.
 *
 * usage: hosts DIR PORT BROKER-PID N POLICY PROGRAM
 *
 * DIR has fleet-ca.pem, and the certificates of force-bench and of host-0001 to
 * host-N; in DIR/keys are keys made.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "clock.h"
#include "evidence.h"
#include "fleet_message.h"
#include "link.h"
#include "state.h"

#define GROUP "bench"
/* So many links begin at a time. */
#define AT_ONCE 16
#define PUSHES	7
/* Each host sends so many reports, of so many lines of so many bytes. */
#define REPORTS	   20
#define LINES	   128
#define LINE_BYTES 400
#define IDLE_S	   20
#define OPENED	   2000
#define WAIT_MS	   (10 * 60 * 1000)

struct sim {
	char name[32];
	struct link *link;
	struct sign_key key;
	uint64_t serial; /* of the policy that it has */
	/* Its log: what it sends next, and what the force has. */
	uint64_t next, received;
	char prev[SIGN_HASH_CHARS_MAX], got[SIGN_HASH_CHARS_MAX];
	uint64_t acked; /* reports */
	bool sends;
	bool attested;
};

static const char *dir, *port, *program;
static int epoll_fd;
static struct sim *hosts;
static size_t n_hosts;
static struct link *force_link;
static struct seal_key force;
static bool force_connected, fetching;
static size_t attested;
static uint64_t pushed, stored, lost, copies, disconnects, fetches;
static long broker_pid;

static void die(const char *what, int r)
{
	fprintf(stderr, "hosts: %s: %s\n", what, strerror(r < 0 ? -r : r));
	exit(1);
}

static void check(int r, const char *what)
{
	if (r < 0)
		die(what, r);
}

static void measured(const char *what, double value, const char *unit)
{
	printf("%s\t%.3f\t%s\n", what, value, unit);
	fflush(stdout);
}

/* ---- what processes take ------------------------------------------------- */

static double cpu_s(long pid)
{
	struct timespec ts = {0};
	clockid_t clock;

	if (clock_getcpuclockid((pid_t)pid, &clock) == 0)
		(void)clock_gettime(clock, &ts);
	return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

/* A number in KiB of a file of /proc, in MiB. */
static double memory_mib(long pid, const char *file, const char *key)
{
	char path[64], line[256];
	double kib = 0;
	FILE *in;

	(void)snprintf(path, sizeof(path), "/proc/%ld/%s", pid, file);
	in = fopen(path, "r");
	while (in && fgets(line, sizeof(line), in))
		if (strncmp(line, key, strlen(key)) == 0)
			kib = strtod(line + strlen(key), NULL);
	if (in)
		(void)fclose(in);
	return kib / 1024;
}

static double links_cpu_s(void)
{
	double sum = 0;

	for (size_t i = 0; i < n_hosts; i++)
		sum += cpu_s(link_state(hosts[i].link)->pid);
	return sum;
}

static double links_mib(const char *file, const char *key)
{
	double sum = 0;

	for (size_t i = 0; i < n_hosts; i++)
		sum += memory_mib(link_state(hosts[i].link)->pid, file, key);
	return sum;
}

/* ---- a host -------------------------------------------------------------- */

/* The next lines of its log; what it has told of them is kept by the caller. */
static size_t make_lines(struct sim *sim, char *buf)
{
	size_t len = 0, begin;

	for (size_t i = 0; i < LINES; i++) {
		begin = len;
		len += (size_t)sprintf(buf + len,
				       "{\"cordon\":1,\"type\":\"verdict\","
				       "\"text\":\"%0*d\",\"seq\":%" PRIu64
				       ",\"prev\":\"%s\"}\n",
				       LINE_BYTES - 130, 0, sim->next++,
				       sim->prev);
		sign_hash(buf + begin, len - begin - 1, sim->prev);
	}
	return len;
}

static void send_report(struct sim *sim)
{
	static char lines[LINES * (LINE_BYTES + 100)];
	struct fleet_report report = {.first = sim->next, .segment = 1};
	struct link_frame frame = {.type = LINK_REPORT, .id = sim->next};
	void *box;

	report.lines = lines;
	report.len = make_lines(sim, lines);
	report.last = sim->next - 1;
	report.head = REPORTS * LINES;
	(void)strcpy(report.host, sim->name);
	check(fleet_report_make(&sim->key, &force.public, &report, &box,
				&frame.len),
	      "a report");
	fleet_report_msgid(&sim->key, &report, 0, frame.name);
	frame.bytes = box;
	check(link_send(sim->link, &frame), sim->name);
	free(box);
}

static void take_policy(struct sim *sim, const struct link_frame *frame)
{
	struct fleet_policy policy;

	check(fleet_policy_open(frame->bytes, frame->len,
				FLEET_POLICY_BYTES_MAX, &policy),
	      "a policy");
	sim->serial = policy.serial;
	fleet_policy_release(&policy);
}

static void answer(struct sim *sim, const struct link_frame *asked)
{
	struct fleet_attest attest = {.policy_serial = sim->serial,
				      .mode = "enforce",
				      .attached = "lsm",
				      .kernel = "6.12.0",
				      .version = "bench",
				      .health = "ok"};
	struct link_frame frame = {.type = LINK_ATTEST};
	struct fleet_have have;
	bool has;
	void *box;

	(void)strcpy(attest.host, sim->name);
	check(fleet_ask_open(asked->bytes, asked->len, sim->name, attest.nonce,
			     &have, &has),
	      "an ask");
	check(fleet_attest_make(&sim->key, &force.public, &attest, &box,
				&frame.len),
	      "an attestation");
	frame.bytes = box;
	check(link_send(sim->link, &frame), sim->name);
	free(box);
}

static void work_host(struct sim *sim)
{
	struct link_frame frame;

	check(link_work(sim->link), sim->name);
	while (link_next(sim->link, &frame) == 1) {
		if (frame.type == LINK_DISCONNECTED) {
			disconnects++;
			fprintf(stderr, "# %s: %.*s\n", sim->name,
				(int)frame.len, (const char *)frame.bytes);
		}
		if (frame.type == LINK_POLICY)
			take_policy(sim, &frame);
		if (frame.type == LINK_ASKED)
			answer(sim, &frame);
		if (frame.type == LINK_REFUSED)
			die((const char *)frame.bytes, EIO);
		if (frame.type == LINK_ACKED) {
			copies += frame.kind;
			if (++sim->acked < REPORTS && sim->sends)
				send_report(sim);
		}
	}
}

/* ---- the force ----------------------------------------------------------- */

static struct sim *host_of(const char *name)
{
	size_t i = strtoul(name + sizeof("host-") - 1, NULL, 10);

	if (i < 1 || i > n_hosts || strcmp(hosts[i - 1].name, name) != 0)
		die(name, ESRCH);
	return &hosts[i - 1];
}

static void take_report(const struct link_frame *frame)
{
	struct sim *sim = host_of(frame->name);
	struct link_frame ack = {.type = LINK_ACK, .id = frame->id};
	struct fleet_report report;

	check(fleet_report_open(&force, &sim->key.public, sim->name,
				frame->bytes, frame->len, &report),
	      "a report");
	if (!report.chained || report.first != sim->received + 1 ||
	    (sim->got[0] && strcmp(report.prev, sim->got) != 0))
		lost++;
	sim->received = report.last;
	(void)strcpy(sim->got, report.hash);
	stored++;
	fleet_report_release(&report);
	check(link_send(force_link, &ack), "an acknowledgement");
}

static void take_attest(const struct link_frame *frame)
{
	struct sim *sim = host_of(frame->name);
	struct fleet_attest attest;

	check(fleet_attest_open(&force, &sim->key.public, sim->name,
				frame->bytes, frame->len, &attest),
	      "an attestation");
	if (attest.policy_serial == pushed && !sim->attested) {
		sim->attested = true;
		attested++;
	}
}

static void fetch(void)
{
	struct link_frame frame = {
		.type = LINK_FETCH, .id = ++fetches, .count = LINK_FETCH_MAX};

	check(link_send(force_link, &frame), "fetch");
}

static void work_force(void)
{
	struct link_frame frame;

	check(link_work(force_link), "force");
	while (link_next(force_link, &frame) == 1) {
		if (frame.type == LINK_CONNECTED)
			force_connected = true;
		if (frame.type == LINK_DISCONNECTED ||
		    frame.type == LINK_REFUSED)
			die((const char *)frame.bytes, EIO);
		if (frame.type == LINK_REPORTED)
			take_report(&frame);
		if (frame.type == LINK_ATTESTED)
			take_attest(&frame);
		if (frame.type == LINK_FETCHED && fetching)
			fetch();
	}
}

/* ---- all of them --------------------------------------------------------- */

static void work(int wait_ms)
{
	struct epoll_event events[64];
	int n = epoll_wait(epoll_fd, events, 64, wait_ms);

	for (int i = 0; i < n; i++)
		if (events[i].data.ptr)
			work_host(events[i].data.ptr);
		else
			work_force();
}

static void until(bool (*done)(void), const char *what)
{
	int64_t end = clock_ms() + WAIT_MS;

	while (!done()) {
		if (clock_ms() > end)
			die(what, ETIMEDOUT);
		work(1000);
	}
}

static struct link *make_link(const char *name, void *arg)
{
	char url[64];
	const char *urls[] = {url}, *groups[] = {GROUP};
	char ca[4096], cert[4096], key[4096];
	struct link_options options = {.program = program,
				       .role = arg ? LINK_OF_HOST
						   : LINK_OF_FORCE,
				       .servers = urls,
				       .n_servers = 1,
				       .ca = ca,
				       .cert = cert,
				       .key = key,
				       .host = name,
				       .groups = groups,
				       .n_groups = 1,
				       .root = true};
	struct epoll_event event = {.events = EPOLLIN, .data.ptr = arg};
	struct link *link;

	(void)snprintf(url, sizeof(url), "tls://localhost:%s", port);
	(void)snprintf(ca, sizeof(ca), "%s/fleet-ca.pem", dir);
	(void)snprintf(cert, sizeof(cert), "%s/%s.pem", dir, name);
	(void)snprintf(key, sizeof(key), "%s/%s.key", dir, name);
	check(link_new(&options, &link), "link_new");
	if (epoll_ctl(epoll_fd, EPOLL_CTL_ADD, link_fd(link), &event) < 0)
		die("epoll_ctl", errno);
	return link;
}

static size_t started;

static size_t connected(void)
{
	size_t n = 0;

	for (size_t i = 0; i < started; i++)
		n += link_state(hosts[i].link)->connected;
	return n;
}

static bool few_begin(void)
{
	return started - connected() < AT_ONCE;
}

static bool all_connected(void)
{
	return connected() == n_hosts;
}

static bool force_ready(void)
{
	return force_connected;
}

static void start_host(size_t i)
{
	struct sim *sim = &hosts[i];
	char path[4096];
	bool made;

	(void)snprintf(sim->name, sizeof(sim->name), "host-%04zu", i + 1);
	(void)snprintf(path, sizeof(path), "%s/keys/%s", dir, sim->name);
	check(sign_key_load(path, &sim->key, &made), path);
	sim->next = 1;
	memset(sim->prev, '0', sizeof(sim->prev) - 1);
	sim->link = make_link(sim->name, sim);
}

static void start_all(void)
{
	double broker = cpu_s(broker_pid);
	int64_t begin;
	char path[4096];
	bool made;

	(void)snprintf(path, sizeof(path), "%s/keys/seal", dir);
	check(seal_key_load(path, &force, &made), path);
	force_link = make_link("force-bench", NULL);
	until(force_ready, "the force to be connected");
	begin = clock_ms();
	for (; started < n_hosts; started++) {
		until(few_begin, "hosts to be connected");
		start_host(started);
	}
	until(all_connected, "all hosts to be connected");
	measured("all hosts are connected", (double)(clock_ms() - begin) / 1e3,
		 "s");
	measured("broker, CPU for a host that connects",
		 (cpu_s(broker_pid) - broker) / (double)n_hosts * 1e3, "ms");
	measured("link, CPU until it is connected",
		 links_cpu_s() / (double)n_hosts * 1e3, "ms");
}

/* ---- what is measured ---------------------------------------------------- */

static bool all_attested(void)
{
	return attested == n_hosts;
}

static void push(const char *text, size_t len)
{
	struct fleet_policy policy = {.serial = ++pushed};
	struct link_frame frame = {.type = LINK_PUBLISH,
				   .id = pushed,
				   .kind = LINK_GROUP,
				   .name = GROUP};
	struct link_frame ask = {.type = LINK_ASK};
	char nonce[FLEET_NONCE_CHARS_MAX], *message, *question;

	policy.policy.bytes = (void *)text;
	policy.policy.len = len;
	check(fleet_policy_make(&policy, FLEET_POLICY_BYTES_MAX, &message,
				&frame.len),
	      "a policy");
	frame.bytes = message;
	check(link_send(force_link, &frame), "push");
	fleet_nonce(nonce);
	check(fleet_ask_make(nonce, NULL, 0, &question, &ask.len), "an ask");
	ask.bytes = question;
	check(link_send(force_link, &ask), "ask");
	free(message);
	free(question);
}

static int by_value(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static void measure_pushes(const char *file)
{
	double ms[PUSHES], broker = cpu_s(broker_pid), links = links_cpu_s();
	char *text;
	size_t len;

	check(state_get(file, FLEET_POLICY_BYTES_MAX, &text, &len), file);
	for (int i = 0; i < PUSHES; i++) {
		int64_t begin = clock_ns(CLOCK_MONOTONIC);

		attested = 0;
		for (size_t j = 0; j < n_hosts; j++)
			hosts[j].attested = false;
		push(text, len);
		until(all_attested, "all hosts to attest");
		ms[i] = (double)(clock_ns(CLOCK_MONOTONIC) - begin) / 1e6;
	}
	qsort(ms, PUSHES, sizeof(ms[0]), by_value);
	measured("policy, size", (double)len / 1024, "KiB");
	measured("from push to the last attestation, median", ms[PUSHES / 2],
		 "ms");
	measured("from push to the last attestation, most", ms[PUSHES - 1],
		 "ms");
	measured("broker, CPU for a push with its attestations",
		 (cpu_s(broker_pid) - broker) / PUSHES * 1e3, "ms");
	measured("link, CPU for one of them",
		 (links_cpu_s() - links) / PUSHES / (double)n_hosts * 1e3,
		 "ms");
	free(text);
}

static bool all_stored(void)
{
	return stored >= n_hosts * REPORTS;
}

static void measure_reports(void)
{
	double broker = cpu_s(broker_pid), links = links_cpu_s(), own, s;
	const double n = (double)n_hosts * REPORTS;
	int64_t begin = clock_ns(CLOCK_MONOTONIC);

	own = cpu_s(getpid());
	fetching = true;
	fetch();
	for (size_t i = 0; i < n_hosts; i++) {
		hosts[i].sends = true;
		send_report(&hosts[i]);
		work(0);
	}
	until(all_stored, "all reports to come");
	s = (double)(clock_ns(CLOCK_MONOTONIC) - begin) / 1e9;
	fetching = false;
	measured("reports", n, "");
	measured("reports, lines in each", LINES, "");
	measured("reports, each with its acknowledgements", n / s, "1/s");
	measured("reports, lines", n * LINES / s, "1/s");
	measured("reports that are missing, double or out of order",
		 (double)(lost + stored - n_hosts * REPORTS + copies), "");
	measured("broker, CPU for a report",
		 (cpu_s(broker_pid) - broker) / n * 1e3, "ms");
	measured("link of a host, CPU for a report",
		 (links_cpu_s() - links) / n * 1e3, "ms");
	measured("host and force, to make and open one",
		 (cpu_s(getpid()) - own) / n * 1e3, "ms");
}

static void measure_idle(void)
{
	double broker = cpu_s(broker_pid), links = links_cpu_s();
	int64_t end = clock_ms() + IDLE_S * 1000;

	while (clock_ms() < end)
		work(100);
	measured("broker, memory", memory_mib(broker_pid, "status", "VmRSS:"),
		 "MiB");
	measured("link, resident memory",
		 links_mib("status", "VmRSS:") / (double)n_hosts, "MiB");
	measured("link, memory of its own",
		 links_mib("smaps_rollup", "Private_Dirty:") / (double)n_hosts,
		 "MiB");
	measured("broker, CPU while nothing happens",
		 (cpu_s(broker_pid) - broker) / IDLE_S * 1e3, "ms/s");
	measured("link, CPU while nothing happens",
		 (links_cpu_s() - links) / IDLE_S / (double)n_hosts * 1e3,
		 "ms/s");
}

/* What the force has to do for each host that answers. */
static void measure_opening(void)
{
	struct fleet_attest attest = {.mode = "enforce"};
	struct sim *sim = &hosts[0];
	double before;
	size_t len;
	void *box;

	(void)strcpy(attest.host, sim->name);
	fleet_nonce(attest.nonce);
	before = cpu_s(getpid());
	for (int i = 0; i < OPENED; i++) {
		check(fleet_attest_make(&sim->key, &force.public, &attest, &box,
					&len),
		      "an attestation");
		if (i < OPENED - 1)
			free(box);
	}
	measured("host, CPU to make an attestation",
		 (cpu_s(getpid()) - before) / OPENED * 1e3, "ms");
	before = cpu_s(getpid());
	for (int i = 0; i < OPENED; i++)
		check(fleet_attest_open(&force, &sim->key.public, sim->name,
					box, len, &attest),
		      "an attestation");
	measured("force, CPU to open an attestation",
		 (cpu_s(getpid()) - before) / OPENED * 1e3, "ms");
	free(box);
}

int main(int argc, char **argv)
{
	if (argc != 7)
		return 2;
	dir = argv[1];
	port = argv[2];
	broker_pid = strtol(argv[3], NULL, 10);
	n_hosts = strtoul(argv[4], NULL, 10);
	program = argv[6];
	hosts = calloc(n_hosts, sizeof(*hosts));
	epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	if (!hosts || epoll_fd < 0)
		die("hosts", errno);
	measured("hosts", (double)n_hosts, "");
	start_all();
	measure_idle();
	measure_pushes(argv[5]);
	measure_reports();
	measure_opening();
	measured("connections that were lost", (double)disconnects, "");
	for (size_t i = 0; i < n_hosts; i++)
		link_free(hosts[i].link);
	link_free(force_link);
	return lost || stored != n_hosts * REPORTS || copies ? 1 : 0;
}
