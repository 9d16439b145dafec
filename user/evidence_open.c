// SPDX-License-Identifier: GPL-2.0-only
#include "evidence_internal.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
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

/* What is known of a segment once it was read. */
struct ending {
	struct evidence *evidence;
	evidence_line_fn line;
	void *arg;
	uint64_t lines;	  /* of evidence */
	uint64_t highest; /* number of them */
	uint64_t bytes;	  /* of whole lines */
	bool sound;	  /* each follows the one before */
	bool half;	  /* and behind them there is one that is not whole */
	bool clean;	  /* the last one is a checkpoint */
};

static bool follows(const struct ending *ending, const json_t *object,
		    uint64_t seq, const char *prev)
{
	const struct evidence *evidence = ending->evidence;
	json_int_t skipped =
		json_integer_value(json_object_get(object, "skipped"));

	return !ending->lines ||
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

	if (!line->whole) {
		ending->half = true;
		return 0;
	}
	r = evidence_parse(line->text, line->len, &object, &seq, &prev);
	if (r == -ENOMEM)
		return r;
	ending->bytes += line->len + 1;
	if (r) {
		ending->sound = false;
		return 0;
	}
	if (!follows(ending, object, seq, prev))
		ending->sound = false;
	ending->lines++;
	if (seq > ending->highest)
		ending->highest = seq;
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
	json_decref(object);
	return 0;
}

/* The segment goes on; half a line at its end is nothing that anybody was told
 * of, for it was never synced. */
static int go_on(struct evidence *evidence, const char *file,
		 const struct ending *ending, struct evidence_found *found)
{
	struct stat st;
	int r = 0;

	(void)snprintf(evidence->name, sizeof(evidence->name), "%s",
		       evidence_base(file));
	evidence->fd = openat(evidence->dir_fd, evidence->name,
			      O_RDWR | O_NOFOLLOW | O_CLOEXEC);
	if (evidence->fd < 0)
		return -errno;
	if (fstat(evidence->fd, &st) < 0)
		return -errno;
	found->cut += (uint64_t)st.st_size - ending->bytes;
	if (ending->half &&
	    (ftruncate(evidence->fd, (off_t)ending->bytes) < 0 ||
	     fsync(evidence->fd) < 0))
		return -errno;
	evidence->bytes = ending->bytes;
	/* Not even its first line: the next one gives it another name. */
	if (!ending->lines) {
		evidence_segment_leave(evidence);
		r = unlinkat(evidence->dir_fd, evidence->name, 0) < 0 ? -errno
								      : 0;
	}
	return r;
}

/*
 * The next number: above all that may have been used, by whomever. The line
 * that gets it says how many it leaves out.
 */
static void use_up(struct evidence *evidence, uint64_t used,
		   struct evidence_found *found)
{
	if (used < evidence->next)
		return;
	found->lost = used + 1 - evidence->next;
	evidence->skipped = found->lost;
	evidence->why = EUCLEAN;
	evidence->next = used + 1;
}

/*
 * Some file systems leave zeros where a crash kept them from writing. There are
 * none in any line.
 */
static int cut_zeros(struct evidence *evidence, const char *file,
		     struct evidence_found *found)
{
	char buf[4096];
	struct stat st;
	off_t end;
	ssize_t n;
	int fd, r = 0;

	fd = openat(evidence->dir_fd, evidence_base(file),
		    O_RDWR | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	if (fstat(fd, &st) < 0)
		r = -errno;
	for (end = r ? 0 : st.st_size; end > 0; end -= n) {
		n = end < (off_t)sizeof(buf) ? end : (off_t)sizeof(buf);
		if (pread(fd, buf, (size_t)n, end - n) != n) {
			r = -EIO;
			break;
		}
		while (n > 0 && buf[n - 1] == '\0') {
			n--;
			end--;
		}
		if (n > 0)
			break;
	}
	if (!r && end < st.st_size) {
		found->cut = (uint64_t)(st.st_size - end);
		if (ftruncate(fd, end) < 0 || fsync(fd) < 0)
			r = -errno;
	}
	(void)close(fd);
	return r;
}

/* What a crash left between two steps of closing a segment. */
static void finish_closing(struct evidence *evidence, const char *file,
			   bool last)
{
	const char *name = evidence_base(file);
	size_t len = strlen(file);
	char plain[PATH_MAX];

	if (!evidence_compressed(file)) {
		if (!last)
			(void)evidence_segment_compress(evidence, name);
		return;
	}
	if (len - 3 >= sizeof(plain))
		return;
	memcpy(plain, file, len - 3);
	plain[len - 3] = '\0';
	if (access(plain, F_OK) == 0 && evidence_same(plain, file))
		(void)unlink(plain);
}

static int find_end(struct evidence *evidence, evidence_line_fn line, void *arg,
		    struct evidence_found *found)
{
	struct ending ending = {0};
	char **files = NULL;
	uint64_t used = 0;
	size_t n = 0;
	int r, damaged = 0;

	r = evidence_files(&(const char *){evidence->dir}, 1, NULL, NULL,
			   &files, &n);
	if (r)
		return r == -ENOENT ? 0 : r;
	for (size_t i = 0; i < n; i++) {
		finish_closing(evidence, files[i], i + 1 == n);
		/* The segment has, or was to have, a line of that number. */
		used = evidence_segment_of(evidence_base(files[i])) - 1;
	}
	/* If that fails, what is read now says so. */
	if (!evidence_compressed(files[n - 1]))
		(void)cut_zeros(evidence, files[n - 1], found);
	for (size_t i = n > 2 ? n - 2 : 0; i < n; i++) {
		/* Whether it follows the one before is not for a writer. */
		ending = (struct ending){.evidence = evidence,
					 .line = line,
					 .arg = arg,
					 .sound = true};
		damaged = evidence_read(files[i], take_line, &ending);
		if (damaged == -ENOMEM) {
			r = damaged;
			goto out;
		}
		if (ending.highest > used)
			used = ending.highest;
	}
	if (evidence_compressed(files[n - 1]) && !ending.clean)
		damaged = -EUCLEAN;
	found->clean = !damaged && ending.sound && !ending.half &&
		       !found->cut && ending.clean;
	/* Nothing is taken out of one that was changed or damaged, and nothing
	 * signed that is in it: it stays as it is, and another one begins. */
	if (damaged || !ending.sound) {
		(void)snprintf(found->damaged, sizeof(found->damaged), "%s",
			       evidence_base(files[n - 1]));
		used = evidence_segment_of(found->damaged) > used
			       ? evidence_segment_of(found->damaged)
			       : used;
		/* How many it had is not known: no more than that. */
		if (damaged)
			used += DAMAGED_LINES;
	} else if (!evidence_compressed(files[n - 1])) {
		r = go_on(evidence, files[n - 1], &ending, found);
	}
	use_up(evidence, used, found);
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
	evidence->acked = opts->held ? opts->acked : UINT64_MAX;
	(void)snprintf(evidence->host, sizeof(evidence->host), "%s",
		       opts->host);
	read_boot(evidence->boot);
	evidence->dir = strdup(opts->dir);
	if (!evidence->dir) {
		r = -ENOMEM;
		goto out;
	}
	r = evidence_dir_open(evidence);
	if (!r)
		r = find_end(evidence, line, arg, ret_found);
	if (r)
		goto out;
	evidence_measure(evidence);
	*ret_evidence = evidence;
	return 0;
out:
	/* Nothing was written, so there is nothing to sign. */
	evidence->lines = 0;
	evidence_close(evidence);
	return r;
}
