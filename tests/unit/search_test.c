#include "tests/unit/support.h"

#include <math.h>

#include "lib/clock.h"
#include "client/search.h"

#define S CLOCK_NS_PER_SEC

static struct search_config
of_rates(double begin)
{
	return (struct search_config){
	    .what = SEARCH_RATE,
	    .rate = begin,
	    .rate_most = 1e9,
	    .connections = 50,
	    .connections_least = 1,
	    .connections_most = 50,
	    .duration = 2 * S,
	};
}

static struct search_config
of_connections(uint64_t begin, uint64_t least, uint64_t most)
{
	return (struct search_config){
	    .what = SEARCH_CONNECTIONS,
	    .rate = 70,
	    .rate_most = 1e9,
	    .connections = begin,
	    .connections_least = least,
	    .connections_most = most,
	    .duration = 2 * S,
	};
}

static double
searched(const struct search_config *config, const struct search_load *load)
{
	return config->what == SEARCH_RATE ? load->rate :
					     (double)load->connections;
}

/* The next step, which holds or not. Returns its load. */
static double
step(struct search *s, bool holds)
{
	struct search_step done = {
	    .stop = holds ? SEARCH_HELD : SEARCH_BY_SERVER};
	size_t before = search_steps(s);
	double value;

	assert_true(search_next(s, &done.load));
	search_note(s, &done);
	assert_int_equal(search_steps(s), before + 1);
	value = searched(search_config(s), &done.load);
	assert_true(search_value(s, search_step(s, before)) == value);
	return value;
}

static void
steps_are(const struct search_config *config, double threshold,
    const double *expected, size_t count)
{
	struct search *s = search_new(config);
	struct search_load load;
	size_t i;

	for (i = 0; i < count; i++)
		if (step(s, expected[i] <= threshold) != expected[i])
			fail_msg("step %zu has %g instead of %g", i,
			    search_value(s, search_step(s, i)), expected[i]);
	assert_false(search_next(s, &load));
	search_free(s);
}

#define STEPS_ARE(config, threshold, ...)                           \
	steps_are(config, threshold, (const double[]){__VA_ARGS__}, \
	    sizeof((const double[]){__VA_ARGS__}) / sizeof(double))

/* To the end; what does not hold is above the threshold. */
static struct search *
run(const struct search_config *config, double threshold)
{
	struct search *s = search_new(config);
	struct search_load load;

	while (search_next(s, &load))
		step(s, searched(config, &load) <= threshold);
	return s;
}

/*
 * Which steps.
 */

static void
doubles_then_halves_the_interval(void **state)
{
	struct search_config config = of_rates(1000);

	(void)state;
	STEPS_ARE(&config, 2600, 1000, 2000, 4000, 4000, 3000, 3000, 2500, 2750,
	    2750, 2625, 2625, 2562, 2593);
}

static void
halves_until_one_holds(void **state)
{
	struct search_config config = of_rates(1000);

	(void)state;
	STEPS_ARE(&config, 130, 1000, 1000, 500, 500, 250, 250, 125, 187, 187,
	    156, 156, 140, 140, 132, 132, 128, 130);
}

/* Below 100 rates have fractions; 1/64 of the first is the least. */
static void
nothing_holds(void **state)
{
	struct search_config config = of_rates(1000);
	struct search *s = run(&config, 0);

	(void)state;
	STEPS_ARE(&config, 0, 1000, 1000, 500, 500, 250, 250, 125, 125, 62.5,
	    62.5, 31.25, 31.25, 15.625, 15.625);
	assert_null(search_best(s));
	assert_true(search_value(s, search_limit(s)) == 15.625);
	search_free(s);
}

static void
everything_holds(void **state)
{
	struct search_config config = of_rates(1e8);
	struct search *s = run(&config, INFINITY);

	(void)state;
	STEPS_ARE(&config, INFINITY, 1e8, 2e8, 4e8, 8e8, 1e9);
	assert_null(search_limit(s));
	assert_true(search_value(s, search_best(s)) == 1e9);
	search_free(s);
}

static void
connections_are_whole_and_bounded(void **state)
{
	struct search_config config = of_connections(10, 4, 25);

	(void)state;
	STEPS_ARE(&config, 17, 10, 20, 20, 15, 17, 18, 18);
	STEPS_ARE(&config, 25, 10, 20, 25);
	STEPS_ARE(&config, 3, 10, 10, 5, 5, 4, 4);
	config = of_connections(1, 1, 1);
	STEPS_ARE(&config, 1, 1);
	STEPS_ARE(&config, 0, 1, 1);
}

