// SPDX-License-Identifier: GPL-2.0-only
#include "state.h"

#include "array.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <jansson.h>
#include <libgen.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define FORMAT	   3
#define FORMAT_OLD 2 /* without "latest_s" */

/* Longest window of a policy, with room: no sum below can overflow. */
#define PART_NS_MAX (1ULL << 60)

void state_release(struct state *state)
{
	registry_release(&state->names);
	free(state->budgets);
	memset(state, 0, sizeof(*state));
}

static int append(struct state *state, const struct state_budget *budget)
{
	struct state_budget *budgets;

	budgets =
		array_grow(state->budgets, state->n_budgets, sizeof(*budgets));
	if (!budgets)
		return -ENOMEM;
	state->budgets = budgets;
	state->budgets[state->n_budgets++] = *budget;
	return 0;
}

/* ---- clocks ------------------------------------------------------------ */

int state_add_budget(struct state *state, const struct budget_key *key,
		     const struct budget *budget, uint64_t boot_ns,
		     uint64_t wall_ns)
{
	const struct window *w = &budget->window;
	struct state_budget saved = {.key = *key, .part_ns = w->part_ns};
	uint64_t part, end, used;
	int i;

	if (w->part_ns < STATE_WINDOW_NS_MIN / WINDOW_PARTS || !w->total)
		return 0;
	saved.refused = budget->refused;
	for (i = 0; i < WINDOW_RING; i++) {
		/* Below 0 when it is from before the boot: it wraps, so
		 * its place in the ring is not that number's. */
		part = w->latest - (uint64_t)i;
		used = w->used[(w->latest + WINDOW_RING - (uint64_t)i) %
			       WINDOW_RING];
		if (!used)
			continue;
		/* Nothing was used after now, and now is in the part. */
		end = (part + 1) * w->part_ns;
		if ((int64_t)(boot_ns - end) < 0)
			end = wall_ns + 1;
		else
			end = wall_ns - (boot_ns - end);
		saved.parts[saved.n_parts++] =
			(struct state_part){.end_ns = end, .used = used};
	}
	return append(state, &saved);
}

void state_window(const struct state *state, const struct state_budget *budget,
		  uint64_t boot_ns, uint64_t wall_ns, struct window *ret_window)
{
	uint64_t part_ns = budget->part_ns, into, age, back;
	struct window w = {.part_ns = part_ns, .latest = boot_ns / part_ns};
	size_t i;

	/* Set back while the host was down: no time went by. */
	if (wall_ns < state->saved_ns)
		wall_ns = state->saved_ns;
	into = boot_ns % part_ns;
	for (i = 0; i < budget->n_parts; i++) {
		const struct state_part *part = &budget->parts[i];

		/* The part's last moment, and how many parts ago that is. */
		age = part->end_ns > wall_ns ? 0 : wall_ns - part->end_ns + 1;
		back = age <= into ? 0 : (age - into - 1) / part_ns + 1;
		if (back >= WINDOW_RING)
			continue;
		w.used[(w.latest + WINDOW_RING - back) % WINDOW_RING] +=
			part->used;
		w.total += part->used;
	}
	*ret_window = w;
}

/* ---- writing ----------------------------------------------------------- */

/* JSON has no more than 63 bits for us; nothing real comes near. */
static json_t *number(uint64_t n)
{
	return json_integer(n > INT64_MAX ? INT64_MAX : (json_int_t)n);
}

static json_t *budget_json(const struct state_budget *budget)
{
	const struct budget_key *key = &budget->key;
	json_t *parts, *json;
	size_t i;

	parts = json_array();
	for (i = 0; i < budget->n_parts; i++)
		if (json_array_append_new(
			    parts,
			    json_pack("[o, o]", number(budget->parts[i].end_ns),
				      number(budget->parts[i].used))))
			goto fail;
	json = json_pack("{s:o, s:o, s:o, s:o, s:o, s:o, s:o}", "rule",
			 number(key->rule), "who", number(key->who), "dest",
			 number(key->dest), "dataset", number(key->dataset),
			 "unit", number(key->unit), "part_ns",
			 number(budget->part_ns), "refused",
			 number(budget->refused));
	if (json && !json_object_set(json, "parts", parts)) {
		json_decref(parts);
		return json;
	}
	json_decref(json);
fail:
	json_decref(parts);
	return NULL;
}

