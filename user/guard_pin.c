// SPDX-License-Identifier: GPL-2.0-only
/*
 * The pins that keep the guard alive while there is no agent, and what can be
 * done with one of them.
 */
#include "guard_internal.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <bpf/bpf.h>

#include "array.h"

int guard_pin_path(const struct guard *guard, const char *kind,
		   const char *name, char path[GUARD_PIN_CHARS_MAX])
{
	int n;

	n = snprintf(path, GUARD_PIN_CHARS_MAX, "%s/%s%s", guard->pin_dir, kind,
		     name);
	return n < 0 || n >= GUARD_PIN_CHARS_MAX ? -ENAMETOOLONG : 0;
}

int guard_pins_count(const char *pin_dir, const char *prefix, size_t *ret_n)
{
	const struct dirent *entry;
	size_t n = 0;
	DIR *dir;

	dir = opendir(pin_dir);
	if (!dir && errno != ENOENT)
		return -errno;
	while (dir && (entry = readdir(dir)))
		if (entry->d_name[0] != '.' &&
		    !strncmp(entry->d_name, prefix, strlen(prefix)))
			n++;
	if (dir)
		(void)closedir(dir);
	*ret_n = n;
	return 0;
}

/*
 * Unlinks every pin: first the links, for they are what denies, and at last
 * the maps that the programs need.
 */
int guard_detach_pins(const char *pin_dir, const struct guard_say *say)
{
	static const char *const order[] = {"link_", "prog_", ""};
	const struct dirent *entry;
	int r = 0, first = 0;
	size_t i;
	DIR *dir;

	if (!pin_dir)
		pin_dir = CORDON_PIN_DIR;
	for (i = 0; i < N_ELEMENTS(order); i++) {
		dir = opendir(pin_dir);
		if (!dir && errno == ENOENT)
			return 0;
		if (!dir) {
			r = -errno;
			guard_say(say, GUARD_ERROR,
				  "cannot open %s to detach the guard (%s)",
				  pin_dir, strerror(-r));
			return r;
		}
		while ((entry = readdir(dir))) {
			if (entry->d_name[0] == '.' ||
			    strncmp(entry->d_name, order[i], strlen(order[i])))
				continue;
			if (!unlinkat(dirfd(dir), entry->d_name, 0))
				continue;
			r = -errno;
			first = first ? first : r;
			guard_say(say, GUARD_ERROR,
				  "cannot unlink %s/%s (%s); the guard may "
				  "still be attached",
				  pin_dir, entry->d_name, strerror(-r));
		}
		(void)closedir(dir);
	}
	if (!first && rmdir(pin_dir) < 0)
		first = -errno;
	return first;
}

int guard_detach(struct guard *guard, const struct guard_say *say)
{
	return guard_detach_pins(guard->pin_dir, say);
}

bool guard_is_attached(const struct guard *guard, const char *program)
{
	char path[GUARD_PIN_CHARS_MAX];

	if (guard->own)
		return guard_own_has(guard, program);
	return !guard_pin_path(guard, "link_", program, path) &&
	       !access(path, F_OK);
}

int guard_iterate(const struct guard *guard, const char *program)
{
	char path[GUARD_PIN_CHARS_MAX], nothing[64];
	int r, link, iter = -1;
	ssize_t n;

	r = guard_pin_path(guard, "link_", program, path);
	if (r)
		return r;
	link = bpf_obj_get(path);
	if (link < 0)
		return -errno;
	iter = bpf_iter_create(link);
	r = iter < 0 ? -errno : 0;
	(void)close(link);
	if (r)
		return r;
	do
		n = read(iter, nothing, sizeof(nothing));
	while (n > 0 || (n < 0 && errno == EAGAIN));
	r = n < 0 ? -errno : 0;
	(void)close(iter);
	return r;
}
