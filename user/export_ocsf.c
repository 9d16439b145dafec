// SPDX-License-Identifier: GPL-2.0-only
/*
 * An incident as a Data Security Finding of OCSF, with the profiles
 * security_control and incident. Which members and numbers there are is what
 * tests/unit/golden/ocsf-1.5.0.json has; cordon(1), EXPORT, says what stands
 * for what.
 */
#include "attack.h"
#include "export_internal.h"
#include "log.h"
#include "text.h"
#include "version.h"

#include <arpa/inet.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CATEGORY 2
#define CLASS	 2006

enum activity { ACTIVITY_CREATE = 1, ACTIVITY_UPDATE, ACTIVITY_CLOSE };

/* What one is made of. */
struct finding {
	const struct export *export;
	const json_t *line;
	const json_t *act;
	const json_t *actor; /* NULL: not known */
	bool failed;	     /* a member is missing for want of memory */
};

/* A number with the word for it, as the schema has both. */
struct choice {
	int id;
	const char *name;
};

/* ---- members ------------------------------------------------------------- */

static void put(struct finding *f, json_t *object, const char *key,
		json_t *value)
{
	if (json_object_set_new(object, key, value))
		f->failed = true;
}

/* Clean, whatever the log has: a console may be where it is shown. */
static void put_text(struct finding *f, json_t *object, const char *key,
		     const char *text)
{
	char clean[EVIDENCE_LINE_MAX];

	if (!text[0])
		return;
	(void)snprintf(clean, sizeof(clean), "%s", text);
	log_clean(clean);
	put(f, object, key, json_string(clean));
}

static void put_number(struct finding *f, json_t *object, const char *key,
		       int64_t n)
{
	put(f, object, key, json_integer(n));
}

static void put_choice(struct finding *f, json_t *object, const char *id,
		       const char *name, const struct choice *choice)
{
	put_number(f, object, id, choice->id);
	put_text(f, object, name, choice->name);
}

/* Steals what it puts; one without members is none. */
static void put_object(struct finding *f, json_t *object, const char *key,
		       json_t *value)
{
	if (!value)
		f->failed = true;
	else if (json_is_array(value) ? json_array_size(value)
				      : json_object_size(value))
		put(f, object, key, value);
	else
		json_decref(value);
}

static void append(struct finding *f, json_t *array, json_t *value)
{
	if (json_array_append_new(array, value))
		f->failed = true;
}

/* A moment of the line, in milliseconds. */
static void put_time(struct finding *f, json_t *object, const char *key,
		     const json_t *line, const char *from)
{
	int64_t ms;

	if (!text_parse_time_ms(evidence_text(line, from), &ms))
		put_number(f, object, key, ms);
}

/* A number of the line as the text that an identifier is. */
static void put_uid(struct finding *f, json_t *object, const json_t *line,
		    const char *from)
{
	char text[32];
	int64_t n;

	if (!export_number(line, from, &n))
		return;
	(void)snprintf(text, sizeof(text), "%" PRId64, n);
	put_text(f, object, "uid", text);
}

static int64_t count_of(const struct finding *f, const char *key)
{
	int64_t n = 0;

	(void)export_number(f->line, key, &n);
	return n;
}

static bool is_state(const struct finding *f, const char *state)
{
	return strcmp(evidence_text(f->line, "state"), state) == 0;
}

static bool is_read(const struct finding *f)
{
	const char *to = evidence_text(f->act, "destination");

	return !to[0] || strcmp(to, "read") == 0 || strcmp(to, "intake") == 0;
}

static bool is_address(const char *text)
{
	unsigned char bytes[sizeof(struct in6_addr)];

	return inet_pton(AF_INET, text, bytes) == 1 ||
	       inet_pton(AF_INET6, text, bytes) == 1;
}

/* ---- what it is ---------------------------------------------------------- */

/* The same for all lines of an incident, and for no other of any host. */
static void incident_uid(const struct finding *f, char *buf, size_t size)
{
	const struct export *export = f->export;

	(void)snprintf(buf, size, "%s:%" PRId64,
		       export->key[0]	 ? export->key
		       : export->host[0] ? export->host
					 : "unknown",
		       count_of(f, "incident"));
}

