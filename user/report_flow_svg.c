// SPDX-License-Identifier: GPL-2.0-only
/*
 * The picture of the flow, and the table of the same edges for whoever cannot
 * see it, or wants it exactly.
 */
#include "report_flow.h"

#include "event.h"
#include "report_internal.h"
#include "text.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define JUMP_RADIUS 9
#define JUMP_AWAY   22

/* A length in tenths, without a decimal point that depends on the locale. */
static void put_tenths(struct page *page, int n)
{
	put(page, "%d.%d", n / 10, n % 10);
}

/* ---- nodes --------------------------------------------------------------- */

static const char *const node_kinds[] = {
	[FLOW_DATASET] = "Dataset",
	[FLOW_PROCESS] = "Process",
	[FLOW_CARRIER] = "Carrier",
	[FLOW_DESTINATION] = "Destination",
};

/* A carrier has no name but that of the way that leads to it. */
static const char *node_name(const struct flow *flow, size_t at)
{
	const struct flow_node *node = &flow->nodes[at];

	if (node->kind == FLOW_DESTINATION)
		return report_destination(node->name);
	if (node->name[0])
		return node->name;
	for (size_t i = 0; i < flow->n_edges; i++)
		if (flow->edges[i].to == at)
			return report_kind_words(flow->edges[i].how);
	return "not known";
}

/* The port behind a colon: a node is narrow. */
static void put_place(struct page *page, const char *place)
{
	static const char between[] = " port ";
	const char *port = strstr(place, between);
	char text[REPORT_PLACE_MAX];

	if (!port || memchr(place, ':', (size_t)(port - place))) {
		put(page, "%.19s", place);
		return;
	}
	(void)snprintf(text, sizeof(text), "%.*s:%s", (int)(port - place),
		       place, port + sizeof(between) - 1);
	put(page, "%.19s", text);
}

static void put_note(struct page *page, const struct flow_node *node)
{
	unsigned int any = REPORT_THROUGH | REPORT_BLOCKED;
	struct report_places places;
	uint64_t records = 0;

	switch (node->kind) {
	case FLOW_DATASET:
		for (size_t i = 0; i < page->status.n; i++)
			if (!strcmp(page->status.shares[i].dataset, node->name))
				records = exposure_add_up(
					records, page->status.shares[i].read);
		put(page, "%'" PRIu64 " record%s read", records,
		    plural(records));
		break;
	case FLOW_DESTINATION:
		report_places_find(page->report, node->name, any, &places);
		if (places.n + places.more > 1)
			put(page, "%zu addresses", places.n + places.more);
		else if (places.n)
			put_place(page, places.at[0]);
		break;
	default:
		if (node->members > 1)
			put(page, "%'" PRIu64 " alike", node->members);
		else
			put(page, "%.19s", node->user);
	}
}

static void put_node(struct page *page, const struct flow *flow, size_t at)
{
	const struct flow_node *node = &flow->nodes[at];
	int top = node->y - node->height / 2;
	/* The destination is outside: its corners say so too. */
	int round = node->kind == FLOW_PROCESS	 ? 10
		    : node->kind == FLOW_CARRIER ? 31
						 : 0;

	put(page,
	    "<g class=\"node k%u\"><rect x=\"%d\" y=\"%d\" width=\"%d\" "
	    "height=\"%d\" rx=\"%d\"/>",
	    node->kind, node->x, top, FLOW_NODE_WIDTH, node->height, round);
	if (node->kind == FLOW_DATASET)
		put(page, "<path d=\"M%d %dv%dM%d %dv%d\" class=\"bar\"/>",
		    node->x + 4, top, node->height, node->x + 7, top,
		    node->height);
	/* Its own viewport clips what a wide script makes of the name. */
	put(page,
	    "<svg x=\"%d\" y=\"%d\" width=\"%d\" height=\"58\"><text "
	    "x=\"50%%\" y=\"14\" class=\"kind\">%s",
	    node->x + 2, node->y - 29, FLOW_NODE_WIDTH - 4,
	    node_kinds[node->kind]);
	if (node->tgid && node->members == 1)
		put(page, " %" PRIu64, node->tgid);
	put(page,
	    "</text><text x=\"50%%\" y=\"32\" class=\"name\">%.14s</text>"
	    "<text x=\"50%%\" y=\"48\" class=\"note\">",
	    node_name(flow, at));
	put_note(page, node);
	put(page, "</text></svg></g>\n");
}

