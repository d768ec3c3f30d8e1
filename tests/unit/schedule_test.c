#include "tests/unit/support.h"

#include <math.h>
#include <stdbool.h>

#include "client/program.h"
#include "client/random.h"
#include "client/schedule.h"
#include "lib/clock.h"

#define GAPS 100000

/* The monotonic clock of a host that has been up for 57 days. */
#define START UINT64_C(5000000000000000)

/* Kolmogorov and Smirnov: one sample in 1,000 of the right kind is above. */
#define KS_CRITICAL(n) (1.95 / sqrt((double)(n)))

/* Of n pairs without correlation. */
#define CORRELATION_CRITICAL(n) (5 / sqrt((double)(n)))

/* A program that outlives its schedule, as long as there are no more than 64. */
static const struct program *
constant(double rate)
{
	static struct program_segment segments[64];
	static struct program programs[64];
	static size_t next;
	size_t i = next++ % LENGTH(programs);

	segments[i] = (struct program_segment){CLOCK_NEVER, rate, rate};
	programs[i] = (struct program){&segments[i], 1, 1, CLOCK_NEVER};
	return &programs[i];
}

static struct schedule *
started(double rate, uint64_t seed, unsigned int stream, uint64_t start)
{
	const struct schedule_config config = {
	    .seed = seed, .stream = stream, .share = {0, 1, 1}};
	struct schedule *s = schedule_new(&config);

	assert_non_null(s);
	schedule_start(s, constant(rate), start);
	return s;
}

/* The first arrivals of a schedule of 1,000 a second. Freed by the caller. */
static struct arrival *
arrivals(uint64_t seed, unsigned int stream, size_t count)
{
	struct arrival *a = calloc(count, sizeof(*a));
	struct schedule *s = started(1000, seed, stream, START);
	size_t i;

	assert_non_null(a);
	for (i = 0; i < count; i++)
		a[i] = schedule_take(s);
	schedule_free(s);
	return a;
}

/* Whether chi-square of these counts is what uniform ones have. */
static bool
is_uniform(const unsigned int *counts, size_t cells, size_t total)
{
	double expected = (double)total / (double)cells, square = 0;
	double df = (double)cells - 1;
	size_t i;

	for (i = 0; i < cells; i++)
		square += ((double)counts[i] - expected) *
		    ((double)counts[i] - expected) / expected;
	return fabs(square - df) <= 5 * sqrt(2 * df);
}

/*
 * Gaps.
 */

static int
by_value(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return x < y ? -1 : x > y;
}

/* How far the gaps (seconds; sorted here) are from exponential. */
static double
ks_exponential(double *gaps, size_t count, double rate)
{
	double farthest = 0, f, below, above;
	size_t i;

	qsort(gaps, count, sizeof(*gaps), by_value);
	for (i = 0; i < count; i++) {
		f = 1 - exp(-rate * gaps[i]);
		below = f - (double)i / (double)count;
		above = (double)(i + 1) / (double)count - f;
		farthest = fmax(farthest, fmax(below, above));
	}
	return farthest;
}

static double *
gaps_of(double rate, uint64_t seed)
{
	struct schedule *s = started(rate, seed, 0, START);
	double *gaps = calloc(GAPS, sizeof(*gaps));
	size_t i;

	assert_non_null(gaps);
	for (i = 0; i < GAPS; i++)
		gaps[i] = schedule_take(s).gap / (double)CLOCK_NS_PER_SEC;
	schedule_free(s);
	return gaps;
}

static void
gaps_are_exponential(void **state)
{
	static const double rates[] = {1, 1000, 1e6};
	static const uint64_t seeds[] = {0, 42, UINT64_MAX};
	double *gaps, distance;
	size_t r, s;

	(void)state;
	for (r = 0; r < LENGTH(rates); r++)
		for (s = 0; s < LENGTH(seeds); s++) {
			gaps = gaps_of(rates[r], seeds[s]);
			distance = ks_exponential(gaps, GAPS, rates[r]);
			if (distance >= KS_CRITICAL(GAPS))
				fail_msg("rate %g, seed %llu: %g", rates[r],
				    (unsigned long long)seeds[s], distance);
			free(gaps);
		}
}

