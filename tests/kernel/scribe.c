// SPDX-License-Identifier: GPL-2.0-only
/*
 * Writes an evidence log as fast as it can, and says the number of the last
 * line each time that all up to it are on the disk: for tests/kernel/powercut,
 * which ends the machine in the middle of it. Segments are small, so that many
 * are closed, compressed and retired.
 *
 * usage: scribe FOLDER KEY [LINES [unsynced]]
 *
 *   LINES     at least so many; 0, or none: without end
 *   unsynced  say so although nobody made sure, and one segment takes it all:
 *             what has to be found out
 *
 * exit: 0 so many lines were written, 1 something failed
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "evidence.h"

#define SEGMENT_BYTES 20000
#define KEEP_BYTES    60000
#define BATCH	      7 /* lines a sync */
#define CHECKPOINT    5 /* batches */

static int add_batch(struct evidence *evidence, unsigned long n, bool synced)
{
	char pad[400], text[EVIDENCE_LINE_MAX];
	size_t len;
	int r;

	for (unsigned long i = 0; i < BATCH; i++) {
		memset(pad, 'a' + (int)(i % 26), sizeof(pad));
		pad[n * 37 % sizeof(pad)] = '\0';
		pad[sizeof(pad) - 1] = '\0';
		r = evidence_add(evidence,
				 json_pack("{s:i, s:s, s:s}", "cordon", 1,
					   "type", "verdict", "pad", pad),
				 text, &len);
		if (r)
			return r;
	}
	if (!synced)
		return 0;
	r = n % CHECKPOINT ? 0 : evidence_checkpoint(evidence);
	return r ? r : evidence_sync(evidence);
}

int main(int argc, char **argv)
{
	struct evidence_options opts = {.segment_bytes = SEGMENT_BYTES,
					.keep_bytes = KEEP_BYTES,
					.host = "scribe"};
	unsigned long lines = argc > 3 ? strtoul(argv[3], NULL, 10) : 0;
	struct evidence *evidence = NULL;
	struct evidence_found found;
	struct sign_key key;
	bool made;
	int r = -EINVAL;

	if (argc < 3)
		goto out;
	r = sign_key_load(argv[2], &key, &made);
	if (r)
		goto out;
	opts.dir = argv[1];
	opts.key = &key;
	r = evidence_open(&opts, NULL, NULL, &found, &evidence);
	sign_key_release(&key);
	for (unsigned long n = 1; !r && (!lines || (n - 1) * BATCH < lines);
	     n++) {
		r = add_batch(evidence, n, argc < 5);
		if (!r) {
			(void)printf(
				"%llu\n",
				(unsigned long long)evidence_next(evidence) -
					1);
			(void)fflush(stdout);
		}
	}
out:
	if (r)
		(void)fprintf(stderr, "scribe: %s\n", strerror(-r));
	evidence_close(evidence);
	return r != 0;
}
