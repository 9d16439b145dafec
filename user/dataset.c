// SPDX-License-Identifier: GPL-2.0-only
#include "dataset.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/magic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "array.h"

/* fs/xfs/libxfs/xfs_format.h: XFS_SB_MAGIC */
#define XFS_MAGIC 0x58465342

#define READ_BYTES (256U << 10)
#define TICK_BYTES (64U << 20)

struct fs {
	uint64_t magic;
	const char *name;
	bool allowed;
};

static const struct fs file_systems[] = {
	{EXT4_SUPER_MAGIC, "ext4", true},
	{XFS_MAGIC, "xfs", true},
	{TMPFS_MAGIC, "tmpfs", true},
	{OVERLAYFS_SUPER_MAGIC, "overlayfs", true},
	{BTRFS_SUPER_MAGIC, "btrfs", false},
	{MSDOS_SUPER_MAGIC, "vfat", false},
	{NFS_SUPER_MAGIC, "nfs", false},
	{0xff534d42, "cifs", false},
	{0xfe534d42, "smb2", false},
	{FUSE_SUPER_MAGIC, "fuse", false},
	{V9FS_MAGIC, "9p", false},
	{PROC_SUPER_MAGIC, "proc", false},
	{SYSFS_MAGIC, "sysfs", false},
	{AUTOFS_SUPER_MAGIC, "autofs", false},
	{SQUASHFS_MAGIC, "squashfs", false},
	{ISOFS_SUPER_MAGIC, "iso9660", false},
	{F2FS_SUPER_MAGIC, "f2fs", false},
	{0x2fc12fc1, "zfs", false},
};

static const struct fs *fs_find(uint64_t magic)
{
	size_t i;

	for (i = 0; i < N_ELEMENTS(file_systems); i++)
		if (file_systems[i].magic == magic)
			return &file_systems[i];
	return NULL;
}

bool dataset_fs_is_allowed(uint64_t magic)
{
	const struct fs *fs = fs_find(magic);

	return fs && fs->allowed;
}

const char *dataset_fs_name(uint64_t magic)
{
	static char number[32];
	const struct fs *fs = fs_find(magic);

	if (fs)
		return fs->name;
	(void)snprintf(number, sizeof(number), "type 0x%" PRIx64, magic);
	return number;
}

/* f_type is signed and cifs has its top bit. */
static int fs_magic(int fd, uint64_t *ret_magic)
{
	struct statfs fs;

	if (fstatfs(fd, &fs) < 0)
		return -errno;
	*ret_magic = (uint64_t)fs.f_type & 0xffffffff;
	return 0;
}

/* ---- resolving --------------------------------------------------------- */

/*
 * realpath(3) of as much of path as exists, which goes to real; returns the
 * rest in *ret_rest, "" if there is none.
 */
static int resolve_existing(const char *path, char *real, const char **ret_rest)
{
	char prefix[PATH_MAX];
	size_t len = strlen(path);
	int e;

	if (*path != '/' || len >= sizeof(prefix))
		return *path == '/' ? -ENAMETOOLONG : -EINVAL;
	memcpy(prefix, path, len + 1);
	for (;;) {
		if (realpath(prefix, real)) {
			*ret_rest = path + len + strspn(path + len, "/");
			return 0;
		}
		e = errno;
		if (e != ENOENT || len <= 1)
			return -e;
		while (len > 1 && prefix[len - 1] == '/')
			len--;
		while (len > 1 && prefix[len - 1] != '/')
			len--;
		prefix[len] = '\0';
	}
}

