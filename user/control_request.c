// SPDX-License-Identifier: GPL-2.0-only
/*
 * Requests and errors as they stand on a line.
 */
#include "control_internal.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "text.h"

enum field {
	FIELD_FOLLOW,
	FIELD_SINCE,
	FIELD_DATASET,
	FIELD_SUBJECT,
	FIELD_DESTINATION,
	FIELD_PID,
	FIELD_FILE,
	FIELD_ACT,
	FIELD_LASTS,
	FIELD_SERIAL,
	FIELD_REASON,
	FIELD_BUNDLE,
	FIELD_MAX
};

static const char *const field_names[FIELD_MAX] = {
	[FIELD_FOLLOW] = "follow",
	[FIELD_SINCE] = "since",
	[FIELD_DATASET] = "dataset",
	[FIELD_SUBJECT] = "subject",
	[FIELD_DESTINATION] = "destination",
	[FIELD_PID] = "pid",
	[FIELD_FILE] = "file",
	[FIELD_ACT] = "act",
	[FIELD_LASTS] = "lasts",
	[FIELD_SERIAL] = "serial",
	[FIELD_REASON] = "reason",
	[FIELD_BUNDLE] = "bundle",
};

/* The fields that each verb has. */
static const struct {
	const char *name;
	unsigned int fields;
	bool roots;
} verbs[CONTROL_VERB_MAX] = {
	[CONTROL_STATUS] = {"status", 0, false},
	[CONTROL_EVENTS] = {"events", 1 << FIELD_FOLLOW | 1 << FIELD_SINCE,
			    false},
	[CONTROL_LEDGER] = {"ledger",
			    1 << FIELD_DATASET | 1 << FIELD_SUBJECT |
				    1 << FIELD_DESTINATION,
			    false},
	[CONTROL_DOCTOR] = {"doctor", 0, false},
	[CONTROL_EXPLAIN] = {"explain", 1 << FIELD_PID | 1 << FIELD_FILE,
			     false},
	[CONTROL_ACT_REQUEST] = {"act-request",
				 1 << FIELD_ACT | 1 << FIELD_LASTS |
					 1 << FIELD_SERIAL | 1 << FIELD_REASON,
				 true},
	[CONTROL_ACT_APPLY] = {"act-apply", 1 << FIELD_FILE | 1 << FIELD_BUNDLE,
			       true},
	[CONTROL_ACT_END] = {"act-end", 0, true},
};

static const struct {
	const char *name;
	int error; /* what control_call() makes of it */
} errors[CONTROL_ERROR_MAX] = {
	[CONTROL_DENIED] = {"denied", -EACCES},
	[CONTROL_REFUSED] = {"refused", -EPROTO},
	[CONTROL_UNKNOWN] = {"unknown", -ESRCH},
	[CONTROL_BUSY] = {"busy", -EBUSY},
	[CONTROL_SLOW] = {"slow", -EPIPE},
	[CONTROL_FAILED] = {"failed", -EIO},
};

const char *control_verb_name(enum control_verb verb)
{
	return verb < CONTROL_VERB_MAX ? verbs[verb].name : "?";
}

bool control_verb_is_roots(enum control_verb verb)
{
	return verb < CONTROL_VERB_MAX && verbs[verb].roots;
}

const char *control_error_name(enum control_error code)
{
	return code < CONTROL_ERROR_MAX ? errors[code].name : "?";
}

int control_error_number(const char *name)
{
	for (int i = 0; i < CONTROL_ERROR_MAX; i++)
		if (strcmp(name, errors[i].name) == 0)
			return errors[i].error;
	return -EPROTO;
}

int control_refuse(char *error, const char *format, ...)
{
	va_list ap;

	va_start(ap, format);
	(void)vsnprintf(error, CONTROL_ERROR_CHARS_MAX, format, ap);
	va_end(ap);
	return -EINVAL;
}

static int find_verb(const json_t *object, enum control_verb *ret_verb,
		     char *error)
{
	const json_t *value = json_object_get(object, "verb");
	char quoted[TEXT_QUOTE_CHARS_MAX];

	if (!json_is_string(value))
		return control_refuse(error,
				      "the request has no \"verb\" that is a "
				      "string");
	for (int i = 0; i < CONTROL_VERB_MAX; i++)
		if (strcmp(json_string_value(value), verbs[i].name) == 0) {
			*ret_verb = (enum control_verb)i;
			return 0;
		}
	text_quote(json_string_value(value), json_string_length(value), quoted,
		   sizeof(quoted));
	return control_refuse(error,
			      "unknown verb %s: this agent speaks another "
			      "version of the protocol, update the older side",
			      quoted);
}

