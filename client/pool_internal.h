/*
 * What pool.c, which opens and ends connections, shares with pool_going.c, which
 * replaces them in mid-run, and pool_arrivals.c, which spreads arrivals over them;
 * nobody else's business.
 */
#ifndef CLIENT_POOL_INTERNAL_H
#define CLIENT_POOL_INTERNAL_H

#include "client/backoff.h"
#include "client/batch.h"
#include "client/conn.h"
#include "client/connector.h"
#include "client/pool.h"
#include "client/random.h"
#include "client/router.h"
#include "client/slots.h"
#include "client/stats.h"
#include "client/wheel.h"
#include "client/window.h"

struct pool {
	struct conn_env env;
	struct window window;
	struct router router;
	struct connector connector;
	struct local_ports_cursor *cursors; /* one for each way */
	struct conn *conns;
	struct slots slots;
	struct batch batch;
	struct wheel expiry;
	struct backoff backoff;
	struct random random;
	uint32_t *usable; /* numbers of the connections that can be sent on */
	uint32_t *position; /* of a connection in usable */
	uint32_t usable_count;
	bool *missing; /* for each connection, see pool_missing() */
	uint32_t missing_count;
	uint32_t capacity;
	uint32_t want; /* to be held */
	uint32_t parting; /* held no longer, but still there */
	uint32_t turn; /* whose it is, where they take turns */
	struct life life;
	bool going; /* what ends is opened again */
	bool failing; /* the last connection failed, or others ended it */
	uint64_t opened_last; /* when a connection was last opened, monotonic */
	/* queries skipped without a connection since then: why, says what the next
	 * one comes to; in_handshake: those of them that waited for one */
	uint64_t undecided;
	uint64_t in_handshake;
	uint64_t connect_timeout;
	void (*on_progress)(uint64_t now, void *arg);
	void *arg;
};

/* At this place among the usable ones, which has no other. */
void pool_put_usable(struct pool *, uint32_t position, uint32_t id);

/* It is sent nothing more, and ends later. Nothing if it is not open. */
void pool_make_unusable(struct pool *, uint32_t id);

/* How many are held, or to be: all but those that are over or to go. */
uint32_t pool_held(const struct pool *);

/* Whether it counts for pool_missing(). */
void pool_set_missing(struct pool *, uint32_t id, bool missing);

/* Whether one more may be on its way. */
bool pool_has_room(const struct pool *);

/*
 * Begins to open that one. False: not yet, the search for a local port is to go on
 * in another turn; the slot is where it was, the last of its list.
 */
bool pool_open_slot(struct pool *, uint32_t id);

#endif