static json_t *state_json(const struct state *state)
{
	json_t *names = json_array(), *budgets = json_array(), *json;
	const struct registry_name *name;
	size_t i;

	for (i = 0; i < state->names.n; i++) {
		name = &state->names.names[i];
		if (json_array_append_new(
			    names, json_pack("[o, o, s]", number(name->kind),
					     number(name->id), name->text)))
			goto fail;
	}
	for (i = 0; i < state->n_budgets; i++)
		if (json_array_append_new(budgets,
					  budget_json(&state->budgets[i])))
			goto fail;
	json = json_pack("{s:i, s:o, s:o, s:o, s:O, s:O}", "cordon-state",
			 FORMAT, "saved_ns", number(state->saved_ns),
			 "policy_serial", number(state->policy_serial),
			 "latest_s", number(state->latest_s), "names", names,
			 "budgets", budgets);
	json_decref(names);
	json_decref(budgets);
	return json;
fail:
	json_decref(names);
	json_decref(budgets);
	return NULL;
}

int state_sync_dir(const char *path)
{
	char copy[PATH_MAX];
	int fd, r = 0;

	(void)snprintf(copy, sizeof(copy), "%s", path);
	fd = open(dirname(copy), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	if (fsync(fd) < 0)
		r = -errno;
	(void)close(fd);
	return r;
}

static int write_all(int fd, const void *bytes, size_t len)
{
	const char *text = bytes;
	ssize_t n;

	while (len) {
		n = write(fd, text, len);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		text += n;
		len -= (size_t)n;
	}
	return fsync(fd) < 0 ? -errno : 0;
}

int state_put_new(const char *path, mode_t mode, const void *bytes, size_t len)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode);
	int r;

	if (fd < 0)
		return -errno;
	r = write_all(fd, bytes, len);
	if (close(fd) < 0 && !r)
		r = -errno;
	if (r)
		(void)unlink(path);
	return r;
}

int state_put_over(const char *path, const void *bytes, size_t len)
{
	char part[PATH_MAX];
	int r;

	if (snprintf(part, sizeof(part), "%s.part", path) >= (int)sizeof(part))
		return -ENAMETOOLONG;
	(void)unlink(part);
	r = state_put_new(part, 0644, bytes, len);
	if (!r && rename(part, path) < 0) {
		r = -errno;
		(void)unlink(part);
	}
	return r;
}

