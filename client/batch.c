#include <err.h>
#include <stdlib.h>

#include "client/batch.h"

void
batch_init(struct batch *b, uint32_t connections)
{
	uint32_t i;

	b->arrivals = calloc(BATCH_MAX, sizeof(*b->arrivals));
	b->chains = calloc(connections, sizeof(*b->chains));
	b->touched = calloc(connections, sizeof(*b->touched));
	if (b->arrivals == NULL || b->chains == NULL || b->touched == NULL)
		err(1, "no memory for %u connections", connections);
	for (i = 0; i < connections; i++)
		b->chains[i].first = BATCH_END;
	b->count = b->touched_count = 0;
}

void
batch_clear(struct batch *b)
{
	free(b->arrivals);
	free(b->chains);
	free(b->touched);
}

int
batch_take(struct batch *b, uint32_t *connection, uint32_t *first)
{
	struct batch_chain *chain;

	if (b->touched_count == 0) {
		b->count = 0;
		return 0;
	}
	*connection = b->touched[--b->touched_count];
	chain = &b->chains[*connection];
	*first = chain->first;
	chain->first = BATCH_END;
	return 1;
}
