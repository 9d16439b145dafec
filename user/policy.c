// SPDX-License-Identifier: GPL-2.0-only
#include "policy.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <fnmatch.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <linux/bpf.h>

#include "abi.h"
#include "log.h"
#include "text.h"

/* What an error shows of a file's name: the end of it, where it differs. */
#define NAME_SHOWN_MAX 200

static const struct policy_budget budget_none;

/* ---- errors ------------------------------------------------------------ */

void policy_errors_init(struct policy_errors *errs)
{
	if (!errs)
		return;
	errs->n = 0;
	errs->n_dropped = 0;
}

const char *policy_errors_why(const struct policy_errors *errs, int r)
{
	return errs && errs->n ? errs->v[0].text : strerror(-r);
}

void policy_errors_add(struct policy_errors *errs, const char *name,
		       struct policy_pos pos, const char *format, ...)
{
	struct policy_error *error;
	const char *dots = "";
	va_list ap;
	int used = 0;

	if (!errs)
		return;
	if (errs->n == POLICY_ERRORS_MAX) {
		errs->n_dropped++;
		return;
	}
	error = &errs->v[errs->n++];
	error->pos = pos;
	error->text[0] = '\0';

	if (name && strlen(name) > NAME_SHOWN_MAX) {
		name += strlen(name) - NAME_SHOWN_MAX;
		dots = "...";
	}
	if (name && pos.line)
		used = snprintf(error->text, sizeof(error->text),
				"%s%s:%" PRIu32 ":%" PRIu32 ": ", dots, name,
				pos.line, pos.col);
	else if (name)
		used = snprintf(error->text, sizeof(error->text),
				"%s%s: ", dots, name);
	if (used < 0)
		used = 0;
	va_start(ap, format);
	(void)vsnprintf(error->text + used, sizeof(error->text) - (size_t)used,
			format, ap);
	va_end(ap);
	log_clean(error->text);
}

/* ---- reading and freeing ----------------------------------------------- */

/* Reads to the end of file, at most POLICY_FILE_BYTES_MAX. */
static int read_all(int fd, size_t size_hint, char **ret_buf, size_t *ret_len)
{
	size_t size = size_hint + 2, len = 0;
	char *buf, *bigger;
	ssize_t n;
	int r;

	buf = malloc(size);
	if (!buf)
		return -ENOMEM;
	for (;;) {
		if (len + 1 == size) {
			size *= 2;
			bigger = realloc(buf, size);
			if (!bigger) {
				r = -ENOMEM;
				goto out;
			}
			buf = bigger;
		}
		n = read(fd, buf + len, size - len - 1);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0) {
			r = -errno;
			goto out;
		}
		if (n == 0)
			break;
		len += (size_t)n;
		if (len > POLICY_FILE_BYTES_MAX) {
			r = -E2BIG;
			goto out;
		}
	}
	buf[len] = '\0';
	*ret_buf = buf;
	*ret_len = len;
	buf = NULL;
	r = 0;
out:
	free(buf);
	return r;
}

static void report_read(struct policy_errors *errs, const char *path, int r)
{
	const struct policy_pos nowhere = {0, 0};

	if (r == -E2BIG)
		policy_errors_add(errs, path, nowhere,
				  "more than 16 MiB; expected a policy of at "
				  "most that size");
	else if (r == -EINVAL)
		policy_errors_add(errs, path, nowhere,
				  "not a regular file; expected a policy");
	else if (r != -ENOMEM)
		policy_errors_add(errs, path, nowhere,
				  "cannot be read: %s; expected a readable "
				  "file",
				  strerrordesc_np(-r));
}

static int read_regular(int fd, void **ret_buf, size_t *ret_len)
{
	struct stat st;
	char *buf = NULL;
	int r;

	if (fstat(fd, &st) < 0)
		return -errno;
	if (!S_ISREG(st.st_mode))
		return -EINVAL;
	if (st.st_size > (off_t)POLICY_FILE_BYTES_MAX)
		return -E2BIG;
	r = read_all(fd, (size_t)st.st_size, &buf, ret_len);
	if (!r)
		*ret_buf = buf;
	return r;
}

int policy_read_fd(int fd, const char *name, void **ret_buf, size_t *ret_len,
		   struct policy_errors *errs)
{
	int r;