/* Whether the counts from x = 4 up, in steps of 1/20, are exponential. */
static bool
is_exponential_tail(const unsigned int *counts, size_t cells, size_t total)
{
	double square = 0, expected, from;
	size_t i;

	for (i = 0; i < cells; i++) {
		from = 4 + (double)i / 20;
		expected = (double)total * (exp(-from) - exp(-from - 0.05));
		square +=
		    (counts[i] - expected) * (counts[i] - expected) / expected;
	}
	return fabs(square - (double)cells) <= 5 * sqrt(2 * (double)cells);
}

/*
 * Two million of them, looked at closely: in 1,000 cells of the same share, in
 * small steps in the tail, and by their first three moments, all to five
 * standard deviations. What is wrong in one gap of a hundred shows here.
 */
static void
gaps_in_detail(void **state)
{
	enum { COUNT = 2000000, CELLS = 1000, TAIL = 100 };
	/* of 1, x, x^2 and x^3: the mean, and the variance */
	static const double moment[] = {1, 1, 2, 6},
			    variance[] = {0, 1, 20, 684};
	struct schedule *s = started(1000, 42, 0, START);
	unsigned int cells[CELLS] = {0}, tail[TAIL] = {0}, far = 0, i, k;
	double x, sum[4] = {0};

	(void)state;
	for (i = 0; i < COUNT; i++) {
		x = schedule_take(s).gap / 1e6;
		cells[(unsigned int)(exp(-x) * (CELLS - 1e-9))]++;
		sum[1] += x;
		sum[2] += x * x;
		sum[3] += x * x * x;
		if (x >= 4 && x < 9)
			tail[(unsigned int)((x - 4) * 20)]++;
		far += x >= 9;
	}
	assert_true(is_uniform(cells, CELLS, COUNT));
	assert_true(is_exponential_tail(tail, TAIL, COUNT));
	x = COUNT * exp(-9);
	assert_true(fabs(far - x) < 5 * sqrt(x));
	for (k = 1; k <= 3; k++)
		assert_true(fabs(sum[k] / COUNT - moment[k]) <
		    5 * sqrt(variance[k] / COUNT));
	schedule_free(s);
}

/* The test further above does tell: it finds these, all with the right mean but one. */
static void
other_gaps_are_not(void **state)
{
	double *gaps = gaps_of(1000, 42);
	struct rng rng = {16};
	size_t i;

	(void)state;
	/* exponential, but 5 % too slow */
	assert_true(ks_exponential(gaps, GAPS, 1050) > KS_CRITICAL(GAPS));
	/* exponential, shifted by a fiftieth of the mean, and as much faster */
	for (i = 0; i < GAPS; i++)
		gaps[i] = gaps[i] * 0.98 + 0.02e-3;
	assert_true(ks_exponential(gaps, GAPS, 1000) > KS_CRITICAL(GAPS));
	/* uniform */
	for (i = 0; i < GAPS; i++)
		gaps[i] = rng_uniform(&rng) * 2e-3;
	assert_true(ks_exponential(gaps, GAPS, 1000) > KS_CRITICAL(GAPS));
	/* constant */
	for (i = 0; i < GAPS; i++)
		gaps[i] = 1e-3;
	assert_true(ks_exponential(gaps, GAPS, 1000) > KS_CRITICAL(GAPS));
	free(gaps);
}

static double
correlation(const double *x, const double *y, size_t count)
{
	double mean_x = 0, mean_y = 0, xx = 0, yy = 0, xy = 0;
	size_t i;

	for (i = 0; i < count; i++) {
		mean_x += x[i] / (double)count;
		mean_y += y[i] / (double)count;
	}
	for (i = 0; i < count; i++) {
		xx += (x[i] - mean_x) * (x[i] - mean_x);
		yy += (y[i] - mean_y) * (y[i] - mean_y);
		xy += (x[i] - mean_x) * (y[i] - mean_y);
	}
	return xy / sqrt(xx * yy);
}

