// SPDX-License-Identifier: GPL-2.0-only
/*
 * `cordon fleet watch': receives what hosts report, until it is stopped, and
 * tells of incidents and of hosts that change. A report is acknowledged when it
 * is on the disk. Hosts are asked now and then, so that one that falls silent,
 * or lags, is told of.
 */
#include "cmd_fleet.h"

#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <systemd/sd-daemon.h>

#include "clock.h"
#include "evidence.h"
#include "fleet_receive.h"
#include "fleet_view.h"
#include "log.h"
#include "policy_take.h"

#define ASK_S	    30	  /* all hosts, unless told otherwise */
#define ASK_GAP_MS  10000 /* one host for what is missing */
#define SILENT_ASKS 3	  /* that it did not answer */
#define PUT_MS	    500	  /* what is remembered goes to the disk, at least */
#define PUT_PART    10	  /* so many times as long as that takes */
#define WORD_S	    300	  /* what a host says goes there at least so often */
#define FULL_MS	    5000  /* until it is tried again where there was no room */
#define ASIDE_MS    10000 /* between two messages that are told of */
#define FETCH	    64	  /* reports at a time */

/* What is known of a host beside the fleet's own, by its place there. */
struct watched {
	char token[FLEET_NAME_CHARS_MAX + 1];
	struct fleet_word word;
	int64_t put_s;	      /* when the word was written */
	uint64_t unanswered;  /* asks */
	uint32_t found;	      /* what was told */
	uint64_t incident;    /* the highest that was told */
	int64_t gap_asked_ms; /* 0: not yet */
	uint64_t sent;	      /* the last line that it has sent, */
	uint64_t fetches;     /* and fetches that had begun when it said so */
	bool heard;	      /* since this began */
};

struct watching {
	struct cmd_fleet cmd;
	uint64_t ask_s;
	uint64_t host_bytes;
	bool once;
	struct link *link;
	struct watched *hosts; /* by their tokens, as the fleet's */
	size_t n;
	char nonce[FLEET_NONCE_CHARS_MAX];
	bool fetching;
	bool connected;
	uint64_t idle; /* the last fetch at which the broker had nothing */
	uint64_t fetches;
	int64_t ask_ms; /* when it is time for it */
	int64_t put_ms;
	int64_t again_ms; /* 0, or when to go on after a failure */
	int64_t aside_ms; /* when one was told last; 0: not yet */
	bool told_full;
	uint64_t taken;
};

static volatile sig_atomic_t stopped;

static void stop(int signal)
{
	(void)signal;
	stopped = 1;
}

/* ---- telling ------------------------------------------------------------ */

static void tell(const struct watching *watching, const char *kind,
		 const char *host, const char *words, bool bad)
{
	char line[FLEET_WORDS_MAX + 256], at[TEXT_NUMBER_CHARS_MAX];
	char clean[FLEET_WORDS_MAX];

	/* They may have been cut in the midst of a letter. */
	(void)snprintf(clean, sizeof(clean), "%s", words);
	log_clean(clean);
	text_format_time(clock_s(CLOCK_REALTIME), at, sizeof(at));
	if (watching->cmd.common.json) {
		cmd_print_json(json_pack("{s:i, s:s, s:s, s:s, s:s*, s:s, s:b}",
					 "cordon", 1, "type", "fleet_watch",
					 "time", at, "kind", kind, "host", host,
					 "words", clean, "bad", bad));
	} else {
		(void)snprintf(line, sizeof(line), "%s %s%s%s: %s", at,
			       host ? host : "", host ? ": " : "", kind, clean);
		log_clean(line);
		(void)puts(line);
	}
	(void)fflush(stdout);
}

static struct watched *watched_of(struct watching *watching,
				  const struct fleet_host *host)
{
	return &watching->hosts[host - watching->cmd.fleet->hosts];
}