static void
begins_within_its_bounds(void **state)
{
	struct search_config config = of_connections(1000, 2, 300);

	(void)state;
	STEPS_ARE(&config, INFINITY, 300);
	config = of_connections(1, 4, 4);
	STEPS_ARE(&config, INFINITY, 4);
	config = of_rates(2e9);
	STEPS_ARE(&config, INFINITY, 1e9);
}

/* What fails at first and holds at the second try has held. */
static void
a_step_that_does_not_hold_is_repeated(void **state)
{
	struct search_config config = of_rates(1000);
	struct search *s = search_new(&config);

	(void)state;
	assert_true(step(s, false) == 1000);
	assert_null(search_limit(s));
	assert_true(step(s, true) == 1000);
	assert_true(search_value(s, search_best(s)) == 1000);
	assert_null(search_limit(s));
	/* and the next one has two tries again */
	assert_true(step(s, false) == 2000);
	assert_null(search_limit(s));
	assert_true(step(s, false) == 2000);
	assert_ptr_equal(search_limit(s), search_step(s, 3));
	assert_ptr_equal(search_best(s), search_step(s, 1));
	assert_true(step(s, true) == 1500);
	search_free(s);
}

/* A first load without an answer, both times: lower ones would only take longer. */
static void
ends_where_nothing_is_answered(void **state)
{
	static const struct {
		enum search_stop stop;
		double sent, answered[2];
		bool over;
	} cases[] = {
	    {SEARCH_BY_SERVER, 10, {0, 0}, true},
	    {SEARCH_BY_SERVER, 10, {0, 1}, false},
	    {SEARCH_BY_SERVER, 10, {1, 0}, false},
	    {SEARCH_BY_SERVER, 0, {0, 0}, false},
	    {SEARCH_BY_CLIENT, 10, {0, 0}, false},
	};
	struct search_config config = of_rates(100);
	struct search_step done = {.stop = SEARCH_BY_SERVER};
	struct search *s;
	size_t i, try;

	(void)state;
	for (i = 0; i < LENGTH(cases); i++) {
		s = search_new(&config);
		done.stop = cases[i].stop;
		done.sent_qps = cases[i].sent;
		for (try = 0; try < 2; try++) {
			assert_true(search_next(s, &done.load));
			done.answered_qps = cases[i].answered[try];
			search_note(s, &done);
		}
		assert_int_equal(search_next(s, &done.load), !cases[i].over);
		assert_int_equal(search_is_unanswered(s), cases[i].over);
		search_free(s);
	}
}

/* Whatever stopped it. */
static void
every_way_of_not_holding_counts(void **state)
{
	static const enum search_stop stops[] = {
	    SEARCH_BY_SERVER, SEARCH_BY_CLIENT, SEARCH_BY_KERNEL};
	struct search_config config = of_rates(1000);
	struct search_step done = {.why = "for a reason"};
	struct search *s;
	size_t i, tries;

	(void)state;
	for (i = 0; i < LENGTH(stops); i++) {
		s = search_new(&config);
		done.stop = stops[i];
		for (tries = 0; tries < 2; tries++) {
			assert_true(search_next(s, &done.load));
			search_note(s, &done);
		}
		assert_int_equal(search_limit(s)->stop, stops[i]);
		assert_string_equal(search_limit(s)->why, "for a reason");
		assert_true(search_next(s, &done.load));
		assert_true(done.load.rate == 500);
		search_free(s);
	}
}

static void
notes_nothing_once_it_is_over(void **state)
{
	struct search_config config = of_connections(1, 1, 1);
	struct search *s = run(&config, 1);
	struct search_step more = {.stop = SEARCH_BY_CLIENT};

	(void)state;
	search_note(s, &more);
	assert_int_equal(search_steps(s), 1);
	assert_null(search_limit(s));
	search_free(s);
}

/*
 * What a step is.
 */

static void
until(struct search_config *config, const char *text)
{
	char why[CONDITION_TEXT];

	if (!condition_parse_list(text, config->until, SEARCH_CONDITIONS,
		&config->until_count, why))
		fail_msg("\"%s\" refused: %s", text, why);
}

