// SPDX-License-Identifier: GPL-2.0-only
/*
 * What messages go through: the hops and files of the probe, and what it has
 * one of only, so that a program can have several.
 */
#include "flow.h"

#include "../channel/probe.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ipc.h>
#include <sys/mman.h>
#include <sys/msg.h>
#include <sys/shm.h>
#include <unistd.h>

#define SOME 3 /* messages that all of them have room for */

#define HOP(n, room_, pipe_, stream_)                                      \
	{                                                                  \
		.name = n, .kind = KIND_HOP, .room = room_, .pipe = pipe_, \
		.stream = stream_,                                         \
	}

const struct carrier_type carrier_types[] = {
	HOP("pipe", SOME, true, true),
	HOP("pipe-v", SOME, true, true),
	HOP("fifo", SOME, true, true),
	HOP("pipe-reopened", SOME, true, true),
	HOP("pipe-splice", SOME, true, true),
	HOP("pipe-splice-file", SOME, true, true),
	HOP("pipe-tee", SOME, true, true),
	HOP("pipe-vmsplice", SOME, true, true),
	HOP("pipe-vmspliced", SOME, true, true),
	HOP("unix-stream", SOME, false, true),
	HOP("unix-named", SOME, false, true),
	HOP("unix-abstract", SOME, false, true),
	HOP("unix-peek", SOME, false, true),
	HOP("unix-splice", SOME, false, true),
	HOP("unix-dgram", SOME, false, false),
	HOP("unix-dgram-named", SOME, false, false),
	HOP("unix-mmsg", SOME, false, false),
	HOP("unix-seqpacket", SOME, false, false),
	HOP("tcp", SOME, false, true),
	HOP("tcp6", SOME, false, true),
	HOP("tcp-peek", SOME, false, true),
	HOP("tcp-splice", SOME, false, true),
	HOP("udp", SOME, false, false),
	HOP("udp-mmsg", SOME, false, false),
	HOP("udp6", SOME, false, false),
	HOP("pty", 1, false, true),
	HOP("pty-in", 1, false, true),
	HOP("msg-posix", SOME, false, false),
	HOP("file", SOME, false, true),
	HOP("file-append", SOME, false, true),
	HOP("file-v", SOME, false, true),
	HOP("file-uring", SOME, false, true),
	HOP("file-spliced", SOME, false, true),
	HOP("memfd", SOME, false, true),
	{.name = "map-memfd", .kind = KIND_REGION, .room = 1},
	{.name = "map-file", .kind = KIND_REGION, .room = 1},
	{.name = "shm-sysv", .kind = KIND_SYSV, .room = 1},
	{.name = "shm-anon", .kind = KIND_ANON, .room = 1},
	{.name = "msg-sysv", .kind = KIND_QUEUE, .room = SOME},
};
const unsigned int carrier_type_count =
	sizeof(carrier_types) / sizeof(*carrier_types);

/* Memory that a message lies in. */
struct region {
	volatile uint32_t full;
	uint8_t message[MESSAGE_BYTES];
};

struct letter {
	long type;
	uint8_t text[MESSAGE_BYTES];
};

/* Where this process has them mapped, and its children. */
static struct region *regions[CARRIERS];

static struct probe probe_for(void)
{
	return (struct probe){.work = "/srv/aside", .to = "10.99.0.2"};
}

static const struct hop *find_in(const struct hop *h, const char *name)
{
	while (h->name && strcmp(h->name, name) != 0)
		h++;
	return h->name ? h : NULL;
}

static const struct hop *hop_of(const struct flow_carrier *c)
{
	const char *name = carrier_types[c->type].name;
	const struct hop *h = find_in(hops, name);

	return h ? h : find_in(files, name);
}

/* At numbers that an exec keeps. */
static int settle(int *fd, int at)
{
	int r = dup2(*fd, at);

	if (r < 0)
		return -errno;
	*fd = at;
	return 0;
}

