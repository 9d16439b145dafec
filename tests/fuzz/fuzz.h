/* SPDX-License-Identifier: GPL-2.0-only */
/* What every fuzz target has. */
#ifndef CORDON_TESTS_FUZZ_H
#define CORDON_TESTS_FUZZ_H

#include <fcntl.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define CHECK(condition)                  \
	do {                              \
		if (!(condition))         \
			__builtin_trap(); \
	} while (0)

/*
 * A target that is blind must not pass: see fuzz_policy.c. seed: this is what
 * the seed called selftest* has; mutant: only a mutated one has this.
 */
static inline void fuzz_selftest(bool seed, bool mutant)
{
	const char *mode = getenv("CORDON_FUZZ_SELFTEST");

	if (!mode)
		return;
	if (strcmp(mode, "seed") == 0 && seed)
		abort();
	if (strcmp(mode, "mutant") == 0 && mutant)
		abort();
}

/* The file path has these bytes then, and no others. */
static inline void fuzz_put(const char *path, const uint8_t *data, size_t size)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	CHECK(fd >= 0);
	CHECK(write(fd, data, size) == (ssize_t)size);
	CHECK(close(fd) == 0);
}

#endif
