// SPDX-License-Identifier: GPL-2.0-only
/* By which policy; what is proven and what is not; how to verify that. */
#include "report_internal.h"

#include "text.h"

#include <string.h>

/* ---- the policy ---------------------------------------------------------- */

static void put_number_item(struct page *page, const char *term,
			    const json_t *line, const char *key)
{
	if (json_is_integer(json_object_get(line, key)))
		put(page, "<dt>%s</dt><dd>%'" PRIu64 "</dd>\n", term,
		    evidence_number(line, key));
}

static void put_act(struct page *page, const json_t *incident)
{
	const json_t *act = json_object_get(incident, "act");
	const char *rule = evidence_text(act, "rule");
	char window[TEXT_NUMBER_CHARS_MAX], place[REPORT_PLACE_MAX];

	if (!act)
		return;
	put(page, "<h3 id=\"rule\">The rule that decided</h3>\n<dl>\n");
	report_item(page, "Rule", rule);
	report_item(page, "Subject", evidence_text(act, "subject"));
	report_item(page, "Dataset", evidence_text(act, "dataset"));
	report_item(page, "Destination",
		    report_destination(evidence_text(act, "destination")));
	report_place(act, place);
	report_item(page, "Address", place);
	report_item(page, "Channel", evidence_text(act, "channel"));
	if (json_is_integer(json_object_get(act, "max"))) {
		text_format_duration(evidence_number(act, "window_ns"), window,
				     sizeof(window));
		put(page,
		    "<dt>Budget</dt><dd>%'" PRIu64 " %s in any %s; "
		    "%'" PRIu64 " were used</dd>\n",
		    evidence_number(act, "max"), evidence_text(act, "budget"),
		    window, evidence_number(act, "used"));
	}
	put(page, "</dl>\n");
}

/* The line of the policy itself, else what the incident says of it. */
void report_policy(struct page *page)
{
	const json_t *policy = page->report->policy;
	const json_t *incident = page->report->incident;
	const char *hash = evidence_text(policy, "sha256");
	char signers[512];

	put(page, "<section aria-labelledby=\"policy\">\n"
		  "<h2 id=\"policy\">Policy in force</h2>\n<dl>\n");
	if (policy)
		put_number_item(page, "Serial", policy, "policy");
	else
		put_number_item(page, "Serial", incident, "policy");
	report_item(page, "Issuer",
		    evidence_text(policy ? policy : incident, "issuer"));
	evidence_list(policy ? policy : incident, "signers", signers,
		      sizeof(signers));
	report_item(page, "Signed by", signers);
	report_item(page, "Mode", evidence_text(policy, "mode"));
	if (!hash[0])
		hash = evidence_text(incident, "policy_sha256");
	if (hash[0])
		put(page,
		    "<dt>SHA-256 of its file</dt><dd class=\"hash\">%s</dd>\n",
		    hash);
	put(page, "</dl>\n");
	if (!policy && !hash[0])
		put(page, "<p>The evidence does not tell.</p>\n");
	put_act(page, incident);
	put(page, "</section>\n");
}

/* ---- proven, and not ----------------------------------------------------- */

static void put_faults(struct page *page, const json_t *gap)
{
	const json_t *n;
	const char *name, *lead = " ";

	put(page, "The guard had no room for some detail:");
	json_object_foreach ((json_t *)json_object_get(gap, "faults"), name,
			     n) {
		put(page, "%s%s, %'" PRIu64, lead, name,
		    json_integer_value(n) > 0 ? (uint64_t)json_integer_value(n)
					      : 0);
		lead = "; ";
	}
	put(page, ".");
}

