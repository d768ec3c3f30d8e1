/*
 * Arrivals against the program that they follow. The integral of the rate,
 * which is exact, maps their times to those of a process of rate 1: only where
 * every ramp, step and pause is right are its gaps exponential.
 */
#include "tests/unit/support.h"

#include <math.h>
#include <stdbool.h>
#include <stdio.h>

#include "client/program.h"
#include "client/schedule.h"
#include "lib/clock.h"

/* The monotonic clock of a host that has been up for 57 days. */
#define START UINT64_C(5000000000000000)

#define STREAMS_MOST 4
#define WINDOW	     (100 * CLOCK_NS_PER_MS)

/* One sample in 30,000 of the right kind is above: some 200 are taken here. */
#define KS_CRITICAL(n) (2.3 / sqrt((double)(n)))

/* Five standard deviations of a normal distribution, on one side. */
#define FIVE_SIGMA 2.87e-7

static const uint64_t seeds[] = {0, 42, 20260917, UINT64_MAX};

/*
 * Programs.
 */

struct piece {
	double seconds; /* 0: there is none */
	double begin;
	double end;
};

struct shape {
	const char *name;
	struct piece pieces[6];
	unsigned int times; /* all pieces, one time after the other */
	bool coarse; /* a gap is but a few nanoseconds long */
};

static const struct shape shapes[] = {
    {"one rate", {{20, 1000, 1000}}, 1, false},
    {"steps",
	{{5, 200, 200}, {5, 1000, 1000}, {5, 3000, 3000}, {5, 400, 400},
	    {5, 401, 401}},
	1, false},
    {"ramp up", {{20, 100, 1900}}, 1, false},
    {"ramp from nothing", {{20, 0, 1500}}, 1, false},
    {"ramp down to nothing", {{10, 3000, 0}}, 1, false},
    {"ramp down to nothing, a pause",
	{{2, 1500, 1500}, {8, 3000, 0}, {5, 0, 0}}, 1, false},
    {"pauses at the ends and in the middle",
	{{3, 0, 0}, {4, 2000, 2000}, {2, 0, 0}, {0.5, 0, 0}, {3, 1000, 3000},
	    {3, 0, 0}},
	1, false},
    {"nothing but one short piece",
	{{0.0333, 0, 0}, {0.0005, 1e6, 1e6}, {1.5, 0, 0}}, 20, false},
    {"teeth", {{0.5, 0, 2000}}, 40, false},
    {"teeth the other way", {{0.5, 2000, 0}}, 40, false},
    {"up and down", {{0.25, 0, 2000}, {0.25, 2000, 0}}, 40, false},
    {"hardly a slope", {{10, 1000, 1000.0000001}, {10, 1000, 999.9999999}}, 1,
	false},
    {"hardly a rate", {{1, 1e-9, 1e-9}, {5, 2000, 2000}, {1, 0, 1e-9}}, 1,
	false},
    {"short pieces",
	{{0.001, 500, 500}, {0.001, 3000, 3000}, {0.001, 0, 4000},
	    {0.001, 4000, 100}, {0.001, 0, 0}},
	2000, false},
    {"pieces much shorter than a gap",
	{{0.001, 10, 10}, {0.001, 0, 200}, {0.001, 200, 0}, {0.001, 0, 0},
	    {0.001, 140, 150}},
	4000, false},
    {"steep", {{0.01, 0, 1e6}, {0.01, 1e6, 0}, {0.2, 1000, 1000}}, 3, false},
    {"very steep", {{1e-6, 0, 1e9}, {1e-6, 1e9, 0}, {0.05, 0, 0}}, 20, true},
    {"a nanosecond", {{1e-9, 0, 1e9}, {1e-9, 1e9, 1e9}, {0.001, 100, 100}},
	2000, true},
    {"fast", {{0.05, 1e5, 5e5}, {0.05, 2e5, 2e5}}, 1, false},
};

/* All rates times share: 1, or a worker's. */
static struct program
share_of(const struct shape *shape, double share)
{
	struct program p = {0};
	const struct piece *piece;
	unsigned int k;

	for (k = 0; k < shape->times; k++)
		for (piece = shape->pieces;
		     piece < shape->pieces + LENGTH(shape->pieces) &&
		     piece->seconds > 0;
		     piece++)
			assert_null(program_append(&p,
			    (uint64_t)llround(piece->seconds * 1e9),
			    share * piece->begin, share * piece->end));
	return p;
}

