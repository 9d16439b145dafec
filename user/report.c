// SPDX-License-Identifier: GPL-2.0-only
#include "report.h"

#include "attack.h"
#include "report_internal.h"

#include <string.h>

static const struct {
	const char *id;
	const char *title;
} contents[] = {
	{"summary", "Summary"},		 {"timeline", "Timeline"},
	{"moved", "How the data moved"}, {"exposed", "Exposed records"},
	{"policy", "Policy in force"},	 {"proven", "What is proven"},
	{"verify", "Evidence"},		 {"notice", "Notification"},
	{"list", "List of records"},
};

/* ---- totals -------------------------------------------------------------- */

static void add_share(struct report_totals *totals,
		      const struct exposure_share *share)
{
#define ADD(member, n) (totals->member = exposure_add_up(totals->member, n))
	ADD(read, share->read);
	ADD(released, share->released);
	if (share->fate == EXPOSURE_RELEASED)
		ADD(suspect, share->read);
	if (share->fate == EXPOSURE_UNKNOWN)
		totals->unknown = true;
	for (size_t i = 0; i < share->n_ways; i++) {
		const struct exposure_way *way = &share->ways[i];

		ADD(bytes, way->bytes);
		ADD(acts, way->acts);
		ADD(alerted, way->alerted_acts);
		ADD(blocked, way->blocked_acts);
		ADD(over_bytes, way->over_bytes);
		totals->through = totals->through || way->through;
	}
#undef ADD
}

/* Readings that were refused are in no way out, but in the incident's count. */
static void count(struct page *page)
{
	const json_t *incident = page->report->incident;
	struct report_totals *totals = &page->totals;
	uint64_t blocked = evidence_number(incident, "blocked");

	for (size_t i = 0; i < page->status.n; i++)
		add_share(totals, &page->status.shares[i]);
	if (blocked > totals->blocked)
		totals->blocked = blocked;
	if (evidence_number(incident, "blocked_bytes") > totals->over_bytes)
		totals->over_bytes = evidence_number(incident, "blocked_bytes");
	if (!page->status.n || page->status.uncounted)
		totals->unknown = true;
	/* What the incident counted, and no row of the ledger here shows. */
	if (evidence_number(incident, "released_bytes") > totals->bytes) {
		totals->bytes = evidence_number(incident, "released_bytes");
		totals->through = true;
	}
	if (evidence_number(incident, "released_records") > totals->released &&
	    !json_array_size(page->report->ledger))
		totals->released =
			evidence_number(incident, "released_records");
}

/* ---- the page ------------------------------------------------------------ */

static void put_head(struct page *page)
{
	put(page,
	    "<!DOCTYPE html>\n"
	    "<html xmlns=\"http://www.w3.org/1999/xhtml\" lang=\"en-GB\">\n"
	    "<head>\n<meta charset=\"utf-8\"/>\n"
	    "<meta http-equiv=\"Content-Security-Policy\" content=\""
	    "default-src &#39;none&#39;; style-src "
	    "&#39;unsafe-inline&#39;\"/>\n"
	    "<meta name=\"viewport\" content=\"width=device-width, "
	    "initial-scale=1\"/>\n"
	    "<meta name=\"color-scheme\" content=\"light dark\"/>\n"
	    "<meta name=\"referrer\" content=\"no-referrer\"/>\n"
	    "<meta name=\"robots\" content=\"noindex\"/>\n"
	    "<title>Incident %" PRIu64,
	    page->report->number);
	if (page->report->host && page->report->host[0])
		put(page, " on %.64s", page->report->host);
	put(page, " - Cordon report</title>\n<style>\n");
	html_markup(&page->html, report_style);
	put(page, "</style>\n</head>\n<body>\n"
		  "<a class=\"skip\" href=\"#summary\">Skip to the "
		  "summary</a>\n");
}

static const char *outcome(const struct page *page, const char **ret_shade)
{
	const struct report_totals *totals = &page->totals;

	*ret_shade = "poor";
	if (totals->through)
		*ret_shade = "bad";
	if (totals->through && totals->blocked)
		return "Data may have left; then refused";
	if (totals->through)
		return "Data may have left";
	if (totals->unknown)
		return "Not known whether data left";
	*ret_shade = "good";
	return totals->blocked ? "Contained: refused" : "Contained";
}

static void put_banner(struct page *page)
{
	const struct report *report = page->report;
	const char *shade, *words = outcome(page, &shade);
	const char *state = evidence_text(report->incident, "state");

	put(page,
	    "<header>\n<p class=\"kicker\">Cordon incident report</p>\n"
	    "<h1>Incident %'" PRIu64 "</h1>\n"
	    "<p class=\"outcome %s\">%s</p>\n<dl class=\"facts\">\n",
	    report->number, shade, words);
	report_item(page, "Host", report->host);
	report_item(page, "State",
		    strcmp(state, "closed") == 0 ? "closed"
		    : state[0]			 ? "open"
						 : "");
	if (report->made && report->made[0]) {
		put(page, "<dt>Report made</dt><dd>");
		report_time(page, report->made);
		put(page, " UTC</dd>\n");
	}
	report_item(page, "Cordon", report->version);
	put(page, "<dt>Evidence</dt><dd>%s</dd>\n</dl>\n",
	    report->proof.verified ? "verified" : "NOT verified");
	if (!report->proof.verified)
		put(page,
		    "<p class=\"warning\" role=\"note\"><b>This report is not "
		    "proven.</b> The evidence could not be verified%s%s</p>\n",
		    report->proof.problem && report->proof.problem[0] ? ": "
								      : ".",
		    report->proof.problem);
	put(page, "</header>\n");
}

static void put_contents(struct page *page)
{
	put(page, "<nav aria-label=\"Contents\"><ol>\n");
	for (size_t i = 0; i < sizeof(contents) / sizeof(contents[0]); i++)
		put(page, "<li><a href=\"#%s\">%s</a></li>\n", contents[i].id,
		    contents[i].title);
	put(page, "</ol></nav>\n");
}

static void put_techniques(struct page *page)
{
	const json_t *ids =
		json_object_get(page->report->incident, "techniques");
	const struct attack *known;
	const json_t *item;
	const char *id;
	size_t i;

	if (!json_array_size(ids))
		return;
	put(page, "<p>Techniques (MITRE ATT&amp;CK):");
	json_array_foreach (ids, i, item) {
		id = json_string_value(item);
		if (!id)
			continue;
		known = attack_find(id);
		put(page, "%s %s", i ? "," : "", id);
		if (known)
			put(page, " %s", known->name);
	}
	put(page, ".</p>\n");
}

static void put_moved(struct page *page)
{
	put(page, "<section aria-labelledby=\"moved\">\n"
		  "<h2 id=\"moved\">How the data moved</h2>\n");
	report_flow(page);
	report_chain(page);
	put_techniques(page);
	put(page, "</section>\n");
}

int report_write(FILE *out, const struct report *report)
{
	struct page page = {.html = {.out = out}, .report = report};
	int r;

	r = exposure_status_make(report->incident, report->ledger,
				 report->exposed, report->events, &page.status);
	if (r)
		return r;
	count(&page);
	put_head(&page);
	put_banner(&page);
	put_contents(&page);
	put(&page, "<main>\n");
	report_summary(&page);
	report_timeline(&page);
	put_moved(&page);
	report_exposed(&page);
	report_policy(&page);
	report_proven(&page);
	report_verify(&page);
	report_notice(&page);
	report_list(&page);
	put(&page, "</main>\n</body>\n</html>\n");
	exposure_status_release(&page.status);
	return html_end(&page.html);
}
