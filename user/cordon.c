// SPDX-License-Identifier: GPL-2.0-only
/*
 * cordon - the administrator's and the issuer's command: one table of verbs,
 * and what they share.
 */
#include "args.h"
#include "cmd.h"
#include "enrolment.h"
#include "evidence.h"
#include "export.h"
#include "fleet.h"
#include "log.h"
#include "reply.h"
#include "text.h"
#include "version.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>

static int cmd_version(int argc, char **argv);
static int cmd_help(int argc, char **argv);

#define COMMON_HELP                                                   \
	"  --json          one JSON object a line, for programs\n"    \
	"  --run-dir DIR   the agent's, default " CORDON_RUN_DIR "\n" \
	"  --help          this text\n"

static const struct verb verbs[] = {
	{"doctor", cmd_doctor, "check this host, and say what to do",
	 "usage: cordon doctor [OPTION...]\n"
	 "\n"
	 "Checks the kernel, the host, the policy and, live, every hook of the "
	 "guard.\n"
	 "Each line says what is wrong and what to do about it.\n"
	 "\n"
	 "  --policy FILE   check this policy, if no agent runs\n" COMMON_HELP
	 "\n"
	 "exit: 0 fit, 1 something failed\n"},
	{"status", cmd_status, "what is guarded, and how much budget is used",
	 "usage: cordon status [OPTION...]\n"
	 "\n" COMMON_HELP},
	{"top", cmd_top, "the same and more, live, in a terminal",
	 "usage: cordon top [OPTION...]\n"
	 "\n"
	 "Datasets, budgets, holders and the last events, as they are now. "
	 "Keys: q quits,\n"
	 "h tells the others.\n"
	 "\n"
	 "  --interval SECONDS  1 to 3600, default 2\n"
	 "  --once              print it once, without a terminal, and end\n"
	 "  --run-dir DIR       the agent's, default " CORDON_RUN_DIR "\n"
	 "  --help              this text\n"
	 "\n"
	 "exit: 0 it was shown, 2 this is no terminal, 3 or 4 (--once) there "
	 "is no agent,\n"
	 "or not for you\n"},
	{"events", cmd_events, "what was blocked, alerted, first seen",
	 "usage: cordon events [OPTION...]\n"
	 "\n"
	 "Shows the last events, at most 4096.\n"
	 "\n"
	 "  --follow        go on with new ones; alone, shows new ones only\n"
	 "  --since WHEN    2026-11-01T00:00:00Z, or \"15 minutes\", day "
	 "...\n" COMMON_HELP},
	{"ledger", cmd_ledger, "who read and released how much, to where",
	 "usage: cordon ledger [OPTION...]\n"
	 "\n"
	 "  --dataset NAME, --subject NAME, --destination NAME\n"
	 "                  only these; the destination `read` is "
	 "reading, `*`\n"
	 "                  is what no name covers\n" COMMON_HELP},
	{"explain", cmd_explain, "why a process or a file holds what it holds",
	 "usage: cordon explain [OPTION...] PID|FILE\n"
	 "\n"
	 "Says what it holds, how that came (who read it, and by which way it "
	 "went on), and\n"
	 "what it may still do. A file whose name is a number: ./4711.\n"
	 "\n" COMMON_HELP "\n"
	 "exit: 0 it was told, 1 there is no such process and nothing is known "
	 "of it, 2 no\n"
	 "such file\n"},
	{"policy", cmd_policy, "check, compare, explain and sign policies",
	 "usage: cordon policy check [OPTION...] FILE...\n"
	 "       cordon policy diff [OPTION...] OLD NEW\n"
	 "       cordon policy explain [OPTION...] FILE --subject WHO "
	 "--dataset NAME\n"
	 "       cordon policy apply [--run-dir DIR] FILE\n"
	 "       cordon policy keygen [--no-password] NAME\n"
	 "       cordon policy sign --key KEY [--comment TEXT] FILE...\n"
	 "       cordon policy push ARGUMENT...\n"
	 "       cordon policy simulate [--json] [--ledger LINES] FILE "
	 "[FOLDER|SEGMENT...]\n"
	 "       cordon policy verify [--trust FILE] [--json] FILE\n"
	 "\n"
	 "check finds every error, then what the author should know. diff "
	 "says what NEW\n"
	 "makes looser and tighter. explain says which rule decides for "
	 "somebody, and why\n"
	 "not the others. simulate says what FILE would have refused, and let "
	 "through, of\n"
	 "what a host has on record. apply has the agent take FILE and its "
	 "signatures, or\n"
	 "leaves all as it was; the others need no agent. keygen makes the "
	 "keys "
	 "of one who\n"
	 "signs, sign signs good policies and trust anchors, verify says "
	 "whether enough\n"
	 "have signed: cordon-trust(5). push is cordon fleet push. Default "
	 "folder:\n" CORDON_STATE_DIR "/evidence\n"
	 "\n"
	 "  --subject WHO       a subject's name, or what is known of a "
	 "process:\n"
	 "                      unit=U,cgroup=C,exe=E,user=U,group=G,login=L\n"
	 "  --dataset NAME      which data\n"
	 "  --destination TO    a destination's name, or "
	 "ADDRESS:PORT\n"
	 "  --ledger LINES      what cordon ledger --json printed, not the "
	 "evidence\n" COMMON_HELP "\n"
	 "exit: 0 good, or nothing gets looser, or all that went through fits, "
	 "1 a policy\n"
	 "is bad, has expired (check), is not signed by enough (verify), is "
	 "refused\n"
	 "(apply), or its serial does not rise (diff), 3 and 4 as ever "
	 "(apply), "
	 "5 something\n"
	 "gets looser, or may (diff), 6 something that went through would be "
	 "refused, or\n"
	 "may (simulate)\n"},
	{"act", cmd_act, "what the issuer allows this host, once",
	 "usage: cordon act request break-glass [--lasts TIME] [--reason "
	 "TEXT]\n"
	 "       cordon act request uninstall [--reason TEXT]\n"
	 "       cordon act request recover --serial N [--reason TEXT]\n"
	 "       cordon act apply FILE\n"
	 "       cordon act end\n"
	 "\n"
	 "request prints what the issuer's people sign (cordon policy sign), "
	 "if "
	 "they agree:\n"
	 "break-glass has nothing denied for a while, uninstall takes the "
	 "guard "
	 "away,\n"
	 "recover has policies above serial N taken again. It is for this host "
	 "alone, once,\n"
	 "and within 24 hours. apply gives FILE and its signatures to the "
	 "agent; end ends a\n"
	 "break-glass before its time. For root: cordon-act(5).\n"
	 "\n"
	 "  --lasts TIME    1 minute to 24 hours, default 1 hour\n"
	 "  --serial N      the highest that counts as seen from then on\n"
	 "  --reason TEXT   one line, which is signed too\n" COMMON_HELP "\n"
	 "exit: 0 done, 1 refused, or there is nothing to end, 3 the agent "
	 "cannot be\n"
	 "reached, 4 not permitted\n"},
	{"incident", cmd_incident, "what was stopped, and who did it",
	 "usage: cordon incident list [--json] [FOLDER|SEGMENT...]\n"
	 "       cordon incident show N [--json] [FOLDER|SEGMENT...]\n"
	 "\n"
	 "An incident is all that one chain of processes did beyond its "
	 "budgets, out of the\n"
	 "evidence log; no agent is needed. Default folder: " CORDON_STATE_DIR
	 "/evidence\n"
	 "\n"
	 "  --json          the lines of the log, for programs\n"
	 "  --help          this text\n"
	 "\n"
	 "exit: 0 it was told, 1 there is no such incident, the evidence "
	 "cannot be read, or\n"
	 "not all of it, 4 not permitted\n"},
	{"exposed", cmd_exposed, "whose records were read",
	 "usage: cordon exposed [N] [OPTION...] [FOLDER|SEGMENT...]\n"
	 "\n"
	 "Lists, out of the evidence log, which records incident N, or each "
	 "origin, has read\n"
	 "and whether they can have left; no agent is needed. Default "
	 "folder:\n" CORDON_STATE_DIR "/evidence\n"
	 "\n"
	 "  --origin N      one of the guard that was loaded last, each record "
	 "by name\n"
	 "  --record NAME   who has ever read this one: a file, FILE:ROW, or "
	 "a row's key\n"
	 "  --csv           a table: origin, dataset, file, row, key, fate, "
	 "released_to\n"
	 "  --json          one JSON object a line, for programs\n"
	 "  --help          this text\n"
	 "\n"
	 "exit: 0 it was told, 1 the evidence cannot be read, or not all of "
	 "it, 4 not\n"
	 "permitted\n"},
	{"report", cmd_report, "a page about an incident, for others",
	 "usage: cordon report N [OPTION...] [FOLDER|SEGMENT...]\n"
	 "\n"
	 "Makes one page about incident N that opens offline and prints: who, "
	 "what was read,\n"
	 "what can have left, and what of that is proven. Needs the evidence "
	 "folder and the\n"
	 "host's public key, no agent. Default folder: " CORDON_STATE_DIR
	 "/evidence\n"
	 "\n"
	 "  -o, --output FILE default: incident-N.html; -: standard output\n"
	 "  --key FILE        the host's public key (PEM); more than once if "
	 "it was made\n"
	 "                    anew; default: the one in the folder\n"
	 "  --help            this text\n"
	 "\n"
	 "exit: 0 it is made and proven, 1 it is made and says what is not "
	 "proven, or there\n"
	 "is no such incident, or the evidence cannot be read, 4 not "
	 "permitted\n"},
	{"evidence", cmd_evidence, "is the log of what happened whole?",
	 "usage: cordon evidence verify [OPTION...] [FOLDER|SEGMENT...]\n"
	 "       cordon evidence show [--from N] [--to N] [FOLDER|SEGMENT...]\n"
	 "       cordon evidence checkpoint|key|reindex [FOLDER]\n"
	 "\n"
	 "verify finds every line that was changed, taken out, put in, moved "
	 "or cut off,\n"
	 "and says what is still proven. It needs the folder and the host's "
	 "public key,\n"
	 "no agent. show prints lines; checkpoint the last signed one, to be "
	 "kept\n"
	 "elsewhere; key the public key; reindex makes the index "
	 "anew that incident,\n"
	 "exposed and report ask. Default: " CORDON_STATE_DIR "/evidence\n"
	 "\n"
	 "  --key FILE        the host's public key (PEM); more than once if "
	 "it "
	 "was made\n"
	 "                    anew; default: the one in the folder\n"
	 "  --from N, --to N  only lines N to N\n"
	 "  --last N          there have been at least N lines\n"
	 "  --checkpoint FILE a checkpoint that was kept has to be in it\n"
	 "  --json            one JSON object a line, for programs\n"
	 "  --help            this text\n"
	 "\n"
	 "exit: 0 whole and proven, 1 not, or it could not be read, 4 not "
	 "permitted\n"},
	{"enroll", cmd_enroll, "make this host one of a force's fleet",
	 "usage: cordon enroll request [--name NAME] [--state-dir DIR] "
	 ">HOST.request\n"
	 "       cordon enroll accept [--trust FILE] [--enrolment FILE]\n"
	 "                            [--state-dir DIR] HOST.enrolment\n"
	 "\n"
	 "request prints, for the issuer, what this host is called and its "
	 "key, which it\n"
	 "makes if there is none; the issuer asks for the id that it says. "
	 "accept takes the\n"
	 "enrolment that the issuer's people have signed, with its signatures "
	 "beside it, if\n"
	 "it is this host's; the agent looks at it at a start and at a reload. "
	 "For root:\n"
	 "cordon-enrolment(5).\n"
	 "\n"
	 "  --name NAME       default: as this host is called\n"
	 "  --trust FILE      who has to have signed it where no agent ever "
	 "ran, default\n"
	 "                    " CORDON_TRUST_FILE "\n"
	 "  --enrolment FILE  where it is kept, default " CORDON_ENROLMENT_FILE
	 "\n"
	 "  --state-dir DIR   the agent's, default " CORDON_STATE_DIR "\n"
	 "  --help            this text\n"
	 "\n"
	 "exit: 0 done, 1 refused, or it could not be written, 4 not "
	 "permitted\n"},
	{"fleet", cmd_fleet, "what a force does with hosts that are far away",
	 "usage: cordon fleet init --issuer NAME --server URL... [--dir DIR]\n"
	 "       cordon fleet approve [--group GROUP]... HOST.request "
	 ">HOST.enrolment\n"
	 "       cordon fleet users\n"
	 "       cordon fleet push FILE --group GROUP|--host HOST...\n"
	 "       cordon fleet push --again\n"
	 "       cordon fleet status [--wait SECONDS] [--seen] [HOST...]\n"
	 "       cordon fleet watch [--once] [--ask SECONDS] "
	 "[--host-limit SIZE]\n"
	 "       cordon fleet incidents [HOST...]\n"
	 "       cordon fleet report HOST N [-o FILE]\n"
	 "\n"
	 "init begins a fleet; approve makes the enrolment of a host, to be "
	 "signed; users\n"
	 "prints what the broker's configuration has of the hosts; push gives "
	 "what was\n"
	 "signed to the broker; status asks every host what it enforces; watch "
	 "receives\n"
	 "until it is stopped, and tells what happens; incidents and report "
	 "are about what\n"
	 "was received, and need no broker: cordon-fleet(7).\n"
	 "\n"
	 "  --dir DIR         of the fleet, default " CORDON_FLEET_DIR "\n"
	 "  --group, --host   to whom, more than once\n"
	 "  --new-key         approve: the host may have another key than "
	 "before\n"
	 "  --again           push: all that was pushed last, to a broker that "
	 "has lost it\n"
	 "  --wait SECONDS    for the broker, and then for hosts; status 5, "
	 "push 30\n"
	 "  --seen            status: what happened to HOST was looked into\n"
	 "  --once            watch: end when all that is there was received\n"
	 "  --ask SECONDS     watch: how often hosts are asked, default 30\n"
	 "  --host-limit SIZE watch: room for the evidence of each host, "
	 "default 10GiB\n"
	 "  -o, --output FILE report: default HOST-incident-N.html; -: "
	 "standard output\n"
	 "  --link PROGRAM    what speaks to the broker; default: cordon-link "
	 "beside this\n"
	 "  --link-user NAME  who that runs as where root starts it, default "
	 "cordon-link\n"
	 "  --json            one JSON object a line, for programs\n"
	 "  --help            this text\n"
	 "\n"
	 "exit: 0 done, and all hosts are good (status), 1 refused, or "
	 "something failed,\n"
	 "3 the broker cannot be reached, 4 not permitted, 7 a host is silent, "
	 "lags behind\n"
	 "or is not well (status)\n"},
	{"export", cmd_export, "what happened, for a system that watches hosts",
	 "usage: cordon export --format ocsf|syslog|json [OPTION...] [FOLDER]\n"
	 "\n"
	 "Tells the evidence log to a SIEM: ocsf, a Data Security Finding "
	 "(OCSF " EXPORT_OCSF_VERSION ")\n"
	 "for each line about an incident; syslog, a message (RFC 5424) for "
	 "each event and\n"
	 "each of those; json, the lines as they are. Needs no agent. Default "
	 "folder:\n" CORDON_STATE_DIR "/evidence\n"
	 "\n"
	 "  --all           from the first line on: the default, but for "
	 "--follow alone\n"
	 "  --since N       from line N on\n"
	 "  --follow        go on with new lines\n"
	 "  --cursor FILE   remember in it what was sent, and go on behind "
	 "that\n"
	 "  --to ADDRESS    unix:/dev/log, udp:127.0.0.1:514 or udp:[::1]:514; "
	 "default:\n"
	 "                  standard output\n"
	 "  --host NAME     the host's; default: what its log says\n"
	 "  --facility F    of syslog: authpriv (default), local0 ...\n"
	 "  --enterprise N  who names its structured data; default 32473, "
	 "which is kept\n"
	 "                  for examples\n"
	 "  --help          this text\n"
	 "\n"
	 "exit: 0 told, or ended as asked, 1 the evidence cannot be read, or "
	 "not all,\n"
	 "or is not the cursor's, 3 nobody receives there, 4 not permitted\n"},
	{"metrics", cmd_metrics, "what a monitoring system scrapes",
	 "usage: cordon metrics [--openmetrics] [--run-dir DIR]\n"
	 "       cordon metrics --listen ADDRESS [--run-dir DIR]\n"
	 "\n"
	 "Prints what the agent tells as Prometheus reads it, once; or serves "
	 "it at\n"
	 "/metrics until it is ended, and asks the agent when somebody asks.\n"
	 "\n"
	 "  --listen ADDRESS  127.0.0.1:9478, [::1]:9478, "
	 "unix:/run/metrics.sock, or\n"
	 "                    systemd: the socket that it passes; never where "
	 "other hosts\n"
	 "                    reach\n"
	 "  --openmetrics     print OpenMetrics 1.0, not the text format "
	 "0.0.4; who asks\n"
	 "                    at --listen says what it takes\n"
	 "  --run-dir DIR     the agent's, default " CORDON_RUN_DIR "\n"
	 "  --help            this text\n"
	 "\n"
	 "exit: 0 told, or ended as asked, 1 nobody can be served there, 3 the "
	 "agent\n"
	 "cannot be reached, 4 not permitted; at 3 and 4 cordon_up 0 is "
	 "printed\n"},
	{"version", cmd_version, "which version this is",
	 "usage: cordon version [--json]\n"},
	{"help", cmd_help, "this list, or more about one verb",
	 "usage: cordon help [VERB]\n"},
};

