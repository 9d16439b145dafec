// SPDX-License-Identifier: GPL-2.0-only
/* What an inspector reads aloud in half a minute, and four numbers. */
#include "report_internal.h"

#include "event.h"
#include "text.h"

#include <string.h>

#define NAMES_MAX 3 /* that one can listen to */

static void put_when(struct page *page)
{
	const json_t *incident = page->report->incident;
	char date[REPORT_DATE_MAX];

	report_date(evidence_text(incident, "first"), date);
	if (date[0])
		put(page, "On <b>%s</b>", date);
	else
		put(page, "At a time that the evidence does not tell");
	if (page->report->host && page->report->host[0])
		put(page, ", on the host <b><bdi>%.64s</bdi></b>,",
		    page->report->host);
	else
		put(page, ", on a host without a name in the evidence,");
}

static void put_who(struct page *page)
{
	const json_t *incident = page->report->incident;
	const char *comm = evidence_text(incident, "comm");
	const char *user = evidence_text(incident, "user");
	const char *login = evidence_text(incident, "login");
	const char *unit = evidence_text(incident, "unit");
	const char *remote = evidence_text(incident, "remote");

	put(page,
	    " a chain of processes begun by <bdi><code>%.32s</code>"
	    "</bdi>",
	    comm[0] ? comm : "(name not known)");
	if (user[0])
		put(page, ", running as <b><bdi>%.32s</bdi></b>", user);
	if (unit[0])
		put(page, " in <bdi>%.64s</bdi>", unit);
	if (login[0])
		put(page, ", from the login of <b><bdi>%.32s</bdi></b>", login);
	else
		put(page, " without a login");
	if (remote[0])
		put(page, " from <bdi>%.64s</bdi>", remote);
	put(page, ",");
}

/* Records of the shares of one dataset; 0 if an earlier one was of it too. */
static uint64_t of_dataset(const struct page *page, size_t at)
{
	const struct exposure_share *shares = page->status.shares;
	uint64_t n = 0;

	for (size_t i = 0; i < page->status.n; i++) {
		if (strcmp(shares[i].dataset, shares[at].dataset) != 0)
			continue;
		if (i < at)
			return 0;
		n = exposure_add_up(n, shares[i].read);
	}
	return n;
}

static void put_what(struct page *page)
{
	const char *lead = " read up to ";
	size_t told = 0;
	uint64_t n;

	for (size_t i = 0; i < page->status.n; i++) {
		n = of_dataset(page, i);
		if (!n || told++ >= NAMES_MAX)
			continue;
		put(page,
		    "%s<b>%'" PRIu64 " record%s</b> of "
		    "<bdi>%.64s</bdi>",
		    lead, n, plural(n), page->status.shares[i].dataset);
		lead = " and up to ";
	}
	if (told > NAMES_MAX)
		put(page, " and of %zu other datasets", told - NAMES_MAX);
	if (!told)
		put(page, " tried to use protected data; no record is known "
			  "to have been read");
	put(page, ".");
}

/* ` to 203.0.113.9 port 443 (elsewhere)'. */
static void put_to(struct page *page, const struct exposure_way *way,
		   unsigned int what)
{
	struct report_places places;

	report_places_find(page->report, way->destination, what, &places);
	if (!places.n) {
		put(page, "<b><bdi>%.64s</bdi></b>",
		    report_destination(way->destination));
		return;
	}
	put(page, "<b><bdi>%s</bdi></b>", places.at[0]);
	if (places.n + places.more > 1)
		put(page, " and %zu other address%s",
		    places.n + places.more - 1,
		    places.n + places.more == 2 ? "" : "es");
	if (strcmp(way->destination, "*") != 0)
		put(page, " (<bdi>%.64s</bdi>)", way->destination);
}

static void put_destinations(struct page *page, unsigned int what)
{
	const struct exposure_way *way;
	const char *lead = " to ";
	size_t told = 0;

	for (size_t i = 0; i < page->status.n; i++)
		for (size_t k = 0; k < page->status.shares[i].n_ways; k++) {
			way = &page->status.shares[i].ways[k];
			if (what == REPORT_THROUGH ? !way->through
						   : !way->blocked_acts)
				continue;
			if (told++ >= NAMES_MAX)
				continue;
			put(page, "%s", lead);
			put_to(page, way, what);
			lead = " and to ";
		}
	if (told > NAMES_MAX)
		put(page, " and %zu more", told - NAMES_MAX);
}

