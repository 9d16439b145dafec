// SPDX-License-Identifier: GPL-2.0-only
#include "eventlog.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct mark {
	uint64_t start; /* of the line, counted from the first one ever */
	int64_t time_s;
};

struct eventlog {
	uint64_t first, next; /* places */
	uint64_t head;	      /* where the next line starts */
	struct mark marks[EVENTLOG_KEPT];
	char text[EVENTLOG_KEPT_BYTES]; /* a ring */
};

static struct mark *mark_of(struct eventlog *log, uint64_t place)
{
	return &log->marks[place % EVENTLOG_KEPT];
}

int eventlog_new(struct eventlog **ret_log)
{
	struct eventlog *log = calloc(1, sizeof(*log));

	if (!log)
		return -ENOMEM;
	log->first = 1;
	log->next = 1;
	*ret_log = log;
	return 0;
}

void eventlog_free(struct eventlog *log)
{
	free(log);
}

void eventlog_keep(struct eventlog *log, const char *line, size_t len,
		   int64_t time_s)
{
	size_t at = log->head % EVENTLOG_KEPT_BYTES;
	size_t part = EVENTLOG_KEPT_BYTES - at;

	while (log->first < log->next &&
	       (log->next - log->first == EVENTLOG_KEPT ||
		log->head + len - mark_of(log, log->first)->start >
			EVENTLOG_KEPT_BYTES))
		log->first++;
	if (part > len)
		part = len;
	memcpy(log->text + at, line, part);
	memcpy(log->text, line + part, len - part);
	*mark_of(log, log->next) = (struct mark){log->head, time_s};
	log->head += len;
	log->next++;
}

uint64_t eventlog_next(const struct eventlog *log)
{
	return log->next;
}

uint64_t eventlog_first(const struct eventlog *log)
{
	return log->first;
}

uint64_t eventlog_find(const struct eventlog *log, int64_t since_s)
{
	uint64_t place;

	for (place = log->first; place < log->next; place++)
		if (log->marks[place % EVENTLOG_KEPT].time_s >= since_s)
			break;
	return place;
}

int eventlog_line(const struct eventlog *log, uint64_t place, char *buf,
		  size_t *ret_len)
{
	uint64_t start, end;
	size_t at, len, part;

	if (place >= log->next)
		return -ENODATA;
	if (place < log->first)
		return -ESTALE;
	start = log->marks[place % EVENTLOG_KEPT].start;
	end = place + 1 < log->next
		      ? log->marks[(place + 1) % EVENTLOG_KEPT].start
		      : log->head;
	len = (size_t)(end - start);
	at = start % EVENTLOG_KEPT_BYTES;
	part = EVENTLOG_KEPT_BYTES - at;
	if (part > len)
		part = len;
	memcpy(buf, log->text + at, part);
	memcpy(buf + part, log->text, len - part);
	*ret_len = len;
	return 0;
}
