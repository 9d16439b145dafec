// SPDX-License-Identifier: GPL-2.0-only
/*
 * Destinations: their networks and ports, each alone and all together, and what
 * is no network.
 */
#include "policy_take.h"

#include <arpa/inet.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const uint8_t v4_mapped[12] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};

/* Clears what is behind the prefix; true if something was there. */
static bool mask_address(uint8_t addr[16], unsigned int prefix_len)
{
	bool any = false;
	uint8_t keep;

	for (unsigned int i = 0; i < 16; i++) {
		if (prefix_len >= (i + 1) * 8)
			keep = 0xff;
		else if (prefix_len <= i * 8)
			keep = 0;
		else
			keep = (uint8_t)(0xff << ((i + 1) * 8 - prefix_len));
		any = any || (addr[i] & ~keep) != 0;
		addr[i] &= keep;
	}
	return any;
}

/* The prefix in the author's own notation: v4 as v4. */
static void format_network(const uint8_t addr[16], unsigned int prefix_len,
			   bool v4, char *buf, size_t size)
{
	char text[INET6_ADDRSTRLEN] = "";

	(void)inet_ntop(v4 ? AF_INET : AF_INET6, v4 ? addr + 12 : addr, text,
			sizeof(text));
	(void)snprintf(buf, size, "%s/%u", text,
		       v4 ? prefix_len - 96 : prefix_len);
}

/* `::/0` and the like: in the one space of addresses they hold all of IPv4. */
static bool holds_all_v4(const uint8_t addr[16], unsigned int prefix_len)
{
	uint8_t mapped[16] = {0};

	if (prefix_len >= 96)
		return false;
	memcpy(mapped, v4_mapped, sizeof(v4_mapped));
	(void)mask_address(mapped, prefix_len);
	return memcmp(mapped, addr, 16) == 0;
}

static bool take_network(struct parser *ps, const struct policy_yaml *node,
			 struct policy_network *network)
{
	static const char expected[] =
		"a network such as 10.20.0.0/24, 192.0.2.7 or 2001:db8::/32";
	const char *text = take_scalar(ps, node, "a network", expected);
	char address[INET6_ADDRSTRLEN], right[INET6_ADDRSTRLEN + 8];
	uint64_t prefix_len, max_len;
	const char *slash;
	size_t len;
	bool v4;

	if (!text)
		return false;
	slash = strchrnul(text, '/');
	len = (size_t)(slash - text);
	if (len >= sizeof(address))
		goto bad;
	memcpy(address, text, len);
	address[len] = '\0';
	v4 = inet_pton(AF_INET, address, network->addr + 12) == 1;
	if (v4)
		memcpy(network->addr, v4_mapped, sizeof(v4_mapped));
	else if (inet_pton(AF_INET6, address, network->addr) != 1)
		goto bad;

	max_len = v4 ? 32 : 128;
	prefix_len = max_len;
	if (*slash && text_parse_u64(slash + 1, 0, max_len, &prefix_len)) {
		take_fail(ps, node->pos,
			  "network %s has a bad prefix length; expected 0 to "
			  "%" PRIu64 " behind the /",
			  take_quote(node).s, max_len);
		return false;
	}
	prefix_len += v4 ? 96 : 0;
	if (mask_address(network->addr, (unsigned int)prefix_len)) {
		format_network(network->addr, (unsigned int)prefix_len, v4,
			       right, sizeof(right));
		take_fail(ps, node->pos,
			  "network %s has bits set behind its prefix; expected "
			  "%s",
			  take_quote(node).s, right);
		return false;
	}
	if (holds_all_v4(network->addr, (unsigned int)prefix_len)) {
		take_fail(ps, node->pos,
			  "network %s would hold every IPv4 address as well; "
			  "expected 2000::/3 for all public IPv6, or the "
			  "destination \"*\" for anywhere",
			  take_quote(node).s);
		return false;
	}
	network->prefix_len = (uint8_t)prefix_len;
	network->pos = node->pos;
	return true;
bad:
	take_fail(ps, node->pos, "network is %s; expected %s",
		  take_quote(node).s, expected);
	return false;
}

static int take_networks(struct parser *ps, const struct policy_yaml *node,
			 struct policy_destination *destination)
{
	const struct policy_yaml *member;
	size_t left;

