// SPDX-License-Identifier: GPL-2.0-only
/*
 * The policy: every class of error with its exact line and column, every limit
 * at N and at N + 1, what a good file becomes, which rule decides, and what
 * `policy check` warns of.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <errno.h>
#include <glob.h>
#include <inttypes.h>
#include <sys/stat.h>
#include <unistd.h>

#include "policy.h"
#include "policy_yaml.h"
#include "text.h"

#define N_ELEMENTS(a) (sizeof(a) / sizeof((a)[0]))
#define S	      1000000000ULL

/* A policy's first lines; what a test adds starts at line 4 or 5. */
#define TOP	 "cordon: 1\nissuer: x\nserial: 1\n"
#define DATA	 TOP "datasets: {d: {paths: [/d], record: file}}\n"
#define NO_RULES "rules: []\n"

static struct policy_errors errs;

/* ---- helpers ----------------------------------------------------------- */

static struct policy *parse(const char *text)
{
	struct policy *p = NULL;
	int r = policy_parse("t.yaml", text, strlen(text), &p, &errs);

	if (r)
		fail_msg("%s\n%s", errs.n ? errs.v[0].text : strerror(-r),
			 strlen(text) < 2000 ? text : "");
	assert_int_equal(errs.n, 0);
	assert_non_null(p);
	return p;
}

/* The text as a policy is refused, and errs says why. */
static void refuse_bytes(const char *text, size_t len)
{
	struct policy *p = NULL, *untouched = (struct policy *)&errs;
	int r;

	r = policy_parse("t.yaml", text, len, &p, &errs);
	if (r != -EINVAL)
		fail_msg("returned %d, not -EINVAL:\n%s", r,
			 len < 2000 ? text : "");
	assert_null(p);
	assert_true(errs.n > 0);
	assert_int_equal(policy_parse("t.yaml", text, len, &untouched, NULL),
			 -EINVAL);
	assert_ptr_equal(untouched, &errs);
}

struct bad {
	const char *text;
	uint32_t line, col;
	const char *message; /* the whole of it, behind the place */
};

static void assert_error(size_t i, const struct bad *bad)
{
	char expected[POLICY_ERROR_CHARS_MAX + 64];

	(void)snprintf(expected, sizeof(expected),
		       "t.yaml:%" PRIu32 ":%" PRIu32 ": %s", bad->line,
		       bad->col, bad->message);
	assert_true(i < errs.n);
	assert_string_equal(errs.v[i].text, expected);
	assert_int_equal(errs.v[i].pos.line, bad->line);
	assert_int_equal(errs.v[i].pos.col, bad->col);
}

/* Each has one error, that one. */
static void refuse_all(const struct bad *bad, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		refuse_bytes(bad[i].text, strlen(bad[i].text));
		if (errs.n != 1)
			fail_msg("%zu errors, the second: %s\n%s", errs.n,
				 errs.v[1].text, bad[i].text);
		assert_error(0, &bad[i]);
	}
}

/* A text that grows. */
struct buffer {
	char *s;
	size_t len;
	FILE *f;
};

__attribute__((format(printf, 2, 3))) static void put(struct buffer *b,
						      const char *format, ...)
{
	va_list ap;

	if (!b->f)
		b->f = open_memstream(&b->s, &b->len);
	assert_non_null(b->f);
	va_start(ap, format);
	(void)vfprintf(b->f, format, ap);
	va_end(ap);
	(void)fflush(b->f);
}

static void put_many(struct buffer *b, int n, const char *format)
{
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
	for (int i = 0; i < n; i++)
		put(b, format, i, i);
#pragma GCC diagnostic pop
}

static void drop(struct buffer *b)
{
	if (b->f)
		(void)fclose(b->f);
	free(b->s);
	memset(b, 0, sizeof(*b));
}

/* The text with the one error is refused with it. */
static void refuse_buffer(struct buffer *b, uint32_t line, uint32_t col,
			  const char *message)
{
	const struct bad bad = {b->s, line, col, message};

	refuse_bytes(b->s, b->len);
	assert_int_equal(errs.n, 1);
	assert_error(0, &bad);
}

static const struct policy_rule *only_rule(const struct policy *p)
{
	assert_int_equal(p->n_rules, 1);
	return &p->rules[0];
}

/* The network that a v4 or v6 text stands for, as 16 bytes. */
static void assert_network(const struct policy_network *network,
			   const uint8_t addr[16], int prefix_len)
{
	assert_memory_equal(network->addr, addr, 16);
	assert_int_equal(network->prefix_len, prefix_len);
}

/* ---- what a good file becomes ------------------------------------------ */

static const char full[] =
	"cordon: 1\n"
	"issuer: Example Police Service\n"
	"serial: 9223372036854775807\n"
	"not-before: 2026-11-01T00:00:00Z\n"
	"expires: 2027-01-31T12:34:56Z\n"
	"hosts: [\"CardPrint-*\", db?.example.net, \"w[!a-c]1\"]\n"
	"mode: observe\n"
	"datasets:\n"
	"  photos:\n"
	"    paths: [/srv/photos, \"/srv/more photos\"]\n"
	"    record: file\n"
	"    classification: OFFICIAL-SENSITIVE\n"
	"  roster: {paths: [/srv/r.csv], record: {bytes: 160}, squeeze: 12,\n"
	"           floor: 24}\n"
	"  log: {paths: [/srv/l], record: line, floor: 1MiB}\n"
	"subjects:\n"
	"  printer: {unit: 'dev-a\\x2db.service', exe: /opt/p, user: print,\n"
	"            group: 7, login: none, narrow: no}\n"
	"  backup: {cgroup: /system.slice/backup.service, pool: yes, "
	"narrow: yes, "
	"squeeze: 3, floor: 1KiB}\n"
	"  alice: {login: alice, user: 0, group: staff}\n"
	"  uid: {login: 1000}\n"
	"  someone: {login: any}\n"
	"destinations:\n"
	"  printers:\n"
	"    networks: [10.20.0.0/24, 10.20.1.9]\n"
	"    ports: [631, 9100-9107, \"1\"]\n"
	"  six: {networks: [\"2001:db8::/32\", \"::1\", "
	"\"::ffff:10.1.0.0/112\"]}\n"
	"rules:\n"
	"  - subject: printer\n"
	"    dataset: photos\n"
	"    per: user\n"
	"    read: [120 records/hour, 64MiB / 15 minutes]\n"
	"    release:\n"
	"      printers: unlimited\n"
	"      six: 1 record/second\n"
	"      \"*\": none\n"
	"    action: alert\n"
	"    mode: enforce\n"
	"  - {subject: \"*\", dataset: \"*\", read: none, release: none}\n"
	"  - {subject: alice, dataset: roster, per: host, action: block}\n";

static void policy_keeps_head_when_good(void **state)
{
	struct policy *p = parse(full);

	(void)state;
	assert_string_equal(p->issuer, "Example Police Service");
	assert_true(p->serial == INT64_MAX);
	assert_int_equal(p->not_before_s, 1793491200);
	assert_int_equal(p->expires_s, 1801398896);
	assert_int_equal(p->expires_pos.line, 5);
	assert_int_equal(p->expires_pos.col, 10);
	assert_int_equal(p->mode, POLICY_OBSERVE);
	assert_int_equal(p->n_hosts, 3);
	assert_string_equal(p->hosts[0].glob, "cardprint-*");
	assert_int_equal(p->hosts[1].pos.line, 6);
	assert_int_equal(p->hosts[1].pos.col, 24);
	policy_free(p);
}

static void policy_keeps_datasets_when_good(void **state)
{
	struct policy *p = parse(full);
	const struct policy_dataset *d = p->datasets;

	(void)state;
	assert_int_equal(p->n_datasets, 3);
	assert_string_equal(d[0].name, "photos");
	assert_int_equal(d[0].pos.line, 9);
	assert_int_equal(d[0].pos.col, 3);
	assert_int_equal(d[0].n_paths, 2);
	assert_string_equal(d[0].paths[1].path, "/srv/more photos");
	assert_int_equal(d[0].paths[1].pos.line, 10);
	assert_int_equal(d[0].paths[1].pos.col, 26);
	assert_int_equal(d[0].record, POLICY_RECORD_FILE);
	assert_int_equal(d[0].record_bytes, 0);
	assert_string_equal(d[0].classification, "OFFICIAL-SENSITIVE");
	assert_int_equal(d[0].squeeze, 0);
	assert_int_equal(d[0].floor_bytes, 0);
	assert_int_equal(d[1].record, POLICY_RECORD_BYTES);
	assert_int_equal(d[1].record_bytes, 160);
	assert_null(d[1].classification);
	assert_int_equal(d[1].squeeze, 12);
	assert_int_equal(d[1].floor_bytes, 24);
	assert_int_equal(d[2].record, POLICY_RECORD_LINE);
	assert_int_equal(d[2].floor_bytes, 1 << 20);
	policy_free(p);
}

static void policy_keeps_subjects_when_good(void **state)
{
	struct policy *p = parse(full);
	const struct policy_subject *s = p->subjects;

	(void)state;
	assert_int_equal(p->n_subjects, 6);
	assert_string_equal(s[POLICY_EVERYONE].name, "*");
	assert_int_equal(s[POLICY_EVERYONE].specificity, 0);
	assert_int_equal(s[POLICY_EVERYONE].pos.line, 0);
	assert_string_equal(s[1].name, "printer");
	assert_int_equal(s[1].pos.line, 17);
	assert_int_equal(s[1].pos.col, 3);
	assert_string_equal(s[1].unit, "dev-a\\x2db.service");
	assert_null(s[1].cgroup);
	assert_string_equal(s[1].exe, "/opt/p");
	assert_true(s[1].user.set && !s[1].user.is_id);
	assert_string_equal(s[1].user.name, "print");
	assert_true(s[1].group.set && s[1].group.is_id);
	assert_int_equal(s[1].group.id, 7);
	assert_null(s[1].group.name);
	assert_int_equal(s[1].login, POLICY_LOGIN_NONE);
	assert_false(s[1].pool);
	assert_false(s[1].narrow);
	assert_int_equal(s[1].squeeze, 0);
	assert_int_equal(s[1].floor_bytes, 0);
	assert_int_equal(s[1].specificity, 5);
	assert_string_equal(s[2].cgroup, "/system.slice/backup.service");
	assert_true(s[2].pool);
	assert_true(s[2].narrow);
	assert_int_equal(s[2].squeeze, 3);
	assert_int_equal(s[2].floor_bytes, 1024);
	assert_int_equal(s[2].specificity, 1);
	assert_int_equal(s[3].login, POLICY_LOGIN_USER);
	assert_string_equal(s[3].login_user.name, "alice");
	assert_true(s[3].user.is_id);
	assert_int_equal(s[3].user.id, 0);
	assert_int_equal(s[3].specificity, 3);
	assert_true(s[4].login_user.is_id);
	assert_int_equal(s[4].login_user.id, 1000);
	assert_int_equal(s[5].login, POLICY_LOGIN_ANY);
	policy_free(p);
}

static void policy_keeps_destinations_when_good(void **state)
{
	static const uint8_t v4[16] = {0, 0, 0,	   0,	 0,  0,	 0, 0,
				       0, 0, 0xff, 0xff, 10, 20, 0, 0};
	static const uint8_t one[16] = {[15] = 1};
	static const uint8_t mapped[16] = {0, 0, 0,    0,    0,	 0, 0, 0,
					   0, 0, 0xff, 0xff, 10, 1, 0, 0};
	struct policy *p = parse(full);
	const struct policy_destination *d = p->destinations;

	(void)state;
	assert_int_equal(p->n_destinations, 3);
	assert_string_equal(d[POLICY_ANYWHERE].name, "*");
	assert_int_equal(d[POLICY_ANYWHERE].n_networks, 0);
	assert_int_equal(d[1].pos.line, 24);
	assert_int_equal(d[1].n_networks, 2);
	assert_network(&d[1].networks[0], v4, 96 + 24);
	assert_int_equal(d[1].networks[0].pos.line, 25);
	assert_int_equal(d[1].networks[0].pos.col, 16);
	assert_int_equal(d[1].networks[1].prefix_len, 128);
	assert_int_equal(d[1].n_ports, 3);
	assert_int_equal(d[1].ports[0].first, 631);
	assert_int_equal(d[1].ports[0].last, 631);
	assert_int_equal(d[1].ports[1].first, 9100);
	assert_int_equal(d[1].ports[1].last, 9107);
	assert_int_equal(d[1].ports[2].last, 1);
	assert_int_equal(d[2].n_networks, 3);
	assert_int_equal(d[2].networks[0].prefix_len, 32);
	assert_network(&d[2].networks[1], one, 128);
	assert_network(&d[2].networks[2], mapped, 112);
	assert_int_equal(d[2].n_ports, 0);
	policy_free(p);
}

static void policy_keeps_rules_when_good(void **state)
{
	struct policy *p = parse(full);
	const struct policy_rule *r = p->rules;

	(void)state;
	assert_int_equal(p->n_rules, 3);
	assert_int_equal(r[0].pos.line, 29);
	assert_int_equal(r[0].pos.col, 5);
	assert_int_equal(r[0].subject, 1);
	assert_int_equal(r[0].dataset, 0);
	assert_int_equal(r[0].per, POLICY_PER_USER);
	assert_int_equal(r[0].action, POLICY_ALERT);
	assert_int_equal(r[0].mode, POLICY_ENFORCE);
	assert_int_equal(r[0].read.kind, POLICY_BUDGET_LIMITED);
	assert_int_equal(r[0].read.records, 120);
	assert_true(r[0].read.records_window_ns == 3600 * S);
	assert_int_equal(r[0].read.bytes, 64 << 20);
	assert_true(r[0].read.bytes_window_ns == 900 * S);
	assert_int_equal(r[0].read.pos.line, 32);
	assert_int_equal(r[0].n_releases, 3);
	assert_int_equal(r[0].releases[0].destination, 1);
	assert_int_equal(r[0].releases[0].budget.kind, POLICY_BUDGET_UNLIMITED);
	assert_int_equal(r[0].releases[0].pos.line, 34);
	assert_int_equal(r[0].releases[0].pos.col, 7);
	assert_int_equal(r[0].releases[1].destination, 2);
	assert_true(r[0].releases[1].budget.records_window_ns == S);
	assert_true(r[0].releases[1].budget.bytes_window_ns == 0);
	assert_int_equal(r[0].releases[2].destination, POLICY_ANYWHERE);
	assert_int_equal(r[0].releases[2].budget.kind, POLICY_BUDGET_NONE);
	assert_int_equal(r[1].subject, POLICY_EVERYONE);
	assert_true(r[1].dataset == POLICY_ANY_DATASET);
	assert_int_equal(r[1].mode, POLICY_OBSERVE);
	assert_int_equal(r[1].n_releases, 0);
	assert_int_equal(r[1].read.kind, POLICY_BUDGET_NONE);
	assert_int_equal(r[1].read.pos.line, 39);
	policy_free(p);
}

static void policy_takes_defaults_when_keys_absent(void **state)
{
	struct policy *p =
		parse(DATA "rules: [{subject: \"*\", dataset: \"*\"}]\n");
	const struct policy_rule *rule = only_rule(p);

	(void)state;
	assert_int_equal(p->mode, POLICY_ENFORCE);
	assert_int_equal(p->not_before_s, 0);
	assert_true(p->expires_s == INT64_MAX);
	assert_int_equal(p->n_hosts, 1);
	assert_string_equal(p->hosts[0].glob, "*");
	assert_int_equal(p->n_subjects, 1);
	assert_int_equal(p->n_destinations, 1);
	assert_int_equal(rule->per, POLICY_PER_HOST);
	assert_int_equal(rule->action, POLICY_BLOCK);
	assert_int_equal(rule->mode, POLICY_ENFORCE);
	assert_int_equal(rule->read.kind, POLICY_BUDGET_NONE);
	assert_int_equal(rule->read.pos.line, 0);
	assert_int_equal(rule->n_releases, 0);
	policy_free(p);
}

static void policy_reads_forms_when_yaml_allows_them(void **state)
{
	static const char *const good[] = {
		DATA NO_RULES,
		"---\n" DATA NO_RULES "...\n",
		"# a comment\n" DATA NO_RULES "# and no line end",
		"cordon: 1\r\nissuer: x\r\nserial: 1\r\n"
		"datasets: {d: {paths: [/d], record: file}}\r\nrules: []\r\n",
		"{cordon: 1, issuer: 'x', \"serial\": \"1\", rules: [],\n"
		" datasets: {d: {paths: ['/d'], record: 'file'}}}",
		DATA "subjects: {}\ndestinations: {}\n" NO_RULES,
	};

	(void)state;
	for (size_t i = 0; i < N_ELEMENTS(good); i++) {
		struct policy *p = parse(good[i]);

		assert_string_equal(p->issuer, "x");
		assert_string_equal(p->datasets[0].paths[0].path, "/d");
		assert_int_equal(p->n_rules, 0);
		policy_free(p);
	}
}

static void policy_keeps_utf8_when_valid(void **state)
{
	struct policy *p =
		parse("cordon: 1\nissuer: Polis\xc3\xa9 \"d'\xc3\x85land\"\n"
		      "serial: 1\n"
		      "datasets: {d: {paths: [/srv/\xe5\x86\x99\xe7\x9c\x9f], "
		      "record: file}}\n" NO_RULES);

	(void)state;
	assert_string_equal(p->issuer, "Polis\xc3\xa9 \"d'\xc3\x85land\"");
	assert_string_equal(p->datasets[0].paths[0].path,
			    "/srv/\xe5\x86\x99\xe7\x9c\x9f");
	policy_free(p);
}

static void column_counts_characters_when_utf8_stands_before(void **state)
{
	static const struct bad bad[] = {
		{TOP "datasets: {d: {classification: \"\xc3\xa9\xc3\xa9\", "
		     "paths: [d], record: file}}\n" NO_RULES,
		 4, 46,
		 "a path of a dataset is \"d\"; expected an absolute path such "
		 "as /srv/personnel/photos"},
	};

	(void)state;
	refuse_all(bad, N_ELEMENTS(bad));
}

/* ---- YAML that a policy may not be ------------------------------------- */

static void yaml_is_refused_when_not_well_formed(void **state)
{
	static const struct bad bad[] = {
		{"cordon: 1\nhosts: [a", 3, 1,
		 "flow sequence without a closing bracket; expected a ] at the "
		 "end of the list"},
		{"cordon: 1\nhosts: {a: 1\n", 3, 1,
		 "flow mapping without a closing brace; expected a } at the "
		 "end of the map"},
		{"issuer: \"x\n", 1, 9,
		 "quoted scalar without closing quote; expected a quote at "
		 "the end of the text"},
		{"issuer: a: b\n", 1, 10,
		 "a \": \" where no key can be; expected text with \": \" in "
		 "quotes, and each key in a line of its own, with the "
		 "indentation of the keys around it"},
		{"cordon: 1\nissuer x\n", 2, 1,
		 "text without a key; expected \"key: value\""},
		{"issuer: \"x\" y\n", 1, 13,
		 "did not find expected key; expected \"key: value\", with the "
		 "indentation of the keys around it"},
		{"rules:\n- a\n- b\nc: d\n- e\n", 5, 1,
		 "did not find expected key; expected \"key: value\", with the "
		 "indentation of the keys around it"},
		{"- a\nb: 1\n", 2, 1,
		 "did not find expected '-' indicator; expected a list of - or "
		 "a map of keys, but not both"},
		{"issuer: @x\n", 1, 9,
		 "plain scalar cannot start with '@'; expected such text in "
		 "quotes"},
		{"rules:\n- subject: *\n  dataset: x\n", 2, 12,
		 "a * alone starts an alias in YAML; expected \"*\" in quotes"},
		{"rules: [{subject: *, dataset: *}]\n", 1, 19,
		 "a * alone starts an alias in YAML; expected \"*\" in quotes"},
		{"{cordon: 1} x\n", 1, 13,
		 "missing document start; expected YAML as cordon-policy(5) "
		 "shows it"},
	};
	static const struct bad indented[] = {
		{NULL, 1, 9,
		 "text over several lines; expected text of one line"},
		{NULL, 2, 6,
		 "a \": \" where no key can be; expected text with \": \" in "
		 "quotes, and each key in a line of its own, with the "
		 "indentation of the keys around it"},
	};

	(void)state;
	refuse_all(bad, N_ELEMENTS(bad));

	refuse_bytes("cordon: 1\n mode: x\n", 19);
	assert_int_equal(errs.n, 2);
	assert_error(0, &indented[0]);
	assert_error(1, &indented[1]);
}

static void yaml_is_refused_when_empty(void **state)
{
	static const char message[] =
		"the policy is empty; expected `cordon: 1` and what "
		"cordon-policy(5) lists";
	static const struct bad bad[] = {
		{"", 1, 1, message},
		{"\n\n", 1, 1, message},
		{"# nothing\n", 1, 1, message},
	};

	(void)state;
	refuse_all(bad, N_ELEMENTS(bad));
	refuse_bytes(NULL, 0);
	assert_error(0, &bad[0]);
}

static void yaml_is_refused_when_root_is_no_map(void **state)
{
	static const struct bad bad[] = {
		{"--- \n", 2, 1,
		 "the policy is empty; expected a map of keys and values"},
		{"text\n", 1, 1,
		 "the policy is \"text\"; expected a map of keys and values"},
		{"- a\n", 1, 1,
		 "the policy is a list; expected a map of keys and values"},
	};

	(void)state;
	refuse_all(bad, N_ELEMENTS(bad));
}

static void yaml_is_refused_when_it_has_aliases_anchors_or_tags(void **state)
{
	static const struct bad bad[] = {
		{"cordon: &a 1\n", 1, 9,
		 "an anchor (&); expected every value written out"},
		{"a: &a [1]\n", 1, 4,
		 "an anchor (&); expected every value written out"},
		{"a: &a {b: 1}\n", 1, 4,
		 "an anchor (&); expected every value written out"},
		{"cordon: *a\n", 1, 9,
		 "an alias (*); expected the value written out, or \"*\" in "
		 "quotes for everyone and everything"},
		{"cordon: !!int 1\n", 1, 9,
		 "a tag (!); expected the value alone"},
		{"a: !x [1]\n", 1, 4, "a tag (!); expected the value alone"},
		{"a: !x {b: 1}\n", 1, 4, "a tag (!); expected the value alone"},
		{"a: ! [1]\n", 1, 4, "a tag (!); expected the value alone"},
	};

	(void)state;
	refuse_all(bad, N_ELEMENTS(bad));
}

static void yaml_is_refused_when_alias_bomb(void **state)
{
	struct buffer b = {0};

	(void)state;
	put(&b, "a0: &a0 [x, x, x, x, x, x, x, x, x]\n");
	for (int i = 1; i < 10; i++)
		put(&b,
		    "a%d: &a%d [*a%d, *a%d, *a%d, *a%d, *a%d, *a%d, *a%d, "
		    "*a%d, *a%d]\n",
		    i, i, i - 1, i - 1, i - 1, i - 1, i - 1, i - 1, i - 1,
		    i - 1, i - 1);
	refuse_bytes(b.s, b.len);
	assert_int_equal(errs.n, POLICY_ERRORS_MAX);
	assert_int_equal(errs.n_dropped, 10 + 81 - POLICY_ERRORS_MAX);
	drop(&b);
}

static void yaml_is_refused_when_second_document(void **state)
{
	static const struct bad bad[] = {
		{DATA NO_RULES "---\n" DATA NO_RULES, 6, 1,
		 "a second document begins; expected one policy a file, "
		 "without a second `---`"},
		{DATA NO_RULES "---\n", 6, 1,
		 "a second document begins; expected one policy a file, "
		 "without a second `---`"},
	};

	(void)state;
	refuse_all(bad, N_ELEMENTS(bad));
}

static void yaml_is_refused_when_it_has_directives(void **state)
{
	static const struct bad bad[] = {
		{"%YAML 1.2\n---\n" DATA NO_RULES, 1, 1,
		 "a YAML directive (%); expected none"},
		{"# x\n%TAG ! tag:x,2000:\n---\n" DATA NO_RULES, 2, 1,
		 "a YAML directive (%); expected none"},
		{DATA NO_RULES "...\n%YAML 99999999999999999999.1\n", 7, 1,
		 "a YAML directive (%); expected none"},
	};

	(void)state;
	refuse_all(bad, N_ELEMENTS(bad));
}

static void yaml_is_refused_when_too_deep(void **state)
{
	static const struct bad bad[] = {
		{"a: [[[[[[[[1]]]]]]]]\n", 1, 11,
		 "nested deeper than 8 levels; expected the structure that "
		 "cordon-policy(5) shows"},
		{"a: {b: {c: {d: {e: {f: {g: {h: {}}}}}}}}\n", 1, 32,
		 "nested deeper than 8 levels; expected the structure that "
		 "cordon-policy(5) shows"},
	};

	(void)state;
	refuse_all(bad, N_ELEMENTS(bad));

	/* one less is not too deep, only unknown */
	refuse_bytes("a: [[[[[[[1]]]]]]]\n", 19);
	assert_null(strstr(errs.v[errs.n - 1].text, "nested"));
}

