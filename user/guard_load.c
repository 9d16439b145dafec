// SPDX-License-Identifier: GPL-2.0-only
/*
 * The one file that knows the skeleton: loads, attaches and pins the guard.
 *
 * The names map says, under a number that no name has, which build was loaded
 * and how many links there are; it is written last, so pins without it are the
 * remains of a load that was cut off.
 */
#include "guard_internal.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

#include <bpf/bpf.h>
#include <bpf/btf.h>
#include <bpf/libbpf.h>

/* The skeleton's type has the name of ours. */
#define guard guard_skeleton
#include "guard.skel.h"
#undef guard

/* ---- what libbpf says ---------------------------------------------------- */

/* libbpf says why on a stream of its own; the end of it is kept for us. */
static char libbpf_said[16384];
static size_t libbpf_said_bytes;

__attribute__((format(printf, 2, 0))) static int
libbpf_print(enum libbpf_print_level level, const char *format, va_list ap)
{
	size_t len, skip, keep;
	char *line;
	int n;

	if (level == LIBBPF_DEBUG)
		return 0;
	n = vasprintf(&line, format, ap);
	if (n <= 0)
		return 0;
	/* Of a verifier's log the end is what matters; so does of all. */
	len = (size_t)n;
	skip = len < sizeof(libbpf_said) ? 0 : len + 1 - sizeof(libbpf_said);
	len -= skip;
	keep = sizeof(libbpf_said) - 1 - len;
	if (libbpf_said_bytes > keep) {
		memmove(libbpf_said, libbpf_said + libbpf_said_bytes - keep,
			keep);
		libbpf_said_bytes = keep;
	}
	memcpy(libbpf_said + libbpf_said_bytes, line + skip, len);
	libbpf_said_bytes += len;
	free(line);
	return 0;
}

void guard_libbpf_listen(void)
{
	libbpf_said_bytes = 0;
	(void)libbpf_set_print(libbpf_print);
}

void guard_libbpf_tell(const struct guard_say *say)
{
	char *line, *next;

	libbpf_said[libbpf_said_bytes] = '\0';
	for (line = libbpf_said; *line; line = next) {
		next = line + strcspn(line, "\n");
		if (*next)
			*next++ = '\0';
		if (*line)
			guard_say(say, GUARD_NOTE, "%s", line);
	}
	libbpf_said_bytes = 0;
}

/* ---- the object ---------------------------------------------------------- */

void guard_build_name(char *buf, size_t size)
{
	const void *elf;
	size_t bytes;

	elf = guard__elf_bytes(&bytes);
	(void)snprintf(buf, size, "%08lx-%zu",
		       crc32_z(0, (const Bytef *)elf, bytes), bytes);
}

static int set_entries(struct bpf_object *object, enum guard_map map,
		       uint32_t entries)
{
	struct bpf_map *m;

	m = bpf_object__find_map_by_name(object, guard_map_forms[map].name);
	if (!m)
		return -ENOENT;
	return bpf_map__set_max_entries(m, entries);
}

static int set_sizes(struct bpf_object *object, uint32_t max_records)
{
	int r;

	r = set_entries(object, MAP_LABELS, max_records);
	if (!r)
		r = set_entries(object, MAP_DERIVED, (max_records + 1) / 2);
	if (!r)
		r = set_entries(object, MAP_TOUCHED, 2 * max_records);
	if (!r)
		r = set_entries(object, MAP_NAMES, REGISTRY_NAMES_MAX + 1);
	return r;
}

static int pin_maps(const struct guard *guard, struct bpf_object *object,
		    const struct guard_say *say)
{
	const char *name;
	struct bpf_map *map;
	char path[GUARD_PIN_CHARS_MAX];
	int r;

	if (mkdir(guard->pin_dir, 0700) < 0 && errno != EEXIST) {
		r = -errno;
		guard_say(say, GUARD_ERROR, "cannot make %s (%s)",
			  guard->pin_dir, strerror(-r));
		return r;
	}
	bpf_object__for_each_map(map, object)
	{
		name = bpf_map__name(map);
		if (strstr(name, ".bss"))
			name = "state";
		else if (bpf_map__is_internal(map))
			continue;
		r = guard_pin_path(guard, "", name, path);
		if (!r)
			r = bpf_map__pin(map, path);
		if (r) {
			guard_libbpf_tell(say);
			guard_say(say, GUARD_ERROR,
				  "cannot pin maps in %s (%s)", guard->pin_dir,
				  strerror(-r));
			return r;
		}
	}
	return 0;
}