int dataset_resolve(const char *path, struct dataset_place *ret_place,
		    char *why, size_t size)
{
	struct dataset_place place = {0};
	struct stat st;
	const char *rest;
	uint64_t magic;
	size_t len;
	int fd = -1, r;

	r = resolve_existing(path, place.real, &rest);
	if (r) {
		(void)snprintf(why, size,
			       "%s cannot be resolved (%s); correct the path "
			       "in the policy, or what is on the way to it",
			       path, strerror(-r));
		return r;
	}
	fd = open(place.real, O_PATH | O_CLOEXEC | O_NOFOLLOW);
	if (fd < 0 || fstat(fd, &st) < 0) {
		r = -errno;
		(void)snprintf(why, size, "%s cannot be looked at (%s)",
			       place.real, strerror(-r));
		goto out;
	}
	r = fs_magic(fd, &magic);
	if (r)
		goto out;

	place.exists = !*rest;
	place.is_dir = place.exists && S_ISDIR(st.st_mode);
	if (place.exists ? !S_ISDIR(st.st_mode) && !S_ISREG(st.st_mode)
			 : !S_ISDIR(st.st_mode)) {
		r = -EINVAL;
		(void)snprintf(why, size,
			       "%s is neither a directory nor a regular file; "
			       "a dataset has to be one of them",
			       place.real);
		goto out;
	}
	if (!dataset_fs_is_allowed(magic)) {
		r = -EOPNOTSUPP;
		(void)snprintf(why, size,
			       "%s is on %s, where the guard cannot follow "
			       "files; move the dataset to " DATASET_FS_ALLOWED,
			       place.real, dataset_fs_name(magic));
		goto out;
	}
	if (place.exists) {
		place.has_parent = true;
	} else {
		place.has_parent = !strchr(rest, '/');
		len = strlen(place.real);
		if (len == 1)
			len = 0;
		if (len + 1 + strlen(rest) >= sizeof(place.real)) {
			r = -ENAMETOOLONG;
			goto out;
		}
		place.real[len] = '/';
		strcpy(place.real + len + 1, rest);
	}
	*ret_place = place;
out:
	if (fd >= 0)
		(void)close(fd);
	return r;
}

/* ---- walking ----------------------------------------------------------- */

struct walk {
	const struct dataset_visitor *visitor;
	char path[PATH_MAX];
	size_t len;
};

static void walk_skip(const struct walk *w, const char *why)
{
	if (w->visitor->skip)
		w->visitor->skip(w->path, why, w->visitor->arg);
}

int dataset_open_dir(int at, const char *name)
{
	int flags = O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW;
	int fd;

	fd = openat(at, name, flags | O_NOATIME);
	if (fd < 0 && errno == EPERM)
		fd = openat(at, name, flags);
	return fd < 0 ? -errno : fd;
}

static int walk_dir(struct walk *w, int fd, dev_t dev, int depth);

/* Enters the directory name, w->path by now. */
static int walk_child(struct walk *w, int dir, const char *name, dev_t dev,
		      int depth)
{
	char why[128];
	struct stat st;
	uint64_t magic;
	int fd;

	if (depth == DATASET_DEPTH_MAX) {
		walk_skip(w, "it is nested too deeply for the guard");
		return 0;
	}
	if (w->visitor->dir)
		w->visitor->dir(dir, name, w->path, w->visitor->arg);
	fd = dataset_open_dir(dir, name);
	if (fd < 0) {
		if (fd != -ENOENT)
			walk_skip(w, strerror(-fd));
		return 0;
	}
	if (fstat(fd, &st) < 0 || fs_magic(fd, &magic)) {
		walk_skip(w, strerror(errno));
		(void)close(fd);
		return 0;
	}
	if (st.st_dev != dev && !dataset_fs_is_allowed(magic)) {
		(void)snprintf(why, sizeof(why),
			       "it is on %s, where the guard cannot "
			       "follow files",
			       dataset_fs_name(magic));
		walk_skip(w, why);
		(void)close(fd);
		return 0;
	}
	return walk_dir(w, fd, st.st_dev, depth + 1);
}

static int walk_entry(struct walk *w, int dir, const struct dirent *entry,
		      dev_t dev, int depth)
{
	unsigned char type = entry->d_type;
	struct stat st;

	if (type == DT_UNKNOWN) {
		if (fstatat(dir, entry->d_name, &st, AT_SYMLINK_NOFOLLOW) < 0)
			return 0;
		type = S_ISDIR(st.st_mode)   ? DT_DIR
		       : S_ISREG(st.st_mode) ? DT_REG
					     : DT_UNKNOWN;
	}
	if (type == DT_DIR)
		return walk_child(w, dir, entry->d_name, dev, depth);
	if (type == DT_REG && w->visitor->file)
		w->visitor->file(dir, entry->d_name, w->path, w->visitor->arg);
	return 0;
}

