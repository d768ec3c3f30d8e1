/*
 * For how long connections were missing because the other side had ended them:
 * the longest time without any, and the longest until all were there again.
 *
 * No clock: now is an argument, monotonic nanoseconds.
 */
#ifndef CLIENT_OUTAGE_H
#define CLIENT_OUTAGE_H

#include <stdbool.h>
#include <stdint.h>

/* Flat: it lives in shared memory. All zero: there was none. Nanoseconds. */
struct outage {
	uint64_t none; /* none was open */
	uint64_t some; /* some were missing */
};

struct outage_watch {
	struct outage *longest;
	uint64_t ended; /* by the other side, as of the last look */
	uint64_t none_since; /* 0: it is not so */
	uint64_t some_since;
};

void outage_watch_init(
    struct outage_watch *, struct outage *longest, uint64_t ended);

/*
 * To be called whenever something may have changed. ended: how many connections
 * the other side or an error has ended so far; missing: how many are being opened
 * again because of that; all: those are all there are. It begins when one is ended
 * and missing, and lasts until none is missing.
 */
void outage_watch_look(struct outage_watch *, uint64_t now, uint64_t ended,
    uint32_t missing, bool all);

/* It is no longer to be watched: what lasts until now counts so far. */
void outage_watch_end(struct outage_watch *, uint64_t now);

#endif