static void text_is_refused_when_it_is_not_what_it_looks_like(void **state)
{
	static const struct bad bad[] = {
		{"issuer: \"a\\u0041\"\n", 1, 9,
		 "a backslash inside double quotes; expected single quotes "
		 "around such text, and no escapes"},
		{"issuer: \"a\\0\"\n", 1, 9,
		 "a backslash inside double quotes; expected single quotes "
		 "around such text, and no escapes"},
		{"issuer: 'it''s'\n", 1, 9,
		 "a quote ('') inside single quotes; expected double quotes "
		 "around such text"},
		{"issuer: 'a''''b'\n", 1, 9,
		 "a quote ('') inside single quotes; expected double quotes "
		 "around such text"},
		{"issuer: |\n  x\n", 1, 9,
		 "a block of text (| or >); expected text of one line"},
		{"issuer: >-\n  x\n", 1, 9,
		 "a block of text (| or >); expected text of one line"},
		{"issuer: a\n  b\n", 1, 9,
		 "text over several lines; expected text of one line"},
		{"issuer: 'a\n  b'\n", 1, 9,
		 "text over several lines; expected text of one line"},
		{"issuer: \"a\n  b\"\n", 1, 9,
		 "text over several lines; expected text of one line"},
		/* characters before it are not bytes */
		{"{issuer: \"\xc3\xa9\xe5\x86\x99\", \"\xc3\xa9\": 'a''b'}\n",
		 1, 21,
		 "a quote ('') inside single quotes; expected double quotes "
		 "around such text"},
		{"issuer: ! x\n", 1, 9, "a tag (!); expected the value alone"},
	};

	(void)state;
	refuse_all(bad, N_ELEMENTS(bad));
}

static void byte_is_refused_when_unprintable(void **state)
{
	static const char wrong[] = "an invisible, control or invalid "
				    "character; expected plain text in UTF-8";
	static const struct {
		const char *text;
		size_t len;
		uint32_t line, col;
		const char *message;
	} bad[] = {
#define BYTES(s) s, sizeof(s) - 1
		{BYTES("a: 1\n\0b: 2\n"), 2, 1,
		 "a NUL byte; expected text in UTF-8"},
		{BYTES("\xff\xfe"
		       "a\0:\0"),
		 1, 1, wrong},
		{BYTES("\xfe\xff\0a"), 1, 1, wrong},
		{BYTES("\xef\xbb\xbf"
		       "cordon: 1\n"),
		 1, 1, wrong},
		{BYTES("a: \x1b[2J\n"), 1, 4, wrong},
		{BYTES("a: \x7f\n"), 1, 4, wrong},
		{BYTES("a: \xc2\x85\n"), 1, 4, wrong},
		{BYTES("a: \xc3\xa9\xe2\x80\xae x\n"), 1, 5, wrong},
		{BYTES("a: \xe2\x80\xa8\n"), 1, 4, wrong},
		{BYTES("a: \xc0\xaf\n"), 1, 4, wrong},
		{BYTES("a: \xed\xa0\x80\n"), 1, 4, wrong},
		{BYTES("a: \xf4\x90\x80\x80\n"), 1, 4, wrong},
		{BYTES("a: \xc3"), 1, 4, wrong},
		{BYTES("a: \x80\n"), 1, 4, wrong},
		{BYTES("# 1\rb: 2\n"), 1, 4,
		 "a carriage return alone; expected lines that end in LF or "
		 "CR LF"},
		{BYTES("a: 1\r"), 1, 5,
		 "a carriage return alone; expected lines that end in LF or "
		 "CR LF"},
		{BYTES("\tcordon: 1\n"), 1, 1, "a tab; expected blanks"},
		{BYTES("a: b\t# c\n"), 1, 5, "a tab; expected blanks"},
		{BYTES("? s:\t-"), 1, 1,
		 "a complex key (?); expected \"key: value\""},
		{BYTES("# ? no, but\n  ?\n"), 2, 3,
		 "a complex key (?); expected \"key: value\""},
		{BYTES("{? a}\n"), 1, 2,
		 "a complex key (?); expected \"key: value\""},
		{BYTES("a: b ?"), 1, 6,
		 "a complex key (?); expected \"key: value\""},
		{BYTES("?lo: \"a\\"), 1, 8,
		 "found unknown escape character; expected YAML as "
		 "cordon-policy(5) shows it"},
#undef BYTES
	};

	(void)state;
	for (size_t i = 0; i < N_ELEMENTS(bad); i++) {
		const struct bad b = {bad[i].text, bad[i].line, bad[i].col,
				      bad[i].message};

		refuse_bytes(bad[i].text, bad[i].len);
		assert_int_equal(errs.n, 1);
		assert_error(0, &b);
	}
}

static void size_is_bounded_when_input_is_made_to_cost(void **state)
{
	struct buffer b = {0};

	(void)state;
	put(&b, "issuer: %065536d\n", 0);
	refuse_buffer(&b, 1, 65537,
		      "a line of more than 64 KiB; expected shorter lines");
	drop(&b);

	/* 64 KiB are a line still */
	put(&b, DATA NO_RULES "#%065535d\n", 0);
	policy_free(parse(b.s));
	drop(&b);

	/* what may be a key is kept until that is known: not for long */
	for (int i = 0; i < 1000000; i++)
		put(&b, "[%s", i % 100 == 99 ? "\n" : "");
	refuse_buffer(&b, 1, 9,
		      "nested deeper than 8 levels; expected the structure "
		      "that cordon-policy(5) shows");
	drop(&b);

	put(&b, "a:\n");
	for (int i = 0; i < POLICY_YAML_NODES_MAX - 2; i++)
		put(&b, "- x\n");
	refuse_buffer(&b, POLICY_YAML_NODES_MAX - 1, 3,
		      "more than 200000 values; expected a smaller policy");
	drop(&b);
}

/* ---- keys -------------------------------------------------------------- */

static void key_is_refused_when_unknown(void **state)
{
	static const struct bad bad[] = {
		{DATA NO_RULES "host: [a]\n", 6, 1,
		 "unknown key \"host\" in the policy (did you mean hosts?); "
		 "expected cordon, issuer, serial, not-before, expires, hosts, "
		 "mode, follow-files, follow-names, presets, datasets, "
		 "subjects, quiet-files, destinations or rules"},
		{DATA NO_RULES "<<: {a: 1}\n", 6, 1,
		 "unknown key \"<<\" in the policy; expected cordon, issuer, "
		 "serial, not-before, expires, hosts, mode, follow-files, "
		 "follow-names, presets, datasets, subjects, quiet-files, "
		 "destinations or rules"},
		{TOP "datasets:\n  d: {paths: [/d], record: file, sqeeze: "
		     "2}\n" NO_RULES,
		 5, 34,
		 "unknown key \"sqeeze\" in a dataset (did you mean squeeze?); "
		 "expected paths, record, classification, squeeze or floor"},
		{TOP "datasets:\n  d: {paths: [/d], record: {bytes: 1, x: "
		     "2}}\n" NO_RULES,
		 5, 39, "unknown key \"x\" in record; expected bytes or key"},
		{TOP "datasets:\n  d: {paths: [/d], record: file, key: "
		     "{from: 1, to: 8}}\n" NO_RULES,
		 5, 34,
		 "unknown key \"key\" in a dataset; expected paths, record, "
		 "classification, squeeze or floor"},
		{TOP "datasets:\n  d: {paths: [/d], record: {bytes: 8, key: "
		     "{from: 1, to: 8, too: 9}}}\n" NO_RULES,
		 5, 61,
		 "unknown key \"too\" in the key of a row (did you mean to?); "
		 "expected from or to"},
		{DATA "subjects:\n  s: {user: a, grp: b}\n" NO_RULES, 6, 16,
		 "unknown key \"grp\" in a subject (did you mean group?); "
		 "expected unit, cgroup, exe, user, group, login, pool, "
		 "narrow, squeeze, floor, carries or cap"},
		{DATA "destinations:\n  s: {networks: [10.0.0.1], port: "
		      "[1]}\n" NO_RULES,
		 6, 29,
		 "unknown key \"port\" in a destination (did you mean ports?); "
		 "expected networks, ports, file-systems, paths or devices"},
		{DATA "rules:\n- {subject: \"*\", dataset: d, raed: none}\n", 6,
		 30,
		 "unknown key \"raed\" in a rule (did you mean read?); "
		 "expected subject, dataset, per, read, release, action or "
		 "mode"},
	};

	(void)state;
	refuse_all(bad, N_ELEMENTS(bad));
}

static void key_is_refused_when_twice(void **state)
{
	static const struct bad bad[] = {
		{DATA NO_RULES "serial: 2\n", 6, 1,
		 "key \"serial\" stands twice in the policy; expected it once"},
		{DATA NO_RULES "\"serial\": 2\n", 6, 1,
		 "key \"serial\" stands twice in the policy; expected it once"},
		{TOP "datasets: {d: {paths: [/d], record: file, record: "
		     "line}}\n" NO_RULES,
		 4, 43,
		 "key \"record\" stands twice in a dataset; expected it once"},
		{DATA "subjects: {s: {user: a, user: b}}\n" NO_RULES, 5, 25,
		 "key \"user\" stands twice in a subject; expected it once"},
		{DATA "destinations: {s: {networks: [10.0.0.1], networks: "
		      "[10.0.0.2]}}\n" NO_RULES,
		 5, 42,
		 "key \"networks\" stands twice in a destination; expected it "
		 "once"},
		{DATA "rules:\n- subject: \"*\"\n  dataset: d\n"
		      "  subject: \"*\"\n",
		 8, 3,
		 "key \"subject\" stands twice in a rule; expected it "
		 "once"},
		{DATA "rules:\n- {subject: \"*\", dataset: d, release: "
		      "{\"*\": none, '*': unlimited}}\n",
		 6, 51,
		 "destination \"*\" stands twice in one release; expected it "
		 "once"},
	};

	(void)state;
	refuse_all(bad, N_ELEMENTS(bad));
}

static void key_is_demanded_when_missing(void **state)
{
	static const struct bad bad[] = {
		{"issuer: x\nserial: 1\n"
		 "datasets: {d: {paths: [/d], record: file}}\n" NO_RULES,
		 1, 1,
		 "key \"cordon\" is missing in the policy; expected e.g. "
		 "cordon: 1"},
		{"cordon: 1\nserial: 1\n"
		 "datasets: {d: {paths: [/d], record: file}}\n" NO_RULES,
		 1, 1,
		 "key \"issuer\" is missing in the policy; expected e.g. "
		 "issuer: Example Police Service"},
		{"cordon: 1\nissuer: x\n"
		 "datasets: {d: {paths: [/d], record: file}}\n" NO_RULES,
		 1, 1,
		 "key \"serial\" is missing in the policy; expected e.g. "
		 "serial: 1"},
		{TOP NO_RULES, 1, 1,
		 "key \"datasets\" is missing in the policy; expected e.g. "
		 "datasets: {photos: {paths: [/srv/photos], record: file}}"},
		{DATA, 1, 1,
		 "key \"rules\" is missing in the policy; expected e.g. "
		 "rules: [{subject: \"*\", dataset: \"*\", read: none}]"},
		{TOP "datasets:\n  d:\n    record: file\n" NO_RULES, 6, 5,
		 "key \"paths\" is missing in a dataset; expected e.g. "
		 "paths: [/srv/personnel/photos]"},
		{TOP "datasets: {d: {paths: [/d]}}\n" NO_RULES, 4, 15,
		 "key \"record\" is missing in a dataset; expected e.g. "
		 "record: file"},
		{TOP "datasets: {d: {paths: [/d], record: {}}}\n" NO_RULES, 4,
		 37,
		 "key \"bytes\" is missing in record; expected e.g. bytes: "
		 "160"},
		{DATA "destinations: {s: {ports: [1]}}\n" NO_RULES, 5, 19,
		 "a destination is nowhere; expected networks, file-systems, "
		 "paths or devices, e.g. networks: [10.20.0.0/24]"},
		{DATA "rules: [{dataset: d}]\n", 5, 9,
		 "key \"subject\" is missing in a rule; expected e.g. "
		 "subject: \"*\""},
		{DATA "rules: [{subject: \"*\"}]\n", 5, 9,
		 "key \"dataset\" is missing in a rule; expected e.g. "
		 "dataset: \"*\""},
	};

	(void)state;
	refuse_all(bad, N_ELEMENTS(bad));
}

static void key_is_refused_when_no_text(void **state)
{
	static const struct bad bad[] = {
		{DATA NO_RULES "[a]: b\n", 6, 1,
		 "a key is a list; expected a word"},
		{DATA NO_RULES "{a: b}: b\n", 6, 1,
		 "a key is a map; expected a word"},
		{DATA NO_RULES "~: b\n", 6, 1,
		 "a key is empty; expected a word"},
		{DATA NO_RULES "\"\": b\n", 6, 1,
		 "a key is empty; expected a word"},
		{DATA "subjects: {[a]: {user: b}}\n" NO_RULES, 5, 12,
		 "a name is a list; expected a text"},
		{DATA "destinations: {~: {networks: [10.0.0.1]}}\n" NO_RULES, 5,
		 16, "a name is empty; expected a text"},
	};

	(void)state;
	refuse_all(bad, N_ELEMENTS(bad));
}

/* ---- the head ---------------------------------------------------------- */

#define REST "datasets: {d: {paths: [/d], record: file}}\n" NO_RULES

static void version_is_refused_alone_when_unknown(void **state)
{
	static const struct bad bad[] = {
		{"cordon: 2\nissuer: x\nbells: whistles\n" REST, 1, 9,
		 "cordon is \"2\", a format that this version does not know; "
		 "expected 1"},
		{"cordon: 1.0\n", 1, 9,
		 "cordon is \"1.0\", a format that this version does not know; "
		 "expected 1"},
		{"cordon:\n", 1, 8, "cordon is empty; expected 1"},
		{"cordon: [1]\n", 1, 9, "cordon is a list; expected 1"},
	};

	(void)state;
	refuse_all(bad, N_ELEMENTS(bad));
}

static void issuer_is_refused_when_bad(void **state)
{
	struct buffer b = {0};
	static const struct bad bad[] = {
		{"cordon: 1\nissuer:\nserial: 1\n" REST, 2, 8,
		 "issuer is empty; expected a text of 1 to 128 characters"},
		{"cordon: 1\nissuer: ~\nserial: 1\n" REST, 2, 9,
		 "issuer is empty; expected a text of 1 to 128 characters"},
		{"cordon: 1\nissuer: ''\nserial: 1\n" REST, 2, 9,
		 "issuer is empty; expected a text of 1 to 128 characters"},
		{"cordon: 1\nissuer: {x: y}\nserial: 1\n" REST, 2, 9,
		 "issuer is a map; expected a text of 1 to 128 characters"},
	};

	(void)state;
	refuse_all(bad, N_ELEMENTS(bad));

	put(&b, "cordon: 1\nissuer: %0*d\nserial: 1\n" REST,
	    POLICY_ISSUER_CHARS_MAX, 0);
	policy_free(parse(b.s));
	drop(&b);
	put(&b, "cordon: 1\nissuer: %0*d\nserial: 1\n" REST,
	    POLICY_ISSUER_CHARS_MAX + 1, 0);
	refuse_buffer(&b, 2, 9,
		      "issuer has 129 characters; expected a text of 1 to 128 "
		      "characters");
	drop(&b);
}

static void serial_is_refused_when_no_number_in_range(void **state)
{
	static const char *const bad[] = {
		"0",
		"9223372036854775808",
		"18446744073709551616",
		"-1",
		"+1",
		"1.0",
		"01",
		"0x1",
		"1e3",
		"1 ",
		"one",
	};
	struct buffer b = {0};
	char message[128];

	(void)state;
	for (size_t i = 0; i < N_ELEMENTS(bad); i++) {
		put(&b, "cordon: 1\nissuer: x\nserial: \"%s\"\n" REST, bad[i]);
		(void)snprintf(message, sizeof(message),
			       "serial is \"%s\"; expected a number from 1 to "
			       "9223372036854775807",
			       bad[i]);
		refuse_buffer(&b, 3, 9, message);
		drop(&b);
	}
}

static void time_is_refused_when_not_rfc3339_utc(void **state)
{
	static const char *const bad[] = {
		"2026-11-01",
		"2026-11-01T00:00:00",
		"2026-11-01T00:00:00+00:00",
		"2026-11-01T00:00:00.5Z",
		"2026-11-01 00:00:00Z",
		"2026-11-01t00:00:00z",
		"2026-02-29T00:00:00Z",
		"2026-13-01T00:00:00Z",
		"2026-00-01T00:00:00Z",
		"2026-01-00T00:00:00Z",
		"2026-04-31T00:00:00Z",
		"2026-01-01T24:00:00Z",
		"2026-01-01T00:60:00Z",
		"2026-01-01T00:00:60Z",
		"1969-12-31T23:59:59Z",
		"tomorrow",
	};
	struct buffer b = {0};
	char message[160];

	(void)state;
	for (size_t i = 0; i < N_ELEMENTS(bad); i++) {
		put(&b, DATA NO_RULES "expires: %s\n", bad[i]);
		(void)snprintf(message, sizeof(message),
			       "expires is \"%s\"; expected a time in UTC such "
			       "as 2026-11-01T00:00:00Z",
			       bad[i]);
		refuse_buffer(&b, 6, 10, message);
		drop(&b);
	}
}

static void expires_is_refused_when_not_after_not_before(void **state)
{
	static const struct bad bad[] = {
		{DATA NO_RULES "expires: 2026-01-01T00:00:00Z\n"
			       "not-before: 2026-01-01T00:00:00Z\n",
		 6, 10,
		 "expires is not after not-before; expected a later time"},
		{DATA NO_RULES "not-before: never\n", 6, 13,
		 "not-before is \"never\"; expected a time in UTC such as "
		 "2026-11-01T00:00:00Z"},
	};

	(void)state;
	refuse_all(bad, N_ELEMENTS(bad));
	policy_free(parse(DATA NO_RULES "expires: 2024-02-29T00:00:01Z\n"
					"not-before: 2024-02-29T00:00:00Z\n"));
}

static void files_are_followed_when_the_policy_says_so(void **state)
{
	struct policy *p;

	(void)state;
	p = parse(DATA NO_RULES);
	assert_false(p->follow_files);
	policy_free(p);
	p = parse(DATA NO_RULES "follow-files: no\n");
	assert_false(p->follow_files);
	policy_free(p);
	p = parse(DATA NO_RULES "follow-files: yes\n");
	assert_true(p->follow_files);
	policy_free(p);
}

static void names_are_followed_when_the_policy_says_so(void **state)
{
	struct policy *p;

	(void)state;
	p = parse(DATA NO_RULES "follow-files: yes\n");
	assert_false(p->follow_names);
	policy_free(p);
	p = parse(DATA NO_RULES "follow-names: yes\nfollow-files: yes\n");
	assert_true(p->follow_names);
	policy_free(p);
}

static void names_are_refused_when_files_are_not_followed(void **state)
{
	static const struct bad bad[] = {
		{DATA NO_RULES "follow-names: yes\n", 6, 15,
		 "follow-names is yes, but files carry nothing; expected "
		 "\"follow-files: yes\" beside it"},
	};

	(void)state;
	refuse_all(bad, N_ELEMENTS(bad));
}

static void files_are_refused_when_neither_yes_nor_no(void **state)
{
	static const struct bad bad[] = {
		{DATA NO_RULES "follow-files: yess\n", 6, 15,
		 "follow-files is \"yess\" (did you mean yes?); expected no "
		 "or yes"},
	};

	(void)state;
	refuse_all(bad, N_ELEMENTS(bad));
}

static void mode_is_refused_when_unknown(void **state)
{
	static const struct bad bad[] = {
		{DATA NO_RULES "mode: enforced\n", 6, 7,
		 "mode is \"enforced\" (did you mean enforce?); expected "
		 "enforce or observe"},
		{DATA NO_RULES "mode: off\n", 6, 7,
		 "mode is \"off\"; expected enforce or observe"},
		{DATA NO_RULES "mode:\n", 6, 6,
		 "mode is empty; expected enforce or observe"},
		{DATA "rules: [{subject: \"*\", dataset: d, mode: Observe}]\n",
		 5, 42,
		 "mode is \"Observe\" (did you mean observe?); expected "
		 "enforce or observe"},
	};

	(void)state;
	refuse_all(bad, N_ELEMENTS(bad));
}

static void hosts_are_refused_when_bad(void **state)
{
	static const struct bad bad[] = {
		{DATA NO_RULES "hosts: []\n", 6, 8,
		 "hosts is an empty list; expected a list such as "
		 "[\"cardprint-*\"]"},
		{DATA NO_RULES "hosts: a\n", 6, 8,
		 "hosts is \"a\"; expected a list such as [\"cardprint-*\"]"},
		{DATA NO_RULES "hosts:\n", 6, 7,
		 "hosts is empty; expected a list such as [\"cardprint-*\"]"},
		{DATA NO_RULES "hosts: {a: b}\n", 6, 8,
		 "hosts is a map; expected a list such as [\"cardprint-*\"]"},
		{DATA NO_RULES "hosts: [a, b c]\n", 6, 12,
		 "host is \"b c\"; expected a host name, with up to 4 * and "
		 "any ?, such as \"cardprint-*\""},
		{DATA NO_RULES "hosts: [\"a[b\"]\n", 6, 9,
		 "host is \"a[b\"; expected a host name, with up to 4 * and "
		 "any ?, such as \"cardprint-*\""},
		{DATA NO_RULES "hosts: [\"a[]\"]\n", 6, 9,
		 "host is \"a[]\"; expected a host name, with up to 4 * and "
		 "any ?, such as \"cardprint-*\""},
		{DATA NO_RULES "hosts: [\"*a*b*c*d*\"]\n", 6, 9,
		 "host is \"*a*b*c*d*\"; expected a host name, with up to 4 * "
		 "and any ?, such as \"cardprint-*\""},
		{DATA NO_RULES "hosts: [~]\n", 6, 9,
		 "a host is empty; expected a host name, with up to 4 * and "
		 "any ?, such as \"cardprint-*\""},
	};

	(void)state;
	refuse_all(bad, N_ELEMENTS(bad));
}

/* ---- datasets ---------------------------------------------------------- */

static void datasets_are_refused_when_bad(void **state)
{
	static const struct bad bad[] = {
		{TOP "datasets: {}\n" NO_RULES, 4, 11,
		 "datasets is empty; expected at least one dataset to "
		 "protect"},
		{TOP "datasets: [a]\n" NO_RULES, 4, 11,
		 "datasets is a list; expected a map of names and datasets"},
		{TOP "datasets:\n" NO_RULES, 4, 10,
		 "datasets is empty; expected a map of names and datasets"},
		{TOP "datasets: {d: x}\n" NO_RULES, 4, 15,
		 "a dataset is \"x\"; expected a map of keys and values"},
		{TOP "datasets: {d: {paths: [], record: file}}\n" NO_RULES, 4,
		 23,
		 "paths is an empty list; expected a list such as "
		 "[/srv/personnel/photos]"},
		{TOP "datasets: {d: {paths: /d, record: file}}\n" NO_RULES, 4,
		 23,
		 "paths is \"/d\"; expected a list such as "
		 "[/srv/personnel/photos]"},
		{TOP
		 "datasets: {d: {paths: [/d, []], record: file}}\n" NO_RULES,
		 4, 28,
		 "a path of a dataset is a list; expected an absolute path "
		 "such as /srv/personnel/photos"},
		{TOP "datasets: {d: {paths: [/d], record: flie}}\n" NO_RULES, 4,
		 37,
		 "record is \"flie\" (did you mean file?); expected file, line "
		 "or {bytes: N}"},
		{TOP "datasets: {d: {paths: [/d], record: '{bytes: "
		     "N}'}}\n" NO_RULES,
		 4, 37,
		 "record is a text; expected {bytes: 160} without quotes "
		 "around it"},
		{TOP
		 "datasets: {d: {paths: [/d], record: {bytes: 0}}}\n" NO_RULES,
		 4, 45,
		 "record bytes is \"0\"; expected a number of bytes from 1 to "
		 "1 MiB"},
		{TOP "datasets: {d: {paths: [/d], record: {bytes: "
		     "1048577}}}\n" NO_RULES,
		 4, 45,
		 "record bytes is \"1048577\"; expected a number of bytes from "
		 "1 to 1 MiB"},
		{TOP "datasets: {d: {paths: [/d], record: file, squeeze: "
		     "0}}\n" NO_RULES,
		 4, 52, "squeeze is \"0\"; expected a number from 1 to 10000"},
		{TOP "datasets: {d: {paths: [/d], record: file, squeeze: "
		     "10001}}\n" NO_RULES,
		 4, 52,
		 "squeeze is \"10001\"; expected a number from 1 to 10000"},
		{TOP "datasets: {d: {paths: [/d], record: file, floor: "
		     "2MiB}}\n" NO_RULES,
		 4, 50,
		 "floor is \"2MiB\"; expected a number of bytes from 1 to 1 "
		 "MiB"},
		{TOP "datasets: {d: {paths: [/d], record: file, "
		     "classification: []}}\n" NO_RULES,
		 4, 59,
		 "classification is a list; expected a text of 1 to 64 "
		 "characters"},
	};

	(void)state;
	refuse_all(bad, N_ELEMENTS(bad));
}

