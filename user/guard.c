// SPDX-License-Identifier: GPL-2.0-only
/*
 * The one file that knows libbpf and the skeleton: loading, attaching and
 * pinning the guard, adopting a pinned one, and its maps.
 *
 * A load pins everything and then takes the same way in as an adoption, so
 * there is one way only. The names map says, under a number that no name has,
 * which build was loaded and how many links there are; it is written last,
 * so pins without it are the remains of a load that was cut off.
 */
#include "guard_internal.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/magic.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <time.h>
#include <unistd.h>
#include <zlib.h>

#include <bpf/bpf.h>
#include <bpf/btf.h>
#include <bpf/libbpf.h>

/* The skeleton's type has the name of ours. */
#define guard guard_skeleton
#include "guard.skel.h"
#undef guard

#define N_ELEMENTS(a) (sizeof(a) / sizeof((a)[0]))

/* Entries of a hash that one call reads; grows when a bucket has more. */
#define BATCH 512U

struct map_form {
	const char *name;
	uint32_t key_bytes;
	uint32_t value_bytes;
	bool locked; /* its values begin with a spin lock */
};

static const struct map_form forms[MAP_COUNT] = {
	[MAP_LABELS] = {"labels", sizeof(struct file_key), sizeof(struct label),
			false},
	[MAP_AWAITED] = {"awaited", sizeof(struct awaited_key),
			 sizeof(struct label), false},
	[MAP_RULES] = {"rules", 4, sizeof(struct rule), false},
	[MAP_RELEASES] = {"releases", 4, sizeof(struct release), false},
	[MAP_DATASETS] = {"datasets", 4, sizeof(struct dataset_rules), false},
	[MAP_DIMS] = {"dims", 4, sizeof(struct subject_dims), false},
	[MAP_INTAKES] = {"intakes", 4, sizeof(struct intake), false},
	[MAP_QUIET_FILES] = {"quiet_files", 4, sizeof(struct intake), false},
	[MAP_SUBJECTS] = {"subjects", sizeof(struct subject_key),
			  sizeof(struct subject_set), false},
	[MAP_CGROUPS] = {"cgroups", sizeof(struct cgroup_key),
			 sizeof(struct cgroup_node), false},
	[MAP_DESTS] = {"dests", sizeof(struct dest_key),
		       sizeof(struct dest_value), false},
	[MAP_WAYS] = {"ways", sizeof(struct way_key), 4, false},
	[MAP_BUDGETS] = {"budgets", sizeof(struct budget_key),
			 sizeof(struct budget), true},
	[MAP_PROCESSES] = {"processes", 4, sizeof(struct process), false},
	[MAP_HOLDINGS] = {"holdings", 8, sizeof(struct holding), true},
	[MAP_CHARGES] = {"charges", 8, sizeof(struct charges), true},
	[MAP_CARRIERS] = {"carriers", 8, sizeof(struct carrier), false},
	[MAP_CROSSINGS] = {"crossings", 8, sizeof(struct crossing), false},
	[MAP_COMMONS] = {"commons", 4, sizeof(struct commons), false},
	[MAP_SHARERS] = {"sharers", 4, 4, false},
	[MAP_SHARED_FILES] = {"shared", 8, sizeof(struct sharing), false},
	[MAP_DERIVED] = {"derived", sizeof(struct file_key),
			 sizeof(struct carrier), false},
	[MAP_ORIGINS] = {"origins", 4, sizeof(struct origin), false},
	[MAP_ORIGIN_OF] = {"origin_of", sizeof(struct origin_key), 4, false},
	[MAP_TOUCHED] = {"touched", sizeof(struct touch_key),
			 sizeof(struct touch), false},
	[MAP_STEPS] = {"steps", 4, sizeof(struct step), false},
	[MAP_LEDGER] = {"ledger", 4, sizeof(struct ledger), false},
	[MAP_LEDGER_OF] = {"ledger_of", sizeof(struct ledger_key), 4, false},
	[MAP_EVENTS] = {"events", 0, 0, false},
	[MAP_BARRIER] = {"barrier", 4, 4, false},
	[MAP_NAMES] = {"names", sizeof(struct name_key),
		       sizeof(struct name_value), false},
};