static int make_hop(struct flow_carrier *c, unsigned int number)
{
	struct probe p = probe_for();
	int ends[2] = {-1, -1}, was[2], r;

	r = hop_of(c)->make(&p, ends);
	if (r < 0)
		return r;
	memcpy(was, ends, sizeof(was));
	r = settle(&ends[0], FD_CARRIER + 2 * (int)number);
	if (r == 0)
		r = settle(&ends[1], FD_CARRIER + 2 * (int)number + 1);
	(void)close(was[0]);
	if (was[1] != was[0])
		(void)close(was[1]);
	c->take = ends[0];
	c->give = ends[1];
	return r;
}

static int make_region(struct flow_carrier *c, unsigned int number)
{
	bool file = strcmp(carrier_types[c->type].name, "map-file") == 0;
	int fd, was, r;

	fd = file ? open("/srv/aside", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600)
		  : memfd_create("flow", MFD_CLOEXEC);
	if (fd < 0 || ftruncate(fd, sizeof(struct region)) < 0)
		return -errno;
	was = fd;
	r = settle(&fd, FD_CARRIER + 2 * (int)number);
	(void)close(was);
	c->take = fd;
	c->give = -1;
	return r;
}

int carrier_make(struct flow_carrier *c, unsigned int number)
{
	c->take = c->give = -1;
	switch (carrier_types[c->type].kind) {
	case KIND_HOP:
		return make_hop(c, number);
	case KIND_REGION:
		return make_region(c, number);
	case KIND_SYSV:
		c->take = shmget(IPC_PRIVATE, sizeof(struct region),
				 IPC_CREAT | 0600);
		return c->take < 0 ? -errno : 0;
	case KIND_QUEUE:
		c->take = msgget(IPC_PRIVATE, IPC_CREAT | 0600);
		return c->take < 0 ? -errno : 0;
	case KIND_ANON:
		break;
	}
	return 0;
}

void carrier_end(struct flow_carrier *c)
{
	switch (carrier_types[c->type].kind) {
	case KIND_SYSV:
		(void)shmctl(c->take, IPC_RMID, NULL);
		break;
	case KIND_QUEUE:
		(void)msgctl(c->take, IPC_RMID, NULL);
		break;
	case KIND_ANON:
		break;
	default:
		(void)close(c->take);
		if (c->give >= 0)
			(void)close(c->give);
	}
}

/* ---- memory ------------------------------------------------------------ */