#define ROWS(key)                                                        \
	TOP "datasets: {d: {paths: [/d], record: {bytes: 160, key: " key \
	    "}}}\n" NO_RULES

static void row_key_is_refused_when_it_is_none(void **state)
{
	static const struct bad bad[] = {
		{ROWS("1-8"), 4, 55,
		 "key is \"1-8\"; expected the bytes of each row that say "
		 "whose "
		 "it is, such as {from: 1, to: 8}"},
		{ROWS("[1, 8]"), 4, 55,
		 "key is a list; expected the bytes of each row that say whose "
		 "it is, such as {from: 1, to: 8}"},
		{ROWS("{from: 1}"), 4, 55,
		 "key \"to\" is missing in the key of a row; expected e.g. to: "
		 "8"},
		{ROWS("{to: 8}"), 4, 55,
		 "key \"from\" is missing in the key of a row; expected e.g. "
		 "from: 1"},
		{ROWS("{from: 0, to: 8}"), 4, 62,
		 "key from is \"0\"; expected a number from 1 to 160"},
		{ROWS("{from: 1, to: 0}"), 4, 69,
		 "key to is \"0\"; expected a number from 1 to 160"},
		{ROWS("{from: 153, to: 161}"), 4, 71,
		 "key to is \"161\"; expected a number from 1 to 160"},
		{ROWS("{from: 161, to: 160}"), 4, 62,
		 "key from is \"161\"; expected a number from 1 to 160"},
		{ROWS("{from: 9, to: 8}"), 4, 69,
		 "key to is \"8\", which is before its from; expected a number "
		 "from 9 to 160"},
		{ROWS("{from: 1, to: 65}"), 4, 55,
		 "key has 65 bytes; expected at most 64, those that say whose "
		 "row it is and nothing else"},
		{ROWS("{from: 1B, to: 8}"), 4, 62,
		 "key from is \"1B\"; expected a number from 1 to 160"},
		{TOP "datasets: {d: {paths: [/d], record: {key: {from: 1, to: "
		     "8}}}}\n" NO_RULES,
		 4, 37,
		 "key \"bytes\" is missing in record; expected e.g. bytes: "
		 "160"},
		{TOP "datasets: {d: {paths: [/d], record: {bytes: 1MiB, key: "
		     "{from: 1048577, to: 1}}}}\n" NO_RULES,
		 4, 63,
		 "key from is \"1048577\"; expected a number from 1 to "
		 "1048576"},
	};

	(void)state;
	refuse_all(bad, N_ELEMENTS(bad));
}

static void row_key_is_taken_when_it_is_in_the_row(void **state)
{
	static const struct {
		const char *text;
		uint32_t from, to;
	} good[] = {
		{ROWS("{from: 1, to: 8}"), 1, 8},
		{ROWS("{to: 160, from: 160}"), 160, 160},
		{ROWS("{from: 97, to: 160}"), 97, 160},
	};
	struct policy *p;

	(void)state;
	for (size_t i = 0; i < N_ELEMENTS(good); i++) {
		p = parse(good[i].text);
		assert_int_equal(p->datasets[0].record, POLICY_RECORD_BYTES);
		assert_int_equal(p->datasets[0].record_bytes, 160);
		assert_int_equal(p->datasets[0].key_from, good[i].from);
		assert_int_equal(p->datasets[0].key_to, good[i].to);
		policy_free(p);
	}
	p = parse(DATA NO_RULES);
	assert_int_equal(p->datasets[0].key_from, 0);
	assert_int_equal(p->datasets[0].key_to, 0);
	policy_free(p);
}

static void path_is_refused_when_not_normal(void **state)
{
	static const char *const relative[] = {"d", "./d", "~/d", ""};
	static const char *const odd[] = {
		"//",	"/d/",	 "//d",	 "/d//e", "/.",	     "/..",
		"/d/.", "/d/..", "/./d", "/../d", "/d/../e",
	};
	static const char *const good[] = {"/...", "/.d", "/d/..e", "/ d "};
	struct buffer b = {0};
	struct policy *p;

	(void)state;
	for (size_t i = 0; i < N_ELEMENTS(relative); i++) {
		put(&b,
		    TOP
		    "datasets: {d: {paths: ['%s'], record: file}}\n" NO_RULES,
		    relative[i]);
		refuse_bytes(b.s, b.len);
		assert_int_equal(errs.v[0].pos.line, 4);
		assert_int_equal(errs.v[0].pos.col, 24);
		assert_non_null(
			strstr(errs.v[0].text, "expected an absolute path"));
		drop(&b);
	}
	for (size_t i = 0; i < N_ELEMENTS(odd); i++) {
		put(&b,
		    TOP
		    "datasets: {d: {paths: ['%s'], record: file}}\n" NO_RULES,
		    odd[i]);
		refuse_bytes(b.s, b.len);
		assert_int_equal(errs.n, 1);
		assert_int_equal(errs.v[0].pos.col, 24);
		assert_non_null(strstr(errs.v[0].text,
				       "expected a path without \"//\""));
		drop(&b);
	}
	for (size_t i = 0; i < N_ELEMENTS(good); i++) {
		put(&b,
		    TOP
		    "datasets: {d: {paths: ['%s'], record: file}}\n" NO_RULES,
		    good[i]);
		p = parse(b.s);
		assert_string_equal(p->datasets[0].paths[0].path, good[i]);
		policy_free(p);
		drop(&b);
	}
}

static void path_is_refused_when_root_or_too_long(void **state)
{
	static const struct bad bad[] = {
		{TOP "datasets: {d: {paths: [/], record: file}}\n" NO_RULES, 4,
		 24,
		 "a path of a dataset is \"/\", the root; expected an absolute "
		 "path such as /srv/personnel/photos"},
	};
	struct buffer b = {0};

	(void)state;
	refuse_all(bad, N_ELEMENTS(bad));
	put(&b, TOP "datasets: {d: {paths: [/%0*d], record: file}}\n" NO_RULES,
	    POLICY_PATH_CHARS_MAX - 1, 0);
	policy_free(parse(b.s));
	drop(&b);
	put(&b, TOP "datasets: {d: {paths: [/%0*d], record: file}}\n" NO_RULES,
	    POLICY_PATH_CHARS_MAX, 0);
	refuse_buffer(&b, 4, 24,
		      "a path of a dataset has 4096 characters; expected at "
		      "most 4095");
	drop(&b);
}

static void path_is_refused_when_it_stands_twice(void **state)
{
	static const struct bad bad[] = {
		{TOP "datasets:\n  a: {paths: [/d], record: file}\n"
		     "  b:\n    record: file\n    paths:\n    - /e\n"
		     "    - /d\n" NO_RULES,
		 10, 7,
		 "path \"/d\" already stands in line 5; expected it in one "
		 "dataset, or name of quiet files, once"},
		{TOP
		 "datasets: {a: {paths: [/d, /d], record: file}}\n" NO_RULES,
		 4, 28,
		 "path \"/d\" already stands in line 4; expected it in one "
		 "dataset, or name of quiet files, once"},
	};

	(void)state;
	refuse_all(bad, N_ELEMENTS(bad));
}

/* ---- names ------------------------------------------------------------- */

static void name_is_refused_when_bad(void **state)
{
	static const struct bad bad[] = {
		{TOP
		 "datasets: {\"*\": {paths: [/d], record: file}}\n" NO_RULES,
		 4, 12,
		 "a dataset \"*\" cannot be defined, it stands for all; "
		 "expected another name"},
		{DATA "subjects:\n  \"*\": {user: a}\n" NO_RULES, 6, 3,
		 "a subject \"*\" cannot be defined, it stands for all; "
		 "expected another name"},
		{DATA
		 "destinations: {\"*\": {networks: [10.0.0.1]}}\n" NO_RULES,
		 5, 16,
		 "a destination \"*\" cannot be defined, it stands for all; "
		 "expected another name"},
		{DATA "subjects: {a b: {user: a}}\n" NO_RULES, 5, 12,
		 "a subject has the name \"a b\"; expected 1 to 63 of A-Z a-z "
		 "0-9 . _ @ -"},
		{DATA "subjects: {a/b: {user: a}}\n" NO_RULES, 5, 12,
		 "a subject has the name \"a/b\"; expected 1 to 63 of A-Z a-z "
		 "0-9 . _ @ -"},
		{DATA "subjects: {\xc3\xa9: {user: a}}\n" NO_RULES, 5, 12,
		 "a subject has the name \"\xc3\xa9\"; expected 1 to 63 of A-Z "
		 "a-z 0-9 . _ @ -"},
		{DATA "subjects:\n  s: {user: a}\n  t: {user: b}\n"
		      "  s: {user: c}\n" NO_RULES,
		 8, 3,
		 "a subject \"s\" is already defined in line 6; expected "
		 "another name"},
		{TOP "datasets:\n  d: {paths: [/d], record: file}\n"
		     "  d: {paths: [/e], record: file}\n" NO_RULES,
		 6, 3,
		 "a dataset \"d\" is already defined in line 5; expected "
		 "another name"},
		{DATA "destinations:\n  d: {networks: [10.0.0.1]}\n"
		      "  d: {networks: [10.0.0.2]}\n" NO_RULES,
		 7, 3,
		 "a destination \"d\" is already defined in line 6; expected "
		 "another name"},
	};
	struct buffer b = {0};

	(void)state;
	refuse_all(bad, N_ELEMENTS(bad));
	put(&b, DATA "subjects: {%0*d: {user: a}}\n" NO_RULES,
	    POLICY_NAME_CHARS_MAX, 0);
	policy_free(parse(b.s));
	drop(&b);
	put(&b, DATA "subjects: {%0*d: {user: a}}\n" NO_RULES,
	    POLICY_NAME_CHARS_MAX + 1, 0);
	refuse_bytes(b.s, b.len);
	assert_int_equal(errs.v[0].pos.line, 5);
	assert_int_equal(errs.v[0].pos.col, 12);
	drop(&b);
	policy_free(parse(DATA "subjects: {A-z.0_9@x: {user: a}}\n" NO_RULES));
}

/* ---- subjects ---------------------------------------------------------- */

static void subject_is_refused_when_bad(void **state)
{
	static const struct bad bad[] = {
		{DATA "subjects: [a]\n" NO_RULES, 5, 11,
		 "subjects is a list; expected a map of names and subjects"},
		{DATA "subjects: {s: {}}\n" NO_RULES, 5, 15,
		 "a subject without a condition; expected at least one of "
		 "unit, cgroup, exe, user, group and login"},
		{DATA "subjects: {s: {narrow: yes}}\n" NO_RULES, 5, 15,
		 "a subject without a condition; expected at least one of "
		 "unit, cgroup, exe, user, group and login"},
		{DATA "subjects: {s: {user: a, narrow: true}}\n" NO_RULES, 5,
		 33, "narrow is \"true\"; expected no or yes"},
		{DATA "subjects: {s: {exe: /a, squeeze: 2}}\n" NO_RULES, 5, 34,
		 "a squeeze without \"narrow: yes\", which would tighten "
		 "nothing; expected both or neither"},
		{DATA
		 "subjects: {s: {exe: /a, floor: 2, narrow: no}}\n" NO_RULES,
		 5, 32,
		 "a floor without \"narrow: yes\", which would tighten "
		 "nothing; expected both or neither"},
		{DATA "subjects: {s: {exe: /a, pool: yes}}\n" NO_RULES, 5, 31,
		 "a pool of processes from anywhere; expected unit or cgroup "
		 "as well"},
		{DATA "subjects: {s: {unit: a.service, carries: no, cap: 1 "
		      "KiB/day, pool: yes}}\n" NO_RULES,
		 5, 68,
		 "a pool with \"carries: no\", which has no holding to share; "
		 "expected one of them"},
		{DATA "subjects: {s: {exe: /a, narrow: yes, squeeze: "
		      "10001}}\n" NO_RULES,
		 5, 47,
		 "squeeze is \"10001\"; expected a number from 1 to 10000"},
		{DATA
		 "subjects: {s: {exe: /a, narrow: yes, floor: 0}}\n" NO_RULES,
		 5, 45,
		 "floor is \"0\"; expected a number of bytes from 1 to 1 "
		 "MiB"},
		{DATA "subjects: {s: {unit: a.service, cgroup: /b}}\n" NO_RULES,
		 5, 41,
		 "a subject with both unit and cgroup; expected one of them, "
		 "both say where it runs"},
		{DATA "subjects: {s: {unit: backup}}\n" NO_RULES, 5, 22,
		 "unit is \"backup\"; expected a unit such as backup.service "
		 "or session-1.scope"},
		{DATA "subjects: {s: {unit: .service}}\n" NO_RULES, 5, 22,
		 "unit is \".service\"; expected a unit such as "
		 "backup.service or session-1.scope"},
		{DATA "subjects: {s: {unit: a.timer}}\n" NO_RULES, 5, 22,
		 "unit is \"a.timer\"; expected a unit such as backup.service "
		 "or session-1.scope"},
		{DATA "subjects: {s: {unit: a*.service}}\n" NO_RULES, 5, 22,
		 "unit is \"a*.service\"; expected a unit such as "
		 "backup.service or session-1.scope"},
		{DATA "subjects: {s: {unit: a/b.service}}\n" NO_RULES, 5, 22,
		 "unit is \"a/b.service\"; expected a unit such as "
		 "backup.service or session-1.scope"},
		{DATA "subjects: {s: {unit: user.slice}}\n" NO_RULES, 5, 22,
		 "unit \"user.slice\" is a slice, which holds units and is "
		 "none; expected the key cgroup with its path, \"cgroup: "
		 "/user.slice\""},
		{DATA "subjects: {s: {unit: a-bc-d.slice}}\n" NO_RULES, 5, 22,
		 "unit \"a-bc-d.slice\" is a slice, which holds units and is "
		 "none; expected the key cgroup with its path, \"cgroup: "
		 "/a.slice/a-bc.slice/a-bc-d.slice\""},
		{DATA "subjects: {s: {unit: a@.service}}\n" NO_RULES, 5, 22,
		 "unit \"a@.service\" is a template, which never runs itself; "
		 "expected an instance such as name@instance.service"},
		{DATA "subjects: {s: {cgroup: /}}\n" NO_RULES, 5, 24,
		 "cgroup is \"/\", the root; expected an absolute path such as "
		 "/system.slice/cups"},
		{DATA "subjects: {s: {cgroup: a}}\n" NO_RULES, 5, 24,
		 "cgroup is \"a\"; expected an absolute path such as "
		 "/system.slice/cups"},
		{DATA "subjects: {s: {exe: rsync}}\n" NO_RULES, 5, 21,
		 "exe is \"rsync\"; expected an absolute path such as "
		 "/usr/bin/rsync"},
		{DATA "subjects: {s: {exe: /usr/../rsync}}\n" NO_RULES, 5, 21,
		 "exe is \"/usr/../rsync\"; expected a path without \"//\", "
		 "\".\" and \"..\", and without \"/\" at the end"},
		{DATA "subjects: {s: {user: a b}}\n" NO_RULES, 5, 22,
		 "user is \"a b\"; expected the name or number of a user"},
		{DATA "subjects: {s: {user: \"*\"}}\n" NO_RULES, 5, 22,
		 "user is \"*\"; expected the name or number of a user"},
		{DATA "subjects: {s: {user: -1}}\n" NO_RULES, 5, 22,
		 "user is \"-1\"; expected the name or number of a user"},
		{DATA "subjects: {s: {user: 4294967295}}\n" NO_RULES, 5, 22,
		 "user is \"4294967295\"; expected a number from 0 to "
		 "4294967294 without leading zeros"},
		{DATA "subjects: {s: {user: 010}}\n" NO_RULES, 5, 22,
		 "user is \"010\"; expected a number from 0 to 4294967294 "
		 "without leading zeros"},
		{DATA "subjects: {s: {group: {a: b}}}\n" NO_RULES, 5, 23,
		 "group is a map; expected the name or number of a group"},
		{DATA "subjects: {s: {group: 'a,b'}}\n" NO_RULES, 5, 23,
		 "group is \"a,b\"; expected the name or number of a group"},
		{DATA "subjects: {s: {login: a/b}}\n" NO_RULES, 5, 23,
		 "login is \"a/b\"; expected any, none, or the name or number "
		 "of a user"},
	};
	struct policy *p;

	(void)state;
	refuse_all(bad, N_ELEMENTS(bad));
	p = parse(DATA "subjects: {s: {user: 4294967294}}\n" NO_RULES);
	assert_true(p->subjects[1].user.id == 4294967294U);
	policy_free(p);
}

/* ---- declassifiers and presets ------------------------------------------ */

static void subject_keeps_its_cap_when_it_carries_nothing_on(void **state)
{
	struct policy *p = parse(
		DATA "subjects:\n"
		     "  a: {unit: a.service, carries: no, cap: 64 KiB/hour}\n"
		     "  b: {cap: 1B/4 weeks, user: b, narrow: yes,\n"
		     "      carries: \"no\"}\n"
		     "  c: {user: c, carries: yes}\n"
		     "  d: {user: d}\n" NO_RULES);
	const struct policy_subject *s = p->subjects;

	(void)state;
	assert_true(s[1].declassifier && !s[1].preset);
	assert_int_equal(s[1].specificity, 1);
	assert_int_equal(s[1].cap.kind, POLICY_BUDGET_LIMITED);
	assert_int_equal(s[1].cap.bytes, 64 << 10);
	assert_true(s[1].cap.bytes_window_ns == 3600 * S);
	assert_true(!s[1].cap.records && !s[1].cap.records_window_ns);
	assert_int_equal(s[1].cap.pos.line, 6);
	assert_int_equal(s[1].cap.pos.col, 42);
	assert_true(s[2].declassifier && s[2].narrow);
	assert_int_equal(s[2].cap.bytes, 1);
	assert_true(s[2].cap.bytes_window_ns == POLICY_WINDOW_NS_MAX);
	for (size_t i = 3; i < 5; i++) {
		assert_false(s[i].declassifier);
		assert_int_equal(s[i].cap.kind, POLICY_BUDGET_NONE);
		assert_int_equal(s[i].cap.pos.line, 0);
	}
	assert_false(s[POLICY_EVERYONE].declassifier);
	policy_free(p);
}

#define CAP "bytes in a window, e.g. \"64 KiB/hour\""

static void declassifier_is_refused_when_bad(void **state)
{
	static const struct bad bad[] = {
		{DATA "subjects: {s: {user: a, carries: no}}\n" NO_RULES, 5, 34,
		 "carries: no without a cap; expected the key cap as well, "
		 "e.g. \"cap: 64 KiB/hour\""},
		{DATA "subjects: {s: {user: a, cap: 1B/day}}\n" NO_RULES, 5, 30,
		 "a cap without \"carries: no\", which would limit nothing; "
		 "expected both or neither"},
		{DATA "subjects: {s: {user: a, carries: yes, cap: "
		      "1B/day}}\n" NO_RULES,
		 5, 44,
		 "a cap without \"carries: no\", which would limit nothing; "
		 "expected both or neither"},
		{DATA "subjects: {s: {user: a, carries: never, cap: "
		      "1B/day}}\n" NO_RULES,
		 5, 34, "carries is \"never\"; expected no or yes"},
		{DATA "subjects: {s: {user: a, carries: ~}}\n" NO_RULES, 5, 34,
		 "carries is empty; expected no or yes"},
		{DATA "subjects: {s: {user: a, carries: [no]}}\n" NO_RULES, 5,
		 34, "carries is a list; expected no or yes"},
		{DATA "subjects: {s: {carries: no, cap: 1B/day}}\n" NO_RULES, 5,
		 15,
		 "a subject without a condition; expected at least one of "
		 "unit, cgroup, exe, user, group and login"},
		{DATA "subjects: {\"*\": {carries: no, cap: "
		      "1B/day}}\n" NO_RULES,
		 5, 12,
		 "a subject \"*\" cannot be defined, it stands for all; "
		 "expected another name"},
		{DATA "subjects: {s: {user: a, carries: no, carries: no, "
		      "cap: 1B/day}}\n" NO_RULES,
		 5, 38,
		 "key \"carries\" stands twice in a subject; expected it "
		 "once"},
		{DATA "subjects: {preset-x: {user: a}}\n" NO_RULES, 5, 12,
		 "a subject has the name \"preset-x\"; expected another, "
		 "names that begin with preset- are those of presets"},
	};

	(void)state;
	refuse_all(bad, N_ELEMENTS(bad));
}

static void cap_is_refused_when_it_is_no_limit_of_bytes(void **state)
{
	static const struct {
		const char *text, *message;
	} bad[] = {
		{"20 records/hour",
		 "cap \"20 records/hour\": it counts records, which nobody "
		 "can count in what is handed over; expected " CAP},
		{"unlimited", "cap \"unlimited\": it has no window; "
			      "expected " CAP},
		{"none", "cap \"none\": it has no window; expected " CAP},
		{"64 KiB", "cap \"64 KiB\": it has no window; expected " CAP},
		{"~", "cap is empty; expected " CAP},
		{"\"\"", "cap is empty; expected " CAP},
		{"[64 KiB/hour]", "cap is a list; expected " CAP},
		{"{a: b}", "cap is a map; expected " CAP},
		{"0 B/day", "cap \"0 B/day\": 0 of something is nothing; "
			    "expected " CAP},
		{"-1 B/day",
		 "cap \"-1 B/day\": it does not start with a number (without "
		 "sign or leading zero); expected " CAP},
		{"0x10 B/day", "cap \"0x10 B/day\": 0 of something is "
			       "nothing; expected " CAP},
		{"64/hour", "cap \"64/hour\": a number of what; expected B, "
			    "KiB, MiB or GiB behind the number"},
		{"64 kB/hour", "cap \"64 kB/hour\": its unit is not known; "
			       "expected B, KiB, MiB or GiB (of 1024)"},
		{"2147483648 records/day",
		 "cap \"2147483648 records/day\": too many records; "
		 "expected " CAP},
		{"1152921504606846977B/day",
		 "cap \"1152921504606846977B/day\": too many bytes; expected "
		 "at most 2^60"},
		{"18446744073709551616B/day",
		 "cap \"18446744073709551616B/day\": the number is too "
		 "large; expected at most 2^60 bytes"},
		{"1B/5 weeks", "cap \"1B/5 weeks\": the window is too short "
			       "or too long; expected 1 second to 4 weeks"},
		{"1B/0 seconds",
		 "cap \"1B/0 seconds\": the window is too short or too long; "
		 "expected 1 second to 4 weeks"},
		{"1B/fortnight",
		 "cap \"1B/fortnight\": the window is not known; expected "
		 "second, minute, hour, day or week, or a number of them such "
		 "as \"15 minutes\""},
		{"1B/day/day",
		 "cap \"1B/day/day\": the window is not known; expected "
		 "second, minute, hour, day or week, or a number of them such "
		 "as \"15 minutes\""},
		{"1                                                B/day",
		 "cap \"1                                                "
		 "B/day\": it is too long; expected " CAP},
	};
	struct buffer b = {0};

	(void)state;
	for (size_t i = 0; i < N_ELEMENTS(bad); i++) {
		put(&b,
		    DATA
		    "subjects: {s: {user: a, carries: no, cap: %s}}\n" NO_RULES,
		    bad[i].text);
		refuse_buffer(&b, 5, 43, bad[i].message);
		drop(&b);
	}
}

/*
 * What a preset means is signed with every policy that names it: it may not
 * change once it was released, only be joined by one of another name.
 */
static const struct {
	const char *name, *unit;
	uint64_t cap_bytes;
} presets[] = {
	{"journald", "systemd-journald.service", 64 << 10},
	{"resolved", "systemd-resolved.service", 16 << 10},
	{"sssd", "sssd.service", 16 << 10},
	{"sssd-nss", "sssd-nss.service", 16 << 10},
	{"sssd-pam", "sssd-pam.service", 16 << 10},
	{"nscd", "nscd.service", 16 << 10},
	{"dbus", "dbus.service", 64 << 10},
	{"dbus-broker", "dbus-broker.service", 64 << 10},
	{"polkit", "polkit.service", 16 << 10},
	{"logind", "systemd-logind.service", 16 << 10},
	{"init", "init.scope", 16 << 10},
};

