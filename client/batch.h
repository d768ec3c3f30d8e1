/*
 * The arrivals of one turn, grouped by connection, so that each connection that
 * is touched is written to once, with all its queries together. That one send
 * instead of many is what carries millions of queries a second.
 *
 * Grouping costs no sort: arrivals are chained to their connection in the order
 * in which they are due. Memory: 16 bytes an arrival of the largest batch, 12
 * bytes a connection.
 */
#ifndef CLIENT_BATCH_H
#define CLIENT_BATCH_H

#include <stdint.h>

#define BATCH_MAX (1U << 20) /* arrivals: 16 MB of address space */
#define BATCH_END UINT32_MAX /* of a chain */

struct batch_arrival {
	uint64_t due; /* monotonic nanoseconds */
	float gap; /* nanoseconds since the arrival before */
	uint32_t next;
};

struct batch_chain {
	uint32_t first;
	uint32_t last;
};

struct batch {
	struct batch_arrival *arrivals;
	struct batch_chain *chains; /* one a connection */
	uint32_t *touched; /* connections with a chain */
	uint32_t count; /* arrivals */
	uint32_t touched_count;
};

/* For connections 0 .. connections - 1. Exits on lack of memory. */
void batch_init(struct batch *, uint32_t connections);
void batch_clear(struct batch *); /* frees */

/* count must be below BATCH_MAX. Inline: it runs once for each arrival. */
static inline void
batch_add(struct batch *b, uint32_t connection, uint64_t due, double gap)
{
	struct batch_chain *chain = &b->chains[connection];
	uint32_t k = b->count++;
	struct batch_arrival *a = &b->arrivals[k];

	a->due = due;
	a->gap = (float)gap;
	a->next = BATCH_END;
	if (chain->first == BATCH_END) {
		b->touched[b->touched_count++] = connection;
		chain->first = k;
	} else
		b->arrivals[chain->last].next = k;
	chain->last = k;
}

/*
 * Takes the next touched connection and its chain's first arrival. Zero when
 * there is none left; the batch is empty then.
 */
int batch_take(struct batch *, uint32_t *connection, uint32_t *first);

#endif
