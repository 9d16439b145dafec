// SPDX-License-Identifier: GPL-2.0-only
/*
 * Ways out that are no network: which file system a mount is and which device a
 * node is, here and now.
 */
#include "guard_internal.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "dataset.h"
#include "decide.h"

/* The kernel's own number of a device that stat(2) has. */
static uint32_t device_of(dev_t dev)
{
	return major(dev) << 20 | minor(dev);
}

struct sought {
	const char *path;
	uint32_t dev;
	bool found;
};

/* Of several at one place the last one covers the others. */
static int mount_sought(const struct dataset_mount *mount, void *arg)
{
	struct sought *sought = arg;

	if (strcmp(mount->path, sought->path) != 0)
		return 0;
	sought->dev = mount->dev;
	sought->found = true;
	return 0;
}

/*
 * The mounts are asked for, and not the path: a server that does not answer
 * would hold the agent up. What lies on the root's file system is on this host.
 */
static int resolve_mount(struct compiled_way *way)
{
	struct sought sought = {.path = way->path};
	struct sought root = {.path = "/"};
	int r;

	r = dataset_each_mount(mount_sought, &sought);
	if (!r)
		r = dataset_each_mount(mount_sought, &root);
	if (r)
		return r;
	if (!sought.found)
		return -ENOENT;
	if (root.found && root.dev == sought.dev)
		return -EXDEV;
	way->key.kind = WAY_MOUNT;
	way->key.way.dev = sought.dev;
	return 0;
}

static int resolve_device(struct compiled_way *way)
{
	struct stat st;

	if (stat(way->path, &st))
		return -errno;
	if (!S_ISCHR(st.st_mode) && !S_ISBLK(st.st_mode))
		return -ENODEV;
	way->key.kind = S_ISCHR(st.st_mode) ? WAY_CHAR : WAY_BLOCK;
	way->key.way.dev = device_of(st.st_rdev);
	return 0;
}

static const char *unresolved_why(const struct compiled_way *way, int r)
{
	if (r == -EXDEV)
		return "it is of the root's file system";
	if (r == -ENODEV)
		return "it is no device";
	if (r == -ENOENT && !way->device)
		return "nothing is mounted there";
	return strerror(-r);
}

/* What is not there has no key; it is looked for again. */
static void resolve(struct compiled_way *way, const struct guard_say *say)
{
	int r;

	if (!way->path)
		return;
	memset(&way->key, 0, sizeof(way->key));
	r = way->device ? resolve_device(way) : resolve_mount(way);
	if (r)
		guard_say(say, GUARD_WARNING,
			  "policy:%u:%u: %s is not known here (%s), so it is "
			  "no destination until it is",
			  way->pos.line, way->pos.col, way->path,
			  unresolved_why(way, r));
}

void guard_ways_resolve(struct compiled_way *ways, size_t n,
			const struct guard_say *say)
{
	size_t i;

	for (i = 0; i < n; i++)
		resolve(&ways[i], say);
}

static int way_write(struct guard *guard, uint32_t slot,
		     const struct compiled_way *way)
{
	struct way_key key = way->key;

	if (!key.kind)
		return 0;
	key.slot = slot;
	/* First: the guard looks here before it looks for the key. */
	if (key.kind == WAY_MOUNT)
		guard->state->fs_sends[fs_place(key.way.dev)] = 1;
	return guard_map_update(guard, MAP_WAYS, &key, &way->dest);
}

int guard_ways_write(struct guard *guard, uint32_t slot,
		     const struct compiled_way *ways, size_t n)
{
	size_t i;
	int r = 0;

	for (i = 0; i < n && !r; i++)
		r = way_write(guard, slot, &ways[i]);
	return r;
}

/* Has one of them this key? */
static bool has_key(const struct compiled_way *ways, size_t n,
		    const struct way_key *key)
{
	size_t i;

	for (i = 0; i < n; i++)
		if (!memcmp(&ways[i].key, key, sizeof(*key)))
			return true;
	return false;
}

/* Looks again at the one at @i of those in force. */
static int way_refresh(struct guard *guard, size_t i,
		       const struct guard_say *say)
{
	uint32_t slot = guard->state->generation & 1;
	struct compiled_way *way = &guard->ways[i];
	struct way_key old = way->key;
	int r = 0;

	resolve(way, NULL);
	if (!memcmp(&old, &way->key, sizeof(old)))
		return 0;
	if (old.kind && !has_key(guard->ways, guard->n_ways, &old)) {
		old.slot = slot;
		r = guard_map_delete(guard, MAP_WAYS, &old);
	}
	if (!r)
		r = way_write(guard, slot, way);
	guard_say(say, GUARD_NOTE, "%s is %s", way->path,
		  way->key.kind ? "a destination now"
				: "not there any more, and no destination");
	return r;
}

int guard_ways_refresh(struct guard *guard, const struct guard_say *say)
{
	int r, first = 0;
	size_t i;

	for (i = 0; i < guard->n_ways; i++) {
		if (!guard->ways[i].path)
			continue;
		r = way_refresh(guard, i, say);
		first = first ? first : r;
	}
	if (first)
		guard_say(say, GUARD_ERROR,
			  "the destinations cannot be brought up to date (%s); "
			  "apply the policy again",
			  strerror(-first));
	return first;
}
