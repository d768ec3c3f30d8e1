/*
 * The program of a run that can be told otherwise while it runs: another rate from
 * now on, none for a while. The parent and its workers each keep one and change it
 * alike, so that what is offered is known and what is sent is exact.
 *
 * Offsets are nanoseconds since the program's start. No clock.
 */
#ifndef CLIENT_PLAN_H
#define CLIENT_PLAN_H

#include <stdbool.h>
#include <stdint.h>

#include "client/program.h"

/* Each change adds one, in every process and to the result: 24 bytes, a line. */
#define PLAN_PIECES 10000

struct plan {
	struct program asked; /* as if there were no pause */
	struct program now; /* what holds */
	bool paused;
};

/* A copy of the program, with at least one piece. Exits on lack of memory. */
void plan_init(struct plan *, const struct program *);
void plan_clear(struct plan *); /* frees */

/* Has so many pieces that there may not be more, but for a resume. */
bool plan_is_full(const struct plan *);

/*
 * From the offset at on, until the end of the program, this rate holds, 0 .. 1e9;
 * in a pause, from the end of the pause on. Nothing from the end on.
 */
void plan_rate(struct plan *, uint64_t at, double rate);

/* Nothing from at on, while the time of the program goes on. */
void plan_pause(struct plan *, uint64_t at);

/* What the program has at that time, from at on. */
void plan_resume(struct plan *, uint64_t at);

#endif
