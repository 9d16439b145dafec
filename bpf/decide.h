/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * decide.h - the arithmetic of budgets, holdings and verdicts; nothing else.
 *
 * No helpers, no maps, no clock: everything comes in as arguments. Compiled
 * into the guard, into the agent and into the unit tests, so that what the
 * tests prove is what the kernel runs. Callers hold the lock of the structure
 * they pass. Includes abi.h only.
 */
#ifndef CORDON_DECIDE_H
#define CORDON_DECIDE_H

#include "abi.h"

#ifndef __always_inline
#	define __always_inline inline __attribute__((always_inline))
#endif

/* ---- without branches --------------------------------------------------- */

/*
 * All bits, or none. To the verifier a branch in a loop of eight is 2^8 ways,
 * and it goes all of them in every program that comes there.
 */
static __always_inline __u64 is_zero(__u32 x)
{
	return 0 - (((__u64)x - 1) >> 63);
}

static __always_inline __u64 not_zero(__u32 x)
{
	return ~is_zero(x);
}

/* ---- windows ----------------------------------------------------------- */

/* Length of a part; rounded up, so that the parts cover the window. */
static __always_inline __u64 window_part_ns(__u64 window_ns)
{
	__u64 part_ns = (window_ns + WINDOW_PARTS - 1) / WINDOW_PARTS;

	return part_ns ? part_ns : 1;
}

/*
 * Brings @w to @now for a window of @window_ns and forgets the parts that no
 * longer overlap it. A window of another length keeps what was used, all of it
 * in the newest part: that can only hold it longer. A clock that another CPU
 * reads a little earlier counts as the newest part.
 */
static __always_inline void window_roll(struct window *w, __u64 now,
					__u64 window_ns)
{
	__u64 part_ns = window_part_ns(window_ns);
	__u64 part, step, total;
	int i;

	part = now / part_ns;
	if (w->part_ns != part_ns) {
		total = w->total;
		for (i = 0; i < WINDOW_RING; i++)
			w->used[i] = 0;
		w->part_ns = part_ns;
		w->latest = part;
		w->used[part & (WINDOW_RING - 1)] = total;
		return;
	}
	if (part <= w->latest)
		return;
	step = part - w->latest;
	if (step >= WINDOW_RING) {
		for (i = 0; i < WINDOW_RING; i++)
			w->used[i] = 0;
		w->total = 0;
		w->latest = part;
		return;
	}
	/* Each new part takes the place of the one that left the window. */
	for (i = 1; i < WINDOW_RING; i++) {
		__u32 at;

		if ((__u64)i > step)
			break;
		at = (w->latest + i) & (WINDOW_RING - 1);
		w->total -= w->used[at];
		w->used[at] = 0;
	}
	w->latest = part;
}

/*
 * Charges @n to the newest part if that keeps the window within @max.
 * Returns 1 if charged, 0 if there is no room (nothing changed but the roll).
 */
static __always_inline int window_charge(struct window *w, __u64 now,
					 __u64 window_ns, __u64 max, __u64 n)
{
	window_roll(w, now, window_ns);
	if (w->total > max || n > max - w->total)
		return 0;
	w->used[w->latest & (WINDOW_RING - 1)] += n;
	w->total += n;
	return 1;
}

/* Charges @n whether or not there is room: what has happened has happened. */
static __always_inline void window_force(struct window *w, __u64 now,
					 __u64 window_ns, __u64 n)
{
	window_roll(w, now, window_ns);
	/* The sum stays that of the parts when it would wrap. */
	if (n > ~0ULL - w->total)
		n = ~0ULL - w->total;
	w->used[w->latest & (WINDOW_RING - 1)] += n;
	w->total += n;
}

/*
 * Gives back @n of what was charged to @part of a window of @window_ns. What
 * has left the window meanwhile is gone already; more than the part holds is
 * never given back. Returns how much was.
 */
