// SPDX-License-Identifier: GPL-2.0-only
/*
 * flow: runs programs of random flows, and fails if the guard counted less than
 * what really went where.
 *
 *	flow [--seed N] [--programs N] [--seconds N] [--together]
 *	     [--steps I,I,...] [--no-guard | --lie] [--whole]
 *	     [--verbose]
 *
 * Of each program: after every step each process that did something holds, by
 * the guard's count, at least the records and bytes that it has, through each
 * origin (G2); what reached the receiver is within the budgets of each login,
 * and no more than was charged and stands in the ledger (G1).
 *
 * --steps runs these steps of a program only. --together begins several steps
 * at once. --no-guard compares what was released alone, which without a guard
 * has to fail; --lie takes one record off what the guard says, which has to
 * fail too.
 *
 * The coordinator reads nothing that a process of a program wrote. When a
 * program fails it is run again and again with fewer steps, and what is left
 * is told, unless --whole. Exit: 0 all held, 1 something did not, 2 it could
 * not be tried.
 */
#include "flow.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define FIRST_LOGIN 3000000U
#define ANSWER_MS   20000 /* an emulator is slow */
#define SHRINKS	    200
#define SHRINK_S    60
#define TOGETHER    5

struct options {
	uint64_t seed;
	unsigned long programs;
	unsigned long seconds;
	uint64_t steps; /* bit for each that is run */
	bool together;
	bool guard;
	bool lie;
	bool verbose;
	bool whole;
};

struct process {
	pid_t pid; /* 0: none */
	bool asked;
	int result;
	uint64_t flaws;
	truth_t truth;
};

struct run {
	const struct options *options;
	const struct plan *plan;
	struct world world;
	struct process process[PROCS];
	uint32_t sessions[ORIGINS];
	unsigned int login; /* of this program's first */
	int queued[CARRIERS];
	bool broken[CARRIERS];
	uint32_t serial;
	char why[512]; /* the first thing that did not hold */
};

static struct {
	unsigned long programs, steps, reads, hops, releases, refused;
} done;

