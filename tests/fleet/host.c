// SPDX-License-Identifier: GPL-2.0-only
/*
 * A host, as its force gets to see it, without an agent: it reports an evidence
 * log that is there, takes policies, and answers what it is asked. Bad habits
 * come on standard input:
 *
 *	add N		N more lines, and a checkpoint
 *	problem TEXT	it is not well
 *	mode MODE
 *	lifted HASH	nothing is denied there, by that act
 *	deaf, hears	policies do not arrive, or do again
 *	mute, speaks	no ask is answered, or is again
 *	silent, reports	nothing is reported, or is again
 *	as NAME		reports go out in the name of NAME, signed by this key
 *	again		all is reported once more, from the first line on
 *
 * What happens is on standard output, a line each.
 *
 * usage: host request KEY NAME: what it asks its force for
 *	  host LOG KEY NAME SEAL CURSOR PROGRAM SERVER CA CERT CERTKEY
 *		[GROUP...]
 */
#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "clock.h"
#include "enrolment.h"
#include "evidence.h"
#include "fleet_message.h"
#include "link.h"
#include "policy.h"
#include "state.h"
#include "text.h"

#define LINES_MAX 100000
#define BATCH	  16 /* few, so that there are many reports */

struct host {
	const char *log;
	const char *cursor;
	char name[FLEET_NAME_CHARS_MAX + 1];
	struct sign_key key;
	struct seal_public seal;
	struct link *link;
	char *lines[LINES_MAX];
	uint64_t seqs[LINES_MAX];
	uint64_t segments[LINES_MAX];
	size_t n;
	uint64_t acked;
	uint64_t sent; /* last line of the report that is under way; 0: none */
	uint64_t id;
	uint64_t again;
	uint64_t serial;
	char sha256[SIGN_HASH_CHARS_MAX];
	char mode[16];
	char lifted[SIGN_HASH_CHARS_MAX];
	int64_t lifted_until_s;
	char problem[128];
	char as[FLEET_NAME_CHARS_MAX + 1];
	bool deaf;
	bool mute;
	bool silent;
};

static void say(const char *format, ...) __attribute__((format(printf, 1, 2)));

static void say(const char *format, ...)
{
	va_list ap;

	va_start(ap, format);
	(void)vprintf(format, ap);
	va_end(ap);
	(void)putchar('\n');
	(void)fflush(stdout);
}

static void check(int r, const char *what)
{
	if (!r)
		return;
	(void)fprintf(stderr, "host: %s: %s\n", what, strerror(-r));
	exit(1);
}

/* ---- the log ------------------------------------------------------------ */

static int take_line(const struct evidence_line *line, void *arg)
{
	struct host *host = arg;
	const char *prev;
	json_t *object;
	uint64_t seq;

	if (!line->whole ||
	    evidence_parse(line->text, line->len, &object, &seq, &prev))
		return 0;
	json_decref(object);
	if (host->n && seq <= host->seqs[host->n - 1])
		return 0;
	if (host->n >= LINES_MAX)
		return -EFBIG;
	host->lines[host->n] = malloc(line->len + 2);
	if (!host->lines[host->n])
		return -ENOMEM;
	memcpy(host->lines[host->n], line->text, line->len);
	memcpy(host->lines[host->n] + line->len, "\n", 2);
	host->segments[host->n] =
		evidence_segment_of(evidence_base(line->file));
	host->seqs[host->n++] = seq;
	return 0;
}

static void read_log(struct host *host)
{
	char **files = NULL;
	size_t n = 0;

	if (evidence_files(&host->log, 1, NULL, NULL, &files, &n))
		return;
	for (size_t i = 0; i < n; i++)
		check(evidence_read(files[i], take_line, host), files[i]);
	evidence_files_free(files, n);
}

static void add_lines(struct host *host, uint64_t n)
{
	const struct evidence_options opts = {
		.dir = host->log, .key = &host->key, .host = host->name};
	char text[EVIDENCE_LINE_MAX];
	struct evidence *evidence;
	struct evidence_found found;
	size_t len;

	check(evidence_open(&opts, NULL, NULL, &found, &evidence), host->log);
	for (uint64_t i = 0; i < n; i++)
		check(evidence_add(evidence,
				   evidence_object("note", json_object()), text,
				   &len),
		      "adding");
	evidence_close(evidence);
	read_log(host);
	say("added %" PRIu64, host->seqs[host->n - 1]);
}

/* ---- reports ------------------------------------------------------------ */

static void put_cursor(const struct host *host)
{
	char text[32];
	int len = snprintf(text, sizeof(text), "%" PRIu64, host->acked);

	check(state_put(host->cursor, text, (size_t)len), host->cursor);
}

static void get_cursor(struct host *host)
{
	char *text = NULL, number[32];
	size_t len;

	if (state_get(host->cursor, sizeof(number) - 1, &text, &len))
		return;
	memcpy(number, text, len);
	number[len] = '\0';
	(void)text_parse_u64(number, 0, UINT64_MAX, &host->acked);
	free(text);
}