static __always_inline __u64 window_refund(struct window *w, __u64 window_ns,
					   __u64 part, __u64 n)
{
	__u32 at = part & (WINDOW_RING - 1);

	/* Parts of another length are numbered otherwise. */
	if (w->part_ns != window_part_ns(window_ns))
		return 0;
	if (part > w->latest || w->latest - part >= WINDOW_RING)
		return 0;
	if (n > w->used[at])
		n = w->used[at];
	w->used[at] -= n;
	w->total -= n;
	return n;
}

/*
 * What was charged to @part happened again: from now on it counts as new. The
 * sum stays, it only leaves the window later.
 */
static __always_inline void window_renew(struct window *w, __u64 now,
					 __u64 part, __u64 n)
{
	__u64 window_ns = w->part_ns * WINDOW_PARTS;

	if (!window_ns)
		return;
	window_roll(w, now, window_ns);
	n = window_refund(w, window_ns, part, n);
	w->used[w->latest & (WINDOW_RING - 1)] += n;
	w->total += n;
}

/* ---- holdings ---------------------------------------------------------- */

/* @a + @b, but not above @cap; never less than @a. */
static __always_inline __u64 add_capped(__u64 a, __u64 b, __u64 cap)
{
	__u64 sum = a + b;

	if (sum < a)
		sum = ~0ULL;
	if (sum > cap)
		sum = cap;
	return sum > a ? sum : a;
}

/*
 * Adds to the share of @origin, up to what the origin has read (@cap_*), which
 * the caller loads while it holds the lock: an older cap would forget what
 * another thread added meanwhile. A share never falls. When the vector is
 * full, shares fold upward: two of one dataset become one that no origin caps,
 * or, when each is of another dataset, the last becomes a share of every
 * dataset. Nothing is ever dropped. Returns whether there is more than before.
 */
static __always_inline int share_add(struct holding *h, __u32 origin,
				     __u32 dataset, __u64 bytes, __u64 records,
				     __u64 cap_bytes, __u64 cap_records)
{
	__u64 more;
	int i;

	/* Loop after loop, nothing carried: the verifier's work stays small. */
	for (i = 0; i < CORDON_SHARES; i++) {
		struct share *s = &h->shares[i];

		if (s->origin != origin || s->dataset != dataset)
			continue;
		more = s->bytes + s->records;
		s->bytes = add_capped(s->bytes, bytes, cap_bytes);
		s->records = add_capped(s->records, records, cap_records);
		return s->bytes + s->records != more;
	}
	for (i = 0; i < CORDON_SHARES; i++) {
		struct share *s = &h->shares[i];

		if (s->origin)
			continue;
		s->origin = origin;
		s->dataset = dataset;
		s->bytes = bytes < cap_bytes ? bytes : cap_bytes;
		s->records = records < cap_records ? records : cap_records;
		return 1;
	}
	for (i = 0; i < CORDON_SHARES; i++) {
		struct share *s = &h->shares[i];

		if (s->dataset != dataset && i < CORDON_SHARES - 1)
			continue;
		if (s->dataset != dataset)
			s->dataset = 0;
		s->origin = CORDON_ORIGIN_FOLDED;
		s->bytes = add_capped(s->bytes, bytes, ~0ULL);
		s->records = add_capped(s->records, records, ~0ULL);
		return 1;
	}
	return 1;
}

/*
 * The same for a share of a holding that came from one other holding only,
 * whose share this is: what came before is part of it.
 */
static __always_inline int share_raise(struct holding *h, __u32 origin,
				       __u32 dataset, __u64 bytes,
				       __u64 records)
{
	int i, more;

	for (i = 0; i < CORDON_SHARES; i++) {
		struct share *s = &h->shares[i];

		if (s->origin != origin || s->dataset != dataset)
			continue;
		more = bytes > s->bytes || records > s->records;
		if (bytes > s->bytes)
			s->bytes = bytes;
		if (records > s->records)
			s->records = records;
		return more;
	}
	return share_add(h, origin, dataset, bytes, records, ~0ULL, ~0ULL);
}

/* ---- narrow subjects --------------------------------------------------- */

/* Of what is stated for a dataset and for a subject the tighter. 0: unknown. */
static __always_inline __u32 tighter_squeeze(__u32 a, __u32 b)
{
	return b && (!a || b < a) ? b : a;
}

