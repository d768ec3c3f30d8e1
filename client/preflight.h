/*
 * What is looked at before a run: whether this process and this host can open
 * what was asked for at all. What is doubtful is said; what is impossible ends
 * the program with STATUS_COULD_NOT_RUN, before anything connects.
 */
#ifndef CLIENT_PREFLIGHT_H
#define CLIENT_PREFLIGHT_H

#include <stdbool.h>
#include <stdint.h>

#include "client/routes.h"
#include "lib/limits.h"

/*
 * How many workers that many connections call for: one for each processor, or
 * more where each may have fewer descriptors than its share.
 */
unsigned int preflight_workers(uint64_t connections);

/*
 * Descriptors for a worker's share of the connections. Raises the soft limit;
 * says the limit where verbose.
 */
void preflight_descriptors(
    uint64_t connections, unsigned int workers, bool verbose);

/* The addresses to connect from must be this host's: ends the program if not. */
void preflight_sources(const struct routes *, uint64_t connections);

/* The ports to connect from. Fills in what bounds them. */
void preflight_ports(
    const struct routes *, uint64_t connections, struct limits_ways *);

#endif