/* ---- edges --------------------------------------------------------------- */

static const char *const edge_classes[] = {
	[FLOW_HOP] = "hop",
	[FLOW_RELEASED] = "released",
	[FLOW_REFUSED] = "refused",
};

static void put_line(struct page *page, const struct flow_edge *edge)
{
	put(page, "<path class=\"edge %s\" stroke-width=\"",
	    edge_classes[edge->kind]);
	put_tenths(page, flow_stroke(edge->bytes));
	put(page, "\" d=\"");
}

/* A line ends before the node: where its head begins. */
static int stop_before(const struct flow_edge *edge)
{
	return edge->kind == FLOW_REFUSED ? 14 : 8;
}

/* The head of an arrow; a cross for what did not get there. */
static void put_head(struct page *page, const struct flow_edge *edge, int x,
		     int y)
{
	int half = flow_stroke(edge->bytes) / 20 + 4;

	if (edge->kind == FLOW_REFUSED)
		put(page,
		    "<path class=\"cross\" d=\"M%d %dl14 14m0 -14l-14 14\"/>\n",
		    x - 20, y - 7);
	else
		put(page, "<path class=\"head %s\" d=\"M%d %dv%dl9 -%dz\"/>\n",
		    edge_classes[edge->kind], x - 9, y - half, 2 * half, half);
}

static void put_label(struct page *page, const struct flow_edge *edge, int x,
		      int y)
{
	const char *how = edge->kind == FLOW_HOP ? report_kind_words(edge->how)
						 : edge->how;
	int half = flow_stroke(edge->bytes) / 20;
	char size[TEXT_NUMBER_CHARS_MAX];

	put(page, "<text class=\"label %s\" x=\"%d\" y=\"%d\">%.14s</text>",
	    edge_classes[edge->kind], x, y - 4 - half, how);
	if (edge->bytes) {
		event_size(edge->bytes, size, sizeof(size));
		put(page,
		    "<text class=\"label amount\" x=\"%d\" y=\"%d\">%s%s"
		    "</text>",
		    x, y + 12 + half, edge->shared ? "of " : "", size);
	}
	put(page, "\n");
}

static void put_jump(struct page *page, const struct flow *flow,
		     const struct flow_edge *edge)
{
	int x0 = flow->nodes[edge->from].x + FLOW_NODE_WIDTH;
	int x1 = flow->nodes[edge->to].x;

	put_line(page, edge);
	put(page, "M%d %dh%dM%d %dh%d\"/>", x0, edge->y0, JUMP_AWAY / 2,
	    x1 - JUMP_AWAY / 2, edge->y1, JUMP_AWAY / 2 - 8);
	put_head(page, edge, x1, edge->y1);
	for (int end = 0; end < 2; end++) {
		int x = end ? x1 - JUMP_AWAY : x0 + JUMP_AWAY;
		int y = end ? edge->y1 : edge->y0;

		put(page,
		    "<circle class=\"jump\" cx=\"%d\" cy=\"%d\" r=\"%d\"/>"
		    "<text class=\"jump\" x=\"%d\" y=\"%d\">%d</text>\n",
		    x, y, JUMP_RADIUS, x, y + 4, edge->jump);
	}
}

static void put_edge(struct page *page, const struct flow *flow,
		     const struct flow_edge *edge)
{
	int x = flow->nodes[edge->from].x + FLOW_NODE_WIDTH, y = edge->y0;
	int slot = edge->slot, next_x, next_y;

	if (edge->jump) {
		put_jump(page, flow, edge);
		return;
	}
	put_line(page, edge);
	put(page, "M%d %d", x, y);
	for (;;) {
		next_x = x + FLOW_GAP - (slot < 0 ? stop_before(edge) : 0);
		next_y = slot < 0 ? edge->y1 : flow->slots[slot].y;
		put(page, "C%d %d %d %d %d %d", x + FLOW_GAP / 2, y,
		    x + FLOW_GAP / 2 - 4, next_y, next_x, next_y);
		if (slot < 0)
			break;
		x = next_x + FLOW_NODE_WIDTH;
		y = next_y;
		put(page, "H%d", x);
		slot = flow->slots[slot].next;
	}
	put(page, "\"/>");
	put_head(page, edge, flow->nodes[edge->to].x, edge->y1);
}

