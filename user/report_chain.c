// SPDX-License-Identifier: GPL-2.0-only
/* Who started whom, and what is known of those that acted. */
#include "report_internal.h"

#include "array.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* A process; its parent is one of them too. */
struct kin {
	const json_t *line; /* an actor's, or of an ancestry */
	bool acted;
	size_t parent; /* SIZE_MAX: none */
};

struct family {
	struct kin *kin;
	size_t n;
};

/* The same number may be another process later. */
static bool is_same(const json_t *a, const json_t *b)
{
	return evidence_number(a, "tgid") == evidence_number(b, "tgid") &&
	       strcmp(evidence_text(a, "started"),
		      evidence_text(b, "started")) == 0;
}

/* SIZE_MAX: no memory. */
static size_t know(struct family *family, const json_t *line, bool acted)
{
	struct kin *kin;

	for (size_t i = 0; i < family->n; i++) {
		if (!is_same(family->kin[i].line, line))
			continue;
		if (acted) {
			family->kin[i].acted = true;
			family->kin[i].line = line;
		}
		return i;
	}
	kin = array_grow(family->kin, family->n, sizeof(*kin));
	if (!kin)
		return SIZE_MAX;
	family->kin = kin;
	kin[family->n] =
		(struct kin){.line = line, .acted = acted, .parent = SIZE_MAX};
	return family->n++;
}

/* Whoever is below themselves would be printed for ever. */
static bool is_above(const struct family *family, size_t at, size_t whom)
{
	for (; whom != SIZE_MAX; whom = family->kin[whom].parent)
		if (whom == at)
			return true;
	return false;
}

static int add_actor(struct family *family, const json_t *actor)
{
	size_t at = know(family, actor, true), parent, i;
	const json_t *line;

	if (at == SIZE_MAX)
		return -ENOMEM;
	json_array_foreach (json_object_get(actor, "ancestry"), i, line) {
		parent = know(family, line, false);
		if (parent == SIZE_MAX)
			return -ENOMEM;
		if (family->kin[at].parent == SIZE_MAX &&
		    !is_above(family, at, parent))
			family->kin[at].parent = parent;
		at = parent;
	}
	return 0;
}

static void put_kin(struct page *page, const struct kin *kin)
{
	const char *exe = evidence_text(kin->line, "exe");
	const char *user = evidence_text(kin->line, "user");

	put(page, kin->acted ? "<b class=\"acted\">" : "<span>");
	report_process(page, kin->line);
	put(page, kin->acted ? "</b>" : "</span>");
	if (exe[0])
		put(page, " <span class=\"exe\">%s</span>", exe);
	if (user[0])
		put(page, ", as %s", user);
	else if (json_is_integer(json_object_get(kin->line, "uid")))
		put(page, ", uid %" PRIu64, evidence_number(kin->line, "uid"));
	if (kin->acted)
		put(page, " <span class=\"tag\">acted</span>");
}

static void put_below(struct page *page, const struct family *family,
		      size_t parent)
{
	bool any = false;

	for (size_t i = 0; i < family->n; i++) {
		if (family->kin[i].parent != parent)
			continue;
		put(page, any ? "" : "<ul>\n");
		any = true;
		put(page, "<li>");
		put_kin(page, &family->kin[i]);
		put_below(page, family, i);
		put(page, "</li>\n");
	}
	put(page, any ? "</ul>" : "");
}

static void put_exe(struct page *page, const json_t *actor)
{
	const char *exe = evidence_text(actor, "exe");
	const char *hash = evidence_text(actor, "exe_sha256");
	const char *why = evidence_text(actor, "exe_why");

	put(page, "<td><span class=\"exe\">%s</span>", exe);
	if (hash[0])
		put(page, "<small class=\"hash\">%s</small>", hash);
	else
		put(page, "<small>no hash%s%s</small>", why[0] ? ": " : "",
		    why);
	put(page, "</td>");
}

static void put_actor(struct page *page, const json_t *actor)
{
	const char *login = evidence_text(actor, "login");
	const char *remote = evidence_text(actor, "remote");

	put(page, "<tr><th scope=\"row\">");
	report_process(page, actor);
	put(page, "</th><td>");
	report_time(page, evidence_text(actor, "started"));
	if (json_is_true(json_object_get(actor, "gone")))
		put(page, "<small>had ended before it could be looked at"
			  "</small>");
	put(page, "</td><td>%s</td><td>%s", evidence_text(actor, "user"),
	    login[0] ? login : "none");
	if (remote[0])
		put(page, " from %s", remote);
	put(page, "</td><td>%s</td>", evidence_text(actor, "unit"));
	put_exe(page, actor);
	put(page, "</tr>\n");
}

static void put_actors(struct page *page)
{
	const json_t *actors = page->report->actors, *actor;
	uint64_t all = evidence_number(page->report->incident, "actors");
	size_t i;

	put(page, "<table><caption>Processes that acted</caption><thead><tr>"
		  "<th scope=\"col\" class=\"q\">Process</th>"
		  "<th scope=\"col\">Started, UTC</th>"
		  "<th scope=\"col\" class=\"q\">User</th>"
		  "<th scope=\"col\">Login</th>"
		  "<th scope=\"col\" class=\"p\">Unit</th>"
		  "<th scope=\"col\">Program, and its SHA-256</th></tr>"
		  "</thead><tbody>\n");
	json_array_foreach (actors, i, actor)
		put_actor(page, actor);
	put(page, "</tbody></table>\n");
	if (all > json_array_size(actors))
		put(page,
		    "<p class=\"note\">%'" PRIu64 " processes acted; the "
		    "evidence has a line for %zu of them.</p>\n",
		    all, json_array_size(actors));
	put(page, "<p class=\"note\">A process can call itself what it likes. "
		  "The SHA-256 says which program it was; the arguments are in "
		  "the evidence as a keyed hash only.</p>\n");
}

void report_chain(struct page *page)
{
	struct family family = {0};
	const json_t *actor;
	size_t i;
	int r = 0;

	put(page, "<h3 id=\"chain\">Process chain</h3>\n");
	if (!json_array_size(page->report->actors)) {
		put(page, "<p>The evidence has no line about a process that "
			  "acted.</p>\n");
		return;
	}
	json_array_foreach (page->report->actors, i, actor) {
		if (!r)
			r = add_actor(&family, actor);
	}
	if (r && !page->html.r)
		page->html.r = r;
	put(page, "<div class=\"tree\">");
	put_below(page, &family, SIZE_MAX);
	put(page, "</div>\n");
	put_actors(page);
	free(family.kin);
}