/* The hosts that there are now; what is known of one goes on. */
static int follow_hosts(struct watching *watching)
{
	const struct fleet *fleet = watching->cmd.fleet;
	struct watched *hosts = calloc(fleet->n_hosts + 1, sizeof(*hosts));
	size_t before = 0;

	if (!hosts)
		return -ENOMEM;
	for (size_t i = 0; i < fleet->n_hosts; i++) {
		const char *token = fleet->hosts[i].token;

		/* Both are in the order of their tokens. */
		while (before < watching->n &&
		       strcmp(watching->hosts[before].token, token) < 0)
			before++;
		if (before < watching->n &&
		    strcmp(watching->hosts[before].token, token) == 0) {
			hosts[i] = watching->hosts[before];
			continue;
		}
		(void)strcpy(hosts[i].token, token);
		(void)fleet_word_get(fleet, fleet->hosts[i].name,
				     &hosts[i].word);
	}
	free(watching->hosts);
	watching->hosts = hosts;
	watching->n = fleet->n_hosts;
	return 0;
}

static int reload(struct watching *watching)
{
	uint64_t before = watching->cmd.fleet->hosts_changed_ns;
	struct policy_errors *errs = &watching->cmd.errs;
	int r;

	policy_errors_init(errs);
	r = fleet_reload(watching->cmd.fleet, errs);
	for (size_t i = 0; i < errs->n; i++)
		(void)fprintf(stderr, "cordon fleet: %s\n", errs->v[i].text);
	if (r || watching->cmd.fleet->hosts_changed_ns == before)
		return r;
	return follow_hosts(watching);
}

/* ---- hosts that change -------------------------------------------------- */

static void look_at(struct watching *watching, struct fleet_host *host,
		    struct fleet_pushed *pushed, struct fleet_look *look)
{
	struct watched *watched = watched_of(watching, host);
	const struct fleet *fleet = watching->cmd.fleet;

	*pushed = (struct fleet_pushed){0};
	(void)fleet_pushed_for(fleet, host, pushed);
	*look = (struct fleet_look){
		.host = host,
		.received = &host->received,
		.word = &watched->word,
		.pushed = pushed,
		.fresh = watched->unanswered < SILENT_ASKS,
		.asked = true,
		.receiving = true,
		.looked_s = fleet_looked_get(fleet, host->name),
		.now_s = clock_s(CLOCK_REALTIME),
	};
}

/* What is wrong now and was not, and the other way round. */
static void tell_changes(struct watching *watching, struct fleet_host *host)
{
	struct watched *watched = watched_of(watching, host);
	const struct fleet_word none = {0};
	char words[FLEET_WORDS_MAX];
	struct fleet_pushed pushed;
	struct fleet_look look;
	uint32_t found;

	look_at(watching, host, &pushed, &look);
	/* What it said before this began may not be so any more. */
	if (!watched->heard && look.fresh)
		look.word = &none;
	found = fleet_findings(&look);
	for (unsigned int i = 0; i < FLEET_FINDINGS; i++) {
		uint32_t bit = 1U << i;

		if (found & bit && !(watched->found & bit)) {
			fleet_finding_words(&look, i, words, sizeof(words));
			tell(watching, fleet_finding_name(i), host->name, words,
			     true);
		} else if (watched->found & bit && !(found & bit)) {
			tell(watching, fleet_finding_name(i), host->name,
			     "no more", false);
		}
	}
	watched->found = found;
}

static void put_word(struct watching *watching, const struct fleet_host *host)
{
	struct watched *watched = watched_of(watching, host);

	/* Whoever pushes has it for a while: the next time, then. */
	if (fleet_try_lock(watching->cmd.fleet))
		return;
	if (!fleet_word_put(watching->cmd.fleet, host->name, &watched->word))
		watched->put_s = watched->word.heard_s;
	fleet_unlock(watching->cmd.fleet);
}

/* But for what is another in each answer. */
static bool says_the_same(const struct fleet_attest *a,
			  const struct fleet_attest *b)
{
	return a->policy_serial == b->policy_serial &&
	       strcmp(a->policy_sha256, b->policy_sha256) == 0 &&
	       a->trust_version == b->trust_version &&
	       strcmp(a->mode, b->mode) == 0 &&
	       strcmp(a->lifted_sha256, b->lifted_sha256) == 0 &&
	       strcmp(a->health, b->health) == 0 &&
	       strcmp(a->problem, b->problem) == 0 &&
	       a->incidents_open == b->incidents_open;
}