static void put_class(struct finding *f, json_t *out)
{
	static const struct choice activities[] = {
		[ACTIVITY_CREATE] = {ACTIVITY_CREATE, "Create"},
		[ACTIVITY_UPDATE] = {ACTIVITY_UPDATE, "Update"},
		[ACTIVITY_CLOSE] = {ACTIVITY_CLOSE, "Close"},
	};
	const struct choice *activity =
		&activities[is_state(f, "opened")   ? ACTIVITY_CREATE
			    : is_state(f, "closed") ? ACTIVITY_CLOSE
						    : ACTIVITY_UPDATE];
	char type[64];

	(void)snprintf(type, sizeof(type), "Data Security Finding: %s",
		       activity->name);
	put_choice(f, out, "activity_id", "activity_name", activity);
	put_choice(f, out, "category_uid", "category_name",
		   &(struct choice){CATEGORY, "Findings"});
	put_choice(f, out, "class_uid", "class_name",
		   &(struct choice){CLASS, "Data Security Finding"});
	put_choice(f, out, "type_uid", "type_name",
		   &(struct choice){CLASS * 100 + activity->id, type});
}

/* What went on beyond a budget is worse than what was refused. */
static void put_severity(struct finding *f, json_t *out)
{
	static const struct choice high = {4, "High"};
	static const struct choice critical = {5, "Critical"};
	static const struct choice impacts[] = {
		{1, "Low"}, {2, "Medium"}, {3, "High"}};
	bool alerted = count_of(f, "alerted") > 0 ||
		       strcmp(evidence_text(f->line, "verdict"), "alert") == 0;

	put_choice(f, out, "severity_id", "severity",
		   alerted ? &critical : &high);
	put_choice(f, out, "impact_id", "impact",
		   &impacts[alerted				? 2
			    : count_of(f, "released_bytes") > 0 ? 1
								: 0]);
	put(f, out, "is_suspected_breach", json_boolean(alerted));
	put(f, out, "is_alert",
	    json_boolean(is_state(f, "opened") || is_state(f, "reopened")));
	/* A budget is counted, not guessed at. */
	put_choice(f, out, "confidence_id", "confidence",
		   &(struct choice){3, "High"});
}

/* Whether somebody reviewed it is not the guard's to say. */
static void put_status(struct finding *f, json_t *out)
{
	static const struct choice fresh = {1, "New"};
	static const struct choice closed = {99, "Closed"};
	static const struct choice unknown = {0, "Unknown"};

	put_choice(f, out, "status_id", "status",
		   is_state(f, "closed") ? &closed : &fresh);
	put_text(f, out, "status_detail", evidence_text(f->line, "why"));
	put_choice(f, out, "verdict_id", "verdict", &unknown);
}

static void put_action(struct finding *f, json_t *out)
{
	static const struct {
		const char *verdict;
		struct choice action;
		struct choice disposition;
	} known[] = {
		{"block", {2, "Denied"}, {2, "Blocked"}},
		{"alert", {1, "Allowed"}, {15, "Detected"}},
		{"", {0, "Unknown"}, {0, "Unknown"}},
	};
	const char *verdict = evidence_text(f->line, "verdict");
	size_t i = 0;

	while (known[i].verdict[0] && strcmp(known[i].verdict, verdict) != 0)
		i++;
	put_choice(f, out, "action_id", "action", &known[i].action);
	put_choice(f, out, "disposition_id", "disposition",
		   &known[i].disposition);
}

static void put_metadata(struct finding *f, json_t *out, const char *uid)
{
	json_t *metadata = json_object(), *product = json_object();
	char number[96];

	put_text(f, product, "name", "Cordon");
	put_text(f, product, "vendor_name", "Cordon");
	put_text(f, product, "version", CORDON_VERSION);
	put_text(f, metadata, "version", EXPORT_OCSF_VERSION);
	put_object(f, metadata, "product", product);
	put(f, metadata, "profiles",
	    json_pack("[s, s]", "security_control", "incident"));
	(void)snprintf(number, sizeof(number), "%" PRId64, count_of(f, "seq"));
	put_text(f, metadata, "uid", number);
	put_number(f, metadata, "sequence", count_of(f, "seq"));
	put_text(f, metadata, "correlation_uid", uid);
	put_text(f, metadata, "log_name", "evidence");
	put_text(f, metadata, "log_provider", "cordond");
	put_text(f, metadata, "original_time", evidence_text(f->line, "time"));
	put_object(f, out, "metadata", metadata);
}