static struct program
program_of(const struct shape *shape)
{
	return share_of(shape, 1);
}

/*
 * The integral along a program, from one offset to the next. What lies behind is
 * left out, so that 10,000 pieces are not gone through for each arrival.
 */
struct meter {
	struct program rest;
	uint64_t begin; /* of the rest */
	uint64_t at;
	double sum;
};

static struct meter
meter_of(const struct program *p)
{
	return (struct meter){.rest = *p};
}

/* Returns the arrivals to be expected since the call before. */
static double
meter_to(struct meter *m, uint64_t offset)
{
	double grown =
	    program_arrivals(&m->rest, m->at - m->begin, offset - m->begin);

	m->at = offset;
	m->sum += grown;
	while (m->rest.count > 1 &&
	    offset - m->begin >= m->rest.segments->duration) {
		m->begin += m->rest.segments->duration;
		m->rest.segments++;
		m->rest.count--;
	}
	return grown;
}

/* What is to be expected in the nanosecond that begins where the meter is. */
static double
meter_here(const struct meter *m)
{
	return program_arrivals(
	    &m->rest, m->at - m->begin, m->at - m->begin + 1);
}

/*
 * Arrivals.
 */

struct record {
	uint64_t *offsets; /* from the start */
	size_t count;
	size_t room;
};

static void
record_add(struct record *r, uint64_t due)
{
	assert_true(due >= START);
	if (r->count > 0)
		assert_true(due - START >= r->offsets[r->count - 1]);
	if (r->count == r->room) {
		r->room = 2 * r->room + 1000;
		r->offsets =
		    reallocarray(r->offsets, r->room, sizeof(*r->offsets));
		assert_non_null(r->offsets);
	}
	r->offsets[r->count++] = due - START;
}

static struct schedule *
stream_of(const struct program *p, uint64_t seed,
    enum schedule_arrivals arrivals, unsigned int stream, unsigned int streams)
{
	const struct schedule_config config = {.seed = seed,
	    .stream = stream,
	    .share = {stream, 1, streams},
	    .arrivals = arrivals};
	struct schedule *s = schedule_new(&config);

	assert_non_null(s);
	schedule_start(s, p, START);
	return s;
}

/* All arrivals of so many streams that share the rate, until there are none. */
static struct record
record(const struct program *p, uint64_t seed, enum schedule_arrivals arrivals,
    unsigned int streams)
{
	struct schedule *s[STREAMS_MOST];
	struct record r = {0};
	unsigned int k, first;

	for (k = 0; k < streams; k++)
		s[k] = stream_of(p, seed, arrivals, k, streams);
	for (;;) {
		for (first = 0, k = 1; k < streams; k++)
			if (schedule_next(s[k]) < schedule_next(s[first]))
				first = k;
		if (schedule_next(s[first]) == CLOCK_NEVER)
			break;
		record_add(&r, schedule_take(s[first]).due);
	}
	for (k = 0; k < streams; k++)
		schedule_free(s[k]);
	return r;
}

/*
 * Statistics.
 */

static int
by_value(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return x < y ? -1 : x > y;
}

/* Kolmogorov and Smirnov: how far these (sorted here) are from uniform. */
static double
ks_uniform(double *values, size_t count)
{
	double farthest = 0, below, above;
	size_t i;

	qsort(values, count, sizeof(*values), by_value);
	for (i = 0; i < count; i++) {
		below = values[i] - (double)i / (double)count;
		above = (double)(i + 1) / (double)count - values[i];
		farthest = fmax(farthest, fmax(below, above));
	}
	return farthest;
}

/* How likely so many are, or more; or, with step -1, so many or fewer. */
static double
poisson_tail(double mean, double count, int step)
{
	double term = exp(count * log(mean) - mean - lgamma(count + 1));
	double sum = 0;

	if ((count - mean) * step <= 0)
		return 1;
	for (; count >= 0 && term > sum * 1e-9; count += step) {
		sum += term;
		term *= step > 0 ? mean / (count + 1) : count / mean;
	}
	return sum;
}

static bool
is_poisson(double count, double mean)
{
	if (mean <= 0)
		return count <= 0;
	return poisson_tail(mean, count, 1) > FIVE_SIGMA &&
	    poisson_tail(mean, count, -1) > FIVE_SIGMA;
}

