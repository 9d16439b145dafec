// SPDX-License-Identifier: GPL-2.0-only
/*
 * Subjects: which inode an executable is and which number a user has, here and
 * now.
 */
#include "guard_internal.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <limits.h>
#include <pwd.h>
#include <stdlib.h>
#include <string.h>

/* getpwnam_r() and getgrnam_r(): a group with many members needs room. */
#define ACCOUNT_BYTES (256U << 10)

void guard_conditions_free(struct compiled_condition *conditions, size_t n)
{
	size_t i;

	for (i = 0; i < n; i++)
		free(conditions[i].text);
	free(conditions);
}

/* ---- conditions -------------------------------------------------------- */

static int find_user(const char *name, uint32_t *ret_id)
{
	struct passwd entry, *found = NULL;
	char *buf;
	int e;

	buf = malloc(ACCOUNT_BYTES);
	if (!buf)
		return -ENOMEM;
	e = getpwnam_r(name, &entry, buf, ACCOUNT_BYTES, &found);
	if (found)
		*ret_id = found->pw_uid;
	free(buf);
	return found ? 0 : e ? -e : -ENOENT;
}

static int find_group(const char *name, uint32_t *ret_id)
{
	struct group entry, *found = NULL;
	char *buf;
	int e;

	buf = malloc(ACCOUNT_BYTES);
	if (!buf)
		return -ENOMEM;
	e = getgrnam_r(name, &entry, buf, ACCOUNT_BYTES, &found);
	if (found)
		*ret_id = found->gr_gid;
	free(buf);
	return found ? 0 : e ? -e : -ENOENT;
}

/*
 * The key that stands for the condition here and now. -ENOENT: nothing meets
 * it, because what it names does not exist.
 */
static int resolve_condition(struct guard *guard,
			     const struct compiled_condition *condition,
			     struct subject_key *ret_key)
{
	struct subject_key key = {.dim = condition->dim};
	char real[PATH_MAX];
	struct file_key file;
	uint32_t id = 0;
	int r;

	switch (condition->dim) {
	case DIM_EXE:
		if (!realpath(condition->text, real))
			return -errno;
		r = guard_capture(guard, AT_FDCWD, real, LOOK_FLAGS, NULL,
				  &file);
		if (r)
			return r;
		file = guard->state->capture.ret_exe;
		key.a = file.ino;
		key.b = (uint64_t)file.dev << 32 | file.generation;
		break;
	case DIM_USER:
	case DIM_LOGIN:
		r = find_user(condition->text, &id);
		if (r)
			return r;
		key.a = id;
		break;
	case DIM_GROUP:
		r = find_group(condition->text, &id);
		if (r)
			return r;
		key.a = id;
		break;
	default:
		return -EINVAL;
	}
	*ret_key = key;
	return 0;
}

static const char *condition_word(uint32_t dim)
{
	switch (dim) {
	case DIM_EXE:
		return "executable";
	case DIM_GROUP:
		return "group";
	case DIM_USER:
	case DIM_LOGIN:
		return "user";
	}
	return "condition";
}

static struct compiled_subject *subject_find(struct compiled_subject *subjects,
					     size_t n,
					     const struct subject_key *key)
{
	size_t i;

	for (i = 0; i < n; i++)
		if (subjects[i].key.dim == key->dim &&
		    subjects[i].key.a == key->a && subjects[i].key.b == key->b)
			return &subjects[i];
	return NULL;
}

/*
 * All keys of subjects with their sets: the n_fixed that need no host, then
 * what the conditions come to. Said are those that nothing can meet.
 */
int guard_subjects_resolve(struct guard *guard,
			   const struct compiled_subject *fixed, size_t n_fixed,
			   const struct compiled_condition *conditions,
			   size_t n_conditions, const struct guard_say *say,
			   struct compiled_subject **ret_subjects,
			   size_t *ret_n, uint32_t *ret_unresolved)
{
	struct compiled_subject *subjects, *found;
	uint32_t unresolved = 0;
	struct subject_key key;
	size_t n = n_fixed, i;
	int r;

	subjects = calloc(n_fixed + n_conditions + 1, sizeof(*subjects));
	if (!subjects)
		return -ENOMEM;
	if (n_fixed)
		memcpy(subjects, fixed, n_fixed * sizeof(*fixed));
	for (i = 0; i < n_conditions; i++) {
		r = resolve_condition(guard, &conditions[i], &key);
		if (r == -ENOMEM) {
			free(subjects);
			return r;
		}
		if (r) {
			unresolved++;
			guard_say(say, GUARD_WARNING,
				  "policy:%u:%u: the %s %s is not known here "
				  "(%s), so no process is this subject until "
				  "it is",
				  conditions[i].pos.line, conditions[i].pos.col,
				  condition_word(conditions[i].dim),
				  conditions[i].text, strerror(-r));
			continue;
		}
		found = subject_find(subjects, n, &key);
		if (!found) {
			found = &subjects[n++];
			found->key = key;
		}
		subject_set_join(&found->set, &conditions[i].set);
	}
	*ret_subjects = subjects;
	*ret_n = n;
	*ret_unresolved = unresolved;
	return 0;
}

/* Executables and accounts: new keys, and whoever was judged is anew. */
int guard_subjects_refresh(struct guard *guard, const struct guard_say *say)
{
	struct compiled_subject *subjects = NULL, *old;
	uint32_t slot = guard->state->generation & 1, unresolved;
	struct subject_key key;
	bool changed = false;
	size_t n, i;
	int r;

	r = guard_subjects_resolve(guard, guard->subjects, guard->n_fixed,
				   guard->conditions, guard->n_conditions, NULL,
				   &subjects, &n, &unresolved);
	if (r)
		return r;
	for (i = 0; i < n && !r; i++) {
		old = subject_find(guard->subjects, guard->n_subjects,
				   &subjects[i].key);
		if (old &&
		    !memcmp(&old->set, &subjects[i].set, sizeof(old->set)))
			continue;
		changed = true;
		r = guard_subjects_write(guard, slot, &subjects[i], 1);
	}
	for (i = 0; i < guard->n_subjects && !r; i++) {
		key = guard->subjects[i].key;
		if (subject_find(subjects, n, &key))
			continue;
		changed = true;
		key.slot = slot;
		r = guard_map_delete(guard, MAP_SUBJECTS, &key);
	}
	if (changed) {
		(void)__atomic_add_fetch(&guard->state->epoch, 1,
					 __ATOMIC_SEQ_CST);
		guard_say(say, GUARD_NOTE,
			  "executables or accounts that the policy names have "
			  "changed; subjects are told apart anew");
	}
	if (r) {
		guard_say(say, GUARD_ERROR,
			  "the subjects cannot be brought up to date (%s); "
			  "apply the policy again",
			  strerror(-r));
		free(subjects);
		return r;
	}
	free(guard->subjects);
	guard->subjects = subjects;
	guard->n_subjects = n;
	return 0;
}