/* ---- techniques ---------------------------------------------------------- */

static json_t *technique_of(struct finding *f, const char *id)
{
	const struct attack *attack = attack_find(id);
	json_t *technique = json_object();

	put_text(f, technique, "name", attack ? attack->name : "");
	put_text(f, technique, "uid", id);
	return technique;
}

static json_t *attack_of(struct finding *f, const char *id)
{
	const struct attack *known = attack_find(id);
	json_t *attack = json_object(), *tactic = json_object();
	size_t whole = strcspn(id, ".");
	char parent[16];

	/* T1074.001 is a part of T1074. */
	(void)snprintf(parent, sizeof(parent), "%.*s", (int)whole, id);
	put_text(f, tactic, "name", known ? known->tactic_name : "");
	put_text(f, tactic, "uid", known ? known->tactic : "");
	put_object(f, attack, "tactic", tactic);
	put_object(f, attack, "technique", technique_of(f, parent));
	if (id[whole])
		put_object(f, attack, "sub_technique", technique_of(f, id));
	return attack;
}

static json_t *attacks_of(struct finding *f)
{
	json_t *attacks = json_array();
	const json_t *item;
	size_t i;

	json_array_foreach (json_object_get(f->line, "techniques"), i, item)
		if (json_string_length(item))
			append(f, attacks,
			       attack_of(f, json_string_value(item)));
	return attacks;
}

/* ---- the finding --------------------------------------------------------- */

static void put_analytic(struct finding *f, json_t *info)
{
	const char *rule = evidence_text(f->act, "rule");
	json_t *analytic;

	if (!rule[0])
		return;
	analytic = json_object();
	put_text(f, analytic, "name", rule);
	put_choice(f, analytic, "type_id", "type", &(struct choice){1, "Rule"});
	put_object(f, info, "analytic", analytic);
}

static void put_info(struct finding *f, json_t *out, const char *uid)
{
	const char *comm = evidence_text(f->line, "comm");
	const char *dataset = evidence_text(f->act, "dataset");
	char title[512], words[EXPORT_WORDS_MAX];
	json_t *info = json_object();

	(void)snprintf(title, sizeof(title), "Incident %" PRId64 ": %s and %s",
		       count_of(f, "incident"), comm[0] ? comm : "somebody",
		       dataset[0] ? dataset : "protected data");
	export_words(f->line, words);
	put_text(f, info, "uid", uid);
	put_text(f, info, "title", title);
	put_text(f, info, "desc", words);
	put_time(f, info, "created_time", f->line, "first_verdict");
	put_time(f, info, "first_seen_time", f->line, "first");
	put_time(f, info, "last_seen_time", f->line, "last");
	put_time(f, info, "modified_time", f->line, "time");
	put_analytic(f, info);
	put_object(f, info, "attacks", attacks_of(f));
	put(f, info, "types", json_pack("[s]", "incident"));
	put_object(f, out, "finding_info", info);
	put_text(f, out, "message", words);
	put_time(f, out, "start_time", f->line, "first");
	put_time(f, out, "end_time", f->line, "last");
}

/* ---- who ----------------------------------------------------------------- */

static json_t *user_of(struct finding *f, const char *uid, const char *name)
{
	json_t *user = json_object();
	int64_t n;

	put_text(f, user, "name", evidence_text(f->line, name));
	put_uid(f, user, f->line, uid);
	if (export_number(f->line, uid, &n) && n == 0)
		put_choice(f, user, "type_id", "type",
			   &(struct choice){2, "Admin"});
	return user;
}

static json_t *session_of(struct finding *f)
{
	json_t *session = json_object();

	put_uid(f, session, f->line, "session");
	if (evidence_text(f->line, "remote")[0])
		put(f, session, "is_remote", json_true());
	return session;
}

/* NULL: no path is known, and a file has to have a name. */
static json_t *file_of(struct finding *f)
{
	const char *path = evidence_text(f->line, "exe");
	const char *hash = f->actor ? evidence_text(f->actor, "exe_sha256")
				    : "";
	json_t *file;

	if (!path[0])
		return NULL;
	file = json_object();
	put_text(f, file, "name", evidence_base(path));
	put_text(f, file, "path", path);
	put_choice(f, file, "type_id", "type",
		   &(struct choice){1, "Regular File"});
	if (hash[0])
		put(f, file, "hashes",
		    json_pack("[{s:s, s:i, s:s}]", "algorithm", "SHA-256",
			      "algorithm_id", 3, "value", hash));
	return file;
}