static void tell_first(const struct watching *watching,
		       const struct fleet_host *host,
		       const struct fleet_attest *attest)
{
	char words[256];

	(void)snprintf(words, sizeof(words),
		       "policy serial %" PRIu64 ", %s, %s, kernel %s",
		       attest->policy_serial, attest->mode, attest->health,
		       attest->kernel);
	tell(watching, "heard", host->name, words, false);
}

static void tell_policy(const struct watching *watching,
			const struct fleet_host *host,
			const struct fleet_attest *before,
			const struct fleet_attest *now)
{
	char words[256];

	if (before->policy_serial != now->policy_serial) {
		(void)snprintf(words, sizeof(words),
			       "serial %" PRIu64 " is in force, before: "
			       "%" PRIu64,
			       now->policy_serial, before->policy_serial);
		tell(watching, "policy", host->name, words, false);
	}
	if (strcmp(before->mode, now->mode) != 0) {
		(void)snprintf(words, sizeof(words), "%s, before: %s",
			       now->mode, before->mode);
		tell(watching, "mode", host->name, words, false);
	}
}

/* What it had sent before has to have come first. */
static void note_sent(struct watching *watching, const struct fleet_host *host,
		      const struct fleet_attest *attest)
{
	struct watched *watched = watched_of(watching, host);

	if (host->received.seq < watched->sent)
		return;
	watched->sent = attest->evidence_seq > attest->spool_waiting
				? attest->evidence_seq - attest->spool_waiting
				: 0;
	watched->fetches = watching->fetches;
}

static void take_word(struct watching *watching, const struct link_frame *frame)
{
	struct fleet_attest attest;
	struct watched *watched;
	struct fleet_host *host;
	bool same;

	if (fleet_hear(watching->cmd.fleet, frame->name, frame->bytes,
		       frame->len, &host, &attest) ||
	    strcmp(attest.nonce, watching->nonce) != 0)
		return;
	watched = watched_of(watching, host);
	same = watched->word.heard_s &&
	       says_the_same(&watched->word.attest, &attest);
	if (!watched->heard)
		tell_first(watching, host, &attest);
	else
		tell_policy(watching, host, &watched->word.attest, &attest);
	note_sent(watching, host, &attest);
	watched->heard = true;
	watched->unanswered = 0;
	watched->word.attest = attest;
	watched->word.heard_s = clock_s(CLOCK_REALTIME);
	if (!same || watched->word.heard_s - watched->put_s >= WORD_S)
		put_word(watching, host);
	tell_changes(watching, host);
}

/* ---- asking ------------------------------------------------------------- */

static void send_ask(struct watching *watching, const char *token,
		     const struct fleet_have *have)
{
	struct link_frame frame = {.type = LINK_ASK};
	char *text = NULL;
	size_t len;

	if (fleet_ask_make(watching->nonce, have, have ? 1 : 0, &text, &len))
		return;
	(void)snprintf(frame.name, sizeof(frame.name), "%s", token);
	frame.bytes = text;
	frame.len = len;
	/* What is not sent is asked the next time. */
	(void)link_send(watching->link, &frame);
	free(text);
}

static void ask_all(struct watching *watching)
{
	struct fleet *fleet = watching->cmd.fleet;

	for (size_t i = 0; i < fleet->n_hosts; i++) {
		tell_changes(watching, &fleet->hosts[i]);
		watching->hosts[i].unanswered++;
	}
	fleet_nonce(watching->nonce);
	send_ask(watching, "", NULL);
	watching->ask_ms = clock_ms() + (int64_t)watching->ask_s * 1000;
}

/*
 * A host with a gap begins again behind what is here. So does one whose lines
 * the broker has lost, which shows when there is nothing more to come.
 */
static bool lacks_lines(const struct watching *watching,
			const struct fleet_host *host,
			const struct watched *watched)
{
	/* The broker has them, until there is room. */
	if (host->received.full_s ||
	    host->received.later_s > clock_s(CLOCK_REALTIME))
		return false;
	return host->received.gap_s || (host->received.seq < watched->sent &&
					watching->idle > watched->fetches);
}

