// SPDX-License-Identifier: GPL-2.0-only
/*
 * `cordon fleet approve' and `users': who belongs to a fleet, and what its
 * broker lets them do.
 */
#include "cmd_fleet.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "link_subject.h"
#include "policy_take.h"
#include "state.h"

/* ---- approve ------------------------------------------------------------ */

struct approving {
	struct cmd_fleet cmd;
	const char *file;
	const char *groups[LINK_GROUPS_MAX];
	size_t n_groups;
	bool rekey;
	struct enrolment_request request;
};

static int read_request(struct approving *approving)
{
	struct policy_errors *errs = &approving->cmd.errs;
	char *text = NULL;
	size_t len;
	int r;

	r = state_get(approving->file, ENROLMENT_FILE_BYTES_MAX, &text, &len);
	if (r)
		return cmd_fleet_failed(approving->file, r);
	r = enrolment_request_parse(approving->file, text, len,
				    &approving->request, errs);
	free(text);
	if (!r)
		return CMD_OK;
	for (size_t i = 0; i < errs->n; i++)
		(void)fprintf(stderr, "cordon fleet: %s\n", errs->v[i].text);
	return errs->n ? CMD_WRONG : cmd_fleet_failed(approving->file, r);
}

void cmd_fleet_spell_id(const struct sign_public *key, char *buf, size_t size)
{
	char id[FLEET_ID_CHARS_MAX];
	size_t len = 0;

	fleet_id(key, id);
	for (size_t i = 0; id[i] && len + 2 < size; i++) {
		if (i && i % 4 == 0)
			buf[len++] = ' ';
		buf[len++] = id[i];
	}
	buf[len] = '\0';
}

/* Standard output has the file, so people are told on the other. */
static void tell_approved(const struct approving *approving,
			  enum fleet_approval approval)
{
	const struct fleet *fleet = approving->cmd.fleet;
	static const char *const words[] = {
		[FLEET_APPROVED] = "a new host",
		[FLEET_RENEWED] = "known already, and has the same key",
		[FLEET_REKEYED] = "known already, and has ANOTHER KEY now",
	};
	char id[64];

	cmd_fleet_spell_id(&approving->request.key, id, sizeof(id));
	(void)fprintf(stderr,
		      "to be signed: the enrolment of %s, %s\n"
		      "  issuer   %s\n"
		      "  host id  %s\n"
		      "  groups   ",
		      approving->request.host, words[approval], fleet->issuer,
		      id);
	for (size_t i = 0; i < approving->n_groups; i++)
		(void)fprintf(stderr, "%s%s", i ? ", " : "",
			      approving->groups[i]);
	(void)fprintf(stderr, "%s\n  servers  ",
		      approving->n_groups ? "" : "none");
	for (size_t i = 0; i < fleet->n_servers; i++)
		(void)fprintf(stderr, "%s%s", i ? ", " : "", fleet->servers[i]);
	(void)fprintf(
		stderr,
		"\nHave the host's administrator read the host id to you: "
		"cordon enroll request\nprints it there. Only if it is "
		"the same: cordon policy sign --key KEY FILE, by as\n"
		"many as the host's trust anchors ask for\n");
}

static int refused(const struct approving *approving, int r, const char *why)
{
	if (r == -EEXIST)
		(void)fprintf(stderr,
			      "cordon fleet: %s and %s are one name to the "
			      "broker, where a dot is as good as `_': the host "
			      "needs another name: cordon enroll request "
			      "--name\n",
			      approving->request.host, why);
	else if (r == -EKEYREJECTED)
		(void)fprintf(
			stderr,
			"cordon fleet: %s is approved with another key. If it "
			"was installed anew, and its administrator says so: "
			"--new-key, and what came so far is moved aside\n",
			approving->request.host);
	else if (r == -EINVAL)
		(void)fprintf(stderr,
			      "cordon fleet: %s: expected letters, digits, `_' "
			      "and `-', in a host's name also dots; at most "
			      "%d of them, and %d groups\n",
			      why, FLEET_NAME_CHARS_MAX, LINK_GROUPS_MAX);
	else
		return cmd_fleet_failed(approving->request.host, r);
	return CMD_WRONG;
}

