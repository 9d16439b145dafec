// SPDX-License-Identifier: GPL-2.0-only
/*
 * `cordon fleet push': what people have signed, to the hosts of a group or to
 * one.
 */
#include "cmd_fleet_push.h"

#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "array.h"
#include "clock.h"
#include "cmd_policy.h"
#include "policy_diff.h"
#include "policy_take.h"
#include "state.h"

#define TARGETS_MAX 64
#define WAIT_S	    30

/* ---- to whom ------------------------------------------------------------ */

static int add_target(struct pushing *pushing, enum fleet_target kind,
		      const char *name)
{
	struct push_target *grown;

	if (pushing->n >= TARGETS_MAX)
		return cmd_usage(FLEET_VERB,
				 "push: more than %d groups and hosts",
				 TARGETS_MAX);
	grown = array_grow(pushing->targets, pushing->n, sizeof(*grown));
	if (!grown)
		return cmd_fleet_failed(name, -ENOMEM);
	pushing->targets = grown;
	grown[pushing->n] = (struct push_target){.kind = kind};
	(void)snprintf(grown[pushing->n].name, sizeof(grown->name), "%s", name);
	pushing->n++;
	return CMD_OK;
}

static const char *sort_of(const struct push_target *target)
{
	return target->kind == FLEET_TO_HOST ? "host" : "group";
}

static const char *name_of(const struct push_target *target)
{
	return target->host ? target->host->name : target->name;
}

static bool is_in(const struct fleet_host *host,
		  const struct push_target *target)
{
	return target->kind == FLEET_TO_HOST
		       ? host == target->host
		       : fleet_host_in(host, target->name);
}

static int find_target(struct pushing *pushing, struct push_target *target)
{
	struct fleet *fleet = pushing->cmd.fleet;
	size_t members = 0;
	int r;

	if (target->kind == FLEET_TO_HOST) {
		target->host = cmd_fleet_host(&pushing->cmd, target->name);
		if (!target->host)
			return CMD_WRONG;
		(void)strcpy(target->name, target->host->token);
	} else if (!fleet_is_name(target->name, strlen(target->name))) {
		return cmd_usage(FLEET_VERB,
				 "push: %s: a group's name has letters, "
				 "digits, `_' and `-'",
				 target->name);
	}
	for (size_t i = 0; i < fleet->n_hosts; i++)
		members += is_in(&fleet->hosts[i], target);
	if (!members)
		(void)fprintf(stderr,
			      "cordon fleet: no host is in the group %s yet: "
			      "cordon fleet approve --group\n",
			      target->name);
	r = fleet_pushed_get(fleet, target->kind, target->name,
			     &target->before);
	return r && r != -ENOENT ? cmd_fleet_failed(target->name, r) : CMD_OK;
}

/* ---- may it be pushed there? -------------------------------------------- */

static int check_serial(const struct pushing *pushing,
			const struct push_target *target)
{
	const struct fleet_pushed *before = &target->before;
	char why[320];

	if (pushing->policy->serial > before->serial)
		return CMD_OK;
	/* The broker may have lost it. */
	if (pushing->policy->serial == before->serial &&
	    strcmp(pushing->sha256, before->sha256) == 0)
		return CMD_OK;
	(void)snprintf(why, sizeof(why),
		       "its serial is %" PRIu64 ", and %s%" PRIu64
		       " was pushed to the %s %.128s: a host that has that "
		       "takes only a higher one",
		       pushing->policy->serial,
		       pushing->policy->serial == before->serial ? "another "
								 : "",
		       before->serial, sort_of(target), name_of(target));
	return cmd_push_refuse(pushing->file, why);
}

