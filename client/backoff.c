#include <err.h>
#include <stddef.h>
#include <stdlib.h>

#include "client/backoff.h"
#include "lib/clock.h"

#define SHORTEST (100 * CLOCK_NS_PER_MS)
#define LONGEST	 (10 * CLOCK_NS_PER_SEC)
#define TICK	 (10 * CLOCK_NS_PER_MS)

struct backoff_slot {
	struct wheel_node node;
	uint64_t due;
	uint64_t wait; /* the one before, whole; 0: none */
};

void
backoff_init(struct backoff *b, uint32_t size, uint64_t seed, uint64_t now)
{
	wheel_init(&b->wheel, TICK, now);
	b->slots = calloc(size, sizeof(*b->slots));
	if (b->slots == NULL)
		err(1, "no memory for %u connections", size);
	b->random.state = random_mix(&seed);
}

void
backoff_clear(struct backoff *b)
{
	free(b->slots);
}

static uint64_t
next_wait(uint64_t wait)
{
	if (wait == 0)
		return SHORTEST;
	return wait > LONGEST / 2 ? LONGEST : 2 * wait;
}

void
backoff_add(struct backoff *b, uint32_t slot, uint64_t now)
{
	struct backoff_slot *s = &b->slots[slot];
	uint32_t half, bits = (uint32_t)(random_next(&b->random) >> 32);

	s->wait = next_wait(s->wait);
	half = (uint32_t)(s->wait / 2 / CLOCK_NS_PER_US);
	s->due = now + s->wait - random_choose(bits, half) * CLOCK_NS_PER_US;
	wheel_add(&b->wheel, &s->node, s->due);
}

void
backoff_forget(struct backoff *b, uint32_t slot)
{
	b->slots[slot].wait = 0;
}

uint32_t
backoff_take(struct backoff *b, uint64_t now)
{
	struct wheel_node *node;
	struct backoff_slot *s;

	while ((node = wheel_take(&b->wheel, now)) != NULL) {
		s = (struct backoff_slot *)(void *)((char *)node -
		    offsetof(struct backoff_slot, node));
		if (s->due <= now)
			return (uint32_t)(s - b->slots);
		wheel_add(&b->wheel, node, s->due); /* beyond the horizon */
	}
	return BACKOFF_NONE;
}

bool
backoff_waits(const struct backoff *b)
{
	return b->wheel.queued > 0;
}
