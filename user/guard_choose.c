// SPDX-License-Identifier: GPL-2.0-only
/*
 * Which of the guard's programs this kernel gets.
 */
#include "guard_internal.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <bpf/btf.h>
#include <bpf/libbpf.h>

#include "array.h"

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

/* ---- kernel types -------------------------------------------------------- */

int guard_btf_load(void **ret_btf)
{
	struct btf *btf;

	guard_libbpf_listen();
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

/* ---- programs ------------------------------------------------------------ */

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

bool guard_preempts(void)
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

int guard_choose(struct bpf_object *object, enum guard_attach attach,
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
