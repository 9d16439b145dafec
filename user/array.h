/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * How many elements an array has, and arrays that grow by one. Their capacity
 * follows from how many elements they have, so that nobody has to keep it, or
 * can keep it wrong.
 */
#ifndef CORDON_ARRAY_H
#define CORDON_ARRAY_H

#include <stddef.h>

/* Of an array proper, not of a pointer to one. */
#define N_ELEMENTS(a) (sizeof(a) / sizeof((a)[0]))

/*
 * The array of n elements of size bytes with room for one more behind them,
 * what is in it undefined; NULL when there is no memory, and array is as it
 * was. NULL with n 0 is an empty array. An array may lose elements between two
 * calls, but its memory has to be what this returned last. For free(3).
 */
void *array_grow(void *array, size_t n, size_t size);

#endif
