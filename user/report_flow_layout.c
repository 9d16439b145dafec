// SPDX-License-Identifier: GPL-2.0-only
/*
 * Where the parts of the flow stand: columns by the longest way from a dataset,
 * so that all but what closes a loop leads to the right. Columns that do not
 * fit on a page go below as another band. A line to another band, or back, is
 * interrupted, and both of its ends have the same number.
 */
#include "report_flow.h"

#include "array.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define NODE_HEIGHT 62
#define PORT	    44 /* between the ends of lines: two lines of text */
#define ROW_GAP	    22
#define BAND_GAP    40
#define TOP	    16
#define SWEEPS	    6

int flow_stroke(uint64_t bytes)
{
	int bit, log = 0, width;

	/* Tenths of the logarithm to base 2: whole ones from the highest bit,
	 * the rest in proportion. */
	if (bytes > 1024) {
		bit = 63 - __builtin_clzll(bytes);
		log = (bit - 10) * 10 + (int)((double)(bytes - (1ULL << bit)) /
					      (double)(1ULL << bit) * 10);
	}
	width = 15 + log * 45 / 100;
	return width > 120 ? 120 : width;
}

/* ---- many alike ---------------------------------------------------------- */

static bool came_alike(const struct flow *flow, size_t a, size_t b)
{
	const struct flow_edge *x, *y;
	bool any = false, found;

	for (size_t i = 0; i < flow->n_edges; i++) {
		x = &flow->edges[i];
		if (x->to != a || x->from == a)
			continue;
		any = true;
		found = false;
		for (size_t k = 0; k < flow->n_edges && !found; k++) {
			y = &flow->edges[k];
			found = y->to == b && y->from == x->from &&
				y->kind == x->kind &&
				strcmp(y->how, x->how) == 0 &&
				strcmp(y->dataset, x->dataset) == 0;
		}
		if (!found)
			return false;
	}
	return any;
}

static bool is_alike(const struct flow *flow, size_t a, size_t b)
{
	const struct flow_node *x = &flow->nodes[a], *y = &flow->nodes[b];

	return x->into == a && y->into == b && x->kind == y->kind &&
	       (x->kind == FLOW_PROCESS || x->kind == FLOW_CARRIER) &&
	       strcmp(x->name, y->name) == 0 && strcmp(x->user, y->user) == 0 &&
	       came_alike(flow, a, b) && came_alike(flow, b, a);
}

/* Edges of @b become those of @a; those that then are the same, one. */
static void merge(struct flow *flow, size_t a, size_t b)
{
	struct flow_edge *x, *y;

	flow->nodes[a].members += flow->nodes[b].members;
	flow->nodes[b].into = a;
	for (size_t i = 0; i < flow->n_edges; i++) {
		x = &flow->edges[i];
		x->from = x->from == b ? a : x->from;
		x->to = x->to == b ? a : x->to;
	}
	for (size_t i = 0; i < flow->n_edges; i++) {
		x = &flow->edges[i];
		for (size_t k = 0; k < i && x->drawn; k++) {
			y = &flow->edges[k];
			if (!y->drawn || y->from != x->from || y->to != x->to ||
			    y->kind != x->kind || strcmp(y->how, x->how) != 0 ||
			    y->origin != x->origin ||
			    strcmp(y->dataset, x->dataset) != 0)
				continue;
			x->drawn = false;
			/* A total that is shared is no sum. */
			if (x->shared)
				continue;
			y->bytes = exposure_add_up(y->bytes, x->bytes);
			y->records = exposure_add_up(y->records, x->records);
			y->acts = exposure_add_up(y->acts, x->acts);
		}
	}
}

static void merge_alike(struct flow *flow)
{
	bool again = flow->n_nodes >= FLOW_NODES_MANY;

	while (again) {
		again = false;
		for (size_t a = 0; a < flow->n_nodes; a++)
			for (size_t b = a + 1; b < flow->n_nodes; b++) {
				if (!is_alike(flow, a, b))
					continue;
				merge(flow, a, b);
				again = true;
			}
	}
	for (size_t i = 0; i < flow->n_edges; i++)
		if (flow->edges[i].from == flow->edges[i].to)
			flow->edges[i].drawn = false;
}

/* ---- columns ------------------------------------------------------------- */

/* From @at on; what leads to one that is still looked at closes a loop. */
static void find_loops(struct flow *flow, size_t at, char *seen)
{
	struct flow_edge *edge;

	seen[at] = 1;
	for (size_t i = 0; i < flow->n_edges; i++) {
		edge = &flow->edges[i];
		if (!edge->drawn || edge->from != at)
			continue;
		if (seen[edge->to] == 1)
			edge->back = true;
		else if (!seen[edge->to])
			find_loops(flow, edge->to, seen);
	}
	seen[at] = 2;
}