static void assert_preset(const struct policy_subject *s, size_t i,
			  uint32_t line, uint32_t col)
{
	char name[64];

	(void)snprintf(name, sizeof(name), "preset-%s", presets[i].name);
	assert_string_equal(s->name, name);
	assert_string_equal(s->unit, presets[i].unit);
	assert_true(!s->cgroup && !s->exe && !s->user.set && !s->group.set);
	assert_int_equal(s->login, POLICY_LOGIN_UNSET);
	assert_true(s->preset && s->declassifier && !s->narrow);
	assert_int_equal(s->specificity, 1);
	assert_int_equal(s->cap.kind, POLICY_BUDGET_LIMITED);
	assert_true(s->cap.bytes == presets[i].cap_bytes);
	assert_true(s->cap.bytes_window_ns == 3600 * S);
	assert_true(!s->cap.records && !s->cap.records_window_ns);
	assert_int_equal(s->pos.line, line);
	assert_int_equal(s->pos.col, col);
}

static void presets_are_what_was_released_when_named(void **state)
{
	struct policy *p = parse(DATA "presets: [system-daemons]\n"
				      "subjects: {s: {user: a}}\n" NO_RULES);
	struct buffer b = {0};

	(void)state;
	assert_int_equal(p->n_subjects, 2 + N_ELEMENTS(presets));
	assert_string_equal(p->subjects[1].name, "s");
	for (size_t i = 0; i < N_ELEMENTS(presets); i++)
		assert_preset(&p->subjects[2 + i], i, 5, 11);
	policy_free(p);
	/* each alone, and nothing of them unless it is asked for */
	for (size_t i = 0; i < N_ELEMENTS(presets); i++) {
		put(&b, DATA NO_RULES "presets:\n- %s\n", presets[i].name);
		p = parse(b.s);
		assert_int_equal(p->n_subjects, 2);
		assert_preset(&p->subjects[1], i, 7, 3);
		policy_free(p);
		drop(&b);
	}
	p = parse(DATA NO_RULES);
	assert_int_equal(p->n_subjects, 1);
	policy_free(p);
}

/* As for those of subjects. */
static const struct {
	const char *name, *paths;
} file_presets[] = {
	{"login-records", "/run/utmp /var/log/wtmp /var/log/btmp "
			  "/var/log/lastlog /var/log/faillog "
			  "/var/lib/lastlog /var/lib/wtmpdb "},
	{"sudo-records", "/run/sudo /var/lib/sudo "},
};

static void assert_manual_has_files(const char *text, size_t i)
{
	char row[160], paths[256];

	(void)snprintf(row, sizeof(row), "\n.It Li %s Ta 16 KiB/hour\n",
		       file_presets[i].name);
	assert_non_null(strstr(text, row));
	(void)snprintf(paths, sizeof(paths), "%s", file_presets[i].paths);
	for (char *path = strtok(paths, " "); path; path = strtok(NULL, " ")) {
		(void)snprintf(row, sizeof(row), "\n.Pa %s", path);
		assert_non_null(strstr(text, row));
	}
}

static void presets_are_in_the_manual(void **state)
{
	const char *manual = getenv("CORDON_MANUAL");
	char *at;
	char *text, row[160];
	void *buf;
	size_t len;

	(void)state;
	assert_int_equal(policy_read(manual ? manual : "user/cordon-policy.5",
				     &buf, &len, &errs),
			 0);
	text = buf;
	for (size_t i = 0; i < N_ELEMENTS(presets); i++) {
		(void)snprintf(row, sizeof(row), "\n.It Li %s Ta %s ",
			       presets[i].name, presets[i].unit);
		at = strstr(text, row);
		assert_non_null(at);
		/* to the end of the line */
		at[1 + strcspn(at + 1, "\n")] = '\0';
		(void)snprintf(row, sizeof(row), "Ta %d KiB/hour",
			       (int)(presets[i].cap_bytes >> 10));
		assert_non_null(strstr(at, row));
		at[strlen(at)] = '\n';
	}
	for (size_t i = 0; i < N_ELEMENTS(file_presets); i++)
		assert_manual_has_files(text, i);
	free(buf);
}

static void assert_file_preset(const struct policy_quiet *quiet, size_t i)
{
	char text[256] = "";

	assert_memory_equal(quiet->name, "preset-", 7);
	assert_string_equal(quiet->name + 7, file_presets[i].name);
	for (size_t k = 0; k < quiet->n_paths; k++) {
		strcat(text, quiet->paths[k].path);
		strcat(text, " ");
		assert_int_equal(quiet->paths[k].pos.line, quiet->pos.line);
	}
	assert_string_equal(text, file_presets[i].paths);
	assert_true(quiet->preset);
	assert_int_equal(quiet->cap.kind, POLICY_BUDGET_LIMITED);
	assert_true(quiet->cap.bytes == 16 << 10);
	assert_true(quiet->cap.bytes_window_ns == 3600 * S);
	assert_true(!quiet->cap.records && !quiet->cap.records_window_ns);
}

static void presets_of_files_are_what_was_released_when_named(void **state)
{
	struct policy *p = parse(DATA NO_RULES "presets: [system-files]\n");
	struct buffer b = {0};

	(void)state;
	assert_int_equal(p->n_subjects, 1);
	assert_int_equal(p->n_quiet, N_ELEMENTS(file_presets));
	for (size_t i = 0; i < N_ELEMENTS(file_presets); i++)
		assert_file_preset(&p->quiet[i], i);
	policy_free(p);
	for (size_t i = 0; i < N_ELEMENTS(file_presets); i++) {
		put(&b, DATA NO_RULES "presets: [init, %s]\n",
		    file_presets[i].name);
		p = parse(b.s);
		assert_int_equal(p->n_subjects, 2);
		assert_int_equal(p->n_quiet, 1);
		assert_file_preset(&p->quiet[0], i);
		assert_int_equal(p->quiet[0].pos.line, 6);
		assert_int_equal(p->quiet[0].pos.col, 17);
		policy_free(p);
		drop(&b);
	}
}

/* ---- quiet files -------------------------------------------------------- */

static void quiet_files_keep_their_paths_and_cap(void **state)
{
	struct policy *p = parse(DATA NO_RULES
				 "presets: [sudo-records]\nquiet-files:\n"
				 "  b: {paths: [/a, /b/c], cap: 1 B/day}\n"
				 "  a:\n    cap: 2KiB/hour\n"
				 "    paths: [/x]\n");
	uint32_t i;
	char text[256];

	(void)state;
	assert_int_equal(p->n_quiet, 3);
	assert_string_equal(p->quiet[0].name, "b");
	assert_int_equal(p->quiet[0].n_paths, 2);
	assert_string_equal(p->quiet[0].paths[1].path, "/b/c");
	assert_int_equal(p->quiet[0].paths[1].pos.col, 19);
	assert_true(p->quiet[0].cap.bytes == 1 && !p->quiet[0].preset);
	assert_true(p->quiet[1].cap.bytes == 2048);
	assert_string_equal(p->quiet[2].name, "preset-sudo-records");
	assert_int_equal(policy_find_quiet(p, "a", &i), 0);
	assert_int_equal(i, 1);
	assert_int_equal(policy_find_quiet(p, "c", &i), -ENOENT);
	policy_quiet_format(&p->quiet[0], text, sizeof(text));
	assert_string_equal(text, "/a and 1 more");
	policy_quiet_format(&p->quiet[1], text, sizeof(text));
	assert_string_equal(text, "/x");
	policy_free(p);
}

static void quiet_files_are_refused_when_bad(void **state)
{
#define QUIET DATA NO_RULES "quiet-files: "
	static const struct bad bad[] = {
		{QUIET "[a]\n", 6, 14,
		 "quiet-files is a list; expected a map of names and quiet "
		 "files"},
		{QUIET "{q: {paths: [/a]}}\n", 6, 18,
		 "key \"cap\" is missing in a name of quiet files; expected "
		 "e.g. cap: 16 KiB/hour"},
		{QUIET "{q: {cap: 1 B/day}}\n", 6, 18,
		 "key \"paths\" is missing in a name of quiet files; expected "
		 "e.g. paths: [/root/.bash_history]"},
		{QUIET "{q: {cap: 1 record/day, paths: [/a]}}\n", 6, 24,
		 "cap \"1 record/day\": it counts records, which nobody can "
		 "count in what is handed over; expected bytes in a window, "
		 "e.g. \"64 KiB/hour\""},
		{QUIET "{q: {cap: unlimited, paths: [/a]}}\n", 6, 24,
		 "cap \"unlimited\": it has no window; expected bytes in a "
		 "window, e.g. \"64 KiB/hour\""},
		{QUIET "{q: {cap: 1 B/day, paths: []}}\n", 6, 40,
		 "paths is an empty list; expected a list such as "
		 "[/root/.bash_history]"},
		{QUIET "{q: {cap: 1 B/day, paths: [a]}}\n", 6, 41,
		 "a path of quiet files is \"a\"; expected an absolute path "
		 "such as /root/.bash_history"},
		{QUIET "{q: {cap: 1 B/day, paths: [/d]}}\n", 6, 41,
		 "path \"/d\" already stands in line 4; expected it in one "
		 "dataset, or name of quiet files, once"},
		{QUIET "{q: {cap: 1 B/day, paths: [/d/x]}}\n", 6, 41,
		 "quiet path \"/d/x\" is inside of dataset d (line 4), whose "
		 "files are never quiet; expected a path outside of it"},
		{QUIET "{q: {cap: 1 B/day, paths: [/a]},\n"
		       "  r: {cap: 1 B/day, paths: [/a]}}\n",
		 7, 29,
		 "path \"/a\" already stands in line 6; expected it in one "
		 "dataset, or name of quiet files, once"},
		{QUIET "{q: {cap: 1 B/day, paths: [/a]},\n"
		       "  q: {cap: 1 B/day, paths: [/b]}}\n",
		 7, 3,
		 "quiet files \"q\" is already defined in line 6; expected "
		 "another name"},
		{QUIET "{preset-q: {cap: 1 B/day, paths: [/a]}}\n", 6, 15,
		 "quiet files have the name \"preset-q\"; expected another, "
		 "names that begin with preset- are those of presets"},
		{QUIET "{q: {cap: 1 B/day, paths: [/a]}}\n"
		       "subjects: {q: {user: a}}\n",
		 6, 15,
		 "quiet files have the name \"q\" of the subject in line 7; "
		 "expected another name"},
		{QUIET "{q: {cap: 1 B/day, pats: [/a], paths: [/b]}}\n", 6, 33,
		 "unknown key \"pats\" in a name of quiet files (did you mean "
		 "paths?); expected paths or cap"},
		{DATA "quiet-files: {q: {cap: 1 B/day, paths: [/a]}}\n"
		      "rules: [{subject: q, dataset: d}]\n",
		 6, 19,
		 "unknown subject \"q\"; expected \"*\" or a name defined "
		 "under subjects"},
	};
	struct buffer b = {0};

	(void)state;
	refuse_all(bad, N_ELEMENTS(bad));
	put(&b, DATA NO_RULES "presets: [system-files]\nquiet-files:\n");
	put_many(&b, POLICY_QUIET_MAX - (int)N_ELEMENTS(file_presets),
		 "  q%d: {paths: [/q%d], cap: 1 B/day}\n");
	policy_free(parse(b.s));
	put(&b, "  last: {paths: [/last], cap: 1 B/day}\n");
	refuse_buffer(&b, 6, 10,
		      "31 names of quiet files and 2 of presets; expected at "
		      "most 32 together");
	drop(&b);
}

static void preset_can_have_a_rule_when_named(void **state)
{
	struct policy *p = parse(
		DATA "rules: [{subject: preset-init, dataset: d, read: none}]\n"
		     "presets: [journald, init]\n");

	(void)state;
	assert_string_equal(p->subjects[only_rule(p)->subject].name,
			    "preset-init");
	policy_free(p);
}

static void presets_are_refused_when_bad(void **state)
{
	static const struct bad bad[] = {
		{DATA "presets: system-daemons\n" NO_RULES, 5, 10,
		 "presets is \"system-daemons\"; expected a list such as "
		 "[system-daemons]"},
		{DATA "presets: []\n" NO_RULES, 5, 10,
		 "presets is an empty list; expected a list such as "
		 "[system-daemons]"},
		{DATA "presets: ~\n" NO_RULES, 5, 10,
		 "presets is empty; expected a list such as "
		 "[system-daemons]"},
		{DATA "presets: {journald: 1 B/day}\n" NO_RULES, 5, 10,
		 "presets is a map; expected a list such as "
		 "[system-daemons]"},
		{DATA "presets: [jornald]\n" NO_RULES, 5, 11,
		 "a preset is \"jornald\" (did you mean journald?); expected "
		 "system-daemons, system-files, journald, resolved, sssd, "
		 "sssd-nss, sssd-pam, nscd, dbus, dbus-broker, polkit, logind, "
		 "init, login-records or sudo-records"},
		{DATA "presets: [\"*\"]\n" NO_RULES, 5, 11,
		 "a preset is \"*\"; expected system-daemons, "
		 "system-files, journald, resolved, sssd, sssd-nss, sssd-pam, "
		 "nscd, dbus, dbus-broker, polkit, logind, init, login-records "
		 "or sudo-records"},
		{DATA "presets: [init, init]\n" NO_RULES, 5, 17,
		 "preset \"init\", or a part of it, already stands in line 5; "
		 "expected it once"},
		{DATA "presets: [system-daemons,\n  dbus]\n" NO_RULES, 6, 3,
		 "preset \"dbus\", or a part of it, already stands in line 5; "
		 "expected it once"},
		{DATA "presets: [dbus, system-daemons]\n" NO_RULES, 5, 17,
		 "preset \"system-daemons\", or a part of it, already stands "
		 "in line 5; expected it once"},
		{DATA NO_RULES "subjects: {preset-dbus: {user: a}}\n"
			       "presets: [dbus]\n",
		 6, 12,
		 "a subject has the name \"preset-dbus\"; expected another, "
		 "names that begin with preset- are those of presets"},
		{DATA "rules: [{subject: preset-dbus, dataset: d}]\n", 5, 19,
		 "unknown subject \"preset-dbus\"; expected \"*\" or a name "
		 "defined under subjects"},
	};
	struct buffer b = {0};

	(void)state;
	refuse_all(bad, N_ELEMENTS(bad));
	put(&b, DATA NO_RULES "presets: [system-daemons");
	put_many(&b, 16, ", x%d%d");
	put(&b, "]\n");
	refuse_buffer(&b, 6, 112,
		      "presets has 17 entries; expected at most 16");
	drop(&b);
}

static void presets_count_as_subjects_when_there_are_many(void **state)
{
	struct buffer b = {0};

	(void)state;
	put(&b, DATA NO_RULES "presets: [system-daemons]\nsubjects:\n");
	put_many(&b, POLICY_SUBJECTS_MAX - (int)N_ELEMENTS(presets),
		 "  s%d: {user: \"%d\"}\n");
	policy_free(parse(b.s));
	put(&b, "  last: {user: a}\n");
	refuse_buffer(&b, 6, 10,
		      "245 subjects and 11 of presets; expected at most 255 "
		      "together");
	drop(&b);
}

/* ---- destinations ------------------------------------------------------ */

static void network_is_refused_when_bad(void **state)
{
	static const struct bad bad[] = {
		{DATA "destinations: {d: {networks: [10.0.0.256]}}\n" NO_RULES,
		 5, 31,
		 "network is \"10.0.0.256\"; expected a network such as "
		 "10.20.0.0/24, 192.0.2.7 or 2001:db8::/32"},
		{DATA "destinations: {d: {networks: [10.0.0]}}\n" NO_RULES, 5,
		 31,
		 "network is \"10.0.0\"; expected a network such as "
		 "10.20.0.0/24, 192.0.2.7 or 2001:db8::/32"},
		{DATA "destinations: {d: {networks: [010.0.0.1]}}\n" NO_RULES,
		 5, 31,
		 "network is \"010.0.0.1\"; expected a network such as "
		 "10.20.0.0/24, 192.0.2.7 or 2001:db8::/32"},
		{DATA
		 "destinations: {d: {networks: [printer.local]}}\n" NO_RULES,
		 5, 31,
		 "network is \"printer.local\"; expected a network such as "
		 "10.20.0.0/24, 192.0.2.7 or 2001:db8::/32"},
		{DATA
		 "destinations: {d: {networks: [\"fe80::1%eth0\"]}}\n" NO_RULES,
		 5, 31,
		 "network is \"fe80::1%eth0\"; expected a network such as "
		 "10.20.0.0/24, 192.0.2.7 or 2001:db8::/32"},
		{DATA "destinations: {d: {networks: [10.0.0.0/33]}}\n" NO_RULES,
		 5, 31,
		 "network \"10.0.0.0/33\" has a bad prefix length; expected 0 "
		 "to 32 behind the /"},
		{DATA "destinations: {d: {networks: [10.0.0.0/]}}\n" NO_RULES,
		 5, 31,
		 "network \"10.0.0.0/\" has a bad prefix length; expected 0 to "
		 "32 behind the /"},
		{DATA
		 "destinations: {d: {networks: [10.0.0.0/24/1]}}\n" NO_RULES,
		 5, 31,
		 "network \"10.0.0.0/24/1\" has a bad prefix length; expected "
		 "0 to 32 behind the /"},
		{DATA "destinations: {d: {networks: "
		      "[\"2001:db8::/129\"]}}\n" NO_RULES,
		 5, 31,
		 "network \"2001:db8::/129\" has a bad prefix length; expected "
		 "0 to 128 behind the /"},
		{DATA
		 "destinations: {d: {networks: [10.20.0.7/24]}}\n" NO_RULES,
		 5, 31,
		 "network \"10.20.0.7/24\" has bits set behind its prefix; "
		 "expected 10.20.0.0/24"},
		{DATA "destinations: {d: {networks: "
		      "[10.255.255.255/13]}}\n" NO_RULES,
		 5, 31,
		 "network \"10.255.255.255/13\" has bits set behind its "
		 "prefix; expected 10.248.0.0/13"},
		{DATA "destinations: {d: {networks: "
		      "[\"2001:db8::1/32\"]}}\n" NO_RULES,
		 5, 31,
		 "network \"2001:db8::1/32\" has bits set behind its prefix; "
		 "expected 2001:db8::/32"},
		{DATA "destinations: {d: {networks: [\"::/0\"]}}\n" NO_RULES, 5,
		 31,
		 "network \"::/0\" would hold every IPv4 address as well; "
		 "expected 2000::/3 for all public IPv6, or the destination "
		 "\"*\" for anywhere"},
		{DATA "destinations: {d: {networks: [\"::/80\"]}}\n" NO_RULES,
		 5, 31,
		 "network \"::/80\" would hold every IPv4 address as well; "
		 "expected 2000::/3 for all public IPv6, or the destination "
		 "\"*\" for anywhere"},
		{DATA "destinations: {d: {networks: [~]}}\n" NO_RULES, 5, 31,
		 "a network is empty; expected a network such as 10.20.0.0/24, "
		 "192.0.2.7 or 2001:db8::/32"},
		{DATA "destinations: {d: {networks: []}}\n" NO_RULES, 5, 30,
		 "networks is an empty list; expected a list such as "
		 "[10.20.0.0/24]"},
		{DATA "destinations: {d: {networks: 10.0.0.1}}\n" NO_RULES, 5,
		 30,
		 "networks is \"10.0.0.1\"; expected a list such as "
		 "[10.20.0.0/24]"},
		{DATA "destinations: {d: [10.0.0.1]}\n" NO_RULES, 5, 19,
		 "a destination is a list; expected a map of keys and values"},
		{DATA "destinations: 10.0.0.1\n" NO_RULES, 5, 15,
		 "destinations is \"10.0.0.1\"; expected a map of names and "
		 "destinations"},
	};
	struct policy *p;

	(void)state;
	refuse_all(bad, N_ELEMENTS(bad));
	p = parse(DATA "destinations: {d: {networks: [0.0.0.0/0, \"::/96\", "
		       "\"2000::/3\"]}}\n" NO_RULES);
	assert_int_equal(p->destinations[1].networks[0].prefix_len, 96);
	assert_int_equal(p->destinations[1].networks[1].prefix_len, 96);
	assert_int_equal(p->destinations[1].networks[2].prefix_len, 3);
	policy_free(p);
}

static void port_is_refused_when_bad(void **state)
{
	static const char *const bad[] = {
		"0",	 "65536", "-1",	   "1-", "0-5", "1-65536",
		"1-2-3", "https", "1 - 2", "01", "1,2", "631/tcp",
	};
	static const struct bad other[] = {
		{DATA "destinations: {d: {networks: [10.0.0.1], ports: "
		      "[9107-9100]}}\n" NO_RULES,
		 5, 50,
		 "port range \"9107-9100\" runs backwards; expected "
		 "\"9100-9107\""},
		{DATA "destinations: {d: {networks: [10.0.0.1], ports: "
		      "[]}}\n" NO_RULES,
		 5, 49,
		 "ports is an empty list; expected a list such as [631, "
		 "\"9100-9107\"]"},
		{DATA "destinations: {d: {networks: [10.0.0.1], ports: "
		      "631}}\n" NO_RULES,
		 5, 49,
		 "ports is \"631\"; expected a list such as [631, "
		 "\"9100-9107\"]"},
	};
	struct buffer b = {0};
	struct policy *p;
	char message[128];

	(void)state;
	for (size_t i = 0; i < N_ELEMENTS(bad); i++) {
		put(&b,
		    DATA "destinations: {d: {networks: [10.0.0.1], ports: "
			 "['%s']}}\n" NO_RULES,
		    bad[i]);
		(void)snprintf(message, sizeof(message),
			       "port is \"%s\"; expected a port from 1 to "
			       "65535, or a range such as \"9100-9107\"",
			       bad[i]);
		refuse_buffer(&b, 5, 50, message);
		drop(&b);
	}
	refuse_all(other, N_ELEMENTS(other));
	p = parse(DATA "destinations: {d: {networks: [10.0.0.1], ports: "
		       "[1-65535, 7-7]}}\n" NO_RULES);
	assert_int_equal(p->destinations[1].ports[0].last, 65535);
	assert_int_equal(p->destinations[1].ports[1].first, 7);
	policy_free(p);
}

static void ways_keep_their_places_when_good(void **state)
{
	struct policy *p = parse(
		DATA "destinations:\n"
		     "  share: {file-systems: [nfs4, cifs], paths: [/mnt/a]}\n"
		     "  tape: {devices: [/dev/nst0]}\n"
		     "  both: {networks: [10.0.0.1], file-systems: "
		     "[nfs]}\n" NO_RULES);
	const struct policy_destination *d = p->destinations;

	(void)state;
	assert_int_equal(d[1].n_networks, 0);
	assert_int_equal(d[1].ways[POLICY_FILE_SYSTEMS].n, 2);
	assert_string_equal(d[1].ways[POLICY_FILE_SYSTEMS].v[1].path, "cifs");
	assert_int_equal(d[1].ways[POLICY_FILE_SYSTEMS].v[1].pos.line, 6);
	assert_int_equal(d[1].ways[POLICY_FILE_SYSTEMS].v[1].pos.col, 32);
	assert_int_equal(d[1].ways[POLICY_MOUNTS].n, 1);
	assert_string_equal(d[1].ways[POLICY_MOUNTS].v[0].path, "/mnt/a");
	assert_int_equal(d[1].ways[POLICY_DEVICES].n, 0);
	assert_string_equal(d[2].ways[POLICY_DEVICES].v[0].path, "/dev/nst0");
	assert_int_equal(d[3].n_networks, 1);
	assert_int_equal(d[3].ways[POLICY_FILE_SYSTEMS].n, 1);
	policy_free(p);
}

static void way_is_refused_when_bad(void **state)
{
	static const struct bad bad[] = {
		{DATA "destinations: {d: {file-systems: [nfs5]}}\n" NO_RULES, 5,
		 35,
		 "file system is \"nfs5\" (did you mean nfs?); expected a "
		 "kind that keeps its files elsewhere, such as nfs4, cifs, "
		 "fuse or vfat"},
		{DATA "destinations: {d: {file-systems: [ext4]}}\n" NO_RULES, 5,
		 35,
		 "file system is \"ext4\"; expected a kind that keeps its "
		 "files "
		 "elsewhere, such as nfs4, cifs, fuse or vfat"},
		{DATA "destinations: {d: {file-systems: nfs4}}\n" NO_RULES, 5,
		 34,
		 "file-systems is \"nfs4\"; expected a list such as [nfs4]"},
		{DATA "destinations: {d: {file-systems: []}}\n" NO_RULES, 5, 34,
		 "file-systems is an empty list; expected a list such as "
		 "[nfs4]"},
		{DATA "destinations: {d: {paths: [mnt]}}\n" NO_RULES, 5, 28,
		 "a path of a destination is \"mnt\"; expected an absolute "
		 "path "
		 "such as /mnt/backup"},
		{DATA "destinations: {d: {devices: [lp0]}}\n" NO_RULES, 5, 30,
		 "a device is \"lp0\"; expected an absolute path such as "
		 "/dev/usb/lp0"},
		{DATA "destinations: {d: {devices: [/dev/a/../b]}}\n" NO_RULES,
		 5, 30,
		 "a device is \"/dev/a/../b\"; expected a path without \"//\", "
		 "\".\" and \"..\", and without \"/\" at the end"},
		{DATA "destinations: {d: {file-systems: [nfs], ports: "
		      "[1]}}\n" NO_RULES,
		 5, 48,
		 "ports without networks; expected e.g. networks: "
		 "[10.20.0.0/24] as well"},
		{DATA "destinations:\n  a: {paths: [/mnt/a]}\n"
		      "  b: {paths: [/mnt/b, /mnt/a]}\n" NO_RULES,
		 7, 23,
		 "\"/mnt/a\" already stands in line 6; expected it in one "
		 "destination, once"},
		{DATA
		 "destinations:\n  a: {file-systems: [fuse, fuse]}\n" NO_RULES,
		 6, 28,
		 "\"fuse\" already stands in line 6; expected it in one "
		 "destination, once"},
	};

	(void)state;
	refuse_all(bad, N_ELEMENTS(bad));
}

