/* SPDX-License-Identifier: GPL-2.0-only */
/* fd.h - file descriptors that may not be there: below 0. */
#ifndef CORDON_FD_H
#define CORDON_FD_H

#include <unistd.h>

static inline void close_fd(int fd)
{
	if (fd >= 0)
		(void)close(fd);
}

#endif
