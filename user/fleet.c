// SPDX-License-Identifier: GPL-2.0-only
#include "fleet.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "array.h"
#include "clock.h"
#include "policy_take.h"
#include "policy_yaml.h"
#include "state.h"

#define HOSTS	     "hosts"
#define LOCK	     "lock"
#define RECEIVE_LOCK "receive.lock"

static void path_of(const char *dir, const char *name,
		    char ret_path[FLEET_PATH_MAX])
{
	(void)snprintf(ret_path, FLEET_PATH_MAX, "%s/%s", dir, name);
}

static int make_dir(const char *path)
{
	if (mkdir(path, 0700) == 0)
		return state_sync_dir(path);
	return errno == EEXIST ? 0 : -errno;
}

/* ---- fleet.yaml --------------------------------------------------------- */

static void take_server(struct parser *ps, const struct policy_yaml *node,
			struct fleet *fleet)
{
	static const char expected[] = "tls://HOST or tls://HOST:PORT";
	const char *url = take_scalar(ps, node, "a server", expected);

	if (url && !link_is_server(url))
		take_fail(ps, node->pos, "%s is no server; expected %s",
			  take_quote(node).s, expected);
	else if (url)
		(void)snprintf(fleet->servers[fleet->n_servers++],
			       sizeof(fleet->servers[0]), "%s", url);
}

static void take_servers(struct parser *ps, const struct policy_yaml *node,
			 struct fleet *fleet)
{
	const struct policy_yaml *item;

	item = take_list(ps, node, "servers", LINK_SERVERS_MAX,
			 "[tls://broker.example.org]");
	for (; item; item = item->next)
		take_server(ps, item, fleet);
}

static void take_seal(struct parser *ps, const struct policy_yaml *node,
		      struct fleet *fleet)
{
	static const char expected[] = "44 characters of base64";
	const char *text = take_scalar(ps, node, "seal", expected);

	if (text && seal_public_parse(text, &fleet->seal.public))
		take_fail(ps, node->pos, "%s is no public key; expected %s",
			  take_quote(node).s, expected);
}

static int take_file(struct parser *ps, const struct policy_yaml *node,
		     const char *what, char ret_path[FLEET_PATH_MAX])
{
	char *path = NULL;
	int r;

	if (!node)
		return 0;
	r = take_path(ps, node, what, "/etc/cordon/link/ca.pem", &path);
	if (path && strlen(path) >= FLEET_PATH_MAX)
		take_fail(ps, node->pos, "%s is longer than %d bytes", what,
			  FLEET_PATH_MAX - 1);
	else if (path)
		(void)strcpy(ret_path, path);
	free(path);
	return r;
}

static int take_fleet(struct parser *ps, const struct policy_yaml *root,
		      struct fleet *fleet)
{
	enum { FORMAT, ISSUER, SERVERS, SEAL, CA, CERT, KEY, REPLICAS, N_KEYS };
	static const struct take_key keys[] = {
		[FORMAT] = {"cordon-fleet", "1"},
		[ISSUER] = {"issuer", "Example Police Service"},
		[SERVERS] = {"servers", "[tls://broker.example.org]"},
		[SEAL] = {"seal", "44 characters, as cordon fleet init writes "
				  "them"},
		[CA] = {"ca", NULL},
		[CERT] = {"cert", NULL},
		[KEY] = {"key", NULL},
		[REPLICAS] = {"replicas", NULL},
	};
	static const struct take_schema schema = {"a fleet", keys, N_KEYS};
	const struct policy_yaml *v[N_KEYS];
	uint64_t format;
	int r = 0;

	if (!take_keys(ps, root, &schema, v))
		return 0;
	if (v[FORMAT])
		take_u64(ps, v[FORMAT], "cordon-fleet", 1, 1, &format);
	if (v[ISSUER])
		r = take_string(ps, v[ISSUER], "issuer",
				POLICY_ISSUER_CHARS_MAX, &fleet->issuer);
	if (v[SERVERS])
		take_servers(ps, v[SERVERS], fleet);
	if (v[SEAL])
		take_seal(ps, v[SEAL], fleet);
	if (v[REPLICAS])
		take_u64(ps, v[REPLICAS], "replicas", 1, LINK_REPLICAS_MAX,
			 &fleet->replicas);
	if (!r)
		r = take_file(ps, v[CA], "ca", fleet->ca);
	if (!r)
		r = take_file(ps, v[CERT], "cert", fleet->cert);
	return r ? r : take_file(ps, v[KEY], "key", fleet->key);
}

