// SPDX-License-Identifier: GPL-2.0-only
/* What a force makes of reports, good and bad, in a directory of its own. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "evidence_verify.h"
#include "fleet_receive.h"

#define HOST	   "print-1.example.org"
#define TOKEN	   "print-1_example_org"
#define FELLOW	   "print-2"
#define SOURCE_MAX 4096

/* A host as the agent has it: a key, and a log. */
struct source {
	char log[128];
	struct sign_key key;
	struct evidence *evidence;
	char *lines[SOURCE_MAX]; /* with their newlines; from 0 */
	size_t n;
};

struct box {
	char dir[64];
	char fleet_dir[96];
	struct fleet *fleet;
	struct source host;
	struct source fellow;
	struct policy_errors errs;
	struct fleet_receipt receipt;
};

/* ---- hosts that write --------------------------------------------------- */

static int take_source(const struct evidence_line *line, void *arg)
{
	struct source *source = arg;

	assert_true(source->n < SOURCE_MAX);
	source->lines[source->n] = malloc(line->len + 2);
	assert_non_null(source->lines[source->n]);
	memcpy(source->lines[source->n], line->text, line->len);
	memcpy(source->lines[source->n] + line->len, "\n", 2);
	source->n++;
	return 0;
}

static void forget_lines(struct source *source)
{
	for (size_t i = 0; i < source->n; i++)
		free(source->lines[i]);
	source->n = 0;
}

static void read_source(struct source *source)
{
	const char *log = source->log;
	char **files = NULL;
	size_t n = 0;

	forget_lines(source);
	assert_int_equal(evidence_files(&log, 1, NULL, NULL, &files, &n), 0);
	for (size_t i = 0; i < n; i++)
		assert_int_equal(evidence_read(files[i], take_source, source),
				 0);
	evidence_files_free(files, n);
}

static void open_source(struct source *source, uint64_t segment)
{
	const struct evidence_options opts = {.dir = source->log,
					      .key = &source->key,
					      .segment_bytes = segment,
					      .host = HOST};
	struct evidence_found found;

	assert_int_equal(
		evidence_open(&opts, NULL, NULL, &found, &source->evidence), 0);
}

/* n lines, and the checkpoints between them. */
static void write_lines(struct source *source, size_t n, size_t pad)
{
	char text[EVIDENCE_LINE_MAX];
	size_t len;

	open_source(source, 0);
	memset(text, 'p', pad);
	text[pad] = '\0';
	for (size_t i = 0; i < n; i++)
		assert_int_equal(
			evidence_add(source->evidence,
				     evidence_object(
					     "verdict",
					     json_pack("{s:s}", "pad", text)),
				     (char[EVIDENCE_LINE_MAX]){0}, &len),
			0);
	evidence_close(source->evidence);
	source->evidence = NULL;
	read_source(source);
}

static void new_source(const struct box *box, const char *name,
		       struct source *source)
{
	char path[128];
	bool made;

	(void)snprintf(path, sizeof(path), "%s/%s.key", box->dir, name);
	(void)snprintf(source->log, sizeof(source->log), "%s/%s.log", box->dir,
		       name);
	assert_int_equal(sign_key_load(path, &source->key, &made), 0);
}

/* ---- a fleet ------------------------------------------------------------ */

static void approve(struct box *box, const char *name,
		    const struct sign_key *key)
{
	struct enrolment_request request = {.key = key->public};
	const char *const groups[] = {"printers"};
	struct fleet_approving approving = {
		.request = &request, .groups = groups, .n_groups = 1};

	(void)strcpy(request.host, name);
	assert_int_equal(fleet_lock(box->fleet), 0);
	assert_int_equal(fleet_approve(box->fleet, &approving), 0);
	fleet_unlock(box->fleet);
	free(approving.text);
	assert_int_equal(fleet_reload(box->fleet, &box->errs), 0);
}

static void open_fleet(struct box *box)
{
	assert_int_equal(fleet_open(box->fleet_dir, FLEET_OPENING, &box->fleet,
				    &box->errs),
			 0);
}

/* As one who was killed: nothing is put down, nothing told. */
static void open_again(struct box *box)
{
	fleet_receipt_release(&box->receipt);
	fleet_close(box->fleet);
	box->fleet = NULL;
	open_fleet(box);
}

static int setup(void **state)
{
	static const char *const servers[] = {"tls://broker.example.org:4222"};
	struct box *box = calloc(1, sizeof(*box));

	if (!box)
		return -1;
	(void)strcpy(box->dir, "/tmp/test_fleet_receive.XXXXXX");
	if (!mkdtemp(box->dir))
		return -1;
	(void)snprintf(box->fleet_dir, sizeof(box->fleet_dir), "%s/fleet",
		       box->dir);
	new_source(box, "host", &box->host);
	new_source(box, "fellow", &box->fellow);
	assert_int_equal(
		fleet_init(box->fleet_dir, "Example Police", servers, 1), 0);
	open_fleet(box);
	approve(box, HOST, &box->host.key);
	approve(box, FELLOW, &box->fellow.key);
	*state = box;
	return 0;
}

static int remove_one(const char *path, const struct stat *st, int flag,
		      struct FTW *ftw)
{
	(void)st;
	(void)flag;
	(void)ftw;
	return remove(path);
}