#define N_VERBS (sizeof(verbs) / sizeof(verbs[0]))

static const struct verb *find_verb(const char *name)
{
	for (size_t i = 0; i < N_VERBS; i++)
		if (strcmp(name, verbs[i].name) == 0)
			return &verbs[i];
	return NULL;
}

static void list_verbs(FILE *out)
{
	(void)fputs("usage: cordon VERB [OPTION...]\n\n", out);
	for (size_t i = 0; i < N_VERBS; i++)
		(void)fprintf(out, "  %-8s %s\n", verbs[i].name, verbs[i].help);
	(void)fputs("\n"
		    "cordon VERB --help says more. exit: 0 ok, 1 something is "
		    "wrong, 2 usage,\n"
		    "3 the agent cannot be reached, 4 not permitted. See "
		    "cordon(1).\n",
		    out);
}

/* ---- what verbs share --------------------------------------------------- */

int cmd_usage(const char *verb, const char *format, ...)
{
	char text[512];
	va_list ap;

	va_start(ap, format);
	(void)vsnprintf(text, sizeof(text), format, ap);
	va_end(ap);
	log_clean(text);
	(void)fprintf(stderr, "cordon %s: %s\ntry: cordon %s --help\n", verb,
		      text, verb);
	return CMD_USAGE;
}

