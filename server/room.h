/*
 * Room for connections at the other workers, and here for them: each worker
 * publishes its own in shared memory, one word that only it writes, and one that
 * has none passes connections on to the one that has most.
 */
#ifndef SERVER_ROOM_H
#define SERVER_ROOM_H

#include <stdbool.h>
#include <stdint.h>

struct handover;
struct room; /* what a worker knows of the others */
struct worker;

/* The slots of shared memory are struct counts_slot. Ends the program where
 * there is no memory for it. */
struct room *room_new(struct worker *, struct handover *);

/* The connections that this worker can take on; the low 32 bits count. */
void room_publish(struct room *, uint64_t places);

/* Whether any other worker has room. Costs a look at each one's slot. */
bool room_elsewhere(const struct room *);

/*
 * Passes a connection to a worker that has room, the one with the most first, and
 * closes it here. False if none takes it: then it is still the caller's. Counts
 * what it hands over.
 */
bool room_hand_over(struct room *, int fd);

void room_free(struct room *);

#endif
