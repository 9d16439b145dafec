// SPDX-License-Identifier: GPL-2.0-only
#include "record_names.h"
#include "array.h"
#include "dataset.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

void record_names_release(struct record_names *names)
{
	free(names->labels);
	free(names->names);
	free(names->text);
	memset(names, 0, sizeof(*names));
}

int record_names_label(struct record_names *names,
		       const struct record_label *label)
{
	struct record_label *labels;

	labels = array_grow(names->labels, names->n_labels, sizeof(*labels));
	if (!labels)
		return -ENOMEM;
	names->labels = labels;
	labels[names->n_labels++] = *label;
	return 0;
}

static int compare_labels(const void *a, const void *b)
{
	const struct record_label *x = a, *y = b;

	return x->ino < y->ino ? -1 : x->ino > y->ino;
}

static int compare_names(const void *a, const void *b)
{
	const struct record_name *x = a, *y = b;

	return x->record < y->record ? -1 : x->record > y->record;
}

/* The device decides if two have the number. An overlay's is another one for
 * stat(2) than for the kernel. */
static const struct record_label *find_label(const struct record_names *names,
					     const struct stat *st)
{
	uint32_t dev = major(st->st_dev) << 20 | minor(st->st_dev);
	const struct record_label *labels = names->labels;
	size_t low = 0, high = names->n_labels, at;

	while (low < high) {
		at = low + (high - low) / 2;
		if (labels[at].ino < st->st_ino)
			low = at + 1;
		else
			high = at;
	}
	if (low == names->n_labels || labels[low].ino != st->st_ino)
		return NULL;
	for (at = low; at < names->n_labels && labels[at].ino == st->st_ino;
	     at++)
		if (labels[at].dev == dev)
			return &labels[at];
	return &labels[low];
}

static int add_name(struct record_names *names, uint32_t record,
		    const char *path)
{
	size_t len = strlen(path), room = names->room;
	struct record_name *array;
	char *text;

	if (names->size + len > room) {
		room = (names->size + len) * 2;
		text = realloc(names->text, room);
		if (!text)
			return -ENOMEM;
		names->text = text;
		names->room = room;
	}
	array = array_grow(names->names, names->n, sizeof(*array));
	if (!array)
		return -ENOMEM;
	names->names = array;
	memcpy(names->text + names->size, path, len);
	array[names->n++] = (struct record_name){
		.record = record, .len = (uint32_t)len, .at = names->size};
	names->size += len;
	return 0;
}

void record_names_labelled(struct record_names *names)
{
	if (names->n_labels)
		qsort(names->labels, names->n_labels, sizeof(*names->labels),
		      compare_labels);
}

struct walking {
	struct record_names *names;
	int r;
};

static void take_file(int dir, const char *name, const char *path, void *arg)
{
	struct walking *walking = arg;
	const struct record_label *label;
	struct stat st;

	if (walking->r || fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return;
	label = find_label(walking->names, &st);
	if (label)
		walking->r = add_name(walking->names, label->record, path);
}

int record_names_walk(struct record_names *names, const char *path)
{
	struct walking walking = {.names = names};
	const struct dataset_visitor visitor = {.file = take_file,
						.arg = &walking};

	(void)dataset_walk(path, &visitor);
	return walking.r;
}

void record_names_done(struct record_names *names)
{
	free(names->labels);
	names->labels = NULL;
	names->n_labels = 0;
	if (names->n)
		qsort(names->names, names->n, sizeof(*names->names),
		      compare_names);
}

const char *record_names_find(const struct record_names *names, uint32_t record,
			      size_t *ret_len)
{
	const struct record_name *name, wanted = {.record = record};

	name = names->n ? bsearch(&wanted, names->names, names->n,
				  sizeof(wanted), compare_names)
			: NULL;
	if (!name)
		return NULL;
	*ret_len = name->len;
	return names->text + name->at;
}
