#include <stdbool.h>

#include "client/level.h"

/* Of one that is filled up, or cut down, to the level. */
static uint64_t
leveled(uint64_t count, uint64_t level, bool fill)
{
	return (count < level) == fill ? level : count;
}

static uint64_t
sum(const uint64_t *counts, size_t n, uint64_t level, bool fill)
{
	uint64_t total = 0;
	size_t i;

	for (i = 0; i < n; i++)
		total += leveled(counts[i], level, fill);
	return total;
}

/* The highest with which the sum is not more than the total. */
static uint64_t
find_level(const uint64_t *counts, size_t n, uint64_t total, bool fill)
{
	uint64_t low = 0, high = total, middle;

	while (low < high) {
		middle = high - (high - low) / 2;
		if (sum(counts, n, middle, fill) <= total)
			low = middle;
		else
			high = middle - 1;
	}
	return low;
}

void
level_counts(uint64_t *counts, size_t n, uint64_t total)
{
	bool fill = sum(counts, n, 0, true) < total;
	uint64_t level = find_level(counts, n, total, fill), over, old;
	size_t i;

	if (n == 0)
		return;
	over = total - sum(counts, n, level, fill);
	for (i = 0; i < n; i++) {
		old = counts[i];
		counts[i] = leveled(old, level, fill);
		/* one more, of those that change and of those that would */
		if (over > 0 && (fill ? old <= level : old > level)) {
			counts[i]++;
			over--;
		}
	}
}