static void find_columns(struct flow *flow)
{
	char seen[FLOW_NODES_MAX] = {0};
	struct flow_node *from, *to;
	bool again = true;
	size_t i;

	/* Datasets first: a loop is closed by what leads back towards them. */
	for (i = 0; i < flow->n_nodes; i++)
		if (!seen[i] && flow->nodes[i].kind == FLOW_DATASET)
			find_loops(flow, i, seen);
	for (i = 0; i < flow->n_nodes; i++) {
		if (!seen[i])
			find_loops(flow, i, seen);
		flow->nodes[i].column = flow->nodes[i].kind != FLOW_DATASET;
	}
	while (again) {
		again = false;
		for (i = 0; i < flow->n_edges; i++) {
			if (!flow->edges[i].drawn || flow->edges[i].back)
				continue;
			from = &flow->nodes[flow->edges[i].from];
			to = &flow->nodes[flow->edges[i].to];
			if (to->column > from->column)
				continue;
			to->column = from->column + 1;
			again = true;
		}
	}
}

/* Bands of about as many columns each. */
static void find_bands(struct flow *flow)
{
	struct flow_edge *edge;
	int last = 0;

	for (size_t i = 0; i < flow->n_nodes; i++)
		if (flow->nodes[i].column > last)
			last = flow->nodes[i].column;
	flow->bands = last / FLOW_COLUMNS + 1;
	flow->columns = (last + flow->bands) / flow->bands;
	for (size_t i = 0; i < flow->n_nodes; i++)
		flow->nodes[i].band = flow->nodes[i].column / flow->columns;
	for (size_t i = 0; i < flow->n_edges; i++) {
		edge = &flow->edges[i];
		if (!edge->drawn)
			continue;
		flow->nodes[edge->from].n_out++;
		flow->nodes[edge->to].n_in++;
		if (edge->back ||
		    flow->nodes[edge->from].band != flow->nodes[edge->to].band)
			edge->jump = ++flow->jumps;
	}
}

/* ---- order in a column --------------------------------------------------- */

static int add_slot(struct flow *flow, size_t node, size_t edge, int column,
		    int height)
{
	struct flow_slot *slots;
	int rank = 0;

	slots = array_grow(flow->slots, flow->n_slots, sizeof(*slots));
	if (!slots)
		return -ENOMEM;
	flow->slots = slots;
	for (size_t i = 0; i < flow->n_slots; i++)
		rank += slots[i].column == column;
	slots[flow->n_slots] = (struct flow_slot){.node = node,
						  .edge = edge,
						  .next = -1,
						  .column = column,
						  .rank = rank,
						  .height = height};
	return (int)flow->n_slots++;
}

/* The first n_nodes of them are those of the nodes. */
static int add_slots(struct flow *flow)
{
	struct flow_node *node;
	struct flow_edge *edge;
	int at, last;

	for (size_t i = 0; i < flow->n_nodes; i++) {
		node = &flow->nodes[i];
		node->height = PORT * (node->n_in > node->n_out ? node->n_in
								: node->n_out);
		if (node->height < NODE_HEIGHT)
			node->height = NODE_HEIGHT;
		at = add_slot(flow, i, SIZE_MAX,
			      node->into == i ? node->column : -1,
			      node->height);
		if (at < 0)
			return at;
	}
	for (size_t i = 0; i < flow->n_edges; i++) {
		edge = &flow->edges[i];
		last = -1;
		if (!edge->drawn || edge->jump)
			continue;
		for (int column = flow->nodes[edge->from].column + 1;
		     column < flow->nodes[edge->to].column; column++) {
			at = add_slot(flow, SIZE_MAX, i, column, PORT);
			if (at < 0)
				return at;
			if (last < 0)
				edge->slot = at;
			else
				flow->slots[last].next = at;
			last = at;
		}
	}
	return 0;
}

static int count_in(const struct flow *flow, int column)
{
	int n = 0;

	for (size_t i = 0; i < flow->n_slots; i++)
		n += flow->slots[i].column == column;
	return n;
}

/* Half rows from the middle of its column: columns stand centred. */
static int64_t place_of(const struct flow *flow, const struct flow_slot *slot)
{
	return 2 * slot->rank + 1 - count_in(flow, slot->column);
}

/* What an edge, on its way from slot to slot, does to those of a column. */
static void pull(struct flow *flow, const struct flow_edge *edge, int column,
		 bool right)
{
	struct flow_slot *a, *b;
	int next = edge->slot;

	a = &flow->slots[edge->from];
	do {
		b = &flow->slots[next < 0 ? (int)edge->to : next];
		if (right && b->column == column) {
			b->pull += place_of(flow, a);
			b->pulls++;
		} else if (!right && a->column == column) {
			a->pull += place_of(flow, b);
			a->pulls++;
		}
		a = b;
		next = next < 0 ? -2 : b->next;
	} while (next != -2);
}

static int compare_slots(const void *a, const void *b)
{
	const struct flow_slot *const *x = a, *const *y = b;

	if ((*x)->pull != (*y)->pull)
		return (*x)->pull < (*y)->pull ? -1 : 1;
	return (*x)->rank < (*y)->rank ? -1 : (*x)->rank > (*y)->rank;
}

