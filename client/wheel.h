/*
 * Which connection to look at when, without a timer each: a wheel of buckets,
 * one a tick, each a list of connections.
 *
 * A node may be looked at before anything has expired, less than two ticks after;
 * it is put back then for the deadline that it has by that time. So a connection
 * costs one visit a timeout however many queries it carries, and one without
 * queries is not here at all.
 *
 * No clock: now is an argument. Times are monotonic nanoseconds.
 */
#ifndef CLIENT_WHEEL_H
#define CLIENT_WHEEL_H

#include <stdbool.h>
#include <stdint.h>

#define WHEEL_BUCKETS 256

/* Embedded in what is looked after; all bytes zero is "not in the wheel". */
struct wheel_node {
	struct wheel_node *next;
	bool queued;
};

struct wheel {
	struct wheel_node *bucket[WHEEL_BUCKETS];
	uint64_t tick; /* nanoseconds, > 0 */
	uint64_t current; /* the next tick whose bucket has not been emptied */
	uint64_t queued; /* nodes in the wheel */
};

void wheel_init(struct wheel *, uint64_t tick, uint64_t now);

/* Has node looked at once deadline is past. Nothing if it is queued already. */
void wheel_add(struct wheel *, struct wheel_node *, uint64_t deadline);

/* Takes out one node whose time has come; NULL when there is no more by now. */
struct wheel_node *wheel_take(struct wheel *, uint64_t now);

#endif
