/*
 * The ways that connections can take: from one of the source addresses to one of
 * the target addresses and ports. Each way has a port range of its own, so ports
 * x ways bounds how many connections a host can open.
 *
 * Connection k of the run takes way k modulo their number, so every way gets an
 * equal share, and so do every source and every target, however many connections
 * there are.
 */
#ifndef CLIENT_ROUTES_H
#define CLIENT_ROUTES_H

#include <stdint.h>

#include "lib/addr.h"
#include "lib/addr_list.h"
#include "lib/port_list.h"

struct routes {
	struct addr_list sources; /* empty: the kernel chooses one */
	struct addr_list hosts; /* at least one */
	struct port_list ports; /* at least one */
	/* hosts with a port of their own: the last of them */
	size_t own_ports;
	struct port_list all_ports; /* also theirs; empty: as ports */
};

struct route {
	struct addr source; /* length 0: the kernel's choice */
	struct addr target;
	uint32_t target_number; /* below routes_targets(), up to 2^32 */
	uint32_t source_number; /* of the sources; 0 where there are none */
};

/* How many ways there are. */
uint64_t routes_count(const struct routes *);

/*
 * How many targets there are: addresses x ports, and one for each address with a
 * port of its own.
 */
uint64_t routes_targets(const struct routes *);

/* Target t, 0 <= t < routes_targets(). */
void routes_target(const struct routes *, uint64_t t, struct addr *);

/* Source s, 0 <= s < sources.count, without a port. */
void routes_source(const struct routes *, uint64_t s, struct addr *);

/* The ports of all targets, in no order. */
const struct port_list *routes_ports(const struct routes *);

/* Way k, 0 <= k < routes_count(). */
void routes_get(const struct routes *, uint64_t k, struct route *);

/*
 * What all targets are, for people: "[::1]:53", or "127.0.0.1:7000 and 199
 * more".
 */
#define ROUTES_FORMAT (ADDR_FORMAT + 32)
void routes_format(const struct routes *, char out[ROUTES_FORMAT]);

void routes_clear(struct routes *); /* frees */

#endif