	policy_errors_init(errs);
	r = read_regular(fd, ret_buf, ret_len);
	if (r)
		report_read(errs, name, r);
	return r;
}

int policy_read(const char *path, void **ret_buf, size_t *ret_len,
		struct policy_errors *errs)
{
	int fd, r;

	/* O_NONBLOCK: a FIFO must not hold us up before we see what it is */
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	if (fd < 0) {
		r = -errno;
		policy_errors_init(errs);
		report_read(errs, path, r);
		return r;
	}
	r = policy_read_fd(fd, path, ret_buf, ret_len, errs);
	(void)close(fd);
	return r;
}

int policy_load(const char *path, struct policy **ret_policy,
		struct policy_errors *errs)
{
	void *buf = NULL;
	size_t len = 0;
	int r;

	r = policy_read(path, &buf, &len, errs);
	if (r)
		return r;
	r = policy_parse(path, buf, len, ret_policy, errs);
	free(buf);
	return r;
}

static void free_paths(struct policy_path *paths, size_t n)
{
	for (size_t i = 0; i < n; i++)
		free(paths[i].path);
	free(paths);
}

static void free_dataset(struct policy_dataset *dataset)
{
	free_paths(dataset->paths, dataset->n_paths);
	free(dataset->classification);
	free(dataset->name);
}

static void free_subject(struct policy_subject *subject)
{
	free(subject->name);
	free(subject->unit);
	free(subject->cgroup);
	free(subject->exe);
	free(subject->user.name);
	free(subject->group.name);
	free(subject->login_user.name);
}

static void free_quiet(struct policy_quiet *quiet)
{
	free_paths(quiet->paths, quiet->n_paths);
	free(quiet->name);
}

static void free_destination(struct policy_destination *destination)
{
	free(destination->name);
	free(destination->networks);
	free(destination->ports);
	for (size_t i = 0; i < POLICY_WAYS; i++)
		free_paths(destination->ways[i].v, destination->ways[i].n);
}

void policy_free(struct policy *policy)
{
	if (!policy)
		return;
	for (size_t i = 0; i < policy->n_hosts; i++)
		free(policy->hosts[i].glob);
	for (size_t i = 0; i < policy->n_datasets; i++)
		free_dataset(&policy->datasets[i]);
	for (size_t i = 0; i < policy->n_subjects; i++)
		free_subject(&policy->subjects[i]);
	for (size_t i = 0; i < policy->n_quiet; i++)
		free_quiet(&policy->quiet[i]);
	for (size_t i = 0; i < policy->n_destinations; i++)
		free_destination(&policy->destinations[i]);
	for (size_t i = 0; i < policy->n_rules; i++)
		free(policy->rules[i].releases);
	free(policy->issuer);
	free(policy->hosts);
	free(policy->datasets);
	free(policy->subjects);
	free(policy->quiet);
	free(policy->destinations);
	free(policy->rules);
	free(policy->rule_order);
	free(policy->subject_order);
	free(policy);
}

/* ---- looking up -------------------------------------------------------- */

bool policy_same_account(const struct policy_account *a,
			 const struct policy_account *b)
{
	if (!a->set || a->is_id != b->is_id)
		return false;
	return a->is_id ? a->id == b->id : strcmp(a->name, b->name) == 0;
}

bool policy_login_implies(const struct policy_subject *a,
			  const struct policy_subject *b)
{
	switch (b->login) {
	case POLICY_LOGIN_UNSET:
		return true;
	case POLICY_LOGIN_ANY:
		return a->login == POLICY_LOGIN_ANY ||
		       a->login == POLICY_LOGIN_USER;
	case POLICY_LOGIN_NONE:
		return a->login == POLICY_LOGIN_NONE;
	case POLICY_LOGIN_USER:
		return a->login == POLICY_LOGIN_USER &&
		       policy_same_account(&a->login_user, &b->login_user);
	}
	return false;
}

bool policy_covers_host(const struct policy *policy, const char *hostname)
{
	char name[POLICY_HOST_CHARS_MAX + 1];
	size_t len = strlen(hostname);

	if (len > 0 && hostname[len - 1] == '.')
		len--;
	if (len == 0 || len > POLICY_HOST_CHARS_MAX)
		return false;
	memcpy(name, hostname, len);
	name[len] = '\0';
	for (size_t i = 0; i < policy->n_hosts; i++)
		if (fnmatch(policy->hosts[i].glob, name, FNM_CASEFOLD) == 0)
			return true;
	return false;
}

