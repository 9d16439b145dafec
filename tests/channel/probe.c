// SPDX-License-Identifier: GPL-2.0-only
/*
 * probe: one direct case of the channel matrix in one command.
 *
 *	probe list
 *	probe serve	many runs, asked for on standard input
 *	probe crowd LOGIN COUNT FILE...
 *			so many logins, one after another, read the files
 *	probe hop-crowd COUNT FILE
 *			so many processes, each reads what another read
 *	probe forget FILE...
 *			the guard forgets what these carry
 *	probe --open HOW --read CHANNEL --file F ... [--release WAY --to ADDR
 *		--port P]
 *
 * Prints one line of JSON; the exit codes stand in probe.h.
 */
#include "probe.h"
#include "probe_forget.h"
#include "record.h"

#include <errno.h>
#include <grp.h>
#include <linux/capability.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

enum option_kind { TEXT, NUMBER, FLAG, FILE_NAME, FILE_LIST, TABLE, RESUME };

enum option_number {
	N_PORT,
	N_CID,
	N_BYTES,
	N_CHUNK,
	N_OFFSET,
	N_LENGTH,
	N_READ_CHUNK,
	N_WAIT_MS,
	N_UID,
	N_TIMEOUT,
	N_REPEAT,
	N_HOLD_MS,
	N_MOVE_UID,
	N_GIVERS,
	N_GIVER_UID,
	N_ROUNDS,
	N_PAUSE,
};

struct option {
	const char *name;
	enum option_kind kind;
	size_t at; /* TEXT, FLAG: offset in struct probe */
	enum option_number number;
	unsigned long lo, hi;
};

#define AT(field) .at = offsetof(struct probe, field)

static const struct option options[] = {
	{"--open", TABLE, AT(open)},
	{"--read", TABLE, AT(read)},
	{"--release", TABLE, AT(way)},
	{"--life", TABLE, AT(life)},
	{"--hop", TABLE, AT(hop)},
	{"--file", .kind = FILE_NAME},
	{"--files-from", .kind = FILE_LIST},
	{"--work", TEXT, AT(work)},
	{"--alias", TEXT, AT(alias)},
	{"--dev", TEXT, AT(dev)},
	{"--to", TEXT, AT(to)},
	{"--to6", TEXT, AT(to6)},
	{"--as", TEXT, AT(as)},
	{"--port", NUMBER, .number = N_PORT, .lo = 1, .hi = 65530},
	{"--cid", NUMBER, .number = N_CID, .lo = 1, .hi = UINT32_MAX},
	{"--bytes", NUMBER, .number = N_BYTES, .hi = 1ul << 32},
	{"--chunk", NUMBER, .number = N_CHUNK, .lo = 1, .hi = 1ul << 30},
	{"--offset", NUMBER, .number = N_OFFSET, .hi = 1ul << 40},
	{"--length", NUMBER, .number = N_LENGTH, .lo = 1, .hi = 1ul << 40},
	{"--read-chunk", NUMBER, .number = N_READ_CHUNK, .lo = 1,
	 .hi = 1ul << 30},
	{"--wait-ms", NUMBER, .number = N_WAIT_MS, .hi = 600000},
	{"--uid", NUMBER, .number = N_UID, .hi = 0x7fffffff},
	{"--timeout", NUMBER, .number = N_TIMEOUT, .lo = 1, .hi = 3600},
	{"--repeat", NUMBER, .number = N_REPEAT, .lo = 1, .hi = 100000},
	{"--hold-ms", NUMBER, .number = N_HOLD_MS, .hi = 3600000},
	{"--move-uid", NUMBER, .number = N_MOVE_UID, .hi = 0x7fffffff},
	{"--givers", NUMBER, .number = N_GIVERS, .lo = 1, .hi = 16},
	{"--giver-uid", NUMBER, .number = N_GIVER_UID, .hi = 0x7fffffff},
	{"--rounds", NUMBER, .number = N_ROUNDS, .hi = 1000000},
	{"--pause-ms", NUMBER, .number = N_PAUSE, .hi = 600000},
	{"--apart", FLAG, AT(apart)},
	{"--squeeze", FLAG, AT(squeeze)},
	{"--hold-file", TEXT, AT(hold_file)},
	{"--move-cgroup", TEXT, AT(move_cgroup)},
	{"--move-netns", TEXT, AT(move_netns)},
	{"--shrink", FLAG, AT(shrink)},
	{"--cold", FLAG, AT(cold)},
	{"--sock-first", FLAG, AT(sock_first)},
	{"--persist", FLAG, AT(persist)},
	{"--no-knock", FLAG, AT(no_knock)},
	{"--keep-caps", FLAG, AT(keep_caps)},
	{"--resume", .kind = RESUME},
};

