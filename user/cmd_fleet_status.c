// SPDX-License-Identifier: GPL-2.0-only
/*
 * `cordon fleet status': every host is asked, with a nonce that nobody knew
 * before, and what it answers is compared with what was pushed and what came.
 */
#include "cmd_fleet.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "clock.h"
#include "fleet_receive.h"
#include "fleet_view.h"
#include "log.h"
#include "policy_take.h"
#include "term.h"

#define WAIT_S 5
/* A host answers one ask a second, and somebody else may ask as well. */
#define ASK_MS	  1500
#define ANSWER_MS 100 /* the least that is waited for one */

static const struct term_column columns[] = {
	{.title = "HOST"},
	{.title = "HEARD"},
	{.title = "POLICY"},
	{.title = "MODE"},
	{.title = "HEALTH"},
	{.title = "EVIDENCE", .drop = 2},
	{.title = "OPEN", .right = true},
	{.title = "GROUPS", .drop = 1},
};

struct asked {
	struct fleet_host *host;
	struct fleet_word word;
	struct fleet_pushed pushed;
	bool has_pushed;
	bool fresh;
	uint32_t found;
	struct fleet_look look;
};

struct showing {
	struct cmd_fleet cmd;
	uint64_t wait_s;
	char nonce[FLEET_NONCE_CHARS_MAX];
	struct asked *hosts;
	size_t n;
	size_t answered;
	bool reached; /* the broker */
	bool receiving;
	bool colour;
	size_t width;
};

/* ---- asking ------------------------------------------------------------- */

static void take_word(struct showing *showing, const struct link_frame *frame)
{
	struct fleet_attest attest;
	struct fleet_host *host;

	if (frame->type != LINK_ATTESTED ||
	    fleet_hear(showing->cmd.fleet, frame->name, frame->bytes,
		       frame->len, &host, &attest) ||
	    strcmp(attest.nonce, showing->nonce) != 0)
		return;
	for (size_t i = 0; i < showing->n; i++) {
		struct asked *asked = &showing->hosts[i];

		if (asked->host != host || asked->fresh)
			continue;
		asked->fresh = true;
		asked->word.attest = attest;
		asked->word.heard_s = clock_s(CLOCK_REALTIME);
		showing->answered++;
	}
}

/* All at once, and then those who have not answered one by one. */
static int ask(const struct showing *showing, struct link *link, bool first)
{
	struct link_frame frame = {.type = LINK_ASK};
	char *text = NULL;
	size_t len;
	int r;

	r = fleet_ask_make(showing->nonce, NULL, 0, &text, &len);
	frame.bytes = text;
	frame.len = len;
	if (!r && first)
		r = link_send(link, &frame);
	for (size_t i = 0; !r && !first && i < showing->n; i++) {
		if (showing->hosts[i].fresh)
			continue;
		(void)strcpy(frame.name, showing->hosts[i].host->token);
		r = link_send(link, &frame);
	}
	free(text);
	/* What does not fit is asked for the next time. */
	return r == -ENOBUFS || r == -ENOTCONN ? 0 : r;
}

static int listen_for(struct showing *showing, struct link *link)
{
	int64_t until = clock_ms() + (int64_t)showing->wait_s * 1000, next = 0;
	struct link_frame frame;
	bool first = true;
	int r = 0;

	while (!r && showing->answered < showing->n && clock_ms() < until) {
		if (clock_ms() >= next) {
			r = ask(showing, link, first);
			first = false;
			next = clock_ms() + ASK_MS;
		}
		if (r)
			break;
		r = cmd_fleet_next(link, next < until ? next : until, &frame);
		if (r > 0)
			take_word(showing, &frame);
		r = r > 0 ? 0 : r;
	}
	return r ? cmd_fleet_failed("the link", r) : CMD_OK;
}

static int ask_all(struct showing *showing)
{
	struct link *link = NULL;
	int64_t until = clock_ms() + (int64_t)showing->wait_s * 1000;
	int r;

	r = cmd_fleet_link(&showing->cmd, &link);
	if (!r)
		r = cmd_fleet_connect(link, until);
	showing->reached = r == CMD_OK;
	if (!r)
		r = listen_for(showing, link);
	link_free(link);
	return r;
}

/* For who asks next while nobody can be reached. */
static void keep_words(struct showing *showing)
{
	if (fleet_try_lock(showing->cmd.fleet))
		return;
	for (size_t i = 0; i < showing->n; i++)
		if (showing->hosts[i].fresh)
			(void)fleet_word_put(showing->cmd.fleet,
					     showing->hosts[i].host->name,
					     &showing->hosts[i].word);
	fleet_unlock(showing->cmd.fleet);
}

/* ---- judging ------------------------------------------------------------ */

