// SPDX-License-Identifier: GPL-2.0-only
/*
 * What is exported of the evidence log: for the lines in golden/export.jsonl
 * the texts that are beside it; that findings have what OCSF wants, by
 * golden/ocsf-1.5.0.json, and messages the form of RFC 5424, whatever is in a
 * line; and that a log is read on across its segments.
 *
 * usage: test_export [--write ocsf|syslog], in the top directory; then what
 * golden/export.ocsf or export.syslog should be goes to standard output.
 *        test_export --log FOLDER LINES BYTES: goes on with a log, so many
 * lines, in segments of so many bytes, for tests/export/check.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <sys/stat.h>
#include <unistd.h>

#include "evidence.h"
#include "export.h"
#include "state.h"
#include "tail.h"
#include "text.h"
#include "version.h"

#define GOLDEN	 "tests/unit/golden/export"
#define SCHEMA	 "tests/unit/golden/ocsf-1.5.0.json"
#define FILE_MAX (1 << 20)

static const struct export_options defaults = {
	.facility = EXPORT_AUTHPRIV,
	.enterprise = EXPORT_ENTERPRISE,
};

/* ---- the golden files ---------------------------------------------------- */

typedef void (*each_fn)(const char *text, size_t len, const json_t *line,
			void *arg);

static char *file_text(const char *path, size_t *ret_len)
{
	char *text = NULL;

	assert_int_equal(state_get(path, FILE_MAX, &text, ret_len), 0);
	return text;
}

/* Calls fn with what is told of each line of the example. */
static void each_told(const struct export_options *opts, each_fn fn, void *arg)
{
	struct export *export = NULL;
	char *text, *line, *end, *told;
	size_t len, told_len;
	json_t *object;
	int r;

	assert_int_equal(export_new(opts, &export), 0);
	text = file_text(GOLDEN ".jsonl", &len);
	for (line = text;
	     (end = memchr(line, '\n', len - (size_t)(line - text)));
	     line = end + 1) {
		object = json_loadb(line, (size_t)(end - line), 0, NULL);
		assert_non_null(object);
		told = NULL;
		r = export_line(export, object, line, (size_t)(end - line),
				&told, &told_len);
		assert_true(r == 0 || r == 1);
		if (r)
			fn(told, told_len, object, arg);
		free(told);
		json_decref(object);
	}
	free(text);
	export_free(export);
}

static void to_file(const char *text, size_t len, const json_t *line, void *arg)
{
	(void)line;
	(void)fwrite(text, 1, len, arg);
	(void)fputc('\n', arg);
}

/* As the file has it: a version is not of this kind. */
static char *told_as(enum export_format format, size_t *ret_len)
{
	static const char version[] = "\"version\":\"" CORDON_VERSION "\"}";
	static const char any[] = "\"version\":\"@VERSION@\"}";
	struct export_options opts = defaults;
	char *text = NULL, *out = NULL, *at, *next;
	FILE *file = open_memstream(&text, ret_len);

	opts.format = format;
	each_told(&opts, to_file, file);
	(void)fclose(file);
	file = open_memstream(&out, ret_len);
	for (at = text; (next = strstr(at, version));
	     at = next + strlen(version)) {
		(void)fwrite(at, 1, (size_t)(next - at), file);
		(void)fputs(any, file);
	}
	(void)fputs(at, file);
	(void)fclose(file);
	free(text);
	return out;
}

static void golden(enum export_format format, const char *path)
{
	size_t len, want_len;
	char *text = told_as(format, &len);
	char *want = file_text(path, &want_len);

	assert_int_equal(len, want_len);
	assert_memory_equal(text, want, len);
	free(text);
	free(want);
}

static void findings_are_as_in_the_file_when_lines_are(void **state)
{
	(void)state;
	golden(EXPORT_OCSF, GOLDEN ".ocsf");
}

static void messages_are_as_in_the_file_when_lines_are(void **state)
{
	(void)state;
	golden(EXPORT_SYSLOG, GOLDEN ".syslog");
}

