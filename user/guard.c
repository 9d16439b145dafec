// SPDX-License-Identifier: GPL-2.0-only
/*
 * Opening a guard: a pinned one is adopted. A load pins everything and then
 * takes the same way in as an adoption, so there is one way only.
 */
#include "guard_internal.h"

#include <errno.h>
#include <linux/magic.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

void guard_say(const struct guard_say *say, enum guard_level level,
	       const char *format, ...)
{
	char text[GUARD_TEXT_CHARS_MAX];
	va_list ap;

	if (!say || !say->fn)
		return;
	va_start(ap, format);
	(void)vsnprintf(text, sizeof(text), format, ap);
	va_end(ap);
	say->fn(level, text, say->arg);
}

/* ---- events -------------------------------------------------------------- */

/*
 * Stops after so many, whose room is given back: who makes events without end
 * shall not keep the agent from all else. What the callback says stops nothing.
 */
static int on_event(void *arg, void *data, size_t bytes)
{
	struct guard *guard = arg;
	int r;

	if (bytes >= sizeof(struct event) && guard->event_fn) {
		r = guard->event_fn(data, guard->event_arg);
		if (r && !guard->event_error)
			guard->event_error = r;
	}
	return ++guard->events_taken < GUARD_EVENTS_AT_ONCE ? 0 : -ECANCELED;
}

int guard_events_fd(const struct guard *guard)
{
	return ring_buffer__epoll_fd(guard->ring);
}

int guard_events(struct guard *guard, guard_event_fn fn, void *arg)
{
	int r;

	guard->event_fn = fn;
	guard->event_arg = arg;
	guard->event_error = 0;
	guard->events_taken = 0;
	r = ring_buffer__consume(guard->ring);
	guard->event_fn = NULL;
	if (guard->event_error)
		return guard->event_error;
	return r == -ECANCELED ? GUARD_EVENTS_AT_ONCE : r;
}

/* ---- adopting ------------------------------------------------------------ */

static int bad_pin(const struct guard *guard, const char *name,
		   const char *what, const struct guard_say *say)
{
	guard_say(say, GUARD_ERROR,
		  "the pinned guard is damaged: %s/%s %s; stop what uses the "
		  "datasets, remove the rest with cordond --detach and start "
		  "again",
		  guard->pin_dir, name, what);
	return -EUCLEAN;
}

/* Opens the pin of a map and compares its form; 0: of any size. */
static int open_pin(struct guard *guard, const char *name, uint32_t key_bytes,
		    uint32_t value_bytes, int *ret_fd,
		    struct bpf_map_info *ret_info, const struct guard_say *say)
{
	struct bpf_map_info info = {0};
	uint32_t len = sizeof(info);
	char path[GUARD_PIN_CHARS_MAX];
	int fd, r;

	r = guard_pin_path(guard, "", name, path);
	if (r)
		return r;
	fd = guard->own ? guard_own_open(guard, name) : bpf_obj_get(path);
	if (fd < 0) {
		if (fd == -EPERM || fd == -EACCES) {
			guard_say(say, GUARD_ERROR,
				  "%s may not be opened (%s); the agent needs "
				  "root",
				  path, strerror(-fd));
			return -EPERM;
		}
		return bad_pin(
			guard, name,
			fd == -ENOENT ? "is missing" : "cannot be opened", say);
	}
	if (bpf_obj_get_info_by_fd(fd, &info, &len) ||
	    (key_bytes && info.key_size != key_bytes) ||
	    (value_bytes && info.value_size != value_bytes)) {
		(void)close(fd);
		return bad_pin(guard, name, "is not the map it should be", say);
	}
	*ret_info = info;
	*ret_fd = fd;
	return 0;
}

int guard_map_tables(struct guard *guard, struct guard_state **ret_state,
		     const struct guard_say *say)
{
	struct bpf_map_info info;
	struct guard_state *state;
	int fd, r;

	r = open_pin(guard, "state", 4, sizeof(*state), &fd, &info, say);
	if (r)
		return r;
	state = mmap(NULL, sizeof(*state), PROT_READ | PROT_WRITE, MAP_SHARED,
		     fd, 0);
	(void)close(fd);
	if (state == MAP_FAILED)
		return bad_pin(guard, "state", "cannot be mapped", say);
	*ret_state = state;
	return 0;
}

