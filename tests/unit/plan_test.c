/*
 * Programs that are changed while they run, and the arrivals that follow them: what
 * has come in the end must be what the final program asks for, mapped through its
 * integral.
 */
#include "tests/unit/support.h"

#include <math.h>
#include <stdbool.h>

#include "client/plan.h"
#include "client/schedule.h"
#include "lib/clock.h"

#define START	UINT64_C(5000000000000000)
#define SECOND	CLOCK_NS_PER_SEC
#define ROOM	200000
#define STREAMS 3

/* One sample in 30,000 of the right kind is above. */
#define KS_CRITICAL(n) (2.3 / sqrt((double)(n)))

/*
 * Plans.
 */

static struct plan
constant(uint64_t duration, double rate)
{
	struct program p = {0};
	struct plan plan;

	assert_null(program_append(&p, duration, rate, rate));
	plan_init(&plan, &p);
	program_clear(&p);
	return plan;
}

static void
expect_rates(const struct program *p, const double *rates, size_t count)
{
	size_t i;

	for (i = 0; i < count; i++)
		assert_float_equal(program_rate_at(p, i * SECOND + SECOND / 2),
		    rates[i], 1e-6);
}

static void
a_rate_holds_from_then_on(void **state)
{
	static const double rates[] = {100, 100, 500, 500, 0, 7, 7};
	struct plan plan = constant(7 * SECOND, 100);

	(void)state;
	plan_rate(&plan, 2 * SECOND, 500);
	plan_rate(&plan, 4 * SECOND, 0);
	plan_rate(&plan, 5 * SECOND, 7);
	expect_rates(&plan.now, rates, LENGTH(rates));
	assert_int_equal(program_duration(&plan.now), 7 * SECOND);
	plan_rate(&plan, 7 * SECOND, 1);
	plan_pause(&plan, 8 * SECOND);
	expect_rates(&plan.now, rates, LENGTH(rates));
	plan_clear(&plan);
}

static void
a_pause_stops_no_clock(void **state)
{
	static const double rates[] = {500, 0, 0, 3500, 4500, 0, 0, 42};
	struct program p = {0};
	struct plan plan;

	(void)state;
	assert_null(program_append(&p, 8 * SECOND, 0, 8000));
	plan_init(&plan, &p);
	plan_pause(&plan, SECOND);
	plan_pause(&plan, 2 * SECOND); /* once is enough */
	plan_resume(&plan, 3 * SECOND);
	plan_resume(&plan, 4 * SECOND);
	plan_pause(&plan, 5 * SECOND);
	plan_rate(&plan, 6 * SECOND, 42);
	plan_resume(&plan, 7 * SECOND);
	expect_rates(&plan.now, rates, LENGTH(rates));
	plan_clear(&plan);
	program_clear(&p);
}

static void
for_ever_stays_for_ever(void **state)
{
	struct plan plan = constant(CLOCK_NEVER, 100);

	(void)state;
	plan_pause(&plan, 10 * SECOND);
	plan_rate(&plan, 20 * SECOND, 3);
	plan_resume(&plan, 3600 * SECOND);
	assert_true(program_duration(&plan.now) == CLOCK_NEVER);
	assert_float_equal(
	    program_arrivals(&plan.now, 0, 20 * SECOND), 1000, 1e-6);
	assert_float_equal(
	    program_rate_at(&plan.now, 365 * 86400 * SECOND), 3, 1e-9);
	plan_clear(&plan);
}

static void
what_is_cut_off_is_gone(void **state)
{
	struct program p = {0};

	(void)state;
	assert_null(program_append(&p, 2 * SECOND, 100, 300));
	assert_null(program_append(&p, CLOCK_NEVER, 50, 50));
	program_cut(&p, CLOCK_NEVER);
	assert_int_equal(p.count, 2);
	program_cut(&p, 5 * SECOND);
	assert_int_equal(program_duration(&p), 5 * SECOND);
	assert_float_equal(
	    program_arrivals(&p, 0, CLOCK_NEVER), 400 + 150, 1e-6);
	program_cut(&p, 2 * SECOND);
	assert_int_equal(p.count, 1);
	program_cut(&p, SECOND);
	assert_float_equal(program_arrivals(&p, 0, CLOCK_NEVER), 150, 1e-6);
	assert_float_equal(p.segments[0].end, 200, 1e-9);
	program_cut(&p, 0);
	assert_int_equal(p.count, 0);
	assert_int_equal(program_duration(&p), 0);
	program_cut(&p, 0);
	program_clear(&p);
}

/*
 * Arrivals.
 */

struct change {
	double seconds;
	char what; /* r: rate, p: pause, c: continue */
	double rate;
};

static const struct change changes[] = {
    {0, 'r', 2000},
    {0.7, 'r', 9000},
    {1.00003, 'p', 0},
    {1.5, 'r', 100},
    {1.6, 'c', 0},
    {1.60001, 'r', 30000},
    {1.60002, 'r', 5},
    {2.6, 'r', 20000},
    {2.9, 'p', 0},
    {3.2, 'c', 0},
    {3.3, 'r', 0},
    {3.5, 'r', 12345.678},
};