static void lines_are_as_they_were_when_json_is_wanted(void **state)
{
	(void)state;
	golden(EXPORT_JSON, GOLDEN ".jsonl");
}

/* ---- OCSF ---------------------------------------------------------------- */

struct validation {
	json_t *objects;
	char why[256];
	size_t findings;
};

static bool wrong(struct validation *v, const char *object, const char *name,
		  const char *why)
{
	(void)snprintf(v->why, sizeof(v->why), "%s.%s: %s", object, name, why);
	return false;
}

static bool is_number_of(const json_t *value, const json_t *numbers)
{
	const json_t *number;
	size_t i;

	if (!numbers)
		return true;
	json_array_foreach (numbers, i, number)
		if (json_equal(value, number))
			return true;
	return false;
}

static bool is_ip(const json_t *value)
{
	unsigned char bytes[16];
	const char *text = json_string_value(value);

	return text && (inet_pton(AF_INET, text, bytes) == 1 ||
			inet_pton(AF_INET6, text, bytes) == 1);
}

static bool is_plain(const json_t *value, const char *type, bool *ret_known)
{
	json_int_t n = json_integer_value(value);

	*ret_known = true;
	if (strcmp(type, "string") == 0)
		return json_string_length(value) > 0;
	if (strcmp(type, "integer") == 0)
		return json_is_integer(value);
	/* Milliseconds, of this century. */
	if (strcmp(type, "timestamp") == 0)
		return n > 946684800000LL && n < 4102444800000LL;
	if (strcmp(type, "port") == 0)
		return json_is_integer(value) && n >= 0 && n <= 65535;
	if (strcmp(type, "boolean") == 0)
		return json_is_boolean(value);
	if (strcmp(type, "ip") == 0)
		return is_ip(value);
	if (strcmp(type, "json") == 0)
		return true;
	*ret_known = false;
	return false;
}

static bool is_valid(struct validation *v, const json_t *value,
		     const char *object);

static bool is_of_type(struct validation *v, const json_t *value,
		       const char *object, const char *name, const char *type)
{
	char one[64];
	const json_t *item;
	bool known;
	size_t i, len = strlen(type);

	if (len > 2 && strcmp(type + len - 2, "[]") == 0) {
		(void)snprintf(one, sizeof(one), "%.*s", (int)len - 2, type);
		if (!json_array_size(value))
			return wrong(v, object, name, "no array, or empty");
		json_array_foreach (value, i, item)
			if (!is_of_type(v, item, object, name, one))
				return false;
		return true;
	}
	if (is_plain(value, type, &known))
		return true;
	if (known)
		return wrong(v, object, name, type);
	return is_valid(v, value, type);
}

static bool has_all(struct validation *v, const json_t *value,
		    const char *object, const json_t *facts)
{
	const json_t *one_of = json_object_get(facts, "at_least_one"), *item;
	json_t *fact;
	const char *name;
	bool found = !one_of;
	size_t i;

	json_object_foreach (json_object_get(facts, "attributes"), name, fact)
		if (strcmp(json_string_value(json_array_get(fact, 0)),
			   "required") == 0 &&
		    !json_object_get(value, name))
			return wrong(v, object, name, "required");
	json_array_foreach (one_of, i, item)
		found |= json_object_get(value, json_string_value(item)) !=
			 NULL;
	return found || wrong(v, object, "", "none of those it needs");
}

static bool is_valid(struct validation *v, const json_t *value,
		     const char *object)
{
	const json_t *facts = json_object_get(v->objects, object), *fact;
	json_t *member;
	const char *name;

	if (!facts || !json_is_object(value))
		return wrong(v, object, "", "unknown, or no object");
	json_object_foreach ((json_t *)value, name, member) {
		fact = json_object_get(json_object_get(facts, "attributes"),
				       name);
		if (!fact)
			return wrong(v, object, name, "not in the schema");
		if (!is_of_type(v, member, object, name,
				json_string_value(json_array_get(fact, 1))))
			return false;
		if (!is_number_of(member, json_array_get(fact, 2)))
			return wrong(v, object, name, "no number of the enum");
	}
	return has_all(v, value, object, facts);
}