/* Its tables, more than a megabyte, are mapped only by who writes to them. */
static int map_state(struct guard *guard, const struct guard_say *say)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE);
	size_t bytes = offsetof(struct guard_state, grown);
	struct bpf_map_info info;
	struct guard_state *state;
	uint32_t abi;
	int fd, r;

	r = open_pin(guard, "state", 4, 0, &fd, &info, say);
	if (r)
		return r;
	/* Of another abi only the first word is where it was. */
	state = mmap(NULL, page, PROT_READ, MAP_SHARED, fd, 0);
	if (state == MAP_FAILED || info.value_size < sizeof(abi)) {
		(void)close(fd);
		return bad_pin(guard, "state", "cannot be mapped", say);
	}
	abi = state->abi;
	(void)munmap(state, page);
	if (abi != CORDON_ABI) {
		(void)close(fd);
		guard_say(say, GUARD_ERROR,
			  "a guard of another version runs (layout %u, this "
			  "agent knows %u) and goes on protecting; start the "
			  "agent it came with, or end it with cordond --detach "
			  "or a boot while nothing uses the datasets and start "
			  "this one",
			  abi, CORDON_ABI);
		return -EEXIST;
	}
	if (info.value_size != sizeof(*guard->state)) {
		(void)close(fd);
		return bad_pin(guard, "state", "has another size", say);
	}
	state = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	(void)close(fd);
	if (state == MAP_FAILED)
		return bad_pin(guard, "state", "cannot be mapped", say);
	guard->state = state;
	guard->state_bytes = bytes;
	return 0;
}

uint64_t guard_pinned_trust(const char *pin_dir)
{
	size_t bytes = offsetof(struct guard_state, grown);
	struct bpf_map_info info = {0};
	uint32_t len = sizeof(info);
	struct guard_state *state;
	uint64_t version = 0;
	char path[GUARD_PIN_CHARS_MAX];
	int fd;

	(void)snprintf(path, sizeof(path), "%s/state",
		       pin_dir ? pin_dir : CORDON_PIN_DIR);
	fd = bpf_obj_get(path);
	if (fd < 0)
		return 0;
	if (bpf_obj_get_info_by_fd(fd, &info, &len) ||
	    info.value_size != sizeof(*state))
		goto out;
	state = mmap(NULL, bytes, PROT_READ, MAP_SHARED, fd, 0);
	if (state == MAP_FAILED)
		goto out;
	if (state->abi == CORDON_ABI)
		version = state->remembered.trust_version;
	(void)munmap(state, bytes);
out:
	(void)close(fd);
	return version;
}

static int check_marker(struct guard *guard, const struct guard_say *say)
{
	struct name_key key = {0};
	struct name_value value = {0};
	char own[64], build[64], attach[8];
	size_t links, found;
	int r;

	r = guard_map_lookup(guard, MAP_NAMES, &key, &value);
	value.text[sizeof(value.text) - 1] = '\0';
	if (r || sscanf(value.text, "%63s %zu %7s", build, &links, attach) != 3)
		return bad_pin(guard, guard_map_forms[MAP_NAMES].name,
			       "is not complete, so a start was cut off", say);
	r = 0;
	found = guard->n_own_links;
	if (!guard->own)
		r = guard_pins_count(guard->pin_dir, "link_", &found);
	if (r || found != links)
		return bad_pin(guard, "link_*", "are not all there", say);
	guard->attach = strcmp(attach, "lsm") ? GUARD_ATTACH_FMOD
					      : GUARD_ATTACH_LSM;
	guard_build_name(own, sizeof(own));
	if (strcmp(own, build)) {
		guard_say(
			say, GUARD_ERROR,
			"a guard of another build is pinned (%s, this agent "
			"has %s) and goes on protecting; start the agent it "
			"came with, or end it with cordond --detach or a boot "
			"while nothing uses the datasets and start this one",
			build, own);
		return -ESTALE;
	}
	return 0;
}