bool cmd_run_verb(const struct cmd_verb *verbs, size_t n, int argc, char **argv,
		  int *ret_code)
{
	const char *what = argc >= 2 ? argv[1] : "";

	for (size_t i = 0; i < n; i++) {
		if (strcmp(what, verbs[i].name) != 0)
			continue;
		/* getopt_long() begins its messages with it. */
		argv[1] = argv[0];
		*ret_code = verbs[i].fn(argc - 1, argv + 1);
		return true;
	}
	return false;
}

int cmd_no_more(const char *verb, int argc, char **argv)
{
	if (optind >= argc)
		return 0;
	return cmd_usage(verb, "%s: nothing is expected there", argv[optind]);
}

int cmd_take_shared(struct cmd_common *common, int code, const char *verb)
{
	switch (code) {
	case CMD_OPT_HELP:
		(void)fputs(find_verb(verb)->usage, stdout);
		return CMD_DONE;
	case CMD_OPT_JSON:
		common->json = true;
		return 0;
	case CMD_OPT_RUN_DIR:
		common->run_dir = optarg;
		return 0;
	case '?':
		/* getopt_long() has said what it does not know. */
		(void)fprintf(stderr, "try: cordon %s --help\n", verb);
		return CMD_USAGE;
	default:
		return CMD_NOT_SHARED;
	}
}