static int teardown(void **state)
{
	struct box *box = *state;

	fleet_receipt_release(&box->receipt);
	fleet_close(box->fleet);
	forget_lines(&box->host);
	forget_lines(&box->fellow);
	(void)nftw(box->dir, remove_one, 16, FTW_DEPTH | FTW_PHYS);
	free(box);
	return 0;
}

/* ---- messages ----------------------------------------------------------- */

struct message {
	void *bytes;
	size_t len;
};

static char *join(const struct source *source, size_t first, size_t last,
		  size_t *ret_len)
{
	char *text = NULL;
	FILE *out = open_memstream(&text, ret_len);

	assert_non_null(out);
	for (size_t i = first; i <= last; i++)
		assert_true(fputs(source->lines[i - 1], out) >= 0);
	assert_int_equal(fclose(out), 0);
	return text;
}

static struct message make_as(const struct box *box, const struct sign_key *key,
			      const char *token, const char *lines, size_t len,
			      uint64_t first, uint64_t last, uint64_t segment)
{
	struct fleet_report report = {.first = first,
				      .last = last,
				      .segment = segment,
				      .head = last,
				      .lines = lines,
				      .len = len};
	struct message message;

	(void)strcpy(report.host, token);
	assert_int_equal(fleet_report_make(key, &box->fleet->seal.public,
					   &report, &message.bytes,
					   &message.len),
			 0);
	return message;
}

/* What the host sends of its log. */
static struct message make(const struct box *box, size_t first, size_t last)
{
	size_t len;
	char *text = join(&box->host, first, last, &len);
	struct message message =
		make_as(box, &box->host.key, TOKEN, text, len, first, last, 1);

	free(text);
	return message;
}

static int receive(struct box *box, const char *token, struct message message)
{
	int r;

	fleet_receipt_release(&box->receipt);
	r = fleet_receive(box->fleet, token, message.bytes, message.len,
			  &box->receipt);
	free(message.bytes);
	return r;
}

static void comes(struct box *box, struct message message,
		  enum fleet_outcome outcome)
{
	assert_int_equal(receive(box, TOKEN, message), 0);
	assert_string_equal(fleet_outcome_name(box->receipt.outcome),
			    fleet_outcome_name(outcome));
}

static struct fleet_received *received(struct box *box)
{
	return &fleet_find(box->fleet, HOST)->received;
}

/* ---- what is there ------------------------------------------------------ */

static void copy_dir(const struct box *box, const char *host,
		     char ret_path[FLEET_PATH_MAX])
{
	fleet_host_path(box->fleet, host, EVIDENCE_DIR, ret_path);
}

static void read_copy(const struct box *box, struct source *copy)
{
	char path[FLEET_PATH_MAX];
	const char *log = path;
	char **files = NULL;
	size_t n = 0;

	copy_dir(box, HOST, path);
	if (evidence_files(&log, 1, NULL, NULL, &files, &n))
		return;
	for (size_t i = 0; i < n; i++)
		assert_int_equal(evidence_read(files[i], take_source, copy), 0);
	evidence_files_free(files, n);
}

/* The very lines, in their order, each once; from..to of the host's. */
static void has(const struct box *box, size_t from, size_t to)
{
	struct source *copy = calloc(1, sizeof(*copy));

	assert_non_null(copy);
	read_copy(box, copy);
	assert_int_equal(copy->n, to ? to - from + 1 : 0);
	for (size_t i = 0; i < copy->n; i++)
		assert_string_equal(copy->lines[i],
				    box->host.lines[from - 1 + i]);
	forget_lines(copy);
	free(copy);
}

static void note(const struct evidence_finding *finding, void *arg)
{
	(void)arg;
	print_message("# %s\n", finding->words);
}

static uint64_t problems(const struct box *box, uint64_t *ret_last)
{
	struct evidence_result result;
	char path[FLEET_PATH_MAX];
	const char *log = path;
	const struct evidence_query query = {.paths = &log,
					     .n_paths = 1,
					     .keys = &box->host.key.public,
					     .n_keys = 1,
					     .all = true};
	uint64_t n;

	copy_dir(box, HOST, path);
	assert_int_equal(evidence_verify(&query, note, NULL, &result), 0);
	n = result.problems;
	*ret_last = result.last;
	evidence_result_release(&result);
	return n;
}

static size_t count_aside(const struct box *box)
{
	char path[FLEET_PATH_MAX + 32];
	size_t n = 0;

	do
		(void)snprintf(path, sizeof(path), "%s/aside/%03zu.message",
			       box->fleet_dir, ++n);
	while (access(path, F_OK) == 0);
	return n - 1;
}

/* ---- what is taken ------------------------------------------------------ */

static void reports_become_the_log_that_the_host_has(void **state)
{
	struct box *box = *state;
	uint64_t last;

	write_lines(&box->host, 40, 100);
	comes(box, make(box, 1, 20), FLEET_TAKEN);
	assert_int_equal(box->receipt.first, 1);
	assert_memory_equal(box->receipt.lines, box->host.lines[0],
			    strlen(box->host.lines[0]));
	comes(box, make(box, 21, box->host.n), FLEET_TAKEN);
	has(box, 1, box->host.n);
	assert_int_equal(problems(box, &last), 0);
	assert_int_equal(last, box->host.n);
	assert_int_equal(received(box)->reports, 2);
}

