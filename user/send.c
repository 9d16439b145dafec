// SPDX-License-Identifier: GPL-2.0-only
#include "send.h"
#include "log.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/uio.h>
#include <unistd.h>

static const char udp[] = "udp:";
static const char local[] = "unix:";

static bool starts(const char *text, const char *with)
{
	return strncmp(text, with, strlen(with)) == 0;
}

static bool has_port(const struct listen_address *address)
{
	/* In the same place in both. */
	return ((const struct sockaddr_in *)&address->address)->sin_port != 0;
}

int send_parse(const char *text, const volatile sig_atomic_t *end,
	       struct send_to *ret_to)
{
	struct send_to to = {.fd = -1, .end = end};
	char error[LISTEN_ERROR_CHARS_MAX];
	bool is_udp = text && starts(text, udp);

	if (!text) {
		to.fd = STDOUT_FILENO;
		(void)strcpy(to.name, "standard output");
		*ret_to = to;
		return 0;
	}
	if (!is_udp && !starts(text, local))
		return -EINVAL;
	if (listen_parse(is_udp ? text + strlen(udp) : text, &to.address,
			 error))
		return -EINVAL;
	if (is_udp &&
	    (to.address.kind != LISTEN_INET || !has_port(&to.address)))
		return -EINVAL;
	(void)snprintf(to.name, sizeof(to.name), "%s", text);
	log_clean(to.name);
	*ret_to = to;
	return 0;
}

static int open_socket(struct send_to *to)
{
	int fd, r = 0;

	fd = socket(to->address.address.ss_family, SOCK_DGRAM | SOCK_CLOEXEC,
		    0);
	if (fd < 0)
		return -errno;
	if (connect(fd, (const struct sockaddr *)&to->address.address,
		    to->address.len) < 0)
		r = -errno;
	if (r)
		(void)close(fd);
	else
		to->fd = fd;
	return r;
}

static int send_datagram(struct send_to *to, const char *text, size_t len)
{
	ssize_t n;
	int r;

	if (to->fd < 0) {
		r = open_socket(to);
		if (r)
			return r;
	}
	do
		n = send(to->fd, text, len, MSG_NOSIGNAL);
	while (n < 0 && errno == EINTR && !*to->end);
	r = n < 0 ? -errno : 0;
	if (r && r != -EINTR)
		send_close(to);
	return r;
}

static int write_line(const struct send_to *to, const char *text, size_t len)
{
	static const char newline[] = "\n";
	struct iovec parts[] = {{(void *)text, len}, {(void *)newline, 1}};
	struct iovec *part = parts;
	ssize_t n;

	while (part < parts + 2) {
		n = writev(to->fd, part, (int)(parts + 2 - part));
		if (n < 0 && errno == EINTR && !*to->end)
			continue;
		if (n < 0)
			return -errno;
		while (part < parts + 2 && (size_t)n >= part->iov_len)
			n -= (ssize_t)part++->iov_len;
		if (part < parts + 2) {
			part->iov_base = (char *)part->iov_base + n;
			part->iov_len -= (size_t)n;
		}
	}
	return 0;
}

int send_text(struct send_to *to, const char *text, size_t len)
{
	return !to->address.len ? write_line(to, text, len)
				: send_datagram(to, text, len);
}

void send_close(struct send_to *to)
{
	if (!to->address.len || to->fd < 0)
		return;
	(void)close(to->fd);
	to->fd = -1;
}
