/*
 * The queries of one connection that wait for an answer: ID -> due and sent.
 *
 * - IDs go up by one and wrap; one that is held is passed over. So all 65,536
 *   can be outstanding at once, and one query that is never answered does not
 *   hold up the others.
 * - A query that timed out keeps its ID in quarantine, so that a late answer is
 *   known as late and never taken for the answer to a newer query.
 * - Records are linked in the order in which they were sent: what times out next
 *   is always the oldest, without a search and without a timer each.
 *
 * Memory: 40 bytes for an idle connection; 192 bytes while it has up to six
 * records, then the table doubles, to 1.5 MB with all IDs held. Small tables
 * come from a pool shared by a worker's connections. A table goes back when
 * inflight_expire() finds nothing held.
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
	struct inflight_list quarantine;
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
	INFLIGHT_LATE, /* was in quarantine */
	INFLIGHT_UNKNOWN, /* no such query; *query is not set */
};

/* timeout: how long an answer may take; quarantine: how long an ID is kept
 * from use after that. Exits on lack of memory, like inflight_add(). */
struct inflight_pool *inflight_pool_new(uint64_t timeout, uint64_t quarantine);

/* Every connection's records must have been cleared. */
void inflight_pool_free(struct inflight_pool *);

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

/*
 * Matches the answer with this ID that was read at now, which is not before any
 * query was sent. Whatever was found is held no longer.
 */
enum inflight_match inflight_take(struct inflight *, struct inflight_pool *,
    uint16_t id, uint64_t now, struct inflight_query *);

/*
 * Takes one query that has been waiting for longer than the timeout into
 * quarantine; false if there is none. Ends quarantines that are over, and frees
 * the table if nothing is held any more.
 */
bool inflight_expire(struct inflight *, struct inflight_pool *, uint64_t now,
    struct inflight_query *);

/* When inflight_expire() may next have something to do; CLOCK_NEVER if never. */
uint64_t inflight_deadline(
    const struct inflight *, const struct inflight_pool *);

/*
 * Takes out one query that is waiting, the oldest; false if there is none, and
 * then the quarantine is cleared as well. For a connection that has ended.
 */
bool inflight_clear(
    struct inflight *, struct inflight_pool *, struct inflight_query *);

#endif
