// SPDX-License-Identifier: GPL-2.0-only
/*
 * A process of a program. It does what the coordinator asks for, a step at a
 * time, goes on with what it has when it is refused, and knows what it has: the
 * chunks that it read, and what stood in the messages that it took.
 */
#include "flow.h"

#include "../channel/probe.h"
#include "../channel/record.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/time.h>
#include <sys/uio.h>
#include <unistd.h>
#include <zlib.h>

#define PATIENCE_US 400000 /* of a step that waits for nothing */
#define WAIT_US	    30000  /* where that is no mistake */
#define RECEIVER_MS 400
#define BODY_BYTES  ((size_t)MESSAGE_BYTES - sizeof(struct message))

/* All that this process has. */
static struct {
	unsigned int who;
	unsigned int origin;
	unsigned int login;
	uint32_t flaws;
	struct world world;
	truth_t truth;
	uint8_t bytes[SETS][CHUNKS][CHUNK_BYTES];
	bool waits;
} me;

/* At the same place in all processes, of which others know nothing else. */
static uint8_t mailbox[MESSAGE_BYTES];
static uint8_t outbox[MESSAGE_BYTES];

unsigned int chunk_bytes(enum set set)
{
	return set == PHOTOS ? CHUNK_BYTES : ROW_BYTES;
}

static unsigned int mark_at(enum set set)
{
	return set == PHOTOS ? 6 : 0;
}

static uint32_t record_of(enum set set, unsigned int id)
{
	return set == PHOTOS ? RECORD_PHOTO + id / PHOTO_CHUNKS + 1
			     : RECORD_ROW + id + 1;
}

static bool chunk_is_there(enum set set, unsigned int id, const uint8_t *bytes)
{
	uint32_t found;

	return record_parse((const char *)bytes + mark_at(set), &found) &&
	       found == record_of(set, id);
}

static void has_chunk(unsigned int origin, enum set set, unsigned int id)
{
	me.truth[origin][set] |= 1ULL << id;
}

static uint64_t has_of(enum set set)
{
	uint64_t all = 0;

	for (int o = 0; o < ORIGINS; o++)
		all |= me.truth[o][set];
	return all;
}

static struct probe probe_now(void)
{
	return (struct probe){
		.open = openers,
		.work = "/srv/aside",
		.to = "10.99.0.2",
		.to6 = "fd99::2",
		.port = PORT,
		.cid = 1,
		.read_chunk = READ_CHUNK,
		.wait_ms = RECEIVER_MS,
		.uid = -1,
		.move_uid = -1,
		.giver_uid = -1,
		.sock = -1,
	};
}

/* ---- reading ----------------------------------------------------------- */

static const struct channel *channel_of(const char *name)
{
	const struct channel *c = channels;

	while (strcmp(c->name, name) != 0)
		c++;
	return c;
}

static int open_set(enum set set, unsigned int id)
{
	char name[64] = "/srv/flow/roster.csv";
	int fd;

	if (set == PHOTOS)
		(void)snprintf(name, sizeof(name), "/srv/flow/photos/%06u.jpg",
			       id / PHOTO_CHUNKS + 1);
	fd = open(name, O_RDONLY | O_CLOEXEC);
	return fd < 0 ? -errno : fd;
}

/* What was read begins with this chunk. */
static int note_read(enum set set, unsigned int id, const struct bytes *data)
{
	unsigned int size = chunk_bytes(set);
	int n = 0;

	for (size_t at = 0; at + size <= data->len; at += size, id++) {
		if (!chunk_is_there(set, id, data->p + at)) {
			me.flaws++;
			break;
		}
		has_chunk(me.origin, set, id);
		memcpy(me.bytes[set][id], data->p + at, size);
		n += (int)size;
	}
	return n;
}

