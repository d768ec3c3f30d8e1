#include <math.h>
#include <stdbool.h>
#include <stdlib.h>

#include "lib/clock.h"
#include "client/program.h"
#include "client/random.h"
#include "client/schedule.h"

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
	struct random gaps;
	struct random picks;
	struct ziggurat ziggurat;
	struct schedule_config config;
	const struct program *program;
	size_t segment; /* where the next arrival is */
	double segment_begin; /* offsets from start */
	double segment_end;
	double mean_gap; /* while the rate holds; infinite while it does not */
	double offset; /* of the next arrival from start; exact to 1/8 ns
			  * for the first 13 days */
	double error; /* of adding the last gap to it, to be made up for: equal
		       * gaps are all rounded the same way */
	double last; /* offset of the arrival before, or 0 */
	double share; /* of the program's rate */
	uint64_t start;
	uint64_t next;
	struct {
		struct turns turns;
		struct turns_share later; /* the share from change on */
		uint64_t change; /* an arrival; UINT64_MAX: none */
		uint64_t untaken; /* the first that may still be taken */
		double before; /* the segment, in the integral */
	} uniform;
};

static void
generators_seed(struct schedule *s, uint64_t seed, unsigned int stream)
{
	uint64_t state = seed;

	state = random_mix(&state) + stream;
	s->gaps.state = random_mix(&state);
	s->picks.state = random_mix(&state);
}

/* Uniform over (0, 1]: its logarithm is finite. */
static double
uniform(struct random *g)
{
	return (double)(int64_t)((random_next(g) >> 11) + 1) * 0x1p-53;
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
    const struct ziggurat *z, struct random *g, int layer, double *x)
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
exponential(const struct ziggurat *z, struct random *g)
{
	uint64_t bits;
	double x;
	int layer;

	for (;;) {
		bits = random_next(g);
		layer = (int)(bits & (LAYERS - 1));
		x = (double)(int64_t)(bits >> 11) * 0x1p-53 * z->x[layer];
		if (x < z->x[layer + 1] || ziggurat_accepts(z, g, layer, &x))
			return x;
	}
}

/*
 * Ramps, and the way from one segment to the next.
 */

static double
rate_per_ns(const struct schedule *s, double per_second)
{
	return per_second * s->share / (double)CLOCK_NS_PER_SEC;
}

static void
enter(struct schedule *s, size_t segment)
{
	const struct program_segment *at;
	double rate;

	s->segment = segment;
	s->segment_begin = s->offset;
	s->error = 0;
	s->mean_gap = INFINITY;
	if (segment == s->program->count)
		return;
	at = &s->program->segments[segment];
	s->segment_end = at->duration == CLOCK_NEVER ?
	    INFINITY :
	    s->segment_begin + (double)at->duration;
	rate = rate_per_ns(s, at->begin);
	if (at->begin == at->end && rate > 0)
		s->mean_gap = 1 / rate;
}

struct ramp {
	double rate; /* at the offset, arrivals per nanosecond */
	double slope; /* of the rate, per nanosecond */
};

/* From the schedule's offset on, which is in the segment. */
static struct ramp
ramp_here(const struct schedule *s)
{
	const struct program_segment *at = &s->program->segments[s->segment];
	double begin = rate_per_ns(s, at->begin), end = rate_per_ns(s, at->end);
	struct ramp r = {.rate = begin, .slope = 0};

	if (begin != end) {
		r.slope = (end - begin) / (double)at->duration;
		r.rate += r.slope * (s->offset - s->segment_begin);
	}
	if (r.rate < 0) /* rounding, at the end of a ramp to zero */
		r.rate = 0;
	return r;
}

/*
 * How long it takes until the integral has grown by need > 0: the root of
 * rate x + slope x^2 / 2 = need, in the form that does not cancel.
 */
static double
ramp_time(struct ramp r, double need)
{
	double root = r.rate * r.rate + 2 * r.slope * need;

	return root < 0 || (r.rate == 0 && root == 0) ?
	    INFINITY :
	    2 * need / (r.rate + sqrt(root));
}

