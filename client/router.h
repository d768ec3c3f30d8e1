/*
 * Which way a worker's connections take, and which ways have no port left.
 *
 * Connection k takes way k modulo their number. A way without ports is left out
 * in favour of the one after it: to find out that there is none the kernel looks
 * at each of them, for milliseconds. When all are, nothing is tried for a second;
 * then all are again, for ports come free, out of TIME_WAIT or as others close.
 *
 * No clock: now is an argument, monotonic nanoseconds.
 */
#ifndef CLIENT_ROUTER_H
#define CLIENT_ROUTER_H

#include <stdbool.h>
#include <stdint.h>

struct routes;

struct router {
	const struct routes *routes;
	uint64_t count; /* of ways that are told apart */
	bool *exhausted; /* NULL: none is */
	uint64_t exhausted_count;
	uint64_t try_again; /* when, where all are exhausted */
};

/* routes outlives it. */
void router_init(struct router *, const struct routes *);
void router_clear(struct router *); /* frees */

/* The way for connection k; false if none has a port left. */
bool router_choose(struct router *, uint64_t k, uint64_t now, uint64_t *chosen);

/* The chosen way has no port left. Exits on lack of memory. */
void router_exhausted(struct router *, uint64_t chosen, uint64_t now);

#endif
