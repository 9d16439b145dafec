// SPDX-License-Identifier: GPL-2.0-only
#include "doctor.h"
#include "log.h"

#include <string.h>

static const struct {
	const char *name; /* in JSON */
	const char *word;
	const char *colour;
} statuses[DOCTOR_STATUS_MAX] = {
	[DOCTOR_OK] = {"ok", "ok", "\033[32m"},
	[DOCTOR_WARN] = {"warn", "warn", "\033[33m"},
	[DOCTOR_FAIL] = {"fail", "FAIL", "\033[1;31m"},
};

void doctor_policy_ignored(const char *file, struct doctor_item *ret_item)
{
	struct doctor_item item = {.status = DOCTOR_WARN, .what = "--policy"};

	(void)snprintf(item.text, sizeof(item.text),
		       "%.400s was not looked at: an agent runs, and checked "
		       "the policy that it has",
		       file);
	(void)snprintf(item.remedy, sizeof(item.remedy),
		       "cordon policy check %.400s", file);
	log_clean(item.text);
	log_clean(item.remedy);
	*ret_item = item;
}

json_t *doctor_json(const struct doctor_item *item)
{
	return json_pack("{s:i, s:s, s:s, s:s, s:s, s:s}", "cordon", 1, "type",
			 "check", "status", statuses[item->status].name, "what",
			 item->what, "text", item->text, "remedy",
			 item->remedy);
}

static bool take(const json_t *line, const char *key, char *buf, size_t size)
{
	const char *text = json_string_value(json_object_get(line, key));

	if (!text)
		return false;
	(void)snprintf(buf, size, "%s", text);
	log_clean(buf);
	return true;
}

bool doctor_from_json(const json_t *line, struct doctor_item *ret_item)
{
	struct doctor_item item = {0};
	char status[8];

	if (!take(line, "status", status, sizeof(status)) ||
	    !take(line, "what", item.what, sizeof(item.what)) ||
	    !take(line, "text", item.text, sizeof(item.text)) ||
	    !take(line, "remedy", item.remedy, sizeof(item.remedy)))
		return false;
	for (int i = 0; i < DOCTOR_STATUS_MAX; i++)
		if (strcmp(status, statuses[i].name) == 0) {
			item.status = (enum doctor_status)i;
			*ret_item = item;
			return true;
		}
	return false;
}

void doctor_print(FILE *out, const struct doctor_item *item, bool colour)
{
	(void)fprintf(out, "%s%-4s%s  %-22s  %s\n",
		      colour ? statuses[item->status].colour : "",
		      statuses[item->status].word, colour ? "\033[0m" : "",
		      item->what, item->text);
	if (item->remedy[0])
		(void)fprintf(out, "      %-22s  -> %s\n", "", item->remedy);
}

void doctor_print_result(FILE *out, const struct doctor_result *result,
			 bool colour)
{
	enum doctor_status worst = DOCTOR_OK;
	const char *verdict = "all is well";

	if (result->n[DOCTOR_WARN]) {
		worst = DOCTOR_WARN;
		verdict = "works, but see the warnings";
	}
	if (result->n[DOCTOR_FAIL]) {
		worst = DOCTOR_FAIL;
		verdict = "does not work: do what stands behind the arrows";
	}
	(void)fprintf(
		out, "\n%s%s%s: %u ok, %u warning%s, %u failure%s\n",
		colour ? statuses[worst].colour : "", verdict,
		colour ? "\033[0m" : "", result->n[DOCTOR_OK],
		result->n[DOCTOR_WARN], result->n[DOCTOR_WARN] == 1 ? "" : "s",
		result->n[DOCTOR_FAIL], result->n[DOCTOR_FAIL] == 1 ? "" : "s");
}
