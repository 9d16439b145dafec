// SPDX-License-Identifier: GPL-2.0-only
/* The graph, out of the lines. */
#include "report_flow.h"

#include "report_internal.h"

#include <stdlib.h>
#include <string.h>

#define NONE SIZE_MAX

void flow_free(struct flow *flow)
{
	if (!flow)
		return;
	free(flow->slots);
	free(flow);
}

/* ---- nodes --------------------------------------------------------------- */

/* NONE: there is no room. */
static size_t add_node(struct flow *flow, enum flow_node_kind kind,
		       const char *name)
{
	struct flow_node *node;

	if (flow->n_nodes == FLOW_NODES_MAX)
		return NONE;
	node = &flow->nodes[flow->n_nodes];
	*node = (struct flow_node){.kind = kind,
				   .name = name,
				   .user = "",
				   .members = 1,
				   .into = flow->n_nodes};
	return flow->n_nodes++;
}

/* A dataset or a destination. */
static size_t named(struct flow *flow, enum flow_node_kind kind,
		    const char *name)
{
	for (size_t i = 0; i < flow->n_nodes; i++)
		if (flow->nodes[i].kind == kind &&
		    strcmp(flow->nodes[i].name, name) == 0)
			return i;
	return add_node(flow, kind, name);
}

static void know(struct flow_node *node, uint64_t tgid, const char *comm,
		 const char *user)
{
	if (tgid || comm[0])
		node->kind = FLOW_PROCESS;
	if (tgid && !node->tgid)
		node->tgid = tgid;
	if (comm[0] && !node->name[0])
		node->name = comm;
	if (user[0] && !node->user[0])
		node->user = user;
}

/* Who has the holding; what it is, is known as soon as a line says so. */
static size_t holder(struct flow *flow, uint64_t holding)
{
	size_t at;

	for (size_t i = 0; i < flow->n_nodes; i++)
		if (flow->nodes[i].holding == holding)
			return i;
	at = add_node(flow, FLOW_CARRIER, "");
	if (at != NONE)
		flow->nodes[at].holding = holding;
	return at;
}

/* A process that acted: of several holdings it had, the last one. */
static size_t process(struct flow *flow, const json_t *line)
{
	uint64_t tgid = evidence_number(line, "tgid");
	size_t at = NONE;

	if (!tgid)
		return NONE;
	for (size_t i = flow->n_nodes; i > 0 && at == NONE; i--)
		if (flow->nodes[i - 1].kind == FLOW_PROCESS &&
		    flow->nodes[i - 1].tgid == tgid)
			at = i - 1;
	if (at == NONE)
		at = add_node(flow, FLOW_PROCESS, "");
	if (at != NONE)
		know(&flow->nodes[at], tgid, evidence_text(line, "comm"),
		     evidence_text(line, "user"));
	return at;
}

/* ---- edges --------------------------------------------------------------- */

/* What goes the same way twice is one edge. NULL: there is no room. */
static struct flow_edge *add_edge(struct flow *flow, enum flow_edge_kind kind,
				  size_t from, size_t to, const char *how,
				  const char *dataset, uint64_t origin)
{
	struct flow_edge *edge;

	if (from == NONE || to == NONE) {
		flow->left_out++;
		return NULL;
	}
	for (size_t i = 0; i < flow->n_edges; i++) {
		edge = &flow->edges[i];
		if (edge->kind == kind && edge->from == from &&
		    edge->to == to && edge->origin == origin &&
		    strcmp(edge->how, how) == 0 &&
		    strcmp(edge->dataset, dataset) == 0)
			return edge;
	}
	if (flow->n_edges == FLOW_EDGES_MAX) {
		flow->left_out++;
		return NULL;
	}
	edge = &flow->edges[flow->n_edges++];
	*edge = (struct flow_edge){.kind = kind,
				   .from = from,
				   .to = to,
				   .how = how,
				   .dataset = dataset,
				   .origin = origin,
				   .time = "",
				   .slot = -1,
				   .drawn = true};
	return edge;
}

static void raise(uint64_t *n, uint64_t to)
{
	if (to > *n)
		*n = to;
}

static void take_step(struct flow *flow, const json_t *step)
{
	const char *kind = evidence_text(step, "kind");
	uint64_t from = evidence_number(step, "from_holding");
	struct flow_edge *hop;
	size_t a, b;

	if (from) {
		a = holder(flow, from);
		if (a != NONE)
			know(&flow->nodes[a],
			     evidence_number(step, "from_tgid"),
			     evidence_text(step, "from_comm"), "");
	} else {
		a = named(flow, FLOW_DATASET, evidence_text(step, "dataset"));
	}
	b = holder(flow, evidence_number(step, "holding"));
	if (b != NONE)
		know(&flow->nodes[b], evidence_number(step, "tgid"),
		     evidence_text(step, "comm"), evidence_text(step, "user"));
	hop = add_edge(flow, FLOW_HOP, a, b, kind, "", 0);
	if (!hop)
		return;
	raise(&hop->bytes, evidence_number(step, "bytes"));
	raise(&hop->records, evidence_number(step, "records"));
	hop->acts++;
	if (!hop->time[0])
		hop->time = evidence_text(step, "at");
}