static int order_column(struct flow *flow, int column, bool right,
			struct flow_slot **room)
{
	struct flow_slot *slot;
	int n = 0;

	for (size_t i = 0; i < flow->n_slots; i++) {
		slot = &flow->slots[i];
		if (slot->column != column)
			continue;
		slot->pull = 0;
		slot->pulls = 0;
		room[n++] = slot;
	}
	for (size_t i = 0; i < flow->n_edges; i++)
		if (flow->edges[i].drawn && !flow->edges[i].jump)
			pull(flow, &flow->edges[i], column, right);
	for (int i = 0; i < n; i++)
		room[i]->pull = room[i]->pulls
					? room[i]->pull * 1024 / room[i]->pulls
					: place_of(flow, room[i]) * 1024;
	if (n)
		qsort(room, (size_t)n, sizeof(*room), compare_slots);
	for (int i = 0; i < n; i++)
		room[i]->rank = i;
	return n;
}

static int order(struct flow *flow)
{
	int columns = flow->columns * flow->bands;
	struct flow_slot **room;

	room = calloc(flow->n_slots + 1, sizeof(struct flow_slot *));
	if (!room)
		return -ENOMEM;
	for (int sweep = 0; sweep < SWEEPS; sweep++)
		for (int i = 0; i < columns; i++)
			(void)order_column(flow,
					   sweep & 1 ? columns - 1 - i : i,
					   !(sweep & 1), room);
	free(room);
	return 0;
}

/* ---- places -------------------------------------------------------------- */

static int height_of(const struct flow *flow, int column)
{
	int height = -ROW_GAP;

	for (size_t i = 0; i < flow->n_slots; i++)
		if (flow->slots[i].column == column)
			height += flow->slots[i].height + ROW_GAP;
	return height;
}

static void place_column(struct flow *flow, int column, int middle)
{
	int y = middle - height_of(flow, column) / 2;
	int n = count_in(flow, column);

	for (int rank = 0; rank < n; rank++)
		for (size_t i = 0; i < flow->n_slots; i++) {
			struct flow_slot *slot = &flow->slots[i];

			if (slot->column != column || slot->rank != rank)
				continue;
			slot->y = y + slot->height / 2;
			y += slot->height + ROW_GAP;
		}
}

static void place(struct flow *flow)
{
	int top = TOP, height;

	for (int band = 0; band < flow->bands; band++) {
		int first = band * flow->columns, tallest = 0;

		for (int i = first; i < first + flow->columns; i++) {
			height = height_of(flow, i);
			tallest = height > tallest ? height : tallest;
		}
		for (int i = first; i < first + flow->columns; i++)
			place_column(flow, i, top + tallest / 2);
		top += tallest + BAND_GAP;
	}
	for (size_t i = 0; i < flow->n_nodes; i++) {
		struct flow_node *node = &flow->nodes[i];

		node->y = flow->slots[i].y;
		node->x = FLOW_MARGIN + node->column % flow->columns *
						(FLOW_NODE_WIDTH + FLOW_GAP);
	}
	flow->width = 2 * FLOW_MARGIN + flow->columns * FLOW_NODE_WIDTH +
		      (flow->columns - 1) * FLOW_GAP;
	flow->height = top - BAND_GAP + TOP;
}

/* Where the edge comes from, or goes to next; those that jump are last. */
static int beyond(const struct flow *flow, const struct flow_edge *edge,
		  bool out)
{
	int at = edge->slot;

	if (edge->jump)
		return flow->height + edge->jump;
	if (at < 0)
		return flow->nodes[out ? edge->to : edge->from].y;
	while (!out && flow->slots[at].next >= 0)
		at = flow->slots[at].next;
	return flow->slots[at].y;
}

/* The ends of lines at a node stand in the order of where they come from. */
static void place_ends(struct flow *flow, size_t at, bool out)
{
	const struct flow_node *node = &flow->nodes[at];
	int n = out ? node->n_out : node->n_in;

	for (size_t i = 0; i < flow->n_edges; i++) {
		struct flow_edge *edge = &flow->edges[i];
		int rank = 0, y = beyond(flow, edge, out);

		if (!edge->drawn || (out ? edge->from : edge->to) != at)
			continue;
		for (size_t k = 0; k < flow->n_edges; k++) {
			const struct flow_edge *other = &flow->edges[k];
			int theirs = beyond(flow, other, out);

			rank += other->drawn &&
				(out ? other->from : other->to) == at &&
				(theirs < y || (theirs == y && k < i));
		}
		y = node->y + (2 * rank + 1 - n) * PORT / 2;
		if (out)
			edge->y0 = y;
		else
			edge->y1 = y;
	}
}

int flow_layout(struct flow *flow)
{
	int r;

	merge_alike(flow);
	find_columns(flow);
	find_bands(flow);
	r = add_slots(flow);
	if (r)
		return r;
	r = order(flow);
	if (r)
		return r;
	place(flow);
	for (size_t i = 0; i < flow->n_nodes; i++) {
		place_ends(flow, i, true);
		place_ends(flow, i, false);
	}
	return 0;
}