/* What each host will make of it. */
static int check_hosts(const struct pushing *pushing,
		       const struct push_target *target)
{
	struct fleet *fleet = pushing->cmd.fleet;
	struct fleet_pushed has;
	char why[320];

	for (size_t i = 0; i < fleet->n_hosts; i++) {
		const struct fleet_host *host = &fleet->hosts[i];

		if (!is_in(host, target))
			continue;
		why[0] = '\0';
		if (!policy_covers_host(pushing->policy, host->name))
			(void)snprintf(why, sizeof(why),
				       "none of its `hosts' matches %.128s, "
				       "which will refuse it",
				       host->name);
		else if (!fleet_pushed_for(fleet, host, &has) &&
			 has.serial > pushing->policy->serial)
			(void)snprintf(why, sizeof(why),
				       "serial %" PRIu64 " was pushed to "
				       "%.128s by another way, which will "
				       "refuse this one",
				       has.serial, host->name);
		if (!why[0])
			continue;
		if (target->kind == FLEET_TO_HOST)
			return cmd_push_refuse(pushing->file, why);
		(void)fprintf(stderr, "cordon fleet: %s: %s\n", pushing->file,
			      why);
	}
	return CMD_OK;
}

/* ---- the message -------------------------------------------------------- */

/* What was pushed there before goes along. */
static int keep_rest(struct pushing *pushing, struct push_target *target,
		     struct fleet_policy *rest)
{
	char *text = NULL;
	size_t len;
	int r;

	*rest = (struct fleet_policy){0};
	r = fleet_pushed_message(pushing->cmd.fleet, target->kind, target->name,
				 &text, &len);
	if (!r)
		r = fleet_policy_open(text, len, FLEET_POLICY_BYTES_MAX, rest);
	free(text);
	return r == -ENOENT ? 0 : r;
}

static int compare(struct pushing *pushing, const struct push_target *target,
		   const struct trust_bundle *before)
{
	struct policy *old = NULL;
	struct policy_diff *diff = NULL;
	char what[64 + FLEET_NAME_CHARS_MAX];
	int r;

	if (!before->bytes ||
	    strcmp(pushing->sha256, target->before.sha256) == 0)
		return 0;
	(void)snprintf(what, sizeof(what), "what was pushed to the %s %s",
		       sort_of(target), name_of(target));
	/* One of a version before may not be understood any more. */
	if (policy_parse(what, before->bytes, before->len, &old, NULL))
		return 0;
	r = policy_diff(old, pushing->policy, &diff);
	if (!r)
		(void)cmd_policy_print_diff(what, pushing->file,
					    pushing->cmd.common.json, diff);
	policy_diff_free(diff);
	policy_free(old);
	return r;
}

/* Its own part takes the place of what was there, which is released. */
static void put_part(struct trust_bundle *part,
		     const struct trust_bundle *bundle)
{
	trust_bundle_release(part);
	*part = *bundle;
}

/* What is pushed, and what this makes of what is there. */
static struct trust_bundle *put_own(const struct pushing *pushing,
				    struct fleet_pushed *next,
				    struct fleet_policy *message)
{
	if (pushing->policy) {
		message->serial = pushing->policy->serial;
		next->serial = message->serial;
		(void)strcpy(next->sha256, pushing->sha256);
		put_part(&message->policy, &pushing->bundle);
		return &message->policy;
	}
	if (pushing->is_act) {
		if (pushing->lifts)
			(void)strcpy(next->lift_sha256, pushing->sha256);
		put_part(&message->act, &pushing->bundle);
		return &message->act;
	}
	next->trust_version = pushing->next_trust->version;
	(void)strcpy(next->trust_sha256, pushing->sha256);
	return NULL;
}

/*
 * All versions up to the last that was pushed there, for hosts that were away;
 * the oldest stay behind where there is no room for all.
 */
static int make_text(const struct fleet *fleet, struct push_target *target,
		     struct fleet_policy *message)
{
	int r;

	for (size_t i = 0; i < message->n_trust; i++)
		trust_bundle_release(&message->trust[i].bundle);
	message->n_trust = 0;
	r = fleet_trust_get(fleet, target->next.trust_version, message);
	while (!r) {
		r = fleet_policy_make(message, FLEET_POLICY_BYTES_MAX,
				      &target->text, &target->len);
		if (r != -EMSGSIZE || message->n_trust < 2)
			return r;
		trust_bundle_release(&message->trust[0].bundle);
		memmove(message->trust, message->trust + 1,
			--message->n_trust * sizeof(*message->trust));
		r = 0;
	}
	return r;
}

