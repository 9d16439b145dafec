// SPDX-License-Identifier: GPL-2.0-only
/*
 * programs: how often each pinned program of the guard ran, and for how long,
 * as the kernel counts it while kernel.bpf_stats_enabled is 1; in the emulator
 * that is instructions. One line `program TAB runs TAB count` each.
 *
 *	programs
 */
#include <dirent.h>
#include <errno.h>
#include <linux/bpf.h>
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

static int tell(const char *name)
{
	struct bpf_prog_info info = {0};
	union bpf_attr attr = {0};
	char path[512];
	int fd, r;

	(void)snprintf(path, sizeof(path), "%s/%s", CORDON_PIN_DIR, name);
	attr.pathname = (uintptr_t)path;
	fd = bpf(BPF_OBJ_GET, &attr);
	if (fd < 0)
		return fd;
	memset(&attr, 0, sizeof(attr));
	attr.info.bpf_fd = (uint32_t)fd;
	attr.info.info_len = sizeof(info);
	attr.info.info = (uintptr_t)&info;
	r = bpf(BPF_OBJ_GET_INFO_BY_FD, &attr);
	(void)close(fd);
	if (r < 0)
		return r;
	(void)printf("%s\t%llu\t%llu\n", name + strlen(PREFIX),
		     (unsigned long long)info.run_cnt,
		     (unsigned long long)info.run_time_ns);
	return 0;
}

int main(void)
{
	DIR *dir = opendir(CORDON_PIN_DIR);
	struct dirent *entry;
	int r = dir ? 0 : -errno;

	while (r == 0 && (entry = readdir(dir))) {
		if (strncmp(entry->d_name, PREFIX, strlen(PREFIX)) == 0)
			r = tell(entry->d_name);
	}
	if (dir)
		(void)closedir(dir);
	if (r < 0)
		(void)fprintf(stderr, "programs: %s: %s\n", CORDON_PIN_DIR,
			      strerror(-r));
	return r < 0 || fflush(stdout) != 0;
}