static void report_is_taken_once_when_it_is_replayed(void **state)
{
	struct box *box = *state;

	write_lines(&box->host, 30, 100);
	comes(box, make(box, 1, 10), FLEET_TAKEN);
	comes(box, make(box, 11, 20), FLEET_TAKEN);
	for (int i = 0; i < 3; i++) {
		comes(box, make(box, 11, 20), FLEET_AGAIN);
		comes(box, make(box, 1, 10), FLEET_AGAIN);
	}
	has(box, 1, 20);
	assert_int_equal(received(box)->again, 6);
	comes(box, make(box, 21, 30), FLEET_TAKEN);
	has(box, 1, 30);
}

static void reports_that_overlap_add_what_is_new(void **state)
{
	struct box *box = *state;

	write_lines(&box->host, 30, 100);
	comes(box, make(box, 1, 10), FLEET_TAKEN);
	comes(box, make(box, 5, 25), FLEET_TAKEN);
	assert_int_equal(box->receipt.first, 5);
	assert_memory_equal(box->receipt.lines, box->host.lines[10],
			    strlen(box->host.lines[10]));
	has(box, 1, 25);
	assert_false(box->receipt.broke);
}

static void reports_are_in_order_when_the_broker_reorders_them(void **state)
{
	struct fleet_have have;
	struct box *box = *state;

	write_lines(&box->host, 40, 100);
	comes(box, make(box, 1, 10), FLEET_TAKEN);
	comes(box, make(box, 21, 30), FLEET_GAP);
	has(box, 1, 10);
	assert_true(received(box)->gap_s > 0);
	assert_int_equal(received(box)->gap_from, 11);
	assert_int_equal(received(box)->gap_to, 20);
	assert_int_equal(
		fleet_have(box->fleet, fleet_find(box->fleet, HOST), &have), 0);
	assert_int_equal(have.seq, 10);
	assert_string_equal(have.host, TOKEN);
	/* What the host then sends again is whole. */
	comes(box, make(box, 11, 20), FLEET_TAKEN);
	comes(box, make(box, 21, 40), FLEET_TAKEN);
	has(box, 1, 40);
	assert_int_equal(received(box)->gap_s, 0);
}

static void log_that_begins_late_is_taken_from_there(void **state)
{
	struct box *box = *state;
	size_t len;
	char *text;

	write_lines(&box->host, 40, 100);
	/* In the middle of a segment no log begins. */
	comes(box, make(box, 21, 30), FLEET_GAP);
	text = join(&box->host, 21, 30, &len);
	comes(box, make_as(box, &box->host.key, TOKEN, text, len, 21, 30, 21),
	      FLEET_TAKEN);
	free(text);
	has(box, 21, 30);
	assert_int_equal(received(box)->begins, 21);
	/* What comes too late is not the sign of another log. */
	comes(box, make(box, 1, 10), FLEET_AGAIN);
	comes(box, make(box, 31, 40), FLEET_TAKEN);
}

static struct message from_segment(const struct box *box, size_t first,
				   size_t last)
{
	struct message message;
	size_t len;
	char *text = join(&box->host, first, last, &len);

	message = make_as(box, &box->host.key, TOKEN, text, len, first, last,
			  first);
	free(text);
	return message;
}

static void gap_is_given_up_when_the_host_has_the_lines_no_more(void **state)
{
	struct box *box = *state;
	struct fleet_have have;
	struct fleet_host *host;

	write_lines(&box->host, 60, 100);
	comes(box, make(box, 1, 10), FLEET_TAKEN);
	host = fleet_find(box->fleet, HOST);
	/* A replay between two rounds counts for one round. */
	for (int round = 0; round < 4; round++) {
		for (int i = 0; i < 5; i++)
			comes(box, from_segment(box, 31, 40), FLEET_GAP);
		comes(box, from_segment(box, 41, 50), FLEET_GAP);
		assert_int_equal(fleet_have(box->fleet, host, &have), 0);
		assert_int_equal(have.seq, 10);
		assert_true(host->received.gap_s > 0);
		has(box, 1, 10);
		if (host->received.gap_same == 3)
			break;
	}
	comes(box, from_segment(box, 41, 50), FLEET_GAP);
	comes(box, from_segment(box, 31, 40), FLEET_TAKEN);
	assert_int_equal(host->received.lost, 20);
	assert_int_equal(host->received.gap_s, 0);
	comes(box, make(box, 41, 60), FLEET_TAKEN);
}

static void log_of_another_past_is_told_when_it_was_begun_anew(void **state)
{
	struct box *box = *state;

	write_lines(&box->host, 30, 100);
	comes(box, make(box, 1, 20), FLEET_TAKEN);
	forget_lines(&box->host);
	(void)snprintf(box->host.log, sizeof(box->host.log), "%s/anew.log",
		       box->dir);
	write_lines(&box->host, 40, 90);
	comes(box, make(box, 1, 10), FLEET_OTHER);
	assert_int_equal(received(box)->other, 10);
	assert_true(received(box)->other_s > 0);
	/* What is behind is taken, and does not follow. */
	comes(box, make(box, 11, 40), FLEET_TAKEN);
	assert_true(box->receipt.broke);
	assert_int_equal(received(box)->broken, 21);
}