int policy_find_dataset(const struct policy *policy, const char *name,
			uint32_t *ret_dataset)
{
	if (strcmp(name, "*") == 0) {
		*ret_dataset = POLICY_ANY_DATASET;
		return 0;
	}
	for (uint32_t i = 0; i < policy->n_datasets; i++) {
		if (strcmp(policy->datasets[i].name, name) == 0) {
			*ret_dataset = i;
			return 0;
		}
	}
	return -ENOENT;
}

int policy_find_quiet(const struct policy *policy, const char *name,
		      uint32_t *ret_quiet)
{
	for (uint32_t i = 0; i < policy->n_quiet; i++) {
		if (strcmp(policy->quiet[i].name, name) == 0) {
			*ret_quiet = i;
			return 0;
		}
	}
	return -ENOENT;
}

int policy_find_subject(const struct policy *policy, const char *name,
			uint32_t *ret_subject)
{
	for (uint32_t i = 0; i < policy->n_subjects; i++) {
		if (strcmp(policy->subjects[i].name, name) == 0) {
			*ret_subject = i;
			return 0;
		}
	}
	return -ENOENT;
}

int policy_find_destination(const struct policy *policy, const char *name,
			    uint32_t *ret_destination)
{
	for (uint32_t i = 0; i < policy->n_destinations; i++) {
		if (strcmp(policy->destinations[i].name, name) == 0) {
			*ret_destination = i;
			return 0;
		}
	}
	return -ENOENT;
}

static bool has_port(const struct policy_destination *destination,
		     uint16_t port)
{
	if (destination->n_ports == 0 || port == 0)
		return true;
	for (size_t i = 0; i < destination->n_ports; i++)
		if (port >= destination->ports[i].first &&
		    port <= destination->ports[i].last)
			return true;
	return false;
}

static bool in_network(const struct policy_network *network,
		       const uint8_t addr[16])
{
	unsigned int n = network->prefix_len / 8;
	unsigned int rest = network->prefix_len % 8;

	if (memcmp(network->addr, addr, n) != 0)
		return false;
	return rest == 0 || ((network->addr[n] ^ addr[n]) >> (8 - rest)) == 0;
}

uint32_t policy_match_address(const struct policy *policy,
			      const uint8_t addr[16], uint16_t port)
{
	const struct policy_destination *destination;
	const struct policy_network *network;
	uint32_t best = POLICY_ANYWHERE;
	int best_len = -1;

	for (uint32_t i = 1; i < policy->n_destinations; i++) {
		destination = &policy->destinations[i];
		if (!has_port(destination, port))
			continue;
		for (size_t j = 0; j < destination->n_networks; j++) {
			network = &destination->networks[j];
			if (network->prefix_len <= best_len ||
			    !in_network(network, addr))
				continue;
			best_len = network->prefix_len;
			best = i;
		}
	}
	return best;
}

#define FS_NAME(name, magic) name,

const char *const policy_file_systems[] = {CORDON_REMOTE_FS(FS_NAME)};
const size_t policy_n_file_systems =
	sizeof(policy_file_systems) / sizeof(policy_file_systems[0]);

static bool is_file_system(const char *name)
{
	for (size_t i = 0; i < policy_n_file_systems; i++)
		if (strcmp(policy_file_systems[i], name) == 0)
			return true;
	return false;
}

/* How much of path the way covers: its length, or 0 for nothing. */
static size_t way_covers(enum policy_way kind, const char *way,
			 const char *text)
{
	size_t len = strlen(way);

	if (strncmp(way, text, len) != 0)
		return 0;
	if (text[len] == '\0')
		return len;
	return kind == POLICY_MOUNTS && text[len] == '/' ? len : 0;
}