static int make_message(struct pushing *pushing, struct push_target *target)
{
	const struct trust_bundle none = {0};
	struct trust_bundle *own = NULL;
	struct fleet_policy message;
	int r;

	r = keep_rest(pushing, target, &message);
	if (!r && pushing->policy)
		r = compare(pushing, target, &message.policy);
	target->next = target->before;
	if (!r) {
		own = put_own(pushing, &target->next, &message);
		r = make_text(pushing->cmd.fleet, target, &message);
	}
	/* It is lent. */
	if (own)
		*own = none;
	fleet_policy_release(&message);
	if (r == -EMSGSIZE)
		return cmd_push_refuse(
			pushing->file,
			"with its signatures it is too long for a "
			"message");
	return r ? cmd_fleet_failed(pushing->file, r) : CMD_OK;
}

static int prepare(struct pushing *pushing, struct push_target *target)
{
	int r = CMD_OK;

	if (pushing->policy) {
		r = check_serial(pushing, target);
		if (!r)
			r = check_hosts(pushing, target);
	}
	return r ? r : make_message(pushing, target);
}

/* ---- again -------------------------------------------------------------- */

/* `group.NAME.message' or `host.NAME.message'. */
static int take_pushed(struct pushing *pushing, const char *file)
{
	static const char suffix[] = ".message";
	enum fleet_target kind = FLEET_TO_GROUP;
	char name[FLEET_NAME_CHARS_MAX + 1];
	size_t len = strlen(file);
	struct push_target *target;
	int r;

	if (len < sizeof(suffix) ||
	    strcmp(file + len - (sizeof(suffix) - 1), suffix) != 0)
		return CMD_OK;
	len -= sizeof(suffix) - 1;
	if (strncmp(file, "group.", 6) == 0) {
		file += 6;
		len -= 6;
	} else if (strncmp(file, "host.", 5) == 0) {
		kind = FLEET_TO_HOST;
		file += 5;
		len -= 5;
	} else {
		return CMD_OK;
	}
	if (!fleet_is_name(file, len))
		return CMD_OK;
	(void)snprintf(name, sizeof(name), "%.*s", (int)len, file);
	/* Of a host that is none any more. */
	if (kind == FLEET_TO_HOST &&
	    !fleet_find_token(pushing->cmd.fleet, name))
		return CMD_OK;
	r = add_target(pushing, kind, name);
	if (r)
		return r;
	target = &pushing->targets[pushing->n - 1];
	r = find_target(pushing, target);
	if (r)
		return r;
	target->next = target->before;
	r = fleet_pushed_message(pushing->cmd.fleet, kind, target->name,
				 &target->text, &target->len);
	return r ? cmd_fleet_failed(target->name, r) : CMD_OK;
}

static int take_all_pushed(struct pushing *pushing)
{
	char path[FLEET_PATH_MAX];
	const struct dirent *entry;
	DIR *dir;
	int r = CMD_OK;

	(void)snprintf(path, sizeof(path), "%s/pushed",
		       pushing->cmd.fleet->dir);
	dir = opendir(path);
	if (!dir)
		return cmd_fleet_failed(path, -errno);
	while (!r && (entry = readdir(dir)))
		r = take_pushed(pushing, entry->d_name);
	(void)closedir(dir);
	if (!r && !pushing->n)
		(void)printf("nothing was pushed yet\n");
	return r;
}

/* ---- to the broker ------------------------------------------------------ */

static int put(struct pushing *pushing, struct push_target *target, bool text)
{
	int r;

	r = fleet_pushed_put(pushing->cmd.fleet, target->kind, target->name,
			     &target->next, text ? target->text : NULL,
			     target->len);
	return r ? cmd_fleet_failed(target->name, r) : CMD_OK;
}

static int send_one(struct link *link, const struct push_target *target,
		    size_t i)
{
	struct link_frame frame = {
		.type = LINK_PUBLISH,
		.id = i + 1,
		.kind = target->kind == FLEET_TO_HOST ? LINK_HOST : LINK_GROUP,
		.bytes = target->text,
		.len = target->len,
	};
	int r;

	(void)strcpy(frame.name, target->name);
	r = link_send(link, &frame);
	return r ? cmd_fleet_failed("the link", r) : CMD_OK;
}

