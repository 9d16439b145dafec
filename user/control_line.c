// SPDX-License-Identifier: GPL-2.0-only
/*
 * What both ends of a connection need: its address, and whole lines out of the
 * bytes that come.
 */
#include "control_internal.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

int control_address(struct sockaddr_un *address, const char *path)
{
	size_t len = strlen(path);

	if (len >= sizeof(address->sun_path))
		return -ENAMETOOLONG;
	memset(address, 0, sizeof(*address));
	address->sun_family = AF_UNIX;
	memcpy(address->sun_path, path, len + 1);
	return 0;
}

static int lines_grow(struct control_lines *lines)
{
	size_t size = lines->size ? lines->size * 2 : LINES_MIN;
	char *buf;

	if (lines->size >= CONTROL_LINE_MAX)
		return -EMSGSIZE;
	buf = realloc(lines->buf, size);
	if (!buf)
		return -ENOMEM;
	lines->buf = buf;
	lines->size = size;
	return 0;
}

int control_lines_fill(struct control_lines *lines, int fd)
{
	ssize_t n;
	int r;

	if (lines->start > 0) {
		lines->len -= lines->start;
		lines->seen -= lines->start;
		memmove(lines->buf, lines->buf + lines->start, lines->len);
		lines->start = 0;
	}
	if (lines->len == lines->size) {
		r = lines_grow(lines);
		if (r)
			return r;
	}

	do
		n = read(fd, lines->buf + lines->len, lines->size - lines->len);
	while (n < 0 && errno == EINTR);
	if (n < 0)
		return errno == EWOULDBLOCK ? -EAGAIN : -errno;
	lines->len += (size_t)n;
	return n > 0;
}

char *control_lines_next(struct control_lines *lines, size_t *ret_len)
{
	char *line, *end;

	if (lines->seen == lines->len)
		return NULL;
	end = memchr(lines->buf + lines->seen, '\n', lines->len - lines->seen);
	if (!end) {
		lines->seen = lines->len;
		return NULL;
	}
	line = lines->buf + lines->start;
	*end = '\0';
	lines->start = (size_t)(end - lines->buf) + 1;
	lines->seen = lines->start;
	*ret_len = (size_t)(end - line);
	return line;
}

void control_lines_release(struct control_lines *lines)
{
	free(lines->buf);
	*lines = (struct control_lines){0};
}