/* What a kernel may lack because it does the same thing another way; fexit
 * programs too, which only ever correct a charge downwards. */
static const char *const optional[] = {
	"fentry_inet_sendpage",	    "again_inet_sendpage",
	"fentry_unix_sendpage",	    "again_unix_sendpage",
	"lsm_file_ioctl_compat",    "fmod_file_ioctl_compat",
	"again_file_ioctl_compat",  "hop_pipe_read",
	"again_hop_pipe_read",	    "hop_anon_pipe_read",
	"again_hop_anon_pipe_read", "hop_trace_compat",
	"again_hop_trace_compat",   "hop_sync_msg_ring",
	"again_hop_sync_msg_ring",
};

/* A function that has another name on some kernels: one of them is needed. */
static const char *const either[][2] = {
	{"hop_pipe_read", "hop_anon_pipe_read"},
};

/* ---- words ------------------------------------------------------------- */

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

static void libbpf_listen(void)
{
	libbpf_said_bytes = 0;
	(void)libbpf_set_print(libbpf_print);
}

/* Passes on what libbpf said, a line each. */
static void libbpf_tell(const struct guard_say *say)
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

/* ---- maps -------------------------------------------------------------- */

int guard_map_lookup(const struct guard *guard, enum guard_map map,
		     const void *key, void *ret_value)
{
	uint64_t flags = forms[map].locked ? BPF_F_LOCK : 0;

	if (bpf_map_lookup_elem_flags(guard->fds[map], key, ret_value, flags))
		return -errno;
	return 0;
}

int guard_map_update(struct guard *guard, enum guard_map map, const void *key,
		     const void *value)
{
	if (bpf_map_update_elem(guard->fds[map], key, value, BPF_ANY))
		return -errno;
	return 0;
}

int guard_map_write(struct guard *guard, enum guard_map map, const void *keys,
		    const void *values, size_t n)
{
	const char *key = keys, *value = values;
	uint32_t count;

	for (; n; n -= count) {
		count = n < BATCH ? (uint32_t)n : BATCH;
		if (bpf_map_update_batch(guard->fds[map], key, value, &count,
					 NULL))
			return -errno;
		key += count * forms[map].key_bytes;
		value += count * forms[map].value_bytes;
	}
	return 0;
}

int guard_map_write_from(struct guard *guard, enum guard_map map,
			 uint32_t first, const void *values, size_t n)
{
	uint32_t *keys = reallocarray(NULL, n ? n : 1, sizeof(*keys));
	int r;

	if (!keys)
		return -ENOMEM;
	for (size_t i = 0; i < n; i++)
		keys[i] = first + (uint32_t)i;
	r = guard_map_write(guard, map, keys, values, n);
	free(keys);
	return r;
}

int guard_map_delete(struct guard *guard, enum guard_map map, const void *key)
{
	if (bpf_map_delete_elem(guard->fds[map], key) && errno != ENOENT)
		return -errno;
	return 0;
}

/* A trie has no batches, but a next key. */
static int each_of_trie(int fd, const struct map_form *form, guard_entry_fn fn,
			void *arg)
{
	unsigned char key[64], next[64], value[256];
	const void *from = NULL;
	int r;

	if (form->key_bytes > sizeof(key) || form->value_bytes > sizeof(value))
		return -EINVAL;
	while (!bpf_map_get_next_key(fd, from, next)) {
		memcpy(key, next, form->key_bytes);
		from = key;
		if (bpf_map_lookup_elem(fd, key, value))
			continue;
		r = fn(key, value, arg);
		if (r)
			return r;
	}
	return errno == ENOENT ? 0 : -errno;
}

/*
 * By batches: the next key of one that was deleted is the first again, but a
 * batch ends with a whole bucket.
 */