static int take_text(const char *key, const json_t *value, size_t size,
		     char *ret_text, char *error)
{
	size_t len = json_string_length(value);

	if (!json_is_string(value))
		return control_refuse(error, "\"%s\" is not a string", key);
	if (len >= size)
		return control_refuse(error, "\"%s\" is longer than %zu bytes",
				      key, size - 1);
	if (!text_is_clean(json_string_value(value), len, ""))
		return control_refuse(
			error, "\"%s\" has characters that no name has", key);
	memcpy(ret_text, json_string_value(value), len + 1);
	return 0;
}

static int take_name(const char *key, const json_t *value, char *ret_name,
		     char *error)
{
	return take_text(key, value, CORDON_NAME, ret_name, error);
}

/* The agent's own directory is nobody else's. */
static int take_file(const struct control_request *request, const char *key,
		     const json_t *value, char *ret_file, char *error)
{
	/* What it has read is only called that. */
	if (request->verb != CONTROL_ACT_APPLY && json_is_string(value) &&
	    json_string_value(value)[0] != '/')
		return control_refuse(error, "\"%s\" does not begin with /",
				      key);
	return take_text(key, value, CONTROL_FILE_MAX, ret_file, error);
}

static int take_pid(const char *key, const json_t *value, uint32_t *ret_pid,
		    char *error)
{
	json_int_t pid = json_integer_value(value);

	if (!json_is_integer(value) || pid < 1 || pid > 1 << CORDON_TGID_BITS)
		return control_refuse(
			error, "\"%s\" is not the number of a process", key);
	*ret_pid = (uint32_t)pid;
	return 0;
}

static int take_serial(const char *key, const json_t *value,
		       uint64_t *ret_serial, char *error)
{
	if (!json_is_integer(value) || json_integer_value(value) < 1)
		return control_refuse(error, "\"%s\" is not a number from 1",
				      key);
	*ret_serial = (uint64_t)json_integer_value(value);
	return 0;
}

static int take_bundle(const char *key, json_t *value, json_t **ret_bundle,
		       char *error)
{
	if (!json_is_object(value))
		return control_refuse(error, "\"%s\" is not an object", key);
	*ret_bundle = json_incref(value);
	return 0;
}

static int take_field(struct control_request *request, const char *key,
		      json_t *value, char *error)
{
	char quoted[TEXT_QUOTE_CHARS_MAX];
	int field;

	for (field = 0; field < FIELD_MAX; field++)
		if (strcmp(key, field_names[field]) == 0)
			break;
	if (field == FIELD_MAX ||
	    !(verbs[request->verb].fields & 1U << field)) {
		text_quote(key, strlen(key), quoted, sizeof(quoted));
		return control_refuse(error, "\"%s\" has no field %s",
				      verbs[request->verb].name, quoted);
	}

	switch ((enum field)field) {
	case FIELD_FOLLOW:
		if (!json_is_boolean(value))
			return control_refuse(
				error, "\"%s\" is neither true nor false", key);
		request->follow = json_is_true(value);
		return 0;
	case FIELD_SINCE:
		if (!json_is_integer(value) || json_integer_value(value) < 0)
			return control_refuse(error,
					      "\"%s\" is not a number of "
					      "seconds since 1970",
					      key);
		request->since_s = json_integer_value(value);
		return 0;
	case FIELD_DATASET:
		return take_name(key, value, request->dataset, error);
	case FIELD_SUBJECT:
		return take_name(key, value, request->subject, error);
	case FIELD_DESTINATION:
		return take_name(key, value, request->destination, error);
	case FIELD_PID:
		return take_pid(key, value, &request->pid, error);
	case FIELD_FILE:
		return take_file(request, key, value, request->file, error);
	case FIELD_ACT:
		return take_text(key, value, sizeof(request->act), request->act,
				 error);
	case FIELD_LASTS:
		return take_text(key, value, sizeof(request->lasts),
				 request->lasts, error);
	case FIELD_SERIAL:
		return take_serial(key, value, &request->serial, error);
	case FIELD_REASON:
		return take_text(key, value, sizeof(request->reason),
				 request->reason, error);
	case FIELD_BUNDLE:
		return take_bundle(key, value, &request->bundle, error);
	case FIELD_MAX:
		break;
	}
	return -EINVAL;
}