static struct probe *running; /* for on_alarm() alone */

/*
 * The record that an executable of the dataset is: every copy of the probe
 * carries it, and the channel "image" finds it in its own text.
 */
const char probe_image_record[] __attribute__((used)) = RECORD_IMAGE_LITERAL;

int probe_missing(struct probe *p, const char *what)
{
	p->missing = what;
	return -EOPNOTSUPP;
}

uint8_t *probe_room(struct probe *p, size_t n)
{
	struct bytes *b = &p->data;
	size_t cap = b->cap ? b->cap : READ_CHUNK;
	uint8_t *wider;

	if (b->cap - b->len >= n)
		return b->p + b->len;
	while (cap - b->len < n) {
		if (cap > SIZE_MAX / 2)
			return NULL;
		cap *= 2;
	}
	wider = realloc(b->p, cap);
	if (!wider)
		return NULL;
	b->p = wider;
	b->cap = cap;
	return b->p + b->len;
}

void probe_took(struct probe *p, size_t n)
{
	p->data.len += n;
	p->read_bytes += n;
}

int probe_take(struct probe *p, const void *src, size_t n)
{
	uint8_t *room = probe_room(p, n);

	if (!room)
		return -ENOMEM;
	memcpy(room, src, n);
	probe_took(p, n);
	return 0;
}

void probe_count(struct probe *p, size_t n)
{
	p->read_bytes += n;
}

bool probe_has_cap(int cap)
{
	struct __user_cap_header_struct head = {
		.version = _LINUX_CAPABILITY_VERSION_3,
	};
	struct __user_cap_data_struct data[2] = {{0}};

	if (cap < 0)
		return true;
	if (syscall(SYS_capget, &head, data) < 0)
		return false;
	return data[cap / 32].effective >> (cap % 32) & 1;
}

static bool refused(int error)
{
	return error == EPERM || error == EACCES;
}

static int exit_code(const struct probe *p)
{
	if (refused(p->errno_open) || refused(p->errno_read) ||
	    refused(p->errno_send))
		return PROBE_REFUSED;
	if (p->missing)
		return PROBE_NOT_ATTEMPTED;
	if (p->errno_open || p->errno_read || p->errno_send)
		return PROBE_OTHER_ERROR;
	return PROBE_ALLOWED;
}

/* One write, so that the lines of several probes do not mix. */
static int report_as(const struct probe *p, int code)
{
	char line[1024];
	int n;

	n = snprintf(line, sizeof(line),
		     "{\"open\":\"%s\",\"read\":\"%s\",\"release\":\"%s\","
		     "\"life\":\"%s\",\"read_bytes\":%llu,\"records\":%llu,"
		     "\"sent_bytes\":%llu,\"wire_bytes\":%llu,"
		     "\"full\":%llu,"
		     "\"errno_open\":%d,\"errno_read\":%d,\"errno_send\":%d",
		     p->open->name, p->as ? p->as : p->read->name,
		     p->way ? p->way->name : "none", p->life->name,
		     (unsigned long long)p->read_bytes,
		     (unsigned long long)p->records,
		     (unsigned long long)p->sent_bytes,
		     (unsigned long long)(p->sent_bytes + p->wire_bytes),
		     (unsigned long long)p->full, p->errno_open, p->errno_read,
		     p->errno_send);
	if (p->missing)
		n += snprintf(line + n, sizeof(line) - (size_t)n,
			      ",\"missing\":\"%s\"", p->missing);
	if (p->note)
		n += snprintf(line + n, sizeof(line) - (size_t)n,
			      ",\"note\":\"%s\"", p->note);
	n += snprintf(line + n, sizeof(line) - (size_t)n, ",\"exit\":%d}\n",
		      code);
	if (write(STDOUT_FILENO, line, (size_t)n) != n)
		return PROBE_OTHER_ERROR;
	return code;
}