/* By the integral between them; and how far along it each lies. */
static void
map(const struct program *p, const struct record *r, double *gaps,
    double *places)
{
	double total = program_arrivals(p, 0, CLOCK_NEVER);
	struct meter m = meter_of(p);
	size_t i;

	for (i = 0; i < r->count; i++) {
		gaps[i] = 1 - exp(-meter_to(&m, r->offsets[i]));
		places[i] = m.sum / total;
	}
}

/* Whether these could be a Poisson process that follows the program. */
static const char *
what_is_wrong(const struct program *p, const struct record *r, bool coarse)
{
	double *gaps = calloc(r->count + 1, sizeof(*gaps));
	double *places = calloc(r->count + 1, sizeof(*places));
	const char *wrong = NULL;

	assert_non_null(gaps);
	assert_non_null(places);
	map(p, r, gaps, places);
	if (!is_poisson((double)r->count, program_arrivals(p, 0, CLOCK_NEVER)))
		wrong = "their number";
	else if (!coarse && ks_uniform(gaps, r->count) > KS_CRITICAL(r->count))
		wrong = "the gaps";
	else if (ks_uniform(places, r->count) > KS_CRITICAL(r->count))
		wrong = "the places";
	free(gaps);
	free(places);
	return wrong;
}

/*
 * Poisson arrivals.
 */

static void
expect_windows(
    const struct shape *shape, const struct program *p, const struct record *r)
{
	uint64_t from;
	size_t i = 0, begin;
	double mean;

	for (from = 0; from < program_duration(p); from += WINDOW) {
		mean = program_arrivals(p, from, from + WINDOW);
		for (begin = i; i < r->count && r->offsets[i] < from + WINDOW;)
			i++;
		if (!is_poisson((double)(i - begin), mean))
			fail_msg("%s: %zu instead of %g from %g s on",
			    shape->name, i - begin, mean,
			    clock_to_seconds(from));
	}
	assert_int_equal(i, r->count);
}

/* To the nanosecond. */
static void
expect_none_in_pauses(
    const struct shape *shape, const struct program *p, const struct record *r)
{
	struct meter m = meter_of(p);
	size_t i;

	for (i = 0; i < r->count; i++) {
		assert_true(r->offsets[i] < program_duration(p));
		meter_to(&m, r->offsets[i]);
		if (meter_here(&m) <= 0)
			fail_msg("%s: one at %.9f s, at a rate of 0",
			    shape->name, clock_to_seconds(r->offsets[i]));
	}
}

static void
expect_process(const struct shape *shape, const struct program *p,
    uint64_t seed, unsigned int streams)
{
	struct record r = record(p, seed, SCHEDULE_POISSON, streams);
	const char *wrong = what_is_wrong(p, &r, shape->coarse);

	assert_true(r.count > 100);
	if (wrong != NULL)
		fail_msg("%s, seed %llu, %u streams: %s", shape->name,
		    (unsigned long long)seed, streams, wrong);
	expect_windows(shape, p, &r);
	expect_none_in_pauses(shape, p, &r);
	free(r.offsets);
}

static void
arrivals_follow_the_program(void **state)
{
	struct program p;
	size_t i, k;

	(void)state;
	for (i = 0; i < LENGTH(shapes); i++) {
		p = program_of(&shapes[i]);
		for (k = 0; k < LENGTH(seeds); k++)
			expect_process(&shapes[i], &p, seeds[k], 1);
		program_clear(&p);
	}
}

/* Four workers have a quarter each; together they are the program's process. */
static void
streams_add_up_to_the_program(void **state)
{
	struct program p;
	size_t i;

	(void)state;
	for (i = 0; i < LENGTH(shapes); i++) {
		p = program_of(&shapes[i]);
		expect_process(&shapes[i], &p, 42, STREAMS_MOST);
		program_clear(&p);
	}
}