static void ways_are_refused_when_too_many(void **state)
{
	struct buffer b = {0};

	(void)state;
	put(&b, DATA "destinations:\n");
	for (int i = 0; i < 9; i++) {
		put(&b, "  d%d: {devices: [/x%d", i, i);
		for (int j = 1; j < (i < 8 ? 64 : 1); j++)
			put(&b, ", /x%d/%d", i, j);
		put(&b, "]}\n");
	}
	put(&b, NO_RULES);
	refuse_buffer(&b, 14, 18,
		      "more than 512 file systems, paths and devices in all "
		      "destinations together; expected fewer");
	drop(&b);
}

static void way_belongs_to_the_closest_path_or_the_kind(void **state)
{
	static const struct {
		const char *text;
		int r;
		uint32_t destination;
	} asked[] = {
		{"/mnt/a", 0, 1},
		{"/mnt/a/b", 0, 1},
		{"/mnt/a/in", 0, 2},
		{"/mnt/a/in/x", 0, 2},
		{"/mnt/ab", -ENOENT, 0},
		{"/dev/lp", 0, 3},
		{"/dev/lp/x", -ENOENT, 0},
		{"nfs4", 0, 1},
		{"vfat", 0, POLICY_ANYWHERE},
		{"ext4", -ENOENT, 0},
	};
	struct policy *p =
		parse(DATA "destinations:\n"
			   "  a: {paths: [/mnt/a], file-systems: [nfs4]}\n"
			   "  b: {paths: [/mnt/a/in]}\n"
			   "  c: {devices: [/dev/lp]}\n" NO_RULES);
	struct policy_explanation *e = NULL;
	static const struct policy_actor nobody;
	uint32_t to;

	(void)state;
	for (size_t i = 0; i < N_ELEMENTS(asked); i++) {
		to = 77;
		assert_int_equal(policy_match_way(p, asked[i].text, &to),
				 asked[i].r);
		assert_int_equal(to, asked[i].r ? 77 : asked[i].destination);
	}
	assert_int_equal(
		policy_explain(p, &nobody, "d", "/mnt/a/in/x", &e, &errs), 0);
	assert_true(e->has_destination);
	assert_int_equal(e->destination, 2);
	policy_explanation_free(e);
	policy_free(p);
}

static void ports_are_counted_with_the_networks_around(void **state)
{
	struct buffer b = {0};

	(void)state;
	/* 10 on the outside, 6 inside: 16 for the inner one */
	put(&b, DATA "destinations:\n"
		     "  out: {networks: [10.0.0.0/8], ports: [1, 2, 3, 4, 5, "
		     "6, 7, 8, 9, 10]}\n"
		     "  in: {networks: [10.1.0.0/16], ports: [1, 2, 3, 4, 5, "
		     "6]}\n" NO_RULES);
	policy_free(parse(b.s));
	drop(&b);
	put(&b, DATA "destinations:\n"
		     "  out: {networks: [10.0.0.0/8], ports: [1, 2, 3, 4, 5, "
		     "6, 7, 8, 9, 10]}\n"
		     "  in: {networks: [10.1.0.0/16], ports: [1, 2, 3, 4, 5, "
		     "6, 7]}\n" NO_RULES);
	refuse_buffer(&b, 7, 19,
		      "17 port entries for this network and the wider ones "
		      "around it; expected at most 16, e.g. with ranges of "
		      "ports");
	drop(&b);
	/* the same network in two destinations counts as one list */
	put(&b, DATA "destinations:\n"
		     "  a: {networks: [10.0.0.0/8], ports: [1, 2, 3, 4, 5, "
		     "6, 7, 8, 9, 10]}\n"
		     "  b: {networks: [10.0.0.0/8], ports: [1, 2, 3, 4, 5, "
		     "6, 7]}\n" NO_RULES);
	refuse_bytes(b.s, b.len);
	assert_int_equal(errs.v[0].pos.line, 7);
	drop(&b);
	/* nothing behind an entry with every port is ever looked at */
	put(&b, DATA "destinations:\n"
		     "  out: {networks: [10.0.0.0/8], ports: [1, 2, 3, 4, 5, "
		     "6, 7, 8, 9, 10]}\n"
		     "  mid: {networks: [10.0.0.0/12]}\n"
		     "  in: {networks: [10.1.0.0/16], ports: [1, 2, 3, 4, 5, "
		     "6, 7]}\n" NO_RULES);
	policy_free(parse(b.s));
	drop(&b);
	/* networks side by side have nothing to do with each other */
	put(&b, DATA "destinations:\n"
		     "  a: {networks: [10.0.0.0/9, 10.0.0.0/9], ports: [1, 2, "
		     "3, 4, 5, 6, 7, 8, 9, 10]}\n"
		     "  b: {networks: [10.128.0.0/9, 10.128.0.0/10], ports: "
		     "[1, 2, 3, 4, 5, 6, 7, 8]}\n" NO_RULES);
	policy_free(parse(b.s));
	drop(&b);
}

/* ---- budgets ----------------------------------------------------------- */

static struct policy_budget budget_of(const char *text)
{
	struct buffer b = {0};
	struct policy_budget budget;
	struct policy *p;

	put(&b, DATA "rules: [{subject: \"*\", dataset: d, read: %s}]\n", text);
	p = parse(b.s);
	budget = only_rule(p)->read;
	policy_free(p);
	drop(&b);
	return budget;
}

static void budget_is_read_when_good(void **state)
{
	static const struct {
		const char *text;
		uint64_t records, records_s, bytes, bytes_s;
	} good[] = {
		{"1 record/second", 1, 1, 0, 0},
		{"20 records/day", 20, 86400, 0, 0},
		{"20records/day", 20, 86400, 0, 0},
		{"20 records / day", 20, 86400, 0, 0},
		{"20 records/15 minutes", 20, 900, 0, 0},
		{"20 records/1 minute", 20, 60, 0, 0},
		{"20 records/15minutes", 20, 900, 0, 0},
		{"2147483647 records/4 weeks", 2147483647, 2419200, 0, 0},
		{"1 record/2419200 seconds", 1, 2419200, 0, 0},
		{"1 record/28 days", 1, 2419200, 0, 0},
		{"64MiB/hour", 0, 0, 64 << 20, 3600},
		{"64 MiB/hour", 0, 0, 64 << 20, 3600},
		{"1B/week", 0, 0, 1, 604800},
		{"16KiB/2 hours", 0, 0, 16384, 7200},
		{"1073741824GiB/day", 0, 0, 1ULL << 60, 86400},
		{"1152921504606846976B/day", 0, 0, 1ULL << 60, 86400},
		{"[20 records/day, 1MiB/hour]", 20, 86400, 1 << 20, 3600},
		{"[1MiB/hour, 20 records/day]", 20, 86400, 1 << 20, 3600},
		{"[1MiB/hour]", 0, 0, 1 << 20, 3600},
		{"'20 records/day'", 20, 86400, 0, 0},
	};
	struct policy_budget budget;

	(void)state;
	for (size_t i = 0; i < N_ELEMENTS(good); i++) {
		budget = budget_of(good[i].text);
		assert_int_equal(budget.kind, POLICY_BUDGET_LIMITED);
		assert_true(budget.records == good[i].records);
		assert_true(budget.records_window_ns == good[i].records_s * S);
		assert_true(budget.bytes == good[i].bytes);
		assert_true(budget.bytes_window_ns == good[i].bytes_s * S);
	}
	assert_int_equal(budget_of("none").kind, POLICY_BUDGET_NONE);
	assert_int_equal(budget_of("unlimited").kind, POLICY_BUDGET_UNLIMITED);
	assert_int_equal(budget_of("\"none\"").pos.col, 42);
}

#define EXAMPLE                                                         \
	"expected e.g. \"120 records/hour\", \"64 MiB/day\", \"none\" " \
	"or \"unlimited\""

static void budget_is_refused_when_bad(void **state)
{
	static const struct {
		const char *text, *message;
	} bad[] = {
		{"20 records",
		 "budget \"20 records\": it has no window; " EXAMPLE},
		{"20", "budget \"20\": it has no window; " EXAMPLE},
		{"lots", "budget \"lots\": it has no window; " EXAMPLE},
		{"none/day",
		 "budget \"none/day\": it does not start with a number "
		 "(without sign or leading zero); " EXAMPLE},
		{"noen", "budget \"noen\" (did you mean none?); " EXAMPLE},
		{"unlimted",
		 "budget \"unlimted\" (did you mean unlimited?); " EXAMPLE},
		{"20 records/",
		 "budget \"20 records/\": the window is not known; expected "
		 "second, minute, hour, day or week, or a number of them such "
		 "as \"15 minutes\""},
		{"20 records/fortnight",
		 "budget \"20 records/fortnight\": the window is not known; "
		 "expected second, minute, hour, day or week, or a number of "
		 "them such as \"15 minutes\""},
		{"20 records/days",
		 "budget \"20 records/days\": the window is not known; "
		 "expected second, minute, hour, day or week, or a number of "
		 "them such as \"15 minutes\""},
		{"20 records/day/user",
		 "budget \"20 records/day/user\": the window is not known; "
		 "expected second, minute, hour, day or week, or a number of "
		 "them such as \"15 minutes\""},
		{"20 records/0 days",
		 "budget \"20 records/0 days\": the window is too short or "
		 "too long; expected 1 second to 4 weeks"},
		{"20 records/5 weeks",
		 "budget \"20 records/5 weeks\": the window is too short or "
		 "too long; expected 1 second to 4 weeks"},
		{"20 records/2419201 seconds",
		 "budget \"20 records/2419201 seconds\": the window is too "
		 "short or too long; expected 1 second to 4 weeks"},
		{"20 records/99999999999999999999 days",
		 "budget \"20 records/99999999999999999999 days\": the window "
		 "is too short or too long; expected 1 second to 4 weeks"},
		{"0 records/day",
		 "budget \"0 records/day\": 0 of something is nothing; "
		 "expected \"none\""},
		{"0MiB/day",
		 "budget \"0MiB/day\": 0 of something is nothing; expected "
		 "\"none\""},
		{"2147483648 records/day",
		 "budget \"2147483648 records/day\": too many records; "
		 "expected at most 2147483647"},
		{"1152921504606846977B/day",
		 "budget \"1152921504606846977B/day\": too many bytes; "
		 "expected at most 2^60"},
		{"1073741825GiB/day",
		 "budget \"1073741825GiB/day\": too many bytes; expected at "
		 "most 2^60"},
		{"18446744073709551616B/day",
		 "budget \"18446744073709551616B/day\": the number is too "
		 "large; expected at most 2147483647 records or 2^60 bytes"},
		{"64/hour",
		 "budget \"64/hour\": a number of what; expected \"records\", "
		 "B, KiB, MiB or GiB behind the number"},
		{"64MB/hour",
		 "budget \"64MB/hour\": its unit is not known; expected "
		 "\"records\", B, KiB, MiB or GiB (of 1024)"},
		{"64 files/hour",
		 "budget \"64 files/hour\": its unit is not known; expected "
		 "\"records\", B, KiB, MiB or GiB (of 1024)"},
		{"-1 records/hour",
		 "budget \"-1 records/hour\": it does not start with a number "
		 "(without sign or leading zero); " EXAMPLE},
		{"1.5MiB/hour",
		 "budget \"1.5MiB/hour\": its unit is not known; expected "
		 "\"records\", B, KiB, MiB or GiB (of 1024)"},
		{"010 records/hour",
		 "budget \"010 records/hour\": it does not start with a number "
		 "(without sign or leading zero); " EXAMPLE},
		{"20                                               records/day",
		 "budget \"20                                               "
		 "records/day\": it is too long; " EXAMPLE},
		{"~", "a budget is empty; " EXAMPLE},
		{"{a: b}", "a budget is a map; " EXAMPLE},
		{"[]", "a budget is an empty list; expected a list such as "
		       "[20 records/day, 64 MiB/day]"},
	};
	struct buffer b = {0};

	(void)state;
	for (size_t i = 0; i < N_ELEMENTS(bad); i++) {
		put(&b,
		    DATA "rules: [{subject: \"*\", dataset: d, read: %s}]\n",
		    bad[i].text);
		refuse_buffer(&b, 5, 42, bad[i].message);
		drop(&b);
	}
}

static void budget_list_is_refused_when_bad(void **state)
{
	static const struct bad bad[] = {
		{DATA "rules: [{subject: \"*\", dataset: d, read: [1 "
		      "record/day, 2 records/hour]}]\n",
		 5, 57,
		 "budget \"2 records/hour\": a second limit of that kind; "
		 "expected at most one of records and one of bytes"},
		{DATA "rules: [{subject: \"*\", dataset: d, read: [1B/day, "
		      "2B/hour]}]\n",
		 5, 51,
		 "budget \"2B/hour\": a second limit of that kind; expected at "
		 "most one of records and one of bytes"},
		{DATA "rules: [{subject: \"*\", dataset: d, read: [none]}]\n",
		 5, 43, "budget \"none\": it has no window; " EXAMPLE},
		{DATA "rules: [{subject: \"*\", dataset: d, read: [[1 "
		      "record/day]]}]\n",
		 5, 43, "a budget is a list; " EXAMPLE},
		{DATA "rules: [{subject: \"*\", dataset: d, read: [1 "
		      "record/day, 1B/day, 1B/day]}]\n",
		 5, 65, "a budget has 3 entries; expected at most 2"},
	};

	(void)state;
	refuse_all(bad, N_ELEMENTS(bad));
}

static void budget_formats_as_written_when_read_back(void **state)
{
	static const char *const texts[][2] = {
		{"none", "none"},
		{"unlimited", "unlimited"},
		{"1 records/1 hour", "1 record/hour"},
		{"120 records/60 minutes", "120 records/hour"},
		{"20 records/15 minutes", "20 records/15 minutes"},
		{"65536KiB/4 weeks", "64 MiB/4 weeks"},
		{"1025B/day", "1025 B/day"},
		{"[1GiB/day, 2147483647 records/2419199 seconds]",
		 "2147483647 records/2419199 seconds and 1 GiB/day"},
	};
	char text[POLICY_BUDGET_CHARS_MAX], small[5];
	struct policy_budget budget;

	(void)state;
	for (size_t i = 0; i < N_ELEMENTS(texts); i++) {
		budget = budget_of(texts[i][0]);
		policy_budget_format(&budget, text, sizeof(text));
		assert_string_equal(text, texts[i][1]);
		policy_budget_format(&budget, small, sizeof(small));
		assert_int_equal(strlen(small), 4);
	}
}

/* ---- rules ------------------------------------------------------------- */

static void rule_is_refused_when_bad(void **state)
{
	static const char names[] = DATA
		"subjects: {printer: {user: a}}\n"
		"destinations: {printers: {networks: [10.0.0.1]}}\n";
	static const struct bad bad[] = {
		{"subject: printr, dataset: d", 7, 19,
		 "unknown subject \"printr\" (did you mean printer?); expected "
		 "\"*\" or a name defined under subjects"},
		{"subject: nobody, dataset: d", 7, 19,
		 "unknown subject \"nobody\"; expected \"*\" or a name defined "
		 "under subjects"},
		{"subject: printers, dataset: d", 7, 19,
		 "unknown subject \"printers\" (did you mean printer?); "
		 "expected \"*\" or a name defined under subjects"},
		{"subject: [printer], dataset: d", 7, 19,
		 "subject is a list; expected \"*\" or a name defined under "
		 "subjects"},
		{"subject: '*', dataset: dd", 7, 33,
		 "unknown dataset \"dd\"; expected \"*\" or a name defined "
		 "under datasets"},
		{"subject: '*', dataset: ", 7, 33,
		 "dataset is empty; expected \"*\" or a name defined under "
		 "datasets"},
		{"subject: '*', dataset: d, per: users", 7, 41,
		 "per is \"users\" (did you mean user?); expected host or "
		 "user"},
		{"subject: '*', dataset: d, action: deny", 7, 44,
		 "action is \"deny\"; expected block or alert"},
		{"subject: '*', dataset: d, release: unlimited", 7, 45,
		 "release is \"unlimited\"; expected none, or destinations "
		 "with budgets such as {printers: 64 MiB/hour, \"*\": none}"},
		{"subject: '*', dataset: d, release: 64MiB/hour", 7, 45,
		 "release is \"64MiB/hour\"; expected none, or destinations "
		 "with budgets such as {printers: 64 MiB/hour, \"*\": none}"},
		{"subject: '*', dataset: d, release: {}", 7, 45,
		 "release is an empty map; expected none, or destinations with "
		 "budgets such as {printers: 64 MiB/hour, \"*\": none}"},
		{"subject: '*', dataset: d, release: []", 7, 45,
		 "release is a list; expected none, or destinations with "
		 "budgets such as {printers: 64 MiB/hour, \"*\": none}"},
		{"subject: '*', dataset: d, release: ", 7, 45,
		 "release is empty; expected none, or destinations with "
		 "budgets such as {printers: 64 MiB/hour, \"*\": none}"},
		{"subject: '*', dataset: d, release: {printer: none}", 7, 46,
		 "unknown destination \"printer\" (did you mean printers?); "
		 "expected \"*\" or a name defined under destinations"},
		{"subject: '*', dataset: d, release: {printers: }", 7, 56,
		 "a budget is empty; " EXAMPLE},
	};
	struct buffer b = {0};

	(void)state;
	for (size_t i = 0; i < N_ELEMENTS(bad); i++) {
		put(&b, "%srules: [{%s}]\n", names, bad[i].text);
		refuse_buffer(&b, bad[i].line, bad[i].col, bad[i].message);
		drop(&b);
	}
}

static void rules_are_refused_when_no_list_of_maps(void **state)
{
	static const struct bad bad[] = {
		{DATA "rules: {}\n", 5, 8,
		 "rules is a map; expected a list such as [{subject: \"*\", "
		 "dataset: \"*\", read: none}]"},
		{DATA "rules:\n", 5, 7,
		 "rules is empty; expected a list such as [{subject: \"*\", "
		 "dataset: \"*\", read: none}]"},
		{DATA "rules: [a]\n", 5, 9,
		 "a rule is \"a\"; expected a map of keys and values"},
		{DATA "rules: [[]]\n", 5, 9,
		 "a rule is a list; expected a map of keys and values"},
	};

	(void)state;
	refuse_all(bad, N_ELEMENTS(bad));
}

/* ---- limits at N and N + 1 --------------------------------------------- */

/* n entries of format, which takes the number of the entry twice. */
/* top, n entries and bottom parse; with one more they are refused. */
static void check_limit(const char *top, const char *format, const char *bottom,
			int n, uint32_t line, uint32_t col, const char *message)
{
	struct buffer b = {0};

	put(&b, "%s", top);
	put_many(&b, n, format);
	put(&b, "%s", bottom);
	policy_free(parse(b.s));
	drop(&b);

	put(&b, "%s", top);
	put_many(&b, n + 1, format);
	put(&b, "%s", bottom);
	refuse_buffer(&b, line, col, message);
	drop(&b);
}

static void limits_hold_when_one_is_too_many(void **state)
{
	(void)state;
	check_limit(DATA "rules:\n", "- {subject: \"*\", dataset: d} # %d %d\n",
		    "", POLICY_RULES_MAX, 6 + POLICY_RULES_MAX, 3,
		    "rules has 1001 entries; expected at most 1000");
	check_limit(TOP "datasets:\n", "  d%d: {paths: [/d%d], record: file}\n",
		    NO_RULES, POLICY_DATASETS_MAX, 5 + POLICY_DATASETS_MAX, 3,
		    "65 datasets; expected at most 64");
	check_limit(DATA "subjects:\n", "  s%d: {user: %d}\n", NO_RULES,
		    POLICY_SUBJECTS_MAX, 6 + POLICY_SUBJECTS_MAX, 3,
		    "256 subjects; expected at most 255");
	check_limit(DATA "destinations:\n", "  s%d: {networks: [10.0.0.%d]}\n",
		    NO_RULES, POLICY_DESTINATIONS_MAX,
		    6 + POLICY_DESTINATIONS_MAX, 3,
		    "255 destinations; expected at most 254");
	check_limit(TOP "datasets:\n  d:\n    record: file\n    paths:\n",
		    "    - /%d/%d\n", NO_RULES, POLICY_PATHS_MAX,
		    8 + POLICY_PATHS_MAX, 7,
		    "paths has 65 entries; expected at most 64");
	check_limit(DATA "hosts:\n", "- h%d-%d\n", NO_RULES, POLICY_HOSTS_MAX,
		    6 + POLICY_HOSTS_MAX, 3,
		    "hosts has 257 entries; expected at most 256");
	check_limit(DATA "destinations:\n  d:\n    networks: [10.0.0.1]\n"
			 "    ports:\n",
		    "    - 1%d # %d\n", NO_RULES, POLICY_PORTS_MAX,
		    9 + POLICY_PORTS_MAX, 7,
		    "ports has 17 entries; expected at most 16");
}

static void releases_are_bounded_when_one_is_too_many(void **state)
{
	struct buffer b = {0};

	(void)state;
	for (int n = POLICY_RELEASES_MAX; n <= POLICY_RELEASES_MAX + 1; n++) {
		put(&b, DATA "destinations:\n");
		put_many(&b, 20, "  s%d: {networks: [10.0.0.%d]}\n");
		put(&b, "rules:\n- subject: \"*\"\n  dataset: d\n"
			"  release:\n");
		put_many(&b, n, "    s%d: none # %d\n");
		if (n == POLICY_RELEASES_MAX)
			policy_free(parse(b.s));
		else
			refuse_buffer(&b, 46, 5,
				      "17 release entries in one rule; "
				      "expected at most 16");
		drop(&b);
	}
}

static void networks_are_bounded_in_total_when_one_is_too_many(void **state)
{
	struct buffer b = {0};
	struct policy *p;

	(void)state;
	put(&b, DATA "destinations:\n  a:\n    networks:\n");
	for (int i = 0; i < POLICY_NETWORKS_MAX - 1; i++)
		put(&b, "    - 10.%d.%d.%d\n", i >> 16, i >> 8 & 255, i & 255);
	put(&b, "  b:\n    networks:\n    - 192.0.2.1\n");
	put(&b, NO_RULES);
	p = parse(b.s);
	assert_int_equal(p->destinations[1].n_networks,
			 POLICY_NETWORKS_MAX - 1);
	assert_int_equal(
		policy_match_address(p, p->destinations[2].networks->addr, 0),
		2);
	policy_free(p);
	drop(&b);

	put(&b, DATA "destinations:\n  a:\n    networks:\n");
	for (int i = 0; i < POLICY_NETWORKS_MAX - 1; i++)
		put(&b, "    - 10.%d.%d.%d\n", i >> 16, i >> 8 & 255, i & 255);
	put(&b, "  b:\n    networks:\n    - 192.0.2.1\n    - 192.0.2.2\n");
	put(&b, "  c: {networks: [192.0.2.3]}\n" NO_RULES);
	refuse_buffer(&b, 8 + POLICY_NETWORKS_MAX - 1 + 3, 7,
		      "more than 20000 networks in all destinations together; "
		      "expected fewer, or wider ones");
	drop(&b);
}

static void strings_are_bounded_when_one_is_too_long(void **state)
{
	static const struct {
		const char *format;
		int max;
	} fields[] = {
		{TOP "datasets: {d: {paths: [/d], record: file, "
		     "classification: %0*d}}\n" NO_RULES,
		 POLICY_TEXT_CHARS_MAX},
		{DATA "subjects: {s: {unit: %0*d.service}}\n" NO_RULES,
		 POLICY_UNIT_CHARS_MAX - 8},
		{DATA "subjects: {s: {user: a%0*d}}\n" NO_RULES,
		 POLICY_ACCOUNT_CHARS_MAX - 1},
		{DATA "hosts: [%0*d]\n" NO_RULES, POLICY_HOST_CHARS_MAX},
	};
	struct buffer b = {0};

	(void)state;
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
	for (size_t i = 0; i < N_ELEMENTS(fields); i++) {
		put(&b, fields[i].format, fields[i].max, 0);
		policy_free(parse(b.s));
		drop(&b);
		put(&b, fields[i].format, fields[i].max + 1, 0);
		refuse_bytes(b.s, b.len);
		assert_int_equal(errs.n, 1);
		drop(&b);
	}
#pragma GCC diagnostic pop
}

