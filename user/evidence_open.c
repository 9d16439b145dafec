// SPDX-License-Identifier: GPL-2.0-only
#include "evidence_internal.h"
#include "state.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* More than a segment can have: the shortest line takes 100 bytes. */
#define DAMAGED_LINES (2 * EVIDENCE_SEGMENT_BYTES / 100)

static const char no_line[] =
	"0000000000000000000000000000000000000000000000000000000000000000";

_Static_assert(sizeof(no_line) == SIGN_HASH_CHARS_MAX, "as long as a hash");

static void read_boot(char ret_boot[EVIDENCE_BOOT_CHARS_MAX])
{
	ssize_t n = -1;
	int fd;

	fd = open("/proc/sys/kernel/random/boot_id", O_RDONLY | O_CLOEXEC);
	if (fd >= 0) {
		n = read(fd, ret_boot, EVIDENCE_BOOT_CHARS_MAX - 1);
		(void)close(fd);
	}
	ret_boot[n > 0 ? n : 0] = '\0';
}

/* ---- opening ------------------------------------------------------------ */

/* What is known of the end while it is read. */
struct ending {
	struct evidence *evidence;
	evidence_line_fn line;
	void *arg;
	bool any;	  /* a line was taken */
	bool broken;	  /* and one that does not follow */
	bool clean;	  /* the last one was a checkpoint */
	uint64_t good;	  /* bytes of lines that follow each other */
	uint64_t behind;  /* lines that do not */
	uint64_t highest; /* number of them */
};

static bool follows(const struct ending *ending, const json_t *object,
		    uint64_t seq, const char *prev)
{
	const struct evidence *evidence = ending->evidence;
	json_int_t skipped =
		json_integer_value(json_object_get(object, "skipped"));

	return !ending->any ||
	       (strcmp(prev, evidence->prev) == 0 && skipped >= 0 &&
		seq == evidence->next + (uint64_t)skipped);
}

static int take_line(const struct evidence_line *line, void *arg)
{
	struct ending *ending = arg;
	struct evidence *evidence = ending->evidence;
	char text[EVIDENCE_LINE_MAX], signature[SIGN_SIGNATURE_CHARS_MAX];
	json_t *object = NULL;
	const char *prev;
	uint64_t seq;
	size_t len;
	int r;

	r = evidence_parse(line->text, line->len, &object, &seq, &prev);
	if (r || !line->whole || ending->broken ||
	    !follows(ending, object, seq, prev)) {
		ending->broken = true;
		ending->behind++;
		if (!r && line->whole && seq > ending->highest)
			ending->highest = seq;
		goto out;
	}
	ending->any = true;
	ending->good += line->len + 1;
	ending->clean =
		!evidence_signed(line->text, line->len, &len, signature);
	evidence->lines = ending->clean ? 0 : evidence->lines + 1;
	evidence->next = seq + 1;
	sign_hash(line->text, line->len, evidence->prev);
	if (ending->line) {
		memcpy(text, line->text, line->len);
		text[line->len] = '\n';
		ending->line(object, text, line->len + 1, ending->arg);
	}
out:
	json_decref(object);
	return 0;
}

static int copy_plain(int from, int to, uint64_t at)
{
	char buf[4096];
	uint64_t done = 0;
	ssize_t n;
	int r;

	for (;;) {
		n = pread(from, buf, sizeof(buf), (off_t)(at + done));
		if (n <= 0)
			return n < 0 ? -errno : 0;
		r = evidence_write_at(to, buf, (size_t)n, done);
		if (r)
			return r;
		done += (uint64_t)n;
	}
}

