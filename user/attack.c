// SPDX-License-Identifier: GPL-2.0-only
#include "attack.h"

#include <stddef.h>
#include <string.h>

#define COLLECTION   "TA0009", "Collection"
#define EXFILTRATION "TA0010", "Exfiltration"
#define COMMAND	     "TA0011", "Command and Control"

static const struct attack known[] = {
	{"T1005", "Data from Local System", COLLECTION},
	{"T1020", "Automated Exfiltration", EXFILTRATION},
	{"T1030", "Data Transfer Size Limits", EXFILTRATION},
	{"T1041", "Exfiltration Over C2 Channel", EXFILTRATION},
	{"T1048", "Exfiltration Over Alternative Protocol", EXFILTRATION},
	{"T1052", "Exfiltration Over Physical Medium", EXFILTRATION},
	{"T1074", "Data Staged", COLLECTION},
	{"T1074.001", "Local Data Staging", COLLECTION},
	{"T1095", "Non-Application Layer Protocol", COMMAND},
	{"T1560", "Archive Collected Data", COLLECTION},
	{"T1560.001", "Archive via Utility", COLLECTION},
	{"T1567", "Exfiltration Over Web Service", EXFILTRATION},
};

const struct attack *attack_find(const char *id)
{
	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++)
		if (strcmp(known[i].id, id) == 0)
			return &known[i];
	return NULL;
}