int state_put(const char *path, const void *bytes, size_t len)
{
	char new[PATH_MAX], old[PATH_MAX];
	int fd, r;

	if (strlen(path) >= PATH_MAX - 5)
		return -ENAMETOOLONG;
	(void)snprintf(new, sizeof(new), "%s.new", path);
	(void)snprintf(old, sizeof(old), "%s.old", path);

	(void)unlink(new);
	fd = open(new, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (fd < 0)
		return -errno;
	r = write_all(fd, bytes, len);
	if (r)
		goto out;
	/* A link, so that path itself is there at every moment. */
	(void)unlink(old);
	if (link(path, old) < 0 && errno != ENOENT) {
		r = -errno;
		goto out;
	}
	if (rename(new, path) < 0) {
		r = -errno;
		goto out;
	}
	r = state_sync_dir(path);
out:
	(void)close(fd);
	if (r)
		(void)unlink(new);
	return r;
}

int state_write(const struct state *state, const char *path)
{
	json_t *json;
	char *text;
	int r;

	json = state_json(state);
	if (!json)
		return -ENOMEM;
	text = json_dumps(json, JSON_COMPACT);
	r = text ? state_put(path, text, strlen(text)) : -ENOMEM;
	free(text);
	json_decref(json);
	return r;
}

/* ---- reading ----------------------------------------------------------- */

static int get_u64(const json_t *json, uint64_t max, uint64_t *ret_value)
{
	json_int_t n;

	if (!json_is_integer(json))
		return -EUCLEAN;
	n = json_integer_value(json);
	if (n < 0 || (uint64_t)n > max)
		return -EUCLEAN;
	*ret_value = (uint64_t)n;
	return 0;
}

static int parse_name(struct state *state, const json_t *json)
{
	const char *text;
	uint64_t kind, id;
	int r;

	if (!json_is_array(json) || json_array_size(json) != 3)
		return -EUCLEAN;
	text = json_string_value(json_array_get(json, 2));
	if (!text || get_u64(json_array_get(json, 0), UINT32_MAX, &kind) ||
	    get_u64(json_array_get(json, 1), UINT32_MAX, &id))
		return -EUCLEAN;
	r = registry_add(&state->names, (uint32_t)kind, (uint32_t)id, text);
	return r == -ENOMEM ? r : r ? -EUCLEAN : 0;
}

static int parse_parts(struct state_budget *budget, const json_t *json)
{
	struct state_part *part;
	const json_t *pair;
	uint64_t total = 0;
	size_t i;

	if (!json_is_array(json) || json_array_size(json) > WINDOW_RING)
		return -EUCLEAN;
	for (i = 0; i < json_array_size(json); i++) {
		pair = json_array_get(json, i);
		part = &budget->parts[budget->n_parts++];
		if (!json_is_array(pair) || json_array_size(pair) != 2 ||
		    get_u64(json_array_get(pair, 0), INT64_MAX,
			    &part->end_ns) ||
		    get_u64(json_array_get(pair, 1), INT64_MAX, &part->used) ||
		    part->used > UINT64_MAX - total)
			return -EUCLEAN;
		total += part->used;
	}
	return 0;
}

static int parse_budget(struct state *state, const json_t *json)
{
	struct state_budget budget = {0};
	uint64_t rule, who, dest, dataset, unit;
	int r;

	if (!json_is_object(json) || json_object_size(json) != 8 ||
	    get_u64(json_object_get(json, "rule"), UINT32_MAX, &rule) ||
	    get_u64(json_object_get(json, "who"), UINT32_MAX, &who) ||
	    get_u64(json_object_get(json, "dest"), UINT16_MAX, &dest) ||
	    get_u64(json_object_get(json, "dataset"), CORDON_DATASETS - 1,
		    &dataset) ||
	    get_u64(json_object_get(json, "unit"), UNIT_BYTES, &unit) ||
	    get_u64(json_object_get(json, "part_ns"), PART_NS_MAX,
		    &budget.part_ns) ||
	    get_u64(json_object_get(json, "refused"), INT64_MAX,
		    &budget.refused) ||
	    !budget.part_ns || state->n_budgets >= STATE_BUDGETS_MAX)
		return -EUCLEAN;
	budget.key.rule = (uint32_t)rule;
	budget.key.who = (uint32_t)who;
	budget.key.dest = (uint16_t)dest;
	budget.key.dataset = (uint8_t)dataset;
	budget.key.unit = (uint8_t)unit;
	r = parse_parts(&budget, json_object_get(json, "parts"));
	return r ? r : append(state, &budget);
}

/* What is there but for names and budgets. */
static int parse_head(struct state *state, const json_t *json)
{
	uint64_t format;
	int r;

	r = get_u64(json_object_get(json, "cordon-state"), INT64_MAX, &format);
	if (!r)
		r = get_u64(json_object_get(json, "saved_ns"), INT64_MAX,
			    &state->saved_ns);
	if (!r)
		r = get_u64(json_object_get(json, "policy_serial"), INT64_MAX,
			    &state->policy_serial);
	if (!r && format == FORMAT)
		r = get_u64(json_object_get(json, "latest_s"), INT64_MAX,
			    &state->latest_s);
	if (r)
		return r;
	if (format == FORMAT)
		return json_object_size(json) == 6 ? 0 : -EUCLEAN;
	return format == FORMAT_OLD && json_object_size(json) == 5 ? 0
								   : -EUCLEAN;
}

static int parse_state(struct state *state, const json_t *json, char *why,
		       size_t size)
{
	const json_t *names, *budgets;
	size_t i;
	int r;

	names = json_object_get(json, "names");
	budgets = json_object_get(json, "budgets");
	if (parse_head(state, json) || !json_is_array(names) ||
	    !json_is_array(budgets)) {
		(void)snprintf(why, size, "not a state of format %d", FORMAT);
		return -EUCLEAN;
	}
	for (i = 0; i < json_array_size(names); i++) {
		r = parse_name(state, json_array_get(names, i));
		if (r) {
			(void)snprintf(why, size, "names[%zu] is bad", i);
			return r;
		}
	}
	for (i = 0; i < json_array_size(budgets); i++) {
		r = parse_budget(state, json_array_get(budgets, i));
		if (r) {
			(void)snprintf(why, size, "budgets[%zu] is bad", i);
			return r;
		}
	}
	return 0;
}

static int open_regular(const char *path, size_t max, int *ret_fd,
			size_t *ret_size)
{
	struct stat st;
	int fd, r = 0;

	fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	if (fd < 0)
		return -errno;
	if (fstat(fd, &st) < 0)
		r = -errno;
	else if (!S_ISREG(st.st_mode))
		r = -EUCLEAN;
	else if (st.st_size < 0 || (uint64_t)st.st_size > max)
		r = -EFBIG;
	if (r) {
		(void)close(fd);
		return r;
	}
	*ret_fd = fd;
	*ret_size = (size_t)st.st_size;
	return 0;
}

static int read_some(int fd, char *buf, size_t size, size_t *ret_len)
{
	size_t len = 0;
	ssize_t n;

	while (len < size) {
		n = read(fd, buf + len, size - len);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		if (!n)
			break;
		len += (size_t)n;
	}
	*ret_len = len;
	return 0;
}

int state_get_into(const char *path, char *buf, size_t max, size_t *ret_len)
{
	size_t size;
	int fd, r;

	r = open_regular(path, max, &fd, &size);
	if (r)
		return r;
	r = read_some(fd, buf, size, ret_len);
	(void)close(fd);
	return r;
}

int state_get(const char *path, size_t max, char **ret_bytes, size_t *ret_len)
{
	char *text = NULL;
	size_t size;
	int fd, r;

	r = open_regular(path, max, &fd, &size);
	if (r)
		return r;
	text = malloc(size + 1);
	r = text ? read_some(fd, text, size, ret_len) : -ENOMEM;
	if (r)
		free(text);
	else
		*ret_bytes = text;
	(void)close(fd);
	return r;
}

int state_read(const char *path, struct state *ret_state, char *why,
	       size_t size)
{
	struct state state = {0};
	json_error_t error;
	json_t *json = NULL;
	char *text = NULL;
	size_t len;
	int r;

	(void)snprintf(why, size, "cannot be read");
	r = state_get(path, STATE_FILE_BYTES_MAX, &text, &len);
	if (r)
		return r;
	json = json_loadb(text, len, JSON_REJECT_DUPLICATES, &error);
	free(text);
	if (!json) {
		(void)snprintf(why, size, "line %d, column %d: %s", error.line,
			       error.column, error.text);
		return json_error_code(&error) == json_error_out_of_memory
			       ? -ENOMEM
			       : -EUCLEAN;
	}
	r = parse_state(&state, json, why, size);
	json_decref(json);
	if (r) {
		state_release(&state);
		return r;
	}
	*ret_state = state;
	return 0;
}
