// SPDX-License-Identifier: GPL-2.0-only
#include "ledger_fields.h"
#include "answer_words.h"

json_t *ledger_fields(const struct guard *guard, const struct ledger_key *key,
		      const struct ledger *row)
{
	json_t *fields = json_pack(
		"{s:o, s:s, s:s, s:s, s:s, s:o, s:o, s:o, s:o, s:o, s:o, s:o, "
		"s:o, s:o}",
		"origin", number(event_origin(key->origin)), "subject",
		guard_name(guard, NAME_SUBJECT, key->subject), "dataset",
		guard_name(guard, NAME_DATASET, key->dataset), "destination",
		guard_name(guard, NAME_DEST, key->dest), "channel",
		event_channel_name(key->channel), "acts", number(row->acts),
		"bytes", number(row->bytes), "records", number(row->records),
		"over_acts", number(row->over_acts), "over_bytes",
		number(row->over_bytes), "blocked_acts",
		number(row->blocked_acts), "first", when(row->first_ns), "last",
		when(row->last_ns), "policy", number(row->policy));

	if (key->origin == CORDON_ORIGIN_SEVERAL && fields)
		(void)json_object_set_new(fields, "several", json_true());
	return fields;
}