static void put_gap(struct page *page, const json_t *gap)
{
	const char *why = evidence_text(gap, "why");
	uint64_t missing = evidence_number(gap, "missing");

	put(page, "<li>");
	if (strcmp(why, "agent") == 0) {
		put(page, "From ");
		report_time(page, evidence_text(gap, "from"));
		put(page, " to ");
		report_time(page, evidence_text(gap, "to"));
		put(page, " no agent ran: the guard enforced and counted, but "
			  "single events of that time were not told.");
	} else if (strcmp(why, "faults") == 0) {
		put_faults(page, gap);
	} else if (strcmp(why, "actors") == 0) {
		put(page,
		    "%'" PRIu64 " more process%s acted than the evidence "
		    "describes.",
		    missing, missing == 1 ? "" : "es");
	} else if (strcmp(why, "steps") == 0) {
		put(page,
		    "%'" PRIu64 " hop%s of the data from process to process "
		    "%s missing, so the picture is not complete.",
		    missing, plural(missing), missing == 1 ? "is" : "are");
	} else if (strcmp(why, "rows") == 0) {
		put(page, "Totals are missing: more can have left than is "
			  "written here.");
	} else {
		put(page, "Something is not known: %s.", why);
	}
	put(page, "</li>\n");
}

static void put_lines_proven(struct page *page)
{
	const struct report_proof *proof = &page->report->proof;

	put(page,
	    "<li>Lines %'" PRIu64 " to %'" PRIu64 " of the evidence log are "
	    "whole, in their order and unchanged since they were signed with "
	    "the key <code>%s</code>.</li>\n",
	    proof->first,
	    proof->signed_to && proof->signed_to < proof->last
		    ? proof->signed_to
		    : proof->last,
	    proof->key_id);
}

static void put_proven(struct page *page)
{
	const struct report_totals *totals = &page->totals;

	if (!page->report->proof.verified) {
		put(page,
		    "<p class=\"warning\"><b>Nothing.</b> The evidence could "
		    "not be verified%s%s. All of this report is what the log "
		    "says, and nobody vouches for that.</p>\n",
		    page->report->proof.problem &&
				    page->report->proof.problem[0]
			    ? ": "
			    : "",
		    page->report->proof.problem);
		return;
	}
	put(page, "<ul class=\"plain\">\n");
	put_lines_proven(page);
	if (!report_is_signed(page->report)) {
		put(page, "</ul>\n<p>Not yet what this incident comes to: its "
			  "newest lines are not signed.</p>\n");
		return;
	}
	if (!totals->unknown)
		put(page,
		    "<li>No more than <b>%'" PRIu64 "</b> of the records, and "
		    "no more than <b>%'" PRIu64 "</b> bytes of what these "
		    "processes sent, were let through: the guard charges "
		    "before the bytes leave.</li>\n",
		    totals->released, totals->bytes);
	if (totals->blocked)
		put(page,
		    "<li>%'" PRIu64 " act%s over the budget %s refused in the "
		    "kernel.</li>\n",
		    totals->blocked, plural(totals->blocked),
		    totals->blocked == 1 ? "was" : "were");
	if (!totals->unknown)
		put(page, "<li>These processes read no record by a way that "
			  "Cordon guards but those that are counted "
			  "here.</li>\n");
	put(page, "</ul>\n");
}

static void put_unproven(struct page *page)
{
	const struct report_proof *proof = &page->report->proof;
	const json_t *gap;
	size_t i;

	put(page, "<ul class=\"plain\">\n"
		  "<li>That every listed record was really read: a record is "
		  "marked before its bytes move.</li>\n");
	if (page->totals.through)
		put(page, "<li>Which records left, or whether any did: nobody "
			  "looked into the bytes.</li>\n");
	put(page,
	    "<li>Who sat at the keyboard: a login says whose account it was, "
	    "an address which machine was last on the way.</li>\n"
	    "<li>The time, beyond what the host's own clock said.</li>\n"
	    "<li>What left by ways that no program on the host can see, such "
	    "as a photograph of a screen, or after somebody had taken over "
	    "the kernel or the host's key.</li>\n"
	    "<li>That nothing came after the last line here: that the end of a "
	    "log was cut off shows only against a checkpoint kept "
	    "elsewhere.</li>\n");
	if (proof->verified && proof->own_key)
		put(page, "<li>That it was this host: the key lay beside the "
			  "evidence. Compare its digits with those written "
			  "down when the host was set up.</li>\n");
	if (proof->verified && proof->signed_to < proof->incident_last)
		put(page,
		    "<li>Lines %'" PRIu64 " to %'" PRIu64 " of this incident: "
		    "no checkpoint stands for them yet.</li>\n",
		    proof->signed_to + 1, proof->incident_last);
	json_array_foreach (json_object_get(page->report->incident, "gaps"), i,
			    gap)
		put_gap(page, gap);
	put(page, "</ul>\n");
}

