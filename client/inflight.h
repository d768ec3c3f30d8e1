/*
 * The queries of one connection that wait for an answer: ID -> due and sent.
 *
 * - IDs go up by one and wrap; one that is held is passed over. So all 65,536
 *   can be outstanding at once, and one query that is never answered does not
 *   hold up the others.
 * - A query that timed out keeps its ID until its answer comes or the connection
 *   ends. So a late answer is known as late and never taken for the answer to a
 *   newer query, however late it is.
 * - Records that wait are linked in the order in which they were sent: what times
 *   out next is always the oldest, without a search and without a timer each.
 *
 * Memory: 32 bytes for an idle connection; 192 bytes while it has up to six
 * records, then the table doubles, to 1.5 MB with all IDs held. Small tables
 * come from a pool shared by a worker's connections. A table goes back to the
 * pool when inflight_expire() finds nothing held, or with the last late answer.
 *
 * No clock: now is an argument. Times are monotonic nanoseconds.
 */
#ifndef CLIENT_INFLIGHT_H
#define CLIENT_INFLIGHT_H

#include <stdbool.h>
#include <stdint.h>

#define INFLIGHT_MAX 65536

struct inflight_record;
struct inflight_pool;

/* Records in the order in which they were sent. */
struct inflight_list {
	uint32_t count;
	uint16_t oldest;
	uint16_t newest;
};

/* Embedded in its connection; all bytes zero is empty. Private. */
struct inflight {
	struct inflight_record *table; /* NULL while nothing is held */
	struct inflight_list waiting;
	uint32_t expired; /* timed out, and their answers have not come */
	uint32_t mask; /* of the table's size, a power of two */
	uint32_t room; /* records that may be added before it must grow */
	uint16_t next_id;
};

struct inflight_query {
	uint64_t due;
	uint64_t sent;
	uint16_t id;
};

enum inflight_match {
	INFLIGHT_ANSWERED, /* was waiting */
	INFLIGHT_EXPIRED, /* was waiting for longer than the timeout */
	INFLIGHT_LATE, /* inflight_expire() had taken it out before */
	INFLIGHT_UNKNOWN, /* no such query; *query is not set */
};

/* timeout: how long an answer may take, nanoseconds. Exits on lack of memory, like
 * inflight_add(). */
struct inflight_pool *inflight_pool_new(uint64_t timeout);

/* Every connection's records must have been cleared. */
void inflight_pool_free(struct inflight_pool *);

/* How many queries of all connections have timed out and hold their IDs. */
uint64_t inflight_pool_expired(const struct inflight_pool *);

/*
 * Notes a query that is sent now and stores its ID. False if all 65,536 are
 * held. sent must not go backwards from call to call.
 */
bool inflight_add(struct inflight *, struct inflight_pool *, uint64_t due,
    uint64_t sent, uint16_t *id);

/* How many wait for an answer. */
static inline uint32_t
inflight_waiting(const struct inflight *in)
{
	return in->waiting.count;
}

/* How many have timed out and hold their IDs, for their answers have not come. */
static inline uint32_t
inflight_expired(const struct inflight *in)
{
	return in->expired;
}

/*
 * Matches the answer with this ID, which did not come before came. Whatever was
 * found is held no longer.
 */
enum inflight_match inflight_take(struct inflight *, struct inflight_pool *,
    uint16_t id, uint64_t came, struct inflight_query *);

/*
 * Takes out one query that has been waiting for longer than the timeout; false if
 * there is none. Its ID stays held. Frees the table if nothing is held any more.
 */
bool inflight_expire(struct inflight *, struct inflight_pool *, uint64_t now,
    struct inflight_query *);

/* When the next query times out; CLOCK_NEVER if none waits. */
uint64_t inflight_deadline(
    const struct inflight *, const struct inflight_pool *);

/*
 * Takes out one query that is waiting, the oldest; false if there is none, and
 * then all IDs are free again. For a connection that has ended.
 */
bool inflight_clear(
    struct inflight *, struct inflight_pool *, struct inflight_query *);

#endif