static void judge(const struct showing *showing, struct asked *asked)
{
	const struct fleet *fleet = showing->cmd.fleet;

	asked->look = (struct fleet_look){
		.host = asked->host,
		.received = &asked->host->received,
		.word = &asked->word,
		.pushed = &asked->pushed,
		.fresh = asked->fresh,
		.asked = showing->reached,
		.receiving = showing->receiving,
		.looked_s = fleet_looked_get(fleet, asked->host->name),
		.now_s = clock_s(CLOCK_REALTIME),
	};
	asked->found = fleet_findings(&asked->look);
}

static bool is_bad(const struct asked *asked)
{
	for (unsigned int i = 0; i < FLEET_FINDINGS; i++)
		if (asked->found & 1U << i && !fleet_is_note(&asked->look, i))
			return true;
	return false;
}

static bool has(const struct asked *asked, enum fleet_finding finding)
{
	return asked->found & 1U << finding;
}

/* ---- the table ---------------------------------------------------------- */

static void heard_text(const struct asked *asked, char *buf, size_t size)
{
	char age[32];

	if (asked->fresh) {
		(void)snprintf(buf, size, "now");
		return;
	}
	if (!asked->word.heard_s) {
		(void)snprintf(buf, size, "never");
		return;
	}
	term_age((uint64_t)(asked->look.now_s > asked->word.heard_s
				    ? asked->look.now_s - asked->word.heard_s
				    : 0),
		 age, sizeof(age));
	(void)snprintf(buf, size, "%s ago", age);
}

static void policy_text(const struct asked *asked, char *buf, size_t size)
{
	const struct fleet_attest *attest = &asked->word.attest;

	if (!asked->word.heard_s)
		(void)snprintf(buf, size, "-");
	else if (has(asked, FLEET_LAGS))
		(void)snprintf(buf, size, "%" PRIu64 ", not %" PRIu64,
			       attest->policy_serial, asked->pushed.serial);
	else if (has(asked, FLEET_NO_POLICY))
		(void)snprintf(buf, size, "none");
	else
		(void)snprintf(buf, size, "%" PRIu64 "%s",
			       attest->policy_serial,
			       has(asked, FLEET_SWAPPED) ? ", ANOTHER"
			       : has(asked, FLEET_AHEAD) ? ", not from here"
							 : "");
}

static void evidence_text_of(const struct asked *asked, char *buf, size_t size)
{
	uint64_t behind = fleet_lines_behind(&asked->look);
	char n[32];

	if (has(asked, FLEET_BROKEN) || has(asked, FLEET_REPLACED) ||
	    has(asked, FLEET_SHORTER))
		(void)snprintf(buf, size, "CHANGED");
	else if (has(asked, FLEET_FULL))
		(void)snprintf(buf, size, "no room");
	else if (has(asked, FLEET_MISSING) || has(asked, FLEET_LOST) ||
		 has(asked, FLEET_DROPPED))
		(void)snprintf(buf, size, "with gaps");
	else if (behind) {
		term_number(behind, n, sizeof(n));
		(void)snprintf(buf, size, "%s behind", n);
	} else
		(void)snprintf(buf, size, "%s",
			       asked->host->received.seq ? "all here" : "-");
}

static void groups_text(const struct fleet_host *host, char *buf, size_t size)
{
	size_t len = 0;

	(void)snprintf(buf, size, "-");
	for (size_t i = 0; i < host->n_groups && len < size; i++)
		len += (size_t)snprintf(buf + len, size - len, "%s%s",
					i ? "," : "", host->groups[i]);
}

static int add_row(struct term_table *table, const struct asked *asked)
{
	const struct fleet_attest *attest = &asked->word.attest;
	bool known = asked->word.heard_s != 0;
	char heard[48], policy[96], evidence[64], open[32], groups[256];
	const char *texts[N_ELEMENTS(columns)] = {
		asked->host->name,
		heard,
		policy,
		known ? attest->mode : NULL,
		known ? attest->health : NULL,
		evidence,
		known ? open : NULL,
		groups,
	};

	heard_text(asked, heard, sizeof(heard));
	policy_text(asked, policy, sizeof(policy));
	evidence_text_of(asked, evidence, sizeof(evidence));
	term_number(attest->incidents_open, open, sizeof(open));
	groups_text(asked->host, groups, sizeof(groups));
	return term_table_add(table,
			      is_bad(asked) ? TERM_BAD
			      : asked->found || attest->incidents_open
				      ? TERM_POOR
				      : TERM_PLAIN,
			      texts);
}

