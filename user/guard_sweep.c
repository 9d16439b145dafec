// SPDX-License-Identifier: GPL-2.0-only
/*
 * Which touched records the guard may forget, before there is no room for
 * more: those that a budget was charged for in a window that is over, and, if
 * the room is needed, those of an origin that can read no more.
 */
#include "guard_internal.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "array.h"
#include "decide.h"
#include "text.h"

/* FILEID_KERNFS of the kernel: a handle of a cgroup is its number alone. */
#define CGROUP_HANDLE 0xfe

/* Touches of older parts than `since` may go. Budgets and origins are numbered
 * together, so that the kind of the scope does not matter. */
struct scope {
	uint32_t serial;
	uint64_t since;
};

struct sweep {
	struct guard *guard;
	uint64_t now_ns;
	struct scope *scopes;
	size_t n;
	uint32_t *sessions; /* of all processes */
	size_t n_sessions;
	int cgroup;
	uint64_t swept;
};

static int add_scope(struct sweep *s, uint32_t serial, uint64_t since)
{
	struct scope *scopes;

	scopes = array_grow(s->scopes, s->n, sizeof(*scopes));
	if (!scopes)
		return -ENOMEM;
	s->scopes = scopes;
	s->scopes[s->n++] = (struct scope){.serial = serial, .since = since};
	return 0;
}

static int add_session(struct sweep *s, uint32_t session)
{
	uint32_t *sessions;

	sessions = array_grow(s->sessions, s->n_sessions, sizeof(*sessions));
	if (!sessions)
		return -ENOMEM;
	s->sessions = sessions;
	s->sessions[s->n_sessions++] = session;
	return 0;
}

static int sweep_budget(const void *key, const void *value, void *arg)
{
	struct sweep *s = arg;
	struct budget budget;
	uint64_t part;

	(void)key;
	memcpy(&budget, value, sizeof(budget));
	part = budget.window.part_ns ? s->now_ns / budget.window.part_ns : 0;
	return add_scope(s, budget.serial,
			 part < WINDOW_RING ? 0 : part - WINDOW_RING);
}

/* ---- origins that can read no more -------------------------------------- */

static int session_cmp(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return x < y ? -1 : x > y;
}

/* The login session of a process; -ENOENT if it has ended. */
static int session_of(int proc, const char *pid, uint32_t *ret_session)
{
	char path[64], text[32];
	uint64_t number;
	ssize_t n;
	int fd, r;

	r = snprintf(path, sizeof(path), "%s/sessionid", pid);
	if (r < 0 || (size_t)r >= sizeof(path))
		return -ENAMETOOLONG;
	fd = openat(proc, path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	n = read(fd, text, sizeof(text) - 1);
	r = n < 0 ? -errno : 0;
	(void)close(fd);
	if (r)
		return r == -ESRCH ? -ENOENT : r;
	text[n] = '\0';
	r = text_parse_u64(text, 0, UINT32_MAX, &number);
	if (!r)
		*ret_session = (uint32_t)number;
	return r;
}

static int list_sessions(struct sweep *s)
{
	struct dirent *entry;
	uint32_t session;
	DIR *proc;
	int r;

	proc = opendir("/proc");
	if (!proc)
		return -errno;
	/* A kernel without audit numbers has no sessions to look for. */
	r = session_of(dirfd(proc), "self", &session);
	while (!r && (entry = readdir(proc))) {
		if (!isdigit((unsigned char)entry->d_name[0]))
			continue;
		r = session_of(dirfd(proc), entry->d_name, &session);
		if (!r)
			r = add_session(s, session);
		else if (r == -ENOENT)
			r = 0;
	}
	(void)closedir(proc);
	if (!r)
		qsort(s->sessions, s->n_sessions, sizeof(*s->sessions),
		      session_cmp);
	return r;
}

static bool session_lives(const struct sweep *s, uint64_t id)
{
	uint32_t session = (uint32_t)id;

	return bsearch(&session, s->sessions, s->n_sessions, sizeof(session),
		       session_cmp) != NULL;
}

/* Numbers of cgroups are not used again. */
static bool cgroup_lives(const struct sweep *s, uint64_t id)
{
	union {
		struct file_handle handle;
		char room[sizeof(struct file_handle) + sizeof(id)];
	} is = {.handle = {.handle_bytes = sizeof(id),
			   .handle_type = CGROUP_HANDLE}};
	int fd;

	memcpy(is.handle.f_handle, &id, sizeof(id));
	fd = open_by_handle_at(s->cgroup, &is.handle, O_PATH | O_CLOEXEC);
	if (fd < 0)
		return errno != ESTALE;
	(void)close(fd);
	return true;
}

/*
 * If one is missed, because its session went on in a process that was made
 * behind the walk over them, its records count twice for it: more than the
 * truth, never less.
 */
static int sweep_origin(uint32_t number, const struct origin *origin, void *arg)
{
	struct sweep *s = arg;
	bool lives;

	/* The last place is many origins; a new one may not be in the list. */
	if (number == CORDON_ORIGIN_REST || origin->first_ns >= s->now_ns)
		return 0;
	if (origin->key.kin == KIN_SESSION)
		lives = session_lives(s, origin->key.id);
	else
		lives = cgroup_lives(s, origin->key.id);
	return lives ? 0 : add_scope(s, origin->serial, UINT64_MAX);
}

static int sweep_origins(struct sweep *s)
{
	int r;

	r = guard_cgroup2_open(NULL, &s->cgroup);
	if (!r)
		r = list_sessions(s);
	if (!r)
		r = guard_each_origin(s->guard, sweep_origin, s);
	return r;
}

/* ---- touches ------------------------------------------------------------ */

static int scope_cmp(const void *a, const void *b)
{
	const struct scope *x = a, *y = b;

	return x->serial < y->serial ? -1 : x->serial > y->serial;
}

static int sweep_touch(const void *key, const void *value, void *arg)
{
	const struct touch_key *k = key;
	const struct touch *touch = value;
	struct sweep *s = arg;
	struct scope *scope, wanted = {.serial = k->scope};

	scope = s->n ? bsearch(&wanted, s->scopes, s->n, sizeof(wanted),
			       scope_cmp)
		     : NULL;
	if (!scope || touch->part >= scope->since)
		return 0;
	if (!guard_map_delete(s->guard, MAP_TOUCHED, key))
		s->swept++;
	return 0;
}

uint32_t guard_touches_max(const struct guard *guard)
{
	return guard->touches_max;
}

int guard_sweep(struct guard *guard, uint64_t *ret_swept)
{
	struct sweep s = {
		.guard = guard, .now_ns = guard_boot_ns(), .cgroup = -1};
	int r, walked;

	r = guard_map_each(guard, MAP_BUDGETS, sweep_budget, &s);
	/* What an origin read stays in the list as long as there is room. */
	if (!r && guard->state->touches > guard->touches_max / 2)
		r = sweep_origins(&s);
	if (s.n)
		qsort(s.scopes, s.n, sizeof(*s.scopes), scope_cmp);
	walked = guard_map_each(guard, MAP_TOUCHED, sweep_touch, &s);
	(void)__atomic_sub_fetch(&guard->state->touches, (uint32_t)s.swept,
				 __ATOMIC_RELAXED);
	if (s.cgroup >= 0)
		(void)close(s.cgroup);
	free(s.sessions);
	free(s.scopes);
	if (!r)
		r = walked;
	if (!r && ret_swept)
		*ret_swept = s.swept;
	return r;
}

int guard_sweep_crossings(struct guard *guard)
{
	return guard_iterate(guard, "crossing_sweep");
}