static int read_fleet(struct fleet *fleet, struct policy_errors *errs)
{
	char path[FLEET_PATH_MAX], *text = NULL;
	struct parser ps = {.name = path, .errs = errs};
	struct policy_yaml *root = NULL;
	size_t len;
	int r;

	path_of(fleet->dir, FLEET_FILE, path);
	r = state_get(path, ENROLMENT_FILE_BYTES_MAX, &text, &len);
	if (!r)
		r = policy_yaml_parse(path, text, len, &root, errs);
	if (!r)
		r = take_fleet(&ps, root, fleet);
	if (!r && ps.bad)
		r = -EINVAL;
	policy_yaml_free(root);
	free(text);
	return r;
}

static int put_fleet(const char *dir, const char *issuer,
		     const char *const *servers, size_t n_servers,
		     const struct seal_public *seal)
{
	char path[FLEET_PATH_MAX], key[SEAL_TEXT_CHARS_MAX], *text = NULL;
	size_t size = 0;
	FILE *out = open_memstream(&text, &size);
	int r;

	if (!out)
		return -ENOMEM;
	seal_public_format(seal, key);
	(void)fprintf(out, "cordon-fleet: 1\nissuer: ");
	policy_yaml_quote(out, issuer);
	(void)fprintf(out, "\nseal: %s\nservers:", key);
	for (size_t i = 0; i < n_servers; i++) {
		(void)fprintf(out, "\n  - ");
		policy_yaml_quote(out, servers[i]);
	}
	(void)fprintf(out, "\n");
	if (fclose(out)) {
		free(text);
		return -ENOMEM;
	}
	path_of(dir, FLEET_FILE, path);
	r = state_put(path, text, size);
	free(text);
	return r;
}

static bool may_be_fleet(const char *dir, const char *issuer,
			 const char *const *servers, size_t n_servers)
{
	size_t len = strlen(issuer);

	if (!n_servers || n_servers > LINK_SERVERS_MAX || !len ||
	    len > POLICY_ISSUER_CHARS_MAX || !text_is_clean(issuer, len, "") ||
	    strlen(dir) >= FLEET_DIR_MAX)
		return false;
	for (size_t i = 0; i < n_servers; i++)
		if (!link_is_server(servers[i]))
			return false;
	return true;
}

int fleet_init(const char *dir, const char *issuer, const char *const *servers,
	       size_t n_servers)
{
	static const char *const dirs[] = {HOSTS, "link", "pushed", "aside"};
	char path[FLEET_PATH_MAX];
	struct seal_key seal;
	struct stat st;
	bool made;
	int r;

	if (!may_be_fleet(dir, issuer, servers, n_servers))
		return -EINVAL;
	path_of(dir, FLEET_FILE, path);
	if (lstat(path, &st) == 0)
		return -EEXIST;
	r = make_dir(dir);
	for (size_t i = 0; !r && i < N_ELEMENTS(dirs); i++) {
		path_of(dir, dirs[i], path);
		r = make_dir(path);
	}
	/* fleet.yaml last: without it there is no fleet. */
	path_of(dir, FLEET_SEAL_FILE, path);
	if (!r)
		r = seal_key_load(path, &seal, &made);
	if (r)
		return r;
	r = put_fleet(dir, issuer, servers, n_servers, &seal.public);
	seal_key_release(&seal);
	return r;
}

/* ---- hosts -------------------------------------------------------------- */

bool fleet_is_host(const char *name)
{
	char token[FLEET_NAME_CHARS_MAX + 1];

	return name[0] != '.' && strlen(name) <= FLEET_NAME_CHARS_MAX &&
	       !fleet_name(name, token);
}

void fleet_host_path(const struct fleet *fleet, const char *host,
		     const char *part, char ret_path[FLEET_PATH_MAX])
{
	(void)snprintf(ret_path, FLEET_PATH_MAX, "%s/" HOSTS "/%s%s%s",
		       fleet->dir, host, part[0] ? "/" : "", part);
}