/* The tests further above do tell, what is but a little wrong. */
static void
other_programs_are_not(void **state)
{
	static const struct {
		struct shape is;
		struct shape other;
	} cases[] = {
	    /* the rate of its middle instead of a ramp */
	    {{"", {{20, 1000, 1000}}, 1, false},
		{"", {{20, 900, 1100}}, 1, false}},
	    {{"", {{10, 375, 375}, {10, 1125, 1125}}, 1, false},
		{"", {{20, 0, 1500}}, 1, false}},
	    /* 6 % too many */
	    {{"", {{20, 1060, 1060}}, 1, false},
		{"", {{20, 1000, 1000}}, 1, false}},
	    /* a step that comes 0.1 s too late, with as many behind it */
	    {{"", {{5.1, 1000, 1000}, {5, 3000, 3000}}, 1, false},
		{"", {{5, 1000, 1000}, {5, 3020, 3020}}, 1, false}},
	};
	struct program is, other;
	struct record r;
	size_t i;

	(void)state;
	for (i = 0; i < LENGTH(cases); i++) {
		is = program_of(&cases[i].is);
		other = program_of(&cases[i].other);
		r = record(&is, 42, SCHEDULE_POISSON, 1);
		assert_null(what_is_wrong(&is, &r, false));
		if (what_is_wrong(&other, &r, false) == NULL)
			fail_msg("case %zu is not seen", i);
		free(r.offsets);
		program_clear(&is);
		program_clear(&other);
	}
	assert_true(is_poisson(100, 100));
	assert_true(is_poisson(149, 100));
	assert_false(is_poisson(160, 100));
	assert_true(is_poisson(60, 100));
	assert_false(is_poisson(50, 100));
	assert_true(is_poisson(0, 15));
	assert_false(is_poisson(0, 15.1));
	assert_false(is_poisson(1, 0));
}

/*
 * Pieces.
 */

/* The arrivals of both differ by no more than a nanosecond of rounding. */
static void
expect_same(const struct program *a, const struct program *b, uint32_t twelfths,
    enum schedule_arrivals arrivals)
{
	const struct schedule_config one = {
	    .seed = 42, .share = {0, 1, 1}, .arrivals = arrivals};
	struct schedule_config other = one;
	struct schedule *s, *t;
	struct arrival x, y;
	unsigned int i;

	other.share = (struct turns_share){0, twelfths, 12};
	s = schedule_new(&one);
	t = schedule_new(&other);
	assert_non_null(s);
	assert_non_null(t);
	schedule_start(s, a, START);
	schedule_start(t, b, START);
	for (i = 0; i < 20000 && schedule_next(s) != CLOCK_NEVER; i++) {
		assert_true(schedule_next(t) != CLOCK_NEVER);
		x = schedule_take(s);
		y = schedule_take(t);
		assert_true(x.due + 1 >= y.due && y.due + 1 >= x.due);
		assert_true(fabs(x.gap - y.gap) < 1);
		assert_int_equal(x.pick, y.pick);
	}
	assert_true(i > 1000);
	if (i < 20000)
		assert_int_equal(schedule_next(t), CLOCK_NEVER);
	schedule_free(s);
	schedule_free(t);
}

static double
rate_on(const struct piece *p, double seconds)
{
	return p->begin + (p->end - p->begin) * (seconds / p->seconds);
}

/* The same line, of many pieces, no two as long. */
static struct program
in_pieces(const struct piece *whole, unsigned int pieces)
{
	struct program p = {0};
	struct rng rng = {17};
	double from = 0, to;
	unsigned int i;

	for (i = 1; i <= pieces; i++, from = to) {
		to = whole->seconds * i / pieces;
		if (i < pieces)
			to -= whole->seconds / pieces / 2 * rng_uniform(&rng);
		to = floor(to * 1e9) / 1e9;
		assert_null(program_append(&p,
		    (uint64_t)llround(to * 1e9) - (uint64_t)llround(from * 1e9),
		    rate_on(whole, from), rate_on(whole, to)));
	}
	return p;
}

/* A seam between two pieces is no event: nothing is drawn anew or left out. */
static void
seams_do_not_show(void **state)
{
	static const struct shape wholes[] = {
	    {"", {{20, 1000, 1000}}, 1, false},
	    {"", {{20, 100, 1900}}, 1, false},
	    {"", {{20, 1900, 100}}, 1, false},
	    {"", {{20, 0, 2000}}, 1, false},
	    {"", {{0.02, 1e6, 1e6}}, 1, false},
	};
	static const unsigned int pieces[] = {1, 2, 3, 1000, 20000};
	struct program whole, parts;
	size_t i, k;

	(void)state;
	for (i = 0; i < LENGTH(wholes); i++)
		for (k = 0; k < LENGTH(pieces); k++) {
			whole = program_of(&wholes[i]);
			parts = in_pieces(wholes[i].pieces, pieces[k]);
			assert_int_equal(parts.count, pieces[k]);
			expect_same(&whole, &parts, 12, SCHEDULE_POISSON);
			expect_same(&whole, &parts, 12, SCHEDULE_UNIFORM);
			program_clear(&whole);
			program_clear(&parts);
		}
}