static json_t *ancestry_of(struct finding *f)
{
	json_t *ancestry = json_array(), *above;
	const json_t *item;
	int64_t pid;
	size_t i;

	json_array_foreach (json_object_get(f->actor, "ancestry"), i, item) {
		above = json_object();
		put_text(f, above, "name", evidence_text(item, "comm"));
		put_text(f, above, "path", evidence_text(item, "exe"));
		if (export_number(item, "tgid", &pid))
			put_number(f, above, "pid", pid);
		put_time(f, above, "created_time", item, "started");
		append(f, ancestry, above);
	}
	return ancestry;
}

static json_t *process_of(struct finding *f)
{
	json_t *process = json_object(), *file = file_of(f);
	int64_t pid;

	put_text(f, process, "name", evidence_text(f->line, "comm"));
	if (!export_number(f->line, "tgid", &pid)) {
		/* Who has no number is no process that could be found. */
		json_decref(file);
		json_object_clear(process);
		return process;
	}
	put_number(f, process, "pid", pid);
	put_text(f, process, "path", evidence_text(f->line, "exe"));
	if (file)
		put_object(f, process, "file", file);
	put_object(f, process, "user", user_of(f, "uid", "user"));
	put_object(f, process, "session", session_of(f));
	if (f->actor) {
		put_time(f, process, "created_time", f->actor, "started");
		put_object(f, process, "ancestry", ancestry_of(f));
	}
	return process;
}

static void put_actor(struct finding *f, json_t *out)
{
	bool login = evidence_text(f->line, "login")[0];
	json_t *actor = json_object();

	put_object(f, actor, "process", process_of(f));
	/* Who logged in answers for it, whoever it became since. */
	put_object(f, actor, "user",
		   login ? user_of(f, "login_uid", "login")
			 : user_of(f, "uid", "user"));
	put_object(f, actor, "session", session_of(f));
	put_text(f, actor, "app_name", evidence_text(f->line, "unit"));
	put_object(f, out, "actor", actor);
}

/* ---- where --------------------------------------------------------------- */

static void put_endpoints(struct finding *f, json_t *out)
{
	const char *remote = evidence_text(f->line, "remote");
	const char *address = evidence_text(f->act, "address");
	const char *to = evidence_text(f->act, "destination");
	json_t *endpoint = json_object();
	int64_t port;

	put_text(f, endpoint, is_address(remote) ? "ip" : "name", remote);
	put_object(f, out, "src_endpoint", endpoint);
	/* What leaves by a device has no endpoint. */
	if (is_read(f) || !is_address(address))
		return;
	endpoint = json_object();
	put_text(f, endpoint, "ip", address);
	if (export_number(f->act, "port", &port))
		put_number(f, endpoint, "port", port);
	if (strcmp(to, "*") != 0)
		put_text(f, endpoint, "name", to);
	put_object(f, out, "dst_endpoint", endpoint);
}

static void put_device(struct finding *f, json_t *out)
{
	const struct export *export = f->export;
	json_t *device;

	if (!export->host[0] && !export->key[0])
		return;
	device = json_object();
	put_text(f, device, "hostname", export->host);
	put_text(f, device, "uid", export->key);
	put_choice(f, device, "type_id", "type", &(struct choice){1, "Server"});
	put_object(f, out, "device", device);
}

/* ---- what data ----------------------------------------------------------- */

static json_t *policy_of(struct finding *f)
{
	json_t *policy = json_object();
	char serial[32];
	int64_t n;

	put_text(f, policy, "name", evidence_text(f->line, "issuer"));
	put_text(f, policy, "uid", evidence_text(f->line, "policy_sha256"));
	if (!json_object_size(policy))
		return policy;
	if (export_number(f->line, "policy", &n)) {
		(void)snprintf(serial, sizeof(serial), "%" PRId64, n);
		put_text(f, policy, "version", serial);
	}
	put(f, policy, "is_applied", json_true());
	return policy;
}