bool cmd_socket(const struct cmd_common *common, char *buf, size_t size)
{
	int n = snprintf(buf, size, "%s/" CONTROL_SOCKET,
			 common->run_dir ? common->run_dir : CORDON_RUN_DIR);

	return n >= 0 && (size_t)n < size;
}

int cmd_print_line(const json_t *line, const char *text, void *arg)
{
	(void)line;
	(void)arg;
	/* Followers want each line when it happens. */
	if (puts(text) == EOF || fflush(stdout) == EOF)
		return -EPIPE;
	return 0;
}

void cmd_keep_secrets(void)
{
	const struct rlimit none = {0};

	(void)setrlimit(RLIMIT_CORE, &none);
	(void)prctl(PR_SET_DUMPABLE, 0);
}

void cmd_print_json(json_t *line)
{
	if (line && json_dumpf(line, stdout, JSON_COMPACT) == 0)
		(void)putchar('\n');
	json_decref(line);
}

const char *const *cmd_evidence_paths(int argc, char **argv, size_t *ret_n)
{
	static const char *const here[] = {CORDON_STATE_DIR "/" EVIDENCE_DIR};

	*ret_n = optind < argc ? (size_t)(argc - optind) : 1;
	return optind < argc ? (const char *const *)argv + optind : here;
}