/* Bytes behind the last line that follows: away, but not lost. */
static int move_aside(struct evidence *evidence, uint64_t good,
		      char ret_name[EVIDENCE_NAME_CHARS_MAX])
{
	int to = -1, r;

	for (int i = 0; i < 100 && to < 0; i++) {
		(void)snprintf(ret_name, EVIDENCE_NAME_CHARS_MAX,
			       "%012" PRIu64 ".cut%d", evidence->next, i);
		to = openat(evidence->dir_fd, ret_name,
			    O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
		if (to < 0 && errno != EEXIST)
			break;
	}
	if (to < 0)
		return -errno;
	r = copy_plain(evidence->fd, to, good);
	if (!r)
		r = fsync(to) < 0 ? -errno : 0;
	if (!r)
		r = fsync(evidence->dir_fd) < 0 ? -errno : 0;
	(void)close(to);
	if (r)
		(void)unlinkat(evidence->dir_fd, ret_name, 0);
	return r;
}

static int cut(struct evidence *evidence, const struct ending *ending,
	       struct evidence_found *found)
{
	struct stat st;
	int r;

	if (fstat(evidence->fd, &st) < 0)
		return -errno;
	if ((uint64_t)st.st_size <= ending->good)
		return 0;
	found->cut = (uint64_t)st.st_size - ending->good;
	/* A line that is not whole says nothing that anybody was told. */
	if (ending->behind > 1 || ending->highest) {
		r = move_aside(evidence, ending->good, found->moved);
		if (r)
			return r;
	}
	if (ftruncate(evidence->fd, (off_t)ending->good) < 0 ||
	    fsync(evidence->fd) < 0)
		return -errno;
	return 0;
}

static bool is_compressed(const char *file)
{
	size_t len = strlen(file);

	return len > 3 && strcmp(file + len - 3, ".gz") == 0;
}

/* The last segment goes on, if it is none that was closed. */
static int go_on(struct evidence *evidence, const char *file,
		 struct ending *ending, struct evidence_found *found)
{
	const char *name = strrchr(file, '/') + 1;
	int r;

	if (is_compressed(file))
		return 0;
	(void)snprintf(evidence->name, sizeof(evidence->name), "%s", name);
	evidence->fd =
		openat(evidence->dir_fd, name, O_RDWR | O_NOFOLLOW | O_CLOEXEC);
	if (evidence->fd < 0)
		return -errno;
	r = cut(evidence, ending, found);
	if (r)
		return r;
	evidence->bytes = ending->good;
	/* Not even its first line: the next one gives it another name. */
	if (!ending->good) {
		evidence_segment_leave(evidence);
		return unlinkat(evidence->dir_fd, name, 0) < 0 ? -errno : 0;
	}
	return 0;
}

/*
 * Which numbers may have been used: none is used again, whoever broke the file
 * that has them. One that is far too high is none of ours.
 */
static void use_up(const struct ending *ending, const char *file, bool stays,
		   bool damaged, uint64_t *used)
{
	uint64_t first = evidence_segment_of(strrchr(file, '/') + 1);
	uint64_t last = ending->evidence->next - 1;

	if (ending->highest > last && ending->highest - last < DAMAGED_LINES)
		last = ending->highest;
	/* How many it had is not known: more than that they were not. */
	if (damaged && is_compressed(file))
		last += DAMAGED_LINES;
	if (stays && first > last && first - last < DAMAGED_LINES)
		last = first;
	if (last > *used)
		*used = last;
}

static int find_end(struct evidence *evidence, evidence_line_fn line, void *arg,
		    struct evidence_found *found)
{
	struct ending ending = {.evidence = evidence, .line = line, .arg = arg};
	char **files = NULL;
	size_t n = 0;
	int r, damaged = 0;
	uint64_t used = 0;

	r = evidence_files(&(const char *){evidence->dir}, 1, &files, &n);
	if (r)
		return r == -ENOENT ? 0 : r;
	/* A crash came between closing one and compressing it. */
	for (size_t i = 0; i + 1 < n; i++)
		if (!is_compressed(files[i]))
			(void)evidence_segment_compress(
				evidence, strrchr(files[i], '/') + 1);
	evidence_files_free(files, n);
	r = evidence_files(&(const char *){evidence->dir}, 1, &files, &n);
	if (r)
		return r;
	for (size_t i = n > 2 ? n - 2 : 0; i < n; i++) {
		/* Whether it follows the one before is not for a writer. */
		ending = (struct ending){
			.evidence = evidence, .line = line, .arg = arg};
		damaged = evidence_read(files[i], take_line, &ending);
		if (damaged && damaged != -EUCLEAN) {
			r = damaged;
			goto out;
		}
		use_up(&ending, files[i], i + 1 < n || is_compressed(files[i]),
		       damaged != 0, &used);
	}
	found->clean = ending.clean && !ending.broken && !damaged;
	r = go_on(evidence, files[n - 1], &ending, found);
	if (used >= evidence->next)
		found->lost = used + 1 - evidence->next;
	evidence->skipped = found->lost;
	evidence->why = EUCLEAN;
	evidence->next += found->lost;
	found->last = evidence->next - 1;
out:
	evidence_files_free(files, n);
	return r;
}

int evidence_open(const struct evidence_options *opts, evidence_line_fn line,
		  void *arg, struct evidence_found *ret_found,
		  struct evidence **ret_evidence)
{
	struct evidence *evidence;
	int r;

	memset(ret_found, 0, sizeof(*ret_found));
	evidence = calloc(1, sizeof(*evidence));
	if (!evidence)
		return -ENOMEM;
	evidence->fd = -1;
	evidence->dir_fd = -1;
	evidence->next = 1;
	memcpy(evidence->prev, no_line, sizeof(no_line));
	evidence->key = *opts->key;
	evidence->segment_max = opts->segment_bytes ? opts->segment_bytes
						    : EVIDENCE_SEGMENT_BYTES;
	evidence->keep_max = opts->keep_bytes ? opts->keep_bytes
					      : EVIDENCE_KEEP_BYTES;
	(void)snprintf(evidence->host, sizeof(evidence->host), "%s",
		       opts->host);
	read_boot(evidence->boot);
	evidence->dir = strdup(opts->dir);
	if (!evidence->dir) {
		r = -ENOMEM;
		goto out;
	}
	if (mkdir(evidence->dir, 0700) == 0)
		r = state_sync_dir(evidence->dir);
	else
		r = errno == EEXIST ? 0 : -errno;
	if (r)
		goto out;
	evidence->dir_fd = open(evidence->dir, O_RDONLY | O_DIRECTORY |
						       O_NOFOLLOW | O_CLOEXEC);
	r = evidence->dir_fd < 0 ? -errno : 0;
	if (!r)
		r = find_end(evidence, line, arg, ret_found);
	if (r)
		goto out;
	*ret_evidence = evidence;
	return 0;
out:
	/* Nothing was written, so there is nothing to sign. */
	evidence->lines = 0;
	evidence_close(evidence);
	return r;
}