static void ask_gap(struct watching *watching, struct fleet_host *host)
{
	struct watched *watched = watched_of(watching, host);
	struct fleet_have have;

	if (!lacks_lines(watching, host, watched)) {
		host->changed = host->changed || host->received.behind_s;
		host->received.behind_s = 0;
		return;
	}
	if (!host->received.behind_s) {
		host->received.behind_s = clock_s(CLOCK_REALTIME);
		host->changed = true;
	}
	if (watched->gap_asked_ms &&
	    clock_ms() - watched->gap_asked_ms < ASK_GAP_MS)
		return;
	watched->gap_asked_ms = clock_ms();
	/* What it sends then has to have come before it is asked again. */
	watched->fetches = watching->fetches;
	if (!fleet_have(watching->cmd.fleet, host, &have))
		send_ask(watching, host->token, &have);
}

/* ---- reports ------------------------------------------------------------ */

static void tell_incident(struct watching *watching,
			  const struct fleet_host *host, const json_t *line)
{
	struct watched *watched = watched_of(watching, host);
	uint64_t n = evidence_number(line, "incident");
	const char *state = evidence_text(line, "state");
	bool closed = strcmp(state, "closed") == 0;
	const json_t *act = json_object_get(line, "act");
	const char *login = evidence_text(line, "login");
	char words[FLEET_WORDS_MAX];

	if (n <= watched->incident && !closed)
		return;
	if (n > watched->incident)
		watched->incident = n;
	(void)snprintf(
		words, sizeof(words),
		"%" PRIu64 " %s: %.32s[%" PRIu64 "] %s%.64s, %.64s, "
		"%" PRIu64 " blocked, %" PRIu64 " alerted",
		n, closed ? "closed" : "open", evidence_text(line, "comm"),
		evidence_number(line, "tgid"), login[0] ? "login " : "user ",
		login[0] ? login : evidence_text(line, "user"),
		evidence_text(act, "dataset"), evidence_number(line, "blocked"),
		evidence_number(line, "alerted"));
	tell(watching, "incident", host->name, words, !closed);
}

/* In most reports there is none. */
static void tell_incidents(struct watching *watching,
			   const struct fleet_receipt *receipt)
{
	static const char mark[] = "\"type\":\"incident\"";
	const char *at = receipt->lines, *end = at + receipt->len, *next;
	json_t *line;

	for (; at < end; at = next) {
		next = memchr(at, '\n', (size_t)(end - at));
		next = next ? next + 1 : end;
		if (!memmem(at, (size_t)(next - at), mark, sizeof(mark) - 1))
			continue;
		line = json_loadb(at, (size_t)(next - at), 0, NULL);
		if (strcmp(evidence_text(line, "type"), "incident") == 0)
			tell_incident(watching, receipt->host, line);
		json_decref(line);
	}
}

static void tell_aside(struct watching *watching, const char *token,
		       const struct fleet_receipt *receipt)
{
	static const char *const words[FLEET_OUTCOMES] = {
		[FLEET_UNKNOWN] = "a report of a host that is not approved",
		[FLEET_FORGED] = "a report that this host has not signed",
		[FLEET_FOREIGN] = "a report of its key in another host's name",
		[FLEET_CLOSED] = "no report, or none to this force",
	};
	char text[256];

	/* Whoever sends many of them shall not fill the log as well. */
	if (!words[receipt->outcome] ||
	    (watching->aside_ms && clock_ms() - watching->aside_ms < ASIDE_MS))
		return;
	watching->aside_ms = clock_ms();
	(void)snprintf(text, sizeof(text), "%s, on the subject of %.128s",
		       words[receipt->outcome], token);
	tell(watching, "aside", receipt->host ? receipt->host->name : NULL,
	     text, true);
}