static void lines_are_taken_when_the_host_was_tampered_with(void **state)
{
	struct box *box = *state;
	uint64_t last;
	char *at;

	write_lines(&box->host, 30, 100);
	comes(box, make(box, 1, 10), FLEET_TAKEN);
	assert_false(box->receipt.broke);
	at = strstr(box->host.lines[14], "pppp");
	assert_non_null(at);
	at[0] = 'q';
	comes(box, make(box, 11, 20), FLEET_TAKEN);
	assert_true(box->receipt.broke);
	comes(box, make(box, 21, box->host.n), FLEET_TAKEN);
	has(box, 1, box->host.n);
	assert_int_equal(received(box)->broken, 11);
	assert_true(problems(box, &last) > 0);
}

static void lines_that_are_none_are_left_out(void **state)
{
	struct box *box = *state;
	char *whole;

	write_lines(&box->host, 30, 100);
	comes(box, make(box, 1, 10), FLEET_TAKEN);
	whole = box->host.lines[14];
	box->host.lines[14] = strdup("\x01garbage\n");
	comes(box, make(box, 11, 20), FLEET_TAKEN);
	assert_true(box->receipt.broke);
	free(box->host.lines[14]);
	box->host.lines[14] = whole;
	open_again(box);
	comes(box, make(box, 21, 30), FLEET_TAKEN);
	assert_false(box->receipt.broke);
}

static void long_log_is_kept_in_segments(void **state)
{
	struct box *box = *state;
	char path[FLEET_PATH_MAX];
	const char *log = path;
	char **files = NULL;
	size_t n = 0;
	uint64_t last;

	write_lines(&box->host, 1500, 6000);
	for (size_t i = 1; i <= box->host.n; i += 40)
		comes(box,
		      make(box, i, i + 39 < box->host.n ? i + 39 : box->host.n),
		      FLEET_TAKEN);
	has(box, 1, box->host.n);
	assert_int_equal(problems(box, &last), 0);
	assert_int_equal(last, box->host.n);
	copy_dir(box, HOST, path);
	assert_int_equal(evidence_files(&log, 1, NULL, NULL, &files, &n), 0);
	assert_in_range(n, 2, 8);
	assert_true(evidence_compressed(files[0]));
	assert_false(evidence_compressed(files[n - 1]));
	evidence_files_free(files, n);
	comes(box, make(box, 1, 40), FLEET_AGAIN);
	/* The last one is compressed too, by whoever copied them. */
	open_again(box);
	comes(box, make(box, box->host.n, box->host.n), FLEET_AGAIN);
}

/* ---- what is not -------------------------------------------------------- */

static void report_is_set_aside_when_another_host_signed_it(void **state)
{
	struct box *box = *state;
	size_t len;
	char *text;

	write_lines(&box->host, 20, 100);
	write_lines(&box->fellow, 20, 100);
	text = join(&box->fellow, 1, 10, &len);
	/* The fellow under its own name is heard, */
	assert_int_equal(receive(box, FELLOW,
				 make_as(box, &box->fellow.key, FELLOW, text,
					 len, 1, 10, 1)),
			 0);
	assert_int_equal(box->receipt.outcome, FLEET_TAKEN);
	/* not under this one's, neither as it is nor made out to be its. */
	comes(box, make_as(box, &box->fellow.key, FELLOW, text, len, 1, 10, 1),
	      FLEET_FORGED);
	comes(box, make_as(box, &box->fellow.key, TOKEN, text, len, 1, 10, 1),
	      FLEET_FORGED);
	free(text);
	has(box, 1, 0);
	assert_int_equal(received(box)->not_its, 2);
	assert_int_equal(count_aside(box), 2);
	assert_int_equal(box->fleet->aside, 2);
	comes(box, make(box, 1, 10), FLEET_TAKEN);
}

static void report_is_set_aside_when_it_names_another_host(void **state)
{
	struct box *box = *state;
	size_t len;
	char *text;

	write_lines(&box->host, 20, 100);
	text = join(&box->host, 1, 10, &len);
	comes(box, make_as(box, &box->host.key, FELLOW, text, len, 1, 10, 1),
	      FLEET_FOREIGN);
	has(box, 1, 0);
	assert_int_equal(count_aside(box), 1);
	comes(box, make_as(box, &box->host.key, TOKEN, text, len, 1, 10, 1),
	      FLEET_TAKEN);
	free(text);
}

static void report_is_set_aside_when_the_host_is_not_approved(void **state)
{
	static const char *const tokens[] = {
		"print-3",
		"",
		"..",
		"../print-2",
		"print-2/evidence",
		"print-1.example.org",
		"/etc/passwd",
		"%s%n",
		"PRINT-2",
	};
	struct box *box = *state;

	write_lines(&box->host, 20, 100);
	for (size_t i = 0; i < sizeof(tokens) / sizeof(tokens[0]); i++) {
		assert_int_equal(receive(box, tokens[i], make(box, 1, 10)), 0);
		assert_int_equal(box->receipt.outcome, FLEET_UNKNOWN);
		assert_null(box->receipt.host);
	}
	has(box, 1, 0);
	assert_int_equal(count_aside(box), sizeof(tokens) / sizeof(tokens[0]));
	/* Its reports are taken from its approval on. */
	approve(box, "print-3", &box->host.key);
	{
		size_t len;
		char *text = join(&box->host, 1, 10, &len);

		assert_int_equal(receive(box, "print-3",
					 make_as(box, &box->host.key, "print-3",
						 text, len, 1, 10, 1)),
				 0);
		free(text);
	}
	assert_int_equal(box->receipt.outcome, FLEET_TAKEN);
}