int probe_report(const struct probe *p)
{
	return report_as(p, exit_code(p));
}

/* The run hung: a lost packet, a blocked socket. Say what is known. */
static void on_alarm(int sig)
{
	(void)sig;
	running->note = "timed out";
	_exit(report_as(running, PROBE_OTHER_ERROR));
}

static void print_table(const char *title, const char *name, const char *what)
{
	(void)printf("%-8s %-20s %s\n", title, name, what);
}

static int list(void)
{
	for (const struct opener *o = openers; o->name; o++)
		print_table("open", o->name, o->what);
	for (const struct channel *c = channels; c->name; c++)
		print_table(c->kind ? c->kind : "read", c->name, c->what);
	for (const struct way *w = ways; w->name; w++)
		print_table(w->kind ? w->kind : "release", w->name, w->what);
	for (const struct life *l = lives; l->name; l++)
		print_table("life", l->name, l->what);
	for (const struct hop *h = hops; h->name; h++)
		print_table("hop", h->name, h->what);
	for (const struct hop *h = files; h->name; h++)
		print_table("derived", h->name, h->what);
	for (const struct hop *h = named; h->name; h++)
		print_table("named", h->name, h->what);
	return fflush(stdout) == 0 ? PROBE_ALLOWED : PROBE_OTHER_ERROR;
}

static bool choose_hop(struct probe *p, const struct hop *among,
		       const char *name)
{
	for (p->hop = among; p->hop->name; p->hop++)
		if (strcmp(p->hop->name, name) == 0)
			return true;
	return false;
}

static bool choose(struct probe *p, size_t at, const char *name)
{
	if (at == offsetof(struct probe, open)) {
		for (p->open = openers; p->open->name; p->open++)
			if (strcmp(p->open->name, name) == 0)
				return true;
	} else if (at == offsetof(struct probe, read)) {
		for (p->read = channels; p->read->name; p->read++)
			if (strcmp(p->read->name, name) == 0)
				return true;
	} else if (at == offsetof(struct probe, way)) {
		if (strcmp(name, "none") == 0)
			return true;
		for (p->way = ways; p->way->name; p->way++)
			if (strcmp(p->way->name, name) == 0)
				return true;
	} else if (at == offsetof(struct probe, hop)) {
		return choose_hop(p, hops, name) ||
		       choose_hop(p, files, name) || choose_hop(p, named, name);
	} else {
		for (p->life = lives; p->life->name; p->life++)
			if (strcmp(p->life->name, name) == 0)
				return true;
	}
	return false;
}

static bool add_file(struct probe *p, char *name)
{
	char **wider;

	if (p->nfiles % 256 == 0) {
		wider = realloc(p->files,
				(p->nfiles + 256) * sizeof(*p->files));
		if (!wider)
			return false;
		p->files = wider;
	}
	p->files[p->nfiles++] = name;
	return true;
}

static bool add_files_from(struct probe *p, const char *list_name)
{
	FILE *f;
	char *line = NULL;
	size_t cap = 0;
	ssize_t n;
	bool ok = true;

	f = fopen(list_name, "re");
	if (!f)
		return false;
	while (ok && (n = getline(&line, &cap, f)) > 0) {
		if (line[n - 1] == '\n')
			line[n - 1] = 0;
		if (!*line)
			continue;
		ok = add_file(p, line);
		line = NULL;
		cap = 0;
	}
	free(line);
	(void)fclose(f);
	return ok;
}