/* One gap says nothing of the next ones. */
static void
gaps_are_independent(void **state)
{
	double *gaps = gaps_of(1000, 42);
	size_t lag, count;

	(void)state;
	assert_true(correlation(gaps, gaps, GAPS) > 0.99);
	for (lag = 1; lag <= 5; lag++) {
		count = GAPS - lag;
		assert_true(fabs(correlation(gaps, gaps + lag, count)) <
		    CORRELATION_CRITICAL(count));
	}
	free(gaps);
}

/*
 * Due times.
 */

static void
due_is_the_running_sum(void **state)
{
	static const double rates[] = {0.5, 1, 1000, 123456.789, 1e6, 1e9};
	struct schedule *s;
	struct arrival a;
	long double sum;
	uint64_t before, next;
	size_t r;
	int i;

	(void)state;
	for (r = 0; r < LENGTH(rates); r++) {
		s = started(rates[r], 42, 3, START);
		before = START;
		sum = 0;
		for (i = 0; i < 20000; i++) {
			next = schedule_next(s);
			assert_int_equal(schedule_next(s), next);
			a = schedule_take(s);
			assert_int_equal(a.due, next);
			assert_true(a.gap >= 0);
			assert_true(a.due >= before);
			assert_true(
			    fabs((double)(a.due - before) - a.gap) <= 1);
			/* nor does what is cut off add up */
			sum += (long double)a.gap;
			assert_true(
			    fabsl((long double)(a.due - START) - sum) <= 2);
			before = a.due;
		}
		schedule_free(s);
	}
}

static void
due_begins_at_the_start(void **state)
{
	struct schedule *a = started(1000, 42, 0, 0);
	struct schedule *b = started(1000, 42, 0, START);
	int i;

	(void)state;
	for (i = 0; i < 10000; i++)
		assert_int_equal(
		    schedule_take(a).due + START, schedule_take(b).due);
	schedule_free(a);
	schedule_free(b);
}

/* Arrivals in T seconds: rate * T, give or take five standard deviations. */
static void
due_keeps_the_rate(void **state)
{
	static const struct {
		double rate;
		double seconds;
	} cases[] = {{1, 10000}, {1000, 100}, {1e6, 0.1}, {1e9, 0.0001}};
	double expected, count;
	struct schedule *s;
	unsigned int stream;
	uint64_t end;
	size_t i;

	(void)state;
	for (i = 0; i < LENGTH(cases); i++)
		for (stream = 0; stream < 4; stream++) {
			s = started(cases[i].rate, 42, stream, START);
			end = START +
			    (uint64_t)(cases[i].seconds *
				(double)CLOCK_NS_PER_SEC);
			for (count = 0; schedule_next(s) < end; count++)
				(void)schedule_take(s);
			expected = cases[i].rate * cases[i].seconds;
			assert_true(
			    fabs(count - expected) < 5 * sqrt(expected));
			schedule_free(s);
		}
}

static void
no_rate_no_arrivals(void **state)
{
	struct schedule *s = started(0, 42, 0, START);

	(void)state;
	assert_int_equal(schedule_next(s), CLOCK_NEVER);
	schedule_free(s);
}

/* A gap of centuries does not end early because it does not fit 64 bits. */
static void
very_low_rates(void **state)
{
	static const double rates[] = {1e-9, 1e-10, 1e-11, 1e-12, 1e-20, 1e-29};
	const uint64_t year = UINT64_C(365) * 86400 * CLOCK_NS_PER_SEC;
	struct schedule *s;
	struct arrival a;
	size_t i, n;

	(void)state;
	for (i = 0; i < LENGTH(rates); i++) {
		s = started(rates[i], 42, 0, START);
		for (n = 0; n < 1000 && schedule_next(s) != CLOCK_NEVER; n++) {
			a = schedule_take(s);
			assert_true(a.gap < 0x1p64);
			assert_true(a.due - START + 1 >= (uint64_t)a.gap);
		}
		assert_true(schedule_next(s) > START + year);
		schedule_free(s);
	}
}

/*
 * Picks.
 */

