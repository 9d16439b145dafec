/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Values out of the tree of YAML, for the files that make a struct policy of
 * it: scalars, lists, maps with fixed keys and maps of names.
 *
 * What is wrong goes to the list of errors and sets parser.bad; the caller goes
 * on, so that one run tells an author everything. Unless said otherwise a bad
 * value leaves what it was meant for as it was, int functions return 0 then
 * too, else -ENOMEM, and `what` names the value in messages.
 */
#ifndef CORDON_POLICY_TAKE_H
#define CORDON_POLICY_TAKE_H

#include "array.h"
#include "policy.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "kind.h"
#include "policy_yaml.h"
#include "text.h"

struct parser {
	const char *name; /* of the file */
	struct policy_errors *errs;
	struct policy *policy;
	bool bad;
	size_t n_networks;
};

/* Adds an error at pos. */
void take_fail(struct parser *ps, struct policy_pos pos, const char *format,
	       ...) __attribute__((format(printf, 3, 4)));

/* The text of a node between quotes, for a message. */
struct quoted {
	char s[TEXT_QUOTE_CHARS_MAX];
};

struct quoted take_quote(const struct policy_yaml *node);

/* ---- what the author may have meant ------------------------------------- */

/* Collects candidates for ` (did you mean "X"?)`. */
struct guess {
	const char *word;
	const char *best;
	unsigned int distance;
};

struct hint {
	char s[POLICY_NAME_CHARS_MAX + 24];
};

void guess_try(struct guess *guess, const char *candidate);

/* "" if nothing was near. */
struct hint guess_hint(const struct guess *guess);

/* ---- scalars ------------------------------------------------------------- */

/*
 * The text of a scalar, or NULL after an error. expected says what should stand
 * there.
 */
const char *take_scalar(struct parser *ps, const struct policy_yaml *node,
			const char *what, const char *expected);

/* A text of 1 to max bytes, for free(). */
int take_string(struct parser *ps, const struct policy_yaml *node,
		const char *what, size_t max, char **ret_text);

void take_u64(struct parser *ps, const struct policy_yaml *node,
	      const char *what, uint64_t min, uint64_t max,
	      uint64_t *ret_value);

/* A size in bytes from 1 to 1 MiB. */
void take_size(struct parser *ps, const struct policy_yaml *node,
	       const char *what, uint32_t *ret_bytes);

/* Seconds since the epoch. */
void take_time(struct parser *ps, const struct policy_yaml *node,
	       const char *what, int64_t *ret_s);

/* One of n words; *ret_choice is its index. */
void take_choice(struct parser *ps, const struct policy_yaml *node,
		 const char *what, const char *const *words, size_t n,
		 unsigned int *ret_choice);

void take_mode(struct parser *ps, const struct policy_yaml *node,
	       enum policy_mode *ret_mode);

/* An absolute path in normal form, for free(). */
int take_path(struct parser *ps, const struct policy_yaml *node,
	      const char *what, const char *example, char **ret_path);

/*
 * Sorts them, and refuses each that stands there already. what is in front of
 * it in the message, where is what it may stand in.
 */
void take_once(struct parser *ps, const struct policy_path **all, size_t n,
	       const char *what, const char *where);

/* ---- lists and maps ------------------------------------------------------ */

/*
 * The first member of a list that has 1 to max of them, or NULL after an
 * error.
 */
const struct policy_yaml *take_list(struct parser *ps,
				    const struct policy_yaml *node,
				    const char *what, size_t max,
				    const char *example);

/* Is it a map? Else that is an error. */
bool take_map(struct parser *ps, const struct policy_yaml *node,
	      const char *what, const char *expected);

/* False after an error: it begins as another kind of file than this one. */
bool take_kind(struct parser *ps, const struct policy_yaml *root,
	       enum kind kind);

struct take_key {
	const char *name;
	const char *example; /* of a required key */
};

/* What a map of at most 16 fixed keys is called in messages, and its keys. */
struct take_schema {
	const char *what;
	const struct take_key *keys;
	size_t n_keys;
};

/*
 * Sorts the values of a map by the schema's keys: values[i] is that of key i,
 * NULL if it is not there. False if node is no map.
 */
bool take_keys(struct parser *ps, const struct policy_yaml *node,
	       const struct take_schema *schema,
	       const struct policy_yaml **values);

/*
 * The name of a new dataset, subject or destination (what); the place of one of
 * that name that came before is in earlier, or NULL. -EINVAL after an error.
 */
int take_name(struct parser *ps, const struct policy_yaml *key,
	      const char *what, const struct policy_pos *earlier,
	      char **ret_name, struct policy_pos *ret_pos);

/* The number of entries to read from a map: at most max, more are an error. */
size_t take_count(struct parser *ps, const struct policy_yaml *node,
		  const char *what, size_t max);

/*
 * The first key of a map of names, and the number of entries to read from it;
 * NULL and 0 if it is empty, not there (node NULL) or, after an error, no map.
 */
const struct policy_yaml *take_names(struct parser *ps,
				     const struct policy_yaml *node,
				     const char *what, const char *expected,
				     size_t max, size_t *ret_n);

/* ---- budgets (policy_budget.c) ------------------------------------------- */

/* `none`, `unlimited`, a limit, or a list of one of records and one of bytes */
void take_budget(struct parser *ps, const struct policy_yaml *node,
		 struct policy_budget *budget);

/* One limit of bytes. */
#define TAKE_CAP_EXAMPLE "\"cap: 64 KiB/hour\""
void take_cap(struct parser *ps, const struct policy_yaml *node,
	      struct policy_budget *budget);

/* ---- presets (policy_preset.c) ------------------------------------------- */

#define TAKE_PRESETS_MAX 16

/*
 * Which of the presets are asked for, and where; line 0: not this one. Those of
 * files stand behind those of subjects.
 */
struct take_presets {
	struct policy_pos pos[TAKE_PRESETS_MAX];
	size_t n_subjects;
	size_t n_quiet;
};

/* The list of their names; node may be NULL. */
void take_presets(struct parser *ps, const struct policy_yaml *node,
		  struct take_presets *ret_presets);

/* Is it a name that only a preset may have? */
bool preset_is_name(const char *name);

/*
 * Adds their subjects behind the file's own in policy.subjects, which has room
 * for presets->n_subjects more.
 */
int preset_add_subjects(struct policy *policy,
			const struct take_presets *presets);

/* The same for quiet files, n_quiet and policy.quiet. */
int preset_add_quiet(struct policy *policy, const struct take_presets *presets);

/* ---- destinations (policy_destination.c) --------------------------------- */

/* The map of them, or NULL; entry 0 is "*" all the same. */
int take_destinations(struct parser *ps, const struct policy_yaml *node);

/* Then: does each network with its ports, and all else, lead to one of them? */
int check_destinations(struct parser *ps);

#endif
