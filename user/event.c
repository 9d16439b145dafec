// SPDX-License-Identifier: GPL-2.0-only
#include "event.h"
#include "clock.h"
#include "log.h"
#include "process.h"
#include "text.h"

#include <arpa/inet.h>
#include <errno.h>
#include <inttypes.h>
#include <pwd.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define NS_PER_S 1000000000LL
#define ACCOUNTS 64 /* names remembered: one place each, by number */
#define NOBODY	 UINT32_MAX

static const char *const types[] = {
	[EVENT_FIRST_READ] = "first-read",
	[EVENT_BUDGET] = "budget",
	[EVENT_VERDICT] = "verdict",
	[EVENT_FIRST_RELEASE] = "first-release",
	[EVENT_FAULT] = "fault",
	[EVENT_DIRTY] = "dirty",
	[EVENT_NOTICE] = "notice",
};

static const char *const channels[CHANNEL_MAX] = {
	[CHANNEL_READ] = "read",
	[CHANNEL_MMAP] = "mmap",
	[CHANNEL_SPLICE] = "splice",
	[CHANNEL_URING] = "io_uring",
	[CHANNEL_AIO] = "aio",
	[CHANNEL_EXEC] = "exec",
	[CHANNEL_OPEN] = "open",
	[CHANNEL_TCP] = "tcp",
	[CHANNEL_UDP] = "udp",
	[CHANNEL_RAW] = "raw",
	[CHANNEL_ICMP] = "icmp",
	[CHANNEL_OTHER] = "other",
	[CHANNEL_DEVICE] = "device",
	[CHANNEL_HOP] = "hop",
	[CHANNEL_FILE_SYSTEM] = "file-system",
};

static const char *const verdicts[] = {
	[VERDICT_ALLOW] = "allow",
	[VERDICT_ALERT] = "alert",
	[VERDICT_BLOCK] = "block",
};

static const char *const faults[FAULT_MAX] = {
	[FAULT_LABEL_FULL] = "label table full",
	[FAULT_UNLABELLED] = "a file without a label",
	[FAULT_PROCESS_FULL] = "process table full",
	[FAULT_HOLDING_FULL] = "holding table full",
	[FAULT_ORIGIN_FULL] = "origin table full",
	[FAULT_TOUCH_FULL] = "table of touched records full",
	[FAULT_BUDGET_FULL] = "budget table full",
	[FAULT_LEDGER_FULL] = "ledger full",
	[FAULT_SOCKET_FULL] = "no room on a socket",
	[FAULT_EVENT_LOST] = "event lost",
	[FAULT_UNREADABLE] = "a fact that the kernel would not tell",
	[FAULT_UNKNOWN_HOLDING] = "a holder of unknown holding",
	[FAULT_CARRIER_FULL] = "carrier table full",
	[FAULT_COMMONS_FULL] = "table of shared memory full",
	[FAULT_DERIVED_FULL] = "table of derived files full",
	[FAULT_CHARGES_FULL] = "table of charges full",
};

#define NAME_IN(table, i)                                                    \
	((i) < sizeof(table) / sizeof((table)[0]) && (table)[i] ? (table)[i] \
								: "?")

const char *event_type_name(uint32_t type)
{
	return NAME_IN(types, type);
}

const char *event_channel_name(uint32_t channel)
{
	return NAME_IN(channels, channel);
}

const char *event_verdict_name(uint32_t verdict)
{
	return NAME_IN(verdicts, verdict);
}

const char *event_fault_name(uint32_t fault)
{
	return NAME_IN(faults, fault);
}

/* ---- who ---------------------------------------------------------------- */