static int by_token(const void *a, const void *b)
{
	const struct fleet_host *x = a, *y = b;

	return strcmp(x->token, y->token);
}

static int compare_token(const void *token, const void *host)
{
	return strcmp(token, ((const struct fleet_host *)host)->token);
}

struct fleet_host *fleet_find_token(struct fleet *fleet, const char *token)
{
	return fleet->n_hosts ? bsearch(token, fleet->hosts, fleet->n_hosts,
					sizeof(*fleet->hosts), compare_token)
			      : NULL;
}

struct fleet_host *fleet_find(struct fleet *fleet, const char *name)
{
	char token[FLEET_NAME_CHARS_MAX + 1];
	struct fleet_host *host = NULL;

	if (fleet_is_host(name) && !fleet_name(name, token))
		host = fleet_find_token(fleet, token);
	/* The name in subjects is as good, if it is nobody else's. */
	return host && (strcmp(host->name, name) == 0 ||
			strcmp(host->token, name) == 0)
		       ? host
		       : NULL;
}

bool fleet_host_in(const struct fleet_host *host, const char *group)
{
	for (size_t i = 0; i < host->n_groups; i++)
		if (strcmp(host->groups[i], group) == 0)
			return true;
	return false;
}

static int host_from(const struct enrolment *enrolment,
		     struct fleet_host *ret_host)
{
	struct fleet_host host = {.key = enrolment->key,
				  .serial = enrolment->serial,
				  .n_groups = enrolment->n_groups};
	size_t bytes = enrolment->n_groups * sizeof(host.groups[0]);

	(void)strcpy(host.name, enrolment->host);
	if (fleet_name(host.name, host.token))
		return -EINVAL;
	fleet_id(&host.key, host.id);
	host.groups = malloc(bytes ? bytes : 1);
	if (!host.groups)
		return -ENOMEM;
	memcpy(host.groups, enrolment->groups, bytes);
	*ret_host = host;
	return 0;
}

static int read_enrolment(const struct fleet *fleet, const char *name,
			  struct enrolment **ret_enrolment,
			  struct policy_errors *errs)
{
	char path[FLEET_PATH_MAX], *text = NULL;
	size_t len;
	int r;

	fleet_host_path(fleet, name, FLEET_ENROLMENT, path);
	r = state_get(path, ENROLMENT_FILE_BYTES_MAX, &text, &len);
	/* Approving it was cut off: it is none yet. */
	if (r == -ENOENT)
		return r;
	if (r)
		policy_errors_add(errs, path, (struct policy_pos){0}, "%s",
				  strerror(-r));
	else
		r = enrolment_parse(path, text, len, ret_enrolment, errs);
	free(text);
	if (!r && strcmp((*ret_enrolment)->host, name) != 0) {
		policy_errors_add(errs, path, (struct policy_pos){0},
				  "this is of the host %.128s, not %.128s: put "
				  "back what was approved",
				  (*ret_enrolment)->host, name);
		enrolment_free(*ret_enrolment);
		*ret_enrolment = NULL;
		r = -EINVAL;
	}
	return r;
}

/* What is not known of a host keeps none of the others from being heard. */
static int add_host(struct fleet *fleet, const char *name,
		    struct policy_errors *errs)
{
	struct enrolment *enrolment = NULL;
	struct policy_errors *own;
	struct fleet_host *grown;
	int r;

	own = calloc(1, sizeof(*own));
	if (!own)
		return -ENOMEM;
	r = read_enrolment(fleet, name, &enrolment, own);
	for (size_t i = 0; i < own->n; i++)
		policy_errors_add(errs, FLEET_FILE, (struct policy_pos){0},
				  "the host %.64s is left out: %s", name,
				  own->v[i].text);
	free(own);
	if (r)
		return r == -ENOMEM ? r : 0;
	grown = array_grow(fleet->hosts, fleet->n_hosts, sizeof(*grown));
	if (grown)
		fleet->hosts = grown;
	r = grown ? host_from(enrolment, &grown[fleet->n_hosts]) : -ENOMEM;
	enrolment_free(enrolment);
	if (r)
		return r == -ENOMEM ? r : 0;
	(void)fleet_received_get(fleet, name, &grown[fleet->n_hosts].received);
	fleet->n_hosts++;
	return 0;
}