static bool parse_number(const char *text, const struct option *o,
			 unsigned long *ret)
{
	unsigned long v;
	char *end;

	if (*text < '0' || *text > '9')
		return false;
	errno = 0;
	v = strtoul(text, &end, 10);
	if (errno || *end || v < o->lo || v > o->hi)
		return false;
	*ret = v;
	return true;
}

static void set_number(struct probe *p, enum option_number which,
		       unsigned long v)
{
	switch (which) {
	case N_PORT:
		p->port = (uint16_t)v;
		break;
	case N_CID:
		p->cid = (uint32_t)v;
		break;
	case N_BYTES:
		p->send_bytes = v;
		p->send_bytes_set = true;
		break;
	case N_CHUNK:
		p->chunk = v;
		break;
	case N_OFFSET:
		p->offset = (off_t)v;
		break;
	case N_LENGTH:
		p->length = v;
		break;
	case N_READ_CHUNK:
		p->read_chunk = v;
		break;
	case N_WAIT_MS:
		p->wait_ms = (unsigned int)v;
		break;
	case N_UID:
		p->uid = (int)v;
		break;
	case N_REPEAT:
		p->repeat = v;
		break;
	case N_HOLD_MS:
		p->hold_ms = (unsigned int)v;
		break;
	case N_MOVE_UID:
		p->move_uid = (int)v;
		break;
	case N_GIVERS:
		p->givers = v;
		break;
	case N_GIVER_UID:
		p->giver_uid = (int)v;
		break;
	case N_ROUNDS:
		p->rounds = v;
		break;
	case N_PAUSE:
		p->pause_ms = v;
		break;
	case N_TIMEOUT:
		p->timeout_s = (unsigned int)v;
		break;
	}
}

static bool apply_option(struct probe *p, const struct option *o, char *value)
{
	unsigned long v;

	switch (o->kind) {
	case TEXT:
		*(const char **)((char *)p + o->at) = value;
		return true;
	case FILE_NAME:
		return add_file(p, value);
	case FILE_LIST:
		return add_files_from(p, value);
	case TABLE:
		return choose(p, o->at, value);
	case NUMBER:
		if (!parse_number(value, o, &v))
			return false;
		set_number(p, o->number, v);
		return true;
	case RESUME:
		return life_resume(p, value) == 0;
	case FLAG:
		break;
	}
	return false;
}

static const struct option *find_option(const char *name)
{
	for (size_t i = 0; i < sizeof(options) / sizeof(options[0]); i++)
		if (strcmp(options[i].name, name) == 0)
			return &options[i];
	return NULL;
}

/* NULL, or the argument that is wrong. */
static const char *parse(struct probe *p, int argc, char **argv)
{
	for (int i = 1; i < argc; i++) {
		const struct option *o = find_option(argv[i]);

		if (!o)
			return argv[i];
		if (o->kind == FLAG) {
			*(bool *)((char *)p + o->at) = true;
			continue;
		}
		if (i + 1 == argc || !apply_option(p, o, argv[i + 1]))
			return argv[i];
		i++;
	}
	if (!p->nfiles && strcmp(p->read->name, "none") != 0 &&
	    strcmp(p->read->name, "image") != 0)
		return "--file";
	if (p->way && (!p->port || (!p->to && !p->to6)))
		return "--to, --port";
	return NULL;
}

static int keep_all_caps(void)
{
	struct __user_cap_header_struct head = {
		.version = _LINUX_CAPABILITY_VERSION_3,
	};
	struct __user_cap_data_struct data[2] = {{0}};

	if (syscall(SYS_capget, &head, data) < 0)
		return -errno;
	for (int i = 0; i < 2; i++)
		data[i].effective = data[i].permitted;
	return syscall(SYS_capset, &head, data) < 0 ? -errno : 0;
}

