/*
 * What is looked at before a run: whether this process and this host can open
 * what was asked for at all. What is doubtful is said; what is impossible ends
 * the program with STATUS_COULD_NOT_RUN, before anything connects.
 */
#ifndef CLIENT_PREFLIGHT_H
#define CLIENT_PREFLIGHT_H

#include <stdint.h>

#include "client/options.h"
#include "client/routes.h"
#include "lib/limits.h"

/*
 * How many workers that many connections call for: one for each processor, or
 * more where each may have fewer descriptors than its share.
 */
unsigned int preflight_workers(uint64_t connections);

/* The addresses to connect from must be this host's: ends the program if not. */
void preflight_sources(const struct routes *, uint64_t connections);

/* How many connections one process may have at most, by its descriptors. */
uint32_t preflight_capacity(void);

/* What bounds how many connections there can be. */
void preflight_ways(const struct routes *, struct limits_ways *);

/*
 * For --check: prints what this host is to the run, or the sysctls that it
 * needs. Returns the exit status.
 */
int preflight_show(const struct options *, const struct routes *);

/*
 * The limits of this host: says what may disturb the run, and ends the program
 * where it is impossible, but for --force and where it looks for the most
 * connections. Raises the soft descriptor limit.
 */
void preflight_limits(const struct options *, const struct routes *);

#endif
