/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Where what is exported goes: standard output, a line each, or a socket of
 * this host, a datagram each. What is told has names in it and is not
 * encrypted, so no other host is one.
 */
#ifndef CORDON_SEND_H
#define CORDON_SEND_H

#include <signal.h>
#include <stddef.h>
#include <sys/socket.h>

#include "listen.h"

struct send_to {
	int fd; /* -1: no connection */
	struct listen_address address;
	char name[160];			  /* as it was given, clean */
	const volatile sig_atomic_t *end; /* nobody waits when it is set */
};

/*
 * text: `unix:/dev/log', `udp:127.0.0.1:514', `udp:[::1]:514'; NULL: standard
 * output. 0, or -EINVAL: another one.
 */
int send_parse(const char *text, const volatile sig_atomic_t *end,
	       struct send_to *ret_to);

/*
 * Sends it whole. 0; -EINTR: it was not sent, for *end is set; else as
 * socket(2), connect(2), send(2) and write(2) say; a socket is opened anew with
 * the next one.
 */
int send_text(struct send_to *to, const char *text, size_t len);

void send_close(struct send_to *to);

#endif