/* So much earlier does it become known: what is due before stays. */
static const uint64_t leads[] = {0, 1, 1000000, 50000000};

static void
apply(struct plan *plan, const struct change *c, uint64_t at)
{
	if (c->what == 'r')
		plan_rate(plan, at, c->rate);
	else if (c->what == 'p')
		plan_pause(plan, at);
	else
		plan_resume(plan, at);
}

static size_t
take_until(struct schedule *s, uint64_t until, uint64_t *dues, size_t count)
{
	struct arrival a;

	while (schedule_next(s) < until && schedule_next(s) != CLOCK_NEVER) {
		a = schedule_take(s);
		assert_true(count < ROOM);
		assert_true(a.gap >= 0);
		if (count > 0) {
			assert_true(a.due >= dues[count - 1]);
			assert_true(fabs(a.gap -
					(double)(a.due - dues[count - 1])) < 3);
		}
		dues[count++] = a.due;
	}
	return count;
}

static size_t
record(enum schedule_arrivals arrivals, uint64_t seed, uint64_t lead,
    unsigned int stream, struct plan *plan, uint64_t *dues)
{
	const struct schedule_config config = {.seed = seed,
	    .stream = stream,
	    .share = {stream, 1, STREAMS},
	    .arrivals = arrivals};
	struct schedule *s = schedule_new(&config);
	size_t i, count = 0;
	uint64_t at;

	*plan = constant(5 * SECOND, 1000);
	schedule_start(s, &plan->now, START);
	for (i = 0; i < LENGTH(changes); i++) {
		at = (uint64_t)llround(changes[i].seconds * 1e9);
		count = take_until(
		    s, START + at - (lead < at ? lead : at), dues, count);
		apply(plan, &changes[i], at);
		assert_int_equal(schedule_change(s, &plan->now, at), 0);
	}
	count = take_until(s, CLOCK_NEVER, dues, count);
	schedule_free(s);
	return count;
}

static int
by_value(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return x < y ? -1 : x > y;
}

static void
expect_exponential(double *gaps, size_t count)
{
	double farthest = 0;
	size_t i;

	for (i = 0; i < count; i++)
		gaps[i] = 1 - exp(-gaps[i]);
	qsort(gaps, count, sizeof(*gaps), by_value);
	for (i = 0; i < count; i++)
		farthest = fmax(farthest,
		    fmax(gaps[i] - (double)i / (double)count,
			(double)(i + 1) / (double)count - gaps[i]));
	assert_true(farthest < KS_CRITICAL(count));
}

static void
expect_even(const double *gaps, size_t count, unsigned int stream)
{
	size_t i;

	assert_float_equal(gaps[0], (stream + 0.5) / STREAMS, 1e-4);
	for (i = 1; i < count; i++)
		assert_float_equal(gaps[i], 1, 1e-4);
}

static void
follow_what_was_asked_last(enum schedule_arrivals arrivals, uint64_t seed,
    uint64_t lead, unsigned int stream)
{
	uint64_t *dues = calloc(ROOM, sizeof(*dues)), before = 0;
	double *gaps = calloc(ROOM, sizeof(*gaps)), mean;
	struct plan plan;
	size_t count, i;

	count = record(arrivals, seed, lead, stream, &plan, dues);
	mean = program_arrivals(&plan.now, 0, CLOCK_NEVER) / STREAMS;
	assert_true(fabs((double)count - mean) <
	    (arrivals == SCHEDULE_UNIFORM ? 1.5 : 5 * sqrt(mean)));
	for (i = 0; i < count; i++) {
		gaps[i] = program_arrivals(&plan.now, before, dues[i] - START) /
		    STREAMS;
		assert_true(program_rate_at(&plan.now, dues[i] - START) > 0);
		before = dues[i] - START;
	}
	if (arrivals == SCHEDULE_UNIFORM)
		expect_even(gaps, count, stream);
	else
		expect_exponential(gaps, count);
	plan_clear(&plan);
	free(dues);
	free(gaps);
}

static void
arrivals_follow_the_changes(void **state)
{
	static const uint64_t seeds[] = {0, 42, UINT64_MAX};
	size_t i, k;

	(void)state;
	for (i = 0; i < LENGTH(seeds); i++)
		for (k = 0; k < LENGTH(leads); k++)
			follow_what_was_asked_last(SCHEDULE_POISSON, seeds[i],
			    leads[k], (unsigned int)(k % STREAMS));
}

static void
uniform_arrivals_keep_their_distance(void **state)
{
	unsigned int stream;
	size_t k;

	(void)state;
	for (stream = 0; stream < STREAMS; stream++)
		for (k = 0; k < LENGTH(leads); k++)
			follow_what_was_asked_last(
			    SCHEDULE_UNIFORM, 1, leads[k], stream);
}

/*
 * Heard of late, and shares.
 */

static struct schedule *
begin(enum schedule_arrivals arrivals, struct turns_share share,
    const struct plan *plan)
{
	const struct schedule_config config = {
	    .seed = 42, .share = share, .arrivals = arrivals};
	struct schedule *s = schedule_new(&config);

	schedule_start(s, &plan->now, START);
	return s;
}