static void report_is_refused_when_any_byte_is_cut_off_or_changed(void **state)
{
	struct box *box = *state;
	struct message good, bad;

	write_lines(&box->host, 20, 100);
	good = make(box, 1, 10);
	for (size_t len = 0; len < good.len; len += len < 200 ? 1 : 97) {
		bad.bytes = malloc(len + 1);
		bad.len = len;
		memcpy(bad.bytes, good.bytes, len);
		comes(box, bad, FLEET_CLOSED);
	}
	for (size_t at = 0; at < good.len; at += at < 200 ? 1 : 97) {
		bad.bytes = malloc(good.len);
		bad.len = good.len;
		memcpy(bad.bytes, good.bytes, good.len);
		((uint8_t *)bad.bytes)[at] ^= 1;
		comes(box, bad, FLEET_CLOSED);
	}
	has(box, 1, 0);
	/* It is bounded, what is set aside. */
	assert_in_range(count_aside(box), 100, FLEET_ASIDE_MAX);
	comes(box, good, FLEET_TAKEN);
	has(box, 1, 10);
}

static void report_to_another_force_is_not_opened(void **state)
{
	struct seal_key seal, own;
	struct box *box = *state;
	char path[128];
	bool made;

	write_lines(&box->host, 20, 100);
	(void)snprintf(path, sizeof(path), "%s/other.key", box->dir);
	assert_int_equal(seal_key_load(path, &seal, &made), 0);
	own = box->fleet->seal;
	box->fleet->seal = seal;
	{
		struct message message = make(box, 1, 10);

		box->fleet->seal = own;
		comes(box, message, FLEET_CLOSED);
	}
	has(box, 1, 0);
	comes(box, make(box, 1, 10), FLEET_TAKEN);
}

/* ---- when something fails ----------------------------------------------- */

static void nothing_is_settled_when_the_disk_is_full(void **state)
{
	struct rlimit limit = {.rlim_max = RLIM_INFINITY};
	struct box *box = *state;
	char path[FLEET_PATH_MAX];
	struct stat before, after;
	uint64_t last;

	(void)signal(SIGXFSZ, SIG_IGN);
	write_lines(&box->host, 100, 100);
	comes(box, make(box, 1, 20), FLEET_TAKEN);
	copy_dir(box, HOST, path);
	(void)strcat(path, "/000000000001.jsonl");
	assert_int_equal(stat(path, &before), 0);
	/* At the first byte of a line, in the middle of one, within the
	 * last. */
	for (rlim_t more = 0; more < 8000; more += 977) {
		limit.rlim_cur = (rlim_t)before.st_size + more;
		assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
		assert_int_equal(receive(box, TOKEN, make(box, 21, 60)),
				 -EFBIG);
		assert_int_equal(stat(path, &after), 0);
		assert_int_equal(after.st_size, before.st_size);
		assert_int_equal(received(box)->reports, 1);
	}
	limit.rlim_cur = RLIM_INFINITY;
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
	has(box, 1, 20);
	comes(box, make(box, 21, 60), FLEET_TAKEN);
	comes(box, make(box, 61, box->host.n), FLEET_TAKEN);
	has(box, 1, box->host.n);
	assert_int_equal(problems(box, &last), 0);
}

/* How much of its evidence is there, by the files. */
static uint64_t bytes_of(const struct box *box)
{
	char path[FLEET_PATH_MAX];
	uint64_t bytes = 0;

	copy_dir(box, HOST, path);
	assert_int_equal(evidence_copy_bytes(path, &bytes), 0);
	return bytes;
}

/* One host writes all it can; that is no matter to another one. */
static void host_gets_no_more_room_than_there_is_for_one(void **state)
{
	struct box *box = *state;
	uint64_t first;
	char *text;
	size_t len;

	write_lines(&box->host, 100, 1000);
	write_lines(&box->fellow, 20, 100);
	comes(box, make(box, 1, 10), FLEET_TAKEN);
	first = bytes_of(box);
	box->fleet->host_bytes = first + 1;
	comes(box, make(box, 11, 20), FLEET_TAKEN);
	assert_int_equal(received(box)->full_s, 0);
	for (int i = 0; i < 3; i++)
		comes(box, make(box, 21, 30), FLEET_LATER);
	comes(box, make(box, 31, 40), FLEET_LATER);
	assert_in_range(box->receipt.later_s, 10, 600);
	assert_true(received(box)->full_s > 0);
	assert_int_equal(received(box)->room, first + 1);
	assert_int_equal(received(box)->gap_s, 0);
	has(box, 1, 20);
	/* What is there already is settled. */
	comes(box, make(box, 11, 20), FLEET_AGAIN);
	text = join(&box->fellow, 1, 10, &len);
	assert_int_equal(receive(box, FELLOW,
				 make_as(box, &box->fellow.key, FELLOW, text,
					 len, 1, 10, 1)),
			 0);
	free(text);
	assert_int_equal(box->receipt.outcome, FLEET_TAKEN);
}