/* Takes fd. */
static int walk_dir(struct walk *w, int fd, dev_t dev, int depth)
{
	const struct dirent *entry;
	size_t len = w->len, n;
	DIR *dir;
	int r = 0;

	dir = fdopendir(fd);
	if (!dir) {
		r = -errno;
		(void)close(fd);
		return r;
	}
	for (;;) {
		errno = 0;
		entry = readdir(dir);
		if (!entry)
			break;
		if (!strcmp(entry->d_name, ".") || !strcmp(entry->d_name, ".."))
			continue;
		n = strlen(entry->d_name);
		if (n >= sizeof(w->path) - 1 - len) {
			walk_skip(w, "a path below it is too long");
			continue;
		}
		w->path[len] = '/';
		memcpy(w->path + len + 1, entry->d_name, n + 1);
		w->len = len + 1 + n;
		r = walk_entry(w, dirfd(dir), entry, dev, depth);
		w->len = len;
		w->path[len] = '\0';
		if (r)
			break;
	}
	if (!entry && errno)
		walk_skip(w, strerror(errno));
	(void)closedir(dir);
	return r;
}

int dataset_walk(const char *path, const struct dataset_visitor *visitor)
{
	struct walk w = {.visitor = visitor};
	struct stat st;
	int fd;

	w.len = strlen(path);
	if (w.len >= sizeof(w.path))
		return -ENAMETOOLONG;
	memcpy(w.path, path, w.len + 1);

	if (lstat(path, &st) < 0)
		return -errno;
	if (!S_ISDIR(st.st_mode)) {
		if (S_ISREG(st.st_mode) && visitor->file)
			visitor->file(AT_FDCWD, path, path, visitor->arg);
		return 0;
	}
	fd = dataset_open_dir(AT_FDCWD, path);
	if (fd < 0)
		return fd;
	if (fstat(fd, &st) < 0) {
		(void)close(fd);
		return -errno;
	}
	return walk_dir(&w, fd, st.st_dev, 0);
}

/* ---- mounts ------------------------------------------------------------ */

/* A blank in a path of the kernel's lists is \\040, in place. */
static void unescape(char *s)
{
	char *to = s;

	while (*s) {
		if (s[0] == '\\' && s[1] >= '0' && s[1] <= '3' && s[2] >= '0' &&
		    s[2] <= '7' && s[3] >= '0' && s[3] <= '7') {
			*to++ = (char)((s[1] - '0') << 6 | (s[2] - '0') << 3 |
				       (s[3] - '0'));
			s += 4;
		} else {
			*to++ = *s++;
		}
	}
	*to = '\0';
}

/* The next word of a line, cut off and as it was before it was written. */
static char *next_word(char **at)
{
	char *word = *at;

	*at += strcspn(word, " \n");
	if (**at)
		*(*at)++ = '\0';
	unescape(word);
	return word;
}

/* Behind words that there are any number of. */
static const char *type_behind(char *rest)
{
	char *at = strstr(rest, " - ");

	if (!at)
		return "";
	at += strlen(" - ");
	return next_word(&at);
}

int dataset_each_mount(dataset_any_mount_fn fn, void *arg)
{
	struct dataset_mount mount;
	unsigned int major, minor;
	char *line = NULL, *rest;
	size_t size = 0;
	int at, r = 0;
	FILE *f;

	f = fopen("/proc/self/mountinfo", "re");
	if (!f)
		return -errno;
	while (!r && getline(&line, &size, f) > 0) {
		at = 0;
		if (sscanf(line, "%u %*u %u:%u %n", &mount.id, &major, &minor,
			   &at) < 3 ||
		    !at)
			continue;
		rest = line + at;
		mount.dev = major << 20 | minor;
		mount.root = next_word(&rest);
		mount.path = next_word(&rest);
		mount.type = type_behind(rest);
		r = fn(&mount, arg);
	}
	if (!r && ferror(f))
		r = -EIO;
	free(line);
	(void)fclose(f);
	return r;
}