void event_account(uint32_t uid, char buf[EVENT_ACCOUNT_CHARS_MAX])
{
	/* Asking the host for a name can take a network: not twice a minute
	 * for the same number. */
	static struct {
		time_t until;
		uint32_t uid;
		char name[EVENT_ACCOUNT_CHARS_MAX];
	} known[ACCOUNTS];
	char space[4096];
	struct passwd pw, *found = NULL;
	time_t now = time(NULL);
	size_t at = uid % ACCOUNTS;

	if (known[at].uid != uid || known[at].until < now ||
	    known[at].until > now + 60) {
		if (getpwuid_r(uid, &pw, space, sizeof(space), &found) == 0 &&
		    found && strlen(pw.pw_name) < EVENT_ACCOUNT_CHARS_MAX)
			(void)strcpy(known[at].name, pw.pw_name);
		else
			(void)snprintf(known[at].name, sizeof(known[at].name),
				       "%" PRIu32, uid);
		log_clean(known[at].name);
		known[at].uid = uid;
		known[at].until = now + 60;
	}
	memcpy(buf, known[at].name, EVENT_ACCOUNT_CHARS_MAX);
}

const char *event_unit_of(const char *path, size_t *ret_len)
{
	static const char slice[] = ".slice";
	size_t len;

	while (*path == '/') {
		path++;
		len = strcspn(path, "/\n");
		if (len >= sizeof(slice) - 1 &&
		    memcmp(path + len - (sizeof(slice) - 1), slice,
			   sizeof(slice) - 1) == 0) {
			path += len;
			continue;
		}
		if (len == 0)
			return NULL;
		*ret_len = len;
		return path;
	}
	return NULL;
}

static void look_up_unit(uint32_t tgid, char *ret_unit)
{
	char path[4096];
	const char *unit;
	size_t len;

	if (process_cgroup(tgid, path, sizeof(path)))
		return;
	unit = event_unit_of(path, &len);
	if (!unit || len >= EVENT_UNIT_CHARS_MAX)
		return;
	memcpy(ret_unit, unit, len);
	ret_unit[len] = '\0';
	log_clean(ret_unit);
}

static void look_up_exe(uint32_t tgid, char *ret_exe)
{
	char name[64];
	ssize_t n;

	(void)snprintf(name, sizeof(name), "/proc/%" PRIu32 "/exe", tgid);
	n = readlink(name, ret_exe, EVENT_EXE_CHARS_MAX - 1);
	ret_exe[n > 0 ? n : 0] = '\0';
	log_clean(ret_exe);
}

void event_look_up_process(uint32_t tgid, uint32_t uid, uint32_t login,
			   struct event_who *ret_who)
{
	memset(ret_who, 0, sizeof(*ret_who));
	event_account(uid, ret_who->user);
	if (login != NOBODY)
		event_account(login, ret_who->login);
	look_up_unit(tgid, ret_who->unit);
	look_up_exe(tgid, ret_who->exe);
}

void event_look_up(const struct event *event, struct event_who *ret_who)
{
	event_look_up_process(event->tgid, event->uid, event->login, ret_who);
}

/* ---- forms -------------------------------------------------------------- */

int64_t event_realtime_ns(uint64_t boottime_ns)
{
	return clock_ns(CLOCK_REALTIME) - clock_ns(CLOCK_BOOTTIME) +
	       (int64_t)boottime_ns;
}

void event_time(int64_t realtime_ns, char buf[EVENT_TIME_CHARS_MAX])
{
	int64_t s = realtime_ns / NS_PER_S;
	size_t len;

	text_format_time(s, buf, EVENT_TIME_CHARS_MAX);
	len = strlen(buf);
	if (len > 0 && buf[len - 1] == 'Z')
		(void)snprintf(buf + len - 1, EVENT_TIME_CHARS_MAX - len + 1,
			       ".%03dZ",
			       (int)(realtime_ns % NS_PER_S / 1000000));
}

void event_size(uint64_t bytes, char *buf, size_t size)
{
	static const char *const units[] = {"B",   "KiB", "MiB", "GiB",
					    "TiB", "PiB", "EiB"};
	double value = (double)bytes;
	size_t i = 0;

	while (value >= 1024 && i < 6) {
		value /= 1024;
		i++;
	}
	(void)snprintf(buf, size, i > 0 && value < 100 ? "%.1f %s" : "%.0f %s",
		       value, units[i]);
}

/* A name from the kernel: bounded, maybe not ended, maybe not text. */
static void copy_name(char *buf, size_t size, const char *name, size_t len)
{
	len = strnlen(name, len);
	if (len >= size)
		len = size - 1;
	memcpy(buf, name, len);
	buf[len] = '\0';
	log_clean(buf);
}