/* Nor is anything lost that was put off, whatever comes first. */
static void reports_are_whole_when_room_was_made(void **state)
{
	struct box *box = *state;

	write_lines(&box->host, 100, 100);
	comes(box, make(box, 1, 10), FLEET_TAKEN);
	box->fleet->host_bytes = 1;
	comes(box, make(box, 11, 20), FLEET_LATER);
	comes(box, make(box, 21, 30), FLEET_LATER);
	assert_int_equal(fleet_received_put(box->fleet), 0);
	open_again(box);
	fleet_recheck(box->fleet);
	assert_int_equal(received(box)->full_s, 0);
	/* A new one is here before those. */
	comes(box, make(box, 31, 40), FLEET_LATER);
	assert_int_equal(received(box)->gap_s, 0);
	comes(box, make(box, 11, 20), FLEET_TAKEN);
	comes(box, make(box, 31, 40), FLEET_LATER);
	comes(box, make(box, 21, 30), FLEET_TAKEN);
	comes(box, make(box, 31, 40), FLEET_TAKEN);
	has(box, 1, 40);
	/* Once they should have come it is a gap as any other. */
	received(box)->later_s = 1;
	comes(box, make(box, 51, 60), FLEET_GAP);
	comes(box, make(box, 41, 50), FLEET_TAKEN);
	/* Nor does it wait for years because the clock was wrong. */
	received(box)->later_s = time(NULL) + 86400;
	comes(box, make(box, 61, 70), FLEET_GAP);
}

static void host_without_room_stays_so_when_none_is_made(void **state)
{
	struct box *box = *state;

	write_lines(&box->host, 30, 100);
	comes(box, make(box, 1, 10), FLEET_TAKEN);
	box->fleet->host_bytes = 1;
	comes(box, make(box, 11, 20), FLEET_LATER);
	assert_int_equal(fleet_received_put(box->fleet), 0);
	open_again(box);
	box->fleet->host_bytes = 1;
	fleet_recheck(box->fleet);
	assert_true(received(box)->full_s > 0);
	comes(box, make(box, 11, 20), FLEET_LATER);
}

static void nothing_begins_when_the_disk_is_full(void **state)
{
	struct rlimit limit = {.rlim_max = RLIM_INFINITY, .rlim_cur = 100};
	struct box *box = *state;

	(void)signal(SIGXFSZ, SIG_IGN);
	write_lines(&box->host, 100, 100);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
	assert_int_equal(receive(box, TOKEN, make(box, 1, 60)), -EFBIG);
	limit.rlim_cur = RLIM_INFINITY;
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
	has(box, 1, 0);
	comes(box, make(box, 1, 60), FLEET_TAKEN);
	has(box, 1, 60);
}

static void report_is_taken_once_when_who_receives_dies_first(void **state)
{
	struct box *box = *state;

	write_lines(&box->host, 30, 100);
	comes(box, make(box, 1, 10), FLEET_TAKEN);
	open_again(box);
	comes(box, make(box, 1, 10), FLEET_AGAIN);
	comes(box, make(box, 11, 20), FLEET_TAKEN);
	open_again(box);
	comes(box, make(box, 11, 30), FLEET_TAKEN);
	has(box, 1, 30);
}

static void half_a_report_is_made_whole_after_a_crash(void **state)
{
	struct box *box = *state;
	char path[FLEET_PATH_MAX];
	struct stat st;
	off_t before;
	size_t len;
	char *text;
	int fd;

	write_lines(&box->host, 30, 100);
	comes(box, make(box, 1, 10), FLEET_TAKEN);
	copy_dir(box, HOST, path);
	(void)strcat(path, "/000000000001.jsonl");
	assert_int_equal(stat(path, &st), 0);
	before = st.st_size;
	text = join(&box->host, 11, 20, &len);
	for (size_t cut = 1; cut <= len; cut += cut < 20 ? 1 : 61) {
		fd = open(path, O_WRONLY | O_CLOEXEC);
		assert_true(fd >= 0);
		assert_int_equal(ftruncate(fd, before), 0);
		assert_int_equal(pwrite(fd, text, cut, before), cut);
		/* Some file systems leave zeros behind a crash. */
		if (cut % 2)
			assert_int_equal(
				pwrite(fd, "\0\0\0\0", 4, before + (off_t)cut),
				4);
		(void)close(fd);
		open_again(box);
		assert_int_equal(receive(box, TOKEN, make(box, 11, 20)), 0);
		has(box, 1, 20);
	}
	free(text);
	comes(box, make(box, 21, 30), FLEET_TAKEN);
	has(box, 1, 30);
}

static void report_goes_behind_what_somebody_else_has_written(void **state)
{
	struct box *box = *state;
	struct fleet *first = box->fleet;

	write_lines(&box->host, 40, 100);
	comes(box, make(box, 1, 10), FLEET_TAKEN);
	open_fleet(box);
	comes(box, make(box, 11, 20), FLEET_TAKEN);
	fleet_receipt_release(&box->receipt);
	fleet_close(box->fleet);
	box->fleet = first;
	comes(box, make(box, 11, 30), FLEET_TAKEN);
	has(box, 1, 30);
	assert_false(box->receipt.broke);
}