/* ---- the list of errors ------------------------------------------------ */

static void errors_are_collected_in_order_when_many(void **state)
{
	/* rules are read last, but come where they stand */
	static const char text[] = "cordon: 1\nissuer: x\n"
				   "rules: [{subject: a, dataset: b}]\n"
				   "subjects: {s: {}}\n"
				   "datasets: {d: {paths: [d], record: file}}\n"
				   "mode: off\nserial: 0\n";
	static const uint32_t places[][2] = {
		{3, 19}, {3, 31}, {4, 15}, {5, 24}, {6, 7}, {7, 9},
	};

	(void)state;
	refuse_bytes(text, sizeof(text) - 1);
	assert_int_equal(errs.n, N_ELEMENTS(places));
	assert_int_equal(errs.n_dropped, 0);
	for (size_t i = 0; i < N_ELEMENTS(places); i++) {
		assert_int_equal(errs.v[i].pos.line, places[i][0]);
		assert_int_equal(errs.v[i].pos.col, places[i][1]);
	}
}

static void errors_are_counted_when_more_than_fit(void **state)
{
	struct buffer b = {0};

	(void)state;
	put(&b, DATA "rules:\n");
	put_many(&b, 25, "- {subject: \"*\", dataset: x%d} # %d\n");
	refuse_bytes(b.s, b.len);
	assert_int_equal(errs.n, POLICY_ERRORS_MAX);
	assert_int_equal(errs.n_dropped, 5);
	drop(&b);
}

static void errors_quote_safely_when_text_is_hostile(void **state)
{
	static struct policy_errors e;
	char name[600];

	(void)state;
	policy_errors_init(&e);
	memset(name, 'n', sizeof(name) - 1);
	name[sizeof(name) - 1] = '\0';
	policy_errors_add(&e, name, (struct policy_pos){1, 2},
			  "what %s; expected that", "\x1b[2J\n\xff");
	assert_int_equal(strncmp(e.v[0].text, "...nnn", 6), 0);
	assert_non_null(
		strstr(e.v[0].text, "nnn:1:2: what ?[2J??; expected that"));
	policy_errors_add(&e, "f", (struct policy_pos){0, 0}, "x");
	assert_string_equal(e.v[1].text, "f: x");
	policy_errors_add(&e, NULL, (struct policy_pos){0, 0}, "x");
	assert_string_equal(e.v[2].text, "x");
	policy_errors_add(&e, NULL, (struct policy_pos){0, 0}, "%0700d", 0);
	assert_int_equal(strlen(e.v[3].text), POLICY_ERROR_CHARS_MAX - 1);
	policy_errors_add(NULL, NULL, (struct policy_pos){0, 0}, "x");
}

static void long_values_are_cut_when_quoted(void **state)
{
	struct buffer b = {0};

	(void)state;
	put(&b, DATA NO_RULES "mode: %0100d\n", 0);
	refuse_bytes(b.s, b.len);
	assert_non_null(strstr(errs.v[0].text, "000...\"; expected"));
	assert_true(strlen(errs.v[0].text) < 140);
	drop(&b);
}

/* ---- files ------------------------------------------------------------- */

static void load_refuses_when_not_a_readable_regular_file(void **state)
{
	struct policy *p = NULL;
	char path[] = "/tmp/test_policy.XXXXXX", fifo[64];

	(void)state;
	assert_int_equal(policy_load("/nonexistent/p.yaml", &p, &errs),
			 -ENOENT);
	assert_string_equal(errs.v[0].text,
			    "/nonexistent/p.yaml: cannot be read: No such file "
			    "or directory; expected a readable file");
	assert_int_equal(policy_load("/dev/null", &p, &errs), -EINVAL);
	assert_string_equal(errs.v[0].text,
			    "/dev/null: not a regular file; expected a policy");
	assert_non_null(mkdtemp(path));
	assert_int_equal(policy_load(path, &p, &errs), -EINVAL);
	(void)snprintf(fifo, sizeof(fifo), "%s/f", path);
	assert_int_equal(mkfifo(fifo, 0600), 0);
	assert_int_equal(policy_load(fifo, &p, NULL), -EINVAL);
	(void)unlink(fifo);
	(void)rmdir(path);
	assert_null(p);
}

static void load_reads_and_refuses_by_size(void **state)
{
	char path[] = "/tmp/test_policy.XXXXXX";
	int fd = mkstemp(path);
	struct policy *p = NULL;
	void *buf = NULL;
	size_t len = 0;
	ssize_t n;

	(void)state;
	assert_true(fd >= 0);
	n = write(fd, DATA NO_RULES, sizeof(DATA NO_RULES) - 1);
	assert_int_equal(n, sizeof(DATA NO_RULES) - 1);
	assert_int_equal(policy_load(path, &p, &errs), 0);
	policy_free(p);
	assert_int_equal(policy_read(path, &buf, &len, &errs), 0);
	assert_int_equal(len, n);
	assert_string_equal(buf, DATA NO_RULES);
	free(buf);

	/* a file of the largest size is read, and refused for its NULs */
	p = NULL;
	assert_int_equal(ftruncate(fd, POLICY_FILE_BYTES_MAX), 0);
	assert_int_equal(policy_load(path, &p, &errs), -EINVAL);
	assert_non_null(strstr(errs.v[0].text, "NUL"));
	assert_int_equal(ftruncate(fd, POLICY_FILE_BYTES_MAX + 1), 0);
	assert_int_equal(policy_load(path, &p, &errs), -E2BIG);
	assert_non_null(strstr(errs.v[0].text, ": more than 16 MiB; expected"));
	buf = NULL;
	assert_int_equal(policy_read(path, &buf, &len, NULL), -E2BIG);
	assert_null(buf);
	assert_null(p);
	(void)close(fd);
	(void)unlink(path);
}

static void read_takes_all_when_the_size_is_not_told(void **state)
{
	void *buf = NULL;
	size_t len = 0;

	(void)state;
	/* a regular file that says it has 0 bytes */
	assert_int_equal(policy_read("/proc/self/status", &buf, &len, &errs),
			 0);
	assert_true(len > 500);
	assert_int_equal(((char *)buf)[len], 0);
	free(buf);
}

static void parse_refuses_when_buffer_too_large(void **state)
{
	struct policy *p = NULL;
	char *buf = malloc(POLICY_FILE_BYTES_MAX + 1);

	(void)state;
	assert_non_null(buf);
	memset(buf, '\n', POLICY_FILE_BYTES_MAX + 1);
	assert_int_equal(policy_parse("t.yaml", buf, POLICY_FILE_BYTES_MAX + 1,
				      &p, &errs),
			 -E2BIG);
	assert_string_equal(errs.v[0].text,
			    "t.yaml: more than 16 MiB; expected a policy of at "
			    "most that size");
	assert_int_equal(
		policy_parse("t.yaml", buf, POLICY_FILE_BYTES_MAX, &p, &errs),
		-EINVAL);
	free(buf);
}

/* ---- hosts ------------------------------------------------------------- */

static void host_is_covered_when_a_glob_matches(void **state)
{
	struct policy *p = parse(full);
	struct policy *any = parse(DATA NO_RULES);

	(void)state;
	assert_true(policy_covers_host(p, "cardprint-1"));
	assert_true(policy_covers_host(p, "CARDPRINT-1.example.net."));
	assert_true(policy_covers_host(p, "db1.example.net"));
	assert_true(policy_covers_host(p, "wd1"));
	assert_false(policy_covers_host(p, "wa1"));
	assert_false(policy_covers_host(p, "db12.example.net"));
	assert_false(policy_covers_host(p, "cardprint"));
	assert_false(policy_covers_host(p, "xcardprint-1"));
	assert_false(policy_covers_host(p, ""));
	assert_false(policy_covers_host(p, "."));
	assert_true(policy_covers_host(any, "a.b.c"));
	assert_false(policy_covers_host(any, ""));
	policy_free(p);
	policy_free(any);
}

/* ---- addresses --------------------------------------------------------- */

static uint32_t where(const struct policy *p, const char *destination)
{
	const struct policy_actor nobody = {0};
	struct policy_explanation *e = NULL;
	uint32_t destination_index;

	assert_int_equal(
		policy_explain(p, &nobody, "d", destination, &e, &errs), 0);
	assert_true(e->has_destination);
	destination_index = e->destination;
	policy_explanation_free(e);
	return destination_index;
}

static void address_belongs_to_longest_prefix_with_the_port(void **state)
{
	struct policy *p = parse(
		DATA
		"destinations:\n"
		"  a: {networks: [10.0.0.0/8]}\n"
		"  b: {networks: [10.20.0.0/16], ports: [631, 9100-9107]}\n"
		"  c: {networks: [10.20.0.5, \"2001:db8::/33\"], "
		"ports: [22]}\n"
		"  d: {networks: [10.20.0.0/16], ports: [631]}\n"
		"  10.9.9.9: {networks: [192.0.2.1]}\n" NO_RULES);

	(void)state;
	assert_int_equal(where(p, "10.20.0.5:22"), 3);
	assert_int_equal(where(p, "10.20.0.5:631"), 2);
	assert_int_equal(where(p, "10.20.0.6:9107"), 2);
	assert_int_equal(where(p, "10.20.0.6:9108"), 1);
	assert_int_equal(where(p, "10.20.0.5:80"), 1);
	assert_int_equal(where(p, "10.20.0.5"), 3);
	assert_int_equal(where(p, "11.0.0.1:22"), POLICY_ANYWHERE);
	assert_int_equal(where(p, "::ffff:10.20.0.5"), 3);
	assert_int_equal(where(p, "[::ffff:10.20.0.5]:631"), 2);
	assert_int_equal(where(p, "[2001:db8:7fff::1]:22"), 3);
	assert_int_equal(where(p, "[2001:db8:8000::1]:22"), POLICY_ANYWHERE);
	assert_int_equal(where(p, "2001:db8::1"), 3);
	assert_int_equal(where(p, "[2001:db8::1]"), 3);
	assert_int_equal(where(p, "[2001:db8::1]:23"), POLICY_ANYWHERE);
	assert_int_equal(where(p, "*"), POLICY_ANYWHERE);
	assert_int_equal(where(p, "d"), 4);
	/* a name comes before an address */
	assert_int_equal(where(p, "10.9.9.9"), 5);
	assert_int_equal(where(p, "10.9.9.9:1"), 1);
	policy_free(p);
}

static void explain_refuses_when_unknown(void **state)
{
	static const char *const bad_ports[] = {
		"10.0.0.1:0",
		"10.0.0.1:65536",
		"10.0.0.1:",
		"[::1]:x",
	};
	static const char *const bad[] = {
		"nowhere", "",	      "10.0.0", "[::1",
		"[::1]x",  "::1:22:", "x:22",	"10.0.0.0/8",
	};
	struct policy *p = parse(DATA NO_RULES);
	const struct policy_actor nobody = {0};
	struct policy_explanation *e = NULL;

	(void)state;
	assert_int_equal(policy_explain(p, &nobody, "x", NULL, &e, &errs),
			 -ENOENT);
	assert_string_equal(errs.v[0].text, "unknown dataset \"x\"; expected a "
					    "name from the policy");
	assert_int_equal(policy_explain(p, &nobody, "*", NULL, &e, &errs),
			 -ENOENT);
	for (size_t i = 0; i < N_ELEMENTS(bad_ports); i++) {
		assert_int_equal(policy_explain(p, &nobody, "d", bad_ports[i],
						&e, &errs),
				 -EINVAL);
		assert_non_null(strstr(errs.v[0].text, "expected 1 to 65535"));
	}
	for (size_t i = 0; i < N_ELEMENTS(bad); i++) {
		assert_int_equal(
			policy_explain(p, &nobody, "d", bad[i], &e, &errs),
			-ENOENT);
		assert_non_null(strstr(errs.v[0].text, "unknown destination"));
	}
	assert_null(e);
	policy_free(p);
}

/* ---- subjects and actors ----------------------------------------------- */

/* The conditions of the one subject that the actor misses. */
static unsigned int misses(const char *subject, struct policy_actor actor)
{
	struct buffer b = {0};
	struct policy *p;
	unsigned int m;

	put(&b, DATA "subjects: {s: {%s}}\n" NO_RULES, subject);
	p = parse(b.s);
	m = policy_subject_misses(&p->subjects[1], &actor);
	assert_int_equal(
		policy_subject_misses(&p->subjects[POLICY_EVERYONE], &actor),
		0);
	policy_free(p);
	drop(&b);
	return m;
}

#define ACTOR(...) ((struct policy_actor){__VA_ARGS__})

static void unit_matches_when_the_system_says_so(void **state)
{
	static const char unit[] = "unit: a.service";

	(void)state;
	assert_int_equal(misses(unit, ACTOR(.unit = "a.service")), 0);
	assert_int_equal(misses(unit, ACTOR(.unit = "b.service")),
			 POLICY_COND_UNIT);
	assert_int_equal(misses(unit, ACTOR(0)), POLICY_COND_UNIT);
	assert_int_equal(
		misses(unit, ACTOR(.cgroup = "/system.slice/a.service")), 0);
	assert_int_equal(
		misses(unit, ACTOR(.cgroup = "/system.slice/a.service/x")), 0);
	assert_int_equal(misses(unit, ACTOR(.cgroup = "/a.service")), 0);
	assert_int_equal(
		misses(unit, ACTOR(.cgroup = "/system.slice/aa.service")),
		POLICY_COND_UNIT);
	/* a user's own manager can call its units as it likes */
	assert_int_equal(
		misses(unit, ACTOR(.cgroup = "/user.slice/user-1000.slice/"
					     "user@1000.service/app.slice/"
					     "a.service")),
		POLICY_COND_UNIT);
	assert_int_equal(misses(unit, ACTOR(.cgroup = "/system.slice/x.scope/"
						      "a.service")),
			 POLICY_COND_UNIT);
}

static void cgroup_matches_when_at_or_below(void **state)
{
	static const char cgroup[] = "cgroup: /a/b";

	(void)state;
	assert_int_equal(misses(cgroup, ACTOR(.cgroup = "/a/b")), 0);
	assert_int_equal(misses(cgroup, ACTOR(.cgroup = "/a/b/c")), 0);
	assert_int_equal(misses(cgroup, ACTOR(.cgroup = "/a/bc")),
			 POLICY_COND_CGROUP);
	assert_int_equal(misses(cgroup, ACTOR(.cgroup = "/a")),
			 POLICY_COND_CGROUP);
	assert_int_equal(misses(cgroup, ACTOR(.unit = "b")),
			 POLICY_COND_CGROUP);
}

static void account_matches_by_name_or_number(void **state)
{
	(void)state;
	assert_int_equal(misses("user: a", ACTOR(.user = "a")), 0);
	assert_int_equal(misses("user: a", ACTOR(.user = "b")),
			 POLICY_COND_USER);
	assert_int_equal(misses("user: a", ACTOR(0)), POLICY_COND_USER);
	assert_int_equal(misses("user: 0", ACTOR(.user = "0")), 0);
	assert_int_equal(misses("user: 0", ACTOR(.user = "root")),
			 POLICY_COND_USER);
	assert_int_equal(misses("group: b", ACTOR(.group = "a,b,c")), 0);
	assert_int_equal(misses("group: 7", ACTOR(.group = "1,7")), 0);
	assert_int_equal(misses("group: d", ACTOR(.group = "a,b,dd")),
			 POLICY_COND_GROUP);
	assert_int_equal(misses("exe: /a", ACTOR(.exe = "/a")), 0);
	assert_int_equal(misses("exe: /a", ACTOR(.exe = "/a/b")),
			 POLICY_COND_EXE);
}

static void login_matches_by_who_logged_in(void **state)
{
	(void)state;
	assert_int_equal(misses("login: any", ACTOR(.login = "a")), 0);
	assert_int_equal(misses("login: any", ACTOR(.login = "none")),
			 POLICY_COND_LOGIN);
	assert_int_equal(misses("login: any", ACTOR(0)), POLICY_COND_LOGIN);
	assert_int_equal(misses("login: none", ACTOR(.login = "none")), 0);
	assert_int_equal(misses("login: none", ACTOR(.login = "a")),
			 POLICY_COND_LOGIN);
	assert_int_equal(misses("login: none", ACTOR(0)), POLICY_COND_LOGIN);
	assert_int_equal(misses("login: a", ACTOR(.login = "a")), 0);
	assert_int_equal(misses("login: 1000", ACTOR(.login = "1000")), 0);
	assert_int_equal(misses("login: 1000", ACTOR(.login = "none")),
			 POLICY_COND_LOGIN);
	assert_int_equal(misses("login: a, user: b, exe: /c",
				ACTOR(.login = "b", .user = "b")),
			 POLICY_COND_LOGIN | POLICY_COND_EXE);
}

/* ---- which rule decides ------------------------------------------------ */

static const char deciding[] =
	"cordon: 1\n"
	"issuer: x\n"
	"serial: 1\n"
	"mode: observe\n"
	"datasets:\n"
	"  photos: {paths: [/p], record: file}\n"
	"  roster: {paths: [/r], record: line}\n"
	"  secret: {paths: [/s], record: file}\n"
	"subjects:\n"
	"  byuser: {user: print}\n"
	"  byunit: {unit: print.service}\n"
	"  both: {unit: print.service, user: print}\n"
	"destinations:\n"
	"  printers: {networks: [10.20.0.0/24], ports: [631]}\n"
	"rules:\n"
	"- {subject: \"*\", dataset: photos, read: 1 record/day}\n"   /* 16 */
	"- {subject: byunit, dataset: photos, read: 2 records/day}\n" /* 17 */
	"- {subject: byuser, dataset: photos, read: 3 records/day}\n" /* 18 */
	"- {subject: both, dataset: roster, read: 4 records/day,\n"   /* 19 */
	"   release: {printers: 5 records/day, \"*\": 1B/day}, per: user,\n"
	"   action: alert, mode: enforce}\n"
	"- {subject: both, dataset: \"*\", read: 6 records/day,\n" /* 22 */
	"   release: {printers: unlimited}}\n"
	"- {subject: byunit, dataset: roster, read: unlimited}\n" /* 24 */
	"- {subject: \"*\", dataset: roster, read: none}\n";	  /* 25 */

static struct policy_explanation *explain(const struct policy *p,
					  struct policy_actor actor,
					  const char *dataset,
					  const char *destination)
{
	struct policy_explanation *e = NULL;

	assert_int_equal(
		policy_explain(p, &actor, dataset, destination, &e, &errs), 0);
	return e;
}

/* The line of the rule that decides, 0 for none. */
static uint32_t line_of(const struct policy *p, struct policy_actor actor,
			const char *dataset)
{
	struct policy_explanation *e = explain(p, actor, dataset, NULL);
	uint32_t line = e->rule == POLICY_NO_RULE ? 0
						  : p->rules[e->rule].pos.line;

	assert_false(e->has_destination);
	policy_explanation_free(e);
	return line;
}

static void rule_wins_when_most_specific_then_first(void **state)
{
	struct policy *p = parse(deciding);
	static const uint32_t order[] = {3, 4, 2, 1, 5, 0, 6};
	static const uint32_t subjects[] = {3, 1, 2, 0};

	(void)state;
	assert_memory_equal(p->rule_order, order, sizeof(order));
	assert_memory_equal(p->subject_order, subjects, sizeof(subjects));

	assert_int_equal(line_of(p, ACTOR(0), "photos"), 16);
	assert_int_equal(line_of(p, ACTOR(.unit = "print.service"), "photos"),
			 17);
	assert_int_equal(line_of(p, ACTOR(.user = "print"), "photos"), 18);
	/* two conditions beat one, with a rule for every dataset */
	assert_int_equal(
		line_of(p, ACTOR(.unit = "print.service", .user = "print"),
			"photos"),
		22);
	/* of one subject, the first rule that covers the dataset */
	assert_int_equal(
		line_of(p, ACTOR(.unit = "print.service", .user = "print"),
			"roster"),
		19);
	/* the best subject without a rule for the dataset is passed over */
	assert_int_equal(line_of(p, ACTOR(.user = "print"), "roster"), 25);
	assert_int_equal(line_of(p, ACTOR(.unit = "print.service"), "roster"),
			 24);
	policy_free(p);
}

static void subject_defined_first_wins_when_equally_specific(void **state)
{
	struct policy *p = parse(
		DATA "subjects:\n  a: {user: u}\n  b: {group: g}\nrules:\n"
		     "- {subject: b, dataset: d}\n"
		     "- {subject: a, dataset: d}\n");
	struct policy_explanation *e;
	char text[128];

	(void)state;
	/* though b's rule stands first */
	assert_int_equal(line_of(p, ACTOR(.user = "u", .group = "g"), "d"), 10);
	e = explain(p, ACTOR(.user = "u", .group = "g"), "d", NULL);
	assert_int_equal(e->candidates[1].why, POLICY_WHY_LATER_SUBJECT);
	policy_candidate_format(p, e, &e->candidates[1], text, sizeof(text));
	assert_string_equal(text, "line 9: subject b is as specific as a (line "
				  "10), but defined later");
	policy_explanation_free(e);
	policy_free(p);
}

static void explanation_says_all_when_asked(void **state)
{
	static const struct {
		uint32_t line;
		enum policy_why why;
		unsigned int misses;
		const char *text;
	} expected[] = {
		{19, POLICY_WHY_WINS, 0,
		 "line 19: wins: subject both matches (conditions: 2)"},
		{22, POLICY_WHY_LATER_RULE, 0,
		 "line 22: the rule in line 19 for the same subject comes "
		 "first"},
		{18, POLICY_WHY_DATASET, 0, "line 18: is about dataset photos"},
		{17, POLICY_WHY_DATASET, 0, "line 17: is about dataset photos"},
		{24, POLICY_WHY_LESS_SPECIFIC, 0,
		 "line 24: subject byunit is less specific (conditions: 1) "
		 "than both (2) in line 19"},
		{16, POLICY_WHY_DATASET, 0, "line 16: is about dataset photos"},
		{25, POLICY_WHY_LESS_SPECIFIC, 0,
		 "line 25: subject * is less specific (conditions: 0) than "
		 "both (2) in line 19"},
	};
	struct policy *p = parse(deciding);
	struct policy_explanation *e =
		explain(p, ACTOR(.unit = "print.service", .user = "print"),
			"roster", "10.20.0.9:631");
	char text[256];

	(void)state;
	assert_int_equal(e->n_subjects, 4);
	assert_int_equal(e->subjects[0], 3);
	assert_int_equal(e->subjects[3], POLICY_EVERYONE);
	assert_int_equal(e->n_candidates, N_ELEMENTS(expected));
	for (size_t i = 0; i < e->n_candidates; i++) {
		const struct policy_candidate *c = &e->candidates[i];

		assert_int_equal(p->rules[c->rule].pos.line, expected[i].line);
		assert_int_equal(c->why, expected[i].why);
		assert_int_equal(c->misses, expected[i].misses);
		policy_candidate_format(p, e, c, text, sizeof(text));
		assert_string_equal(text, expected[i].text);
	}
	assert_int_equal(e->destination, 1);
	assert_int_equal(e->action, POLICY_ALERT);
	/* the rule's is enforce, but the policy observes */
	assert_int_equal(e->mode, POLICY_OBSERVE);
	assert_int_equal(e->per, POLICY_PER_USER);
	assert_int_equal(e->read.records, 4);
	assert_int_equal(e->release.records, 5);
	policy_explanation_free(e);

	e = explain(p, ACTOR(.user = "x", .login = "none"), "roster", NULL);
	policy_candidate_format(p, e, &e->candidates[0], text, sizeof(text));
	assert_string_equal(text, "line 19: subject both does not match: unit, "
				  "user");
	policy_explanation_free(e);
	policy_free(p);
}

/* The declassifier as which unit and user act, or NULL. */
static const char *declassifier_of(const struct policy *p, const char *unit,
				   const char *user)
{
	const struct policy_actor actor = {.unit = unit, .user = user};
	struct policy_explanation *e = NULL;
	const char *name = NULL;

	assert_int_equal(policy_explain(p, &actor, "d", NULL, &e, &errs), 0);
	if (e->declassifier != POLICY_NO_DECLASSIFIER)
		name = p->subjects[e->declassifier].name;
	policy_explanation_free(e);
	return name;
}

static void declassifier_is_the_first_that_matches(void **state)
{
	struct policy *p = parse(
		DATA "presets: [journald, dbus]\nsubjects:\n"
		     "  plain: {unit: dbus.service}\n"
		     "  own: {unit: systemd-journald.service, carries: no, "
		     "cap: 1B/day}\n"
		     "  two: {unit: systemd-journald.service, user: j, "
		     "carries: no, cap: 2B/day}\n" NO_RULES);

	(void)state;
	assert_null(declassifier_of(p, NULL, NULL));
	assert_null(declassifier_of(p, "cron.service", "j"));
	/* a subject that says nothing of it takes nothing away */
	assert_string_equal(declassifier_of(p, "dbus.service", NULL),
			    "preset-dbus");
	/* the file's own come before a preset that is as specific */
	assert_string_equal(declassifier_of(p, "systemd-journald.service", "k"),
			    "own");
	assert_string_equal(declassifier_of(p, "systemd-journald.service", "j"),
			    "two");
	policy_free(p);
}

