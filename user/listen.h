/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Where the command serves what it knows: at an address that only this host
 * reaches, or at a socket in its file system. It would show anybody else which
 * budget has room left.
 */
#ifndef CORDON_LISTEN_H
#define CORDON_LISTEN_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/socket.h>

#define LISTEN_ERROR_CHARS_MAX 384

enum listen_kind {
	LISTEN_INET, /* of either version */
	LISTEN_UNIX,
	LISTEN_SYSTEMD, /* a socket that was passed; no address */
};

struct listen_address {
	enum listen_kind kind;
	socklen_t len;
	struct sockaddr_storage address;
};

/*
 * `127.0.0.1:9478`, `[::1]:9478`, `unix:/run/x.sock` or `systemd`. Port 0: one
 * that is free. 0, or -EINVAL, and error says what was expected.
 */
int listen_parse(const char *text, struct listen_address *ret_address,
		 char *error);

/*
 * A listening, non-blocking socket there, which only the user and the group of
 * the process can reach if it is a file. One that an earlier process left
 * behind is replaced. 0, or -errno, and said: -EADDRINUSE also if somebody
 * answers.
 */
int listen_open(const struct listen_address *address, int *ret_fd, char *error);

/*
 * Is a socket that was passed one that listen_open() could have made? Makes it
 * non-blocking. 0, or -errno, and said.
 */
int listen_check(int fd, char *error);

/* Removes what is a file. The caller closes the socket. */
void listen_remove(const struct listen_address *address);

/* What listen_parse() takes, with the port that it came to be; cut at size. */
void listen_name(int fd, char *buf, size_t size);

#endif
