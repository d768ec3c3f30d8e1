/*
 * Answers that wait, each for the same time: so the first that came is the first
 * that is due, and a queue is all it takes. Putting, taking and forgetting cost
 * the same however many wait. Knows no clock and no connection: whoever puts
 * answers says whose they are and when.
 *
 * Bounded: an owner with too much waiting, or everybody when all have together,
 * is to put nothing more until there is room. What comes of one read beyond
 * that is taken all the same.
 */
#ifndef SERVER_DELAY_H
#define SERVER_DELAY_H

#include <sys/queue.h>

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct delay;

TAILQ_HEAD(delay_queue, delay_answer);

struct delay_answer {
	TAILQ_ENTRY(delay_answer) in_all;
	TAILQ_ENTRY(delay_answer) in_own;
	struct delay_owner *owner;
	uint64_t due;
	size_t length;
	bool deferred;
	uint8_t data[];
};

/* Whose answers they are; a member of the owner's own structure. */
struct delay_owner {
	struct delay_queue queue;
	uint64_t count;
	size_t memory; /* bytes */
	void *arg; /* the caller's */
};

/* after: nanoseconds; most, own_most: bytes of memory, of all and of one owner.
 * Lack of memory ends the program, here and below. */
struct delay *delay_new(uint64_t after, size_t most, size_t own_most);

/* None may wait. */
void delay_free(struct delay *);

void delay_owner_init(struct delay_owner *, void *arg);

/* now: when the message came; never less than the last time. Copies the data. */
void delay_put(struct delay *, struct delay_owner *, uint64_t now,
    const uint8_t *data, size_t length);

/* The one that has been due for longest, NULL: none is. It stays until it is
 * taken. */
const struct delay_answer *delay_due(const struct delay *, uint64_t now);
void delay_take(struct delay *);

/* The one that is due cannot be sent yet: it is its owner's alone from now on,
 * and still counts. */
void delay_defer(struct delay *);

/* The first of an owner's that were deferred, NULL: there is none. */
const struct delay_answer *delay_deferred(const struct delay_owner *);
void delay_take_deferred(struct delay *, struct delay_owner *);

/* When the next one is due; CLOCK_NEVER: none waits. */
uint64_t delay_next(const struct delay *);

/* Drops all of an owner's; returns how many bytes of answers they were. */
uint64_t delay_forget(struct delay *, struct delay_owner *);

bool delay_full(const struct delay *);
bool delay_owner_full(const struct delay *, const struct delay_owner *);

/* Half of the most is free again: worth telling everybody. */
bool delay_roomy(const struct delay *);

#endif