static void release_falls_to_star_then_none_when_not_named(void **state)
{
	struct policy *p = parse(deciding);
	struct policy_actor both = {.unit = "print.service", .user = "print"};
	struct policy_explanation *e;

	(void)state;
	e = explain(p, both, "roster", "192.0.2.1");
	assert_int_equal(e->destination, POLICY_ANYWHERE);
	assert_int_equal(e->release.bytes, 1);
	policy_explanation_free(e);
	/* that port is no printer's */
	e = explain(p, both, "roster", "10.20.0.9:632");
	assert_int_equal(e->release.bytes, 1);
	policy_explanation_free(e);
	e = explain(p, both, "photos", "printers");
	assert_int_equal(e->release.kind, POLICY_BUDGET_UNLIMITED);
	policy_explanation_free(e);
	e = explain(p, both, "photos", "192.0.2.1");
	assert_int_equal(e->release.kind, POLICY_BUDGET_NONE);
	policy_explanation_free(e);
	assert_int_equal(policy_rule_release(&p->rules[0], 1)->kind,
			 POLICY_BUDGET_NONE);
	policy_free(p);

	/* "*" is for a destination with a name too, wherever it stands */
	p = parse(DATA "destinations:\n  a: {networks: [10.0.0.1]}\n"
		       "  b: {networks: [10.0.0.2]}\nrules:\n"
		       "- {subject: \"*\", dataset: d, release: "
		       "{\"*\": 1B/day, b: 2B/day}}\n");
	assert_int_equal(policy_rule_release(&p->rules[0], 1)->bytes, 1);
	assert_int_equal(policy_rule_release(&p->rules[0], 2)->bytes, 2);
	assert_int_equal(policy_rule_release(&p->rules[0], 0)->bytes, 1);
	policy_free(p);
}

static void everything_is_refused_when_no_rule_covers(void **state)
{
	struct policy *p = parse(deciding);
	struct policy_explanation *e =
		explain(p, ACTOR(.user = "print"), "secret", "printers");

	(void)state;
	assert_true(e->rule == POLICY_NO_RULE);
	assert_int_equal(e->read.kind, POLICY_BUDGET_NONE);
	assert_int_equal(e->release.kind, POLICY_BUDGET_NONE);
	assert_int_equal(e->action, POLICY_BLOCK);
	assert_int_equal(e->mode, POLICY_OBSERVE);
	assert_int_equal(e->n_subjects, 2);
	policy_explanation_free(e);
	policy_free(p);

	p = parse(DATA NO_RULES);
	e = explain(p, ACTOR(0), "d", NULL);
	assert_true(e->rule == POLICY_NO_RULE);
	assert_int_equal(e->n_candidates, 0);
	assert_int_equal(e->mode, POLICY_ENFORCE);
	policy_explanation_free(e);
	policy_free(p);
}

static void names_are_found_when_defined(void **state)
{
	struct policy *p = parse(deciding);
	uint32_t i = 77;

	(void)state;
	assert_int_equal(policy_find_dataset(p, "roster", &i), 0);
	assert_int_equal(i, 1);
	assert_int_equal(policy_find_dataset(p, "*", &i), 0);
	assert_true(i == POLICY_ANY_DATASET);
	assert_int_equal(policy_find_subject(p, "*", &i), 0);
	assert_int_equal(i, 0);
	assert_int_equal(policy_find_subject(p, "both", &i), 0);
	assert_int_equal(i, 3);
	assert_int_equal(policy_find_destination(p, "printers", &i), 0);
	assert_int_equal(i, 1);
	i = 77;
	assert_int_equal(policy_find_dataset(p, "printers", &i), -ENOENT);
	assert_int_equal(policy_find_subject(p, "", &i), -ENOENT);
	assert_int_equal(policy_find_destination(p, "roster", &i), -ENOENT);
	assert_int_equal(i, 77);
	policy_free(p);
}

static void words_are_those_of_the_file(void **state)
{
	(void)state;
	assert_string_equal(policy_mode_name(POLICY_ENFORCE), "enforce");
	assert_string_equal(policy_mode_name(POLICY_OBSERVE), "observe");
	assert_string_equal(policy_action_name(POLICY_BLOCK), "block");
	assert_string_equal(policy_action_name(POLICY_ALERT), "alert");
	assert_string_equal(policy_per_name(POLICY_PER_HOST), "host");
	assert_string_equal(policy_per_name(POLICY_PER_USER), "user");
	assert_string_equal(policy_act_name(POLICY_READ), "read");
	assert_string_equal(policy_act_name(POLICY_RELEASE), "release");
	assert_string_equal(policy_act_name(POLICY_INTAKE), "intake");
	assert_string_equal(policy_act_name(POLICY_QUIET), "intake");
	policy_free(NULL);
	policy_explanation_free(NULL);
}

/* ---- warnings ---------------------------------------------------------- */

/* 2026-12-01T00:00:00Z, within the dates of the tests' policies. */
#define NOW 1796083200

struct findings {
	struct buffer b;
	bool all; /* the note of a missing declassifier too */
	int n_warnings, n_notes;
};

static void collect(enum policy_finding kind, struct policy_pos pos,
		    const char *text, void *arg)
{
	struct findings *f = arg;

	/* Nearly every policy here is too small to have any. */
	if (strncmp(text, "no \"presets\"", 12) == 0 && !f->all)
		return;
	if (kind == POLICY_WARNING)
		f->n_warnings++;
	else
		f->n_notes++;
	put(&f->b, "%s %" PRIu32 ":%" PRIu32 ": %s\n",
	    kind == POLICY_WARNING ? "warning" : "note", pos.line, pos.col,
	    text);
}

/* The findings about the text are these lines. */
static void assert_findings_at(const char *text, int64_t now_s,
			       const char *expected)
{
	struct policy *p = parse(text);
	struct findings f = {0};
	int n;

	n = policy_check_warnings(p, now_s, collect, &f);
	assert_string_equal(f.b.s ? f.b.s : "", expected);
	assert_int_equal(n, f.n_warnings);
	assert_int_equal(policy_check_warnings(p, now_s, NULL, NULL), n);
	drop(&f.b);
	policy_free(p);
}

static void assert_findings(const char *text, const char *expected)
{
	assert_findings_at(text, NOW, expected);
}

#define DATED DATA "expires: 2027-01-01T00:00:00Z\n"
#define STAR  "- {subject: \"*\", dataset: \"*\", read: 1 record/day}\n"

static void warnings_are_none_when_policy_is_plain(void **state)
{
	(void)state;
	assert_findings(DATED "rules:\n" STAR, "");
}

static void warning_tells_when_dates_are_off(void **state)
{
	(void)state;
	assert_findings(
		DATA "rules:\n" STAR,
		"warning 1:1: no key \"expires\": a host that is cut "
		"off keeps this policy and never says that it is old\n");
	assert_findings_at(DATED "rules:\n" STAR, 1798761600 - 1, "");
	assert_findings_at(DATED "rules:\n" STAR, 1798761600,
			   "warning 5:10: expired at 2027-01-01T00:00:00Z: "
			   "hosts that have it in force keep enforcing it, and "
			   "say so; a host with another policy refuses it\n");
	assert_findings(DATED "not-before: 2026-12-24T00:00:00Z\n"
			      "rules:\n" STAR,
			"warning 1:1: not valid before 2026-12-24T00:00:00Z: "
			"hosts refuse it until then\n");
}

static void warning_tells_when_not_everyone_is_covered(void **state)
{
	(void)state;
	assert_findings(DATED "subjects: {s: {user: a}}\n"
			      "rules:\n- {subject: s, dataset: \"*\", "
			      "read: none}\n",
			"warning 8:3: no rule with subject \"*\" and dataset "
			"\"*\": whoever matches no other rule can read "
			"nothing, not even root (dataset d)\n");
	assert_findings(TOP "expires: 2027-01-01T00:00:00Z\ndatasets:\n"
			    "  a: {paths: [/a], record: file}\n"
			    "  b: {paths: [/b], record: file}\nrules:\n"
			    "- {subject: \"*\", dataset: a, read: none}\n"
			    "- {subject: \"*\", dataset: b, read: none}\n",
			"");
	assert_findings(DATED NO_RULES,
			"warning 1:1: no rule with subject \"*\" and dataset "
			"\"*\": whoever matches no other rule can read "
			"nothing, not even root (dataset d)\n"
			"warning 4:12: dataset d is in no rule: nobody can "
			"read it\n");
}

#define TWO                                      \
	TOP "expires: 2027-01-01T00:00:00Z\n"    \
	    "datasets:\n"                        \
	    "  a: {paths: [/a], record: file}\n" \
	    "  b: {paths: [/b], record: file}\n"

static void warning_tells_when_a_rule_never_wins(void **state)
{
	(void)state;
	/* the same subject and dataset */
	assert_findings(DATED "rules:\n" STAR STAR,
			"warning 8:3: this rule (subject *, dataset *) can "
			"never win: the one in line 7 always comes first\n");
	/* a wider dataset before, and one that is not wider */
	assert_findings(
		TWO "rules:\n"
		    "- {subject: \"*\", dataset: a, read: none}\n" STAR
		    "- {subject: \"*\", dataset: b, read: none}\n",
		"warning 11:3: this rule (subject *, dataset b) can never win: "
		"the one in line 10 always comes first\n");
	/* two rules that together take everything */
	assert_findings(
		TWO "rules:\n"
		    "- {subject: \"*\", dataset: a, read: none}\n"
		    "- {subject: \"*\", dataset: b, read: none}\n" STAR,
		"warning 11:3: this rule (subject *, dataset *) can never win: "
		"the one in line 9 always comes first\n");
	/* a subject whose every process is another's, which is before it */
	assert_findings(
		DATED "subjects:\n  some: {login: any}\n  alice: {login: a}\n"
		      "rules:\n"
		      "- {subject: alice, dataset: d, read: none}\n"
		      "- {subject: some, dataset: d, read: none}\n" STAR,
		"warning 10:3: this rule (subject alice, dataset d) can never "
		"win: the one in line 11 always comes first\n");
	assert_findings(
		DATED "subjects:\n  a: {cgroup: /x, user: 1, group: g, "
		      "exe: /e, login: none}\n"
		      "  b: {cgroup: /x/y, user: 1, group: g, exe: /e, "
		      "login: none}\nrules:\n"
		      "- {subject: a, dataset: d, read: none}\n"
		      "- {subject: b, dataset: d, read: none}\n" STAR,
		"warning 11:3: this rule (subject b, dataset d) can never win: "
		"the one in line 10 always comes first\n");
	/* other conditions: both can win */
	assert_findings(DATED
			"subjects:\n  a: {unit: a.service}\n"
			"  b: {unit: b.service}\n  c: {exe: /c}\n"
			"  e: {user: c}\n  f: {group: c}\n  g: {login: c}\n"
			"  h: {login: none}\n  i: {cgroup: /a}\n"
			"  j: {cgroup: /ab}\n  k: {user: 1}\nrules:\n"
			"- {subject: a, dataset: d, read: none}\n"
			"- {subject: b, dataset: d, read: none}\n"
			"- {subject: c, dataset: d, read: none}\n"
			"- {subject: e, dataset: d, read: none}\n"
			"- {subject: f, dataset: d, read: none}\n"
			"- {subject: g, dataset: d, read: none}\n"
			"- {subject: h, dataset: d, read: none}\n"
			"- {subject: i, dataset: d, read: none}\n"
			"- {subject: j, dataset: d, read: none}\n"
			"- {subject: k, dataset: d, read: none}\n" STAR,
			"");
}

static void warning_tells_when_a_rule_says_too_much_or_too_little(void **state)
{
	(void)state;
	assert_findings(DATED "rules:\n- {subject: \"*\", dataset: d}\n",
			"warning 7:3: no key \"read\": the rule lets nothing "
			"be read; write \"read: none\" if that is meant\n");
	assert_findings(DATED "rules:\n- {subject: \"*\", dataset: d, read: "
			      "unlimited, release: {\"*\": unlimited}}\n",
			"warning 7:36: everyone may read without limit\n"
			"warning 7:57: subject * may release without limit, to "
			"anywhere\n");
}

static void warning_tells_when_hosts_cannot_compare_a_name(void **state)
{
	static const char rules[] = "rules:\n- {subject: s, dataset: d, "
				    "read: none}\n" STAR;
	struct buffer b = {0};

	(void)state;
	put(&b, DATED "subjects: {s: {unit: %054d.service}}\n%s", 0, rules);
	assert_findings(b.s, "");
	drop(&b);
	put(&b, DATED "subjects: {s: {unit: %055d.service}}\n%s", 0, rules);
	assert_findings(b.s,
			"warning 6:12: hosts refuse this policy: subject s "
			"names a unit or control group of 63 characters, they "
			"compare 62\n");
	drop(&b);
	put(&b, DATED "subjects: {s: {cgroup: /a/%062d/b", 0);
	put_many(&b, POLICY_GUARD_CGROUP_DEPTH - 3, "/%d.%d");
	put(&b, "}}\n%s", rules);
	assert_findings(b.s, "");
	drop(&b);
	put(&b, DATED "subjects: {s: {cgroup: /a/%063d/b", 0);
	put_many(&b, POLICY_GUARD_CGROUP_DEPTH - 2, "/%d.%d");
	put(&b, "}}\n%s", rules);
	assert_findings(b.s,
			"warning 6:12: hosts refuse this policy: subject s "
			"names a unit or control group of 63 characters, they "
			"compare 62\n"
			"warning 6:12: hosts refuse this policy: the control "
			"group of subject s is 16 names deep, they compare "
			"15\n");
	drop(&b);
}

static void warning_tells_when_nothing_uses_it(void **state)
{
	(void)state;
	assert_findings(
		TWO "subjects:\n  s: {user: a}\n"
		    "destinations:\n  t: {networks: [10.0.0.1]}\nrules:\n"
		    "- {subject: \"*\", dataset: b, read: none}\n",
		"warning 13:3: no rule with subject \"*\" and dataset \"*\": "
		"whoever matches no other rule can read nothing, not even root "
		"(dataset a)\n"
		"warning 9:3: subject s is in no rule\n"
		"warning 11:3: destination t is in no rule\n"
		"warning 6:3: dataset a is in no rule: nobody can read it\n");
}

static void warning_tells_when_narrow_has_no_measure(void **state)
{
	static const char format[] = TOP
		"expires: 2027-01-01T00:00:00Z\n"
		"datasets: {d: {paths: [/d], record: line%s}}\n"
		"subjects: {s: {exe: /a, narrow: yes%s}}\n"
		"rules:\n"
		"- {subject: s, dataset: d, read: none, release: none}\n" STAR;
	static const char *const cases[][3] = {
		{"", "", "squeeze and floor"},
		{", squeeze: 2", "", "floor"},
		{", floor: 2", "", "squeeze"},
		{"", ", floor: 2", "squeeze"},
		{"", ", squeeze: 2", "floor"},
		{", squeeze: 2, floor: 2", "", NULL},
		{", squeeze: 2", ", floor: 2", NULL},
		{"", ", squeeze: 2, floor: 2", NULL},
	};
	struct buffer b = {0};
	char expected[160];

	(void)state;
	for (size_t i = 0; i < N_ELEMENTS(cases); i++) {
		put(&b, format, cases[i][0], cases[i][1]);
		(void)snprintf(expected, sizeof(expected),
			       "warning 5:12: dataset d has no %s: what leaves "
			       "narrow subject s of it counts as if it left "
			       "another subject\n",
			       cases[i][2] ? cases[i][2] : "");
		assert_findings(b.s, cases[i][2] ? expected : "");
		drop(&b);
	}
}

static void warning_tells_when_narrow_is_not_or_too_much(void **state)
{
	static const char format[] = TOP
		"expires: 2027-01-01T00:00:00Z\n"
		"datasets: {d: {paths: [/d], record: file, squeeze: 2,\n"
		"               floor: 2}}\n"
		"subjects: {s: {%s, narrow: yes}}\n"
		"rules:\n%s" STAR;
	static const char rule[] = "- {subject: s, dataset: d, read: none, "
				   "release: none}\n";
	struct buffer b = {0};

	(void)state;
	put(&b, format, "exe: /a", "");
	assert_findings(b.s, "warning 7:12: subject s is in no rule: so it is "
			     "not narrow\n");
	drop(&b);
	put(&b, format, "unit: a.service", rule);
	assert_findings(b.s, "warning 7:12: narrow subject s has no exe: what "
			     "it executes is narrow as well, compressors "
			     "too\n");
	drop(&b);
}

static void warning_tells_when_a_rule_cannot_enforce(void **state)
{
	(void)state;
	assert_findings(DATED "mode: observe\nrules:\n" STAR, "");
	assert_findings(DATED "rules:\n- {subject: \"*\", dataset: \"*\", "
			      "read: none, mode: observe}\n",
			"");
	assert_findings(DATED "mode: observe\nrules:\n"
			      "- {subject: \"*\", dataset: \"*\", "
			      "read: none, mode: enforce}\n",
			"warning 8:3: this rule has mode enforce, but the "
			"policy's mode is observe: nothing is blocked\n");
}

static void warning_tells_when_paths_lie_inside_each_other(void **state)
{
	(void)state;
	assert_findings(
		TOP "expires: 2027-01-01T00:00:00Z\ndatasets:\n"
		    "  a: {paths: [/s/a/b, /s/a-b, /s/a/b/c], record: file}\n"
		    "  b: {paths: [/s/a, /s/ab], record: file}\n"
		    "rules:\n" STAR,
		"warning 6:15: this path of dataset a lies inside one of "
		"dataset b (line 7): its files belong to the longer path\n"
		"warning 6:31: this path of dataset a lies inside one of "
		"dataset b (line 7): its files belong to the longer path\n");
}

static void warning_tells_when_a_network_stands_twice(void **state)
{
	(void)state;
	assert_findings(
		DATED "destinations:\n"
		      "  a: {networks: [10.0.0.0/8], ports: [1-9]}\n"
		      "  b: {networks: [10.0.0.0/8, 10.0.0.0/9], "
		      "ports: [9]}\n"
		      "  c: {networks: [11.0.0.0/8], ports: [1]}\n"
		      "  d: {networks: [11.0.0.0/8], ports: [2]}\n"
		      "rules:\n- {subject: \"*\", dataset: d, read: none, "
		      "release: {a: none, b: none, c: none, d: none}}\n",
		"warning 8:18: this network already belongs to destination a "
		"(line 7), which comes first where both have the port\n");
}

static void warning_tells_when_a_destination_has_all_of_fuse(void **state)
{
	(void)state;
	assert_findings(
		DATED "destinations:\n"
		      "  a: {file-systems: [nfs4, fuse]}\n"
		      "rules:\n- {subject: \"*\", dataset: d, read: none, "
		      "release: {a: none}}\n",
		"warning 7:28: destination a has every file system of FUSE, "
		"and any user who may run fusermount3 can serve one; name the "
		"path of its mount instead\n");
}

#define UNSTATED                                                               \
	"any number of records, for neither its bytes a record nor its floor " \
	"are stated"

static void note_tells_records_when_a_budget_counts_bytes(void **state)
{
	(void)state;
	assert_findings(
		TOP "expires: 2027-01-01T00:00:00Z\ndatasets:\n"
		    "  f: {paths: [/f], record: file}\n"
		    "  b: {paths: [/b], record: {bytes: 160}, squeeze: 3}\n"
		    "  l: {paths: [/l], record: line, floor: 24}\n"
		    "rules:\n- {subject: \"*\", dataset: \"*\", read: 1MiB/day,"
		    "\n   release: {\"*\": [1MiB/day, 5 records/day]}}\n",
		"note 10:38: read 1 MiB/day of dataset f: " UNSTATED
		"; add a limit of records\n"
		"note 10:38: read 1 MiB/day of dataset b: 6553 records as they "
		"are (160 bytes each); parts of more: add a limit of records\n"
		"note 10:38: read 1 MiB/day of dataset l: 43690 records at the "
		"floor of 24 bytes; parts of more: add a limit of records\n"
		"note 11:19: release to * 1 MiB/day of dataset f: " UNSTATED
		"; the limit of records beside it holds as well\n"
		"note 11:19: release to * 1 MiB/day of dataset b: 6553 records "
		"as they are (160 bytes each), 19660 squeezed 3 to 1; the "
		"limit of records beside it holds as well\n"
		"note 11:19: release to * 1 MiB/day of dataset l: 43690 "
		"records at the floor of 24 bytes; the limit of records beside "
		"it holds as well\n");
	assert_findings(
		DATED "destinations: {x: {networks: [10.0.0.1]}}\nrules:\n"
		      "- {subject: \"*\", dataset: d, read: none, release: "
		      "{x: 1B/week}}\n",
		"note 8:55: release to x 1 B/week of dataset d: " UNSTATED
		"; add a limit of records\n");
	/* the floor holds for a narrow subject, and for no other */
	assert_findings(
		TOP "expires: 2027-01-01T00:00:00Z\n"
		    "datasets: {d: {paths: [/d], record: {bytes: 160}, "
		    "squeeze: 9, floor: 24}}\n"
		    "subjects: {s: {exe: /a, narrow: yes}}\nrules:\n"
		    "- {subject: s, dataset: d, read: none, release: "
		    "{\"*\": 1MiB/day}}\n"
		    "- {subject: \"*\", dataset: d, read: none, release: "
		    "{\"*\": 200B/day}}\n",
		"note 8:55: release to * 1 MiB/day of dataset d: 6553 records "
		"as they are (160 bytes each), 58982 squeezed 9 to 1, at most "
		"43690 at the floor of 24 bytes\n"
		"note 9:57: release to * 200 B/day of dataset d: 1 record as "
		"it is (160 bytes), 11 squeezed 9 to 1, 8 at the floor "
		"of 24 bytes; more if they are packed tighter: add a limit of "
		"records\n");
	/* its own count, where they are tighter */
	assert_findings(
		TOP "expires: 2027-01-01T00:00:00Z\n"
		    "datasets: {d: {paths: [/d], record: {bytes: 160}, "
		    "squeeze: 9, floor: 24}}\n"
		    "subjects: {s: {exe: /a, narrow: yes, squeeze: 1, "
		    "floor: 128}}\nrules:\n"
		    "- {subject: s, dataset: d, read: none, release: "
		    "{\"*\": 1MiB/day}}\n"
		    "- {subject: \"*\", dataset: d, read: none, release: "
		    "none}\n",
		"note 8:55: release to * 1 MiB/day of dataset d: 6553 records "
		"as they are (160 bytes each), 6553 squeezed 1 to 1, at most "
		"8192 at the floor of 128 bytes\n");
}

static void note_tells_what_is_written_down_when_rows_have_keys(void **state)
{
	(void)state;
	assert_findings(
		TOP "expires: 2027-01-01T00:00:00Z\ndatasets:\n"
		    "  b: {paths: [/b], record: {bytes: 160}}\n"
		    "  k: {paths: [/k], record: {bytes: 160, key: {from: 3, "
		    "to: 10}}}\n"
		    "rules:\n- {subject: \"*\", dataset: \"*\", read: none}\n",
		"note 7:46: evidence has bytes 3 to 10 of each row of dataset "
		"k that was read, as its key, and no others\n");
}

static void note_lists_declassifiers_when_there_are_any(void **state)
{
	(void)state;
	assert_findings(
		TOP "expires: 2027-01-01T00:00:00Z\n"
		    "datasets: {d: {paths: [/d], record: {bytes: 10}, "
		    "floor: 4}}\n"
		    "presets: [init, journald, nscd]\n"
		    "subjects:\n"
		    "  own: {unit: a.service, carries: no, cap: 1 KiB/day}\n"
		    "rules:\n" STAR,
		"note 8:3: subject own carries nothing on: takes in up to 1 "
		"KiB/day from holders without becoming one\n"
		"note 6:17: subject preset-journald (systemd-journald.service) "
		"carries nothing on: takes in up to 64 KiB/hour from holders "
		"without becoming one\n"
		"note 6:27: subject preset-nscd (nscd.service) carries nothing "
		"on: takes in up to 16 KiB/hour from holders without becoming "
		"one\n"
		"note 6:11: subject preset-init (init.scope) carries nothing "
		"on: takes in up to 16 KiB/hour from holders without becoming "
		"one\n"
		"note 8:44: intake of own 1 KiB/day of dataset d: 102 records "
		"as they are (10 bytes each), 256 at the floor of 4 bytes\n"
		"note 6:17: intake of preset-journald 64 KiB/hour of dataset "
		"d: "
		"6553 records as they are (10 bytes each), 16384 at the floor "
		"of 4 bytes; the same for every preset with that cap\n"
		"note 6:27: intake of preset-nscd 16 KiB/hour of dataset d: "
		"1638 records as they are (10 bytes each), 4096 at the floor "
		"of 4 bytes; the same for every preset with that cap\n");
}