/* Did it leave by no socket? Then where has no port. */
static bool has_way(const struct event *event)
{
	return event->channel == CHANNEL_DEVICE ||
	       event->channel == CHANNEL_FILE_SYSTEM;
}

/* `nfs4 0:45', `char 4:64'. */
static void way_format(const struct event *event,
		       char buf[EVENT_ADDRESS_CHARS_MAX])
{
	char type[sizeof(((struct way *)NULL)->type) + 1];
	struct way way;

	_Static_assert(sizeof(way) == sizeof(event->addr), "a way's size");
	memcpy(&way, event->addr, sizeof(way));
	copy_name(type, sizeof(type), way.type, sizeof(way.type));
	(void)snprintf(buf, EVENT_ADDRESS_CHARS_MAX, "%s %u:%u", type,
		       way.dev >> 20, way.dev & 0xfffff);
}

void event_address(const struct event *event, char buf[EVENT_ADDRESS_CHARS_MAX])
{
	static const uint8_t none[16];
	static const uint8_t v4[12] = {[10] = 0xff, [11] = 0xff};

	buf[0] = '\0';
	if (memcmp(event->addr, none, sizeof(none)) == 0)
		return;
	if (has_way(event)) {
		way_format(event, buf);
		return;
	}
	if (memcmp(event->addr, v4, sizeof(v4)) == 0)
		(void)inet_ntop(AF_INET, event->addr + 12, buf,
				EVENT_ADDRESS_CHARS_MAX);
	else
		(void)inet_ntop(AF_INET6, event->addr, buf,
				EVENT_ADDRESS_CHARS_MAX);
}

uint32_t event_origin(uint32_t serial)
{
	return serial == CORDON_ORIGIN_SEVERAL ? 0 : serial;
}

/* "" where there is none. */
static const char *seen_of(const struct event *event,
			   const struct event_names *names)
{
	const char *seen = NULL;

	if (names->seen && !has_way(event))
		seen = names->seen(event->addr, names->arg);
	return seen ? seen : "";
}

static const char *name_of(const struct event_names *names, uint32_t kind,
			   uint32_t id)
{
	return names->name(kind, id, names->arg);
}

/* ---- for programs ------------------------------------------------------- */

/*
 * Adds value, which it steals. A field that there was no memory for makes the
 * whole object worthless, so *r tells.
 */
static void put(json_t *object, const char *key, json_t *value, int *r)
{
	if (json_object_set_new(object, key, value) < 0)
		*r = -ENOMEM;
}

static void put_text(json_t *object, const char *key, const char *text, int *r)
{
	if (text[0] != '\0')
		put(object, key, json_string(text), r);
}

static void put_number(json_t *object, const char *key, uint64_t n, int *r)
{
	/* JSON's numbers here are signed; nothing real is that large. */
	put(object, key, json_integer(n > INT64_MAX ? INT64_MAX : (int64_t)n),
	    r);
}

static void put_who(json_t *object, const struct event *event,
		    const struct event_who *who, int *r)
{
	char comm[sizeof(event->comm) + 1];

	copy_name(comm, sizeof(comm), event->comm, sizeof(event->comm));
	put_text(object, "comm", comm, r);
	put_number(object, "tgid", event->tgid, r);
	put_number(object, "pid", event->pid, r);
	put_number(object, "uid", event->uid, r);
	put_text(object, "user", who->user, r);
	if (event->login != NOBODY)
		put_number(object, "login_uid", event->login, r);
	put_text(object, "login", who->login, r);
	if (event->session != NOBODY)
		put_number(object, "session", event->session, r);
	put_text(object, "unit", who->unit, r);
	put_text(object, "exe", who->exe, r);
}

/* Is a cap that of quiet files? What a declassifier takes in has no name. */
static bool is_of_files(const struct event *event)
{
	return event->name[0] != '\0';
}