static __always_inline __u32 tighter_floor(__u32 a, __u32 b)
{
	return b > a ? b : a;
}

/* How many records @bytes can stand for, the last one in part. */
static __always_inline __u64 records_fit(__u64 bytes, __u32 floor)
{
	return bytes / floor + !!(bytes % floor);
}

/*
 * What a hop of @n bytes out of a narrow subject passes on of the @held bytes
 * or records of one origin. A record that is split over two hops counts at
 * both: no hop knows what was in the one before. 0 of @squeeze or @floor is
 * unknown: then it is all that is held.
 */
static __always_inline __u64 hop_bytes(__u64 held, __u64 n, __u32 squeeze)
{
	/* Not n * squeeze, which wraps. */
	if (!squeeze || n > held / squeeze)
		return held;
	return n * squeeze;
}

static __always_inline __u64 hop_records(__u64 held, __u64 n, __u32 floor)
{
	__u64 fit = held;

	if (floor)
		fit = records_fit(n, floor);
	return fit < held ? fit : held;
}

/* ---- releases ---------------------------------------------------------- */

/*
 * How many records @n more bytes to one destination are charged: all the
 * records held, for a narrow subject at most as many as fit in the bytes it
 * ever sent there (@floor: fewest wire bytes of a record), less what this
 * holding was charged there before.
 */
static __always_inline __u64 records_due(__u64 held, __u32 floor,
					 __u64 wire_bytes, __u64 charged)
{
	__u64 due = held;

	if (floor) {
		__u64 fit = records_fit(wire_bytes, floor);

		if (fit < due)
			due = fit;
	}
	return due > charged ? due - charged : 0;
}

/* ---- rows -------------------------------------------------------------- */

/* First row and number of rows that @n bytes from @pos on cover. */
static __always_inline __u64 rows_first(__u64 pos, __u32 row)
{
	return row ? pos / row : 0;
}

static __always_inline __u64 rows_count(__u64 pos, __u64 n, __u32 row)
{
	if (!n || !row)
		return 0;
	return (pos + n - 1) / row - pos / row + 1;
}

/* ---- TCP --------------------------------------------------------------- */

/*
 * Bytes of a segment [@seq, @seq + @len) beyond @sent_end, the end of what
 * was metered: a retransmission counts once. Sequence numbers wrap; 2^31 is
 * more than any window.
 */
static __always_inline __u32 segment_new(__u32 sent_end, __u32 seq, __u32 len)
{
	__s32 ahead = (__s32)(seq + len - sent_end);

	if (ahead <= 0)
		return 0;
	return (__u32)ahead < len ? (__u32)ahead : len;
}

/* ---- identity ---------------------------------------------------------- */

/* Bit of a file in label_bits: multiplication spreads neighbouring inodes. */
static __always_inline __u32 label_bit(__u64 ino, __u32 dev)
{
	return ((ino ^ ((__u64)dev << 32)) * 0x9e3779b97f4a7c15ULL) >>
	       (64 - CORDON_LABEL_BITS);
}

/* Place of a file in `derived': files that share a bit share one. */
static __always_inline __u32 derived_place(__u64 ino, __u32 dev)
{
	return label_bit(ino, dev) >> (CORDON_LABEL_BITS - CORDON_DERIVED_BITS);
}

/* Bit of a directory in struct notice. */
static __always_inline __u32 notice_bit(__u64 ino)
{
	return (ino * 0x9e3779b97f4a7c15ULL) >> (64 - CORDON_NOTICE_BITS);
}

/* Place of a file system in state.fs. */
static __always_inline __u32 fs_place(__u32 dev)
{
	return (dev ^ (dev >> 20)) & (CORDON_FS - 1);
}

/* ---- kinds of labels --------------------------------------------------- */

static __always_inline int is_quiet(__u32 kind)
{
	return kind == LABEL_QUIET || kind == LABEL_QUIET_DIR;
}

static __always_inline int is_of_dataset(__u32 kind)
{
	return kind == LABEL_FILE || kind == LABEL_DIR;
}

#endif
