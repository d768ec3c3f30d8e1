/*
 * Sharing out among workers that have some already: none that have the least give,
 * and none that have the most get. No clock, no state.
 */
#ifndef CLIENT_LEVEL_H
#define CLIENT_LEVEL_H

#include <stddef.h>
#include <stdint.h>

/*
 * Makes the sum of the counts, each at most UINT32_MAX, the total: by only adding,
 * to the lowest, or by only taking away, from the highest; so they come as close
 * together as that allows. What does not divide goes to the first. Without counts
 * nothing is done.
 */
void level_counts(uint64_t *counts, size_t n, uint64_t total);

#endif