	if (ps->n_networks > POLICY_NETWORKS_MAX)
		return 0; /* said once */
	member = take_list(ps, node, "networks", SIZE_MAX, "[10.20.0.0/24]");
	if (!member)
		return 0;
	left = POLICY_NETWORKS_MAX - ps->n_networks;
	if (node->n_children > left) {
		for (size_t i = 0; i < left; i++)
			member = member->next;
		take_fail(ps, member->pos,
			  "more than %d networks in all destinations together; "
			  "expected fewer, or wider ones",
			  POLICY_NETWORKS_MAX);
		ps->n_networks = POLICY_NETWORKS_MAX + 1;
		return 0;
	}
	ps->n_networks += node->n_children;
	destination->networks =
		calloc(node->n_children, sizeof(*destination->networks));
	if (!destination->networks)
		return -ENOMEM;
	for (; member; member = member->next)
		if (take_network(
			    ps, member,
			    &destination->networks[destination->n_networks]))
			destination->n_networks++;
	return 0;
}

static bool take_port_range(struct parser *ps, const struct policy_yaml *node,
			    struct policy_ports *ports)
{
	static const char expected[] =
		"a port from 1 to 65535, or a range such as \"9100-9107\"";
	const char *text = take_scalar(ps, node, "a port", expected);
	uint64_t first = 0, last = 0;
	const char *rest;

	if (!text)
		return false;
	if (text_parse_leading_u64(text, &first, &rest))
		goto bad;
	last = first;
	if (*rest == '-' && text_parse_u64(rest + 1, 1, UINT16_MAX, &last))
		goto bad;
	if ((*rest != '-' && *rest != '\0') || first < 1 || first > UINT16_MAX)
		goto bad;
	if (last < first) {
		take_fail(ps, node->pos,
			  "port range %s runs backwards; expected \"%" PRIu64
			  "-%" PRIu64 "\"",
			  take_quote(node).s, last, first);
		return false;
	}
	ports->first = (uint16_t)first;
	ports->last = (uint16_t)last;
	return true;
bad:
	take_fail(ps, node->pos, "port is %s; expected %s", take_quote(node).s,
		  expected);
	return false;
}

static int take_ports(struct parser *ps, const struct policy_yaml *node,
		      struct policy_destination *destination)
{
	const struct policy_yaml *member;

	member = take_list(ps, node, "ports", POLICY_PORTS_MAX,
			   "[631, \"9100-9107\"]");
	if (!member)
		return 0;
	destination->ports =
		calloc(node->n_children, sizeof(*destination->ports));
	if (!destination->ports)
		return -ENOMEM;
	for (; member; member = member->next)
		if (take_port_range(ps, member,
				    &destination->ports[destination->n_ports]))
			destination->n_ports++;
	return 0;
}

static int take_file_system(struct parser *ps, const struct policy_yaml *node,
			    char **ret_name)
{
	static const char expected[] =
		"a kind that keeps its files elsewhere, such as nfs4, cifs, "
		"fuse or vfat";
	struct guess guess = {0};

	guess.word = take_scalar(ps, node, "a file system", expected);
	if (!guess.word)
		return 0;
	for (size_t i = 0; i < policy_n_file_systems; i++) {
		if (strcmp(policy_file_systems[i], guess.word) == 0) {
			*ret_name = strdup(guess.word);
			return *ret_name ? 0 : -ENOMEM;
		}
		guess_try(&guess, policy_file_systems[i]);
	}
	take_fail(ps, node->pos, "file system is %s%s; expected %s",
		  take_quote(node).s, guess_hint(&guess).s, expected);
	return 0;
}

static int take_ways(struct parser *ps, const struct policy_yaml *node,
		     enum policy_way kind, struct policy_ways *ways)
{
	static const struct {
		const char *key;
		const char *what;
		const char *example;
	} forms[POLICY_WAYS] = {
		[POLICY_FILE_SYSTEMS] = {"file-systems", NULL, "nfs4"},
		[POLICY_MOUNTS] = {"paths", "a path of a destination",
				   "/mnt/backup"},
		[POLICY_DEVICES] = {"devices", "a device", "/dev/usb/lp0"},
	};
	const struct policy_yaml *member;
	struct policy_path *way;
	char list[32];
	int r;