static int pin_link(const struct guard *guard, const char *name,
		    struct bpf_program *program, struct bpf_link *link)
{
	char path[GUARD_PIN_CHARS_MAX];
	int r;

	r = guard_pin_path(guard, "link_", name, path);
	if (!r)
		r = bpf_link__pin(link, path);
	/* A pinned link outlives this. */
	(void)bpf_link__destroy(link);
	if (r)
		return r;
	r = guard_pin_path(guard, "prog_", name, path);
	return r ? r : bpf_program__pin(program, path);
}

static int keep_link(struct guard *guard, struct bpf_link *link)
{
	struct bpf_link **links;

	links = reallocarray(guard->own_links, guard->n_own_links + 1,
			     sizeof(struct bpf_link *));
	if (!links) {
		(void)bpf_link__destroy(link);
		return -ENOMEM;
	}
	guard->own_links = links;
	guard->own_links[guard->n_own_links++] = link;
	return 0;
}

static int attach_program(struct guard *guard, struct bpf_program *program,
			  int cgroup, bool unpinned)
{
	struct bpf_link *link;

	if (bpf_program__type(program) == BPF_PROG_TYPE_CGROUP_SKB)
		link = bpf_program__attach_cgroup(program, cgroup);
	else
		link = bpf_program__attach(program);
	if (!link)
		return -errno;
	return unpinned ? keep_link(guard, link)
			: pin_link(guard, bpf_program__name(program), program,
				   link);
}

/* Attaches the programs that are, or are not, second ones; see again.h. */
static int attach_programs(struct guard *guard, struct bpf_object *object,
			   bool second, int cgroup, bool unpinned,
			   size_t *ret_n, const struct guard_say *say)
{
	struct bpf_program *program;
	size_t n = 0;
	int r;

	bpf_object__for_each_program(program, object)
	{
		if (!bpf_program__autoload(program) ||
		    second != !strncmp(bpf_program__name(program), "again_", 6))
			continue;
		r = attach_program(guard, program, cgroup, unpinned);
		if (r) {
			guard_libbpf_tell(say);
			guard_say(
				say, GUARD_ERROR,
				"cannot attach %s (%s); boot a kernel that is "
				"supported (cordond(8), KERNELS)",
				bpf_program__name(program), strerror(-r));
			return r;
		}
		n++;
	}
	*ret_n += n;
	return 0;
}

static int write_marker(struct bpf_object *object, size_t links,
			enum guard_attach attach)
{
	struct name_key key = {0};
	struct name_value value = {0};
	struct bpf_map *map;
	char build[64];

	guard_build_name(build, sizeof(build));
	(void)snprintf(value.text, sizeof(value.text), "%s %zu %s", build,
		       links, attach == GUARD_ATTACH_LSM ? "lsm" : "fmod");
	map = bpf_object__find_map_by_name(object,
					   guard_map_forms[MAP_NAMES].name);
	if (!map)
		return -ENOENT;
	return bpf_map__update_elem(map, &key, sizeof(key), &value,
				    sizeof(value), BPF_ANY);
}

static int load_failed(const struct guard_say *say, int r)
{
	guard_libbpf_tell(say);
	/* EACCES is the verifier's answer to a program it does not follow. */
	if (r == -EPERM && guard_may_load())
		guard_say(say, GUARD_ERROR,
			  "bpf(2) is refused (%s) although this process has "
			  "every capability for it: a container, a seccomp "
			  "filter or lockdown forbids it; run this on the host "
			  "itself",
			  strerror(-r));
	else if (r == -EPERM)
		guard_say(say, GUARD_ERROR,
			  "the kernel refuses the guard (%s); run this as root",
			  strerror(-r));
	else
		guard_say(say, GUARD_ERROR,
			  "the guard cannot be loaded (%s); report this with "
			  "what cordond says before it when it starts",
			  strerror(-r));
	return r;
}

static int check_records(uint32_t max_records, const struct guard_say *say)
{
	if (max_records <= GUARD_RECORDS_MAX)
		return 0;
	guard_say(say, GUARD_ERROR,
		  "%u records are more than the guard can label; give "
		  "--max-records at most %u",
		  max_records, GUARD_RECORDS_MAX);
	return -EINVAL;
}

