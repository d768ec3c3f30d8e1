/*
 * One worker of the client: opens its connections, sends what is due, expires
 * what was not answered, drains, closes.
 *
 *	opening -> waiting -> running -> draining -> over
 *	   ^------ |  ^---- settling <------ |	in steps
 *
 * It tells the parent WORKER_READY when every connection is open or has failed,
 * and begins to query at the time that comes with WORKER_GO; from then on, it
 * replaces connections. Another WORKER_GO before that time moves it. WORKER_DRAIN
 * ends any phase in order, WORKER_STOP at once.
 *
 * In steps, each WORKER_GO runs one: at the rate of WORKER_RATE, for as long as
 * WORKER_LAST said. WORKER_READY tells that all of it has been answered, or has
 * timed out and its answers do not come (generator_settle.c). Then WORKER_REOPEN
 * opens connections in place of those that were closed for such answers, or
 * WORKER_HOLD does so and changes the number of connections.
 *
 * With a plan, it can be told while it runs: WORKER_CHANGE, PAUSE and RESUME change
 * the rate at a moment that they name; WORKER_SHARE its share of it, which
 * WORKER_TOTAL and WORKER_RANGE have said before; WORKER_WANT its connections. WORKER_TALLY is answered by WORKER_DONE with how many it
 * holds or will open, as all that was said before has been done.
 */
#ifndef CLIENT_GENERATOR_H
#define CLIENT_GENERATOR_H

#include <stdbool.h>
#include <stdint.h>

#include "lib/usage.h"
#include "client/outage.h"
#include "client/pool.h"
#include "client/read_delay.h"
#include "client/schedule.h"
#include "client/stats.h"

struct program;
struct worker;

struct generator_config {
	struct pool_config pool;
	double open_rate; /* per second, of all workers; 0: all at once */
	uint64_t open_begin; /* from when on; the same for all workers */
	const struct program *program; /* of the whole run; outlives it */
	struct turns_share share; /* this worker's, of connections and rates */
	enum schedule_arrivals arrivals;
	uint64_t warmup; /* what the program begins with is not measured */
	uint64_t drain; /* waits for answers no longer than that */
	struct plan *plan; /* the program, if it can change; or else NULL */
	bool steps; /* instead of the program */
	uint64_t hold; /* in steps: connections to begin with, of all workers */
	uint64_t seed;
	bool log_queries; /* -R, on stdout */
};

/* X(name, which): when its phases were, and which of several workers' counts. */
#define GENERATOR_TIMES(X)                                        \
	X(open_begin, earliest)                                   \
	X(open_end, latest)                                       \
	X(clock_begin, earliest) /* the program's zero */         \
	X(query_begin, earliest) /* after the warm-up */          \
	X(query_end, latest) /* as it was, not as it was asked */ \
	X(close_begin, earliest)                                  \
	X(close_end, latest)

#define GENERATOR_TIME(name, which) uint64_t name;

/* A worker's slot of shared memory. Times are monotonic, 0 until they come. */
struct generator_result {
	struct stats stats;
	GENERATOR_TIMES(GENERATOR_TIME)
	uint64_t answered_by_end; /* answers that had come by query_end */
	struct usage usage; /* from clock_begin to query_end */
	struct outage outage; /* the longest of any worker */
	struct read_delay_causes causes; /* since clock_begin */
	uint64_t change_late; /* the latest that one heard of a new rate */
	uint64_t renewed; /* connections closed after a step, to be replaced */
	uint64_t given_up; /* answers that still came, but for too long */
};

/* into += from, its phases from the first begin to the last end. */
void generator_result_add(
    struct generator_result *into, const struct generator_result *from);

/* The worker's main function; returns its exit status. */
int generator_run(struct worker *, const struct generator_config *);

#endif