	(void)snprintf(list, sizeof(list), "[%s]", forms[kind].example);
	member = take_list(ps, node, forms[kind].key, POLICY_PATHS_MAX, list);
	if (!member)
		return 0;
	ways->v = calloc(node->n_children, sizeof(*ways->v));
	if (!ways->v)
		return -ENOMEM;
	for (; member; member = member->next) {
		way = &ways->v[ways->n];
		way->pos = member->pos;
		r = kind == POLICY_FILE_SYSTEMS
			    ? take_file_system(ps, member, &way->path)
			    : take_path(ps, member, forms[kind].what,
					forms[kind].example, &way->path);
		if (r)
			return r;
		if (way->path)
			ways->n++;
	}
	return 0;
}

static int take_destination(struct parser *ps, const struct policy_yaml *node,
			    struct policy_destination *destination)
{
	enum { NETWORKS, PORTS, FILE_SYSTEMS, PATHS, DEVICES, N_KEYS };
	static const struct take_key keys[] = {
		[NETWORKS] = {"networks", NULL},
		[PORTS] = {"ports", NULL},
		[FILE_SYSTEMS] = {"file-systems", NULL},
		[PATHS] = {"paths", NULL},
		[DEVICES] = {"devices", NULL},
	};
	static const enum policy_way ways[N_KEYS] = {
		[FILE_SYSTEMS] = POLICY_FILE_SYSTEMS,
		[PATHS] = POLICY_MOUNTS,
		[DEVICES] = POLICY_DEVICES,
	};
	static const struct take_schema schema = {"a destination", keys,
						  N_KEYS};
	const struct policy_yaml *v[N_KEYS];
	int r = 0;

	if (!take_keys(ps, node, &schema, v))
		return 0;
	if (!v[NETWORKS] && !v[FILE_SYSTEMS] && !v[PATHS] && !v[DEVICES])
		take_fail(ps, node->pos,
			  "a destination is nowhere; expected networks, "
			  "file-systems, paths or devices, e.g. networks: "
			  "[10.20.0.0/24]");
	else if (v[PORTS] && !v[NETWORKS])
		take_fail(ps, v[PORTS]->pos,
			  "ports without networks; expected e.g. networks: "
			  "[10.20.0.0/24] as well");
	if (v[NETWORKS])
		r = take_networks(ps, v[NETWORKS], destination);
	if (!r && v[PORTS])
		r = take_ports(ps, v[PORTS], destination);
	for (size_t i = FILE_SYSTEMS; i < N_KEYS && !r; i++)
		if (v[i])
			r = take_ways(ps, v[i], ways[i],
				      &destination->ways[ways[i]]);
	return r;
}

int take_destinations(struct parser *ps, const struct policy_yaml *node)
{
	struct policy *p = ps->policy;
	struct policy_destination *destination;
	const struct policy_yaml *key;
	uint32_t earlier;
	size_t n;
	int r;

	key = take_names(ps, node, "destinations",
			 "a map of names and destinations",
			 POLICY_DESTINATIONS_MAX, &n);
	p->destinations = calloc(n + 1, sizeof(*p->destinations));
	if (!p->destinations)
		return -ENOMEM;
	p->n_destinations = 1;
	p->destinations[POLICY_ANYWHERE].name = strdup("*");
	if (!p->destinations[POLICY_ANYWHERE].name)
		return -ENOMEM;
	for (; n > 0; key = key->next->next, n--) {
		r = policy_find_destination(p, key->text ? key->text : "",
					    &earlier);
		destination = &p->destinations[p->n_destinations];
		r = take_name(ps, key, "a destination",
			      r ? NULL : &p->destinations[earlier].pos,
			      &destination->name, &destination->pos);
		if (r == -EINVAL)
			continue;
		if (r)
			return r;
		p->n_destinations++;
		r = take_destination(ps, key->next, destination);
		if (r)
			return r;
	}
	return 0;
}

/* Nothing that is no network can be of two destinations. */
static int check_ways(struct parser *ps)
{
	const struct policy *p = ps->policy;
	const struct policy_path **all;
	const struct policy_ways *ways;
	size_t n = 0;

	for (size_t i = 1; i < p->n_destinations; i++)
		for (size_t k = 0; k < POLICY_WAYS; k++)
			n += p->destinations[i].ways[k].n;
	if (n == 0)
		return 0;
	all = calloc(n, sizeof(*all));
	if (!all)
		return -ENOMEM;
	n = 0;
	for (size_t i = 1; i < p->n_destinations; i++) {
		for (size_t k = 0; k < POLICY_WAYS; k++) {
			ways = &p->destinations[i].ways[k];
			for (size_t j = 0; j < ways->n; j++)
				all[n++] = &ways->v[j];
		}
	}
	if (n > POLICY_WAYS_MAX)
		take_fail(ps, all[POLICY_WAYS_MAX]->pos,
			  "more than %d file systems, paths and devices in all "
			  "destinations together; expected fewer",
			  POLICY_WAYS_MAX);
	take_once(ps, all, n, "", "one destination");
	free(all);
	return 0;
}

