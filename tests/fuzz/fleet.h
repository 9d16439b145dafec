/* SPDX-License-Identifier: GPL-2.0-only */
/* What the fuzz targets of boxes have: the keys of a host and of its force. */
#ifndef CORDON_TESTS_FUZZ_FLEET_H
#define CORDON_TESTS_FUZZ_FLEET_H

#include "fuzz.h"

#include "fleet_message_internal.h"

#include <errno.h>
#include <stdio.h>

/* Of nobody: made for this. */
static const char host_pem[] =
	"-----BEGIN PRIVATE KEY-----\n"
	"MC4CAQAwBQYDK2VwBCIEINeu6kYp6jyboqfYovTKfRF8O2Q7KyNyFUSM2YqlnONS\n"
	"-----END PRIVATE KEY-----\n";

static struct sign_key host;
static struct seal_key force;

static void load_keys(void)
{
	char dir[] = "cordon-fuzz-XXXXXX", path[64];
	bool made = false;

	if (force.secret[0])
		return;
	CHECK(mkdtemp(dir));
	(void)snprintf(path, sizeof(path), "%s/key", dir);
	fuzz_put(path, (const uint8_t *)host_pem, sizeof(host_pem) - 1);
	CHECK(sign_key_load(path, &host, &made) == 0 && !made);
	CHECK(unlink(path) == 0);
	do {
		CHECK(seal_key_load(path, &force, &made) == 0 && made);
		CHECK(unlink(path) == 0);
	} while (!force.secret[0]);
	CHECK(rmdir(dir) == 0);
}

/* The box of the host with these bytes as its body. */
static void *close_body(const uint8_t *data, size_t size, const char *domain,
			size_t *ret_len)
{
	struct fleet_body body;
	void *box;

	CHECK(fleet_body_new(size, &body) == 0);
	if (size)
		memcpy(body.text, data, size);
	CHECK(fleet_body_close(&body, domain, &host, &force.public, &box,
			       ret_len) == 0);
	free(body.buffer);
	return box;
}

#endif