static void
one_load_is_searched_the_other_is_kept(void **state)
{
	struct search_config rates = of_rates(1000),
			     connections = of_connections(10, 4, 25);
	struct search *s = search_new(&rates);
	struct search_load load;

	(void)state;
	step(s, true);
	assert_true(search_next(s, &load));
	assert_true(load.rate == 2000);
	assert_int_equal(load.connections, 50);
	search_free(s);
	s = search_new(&connections);
	step(s, true);
	assert_true(search_next(s, &load));
	assert_true(load.rate == 70);
	assert_int_equal(load.connections, 20);
	search_free(s);
}

static void
lasts_as_long_as_its_percentiles_need(void **state)
{
	struct search_config config = of_rates(1000);
	struct search_load load;
	struct search *s;

	(void)state;
	until(&config, "timed_out>0,p99>10ms,p90>5ms");
	s = search_new(&config);
	assert_int_equal(search_samples(s), 10000);
	assert_true(search_next(s, &load));
	assert_int_equal(load.duration, 10 * S);
	step(s, true);
	step(s, true);
	assert_true(search_next(s, &load));
	assert_true(load.rate == 4000);
	assert_int_equal(load.duration, 5 * S / 2);
	step(s, true);
	assert_true(search_next(s, &load)); /* 8,000/s */
	assert_int_equal(load.duration, 2 * S);
	search_free(s);
}

static void
lasts_as_asked_where_no_percentile_is(void **state)
{
	struct search_config config = of_rates(1);
	struct search_load load;
	struct search *s;

	(void)state;
	until(&config, "timed_out>0");
	s = search_new(&config);
	assert_int_equal(search_samples(s), 0);
	assert_true(search_next(s, &load));
	/* ten queries are the least */
	assert_int_equal(load.duration, 10 * S);
	search_free(s);
	config.rate = 5;
	s = search_new(&config);
	assert_true(search_next(s, &load));
	assert_int_equal(load.duration, 2 * S);
	search_free(s);

	/* nothing is sent, so no time would be enough */
	config = of_connections(10, 1, 20);
	config.rate = 0;
	until(&config, "p99>10ms");
	s = search_new(&config);
	assert_true(search_next(s, &load));
	assert_int_equal(load.duration, 2 * S);
	search_free(s);
}

static void
lasts_for_ever_where_no_time_is_enough(void **state)
{
	static const double rates[] = {1e-20, 1e-5, 1e4 / (366 * 86400.)};
	struct search_config config;
	struct search_load load;
	struct search *s;
	size_t i;

	(void)state;
	for (i = 0; i < LENGTH(rates); i++) {
		config = of_rates(rates[i]);
		until(&config, "p99>10ms");
		s = search_new(&config);
		assert_true(search_next(s, &load));
		assert_true(load.duration == CLOCK_NEVER);
		search_free(s);
	}
}

/*
 * Any threshold, any noise.
 */

static struct search_config
any_config(struct rng *rng)
{
	uint64_t least, most;

	if (rng_below(rng, 2) == 0)
		return of_rates(pow(10, 8 * rng_uniform(rng) - 1));
	least = 1 + rng_below(rng, 64);
	most = least + (uint64_t)pow(10, 7 * rng_uniform(rng));
	return of_connections(
	    1 + (uint64_t)pow(10, 7 * rng_uniform(rng)), least, most);
}

static void
check_bounds(const struct search_config *config, const struct search *s)
{
	size_t i;
	double value;

	assert_in_range(search_steps(s), 1, SEARCH_STEPS);
	for (i = 0; i < search_steps(s); i++) {
		value = search_value(s, search_step(s, i));
		if (config->what == SEARCH_RATE)
			/* floor() may take it below the least */
			assert_true(value >= config->rate / 64 - 1 &&
			    value > 0 && value <= config->rate_most);
		else
			assert_true(
			    value >= (double)config->connections_least &&
			    value <= (double)config->connections_most);
		if (config->what == SEARCH_CONNECTIONS ||
		    (i > 0 && value >= 100))
			assert_true(value == floor(value) || i < 2);
	}
}