/* Lines of one segment behind what was acknowledged. */
static bool gather(const struct host *host, struct fleet_report *report,
		   char **ret_lines)
{
	size_t first = 0, n = 0, len = 0;
	char *lines;

	while (first < host->n && host->seqs[first] <= host->acked)
		first++;
	if (first == host->n)
		return false;
	while (first + n < host->n && n < BATCH &&
	       host->segments[first + n] == host->segments[first])
		len += strlen(host->lines[first + n++]);
	lines = calloc(1, len + 1);
	if (!lines)
		return false;
	for (size_t i = 0; i < n; i++)
		(void)strcat(lines, host->lines[first + i]);
	report->first = host->seqs[first];
	report->last = host->seqs[first + n - 1];
	report->segment = host->segments[first];
	report->head = host->seqs[host->n - 1];
	report->lines = lines;
	report->len = len;
	*ret_lines = lines;
	return true;
}

static void report(struct host *host)
{
	struct link_frame frame = {.type = LINK_REPORT};
	char msgid[FLEET_MSGID_CHARS_MAX], *lines;
	struct fleet_report report = {0};
	void *box = NULL;

	if (host->sent || host->silent || !link_state(host->link)->connected ||
	    !gather(host, &report, &lines))
		return;
	(void)strcpy(report.host, host->as[0] ? host->as : host->name);
	check(fleet_report_make(&host->key, &host->seal, &report, &box,
				&frame.len),
	      "making a report");
	(void)strcpy(report.host, host->name);
	fleet_id(&host->key.public, report.id);
	fleet_report_msgid(&host->key, &report, host->again, msgid);
	frame.id = ++host->id;
	(void)strcpy(frame.name, msgid);
	frame.bytes = box;
	if (!link_send(host->link, &frame))
		host->sent = report.last;
	free(lines);
	free(box);
}

static void take_ack(struct host *host, const struct link_frame *frame)
{
	if (frame->id != host->id || !host->sent)
		return;
	if (frame->type == LINK_REFUSED) {
		say("refused %.*s", (int)frame->len,
		    (const char *)frame->bytes);
		host->sent = 0;
		(void)usleep(200000);
		return;
	}
	host->acked = host->sent;
	host->sent = 0;
	put_cursor(host);
	say("acked %" PRIu64 "%s", host->acked, frame->kind ? " again" : "");
}

/* ---- what it is told, and asked ----------------------------------------- */

static void take_policy(struct host *host, const struct link_frame *frame)
{
	struct fleet_policy message;

	if (host->deaf || fleet_policy_open(frame->bytes, frame->len,
					    FLEET_POLICY_BYTES_MAX, &message))
		return;
	for (size_t i = 0; i < message.n_trust; i++)
		say("trust anchors %" PRIu64, message.trust[i].version);
	if (message.act.bytes)
		say("act");
	if (message.policy.bytes && message.serial > host->serial) {
		host->serial = message.serial;
		sign_hash(message.policy.bytes, message.policy.len,
			  host->sha256);
		say("policy %" PRIu64, host->serial);
	} else if (message.policy.bytes) {
		say("old policy %" PRIu64, message.serial);
	}
	fleet_policy_release(&message);
}

static void attest(struct host *host, const char *nonce)
{
	struct fleet_attest attest = {
		.time_s = clock_s(CLOCK_REALTIME),
		.policy_serial = host->serial,
		.attached = "lsm",
		.kernel = "6.12",
		.version = "1",
		.evidence_seq = host->n ? host->seqs[host->n - 1] : 0,
	};
	struct link_frame frame = {.type = LINK_ATTEST};
	void *box = NULL;

	attest.spool_waiting = attest.evidence_seq > host->acked
				       ? attest.evidence_seq - host->acked
				       : 0;
	(void)strcpy(attest.host, host->name);
	(void)strcpy(attest.nonce, nonce);
	(void)strcpy(attest.policy_sha256, host->sha256);
	(void)strcpy(attest.mode, host->mode);
	attest.lifted_until_s = host->lifted_until_s;
	(void)strcpy(attest.lifted_sha256, host->lifted);
	(void)strcpy(attest.problem, host->problem);
	(void)strcpy(attest.health, host->problem[0] ? "degraded" : "good");
	if (host->n)
		sign_hash(host->lines[host->n - 1],
			  strlen(host->lines[host->n - 1]) - 1,
			  attest.evidence_hash);
	check(fleet_attest_make(&host->key, &host->seal, &attest, &box,
				&frame.len),
	      "attesting");
	frame.bytes = box;
	(void)link_send(host->link, &frame);
	free(box);
}

static void take_ask(struct host *host, const struct link_frame *frame)
{
	char nonce[FLEET_NONCE_CHARS_MAX];
	struct fleet_have have;
	bool has = false;

	if (fleet_ask_open(frame->bytes, frame->len, host->name, nonce, &have,
			   &has))
		return;
	if (has && have.seq < host->acked) {
		host->acked = have.seq;
		host->sent = 0;
		host->again++;
		say("back to %" PRIu64, have.seq);
	}
	if (!host->mute)
		attest(host, nonce);
}