static void say_taken(const struct pushing *pushing,
		      const struct push_target *target)
{
	if (pushing->cmd.common.json)
		cmd_print_json(json_pack(
			"{s:i, s:s, s:s, s:s, s:I, s:s, s:I}", "cordon", 1,
			"type", "pushed", "to", sort_of(target), "name",
			name_of(target), "serial",
			(json_int_t)target->next.serial, "sha256",
			target->next.sha256, "trust_version",
			(json_int_t)target->next.trust_version));
	else if (pushing->is_act)
		(void)printf("pushed to the %s %s: an act, sha256 %.16s...\n",
			     sort_of(target), name_of(target), pushing->sha256);
	else if (pushing->next_trust)
		(void)printf("pushed to the %s %s: trust anchors, version "
			     "%" PRIu64 ", sha256 %.16s...\n",
			     sort_of(target), name_of(target),
			     target->next.trust_version,
			     target->next.trust_sha256);
	else
		(void)printf("pushed to the %s %s: serial %" PRIu64
			     ", sha256 %.16s...\n",
			     sort_of(target), name_of(target),
			     target->next.serial, target->next.sha256);
}

static int take_answer(struct pushing *pushing, const struct link_frame *frame)
{
	struct push_target *target;

	if ((frame->type != LINK_ACKED && frame->type != LINK_REFUSED) ||
	    !frame->id || frame->id > pushing->n)
		return CMD_OK;
	target = &pushing->targets[frame->id - 1];
	if (target->settled)
		return CMD_OK;
	target->settled = true;
	if (frame->type == LINK_REFUSED) {
		(void)fprintf(stderr,
			      "cordon fleet: %s: the broker refuses it: %.*s\n",
			      name_of(target), (int)frame->len,
			      (const char *)frame->bytes);
		return CMD_REACH;
	}
	target->next.taken_s = clock_s(CLOCK_REALTIME);
	say_taken(pushing, target);
	return put(pushing, target, false);
}

/* An exit code. *worst: what the broker made of those before, and of this. */
static int wait_settled(struct pushing *pushing, struct link *link,
			const struct push_target *target, int64_t until,
			int *worst)
{
	struct link_frame frame;
	int n, r;

	while (!target->settled) {
		n = cmd_fleet_next(link, until, &frame);
		if (n <= 0 || frame.type == LINK_DISCONNECTED) {
			(void)fprintf(stderr,
				      "cordon fleet: %s: the broker did not "
				      "say that it has it: push it again%s%s\n",
				      name_of(target), n > 0 ? ": " : "",
				      n > 0 ? link_state(link)->words : "");
			return CMD_REACH;
		}
		r = take_answer(pushing, &frame);
		*worst = r ? r : *worst;
	}
	return CMD_OK;
}

static int talk(struct pushing *pushing, struct link *link)
{
	int64_t until = clock_ms() + (int64_t)pushing->wait_s * 1000;
	int r, worst = CMD_OK;

	r = cmd_fleet_connect(link, until);
	for (size_t i = 0; !r && i < pushing->n; i++) {
		struct push_target *target = &pushing->targets[i];

		target->next.pushed_s = clock_s(CLOCK_REALTIME);
		target->next.taken_s = 0;
		r = put(pushing, target, true);
		if (!r)
			r = send_one(link, target, i);
		/* Its buffer holds one that is long. */
		if (!r)
			r = wait_settled(pushing, link, target, until, &worst);
	}
	return r ? r : worst;
}

/*
 * For who gets a later one, and has missed this. Those in force here need no
 * signatures, so that the file of before is the better one.
 */
static int keep_trust(const struct pushing *pushing)
{
	const struct fleet *fleet = pushing->cmd.fleet;
	uint64_t version = pushing->next_trust->version;
	int r;

	if (strcmp(pushing->next_trust->sha256, pushing->trust->sha256) == 0 &&
	    fleet_trust_is_kept(fleet, version))
		return CMD_OK;
	r = fleet_trust_put(fleet, version, &pushing->bundle);
	return r ? cmd_fleet_failed(pushing->file, r) : CMD_OK;
}