static int each_of_hash(int fd, const struct map_form *form, guard_entry_fn fn,
			void *arg)
{
	LIBBPF_OPTS(bpf_map_batch_opts, opts,
		    .elem_flags = form->locked ? BPF_F_LOCK : 0);
	uint32_t size = BATCH, count, i;
	char *keys = NULL, *values = NULL, *p;
	uint32_t cursor[2] = {0, 0};
	bool begun = false, last;
	int r, e;

	for (;;) {
		p = reallocarray(keys, size, form->key_bytes);
		if (!p) {
			r = -ENOMEM;
			break;
		}
		keys = p;
		p = reallocarray(values, size, form->value_bytes);
		if (!p) {
			r = -ENOMEM;
			break;
		}
		values = p;

		count = size;
		e = 0;
		if (bpf_map_lookup_batch(fd, begun ? &cursor[0] : NULL,
					 &cursor[1], keys, values, &count,
					 &opts))
			e = errno;
		if (e == ENOSPC) {
			size *= 2;
			continue;
		}
		if (e && e != ENOENT) {
			r = -e;
			break;
		}
		last = e == ENOENT;
		r = 0;
		for (i = 0; i < count && !r; i++)
			r = fn(keys + (size_t)i * form->key_bytes,
			       values + (size_t)i * form->value_bytes, arg);
		if (r || last)
			break;
		cursor[0] = cursor[1];
		begun = true;
	}
	free(keys);
	free(values);
	return r;
}

int guard_map_each(const struct guard *guard, enum guard_map map,
		   guard_entry_fn fn, void *arg)
{
	if (map == MAP_DESTS)
		return each_of_trie(guard->fds[map], &forms[map], fn, arg);
	return each_of_hash(guard->fds[map], &forms[map], fn, arg);
}

int guard_barrier(struct guard *guard)
{
	uint32_t zero = 0;
	int fd, r = 0;

	fd = bpf_map_create(BPF_MAP_TYPE_ARRAY, "cordon_barrier", 4, 4, 1,
			    NULL);
	if (fd < 0)
		return fd;
	/* The kernel waits for a grace period before this returns. */
	if (bpf_map_update_elem(guard->fds[MAP_BARRIER], &zero, &fd, BPF_ANY))
		r = -errno;
	(void)close(fd);
	return r;
}

/* ---- kernel types ------------------------------------------------------ */

int guard_btf_load(void **ret_btf)
{
	struct btf *btf;

	libbpf_listen();
	btf = btf__load_vmlinux_btf();
	if (!btf)
		return -errno;
	*ret_btf = btf;
	return 0;
}

void guard_btf_free(void *btf)
{
	btf__free(btf);
}

bool guard_btf_has_function(const void *btf, const char *name)
{
	return btf__find_by_name_kind(btf, name, BTF_KIND_FUNC) > 0;
}

bool guard_btf_has_tracepoint(const void *btf, const char *name)
{
	char type[128];

	(void)snprintf(type, sizeof(type), "btf_trace_%s", name);
	return btf__find_by_name_kind(btf, type, BTF_KIND_TYPEDEF) > 0;
}

/* ---- pins -------------------------------------------------------------- */

static int pin_path(const struct guard *guard, const char *kind,
		    const char *name, char path[512])
{
	int n;

	n = snprintf(path, 512, "%s/%s%s", guard->pin_dir, kind, name);
	return n < 0 || n >= 512 ? -ENAMETOOLONG : 0;
}

/* How many pins begin with prefix; 0 also if there is no directory. */
static int pins_count(const char *pin_dir, const char *prefix, size_t *ret_n)
{
	const struct dirent *entry;
	size_t n = 0;
	DIR *dir;

	dir = opendir(pin_dir);
	if (!dir && errno != ENOENT)
		return -errno;
	while (dir && (entry = readdir(dir)))
		if (entry->d_name[0] != '.' &&
		    !strncmp(entry->d_name, prefix, strlen(prefix)))
			n++;
	if (dir)
		(void)closedir(dir);
	*ret_n = n;
	return 0;
}

/*
 * Unlinks every pin: first the links, for they are what denies, and at last
 * the maps that the programs need.
 */