int policy_match_way(const struct policy *policy, const char *text,
		     uint32_t *ret_destination)
{
	const struct policy_ways *ways;
	size_t best = 0, len;
	uint32_t found = POLICY_ANYWHERE;

	for (uint32_t i = 1; i < policy->n_destinations; i++) {
		for (enum policy_way kind = 0; kind < POLICY_WAYS; kind++) {
			ways = &policy->destinations[i].ways[kind];
			for (size_t j = 0; j < ways->n; j++) {
				len = way_covers(kind, ways->v[j].path, text);
				if (len <= best)
					continue;
				best = len;
				found = i;
			}
		}
	}
	if (!best && !is_file_system(text))
		return -ENOENT;
	*ret_destination = found;
	return 0;
}

const struct policy_budget *policy_rule_release(const struct policy_rule *rule,
						uint32_t destination)
{
	const struct policy_budget *budget = &budget_none;

	for (size_t i = 0; i < rule->n_releases; i++) {
		if (rule->releases[i].destination == destination)
			return &rule->releases[i].budget;
		if (rule->releases[i].destination == POLICY_ANYWHERE)
			budget = &rule->releases[i].budget;
	}
	return budget;
}

/* ---- who matches ------------------------------------------------------- */

static bool has_suffix(const char *s, size_t len, const char *suffix)
{
	size_t n = strlen(suffix);

	return len > n && memcmp(s + len - n, suffix, n) == 0;
}

/*
 * Below its first unit that is no slice, a cgroup's tree may be delegated: a
 * user's own service manager can make a backup.service there. Only the names
 * down to that unit are the system's word.
 */
static bool cgroup_has_unit(const char *cgroup, const char *unit)
{
	size_t unit_len = strlen(unit), len;

	while (*cgroup == '/') {
		cgroup++;
		len = strcspn(cgroup, "/");
		if (len == unit_len && memcmp(cgroup, unit, len) == 0)
			return true;
		if (!has_suffix(cgroup, len, ".slice"))
			return false;
		cgroup += len;
	}
	return false;
}

static bool cgroup_is_below(const char *cgroup, const char *above)
{
	size_t len = strlen(above);

	return strncmp(cgroup, above, len) == 0 &&
	       (cgroup[len] == '\0' || cgroup[len] == '/');
}

static bool account_is(const struct policy_account *account, const char *text)
{
	uint64_t id;

	if (!account->is_id)
		return strcmp(account->name, text) == 0;
	return !text_parse_u64(text, 0, UINT32_MAX, &id) && id == account->id;
}

static bool account_is_one_of(const struct policy_account *account,
			      const char *list)
{
	char text[POLICY_ACCOUNT_CHARS_MAX + 1];
	size_t len;

	for (;;) {
		len = strcspn(list, ",");
		if (len < sizeof(text)) {
			memcpy(text, list, len);
			text[len] = '\0';
			if (account_is(account, text))
				return true;
		}
		if (list[len] == '\0')
			return false;
		list += len + 1;
	}
}

static bool login_matches(const struct policy_subject *subject,
			  const char *login)
{
	bool nobody = strcmp(login, "none") == 0;

	switch (subject->login) {
	case POLICY_LOGIN_UNSET:
		return true;
	case POLICY_LOGIN_ANY:
		return !nobody;
	case POLICY_LOGIN_NONE:
		return nobody;
	case POLICY_LOGIN_USER:
		return !nobody && account_is(&subject->login_user, login);
	}
	return false;
}

unsigned int policy_subject_misses(const struct policy_subject *subject,
				   const struct policy_actor *actor)
{
	unsigned int misses = 0;

	if (subject->unit &&
	    !(actor->unit && strcmp(subject->unit, actor->unit) == 0) &&
	    !(actor->cgroup && cgroup_has_unit(actor->cgroup, subject->unit)))
		misses |= POLICY_COND_UNIT;
	if (subject->cgroup &&
	    !(actor->cgroup && cgroup_is_below(actor->cgroup, subject->cgroup)))
		misses |= POLICY_COND_CGROUP;
	if (subject->exe &&
	    !(actor->exe && strcmp(subject->exe, actor->exe) == 0))
		misses |= POLICY_COND_EXE;
	if (subject->user.set &&
	    !(actor->user && account_is(&subject->user, actor->user)))
		misses |= POLICY_COND_USER;
	if (subject->group.set &&
	    !(actor->group && account_is_one_of(&subject->group, actor->group)))
		misses |= POLICY_COND_GROUP;
	if (subject->login != POLICY_LOGIN_UNSET &&
	    !(actor->login && login_matches(subject, actor->login)))
		misses |= POLICY_COND_LOGIN;
	return misses;
}