/* A share of the rate is a program of lower rates. */
static void
share_is_a_scale(void **state)
{
	static const uint32_t twelfths[] = {12, 6, 3, 4};
	struct program p, scaled;
	size_t i, k;

	(void)state;
	for (i = 0; i < LENGTH(shapes); i++) {
		if (shapes[i].coarse)
			continue;
		p = program_of(&shapes[i]);
		if (program_arrivals(&p, 0, CLOCK_NEVER) < 9000) {
			program_clear(&p);
			continue;
		}
		for (k = 0; k < LENGTH(twelfths); k++) {
			scaled = share_of(&shapes[i], twelfths[k] / 12.0);
			expect_same(&scaled, &p, twelfths[k], SCHEDULE_POISSON);
			program_clear(&scaled);
		}
		program_clear(&p);
	}
}

/* What lasts for ever has no end, and a rate of 0 for ever is one. */
static void
for_ever(void **state)
{
	struct program p = {0};
	struct schedule *s;
	struct record r = {0};
	unsigned int i;

	(void)state;
	assert_null(program_append(&p, CLOCK_NS_PER_SEC, 0, 1000));
	assert_null(program_append(&p, CLOCK_NEVER, 2000, 2000));
	s = stream_of(&p, 42, SCHEDULE_POISSON, 0, 1);
	for (i = 0; i < 20000; i++)
		record_add(&r, schedule_take(s).due);
	assert_true(
	    is_poisson(20000, program_arrivals(&p, 0, r.offsets[r.count - 1])));
	schedule_free(s);
	free(r.offsets);
	program_clear(&p);

	assert_null(program_append(&p, CLOCK_NS_PER_SEC, 2000, 0));
	assert_null(program_append(&p, CLOCK_NEVER, 0, 0));
	r = record(&p, 42, SCHEDULE_POISSON, 1);
	assert_true(is_poisson((double)r.count, 1000));
	assert_true(r.offsets[r.count - 1] < CLOCK_NS_PER_SEC);
	free(r.offsets);
	program_clear(&p);
}

/* Nothing, and what is next to nothing, has no arrivals and an end. */
static void
nothing(void **state)
{
	static const struct shape none[] = {
	    {"", {{1, 0, 0}}, 1, false},
	    {"", {{0.001, 0, 0}}, 10000, false},
	    {"", {{3600, 1e-15, 1e-15}, {1e-9, 0, 1e-9}}, 1, false},
	    {"", {{0, 0, 0}}, 1, false},
	};
	struct program p;
	struct record r;
	size_t i;

	(void)state;
	for (i = 0; i < LENGTH(none); i++) {
		p = program_of(&none[i]);
		r = record(&p, 42, SCHEDULE_POISSON, STREAMS_MOST);
		assert_int_equal(r.count, 0);
		r = record(&p, 42, SCHEDULE_UNIFORM, STREAMS_MOST);
		assert_int_equal(r.count, 0);
		program_clear(&p);
	}
}

/*
 * Starting again.
 */

/* All but one gap, drawn for an arrival that was not taken any more. */
static void
started_again(void **state)
{
	enum { BEFORE = 1000, BEHIND = 10000 };
	const uint64_t later = START + 3600 * CLOCK_NS_PER_SEC;
	struct program p = {0}, twice = {0};
	struct schedule *s, *t;
	struct arrival x, y;
	uint64_t previous = later;
	unsigned int i;

	(void)state;
	assert_null(program_append(&p, CLOCK_NEVER, 1000, 1000));
	assert_null(program_append(&twice, 20 * CLOCK_NS_PER_SEC, 2000, 2000));
	s = stream_of(&p, 42, SCHEDULE_POISSON, 0, 1);
	t = stream_of(&p, 42, SCHEDULE_POISSON, 0, 1);
	for (i = 0; i < BEFORE; i++)
		assert_int_equal(schedule_take(s).due, schedule_take(t).due);
	schedule_start(t, &twice, later);
	assert_true(schedule_next(t) >= later);
	x = schedule_take(s);
	for (i = 0; i < BEHIND; i++) {
		y = schedule_take(t);
		assert_int_equal(x.pick, y.pick);
		x = schedule_take(s);
		assert_true(fabs(x.gap - 2 * y.gap) < 0.01);
		assert_true(fabs((double)(y.due - previous) - y.gap) <= 1);
		previous = y.due;
	}
	schedule_free(s);
	schedule_free(t);
	program_clear(&p);
	program_clear(&twice);
}

