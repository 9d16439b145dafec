// SPDX-License-Identifier: GPL-2.0-only
#include "registry.h"

#include "array.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* How many names a list of them has before it only counts. */
#define COUNTED_NAMED_MAX 3

#define TEXT_SIZE sizeof(((struct name_value *)NULL)->text)

static uint32_t highest(uint32_t kind)
{
	switch (kind) {
	case NAME_RULE:
		return REGISTRY_RULES_MAX;
	case NAME_SUBJECT:
		return REGISTRY_SUBJECTS_MAX;
	case NAME_DATASET:
		return REGISTRY_DATASETS_MAX;
	case NAME_DEST:
		return REGISTRY_DESTS_MAX;
	}
	return 0;
}

void registry_release(struct registry *reg)
{
	size_t i;

	for (i = 0; i < reg->n; i++)
		free(reg->names[i].text);
	free(reg->names);
	memset(reg, 0, sizeof(*reg));
}

static int append(struct registry *reg, uint32_t kind, uint32_t id,
		  const char *text, uint32_t use)
{
	struct registry_name *names;
	char *copy;

	names = array_grow(reg->names, reg->n, sizeof(*names));
	if (!names)
		return -ENOMEM;
	reg->names = names;
	copy = strdup(text);
	if (!copy)
		return -ENOMEM;
	reg->names[reg->n++] = (struct registry_name){
		.kind = kind, .id = id, .use = use, .text = copy};
	return 0;
}

int registry_copy(const struct registry *reg, struct registry *ret_copy)
{
	struct registry copy = {0};
	const struct registry_name *name;
	size_t i;
	int r;

	for (i = 0; i < reg->n; i++) {
		name = &reg->names[i];
		r = append(&copy, name->kind, name->id, name->text, name->use);
		if (r) {
			registry_release(&copy);
			return r;
		}
	}
	*ret_copy = copy;
	return 0;
}

static struct registry_name *by_text(const struct registry *reg, uint32_t kind,
				     const char *text)
{
	size_t i;

	for (i = 0; i < reg->n; i++)
		if (reg->names[i].kind == kind &&
		    !strcmp(reg->names[i].text, text))
			return &reg->names[i];
	return NULL;
}

static struct registry_name *by_id(const struct registry *reg, uint32_t kind,
				   uint32_t id)
{
	size_t i;

	for (i = 0; i < reg->n; i++)
		if (reg->names[i].kind == kind && reg->names[i].id == id)
			return &reg->names[i];
	return NULL;
}

int registry_add(struct registry *reg, uint32_t kind, uint32_t id,
		 const char *text)
{
	if (!id || id > highest(kind) || !*text || strlen(text) >= TEXT_SIZE)
		return -EINVAL;
	if (by_id(reg, kind, id) || by_text(reg, kind, text))
		return -EEXIST;
	return append(reg, kind, id, text, 0);
}

/* The lowest number above all that were given out, then any gap. */
static uint32_t fresh_id(const struct registry *reg, uint32_t kind)
{
	uint32_t max = highest(kind), top = 0, id;
	size_t i;

	for (i = 0; i < reg->n; i++)
		if (reg->names[i].kind == kind && reg->names[i].id > top)
			top = reg->names[i].id;
	if (top < max)
		return top + 1;
	for (id = 1; id <= max; id++)
		if (!by_id(reg, kind, id))
			return id;
	return 0;
}

int registry_number(struct registry *reg, uint32_t kind, const char *text,
		    uint32_t *ret_id)
{
	struct registry_name *name = by_text(reg, kind, text);
	uint32_t id;
	char *copy;
	size_t i;
	int r;

	if (name) {
		name->use |= REGISTRY_IN_NEXT;
		*ret_id = name->id;
		return 0;
	}
	if (!highest(kind) || !*text || strlen(text) >= TEXT_SIZE)
		return -EINVAL;

	id = fresh_id(reg, kind);
	if (id) {
		r = append(reg, kind, id, text, REGISTRY_IN_NEXT);
		if (r)
			return r;
		*ret_id = id;
		return 0;
	}

	for (i = 0; i < reg->n; i++) {
		name = &reg->names[i];
		if (name->kind == kind && !name->use)
			break;
	}
	if (i == reg->n)
		return -ENOSPC;
	copy = strdup(text);
	if (!copy)
		return -ENOMEM;
	free(name->text);
	name->text = copy;
	name->use = REGISTRY_IN_NEXT;
	*ret_id = name->id;
	return 0;
}

uint32_t registry_left(const struct registry *reg, uint32_t kind)
{
	uint32_t left = highest(kind);
	size_t i;

	for (i = 0; i < reg->n; i++)
		left -= reg->names[i].kind == kind;
	return left;
}

void registry_count(struct registry *reg, uint32_t kind, uint32_t id)
{
	struct registry_name *name = by_id(reg, kind, id);

	if (name)
		name->use |= REGISTRY_COUNTED;
}

size_t registry_counted(const struct registry *reg, uint32_t kind, char *buf,
			size_t size)
{
	const struct registry_name *name;
	size_t i, n = 0, len = 0;
	int r;

	*buf = '\0';
	for (i = 0; i < reg->n; i++) {
		name = &reg->names[i];
		if (name->kind != kind || name->use != REGISTRY_COUNTED)
			continue;
		if (n++ >= COUNTED_NAMED_MAX || len >= size)
			continue;
		r = snprintf(buf + len, size - len, "%s\"%s\"",
			     n > 1 ? ", " : "", name->text);
		len += r > 0 ? (size_t)r : 0;
	}
	if (n > COUNTED_NAMED_MAX && len < size)
		(void)snprintf(buf + len, size - len, " and %zu more",
			       n - COUNTED_NAMED_MAX);
	return n;
}

int registry_find(const struct registry *reg, uint32_t kind, const char *text,
		  uint32_t *ret_id)
{
	const struct registry_name *name = by_text(reg, kind, text);

	if (!name)
		return -ENOENT;
	*ret_id = name->id;
	return 0;
}

const char *registry_text(const struct registry *reg, uint32_t kind,
			  uint32_t id)
{
	const struct registry_name *name = by_id(reg, kind, id);

	return name ? name->text : NULL;
}

void registry_commit(struct registry *reg)
{
	struct registry_name *name;
	size_t i;

	for (i = 0; i < reg->n; i++) {
		name = &reg->names[i];
		name->use = name->use & REGISTRY_IN_NEXT ? REGISTRY_IN_FORCE
							 : 0;
	}
}
