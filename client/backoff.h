/*
 * When to try again what has failed: after 100 ms at first, twice as long each
 * time, up to 10 s. Each wait is drawn from the upper half of that, so that those
 * that failed together do not come back together.
 *
 * One wheel for all; constant time. Memory: 32 bytes a slot. No clock: now is an
 * argument, monotonic nanoseconds.
 */
#ifndef CLIENT_BACKOFF_H
#define CLIENT_BACKOFF_H

#include <stdbool.h>
#include <stdint.h>

#include "client/random.h"
#include "client/wheel.h"

#define BACKOFF_NONE UINT32_MAX

struct backoff_slot;

struct backoff {
	struct wheel wheel;
	struct backoff_slot *slots;
	struct random random;
};

/* For slots 0 .. size - 1. Exits on lack of memory. */
void backoff_init(struct backoff *, uint32_t size, uint64_t seed, uint64_t now);
void backoff_clear(struct backoff *); /* frees */

/* The slot is to be tried again, each time later. */
void backoff_add(struct backoff *, uint32_t slot, uint64_t now);

/* The next failure of the slot is its first. */
void backoff_forget(struct backoff *, uint32_t slot);

/*
 * A slot whose wait is over; BACKOFF_NONE if there is no more by now. What was
 * added and is no longer to be tried comes out all the same.
 */
uint32_t backoff_take(struct backoff *, uint64_t now);

/* Whether there is any left to take, now or later. */
bool backoff_waits(const struct backoff *);

#endif