static void wrong(struct run *run, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

static void wrong(struct run *run, const char *format, ...)
{
	va_list args;

	if (run->why[0])
		return;
	va_start(args, format);
	(void)vsnprintf(run->why, sizeof(run->why), format, args);
	va_end(args);
}

static double now(void)
{
	struct timespec t;

	(void)clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

/* ---- comparing --------------------------------------------------------- */

static uint64_t records_in(enum set set, uint64_t chunks)
{
	uint64_t n = 0;

	if (set == ROSTER)
		return (uint64_t)__builtin_popcountll(chunks);
	for (; chunks; chunks >>= PHOTO_CHUNKS)
		n += !!(chunks & ((1 << PHOTO_CHUNKS) - 1));
	return n;
}

static uint64_t bytes_in(enum set set, uint64_t chunks)
{
	return (uint64_t)__builtin_popcountll(chunks) * chunk_bytes(set);
}

/* The part of one origin, or, @o below 0, all that is held of the set. */
static void compare(struct run *run, unsigned int who, int o, enum set set,
		    const struct counted *c, uint64_t truth)
{
	static const char *const names[] = {"photos", "roster"};
	uint64_t records = c->folded_records[set], bytes = c->folded_bytes[set];

	for (int i = 0; i < ORIGINS; i++) {
		if (o >= 0 && i != o)
			continue;
		records += c->records[i][set];
		bytes += c->bytes[i][set];
	}
	if (run->options->lie && records)
		records--;
	if (records >= records_in(set, truth) && bytes >= bytes_in(set, truth))
		return;
	wrong(run,
	      "G2: process %u has %llu records, %llu bytes of %s of origin %d, "
	      "the guard counts %llu, %llu",
	      who, (unsigned long long)records_in(set, truth),
	      (unsigned long long)bytes_in(set, truth), names[set], o,
	      (unsigned long long)records, (unsigned long long)bytes);
}

static void check_process(struct run *run, unsigned int who)
{
	struct process *p = &run->process[who];
	struct counted c;
	int r;

	if (p->flaws)
		wrong(run, "process %u took what is not what it says", who);
	if (!run->options->guard || !p->pid)
		return;
	r = guard_holding(p->pid, run->sessions, &c);
	if (r < 0)
		wrong(run, "cannot read what the guard counts: %s",
		      strerror(-r));
	for (int set = 0; set < SETS; set++) {
		uint64_t all = 0;

		for (int o = 0; o < ORIGINS; o++) {
			compare(run, who, o, set, &c, p->truth[o][set]);
			all |= p->truth[o][set];
		}
		compare(run, who, -1, set, &c, all);
	}
}

static void check_login(struct run *run, unsigned int login,
			const struct arrivals *a)
{
	uint64_t records = records_in(PHOTOS, a->has[login][PHOTOS]);
	uint64_t bytes = a->bytes[login][ROSTER], charged[SETS] = {0};
	int r = 0;

	if (records > BUDGET_RECORDS || bytes > BUDGET_BYTES)
		wrong(run,
		      "G1: login %u sent out %llu records of photos, %llu "
		      "bytes with the roster",
		      login, (unsigned long long)records,
		      (unsigned long long)bytes);
	if (!run->options->guard)
		return;
	r = guard_charged(run->login + login, charged);
	if (r < 0)
		wrong(run, "cannot read budgets: %s", strerror(-r));
	if (charged[PHOTOS] < records || charged[ROSTER] < bytes)
		wrong(run,
		      "G1: login %u was charged %llu records, %llu bytes, and "
		      "sent out %llu, %llu",
		      login, (unsigned long long)charged[PHOTOS],
		      (unsigned long long)charged[ROSTER],
		      (unsigned long long)records, (unsigned long long)bytes);
}

static void check_ledger(struct run *run, const struct arrivals *a)
{
	uint64_t told[SETS], bytes[SETS] = {0};
	int r = guard_released(run->sessions, told);

	if (r < 0)
		wrong(run, "cannot read the ledger: %s", strerror(-r));
	for (int set = 0; r == 0 && set < SETS; set++) {
		for (int login = 0; login < LOGINS; login++)
			bytes[set] += a->bytes[login][set];
		if (told[set] < bytes[set])
			wrong(run,
			      "G3: the ledger has %llu bytes of set %d, %llu "
			      "came",
			      (unsigned long long)told[set], set,
			      (unsigned long long)bytes[set]);
	}
}

static void check_arrivals(struct run *run)
{
	struct arrivals a;
	struct counted own;

	if (sink_ask(&a) < 0) {
		wrong(run, "the receiver does not answer");
		return;
	}
	if (a.flaws)
		wrong(run, "%u canaries that no header told of", a.flaws);
	for (unsigned int login = 0; login < LOGINS; login++)
		check_login(run, login, &a);
	if (!run->options->guard)
		return;
	check_ledger(run, &a);
	/* Else every process would hold what it does. */
	(void)guard_holding(getpid(), run->sessions, &own);
	for (int i = 0; i < ORIGINS; i++)
		if (own.records[i][PHOTOS] || own.records[i][ROSTER])
			wrong(run, "the coordinator holds something");
}

/* ---- processes --------------------------------------------------------- */

static int report_fd(unsigned int who, unsigned int word)
{
	return FD_REPORT + (int)(who * REPORT_WORDS + word);
}

static uint64_t word_of(unsigned int who, unsigned int word)
{
	uint64_t value = 0;

	if (read(report_fd(who, word), &value, sizeof(value)) < 0)
		return 0;
	return value;
}

static void note_session(struct run *run, unsigned int who, unsigned int origin)
{
	char text[64];
	ssize_t n;
	int fd;

	(void)snprintf(text, sizeof(text), "/proc/%d/sessionid",
		       (int)run->process[who].pid);
	fd = open(text, O_RDONLY | O_CLOEXEC);
	n = fd < 0 ? -1 : read(fd, text, sizeof(text) - 1);
	if (fd >= 0)
		(void)close(fd);
	text[n > 0 ? n : 0] = 0;
	run->sessions[origin] = (uint32_t)strtoul(text, NULL, 10);
}

/* A session is begun once: who comes into it later is its child. */
static pid_t begin_session(struct run *run, unsigned int origin)
{
	unsigned int login = run->plan->login[origin];
	pid_t leader = fork();

	if (leader)
		return leader;
	if (login_as(run->login + login) < 0)
		_exit(3);
	for (unsigned int i = 0; i < run->plan->born; i++) {
		if (run->plan->origin[i] != origin)
			continue;
		if (fork() == 0)
			work(i, origin, login);
	}
	_exit(0);
}

/* Who it is, its own first report says: by an eventfd, like all. */
static void wait_born(struct run *run, unsigned int who);

static void begin_processes(struct run *run)
{
	bool begun[ORIGINS] = {false};

	for (unsigned int i = 0; i < run->plan->born; i++) {
		unsigned int origin = run->plan->origin[i];

		if (!begun[origin]) {
			pid_t leader = begin_session(run, origin);

			(void)waitpid(leader, NULL, 0);
			begun[origin] = true;
		}
		wait_born(run, i);
		note_session(run, i, origin);
	}
}

static bool wait_word(struct run *run, unsigned int who, uint64_t *ret)
{
	struct pollfd of = {report_fd(who, REPORT_DONE), POLLIN, 0};

	if (poll(&of, 1, ANSWER_MS) <= 0) {
		wrong(run, "process %u does not answer", who);
		return false;
	}
	*ret = word_of(who, REPORT_DONE);
	return true;
}

static void wait_born(struct run *run, unsigned int who)
{
	uint64_t word;

	if (!wait_word(run, who, &word))
		return;
	run->process[who].pid = (pid_t)(uint32_t)word;
}

/* Whoever is ours by then: a child is once its parent has ended. */
static bool is_gone(pid_t pid)
{
	while (waitpid(-1, NULL, WNOHANG) > 0)
		;
	return pid <= 0 || kill(pid, 0) < 0;
}

static void end_processes(struct run *run)
{
	double end;
	bool gone;

	for (int i = 0; i < PROCS; i++)
		if (run->process[i].pid > 0)
			(void)kill(run->process[i].pid, SIGKILL);
	end = now() + ANSWER_MS / 1000.0;
	for (unsigned int i = 0; i < PROCS; i++) {
		while (!(gone = is_gone(run->process[i].pid)) && now() < end)
			(void)poll(NULL, 0, 1);
		if (!gone)
			wrong(run, "process %u cannot be ended", i);
	}
}

/* ---- steps ------------------------------------------------------------- */

static bool is_possible(const struct run *run, const struct flow_step *s)
{
	const struct plan *plan = run->plan;

	if (!run->process[s->who].pid)
		return false;
	switch (s->op) {
	case OP_FILE:
		if (run->options->together)
			return false; /* a message in three writes */
				      /* fallthrough */
	case OP_GIVE:
		return !run->broken[s->a] &&
		       run->queued[s->a] < carrier_types[plan->type[s->a]].room;
	case OP_TAKE:
		return !run->broken[s->a] &&
		       (run->options->together || run->queued[s->a] > 0);
	case OP_PASS:
		return s->a != s->b && !run->broken[s->a] &&
		       !run->broken[s->b] && run->queued[s->a] > 0 &&
		       run->queued[s->b] < carrier_types[plan->type[s->b]].room;
	case OP_FORK:
		return !run->process[s->a].pid;
	case OP_PUT:
	case OP_GET:
		return s->a != s->who && run->process[s->a].pid;
	}
	return true;
}

static void ask_step(struct run *run, const struct flow_step *s)
{
	struct process *p = &run->process[s->who];
	struct command c = {
		.step = *s,
		.serial = ++run->serial + REPORT_AGAIN,
		.waits = run->options->together && s->op == OP_TAKE,
	};

	if (s->op == OP_LOGIN) {
		c.login_index = run->plan->login[s->a];
		c.login = run->login + c.login_index;
	}
	if (s->op == OP_PUT || s->op == OP_GET)
		c.other = run->process[s->a].pid;
	p->asked = write(FD_COMMAND + 2 * s->who + 1, &c, sizeof(c)) ==
		   sizeof(c);
}

static void note_hop(struct run *run, const struct flow_step *s, int result)
{
	int *queued = run->queued;

	if (s->op == OP_GIVE || s->op == OP_FILE) {
		if (result > 0)
			queued[s->a]++;
		/* A header without what it tells of. */
		if (result != MESSAGE_BYTES && (s->op == OP_FILE || result > 0))
			run->broken[s->a] = true;
		return;
	}
	if (s->op == OP_TAKE) {
		queued[s->a] -= queued[s->a] > 0;
		done.hops += result > 0;
		return;
	}
	if (result <= 0)
		return;
	queued[s->b]++;
	queued[s->a] -= !s->how;
	done.hops++;
	if (result != MESSAGE_BYTES)
		run->broken[s->a] = run->broken[s->b] = true;
}

static void note_result(struct run *run, const struct flow_step *s, int result)
{
	done.steps++;
	done.refused += result == -EPERM || result == -EACCES;
	switch (s->op) {
	case OP_READ:
		done.reads += result > 0;
		break;
	case OP_GIVE:
	case OP_FILE:
	case OP_TAKE:
	case OP_PASS:
		note_hop(run, s, result);
		break;
	case OP_RELEASE:
		done.releases += result > 0;
		break;
	case OP_PUT:
	case OP_GET:
		done.hops += result > 0;
		break;
	case OP_LOGIN:
		note_session(run, s->who, s->a);
		break;
	}
}

static void note_child(struct run *run, const struct flow_step *s, int pid)
{
	struct process *child = &run->process[s->a];

	if (pid <= 0)
		return;
	*child = (struct process){.pid = pid};
	memcpy(child->truth, run->process[s->who].truth, sizeof(child->truth));
	check_process(run, s->a);
}

static void wait_end(struct run *run, unsigned int who)
{
	struct process *p = &run->process[who];
	int fd = (int)syscall(SYS_pidfd_open, p->pid, 0);
	struct pollfd of = {fd, POLLIN, 0};

	if (fd < 0 || poll(&of, 1, ANSWER_MS) <= 0)
		wrong(run, "process %u does not end", who);
	if (fd >= 0)
		(void)close(fd);
	p->pid = 0;
}

static void wait_step(struct run *run, const struct flow_step *s)
{
	struct process *p = &run->process[s->who];
	uint64_t word;

	if (s->op == OP_EXIT) {
		wait_end(run, s->who);
		return;
	}
	if (!p->asked || !wait_word(run, s->who, &word)) {
		p->pid = 0;
		return;
	}
	p->asked = false;
	p->result = (int)(uint32_t)word;
	p->flaws += word_of(s->who, REPORT_FLAWS);
	for (unsigned int i = 0; i < ORIGINS * SETS; i++)
		p->truth[i / SETS][i % SETS] |=
			word_of(s->who, REPORT_TRUTH + i);
	note_result(run, s, p->result);
	if (run->options->verbose) {
		plan_print_step(run->plan, (uint32_t)(s - run->plan->step));
		/* The numbers of processes are new each time. */
		(void)printf("#       %d\n",
			     s->op == OP_FORK ? p->result > 0 : p->result);
	}
	check_process(run, s->who);
	if (s->op == OP_FORK)
		note_child(run, s, p->result);
}

static void run_steps(struct run *run)
{
	uint32_t i = 0, most = run->options->together ? TOGETHER : 1;
	const struct flow_step *batch[TOGETHER];

	while (i < run->plan->steps && !run->why[0]) {
		uint32_t count = 0, busy = 0;

		for (; i < run->plan->steps && count < most; i++) {
			const struct flow_step *s = &run->plan->step[i];

			if (!(run->options->steps >> i & 1) ||
			    !is_possible(run, s))
				continue;
			/* One at a time for each, and no changes among them. */
			if (count && (busy >> s->who & 1 || s->op >= OP_FORK))
				break;
			ask_step(run, s);
			busy |= 1U << s->who;
			batch[count++] = s;
			if (s->op >= OP_FORK) {
				i++;
				break;
			}
		}
		for (uint32_t j = 0; j < count; j++)
			wait_step(run, batch[j]);
	}
	for (unsigned int who = 0; who < PROCS; who++)
		check_process(run, who);
}

/* ---- one program ------------------------------------------------------- */

/* Nothing that was said in another program is heard in this one. */
static int make_pipes(void)
{
	int ends[2];

	for (unsigned int who = 0; who < PROCS; who++) {
		int at = FD_COMMAND + 2 * (int)who;

		for (unsigned int word = 0; word < REPORT_WORDS; word++)
			(void)word_of(who, word);
		if (pipe(ends) < 0 || dup2(ends[0], at) < 0 ||
		    dup2(ends[1], at + 1) < 0)
			return -errno;
		(void)close(ends[0]);
		(void)close(ends[1]);
	}
	return 0;
}

static int begin_world(struct run *run)
{
	int r;

	for (unsigned int i = 0; i < run->plan->carriers; i++) {
		run->world.carrier[i].type = run->plan->type[i];
		r = carrier_make(&run->world.carrier[i], i);
		if (r < 0) {
			wrong(run, "%s: %s",
			      carrier_types[run->plan->type[i]].name,
			      strerror(-r));
			return r;
		}
	}
	r = pwrite(FD_WORLD, &run->world, sizeof(run->world), 0) ==
			    sizeof(run->world)
		    ? sink_reset(run->world.program)
		    : -EIO;
	if (r < 0)
		wrong(run, "cannot begin: %s", strerror(-r));
	return r;
}

/* What did not hold, or "". Valid until the next one. */
static const char *run_program(const struct options *o, const struct plan *plan)
{
	static unsigned int number;
	static struct run run;

	run = (struct run){.options = o, .plan = plan};
	run.world.program = ++number + 1;
	run.login = FIRST_LOGIN + (unsigned int)getpid() % 1000 * 1000000 +
		    number * LOGINS;
	if (o->guard)
		guard_mark();
	if (make_pipes() == 0 && begin_world(&run) == 0) {
		begin_processes(&run);
		run_steps(&run);
		check_arrivals(&run);
		end_processes(&run);
		check_arrivals(&run);
	}
	for (unsigned int i = 0; i < plan->carriers; i++)
		carrier_end(&run.world.carrier[i]);
	done.programs++;
	return run.why;
}

/* ---- what is left of it ------------------------------------------------ */

static void print_steps(uint64_t steps)
{
	const char *comma = "";

	for (int i = 0; i < STEPS; i++)
		if (steps >> i & 1) {
			(void)printf("%s%d", comma, i);
			comma = ",";
		}
}

/* Leaves out a step after another, from the last one on, while it fails. */
static uint64_t shrink(const struct options *o, const struct plan *plan,
		       const char *kind)
{
	struct options fewer = *o;
	int left = SHRINKS;
	double until = now() + SHRINK_S;
	bool again = true;

	while (again && left > 0) {
		again = false;
		for (int i = (int)plan->steps - 1; i >= 0 && left > 0; i--) {
			uint64_t was = fewer.steps;

			if (!(was >> i & 1) || now() > until)
				continue;
			fewer.steps &= ~(1ULL << i);
			left--;
			if (strncmp(run_program(&fewer, plan), kind, 2) == 0)
				again = true;
			else
				fewer.steps = was;
		}
	}
	return fewer.steps;
}

static void print_failure(const struct options *o, const struct plan *plan,
			  const char *why)
{
	struct options fewer = *o;
	char kind[2] = {why[0], why[1]}; /* another failure is another matter */

	fewer.steps &= plan->steps < STEPS ? (1ULL << plan->steps) - 1 : ~0ULL;
	fewer.steps = shrink(&fewer, plan, kind);
	why = run_program(&fewer, plan);
	(void)printf("# what is left of it: %s\n",
		     why[0] ? why : "it does not fail every time");
	for (uint32_t i = 0; i < plan->steps; i++)
		if (fewer.steps >> i & 1)
			plan_print_step(plan, i);
	(void)printf("# again: flow%s --seed %llu --steps ",
		     o->together ? " --together" : "",
		     (unsigned long long)plan->seed);
	print_steps(fewer.steps);
	(void)printf("\n");
}

static bool parse_steps(const char *text, uint64_t *ret)
{
	char *end;

	for (*ret = 0;; text = end + 1) {
		unsigned long v = strtoul(text, &end, 10);

		if (end == text || v >= STEPS)
			return false;
		*ret |= 1ULL << v;
		if (*end != ',')
			return !*end;
	}
}

static bool parse(int argc, char **argv, struct options *o)
{
	for (int i = 1; i < argc; i++) {
		const char *next = i + 1 < argc ? argv[i + 1] : "";
		char *end = NULL;

		if (strcmp(argv[i], "--together") == 0)
			o->together = true;
		else if (strcmp(argv[i], "--no-guard") == 0)
			o->guard = false;
		else if (strcmp(argv[i], "--lie") == 0)
			o->lie = true;
		else if (strcmp(argv[i], "--verbose") == 0)
			o->verbose = true;
		else if (strcmp(argv[i], "--whole") == 0)
			o->whole = true;
		else if (strcmp(argv[i], "--steps") == 0 && ++i &&
			 parse_steps(next, &o->steps))
			continue;
		else if (strcmp(argv[i], "--seed") == 0 && ++i)
			o->seed = strtoull(next, &end, 10);
		else if (strcmp(argv[i], "--programs") == 0 && ++i)
			o->programs = strtoul(next, &end, 10);
		else if (strcmp(argv[i], "--seconds") == 0 && ++i)
			o->seconds = strtoul(next, &end, 10);
		else
			return false;
		if (end && (end == next || *end))
			return false;
	}
	return true;
}

static int make_descriptors(void)
{
	int fd;

	fd = memfd_create("world", 0);
	if (fd < 0 || dup2(fd, FD_WORLD) < 0)
		return -errno;
	(void)close(fd);
	for (unsigned int who = 0; who < PROCS; who++) {
		for (unsigned int word = 0; word < REPORT_WORDS; word++) {
			fd = eventfd(0, EFD_NONBLOCK);
			if (fd < 0 || dup2(fd, report_fd(who, word)) < 0)
				return -errno;
			(void)close(fd);
		}
	}
	return 0;
}

static int begin(struct options *o)
{
	int r = make_descriptors();

	if (r == 0 && o->guard)
		r = guard_find();
	if (r != 0) {
		(void)fprintf(stderr, "flow: %s\n",
			      r < 0 ? strerror(-r)
				    : "no guard is pinned: --no-guard?");
		return r;
	}
	(void)prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0);
	(void)signal(SIGPIPE, SIG_IGN);
	r = sink_begin("/run/netns/outside");
	if (r < 0)
		(void)fprintf(stderr, "flow: the receiver: %s\n", strerror(-r));
	return r;
}

int main(int argc, char **argv)
{
	struct options o = {.seed = 1,
			    .programs = ~0UL,
			    .seconds = ~0UL,
			    .steps = ~0ULL,
			    .guard = true};
	double began = now();
	bool failed = false;
	struct plan plan;

	if (argc > 1 && strcmp(argv[1], "--again") == 0)
		work_again(argv + 2);
	/* Who ends this for its time is to see how far it came. */
	(void)setvbuf(stdout, NULL, _IOLBF, 0);
	if (!parse(argc, argv, &o)) {
		(void)fputs("flow: wrong arguments; see tests/flow/flow.c\n",
			    stderr);
		return 2;
	}
	if (o.steps != ~0ULL)
		o.programs = 1;
	if (begin(&o) != 0)
		return 2;
	for (unsigned long i = 0; i < o.programs && !failed; i++) {
		const char *why;

		if (now() - began > (double)o.seconds)
			break;
		plan_make(&plan, o.seed + i);
		why = run_program(&o, &plan);
		if (!why[0])
			continue;
		failed = true;
		(void)printf("# seed %llu: %s\n", (unsigned long long)plan.seed,
			     why);
		(void)fflush(stdout);
		if (!o.whole)
			print_failure(&o, &plan, why);
	}
	sink_end();
	(void)printf("%lu programs, %lu steps, %lu reads, %lu hops, "
		     "%lu releases, %lu refused, %.1f s\n",
		     done.programs, done.steps, done.reads, done.hops,
		     done.releases, done.refused, now() - began);
	return failed;
}
