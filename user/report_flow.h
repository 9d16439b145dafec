/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The flow of data in an incident as a graph, from datasets over processes and
 * carriers to destinations, and where its parts stand in a picture. All sizes
 * are whole units of that picture, and the same lines give the same picture.
 */
#ifndef CORDON_REPORT_FLOW_H
#define CORDON_REPORT_FLOW_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "exposure_status.h"
#include "report.h"

/* What a person can follow is far less; the rest is counted. */
#define FLOW_NODES_MAX 192
#define FLOW_EDGES_MAX 384
/* From so many on, those that came by it the same way are drawn as one. */
#define FLOW_NODES_MANY 24

enum flow_node_kind {
	FLOW_DATASET,
	FLOW_PROCESS,
	FLOW_CARRIER,
	FLOW_DESTINATION,
};

struct flow_node {
	enum flow_node_kind kind;
	uint64_t holding; /* 0: none */
	uint64_t tgid;
	const char *name;
	const char *user;
	uint64_t members; /* that are drawn as one; 1 */
	size_t into;	  /* drawn as part of that; itself: not */
	/* Of the picture. */
	int column;	  /* over all of it */
	int band;	  /* of the rows of columns, one below the other */
	int x, y, height; /* x: left; y: of its middle */
	int n_in, n_out;
};

enum flow_edge_kind { FLOW_HOP, FLOW_RELEASED, FLOW_REFUSED };

struct flow_edge {
	enum flow_edge_kind kind;
	size_t from, to;
	const char *dataset; /* of what was sent, else "" */
	const char *how;     /* `pipe' */
	uint64_t origin;     /* of what was sent; 0: of all */
	uint64_t bytes;	     /* at most; 0: not told */
	uint64_t records;    /* likewise */
	uint64_t acts;
	bool shared; /* bytes are those of several together */
	const char *time;
	bool drawn; /* not within one that is drawn for several */
	bool back;  /* closes a loop */
	/* Of the picture: ends, and a number where the line is interrupted. */
	int y0, y1;
	int jump;
	int slot; /* first of those that it passes in other columns; -1 */
};

/* Room that an edge takes in a column that it passes, or a node takes. */
struct flow_slot {
	size_t node; /* SIZE_MAX: none */
	size_t edge;
	int next; /* slot in the next column, of an edge; -1 */
	int column;
	int rank;      /* in its column, from the top */
	int64_t pull;  /* where those beside it would have it: sum, */
	int pulls;     /* and of how many */
	int y, height; /* y: of its middle */
};

struct flow {
	struct flow_node nodes[FLOW_NODES_MAX];
	size_t n_nodes;
	struct flow_edge edges[FLOW_EDGES_MAX];
	size_t n_edges;
	uint64_t left_out; /* edges that found no room */
	/* Of the picture. */
	struct flow_slot *slots;
	size_t n_slots;
	int columns; /* of a band */
	int bands;
	int width, height;
	int jumps;
};

#define FLOW_NODE_WIDTH 122
#define FLOW_GAP	84 /* between columns */
#define FLOW_MARGIN	32
#define FLOW_COLUMNS	5 /* of a band: what fits on a page */

/* For flow_free(); NULL: no memory. */
struct flow *flow_new(const struct report *report,
		      const struct exposure_status *status);
void flow_free(struct flow *flow);

/* Places all of it. 0 or -ENOMEM. */
int flow_layout(struct flow *flow);

/* Tenths of a unit: grows with the logarithm of the bytes, 1 KiB to 16 GiB. */
int flow_stroke(uint64_t bytes);

#endif