static void lines_that_somebody_took_away_are_missing(void **state)
{
	struct box *box = *state;
	char path[FLEET_PATH_MAX];
	size_t len;

	write_lines(&box->host, 40, 100);
	comes(box, make(box, 1, 10), FLEET_TAKEN);
	free(join(&box->host, 1, 5, &len));
	copy_dir(box, HOST, path);
	(void)strcat(path, "/000000000001.jsonl");
	assert_int_equal(truncate(path, (off_t)len), 0);
	comes(box, make(box, 11, 20), FLEET_GAP);
	assert_int_equal(received(box)->gap_from, 6);
	comes(box, make(box, 6, 20), FLEET_TAKEN);
	has(box, 1, 20);
}

static void evidence_that_is_moved_away_begins_anew(void **state)
{
	char from[FLEET_PATH_MAX], to[FLEET_PATH_MAX];
	struct box *box = *state;

	write_lines(&box->host, 40, 100);
	comes(box, make(box, 1, 10), FLEET_TAKEN);
	copy_dir(box, HOST, from);
	fleet_host_path(box->fleet, HOST, "before", to);
	assert_int_equal(rename(from, to), 0);
	comes(box, make(box, 11, 20), FLEET_GAP);
	assert_int_equal(received(box)->gap_from, 1);
	assert_int_equal(fleet_received_put(box->fleet), 0);
	open_again(box);
	fleet_recheck(box->fleet);
	assert_int_equal(received(box)->seq, 0);
	assert_int_equal(received(box)->gap_s, 0);
	comes(box, make(box, 1, 40), FLEET_TAKEN);
	has(box, 1, 40);
}

/* Receives all of it, and says so of each report, until it is killed. */
static void receive_all(struct box *box, int out, size_t each)
{
	for (size_t i = 1; i <= box->host.n; i += each) {
		size_t last = i + each - 1;

		last = last < box->host.n ? last : box->host.n;
		if (receive(box, TOKEN, make(box, i, last)) ||
		    box->receipt.outcome > FLEET_AGAIN ||
		    write(out, "", 1) != 1)
			_exit(1);
	}
	_exit(0);
}

static void log_is_whole_when_who_receives_is_killed(void **state)
{
	struct box *box = *state;
	bool done = false;
	uint64_t last;
	int status;

	write_lines(&box->host, 400, 500);
	for (size_t tries = 0; !done && tries < 200; tries++) {
		size_t acked = 0;
		int ends[2];
		char c;
		pid_t pid;

		assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
		open_again(box);
		pid = fork();
		assert_true(pid >= 0);
		if (!pid)
			receive_all(box, ends[1], 7);
		(void)close(ends[1]);
		/* At some moment of the next one. */
		while (acked < tries * 3 && read(ends[0], &c, 1) == 1)
			acked++;
		(void)usleep((useconds_t)(tries * 37 % 500));
		(void)kill(pid, SIGKILL);
		assert_int_equal(waitpid(pid, &status, 0), pid);
		done = WIFEXITED(status);
		if (done)
			assert_int_equal(WEXITSTATUS(status), 0);
		(void)close(ends[0]);
	}
	assert_true(done);
	has(box, 1, box->host.n);
	assert_int_equal(problems(box, &last), 0);
}

/* ---- the directory ------------------------------------------------------ */

static void counts_are_there_again_when_it_is_opened_anew(void **state)
{
	struct box *box = *state;

	write_lines(&box->host, 30, 100);
	comes(box, make(box, 1, 10), FLEET_TAKEN);
	comes(box, make(box, 1, 10), FLEET_AGAIN);
	comes(box, make(box, 21, 30), FLEET_GAP);
	assert_int_equal(fleet_received_put(box->fleet), 0);
	open_again(box);
	assert_int_equal(received(box)->reports, 1);
	assert_int_equal(received(box)->again, 1);
	assert_int_equal(received(box)->gap_from, 11);
	assert_true(received(box)->gap_s > 0);
}

static void second_one_does_not_receive(void **state)
{
	struct box *box = *state;
	struct fleet *second;

	assert_int_equal(
		fleet_open(box->fleet_dir, FLEET_OPENING, &second, &box->errs),
		0);
	assert_false(fleet_is_receiving(second));
	assert_int_equal(fleet_lock_receiving(box->fleet), 0);
	assert_true(fleet_is_receiving(second));
	assert_int_equal(fleet_lock_receiving(second), -EBUSY);
	fleet_close(box->fleet);
	box->fleet = NULL;
	assert_int_equal(fleet_lock_receiving(second), 0);
	fleet_close(second);
}

static int approve_as(struct box *box, const char *name,
		      const struct sign_key *key, bool rekey,
		      enum fleet_approval *approval, const char **why)
{
	struct enrolment_request request = {.key = key->public};
	struct fleet_approving approving = {.request = &request,
					    .rekey = rekey};
	int r;

	(void)snprintf(request.host, sizeof(request.host), "%s", name);
	r = fleet_approve(box->fleet, &approving);
	*why = approving.why;
	if (!r)
		*approval = approving.approval;
	free(approving.text);
	return r;
}

static void host_is_not_approved_when_its_name_leads_elsewhere(void **state)
{
	static const char *const names[] = {"..", ".",	 ".hidden", "a/b",
					    "",	  "a b", "a\nb",    "*"};
	struct box *box = *state;
	enum fleet_approval approval;
	const char *why;

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		assert_int_equal(approve_as(box, names[i], &box->host.key,
					    false, &approval, &why),
				 -EINVAL);
	assert_int_equal(
		approve_as(box, "a.b", &box->host.key, false, &approval, &why),
		0);
}