const char *cmd_remedy(int error)
{
	switch (error) {
	case -EACCES:
		return "use sudo, or join the group " CONTROL_GROUP;
	case -ENOENT:
	case -ECONNREFUSED:
		return "the agent does not run: systemctl status cordond; "
		       "journalctl -u cordond";
	default:
		return NULL;
	}
}

int cmd_exit_code(int error)
{
	switch (error) {
	case -EACCES:
		return CMD_DENIED;
	case -ESRCH:
		return CMD_USAGE;
	case -ENOENT:
	case -ECONNREFUSED:
	case -EPIPE:
	case -EBUSY:
	case -ENAMETOOLONG:
	case -ETIMEDOUT:
		return CMD_REACH;
	default:
		return CMD_WRONG;
	}
}

int cmd_failed(const char *verb, int r, const char *error)
{
	(void)fprintf(stderr, "cordon %s: %s\n", verb,
		      error[0] ? error : strerror(-r));
	if (cmd_remedy(r))
		(void)fprintf(stderr, "%s\n", cmd_remedy(r));
	return cmd_exit_code(r);
}

int cmd_ask(const struct cmd_common *common,
	    const struct control_request *request, control_line_fn fn,
	    void *arg)
{
	char path[4096], error[CONTROL_ERROR_CHARS_MAX];
	const char *verb = control_verb_name(request->verb);
	int r;

	if (!cmd_socket(common, path, sizeof(path)))
		return cmd_usage(verb, "the run directory's name is too long");
	r = control_call(path, request, common->json ? cmd_print_line : fn, arg,
			 error);
	if (!r)
		return CMD_OK;
	if (ferror(stdout))
		return CMD_WRONG;
	return cmd_failed(verb, r, error);
}

