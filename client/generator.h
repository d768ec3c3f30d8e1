/*
 * One worker of the client: opens its connections, sends what is due, expires
 * what was not answered, drains, closes.
 *
 *	opening -> waiting -> running -> draining -> over
 *
 * It tells the parent WORKER_READY when every connection is open or has failed,
 * and begins to query at the time that comes with WORKER_GO. WORKER_DRAIN ends
 * any phase in order, WORKER_STOP at once.
 */
#ifndef CLIENT_GENERATOR_H
#define CLIENT_GENERATOR_H

#include <stdbool.h>
#include <stdint.h>

#include "client/pool.h"
#include "client/stats.h"

struct worker;

struct generator_config {
	struct pool_config pool;
	double open_rate; /* per second, of all workers; 0: all at once */
	uint64_t open_begin; /* from when on; the same for all workers */
	double query_rate; /* per second; 0: hold the connections only */
	uint64_t
	    duration; /* of querying, nanoseconds; CLOCK_NEVER: until told */
	uint64_t seed;
	bool log_queries; /* -R, on stdout */
};

/* X(name, which): when its phases were, and which of several workers' counts. */
#define GENERATOR_TIMES(X)                                        \
	X(open_begin, earliest)                                   \
	X(open_end, latest)                                       \
	X(query_begin, earliest)                                  \
	X(query_end, latest) /* as it was, not as it was asked */ \
	X(close_begin, earliest)                                  \
	X(close_end, latest)

#define GENERATOR_TIME(name, which) uint64_t name;

/* A worker's slot of shared memory. Times are monotonic, 0 until they come. */
struct generator_result {
	struct stats stats;
	GENERATOR_TIMES(GENERATOR_TIME)
};

/* into += from, its phases from the first begin to the last end. */
void generator_result_add(
    struct generator_result *into, const struct generator_result *from);

/* The worker's main function; returns its exit status. */
int generator_run(struct worker *, const struct generator_config *);

#endif