static void host_is_not_approved_when_another_has_its_subject(void **state)
{
	struct box *box = *state;
	enum fleet_approval approval;
	const char *why;

	assert_int_equal(approve_as(box, "print-1_example.org",
				    &box->fellow.key, false, &approval, &why),
			 -EEXIST);
	assert_string_equal(why, HOST);
	assert_int_equal(approve_as(box, "print-9_example.org",
				    &box->fellow.key, false, &approval, &why),
			 0);
}

static void other_key_is_approved_only_when_that_is_meant(void **state)
{
	struct box *box = *state;
	enum fleet_approval approval;
	char path[FLEET_PATH_MAX];
	const char *why;

	write_lines(&box->host, 20, 100);
	comes(box, make(box, 1, 10), FLEET_TAKEN);
	assert_int_equal(
		approve_as(box, HOST, &box->fellow.key, false, &approval, &why),
		-EKEYREJECTED);
	comes(box, make(box, 11, 20), FLEET_TAKEN);
	assert_int_equal(
		approve_as(box, HOST, &box->host.key, false, &approval, &why),
		0);
	assert_int_equal(approval, FLEET_RENEWED);
	assert_int_equal(fleet_reload(box->fleet, &box->errs), 0);
	assert_int_equal(fleet_find(box->fleet, HOST)->serial, 2);
	has(box, 1, 20);
	assert_int_equal(
		approve_as(box, HOST, &box->fellow.key, true, &approval, &why),
		0);
	assert_int_equal(approval, FLEET_REKEYED);
	assert_int_equal(fleet_reload(box->fleet, &box->errs), 0);
	/* What the old key has signed is not mixed with what the new one
	 * does. */
	has(box, 1, 0);
	comes(box, make(box, 1, 10), FLEET_FORGED);
	fleet_host_path(box->fleet, HOST, "evidence.", path);
	fleet_id(&box->host.key.public, path + strlen(path));
	assert_int_equal(access(path, F_OK), 0);
}

static void host_is_left_out_when_its_enrolment_is_damaged(void **state)
{
	struct box *box = *state;
	char path[FLEET_PATH_MAX];
	int fd;

	write_lines(&box->host, 20, 100);
	fleet_host_path(box->fleet, FELLOW, FLEET_ENROLMENT, path);
	fd = open(path, O_WRONLY | O_TRUNC | O_CLOEXEC);
	assert_int_equal(write(fd, "a: [", 4), 4);
	(void)close(fd);
	open_again(box);
	assert_int_equal(box->errs.n, 1);
	assert_non_null(strstr(box->errs.v[0].text, FELLOW));
	assert_null(fleet_find(box->fleet, FELLOW));
	comes(box, make(box, 1, 10), FLEET_TAKEN);
}

int main(void)
{
#define RECEIVING(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		RECEIVING(reports_become_the_log_that_the_host_has),
		RECEIVING(report_is_taken_once_when_it_is_replayed),
		RECEIVING(reports_that_overlap_add_what_is_new),
		RECEIVING(reports_are_in_order_when_the_broker_reorders_them),
		RECEIVING(log_that_begins_late_is_taken_from_there),
		RECEIVING(gap_is_given_up_when_the_host_has_the_lines_no_more),
		RECEIVING(log_of_another_past_is_told_when_it_was_begun_anew),
		RECEIVING(lines_are_taken_when_the_host_was_tampered_with),
		RECEIVING(lines_that_are_none_are_left_out),
		RECEIVING(long_log_is_kept_in_segments),
		RECEIVING(report_is_set_aside_when_another_host_signed_it),
		RECEIVING(report_is_set_aside_when_it_names_another_host),
		RECEIVING(report_is_set_aside_when_the_host_is_not_approved),
		RECEIVING(
			report_is_refused_when_any_byte_is_cut_off_or_changed),
		RECEIVING(report_to_another_force_is_not_opened),
		RECEIVING(nothing_is_settled_when_the_disk_is_full),
		RECEIVING(host_gets_no_more_room_than_there_is_for_one),
		RECEIVING(reports_are_whole_when_room_was_made),
		RECEIVING(host_without_room_stays_so_when_none_is_made),
		RECEIVING(nothing_begins_when_the_disk_is_full),
		RECEIVING(report_is_taken_once_when_who_receives_dies_first),
		RECEIVING(half_a_report_is_made_whole_after_a_crash),
		RECEIVING(report_goes_behind_what_somebody_else_has_written),
		RECEIVING(lines_that_somebody_took_away_are_missing),
		RECEIVING(evidence_that_is_moved_away_begins_anew),
		RECEIVING(log_is_whole_when_who_receives_is_killed),
		RECEIVING(counts_are_there_again_when_it_is_opened_anew),
		RECEIVING(second_one_does_not_receive),
		RECEIVING(host_is_not_approved_when_its_name_leads_elsewhere),
		RECEIVING(host_is_not_approved_when_another_has_its_subject),
		RECEIVING(other_key_is_approved_only_when_that_is_meant),
		RECEIVING(host_is_left_out_when_its_enrolment_is_damaged),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
