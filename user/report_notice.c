// SPDX-License-Identifier: GPL-2.0-only
/*
 * What the processor owes its controller, and the controller the ICO: Article
 * 33 of the UK GDPR, paragraph 3, filled in as far as evidence can. Whatever it
 * cannot tell is left for a pen.
 */
#include "report_internal.h"

#include "text.h"

#include <string.h>

#define DEADLINE_MS (72 * 3600 * 1000LL)

/* A row whose text follows; to be ended by end(). */
static void begin(struct page *page, const char *what, const char *article)
{
	put(page, "<tr><th scope=\"row\">%s", what);
	if (article[0])
		put(page, "<small>%s</small>", article);
	put(page, "</th><td>");
}

static void end(struct page *page)
{
	put(page, "</td></tr>\n");
}

static void put_blank(struct page *page, const char *who)
{
	put(page,
	    "<span class=\"blank\"><span class=\"who\">to be completed by "
	    "the %s</span></span>",
	    who);
}

static void blank(struct page *page, const char *what, const char *article,
		  const char *who)
{
	begin(page, what, article);
	put_blank(page, who);
	end(page);
}

static void put_parties(struct page *page)
{
	const json_t *policy = page->report->policy;
	const char *issuer = evidence_text(
		policy ? policy : page->report->incident, "issuer");

	begin(page, "Controller", "");
	if (issuer[0])
		put(page, "%s <small>as the issuer of the policy</small>",
		    issuer);
	else
		put_blank(page, "controller");
	end(page);
	blank(page, "Processor", "", "processor");
	blank(page, "Reference number", "", "controller");
}

static void put_awareness(struct page *page)
{
	const char *reported =
		evidence_text(page->report->incident, "reported");
	char deadline[TEXT_NUMBER_CHARS_MAX], date[REPORT_DATE_MAX];
	int64_t ms;

	begin(page, "Reported by Cordon", "33(2)");
	report_date(reported, date);
	if (date[0])
		put(page, "<time datetime=\"%s\">%s</time>", reported, date);
	else
		put(page, "not told by the evidence");
	end(page);
	begin(page, "Controller became aware", "33(1)");
	put_blank(page, "controller");
	end(page);
	begin(page, "Deadline, 72 hours on", "33(1)");
	if (report_parse_time(reported, &ms)) {
		text_format_time((ms + DEADLINE_MS) / 1000, deadline,
				 sizeof(deadline));
		report_date(deadline, date);
		put(page,
		    "<b><time datetime=\"%s\">%s</time></b>, if the "
		    "controller became aware when Cordon reported; else 72 "
		    "hours from then",
		    deadline, date);
	} else {
		put_blank(page, "controller");
	}
	end(page);
	blank(page, "Reasons, if it is later than that", "33(1)", "controller");
}

static void put_nature(struct page *page)
{
	const struct report_totals *totals = &page->totals;
	const struct exposure_share *share;

	begin(page, "Nature of the breach", "33(3)(a)");
	put(page, totals->read ? "Confidentiality: personal data was read"
			       : "Confidentiality: somebody tried to use "
				 "personal data");
	put(page, "%s beyond what the policy permits.",
	    totals->through   ? ", and some of it may have left the host,"
	    : totals->unknown ? ", and it is not known whether any left,"
			      : "");
	end(page);
	begin(page, "Categories of data subjects", "33(3)(a)");
	for (size_t i = 0; i < page->status.n; i++)
		put(page, "%s%s", i ? ", " : "those with a record in ",
		    page->status.shares[i].dataset);
	put_blank(page, "controller");
	end(page);
	begin(page, "Data subjects, about", "33(3)(a)");
	put(page,
	    "at most <b>%'" PRIu64 "</b> whose records were read, of "
	    "whom at most <b>%'" PRIu64 "</b> by what may have left, if "
	    "a record is about one person%s",
	    totals->read, totals->released,
	    totals->unknown ? "; parts of the count are missing" : "");
	end(page);
	begin(page, "Categories and number of records, about", "33(3)(a)");
	for (size_t i = 0; i < page->status.n; i++) {
		share = &page->status.shares[i];
		put(page,
		    "<span class=\"line\">%s: at most %'" PRIu64 " read, at "
		    "most %'" PRIu64 " may have left</span>",
		    share->dataset, share->read, share->released);
	}
	put(page, "%s", page->status.n ? "" : "none known");
	end(page);
}

static void put_measures(struct page *page)
{
	const struct report_totals *totals = &page->totals;
	const json_t *incident = page->report->incident;
	uint64_t serial = evidence_number(incident, "policy");

	begin(page, "Measures taken", "33(3)(d)");
	if (totals->blocked)
		put(page,
		    "Cordon refused %'" PRIu64 " act%s that exceeded the "
		    "policy",
		    totals->blocked, plural(totals->blocked));
	else
		put(page, "Cordon recorded and reported the acts; it refused "
			  "none");
	if (serial)
		put(page, " (serial %'" PRIu64 ")", serial);
	put(page, ". Evidence was kept.");
	if (totals->alerted)
		put(page,
		    " %'" PRIu64 " act%s went on, because the policy only "
		    "alerts.",
		    totals->alerted, plural(totals->alerted));
	end(page);
	blank(page, "Further measures, taken or proposed", "33(3)(d)",
	      "controller");
}

void report_notice(struct page *page)
{
	put(page,
	    "<section class=\"annex\" aria-labelledby=\"notice\">\n"
	    "<h2 id=\"notice\">Notification of a personal data breach</h2>\n"
	    "<p>What Article 33 of the UK GDPR asks for, as far as the "
	    "evidence tells. What is not known yet may follow in phases "
	    "(33(4)).</p>\n"
	    "<table class=\"form\"><thead><tr><th scope=\"col\">Field</th>"
	    "<th scope=\"col\">Entry</th></tr></thead><tbody>\n");
	put_parties(page);
	put_awareness(page);
	put_nature(page);
	blank(page, "Contact point, or data protection officer", "33(3)(b)",
	      "controller");
	blank(page, "Likely consequences", "33(3)(c)", "controller");
	put_measures(page);
	put(page, "</tbody></table>\n"
		  "<p class=\"note\">This report has no contents of records, "
		  "and of those whom they are about nothing but the keys in "
		  "<a href=\"#list\">the list</a>.</p>\n</section>\n");
}