/*
 * In the gap where fewer other lines end. Labels come behind all lines, so that
 * none is crossed out by the next one.
 */
static void label_edge(struct page *page, const struct flow *flow,
		       const struct flow_edge *edge)
{
	const struct flow_node *from = &flow->nodes[edge->from];
	const struct flow_node *to = &flow->nodes[edge->to];
	int slot = edge->slot, x = from->x + FLOW_NODE_WIDTH;
	int y0 = edge->y0, y1 = edge->y1;

	if (edge->jump)
		return;
	if (slot >= 0 && to->n_in > 1)
		y1 = flow->slots[slot].y;
	for (; slot >= 0 && to->n_in == 1; slot = flow->slots[slot].next)
		y0 = flow->slots[slot].y;
	if (to->n_in == 1)
		x = to->x - FLOW_GAP;
	put_label(page, edge, x + FLOW_GAP / 2 - stop_before(edge) + 4,
		  (y0 + y1) / 2);
}

/* ---- the picture --------------------------------------------------------- */

static void put_description(struct page *page, const struct flow *flow)
{
	const struct flow_edge *edge;
	size_t refused = 0, released = 0, hops = 0;

	for (size_t i = 0; i < flow->n_edges; i++) {
		edge = &flow->edges[i];
		if (!edge->drawn)
			continue;
		refused += edge->kind == FLOW_REFUSED;
		released += edge->kind == FLOW_RELEASED;
		hops += edge->kind == FLOW_HOP;
	}
	put(page,
	    "<title id=\"flow-title\">How the data moved</title>"
	    "<desc id=\"flow-desc\">From left to right: datasets, the "
	    "processes and carriers that came by their data, and destinations. "
	    "%zu arrow%s for data that was read or handed on, %zu for data "
	    "that "
	    "was let through to a destination, %zu dashed and crossed for what "
	    "was refused. The table below has the same edges.</desc>\n",
	    hops, plural(hops), released, refused);
}

static void put_picture(struct page *page, const struct flow *flow)
{
	put(page,
	    "<svg class=\"flow\" xmlns=\"http://www.w3.org/2000/svg\" "
	    "role=\"img\" aria-labelledby=\"flow-title flow-desc\" "
	    "viewBox=\"0 0 %d %d\" width=\"%d\" height=\"%d\">\n",
	    flow->width, flow->height, flow->width, flow->height);
	put_description(page, flow);
	for (size_t i = 0; i < flow->n_edges; i++)
		if (flow->edges[i].drawn)
			put_edge(page, flow, &flow->edges[i]);
	for (size_t i = 0; i < flow->n_edges; i++)
		if (flow->edges[i].drawn)
			label_edge(page, flow, &flow->edges[i]);
	for (size_t i = 0; i < flow->n_nodes; i++)
		if (flow->nodes[i].into == i)
			put_node(page, flow, i);
	put(page, "</svg>\n");
}

static void put_legend(struct page *page, const struct flow *flow)
{
	static const struct {
		const char *size;
		uint64_t bytes;
	} samples[] = {
		{"1 KiB", 1 << 10}, {"1 MiB", 1 << 20}, {"1 GiB", 1 << 30}};

	put(page, "<figcaption><p>A line is the wider the more bytes can have "
		  "gone that way, by the logarithm of their number:");
	for (size_t i = 0; i < sizeof(samples) / sizeof(samples[0]); i++) {
		put(page,
		    "%s <span class=\"sample\"><svg "
		    "aria-hidden=\"true\" "
		    "xmlns=\"http://www.w3.org/2000/svg\" width=\"28\" "
		    "height=\"12\"><path class=\"edge hop\" "
		    "d=\"M0 6h28\" stroke-width=\"",
		    i ? "," : "");
		put_tenths(page, flow_stroke(samples[i].bytes));
		put(page, "\"/></svg> %s</span>", samples[i].size);
	}
	put(page, ". Whoever receives from a holder counts as having all that "
		  "the giver had, so these are upper bounds. Dashed and "
		  "crossed: refused, no byte went that way.");
	if (flow->jumps)
		put(page, " A line that ends in a number goes on where the "
			  "same number is.");
	put(page, "</p></figcaption>\n");
}