struct below {
	const char *dir;
	dataset_mount_fn fn;
	void *arg;
};

static int mount_below(const struct dataset_mount *mount, void *arg)
{
	const struct below *below = arg;
	size_t len = strlen(below->dir);

	if (strncmp(mount->path, below->dir, len) || mount->path[len] != '/')
		return 0;
	return below->fn(mount->id, mount->path, below->arg);
}

int dataset_mounts(const char *dir, dataset_mount_fn fn, void *arg)
{
	struct below below = {dir, fn, arg};

	return dataset_each_mount(mount_below, &below);
}

/* ---- lines ------------------------------------------------------------- */

struct lines {
	char *buf;
	uint64_t shortest;
	char *where;
	void (*tick)(void *arg);
	void *arg;
	uint64_t unticked; /* bytes */
	int error;
};

static void lines_tick(struct lines *lines, size_t bytes)
{
	lines->unticked += bytes;
	if (!lines->tick || lines->unticked < TICK_BYTES)
		return;
	lines->unticked = 0;
	lines->tick(lines->arg);
}

/* Scans what memchr() finds; the state goes over from buffer to buffer. */
static void lines_file(int dir, const char *name, const char *path, void *arg)
{
	struct lines *lines = arg;
	bool first = true, blank = true;
	const char *p, *end, *newline;
	uint64_t len = 0, piece;
	ssize_t n;
	int fd;

	fd = openat(dir, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	if (fd < 0) {
		if (errno != ENOENT)
			lines->error = -errno;
		return;
	}
	(void)posix_fadvise(fd, 0, 0, POSIX_FADV_SEQUENTIAL);
	while ((n = read(fd, lines->buf, READ_BYTES)) > 0) {
		lines_tick(lines, (size_t)n);
		p = lines->buf;
		end = p + n;
		while (p < end) {
			newline = memchr(p, '\n', (size_t)(end - p));
			piece = (uint64_t)((newline ? newline + 1 : end) - p);
			while (blank && piece &&
			       (*p == ' ' || *p == '\t' || *p == '\r' ||
				*p == '\n')) {
				p++;
				piece--;
				len++;
			}
			blank = blank && !piece;
			len += piece;
			p += piece;
			if (!newline)
				continue;
			if (!first && !blank && len < lines->shortest) {
				lines->shortest = len;
				strcpy(lines->where, path);
			}
			first = false;
			blank = true;
			len = 0;
		}
	}
	if (n < 0)
		lines->error = -errno;
	/* A last line without its newline is a line; it lacks a byte. */
	if (!n && !first && !blank && len + 1 < lines->shortest) {
		lines->shortest = len + 1;
		strcpy(lines->where, path);
	}
	(void)close(fd);
}

int dataset_line_bytes(const char *path, void (*tick)(void *arg), void *arg,
		       uint32_t *ret_bytes, char *ret_where)
{
	char where[PATH_MAX] = "";
	struct lines lines = {.shortest = UINT64_MAX,
			      .where = where,
			      .tick = tick,
			      .arg = arg};
	struct dataset_visitor visitor = {.file = lines_file, .arg = &lines};
	int r;

	lines.buf = malloc(READ_BYTES);
	if (!lines.buf)
		return -ENOMEM;
	r = dataset_walk(path, &visitor);
	free(lines.buf);
	if (!r)
		r = lines.error;
	if (r)
		return r;
	if (lines.shortest == UINT64_MAX)
		*ret_bytes = 1;
	else if (lines.shortest > UINT32_MAX)
		*ret_bytes = UINT32_MAX;
	else
		*ret_bytes = (uint32_t)lines.shortest;
	strcpy(ret_where, where);
	return 0;
}