static void put_data_security(struct finding *f, json_t *out)
{
	static const struct choice in_use = {3, "Data in-Use"};
	static const struct choice in_transit = {2, "Data in-Transit"};
	json_t *data = json_object();

	put_choice(f, data, "category_id", "category",
		   &(struct choice){1, "Personal"});
	put_choice(f, data, "data_lifecycle_state_id", "data_lifecycle_state",
		   is_read(f) ? &in_use : &in_transit);
	put_choice(f, data, "detection_system_id", "detection_system",
		   &(struct choice){1, "Endpoint"});
	put_text(f, data, "detection_pattern", evidence_text(f->act, "rule"));
	put_text(f, data, "pattern_match", evidence_text(f->act, "dataset"));
	put_object(f, data, "policy", policy_of(f));
	put_object(f, out, "data_security", data);
	put_object(f, out, "policy", policy_of(f));
}

static json_t *resource_of(struct finding *f, const json_t *origin)
{
	json_t *resource = json_object();

	put_text(f, resource, "name", evidence_text(origin, "dataset"));
	put_text(f, resource, "type", "dataset");
	put(f, resource, "data", json_deep_copy(origin));
	return resource;
}

static void put_resources(struct finding *f, json_t *out)
{
	const char *address = evidence_text(f->act, "address");
	const char *dataset = evidence_text(f->act, "dataset");
	json_t *resources = json_array(), *bucket;
	const json_t *origin;
	size_t i;

	json_array_foreach (json_object_get(f->line, "origins"), i, origin)
		if (evidence_text(origin, "dataset")[0])
			append(f, resources, resource_of(f, origin));
	if (address[0] && !is_address(address))
		append(f, resources,
		       json_pack("{s:s, s:s}", "name", address, "type",
				 evidence_text(f->act, "channel")));
	put_object(f, out, "resources", resources);
	if (!dataset[0])
		return;
	bucket = json_object();
	put_text(f, bucket, "name", dataset);
	put_choice(f, bucket, "type_id", "type",
		   &(struct choice){99, "Cordon dataset"});
	put_object(f, out, "databucket", bucket);
}

/* What the schema has no place for, and by which the line can be found again in
 * evidence that is verified. */
static void put_unmapped(struct finding *f, json_t *out, const char *text,
			 size_t len)
{
	static const char *const keys[] = {"incident",
					   "state",
					   "why",
					   "reported",
					   "first_block",
					   "verdicts",
					   "blocked",
					   "alerted",
					   "blocked_bytes",
					   "released_bytes",
					   "released_records",
					   "originless_blocked",
					   "originless_alerted",
					   "actors",
					   "act",
					   "gaps"};
	json_t *unmapped = json_object();
	char hash[SIGN_HASH_CHARS_MAX];

	for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
		json_t *value = json_object_get(f->line, keys[i]);

		if (value && !json_is_null(value))
			put(f, unmapped, keys[i], json_deep_copy(value));
	}
	sign_hash(text, len, hash);
	put_text(f, unmapped, "line_sha256", hash);
	put_object(f, out, "unmapped", unmapped);
}

/* ---- all of it ----------------------------------------------------------- */

static json_t *finding_of(struct finding *f, const char *text, size_t len)
{
	json_t *out = json_object();
	char uid[EVIDENCE_HOST_MAX + 32];

	incident_uid(f, uid, sizeof(uid));
	put_class(f, out);
	put_time(f, out, "time", f->line, "time");
	put_severity(f, out);
	put_status(f, out);
	put_action(f, out);
	put_metadata(f, out, uid);
	put_info(f, out, uid);
	put_object(f, out, "attacks", attacks_of(f));
	put_actor(f, out);
	put_endpoints(f, out);
	put_device(f, out);
	put_data_security(f, out);
	put_resources(f, out);
	put_unmapped(f, out, text, len);
	return out;
}

int export_ocsf(const struct export *export, const json_t *line,
		const char *text, size_t len, char **ret_text, size_t *ret_len)
{
	struct finding finding = {.export = export,
				  .line = line,
				  .act = export_act(line),
				  .actor = export_actor(export, line)};
	int64_t ms;
	json_t *out;

	/* The schema takes none without. */
	if (text_parse_time_ms(evidence_text(line, "time"), &ms))
		return 0;
	out = finding_of(&finding, text, len);
	*ret_text = finding.failed ? NULL : json_dumps(out, JSON_COMPACT);
	json_decref(out);
	if (!*ret_text)
		return -ENOMEM;
	*ret_len = strlen(*ret_text);
	return 1;
}