static void validate(const char *text, size_t len, const json_t *line,
		     void *arg)
{
	struct validation *v = arg;
	json_t *finding = json_loadb(text, len, JSON_REJECT_DUPLICATES, NULL);

	(void)line;
	assert_non_null(finding);
	if (!is_valid(v, finding, "data_security_finding"))
		fail_msg("%s in %.*s", v->why, (int)len, text);
	assert_int_equal(
		json_integer_value(json_object_get(finding, "type_uid")),
		200600 + json_integer_value(
				 json_object_get(finding, "activity_id")));
	json_decref(finding);
	v->findings++;
}

static void begin(struct validation *v)
{
	json_t *schema = json_load_file(SCHEMA, 0, NULL);

	*v = (struct validation){0};
	assert_non_null(schema);
	v->objects = json_incref(json_object_get(schema, "objects"));
	json_decref(schema);
}

static void findings_are_valid_when_held_to_the_schema(void **state)
{
	struct export_options opts = defaults;
	struct validation v;

	(void)state;
	opts.format = EXPORT_OCSF;
	begin(&v);
	each_told(&opts, validate, &v);
	/* All lines about incidents but the one without a time. */
	assert_int_equal(v.findings, 7);
	json_decref(v.objects);
}

/* Takes each required member away, in every object that is there. */
static size_t spoil(struct validation *v, json_t *whole, json_t *value,
		    const char *object)
{
	const json_t *facts = json_object_get(v->objects, object), *fact;
	json_t *copy = json_deep_copy(value), *member, *taken;
	const char *name, *type;
	size_t n = 0;

	json_object_foreach (copy, name, member) {
		fact = json_object_get(json_object_get(facts, "attributes"),
				       name);
		type = json_string_value(json_array_get(fact, 1));
		if (json_object_get(v->objects, type))
			n += spoil(v, whole, json_object_get(value, name),
				   type);
		if (strcmp(json_string_value(json_array_get(fact, 0)),
			   "required") != 0)
			continue;
		taken = json_incref(json_object_get(value, name));
		(void)json_object_del(value, name);
		assert_false(is_valid(v, whole, "data_security_finding"));
		(void)json_object_set_new(value, name, taken);
		assert_true(is_valid(v, whole, "data_security_finding"));
		n++;
	}
	json_decref(copy);
	return n;
}

static void spoil_each(const char *text, size_t len, const json_t *line,
		       void *arg)
{
	json_t *finding = json_loadb(text, len, 0, NULL);

	(void)line;
	/* Seven of the class, two of metadata, one of finding_info, those of
	 * what is there. */
	assert_true(spoil(arg, finding, finding, "data_security_finding") >=
		    10);
	json_decref(finding);
}

static void validation_fails_when_a_required_member_is_missing(void **state)
{
	struct export_options opts = defaults;
	struct validation v;

	(void)state;
	opts.format = EXPORT_OCSF;
	begin(&v);
	each_told(&opts, spoil_each, &v);
	json_decref(v.objects);
}

/* ---- syslog -------------------------------------------------------------- */

static bool is_ascii(char c)
{
	return c > ' ' && c <= '~';
}

/* A field of the head; where the next one begins. */
static const char *field(const char *at, size_t max)
{
	size_t len = 0;

	while (is_ascii(at[len]))
		len++;
	assert_true(len > 0 && len <= max);
	assert_int_equal(at[len], ' ');
	return at + len + 1;
}

static const char *param(const char *at)
{
	size_t len = 0;

	while (is_ascii(at[len]) && !strchr("= ]\"", at[len]))
		len++;
	assert_in_range(len, 1, 32);
	assert_memory_equal(at + len, "=\"", 2);
	for (at += len + 2; *at != '"'; at++) {
		/* What steers a terminal, or ends a line, is in none. */
		assert_false((unsigned char)*at < ' ' || *at == ']');
		if (*at == '\\')
			assert_non_null(strchr("\"\\]", *++at));
	}
	return at + 1;
}

