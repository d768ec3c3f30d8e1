/*
 * In what TCP states this host's connections to the targets are, as often as a
 * tenth of a processor allows: each second, or of a million of them every 15.
 * For the parent; workers have better things to do.
 */
#ifndef CLIENT_STATES_H
#define CLIENT_STATES_H

#include <stdbool.h>
#include <stdint.h>

#include "lib/sockdiag.h"

struct event_base;
struct routes;
struct states;

/* Counts nothing yet. Exits on lack of memory. */
struct states *states_new(struct event_base *, const struct routes *);
void states_free(struct states *);

/* A second has begun: counts, unless it still does so from before. */
void states_begin(struct states *);

/* What was counted since it was last asked; false if that is not over. */
bool states_take(struct states *, struct sockdiag_states *out);

/* Counts at once, and so blocks; gives up after most nanoseconds. */
bool states_count(struct states *, uint64_t most, struct sockdiag_states *out);

/* The accept queues of the targets, where they are on this host. */
bool states_queues(const struct states *, struct sockdiag_queues *out);

/* Both before there is an event base: counting gives up after most nanoseconds. */
bool states_first_count(
    const struct routes *, uint64_t most, struct sockdiag_states *out);
bool states_first_queues(const struct routes *, struct sockdiag_queues *out);

#endif
