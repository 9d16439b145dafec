// SPDX-License-Identifier: GPL-2.0-only
/*
 * Makes the evidence that the golden files are about, with the agent's own
 * writer: always the same bytes, for key, host, boot and times are given. Of
 * lines.jsonl, which comes on standard input, each line is written at its time;
 * one of type `checkpoint' signs what is there, and one of type `lost' is a
 * line that could not be written.
 *
 * usage: log FOLDER KEY <lines.jsonl
 *
 * The folder is made, and so is the file KEY, outside of it.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "clock.h"
#include "evidence_internal.h"
#include "state.h"
#include "text.h"

#define SEGMENT_BYTES 12000 /* so that there are several */

/* Of no host: it is here to be seen. */
static const char key_pem[] =
	"-----BEGIN PRIVATE KEY-----\n"
	"MC4CAQAwBQYDK2VwBCIEIEdvbGRlbiBmaWxlcyBzaWduIHdpdGggdGhpcyBrZXkh\n"
	"-----END PRIVATE KEY-----\n";

static const char boot[] = "0f0e0d0c-0b0a-0908-0706-050403020100";

/* 0, or what evidence_add() and the others say. Takes line. */
static int add(struct evidence *evidence, json_t *line)
{
	char text[EVIDENCE_LINE_MAX], type[32];
	int64_t ms;
	size_t len;
	int r;

	(void)snprintf(type, sizeof(type), "%s", evidence_text(line, "type"));
	r = text_parse_time_ms(evidence_text(line, "time"), &ms);
	if (r) {
		json_decref(line);
		return r;
	}
	clock_stand_at(ms);
	(void)json_object_del(line, "type");
	(void)json_object_del(line, "time");
	if (strcmp(type, "checkpoint") == 0) {
		json_decref(line);
		return evidence_checkpoint(evidence);
	}
	if (strcmp(type, "lost") == 0) {
		json_decref(line);
		(void)evidence_add(evidence, NULL, text, &len);
		return 0;
	}
	r = evidence_add(evidence, evidence_object(type, line), text, &len);
	return r ? r : evidence_sync(evidence);
}

static int add_all(struct evidence *evidence)
{
	char *text = NULL;
	size_t room = 0;
	json_t *line;
	int r = 0;

	while (!r && getline(&text, &room, stdin) > 0) {
		line = json_loads(text, 0, NULL);
		r = line ? add(evidence, line) : -EINVAL;
	}
	free(text);
	return r;
}

/* As the agent leaves it there. */
static int put_public(const char *folder, const struct sign_key *key)
{
	char path[4096], pem[SIGN_PEM_CHARS_MAX];

	(void)snprintf(path, sizeof(path), "%s/" EVIDENCE_PUBLIC, folder);
	sign_public_pem(&key->public, pem);
	return state_put(path, pem, strlen(pem));
}

static int write_log(const char *folder, const char *key_path)
{
	struct evidence_options opts = {.dir = folder,
					.segment_bytes = SEGMENT_BYTES,
					.host = "cardprint-01"};
	struct evidence *evidence = NULL;
	struct evidence_found found;
	struct sign_key key = {0};
	bool made;
	int r;

	r = state_put(key_path, key_pem, strlen(key_pem));
	if (!r)
		r = sign_key_load(key_path, &key, &made);
	if (r)
		return r;
	opts.key = &key;
	r = evidence_open(&opts, NULL, NULL, &found, &evidence);
	if (r)
		goto out;
	(void)snprintf(evidence->boot, sizeof(evidence->boot), "%s", boot);
	r = put_public(folder, &key);
	if (!r)
		r = add_all(evidence);
out:
	evidence_close(evidence);
	sign_key_release(&key);
	return r;
}

int main(int argc, char **argv)
{
	int r = argc == 3 ? write_log(argv[1], argv[2]) : -EINVAL;

	if (r)
		(void)fprintf(stderr, "log: %s\n", strerror(-r));
	return r != 0;
}