static void put_act(json_t *object, const struct event *event,
		    const struct event_names *names, int *r)
{
	char address[EVENT_ADDRESS_CHARS_MAX], file[CORDON_NAME + 1];
	bool cap = event->dest == CORDON_DEST_INTAKE;

	put_number(object, "origin", event_origin(event->origin), r);
	if (event->origin == CORDON_ORIGIN_SEVERAL)
		put(object, "several", json_true(), r);
	put_text(object, cap && is_of_files(event) ? "files" : "subject",
		 name_of(names, NAME_SUBJECT, event->subject), r);
	/* Of a cap it is the number of the subject: there is no rule. */
	if (!cap)
		put_text(object, "rule", name_of(names, NAME_RULE, event->rule),
			 r);
	put_text(object, "dataset",
		 name_of(names, NAME_DATASET, event->dataset), r);
	put_text(object, "channel", event_channel_name(event->channel), r);
	put_text(object, "destination", name_of(names, NAME_DEST, event->dest),
		 r);
	event_address(event, address);
	put_text(object, "address", address, r);
	if (address[0] && !has_way(event))
		put_number(object, "port", ntohs(event->port), r);
	put_text(object, "name_seen", seen_of(event, names), r);
	if (event->record)
		put_number(object, "record", event->record, r);
	copy_name(file, sizeof(file), event->name, sizeof(event->name));
	put_text(object, "file", file, r);
	put_number(object, "bytes", event->bytes, r);
	put_number(object, "records", event->records, r);
	if (event->type != EVENT_BUDGET && event->type != EVENT_VERDICT)
		return;
	put_text(object, "budget",
		 event->unit == UNIT_RECORDS ? "records" : "bytes", r);
	put_number(object, "used", event->used, r);
	if (event->max != CORDON_UNLIMITED)
		put_number(object, "max", event->max, r);
	put_number(object, "window_ns", event->window_ns, r);
}

static void put_verdict(json_t *object, const struct event *event, int *r)
{
	const char *name = strerrorname_np((int)event->error);

	put_text(object, "verdict", event_verdict_name(event->verdict), r);
	if (event->error)
		put_text(object, "error", name ? name : "?", r);
	put_number(object, "repeats", event->repeats, r);
}

json_t *event_json(const struct event *event, const struct event_who *who,
		   const struct event_names *names, int64_t realtime_ns)
{
	char when[EVENT_TIME_CHARS_MAX];
	json_t *object;
	int r = 0;

	object = json_object();
	if (!object)
		return NULL;
	event_time(realtime_ns, when);
	put_number(object, "cordon", 1, &r);
	put_text(object, "type", event_type_name(event->type), &r);
	put_text(object, "time", when, &r);
	put_number(object, "boottime_ns", event->time_ns, &r);
	put_number(object, "policy", event->policy, &r);
	if (event->type == EVENT_VERDICT || event->type == EVENT_FAULT)
		put_verdict(object, event, &r);
	if (event->type == EVENT_FAULT)
		put_text(object, "fault", names->fault(event->fault), &r);
	put_who(object, event, who, &r);
	put_act(object, event, names, &r);
	if (r) {
		json_decref(object);
		return NULL;
	}
	return object;
}

/* ---- for people --------------------------------------------------------- */

struct words {
	char *buf;
	size_t size;
	size_t len;
};