/* As RFC 5424 has it. */
static void parse_message(const char *text, size_t len, const json_t *line,
			  void *arg)
{
	char *copy = strndup(text, len), *end;
	const char *at = copy;
	size_t *messages = arg;
	unsigned long priority;

	(void)line;
	assert_in_range(len, 1, EXPORT_SYSLOG_MAX);
	assert_int_equal(strlen(copy), len);
	assert_int_equal(*at, '<');
	priority = strtoul(at + 1, &end, 10);
	assert_in_range(priority, 0, 191);
	assert_memory_equal(end, ">1 ", 3);
	at = field(end + 3, 32);
	at = field(at, 255); /* host */
	at = field(at, 48);
	at = field(at, 128);
	at = field(at, 32);
	assert_int_equal(*at, '[');
	for (at++; is_ascii(*at) && !strchr("= ]\"", *at); at++)
		;
	while (*at == ' ')
		at = param(at + 1);
	assert_memory_equal(at, "] \xef\xbb\xbf", 5);
	/* All of it is UTF-8, which log_clean() has made of it. */
	assert_true(text_is_clean(at + 5, strlen(at + 5), ""));
	assert_true(strlen(at + 5) > 0);
	free(copy);
	(*messages)++;
}

static void messages_are_of_the_form_when_parsed(void **state)
{
	struct export_options opts = defaults;
	size_t messages = 0;

	(void)state;
	opts.format = EXPORT_SYSLOG;
	each_told(&opts, parse_message, &messages);
	assert_int_equal(messages, 16);
}

static json_t *long_line(const char *part)
{
	json_t *line = json_pack("{s:i, s:s, s:s, s:s, s:I, s:I}", "cordon", 1,
				 "type", "verdict", "time",
				 "2026-11-14T02:13:08.021Z", "verdict", "block",
				 "seq", (json_int_t)INT64_MAX, "incident",
				 (json_int_t)7);
	static const char *const keys[] = {
		"comm",	   "user", "login",   "unit",	 "exe",
		"remote",  "rule", "subject", "dataset", "destination",
		"address", "file", "channel", "budget",	 "error",
		"fault",   "why"};
	char text[2048];

	text[0] = '\0';
	while (strlen(text) + strlen(part) < sizeof(text))
		(void)strcat(text, part);
	for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++)
		(void)json_object_set_new(line, keys[i], json_string(text));
	return line;
}

static void messages_are_bounded_when_all_is_long(void **state)
{
	static const char *const parts[] = {"\"",	"]",
					    "\\",	"x",
					    "\xc3\xa9", "\xf0\x9f\x92\xa9",
					    "\n",	"\xe2\x80\xae",
					    "=\" ]"};
	struct export_options opts = defaults;
	struct export *export;
	size_t messages = 0, len;
	char host[300], *text;

	(void)state;
	opts.format = EXPORT_SYSLOG;
	memset(host, 'h', sizeof(host));
	host[sizeof(host) - 1] = '\0';
	host[0] = ' ';
	opts.host = host;
	opts.facility = 23;
	opts.enterprise = UINT32_MAX;
	opts.key = "0123456789abcdef";
	assert_int_equal(export_new(&opts, &export), 0);
	for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++) {
		json_t *line = long_line(parts[i]);

		assert_int_equal(export_line(export, line, "", 0, &text, &len),
				 1);
		parse_message(text, len, line, &messages);
		assert_memory_equal(text, "<188>1 2026-11-14T02:13:08.021Z _h",
				    strlen("<188>1 2026-11-14T02:13:08.021Z "
					   "_h"));
		free(text);
		json_decref(line);
	}
	export_free(export);
}

/* ---- a log that grows ---------------------------------------------------- */

struct box {
	char dir[64];
	char log[80];
	struct evidence *evidence;
	struct tail *tail;
	uint64_t last; /* number that was told */
	size_t fresh, old, warned;
	int refuse; /* what take() returns */
};