static int approve(struct approving *approving)
{
	struct fleet *fleet = approving->cmd.fleet;
	struct fleet_approving it = {.request = &approving->request,
				     .groups = approving->groups,
				     .n_groups = approving->n_groups,
				     .rekey = approving->rekey,
				     .why = ""};
	int r;

	r = fleet_lock(fleet);
	/* Somebody else may have approved one meanwhile. */
	if (!r)
		r = fleet_reload(fleet, &approving->cmd.errs);
	if (!r)
		r = fleet_approve(fleet, &it);
	fleet_unlock(fleet);
	if (r)
		return refused(approving, r, it.why);
	(void)fputs(it.text, stdout);
	tell_approved(approving, it.approval);
	free(it.text);
	return CMD_OK;
}

int cmd_fleet_approve(int argc, char **argv)
{
	enum { OPT_GROUP = FLEET_OPT_OWN, OPT_REKEY };
	static const struct option options[] = {
		FLEET_OPTIONS,
		{"group", required_argument, NULL, OPT_GROUP},
		{"new-key", no_argument, NULL, OPT_REKEY},
		{0},
	};
	struct approving approving = {0};
	int code, r;

	while ((code = getopt_long(argc, argv, "", options, NULL)) != -1) {
		if (code == OPT_REKEY) {
			approving.rekey = true;
			continue;
		}
		if (code == OPT_GROUP) {
			if (approving.n_groups >= LINK_GROUPS_MAX)
				return cmd_usage(FLEET_VERB,
						 "approve: more than %d groups",
						 LINK_GROUPS_MAX);
			approving.groups[approving.n_groups++] = optarg;
			continue;
		}
		r = cmd_fleet_take(&approving.cmd, code);
		if (r)
			return r == CMD_DONE ? CMD_OK : r;
	}
	if (argc - optind != 1)
		return cmd_usage(FLEET_VERB,
				 "approve: expected one HOST.request");
	approving.file = argv[optind];
	r = cmd_fleet_open(&approving.cmd, FLEET_READ);
	if (!r)
		r = read_request(&approving);
	if (!r)
		r = approve(&approving);
	fleet_close(approving.cmd.fleet);
	return r;
}

/* ---- users -------------------------------------------------------------- */

/* A line of a list of the configuration. */
static void print_subject(const char *before, const char *name,
			  const char *behind)
{
	(void)printf("              \"%s%s%s\"\n", before, name, behind);
}

static void print_user(const struct fleet_host *host)
{
	(void)printf("      {\n        user: \"CN=%s\"\n"
		     "        permissions {\n          publish {\n"
		     "            allow: [\n",
		     host->token);
	print_subject(LINK_REPORT_OF, host->token, "");
	print_subject(LINK_ATTEST_OF, host->token, "");
	print_subject(LINK_GET LINK_POLICY_OF_HOST, host->token, "");
	for (size_t i = 0; i < host->n_groups; i++)
		print_subject(LINK_GET LINK_POLICY_OF_GROUP, host->groups[i],
			      "");
	(void)printf("            ]\n          }\n          subscribe {\n"
		     "            allow: [\n");
	print_subject(LINK_POLICY_OF_HOST, host->token, "");
	for (size_t i = 0; i < host->n_groups; i++)
		print_subject(LINK_POLICY_OF_GROUP, host->groups[i], "");
	print_subject(LINK_ASK_ALL, "", "");
	print_subject(LINK_ASK_OF, host->token, "");
	print_subject(LINK_INBOX_OF_HOST, host->token, ".>");
	(void)printf("            ]\n          }\n        }\n      }\n");
}

/* What the broker lets each host do, which nobody has to write by hand. */
int cmd_fleet_users(int argc, char **argv)
{
	static const struct option options[] = {FLEET_OPTIONS, {0}};
	struct cmd_fleet cmd = {0};
	int code, r;

	while ((code = getopt_long(argc, argv, "", options, NULL)) != -1) {
		r = cmd_fleet_take(&cmd, code);
		if (r)
			return r == CMD_DONE ? CMD_OK : r;
	}
	r = cmd_no_more(FLEET_VERB, argc, argv);
	if (!r)
		r = cmd_fleet_open(&cmd, FLEET_READ);
	for (size_t i = 0; !r && i < cmd.fleet->n_hosts; i++)
		print_user(&cmd.fleet->hosts[i]);
	/* One that is left out would be locked out. */
	if (!r && cmd.errs.n)
		r = CMD_WRONG;
	fleet_close(cmd.fleet);
	return r;
}