/* A network with its destination, for the check of all of them together. */
struct placed {
	const struct policy_network *network;
	uint32_t destination;
	/* of the first entry of each prefix: */
	size_t n_ports; /* entries up to the first with every port */
	bool has_every; /* one of them has every port */
};

static int compare_placed(const void *a, const void *b)
{
	const struct placed *pa = a, *pb = b;
	int r = memcmp(pa->network->addr, pb->network->addr, 16);

	if (r)
		return r;
	if (pa->network->prefix_len != pb->network->prefix_len)
		return pa->network->prefix_len < pb->network->prefix_len ? -1
									 : 1;
	if (pa->destination != pb->destination)
		return pa->destination < pb->destination ? -1 : 1;
	/* the address in the array, which is the order in the file */
	return pa->network < pb->network ? -1 : 1;
}

static bool network_holds(const struct policy_network *wide,
			  const struct policy_network *narrow)
{
	uint8_t addr[16];

	if (wide->prefix_len > narrow->prefix_len)
		return false;
	memcpy(addr, narrow->addr, sizeof(addr));
	(void)mask_address(addr, wide->prefix_len);
	return memcmp(addr, wide->addr, sizeof(addr)) == 0;
}

static bool same_prefix(const struct placed *a, const struct placed *b)
{
	return a->network->prefix_len == b->network->prefix_len &&
	       memcmp(a->network->addr, b->network->addr, 16) == 0;
}

/* Adds entry i to what is known of its prefix, kept in the first of them. */
static void count_ports(const struct policy *p, struct placed *first,
			const struct placed *entry)
{
	size_t n_ports = p->destinations[entry->destination].n_ports;

	if (first->has_every)
		return;
	if (entry != first && entry->destination == entry[-1].destination)
		return;
	first->n_ports += n_ports ? n_ports : 1;
	first->has_every = n_ports == 0;
}

/*
 * An address belongs to the longest prefix whose destination has the port, so
 * the guard keeps with each prefix the ports of the ones around it as well.
 * That list is short: one lookup for each packet has to do.
 */
static int check_networks(struct parser *ps)
{
	const struct policy *p = ps->policy;
	/* prefixes that hold the current one, the longest on top */
	struct placed *stack[129], *all, *first = NULL;
	size_t n = 0, depth = 0, n_ports;

	for (size_t i = 1; i < p->n_destinations; i++)
		n += p->destinations[i].n_networks;
	if (n == 0)
		return 0;
	all = calloc(n, sizeof(*all));
	if (!all)
		return -ENOMEM;
	n = 0;
	for (uint32_t i = 1; i < p->n_destinations; i++)
		for (size_t j = 0; j < p->destinations[i].n_networks;
		     j++, n++) {
			all[n].network = &p->destinations[i].networks[j];
			all[n].destination = i;
		}
	qsort(all, n, sizeof(*all), compare_placed);

	for (size_t i = 0; i < n; i++) {
		if (!first || !same_prefix(first, &all[i]))
			first = &all[i];
		count_ports(p, first, &all[i]);
		if (i + 1 < n && same_prefix(first, &all[i + 1]))
			continue;
		while (depth > 0 && !network_holds(stack[depth - 1]->network,
						   first->network))
			depth--;
		stack[depth++] = first;
		n_ports = 0;
		for (size_t d = depth; d > 0; d--) {
			n_ports += stack[d - 1]->n_ports;
			if (stack[d - 1]->has_every)
				break;
		}
		if (n_ports > POLICY_NETWORK_PORTS_MAX)
			take_fail(ps, all[i].network->pos,
				  "%zu port entries for this network and the "
				  "wider ones around it; expected at most %d, "
				  "e.g. with ranges of ports",
				  n_ports, POLICY_NETWORK_PORTS_MAX);
	}
	free(all);
	return 0;
}

int check_destinations(struct parser *ps)
{
	int r = check_ways(ps);

	return r ? r : check_networks(ps);
}