static void take_frame(struct host *host, const struct link_frame *frame)
{
	switch (frame->type) {
	case LINK_CONNECTED:
		host->sent = 0;
		say("connected");
		break;
	case LINK_DISCONNECTED:
		say("disconnected %s", link_state(host->link)->words);
		break;
	case LINK_POLICY:
		take_policy(host, frame);
		break;
	case LINK_ASKED:
		take_ask(host, frame);
		break;
	case LINK_ACKED:
	case LINK_REFUSED:
		take_ack(host, frame);
		break;
	default:
		break;
	}
}

/* ---- what it is made to do ---------------------------------------------- */

static void be_in_mode(struct host *host, const char *mode, const char *act)
{
	(void)snprintf(host->mode, sizeof(host->mode), "%s", mode);
	(void)snprintf(host->lifted, sizeof(host->lifted), "%s", act);
	host->lifted_until_s = act[0] ? clock_s(CLOCK_REALTIME) + 1800 : 0;
}

static void obey(struct host *host, char *line)
{
	char *rest = strchr(line, ' ');
	uint64_t n;

	line[strcspn(line, "\n")] = '\0';
	if (rest)
		*rest++ = '\0';
	else
		rest = line + strlen(line);
	if (strcmp(line, "add") == 0 && !text_parse_u64(rest, 1, 10000, &n))
		add_lines(host, n);
	else if (strcmp(line, "problem") == 0)
		(void)snprintf(host->problem, sizeof(host->problem), "%s",
			       rest);
	else if (strcmp(line, "mode") == 0)
		be_in_mode(host, rest, "");
	else if (strcmp(line, "lifted") == 0)
		be_in_mode(host, "lifted", rest);
	else if (strcmp(line, "as") == 0)
		(void)snprintf(host->as, sizeof(host->as), "%s", rest);
	else if (strcmp(line, "again") == 0) {
		host->acked = 0;
		host->again++;
	}
	host->deaf = strcmp(line, "deaf") == 0 ||
		     (host->deaf && strcmp(line, "hears") != 0);
	host->mute = strcmp(line, "mute") == 0 ||
		     (host->mute && strcmp(line, "speaks") != 0);
	host->silent = strcmp(line, "silent") == 0 ||
		       (host->silent && strcmp(line, "reports") != 0);
	say("did %s", line);
}

static void run(struct host *host)
{
	struct pollfd fds[2] = {{.fd = STDIN_FILENO, .events = POLLIN},
				{.fd = link_fd(host->link), .events = POLLIN}};
	struct link_frame frame;
	char line[256];

	for (;;) {
		check(link_work(host->link), "the link");
		while (link_next(host->link, &frame) > 0)
			take_frame(host, &frame);
		report(host);
		if (poll(fds, 2, 1000) < 0 && errno != EINTR)
			return;
		if (fds[0].revents & POLLIN) {
			if (!fgets(line, sizeof(line), stdin))
				return;
			obey(host, line);
		} else if (fds[0].revents) {
			return;
		}
	}
}

static int request(const char *key_file, const char *name)
{
	char text[ENROLMENT_REQUEST_CHARS_MAX];
	struct sign_key key;
	bool made;

	check(sign_key_load(key_file, &key, &made), key_file);
	check(enrolment_request_make(&key, name, text), name);
	(void)fputs(text, stdout);
	return 0;
}

int main(int argc, char **argv)
{
	static struct host host = {.mode = "enforce"};
	const char *groups[LINK_GROUPS_MAX];
	struct link_options options = {.role = LINK_OF_HOST, .groups = groups};
	bool made;

	if (argc == 4 && strcmp(argv[1], "request") == 0)
		return request(argv[2], argv[3]);
	if (argc < 11) {
		(void)fprintf(stderr, "host: see what it is called with\n");
		return 2;
	}
	(void)setvbuf(stdin, NULL, _IONBF, 0);
	host.log = argv[1];
	host.cursor = argv[5];
	(void)snprintf(host.name, sizeof(host.name), "%s", argv[3]);
	check(sign_key_load(argv[2], &host.key, &made), argv[2]);
	check(seal_public_parse(argv[4], &host.seal), "the seal");
	get_cursor(&host);
	options.program = argv[6];
	options.servers = (const char *const *)&argv[7];
	options.n_servers = 1;
	options.ca = argv[8];
	options.cert = argv[9];
	options.key = argv[10];
	options.host = host.name;
	for (int i = 11; i < argc && options.n_groups < LINK_GROUPS_MAX; i++)
		groups[options.n_groups++] = argv[i];
	options.root = true;
	read_log(&host);
	check(link_new(&options, &host.link), "the link");
	run(&host);
	link_free(host.link);
	return 0;
}