static void print_words(const struct showing *showing,
			const struct asked *asked)
{
	char words[FLEET_WORDS_MAX], line[FLEET_WORDS_MAX + 160];

	for (unsigned int i = 0; i < FLEET_FINDINGS; i++) {
		if (!has(asked, i))
			continue;
		fleet_finding_words(&asked->look, i, words, sizeof(words));
		(void)printf("%s", term_begin(fleet_is_note(&asked->look, i)
						      ? TERM_POOR
						      : TERM_BAD,
					      showing->colour));
		(void)snprintf(line, sizeof(line), "%s: %s: %s",
			       asked->host->name, fleet_finding_name(i), words);
		log_clean(line);
		term_fold(stdout, line, 0, showing->width);
		(void)printf("%s\n", term_end(TERM_BAD, showing->colour));
	}
}

static int print_table(struct showing *showing)
{
	struct term_table *table = term_table_new(columns, N_ELEMENTS(columns));
	size_t good = 0;
	bool any = false;
	int r = table ? 0 : -ENOMEM;

	for (size_t i = 0; !r && i < showing->n; i++)
		r = add_row(table, &showing->hosts[i]);
	if (!r)
		term_table_print(table, stdout, showing->colour,
				 showing->width);
	term_table_free(table);
	if (r)
		return cmd_fleet_failed("status", r);
	for (size_t i = 0; i < showing->n; i++) {
		any = any || showing->hosts[i].found;
		good += !is_bad(&showing->hosts[i]);
	}
	if (any)
		(void)printf("\n");
	for (size_t i = 0; i < showing->n; i++)
		print_words(showing, &showing->hosts[i]);
	if (!showing->n)
		(void)printf("no host is approved yet: cordon fleet "
			     "approve\n");
	else
		(void)printf("\n%zu of %zu host%s good%s\n", good, showing->n,
			     showing->n == 1 ? " is" : "s are",
			     any ? "; what each word means, and what to do: "
				   "cordon-fleet(7)"
				 : "");
	return CMD_OK;
}

/* ---- for programs ------------------------------------------------------- */

static json_t *findings_json(const struct asked *asked)
{
	json_t *list = json_array();
	char words[FLEET_WORDS_MAX];

	for (unsigned int i = 0; i < FLEET_FINDINGS; i++) {
		if (!has(asked, i))
			continue;
		fleet_finding_words(&asked->look, i, words, sizeof(words));
		(void)json_array_append_new(
			list,
			json_pack("{s:s, s:s, s:b}", "kind",
				  fleet_finding_name(i), "words", words, "note",
				  fleet_is_note(&asked->look, i)));
	}
	return list;
}

static json_t *pushed_json(const struct fleet_pushed *pushed)
{
	return json_pack("{s:I, s:s, s:I}", "serial",
			 (json_int_t)pushed->serial, "sha256", pushed->sha256,
			 "trust_version", (json_int_t)pushed->trust_version);
}

/* What it said last. */
static json_t *word_json(const struct fleet_attest *attest)
{
	char until[TEXT_NUMBER_CHARS_MAX] = "";

	if (attest->lifted_until_s)
		text_format_time(attest->lifted_until_s, until, sizeof(until));
	return json_pack("{s:{s:I, s:s}, s:{s:I, s:s}, s:s, s:s*, s:s, s:s, "
			 "s:s, s:s, s:s, s:I}",
			 "policy", "serial", (json_int_t)attest->policy_serial,
			 "sha256", attest->policy_sha256, "trust", "version",
			 (json_int_t)attest->trust_version, "sha256",
			 attest->trust_sha256, "mode", attest->mode,
			 "lifted_until", until[0] ? until : NULL, "attached",
			 attest->attached, "kernel", attest->kernel, "version",
			 attest->version, "health", attest->health, "problem",
			 attest->problem, "incidents_open",
			 (json_int_t)attest->incidents_open);
}

static json_t *evidence_json(const struct fleet_attest *attest,
			     const struct fleet_received *received)
{
	return json_pack("{s:I, s:I, s:I, s:I}", "attested",
			 (json_int_t)attest->evidence_seq, "received",
			 (json_int_t)received->seq, "waiting",
			 (json_int_t)attest->spool_waiting, "dropped",
			 (json_int_t)attest->spool_dropped);
}

static void print_json(const struct asked *asked)
{
	const struct fleet_attest *attest = &asked->word.attest;
	const struct fleet_host *host = asked->host;
	char seen[TEXT_NUMBER_CHARS_MAX] = "";
	json_t *line, *groups = json_array();

	for (size_t i = 0; i < host->n_groups; i++)
		(void)json_array_append_new(groups,
					    json_string(host->groups[i]));
	if (asked->word.heard_s)
		text_format_time(asked->word.heard_s, seen, sizeof(seen));
	line = json_pack("{s:i, s:s, s:s, s:s, s:b, s:b, s:s*, s:o, s:o}",
			 "cordon", 1, "type", "fleet_host", "host", host->name,
			 "id", host->id, "good", !is_bad(asked), "fresh",
			 asked->fresh, "heard", seen[0] ? seen : NULL, "groups",
			 groups, "findings", findings_json(asked));
	if (line && asked->has_pushed)
		(void)json_object_set_new(line, "pushed",
					  pushed_json(&asked->pushed));
	if (line && asked->word.heard_s)
		(void)json_object_update_new(line, word_json(attest));
	if (line)
		(void)json_object_set_new(
			line, "evidence",
			evidence_json(attest, &host->received));
	cmd_print_json(line);
}