/* The most that was held and the least that was not are neighbours. */
static void
check_resolution(const struct search_config *config, const struct search *s)
{
	const struct search_step *best = search_best(s),
				 *limit = search_limit(s);
	double held, failed;

	if (best == NULL || limit == NULL)
		return;
	held = search_value(s, best);
	failed = search_value(s, limit);
	assert_true(held < failed);
	if (failed > held * 1.02)
		assert_true(
		    config->what == SEARCH_CONNECTIONS && failed == held + 1);
}

static void
finds_any_threshold(void **state)
{
	struct rng rng = {42};
	struct search_config config;
	struct search *s;
	double threshold;
	int i;

	(void)state;
	for (i = 0; i < 20000; i++) {
		config = any_config(&rng);
		threshold = pow(10, 10 * rng_uniform(&rng) - 2);
		s = run(&config, threshold);
		check_bounds(&config, s);
		check_resolution(&config, s);
		if (search_best(s) != NULL)
			assert_true(
			    search_value(s, search_best(s)) <= threshold);
		if (search_limit(s) != NULL)
			assert_true(
			    search_value(s, search_limit(s)) > threshold);
		assert_true(search_best(s) != NULL || search_limit(s) != NULL);
		search_free(s);
	}
}

/* Each step holds with a chance that has nothing, or little, to do with it. */
static void
ends_whatever_the_noise(void **state)
{
	struct rng rng = {43};
	struct search_config config;
	struct search_load load;
	struct search *s;
	double chance, threshold;
	int i;

	(void)state;
	for (i = 0; i < 20000; i++) {
		config = any_config(&rng);
		threshold = pow(10, 10 * rng_uniform(&rng) - 2);
		chance = rng_uniform(&rng);
		s = search_new(&config);
		while (search_next(s, &load))
			step(s,
			    rng_uniform(&rng) < chance ?
				rng_below(&rng, 2) == 0 :
				searched(&config, &load) <= threshold);
		check_bounds(&config, s);
		check_resolution(&config, s);
		search_free(s);
	}
}

/* A step fails one time in ten for no reason: both tries, one in a hundred. */
static void
noise_is_no_limit(void **state)
{
	struct rng rng = {44};
	struct search_config config = of_rates(1000);
	struct search_load load;
	struct search *s;
	int i, right = 0;

	(void)state;
	for (i = 0; i < 1000; i++) {
		s = search_new(&config);
		while (search_next(s, &load))
			step(s, load.rate <= 7000 && rng_below(&rng, 10) > 0);
		if (search_best(s) != NULL &&
		    search_value(s, search_best(s)) * 1.02 >= 7000)
			right++;
		search_free(s);
	}
	/* about seven loads below it are tried */
	assert_in_range(right, 900, 980);
}

static void
never_more_steps_than_there_is_room_for(void **state)
{
	struct search_config config = of_rates(1e-300);
	struct search *s = run(&config, INFINITY);
	size_t i;
	struct search_load load;

	(void)state;
	assert_int_equal(search_steps(s), SEARCH_STEPS);
	search_free(s);

	/* the last one has no second try */
	s = search_new(&config);
	for (i = 0; i < SEARCH_STEPS - 1; i++)
		step(s, true);
	step(s, false);
	assert_false(search_next(s, &load));
	assert_ptr_equal(search_limit(s), search_step(s, SEARCH_STEPS - 1));
	search_free(s);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(doubles_then_halves_the_interval),
	    cmocka_unit_test(halves_until_one_holds),
	    cmocka_unit_test(nothing_holds),
	    cmocka_unit_test(everything_holds),
	    cmocka_unit_test(connections_are_whole_and_bounded),
	    cmocka_unit_test(begins_within_its_bounds),
	    cmocka_unit_test(a_step_that_does_not_hold_is_repeated),
	    cmocka_unit_test(ends_where_nothing_is_answered),
	    cmocka_unit_test(every_way_of_not_holding_counts),
	    cmocka_unit_test(notes_nothing_once_it_is_over),
	    cmocka_unit_test(one_load_is_searched_the_other_is_kept),
	    cmocka_unit_test(lasts_as_long_as_its_percentiles_need),
	    cmocka_unit_test(lasts_as_asked_where_no_percentile_is),
	    cmocka_unit_test(lasts_for_ever_where_no_time_is_enough),
	    cmocka_unit_test(finds_any_threshold),
	    cmocka_unit_test(ends_whatever_the_noise),
	    cmocka_unit_test(noise_is_no_limit),
	    cmocka_unit_test(never_more_steps_than_there_is_room_for),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