/* ---- explaining -------------------------------------------------------- */

/*
 * ADDRESS, ADDRESS:PORT or [V6ADDRESS]:PORT; port 0 if there is none. -EINVAL:
 * the port is bad; -ENOENT: not an address at all.
 */
static int parse_address(const char *text, uint8_t ret_addr[16],
			 uint16_t *ret_port)
{
	const char *colon = strchr(text, ':'), *end;
	char address[INET6_ADDRSTRLEN];
	const char *port = NULL;
	uint64_t number = 0;
	uint8_t addr[16] = {[10] = 0xff, [11] = 0xff};

	end = text + strlen(text);
	if (*text == '[') {
		text++;
		end = strchr(text, ']');
		if (!end || (end[1] != '\0' && end[1] != ':'))
			return -ENOENT;
		port = end[1] == ':' ? end + 2 : NULL;
	} else if (colon && !strchr(colon + 1, ':')) {
		end = colon;
		port = colon + 1;
	}
	if ((size_t)(end - text) >= sizeof(address))
		return -ENOENT;
	memcpy(address, text, (size_t)(end - text));
	address[end - text] = '\0';
	if (inet_pton(AF_INET, address, addr + 12) != 1 &&
	    inet_pton(AF_INET6, address, addr) != 1)
		return -ENOENT;
	if (port && text_parse_u64(port, 1, UINT16_MAX, &number))
		return -EINVAL;

	memcpy(ret_addr, addr, sizeof(addr));
	*ret_port = (uint16_t)number;
	return 0;
}

static int find_where(const struct policy *policy, const char *text,
		      uint32_t *ret_destination, struct policy_errors *errs)
{
	const struct policy_pos nowhere = {0, 0};
	char quoted[TEXT_QUOTE_CHARS_MAX];
	uint8_t addr[16];
	uint16_t port;
	int r;

	if (!policy_find_destination(policy, text, ret_destination) ||
	    !policy_match_way(policy, text, ret_destination))
		return 0;
	r = parse_address(text, addr, &port);
	if (!r) {
		*ret_destination = policy_match_address(policy, addr, port);
		return 0;
	}
	text_quote(text, strlen(text), quoted, sizeof(quoted));
	if (r == -EINVAL)
		policy_errors_add(errs, NULL, nowhere,
				  "the port of %s is bad; expected 1 to 65535",
				  quoted);
	else
		policy_errors_add(errs, NULL, nowhere,
				  "unknown destination %s; expected a name "
				  "from the policy, \"*\", ADDRESS, "
				  "ADDRESS:PORT, [V6ADDRESS]:PORT, a kind of "
				  "file system, or a path of a destination",
				  quoted);
	return r;
}

static int find_data(const struct policy *policy, const char *name,
		     uint32_t *ret_dataset, struct policy_errors *errs)
{
	const struct policy_pos nowhere = {0, 0};
	char quoted[TEXT_QUOTE_CHARS_MAX];
	uint32_t dataset;

	if (!policy_find_dataset(policy, name, &dataset) &&
	    dataset != POLICY_ANY_DATASET) {
		*ret_dataset = dataset;
		return 0;
	}
	text_quote(name, strlen(name), quoted, sizeof(quoted));
	policy_errors_add(errs, NULL, nowhere,
			  "unknown dataset %s; expected a name from the policy",
			  quoted);
	return -ENOENT;
}

/* Fills .subjects, which has room for all, and .declassifier. */
static void explain_subjects(const struct policy *policy,
			     const struct policy_actor *actor,
			     struct policy_explanation *e)
{
	uint32_t subject;

	for (size_t i = 0; i < policy->n_subjects; i++) {
		subject = policy->subject_order[i];
		if (policy_subject_misses(&policy->subjects[subject], actor))
			continue;
		e->subjects[e->n_subjects++] = subject;
		if (policy->subjects[subject].declassifier &&
		    e->declassifier == POLICY_NO_DECLASSIFIER)
			e->declassifier = subject;
	}
}

