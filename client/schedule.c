#include <math.h>
#include <stdlib.h>

#include "lib/clock.h"
#include "client/schedule.h"

/* xoroshiro128++ (Blackman, Vigna 2019): 16 bytes, a few cycles a number. */
struct generator {
	uint64_t s[2];
};

/* 292 years: what is due later is never due. */
#define OFFSET_MAX 0x1p63

struct schedule {
	struct generator gaps;
	struct generator picks;
	double mean_gap; /* nanoseconds */
	double offset; /* of the next arrival from start; exact to 1/8 ns
			  * for the first 13 days */
	double gap;
	uint64_t start;
	uint64_t next;
};

static uint64_t
rotate(uint64_t x, int k)
{
	return x << k | x >> (64 - k);
}

static uint64_t
generator_next(struct generator *g)
{
	uint64_t a = g->s[0], b = g->s[1] ^ g->s[0];
	uint64_t result = rotate(g->s[0] + g->s[1], 17) + g->s[0];

	g->s[0] = rotate(a, 49) ^ b ^ (b << 21);
	g->s[1] = rotate(b, 28);
	return result;
}

/* splitmix64 (Steele, Lea, Flood 2014), for seeding: never all zero twice. */
static uint64_t
mix(uint64_t *state)
{
	uint64_t z = *state += UINT64_C(0x9e3779b97f4a7c15);

	z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
	return z ^ z >> 31;
}

/* Streams start at points that a hash of (seed, stream) scatters over 2^128. */
static void
generators_seed(struct schedule *s, uint64_t seed, unsigned int stream)
{
	uint64_t state = seed;

	state = mix(&state) + stream;
	s->gaps.s[0] = mix(&state);
	s->gaps.s[1] = mix(&state);
	s->picks.s[0] = mix(&state);
	s->picks.s[1] = mix(&state);
}

/* Uniform over (0, 1]: its logarithm is finite. */
static double
uniform(struct generator *g)
{
	return (double)((generator_next(g) >> 11) + 1) * 0x1p-53;
}

static void
advance(struct schedule *s)
{
	s->gap = -log(uniform(&s->gaps)) * s->mean_gap;
	s->offset += s->gap;
	s->next = s->offset < OFFSET_MAX ? s->start + (uint64_t)s->offset :
					   CLOCK_NEVER;
}

struct schedule *
schedule_new(const struct schedule_config *config)
{
	struct schedule *s = calloc(1, sizeof(*s));

	if (s == NULL)
		return NULL;
	generators_seed(s, config->seed, config->stream);
	s->next = CLOCK_NEVER;
	if (config->rate > 0)
		s->mean_gap = (double)CLOCK_NS_PER_SEC / config->rate;
	return s;
}

void
schedule_free(struct schedule *s)
{
	free(s);
}

void
schedule_start(struct schedule *s, uint64_t start)
{
	s->start = start;
	if (s->mean_gap > 0)
		advance(s);
}

uint64_t
schedule_next(const struct schedule *s)
{
	return s->next;
}

struct arrival
schedule_take(struct schedule *s)
{
	struct arrival a;

	a.due = s->next;
	a.gap = s->gap;
	a.pick = (uint32_t)(generator_next(&s->picks) >> 32);
	advance(s);
	return a;
}