/* need: of the integral, until the next arrival. Not inline: it is rare, and its
 * registers would have to be saved for each arrival. */
static void __attribute__((noinline))
advance_through(struct schedule *s, double need)
{
	struct ramp r;
	double left, x;

	for (; s->segment < s->program->count; enter(s, s->segment + 1)) {
		r = ramp_here(s);
		x = need > 0 ? ramp_time(r, need) : 0;
		if (s->offset + x < s->segment_end) {
			s->offset += x;
			return;
		}
		left = s->segment_end - s->offset;
		need -= (r.rate + r.slope * left / 2) * left;
		s->offset = s->segment_end;
	}
	s->offset = INFINITY;
}

/* signed: one instruction instead of a branch */
static void
set_next(struct schedule *s)
{
	s->next = s->offset < OFFSET_MAX ?
	    s->start + (uint64_t)(int64_t)s->offset :
	    CLOCK_NEVER;
}

static void
advance(struct schedule *s, double need)
{
	double before = s->offset, gap = need * s->mean_gap - s->error;
	double hold = before + gap;

	if (hold < s->segment_end) {
		s->error = (hold - before) - gap;
		s->offset = hold;
	} else
		advance_through(s, need);
	s->last = before;
	set_next(s);
}

static double
draw(struct schedule *s)
{
	return exponential(&s->ziggurat, &s->gaps);
}

/* To the offset in the program, without an arrival. */
static void
go_to(struct schedule *s, double offset)
{
	const struct program *p = s->program;
	double begin = 0;
	size_t i;

	/* a piece that lasts for ever ends behind any offset */
	for (i = 0;
	     i < p->count && begin + (double)p->segments[i].duration <= offset;
	     i++)
		begin += (double)p->segments[i].duration;
	s->offset = begin;
	enter(s, i);
	s->offset = offset;
}

/*
 * Uniform arrivals: number k of all workers together is due where the integral of
 * the rate is k + 1/2. Each due time is reckoned from the begin of its segment, and
 * not from the arrival before, so that all workers come to the same times.
 */

static bool
is_uniform(const struct schedule *s)
{
	return s->config.arrivals == SCHEDULE_UNIFORM;
}

/* To the first segment whose end is behind this value of the integral. */
static void
uniform_locate(struct schedule *s, double target)
{
	double need, length, x;
	struct ramp r;

	for (; s->segment < s->program->count; enter(s, s->segment + 1)) {
		s->offset = s->segment_begin;
		r = ramp_here(s);
		need = target - s->uniform.before;
		if (need > 0)
			x = r.slope == 0 ? need * s->mean_gap :
					   ramp_time(r, need);
		else
			x = 0;
		if (s->segment_begin + x < s->segment_end) {
			s->offset = s->segment_begin + x;
			return;
		}
		length = s->segment_end - s->segment_begin;
		s->uniform.before += (r.rate + r.slope * length / 2) * length;
		s->offset = s->segment_end;
	}
	s->offset = INFINITY;
}

/* To this worker's first arrival, from the one that is looked at on. */
static void
uniform_find(struct schedule *s)
{
	struct turns *turns = &s->uniform.turns;
	uint64_t change = s->uniform.change, arrival;

	turns_find(turns, change);
	if (change != UINT64_MAX && turns->arrival >= change) {
		arrival = turns->arrival;
		turns_begin(turns, &s->uniform.later, change);
		turns_go_to(turns, arrival);
		turns_find(turns, UINT64_MAX);
		s->uniform.change = UINT64_MAX;
	}
	if (turns->arrival == UINT64_MAX)
		s->offset = INFINITY; /* no connection, no arrival */
	else
		uniform_locate(s, (double)turns->arrival + 0.5);
	set_next(s);
}

/* The same, where the arrival may be in a segment before this one. */
static void
uniform_find_again(struct schedule *s)
{
	s->offset = 0;
	s->uniform.before = 0;
	enter(s, 0);
	uniform_find(s);
}

/* The number of the first arrival that is due at the offset or later. */
static uint64_t
uniform_number(const struct schedule *s, double offset)
{
	double passed = program_arrivals(s->program, 0, (uint64_t)offset);

	return passed > 0.5 ? (uint64_t)ceil(passed - 0.5) : 0;
}

