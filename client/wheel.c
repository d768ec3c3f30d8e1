#include <stddef.h>
#include <string.h>

#include "client/wheel.h"

void
wheel_init(struct wheel *w, uint64_t tick, uint64_t now)
{
	memset(w, 0, sizeof(*w));
	w->tick = tick;
	w->current = now / tick;
}

void
wheel_add(struct wheel *w, struct wheel_node *node, uint64_t deadline)
{
	uint64_t tick = deadline / w->tick;
	struct wheel_node **bucket;

	if (node->queued)
		return;
	/* beyond the horizon it is looked at too early, and put back */
	if (tick > w->current + WHEEL_BUCKETS - 1)
		tick = w->current + WHEEL_BUCKETS - 1;
	if (tick < w->current)
		tick = w->current;
	bucket = &w->bucket[tick % WHEEL_BUCKETS];
	node->next = *bucket;
	node->queued = true;
	*bucket = node;
	w->queued++;
}

struct wheel_node *
wheel_take(struct wheel *w, uint64_t now)
{
	struct wheel_node **bucket, *node;

	/* a bucket's tick is over only when the next has begun */
	for (; w->current < now / w->tick; w->current++) {
		if (w->queued == 0) {
			w->current = now / w->tick;
			return NULL;
		}
		bucket = &w->bucket[w->current % WHEEL_BUCKETS];
		if ((node = *bucket) == NULL)
			continue;
		*bucket = node->next;
		node->queued = false;
		w->queued--;
		return node;
	}
	return NULL;
}