int carrier_share(unsigned int number)
{
	void *map;

	if (regions[number])
		return 0;
	map = mmap(NULL, sizeof(struct region), PROT_READ | PROT_WRITE,
		   MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (map == MAP_FAILED)
		return -errno;
	regions[number] = map;
	return 0;
}

static int have_region(const struct flow_carrier *c, unsigned int number)
{
	void *map;

	if (regions[number])
		return 0;
	switch (carrier_types[c->type].kind) {
	case KIND_SYSV:
		map = shmat(c->take, NULL, 0);
		break;
	case KIND_REGION:
		map = mmap(NULL, sizeof(struct region), PROT_READ | PROT_WRITE,
			   MAP_SHARED, c->take, 0);
		break;
	default:
		return -ENOENT; /* nobody who forked it had any */
	}
	if (map == MAP_FAILED)
		return -errno;
	regions[number] = map;
	return 0;
}

static ssize_t give_region(const struct flow_carrier *c, unsigned int number,
			   const uint8_t *message)
{
	int r = have_region(c, number);

	if (r < 0)
		return r;
	if (regions[number]->full)
		return -EAGAIN;
	memcpy(regions[number]->message, message, MESSAGE_BYTES);
	__sync_synchronize();
	regions[number]->full = 1;
	return MESSAGE_BYTES;
}

static ssize_t take_region(const struct flow_carrier *c, unsigned int number,
			   uint8_t *message)
{
	int r = have_region(c, number);

	if (r < 0)
		return r;
	if (!regions[number]->full)
		return -EAGAIN;
	__sync_synchronize();
	memcpy(message, regions[number]->message, MESSAGE_BYTES);
	__sync_synchronize();
	regions[number]->full = 0;
	return MESSAGE_BYTES;
}

/* ---- the rest ---------------------------------------------------------- */

static ssize_t give_letter(const struct flow_carrier *c, const uint8_t *message)
{
	struct letter letter = {.type = 1};

	memcpy(letter.text, message, MESSAGE_BYTES);
	if (msgsnd(c->take, &letter, MESSAGE_BYTES, IPC_NOWAIT) < 0)
		return -errno;
	return MESSAGE_BYTES;
}

static ssize_t take_letter(const struct flow_carrier *c, uint8_t *message)
{
	struct letter letter;
	ssize_t n;

	n = msgrcv(c->take, &letter, MESSAGE_BYTES, 0, 0);
	if (n < 0)
		return -errno;
	memcpy(message, letter.text, (size_t)n);
	return n;
}

static ssize_t give_hop(const struct flow_carrier *c, const uint8_t *message)
{
	struct probe p = probe_for();
	const struct hop *h = hop_of(c);
	size_t done = 0;
	uint8_t *own;
	ssize_t n = 0;

	/* For pages that are read later: nobody writes to them again. */
	own = mmap(NULL, MESSAGE_BYTES, PROT_READ | PROT_WRITE,
		   MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (own == MAP_FAILED)
		return -errno;
	memcpy(own, message, MESSAGE_BYTES);
	while (done < MESSAGE_BYTES) {
		n = h->give(&p, c->give, own + done, MESSAGE_BYTES - done);
		if (n <= 0)
			break;
		done += (size_t)n;
	}
	(void)munmap(own, MESSAGE_BYTES);
	return done ? (ssize_t)done : n;
}

static ssize_t take_hop(const struct flow_carrier *c, uint8_t *message)
{
	struct probe p = probe_for();
	const struct hop *h = hop_of(c);
	size_t done = 0;
	ssize_t n = 0;

	/* A queue of messages wants room for the longest. */
	uint8_t room[4096];

	if (strcmp(h->name, "msg-posix") == 0) {
		n = h->take(&p, c->take, room, sizeof(room));
		if (n > MESSAGE_BYTES)
			n = MESSAGE_BYTES;
		if (n > 0)
			memcpy(message, room, (size_t)n);
		return n;
	}
	while (done < MESSAGE_BYTES) {
		n = h->take(&p, c->take, message + done, MESSAGE_BYTES - done);
		if (n <= 0)
			break;
		done += (size_t)n;
	}
	return done ? (ssize_t)done : n;
}

ssize_t carrier_give(const struct flow_carrier *c, unsigned int number,
		     const uint8_t *message)
{
	switch (carrier_types[c->type].kind) {
	case KIND_HOP:
		return give_hop(c, message);
	case KIND_QUEUE:
		return give_letter(c, message);
	default:
		return give_region(c, number, message);
	}
}

ssize_t carrier_take(const struct flow_carrier *c, unsigned int number,
		     uint8_t *message)
{
	switch (carrier_types[c->type].kind) {
	case KIND_HOP:
		return take_hop(c, message);
	case KIND_QUEUE:
		return take_letter(c, message);
	default:
		return take_region(c, number, message);
	}
}

ssize_t carrier_pass(const struct flow_carrier *from,
		     const struct flow_carrier *to, bool copy)
{
	size_t done = 0;
	ssize_t n = 0;

	if (!carrier_types[from->type].pipe)
		return -EINVAL;
	if (copy) {
		if (!carrier_types[to->type].pipe)
			return -EINVAL;
		n = tee(from->take, to->give, MESSAGE_BYTES, 0);
		return n < 0 ? -errno : n;
	}
	if (carrier_types[to->type].kind != KIND_HOP ||
	    !carrier_types[to->type].stream)
		return -EINVAL;
	while (done < MESSAGE_BYTES) {
		n = splice(from->take, NULL, to->give, NULL,
			   MESSAGE_BYTES - done, 0);
		if (n <= 0)
			break;
		done += (size_t)n;
	}
	if (n < 0 && !done)
		return -errno;
	return (ssize_t)done;
}