static int do_read(const struct flow_step *s)
{
	unsigned int id = s->b, count = s->c, size = chunk_bytes(s->a);
	struct probe p = probe_now();
	struct span span;
	int fd, r, n;

	/* Of a photo no more than its end. */
	if (s->a == PHOTOS && id % PHOTO_CHUNKS + count > PHOTO_CHUNKS)
		count = PHOTO_CHUNKS - id % PHOTO_CHUNKS;
	span.off = (off_t)size * (s->a == PHOTOS ? id % PHOTO_CHUNKS : id);
	span.len = (size_t)size * count;
	fd = open_set(s->a, id);
	if (fd < 0)
		return fd;
	p.read = channel_of(read_names[s->how]);
	r = p.read->read(&p, fd, span);
	(void)close(fd);
	n = note_read(s->a, id, &p.data);
	free(p.data.p);
	return n ? n : r;
}

/* ---- messages ---------------------------------------------------------- */

/* Adds a chunk with its number, if there is room for it. */
static bool add_chunk(struct message *m, uint8_t *body, size_t room,
		      enum set set, unsigned int id)
{
	size_t size = chunk_bytes(set);

	if (m->body + 2 + size > room)
		return false;
	body[m->body] = (uint8_t)set;
	body[m->body + 1] = (uint8_t)id;
	memcpy(body + m->body + 2, me.bytes[set][id], size);
	m->body = (uint16_t)(m->body + 2 + size);
	m->chunks++;
	for (int o = 0; o < ORIGINS; o++)
		m->has[o][set] |= me.truth[o][set] & 1ULL << id;
	return true;
}

/* As many as there is room for, from another one on every time. */
static void add_chunks(struct message *m, uint8_t *body, size_t room)
{
	static unsigned int from;

	from += 29;
	for (unsigned int i = 0; i < CHUNKS * SETS; i++) {
		unsigned int at = (from + i) % (CHUNKS * SETS);
		enum set set = at / CHUNKS;

		if (has_of(set) >> at % CHUNKS & 1 &&
		    !add_chunk(m, body, room, set, at % CHUNKS))
			break;
	}
}

static void fill_packed(struct message *m)
{
	static uint8_t plain[3 * BODY_BYTES / 4];
	uLongf packed = BODY_BYTES;

	/* What zlib makes of it is hardly longer in the worst case. */
	add_chunks(m, plain, sizeof(plain));
	if (compress2(m->data, &packed, plain, m->body, 1) != Z_OK)
		abort();
	m->body = (uint16_t)packed;
}

static void message_make(uint8_t *to, enum how_told told)
{
	struct message *m = (struct message *)to;

	memset(to, 0, MESSAGE_BYTES);
	memcpy(m->magic, MESSAGE_MAGIC, sizeof(m->magic));
	m->program = me.world.program;
	m->told = (uint8_t)told;
	m->login = (uint8_t)me.login;
	m->holds =
		(uint8_t)((has_of(PHOTOS) ? 1 : 0) | (has_of(ROSTER) ? 2 : 0));
	if (told == SEALED)
		memcpy(m->has, me.truth, sizeof(m->has));
	else if (told == PACKED)
		fill_packed(m);
	else
		add_chunks(m, m->data, BODY_BYTES);
	m->len = (uint16_t)(sizeof(*m) + m->body);
}

static bool message_is_ours(const struct message *m)
{
	return memcmp(m->magic, MESSAGE_MAGIC, sizeof(m->magic)) == 0 &&
	       m->program == me.world.program && m->body <= BODY_BYTES;
}

/* Its chunks, each of which has to be what it says. */
static void unpack(const struct message *m)
{
	static uint8_t plain[BODY_BYTES];
	const uint8_t *body = m->data;
	uLongf size = sizeof(plain);
	size_t at = 0;

	if (m->told == PACKED) {
		if (uncompress(plain, &size, m->data, m->body) != Z_OK) {
			me.flaws++;
			return;
		}
		body = plain;
	}
	for (unsigned int i = 0; i < m->chunks; i++) {
		enum set set = body[at] % SETS;
		unsigned int id = body[at + 1] % CHUNKS;

		if (!chunk_is_there(set, id, body + at + 2)) {
			me.flaws++;
			return;
		}
		memcpy(me.bytes[set][id], body + at + 2, chunk_bytes(set));
		at += 2 + chunk_bytes(set);
	}
}

