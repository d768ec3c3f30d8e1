/*
 * How well connects keep the pace of -n: how late each one is begun, and how many
 * did not come, by what held them back. Of one worker.
 *
 * A connect is due by the pace. It can be held back: the window of pending
 * connects is full, or no connection is free. Its lateness is this program's own:
 * it counts from the moment when it was due and nothing held it back. The time by
 * which the pace has fallen behind is divided among what held connects back; what
 * is left of it is this program's own.
 *
 * No clock: times are arguments, monotonic nanoseconds.
 */
#ifndef CLIENT_PACE_H
#define CLIENT_PACE_H

#include <stdint.h>

enum pace_cause {
	PACE_WINDOW, /* as many were pending as the other side takes */
	PACE_BUSY, /* every connection was in use */
	PACE_FAILED, /* connects had failed and waited to be tried again */
	PACE_LATE, /* nothing held it back: this program was late */
	PACE_CAUSES,
};

/* All zero at first. */
struct pace {
	uint64_t held_since; /* 0: nothing holds back the next connect */
	uint64_t free_since;
	uint64_t lag; /* of the last connect, behind the pace */
	enum pace_cause cause; /* while held_since */
	uint64_t held[PACE_CAUSES]; /* nanoseconds, since the pace was kept */
	double missed[PACE_CAUSES]; /* nanoseconds of the pace, in all */
};

/* From now on this holds back the next connect. Nothing if one does already. */
void pace_hold(struct pace *, enum pace_cause, uint64_t now);

/* Nothing holds back the next connect, which is due then, any more. */
void pace_release(struct pace *, uint64_t due, uint64_t now);

/* A connect that was due then is begun. Returns its lateness. */
uint64_t pace_begin(struct pace *, uint64_t due, uint64_t now);

/* The pace ends, or begins anew, so far behind: that is not made up for. */
void pace_miss(struct pace *, uint64_t lag);

/*
 * All connections are there, so many opened since the pace began: the lag of the
 * last one is missed. Fewer than 10 have no rate, and miss nothing: a connection that
 * comes back alone has its lateness, and that is all.
 */
void pace_complete(struct pace *, uint64_t opened);

#endif
