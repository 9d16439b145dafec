/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What has to survive a reboot: the names with their numbers, what was used of
 * the budgets with windows of an hour or more, and the highest serial of a
 * policy that was in force, below which none may come again, and the latest
 * time that could be trusted.
 *
 * Windows run on the boottime clock, which begins anew at every boot, so the
 * file has the time of day at which each part of a window ended. When they are
 * loaded each part goes to the newest part of the new clock that it touches:
 * what was used comes back at the right time or up to a fifteenth of the window
 * later, never earlier. A clock of day that runs behind the file's gives no
 * time back. Which records were touched is not kept: reading one again after
 * a reboot is charged again.
 */
#ifndef CORDON_STATE_H
#define CORDON_STATE_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include <linux/bpf.h>

#include "../bpf/abi.h"
#include "registry.h"

/* Shorter windows start empty after a reboot, which takes about as long. */
#define STATE_WINDOW_NS_MIN  3600000000000ULL
#define STATE_FILE_BYTES_MAX (64U << 20)
#define STATE_BUDGETS_MAX    65536U

struct state_part {
	uint64_t end_ns; /* since the epoch */
	uint64_t used;
};

struct state_budget {
	struct budget_key key;
	uint64_t part_ns;
	uint64_t refused;
	size_t n_parts;
	struct state_part parts[WINDOW_RING];
};

struct state {
	uint64_t saved_ns; /* since the epoch */
	uint64_t policy_serial;
	uint64_t latest_s; /* since the epoch; 0: none is known */
	struct registry names;
	struct state_budget *budgets;
	size_t n_budgets;
};

void state_release(struct state *state);

/*
 * Adds a budget as the guard has it now: boot_ns and wall_ns are the same
 * moment on both clocks. What is not worth saving is left out. 0 or -ENOMEM.
 */
int state_add_budget(struct state *state, const struct budget_key *key,
		     const struct budget *budget, uint64_t boot_ns,
		     uint64_t wall_ns);

/*
 * The window of a saved budget at the moment boot_ns, wall_ns. What has left it
 * is dropped.
 */
void state_window(const struct state *state, const struct state_budget *budget,
		  uint64_t boot_ns, uint64_t wall_ns,
		  struct window *ret_window);

/*
 * Writes to path, whole or not at all: beside it, synced, renamed. The file
 * that was there becomes path.old. 0, -ENOMEM, as open(2), write(2), fsync(2)
 * and rename(2) say.
 */
int state_write(const struct state *state, const char *path);

/* The same for any bytes. */
int state_put(const char *path, const void *bytes, size_t len);

/*
 * Writes a file, whole or not at all, and syncs it: never over another one, or
 * (mode 0644) over what was there, of which nothing is kept. 0; as open(2),
 * write(2), fsync(2) and rename(2) say.
 */
int state_put_new(const char *path, mode_t mode, const void *bytes, size_t len);
int state_put_over(const char *path, const void *bytes, size_t len);

/* Brings the name of path, in its directory, to the disk. 0 or -errno. */
int state_sync_dir(const char *path);

/*
 * All bytes of path, at most max, in memory that the caller free()s. -EUCLEAN:
 * it is no regular file; -EFBIG; -ENOMEM; as open(2) and read(2) say.
 */
int state_get(const char *path, size_t max, char **ret_bytes, size_t *ret_len);

/* The same into buf, which has room for max: for what is secret. */
int state_get_into(const char *path, char *buf, size_t max, size_t *ret_len);

/*
 * Reads path. 0: *ret_state is for state_release(). -ENOENT; -EUCLEAN: this is
 * no such file, or only a part of one, why (cut at size) says where; -EFBIG;
 * -ENOMEM; as open(2) and read(2) say.
 */
int state_read(const char *path, struct state *ret_state, char *why,
	       size_t size);

#endif