static void
picks_are_uniform(void **state)
{
	static const uint32_t connections[] = {1, 2, 5, 100, 2000};
	const size_t total = 400000;
	struct arrival *a = arrivals(42, 0, total);
	unsigned int counts[2000], chosen;
	size_t c, i;

	(void)state;
	for (c = 0; c < LENGTH(connections); c++) {
		memset(counts, 0, sizeof(counts));
		for (i = 0; i < total; i++) {
			chosen = random_choose(a[i].pick, connections[c]);
			assert_true(chosen < connections[c]);
			counts[chosen]++;
		}
		assert_true(is_uniform(counts, connections[c], total));
	}
	/* it does tell: one in a hundred connections left out, or favoured */
	memset(counts, 0, sizeof(counts));
	for (i = 0; i < total; i++)
		counts[random_choose(a[i].pick, 99)]++;
	assert_false(is_uniform(counts, 100, total));
	memset(counts, 0, sizeof(counts));
	for (i = 0; i < total; i++)
		counts[random_choose(a[i].pick, 101) % 100]++;
	assert_false(is_uniform(counts, 100, total));
	free(a);
}

/* Nor does one connection make another likely. */
static void
picks_are_independent(void **state)
{
	const size_t total = 200000;
	struct arrival *a = arrivals(7, 0, total);
	unsigned int counts[100];
	size_t lag, i;

	(void)state;
	for (lag = 1; lag <= 3; lag++) {
		memset(counts, 0, sizeof(counts));
		for (i = 0; i + lag < total; i++)
			counts[random_choose(a[i].pick, 10) * 10 +
			    random_choose(a[i + lag].pick, 10)]++;
		assert_true(is_uniform(counts, 100, total - lag));
	}
	free(a);
}

static void
picks_are_independent_of_gaps(void **state)
{
	const size_t total = GAPS;
	struct arrival *a = arrivals(42, 0, total);
	double *gaps = calloc(total, sizeof(*gaps));
	double *picks = calloc(total, sizeof(*picks));
	size_t i;

	(void)state;
	assert_non_null(gaps);
	assert_non_null(picks);
	for (i = 0; i < total; i++) {
		gaps[i] = a[i].gap;
		picks[i] = (double)a[i].pick;
	}
	assert_true(fabs(correlation(gaps, picks, total)) <
	    CORRELATION_CRITICAL(total));
	assert_true(fabs(correlation(gaps + 1, picks, total - 1)) <
	    CORRELATION_CRITICAL(total - 1));
	assert_true(fabs(correlation(gaps, picks + 1, total - 1)) <
	    CORRELATION_CRITICAL(total - 1));
	free(a);
	free(gaps);
	free(picks);
}

static void
choose_bounds(void **state)
{
	struct rng rng = {17};
	uint32_t pick, count;
	int i;

	(void)state;
	assert_int_equal(random_choose(0, 1), 0);
	assert_int_equal(random_choose(UINT32_MAX, 1), 0);
	assert_int_equal(random_choose(0, UINT32_MAX), 0);
	assert_int_equal(random_choose(UINT32_MAX, UINT32_MAX), UINT32_MAX - 1);
	assert_int_equal(random_choose(0x7fffffff, 2), 0);
	assert_int_equal(random_choose(0x80000000, 2), 1);
	for (i = 0; i < 10000; i++) {
		pick = (uint32_t)rng_next(&rng);
		count = 1 + (uint32_t)(rng_next(&rng) >> (33 + i % 31));
		assert_true(random_choose(pick, count) < count);
		assert_int_equal(random_choose(0, count), 0);
		assert_int_equal(random_choose(UINT32_MAX, count), count - 1);
	}
}

/*
 * Seeds and streams.
 */

static size_t
same_count(const struct arrival *a, const struct arrival *b, size_t count)
{
	size_t same = 0, i;

	for (i = 0; i < count; i++)
		same += a[i].due == b[i].due && a[i].pick == b[i].pick &&
		    !(a[i].gap < b[i].gap) && !(a[i].gap > b[i].gap);
	return same;
}

