/*
 * The schedule: when the next query is due and on which connection.
 *
 * The sum of independent Poisson processes, one a connection, is one Poisson
 * process whose arrivals fall on connections drawn uniformly. So there is one
 * schedule a worker, whatever the number of connections.
 *
 * The rate follows a program. A unit-rate process is mapped through the integral
 * of the rate, piece by piece in closed form, so that a ramp has no steps and a
 * rate holds from its exact moment on.
 *
 * Due times are absolute, each the one before plus a gap. Nothing that happens to
 * the caller moves them: who is late stays late until it has caught up, and none
 * is left out. The same seed and stream give the same schedule; gaps and connections come from generators of their own, so that
 * the number of connections does not change the times.
 *
 * No clock, no socket: the caller says when to start and asks what is due.
 */
#ifndef CLIENT_SCHEDULE_H
#define CLIENT_SCHEDULE_H

#include <stdint.h>

#include "client/turns.h"

struct program;
struct schedule;

enum schedule_arrivals {
	SCHEDULE_POISSON,
	SCHEDULE_UNIFORM, /* equal parts of the integral, over all streams
			   * together; see turns.h for which are whose */
};

struct schedule_config {
	uint64_t seed;
	unsigned int stream; /* a worker's number: streams are independent */
	struct turns_share share; /* connections, and so of the rate */
	enum schedule_arrivals arrivals;
};

struct arrival {
	uint64_t due; /* monotonic nanoseconds */
	double gap; /* nanoseconds since the arrival before, or the start */
	uint32_t pick; /* uniform over 32 bits; see random_choose() */
};

/* NULL when there is no memory. Owned by the caller. */
struct schedule *schedule_new(const struct schedule_config *);
void schedule_free(struct schedule *);

/*
 * Arrivals from start on, the program's zero, monotonic nanoseconds. Before the
 * calls below; and again for another program, once no more of the one before is
 * wanted. The program outlives its use.
 */
void schedule_start(struct schedule *, const struct program *, uint64_t start);

/* Moves all arrivals: they are from start on. Only where none has been taken. */
void schedule_move(struct schedule *, uint64_t start);

/*
 * The program is another now, which is the same as the one before up to the offset
 * at, nanoseconds since the start: so what is due before that stays, and all that
 * comes after is drawn anew from there. The one before is no longer needed.
 *
 * What has been taken cannot be taken back: with arrivals taken that were due
 * later than at, the change begins behind the last of them. Returns how much later
 * that is, nanoseconds; 0: it came in time.
 */
uint64_t schedule_change(
    struct schedule *, const struct program *, uint64_t at);

/*
 * The same program; this stream's share of it is another from at on. Of uniform
 * arrivals, equal distances hold over the change where all streams change at the
 * same at, none has taken yet what is due then, and the change before is over.
 * Returns how much too late it came, as above; of Poisson arrivals 0.
 */
uint64_t schedule_share(
    struct schedule *, uint64_t at, const struct turns_share *);

/* When the next arrival is due; CLOCK_NEVER if there is none. */
uint64_t schedule_next(const struct schedule *);

/* Takes the next arrival. Only while schedule_next() is not CLOCK_NEVER. */
struct arrival schedule_take(struct schedule *);

#endif
