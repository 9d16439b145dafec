// SPDX-License-Identifier: GPL-2.0-only
/*
 * Which places are of one destination in a policy and of which in another: all
 * addresses with all ports, file systems by kind and by mount, and devices.
 */
#include "policy_diff_internal.h"

#include <arpa/inet.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "array.h"

typedef unsigned __int128 address;

/* A network of either policy, with its destination there. */
struct network {
	address first;
	address last;
	uint8_t prefix_len;
	bool after;
	uint32_t destination;
	uint32_t line;
};

/* Networks of the same prefix, within those below on the stack. */
struct level {
	const struct network *v;
	size_t n;
	address next; /* the first address that no network inside of it had */
	bool full;    /* they had all up to the last */
};

/* Each length of a prefix, once. */
#define LEVELS_MAX 129
/* Of two lists, of which policy_check_warnings() has had the length bounded:
 * where a range of ports begins, and behind its end. */
#define PORTS_MAX ((POLICY_NETWORK_PORTS_MAX + POLICY_PORTS_MAX) * 4 + 1)

#define PAIRS \
	((size_t)(POLICY_DESTINATIONS_MAX + 1) * (POLICY_DESTINATIONS_MAX + 1))

struct where {
	const struct policy *policy[2];
	struct diff_places places;
	uint32_t *seen; /* of PAIRS of destinations: 1 + place in .places */
	struct level levels[LEVELS_MAX];
	size_t n_levels;
};

/* ---- what was found ----------------------------------------------------- */

static bool is_destination(uint32_t destination)
{
	return destination < POLICY_DESTINATIONS_MAX + 1;
}

static int add_place(struct where *where, const struct diff_place *place)
{
	struct diff_place *grown;
	uint32_t *seen = NULL;

	if (is_destination(place->before) && is_destination(place->after))
		seen = &where->seen[place->before *
					    (POLICY_DESTINATIONS_MAX + 1U) +
				    place->after];
	if (seen && *seen) {
		where->places.v[*seen - 1].more++;
		return 0;
	}
	grown = array_grow(where->places.v, where->places.n, sizeof(*grown));
	if (!grown)
		return -ENOMEM;
	where->places.v = grown;
	grown[where->places.n++] = *place;
	if (seen)
		*seen = (uint32_t)where->places.n;
	return 0;
}

/* ---- networks ----------------------------------------------------------- */

static address address_of(const uint8_t bytes[16])
{
	address a = 0;

	for (int i = 0; i < 16; i++)
		a = a << 8 | bytes[i];
	return a;
}

static void address_format(address a, uint8_t prefix_len, char *buf,
			   size_t size)
{
	char text[INET6_ADDRSTRLEN] = "";
	uint8_t bytes[16];
	bool v4 = prefix_len >= 96 && a >> 32 == 0xffff;

	for (int i = 15; i >= 0; i--, a >>= 8)
		bytes[i] = (uint8_t)a;
	(void)inet_ntop(v4 ? AF_INET : AF_INET6, v4 ? bytes + 12 : bytes, text,
			sizeof(text));
	(void)snprintf(buf, size, "%s/%u", text,
		       v4 ? prefix_len - 96U : prefix_len);
}

static int compare_networks(const void *a, const void *b)
{
	const struct network *na = a, *nb = b;

	if (na->first != nb->first)
		return na->first < nb->first ? -1 : 1;
	if (na->prefix_len != nb->prefix_len)
		return na->prefix_len < nb->prefix_len ? -1 : 1;
	if (na->after != nb->after)
		return na->after ? 1 : -1;
	if (na->destination != nb->destination)
		return na->destination < nb->destination ? -1 : 1;
	return 0;
}

static size_t take_networks(const struct policy *policy, bool after,
			    struct network *v)
{
	const struct policy_network *from;
	address behind;
	size_t n = 0;

