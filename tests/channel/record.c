// SPDX-License-Identifier: GPL-2.0-only
#include "record.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define PREFIX_LEN (sizeof(RECORD_MARK) - 1)

static uint16_t record_check(uint32_t id)
{
	uint32_t h = id * 2654435761u;

	return (uint16_t)(h >> 16 ^ h);
}

static void put_hex(char *dst, uint32_t v, int digits)
{
	while (digits--) {
		dst[digits] = "0123456789abcdef"[v & 15];
		v >>= 4;
	}
}

static bool get_hex(const char *src, int digits, uint32_t *ret)
{
	uint32_t v = 0;

	for (int i = 0; i < digits; i++) {
		char c = src[i];

		if (c >= '0' && c <= '9')
			v = v << 4 | (uint32_t)(c - '0');
		else if (c >= 'a' && c <= 'f')
			v = v << 4 | (uint32_t)(c - 'a' + 10);
		else
			return false;
	}
	*ret = v;
	return true;
}

void record_write(char *dst, uint32_t id)
{
	memcpy(dst, RECORD_MARK, PREFIX_LEN);
	put_hex(dst + PREFIX_LEN, id, 8);
	dst[PREFIX_LEN + 8] = '-';
	put_hex(dst + PREFIX_LEN + 9, record_check(id), 4);
}

bool record_parse(const char *src, uint32_t *ret_id)
{
	uint32_t id, check;

	if (memcmp(src, RECORD_MARK, PREFIX_LEN) != 0 ||
	    !get_hex(src + PREFIX_LEN, 8, &id) || src[PREFIX_LEN + 8] != '-' ||
	    !get_hex(src + PREFIX_LEN + 9, 4, &check) ||
	    check != record_check(id))
		return false;
	*ret_id = id;
	return true;
}

static size_t slot_of(const struct record_set *set, uint32_t id)
{
	size_t i = id * 2654435761u & (set->cap - 1);

	while (set->slots[i] && set->slots[i] != id)
		i = (i + 1) & (set->cap - 1);
	return i;
}

static int record_set_grow(struct record_set *set)
{
	struct record_set wider = *set;

	wider.cap = set->cap ? set->cap * 2 : 1024;
	wider.slots = calloc(wider.cap, sizeof(*wider.slots));
	if (!wider.slots)
		return -ENOMEM;
	for (size_t i = 0; i < set->cap; i++)
		if (set->slots[i])
			wider.slots[slot_of(&wider, set->slots[i])] =
				set->slots[i];
	free(set->slots);
	*set = wider;
	return 0;
}

int record_set_add(struct record_set *set, uint32_t id)
{
	size_t i;
	int r;

	if (!id)
		return 0;
	if (set->count * 2 >= set->cap) {
		r = record_set_grow(set);
		if (r < 0)
			return r;
	}
	i = slot_of(set, id);
	if (set->slots[i])
		return 0;
	set->slots[i] = id;
	set->count++;
	set->photos += RECORD_KIND(id) == RECORD_PHOTO;
	set->rows += RECORD_KIND(id) == RECORD_ROW;
	return 0;
}

void record_set_release(struct record_set *set)
{
	free(set->slots);
	*set = (struct record_set){0};
}

static int scan_block(struct record_set *set, const char *p, size_t n)
{
	const char *end = p + n;
	uint32_t id;
	int r;

	while ((size_t)(end - p) >= RECORD_MARK_LEN) {
		p = memmem(p, end - p, RECORD_MARK, PREFIX_LEN);
		if (!p || (size_t)(end - p) < RECORD_MARK_LEN)
			break;
		if (record_parse(p, &id)) {
			r = record_set_add(set, id);
			if (r < 0)
				return r;
		}
		p++;
	}
	return 0;
}

int record_scan_feed(struct record_scan *scan, struct record_set *set,
		     const void *data, size_t n)
{
	char seam[2 * (RECORD_MARK_LEN - 1)];
	size_t head = n < sizeof(scan->tail) ? n : sizeof(scan->tail);
	size_t len = scan->len + head, keep;
	int r;

	memcpy(seam, scan->tail, scan->len);
	memcpy(seam + scan->len, data, head);
	r = scan_block(set, seam, len);
	if (r == 0)
		r = scan_block(set, data, n);

	/* Short pieces add up in the seam; a long one replaces it. */
	if (n > head) {
		memcpy(scan->tail, (const char *)data + n - sizeof(scan->tail),
		       sizeof(scan->tail));
		scan->len = sizeof(scan->tail);
		return r;
	}
	keep = len < sizeof(scan->tail) ? len : sizeof(scan->tail);
	memcpy(scan->tail, seam + len - keep, keep);
	scan->len = keep;
	return r;
}