const char *cmd_text(const json_t *line, const char *key)
{
	static char buffers[16][1024];
	static unsigned int next;
	char *buf = buffers[next++ % 16];

	reply_text(line, key, buf, sizeof(buffers[0]));
	return buf;
}

uint64_t cmd_number(const json_t *line, const char *key)
{
	return reply_number(line, key);
}

/* ---- verbs of no other file --------------------------------------------- */

static int cmd_version(int argc, char **argv)
{
	static const struct option options[] = {CMD_OPTIONS, {0}};
	struct cmd_common common = {0};
	int code, r;

	while ((code = getopt_long(argc, argv, "", options, NULL)) != -1) {
		r = cmd_take_shared(&common, code, "version");
		if (r)
			return r == CMD_DONE ? CMD_OK : r;
	}
	r = cmd_no_more("version", argc, argv);
	if (r)
		return r;
	(void)printf(common.json ? "{\"cordon\":1,\"type\":\"version\","
				   "\"version\":\"%s\"}\n"
				 : "cordon %s\n",
		     CORDON_VERSION);
	return CMD_OK;
}

static int unknown_verb(const char *name)
{
	const char *near = args_nearest(name, verbs, N_VERBS, sizeof(verbs[0]));
	char quoted[TEXT_QUOTE_CHARS_MAX];

	text_quote(name, strlen(name), quoted, sizeof(quoted));
	(void)fprintf(stderr, "cordon: unknown verb %s%s%s%s\n", quoted,
		      near ? ": did you mean " : "", near ? near : "",
		      near ? "?" : "");
	(void)fprintf(stderr, "try: cordon help\n");
	return CMD_USAGE;
}

static int cmd_help(int argc, char **argv)
{
	const struct verb *verb;

	if (argc < 2 || argv[1][0] == '-') {
		list_verbs(stdout);
		return CMD_OK;
	}
	verb = find_verb(argv[1]);
	if (!verb)
		return unknown_verb(argv[1]);
	(void)fputs(verb->usage, stdout);
	return CMD_OK;
}

int main(int argc, char **argv)
{
	const struct verb *verb;
	char name[32];
	int r;

	if (argc < 2) {
		list_verbs(stderr);
		return CMD_USAGE;
	}
	if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0)
		return cmd_help(1, argv);
	if (strcmp(argv[1], "--version") == 0)
		return cmd_version(1, argv);
	verb = find_verb(argv[1]);
	if (!verb)
		return unknown_verb(argv[1]);
	log_open("cordon", false);
	/* getopt_long() begins its messages with it. */
	(void)snprintf(name, sizeof(name), "cordon %s", verb->name);
	argv[1] = name;
	r = verb->fn(argc - 1, argv + 1);
	/* A full disk behind a redirection must not look like success. */
	if (fflush(stdout) == EOF && r == CMD_OK) {
		(void)fprintf(stderr, "cordon %s: output: %s\n", verb->name,
			      strerror(errno));
		r = CMD_WRONG;
	}
	return r;
}
