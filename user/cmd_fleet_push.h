/* SPDX-License-Identifier: GPL-2.0-only */
/* `cordon fleet push': what is pushed, and to whom. */
#ifndef CORDON_CMD_FLEET_PUSH_H
#define CORDON_CMD_FLEET_PUSH_H

#include "cmd_fleet.h"
#include "trust.h"

struct push_target {
	enum fleet_target kind;
	char name[FLEET_NAME_CHARS_MAX + 1];
	struct fleet_host *host; /* of FLEET_TO_HOST */
	struct fleet_pushed before;
	struct fleet_pushed next;
	char *text; /* the message */
	size_t len;
	bool settled; /* the broker has answered */
};

struct pushing {
	struct cmd_fleet cmd;
	const char *file; /* NULL: all that was pushed, again */
	uint64_t wait_s;
	struct push_target *targets;
	size_t n;
	struct trust *trust; /* of this fleet */
	struct trust_bundle bundle;
	char sha256[SIGN_HASH_CHARS_MAX];
	/* One of them it is: */
	struct policy *policy;
	struct trust *next_trust;
	bool is_act;
	bool lifts; /* and enforcement is lifted by it */
};

/* Says that it is not pushed, and why; an exit code. */
int cmd_push_refuse(const char *file, const char *why);

/*
 * Reads pushing->file and finds out what it is, as its hosts will: by which
 * signatures, of which issuer, for whom and when. An exit code; what is wrong
 * has been said.
 */
int cmd_push_read(struct pushing *pushing);

#endif