/* The next one of this host would leave a gap: all come again, in order. */
static void begin_again(struct watching *watching, int r)
{
	char words[FLEET_DIR_MAX + 256];

	if (!watching->told_full) {
		(void)snprintf(words, sizeof(words),
			       "%s: %s; nothing of it is lost: the broker and "
			       "the hosts keep it until there is room",
			       watching->cmd.fleet->dir, strerror(-r));
		tell(watching, "cannot-receive", NULL, words, true);
		(void)fprintf(stderr, "cordon fleet: cannot receive: %s\n",
			      words);
	}
	watching->told_full = true;
	link_free(watching->link);
	watching->link = NULL;
	watching->connected = false;
	watching->fetching = false;
	watching->again_ms = clock_ms() + FULL_MS;
}

static int answer(struct watching *watching, const struct link_frame *frame,
		  const struct fleet_receipt *receipt)
{
	struct link_frame answer = {.type = LINK_ACK, .id = frame->id};

	if (receipt->outcome == FLEET_LATER) {
		answer.type = LINK_LATER;
		answer.count = receipt->later_s;
	}
	return link_send(watching->link, &answer);
}

static int take_report(struct watching *watching,
		       const struct link_frame *frame)
{
	struct fleet *fleet = watching->cmd.fleet;
	struct fleet_receipt receipt;
	int r = 0;

	if (!fleet_find_token(fleet, frame->name))
		r = reload(watching);
	if (!r)
		r = fleet_receive(fleet, frame->name, frame->bytes, frame->len,
				  &receipt);
	if (r) {
		begin_again(watching, r);
		return 0;
	}
	r = answer(watching, frame, &receipt);
	watching->told_full = false;
	if (receipt.outcome == FLEET_TAKEN) {
		watching->taken++;
		tell_incidents(watching, &receipt);
	}
	tell_aside(watching, frame->name, &receipt);
	if (receipt.host && receipt.outcome != FLEET_TAKEN &&
	    receipt.outcome != FLEET_AGAIN)
		tell_changes(watching, receipt.host);
	if (receipt.host && receipt.outcome == FLEET_GAP)
		ask_gap(watching, receipt.host);
	fleet_receipt_release(&receipt);
	/* It comes again, and is known then. */
	return r == -ENOBUFS || r == -ENOTCONN ? 0 : r;
}

static void fetch(struct watching *watching)
{
	struct link_frame frame = {.type = LINK_FETCH, .count = FETCH};

	if (watching->fetching || !watching->connected)
		return;
	frame.id = ++watching->fetches;
	watching->fetching = link_send(watching->link, &frame) == 0;
}

/* ---- the link ----------------------------------------------------------- */

static void take_connected(struct watching *watching)
{
	watching->connected = true;
	watching->fetching = false;
	tell(watching, "connected", NULL, link_state(watching->link)->words,
	     false);
	(void)sd_notify(0, "STATUS=receiving");
	ask_all(watching);
}

static int take_frame(struct watching *watching, const struct link_frame *frame)
{
	switch (frame->type) {
	case LINK_CONNECTED:
		take_connected(watching);
		return 0;
	case LINK_DISCONNECTED:
		if (watching->connected)
			tell(watching, "disconnected", NULL,
			     link_state(watching->link)->words, true);
		(void)sd_notify(0, "STATUS=the broker cannot be reached");
		watching->connected = false;
		watching->fetching = false;
		return 0;
	case LINK_REPORTED:
		return take_report(watching, frame);
	case LINK_FETCHED:
		watching->fetching = false;
		if (!frame->count)
			watching->idle = watching->fetches;
		return 0;
	case LINK_ATTESTED:
		take_word(watching, frame);
		return 0;
	default:
		return 0;
	}
}

/* What is due, apart from frames. */
static int do_due(struct watching *watching)
{
	struct fleet *fleet = watching->cmd.fleet;
	int64_t now = clock_ms();
	int r;

	r = reload(watching);
	if (r)
		return r;
	if (!watching->link && now >= watching->again_ms) {
		r = cmd_fleet_link(&watching->cmd, &watching->link);
		if (r)
			return -ENOMEM;
		r = link_work(watching->link);
	}
	if (watching->connected && now >= watching->ask_ms)
		ask_all(watching);
	for (size_t i = 0; watching->connected && i < fleet->n_hosts; i++)
		ask_gap(watching, &fleet->hosts[i]);
	if (now >= watching->put_ms) {
		(void)fleet_received_put(fleet);
		/* Most of the time is for what comes. */
		watching->put_ms =
			clock_ms() + PUT_MS + PUT_PART * (clock_ms() - now);
	}
	fetch(watching);
	return r;
}

