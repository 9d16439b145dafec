/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A row of the ledger in words, for whoever asks and for the evidence.
 */
#ifndef CORDON_LEDGER_FIELDS_H
#define CORDON_LEDGER_FIELDS_H

#include <jansson.h>

#include "guard.h"

/* The members of a line about it. NULL: no memory. */
json_t *ledger_fields(const struct guard *guard, const struct ledger_key *key,
		      const struct ledger *row);

#endif