/* From here on the next ones are to be signed by these. */
static int adopt_trust(struct pushing *pushing)
{
	char path[FLEET_PATH_MAX];
	int r;

	if (!pushing->next_trust ||
	    strcmp(pushing->next_trust->sha256, pushing->trust->sha256) == 0)
		return CMD_OK;
	(void)snprintf(path, sizeof(path), "%s/" FLEET_TRUST_FILE,
		       pushing->cmd.fleet->dir);
	r = state_put(path, pushing->bundle.bytes, pushing->bundle.len);
	return r ? cmd_fleet_failed(path, r) : CMD_OK;
}

static int push(struct pushing *pushing)
{
	struct link *link = NULL;
	int r;

	r = fleet_lock(pushing->cmd.fleet);
	if (r)
		return cmd_fleet_failed(pushing->cmd.fleet->dir, r);
	for (size_t i = 0; !r && i < pushing->n; i++)
		r = find_target(pushing, &pushing->targets[i]);
	if (!r)
		r = pushing->file ? cmd_push_read(pushing)
				  : take_all_pushed(pushing);
	if (!r && pushing->next_trust)
		r = keep_trust(pushing);
	for (size_t i = 0; !r && pushing->file && i < pushing->n; i++)
		r = prepare(pushing, &pushing->targets[i]);
	if (r || !pushing->n)
		return r;
	r = cmd_fleet_link(&pushing->cmd, &link);
	if (!r)
		r = talk(pushing, link);
	link_free(link);
	return r ? r : adopt_trust(pushing);
}

static void release(struct pushing *pushing)
{
	for (size_t i = 0; i < pushing->n; i++)
		free(pushing->targets[i].text);
	free(pushing->targets);
	trust_free(pushing->trust);
	trust_free(pushing->next_trust);
	policy_free(pushing->policy);
	trust_bundle_release(&pushing->bundle);
	fleet_close(pushing->cmd.fleet);
}

static int run(struct pushing *pushing, int argc, char **argv, bool again)
{
	int r;

	if (again && (argc != optind || pushing->n))
		return cmd_usage(FLEET_VERB,
				 "push: --again pushes all that was pushed "
				 "last, and takes no FILE, group or host");
	if (!again && (argc - optind != 1 || !pushing->n))
		return cmd_usage(FLEET_VERB, "push: expected one FILE, and "
					     "--group GROUP or --host HOST");
	pushing->file = again ? NULL : argv[optind];
	r = cmd_fleet_open(&pushing->cmd, FLEET_READ);
	return r ? r : push(pushing);
}

int cmd_fleet_push(int argc, char **argv)
{
	enum {
		OPT_GROUP = FLEET_OPT_OWN,
		OPT_HOST,
		OPT_AGAIN,
		OPT_WAIT,
	};
	static const struct option options[] = {
		FLEET_OPTIONS,
		FLEET_LINK_OPTIONS,
		{"group", required_argument, NULL, OPT_GROUP},
		{"host", required_argument, NULL, OPT_HOST},
		{"again", no_argument, NULL, OPT_AGAIN},
		{"wait", required_argument, NULL, OPT_WAIT},
		{0},
	};
	struct pushing pushing = {.wait_s = WAIT_S};
	bool again = false;
	int code, r = 0;

	while (!r &&
	       (code = getopt_long(argc, argv, "", options, NULL)) != -1) {
		if (code == OPT_GROUP || code == OPT_HOST)
			r = add_target(&pushing,
				       code == OPT_HOST ? FLEET_TO_HOST
							: FLEET_TO_GROUP,
				       optarg);
		else if (code == OPT_AGAIN)
			again = true;
		else if (code == OPT_WAIT)
			r = cmd_fleet_take_wait(optarg, &pushing.wait_s);
		else
			r = cmd_fleet_take(&pushing.cmd, code);
	}
	if (!r)
		r = run(&pushing, argc, argv, again);
	release(&pushing);
	return r == CMD_DONE ? CMD_OK : r;
}