static int setup(void **state)
{
	struct box *box = calloc(1, sizeof(*box));

	(void)strcpy(box->dir, "/tmp/test_export.XXXXXX");
	if (!mkdtemp(box->dir))
		return -1;
	(void)snprintf(box->log, sizeof(box->log), "%s/evidence", box->dir);
	*state = box;
	return 0;
}

static int open_log(const char *folder, const char *key_path,
		    uint64_t segment_bytes, struct evidence **ret_evidence)
{
	struct evidence_options opts = {.dir = folder,
					.segment_bytes = segment_bytes,
					.host = "cardprint-01"};
	struct evidence_found found;
	struct sign_key key;
	bool made;
	int r;

	r = sign_key_load(key_path, &key, &made);
	if (r)
		return r;
	opts.key = &key;
	r = evidence_open(&opts, NULL, NULL, &found, ret_evidence);
	sign_key_release(&key);
	return r;
}

static int add_lines(struct evidence *evidence, unsigned long n)
{
	static unsigned long origin;
	char text[EVIDENCE_LINE_MAX];
	size_t len;
	int r = 0;

	for (unsigned long i = 0; !r && i < n; i++) {
		r = evidence_add(
			evidence,
			evidence_object(
				"verdict",
				json_pack("{s:s, s:s, s:i, s:s, s:s, s:i}",
					  "verdict", "block", "comm", "curl",
					  "tgid", 4711, "dataset", "roster",
					  "destination", "*", "origin",
					  (int)++origin)),
			text, &len);
		if (!r)
			r = evidence_sync(evidence);
	}
	return r;
}

static void clean(const char *dir)
{
	char path[400];
	const struct dirent *entry;
	DIR *open = opendir(dir);

	while (open && (entry = readdir(open))) {
		(void)snprintf(path, sizeof(path), "%s/%s", dir, entry->d_name);
		if (entry->d_name[0] != '.')
			(void)unlink(path);
	}
	if (open)
		(void)closedir(open);
	(void)rmdir(dir);
}

static int teardown(void **state)
{
	struct box *box = *state;

	evidence_close(box->evidence);
	tail_free(box->tail);
	clean(box->log);
	clean(box->dir);
	free(box);
	return 0;
}

static void begin_log(struct box *box, uint64_t segment_bytes)
{
	char key[100];

	(void)snprintf(key, sizeof(key), "%s/key", box->dir);
	assert_int_equal(open_log(box->log, key, segment_bytes, &box->evidence),
			 0);
}

static int take(const json_t *line, const char *text, size_t len, bool fresh,
		void *arg)
{
	struct box *box = arg;
	uint64_t seq =
		(uint64_t)json_integer_value(json_object_get(line, "seq"));

	assert_int_equal(text[len - 1], '}');
	if (!fresh) {
		box->old++;
		return 0;
	}
	if (box->refuse)
		return box->refuse;
	if (box->last)
		assert_int_equal(seq, box->last + 1);
	box->last = seq;
	box->fresh++;
	return 0;
}

static void warn(const char *text, void *arg)
{
	struct box *box = arg;

	assert_true(text[0] != '\0');
	box->warned++;
}

static void place_at(struct box *box, uint64_t seq, const char *hash)
{
	struct tail_place place = {.seq = seq};

	(void)snprintf(place.hash, sizeof(place.hash), "%s", hash);
	tail_free(box->tail);
	assert_int_equal(tail_new(box->log, &place, &box->tail), 0);
	box->last = seq == TAIL_NEWEST ? 0 : seq;
	box->fresh = box->old = box->warned = 0;
}

static int read_on(struct box *box)
{
	return tail_read(box->tail, take, warn, box);
}

static size_t count_segments(const struct box *box, const char *end)
{
	const struct dirent *entry;
	size_t n = 0, len;
	DIR *dir = opendir(box->log);

	while (dir && (entry = readdir(dir))) {
		len = strlen(entry->d_name);
		n += len > strlen(end) &&
		     strcmp(entry->d_name + len - strlen(end), end) == 0;
	}
	if (dir)
		(void)closedir(dir);
	return n;
}