int guard_detach_pins(const char *pin_dir, const struct guard_say *say)
{
	static const char *const order[] = {"link_", "prog_", ""};
	const struct dirent *entry;
	int r = 0, first = 0;
	size_t i;
	DIR *dir;

	if (!pin_dir)
		pin_dir = CORDON_PIN_DIR;
	for (i = 0; i < N_ELEMENTS(order); i++) {
		dir = opendir(pin_dir);
		if (!dir && errno == ENOENT)
			return 0;
		if (!dir) {
			r = -errno;
			guard_say(say, GUARD_ERROR,
				  "cannot open %s to detach the guard (%s)",
				  pin_dir, strerror(-r));
			return r;
		}
		while ((entry = readdir(dir))) {
			if (entry->d_name[0] == '.' ||
			    strncmp(entry->d_name, order[i], strlen(order[i])))
				continue;
			if (!unlinkat(dirfd(dir), entry->d_name, 0))
				continue;
			r = -errno;
			first = first ? first : r;
			guard_say(say, GUARD_ERROR,
				  "cannot unlink %s/%s (%s); the guard may "
				  "still be attached",
				  pin_dir, entry->d_name, strerror(-r));
		}
		(void)closedir(dir);
	}
	if (!first && rmdir(pin_dir) < 0)
		first = -errno;
	return first;
}

int guard_detach(struct guard *guard, const struct guard_say *say)
{
	return guard_detach_pins(guard->pin_dir, say);
}

bool guard_is_attached(const struct guard *guard, const char *program)
{
	const struct bpf_program *own;
	char path[512];

	if (guard->own) {
		own = bpf_object__find_program_by_name(guard->own->obj,
						       program);
		return own && bpf_program__autoload(own);
	}
	return !pin_path(guard, "link_", program, path) && !access(path, F_OK);
}

int guard_iterate(const struct guard *guard, const char *program)
{
	char path[512], nothing[64];
	int r, link, iter = -1;
	ssize_t n;

	r = pin_path(guard, "link_", program, path);
	if (r)
		return r;
	link = bpf_obj_get(path);
	if (link < 0)
		return -errno;
	iter = bpf_iter_create(link);
	r = iter < 0 ? -errno : 0;
	(void)close(link);
	if (r)
		return r;
	do
		n = read(iter, nothing, sizeof(nothing));
	while (n > 0 || (n < 0 && errno == EAGAIN));
	r = n < 0 ? -errno : 0;
	(void)close(iter);
	return r;
}

/* ---- loading ----------------------------------------------------------- */

/* The guard that this program carries. A check against mix-ups, no more. */
static void build_name(char *buf, size_t size)
{
	const void *elf;
	size_t bytes;

	elf = guard__elf_bytes(&bytes);
	(void)snprintf(buf, size, "%08lx-%zu",
		       crc32_z(0, (const Bytef *)elf, bytes), bytes);
}

static bool has_prefix(const char *s, const char *prefix, const char **ret_rest)
{
	size_t len = strlen(prefix);

	if (strncmp(s, prefix, len))
		return false;
	*ret_rest = s + len;
	return true;
}

/* Does the kernel have what the program attaches to? */
static bool target_exists(const void *btf, const char *section)
{
	const char *target;
	char name[128];

	if (has_prefix(section, "lsm/", &target)) {
		(void)snprintf(name, sizeof(name), "bpf_lsm_%s", target);
		return guard_btf_has_function(btf, name);
	}
	if (has_prefix(section, "tp_btf/", &target))
		return guard_btf_has_tracepoint(btf, target);
	if (has_prefix(section, "fmod_ret/", &target) ||
	    has_prefix(section, "fentry/", &target) ||
	    has_prefix(section, "fexit/", &target))
		return guard_btf_has_function(btf, target);
	return true;
}

static bool is_required(const char *name)
{
	const char *rest;
	size_t i;

	if (has_prefix(name, "fexit_", &rest))
		return false;
	for (i = 0; i < N_ELEMENTS(optional); i++)
		if (!strcmp(optional[i], name))
			return false;
	return true;
}

/*
 * Does the kernel preempt itself, so that it may skip a program (again.h)? It
 * is taken to where it does not say so.
 */