static void note_lists_quiet_files_when_there_are_any(void **state)
{
	(void)state;
	assert_findings(
		TOP "expires: 2027-01-01T00:00:00Z\n"
		    "follow-files: yes\npresets: [sudo-records, init]\n"
		    "datasets: {d: {paths: [/d], record: {bytes: 10}}}\n"
		    "quiet-files: {q: {paths: [/q], cap: 1 KiB/day}}\n"
		    "rules:\n" STAR,
		"note 6:25: subject preset-init (init.scope) carries nothing "
		"on: takes in up to 16 KiB/hour from holders without becoming "
		"one\n"
		"note 8:15: quiet files q (/q) carry nothing on: take in up to "
		"1 KiB/day from holders without becoming carriers\n"
		"note 6:11: quiet files preset-sudo-records (/run/sudo and 1 "
		"more) carry nothing on: take in up to 16 KiB/hour from "
		"holders without becoming carriers\n"
		"note 6:25: intake of preset-init 16 KiB/hour of dataset d: "
		"1638 records as they are (10 bytes each); the same for every "
		"preset with that cap\n"
		"note 8:37: intake of quiet files q 1 KiB/day of dataset d: "
		"102 records as they are (10 bytes each)\n"
		"note 6:11: intake of quiet files preset-sudo-records 16 "
		"KiB/hour of dataset d: 1638 records as they are (10 bytes "
		"each)\n");
}

static void findings_tell_when_quiet_files_or_following_is_missing(void **state)
{
	static const char none[] =
		"note 1:1: no preset \"system-files\", and no \"quiet-files\": "
		"what a holder writes to the records of logins makes a holder "
		"of everybody who logs in after that\n";
	static const char unused[] =
		"warning 6:11: quiet files preset-sudo-records, but no file "
		"carries anything: write \"follow-files: yes\" if files are to "
		"be followed\n";
	static const char names[] = "note 1:1: names are followed: ";
	struct findings f = {.all = true};
	struct policy *p;

	(void)state;
	p = parse(DATED "follow-files: yes\nrules:\n" STAR);
	assert_int_equal(policy_check_warnings(p, NOW, collect, &f), 0);
	assert_non_null(strstr(f.b.s, none));
	assert_null(strstr(f.b.s, names));
	drop(&f.b);
	policy_free(p);
	p = parse(DATED "follow-files: yes\nfollow-names: yes\nrules:\n" STAR);
	assert_int_equal(policy_check_warnings(p, NOW, collect, &f), 0);
	assert_non_null(strstr(f.b.s, names));
	drop(&f.b);
	policy_free(p);
	p = parse(DATED "presets: [sudo-records]\nfollow-files: no\n"
			"rules:\n" STAR);
	assert_int_equal(policy_check_warnings(p, NOW, collect, &f), 1);
	assert_non_null(strstr(f.b.s, unused));
	assert_null(strstr(f.b.s, none));
	drop(&f.b);
	policy_free(p);
}

static void note_tells_when_there_is_no_declassifier(void **state)
{
	static const char note[] =
		"note 1:1: no \"presets\", and no subject with \"carries: "
		"no\": every daemon that a holder talks to becomes one, "
		"the journal first\n";
	static const char *const cases[][2] = {
		{DATED "rules:\n" STAR, note},
		{DATED "subjects: {s: {user: a, carries: yes, narrow: no}}\n"
		       "rules:\n- {subject: s, dataset: d, read: none}\n" STAR,
		 note},
		{DATED "presets: [dbus]\nrules:\n" STAR, NULL},
	};
	struct findings f = {.all = true};
	struct policy *p;

	(void)state;
	for (size_t i = 0; i < N_ELEMENTS(cases); i++) {
		p = parse(cases[i][0]);
		assert_int_equal(policy_check_warnings(p, NOW, collect, &f), 0);
		if (cases[i][1])
			assert_string_equal(f.b.s, cases[i][1]);
		else
			assert_null(strstr(f.b.s, "no \"presets\""));
		drop(&f.b);
		policy_free(p);
	}
}

static void warning_tells_when_anybody_can_be_a_declassifier(void **state)
{
	static const char *const open[] = {
		"user: a",
		"exe: /a",
		"login: any",
		"cgroup: /user.slice",
		"cgroup: /a.slice/a-b.slice, user: a",
	};
	static const char *const placed[] = {
		"unit: a.service",
		"cgroup: /a.slice/x",
		"cgroup: /slice",
		"unit: a.service, user: a, login: none",
	};
	struct findings f = {0};
	struct buffer b = {0};
	struct policy *p;

	(void)state;
	for (size_t i = 0; i < N_ELEMENTS(open); i++) {
		put(&b,
		    DATED "subjects: {s: {%s, carries: no, cap: 1B/day}}\n"
			  "rules:\n" STAR,
		    open[i]);
		p = parse(b.s);
		assert_int_equal(policy_check_warnings(p, NOW, collect, &f), 1);
		assert_non_null(strstr(
			f.b.s, "warning 6:12: subject s carries nothing on, "
			       "and names no unit nor a control group below a "
			       "slice: who becomes that user, or runs that "
			       "program, can use its cap as a way out\n"));
		drop(&f.b);
		policy_free(p);
		drop(&b);
	}
	for (size_t i = 0; i < N_ELEMENTS(placed); i++) {
		put(&b,
		    DATED "subjects: {s: {%s, carries: no, cap: 1B/day}}\n"
			  "rules:\n" STAR,
		    placed[i]);
		p = parse(b.s);
		assert_int_equal(policy_check_warnings(p, NOW, NULL, NULL), 0);
		policy_free(p);
		drop(&b);
	}
}

static void warning_tells_when_a_cap_never_counts(void **state)
{
	struct findings f = {0};
	struct policy *p;

	(void)state;
	p = parse(DATED
		  "presets: [system-daemons]\nsubjects:\n"
		  "  a: {unit: a.service, carries: no, cap: 1B/day}\n"
		  "  b: {unit: a.service, carries: no, cap: 2B/day}\n"
		  "  c: {unit: a.service, user: c, carries: no, cap: 3B/day}\n"
		  "  d: {unit: dbus.service, carries: no, cap: 1B/day}\n"
		  "rules:\n" STAR);
	assert_int_equal(policy_check_warnings(p, NOW, collect, &f), 1);
	assert_non_null(strstr(f.b.s,
			       "warning 9:42: this cap never counts: that of "
			       "subject a (line 8) always comes first\n"));
	drop(&f.b);
	policy_free(p);
}

/* The one budget of bytes of a policy of one dataset, measured. */
static int keep_capacity(const struct policy_capacity *capacity, void *arg)
{
	struct policy_capacity *kept = arg;

	assert_null(kept->budget);
	*kept = *capacity;
	return 7;
}

static struct policy_capacity capacity_of(const char *dataset,
					  const char *budget)
{
	struct policy_capacity kept = {0};
	struct buffer b = {0};
	struct policy *p;

	put(&b,
	    TOP "datasets: {d: {paths: [/d], %s}}\n"
		"rules: [{subject: \"*\", dataset: \"*\", release: "
		"{\"*\": %s}}]\n",
	    dataset, budget);
	p = parse(b.s);
	/* what fn returns ends the walk */
	assert_int_equal(policy_each_capacity(p, keep_capacity, &kept), 7);
	assert_int_equal(kept.act, POLICY_RELEASE);
	assert_int_equal(kept.subject, POLICY_EVERYONE);
	assert_int_equal(kept.dataset, 0);
	assert_int_equal(kept.destination, POLICY_ANYWHERE);
	policy_free(p);
	drop(&b);
	return kept;
}

static void capacity_is_bounded_when_numbers_are_huge(void **state)
{
	struct policy_capacity c;

	(void)state;
	c = capacity_of("record: {bytes: 1}, squeeze: 10000, floor: 1",
			"1152921504606846976B/day");
	assert_true(c.plain == 1ULL << 60);
	assert_true(c.squeezed == INT64_MAX);
	assert_true(c.at_floor == 1ULL << 60);
	c = capacity_of("record: {bytes: 1MiB}, squeeze: 10000",
			"1152921504606846976B/day");
	assert_true(c.plain == 1ULL << 40);
	assert_true(c.squeezed == 10000ULL << 40);
	assert_true(c.at_floor == POLICY_CAPACITY_UNKNOWN);
	c = capacity_of("record: {bytes: 1000}, squeeze: 3", "1999B/day");
	assert_int_equal(c.plain, 1);
	assert_int_equal(c.squeezed, 5);
	c = capacity_of("record: file, squeeze: 3", "1999B/day");
	assert_true(c.plain == POLICY_CAPACITY_UNKNOWN);
	assert_true(c.squeezed == POLICY_CAPACITY_UNKNOWN);
}

static int count_capacity(const struct policy_capacity *capacity, void *arg)
{
	int *n = arg;

	n[capacity->act]++;
	return 0;
}

static void capacity_is_told_of_every_byte_budget(void **state)
{
	struct policy *p;
	int n[4] = {0};

	(void)state;
	p = parse(TWO "presets: [system-daemons, system-files]\n"
		      "subjects: {s: {user: a, carries: no, cap: 1B/day}}\n"
		      "destinations: {x: {networks: [10.0.0.1]}}\nrules:\n"
		      "- {subject: s, dataset: \"*\", read: 1B/day, release: "
		      "{x: [1B/day, 1 record/day], \"*\": unlimited}}\n"
		      "- {subject: \"*\", dataset: a, read: 1 record/day, "
		      "release: {x: 1B/day, \"*\": 1 record/day}}\n");
	assert_int_equal(policy_each_capacity(p, count_capacity, n), 0);
	assert_int_equal(n[POLICY_READ], 2);
	assert_int_equal(n[POLICY_RELEASE], 3);
	assert_int_equal(n[POLICY_INTAKE], 2 * 12);
	assert_int_equal(n[POLICY_QUIET], 2 * 2);
	policy_free(p);
}

static void capacity_is_cut_when_there_is_little_room(void **state)
{
	struct policy_capacity kept = {0};
	char text[POLICY_CAPACITY_CHARS_MAX], cut[POLICY_CAPACITY_CHARS_MAX];
	struct policy *p;

	(void)state;
	p = parse(TOP "datasets: {d: {paths: [/d], record: {bytes: 10}, "
		      "squeeze: 2, floor: 4}}\n"
		      "rules: [{subject: \"*\", dataset: d, release: {\"*\": "
		      "1KiB/day}}]\n");
	(void)policy_each_capacity(p, keep_capacity, &kept);
	policy_capacity_format(p, &kept, text, sizeof(text));
	for (size_t size = 1; size <= strlen(text); size++) {
		memset(cut, 'x', sizeof(cut));
		policy_capacity_format(p, &kept, cut, size);
		assert_int_equal(strlen(cut), size - 1);
		assert_memory_equal(cut, text, size - 1);
		assert_int_equal(cut[size], 'x');
	}
	policy_free(p);
}

static void warnings_hold_when_every_dataset_exists(void **state)
{
	struct buffer b = {0};

	(void)state;
	/* 64 datasets are a full word of bits */
	put(&b, TOP "expires: 2027-01-01T00:00:00Z\ndatasets:\n");
	put_many(&b, POLICY_DATASETS_MAX,
		 "  d%d: {paths: [/d%d], record: file}\n");
	put(&b, "rules:\n");
	put_many(&b, POLICY_DATASETS_MAX,
		 "- {subject: \"*\", dataset: d%d, read: none} # %d\n");
	assert_findings(b.s, "");
	put(&b, STAR);
	assert_findings(b.s, "warning 135:3: this rule (subject *, dataset *) "
			     "can never win: the one in line 71 always comes "
			     "first\n");
	drop(&b);
}

/* ---- the policies that are shipped ------------------------------------- */

/* Tests run from the top of the tree, or the path is in the environment. */
static const char *policies_dir(void)
{
	const char *dir = getenv("CORDON_POLICIES");

	return dir ? dir : "policies";
}

static void examples_parse_and_warn_of_nothing_when_shipped(void **state)
{
	char pattern[512];
	struct findings f = {0};
	struct policy *p;
	glob_t found;

	(void)state;
	(void)snprintf(pattern, sizeof(pattern), "%s/*.yaml", policies_dir());
	assert_int_equal(glob(pattern, 0, NULL, &found), 0);
	assert_true(found.gl_pathc >= 3);
	for (size_t i = 0; i < found.gl_pathc; i++) {
		p = NULL;
		if (policy_load(found.gl_pathv[i], &p, &errs))
			fail_msg("%s", errs.v[0].text);
		/* judged while they are valid */
		if (policy_check_warnings(p, p->not_before_s, collect, &f))
			fail_msg("%s: %s", found.gl_pathv[i], f.b.s);
		policy_free(p);
	}
	drop(&f.b);
	globfree(&found);
}

/* The manual's first literal block behind "A whole policy". */
static void manual_parses_and_warns_of_nothing_when_followed(void **state)
{
	const char *manual = getenv("CORDON_MANUAL");
	struct findings f = {0};
	struct buffer b = {0};
	bool found = false, inside = false;
	char line[256];
	struct policy *p;
	FILE *in;

	(void)state;
	in = fopen(manual ? manual : "user/cordon-policy.5", "re");
	assert_non_null(in);
	while (fgets(line, sizeof(line), in)) {
		if (inside && strcmp(line, ".Ed\n") == 0)
			break;
		if (inside)
			put(&b, "%s", line);
		found = found || strcmp(line, ".Ss A whole policy\n") == 0;
		inside = found && (inside || strncmp(line, ".Bd", 3) == 0);
	}
	(void)fclose(in);
	assert_true(inside);
	p = parse(b.s);
	assert_int_equal(p->n_rules, 2);
	if (policy_check_warnings(p, p->not_before_s, collect, &f))
		fail_msg("%s", f.b.s);
	policy_free(p);
	drop(&f.b);
	drop(&b);
}

static void print_shop_works_and_leaks_nothing_when_followed(void **state)
{
	const struct policy_actor printer = {
		.unit = "cardprint.service",
		.exe = "/opt/cardprint/bin/printd",
		.user = "cardprint",
		.login = "none",
	};
	const struct policy_actor thief = {
		.cgroup = "/user.slice/user-1000.slice/session-3.scope",
		.exe = "/usr/bin/curl",
		.user = "cardprint",
		.login = "1000",
	};
	const struct policy_actor backup = {.unit = "backup.service"};
	struct policy_explanation *e = NULL;
	struct policy *p = NULL;
	char path[512];

	(void)state;
	(void)snprintf(path, sizeof(path), "%s/print-shop.yaml",
		       policies_dir());
	if (policy_load(path, &p, &errs))
		fail_msg("%s", errs.v[0].text);

	e = explain(p, printer, "warrant-cards", "10.20.0.17:9100");
	assert_int_equal(e->read.records, 120);
	assert_true(e->read.records_window_ns == 3600 * S);
	assert_int_equal(e->release.bytes, 64 << 20);
	assert_int_equal(e->action, POLICY_BLOCK);
	policy_explanation_free(e);
	/* the printer may print, not post */
	e = explain(p, printer, "warrant-cards", "198.51.100.1:443");
	assert_int_equal(e->release.kind, POLICY_BUDGET_NONE);
	policy_explanation_free(e);

	e = explain(p, backup, "roster", "10.30.0.5:22");
	assert_int_equal(e->release.kind, POLICY_BUDGET_UNLIMITED);
	policy_explanation_free(e);
	e = explain(p, backup, "roster", "10.30.0.6:22");
	assert_int_equal(e->release.kind, POLICY_BUDGET_NONE);
	policy_explanation_free(e);

	e = explain(p, thief, "warrant-cards", "198.51.100.1:443");
	assert_int_equal(p->rules[e->rule].subject, POLICY_EVERYONE);
	assert_int_equal(e->per, POLICY_PER_USER);
	assert_int_equal(e->read.records, 20);
	assert_int_equal(e->release.records, 20);
	assert_int_equal(e->mode, POLICY_ENFORCE);
	policy_explanation_free(e);
	policy_free(p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(policy_keeps_head_when_good),
		cmocka_unit_test(policy_keeps_datasets_when_good),
		cmocka_unit_test(policy_keeps_subjects_when_good),
		cmocka_unit_test(policy_keeps_destinations_when_good),
		cmocka_unit_test(policy_keeps_rules_when_good),
		cmocka_unit_test(policy_takes_defaults_when_keys_absent),
		cmocka_unit_test(policy_reads_forms_when_yaml_allows_them),
		cmocka_unit_test(policy_keeps_utf8_when_valid),
		cmocka_unit_test(
			column_counts_characters_when_utf8_stands_before),
		cmocka_unit_test(yaml_is_refused_when_not_well_formed),
		cmocka_unit_test(yaml_is_refused_when_empty),
		cmocka_unit_test(yaml_is_refused_when_root_is_no_map),
		cmocka_unit_test(
			yaml_is_refused_when_it_has_aliases_anchors_or_tags),
		cmocka_unit_test(yaml_is_refused_when_alias_bomb),
		cmocka_unit_test(yaml_is_refused_when_second_document),
		cmocka_unit_test(yaml_is_refused_when_it_has_directives),
		cmocka_unit_test(yaml_is_refused_when_too_deep),
		cmocka_unit_test(
			text_is_refused_when_it_is_not_what_it_looks_like),
		cmocka_unit_test(byte_is_refused_when_unprintable),
		cmocka_unit_test(size_is_bounded_when_input_is_made_to_cost),
		cmocka_unit_test(key_is_refused_when_unknown),
		cmocka_unit_test(key_is_refused_when_twice),
		cmocka_unit_test(key_is_demanded_when_missing),
		cmocka_unit_test(key_is_refused_when_no_text),
		cmocka_unit_test(version_is_refused_alone_when_unknown),
		cmocka_unit_test(issuer_is_refused_when_bad),
		cmocka_unit_test(serial_is_refused_when_no_number_in_range),
		cmocka_unit_test(time_is_refused_when_not_rfc3339_utc),
		cmocka_unit_test(expires_is_refused_when_not_after_not_before),
		cmocka_unit_test(mode_is_refused_when_unknown),
		cmocka_unit_test(files_are_followed_when_the_policy_says_so),
		cmocka_unit_test(files_are_refused_when_neither_yes_nor_no),
		cmocka_unit_test(names_are_followed_when_the_policy_says_so),
		cmocka_unit_test(names_are_refused_when_files_are_not_followed),
		cmocka_unit_test(hosts_are_refused_when_bad),
		cmocka_unit_test(datasets_are_refused_when_bad),
		cmocka_unit_test(row_key_is_refused_when_it_is_none),
		cmocka_unit_test(row_key_is_taken_when_it_is_in_the_row),
		cmocka_unit_test(path_is_refused_when_not_normal),
		cmocka_unit_test(path_is_refused_when_root_or_too_long),
		cmocka_unit_test(path_is_refused_when_it_stands_twice),
		cmocka_unit_test(name_is_refused_when_bad),
		cmocka_unit_test(subject_is_refused_when_bad),
		cmocka_unit_test(
			subject_keeps_its_cap_when_it_carries_nothing_on),
		cmocka_unit_test(declassifier_is_refused_when_bad),
		cmocka_unit_test(cap_is_refused_when_it_is_no_limit_of_bytes),
		cmocka_unit_test(presets_are_what_was_released_when_named),
		cmocka_unit_test(presets_are_in_the_manual),
		cmocka_unit_test(
			presets_of_files_are_what_was_released_when_named),
		cmocka_unit_test(quiet_files_keep_their_paths_and_cap),
		cmocka_unit_test(quiet_files_are_refused_when_bad),
		cmocka_unit_test(preset_can_have_a_rule_when_named),
		cmocka_unit_test(presets_are_refused_when_bad),
		cmocka_unit_test(presets_count_as_subjects_when_there_are_many),
		cmocka_unit_test(network_is_refused_when_bad),
		cmocka_unit_test(port_is_refused_when_bad),
		cmocka_unit_test(ways_keep_their_places_when_good),
		cmocka_unit_test(way_is_refused_when_bad),
		cmocka_unit_test(ways_are_refused_when_too_many),
		cmocka_unit_test(way_belongs_to_the_closest_path_or_the_kind),
		cmocka_unit_test(ports_are_counted_with_the_networks_around),
		cmocka_unit_test(budget_is_read_when_good),
		cmocka_unit_test(budget_is_refused_when_bad),
		cmocka_unit_test(budget_list_is_refused_when_bad),
		cmocka_unit_test(budget_formats_as_written_when_read_back),
		cmocka_unit_test(rule_is_refused_when_bad),
		cmocka_unit_test(rules_are_refused_when_no_list_of_maps),
		cmocka_unit_test(limits_hold_when_one_is_too_many),
		cmocka_unit_test(releases_are_bounded_when_one_is_too_many),
		cmocka_unit_test(
			networks_are_bounded_in_total_when_one_is_too_many),
		cmocka_unit_test(strings_are_bounded_when_one_is_too_long),
		cmocka_unit_test(errors_are_collected_in_order_when_many),
		cmocka_unit_test(errors_are_counted_when_more_than_fit),
		cmocka_unit_test(errors_quote_safely_when_text_is_hostile),
		cmocka_unit_test(long_values_are_cut_when_quoted),
		cmocka_unit_test(load_refuses_when_not_a_readable_regular_file),
		cmocka_unit_test(load_reads_and_refuses_by_size),
		cmocka_unit_test(read_takes_all_when_the_size_is_not_told),
		cmocka_unit_test(parse_refuses_when_buffer_too_large),
		cmocka_unit_test(host_is_covered_when_a_glob_matches),
		cmocka_unit_test(
			address_belongs_to_longest_prefix_with_the_port),
		cmocka_unit_test(explain_refuses_when_unknown),
		cmocka_unit_test(unit_matches_when_the_system_says_so),
		cmocka_unit_test(cgroup_matches_when_at_or_below),
		cmocka_unit_test(account_matches_by_name_or_number),
		cmocka_unit_test(login_matches_by_who_logged_in),
		cmocka_unit_test(rule_wins_when_most_specific_then_first),
		cmocka_unit_test(
			subject_defined_first_wins_when_equally_specific),
		cmocka_unit_test(explanation_says_all_when_asked),
		cmocka_unit_test(declassifier_is_the_first_that_matches),
		cmocka_unit_test(
			release_falls_to_star_then_none_when_not_named),
		cmocka_unit_test(everything_is_refused_when_no_rule_covers),
		cmocka_unit_test(names_are_found_when_defined),
		cmocka_unit_test(words_are_those_of_the_file),
		cmocka_unit_test(warnings_are_none_when_policy_is_plain),
		cmocka_unit_test(warning_tells_when_dates_are_off),
		cmocka_unit_test(warning_tells_when_not_everyone_is_covered),
		cmocka_unit_test(warning_tells_when_a_rule_never_wins),
		cmocka_unit_test(
			warning_tells_when_a_rule_says_too_much_or_too_little),
		cmocka_unit_test(
			warning_tells_when_hosts_cannot_compare_a_name),
		cmocka_unit_test(warning_tells_when_nothing_uses_it),
		cmocka_unit_test(warning_tells_when_narrow_has_no_measure),
		cmocka_unit_test(warning_tells_when_narrow_is_not_or_too_much),
		cmocka_unit_test(warning_tells_when_a_rule_cannot_enforce),
		cmocka_unit_test(
			warning_tells_when_paths_lie_inside_each_other),
		cmocka_unit_test(warning_tells_when_a_network_stands_twice),
		cmocka_unit_test(
			warning_tells_when_a_destination_has_all_of_fuse),
		cmocka_unit_test(note_tells_records_when_a_budget_counts_bytes),
		cmocka_unit_test(
			note_tells_what_is_written_down_when_rows_have_keys),
		cmocka_unit_test(note_lists_declassifiers_when_there_are_any),
		cmocka_unit_test(note_lists_quiet_files_when_there_are_any),
		cmocka_unit_test(
			findings_tell_when_quiet_files_or_following_is_missing),
		cmocka_unit_test(note_tells_when_there_is_no_declassifier),
		cmocka_unit_test(
			warning_tells_when_anybody_can_be_a_declassifier),
		cmocka_unit_test(warning_tells_when_a_cap_never_counts),
		cmocka_unit_test(capacity_is_bounded_when_numbers_are_huge),
		cmocka_unit_test(capacity_is_told_of_every_byte_budget),
		cmocka_unit_test(capacity_is_cut_when_there_is_little_room),
		cmocka_unit_test(warnings_hold_when_every_dataset_exists),
		cmocka_unit_test(
			examples_parse_and_warn_of_nothing_when_shipped),
		cmocka_unit_test(
			manual_parses_and_warns_of_nothing_when_followed),
		cmocka_unit_test(
			print_shop_works_and_leaks_nothing_when_followed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
