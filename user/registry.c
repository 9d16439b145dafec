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
	for (i = 0; i < REGISTRY_KINDS; i++)
		free(reg->by_id[i]);
	free(reg->by_text);
	free(reg->names);
	memset(reg, 0, sizeof(*reg));
}

/* ---- looking up ---------------------------------------------------------- */

/* FNV-1a: names come from who signs, and are few. */
static uint32_t *chain_of(const struct registry *reg, uint32_t kind,
			  const char *text)
{
	uint64_t hash = 14695981039346656037ULL ^ kind;

	for (; *text; text++)
		hash = (hash ^ (unsigned char)*text) * 1099511628211ULL;
	return &reg->by_text[(hash ^ hash >> 32) & (reg->n_by_text - 1)];
}

static void link_name(struct registry *reg, uint32_t place)
{
	struct registry_name *name = &reg->names[place - 1];
	uint32_t *chain = chain_of(reg, name->kind, name->text);

	name->next = *chain;
	*chain = place;
}

static void unlink_name(struct registry *reg, uint32_t place)
{
	const struct registry_name *name = &reg->names[place - 1];
	uint32_t *at = chain_of(reg, name->kind, name->text);

	while (*at != place)
		at = &reg->names[*at - 1].next;
	*at = name->next;
}

/* Room for n names. */
static int grow_chains(struct registry *reg, size_t n)
{
	size_t room = reg->n_by_text ? reg->n_by_text : 64;
	uint32_t *by_text;

	if (n <= reg->n_by_text)
		return 0;
	while (room < n)
		room *= 2;
	by_text = calloc(room, sizeof(*by_text));
	if (!by_text)
		return -ENOMEM;
	free(reg->by_text);
	reg->by_text = by_text;
	reg->n_by_text = room;
	for (size_t i = 0; i < reg->n; i++)
		link_name(reg, (uint32_t)i + 1);
	return 0;
}

static int grow_ids(struct registry *reg, uint32_t kind, uint32_t id)
{
	size_t room = reg->n_by_id[kind] ? reg->n_by_id[kind] : 64;
	uint32_t *by_id;

	if (id < reg->n_by_id[kind])
		return 0;
	while (room <= id)
		room *= 2;
	by_id = reallocarray(reg->by_id[kind], room, sizeof(*by_id));
	if (!by_id)
		return -ENOMEM;
	memset(by_id + reg->n_by_id[kind], 0,
	       (room - reg->n_by_id[kind]) * sizeof(*by_id));
	reg->by_id[kind] = by_id;
	reg->n_by_id[kind] = room;
	return 0;
}

static struct registry_name *by_text(const struct registry *reg, uint32_t kind,
				     const char *text)
{
	uint32_t place = reg->n_by_text ? *chain_of(reg, kind, text) : 0;
	struct registry_name *name;

	for (; place; place = name->next) {
		name = &reg->names[place - 1];
		if (name->kind == kind && !strcmp(name->text, text))
			return name;
	}
	return NULL;
}

static struct registry_name *by_id(const struct registry *reg, uint32_t kind,
				   uint32_t id)
{
	if (kind >= REGISTRY_KINDS || id >= reg->n_by_id[kind] ||
	    !reg->by_id[kind][id])
		return NULL;
	return &reg->names[reg->by_id[kind][id] - 1];
}

/* ---- names --------------------------------------------------------------- */

static int append(struct registry *reg, uint32_t kind, uint32_t id,
		  const char *text, uint32_t use)
{
	struct registry_name *names;
	char *copy;
	int r;

	names = array_grow(reg->names, reg->n, sizeof(*names));
	if (!names)
		return -ENOMEM;
	reg->names = names;
	r = grow_chains(reg, reg->n + 1);
	if (!r)
		r = grow_ids(reg, kind, id);
	if (r)
		return r;
	copy = strdup(text);
	if (!copy)
		return -ENOMEM;
	reg->names[reg->n++] = (struct registry_name){
		.kind = kind, .id = id, .use = use, .text = copy};
	reg->by_id[kind][id] = (uint32_t)reg->n;
	link_name(reg, (uint32_t)reg->n);
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
	uint32_t max = highest(kind), id;
	size_t top = reg->n_by_id[kind];

	while (top && !reg->by_id[kind][top - 1])
		top--;
	if (top <= max)
		return top ? (uint32_t)top : 1;
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
	unlink_name(reg, (uint32_t)i + 1);
	free(name->text);
	name->text = copy;
	name->use = REGISTRY_IN_NEXT;
	link_name(reg, (uint32_t)i + 1);
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
