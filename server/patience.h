/*
 * Things of which nothing must be heard for longer than a time, the same for
 * all: in the order in which they were last heard of, with one timer, which
 * looks at the first ones only. To hear of one costs no timer, just its place in
 * the order.
 */
#ifndef SERVER_PATIENCE_H
#define SERVER_PATIENCE_H

#include <sys/queue.h>

#include <stdint.h>

struct event_base;
struct patience;

/* A member of the thing's own structure. */
struct patience_entry {
	TAILQ_ENTRY(patience_entry) entry;
	uint64_t heard; /* monotonic nanoseconds */
	struct patience *in; /* NULL: in none */
	void *arg; /* the caller's */
};

/*
 * over: called with an entry's arg when its time is over; it must remove the
 * entry, or hear of it. limit: nanoseconds. Lack of memory ends the program.
 */
struct patience *patience_new(
    struct event_base *, uint64_t limit, void (*over)(void *arg));

/* None may be in it. */
void patience_free(struct patience *);

/* Heard of it now, for the first time or once more. */
void patience_hear(struct patience *, struct patience_entry *);

/* Nothing if it is in none. */
void patience_remove(struct patience_entry *);

#endif