/* Who knows which records they are can make them. */
static void make_up(const struct message *m)
{
	for (int set = 0; set < SETS; set++)
		for (unsigned int id = 0; id < CHUNKS; id++) {
			uint64_t had = has_of(set), new = 0;

			for (int o = 0; o < ORIGINS; o++)
				new |= m->has[o][set];
			if (!((new & ~had) >> id & 1))
				continue;
			record_write((char *)me.bytes[set][id] + mark_at(set),
				     record_of(set, id));
		}
}

static void message_take(const uint8_t *from, ssize_t bytes)
{
	const struct message *m = (const struct message *)from;

	/* What two took at once is nothing to either. */
	if (bytes < (ssize_t)sizeof(*m) || !message_is_ours(m))
		return;
	make_up(m);
	for (int o = 0; o < ORIGINS; o++)
		for (int set = 0; set < SETS; set++)
			me.truth[o][set] |= m->has[o][set];
	if (bytes == MESSAGE_BYTES && m->told != SEALED)
		unpack(m);
}

/* ---- hops -------------------------------------------------------------- */

static int do_give(const struct flow_step *s)
{
	message_make(outbox, s->how);
	return (int)carrier_give(&me.world.carrier[s->a], s->a, outbox);
}

static int do_take(const struct flow_step *s)
{
	uint8_t message[MESSAGE_BYTES];
	ssize_t n;

	memset(message, 0, sizeof(message));
	n = carrier_take(&me.world.carrier[s->a], s->a, message);
	if (n > 0)
		message_take(message, n);
	return (int)n;
}

static int do_pass(const struct flow_step *s)
{
	return (int)carrier_pass(&me.world.carrier[s->a],
				 &me.world.carrier[s->b], s->how);
}

/* As much as is asked for, or -errno. */
static ssize_t write_all(int fd, const uint8_t *p, size_t n)
{
	size_t done = 0;

	while (done < n) {
		ssize_t r = write(fd, p + done, n - done);

		if (r < 0)
			return -errno;
		done += (size_t)r;
	}
	return (ssize_t)n;
}

/*
 * A photo's first chunks, which never are in this process's memory, between a
 * header that says so and what is left of a message.
 */
static int do_file(const struct flow_step *s)
{
	const struct flow_carrier *c = &me.world.carrier[s->a];
	uint8_t all[MESSAGE_BYTES] = {0};
	struct message *m = (struct message *)all;
	unsigned int id = s->b * PHOTO_CHUNKS;
	const size_t bytes = 3 * CHUNK_BYTES;
	off_t at = 0;
	ssize_t n;
	int fd;

	if (carrier_types[c->type].kind != KIND_HOP ||
	    !carrier_types[c->type].stream)
		return -EINVAL;
	fd = open_set(PHOTOS, id);
	if (fd < 0)
		return fd;
	message_make(all, SEALED);
	memset(m->has, 0, sizeof(m->has));
	m->has[me.origin][PHOTOS] = 7ULL << id;
	n = write_all(c->give, all, sizeof(*m));
	while (n > 0 && at < (off_t)bytes) {
		n = sendfile(c->give, fd, &at, bytes - (size_t)at);
		n = n < 0 ? -errno : n;
	}
	(void)close(fd);
	if (at < (off_t)bytes)
		n = write_all(c->give, all + sizeof(*m), bytes - (size_t)at);
	n = write_all(c->give, all + sizeof(*m) + bytes,
		      MESSAGE_BYTES - sizeof(*m) - bytes);
	return n < 0 ? (int)n : MESSAGE_BYTES;
}

/* ---- another's memory -------------------------------------------------- */

static int do_put(const struct flow_step *s, pid_t other)
{
	struct iovec here = {outbox, sizeof(outbox)};
	struct iovec there = {mailbox, sizeof(mailbox)};
	ssize_t n;

	if (other == getpid())
		return -EINVAL;
	message_make(outbox, s->how);
	n = process_vm_writev(other, &here, 1, &there, 1, 0);
	return n < 0 ? -errno : (int)n;
}

static int do_look(void)
{
	message_take(mailbox, sizeof(mailbox));
	memset(mailbox, 0, sizeof(mailbox));
	return 0;
}