static int become_user(const struct probe *p)
{
	uid_t id = (uid_t)p->uid;

	if (p->uid < 0 || getuid() == id)
		return 0;
	if (p->keep_caps && prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0) < 0)
		return -errno;
	if (setgroups(0, NULL) < 0 || setresgid(id, id, id) < 0 ||
	    setresuid(id, id, id) < 0)
		return -errno;
	if (p->keep_caps)
		return keep_all_caps();
	/* Else a probe of that user could not open its own /proc/self/fd. */
	return prctl(PR_SET_DUMPABLE, 1, 0, 0, 0) < 0 ? -errno : 0;
}

static void raise_file_limit(void)
{
	struct rlimit lim;

	if (getrlimit(RLIMIT_NOFILE, &lim) == 0) {
		lim.rlim_cur = lim.rlim_max;
		(void)setrlimit(RLIMIT_NOFILE, &lim);
	}
}

static int usage(const char *wrong)
{
	(void)fprintf(
		stderr,
		"probe: wrong or missing: %s\n"
		"usage: probe list | serve\n"
		"       probe crowd LOGIN COUNT FILE...\n"
		"       probe hop-crowd COUNT FILE\n"
		"       probe forget FILE...\n"
		"       probe [--life LIFE] [--open HOW] [--read CHANNEL]\n"
		"             --file F ... | --files-from LIST\n"
		"             [--offset N] [--length N] [--read-chunk N]\n"
		"             [--work DIR] [--alias DIR] [--cold]\n"
		"             [--uid N [--keep-caps]] [--timeout S]\n"
		"             [--release WAY --to ADDR [--to6 ADDR] --port P\n"
		"              [--bytes N] [--chunk N] [--sock-first]\n"
		"              [--persist] [--no-knock] [--dev IF] [--cid N]\n"
		"              [--shrink] [--repeat N] [--hold-ms N]\n"
		"              [--hold-file FILE]\n"
		"              [--move-cgroup DIR] [--move-netns FILE]\n"
		"              [--move-uid N] [--wait-ms N]]\n"
		"             [--hop HOP [--givers N [--apart]] [--rounds N]\n"
		"              [--giver-uid N] [--squeeze] [--pause-ms N]]\n"
		"For the names: probe list\n",
		wrong);
	return 64;
}

int probe_main(int argc, char **argv)
{
	struct probe p = {
		.open = openers,
		.read = channels,
		.life = lives,
		.cid = 1,
		.read_chunk = READ_CHUNK,
		.wait_ms = 3000,
		.uid = -1,
		.move_uid = -1,
		.repeat = 1,
		.givers = 1,
		.giver_uid = -1,
		.timeout_s = 60,
		.sock = -1,
		.argv = argv,
	};
	const char *wrong;

	wrong = parse(&p, argc, argv);
	if (wrong)
		return usage(wrong);
	running = &p;
	(void)signal(SIGALRM, on_alarm);
	(void)signal(SIGPIPE, SIG_IGN);
	(void)alarm(p.timeout_s);
	raise_file_limit();
	if (become_user(&p) < 0)
		return usage("--uid (needs root)");
	if (strcmp(p.open->name, "inherited") == 0 && !p.nfds) {
		p.errno_open = -life_inherited(&p);
		return probe_report(&p);
	}
	return p.hop ? probe_hop(&p) : p.life->run(&p);
}

int probe_command(int argc, char **argv)
{
	if (argc == 2 && strcmp(argv[1], "list") == 0)
		return list();
	if (argc == 2 && strcmp(argv[1], "serve") == 0)
		return probe_serve();
	if (argc > 4 && strcmp(argv[1], "crowd") == 0)
		return probe_crowd(argv + 2);
	if (argc > 2 && strcmp(argv[1], "forget") == 0)
		return forget_files(argv + 2) == 0 ? PROBE_ALLOWED
						   : PROBE_OTHER_ERROR;
	if (argc == 4 && strcmp(argv[1], "hop-crowd") == 0)
		return probe_hop_crowd(argv[2], argv[3]);
	return probe_main(argc, argv);
}