static int read_name(const void *key, const void *value, void *arg)
{
	const struct name_key *k = key;
	const struct name_value *v = value;
	struct guard *guard = arg;
	char text[sizeof(v->text)];
	int r;

	if (!k->kind)
		return 0;
	memcpy(text, v->text, sizeof(text));
	text[sizeof(text) - 1] = '\0';
	/* Two numbers of one name, or a name of no kind, is damage: what was
	 * counted under one of them would be another's. */
	r = registry_add(&guard->names, k->kind, k->id, text);
	return r && r != -ENOMEM ? -EUCLEAN : r;
}

static int adopt(struct guard *guard, const struct guard_say *say)
{
	struct bpf_map_info info;
	enum guard_map i;
	int r;

	r = map_state(guard, say);
	if (r)
		return r;
	for (i = 0; i < MAP_COUNT; i++) {
		r = open_pin(guard, guard_map_forms[i].name,
			     guard_map_forms[i].key_bytes,
			     guard_map_forms[i].value_bytes, &guard->fds[i],
			     &info, say);
		if (r)
			return r;
		if (i == MAP_TOUCHED)
			guard->touches_max = info.max_entries;
	}
	r = check_marker(guard, say);
	if (r)
		return r;
	r = guard_map_each(guard, MAP_NAMES, read_name, guard);
	if (r == -EUCLEAN)
		return bad_pin(guard, guard_map_forms[MAP_NAMES].name,
			       "has two numbers for one name, or a name of no "
			       "kind",
			       say);
	if (r) {
		guard_say(say, GUARD_ERROR,
			  "the names in %s cannot be read "
			  "(%s)",
			  guard->pin_dir, strerror(-r));
		return r;
	}
	guard->ring =
		ring_buffer__new(guard->fds[MAP_EVENTS], on_event, guard, NULL);
	if (!guard->ring) {
		r = -errno;
		guard_say(say, GUARD_ERROR,
			  "the guard's events cannot be read (%s)",
			  strerror(-r));
		return r;
	}
	return 0;
}

/* ---- opening ------------------------------------------------------------- */

static int mount_bpffs(const struct guard *guard, const struct guard_say *say)
{
	struct statfs fs;
	int r;

	if (strncmp(guard->pin_dir, "/sys/fs/bpf/", 12))
		return 0;
	if (statfs("/sys/fs/bpf", &fs) < 0 ||
	    ((uint32_t)fs.f_type != (uint32_t)BPF_FS_MAGIC &&
	     mount("bpf", "/sys/fs/bpf", "bpf",
		   MS_NOSUID | MS_NODEV | MS_NOEXEC, "mode=700") < 0)) {
		r = -errno;
		guard_say(say, GUARD_ERROR,
			  "/sys/fs/bpf is no bpf file system and cannot be "
			  "made one (%s); mount -t bpf bpf /sys/fs/bpf",
			  strerror(-r));
		return r;
	}
	return 0;
}

static int set_pin_dir(struct guard *guard, const char *pin_dir,
		       const struct guard_say *say)
{
	int n;

	n = snprintf(guard->pin_dir, sizeof(guard->pin_dir), "%s",
		     pin_dir ? pin_dir : CORDON_PIN_DIR);
	if (n >= 0 && (size_t)n < sizeof(guard->pin_dir))
		return 0;
	guard_say(say, GUARD_ERROR,
		  "%s is too long a name to pin the guard in; give --pin-dir "
		  "one of at most %zu bytes",
		  pin_dir, sizeof(guard->pin_dir) - 1);
	return -ENAMETOOLONG;
}

/* How much is pinned; 0: nothing is, so there is no guard yet. */
static int find_pins(const struct guard *guard, const struct guard_say *say,
		     size_t *ret_pins)
{
	int r;

	r = mount_bpffs(guard, say);
	if (r)
		return r;
	r = guard_pins_count(guard->pin_dir, "", ret_pins);
	if (r)
		guard_say(say, GUARD_ERROR, "%s cannot be read (%s)",
			  guard->pin_dir, strerror(-r));
	return r;
}