/* What the other one made last, whatever became of it. */
static int do_get(pid_t other)
{
	uint8_t message[MESSAGE_BYTES] = {0};
	struct iovec here = {message, sizeof(message)};
	struct iovec there = {outbox, sizeof(outbox)};
	ssize_t n;

	if (other == getpid())
		return -EINVAL;
	n = process_vm_readv(other, &here, 1, &there, 1, 0);
	if (n < 0)
		return -errno;
	message_take(message, n);
	return (int)n;
}

/* ---- releases ---------------------------------------------------------- */

static const struct way *way_of(const char *name)
{
	const struct way *w = ways;

	while (strcmp(w->name, name) != 0)
		w++;
	return w;
}

static int send_out(struct probe *p, const uint8_t *data, size_t len)
{
	size_t done = 0;
	int fd, r = 0;

	fd = p->way->connect(p);
	if (fd < 0)
		return fd;
	while (done < len) {
		size_t left = len - done;
		ssize_t n;

		if (left > p->way->chunk)
			left = p->way->chunk;
		n = p->way->step(p, fd, data + done, left);
		if (n == -EINTR)
			continue;
		if (n < 0) {
			r = (int)n;
			break;
		}
		done += (size_t)n;
	}
	if (p->way->finish && !p->missing)
		(void)p->way->finish(p, fd);
	(void)close(fd);
	return r < 0 ? r : (int)done;
}