/* Nothing tells how it came: what the incident says is all there is. */
static void take_origin(struct flow *flow, const json_t *incident,
			const struct exposure_share *share)
{
	struct flow_edge *hop;

	hop = add_edge(flow, FLOW_HOP,
		       named(flow, FLOW_DATASET, share->dataset),
		       process(flow, incident), "read", "", 0);
	if (!hop)
		return;
	hop->bytes = exposure_add_up(hop->bytes, share->read_bytes);
	hop->records = exposure_add_up(hop->records, share->read);
}

static void take_act(struct flow *flow, const json_t *who, const json_t *act,
		     unsigned int what, const char *time)
{
	const char *to = evidence_text(act, "destination");
	struct flow_edge *out;
	size_t a, b;

	if (!what)
		return;
	if (strcmp(to, "read") == 0 && what == REPORT_BLOCKED) {
		a = named(flow, FLOW_DATASET, evidence_text(act, "dataset"));
		b = process(flow, who);
	} else if (exposure_is_out(to)) {
		a = process(flow, who);
		b = named(flow, FLOW_DESTINATION, to);
	} else {
		return;
	}
	/* An event of the meter has no process: the ledger's totals do. */
	if (a == NONE || b == NONE)
		return;
	out = add_edge(
		flow, what == REPORT_BLOCKED ? FLOW_REFUSED : FLOW_RELEASED, a,
		b, what == REPORT_BLOCKED ? "refused" : "let through",
		evidence_text(act, "dataset"), evidence_number(act, "origin"));
	if (out && !out->time[0])
		out->time = time;
}

/* ---- totals -------------------------------------------------------------- */

static bool is_of(const struct flow_edge *edge, enum flow_edge_kind kind,
		  size_t to, const struct exposure_share *share)
{
	return edge->kind == kind && edge->to == to &&
	       edge->origin == share->origin &&
	       strcmp(edge->dataset, share->dataset) == 0;
}

/*
 * The edges of that kind for a share to a destination have its total together.
 * If there is none, no event tells which process it was.
 */
static void total(struct flow *flow, enum flow_edge_kind kind, size_t to,
		  const struct exposure_share *share,
		  const struct exposure_way *way)
{
	bool out = kind == FLOW_RELEASED;
	struct flow_edge *edge;
	size_t n = 0;

	for (size_t i = 0; i < flow->n_edges; i++)
		n += is_of(&flow->edges[i], kind, to, share);
	if (!n)
		(void)add_edge(flow, kind,
			       named(flow, FLOW_PROCESS, "not told"), to,
			       out ? "let through" : "refused", share->dataset,
			       share->origin);
	for (size_t i = 0; i < flow->n_edges; i++) {
		edge = &flow->edges[i];
		if (!is_of(edge, kind, to, share))
			continue;
		edge->bytes = out ? way->bytes : way->over_bytes;
		edge->records = out ? way->records : 0;
		edge->acts = out ? way->acts : way->blocked_acts;
		edge->shared = n > 1;
	}
}

static void take_way(struct flow *flow, const struct exposure_share *share,
		     const struct exposure_way *way)
{
	size_t to;

	if (!way->through && !way->blocked_acts)
		return;
	to = named(flow, FLOW_DESTINATION, way->destination);
	if (to == NONE)
		return;
	if (way->through)
		total(flow, FLOW_RELEASED, to, share, way);
	if (way->blocked_acts)
		total(flow, FLOW_REFUSED, to, share, way);
}

static bool has_refused(const struct flow *flow)
{
	for (size_t i = 0; i < flow->n_edges; i++)
		if (flow->edges[i].kind == FLOW_REFUSED)
			return true;
	return false;
}

struct flow *flow_new(const struct report *report,
		      const struct exposure_status *status)
{
	struct flow *flow = calloc(1, sizeof(*flow));
	const json_t *incident = report->incident, *line;
	size_t i;

	if (!flow)
		return NULL;
	json_array_foreach (report->steps, i, line)
		take_step(flow, line);
	for (i = 0; !json_array_size(report->steps) && i < status->n; i++)
		take_origin(flow, incident, &status->shares[i]);
	json_array_foreach (report->events, i, line)
		take_act(flow, line, line, report_event_what(line),
			 evidence_text(line, "time"));
	/* Its line has who acted first, not who did this: better an event. */
	if (evidence_number(incident, "blocked") && !has_refused(flow))
		take_act(flow, incident, json_object_get(incident, "act"),
			 REPORT_BLOCKED,
			 evidence_text(incident, "first_block"));
	for (i = 0; i < status->n; i++)
		for (size_t k = 0; k < status->shares[i].n_ways; k++)
			take_way(flow, &status->shares[i],
				 &status->shares[i].ways[k]);
	return flow;
}