/* Neither the rest of a gap nor that the program was over is left from before. */
static void
started_again_after_the_end(void **state)
{
	struct program ramp = {0}, rate = {0};
	struct schedule *s;
	struct arrival a;
	unsigned int i, k;

	(void)state;
	assert_null(program_append(&ramp, CLOCK_NS_PER_SEC, 1000, 0));
	assert_null(program_append(&rate, CLOCK_NS_PER_SEC, 1000, 1000));
	s = stream_of(&ramp, 42, SCHEDULE_UNIFORM, 1, 4);
	for (k = 0; k < 5; k++) {
		while (schedule_next(s) != CLOCK_NEVER)
			(void)schedule_take(s);
		schedule_start(s, &rate, START);
		/* the fourth of each four of 1,000 a second, as if new */
		for (i = 0; i < 250; i++) {
			a = schedule_take(s);
			assert_in_range(a.due,
			    START + 3500000 + i * 4000000 - 1,
			    START + 3500000 + i * 4000000);
			assert_true(
			    fabs(a.gap - (i == 0 ? 3.5e6 : 4e6)) < 1e-3);
		}
		assert_int_equal(schedule_next(s), CLOCK_NEVER);
		schedule_start(s, &ramp, START);
	}
	schedule_free(s);
	program_clear(&ramp);
	program_clear(&rate);
}

/*
 * Uniform arrivals.
 */

/* Arrival k is where the integral reaches k + 0.5, whatever its stream. */
static void
expect_equal_parts(const struct shape *shape, unsigned int streams)
{
	const double rounding = 1e-4;
	struct program p = program_of(shape);
	struct record r = record(&p, 42, SCHEDULE_UNIFORM, streams);
	struct meter m = meter_of(&p);
	size_t k;

	for (k = 0; k < r.count; k++) {
		meter_to(&m, r.offsets[k]);
		if (m.sum > (double)k + 0.5 + rounding ||
		    m.sum + meter_here(&m) < (double)k + 0.5 - rounding)
			fail_msg("%s, %u streams: arrival %zu at %.9f",
			    shape->name, streams, k, m.sum);
	}
	assert_true(
	    fabs((double)r.count - program_arrivals(&p, 0, CLOCK_NEVER)) <=
	    0.5 + rounding);
	free(r.offsets);
	program_clear(&p);
}

static void
uniform_follows_the_program(void **state)
{
	unsigned int streams;
	size_t i;

	(void)state;
	for (i = 0; i < LENGTH(shapes); i++)
		for (streams = 1; streams <= STREAMS_MOST; streams++)
			expect_equal_parts(&shapes[i], streams);
}

/* Whole numbers come out whole, and fractions are rounded. */
static void
uniform_counts(void **state)
{
	static const struct {
		struct shape shape;
		size_t count;
	} cases[] = {
	    {{"", {{1, 1000, 1000}}, 1, false}, 1000},
	    {{"", {{10, 0, 1000}}, 1, false}, 5000},
	    {{"", {{10, 1000, 0}}, 1, false}, 5000},
	    {{"", {{0.001, 100, 100}}, 1000, false}, 100},
	    {{"", {{1, 0.4, 0.4}}, 1, false}, 0},
	    {{"", {{1, 0.6, 0.6}}, 1, false}, 1},
	    {{"", {{1, 10.4, 10.4}}, 1, false}, 10},
	    {{"", {{1, 10.6, 10.6}}, 1, false}, 11},
	    {{"", {{1, 0.3, 0.3}, {5, 0, 0}, {1, 0.3, 0.3}}, 1, false}, 1},
	};
	struct program p;
	struct record r;
	unsigned int streams;
	size_t i;

	(void)state;
	for (i = 0; i < LENGTH(cases); i++)
		for (streams = 1; streams <= STREAMS_MOST; streams++) {
			p = program_of(&cases[i].shape);
			r = record(&p, i, SCHEDULE_UNIFORM, streams);
			assert_int_equal(r.count, cases[i].count);
			free(r.offsets);
			program_clear(&p);
		}
}

/*
 * Workers that have unequal shares: connections that are no multiple of them.
 */