static void
same_seed_same_schedule(void **state)
{
	static const uint64_t seeds[] = {0, 1, 42, UINT64_MAX};
	struct arrival *a, *b;
	size_t i;

	(void)state;
	for (i = 0; i < LENGTH(seeds); i++) {
		a = arrivals(seeds[i], (unsigned int)i, 1000);
		b = arrivals(seeds[i], (unsigned int)i, 1000);
		assert_int_equal(same_count(a, b, 1000), 1000);
		free(a);
		free(b);
	}
}

/* The rate stretches the times and changes nothing else. */
static void
same_picks_at_any_rate(void **state)
{
	struct schedule *a = started(1000, 42, 1, START);
	struct schedule *b = started(250, 42, 1, START);
	struct arrival x, y;
	int i;

	(void)state;
	for (i = 0; i < 10000; i++) {
		x = schedule_take(a);
		y = schedule_take(b);
		assert_int_equal(x.pick, y.pick);
		assert_true(fabs(x.gap * 4 - y.gap) <= y.gap * 1e-12);
	}
	schedule_free(a);
	schedule_free(b);
}

static void
other_seed_other_schedule(void **state)
{
	struct arrival *a = arrivals(42, 0, 1000), *b = arrivals(42, 1, 1000);
	struct arrival *c = arrivals(43, 0, 1000);

	(void)state;
	assert_int_equal(same_count(a, b, 1000), 0);
	assert_int_equal(same_count(a, c, 1000), 0);
	assert_int_equal(same_count(b, c, 1000), 0);
	free(a);
	free(b);
	free(c);
}

static size_t
equal_pairs(double *values, size_t count)
{
	size_t same = 0, i;

	qsort(values, count, sizeof(*values), by_value);
	for (i = 1; i < count; i++)
		same += !(values[i] > values[i - 1]);
	return same;
}

/*
 * No stream of any seed is a piece of another one, earlier or later: then they
 * would have gaps and picks in common.
 */
static void
streams_do_not_overlap(void **state)
{
	enum { SEEDS = 4, STREAMS = 16, EACH = 500 };
	const size_t total = SEEDS * STREAMS * EACH;
	double *gaps = calloc(total, sizeof(*gaps));
	double *picks = calloc(total, sizeof(*picks));
	unsigned int seed, stream;
	size_t i, filled = 0;
	struct arrival *a;

	(void)state;
	assert_non_null(gaps);
	assert_non_null(picks);
	for (seed = 40; seed < 40 + SEEDS; seed++)
		for (stream = 0; stream < STREAMS; stream++) {
			a = arrivals(seed, stream, EACH);
			for (i = 0; i < EACH; i++, filled++) {
				gaps[filled] = a[i].gap;
				picks[filled] = (double)a[i].pick;
			}
			free(a);
		}
	assert_int_equal(filled, total);
	/* by chance an eighth of a pair of picks, and no gaps, have 32 bits */
	assert_true(equal_pairs(picks, total) <= 3);
	assert_true(equal_pairs(gaps, total) <= 1);
	free(gaps);
	free(picks);
}

/*
 * Nor are the gaps of one made of the same numbers as the picks of another. A
 * gap may take more than one number: so only the first few, of many seeds.
 */
static void
gaps_and_picks_of_streams(void **state)
{
	enum { STREAMS = 4, SEEDS = 1000, EACH = 10 };
	const size_t count = SEEDS * EACH;
	double *gaps[STREAMS], *picks[STREAMS];
	struct arrival *a;
	size_t k, j, i;
	uint64_t seed;

	(void)state;
	for (k = 0; k < STREAMS; k++) {
		gaps[k] = calloc(count, sizeof(double));
		picks[k] = calloc(count, sizeof(double));
		assert_non_null(gaps[k]);
		assert_non_null(picks[k]);
		for (seed = 0; seed < SEEDS; seed++) {
			a = arrivals(seed, (unsigned int)k, EACH);
			for (i = 0; i < EACH; i++) {
				gaps[k][seed * EACH + i] = a[i].gap;
				picks[k][seed * EACH + i] = (double)a[i].pick;
			}
			free(a);
		}
	}
	for (k = 0; k < STREAMS; k++)
		for (j = 0; j < STREAMS; j++)
			assert_true(fabs(correlation(gaps[k], picks[j],
					count)) < CORRELATION_CRITICAL(count));
	for (k = 0; k < STREAMS; k++) {
		free(gaps[k]);
		free(picks[k]);
	}
}

