#include <stdbool.h>

#include "client/turns.h"

#define GOLDEN_RATIO 0.6180339887498949 /* spreads any range most evenly */

static uint32_t
common_divisor(uint32_t a, uint32_t b)
{
	uint32_t rest;

	for (; b != 0; b = rest) {
		rest = a % b;
		a = b;
	}
	return a;
}

/* Without a divisor in common with the total: so it meets every connection. */
static uint32_t
step_for(uint32_t total)
{
	uint32_t step = (uint32_t)((double)total * GOLDEN_RATIO);

	while (common_divisor(total, step) != 1)
		step++;
	return step;
}

void
turns_begin(struct turns *t, const struct turns_share *share, uint64_t arrival)
{
	t->share = *share;
	t->begin = t->arrival = arrival;
	t->connection = 0;
	t->step = step_for(share->total);
}

void
turns_go_to(struct turns *t, uint64_t arrival)
{
	uint64_t total = t->share.total, place;

	if (arrival >= t->begin)
		place = (arrival - t->begin) % total;
	else
		place = total - 1 - (t->begin - arrival - 1) % total;
	t->arrival = arrival;
	t->connection = (uint32_t)(place * t->step % total);
}

static bool
is_own(const struct turns *t)
{
	return t->connection >= t->share.first &&
	    t->connection - t->share.first < t->share.count;
}

void
turns_find(struct turns *t, uint64_t end)
{
	if (t->share.count == 0) {
		turns_go_to(t, end);
		return;
	}
	while (t->arrival < end && !is_own(t))
		turns_next(t);
}
