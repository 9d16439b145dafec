// SPDX-License-Identifier: GPL-2.0-only
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include <errno.h>
#include <unistd.h>

#include "enrolment.h"
#include "kind.h"
#include "trust.h"

static struct policy_errors errs;
static struct sign_key key, other;
static char dir[] = "/tmp/cordon-enrolment-XXXXXX";

static void make_key(const char *name, struct sign_key *ret_key)
{
	char path[128];
	bool made;

	(void)snprintf(path, sizeof(path), "%s/%s", dir, name);
	assert_int_equal(sign_key_load(path, ret_key, &made), 0);
	(void)unlink(path);
}

static int make_keys(void **state)
{
	(void)state;
	if (!mkdtemp(dir))
		return -1;
	make_key("a", &key);
	make_key("b", &other);
	return rmdir(dir);
}

/* ---- requests ------------------------------------------------------------ */

static void request_is_read_as_it_was_made(void **state)
{
	char text[ENROLMENT_REQUEST_CHARS_MAX];
	struct enrolment_request request;

	(void)state;
	assert_int_equal(enrolment_request_make(&key, "print-1.example", text),
			 0);
	assert_int_equal(enrolment_request_parse("r", text, strlen(text),
						 &request, &errs),
			 0);
	assert_string_equal(request.host, "print-1.example");
	assert_memory_equal(&request.key, &key.public, sizeof(request.key));
}

static void request_is_refused_when_a_byte_is_another(void **state)
{
	char text[ENROLMENT_REQUEST_CHARS_MAX];
	struct enrolment_request request;
	size_t len;
	char was;

	(void)state;
	assert_int_equal(enrolment_request_make(&key, "print-1", text), 0);
	len = strlen(text);
	/* But for the newline at the end, which is nothing of it. */
	for (size_t i = 0; i + 1 < len; i++) {
		was = text[i];
		text[i] = was == 'x' ? 'y' : 'x';
		if (!enrolment_request_parse("r", text, len, &request, &errs))
			fail_msg("byte %zu is not looked at", i);
		assert_true(errs.n > 0);
		text[i] = was;
	}
	/* Nor is half of one taken, or more than one. */
	for (size_t i = 0; i < len - 2; i++)
		assert_int_not_equal(
			enrolment_request_parse("r", text, i, &request, &errs),
			0);
}

static void request_is_refused_for_what_is_no_host(void **state)
{
	static const char *const hosts[] = {"", "a b", "a/b", "*", ">", "a\nb"};
	char text[ENROLMENT_REQUEST_CHARS_MAX];
	char name[FLEET_NAME_CHARS_MAX + 2];

	(void)state;
	for (size_t i = 0; i < sizeof(hosts) / sizeof(hosts[0]); i++)
		assert_int_equal(enrolment_request_make(&key, hosts[i], text),
				 -EINVAL);
	memset(name, 'a', sizeof(name));
	name[FLEET_NAME_CHARS_MAX + 1] = '\0';
	assert_int_equal(enrolment_request_make(&key, name, text), -EINVAL);
	name[FLEET_NAME_CHARS_MAX] = '\0';
	assert_int_equal(enrolment_request_make(&key, name, text), 0);
}

/* ---- enrolments ---------------------------------------------------------- */

static struct enrolment an_enrolment(void)
{
	struct enrolment enrolment = {.issuer = "Police \"A\" \\ B",
				      .host = "print-1.example",
				      .key = key.public,
				      .n_servers = 2,
				      .n_groups = 1,
				      .serial = 3};

	memset(&enrolment.seal, 7, sizeof(enrolment.seal));
	(void)strcpy(enrolment.servers[0], "tls://broker.example:4222");
	(void)strcpy(enrolment.servers[1], "tls://[2001:db8::1]:4222");
	(void)strcpy(enrolment.groups[0], "print-shops");
	return enrolment;
}

static void enrolment_is_read_as_it_was_written(void **state)
{
	struct enrolment before = an_enrolment(), *after = NULL;
	char *text = NULL;

	(void)state;
	assert_int_equal(enrolment_format(&before, &text), 0);
	assert_int_equal(kind_of(text), KIND_ENROLMENT);
	assert_int_equal(
		enrolment_parse("e", text, strlen(text), &after, &errs), 0);
	assert_string_equal(after->issuer, before.issuer);
	assert_string_equal(after->host, before.host);
	assert_memory_equal(&after->key, &before.key, sizeof(after->key));
	assert_memory_equal(&after->seal, &before.seal, sizeof(after->seal));
	assert_int_equal(after->n_servers, 2);
	assert_string_equal(after->servers[1], before.servers[1]);
	assert_int_equal(after->n_groups, 1);
	assert_string_equal(after->groups[0], "print-shops");
	assert_int_equal(after->serial, 3);
	assert_int_equal(strlen(after->sha256), 64);
	enrolment_free(after);
	free(text);
}

/* A text of which nothing is amiss but for what stands in line `what'. */
static const char *with(const char *what, const char *line)
{
	char own[SIGN_PUBLIC_CHARS_MAX + 8];
	const char *lines[][2] = {
		{"cordon-enrolment", "cordon-enrolment: 1"},
		{"issuer", "issuer: Police"},
		{"host", "host: print-1"},
		{"key", own},
		{"seal", "seal: CQAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="},
		{"servers", "servers: [\"tls://b:4222\"]"},
		{"serial", "serial: 1"},
	};
	static char text[2048];
	size_t len = 0;

	(void)strcpy(own, "key: ");
	sign_public_format(&key.public, own + 5);
	for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++)
		len += (size_t)snprintf(
			text + len, sizeof(text) - len, "%s\n",
			strcmp(lines[i][0], what) == 0 ? line : lines[i][1]);
	return text;
}

