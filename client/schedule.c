#include <math.h>
#include <stdbool.h>
#include <stdlib.h>

#include "lib/clock.h"
#include "client/schedule.h"

/*
 * wyrand (Wang 2019): a Weyl sequence, each number folded from a 128-bit product;
 * five instructions, and it passes PractRand. Streams are starting points that
 * a hash scatters over the period of 2^64.
 */
struct generator {
	uint64_t state;
};

/*
 * Exponential variates by the ziggurat method (Marsaglia, Tsang 2000): the area
 * below exp(-x) is covered with 256 layers of equal area; a point in a layer is
 * nearly always below the curve, which one comparison shows. A logarithm costs
 * four times as much.
 */
#define LAYERS 256
#define TAIL   7.69711747013104972 /* where the lowest layer's tail begins */
#define AREA   0.0039496598225815572 /* of a layer */

struct ziggurat {
	double x[LAYERS + 1]; /* right ends, from the lowest layer up */
	double f[LAYERS + 1]; /* exp(-x) */
};

/* 292 years: what is due later is never due. */
#define OFFSET_MAX 0x1p63

struct schedule {
	struct generator gaps;
	struct generator picks;
	struct ziggurat ziggurat;
	double mean_gap; /* nanoseconds */
	double offset; /* of the next arrival from start; exact to 1/8 ns
			  * for the first 13 days */
	double gap;
	uint64_t start;
	uint64_t next;
};

static inline uint64_t
generator_next(struct generator *g)
{
	unsigned __int128 product;

	g->state += UINT64_C(0xa0761d6478bd642f);
	product = (unsigned __int128)g->state *
	    (g->state ^ UINT64_C(0xe7037ed1a0b428db));
	return (uint64_t)(product >> 64) ^ (uint64_t)product;
}

/* splitmix64 (Steele, Lea, Flood 2014), for seeding. */
static uint64_t
mix(uint64_t *state)
{
	uint64_t z = *state += UINT64_C(0x9e3779b97f4a7c15);

	z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
	return z ^ z >> 31;
}

static void
generators_seed(struct schedule *s, uint64_t seed, unsigned int stream)
{
	uint64_t state = seed;

	state = mix(&state) + stream;
	s->gaps.state = mix(&state);
	s->picks.state = mix(&state);
}

/* Uniform over (0, 1]: its logarithm is finite. */
static double
uniform(struct generator *g)
{
	return (double)(int64_t)((generator_next(g) >> 11) + 1) * 0x1p-53;
}

static void
ziggurat_init(struct ziggurat *z)
{
	int i;

	/* the lowest layer is as wide as if it held its tail as well */
	z->x[0] = AREA * exp(TAIL);
	z->x[1] = TAIL;
	for (i = 2; i < LAYERS; i++)
		z->x[i] = -log(exp(-z->x[i - 1]) + AREA / z->x[i - 1]);
	z->x[LAYERS] = 0;
	for (i = 0; i <= LAYERS; i++)
		z->f[i] = exp(-z->x[i]);
}

/* Past the layer's part that is all below the curve: one in a hundred. */
static bool
ziggurat_accepts(
    const struct ziggurat *z, struct generator *g, int layer, double *x)
{
	if (layer == 0) { /* the tail has the same shape as the whole */
		*x = TAIL - log(uniform(g));
		return true;
	}
	return z->f[layer] + uniform(g) * (z->f[layer + 1] - z->f[layer]) <
	    exp(-*x);
}

/* Mean 1. The layer comes from other bits than the place in it. */
static double
exponential(const struct ziggurat *z, struct generator *g)
{
	uint64_t bits;
	double x;
	int layer;

	for (;;) {
		bits = generator_next(g);
		layer = (int)(bits & (LAYERS - 1));
		x = (double)(int64_t)(bits >> 11) * 0x1p-53 * z->x[layer];
		if (x < z->x[layer + 1] || ziggurat_accepts(z, g, layer, &x))
			return x;
	}
}

static void
advance(struct schedule *s)
{
	s->gap = exponential(&s->ziggurat, &s->gaps) * s->mean_gap;
	s->offset += s->gap;
	/* signed: one instruction instead of a branch */
	s->next = s->offset < OFFSET_MAX ?
	    s->start + (uint64_t)(int64_t)s->offset :
	    CLOCK_NEVER;
}

struct schedule *
schedule_new(const struct schedule_config *config)
{
	struct schedule *s = calloc(1, sizeof(*s));

	if (s == NULL)
		return NULL;
	ziggurat_init(&s->ziggurat);
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
