// SPDX-License-Identifier: GPL-2.0-only
/* Which files of the drop directory are to be looked at. */
#include "agent.h"
#include "agent_dropped.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define ENTRIES_MAX 4096 /* of the directory that are looked through */

#define YAML	".yaml"
#define MINISIG ".minisig"

static bool is_dropped_name(const char *name)
{
	size_t len = strlen(name);

	return name[0] != '.' && len > sizeof(YAML) - 1 &&
	       strcmp(name + len - (sizeof(YAML) - 1), YAML) == 0;
}

static bool is_later(const struct timespec *a, const struct timespec *b)
{
	return a->tv_sec != b->tv_sec ? a->tv_sec > b->tv_sec
				      : a->tv_nsec > b->tv_nsec;
}

static void list_one(struct dropped_listing *list, const char *name,
		     const struct timespec *at)
{
	size_t i, last;

	for (i = 0; i < list->n && !is_later(at, &list->at[i]); i++)
		;
	list->left += list->n == DROPPED_MAX;
	if (i == DROPPED_MAX)
		return;
	last = list->n < DROPPED_MAX ? list->n++ : DROPPED_MAX - 1;
	memmove(&list->name[i + 1], &list->name[i],
		(last - i) * sizeof(list->name[0]));
	memmove(&list->at[i + 1], &list->at[i],
		(last - i) * sizeof(list->at[0]));
	(void)snprintf(list->name[i], sizeof(list->name[i]), "%s", name);
	list->at[i] = *at;
}

int dropped_list(const struct agent *agent, struct dropped_listing *ret_list,
		 char why[PLACE_WHY_CHARS_MAX])
{
	const struct dirent *entry;
	struct stat st;
	size_t seen = 0;
	DIR *all = NULL;
	int dir, r;

	ret_list->n = ret_list->left = 0;
	r = place_open_dir(agent->opts->drop_dir, &dir, why);
	if (r)
		return r;
	all = fdopendir(dir);
	if (!all) {
		r = -errno;
		(void)close(dir);
		return r;
	}
	while ((entry = readdir(all)) && ++seen <= ENTRIES_MAX)
		if (is_dropped_name(entry->d_name) &&
		    !fstatat(dir, entry->d_name, &st, AT_SYMLINK_NOFOLLOW))
			list_one(ret_list, entry->d_name, &st.st_ctim);
	ret_list->left += seen > ENTRIES_MAX;
	(void)closedir(all);
	return 0;
}

void dropped_pend(struct agent_dropped *dropped, const char *name, bool came)
{
	struct dropped_pending *pending;

	for (size_t i = 0; i < dropped->n_pending; i++) {
		pending = &dropped->pending[i];
		if (strcmp(pending->name, name) == 0) {
			pending->came = pending->came || came;
			return;
		}
	}
	if (dropped->n_pending == DROPPED_MAX) {
		dropped->all = true;
		return;
	}
	pending = &dropped->pending[dropped->n_pending++];
	(void)snprintf(pending->name, sizeof(pending->name), "%s", name);
	pending->came = came;
}

static bool has_come(const struct dropped_pending *pending, size_t n,
		     const char *name)
{
	for (size_t i = 0; i < n; i++)
		if (strcmp(pending[i].name, name) == 0)
			return pending[i].came;
	return false;
}

int dropped_pend_all(struct agent *agent)
{
	struct agent_dropped *dropped = agent->dropped;
	struct dropped_listing *list = calloc(1, sizeof(*list));
	struct dropped_pending before[DROPPED_MAX];
	char why[PLACE_WHY_CHARS_MAX] = "";
	size_t n_before, i, k;
	int r;

	r = list ? dropped_list(agent, list, why) : -ENOMEM;
	if (r && !why[0] && r != -ENOENT)
		(void)snprintf(why, sizeof(why), "%s", strerror(-r));
	else if (!r && list->left)
		(void)snprintf(why, sizeof(why),
			       "%s: more than %d files are there: only the "
			       "newest are looked at; take away those that "
			       "nobody needs",
			       agent->opts->drop_dir, DROPPED_MAX);
	dropped_set_problem(agent, why);
	memcpy(before, dropped->pending, sizeof(before));
	n_before = dropped->n_pending;
	dropped->n_pending = 0;
	dropped->all = false;
	for (i = 0; !r && i < list->n; i++)
		dropped_pend(dropped, list->name[i],
			     has_come(before, n_before, list->name[i]));
	for (i = 0; !r && i < DROPPED_MAX; i++) {
		if (dropped->files[i].state == DROPPED_NONE)
			continue;
		for (k = 0; k < list->n; k++)
			if (strcmp(list->name[k], dropped->files[i].name) == 0)
				break;
		if (k == list->n)
			dropped_forget(agent, &dropped->files[i]);
	}
	free(list);
	return r;
}

void dropped_pend_named(struct agent_dropped *dropped, const char *name,
			bool came)
{
	size_t len = strlen(name);
	char base[NAME_MAX + 1];
	const char *at;

	if (is_dropped_name(name))
		dropped_pend(dropped, name, came);
	if (len < sizeof(MINISIG) ||
	    strcmp(name + len - (sizeof(MINISIG) - 1), MINISIG) != 0)
		return;
	for (at = strstr(name, YAML "."); at; at = strstr(at + 1, YAML ".")) {
		(void)snprintf(base, sizeof(base), "%.*s",
			       (int)(at - name + (long)sizeof(YAML) - 1), name);
		if (is_dropped_name(base))
			dropped_pend(dropped, base, false);
	}
}
