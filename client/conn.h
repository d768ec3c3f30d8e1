/*
 * One connection: opens, sends queries, matches answers, ends.
 *
 *	idle -> connecting -> open -> ended
 *			   \-> ended   open -> broken -> ended
 *
 * An open one may be leaving: it is sent nothing new, and is closed as soon as
 * nothing waits for an answer any more.
 *
 * broken: a send failed; what the peer sent before that is still read, and the
 * end of the stream then tells why.
 *
 * "Sent" means handed to the socket or, where the socket does not take it at
 * once, to the bufferevent behind it. So a peer that does not read shows in the
 * response time, not as lateness of this program; send_blocked counts it.
 */
#ifndef CLIENT_CONN_H
#define CLIENT_CONN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "client/batch.h"

struct conn;
struct connector;
struct event_base;
struct inflight_pool;
struct querylog;
struct read_delay;
struct route;
struct stats;
struct wheel;
struct window;

#define CONN_INPUT_SIZE 65536 /* bytes a read */

/* How it ended; what is in flight then is lost, by a name of its own. */
enum conn_end {
	CONN_NOT_ENDED,
	CONN_FAILED, /* never open */
	CONN_ABANDONED, /* the same, but it was ended from here */
	CONN_PEER_FIN,
	CONN_PEER_RST,
	CONN_ERROR,
	CONN_LOCAL, /* lost: stopped */
	CONN_DRAINED, /* at the end as well, but lost: drain_over */
	CONN_CHURNED, /* in favour of a new one */
	CONN_USED_UP, /* has carried its most_queries */
	CONN_ON_TIMEOUT, /* env->drop; lost: on_timeout */
	CONN_ON_REQUEST, /* fewer are wanted */
};

/* What a worker's connections share. All of it outlives them. */
struct conn_env {
	struct event_base *base;
	struct stats *stats;
	struct querylog *log; /* NULL without -R */
	const struct read_delay *delay; /* NULL: not measured, and 0 */
	struct inflight_pool *inflight;
	struct wheel *expiry;
	struct window *window; /* told how long each took to open */
	uint64_t timeout; /* of an answer, nanoseconds */
	uint64_t clock_from; /* what was due before is a probe */
	uint64_t measure_from; /* and before this, of the warm-up */
	uint32_t first_id; /* of connection 0, in the query log */
	bool probe; /* send one query once open */
	int ask_peer_by; /* see suspect_ask() */
	bool self_possible; /* it may be connected to itself: to be looked at */
	bool reset; /* a local close is a RST: no TIME_WAIT, nothing waits */
	bool drop; /* one whose query timed out is closed */
	bool limited; /* each carries at most that many queries, then leaves: */
	uint32_t most_queries;
	bool
	    leave_at_once; /* as soon as it is open, or has answered its probe */

	const uint8_t *query; /* framed, as dns_query_build() wrote it */
	size_t query_length;
	uint8_t *input; /* CONN_INPUT_SIZE bytes, to read into */
	size_t output_max; /* bytes unsent, past which arrivals are skipped */

	/*
	 * It can be sent on from now on; it no longer can, but is there; it has
	 * ended, which comes once for each that was begun or refused. None of
	 * them may open or close a connection.
	 */
	void (*on_usable)(struct conn *, void *arg);
	void (*on_unusable)(struct conn *, void *arg);
	void (*on_ended)(struct conn *, enum conn_end, void *arg);
	/* Something was read, opened or ended, at now. Runs last in a callback;
	 * may close any connection. */
	void (*on_progress)(uint64_t now, void *arg);
	void *arg;
};

/* count connections, numbered from 0. Exits on lack of memory. */
struct conn *conn_array_new(const struct conn_env *, uint32_t count);
void conn_array_free(struct conn *);
struct conn *conn_at(struct conn *array, uint32_t index);
struct conn *conn_of_expiry(void *wheel_node);

uint32_t conn_id(const struct conn *);

/* When opening began, monotonic nanoseconds. */
uint64_t conn_begun(const struct conn *);

/*
 * Begins to open it, without blocking. Returns 0, and a failure later is counted
 * by errno in the statistics; or the errno of a failure at once, which is not
 * counted: another route may be tried, or conn_refuse() ends it. EAGAIN: call
 * again, for the search for a local port is not over (see connector.h).
 */
int conn_open(struct conn *, const struct route *, const struct connector *);

/* Makes a connection that has ended as one that was never opened. */
void conn_reset(struct conn *);

bool conn_is_idle(const struct conn *);
bool conn_is_open(const struct conn *); /* and not broken */

/* How many of its queries have timed out, and their answers have not come. */
uint32_t conn_unanswered(const struct conn *);

/* Has answered at least once. */
bool conn_is_verified(const struct conn *);

/* Ends a connection that could not even begin to open. */
void conn_refuse(struct conn *, int error);

/* Ends a connection that is connecting, as failed with this errno. */
void conn_fail(struct conn *, int error);

/*
 * The time of a connection that is connecting is over: it has failed, unless its
 * handshake is complete and this program has not seen that yet. Then it is open.
 */
void conn_time_out(struct conn *);

/* Ends a connection that is connecting, as abandoned. */
void conn_abandon(struct conn *);

/* Sends the chain of arrivals that starts at first, or books why not. */
void conn_send(struct conn *, const struct batch *, uint32_t first);

/*
 * Books what had timed out by seen, when all that had come by then has been read,
 * and has itself looked at again if need be.
 */
void conn_expire(struct conn *, uint64_t seen, uint64_t now);

/* Ends it, if it is open or broken; what is in flight is lost. */
void conn_close(struct conn *, enum conn_end);

/*
 * Has it leave, and end that way, at once if nothing waits for an answer. The
 * caller sees to it that it is sent nothing more. Nothing unless it is open.
 */
void conn_leave(struct conn *, enum conn_end);

/* How it will end, CONN_NOT_ENDED unless it is leaving; until it is reset. */
enum conn_end conn_leaves(const struct conn *);

/*
 * Where they are limited: takes one of the queries that it may still be sent.
 * Returns how many are left after this one; it leaves by itself when the last has
 * been sent.
 */
uint32_t conn_reserve(struct conn *);

#endif