void report_proven(struct page *page)
{
	put(page, "<section aria-labelledby=\"proven\">\n"
		  "<h2 id=\"proven\">What is proven, and what is not</h2>\n"
		  "<div class=\"pair\"><div>\n"
		  "<h3 id=\"proven-yes\">Proven</h3>\n");
	put_proven(page);
	put(page, "</div><div>\n<h3 id=\"proven-no\">Not proven</h3>\n");
	put_unproven(page);
	put(page, "</div></div>\n</section>\n");
}

/* ---- verifying ----------------------------------------------------------- */

static void put_lines(struct page *page, const char *term, uint64_t first,
		      uint64_t last)
{
	if (last)
		put(page, "<dt>%s</dt><dd>%'" PRIu64 " to %'" PRIu64 "</dd>\n",
		    term, first, last);
}

static void put_commands(struct page *page)
{
	const struct report_proof *proof = &page->report->proof;

	put(page, "<p>Copy the folder <code>/var/lib/cordon/evidence</code> of "
		  "the host to any machine, get the host's public key by "
		  "another way, and run there:</p>\n"
		  "<pre tabindex=\"0\">cordon evidence key --key host.pub "
		  "FOLDER\ncordon evidence verify --key host.pub");
	if (proof->incident_last)
		put(page, " --from %" PRIu64 " --to %" PRIu64,
		    proof->incident_first, proof->incident_last);
	if (proof->last)
		put(page, " --last %" PRIu64, proof->last);
	put(page,
	    " FOLDER\ncordon report %" PRIu64 " -o again.html FOLDER</pre>\n"
	    "<p>The first prints the digits of the key, which have to be "
	    "<code>%s</code>. The second says whether the lines of this "
	    "incident are whole and unchanged. The third makes this report "
	    "again: the page itself is not signed, so trust the evidence and "
	    "not a copy of the page. Without Cordon, "
	    "<code>zcat</code>, <code>sha256sum</code> and "
	    "<code>openssl</code> do it, as cordon-evidence(5) shows.</p>\n",
	    page->report->number,
	    proof->key_id && proof->key_id[0] ? proof->key_id : "(not known)");
}

void report_verify(struct page *page)
{
	const struct report_proof *proof = &page->report->proof;

	put(page, "<section aria-labelledby=\"verify\">\n"
		  "<h2 id=\"verify\">Evidence, and how to verify it</h2>\n"
		  "<dl>\n");
	put(page, "<dt>Verified</dt><dd>%s%s%s</dd>\n",
	    proof->verified ? "yes" : "NO",
	    proof->problem && proof->problem[0] ? ": " : "", proof->problem);
	report_item(page, "Key of the host", proof->key_id);
	put_lines(page, "Lines of the log", proof->first, proof->last);
	put_lines(page, "Lines of this incident", proof->incident_first,
		  proof->incident_last);
	if (proof->signed_to)
		put(page, "<dt>Signed up to line</dt><dd>%'" PRIu64 "</dd>\n",
		    proof->signed_to);
	if (proof->last_hash && proof->last_hash[0])
		put(page,
		    "<dt>SHA-256 of the last proven line</dt>"
		    "<dd class=\"hash\">%s</dd>\n",
		    proof->last_hash);
	put(page, "</dl>\n");
	put_commands(page);
	put(page, "</section>\n");
}
