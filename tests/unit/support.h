/*
 * What several unit tests share. The numbers here are pseudo-random and the
 * same in every run.
 */
#ifndef TESTS_UNIT_SUPPORT_H
#define TESTS_UNIT_SUPPORT_H

/* what cmocka.h needs in front of it */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#define LENGTH(array) (sizeof(array) / sizeof((array)[0]))

/* xorshift64* (Vigna 2014): not one of the generators under test. */
struct rng {
	uint64_t state; /* never 0 */
};

static inline uint64_t
rng_next(struct rng *rng)
{
	rng->state ^= rng->state >> 12;
	rng->state ^= rng->state << 25;
	rng->state ^= rng->state >> 27;
	return rng->state * UINT64_C(0x2545f4914f6cdd1d);
}

/* 0 .. limit - 1; limit > 0. */
static inline uint64_t
rng_below(struct rng *rng, uint64_t limit)
{
	return (rng_next(rng) >> 8) % limit;
}

/* Uniform over (0, 1). */
static inline double
rng_uniform(struct rng *rng)
{
	return ((double)(rng_next(rng) >> 12) + 0.5) * 0x1p-52;
}

/*
 * A copy that ends where its allocation ends, for a sanitizer to see what reads
 * behind it. Not for zero bytes: such an allocation is one byte large.
 */
static inline void *
heap_copy(const void *data, size_t size)
{
	void *copy = malloc(size);

	assert_non_null(copy);
	memcpy(copy, data, size);
	return copy;
}

#endif