static void
uniform_take(struct schedule *s)
{
	s->last = s->offset;
	s->uniform.untaken = s->uniform.turns.arrival + 1;
	turns_next(&s->uniform.turns);
	uniform_find(s);
}

/*
 * A worker that heard of it too late goes on with the first arrival that is due
 * after the last one that it has taken.
 */
static void
uniform_change(struct schedule *s, uint64_t at)
{
	if (s->last > (double)at) {
		s->uniform.untaken = uniform_number(s, s->last + 1);
		turns_go_to(&s->uniform.turns, s->uniform.untaken);
	}
	uniform_find_again(s);
}

static void
uniform_share(struct schedule *s, uint64_t at, const struct turns_share *share)
{
	uint64_t change = uniform_number(s, (double)at),
		 untaken = s->uniform.untaken;

	s->uniform.later = *share;
	s->uniform.change = change;
	if (s->uniform.turns.arrival > change)
		turns_go_to(
		    &s->uniform.turns, untaken > change ? untaken : change);
	uniform_find_again(s);
}

/*
 * For the caller.
 */

/* Uniform arrivals are those of all workers: each takes its own of them. */
static double
share_of(enum schedule_arrivals arrivals, const struct turns_share *share)
{
	return arrivals == SCHEDULE_UNIFORM ?
	    1 :
	    (double)share->count / share->total;
}

struct schedule *
schedule_new(const struct schedule_config *config)
{
	struct schedule *s = calloc(1, sizeof(*s));

	if (s == NULL)
		return NULL;
	ziggurat_init(&s->ziggurat);
	generators_seed(s, config->seed, config->stream);
	s->config = *config;
	s->share = share_of(config->arrivals, &config->share);
	s->next = CLOCK_NEVER;
	return s;
}

void
schedule_free(struct schedule *s)
{
	free(s);
}

void
schedule_start(
    struct schedule *s, const struct program *program, uint64_t start)
{
	s->program = program;
	s->start = start;
	s->offset = s->last = 0;
	enter(s, 0);
	if (is_uniform(s)) {
		s->uniform.change = UINT64_MAX;
		s->uniform.untaken = 0;
		turns_begin(&s->uniform.turns, &s->config.share, 0);
		uniform_find_again(s);
	} else
		advance(s, draw(s));
}

void
schedule_move(struct schedule *s, uint64_t start)
{
	s->start = start;
	set_next(s);
}

/*
 * From the offset at on, but what was taken is taken: not before the last one. Of a
 * Poisson process, what comes after any moment does not depend on what came before.
 */
static void
redraw(struct schedule *s, uint64_t at, double share)
{
	double last = s->last, next = s->offset, from = fmax((double)at, last);

	s->share = share;
	if (next < from) {
		go_to(s, next);
		return;
	}
	go_to(s, from);
	advance(s, draw(s));
	s->last = last;
}

/* How far what has been taken goes beyond the offset, nanoseconds. */
static uint64_t
taken_beyond(const struct schedule *s, uint64_t at)
{
	double late = s->last - (double)at;

	return late > 0 ? (uint64_t)late : 0;
}

uint64_t
schedule_change(struct schedule *s, const struct program *program, uint64_t at)
{
	uint64_t late = taken_beyond(s, at);

	s->program = program;
	if (is_uniform(s))
		uniform_change(s, at);
	else
		redraw(s, at, s->share);
	return late;
}

uint64_t
schedule_share(struct schedule *s, uint64_t at, const struct turns_share *share)
{
	s->config.share = *share;
	if (is_uniform(s)) {
		uniform_share(s, at, share);
		return taken_beyond(s, at);
	}
	redraw(s, at, share_of(SCHEDULE_POISSON, share));
	return 0;
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
	a.gap = s->offset - s->last;
	a.pick = (uint32_t)(random_next(&s->picks) >> 32);
	if (is_uniform(s))
		uniform_take(s);
	else
		advance(s, draw(s));
	return a;
}