static bool is_done(const struct watching *watching)
{
	return stopped || (watching->once && watching->idle &&
			   !watching->fetching && watching->fetches);
}

static int watch(struct watching *watching)
{
	const struct timespec nap = {.tv_nsec = 200000000};
	struct link_frame frame;
	int r = 0;

	while (!r && !is_done(watching)) {
		r = do_due(watching);
		if (r || !watching->link) {
			(void)nanosleep(&nap, NULL);
			continue;
		}
		/* All that is there before anything else is due. */
		r = cmd_fleet_next(watching->link, clock_ms() + 1000, &frame);
		while (r > 0 && watching->link) {
			r = take_frame(watching, &frame);
			if (!r && watching->link)
				r = link_next(watching->link, &frame);
		}
		if (r == -EINTR || r > 0)
			r = 0;
	}
	(void)fleet_received_put(watching->cmd.fleet);
	return r ? cmd_fleet_failed("watch", r) : CMD_OK;
}

static int begin(struct watching *watching)
{
	const struct sigaction ends = {.sa_handler = stop};
	int r;

	r = cmd_fleet_open(&watching->cmd, FLEET_OPENING);
	if (r)
		return r;
	watching->cmd.fleet->host_bytes = watching->host_bytes;
	r = fleet_lock_receiving(watching->cmd.fleet);
	if (r == -EBUSY) {
		(void)fprintf(stderr,
			      "cordon fleet: %s: somebody receives there "
			      "already: two would have the reports out of "
			      "order\n",
			      watching->cmd.fleet->dir);
		return CMD_WRONG;
	}
	if (!r)
		r = follow_hosts(watching);
	if (r)
		return cmd_fleet_failed(watching->cmd.fleet->dir, r);
	fleet_recheck(watching->cmd.fleet);
	(void)sigaction(SIGTERM, &ends, NULL);
	(void)sigaction(SIGINT, &ends, NULL);
	/* Also without a broker: it is there when that is. */
	(void)sd_notify(0, "READY=1\nSTATUS=connecting");
	return watch(watching);
}

static int take_limit(const char *text, uint64_t *ret_bytes)
{
	if (!text_parse_bytes(text, true, 1, INT64_MAX, ret_bytes))
		return CMD_OK;
	return cmd_usage(FLEET_VERB, "%s: expected a size, such as 10GiB",
			 text);
}

int cmd_fleet_watch(int argc, char **argv)
{
	enum { OPT_ONCE = FLEET_OPT_OWN, OPT_ASK, OPT_LIMIT };
	static const struct option options[] = {
		FLEET_OPTIONS,
		FLEET_LINK_OPTIONS,
		{"once", no_argument, NULL, OPT_ONCE},
		{"ask", required_argument, NULL, OPT_ASK},
		{"host-limit", required_argument, NULL, OPT_LIMIT},
		{0},
	};
	struct watching watching = {.ask_s = ASK_S,
				    .host_bytes = FLEET_HOST_BYTES};
	int code, r = 0;

	while (!r &&
	       (code = getopt_long(argc, argv, "", options, NULL)) != -1) {
		if (code == OPT_ONCE)
			watching.once = true;
		else if (code == OPT_ASK)
			r = cmd_fleet_take_wait(optarg, &watching.ask_s);
		else if (code == OPT_LIMIT)
			r = take_limit(optarg, &watching.host_bytes);
		else
			r = cmd_fleet_take(&watching.cmd, code);
	}
	if (!r)
		r = cmd_no_more(FLEET_VERB, argc, argv);
	if (!r)
		r = begin(&watching);
	link_free(watching.link);
	free(watching.hosts);
	fleet_close(watching.cmd.fleet);
	return r == CMD_DONE ? CMD_OK : r;
}