static void each_line_is_told_once_when_segments_end(void **state)
{
	struct box *box = *state;

	begin_log(box, 4000);
	place_at(box, 0, "");
	for (unsigned long i = 1; i < 12; i++) {
		assert_int_equal(add_lines(box->evidence, i), 0);
		assert_int_equal(read_on(box), 0);
		assert_int_equal(box->last + 1, evidence_next(box->evidence));
		/* What is told again nobody gets. */
		assert_int_equal(read_on(box), 0);
	}
	assert_int_equal(box->fresh, box->last);
	assert_true(count_segments(box, ".gz") >= 3);
	assert_int_equal(box->warned, 0);
}

static void reader_goes_on_when_it_begins_at_a_place(void **state)
{
	struct box *box = *state;
	struct tail_place place;

	begin_log(box, 4000);
	assert_int_equal(add_lines(box->evidence, 20), 0);
	place_at(box, 0, "");
	assert_int_equal(read_on(box), 0);
	place = *tail_place(box->tail);
	assert_int_equal(add_lines(box->evidence, 30), 0);
	place_at(box, place.seq, place.hash);
	assert_int_equal(read_on(box), 0);
	assert_int_equal(box->last + 1, evidence_next(box->evidence));
	assert_int_equal(box->fresh, box->last - place.seq);
	/* For what they tell of those that come. */
	assert_true(box->old > 0);
}

static void newest_lines_alone_are_told_when_that_is_wanted(void **state)
{
	struct box *box = *state;

	begin_log(box, 4000);
	assert_int_equal(add_lines(box->evidence, 20), 0);
	place_at(box, TAIL_NEWEST, "");
	assert_int_equal(read_on(box), 0);
	assert_int_equal(box->fresh, 0);
	assert_int_equal(add_lines(box->evidence, 1), 0);
	assert_int_equal(read_on(box), 0);
	assert_true(box->fresh >= 1);
	assert_int_equal(box->last + 1, evidence_next(box->evidence));
}

static void log_is_refused_when_it_is_another_one(void **state)
{
	static const char other[] = "0123456789abcdef0123456789abcdef"
				    "0123456789abcdef0123456789abcdef";
	struct box *box = *state;

	begin_log(box, 1 << 20);
	assert_int_equal(add_lines(box->evidence, 5), 0);
	place_at(box, 3, other);
	assert_int_equal(read_on(box), -ESTALE);
	assert_int_equal(box->fresh, 0);
	/* It has not as many lines. */
	place_at(box, 300, other);
	assert_int_equal(read_on(box), -ESTALE);
	assert_int_equal(box->fresh, 0);
}

static void line_is_told_again_when_it_was_refused(void **state)
{
	struct box *box = *state;

	begin_log(box, 1 << 20);
	assert_int_equal(add_lines(box->evidence, 5), 0);
	place_at(box, 0, "");
	box->refuse = -ECONNREFUSED;
	assert_int_equal(read_on(box), -ECONNREFUSED);
	/* One that looks like what files can have. */
	box->refuse = -ENOENT;
	assert_int_equal(read_on(box), -ENOENT);
	assert_int_equal(tail_place(box->tail)->seq, 0);
	box->refuse = 0;
	assert_int_equal(read_on(box), 0);
	assert_int_equal(box->fresh, 5);
}

static void half_a_line_waits_when_it_is_not_whole(void **state)
{
	struct box *box = *state;
	char path[160];
	FILE *file;

	begin_log(box, 1 << 20);
	assert_int_equal(add_lines(box->evidence, 3), 0);
	evidence_close(box->evidence);
	box->evidence = NULL;
	(void)snprintf(path, sizeof(path), "%s/000000000001.jsonl", box->log);
	file = fopen(path, "a");
	(void)fputs("{\"cordon\":1,\"type\":\"verd", file);
	(void)fclose(file);
	place_at(box, 0, "");
	assert_int_equal(read_on(box), 0);
	assert_int_equal(box->fresh, 4); /* with the checkpoint */
	assert_int_equal(box->warned, 0);
	begin_log(box, 1 << 20);
	assert_int_equal(add_lines(box->evidence, 1), 0);
	assert_int_equal(read_on(box), 0);
	assert_int_equal(box->fresh, 5);
}

