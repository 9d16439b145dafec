/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the files behind control.h share.
 */
#ifndef CORDON_CONTROL_INTERNAL_H
#define CORDON_CONTROL_INTERNAL_H

#include "control.h"

#include <sys/un.h>

#define LINES_MIN 1024 /* first size of a buffer */

/* Says why in error, of CONTROL_ERROR_CHARS_MAX bytes; returns -EINVAL. */
int control_refuse(char *error, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

/* 0, or -EINVAL: a line of another version of the protocol. */
int control_check_version(const json_t *object, char *error);

/* What control_call() returns for an error of that name. */
int control_error_number(const char *name);

/* 0 or -ENAMETOOLONG. */
int control_address(struct sockaddr_un *address, const char *path);

#endif