static bool kernel_preempts(void)
{
	char mode[64] = "";
	ssize_t n;
	int fd;

	fd = open("/sys/kernel/debug/sched/preempt", O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return true;
	n = read(fd, mode, sizeof(mode) - 1);
	(void)close(fd);
	return n <= 0 ||
	       (!strstr(mode, "(none)") && !strstr(mode, "(voluntary)"));
}

/* Is the program one for this way to attach, and for this kernel? */
static bool is_wanted(struct bpf_object *object, enum guard_attach attach,
		      bool preempts, const char *name)
{
	char first[128];
	const char *rest;

	if (has_prefix(name, "lsm_", &rest))
		return attach == GUARD_ATTACH_LSM;
	if (has_prefix(name, "fmod_", &rest))
		return attach != GUARD_ATTACH_LSM;
	if (!has_prefix(name, "again_", &rest))
		return true;
	(void)snprintf(first, sizeof(first), "fmod_%s", rest);
	return preempts && (attach != GUARD_ATTACH_LSM ||
			    !bpf_object__find_program_by_name(object, first));
}

static bool is_chosen(struct bpf_object *object, const char *name)
{
	const struct bpf_program *program;

	program = bpf_object__find_program_by_name(object, name);
	return program && bpf_program__autoload(program);
}

static int choose_programs(struct bpf_object *object, enum guard_attach attach,
			   bool preempts, const struct guard_say *say)
{
	struct bpf_program *program;
	const char *name;
	void *btf;
	size_t i;
	int r;

	r = guard_btf_load(&btf);
	if (r) {
		guard_say(say, GUARD_ERROR,
			  "the kernel's types cannot be read (%s); boot a "
			  "kernel with CONFIG_DEBUG_INFO_BTF=y",
			  strerror(-r));
		return -EOPNOTSUPP;
	}
	bpf_object__for_each_program(program, object)
	{
		name = bpf_program__name(program);
		if (!is_wanted(object, attach, preempts, name)) {
			(void)bpf_program__set_autoload(program, false);
			continue;
		}
		if (target_exists(btf, bpf_program__section_name(program)))
			continue;
		if (is_required(name)) {
			guard_say(say, GUARD_ERROR,
				  "this kernel has nothing that %s can attach "
				  "to; boot one that is supported (cordond(8), "
				  "KERNELS)",
				  bpf_program__section_name(program));
			r = -EOPNOTSUPP;
			break;
		}
		(void)bpf_program__set_autoload(program, false);
	}
	guard_btf_free(btf);
	for (i = 0; i < N_ELEMENTS(either) && !r; i++) {
		if (is_chosen(object, either[i][0]) ||
		    is_chosen(object, either[i][1]))
			continue;
		guard_say(say, GUARD_ERROR,
			  "this kernel has nothing that %s or %s can attach "
			  "to; boot one that is supported (cordond(8), "
			  "KERNELS)",
			  either[i][0], either[i][1]);
		r = -EOPNOTSUPP;
	}
	return r;
}

static int set_entries(struct bpf_object *object, enum guard_map map,
		       uint32_t entries)
{
	struct bpf_map *m;

	m = bpf_object__find_map_by_name(object, forms[map].name);
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
	char path[512];
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
		r = pin_path(guard, "", name, path);
		if (!r)
			r = bpf_map__pin(map, path);
		if (r) {
			libbpf_tell(say);
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
	char path[512];
	int r;

	r = pin_path(guard, "link_", name, path);
	if (!r)
		r = bpf_link__pin(link, path);
	/* A pinned link outlives this. */
	(void)bpf_link__destroy(link);
	if (r)
		return r;
	r = pin_path(guard, "prog_", name, path);
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
	const char *rest;
	size_t n = 0;
	int r;

	bpf_object__for_each_program(program, object)
	{
		if (!bpf_program__autoload(program) ||
		    second != has_prefix(bpf_program__name(program), "again_",
					 &rest))
			continue;
		r = attach_program(guard, program, cgroup, unpinned);
		if (r) {
			libbpf_tell(say);
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

	build_name(build, sizeof(build));
	(void)snprintf(value.text, sizeof(value.text), "%s %zu %s", build,
		       links, attach == GUARD_ATTACH_LSM ? "lsm" : "fmod");
	map = bpf_object__find_map_by_name(object, forms[MAP_NAMES].name);
	if (!map)
		return -ENOENT;
	return bpf_map__update_elem(map, &key, sizeof(key), &value,
				    sizeof(value), BPF_ANY);
}

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

static int load_failed(const struct guard_say *say, int r)
{
	libbpf_tell(say);
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

static int load(struct guard *guard, const struct guard_options *opts,
		const struct guard_say *say)
{
	struct guard_skeleton *skeleton = NULL;
	uint32_t max_records = opts->max_records;
	bool preempts = kernel_preempts();
	int cgroup = -1, r;
	size_t links = 0;

	if (!max_records)
		max_records = GUARD_RECORDS_DEFAULT;
	if (max_records > GUARD_RECORDS_MAX) {
		guard_say(say, GUARD_ERROR,
			  "%u records are more than the guard can label; "
			  "give --max-records at most %u",
			  max_records, GUARD_RECORDS_MAX);
		return -EINVAL;
	}
	r = guard_cgroup2_open(opts->cgroup2, &cgroup);
	if (r) {
		guard_say(say, GUARD_ERROR,
			  "the root of cgroup2 cannot be opened (%s), so "
			  "nothing could meter the network; mount cgroup2 or "
			  "say with --cgroup where it is",
			  strerror(-r));
		return r;
	}

	libbpf_listen();
	skeleton = guard__open();
	if (!skeleton) {
		r = load_failed(say, -errno);
		goto out;
	}
	r = choose_programs(skeleton->obj, guard->attach, preempts, say);
	if (r)
		goto out;
	r = set_sizes(skeleton->obj, max_records);
	if (!r)
		r = guard__load(skeleton);
	if (r) {
		(void)load_failed(say, r);
		goto out;
	}
	skeleton->bss->state.abi = CORDON_ABI;
	if (getrandom(&skeleton->bss->state.crossing_seed,
		      sizeof(skeleton->bss->state.crossing_seed), 0) < 0) {
		r = -errno;
		guard_say(say, GUARD_ERROR, "no random number (%s)",
			  strerror(-r));
		goto out;
	}
	skeleton->bss->state.again = preempts;

	if (!opts->unpinned)
		r = pin_maps(guard, skeleton->obj, say);
	/* The kernel runs them in the opposite order. */
	if (!r)
		r = attach_programs(guard, skeleton->obj, true, cgroup,
				    opts->unpinned, &links, say);
	if (!r)
		r = attach_programs(guard, skeleton->obj, false, cgroup,
				    opts->unpinned, &links, say);
	if (!r)
		r = write_marker(skeleton->obj, links, guard->attach);
	if (!r && opts->unpinned) {
		guard->own = skeleton;
		skeleton = NULL;
	}
out:
	guard__destroy(skeleton);
	if (r && r != -EEXIST && !opts->unpinned)
		(void)guard_detach_pins(guard->pin_dir, NULL);
	(void)close(cgroup);
	return r;
}

/* ---- adopting ---------------------------------------------------------- */

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

static int open_own(const struct guard *guard, const char *name)
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

/* Opens the pin of a map and compares its form; 0: of any size. */
static int open_pin(struct guard *guard, const char *name, uint32_t key_bytes,
		    uint32_t value_bytes, int *ret_fd,
		    struct bpf_map_info *ret_info, const struct guard_say *say)
{
	struct bpf_map_info info = {0};
	uint32_t len = sizeof(info);
	char path[512];
	int fd, r;

	r = pin_path(guard, "", name, path);
	if (r)
		return r;
	fd = guard->own ? open_own(guard, name) : bpf_obj_get(path);
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
	char path[512];
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
		return bad_pin(guard, forms[MAP_NAMES].name,
			       "is not complete, so a start was cut off", say);
	r = 0;
	found = guard->n_own_links;
	if (!guard->own)
		r = pins_count(guard->pin_dir, "link_", &found);
	if (r || found != links)
		return bad_pin(guard, "link_*", "are not all there", say);
	guard->attach = strcmp(attach, "lsm") ? GUARD_ATTACH_FMOD
					      : GUARD_ATTACH_LSM;
	build_name(own, sizeof(own));
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

static int on_event(void *arg, void *data, size_t bytes);

static int adopt(struct guard *guard, const struct guard_say *say)
{
	struct bpf_map_info info;
	enum guard_map i;
	int r;

	r = map_state(guard, say);
	if (r)
		return r;
	for (i = 0; i < MAP_COUNT; i++) {
		r = open_pin(guard, forms[i].name, forms[i].key_bytes,
			     forms[i].value_bytes, &guard->fds[i], &info, say);
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
		return bad_pin(guard, forms[MAP_NAMES].name,
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

/* Two megabytes of this program that nothing reads once a guard is there: they
 * come back from its file for another one. */
static void forget_object(void)
{
	uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE), from, to;
	size_t size;

	from = (uintptr_t)guard__elf_bytes(&size);
	to = (from + size) & ~(page - 1);
	from = (from + page - 1) & ~(page - 1);
	if (from < to)
		(void)madvise((void *)from, to - from, MADV_DONTNEED);
}

int guard_open(const struct guard_options *opts, const struct guard_say *say,
	       struct guard **ret_guard, bool *ret_adopted)
{
	static const struct guard_options defaults;
	struct guard_probe *probe = NULL;
	struct guard *guard;
	size_t pins = 0, i;
	bool loaded = false;
	int n, r;

	if (!opts)
		opts = &defaults;
	guard = calloc(1, sizeof(*guard));
	if (!guard)
		return -ENOMEM;
	for (i = 0; i < MAP_COUNT; i++)
		guard->fds[i] = -1;
	libbpf_listen();
	n = snprintf(guard->pin_dir, sizeof(guard->pin_dir), "%s",
		     opts->pin_dir ? opts->pin_dir : CORDON_PIN_DIR);
	if (n < 0 || (size_t)n >= sizeof(guard->pin_dir)) {
		r = -ENAMETOOLONG;
		guard_say(say, GUARD_ERROR,
			  "%s is too long a name to pin the guard in; give "
			  "--pin-dir one of at most %zu bytes",
			  opts->pin_dir, sizeof(guard->pin_dir) - 1);
		goto out;
	}

	r = opts->unpinned ? 0 : mount_bpffs(guard, say);
	if (r)
		goto out;
	if (!opts->unpinned)
		r = pins_count(guard->pin_dir, "", &pins);
	if (r) {
		guard_say(say, GUARD_ERROR, "%s cannot be read (%s)",
			  guard->pin_dir, strerror(-r));
		goto out;
	}
	if (!pins) {
		guard->attach = opts->attach;
		probe = malloc(sizeof(*probe));
		r = probe ? guard_probe(probe) : -ENOMEM;
		/* The verifier would say it, in words that nobody knows. */
		if (!r && !strcmp(probe->lockdown, "confidentiality")) {
			guard_say(say, GUARD_ERROR,
				  "the kernel is locked down for "
				  "confidentiality, which forbids programs "
				  "that read its memory; boot with "
				  "lockdown=integrity");
			r = -EOPNOTSUPP;
		}
		if (r)
			goto out;
		if (guard->attach == GUARD_ATTACH_AUTO)
			guard->attach = probe->attach;
		r = load(guard, opts, say);
		if (r)
			goto out;
		loaded = true;
	}
	r = adopt(guard, say);
	forget_object();
	if (!r && !pins)
		r = guard_spare_label(guard);
	if (r)
		goto out;
	r = watch_new(&guard->watch);
	if (r) {
		guard_say(say, GUARD_ERROR,
			  "changes of paths cannot be watched (%s); raise "
			  "fs.inotify.max_user_instances",
			  strerror(-r));
		goto out;
	}
	__atomic_store_n(&guard->state->agent, (uint32_t)getpid(),
			 __ATOMIC_RELEASE);
	if (ret_adopted)
		*ret_adopted = pins != 0;
	*ret_guard = guard;
	guard = NULL;
out:
	/* It has no policy, and no agent: nobody shall take it for a guard. */
	if (r && loaded && !opts->unpinned)
		(void)guard_detach_pins(guard->pin_dir, say);
	free(probe);
	guard_close(guard);
	return r;
}

void guard_close(struct guard *guard)
{
	enum guard_map i;
	size_t n;

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
	for (n = 0; n < guard->n_own_links; n++)
		(void)bpf_link__destroy(guard->own_links[n]);
	free(guard->own_links);
	guard__destroy(guard->own);
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

/* ---- events ------------------------------------------------------------ */

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

/* ---- how full ---------------------------------------------------------- */

static int count_entry(const void *key, const void *value, void *arg)
{
	uint64_t *n = arg;

	(void)key;
	(void)value;
	(*n)++;
	return 0;
}

static int count_file(const void *key, const void *value, void *arg)
{
	const struct label *label = value;
	struct guard_stats *stats = arg;

	(void)key;
	if (label->kind != LABEL_FILE)
		return 0;
	stats->labels++;
	if (label->dataset < CORDON_DATASETS)
		stats->files[label->dataset]++;
	return 0;
}

/*
 * How often the kernel ran something without one of our programs because the
 * program was under way on that CPU already.
 */
static int count_skipped(const struct guard *guard, uint64_t *ret_skipped)
{
	const struct dirent *entry;
	struct bpf_prog_info info;
	char path[512];
	uint32_t len;
	int fd, r = 0;
	DIR *dir;

	*ret_skipped = 0;
	dir = opendir(guard->pin_dir);
	if (!dir)
		return errno == ENOENT ? 0 : -errno;
	while (!r && (entry = readdir(dir))) {
		if (strncmp(entry->d_name, "prog_", 5))
			continue;
		r = pin_path(guard, "", entry->d_name, path);
		fd = r ? -1 : bpf_obj_get(path);
		if (fd < 0) {
			r = r ? r : -errno;
			break;
		}
		len = sizeof(info);
		memset(&info, 0, sizeof(info));
		if (bpf_obj_get_info_by_fd(fd, &info, &len))
			r = -errno;
		else
			*ret_skipped += info.recursion_misses;
		(void)close(fd);
	}
	(void)closedir(dir);
	return r;
}

int guard_stats(const struct guard *guard, struct guard_stats *ret_stats)
{
	static const enum guard_map counted[] = {
		MAP_LABELS,	  MAP_TOUCHED,	 MAP_PROCESSES, MAP_HOLDINGS,
		MAP_DERIVED,	  MAP_ORIGIN_OF, MAP_BUDGETS,	MAP_LEDGER_OF,
		MAP_NAMES,	  MAP_SUBJECTS,	 MAP_CGROUPS,	MAP_DESTS,
		MAP_AWAITED,	  MAP_CARRIERS,	 MAP_COMMONS,	MAP_SHARERS,
		MAP_SHARED_FILES, MAP_CHARGES,	 MAP_CROSSINGS,
	};
	struct guard_stats stats = {0};
	struct bpf_map_info info;
	struct guard_table *table;
	uint32_t len;
	size_t i;
	int r;

	stats.generation = guard->state->generation;
	stats.policy_serial = guard->state->policy_serial[stats.generation & 1];
	stats.dropped = guard->state->dropped;
	r = count_skipped(guard, &stats.skipped);
	if (r)
		return r;
	for (i = 0; i < FAULT_MAX; i++)
		stats.faults[i] = guard->state->faults[i];
	for (i = 0; i < N_ELEMENTS(counted); i++) {
		table = &stats.tables[stats.n_tables++];
		table->name = forms[counted[i]].name;
		len = sizeof(info);
		memset(&info, 0, sizeof(info));
		if (bpf_obj_get_info_by_fd(guard->fds[counted[i]], &info, &len))
			return -errno;
		table->max = info.max_entries;
		r = guard_map_each(guard, counted[i], count_entry,
				   &table->entries);
		if (r)
			return r;
	}
	r = guard_map_each(guard, MAP_LABELS, count_file, &stats);
	if (r)
		return r;
	*ret_stats = stats;
	return 0;
}
