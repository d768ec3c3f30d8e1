/*
 * Uniform arrivals shared out among workers: the arrivals of a run are numbered,
 * and each belongs to one connection. So every worker knows which arrivals are
 * its own, without a word to the others, and all arrivals together keep equal
 * distances whatever the numbers of connections and workers are.
 *
 * In each round of as many arrivals as there are connections, every connection
 * has one, and always at the same place of the round. The order within a round
 * is a walk in equal steps of about 0.618 times the total: a worker, which has
 * connections that follow one another, then has its arrivals spread evenly over
 * the round. No clock, no memory of its own.
 */
#ifndef CLIENT_TURNS_H
#define CLIENT_TURNS_H

#include <stdint.h>

/* A worker's connections: first, first + 1, ... of the total of all workers. */
struct turns_share {
	uint32_t first;
	uint32_t count; /* 0: none; first + count <= total */
	uint32_t total; /* > 0 */
};

struct turns {
	struct turns_share share;
	uint64_t begin; /* the arrival with which the rounds begin */
	uint64_t arrival; /* the one that is looked at */
	uint32_t connection; /* that it belongs to */
	uint32_t step; /* from one arrival's connection to the next one's */
};

/* Rounds begin at this arrival, which is looked at first. */
void turns_begin(struct turns *, const struct turns_share *, uint64_t arrival);

/* Looks at another arrival, also at one before the rounds began. */
void turns_go_to(struct turns *, uint64_t arrival);

/*
 * Goes on to the first arrival of the share, from the one that is looked at on,
 * but not beyond the end. Costs a nanosecond for each that belongs to others.
 */
void turns_find(struct turns *, uint64_t end);

/* The arrival after the one that is looked at. */
static inline void
turns_next(struct turns *t)
{
	uint64_t connection = (uint64_t)t->connection + t->step;

	t->arrival++;
	t->connection = (uint32_t)(connection < t->share.total ?
		connection :
		connection - t->share.total);
}

#endif