static int open_cgroup(const char *path, const struct guard_say *say,
		       int *ret_cgroup)
{
	int r;

	r = guard_cgroup2_open(path, ret_cgroup);
	if (r)
		guard_say(say, GUARD_ERROR,
			  "the root of cgroup2 cannot be opened (%s), so "
			  "nothing could meter the network; mount cgroup2 or "
			  "say with --cgroup where it is",
			  strerror(-r));
	return r;
}

static int load_object(const struct guard *guard,
		       const struct guard_options *opts,
		       struct guard_skeleton *skeleton,
		       const struct guard_say *say)
{
	uint32_t max_records = opts->max_records ? opts->max_records
						 : GUARD_RECORDS_DEFAULT;
	bool preempts = guard_preempts();
	int r;

	r = guard_choose(skeleton->obj, guard->attach, preempts, say);
	if (r)
		return r;
	r = set_sizes(skeleton->obj, max_records);
	if (!r)
		r = guard__load(skeleton);
	if (r)
		return load_failed(say, r);
	skeleton->bss->state.abi = CORDON_ABI;
	skeleton->bss->state.again = preempts;
	if (getrandom(&skeleton->bss->state.crossing_seed,
		      sizeof(skeleton->bss->state.crossing_seed), 0) < 0) {
		r = -errno;
		guard_say(say, GUARD_ERROR, "no random number (%s)",
			  strerror(-r));
		return r;
	}
	return 0;
}

static int attach_object(struct guard *guard, struct bpf_object *object,
			 int cgroup, bool unpinned, const struct guard_say *say)
{
	size_t links = 0;
	int r = 0;

	if (!unpinned)
		r = pin_maps(guard, object, say);
	/* The kernel runs them in the opposite order. */
	if (!r)
		r = attach_programs(guard, object, true, cgroup, unpinned,
				    &links, say);
	if (!r)
		r = attach_programs(guard, object, false, cgroup, unpinned,
				    &links, say);
	return r ? r : write_marker(object, links, guard->attach);
}

int guard_load(struct guard *guard, const struct guard_options *opts,
	       const struct guard_say *say)
{
	struct guard_skeleton *skeleton = NULL;
	int cgroup = -1, r;

	r = check_records(opts->max_records, say);
	if (!r)
		r = open_cgroup(opts->cgroup2, say, &cgroup);
	if (r)
		return r;
	guard_libbpf_listen();
	skeleton = guard__open();
	if (skeleton)
		r = load_object(guard, opts, skeleton, say);
	else
		r = load_failed(say, -errno);
	if (!r)
		r = attach_object(guard, skeleton->obj, cgroup, opts->unpinned,
				  say);
	if (!r && opts->unpinned) {
		guard->own = skeleton;
		skeleton = NULL;
	}
	guard__destroy(skeleton);
	if (r && r != -EEXIST && !opts->unpinned)
		(void)guard_detach_pins(guard->pin_dir, NULL);
	(void)close(cgroup);
	return r;
}

/* ---- a guard that is not pinned ------------------------------------------ */

int guard_own_open(const struct guard *guard, const char *name)
{
	const struct bpf_map *map = NULL;
	int fd;

	if (!strcmp(name, "state"))
		map = guard->own->maps.bss;
	else
		map = bpf_object__find_map_by_name(guard->own->obj, name);
	if (!map)
		return -ENOENT;
	fd = fcntl(bpf_map__fd(map), F_DUPFD_CLOEXEC, 0);
	return fd < 0 ? -errno : fd;
}

bool guard_own_has(const struct guard *guard, const char *program)
{
	const struct bpf_program *own;

	own = bpf_object__find_program_by_name(guard->own->obj, program);
	return own && bpf_program__autoload(own);
}

int guard_own_skipped(const struct guard *guard, uint64_t *n)
{
	struct bpf_program *program;
	int r = 0;

	bpf_object__for_each_program(program, guard->own->obj)
	{
		if (!r && bpf_program__autoload(program))
			r = guard_add_skipped(bpf_program__fd(program), n);
	}
	return r;
}

void guard_own_free(struct guard *guard)
{
	for (size_t i = 0; i < guard->n_own_links; i++)
		(void)bpf_link__destroy(guard->own_links[i]);
	free(guard->own_links);
	guard__destroy(guard->own);
}

void guard_forget_object(void)
{
	uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE), from, to;
	size_t size;

	from = (uintptr_t)guard__elf_bytes(&size);
	to = (from + size) & ~(page - 1);
	from = (from + page - 1) & ~(page - 1);
	if (from < to)
		(void)madvise((void *)from, to - from, MADV_DONTNEED);
}