	for (uint32_t i = 1; i < policy->n_destinations; i++)
		for (size_t j = 0; j < policy->destinations[i].n_networks;
		     j++, n++) {
			from = &policy->destinations[i].networks[j];
			behind = 0;
			if (from->prefix_len < 128)
				behind = ~(address)0 >> from->prefix_len;
			v[n] = (struct network){
				.first = address_of(from->addr),
				.last = address_of(from->addr) | behind,
				.prefix_len = from->prefix_len,
				.after = after,
				.destination = i,
				.line = from->pos.line,
			};
		}
	return n;
}

/* Port 0 is of what has none: only who has every port has that. */
static bool has_port(const struct policy_destination *destination,
		     uint32_t port)
{
	for (size_t i = 0; i < destination->n_ports; i++)
		if (port >= destination->ports[i].first &&
		    port <= destination->ports[i].last)
			return true;
	return !destination->n_ports;
}

/* The network that decides at that port where the stack is now. */
static const struct network *decides(const struct where *where, bool after,
				     uint32_t port)
{
	const struct policy *policy = where->policy[after];
	const struct level *level;

	for (size_t i = where->n_levels; i-- > 0;) {
		level = &where->levels[i];
		for (size_t j = 0; j < level->n; j++)
			if (level->v[j].after == after &&
			    has_port(
				    &policy->destinations[level->v[j]
								  .destination],
				    port))
				return &level->v[j];
	}
	return NULL;
}

static int compare_ports(const void *a, const void *b)
{
	const uint32_t *pa = a, *pb = b;

	return *pa < *pb ? -1 : *pa > *pb;
}

/*
 * The ports at which a network of one policy begins or ceases to have the port,
 * up to the one that has every port. Sorted, 0 first; returns how many.
 */
static size_t edges_of(const struct where *where, uint32_t ports[PORTS_MAX])
{
	const struct policy_destination *destination;
	const struct level *level;
	size_t n = 0, used;
	bool done;

	ports[n++] = 0;
	for (int side = 0; side < 2; side++) {
		done = false;
		used = 0;
		for (size_t i = where->n_levels; i-- > 0 && !done;) {
			level = &where->levels[i];
			for (size_t j = 0; j < level->n && !done; j++) {
				if (level->v[j].after != side)
					continue;
				destination =
					&where->policy[side]->destinations
						 [level->v[j].destination];
				done = !destination->n_ports ||
				       used > POLICY_NETWORK_PORTS_MAX;
				for (size_t k = 0;
				     k < destination->n_ports && !done;
				     k++, used++) {
					ports[n++] =
						destination->ports[k].first;
					ports[n++] =
						destination->ports[k].last + 1U;
				}
			}
		}
	}
	qsort(ports, n, sizeof(*ports), compare_ports);
	return n;
}

static void say_ports(uint32_t first, uint32_t last, char *buf, size_t size)
{
	if (first == 0 && last == UINT16_MAX)
		buf[0] = '\0';
	else if (first == last)
		(void)snprintf(buf, size, " port %" PRIu32, first);
	else
		(void)snprintf(buf, size, " ports %" PRIu32 "-%" PRIu32, first,
			       last);
}

/* Where the stack is now is an address that no network inside of it has. */
static int look(struct where *where)
{
	const struct level *top = &where->levels[where->n_levels - 1];
	const struct network *before, *after;
	struct diff_place place;
	uint32_t edges[PORTS_MAX], last;
	char network[64], from[64] = "", ports[32];
	size_t n = edges_of(where, edges);
	int r = 0;

	address_format(top->v->first, top->v->prefix_len, network,
		       sizeof(network));
	if (top->next != top->v->first) {
		address_format(top->next, 128, from, sizeof(from));
		from[strcspn(from, "/")] = '\0';
	}
	for (size_t i = 0; i < n && !r; i++) {
		if (edges[i] > UINT16_MAX || (i && edges[i] == edges[i - 1]))
			continue;
		last = UINT16_MAX;
		for (size_t j = i + 1; j < n && last == UINT16_MAX; j++)
			if (edges[j] > edges[i])
				last = edges[j] - 1;
		before = decides(where, false, edges[i]);
		after = decides(where, true, edges[i]);
		memset(&place, 0, sizeof(place));
		place.before = before ? before->destination : POLICY_ANYWHERE;
		place.after = after ? after->destination : POLICY_ANYWHERE;
		place.old_line = before ? before->line : 0;
		place.new_line = after ? after->line : 0;
		say_ports(edges[i], last, ports, sizeof(ports));
		(void)snprintf(place.text, sizeof(place.text), "%s%s%s%s%s",
			       from, *from ? " (of " : "", network,
			       *from ? ")" : "", ports);
		r = add_place(where, &place);
	}
	return r;
}