static void free_hosts(struct fleet_host *hosts, size_t n)
{
	for (size_t i = 0; i < n; i++)
		free(hosts[i].groups);
	free(hosts);
}

static uint64_t changed_ns(const struct stat *st)
{
	return (uint64_t)st->st_mtim.tv_sec * CLOCK_NS_PER_S +
	       (uint64_t)st->st_mtim.tv_nsec;
}

static int read_hosts(struct fleet *fleet, struct policy_errors *errs)
{
	char path[FLEET_PATH_MAX];
	const struct dirent *entry;
	struct stat st;
	DIR *dir;
	int r = 0;

	path_of(fleet->dir, HOSTS, path);
	dir = opendir(path);
	if (!dir || fstat(dirfd(dir), &st) < 0) {
		r = -errno;
		policy_errors_add(errs, path, (struct policy_pos){0}, "%s",
				  strerror(-r));
		if (dir)
			(void)closedir(dir);
		return r;
	}
	fleet->hosts_changed_ns = changed_ns(&st);
	while (!r && (entry = readdir(dir)))
		if (fleet_is_host(entry->d_name))
			r = add_host(fleet, entry->d_name, errs);
	(void)closedir(dir);
	if (fleet->n_hosts)
		qsort(fleet->hosts, fleet->n_hosts, sizeof(*fleet->hosts),
		      by_token);
	return r;
}

/* What is known of a host that was there before goes on, if it is the same. */
static void carry_over(struct fleet *fleet, struct fleet_host *old, size_t n)
{
	struct fleet_host *host;

	for (size_t i = 0; i < n; i++) {
		host = fleet_find_token(fleet, old[i].token);
		if (!host || strcmp(host->id, old[i].id) != 0)
			continue;
		host->received = old[i].received;
		host->changed = old[i].changed;
		host->copy = old[i].copy;
		host->copy_bytes = old[i].copy_bytes;
		host->copy_known = old[i].copy_known;
	}
}

int fleet_reload(struct fleet *fleet, struct policy_errors *errs)
{
	struct fleet_host *old = fleet->hosts;
	char path[FLEET_PATH_MAX];
	size_t n = fleet->n_hosts;
	struct stat st;
	int r;

	path_of(fleet->dir, HOSTS, path);
	if (stat(path, &st) == 0 && changed_ns(&st) == fleet->hosts_changed_ns)
		return 0;
	fleet->hosts = NULL;
	fleet->n_hosts = 0;
	r = read_hosts(fleet, errs);
	if (r) {
		free_hosts(fleet->hosts, fleet->n_hosts);
		fleet->hosts = old;
		fleet->n_hosts = n;
		return r;
	}
	carry_over(fleet, old, n);
	free_hosts(old, n);
	return 0;
}

/* ---- opening ------------------------------------------------------------ */

/* Only the one that the hosts were told of; none is ever made here. */
static int read_seal(struct fleet *fleet, struct policy_errors *errs)
{
	const struct seal_public public = fleet->seal.public;
	char path[FLEET_PATH_MAX];
	const char *why = NULL;
	struct stat st;
	bool made;
	int r;

	path_of(fleet->dir, FLEET_SEAL_FILE, path);
	r = lstat(path, &st) < 0 ? -errno
				 : seal_key_load(path, &fleet->seal, &made);
	if (!r && memcmp(fleet->seal.public.bytes, public.bytes,
			 sizeof(public.bytes)) != 0) {
		r = -EKEYREJECTED;
		why = "this is not the key that fleet.yaml has as `seal'";
	}
	if (r == -ENOENT)
		why = "it is missing: put back the copy of it, for without it "
		      "no report can be opened";
	if (r == -EKEYREVOKED)
		why = "others can have read it, or have put it there: chmod "
		      "600, chown to who runs this";
	if (r)
		policy_errors_add(errs, path, (struct policy_pos){0}, "%s",
				  why ? why : strerror(-r));
	return r;
}

static void default_files(struct fleet *fleet)
{
	path_of(fleet->dir, "link/ca.pem", fleet->ca);
	path_of(fleet->dir, "link/cert.pem", fleet->cert);
	path_of(fleet->dir, "link/key.pem", fleet->key);
	fleet->replicas = 1;
}