static void put_left(struct page *page)
{
	const struct report_totals *totals = &page->totals;
	char size[TEXT_NUMBER_CHARS_MAX];

	event_size(totals->bytes, size, sizeof(size));
	if (totals->through) {
		put(page,
		    " <b>At most %'" PRIu64 " of them</b>, in %s, "
		    "%s let through",
		    totals->released, size,
		    totals->released == 1 ? "was" : "were");
		put_destinations(page, REPORT_THROUGH);
		put(page, ".");
		if (totals->alerted)
			put(page, " Cordon was set to alert only, and did not "
				  "stop what exceeded the budget.");
	} else if (totals->unknown) {
		put(page, " <b>Whether any of it left is not known.</b>");
	} else {
		put(page, " <b>Nothing of it was let through</b> to any "
			  "destination.");
	}
	if (totals->blocked) {
		put(page, " Cordon refused <b>%'" PRIu64 " attempt%s</b>",
		    totals->blocked, plural(totals->blocked));
		if (!totals->through)
			put_destinations(page, REPORT_BLOCKED);
		put(page, "%s.", totals->through ? " to send more" : "");
	}
}

static void put_certain(struct page *page)
{
	const struct report_totals *totals = &page->totals;

	if (!page->report->proof.verified) {
		put(page, " <b>The evidence for this could not be "
			  "verified: do not rely on it yet.</b>");
		return;
	}
	if (!report_is_signed(page->report)) {
		put(page, " The newest lines of evidence are not signed yet: "
			  "make this report again in a minute.");
		return;
	}
	if (totals->unknown) {
		put(page, " The evidence is verified, but parts of the count "
			  "are missing.");
		return;
	}
	put(page, " Certain, by signed evidence: no more left by a way that "
		  "Cordon guards.");
	if (totals->through && totals->released < totals->suspect)
		put(page,
		    " Not certain: which. <b>Treat all %'" PRIu64
		    " as exposed.</b>",
		    totals->suspect);
	else if (totals->through)
		put(page, " Treat all of them as exposed.");
}

/* ---- numbers ------------------------------------------------------------- */

static void put_figure(struct page *page, const char *shade, const char *term,
		       uint64_t n)
{
	put(page, "<div class=\"%s\"><dt>%s</dt><dd>%'" PRIu64, shade, term, n);
}

static void put_figures(struct page *page)
{
	const struct report_totals *totals = &page->totals;
	char size[TEXT_NUMBER_CHARS_MAX];
	const char *shade;

	put(page, "<dl class=\"figures\">\n");
	put_figure(page, "", "Records read, at most", totals->read);
	put(page, "</dd></div>\n");
	shade = totals->through || totals->unknown ? "poor" : "good";
	put_figure(page, shade, "Records that may have left, at most",
		   totals->released);
	put(page, totals->unknown ? "<small>that are known</small></dd></div>\n"
				  : "</dd></div>\n");
	event_size(totals->bytes, size, sizeof(size));
	put(page,
	    "<div class=\"%s\"><dt>Let through</dt><dd>%s"
	    "<small>%'" PRIu64 " bytes</small></dd></div>\n",
	    shade, size, totals->bytes);
	put_figure(page, "", "Attempts refused", totals->blocked);
	if (totals->blocked) {
		event_size(totals->over_bytes, size, sizeof(size));
		put(page, "<small>%s asked for</small>", size);
	}
	put(page, "</dd></div>\n</dl>\n");
}

void report_summary(struct page *page)
{
	put(page, "<section aria-labelledby=\"summary\">\n"
		  "<h2 id=\"summary\">Summary</h2>\n");
	if (!page->report->incident)
		put(page, "<p class=\"lead\">The evidence has no line about "
			  "this incident.</p>\n");
	put(page, "<p class=\"lead\">");
	put_when(page);
	put_who(page);
	put_what(page);
	put_left(page);
	put_certain(page);
	put(page, "</p>\n");
	put_figures(page);
	put(page, "</section>\n");
}