/* ---- all of it ---------------------------------------------------------- */

static int take_hosts(struct showing *showing, int argc, char **argv)
{
	struct fleet *fleet = showing->cmd.fleet;
	size_t n = optind < argc ? (size_t)(argc - optind) : fleet->n_hosts;

	showing->hosts = calloc(n ? n : 1, sizeof(*showing->hosts));
	if (!showing->hosts)
		return cmd_fleet_failed("status", -ENOMEM);
	for (size_t i = 0; i < n; i++) {
		struct asked *asked = &showing->hosts[showing->n++];

		asked->host = optind < argc
				      ? cmd_fleet_host(&showing->cmd,
						       argv[optind + (int)i])
				      : &fleet->hosts[i];
		if (!asked->host)
			return CMD_WRONG;
		(void)fleet_word_get(fleet, asked->host->name, &asked->word);
		asked->has_pushed =
			!fleet_pushed_for(fleet, asked->host, &asked->pushed);
	}
	return CMD_OK;
}

/* What came while they were asked is not missing. */
static void read_received(struct showing *showing)
{
	for (size_t i = 0; i < showing->n; i++)
		(void)fleet_received_get(showing->cmd.fleet,
					 showing->hosts[i].host->name,
					 &showing->hosts[i].host->received);
	showing->receiving = fleet_is_receiving(showing->cmd.fleet);
}

static int show(struct showing *showing)
{
	bool bad = showing->cmd.errs.n > 0;
	int r = CMD_OK, told = CMD_OK;

	fleet_nonce(showing->nonce);
	if (showing->n)
		r = ask_all(showing);
	keep_words(showing);
	read_received(showing);
	for (size_t i = 0; i < showing->n; i++) {
		judge(showing, &showing->hosts[i]);
		bad = bad || is_bad(&showing->hosts[i]);
	}
	if (!showing->cmd.common.json)
		told = print_table(showing);
	for (size_t i = 0; showing->cmd.common.json && i < showing->n; i++)
		print_json(&showing->hosts[i]);
	if (r || told)
		return r ? r : told;
	return bad ? CMD_LAGS : CMD_OK;
}

static int mark_seen(struct showing *showing)
{
	int r = 0;

	for (size_t i = 0; !r && i < showing->n; i++) {
		const char *name = showing->hosts[i].host->name;

		r = fleet_looked_put(showing->cmd.fleet, name,
				     clock_s(CLOCK_REALTIME));
		if (!r)
			(void)printf("%s: what happened so far is taken for "
				     "looked into\n",
				     name);
	}
	return r ? cmd_fleet_failed(showing->cmd.fleet->dir, r) : CMD_OK;
}

int cmd_fleet_status(int argc, char **argv)
{
	enum { OPT_WAIT = FLEET_OPT_OWN, OPT_SEEN };
	static const struct option options[] = {
		FLEET_OPTIONS,
		FLEET_LINK_OPTIONS,
		{"wait", required_argument, NULL, OPT_WAIT},
		{"seen", no_argument, NULL, OPT_SEEN},
		{0},
	};
	struct showing showing = {.wait_s = WAIT_S,
				  .colour = term_wants_colour(stdout),
				  .width = term_width(stdout)};
	bool seen = false;
	int code, r = 0;

	while (!r &&
	       (code = getopt_long(argc, argv, "", options, NULL)) != -1) {
		if (code == OPT_WAIT)
			r = cmd_fleet_take_wait(optarg, &showing.wait_s);
		else if (code == OPT_SEEN)
			seen = true;
		else
			r = cmd_fleet_take(&showing.cmd, code);
	}
	if (r)
		return r == CMD_DONE ? CMD_OK : r;
	if (seen && optind >= argc)
		return cmd_usage(FLEET_VERB, "status: --seen: of which hosts?");
	r = cmd_fleet_open(&showing.cmd, seen ? FLEET_READ : FLEET_OPENING);
	if (!r)
		r = take_hosts(&showing, argc, argv);
	if (!r)
		r = seen ? mark_seen(&showing) : show(&showing);
	free(showing.hosts);
	fleet_close(showing.cmd.fleet);
	return r;
}
