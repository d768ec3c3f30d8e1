/*
 * How many connections may be on their way at once: as many as the other side
 * takes without losing a SYN, found as TCP finds how much may be in flight.
 *
 * It grows by one for each connection that came promptly, which doubles it each
 * round trip; one that took as long as a SYN sent again (a second, RFC 6298)
 * halves it, and from then on it grows by one a round trip. What was begun before
 * it was halved tells nothing new.
 *
 * No clock: times are arguments, monotonic nanoseconds.
 */
#ifndef CLIENT_WINDOW_H
#define CLIENT_WINDOW_H

#include <stdbool.h>
#include <stdint.h>

struct window {
	double size;
	double most;
	uint64_t halved; /* when; 0: never */
};

/* 1 <= start <= most. */
void window_init(struct window *, uint32_t start, uint32_t most);

/* At least 1. */
uint32_t window_size(const struct window *);

/* A connection that was begun then was there, or had failed in vain, now. */
void window_note(struct window *, uint64_t begun, uint64_t now, bool failed);

#endif
