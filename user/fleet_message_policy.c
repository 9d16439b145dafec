// SPDX-License-Identifier: GPL-2.0-only
#include "fleet_message_internal.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* Of TRUST_SIGNATURES_MAX signatures each, and what is around them. */
#define BUNDLES_MAX (FLEET_TRUST_MAX + 2)
#define MEMBERS_MAX (BUNDLES_MAX * 5 * (TRUST_SIGNATURES_MAX + 2))

/* The bundle as JSON. 0; -EINVAL: it is not UTF-8; -ENOMEM. */
static int to_json(const struct trust_bundle *bundle, json_t **ret_json)
{
	json_t *text = json_stringn(bundle->bytes, bundle->len), *json;

	json_decref(text);
	if (!text)
		return -EINVAL;
	json = trust_bundle_json(bundle);
	if (!json)
		return -ENOMEM;
	*ret_json = json;
	return 0;
}

static int add_bundle(json_t *message, const char *name,
		      const struct trust_bundle *bundle)
{
	json_t *json;
	int r;

	if (!bundle->bytes)
		return 0;
	r = to_json(bundle, &json);
	if (r)
		return r;
	return json_object_set_new(message, name, json) ? -ENOMEM : 0;
}

static int add_version(json_t *list, const struct fleet_trust *trust)
{
	json_t *json;
	int r;

	r = to_json(&trust->bundle, &json);
	if (r)
		return r;
	r = json_object_set_new(json, "version",
				json_integer((json_int_t)trust->version));
	/* It is stolen also where that fails. */
	return json_array_append_new(list, json) || r ? -ENOMEM : 0;
}

/* Each is after the one before. */
static bool is_rising(const struct fleet_policy *policy)
{
	uint64_t before = 0;

	for (size_t i = 0; i < policy->n_trust; i++) {
		if (policy->trust[i].version <= before ||
		    policy->trust[i].version > INT64_MAX)
			return false;
		before = policy->trust[i].version;
	}
	return true;
}

static int add_trust(json_t *message, const struct fleet_policy *policy)
{
	json_t *list;
	int r = 0;

	if (!policy->n_trust)
		return 0;
	if (policy->n_trust > FLEET_TRUST_MAX || !is_rising(policy))
		return -EINVAL;
	list = json_array();
	for (size_t i = 0; !r && i < policy->n_trust; i++)
		r = add_version(list, &policy->trust[i]);
	if (json_object_set_new(message, "trust", list))
		r = r ? r : -ENOMEM;
	return r;
}

/* As the kept one has always been: not in an object of its own. */
static int add_policy(json_t *message, const struct fleet_policy *policy)
{
	json_t *json;
	int r;

	if (!policy->policy.bytes)
		return 0;
	if (policy->serial < 1 || policy->serial > INT64_MAX)
		return -EINVAL;
	r = to_json(&policy->policy, &json);
	if (r)
		return r;
	if (json_object_set_new(json, "serial",
				json_integer((json_int_t)policy->serial)) ||
	    json_object_update(message, json))
		r = -ENOMEM;
	json_decref(json);
	return r;
}

int fleet_policy_make(const struct fleet_policy *policy, size_t max,
		      char **ret_text, size_t *ret_len)
{
	json_t *message = json_pack("{s:i}", "cordon", 1);
	char *text = NULL;
	int r;

	r = message ? add_policy(message, policy) : -ENOMEM;
	if (!r)
		r = add_trust(message, policy);
	if (!r)
		r = add_bundle(message, "act", &policy->act);
	if (!r && json_object_size(message) == 1)
		r = -EINVAL;
	if (!r) {
		text = json_dumps(message, JSON_COMPACT);
		r = text ? 0 : -ENOMEM;
	}
	json_decref(message);
	if (!r && strlen(text) > max)
		r = -EMSGSIZE;
	if (r) {
		free(text);
		return r;
	}
	*ret_text = text;
	*ret_len = strlen(text);
	return 0;
}

/* ---- opening ------------------------------------------------------------ */

static int from_json(const json_t *json, struct trust_bundle *ret_bundle)
{
	int r = trust_bundle_from_json(json, ret_bundle);

	return r && r != -ENOMEM ? -EBADMSG : r;
}

/* One that stands in an object of its own, which has nothing else. */
static int take_bundle(const json_t *json, struct trust_bundle *ret_bundle)
{
	if (!json)
		return 0;
	return json_object_size(json) == 2 ? from_json(json, ret_bundle)
					   : -EBADMSG;
}

static int take_trust(const json_t *list, struct fleet_policy *ret)
{
	json_t *json;
	size_t i;
	int r;

	if (!list)
		return 0;
	if (!json_array_size(list) || json_array_size(list) > FLEET_TRUST_MAX)
		return -EBADMSG;
	json_array_foreach (list, i, json) {
		const json_t *version = json_object_get(json, "version");

		if (json_object_size(json) != 3 || !json_is_integer(version))
			return -EBADMSG;
		r = from_json(json, &ret->trust[i].bundle);
		if (r)
			return r;
		ret->n_trust = i + 1;
		ret->trust[i].version = (uint64_t)json_integer_value(version);
	}
	return is_rising(ret) ? 0 : -EBADMSG;
}

static int take_message(json_t *message, struct fleet_policy *ret)
{
	json_t *text = NULL, *list = NULL, *trust = NULL, *act = NULL;
	json_int_t version, serial = 0;
	int r = 0;

	if (json_unpack(message, "{s:I, s?I, s?o, s?o, s?o, s?o !}", "cordon",
			&version, "serial", &serial, "policy", &text,
			"signatures", &list, "trust", &trust, "act", &act) ||
	    version != 1 || !text != !list || !text != !serial || serial < 0 ||
	    (!text && !trust && !act))
		return -EBADMSG;
	ret->serial = (uint64_t)serial;
	if (text)
		r = from_json(message, &ret->policy);
	if (!r)
		r = take_trust(trust, ret);
	return r ? r : take_bundle(act, &ret->act);
}

int fleet_policy_open(const void *bytes, size_t len, size_t max,
		      struct fleet_policy *ret_policy)
{
	struct fleet_policy policy = {0};
	json_t *message;
	int r;

	if (len > max)
		return -EMSGSIZE;
	r = fleet_json(bytes, len, MEMBERS_MAX, &message);
	if (r)
		return r;
	r = take_message(message, &policy);
	json_decref(message);
	if (r) {
		fleet_policy_release(&policy);
		return r;
	}
	*ret_policy = policy;
	return 0;
}

void fleet_policy_release(struct fleet_policy *policy)
{
	trust_bundle_release(&policy->policy);
	for (size_t i = 0; i < policy->n_trust; i++)
		trust_bundle_release(&policy->trust[i].bundle);
	trust_bundle_release(&policy->act);
}