int fleet_open(const char *dir, enum fleet_open how, struct fleet **ret_fleet,
	       struct policy_errors *errs)
{
	struct fleet *fleet;
	int r;

	policy_errors_init(errs);
	if (strlen(dir) >= FLEET_DIR_MAX)
		return -ENAMETOOLONG;
	fleet = calloc(1, sizeof(*fleet));
	if (!fleet)
		return -ENOMEM;
	fleet->lock_fd = -1;
	fleet->receive_fd = -1;
	fleet->host_bytes = FLEET_HOST_BYTES;
	(void)strcpy(fleet->dir, dir);
	default_files(fleet);
	r = read_fleet(fleet, errs);
	if (!r && how == FLEET_OPENING)
		r = read_seal(fleet, errs);
	if (!r)
		r = read_hosts(fleet, errs);
	if (r) {
		fleet_close(fleet);
		return r;
	}
	*ret_fleet = fleet;
	return 0;
}

void fleet_close(struct fleet *fleet)
{
	if (!fleet)
		return;
	fleet_unlock(fleet);
	if (fleet->receive_fd >= 0)
		(void)close(fleet->receive_fd);
	free_hosts(fleet->hosts, fleet->n_hosts);
	seal_key_release(&fleet->seal);
	free(fleet->issuer);
	free(fleet);
}

/* ---- locks -------------------------------------------------------------- */

