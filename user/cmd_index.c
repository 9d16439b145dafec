// SPDX-License-Identifier: GPL-2.0-only
/*
 * The index over the evidence that a command was asked about: this host's is
 * kept beside its evidence, another's where this user's caches are.
 */
#include "array.h"
#include "cmd.h"
#include "evidence.h"
#include "sign.h"
#include "version.h"

#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define OWN_FOLDER CORDON_STATE_DIR "/" EVIDENCE_DIR
#define OWN_FILE   CORDON_STATE_DIR "/index.db"
#define ID_CHARS   16 /* of the hash of a folder's path */

static bool make_dir(const char *path)
{
	return mkdir(path, 0700) == 0 || errno == EEXIST;
}

/* A name that nobody else's folder has. */
static bool cache_file(const char *folder, char *buf, size_t size)
{
	const char *base = getenv("XDG_CACHE_HOME"), *home = getenv("HOME");
	char hash[SIGN_HASH_CHARS_MAX];
	int n = -1;

	if (base && base[0] == '/')
		n = snprintf(buf, size, "%s", base);
	else if (home && home[0] == '/')
		n = snprintf(buf, size, "%s/.cache", home);
	if (n < 0 || (size_t)n >= size || !make_dir(buf))
		return false;
	n += snprintf(buf + n, size - (size_t)n, "/cordon");
	if ((size_t)n >= size || !make_dir(buf))
		return false;
	sign_hash(folder, strlen(folder), hash);
	n += snprintf(buf + n, size - (size_t)n, "/%.*s.db", ID_CHARS, hash);
	return (size_t)n < size;
}

/* Where the index is kept; NULL: nowhere. */
static const char *find_file(const char *const *paths, size_t n, char *buf,
			     size_t size)
{
	char real[PATH_MAX];
	struct stat st;

	if (n != 1 || !realpath(paths[0], real) || stat(real, &st) < 0 ||
	    !S_ISDIR(st.st_mode))
		return NULL;
	if (strcmp(real, OWN_FOLDER) == 0)
		return OWN_FILE;
	return cache_file(real, buf, size) ? buf : NULL;
}

static void show_progress(uint64_t lines, void *arg)
{
	const char *verb = arg;

	(void)fprintf(stderr, "\rcordon %s: %" PRIu64 " lines indexed ", verb,
		      lines);
}

static int fail(const char *verb, const char *what, int r)
{
	(void)fprintf(stderr, "cordon %s: %s: %s%s\n", verb, what,
		      r == -EUCLEAN ? "this is not what it should be"
				    : strerror(-r),
		      r == -EACCES ? "; use sudo" : "");
	return r == -EACCES ? CMD_DENIED : CMD_WRONG;
}

int cmd_keys_add(const char *verb, struct cmd_keys *keys, const char *path)
{
	struct sign_public *grown =
		array_grow(keys->at, keys->n, sizeof(*grown));
	int r = -ENOMEM;

	if (grown) {
		keys->at = grown;
		r = sign_public_read(path, &grown[keys->n]);
	}
	if (r)
		return fail(verb, path, r);
	keys->n++;
	return CMD_OK;
}

int cmd_keys_folder(const char *verb, struct cmd_keys *keys, const char *path)
{
	const char *slash = strrchr(path, '/');
	char *name = NULL;
	struct stat st;
	int len, r;

	if (stat(path, &st) < 0)
		return fail(verb, path, -errno);
	len = S_ISDIR(st.st_mode) ? (int)strlen(path)
	      : slash		  ? (int)(slash - path)
				  : 1;
	if (!S_ISDIR(st.st_mode) && !slash)
		path = ".";
	if (asprintf(&name, "%.*s/" EVIDENCE_PUBLIC, len, path) < 0)
		return fail(verb, path, -ENOMEM);
	r = cmd_keys_add(verb, keys, name);
	if (r)
		(void)fprintf(stderr, "name the host's public key: --key "
				      "FILE\n");
	free(name);
	return r;
}

int cmd_index_open(const char *verb, int argc, char **argv,
		   enum cmd_index_use use, struct cmd_index *ret_index)
{
	struct evidence_index_options opts = {.anew = use == CMD_INDEX_ANEW};
	int r;

	*ret_index = (struct cmd_index){.verb = verb};
	opts.paths = cmd_evidence_paths(argc, argv, &opts.n_paths);
	if (use != CMD_INDEX_OWN)
		opts.file = find_file(opts.paths, opts.n_paths, ret_index->file,
				      sizeof(ret_index->file));

	if (opts.file && opts.file != ret_index->file)
		(void)strcpy(ret_index->file, opts.file);
	if (!opts.file)
		ret_index->file[0] = '\0';
	if (isatty(STDERR_FILENO))
		opts.progress = show_progress;
	opts.arg = (void *)verb;
	r = evidence_index_open(&opts, &ret_index->found, &ret_index->index);
	if (opts.progress && ret_index->found.lines)
		(void)fprintf(stderr, "\r\033[K");
	if (r == -ENOENT) {
		(void)fprintf(stderr,
			      "cordon %s: %s: there is no evidence; name the "
			      "folder, or its segments\n",
			      verb, opts.paths[0]);
		return CMD_WRONG;
	}
	if (r)
		return fail(verb, opts.paths[0], r);
	if (ret_index->found.problem[0])
		ret_index->file[0] = '\0';
	if (ret_index->found.damaged[0])
		(void)fprintf(stderr,
			      "cordon %s: %s: it is damaged, and what is "
			      "behind that is missing here: cordon evidence "
			      "verify\n",
			      verb, ret_index->found.damaged);
	return CMD_OK;
}

int cmd_index_error(const struct cmd_index *index, int r)
{
	(void)fprintf(stderr, "cordon %s: %s\n", index->verb,
		      r == -ESTALE ? "the evidence changed meanwhile: cordon "
				     "evidence reindex"
		      : r == -EIO  ? "the evidence, or the index over it, "
				     "cannot be read: cordon evidence reindex"
				   : strerror(-r));
	return CMD_WRONG;
}

int cmd_index_close(struct cmd_index *index, int status)
{
	evidence_index_close(index->index);
	/* Not all was there. */
	return status == CMD_OK && (index->found.damaged[0] || index->found.bad)
		       ? CMD_WRONG
		       : status;
}
