// SPDX-License-Identifier: GPL-2.0-only
/* Apart from the others: what the guard calls a channel is another thing. */
#include "probe_forget.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/bpf.h>
#include <stdint.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "abi.h"

static uint64_t address(const void *p)
{
	return (uint64_t)(uintptr_t)p;
}

/* A carrier of no holding, until the file goes: it is counted among them. */
int forget_file(int fd)
{
	struct carrier nothing = {0};
	struct file_key key = {0};
	union bpf_attr attr = {0};
	struct stat st;
	int map, r;

	attr.pathname = address(CORDON_PIN_DIR "/derived");
	map = (int)syscall(SYS_bpf, BPF_OBJ_GET, &attr, sizeof(attr));
	if (map < 0)
		return errno == ENOENT ? 0 : -errno;
	r = fstat(fd, &st) < 0 ? -errno : 0;
	key.ino = st.st_ino;
	key.dev = major(st.st_dev) << 20 | minor(st.st_dev);
	memset(&attr, 0, sizeof(attr));
	attr.map_fd = (uint32_t)map;
	attr.key = address(&key);
	attr.value = address(&nothing);
	attr.flags = BPF_EXIST;
	if (!r &&
	    syscall(SYS_bpf, BPF_MAP_UPDATE_ELEM, &attr, sizeof(attr)) < 0 &&
	    errno != ENOENT)
		r = -errno;
	(void)close(map);
	return r;
}

int forget_files(char **names)
{
	int fd, r = 0;

	for (; *names && r == 0; names++) {
		fd = open(*names, O_RDONLY | O_CLOEXEC);
		if (fd < 0)
			return -errno;
		r = forget_file(fd);
		(void)close(fd);
	}
	return r;
}
