// SPDX-License-Identifier: GPL-2.0-only
/*
 * Policies that take turns under load: readers and senders run flat out while
 * this program, which loads a guard of its own, switches from one to the other.
 *
 * The two say the same about some, with everything in another order, so that
 * who is judged by the numbers of one and the rules of the other is judged
 * wrongly:
 *
 *   may      may always read p	     not      may never read p
 *   udp, tcp may always send, and what they sent is what they are charged
 *   capped   may send so much, and that exactly
 *
 * and the opposite about others. A allows to send p and not q, B q and not p:
 *
 *   only     holds p: may send under A, may not under B
 *   both     holds p and q: may never send
 *
 * so that whoever sees p as A has it and q as B has it lets `both' send. Each
 * event about those has to name a policy that says so.
 *
 * usage: switching DIR ADDRESS PORT SECONDS PERIOD_MS [halves]
 *	  switching --receive PORT
 *	  switching --time [RULES [TIMES]]
 *
 * DIR is a file system of a test, which gets three files. With `halves', a
 * policy is not switched, but written over the one in force, rule by rule: a
 * test that sees nothing then could see nothing at all. --receive takes what
 * the senders send, for another network. --time says how long it takes to put a
 * policy with so many rules (1000) into force, in microseconds, of so many
 * tries (5) the median.
 *
 * Prints a line `ok WHAT' or `FAIL WHAT' for each thing that has to hold; exit
 * 0 if they all do; 2 if it came to nothing.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "clock.h"
#include "guard_internal.h"

#define CHUNK	     1000
#define CAP	     (1 << 20)
#define FIRST_SERIAL 1000 /* of A, which is even; B is odd */
#define SETTLE_MS    20000

enum who { MAY, NOT, UDP, TCP, CAPPED, ONLY, BOTH, N_WHO };

static const char *const names[N_WHO] = {"may",	   "not",  "udp", "tcp",
					 "capped", "only", "both"};

/* What each worker did; shared with it. */
struct tally {
	volatile uint64_t done, refused, other;
	volatile int ready, error;
};

static struct {
	const char *dir;
	struct sockaddr_in to;
	int64_t seconds, period_ms;
	bool halves;
	volatile int *stop;
	struct tally *tallies;
} run;

static int failed;

