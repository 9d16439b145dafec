// SPDX-License-Identifier: GPL-2.0-only
#include "agent.h"
#include "journal.h"
#include "log.h"

#include <errno.h>
#include <string.h>

/* Where in here it was called is of no use to anybody. */
#define SD_JOURNAL_SUPPRESS_LOCATION
#include <systemd/sd-journal.h>

int agent_journal_send(int level, const char *words, const json_t *line)
{
	struct iovec parts[JOURNAL_FIELDS_MAX];
	struct journal_fields fields;
	int r;

	if (!line || !log_is_journal())
		return -EOPNOTSUPP;
	r = journal_fields(line, level, words, &fields);
	if (r)
		return r;
	for (size_t i = 0; i < fields.n; i++)
		parts[i] =
			(struct iovec){fields.text[i], strlen(fields.text[i])};
	r = sd_journal_sendv(parts, (int)fields.n);
	journal_release(&fields);
	return r;
}