static struct schedule *
worker_of(const struct program *p, uint32_t connections, unsigned int index,
    unsigned int workers)
{
	struct schedule_config config = {.seed = 42,
	    .stream = index,
	    .share = {0, 0, connections},
	    .arrivals = SCHEDULE_UNIFORM};
	struct schedule *s;
	unsigned int i;

	for (i = 0; i <= index; i++) {
		config.share.first += config.share.count;
		config.share.count =
		    connections / workers + (i < connections % workers);
	}
	s = schedule_new(&config);
	assert_non_null(s);
	schedule_start(s, p, START);
	return s;
}

/* The due times of all workers together are those of one worker, to the nanosecond. */
static void
expect_one_sequence(
    const struct shape *shape, uint32_t connections, unsigned int workers)
{
	struct program p = program_of(shape);
	struct record r = record(&p, 42, SCHEDULE_UNIFORM, 1);
	uint8_t *seen = calloc(r.count + 1, 1);
	struct schedule *s;
	unsigned int w;
	size_t k, own, all = 0;

	assert_non_null(seen);
	for (w = 0; w < workers; w++) {
		s = worker_of(&p, connections, w, workers);
		for (k = own = 0; schedule_next(s) != CLOCK_NEVER; own++) {
			while (k < r.count &&
			    (seen[k] ||
				START + r.offsets[k] != schedule_next(s)))
				k++;
			if (k == r.count)
				fail_msg("%s: worker %u of %u, %u connections: "
					 "arrival %zu is nobody's",
				    shape->name, w, workers, connections, own);
			seen[k] = 1;
			(void)schedule_take(s);
		}
		all += own;
		schedule_free(s);
	}
	assert_int_equal(all, r.count);
	free(seen);
	free(r.offsets);
	program_clear(&p);
}

static void
uniform_is_one_sequence_for_any_workers_and_connections(void **state)
{
	static const struct shape few[] = {
	    {"a warm-up and a rate", {{1, 100, 100}, {3, 100, 100}}, 1, false},
	    {"thirds", {{4, 333.3333, 333.3333}}, 1, false},
	    {"up, a pause, and down",
		{{1, 0, 500}, {0.5, 0, 0}, {2, 800, 100}, {1, 100, 0}}, 1,
		false},
	};
	static const uint32_t connections[] = {
	    1, 2, 3, 5, 7, 10, 16, 31, 50, 97, 100, 1000, 2001};
	unsigned int workers;
	size_t i, c;

	(void)state;
	for (i = 0; i < LENGTH(few); i++)
		for (c = 0; c < LENGTH(connections); c++)
			for (workers = 1; workers <= 9; workers++)
				expect_one_sequence(
				    &few[i], connections[c], workers);
}

/* One is due as a pause begins: it is so then or behind it, not within. */
static void
uniform_at_a_seam(void **state)
{
	static const struct shape shape = {
	    "", {{1, 10.5, 10.5}, {1, 0, 0}, {1, 10, 10}}, 1, false};
	struct program p = program_of(&shape);
	struct record r = record(&p, 42, SCHEDULE_UNIFORM, 1);

	(void)state;
	assert_in_range(r.count, 20, 21);
	assert_true(r.offsets[9] < CLOCK_NS_PER_SEC);
	if (r.offsets[10] < 2 * CLOCK_NS_PER_SEC - 1)
		assert_in_range(
		    r.offsets[10], CLOCK_NS_PER_SEC - 1, CLOCK_NS_PER_SEC);
	assert_in_range(r.offsets[11], 2100000000 - 1, 2100000000 + 1);
	free(r.offsets);
	program_clear(&p);
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
	    cmocka_unit_test(arrivals_follow_the_program),
	    cmocka_unit_test(streams_add_up_to_the_program),
	    cmocka_unit_test(other_programs_are_not),
	    cmocka_unit_test(seams_do_not_show),
	    cmocka_unit_test(share_is_a_scale),
	    cmocka_unit_test(for_ever),
	    cmocka_unit_test(nothing),
	    cmocka_unit_test(started_again),
	    cmocka_unit_test(started_again_after_the_end),
	    cmocka_unit_test(uniform_follows_the_program),
	    cmocka_unit_test(uniform_counts),
	    cmocka_unit_test(
		uniform_is_one_sequence_for_any_workers_and_connections),
	    cmocka_unit_test(uniform_at_a_seam),
	};

	return cmocka_run_group_tests_name(
	    "schedule_program", tests, NULL, NULL);
}
