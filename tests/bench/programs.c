// SPDX-License-Identifier: GPL-2.0-only
/*
 * programs: how often each pinned program of the guard ran, and for how long,
 * as the kernel counts it while kernel.bpf_stats_enabled is 1; in the emulator
 * that is instructions. One line `program TAB runs TAB count` each.
 *
 *	programs
 *	programs --locked	what the kernel has locked for all maps and
 *				programs together, in bytes
 */
#include <dirent.h>
#include <errno.h>
#include <linux/bpf.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "abi.h"

#define PREFIX "prog_"

static int bpf(int cmd, union bpf_attr *attr)
{
	long r = syscall(SYS_bpf, cmd, attr, sizeof(*attr));

	return r < 0 ? -errno : (int)r;
}

static int open_pin(const char *name)
{
	union bpf_attr attr = {0};
	char path[512];

	(void)snprintf(path, sizeof(path), "%s/%s", CORDON_PIN_DIR, name);
	attr.pathname = (uintptr_t)path;
	return bpf(BPF_OBJ_GET, &attr);
}

static int tell(const char *name, int fd)
{
	struct bpf_prog_info info = {0};
	union bpf_attr attr = {0};
	int r;

	attr.info.bpf_fd = (uint32_t)fd;
	attr.info.info_len = sizeof(info);
	attr.info.info = (uintptr_t)&info;
	r = bpf(BPF_OBJ_GET_INFO_BY_FD, &attr);
	if (r < 0)
		return r;
	(void)printf("%s\t%llu\t%llu\n", name + strlen(PREFIX),
		     (unsigned long long)info.run_cnt,
		     (unsigned long long)info.run_time_ns);
	return 0;
}

/* Links have none. */
static int add_locked(int fd, uint64_t *sum)
{
	char path[64], line[256];
	unsigned long long bytes;
	FILE *f;

	(void)snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", fd);
	f = fopen(path, "re");
	if (!f)
		return -errno;
	while (fgets(line, sizeof(line), f))
		if (sscanf(line, "memlock: %llu", &bytes) == 1)
			*sum += bytes;
	(void)fclose(f);
	return 0;
}

static int each(const char *name, bool locked, uint64_t *sum)
{
	bool program = strncmp(name, PREFIX, strlen(PREFIX)) == 0;
	int fd, r;

	if (name[0] == '.' || !(program || locked))
		return 0;
	fd = open_pin(name);
	if (fd < 0)
		return fd;
	r = locked ? add_locked(fd, sum) : tell(name, fd);
	(void)close(fd);
	return r;
}

int main(int argc, char **argv)
{
	bool locked = argc == 2 && strcmp(argv[1], "--locked") == 0;
	DIR *dir = opendir(CORDON_PIN_DIR);
	struct dirent *entry;
	int r = dir ? 0 : -errno;
	uint64_t sum = 0;

	while (r == 0 && (entry = readdir(dir)))
		r = each(entry->d_name, locked, &sum);
	if (dir)
		(void)closedir(dir);
	if (locked)
		(void)printf("%llu\n", (unsigned long long)sum);
	if (r < 0)
		(void)fprintf(stderr, "programs: %s: %s\n", CORDON_PIN_DIR,
			      strerror(-r));
	return r < 0 || fflush(stdout) != 0;
}