/* What is left of the innermost network; then the one around it goes on. */
static int leave(struct where *where)
{
	struct level *top = &where->levels[where->n_levels - 1];
	struct level *around = top - 1;
	int r = top->full ? 0 : look(where);

	if (--where->n_levels) {
		around->full = top->v->last == around->v->last;
		around->next = top->v->last + 1;
	}
	return r;
}

static int enter(struct where *where, const struct network *v, size_t n)
{
	struct level *top;
	int r = 0;

	while (where->n_levels && !r &&
	       where->levels[where->n_levels - 1].v->last < v->first)
		r = leave(where);
	if (where->n_levels && !r) {
		top = &where->levels[where->n_levels - 1];
		if (top->next < v->first)
			r = look(where);
	}
	where->levels[where->n_levels++] =
		(struct level){.v = v, .n = n, .next = v->first};
	return r;
}

static int find_networks(struct where *where)
{
	struct network *all;
	size_t n = 0, kept = 0, same;
	int r = 0;

	for (int side = 0; side < 2; side++)
		for (size_t i = 1; i < where->policy[side]->n_destinations; i++)
			n += where->policy[side]->destinations[i].n_networks;
	all = calloc(n + 1, sizeof(*all));
	if (!all)
		return -ENOMEM;
	n = take_networks(where->policy[0], false, all);
	n += take_networks(where->policy[1], true, all + n);
	qsort(all, n, sizeof(*all), compare_networks);
	/* A destination may name a network twice. */
	for (size_t i = 0; i < n; i++)
		if (!kept || compare_networks(&all[kept - 1], &all[i]))
			all[kept++] = all[i];
	n = kept;
	for (size_t i = 0; i < n && !r; i += same) {
		for (same = 1; i + same < n; same++)
			if (all[i + same].first != all[i].first ||
			    all[i + same].prefix_len != all[i].prefix_len)
				break;
		r = enter(where, &all[i], same);
	}
	while (where->n_levels && !r)
		r = leave(where);
	free(all);
	return r;
}

/* ---- file systems and devices ------------------------------------------- */

static const struct policy_path *find_way(const struct policy *policy,
					  enum policy_way kind,
					  const char *text,
					  uint32_t *ret_destination)
{
	const struct policy_ways *ways;

	for (uint32_t i = 1; i < policy->n_destinations; i++) {
		ways = &policy->destinations[i].ways[kind];
		for (size_t j = 0; j < ways->n; j++)
			if (strcmp(ways->v[j].path, text) == 0) {
				*ret_destination = i;
				return &ways->v[j];
			}
	}
	return NULL;
}

/*
 * What is of a way, or else of another: in place->before and old_line, or in
 * those of the new policy.
 */
static void place_way(const struct where *where, bool after,
		      enum policy_way kind, const char *text, uint32_t other,
		      struct diff_place *place)
{
	const struct policy_path *way;
	uint32_t found = other;

	way = find_way(where->policy[after], kind, text, &found);
	*(after ? &place->after : &place->before) = found;
	if (way)
		*(after ? &place->new_line : &place->old_line) = way->pos.line;
}

