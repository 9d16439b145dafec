// SPDX-License-Identifier: GPL-2.0-only
#include "array.h"

#include <stdlib.h>

#define FIRST 16 /* elements, a power of two */

/* At each power of two there may be no more room than that. */
void *array_grow(void *array, size_t n, size_t size)
{
	if (!n)
		return reallocarray(array, FIRST, size);
	if (n < FIRST || n & (n - 1))
		return array;
	return reallocarray(array, 2 * n, size);
}