static enum policy_why why_lost(const struct policy *policy,
				const struct policy_rule *rule,
				const struct policy_rule *winner)
{
	if (policy->subjects[rule->subject].specificity <
	    policy->subjects[winner->subject].specificity)
		return POLICY_WHY_LESS_SPECIFIC;
	return rule->subject == winner->subject ? POLICY_WHY_LATER_RULE
						: POLICY_WHY_LATER_SUBJECT;
}

/* Fills .candidates, which has room for all, and .rule. */
static void explain_rules(const struct policy *policy,
			  const struct policy_actor *actor,
			  struct policy_explanation *e)
{
	struct policy_candidate *candidate;
	const struct policy_rule *rule;

	for (size_t i = 0; i < policy->n_rules; i++) {
		candidate = &e->candidates[e->n_candidates++];
		candidate->rule = policy->rule_order[i];
		rule = &policy->rules[candidate->rule];
		candidate->misses = policy_subject_misses(
			&policy->subjects[rule->subject], actor);
		if (candidate->misses) {
			candidate->why = POLICY_WHY_SUBJECT;
		} else if (rule->dataset != POLICY_ANY_DATASET &&
			   rule->dataset != e->dataset) {
			candidate->why = POLICY_WHY_DATASET;
		} else if (e->rule == POLICY_NO_RULE) {
			candidate->why = POLICY_WHY_WINS;
			e->rule = candidate->rule;
		} else {
			candidate->why =
				why_lost(policy, rule, &policy->rules[e->rule]);
		}
	}
}

static void explain_decision(const struct policy *policy,
			     struct policy_explanation *e)
{
	const struct policy_rule *rule;

	if (e->rule == POLICY_NO_RULE) {
		e->action = POLICY_BLOCK;
		e->mode = policy->mode;
		return; /* budgets of none, per host: all 0 */
	}
	rule = &policy->rules[e->rule];
	e->action = rule->action;
	/* A policy that observes denies nothing, whatever its rules say. */
	e->mode = policy->mode == POLICY_OBSERVE ? POLICY_OBSERVE : rule->mode;
	e->per = rule->per;
	e->read = rule->read;
	if (e->has_destination)
		e->release = *policy_rule_release(rule, e->destination);
}

int policy_explain(const struct policy *policy,
		   const struct policy_actor *actor, const char *dataset,
		   const char *destination,
		   struct policy_explanation **ret_explanation,
		   struct policy_errors *errs)
{
	struct policy_explanation *e;
	int r;

	policy_errors_init(errs);
	e = calloc(1, sizeof(*e));
	if (!e)
		return -ENOMEM;
	e->rule = POLICY_NO_RULE;
	e->declassifier = POLICY_NO_DECLASSIFIER;
	r = find_data(policy, dataset, &e->dataset, errs);
	if (r)
		goto out;
	if (destination) {
		r = find_where(policy, destination, &e->destination, errs);
		if (r)
			goto out;
		e->has_destination = true;
	}
	e->subjects = calloc(policy->n_subjects, sizeof(*e->subjects));
	e->candidates = calloc(policy->n_rules + 1, sizeof(*e->candidates));
	if (!e->subjects || !e->candidates) {
		r = -ENOMEM;
		goto out;
	}
	explain_subjects(policy, actor, e);
	explain_rules(policy, actor, e);
	explain_decision(policy, e);
	*ret_explanation = e;
	e = NULL;
out:
	policy_explanation_free(e);
	return r;
}

void policy_explanation_free(struct policy_explanation *explanation)
{
	if (!explanation)
		return;
	free(explanation->subjects);
	free(explanation->candidates);
	free(explanation);
}

/* ---- in words ---------------------------------------------------------- */

void policy_quiet_format(const struct policy_quiet *quiet, char *buf,
			 size_t size)
{
	const char *path = quiet->paths[0].path;

	if (quiet->n_paths == 1)
		(void)snprintf(buf, size, "%s", path);
	else
		(void)snprintf(buf, size, "%.128s and %zu more", path,
			       quiet->n_paths - 1);
}

static void format_misses(unsigned int misses, char *buf, size_t size)
{
	static const char *const words[] = {
		"unit", "cgroup", "exe", "user", "group", "login",
	};
	size_t used = 0;
	int r;

	buf[0] = '\0';
	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
		if (!(misses & 1U << i) || used >= size)
			continue;
		r = snprintf(buf + used, size - used, "%s%s", used ? ", " : "",
			     words[i]);
		used += r > 0 ? (size_t)r : 0;
	}
}