/* A mount of any kind of file system, remote or not. */
static int find_mount(struct where *where, const char *path)
{
	struct diff_place kind, place;
	int r;

	memset(&place, 0, sizeof(place));
	(void)snprintf(place.text, sizeof(place.text), "%.120s", path);
	place_way(where, false, POLICY_MOUNTS, path, DIFF_STAYS, &place);
	place_way(where, true, POLICY_MOUNTS, path, DIFF_STAYS, &place);
	r = add_place(where, &place);
	for (size_t i = 0; i < policy_n_file_systems && !r; i++) {
		memset(&kind, 0, sizeof(kind));
		place_way(where, false, POLICY_FILE_SYSTEMS,
			  policy_file_systems[i], POLICY_ANYWHERE, &kind);
		place_way(where, true, POLICY_FILE_SYSTEMS,
			  policy_file_systems[i], POLICY_ANYWHERE, &kind);
		place_way(where, false, POLICY_MOUNTS, path, kind.before,
			  &place);
		place_way(where, true, POLICY_MOUNTS, path, kind.after, &place);
		(void)snprintf(place.text, sizeof(place.text), "%.100s (%s)",
			       path, policy_file_systems[i]);
		r = add_place(where, &place);
	}
	return r;
}

static int find_device(struct where *where, const char *path)
{
	struct diff_place place;

	memset(&place, 0, sizeof(place));
	(void)snprintf(place.text, sizeof(place.text), "%.120s", path);
	place_way(where, false, POLICY_DEVICES, path, DIFF_REFUSED, &place);
	place_way(where, true, POLICY_DEVICES, path, DIFF_REFUSED, &place);
	return add_place(where, &place);
}

/* Has the old policy that as well, so that it was found already? */
static bool found_before(const struct where *where, int side,
			 enum policy_way kind, const char *path)
{
	uint32_t destination;

	return side && find_way(where->policy[0], kind, path, &destination);
}

static int find_paths(struct where *where, int side, enum policy_way kind,
		      int (*find)(struct where *where, const char *path))
{
	const struct policy *policy = where->policy[side];
	const struct policy_ways *ways;
	int r = 0;

	for (size_t i = 1; i < policy->n_destinations; i++) {
		ways = &policy->destinations[i].ways[kind];
		for (size_t j = 0; j < ways->n && !r; j++)
			if (!found_before(where, side, kind, ways->v[j].path))
				r = find(where, ways->v[j].path);
	}
	return r;
}

static int find_kinds(struct where *where)
{
	struct diff_place place;
	int r = 0;

	for (size_t i = 0; i < policy_n_file_systems && !r; i++) {
		memset(&place, 0, sizeof(place));
		(void)snprintf(place.text, sizeof(place.text),
			       "file systems of kind %s",
			       policy_file_systems[i]);
		for (int side = 0; side < 2; side++)
			place_way(where, side, POLICY_FILE_SYSTEMS,
				  policy_file_systems[i], POLICY_ANYWHERE,
				  &place);
		r = add_place(where, &place);
	}
	return r;
}

int diff_find_places(const struct policy *before, const struct policy *after,
		     struct diff_places *ret_places)
{
	static const struct diff_place elsewhere = {.text = "elsewhere"};
	struct where *where = calloc(1, sizeof(*where));
	int r = -ENOMEM;

	if (!where)
		return -ENOMEM;
	where->policy[0] = before;
	where->policy[1] = after;
	where->seen = calloc(PAIRS, sizeof(*where->seen));
	if (where->seen)
		r = add_place(where, &elsewhere);
	if (!r)
		r = find_networks(where);
	if (!r)
		r = find_kinds(where);
	for (int side = 0; side < 2 && !r; side++) {
		r = find_paths(where, side, POLICY_MOUNTS, find_mount);
		if (!r)
			r = find_paths(where, side, POLICY_DEVICES,
				       find_device);
	}
	if (!r) {
		*ret_places = where->places;
		where->places.v = NULL;
	}
	free(where->places.v);
	free(where->seen);
	free(where);
	return r;
}
