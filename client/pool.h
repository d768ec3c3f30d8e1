/*
 * All connections of a worker: opens them one after the other, knows which can
 * be sent on, and spreads the arrivals of a turn over those. One that ends while
 * the run goes on is opened again, where that is asked for.
 *
 * Failure policy: what a connection does to itself (refused, reset, timed out)
 * is counted and the others go on; lack of memory ends the worker, and the
 * parent books what it held.
 */
#ifndef CLIENT_POOL_H
#define CLIENT_POOL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "client/life.h"

struct arrival;
struct event_base;
struct local_ports;
struct pool;
struct querylog;
struct read_delay;
struct routes;
struct stats;

struct pool_config {
	uint32_t connections;
	uint32_t
	    capacity; /* the most that it may ever hold, if more than these */
	uint32_t first; /* number of its first one in the whole run */
	uint32_t workers; /* that share what may be pending at once */
	const struct routes *routes; /* outlives the pool */
	const struct local_ports *ports; /* outlives it; NULL: any */
	uint32_t first_port; /* of local_ports_start() */
	const uint8_t *query; /* framed; outlives the pool */
	size_t query_length;
	uint64_t timeout; /* of an answer, nanoseconds */
	uint64_t connect_timeout; /* nanoseconds */
	bool probe; /* each connection is to answer a query once open */
	bool reset; /* close with a RST */
	bool peers_here; /* servers may be on this host */
	bool self_possible; /* see self_connect_possible() */
	struct life life;
	uint64_t seed;
};

/*
 * log is NULL without -R. on_progress is called, last in any callback, when
 * something was read, opened or has ended. Exits on lack of memory.
 */
struct pool *pool_new(const struct pool_config *, struct event_base *,
    struct stats *, struct querylog *log,
    void (*on_progress)(uint64_t now, void *arg), void *arg);

/* Answers are held against its waits; it outlives the pool. */
void pool_measure_delay(struct pool *, const struct read_delay *);

/* Every connection must have ended. */
void pool_free(struct pool *);

/*
 * Holds that many of them from now on, at most pool_config's connections: those
 * beyond are closed, and so are those that were probed and have never answered;
 * what is not open is to be opened. Only while none is connecting and nothing is in flight.
 */
void pool_hold(struct pool *, uint32_t connections);

/*
 * How many queries have timed out whose answers have not come, on connections that
 * have not ended.
 */
uint64_t pool_unanswered(const struct pool *);

/*
 * Closes the connections on which such answers have not come, with a RST, so that
 * their ports are free; they are to be opened again. Returns how many. Only while
 * none is connecting and nothing is in flight.
 */
uint32_t pool_renew(struct pool *);

/* Opens no more of them; what is on its way goes on. */
void pool_stop_opening(struct pool *);

/* How many are yet to be opened, as fast as is wanted. */
uint32_t pool_unopened(const struct pool *);

/*
 * From now on, what ends is opened again, as it was configured, and so is what
 * has ended so far. Until pool_abandon().
 */
void pool_go(struct pool *);

/* While it goes: how many are on their way, or will be tried again. */
uint32_t pool_coming(const struct pool *);

/* How many of those are so because the other side or an error has ended them, or
 * because they could not be opened. */
uint32_t pool_missing(const struct pool *);

/*
 * While it goes: begins to open what takes another's place, for 0.2 ms at most,
 * and puts those whose wait is over among the unopened. To be called while
 * pool_replaces(), and as pool_expire().
 */
void pool_replace(struct pool *, uint64_t now);

/* Whether a connection may take another's place now. */
bool pool_replaces(const struct pool *);

/* While it goes: one of the open ones leaves, and another takes its place. Where
 * none is open that is counted, and false is returned. */
bool pool_churn(struct pool *);

/* How many have failed or ended and wait to be tried again (backoff.h). */
uint32_t pool_resting(const struct pool *);

/*
 * While it goes: how many are to be held from now on, at most the capacity. What
 * is missing, also because it has ended for good, is to be opened; what is too
 * many is to be let go.
 */
void pool_want(struct pool *, uint32_t connections);

/* All that are to be held are open, and no others are: nothing is to be done. */
bool pool_is_settled(const struct pool *);

/* How many are held now, and are to be. */
uint32_t pool_kept(const struct pool *);

/* How many are to be let go and can be by now, being open. */
uint32_t pool_excess(const struct pool *);

/* Has one of them leave, the oldest. Nothing while none is open. */
void pool_let_go(struct pool *);

/*
 * Whether one more may be begun now. That many are pending, connecting or yet to
 * answer their probe, at most, as the other side has been able to take.
 */
bool pool_may_open(const struct pool *);

/*
 * Begins to open the next one. Only while pool_may_open(). False: not yet, to be
 * called again in another turn, for the search for a local port takes longer.
 */
bool pool_open_next(struct pool *);

/*
 * The clock starts: queries that were due before clock are probes, those before
 * measure, which is not earlier, are of the warm-up.
 */
void pool_start_clock(struct pool *, uint64_t clock, uint64_t measure);

/* The most connections that it may ever have at once. */
uint32_t pool_capacity(const struct pool *);

/* How many can be sent on. */
uint32_t pool_usable(const struct pool *);

/*
 * Puts the usable connections into the order of their numbers, so that the same
 * seed draws the same connections whatever order they were opened in.
 */
void pool_sort(struct pool *);

/* Notes an arrival for the connection it falls on. At most BATCH_MAX, then
 * flush. */
void pool_enqueue(struct pool *, const struct arrival *);

/* Books an arrival that is not to be sent any more: the run is over. */
void pool_skip(struct pool *, const struct arrival *);

/* Sends what was noted, one write for each connection. */
void pool_flush(struct pool *);

/*
 * Books the connects that have timed out by now, and the queries that had by seen:
 * all that was in a socket by then has been read, so none of them has its answer
 * there. False when there is nothing left that could time out, and nothing waits to
 * be tried again: no need to call again before there is.
 */
bool pool_expire(struct pool *, uint64_t seen, uint64_t now);

/* How often pool_expire() should be called while it returns true. */
uint64_t pool_tick(const struct pool *);

/* Ends what is still connecting, as abandoned; opens nothing more. */
void pool_abandon(struct pool *);

/* Ends all connections. What is in flight is booked as lost: because the drain is
 * over, or stopped. */
void pool_close(struct pool *, bool drain_over);

#endif
