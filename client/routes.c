#include <inttypes.h>
#include <stdio.h>

#include "client/routes.h"

static uint64_t
source_count(const struct routes *r)
{
	return r->sources.count > 0 ? r->sources.count : 1;
}

uint64_t
routes_targets(const struct routes *r)
{
	return (uint64_t)(r->hosts.count - r->own_ports) * r->ports.count +
	    r->own_ports;
}

const struct port_list *
routes_ports(const struct routes *r)
{
	return r->all_ports.count > 0 ? &r->all_ports : &r->ports;
}

/* Each host's first, or only, port; and then the others, a port at a time. */
void
routes_target(const struct routes *r, uint64_t t, struct addr *out)
{
	uint64_t others = r->hosts.count - r->own_ports;
	size_t host = (size_t)t, port = 0;

	if (t >= r->hosts.count) {
		host = (size_t)((t - r->hosts.count) % others);
		port = (size_t)((t - r->hosts.count) / others) + 1;
	}
	addr_from_ip(&r->hosts.at[host], r->ports.at[port], out);
}

void
routes_source(const struct routes *r, uint64_t s, struct addr *out)
{
	addr_from_ip(&r->sources.at[s], 0, out);
}

uint64_t
routes_count(const struct routes *r)
{
	return source_count(r) * routes_targets(r);
}

static uint64_t
common_divisor(uint64_t a, uint64_t b)
{
	return b == 0 ? a : common_divisor(b, a % b);
}

/*
 * Along a diagonal, both going up by one, and one more for the target whenever
 * the pairs would begin to repeat, which is after their least common multiple.
 * So any run of ways takes sources and targets in turn.
 */
void
routes_get(const struct routes *r, uint64_t k, struct route *out)
{
	uint64_t sources = source_count(r), targets = routes_targets(r);
	uint64_t repeat = sources / common_divisor(sources, targets) * targets;
	uint64_t s = k % sources;
	uint64_t t = (k + k / repeat) % targets;

	out->source.length = 0;
	if (r->sources.count > 0)
		routes_source(r, s, &out->source);
	out->source_number = (uint32_t)s;
	out->target_number = (uint32_t)t;
	routes_target(r, t, &out->target);
}

void
routes_format(const struct routes *r, char out[ROUTES_FORMAT])
{
	char first[ADDR_FORMAT];
	struct addr target;

	addr_from_ip(&r->hosts.at[0], r->ports.at[0], &target);
	addr_format(&target, first);
	if (routes_targets(r) == 1)
		snprintf(out, ROUTES_FORMAT, "%s", first);
	else
		snprintf(out, ROUTES_FORMAT, "%s and %" PRIu64 " more", first,
		    routes_targets(r) - 1);
}

void
routes_clear(struct routes *r)
{
	addr_list_free(&r->sources);
	addr_list_free(&r->hosts);
	port_list_free(&r->ports);
	port_list_free(&r->all_ports);
}