/* It holds behind the last one that was taken: none is taken twice. */
static void
a_change_that_comes_late_takes_nothing_back(void **state)
{
	static const enum schedule_arrivals kinds[] = {
	    SCHEDULE_POISSON, SCHEDULE_UNIFORM};
	uint64_t *dues = calloc(ROOM, sizeof(*dues)), late;
	struct plan plan;
	struct schedule *s;
	size_t i, count;

	(void)state;
	for (i = 0; i < LENGTH(kinds); i++) {
		plan = constant(2 * SECOND, 10000);
		s = begin(kinds[i], (struct turns_share){0, 1, 1}, &plan);
		count = take_until(s, START + SECOND, dues, 0);
		plan_rate(&plan, SECOND / 2, 100);
		late = schedule_change(s, &plan.now, SECOND / 2);
		assert_true(late > SECOND * 49 / 100 && late <= SECOND / 2);
		count = take_until(s, START + 2 * SECOND, dues, count);
		/* take_until() has seen that none goes back */
		assert_true(fabs((double)count - 10100) < 5 * sqrt(10100));
		schedule_free(s);
		plan_clear(&plan);
	}
	free(dues);
}

static void
a_share_changes_from_then_on(void **state)
{
	uint64_t *dues = calloc(ROOM, sizeof(*dues));
	struct plan plan = constant(4 * SECOND, 10000);
	const struct turns_share all = {0, 4, 4}, half = {0, 2, 4},
				 quarter = {0, 1, 4}, none = {0, 0, 4};
	struct schedule *s = begin(SCHEDULE_UNIFORM, quarter, &plan);
	size_t count;

	(void)state;
	count = take_until(s, START + SECOND, dues, 0);
	assert_true(count >= 2499 && count <= 2501);
	schedule_share(s, SECOND, &all);
	count = take_until(s, START + 2 * SECOND, dues, 0);
	assert_true(count >= 9999 && count <= 10001);
	schedule_share(s, 2 * SECOND, &none);
	assert_true(schedule_next(s) == CLOCK_NEVER);
	schedule_share(s, 3 * SECOND, &half);
	count = take_until(s, CLOCK_NEVER, dues, 0);
	assert_true(count >= 4999 && count <= 5001);
	assert_true(dues[0] >= START + 3 * SECOND);
	schedule_free(s);
	plan_clear(&plan);
	free(dues);
}

/* Three workers whose connections change at 1 s: each round is of other ones. */
static void
shares_that_change_together_keep_equal_distances(void **state)
{
	static const struct turns_share before[] = {
	    {0, 4, 10}, {4, 3, 10}, {7, 3, 10}};
	static const struct turns_share after[] = {
	    {0, 1, 8}, {1, 7, 8}, {8, 0, 8}};
	static const uint64_t early[] = {0, 1, 3333333, 10000000, 500000000};
	uint64_t *dues = calloc(ROOM, sizeof(*dues));
	uint8_t seen[1000];
	struct schedule *s;
	struct plan plan;
	size_t i, k, w, count;

	(void)state;
	for (i = 0; i < LENGTH(early); i++) {
		memset(seen, 0, sizeof(seen));
		for (w = 0; w < LENGTH(before); w++) {
			/* 100 queries a second, and 300 from 1 s on */
			plan = constant(3 * SECOND, 100);
			s = begin(SCHEDULE_UNIFORM, before[w], &plan);
			count =
			    take_until(s, START + SECOND - early[i], dues, 0);
			plan_rate(&plan, SECOND, 300);
			assert_int_equal(
			    schedule_change(s, &plan.now, SECOND), 0);
			assert_int_equal(
			    schedule_share(s, SECOND, &after[w]), 0);
			count = take_until(s, CLOCK_NEVER, dues, count);
			for (k = 0; k < count; k++) {
				size_t n = (size_t)llround(
				    dues[k] < START + SECOND ?
					(double)(dues[k] - START) / 1e7 - 0.5 :
					(double)(dues[k] - START - SECOND) *
						3e-7 +
					    99.5);
				assert_true(n < 700);
				assert_int_equal(seen[n]++, 0);
			}
			schedule_free(s);
			plan_clear(&plan);
		}
		for (k = 0; k < 700; k++)
			assert_int_equal(seen[k], 1);
	}
	free(dues);
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_rate_holds_from_then_on),
	    cmocka_unit_test(a_pause_stops_no_clock),
	    cmocka_unit_test(for_ever_stays_for_ever),
	    cmocka_unit_test(what_is_cut_off_is_gone),
	    cmocka_unit_test(arrivals_follow_the_changes),
	    cmocka_unit_test(uniform_arrivals_keep_their_distance),
	    cmocka_unit_test(a_change_that_comes_late_takes_nothing_back),
	    cmocka_unit_test(a_share_changes_from_then_on),
	    cmocka_unit_test(shares_that_change_together_keep_equal_distances),
	};

	return cmocka_run_group_tests_name("plan", tests, NULL, NULL);
}