static void say(struct words *words, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

static void say(struct words *words, const char *format, ...)
{
	va_list ap;
	int n;

	va_start(ap, format);
	n = vsnprintf(words->buf + words->len, words->size - words->len, format,
		      ap);
	va_end(ap);
	if (n < 0)
		return;
	words->len += (size_t)n;
	if (words->len >= words->size)
		words->len = words->size - 1;
}

static void say_who(struct words *words, const struct event *event,
		    const struct event_who *who)
{
	char comm[sizeof(event->comm) + 1];

	copy_name(comm, sizeof(comm), event->comm, sizeof(event->comm));
	say(words, "%s (pid %" PRIu32 ", user %s, %s%s", comm, event->tgid,
	    who->user, who->login[0] ? "login " : "no login", who->login);
	if (who->unit[0])
		say(words, ", unit %s", who->unit);
	say(words, ")");
}

static void say_amount(struct words *words, uint64_t n, uint8_t unit)
{
	char size[TEXT_NUMBER_CHARS_MAX];

	if (unit == UNIT_RECORDS) {
		say(words, "%" PRIu64 " record%s", n, n == 1 ? "" : "s");
		return;
	}
	event_size(n, size, sizeof(size));
	say(words, "%s", size);
}

static void say_what(struct words *words, const struct event *event,
		     const struct event_names *names)
{
	char file[CORDON_NAME + 1];

	say_amount(words, event->bytes, UNIT_BYTES);
	/* What is sent is counted, what is in it is not known: as many records
	 * as its sender holds and was not charged for. */
	if (event->records) {
		say(words,
		    event->dest == CORDON_DEST_READ ? " and " : ", up to ");
		say_amount(words, event->records, UNIT_RECORDS);
	}
	say(words, " of %s", name_of(names, NAME_DATASET, event->dataset));
	copy_name(file, sizeof(file), event->name, sizeof(event->name));
	if (file[0])
		say(words, " (file %s)", file);
}

static void say_where(struct words *words, const struct event *event,
		      const struct event_names *names)
{
	const char *dest = name_of(names, NAME_DEST, event->dest);
	const char *seen = seen_of(event, names);
	char address[EVENT_ADDRESS_CHARS_MAX];

	/* "*" is every place that the policy has no name for. */
	say(words, " to %s", strcmp(dest, "*") == 0 ? "elsewhere" : dest);
	event_address(event, address);
	if (address[0] && has_way(event))
		say(words, " (%s, %s)", address,
		    event_channel_name(event->channel));
	else if (address[0])
		say(words,
		    strchr(address, ':') ? " ([%s]:%u%s%s, %s)"
					 : " (%s:%u%s%s, %s)",
		    address, ntohs(event->port), seen[0] ? ", seen as " : "",
		    seen, event_channel_name(event->channel));
	else
		say(words, " (%s)", event_channel_name(event->channel));
}

static void say_limit(struct words *words, const struct event *event)
{
	char window[TEXT_NUMBER_CHARS_MAX];

	if (!event->max) {
		say(words, "nothing");
		return;
	}
	say_amount(words, event->max, event->unit);
	text_format_duration(event->window_ns, window, sizeof(window));
	if (event->window_ns)
		say(words, "/%s", window);
}

/* The rule's name, and how much of what it allows is used. */
static void say_rule(struct words *words, const struct event *event,
		     const struct event_names *names)
{
	const char *rule = name_of(names, NAME_RULE, event->rule);

	if (strcmp(rule, "?") == 0) {
		say(words, "no rule of the policy lets this subject do so");
		return;
	}
	say(words, "rule %s allows ", rule);
	say_limit(words, event);
	if (event->max) {
		say(words, " and ");
		say_amount(words, event->used, event->unit);
		say(words, event->used == 1 ? " is used" : " are used");
	}
}

/* Quiet files took in more than their cap. */
static void say_over_quiet(struct words *words, const struct event *event,
			   const struct event_names *names)
{
	char file[CORDON_NAME + 1];

	copy_name(file, sizeof(file), event->name, sizeof(event->name));
	say(words, " wrote to %s more than quiet files %s may take in, ", file,
	    name_of(names, NAME_SUBJECT, event->subject));
	say_limit(words, event);
	say(words,
	    " of %s, or in a way that has no bound, so it carries now "
	    "what was held",
	    name_of(names, NAME_DATASET, event->dataset));
}

/* A declassifier, or quiet files, took in more than the cap. */
static void say_over_cap(struct words *words, const struct event *event,
			 const struct event_who *who,
			 const struct event_names *names)
{
	say(words, "alert: ");
	say_who(words, event, who);
	if (is_of_files(event)) {
		say_over_quiet(words, event, names);
	} else {
		say(words, " took in more from holders than subject %s may, ",
		    name_of(names, NAME_SUBJECT, event->subject));
		say_limit(words, event);
		say(words, " of %s, so it is a holder now",
		    name_of(names, NAME_DATASET, event->dataset));
	}
	if (event->repeats > 1)
		say(words, "; %llu times so far",
		    (unsigned long long)event->repeats);
	say(words, "; if this is work that has to be done, ask the issuer for "
		   "a larger cap, else find out who sends so much to it: "
		   "cordon ledger");
	if (event_origin(event->origin))
		say(words, ", origin %" PRIu32, event->origin);
}

static void say_verdict(struct words *words, const struct event *event,
			const struct event_who *who,
			const struct event_names *names)
{
	bool blocked = event->verdict == VERDICT_BLOCK;
	bool read = event->dest == CORDON_DEST_READ;

	if (event->dest == CORDON_DEST_INTAKE) {
		say_over_cap(words, event, who, names);
		return;
	}
	say(words, blocked ? "blocked: " : "alert: ");
	say_who(words, event, who);
	say(words, blocked ? " tried to %s " : " %s ",
	    blocked ? (read ? "read" : "send") : (read ? "read" : "sent"));
	say_what(words, event, names);
	if (!read)
		say_where(words, event, names);
	say(words, "; ");
	say_rule(words, event, names);
	if (event->repeats > 1)
		say(words, "; %llu times so far",
		    (unsigned long long)event->repeats);
	say(words, "; if this is work that has to be done, ask the issuer for "
		   "a budget, else find out what ");
	/* At open nothing was read yet, so there may be no origin. */
	if (event_origin(event->origin))
		say(words, "this login did: cordon ledger, origin %" PRIu32,
		    event->origin);
	else if (who->login[0])
		say(words, "login %s did: cordon ledger", who->login);
	else
		say(words, "user %s did: cordon ledger", who->user);
}

static void say_budget(struct words *words, const struct event *event,
		       const struct event_names *names)
{
	uint64_t percent = event->max && event->used < UINT64_MAX / 100
				   ? event->used * 100 / event->max
				   : 100;
	bool cap = event->dest == CORDON_DEST_INTAKE;

	say(words, "budget: %" PRIu64 "%% used of %s %s: ", percent,
	    !cap		 ? "rule"
	    : is_of_files(event) ? "the cap of quiet files"
				 : "the cap of subject",
	    cap ? name_of(names, NAME_SUBJECT, event->subject)
		: name_of(names, NAME_RULE, event->rule));
	say_amount(words, event->used, event->unit);
	say(words, " of ");
	say_limit(words, event);
	if (cap) {
		say(words, " of %s; above 100%% %s, so look at cordon ledger",
		    name_of(names, NAME_DATASET, event->dataset),
		    is_of_files(event) ? "the file that is written carries on"
				       : "it becomes a holder");
		return;
	}
	say(words,
	    " of %s %s %s; at 100%% the next is refused, so look at "
	    "cordon ledger",
	    name_of(names, NAME_DATASET, event->dataset),
	    event->dest == CORDON_DEST_READ ? "for" : "to",
	    name_of(names, NAME_DEST, event->dest));
}

void event_words(const struct event *event, const struct event_who *who,
		 const struct event_names *names, char *buf, size_t size)
{
	struct words words = {.buf = buf, .size = size};

	buf[0] = '\0';
	switch (event->type) {
	case EVENT_VERDICT:
		say_verdict(&words, event, who, names);
		break;
	case EVENT_BUDGET:
		say_budget(&words, event, names);
		break;
	case EVENT_FIRST_READ:
		say_who(&words, event, who);
		say(&words, " began to read %s: origin %" PRIu32,
		    name_of(names, NAME_DATASET, event->dataset),
		    event->origin);
		break;
	case EVENT_FIRST_RELEASE:
		say_who(&words, event, who);
		say(&words, " sent its first bytes of %s",
		    name_of(names, NAME_DATASET, event->dataset));
		say_where(&words, event, names);
		if (event->origin == CORDON_ORIGIN_SEVERAL)
			say(&words, ": of several origins");
		else
			say(&words, ": origin %" PRIu32, event->origin);
		break;
	case EVENT_FAULT:
		say(&words, "fault: %s, met by ", names->fault(event->fault));
		say_who(&words, event, who);
		if (event->dataset)
			say(&words, " with %s (%s)",
			    name_of(names, NAME_DATASET, event->dataset),
			    event_channel_name(event->channel));
		if (event->error)
			say(&words, ", which was refused");
		break;
	default:
		say(&words, "event of an unknown type %" PRIu32, event->type);
		break;
	}
}