/* Chooses how to attach, if that is left to us. */
static int look_at_kernel(struct guard *guard, enum guard_attach attach,
			  const struct guard_say *say)
{
	struct guard_probe *probe = malloc(sizeof(*probe));
	int r;

	r = probe ? guard_probe(probe) : -ENOMEM;
	/* The verifier would say it, in words that nobody knows. */
	if (!r && !strcmp(probe->lockdown, "confidentiality")) {
		guard_say(say, GUARD_ERROR,
			  "the kernel is locked down for confidentiality, "
			  "which forbids programs that read its memory; boot "
			  "with lockdown=integrity");
		r = -EOPNOTSUPP;
	}
	if (!r)
		guard->attach = attach == GUARD_ATTACH_AUTO ? probe->attach
							    : attach;
	free(probe);
	return r;
}

static int begin_watch(struct guard *guard, const struct guard_say *say)
{
	int r;

	r = watch_new(&guard->watch);
	if (r)
		guard_say(say, GUARD_ERROR,
			  "changes of paths cannot be watched (%s); raise "
			  "fs.inotify.max_user_instances",
			  strerror(-r));
	return r;
}

/* The way in that a guard that was loaded and one that was found share. */
static int enter(struct guard *guard, bool loaded, const struct guard_say *say)
{
	int r;

	r = adopt(guard, say);
	guard_forget_object();
	if (!r && loaded)
		r = guard_spare_label(guard);
	if (!r)
		r = begin_watch(guard, say);
	if (!r)
		__atomic_store_n(&guard->state->agent, (uint32_t)getpid(),
				 __ATOMIC_RELEASE);
	return r;
}

int guard_open(const struct guard_options *opts, const struct guard_say *say,
	       struct guard **ret_guard, bool *ret_adopted)
{
	static const struct guard_options defaults;
	struct guard *guard;
	bool loaded = false;
	size_t pins = 0;
	int r;

	if (!opts)
		opts = &defaults;
	guard = calloc(1, sizeof(*guard));
	if (!guard)
		return -ENOMEM;
	for (int i = 0; i < MAP_COUNT; i++)
		guard->fds[i] = -1;
	guard_libbpf_listen();
	r = set_pin_dir(guard, opts->pin_dir, say);
	if (!r && !opts->unpinned)
		r = find_pins(guard, say, &pins);
	if (!r && !pins)
		r = look_at_kernel(guard, opts->attach, say);
	if (!r && !pins) {
		r = guard_load(guard, opts, say);
		loaded = !r;
	}
	if (!r)
		r = enter(guard, loaded, say);
	/* It has no policy, and no agent: nobody shall take it for a guard. */
	if (r && loaded && !opts->unpinned)
		(void)guard_detach_pins(guard->pin_dir, say);
	if (r) {
		guard_close(guard);
		return r;
	}
	if (ret_adopted)
		*ret_adopted = !loaded;
	*ret_guard = guard;
	return 0;
}

void guard_close(struct guard *guard)
{
	enum guard_map i;

	if (!guard)
		return;
	if (guard->state) {
		if (guard->state->agent == (uint32_t)getpid())
			__atomic_store_n(&guard->state->agent, 0,
					 __ATOMIC_RELEASE);
		(void)munmap(guard->state, guard->state_bytes);
	}
	ring_buffer__free(guard->ring);
	for (i = 0; i < MAP_COUNT; i++)
		if (guard->fds[i] >= 0)
			(void)close(guard->fds[i]);
	guard_own_free(guard);
	watch_free(guard->watch);
	guard_policy_release(guard);
	registry_release(&guard->names);
	free(guard);
}

enum guard_attach guard_attached(const struct guard *guard)
{
	return guard->attach;
}

const struct guard_state *guard_state(const struct guard *guard)
{
	return guard->state;
}