static void check(bool ok, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

static void check(bool ok, const char *format, ...)
{
	va_list ap;

	(void)printf("%s ", ok ? "ok" : "FAIL");
	va_start(ap, format);
	(void)vprintf(format, ap);
	va_end(ap);
	(void)printf("\n");
	(void)fflush(stdout);
	failed += !ok;
}

static void die(const char *what, int error)
{
	(void)fprintf(stderr, "switching: %s: %s\n", what, strerror(error));
	exit(2);
}

static void say_fn(enum guard_level level, const char *text, void *arg)
{
	(void)arg;
	if (level != GUARD_NOTE)
		(void)printf("# %s\n", text);
}

static const struct guard_say say = {say_fn, NULL};

static uint32_t login_of(enum who who)
{
	return 30001U + who;
}

/* ---- the policies -------------------------------------------------------- */

static void add(char *text, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

static void add(char *text, const char *format, ...)
{
	size_t len = strlen(text);
	va_list ap;

	va_start(ap, format);
	(void)vsnprintf(text + len, 8192 - len, format, ap);
	va_end(ap);
}

static void add_rules(char *text, enum who who, bool b)
{
	const char *name = names[who];

	switch (who) {
	case MAY:
		add(text, "  - {subject: may, dataset: p, read: unlimited}\n");
		break;
	case NOT:
		add(text, "  - {subject: not, dataset: p, read: none}\n");
		break;
	case UDP:
	case TCP:
		add(text,
		    "  - {subject: %s, dataset: r, read: unlimited, "
		    "release: {out: 1 GiB/day}}\n",
		    name);
		break;
	case CAPPED:
		add(text,
		    "  - {subject: capped, dataset: r, read: unlimited, "
		    "release: {out: %d KiB/day}}\n",
		    CAP / 1024);
		break;
	case ONLY:
	case BOTH:
		add(text,
		    "  - {subject: %s, dataset: p, read: unlimited, "
		    "release: {out: %s}}\n",
		    name, b ? "none" : "unlimited");
		add(text,
		    "  - {subject: %s, dataset: q, read: unlimited, "
		    "release: {out: %s}}\n",
		    name, b ? "unlimited" : "none");
		break;
	case N_WHO:
		break;
	}
}

static void add_datasets(char *text, bool b)
{
	add(text, "datasets:\n");
	for (int i = 0; i < 3; i++) {
		char name = "pqr"[b ? 2 - i : i];

		add(text, "  %c: {paths: [%s/%c], record: file}\n", name,
		    run.dir, name);
	}
}

static void add_subjects(char *text, bool b)
{
	int who;

	add(text, "subjects:\n");
	for (int i = 0; i < N_WHO; i++) {
		who = b ? N_WHO - 1 - i : i;
		add(text, "  %s: {login: %u}\n", names[who],
		    login_of((enum who)who));
	}
}

static struct policy *make_policy(bool b)
{
	struct policy_errors *errs = calloc(1, sizeof(*errs));
	struct policy *policy = NULL;
	char text[8192] = "", to[INET_ADDRSTRLEN];

	(void)inet_ntop(AF_INET, &run.to.sin_addr, to, sizeof(to));
	add(text, "cordon: 1\nissuer: switching\nserial: %d\nmode: enforce\n",
	    FIRST_SERIAL + b);
	add_datasets(text, b);
	add_subjects(text, b);
	add(text, "destinations:\n");
	if (b)
		add(text, "  away: {networks: [10.98.0.0/16]}\n");
	add(text, "  out: {networks: [%s/32]}\n", to);
	add(text, "rules:\n");
	for (int i = 0; i < N_WHO; i++)
		add_rules(text, (enum who)(b ? N_WHO - 1 - i : i), b);
	add(text, "  - {subject: \"*\", dataset: \"*\", read: none}\n");
	if (policy_parse(b ? "B" : "A", text, strlen(text), &policy, errs)) {
		(void)fprintf(stderr, "switching: %s\n", errs->v[0].text);
		exit(2);
	}
	free(errs);
	return policy;
}

/* ---- who reads and sends ------------------------------------------------- */

static int read_file(const char *name)
{
	char path[256], buf[256];
	int fd, r = 0;

	(void)snprintf(path, sizeof(path), "%s/%s", run.dir, name);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return errno;
	if (read(fd, buf, sizeof(buf)) < 0)
		r = errno;
	(void)close(fd);
	return r;
}

static void become(enum who who)
{
	char text[16];
	int fd = open("/proc/self/loginuid", O_WRONLY | O_CLOEXEC);
	int len = snprintf(text, sizeof(text), "%u", login_of(who));

	if (fd < 0 || write(fd, text, (size_t)len) != len)
		die("loginuid", errno);
	(void)close(fd);
}

static void count(struct tally *tally, int r)
{
	if (!r)
		tally->done++;
	else if (r == EPERM || r == EACCES)
		tally->refused++;
	else if (!tally->other++)
		tally->error = r;
}

static int send_all(int fd, const char *buf)
{
	ssize_t n;
	size_t sent = 0;

	while (sent < CHUNK) {
		n = send(fd, buf + sent, CHUNK - sent, MSG_NOSIGNAL);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return errno;
		sent += (size_t)n;
	}
	return 0;
}

static int open_socket(bool tcp)
{
	int fd = socket(AF_INET,
			(tcp ? SOCK_STREAM : SOCK_DGRAM) | SOCK_CLOEXEC, 0);

	if (fd < 0)
		die("socket", errno);
	/* Nobody answers to a datagram. */
	if (tcp && connect(fd, (struct sockaddr *)&run.to, sizeof(run.to)) < 0)
		die("connect", errno);
	return fd;
}

static int send_one(int fd, bool tcp, const char *buf)
{
	if (tcp)
		return send_all(fd, buf);
	return sendto(fd, buf, CHUNK, 0, (struct sockaddr *)&run.to,
		      sizeof(run.to)) == CHUNK
		       ? 0
		       : errno;
}

/* Holds what it is about, and is what it is, before it is ready. */
static void work(enum who who)
{
	struct tally *tally = &run.tallies[who];
	static char buf[CHUNK];
	int fd = -1, r = 0;

	become(who);
	/* Whoever switches, and the grace periods that they wait for, come
	 * first, or there would be few switches. */
	(void)!nice(10);
	if (who == UDP || who == TCP || who == CAPPED)
		r = read_file("r/1");
	if (who == ONLY || who == BOTH)
		r = read_file("p/1");
	if (!r && who == BOTH)
		r = read_file("q/1");
	if (r)
		die(names[who], r);
	if (who >= UDP)
		fd = open_socket(who == TCP);
	tally->ready = 1;
	while (!*run.stop) {
		if (who < UDP)
			count(tally, read_file("p/1"));
		else
			count(tally, send_one(fd, who == TCP, buf));
		/* Of a budget that is used up there is little to see. */
		if (who == CAPPED && tally->refused)
			(void)usleep(1000);
	}
	/* What is on its way arrives. */
	if (who == TCP) {
		(void)shutdown(fd, SHUT_WR);
		(void)!read(fd, buf, sizeof(buf));
	}
	exit(0);
}

static pid_t start_worker(enum who who)
{
	int64_t end_ms = clock_ms() + SETTLE_MS;
	pid_t pid = fork();

	if (!pid)
		work(who);
	while (!run.tallies[who].ready && clock_ms() < end_ms &&
	       !waitpid(pid, NULL, WNOHANG))
		(void)usleep(10000);
	if (!run.tallies[who].ready)
		die(names[who], ECHILD);
	return pid;
}

/* ---- events -------------------------------------------------------------- */

struct told {
	const struct guard *guard;
	uint64_t first, last; /* serials that may be named */
	uint64_t events, of_only, of_both;
	uint64_t strange; /* it names a policy that was not there */
	uint64_t mixed;	  /* or one that does not say so */
};

/* A (even) refuses q, B p. */
static int take_event(const struct event *event, void *arg)
{
	struct told *told = arg;
	const char *subject, *dataset;
	bool b = event->policy & 1;

	if (event->type == EVENT_DIRTY || event->type == EVENT_NOTICE)
		return 0;
	told->events++;
	told->strange += event->policy < told->first ||
			 event->policy > told->last;
	if (event->type != EVENT_VERDICT)
		return 0;
	subject = guard_name(told->guard, NAME_SUBJECT, event->subject);
	dataset = guard_name(told->guard, NAME_DATASET, event->dataset);
	if (strcmp(subject, "only") == 0) {
		told->of_only++;
		told->mixed += !b || strcmp(dataset, "p") != 0;
	} else if (strcmp(subject, "both") == 0) {
		told->of_both++;
		told->mixed += strcmp(dataset, b ? "p" : "q") != 0;
	} else {
		told->mixed += strcmp(subject, "not") != 0 &&
			       strcmp(subject, "capped") != 0;
	}
	return 0;
}

static void drain(struct guard *guard, struct told *told)
{
	while (guard_events(guard, take_event, told) == GUARD_EVENTS_AT_ONCE)
		;
}

/* ---- switching ----------------------------------------------------------- */

/*
 * What a guard would be that writes where programs read: the tables of the
 * policy in force, one after the other.
 */
static void write_over(struct guard *guard, const struct policy *policy)
{
	struct compiled *compiled = NULL;
	struct registry names_then;
	uint32_t at, slot = guard->state->generation & 1;
	size_t i;

	if (registry_copy(&guard->names, &names_then))
		die("names", ENOMEM);
	if (compile_policy(policy, NULL, &names_then, &compiled, NULL))
		die("compile", EINVAL);
	for (i = 0; i < compiled->n_rules; i++) {
		at = (uint32_t)(slot * CORDON_RULES + i);
		(void)guard_map_update(guard, MAP_RULES, &at,
				       &compiled->rules[i]);
	}
	for (i = 0; i < compiled->n_releases; i++) {
		at = (uint32_t)(slot * CORDON_RELEASES + i);
		(void)guard_map_update(guard, MAP_RELEASES, &at,
				       &compiled->releases[i]);
	}
	for (i = 0; i < CORDON_DATASETS; i++) {
		at = (uint32_t)(slot * CORDON_DATASETS + i);
		if (i)
			(void)guard_map_update(guard, MAP_DATASETS, &at,
					       &compiled->datasets[i]);
	}
	for (i = 0; i < CORDON_SUBJECTS; i++) {
		at = (uint32_t)(slot * CORDON_SUBJECTS + i);
		(void)guard_map_update(guard, MAP_INTAKES, &at,
				       &compiled->intakes[i]);
	}
	(void)guard_map_update(guard, MAP_DIMS, &slot, &compiled->dims);
	(void)guard_subjects_write(guard, slot, compiled->subjects,
				   compiled->n_subjects);
	/* What was found out by the other one holds no more. */
	__atomic_add_fetch(&guard->state->epoch, 1, __ATOMIC_SEQ_CST);
	compile_free(compiled);
	registry_release(&names_then);
}

struct times {
	int64_t sum_us, max_us;
	uint64_t n;
};

static void switch_to(struct guard *guard, struct policy *policy,
		      uint64_t serial, struct times *times)
{
	int64_t begun_ns = clock_ns(CLOCK_MONOTONIC), us;
	int r;

	policy->serial = serial;
	if (run.halves && times->n) {
		write_over(guard, policy);
		times->n++;
		return;
	}
	r = guard_apply_policy(guard, policy, false, NULL, NULL, &say, NULL);
	if (r)
		die("switch", -r);
	us = (clock_ns(CLOCK_MONOTONIC) - begun_ns) / 1000;
	times->sum_us += us;
	if (times->max_us < us)
		times->max_us = us;
	times->n++;
}

/* A and B in turns, one each period or, if that takes longer, without end. */
static void take_turns(struct guard *guard, struct policy *const policies[2],
		       struct told *told, struct times *times)
{
	int64_t begun_ms = clock_ms(), next_ms = begun_ms, left_ms;

	while (clock_ms() - begun_ms < run.seconds * 1000) {
		next_ms += run.period_ms;
		told->last++;
		switch_to(guard, policies[told->last & 1], told->last, times);
		drain(guard, told);
		left_ms = next_ms - clock_ms();
		if (left_ms > 0)
			(void)usleep((useconds_t)left_ms * 1000);
	}
}

/* ---- what has to hold ---------------------------------------------------- */

struct charged {
	const struct guard *guard;
	uint64_t used[N_WHO];
};

static int take_budget(const struct guard_budget *budget, void *arg)
{
	struct charged *charged = arg;
	const char *rule =
		guard_name(charged->guard, NAME_RULE, budget->key.rule);

	if (budget->key.unit != UNIT_BYTES ||
	    budget->key.dest == CORDON_DEST_READ)
		return 0;
	for (int i = 0; i < N_WHO; i++)
		if (strncmp(rule, names[i], strlen(names[i])) == 0 &&
		    rule[strlen(names[i])] == '/')
			charged->used[i] += budget->used;
	return 0;
}

/* What was sent is charged when it leaves: the last of it a moment later. */
static void settle(struct guard *guard, struct charged *charged)
{
	int64_t end_ms = clock_ms() + SETTLE_MS;

	do {
		(void)usleep(100000);
		memset(charged->used, 0, sizeof(charged->used));
		charged->guard = guard;
		(void)guard_each_budget(guard, take_budget, charged);
	} while ((charged->used[UDP] != run.tallies[UDP].done * CHUNK ||
		  charged->used[TCP] != run.tallies[TCP].done * CHUNK) &&
		 clock_ms() < end_ms);
}

static void check_charged(struct guard *guard)
{
	struct charged charged;
	uint64_t sent;

	settle(guard, &charged);
	for (int i = UDP; i <= CAPPED; i++) {
		sent = run.tallies[i].done * CHUNK;
		check(sent && charged.used[i] == sent,
		      "%s is charged what it sent: %" PRIu64 " of %" PRIu64,
		      names[i], charged.used[i], sent);
	}
	sent = run.tallies[CAPPED].done * CHUNK;
	check(sent <= CAP && sent > CAP - CHUNK && run.tallies[CAPPED].refused,
	      "capped sends its budget and no more: %" PRIu64 " of %d", sent,
	      CAP);
}

static void check_acts(void)
{
	const struct tally *t = run.tallies;

	for (int i = 0; i < N_WHO; i++)
		if (t[i].other)
			check(false, "%s fails by nothing but the guard: %s",
			      names[i], strerror(t[i].error));
	check(t[MAY].done && !t[MAY].refused,
	      "may is never refused: %" PRIu64 " of %" PRIu64, t[MAY].refused,
	      t[MAY].done + t[MAY].refused);
	check(t[NOT].refused && !t[NOT].done,
	      "not is always refused: %" PRIu64 " of %" PRIu64, t[NOT].refused,
	      t[NOT].done + t[NOT].refused);
	check(t[BOTH].refused && !t[BOTH].done,
	      "both is always refused: %" PRIu64 " of %" PRIu64,
	      t[BOTH].refused, t[BOTH].done + t[BOTH].refused);
	check(t[ONLY].done && t[ONLY].refused,
	      "only is refused by one of the two: %" PRIu64 " of %" PRIu64,
	      t[ONLY].refused, t[ONLY].done + t[ONLY].refused);
	for (int i = UDP; i <= TCP; i++)
		check(t[i].done && !t[i].refused,
		      "%s is never refused: %" PRIu64 " of %" PRIu64, names[i],
		      t[i].refused, t[i].done + t[i].refused);
}

struct rows {
	const struct told *told;
	uint64_t n, strange;
};

static int take_row(const struct ledger_key *key, const struct ledger *row,
		    void *arg)
{
	struct rows *rows = arg;

	(void)key;
	rows->n++;
	rows->strange += row->policy < rows->told->first ||
			 row->policy > rows->told->last;
	return 0;
}

static void check_ledger(const struct told *told)
{
	struct rows rows = {.told = told};

	(void)guard_each_ledger(told->guard, take_row, &rows);
	check(rows.n > N_WHO && !rows.strange,
	      "each row of the ledger names a policy that was there: %" PRIu64
	      " of %" PRIu64 " do not",
	      rows.strange, rows.n);
}

/* By the kernel, which leaves acts unjudged by that: KNOWN-GAPS.md, a skipped
 * program. */
static void tell_skipped(const struct guard *guard)
{
	struct guard_stats stats;

	if (!guard_stats(guard, &stats) &&
	    guard_attached(guard) == GUARD_ATTACH_FMOD)
		(void)printf("# programs were skipped %" PRIu64 " times\n",
			     stats.skipped);
}

static void check_told(const struct told *told, const struct times *times)
{
	const struct guard_state *state = guard_state(told->guard);

	check(told->of_only && told->of_both && !told->strange,
	      "each event names a policy that was there: %" PRIu64
	      " of %" PRIu64 " do not",
	      told->strange, told->events);
	check(!told->mixed,
	      "each event names a policy that says so: %" PRIu64 " of %" PRIu64
	      " do not",
	      told->mixed, told->events);
	check(times->n > 10 &&
		      state->policy_serial[state->generation & 1] == told->last,
	      "the last of %" PRIu64 " policies is in force", times->n);
	(void)printf("# a switch took %" PRId64 " us, %" PRId64
		     " at the most\n",
		     times->sum_us / (int64_t)times->n, times->max_us);
	tell_skipped(told->guard);
}

/* ---- all of it ----------------------------------------------------------- */

static void put_file(const char *name)
{
	char path[256];
	int fd;

	(void)snprintf(path, sizeof(path), "%s/%c", run.dir, name[0]);
	(void)mkdir(path, 0755);
	(void)snprintf(path, sizeof(path), "%s/%s", run.dir, name);
	fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
	if (fd < 0 || write(fd, "a record of somebody\n", 21) != 21)
		die(path, errno);
	(void)close(fd);
}

static void *share(size_t bytes)
{
	void *p = mmap(NULL, bytes, PROT_READ | PROT_WRITE,
		       MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	if (p == MAP_FAILED)
		die("mmap", errno);
	return p;
}

static struct guard *load_guard(void)
{
	struct guard_options opts = {.max_records = 4096, .unpinned = true};
	struct guard *guard = NULL;
	int r;

	r = guard_open(&opts, &say, &guard, NULL);
	if (r)
		die("guard_open", -r);
	return guard;
}

static int switching(void)
{
	struct policy *policies[2] = {make_policy(false), make_policy(true)};
	struct told told = {.first = FIRST_SERIAL, .last = FIRST_SERIAL};
	struct times times = {0};
	struct guard *guard;
	pid_t pids[N_WHO];

	run.stop = share(sizeof(*run.stop));
	run.tallies = share(N_WHO * sizeof(*run.tallies));
	put_file("p/1");
	put_file("q/1");
	put_file("r/1");
	told.guard = guard = load_guard();
	/* With all labels. The workers begin under A. */
	policies[0]->serial = FIRST_SERIAL;
	if (guard_apply_policy(guard, policies[0], true, NULL, NULL, &say,
			       NULL))
		die("the first policy", EINVAL);
	times.n = 1;
	for (int i = 0; i < N_WHO; i++)
		pids[i] = start_worker((enum who)i);
	take_turns(guard, policies, &told, &times);
	*run.stop = 1;
	for (int i = 0; i < N_WHO; i++)
		(void)waitpid(pids[i], NULL, 0);
	drain(guard, &told);
	check_acts();
	check_charged(guard);
	check_told(&told, &times);
	check_ledger(&told);
	guard_close(guard);
	policy_free(policies[0]);
	policy_free(policies[1]);
	return failed != 0;
}

/* ---- the other side ------------------------------------------------------ */

/* Takes what comes over TCP; what comes over UDP need not be taken. */
static int receive(const char *port)
{
	struct sockaddr_in at = {.sin_family = AF_INET,
				 .sin_port = htons((uint16_t)atoi(port))};
	static char buf[65536];
	int one = 1, fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), from;

	(void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	if (bind(fd, (struct sockaddr *)&at, sizeof(at)) < 0 ||
	    listen(fd, 8) < 0)
		die(port, errno);
	(void)printf("ready\n");
	(void)fflush(stdout);
	while ((from = accept(fd, NULL, NULL)) >= 0) {
		while (read(from, buf, sizeof(buf)) > 0)
			;
		(void)close(from);
	}
	return 0;
}

/* ---- how long it takes --------------------------------------------------- */

/* As tests/kernel/67-reload.sh has the largest one: of logins, and datasets
 * whose paths need not be there. */
static struct policy *large_policy(int rules)
{
	struct policy_errors *errs = calloc(1, sizeof(*errs));
	struct policy *policy = NULL;
	char *text = NULL;
	size_t len = 0;
	FILE *f = open_memstream(&text, &len);
	int i;

	(void)fprintf(f, "cordon: 1\nissuer: switching\nserial: 1\n"
			 "mode: enforce\ndatasets:\n");
	for (i = 1; i <= 64; i++)
		(void)fprintf(f,
			      "  d%d: {paths: [/run/switching/%d], "
			      "record: file}\n",
			      i, i);
	(void)fprintf(f, "subjects:\n");
	for (i = 1; i <= 250; i++)
		(void)fprintf(f, "  u%d: {login: %d}\n", i, 40000 + i);
	(void)fprintf(f, "rules:\n");
	for (i = 0; i < rules - 1; i++)
		(void)fprintf(f,
			      "  - {subject: u%d, dataset: d%d, "
			      "read: 5 records/hour}\n",
			      i % 250 + 1, i / 250 + 1);
	(void)fprintf(f, "  - {subject: \"*\", dataset: \"*\", read: none}\n");
	(void)fclose(f);
	if (policy_parse("large", text, len, &policy, errs)) {
		(void)fprintf(stderr, "switching: %s\n", errs->v[0].text);
		exit(2);
	}
	free(errs);
	free(text);
	return policy;
}

static int by_number(const void *a, const void *b)
{
	const int64_t *x = a, *y = b;

	return *x < *y ? -1 : *x > *y;
}

static int measure(int rules, int times)
{
	struct policy *policy = large_policy(rules);
	struct guard *guard = load_guard();
	int64_t us[64], begun_ns;
	int r = 0;

	if (times > 64)
		times = 64;
	/* The first one names everything. */
	for (int i = -1; i < times && !r; i++) {
		policy->serial++;
		begun_ns = clock_ns(CLOCK_MONOTONIC);
		r = guard_apply_policy(guard, policy, false, NULL, NULL, &say,
				       NULL);
		if (i >= 0)
			us[i] = (clock_ns(CLOCK_MONOTONIC) - begun_ns) / 1000;
	}
	if (r)
		die("switch", -r);
	qsort(us, (size_t)times, sizeof(us[0]), by_number);
	(void)printf("%" PRId64 "\n", us[times / 2]);
	guard_close(guard);
	policy_free(policy);
	return 0;
}

int main(int argc, char **argv)
{
	if (argc == 3 && strcmp(argv[1], "--receive") == 0)
		return receive(argv[2]);
	if (argc >= 2 && strcmp(argv[1], "--time") == 0)
		return measure(argc > 2 ? atoi(argv[2]) : 1000,
			       argc > 3 ? atoi(argv[3]) : 5);
	if (argc < 6) {
		(void)fprintf(stderr,
			      "usage: switching DIR ADDRESS PORT SECONDS "
			      "PERIOD_MS [halves]\n");
		return 2;
	}
	run.dir = argv[1];
	run.to.sin_family = AF_INET;
	run.to.sin_port = htons((uint16_t)atoi(argv[3]));
	if (inet_pton(AF_INET, argv[2], &run.to.sin_addr) != 1)
		die(argv[2], EINVAL);
	run.seconds = atoi(argv[4]);
	run.period_ms = atoi(argv[5]);
	run.halves = argc > 6 && strcmp(argv[6], "halves") == 0;
	return switching();
}