void policy_candidate_format(const struct policy *policy,
			     const struct policy_explanation *explanation,
			     const struct policy_candidate *candidate,
			     char *buf, size_t size)
{
	const struct policy_rule *rule = &policy->rules[candidate->rule];
	const struct policy_subject *subject = &policy->subjects[rule->subject];
	const struct policy_subject *first = subject;
	uint32_t line = rule->pos.line, first_line = line;
	char misses[64];

	if (explanation->rule != POLICY_NO_RULE) {
		first = &policy->subjects[policy->rules[explanation->rule]
						  .subject];
		first_line = policy->rules[explanation->rule].pos.line;
	}
	switch (candidate->why) {
	case POLICY_WHY_WINS:
		(void)snprintf(buf, size,
			       "line %" PRIu32 ": wins: subject %s matches "
			       "(conditions: %" PRIu32 ")",
			       line, subject->name, subject->specificity);
		break;
	case POLICY_WHY_SUBJECT:
		format_misses(candidate->misses, misses, sizeof(misses));
		(void)snprintf(buf, size,
			       "line %" PRIu32 ": subject %s does not match: "
			       "%s",
			       line, subject->name, misses);
		break;
	case POLICY_WHY_DATASET:
		(void)snprintf(buf, size,
			       "line %" PRIu32 ": is about dataset %s", line,
			       policy->datasets[rule->dataset].name);
		break;
	case POLICY_WHY_LESS_SPECIFIC:
		(void)snprintf(buf, size,
			       "line %" PRIu32 ": subject %s is less specific "
			       "(conditions: %" PRIu32 ") than %s (%" PRIu32
			       ") in line %" PRIu32,
			       line, subject->name, subject->specificity,
			       first->name, first->specificity, first_line);
		break;
	case POLICY_WHY_LATER_SUBJECT:
		(void)snprintf(buf, size,
			       "line %" PRIu32 ": subject %s is as specific as "
			       "%s (line %" PRIu32 "), but defined later",
			       line, subject->name, first->name, first_line);
		break;
	case POLICY_WHY_LATER_RULE:
		(void)snprintf(buf, size,
			       "line %" PRIu32 ": the rule in line %" PRIu32
			       " for the same subject comes first",
			       line, first_line);
		break;
	}
}

void policy_budget_format(const struct policy_budget *budget, char *buf,
			  size_t size)
{
	char records[TEXT_NUMBER_CHARS_MAX] = "", window[TEXT_NUMBER_CHARS_MAX];
	char bytes[TEXT_NUMBER_CHARS_MAX] = "";
	char bytes_window[TEXT_NUMBER_CHARS_MAX];
	bool both;

	if (budget->kind != POLICY_BUDGET_LIMITED) {
		(void)snprintf(buf, size, "%s",
			       budget->kind == POLICY_BUDGET_NONE
				       ? "none"
				       : "unlimited");
		return;
	}
	text_format_duration(budget->records_window_ns, window, sizeof(window));
	text_format_duration(budget->bytes_window_ns, bytes_window,
			     sizeof(bytes_window));
	if (budget->records_window_ns)
		(void)snprintf(records, sizeof(records), "%" PRIu64 " record%s",
			       budget->records,
			       budget->records == 1 ? "" : "s");
	if (budget->bytes_window_ns)
		text_format_bytes(budget->bytes, bytes, sizeof(bytes));
	both = budget->records_window_ns && budget->bytes_window_ns;
	(void)snprintf(buf, size, "%s%s%s%s%s%s%s", records,
		       budget->records_window_ns ? "/" : "",
		       budget->records_window_ns ? window : "",
		       both ? " and " : "", bytes,
		       budget->bytes_window_ns ? "/" : "",
		       budget->bytes_window_ns ? bytes_window : "");
}

const char *policy_mode_name(enum policy_mode mode)
{
	return mode == POLICY_ENFORCE ? "enforce" : "observe";
}

const char *policy_action_name(enum policy_action action)
{
	return action == POLICY_BLOCK ? "block" : "alert";
}

const char *policy_per_name(enum policy_per per)
{
	return per == POLICY_PER_HOST ? "host" : "user";
}
