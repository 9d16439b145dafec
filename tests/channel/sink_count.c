// SPDX-License-Identifier: GPL-2.0-only
#include "sink_count.h"

#include <string.h>

static const char *const names[P_COUNT] = {
	[P_TCP] = "tcp",       [P_UDP] = "udp",	  [P_UDPLITE] = "udplite",
	[P_RAW] = "raw",       [P_ICMP] = "icmp", [P_PACKET] = "packet",
	[P_SCTP] = "sctp",     [P_DCCP] = "dccp", [P_VSOCK] = "vsock",
	[P_COVERT] = "covert",
};

void counts_stream(struct counts *c, enum protocol protocol,
		   struct record_scan *scan, const void *data, size_t n)
{
	c->bytes[protocol] += n;
	if (record_scan_feed(scan, &c->records, data, n) < 0)
		c->lost_records = true;
}

static struct flow *find_flow(struct counts *c, enum protocol protocol,
			      const struct sockaddr_storage *from)
{
	struct flow *f;

	for (f = c->flows; f < c->flows + FLOWS; f++)
		if (f->protocol == protocol &&
		    memcmp(&f->from, from, sizeof(*from)) == 0)
			return f;
	f = &c->flows[c->next_flow++ % FLOWS];
	*f = (struct flow){.from = *from, .protocol = protocol};
	return f;
}

void counts_datagram(struct counts *c, enum protocol protocol,
		     const struct sockaddr_storage *from, const void *data,
		     size_t n)
{
	struct flow *f = find_flow(c, protocol, from);

	counts_stream(c, protocol, &f->scan, data, n);
}

void counts_reset(struct counts *c)
{
	memset(c->bytes, 0, sizeof(c->bytes));
	memset(c->flows, 0, sizeof(c->flows));
	record_set_release(&c->records);
	c->connections = 0;
	c->lost_records = false;
}

static void print_missing(const struct counts *c, FILE *out)
{
	const char *comma = "";

	(void)fputs("\"missing\":[", out);
	for (int i = 0; i < P_COUNT; i++) {
		if (!c->missing[i])
			continue;
		(void)fprintf(out, "%s\"%s\"", comma, names[i]);
		comma = ",";
	}
	(void)fputs("]", out);
}

void counts_print(const struct counts *c, FILE *out)
{
	unsigned long long total = 0;

	(void)fputs("{", out);
	for (int i = 0; i < P_COUNT; i++) {
		(void)fprintf(out, "\"%s_bytes\":%llu,", names[i],
			      (unsigned long long)c->bytes[i]);
		total += c->bytes[i];
	}
	(void)fprintf(out,
		      "\"total_bytes\":%llu,\"records\":%zu,"
		      "\"photos\":%zu,\"rows\":%zu,\"lost_records\":%s,"
		      "\"connections\":%llu,",
		      total, c->records.count, c->records.photos,
		      c->records.rows, c->lost_records ? "true" : "false",
		      (unsigned long long)c->connections);
	print_missing(c, out);
	(void)fputs("}\n", out);
	(void)fflush(out);
}

void counts_print_ids(const struct counts *c, FILE *out)
{
	const char *comma = "";

	(void)fputs("[", out);
	for (size_t i = 0; i < c->records.cap; i++) {
		if (!c->records.slots[i])
			continue;
		(void)fprintf(out, "%s\"%08x\"", comma, c->records.slots[i]);
		comma = ",";
	}
	(void)fputs("]\n", out);
	(void)fflush(out);
}