static void missing_lines_are_said_when_a_segment_is_gone(void **state)
{
	struct box *box = *state;
	char path[160];

	begin_log(box, 4000);
	assert_int_equal(add_lines(box->evidence, 3), 0);
	place_at(box, 0, "");
	assert_int_equal(read_on(box), 0);
	assert_int_equal(add_lines(box->evidence, 60), 0);
	(void)snprintf(path, sizeof(path), "%s/000000000001.jsonl.gz",
		       box->log);
	assert_int_equal(unlink(path), 0);
	box->last = 0;
	assert_int_equal(read_on(box), 0);
	assert_int_equal(box->warned, 1);
	assert_int_equal(box->last + 1, evidence_next(box->evidence));
}

static void nothing_is_there_when_there_is_no_log(void **state)
{
	struct box *box = *state;

	place_at(box, 0, "");
	assert_int_equal(read_on(box), -ENOENT);
}

/* ---- --log and --write --------------------------------------------------- */

/* As the agent leaves it there. */
static int put_public(const char *folder, const char *key_path)
{
	char path[4096], pem[SIGN_PEM_CHARS_MAX];
	struct sign_key key;
	bool made;
	int r;

	(void)snprintf(path, sizeof(path), "%s/" EVIDENCE_PUBLIC, folder);
	r = sign_key_load(key_path, &key, &made);
	if (r)
		return r;
	sign_public_pem(&key.public, pem);
	r = state_put(path, pem, strlen(pem));
	sign_key_release(&key);
	return r;
}

static int write_log(const char *folder, const char *lines, const char *bytes)
{
	struct evidence *evidence = NULL;
	char key[4096];
	int r;

	(void)snprintf(key, sizeof(key), "%s.key", folder);
	r = open_log(folder, key, strtoul(bytes, NULL, 10), &evidence);
	if (!r)
		r = put_public(folder, key);
	if (!r)
		r = add_lines(evidence, strtoul(lines, NULL, 10));
	evidence_close(evidence);
	if (r)
		(void)fprintf(stderr, "%s: %s\n", folder, strerror(-r));
	return r ? 1 : 0;
}

static int write_golden(const char *name)
{
	bool syslog = strcmp(name, "syslog") == 0;
	size_t len;
	char *text = told_as(syslog ? EXPORT_SYSLOG : EXPORT_OCSF, &len);

	(void)fwrite(text, 1, len, stdout);
	free(text);
	return 0;
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(findings_are_as_in_the_file_when_lines_are),
		cmocka_unit_test(messages_are_as_in_the_file_when_lines_are),
		cmocka_unit_test(lines_are_as_they_were_when_json_is_wanted),
		cmocka_unit_test(findings_are_valid_when_held_to_the_schema),
		cmocka_unit_test(
			validation_fails_when_a_required_member_is_missing),
		cmocka_unit_test(messages_are_of_the_form_when_parsed),
		cmocka_unit_test(messages_are_bounded_when_all_is_long),
#define LOG(test) cmocka_unit_test_setup_teardown(test, setup, teardown)
		LOG(each_line_is_told_once_when_segments_end),
		LOG(reader_goes_on_when_it_begins_at_a_place),
		LOG(newest_lines_alone_are_told_when_that_is_wanted),
		LOG(log_is_refused_when_it_is_another_one),
		LOG(line_is_told_again_when_it_was_refused),
		LOG(half_a_line_waits_when_it_is_not_whole),
		LOG(missing_lines_are_said_when_a_segment_is_gone),
		LOG(nothing_is_there_when_there_is_no_log),
	};

	if (argc == 3 && strcmp(argv[1], "--write") == 0)
		return write_golden(argv[2]);
	if (argc == 5 && strcmp(argv[1], "--log") == 0)
		return write_log(argv[2], argv[3], argv[4]);
	return cmocka_run_group_tests_name("export", tests, NULL, NULL);
}