/* ---- the table ----------------------------------------------------------- */

static void put_end(struct page *page, const struct flow *flow, size_t at)
{
	const struct flow_node *node = &flow->nodes[at];

	put(page, "<td>%s <code>%.64s</code>", node_kinds[node->kind],
	    node_name(flow, at));
	if (node->tgid && node->members == 1)
		put(page, " <span class=\"id\">%" PRIu64 "</span>", node->tgid);
	if (node->members > 1)
		put(page, ", %'" PRIu64 " alike", node->members);
	put(page, "</td>");
}

static void put_row(struct page *page, const struct flow *flow,
		    const struct flow_edge *edge)
{
	put(page, "<tr>");
	put_end(page, flow, edge->from);
	put_end(page, flow, edge->to);
	put(page, "<td>%s</td>",
	    edge->kind == FLOW_HOP ? report_kind_words(edge->how) : "sent");
	report_bytes_cell(page, edge->bytes);
	put(page, "<td class=\"n\">");
	if (edge->kind != FLOW_REFUSED)
		put(page, "%'" PRIu64, edge->records);
	put(page, "</td><td>");
	report_time(page, edge->time);
	put(page, edge->kind == FLOW_HOP ? "</td><td>went on"
		  : edge->kind == FLOW_REFUSED
			  ? "</td><td><b class=\"bad\">refused</b>"
			  : "</td><td><b class=\"poor\">let through</b>");
	put(page, "%s</td></tr>\n", edge->shared ? " (total of several)" : "");
}

static void put_table(struct page *page, const struct flow *flow)
{
	put(page,
	    "<table><caption>The same, edge by edge</caption><thead><tr>"
	    "<th scope=\"col\" class=\"p\">From</th>"
	    "<th scope=\"col\" class=\"p\">To</th>"
	    "<th scope=\"col\" class=\"q\">By</th>"
	    "<th scope=\"col\" class=\"n\">Bytes, at most</th>"
	    "<th scope=\"col\" class=\"n\">Records, at most</th>"
	    "<th scope=\"col\">First, UTC</th>"
	    "<th scope=\"col\" class=\"q\">What came of it</th></tr></thead>"
	    "<tbody>\n");
	for (size_t i = 0; i < flow->n_edges; i++)
		if (flow->edges[i].drawn)
			put_row(page, flow, &flow->edges[i]);
	put(page, "</tbody></table>\n");
	if (flow->left_out)
		put(page,
		    "<p class=\"note\">%'" PRIu64
		    " more hop%s did not fit into "
		    "the picture and this table; the evidence log has them."
		    "</p>\n",
		    flow->left_out, plural(flow->left_out));
}

void report_flow(struct page *page)
{
	struct flow *flow = flow_new(page->report, &page->status);
	int r = flow ? flow_layout(flow) : -ENOMEM;

	put(page, "<h3 id=\"flow\">Data flow</h3>\n");
	if (r) {
		if (!page->html.r)
			page->html.r = r;
	} else if (!flow->n_edges) {
		put(page, "<p>The evidence does not tell how the data "
			  "moved.</p>\n");
	} else {
		put(page, "<figure><div class=\"scroll\" tabindex=\"0\" "
			  "role=\"group\" aria-label=\"Data flow picture\">\n");
		put_picture(page, flow);
		put(page, "</div>\n");
		put_legend(page, flow);
		put(page, "</figure>\n");
		put_table(page, flow);
	}
	flow_free(flow);
}