static void bad_enrolment_is_refused_where_it_is_bad(void **state)
{
	static const struct {
		const char *what, *line, *error;
	} cases[] = {
		{"cordon-enrolment", "cordon: 1",
		 "found a policy, expected an enrolment"},
		{"cordon-enrolment", "cordon-trust: 1",
		 "found trust anchors, expected an enrolment"},
		{"cordon-enrolment", "cordon-enrolment: 2", "from 1 to 1"},
		{"issuer", "", "key \"issuer\" is missing"},
		{"issuer", "issuer: a\nissuer: b", "stands twice"},
		{"host", "host: a b", "host is \"a b\""},
		{"host", "host: [a]", "host is a list"},
		{"key", "key: AAAA", "which is no key"},
		{"key", "key: AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAB=",
		 "which is no key"},
		{"seal", "seal: {a: b}", "seal is a map"},
		{"servers", "servers: []", "an empty list"},
		{"servers", "servers: [\"nats://b:4222\"]", "a server is"},
		{"servers", "servers: [\"tls://u:p@b:4222\"]", "a server is"},
		{"servers", "servers: [\"tls://b:4222/x\"]", "a server is"},
		{"servers", "servers: [\"tls://b:0\"]", "a server is"},
		{"servers", "servers: [\"tls://[::1\"]", "a server is"},
		{"serial", "serial: 0", "serial is \"0\""},
		{"serial", "serial: 1\ngroups: [\"a.b\"]", "a group is"},
		{"serial", "serial: 1\ngroups: [\">\"]", "a group is"},
		{"serial", "serial: 1\nmore: 1", "unknown key \"more\""},
	};
	struct enrolment *enrolment = NULL;
	const char *text;

	(void)state;
	text = with("", "");
	assert_int_equal(
		enrolment_parse("e", text, strlen(text), &enrolment, &errs), 0);
	enrolment_free(enrolment);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		text = with(cases[i].what, cases[i].line);
		enrolment = NULL;
		if (enrolment_parse("e", text, strlen(text), &enrolment,
				    &errs) != -EINVAL ||
		    !strstr(errs.v[0].text, cases[i].error))
			fail_msg("%s: %s", cases[i].line,
				 errs.n ? errs.v[0].text : "no error");
		assert_null(enrolment);
	}
}

static void enrolment_is_refused_when_it_is_too_long(void **state)
{
	char *text = malloc(ENROLMENT_FILE_BYTES_MAX + 1);
	struct enrolment *enrolment = NULL;

	(void)state;
	assert_non_null(text);
	memset(text, '#', ENROLMENT_FILE_BYTES_MAX + 1);
	assert_int_equal(enrolment_parse("e", text,
					 ENROLMENT_FILE_BYTES_MAX + 1,
					 &enrolment, &errs),
			 -E2BIG);
	free(text);
}

/* No file is two things, so that a signature of one is none of another. */
static void enrolment_is_nothing_else(void **state)
{
	struct enrolment written = an_enrolment(), *enrolment = NULL;
	struct policy *policy = NULL;
	struct trust *trust = NULL;
	char *text = NULL;

	(void)state;
	assert_int_equal(enrolment_format(&written, &text), 0);
	assert_int_equal(policy_parse("e", text, strlen(text), &policy, &errs),
			 -EINVAL);
	assert_int_equal(trust_parse("e", text, strlen(text), &trust, &errs),
			 -EINVAL);
	free(text);
	text = (char *)"cordon: 1\nissuer: P\nserial: 1\nmode: enforce\n"
		       "datasets: {}\nrules: []\n";
	assert_int_equal(kind_of(text), KIND_POLICY);
	assert_int_equal(
		enrolment_parse("e", text, strlen(text), &enrolment, &errs),
		-EINVAL);
}

static void enrolment_fits_this_host_alone(void **state)
{
	struct enrolment enrolment = an_enrolment();
	char why[512];

	(void)state;
	assert_true(enrolment_fits(&enrolment, &key.public, enrolment.issuer,
				   why, sizeof(why)));
	assert_false(enrolment_fits(&enrolment, &other.public, enrolment.issuer,
				    why, sizeof(why)));
	assert_non_null(strstr(why, "it is for the host print-1.example"));
	assert_false(enrolment_fits(&enrolment, &key.public, "Others", why,
				    sizeof(why)));
	assert_non_null(strstr(why, "its issuer is"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(request_is_read_as_it_was_made),
		cmocka_unit_test(request_is_refused_when_a_byte_is_another),
		cmocka_unit_test(request_is_refused_for_what_is_no_host),
		cmocka_unit_test(enrolment_is_read_as_it_was_written),
		cmocka_unit_test(bad_enrolment_is_refused_where_it_is_bad),
		cmocka_unit_test(enrolment_is_refused_when_it_is_too_long),
		cmocka_unit_test(enrolment_is_nothing_else),
		cmocka_unit_test(enrolment_fits_this_host_alone),
	};

	return cmocka_run_group_tests(tests, make_keys, NULL);
}