static void
streams_are_uncorrelated(void **state)
{
	static const struct {
		uint64_t seed;
		unsigned int stream;
	} pairs[][2] = {
	    {{42, 0}, {42, 1}},
	    {{42, 1}, {42, 2}},
	    {{42, 0}, {42, 63}},
	    {{0, 0}, {1, 0}},
	    {{42, 1}, {43, 0}},
	};
	struct arrival *a[2];
	double *gaps[2];
	size_t p, k, i, lag;

	(void)state;
	for (p = 0; p < LENGTH(pairs); p++) {
		for (k = 0; k < 2; k++) {
			a[k] = arrivals(
			    pairs[p][k].seed, pairs[p][k].stream, GAPS);
			gaps[k] = calloc(GAPS, sizeof(double));
			assert_non_null(gaps[k]);
			for (i = 0; i < GAPS; i++)
				gaps[k][i] = a[k][i].gap;
			free(a[k]);
		}
		for (lag = 0; lag < 3; lag++) {
			assert_true(fabs(correlation(
					gaps[0] + lag, gaps[1], GAPS - lag)) <
			    CORRELATION_CRITICAL(GAPS - lag));
			assert_true(fabs(correlation(
					gaps[0], gaps[1] + lag, GAPS - lag)) <
			    CORRELATION_CRITICAL(GAPS - lag));
		}
		free(gaps[0]);
		free(gaps[1]);
	}
}

/* What makes it one process however many workers: the sum has its gaps, too. */
static void
streams_add_up_to_a_process(void **state)
{
	enum { STREAMS = 4 };
	struct schedule *s[STREAMS];
	double *gaps = calloc(GAPS, sizeof(*gaps));
	uint64_t before = START;
	unsigned int k, first;
	size_t i;

	(void)state;
	assert_non_null(gaps);
	for (k = 0; k < STREAMS; k++)
		s[k] = started(1000.0 / STREAMS, 42, k, START);
	for (i = 0; i < GAPS; i++) {
		for (first = 0, k = 1; k < STREAMS; k++)
			if (schedule_next(s[k]) < schedule_next(s[first]))
				first = k;
		gaps[i] = clock_to_seconds(schedule_next(s[first]) - before);
		before = schedule_take(s[first]).due;
	}
	assert_true(ks_exponential(gaps, GAPS, 1000) < KS_CRITICAL(GAPS));
	for (k = 0; k < STREAMS; k++)
		schedule_free(s[k]);
	free(gaps);
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
	    cmocka_unit_test(gaps_are_exponential),
	    cmocka_unit_test(gaps_in_detail),
	    cmocka_unit_test(other_gaps_are_not),
	    cmocka_unit_test(gaps_are_independent),
	    cmocka_unit_test(due_is_the_running_sum),
	    cmocka_unit_test(due_begins_at_the_start),
	    cmocka_unit_test(due_keeps_the_rate),
	    cmocka_unit_test(no_rate_no_arrivals),
	    cmocka_unit_test(very_low_rates),
	    cmocka_unit_test(picks_are_uniform),
	    cmocka_unit_test(picks_are_independent),
	    cmocka_unit_test(picks_are_independent_of_gaps),
	    cmocka_unit_test(choose_bounds),
	    cmocka_unit_test(same_seed_same_schedule),
	    cmocka_unit_test(same_picks_at_any_rate),
	    cmocka_unit_test(other_seed_other_schedule),
	    cmocka_unit_test(streams_do_not_overlap),
	    cmocka_unit_test(gaps_and_picks_of_streams),
	    cmocka_unit_test(streams_are_uncorrelated),
	    cmocka_unit_test(streams_add_up_to_a_process),
	};

	return cmocka_run_group_tests_name("schedule", tests, NULL, NULL);
}
