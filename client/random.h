/*
 * Random numbers that are fast, repeatable, and good enough for a measurement;
 * for nothing that must be kept secret.
 */
#ifndef CLIENT_RANDOM_H
#define CLIENT_RANDOM_H

#include <stdint.h>

/*
 * wyrand (Wang 2019): a Weyl sequence, each number folded from a 128-bit product;
 * five instructions, and it passes PractRand. Streams are starting points that
 * a hash scatters over the period of 2^64.
 */
struct random {
	uint64_t state;
};

/*
 * Any number, of the kernel's (getrandom(2)). Not arc4random(): without memory it
 * ends the program without a word. Ends the program with 1 where there is none.
 */
uint64_t random_any(void);

/* splitmix64 (Steele, Lea, Flood 2014), for seeding; moves *state on. */
uint64_t random_mix(uint64_t *state);

/* Uniform over 64 bits. */
static inline uint64_t
random_next(struct random *r)
{
	unsigned __int128 product;

	r->state += UINT64_C(0xa0761d6478bd642f);
	product = (unsigned __int128)r->state *
	    (r->state ^ UINT64_C(0xe7037ed1a0b428db));
	return (uint64_t)(product >> 64) ^ (uint64_t)product;
}

/*
 * One of count, count > 0, for 32 random bits: multiplication instead of a
 * division; uneven by less than count / 2^32.
 */
static inline uint32_t
random_choose(uint32_t bits, uint32_t count)
{
	return (uint32_t)((uint64_t)bits * count >> 32);
}

#endif