static int do_release(const struct flow_step *s)
{
	struct probe p = probe_now();
	struct message *m;
	uint8_t *own;

	/* A page that waits to be sent again is not written to any more. */
	own = mmap(NULL, MESSAGE_BYTES, PROT_READ | PROT_WRITE,
		   MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (own == MAP_FAILED)
		return -errno;
	message_make(own, s->a);
	m = (struct message *)own;
	p.way = way_of(way_names[s->how]);
	return send_out(&p, own, m->len);
}

/* ---- life -------------------------------------------------------------- */

int login_as(unsigned int user)
{
	char text[16];
	int fd = open("/proc/self/loginuid", O_WRONLY | O_CLOEXEC);
	int len = snprintf(text, sizeof(text), "%u", user), r = 0;

	if (fd < 0)
		return -errno;
	if (write(fd, text, (size_t)len) != len)
		r = -EIO;
	(void)close(fd);
	return r;
}

static int do_login(const struct flow_step *s, const struct command *c)
{
	int r = login_as(c->login);

	if (r < 0)
		return r;
	me.origin = s->a;
	me.login = c->login_index;
	return 0;
}

static int do_exec(void)
{
	char numbers[4][16], truth[ORIGINS * SETS][20];
	char *argv[7 + ORIGINS * SETS] = {"flow", "--again"};
	unsigned int values[4] = {me.who, me.origin, me.login, me.flaws};
	int n = 2;

	for (int i = 0; i < 4; i++) {
		(void)snprintf(numbers[i], sizeof(numbers[i]), "%u", values[i]);
		argv[n++] = numbers[i];
	}
	for (int i = 0; i < ORIGINS * SETS; i++) {
		(void)snprintf(
			truth[i], sizeof(truth[i]), "%llx",
			(unsigned long long)me.truth[i / SETS][i % SETS]);
		argv[n++] = truth[i];
	}
	(void)execv("/proc/self/exe", argv);
	return -errno;
}

/* ---- the loop ---------------------------------------------------------- */

static int act(const struct command *c)
{
	const struct flow_step *s = &c->step;

	switch (s->op) {
	case OP_READ:
		return do_read(s);
	case OP_GIVE:
		return do_give(s);
	case OP_FILE:
		return do_file(s);
	case OP_TAKE:
		return do_take(s);
	case OP_PASS:
		return do_pass(s);
	case OP_RELEASE:
		return me.world.dry ? 0 : do_release(s);
	case OP_EXEC:
		return do_exec();
	case OP_LOGIN:
		return do_login(s, c);
	case OP_PUT:
		return do_put(s, c->other);
	case OP_LOOK:
		return do_look();
	case OP_GET:
		return do_get(c->other);
	}
	return -ENOSYS;
}

static void on_alarm(int number)
{
	(void)number;
}

static void set_alarm(long us)
{
	struct itimerval t = {.it_value = {us / 1000000, us % 1000000},
			      /* Once more, if it came too early. */
			      .it_interval = {0, us ? 100000 : 0}};

	(void)setitimer(ITIMER_REAL, &t, NULL);
}

struct errand {
	const struct command *command;
	int result;
};

static void *run_errand(void *arg)
{
	struct errand *e = arg;
	sigset_t set;

	(void)sigemptyset(&set);
	(void)sigaddset(&set, SIGALRM);
	(void)pthread_sigmask(SIG_UNBLOCK, &set, NULL);
	e->result = act(e->command);
	return NULL;
}

/* The first thread waits; the alarm is for the other. */
static int act_by_thread(const struct command *c)
{
	struct errand e = {.command = c};
	pthread_t thread;
	sigset_t set;
	int r;

	(void)sigemptyset(&set);
	(void)sigaddset(&set, SIGALRM);
	(void)pthread_sigmask(SIG_BLOCK, &set, NULL);
	r = pthread_create(&thread, NULL, run_errand, &e);
	if (r == 0)
		r = pthread_join(thread, NULL);
	(void)pthread_sigmask(SIG_UNBLOCK, &set, NULL);
	return r ? -r : e.result;
}

static void tell(enum report_word word, uint64_t value)
{
	if (value)
		(void)!write(FD_REPORT + (int)(me.who * REPORT_WORDS + word),
			     &value, sizeof(value));
}

static void answer(uint32_t serial, int result)
{
	tell(REPORT_FLAWS, me.flaws);
	for (unsigned int i = 0; i < ORIGINS * SETS; i++)
		tell(REPORT_TRUTH + i, me.truth[i / SETS][i % SETS]);
	tell(REPORT_DONE, (uint64_t)serial << 32 | (uint32_t)result);
}

static _Noreturn void work_on(void);

/* The child answers to nobody before it is asked. */
static int do_fork(const struct flow_step *s)
{
	pid_t child;

	if (s->b && me.world.carrier[s->b - 1].take < 0)
		(void)carrier_share(s->b - 1U);
	child = fork();
	if (child == 0) {
		me.who = s->a;
		work_on();
	}
	return child < 0 ? -errno : child;
}

static _Noreturn void work_on(void)
{
	struct sigaction action = {.sa_handler = on_alarm};
	struct command c;
	int r;

	(void)sigaction(SIGALRM, &action, NULL);
	(void)signal(SIGPIPE, SIG_IGN);
	while (read(FD_COMMAND + 2 * (int)me.who, &c, sizeof(c)) == sizeof(c)) {
		if (c.step.op == OP_EXIT)
			break;
		if (c.step.op == OP_FORK) {
			answer(c.serial, do_fork(&c.step));
			continue;
		}
		set_alarm(c.waits ? WAIT_US : PATIENCE_US);
		r = c.step.thread ? act_by_thread(&c) : act(&c);
		set_alarm(0);
		answer(c.serial, r);
	}
	_exit(0);
}

static void read_world(void)
{
	if (pread(FD_WORLD, &me.world, sizeof(me.world), 0) != sizeof(me.world))
		_exit(3);
}

_Noreturn void work(unsigned int who, unsigned int origin, unsigned int login)
{
	me.who = who;
	me.origin = origin;
	me.login = login;
	read_world();
	tell(REPORT_DONE, (uint64_t)getpid());
	work_on();
}

_Noreturn void work_again(char **argv)
{
	me.who = (unsigned int)strtoul(argv[0], NULL, 10);
	me.origin = (unsigned int)strtoul(argv[1], NULL, 10);
	me.login = (unsigned int)strtoul(argv[2], NULL, 10);
	me.flaws = (uint32_t)strtoul(argv[3], NULL, 10);
	for (int i = 0; i < ORIGINS * SETS; i++)
		me.truth[i / SETS][i % SETS] = strtoull(argv[4 + i], NULL, 16);
	for (int set = 0; set < SETS; set++)
		for (unsigned int id = 0; id < CHUNKS; id++)
			if (has_of(set) >> id & 1)
				record_write((char *)me.bytes[set][id] +
						     mark_at(set),
					     record_of(set, id));
	read_world();
	set_alarm(0);
	answer(REPORT_AGAIN, 0);
	work_on();
}
