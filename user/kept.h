/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the files outside the datasets carry that holders wrote to, for the next
 * boot: saved while there is something new, and when the agent stops, and given
 * to the next guard that is loaded.
 *
 * Files are known by their number. Which device a file system has then is not
 * known before it is there, so it is kept with its type, its fsid and the place
 * where it was mounted. Datasets are kept by name: a number that is another's
 * by now would be a lie.
 *
 * As long as holders go on, what is saved is `open': what they write next is
 * not in it. Who finds it so in another boot knows that this one came to no
 * good end, and that files which changed since may carry anything.
 *
 * The file is a header, arrays of the structures below in this order, and a
 * CRC-32 of all of it; in host order, for the host that wrote it.
 */
#ifndef CORDON_KEPT_H
#define CORDON_KEPT_H

#include <stddef.h>
#include <stdint.h>
#include <linux/bpf.h>

#include "../bpf/abi.h"

#define KEPT_FILE_BYTES_MAX (512U << 20)
#define KEPT_PLACE	    256
#define KEPT_BOOT	    40

/* All that are mounted and keep their files, whether or not any carries. */
struct kept_fs {
	uint64_t type;		/* f_type of statfs(2) */
	uint64_t fsid;		/* f_fsid; 0: it has none */
	uint64_t files;		/* how many carry, when it was saved */
	char place[KEPT_PLACE]; /* "": none that its name fits */
};

struct kept_dataset {
	uint32_t id;
	uint32_t pad;
	char name[CORDON_NAME];
};

/* An origin whose share somebody has: struct origin, but for its numbers. */
struct kept_origin {
	uint32_t dataset;
	uint32_t tgid;
	uint32_t uid;
	uint32_t login;
	uint32_t session;
	uint32_t pad;
	uint64_t read_bytes;
	uint64_t read_records;
	char comm[16];
};

/* .origin is a place in the origins, from 1, or CORDON_ORIGIN_FOLDED. */
struct kept_holding {
	struct share shares[CORDON_SHARES];
	uint64_t unclean; /* 1: of files that a boot before left behind */
};

struct kept_file {
	uint64_t ino;
	uint32_t fs;	  /* place */
	uint32_t holding; /* likewise */
	uint32_t mapped;  /* 1: holders may have had its memory */
	uint32_t pad;
};

struct kept {
	uint64_t saved_ns;    /* since the epoch, before the guard was read */
	uint32_t open;	      /* 1: there may be more by now */
	char boot[KEPT_BOOT]; /* the kernel's boot_id */
	struct kept_fs *fs;
	struct kept_dataset *datasets;
	struct kept_origin *origins;
	struct kept_holding *holdings;
	struct kept_file *files;
	uint32_t n_fs;
	uint32_t n_datasets;
	uint32_t n_origins;
	uint32_t n_holdings;
	uint32_t n_files;
};

void kept_release(struct kept *kept);

/*
 * Which files changed since they were saved, by their ctime: those from
 * *ret_since_ns on, and mapped ones from *ret_mapped_ns on. Both 0, all of
 * them, if the clock is behind the moment when they were saved.
 */
void kept_since(const struct kept *kept, uint64_t now_ns,
		uint64_t *ret_since_ns, uint64_t *ret_mapped_ns);

/* Whole or not at all, as state_write(): path.old is the one before. */
int kept_write(const struct kept *kept, const char *path);

/*
 * Reads path; every place in it is there. 0: *ret_kept is for kept_release().
 * -ENOENT; -EUCLEAN: this is no such file, or was changed, why (cut at size)
 * says how; -EFBIG; -ENOMEM; as open(2) and read(2) say.
 */
int kept_read(const char *path, struct kept *ret_kept, char *why, size_t size);

#endif
