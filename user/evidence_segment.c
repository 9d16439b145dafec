// SPDX-License-Identifier: GPL-2.0-only
#include "evidence_internal.h"
#include "state.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

/* ---- files -------------------------------------------------------------- */

int evidence_write_at(int fd, const char *text, size_t len, uint64_t at)
{
	size_t done = 0;
	ssize_t n;

	while (done < len) {
		n = pwrite(fd, text + done, len - done, (off_t)(at + done));
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0) {
			n = n < 0 ? -errno : -EIO;
			/* Half a line is none. */
			(void)!ftruncate(fd, (off_t)at);
			return (int)n;
		}
		done += (size_t)n;
	}
	return 0;
}

void evidence_segment_leave(struct evidence *evidence)
{
	if (evidence->fd >= 0)
		(void)close(evidence->fd);
	evidence->fd = -1;
	evidence->bytes = 0;
	evidence->unsynced = false;
}

int evidence_dir_open(struct evidence *evidence)
{
	int fd, r = 0;

	if (mkdir(evidence->dir, 0700) == 0)
		r = state_sync_dir(evidence->dir);
	else if (errno != EEXIST)
		r = -errno;
	if (r)
		return r;
	fd = open(evidence->dir,
		  O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	if (evidence->dir_fd >= 0)
		(void)close(evidence->dir_fd);
	evidence->dir_fd = fd;
	return 0;
}

int evidence_segment_begin(struct evidence *evidence)
{
	int fd, r;

	r = evidence_dir_open(evidence);
	if (r)
		return r;
	(void)snprintf(evidence->name, sizeof(evidence->name), EVIDENCE_NAME,
		       evidence->next);
	fd = openat(evidence->dir_fd, evidence->name,
		    O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (fd < 0)
		return -errno;
	r = fsync(evidence->dir_fd) < 0 ? -errno : 0;
	if (r) {
		(void)close(fd);
		(void)unlinkat(evidence->dir_fd, evidence->name, 0);
		return r;
	}
	evidence->fd = fd;
	evidence->bytes = 0;
	return 0;
}

bool evidence_segment_is_there(const struct evidence *evidence)
{
	char path[PATH_MAX];
	struct stat named, open;
	int n;

	/* By the whole path: the folder may have been moved away too. */
	n = snprintf(path, sizeof(path), "%s/%s", evidence->dir,
		     evidence->name);
	return n > 0 && (size_t)n < sizeof(path) &&
	       fstat(evidence->fd, &open) == 0 && lstat(path, &named) == 0 &&
	       named.st_ino == open.st_ino && named.st_dev == open.st_dev;
}

/* ---- compressing -------------------------------------------------------- */

static int copy_compressed(int from, int to)
{
	char *buf = NULL;
	gzFile out = NULL;
	ssize_t n;
	int fd, r = -ENOMEM;

	buf = malloc(65536);
	fd = fcntl(to, F_DUPFD_CLOEXEC, 0);
	if (!buf || fd < 0)
		goto out;
	out = gzdopen(fd, "wb");
	if (!out)
		goto out;
	fd = -1;
	r = 0;
	for (off_t at = 0; !r; at += n) {
		n = pread(from, buf, 65536, at);
		if (n <= 0) {
			r = n < 0 ? -errno : 0;
			break;
		}
		errno = 0;
		if (gzwrite(out, buf, (unsigned int)n) != n)
			r = errno ? -errno : -ENOSPC;
	}
out:
	errno = 0;
	if (out && gzclose(out) != Z_OK && !r)
		r = errno ? -errno : -ENOSPC;
	if (fd >= 0)
		(void)close(fd);
	free(buf);
	return r;
}

int evidence_segment_compress(struct evidence *evidence, const char *name)
{
	char new[EVIDENCE_NAME_CHARS_MAX + 8], gz[EVIDENCE_NAME_CHARS_MAX + 4];
	int from, to = -1, r;

	(void)snprintf(new, sizeof(new), "%s.gz.new", name);
	(void)snprintf(gz, sizeof(gz), "%s.gz", name);
	from = openat(evidence->dir_fd, name,
		      O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	if (from < 0)
		return -errno;
	to = openat(evidence->dir_fd, new,
		    O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC,
		    0600);
	r = to < 0 ? -errno : copy_compressed(from, to);
	if (!r)
		r = fsync(to) < 0 ? -errno : 0;
	if (!r && renameat(evidence->dir_fd, new, evidence->dir_fd, gz) < 0)
		r = -errno;
	if (!r)
		r = fsync(evidence->dir_fd) < 0 ? -errno : 0;
	if (!r && unlinkat(evidence->dir_fd, name, 0) < 0)
		r = -errno;
	if (r)
		(void)unlinkat(evidence->dir_fd, new, 0);
	(void)close(from);
	if (to >= 0)
		(void)close(to);
	return r;
}

/* ---- segments ----------------------------------------------------------- */

/* What is beyond the limit goes, the oldest first, once a line that is signed
 * says so. */
static int retire_one(struct evidence *evidence, const char *file,
		      uint64_t first, uint64_t last, uint64_t size)
{
	const char *name = evidence_base(file);
	char text[EVIDENCE_LINE_MAX];
	json_t *line;
	size_t len;
	int r;

	line = evidence_object("retired",
			       json_pack("{s:s, s:I, s:I, s:I}", "segment",
					 name, "first", (json_int_t)first,
					 "last", (json_int_t)last, "bytes",
					 (json_int_t)size));
	r = evidence_add(evidence, line, text, &len);
	if (!r)
		r = evidence_checkpoint(evidence);
	if (!r && unlinkat(evidence->dir_fd, name, 0) < 0)
		r = -errno;
	return r;
}

static uint64_t size_of(const char *file)
{
	struct stat st;

	return stat(file, &st) == 0 ? (uint64_t)st.st_size : 0;
}

static void measure(struct evidence *evidence, char **files, size_t n)
{
	evidence->closed = 0;
	for (size_t i = 0; i < n; i++)
		if (evidence->fd < 0 ||
		    strcmp(evidence_base(files[i]), evidence->name) != 0)
			evidence->closed += size_of(files[i]);
}

void evidence_measure(struct evidence *evidence)
{
	char **files = NULL;
	size_t n = 0;

	if (evidence_files(&(const char *){evidence->dir}, 1, NULL, NULL,
			   &files, &n))
		return;
	measure(evidence, files, n);
	evidence_files_free(files, n);
}

/* Is that more than there is room for, if so much is added? */
static bool is_over(const struct evidence *evidence, uint64_t more)
{
	return evidence->closed + evidence->bytes + more > evidence->keep_max;
}

static void retire(struct evidence *evidence, uint64_t more)
{
	uint64_t first, last, size;
	char **files = NULL;
	size_t n = 0;

	/* One that cannot be taken away would be written about for ever. */
	if (evidence->retires_not ||
	    evidence_files(&(const char *){evidence->dir}, 1, NULL, NULL,
			   &files, &n))
		return;
	measure(evidence, files, n);
	evidence->retiring = true;
	for (size_t i = 0;
	     !evidence->retires_not && i + 1 < n && is_over(evidence, more);
	     i++) {
		size = size_of(files[i]);
		if (!size)
			continue;
		first = evidence_segment_of(evidence_base(files[i]));
		last = evidence_segment_of(evidence_base(files[i + 1])) - 1;
		if (last > evidence->acked)
			break;
		if (retire_one(evidence, files[i], first, last, size))
			evidence->retires_not = true;
		evidence->closed -= size;
	}
	evidence->retiring = false;
	evidence_files_free(files, n);
}

void evidence_segment_close(struct evidence *evidence)
{
	char name[EVIDENCE_NAME_CHARS_MAX];

	memcpy(name, evidence->name, sizeof(name));
	evidence_segment_leave(evidence);
	(void)evidence_segment_compress(evidence, name);
	retire(evidence, 0);
}

/* ---- held segments ------------------------------------------------------- */

void evidence_hold(struct evidence *evidence, uint64_t acked)
{
	evidence->acked = acked;
	evidence->stuck = false;
}

bool evidence_is_full(struct evidence *evidence)
{
	if (evidence->acked == UINT64_MAX || evidence->retiring ||
	    !is_over(evidence, EVIDENCE_LINE_MAX))
		return false;
	if (evidence->stuck)
		return true;
	retire(evidence, EVIDENCE_LINE_MAX);
	evidence->stuck = is_over(evidence, EVIDENCE_LINE_MAX);
	return evidence->stuck;
}
