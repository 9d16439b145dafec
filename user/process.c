// SPDX-License-Identifier: GPL-2.0-only
#include "process.h"
#include "clock.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* How many bytes there are, with a NUL behind them; 0: none. */
static size_t read_proc(uint32_t tgid, const char *what, char *buf, size_t size)
{
	char name[64];
	size_t len = 0;
	ssize_t n = 0;
	int fd;

	(void)snprintf(name, sizeof(name), "/proc/%" PRIu32 "/%s", tgid, what);
	fd = open(name, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return 0;
	do {
		n = read(fd, buf + len, size - 1 - len);
		len += n > 0 ? (size_t)n : 0;
	} while (n > 0 && len < size - 1);
	(void)close(fd);
	buf[len] = '\0';
	return len;
}

static uint32_t number_behind(const char *text, const char *key, int nth)
{
	const char *at = strstr(text, key);
	char *end = NULL;
	unsigned long n = UINT32_MAX;

	if (!at)
		return UINT32_MAX;
	at += strlen(key);
	for (int i = 0; i <= nth; i++) {
		n = strtoul(at, &end, 10);
		if (end == at)
			return UINT32_MAX;
		at = end;
	}
	return (uint32_t)n;
}

/* As the guard does: in a service anybody can claim to be anybody's login. */
static bool login_counts(const struct process_facts *facts)
{
	return !facts->uid || facts->uid == facts->login;
}

/* When a process began, of what /proc has of it; 0: it does not say. */
static uint64_t start_of(const char *stat)
{
	const char *at = strrchr(stat, ')'); /* its name can be anything */
	long ticks = sysconf(_SC_CLK_TCK);

	for (int i = 0; at && i < 20; i++)
		at = strchr(at + 1, ' ');
	if (!at || ticks <= 0)
		return 0;
	return strtoull(at, NULL, 10) * (CLOCK_NS_PER_S / (uint64_t)ticks);
}

int process_look(uint32_t tgid, struct process_facts *ret_facts)
{
	char text[8192];

	*ret_facts = (struct process_facts){.login = UINT32_MAX,
					    .session = UINT32_MAX};
	if (!tgid || !read_proc(tgid, "status", text, sizeof(text)) ||
	    number_behind(text, "\nTgid:", 0) != tgid ||
	    strstr(text, "\nState:\tZ") || strstr(text, "\nState:\tX"))
		return -ESRCH;
	ret_facts->tgid = tgid;
	ret_facts->parent = number_behind(text, "\nPPid:", 0);
	ret_facts->uid = number_behind(text, "\nUid:", 0);
	ret_facts->user = number_behind(text, "\nUid:", 1);
	if (read_proc(tgid, "loginuid", text, sizeof(text)))
		ret_facts->login = (uint32_t)strtoul(text, NULL, 10);
	if (!login_counts(ret_facts))
		ret_facts->login = UINT32_MAX;
	if (read_proc(tgid, "stat", text, sizeof(text)))
		ret_facts->start_ns = start_of(text);
	if (read_proc(tgid, "sessionid", text, sizeof(text)))
		ret_facts->session = (uint32_t)strtoul(text, NULL, 10);
	if (read_proc(tgid, "comm", ret_facts->comm, sizeof(ret_facts->comm)))
		ret_facts->comm[strcspn(ret_facts->comm, "\n")] = '\0';
	return 0;
}

size_t process_arguments(uint32_t tgid, char *buf, size_t size)
{
	return read_proc(tgid, "cmdline", buf, size);
}

int process_cgroup(uint32_t tgid, char *buf, size_t size)
{
	char text[4096];
	const char *line;
	size_t len;

	if (!read_proc(tgid, "cgroup", text, sizeof(text)))
		return -ESRCH;
	/* Hierarchy 0 is cgroup2; below systemd it is there on every host. */
	line = strncmp(text, "0::", 3) == 0 ? text : strstr(text, "\n0::");
	line = line ? strchr(line, '/') : NULL;
	if (!line)
		return -ENOENT;
	len = strcspn(line, "\n");
	if (len >= size)
		return -ENAMETOOLONG;
	memcpy(buf, line, len);
	buf[len] = '\0';
	return 0;
}