static int open_lock(const struct fleet *fleet, const char *name)
{
	char path[FLEET_PATH_MAX];
	int fd;

	path_of(fleet->dir, name, path);
	fd = open(path, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
	return fd < 0 ? -errno : fd;
}

static int take_lock(const struct fleet *fleet, const char *name, bool wait,
		     int *ret_fd)
{
	int fd = open_lock(fleet, name), r = 0;

	if (fd < 0)
		return fd;
	while (flock(fd, LOCK_EX | (wait ? 0 : LOCK_NB)) < 0 && !r)
		r = errno == EINTR ? 0 : -errno;
	if (r)
		(void)close(fd);
	else
		*ret_fd = fd;
	return r == -EWOULDBLOCK ? -EBUSY : r;
}

int fleet_lock(struct fleet *fleet)
{
	return take_lock(fleet, LOCK, true, &fleet->lock_fd);
}

int fleet_try_lock(struct fleet *fleet)
{
	return take_lock(fleet, LOCK, false, &fleet->lock_fd);
}

void fleet_unlock(struct fleet *fleet)
{
	if (fleet->lock_fd >= 0)
		(void)close(fleet->lock_fd);
	fleet->lock_fd = -1;
}

int fleet_lock_receiving(struct fleet *fleet)
{
	return take_lock(fleet, RECEIVE_LOCK, false, &fleet->receive_fd);
}

bool fleet_is_receiving(const struct fleet *fleet)
{
	int fd = open_lock(fleet, RECEIVE_LOCK);
	bool busy;

	if (fd < 0)
		return false;
	busy = flock(fd, LOCK_SH | LOCK_NB) < 0 && errno == EWOULDBLOCK;
	(void)close(fd);
	return busy;
}

/* ---- approving ---------------------------------------------------------- */

static int groups_good(const char *const *groups, size_t n)
{
	if (n > LINK_GROUPS_MAX)
		return -EINVAL;
	for (size_t i = 0; i < n; i++)
		if (!fleet_is_name(groups[i], strlen(groups[i])))
			return -EINVAL;
	return 0;
}

/* What there is of that host, and whether the request may take its place. */
static int find_before(struct fleet *fleet,
		       const struct enrolment_request *request, bool rekey,
		       struct fleet_host **ret_before, const char **ret_why)
{
	char token[FLEET_NAME_CHARS_MAX + 1];
	struct fleet_host *host;

	*ret_why = request->host;
	if (!fleet_is_host(request->host) || fleet_name(request->host, token))
		return -EINVAL;
	host = fleet_find_token(fleet, token);
	*ret_before = host;
	if (!host)
		return 0;
	if (strcmp(host->name, request->host) != 0) {
		*ret_why = host->name;
		return -EEXIST;
	}
	if (memcmp(&host->key, &request->key, sizeof(host->key)) != 0 && !rekey)
		return -EKEYREJECTED;
	return 0;
}

static int format_enrolment(const struct fleet *fleet,
			    const struct enrolment_request *request,
			    const char *const *groups, size_t n_groups,
			    uint64_t serial, char **ret_text)
{
	struct enrolment *enrolment = calloc(1, sizeof(*enrolment));
	int r;

	if (!enrolment)
		return -ENOMEM;
	enrolment->issuer = fleet->issuer;
	(void)strcpy(enrolment->host, request->host);
	enrolment->key = request->key;
	enrolment->seal = fleet->seal.public;
	memcpy(enrolment->servers, fleet->servers, sizeof(fleet->servers));
	enrolment->n_servers = fleet->n_servers;
	for (size_t i = 0; i < n_groups; i++)
		(void)strcpy(enrolment->groups[i], groups[i]);
	enrolment->n_groups = n_groups;
	enrolment->serial = serial;
	r = enrolment_format(enrolment, ret_text);
	free(enrolment);
	return r;
}

/* Another key's evidence is another log, which is proven by that key. */
static int move_evidence(const struct fleet *fleet,
			 const struct fleet_host *before)
{
	static const char *const files[] = {"received.json", "attested.json"};
	char from[FLEET_PATH_MAX], to[FLEET_PATH_MAX];
	char part[sizeof(EVIDENCE_DIR) + FLEET_ID_CHARS_MAX];
	struct stat st;

	(void)snprintf(part, sizeof(part), EVIDENCE_DIR ".%s", before->id);
	fleet_host_path(fleet, before->name, EVIDENCE_DIR, from);
	fleet_host_path(fleet, before->name, part, to);
	if (lstat(to, &st) == 0)
		return -EEXIST;
	if (rename(from, to) < 0 && errno != ENOENT)
		return -errno;
	for (size_t i = 0; i < N_ELEMENTS(files); i++) {
		fleet_host_path(fleet, before->name, files[i], from);
		(void)unlink(from);
	}
	return 0;
}

static int make_place(const struct fleet *fleet,
		      const struct enrolment_request *request)
{
	char path[FLEET_PATH_MAX], pem[SIGN_PEM_CHARS_MAX];
	int r;

	fleet_host_path(fleet, request->host, "", path);
	r = make_dir(path);
	fleet_host_path(fleet, request->host, EVIDENCE_DIR, path);
	if (!r)
		r = make_dir(path);
	sign_public_pem(&request->key, pem);
	fleet_host_path(fleet, request->host, EVIDENCE_DIR "/" EVIDENCE_PUBLIC,
			path);
	return r ? r : state_put(path, pem, strlen(pem));
}

/* So that who receives sees that there is another one. */
static void touch_hosts(const struct fleet *fleet)
{
	char path[FLEET_PATH_MAX];

	path_of(fleet->dir, HOSTS, path);
	(void)utimensat(AT_FDCWD, path, NULL, 0);
}

int fleet_approve(struct fleet *fleet, struct fleet_approving *approving)
{
	const struct enrolment_request *request = approving->request;
	enum fleet_approval approval = FLEET_APPROVED;
	struct fleet_host *before = NULL;
	char path[FLEET_PATH_MAX], *text = NULL;
	int r;

	approving->why = "its groups";
	r = groups_good(approving->groups, approving->n_groups);
	if (!r)
		r = find_before(fleet, request, approving->rekey, &before,
				&approving->why);
	if (!r)
		r = format_enrolment(fleet, request, approving->groups,
				     approving->n_groups,
				     before ? before->serial + 1 : 1, &text);
	if (r)
		goto out;
	if (before) {
		approval = memcmp(&before->key, &request->key,
				  sizeof(before->key)) != 0
				   ? FLEET_REKEYED
				   : FLEET_RENEWED;
		if (approval == FLEET_REKEYED)
			r = move_evidence(fleet, before);
	}
	/* The enrolment last: until it is there, the host is none. */
	if (!r)
		r = make_place(fleet, request);
	fleet_host_path(fleet, request->host, FLEET_ENROLMENT, path);
	if (!r)
		r = state_put(path, text, strlen(text));
	if (r)
		goto out;
	touch_hosts(fleet);
	approving->approval = approval;
	approving->text = text;
	text = NULL;
out:
	free(text);
	return r;
}