int control_check_version(const json_t *object, char *error)
{
	const json_t *value = json_object_get(object, "cordon");

	if (!json_is_integer(value))
		return control_refuse(error,
				      "the request has no \"cordon\" that is "
				      "the protocol's version");
	if (json_integer_value(value) != CONTROL_VERSION)
		return control_refuse(
			error,
			"version %lld of the protocol; this side speaks "
			"%d: update the older one",
			(long long)json_integer_value(value), CONTROL_VERSION);
	return 0;
}

/* The fields without which a verb means nothing. */
static int check_whole(const struct control_request *request, char *error)
{
	if (request->verb == CONTROL_EXPLAIN &&
	    !request->pid == !request->file[0])
		return control_refuse(error,
				      "\"explain\" wants a pid or a file");
	if (request->verb == CONTROL_ACT_REQUEST && !request->act[0])
		return control_refuse(error, "\"act-request\" wants an act");
	if (request->verb == CONTROL_ACT_APPLY &&
	    (!request->file[0] || !request->bundle))
		return control_refuse(
			error, "\"act-apply\" wants a file and a bundle");
	return 0;
}

void control_request_release(struct control_request *request)
{
	json_decref(request->bundle);
	*request = (struct control_request){0};
}

int control_request_parse(const char *line, size_t len,
			  struct control_request *ret_request, char *error)
{
	struct control_request request = {0};
	json_t *object = NULL, *value;
	json_error_t why;
	const char *key;
	int r;

	object = json_loadb(line, len, JSON_REJECT_DUPLICATES, &why);
	if (!object && json_error_code(&why) == json_error_out_of_memory) {
		r = -ENOMEM;
		goto out;
	}
	if (!json_is_object(object)) {
		r = control_refuse(error,
				   "a request is one JSON object on one line%s"
				   "%.100s",
				   object ? "" : ": ", object ? "" : why.text);
		goto out;
	}
	r = control_check_version(object, error);
	if (r)
		goto out;
	r = find_verb(object, &request.verb, error);
	if (r)
		goto out;
	json_object_foreach (object, key, value) {
		if (strcmp(key, "cordon") == 0 || strcmp(key, "verb") == 0)
			continue;
		r = take_field(&request, key, value, error);
		if (r)
			goto out;
	}
	r = check_whole(&request, error);
	if (r)
		goto out;

	*ret_request = request;
	request.bundle = NULL;
out:
	control_request_release(&request);
	json_decref(object);
	return r;
}

/* Adds value, which it steals, or notes that it could not. */
static void put(json_t *object, const char *key, json_t *value, int *r)
{
	if (json_object_set_new(object, key, value) < 0 && !*r)
		*r = -ENOMEM;
}

static void put_name(json_t *object, const char *key, const char *name, int *r)
{
	if (name[0] == '\0')
		return;
	if (!text_is_clean(name, strlen(name), "")) {
		*r = -EINVAL;
		return;
	}
	put(object, key, json_string(name), r);
}

int control_request_format(const struct control_request *request,
			   char **ret_line)
{
	json_t *object = NULL;
	char *text = NULL, *line = NULL;
	int r = 0;

	object = json_pack("{s:i, s:s}", "cordon", CONTROL_VERSION, "verb",
			   control_verb_name(request->verb));
	if (!object)
		return -ENOMEM;
	if (request->follow)
		put(object, "follow", json_true(), &r);
	if (request->since_s)
		put(object, "since", json_integer(request->since_s), &r);
	put_name(object, "dataset", request->dataset, &r);
	put_name(object, "subject", request->subject, &r);
	put_name(object, "destination", request->destination, &r);
	if (request->pid)
		put(object, "pid", json_integer(request->pid), &r);
	put_name(object, "file", request->file, &r);
	put_name(object, "act", request->act, &r);
	put_name(object, "lasts", request->lasts, &r);
	if (request->serial)
		put(object, "serial", json_integer((json_int_t)request->serial),
		    &r);
	put_name(object, "reason", request->reason, &r);
	if (request->bundle)
		put(object, "bundle", json_incref(request->bundle), &r);
	if (r)
		goto out;

	r = -ENOMEM;
	text = json_dumps(object, JSON_COMPACT);
	if (!text)
		goto out;
	r = -EMSGSIZE;
	if (strlen(text) >= CONTROL_LINE_MAX)
		goto out;
	r = -ENOMEM;
	if (asprintf(&line, "%s\n", text) < 0)
		goto out;

	*ret_line = line;
	r = 0;
out:
	free(text);
	json_decref(object);
	return r;
}
