// SPDX-License-Identifier: GPL-2.0-only
/*
 * What `cordon fleet push' is given: looked at here as the hosts will, so that
 * nobody learns from silence that they refuse it.
 */
#include "cmd_fleet_push.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "act.h"
#include "clock.h"
#include "kind.h"
#include "policy_take.h"
#include "state.h"

int cmd_push_refuse(const char *file, const char *why)
{
	(void)fprintf(stderr, "cordon fleet: %s: not pushed: %s\n", file, why);
	return CMD_WRONG;
}

static int say_errors(struct pushing *pushing, const char *file, int r)
{
	const struct policy_errors *errs = &pushing->cmd.errs;

	for (size_t i = 0; i < errs->n; i++)
		(void)fprintf(stderr, "cordon fleet: %s\n", errs->v[i].text);
	return errs->n ? CMD_WRONG : cmd_fleet_failed(file, r);
}

static int read_trust(struct pushing *pushing)
{
	char path[FLEET_PATH_MAX], *text = NULL;
	size_t len;
	int r;

	(void)snprintf(path, sizeof(path), "%s/" FLEET_TRUST_FILE,
		       pushing->cmd.fleet->dir);
	policy_errors_init(&pushing->cmd.errs);
	r = state_get(path, TRUST_FILE_BYTES_MAX, &text, &len);
	if (r == -ENOENT) {
		(void)fprintf(stderr,
			      "cordon fleet: %s: there are no trust anchors: "
			      "copy those of your hosts there: "
			      "cordon-trust(5)\n",
			      path);
		return CMD_WRONG;
	}
	if (!r)
		r = trust_parse(path, text, len, &pushing->trust,
				&pushing->cmd.errs);
	free(text);
	return r ? say_errors(pushing, path, r) : CMD_OK;
}

static int check_signed(struct pushing *pushing)
{
	const struct trust_bundle *bundle = &pushing->bundle;
	struct trust_signers signers;
	char why[TRUST_WORDS_MAX];

	if (trust_check(pushing->trust, bundle->signatures, bundle->n,
			bundle->bytes, bundle->len, &signers))
		return CMD_OK;
	trust_words(pushing->trust, bundle->signatures, &signers, why,
		    sizeof(why));
	return cmd_push_refuse(pushing->file, why);
}

static int check_issuer(const struct pushing *pushing, const char *issuer)
{
	char why[512];

	if (strcmp(issuer, pushing->trust->issuer) == 0 &&
	    strcmp(issuer, pushing->cmd.fleet->issuer) == 0)
		return CMD_OK;
	(void)snprintf(why, sizeof(why),
		       "its issuer is %.128s, that of the trust anchors "
		       "%.128s, and that of the fleet %.128s",
		       issuer, pushing->trust->issuer,
		       pushing->cmd.fleet->issuer);
	return cmd_push_refuse(pushing->file, why);
}

/* The hosts would refuse it, and not look at it again later. */
static int check_dates(const struct pushing *pushing)
{
	int64_t now = clock_s(CLOCK_REALTIME);
	char at[TEXT_NUMBER_CHARS_MAX], why[160];

	if (pushing->policy->expires_s <= now) {
		text_format_time(pushing->policy->expires_s, at, sizeof(at));
		(void)snprintf(why, sizeof(why),
			       "it expired at %s; sign one that did not", at);
		return cmd_push_refuse(pushing->file, why);
	}
	if (pushing->policy->not_before_s > now) {
		text_format_time(pushing->policy->not_before_s, at, sizeof(at));
		(void)snprintf(why, sizeof(why),
			       "it is not valid before %s; push it then", at);
		return cmd_push_refuse(pushing->file, why);
	}
	return CMD_OK;
}

static int read_policy(struct pushing *pushing)
{
	const struct trust_bundle *bundle = &pushing->bundle;
	int r;

	r = check_signed(pushing);
	if (r)
		return r;
	r = policy_parse(pushing->file, bundle->bytes, bundle->len,
			 &pushing->policy, &pushing->cmd.errs);
	if (r)
		return say_errors(pushing, pushing->file, r);
	r = check_issuer(pushing, pushing->policy->issuer);
	return r ? r : check_dates(pushing);
}

/* The next version, or the one that is in force here, to more hosts. */
static int read_next_trust(struct pushing *pushing)
{
	const struct trust_bundle *bundle = &pushing->bundle;
	struct trust_signers signers;
	char why[TRUST_WORDS_MAX];
	int r;

	r = trust_parse(pushing->file, bundle->bytes, bundle->len,
			&pushing->next_trust, &pushing->cmd.errs);
	if (r)
		return say_errors(pushing, pushing->file, r);
	if (strcmp(pushing->next_trust->sha256, pushing->trust->sha256) == 0 ||
	    !trust_succeeds(pushing->trust, pushing->next_trust, bundle,
			    &signers, why, sizeof(why)))
		return CMD_OK;
	return cmd_push_refuse(pushing->file, why);
}

/* What is meant for one host, and nobody else. */
static int check_one_host(const struct pushing *pushing, const char *host)
{
	char why[512];

	for (size_t i = 0; i < pushing->n; i++) {
		const struct push_target *target = &pushing->targets[i];

		if (target->host && strcmp(target->host->name, host) == 0 &&
		    pushing->n == 1)
			continue;
		(void)snprintf(why, sizeof(why),
			       "it is for the host %.128s alone: --host %.128s",
			       host, host);
		return cmd_push_refuse(pushing->file, why);
	}
	return CMD_OK;
}

static int read_act(struct pushing *pushing)
{
	const struct trust_bundle *bundle = &pushing->bundle;
	struct act act;
	int r;

	r = check_signed(pushing);
	if (r)
		return r;
	r = act_parse(pushing->file, bundle->bytes, bundle->len, &act,
		      &pushing->cmd.errs);
	if (r)
		return say_errors(pushing, pushing->file, r);
	pushing->is_act = true;
	pushing->lifts = act.kind == ACT_BREAK_GLASS;
	r = check_issuer(pushing, act.issuer);
	return r ? r : check_one_host(pushing, act.host);
}

int cmd_push_read(struct pushing *pushing)
{
	int r;

	r = read_trust(pushing);
	if (r)
		return r;
	policy_errors_init(&pushing->cmd.errs);
	r = trust_bundle_read(pushing->file, &pushing->bundle,
			      &pushing->cmd.errs);
	if (r)
		return say_errors(pushing, pushing->file, r);
	sign_hash(pushing->bundle.bytes, pushing->bundle.len, pushing->sha256);
	switch (kind_of(pushing->bundle.bytes)) {
	case KIND_TRUST:
		return read_next_trust(pushing);
	case KIND_ACT:
		return read_act(pushing);
	case KIND_ENROLMENT:
		/* It says by which broker a host is reached. */
		return cmd_push_refuse(
			pushing->file,
			"no host takes an enrolment from a broker: on "
			"the host: cordon enroll accept");
	default: /* whose parser says what is wrong */
		return read_policy(pushing);
	}
}
